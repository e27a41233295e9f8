// SPDX-License-Identifier: GPL-2.0-or-later
/* Teredo in XDP against Teredo in tc. */
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf_teredo.h"

#define OUTER (ETH + TEREDO) /* where the inner header is */
#define BUBBLE 59

static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6,
				    BUBBLE,	 IPPROTO_ESP, IPPROTO_FRAGMENT};

static void packet(struct packet *p, bool to, uint8_t protocol, size_t payload)
{
	if (to)
		packet_to_client(p, protocol, payload);
	else
		packet_client(p, protocol, payload);
}

static int fresh_peer(void **state)
{
	peer_put(LAB_CLIENT, 1000, 1000);
	return 0;
}

/* What there is no room in for a checksum might lack one: it is tc's. */
static enum outcome fate(bool to, uint8_t protocol, size_t payload,
			 size_t padding)
{
	size_t room = protocol == IPPROTO_TCP	? 18
		      : protocol == IPPROTO_UDP ? 8
						: 0;

	if (payload + padding < room)
		return UP;
	return !to && protocol == BUBBLE && !payload ? UP : CROSSED;
}

static void test_crosses(void **state)
{
	static const size_t payloads[] = {0,  1,  5,   6,   7,	  8,   18,
					  20, 59, 100, 576, 1239, 1240};
	struct packet in;

	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++)
		for (size_t j = 0; j < sizeof(protocols); j++)
			for (int to = 0; to < 2; to++) {
				packet(&in, to, protocols[j], payloads[i]);
				assert_int_equal(
					lab_compare_xdp(&in, true),
					fate(to, protocols[j], payloads[i], 0));
				/* what is behind it does not cross */
				packet_add(&in, "padding", 7);
				assert_int_equal(
					lab_compare_xdp(&in, true),
					fate(to, protocols[j], payloads[i], 7));
			}
}

static void test_fields(void **state)
{
	struct packet in;

	for (int octet = 0; octet < 256; octet++) {
		for (int inner = 0; inner < 4; inner++) {
			packet(&in, false, IPPROTO_TCP, 40);
			in.octets[ETH + 1] = octet;
			packet_checksum(&in);
			in.octets[OUTER + 1] = inner << 4;
			assert_int_not_equal(lab_compare_xdp(&in, false), UP);
		}
		packet(&in, true, IPPROTO_TCP, 40);
		in.octets[ETH] = 0x60 | octet >> 4;
		in.octets[ETH + 1] = octet << 4;
		assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
		packet(&in, true, IPPROTO_TCP, 40);
		in.octets[ETH + 7] = octet;
		assert_int_equal(lab_compare_xdp(&in, false),
				 octet > 1 ? CROSSED : UP);
		packet(&in, false, IPPROTO_TCP, 40);
		in.octets[OUTER + 7] = octet;
		assert_int_equal(lab_compare_xdp(&in, false),
				 octet > 1 ? CROSSED : UP);
	}
}

/* Of whom XDP hears, and who is silent, tc knows; and the other way round. */
static void test_peers(void **state)
{
	struct packet in;
	int64_t rx, tx;

	for (int to = 0; to < 2; to++) {
		packet(&in, to, IPPROTO_TCP, 40);
		peer_put(LAB_CLIENT, 20000, 20000);
		assert_int_equal(lab_run_xdp(&in, &(struct packet){}),
				 XDP_REDIRECT);
		peer_get(LAB_CLIENT, &rx, &tx);
		assert_in_range(to ? tx : rx, 0, 500);
		assert_in_range(to ? rx : tx, 20000, 60000);
		lab_counted(&(struct relay_bpf_counters){});
		peer_put(LAB_CLIENT, 25500, 0);
		assert_int_equal(lab_compare_xdp(&in, false), UP);
		peer_put(LAB_CLIENT, NEVER, 0);
		assert_int_equal(lab_compare_xdp(&in, false), UP);
		peer_del(LAB_CLIENT);
		assert_int_equal(lab_compare_xdp(&in, false), UP);
	}
}

static void test_for_the_engine(void **state)
{
	struct packet in;

	packet(&in, false, IPPROTO_UDP, 40);
	packet_add(&in, "\1\4trai", 6);
	packet_datagram(&in);
	assert_int_equal(lab_compare_xdp(&in, false), UP);
	packet(&in, false, BUBBLE, 0);
	assert_int_equal(lab_compare_xdp(&in, false), UP);
	packet(&in, false, IPPROTO_UDP, 40);
	set16(&in, ETH + V4 + 2, LAB_PORT2);
	assert_int_equal(lab_compare_xdp(&in, false), UP);
	packet(&in, true, IPPROTO_UDP, 1241);
	assert_int_equal(lab_compare_xdp(&in, false), UP);
	packet(&in, false, IPPROTO_UDP, 40);
	lab.skel->bss->services = 0;
	assert_int_equal(lab_compare_xdp(&in, false), UP);
	lab.skel->bss->services = 2;
}

/* What either has decided serves the other. */
static void test_flows(void **state)
{
	struct packet in, out;

	for (int to = 0; to < 2; to++)
		for (int first = 0; first < 2; first++) {
			lab.skel->data->flow_generation++;
			lab.skel->data->flow_lifetime_ns = 60 * 1000 * MS;
			peer_put(LAB_CLIENT, 0, 0);
			packet(&in, to, IPPROTO_TCP, 40);
			if (first)
				assert_int_equal(lab_run_xdp(&in, &out),
						 XDP_REDIRECT);
			else
				assert_int_equal(
					lab_run(lab.skel->progs.uplink_ingress,
						&in, &out),
					TC_ACT_REDIRECT);
			lab_counted(&(struct relay_bpf_counters){});
			peer_del(LAB_CLIENT);
			assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
			if (!to) {
				/* another port is another's */
				in.octets[ETH + V4 + 1]++;
				assert_int_equal(lab_compare_xdp(&in, false),
						 DROPPED);
				in.octets[ETH + V4 + 1]--;
			}
			lab.skel->data->flow_generation++;
			assert_int_equal(lab_compare_xdp(&in, false), UP);
			lab.skel->data->flow_lifetime_ns = 0;
		}
}

/* Packets with up to three octets of their headers wrong, or another length. */
static void test_random(void **state)
{
	int seen[3] = {0};
	struct packet in;

	srandom(4380);
	for (int i = 0; i < 40000; i++) {
		bool to = random() & 1;
		size_t headers = to ? V6 : TEREDO + V6;

		packet(&in, to, protocols[random() % sizeof(protocols)],
		       random() % 64);
		for (int n = random() % 4; n > 0; n--) {
			size_t at = ETH + random() % headers;

			in.octets[at] = random() % 3 ? random()
						     : (1 << random() % 8) ^
							       in.octets[at];
		}
		if (!to && random() % 8)
			packet_checksum(&in);
		if (random() % 8 == 0)
			in.len = ETH + headers + random() % 80;
		seen[lab_compare_xdp(&in, true)]++;
	}
	for (int i = 0; i < 3; i++)
		assert_true(seen[i] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_crosses, fresh_peer),
		cmocka_unit_test_setup(test_fields, fresh_peer),
		cmocka_unit_test_setup(test_peers, fresh_peer),
		cmocka_unit_test_setup(test_for_the_engine, fresh_peer),
		cmocka_unit_test_setup(test_flows, fresh_peer),
		cmocka_unit_test_setup(test_random, fresh_peer),
	};
	int ret = lab_open_teredo_xdp();

	if (ret == 0)
		ret = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	return ret;
}
