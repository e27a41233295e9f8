// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A relay's life.
 *
 * Four things go on, each with one place:
 *
 *   evaluate()      gathers the facts, asks relay_health_decide(), records a
 *                   change and starts or stops `delay up`;
 *   sync_routes()   brings zebra to what the state and the routes' tracks want;
 *   sync_keep()     says which prefixes the tunnel goes on forwarding by itself;
 *   sync_tunnel()   brings the tunnel to what the configuration wants.
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
#include "relay_suppress.h"
#include "relay_watchdog.h"
#include "relay_zebra.h"

DEFINE_MTYPE_STATIC(RELAYD, RELAY, "Relay");
DEFINE_HOOK(relay_status_change,
	    (const struct relay *relay, enum relay_oper old), (relay, old));

/* Zebra answers within milliseconds; after this long an operator is told. */
#define RELAY_CONFIRM_S 5

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
	}
	assert(!"unknown mode");
}

/* params->addrs points into cfg; tunnel_new() and tunnel_update() copy. */
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
}

/* ---------------------------------------------------------------- routes */

static enum track_state route_track_state(const struct relay_route_config *cfg)
{
	struct track *trk;

	if (!cfg->track)
		return TRACK_STATE_UP;
	trk = track_lookup(cfg->track);
	return trk ? trk->state : TRACK_STATE_DOWN;
}

/*
 * Why a route of a relay that is up is not announced all the same; NULL: nothing
 * holds it back. Every condition of a single route has its place here.
 */
static const char *route_held_back(const struct relay *relay,
				   const struct relay_route *route)
{
	enum tunnel_way way = relay_route_way(&route->cfg.prefix);

	switch (relay_check_way(relay, way)) {
	case TUNNEL_CHECK_FAILED:
		return way == TUNNEL_WAY_4TO6 ? "self-test 4to6 has failed"
					      : "self-test 6to4 has failed";
	case TUNNEL_CHECK_PENDING:
		return way == TUNNEL_WAY_4TO6 ? "waiting for self-test 4to6"
					      : "waiting for self-test 6to4";
	case TUNNEL_CHECK_OK:
	case TUNNEL_CHECK_OFF:
		break;
	}
	if (!relay->ways[way].delay_passed)
		return "delay up";

	switch (route_track_state(&route->cfg)) {
	case TRACK_STATE_UP:
		break;
	case TRACK_STATE_INIT:
		return "its tracked object is not known yet";
	case TRACK_STATE_DOWN:
		return "its tracked object is down";
	}
	return NULL;
}

/* Zebra has one entry a prefix: another relay may have taken it over within
 * the same transaction. */
static bool sent_by_another(const struct relay_route *route)
{
	const struct relay *relay;

	frr_each (relay_tree_const, relay_tree, relay)
		for (size_t i = 0; i < relay->nroutes; i++)
			if (&relay->routes[i] != route &&
			    relay->routes[i].sent &&
			    prefix_same(&relay->routes[i].cfg.prefix,
					&route->cfg.prefix))
				return true;
	return false;
}

static void route_withdraw(struct relay_route *route)
{
	route->wanted = false;
	if (!route->sent)
		return;
	route->sent = false;
	if (sent_by_another(route))
		route->installed = false;
	else
		relay_zebra_route_delete(&route->cfg);
	route->note = NULL;
	/* `installed` stays until zebra says that it is gone */
}

static void withdraw_all(struct relay *relay)
{
	for (size_t i = 0; i < relay->nroutes; i++)
		route_withdraw(&relay->routes[i]);
}

static bool any_sent(const struct relay *relay)
{
	for (size_t i = 0; i < relay->nroutes; i++)
		if (relay->routes[i].sent)
			return true;
	return false;
}

static void confirm_expired(struct frr_event *ev)
{
	struct relay *relay = EVENT_ARG(ev);
	struct relay_route *route;

	for (size_t i = 0; i < relay->nroutes; i++) {
		route = &relay->routes[i];
		if (!route->sent || route->installed || route->note)
			continue;
		route->note = "zebra has not confirmed it";
		zlog_warn("relay %s: zebra has not confirmed route %pFX for %d s",
			  relay->cfg.name, &route->cfg.prefix, RELAY_CONFIRM_S);
	}
}

static void sync_routes(struct relay *relay)
{
	ifindex_t ifindex = relay_ifindex(relay);
	struct relay_route *route;
	bool up = relay->oper == RELAY_OPER_UP && ifindex, added = false;

	for (size_t i = 0; i < relay->nroutes; i++) {
		route = &relay->routes[i];
		route->held = up ? route_held_back(relay, route) : NULL;
		/* an object is forgotten only when it is given something else
		 * to look at: no failure */
		if (relay_suppress_route(relay, route, up,
					 route_track_state(&route->cfg) !=
						 TRACK_STATE_INIT))
			route->held = "dampened";
		route->wanted = up && !route->held;
		if (relay_restart_waits(relay, route))
			continue;
		if (!route->wanted) {
			route_withdraw(route);
			continue;
		}
		if (route->sent && route->sent_ifindex == ifindex)
			continue;
		if (relay_zebra_route_add(&route->cfg, ifindex) == 0) {
			route->sent = added = true;
			route->sent_ifindex = ifindex;
			route->note = NULL;
		}
	}
	if (added) {
		EVENT_OFF(relay->t_confirm);
		event_add_timer(relay_loop, confirm_expired, relay,
				RELAY_CONFIRM_S, &relay->t_confirm);
	}
}

bool relay_route_unknown(const struct relay *relay,
			 const struct relay_route *route)
{
	if (relay->oper == RELAY_OPER_INIT || !relay_zebra_connected())
		return true;
	return relay->oper == RELAY_OPER_UP &&
	       (relay_check_way(relay, relay_route_way(&route->cfg.prefix)) ==
			TUNNEL_CHECK_PENDING ||
		route_track_state(&route->cfg) == TRACK_STATE_INIT);
}

/*
 * A prefix is forwarded while its route is out, and while it drains; no longer
 * when health took the route away, since another way may serve then. At the
 * start what a former run has left stays until there is a verdict.
 */
static void sync_keep(struct relay *relay)
{
	struct prefix keep[RELAY_ROUTES_MAX];
	struct relay_route *route;
	size_t n = 0;

	if (!relay->tun)
		return;
	for (size_t i = 0; i < relay->nroutes; i++) {
		route = &relay->routes[i];
		if (!relay_route_unknown(relay, route))
			route->judged = true;
		if (route->sent || (relay->draining && route->drains) ||
		    (!route->judged &&
		     tunnel_kept(relay->tun, &route->cfg.prefix)))
			keep[n++] = route->cfg.prefix;
	}
	tunnel_keep(relay->tun, keep, n);
}

static bool route_config_same(const struct relay_route_config *a,
			      const struct relay_route_config *b)
{
	return prefix_same(&a->prefix, &b->prefix) && a->tag == b->tag &&
	       a->distance == b->distance && a->metric == b->metric;
}

/* Takes over the configured routes; what stays the same is not touched. */
static void configure_routes(struct relay *relay)
{
	struct relay_route_config cfg[RELAY_ROUTES_MAX];
	struct relay_route old[RELAY_ROUTES_MAX];
	size_t nold = relay->nroutes, n = relay_config_routes(&relay->cfg, cfg);

	memcpy(old, relay->routes, sizeof(old));
	memset(relay->routes, 0, sizeof(relay->routes));
	relay->nroutes = n;
	for (size_t i = 0; i < n; i++) {
		relay->routes[i].cfg = cfg[i];
		for (size_t j = 0; j < nold; j++) {
			if (!prefix_same(&old[j].cfg.prefix, &cfg[i].prefix))
				continue;
			relay->routes[i] = old[j];
			relay->routes[i].cfg = cfg[i];
			/* a changed attribute is sent as a new ROUTE_ADD,
			 * which replaces: no gap */
			if (!route_config_same(&old[j].cfg, &cfg[i]))
				relay->routes[i].sent_ifindex = 0;
			old[j].sent = false;
			break;
		}
	}
	for (size_t j = 0; j < nold; j++)
		route_withdraw(&old[j]);
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

	if (!any_sent(relay))
		return;
	if (secs) {
		relay->draining = true;
		EVENT_OFF(relay->t_drain);
		event_add_timer(relay_loop, drain_over, relay, secs,
				&relay->t_drain);
		for (size_t i = 0; i < relay->nroutes; i++)
			relay->routes[i].drains = relay->routes[i].sent;
	}
	withdraw_all(relay);
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
	sync_routes(relay);
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

/* A way that comes back into a relay that is up waits as the relay would. */
static void delay_ways(struct relay *relay)
{
	for (enum tunnel_way i = 0; i < TUNNEL_WAYS; i++) {
		struct relay_way *way = &relay->ways[i];
		enum tunnel_check check = relay_check_way(relay, i);

		if (check == TUNNEL_CHECK_FAILED ||
		    check == TUNNEL_CHECK_PENDING) {
			EVENT_OFF(way->t_delay);
			way->delay_passed = false;
		} else if (!way->delay_passed && !way->t_delay) {
			if (relay->oper == RELAY_OPER_UP &&
			    relay->cfg.delay_up_s && !relay->resumed)
				event_add_timer(relay_loop, way_delay_over, way,
						relay->cfg.delay_up_s,
						&way->t_delay);
			else
				way->delay_passed = true;
		}
	}
}

static void evaluate(struct relay *relay)
{
	struct relay_verdict verdict;
	struct relay_facts facts;

	gather_facts(relay, &facts);
	relay_health_decide(&facts, &verdict);
	DEBUGD(&relay_dbg_events, "relay %s: verdict %s, %s %s",
	       relay->cfg.name, relay_oper_str(verdict.oper),
	       relay_reason_str(verdict.reason), verdict.detail);

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
	delay_ways(relay);
	record(relay, &verdict);
	sync_routes(relay);
	sync_keep(relay);
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
 * interface name, its tunnel source or its name.
 */
static void removed_give_way(const struct relay *relay)
{
	struct relay *old;

	frr_each_safe (relay_tree, removed_tree, old) {
		if (strcmp(old->cfg.name, relay->cfg.name) &&
		    strcmp(relay_config_ifname(&old->cfg),
			   relay_config_ifname(&relay->cfg)) &&
		    old->cfg.source.s_addr != relay->cfg.source.s_addr)
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
		withdraw_all(relay);
		tunnel_delete(&relay->tun);
	}
	if (!relay->tun) {
		removed_give_way(relay);
		relay->tun = tunnel_new(ops, &params, tunnel_changed, relay);
		memset(&relay->cleared, 0, sizeof(relay->cleared));
		tunnel_start(relay->tun);
		return;
	}
	/* Another interface or local address means a new interface: routes
	 * first, then the address. */
	if (strcmp(relay->tun->params.ifname, params.ifname) ||
	    relay->tun->params.source.s_addr != params.source.s_addr) {
		withdraw_all(relay);
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
	bool rests, met = !relay;

	if (!relay) {
		relay = XCALLOC(MTYPE_RELAY, sizeof(*relay));
		relay->cfg = *cfg;
		for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
			relay->ways[way].relay = relay;
		relay->oper = RELAY_OPER_DISABLED;
		relay->reason = RELAY_REASON_SHUTDOWN;
		relay->since = time(NULL);
		/* a namesake's interface is taken over by the next create */
		removed_give_way(relay);
		relay_tree_add(relay_tree, relay);
	}

	relay->configuring = true;
	relay_suppress_configure(relay, &cfg->dampening);
	relay->cfg = *cfg;
	rests = !cfg->enabled || cfg->maintenance;
	if (rests)
		rest(relay);
	else
		drain_cancel(relay);
	/* a changed `delay up` counts from now */
	EVENT_OFF(relay->t_delay);
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		EVENT_OFF(relay->ways[way].t_delay);
	configure_routes(relay);
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

/* Relays that serve nothing may name the same prefix: only who sent the route
 * has it installed. */
void relay_zebra_route_note(const struct prefix *p, bool installed,
			    const char *note)
{
	struct relay_route *route;
	struct relay *relay;

	frr_each (relay_tree, relay_tree, relay) {
		for (size_t i = 0; i < relay->nroutes; i++) {
			route = &relay->routes[i];
			if (!prefix_same(&route->cfg.prefix, p) ||
			    (!route->sent && !route->installed))
				continue;
			route->installed = installed &&
					   (route->sent || note);
			route->note = note;
		}
		relay_restart_review(relay);
	}
}

/* -------------------------------------------------------------- counters */

int relay_counters(struct relay *relay, struct tunnel_counters *out)
{
	struct tunnel_counters *base = &relay->cleared;
	int ret;

	memset(out, 0, sizeof(*out));
	if (!relay->tun || !relay->tun->created)
		return 0;
	ret = relay->tun->ops->counters(relay->tun, out);
	if (ret < 0)
		return ret;

	/* a new interface counts from zero again */
	if (out->rx_packets < base->rx_packets ||
	    out->tx_packets < base->tx_packets)
		memset(base, 0, sizeof(*base));
	out->rx_packets -= base->rx_packets;
	out->rx_bytes -= base->rx_bytes;
	out->tx_packets -= base->tx_packets;
	out->tx_bytes -= base->tx_bytes;
	for (size_t i = 0; i < out->ndrops; i++)
		for (size_t j = 0; j < base->ndrops; j++)
			if (!strcmp(out->drops[i].reason, base->drops[j].reason))
				out->drops[i].packets -=
					MIN(base->drops[j].packets,
					    out->drops[i].packets);
	return 0;
}

void relay_counters_clear(struct relay *relay)
{
	memset(&relay->cleared, 0, sizeof(relay->cleared));
	if (relay->tun && relay->tun->created)
		relay->tun->ops->counters(relay->tun, &relay->cleared);
}

/* --------------------------------------------------------------- accessors */

const char *relay_mode_str(enum relay_mode mode)
{
	switch (mode) {
	case RELAY_MODE_NONE:
		return "none";
	case RELAY_MODE_6TO4:
		return "6to4";
	}
	assert(!"unknown mode");
}

const char *relay_datapath_str(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.datapath : "none";
}

ifindex_t relay_ifindex(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.ifindex : 0;
}

enum tunnel_check relay_check_interface(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.interface : TUNNEL_CHECK_PENDING;
}

enum tunnel_check relay_check_source(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.source : TUNNEL_CHECK_PENDING;
}

enum tunnel_check relay_check_forwarding(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.forwarding
			  : TUNNEL_CHECK_PENDING;
}

enum tunnel_check relay_check_way(const struct relay *relay,
				  enum tunnel_way way)
{
	if (relay->tun)
		return relay->tun->status.self_test[way];
	return relay->cfg.self_test && tunnel_has_way(relay->cfg.direction, way)
		       ? TUNNEL_CHECK_PENDING
		       : TUNNEL_CHECK_OFF;
}

enum tunnel_check relay_check_self_test(const struct relay *relay)
{
	if (relay->tun)
		return relay_health_self_test(&relay->tun->status);
	return relay->cfg.self_test ? TUNNEL_CHECK_PENDING : TUNNEL_CHECK_OFF;
}

enum tunnel_way relay_route_way(const struct prefix *p)
{
	return p->family == AF_INET ? TUNNEL_WAY_4TO6 : TUNNEL_WAY_6TO4;
}

const char *relay_note(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.note : "";
}

const char *relay_route_note(const struct relay_route *route)
{
	return route->note ? route->note : route->held;
}

bool relay_uses_track(const struct relay *relay, uint16_t id)
{
	if (relay->cfg.track == id)
		return true;
	for (size_t i = 0; i < relay->nroutes; i++)
		if (relay->routes[i].cfg.track == id)
			return true;
	return false;
}

/* ------------------------------------------------------------ start, stop */

void relay_init(struct frr_loop *loop)
{
	relay_loop = loop;
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
