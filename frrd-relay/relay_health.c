// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Health, decided in one place.
 *
 * The order of the questions is the order in which an operator would ask them:
 * was it wanted, can it be, is it there, does it carry packets, does something
 * outside hold it back. The first "no" names the reason; what comes later is
 * shown under "checks" all the same.
 *
 * A check that is not known yet gives `init`, never `up`: coming back waits,
 * withdrawal does not (contract section 3).
 */
#include <zebra.h>

#include "relay_health.h"

static void decide(struct relay_verdict *verdict, enum relay_oper oper,
		   enum relay_reason reason, const char *detail)
{
	verdict->oper = oper;
	verdict->reason = reason;
	strlcpy(verdict->detail, detail ? detail : "", sizeof(verdict->detail));
}

enum tunnel_check relay_health_self_test(const struct tunnel_status *tun)
{
	static const enum tunnel_check worst[] = {
		TUNNEL_CHECK_FAILED, TUNNEL_CHECK_PENDING, TUNNEL_CHECK_OK};

	for (size_t i = 0; i < array_size(worst); i++)
		for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
			if (tun->self_test[way] == worst[i])
				return worst[i];
	return TUNNEL_CHECK_OFF;
}

/* Of the first way that has failed; "" when none has. */
static const char *failed_way_detail(const struct tunnel_status *tun)
{
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		if (tun->self_test[way] == TUNNEL_CHECK_FAILED)
			return tun->self_test_detail[way];
	return "";
}

/* True when the check does not hold; the verdict then says so. */
static bool check_fails(struct relay_verdict *verdict, enum tunnel_check check,
			enum relay_reason reason, const char *detail,
			const char *waiting)
{
	switch (check) {
	case TUNNEL_CHECK_OK:
	case TUNNEL_CHECK_OFF:
		return false;
	case TUNNEL_CHECK_PENDING:
		decide(verdict, RELAY_OPER_INIT, reason, waiting);
		return true;
	case TUNNEL_CHECK_FAILED:
		decide(verdict, RELAY_OPER_DOWN, reason, detail);
		return true;
	}
	assert(!"unknown check result");
}

/* A way that is proven carries the relay, and the other's routes are held back,
 * unless both stand on the same. */
static bool self_test_fails(const struct tunnel_status *tun,
			    struct relay_verdict *verdict)
{
	enum tunnel_check all = relay_health_self_test(tun);

	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		if (!tun->both_ways && tun->self_test[way] == TUNNEL_CHECK_OK)
			return false;
	return check_fails(verdict, all, RELAY_REASON_SELF_TEST_FAILED,
			   failed_way_detail(tun),
			   "waiting for the first self-test");
}

static bool tunnel_fails(const struct tunnel_status *tun, bool exists,
			 struct relay_verdict *verdict)
{
	enum relay_reason reason = RELAY_REASON_INTERFACE_MISSING;

	if (!tun) {
		decide(verdict, RELAY_OPER_INIT, RELAY_REASON_INTERFACE_MISSING,
		       "tunnel is being set up");
		return true;
	}
	if (tun->datapath_error) {
		decide(verdict, RELAY_OPER_DOWN, RELAY_REASON_DATAPATH_ERROR,
		       tun->detail);
		return true;
	}
	if (tun->interface == TUNNEL_CHECK_FAILED) {
		if (tun->interface_down)
			reason = RELAY_REASON_INTERFACE_DOWN;
		else if (exists)
			reason = RELAY_REASON_DATAPATH_ERROR;
	}
	return check_fails(verdict, tun->interface, reason,
			   tun->detail, "tunnel is being set up") ||
	       check_fails(verdict, tun->source, RELAY_REASON_SOURCE_MISSING,
			   tun->detail, "tunnel source is being set up") ||
	       check_fails(verdict, tun->forwarding,
			   RELAY_REASON_FORWARDING_OFF, tun->detail,
			   "forwarding is being checked") ||
	       self_test_fails(tun, verdict);
}

const char *relay_health_overload(const struct tunnel_status *tun, char *buf,
				  size_t len)
{
	if (!tun->overload)
		buf[0] = '\0';
	else if (!strcmp(tun->overload, TUNNEL_OVERLOAD_TABLE))
		snprintf(buf, len, "peer table is full (%u peers)",
			 tun->peers_max);
	else
		strlcpy(buf, "new peers come faster than the limit", len);
	return buf;
}

/* RFC 4380 section 7.3.5: "the traffic will be picked up by the next relay" */
static bool overload_fails(const struct relay_facts *facts,
			   struct relay_verdict *verdict)
{
	char detail[RELAY_DETAIL_LEN];

	if (!facts->overload_withdraws || !facts->tun->overload)
		return false;
	decide(verdict, RELAY_OPER_DOWN, RELAY_REASON_DATAPATH_ERROR,
	       relay_health_overload(facts->tun, detail, sizeof(detail)));
	return true;
}

static bool track_fails(const struct relay_facts *facts,
			struct relay_verdict *verdict)
{
	char detail[RELAY_DETAIL_LEN];

	if (!facts->track || facts->track_state == TRACK_STATE_UP)
		return false;

	if (facts->track_detail && facts->track_detail[0])
		snprintf(detail, sizeof(detail), "track %u: %s", facts->track,
			 facts->track_detail);
	else
		snprintf(detail, sizeof(detail), "track %u", facts->track);
	decide(verdict,
	       facts->track_state == TRACK_STATE_INIT ? RELAY_OPER_INIT
						      : RELAY_OPER_DOWN,
	       RELAY_REASON_TRACK_DOWN, detail);
	return true;
}

void relay_health_decide(const struct relay_facts *facts,
			 struct relay_verdict *verdict)
{
	char detail[RELAY_DETAIL_LEN];

	memset(verdict, 0, sizeof(*verdict));

	if (!facts->enabled) {
		decide(verdict,
		       facts->draining ? RELAY_OPER_DRAINING
				       : RELAY_OPER_DISABLED,
		       RELAY_REASON_SHUTDOWN, NULL);
		return;
	}
	if (!facts->complete) {
		decide(verdict, RELAY_OPER_DOWN, RELAY_REASON_INCOMPLETE_CONFIG,
		       "tunnel mode and tunnel source are needed");
		return;
	}
	if (facts->maintenance) {
		decide(verdict,
		       facts->draining ? RELAY_OPER_DRAINING
				       : RELAY_OPER_MAINTENANCE,
		       RELAY_REASON_MAINTENANCE, NULL);
		return;
	}
	if (tunnel_fails(facts->tun, facts->exists, verdict) ||
	    overload_fails(facts, verdict) ||
	    track_fails(facts, verdict))
		return;
	if (!facts->zebra) {
		decide(verdict, RELAY_OPER_DOWN,
		       RELAY_REASON_ZEBRA_DISCONNECTED,
		       "no session with zebra");
		return;
	}

	/* `delay up` runs while it is suppressed: whichever is over last */
	verdict->healthy = true;
	if (facts->suppressed) {
		snprintf(detail, sizeof(detail),
			 "penalty was %u, reuse %u s later", facts->penalty,
			 facts->reuse_s);
		decide(verdict, RELAY_OPER_DAMPENED, RELAY_REASON_DAMPENED,
		       detail);
		return;
	}
	if (!facts->delay_passed) {
		decide(verdict, RELAY_OPER_INIT, RELAY_REASON_DELAY_UP, NULL);
		return;
	}
	if (relay_health_self_test(facts->tun) == TUNNEL_CHECK_FAILED)
		decide(verdict, RELAY_OPER_UP, RELAY_REASON_SELF_TEST_FAILED,
		       failed_way_detail(facts->tun));
	else
		decide(verdict, RELAY_OPER_UP, RELAY_REASON_OK, NULL);
}

bool relay_health_is_flap(const struct relay_facts *facts,
			  const struct relay_verdict *verdict)
{
	/* without zebra tracked routes go down too: no fault of theirs */
	if (verdict->healthy || facts->configuring || !facts->zebra)
		return false;

	switch (verdict->oper) {
	case RELAY_OPER_DOWN:
		return true;
	case RELAY_OPER_INIT:
		/* an object is forgotten only when it is given something else
		 * to look at */
		return verdict->reason != RELAY_REASON_TRACK_DOWN;
	case RELAY_OPER_DISABLED:
	case RELAY_OPER_UP:
	case RELAY_OPER_MAINTENANCE:
	case RELAY_OPER_DRAINING:
	case RELAY_OPER_DAMPENED:
		return false;
	}
	assert(!"unknown relay state");
}

const char *relay_oper_str(enum relay_oper oper)
{
	switch (oper) {
	case RELAY_OPER_DISABLED:
		return "disabled";
	case RELAY_OPER_INIT:
		return "init";
	case RELAY_OPER_UP:
		return "up";
	case RELAY_OPER_DOWN:
		return "down";
	case RELAY_OPER_MAINTENANCE:
		return "maintenance";
	case RELAY_OPER_DRAINING:
		return "draining";
	case RELAY_OPER_DAMPENED:
		return "dampened";
	}
	assert(!"unknown relay state");
}

const char *relay_reason_str(enum relay_reason reason)
{
	switch (reason) {
	case RELAY_REASON_OK:
		return "ok";
	case RELAY_REASON_SHUTDOWN:
		return "shutdown";
	case RELAY_REASON_INCOMPLETE_CONFIG:
		return "incomplete-config";
	case RELAY_REASON_INTERFACE_MISSING:
		return "interface-missing";
	case RELAY_REASON_INTERFACE_DOWN:
		return "interface-down";
	case RELAY_REASON_SOURCE_MISSING:
		return "source-missing";
	case RELAY_REASON_FORWARDING_OFF:
		return "forwarding-off";
	case RELAY_REASON_SELF_TEST_FAILED:
		return "self-test-failed";
	case RELAY_REASON_TRACK_DOWN:
		return "track-down";
	case RELAY_REASON_DELAY_UP:
		return "delay-up";
	case RELAY_REASON_MAINTENANCE:
		return "maintenance";
	case RELAY_REASON_DAMPENED:
		return "dampened";
	case RELAY_REASON_DATAPATH_ERROR:
		return "datapath-error";
	case RELAY_REASON_ZEBRA_DISCONNECTED:
		return "zebra-disconnected";
	}
	assert(!"unknown reason");
}

const char *relay_time_str(time_t when, char *buf)
{
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(buf, RELAY_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}
