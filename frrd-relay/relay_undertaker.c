// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <syslog.h>

#include "log.h"
#include "zlog_targets.h"

#include "compat.h"
#include "relay_restart.h"
#include "relay_time.h"
#include "relay_undertaker.h"
#include "relay_zebra.h"
#include "tunnel.h"
#include "tunnel_journal.h"
#include "tunnel_lock.h"

/* Descriptors that may have a number in relayd's memory; FRR's own service file
 * allows 1024. */
#define PARKED_MAX 1024

#define LOOK_AGAIN_MS 200
/* what neighbours still send when zebra's time is over is forwarded */
#define PLANNED_DRAIN_S 3
/* what could not be undone (somebody is at the same table) is tried again */
#define ATTEMPTS 3
#define ATTEMPT_PAUSE_MS 500

/*
 * Numbers of relayd's descriptors are all over the memory that was forked: of
 * its event loop, its log, its netlink sockets. They lead to nowhere from now
 * on, and what is opened later has numbers of its own.
 */
static bool park_descriptors(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return false;
	for (int fd = 1; fd < PARKED_MAX; fd++)
		if (fd != null && fcntl(fd, F_GETFD) >= 0)
			dup2(null, fd);
	return close_range(PARKED_MAX, ~0U, 0) == 0;
}

void relay_undertaker_prepare(void)
{
	if (!park_descriptors())
		_exit(1);
	/* a log line of relayd's is relayd's to write; and the buffer that it
	 * shares with us is what a crash is read from */
	closelog();
	zlog_syslog_set_prio_min(ZLOG_DISABLED);
	zlog_tls_buffer_fini();
	tunnel_forget();
}

/* The file of --log, opened anew, and syslog: of `log` lines of the
 * configuration nothing is known here. */
static void log_open(void)
{
	openlog("relayd", LOG_PID, LOG_DAEMON);
	zlog_syslog_set_prio_min(LOG_INFO);
	zlog_rotate();
}

/* A signal does not cut it short. */
static void wait_s(unsigned int secs)
{
	int64_t end = relay_now_us() + secs * 1000000LL, left;

	while ((left = end - relay_now_us()) > 0)
		poll(NULL, 0, left / 1000 + 1);
}

/* The time of a planned restart is over. */
static void drop_routes(void)
{
	int ret = relay_zebra_drop_stale();

	log_open();
	if (ret == 0)
		zlog_notice(
			"no other relayd has come within the restart time: zebra drops the routes");
	else if (ret != -ENOENT && ret != -ECONNREFUSED)
		zlog_warn("zebra may still have the dead relayd's routes: %s",
			  safe_strerror(-ret));
}

/* The lock is ours. Returns seconds to wait for, since zebra keeps the routes
 * of a planned restart and a relayd may still come; 0 when it is time. */
static unsigned int undo_not_yet(const char *vty_dir, bool *nothing)
{
	static bool dropped;
	unsigned int left = 0;

	*nothing = true;
	if (tunnel_journal_open(vty_dir) < 0)
		return 0;
	if (relay_restart_recorded()) {
		left = relay_restart_left();
		if (!left && !dropped) {
			drop_routes();
			dropped = true;
			left = PLANNED_DRAIN_S;
		}
	}
	*nothing = tunnel_journal_count() == 0;
	tunnel_journal_close();
	return left;
}

static void undo(const char *vty_dir)
{
	struct frr_loop *loop = event_master_create("undertaker");
	size_t left = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		if (i)
			poll(NULL, 0, ATTEMPT_PAUSE_MS);
		left = tunnel_undo(loop, vty_dir);
		if (!left) {
			zlog_notice("nothing of the dead relayd is left");
			return;
		}
	}
	zlog_warn(
		"%zu things of the dead relayd can't be undone, they stay on file for the next one",
		left);
}

void relay_undertaker_run(const char *vty_dir, unsigned int after_s,
			  bool planned)
{
	/* how long a planned restart may take is on file */
	unsigned int wait = planned ? 0 : after_s, waited;
	int64_t began = relay_now_us();
	bool held, nothing = true;
	sigset_t none;

	if (planned) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGTERM, SIG_DFL);
	}
	for (;;) {
		enum lock_verdict verdict;

		wait_s(wait);
		held = false;
		while ((verdict = tunnel_lock_inherit(vty_dir)) == LOCK_HELD) {
			held = true;
			poll(NULL, 0, LOOK_AGAIN_MS);
		}
		if (verdict == LOCK_OTHER)
			_exit(0);
		/* one that came, and died before it had its own undertaker */
		if (held)
			began = relay_now_us();
		wait = undo_not_yet(vty_dir, &nothing);
		waited = (relay_now_us() - began) / 1000000;
		if (!wait && waited < after_s)
			wait = after_s - waited;
		if (!wait)
			break;
		tunnel_lock_drop();
	}
	if (!nothing) {
		log_open();
		zlog_notice(
			"relayd is dead and no other has come: undoing what it has left");
		undo(vty_dir);
	}
	_exit(0);
}
