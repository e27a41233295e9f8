// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the 6to4 programs send packets: what the FIB says of each, and what the
 * self-test's probes tell of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf_lab.h"

#define LO 1

static int run(const struct packet *in, struct packet *out)
{
	return lab_run(lab.skel->progs.uplink_ingress, in, out);
}

/* The 6to4 address of a host. */
static const char *sixtofour(const char *ipv4)
{
	static char text[64];
	uint8_t a[4];

	inet_pton(AF_INET, ipv4, a);
	snprintf(text, sizeof(text), "2002:%x:%x::1", a[0] << 8 | a[1],
		 a[2] << 8 | a[3]);
	return text;
}

static int run_to(const char *dst, struct packet *out)
{
	struct packet in;

	packet_ethernet(&in, 0x86dd);
	packet_ipv6(&in, LAB_NATIVE, sixtofour(dst), 8);
	return run(&in, out);
}

static int run_from(const char *src, struct packet *out)
{
	struct packet in;

	packet_4to6_from(&in, src, sixtofour(src), LAB_NATIVE, 8);
	return run(&in, out);
}

static int run_native(const char *dst, struct packet *out)
{
	struct packet in;

	packet_4to6_from(&in, LAB_HOST, LAB_HOST6, dst, 8);
	return run(&in, out);
}

static void assert_router(const struct packet *out, const char *mac)
{
	assert_memory_equal(out->octets, mac, 6);
}

/* -------- the FIB -------- */

/* Each destination by its own route: sit has one for all of them. */
static void test_next_hops(void **state)
{
	struct packet out;

	lab_shell("ip route add 192.0.2.0/24 via 203.0.114.1");
	lab_shell("ip -6 route add 2001:db8:8::/48 via 2001:db8:2::1");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_to(LAB_HOST, &out), TC_ACT_REDIRECT);
		assert_router(&out, LAB_ROUTER_MAC);
		assert_int_equal(run_to("192.0.2.5", &out), TC_ACT_REDIRECT);
		assert_router(&out, LAB_ROUTER2_MAC);
		assert_int_equal(run_native(LAB_NATIVE, &out), TC_ACT_REDIRECT);
		assert_router(&out, LAB_ROUTER_MAC);
		assert_int_equal(run_native("2001:db8:8::8", &out),
				 TC_ACT_REDIRECT);
		assert_router(&out, LAB_ROUTER2_MAC);
	}
	lab_shell("ip route del 192.0.2.0/24");
	lab_shell("ip -6 route del 2001:db8:8::/48");
}

/* Both next hops of a route are used, each by its own hosts. */
static void test_multipath(void **state)
{
	struct packet out, again;
	int used[2] = {0}, used6[2] = {0};

	lab_shell(
		"ip route add 192.0.2.0/24 nexthop via 203.0.113.1 nexthop via 203.0.114.1");
	lab_shell(
		"ip -6 route add 2001:db8:8::/48 nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1");
	for (int i = 1; i < 255; i++) {
		char dst[64];

		snprintf(dst, sizeof(dst), "192.0.2.%d", i);
		assert_int_equal(run_to(dst, &out), TC_ACT_REDIRECT);
		assert_int_equal(run_to(dst, &again), TC_ACT_REDIRECT);
		assert_memory_equal(out.octets, again.octets, 6);
		used[out.octets[5] - 1]++;
		snprintf(dst, sizeof(dst), "2001:db8:8::%x", i);
		assert_int_equal(run_native(dst, &out), TC_ACT_REDIRECT);
		assert_int_equal(run_native(dst, &again), TC_ACT_REDIRECT);
		assert_memory_equal(out.octets, again.octets, 6);
		used6[out.octets[5] - 1]++;
	}
	for (int i = 0; i < 2; i++) {
		assert_true(used[i] > 60);
		assert_true(used6[i] > 60);
	}
	lab_shell("ip route del 192.0.2.0/24");
	lab_shell("ip -6 route del 2001:db8:8::/48");
}

/* Link-local next hops, none at all, and those of the other family. */
static void test_kinds_of_next_hop(void **state)
{
	struct packet out;

	lab_shell("ip -6 route add 2001:db8:8::/48 via fe80::1 dev up0");
	assert_int_equal(run_native("2001:db8:8::8", &out), TC_ACT_REDIRECT);
	assert_router(&out, LAB_ROUTER_MAC);
	lab_shell("ip -6 route del 2001:db8:8::/48");

	/* hosts on the uplink's own link */
	assert_int_equal(run_native("2001:db8:1::1", &out), TC_ACT_REDIRECT);
	assert_router(&out, LAB_ROUTER_MAC);
	assert_int_equal(run_to("203.0.113.1", &out), TC_ACT_REDIRECT);
	assert_router(&out, LAB_ROUTER_MAC);

	/* RFC 8950 */
	lab_shell("ip route add 192.0.2.0/24 via inet6 fe80::1 dev up0");
	assert_int_equal(run_to("192.0.2.5", &out), TC_ACT_REDIRECT);
	assert_router(&out, LAB_ROUTER_MAC);
	lab_shell("ip route del 192.0.2.0/24");

	/* whom nobody has asked for yet: the kernel does, so it is sent */
	assert_int_equal(run_to("203.0.113.9", &out), TC_ACT_REDIRECT);
	assert_int_equal(run_native("2001:db8:1::9", &out), TC_ACT_REDIRECT);
}

/* What has no way out goes up, where it is told so or is at home. */
static void test_no_way(void **state)
{
	static const char *const no_hosts[] = {
		"224.0.0.1", "239.1.2.3", "240.1.2.3", "255.255.255.255",
		"127.0.0.1", "127.9.8.7", "0.0.0.0",   "0.1.2.3",
	};
	static const char *const kinds[] = {"unreachable", "prohibit",
					    "blackhole", "throw"};
	struct packet in, out;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		lab_shell("ip route add %s 192.0.2.0/24", kinds[i]);
		lab_shell("ip -6 route add %s 2001:db8:8::/48", kinds[i]);
		if (strcmp(kinds[i], "throw") != 0) {
			assert_int_equal(run_to("192.0.2.5", &out),
					 TC_ACT_UNSPEC);
			assert_int_equal(run_native("2001:db8:8::8", &out),
					 TC_ACT_UNSPEC);
		}
		lab_shell("ip route del %s 192.0.2.0/24", kinds[i]);
		lab_shell("ip -6 route del %s 2001:db8:8::/48", kinds[i]);
	}
	/* this host's own addresses */
	assert_int_equal(run_to("203.0.113.2", &out), TC_ACT_UNSPEC);
	assert_int_equal(run_native("2001:db8:1::2", &out), TC_ACT_UNSPEC);
	/* and those of everybody on a link */
	assert_int_equal(run_to("203.0.113.255", &out), TC_ACT_UNSPEC);
	for (size_t i = 0; i < sizeof(no_hosts) / sizeof(*no_hosts); i++) {
		assert_int_equal(run_to(no_hosts[i], &out), TC_ACT_UNSPEC);
		assert_int_equal(run_from(no_hosts[i], &out), TC_ACT_UNSPEC);
	}
	assert_int_equal(run_from("198.51.100.7", &out), TC_ACT_REDIRECT);
	lab_assert_dropped("no hosts", RELAY_BPF_PASS);
	assert_int_equal(run_native("ff0e::1", &out), TC_ACT_UNSPEC);
	assert_int_equal(run_native("fe80::1", &out), TC_ACT_UNSPEC);
	/* into the tunnel again: the stack's */
	packet_4to6_from(&in, LAB_HOST, LAB_NATIVE, "2002:c058:6301::7", 8);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	/* what is not forwarded at all */
	lab_shell("sysctl -qw net.ipv6.conf.up0.forwarding=0");
	packet_4to6(&in, 8);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	lab_shell("sysctl -qw net.ipv6.conf.up0.forwarding=1");
	lab_shell("sysctl -qw net.ipv4.conf.up0.forwarding=0");
	packet_6to4(&in, 8);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	lab_shell("sysctl -qw net.ipv4.conf.up0.forwarding=1");
	/* a relay without its route attracts nothing */
	lab_shell("ip -6 route del 2002::/16");
	packet_6to4(&in, 8);
	assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	lab_shell("ip -6 route add 2002::/16 dev relay0");
	lab_assert_dropped("no way", RELAY_BPF_PASS);
}

/* Policy: the tables of rules by source, type of service, input interface. */
static void test_policy(void **state)
{
	struct packet in, out;

	lab_shell("ip -6 route add default via 2001:db8:2::1 table 7");
	lab_shell("ip route add default via 203.0.114.1 table 7");
	lab_shell("ip -6 rule add from " LAB_HOST6 " iif up0 lookup 7");
	lab_shell("ip rule add from " LAB_TRANSMIT " tos 0x10 lookup 7");
	packet_4to6(&in, 8);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	assert_router(&out, LAB_ROUTER2_MAC);
	packet_6to4(&in, 8);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	assert_router(&out, LAB_ROUTER_MAC);
	in.octets[ETH] = 0x61;
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	assert_router(&out, LAB_ROUTER2_MAC);
	lab_shell("ip -6 rule del from " LAB_HOST6 " iif up0 lookup 7");
	lab_shell("ip rule del from " LAB_TRANSMIT " tos 0x10 lookup 7");
	lab_shell("ip -6 route flush table 7");
	lab_shell("ip route flush table 7");
}

/* Uplinks and relay in a VRF: by its tables alone. */
static void test_vrf(void **state)
{
	struct packet in, out;

	packet_4to6(&in, 8);
	if (system("ip link add vrf7 type vrf table 7 2>/dev/null") != 0)
		skip(); /* a kernel without */
	lab_shell("ip link set vrf7 up");
	lab_shell("ip link set up1 vrf vrf7");
	lab_shell(
		"ip -6 addr add 2001:db8:2::2/64 dev up1 nodad 2>/dev/null; true");
	lab_shell(
		"ip neigh replace 203.0.114.1 lladdr 02:aa:00:00:00:02 dev up1");
	lab_shell(
		"ip neigh replace 2001:db8:2::1 lladdr 02:aa:00:00:00:02 dev up1");
	lab_shell("ip -6 route add default via 2001:db8:2::1 table 7");
	lab_shell("ip route add default via 203.0.114.1 table 7");
	memcpy(in.octets, "\x02\0\0\0\0\x03", 6);
	assert_int_equal(lab_run_at(lab.skel->progs.uplink_ingress, lab.uplink2,
				    &in, &out),
			 TC_ACT_REDIRECT);
	assert_router(&out, LAB_ROUTER2_MAC);
	/* no route to the relay there */
	packet_6to4(&in, 8);
	memcpy(in.octets, "\x02\0\0\0\0\x03", 6);
	assert_int_equal(lab_run_at(lab.skel->progs.uplink_ingress, lab.uplink2,
				    &in, &out),
			 TC_ACT_UNSPEC);
	lab_shell("ip -6 route add 2002::/16 dev relay0 table 7");
	assert_int_equal(lab_run_at(lab.skel->progs.uplink_ingress, lab.uplink2,
				    &in, &out),
			 TC_ACT_REDIRECT);
	assert_router(&out, LAB_ROUTER2_MAC);
	lab_shell("ip -6 route del 2002::/16 dev relay0 table 7");
	lab_shell("ip link set up1 nomaster && ip link del vrf7");
	lab_shell(
		"ip -6 addr add 2001:db8:2::2/64 dev up1 nodad 2>/dev/null; true");
	lab_shell(
		"ip neigh replace 203.0.114.1 lladdr 02:aa:00:00:00:02 dev up1");
	lab_shell(
		"ip neigh replace 2001:db8:2::1 lladdr 02:aa:00:00:00:02 dev up1");
}

/* -------- probes -------- */

static struct relay_bpf_probe told;
static int ntold;

static int probe_told(void *ctx, void *data, size_t len)
{
	assert_int_equal(len, sizeof(told));
	memcpy(&told, data, sizeof(told));
	ntold++;
	return 0;
}

/* Makes a probe of a packet: an ICMPv6 header, then the nonce. */
static void packet_probe(struct packet *p, size_t inner)
{
	memset(p->octets, 0, 12); /* as lo has them */
	p->octets[inner + 6] = 58;
	p->octets[inner + 7] = 2;
	memcpy(p->octets + inner + V6 + 8, LAB_NONCE, 8);
}

static void run_probe(struct ring_buffer *ring, const struct packet *p,
		      unsigned int way, int fib, unsigned int reason)
{
	struct packet out;

	ntold = 0;
	assert_int_equal(
		lab_run_at(lab.skel->progs.uplink_ingress, LO, p, &out),
		TC_ACT_SHOT);
	ring_buffer__consume(ring);
	assert_int_equal(ntold, 1);
	assert_int_equal(told.place, LAB_PLACE);
	assert_int_equal(told.way, way);
	assert_int_equal(told.fib, fib);
	assert_int_equal(told.oif,
			 fib == BPF_FIB_LKUP_RET_SUCCESS ? lab.uplink : 0);
	assert_int_equal(told.reason, reason);
}

static void test_probes(void **state)
{
	struct ring_buffer *ring = ring_buffer__new(
		bpf_map__fd(lab.skel->maps.probes), probe_told, NULL, NULL);
	struct packet in, out, want;
	uint8_t everything[16] = {0};

	assert_non_null(ring);
	/* filters are not for probes, whose addresses are nobody's */
	memset(lab.relay.octets4, 0xff, sizeof(lab.relay.octets4));
	memset(lab.relay.octets6, 0xff, sizeof(lab.relay.octets6));
	lab_set_relay();
	lab_rule(AF_INET, everything, 0, RELAY_BPF_DENY, true);
	lab_rule(AF_INET6, everything, 0, RELAY_BPF_DENY, true);

	packet_4to6_from(&in, "192.0.0.8", "2002:c000:8:ffff::1", "100::1", 32);
	packet_probe(&in, ETH + V4);
	run_probe(ring, &in, RELAY_BPF_WAY_4TO6, BPF_FIB_LKUP_RET_SUCCESS,
		  RELAY_BPF_PASS);
	assert_int_equal(told.len, V6 + 32);
	want = in;
	want.octets[ETH + V4 + 7] = 1;
	assert_memory_equal(told.packet, want.octets + ETH + V4, V6 + 32);

	packet_ethernet(&in, 0x86dd);
	packet_ipv6(&in, "100::1", "2002:c000:8:ffff::1", 32);
	packet_probe(&in, ETH);
	run_probe(ring, &in, RELAY_BPF_WAY_6TO4, BPF_FIB_LKUP_RET_SUCCESS,
		  RELAY_BPF_PASS);
	assert_int_equal(told.len, V4 + V6 + 32);
	assert_memory_equal(told.packet + 12, &lab.relay.transmit_source, 4);
	assert_memory_equal(told.packet + 16, "\xc0\0\0\x08", 4);
	want = in;
	want.octets[ETH + 7] = 1;
	assert_memory_equal(told.packet + V4, want.octets + ETH, V6 + 32);

	/* no way out */
	lab_shell("ip route add unreachable 192.0.0.8");
	run_probe(ring, &in, RELAY_BPF_WAY_6TO4, BPF_FIB_LKUP_RET_UNREACHABLE,
		  RELAY_BPF_PASS);
	assert_memory_equal(told.packet, in.octets + ETH, V6 + 32);
	lab_shell("ip route del unreachable 192.0.0.8");
	/* a way that is off; what the checks forbid without any filter */
	lab.relay.flags = RELAY_BPF_4TO6;
	lab_set_relay();
	run_probe(ring, &in, RELAY_BPF_WAY_6TO4, -1, RELAY_BPF_DROP_DIRECTION);
	lab.relay.flags |= RELAY_BPF_6TO4;
	lab_set_relay();
	packet_4to6_from(&in, "192.0.0.8", "2002:c000:9:ffff::1", "100::1", 32);
	packet_probe(&in, ETH + V4);
	run_probe(ring, &in, RELAY_BPF_WAY_4TO6, -1,
		  RELAY_BPF_DROP_SOURCE_SPOOFED);
	/* longer than what is told of it */
	packet_4to6_from(&in, "192.0.0.8", "2002:c000:8:ffff::1", "100::1",
			 320);
	packet_probe(&in, ETH + V4);
	run_probe(ring, &in, RELAY_BPF_WAY_4TO6, BPF_FIB_LKUP_RET_SUCCESS,
		  RELAY_BPF_PASS);
	assert_int_equal(told.len, V6 + 320);
	in.octets[ETH + V4 + 7] = 1;
	assert_memory_equal(told.packet, in.octets + ETH + V4,
			    sizeof(told.packet));
	/* a last hop goes up */
	run_probe(ring, &in, RELAY_BPF_WAY_4TO6, -1, RELAY_BPF_PASS);

	/* without the nonce, or cut before it, it is this host's traffic */
	ntold = 0;
	in.octets[ETH + V4 + 7] = 2;
	in.octets[ETH + V4 + V6 + 8]++;
	assert_int_equal(
		lab_run_at(lab.skel->progs.uplink_ingress, LO, &in, &out),
		TC_ACT_UNSPEC);
	in.octets[ETH + V4 + V6 + 8]--;
	in.len = ETH + V4 + V6 + 15;
	assert_int_equal(
		lab_run_at(lab.skel->progs.uplink_ingress, LO, &in, &out),
		TC_ACT_UNSPEC);
	/* from elsewhere the nonce means nothing, and the filters apply */
	packet_4to6_from(&in, "192.0.0.8", "2002:c000:8:ffff::1", "100::1", 32);
	packet_probe(&in, ETH + V4);
	memcpy(in.octets, LAB_UPLINK_MAC, 6);
	lab_assert_dropped("probes", RELAY_BPF_PASS);
	assert_int_equal(run(&in, &out), TC_ACT_SHOT);
	lab_assert_dropped("no probe", RELAY_BPF_DROP_DENIED);
	ring_buffer__consume(ring);
	assert_int_equal(ntold, 0);
	ring_buffer__free(ring);

	lab_rule(AF_INET, everything, 0, RELAY_BPF_DENY, false);
	lab_rule(AF_INET6, everything, 0, RELAY_BPF_DENY, false);
	memset(lab.relay.octets4, 0, sizeof(lab.relay.octets4));
	memset(lab.relay.octets6, 0, sizeof(lab.relay.octets6));
	lab_set_relay();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_hops),
		cmocka_unit_test(test_multipath),
		cmocka_unit_test(test_kinds_of_next_hop),
		cmocka_unit_test(test_no_way),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_vrf),
		cmocka_unit_test(test_probes),
	};
	int ret = lab_open();

	if (ret == 0)
		ret = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	return ret;
}
