/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers of packets in a tunnel: read, judged and made. Shared by the tc and
 * the XDP programs, so nothing here knows an skb.
 */
#ifndef _RELAY_HEADER_H
#define _RELAY_HEADER_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "relay_check.h"

#define IP4_LEN ((int)sizeof(struct iphdr))
#define IP6_LEN ((int)sizeof(struct ipv6hdr))
#define IP4_MF_OR_OFFSET 0x3fff
#define IP4_LEN_MAX 0xffff

/* linux/in6.h has them, and a struct in6_addr with other names */
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6 58
#define IPPROTO_NONE 59

/* the helper's numbers, which no header for user space has */
#define RELAY_AF_INET 2
#define RELAY_AF_INET6 10

/* -------- IPv6 -------- */

static __always_inline const union relay_ipv6 *
ip6_source(const struct ipv6hdr *ip6)
{
	return (const union relay_ipv6 *)&ip6->saddr;
}

static __always_inline const union relay_ipv6 *
ip6_destination(const struct ipv6hdr *ip6)
{
	return (const union relay_ipv6 *)&ip6->daddr;
}

/* DSCP and ECN */
static __always_inline __u8 ip6_traffic_class(const struct ipv6hdr *ip6)
{
	return ip6->priority << 4 | ip6->flow_lbl[0] >> 4;
}

/* header and all behind it, octets */
static __always_inline __u32 ip6_length(const struct ipv6hdr *ip6)
{
	return bpf_ntohs(ip6->payload_len) + IP6_LEN;
}

/*
 * What a router may not forward by its addresses alone: hop-by-hop options
 * (RFC 8200 section 4.3; jumbograms too), a last hop, and a source that is no
 * host's address: unspecified, loopback, link-local, multicast. The stack knows
 * what each of them calls for.
 */
static __always_inline bool ip6_is_for_stack(const struct ipv6hdr *ip6)
{
	const union relay_ipv6 *src = ip6_source(ip6);

	return ip6->hop_limit <= 1 || ip6->nexthdr == 0 ||
	       !(src->longs[0] | src->longs[1]) || src->octets[0] == 0xff ||
	       (src->words[0] & bpf_htons(0xffc0)) == bpf_htons(0xfe80);
}

/* -------- checksums that are still to be done -------- */

/* One's complement sum of two addresses, 16 bits in network order. */
static __always_inline __u16 ip6_addresses_sum(const union relay_ipv6 *src,
					       const union relay_ipv6 *dst)
{
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		sum += (__u64)src->longs[i] + dst->longs[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/*
 * Has a host on this machine left the checksum to the device
 * (CHECKSUM_PARTIAL)? A skb knows; a frame does not, and would lose it. The sum
 * of the pseudo header is in its place then, and one time in 65536 by chance.
 * Whatever might hold another one is taken for such. addresses:
 * ip6_addresses_sum(); end: of the frame.
 */
static __always_inline bool ip6_may_lack_checksum(const struct ipv6hdr *ip6,
						  const void *end,
						  __u16 addresses)
{
	const void *payload = ip6 + 1;
	const __u16 *checksum;
	__u32 sum;

	switch (ip6->nexthdr) {
	case IPPROTO_TCP:
		checksum = payload + 16;
		break;
	case IPPROTO_UDP:
		checksum = payload + 6;
		break;
	case IPPROTO_ICMPV6:
	case IPPROTO_NONE:
	case IPPROTO_FRAGMENT:
	case IPPROTO_ESP:
		return false;
	default:
		return true;
	}
	if ((const void *)(checksum + 1) > end)
		return true;
	sum = (__u32)addresses + ip6->payload_len + bpf_htons(ip6->nexthdr);
	sum = (sum & 0xffff) + (sum >> 16);
	return *checksum == (__u16)((sum & 0xffff) + (sum >> 16));
}

/* -------- IPv4 -------- */

/* 0 for a header without options whose checksum is right */
static __always_inline __u16 ip4_sum(const struct iphdr *ip)
{
	const __u32 *p = (const __u32 *)ip;
	__u64 sum = (__u64)p[0] + p[1] + p[2] + p[3] + p[4];

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Options and fragments are the stack's. */
static __always_inline bool ip4_is_for_stack(const struct iphdr *ip)
{
	return ip->ihl != 5 || (ip->frag_off & bpf_htons(IP4_MF_OR_OFFSET));
}

/*
 * An identification for datagrams to dst, `packets` of which follow each other:
 * DF is clear, so whoever fragments them relies on it (RFC 6864 section 4.3).
 */
static __u32 identifications[1024];

static __always_inline __be16 ip4_identification(__be32 dst, __u32 packets)
{
	__u32 hash = dst * 0x9e3779b1;

	return bpf_htons(hash + __sync_fetch_and_add(
					&identifications[hash >> 22], packets));
}

/* The header to dst of an IPv6 packet in the tunnel, with len octets behind it:
 * RFC 4213 section 3.5, RFC 6040 section 4.1 (normal mode). */
static __always_inline void ip4_make(struct iphdr *ip,
				     const struct relay_bpf_relay *relay,
				     const struct ipv6hdr *ip6, __u8 protocol,
				     __be32 dst, __u32 len, __u32 packets)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = ip6_traffic_class(ip6),
		.tot_len = bpf_htons(len + IP4_LEN),
		.ttl = relay->ttl,
		.protocol = protocol,
		.saddr = relay->transmit_source,
		.daddr = dst,
	};
	ip->id = ip4_identification(ip->daddr, packets);
	ip->check = ip4_sum(ip);
}

/* -------- forwarding questions -------- */

/* len: of the packet as it would go out, to be held against the MTU. */
static __always_inline void fib_ask4(struct bpf_fib_lookup *fib, __u32 ifindex,
				     const struct iphdr *ip, __u16 len)
{
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->family = RELAY_AF_INET;
	fib->l4_protocol = ip->protocol;
	fib->tot_len = len;
	fib->ifindex = ifindex;
	fib->tos = ip->tos & ~ECN_MASK;
	fib->ipv4_src = ip->saddr;
	fib->ipv4_dst = ip->daddr;
}

static __always_inline void fib_ask6(struct bpf_fib_lookup *fib, __u32 ifindex,
				     const struct ipv6hdr *ip6, __u16 len)
{
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->family = RELAY_AF_INET6;
	fib->l4_protocol = ip6->nexthdr;
	fib->tot_len = len;
	fib->ifindex = ifindex;
	/* version, traffic class and flow label */
	fib->flowinfo = *(const __be32 *)ip6 & bpf_htonl(0x0fffffff);
	*(union relay_ipv6 *)fib->ipv6_src = *ip6_source(ip6);
	*(union relay_ipv6 *)fib->ipv6_dst = *ip6_destination(ip6);
}

/* Did the FIB name an interface? */
static __always_inline bool fib_found(long ret)
{
	return ret == BPF_FIB_LKUP_RET_SUCCESS ||
	       ret == BPF_FIB_LKUP_RET_NO_NEIGH;
}

#endif /* _RELAY_HEADER_H */
