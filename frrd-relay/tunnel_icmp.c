// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include "log.h"
#include "privs.h"

#include "icmp_error.h"
#include "relay_time.h"
#include "tunnel_icmp.h"
#include "tunnel_kernel.h"

/* linux/icmp.h, which does not go with netinet/ip_icmp.h */
#define ICMP_FILTER 1

/* What waits for relayd in the kernel; of a flood the rest is dropped there. */
#define RCVBUF (1024 * 1024)
/*
 * Errors that are looked at in each period, whatever comes: nothing else waits
 * for longer than a batch takes, and a flood costs a few percent of a core.
 */
#define BATCH_MAX 64
#define PERIOD_MAX 1024
#define PERIOD_MS 50

static int icmp_fd = -1, icmp6_fd = -1;
static struct frr_event *t_read, *t_resume;
static struct tunnel_icmp_bucket bucket;
static int64_t period_began;
static unsigned int period_seen;
static uint8_t packet[65536];

bool tunnel_icmp_allowed(struct tunnel_icmp_bucket *bkt, int64_t now)
{
	const int64_t token = 1000000 / TUNNEL_ICMP_RATE;

	if (bkt->empty_at < now)
		bkt->empty_at = now;
	if (bkt->empty_at - now > (TUNNEL_ICMP_BURST - 1) * token)
		return false;
	bkt->empty_at += token;
	return true;
}

/* Of two relays with one transmit source either will do. */
static struct tunnel *tunnel_by_transmit_source(struct in_addr source)
{
	struct tunnel *tun = NULL;

	while ((tun = tunnel_next(tun)))
		if (tun->created &&
		    tun->params.transmit_source.s_addr == source.s_addr &&
		    tunnel_has_way(tun->params.direction, TUNNEL_WAY_6TO4))
			return tun;
	return NULL;
}

/* With a source that the kernel chooses (RFC 4443 section 2.2). */
static bool icmp6_send(const struct in6_addr *to, const uint8_t *data,
		       size_t len)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_addr = *to};

	return sendto(icmp6_fd, data, len, MSG_DONTWAIT,
		      (struct sockaddr *)&sin6, sizeof(sin6)) == (ssize_t)len;
}

static void icmp_packet(const uint8_t *data, size_t len)
{
	uint8_t error[ICMP_ERROR_MAX];
	struct in_addr source;
	struct in6_addr to;
	struct tunnel *tun;
	int n;

	if (!icmp_error_quotes(data, len, &source))
		return;
	tun = tunnel_by_transmit_source(source);
	if (!tun)
		return;
	n = icmp_error_translate(data, len, &to, error, sizeof(error));
	if (!n)
		tun->icmp_errors.ignored++;
	else if (!tunnel_icmp_allowed(&bucket, relay_now_us()))
		tun->icmp_errors.rate_limited++;
	else if (icmp6_send(&to, error, n))
		tun->icmp_errors.translated++;
	else
		tun->icmp_errors.ignored++;
}

/* True while more may wait. */
static bool icmp_batch(void)
{
	for (int i = 0; i < BATCH_MAX; i++) {
		ssize_t len = recv(icmp_fd, packet, sizeof(packet),
				   MSG_DONTWAIT | MSG_TRUNC);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return false;
		period_seen++;
		if (len <= (ssize_t)sizeof(packet))
			icmp_packet(packet, len);
	}
	return true;
}

static void icmp_read(struct frr_event *ev);

static void icmp_resume(struct frr_event *ev)
{
	event_add_read(tunnel_loop, icmp_read, NULL, icmp_fd, &t_read);
}

static void icmp_read(struct frr_event *ev)
{
	int64_t now = relay_now_us(), left;

	if (now - period_began > PERIOD_MS * 1000) {
		period_began = now;
		period_seen = 0;
	}
	left = period_began + PERIOD_MS * 1000 - now;
	if (icmp_batch() && period_seen >= PERIOD_MAX)
		event_add_timer_msec(tunnel_loop, icmp_resume, NULL,
				     left / 1000 + 1, &t_resume);
	else
		icmp_resume(NULL);
}

/*
 * Of all ICMP that this host gets, what the kernel hands over: destination
 * unreachable and time exceeded, by ICMP_FILTER; of those, what quotes the
 * first part of a protocol-41 packet.
 */
static int icmp_filter(int fd)
{
	static struct sock_filter code[] = {
		/* X: behind the IPv4 header */
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8 + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 41, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 8 + 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, ~0U),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	static const struct sock_fprog prog = {array_size(code), code};
	uint32_t not_wanted = ~(1U << ICMP_UNREACH | 1U << ICMP_TIMXCEED);

	if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &not_wanted,
		       sizeof(not_wanted)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) <
		    0)
		return -errno;
	return 0;
}

static int icmp6_filter(int fd)
{
	struct icmp6_filter none;

	ICMP6_FILTER_SETBLOCKALL(&none);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &none,
			  sizeof(none)) < 0
		       ? -errno
		       : 0;
}

static int socket_open(int family, int protocol, int (*filter)(int fd), int *fd)
{
	int ret;

	*fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (*fd < 0)
		return -errno;
	ret = filter(*fd);
	if (ret < 0) {
		close(*fd);
		*fd = -1;
	}
	return ret;
}

int tunnel_icmp_init(void)
{
	int ret = -EPERM, size = RCVBUF;

	frr_with_privs (tunnel_privs) {
		ret = socket_open(AF_INET, IPPROTO_ICMP, icmp_filter, &icmp_fd);
		if (ret == 0)
			ret = socket_open(AF_INET6, IPPROTO_ICMPV6,
					  icmp6_filter, &icmp6_fd);
		if (ret == 0)
			setsockopt(icmp_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
				   sizeof(size));
	}
	if (ret < 0) {
		tunnel_icmp_fini();
		return ret;
	}
	icmp_resume(NULL);
	return 0;
}

void tunnel_icmp_fini(void)
{
	EVENT_OFF(t_read);
	EVENT_OFF(t_resume);
	if (icmp_fd >= 0)
		close(icmp_fd);
	if (icmp6_fd >= 0)
		close(icmp6_fd);
	icmp_fd = icmp6_fd = -1;
}
