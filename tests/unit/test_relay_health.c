// SPDX-License-Identifier: GPL-2.0-or-later
/* The one decision, as a table: facts in, state and reason out. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay_health.h"
#include "relay_memory.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define OK	TUNNEL_CHECK_OK
#define FAILED	TUNNEL_CHECK_FAILED
#define PENDING TUNNEL_CHECK_PENDING
#define OFF	TUNNEL_CHECK_OFF

/* Everything holds; each case changes something. */
static void all_well(struct relay_facts *facts, struct tunnel_status *tun)
{
	memset(tun, 0, sizeof(*tun));
	tun->datapath = "sit";
	tun->ifindex = 7;
	tun->interface = tun->source = tun->forwarding = OK;
	tun->self_test[TUNNEL_WAY_4TO6] = tun->self_test[TUNNEL_WAY_6TO4] = OK;
	strlcpy(tun->detail, "cause", sizeof(tun->detail));
	strlcpy(tun->self_test_detail[TUNNEL_WAY_4TO6], "way in",
		sizeof(tun->self_test_detail[0]));
	strlcpy(tun->self_test_detail[TUNNEL_WAY_6TO4], "way out",
		sizeof(tun->self_test_detail[0]));

	memset(facts, 0, sizeof(*facts));
	facts->enabled = facts->complete = facts->zebra = facts->exists = true;
	facts->delay_passed = true;
	facts->tun = tun;
}

static void ways(struct tunnel_status *tun, enum tunnel_check in,
		 enum tunnel_check out)
{
	tun->self_test[TUNNEL_WAY_4TO6] = in;
	tun->self_test[TUNNEL_WAY_6TO4] = out;
}

struct change {
	const char *name;
	void (*apply)(struct relay_facts *facts, struct tunnel_status *tun);
	enum relay_oper oper;
	enum relay_reason reason;
	const char *detail;
	bool healthy;
};

#define CHANGE(fn, body)                                                       \
	static void fn(struct relay_facts *facts, struct tunnel_status *tun)   \
	{                                                                      \
		body                                                           \
	}

CHANGE(nothing, )
CHANGE(shut, facts->enabled = false;)
CHANGE(shut_draining, facts->enabled = false; facts->draining = true;)
CHANGE(shut_and_broken, facts->enabled = false; tun->interface = FAILED;)
CHANGE(incomplete, facts->complete = false;)
CHANGE(maintained, facts->maintenance = true;)
CHANGE(maintained_draining, facts->maintenance = facts->draining = true;)
CHANGE(maintained_and_broken, facts->maintenance = true;
       ways(tun, FAILED, FAILED);)
CHANGE(no_tunnel, facts->tun = NULL;)
CHANGE(if_pending, tun->interface = PENDING; facts->exists = false;)
CHANGE(if_there, tun->interface = PENDING;)
CHANGE(if_missing, tun->interface = FAILED; facts->exists = false;)
CHANGE(if_down, tun->interface = FAILED; tun->interface_down = true;)
CHANGE(if_altered, tun->interface = FAILED;)
CHANGE(broken, tun->datapath_error = true; tun->interface = FAILED;)
CHANGE(no_source, tun->source = FAILED;)
CHANGE(no_forwarding, tun->forwarding = FAILED;)
CHANGE(self_test_lost, ways(tun, FAILED, FAILED);)
CHANGE(self_test_pending, ways(tun, PENDING, PENDING);)
CHANGE(self_test_off, ways(tun, OFF, OFF);)
CHANGE(way_in_lost, ways(tun, FAILED, OK);)
CHANGE(way_out_lost, ways(tun, OK, FAILED);)
CHANGE(way_out_pending, ways(tun, OK, PENDING);)
CHANGE(lost_and_pending, ways(tun, FAILED, PENDING);)
CHANGE(receive_only, ways(tun, OK, OFF);)
CHANGE(receive_only_lost, ways(tun, FAILED, OFF);)
CHANGE(transmit_only_lost, ways(tun, OFF, FAILED);)
CHANGE(transmit_only_pending, ways(tun, OFF, PENDING);)
CHANGE(both_and_one_lost, tun->both_ways = true; ways(tun, OK, FAILED);)
CHANGE(both_and_one_pending, tun->both_ways = true; ways(tun, PENDING, OK);)
CHANGE(both_and_one_off, tun->both_ways = true; ways(tun, OFF, OK);)
CHANGE(both_ok, tun->both_ways = true;)
CHANGE(table_full, tun->overload = TUNNEL_OVERLOAD_TABLE;
       tun->peers_max = tun->peers = 65536;)
CHANGE(table_full_withdraws, table_full(facts, tun);
       facts->overload_withdraws = true;)
CHANGE(rate_withdraws, tun->overload = TUNNEL_OVERLOAD_RATE;
       tun->peers_max = 65536; facts->overload_withdraws = true;)
CHANGE(no_overload, facts->overload_withdraws = true;)
CHANGE(overload_and_maintained, table_full_withdraws(facts, tun);
       facts->maintenance = true;)
CHANGE(overload_and_broken, table_full_withdraws(facts, tun);
       tun->source = FAILED;)
CHANGE(overload_and_track, table_full_withdraws(facts, tun);
       facts->track = 10; facts->track_state = TRACK_STATE_DOWN;)
CHANGE(first_of_two, tun->source = FAILED; ways(tun, FAILED, FAILED);)
CHANGE(trk_up, facts->track = 10; facts->track_state = TRACK_STATE_UP;)
CHANGE(trk_down, facts->track = 10; facts->track_state = TRACK_STATE_DOWN;
       facts->track_detail = "object 2 down";)
CHANGE(trk_down_mute, facts->track = 10;
       facts->track_state = TRACK_STATE_DOWN;)
CHANGE(trk_init, facts->track = 10; facts->track_state = TRACK_STATE_INIT;)
CHANGE(no_zebra, facts->zebra = false;)
CHANGE(suppressed, facts->suppressed = true; facts->penalty = 2985;
       facts->reuse_s = 1196;)
CHANGE(suppressed_and_delayed, facts->suppressed = true;
       facts->delay_passed = false;)
CHANGE(suppressed_and_down, facts->suppressed = true; facts->track = 10;
       facts->track_state = TRACK_STATE_DOWN;)
CHANGE(suppressed_and_shut, facts->suppressed = true; facts->enabled = false;)
CHANGE(suppressed_and_maintained, facts->suppressed = facts->maintenance =
					  true;)
CHANGE(suppressed_no_zebra, facts->suppressed = true; facts->zebra = false;)
CHANGE(down_no_zebra, facts->zebra = false; facts->track = 10;
       facts->track_state = TRACK_STATE_DOWN;)
CHANGE(configured_down, facts->configuring = true; facts->track = 10;
       facts->track_state = TRACK_STATE_DOWN;)
CHANGE(configured_pending, facts->configuring = true;
       tun->interface = PENDING;)
CHANGE(delayed, facts->delay_passed = false;)
CHANGE(delayed_and_down, facts->delay_passed = false; tun->source = FAILED;)

static const struct change changes[] = {
	{"all is well", nothing, RELAY_OPER_UP, RELAY_REASON_OK, "", true},
	{"shutdown", shut, RELAY_OPER_DISABLED, RELAY_REASON_SHUTDOWN, ""},
	{"shutdown, draining", shut_draining, RELAY_OPER_DRAINING,
	 RELAY_REASON_SHUTDOWN, ""},
	{"shutdown hides a fault", shut_and_broken, RELAY_OPER_DISABLED,
	 RELAY_REASON_SHUTDOWN, ""},
	{"incomplete", incomplete, RELAY_OPER_DOWN,
	 RELAY_REASON_INCOMPLETE_CONFIG,
	 "tunnel mode and tunnel source are needed"},
	{"maintenance", maintained, RELAY_OPER_MAINTENANCE,
	 RELAY_REASON_MAINTENANCE, ""},
	{"maintenance, draining", maintained_draining, RELAY_OPER_DRAINING,
	 RELAY_REASON_MAINTENANCE, ""},
	{"maintenance hides a fault", maintained_and_broken,
	 RELAY_OPER_MAINTENANCE, RELAY_REASON_MAINTENANCE, ""},
	{"no tunnel yet", no_tunnel, RELAY_OPER_INIT,
	 RELAY_REASON_INTERFACE_MISSING, "tunnel is being set up"},
	{"interface not known yet", if_pending, RELAY_OPER_INIT,
	 RELAY_REASON_INTERFACE_MISSING, "tunnel is being set up"},
	{"interface there, not known yet", if_there, RELAY_OPER_INIT,
	 RELAY_REASON_INTERFACE_MISSING, "tunnel is being set up"},
	{"interface gone", if_missing, RELAY_OPER_DOWN,
	 RELAY_REASON_INTERFACE_MISSING, "cause"},
	{"interface down", if_down, RELAY_OPER_DOWN,
	 RELAY_REASON_INTERFACE_DOWN, "cause"},
	{"interface altered", if_altered, RELAY_OPER_DOWN,
	 RELAY_REASON_DATAPATH_ERROR, "cause"},
	{"datapath error", broken, RELAY_OPER_DOWN,
	 RELAY_REASON_DATAPATH_ERROR, "cause"},
	{"source gone", no_source, RELAY_OPER_DOWN, RELAY_REASON_SOURCE_MISSING,
	 "cause"},
	{"forwarding off", no_forwarding, RELAY_OPER_DOWN,
	 RELAY_REASON_FORWARDING_OFF, "cause"},
	{"self-test lost", self_test_lost, RELAY_OPER_DOWN,
	 RELAY_REASON_SELF_TEST_FAILED, "way in"},
	{"self-test 4to6 lost", way_in_lost, RELAY_OPER_UP,
	 RELAY_REASON_SELF_TEST_FAILED, "way in", true},
	{"self-test 6to4 lost", way_out_lost, RELAY_OPER_UP,
	 RELAY_REASON_SELF_TEST_FAILED, "way out", true},
	{"one way not known yet", way_out_pending, RELAY_OPER_UP,
	 RELAY_REASON_OK, "", true},
	{"one way lost, one not known yet", lost_and_pending, RELAY_OPER_DOWN,
	 RELAY_REASON_SELF_TEST_FAILED, "way in"},
	{"both ways needed, one lost", both_and_one_lost, RELAY_OPER_DOWN,
	 RELAY_REASON_SELF_TEST_FAILED, "way out"},
	{"both ways needed, one not known yet", both_and_one_pending,
	 RELAY_OPER_INIT, RELAY_REASON_SELF_TEST_FAILED,
	 "waiting for the first self-test"},
	{"both ways needed, one left out", both_and_one_off, RELAY_OPER_UP,
	 RELAY_REASON_OK, "", true},
	{"both ways needed and there", both_ok, RELAY_OPER_UP, RELAY_REASON_OK,
	 "", true},
	{"peer table full", table_full, RELAY_OPER_UP, RELAY_REASON_OK, "",
	 true},
	{"peer table full, withdraws", table_full_withdraws, RELAY_OPER_DOWN,
	 RELAY_REASON_DATAPATH_ERROR, "peer table is full (65536 peers)"},
	{"too many new peers, withdraws", rate_withdraws, RELAY_OPER_DOWN,
	 RELAY_REASON_DATAPATH_ERROR,
	 "new peers come faster than the limit"},
	{"no overload", no_overload, RELAY_OPER_UP, RELAY_REASON_OK, "", true},
	{"maintenance hides an overload", overload_and_maintained,
	 RELAY_OPER_MAINTENANCE, RELAY_REASON_MAINTENANCE, ""},
	{"a fault goes before an overload", overload_and_broken,
	 RELAY_OPER_DOWN, RELAY_REASON_SOURCE_MISSING, "cause"},
	{"an overload goes before what is outside", overload_and_track,
	 RELAY_OPER_DOWN, RELAY_REASON_DATAPATH_ERROR,
	 "peer table is full (65536 peers)"},
	{"receive only", receive_only, RELAY_OPER_UP, RELAY_REASON_OK, "",
	 true},
	{"receive only, lost", receive_only_lost, RELAY_OPER_DOWN,
	 RELAY_REASON_SELF_TEST_FAILED, "way in"},
	{"transmit only, lost", transmit_only_lost, RELAY_OPER_DOWN,
	 RELAY_REASON_SELF_TEST_FAILED, "way out"},
	{"transmit only, not known yet", transmit_only_pending, RELAY_OPER_INIT,
	 RELAY_REASON_SELF_TEST_FAILED, "waiting for the first self-test"},
	{"self-test not back yet", self_test_pending, RELAY_OPER_INIT,
	 RELAY_REASON_SELF_TEST_FAILED, "waiting for the first self-test"},
	{"self-test off", self_test_off, RELAY_OPER_UP, RELAY_REASON_OK, "",
	 true},
	{"the first fault is named", first_of_two, RELAY_OPER_DOWN,
	 RELAY_REASON_SOURCE_MISSING, "cause"},
	{"track up", trk_up, RELAY_OPER_UP, RELAY_REASON_OK, "", true},
	{"track down", trk_down, RELAY_OPER_DOWN, RELAY_REASON_TRACK_DOWN,
	 "track 10: object 2 down"},
	{"track down without a cause", trk_down_mute, RELAY_OPER_DOWN,
	 RELAY_REASON_TRACK_DOWN, "track 10"},
	{"track not known yet", trk_init, RELAY_OPER_INIT,
	 RELAY_REASON_TRACK_DOWN, "track 10"},
	{"no zebra", no_zebra, RELAY_OPER_DOWN, RELAY_REASON_ZEBRA_DISCONNECTED,
	 "no session with zebra"},
	{"suppressed", suppressed, RELAY_OPER_DAMPENED, RELAY_REASON_DAMPENED,
	 "penalty was 2985, reuse 1196 s later", true},
	{"delay up runs while suppressed", suppressed_and_delayed,
	 RELAY_OPER_DAMPENED, RELAY_REASON_DAMPENED,
	 "penalty was 0, reuse 0 s later", true},
	{"a fault goes before suppression", suppressed_and_down,
	 RELAY_OPER_DOWN, RELAY_REASON_TRACK_DOWN, "track 10"},
	{"so does shutdown", suppressed_and_shut, RELAY_OPER_DISABLED,
	 RELAY_REASON_SHUTDOWN, ""},
	{"and maintenance", suppressed_and_maintained, RELAY_OPER_MAINTENANCE,
	 RELAY_REASON_MAINTENANCE, ""},
	{"and zebra", suppressed_no_zebra, RELAY_OPER_DOWN,
	 RELAY_REASON_ZEBRA_DISCONNECTED, "no session with zebra"},
	{"delay up", delayed, RELAY_OPER_INIT, RELAY_REASON_DELAY_UP, "", true},
	{"a fault stops the delay", delayed_and_down, RELAY_OPER_DOWN,
	 RELAY_REASON_SOURCE_MISSING, "cause"},
};

static void test_table(void **state)
{
	for (size_t i = 0; i < array_size(changes); i++) {
		const struct change *c = &changes[i];
		struct relay_verdict verdict;
		struct tunnel_status tun;
		struct relay_facts facts;

		all_well(&facts, &tun);
		c->apply(&facts, &tun);
		relay_health_decide(&facts, &verdict);
		if (verdict.oper != c->oper || verdict.reason != c->reason ||
		    strcmp(verdict.detail, c->detail) ||
		    verdict.healthy != c->healthy)
			fail_msg("%s: %s, %s, '%s', healthy %d", c->name,
				 relay_oper_str(verdict.oper),
				 relay_reason_str(verdict.reason),
				 verdict.detail, verdict.healthy);
	}
}

/* Which ends of a healthy time dampening counts. */
static void test_flaps(void **state)
{
	static const struct {
		const char *name;
		void (*apply)(struct relay_facts *facts,
			      struct tunnel_status *tun);
		bool flap;
	} cases[] = {
		{"interface gone", if_missing, true},
		{"interface down", if_down, true},
		{"interface made anew", if_pending, true},
		{"datapath error", broken, true},
		{"source gone", no_source, true},
		{"forwarding off", no_forwarding, true},
		{"self-test lost", self_test_lost, true},
		{"self-test awaited", self_test_pending, true},
		{"self-test of one of both ways lost", both_and_one_lost, true},
		{"peer table full, withdraws", table_full_withdraws, true},
		{"peer table full", table_full, false},
		{"track down", trk_down, true},
		{"suppressed and down", suppressed_and_down, true},
		/* somebody's word */
		{"shutdown", shut, false},
		{"shutdown, draining", shut_draining, false},
		{"shutdown and broken", shut_and_broken, false},
		{"maintenance", maintained, false},
		{"maintenance, draining", maintained_draining, false},
		{"maintenance and broken", maintained_and_broken, false},
		{"a line that takes it down", configured_down, false},
		{"a line that makes the tunnel anew", configured_pending,
		 false},
		{"an object with another target", trk_init, false},
		/* zebra's */
		{"zebra gone", no_zebra, false},
		{"zebra gone, and tracked routes with it", down_no_zebra,
		 false},
		/* healthy all the time */
		{"nothing", nothing, false},
		{"suppressed", suppressed, false},
		{"delay up", delayed, false},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct relay_verdict verdict;
		struct tunnel_status tun;
		struct relay_facts facts;

		all_well(&facts, &tun);
		cases[i].apply(&facts, &tun);
		relay_health_decide(&facts, &verdict);
		if (relay_health_is_flap(&facts, &verdict) != cases[i].flap)
			fail_msg("%s", cases[i].name);
	}
}

/* `up` needs every single check, and one way through. */
static void test_up_needs_all(void **state)
{
	static const enum tunnel_check values[] = {PENDING, OK, FAILED};
	struct relay_verdict verdict;
	struct tunnel_status tun;
	struct relay_facts facts;
	unsigned int up = 0;

	for (unsigned int n = 0; n < 243 * 8; n++) {
		all_well(&facts, &tun);
		tun.interface = values[n % 3];
		tun.source = values[n / 3 % 3];
		tun.forwarding = values[n / 9 % 3];
		ways(&tun, values[n / 27 % 3], values[n / 81 % 3]);
		facts.zebra = n / 243 % 2;
		facts.delay_passed = n / 486 % 2;
		facts.suppressed = n / 972 % 2;
		relay_health_decide(&facts, &verdict);
		up += verdict.oper == RELAY_OPER_UP;
	}
	/* of the nine pairs of ways, the four without OK are none */
	assert_int_equal(up, 9 - 4);
}

static void test_time(void **state)
{
	char buf[RELAY_TIME_LEN];

	assert_string_equal(relay_time_str(0, buf), "1970-01-01T00:00:00Z");
	assert_string_equal(relay_time_str(1795341600, buf),
			    "2026-11-22T10:00:00Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_flaps),
		cmocka_unit_test(test_up_needs_all),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
