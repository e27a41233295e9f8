// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A relayd that hangs is as bad as one that is dead: zebra keeps the routes of
 * a client whose socket is open (contract: away within 10 s, RFC 4786 section
 * 4.4). And one that is dead for good should leave nothing behind.
 */
#ifndef _RELAY_WATCHDOG_H
#define _RELAY_WATCHDOG_H

#include <zebra.h>

#include "compat.h"

/*
 * Forks the watcher: a process that holds nothing but the end of a pipe, so it
 * can't keep a session with zebra, an interface or a route up. It kills relayd
 * after 6 to 8 s without a word from the main thread. In the watcher, forked()
 * is called first of all, with its end of the pipe as descriptor 0, and gone()
 * when relayd is no more, unless it has left nothing; gone() must not return.
 * Call after daemonizing. Returns 0 or -errno; a watcher that is killed is
 * replaced.
 */
int relay_watchdog_start(struct frr_loop *loop, void (*forked)(void),
			 void (*gone)(bool planned));
/* A word from the main thread; long work says so for each object it does. */
void relay_watchdog_kick(void);

enum relay_end {
	RELAY_END_CLEAN,     /* nothing is left in the kernel */
	RELAY_END_PLANNED,   /* all of it is, for the next run */
	RELAY_END_LEFTOVERS, /* some of it is */
};
/* relayd ends. */
void relay_watchdog_stop(enum relay_end end);

#endif /* _RELAY_WATCHDOG_H */
