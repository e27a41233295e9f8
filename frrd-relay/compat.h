// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every difference between FRR releases, and nothing else.
 *
 * relayd is built against the headers of exactly the FRR that is installed;
 * zapi and libfrr carry no version of their own.
 */
#ifndef _RELAY_COMPAT_H
#define _RELAY_COMPAT_H

#include <zebra.h>

#include "lib/version.h"
#include "thread.h"

/*
 * The distribution's libfrr is built with --enable-multipath=256, which sets
 * sizeof(struct zapi_route). Another value would corrupt every message.
 */
_Static_assert(MULTIPATH_NUM == 256,
	       "FRR headers configured with another --enable-multipath than the distribution's libfrr");

/*
 * FRR 10 renamed struct thread and thread_add_timer() to struct event and
 * event_add_timer(). `event` is also a member name in libfrr, so the struct
 * gets a name of its own here.
 */
#define frr_loop	     thread_master
#define frr_event	     thread
#define EVENT_ARG(ev)	     THREAD_ARG(ev)
#define EVENT_FD(ev)	     THREAD_FD(ev)
#define EVENT_OFF(ev)	     THREAD_OFF(ev)
#define event_add_timer	     thread_add_timer
#define event_add_timer_msec thread_add_timer_msec
#define event_add_timer_tv   thread_add_timer_tv
#define event_add_event	     thread_add_event
#define event_add_read	     thread_add_read
#define event_add_write	     thread_add_write
#define event_master_create  thread_master_create
#define event_timer_remain_second thread_timer_remain_second

#endif /* _RELAY_COMPAT_H */
