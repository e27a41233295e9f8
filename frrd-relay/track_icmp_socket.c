// SPDX-License-Identifier: GPL-2.0-or-later
/* Raw ICMP and ICMPv6 sockets: opening, sending, receiving. */
#include <zebra.h>

#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <sys/random.h>

#include "lib_errors.h"
#include "log.h"
#include "network.h"
#include "privs.h"

#include "relay_debug.h"
#include "track.h"
#include "track_icmp_socket.h"

/* <linux/icmp.h> collides with <netinet/ip_icmp.h> */
#define ICMP_SOL_RAW	 255
#define ICMP_RAW_FILTER	 1
#define ICMP4_ECHO_REPLY 0

/*
 * Only limits. Packets to an on-link target without an answer to ARP or ND stay
 * charged to the socket for seconds; dead targets must not use up what the
 * living need.
 */
#define ICMP_SNDBUF (64 * 1024 * 1024)
#define ICMP_RCVBUF (4 * 1024 * 1024)

#define ICMP_RECV_BATCH	 32
#define ICMP_RECV_ROUNDS 8
#define ICMP_RECV_LEN	 128 /* IPv4 header with options and our echo */

struct icmp_socket {
	int family;
	int fd;
	unsigned int refs;
	int open_err; /* why fd is -1 */
	struct frr_event *t_read;
};

static struct icmp_socket icmp_sockets[2] = {
	{ .family = AF_INET, .fd = -1 },
	{ .family = AF_INET6, .fd = -1 },
};
static icmp_socket_reply icmp_reply_cb;
static uint16_t icmp_ident;
static bool icmp_wakes = true;

static struct icmp_socket *icmp_socket_of(int family)
{
	return &icmp_sockets[family == AF_INET6];
}

uint64_t icmp_socket_nonce(void)
{
	static uint64_t pool[64];
	static size_t left;

	if (left == 0) {
		/* up to 256 octets getrandom() gives all or blocks at boot */
		for (size_t i = 0; i < array_size(pool); i += 32)
			if (getrandom(&pool[i], 32 * sizeof(pool[0]), 0) !=
			    32 * sizeof(pool[0]))
				return ((uint64_t)frr_weak_random() << 32) ^
				       frr_weak_random();
		left = array_size(pool);
	}
	return pool[--left];
}

/* The kernel keeps back every reply but those with our identifier. */
static int icmp_socket_filter(int family, int fd)
{
	struct sock_filter v4[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, icmp_ident, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter v6[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, icmp_ident, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {
		.len = family == AF_INET ? array_size(v4) : array_size(v6),
		.filter = family == AF_INET ? v4 : v6,
	};
	int ret;

	if (family == AF_INET) {
		uint32_t types = ~(UINT32_C(1) << ICMP4_ECHO_REPLY);

		ret = setsockopt(fd, ICMP_SOL_RAW, ICMP_RAW_FILTER, &types,
				 sizeof(types));
	} else {
		struct icmp6_filter types;

		ICMP6_FILTER_SETBLOCKALL(&types);
		ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &types);
		ret = setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &types,
				 sizeof(types));
	}
	if (ret < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				  sizeof(prog)) < 0)
		return -errno;
	return 0;
}

/* FORCE passes over the sysctl limits, with CAP_NET_ADMIN. */
static void icmp_socket_buffer(int fd, int force, int plain, int size)
{
	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static int icmp_socket_open(struct icmp_socket *sock)
{
	int on = 1;
	int fd = -1;
	int ret = 0;

	frr_with_privs (track_privs) {
		fd = socket(sock->family,
			    SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			    sock->family == AF_INET ? IPPROTO_ICMP
						    : IPPROTO_ICMPV6);
		if (fd < 0) {
			ret = -errno;
			break;
		}
		icmp_socket_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, ICMP_SNDBUF);
		icmp_socket_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, ICMP_RCVBUF);
	}
	if (ret < 0)
		return ret;

	ret = icmp_socket_filter(sock->family, fd);
	if (ret == 0 && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on,
				   sizeof(on)) < 0)
		ret = -errno;
	if (ret < 0)
		close(fd);
	else
		sock->fd = fd;
	return ret;
}

/* CLOCK_MONOTONIC of a packet's arrival, from its age by the wall clock. */
static int64_t icmp_arrival_us(struct msghdr *msg, int64_t real_ns,
			       int64_t mono_ns)
{
	struct cmsghdr *cmsg;
	struct timespec ts;
	int64_t age;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(cmsg), sizeof(ts));
		age = real_ns - (ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec);
		/* a clock that was set meanwhile says nothing */
		if (age > 0 && age < INT64_C(120000000000))
			mono_ns -= age;
		break;
	}
	return mono_ns / 1000;
}

static int64_t icmp_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void icmp_socket_handle(const struct icmp_socket *sock,
			       struct msghdr *msg, size_t len,
			       const union sockunion *su, int64_t at_us)
{
	struct icmp_probe_echo echo;
	struct ipaddr from = {};
	ifindex_t scope = 0;

	if (msg->msg_flags & MSG_TRUNC || su->sa.sa_family != sock->family)
		return;
	if (icmp_probe_parse(sock->family, msg->msg_iov->iov_base, len,
			     &echo) < 0 ||
	    echo.ident != icmp_ident)
		return;
	if (sock->family == AF_INET) {
		SET_IPADDR_V4(&from);
		from.ipaddr_v4 = su->sin.sin_addr;
	} else {
		SET_IPADDR_V6(&from);
		from.ipaddr_v6 = su->sin6.sin6_addr;
		if (IN6_IS_ADDR_LINKLOCAL(&from.ipaddr_v6))
			scope = su->sin6.sin6_scope_id;
	}
	icmp_reply_cb(&echo, &from, scope, at_us);
}

/* Returns whether the queue may hold more. */
static bool icmp_socket_recv(const struct icmp_socket *sock)
{
	union {
		struct cmsghdr align;
		uint8_t buf[CMSG_SPACE(sizeof(struct timespec))];
	} control[ICMP_RECV_BATCH];
	uint8_t data[ICMP_RECV_BATCH][ICMP_RECV_LEN];
	struct mmsghdr msgs[ICMP_RECV_BATCH];
	struct iovec iov[ICMP_RECV_BATCH];
	union sockunion from[ICMP_RECV_BATCH];
	int64_t real_ns, mono_ns;
	int n;

	for (int i = 0; i < ICMP_RECV_BATCH; i++) {
		iov[i].iov_base = data[i];
		iov[i].iov_len = sizeof(data[i]);
		msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = &control[i],
			.msg_controllen = sizeof(control[i]),
		};
	}
	n = recvmmsg(sock->fd, msgs, ICMP_RECV_BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return false;
	real_ns = icmp_clock_ns(CLOCK_REALTIME);
	mono_ns = icmp_clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < n; i++)
		icmp_socket_handle(sock, &msgs[i].msg_hdr, msgs[i].msg_len,
				   &from[i],
				   icmp_arrival_us(&msgs[i].msg_hdr, real_ns,
						   mono_ns));
	return n == ICMP_RECV_BATCH;
}

static void icmp_socket_recv_all(const struct icmp_socket *sock)
{
	for (int i = 0; i < ICMP_RECV_ROUNDS; i++)
		if (sock->fd < 0 || !icmp_socket_recv(sock))
			return;
}

void icmp_socket_drain(void)
{
	for (size_t i = 0; i < array_size(icmp_sockets); i++)
		icmp_socket_recv_all(&icmp_sockets[i]);
}

static void icmp_socket_readable(struct frr_event *event);

static void icmp_socket_await(struct icmp_socket *sock)
{
	if (sock->fd >= 0 && icmp_wakes)
		event_add_read(track_loop, icmp_socket_readable, sock,
			       sock->fd, &sock->t_read);
}

static void icmp_socket_readable(struct frr_event *event)
{
	struct icmp_socket *sock = EVENT_ARG(event);

	icmp_socket_await(sock);
	icmp_socket_recv_all(sock);
}

void icmp_socket_wake(bool wakes)
{
	if (wakes == icmp_wakes)
		return;
	icmp_wakes = wakes;
	for (size_t i = 0; i < array_size(icmp_sockets); i++) {
		EVENT_OFF(icmp_sockets[i].t_read);
		icmp_socket_await(&icmp_sockets[i]);
	}
}

void icmp_socket_hold(int family)
{
	icmp_socket_of(family)->refs++;
}

static void icmp_socket_close(struct icmp_socket *sock)
{
	EVENT_OFF(sock->t_read);
	if (sock->fd >= 0)
		close(sock->fd);
	sock->fd = -1;
}

void icmp_socket_release(int family)
{
	struct icmp_socket *sock = icmp_socket_of(family);

	if (--sock->refs == 0)
		icmp_socket_close(sock);
}

/* Opened with the first probe, and tried again with each until it works. */
static int icmp_socket_ready(struct icmp_socket *sock)
{
	int ret;

	if (sock->fd >= 0)
		return 0;
	ret = icmp_socket_open(sock);
	if (ret < 0) {
		if (ret != sock->open_err)
			flog_err_sys(EC_LIB_SOCKET,
				     "track icmp-echo: %s socket: %s",
				     sock->family == AF_INET ? "ICMP"
							     : "ICMPv6",
				     safe_strerror(-ret));
		sock->open_err = ret;
		return ret;
	}
	sock->open_err = 0;
	icmp_socket_await(sock);
	return 0;
}

static socklen_t icmp_sockaddr(const struct ipaddr *addr, ifindex_t ifindex,
			       union sockunion *su)
{
	memset(su, 0, sizeof(*su));
	if (IS_IPADDR_V4(addr)) {
		su->sin.sin_family = AF_INET;
		su->sin.sin_addr = addr->ipaddr_v4;
		return sizeof(su->sin);
	}
	su->sin6.sin6_family = AF_INET6;
	su->sin6.sin6_addr = addr->ipaddr_v6;
	if (IN6_IS_ADDR_LINKLOCAL(&addr->ipaddr_v6))
		su->sin6.sin6_scope_id = ifindex;
	return sizeof(su->sin6);
}

/*
 * For a foreign source address the kernel says EINVAL or, for IPv4, ENETUNREACH;
 * so it does for other things.
 */
static bool icmp_source_is_local(const struct ipaddr *source, ifindex_t ifindex)
{
	union sockunion su;
	socklen_t len = icmp_sockaddr(source, ifindex, &su);
	int fd = socket(ipaddr_family(source), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool local;

	if (fd < 0)
		return true;
	local = bind(fd, &su.sa, len) == 0 || errno != EADDRNOTAVAIL;
	close(fd);
	return local;
}

static void icmp_set_pktinfo(struct msghdr *msg, void *control,
			     const struct ipaddr *target,
			     const struct ipaddr *source, ifindex_t ifindex)
{
	struct in_pktinfo info4 = { .ipi_ifindex = ifindex };
	struct in6_pktinfo info6 = { .ipi6_ifindex = ifindex };
	struct cmsghdr *cmsg = control;
	bool v4 = IS_IPADDR_V4(target);
	size_t len = v4 ? sizeof(info4) : sizeof(info6);

	if (v4 && !IS_IPADDR_NONE(source))
		info4.ipi_spec_dst = source->ipaddr_v4;
	if (!v4 && !IS_IPADDR_NONE(source))
		info6.ipi6_addr = source->ipaddr_v6;
	cmsg->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	cmsg->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), v4 ? (void *)&info4 : (void *)&info6, len);
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(len);
}

int icmp_socket_send(const struct ipaddr *target, const struct ipaddr *source,
		     ifindex_t ifindex, const struct icmp_probe_echo *echo)
{
	struct icmp_socket *sock = icmp_socket_of(ipaddr_family(target));
	struct icmp_probe_echo wire = *echo;
	union {
		struct cmsghdr align;
		uint8_t buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = {};
	uint8_t buf[ICMP_PROBE_LEN];
	struct iovec iov = { .iov_base = buf };
	union sockunion to;
	struct msghdr msg = { .msg_name = &to, .msg_iov = &iov,
			      .msg_iovlen = 1 };
	int ret;

	if (!IS_IPADDR_NONE(source) && source->ipa_type != target->ipa_type)
		return -EAFNOSUPPORT;
	ret = icmp_socket_ready(sock);
	if (ret < 0)
		return ret;

	wire.ident = icmp_ident;
	ret = icmp_probe_build(sock->family, &wire, buf, sizeof(buf));
	if (ret < 0)
		return ret;
	iov.iov_len = ret;
	msg.msg_namelen = icmp_sockaddr(target, ifindex, &to);
	if (!IS_IPADDR_NONE(source) || ifindex)
		icmp_set_pktinfo(&msg, &control, target, source, ifindex);

	if (sendmsg(sock->fd, &msg, MSG_DONTWAIT) >= 0)
		return 0;
	ret = -errno;
	if ((ret == -EINVAL || ret == -ENETUNREACH) &&
	    !IS_IPADDR_NONE(source) && !icmp_source_is_local(source, ifindex))
		ret = -EADDRNOTAVAIL;
	return ret;
}

int icmp_socket_init(icmp_socket_reply reply)
{
	icmp_reply_cb = reply;
	icmp_ident = icmp_socket_nonce();
	return 0;
}

void icmp_socket_fini(void)
{
	for (size_t i = 0; i < array_size(icmp_sockets); i++) {
		icmp_socket_close(&icmp_sockets[i]);
		icmp_sockets[i].refs = 0;
	}
}
