/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Teredo datagrams, RFC 4380: read, judged and made; and the peers that the
 * engine trusts. Shared by the tc and the XDP programs.
 */
#ifndef _TEREDO_HEADER_H
#define _TEREDO_HEADER_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "relay_bpf.h"
#include "relay_check.h"
#include "relay_header.h"
#include "relay_maps.h"

#define UDP_LEN ((int)sizeof(struct udphdr))
/* outer headers */
#define TEREDO_LEN (IP4_LEN + UDP_LEN)

/* -------- relays and peers -------- */

/* The relay that a datagram is for; NULL: none. */
static __always_inline const struct relay_bpf_relay *
teredo_relay_find(const struct iphdr *ip, const struct udphdr *udp,
		  struct relay_check_ctx *ctx)
{
	struct relay_bpf_service key = {.addr = ip->daddr, .port = udp->dest};

	return relay_find(bpf_map_lookup_elem(&by_service, &key), ctx);
}

/* The peer of a relay that has that address, if packets of it need not be
 * asked about; NULL: to the engine. */
static __always_inline struct relay_bpf_peer *
teredo_peer_find(__u32 place, const union relay_ipv6 *addr, __u64 now)
{
	void *map = bpf_map_lookup_elem(&peers, &place);
	struct relay_bpf_peer_key key;
	struct relay_bpf_peer *peer;

	if (!map)
		return NULL;
	__builtin_memcpy(key.octets, addr->longs + 1, sizeof(key.octets));
	peer = bpf_map_lookup_elem(map, &key);
	/* the clocks of who wrote it and of this may differ by a tick */
	if (!peer || !peer->rx_ns ||
	    (__s64)(now - peer->rx_ns) > (__s64)RELAY_BPF_PEER_FRESH_NS)
		return NULL;
	return peer;
}

/* -------- 4to6 -------- */

/* One IPv6 packet and nothing else, in so many octets of UDP? What comes before
 * it or behind it is the engine's. */
static __always_inline bool teredo_is_plain(const struct ipv6hdr *ip6,
					    __u32 payload)
{
	return ip6->version == 6 && ip6_length(ip6) == payload;
}

/* RFC 4380 section 2.8 */
static __always_inline bool teredo_is_bubble(const struct ipv6hdr *ip6)
{
	return ip6->nexthdr == IPPROTO_NONE && !ip6->payload_len;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* One's complement sum of the pseudo header of UDP, not folded. */
static __always_inline __u64 udp_pseudo(const struct iphdr *ip, __be16 len)
{
	return (__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_UDP) + len;
}

/*
 * May the checksum of the datagram itself be left to a device that it will
 * never see (CHECKSUM_PARTIAL of a socket on this machine)? The sum of the
 * pseudo header is in its place then.
 */
static __always_inline bool teredo_may_lack_checksum(const struct iphdr *ip,
						     const struct udphdr *udp)
{
	return udp->check == fold(udp_pseudo(ip, udp->len));
}

/* -------- 6to4 -------- */

/*
 * Do all octets from that packet's transport header on, with the pseudo header,
 * add up to nothing, because a checksum is among them? It may still be to be
 * done, by then they do.
 */
static __always_inline bool teredo_sum_is_known(const struct ipv6hdr *ip6,
						const void *end)
{
	__u32 len = bpf_ntohs(ip6->payload_len);
	const struct udphdr *udp = (const void *)(ip6 + 1);

	switch (ip6->nexthdr) {
	case IPPROTO_TCP:
		return len >= 20;
	case IPPROTO_ICMPV6:
		return len >= 4;
	case IPPROTO_UDP:
		return (const void *)(udp + 1) <= end && udp->check &&
		       udp->len == ip6->payload_len;
	}
	return false;
}

/*
 * Is there something to be done to the packet in the datagram before a client
 * can read it: to be cut, or a checksum to be finished? A device does that, or
 * the kernel for it; but see `veths`.
 */
static __always_inline bool
teredo_must_be_finished(const struct __sk_buff *skb, const struct ipv6hdr *ip6,
			const void *end)
{
	return skb->gso_size ||
	       ip6_may_lack_checksum(ip6, end,
				     ip6_addresses_sum(ip6_source(ip6),
						       ip6_destination(ip6)));
}

/*
 * The UDP header in front of an IPv6 packet that leaves as it is now. ip: the
 * header in front of it. known: teredo_sum_is_known(). What the IPv6 addresses
 * and the length add, the transport header takes away again, so the checksum
 * needs no look at the packet; where it would, there is none (RFC 768).
 */
static __always_inline void teredo_udp_make(struct udphdr *udp,
					    const struct relay_bpf_relay *relay,
					    const struct iphdr *ip,
					    const struct ipv6hdr *ip6,
					    __u32 len, bool known)
{
	const __be16 *words = (const __be16 *)ip6;
	__u16 sum;

	udp->source = relay->udp_port;
	udp->dest = relay_teredo_port(ip6_destination(ip6));
	udp->len = bpf_htons(len + UDP_LEN);
	udp->check = 0;
	if (!known)
		return;
	/* version to flow label, next header and hop limit; and without the
	 * next header, which the pseudo header has */
	sum = ~fold(udp_pseudo(ip, udp->len) + udp->source + udp->dest +
		    udp->len + words[0] + words[1] + words[3] +
		    (__u16)~bpf_htons(ip6->nexthdr));
	udp->check = sum ? sum : 0xffff;
}

/* What the header adds to the checksum of a packet. */
static __always_inline __u32 teredo_udp_sum(const struct udphdr *udp)
{
	return (__u32)udp->source + udp->dest + udp->len + udp->check;
}

#endif /* _TEREDO_HEADER_H */
