/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Teredo in tc: packets from and to the peers that the engine trusts, RFC 4380.
 * Part of relay.bpf.c.
 *
 * Up is the engine: by its UDP socket 4to6, through the relay's TUN 6to4. It
 * gets what RFC 4380 has rules for: who is not a peer yet, or has been silent
 * for long, bubbles, and whatever comes with a packet (authentication, origin,
 * trailers).
 */
#ifndef _TEREDO_TC_H
#define _TEREDO_TC_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
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
#include "teredo_header.h"

/* as no_decap_l3 */
static bool no_decap_udp;

/* -------- encapsulation -------- */

/* IPv6 for a relay; as sixtofour_encapsulate(). */
static __always_inline int
teredo_encapsulate(struct __sk_buff *skb, __u32 l2,
		   const struct relay_bpf_relay *relay, struct pass *pass,
		   bool forwarded)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip6 = data + l2;
	struct relay_bpf_peer *peer;
	struct udphdr udp;
	struct iphdr ip;
	bool sum_is_known;
	__u32 len;
	__u64 now;
	int drop;

	if ((void *)(ip6 + 1) > end)
		return leave_packet(skb, pass);
	len = ip6_length(ip6);
	if (ip6->version != 6 || (!skb->gso_size && len + l2 > skb->len))
		return drop_packet(skb, pass, RELAY_BPF_DROP_MALFORMED);
	if (!pass->flow) {
		drop = relay_check_teredo_6to4(&pass->check, relay,
					       ip6_source(ip6),
					       ip6_destination(ip6));
		if (drop)
			return drop_packet(skb, pass, drop);
	}
	if (!measure(skb, l2, len, &pass->burst) ||
	    len + TEREDO_LEN > IP4_LEN_MAX ||
	    (!forwarded &&
	     (ip6_is_for_stack(ip6) || pass->burst.longest > relay->mtu)))
		return leave_packet(skb, pass);

	ip4_make(&ip, relay, ip6, IPPROTO_UDP,
		 relay_teredo_mapped(ip6_destination(ip6)), len + UDP_LEN,
		 pass->burst.packets);
	if (pass->flow) {
		if (pass->burst.longest + TEREDO_LEN > pass->flow->mtu)
			return leave_packet(skb, pass);
	} else {
		now = bpf_ktime_get_coarse_ns();
		peer = teredo_peer_find(pass->check.place, ip6_destination(ip6),
					now);
		if (!peer)
			return leave_packet(skb, pass);
		fib_ask4(&pass->fib, skb->ifindex, &ip,
			 pass->burst.longest + TEREDO_LEN);
		pass->fib.sport = relay->udp_port;
		pass->fib.dport = relay_teredo_port(ip6_destination(ip6));
		if (!find_way(skb, pass, relay))
			return leave_packet(skb, pass);
		peer->tx_ns = now;
	}
	if (teredo_must_be_finished(skb, ip6, end) &&
	    is_veth(pass->flow ? pass->flow->oif : pass->fib.ifindex))
		return leave_packet(skb, pass);
	sum_is_known = !skb->gso_size && teredo_sum_is_known(ip6, end);

	if (!cut_tail(skb, len + l2))
		return leave_packet(skb, pass);
	/* refused for a packet that is in a tunnel already */
	if (bpf_skb_adjust_room(skb, TEREDO_LEN, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
					BPF_F_ADJ_ROOM_ENCAP_L4_UDP |
					BPF_F_ADJ_ROOM_FIXED_GSO |
					BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return leave_packet(skb, pass);
	if (!l2 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip6 = data + ETH_HLEN + TEREDO_LEN;
	if ((void *)(ip6 + 1) > end)
		return TC_ACT_SHOT;
	write_ethernet(data, pass, ETH_P_IP);
	*(struct iphdr *)(data + ETH_HLEN) = ip;
	if (!forwarded) {
		__u8 hops = ip6->hop_limit--;

		checksum_octet(skb, hops, hops - 1);
	}
	teredo_udp_make(&udp, relay, &ip, ip6, len, sum_is_known);
	*(struct udphdr *)(data + ETH_HLEN + IP4_LEN) = udp;
	/* does nothing but for CHECKSUM_COMPLETE */
	bpf_csum_update(skb, teredo_udp_sum(&udp));
	pass->header = ETH_HLEN;
	return send_packet(skb, pass);
}

/* -------- decapsulation -------- */

/*
 * Takes the outer headers off, and `more` octets behind them.
 *
 * Without BPF_F_ADJ_ROOM_NO_CSUM_RESET: what a device has verified is the
 * checksum of the datagram, which goes. GSO's marks: as sixtofour_strip().
 */
static __always_inline enum strip_result
teredo_strip(struct __sk_buff *skb, const struct relay_bpf_relay *relay,
	     int more)
{
	const __u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	int len = TEREDO_LEN + more, ret;

	if (skb->gso_size) {
		if (!no_decap_udp) {
			ret = bpf_skb_adjust_room(skb, -len, BPF_ADJ_ROOM_MAC,
						  flags | DECAP_L3_IPV6 |
							  DECAP_L4_UDP);
			if (ret != -EINVAL)
				return ret ? STRIP_NOT : STRIP_DONE;
			no_decap_udp = true;
		}
		if (!(relay->flags & RELAY_BPF_AGGREGATES))
			return STRIP_NOT;
	}
	if (!no_decap_l3) {
		ret = bpf_skb_adjust_room(skb, -len, BPF_ADJ_ROOM_MAC,
					  flags | DECAP_L3_IPV6);
		if (ret != -EINVAL)
			return ret ? STRIP_NOT : STRIP_DONE;
		no_decap_l3 = true;
	}
	/* before 6.3: IPv4 is made IPv6, 20 octets longer, which then go */
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
		return STRIP_NOT;
	return bpf_skb_adjust_room(skb, -(len + IP6_LEN - IP4_LEN),
				   BPF_ADJ_ROOM_MAC, flags)
		       ? STRIP_BROKEN
		       : STRIP_DONE;
}

/*
 * A checksum that was put off (CHECKSUM_PARTIAL) is known by its distance from
 * the packet's end, and the kernel forgets it only when it finds it before the
 * frame's beginning. The outer UDP header's would come to lie in the new
 * Ethernet header, and be written there. So for such packets the first octets
 * of the IPv6 header go as well, and come back.
 */
struct ipv6_head {
	__be32 words[2];
};
#define HEAD_LEN ((int)sizeof(struct ipv6_head))

/* A datagram; l2: octets before its IPv4 header. */
static __always_inline int teredo_decapsulate(struct __sk_buff *skb, __u32 l2,
					      struct pass *pass)
{
	const __u32 start = l2 + TEREDO_LEN;
	const struct relay_bpf_relay *relay;
	struct relay_bpf_peer *peer = NULL;
	__u32 len, total, payload;
	__u8 inner_ecn, hops;
	struct ipv6_head head;
	struct ipv6hdr *ip6;
	struct udphdr *udp;
	struct iphdr *ip;
	void *data, *end;
	int drop, ecn;
	bool behead;
	__u64 now;

	if (!services || !pull(skb, start))
		return TC_ACT_UNSPEC;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip = data + l2;
	udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > end || ip4_is_for_stack(ip))
		return TC_ACT_UNSPEC;
	relay = teredo_relay_find(ip, udp, &pass->check);
	if (!relay)
		return TC_ACT_UNSPEC;
	total = bpf_ntohs(ip->tot_len);
	payload = bpf_ntohs(udp->len);
	if (ip->version != 4 || ip4_sum(ip) || payload < UDP_LEN ||
	    (!skb->gso_size &&
	     (payload + IP4_LEN > total || total + l2 > skb->len)))
		return drop_packet(skb, pass, RELAY_BPF_DROP_MALFORMED);
	payload -= UDP_LEN;
	if (payload < IP6_LEN || !pull(skb, start + IP6_LEN))
		return leave_packet(skb, pass);
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip = data + l2;
	udp = (void *)(ip + 1);
	ip6 = data + start;
	/* A bubble is to the relay itself, by whatever address the relay gave
	 * in its own: the engine judges it. */
	if ((void *)(ip6 + 1) > end || !teredo_is_plain(ip6, payload) ||
	    teredo_is_bubble(ip6))
		return leave_packet(skb, pass);
	len = payload;
	if (!flow_known(skb, pass, ip6, ip, udp->dest)) {
		drop = relay_check_teredo_4to6(&pass->check, relay, ip->saddr,
					       udp->source, ip6_source(ip6),
					       ip6_destination(ip6));
		if (drop)
			return drop_packet(skb, pass, drop);
	} else if (udp->source != relay_teredo_port(ip6_source(ip6))) {
		return drop_packet(skb, pass, RELAY_BPF_DROP_SOURCE_SPOOFED);
	}
	inner_ecn = ip6_traffic_class(ip6) & ECN_MASK;
	ecn = relay_ecn_decapsulate(ip->tos, inner_ecn);
	if (ecn < 0)
		return drop_packet(skb, pass, RELAY_BPF_DROP_ECN);
	if (!measure(skb, start, len, &pass->burst) || ip6_is_for_stack(ip6) ||
	    (skb->gso_size && ip6->nexthdr != IPPROTO_TCP))
		return leave_packet(skb, pass);
	behead = l2 && !skb->gso_size && teredo_may_lack_checksum(ip, udp);
	if (behead && len < IP6_LEN + HEAD_LEN)
		return leave_packet(skb, pass);

	if (pass->flow) {
		if (pass->burst.longest > pass->flow->mtu)
			return leave_packet(skb, pass);
	} else {
		now = bpf_ktime_get_coarse_ns();
		peer = teredo_peer_find(pass->check.place, ip6_source(ip6),
					now);
		if (!peer)
			return leave_packet(skb, pass);
		fib_ask6(&pass->fib, skb->ifindex, ip6, pass->burst.longest);
		if (!find_way(skb, pass, relay))
			return leave_packet(skb, pass);
		peer->rx_ns = now;
	}

	head = *(struct ipv6_head *)ip6;
	if (!cut_tail(skb, len + start))
		return leave_packet(skb, pass);
	switch (teredo_strip(skb, relay, behead ? HEAD_LEN : 0)) {
	case STRIP_DONE:
		break;
	case STRIP_NOT:
		return leave_packet(skb, pass);
	case STRIP_BROKEN:
		return TC_ACT_SHOT;
	}
	if (behead && bpf_skb_adjust_room(skb, HEAD_LEN, BPF_ADJ_ROOM_MAC,
					  BPF_F_ADJ_ROOM_FIXED_GSO))
		return TC_ACT_SHOT;
	if (!l2 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip6 = data + ETH_HLEN;
	if ((void *)(ip6 + 1) > end)
		return TC_ACT_SHOT;
	write_ethernet(data, pass, ETH_P_IPV6);
	if (behead) {
		*(struct ipv6_head *)ip6 = head;
		bpf_csum_update(skb,
				fold((__u64)head.words[0] + head.words[1]));
	}
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

#endif /* _TEREDO_TC_H */
