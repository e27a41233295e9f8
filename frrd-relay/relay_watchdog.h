// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A relayd that hangs is as bad as one that is dead: zebra keeps the routes of
 * a client whose socket is open (contract: away within 10 s, RFC 4786 section
 * 4.4).
 */
#ifndef _RELAY_WATCHDOG_H
#define _RELAY_WATCHDOG_H

#include <zebra.h>

#include "compat.h"

/*
 * Forks the watcher: a process that holds nothing but the end of a pipe, so it
 * can't keep a session with zebra, an interface or a route up. It kills relayd
 * after 6 to 8 s without a word from the main thread, and ends when relayd
 * does. Call after daemonizing. Returns 0 or -errno.
 */
int relay_watchdog_start(struct frr_loop *loop);
/* A word from the main thread; long work says so for each object it does. */
void relay_watchdog_kick(void);
void relay_watchdog_stop(void);

#endif /* _RELAY_WATCHDOG_H */
