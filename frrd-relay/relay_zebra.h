// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The only file that speaks zapi, but for BFD (relay_zebra_bfd.c).
 *
 * An out-of-tree daemon has no route type of its own. relayd borrows OPENFABRIC,
 * instance 0: it is redistributed for both families, carries tags and is one of
 * the types that zebra passes BFD updates to. Zebra removes a dead client's
 * routes by (type, instance), so fabricd can't run beside relayd.
 */
#ifndef _RELAY_ZEBRA_H
#define _RELAY_ZEBRA_H

#include <zebra.h>

#include "hook.h"
#include "prefix.h"
#include "compat.h"

struct zebra_privs_t;
struct relay_route_config;

#define RELAY_ROUTE_TYPE ZEBRA_ROUTE_OPENFABRIC

/* vty_dir: where the other daemons have their vty sockets */
void relay_zebra_init(struct frr_loop *loop, struct zebra_privs_t *privs,
		      const char *vty_dir);
/* Closes the session: zebra then removes every route that is left, or keeps
 * them for a while after relay_zebra_keep(). */
void relay_zebra_stop(void);
bool relay_zebra_connected(void);

/*
 * True, with the reason in err, when a daemon that owns the same route type
 * runs on this router (its vty socket under vty_dir answers): fabricd, or another
 * relayd, which owns the journal in vty_dir as well.
 */
bool relay_zebra_type_taken(const char *vty_dir, char *err, size_t len);

/* 0, or -ENOTCONN. What zebra makes of it comes to relay_zebra_route_note(). */
int relay_zebra_route_add(const struct relay_route_config *route,
			  ifindex_t ifindex);
int relay_zebra_route_delete(const struct prefix *p);

/*
 * For a planned restart: from now on zebra keeps relayd's routes for secs after
 * the session has ended, however it ends. done is called from an event, within
 * a few seconds: kept says whether zebra has taken note.
 */
void relay_zebra_keep(uint16_t secs, void (*done)(bool kept));
/*
 * It does so no longer, and drops what an earlier run has left and this one has
 * not brought anew. 0 or -ENOTCONN.
 */
int relay_zebra_keep_end(void);

/*
 * For a dead relayd, from a process that has no session (relay_zebra_stale.c):
 * zebra drops all routes that it keeps of it. Blocks for up to a few seconds.
 * 0 or -errno: -ENOENT, -ECONNREFUSED: there is no zebra.
 */
int relay_zebra_drop_stale(void);

/*
 * Watches the RIB for exactly this prefix; the answer, and every change, comes
 * through the hook. Registrations are counted, and repeated after a reconnect.
 */
void relay_zebra_watch(const struct prefix *p);
void relay_zebra_unwatch(const struct prefix *p);
/* reachable: a selected, installed route for the prefix that is not relayd's */
DECLARE_HOOK(relay_zebra_reachable, (const struct prefix *p, bool reachable),
	     (p, reachable));
/* Zebra is gone, so nothing is known of any watched prefix. */
DECLARE_HOOK(relay_zebra_lost, (), ());

#endif /* _RELAY_ZEBRA_H */
