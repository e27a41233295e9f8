// SPDX-License-Identifier: GPL-2.0-or-later
/* Relays of different modes: their lines, their routes, two on one router. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay_memory.h"
#include "validate_lab.h"

DEFINE_MGROUP(RELAYD, "relayd");

/* Each line of one mode alone, on a relay of each mode. */
static void test_modes(void **state)
{
	static const struct {
		const char *line;
		enum relay_mode mode;
	} lines[] = {
		{"tunnel transmit-source", RELAY_MODE_6TO4},
		{"tunnel datapath sit", RELAY_MODE_6TO4},
		{"tunnel datapath userspace", RELAY_MODE_TEREDO},
		{"tunnel udp-port", RELAY_MODE_TEREDO},
		{"peers maximum", RELAY_MODE_TEREDO},
		{"peers overload withdraw", RELAY_MODE_TEREDO},
	};
	char expected[RELAY_ERR_LEN], err[RELAY_ERR_LEN];
	struct relay_config cfg;

	for (size_t i = 0; i < array_size(lines); i++) {
		for (enum relay_mode mode = RELAY_MODE_NONE;
		     mode <= RELAY_MODE_TEREDO; mode++) {
			relay_named(&cfg, "a");
			cfg.mode = mode;
			cfg.enabled = mode != RELAY_MODE_NONE;
			expect(&cfg, NULL, 0, NULL);
			switch (i) {
			case 0:
				cfg.has_transmit_source = true;
				cfg.transmit_source = cfg.source;
				break;
			case 1:
				cfg.datapath = TUNNEL_DATAPATH_SIT;
				break;
			case 2:
				cfg.datapath = TUNNEL_DATAPATH_USERSPACE;
				break;
			case 3:
				cfg.udp_port = 1;
				break;
			case 4:
				cfg.peers_max = 1;
				break;
			case 5:
				cfg.overload_withdraw = true;
				break;
			}
			if (mode == RELAY_MODE_NONE || mode == lines[i].mode) {
				expect(&cfg, NULL, 0, NULL);
				continue;
			}
			snprintf(expected, sizeof(expected),
				 "%s is for tunnel mode %s, relay a is %s",
				 lines[i].line,
				 lines[i].mode == RELAY_MODE_TEREDO
					 ? "teredo"
					 : "6to4",
				 mode == RELAY_MODE_TEREDO ? "teredo"
							   : "6to4");
			expect(&cfg, NULL, 0, expected);
			/* a relay that is off is judged the same */
			cfg.enabled = false;
			expect(&cfg, NULL, 0, expected);
		}
	}

	for (enum relay_mode mode = RELAY_MODE_NONE; mode <= RELAY_MODE_TEREDO;
	     mode++)
		assert_int_equal(relay_validate_line("a", mode,
						     RELAY_MODE_TEREDO,
						     "peers maximum", err,
						     sizeof(err)),
				 mode != RELAY_MODE_6TO4);
	assert_string_equal(
		err, "peers maximum is for tunnel mode teredo, relay a is 6to4");

	relay_named(&cfg, "a");
	cfg.mtu = 1480;
	expect(&cfg, NULL, 0, NULL);
	cfg.mode = RELAY_MODE_TEREDO;
	expect(&cfg, NULL, 0, "ipv6 mtu 1480 is not Teredo's, which is 1280");
	cfg.mtu = 1280;
	expect(&cfg, NULL, 0, NULL);

	/* 2001::/32 would be a connected route */
	cfg.naddrs = 1;
	str2prefix_ipv6("2001::1/32", &cfg.addrs[0]);
	expect(&cfg, NULL, 0,
	       "ipv6 address 2001::1/32 would make 2001::/32 a connected route");
	str2prefix_ipv6("2001:db8::1/64", &cfg.addrs[0]);
	expect(&cfg, NULL, 0, NULL);
}

static void test_pairs(void **state)
{
	struct relay_config a, b;

	relay_named(&a, "a");
	relay_named(&b, "b");
	expect(&b, &a, 1, "tunnel source 192.88.99.1 is used by relay a");
	expect(&a, &a, 1, NULL); /* itself among the others */

	inet_pton(AF_INET, "10.0.0.1", &b.source);
	expect(&b, &a, 1,
	       "route 192.88.99.0/24 overlaps route 192.88.99.0/24 of relay a");
	/* default routes of a relay that is off may still be replaced */
	b.enabled = false;
	expect(&b, &a, 1, NULL);
	add_route(&b, "2002:1::/32");
	expect(&b, &a, 1, "route 2002:1::/32 overlaps route 2002::/16 of relay a");

	/* receiver and sender share a site: facts of the Tokyo relays */
	relay_named(&b, "b");
	inet_pton(AF_INET, "10.0.0.1", &b.source);
	a.direction = TUNNEL_DIR_RECEIVE;
	b.direction = TUNNEL_DIR_TRANSMIT;
	expect(&b, &a, 1, NULL);

	/* beside a 6to4 relay, at the same address */
	relay_named(&a, "a");
	relay_named(&b, "b");
	b.mode = RELAY_MODE_TEREDO;
	expect(&b, &a, 1, NULL);
	expect(&a, &b, 1, NULL);
	a.mode = RELAY_MODE_TEREDO;
	add_route(&a, "2001::/32");
	expect(&b, &a, 1,
	       "tunnel source 192.88.99.1 with udp-port 3545 is used by relay a");
	a.udp_port = 3546;
	expect(&b, &a, 1, "route 2001::/32 overlaps route 2001::/32 of relay a");
	add_route(&b, "2001:db8::/32");
	expect(&b, &a, 1, NULL);
	a.enabled = false;
	a.udp_port = 3545;
	expect(&b, &a, 1, NULL);
	relay_named(&a, "a");
	relay_named(&b, "b");

	strlcpy(b.ifname, "a", sizeof(b.ifname));
	expect(&b, &a, 1, "tunnel interface a is used by relay a");
	strlcpy(a.ifname, "six", sizeof(a.ifname));
	a.direction = TUNNEL_DIR_RECEIVE;
	b.direction = TUNNEL_DIR_TRANSMIT;
	inet_pton(AF_INET, "10.0.0.1", &b.source);
	expect(&b, &a, 1, NULL);
}

static void test_default_routes(void **state)
{
	struct relay_route_config out[RELAY_ROUTES_MAX];
	struct relay_config cfg;

	relay_named(&cfg, "a");
	assert_int_equal(relay_config_routes(&cfg, out), 2);
	assert_int_equal(out[0].prefix.family, AF_INET);
	assert_int_equal(out[0].prefix.prefixlen, 24);
	assert_int_equal(out[1].prefix.family, AF_INET6);
	assert_int_equal(out[1].prefix.prefixlen, 16);
	assert_int_equal(out[0].distance, 1);

	cfg.direction = TUNNEL_DIR_RECEIVE;
	assert_int_equal(relay_config_routes(&cfg, out), 1);
	assert_int_equal(out[0].prefix.family, AF_INET);
	cfg.direction = TUNNEL_DIR_TRANSMIT;
	assert_int_equal(relay_config_routes(&cfg, out), 1);
	assert_int_equal(out[0].prefix.family, AF_INET6);

	/* any route line replaces the defaults, and goes by direction too */
	add_route(&cfg, "10.0.0.0/8");
	assert_int_equal(relay_config_routes(&cfg, out), 0);
	cfg.mode = RELAY_MODE_NONE;
	cfg.nroutes = 0;
	assert_int_equal(relay_config_routes(&cfg, out), 0);

	cfg.mode = RELAY_MODE_TEREDO;
	cfg.direction = TUNNEL_DIR_BOTH;
	assert_int_equal(relay_config_routes(&cfg, out), 1);
	assert_int_equal(out[0].prefix.family, AF_INET6);
	assert_int_equal(out[0].prefix.prefixlen, 32);
	assert_int_equal(out[0].prefix.u.prefix6.s6_addr32[0],
			 htonl(0x20010000));
	assert_int_equal(out[0].distance, 1);
	cfg.direction = TUNNEL_DIR_RECEIVE;
	assert_int_equal(relay_config_routes(&cfg, out), 0);
}

static void test_datapath(void **state)
{
	struct relay_config cfg;

	relay_named(&cfg, "a");
	for (enum tunnel_datapath d = TUNNEL_DATAPATH_AUTO;
	     d <= TUNNEL_DATAPATH_USERSPACE; d++) {
		cfg.datapath = d;
		cfg.mode = RELAY_MODE_6TO4;
		if (d != TUNNEL_DATAPATH_USERSPACE)
			expect(&cfg, NULL, 0, NULL);
		cfg.mode = RELAY_MODE_TEREDO;
		if (d != TUNNEL_DATAPATH_SIT)
			expect(&cfg, NULL, 0, NULL);
	}

	relay_named(&cfg, "a");
	strlcpy(cfg.uplinks[cfg.nuplinks++], "eth0", IFNAMSIZ);
	strlcpy(cfg.uplinks[cfg.nuplinks++], "eth1.100", IFNAMSIZ);
	expect(&cfg, NULL, 0, NULL);
	strlcpy(cfg.uplinks[cfg.nuplinks++], "a", IFNAMSIZ);
	expect(&cfg, NULL, 0, "tunnel uplink a is the relay's own interface");
	strlcpy(cfg.ifname, "six", sizeof(cfg.ifname));
	expect(&cfg, NULL, 0, NULL);
	strlcpy(cfg.uplinks[2], "eth%d", IFNAMSIZ);
	expect(&cfg, NULL, 0, "eth%d is not an interface name");
	cfg.nuplinks = 2;
	cfg.too_many_uplinks = true;
	expect(&cfg, NULL, 0, "a relay has 64 tunnel uplinks at most");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_default_routes),
		cmocka_unit_test(test_datapath),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
