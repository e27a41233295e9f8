// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RFC 3964's address checks as text of the tables `ip frr-relay` and `ip6
 * frr-relay`, for a relay on the kernel's sit. Pure.
 *
 * The questions and their order are those of bpf/relay_check.h:
 *
 *   4to6   prerouting: what the outer header tells, before the routing takes
 *          some of it for martians, and for each fragment;
 *          input, when fragments are one packet again: the inner addresses, at
 *          their places behind the outer header
 *   6to4   postrouting by a relay's interface: all of it
 *
 * One question can't be asked here: nftables compares a part of a packet with
 * constants, not with another part. That a 2002: source embeds the outer source
 * is sit's own check (packet_is_spoofed() in net/ipv6/sit.c). It comes last, so
 * a packet that is bad in several ways may count under another reason than with
 * eBPF; its counter is the device's (tunnel_sit_check.c). The same holds for
 * the congestion mark of RFC 6040. The destination is no such question: what it
 * must embed is one constant a relay.
 *
 * Rules are per table of filters, and relays with the same table share them;
 * what differs between those relays is in sets. A packet that is dropped is
 * counted by the element of its relay in the set of the reason.
 */
#include <zebra.h>

#include "bpf/relay_bpf.h"
#include "relay_memory.h"
#include "tunnel_kernel.h"
#include "tunnel_nft_text.h"

DEFINE_MTYPE_STATIC(RELAYD, NFT_FILTER, "Relay nftables filters");

/* Places of IPv6 addresses, in bits: behind an outer IPv4 header, or of the
 * IPv6 header itself. */
#define IN_SOURCE "@th,64,128"
#define IN_SOURCE_KIND "@th,64,16"
#define IN_DESTINATION "@th,192,128"
#define IN_DESTINATION_KIND "@th,192,16"
#define IN_DESTINATION_V4 "@th,208,32"
#define OUT_SOURCE_V4 "@nh,80,32"
#define OUT_DESTINATION_V4 "@nh,208,32"

static const char *const reason_text[] = {
#define REASON_TEXT(name, text) [RELAY_BPF_DROP_##name] = text,
	RELAY_BPF_REASONS(REASON_TEXT)
#undef REASON_TEXT
};

const char *tunnel_nft_reason(enum relay_bpf_reason reason)
{
	return reason_text[reason];
}

static const enum relay_bpf_reason reasons4[] = {
	RELAY_BPF_DROP_MALFORMED,    RELAY_BPF_DROP_DIRECTION,
	RELAY_BPF_DROP_OUTER_SOURCE, RELAY_BPF_DROP_NOT_6TO4,
	RELAY_BPF_DROP_SOURCE,	     RELAY_BPF_DROP_DESTINATION_FOREIGN,
	RELAY_BPF_DROP_DESTINATION,  RELAY_BPF_DROP_DENIED,
};

static const enum relay_bpf_reason reasons6[] = {
	RELAY_BPF_DROP_DIRECTION, RELAY_BPF_DROP_DESTINATION_OWN,
	RELAY_BPF_DROP_SOURCE,	  RELAY_BPF_DROP_DESTINATION,
	RELAY_BPF_DROP_DENIED,
};

const enum relay_bpf_reason *tunnel_nft_reasons(int family, size_t *n)
{
	*n = family == AF_INET ? array_size(reasons4) : array_size(reasons6);
	return family == AF_INET ? reasons4 : reasons6;
}

/* -------- sets of relays -------- */

static void text_source(struct text *t, const struct nft_relay *r)
{
	char addr[INET_ADDRSTRLEN];

	text_add(t, "%s", inet_ntop(AF_INET, &r->source, addr, sizeof(addr)));
}

static void text_ifname(struct text *t, const struct nft_relay *r)
{
	text_add(t, "\"%s\"", r->ifname);
}

static bool served(const struct nft_relay *r, int family)
{
	return tunnel_has_way(r->direction, family == AF_INET
						    ? TUNNEL_WAY_4TO6
						    : TUNNEL_WAY_6TO4);
}

/* What counts, and drops: a set and a chain a reason. */
static void text_reasons(struct text *t, int family,
			 const struct nft_relay *relays, size_t n)
{
	bool v4 = family == AF_INET;
	const enum relay_bpf_reason *reasons;
	size_t nreasons, mark;

	reasons = tunnel_nft_reasons(family, &nreasons);
	for (size_t i = 0; i < nreasons; i++) {
		const char *name = reason_text[reasons[i]];

		text_add(t, "\tset %s {\n\t\ttype %s\n\t\tcounter\n", name,
			 v4 ? "ipv4_addr" : "ifname");
		mark = text_elements_begin(t);
		for (size_t j = 0; j < n; j++) {
			if (reasons[i] == RELAY_BPF_DROP_DIRECTION &&
			    served(&relays[j], family))
				continue;
			(v4 ? text_source : text_ifname)(t, &relays[j]);
			text_add(t, ", ");
		}
		text_elements_end(t, mark);
		text_add(t, "\t}\n\tchain drop-%s {\n\t\t%s @%s drop\n\t}\n",
			 name, v4 ? "ip daddr" : "oifname", name);
	}
}

/* Pairs of a relay, by its source or interface, and an IPv4 address. */
enum pair {
	PAIR_OWN,	   /* one of its own, as text */
	PAIR_OWN_EMBEDDED, /* the same as a number */
	PAIR_SOURCE,	   /* its source as a number */
};

static void text_pair(struct text *t, const struct nft_relay *r, bool by_source,
		      struct in_addr addr, enum pair pair)
{
	char buf[INET_ADDRSTRLEN];

	(by_source ? text_source : text_ifname)(t, r);
	if (pair == PAIR_OWN)
		text_add(t, " . %s, ",
			 inet_ntop(AF_INET, &addr, buf, sizeof(buf)));
	else
		text_add(t, " . 0x%08x, ", ntohl(addr.s_addr));
}

static void text_pairs(struct text *t, const char *name, const char *type,
		       const struct nft_relay *relays, size_t n, bool by_source,
		       enum pair pair)
{
	size_t mark;

	text_add(t, "\tset %s {\n\t\ttypeof %s\n", name, type);
	mark = text_elements_begin(t);
	for (size_t i = 0; i < n; i++) {
		text_pair(t, &relays[i], by_source, relays[i].source, pair);
		if (pair != PAIR_SOURCE &&
		    relays[i].transmit_source.s_addr != relays[i].source.s_addr)
			text_pair(t, &relays[i], by_source,
				  relays[i].transmit_source, pair);
	}
	text_elements_end(t, mark);
	text_add(t, "\t}\n");
}

/* -------- ranges of addresses -------- */

enum form {
	FORM_ADDRESS, /* as nft writes an address of the family */
	FORM_NUMBER,  /* what is met at a place in a packet */
};

static void text_address(struct text *t, int family, const uint8_t *addr,
			 enum form form)
{
	char buf[INET6_ADDRSTRLEN];

	if (form == FORM_ADDRESS) {
		text_add(t, "%s", inet_ntop(family, addr, buf, sizeof(buf)));
		return;
	}
	text_add(t, "0x");
	for (size_t i = 0; i < (family == AF_INET ? 4 : 16); i++)
		text_add(t, "%02x", addr[i]);
}

struct ranges {
	const struct filter_range *list;
	size_t n;
	int family;
};

/* bogon: what a bogon is called at the place where the map is asked. */
static void text_map(struct text *t, const struct ranges *ranges,
		     const char *name, size_t table, const char *type,
		     enum form form, enum relay_bpf_reason bogon)
{
	int family = ranges->family;
	size_t mark;

	if (!ranges->n)
		return;
	text_add(t, "\tmap %s-%zu {\n\t\t%s : verdict\n\t\tflags interval\n",
		 name, table, type);
	mark = text_elements_begin(t);
	for (size_t i = 0; i < ranges->n; i++) {
		const struct filter_range *r = &ranges->list[i];

		text_address(t, family, r->first, form);
		if (memcmp(r->first, r->last, sizeof(r->first)) != 0) {
			text_add(t, "-");
			text_address(t, family, r->last, form);
		}
		text_add(t, " : goto drop-%s, ",
			 reason_text[r->verdict == FILTER_VERDICT_DENY
					     ? RELAY_BPF_DROP_DENIED
					     : bogon]);
	}
	text_elements_end(t, mark);
	text_add(t, "\t}\n");
}

/* Asks a map, where there is one. */
static void text_ask(struct text *t, const struct ranges *ranges,
		     const char *what, const char *name, size_t table)
{
	if (ranges->n)
		text_add(t, "\t\t%s vmap @%s-%zu\n", what, name, table);
}

/* -------- tables of filters -------- */

/* The number of its table for each relay; returns how many tables there are.
 * first: a relay with that table. */
static size_t tables_number(const struct nft_relay *relays, size_t n,
			    size_t *number, size_t *first)
{
	size_t tables = 0, at;

	for (size_t i = 0; i < n; i++) {
		for (at = 0; at < tables; at++)
			if (filter_same(relays[i].rules, relays[i].nrules,
					relays[first[at]].rules,
					relays[first[at]].nrules))
				break;
		if (at == tables)
			first[tables++] = i;
		number[i] = at;
	}
	return tables;
}

struct tables {
	size_t n;
	size_t *number, *first;
	struct filter_range *buf[2];
	struct ranges v4, v6; /* of the table that is being written */
};

static void tables_begin(struct tables *tabs, const struct nft_relay *relays,
			 size_t n)
{
	size_t most = 0;

	tabs->number = XCALLOC(MTYPE_NFT_FILTER, n * sizeof(size_t));
	tabs->first = XCALLOC(MTYPE_NFT_FILTER, n * sizeof(size_t));
	tabs->n = tables_number(relays, n, tabs->number, tabs->first);
	for (size_t i = 0; i < n; i++)
		most = MAX(most, relays[i].nrules);
	for (size_t i = 0; i < 2; i++)
		tabs->buf[i] =
			XCALLOC(MTYPE_NFT_FILTER,
				(2 * most + 1) * sizeof(struct filter_range));
}

static void tables_get(struct tables *tabs, const struct nft_relay *relays,
		       size_t table)
{
	const struct nft_relay *r = &relays[tabs->first[table]];

	tabs->v4.family = AF_INET;
	tabs->v4.list = tabs->buf[0];
	tabs->v4.n = filter_ranges(r->rules, r->nrules, AF_INET, tabs->buf[0]);
	tabs->v6.family = AF_INET6;
	tabs->v6.list = tabs->buf[1];
	tabs->v6.n = filter_ranges(r->rules, r->nrules, AF_INET6, tabs->buf[1]);
}

static void tables_end(struct tables *tabs)
{
	XFREE(MTYPE_NFT_FILTER, tabs->number);
	XFREE(MTYPE_NFT_FILTER, tabs->first);
	for (size_t i = 0; i < 2; i++)
		XFREE(MTYPE_NFT_FILTER, tabs->buf[i]);
}

/* Which chain asks for which relay. */
static void text_chains(struct text *t, const char *name, bool by_source,
			const struct nft_relay *relays, size_t n,
			const struct tables *tabs)
{
	size_t mark;

	text_add(t, "\tmap %s {\n\t\ttype %s : verdict\n", name,
		 by_source ? "ipv4_addr" : "ifname");
	mark = text_elements_begin(t);
	for (size_t i = 0; i < n; i++) {
		(by_source ? text_source : text_ifname)(t, &relays[i]);
		text_add(t, " : goto %s-%zu, ", name, tabs->number[i]);
	}
	text_elements_end(t, mark);
	text_add(t, "\t}\n");
}

/* -------- 4to6 -------- */

static void text_table4(struct text *t, const struct tables *tabs, size_t k)
{
	text_map(t, &tabs->v4, "outer-source", k, "type ipv4_addr",
		 FORM_ADDRESS, RELAY_BPF_DROP_OUTER_SOURCE);
	text_map(t, &tabs->v6, "source6", k, "typeof " IN_SOURCE, FORM_NUMBER,
		 RELAY_BPF_DROP_SOURCE);
	text_map(t, &tabs->v6, "destination6", k, "typeof " IN_DESTINATION,
		 FORM_NUMBER, RELAY_BPF_DROP_DESTINATION);
	text_map(t, &tabs->v4, "destination4", k, "typeof " IN_DESTINATION_V4,
		 FORM_NUMBER, RELAY_BPF_DROP_DESTINATION);

	text_add(t, "\tchain outer-%zu {\n", k);
	text_ask(t, &tabs->v4, "ip saddr", "outer-source", k);
	text_add(t, "\t}\n\tchain inner-%zu {\n", k);
	text_add(t, "\t\t" IN_SOURCE_KIND " != 0x2002 " IN_DESTINATION_KIND
		    " != 0x2002 goto drop-not-6to4\n");
	/* a 2002: source embeds the outer one, which has been judged */
	text_ask(t, &tabs->v6, IN_SOURCE, "source6", k);
	text_add(t, "\t\t" IN_DESTINATION_KIND
		    " 0x2002 ip daddr . " IN_DESTINATION_V4
		    " != @received goto drop-destination-foreign\n");
	text_ask(t, &tabs->v6, IN_DESTINATION, "destination6", k);
	text_ask(t, &tabs->v4, IN_DESTINATION_KIND " 0x2002 " IN_DESTINATION_V4,
		 "destination4", k);
	text_add(t, "\t}\n");
}

void text_filter4(struct text *t, const struct nft_relay *relays, size_t n)
{
	struct tables tabs;

	text_reasons(t, AF_INET, relays, n);
	text_pairs(t, "own", "ip daddr . ip saddr", relays, n, true, PAIR_OWN);
	text_pairs(t, "received", "ip daddr . " IN_DESTINATION_V4, relays, n,
		   true, PAIR_SOURCE);
	tables_begin(&tabs, relays, n);
	for (size_t k = 0; k < tabs.n; k++) {
		tables_get(&tabs, relays, k);
		text_table4(t, &tabs, k);
	}
	text_chains(t, "outer", true, relays, n, &tabs);
	text_chains(t, "inner", true, relays, n, &tabs);
	tables_end(&tabs);

	text_add(
		t,
		"\tchain filter_prerouting {\n"
		"\t\ttype filter hook prerouting priority -300; policy accept;\n"
		"\t\tip protocol != 41 accept\n"
		"\t\tiifname \"lo\" ip saddr " TUNNEL_PROBE_SOURCE " accept\n"
		"\t\tip daddr @direction drop\n"
		/* a loop of tunnels, RFC 6324 */
		"\t\tip daddr . ip saddr @own goto drop-outer-source\n"
		"\t\tip saddr " TUNNEL_PROBE_SOURCE " goto drop-outer-source\n"
		"\t\tip daddr vmap @outer\n"
		"\t}\n"
		/* late: what an operator's filter drops is not counted */
		"\tchain filter_input {\n"
		"\t\ttype filter hook input priority 401; policy accept;\n"
		"\t\tip protocol != 41 accept\n"
		"\t\tiifname \"lo\" ip saddr " TUNNEL_PROBE_SOURCE " accept\n"
		/* a rule holds only if what it looks at is there: the last
		 * octet of an IPv6 header, whatever it is */
		"\t\t@th,0,4 6 @th,312,8 & 0x0 == 0x0 ip daddr vmap @inner\n"
		"\t\tip daddr @malformed drop\n"
		"\t}\n");
}

/* -------- 6to4 -------- */

static void text_table6(struct text *t, const struct tables *tabs, size_t k)
{
	text_map(t, &tabs->v6, "source6", k, "type ipv6_addr", FORM_ADDRESS,
		 RELAY_BPF_DROP_SOURCE);
	text_map(t, &tabs->v4, "source4", k, "typeof " OUT_SOURCE_V4,
		 FORM_NUMBER, RELAY_BPF_DROP_SOURCE);
	text_map(t, &tabs->v6, "destination6", k, "type ipv6_addr",
		 FORM_ADDRESS, RELAY_BPF_DROP_DESTINATION);
	text_map(t, &tabs->v4, "destination4", k, "typeof " OUT_DESTINATION_V4,
		 FORM_NUMBER, RELAY_BPF_DROP_DESTINATION);

	text_add(t, "\tchain out-%zu {\n", k);
	text_ask(t, &tabs->v6, "ip6 saddr", "source6", k);
	text_ask(t, &tabs->v4, "ip6 saddr 2002::/16 " OUT_SOURCE_V4, "source4",
		 k);
	text_ask(t, &tabs->v6, "ip6 daddr", "destination6", k);
	text_ask(t, &tabs->v4, OUT_DESTINATION_V4, "destination4", k);
	text_add(t, "\t}\n");
}

void text_filter6(struct text *t, const struct nft_relay *relays, size_t n,
		  const uint64_t *nonce)
{
	struct tables tabs;

	text_reasons(t, AF_INET6, relays, n);
	text_pairs(t, "own", "oifname . " OUT_DESTINATION_V4, relays, n, false,
		   PAIR_OWN_EMBEDDED);
	tables_begin(&tabs, relays, n);
	for (size_t k = 0; k < tabs.n; k++) {
		tables_get(&tabs, relays, k);
		text_table6(t, &tabs, k);
	}
	text_chains(t, "out", false, relays, n, &tabs);
	tables_end(&tabs);

	text_add(
		t,
		"\tchain filter_postrouting {\n"
		"\t\ttype filter hook postrouting priority 400; policy accept;\n"
		"\t\tip6 daddr != 2002::/16 accept\n");
	if (nonce)
		text_add(t,
			 "\t\tmeta l4proto ipv6-icmp " NONCE6 " 0x%016" PRIx64
			 " accept\n",
			 *nonce);
	text_add(t,
		 "\t\toifname @direction drop\n"
		 "\t\toifname . " OUT_DESTINATION_V4
		 " @own goto drop-destination-own\n"
		 /* its address is for probes alone */
		 "\t\tip6 daddr 2002:c000:8::/48 goto drop-destination\n"
		 "\t\toifname vmap @out\n"
		 "\t}\n");
}
