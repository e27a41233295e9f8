// SPDX-License-Identifier: GPL-2.0-or-later
/* For programs that link relayd's core without its session to zebra: all of
 * relay_zebra.c that the core calls. Routes are taken, nothing is answered. */
#include <zebra.h>

#include "relay_zebra.h"

DEFINE_HOOK(relay_zebra_reachable, (const struct prefix *p, bool reachable),
	    (p, reachable));
DEFINE_HOOK(relay_zebra_lost, (), ());

bool relay_zebra_connected(void)
{
	return true;
}

int relay_zebra_route_add(const struct relay_route_config *route,
			  ifindex_t ifindex)
{
	return 0;
}

int relay_zebra_route_delete(const struct prefix *p)
{
	return 0;
}

void relay_zebra_keep(uint16_t secs, void (*done)(bool kept))
{
}

int relay_zebra_keep_end(void)
{
	return 0;
}

void relay_zebra_watch(const struct prefix *p)
{
}

void relay_zebra_unwatch(const struct prefix *p)
{
}
