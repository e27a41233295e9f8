/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 6to4 in XDP: what sixtofour_tc.h does.
 */
#ifndef _SIXTOFOUR_XDP_H
#define _SIXTOFOUR_XDP_H

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
#include "relay_xdp.h"

static __always_inline int sixtofour_xdp_in(struct xdp_md *ctx,
					    struct xdp_pass *pass)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	struct ipv6hdr *ip6 = (void *)(ip + 1);
	const struct relay_bpf_relay *relay;
	__u32 total;
	int drop, ecn;

	if ((void *)(ip6 + 1) > end)
		return XDP_PASS;
	xdp_flow_known(ctx, pass, ip6, ip, 0);
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
	ecn = relay_ecn_decapsulate(ip->tos, ip6_traffic_class(ip6));
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
	xdp_age(ip6, ecn);
	return xdp_send(pass, data, ETH_P_IPV6);
}

static __always_inline int
sixtofour_xdp_out(struct xdp_md *ctx, struct xdp_pass *pass,
		  const struct relay_bpf_relay *relay)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip6 = data + ETH_HLEN;
	struct iphdr ip;
	int drop;

	if ((void *)(ip6 + 1) > end)
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

#endif /* _SIXTOFOUR_XDP_H */
