// SPDX-License-Identifier: GPL-2.0-or-later
/* 6to4 in user space: RFC 3964's table of cases, and packets cut short. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay_memory.h"
#include "rfc3964.h"
#include "slow_6to4.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define OUTER 20
#define INNER 40
#define DATA 8

static struct relay_bpf_relay relay_of(const struct rfc3964_case *c)
{
	struct relay_bpf_relay relay = {
		.source = inet_addr(RFC3964_SOURCE),
		.transmit_source = inet_addr(RFC3964_TRANSMIT),
		.mtu = 1280,
		.ttl = 64,
	};

	if (tunnel_has_way(c->relay.direction, TUNNEL_WAY_4TO6))
		relay.flags |= RELAY_BPF_4TO6;
	if (tunnel_has_way(c->relay.direction, TUNNEL_WAY_6TO4))
		relay.flags |= RELAY_BPF_6TO4;
	memset(relay.octets4, 0xff, sizeof(relay.octets4));
	memset(relay.octets6, 0xff, sizeof(relay.octets6));
	return relay;
}

/* The packet of a case, with its outer header where it has one. */
static size_t build(const struct rfc3964_case *c, uint8_t *pkt)
{
	size_t outer = c->way == TUNNEL_WAY_4TO6 ? OUTER : 0;
	uint8_t *ip6 = pkt + outer;

	memset(pkt, 0, outer + INNER + DATA);
	if (outer) {
		pkt[0] = 0x45;
		pkt[3] = OUTER + INNER + DATA;
		pkt[8] = 64;
		pkt[9] = 41;
		memcpy(pkt + 12, &c->outer_src, 4);
		memcpy(pkt + 16, &c->outer_dst, 4);
	}
	ip6[0] = 0x60;
	ip6[5] = DATA;
	ip6[6] = 59;
	ip6[7] = 64;
	memcpy(ip6 + 8, &c->src, 16);
	memcpy(ip6 + 24, &c->dst, 16);
	return outer + INNER + DATA;
}

static enum relay_bpf_reason run(const struct rfc3964_case *c, uint8_t *pkt,
				 size_t len, struct slow_packet *out)
{
	struct relay_bpf_relay relay = relay_of(c);
	struct slow_relay slow = {&relay, c->relay.rules, c->relay.nrules};

	return c->way == TUNNEL_WAY_4TO6 ? slow_6to4_in(&slow, pkt, len, out)
					 : slow_6to4_out(&slow, pkt, len, out);
}

static void test_rfc3964(void **state)
{
	for (size_t i = 0; i < nrfc3964; i++) {
		const struct rfc3964_case *c = &rfc3964[i];
		uint8_t pkt[OUTER + INNER + DATA];
		struct slow_packet out;
		enum relay_bpf_reason got;

		got = run(c, pkt, build(c, pkt), &out);
		if (got != c->reason)
			fail_msg("%s, not: %s", case_reasons[got], c->text);
		if (got != RELAY_BPF_PASS)
			continue;
		assert_int_equal(out.len, INNER + DATA);
		assert_memory_equal(out.data + 24, &c->dst, 16);
		if (c->way == TUNNEL_WAY_6TO4)
			assert_memory_equal(&out.dst, (uint8_t *)&c->dst + 2,
					    4);
	}
}

/* No packet that is cut short is taken for a whole one. */
static void test_cut(void **state)
{
	for (size_t i = 0; i < nrfc3964; i++) {
		const struct rfc3964_case *c = &rfc3964[i];
		uint8_t pkt[OUTER + INNER + DATA];
		struct slow_packet out;
		size_t len = build(c, pkt);

		if (c->reason != RELAY_BPF_PASS)
			continue;
		while (len--) {
			build(c, pkt);
			assert_int_equal(run(c, pkt, len, &out),
					 RELAY_BPF_DROP_MALFORMED);
		}
	}
}

/* RFC 8200 section 8.1, the slow way: all in a row, then over 16 bits. */
static uint16_t checksum(const uint8_t *ip6, size_t n)
{
	uint8_t row[40 + 100 + 1] = {0};
	uint32_t sum = 0;

	memcpy(row, ip6 + 8, 32);
	row[35] = n;
	row[39] = ip6[6];
	memcpy(row + 40, ip6 + INNER, n);
	for (size_t i = 0; i < 40 + n; i += 2) {
		sum += row[i] << 8 | row[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* A checksum that the sender's kernel has left to the device is done; one that
 * is there is not touched, right or wrong. */
static void test_put_off_checksum(void **state)
{
	static const struct {
		uint8_t protocol;
		size_t least, at;
		bool done;
	} cases[] = {
		{IPPROTO_TCP, 20, 16, true},
		{IPPROTO_UDP, 8, 6, true},
		{IPPROTO_ICMPV6, 8, 2, false}, /* never put off */
		{44, 8, 6, false},	       /* a fragment */
	};
	const struct rfc3964_case *c = &rfc3964[0];
	uint8_t pkt[OUTER + INNER + 100], *ip6 = pkt + OUTER;
	struct slow_packet out;

	for (size_t i = 0; i < array_size(cases); i++)
		for (size_t n = cases[i].least; n < 100; n++) {
			uint8_t *sum = ip6 + INNER + cases[i].at;
			uint16_t pseudo, whole;

			build(c, pkt);
			pkt[3] = OUTER + INNER + n;
			ip6[5] = n;
			ip6[6] = cases[i].protocol;
			for (size_t at = 0; at < n; at++)
				ip6[INNER + at] = at * 31 + n;
			/* a wrong one */
			sum[0] = sum[1] = 0x5a;
			assert_int_equal(run(c, pkt, OUTER + INNER + n, &out),
					 RELAY_BPF_PASS);
			assert_memory_equal(sum, "\x5a\x5a", 2);
			/* put off: the sum of the pseudo header */
			memset(sum, 0, 2);
			pseudo = checksum(ip6, 0) + n;
			pseudo += pseudo < n;
			sum[0] = pseudo >> 8;
			sum[1] = pseudo;
			assert_int_equal(run(c, pkt, OUTER + INNER + n, &out),
					 RELAY_BPF_PASS);
			whole = checksum(ip6, n);
			assert_int_equal(whole == 0xffff, cases[i].done);
			/* a right one */
			pseudo = sum[0] << 8 | sum[1];
			assert_int_equal(run(c, pkt, OUTER + INNER + n, &out),
					 RELAY_BPF_PASS);
			assert_int_equal(sum[0] << 8 | sum[1], pseudo);
		}
	/* no room for one */
	build(c, pkt);
	ip6[6] = IPPROTO_TCP;
	for (size_t n = 0; n < 18; n++) {
		pkt[3] = OUTER + INNER + n;
		ip6[5] = n;
		assert_int_equal(run(c, pkt, OUTER + INNER + n, &out),
				 RELAY_BPF_PASS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3964),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_put_off_checksum),
	};

	if (!rfc3964_read())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
