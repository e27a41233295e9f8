// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <sys/stat.h>

#include "log.h"

#include "grpc_listener.h"

#define BACKLOG 64

/* A socket that a dead relayd left is taken away; one that answers, or another
 * kind of file, is not ours. */
static bool unix_path_free(const struct sockaddr_un *un, char *err, size_t len)
{
	struct stat st;
	int fd, ret;

	if (lstat(un->sun_path, &st) < 0)
		return true; /* bind() knows more */
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(err, len, "--grpc unix:%s: exists and is no socket",
			 un->sun_path);
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ret = fd < 0 || connect(fd, (const struct sockaddr *)un, sizeof(*un)) ==
				      0
		      ? 0
		      : errno;
	if (fd >= 0)
		close(fd);
	if (ret != ECONNREFUSED) {
		snprintf(err, len, "--grpc unix:%s: %s", un->sun_path,
			 ret ? safe_strerror(ret) : "somebody listens there");
		return false;
	}
	unlink(un->sun_path);
	return true;
}

static int socket_open(const struct relay_grpc_address *addr)
{
	int one = 1, ret;
	int fd = socket(addr->sa.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &addr->sa, addr->len) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* No more than the group gets in, at no time. */
static int unix_open(struct relay_grpc_listener *l, gid_t group)
{
	const char *path = l->addr->un.sun_path;
	mode_t former = umask(0177);
	int fd = socket_open(l->addr);
	struct stat st;

	umask(former);
	if (fd < 0)
		return fd;
	if (lstat(path, &st) < 0 || (group && chown(path, -1, group) < 0) ||
	    chmod(path, 0660) < 0) {
		int ret = -errno;

		close(fd);
		unlink(path);
		return ret;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return fd;
}

bool relay_grpc_listener_open(struct relay_grpc_listener *l, gid_t group,
			      char *err, size_t len)
{
	if (l->addr->sa.sa_family == AF_UNIX) {
		if (!unix_path_free(&l->addr->un, err, len))
			return false;
		l->fd = unix_open(l, group);
	} else {
		l->fd = socket_open(l->addr);
	}
	if (l->fd >= 0 && listen(l->fd, BACKLOG) == 0)
		return true;
	snprintf(err, len, "--grpc %s: can't listen: %s", l->addr->text,
		 safe_strerror(l->fd < 0 ? -l->fd : errno));
	return false;
}

void relay_grpc_listener_unlink(const struct relay_grpc_listener *l)
{
	const char *path = l->addr->un.sun_path;
	struct stat st;

	if (l->addr->sa.sa_family == AF_UNIX && l->ino &&
	    lstat(path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(path);
}

void relay_grpc_listener_close(struct relay_grpc_listener *l)
{
	if (l->fd < 0)
		return;
	relay_grpc_listener_unlink(l);
	close(l->fd);
	l->fd = -1;
}
