// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of relayd: withdraw, drain, remove; or a planned restart. */
#include <zebra.h>

#include "log.h"

#include "relay.h"
#include "relay_restart.h"

static struct frr_loop *stop_loop;
static struct frr_event *t_stop;
static void (*stop_done)(void);
static bool stay;

bool relay_stop_planned(void)
{
	return stay;
}

void relay_stop_init(struct frr_loop *loop)
{
	stop_loop = loop;
}

static void stop_finish(void)
{
	EVENT_OFF(t_stop);
	relay_fini(stay);
	stop_done();
}

static void drained(struct frr_event *ev)
{
	stop_finish();
}

void relay_stop(void (*done)(void))
{
	uint16_t drain_s;

	if (stop_done) {
		zlog_notice("second signal: waiting ends now");
		stop_finish();
		return;
	}
	stop_done = done;
	if (relay_restart_time()) {
		stay = true;
		relay_restart_begin(stop_finish);
		return;
	}
	drain_s = relay_withdraw_all();
	if (drain_s)
		zlog_notice("routes are withdrawn, draining for %u s", drain_s);
	event_add_timer(stop_loop, drained, NULL, drain_s, &t_stop);
}
