// SPDX-License-Identifier: GPL-2.0-or-later
/* `delay up` of a relay and of each way through it: real relays and timers over
 * a zebra that is played and a tunnel whose status the test writes. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "memory.h"

#include "relay.h"
#include "relay_memory.h"
#include "run_ms.h"

DEFINE_MGROUP(RELAYD, "relayd");

static struct frr_loop *loop;
static struct relay_config cfg;
static struct relay *relay;

static void ways(enum tunnel_check in, enum tunnel_check out)
{
	struct tunnel_status *st = &relay->tun->status;

	st->ifindex = 7;
	st->interface = st->source = st->forwarding = TUNNEL_CHECK_OK;
	st->self_test[TUNNEL_WAY_4TO6] = in;
	st->self_test[TUNNEL_WAY_6TO4] = out;
	relay_evaluate(relay);
}

/* What is said of the relay and of its routes, 192.88.99.0/24 first. */
static void assert_relay(enum relay_oper oper, bool route4, bool route6)
{
	assert_string_equal(relay_oper_str(relay->oper), relay_oper_str(oper));
	assert_int_equal(relay->nroutes, 2);
	assert_int_equal(relay->routes[0].cfg.prefix.family, AF_INET);
	assert_int_equal(relay->routes[0].sent, route4);
	assert_int_equal(relay->routes[1].sent, route6);
}

static int setup(void **state)
{
	loop = event_master_create("test");
	relay_init(loop);
	memset(&cfg, 0, sizeof(cfg));
	relay_config_defaults(&cfg);
	strlcpy(cfg.name, "r", sizeof(cfg.name));
	cfg.enabled = true;
	cfg.mode = RELAY_MODE_6TO4;
	cfg.has_source = true;
	cfg.source.s_addr = inet_addr("192.88.99.1");
	cfg.drain_time_s = 0;
	cfg.delay_up_s = 1;
	relay = relay_configure(&cfg);
	return 0;
}

static int teardown(void **state)
{
	relay_fini(false);
	event_master_free(loop);
	return 0;
}

#define OK TUNNEL_CHECK_OK
#define FAILED TUNNEL_CHECK_FAILED

static void test_both_at_once(void **state)
{
	ways(OK, OK);
	assert_relay(RELAY_OPER_INIT, false, false);
	run_ms(loop, 700);
	assert_relay(RELAY_OPER_INIT, false, false);
	run_ms(loop, 500);
	assert_relay(RELAY_OPER_UP, true, true);
}

/* The way that is mended later is announced later, though the relay was not up
 * when it was mended. */
static void test_one_later(void **state)
{
	ways(OK, FAILED);
	run_ms(loop, 600);
	ways(OK, OK);
	run_ms(loop, 600);
	assert_relay(RELAY_OPER_UP, true, false);
	assert_string_equal(relay_route_note(&relay->routes[1]), "delay up");
	run_ms(loop, 600);
	assert_relay(RELAY_OPER_UP, true, true);
	/* and so it is when the relay is up already */
	ways(FAILED, OK);
	assert_relay(RELAY_OPER_UP, false, true);
	ways(OK, OK);
	assert_relay(RELAY_OPER_UP, false, true);
	run_ms(loop, 1200);
	assert_relay(RELAY_OPER_UP, true, true);
}

static void test_only_a_changed_delay_begins_anew(void **state)
{
	ways(OK, OK);
	run_ms(loop, 700);
	strlcpy(cfg.description, "another line", sizeof(cfg.description));
	relay_configure(&cfg);
	run_ms(loop, 500);
	assert_relay(RELAY_OPER_UP, true, true);

	ways(FAILED, FAILED);
	assert_relay(RELAY_OPER_DOWN, false, false);
	ways(OK, OK);
	run_ms(loop, 700);
	cfg.delay_up_s = 2;
	relay_configure(&cfg);
	run_ms(loop, 1700);
	assert_relay(RELAY_OPER_INIT, false, false);
	cfg.delay_up_s = 0;
	relay_configure(&cfg);
	assert_relay(RELAY_OPER_UP, true, true);
}

/* A way that is not tested does not wait. */
static void test_untested(void **state)
{
	ways(OK, TUNNEL_CHECK_OFF);
	run_ms(loop, 1200);
	assert_relay(RELAY_OPER_UP, true, true);
	ways(OK, TUNNEL_CHECK_PENDING);
	assert_relay(RELAY_OPER_UP, true, false);
	ways(OK, TUNNEL_CHECK_OFF);
	assert_relay(RELAY_OPER_UP, true, true);
}

/* Gone while its delays run: no timer is left behind. */
static void test_removed(void **state)
{
	cfg.drain_time_s = 1;
	relay_configure(&cfg);
	ways(OK, OK);
	run_ms(loop, 1200);
	assert_relay(RELAY_OPER_UP, true, true);
	ways(OK, FAILED);
	ways(OK, OK);
	relay_remove("r");
	assert_null(relay_lookup("r"));
	assert_relay(RELAY_OPER_DRAINING, false, false);
	run_ms(loop, 1200);
	relay = relay_configure(&cfg);
	ways(OK, OK);
	relay_remove("r");
	run_ms(loop, 1200);
	assert_null(relay_lookup("r"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_one_later, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_only_a_changed_delay_begins_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_untested, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
