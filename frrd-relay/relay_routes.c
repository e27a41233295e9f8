// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "log.h"

#include "relay_restart.h"
#include "relay_routes.h"
#include "relay_suppress.h"
#include "relay_zebra.h"

/* Zebra answers within milliseconds; after this long an operator is told. */
#define RELAY_CONFIRM_S 5

static struct frr_loop *routes_loop;

void relay_routes_init(struct frr_loop *loop)
{
	routes_loop = loop;
}

/* ------------------------------------------------------- what holds it back */

enum tunnel_way relay_route_way(const struct prefix *p)
{
	return p->family == AF_INET ? TUNNEL_WAY_4TO6 : TUNNEL_WAY_6TO4;
}

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

const char *relay_route_note(const struct relay_route *route)
{
	return route->note ? route->note : route->held;
}

/* --------------------------------------------------------- towards zebra */

bool relay_routes_prefix_sent(const struct prefix *p)
{
	const struct relay *relay;

	frr_each (relay_tree_const, relay_tree, relay)
		for (size_t i = 0; i < relay->nroutes; i++)
			if (relay->routes[i].sent &&
			    prefix_same(&relay->routes[i].cfg.prefix, p))
				return true;
	return false;
}

static void route_withdraw(struct relay_route *route)
{
	route->wanted = false;
	if (!route->sent)
		return;
	route->sent = false;
	/* zebra has one entry a prefix: another relay may have taken it over
	 * within the same transaction */
	if (relay_routes_prefix_sent(&route->cfg.prefix))
		route->installed = false;
	else
		relay_zebra_route_delete(&route->cfg.prefix);
	route->note = NULL;
	/* `installed` stays until zebra says that it is gone */
}

void relay_routes_withdraw(struct relay *relay)
{
	for (size_t i = 0; i < relay->nroutes; i++)
		route_withdraw(&relay->routes[i]);
}

bool relay_routes_sent(const struct relay *relay)
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

void relay_routes_sync(struct relay *relay)
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
		event_add_timer(routes_loop, confirm_expired, relay,
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
void relay_routes_keep(struct relay *relay)
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
void relay_routes_configure(struct relay *relay)
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
