/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address checks, of 6to4 (RFC 3964 sections 5.1 and 5.2) and of Teredo
 * (RFC 4380 sections 5.4.1, 5.4.2 and 7.4.3), and what becomes of a congestion
 * mark, as C that is compiled into the eBPF programs and into relayd: one
 * decision for both.
 *
 * Who includes this defines struct relay_check_ctx, whatever it needs to find a
 * relay's rules, the two lookups: what the longest match says, and whether the
 * packet is the self-test's, whose addresses are nobody's or the relay's own.
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
static bool relay_is_own(const struct relay_check_ctx *ctx);

/* -------- addresses -------- */

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

/* 2001:0000::/32 */
RELAY_CHECK bool relay_is_teredo(const union relay_ipv6 *addr)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return addr->longs[0] == 0x00000120;
#else
	return addr->longs[0] == 0x20010000;
#endif
}

/* What a Teredo address says of its client, RFC 4380 section 4: its server, and
 * its address and port as its NAT maps them, which are kept inverted. */
RELAY_CHECK __be32 relay_teredo_server(const union relay_ipv6 *addr)
{
	return addr->longs[1];
}

RELAY_CHECK __be32 relay_teredo_mapped(const union relay_ipv6 *addr)
{
	return ~addr->longs[3];
}

RELAY_CHECK __be16 relay_teredo_port(const union relay_ipv6 *addr)
{
	return ~addr->words[5];
}

/* Not an address of a host, whatever the filters say: of this network,
 * loopback, multicast, reserved, broadcast. */
RELAY_CHECK bool relay_is_no_host(__be32 addr)
{
	__u8 octet = *(const __u8 *)&addr;

	return octet == 0 || octet == 127 || octet >= 224;
}

/* -------- ECN -------- */

enum { NOT_ECT, ECT_1, ECT_0, ECN_CE };
#define ECN_MASK 3

/*
 * What a packet leaves the tunnel with, RFC 6040 section 4.2: the inner field
 * by the outer one. Negative: to be dropped.
 */
RELAY_CHECK int relay_ecn_decapsulate(__u8 outer, __u8 inner)
{
	outer &= ECN_MASK;
	inner &= ECN_MASK;
	switch (outer) {
	case ECN_CE:
		return inner == NOT_ECT ? -1 : ECN_CE;
	case ECT_1:
		return inner == ECT_0 ? ECT_1 : inner;
	}
	return inner;
}

/* -------- rules -------- */

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

/* -------- 6to4 -------- */

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

/* -------- Teredo -------- */

/* An IPv4 address that Teredo is to be spoken with. */
RELAY_CHECK int relay_check_host(const struct relay_check_ctx *ctx,
				 const struct relay_bpf_relay *relay,
				 __be32 addr, int bogon)
{
	return relay_is_no_host(addr)
		       ? bogon
		       : relay_check_ipv4(ctx, relay, addr, bogon);
}

/* An IPv6 address at the other end, which is no Teredo client: those speak with
 * each other without a relay. */
RELAY_CHECK int relay_check_native(const struct relay_check_ctx *ctx,
				   const struct relay_bpf_relay *relay,
				   const union relay_ipv6 *addr, int bogon)
{
	if (relay_is_teredo(addr))
		return relay_is_own(ctx) ? RELAY_BPF_PASS : bogon;
	return relay_check_ipv6(ctx, relay, addr, bogon);
}

/* From a client, RFC 4380 section 5.4.2; outer and port: the source of the
 * datagram to the relay's source and port. Returns enum relay_bpf_reason. */
RELAY_CHECK int relay_check_teredo_4to6(const struct relay_check_ctx *ctx,
					const struct relay_bpf_relay *relay,
					__be32 outer, __be16 port,
					const union relay_ipv6 *src,
					const union relay_ipv6 *dst)
{
	int drop;

	if (!(relay->flags & RELAY_BPF_4TO6))
		return RELAY_BPF_DROP_DIRECTION;
	if (!port || (outer == relay->source && !relay_is_own(ctx)))
		return RELAY_BPF_DROP_OUTER_SOURCE;
	drop = relay_check_host(ctx, relay, outer, RELAY_BPF_DROP_OUTER_SOURCE);
	if (drop)
		return drop;
	if (!relay_is_teredo(src))
		return RELAY_BPF_DROP_NOT_TEREDO;
	if (relay_teredo_mapped(src) != outer || relay_teredo_port(src) != port)
		return RELAY_BPF_DROP_SOURCE_SPOOFED;
	drop = relay_check_prefix6(ctx, relay, src, RELAY_BPF_DROP_SOURCE);
	if (drop)
		return drop;
	return relay_check_native(ctx, relay, dst, RELAY_BPF_DROP_DESTINATION);
}

/* To a client, RFC 4380 section 5.4.1; dst is a Teredo address. Returns enum
 * relay_bpf_reason. */
RELAY_CHECK int relay_check_teredo_6to4(const struct relay_check_ctx *ctx,
					const struct relay_bpf_relay *relay,
					const union relay_ipv6 *src,
					const union relay_ipv6 *dst)
{
	__be32 to = relay_teredo_mapped(dst);
	int drop;

	if (!(relay->flags & RELAY_BPF_6TO4))
		return RELAY_BPF_DROP_DIRECTION;
	if (to == relay->source && !relay_is_own(ctx))
		return RELAY_BPF_DROP_DESTINATION_OWN;
	if (!relay_teredo_port(dst))
		return RELAY_BPF_DROP_DESTINATION;
	drop = relay_check_host(ctx, relay, to, RELAY_BPF_DROP_DESTINATION);
	if (drop)
		return drop;
	drop = relay_check_prefix6(ctx, relay, dst, RELAY_BPF_DROP_DESTINATION);
	if (drop)
		return drop;
	return relay_check_native(ctx, relay, src, RELAY_BPF_DROP_SOURCE);
}

/* 3544 in network order, RFC 4380 section 2.7 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define RELAY_TEREDO_SERVER_PORT 0xd80d
#else
#define RELAY_TEREDO_SERVER_PORT 0x0dd8
#endif

/* Whether the server that a client's address names may get a bubble for it.
 * Returns enum relay_bpf_reason. */
RELAY_CHECK int relay_check_teredo_server(const struct relay_check_ctx *ctx,
					  const struct relay_bpf_relay *relay,
					  const union relay_ipv6 *dst)
{
	__be32 server = relay_teredo_server(dst);

	/* the relay itself */
	if (server == relay->source &&
	    relay->udp_port == RELAY_TEREDO_SERVER_PORT)
		return RELAY_BPF_DROP_SERVER;
	return relay_check_host(ctx, relay, server, RELAY_BPF_DROP_SERVER);
}

#endif /* _RELAY_CHECK_H */
