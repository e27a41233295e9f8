// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether bfdd lives.
 *
 * zebra tells nobody when bfdd goes, be it stopped or killed, and bfdd sends no
 * last word: its clients would believe in a session that nobody runs. So relayd
 * holds a connection to bfdd's vty, which the kernel closes with the process,
 * and says `echo PING` there, as watchfrr does, for a bfdd that hangs.
 */
#ifndef _RELAY_BFDD_H
#define _RELAY_BFDD_H

#include <zebra.h>

#include "compat.h"

enum relay_bfdd_state {
	RELAY_BFDD_GONE,
	RELAY_BFDD_MUTE, /* runs, does not answer */
	RELAY_BFDD_ALIVE,
};

/* vty_dir: where bfdd has its vty socket; copied. */
void relay_bfdd_init(struct frr_loop *loop, const char *vty_dir);
/* changed is called when the state has, never from within these two. */
void relay_bfdd_watch(void (*changed)(enum relay_bfdd_state state));
void relay_bfdd_unwatch(void);
enum relay_bfdd_state relay_bfdd_state(void);

#endif /* _RELAY_BFDD_H */
