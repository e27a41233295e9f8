// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What of a relay outlives relayd, and `relay graceful-restart`.
 *
 * The journal has each relay's state and its number of transitions, so that the
 * next relayd can say what it took over.
 *
 * With a restart time set, SIGTERM is a planned restart: nothing is withdrawn,
 * zebra is asked to keep the routes that long, and the next relayd brings them
 * anew. Zebra's way to say so is a capability of the session, which holds for
 * whatever ends the session; so it is sent at the very end of a planned stop
 * and taken back as soon as the next relayd has settled. A relayd that crashes
 * or hangs has never sent it, and its routes go at once.
 */
#ifndef _RELAY_RESTART_H
#define _RELAY_RESTART_H

#include <zebra.h>

#include "compat.h"

struct relay;
struct relay_route;

#define RELAY_RESTART_TIME_MAX 3600

/* Reads what a former run left; after tunnel_init(), not with -C. */
void relay_restart_init(struct frr_loop *loop);
void relay_restart_fini(void);

/* By the journal: seconds that zebra still keeps routes after a planned restart
 * for; 0 when none was planned or the time is over. */
unsigned int relay_restart_left(void);
/* By the journal: one was planned, and no relayd has settled since. */
bool relay_restart_recorded(void);

/* Seconds that zebra keeps routes over a planned restart; 0: off. */
void relay_restart_configure(uint16_t secs);
uint16_t relay_restart_time(void);

/*
 * SIGTERM with a restart time: has zebra keep the routes, then calls done, from
 * an event. Does so within a few seconds, also when zebra can't.
 */
void relay_restart_begin(void (*done)(void));

/* A relay that this run meets for the first time, its tunnel being started. */
void relay_restart_adopt(struct relay *relay);
/* Its state has changed. */
void relay_restart_record(const struct relay *relay);
/* It ends for good. */
void relay_restart_forget(const struct relay *relay);

/*
 * Its route is kept by zebra since a planned restart, and whether the relay can
 * serve it is not known yet: leave it alone.
 */
bool relay_restart_waits(const struct relay *relay,
			 const struct relay_route *route);
/* After each verdict and each word of zebra's on a route. */
void relay_restart_review(struct relay *relay);

/* All of the configuration has been read. */
void relay_restart_config_known(void);
/* The session with zebra came or went; after the relays were told. */
void relay_restart_session(bool connected);

#endif /* _RELAY_RESTART_H */
