/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 6to4 in tc: a packet is taken where it comes in, checked, given its new
 * header and sent out by the interface that the kernel's own FIB names.
 *
 *   uplink_ingress     IPv4 protocol 41 to a relay: decapsulated (4to6);
 *                      IPv6 that the FIB would give to a relay: encapsulated
 *   uplink_ingress_l3  the same, on a device without a link-layer header
 *   relay_egress       IPv6 that reached a relay's interface through the stack:
 *                      encapsulated
 *
 * What is rare or hard goes on up the stack, which does it right: fragments,
 * options, the last hop, packets too big, anything for the host itself. In
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
#define DECAP_IPXIP4 (1ULL << 11)

#define LOOPBACK_IFINDEX 1
#define EINVAL 22

/* What the kernel turned out not to have. */
static bool no_decap_l3, no_decap_ipxip4;

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
				       const struct iphdr *ip)
{
	const struct relay_flow *flow;

	if (pass->probe)
		return false;
	flow_ask(&pass->key, skb->ifindex, ip6, ip);
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
 * ICMPv6 header? */
static __always_inline bool is_probe(struct __sk_buff *skb, __u32 offset,
				     __u64 wanted)
{
	__u64 nonce;

	return bpf_skb_load_bytes(skb, offset + IP6_LEN + 8, &nonce,
				  sizeof(nonce)) == 0 &&
	       nonce == wanted;
}

/* What is to be added to a checksum for an octet at an odd offset. */
static __always_inline void checksum_octet(struct __sk_buff *skb, __u8 from,
					   __u8 to)
{
	/* does nothing but for CHECKSUM_COMPLETE */
	bpf_csum_update(skb, bpf_htons(to) + (__u32)(__u16)~bpf_htons(from));
}

/* -------- encapsulation -------- */

/*
 * IPv6 for a relay. l2: octets before the IPv6 header. forwarded: the stack has
 * done its part (hop limit, MTU).
 */
static __always_inline int encapsulate(struct __sk_buff *skb, __u32 l2,
				       const struct relay_bpf_relay *relay,
				       struct pass *pass, bool forwarded)
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

	ip4_make(&ip, relay, ip6, len, pass->burst.packets);
	if (ip4_is_no_host(ip.daddr))
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

	/* Ethernet padding, or worse, behind the packet */
	if (!skb->gso_size && len + l2 != skb->len &&
	    bpf_skb_change_tail(skb, len + l2, 0))
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
 * Takes the outer header off. 0; STRIP_NOT: the packet is as it was;
 * STRIP_BROKEN: it is not.
 *
 * A packet that GRO put together has marks of the tunnel on it. Kernels that
 * can't take them off would have an uplink's hardware look for a tunnel that
 * isn't there any more; so such packets are sit's, where there is one.
 */
enum { STRIP_NOT = 1, STRIP_BROKEN };

static __always_inline int strip(struct __sk_buff *skb,
				 const struct relay_bpf_relay *relay)
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
				return ret ? STRIP_NOT : 0;
			no_decap_ipxip4 = true;
		}
		if (!(relay->flags & RELAY_BPF_AGGREGATES))
			return STRIP_NOT;
	}
	if (!no_decap_l3) {
		ret = bpf_skb_adjust_room(skb, -IP4_LEN, BPF_ADJ_ROOM_MAC,
					  flags | DECAP_L3_IPV6);
		if (ret != -EINVAL)
			return ret ? STRIP_NOT : 0;
		no_decap_l3 = true;
	}
	/* before 6.3: IPv4 is made IPv6 of 40 octets, which then go */
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
		return STRIP_NOT;
	return bpf_skb_adjust_room(skb, -IP6_LEN, BPF_ADJ_ROOM_MAC, flags)
		       ? STRIP_BROKEN
		       : 0;
}

/* An IPv4 packet of protocol 41; l2: octets before its header. */
static __always_inline int decapsulate(struct __sk_buff *skb, __u32 l2,
				       struct pass *pass)
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
	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_IPV6)
		return TC_ACT_UNSPEC;
	if (ip4_is_for_stack(ip))
		return TC_ACT_UNSPEC;
	ip6 = data + start;
	if ((void *)(ip6 + 1) <= end && flow_known(skb, pass, ip6, ip))
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
	ecn = ecn_decapsulate(outer_ecn, inner_ecn);
	if (ecn < 0)
		return drop_packet(skb, pass, RELAY_BPF_DROP_ECN);
	if (!measure(skb, start, len, &pass->burst) || ip6_is_for_stack(ip6) ||
	    ip4_is_no_host(ip->saddr) ||
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

	/* what is behind the packet, in IPv4 or in Ethernet, does not cross */
	if (!skb->gso_size && len + start != skb->len &&
	    bpf_skb_change_tail(skb, len + start, 0))
		return leave_packet(skb, pass);
	switch (strip(skb, relay)) {
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

/* -------- programs -------- */

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
	    !relay_is_6to4(ip6_destination(ip6)))
		return TC_ACT_UNSPEC;
	if (flow_known(skb, pass, ip6, NULL)) {
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
	if (!relay)
		return TC_ACT_UNSPEC;
	return encapsulate(skb, l2, relay, pass, false);
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
		break;
	case bpf_htons(ETH_P_IPV6):
		pass.way = RELAY_BPF_WAY_6TO4;
		break;
	default:
		return TC_ACT_UNSPEC;
	}
	/* of what this host sends itself, the probes alone */
	if (skb->ifindex == LOOPBACK_IFINDEX) {
		if (!is_probe(skb,
			      pass.way == RELAY_BPF_WAY_4TO6 ? l2 + IP4_LEN
							     : l2,
			      probe_nonce))
			return TC_ACT_UNSPEC;
		pass.probe = pass.check.unfiltered = true;
	}
	return pass.way == RELAY_BPF_WAY_4TO6 ? decapsulate(skb, l2, &pass)
					      : uplink_ipv6(skb, l2, &pass);
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
	if ((const void *)(ip6 + 1) > end ||
	    !relay_is_6to4(ip6_destination(ip6)))
		return TC_ACT_UNSPEC;
	if (ip6->nexthdr == IPPROTO_ICMPV6 && is_probe(skb, 0, stack_nonce))
		return TC_ACT_UNSPEC;
	relay = relay_find(bpf_map_lookup_elem(&by_ifindex, &ifindex),
			   &pass.check);
	return relay ? encapsulate(skb, 0, relay, &pass, true) : TC_ACT_UNSPEC;
}

/* of the same object: the skeleton, the maps and the counters are the same */
#include "sixtofour_xdp.h"

char LICENSE[] SEC("license") = "GPL";
