// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <fcntl.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tun_opener.h"

#define TUN_DEVICE "/dev/net/tun"
/* it answers at once, or is stopped */
#define ANSWER_TIMEOUT_S 1

static int opener_fd = -1;

static int device_open(void)
{
	int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* One octet, with a descriptor if there is one. */
static ssize_t send_fd(int sock, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(fd))];
	} control = {};
	char octet = fd < 0 ? -fd : 0;
	struct iovec iov = {&octet, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL);
}

static int receive_fd(int sock)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {};
	unsigned char octet = 0;
	struct iovec iov = {&octet, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *cmsg;
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	int fd;

	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return octet ? -octet : -EIO;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* Its whole life: ends with relayd, whose end of the socket it waits on. */
static void opener_run(int sock)
{
	cap_t none = cap_init();
	char octet;

	prctl(PR_SET_NAME, "relayd-tun");
	/* an operator's Ctrl-C is for relayd, which then has tunnels to close
	 */
	setsid();
	if (none)
		cap_set_proc(none);
	for (int fd = 0; fd < 1024; fd++)
		if (fd != sock)
			close(fd);
	while (recv(sock, &octet, 1, 0) == 1) {
		int fd = device_open();

		send_fd(sock, fd);
		if (fd >= 0)
			close(fd);
	}
	_exit(0);
}

void tun_opener_start(void)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	const mode_t all = S_IROTH | S_IWOTH;
	struct stat st;
	int pair[2];
	pid_t pid;

	if (geteuid() != 0 || stat(TUN_DEVICE, &st) < 0 ||
	    (st.st_mode & all) == all)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		/* a child of init, which waits for it */
		if (fork() == 0)
			opener_run(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	opener_fd = pair[0];
}

int tun_opener_open(void)
{
	int fd = device_open();

	if (fd != -EACCES || opener_fd < 0)
		return fd;
	if (send(opener_fd, "", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	return receive_fd(opener_fd);
}
