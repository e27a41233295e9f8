/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 6to4 in XDP: what sixtofour_tc.h does, before there is a skb. Part of the
 * same object, so that maps, flows and counters are the same.
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
#ifndef _SIXTOFOUR_XDP_H
#define _SIXTOFOUR_XDP_H

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
					   const struct iphdr *ip)
{
	flow_ask(&pass->key, ctx->ingress_ifindex, ip6, ip, 0);
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

/* -------- 4to6 -------- */

static __always_inline int xdp_decapsulate(struct xdp_md *ctx,
					   struct xdp_pass *pass)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	struct ipv6hdr *ip6 = (void *)(ip + 1);
	const struct relay_bpf_relay *relay;
	__u8 inner_ecn;
	__u32 total;
	int drop, ecn;

	if ((void *)(ip6 + 1) > end)
		return XDP_PASS;
	xdp_flow_known(ctx, pass, ip6, ip);
	if (!xdp_is_ours(ctx, pass, data))
		return XDP_PASS;
	if (pass->flow)
		relay = relay_at(&pass->check.place);
	else
		relay = relay_find(bpf_map_lookup_elem(&by_source, &ip->daddr),
				   &pass->check);
	if (!relay)
		return XDP_PASS;
	total = bpf_ntohs(ip->tot_len);
	pass->len = ip6_length(ip6);
	if (ip->version != 4 || ip4_sum(ip) || total < IP4_LEN + IP6_LEN ||
	    (void *)ip + total > end || ip6->version != 6 ||
	    pass->len + IP4_LEN > total)
		return xdp_drop(pass, RELAY_BPF_DROP_MALFORMED);
	if (!pass->flow) {
		drop = relay_check_4to6(&pass->check, relay, ip->saddr,
					ip6_source(ip6), ip6_destination(ip6));
		if (drop)
			return xdp_drop(pass, drop);
	}
	inner_ecn = ip6_traffic_class(ip6) & ECN_MASK;
	ecn = relay_ecn_decapsulate(ip->tos, inner_ecn);
	if (ecn < 0)
		return xdp_drop(pass, RELAY_BPF_DROP_ECN);
	if (ip6_is_for_stack(ip6) || relay_is_no_host(ip->saddr) ||
	    xdp_may_lack_checksum(pass, ip6, end) ||
	    (!pass->flow && xdp_goes_up()))
		return XDP_PASS;
	if (!pass->flow)
		fib_ask6(&pass->fib, ctx->ingress_ifindex, ip6, pass->len);
	if (!xdp_find_way(ctx, pass, pass->len, relay) ||
	    !xdp_resize(ctx, ETH_HLEN + IP4_LEN + pass->len, IP4_LEN))
		return XDP_PASS;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip6 = data + ETH_HLEN;
	if ((void *)(ip6 + 1) > end)
		return XDP_ABORTED;
	ip6->hop_limit--;
	if (ecn != inner_ecn)
		ip6->flow_lbl[0] =
			(ip6->flow_lbl[0] & ~(ECN_MASK << 4)) | ecn << 4;
	return xdp_send(pass, data, ETH_P_IPV6);
}

/* -------- 6to4 -------- */

static __always_inline int xdp_encapsulate(struct xdp_md *ctx,
					   struct xdp_pass *pass)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip6 = data + ETH_HLEN;
	const struct relay_bpf_relay *relay;
	struct iphdr ip;
	int drop;

	if ((void *)(ip6 + 1) > end)
		return XDP_PASS;
	xdp_flow_known(ctx, pass, ip6, NULL);
	if (!xdp_is_ours(ctx, pass, data))
		return XDP_PASS;
	if (pass->flow) {
		relay = relay_at(&pass->check.place);
	} else {
		fib_ask6(&pass->fib, ctx->ingress_ifindex, ip6, 1);
		if (ip6_is_for_stack(ip6))
			__builtin_memset(pass->fib.ipv6_src, 0, 16);
		if (!fib_found(bpf_fib_lookup(ctx, &pass->fib,
					      sizeof(pass->fib), 0)))
			return XDP_PASS;
		relay = relay_find(
			bpf_map_lookup_elem(&by_ifindex, &pass->fib.ifindex),
			&pass->check);
	}
	if (!relay)
		return XDP_PASS;
	pass->len = ip6_length(ip6);
	if (ip6->version != 6 || (void *)ip6 + pass->len > end)
		return xdp_drop(pass, RELAY_BPF_DROP_MALFORMED);
	if (!pass->flow) {
		drop = relay_check_6to4(&pass->check, relay, ip6_source(ip6),
					ip6_destination(ip6));
		if (drop)
			return xdp_drop(pass, drop);
	}
	if (ip6_is_for_stack(ip6) || pass->len > relay->mtu ||
	    xdp_may_lack_checksum(pass, ip6, end) ||
	    (!pass->flow && xdp_goes_up()))
		return XDP_PASS;
	ip4_make(&ip, relay, ip6, IPPROTO_IPV6,
		 relay_embedded(ip6_destination(ip6)), pass->len, 1);
	if (relay_is_no_host(ip.daddr))
		return XDP_PASS;
	if (!pass->flow)
		fib_ask4(&pass->fib, ctx->ingress_ifindex, &ip,
			 pass->len + IP4_LEN);
	if (!xdp_find_way(ctx, pass, pass->len + IP4_LEN, relay) ||
	    !xdp_resize(ctx, ETH_HLEN + pass->len, -IP4_LEN))
		return XDP_PASS;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip6 = data + ETH_HLEN + IP4_LEN;
	if ((void *)(ip6 + 1) > end)
		return XDP_ABORTED;
	*(struct iphdr *)(data + ETH_HLEN) = ip;
	ip6->hop_limit--;
	return xdp_send(pass, data, ETH_P_IP);
}

/* -------- program -------- */

/* In several buffers: drivers with a great MTU take no other program. */
SEC("xdp.frags")
int uplink_xdp(struct xdp_md *ctx)
{
	const void *data = (const void *)(long)ctx->data;
	const void *end = (const void *)(long)ctx->data_end;
	const struct ethhdr *eth = data;
	const struct ipv6hdr *ip6 = (const void *)(eth + 1);
	const struct iphdr *ip = (const void *)(eth + 1);
	struct xdp_pass pass;

	/* IPv4 is at least as long, with what is in it */
	if ((const void *)(ip6 + 1) > end)
		return XDP_PASS;
	pass.check.unfiltered = false;
	switch (eth->h_proto) {
	case bpf_htons(ETH_P_IP):
		if (ip->protocol != IPPROTO_IPV6 || ip4_is_for_stack(ip) ||
		    !xdp_is_whole(ctx))
			return XDP_PASS;
		pass.way = RELAY_BPF_WAY_4TO6;
		return xdp_decapsulate(ctx, &pass);
	case bpf_htons(ETH_P_IPV6):
		if (!relay_is_6to4(ip6_destination(ip6)) || !xdp_is_whole(ctx))
			return XDP_PASS;
		pass.way = RELAY_BPF_WAY_6TO4;
		return xdp_encapsulate(ctx, &pass);
	}
	return XDP_PASS;
}

#endif /* _SIXTOFOUR_XDP_H */
