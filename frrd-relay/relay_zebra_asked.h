// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What zebra was asked to do with a prefix and has not answered is said again:
 * zebra may have forgotten it. Since 10.2 the end of any client takes along
 * what all clients have asked for and zebra has not done yet, and what is lost
 * then may be the withdrawal of a prefix that nobody serves any more.
 *
 * Zebra answers an addition always, with the route installed or why it is not,
 * unless its interface is down; a deletion only where it had the route.
 */
#ifndef _RELAY_ZEBRA_ASKED_H
#define _RELAY_ZEBRA_ASKED_H

#include <zebra.h>

#include "prefix.h"

#include "compat.h"

struct relay_route_config;

/* Seconds to the first repetition; each further one takes twice as long, up to
 * the limit. */
#define RELAY_ASK_AGAIN_S 2
#define RELAY_ASK_AGAIN_MAX_S 64
/* A deletion is said again so often at most. */
#define RELAY_ASK_DELETE_MAX 3

/* again() sends: an addition, or with route NULL a deletion. */
void relay_zebra_asked_init(
	struct frr_loop *loop,
	void (*again)(const struct prefix *p,
		      const struct relay_route_config *route,
		      ifindex_t ifindex));

/* Zebra was asked; takes the place of what was asked about p before. */
void relay_zebra_asked(const struct prefix *p,
		       const struct relay_route_config *route,
		       ifindex_t ifindex);
/* Its word on p: about an addition, or about a deletion. */
void relay_zebra_answered(const struct prefix *p, bool addition);
/* The session is gone, and with it what was asked. */
void relay_zebra_asked_forget(void);

#endif /* _RELAY_ZEBRA_ASKED_H */
