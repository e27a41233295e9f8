// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "log.h"
#include "monotime.h"

#include "relay_watchdog.h"
#include "tunnel_lock.h"

#define KICK_INTERVAL_S 1
/* Silence is counted in pieces: after the whole machine has stood still, the
 * watcher may wake first, and relayd has its chance to speak. */
#define SILENCE_MS 2000
#define SILENCE_MAX 3
/* a watcher that is gone is replaced, not more often than that */
#define REPLACE_INTERVAL_S 10

/* what is said over the pipe */
#define WORD_KICK '.'
#define WORD_CLEAN 'c'
#define WORD_PLANNED 'p'

static struct frr_loop *watchdog_loop;
static struct frr_event *t_kick;
static int watchdog_fd = -1;
static time_t kicked_at, forked_at;
static void (*watcher_forked)(void);
static void (*relayd_gone)(bool planned);

/* -------- the watcher's life -------- */

/* The last word that there is to read; 0 when relayd is gone, WORD_KICK as well
 * where there was none. */
static char hear(int fd)
{
	char buf[64];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		return buf[n - 1];
	return n == 0 ? 0 : WORD_KICK;
}

/* Returns the last word before relayd was gone. */
static char watch(int fd, pid_t parent)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	char word, last = WORD_KICK;
	unsigned int silent = 0;

	for (;;) {
		if (poll(&pfd, 1, SILENCE_MS) == 0) {
			/* its number can't be another's: it has not been waited
			 * for, or our parent is not it any more */
			if (++silent >= SILENCE_MAX && getppid() == parent)
				kill(parent, SIGKILL);
			continue;
		}
		word = hear(fd);
		if (!word)
			return last;
		last = word;
		silent = 0;
	}
}

/* Nothing of FRR's event loop may run in here. */
static void watcher(int fd, pid_t parent) __attribute__((noreturn));
static void watcher(int fd, pid_t parent)
{
	/* from the service manager and others who mean relayd: it decides */
	static const int ignored[] = {SIGINT,  SIGTERM, SIGHUP, SIGQUIT,
				      SIGUSR1, SIGUSR2, SIGPIPE};
	char last;

	for (size_t i = 0; i < array_size(ignored); i++)
		signal(ignored[i], SIG_IGN);
	/* and what a terminal sends to relayd's group */
	setsid();
	prctl(PR_SET_NAME, "relayd-watch");
	if (dup2(fd, 0) < 0)
		_exit(1);
	watchdog_fd = -1;
	watcher_forked();

	last = watch(0, parent);
	if (last != WORD_CLEAN)
		relayd_gone(last == WORD_PLANNED);
	_exit(0);
}

/* -------- relayd -------- */

static int start_watcher(void)
{
	pid_t parent = getpid(), pid;
	int fds[2];

	forked_at = monotime(NULL);
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int err = -errno;

		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (pid == 0)
		watcher(fds[0], parent);
	close(fds[0]);
	watchdog_fd = fds[1];
	tunnel_lock_mark();
	return 0;
}

static void kick_timer(struct frr_event *ev)
{
	if (watchdog_fd < 0 &&
	    monotime(NULL) - forked_at >= REPLACE_INTERVAL_S &&
	    start_watcher() == 0)
		zlog_notice("relayd has another watcher");
	relay_watchdog_kick();
	event_add_timer(watchdog_loop, kick_timer, NULL, KICK_INTERVAL_S,
			&t_kick);
}

static void say(char word)
{
	if (write(watchdog_fd, &word, 1) == 1 || errno == EAGAIN)
		return;
	zlog_warn("the watcher of relayd is gone: %s", safe_strerror(errno));
	close(watchdog_fd);
	watchdog_fd = -1;
}

void relay_watchdog_kick(void)
{
	time_t now = monotime(NULL);

	if (watchdog_fd < 0 || now == kicked_at)
		return;
	kicked_at = now;
	say(WORD_KICK);
}

int relay_watchdog_start(struct frr_loop *loop, void (*forked)(void),
			 void (*gone)(bool planned))
{
	int ret;

	watchdog_loop = loop;
	watcher_forked = forked;
	relayd_gone = gone;
	/* a watcher that ends must not leave a zombie, nor end relayd */
	signal(SIGCHLD, SIG_IGN);
	ret = start_watcher();
	kick_timer(NULL);
	return ret;
}

void relay_watchdog_stop(enum relay_end end)
{
	EVENT_OFF(t_kick);
	if (watchdog_fd >= 0 && end != RELAY_END_LEFTOVERS)
		say(end == RELAY_END_CLEAN ? WORD_CLEAN : WORD_PLANNED);
	if (watchdog_fd >= 0)
		close(watchdog_fd);
	watchdog_fd = -1;
}
