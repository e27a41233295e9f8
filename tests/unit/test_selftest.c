// SPDX-License-Identifier: GPL-2.0-or-later
/* The self-test's bookkeeping: losses, causes, ways that come and go. Probes
 * are played; the ways are those of a tunnel that exists nowhere. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "memory.h"

#include "relay_memory.h"
#include "selftest.h"
#include "tunnel_kernel.h"

DEFINE_MGROUP(RELAYD, "relayd");

/* what becomes of the next probe */
enum fate { COMES_OUT, VANISHES, REFUSED };
static enum fate fate[TUNNEL_WAYS];
static const char *why = "", *where = "";
static unsigned int looked; /* at 1: remembered; from 2 on: where */

static int play_probe(struct tunnel *tun, enum tunnel_way way, uint32_t seq)
{
	switch (fate[way]) {
	case COMES_OUT:
		selftest_seen(tun, way, TUNNEL_PATH_STACK, seq);
		return 0;
	case VANISHES:
		return 0;
	case REFUSED:
		strlcpy(tun->st[way].why, why, sizeof(tun->st[way].why));
		return -ENETUNREACH;
	}
	return -EINVAL;
}

static void play_lost(struct tunnel *tun, enum tunnel_way way,
		      unsigned int losses)
{
	looked = losses;
	if (losses > 1)
		strlcpy(tun->st[way].detail, where,
			sizeof(tun->st[way].detail));
}

static const struct tunnel_ops ops = {
	.name = "played",
	.self_test = play_probe,
	.self_test_lost = play_lost,
};

static struct tunnel tun;

/* The next probe now, which also judges the one before. */
static void probe(void)
{
	uint32_t seq = tun.st_seq;
	struct frr_event event;

	/* as if it had just been found fit to be probed */
	tun.st_probing = false;
	selftest_update(&tun);
	while (tun.st_seq == seq && event_fetch(tunnel_loop, &event))
		event_call(&event);
}

static void probes(unsigned int n)
{
	while (n--)
		probe();
}

static int setup(void **state)
{
	tunnel_loop = event_master_create("test");
	memset(&tun, 0, sizeof(tun));
	memset(fate, 0, sizeof(fate));
	why = where = "";
	tun.ops = &ops;
	tun.created = true;
	tun.params.self_test = true;
	tun.status.interface = tun.status.source = TUNNEL_CHECK_OK;
	selftest_register(&tun);
	probe();
	return 0;
}

static int teardown(void **state)
{
	selftest_unregister(&tun);
	EVENT_OFF(tun.t_notify);
	event_master_free(tunnel_loop);
	tunnel_loop = NULL;
	return 0;
}

static void assert_way(enum tunnel_way way, enum tunnel_check check,
		       const char *detail)
{
	assert_string_equal(tunnel_check_str(tun.status.self_test[way]),
			    tunnel_check_str(check));
	assert_string_equal(tun.status.self_test_detail[way], detail);
}

static void test_three_losses(void **state)
{
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_OK, "");
	assert_way(TUNNEL_WAY_6TO4, TUNNEL_CHECK_OK, "");
	fate[TUNNEL_WAY_6TO4] = VANISHES;
	where = "eaten";
	probes(3); /* two are judged */
	assert_way(TUNNEL_WAY_6TO4, TUNNEL_CHECK_OK, "");
	probe();
	assert_way(TUNNEL_WAY_6TO4, TUNNEL_CHECK_FAILED,
		   "self-test 6to4: eaten");
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_OK, "");
	fate[TUNNEL_WAY_6TO4] = COMES_OUT;
	probe();
	assert_way(TUNNEL_WAY_6TO4, TUNNEL_CHECK_OK, "");
	assert_int_equal(tun.st[TUNNEL_WAY_6TO4].lost, 0);
}

/* What can't be sent and what does not come out are told as they change. */
static void test_cause_changes(void **state)
{
	fate[TUNNEL_WAY_4TO6] = REFUSED;
	why = "no route";
	probes(4);
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_FAILED,
		   "self-test 4to6: no route");
	fate[TUNNEL_WAY_4TO6] = VANISHES;
	where = "first filter";
	probes(2);
	assert_int_equal(looked, 1);
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_FAILED,
		   "self-test 4to6: probes do not come out");
	probe();
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_FAILED,
		   "self-test 4to6: first filter");
	/* looked at three times in a row, then each tenth time anew */
	probe();
	assert_int_equal(looked, 3);
	where = "second filter";
	probes(7);
	assert_int_equal(looked, 3);
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_FAILED,
		   "self-test 4to6: first filter");
	probe();
	assert_int_equal(looked, 1);
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_FAILED,
		   "self-test 4to6: first filter");
	probe();
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_FAILED,
		   "self-test 4to6: second filter");
	/* without words of the kind's, those of the error; never older ones */
	fate[TUNNEL_WAY_4TO6] = REFUSED;
	why = "";
	probes(2);
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_FAILED,
		   "self-test 4to6: a probe can't be sent: Network is unreachable");
}

/* A way that is turned off is judged no more, whatever is still awaited. */
static void test_direction(void **state)
{
	fate[TUNNEL_WAY_6TO4] = VANISHES;
	where = "eaten";
	probes(4);
	assert_way(TUNNEL_WAY_6TO4, TUNNEL_CHECK_FAILED,
		   "self-test 6to4: eaten");
	tun.params.direction = TUNNEL_DIR_RECEIVE;
	selftest_update(&tun);
	assert_way(TUNNEL_WAY_6TO4, TUNNEL_CHECK_OFF, "");
	probes(2);
	assert_way(TUNNEL_WAY_6TO4, TUNNEL_CHECK_OFF, "");
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_OK, "");
	/* and begins anew when it is back: three losses, not one */
	tun.params.direction = TUNNEL_DIR_BOTH;
	probes(3);
	assert_way(TUNNEL_WAY_6TO4, TUNNEL_CHECK_PENDING, "");
	probe();
	assert_way(TUNNEL_WAY_6TO4, TUNNEL_CHECK_FAILED,
		   "self-test 6to4: eaten");
}

/* Asked for on a tunnel that serves: it holds until it is proven wrong. */
static void test_asked_for(void **state)
{
	tun.params.self_test = false;
	selftest_update(&tun);
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_OFF, "");
	assert_false(tun.st_probing);
	tun.params.self_test = true;
	selftest_presume(&tun);
	fate[TUNNEL_WAY_4TO6] = VANISHES;
	probes(3);
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_OK, "");
	probe();
	assert_way(TUNNEL_WAY_4TO6, TUNNEL_CHECK_FAILED, "self-test 4to6: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_three_losses, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_cause_changes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_direction, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_asked_for, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
