// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the 6to4 programs keep of a packet for those that follow it.
 */
#include <string.h>
#include <unistd.h>
#include <linux/pkt_cls.h>

#include "bpf_lab.h"

static int run(const struct packet *in, struct packet *out)
{
	return lab_run(lab.skel->progs.uplink_ingress, in, out);
}

/* The same packet at once again: without the FIB, but with all that may differ
 * from packet to packet; until its time is over, or something was changed. */
static void known_flow(const struct packet *in, size_t hops, const char *del,
		       const char *add)
{
	struct packet first, out, last_hop = *in;
	size_t id = ETH + 4, checksum = ETH + 10;

	lab.skel->data->flow_lifetime_ns = 60 * 1000000000ULL;
	assert_int_equal(run(in, &first), TC_ACT_REDIRECT);
	lab_shell("%s", del);
	assert_int_equal(run(in, &out), TC_ACT_REDIRECT);
	assert_int_equal(out.len, first.len);
	if (out.octets[12] == 0x08) {
		/* each has its own identification */
		assert_memory_not_equal(out.octets + id, first.octets + id, 2);
		memcpy(out.octets + id, first.octets + id, 2);
		memcpy(out.octets + checksum, first.octets + checksum, 2);
	}
	assert_memory_equal(out.octets, first.octets, first.len);
	last_hop.octets[hops] = 1;
	assert_int_equal(run(&last_hop, &out), TC_ACT_UNSPEC);
	assert_int_equal(run(in, &out), TC_ACT_REDIRECT);
	/* relayd has changed something */
	lab.skel->data->flow_generation++;
	assert_int_equal(run(in, &out), TC_ACT_UNSPEC);
	lab_shell("%s", add);
	/* its time is over: nothing of it is kept that long */
	lab.skel->data->flow_lifetime_ns = 1;
	assert_int_equal(run(in, &out), TC_ACT_REDIRECT);
	usleep(20000);
	lab_shell("%s", del);
	assert_int_equal(run(in, &out), TC_ACT_UNSPEC);
	lab_shell("%s", add);
	lab.skel->data->flow_lifetime_ns = 0;
}

static void test_known_flows(void **state)
{
	struct packet in;

	packet_4to6(&in, 100);
	known_flow(&in, ETH + V4 + 7,
		   "ip -6 route del default via 2001:db8:1::1",
		   "ip -6 route add default via 2001:db8:1::1");
	packet_6to4(&in, 100);
	known_flow(&in, ETH + 7, "ip route del default via 203.0.113.1",
		   "ip route add default via 203.0.113.1");
	known_flow(&in, ETH + 7, "ip route del 2002::/16 dev relay0",
		   "ip route add 2002::/16 dev relay0");
}

/* What fits the MTU of the way is known of a flow, but not each packet. */
static void test_known_flow_mtu(void **state)
{
	struct packet in, out;

	lab.skel->data->flow_lifetime_ns = 60 * 1000000000ULL;
	lab_shell(
		"ip -6 route replace default via 2001:db8:1::1 mtu lock 1400");
	lab_shell("ip route replace default via 203.0.113.1 mtu lock 1420");
	for (int i = 0; i < 2; i++) {
		packet_4to6(&in, 1400 - V6);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		packet_4to6(&in, 1401 - V6);
		assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
		packet_6to4(&in, 1400 - V6);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		packet_6to4(&in, 1401 - V6);
		assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	}
	lab_shell("ip -6 route replace default via 2001:db8:1::1");
	lab_shell("ip route replace default via 203.0.113.1");
	lab.skel->data->flow_generation++;
	lab.skel->data->flow_lifetime_ns = 0;
}

/* Nothing is left of a relay that is gone, even while its flows are known. */
static void test_known_flow_of_nobody(void **state)
{
	struct relay_bpf_relay relay = lab.relay;
	struct packet in[2], out;

	packet_4to6(&in[0], 100);
	packet_6to4(&in[1], 100);
	lab.skel->data->flow_lifetime_ns = 60 * 1000000000ULL;
	for (int i = 0; i < 2; i++)
		assert_int_equal(run(&in[i], &out), TC_ACT_REDIRECT);
	memset(&lab.relay, 0, sizeof(lab.relay));
	lab_set_relay();
	lab.skel->data->flow_generation--;
	for (int i = 0; i < 2; i++)
		assert_int_equal(run(&in[i], &out), TC_ACT_UNSPEC);
	lab.relay = relay;
	lab_set_relay();
	lab.skel->data->flow_lifetime_ns = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_flows),
		cmocka_unit_test(test_known_flow_mtu),
		cmocka_unit_test(test_known_flow_of_nobody),
	};
	int ret = lab_open();

	if (ret == 0)
		ret = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	return ret;
}
