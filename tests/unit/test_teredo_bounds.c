// SPDX-License-Identifier: GPL-2.0-or-later
/* A Teredo relay under what strangers do to it: full tables, scans, floods. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "teredo_lab.h"

#define S 1000
#define TABLE 1024
#define SHARE (TABLE / 16)

static int open_lab(void **state)
{
	lab_open(TABLE, false);
	/* of the limits there are tests of their own */
	memset(&lab.cfg.limits, 0, sizeof(lab.cfg.limits));
	lab_configure();
	return 0;
}

static int close_lab(void **state)
{
	lab_close();
	return 0;
}

/* -------- who is who -------- */

/* A client of its own network, by a server that all have. */
static struct in6_addr real(uint32_t i)
{
	return lab_client(0x50000000 + (i << 8), 40000, 0x4136e378);
}

/* Of someone who makes up addresses. */
static struct in6_addr forged(uint32_t i)
{
	return lab_client(0x60000000 + i * 2654435761u % 0x10000000,
			  1 + i % 65535, 0x4136e378);
}

static void both_ways(uint32_t i)
{
	struct in6_addr c = real(i);

	lab_from_client(&c, 0);
	lab_to_client(&c, 0);
}

static uint32_t count_real(uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (; from < to; from++) {
		struct in6_addr c = real(from);

		n += lab_state(&c) >= 0;
	}
	return n;
}

/* -------- the table -------- */

/* Never above the bound; the peers that do not answer make room first, then the
 * least recently used. */
static void test_lru(void **state)
{
	struct in6_addr c;

	for (uint32_t i = 0; i < TABLE; i++) {
		both_ways(i);
		lab_wait(10);
	}
	/* all are in use */
	c = real(TABLE);
	lab_to_client(&c, 0);
	lab_from_client(&c, 0);
	assert_int_equal(lab_state(&c), -1);
	assert_int_equal(lab_stats().drops[TEREDO_DROP_TABLE_FULL], 2);
	assert_int_equal(lab_stats().overload, TEREDO_OVERLOAD_TABLE_FULL);
	assert_int_equal(lab_stats().peers, TABLE);
	lab_wait(9999);
	assert_int_equal(lab_stats().overload, TEREDO_OVERLOAD_TABLE_FULL);
	lab_wait(1);
	assert_int_equal(lab_stats().overload, TEREDO_OVERLOAD_NONE);
	/* the first is heard of again; then all are idle */
	lab_wait(9 * S);
	both_ways(0);
	lab_wait(25 * S);
	for (uint32_t i = TABLE; i < TABLE + 10; i++)
		both_ways(i);
	assert_int_equal(lab_stats().peers, TABLE);
	assert_int_equal(lab_stats().evicted, 10);
	assert_int_equal(count_real(0, 1), 1);
	assert_int_equal(count_real(1, 11), 0);
	assert_int_equal(count_real(11, TABLE + 10), TABLE - 1);
}

/* A scan of 2001::/32 from the IPv6 side, forty times as much as there is room:
 * the peers are there, and a new one gets in, with its first packet. */
static void test_scan(void **state)
{
	struct in6_addr c, late = real(9999);

	for (uint32_t i = 0; i < TABLE - SHARE; i++)
		both_ways(i);
	for (uint32_t i = 0; i < 40 * TABLE; i++) {
		c = forged(i);
		lab_to_client(&c, 0);
		if (i % 50 == 0) {
			lab_wait(10); /* 5000 a second */
			for (uint32_t j = 0; j < TABLE - SHARE; j += 96)
				both_ways(j + i / 50 % 96);
		}
		if (i == 30 * TABLE)
			lab_to_client(&late, 1);
		/* answered after 10 ms */
		if (i == 30 * TABLE + SHARE - 4) {
			lab_forget();
			lab_bubble(&late);
			assert_int_equal(lab_new(LAB_UDP), 1);
		}
		assert_true(lab_stats().peers <= TABLE);
	}
	assert_int_equal(count_real(0, TABLE - SHARE), TABLE - SHARE);
	assert_int_equal(lab_state(&late), TEREDO_PEER_TRUSTED);
	assert_true(lab_stats().queued_bytes <= 4 << 20);
}

/* Nor is more than its share taken from those that are idle: they would be new
 * peers when they come back, of whom there are too many in a scan. */
static void test_scan_of_idle(void **state)
{
	struct in6_addr c;

	for (uint32_t i = 0; i < TABLE; i++)
		both_ways(i);
	lab_wait(40 * S);
	for (uint32_t i = 0; i < 20 * TABLE; i++) {
		c = forged(i);
		lab_to_client(&c, 0);
		if (i % 50 == 0)
			lab_wait(10);
	}
	assert_in_range(count_real(0, TABLE), TABLE - SHARE - 1, TABLE);
}

/* The same with bubbles that are forged, each of which makes a trusted peer:
 * nor do those who wait for an answer have to go. */
static void test_forged_bubbles(void **state)
{
	struct in6_addr c, waits = real(9999);

	for (uint32_t i = 0; i < TABLE - SHARE; i++)
		both_ways(i);
	for (uint32_t i = 0; i < 40 * TABLE; i++) {
		c = forged(i);
		lab_bubble(&c);
		if (i == 2 * TABLE)
			lab_to_client(&waits, 1);
		if (i % 500 == 0)
			lab_wait(10); /* 50000 a second */
	}
	assert_int_equal(count_real(0, TABLE - SHARE), TABLE - SHARE);
	assert_int_equal(lab_state(&waits), TEREDO_PEER_UNTRUSTED);
	lab_forget();
	lab_bubble(&waits);
	assert_int_equal(lab_new(LAB_UDP), 1);
}

/* Nor does a real peer that was silent for long lose its packet as it is asked
 * anew. */
static void test_stale_in_a_flood(void **state)
{
	struct in6_addr c, stale = real(5);

	for (uint32_t i = 0; i < TABLE - 2 * SHARE; i++)
		both_ways(i);
	lab_wait(40 * S);
	for (uint32_t i = 0; i < 20 * TABLE; i++) {
		c = forged(i);
		lab_bubble(&c);
		if (i == 4 * TABLE)
			lab_to_client(&stale, 1);
	}
	lab_forget();
	lab_bubble(&stale);
	assert_int_equal(lab_new(LAB_UDP), 1);
	/* all of the others are idle, and there nevertheless */
	assert_int_equal(count_real(0, TABLE - 2 * SHARE), TABLE - 2 * SHARE);
}

/* What the fast path keeps busy is not idle. */
static void test_busy_in_the_fast_path(void **state)
{
	lab_close();
	lab_open(LAB_FAST / 2, true);
	for (uint32_t i = 0; i < LAB_FAST / 2; i++)
		both_ways(i);
	lab_wait(100 * S);
	for (uint32_t i = 0; i < LAB_FAST; i++)
		if (lab.fast[i].used)
			lab.fast[i].rx_ms =
				lab.now_ms - (i % 2 ? 5 * S : 60 * S);
	for (uint32_t i = 100; i < 300; i++)
		both_ways(i);
	assert_int_equal(lab_stats().peers, LAB_FAST / 2);
	assert_int_equal(count_real(0, LAB_FAST / 2), LAB_FAST / 4);
	assert_int_equal(lab_stats().evicted, LAB_FAST / 4);
	assert_true(lab_stats().drops[TEREDO_DROP_TABLE_FULL] > 0);
	assert_int_equal(lab.nfast, LAB_FAST / 2);
}

/* A smaller bound is come to by and by, least recently used first; a larger one
 * at once. */
static void test_other_bound(void **state)
{
	size_t calls;

	for (uint32_t i = 0; i < TABLE; i++) {
		both_ways(i);
		lab_wait(20);
	}
	lab.cfg.peers_max = TABLE / 4;
	lab_configure();
	assert_int_equal(lab_stats().peers, TABLE);
	calls = lab_settle();
	assert_in_range(calls, 3, 20);
	assert_int_equal(lab_stats().peers, TABLE / 4);
	assert_int_equal(lab_stats().peers_max, TABLE / 4);
	assert_int_equal(count_real(TABLE * 3 / 4, TABLE), TABLE / 4);
	assert_int_equal(lab_stats().evicted, TABLE * 3 / 4);
	both_ways(5000);
	assert_int_equal(lab_stats().peers, TABLE / 4);
	lab.cfg.peers_max = TABLE;
	lab_configure();
	both_ways(5000);
	assert_int_equal(lab_stats().peers, TABLE / 4 + 1);
	/* nonsense is made the nearest that makes sense */
	lab.cfg.peers_max = 0;
	lab_configure();
	lab_settle();
	assert_int_equal(lab_stats().peers, 1);
	lab.cfg.peers_max = UINT32_MAX;
	lab_configure();
	assert_int_equal(lab_stats().peers_max, TEREDO_PEERS_MAX);
}

/* -------- limits, RFC 4380 section 7.3.5 -------- */

static void limit(enum relay_bpf_way way, uint32_t all, uint32_t prefix)
{
	memset(&lab.cfg.limits, 0, sizeof(lab.cfg.limits));
	lab.cfg.limits.all[way] = (struct teredo_limit){all, all};
	lab.cfg.limits.prefix[way] = (struct teredo_limit){prefix, prefix};
	lab_configure();
}

static void test_limit_of_senders(void **state)
{
	struct in6_addr bad = lab_addr("2001:db8:bad::1"),
			good = lab_addr("2001:db8:600d::1"), c;

	limit(RELAY_BPF_WAY_6TO4, 0, 10);
	for (uint32_t i = 0; i < 100; i++) {
		c = forged(i);
		bad.s6_addr[15] = i;
		lab_to_client_from(&bad, &c, 0);
	}
	assert_int_equal(lab_stats().peers, 10);
	assert_int_equal(lab_new(LAB_INDIRECT), 10);
	assert_int_equal(lab_stats().drops[TEREDO_DROP_PEER_LIMIT], 90);
	assert_int_equal(lab_stats().overload, TEREDO_OVERLOAD_NEW_PEER_LIMIT);
	/* who it was is told, once a second */
	assert_int_equal(lab.logs, 10 + 1);
	assert_non_null(strstr(lab.log,
			       ", by a packet of 2001:db8:bad::a: "
			       "refused, there are too many new ones"));
	/* others, and known peers, are not concerned */
	c = real(1);
	lab_to_client_from(&good, &c, 0);
	assert_int_equal(lab_state(&c), TEREDO_PEER_UNTRUSTED);
	lab_bubble(&c);
	lab_forget();
	lab_to_client_from(&bad, &c, 0);
	assert_int_equal(lab_new(LAB_UDP), 1);
	lab_wait(10 * S);
	assert_int_equal(lab_stats().overload, TEREDO_OVERLOAD_NONE);
}

static void test_limit_of_clients(void **state)
{
	struct in6_addr c;

	both_ways(1);
	limit(RELAY_BPF_WAY_4TO6, 20, 10);
	lab_wait(S);
	lab_forget();
	for (uint32_t i = 0; i < 100; i++) {
		c = lab_client(0x50505000 + i, 1, 0x4136e378);
		lab_from_client(&c, 0);
	}
	assert_int_equal(lab_new(LAB_IPV6), 10);
	assert_int_equal(lab_stats().peers, 11);
	for (uint32_t i = 0; i < 100; i++) {
		c = forged(i);
		lab_bubble(&c);
	}
	assert_int_equal(lab_stats().peers, 21);
	assert_int_equal(lab_stats().drops[TEREDO_DROP_PEER_LIMIT], 180);
	/* a known one goes on; one that was asked may answer */
	both_ways(1);
	assert_int_equal(lab_new(LAB_UDP), 1);
	c = real(2);
	lab_to_client(&c, 0);
	lab_from_client(&c, 0);
	assert_int_equal(lab_new(LAB_UDP), 1);
	assert_int_equal(lab_new(LAB_IPV6), 2);
}

/* -------- queues -------- */

static void test_queue_of_a_peer(void **state)
{
	struct in6_addr c = real(1);

	for (int i = 0; i < 1000; i++)
		lab_to_client(&c, i);
	assert_int_equal(lab_stats().queued_packets, 8);
	assert_int_equal(lab_stats().drops[TEREDO_DROP_QUEUE_FULL], 992);
	lab_forget();
	lab_bubble(&c);
	assert_int_equal(lab_new(LAB_UDP), 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(lab_sent(i)->data[40], i);
}

/* -------- a table that is cleared -------- */

static void test_clear(void **state)
{
	struct in6_addr c;

	for (uint32_t i = 0; i < TABLE - 10; i++)
		both_ways(i);
	for (uint32_t i = 0; i < 10; i++) {
		c = forged(i);
		lab_to_client(&c, 0);
	}
	teredo_relay_clear(lab.relay, lab.now_ms);
	assert_int_equal(lab_stats().peers, 0);
	assert_int_equal(lab_stats().peers_trusted, 0);
	assert_int_equal(count_real(0, TABLE), 0);
	/* it is at once as if there had been none */
	lab_forget();
	c = real(3);
	lab_to_client(&c, 0);
	assert_int_equal(lab_new(LAB_UDP), 0);
	assert_int_equal(lab_new(LAB_INDIRECT), 1);
	assert_in_range(lab_settle(), 3, 20);
	assert_int_equal(lab_stats().peers, 1);
	assert_int_equal(lab_stats().queued_packets, 1);
	/* nobody asks for those that were cleared any more */
	lab_wait(10 * S);
	assert_int_equal(lab_new(LAB_INDIRECT), 3);
	teredo_relay_clear(lab.relay, lab.now_ms);
	teredo_relay_clear(lab.relay, lab.now_ms);
	assert_int_equal(lab_stats().peers, 0);
}

/* Each peer is shown once, whatever happens in between. */
static void test_show(void **state)
{
	struct teredo_peer_info info;
	uint32_t cursor = 0, n = 0;

	for (uint32_t i = 0; i < TABLE / 2; i++)
		both_ways(i);
	while (teredo_relay_peer_next(lab.relay, &cursor, lab.now_ms, &info)) {
		assert_int_equal(info.state, TEREDO_PEER_TRUSTED);
		assert_int_equal(info.port, 40000);
		assert_int_equal(info.server.s_addr, htonl(0x4136e378));
		assert_int_equal(ntohl(info.mapped.s_addr) >> 24, 0x50);
		assert_int_equal(info.rx_age_ms, 0);
		assert_int_equal(info.tx_age_ms, 0);
		n++;
	}
	assert_int_equal(n, TABLE / 2);
	/* one whose time is over is not shown, though the timer is late */
	lab.now_ms += 300 * S;
	cursor = 0;
	assert_false(
		teredo_relay_peer_next(lab.relay, &cursor, lab.now_ms, &info));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)
	const struct CMUnitTest tests[] = {
		TEST(test_lru),
		TEST(test_scan),
		TEST(test_scan_of_idle),
		TEST(test_forged_bubbles),
		TEST(test_stale_in_a_flood),
		TEST(test_busy_in_the_fast_path),
		TEST(test_other_bound),
		TEST(test_limit_of_senders),
		TEST(test_limit_of_clients),
		TEST(test_queue_of_a_peer),
		TEST(test_clear),
		TEST(test_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
