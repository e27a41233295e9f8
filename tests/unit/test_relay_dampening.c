// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dampening against tables that were computed by hand from
 *
 *     p(t) = p(0) * 2^(-t / half-life),  a flap: +1000,
 *     ceiling = reuse * 2^(max-suppress / half-life),
 *     time to reuse = half-life * log2(p / reuse).
 */
#include <zebra.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay_dampening.h"
#include "relay_memory.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

static struct relay_dampening_config config(unsigned int half_life,
					    unsigned int reuse,
					    unsigned int suppress,
					    unsigned int max_suppress)
{
	return (struct relay_dampening_config){
		.enabled = true,
		.half_life_min = half_life,
		.reuse = reuse,
		.suppress = suppress,
		.max_suppress_min = max_suppress,
	};
}

static struct relay_dampening_config defaults(void)
{
	struct relay_dampening_config cfg;

	relay_dampening_defaults(&cfg);
	assert_false(cfg.enabled);
	cfg.enabled = true;
	return cfg;
}

/* Nanoseconds matter to nobody. */
static void expect_us(int64_t got, double expected_s)
{
	double expected = expected_s * 1e6;

	if (got < expected || got > expected + 2)
		fail_msg("%" PRId64 " us, not %f s", got, expected_s);
}

static void expect_penalty(double got, double expected)
{
	if (fabs(got - expected) > 0.0005)
		fail_msg("penalty %f, not %f", got, expected);
}

static void test_defaults(void **state)
{
	struct relay_dampening_config cfg = defaults();

	assert_int_equal(cfg.half_life_min, 15);
	assert_int_equal(cfg.reuse, 750);
	assert_int_equal(cfg.suppress, 2000);
	assert_int_equal(cfg.max_suppress_min, 60);
	/* 750 * 2^(60/15) = 750 * 16 */
	expect_penalty(relay_dampening_ceiling(&cfg), 12000);
}

/*
 * The defaults (15, 750, 2000, 60). Each step happens at its time; what is
 * expected holds right after it.
 */
static void test_table(void **state)
{
	static const struct {
		int64_t at_s;
		unsigned int flaps;
		double penalty;
		bool suppressed;
		double reuse_s;
	} steps[] = {
		/* nothing has flapped */
		{0, 0, 0, false, 0},
		/* one flap */
		{0, 1, 1000, false, 0},
		/* 15 min: 1000 / 2 */
		{900, 0, 500, false, 0},
		/* one more: 500 + 1000 */
		{900, 1, 1500, false, 0},
		/* 7.5 min: 1500 * 2^-0.5 = 1500 * 0.70710678 = 1060.660,
		 * + 1000; reuse 15 min * log2(2060.660 / 750) = 900 s *
		 * ln 2.747547 / ln 2 = 900 s * 1.010708 / 0.693147 =
		 * 900 s * 1.4581440 = 1312.330 s */
		{1350, 1, 2060.660172, true, 1312.330},
		/* and 1312.330 s later, at 2662.330: */
		{2662, 0, 750.190512, true, 0.330},
		{2663, 0, 749.612951, false, 0},
		/* 27 half-lives on, nothing is left */
		{2663 + 27 * 900, 0, 0.000006, false, 0},
	};
	struct relay_dampening_config cfg = defaults();
	struct relay_dampening damp = {};
	unsigned int flaps = 0;

	for (size_t i = 0; i < array_size(steps); i++) {
		int64_t now = 5 * MINUTE + steps[i].at_s * SECOND;

		for (unsigned int n = 0; n < steps[i].flaps; n++, flaps++)
			relay_dampening_flap(&damp, &cfg, now);
		assert_int_equal(
			relay_dampening_suppressed(&damp, &cfg, now),
			steps[i].suppressed);
		expect_penalty(relay_dampening_penalty(&damp, &cfg, now),
			       steps[i].penalty);
		if (fabs(relay_dampening_reuse_us(&damp, &cfg, now) / 1e6 -
			 steps[i].reuse_s) > 0.001)
			fail_msg("step %zu: reuse in %" PRId64 " us", i,
				 relay_dampening_reuse_us(&damp, &cfg, now));
		assert_int_equal(damp.flaps, flaps);
	}
}

/* Three flaps at once: 3000, 1500 after 15 min, 750 after 30. */
static void test_three_flaps(void **state)
{
	struct relay_dampening_config cfg = defaults();
	struct relay_dampening damp = {};

	for (int i = 0; i < 3; i++) {
		/* 1000, 2000, 3000: reaching 2000 suppresses */
		relay_dampening_flap(&damp, &cfg, 0);
		assert_int_equal(damp.suppressed, i >= 1);
	}
	/* 15 min * log2(3000 / 750) = 15 min * 2 */
	expect_us(relay_dampening_reuse_us(&damp, &cfg, 0), 1800);
	expect_penalty(relay_dampening_penalty(&damp, &cfg, 15 * MINUTE), 1500);
	/* 15 min * log2(1500 / 750) = 15 min */
	expect_us(relay_dampening_reuse_us(&damp, &cfg, 15 * MINUTE), 900);
	assert_true(relay_dampening_suppressed(&damp, &cfg, 30 * MINUTE - 1));
	/* at 750 it is not below 750 */
	expect_penalty(relay_dampening_penalty(&damp, &cfg, 30 * MINUTE), 750);
	assert_true(relay_dampening_suppressed(&damp, &cfg, 30 * MINUTE));
	assert_false(relay_dampening_suppressed(&damp, &cfg, 30 * MINUTE + 1));
	assert_int_equal(relay_dampening_reuse_us(&damp, &cfg, 30 * MINUTE + 1),
			 0);

	/* 750 are left of it, and count: 1750, then 2750 */
	relay_dampening_flap(&damp, &cfg, 30 * MINUTE + 1);
	assert_false(damp.suppressed);
	relay_dampening_flap(&damp, &cfg, 30 * MINUTE + 1);
	assert_true(damp.suppressed);
	assert_int_equal(damp.flaps, 5);
}

/* A flap each second, for an hour: never more than the ceiling, and reused
 * max-suppress after the last one. */
static void test_ceiling(void **state)
{
	static const struct {
		unsigned int half_life, reuse, suppress, max_suppress;
		double ceiling;
	} cases[] = {
		{15, 750, 2000, 60, 12000},    /* * 2^4 */
		{1, 750, 2000, 2, 3000},       /* * 2^2 */
		{1, 100, 6000, 6, 6400},       /* * 2^6 */
		{10, 1000, 2828, 15, 2828.42712}, /* * 2^1.5 */
		{45, 10000, 14142, 22, 14033.64}, /* * 2^(22/45), too low */
		{30, 1, 2, 30, 2},	       /* below one flap */
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct relay_dampening_config cfg =
			config(cases[i].half_life, cases[i].reuse,
			       cases[i].suppress, cases[i].max_suppress);
		struct relay_dampening damp = {};
		double ceiling = relay_dampening_ceiling(&cfg);
		int64_t now = 0;

		if (fabs(ceiling - cases[i].ceiling) > 0.01)
			fail_msg("case %zu: ceiling %f", i, ceiling);
		for (int n = 0; n < 3600; n++, now += SECOND) {
			relay_dampening_flap(&damp, &cfg, now);
			assert_true(damp.penalty <= ceiling);
		}
		now -= SECOND;
		expect_penalty(damp.penalty, ceiling);
		assert_int_equal(damp.suppressed,
				 ceiling >= cases[i].suppress);
		if (damp.suppressed)
			expect_us(relay_dampening_reuse_us(&damp, &cfg, now),
				  cases[i].max_suppress * 60);
	}
}

/*
 * What relay.c does: a relay that fails each second, for a minute, is up again
 * only while it is not suppressed. Withdrawals are those of the flaps before
 * it is, n flaps with 1000 * (1 + q + ... + q^(n-1)) >= suppress,
 * q = 2^(-1 s / half-life).
 */
static void test_withdrawals_are_bounded(void **state)
{
	static const struct {
		unsigned int half_life, reuse, suppress, max_suppress;
		unsigned int withdrawals;
	} cases[] = {
		/* q = 0.99923: 1000, 1999.2, 2997.7 */
		{15, 750, 2000, 60, 3},
		/* q = 0.98851: 1000, 1988.5, 2965.7 */
		{1, 750, 2000, 60, 3},
		/* the first */
		{1, 500, 1000, 60, 1},
		/* q = 0.98851; (1 - q^n) / (1 - q) >= 20: q^n <= 0.77026,
		 * n >= ln 0.77026 / ln 0.98851 = 22.6 */
		{1, 750, 20000, 60, 23},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct relay_dampening_config cfg =
			config(cases[i].half_life, cases[i].reuse,
			       cases[i].suppress, cases[i].max_suppress);
		struct relay_dampening damp = {};
		unsigned int withdrawals = 0;

		for (int64_t now = 0; now < MINUTE; now += SECOND) {
			withdrawals += !relay_dampening_suppressed(&damp, &cfg,
								   now);
			relay_dampening_flap(&damp, &cfg, now);
		}
		assert_int_equal(withdrawals, cases[i].withdrawals);
	}
}

/* The time to reuse is the first at which it is reused, to the microsecond. */
static void test_reuse_is_exact(void **state)
{
	static const unsigned int half_lives[] = {1, 2, 7, 15, 44, 45};
	static const unsigned int reuses[] = {1, 2, 3, 749, 750, 999, 1999};

	for (size_t h = 0; h < array_size(half_lives); h++)
		for (size_t r = 0; r < array_size(reuses); r++)
			for (unsigned int n = 2; n < 40; n++) {
				struct relay_dampening_config cfg =
					config(half_lives[h], reuses[r], 2000,
					       255);
				struct relay_dampening damp = {};
				int64_t now = 12345678901 + n, reuse;

				for (unsigned int i = 0; i < n; i++)
					relay_dampening_flap(&damp, &cfg, now);
				if (!damp.suppressed) /* by the ceiling */
					continue;
				reuse = relay_dampening_reuse_us(&damp, &cfg,
								 now);
				assert_true(relay_dampening_suppressed(
					&damp, &cfg, now + reuse - 2));
				assert_false(relay_dampening_suppressed(
					&damp, &cfg, now + reuse));
			}
}

static void test_valid(void **state)
{
	static const struct {
		struct relay_dampening_config cfg;
		const char *expected;
	} cases[] = {
		{{true, 15, 750, 2000, 60}, NULL},
		{{true, 15, 750, 12000, 60}, NULL}, /* the ceiling itself */
		{{true, 15, 750, 12001, 60},
		 "dampening: suppress 12001 is never reached, reuse 750 with half-life 15 and max-suppress 60 keeps the penalty at 12000"},
		{{true, 15, 750, 750, 60},
		 "dampening: suppress 750 is not above reuse 750"},
		{{true, 15, 2000, 750, 60},
		 "dampening: suppress 750 is not above reuse 2000"},
		{{true, 15, 749, 750, 60}, NULL},
		/* 750 * 2^(15/45) = 944.94 */
		{{true, 45, 750, 2000, 15},
		 "dampening: suppress 2000 is never reached, reuse 750 with half-life 45 and max-suppress 15 keeps the penalty at 944"},
		{{true, 1, 1, 20000, 255}, NULL},
		/* what is off need not work */
		{{false, 15, 750, 1, 1}, NULL},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		char err[256] = "";
		bool ok = relay_dampening_valid(&cases[i].cfg, err,
						sizeof(err));

		assert_string_equal(err, cases[i].expected ? cases[i].expected
							   : "");
		assert_int_equal(ok, !cases[i].expected);
	}
}

static void test_clear(void **state)
{
	struct relay_dampening_config cfg = defaults();
	struct relay_dampening damp = {};

	for (int i = 0; i < 3; i++)
		relay_dampening_flap(&damp, &cfg, MINUTE);
	relay_dampening_clear(&damp);
	assert_false(relay_dampening_suppressed(&damp, &cfg, MINUTE));
	expect_penalty(relay_dampening_penalty(&damp, &cfg, MINUTE), 0);
	assert_int_equal(damp.flaps, 0);
	assert_int_equal(relay_dampening_reuse_us(&damp, &cfg, MINUTE), 0);
}

/* 4000 at t = 0 with the defaults: 2000 at 15 min, when the line changes. */
static void test_reconfigure(void **state)
{
	static const struct {
		struct relay_dampening_config cfg;
		double penalty; /* at once */
		bool suppressed;
		double reuse_s;
	} cases[] = {
		{{true, 15, 750, 2000, 60}, 2000, true, 1273.534},
		/* another half-life: 5 min * log2(2000 / 750) = 300 s * 1.41504 */
		{{true, 5, 750, 2000, 60}, 2000, true, 424.511},
		/* below the new reuse */
		{{true, 15, 2001, 4000, 60}, 2000, false, 0},
		/* at the new ceiling, 500 * 2^(15/15) */
		{{true, 15, 500, 900, 15}, 1000, true, 900},
		/* a suppression that has begun is not ended by a higher
		 * suppress */
		{{true, 15, 750, 9000, 60}, 2000, true, 1273.534},
		{{false, 15, 750, 2000, 60}, 0, false, 0},
	};
	struct relay_dampening_config old = defaults();
	int64_t now = 15 * MINUTE;

	for (size_t i = 0; i < array_size(cases); i++) {
		const struct relay_dampening_config *cfg = &cases[i].cfg;
		struct relay_dampening damp = {};

		for (int n = 0; n < 4; n++)
			relay_dampening_flap(&damp, &old, 0);
		relay_dampening_reconfigure(&damp, &old, cfg, now);
		expect_penalty(relay_dampening_penalty(&damp, cfg, now),
			       cases[i].penalty);
		assert_int_equal(damp.suppressed, cases[i].suppressed);
		assert_int_equal(damp.flaps, cfg->enabled ? 4 : 0);
		if (fabs(relay_dampening_reuse_us(&damp, cfg, now) / 1e6 -
			 cases[i].reuse_s) > 0.001)
			fail_msg("case %zu: reuse in %" PRId64 " us", i,
				 relay_dampening_reuse_us(&damp, cfg, now));
	}

	/* a lower suppress withdraws nothing by itself; the next flap does */
	struct relay_dampening_config low = config(15, 100, 500, 60);
	struct relay_dampening damp = {};

	relay_dampening_flap(&damp, &old, now);
	relay_dampening_reconfigure(&damp, &old, &low, now);
	assert_false(relay_dampening_suppressed(&damp, &low, now));
	relay_dampening_flap(&damp, &low, now);
	assert_true(damp.suppressed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_three_flaps),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_withdrawals_are_bounded),
		cmocka_unit_test(test_reuse_is_exact),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_reconfigure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
