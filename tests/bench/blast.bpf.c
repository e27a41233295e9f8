/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ends of tests/bench/datapath: what makes packets, what counts them, and a
 * 6to4 host on a kernel without sit.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "blast.h"

#define NO_NEXT_HEADER 59

/* set before loading */
const volatile __u32 to_ifindex;
const volatile __u32 frames;
__u32 turn;

/* frames that were made; when the next is due, and how long after it another */
__u64 sent, next_ns;
const volatile __u64 gap_ns;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BLAST_FRAMES);
	__type(key, __u32);
	__type(value, struct blast_frame);
} headers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BLAST_KINDS);
	__type(key, __u32);
	__type(value, struct blast_count);
} counts SEC(".maps");

/*
 * Pages come back with what the router made of them, so the headers are
 * written anew each time.
 */
SEC("xdp")
int blast_send(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data;
	void *end = (void *)(long)xdp->data_end;

	const struct blast_frame *header;
	__u32 which;
	__u64 now;

	if (data + BLAST_HEADER > end)
		return XDP_ABORTED;
	if (gap_ns) {
		now = bpf_ktime_get_ns();
		if (now < next_ns)
			return XDP_DROP;
		/* a pause is not made up for */
		next_ns = now - next_ns > 64 * gap_ns ? now : next_ns + gap_ns;
	}
	which = turn;
	turn = which + 1 < frames ? which + 1 : 0;
	header = bpf_map_lookup_elem(&headers, &which);
	if (!header)
		return XDP_ABORTED;
	__builtin_memcpy(data, header->octets, BLAST_HEADER);
	if (data + BLAST_HEADER_LONG <= end)
		__builtin_memcpy(data + BLAST_HEADER,
				 header->octets + BLAST_HEADER,
				 BLAST_HEADER_LONG - BLAST_HEADER);
	sent++;
	return bpf_redirect(to_ifindex, 0);
}

static __always_inline void count(void *data, void *end, __u32 length)
{
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct iphdr *ip = (void *)(eth + 1);
	struct blast_count *c;
	__u32 kind = BLAST_OTHER;

	if ((void *)(ip6 + 1) <= end) {
		if (eth->h_proto == bpf_htons(ETH_P_IPV6) &&
		    (ip6->nexthdr == IPPROTO_UDP ||
		     ip6->nexthdr == NO_NEXT_HEADER))
			kind = BLAST_IPV6;
		else if (eth->h_proto != bpf_htons(ETH_P_IP))
			kind = BLAST_OTHER;
		else if (ip->protocol == IPPROTO_UDP)
			kind = BLAST_IPV4;
		else if (ip->protocol == IPPROTO_IPV6)
			kind = BLAST_PROTO41;
	}
	c = bpf_map_lookup_elem(&counts, &kind);
	if (!c)
		return;
	c->packets++;
	c->bytes += length;
}

SEC("tc")
int blast_sink(struct __sk_buff *skb)
{
	count((void *)(long)skb->data, (void *)(long)skb->data_end, skb->len);
	return TC_ACT_SHOT;
}

SEC("xdp")
int blast_sink_xdp(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data;
	void *end = (void *)(long)xdp->data_end;

	count(data, end, end - data);
	return XDP_DROP;
}

/* -------- a 6to4 host -------- */

/* flags of bpf_skb_adjust_room() that came after 6.1 */
#define DECAP_L3_IPV6 (1ULL << 8)
#define DECAP_IPXIP4 (1ULL << 11)

const volatile __be32 host_address, relay_address;

SEC("tc")
int blast_host_out(struct __sk_buff *skb)
{
	void *data, *end;
	struct ethhdr *eth;
	struct iphdr *ip;
	__u64 sum = 0;

	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_OK;
	if (bpf_skb_adjust_room(skb, sizeof(*ip), BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
					BPF_F_ADJ_ROOM_FIXED_GSO |
					BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	eth = data;
	ip = data + sizeof(*eth);
	if ((void *)(ip + 1) > end)
		return TC_ACT_SHOT;
	eth->h_proto = bpf_htons(ETH_P_IP);
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(skb->len - sizeof(*eth)),
		.ttl = 64,
		.protocol = IPPROTO_IPV6,
		.saddr = host_address,
		.daddr = relay_address,
	};
	for (int i = 0; i < 5; i++)
		sum += ((__u32 *)ip)[i];
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~((sum & 0xffff) + (sum >> 16));
	return TC_ACT_OK;
}

SEC("tc")
int blast_host_in(struct __sk_buff *skb)
{
	const __u64 flags =
		BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	const int length = sizeof(*ip);

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->protocol != IPPROTO_IPV6)
		return TC_ACT_OK;
	/* newer kernels, older ones, and those before 6.3 */
	if (bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC,
				flags | DECAP_L3_IPV6 | DECAP_IPXIP4) &&
	    bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC,
				flags | DECAP_L3_IPV6) &&
	    (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0) ||
	     bpf_skb_adjust_room(skb, -40, BPF_ADJ_ROOM_MAC, flags)))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	eth = data;
	if ((void *)(eth + 1) > end)
		return TC_ACT_SHOT;
	eth->h_proto = bpf_htons(ETH_P_IPV6);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
