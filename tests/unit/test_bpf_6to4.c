// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The 6to4 programs on packets: what crosses, octet for octet, and what does
 * not.
 */
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <linux/pkt_cls.h>

#include "bpf_lab.h"

/* RFC 6040 section 4.2, by outer and inner field; -1: dropped */
enum { NOT_ECT, ECT_1, ECT_0, CE };

static int run(const struct packet *in, struct packet *out)
{
	return lab_run(lab.skel->progs.uplink_ingress, in, out);
}

static void set16(struct packet *p, size_t at, uint16_t value)
{
	p->octets[at] = value >> 8;
	p->octets[at + 1] = value;
}

/* The identification of an encapsulated packet, which is made 0. */
static int take_identification(struct packet *p)
{
	int id = p->octets[ETH + 4] << 8 | p->octets[ETH + 5];
	uint8_t *sum = p->octets + ETH + 10;
	uint8_t was[2] = {sum[0], sum[1]};

	packet_checksum(p);
	assert_memory_equal(sum, was, 2);
	set16(p, ETH + 4, 0);
	packet_checksum(p);
	return id;
}

/* out is what `in`, a 4to6 packet, is to become. */
static void assert_decapsulated(const struct packet *in,
				const struct packet *out)
{
	struct packet want;

	packet_ethernet(&want, 0x86dd);
	memcpy(want.octets, LAB_ROUTER_MAC LAB_UPLINK_MAC, 12);
	packet_add(&want, in->octets + ETH + V4, in->len - ETH - V4);
	want.octets[ETH + 7]--;
	assert_int_equal(out->len, want.len);
	assert_memory_equal(out->octets, want.octets, want.len);
}

/* The same of a 6to4 packet for dst; returns the identification. */
static int assert_encapsulated(const struct packet *in,
			       const struct packet *got, const char *dst)
{
	struct packet want, out = *got;
	int id = take_identification(&out);

	packet_ethernet(&want, 0x0800);
	memcpy(want.octets, LAB_ROUTER_MAC LAB_UPLINK_MAC, 12);
	packet_ipv4(&want, LAB_TRANSMIT, dst, in->len - ETH);
	want.octets[ETH + 1] = in->octets[ETH] << 4 | in->octets[ETH + 1] >> 4;
	want.octets[ETH + 8] = lab.relay.ttl;
	packet_checksum(&want);
	packet_add(&want, in->octets + ETH, in->len - ETH);
	want.octets[ETH + V4 + 7]--;
	assert_int_equal(out.len, want.len);
	assert_memory_equal(out.octets, want.octets, want.len);
	return id;
}

static void assert_counted(int way, uint64_t packets, uint64_t bytes)
{
	struct relay_bpf_counters counted;

	lab_counted(&counted);
	assert_int_equal(counted.ways[way].packets, packets);
	assert_int_equal(counted.ways[way].bytes, bytes);
	assert_int_equal(counted.ways[!way].packets, 0);
	for (int i = 0; i < RELAY_BPF_REASON_END; i++)
		assert_int_equal(counted.drops[i], 0);
}

/* -------- what crosses -------- */

static const size_t payloads[] = {0,  1,   2,	5,   6,	   7,	 20,
				  59, 100, 576, 999, 1240, 1439, 1440};

static void test_decapsulate(void **state)
{
	struct packet in, out;

	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
		packet_4to6(&in, payloads[i]);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		assert_decapsulated(&in, &out);
		assert_counted(RELAY_BPF_WAY_4TO6, 1, V6 + payloads[i]);
	}
}

static void test_encapsulate(void **state)
{
	int id, before = -1;
	struct packet in, out;

	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
		packet_6to4(&in, payloads[i]);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		id = assert_encapsulated(&in, &out, LAB_HOST);
		/* DF is clear: RFC 6864 section 4.3 */
		assert_int_not_equal(id, before);
		before = id;
		assert_counted(RELAY_BPF_WAY_6TO4, 1, V6 + payloads[i]);
	}
}

/* Identifications to one destination don't come again for long. */
static void test_identification(void **state)
{
	static uint8_t seen[65536];
	struct packet in, out;

	packet_6to4(&in, 0);
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		assert_int_equal(seen[take_identification(&out)]++, 0);
	}
	lab_counted(&(struct relay_bpf_counters){});
}

static void test_traffic_class(void **state)
{
	struct packet in, out;

	for (int class = 0; class < 256; class ++) {
		packet_6to4(&in, 8);
		in.octets[ETH] = 0x60 | class >> 4;
		in.octets[ETH + 1] = class << 4 | 0xa;
		in.octets[ETH + 2] = 0xbc;
		in.octets[ETH + 3] = 0xde;
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		assert_encapsulated(&in, &out, LAB_HOST);

		/* the inner DSCP is that of the packet (RFC 2983: uniform
		 * marking is for the network to want), and its flow label */
		packet_4to6(&in, 8);
		in.octets[ETH + 1] = class & 0xfc;
		packet_checksum(&in);
		in.octets[ETH + V4 + 1] = 0x0a;
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		assert_decapsulated(&in, &out);
	}
	lab_counted(&(struct relay_bpf_counters){});
}

static void test_ecn(void **state)
{
	static const int cases[4][4] = {
		/* inner     Not-ECT  ECT(1)  ECT(0)  CE */
		[NOT_ECT] = {NOT_ECT, ECT_1, ECT_0, CE},
		[ECT_1] = {NOT_ECT, ECT_1, ECT_1, CE},
		[ECT_0] = {NOT_ECT, ECT_1, ECT_0, CE},
		[CE] = {-1, CE, CE, CE},
	};
	struct packet in, out;

	for (int outer = 0; outer < 4; outer++)
		for (int inner = 0; inner < 4; inner++) {
			int want = cases[outer][inner];

			packet_4to6(&in, 8);
			in.octets[ETH + 1] = 0xb8 | outer;
			packet_checksum(&in);
			in.octets[ETH + V4] = 0x65;
			in.octets[ETH + V4 + 1] = 0x80 | inner << 4 | 0xa;
			if (want < 0) {
				assert_int_equal(run(&in, &out), TC_ACT_SHOT);
				lab_assert_dropped("ecn", RELAY_BPF_DROP_ECN);
				continue;
			}
			assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
			lab_assert_dropped("ecn", RELAY_BPF_PASS);
			in.octets[ETH + V4 + 1] = 0x80 | want << 4 | 0xa;
			assert_decapsulated(&in, &out);
		}
}

static void test_hop_limit(void **state)
{
	struct packet in, out;

	for (int hops = 0; hops < 256; hops++) {
		int want = hops > 1 ? TC_ACT_REDIRECT : TC_ACT_UNSPEC;

		packet_4to6(&in, 8);
		in.octets[ETH + V4 + 7] = hops;
		assert_int_equal(run(&in, &out), want);
		if (want == TC_ACT_REDIRECT)
			assert_decapsulated(&in, &out);
		else
			assert_memory_equal(in.octets, out.octets, in.len);
		packet_6to4(&in, 8);
		in.octets[ETH + 7] = hops;
		lab.relay.ttl = hops ? hops : 64;
		lab_set_relay();
		assert_int_equal(run(&in, &out), want);
		if (want == TC_ACT_REDIRECT)
			assert_encapsulated(&in, &out, LAB_HOST);
		else
			assert_memory_equal(in.octets, out.octets, in.len);
	}
	lab.relay.ttl = 64;
	lab_set_relay();
	lab_assert_dropped("hop limits", RELAY_BPF_PASS);
	/* the outer one does not matter: it has arrived */
	packet_4to6(&in, 8);
	in.octets[ETH + 8] = 1;
	packet_checksum(&in);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	assert_decapsulated(&in, &out);
	lab_counted(&(struct relay_bpf_counters){});
}

/* Only hop-by-hop options are a router's business. */
static void test_next_header(void **state)
{
	struct packet in, out;

	for (int next = 0; next < 256; next++) {
		int want = next ? TC_ACT_REDIRECT : TC_ACT_UNSPEC;

		packet_4to6(&in, 48);
		in.octets[ETH + V4 + 6] = next;
		assert_int_equal(run(&in, &out), want);
		if (next)
			assert_decapsulated(&in, &out);
		packet_6to4(&in, 48);
		in.octets[ETH + 6] = next;
		assert_int_equal(run(&in, &out), want);
		if (next)
			assert_encapsulated(&in, &out, LAB_HOST);
	}
	lab_assert_dropped("next headers", RELAY_BPF_PASS);
}

/* -------- lengths -------- */

/* Cut at each octet: nothing crosses, and what is a relay's is counted. */
static void test_truncated(void **state)
{
	struct packet whole, in, out;

	/* the kernel gives no program less than an IP header */
	packet_4to6(&whole, 64);
	for (size_t len = ETH + V4; len < whole.len; len++) {
		in = whole;
		in.len = len;
		assert_int_equal(run(&in, &out), TC_ACT_SHOT);
		lab_assert_dropped("4to6, cut", RELAY_BPF_DROP_MALFORMED);
	}
	packet_6to4(&whole, 64);
	for (size_t len = ETH + V6; len < whole.len; len++) {
		in = whole;
		in.len = len;
		assert_int_equal(run(&in, &out), TC_ACT_SHOT);
		lab_assert_dropped("6to4, cut", RELAY_BPF_DROP_MALFORMED);
	}
}

/* Lengths of the headers against the frame's, which has room for them. */
static void test_lengths(void **state)
{
	static const struct {
		const char *what;
		size_t frame;	/* behind Ethernet; 4to6 */
		uint16_t outer; /* total length */
		uint16_t inner; /* payload length */
		bool crosses;
	} cases[] = {
		{"as it should be", 160, 160, 100, true},
		{"padding behind IPv4", 200, 160, 100, true},
		{"an octet of padding", 161, 160, 100, true},
		{"more in IPv4 than in IPv6", 160, 160, 90, true},
		{"both", 200, 160, 90, true},
		{"no payload", 60, 60, 0, true},
		{"no payload, padding", 80, 60, 0, true},
		{"no payload, padding in IPv4", 80, 80, 0, true},
		{"IPv6 ends behind IPv4", 160, 160, 101, false},
		{"IPv6 ends behind IPv4, not behind the frame", 200, 160, 101,
		 false},
		{"IPv4 ends behind the frame", 160, 161, 100, false},
		{"IPv4 ends behind the frame, IPv6 too", 160, 161, 101, false},
		{"IPv6 of the greatest length", 160, 160, 65535, false},
		{"IPv4 of the greatest length", 160, 65535, 100, false},
		{"IPv4 without room for IPv6", 160, 59, 100, false},
		{"IPv4 without payload", 160, 20, 100, false},
		{"IPv4 shorter than its header", 160, 19, 100, false},
		{"IPv4 of length 0", 160, 0, 100, false},
	};
	struct packet in, out, inner;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		packet_4to6(&in, cases[i].frame - V4 - V6);
		set16(&in, ETH + 2, cases[i].outer);
		packet_checksum(&in);
		set16(&in, ETH + V4 + 4, cases[i].inner);
		if (!cases[i].crosses) {
			if (run(&in, &out) != TC_ACT_SHOT)
				fail_msg("%s: not dropped", cases[i].what);
			lab_assert_dropped(cases[i].what,
					   RELAY_BPF_DROP_MALFORMED);
			continue;
		}
		if (run(&in, &out) != TC_ACT_REDIRECT)
			fail_msg("%s: does not cross", cases[i].what);
		/* without what does not belong to it */
		in.len = ETH + V4 + V6 + cases[i].inner;
		assert_decapsulated(&in, &out);
		assert_counted(RELAY_BPF_WAY_4TO6, 1, V6 + cases[i].inner);

		packet_6to4(&inner, cases[i].frame - V4 - V6);
		set16(&inner, ETH + 4, cases[i].inner);
		assert_int_equal(run(&inner, &out), TC_ACT_REDIRECT);
		inner.len = ETH + V6 + cases[i].inner;
		assert_encapsulated(&inner, &out, LAB_HOST);
		assert_counted(RELAY_BPF_WAY_6TO4, 1, V6 + cases[i].inner);
	}
	for (int more = 1; more < 3000; more = more * 3 + 1) {
		packet_6to4(&inner, 100);
		set16(&inner, ETH + 4, 100 + more);
		assert_int_equal(run(&inner, &out), TC_ACT_SHOT);
		lab_assert_dropped("6to4, longer than its frame",
				   RELAY_BPF_DROP_MALFORMED);
	}
}

static void test_mtu(void **state)
{
	static const uint32_t mtus[] = {1280, 1400, 1480};
	struct packet in, out;

	for (size_t i = 0; i < sizeof(mtus) / sizeof(*mtus); i++) {
		lab.relay.mtu = mtus[i];
		lab_set_relay();
		packet_6to4(&in, mtus[i] - V6);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		/* the stack tells the sender: Packet Too Big */
		packet_6to4(&in, mtus[i] - V6 + 1);
		assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
		assert_memory_equal(out.octets, in.octets, in.len);
	}
	/* too big for the way: the stack fragments, since DF is clear */
	lab.relay.mtu = 1600;
	lab_set_relay();
	packet_6to4(&in, 1481 - V6);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	packet_6to4(&in, 1480 - V6);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	lab.relay.mtu = LAB_MTU;
	lab_set_relay();
	/* the other way the relay's MTU is no matter, but the uplink's */
	packet_4to6(&in, 1500 - V6);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	packet_4to6(&in, 1501 - V6);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	assert_memory_equal(out.octets, in.octets, in.len);
	lab_assert_dropped("MTU", RELAY_BPF_PASS);
}

/* -------- the outer header -------- */

/* A wrong bit in it: its checksum tells. */
static void test_outer_bits(void **state)
{
	struct packet in, out;

	for (int bit = 0; bit < V4 * 8; bit++) {
		int verdict;

		packet_4to6(&in, 40);
		in.octets[ETH + bit / 8] ^= 0x80 >> bit % 8;
		verdict = run(&in, &out);
		/* other protocols, destinations, options and fragments are
		 * the stack's to find fault with */
		if (verdict == TC_ACT_UNSPEC)
			lab_assert_dropped("a bit", RELAY_BPF_PASS);
		else
			lab_assert_dropped("a bit", RELAY_BPF_DROP_MALFORMED);
		assert_int_not_equal(verdict, TC_ACT_REDIRECT);
		if (bit / 8 != 0 && bit / 8 != 6 && bit / 8 != 7 &&
		    bit / 8 != 9 && bit / 8 < 16)
			assert_int_equal(verdict, TC_ACT_SHOT);
	}
}

static void test_options_and_fragments(void **state)
{
	static const struct {
		uint16_t fragment;
		int verdict;
	} cases[] = {
		{0x4000, TC_ACT_REDIRECT}, /* DF */
		{0x8000, TC_ACT_REDIRECT}, /* reserved */
		{0x2000, TC_ACT_UNSPEC},   /* MF */
		{0x6000, TC_ACT_UNSPEC},   /* MF and DF */
		{0x0001, TC_ACT_UNSPEC},   {0x1fff, TC_ACT_UNSPEC},
		{0x2001, TC_ACT_UNSPEC},
	};
	static const uint8_t nops[40] = {[0 ... 38] = 1};
	struct packet in, out, plain;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		packet_4to6(&in, 40);
		set16(&in, ETH + 6, cases[i].fragment);
		packet_checksum(&in);
		assert_int_equal(run(&in, &out), cases[i].verdict);
		lab_assert_dropped("fragments", RELAY_BPF_PASS);
	}
	for (int words = 1; words <= 10; words++) {
		packet_4to6(&plain, 40);
		in.len = 0;
		packet_add(&in, plain.octets, ETH + V4);
		packet_add(&in, nops, words * 4);
		packet_add(&in, plain.octets + ETH + V4, V6 + 40);
		in.octets[ETH] = 0x45 + words;
		set16(&in, ETH + 2, in.len - ETH);
		packet_checksum(&in);
		assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
		assert_memory_equal(out.octets, in.octets, in.len);
		lab_assert_dropped("options", RELAY_BPF_PASS);
	}
}

/* -------- what is not the relay's -------- */

static void test_others(void **state)
{
	struct packet in, out;

	/* another version inside */
	for (int version = 0; version < 16; version++) {
		packet_4to6(&in, 40);
		in.octets[ETH + V4] = version << 4;
		assert_int_equal(run(&in, &out),
				 version == 6 ? TC_ACT_REDIRECT : TC_ACT_SHOT);
		lab_assert_dropped("version",
				   version == 6 ? RELAY_BPF_PASS
						: RELAY_BPF_DROP_MALFORMED);
		packet_6to4(&in, 40);
		in.octets[ETH] = version << 4;
		assert_int_equal(run(&in, &out),
				 version == 6 ? TC_ACT_REDIRECT : TC_ACT_SHOT);
		lab_assert_dropped("version",
				   version == 6 ? RELAY_BPF_PASS
						: RELAY_BPF_DROP_MALFORMED);
	}
	for (int way = 0; way < 2; way++) {
		const struct packet *p = &in;

		if (way)
			packet_6to4(&in, 40);
		else
			packet_4to6(&in, 40);
		assert_int_equal(run(p, &out), TC_ACT_REDIRECT);
		/* another host's frame, everybody's, some people's */
		memcpy(in.octets, "\x02\0\0\0\0\x77", 6);
		assert_int_equal(run(p, &out), TC_ACT_UNSPEC);
		memcpy(in.octets, "\xff\xff\xff\xff\xff\xff", 6);
		assert_int_equal(run(p, &out), TC_ACT_UNSPEC);
		memcpy(in.octets, "\x01\0\x5e\0\0\x01", 6);
		assert_int_equal(run(p, &out), TC_ACT_UNSPEC);
		memcpy(in.octets, LAB_UPLINK_MAC, 6);
		/* a tag that the kernel has not taken off */
		memmove(in.octets + 16, in.octets + 12, in.len - 12);
		in.len += 4;
		memcpy(in.octets + 12, "\x81\0\0\x05", 4);
		assert_int_equal(run(p, &out), TC_ACT_UNSPEC);
	}
	/* another relay's: not our source, not our route */
	packet_ethernet(&in, 0x0800);
	packet_ipv4(&in, LAB_HOST, "192.88.99.2", V6 + 8);
	packet_ipv6(&in, LAB_HOST6, LAB_NATIVE, 8);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	lab_shell("ip -6 route add 2002:c633:6464::/48 via 2001:db8:1::9");
	packet_ethernet(&in, 0x86dd);
	packet_ipv6(&in, LAB_NATIVE, "2002:c633:6464::1", 8);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	packet_ethernet(&in, 0x86dd);
	packet_ipv6(&in, LAB_NATIVE, "2001:db8:7::7", 8);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	/* with our source, on its way through */
	packet_ethernet(&in, 0x0800);
	packet_ipv4(&in, LAB_SOURCE, "192.0.2.1", V6 + 8);
	packet_ipv6(&in, LAB_NATIVE, "2002:c000:201::1", 8);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	/* other protocols to our source */
	for (int proto = 0; proto < 256; proto++) {
		packet_4to6(&in, 8);
		in.octets[ETH + 9] = proto;
		packet_checksum(&in);
		assert_int_equal(run(&in, &out),
				 proto == 41 ? TC_ACT_REDIRECT : TC_ACT_UNSPEC);
	}
	lab_assert_dropped("others", RELAY_BPF_PASS);
}

/* Sources that no router forwards, where no filter takes them. */
static void test_sources(void **state)
{
	static const char *const sources[] = {
		"::", "::1", "::192.0.2.1", "fe80::1", "febf::1", "ff02::1",
	};
	struct packet in, out;

	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		packet_ethernet(&in, 0x86dd);
		packet_ipv6(&in, sources[i], LAB_HOST6, 8);
		assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
		packet_4to6_from(&in, LAB_HOST, sources[i], "2002:c058:6301::1",
				 8);
		assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	}
	lab_assert_dropped("sources", RELAY_BPF_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decapsulate),
		cmocka_unit_test(test_encapsulate),
		cmocka_unit_test(test_identification),
		cmocka_unit_test(test_traffic_class),
		cmocka_unit_test(test_ecn),
		cmocka_unit_test(test_hop_limit),
		cmocka_unit_test(test_next_header),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_mtu),
		cmocka_unit_test(test_outer_bits),
		cmocka_unit_test(test_options_and_fragments),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_sources),
	};
	int ret = lab_open();

	if (ret == 0)
		ret = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	return ret;
}
