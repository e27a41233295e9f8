// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A relay's life.
 *
 * Four things go on, each with one place:
 *
 *   evaluate()                gathers the facts, asks relay_health_decide(),
 *                             records a change and starts or stops `delay up`;
 *   relay_routes_sync()       brings zebra to what the state wants, and what
 *                             each route's own track and way through want;
 *   relay_routes_keep()       says which prefixes the tunnel goes on forwarding
 *                             by itself;
 *   sync_tunnel()             brings the tunnel to what the configuration wants.
 *
 * On the way down routes go first and at once; the tunnel follows when the
 * drain time is over. On the way up the tunnel comes first, and routes wait for
 * the verdict. Everything runs on the main thread.
 */
#include <zebra.h>

#include "log.h"

#include "relay.h"
#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_restart.h"
#include "relay_routes.h"
#include "relay_suppress.h"
#include "relay_watchdog.h"
#include "relay_zebra.h"

DEFINE_MTYPE_STATIC(RELAYD, RELAY, "Relay");
DEFINE_HOOK(relay_added, (const struct relay *relay), (relay));
DEFINE_HOOK(relay_removed, (const struct relay *relay), (relay));
DEFINE_HOOK(relay_status_change,
	    (const struct relay *relay, enum relay_oper old), (relay, old));

struct relay_tree_head relay_tree[1] = {INIT_RBTREE_UNIQ(relay_tree[0])};
/* Draining after `no relay`. A new relay may have the same name. */
static struct relay_tree_head removed_tree[1] = {
	INIT_RBTREE_UNIQ(removed_tree[0])};

static struct frr_loop *relay_loop;
static bool stopping;

static void evaluate(struct relay *relay);
static void sync_tunnel(struct relay *relay);

int relay_cmp(const struct relay *a, const struct relay *b)
{
	return strcmp(a->cfg.name, b->cfg.name);
}

/* --------------------------------------------------------- configuration */

static const struct tunnel_ops *config_tunnel_ops(const struct relay_config *cfg)
{
	switch (cfg->mode) {
	case RELAY_MODE_NONE:
		return NULL;
	case RELAY_MODE_6TO4:
		return &tunnel_sit_ops;
	case RELAY_MODE_TEREDO:
		return &tunnel_teredo_ops;
	}
	assert(!"unknown mode");
}

/* Lists of params point into cfg; tunnel_new() and tunnel_update() copy. */
static void config_tunnel_params(struct relay_config *cfg,
				 struct tunnel_params *params)
{
	memset(params, 0, sizeof(*params));
	strlcpy(params->owner, cfg->name, sizeof(params->owner));
	strlcpy(params->ifname, relay_config_ifname(cfg),
		sizeof(params->ifname));
	params->source = cfg->source;
	params->transmit_source =
		cfg->has_transmit_source ? cfg->transmit_source : cfg->source;
	params->direction = cfg->direction;
	params->ttl = cfg->ttl;
	params->mtu = cfg->mtu;
	params->addrs = cfg->addrs;
	params->naddrs = cfg->naddrs;
	params->self_test = cfg->self_test;
	params->datapath = cfg->datapath;
	params->filter_bogons = cfg->filter_bogons;
	params->filters = cfg->filters;
	params->nfilters = cfg->nfilters;
	params->uplinks = cfg->uplinks;
	params->nuplinks = cfg->nuplinks;
	if (cfg->mode == RELAY_MODE_TEREDO) {
		params->udp_port = cfg->udp_port;
		params->peers_max = cfg->peers_max;
	}
}

/* ----------------------------------------------------------------- drain */

static void drain_over(struct frr_event *ev)
{
	struct relay *relay = EVENT_ARG(ev);

	relay->draining = false;
	evaluate(relay);
	sync_tunnel(relay);
}

/*
 * Out of service by the operator's word: routes go, packets that are under way
 * are still forwarded. A relay that serves nothing has nothing to drain.
 */
static void rest(struct relay *relay)
{
	uint16_t secs = relay->cfg.drain_time_s;

	if (!relay_routes_sent(relay))
		return;
	if (secs) {
		relay->draining = true;
		EVENT_OFF(relay->t_drain);
		event_add_timer(relay_loop, drain_over, relay, secs,
				&relay->t_drain);
		for (size_t i = 0; i < relay->nroutes; i++)
			relay->routes[i].drains = relay->routes[i].sent;
	}
	relay_routes_withdraw(relay);
}

static void drain_cancel(struct relay *relay)
{
	relay->draining = false;
	EVENT_OFF(relay->t_drain);
}

/* ---------------------------------------------------------------- verdict */

static void delay_over(struct frr_event *ev)
{
	struct relay *relay = EVENT_ARG(ev);

	relay->delay_passed = true;
	evaluate(relay);
}

static void gather_facts(struct relay *relay, struct relay_facts *facts)
{
	struct relay_dampening_status damp;
	struct track *trk;

	memset(facts, 0, sizeof(*facts));
	facts->enabled = relay->cfg.enabled && !relay->removed && !stopping;
	facts->complete = relay_config_complete(&relay->cfg);
	facts->maintenance = relay->cfg.maintenance;
	facts->draining = relay->draining;
	facts->zebra = relay_zebra_connected();
	facts->exists = relay_ifindex(relay) != 0;
	facts->tun = relay->tun ? &relay->tun->status : NULL;
	facts->track = relay->cfg.track;
	if (facts->track) {
		trk = track_lookup(facts->track);
		facts->track_state = trk ? trk->state : TRACK_STATE_DOWN;
		facts->track_detail = trk ? trk->detail : "missing";
	}
	facts->overload_withdraws = relay->cfg.overload_withdraw;
	facts->delay_passed = relay->delay_passed;
	facts->configuring = relay->configuring;
	facts->suppressed = relay_suppress_relay(relay);
	relay_dampening_status(relay, &relay->dampening, &damp);
	facts->penalty = damp.penalty;
	facts->reuse_s = damp.reuse_s;
}

static void record(struct relay *relay, const struct relay_verdict *verdict)
{
	enum relay_oper old = relay->oper;
	bool changed = old != verdict->oper || relay->reason != verdict->reason;

	/* that of dampening speaks of the time of the change */
	if (changed || relay->oper != RELAY_OPER_DAMPENED || !relay->detail[0])
		strlcpy(relay->detail, verdict->detail, sizeof(relay->detail));
	if (!changed)
		return;

	relay->oper = verdict->oper;
	relay->reason = verdict->reason;
	if (old != relay->oper) {
		relay->since = time(NULL);
		relay->transitions++;
	}
	/* what is awaited next on the way up is no change worth keeping */
	if (old != relay->oper || relay->oper != RELAY_OPER_INIT)
		relay_history_add(&relay->history, time(NULL), old, relay->oper,
				  relay->reason, relay->detail);
	relay_restart_record(relay);
	zlog_notice("relay %s: %s -> %s, %s%s%s", relay->cfg.name,
		    relay_oper_str(old), relay_oper_str(relay->oper),
		    relay_reason_str(relay->reason), relay->detail[0] ? ": " : "",
		    relay->detail);
	/* Withdrawal is immediate: zebra hears before anyone else does. */
	relay_routes_sync(relay);
	hook_call(relay_status_change, relay, old);
}

static void reuse_due(struct frr_event *ev)
{
	evaluate(EVENT_ARG(ev));
}

static void schedule_reuse(struct relay *relay)
{
	int64_t msec = relay_suppress_next_ms(relay);

	EVENT_OFF(relay->t_reuse);
	if (msec)
		event_add_timer_msec(relay_loop, reuse_due, relay, msec,
				     &relay->t_reuse);
}

void relay_clear_dampening(struct relay *relay)
{
	relay_suppress_clear(relay);
	evaluate(relay);
}

static void way_delay_over(struct frr_event *ev)
{
	struct relay_way *way = EVENT_ARG(ev);

	way->delay_passed = true;
	evaluate(way->relay);
}

/*
 * Each way waits for itself, whatever holds the relay back meanwhile: the one
 * that comes back later than the other is announced later.
 */
static void delay_ways(struct relay *relay)
{
	bool waits = relay->cfg.delay_up_s && !relay->resumed;

	for (enum tunnel_way i = 0; i < TUNNEL_WAYS; i++) {
		struct relay_way *way = &relay->ways[i];

		switch (relay_check_way(relay, i)) {
		case TUNNEL_CHECK_FAILED:
		case TUNNEL_CHECK_PENDING:
			EVENT_OFF(way->t_delay);
			way->delay_passed = false;
			break;
		case TUNNEL_CHECK_OK:
			if (waits && !way->delay_passed) {
				event_add_timer(relay_loop, way_delay_over, way,
						relay->cfg.delay_up_s,
						&way->t_delay);
				break;
			}
			/* fallthrough */
		case TUNNEL_CHECK_OFF:
			EVENT_OFF(way->t_delay);
			way->delay_passed = true;
			break;
		}
	}
}

/* Withdrawn for it or not, it is news. */
static void log_overload(struct relay *relay)
{
	const char *overload = relay->tun ? relay->tun->status.overload : NULL;
	char words[TUNNEL_DETAIL_LEN];

	if (!strcmp(overload ? overload : "",
		    relay->overload ? relay->overload : ""))
		return;
	if (overload)
		zlog_warn("relay %s: %s", relay->cfg.name,
			  relay_health_overload(&relay->tun->status, words,
						sizeof(words)));
	else if (relay->tun)
		zlog_notice("relay %s: new peers are taken again",
			    relay->cfg.name);
	relay->overload = overload;
}

static void evaluate(struct relay *relay)
{
	struct relay_verdict verdict;
	struct relay_facts facts;

	log_overload(relay);
	gather_facts(relay, &facts);
	relay_health_decide(&facts, &verdict);
	DEBUGD(&relay_dbg_events, "relay %s: verdict %s, %s %s",
	       relay->cfg.name, relay_oper_str(verdict.oper),
	       relay_reason_str(verdict.reason), verdict.detail);

	/* first, so that a way's delay is over before the relay's is */
	delay_ways(relay);
	if (!verdict.healthy) {
		if (relay->delay_passed &&
		    relay_health_is_flap(&facts, &verdict))
			relay_suppress_flap(relay);
		EVENT_OFF(relay->t_delay);
		relay->delay_passed = false;
	} else if (!relay->delay_passed) {
		if (!relay->cfg.delay_up_s || relay->resumed) {
			relay->delay_passed = facts.delay_passed = true;
			relay_health_decide(&facts, &verdict);
		} else if (!relay->t_delay) {
			event_add_timer(relay_loop, delay_over, relay,
					relay->cfg.delay_up_s,
					&relay->t_delay);
		}
	}
	record(relay, &verdict);
	relay_routes_sync(relay);
	relay_routes_keep(relay);
	schedule_reuse(relay);
	relay_restart_review(relay);
}

void relay_evaluate(struct relay *relay)
{
	evaluate(relay);
}

static void tunnel_changed(struct tunnel *tun, void *arg)
{
	evaluate(arg);
}

/* ----------------------------------------------------------------- tunnel */

static void relay_free(struct relay *relay)
{
	if (relay->removed)
		hook_call(relay_removed, relay);
	EVENT_OFF(relay->t_drain);
	EVENT_OFF(relay->t_delay);
	EVENT_OFF(relay->t_confirm);
	EVENT_OFF(relay->t_reuse);
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		EVENT_OFF(relay->ways[way].t_delay);
	tunnel_delete(&relay->tun);
	relay_watchdog_kick();
	relay_history_free(&relay->history);
	XFREE(MTYPE_RELAY, relay);
}

/*
 * What a removed relay still drains ends at once when a new one needs its
 * interface name, its service address or its name.
 */
static void removed_give_way(const struct relay *relay)
{
	struct relay *old;

	frr_each_safe (relay_tree, removed_tree, old) {
		if (strcmp(old->cfg.name, relay->cfg.name) &&
		    strcmp(relay_config_ifname(&old->cfg),
			   relay_config_ifname(&relay->cfg)) &&
		    !relay_config_same_service(&old->cfg, &relay->cfg))
			continue;
		relay_tree_del(removed_tree, old);
		relay_free(old);
	}
}

static void sync_tunnel(struct relay *relay)
{
	bool wanted = relay->cfg.enabled && !relay->removed && !stopping &&
		      relay_config_complete(&relay->cfg);
	const struct tunnel_ops *ops = config_tunnel_ops(&relay->cfg);
	struct tunnel_params params;

	if (!wanted) {
		if (relay->draining || stopping)
			return;
		tunnel_delete(&relay->tun);
		if (relay->removed) {
			relay_tree_del(removed_tree, relay);
			relay_free(relay);
		}
		return;
	}

	config_tunnel_params(&relay->cfg, &params);
	if (relay->tun && relay->tun->ops != ops) {
		relay_routes_withdraw(relay);
		tunnel_delete(&relay->tun);
	}
	if (!relay->tun) {
		removed_give_way(relay);
		relay->tun = tunnel_new(ops, &params, tunnel_changed, relay);
		memset(&relay->cleared, 0, sizeof(relay->cleared));
		memset(&relay->bubbles_cleared, 0,
		       sizeof(relay->bubbles_cleared));
		tunnel_start(relay->tun);
		return;
	}
	/* Another interface or local address means a new interface: routes
	 * first, then the address. */
	if (strcmp(relay->tun->params.ifname, params.ifname) ||
	    relay->tun->params.source.s_addr != params.source.s_addr) {
		relay_routes_withdraw(relay);
		removed_give_way(relay);
	}
	tunnel_update(relay->tun, &params);
}

/* ------------------------------------------------- configure and remove */

struct relay *relay_lookup(const char *name)
{
	struct relay ref;

	strlcpy(ref.cfg.name, name, sizeof(ref.cfg.name));
	return relay_tree_find(relay_tree, &ref);
}

struct relay *relay_configure(const struct relay_config *cfg)
{
	struct relay *relay = relay_lookup(cfg->name);
	bool rests, met = !relay, delay_changed;

	if (!relay) {
		relay = XCALLOC(MTYPE_RELAY, sizeof(*relay));
		relay_config_copy(&relay->cfg, cfg);
		for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
			relay->ways[way].relay = relay;
		relay->oper = RELAY_OPER_DISABLED;
		relay->reason = RELAY_REASON_SHUTDOWN;
		relay->since = time(NULL);
		/* a namesake's interface is taken over by the next create */
		removed_give_way(relay);
		relay_tree_add(relay_tree, relay);
		hook_call(relay_added, relay);
	}

	relay->configuring = true;
	relay_suppress_configure(relay, &cfg->dampening);
	delay_changed = relay->cfg.delay_up_s != cfg->delay_up_s;
	relay_config_copy(&relay->cfg, cfg);
	rests = !cfg->enabled || cfg->maintenance;
	if (rests)
		rest(relay);
	else
		drain_cancel(relay);
	/* a changed `delay up` counts from now */
	if (delay_changed) {
		EVENT_OFF(relay->t_delay);
		for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
			EVENT_OFF(relay->ways[way].t_delay);
	}
	relay_routes_configure(relay);
	sync_tunnel(relay);
	if (met)
		relay_restart_adopt(relay);
	evaluate(relay);
	relay->configuring = false;
	return relay;
}

void relay_remove(const char *name)
{
	struct relay *relay = relay_lookup(name);

	if (!relay)
		return;
	relay_tree_del(relay_tree, relay);
	relay->removed = true;
	relay_restart_forget(relay);
	rest(relay);
	/* a namesake that already drains ends now */
	removed_give_way(relay);
	relay_tree_add(removed_tree, relay);
	evaluate(relay);
	sync_tunnel(relay);
}

/* ------------------------------------------------------------------ news */

static int on_track_change(struct track *trk, enum track_state old)
{
	struct relay *relay;

	frr_each (relay_tree, relay_tree, relay)
		if (relay_uses_track(relay, trk->cfg.id))
			evaluate(relay);
	return 0;
}

void relay_zebra_session(bool connected)
{
	struct relay *relay;

	frr_each (relay_tree, relay_tree, relay) {
		if (!connected) {
			for (size_t i = 0; i < relay->nroutes; i++) {
				relay->routes[i].sent = false;
				relay->routes[i].installed = false;
				relay->routes[i].note = NULL;
			}
		}
		evaluate(relay);
	}
	relay_restart_session(connected);
}

/* ------------------------------------------------------------ start, stop */

void relay_init(struct frr_loop *loop)
{
	relay_loop = loop;
	relay_routes_init(loop);
	hook_register(track_change, on_track_change);
}

uint16_t relay_withdraw_all(void)
{
	struct relay *relay;
	uint16_t drain_s = 0;

	stopping = true;
	frr_each (relay_tree, relay_tree, relay) {
		rest(relay);
		if (relay->draining)
			drain_s = MAX(drain_s, relay->cfg.drain_time_s);
		evaluate(relay);
	}
	frr_each (relay_tree, removed_tree, relay)
		if (relay->draining)
			drain_s = MAX(drain_s, relay->cfg.drain_time_s);
	return drain_s;
}

void relay_fini(bool stay)
{
	struct relay *relay;

	while ((relay = relay_tree_pop(relay_tree))) {
		if (stay && relay->cfg.enabled)
			relay->tun = NULL; /* tunnel_fini() frees it */
		else
			relay_restart_forget(relay);
		relay_free(relay);
	}
	while ((relay = relay_tree_pop(removed_tree)))
		relay_free(relay);
	hook_unregister(track_change, on_track_change);
}
