// SPDX-License-Identifier: GPL-2.0-or-later
/* Which addresses a relay takes: longest match, and the same as ranges. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "filter.h"
#include "relay_memory.h"
#include "tunnel_kernel.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define RULES_MAX 600

static struct filter_rule rule(const char *prefix, enum filter_verdict verdict)
{
	struct filter_rule r = {.verdict = verdict};

	assert_int_equal(str2prefix(prefix, &r.p), 1);
	return r;
}

static enum filter_verdict lookup(const struct filter_rule *rules, size_t n,
				  const char *addr)
{
	int family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	uint8_t octets[16];

	assert_int_equal(inet_pton(family, addr, octets), 1);
	return filter_lookup(rules, n, family, octets);
}

struct lookup_case {
	const char *addr;
	enum filter_verdict verdict;
};

static void check_lookups(const struct filter_rule *rules, size_t n,
			  const struct lookup_case *cases, size_t ncases)
{
	for (size_t i = 0; i < ncases; i++)
		if (lookup(rules, n, cases[i].addr) != cases[i].verdict)
			fail_msg("%s is not %d", cases[i].addr,
				 cases[i].verdict);
}

/* RFC 3964 section 5.3, each with the addresses on both sides of its borders */
static void test_bogons(void **state)
{
	static const struct lookup_case cases[] = {
		{"0.0.0.0", FILTER_VERDICT_BOGON},
		{"0.255.255.255", FILTER_VERDICT_BOGON},
		{"1.0.0.0", FILTER_VERDICT_PERMIT},
		{"9.255.255.255", FILTER_VERDICT_PERMIT},
		{"10.0.0.0", FILTER_VERDICT_BOGON},
		{"10.255.255.255", FILTER_VERDICT_BOGON},
		{"11.0.0.0", FILTER_VERDICT_PERMIT},
		{"126.255.255.255", FILTER_VERDICT_PERMIT},
		{"127.0.0.0", FILTER_VERDICT_BOGON},
		{"127.255.255.255", FILTER_VERDICT_BOGON},
		{"128.0.0.0", FILTER_VERDICT_PERMIT},
		{"169.253.255.255", FILTER_VERDICT_PERMIT},
		{"169.254.0.0", FILTER_VERDICT_BOGON},
		{"169.254.255.255", FILTER_VERDICT_BOGON},
		{"169.255.0.0", FILTER_VERDICT_PERMIT},
		{"172.15.255.255", FILTER_VERDICT_PERMIT},
		{"172.16.0.0", FILTER_VERDICT_BOGON},
		{"172.31.255.255", FILTER_VERDICT_BOGON},
		{"172.32.0.0", FILTER_VERDICT_PERMIT},
		{"192.0.0.8", FILTER_VERDICT_PERMIT},
		{"192.0.2.1", FILTER_VERDICT_PERMIT},
		{"192.88.99.1", FILTER_VERDICT_PERMIT},
		{"192.167.255.255", FILTER_VERDICT_PERMIT},
		{"192.168.0.0", FILTER_VERDICT_BOGON},
		{"192.168.255.255", FILTER_VERDICT_BOGON},
		{"192.169.0.0", FILTER_VERDICT_PERMIT},
		{"198.51.100.1", FILTER_VERDICT_PERMIT},
		{"203.0.113.1", FILTER_VERDICT_PERMIT},
		{"223.255.255.255", FILTER_VERDICT_PERMIT},
		{"224.0.0.0", FILTER_VERDICT_BOGON},
		{"239.255.255.255", FILTER_VERDICT_BOGON},
		{"240.0.0.0", FILTER_VERDICT_BOGON},
		{"255.255.255.255", FILTER_VERDICT_BOGON},
		{"::", FILTER_VERDICT_BOGON},
		{"::1", FILTER_VERDICT_BOGON},
		{"::192.0.2.1", FILTER_VERDICT_BOGON},
		{"::ffff:192.0.2.1", FILTER_VERDICT_BOGON},
		{"0:ffff:ffff:ffff:ffff:ffff:ffff:ffff", FILTER_VERDICT_BOGON},
		{"1::", FILTER_VERDICT_PERMIT},
		{"100::1", FILTER_VERDICT_PERMIT},
		{"2001:db8::1", FILTER_VERDICT_PERMIT},
		{"2002:a00:1::1",
		 FILTER_VERDICT_PERMIT}, /* judged by 10.0.0.1 */
		{"3ffd:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 FILTER_VERDICT_PERMIT},
		{"3ffe::", FILTER_VERDICT_BOGON},
		{"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 FILTER_VERDICT_BOGON},
		{"3fff::", FILTER_VERDICT_PERMIT},
		{"5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 FILTER_VERDICT_PERMIT},
		{"5f00::", FILTER_VERDICT_BOGON},
		{"5fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 FILTER_VERDICT_BOGON},
		{"6000::", FILTER_VERDICT_PERMIT},
		{"fd00::1", FILTER_VERDICT_PERMIT},
		{"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 FILTER_VERDICT_PERMIT},
		{"fe80::", FILTER_VERDICT_BOGON},
		{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 FILTER_VERDICT_BOGON},
		{"fec0::", FILTER_VERDICT_BOGON},
		{"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 FILTER_VERDICT_BOGON},
		{"ff00::", FILTER_VERDICT_BOGON},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 FILTER_VERDICT_BOGON},
	};
	struct filter_rule rules[RULES_MAX];
	size_t n = filter_table(NULL, 0, true, rules);

	check_lookups(rules, n, cases, array_size(cases));
	assert_int_equal(n, FILTER_BOGONS);
	assert_int_equal(filter_table(NULL, 0, false, rules), 0);
	assert_int_equal(lookup(rules, 0, "10.0.0.1"), FILTER_VERDICT_PERMIT);
}

static void test_longest_match(void **state)
{
	static const struct lookup_case cases[] = {
		{"10.1.2.3", FILTER_VERDICT_PERMIT},
		{"10.1.3.3", FILTER_VERDICT_DENY},
		{"10.2.0.1", FILTER_VERDICT_BOGON},
		{"198.51.100.9", FILTER_VERDICT_DENY},
		{"198.51.101.9", FILTER_VERDICT_PERMIT},
		{"172.16.0.1",
		 FILTER_VERDICT_PERMIT}, /* the same prefix as a bogon */
		{"2001:db8:bad::1", FILTER_VERDICT_DENY},
		{"2001:db8:bae::1", FILTER_VERDICT_PERMIT},
		{"fe80::1", FILTER_VERDICT_DENY}, /* deny of a bogon */
		{"192.168.0.1", FILTER_VERDICT_BOGON},
	};
	const struct filter_rule lines[] = {
		rule("10.1.2.0/24", FILTER_VERDICT_PERMIT),
		rule("10.1.0.0/16", FILTER_VERDICT_DENY),
		rule("172.16.0.0/12", FILTER_VERDICT_PERMIT),
		rule("198.51.100.0/24", FILTER_VERDICT_DENY),
		rule("2001:db8:bad::/48", FILTER_VERDICT_DENY),
		rule("fe80::/10", FILTER_VERDICT_DENY),
		/* shorter than all bogons: overrides none */
		rule("0.0.0.0/0", FILTER_VERDICT_PERMIT),
	};
	struct filter_rule rules[RULES_MAX];
	size_t n;

	n = filter_table(lines, array_size(lines), true, rules);
	check_lookups(rules, n, cases, array_size(cases));

	/* without bogons the lines stay */
	n = filter_table(lines, array_size(lines), false, rules);
	assert_int_equal(lookup(rules, n, "10.1.3.3"), FILTER_VERDICT_DENY);
	assert_int_equal(lookup(rules, n, "10.2.0.1"), FILTER_VERDICT_PERMIT);
	assert_int_equal(lookup(rules, n, "fe80::1"), FILTER_VERDICT_DENY);
}

static void test_normalize(void **state)
{
	struct filter_rule rules[] = {
		rule("198.51.100.77/24", FILTER_VERDICT_PERMIT), /* host bits */
		rule("2001:db8::1/32", FILTER_VERDICT_DENY),
		rule("198.51.100.0/24", FILTER_VERDICT_DENY),
		rule("198.51.100.1/24", FILTER_VERDICT_BOGON),
		rule("0.0.0.0/0", FILTER_VERDICT_BOGON),
		rule("10.0.0.0/8", FILTER_VERDICT_BOGON),
		rule("10.9.9.9/8", FILTER_VERDICT_PERMIT),
		rule("::/0", FILTER_VERDICT_PERMIT),
	};
	static const struct {
		const char *prefix;
		enum filter_verdict verdict;
	} left[] = {
		{"0.0.0.0/0", FILTER_VERDICT_BOGON},
		{"10.0.0.0/8", FILTER_VERDICT_PERMIT}, /* permit over bogon */
		{"198.51.100.0/24", FILTER_VERDICT_DENY}, /* deny over permit */
		{"::/0", FILTER_VERDICT_PERMIT},
		{"2001:db8::/32", FILTER_VERDICT_DENY},
	};
	size_t n = filter_normalize(rules, array_size(rules));

	assert_int_equal(n, array_size(left));
	for (size_t i = 0; i < n; i++) {
		struct filter_rule want = rule(left[i].prefix, left[i].verdict);

		assert_true(prefix_same(&rules[i].p, &want.p));
		assert_int_equal(rules[i].verdict, want.verdict);
	}
	assert_int_equal(filter_normalize(rules, 0), 0);
}

static void expect_range(const struct filter_range *range, int family,
			 const char *first, const char *last,
			 enum filter_verdict verdict)
{
	uint8_t a[16] = {}, b[16] = {};

	inet_pton(family, first, a);
	inet_pton(family, last, b);
	assert_memory_equal(range->first, a, 16);
	assert_memory_equal(range->last, b, 16);
	assert_int_equal(range->verdict, verdict);
}

static void test_ranges(void **state)
{
	static const struct filter_rule none;
	const struct filter_rule lines[] = {
		rule("10.1.0.0/16", FILTER_VERDICT_PERMIT),
		rule("10.1.255.255/32", FILTER_VERDICT_DENY),
		rule("9.0.0.0/8", FILTER_VERDICT_BOGON), /* joins 10/8 */
		rule("255.255.255.255/32", FILTER_VERDICT_DENY),
		rule("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		     FILTER_VERDICT_PERMIT),
	};
	struct filter_range out[2 * RULES_MAX + 1];
	struct filter_rule rules[RULES_MAX];
	size_t n = filter_table(lines, array_size(lines), true, rules), count;

	count = filter_ranges(rules, n, AF_INET, out);
	assert_int_equal(count, 10);
	expect_range(&out[0], AF_INET, "0.0.0.0", "0.255.255.255",
		     FILTER_VERDICT_BOGON);
	expect_range(&out[1], AF_INET, "9.0.0.0", "10.0.255.255",
		     FILTER_VERDICT_BOGON);
	expect_range(&out[2], AF_INET, "10.1.255.255", "10.1.255.255",
		     FILTER_VERDICT_DENY);
	expect_range(&out[3], AF_INET, "10.2.0.0", "10.255.255.255",
		     FILTER_VERDICT_BOGON);
	expect_range(&out[8], AF_INET, "224.0.0.0", "255.255.255.254",
		     FILTER_VERDICT_BOGON);
	expect_range(&out[9], AF_INET, "255.255.255.255", "255.255.255.255",
		     FILTER_VERDICT_DENY);

	count = filter_ranges(rules, n, AF_INET6, out);
	assert_int_equal(count, 4);
	expect_range(&out[0], AF_INET6,
		     "::", "0:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		     FILTER_VERDICT_BOGON);
	/* fe80::/10, fec0::/10 and ff00::/8 lie side by side */
	expect_range(&out[3], AF_INET6,
		     "fe80::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
		     FILTER_VERDICT_BOGON);

	assert_int_equal(filter_ranges(&none, 0, AF_INET, out), 0);
	assert_int_equal(filter_ranges(&none, 0, AF_INET6, out), 0);
}

/* ------------------------------------------------- random prefixes, fixed seed
 */

static uint64_t seed;

/* splitmix64: the same everywhere */
static uint32_t next_random(uint32_t bound)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % bound;
}

/* Few values an octet, so that prefixes nest, touch and coincide. */
static void random_octets(uint8_t *out, size_t len)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};

	for (size_t i = 0; i < len; i++)
		out[i] = values[next_random(array_size(values))];
}

static struct filter_rule random_rule(void)
{
	struct filter_rule r = {};

	r.p.family = next_random(2) ? AF_INET : AF_INET6;
	r.p.prefixlen = next_random(r.p.family == AF_INET ? 33 : 129);
	random_octets(r.p.u.val, r.p.family == AF_INET ? 4 : 16);
	r.verdict = next_random(3);
	return r;
}

/* by the definition, rule for rule */
static enum filter_verdict judge(const struct filter_rule *lines, size_t n,
				 int family, const uint8_t *addr)
{
	static const int rank[] = {[FILTER_VERDICT_BOGON] = 0,
				   [FILTER_VERDICT_PERMIT] = 1,
				   [FILTER_VERDICT_DENY] = 2};
	const struct filter_rule *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct filter_rule *r = &lines[i];
		bool match = r->p.family == family;

		for (int bit = 0; match && bit < r->p.prefixlen; bit++)
			match = !((addr[bit / 8] ^ r->p.u.val[bit / 8]) &
				  0x80 >> bit % 8);
		if (!match)
			continue;
		if (!best || r->p.prefixlen > best->p.prefixlen ||
		    (r->p.prefixlen == best->p.prefixlen &&
		     rank[r->verdict] > rank[best->verdict]))
			best = r;
	}
	return best ? best->verdict : FILTER_VERDICT_PERMIT;
}

static enum filter_verdict in_ranges(const struct filter_range *ranges,
				     size_t n, size_t len, const uint8_t *addr)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(addr, ranges[i].first, len) >= 0 &&
		    memcmp(addr, ranges[i].last, len) <= 0)
			return ranges[i].verdict;
	return FILTER_VERDICT_PERMIT;
}

/* one less, or one more; wraps around */
static void step(uint8_t *addr, size_t len, int by)
{
	while (len--) {
		addr[len] += by;
		if (addr[len] != (by > 0 ? 0 : 0xff))
			break;
	}
}

struct table {
	struct filter_rule lines[RULES_MAX], rules[RULES_MAX];
	struct filter_range ranges[2][2 * RULES_MAX + 1];
	size_t nlines, nrules, nranges[2];
};

static void check_address(const struct table *t, int family,
			  const uint8_t *addr)
{
	enum filter_verdict want = judge(t->lines, t->nlines, family, addr);
	bool v6 = family == AF_INET6;

	assert_int_equal(filter_lookup(t->rules, t->nrules, family, addr),
			 want);
	assert_int_equal(
		in_ranges(t->ranges[v6], t->nranges[v6], v6 ? 16 : 4, addr),
		want);
}

static void check_order(const struct table *t, int family)
{
	bool v6 = family == AF_INET6;
	size_t len = v6 ? 16 : 4;

	assert_true(t->nranges[v6] <= 2 * t->nrules + 1);
	for (size_t i = 0; i < t->nranges[v6]; i++) {
		const struct filter_range *r = &t->ranges[v6][i];
		uint8_t after[16];

		assert_int_not_equal(r->verdict, FILTER_VERDICT_PERMIT);
		assert_true(memcmp(r->first, r->last, len) <= 0);
		if (i == 0)
			continue;
		assert_true(memcmp(r[-1].last, r->first, len) < 0);
		/* what touches and is alike is one */
		memcpy(after, r[-1].last, len);
		step(after, len, 1);
		assert_false(memcmp(after, r->first, len) == 0 &&
			     r[-1].verdict == r->verdict);
	}
}

static void test_random(void **state)
{
	static struct table t;

	seed = 3964;
	for (int run = 0; run < 300; run++) {
		t.nlines = next_random(40);
		for (size_t i = 0; i < t.nlines; i++)
			t.lines[i] = random_rule();
		memcpy(t.rules, t.lines, t.nlines * sizeof(*t.lines));
		t.nrules = filter_normalize(t.rules, t.nlines);
		t.nranges[0] =
			filter_ranges(t.rules, t.nrules, AF_INET, t.ranges[0]);
		t.nranges[1] =
			filter_ranges(t.rules, t.nrules, AF_INET6, t.ranges[1]);
		check_order(&t, AF_INET);
		check_order(&t, AF_INET6);
		for (int i = 0; i < 200; i++) {
			uint8_t addr[16];

			random_octets(addr, 16);
			check_address(&t, AF_INET, addr);
			check_address(&t, AF_INET6, addr);
		}
		/* the borders of each range, and beyond */
		for (int v6 = 0; v6 < 2; v6++) {
			size_t len = v6 ? 16 : 4;
			int family = v6 ? AF_INET6 : AF_INET;

			for (size_t i = 0; i < t.nranges[v6]; i++) {
				struct filter_range r = t.ranges[v6][i];

				check_address(&t, family, r.first);
				check_address(&t, family, r.last);
				step(r.first, len, -1);
				step(r.last, len, 1);
				check_address(&t, family, r.first);
				check_address(&t, family, r.last);
			}
		}
	}
}

/* The most that one relay can have. */
static void test_full(void **state)
{
	static struct filter_rule lines[512], rules[512 + FILTER_BOGONS];
	static struct filter_range out[2 * array_size(rules) + 1];
	size_t n, count;

	for (size_t i = 0; i < array_size(lines); i++) {
		/* a permitted address in the middle of one bogon network */
		lines[i].p.family = AF_INET;
		lines[i].p.prefixlen = 32;
		lines[i].p.u.prefix4.s_addr = htonl(0x0a000080 + i * 256);
		lines[i].verdict =
			i % 2 ? FILTER_VERDICT_DENY : FILTER_VERDICT_PERMIT;
	}
	n = filter_table(lines, array_size(lines), true, rules);
	assert_int_equal(n, array_size(rules));
	count = filter_ranges(rules, n, AF_INET, out);
	/* 10/8 in 513 pieces, 256 denied ones, and the other 6 bogons */
	assert_int_equal(count, 513 + 256 + 6);
	assert_int_equal(filter_ranges(rules, n, AF_INET6, out), 4);
}

/* 192.88.99.0/24 is no host's for Teredo (RFC 4380 section 5.2.4), and the other
 * end for 6to4; as all bogons it can be permitted, or be none. */
static void test_6to4_anycast(void **state)
{
	struct filter_rule permit = rule("192.88.99.0/24",
					 FILTER_VERDICT_PERMIT);
	struct tunnel_params params = {.filter_bogons = true};
	const struct filter_rule *rules;
	size_t n;

	rules = tunnel_filter_rules(&params, &n);
	assert_int_equal(lookup(rules, n, "192.88.99.1"),
			 FILTER_VERDICT_PERMIT);
	params.udp_port = 3545;
	rules = tunnel_filter_rules(&params, &n);
	assert_int_equal(lookup(rules, n, "192.88.99.1"), FILTER_VERDICT_BOGON);
	assert_int_equal(lookup(rules, n, "192.88.98.255"),
			 FILTER_VERDICT_PERMIT);
	assert_int_equal(lookup(rules, n, "10.0.0.1"), FILTER_VERDICT_BOGON);
	params.filters = &permit;
	params.nfilters = 1;
	rules = tunnel_filter_rules(&params, &n);
	assert_int_equal(lookup(rules, n, "192.88.99.1"),
			 FILTER_VERDICT_PERMIT);
	params.nfilters = 0;
	params.filter_bogons = false;
	rules = tunnel_filter_rules(&params, &n);
	assert_int_equal(lookup(rules, n, "192.88.99.1"),
			 FILTER_VERDICT_PERMIT);
	tunnel_filter_fini();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bogons),
		cmocka_unit_test(test_longest_match),
		cmocka_unit_test(test_normalize),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_6to4_anycast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
