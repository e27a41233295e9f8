// SPDX-License-Identifier: GPL-2.0-or-later
/* Which configurations are refused, and in which words. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay_memory.h"
#include "validate_lab.h"

DEFINE_MGROUP(RELAYD, "relayd");

static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} cases[] = {
		{"tokyo6to4", true},
		{"a", true},
		{"A-b_c.d", true},
		{"123456789012345", true},
		{"1234567890123456", false},
		{"", false},
		{"a/b", false},
		{"a b", false},
		{"r\xc3\xa9", false},
		{".", false},
		{"..", false},
		{"counters", false},
		{"history", false},
		{"peers", false},
		{"json", false},
		{"jsonx", true},
	};
	char err[RELAY_ERR_LEN];

	for (size_t i = 0; i < array_size(cases); i++)
		if (relay_validate_name(cases[i].name, err, sizeof(err)) !=
		    cases[i].ok)
			fail_msg("name '%s'", cases[i].name);
}

static void test_sources(void **state)
{
	static const struct {
		const char *addr;
		bool ok;
	} cases[] = {
		{"192.88.99.1", true},	 {"10.0.0.1", true},
		{"203.0.113.9", true},	 {"223.255.255.255", true},
		{"0.0.0.0", false},	 {"0.1.2.3", false},
		{"127.0.0.1", false},	 {"224.0.0.1", false},
		{"239.1.1.1", false},	 {"240.0.0.1", false},
		{"255.255.255.255", false},
	};
	char expected[RELAY_ERR_LEN];
	struct relay_config cfg;

	for (size_t i = 0; i < array_size(cases); i++) {
		relay_named(&cfg, "a");
		inet_pton(AF_INET, cases[i].addr, &cfg.source);
		snprintf(expected, sizeof(expected),
			 "tunnel source %s is not a unicast address",
			 cases[i].addr);
		expect(&cfg, NULL, 0, cases[i].ok ? NULL : expected);

		relay_named(&cfg, "a");
		cfg.has_transmit_source = true;
		inet_pton(AF_INET, cases[i].addr, &cfg.transmit_source);
		snprintf(expected, sizeof(expected),
			 "tunnel transmit-source %s is not a unicast address",
			 cases[i].addr);
		expect(&cfg, NULL, 0, cases[i].ok ? NULL : expected);
	}
}

static void test_completeness(void **state)
{
	struct relay_config cfg;

	relay_named(&cfg, "a");
	cfg.mode = RELAY_MODE_NONE;
	expect(&cfg, NULL, 0, "relay a needs a tunnel mode first");
	cfg.enabled = false;
	expect(&cfg, NULL, 0, NULL);

	relay_named(&cfg, "a");
	cfg.has_source = false;
	expect(&cfg, NULL, 0, "relay a needs a tunnel source first");
	cfg.enabled = false;
	expect(&cfg, NULL, 0, NULL);
}

static void test_routes(void **state)
{
	static const struct {
		const char *prefix;
		bool ok;
	} cases[] = {
		{"192.88.99.0/24", true}, {"2002::/16", true},
		{"2001:db8::/32", true},  {"0.0.0.0/0", false},
		{"::/0", false},	  {"224.0.0.0/4", false},
		{"127.0.0.0/8", false},	  {"ff00::/8", false},
		{"fe80::/10", false},	  {"::1/128", false},
		{"::ffff:0:0/96", false},
	};
	char expected[RELAY_ERR_LEN];
	struct relay_config cfg;

	for (size_t i = 0; i < array_size(cases); i++) {
		relay_named(&cfg, "a");
		add_route(&cfg, cases[i].prefix);
		/* as libc writes it: ::ffff:0:0 or ::ffff:0.0.0.0 */
		snprintfrr(expected, sizeof(expected),
			   "route %pFX can't be routed to a relay",
			   &cfg.routes[0].prefix);
		expect(&cfg, NULL, 0, cases[i].ok ? NULL : expected);
	}

	relay_named(&cfg, "a");
	add_route(&cfg, "2002::/16");
	add_route(&cfg, "2002:c058::/32");
	expect(&cfg, NULL, 0,
	       "route 2002:c058::/32 overlaps route 2002::/16 of the same relay");

	relay_named(&cfg, "a");
	add_route(&cfg, "2002::/16");
	cfg.routes[0].track = 2;
	expect(&cfg, NULL, 0, NULL);
	cfg.routes[0].track = 3;
	expect(&cfg, NULL, 0, "track object 3 does not exist");
	cfg.routes[0].track = 0;
	cfg.track = 77;
	expect(&cfg, NULL, 0, "track object 77 does not exist");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *addr;
		const char *expected;
	} cases[] = {
		{"2002:c058:6301::1/128", NULL},
		{"2002:c058:6301::1/17", NULL},
		{"2001:db8::1/64", NULL},
		{"2002:c058:6301::1/16",
		 "ipv6 address 2002:c058:6301::1/16 would make 2002::/16 a connected route"},
		{"2003::1/12",
		 "ipv6 address 2003::1/12 would make 2002::/16 a connected route"},
		{"ff02::1/128",
		 "ipv6 address ff02::1/128 is not a unicast address"},
		{"::1/128", "ipv6 address ::1/128 is not a unicast address"},
	};
	struct relay_config cfg;

	for (size_t i = 0; i < array_size(cases); i++) {
		relay_named(&cfg, "a");
		assert_int_equal(str2prefix_ipv6(cases[i].addr, &cfg.addrs[0]),
				 1);
		cfg.naddrs = 1;
		expect(&cfg, NULL, 0, cases[i].expected);
	}
	/* nothing is injected for a direction that is off */
	relay_named(&cfg, "a");
	str2prefix_ipv6("2002:c058:6301::1/16", &cfg.addrs[0]);
	cfg.naddrs = 1;
	cfg.direction = TUNNEL_DIR_RECEIVE;
	expect(&cfg, NULL, 0, NULL);
}

static void test_dampening(void **state)
{
	struct relay_config cfg;

	relay_named(&cfg, "a");
	cfg.dampening.enabled = true;
	expect(&cfg, NULL, 0, NULL);
	cfg.dampening.suppress = 500;
	expect(&cfg, NULL, 0,
	       "dampening: suppress 500 is not above reuse 750");
	cfg.dampening.suppress = 20000;
	expect(&cfg, NULL, 0,
	       "dampening: suppress 20000 is never reached, reuse 750 with half-life 15 and max-suppress 60 keeps the penalty at 12000");
	cfg.dampening.enabled = false;
	expect(&cfg, NULL, 0, NULL);
}

static void add_filter(struct relay_config *cfg, const char *prefix,
		       enum filter_verdict verdict)
{
	struct filter_rule *rule = &cfg->filters[cfg->nfilters++];

	memset(rule, 0, sizeof(*rule));
	rule->verdict = verdict;
	assert_int_equal(str2prefix(prefix, &rule->p), 1);
}

static void test_filters(void **state)
{
	struct relay_config cfg, copy;

	relay_named(&cfg, "a");
	assert_true(cfg.filter_bogons);
	add_filter(&cfg, "10.0.0.0/8", FILTER_VERDICT_PERMIT);
	add_filter(&cfg, "10.1.0.0/16", FILTER_VERDICT_DENY);
	add_filter(&cfg, "2001:db8::/32", FILTER_VERDICT_DENY);
	expect(&cfg, NULL, 0, NULL);
	relay_config_copy(&copy, &cfg);
	expect(&copy, NULL, 0, NULL);
	add_filter(&cfg, "10.1.0.0/16", FILTER_VERDICT_PERMIT);
	expect(&cfg, NULL, 0,
	       "filter 10.1.0.0/16 is both permitted and denied");
	expect(&copy, NULL, 0, NULL);
	relay_config_copy(&copy, &cfg);
	expect(&copy, NULL, 0,
	       "filter 10.1.0.0/16 is both permitted and denied");
	/* the same octets in the other family */
	cfg.nfilters = 0;
	add_filter(&cfg, "0.0.0.0/0", FILTER_VERDICT_PERMIT);
	add_filter(&cfg, "::/0", FILTER_VERDICT_DENY);
	expect(&cfg, NULL, 0, NULL);

	cfg.too_many_denies = true;
	expect(&cfg, NULL, 0, "a relay has 256 filter deny lines at most");
	cfg.too_many_permits = true;
	expect(&cfg, NULL, 0, "a relay has 256 filter permit lines at most");
}

static void test_tracks(void **state)
{
	struct track_config trk = {.id = 20, .type = TRACK_LIST};
	char err[RELAY_ERR_LEN];

	trk.members[0].id = 11;
	trk.nmembers = 1;
	assert_true(relay_validate_track(&trk, &tracks, err, sizeof(err)));

	trk.members[0].id = 500;
	assert_false(relay_validate_track(&trk, &tracks, err, sizeof(err)));
	assert_string_equal(err, "track object 500 does not exist");

	trk.id = 10;
	trk.members[0].id = 11;
	assert_false(relay_validate_track(&trk, &tracks, err, sizeof(err)));
	assert_string_equal(err, "track 10 would be a member of itself");

	memset(&trk, 0, sizeof(trk));
	trk.id = 3;
	trk.type = TRACK_ICMP_ECHO;
	str2ipaddr("fe80::1", &trk.target);
	assert_false(relay_validate_track(&trk, &tracks, err, sizeof(err)));
	assert_string_equal(
		err, "track 3: link-local target fe80::1 needs a source-interface");
	strlcpy(trk.source_ifname, "eth0", sizeof(trk.source_ifname));
	assert_true(relay_validate_track(&trk, &tracks, err, sizeof(err)));
	str2ipaddr("192.0.2.1", &trk.source);
	assert_false(relay_validate_track(&trk, &tracks, err, sizeof(err)));
	str2ipaddr("224.0.0.5", &trk.target);
	memset(&trk.source, 0, sizeof(trk.source));
	assert_false(relay_validate_track(&trk, &tracks, err, sizeof(err)));
	assert_string_equal(err,
			    "track 3: target 224.0.0.5 is not a unicast address");
}

static void bfd_object(struct track_config *trk, uint16_t id, const char *peer,
		       const char *local, const char *ifname, bool multihop,
		       const char *profile)
{
	memset(trk, 0, sizeof(*trk));
	trk->id = id;
	trk->type = TRACK_BFD;
	if (peer)
		assert_int_equal(str2ipaddr(peer, &trk->target), 0);
	if (local)
		assert_int_equal(str2ipaddr(local, &trk->source), 0);
	if (ifname)
		strlcpy(trk->ifname, ifname, sizeof(trk->ifname));
	trk->multihop = multihop;
	if (profile)
		strlcpy(trk->profile, profile, sizeof(trk->profile));
}

static void test_bfd(void **state)
{
	static const struct {
		const char *peer, *local, *ifname;
		bool multihop;
		const char *expected; /* NULL: taken */
	} cases[] = {
		{"192.0.2.1", NULL, NULL, false, NULL},
		{"192.0.2.1", "192.0.2.2", "eth0", false, NULL},
		{"192.0.2.1", "198.51.100.2", NULL, true, NULL},
		{"2001:db8::1", NULL, NULL, false, NULL},
		{"2001:db8::1", "2001:db8:9::2", NULL, true, NULL},
		{"fe80::1", NULL, "eth0", false, NULL},
		{"fe80::1", "fe80::2", "eth0", false, NULL},
		{NULL, NULL, NULL, false, "track 4: bfd needs a peer"},
		{"224.0.0.5", NULL, NULL, false,
		 "track 4: peer 224.0.0.5 is not a unicast address"},
		{"0.0.0.0", NULL, NULL, false,
		 "track 4: peer 0.0.0.0 is not a unicast address"},
		{"ff02::5", NULL, "eth0", false,
		 "track 4: peer ff02::5 is not a unicast address"},
		{"::", NULL, NULL, false,
		 "track 4: peer :: is not a unicast address"},
		{"192.0.2.1", "2001:db8::1", NULL, false,
		 "track 4: local-address 2001:db8::1 and peer 192.0.2.1 are of different families"},
		{"192.0.2.1", "224.0.0.1", NULL, false,
		 "track 4: local-address 224.0.0.1 is not a unicast address"},
		{"192.0.2.1", "192.0.2.1", NULL, false,
		 "track 4: peer and local-address are both 192.0.2.1"},
		{"192.0.2.1", NULL, NULL, true,
		 "track 4: multihop needs a local-address"},
		{"192.0.2.1", "192.0.2.2", "eth0", true,
		 "track 4: multihop takes no interface"},
		{"fe80::1", NULL, NULL, false,
		 "track 4: link-local peer fe80::1 needs an interface"},
		{"fe80::1", "2001:db8::1", NULL, true,
		 "track 4: link-local peer fe80::1 can't be multihop"},
	};
	struct track_config trk;
	char err[RELAY_ERR_LEN];

	for (size_t i = 0; i < array_size(cases); i++) {
		bfd_object(&trk, 4, cases[i].peer, cases[i].local,
			   cases[i].ifname, cases[i].multihop, NULL);
		err[0] = '\0';
		assert_int_equal(relay_validate_track(&trk, &tracks, err,
						      sizeof(err)),
				 !cases[i].expected);
		assert_string_equal(err, cases[i].expected ? cases[i].expected
							   : "");
	}
}

/* bfdd takes what a key leaves open for anything. */
static void test_bfd_profiles(void **state)
{
	static const struct {
		const char *peer, *local, *ifname;
		bool multihop;
		const char *profile;
		bool ok; /* beside 192.0.2.1 interface eth0 profile fast */
	} cases[] = {
		{"192.0.2.1", NULL, "eth0", false, "fast", true},
		{"192.0.2.1", NULL, "eth0", false, NULL, true},
		{"192.0.2.1", NULL, "eth0", false, "slow", false},
		{"192.0.2.1", NULL, NULL, false, "slow", false},
		{"192.0.2.1", "192.0.2.2", NULL, false, "slow", false},
		{"192.0.2.1", "192.0.2.2", "eth1", false, "slow", true},
		{"192.0.2.1", "192.0.2.2", NULL, true, "slow", true},
		{"192.0.2.9", NULL, "eth0", false, "slow", true},
		{"2001:db8::1", NULL, "eth0", false, "slow", true},
	};
	struct track_config trk, other;
	char err[RELAY_ERR_LEN];

	bfd_object(&other, 5, "192.0.2.1", NULL, "eth0", false, "fast");
	for (size_t i = 0; i < array_size(cases); i++) {
		bfd_object(&trk, 4, cases[i].peer, cases[i].local,
			   cases[i].ifname, cases[i].multihop,
			   cases[i].profile);
		err[0] = '\0';
		assert_int_equal(relay_validate_bfd_pair(&trk, &other, err,
							 sizeof(err)),
				 cases[i].ok);
		assert_string_equal(
			err,
			cases[i].ok
				? ""
				: "track 5 follows the same BFD session with profile fast");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_completeness),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_dampening),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_tracks),
		cmocka_unit_test(test_bfd),
		cmocka_unit_test(test_bfd_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
