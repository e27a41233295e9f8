// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of the tables `ip frr-relay` and `ip6 frr-relay`, as nft reads it.
 * Pure: no kernel, no state.
 *
 * The rules are the same for one relay and for hundreds; what differs is in
 * sets, so a packet costs a few lookups however many relays there are.
 */
#include <zebra.h>

#include "relay_memory.h"
#include "selftest_6to4.h"
#include "tunnel_kernel.h"
#include "tunnel_nft_text.h"

DEFINE_MTYPE_STATIC(RELAYD, NFT_TEXT, "Relay nftables text");

#define TABLE TUNNEL_NFT_TABLE

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	for (;;) {
		va_start(ap, fmt);
		n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
		va_end(ap);
		if (n < (int)(t->size - t->len))
			break;
		t->size = 2 * t->size + n;
		t->buf = XREALLOC(MTYPE_NFT_TEXT, t->buf, t->size);
	}
	t->len += n;
}

#define ELEMENTS "\t\telements = { "

size_t text_elements_begin(struct text *t)
{
	size_t mark = t->len;

	text_add(t, ELEMENTS);
	return mark;
}

void text_elements_end(struct text *t, size_t mark)
{
	if (t->len == mark + strlen(ELEMENTS)) {
		t->len = mark;
		return;
	}
	t->len -= strlen(", ");
	text_add(t, " }\n");
}

enum set_kind {
	SET_OURS,
	SET_TRANSMIT,
	SET_PROBE_IN,
	SET_PROBE_OUT,
	SET_PROBE_ROUTED, /* the first one of table ip6 */
};

static const struct {
	const char *head;
	const char *name;
	const char *type;
	bool counter;
} sets[] = {
	[SET_OURS] = {"set", "ours", "ipv4_addr", false},
	[SET_TRANSMIT] = {"map", "transmit", "ipv4_addr : ipv4_addr", false},
	[SET_PROBE_IN] = {"set", "probe_in", "ipv4_addr", true},
	[SET_PROBE_OUT] = {"set", "probe_out", "ipv4_addr . ipv4_addr", true},
	[SET_PROBE_ROUTED] = {"set", "probe_routed", "ipv6_addr", true},
};

static void text_probe_ends(struct text *t, struct in_addr source)
{
	char addr[INET6_ADDRSTRLEN];
	struct in6_addr end;

	for (enum selftest_end i = 0; i < SELFTEST_ENDS; i++) {
		selftest_6to4_address(i, source, &end);
		text_add(t, "%s, ",
			 inet_ntop(AF_INET6, &end, addr, sizeof(addr)));
	}
}

static void text_elements(struct text *t, enum set_kind kind,
			  const struct nft_relay *r)
{
	char src[INET_ADDRSTRLEN], xmit[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &r->source, src, sizeof(src));
	inet_ntop(AF_INET, &r->transmit_source, xmit, sizeof(xmit));
	switch (kind) {
	case SET_OURS:
		text_add(t, "%s, ", src);
		if (strcmp(src, xmit) != 0)
			text_add(t, "%s, ", xmit);
		break;
	case SET_TRANSMIT:
		if (strcmp(src, xmit) != 0)
			text_add(t, "%s : %s, ", src, xmit);
		break;
	case SET_PROBE_IN:
		text_add(t, "%s, ", src);
		break;
	case SET_PROBE_OUT:
		text_add(t, "%s . " TUNNEL_PROBE_SOURCE ", %s . %s, ", src, src,
			 src);
		break;
	case SET_PROBE_ROUTED:
		text_probe_ends(t, r->source);
		break;
	}
}

static void text_set(struct text *t, enum set_kind kind,
		     const struct nft_relay *relays, size_t n)
{
	size_t mark;

	text_add(t, "\t%s %s {\n\t\ttype %s\n%s", sets[kind].head,
		 sets[kind].name, sets[kind].type,
		 sets[kind].counter ? "\t\tcounter\n" : "");
	mark = text_elements_begin(t);
	for (size_t i = 0; i < n; i++)
		text_elements(t, kind, &relays[i]);
	text_elements_end(t, mark);
	text_add(t, "\t}\n");
}

/* The bit is flipped between two chains at neighbouring priorities and never
 * seen by anyone else, whatever it was before. */
#define MARK_BIT "0x20000000"

/* before and behind all chains of others */
#define FIRST "-2147483647"
#define LAST "2147483646"

/* key: NULL where there is nobody to hand probes to. Then none is sent, and a
 * rule that asked for a nonce of 0 would take other people's packets. */
static void text_rules4(struct text *t, const struct nflog_key *key,
			uint64_t nonce)
{
	text_add(t,
		 "\tchain reroute {\n"
		 /* RFC 4213 section 3.2: with a static MTU, DF is not set */
		 "\t\tip frag-off set 0\n"
		 "\t\tmeta mark set meta mark xor " MARK_BIT "\n"
		 "\t\tip saddr set ip saddr map @transmit\n"
		 "\t}\n"
		 "\tchain encapsulated {\n");
	if (key)
		text_add(t,
			 "\t\t" NONCE4 " 0x%016" PRIx64
			 " ip saddr . ip daddr @probe_out goto reroute\n",
			 nonce);
	text_add(t,
		 "\t\tip daddr " TUNNEL_PROBE_SOURCE " drop\n"
		 "\t\tgoto reroute\n"
		 "\t}\n"
		 "\tchain output {\n"
		 "\t\ttype route hook output priority -150; policy accept;\n"
		 "\t\tip protocol != 41 accept\n"
		 "\t\tip saddr " TUNNEL_PROBE_SOURCE
		 " oifname != \"lo\" drop\n"
		 "\t\tip saddr @ours goto encapsulated\n"
		 "\t}\n"
		 "\tchain output_mark {\n"
		 "\t\ttype filter hook output priority -149; policy accept;\n"
		 "\t\tip protocol 41 ip saddr @ours meta mark set meta mark xor " MARK_BIT
		 "\n"
		 "\t}\n");
	/* the last filter of all: what comes so far would be on the wire next */
	if (key)
		text_add(t,
			 "\tchain postrouting {\n"
			 "\t\ttype filter hook postrouting priority " LAST
			 "; policy accept;\n"
			 "\t\tip protocol != 41 accept\n"
			 "\t\tip saddr @ours " NONCE4 " 0x%016" PRIx64
			 " log group %u drop\n"
			 "\t}\n",
			 nonce, key->group);
	/* late, so that what an operator's filter drops is not counted */
	text_add(t,
		 "\tchain input {\n"
		 "\t\ttype filter hook input priority 400; policy accept;\n"
		 "\t\tip protocol != 41 accept\n"
		 "\t\tiifname \"lo\" ip saddr " TUNNEL_PROBE_SOURCE
		 " ip daddr @probe_in accept\n"
		 "\t}\n");
}

static void text_rules6(struct text *t, uint64_t nonce, uint16_t group)
{
	text_add(t,
		 "\tchain forward {\n"
		 "\t\ttype filter hook forward priority " FIRST
		 "; policy accept;\n"
		 "\t\tmeta l4proto ipv6-icmp " NONCE6 " 0x%016" PRIx64
		 " ip6 daddr @probe_routed\n"
		 "\t}\n"
		 "\tchain postrouting {\n"
		 "\t\ttype filter hook postrouting priority " LAST
		 "; policy accept;\n"
		 "\t\tip6 daddr 100::/64 meta l4proto ipv6-icmp " NONCE6
		 " 0x%016" PRIx64 " log group %u drop\n"
		 "\t}\n",
		 nonce, nonce, group);
	/* errors about a probe: to the discard prefix, so to nobody */
	text_add(t,
		 "\tchain output {\n"
		 "\t\ttype filter hook output priority 0; policy accept;\n"
		 "\t\tip6 daddr 100::/64 icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } drop\n"
		 "\t}\n");
}

char *tunnel_nft_text(const struct nft_relay *relays, size_t n,
		      const struct nflog_key *key)
{
	struct text t = {.size = 4096};
	uint64_t nonce = 0;

	t.buf = XMALLOC(MTYPE_NFT_TEXT, t.size);
	/* add, then delete: deletes it whether it was there or not */
	text_add(&t, "add table ip " TABLE "\ndelete table ip " TABLE "\n"
		     "add table ip6 " TABLE "\ndelete table ip6 " TABLE "\n");
	if (n == 0)
		return t.buf;
	if (key)
		memcpy(&nonce, key->nonce, sizeof(nonce));
	nonce = be64toh(nonce);
	text_add(&t, "table ip " TABLE " {\n");
	for (size_t kind = 0; kind < SET_PROBE_ROUTED; kind++)
		text_set(&t, kind, relays, n);
	text_rules4(&t, key, nonce);
	text_filter4(&t, relays, n);
	text_add(&t, "}\ntable ip6 " TABLE " {\n");
	if (key) {
		text_set(&t, SET_PROBE_ROUTED, relays, n);
		text_rules6(&t, nonce, key->group);
	}
	text_filter6(&t, relays, n, key ? &nonce : NULL);
	text_add(&t, "}\n");
	return t.buf;
}

void tunnel_nft_text_free(char **text)
{
	XFREE(MTYPE_NFT_TEXT, *text);
}
