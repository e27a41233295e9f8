// SPDX-License-Identifier: GPL-2.0-or-later
/* What zebra has not done is said again: when, how often, and when no longer.
 */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "memory.h"

#include "relay.h"
#include "relay_memory.h"
#include "relay_zebra_asked.h"
#include "run_ms.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define SAID_MAX 32

static struct frr_loop *loop;
static struct said {
	struct prefix p;
	bool addition;
	uint32_t tag;
	ifindex_t ifindex;
} said[SAID_MAX];
static size_t nsaid;

static void again(const struct prefix *p,
		  const struct relay_route_config *route, ifindex_t ifindex)
{
	assert_true(nsaid < SAID_MAX);
	said[nsaid].p = *p;
	said[nsaid].addition = route != NULL;
	said[nsaid].tag = route ? route->tag : 0;
	said[nsaid++].ifindex = ifindex;
}

static struct prefix prefix(const char *text)
{
	struct prefix p = {};

	assert_true(str2prefix(text, &p));
	return p;
}

static void add(const char *text, uint32_t tag, ifindex_t ifindex)
{
	struct relay_route_config route = {.prefix = prefix(text), .tag = tag};

	relay_zebra_asked(&route.prefix, &route, ifindex);
}

static void del(const char *text)
{
	struct prefix p = prefix(text);

	relay_zebra_asked(&p, NULL, 0);
}

static void answer(const char *text, bool addition)
{
	struct prefix p = prefix(text);

	relay_zebra_answered(&p, addition);
}

static void refuse(const char *text)
{
	struct prefix p = prefix(text);

	relay_zebra_refused(&p);
}

/* how often something was said of it */
static size_t times(const char *text, bool addition)
{
	struct prefix p = prefix(text);
	size_t n = 0;

	for (size_t i = 0; i < nsaid; i++)
		if (prefix_same(&said[i].p, &p) && said[i].addition == addition)
			n++;
	return n;
}

static int setup(void **state)
{
	loop = event_master_create("test");
	relay_zebra_asked_init(loop, again);
	nsaid = 0;
	return 0;
}

static int teardown(void **state)
{
	relay_zebra_asked_forget();
	event_master_free(loop);
	return 0;
}

/* After 1 s and 3 s; as it was asked. */
static void test_no_answer(void **state)
{
	add("192.88.99.0/24", 7, 3);
	del("2002::/16");
	run_ms(loop, 600);
	assert_int_equal(nsaid, 0);
	run_ms(loop, 900);
	assert_int_equal(nsaid, 2);
	assert_int_equal(times("192.88.99.0/24", true), 1);
	assert_int_equal(times("2002::/16", false), 1);
	run_ms(loop, 1000);
	assert_int_equal(nsaid, 2);
	run_ms(loop, 1000);
	assert_int_equal(times("192.88.99.0/24", true), 2);
	assert_int_equal(times("2002::/16", false), 2);
	for (size_t i = 0; i < nsaid; i++) {
		assert_int_equal(said[i].tag, said[i].addition ? 7 : 0);
		assert_int_equal(said[i].ifindex, said[i].addition ? 3 : 0);
	}
}

/* An answer to what was asked before is none to what is asked now. */
static void test_answered(void **state)
{
	add("192.88.99.0/24", 0, 3);
	del("2002::/16");
	add("2001::/32", 0, 3);
	del("2001:db8::/32");
	answer("192.88.99.0/24", true);
	answer("2002::/16", false);
	answer("2001::/32", false);
	answer("2001:db8::/32", true);
	answer("2001:db8:1::/48", true);
	refuse("2001:db8:1::/48");
	run_ms(loop, 1400);
	assert_int_equal(nsaid, 2);
	assert_int_equal(times("2001::/32", true), 1);
	assert_int_equal(times("2001:db8::/32", false), 1);
}

/* It could not install the route: at once, or later, when it had it. */
static void test_refused(void **state)
{
	add("192.88.99.0/24", 0, 3);
	refuse("192.88.99.0/24");
	add("2002::/16", 0, 3);
	answer("2002::/16", true);
	refuse("2002::/16");
	del("2001::/32");
	answer("2001::/32", false);
	refuse("2001::/32");
	run_ms(loop, 1400);
	assert_int_equal(times("192.88.99.0/24", true), 1);
	assert_int_equal(times("2002::/16", true), 1);
	assert_int_equal(nsaid, 2);
	answer("192.88.99.0/24", true);
	/* refused once more: not sooner for that */
	refuse("2002::/16");
	run_ms(loop, 1000);
	assert_int_equal(nsaid, 2);
	run_ms(loop, 1000);
	assert_int_equal(times("2002::/16", true), 2);
	assert_int_equal(nsaid, 3);
}

/* Only the last question counts, and its time is its own. */
static void test_asked_otherwise(void **state)
{
	add("192.88.99.0/24", 1, 3);
	run_ms(loop, 700);
	del("192.88.99.0/24");
	run_ms(loop, 700);
	assert_int_equal(nsaid, 0);
	run_ms(loop, 700);
	assert_int_equal(times("192.88.99.0/24", false), 1);
	add("192.88.99.0/24", 2, 4);
	run_ms(loop, 1400);
	assert_int_equal(nsaid, 2);
	assert_int_equal(said[1].tag, 2);
	assert_int_equal(said[1].ifindex, 4);
}

static void test_forgotten(void **state)
{
	add("192.88.99.0/24", 1, 3);
	del("2002::/16");
	relay_zebra_asked_forget();
	run_ms(loop, 1400);
	assert_int_equal(nsaid, 0);
}

/* One that zebra never had is not asked for ever: after 1, 3, and 7 s. */
static void test_deletion_ends(void **state)
{
	del("2002::/16");
	run_ms(loop, 7600);
	assert_int_equal(nsaid, RELAY_ASK_DELETE_MAX);
	run_ms(loop, 8000);
	assert_int_equal(nsaid, RELAY_ASK_DELETE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_answer, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asked_otherwise, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_deletion_ends, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
