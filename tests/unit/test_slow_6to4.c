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

	if (tunnel_has_way(c->direction, TUNNEL_WAY_4TO6))
		relay.flags |= RELAY_BPF_4TO6;
	if (tunnel_has_way(c->direction, TUNNEL_WAY_6TO4))
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
	struct slow_relay slow = {&relay, c->rules, c->nrules};

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
			fail_msg("%s, not: %s", rfc3964_reasons[got], c->text);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3964),
		cmocka_unit_test(test_cut),
	};

	if (!rfc3964_read())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
