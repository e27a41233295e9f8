/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps of the programs, which relayd fills, and what is looked up and
 * counted in them.
 */
#ifndef _RELAY_MAPS_H
#define _RELAY_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "relay_bpf.h"
#include "relay_check.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RELAY_BPF_RELAYS_MAX);
	__type(key, __u32);
	__type(value, struct relay_bpf_relay);
} relays SEC(".maps");

/* place in `relays` of a 6to4 relay by its tunnel source */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RELAY_BPF_RELAYS_MAX);
	__type(key, __be32);
	__type(value, __u32);
} by_source SEC(".maps");

/* of a Teredo relay by its source and port */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RELAY_BPF_RELAYS_MAX);
	__type(key, struct relay_bpf_service);
	__type(value, __u32);
} by_service SEC(".maps");

/* how many there are: UDP is nothing to look at without */
__u32 services;

/* of either by its interface */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RELAY_BPF_RELAYS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} by_ifindex SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, RELAY_BPF_FILTERS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct relay_bpf_filter4);
	__type(value, __u8);
} filter4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, RELAY_BPF_FILTERS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct relay_bpf_filter6);
	__type(value, __u8);
} filter6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RELAY_BPF_RELAYS_MAX);
	__type(key, __u32);
	__type(value, struct relay_bpf_counters);
} counters SEC(".maps");

/* A Teredo relay's, by its place. As big as `peers maximum` says, and all there
 * from the beginning: what is put in never lacks memory. */
struct relay_peers {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct relay_bpf_peer_key));
	__uint(value_size, sizeof(struct relay_bpf_peer));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RELAY_BPF_RELAYS_MAX);
	__type(key, __u32);
	__array(values, struct relay_peers);
} peers SEC(".maps");

/*
 * Links to another namespace of this machine. What goes there goes as it is,
 * uncut and with checksums that are still to be done: no device ever sees it,
 * and a Teredo client reads it from its socket like that. So the engine gets
 * it, and cuts and finishes it. Entries of links that are gone give way to
 * others.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RELAY_BPF_VETHS_MAX);
	__type(key, __u32);
	__type(value, __u8);
} veths SEC(".maps");

static __always_inline bool is_veth(__u32 ifindex)
{
	return bpf_map_lookup_elem(&veths, &ifindex);
}

/* struct relay_bpf_probe; holds some hundreds */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} probes SEC(".maps");

/* as in memory; relayd sets it before the programs are loaded */
const volatile __u64 probe_nonce;
/* of those that are to go the slow way, through sit */
const volatile __u64 stack_nonce;

/* -------- the relay of a packet -------- */

struct relay_check_ctx {
	__u32 place;
	bool unfiltered; /* a probe: its addresses are nobody's */
};

/* The relay at a place; NULL: none, any more. */
static __always_inline const struct relay_bpf_relay *
relay_at(const __u32 *place)
{
	const struct relay_bpf_relay *relay =
		bpf_map_lookup_elem(&relays, place);

	return relay && relay->ifindex ? relay : NULL;
}

/* found: what a map has said of its place */
static __always_inline const struct relay_bpf_relay *
relay_find(const __u32 *found, struct relay_check_ctx *ctx)
{
	if (!found)
		return NULL;
	ctx->place = *found;
	return relay_at(found);
}

static __always_inline bool relay_is_own(const struct relay_check_ctx *ctx)
{
	return ctx->unfiltered;
}

static __always_inline enum relay_bpf_verdict
relay_lookup_ipv4(const struct relay_check_ctx *ctx, __be32 addr)
{
	struct relay_bpf_filter4 key = {64, ctx->place, addr};
	const __u8 *verdict;

	if (ctx->unfiltered)
		return RELAY_BPF_PERMIT;
	verdict = bpf_map_lookup_elem(&filter4, &key);
	return verdict ? *verdict : RELAY_BPF_PERMIT;
}

static __always_inline enum relay_bpf_verdict
relay_lookup_ipv6(const struct relay_check_ctx *ctx,
		  const union relay_ipv6 *addr)
{
	struct relay_bpf_filter6 key = {.prefixlen = 160, .relay = ctx->place};
	const __u8 *verdict;

	if (ctx->unfiltered)
		return RELAY_BPF_PERMIT;
	*(union relay_ipv6 *)key.addr = *addr;
	verdict = bpf_map_lookup_elem(&filter6, &key);
	return verdict ? *verdict : RELAY_BPF_PERMIT;
}

/* -------- counting -------- */

static __always_inline void count_crossed(__u32 place, enum relay_bpf_way way,
					  __u64 packets, __u64 bytes)
{
	struct relay_bpf_counters *c = bpf_map_lookup_elem(&counters, &place);

	struct relay_bpf_count *count;

	if (!c)
		return;
	/* the verifier does not know how many ways there are */
	count = way == RELAY_BPF_WAY_6TO4 ? &c->ways[RELAY_BPF_WAY_6TO4]
					  : &c->ways[RELAY_BPF_WAY_4TO6];
	count->packets += packets;
	count->bytes += bytes;
}

static __always_inline void count_drop(__u32 place, __u32 reason)
{
	struct relay_bpf_counters *c = bpf_map_lookup_elem(&counters, &place);

	if (c && reason < RELAY_BPF_REASON_END)
		c->drops[reason]++;
}

#endif /* _RELAY_MAPS_H */
