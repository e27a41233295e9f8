// SPDX-License-Identifier: GPL-2.0-or-later
/* What a Teredo relay does beside the rules for peers: packets as they are, the
 * fast path, the self-test's peer. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "teredo_lab.h"

#define S 1000

static struct in6_addr client;

static int open_lab(void **state)
{
	lab_open(1000, false);
	client = lab_addr(LAB_CLIENT);
	return 0;
}

static int open_fast(void **state)
{
	lab_open(1000, true);
	client = lab_addr(LAB_CLIENT);
	return 0;
}

static int close_lab(void **state)
{
	lab_close();
	return 0;
}

/* -------- packets -------- */

/* RFC 6040 section 4; the traffic class is the type of service. */
static void test_ecn(void **state)
{
	static const struct {
		uint8_t outer, inner, out;
		bool drop;
	} cases[] = {
		{0, 0, 0, false}, {3, 0, 0, true},  {3, 1, 3, false},
		{3, 2, 3, false}, {1, 2, 1, false}, {2, 1, 1, false},
		{0, 3, 3, false}, {2, 0, 0, false},
	};
	const struct in_addr mapped = {inet_addr("192.0.2.45")};
	const struct in6_addr host = lab_addr(LAB_HOST);
	uint8_t pkt[48];

	for (size_t i = 0; i < array_size(cases); i++) {
		lab_packet(pkt, &client, &host, sizeof(pkt), 0);
		pkt[0] |= 0xb;
		pkt[1] = 0x80 | cases[i].inner << 4 | 5;
		lab_forget();
		teredo_relay_from_ipv4(lab.relay, lab.now_ms, mapped, 40000,
				       0x20 | cases[i].outer, pkt, sizeof(pkt));
		lab_assert_new(!cases[i].drop, 0, 0, 0);
		if (cases[i].drop)
			continue;
		assert_int_equal(lab_sent(0)->data[0], 0x6b);
		assert_int_equal(lab_sent(0)->data[1],
				 0x80 | cases[i].out << 4 | 5);
	}
	assert_int_equal(lab_stats().counters.drops[RELAY_BPF_DROP_ECN], 1);
	lab_packet(pkt, &host, &client, sizeof(pkt), 0);
	pkt[0] |= 0xb;
	pkt[1] = 0x95;
	lab_forget();
	teredo_relay_from_ipv6(lab.relay, lab.now_ms, pkt, sizeof(pkt));
	assert_int_equal(lab_sent(0)->tos, 0xb9);
}

/* An authentication header, an origin indication and trailers are what they
 * are; only the IPv6 packet goes on (RFC 6081 section 4). */
static void test_around_the_packet(void **state)
{
	static const uint8_t before[] = {
		0, 1, 0,    0,	  1,	2,    3,    4,
		5, 6, 7,    8,	  0,			  /* authentication */
		0, 0, 0x63, 0xbf, 0x3f, 0xff, 0xfd, 0xd2, /* origin */
	};
	static const uint8_t behind[] = {1, 4, 9, 9, 9, 9, 2, 1, 0};
	const struct in_addr mapped = {inet_addr("192.0.2.45")};
	const struct in6_addr host = lab_addr(LAB_HOST);
	uint8_t buf[200];
	size_t n = sizeof(before);

	memcpy(buf, before, n);
	n += lab_packet(buf + n, &client, &host, 60, 7);
	memcpy(buf + n, behind, sizeof(behind));
	n += sizeof(behind);
	teredo_relay_from_ipv4(lab.relay, lab.now_ms, mapped, 40000, 0, buf, n);
	lab_assert_new(1, 0, 0, 0);
	assert_int_equal(lab_sent(0)->len, 60);
	assert_memory_equal(lab_sent(0)->data, buf + sizeof(before), 60);
}

static void test_malformed(void **state)
{
	const struct in_addr mapped = {inet_addr("192.0.2.45")};
	const struct in6_addr host = lab_addr(LAB_HOST);
	struct teredo_relay_stats stats;
	uint8_t pkt[60], copy[60];
	uint64_t n = 0;

	lab_bubble(&client);
	for (size_t len = 0; len < sizeof(pkt); len++) {
		lab_packet(pkt, &client, &host, sizeof(pkt), 0);
		teredo_relay_from_ipv4(lab.relay, lab.now_ms, mapped, 40000, 0,
				       memcpy(copy, pkt, len), len);
		lab_packet(pkt, &host, &client, sizeof(pkt), 0);
		teredo_relay_from_ipv6(lab.relay, lab.now_ms,
				       memcpy(copy, pkt, len), len);
		n += 2;
	}
	/* not of IPv6 */
	pkt[0] = 0x45;
	teredo_relay_from_ipv6(lab.relay, lab.now_ms, pkt, sizeof(pkt));
	n++;
	/* the kernel's own, a router solicitation for one, is no drop */
	lab_packet(pkt, &client, &host, sizeof(pkt), 0);
	teredo_relay_from_ipv6(lab.relay, lab.now_ms, pkt, sizeof(pkt));
	lab_assert_new(0, 0, 0, 0);
	stats = lab_stats();
	assert_int_equal(stats.counters.drops[RELAY_BPF_DROP_MALFORMED], n);
	/* padding behind a packet is cut off */
	lab_packet(pkt, &host, &client, 50, 0);
	teredo_relay_from_ipv6(lab.relay, lab.now_ms, pkt, sizeof(pkt));
	assert_int_equal(lab_sent(0)->len, 50);
}

/* One direction alone: who only transmits has to hear its peers nevertheless.
 */
static void test_direction(void **state)
{
	lab.check.flags = RELAY_BPF_6TO4;
	lab_configure();
	lab_from_client(&client, 0);
	assert_int_equal(lab_stats().peers, 0);
	lab_to_client(&client, 0);
	lab_from_client(&client, 0);
	lab_assert_new(0, 1, 1, 1);
	assert_int_equal(lab_state(&client), TEREDO_PEER_TRUSTED);
	assert_int_equal(lab_stats().counters.drops[RELAY_BPF_DROP_DIRECTION],
			 2);
	lab_wait(25 * S);
	lab_to_client(&client, 0);
	lab_bubble(&client);
	lab_assert_new(0, 1, 1, 1);
	assert_int_equal(lab_info(&client).rx_age_ms, 0);
	lab.check.flags = RELAY_BPF_4TO6;
	lab_configure();
	lab_to_client(&client, 0);
	lab_from_client(&client, 0);
	lab_assert_new(1, 0, 0, 0);
}

/* -------- the fast path -------- */

/* It has a peer from its first packet on until it is no longer valid, and is
 * not told of each packet. */
static void test_fast_put(void **state)
{
	int64_t told;

	lab_bubble(&client);
	assert_non_null(lab_fast(&client));
	assert_int_equal(lab_fast(&client)->rx_ms, lab.now_ms);
	assert_int_equal(lab_fast(&client)->tx_ms, 0);
	told = lab.now_ms;
	for (int i = 0; i < 3000; i++) {
		lab_wait(10);
		lab_from_client(&client, 0);
		assert_true(lab.now_ms - lab_fast(&client)->rx_ms < 5 * S);
		if (lab_fast(&client)->rx_ms == told)
			continue;
		/* seldom, as it is a system call */
		assert_true(lab_fast(&client)->rx_ms - told > 4000);
		told = lab_fast(&client)->rx_ms;
	}
	lab_wait(31 * S);
	assert_non_null(lab_fast(&client));
	/* not until it has answered: the answer must be seen */
	lab_to_client(&client, 0);
	assert_null(lab_fast(&client));
	lab_wait(S);
	lab_bubble(&client);
	assert_non_null(lab_fast(&client));
	assert_int_equal(lab_fast(&client)->tx_ms, lab.now_ms);
	/* and it goes with the peer */
	lab_wait(302 * S);
	assert_int_equal(lab_stats().peers, 0);
	assert_int_equal(lab.nfast, 0);
}

/* What it has received makes a peer valid; a packet from a stale one to the
 * engine is no reason for bubbles. */
static void test_fast_refreshes(void **state)
{
	lab_bubble(&client);
	lab_wait(40 * S);
	lab_fast(&client)->rx_ms = lab.now_ms - 20 * S;
	lab_to_client(&client, 0);
	lab_assert_new(0, 1, 0, 0);
	assert_int_equal(lab_info(&client).rx_age_ms, 20 * S);
	lab_wait(7 * S);
	lab_to_client(&client, 0);
	lab_assert_new(0, 1, 1, 1);
	assert_int_equal(lab_info(&client).bubbles, 1);
	/* an answer that the engine did not see */
	lab_fast(&client)->rx_ms = lab.now_ms;
	assert_int_equal(lab_info(&client).bubbles, 0);
}

/* Its times are asked before a peer is let go, to a second. */
static void test_fast_ageing(void **state)
{
	struct in6_addr other = lab_client(0xc6336402, 1, 0x4136e378);
	int64_t last;

	lab_bubble(&client);
	lab_bubble(&other);
	for (int i = 0; i < 10; i++) {
		lab_wait(250 * S);
		if (i % 2)
			lab_fast(&client)->tx_ms = lab.now_ms - 77;
		else
			lab_fast(&client)->rx_ms = lab.now_ms - 77;
		assert_int_equal(lab_stats().peers, i ? 1 : 2);
	}
	last = lab.now_ms - 77;
	lab_wait(last + 300 * S - 1 - lab.now_ms);
	assert_int_equal(lab_stats().peers, 1);
	assert_non_null(lab_fast(&client));
	lab_wait(1 + S);
	assert_int_equal(lab_stats().peers, 0);
	assert_null(lab_fast(&client));
}

/* A time that is later than now: packets of this batch. And a map that was
 * full, or is not there for a while. */
static void test_fast_odd(void **state)
{
	lab_bubble(&client);
	lab_fast(&client)->rx_ms = lab.now_ms + 40;
	lab_fast(&client)->tx_ms = lab.now_ms + 40;
	assert_int_equal(lab_info(&client).rx_age_ms, 0);
	assert_int_equal(lab_info(&client).tx_age_ms, 0);
	memset(lab.fast, 0, sizeof(lab.fast));
	lab.nfast = 0;
	lab_wait(5 * S);
	lab_to_client(&client, 0);
	lab_assert_new(0, 1, 0, 0);
	lab_from_client(&client, 0);
	assert_non_null(lab_fast(&client));
	lab_wait(310 * S);
	assert_int_equal(lab_stats().peers, 0);
	assert_int_equal(lab.nfast, 0);
}

/* What was cleared is taken out of it, but not what came after. */
static void test_fast_clear(void **state)
{
	struct in6_addr other = lab_client(0xc6336402, 1, 0x4136e378);
	struct teredo_peer_info info;
	uint32_t cursor = 0;

	lab_bubble(&client);
	lab_bubble(&other);
	lab_to_client(&other, 0);
	teredo_relay_clear(lab.relay, lab.now_ms);
	assert_int_equal(lab_state(&client), -1);
	assert_false(
		teredo_relay_peer_next(lab.relay, &cursor, lab.now_ms, &info));
	assert_int_equal(lab_stats().peers, 0);
	assert_int_equal(lab_stats().peers_trusted, 0);
	lab_bubble(&client);
	assert_int_equal(lab_stats().peers_trusted, 1);
	lab_settle();
	assert_non_null(lab_fast(&client));
	assert_null(lab_fast(&other));
	assert_int_equal(lab_state(&client), TEREDO_PEER_TRUSTED);
	assert_int_equal(lab_info(&client).tx_age_ms, -1);
	/* what waited is gone */
	lab_to_client(&other, 1);
	teredo_relay_clear(lab.relay, lab.now_ms);
	lab_settle();
	assert_int_equal(lab_stats().queued_packets, 0);
	assert_int_equal(lab_stats().drops[TEREDO_DROP_PEER_GONE], 1);
	assert_int_equal(lab.nfast, 0);
	/* twice at once */
	lab_bubble(&client);
	teredo_relay_clear(lab.relay, lab.now_ms);
	lab_bubble(&client);
	teredo_relay_clear(lab.relay, lab.now_ms);
	lab_bubble(&client);
	lab_settle();
	assert_int_equal(lab_stats().peers, 1);
	assert_non_null(lab_fast(&client));
	/* and a relay that ends in between */
	teredo_relay_clear(lab.relay, lab.now_ms);
}

/* -------- the self-test's peer -------- */

static void test_own_peer(void **state)
{
	const struct in_addr source = {inet_addr(LAB_SOURCE)};
	const struct in6_addr own = lab_client(0xcb007101, 50000, 0xcb007101),
			      end = lab_client(0xcb007101, 3545, 0xcb007101),
			      host = lab_addr(LAB_HOST);
	const struct relay_bpf_peer_key key = lab_key(&own);
	uint8_t pkt[60];

	/* the source is a bogon, both limits are reached, the way is off */
	struct filter_rule rule = {.verdict = FILTER_VERDICT_BOGON};

	str2prefix("203.0.113.0/24", &rule.p);
	lab.cfg.check.rules = &rule;
	lab.cfg.check.nrules = 1;
	lab.cfg.peers_max = 1;
	lab_configure();
	lab_bubble(&client);
	teredo_relay_own_peer(lab.relay, &key);
	lab_wait(400 * S);
	lab_bubble(&client);
	lab_forget();
	teredo_relay_clear_counters(lab.relay);
	lab_packet(pkt, &own, &end, sizeof(pkt), 1);
	teredo_relay_from_ipv4(lab.relay, lab.now_ms, source, 50000, 0, pkt,
			       sizeof(pkt));
	lab_packet(pkt, &end, &own, sizeof(pkt), 1);
	teredo_relay_from_ipv6(lab.relay, lab.now_ms, pkt, sizeof(pkt));
	lab_assert_new(1, 1, 0, 0);
	assert_int_equal(lab_sent(1)->dst.s_addr, source.s_addr);
	assert_int_equal(lab_sent(1)->port, 50000);
	assert_int_equal(lab_stats().peers, 1);
	assert_int_equal(lab_state(&own), -1);
	assert_int_equal(lab_stats().counters.ways[0].packets, 0);
	assert_int_equal(lab_stats().counters.ways[1].packets, 0);
	/* it speaks with nobody else, and nobody in its name */
	lab_packet(pkt, &own, &host, sizeof(pkt), 1);
	teredo_relay_from_ipv4(lab.relay, lab.now_ms, source, 50000, 0, pkt,
			       sizeof(pkt));
	lab_packet(pkt, &host, &own, sizeof(pkt), 1);
	teredo_relay_from_ipv6(lab.relay, lab.now_ms, pkt, sizeof(pkt));
	lab_packet(pkt, &own, &end, sizeof(pkt), 1);
	teredo_relay_from_ipv4(lab.relay, lab.now_ms, source, 50001, 0, pkt,
			       sizeof(pkt));
	lab_assert_new(0, 0, 0, 0);
	/* nor after the self-test */
	teredo_relay_own_peer(lab.relay, NULL);
	teredo_relay_from_ipv4(lab.relay, lab.now_ms, source, 50000, 0, pkt,
			       sizeof(pkt));
	lab_packet(pkt, &end, &own, sizeof(pkt), 1);
	teredo_relay_from_ipv6(lab.relay, lab.now_ms, pkt, sizeof(pkt));
	lab_assert_new(0, 0, 0, 0);
}

/* Another source or port is another relay to its clients and their NATs. */
static void test_other_source(void **state)
{
	lab_bubble(&client);
	lab.cfg.peers_max = 77;
	lab_configure();
	assert_int_equal(lab_state(&client), TEREDO_PEER_TRUSTED);
	lab.cfg.port = 3546;
	lab_configure();
	assert_int_equal(lab_state(&client), -1);
	lab_bubble(&client);
	lab.cfg.source.s_addr = inet_addr("203.0.113.2");
	lab_configure();
	assert_int_equal(lab_state(&client), -1);
}

/* No more lines than a log can take. */
static void test_log(void **state)
{
	struct in6_addr other;

	for (uint32_t i = 0; i < 500; i++) {
		other = lab_client(0x50000000 + i * 256, 1, 0x4136e378);
		lab_bubble(&other);
	}
	assert_int_equal(lab_stats().peers, 500);
	assert_int_equal(lab.logs, 50);
	lab_wait(S);
	lab_bubble(&client);
	assert_int_equal(lab.logs, 52);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)
#define FAST(test) cmocka_unit_test_setup_teardown(test, open_fast, close_lab)
	const struct CMUnitTest tests[] = {
		TEST(test_ecn),		 TEST(test_around_the_packet),
		TEST(test_malformed),	 TEST(test_direction),
		FAST(test_fast_put),	 FAST(test_fast_refreshes),
		FAST(test_fast_ageing),	 FAST(test_fast_odd),
		FAST(test_fast_clear),	 TEST(test_own_peer),
		TEST(test_other_source), TEST(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
