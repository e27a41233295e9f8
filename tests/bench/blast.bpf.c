/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ends of tests/bench/datapath and teredo: what makes packets, what counts
 * them, and hosts whose own tunnel is not what is measured.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "blast.h"

#define NO_NEXT_HEADER 59

/* set before loading */
const volatile __u32 to_ifindex;
const volatile __u32 frames;
__u32 turn;

/* frames that were made; when the next burst is due, and how long after it
 * another; frames of a burst, and how many are left of this one */
__u64 sent, next_ns;
const volatile __u64 gap_ns;
const volatile __u32 burst = 1;
__u32 left;

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

/* Whether it is time for another frame. */
static __always_inline bool is_due(void)
{
	__u64 now;

	if (gap_ns && !left) {
		now = bpf_ktime_get_ns();
		if (now < next_ns)
			return false;
		/* a pause is not made up for */
		next_ns = now - next_ns > 64 * gap_ns ? now : next_ns + gap_ns;
		left = burst;
	}
	left--;
	return true;
}

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

	if (data + BLAST_HEADER > end)
		return XDP_ABORTED;
	if (!is_due())
		return XDP_DROP;
	which = turn;
	turn = which + 1 < frames ? which + 1 : 0;
	header = bpf_map_lookup_elem(&headers, &which);
	if (!header)
		return XDP_ABORTED;
	__builtin_memcpy(data, header->octets, BLAST_HEADER);
	if (data + BLAST_HEADER_IPV4 <= end)
		__builtin_memcpy(data + BLAST_HEADER,
				 header->octets + BLAST_HEADER,
				 BLAST_HEADER_IPV4 - BLAST_HEADER);
	if (data + BLAST_HEADER_LONG <= end)
		__builtin_memcpy(data + BLAST_HEADER_IPV4,
				 header->octets + BLAST_HEADER_IPV4,
				 BLAST_HEADER_LONG - BLAST_HEADER_IPV4);
	sent++;
	return bpf_redirect(to_ifindex, 0);
}

static __always_inline void write_sum(struct iphdr *ip)
{
	__u64 sum = 0;

	ip->check = 0;
	for (int i = 0; i < 5; i++)
		sum += ((__u32 *)ip)[i];
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~((sum & 0xffff) + (sum >> 16));
}

/* how many clients there are, and what they are told apart by */
const volatile __u32 clients;
#define CLIENT_PORTS 40000
#define CLIENT_PORT_FIRST 20000
/* each by chance, in 32.0.0.0/3 */
const volatile bool strangers;
#define STRANGER_FIRST 0x20000000
#define STRANGER_BITS 0x1fffffff

SEC("xdp")
int blast_clients(struct xdp_md *xdp)
{
	struct ethhdr *eth = (void *)(long)xdp->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct ipv6hdr *ip6 = (void *)(udp + 1);
	const struct blast_frame *header;
	__u32 which = 0;
	__be16 port;

	if ((void *)(ip6 + 1) > (void *)(long)xdp->data_end)
		return XDP_ABORTED;
	if (turn >= clients || !is_due())
		return XDP_DROP;
	header = bpf_map_lookup_elem(&headers, &which);
	if (!header)
		return XDP_ABORTED;
	__builtin_memcpy(eth, header->octets, BLAST_HEADER_LONG);
	port = bpf_htons(CLIENT_PORT_FIRST + turn % CLIENT_PORTS);
	if (strangers)
		ip->saddr = bpf_htonl(STRANGER_FIRST |
				      (bpf_get_prandom_u32() & STRANGER_BITS));
	else
		ip->saddr =
			bpf_htonl(bpf_ntohl(ip->saddr) + turn / CLIENT_PORTS);
	write_sum(ip);
	udp->source = port;
	/* RFC 4380 section 4 */
	ip6->saddr.s6_addr16[5] = ~port;
	ip6->saddr.s6_addr32[3] = ~ip->saddr;
	turn++;
	sent++;
	return bpf_redirect(to_ifindex, 0);
}

static __always_inline void count(void *data, void *end, __u32 length)
{
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	const __u16 bubble = sizeof(*udp) + sizeof(*ip6);
	struct blast_count *c;
	__u32 kind = BLAST_OTHER;

	if ((void *)(ip6 + 1) <= end) {
		if (eth->h_proto == bpf_htons(ETH_P_IPV6) &&
		    (ip6->nexthdr == IPPROTO_UDP ||
		     ip6->nexthdr == NO_NEXT_HEADER))
			kind = BLAST_IPV6;
		else if (eth->h_proto != bpf_htons(ETH_P_IP))
			kind = BLAST_OTHER;
		else if (ip->protocol == IPPROTO_UDP &&
			 udp->source != bpf_htons(BLAST_TEREDO_PORT))
			kind = BLAST_IPV4;
		else if (ip->protocol == IPPROTO_UDP)
			kind = udp->len == bpf_htons(bubble) ? BLAST_BUBBLE
							     : BLAST_TEREDO;
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
	/* nobody is told of a loss */
	return TC_ACT_STOLEN;
}

SEC("xdp")
int blast_sink_xdp(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data;
	void *end = (void *)(long)xdp->data_end;

	count(data, end, end - data);
	return XDP_DROP;
}

/* -------- hosts with a tunnel of their own -------- */

/* flags of bpf_skb_adjust_room() that came after 6.1 */
#define DECAP_L3_IPV6 (1ULL << 8)
#define DECAP_L4_UDP (1ULL << 9)
#define DECAP_IPXIP4 (1ULL << 11)

const volatile __be32 host_address, relay_address;
/* of a Teredo client, behind its NAT; 0: a 6to4 host */
const volatile __be16 host_port;

/* Room for the headers of the tunnel, behind Ethernet's. */
static __always_inline int encapsulate(struct __sk_buff *skb, int length,
				       __u64 flags)
{
	return bpf_skb_adjust_room(skb, length, BPF_ADJ_ROOM_MAC,
				   flags | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
					   BPF_F_ADJ_ROOM_FIXED_GSO |
					   BPF_F_ADJ_ROOM_NO_CSUM_RESET);
}

/* And without them; newer: what kernels that know more are to be told. */
static __always_inline int decapsulate(struct __sk_buff *skb, int length,
				       __u64 newer)
{
	const __u64 flags =
		BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
	struct ethhdr *eth;
	void *end;

	/* newer kernels, older ones, and those before 6.3 */
	if (bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC,
				flags | DECAP_L3_IPV6 | newer) &&
	    bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC,
				flags | DECAP_L3_IPV6) &&
	    (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0) ||
	     bpf_skb_adjust_room(skb, -length - 20, BPF_ADJ_ROOM_MAC, flags)))
		return TC_ACT_SHOT;
	eth = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if ((void *)(eth + 1) > end)
		return TC_ACT_SHOT;
	eth->h_proto = bpf_htons(ETH_P_IPV6);
	return TC_ACT_OK;
}

static __always_inline void write_ipv4(struct iphdr *ip, __u8 protocol,
				       __u16 length)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(length),
		.ttl = 64,
		.protocol = protocol,
		.saddr = host_address,
		.daddr = relay_address,
	};
	write_sum(ip);
}

SEC("tc")
int blast_host_out(struct __sk_buff *skb)
{
	struct ethhdr *eth;
	struct iphdr *ip;

	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_OK;
	if (encapsulate(skb, sizeof(*ip), 0))
		return TC_ACT_SHOT;
	eth = (void *)(long)skb->data;
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	eth->h_proto = bpf_htons(ETH_P_IP);
	write_ipv4(ip, IPPROTO_IPV6, skb->len - sizeof(*eth));
	return TC_ACT_OK;
}

SEC("tc")
int blast_host_in(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->protocol != IPPROTO_IPV6)
		return TC_ACT_OK;
	return decapsulate(skb, sizeof(*ip), DECAP_IPXIP4);
}

SEC("tc")
int blast_client_out(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct udphdr *udp;
	struct iphdr *ip;

	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_OK;
	/* neighbour discovery and the like have no business here */
	if ((void *)(ip6 + 1) > (void *)(long)skb->data_end ||
	    ip6->saddr.s6_addr32[0] != bpf_htonl(0x20010000))
		return TC_ACT_SHOT;
	if (encapsulate(skb, sizeof(*ip) + sizeof(*udp),
			BPF_F_ADJ_ROOM_ENCAP_L4_UDP))
		return TC_ACT_SHOT;
	eth = (void *)(long)skb->data;
	ip = (void *)(eth + 1);
	udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	eth->h_proto = bpf_htons(ETH_P_IP);
	write_ipv4(ip, IPPROTO_UDP, skb->len - sizeof(*eth));
	*udp = (struct udphdr){
		.source = host_port,
		.dest = bpf_htons(BLAST_TEREDO_PORT),
		.len = bpf_htons(skb->len - sizeof(*eth) - sizeof(*ip)),
	};
	return TC_ACT_OK;
}

SEC("tc")
int blast_client_in(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->protocol != IPPROTO_UDP || udp->dest != host_port)
		return TC_ACT_OK;
	return decapsulate(skb, sizeof(*ip) + sizeof(*udp), DECAP_L4_UDP);
}

char LICENSE[] SEC("license") = "GPL";
