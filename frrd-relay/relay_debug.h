// SPDX-License-Identifier: GPL-2.0-or-later
/* `debug relay ...`: one flag a subsystem, switched in relay_debug.c. */
#ifndef _RELAY_DEBUG_H
#define _RELAY_DEBUG_H

#include "lib/debug.h"

extern struct debug relay_dbg_events;
extern struct debug relay_dbg_track;
extern struct debug relay_dbg_zebra;
extern struct debug relay_dbg_tunnel;
extern struct debug relay_dbg_teredo;
extern struct debug relay_dbg_northbound;

void relay_debug_init(void);

#endif /* _RELAY_DEBUG_H */
