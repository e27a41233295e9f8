// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <sys/inotify.h>

#include "log.h"

#include "relay_logs.h"

#define LOG_DIR "/var/log/frr"
/* logrotate makes the new file, with its owner and mode, in that time */
#define REOPEN_MS 1000

static struct frr_loop *logs_loop;
static struct frr_event *t_read, *t_reopen;
static int watch_fd = -1;

static void logs_reopen(struct frr_event *ev)
{
	zlog_rotate();
}

static void logs_moved(struct frr_event *ev)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool moved = false;

	/* which file it was does not matter: opening one again does no harm */
	while (read(watch_fd, buf, sizeof(buf)) > 0)
		moved = true;
	if (moved && !t_reopen)
		event_add_timer_msec(logs_loop, logs_reopen, NULL, REOPEN_MS,
				     &t_reopen);
	event_add_read(logs_loop, logs_moved, NULL, watch_fd, &t_read);
}

void relay_logs_start(struct frr_loop *loop)
{
	logs_loop = loop;
	watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch_fd < 0)
		return;
	if (inotify_add_watch(watch_fd, LOG_DIR, IN_MOVED_FROM | IN_ONLYDIR) <
	    0) {
		relay_logs_stop();
		return;
	}
	event_add_read(loop, logs_moved, NULL, watch_fd, &t_read);
}

void relay_logs_stop(void)
{
	EVENT_OFF(t_read);
	EVENT_OFF(t_reopen);
	if (watch_fd >= 0)
		close(watch_fd);
	watch_fd = -1;
}
