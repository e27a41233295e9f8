/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet's way through a tc program, whatever the relay: what is known of it,
 * what was decided for those like it, what becomes of it.
 */
#ifndef _RELAY_PASS_H
#define _RELAY_PASS_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "relay_bpf.h"
#include "relay_check.h"
#include "relay_flow.h"
#include "relay_header.h"
#include "relay_maps.h"

/* flags of bpf_skb_adjust_room() that came after 6.1 */
#define DECAP_L3_IPV6 (1ULL << 8) /* in 6.3 */
#define DECAP_L4_UDP (1ULL << 10)
#define DECAP_IPXIP4 (1ULL << 11)
#define EINVAL 22

/* What the kernel turned out not to have. */
static bool no_decap_l3;

/* The inner packets that a skb stands for. */
struct burst {
	__u32 len;     /* of the packet at hand, from its IPv6 header on */
	__u32 longest; /* of the packets that it will be cut into */
	__u32 packets;
	__u64 bytes;
};

/* A packet on its way through a program. */
struct pass {
	struct relay_check_ctx check;
	enum relay_bpf_way way;
	bool probe;   /* of the self-test */
	__u32 header; /* offset of the IP header */
	long fib_ret;
	struct bpf_fib_lookup fib;
	struct burst burst;
	/* what has been decided for such packets; NULL: nothing is known */
	const struct relay_flow *flow;
	/* where to keep it then; NULL: nowhere */
	struct relay_flow *keep;
	struct relay_flow_key key;
};

/* The rest is written before it is read. */
static __always_inline void pass_init(struct pass *pass, __u32 header)
{
	pass->check.unfiltered = false;
	pass->probe = false;
	pass->header = header;
	pass->fib_ret = -1;
	pass->flow = NULL;
	pass->keep = NULL;
}

/* -------- what becomes of it -------- */

/* A probe is told of, and ends. Rare: not inlined. */
static __attribute__((__noinline__)) int
tell_probe(struct __sk_buff *skb, const struct pass *pass, int reason)
{
	struct relay_bpf_probe *told =
		bpf_ringbuf_reserve(&probes, sizeof(*told), 0);
	__u32 len = skb->len - pass->header;

	if (!told)
		return TC_ACT_SHOT;
	told->place = pass->check.place;
	told->way = pass->way;
	told->fib = pass->fib_ret;
	told->oif = fib_found(pass->fib_ret) ? pass->fib.ifindex : 0;
	told->reason = reason;
	told->len = len;
	__builtin_memset(told->packet, 0, sizeof(told->packet));
	if (len > sizeof(told->packet))
		len = sizeof(told->packet);
	/* 1 to 128, as the verifier sees it too; no packet has no octets */
	len = ((len - 1) & (sizeof(told->packet) - 1)) + 1;
	bpf_skb_load_bytes(skb, pass->header, told->packet, len);
	/* relayd looks by itself */
	bpf_ringbuf_submit(told, BPF_RB_NO_WAKEUP);
	return TC_ACT_SHOT;
}

static __always_inline int drop_packet(struct __sk_buff *skb,
				       const struct pass *pass, int reason)
{
	if (pass->probe)
		return tell_probe(skb, pass, reason);
	count_drop(pass->check.place, reason);
	return TC_ACT_SHOT;
}

/* To the stack, or on to the relay's interface. */
static __always_inline int leave_packet(struct __sk_buff *skb,
					const struct pass *pass)
{
	if (pass->probe)
		return tell_probe(skb, pass, RELAY_BPF_PASS);
	return TC_ACT_UNSPEC;
}

/*
 * Out, the way that the FIB said. By the neighbour table rather than straight
 * to the address that the FIB knows: the kernel has to see its entries used, or
 * it would never find out that a next hop is gone or has another address.
 */
static __always_inline int send_packet(struct __sk_buff *skb,
				       const struct pass *pass)
{
	struct bpf_redir_neigh next = {.nh_family = pass->fib.family};

	if (pass->probe)
		return tell_probe(skb, pass, RELAY_BPF_PASS);
	count_crossed(pass->check.place, pass->way, pass->burst.packets,
		      pass->burst.bytes);
	if (pass->flow)
		return bpf_redirect(pass->flow->oif, 0);
	if (next.nh_family == RELAY_AF_INET)
		next.ipv4_nh = pass->fib.ipv4_dst;
	else
		*(union relay_ipv6 *)next.ipv6_nh =
			*(const union relay_ipv6 *)pass->fib.ipv6_dst;
	return bpf_redirect_neigh(pass->fib.ifindex, &next, sizeof(next), 0);
}

/*
 * The Ethernet header. Once redirected the kernel writes its own: but where the
 * device gave a checksum of the whole packet (CHECKSUM_COMPLETE), that one is
 * kept right only if both are the same.
 */
static __always_inline void
write_ethernet(struct ethhdr *eth, const struct pass *pass, __u16 protocol)
{
	if (pass->flow) {
		__builtin_memcpy(eth, pass->flow->macs, 2 * ETH_ALEN);
	} else {
		__builtin_memcpy(eth->h_dest, pass->fib.dmac, ETH_ALEN);
		__builtin_memcpy(eth->h_source, pass->fib.smac, ETH_ALEN);
	}
	eth->h_proto = bpf_htons(protocol);
}

/* -------- flows -------- */

/*
 * Has a packet like this one been decided on? ip: as flow_ask(). Sets
 * check.place if so, and where the answer may be kept if not.
 */
static __always_inline bool flow_known(struct __sk_buff *skb, struct pass *pass,
				       const struct ipv6hdr *ip6,
				       const struct iphdr *ip, __be16 port)
{
	const struct relay_flow *flow;

	if (pass->probe)
		return false;
	flow_ask(&pass->key, skb->ifindex, ip6, ip, port);
	flow = flow_find(&pass->key, &pass->keep);
	if (!flow)
		return false;
	pass->check.place = flow->place;
	pass->flow = flow;
	return true;
}

/*
 * Asks the FIB what is in pass->fib, and keeps the answer. False: to the stack.
 */
static __always_inline bool find_way(struct __sk_buff *skb, struct pass *pass,
				     const struct relay_bpf_relay *relay)
{
	pass->fib_ret = bpf_fib_lookup(skb, &pass->fib, sizeof(pass->fib), 0);
	/* Teredo's probes have both ends here */
	if (pass->probe && relay->udp_port &&
	    pass->fib_ret == BPF_FIB_LKUP_RET_NOT_FWDED)
		return true;
	/* 4to6, between two 6to4 sites: by way of the relay's interface */
	if (!fib_found(pass->fib_ret) || pass->fib.ifindex == relay->ifindex)
		return false;
	if (pass->keep && pass->fib_ret == BPF_FIB_LKUP_RET_SUCCESS)
		flow_keep(pass->keep, &pass->key, pass->check.place,
			  &pass->fib);
	return true;
}

/* -------- what it is -------- */

/* Are the first n octets at hand? Octets beyond them may be made so. */
static __always_inline bool pull(struct __sk_buff *skb, __u32 n)
{
	if ((void *)(long)skb->data + n <= (void *)(long)skb->data_end)
		return true;
	return skb->len >= n && bpf_skb_pull_data(skb, n) == 0;
}

/*
 * Fills burst for the IPv6 packet at offset, whose length is len. False: not to
 * be understood, so for the stack.
 */
static __always_inline bool measure(struct __sk_buff *skb, __u32 offset,
				    __u32 len, struct burst *burst)
{
	const void *data = (const void *)(long)skb->data;
	const void *end = (const void *)(long)skb->data_end;
	const struct ipv6hdr *ip6 = data + offset;
	__u32 size = skb->gso_size, headers = IP6_LEN;

	burst->len = len;
	if (!size) {
		burst->longest = len;
		burst->packets = 1;
		burst->bytes = len;
		return true;
	}
	if ((const void *)(ip6 + 1) > end)
		return false;
	if (ip6->nexthdr == IPPROTO_TCP) {
		const struct tcphdr *tcp = (const void *)(ip6 + 1);

		if ((const void *)(tcp + 1) > end)
			return false;
		headers += tcp->doff * 4;
	} else if (ip6->nexthdr == IPPROTO_UDP) {
		headers += sizeof(struct udphdr);
	} else {
		return false;
	}
	/* the lengths of the biggest ones (BIG TCP) don't fit in IPv4 */
	if (len + offset != skb->len || len + IP4_LEN > IP4_LEN_MAX ||
	    len <= headers)
		return false;
	burst->longest = headers + size;
	burst->packets = (len - headers + size - 1) / size;
	burst->bytes = len + (burst->packets - 1) * headers;
	return true;
}

/* Does the packet with its IPv6 header at offset carry that nonce, behind an
 * ICMPv6 or a UDP header? */
static __always_inline bool is_probe(struct __sk_buff *skb, __u32 offset,
				     __u64 wanted)
{
	__u64 nonce;

	return bpf_skb_load_bytes(skb, offset + IP6_LEN + 8, &nonce,
				  sizeof(nonce)) == 0 &&
	       nonce == wanted;
}

/* Cuts off what is behind the packet that ends there: Ethernet's padding, or
 * worse. False: to the stack. */
static __always_inline bool cut_tail(struct __sk_buff *skb, __u32 end)
{
	return skb->gso_size || end == skb->len ||
	       bpf_skb_change_tail(skb, end, 0) == 0;
}

/* What became of taking outer headers off: they are off, the packet is as it
 * was, or it is neither. */
enum strip_result { STRIP_DONE, STRIP_NOT, STRIP_BROKEN };

/* What is to be added to a checksum for an octet at an odd offset. */
static __always_inline void checksum_octet(struct __sk_buff *skb, __u8 from,
					   __u8 to)
{
	/* does nothing but for CHECKSUM_COMPLETE */
	bpf_csum_update(skb, bpf_htons(to) + (__u32)(__u16)~bpf_htons(from));
}

#endif /* _RELAY_PASS_H */
