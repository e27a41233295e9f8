// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which addresses a relay takes (RFC 3964 section 5.3, RFC 4380 section 5.2.4):
 * bogons, and what the operator permits and denies. Pure: one table, out of
 * which every datapath is fed, and by which every datapath is tested.
 *
 * The longest prefix decides. Of two lines for one prefix, deny decides. A 2002
 * address is judged by its own prefix and by the IPv4 address that it embeds;
 * that is the datapath's part.
 */
#ifndef _RELAY_FILTER_H
#define _RELAY_FILTER_H

#include <zebra.h>

#include "prefix.h"

enum filter_verdict {
	FILTER_VERDICT_PERMIT,
	FILTER_VERDICT_BOGON,
	FILTER_VERDICT_DENY,
};

struct filter_rule {
	struct prefix p;
	enum filter_verdict verdict;
};

#define FILTER_BOGONS 14 /* of both families */

/*
 * The table in effect: the n lines of an operator, and the bogons unless they
 * are off; normalized. out has room for n + FILTER_BOGONS; returns how many
 * there are.
 */
size_t filter_table(const struct filter_rule *lines, size_t n, bool bogons,
		    struct filter_rule *out);

/*
 * Sorts rules by family, prefix length and address, and drops what another rule
 * for the same prefix overrides. Returns how many are left.
 */
size_t filter_normalize(struct filter_rule *rules, size_t n);

/* Two normalized tables say the same. */
bool filter_same(const struct filter_rule *a, size_t na,
		 const struct filter_rule *b, size_t nb);

/* What becomes of an address, by normalized rules; permitted where none match.
 */
enum filter_verdict filter_lookup(const struct filter_rule *rules, size_t n,
				  int family, const void *addr);

/* Addresses from first to last, both in network order, all with one verdict. */
struct filter_range {
	uint8_t first[16], last[16];
	enum filter_verdict verdict;
};

/*
 * Longest match as ranges that do not overlap, for a datapath that knows no
 * longest match: those of one family that are not permitted, in order. out has
 * room for 2 * n + 1; returns how many there are.
 */
size_t filter_ranges(const struct filter_rule *rules, size_t n, int family,
		     struct filter_range *out);

#endif /* _RELAY_FILTER_H */
