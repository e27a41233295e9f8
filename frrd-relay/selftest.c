// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The in-band self-test: a packet that goes through the real datapath.
 *
 * The 6to4 probe, for a relay with source S:
 *
 *   relayd --raw--> [192.0.0.8 > S [2002:c000:8::1 > 2002:S:ffff::MAGIC]]
 *     lo, IPv4 input, sit takes the outer header off
 *     IPv6 forwarding, by a host route in the local table, into sit again
 *     sit puts an outer header on: [T > S [2002:c000:8::1 > ...]]
 *     IPv4 output, lo ----> seen by a packet socket on lo
 *
 * T is the transmit source. The table `ip frr-relay` (tunnel_nft.c) drops the
 * packet behind the socket, and whatever else carries 192.0.0.8. That address
 * is RFC 7600's dummy: allowed as a source, never a destination, and not
 * forwarded by anyone; 2002:c000:8:: embeds it, so sit's own checks of 6to4
 * addresses hold for the probe as for anybody's packet.
 *
 * A probe carries a nonce of this process, so nobody can answer for the relay.
 */
#include <zebra.h>

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/random.h>

#include "debug.h"
#include "log.h"
#include "privs.h"
#include "relay_debug.h"
#include "selftest.h"
#include "tunnel_kernel.h"

/* FRR's tree brings an older linux/if_packet.h */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define PROBE_INTERVAL_MS 1000
#define PROBE_LOSSES_MAX 3
#define PROBE_SLOTS 20

/* room for the probes of some thousand tunnels at once */
#define CAPTURE_RCVBUF (8 * 1024 * 1024)

#define OUTER_LEN 20
#define INNER_LEN 40
#define PROTO_IPV6 41
/* enough for the relay, too little for any router behind it, should the probe
 * ever get away */
#define PROBE_HOP_LIMIT 2
#define TARGET_MAGIC_HI 0x5e1f7e57 /* last 8 octets of the target */
#define TARGET_MAGIC_LO 0x72656c79

static int raw_fd = -1, capture_fd = -1;
static int sockets_error = -ENOTCONN;
static uint8_t nonce[8];
static struct frr_event *t_capture;
static struct tunnel *by_id[UINT16_MAX + 1];
static uint16_t last_id;

/* -------- the probe -------- */

static void put16(uint8_t *p, uint16_t v)
{
	v = htons(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* RFC 1071 over n octets, n even */
static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 2)
		sum += get16(p + i);
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static in_addr_t probe_source(void)
{
	return inet_addr(TUNNEL_PROBE_SOURCE);
}

void selftest_6to4_target(struct in_addr source, struct in6_addr *dst)
{
	uint8_t *p = dst->s6_addr;

	memset(p, 0, 16);
	put16(p, 0x2002);
	memcpy(p + 2, &source, 4);
	put16(p + 6, 0xffff);
	put32(p + 8, TARGET_MAGIC_HI);
	put32(p + 12, TARGET_MAGIC_LO);
}

void selftest_6to4_build(uint8_t *pkt, struct in_addr source, uint16_t id,
			 uint32_t seq, const uint8_t key[8])
{
	in_addr_t from = probe_source();
	uint8_t *ip6 = pkt + OUTER_LEN, *icmp = ip6 + INNER_LEN;
	size_t icmp_len = SELFTEST_PROBE_LEN - INNER_LEN;
	uint32_t sum;

	memset(pkt, 0, OUTER_LEN + SELFTEST_PROBE_LEN);
	pkt[0] = 0x45; /* length and checksum are the kernel's to fill in */
	put16(pkt + 2, OUTER_LEN + SELFTEST_PROBE_LEN);
	pkt[8] = 64;
	pkt[9] = PROTO_IPV6;
	memcpy(pkt + 12, &from, 4);
	memcpy(pkt + 16, &source, 4);

	ip6[0] = 0x60;
	put16(ip6 + 4, icmp_len);
	ip6[6] = IPPROTO_ICMPV6;
	ip6[7] = PROBE_HOP_LIMIT;
	put16(ip6 + 8, 0x2002);
	memcpy(ip6 + 10, &from, 4);
	ip6[23] = 1;
	selftest_6to4_target(source, (struct in6_addr *)(ip6 + 24));

	icmp[0] = 128; /* echo request: what any packet filter knows */
	put16(icmp + 4, id);
	memcpy(icmp + 8, key, 8);
	put32(icmp + 16, seq);
	sum = sum16(0, ip6 + 8, 32) + icmp_len + IPPROTO_ICMPV6;
	put16(icmp + 2, sum_fold(sum16(sum, icmp, icmp_len)));
}

bool selftest_6to4_parse(const uint8_t *pkt, size_t len, const uint8_t key[8],
			 uint16_t *id, uint32_t *seq)
{
	const uint8_t *ip6 = pkt + OUTER_LEN, *icmp = ip6 + INNER_LEN;
	in_addr_t from = probe_source();

	if (len < OUTER_LEN + SELFTEST_PROBE_LEN || pkt[0] != 0x45 ||
	    pkt[9] != PROTO_IPV6 || memcmp(pkt + 12, &from, 4) == 0)
		return false;
	/* forwarded: it came out of IPv6 with one hop less */
	if (ip6[0] >> 4 != 6 || ip6[6] != IPPROTO_ICMPV6 ||
	    ip6[7] != PROBE_HOP_LIMIT - 1 ||
	    get32(ip6 + 32) != TARGET_MAGIC_HI ||
	    get32(ip6 + 36) != TARGET_MAGIC_LO || icmp[0] != 128 ||
	    memcmp(icmp + 8, key, 8) != 0)
		return false;
	*id = get16(icmp + 4);
	*seq = get32(icmp + 16);
	return true;
}

int selftest_6to4_send(struct tunnel *tun, uint32_t seq)
{
	uint8_t pkt[OUTER_LEN + SELFTEST_PROBE_LEN];
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr = tun->params.source};

	if (raw_fd < 0)
		return sockets_error;
	selftest_6to4_build(pkt, tun->params.source, tun->st_id, seq, nonce);
	if (sendto(raw_fd, pkt, sizeof(pkt), MSG_DONTWAIT,
		   (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

void selftest_poll(void)
{
	uint8_t pkt[256];
	ssize_t len;
	uint16_t id;
	uint32_t seq;

	if (capture_fd < 0)
		return;
	while ((len = recv(capture_fd, pkt, sizeof(pkt), MSG_DONTWAIT)) > 0)
		if (selftest_6to4_parse(pkt, len, nonce, &id, &seq) &&
		    by_id[id])
			tunnel_self_test_seen(by_id[id], seq);
}

static void capture_read(struct frr_event *ev)
{
	event_add_read(tunnel_loop, capture_read, NULL, capture_fd, &t_capture);
	selftest_poll();
}

static int capture_open(void)
{
	/* IPv4, protocol 41, not from us, to a probe's target; the offsets are
	 * from the IPv4 header, which a SOCK_DGRAM packet socket begins with */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROTO_IPV6, 0, 7),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(probe_source()), 5,
			 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OUTER_LEN + 32),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TARGET_MAGIC_HI, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OUTER_LEN + 36),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TARGET_MAGIC_LO, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 256),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {.len = array_size(code), .filter = code};
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = if_nametoindex("lo")};
	int one = 1, size = CAPTURE_RCVBUF, fd;

	if (!ll.sll_ifindex)
		return -ENODEV;
	/* protocol 0: nothing is received until the filter is in place */
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* what goes out on lo comes in again; once is enough */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) <
		    0 ||
	    bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int selftest_init(void)
{
	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce)) {
		sockets_error = -errno;
		return sockets_error;
	}
	frr_with_privs (tunnel_privs) {
		raw_fd =
			socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			       IPPROTO_RAW);
		sockets_error = raw_fd < 0 ? -errno : 0;
		if (raw_fd >= 0) {
			capture_fd = capture_open();
			if (capture_fd < 0)
				sockets_error = capture_fd;
		}
	}
	if (sockets_error < 0) {
		if (raw_fd >= 0)
			close(raw_fd);
		raw_fd = -1;
		return sockets_error;
	}
	event_add_read(tunnel_loop, capture_read, NULL, capture_fd, &t_capture);
	return 0;
}

void selftest_fini(void)
{
	EVENT_OFF(t_capture);
	if (capture_fd >= 0)
		close(capture_fd);
	if (raw_fd >= 0)
		close(raw_fd);
	capture_fd = raw_fd = -1;
	sockets_error = -ENOTCONN;
}

/* -------- bookkeeping -------- */

void selftest_register(struct tunnel *tun)
{
	for (unsigned int i = 0; i <= UINT16_MAX; i++) {
		if (++last_id == 0 || by_id[last_id])
			continue;
		tun->st_id = last_id;
		by_id[last_id] = tun;
		break;
	}
	tun->status.self_test =
		tun->params.self_test ? TUNNEL_CHECK_PENDING : TUNNEL_CHECK_OFF;
}

void selftest_unregister(struct tunnel *tun)
{
	EVENT_OFF(tun->t_self_test);
	by_id[tun->st_id] = NULL;
}

void selftest_reset(struct tunnel *tun)
{
	EVENT_OFF(tun->t_self_test);
	tun->st_waiting = false;
	tun->st_lost = 0;
	tun->st_detail[0] = '\0';
	tun->status.self_test =
		tun->params.self_test ? TUNNEL_CHECK_PENDING : TUNNEL_CHECK_OFF;
}

static void selftest_failed(struct tunnel *tun)
{
	tun->status.self_test = TUNNEL_CHECK_FAILED;
	if (tun->status.detail[0] == '\0')
		strlcpy(tun->status.detail, tun->st_detail,
			sizeof(tun->status.detail));
	tunnel_notify(tun);
}

static void selftest_describe_loss(struct tunnel *tun)
{
	if (tun->st_error < 0) {
		/* the kind may have found better words */
		if (tun->st_detail[0] == '\0')
			snprintf(tun->st_detail, sizeof(tun->st_detail),
				 "self-test: a probe can't be sent: %s",
				 safe_strerror(-tun->st_error));
		return;
	}
	/* what is told stays as it is while it fails */
	if (tun->st_lost > PROBE_LOSSES_MAX)
		return;
	snprintf(tun->st_detail, sizeof(tun->st_detail),
		 "self-test: probes do not come out of the tunnel");
	if (tun->ops->self_test_lost)
		tun->ops->self_test_lost(tun, tun->st_lost);
}

/*
 * Milliseconds to the tunnel's next probe, about a second. Tunnels take turns
 * in slots, so that the probes of many are spread and yet share wake-ups.
 */
static long selftest_wait_ms(const struct tunnel *tun)
{
	long now = tunnel_now_us() / 1000 % PROBE_INTERVAL_MS;
	long slot =
		tun->st_id % PROBE_SLOTS * (PROBE_INTERVAL_MS / PROBE_SLOTS);
	long wait = (slot - now + PROBE_INTERVAL_MS) % PROBE_INTERVAL_MS;

	/* never much less than a second: a loss is a matter of a second */
	return wait < PROBE_INTERVAL_MS / 2 ? wait + PROBE_INTERVAL_MS : wait;
}

static void selftest_probe(struct frr_event *ev)
{
	struct tunnel *tun = EVENT_ARG(ev);

	event_add_timer_msec(tunnel_loop, selftest_probe, tun,
			     selftest_wait_ms(tun), &tun->t_self_test);
	/* after a busy second the timer may come before the news */
	if (tun->st_waiting)
		selftest_poll();
	if (tun->st_waiting) {
		tun->st_lost++;
		DEBUGD(&relay_dbg_tunnel, "relay %s: self-test probe %u lost",
		       tun->params.owner, tun->st_seq);
		selftest_describe_loss(tun);
		if (tun->st_lost >= PROBE_LOSSES_MAX)
			selftest_failed(tun);
	}
	tun->st_seq++;
	tun->st_waiting = true;
	tun->st_error = tun->ops->self_test(tun, tun->st_seq);
	if (tun->st_error < 0)
		return;
	tun->st_sent++;
	/* The kernel has carried it all the way within the call that sent it:
	 * as a rule no second wake-up is needed to see it. */
	selftest_poll();
}

void selftest_update(struct tunnel *tun)
{
	struct tunnel_status *st = &tun->status;

	if (!tun->params.self_test) {
		selftest_reset(tun);
		return;
	}
	/* What has no interface or no source can't be probed, and needs no
	 * probe to be known as broken. */
	if (!tun->created || st->interface != TUNNEL_CHECK_OK ||
	    st->source != TUNNEL_CHECK_OK) {
		selftest_reset(tun);
		return;
	}
	if (!tun->t_self_test)
		event_add_timer_msec(tunnel_loop, selftest_probe, tun, 0,
				     &tun->t_self_test);
	if (st->self_test == TUNNEL_CHECK_FAILED && st->detail[0] == '\0')
		strlcpy(st->detail, tun->st_detail, sizeof(st->detail));
}

void tunnel_self_test_seen(struct tunnel *tun, uint32_t seq)
{
	tun->st_seen++;
	if (seq != tun->st_seq || !tun->st_waiting)
		return;
	tun->st_waiting = false;
	tun->st_lost = 0;
	tun->st_detail[0] = '\0';
	if (tun->status.self_test == TUNNEL_CHECK_OK)
		return;
	tun->status.self_test = TUNNEL_CHECK_OK;
	if (strncmp(tun->status.detail, "self-test", 9) == 0)
		tun->status.detail[0] = '\0';
	tunnel_notify(tun);
}
