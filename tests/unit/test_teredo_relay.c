// SPDX-License-Identifier: GPL-2.0-or-later
/* A Teredo relay by the rules of RFC 4380 section 5.4, one test a rule. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rfc4380.h"
#include "teredo_lab.h"

#define S 1000

static struct in6_addr client;

static int open_lab(void **state)
{
	lab_open(1000, false);
	client = lab_addr(LAB_CLIENT);
	return 0;
}

static int close_lab(void **state)
{
	lab_close();
	return 0;
}

/* -------- addresses -------- */

static void run_case(const struct rfc4380_case *c)
{
	struct teredo_relay_stats stats;
	size_t sent;
	uint8_t pkt[48];

	lab_open(10, false);
	lab.check.flags = (tunnel_has_way(c->relay.direction, TUNNEL_WAY_4TO6)
				   ? RELAY_BPF_4TO6
				   : 0) |
			  (tunnel_has_way(c->relay.direction, TUNNEL_WAY_6TO4)
				   ? RELAY_BPF_6TO4
				   : 0);
	lab.cfg.check.rules = c->relay.rules;
	lab.cfg.check.nrules = c->relay.nrules;
	lab_configure();
	lab_packet(pkt, &c->src, &c->dst, sizeof(pkt), 0);
	if (c->way == TUNNEL_WAY_4TO6) {
		teredo_relay_from_ipv4(lab.relay, lab.now_ms, c->outer, c->port,
				       0, pkt, sizeof(pkt));
		sent = lab_new(LAB_IPV6);
	} else {
		lab_bubble(&c->dst);
		teredo_relay_clear_counters(lab.relay);
		teredo_relay_from_ipv6(lab.relay, lab.now_ms, pkt, sizeof(pkt));
		sent = lab_new(LAB_UDP);
	}
	stats = lab_stats();
	for (int r = 1; r < RELAY_BPF_REASON_END; r++)
		if (stats.counters.drops[r] != (r == (int)c->reason))
			fail_msg("%s: %" PRIu64 ", in: %s", case_reasons[r],
				 stats.counters.drops[r], c->text);
	if (sent != (c->reason == RELAY_BPF_PASS) || lab.nsent != sent)
		fail_msg("%zu of %zu sent: %s", sent, lab.nsent, c->text);
	lab_close();
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < nrfc4380; i++)
		run_case(&rfc4380[i]);
}

/* No datagram goes to an address that is not global unicast, nor to none that
 * embeds one as its server; nor is there a peer for it (section 5.4.1). */
static void test_never_to_a_bogon(void **state)
{
	static const uint32_t bogons[] = {
		0,	    0x00010203, 0x0a010203, 0x7f000001,
		0xa9fe0102, 0xac100102, 0xc0586301, 0xc0a80102,
		0xe0000009, 0xf0010203, 0xffffffff,
	};
	struct filter_rule rules[FILTER_BOGONS + 1],
		line = {.verdict = FILTER_VERDICT_BOGON};

	str2prefix(RFC4380_BOGON, &line.p);
	lab.cfg.check.nrules = filter_table(&line, 1, true, rules);
	lab.cfg.check.rules = rules;
	lab_configure();
	for (size_t i = 0; i < array_size(bogons); i++) {
		struct in6_addr mapped =
			lab_client(bogons[i], 40000, 0x4136e378);
		struct in6_addr server =
			lab_client(0xc000022d, 40000, bogons[i]);

		lab_to_client(&mapped, 0);
		lab_to_client(&server, 0);
		lab_wait(10 * S);
		assert_int_equal(lab.nsent, 0);
		assert_int_equal(lab_stats().peers, 0);
		assert_int_equal(
			lab_stats().counters.drops[RELAY_BPF_DROP_SERVER],
			i + 1);
	}
	/* nor when it has become one since the peer was made */
	line.verdict = FILTER_VERDICT_DENY;
	str2prefix("65.54.0.0/16", &line.p);
	lab_to_client(&client, 0);
	lab_assert_new(0, 0, 1, 1);
	lab.cfg.check.nrules = filter_table(&line, 1, true, rules);
	lab_configure();
	lab_wait(2 * S);
	lab_assert_new(0, 0, 1, 0);
	str2prefix("192.0.2.0/24", &line.p);
	lab.cfg.check.nrules = filter_table(&line, 1, true, rules);
	lab_configure();
	lab_wait(2 * S);
	lab_assert_new(0, 0, 0, 1);
	lab_bubble(&client);
	assert_int_equal(lab_state(&client), TEREDO_PEER_UNTRUSTED);
	assert_int_equal(lab_stats().queued_packets, 1);
}

/* -------- sections 5.4.1 and 5.2.6: bubbles -------- */

static void assert_bubble(const struct lab_sent *sent, enum lab_kind kind)
{
	const struct in6_addr local = lab_addr(LAB_LOCAL);

	assert_int_equal(sent->kind, kind);
	assert_int_equal(sent->len, 40);
	assert_int_equal(sent->data[0] >> 4, 6);
	assert_memory_equal(sent->data + 4, "\0\0\x3b", 3);
	assert_memory_equal(sent->data + 8, &local, 16);
	assert_memory_equal(sent->data + 24, &client, 16);
	assert_int_equal(sent->dst.s_addr,
			 kind == LAB_DIRECT ? inet_addr("192.0.2.45")
					    : inet_addr("65.54.227.120"));
	assert_int_equal(sent->port, kind == LAB_DIRECT ? 40000 : 3544);
}

/* Case 3: a bubble through the client's server, and one to itself; 2 s of time,
 * three more tries, and what waited is gone. */
static void test_four_bubbles(void **state)
{
	int64_t begin = lab.now_ms;

	lab_to_client(&client, 1);
	lab_to_client(&client, 2);
	lab_wait(20 * S);
	lab_assert_new(0, 0, 4, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_bubble(lab_sent(2 * i), LAB_INDIRECT);
		assert_bubble(lab_sent(2 * i + 1), LAB_DIRECT);
		assert_int_equal(lab_sent(2 * i)->at_ms,
				 begin + (int64_t)i * 2 * S);
	}
	assert_int_equal(lab_state(&client), TEREDO_PEER_UNREACHABLE);
	assert_int_equal(lab_stats().queued_packets, 0);
	assert_int_equal(lab_stats().drops[TEREDO_DROP_NO_ANSWER], 2);
	assert_string_equal(lab.log,
			    "peer " LAB_CLIENT " does not answer to bubbles");
}

/* What waits is kept for as long as an answer may come: 2 s after the last. */
static void test_last_timeout(void **state)
{
	lab_to_client(&client, 1);
	lab_wait(8 * S - 1);
	assert_int_equal(lab_info(&client).queued, 1);
	assert_int_equal(lab_info(&client).bubbles, 4);
	lab_bubble(&client);
	lab_assert_new(0, 1, 4, 4);
	assert_int_equal(lab_state(&client), TEREDO_PEER_TRUSTED);
}

/* None within 2 s of the last, however many packets there are. */
static void test_two_seconds(void **state)
{
	for (int i = 0; i < 199; i++) {
		lab_to_client(&client, 1);
		lab_wait(10);
	}
	lab_assert_new(0, 0, 1, 1);
	lab_wait(10);
	lab_assert_new(0, 0, 1, 1);
}

/* None after four without an answer in 300 s. */
static void test_300_seconds(void **state)
{
	int64_t end;

	lab_to_client(&client, 1);
	lab_wait(8 * S);
	lab_assert_new(0, 0, 4, 4);
	end = lab.now_ms - 2 * S + 300 * S;
	while (lab.now_ms + 500 < end) {
		lab_to_client(&client, 1);
		lab_wait(500);
		assert_int_equal(lab.nsent, 8);
		assert_int_equal(lab_stats().queued_packets, 0);
	}
	assert_true(lab_stats().drops[TEREDO_DROP_NO_ANSWER] > 500);
	lab_wait(end - lab.now_ms);
	lab_to_client(&client, 1);
	lab_assert_new(0, 0, 1, 1);
	lab_bubble(&client);
	lab_assert_new(0, 1, 0, 0);
}

/* An answer begins the count anew; it may come at any time. */
static void test_late_answer(void **state)
{
	lab_to_client(&client, 1);
	lab_wait(100 * S);
	lab_bubble(&client);
	assert_int_equal(lab_state(&client), TEREDO_PEER_TRUSTED);
	lab_forget();
	lab_to_client(&client, 2);
	lab_assert_new(0, 1, 0, 0);
	lab_wait(40 * S);
	lab_to_client(&client, 3);
	lab_assert_new(0, 0, 1, 1);
}

/* RFC 5991 section 3.2: the cone bit is ignored; 3.1: so are the others. */
static void test_flags(void **state)
{
	static const uint8_t flags[][2] = {
		{0x80, 0x00}, {0, 0}, {0xff, 0xff}, {0x12, 0x34}};

	for (size_t i = 0; i < array_size(flags); i++) {
		memcpy(client.s6_addr + 8, flags[i], 2);
		lab_to_client(&client, 1);
		lab_assert_new(0, 0, 1, 1);
		lab_bubble(&client);
		lab_assert_new(0, 1, 0, 0);
	}
	assert_int_equal(lab_stats().peers, 4);
}

/* -------- section 5.4.1: the queue -------- */

/* First in, first out, as the peer becomes trusted; by a bubble, as a client's
 * answer to one. So an echo reply to a client's connectivity test arrives. */
static void test_queue(void **state)
{
	for (uint8_t i = 0; i < 5; i++)
		lab_to_client(&client, i);
	assert_int_equal(lab_info(&client).queued, 5);
	assert_int_equal(lab_stats().counters.ways[1].packets, 0);
	lab_forget();
	lab_bubble(&client);
	lab_assert_new(0, 5, 0, 0);
	for (uint8_t i = 0; i < 5; i++) {
		assert_int_equal(lab_sent(i)->dst.s_addr,
				 inet_addr("192.0.2.45"));
		assert_int_equal(lab_sent(i)->port, 40000);
		assert_int_equal(lab_sent(i)->data[40], i);
		assert_int_equal(lab_sent(i)->len, 60);
	}
	assert_int_equal(lab_stats().queued_packets, 0);
	assert_int_equal(lab_stats().queued_bytes, 0);
	assert_int_equal(lab_stats().counters.ways[1].packets, 5);
	assert_int_equal(lab_stats().counters.ways[1].bytes, 300);
	/* any other packet of the client does as well, and goes on */
	lab_wait(50 * S);
	lab_to_client(&client, 9);
	lab_forget();
	lab_from_client(&client, 7);
	lab_assert_new(1, 1, 0, 0);
}

/* -------- section 5.2.3 and 5.2.4: trust -------- */

/* Valid for 30 s after the last reception; from 25 s on, packets go at once and
 * a bubble follows, so that traffic one way does not stop. */
static void test_refresh(void **state)
{
	int64_t begin = lab.now_ms;

	lab_bubble(&client);
	while (lab.now_ms < begin + 25 * S) {
		lab_to_client(&client, 0);
		lab_wait(100);
	}
	lab_assert_new(0, 250, 0, 0);
	while (lab.now_ms < begin + 30 * S) {
		lab_to_client(&client, 0);
		lab_wait(100);
	}
	/* at 25, 27 and 29 s */
	lab_assert_new(0, 50, 3, 3);
	lab_to_client(&client, 1);
	lab_assert_new(0, 0, 0, 0);
	assert_int_equal(lab_state(&client), TEREDO_PEER_UNTRUSTED);
	assert_int_equal(lab_info(&client).queued, 1);
	/* the fourth, 2 s after the third; then no more */
	lab_wait(999);
	lab_assert_new(0, 0, 0, 0);
	lab_wait(1);
	lab_assert_new(0, 0, 1, 1);
	lab_wait(5 * S);
	lab_assert_new(0, 0, 0, 0);
	assert_int_equal(lab_state(&client), TEREDO_PEER_UNREACHABLE);
}

static void test_refresh_answered(void **state)
{
	lab_bubble(&client);
	for (int i = 0; i < 600; i++) {
		lab_wait(100);
		lab_to_client(&client, 0);
		if (lab_new(LAB_INDIRECT)) {
			assert_int_equal(lab_info(&client).bubbles, 1);
			lab_bubble(&client);
			assert_int_equal(lab_info(&client).bubbles, 0);
		}
	}
	assert_int_equal(lab_new(LAB_UDP), 600);
	assert_int_equal(lab_new(LAB_DIRECT), 2);
}

static void test_thirty_seconds(void **state)
{
	lab_bubble(&client);
	lab_wait(30 * S - 1);
	lab_to_client(&client, 1);
	lab_assert_new(0, 1, 1, 1);
	lab_bubble(&client);
	lab_wait(30 * S);
	lab_to_client(&client, 1);
	lab_assert_new(0, 0, 1, 1);
	assert_int_equal(lab_stats().peers_trusted, 0);
	lab_from_client(&client, 1);
	lab_assert_new(1, 1, 0, 0);
	assert_int_equal(lab_stats().peers_trusted, 1);
}

/* Section 5.4.2: who sends from elsewhere neither is heard nor refreshes; and a
 * NAT's new mapping is a new address. */
static void test_rebinding(void **state)
{
	const struct in_addr mapped = {inet_addr("192.0.2.45")};
	const struct in6_addr dst = lab_addr(LAB_HOST),
			      other = lab_client(0xc000022d, 40001, 0x4136e378);
	uint8_t pkt[48];

	lab_bubble(&client);
	lab_wait(10 * S);
	lab_packet(pkt, &client, &dst, sizeof(pkt), 0);
	teredo_relay_from_ipv4(lab.relay, lab.now_ms, mapped, 40001, 0, pkt,
			       sizeof(pkt));
	lab_assert_new(0, 0, 0, 0);
	assert_int_equal(
		lab_stats().counters.drops[RELAY_BPF_DROP_SOURCE_SPOOFED], 1);
	assert_int_equal(lab_info(&client).rx_age_ms, 10 * S);
	lab_from_client(&other, 0);
	lab_to_client(&other, 0);
	lab_assert_new(1, 1, 0, 0);
	assert_int_equal(lab_sent(1)->port, 40001);
	assert_int_equal(lab_stats().peers, 2);
	/* the old one is no longer there: nobody asks for it again either */
	lab_wait(290 * S);
	assert_int_equal(lab_state(&client), -1);
}

/* An unknown client's packet makes it a trusted peer, section 5.2.3 case 3. */
static void test_unknown_client(void **state)
{
	lab_from_client(&client, 1);
	lab_assert_new(1, 0, 0, 0);
	assert_int_equal(lab_state(&client), TEREDO_PEER_TRUSTED);
	assert_string_equal(lab.log, "peer " LAB_CLIENT " is trusted");
	assert_int_equal(lab_info(&client).tx_age_ms, -1);
	lab_to_client(&client, 1);
	lab_assert_new(0, 1, 0, 0);
	assert_int_equal(lab_info(&client).tx_age_ms, 0);
}

/* "the relay updates the date ... Finally, examines the destination" */
static void test_destination_last(void **state)
{
	const struct in_addr mapped = {inet_addr("192.0.2.45")};
	const struct in6_addr dst = lab_client(0xc6336402, 1, 0x4136e378);
	uint8_t pkt[48];

	for (int i = 0; i < 2; i++) {
		lab_packet(pkt, &client, &dst, sizeof(pkt), 0);
		teredo_relay_from_ipv4(lab.relay, lab.now_ms, mapped, 40000, 0,
				       pkt, sizeof(pkt));
		lab_assert_new(0, 0, 0, 0);
		assert_int_equal(
			lab_stats().counters.drops[RELAY_BPF_DROP_DESTINATION],
			i + 1);
		/* but it makes no peer */
		assert_int_equal(lab_state(&client),
				 i ? (int)TEREDO_PEER_TRUSTED : -1);
		if (i)
			break;
		lab_bubble(&client);
		lab_wait(10 * S);
	}
	assert_int_equal(lab_info(&client).rx_age_ms, 0);
	/* a bubble's does not matter: it is for nobody but the relay */
	lab_packet(pkt, &client, &dst, 40, 0);
	lab_wait(S);
	teredo_relay_from_ipv4(lab.relay, lab.now_ms, mapped, 40000, 0, pkt,
			       40);
	assert_int_equal(lab_info(&client).rx_age_ms, 0);
	assert_int_equal(lab_stats().bubbles_in, 2);
	assert_int_equal(lab_stats().counters.drops[RELAY_BPF_DROP_DESTINATION],
			 2);
}

/* -------- ageing -------- */

static void test_life(void **state)
{
	lab_bubble(&client);
	lab_wait(299 * S);
	assert_int_equal(lab_stats().peers, 1);
	lab_bubble(&client);
	lab_wait(299 * S + 999);
	assert_int_equal(lab_stats().peers, 1);
	assert_int_equal(lab_state(&client), TEREDO_PEER_TRUSTED);
	lab_wait(1);
	assert_int_equal(lab_state(&client), -1);
	lab_wait(1 * S);
	assert_int_equal(lab_stats().peers, 0);
	assert_int_equal(lab_stats().peers_trusted, 0);
	/* it is not there even where the timer has not run */
	lab_bubble(&client);
	lab.now_ms += 300 * S;
	assert_int_equal(lab_state(&client), -1);
	lab_to_client(&client, 1);
	lab_assert_new(0, 0, 1, 1);
}

/* What is sent counts as well, and the last bubble. */
static void test_life_by_transmission(void **state)
{
	lab_bubble(&client);
	lab_wait(20 * S);
	lab_to_client(&client, 0);
	lab_wait(299 * S);
	assert_int_equal(lab_stats().peers, 1);
	lab_wait(2 * S);
	assert_int_equal(lab_stats().peers, 0);
	lab_to_client(&client, 0);
	lab_wait(305 * S);
	assert_int_equal(lab_state(&client), TEREDO_PEER_UNREACHABLE);
	assert_int_equal(lab_info(&client).tx_age_ms, 299 * S);
	lab_wait(2 * S);
	assert_int_equal(lab_stats().peers, 0);
}

int main(void)
{
#define RULE(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		RULE(test_never_to_a_bogon),
		RULE(test_four_bubbles),
		RULE(test_last_timeout),
		RULE(test_two_seconds),
		RULE(test_300_seconds),
		RULE(test_late_answer),
		RULE(test_flags),
		RULE(test_queue),
		RULE(test_refresh),
		RULE(test_refresh_answered),
		RULE(test_thirty_seconds),
		RULE(test_rebinding),
		RULE(test_unknown_client),
		RULE(test_destination_last),
		RULE(test_life),
		RULE(test_life_by_transmission),
	};

	if (!rfc4380_read())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
