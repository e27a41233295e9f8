// SPDX-License-Identifier: GPL-2.0-or-later
/* Dampening of a relay and of its routes: what counts, and what is held back. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay_memory.h"
#include "relay_suppress.h"

DEFINE_MGROUP(RELAYD, "relayd");

/* A relay that is up, with two routes, suppressed by the second flap in a
 * hurry. */
static struct relay *a_relay(void)
{
	static struct relay relay;

	memset(&relay, 0, sizeof(relay));
	relay_config_defaults(&relay.cfg);
	relay.cfg.dampening.enabled = true;
	relay.cfg.dampening.suppress = 1500;
	relay.nroutes = 2;
	for (size_t i = 0; i < relay.nroutes; i++) {
		str2prefix(i ? "2002::/16" : "192.88.99.0/24",
			   &relay.routes[i].cfg.prefix);
		assert_false(relay_suppress_route(&relay, &relay.routes[i],
						  true, true));
	}
	return &relay;
}

/* The route is held back, then no longer; returns whether dampening holds it. */
static bool come_and_go(struct relay *relay, struct relay_route *route,
			bool failed)
{
	route->held = "held";
	assert_false(relay_suppress_route(relay, route, true, failed));
	route->held = NULL;
	return relay_suppress_route(relay, route, true, failed);
}

static void test_route(void **state)
{
	struct relay *relay = a_relay();
	struct relay_route *route = &relay->routes[0];

	assert_false(come_and_go(relay, route, true));
	assert_int_equal(route->dampening.flaps, 1);
	/* held back for longer is the same flap */
	route->held = "held";
	for (int i = 0; i < 3; i++)
		assert_false(relay_suppress_route(relay, route, true, true));
	assert_int_equal(route->dampening.flaps, 2);
	route->held = NULL;
	assert_true(relay_suppress_route(relay, route, true, true));
	assert_true(relay_suppress_route(relay, route, true, true));
	/* flaps go on counting while it is suppressed */
	assert_true(come_and_go(relay, route, true));
	assert_int_equal(route->dampening.flaps, 3);

	/* it alone */
	assert_false(relay_suppress_route(relay, &relay->routes[1], true,
					  true));
	assert_int_equal(relay->routes[1].dampening.flaps, 0);
	assert_int_equal(relay->dampening.flaps, 0);
	assert_false(relay_suppress_relay(relay));

	relay_suppress_clear(relay);
	assert_false(relay_suppress_route(relay, route, true, true));
	assert_int_equal(route->dampening.flaps, 0);
}

static void test_no_flap_of_a_route(void **state)
{
	struct relay *relay = a_relay();
	struct relay_route *route = &relay->routes[0];

	/* not a failure */
	assert_false(come_and_go(relay, route, false));
	/* by the operator */
	relay->configuring = true;
	assert_false(come_and_go(relay, route, true));
	relay->configuring = false;
	/* with its relay */
	assert_false(relay_suppress_route(relay, route, false, true));
	assert_false(relay_suppress_route(relay, route, true, true));
	/* it fails while the relay is down: nothing was announced */
	assert_false(relay_suppress_route(relay, route, false, true));
	assert_false(come_and_go(relay, route, true));
	assert_int_equal(route->dampening.flaps, 0);

	relay->cfg.dampening.enabled = false;
	assert_false(come_and_go(relay, route, true));
	relay_suppress_flap(relay);
	assert_int_equal(route->dampening.flaps, 0);
	assert_int_equal(relay->dampening.flaps, 0);
	assert_int_equal(relay_suppress_next_ms(relay), 0);
}

/* One timer: it stands at whoever is due first. */
static void test_next(void **state)
{
	struct relay *relay = a_relay();
	struct relay_dampening_status status;
	int64_t msec;

	assert_int_equal(relay_suppress_next_ms(relay), 0);
	/* 3000: 15 min * log2(3000 / 750) */
	for (int i = 0; i < 3; i++)
		relay_suppress_flap(relay);
	msec = relay_suppress_next_ms(relay);
	assert_true(msec > 1790000 && msec <= 1800001);
	relay_dampening_status(relay, &relay->dampening, &status);
	assert_true(status.suppressed && status.flaps == 3);
	assert_true(status.penalty >= 2990 && status.penalty <= 3000);
	assert_true(status.reuse_s >= 1790 && status.reuse_s <= 1800);

	/* 2000: 15 min * log2(2000 / 750) = 1273.5 s */
	come_and_go(relay, &relay->routes[1], true);
	come_and_go(relay, &relay->routes[1], true);
	msec = relay_suppress_next_ms(relay);
	assert_true(msec > 1263000 && msec <= 1273535);
}

static void test_configure(void **state)
{
	struct relay *relay = a_relay();
	struct relay_dampening_config cfg = relay->cfg.dampening;

	for (int i = 0; i < 3; i++)
		relay_suppress_flap(relay);
	come_and_go(relay, &relay->routes[1], true);
	come_and_go(relay, &relay->routes[1], true);
	relay->oper = RELAY_OPER_DAMPENED;
	strlcpy(relay->detail, "old", sizeof(relay->detail));

	/* the same line again */
	relay_suppress_configure(relay, &cfg);
	assert_string_equal(relay->detail, "old");
	assert_true(relay->dampening.penalty > 2990);

	/* the route's 2000 is below the new reuse, the relay's 3000 is not */
	cfg.reuse = 2500;
	cfg.suppress = 4000;
	relay_suppress_configure(relay, &cfg);
	relay->cfg.dampening = cfg;
	assert_string_equal(relay->detail, "");
	assert_true(relay_suppress_relay(relay));
	assert_false(relay_suppress_route(relay, &relay->routes[1], true,
					  true));

	cfg.enabled = false;
	relay_suppress_configure(relay, &cfg);
	relay->cfg.dampening = cfg;
	assert_false(relay_suppress_relay(relay));
	assert_int_equal(relay->dampening.flaps, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_no_flap_of_a_route),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_configure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
