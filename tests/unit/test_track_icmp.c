// SPDX-License-Identifier: GPL-2.0-or-later
/* Echo packets, probe bookkeeping and pacing of `track N icmp-echo`. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "memory.h"

#include "relay_memory.h"
#include "track_icmp_probe.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define MS 1000 /* microseconds */

/* ---------------------------------------------------------------- packets */

static const struct icmp_probe_echo echo_sample = {
	.ident = 0x1234,
	.seq = 0xfffe,
	.target = 1000,
	.nonce = UINT64_C(0x0123456789abcdef),
};

/* clang-format off */
static const uint8_t request_v4[] = {
	8, 0, 0x58, 0x21, 0x12, 0x34, 0xff, 0xfe, 'r', 'l', 'y', '1',
	0, 0, 0x03, 0xe8, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
};
static const uint8_t reply_v4[] = {
	0x45, 0, 0, 44, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
	0, 0, 0x60, 0x21, 0x12, 0x34, 0xff, 0xfe, 'r', 'l', 'y', '1',
	0, 0, 0x03, 0xe8, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
};
static const uint8_t reply_v6[] = {
	129, 0, 0xde, 0xad, 0x12, 0x34, 0xff, 0xfe, 'r', 'l', 'y', '1',
	0, 0, 0x03, 0xe8, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
};
/* clang-format on */

static void test_build(void **state)
{
	uint8_t buf[ICMP_PROBE_LEN];

	assert_int_equal(icmp_probe_build(AF_INET, &echo_sample, buf,
					  sizeof(buf)),
			 ICMP_PROBE_LEN);
	assert_memory_equal(buf, request_v4, sizeof(buf));

	assert_int_equal(icmp_probe_build(AF_INET6, &echo_sample, buf,
					  sizeof(buf)),
			 ICMP_PROBE_LEN);
	assert_int_equal(buf[0], 128);
	assert_int_equal(buf[1], 0);
	assert_int_equal(buf[2] | buf[3], 0);
	assert_memory_equal(buf + 4, request_v4 + 4, sizeof(buf) - 4);

	assert_int_equal(icmp_probe_build(AF_INET, &echo_sample, buf,
					  sizeof(buf) - 1),
			 -EINVAL);
	assert_int_equal(icmp_probe_build(AF_UNIX, &echo_sample, buf,
					  sizeof(buf)),
			 -EINVAL);
}

static void test_parse(void **state)
{
	/* one octet of a good reply changed, or its length */
	static const struct {
		const char *what;
		int family;
		size_t offset;
		uint8_t value;
		int len;
		int ret;
	} cases[] = {
		{ "v4 good", AF_INET, 8, 64, 44, 0 },
		{ "v4 other ttl", AF_INET, 8, 1, 44, 0 },
		{ "v4 empty", AF_INET, 0, 0x45, 0, -EBADMSG },
		{ "v4 half a header", AF_INET, 0, 0x45, 19, -EBADMSG },
		{ "v4 header alone", AF_INET, 0, 0x45, 20, -EBADMSG },
		{ "v4 one octet short", AF_INET, 0, 0x45, 43, -EBADMSG },
		{ "v4 one octet more", AF_INET, 0, 0x45, 45, -EBADMSG },
		{ "v4 version 6", AF_INET, 0, 0x65, 44, -EBADMSG },
		{ "v4 header too short", AF_INET, 0, 0x44, 44, -EBADMSG },
		{ "v4 header past the end", AF_INET, 0, 0x4f, 44, -EBADMSG },
		{ "v4 udp", AF_INET, 9, 17, 44, -EBADMSG },
		{ "v4 echo request", AF_INET, 20, 8, 44, -EBADMSG },
		{ "v4 unreachable", AF_INET, 20, 3, 44, -EBADMSG },
		{ "v4 code 1", AF_INET, 21, 1, 44, -EBADMSG },
		{ "v4 checksum", AF_INET, 23, 0x20, 44, -EBADMSG },
		{ "v4 nonce without checksum", AF_INET, 43, 0xee, 44,
		  -EBADMSG },
		{ "v4 magic", AF_INET, 28, 'x', 44, -EBADMSG },
		{ "v6 good", AF_INET6, 2, 0, 24, 0 },
		{ "v6 echo request", AF_INET6, 0, 128, 24, -EBADMSG },
		{ "v6 code 1", AF_INET6, 1, 1, 24, -EBADMSG },
		{ "v6 type of v4", AF_INET6, 0, 0, 24, -EBADMSG },
		{ "v6 one octet short", AF_INET6, 2, 0, 23, -EBADMSG },
		{ "v6 one octet more", AF_INET6, 2, 0, 25, -EBADMSG },
		{ "v6 empty", AF_INET6, 0, 129, 0, -EBADMSG },
		{ "v6 magic", AF_INET6, 11, '2', 24, -EBADMSG },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct icmp_probe_echo echo = {};
		uint8_t buf[64] = {};
		int ret;

		if (cases[i].family == AF_INET)
			memcpy(buf, reply_v4, sizeof(reply_v4));
		else
			memcpy(buf, reply_v6, sizeof(reply_v6));
		buf[cases[i].offset] = cases[i].value;
		ret = icmp_probe_parse(cases[i].family, buf, cases[i].len,
				       &echo);
		if (ret != cases[i].ret)
			fail_msg("%s: %d, not %d", cases[i].what, ret,
				 cases[i].ret);
		if (ret < 0)
			continue;
		assert_int_equal(echo.ident, echo_sample.ident);
		assert_int_equal(echo.seq, echo_sample.seq);
		assert_int_equal(echo.target, echo_sample.target);
		assert_true(echo.nonce == echo_sample.nonce);
	}
}

/* ------------------------------------------------------------ up and down */

/*
 * A script, one letter a step; a probe is sent each 100 ms, timeout 1 s:
 *   s    send the next probe
 *   e    the same, but the kernel refuses it (ENETUNREACH)
 *   X    the interface is gone
 *   r    reply to the newest probe, 1 ms after it was sent
 *   0-9  reply to the probe of that number
 *   T    all outstanding probes time out
 *   t    the oldest outstanding probe times out
 */
struct script {
	const char *steps;
	unsigned int up, down;
	enum track_state state;
	int cause;
	unsigned int received, timeouts, send_errors, rejected;
};

#define NONCE(num) (UINT64_C(0xabcd0000) + (num))

static void script_run(const struct script *sc)
{
	struct icmp_probe_limits limits = { sc->up, sc->down };
	struct icmp_probe probe;
	int64_t now = 5000 * MS;

	icmp_probe_init(&probe);
	icmp_probe_reserve(&probe, 100, 1000);
	for (const char *step = sc->steps; *step; step++) {
		uint64_t num = probe.next - 1;

		switch (*step) {
		case 's':
		case 'e':
			now += 100 * MS;
			icmp_probe_send(&probe, &limits, NONCE(probe.next), now,
					1000 * MS);
			if (*step == 'e')
				icmp_probe_send_failed(&probe, &limits,
						       ENETUNREACH);
			break;
		case 'X':
			icmp_probe_force_down(&probe, ENODEV);
			break;
		case 'T':
			now += 2000 * MS;
			icmp_probe_expire(&probe, &limits, now);
			break;
		case 't':
			icmp_probe_expire(&probe, &limits,
					  icmp_probe_deadline(&probe));
			break;
		default:
			if (isdigit((unsigned char)*step))
				num = *step - '0';
			now += MS;
			icmp_probe_reply(&probe, &limits, num, NONCE(num), now);
			break;
		}
	}
	if (probe.state != sc->state || probe.cause != sc->cause ||
	    probe.stats.received != sc->received ||
	    probe.stats.timeouts != sc->timeouts ||
	    probe.stats.send_errors != sc->send_errors ||
	    probe.stats.late + probe.stats.duplicates + probe.stats.invalid !=
		    sc->rejected)
		fail_msg("%s up %u down %u: state %d cause %d, %u/%u/%u/%u",
			 sc->steps, sc->up, sc->down, probe.state, probe.cause,
			 (unsigned int)probe.stats.received,
			 (unsigned int)probe.stats.timeouts,
			 (unsigned int)probe.stats.send_errors,
			 (unsigned int)(probe.stats.late +
					probe.stats.duplicates +
					probe.stats.invalid));
	assert_int_equal(probe.stats.sent,
			 probe.stats.received + probe.stats.timeouts +
				 probe.stats.send_errors + probe.waiting);
	assert_true((probe.waiting == 0) ==
		    (icmp_probe_deadline(&probe) == INT64_MAX));
	icmp_probe_fini(&probe);
}

#define INIT TRACK_STATE_INIT
#define UP   TRACK_STATE_UP
#define DOWN TRACK_STATE_DOWN

static void test_up_down(void **state)
{
	static const struct script scripts[] = {
		{ "", 1, 3, INIT, 0, 0, 0, 0, 0 },
		{ "s", 1, 3, INIT, 0, 0, 0, 0, 0 },
		{ "sr", 1, 3, UP, 0, 1, 0, 0, 0 },
		{ "sr", 2, 3, INIT, 0, 1, 0, 0, 0 },
		{ "srsr", 2, 3, UP, 0, 2, 0, 0, 0 },
		{ "srsTsr", 2, 3, INIT, 0, 2, 1, 0, 0 },
		{ "srsTsrsr", 2, 3, UP, 0, 3, 1, 0, 0 },
		{ "sTsT", 1, 3, INIT, 0, 0, 2, 0, 0 },
		{ "sTsTsT", 1, 3, DOWN, 0, 0, 3, 0, 0 },
		{ "sT", 1, 1, DOWN, 0, 0, 1, 0, 0 },
		{ "srsTsTsrsTsT", 1, 3, UP, 0, 2, 4, 0, 0 },
		{ "srsTsTsT", 1, 3, DOWN, 0, 1, 3, 0, 0 },
		{ "srsTsTsTsr", 1, 3, UP, 0, 2, 3, 0, 0 },
		{ "srsTsTsTsr", 2, 3, DOWN, 0, 2, 3, 0, 0 },
		{ "srsTsTsTsrsTsr", 2, 3, DOWN, 0, 3, 4, 0, 0 },
		/* refused by the kernel: a loss, with its cause */
		{ "sreee", 1, 3, DOWN, ENETUNREACH, 1, 0, 3, 0 },
		{ "sree", 1, 3, UP, 0, 1, 0, 2, 0 },
		{ "sreeesr", 1, 3, UP, 0, 2, 0, 3, 0 },
		{ "sTsTe", 1, 3, DOWN, ENETUNREACH, 0, 2, 1, 0 },
		{ "sTsTesT", 1, 3, DOWN, 0, 0, 3, 1, 0 },
		/* certain at once, and what was under way changes nothing */
		{ "srX", 1, 10, DOWN, ENODEV, 1, 0, 0, 0 },
		{ "X", 1, 10, DOWN, ENODEV, 0, 0, 0, 0 },
		{ "srsXr", 1, 10, DOWN, ENODEV, 2, 0, 0, 0 },
		{ "srsXrsr", 1, 10, UP, 0, 3, 0, 0, 0 },
		/* answered twice, never sent */
		{ "srr", 1, 3, UP, 0, 1, 0, 0, 1 },
		{ "s9", 1, 3, INIT, 0, 0, 0, 0, 1 },
		{ "r", 1, 3, INIT, 0, 0, 0, 0, 1 },
		/* late: after its deadline, noticed or not */
		{ "sTr", 1, 1, DOWN, 0, 0, 1, 0, 1 },
		{ "sTrr", 1, 1, DOWN, 0, 0, 1, 0, 2 },
		{ "sssssssssssss0", 1, 1, DOWN, 0, 0, 1, 0, 1 },
		/* several under way, answered in any order */
		{ "sss012", 3, 3, UP, 0, 3, 0, 0, 0 },
		{ "sss210", 3, 3, UP, 0, 3, 0, 0, 0 },
		{ "sss2", 1, 3, UP, 0, 1, 0, 0, 0 },
		/* losses older than the newest reply are history */
		{ "ssss3ttt", 1, 1, UP, 0, 1, 3, 0, 0 },
		{ "srsssss5ttttst", 1, 2, UP, 0, 2, 5, 0, 0 },
		{ "srsssss5ttttstst", 1, 2, DOWN, 0, 2, 6, 0, 0 },
		/* so are replies older than the newest loss */
		{ "sreee0", 1, 3, DOWN, ENETUNREACH, 1, 0, 3, 1 },
		{ "sseee01", 1, 3, DOWN, ENETUNREACH, 2, 0, 3, 0 },
		/* after an outage: up, and no way back through old timeouts */
		{ "srsssTsss6tt", 1, 3, UP, 0, 2, 5, 0, 0 },
		{ "srsssTssss67T", 1, 3, UP, 0, 3, 5, 0, 0 },
	};

	for (size_t i = 0; i < array_size(scripts); i++)
		script_run(&scripts[i]);
}

static void test_nonce(void **state)
{
	static const struct icmp_probe_limits limits = { 1, 3 };
	struct icmp_probe probe;
	uint16_t seq;

	icmp_probe_init(&probe);
	seq = icmp_probe_send(&probe, &limits, 7, 0, 500 * MS);
	assert_int_equal(icmp_probe_reply(&probe, &limits, seq, 8, 1),
			 ICMP_REPLY_INVALID);
	assert_int_equal(icmp_probe_reply(&probe, &limits, seq + 1, 7, 1),
			 ICMP_REPLY_INVALID);
	/* same slot of the ring, another probe */
	assert_int_equal(icmp_probe_reply(&probe, &limits,
					  seq + ICMP_PROBE_RING_MIN, 7, 1),
			 ICMP_REPLY_INVALID);
	assert_int_equal(probe.state, TRACK_STATE_INIT);
	assert_int_equal(icmp_probe_reply(&probe, &limits, seq, 7, 1),
			 ICMP_REPLY_OK);
	assert_int_equal(icmp_probe_reply(&probe, &limits, seq, 7, 1),
			 ICMP_REPLY_DUPLICATE);
	assert_int_equal(probe.stats.invalid, 3);
	assert_int_equal(probe.stats.received, 1);
	icmp_probe_fini(&probe);
}

/* Sequence numbers wrap at 2^16; the ring grows under way. */
static void test_long_run(void **state)
{
	static const struct icmp_probe_limits limits = { 1, 3 };
	struct icmp_probe probe;
	int64_t now = 0;

	icmp_probe_init(&probe);
	for (unsigned int i = 0; i < 200000; i++) {
		uint16_t seq;

		now += 100 * MS;
		if (i == 70000)
			icmp_probe_reserve(&probe, 100, 60000);
		seq = icmp_probe_send(&probe, &limits, i, now, 500 * MS);
		assert_int_equal(seq, i & 0xffff);
		/* each second one is answered after the next was sent */
		if (i % 2)
			assert_int_equal(
				icmp_probe_reply(&probe, &limits, seq - 1,
						 i - 1, now + MS),
				ICMP_REPLY_OK);
		icmp_probe_expire(&probe, &limits, now);
		assert_true(probe.waiting <= 5);
	}
	icmp_probe_expire(&probe, &limits, INT64_MAX);
	assert_int_equal(probe.waiting, 0);
	assert_int_equal(probe.stats.sent, 200000);
	assert_int_equal(probe.stats.received, 100000);
	assert_int_equal(probe.stats.timeouts, 100000);
	/* the newest was lost, once */
	assert_int_equal(probe.state, TRACK_STATE_UP);
	icmp_probe_fini(&probe);
}

/*
 * A target whose RTT is above the frequency always has probes outstanding; what
 * has been answered must not be walked through again.
 */
static void test_overlap(void **state)
{
	static const struct icmp_probe_limits limits = { 1, 3 };
	struct icmp_probe probe;

	icmp_probe_init(&probe);
	icmp_probe_send(&probe, &limits, 0, 0, 500 * MS);
	for (unsigned int i = 1; i < 1000; i++) {
		int64_t now = i * 100 * MS;

		icmp_probe_send(&probe, &limits, i, now, 500 * MS);
		icmp_probe_reply(&probe, &limits, i - 1, i - 1, now + MS);
		assert_int_equal(probe.waiting, 1);
		assert_int_equal(probe.tail, i);
		assert_true(icmp_probe_deadline(&probe) == now + 500 * MS);
	}
	icmp_probe_fini(&probe);
}

/* More outstanding than there is room for: lost, not forgotten. */
static void test_overrun(void **state)
{
	static const struct icmp_probe_limits limits = { 1, 3 };
	struct icmp_probe probe;

	icmp_probe_init(&probe);
	for (unsigned int i = 0; i < ICMP_PROBE_RING_MIN + 3; i++)
		icmp_probe_send(&probe, &limits, i, i, 60000 * MS);
	assert_int_equal(probe.waiting, ICMP_PROBE_RING_MIN);
	assert_int_equal(probe.stats.timeouts, 3);
	assert_int_equal(probe.state, TRACK_STATE_DOWN);
	assert_true(icmp_probe_deadline(&probe) == 60000 * MS + 3);
	icmp_probe_fini(&probe);
}

static void test_rtt(void **state)
{
	/* jitter by RFC 3550: J += (|D| - J) / 16 */
	static const struct {
		int64_t rtt;
		uint32_t last, min, max, avg, jitter;
	} steps[] = {
		{ 1600, 1600, 1600, 1600, 1600, 0 },
		{ 1600, 1600, 1600, 1600, 1600, 0 },
		{ 3200, 3200, 1600, 3200, 1800, 100 },
		{ 3200, 3200, 1600, 3200, 1975, 93 },
		{ 0, 1, 1, 3200, 1728, 287 },
		{ -5, 1, 1, 3200, 1512, 269 },
	};
	static const struct icmp_probe_limits limits = { 1, 3 };
	struct icmp_probe probe;

	icmp_probe_init(&probe);
	assert_int_equal(probe.stats.rtt, 0);
	for (size_t i = 0; i < array_size(steps); i++) {
		uint16_t seq = icmp_probe_send(&probe, &limits, 1, i * 100 * MS,
					       50 * MS);

		icmp_probe_reply(&probe, &limits, seq, 1,
				 i * 100 * MS + steps[i].rtt);
		assert_int_equal(probe.stats.rtt, steps[i].last);
		assert_int_equal(probe.stats.rtt_min, steps[i].min);
		assert_int_equal(probe.stats.rtt_max, steps[i].max);
		assert_int_equal(probe.stats.rtt_avg16 / 16, steps[i].avg);
		assert_int_equal(probe.stats.jitter16 / 16, steps[i].jitter);
	}
	icmp_probe_fini(&probe);
}

/* ------------------------------------------------------------------ pacing */

static void test_spread(void **state)
{
	static const struct {
		unsigned int first, n;
		int64_t interval;
		unsigned int slots, most;
	} cases[] = {
		/* n targets, the interval cut in slots: the most in any */
		{ 1, 1000, 1000 * MS, 100, 12 },
		{ 1, 200, 100 * MS, 100, 4 },
		{ 501, 100, 1000 * MS, 100, 3 },
		{ 1, 2000, 1000 * MS, 1000, 4 },
		{ 1, 10, 60000 * MS, 10, 2 },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		unsigned int count[1000] = {};

		for (unsigned int id = cases[i].first;
		     id < cases[i].first + cases[i].n; id++) {
			int64_t at = icmp_probe_phase(id, cases[i].interval);

			assert_true(at >= 0 && at < cases[i].interval);
			count[at * cases[i].slots / cases[i].interval]++;
		}
		for (unsigned int slot = 0; slot < cases[i].slots; slot++)
			if (count[slot] > cases[i].most)
				fail_msg("case %zu: %u in one slot", i,
					 count[slot]);
	}
}

static void test_next_slot(void **state)
{
	static const int64_t intervals[] = { 100 * MS, 1000 * MS, 60000 * MS };
	static const int64_t starts[] = { 0, 1, 12345678, INT64_C(1) << 50 };

	for (size_t i = 0; i < array_size(intervals); i++)
		for (size_t j = 0; j < array_size(starts); j++)
			for (unsigned int id = 1; id <= 1000; id += 37) {
				int64_t len = intervals[i], at, next;

				at = icmp_probe_next_slot(id, len, starts[j]);
				assert_true(at >= 0);
				assert_true(at <= starts[j] + len + len / 2);
				if (starts[j])
					assert_true(at - starts[j] >= 0);
				/* on the grid from then on, step by step */
				next = icmp_probe_next_slot(id, len, at);
				assert_true(next - at == len);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_up_down),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_long_run),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_rtt),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_next_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
