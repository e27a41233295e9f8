// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <linux/if_tun.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "log.h"
#include "relay_memory.h"
#include "slow_6to4.h"
#include "tun_opener.h"
#include "tunnel_bpf.h"
#include "tunnel_tun.h"

DEFINE_MTYPE_STATIC(RELAYD, TUN_SLOWS, "Relay TUN list");

#define PROTO_IPV6 41
#define PACKET_MAX 65535
/* packets that one event takes in, so that nothing else waits for long */
#define BATCH_MAX 64
/* what may wait for us; more is dropped by the kernel */
#define RAW_RCVBUF (1024 * 1024)

static int raw_fd = -1;
static int tuns_fd = -1; /* epoll, over all TUNs */
static struct frr_event *t_raw, *t_tuns;
static uint8_t packet[PACKET_MAX] __attribute__((aligned(4)));

/* -------- the device -------- */

static int open_device(const char *ifname, short flags, unsigned int offload)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI | flags};
	int fd = -1, ret = 0;

	strlcpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name));
	frr_with_privs (tunnel_privs) {
		fd = tun_opener_open();
		if (fd < 0)
			ret = fd;
		else if (ioctl(fd, TUNSETIFF, &ifr) < 0 ||
			 ioctl(fd, TUNSETOFFLOAD, offload) < 0 ||
			 ioctl(fd, TUNSETPERSIST, 1) < 0)
			ret = -errno;
	}
	if (ret < 0 && fd >= 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

int tun_open(const char *ifname)
{
	/* none: a former run's may have had them */
	return open_device(ifname, 0, 0);
}

int tun_open_offload(const char *ifname)
{
	return open_device(ifname, IFF_VNET_HDR,
			   TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN);
}

/* -------- the slow way -------- */

static void slow_count(struct tun_slow *slow, enum tunnel_way way, size_t len)
{
	slow->counters.ways[way].packets++;
	slow->counters.ways[way].bytes += len;
}

static struct tun_slow **slows;
static size_t nslows;

/* Two tunnels may have a source for a while; the older one has it. */
static struct tun_slow *slow_by_source(struct in_addr source)
{
	for (size_t i = 0; i < nslows; i++)
		if (slows[i]->tun->params.source.s_addr == source.s_addr)
			return slows[i];
	return NULL;
}

/* A packet of the self-test that the programs did not take. */
static bool is_probe_address(struct in_addr addr)
{
	return addr.s_addr == inet_addr(TUNNEL_PROBE_SOURCE);
}

static void raw_packet(uint8_t *buf, size_t len)
{
	enum relay_bpf_reason reason;
	struct slow_packet inner;
	struct slow_relay relay;
	struct in_addr src, dst;
	struct tun_slow *slow;

	if (len < 20)
		return;
	memcpy(&src, buf + 12, sizeof(src));
	memcpy(&dst, buf + 16, sizeof(dst));
	slow = slow_by_source(dst);
	if (!slow || is_probe_address(src) ||
	    !tunnel_bpf_relay(slow->tun, &relay))
		return;
	reason = slow_6to4_in(&relay, buf, len, &inner);
	if (reason != RELAY_BPF_PASS)
		slow->counters.drops[reason]++;
	else if (write(slow->fd, inner.data, inner.len) == (ssize_t)inner.len)
		slow_count(slow, TUNNEL_WAY_4TO6, inner.len);
}

static void raw_read(struct frr_event *ev)
{
	event_add_read(tunnel_loop, raw_read, NULL, raw_fd, &t_raw);
	for (int i = 0; i < BATCH_MAX; i++) {
		ssize_t len = recv(raw_fd, packet, sizeof(packet),
				   MSG_DONTWAIT | MSG_TRUNC);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return;
		if (len <= (ssize_t)sizeof(packet))
			raw_packet(packet, len);
	}
}

static void put_option(struct cmsghdr *cmsg, int type, const void *data,
		       size_t len)
{
	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), data, len);
}

/* With the relay's source and TTL; the kernel cuts what is too long. */
static int raw_send(const struct tunnel *tun, const struct slow_packet *inner)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = inner->dst};
	struct in_pktinfo info = {.ipi_spec_dst = tun->params.transmit_source};
	int ttl = tun->params.ttl, tos = inner->tos;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(info)) +
			 2 * CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = {inner->data, inner->len};
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	put_option(cmsg, IP_PKTINFO, &info, sizeof(info));
	cmsg = CMSG_NXTHDR(&msg, cmsg);
	put_option(cmsg, IP_TTL, &ttl, sizeof(ttl));
	cmsg = CMSG_NXTHDR(&msg, cmsg);
	put_option(cmsg, IP_TOS, &tos, sizeof(tos));
	return sendmsg(raw_fd, &msg, MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void tun_packet(struct tun_slow *slow, uint8_t *buf, size_t len)
{
	enum relay_bpf_reason reason;
	struct slow_packet inner;
	struct slow_relay relay;

	/* what the kernel says on each of its links is to no 6to4 host */
	if (len < 40 || buf[0] >> 4 != 6 || buf[24] != 0x20 ||
	    buf[25] != 0x02 || !tunnel_bpf_relay(slow->tun, &relay))
		return;
	reason = slow_6to4_out(&relay, buf, len, &inner);
	if (reason != RELAY_BPF_PASS) {
		slow->counters.drops[reason]++;
		return;
	}
	if (is_probe_address(inner.dst))
		return;
	if (raw_send(slow->tun, &inner) == 0)
		slow_count(slow, TUNNEL_WAY_6TO4, inner.len);
	else
		slow->unreachable++;
}

static void tun_drain(struct tun_slow *slow)
{
	for (int i = 0; i < BATCH_MAX; i++) {
		ssize_t len = read(slow->fd, packet, sizeof(packet));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			break;
		tun_packet(slow, packet, len);
	}
}

/* The event loop asks one descriptor for all TUNs: asking some hundred of them
 * each time that it wakes is dear. */
static void tuns_read(struct frr_event *ev)
{
	struct epoll_event ready[BATCH_MAX];
	int n;

	event_add_read(tunnel_loop, tuns_read, NULL, tuns_fd, &t_tuns);
	n = epoll_wait(tuns_fd, ready, BATCH_MAX, 0);
	for (int i = 0; i < n; i++)
		tun_drain(ready[i].data.ptr);
}

/* -------- start and stop -------- */

static int raw_open(void)
{
	int one = 1, never = IP_PMTUDISC_DONT, size = RAW_RCVBUF, ret = 0;

	frr_with_privs (tunnel_privs) {
		raw_fd =
			socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			       PROTO_IPV6);
		/* any source: `tunnel transmit-source` need not be ours */
		if (raw_fd < 0 ||
		    setsockopt(raw_fd, IPPROTO_IP, IP_TRANSPARENT, &one,
			       sizeof(one)) < 0 ||
		    setsockopt(raw_fd, IPPROTO_IP, IP_MTU_DISCOVER, &never,
			       sizeof(never)) < 0)
			ret = -errno;
		if (raw_fd >= 0)
			setsockopt(raw_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
				   sizeof(size));
	}
	if (ret < 0 && raw_fd >= 0)
		close(raw_fd);
	if (ret < 0)
		raw_fd = -1;
	else
		event_add_read(tunnel_loop, raw_read, NULL, raw_fd, &t_raw);
	return ret;
}

static void sockets_close(void)
{
	EVENT_OFF(t_raw);
	EVENT_OFF(t_tuns);
	if (raw_fd >= 0)
		close(raw_fd);
	if (tuns_fd >= 0)
		close(tuns_fd);
	raw_fd = tuns_fd = -1;
}

static int sockets_open(void)
{
	int ret = raw_open();

	if (ret < 0)
		return ret;
	tuns_fd = epoll_create1(EPOLL_CLOEXEC);
	if (tuns_fd < 0) {
		ret = -errno;
		sockets_close();
		return ret;
	}
	event_add_read(tunnel_loop, tuns_read, NULL, tuns_fd, &t_tuns);
	return 0;
}

int tun_slow_start(struct tun_slow *slow, struct tunnel *tun, int fd)
{
	struct epoll_event want = {.events = EPOLLIN, .data.ptr = slow};
	int ret = raw_fd < 0 ? sockets_open() : 0;

	if (ret < 0)
		return ret;
	if (epoll_ctl(tuns_fd, EPOLL_CTL_ADD, fd, &want) < 0)
		return -errno;
	slows = XREALLOC(MTYPE_TUN_SLOWS, slows, (nslows + 1) * sizeof(*slows));
	slows[nslows++] = slow;
	slow->tun = tun;
	slow->fd = fd;
	return 0;
}

void tun_slow_stop(struct tun_slow *slow)
{
	if (!slow->tun)
		return;
	epoll_ctl(tuns_fd, EPOLL_CTL_DEL, slow->fd, NULL);
	close(slow->fd);
	slow->fd = -1;
	slow->tun = NULL;
	for (size_t i = 0; i < nslows; i++)
		if (slows[i] == slow)
			slows[i--] = slows[--nslows];
	if (nslows > 0)
		return;
	XFREE(MTYPE_TUN_SLOWS, slows);
	sockets_close();
}
