// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * track N ip route / ipv6 route: up while the RIB holds a selected, installed
 * route for exactly the prefix that relayd did not put there (relay_zebra.c).
 */
#include <zebra.h>

#include "relay_zebra.h"
#include "track.h"

static bool is_route(const struct track *trk)
{
	return trk->cfg.type == TRACK_IP_ROUTE ||
	       trk->cfg.type == TRACK_IPV6_ROUTE;
}

static int on_reachable(const struct prefix *p, bool reachable)
{
	struct track *trk;

	frr_each (track_tree, track_tree, trk)
		if (is_route(trk) && prefix_same(&trk->cfg.prefix, p))
			track_report(trk,
				     reachable ? TRACK_STATE_UP
					       : TRACK_STATE_DOWN,
				     reachable ? NULL : "no route");
	return 0;
}

static int on_lost(void)
{
	struct track *trk;

	frr_each (track_tree, track_tree, trk)
		if (is_route(trk))
			track_report(trk, TRACK_STATE_DOWN,
				     "no session with zebra");
	return 0;
}

static int route_start(struct track *trk)
{
	relay_zebra_watch(&trk->cfg.prefix);
	return 0;
}

static void route_stop(struct track *trk)
{
	relay_zebra_unwatch(&trk->cfg.prefix);
}

static void route_target(const struct track *trk, char *buf, size_t len)
{
	prefix2str(&trk->cfg.prefix, buf, len);
}

const struct track_ops track_ip_route_ops = {
	.type = TRACK_IP_ROUTE,
	.name = "ip-route",
	.start = route_start,
	.stop = route_stop,
	.target = route_target,
};

const struct track_ops track_ipv6_route_ops = {
	.type = TRACK_IPV6_ROUTE,
	.name = "ipv6-route",
	.start = route_start,
	.stop = route_stop,
	.target = route_target,
};

void track_route_init(void)
{
	hook_register(relay_zebra_reachable, on_reachable);
	hook_register(relay_zebra_lost, on_lost);
}

void track_route_fini(void)
{
	hook_unregister(relay_zebra_reachable, on_reachable);
	hook_unregister(relay_zebra_lost, on_lost);
}
