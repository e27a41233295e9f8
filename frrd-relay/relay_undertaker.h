// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The undertaker: when relayd has died and none has come in its place, the
 * kernel is left as if it had never been there.
 *
 * It is the watching child (relay_watchdog.c), which outlives relayd. That what
 * it undoes is dead for good it knows by the lock of tunnel_lock.h; what there
 * is to undo, by the journal, read anew; how, from tunnel_sweep(), as the next
 * relayd would. It has the privileges of relayd, raised as there.
 */
#ifndef _RELAY_UNDERTAKER_H
#define _RELAY_UNDERTAKER_H

#include <zebra.h>

/* Seconds after its death that a relayd is waited for, by default: the kernel
 * is clean within 10 s. The help text says so too. */
#define RELAY_UNDO_AFTER_S 6
#define RELAY_UNDO_AFTER_MAX_S 3600

/*
 * In the child, right after the fork, with its one descriptor as number 0: lets
 * go of everything else that is relayd's.
 */
void relay_undertaker_prepare(void);

/*
 * relayd is gone. planned: by a planned restart, in which SIGTERM ends the
 * undertaker, since the service manager ends what has left its work to the next
 * run. Does not return.
 */
void relay_undertaker_run(const char *vty_dir, unsigned int after_s,
			  bool planned) __attribute__((noreturn));

#endif /* _RELAY_UNDERTAKER_H */
