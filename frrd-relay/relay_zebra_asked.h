// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What zebra was asked to do with a prefix and has not done is said again.
 *
 * It may have forgotten it: since 10.2 the end of any client takes along what all
 * clients have asked for and zebra has not done yet, and what is lost then may be
 * the withdrawal of a prefix that nobody serves any more. Or it could not
 * install a route, since the interface has come up to relayd before it has to
 * zebra, which (10.3) does not look at such a route again.
 *
 * An addition is answered always, unless its interface is down; a deletion only
 * where zebra had the route.
 */
#ifndef _RELAY_ZEBRA_ASKED_H
#define _RELAY_ZEBRA_ASKED_H

#include <zebra.h>

#include "prefix.h"

#include "compat.h"

struct relay_route_config;

/* Seconds to the first repetition; each further one takes twice as long, up to
 * the limit. */
#define RELAY_ASK_AGAIN_S 1
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
/* It has done what it was asked for, an addition or a deletion, or has said why
 * not. */
void relay_zebra_answered(const struct prefix *p, bool addition);
/* It could not install the route. */
void relay_zebra_refused(const struct prefix *p);
/* The session is gone, and with it what was asked. */
void relay_zebra_asked_forget(void);

#endif /* _RELAY_ZEBRA_ASKED_H */
