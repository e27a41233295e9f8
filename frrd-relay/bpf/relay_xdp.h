/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XDP: what the tc programs do, before there is a skb. Part of the same object,
 * so that maps, flows and counters are the same.
 *
 *   uplink_xdp         as uplink_ingress, on an uplink in native mode
 *
 * It takes whole frames for an uplink's own address that go out by an uplink
 * that can send such frames; it hands up, as they came, all others, and what tc
 * would hand up: tagged frames, those in several buffers, those for whom there
 * is no neighbour yet, those whose checksum is still to be done. What has
 * crossed or was dropped here was never seen by tc, so nothing is counted
 * twice.
 */
#ifndef _RELAY_XDP_H
#define _RELAY_XDP_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "relay_bpf.h"
#include "relay_check.h"
#include "relay_flow.h"
#include "relay_header.h"
#include "relay_maps.h"

/* Uplinks with this program, by interface: what frames for this host look like.
 * Without an entry nothing is taken. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RELAY_BPF_UPLINKS_MAX);
	__type(key, __u32);
	__type(value, struct relay_bpf_uplink);
} xdp_uplinks SEC(".maps");

/* Interfaces that send XDP frames, by themselves; the others get a skb. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, RELAY_BPF_UPLINKS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xdp_devices SEC(".maps");

/*
 * One packet in so many that ask the FIB goes up instead, 0: none. tc sends it
 * by way of the neighbour table: no neighbour is in use for the kernel, and so
 * none is known to be there still, that XDP alone sends to.
 */
__u32 xdp_up_share = 16;

/* ETH_ZLEN */
#define FRAME_MIN 60

/* A frame on its way. */
struct xdp_pass {
	struct relay_check_ctx check;
	enum relay_bpf_way way;
	__u32 len;		 /* of the IPv6 packet */
	__u8 mac[ETH_ALEN];	 /* that the frame is for, this host's */
	struct relay_flow *flow; /* as in struct pass */
	struct relay_flow *keep;
	struct relay_flow_key key;
	struct bpf_fib_lookup fib;
};

/* As flow_known() of tc. */
static __always_inline void xdp_flow_known(struct xdp_md *ctx,
					   struct xdp_pass *pass,
					   const struct ipv6hdr *ip6,
					   const struct iphdr *ip, __be16 port)
{
	flow_ask(&pass->key, ctx->ingress_ifindex, ip6, ip, port);
	pass->flow = (struct relay_flow *)flow_find(&pass->key, &pass->keep);
	if (pass->flow)
		pass->check.place = pass->flow->place;
}

/* Is all of the frame at hand? */
static __always_inline bool xdp_is_whole(struct xdp_md *ctx)
{
	return bpf_xdp_get_buff_len(ctx) ==
	       (__u32)ctx->data_end - (__u32)ctx->data;
}

/* Is the frame for this host? */
static __always_inline bool
xdp_is_ours(struct xdp_md *ctx, struct xdp_pass *pass, const struct ethhdr *eth)
{
	__u32 ifindex = ctx->ingress_ifindex;
	const struct relay_bpf_uplink *uplink;
	const __u16 *a = (const __u16 *)pass->mac, *b;

	__builtin_memcpy(pass->mac, eth->h_dest, ETH_ALEN);
	if (pass->flow && pass->flow->xdp) {
		b = (const __u16 *)pass->flow->xdp_mac;
	} else {
		uplink = bpf_map_lookup_elem(&xdp_uplinks, &ifindex);
		if (!uplink)
			return false;
		b = (const __u16 *)uplink->mac;
	}
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

/* ip6_may_lack_checksum() */
static __always_inline bool xdp_may_lack_checksum(const struct xdp_pass *pass,
						  const struct ipv6hdr *ip6,
						  const void *end)
{
	return ip6_may_lack_checksum(
		ip6, end,
		pass->flow ? pass->flow->addresses
			   : ip6_addresses_sum(ip6_source(ip6),
					       ip6_destination(ip6)));
}

/* The flow, or else pass->fib, is asked whether len octets of IP can go out by
 * XDP. */
static __always_inline bool xdp_find_way(struct xdp_md *ctx,
					 struct xdp_pass *pass, __u32 len,
					 const struct relay_bpf_relay *relay)
{
	__u32 oif;

	if (pass->flow) {
		if (len > pass->flow->mtu)
			return false;
		if (pass->flow->xdp)
			return true;
		oif = pass->flow->oif;
	} else {
		if (bpf_fib_lookup(ctx, &pass->fib, sizeof(pass->fib), 0) !=
			    BPF_FIB_LKUP_RET_SUCCESS ||
		    pass->fib.ifindex == relay->ifindex)
			return false;
		oif = pass->fib.ifindex;
	}
	return bpf_map_lookup_elem(&xdp_devices, &oif);
}

/*
 * Cuts off what is behind the packet, and moves the frame's beginning by octets
 * (bpf_xdp_adjust_head()). used: octets up to the packet's end. A frame that
 * would be too short for Ethernet gets zeroes behind it. False: not possible,
 * the packet is still what it was.
 */
static __always_inline bool xdp_resize(struct xdp_md *ctx, __u32 used, int by)
{
	__u32 size = (__u32)ctx->data_end - (__u32)ctx->data;
	int missing = FRAME_MIN + by - (int)used;

	if (size > used && bpf_xdp_adjust_tail(ctx, (int)(used - size)))
		return false;
	if (missing > 0 && bpf_xdp_adjust_tail(ctx, missing))
		return false;
	return bpf_xdp_adjust_head(ctx, by) == 0;
}

/* Others like it need not be asked about again. */
static __always_inline void xdp_keep(struct relay_flow *flow,
				     const struct xdp_pass *pass)
{
	__builtin_memcpy(flow->xdp_mac, pass->mac, ETH_ALEN);
	flow->xdp = true;
}

/* The frame has its IP header behind room for Ethernet's. */
static __always_inline int xdp_send(struct xdp_pass *pass, struct ethhdr *eth,
				    __u16 protocol)
{
	__u32 oif;

	eth->h_proto = bpf_htons(protocol);
	if (!pass->flow) {
		__builtin_memcpy(eth->h_dest, pass->fib.dmac, ETH_ALEN);
		__builtin_memcpy(eth->h_source, pass->fib.smac, ETH_ALEN);
		oif = pass->fib.ifindex;
		if (pass->keep) {
			flow_keep(pass->keep, &pass->key, pass->check.place,
				  &pass->fib);
			xdp_keep(pass->keep, pass);
		}
	} else {
		__builtin_memcpy(eth, pass->flow->macs, 2 * ETH_ALEN);
		oif = pass->flow->oif;
		if (!pass->flow->xdp)
			xdp_keep(pass->flow, pass);
	}
	count_crossed(pass->check.place, pass->way, 1, pass->len);
	return bpf_redirect_map(&xdp_devices, oif, XDP_DROP);
}

static __always_inline int xdp_drop(const struct xdp_pass *pass, int reason)
{
	count_drop(pass->check.place, reason);
	return XDP_DROP;
}

/* Is it this packet's turn to go up? */
static __always_inline bool xdp_goes_up(void)
{
	__u32 share = xdp_up_share;

	return share && bpf_get_prandom_u32() % share == 0;
}

/* -------- what is the same for both kinds -------- */

/* The relay that the FIB gives an IPv6 packet to; NULL: none. */
static __always_inline const struct relay_bpf_relay *
xdp_route(struct xdp_md *ctx, struct xdp_pass *pass, const struct ipv6hdr *ip6)
{
	if (pass->flow)
		return relay_at(&pass->check.place);
	fib_ask6(&pass->fib, ctx->ingress_ifindex, ip6, 1);
	/* as uplink_ipv6() */
	if (ip6_is_for_stack(ip6))
		__builtin_memset(pass->fib.ipv6_src, 0, 16);
	if (!fib_found(bpf_fib_lookup(ctx, &pass->fib, sizeof(pass->fib), 0)))
		return NULL;
	return relay_find(bpf_map_lookup_elem(&by_ifindex, &pass->fib.ifindex),
			  &pass->check);
}

/* The inner header of what has been unwrapped, as it goes on. */
static __always_inline void xdp_age(struct ipv6hdr *ip6, int ecn)
{
	ip6->hop_limit--;
	if (ecn != (ip6_traffic_class(ip6) & ECN_MASK))
		ip6->flow_lbl[0] =
			(ip6->flow_lbl[0] & ~(ECN_MASK << 4)) | ecn << 4;
}

#endif /* _RELAY_XDP_H */
