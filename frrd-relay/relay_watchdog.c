// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <poll.h>
#include <sys/prctl.h>

#include "log.h"
#include "monotime.h"

#include "relay_watchdog.h"

#define KICK_INTERVAL_S 1
/* Silence is counted in pieces: after the whole machine has stood still, the
 * watcher may wake first, and relayd has its chance to speak. */
#define SILENCE_MS  2000
#define SILENCE_MAX 3

static struct frr_loop *watchdog_loop;
static struct frr_event *t_kick;
static int watchdog_fd = -1;
static time_t kicked_at;

/* The watcher's whole life; nothing of FRR's may run in here. */
static void watch(int fd, pid_t parent)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	unsigned int silent = 0;
	char buf[64];
	ssize_t n;

	while (silent < SILENCE_MAX) {
		if (poll(&pfd, 1, SILENCE_MS) == 0) {
			silent++;
			continue;
		}
		n = read(fd, buf, sizeof(buf));
		if (n == 0)
			_exit(0); /* relayd is gone */
		if (n > 0)
			silent = 0;
	}
	/* its number can't be another's: it has not been waited for, or our
	 * parent is not it any more */
	if (getppid() == parent)
		kill(parent, SIGKILL);
	_exit(1);
}

static void kick_timer(struct frr_event *ev)
{
	relay_watchdog_kick();
	event_add_timer(watchdog_loop, kick_timer, NULL, KICK_INTERVAL_S,
			&t_kick);
}

void relay_watchdog_kick(void)
{
	time_t now = monotime(NULL);

	if (watchdog_fd < 0 || now == kicked_at)
		return;
	kicked_at = now;
	if (write(watchdog_fd, ".", 1) < 0 && errno != EAGAIN) {
		zlog_warn("the watcher of relayd is gone: %s",
			  safe_strerror(errno));
		relay_watchdog_stop();
	}
}

int relay_watchdog_start(struct frr_loop *loop)
{
	pid_t parent = getpid(), pid;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int err = -errno;

		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (pid == 0) {
		/* from the terminal or the service manager: relayd decides */
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		signal(SIGUSR1, SIG_IGN);
		prctl(PR_SET_NAME, "relayd-watch");
		if (dup2(fds[0], 0) < 0)
			_exit(1);
		close_range(1, ~0U, 0);
		watch(0, parent);
	}
	close(fds[0]);
	watchdog_fd = fds[1];
	watchdog_loop = loop;
	/* a watcher that ends must not leave a zombie, nor end relayd */
	signal(SIGCHLD, SIG_IGN);
	kick_timer(NULL);
	return 0;
}

void relay_watchdog_stop(void)
{
	EVENT_OFF(t_kick);
	if (watchdog_fd >= 0)
		close(watchdog_fd);
	watchdog_fd = -1;
}
