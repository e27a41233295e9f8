// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/random.h>

#include "log.h"
#include "relay_time.h"
#include "tunnel_lock.h"

#define LOCK_FILE "relayd.lock"

/* An undertaker takes a fraction of a second for what one relay leaves. */
#define WAIT_UNDERTAKER_US 15000000
/* A relayd that was killed holds its lock until the kernel has ended it. */
#define WAIT_RELAYD_US 3000000
#define WAIT_STEP_MS 20

#define ROLE_RELAYD 'r'
#define ROLE_UNDERTAKER 'u'

/* of the same length always, so that a write replaces it as a whole */
#define LOCK_FORMAT "%c %010d %016llx\n"
#define LOCK_TEXT_LEN 30

struct lock_text {
	char role;
	int pid;
	unsigned long long mark;
};

static int lock_fd = -1;
static unsigned long long run_mark;

static int lock_open(const char *dir)
{
	char path[MAXPATHLEN];
	int fd;

	snprintf(path, sizeof(path), "%s/" LOCK_FILE, dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	return fd < 0 ? -errno : fd;
}

/* All zero where there is no text, or none that can be read. */
static struct lock_text lock_read(int fd)
{
	char buf[LOCK_TEXT_LEN + 1] = "";
	struct lock_text text = {};

	if (pread(fd, buf, LOCK_TEXT_LEN, 0) != LOCK_TEXT_LEN ||
	    sscanf(buf, "%c %d %llx", &text.role, &text.pid, &text.mark) != 3)
		memset(&text, 0, sizeof(text));
	return text;
}

static void lock_write(char role, unsigned long long mark)
{
	char buf[LOCK_TEXT_LEN + 1];
	int len = snprintf(buf, sizeof(buf), LOCK_FORMAT, role, (int)getpid(),
			   mark);

	if (pwrite(lock_fd, buf, len, 0) != len)
		zlog_warn("relayd.lock can't be written: %s",
			  safe_strerror(errno));
}

static int lock_try(int fd)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int lock_wait(int fd)
{
	int64_t began = relay_now_us(), limit;
	struct lock_text text;
	bool told = false;
	int ret;

	while ((ret = lock_try(fd)) == -EWOULDBLOCK) {
		text = lock_read(fd);
		limit = text.role == ROLE_UNDERTAKER ? WAIT_UNDERTAKER_US
						     : WAIT_RELAYD_US;
		if (relay_now_us() - began > limit) {
			zlog_err(
				"another relayd (process %d) has relayd.lock, two can't share a directory",
				text.pid);
			return -EBUSY;
		}
		if (!told && text.role == ROLE_UNDERTAKER)
			zlog_notice(
				"waiting for process %d, which undoes what a dead relayd has left",
				text.pid);
		else if (!told)
			zlog_notice("waiting for the end of relayd, process %d",
				    text.pid);
		told = true;
		poll(NULL, 0, WAIT_STEP_MS);
	}
	return ret;
}

int tunnel_lock_take(const char *dir)
{
	struct lock_text text;
	int fd, ret;

	if (getrandom(&run_mark, sizeof(run_mark), 0) != sizeof(run_mark))
		return -errno;
	fd = lock_open(dir);
	if (fd < 0)
		return fd;
	ret = lock_wait(fd);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	lock_fd = fd;
	text = lock_read(fd);
	lock_write(ROLE_RELAYD, text.mark);
	return 0;
}

void tunnel_lock_mark(void)
{
	if (lock_fd >= 0)
		lock_write(ROLE_RELAYD, run_mark);
}

void tunnel_lock_drop(void)
{
	if (lock_fd >= 0)
		close(lock_fd);
	lock_fd = -1;
}

/* A run that has no undertaker yet has not touched the kernel either. */
static bool lock_is_mine(int fd)
{
	struct lock_text text = lock_read(fd);

	return text.mark == 0 || text.mark == run_mark;
}

enum lock_verdict tunnel_lock_inherit(const char *dir)
{
	enum lock_verdict verdict = LOCK_OTHER;
	int fd = lock_open(dir), ret;

	if (fd < 0)
		return LOCK_OTHER;
	ret = lock_is_mine(fd) ? lock_try(fd) : -EPERM;
	if (ret == 0 && lock_is_mine(fd)) {
		lock_fd = fd;
		lock_write(ROLE_UNDERTAKER, run_mark);
		return LOCK_MINE;
	}
	if (ret == -EWOULDBLOCK)
		verdict = LOCK_HELD;
	close(fd);
	return verdict;
}
