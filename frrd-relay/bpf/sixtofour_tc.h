/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 6to4 in tc: RFC 3056, RFC 4213. Part of relay.bpf.c.
 */
#ifndef _SIXTOFOUR_TC_H
#define _SIXTOFOUR_TC_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "relay_check.h"
#include "relay_flow.h"
#include "relay_header.h"
#include "relay_maps.h"
#include "relay_pass.h"

/* as no_decap_l3 */
static bool no_decap_ipxip4;

/* -------- encapsulation -------- */

/*
 * IPv6 for a relay. l2: octets before the IPv6 header. forwarded: the stack has
 * done its part (hop limit, MTU).
 */
static __always_inline int
sixtofour_encapsulate(struct __sk_buff *skb, __u32 l2,
		      const struct relay_bpf_relay *relay, struct pass *pass,
		      bool forwarded)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip6 = data + l2;
	struct iphdr ip;
	__u32 len;
	int drop;

	if ((void *)(ip6 + 1) > end)
		return leave_packet(skb, pass);
	len = ip6_length(ip6);
	if (ip6->version != 6 || (!skb->gso_size && len + l2 > skb->len))
		return drop_packet(skb, pass, RELAY_BPF_DROP_MALFORMED);
	if (!pass->flow) {
		drop = relay_check_6to4(&pass->check, relay, ip6_source(ip6),
					ip6_destination(ip6));
		if (drop)
			return drop_packet(skb, pass, drop);
	}
	if (!measure(skb, l2, len, &pass->burst) ||
	    len + IP4_LEN > IP4_LEN_MAX ||
	    (!forwarded &&
	     (ip6_is_for_stack(ip6) || pass->burst.longest > relay->mtu)))
		return leave_packet(skb, pass);

	ip4_make(&ip, relay, ip6, IPPROTO_IPV6,
		 relay_embedded(ip6_destination(ip6)), len,
		 pass->burst.packets);
	if (relay_is_no_host(ip.daddr))
		return leave_packet(skb, pass);
	if (pass->flow) {
		if (pass->burst.longest + IP4_LEN > pass->flow->mtu)
			return leave_packet(skb, pass);
	} else {
		fib_ask4(&pass->fib, skb->ifindex, &ip,
			 pass->burst.longest + IP4_LEN);
		if (!find_way(skb, pass, relay))
			return leave_packet(skb, pass);
	}

	if (!cut_tail(skb, len + l2))
		return leave_packet(skb, pass);
	/* refused for a packet that is in a tunnel already */
	if (bpf_skb_adjust_room(skb, IP4_LEN, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
					BPF_F_ADJ_ROOM_FIXED_GSO |
					BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return leave_packet(skb, pass);
	if (!l2 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip6 = data + ETH_HLEN + IP4_LEN;
	if ((void *)(ip6 + 1) > end)
		return TC_ACT_SHOT;
	write_ethernet(data, pass, ETH_P_IP);
	/* its own checksum makes its sum 0, whatever the whole packet's is */
	*(struct iphdr *)(data + ETH_HLEN) = ip;
	if (!forwarded) {
		__u8 hops = ip6->hop_limit--;

		checksum_octet(skb, hops, hops - 1);
	}
	pass->header = ETH_HLEN;
	return send_packet(skb, pass);
}

/* -------- decapsulation -------- */

/*
 * Takes the outer header off.
 *
 * A packet that GRO put together has marks of the tunnel on it. Kernels that
 * can't take them off would have an uplink's hardware look for a tunnel that
 * isn't there any more; so such packets are sit's, where there is one.
 */
static __always_inline enum strip_result
sixtofour_strip(struct __sk_buff *skb, const struct relay_bpf_relay *relay)
{
	const __u64 flags =
		BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
	int ret;

	if (skb->gso_size) {
		if (!no_decap_ipxip4) {
			ret = bpf_skb_adjust_room(
				skb, -IP4_LEN, BPF_ADJ_ROOM_MAC,
				flags | DECAP_L3_IPV6 | DECAP_IPXIP4);
			if (ret != -EINVAL)
				return ret ? STRIP_NOT : STRIP_DONE;
			no_decap_ipxip4 = true;
		}
		if (!(relay->flags & RELAY_BPF_AGGREGATES))
			return STRIP_NOT;
	}
	if (!no_decap_l3) {
		ret = bpf_skb_adjust_room(skb, -IP4_LEN, BPF_ADJ_ROOM_MAC,
					  flags | DECAP_L3_IPV6);
		if (ret != -EINVAL)
			return ret ? STRIP_NOT : STRIP_DONE;
		no_decap_l3 = true;
	}
	/* before 6.3: IPv4 is made IPv6 of 40 octets, which then go */
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
		return STRIP_NOT;
	return bpf_skb_adjust_room(skb, -IP6_LEN, BPF_ADJ_ROOM_MAC, flags)
		       ? STRIP_BROKEN
		       : STRIP_DONE;
}

/* An IPv4 packet of protocol 41; l2: octets before its header. */
static __always_inline int sixtofour_decapsulate(struct __sk_buff *skb,
						 __u32 l2, struct pass *pass)
{
	const __u32 start = l2 + IP4_LEN;
	const struct relay_bpf_relay *relay;
	__u8 outer_ecn, inner_ecn, hops;
	struct ipv6hdr *ip6;
	struct iphdr *ip;
	void *data, *end;
	__u32 len, total;
	int drop, ecn;

	if (!pull(skb, start))
		return TC_ACT_UNSPEC;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip = data + l2;
	if ((void *)(ip + 1) > end || ip4_is_for_stack(ip))
		return TC_ACT_UNSPEC;
	ip6 = data + start;
	if ((void *)(ip6 + 1) <= end && flow_known(skb, pass, ip6, ip, 0))
		relay = relay_at(&pass->check.place);
	else
		relay = relay_find(bpf_map_lookup_elem(&by_source, &ip->daddr),
				   &pass->check);
	if (!relay)
		return TC_ACT_UNSPEC;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || ip4_sum(ip) ||
	    (!skb->gso_size &&
	     (total < IP4_LEN + IP6_LEN || total + l2 > skb->len)))
		return drop_packet(skb, pass, RELAY_BPF_DROP_MALFORMED);
	if (!pull(skb, start + IP6_LEN))
		return leave_packet(skb, pass);
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip = data + l2;
	ip6 = data + start;
	if ((void *)(ip6 + 1) > end)
		return leave_packet(skb, pass);
	len = ip6_length(ip6);
	if (ip6->version != 6 || (!skb->gso_size && len + IP4_LEN > total))
		return drop_packet(skb, pass, RELAY_BPF_DROP_MALFORMED);
	if (!pass->flow) {
		drop = relay_check_4to6(&pass->check, relay, ip->saddr,
					ip6_source(ip6), ip6_destination(ip6));
		if (drop)
			return drop_packet(skb, pass, drop);
	}
	outer_ecn = ip->tos & ECN_MASK;
	inner_ecn = ip6_traffic_class(ip6) & ECN_MASK;
	ecn = relay_ecn_decapsulate(outer_ecn, inner_ecn);
	if (ecn < 0)
		return drop_packet(skb, pass, RELAY_BPF_DROP_ECN);
	if (!measure(skb, start, len, &pass->burst) || ip6_is_for_stack(ip6) ||
	    relay_is_no_host(ip->saddr) ||
	    (skb->gso_size && ip6->nexthdr != IPPROTO_TCP))
		return leave_packet(skb, pass);

	if (pass->flow) {
		if (pass->burst.longest > pass->flow->mtu)
			return leave_packet(skb, pass);
	} else {
		fib_ask6(&pass->fib, skb->ifindex, ip6, pass->burst.longest);
		if (!find_way(skb, pass, relay))
			return leave_packet(skb, pass);
	}

	/* what is behind the packet, in IPv4 too, does not cross */
	if (!cut_tail(skb, len + start))
		return leave_packet(skb, pass);
	switch (sixtofour_strip(skb, relay)) {
	case STRIP_DONE:
		break;
	case STRIP_NOT:
		return leave_packet(skb, pass);
	case STRIP_BROKEN:
		return TC_ACT_SHOT;
	}
	if (!l2 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip6 = data + ETH_HLEN;
	if ((void *)(ip6 + 1) > end)
		return TC_ACT_SHOT;
	write_ethernet(data, pass, ETH_P_IPV6);
	hops = ip6->hop_limit--;
	checksum_octet(skb, hops, hops - 1);
	if (ecn != inner_ecn) {
		__u8 octet = ip6->flow_lbl[0];

		ip6->flow_lbl[0] = (octet & ~(ECN_MASK << 4)) | ecn << 4;
		checksum_octet(skb, octet, ip6->flow_lbl[0]);
	}
	pass->header = ETH_HLEN;
	return send_packet(skb, pass);
}

#endif /* _SIXTOFOUR_TC_H */
