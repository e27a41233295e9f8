// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The 6to4 programs on packets (BPF_PROG_TEST_RUN), in a network namespace with
 * a FIB of its own: an uplink (dummy) with a router, and a relay's interface.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "bpf/relay_bpf.h"
#include "bpf/sixtofour.skel.h"

#define ETH 14
#define V4 20
#define V6 40
#define PLACE 3
#define RELAY "192.88.99.1"
#define HOST "198.51.100.2"

static struct sixtofour_bpf *skel;
static int ingress_fd, counters_fd;
static unsigned int uplink, relay_if;

struct packet {
	uint8_t octets[2048];
	size_t len;
};

/* -------- packets -------- */

static void add(struct packet *p, const void *data, size_t len)
{
	memcpy(p->octets + p->len, data, len);
	p->len += len;
}

static void add_ethernet(struct packet *p, uint16_t protocol)
{
	uint8_t eth[ETH] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, protocol >> 8, protocol};

	memset(p, 0, sizeof(*p));
	add(p, eth, sizeof(eth));
}

static void add_ipv4(struct packet *p, const char *src, const char *dst,
		     size_t payload)
{
	uint8_t ip[V4] = {
		0x45, 0, (V4 + payload) >> 8, V4 + payload, 0, 0, 0, 0, 64, 41};
	uint32_t sum = 0;

	inet_pton(AF_INET, src, ip + 12);
	inet_pton(AF_INET, dst, ip + 16);
	for (int i = 0; i < V4; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	ip[10] = sum >> 8;
	ip[11] = sum;
	add(p, ip, sizeof(ip));
}

static void add_ipv6(struct packet *p, const char *src, const char *dst,
		     size_t payload, uint8_t hops)
{
	uint8_t ip6[V6] = {0x60, 0, 0, 0, payload >> 8, payload, 59, hops};
	uint8_t data[1500];

	inet_pton(AF_INET6, src, ip6 + 8);
	inet_pton(AF_INET6, dst, ip6 + 24);
	add(p, ip6, sizeof(ip6));
	for (size_t i = 0; i < payload; i++)
		data[i] = i * 7;
	add(p, data, payload);
}

static void in_4to6(struct packet *p, const char *outer, const char *src,
		    const char *dst, size_t payload)
{
	add_ethernet(p, 0x0800);
	add_ipv4(p, outer, RELAY, V6 + payload);
	add_ipv6(p, src, dst, payload, 64);
}

static void in_6to4(struct packet *p, const char *src, const char *dst,
		    size_t payload)
{
	add_ethernet(p, 0x86dd);
	add_ipv6(p, src, dst, payload, 64);
}

/* -------- running -------- */

static int run(const struct packet *in, struct packet *out)
{
	struct __sk_buff ctx = {.ifindex = uplink, .ingress_ifindex = uplink};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->octets,
		    .data_size_in = in->len, .data_out = out->octets,
		    .data_size_out = sizeof(out->octets), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(ingress_fd, &opts), 0);
	out->len = opts.data_size_out;
	return opts.retval;
}

static void sum_counters(struct relay_bpf_counters *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct relay_bpf_counters *all = calloc(cpus, sizeof(*all));
	uint32_t place = PLACE;

	memset(sum, 0, sizeof(*sum));
	assert_int_equal(bpf_map_lookup_elem(counters_fd, &place, all), 0);
	for (int i = 0; i < cpus; i++) {
		for (int way = 0; way < 2; way++) {
			sum->ways[way].packets += all[i].ways[way].packets;
			sum->ways[way].bytes += all[i].ways[way].bytes;
		}
		for (int r = 0; r < RELAY_BPF_REASON_END; r++)
			sum->drops[r] += all[i].drops[r];
	}
	free(all);
}

/* -------- tests -------- */

static void test_decapsulate(void **state)
{
	struct relay_bpf_counters before, after;
	struct packet in, out, want;

	sum_counters(&before);
	in_4to6(&in, HOST, "2002:c633:6402::2", "2001:db8:6::6", 100);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	add_ethernet(&want, 0x86dd);
	add_ipv6(&want, "2002:c633:6402::2", "2001:db8:6::6", 100, 63);
	assert_int_equal(out.len, want.len);
	assert_memory_equal(out.octets + 12, want.octets + 12, want.len - 12);
	/* the neighbour's address, and the uplink's */
	assert_memory_equal(out.octets, "\x02\xaa\0\0\0\x01", 6);
	sum_counters(&after);
	assert_int_equal(after.ways[0].packets - before.ways[0].packets, 1);
	assert_int_equal(after.ways[0].bytes - before.ways[0].bytes, V6 + 100);
}

static void test_encapsulate(void **state)
{
	struct relay_bpf_counters before, after;
	struct packet in, out, want;

	sum_counters(&before);
	in_6to4(&in, "2001:db8:6::6", "2002:c633:6402::2", 100);
	assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
	add_ethernet(&want, 0x0800);
	add_ipv4(&want, RELAY, HOST, V6 + 100);
	add_ipv6(&want, "2001:db8:6::6", "2002:c633:6402::2", 100, 63);
	assert_int_equal(out.len, want.len);
	/* identification, and with it the checksum */
	memset(out.octets + ETH + 4, 0, 2);
	memset(want.octets + ETH + 4, 0, 2);
	memset(out.octets + ETH + 10, 0, 2);
	memset(want.octets + ETH + 10, 0, 2);
	assert_memory_equal(out.octets + 12, want.octets + 12, want.len - 12);
	assert_memory_equal(out.octets, "\x02\xaa\0\0\0\x01", 6);
	sum_counters(&after);
	assert_int_equal(after.ways[1].packets - before.ways[1].packets, 1);
	assert_int_equal(after.ways[1].bytes - before.ways[1].bytes, V6 + 100);
}

/* RFC 3964 sections 5.1 and 5.2 */
static void test_checks(void **state)
{
	static const struct {
		const char *outer; /* NULL: 6to4 */
		const char *src, *dst;
		int verdict;
		int reason;
	} cases[] = {
		{HOST, "2002:c633:6402::2", "2001:db8:6::6", TC_ACT_REDIRECT},
		{HOST, "2001:db8:9::1", "2002:c058:6301::1", TC_ACT_UNSPEC},
		{HOST, "2002:c633:6403::2", "2001:db8:6::6", TC_ACT_SHOT,
		 RELAY_BPF_DROP_SOURCE_SPOOFED},
		{HOST, "2001:db8:9::1", "2001:db8:6::6", TC_ACT_SHOT,
		 RELAY_BPF_DROP_NOT_6TO4},
		{HOST, "2002:c633:6402::2", "2002:c633:6404::1", TC_ACT_SHOT,
		 RELAY_BPF_DROP_DESTINATION_FOREIGN},
		{"10.1.2.3", "2002:a01:203::2", "2001:db8:6::6", TC_ACT_SHOT,
		 RELAY_BPF_DROP_OUTER_SOURCE},
		{HOST, "2002:c633:6402::2", "fe80::1", TC_ACT_SHOT,
		 RELAY_BPF_DROP_DESTINATION},
		{HOST, "2002:c633:6402::2", "ff02::1", TC_ACT_SHOT,
		 RELAY_BPF_DROP_DESTINATION},
		{NULL, "2001:db8:6::6", "2002:a01:203::2", TC_ACT_SHOT,
		 RELAY_BPF_DROP_DESTINATION},
		{NULL, "2001:db8:6::6", "2002:c058:6301::1", TC_ACT_SHOT,
		 RELAY_BPF_DROP_DESTINATION_OWN},
		{NULL, "fe80::1", "2002:c633:6402::2", TC_ACT_SHOT,
		 RELAY_BPF_DROP_SOURCE},
		{NULL, "2002:a01:203::1", "2002:c633:6402::2", TC_ACT_SHOT,
		 RELAY_BPF_DROP_SOURCE},
		{NULL, "2001:db8:6::6", "2001:db8:7::7", TC_ACT_UNSPEC},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct relay_bpf_counters before, after;
		struct packet in, out;
		int got;

		if (cases[i].outer)
			in_4to6(&in, cases[i].outer, cases[i].src, cases[i].dst,
				8);
		else
			in_6to4(&in, cases[i].src, cases[i].dst, 8);
		sum_counters(&before);
		got = run(&in, &out);
		sum_counters(&after);
		if (got != cases[i].verdict)
			fail_msg("%s %s > %s: %d, not %d",
				 cases[i].outer ? cases[i].outer : "-",
				 cases[i].src, cases[i].dst, got,
				 cases[i].verdict);
		for (int r = 0; r < RELAY_BPF_REASON_END; r++)
			assert_int_equal(after.drops[r] - before.drops[r],
					 r && r == cases[i].reason);
	}
}

/* Cut at each octet: nothing crosses, nothing crashes. */
static void test_truncated(void **state)
{
	struct packet whole, in, out;

	in_4to6(&whole, HOST, "2002:c633:6402::2", "2001:db8:6::6", 64);
	for (size_t len = ETH + V6; len < whole.len; len++) {
		in = whole;
		in.len = len;
		assert_int_not_equal(run(&in, &out), TC_ACT_REDIRECT);
	}
	in_6to4(&whole, "2001:db8:6::6", "2002:c633:6402::2", 64);
	for (size_t len = ETH + V6; len < whole.len; len++) {
		in = whole;
		in.len = len;
		assert_int_not_equal(run(&in, &out), TC_ACT_REDIRECT);
	}
}

static void shell(const char *cmd)
{
	if (system(cmd) != 0) {
		fprintf(stderr, "failed: %s\n", cmd);
		exit(99);
	}
}

/* The same packet at once again: without the FIB, but with all that may differ
 * from packet to packet; until its time is over, or something was changed. */
static void known_flow(const struct packet *in, size_t hops, const char *del,
		       const char *add)
{
	struct packet first, out, last_hop = *in;
	size_t id = ETH + 4, checksum = ETH + 10;

	skel->data->flow_lifetime_ns = 60 * 1000000000ULL;
	assert_int_equal(run(in, &first), TC_ACT_REDIRECT);
	shell(del);
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
	skel->data->flow_generation++;
	assert_int_equal(run(in, &out), TC_ACT_UNSPEC);
	shell(add);
	/* its time is over: nothing of it is kept that long */
	skel->data->flow_lifetime_ns = 1;
	assert_int_equal(run(in, &out), TC_ACT_REDIRECT);
	usleep(20000);
	shell(del);
	assert_int_equal(run(in, &out), TC_ACT_UNSPEC);
	shell(add);
	skel->data->flow_lifetime_ns = 0;
}

static void test_known_flows(void **state)
{
	struct packet in;

	in_4to6(&in, HOST, "2002:c633:6402::2", "2001:db8:6::6", 100);
	known_flow(&in, ETH + V4 + 7,
		   "ip -6 route del default via 2001:db8:1::1",
		   "ip -6 route add default via 2001:db8:1::1");
	in_6to4(&in, "2001:db8:6::6", "2002:c633:6402::2", 100);
	known_flow(&in, ETH + 7, "ip route del default via 203.0.113.1",
		   "ip route add default via 203.0.113.1");
	known_flow(&in, ETH + 7, "ip route del 2002::/16 dev relay0",
		   "ip route add 2002::/16 dev relay0");
}

/* What fits the MTU of the way is known of a flow, but not each packet. */
static void test_known_flow_mtu(void **state)
{
	struct packet in, out;

	skel->data->flow_lifetime_ns = 60 * 1000000000ULL;
	shell("ip -6 route replace default via 2001:db8:1::1 mtu lock 1400");
	shell("ip route replace default via 203.0.113.1 mtu lock 1420");
	for (int i = 0; i < 2; i++) {
		in_4to6(&in, HOST, "2002:c633:6402::2", "2001:db8:6::6",
			1400 - V6);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		in_4to6(&in, HOST, "2002:c633:6402::2", "2001:db8:6::6",
			1401 - V6);
		assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
		in_6to4(&in, "2001:db8:6::6", "2002:c633:6402::2", 1400 - V6);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		in_6to4(&in, "2001:db8:6::6", "2002:c633:6402::2", 1401 - V6);
		assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
	}
	shell("ip -6 route replace default via 2001:db8:1::1");
	shell("ip route replace default via 203.0.113.1");
	skel->data->flow_generation++;
	skel->data->flow_lifetime_ns = 0;
}

/* -------- the namespace and the maps -------- */

static int map_fd(const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, name);

	return bpf_map__fd(map);
}

static void deny4(const char *addr, int plen)
{
	struct relay_bpf_filter4 key = {32 + plen, PLACE, 0};
	uint8_t verdict = RELAY_BPF_BOGON;

	inet_pton(AF_INET, addr, &key.addr);
	assert_int_equal(
		bpf_map_update_elem(map_fd("filter4"), &key, &verdict, 0), 0);
}

static void deny6(const char *addr, int plen)
{
	struct relay_bpf_filter6 key = {32 + plen, PLACE, {0}};
	uint8_t verdict = RELAY_BPF_BOGON;

	inet_pton(AF_INET6, addr, key.addr);
	assert_int_equal(
		bpf_map_update_elem(map_fd("filter6"), &key, &verdict, 0), 0);
}

static int setup(void **state)
{
	struct relay_bpf_relay relay = {.mtu = 1480,
					.ttl = 64,
					.flags = RELAY_BPF_4TO6 |
						 RELAY_BPF_6TO4};
	uint32_t place = PLACE;
	cpu_set_t one;

	/* each processor knows flows of its own */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0 ||
	    unshare(CLONE_NEWNET) < 0)
		return -1;
	shell("ip link set lo up;"
	      "ip link add up0 address 02:00:00:00:00:01 type veth peer name up1; ip link set up0 up; ip link set up1 up;"
	      "ip link add relay0 type veth peer name relay1; ip link set relay0 up; ip link set relay1 up;"
	      "ip addr add 203.0.113.2/24 dev up0;"
	      "ip addr add 2001:db8:1::2/64 dev up0 nodad;"
	      "ip neigh add 203.0.113.1 lladdr 02:aa:00:00:00:01 dev up0;"
	      "ip neigh add 2001:db8:1::1 lladdr 02:aa:00:00:00:01 dev up0;"
	      "ip route add default via 203.0.113.1;"
	      "ip route add default via 2001:db8:1::1;"
	      "ip route add 2002::/16 dev relay0;"
	      "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
	uplink = if_nametoindex("up0");
	relay_if = if_nametoindex("relay0");
	skel = sixtofour_bpf__open_and_load();
	if (!skel)
		return -1;
	/* tests change what the answers depend on */
	skel->data->flow_lifetime_ns = 0;
	ingress_fd = bpf_program__fd(skel->progs.uplink_ingress);
	counters_fd = map_fd("counters");
	inet_pton(AF_INET, RELAY, &relay.source);
	relay.transmit_source = relay.source;
	relay.ifindex = relay_if;
	memset(relay.octets4, 0xff, sizeof(relay.octets4));
	memset(relay.octets6, 0xff, sizeof(relay.octets6));
	bpf_map_update_elem(map_fd("relays"), &place, &relay, 0);
	bpf_map_update_elem(map_fd("by_source"), &relay.source, &place, 0);
	bpf_map_update_elem(map_fd("by_ifindex"), &relay_if, &place, 0);
	deny4("10.0.0.0", 8);
	deny6("fe80::", 10);
	deny6("ff00::", 8);
	return 0;
}

static int teardown(void **state)
{
	sixtofour_bpf__destroy(skel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decapsulate),
		cmocka_unit_test(test_encapsulate),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_known_flows),
		cmocka_unit_test(test_known_flow_mtu),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: not root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
