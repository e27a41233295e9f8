// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whose the journal and what it names are: a lock (flock) on the file
 * relayd.lock beside it. relayd holds it for life, and the undertaker of a dead
 * relayd (relay_undertaker.c) while it works; the kernel drops it with its
 * holder, whatever that dies of.
 *
 * Its text is "ROLE PID MARK": who has it, or had it last, and the mark of the
 * run whose undertaker is to clean up. A relayd writes its mark when its
 * undertaker is there; until then the one of the run before goes on watching.
 */
#ifndef _RELAY_TUNNEL_LOCK_H
#define _RELAY_TUNNEL_LOCK_H

#include <zebra.h>

/*
 * relayd's, at its start. Waits for an undertaker that is at work, and a little
 * for another relayd that may be about to end. 0, -EBUSY when the lock is still
 * taken then, or -errno.
 */
int tunnel_lock_take(const char *dir);
/* From now on this run's undertaker cleans up. */
void tunnel_lock_mark(void);
void tunnel_lock_drop(void);

enum lock_verdict {
	LOCK_MINE,  /* taken: nobody has the journal, and it is this run's */
	LOCK_HELD,  /* by a relayd that may not get as far as having its own
		       undertaker: look again */
	LOCK_OTHER, /* another run has its own undertaker, or can't be told */
};
/* The undertaker's, in a process forked by the run whose mark it knows. */
enum lock_verdict tunnel_lock_inherit(const char *dir);

#endif /* _RELAY_TUNNEL_LOCK_H */
