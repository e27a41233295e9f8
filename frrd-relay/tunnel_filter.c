// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The address filter that a tunnel has in effect: bogons, the host's own
 * broadcast addresses (RFC 3964 section 5.3.1), for Teredo the anycast addresses
 * of 6to4 (RFC 4380 section 5.2.4), the operator's lines.
 */
#include <zebra.h>

#include "filter.h"
#include "relay_memory.h"
#include "relay_time.h"
#include "tunnel_kernel.h"

DEFINE_MTYPE_STATIC(RELAYD, TUNNEL_RULES, "Relay filter rules");

static struct filter_rule *lines, *table;
static size_t nlines, room;

/* the broadcast addresses, as they were looked at last */
static struct {
	struct filter_rule *rules;
	size_t n;
	uint64_t changes; /* kern_addr_generation() */
	int64_t at_us;
	uint32_t generation;
} seen;

#define LOOK_INTERVAL_US 1000000

static void line_add(const struct prefix *p, enum filter_verdict verdict)
{
	if (nlines == room) {
		room = room ? room * 2 : 64;
		lines = XREALLOC(MTYPE_TUNNEL_RULES, lines,
				 room * sizeof(*lines));
		table = XREALLOC(MTYPE_TUNNEL_RULES, table,
				 (room + FILTER_BOGONS) * sizeof(*table));
	}
	memset(&lines[nlines], 0, sizeof(*lines));
	prefix_copy(&lines[nlines].p, p);
	lines[nlines++].verdict = verdict;
}

/* The directed broadcast of each IPv4 subnet, and its old form with a zero
 * host part. */
static void add_broadcasts(void)
{
	struct prefix from = {.family = AF_INET};
	struct kern_addr *ka;

	for (ka = kern_addr_from(&from); ka && ka->prefix.family == AF_INET;
	     ka = kern_addr_next(ka)) {
		struct prefix p = {.family = AF_INET,
				   .prefixlen = IPV4_MAX_BITLEN};
		uint32_t host;

		if (ka->prefix.prefixlen >= 31 || ka->prefix.prefixlen == 0)
			continue;
		host = htonl(0xffffffff >> ka->prefix.prefixlen);
		p.u.prefix4.s_addr = ka->prefix.u.prefix4.s_addr | host;
		line_add(&p, FILTER_VERDICT_BOGON);
		p.u.prefix4.s_addr = ka->prefix.u.prefix4.s_addr & ~host;
		line_add(&p, FILTER_VERDICT_BOGON);
	}
}

/* Behind it is whichever 6to4 relay is near, no client. */
static void add_6to4_anycast(void)
{
	const struct prefix p = {.family = AF_INET,
				 .prefixlen = 24,
				 .u.val = {192, 88, 99, 0}};

	line_add(&p, FILTER_VERDICT_BOGON);
}

const struct filter_rule *tunnel_filter_rules(const struct tunnel_params *params,
					      size_t *n)
{
	nlines = 0;
	for (size_t i = 0; i < params->nfilters; i++)
		line_add(&params->filters[i].p, params->filters[i].verdict);
	if (params->filter_bogons)
		add_broadcasts();
	if (params->filter_bogons && params->udp_port)
		add_6to4_anycast();
	*n = 0;
	if (nlines || params->filter_bogons) {
		if (!table)
			table = XCALLOC(MTYPE_TUNNEL_RULES,
					FILTER_BOGONS * sizeof(*table));
		*n = filter_table(lines, nlines, params->filter_bogons, table);
	}
	return table;
}

/* The first octets of addresses that a rule may forbid. */
static void rule_octets(const struct filter_rule *rule,
			struct relay_bpf_relay *relay)
{
	uint32_t *bits = rule->p.family == AF_INET ? relay->octets4
						   : relay->octets6;
	unsigned int first = rule->p.u.val[0];
	unsigned int last = first;

	if (rule->verdict == FILTER_VERDICT_PERMIT)
		return;
	if (rule->p.prefixlen < 8)
		last |= 0xff >> rule->p.prefixlen;
	for (unsigned int i = first; i <= last; i++)
		bits[i / 32] |= 1U << i % 32;
}

static uint32_t way_flags(enum tunnel_direction direction)
{
	return (tunnel_has_way(direction, TUNNEL_WAY_4TO6) ? RELAY_BPF_4TO6
							   : 0) |
	       (tunnel_has_way(direction, TUNNEL_WAY_6TO4) ? RELAY_BPF_6TO4
							   : 0);
}

void tunnel_filter_relay(const struct tunnel_params *params, ifindex_t ifindex,
			 bool on_tun, struct relay_bpf_relay *out)
{
	const struct filter_rule *rules;
	size_t n;

	*out = (struct relay_bpf_relay){
		.source = params->source.s_addr,
		.transmit_source = params->transmit_source.s_addr,
		.ifindex = ifindex,
		.mtu = params->mtu,
		.flags = way_flags(params->direction) |
			 (on_tun ? RELAY_BPF_AGGREGATES : 0),
		.ttl = params->ttl,
		.udp_port = htons(params->udp_port),
	};
	rules = tunnel_filter_rules(params, &n);
	for (size_t i = 0; i < n; i++)
		rule_octets(&rules[i], out);
}

uint32_t tunnel_filter_generation(void)
{
	int64_t now = relay_now_us();

	if (seen.changes == kern_addr_generation() ||
	    (seen.at_us && now - seen.at_us < LOOK_INTERVAL_US))
		return seen.generation;
	seen.changes = kern_addr_generation();
	seen.at_us = now;
	nlines = 0;
	add_broadcasts();
	nlines = filter_normalize(lines, nlines);
	if (filter_same(lines, nlines, seen.rules, seen.n))
		return seen.generation;
	seen.rules = XREALLOC(MTYPE_TUNNEL_RULES, seen.rules,
			      MAX(nlines, 1U) * sizeof(*lines));
	if (nlines)
		memcpy(seen.rules, lines, nlines * sizeof(*lines));
	seen.n = nlines;
	return ++seen.generation;
}

void tunnel_filter_fini(void)
{
	XFREE(MTYPE_TUNNEL_RULES, lines);
	XFREE(MTYPE_TUNNEL_RULES, table);
	XFREE(MTYPE_TUNNEL_RULES, seen.rules);
	memset(&seen, 0, sizeof(seen));
	nlines = room = 0;
}
