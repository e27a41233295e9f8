// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cases of tests/data/rfc3964.txt, given to the programs of tc and of XDP.
 */
#include <zebra.h>

#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf_lab.h"
#include "rfc3964.h"

static void build(const struct rfc3964_case *c, struct packet *in)
{
	char src[64], dst[64], outer[32], relay[32];

	inet_ntop(AF_INET6, &c->src, src, sizeof(src));
	inet_ntop(AF_INET6, &c->dst, dst, sizeof(dst));
	if (c->way == TUNNEL_WAY_6TO4) {
		packet_ethernet(in, 0x86dd);
	} else {
		packet_ethernet(in, 0x0800);
		inet_ntop(AF_INET, &c->outer_src, outer, sizeof(outer));
		inet_ntop(AF_INET, &c->outer_dst, relay, sizeof(relay));
		packet_ipv4(in, outer, relay, V6 + 40);
	}
	packet_ipv6(in, src, dst, 40);
}

/* twice: what was found out for the first packet holds for the second */
static void run_case(const struct rfc3964_case *c)
{
	bool pass = c->reason == RELAY_BPF_PASS;
	struct packet in, out;

	build(c, &in);
	for (int i = 0; i < 2; i++) {
		int got = lab_run(lab.skel->progs.uplink_ingress, &in, &out);

		if ((got == TC_ACT_SHOT) == pass)
			fail_msg("%d: %s", got, c->text);
		lab_assert_dropped(c->text, c->reason);
		got = lab_run_xdp(&in, &out);
		if (got != XDP_DROP && (got != XDP_PASS || !pass) &&
		    (got != XDP_REDIRECT || !pass))
			fail_msg("XDP %d: %s", got, c->text);
		lab_assert_dropped(c->text, c->reason);
	}
}

static void test_rfc3964(void **state)
{
	static const uint32_t flags[] = {
		[TUNNEL_DIR_BOTH] = RELAY_BPF_4TO6 | RELAY_BPF_6TO4,
		[TUNNEL_DIR_RECEIVE] = RELAY_BPF_4TO6,
		[TUNNEL_DIR_TRANSMIT] = RELAY_BPF_6TO4,
	};

	lab.skel->data->flow_lifetime_ns = 60 * 1000000000ULL;
	for (size_t i = 0; i < nrfc3964; i++) {
		const struct rfc3964_case *c = &rfc3964[i];

		memset(lab.relay.octets4, 0, sizeof(lab.relay.octets4));
		memset(lab.relay.octets6, 0, sizeof(lab.relay.octets6));
		lab_rules(c->relay.rules, c->relay.nrules, true);
		lab.relay.flags = flags[c->relay.direction];
		lab_set_relay();
		run_case(c);
		/* the bits only save looks: all of them set change nothing */
		memset(lab.relay.octets4, 0xff, sizeof(lab.relay.octets4));
		memset(lab.relay.octets6, 0xff, sizeof(lab.relay.octets6));
		lab_set_relay();
		run_case(c);
		lab_rules(c->relay.rules, c->relay.nrules, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3964),
	};
	int ret;

	if (!rfc3964_read())
		return 99;
	ret = lab_open_xdp();
	if (ret)
		return ret;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	return ret;
}
