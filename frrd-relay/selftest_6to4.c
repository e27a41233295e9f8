// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The probes of a 6to4 relay with source S and transmit source T.
 *
 *   4to6   relayd --raw, lo--> [192.0.0.8 > S [2002:c000:8:... > 100::S:...]]
 *          IPv4 input; sit takes the outer header off; IPv6 forwarding to
 *          wherever the router's route for 100::/64 leads
 *   6to4   relayd --packet socket, lo--> [100::S:... > 2002:c000:8:...]
 *          IPv6 forwarding into sit; sit puts [T > 192.0.0.8] on; IPv4 output
 *          to wherever the route for 192.0.0.8 leads
 *
 * Both end behind the last filter of postrouting on the uplink, where relayd's
 * rule hands them over and drops them (tunnel_nft_text.c, tunnel_nflog.c): no
 * probe leaves the host. 100::/64 is RFC 6666's discard prefix, 192.0.0.8 RFC
 * 7600's dummy address; nobody has them, so any default route leads there.
 * Where a router has no route to them, in a closed network, the probe ends on
 * the way back into the tunnel instead. But a route that a probe has taken and
 * that is there no more is a fault: what it attracted has no way out.
 *
 * A probe carries a nonce of this process, so nobody can answer for the relay.
 */
#include <zebra.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "log.h"
#include "octets.h"
#include "privs.h"
#include "relay_time.h"
#include "selftest.h"
#include "selftest_6to4.h"
#include "tunnel_kernel.h"
#include "bpf/relay_bpf.h"

#define OUTER_LEN 20
#define INNER_LEN 40
#define PROTO_IPV6 41
#define ICMP6_ECHO 128
/* enough for the relay, too little for any router behind it, should the probe
 * ever get away */
#define PROBE_HOP_LIMIT 2
/* last 4 octets of an end's address, less the last bit: 1 = on this host */
#define MAGIC 0x72656c78

/* a route is looked up again no sooner */
#define ROUTE_AGE_US 250000

static int raw_fd = -1, packet_fd = -1;
static ifindex_t lo_ifindex;
static int sockets_error = -ENOTCONN, nflog_error = -ENOTCONN;
static const char *sockets_what = "";

/* -------- packets -------- */

static struct in_addr dummy_address(void)
{
	return (struct in_addr){.s_addr = inet_addr(TUNNEL_PROBE_SOURCE)};
}

void selftest_6to4_address(enum selftest_end end, struct in_addr source,
			   struct in6_addr *addr)
{
	bool host = end == SELFTEST_NATIVE_HOST || end == SELFTEST_6TO4_HOST;
	struct in_addr embedded =
		end == SELFTEST_6TO4_UPLINK ? dummy_address() : source;
	uint8_t *p = addr->s6_addr;

	memset(p, 0, 16);
	switch (end) {
	case SELFTEST_NATIVE_UPLINK:
	case SELFTEST_NATIVE_HOST:
		p[0] = 0x01;
		break;
	case SELFTEST_6TO4_UPLINK:
	case SELFTEST_6TO4_HOST:
		put16(p, 0x2002);
		memcpy(p + 2, &embedded, 4);
		put16(p + 6, 0xffff);
		break;
	}
	memcpy(p + 8, &source, 4);
	put32(p + 12, MAGIC | host);
}

static void build_outer(uint8_t *ip, struct in_addr source)
{
	struct in_addr from = dummy_address();

	memset(ip, 0, OUTER_LEN);
	ip[0] = 0x45;
	put16(ip + 2, OUTER_LEN + SELFTEST_PROBE_LEN);
	ip[8] = 64;
	ip[9] = PROTO_IPV6;
	memcpy(ip + 12, &from, 4);
	memcpy(ip + 16, &source, 4);
	put16(ip + 10, sum_fold(sum16(0, ip, OUTER_LEN)));
}

size_t selftest_6to4_build(uint8_t *pkt, struct in_addr source,
			   const struct selftest_probe *probe,
			   const uint8_t nonce[8])
{
	bool in = probe->way == TUNNEL_WAY_4TO6;
	enum selftest_end native =
		probe->uplink ? SELFTEST_NATIVE_UPLINK : SELFTEST_NATIVE_HOST;
	/* what comes in embeds its outer source, RFC 3964 section 5.2 */
	enum selftest_end sixtofour =
		probe->uplink || in ? SELFTEST_6TO4_UPLINK : SELFTEST_6TO4_HOST;
	size_t outer = in ? OUTER_LEN : 0;
	uint8_t *ip6 = pkt + outer, *icmp = ip6 + INNER_LEN;
	size_t icmp_len = SELFTEST_PROBE_LEN - INNER_LEN;
	uint32_t sum;

	if (in)
		build_outer(pkt, source);
	memset(ip6, 0, SELFTEST_PROBE_LEN);
	ip6[0] = 0x60;
	put16(ip6 + 4, icmp_len);
	ip6[6] = IPPROTO_ICMPV6;
	ip6[7] = PROBE_HOP_LIMIT;
	selftest_6to4_address(in ? sixtofour : SELFTEST_NATIVE_UPLINK, source,
			      (struct in6_addr *)(ip6 + 8));
	selftest_6to4_address(in ? native : sixtofour, source,
			      (struct in6_addr *)(ip6 + 24));

	icmp[0] = ICMP6_ECHO; /* what any packet filter knows */
	put16(icmp + 4, probe->id);
	memcpy(icmp + 8, nonce, 8);
	put32(icmp + 16, probe->seq);
	sum = sum16(0, ip6 + 8, 32) + icmp_len + IPPROTO_ICMPV6;
	put16(icmp + 2, sum_fold(sum16(sum, icmp, icmp_len)));
	return outer + SELFTEST_PROBE_LEN;
}

/* What every probe has; ip6 has SELFTEST_PROBE_LEN octets. */
static bool parse_inner(const uint8_t *ip6, const uint8_t nonce[8],
			struct selftest_probe *probe)
{
	const uint8_t *icmp = ip6 + INNER_LEN;

	if (ip6[0] >> 4 != 6 || ip6[6] != IPPROTO_ICMPV6 ||
	    (get32(ip6 + 36) & ~1U) != MAGIC || icmp[0] != ICMP6_ECHO ||
	    memcmp(icmp + 8, nonce, 8) != 0)
		return false;
	probe->way = ip6[24] == 0x20 ? TUNNEL_WAY_6TO4 : TUNNEL_WAY_4TO6;
	probe->uplink = !(ip6[39] & 1);
	probe->id = get16(icmp + 4);
	probe->seq = get32(icmp + 16);
	return ip6[24] == (probe->way == TUNNEL_WAY_6TO4 ? 0x20 : 0x01);
}

static bool parse_probe(const uint8_t *pkt, size_t len, const uint8_t nonce[8],
			struct selftest_probe *probe)
{
	bool has_outer = len > 0 && pkt[0] >> 4 == 4;
	size_t outer = has_outer ? OUTER_LEN : 0;

	return len >= outer + SELFTEST_PROBE_LEN &&
	       (!has_outer || (pkt[0] == 0x45 && pkt[9] == PROTO_IPV6)) &&
	       parse_inner(pkt + outer, nonce, probe);
}

bool selftest_6to4_parse(const uint8_t *pkt, size_t len, const uint8_t nonce[8],
			 struct selftest_probe *probe)
{
	size_t outer = len > 0 && pkt[0] >> 4 == 4 ? OUTER_LEN : 0;

	/* 6to4 has an outer header by now; forwarded: one hop less than it
	 * began with */
	return parse_probe(pkt, len, nonce, probe) &&
	       (outer > 0) == (probe->way == TUNNEL_WAY_6TO4) &&
	       pkt[outer + 7] == PROBE_HOP_LIMIT - 1;
}

bool selftest_6to4_parse_sent(const uint8_t *pkt, size_t len,
			      const uint8_t nonce[8],
			      struct selftest_probe *probe)
{
	return parse_probe(pkt, len, nonce, probe) &&
	       (pkt[0] >> 4 == 4) == (probe->way == TUNNEL_WAY_4TO6);
}

/* -------- sending and seeing -------- */

/* Where the probes of a way go, as it was last looked up. */
struct probe_route {
	int64_t asked_us;
	ifindex_t oif;	/* that they leave this host by; 0: they have none */
	bool discarded; /* by a route that does just that */
};

static const struct probe_route *probe_route(enum tunnel_way way)
{
	static struct probe_route routes[TUNNEL_WAYS];
	struct probe_route *route = &routes[way];
	bool discarded = route->discarded;
	int64_t now = relay_now_us();
	struct in_addr dummy = dummy_address();
	const struct kern_link *link;
	struct in6_addr native;

	if (route->asked_us && now - route->asked_us < ROUTE_AGE_US)
		return route;
	route->asked_us = now;
	if (way == TUNNEL_WAY_6TO4) {
		route->oif = kern_route_oif(AF_INET, &dummy, &route->discarded);
	} else {
		selftest_6to4_address(SELFTEST_NATIVE_UPLINK, dummy, &native);
		route->oif =
			kern_route_oif(AF_INET6, &native, &route->discarded);
	}
	/* what is known of default routes is a few seconds old */
	if (route->discarded && !discarded)
		tunnel_route_scan();
	/* a default route into a relay is no way out */
	link = route->oif ? kern_link_by_index(route->oif) : NULL;
	if (!link || link->pub.ifindex == lo_ifindex ||
	    strncmp(link->alias, TUNNEL_ALIAS_PREFIX,
		    strlen(TUNNEL_ALIAS_PREFIX)) == 0)
		route->oif = 0;
	return route;
}

/* A discard route for the probes' addresses, as filters of martians have it,
 * takes nobody else's way out while the default route is there. */
static bool way_out_gone(const struct probe_route *route, enum tunnel_way way)
{
	return !route->oif &&
	       !(route->discarded &&
		 tunnel_route_default(way == TUNNEL_WAY_6TO4 ? AF_INET
							     : AF_INET6));
}

static int packet_send(const uint8_t *pkt, size_t len, uint16_t protocol)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = lo_ifindex,
		.sll_halen = ETH_ALEN, /* all zero: lo's own */
	};

	if (sendto(packet_fd, pkt, len, MSG_DONTWAIT, (struct sockaddr *)&to,
		   sizeof(to)) < 0)
		return -errno;
	return 0;
}

static int raw_send(const uint8_t *pkt, size_t len, struct in_addr dst)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = dst};

	if (sendto(raw_fd, pkt, len, MSG_DONTWAIT, (struct sockaddr *)&to,
		   sizeof(to)) < 0)
		return -errno;
	return 0;
}

int selftest_6to4_send(struct tunnel *tun, enum tunnel_way way,
		       enum tunnel_path path, uint32_t seq)
{
	struct tunnel_self_test *st = &tun->st[way];
	const struct probe_route *route;
	uint8_t pkt[OUTER_LEN + SELFTEST_PROBE_LEN];
	struct selftest_probe probe = {
		.way = way, .id = tun->st_id, .seq = seq};
	size_t len;
	int ret;

	st->cause = NULL;
	if (sockets_error < 0) {
		snprintf(st->why, sizeof(st->why), "%s: %s", sockets_what,
			 safe_strerror(-sockets_error));
		return sockets_error;
	}
	route = probe_route(way);
	st->uplink = route->oif;
	probe.uplink = st->uplink != 0;
	if (st->by_uplink && way_out_gone(route, way)) {
		snprintf(st->why, sizeof(st->why),
			 "the %s default route is gone",
			 way == TUNNEL_WAY_6TO4 ? "IPv4" : "IPv6");
		return -ENETUNREACH;
	}
	len = selftest_6to4_build(pkt, tun->params.source, &probe,
				  path == TUNNEL_PATH_FAST
					  ? tunnel_fast_nonce()
					  : tunnel_probe_nonce());
	if (way == TUNNEL_WAY_6TO4)
		return packet_send(pkt, len, ETH_P_IPV6);
	if (path == TUNNEL_PATH_FAST)
		return packet_send(pkt, len, ETH_P_IP);
	ret = raw_send(pkt, len, tun->params.source);
	/* A filter of IPv4 output says nothing about what comes in. The packet
	 * socket passes it by; it is not the first choice, since what comes in
	 * that way has to pass rp_filter. */
	if (ret == -EPERM)
		ret = packet_send(pkt, len, ETH_P_IP);
	return ret;
}

int selftest_6to4_log_error(struct tunnel_self_test *st)
{
	if (nflog_error < 0)
		snprintf(st->why, sizeof(st->why),
			 "the kernel's packet log (nfnetlink_log): %s",
			 safe_strerror(-nflog_error));
	return nflog_error;
}

static void probe_seen(const uint8_t *pkt, size_t len)
{
	struct selftest_probe probe;
	struct tunnel *tun;

	if (!selftest_6to4_parse(pkt, len, tunnel_probe_nonce(), &probe))
		return;
	tun = selftest_find(probe.id);
	if (!tun)
		return;
	if (probe.uplink && probe.seq == tun->st_seq)
		tun->st[probe.way].by_uplink = true;
	selftest_seen(tun, probe.way, TUNNEL_PATH_STACK, probe.seq);
}

/* Why a probe did not get out of the eBPF programs. */
static const char *bpf_cause(enum tunnel_way way,
			     const struct relay_bpf_probe *seen)
{
	bool v4 = way == TUNNEL_WAY_6TO4;

	if (seen->reason != RELAY_BPF_PASS)
		return "the eBPF programs drop probes";
	switch (seen->fib) {
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return v4 ? "the IPv4 route discards what goes out"
			  : "the IPv6 route discards what goes out";
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return v4 ? "net.ipv4.conf.lo.forwarding is 0"
			  : "net.ipv6.conf.lo.forwarding is 0";
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return "the uplink's MTU is too small for a probe";
	default:
		return v4 ? "no IPv4 route for what goes out"
			  : "no IPv6 route for what goes out";
	}
}

void selftest_6to4_bpf_seen(struct tunnel *tun,
			    const struct relay_bpf_probe *seen)
{
	size_t len = MIN(seen->len, sizeof(seen->packet));
	const uint8_t *nonce = tunnel_fast_nonce();
	struct selftest_probe probe;
	bool out;

	if (!selftest_6to4_parse(seen->packet, len, nonce, &probe) &&
	    !selftest_6to4_parse_sent(seen->packet, len, nonce, &probe))
		return;
	if (selftest_find(probe.id) != tun)
		return;
	/* without an uplink it ends on this host, or goes back to the relay:
	 * its far end is the relay itself */
	out = seen->reason == RELAY_BPF_DROP_DESTINATION_OWN && !probe.uplink;
	out |= seen->reason == RELAY_BPF_PASS &&
	      (seen->fib == BPF_FIB_LKUP_RET_SUCCESS ||
	       seen->fib == BPF_FIB_LKUP_RET_NO_NEIGH ||
	       (seen->fib == BPF_FIB_LKUP_RET_NOT_FWDED && !probe.uplink));
	if (!out) {
		tun->st[probe.way].cause = bpf_cause(probe.way, seen);
		return;
	}
	if (probe.uplink && probe.seq == tun->st_seq)
		tun->st[probe.way].by_uplink = true;
	selftest_seen(tun, probe.way, TUNNEL_PATH_FAST, probe.seq);
}

static int sockets_open(void)
{
	lo_ifindex = if_nametoindex("lo");
	sockets_what = "interface lo";
	if (!lo_ifindex)
		return -ENODEV;
	sockets_what = "a raw IPv4 socket";
	raw_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			IPPROTO_RAW);
	if (raw_fd < 0)
		return -errno;
	sockets_what = "a packet socket";
	/* protocol 0: it receives nothing */
	packet_fd =
		socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return packet_fd < 0 ? -errno : 0;
}

int selftest_6to4_init(void)
{
	frr_with_privs (tunnel_privs) {
		sockets_error = sockets_open();
	}
	/* without it there is a word for it where it is missed */
	nflog_error = tunnel_nflog_init(probe_seen);
	return sockets_error < 0 ? sockets_error : nflog_error;
}

void selftest_6to4_fini(void)
{
	tunnel_nflog_fini();
	if (packet_fd >= 0)
		close(packet_fd);
	if (raw_fd >= 0)
		close(raw_fd);
	packet_fd = raw_fd = -1;
	sockets_error = -ENOTCONN;
}
