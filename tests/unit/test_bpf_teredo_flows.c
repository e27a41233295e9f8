// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the Teredo programs keep of a packet for those that follow it, what the
 * self-test hears of its probes, and the map of peers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/capability.h>
#include <linux/pkt_cls.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf_teredo.h"

#define OUTER (ETH + TEREDO)

static int run(const struct packet *in, struct packet *out)
{
	return lab_run(lab.skel->progs.uplink_ingress, in, out);
}

/* -------- flows -------- */

static void packet(struct packet *p, bool to)
{
	if (to)
		packet_to_client(p, IPPROTO_TCP, 40);
	else
		packet_client(p, IPPROTO_TCP, 40);
}

/* The peer and the FIB are asked about once; the rest each time. */
static void test_known_flow(void **state)
{
	static const struct {
		const char *what;
		bool to;
		size_t at; /* this octet is another one */
		uint8_t octet;
		int action, reason;
	} changes[] = {
		{"hop limit", false, OUTER + 7, 1, TC_ACT_UNSPEC, 0},
		{"hop limit", true, ETH + 7, 1, TC_ACT_UNSPEC, 0},
		{"outer source", false, ETH + 15, 8, TC_ACT_SHOT,
		 RELAY_BPF_DROP_SOURCE_SPOOFED},
		{"outer port", false, ETH + V4, 7, TC_ACT_SHOT,
		 RELAY_BPF_DROP_SOURCE_SPOOFED},
		{"the other relay's port", false, ETH + V4 + 3,
		 LAB_PORT2 & 0xff, TC_ACT_UNSPEC, 0},
		{"a bubble", false, OUTER + 6, 59, TC_ACT_UNSPEC, 0},
		{"congestion", false, ETH + 1, 3, TC_ACT_SHOT,
		 RELAY_BPF_DROP_ECN},
		{"length", false, OUTER + 5, 39, TC_ACT_UNSPEC, 0},
	};
	struct packet in, other, out, first;
	int64_t rx, tx;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		bool to = changes[i].to;

		lab.skel->data->flow_generation++;
		lab.skel->data->flow_lifetime_ns = 60 * 1000 * MS;
		peer_put(LAB_CLIENT, 5000, 5000);
		packet(&in, to);
		assert_int_equal(run(&in, &first), TC_ACT_REDIRECT);
		peer_put(LAB_CLIENT, 20000, 20000);
		lab_shell("ip route del default");
		lab_shell("ip -6 route del default");
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		assert_int_equal(out.len, first.len);
		if (to)
			memcpy(out.octets + ETH + 4, first.octets + ETH + 4, 8);
		assert_memory_equal(out.octets, first.octets, first.len);
		/* not every packet writes down when it was */
		peer_get(LAB_CLIENT, &rx, &tx);
		assert_true(rx >= 20000 && tx >= 20000);
		lab_counted(&(struct relay_bpf_counters){});
		other = in;
		other.octets[changes[i].at] = changes[i].octet;
		if (!to && changes[i].at < OUTER)
			packet_checksum(&other);
		if (changes[i].octet == 59) {
			other.len -= 40;
			set16(&other, OUTER + 4, 0);
			packet_datagram(&other);
		}
		if (run(&other, &out) != changes[i].action)
			fail_msg("%s", changes[i].what);
		lab_assert_dropped(changes[i].what, changes[i].reason);
		/* a peer has gone, and the engine has said so */
		peer_del(LAB_CLIENT);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		lab.skel->data->flow_generation++;
		assert_int_equal(run(&in, &out), TC_ACT_UNSPEC);
		lab_shell("ip route add default via 203.0.113.1");
		lab_shell("ip -6 route add default via 2001:db8:1::1");
	}
	lab.skel->data->flow_lifetime_ns = 0;
}

/* What packets write down is as late as a flow lives. */
static void test_times(void **state)
{
	struct packet in, out;
	int64_t rx, tx;

	for (int to = 0; to < 2; to++) {
		packet(&in, to);
		peer_put(LAB_CLIENT, 10000, 10000);
		lab.skel->data->flow_generation++;
		lab.skel->data->flow_lifetime_ns = 50 * MS;
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		peer_put(LAB_CLIENT, 10000, 10000);
		usleep(70000);
		assert_int_equal(run(&in, &out), TC_ACT_REDIRECT);
		peer_get(LAB_CLIENT, &rx, &tx);
		assert_in_range(to ? tx : rx, 0, 500);
	}
	lab.skel->data->flow_lifetime_ns = 0;
	lab_counted(&(struct relay_bpf_counters){});
}

/* -------- probes -------- */

#define LO 1
#define OWN_PORT 36313

static struct relay_bpf_probe told;
static int ntold;

static int probe_told(void *ctx, void *data, size_t len)
{
	assert_int_equal(len, sizeof(told));
	memcpy(&told, data, sizeof(told));
	ntold++;
	return 0;
}

static char own[64], end_of_relay[64];

static void packet_probe(struct packet *p)
{
	packet_client_from(p, LAB_SOURCE, OWN_PORT, own, end_of_relay,
			   IPPROTO_UDP, 40);
	memcpy(p->octets + OUTER + V6 + 8, LAB_NONCE, 8);
	memset(p->octets, 0, 12); /* as lo has them */
}

static void run_probe(struct ring_buffer *ring, const struct packet *p, int fib,
		      unsigned int reason)
{
	struct packet out;

	ntold = 0;
	assert_int_equal(
		lab_run_at(lab.skel->progs.uplink_ingress, LO, p, &out),
		TC_ACT_SHOT);
	ring_buffer__consume(ring);
	assert_int_equal(ntold, 1);
	assert_int_equal(told.place, LAB_TEREDO);
	assert_int_equal(told.way, RELAY_BPF_WAY_4TO6);
	assert_int_equal(told.fib, fib);
	assert_int_equal(told.reason, reason);
}

static void test_probes(void **state)
{
	struct ring_buffer *ring = ring_buffer__new(
		bpf_map__fd(lab.skel->maps.probes), probe_told, NULL, NULL);
	struct packet in, out, want;
	uint8_t everything[16] = {0};

	assert_non_null(ring);
	strcpy(own, teredo_address(LAB_SOURCE, OWN_PORT));
	strcpy(end_of_relay, teredo_address(LAB_SOURCE, LAB_PORT));
	/* filters are not for probes */
	memset(lab.relay.octets4, 0xff, sizeof(lab.relay.octets4));
	memset(lab.relay.octets6, 0xff, sizeof(lab.relay.octets6));
	lab_set_relay();
	lab_rule(AF_INET, everything, 0, RELAY_BPF_DENY, true);
	lab_rule(AF_INET6, everything, 0, RELAY_BPF_DENY, true);
	lab_shell("ip -6 addr add %s/128 dev lo nodad", end_of_relay);

	/* whom the programs don't know */
	packet_probe(&in);
	run_probe(ring, &in, -1, RELAY_BPF_PASS);
	assert_memory_equal(told.packet, in.octets + ETH, sizeof(told.packet));
	peer_put(own, 0, 0);
	/* as it would have come out */
	run_probe(ring, &in, BPF_FIB_LKUP_RET_NOT_FWDED, RELAY_BPF_PASS);
	want = in;
	want.octets[OUTER + 7]--;
	assert_int_equal(told.len, V6 + 40);
	assert_memory_equal(told.packet, want.octets + OUTER, V6 + 40);
	peer_put(own, 26000, 0);
	run_probe(ring, &in, -1, RELAY_BPF_PASS);
	peer_put(own, 0, 0);
	/* what it claims is looked at all the same */
	in.octets[ETH + V4 + 1]++;
	run_probe(ring, &in, -1, RELAY_BPF_DROP_SOURCE_SPOOFED);
	packet_probe(&in);
	lab.relay.flags = RELAY_BPF_6TO4;
	lab_set_relay();
	run_probe(ring, &in, -1, RELAY_BPF_DROP_DIRECTION);
	lab.relay.flags |= RELAY_BPF_4TO6;
	lab_set_relay();

	/* without the nonce it is this host's traffic; from elsewhere the
	 * nonce means nothing */
	ntold = 0;
	in.octets[OUTER + V6 + 8]++;
	assert_int_equal(
		lab_run_at(lab.skel->progs.uplink_ingress, LO, &in, &out),
		TC_ACT_UNSPEC);
	packet_probe(&in);
	memcpy(in.octets, LAB_UPLINK_MAC, 6);
	lab_assert_dropped("probes", RELAY_BPF_PASS);
	assert_int_equal(run(&in, &out), TC_ACT_SHOT);
	lab_assert_dropped("no probe", RELAY_BPF_DROP_OUTER_SOURCE);
	/* nor is the self-test's peer anybody else's */
	packet_ethernet(&in, 0x86dd);
	packet_inner(&in, LAB_NATIVE, own, IPPROTO_UDP, 40);
	memcpy(in.octets + ETH + V6 + 8, LAB_NONCE, 8);
	assert_int_equal(run(&in, &out), TC_ACT_SHOT);
	lab_assert_dropped("to the own peer", RELAY_BPF_DROP_DESTINATION_OWN);
	ring_buffer__consume(ring);
	assert_int_equal(ntold, 0);
	ring_buffer__free(ring);

	peer_del(own);
	lab_shell("ip -6 addr del %s/128 dev lo", end_of_relay);
	lab_rule(AF_INET, everything, 0, RELAY_BPF_DENY, false);
	lab_rule(AF_INET6, everything, 0, RELAY_BPF_DENY, false);
	memset(lab.relay.octets4, 0, sizeof(lab.relay.octets4));
	memset(lab.relay.octets6, 0, sizeof(lab.relay.octets6));
	lab_set_relay();
}

/* -------- the map -------- */

#define MILLION (1 << 20)
#define BATCH 4096

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static long memory_of(int fd)
{
	char path[64], line[128];
	long octets = -1;
	FILE *fp;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	fp = fopen(path, "r");
	assert_non_null(fp);
	while (fgets(line, sizeof(line), fp))
		sscanf(line, "memlock: %ld", &octets);
	fclose(fp);
	return octets;
}

static int peers_make(uint32_t n)
{
	return bpf_map_create(BPF_MAP_TYPE_HASH, "relay_peers",
			      sizeof(struct relay_bpf_peer_key),
			      sizeof(struct relay_bpf_peer), n, NULL);
}

/* The engine's thread has no privileges. Returns 0 or what it stopped at. */
static int without_privileges(int fd)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {0};
	static struct relay_bpf_peer_key keys[BATCH];
	static struct relay_bpf_peer values[BATCH];
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	struct relay_bpf_peer one;
	uint32_t n = BATCH;

	if (syscall(SYS_setresuid, 65534, 65534, 65534) ||
	    syscall(SYS_capset, &head, none))
		return 1;
	for (uint32_t i = 0; i < BATCH; i++)
		memcpy(keys[i].octets, &i, sizeof(i));
	if (bpf_map_update_batch(fd, keys, values, &n, &opts) || n != BATCH)
		return 2;
	if (bpf_map_update_elem(fd, &keys[1], &values[1], BPF_ANY) ||
	    bpf_map_lookup_elem(fd, &keys[1], &one))
		return 3;
	n = BATCH / 2;
	if (bpf_map_delete_batch(fd, keys, &n, &opts) || n != BATCH / 2)
		return 4;
	return bpf_map_delete_elem(fd, &keys[BATCH - 1]) ? 5 : 0;
}

static void test_without_privileges(void **state)
{
	int fd = peers_make(BATCH + 1), status;
	pid_t pid;

	assert_true(fd >= 0);
	pid = fork();
	if (pid == 0)
		_exit(without_privileges(fd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

/* What `peers maximum 1048576` costs: memory that is stated in the manual, and
 * all that are promised a place have one. */
static void test_million(void **state)
{
	static struct relay_bpf_peer_key keys[BATCH];
	static struct relay_bpf_peer values[BATCH];
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	double made, began = seconds(), took = 0;
	int fd = peers_make(MILLION);
	uint32_t n;

	assert_true(fd >= 0);
	made = seconds() - began;
	for (uint32_t i = 0; i < MILLION; i += BATCH) {
		for (uint32_t j = 0; j < BATCH; j++) {
			uint64_t who = (i + j) * 0x9e3779b97f4a7c15ULL;

			memcpy(keys[j].octets, &who, sizeof(who));
		}
		n = BATCH;
		began = seconds();
		assert_int_equal(
			bpf_map_update_batch(fd, keys, values, &n, &opts), 0);
		took += seconds() - began;
		assert_int_equal(n, BATCH);
	}
	/* who has a place keeps it, who has none gets none */
	assert_int_equal(bpf_map_update_elem(fd, &keys[0], values, 0), 0);
	memset(&keys[0], 0xff, sizeof(keys[0]));
	assert_int_not_equal(bpf_map_update_elem(fd, &keys[0], values, 0), 0);
	print_message(
		"%d peers: %ld octets, made in %.3f s, filled in %.3f s\n",
		MILLION, memory_of(fd), made, took);
	assert_in_range(memory_of(fd), 1, 101L * 1000 * 1000);
	/* 0.4 s, on a machine that has nothing else to do */
	assert_true(took < 30);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_flow),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_without_privileges),
		cmocka_unit_test(test_million),
	};
	int ret = lab_open_teredo();

	if (ret == 0)
		ret = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	return ret;
}
