/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was decided about a packet, for those like it that follow at once: the
 * checks' and the FIB's answers for a pair of addresses. Asking the FIB (twice,
 * to encapsulate) is half of what a packet costs.
 *
 * An entry serves 50 ms, which is as late as a changed route is noticed; what
 * relayd has set, or is told of links and addresses, counts from the next
 * packet on (`flow_generation`). All that an answer depends on is in the key,
 * so policy routing and several next hops hold for each packet. The first
 * packet of each entry goes out by way of the neighbour table, so that the
 * kernel sees its entry used.
 */
#ifndef _RELAY_FLOW_H
#define _RELAY_FLOW_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "relay_header.h"

#define FLOWS_BITS 13

struct relay_flow_key {
	union relay_ipv6 src, dst;
	/* decapsulation: the outer addresses; 0 elsewhere */
	__be32 outer_src, outer_dst;
	__u32 ifindex; /* that it came in by */
	__be32 info;   /* DSCP and flow label */
	__u8 nexthdr;
	__u8 pad;    /* 0 */
	__be16 port; /* Teredo, decapsulation: the relay's; 0 elsewhere */
	__u32 generation;
} __attribute__((__aligned__(8)));

struct relay_flow {
	struct relay_flow_key key;
	__u64 until; /* CLOCK_MONOTONIC_COARSE, nanoseconds */
	__u32 place; /* of the relay */
	__u32 oif;
	__u32 mtu;		 /* of what leaves, as it leaves */
	__u8 macs[2 * ETH_ALEN]; /* destination, source */
	__u16 addresses;	 /* ip6_addresses_sum() */
	/* XDP can send them, and takes those for this address */
	__u8 xdp_mac[ETH_ALEN];
	bool xdp;
};

/* a processor's own: programs don't interrupt each other on it */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << FLOWS_BITS);
	__type(key, __u32);
	__type(value, struct relay_flow);
} flows SEC(".maps");

/* how long an entry serves; 0: not at all */
__u64 flow_lifetime_ns = 50 * 1000 * 1000;

/* relayd counts it up after each change to the other maps, and with news of the
 * kernel */
__u32 flow_generation = 1;

static __always_inline __u64 flow_word(const union relay_ipv6 *addr, int n)
{
	return (__u64)addr->longs[2 * n + 1] << 32 | addr->longs[2 * n];
}

/* ip: the outer header, NULL for what is to be encapsulated; port: of Teredo's.
 */
static __always_inline void flow_ask(struct relay_flow_key *key, __u32 ifindex,
				     const struct ipv6hdr *ip6,
				     const struct iphdr *ip, __be16 port)
{
	key->src = *ip6_source(ip6);
	key->dst = *ip6_destination(ip6);
	key->outer_src = ip ? ip->saddr : 0;
	key->outer_dst = ip ? ip->daddr : 0;
	key->ifindex = ifindex;
	key->info = *(const __be32 *)ip6 & bpf_htonl(0x0fcfffff);
	key->nexthdr = ip6->nexthdr;
	key->pad = 0;
	key->port = port;
	key->generation = flow_generation;
}

/* A flow has its place, or its neighbour: two that want the same don't put each
 * other out. */
static __always_inline __u32 flow_hash(const struct relay_flow_key *key)
{
	__u64 hash = flow_word(&key->src, 0) * 3 + flow_word(&key->src, 1) * 5 +
		     flow_word(&key->dst, 0) * 7 + flow_word(&key->dst, 1) +
		     key->info;

	return hash * 0x9e3779b97f4a7c15ULL >> (64 - FLOWS_BITS);
}

static __always_inline bool flow_is(const struct relay_flow *flow,
				    const struct relay_flow_key *key)
{
	const __u64 *a = (const __u64 *)&flow->key, *b = (const __u64 *)key;

	_Static_assert(sizeof(*key) == 56, "compared in words of 64 bits");
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) |
		 (a[4] ^ b[4]) | (a[5] ^ b[5]) | (a[6] ^ b[6])) &&
	       bpf_ktime_get_coarse_ns() < flow->until;
}

/* The answer for key. NULL: none, and *keep is where to put one, or NULL. */
static __always_inline const struct relay_flow *
flow_find(const struct relay_flow_key *key, struct relay_flow **keep)
{
	__u32 i = flow_hash(key), j = i ^ 1;
	struct relay_flow *first = bpf_map_lookup_elem(&flows, &i), *second;

	*keep = NULL;
	if (!first)
		return NULL;
	if (flow_is(first, key))
		return first;
	second = bpf_map_lookup_elem(&flows, &j);
	if (!second)
		return NULL;
	if (flow_is(second, key))
		return second;
	*keep = first->until <= second->until ? first : second;
	return NULL;
}

/* fib: the answer, with the neighbour's address and the MTU. */
static __always_inline void flow_keep(struct relay_flow *flow,
				      const struct relay_flow_key *key,
				      __u32 place,
				      const struct bpf_fib_lookup *fib)
{
	if (!flow_lifetime_ns)
		return;
	flow->key = *key;
	flow->until = bpf_ktime_get_coarse_ns() + flow_lifetime_ns;
	flow->place = place;
	flow->oif = fib->ifindex;
	flow->mtu = fib->mtu_result;
	flow->addresses = ip6_addresses_sum(&key->src, &key->dst);
	__builtin_memcpy(flow->macs, fib->dmac, ETH_ALEN);
	__builtin_memcpy(flow->macs + ETH_ALEN, fib->smac, ETH_ALEN);
	flow->xdp = false;
}

#endif /* _RELAY_FLOW_H */
