/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Teredo in XDP: what teredo_tc.h does.
 */
#ifndef _TEREDO_XDP_H
#define _TEREDO_XDP_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "relay_bpf.h"
#include "relay_check.h"
#include "relay_flow.h"
#include "relay_header.h"
#include "relay_maps.h"
#include "relay_xdp.h"
#include "teredo_header.h"

static __always_inline int teredo_xdp_in(struct xdp_md *ctx,
					 struct xdp_pass *pass)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	struct udphdr *udp = (void *)(ip + 1);
	struct ipv6hdr *ip6 = (void *)(udp + 1);
	const struct relay_bpf_relay *relay;
	struct relay_bpf_peer *peer = NULL;
	__u64 now = 0;
	__u32 total;
	int drop, ecn;

	if ((void *)(ip6 + 1) > end)
		return XDP_PASS;
	relay = teredo_relay_find(ip, udp, &pass->check);
	if (!relay)
		return XDP_PASS;
	xdp_flow_known(ctx, pass, ip6, ip, udp->dest);
	if (!xdp_is_ours(ctx, pass, data))
		return XDP_PASS;
	total = bpf_ntohs(ip->tot_len);
	pass->len = bpf_ntohs(udp->len);
	if (ip->version != 4 || ip4_sum(ip) || pass->len < UDP_LEN ||
	    pass->len + IP4_LEN > total || (void *)ip + total > end)
		return xdp_drop(pass, RELAY_BPF_DROP_MALFORMED);
	pass->len -= UDP_LEN;
	if (!teredo_is_plain(ip6, pass->len) || teredo_is_bubble(ip6))
		return XDP_PASS;
	if (!pass->flow) {
		drop = relay_check_teredo_4to6(&pass->check, relay, ip->saddr,
					       udp->source, ip6_source(ip6),
					       ip6_destination(ip6));
		if (drop)
			return xdp_drop(pass, drop);
	} else if (udp->source != relay_teredo_port(ip6_source(ip6))) {
		return xdp_drop(pass, RELAY_BPF_DROP_SOURCE_SPOOFED);
	}
	ecn = relay_ecn_decapsulate(ip->tos, ip6_traffic_class(ip6));
	if (ecn < 0)
		return xdp_drop(pass, RELAY_BPF_DROP_ECN);
	if (ip6_is_for_stack(ip6) || xdp_may_lack_checksum(pass, ip6, end) ||
	    (!pass->flow && xdp_goes_up()))
		return XDP_PASS;
	if (!pass->flow) {
		now = bpf_ktime_get_coarse_ns();
		peer = teredo_peer_find(pass->check.place, ip6_source(ip6),
					now);
		if (!peer)
			return XDP_PASS;
		fib_ask6(&pass->fib, ctx->ingress_ifindex, ip6, pass->len);
	}
	if (!xdp_find_way(ctx, pass, pass->len, relay) ||
	    !xdp_resize(ctx, ETH_HLEN + TEREDO_LEN + pass->len, TEREDO_LEN))
		return XDP_PASS;
	if (peer)
		peer->rx_ns = now;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip6 = data + ETH_HLEN;
	if ((void *)(ip6 + 1) > end)
		return XDP_ABORTED;
	xdp_age(ip6, ecn);
	return xdp_send(pass, data, ETH_P_IPV6);
}

static __always_inline int teredo_xdp_out(struct xdp_md *ctx,
					  struct xdp_pass *pass,
					  const struct relay_bpf_relay *relay)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip6 = data + ETH_HLEN;
	struct relay_bpf_peer *peer = NULL;
	struct udphdr *udp;
	bool sum_is_known;
	struct iphdr ip;
	__u64 now = 0;
	int drop;

	if ((void *)(ip6 + 1) > end)
		return XDP_PASS;
	pass->len = ip6_length(ip6);
	if (ip6->version != 6 || (void *)ip6 + pass->len > end)
		return xdp_drop(pass, RELAY_BPF_DROP_MALFORMED);
	if (!pass->flow) {
		drop = relay_check_teredo_6to4(&pass->check, relay,
					       ip6_source(ip6),
					       ip6_destination(ip6));
		if (drop)
			return xdp_drop(pass, drop);
	}
	if (ip6_is_for_stack(ip6) || pass->len > relay->mtu ||
	    xdp_may_lack_checksum(pass, ip6, end) ||
	    (!pass->flow && xdp_goes_up()))
		return XDP_PASS;
	ip4_make(&ip, relay, ip6, IPPROTO_UDP,
		 relay_teredo_mapped(ip6_destination(ip6)), pass->len + UDP_LEN,
		 1);
	if (!pass->flow) {
		now = bpf_ktime_get_coarse_ns();
		peer = teredo_peer_find(pass->check.place, ip6_destination(ip6),
					now);
		if (!peer)
			return XDP_PASS;
		fib_ask4(&pass->fib, ctx->ingress_ifindex, &ip,
			 pass->len + TEREDO_LEN);
		pass->fib.sport = relay->udp_port;
		pass->fib.dport = relay_teredo_port(ip6_destination(ip6));
	}
	sum_is_known = teredo_sum_is_known(ip6, end);
	if (!xdp_find_way(ctx, pass, pass->len + TEREDO_LEN, relay) ||
	    !xdp_resize(ctx, ETH_HLEN + pass->len, -TEREDO_LEN))
		return XDP_PASS;
	if (peer)
		peer->tx_ns = now;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	udp = data + ETH_HLEN + IP4_LEN;
	ip6 = (void *)(udp + 1);
	if ((void *)(ip6 + 1) > end)
		return XDP_ABORTED;
	*(struct iphdr *)(data + ETH_HLEN) = ip;
	ip6->hop_limit--;
	teredo_udp_make(udp, relay, &ip, ip6, pass->len, sum_is_known);
	return xdp_send(pass, data, ETH_P_IP);
}

#endif /* _TEREDO_XDP_H */
