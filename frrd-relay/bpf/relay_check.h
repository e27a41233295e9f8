/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address checks of 6to4, RFC 3964 sections 5.1 and 5.2, as C that is
 * compiled into the eBPF programs and into relayd: one decision for both.
 *
 * Who includes this defines struct relay_check_ctx, whatever it needs to find a
 * relay's rules, and the two lookups: what the longest match says.
 */
#ifndef _RELAY_CHECK_H
#define _RELAY_CHECK_H

#include <stdbool.h>

#include "relay_bpf.h"

#define RELAY_CHECK static inline __attribute__((__always_inline__))

/* An IPv6 address as it lies in a packet, 4-octet aligned. */
union relay_ipv6 {
	__u8 octets[16];
	__be16 words[8];
	__be32 longs[4];
} __attribute__((__may_alias__));

struct relay_check_ctx;

static enum relay_bpf_verdict
relay_lookup_ipv4(const struct relay_check_ctx *ctx, __be32 addr);
static enum relay_bpf_verdict
relay_lookup_ipv6(const struct relay_check_ctx *ctx,
		  const union relay_ipv6 *addr);

RELAY_CHECK bool relay_is_6to4(const union relay_ipv6 *addr)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return addr->words[0] == 0x0220;
#else
	return addr->words[0] == 0x2002;
#endif
}

/* The IPv4 address that a 2002: one embeds. */
RELAY_CHECK __be32 relay_embedded(const union relay_ipv6 *addr)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u32)addr->words[2] << 16 | addr->words[1];
#else
	return (__u32)addr->words[1] << 16 | addr->words[2];
#endif
}

/* Does any rule but a permission begin with this octet? */
RELAY_CHECK bool relay_octet_filtered(const __u32 octets[8], __u8 octet)
{
	return octets[octet >> 5] >> (octet & 31) & 1;
}

/* RELAY_BPF_PASS, or what a bogon is called at that place. */
RELAY_CHECK int relay_judge(enum relay_bpf_verdict verdict, int bogon)
{
	switch (verdict) {
	case RELAY_BPF_PERMIT:
		break;
	case RELAY_BPF_BOGON:
		return bogon;
	case RELAY_BPF_DENY:
		return RELAY_BPF_DROP_DENIED;
	}
	return RELAY_BPF_PASS;
}

RELAY_CHECK int relay_check_ipv4(const struct relay_check_ctx *ctx,
				 const struct relay_bpf_relay *relay,
				 __be32 addr, int bogon)
{
	if (!relay_octet_filtered(relay->octets4, *(const __u8 *)&addr))
		return RELAY_BPF_PASS;
	return relay_judge(relay_lookup_ipv4(ctx, addr), bogon);
}

/* By the rules of its own family alone. */
RELAY_CHECK int relay_check_prefix6(const struct relay_check_ctx *ctx,
				    const struct relay_bpf_relay *relay,
				    const union relay_ipv6 *addr, int bogon)
{
	if (!relay_octet_filtered(relay->octets6, addr->octets[0]))
		return RELAY_BPF_PASS;
	return relay_judge(relay_lookup_ipv6(ctx, addr), bogon);
}

/* A 2002: address is as good as the one that it embeds, RFC 3964 5.3.2. */
RELAY_CHECK int relay_check_ipv6(const struct relay_check_ctx *ctx,
				 const struct relay_bpf_relay *relay,
				 const union relay_ipv6 *addr, int bogon)
{
	int drop = relay_check_prefix6(ctx, relay, addr, bogon);

	if (drop || !relay_is_6to4(addr))
		return drop;
	return relay_check_ipv4(ctx, relay, relay_embedded(addr), bogon);
}

/* Decapsulation, RFC 3964 section 5.2; the outer destination is the relay's
 * source. Returns enum relay_bpf_reason. */
RELAY_CHECK int relay_check_4to6(const struct relay_check_ctx *ctx,
				 const struct relay_bpf_relay *relay,
				 __be32 outer, const union relay_ipv6 *src,
				 const union relay_ipv6 *dst)
{
	int drop;

	if (!(relay->flags & RELAY_BPF_4TO6))
		return RELAY_BPF_DROP_DIRECTION;
	/* nobody else sends from them to them: a loop, RFC 6324 */
	if (outer == relay->source || outer == relay->transmit_source)
		return RELAY_BPF_DROP_OUTER_SOURCE;
	drop = relay_check_ipv4(ctx, relay, outer, RELAY_BPF_DROP_OUTER_SOURCE);
	if (drop)
		return drop;
	if (relay_is_6to4(src)) {
		if (relay_embedded(src) != outer)
			return RELAY_BPF_DROP_SOURCE_SPOOFED;
	} else if (!relay_is_6to4(dst)) {
		return RELAY_BPF_DROP_NOT_6TO4;
	}
	/* what it embeds is the outer source, which is fine */
	drop = relay_check_prefix6(ctx, relay, src, RELAY_BPF_DROP_SOURCE);
	if (drop)
		return drop;
	if (relay_is_6to4(dst) && relay_embedded(dst) != relay->source)
		return RELAY_BPF_DROP_DESTINATION_FOREIGN;
	return relay_check_ipv6(ctx, relay, dst, RELAY_BPF_DROP_DESTINATION);
}

/* Encapsulation, RFC 3964 section 5.1; dst is a 2002: address. Returns enum
 * relay_bpf_reason. */
RELAY_CHECK int relay_check_6to4(const struct relay_check_ctx *ctx,
				 const struct relay_bpf_relay *relay,
				 const union relay_ipv6 *src,
				 const union relay_ipv6 *dst)
{
	__be32 to = relay_embedded(dst);
	int drop;

	if (!(relay->flags & RELAY_BPF_6TO4))
		return RELAY_BPF_DROP_DIRECTION;
	if (to == relay->source || to == relay->transmit_source)
		return RELAY_BPF_DROP_DESTINATION_OWN;
	drop = relay_check_ipv6(ctx, relay, src, RELAY_BPF_DROP_SOURCE);
	if (drop)
		return drop;
	return relay_check_ipv6(ctx, relay, dst, RELAY_BPF_DROP_DESTINATION);
}

#endif /* _RELAY_CHECK_H */
