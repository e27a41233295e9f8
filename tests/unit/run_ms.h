// SPDX-License-Identifier: GPL-2.0-or-later
/* Real time passes for what waits in an event loop. */
#ifndef _TEST_RUN_MS_H
#define _TEST_RUN_MS_H

#include <zebra.h>

#include "compat.h"

static void run_over(struct frr_event *event)
{
	*(bool *)EVENT_ARG(event) = true;
}

static inline void run_ms(struct frr_loop *loop, long msec)
{
	struct frr_event event;
	bool done = false;

	event_add_timer_msec(loop, run_over, &done, msec, NULL);
	while (!done && event_fetch(loop, &event))
		event_call(&event);
}

#endif /* _TEST_RUN_MS_H */
