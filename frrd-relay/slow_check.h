// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf/relay_check.h for packets in memory: its lookups over the rules of a
 * struct slow_relay. To be included by what checks packets in user space,
 * nowhere else.
 */
#ifndef _RELAY_SLOW_CHECK_H
#define _RELAY_SLOW_CHECK_H

#include <zebra.h>

#include "slow_6to4.h"
#include "bpf/relay_check.h"

struct relay_check_ctx {
	const struct slow_relay *slow;
	bool own; /* the packet is the self-test's */
};

static inline bool relay_is_own(const struct relay_check_ctx *ctx)
{
	return ctx->own;
}

static inline enum relay_bpf_verdict
relay_lookup_ipv4(const struct relay_check_ctx *ctx, __be32 addr)
{
	if (ctx->own)
		return RELAY_BPF_PERMIT;
	return (enum relay_bpf_verdict)filter_lookup(
		ctx->slow->rules, ctx->slow->nrules, AF_INET, &addr);
}

static inline enum relay_bpf_verdict
relay_lookup_ipv6(const struct relay_check_ctx *ctx,
		  const union relay_ipv6 *addr)
{
	if (ctx->own)
		return RELAY_BPF_PERMIT;
	return (enum relay_bpf_verdict)filter_lookup(
		ctx->slow->rules, ctx->slow->nrules, AF_INET6, addr);
}

/* -------- what is asked of an IPv6 header, at any alignment -------- */

static inline uint8_t slow_traffic_class(const uint8_t *ip6)
{
	return ip6[0] << 4 | ip6[1] >> 4;
}

static inline void slow_addresses(const uint8_t *ip6, union relay_ipv6 *src,
				  union relay_ipv6 *dst)
{
	memcpy(src->octets, ip6 + 8, 16);
	memcpy(dst->octets, ip6 + 24, 16);
}

/* RFC 6040 section 4.2; false: to be dropped. */
static inline bool slow_decapsulate_ecn(uint8_t tos, uint8_t *ip6)
{
	int ecn = relay_ecn_decapsulate(tos, slow_traffic_class(ip6));

	if (ecn < 0)
		return false;
	ip6[1] = (ip6[1] & ~(ECN_MASK << 4)) | ecn << 4;
	return true;
}

#endif /* _RELAY_SLOW_CHECK_H */
