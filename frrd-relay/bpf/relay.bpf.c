/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 6to4 and Teredo in tc: a packet is taken where it comes in, checked, given
 * its new header and sent out by the interface that the kernel's own FIB names.
 *
 *   uplink_ingress     IPv4 protocol 41, or UDP, to a relay: decapsulated
 *                      (4to6); IPv6 that the FIB would give to a relay:
 *                      encapsulated
 *   uplink_ingress_l3  the same, on a device without a link-layer header
 *   relay_egress       IPv6 that reached a relay's interface through the stack:
 *                      encapsulated
 *
 * What is rare or hard goes on up the stack, which does it right: fragments,
 * options, the last hop, packets too big, anything for the host itself; and
 * Teredo's peers that are not known yet (teredo_tc.h). In
 * doubt a packet goes up, never out; and it goes up as it came, since nothing
 * is written to it before it is sure to go out.
 *
 * Up is TC_ACT_UNSPEC: the operator's own filters behind these still run.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "relay_bpf.h"
#include "relay_check.h"
#include "relay_flow.h"
#include "relay_header.h"
#include "relay_maps.h"
#include "relay_pass.h"
#include "relay_xdp.h"
#include "sixtofour_tc.h"
#include "sixtofour_xdp.h"
#include "teredo_tc.h"
#include "teredo_xdp.h"

#define LOOPBACK_IFINDEX 1

/* IPv6 to a relay of its kind. NULL: none. */
static __always_inline int encapsulate(struct __sk_buff *skb, __u32 l2,
				       const struct relay_bpf_relay *relay,
				       struct pass *pass, bool forwarded)
{
	const struct ipv6hdr *ip6 = (void *)(long)skb->data + l2;

	if (!relay || (const void *)(ip6 + 1) > (void *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	if (relay->udp_port)
		return relay_is_teredo(ip6_destination(ip6))
			       ? teredo_encapsulate(skb, l2, relay, pass,
						    forwarded)
			       : TC_ACT_UNSPEC;
	return relay_is_6to4(ip6_destination(ip6))
		       ? sixtofour_encapsulate(skb, l2, relay, pass, forwarded)
		       : TC_ACT_UNSPEC;
}

/* Is it to the peer that the self-test of a Teredo relay has made? */
static __always_inline bool is_own_peer(const struct relay_bpf_relay *relay,
					const struct ipv6hdr *ip6)
{
	return relay->udp_port && ip6->nexthdr == IPPROTO_UDP &&
	       relay_teredo_mapped(ip6_destination(ip6)) == relay->source;
}

/* IPv6: to the relay that the FIB gives it to, if any. l2: octets before the
 * IPv6 header. */
static __always_inline int uplink_ipv6(struct __sk_buff *skb, __u32 l2,
				       struct pass *pass)
{
	const struct relay_bpf_relay *relay;
	const struct ipv6hdr *ip6;
	const void *data, *end;

	if (!pull(skb, l2 + IP6_LEN))
		return TC_ACT_UNSPEC;
	data = (const void *)(long)skb->data;
	end = (const void *)(long)skb->data_end;
	ip6 = data + l2;
	if ((const void *)(ip6 + 1) > end ||
	    (!relay_is_6to4(ip6_destination(ip6)) &&
	     !relay_is_teredo(ip6_destination(ip6))))
		return TC_ACT_UNSPEC;
	if (flow_known(skb, pass, ip6, NULL, 0)) {
		relay = relay_at(&pass->check.place);
	} else {
		fib_ask6(&pass->fib, skb->ifindex, ip6, 1);
		/* the FIB refuses sources that the checks have to see and
		 * count */
		if (ip6_is_for_stack(ip6))
			__builtin_memset(pass->fib.ipv6_src, 0, 16);
		if (!fib_found(bpf_fib_lookup(skb, &pass->fib,
					      sizeof(pass->fib), 0)))
			return TC_ACT_UNSPEC;
		relay = relay_find(
			bpf_map_lookup_elem(&by_ifindex, &pass->fib.ifindex),
			&pass->check);
	}
	return encapsulate(skb, l2, relay, pass, false);
}

/* of what this host sends itself, the probes alone */
static __always_inline bool is_for_programs(struct __sk_buff *skb, __u32 inner,
					    struct pass *pass)
{
	if (skb->ifindex != LOOPBACK_IFINDEX)
		return true;
	if (!is_probe(skb, inner, probe_nonce))
		return false;
	pass->probe = pass->check.unfiltered = true;
	return true;
}

/* IPv4: by what is in it. */
static __always_inline int uplink_ipv4(struct __sk_buff *skb, __u32 l2,
				       struct pass *pass)
{
	const struct iphdr *ip;
	const void *data, *end;

	if (!pull(skb, l2 + IP4_LEN))
		return TC_ACT_UNSPEC;
	data = (const void *)(long)skb->data;
	end = (const void *)(long)skb->data_end;
	ip = data + l2;
	if ((const void *)(ip + 1) > end)
		return TC_ACT_UNSPEC;
	switch (ip->protocol) {
	case IPPROTO_IPV6:
		return is_for_programs(skb, l2 + IP4_LEN, pass)
			       ? sixtofour_decapsulate(skb, l2, pass)
			       : TC_ACT_UNSPEC;
	case IPPROTO_UDP:
		return is_for_programs(skb, l2 + TEREDO_LEN, pass)
			       ? teredo_decapsulate(skb, l2, pass)
			       : TC_ACT_UNSPEC;
	}
	return TC_ACT_UNSPEC;
}

static __always_inline int ingress(struct __sk_buff *skb, __u32 l2)
{
	struct pass pass;

	pass_init(&pass, l2);
	/* another host's; or the VLAN device's, which sees it untagged */
	if (skb->pkt_type != PACKET_HOST || skb->vlan_present)
		return TC_ACT_UNSPEC;
	switch (skb->protocol) {
	case bpf_htons(ETH_P_IP):
		pass.way = RELAY_BPF_WAY_4TO6;
		return uplink_ipv4(skb, l2, &pass);
	case bpf_htons(ETH_P_IPV6):
		pass.way = RELAY_BPF_WAY_6TO4;
		return is_for_programs(skb, l2, &pass)
			       ? uplink_ipv6(skb, l2, &pass)
			       : TC_ACT_UNSPEC;
	}
	return TC_ACT_UNSPEC;
}

SEC("tc")
int uplink_ingress(struct __sk_buff *skb)
{
	return ingress(skb, ETH_HLEN);
}

SEC("tc")
int uplink_ingress_l3(struct __sk_buff *skb)
{
	return ingress(skb, 0);
}

SEC("tc")
int relay_egress(struct __sk_buff *skb)
{
	struct pass pass;
	const struct relay_bpf_relay *relay;
	const struct ipv6hdr *ip6;
	const void *data, *end;
	__u32 ifindex = skb->ifindex;

	pass_init(&pass, 0);
	pass.way = RELAY_BPF_WAY_6TO4;
	if (skb->protocol != bpf_htons(ETH_P_IPV6) || !pull(skb, IP6_LEN))
		return TC_ACT_UNSPEC;
	data = (const void *)(long)skb->data;
	end = (const void *)(long)skb->data_end;
	ip6 = data;
	if ((const void *)(ip6 + 1) > end)
		return TC_ACT_UNSPEC;
	if (ip6->nexthdr == IPPROTO_ICMPV6 && is_probe(skb, 0, stack_nonce))
		return TC_ACT_UNSPEC;
	relay = relay_find(bpf_map_lookup_elem(&by_ifindex, &ifindex),
			   &pass.check);
	if (relay && is_own_peer(relay, ip6)) {
		if (is_probe(skb, 0, stack_nonce))
			return TC_ACT_UNSPEC;
		pass.probe = pass.check.unfiltered =
			is_probe(skb, 0, probe_nonce);
	}
	return encapsulate(skb, 0, relay, &pass, true);
}

/* -------- XDP -------- */

static __always_inline int xdp_ipv4(struct xdp_md *ctx, struct xdp_pass *pass,
				    const struct iphdr *ip)
{
	__u8 protocol = ip->protocol;

	if ((protocol != IPPROTO_IPV6 &&
	     (protocol != IPPROTO_UDP || !services)) ||
	    ip4_is_for_stack(ip) || !xdp_is_whole(ctx))
		return XDP_PASS;
	pass->way = RELAY_BPF_WAY_4TO6;
	return protocol == IPPROTO_UDP ? teredo_xdp_in(ctx, pass)
				       : sixtofour_xdp_in(ctx, pass);
}

static __always_inline int xdp_ipv6(struct xdp_md *ctx, struct xdp_pass *pass,
				    const struct ethhdr *eth)
{
	const struct ipv6hdr *ip6 = (const void *)(eth + 1);
	bool teredo = relay_is_teredo(ip6_destination(ip6));
	const struct relay_bpf_relay *relay;

	if ((!teredo && !relay_is_6to4(ip6_destination(ip6))) ||
	    !xdp_is_whole(ctx))
		return XDP_PASS;
	pass->way = RELAY_BPF_WAY_6TO4;
	xdp_flow_known(ctx, pass, ip6, NULL, 0);
	if (!xdp_is_ours(ctx, pass, eth))
		return XDP_PASS;
	relay = xdp_route(ctx, pass, ip6);
	if (!relay || teredo != !!relay->udp_port)
		return XDP_PASS;
	return teredo ? teredo_xdp_out(ctx, pass, relay)
		      : sixtofour_xdp_out(ctx, pass, relay);
}

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
		return xdp_ipv4(ctx, &pass, ip);
	case bpf_htons(ETH_P_IPV6):
		return xdp_ipv6(ctx, &pass, eth);
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
