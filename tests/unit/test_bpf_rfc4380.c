// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cases of tests/data/rfc4380.txt, given to the programs of tc and of XDP.
 */
#include <zebra.h>

#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf_teredo.h"
#include "rfc4380.h"

static void build(const struct rfc4380_case *c, struct packet *in)
{
	char src[64], dst[64], outer[32];

	inet_ntop(AF_INET6, &c->src, src, sizeof(src));
	inet_ntop(AF_INET6, &c->dst, dst, sizeof(dst));
	if (c->way == TUNNEL_WAY_6TO4) {
		packet_ethernet(in, 0x86dd);
		packet_inner(in, src, dst, 6, 40);
		return;
	}
	inet_ntop(AF_INET, &c->outer, outer, sizeof(outer));
	packet_client_from(in, outer, c->port, src, dst, 6, 40);
	inet_pton(AF_INET, RFC4380_SOURCE, in->octets + ETH + 16);
	packet_datagram(in);
}

/* twice: what was found out for the first packet holds for the second */
static void run_case(const struct rfc4380_case *c)
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

/* Its client, if it is one, is a peer; or not, which changes no reason. */
static void run_with_peer(const struct rfc4380_case *c)
{
	const struct in6_addr *client =
		c->way == TUNNEL_WAY_6TO4 ? &c->dst : &c->src;
	char text[64];

	run_case(c);
	inet_ntop(AF_INET6, client, text, sizeof(text));
	peer_put(text, 0, 0);
	lab.skel->data->flow_generation++;
	run_case(c);
	peer_del(text);
	lab.skel->data->flow_generation++;
}

static void test_rfc4380(void **state)
{
	static const uint32_t flags[] = {
		[TUNNEL_DIR_BOTH] = RELAY_BPF_4TO6 | RELAY_BPF_6TO4,
		[TUNNEL_DIR_RECEIVE] = RELAY_BPF_4TO6,
		[TUNNEL_DIR_TRANSMIT] = RELAY_BPF_6TO4,
	};
	struct relay_bpf_service end = {.port = htons(RFC4380_PORT)};
	uint32_t place = LAB_TEREDO;

	inet_pton(AF_INET, RFC4380_SOURCE, &end.addr);
	lab.relay.source = lab.relay.transmit_source = end.addr;
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(lab.skel->maps.by_service),
				    &end, &place, 0),
		0);
	/* the other relay's route would lead its clients away */
	lab_shell("ip route del 2001:0:c633:6464::/64 dev teredo1");
	lab.skel->data->flow_lifetime_ns = 60 * 1000000000ULL;
	for (size_t i = 0; i < nrfc4380; i++) {
		const struct rfc4380_case *c = &rfc4380[i];

		memset(lab.relay.octets4, 0, sizeof(lab.relay.octets4));
		memset(lab.relay.octets6, 0, sizeof(lab.relay.octets6));
		lab_rules(c->relay.rules, c->relay.nrules, true);
		lab.relay.flags = flags[c->relay.direction];
		lab_set_relay();
		run_with_peer(c);
		/* the bits only save looks: all of them set change nothing */
		memset(lab.relay.octets4, 0xff, sizeof(lab.relay.octets4));
		memset(lab.relay.octets6, 0xff, sizeof(lab.relay.octets6));
		lab_set_relay();
		run_with_peer(c);
		lab_rules(c->relay.rules, c->relay.nrules, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4380),
	};
	int ret;

	if (!rfc4380_read())
		return 99;
	ret = lab_open_teredo_xdp();
	if (ret)
		return ret;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	return ret;
}
