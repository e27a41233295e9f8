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

#endif /* _RELAY_SLOW_CHECK_H */
