// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "log.h"
#include "monotime.h"

#include "relay.h"
#include "relay_restart.h"
#include "relay_routes.h"
#include "relay_zebra.h"
#include "tunnel_journal.h"

#define JOURNAL_KEY_PLANNED "planned"

static struct frr_loop *restart_loop;
static uint16_t restart_time_s;
static bool on_file; /* there is a journal: not with -C */

/* Since a planned restart: zebra keeps routes of the former run. */
static bool planned;
static struct frr_event *t_planned;
static bool config_known;
static bool
	settled; /* in this session zebra keeps no routes of a dead relayd */

static void (*begin_done)(void);

/* -------------------------------------------------------------- settling */

static void planned_over(void)
{
	if (!planned)
		return;
	planned = false;
	EVENT_OFF(t_planned);
	tunnel_journal_del(JOURNAL_RESTART, JOURNAL_KEY_PLANNED);
	zlog_notice("the planned restart is over");
}

/* What zebra was asked to keep and no relay has now; zebra 10.3 would not drop
 * it by itself. */
static void withdraw_kept(void)
{
	struct journal_entry *ent;
	struct prefix p;

	while ((ent = tunnel_journal_after(JOURNAL_KEPT, "")) &&
	       ent->kind == JOURNAL_KEPT) {
		if (str2prefix(ent->key, &p) && !relay_routes_prefix_sent(&p) &&
		    relay_zebra_route_delete(&p) < 0)
			return;
		tunnel_journal_del(JOURNAL_KEPT, ent->key);
	}
}

/*
 * Also where no restart was planned: what a run before has left undone must not
 * keep the routes of this one when it is killed.
 */
static void settle(void)
{
	if (settled || !relay_zebra_connected())
		return;
	withdraw_kept();
	settled = relay_zebra_keep_end() == 0;
	if (settled)
		planned_over();
}

static void settle_if_all_known(void)
{
	const struct relay *relay;

	if (planned) {
		if (!config_known)
			return;
		frr_each (relay_tree_const, relay_tree, relay)
			if (relay->resumed)
				return;
	}
	settle();
}

static void planned_expired(struct frr_event *ev)
{
	struct relay *relay;

	frr_each (relay_tree, relay_tree, relay) {
		if (!relay->resumed)
			continue;
		zlog_warn(
			"relay %s: not up within the restart time, its routes are withdrawn",
			relay->cfg.name);
		relay->resumed = false;
		relay_restart_record(relay);
		relay_evaluate(relay);
	}
	planned_over();
	settle();
}

void relay_restart_config_known(void)
{
	config_known = true;
	settle_if_all_known();
}

void relay_restart_session(bool connected)
{
	settled = false;
	if (connected)
		settle_if_all_known();
}

/* ------------------------------------------------------------ each relay */

static bool oper_parse(const char *word, enum relay_oper *oper)
{
	for (*oper = 0; *oper <= RELAY_OPER_LAST; (*oper)++)
		if (strcmp(word, relay_oper_str(*oper)) == 0)
			return true;
	return false;
}

void relay_restart_record(const struct relay *relay)
{
	char value[JOURNAL_VALUE_LEN];

	if (!on_file || relay->removed)
		return;
	/* a second restart before the first has settled goes on from there */
	snprintf(value, sizeof(value), "%s %u",
		 relay_oper_str(relay->resumed ? RELAY_OPER_UP : relay->oper),
		 relay->transitions);
	tunnel_journal_add(JOURNAL_RELAY, relay->cfg.name, value);
}

void relay_restart_forget(const struct relay *relay)
{
	if (on_file)
		tunnel_journal_del(JOURNAL_RELAY, relay->cfg.name);
}

void relay_restart_adopt(struct relay *relay)
{
	char word[16] = "", detail[RELAY_DETAIL_LEN];
	struct journal_entry *ent;
	enum relay_oper former;
	uint32_t transitions;

	ent = tunnel_journal_find(JOURNAL_RELAY, relay->cfg.name);
	if (!ent || ent->adopted ||
	    sscanf(ent->value, "%15s %u", word, &transitions) != 2 ||
	    !oper_parse(word, &former) || !relay->tun)
		return;

	snprintf(detail, sizeof(detail),
		 "relayd has restarted, interface %s %s",
		 relay_config_ifname(&relay->cfg),
		 relay->tun->adopted   ? "was taken over"
		 : relay->tun->created ? "was made anew"
				       : "is not there");
	relay->oper = RELAY_OPER_INIT;
	relay->reason = RELAY_REASON_OK;
	relay->since = time(NULL);
	relay->transitions = transitions + (former != RELAY_OPER_INIT);
	relay_history_add(&relay->history, relay->since, former, relay->oper,
			  relay->reason, detail);
	zlog_notice("relay %s: was %s, %s", relay->cfg.name,
		    relay_oper_str(former), detail);
	relay->resumed = planned && former == RELAY_OPER_UP;
	relay_restart_record(relay);

	/* As if they had been sent: what the verdict wants is sent anew, the
	 * rest is withdrawn. */
	for (size_t i = 0; relay->resumed && i < relay->nroutes; i++) {
		relay->routes[i].sent = true;
		relay->routes[i].sent_ifindex = 0;
	}
}

bool relay_restart_waits(const struct relay *relay,
			 const struct relay_route *route)
{
	return relay->resumed && relay_route_unknown(relay, route);
}

void relay_restart_review(struct relay *relay)
{
	const struct relay_route *route;

	if (!relay->resumed)
		return;
	for (size_t i = 0; i < relay->nroutes; i++) {
		route = &relay->routes[i];
		if (relay_restart_waits(relay, route) ||
		    (route->sent && !route->installed && !route->note))
			return;
	}
	relay->resumed = false;
	relay_restart_record(relay);
	zlog_notice("relay %s: is %s after the planned restart",
		    relay->cfg.name, relay_oper_str(relay->oper));
	settle_if_all_known();
}

/* ------------------------------------------------------ a planned restart */

static void begin_finish(bool kept)
{
	void (*done)(void) = begin_done;

	if (kept)
		zlog_notice(
			"zebra keeps the routes for %lu s, the tunnels stay",
			planned ? event_timer_remain_second(t_planned)
				: restart_time_s);
	else
		zlog_warn("zebra does not keep the routes: no answer from it");
	begin_done = NULL;
	done();
}

static void record_kept(void)
{
	const struct relay *relay;
	char prefix[PREFIX_STRLEN];

	frr_each (relay_tree_const, relay_tree, relay)
		for (size_t i = 0; i < relay->nroutes; i++)
			if (relay->routes[i].sent)
				tunnel_journal_add(
					JOURNAL_KEPT,
					prefix2str(&relay->routes[i].cfg.prefix,
						   prefix, sizeof(prefix)),
					"-");
}

void relay_restart_begin(void (*done)(void))
{
	char value[JOURNAL_VALUE_LEN];

	begin_done = done;
	/* one that has not settled goes on: zebra's clock can't be set anew */
	if (!planned) {
		snprintf(value, sizeof(value), "%lld %u",
			 (long long)monotime(NULL), restart_time_s);
		tunnel_journal_add(JOURNAL_RESTART, JOURNAL_KEY_PLANNED, value);
	}
	record_kept();
	zlog_notice(
		"planned restart: no route is withdrawn, zebra is asked to keep them for %u s",
		restart_time_s);
	relay_zebra_keep(restart_time_s, begin_finish);
}

void relay_restart_configure(uint16_t secs)
{
	restart_time_s = secs;
}

uint16_t relay_restart_time(void)
{
	return restart_time_s;
}

/* ------------------------------------------------------------ start, stop */

unsigned int relay_restart_left(void)
{
	const struct journal_entry *ent =
		tunnel_journal_find(JOURNAL_RESTART, JOURNAL_KEY_PLANNED);
	long long since, now = monotime(NULL);
	unsigned int secs;

	if (!ent || sscanf(ent->value, "%lld %u", &since, &secs) != 2 ||
	    since < 0 || since > now || secs > RELAY_RESTART_TIME_MAX ||
	    since + secs <= now)
		return 0;
	return since + secs - now;
}

bool relay_restart_recorded(void)
{
	return tunnel_journal_find(JOURNAL_RESTART, JOURNAL_KEY_PLANNED);
}

void relay_restart_init(struct frr_loop *loop)
{
	struct journal_entry *ent;
	unsigned int left;

	restart_loop = loop;
	on_file = true;
	/* until it is settled */
	for (ent = tunnel_journal_first(); ent; ent = tunnel_journal_next(ent))
		if (ent->kind == JOURNAL_KEPT)
			ent->adopted = true;
	ent = tunnel_journal_find(JOURNAL_RESTART, JOURNAL_KEY_PLANNED);
	if (!ent)
		return;
	left = relay_restart_left();
	planned = left > 0;
	if (!planned) {
		tunnel_journal_del(JOURNAL_RESTART, JOURNAL_KEY_PLANNED);
		return;
	}
	ent->adopted = true;
	zlog_notice(
		"after a planned restart: zebra keeps the routes for %u s more",
		left);
	event_add_timer(restart_loop, planned_expired, NULL, left, &t_planned);
}

void relay_restart_fini(void)
{
	EVENT_OFF(t_planned);
}
