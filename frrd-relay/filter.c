// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "filter.h"

#define V4(a, b, c, d, len)                                                    \
	{                                                                      \
		.p = {.family = AF_INET,                                       \
		      .prefixlen = len,                                        \
		      .u.val = {a, b, c, d}},                                  \
		.verdict = FILTER_VERDICT_BOGON                                \
	}
#define V6(a, b, len)                                                          \
	{                                                                      \
		.p = {.family = AF_INET6, .prefixlen = len, .u.val = {a, b}},  \
		.verdict = FILTER_VERDICT_BOGON                                \
	}

static const struct filter_rule bogons[FILTER_BOGONS] = {
	/* RFC 3964 section 5.3.1; the host's own broadcasts are the FIB's */
	V4(0, 0, 0, 0, 8),
	V4(10, 0, 0, 0, 8),
	V4(127, 0, 0, 0, 8),
	V4(169, 254, 0, 0, 16),
	V4(172, 16, 0, 0, 12),
	V4(192, 168, 0, 0, 16),
	V4(224, 0, 0, 0, 4),
	V4(240, 0, 0, 0, 4),
	/* section 5.3.2 */
	V6(0x00, 0x00, 16),
	V6(0xfe, 0x80, 10),
	V6(0xfe, 0xc0, 10),
	V6(0xff, 0x00, 8),
	/* the 6bone, returned (RFC 3701), and its predecessor (RFC 1897) */
	V6(0x3f, 0xfe, 16),
	V6(0x5f, 0x00, 8),
};

static size_t octets(int family)
{
	return family == AF_INET ? 4 : 16;
}

static int rule_cmp(const void *va, const void *vb)
{
	const struct filter_rule *a = va, *b = vb;
	int cmp;

	if (a->p.family != b->p.family)
		return a->p.family - b->p.family;
	if (a->p.prefixlen != b->p.prefixlen)
		return a->p.prefixlen - b->p.prefixlen;
	cmp = memcmp(a->p.u.val, b->p.u.val, octets(a->p.family));
	/* what decides comes first: deny, then permit, then bogon */
	if (cmp == 0 && a->verdict != b->verdict) {
		if (a->verdict == FILTER_VERDICT_DENY ||
		    b->verdict == FILTER_VERDICT_DENY)
			return a->verdict == FILTER_VERDICT_DENY ? -1 : 1;
		return a->verdict == FILTER_VERDICT_PERMIT ? -1 : 1;
	}
	return cmp;
}

size_t filter_normalize(struct filter_rule *rules, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		apply_mask(&rules[i].p);
	qsort(rules, n, sizeof(*rules), rule_cmp);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !prefix_same(&rules[kept - 1].p, &rules[i].p))
			rules[kept++] = rules[i];
	return kept;
}

size_t filter_table(const struct filter_rule *lines, size_t n, bool bogons_on,
		    struct filter_rule *out)
{
	if (n)
		memcpy(out, lines, n * sizeof(*out));
	if (bogons_on) {
		memcpy(out + n, bogons, sizeof(bogons));
		n += FILTER_BOGONS;
	}
	return filter_normalize(out, n);
}

bool filter_same(const struct filter_rule *a, size_t na,
		 const struct filter_rule *b, size_t nb)
{
	if (na != nb)
		return false;
	for (size_t i = 0; i < na; i++)
		if (a[i].verdict != b[i].verdict ||
		    !prefix_same(&a[i].p, &b[i].p))
			return false;
	return true;
}

static bool covers(const struct filter_rule *rule, int family,
		   const uint8_t *addr)
{
	struct prefix p = {.family = family, .prefixlen = octets(family) * 8};

	if (rule->p.family != family)
		return false;
	memcpy(p.u.val, addr, octets(family));
	return prefix_match(&rule->p, &p);
}

enum filter_verdict filter_lookup(const struct filter_rule *rules, size_t n,
				  int family, const void *addr)
{
	enum filter_verdict verdict = FILTER_VERDICT_PERMIT;

	/* sorted by length: the last one that matches is the longest */
	for (size_t i = 0; i < n; i++)
		if (covers(&rules[i], family, addr))
			verdict = rules[i].verdict;
	return verdict;
}

/* addr + 1; false when there is none. */
static bool next_address(uint8_t *addr, size_t len)
{
	while (len--)
		if (++addr[len])
			return true;
	return false;
}

static void last_address(const struct prefix *p, uint8_t *out)
{
	size_t len = octets(p->family);

	memcpy(out, p->u.val, len);
	for (size_t bit = p->prefixlen; bit < len * 8; bit++)
		out[bit / 8] |= 0x80 >> bit % 8;
}

/* The end of the run of one verdict that begins at first: where the next rule
 * begins or one that covers it ends. */
static void run_end(const struct filter_rule *rules, size_t n, int family,
		    const uint8_t *first, uint8_t *last)
{
	size_t len = octets(family);

	memset(last, 0xff, len);
	for (size_t i = 0; i < n; i++) {
		uint8_t end[16];

		if (rules[i].p.family != family)
			continue;
		if (memcmp(rules[i].p.u.val, first, len) > 0) {
			/* one before its beginning */
			memcpy(end, rules[i].p.u.val, len);
			for (size_t j = len; j--;)
				if (end[j]--)
					break;
		} else if (covers(&rules[i], family, first)) {
			last_address(&rules[i].p, end);
		} else {
			continue;
		}
		if (memcmp(end, last, len) < 0)
			memcpy(last, end, len);
	}
}

size_t filter_ranges(const struct filter_rule *rules, size_t n, int family,
		     struct filter_range *out)
{
	size_t len = octets(family), count = 0;
	uint8_t at[16] = {}, last[16];
	enum filter_verdict verdict;

	do {
		run_end(rules, n, family, at, last);
		verdict = filter_lookup(rules, n, family, at);
		if (verdict != FILTER_VERDICT_PERMIT) {
			struct filter_range *prev =
				count ? &out[count - 1] : NULL;
			uint8_t joined[16];

			if (prev) {
				memcpy(joined, prev->last, len);
				next_address(joined, len);
			}
			if (prev && prev->verdict == verdict &&
			    memcmp(joined, at, len) == 0) {
				memcpy(prev->last, last, len);
			} else {
				memset(&out[count], 0, sizeof(*out));
				memcpy(out[count].first, at, len);
				memcpy(out[count].last, last, len);
				out[count++].verdict = verdict;
			}
		}
		memcpy(at, last, len);
	} while (next_address(at, len));
	return count;
}
