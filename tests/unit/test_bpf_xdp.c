// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The XDP program against the tc programs: what it does not hand up it does as
 * they do, octet for octet, reason for reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf_lab.h"

/* -------- tests -------- */

static void test_crosses(void **state)
{
	/* below 6 Ethernet is longer than the packet */
	static const size_t payloads[] = {0,  1,   5,	6,    7,   20,
					  59, 100, 576, 1239, 1440};
	struct packet in;

	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
		packet_4to6(&in, payloads[i]);
		assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
		packet_6to4(&in, payloads[i]);
		assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
		/* and behind it what does not belong to it */
		packet_add(&in, "padding", 7);
		assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
		packet_4to6(&in, payloads[i]);
		packet_add(&in, "padding", 7);
		assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
	}
}

static void test_fields(void **state)
{
	struct packet in;

	for (int octet = 0; octet < 256; octet++) {
		/* type of service, so ECN too, against each inner one */
		for (int inner = 0; inner < 4; inner++) {
			packet_4to6(&in, 40);
			in.octets[ETH + 1] = octet;
			packet_checksum(&in);
			in.octets[ETH + V4 + 1] = inner << 4;
			assert_int_not_equal(lab_compare_xdp(&in, false), UP);
		}
		packet_6to4(&in, 40);
		in.octets[ETH] = 0x60 | octet >> 4;
		in.octets[ETH + 1] = octet << 4;
		assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
		/* hop limit */
		packet_6to4(&in, 40);
		in.octets[ETH + 7] = octet;
		assert_int_equal(lab_compare_xdp(&in, false), octet > 1 ? CROSSED : UP);
		packet_4to6(&in, 40);
		in.octets[ETH + V4 + 7] = octet;
		assert_int_equal(lab_compare_xdp(&in, false), octet > 1 ? CROSSED : UP);
	}
}

static void test_up(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		const char *octets;
		size_t n;
	} cases[] = {
		{"tagged", 12, "\x81\0", 2},
		{"tagged twice", 12, "\x88\xa8", 2},
		{"PPPoE", 12, "\x88\x64", 2},
		{"ARP", 12, "\x08\x06", 2},
		{"another host's", 0, "\x02\0\0\0\0\x77", 6},
		{"the first half is right", 0, "\x02\0\0\0\0\0", 6},
		{"multicast", 0, "\x33\x33\0\0\0\x01", 6},
		{"broadcast", 0, "\xff\xff\xff\xff\xff\xff", 6},
	};
	uint32_t ifindex = lab.uplink;
	struct relay_bpf_uplink uplink = {.mac = LAB_UPLINK_MAC};
	struct packet in, out;
	int devices = bpf_map__fd(lab.skel->maps.xdp_devices);
	int uplinks = bpf_map__fd(lab.skel->maps.xdp_uplinks);

	for (int way = 0; way < 2; way++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			if (way)
				packet_6to4(&in, 40);
			else
				packet_4to6(&in, 40);
			memcpy(in.octets + cases[i].at, cases[i].octets,
			       cases[i].n);
			if (lab_compare_xdp(&in, false) != UP)
				fail_msg("%s: not up", cases[i].what);
		}
		/* an uplink that is not known, or can't send such frames */
		memcpy(in.octets, LAB_UPLINK_MAC, 6);
		in.octets[12] = way ? 0x86 : 0x08;
		in.octets[13] = way ? 0xdd : 0x00;
		assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
		assert_int_equal(bpf_map_delete_elem(uplinks, &ifindex), 0);
		assert_int_equal(lab_compare_xdp(&in, true), UP);
		assert_int_equal(
			bpf_map_update_elem(uplinks, &ifindex, &uplink, 0), 0);
		assert_int_equal(bpf_map_delete_elem(devices, &ifindex), 0);
		assert_int_equal(lab_compare_xdp(&in, true), UP);
		assert_int_equal(
			bpf_map_update_elem(devices, &ifindex, &ifindex, 0), 0);
		assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
	}
	/* a neighbour that has to be asked for first */
	packet_4to6_from(&in, LAB_HOST, LAB_HOST6, "2001:db8:1::9", 40);
	assert_int_equal(lab_compare_xdp(&in, true), UP);
	/* in several buffers */
	lab_shell("ip link set up0 mtu 9000");
	lab_shell("ip -6 route replace default via 2001:db8:1::1 mtu 9000");
	packet_4to6(&in, 3000);
	assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
	packet_4to6(&in, 3700);
	assert_int_equal(lab_run_xdp(&in, &out), XDP_PASS);
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.octets, in.octets, in.len);
	lab_shell("ip link set up0 mtu 1500");
	lab_shell("ip -6 route replace default via 2001:db8:1::1");
}

/* One's complement sum in network order. */
static uint16_t sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i += 2) {
		sum += p[i] << 8 | p[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* A checksum that the host has left to the device: a frame would go without. */
static void test_put_off_checksum(void **state)
{
	static const struct {
		uint8_t protocol;
		size_t at; /* 0: never put off; 1: perhaps one is, within */
	} cases[] = {
		{6, 16}, {17, 6},  {58, 0}, {59, 0}, {44, 0},
		{50, 0}, {132, 1}, {60, 1}, {41, 1}, {47, 1},
	};
	struct packet in;

	lab.skel->data->flow_lifetime_ns = 60 * 1000000000ULL;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int way = 0; way < 2; way++)
			/* the second time the flow is known */
			for (int again = 0; again < 2; again++) {
				size_t at = ETH + (way ? 0 : V4);
				uint8_t *ip6 = in.octets + at;
				uint8_t *sum = ip6 + V6 + cases[i].at;
				uint16_t pseudo;

				if (way)
					packet_6to4(&in, 40);
				else
					packet_4to6(&in, 40);
				ip6[6] = cases[i].protocol;
				assert_int_equal(lab_compare_xdp(&in, true),
						 cases[i].at == 1 ? UP
								  : CROSSED);
				if (cases[i].at < 2)
					continue;
				pseudo = sum16(ip6 + 8, 32, 40 + ip6[6]);
				sum[0] = pseudo >> 8;
				sum[1] = pseudo;
				assert_int_equal(lab_compare_xdp(&in, true), UP);
				sum[1]++;
				assert_int_equal(lab_compare_xdp(&in, true), CROSSED);
				/* no room for one */
				ip6[5] = cases[i].at + 1;
				in.len = at + V6 + ip6[5];
				if (!way) {
					in.octets[ETH + 3] = in.len - ETH;
					packet_checksum(&in);
				}
				assert_int_equal(lab_compare_xdp(&in, true), UP);
			}
	lab.skel->data->flow_lifetime_ns = 0;
}

/* Cut at each octet. */
static void test_truncated(void **state)
{
	struct packet whole, in;

	packet_4to6(&whole, 20);
	for (size_t len = ETH + V4; len < whole.len; len++) {
		in = whole;
		in.len = len;
		/* where there is no IPv6 header, tc counts */
		assert_int_equal(lab_compare_xdp(&in, len < ETH + V4 + V6),
				 len < ETH + V4 + V6 ? UP : DROPPED);
	}
	packet_6to4(&whole, 20);
	for (size_t len = ETH + V6; len < whole.len; len++) {
		in = whole;
		in.len = len;
		assert_int_equal(lab_compare_xdp(&in, false), DROPPED);
	}
}

/* What is kept of a packet serves both, whoever asked. */
static void test_flows(void **state)
{
	static const uint8_t uplink_mac[ETH_ALEN] = LAB_UPLINK_MAC;
	struct packet in, out;

	for (int way = 0; way < 2; way++)
		for (int first = 0; first < 2; first++) {
			lab.skel->data->flow_generation++;
			lab.skel->data->flow_lifetime_ns = 60 * 1000000000ULL;
			if (way)
				packet_6to4(&in, 40);
			else
				packet_4to6(&in, 40);
			if (first)
				assert_int_equal(lab_run_xdp(&in, &out),
						 XDP_REDIRECT);
			else
				assert_int_equal(
					lab_run(lab.skel->progs.uplink_ingress,
						&in, &out),
					TC_ACT_REDIRECT);
			lab_shell("ip route del default");
			lab_shell("ip -6 route del default");
			assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
			/* what is known is known of frames for this host */
			in.octets[5] ^= 0x10;
			assert_int_equal(lab_run_xdp(&in, &out), XDP_PASS);
			memset(in.octets, 0, ETH_ALEN);
			assert_int_equal(lab_run_xdp(&in, &out), XDP_PASS);
			memcpy(in.octets, uplink_mac, ETH_ALEN);
			assert_int_equal(lab_compare_xdp(&in, false), CROSSED);
			lab.skel->data->flow_generation++;
			assert_int_equal(lab_compare_xdp(&in, false), UP);
			lab_shell("ip route add default via 203.0.113.1");
			lab_shell("ip -6 route add default via 2001:db8:1::1");
			lab.skel->data->flow_lifetime_ns = 0;
		}
}

/* Some that ask the FIB go up, that the kernel sees its neighbours used. */
static void test_share(void **state)
{
	struct packet in, out;
	int up = 0;

	packet_4to6(&in, 40);
	lab.skel->data->xdp_up_share = 4;
	for (int i = 0; i < 4000; i++)
		up += lab_run_xdp(&in, &out) == XDP_PASS;
	lab.skel->data->xdp_up_share = 0;
	assert_in_range(up, 800, 1200);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(lab_run_xdp(&in, &out), XDP_REDIRECT);
}

/* A rule or two for the random packets to run into. */
static void rules(bool add)
{
	lab_rule(AF_INET, (uint8_t[4]){10}, 8, RELAY_BPF_BOGON, add);
	lab_rule(AF_INET, (uint8_t[4]){224}, 3, RELAY_BPF_BOGON, add);
	lab_rule(AF_INET6, (uint8_t[16]){0xfe, 0x80}, 10, RELAY_BPF_BOGON, add);
	lab_rule(AF_INET6, (uint8_t[16]){0x20, 0x02, 0xc7}, 24, RELAY_BPF_DENY,
		 add);
	memset(lab.relay.octets4, add ? 0xff : 0, sizeof(lab.relay.octets4));
	memset(lab.relay.octets6, add ? 0xff : 0, sizeof(lab.relay.octets6));
	lab_set_relay();
}

/* Packets with up to three octets of their headers wrong, or another length. */
static void test_random(void **state)
{
	int seen[3] = {0};
	struct packet in;

	rules(true);
	srandom(2002);
	for (int i = 0; i < 30000; i++) {
		bool way = random() & 1;
		size_t headers = way ? V6 : V4 + V6;

		if (way)
			packet_6to4(&in, 6 + random() % 64);
		else
			packet_4to6(&in, 6 + random() % 64);
		for (int n = random() % 4; n > 0; n--) {
			size_t at = ETH + random() % headers;

			in.octets[at] = random() % 3 ? random()
						     : (1 << random() % 8) ^
							       in.octets[at];
		}
		if (!way && random() % 8)
			packet_checksum(&in);
		if (random() % 8 == 0)
			in.len = ETH + headers + random() % 80;
		/* neighbours may be missing: tc's */
		seen[lab_compare_xdp(&in, true)]++;
	}
	rules(false);
	for (int i = 0; i < 3; i++)
		assert_true(seen[i] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crosses),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_up),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_put_off_checksum),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_random),
	};
	int ret = lab_open_xdp();

	if (ret)
		return ret;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	return ret;
}
