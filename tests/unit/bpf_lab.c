// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "filter.h"
#include "bpf_lab.h"

struct lab lab;
static struct relay_bpf_counters counted_before;

/* -------- packets -------- */

void packet_add(struct packet *p, const void *data, size_t len)
{
	assert_true(p->len + len <= sizeof(p->octets));
	memcpy(p->octets + p->len, data, len);
	p->len += len;
}

void packet_ethernet(struct packet *p, uint16_t protocol)
{
	uint8_t eth[ETH] = LAB_UPLINK_MAC LAB_ROUTER_MAC;

	eth[12] = protocol >> 8;
	eth[13] = protocol;
	p->len = 0;
	packet_add(p, eth, sizeof(eth));
}

void packet_checksum(struct packet *p)
{
	uint8_t *ip = p->octets + ETH;
	uint32_t sum = 0;

	ip[10] = ip[11] = 0;
	for (int i = 0; i < (ip[0] & 0xf) * 4; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	ip[10] = sum >> 8;
	ip[11] = sum;
}

void packet_ipv4(struct packet *p, const char *src, const char *dst,
		 size_t payload)
{
	uint8_t ip[V4] = {0x45, 0, (V4 + payload) >> 8, V4 + payload};

	ip[8] = 64;
	ip[9] = 41;
	inet_pton(AF_INET, src, ip + 12);
	inet_pton(AF_INET, dst, ip + 16);
	packet_add(p, ip, sizeof(ip));
	packet_checksum(p);
}

void packet_ipv6(struct packet *p, const char *src, const char *dst,
		 size_t payload)
{
	uint8_t ip6[V6] = {0x60, 0, 0, 0, payload >> 8, payload, 59, 64};

	inet_pton(AF_INET6, src, ip6 + 8);
	inet_pton(AF_INET6, dst, ip6 + 24);
	packet_add(p, ip6, sizeof(ip6));
	for (size_t i = 0; i < payload; i++) {
		uint8_t octet = i * 7 + 1;

		packet_add(p, &octet, 1);
	}
}

void packet_4to6_from(struct packet *p, const char *outer, const char *src,
		      const char *dst, size_t payload)
{
	packet_ethernet(p, 0x0800);
	packet_ipv4(p, outer, LAB_SOURCE, V6 + payload);
	packet_ipv6(p, src, dst, payload);
}

void packet_4to6(struct packet *p, size_t payload)
{
	packet_4to6_from(p, LAB_HOST, LAB_HOST6, LAB_NATIVE, payload);
}

void packet_6to4(struct packet *p, size_t payload)
{
	packet_ethernet(p, 0x86dd);
	packet_ipv6(p, LAB_NATIVE, LAB_HOST6, payload);
}

/* -------- running -------- */

int lab_run_at(struct bpf_program *prog, unsigned int ifindex,
	       const struct packet *in, struct packet *out)
{
	struct __sk_buff ctx = {.ifindex = ifindex, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->octets,
		    .data_size_in = in->len, .data_out = out->octets,
		    .data_size_out = sizeof(out->octets), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts),
			 0);
	out->len = opts.data_size_out;
	return opts.retval;
}

int lab_run(struct bpf_program *prog, const struct packet *in,
	    struct packet *out)
{
	return lab_run_at(prog, lab.uplink, in, out);
}

int lab_run_xdp(const struct packet *in, struct packet *out)
{
	struct xdp_md ctx = {.data_end = in->len,
			     .ingress_ifindex = lab.uplink};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->octets,
		    .data_size_in = in->len, .data_out = out->octets,
		    .data_size_out = sizeof(out->octets), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	assert_int_equal(
		bpf_prog_test_run_opts(
			bpf_program__fd(lab.skel->progs.uplink_xdp), &opts),
		0);
	out->len = opts.data_size_out;
	return opts.retval;
}

static void counters_sum(struct relay_bpf_counters *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct relay_bpf_counters *all = calloc(cpus, sizeof(*all));

	memset(sum, 0, sizeof(*sum));
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(lab.skel->maps.counters),
				    &lab.place, all),
		0);
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < sizeof(*sum) / 8; i++)
			((uint64_t *)sum)[i] += ((uint64_t *)&all[cpu])[i];
	free(all);
}

void lab_counted(struct relay_bpf_counters *counted)
{
	struct relay_bpf_counters now;

	counters_sum(&now);
	for (size_t i = 0; i < sizeof(now) / 8; i++)
		((uint64_t *)counted)[i] = ((uint64_t *)&now)[i] -
					   ((uint64_t *)&counted_before)[i];
	counted_before = now;
}

void lab_assert_dropped(const char *what, int reason)
{
	struct relay_bpf_counters counted;

	lab_counted(&counted);
	for (int i = 0; i < RELAY_BPF_REASON_END; i++)
		if (counted.drops[i] != (i && i == reason))
			fail_msg("%s: %ju drops for reason %d, %d wanted", what,
				 (uintmax_t)counted.drops[i], i, reason);
	if (reason)
		for (int way = 0; way < RELAY_BPF_WAYS; way++)
			if (counted.ways[way].packets)
				fail_msg("%s: dropped, and crossed", what);
}

/* The identification of an encapsulated packet is made 0. */
static void drop_identification(struct packet *p)
{
	if (p->octets[12] != 0x08)
		return;
	memset(p->octets + ETH + 4, 0, 2);
	packet_checksum(p);
}

enum outcome lab_compare_xdp(const struct packet *in, bool may_go_up)
{
	static const struct packet none;
	struct relay_bpf_counters by_xdp, by_tc;
	struct packet xdp_out = none, tc_out = none;
	int xdp, tc;

	lab_counted(&by_xdp);
	xdp = lab_run_xdp(in, &xdp_out);
	lab_counted(&by_xdp);
	tc = lab_run(lab.skel->progs.uplink_ingress, in, &tc_out);
	lab_counted(&by_tc);
	switch (xdp) {
	case XDP_PASS:
		/* as it came but for what is behind it, and not counted */
		assert_true(xdp_out.len <= in->len);
		assert_memory_equal(xdp_out.octets, in->octets, xdp_out.len);
		for (size_t i = 0; i < sizeof(by_xdp) / 8; i++)
			assert_int_equal(((uint64_t *)&by_xdp)[i], 0);
		if (!may_go_up)
			assert_int_equal(tc, TC_ACT_UNSPEC);
		return UP;
	case XDP_DROP:
		assert_int_equal(tc, TC_ACT_SHOT);
		assert_memory_equal(&by_xdp, &by_tc, sizeof(by_tc));
		return DROPPED;
	case XDP_REDIRECT:
		assert_int_equal(tc, TC_ACT_REDIRECT);
		assert_memory_equal(&by_xdp, &by_tc, sizeof(by_tc));
		drop_identification(&xdp_out);
		drop_identification(&tc_out);
		/* a skb is padded by the driver */
		if (tc_out.len < ETH_ZLEN)
			tc_out.len = ETH_ZLEN;
		assert_int_equal(xdp_out.len, tc_out.len);
		assert_memory_equal(xdp_out.octets, tc_out.octets, tc_out.len);
		return CROSSED;
	}
	fail_msg("XDP: %d", xdp);
	return UP;
}

/* -------- the namespace and the maps -------- */

void lab_shell(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd) != 0) {
		fprintf(stderr, "failed: %s\n", cmd);
		exit(99);
	}
}

void lab_rule(int family, const void *prefix, unsigned int len,
	      enum relay_bpf_verdict verdict, bool add)
{
	struct relay_bpf_filter4 key4 = {32 + len, lab.place, 0};
	struct relay_bpf_filter6 key6 = {32 + len, lab.place, {0}};
	bool v4 = family == AF_INET;
	struct bpf_map *map =
		v4 ? lab.skel->maps.filter4 : lab.skel->maps.filter6;
	const void *key = v4 ? (void *)&key4 : (void *)&key6;
	uint8_t value = verdict;

	memcpy(v4 ? (void *)&key4.addr : (void *)key6.addr, prefix,
	       v4 ? 4 : 16);
	if (add)
		assert_int_equal(
			bpf_map_update_elem(bpf_map__fd(map), key, &value, 0),
			0);
	else
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(map), key), 0);
}

void lab_rules(const struct filter_rule *rules, size_t n, bool add)
{
	for (size_t i = 0; i < n; i++) {
		const struct prefix *p = &rules[i].p;
		uint32_t *octets = p->family == AF_INET ? lab.relay.octets4
							: lab.relay.octets6;
		unsigned int first = p->u.val[0], many;

		lab_rule(p->family, p->u.val, p->prefixlen,
			 (enum relay_bpf_verdict)rules[i].verdict, add);
		if (rules[i].verdict == FILTER_VERDICT_PERMIT)
			continue;
		many = p->prefixlen < 8 ? 1U << (8 - p->prefixlen) : 1;
		for (unsigned int octet = first; octet < first + many; octet++)
			octets[octet / 32] |= 1U << octet % 32;
	}
}

void lab_set_relay(void)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(lab.skel->maps.relays),
					     &lab.place, &lab.relay, 0),
			 0);
	lab.skel->data->flow_generation++;
}

static void network(void)
{
	lab_shell("ip link set lo up");
	lab_shell(
		"ip link add up0 address 02:00:00:00:00:01 type veth peer name up0p");
	lab_shell(
		"ip link add up1 address 02:00:00:00:00:03 type veth peer name up1p");
	lab_shell("ip link add relay0 type veth peer name relay0p");
	for (const char *const *name =
		     (const char *const[]){"up0", "up0p", "up1", "up1p",
					   "relay0", "relay0p", NULL};
	     *name; name++)
		lab_shell("ip link set %s up", *name);
	lab_shell("ip addr add 203.0.113.2/24 dev up0");
	lab_shell("ip addr add 203.0.114.2/24 dev up1");
	lab_shell("ip addr add 2001:db8:1::2/64 dev up0 nodad");
	lab_shell("ip addr add 2001:db8:2::2/64 dev up1 nodad");
	lab_shell("ip neigh add 203.0.113.1 lladdr 02:aa:00:00:00:01 dev up0");
	lab_shell("ip neigh add 203.0.114.1 lladdr 02:aa:00:00:00:02 dev up1");
	lab_shell(
		"ip neigh add 2001:db8:1::1 lladdr 02:aa:00:00:00:01 dev up0");
	lab_shell(
		"ip neigh add 2001:db8:2::1 lladdr 02:aa:00:00:00:02 dev up1");
	lab_shell("ip neigh add fe80::1 lladdr 02:aa:00:00:00:01 dev up0");
	lab_shell("ip route add default via 203.0.113.1");
	lab_shell("ip route add default via 2001:db8:1::1");
	lab_shell("ip route add 2002::/16 dev relay0");
	lab_shell(
		"sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
	lab.uplink = if_nametoindex("up0");
	lab.uplink2 = if_nametoindex("up1");
	lab.relay_ifindex = if_nametoindex("relay0");
}

static int load(void)
{
	cpu_set_t one;

	/* each processor knows flows of its own */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return -1;
	lab.skel = relay_bpf__open();
	if (!lab.skel)
		return -1;
	memcpy((void *)&lab.skel->rodata->probe_nonce, LAB_NONCE, 8);
	if (relay_bpf__load(lab.skel))
		return -1;
	/* tests change what the answers depend on */
	lab.skel->data->flow_lifetime_ns = 0;
	lab.place = LAB_PLACE;
	lab.relay = (struct relay_bpf_relay){
		.ifindex = lab.relay_ifindex,
		.mtu = LAB_MTU,
		.ttl = 64,
		.flags = RELAY_BPF_4TO6 | RELAY_BPF_6TO4,
	};
	inet_pton(AF_INET, LAB_SOURCE, &lab.relay.source);
	inet_pton(AF_INET, LAB_TRANSMIT, &lab.relay.transmit_source);
	lab_set_relay();
	if (bpf_map_update_elem(bpf_map__fd(lab.skel->maps.by_source),
				&lab.relay.source, &lab.place, 0) ||
	    bpf_map_update_elem(bpf_map__fd(lab.skel->maps.by_ifindex),
				&lab.relay_ifindex, &lab.place, 0))
		return -1;
	return 0;
}

int lab_open(void)
{
	if (geteuid() != 0) {
		fprintf(stderr, "skipped: not root\n");
		return 77;
	}
	if (unshare(CLONE_NEWNET) < 0) {
		perror("a network namespace");
		return 99;
	}
	network();
	if (load() < 0) {
		fprintf(stderr, "the programs can't be loaded\n");
		return 99;
	}
	return 0;
}

int lab_open_xdp(void)
{
	struct relay_bpf_uplink uplink = {.mac = LAB_UPLINK_MAC};
	int ret = lab_open();

	if (ret)
		return ret;
	lab.skel->data->xdp_up_share = 0;
	/* a device has what test runs need as soon as it has a program */
	if (bpf_xdp_attach(lab.uplink,
			   bpf_program__fd(lab.skel->progs.uplink_xdp), 0,
			   NULL) ||
	    bpf_map_update_elem(bpf_map__fd(lab.skel->maps.xdp_uplinks),
				&lab.uplink, &uplink, 0) ||
	    bpf_map_update_elem(bpf_map__fd(lab.skel->maps.xdp_devices),
				&lab.uplink, &lab.uplink, 0)) {
		perror("XDP");
		return 99;
	}
	return 0;
}

void lab_close(void)
{
	relay_bpf__destroy(lab.skel);
	lab.skel = NULL;
}
