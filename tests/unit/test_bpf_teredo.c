// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The Teredo programs on packets: what crosses, octet for octet, and what is
 * the engine's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/pkt_cls.h>

#include "bpf_teredo.h"

/* RFC 6040 section 4.2, by outer and inner field; -1: dropped */
enum { NOT_ECT, ECT_1, ECT_0, CE };

#define NONE 59
#define OUTER (ETH + TEREDO) /* where the inner header is */

static int run(const struct packet *in, struct packet *out)
{
	return lab_run(lab.skel->progs.uplink_ingress, in, out);
}

/* out is what `in`, a datagram, is to become. */
static void assert_decapsulated(const struct packet *in,
				const struct packet *out)
{
	size_t len = V6 + get16(in, OUTER + 4);
	struct packet want;

	packet_ethernet(&want, 0x86dd);
	memcpy(want.octets, LAB_ROUTER_MAC LAB_UPLINK_MAC, 12);
	packet_add(&want, in->octets + OUTER, len);
	want.octets[ETH + 7]--;
	assert_int_equal(out->len, want.len);
	assert_memory_equal(out->octets, want.octets, want.len);
}

/* The same of an IPv6 packet. sum: there is a UDP checksum. */
static void assert_encapsulated(const struct packet *in,
				const struct packet *out, bool sum)
{
	size_t len = V6 + get16(in, ETH + 4);
	uint8_t udp[UDP] = {LAB_PORT >> 8,	  LAB_PORT & 0xff,
			    LAB_MAPPED_PORT >> 8, LAB_MAPPED_PORT & 0xff,
			    (UDP + len) >> 8,	  UDP + len};
	struct packet want;

	packet_ethernet(&want, 0x0800);
	memcpy(want.octets, LAB_ROUTER_MAC LAB_UPLINK_MAC, 12);
	packet_ipv4(&want, LAB_SOURCE, LAB_MAPPED, UDP + len);
	want.octets[ETH + 1] = in->octets[ETH] << 4 | in->octets[ETH + 1] >> 4;
	memcpy(want.octets + ETH + 4, out->octets + ETH + 4, 2);
	want.octets[ETH + 8] = lab.relay.ttl;
	want.octets[ETH + 9] = IPPROTO_UDP;
	packet_checksum(&want);
	memcpy(udp + 6, out->octets + ETH + V4 + 6, 2);
	packet_add(&want, udp, sizeof(udp));
	packet_add(&want, in->octets + ETH, len);
	want.octets[OUTER + 7]--;
	assert_int_equal(out->len, want.len);
	assert_memory_equal(out->octets, want.octets, want.len);
	if (sum)
		assert_int_equal(datagram_sum(out), 0);
	assert_int_equal(get16(out, ETH + V4 + 6) != 0, sum);
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

/* The engine's: as it came, and nothing is counted. */
static void assert_up(const char *what, const struct packet *in)
{
	struct packet out;
	int ret = run(in, &out);

	if (ret != TC_ACT_UNSPEC)
		fail_msg("%s: %d", what, ret);
	assert_int_equal(out.len, in->len);
	assert_memory_equal(out.octets, in->octets, in->len);
	lab_assert_dropped(what, RELAY_BPF_PASS);
}

static void assert_dropped(const char *what, const struct packet *in,
			   int reason)
{
	struct packet out;
	int ret = run(in, &out);

	if (ret != TC_ACT_SHOT)
		fail_msg("%s: %d", what, ret);
	lab_assert_dropped(what, reason);
}

static int fresh_peer(void **state)
{
	peer_put(LAB_CLIENT, 1000, 1000);
	return 0;
}

/* -------- what crosses -------- */

static const struct {
	uint8_t protocol;
	size_t min; /* from which on a checksum is in it */
} inner[] = {
	{IPPROTO_TCP, 20}, {IPPROTO_UDP, 8}, {IPPROTO_ICMPV6, 4},
	{NONE, SIZE_MAX},  {132, SIZE_MAX},  {IPPROTO_FRAGMENT, SIZE_MAX},
};

static const size_t payloads[] = {0,   1,   2,	 3,    4,    5,	  6,
				  7,   8,   9,	 19,   20,   21,  59,
				  100, 576, 999, 1232, 1239, 1240};

#define N(array) (sizeof(array) / sizeof(*(array)))

static void test_decapsulate(void **state)
{
	int64_t rx, tx;
	struct packet in, out;

	for (size_t i = 0; i < N(inner); i++)
		for (size_t j = 0; j < N(payloads); j++) {
			packet_client(&in, inner[i].protocol, payloads[j]);
			if (inner[i].protocol == NONE && !payloads[j]) {
				assert_up("a bubble", &in);
				continue;
			}
			assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
			assert_decapsulated(&in, &out);
			assert_counted(RELAY_BPF_WAY_4TO6, 1, V6 + payloads[j]);
			/* no checksum */
			set16(&in, ETH + V4 + 6, 0);
			assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
			assert_decapsulated(&in, &out);
			assert_counted(RELAY_BPF_WAY_4TO6, 1, V6 + payloads[j]);
		}
	peer_get(LAB_CLIENT, &rx, &tx);
	assert_in_range(rx, 0, 500);
	assert_in_range(tx, 1000, 60000);
}

/* With all inner checksums, and without any, the outer one is right. */
static void test_encapsulate(void **state)
{
	int64_t rx, tx;
	struct packet in, out;
	bool sum;

	for (size_t i = 0; i < N(inner); i++)
		for (size_t j = 0; j < N(payloads); j++) {
			packet_to_client(&in, inner[i].protocol, payloads[j]);
			sum = payloads[j] >= inner[i].min;
			assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
			assert_encapsulated(&in, &out, sum);
			assert_counted(RELAY_BPF_WAY_6TO4, 1, V6 + payloads[j]);
		}
	peer_get(LAB_CLIENT, &rx, &tx);
	assert_in_range(tx, 0, 500);
	assert_in_range(rx, 1000, 60000);
}

static uint32_t random32(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

/* ... whatever else is in the packet. */
static void test_checksum(void **state)
{
	static const size_t sums[] = {16, 6, 2};
	struct packet in, out;

	for (int i = 0; i < 5000; i++) {
		int kind = random32() % 3;
		size_t payload = inner[kind].min + random32() % 200;
		size_t at = ETH + V6 + sums[kind];
		uint16_t sum;

		packet_to_client(&in, inner[kind].protocol, payload);
		for (size_t j = ETH + V6; j < in.len; j++)
			in.octets[j] = random32();
		in.octets[ETH] = 0x60 | (random32() & 0xf);
		for (size_t j = ETH + 1; j < ETH + 4; j++)
			in.octets[j] = random32();
		in.octets[ETH + 7] = 2 + random32() % 254;
		for (size_t j = ETH + 8 + 6; j < ETH + 24; j++)
			in.octets[j] = random32();
		if (kind == 1)
			set16(&in, ETH + V6 + 4, payload);
		set16(&in, at, 0);
		sum = inner_sum(&in, ETH);
		set16(&in, at, sum ? sum : kind == 1 ? 0xffff : 0);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		assert_encapsulated(&in, &out, true);
	}
	/* none in it, or one of another length: none can be made */
	packet_to_client(&in, IPPROTO_UDP, 64);
	set16(&in, ETH + V6 + 6, 0);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	assert_encapsulated(&in, &out, false);
	packet_to_client(&in, IPPROTO_UDP, 64);
	set16(&in, ETH + V6 + 4, 63);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	assert_encapsulated(&in, &out, false);
	lab_counted(&(struct relay_bpf_counters){});
}

/* What the outer header takes of the inner one, both ways. */
static void test_traffic_class(void **state)
{
	struct packet in, out;

	for (int class = 0; class < 256; class ++) {
		packet_to_client(&in, IPPROTO_TCP, 40);
		in.octets[ETH] = 0x60 | class >> 4;
		in.octets[ETH + 1] = class << 4 | 0xa;
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		assert_encapsulated(&in, &out, true);
	}
	lab_counted(&(struct relay_bpf_counters){});
}

static void test_ecn(void **state)
{
	static const int table[4][4] = {
		/* inner      Not-ECT	ECT(1)	ECT(0)	CE */
		[NOT_ECT] = {NOT_ECT, ECT_1, ECT_0, CE},
		[ECT_1] = {NOT_ECT, ECT_1, ECT_1, CE},
		[ECT_0] = {NOT_ECT, ECT_1, ECT_0, CE},
		[CE] = {-1, CE, CE, CE},
	};
	struct packet in, out;

	for (int outer = 0; outer < 4; outer++)
		for (int in_ecn = 0; in_ecn < 4; in_ecn++) {
			packet_client(&in, IPPROTO_TCP, 40);
			in.octets[ETH + 1] = 0xb8 | outer;
			packet_checksum(&in);
			in.octets[OUTER] = 0x6a;
			in.octets[OUTER + 1] = in_ecn << 4 | 0xc5;
			if (table[outer][in_ecn] < 0) {
				assert_dropped("ECN", &in, RELAY_BPF_DROP_ECN);
				continue;
			}
			assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
			assert_counted(RELAY_BPF_WAY_4TO6, 1, V6 + 40);
			in.octets[OUTER + 1] = table[outer][in_ecn] << 4 | 0xc5;
			assert_decapsulated(&in, &out);
		}
}

/* Whose checksum a device was to do never meets that device. */
static void test_put_off(void **state)
{
	struct packet in, out;

	for (size_t i = 0; i < N(payloads); i++) {
		uint32_t sum;

		packet_client(&in, IPPROTO_TCP, payloads[i]);
		/* the pseudo header's sum, as the kernel leaves it */
		sum = UDP + V6 + payloads[i] + 17;
		for (int j = 12; j < 20; j += 2)
			sum += get16(&in, ETH + j);
		sum = (sum & 0xffff) + (sum >> 16);
		set16(&in, ETH + V4 + 6, sum + (sum >> 16));
		if (payloads[i] < 8) {
			assert_up("too short for the way around", &in);
			continue;
		}
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		assert_decapsulated(&in, &out);
		assert_counted(RELAY_BPF_WAY_4TO6, 1, V6 + payloads[i]);
	}
}

/* Ethernet's padding does not cross. */
static void test_padding(void **state)
{
	struct packet in, out;

	packet_client(&in, IPPROTO_UDP, 8);
	packet_add(&in, "\xde\xad\xbe\xef\0", 5);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	assert_decapsulated(&in, &out);
	packet_to_client(&in, IPPROTO_UDP, 8);
	packet_add(&in, "\xde\xad\xbe\xef\0", 5);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	assert_encapsulated(&in, &out, true);
	lab_counted(&(struct relay_bpf_counters){});
}

/* -------- whose it is -------- */

static void test_peers(void **state)
{
	static const struct {
		int64_t rx;
		bool known;
	} ages[] = {{0, true},
		    {24500, true},
		    {25500, false},
		    {60000, false},
		    {NEVER, false}};
	struct packet in, to, out;
	int64_t rx, tx;

	packet_client(&in, IPPROTO_TCP, 40);
	packet_to_client(&to, IPPROTO_TCP, 40);
	for (size_t i = 0; i < N(ages); i++) {
		peer_put(LAB_CLIENT, ages[i].rx, 3000);
		if (ages[i].known) {
			assert_int_equal(run(&to, &out), TC_ACT_REDIRECT);
			peer_get(LAB_CLIENT, &rx, &tx);
			assert_in_range(tx, 0, 500);
			assert_true(rx >= ages[i].rx);
			assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
			peer_get(LAB_CLIENT, &rx, &tx);
			assert_in_range(rx, 0, 500);
			lab_counted(&(struct relay_bpf_counters){});
			continue;
		}
		assert_up("from a silent peer", &in);
		assert_up("to a silent peer", &to);
		peer_get(LAB_CLIENT, &rx, &tx);
		assert_true(tx >= 3000);
	}
	peer_del(LAB_CLIENT);
	assert_up("from nobody", &in);
	assert_up("to nobody", &to);
	/* another one: not so much as the server may differ */
	peer_put(LAB_CLIENT, 0, 0);
	packet_client_from(&in, LAB_MAPPED, LAB_MAPPED_PORT,
			   "2001:0:4136:e379:8000:63bf:39cc:9bf8", LAB_NATIVE,
			   IPPROTO_TCP, 40);
	assert_up("another server", &in);
}

/* What RFC 4380 and 6081 put before a packet and behind it. */
static void test_for_the_engine(void **state)
{
	static const uint8_t origin[] = {0,    0,    0x63, 0xbf,
					 0x39, 0xcc, 0x9b, 0xf8};
	static const uint8_t auth[] = {0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0};
	static const uint8_t trailer[] = {1, 4, 1, 2, 3, 4};
	struct packet plain, in;

	packet_client(&plain, IPPROTO_UDP, 40);
	for (int i = 0; i < 2; i++) {
		in = plain;
		in.len = OUTER;
		packet_add(&in, i ? auth : origin,
			   i ? sizeof(auth) : sizeof(origin));
		packet_add(&in, plain.octets + OUTER, plain.len - OUTER);
		packet_datagram(&in);
		assert_up(i ? "authentication" : "an origin", &in);
	}
	in = plain;
	packet_add(&in, trailer, sizeof(trailer));
	packet_datagram(&in);
	assert_up("a trailer", &in);
	packet_client(&in, NONE, 0);
	assert_up("a bubble", &in);
	/* to the address that the relay's bubbles come from */
	memset(in.octets + OUTER + 24, 0, 16);
	in.octets[OUTER + 24] = 0xfe;
	in.octets[OUTER + 25] = 0x80;
	in.octets[OUTER + 39] = 1;
	packet_datagram(&in);
	assert_up("a bubble to a link-local address", &in);
	packet_client(&in, NONE, 0);
	packet_add(&in, trailer, sizeof(trailer));
	packet_datagram(&in);
	assert_up("a bubble with a trailer", &in);
	/* lengths that lie, of what is in the datagram */
	in = plain;
	set16(&in, OUTER + 4, 41);
	assert_up("longer than the datagram", &in);
	set16(&in, OUTER + 4, 39);
	assert_up("shorter than the datagram", &in);
	in = plain;
	in.octets[OUTER] = 0x40;
	assert_up("version 4", &in);
	/* cut */
	for (size_t len = 0; len < V6; len++) {
		in = plain;
		in.len = OUTER + len;
		packet_datagram(&in);
		assert_up("cut", &in);
	}
	/* hop limit, hop-by-hop options */
	for (int hops = 0; hops < 2; hops++) {
		in = plain;
		in.octets[OUTER + 7] = hops;
		assert_up("a last hop", &in);
	}
	packet_client(&in, 0, 40);
	assert_up("hop-by-hop options", &in);
}

static void test_malformed(void **state)
{
	struct packet plain, in;

	packet_client(&plain, IPPROTO_UDP, 40);
	in = plain;
	in.octets[ETH + 10]++;
	assert_dropped("the IPv4 checksum", &in, RELAY_BPF_DROP_MALFORMED);
	in = plain;
	set16(&in, ETH + V4 + 4, UDP + V6 + 41);
	assert_dropped("UDP longer than IPv4", &in, RELAY_BPF_DROP_MALFORMED);
	for (int len = 0; len < UDP; len++) {
		set16(&in, ETH + V4 + 4, len);
		assert_dropped("UDP too short", &in, RELAY_BPF_DROP_MALFORMED);
	}
	in = plain;
	in.len--;
	assert_dropped("cut", &in, RELAY_BPF_DROP_MALFORMED);
	packet_to_client(&in, IPPROTO_UDP, 40);
	in.len--;
	assert_dropped("IPv6, cut", &in, RELAY_BPF_DROP_MALFORMED);
	/* UDP shorter than IPv4: what is behind it is nobody's */
	in = plain;
	packet_add(&in, "behind", 6);
	set16(&in, ETH + 2, in.len - ETH);
	packet_checksum(&in);
	assert_int_equal(run(&in, &plain), TC_ACT_REDIRECT);
	assert_decapsulated(&in, &plain);
	lab_counted(&(struct relay_bpf_counters){});
}

static void test_options_and_fragments(void **state)
{
	static const struct {
		size_t at;
		uint8_t octet;
		const char *what;
	} changes[] = {
		{ETH, 0x46, "options"},
		{ETH + 6, 0x20, "more fragments"},
		{ETH + 6, 0x1f, "a later fragment"},
		{ETH + 7, 0x01, "the second fragment"},
	};
	struct packet in;

	for (size_t i = 0; i < N(changes); i++) {
		packet_client(&in, IPPROTO_UDP, 40);
		in.octets[changes[i].at] = changes[i].octet;
		packet_checksum(&in);
		assert_up(changes[i].what, &in);
	}
	/* DF is fine */
	packet_client(&in, IPPROTO_UDP, 40);
	in.octets[ETH + 6] = 0x40;
	packet_checksum(&in);
	assert_int_equal(run(&in, &(struct packet){}), TC_ACT_REDIRECT);
	lab_counted(&(struct relay_bpf_counters){});
}

static void test_mtu(void **state)
{
	struct packet in, out;

	packet_to_client(&in, IPPROTO_TCP, 1240);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	packet_to_client(&in, IPPROTO_TCP, 1241);
	lab_counted(&(struct relay_bpf_counters){});
	assert_up("above 1280", &in);
	lab_shell("ip route replace default via 203.0.113.1 mtu lock 1307");
	packet_to_client(&in, IPPROTO_TCP, 1240);
	assert_up("above the route's MTU", &in);
	lab_shell("ip route replace default via 203.0.113.1 mtu lock 1308");
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	lab_shell("ip route replace default via 203.0.113.1");
	lab_shell(
		"ip -6 route replace default via 2001:db8:1::1 mtu lock 1300");
	packet_client(&in, IPPROTO_TCP, 1260);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	packet_client(&in, IPPROTO_TCP, 1261);
	lab_counted(&(struct relay_bpf_counters){});
	assert_up("above the IPv6 route's MTU", &in);
	lab_shell("ip -6 route replace default via 2001:db8:1::1");
}

/* One source, three relays. */
static void test_shared_source(void **state)
{
	const char *client2 = "2001:0:c633:6464:8000:63bf:39cc:9bf8";
	struct packet in, out;

	/* the 6to4 relay goes on */
	packet_4to6(&in, 100);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	packet_6to4(&in, 100);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	/* none of theirs is this one's */
	lab_assert_dropped("6to4", RELAY_BPF_PASS);
	/* another port: another relay, whose peer it is not */
	packet_client(&in, IPPROTO_TCP, 40);
	set16(&in, ETH + V4 + 2, LAB_PORT2);
	assert_up("another relay", &in);
	set16(&in, ETH + V4 + 2, LAB_PORT2 + 1);
	assert_up("nobody's port", &in);
	/* while the flow is known */
	lab.skel->data->flow_lifetime_ns = 60 * 1000 * MS;
	packet_client(&in, IPPROTO_TCP, 40);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	lab_counted(&(struct relay_bpf_counters){});
	set16(&in, ETH + V4 + 2, LAB_PORT2);
	assert_up("another relay, known flow", &in);
	lab.skel->data->flow_lifetime_ns = 0;
	/* each by its route and its peers */
	packet_ethernet(&in, 0x86dd);
	packet_inner(&in, LAB_NATIVE, client2, IPPROTO_TCP, 40);
	assert_up("the other's client", &in);
	peer_put(client2, 0, 0);
	assert_up("the other's client, a peer of this one", &in);
	/* 2002:: routed to a Teredo relay, 2001:0:: to a 6to4 one */
	lab_shell("ip route add 2002:c633::/32 dev teredo0");
	lab_shell("ip route add 2001:0:4136::/48 dev relay0");
	packet_6to4(&in, 100);
	assert_up("6to4 to a Teredo relay", &in);
	packet_to_client(&in, IPPROTO_TCP, 40);
	assert_up("Teredo to a 6to4 relay", &in);
	lab_shell("ip route del 2002:c633::/32 dev teredo0");
	lab_shell("ip route del 2001:0:4136::/48 dev relay0");
	peer_del(client2);
}

/* Frames that are not this host's own and untagged. */
static void test_others(void **state)
{
	struct packet in, out;

	packet_client(&in, IPPROTO_TCP, 40);
	in.octets[0] = 0x06;
	assert_up("for another host", &in);
	memset(in.octets, 0xff, 6);
	assert_up("broadcast", &in);
	packet_client(&in, IPPROTO_TCP, 40);
	in.octets[ETH + 9] = IPPROTO_TCP;
	packet_checksum(&in);
	assert_up("TCP", &in);
	packet_client(&in, IPPROTO_TCP, 40);
	in.octets[ETH + 19]++;
	packet_datagram(&in);
	assert_up("another address", &in);
	/* from this host itself */
	packet_client(&in, IPPROTO_TCP, 40);
	assert_int_equal(
		lab_run_at(lab.skel->progs.uplink_ingress, 1, &in, &out),
		TC_ACT_UNSPEC);
	/* no relay at all */
	lab.skel->bss->services = 0;
	assert_up("no service", &in);
	lab.skel->bss->services = 2;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_decapsulate, fresh_peer),
		cmocka_unit_test_setup(test_encapsulate, fresh_peer),
		cmocka_unit_test_setup(test_checksum, fresh_peer),
		cmocka_unit_test_setup(test_traffic_class, fresh_peer),
		cmocka_unit_test_setup(test_ecn, fresh_peer),
		cmocka_unit_test_setup(test_put_off, fresh_peer),
		cmocka_unit_test_setup(test_padding, fresh_peer),
		cmocka_unit_test_setup(test_peers, fresh_peer),
		cmocka_unit_test_setup(test_for_the_engine, fresh_peer),
		cmocka_unit_test_setup(test_malformed, fresh_peer),
		cmocka_unit_test_setup(test_options_and_fragments, fresh_peer),
		cmocka_unit_test_setup(test_mtu, fresh_peer),
		cmocka_unit_test_setup(test_shared_source, fresh_peer),
		cmocka_unit_test_setup(test_others, fresh_peer),
	};
	int ret = lab_open_teredo();

	if (ret == 0)
		ret = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	return ret;
}
