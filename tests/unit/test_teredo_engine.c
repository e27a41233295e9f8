// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The thread of a Teredo relay: real sockets on lo for the clients, a
 * pair of sockets that keeps packets apart for the TUN. What becomes of a
 * packet is test_teredo_relay.c's.
 */
#include <zebra.h>

#include <fcntl.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "frr_pthread.h"
#include "libfrr.h"
#include "relay_memory.h"
#include "relay_time.h"
#include "teredo_engine.h"
#include "teredo_packet.h"
#include "tun_offload.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define WAIT_MS 5000
#define PAYLOAD "sixteen octets.."

static struct lab {
	struct teredo_engine *engine;
	int tun;    /* the host's end */
	int client; /* a client's socket */
	struct in6_addr client_addr, host_addr;
	struct sockaddr_in relay;
} lab;

#define RELAY_IP "198.51.100.1"
#define CLIENT_IP "198.51.100.2"
static struct in_addr relay_ip, client_ip;

static struct teredo_relay_config config_of(struct relay_bpf_relay *relay,
					    uint16_t port)
{
	struct teredo_relay_config cfg = {
		.check = {.relay = relay},
		.source = relay_ip,
		.port = port,
		.peers_max = 1000,
		.limits = TEREDO_LIMITS_DEFAULT,
	};

	*relay = (struct relay_bpf_relay){
		.source = relay_ip.s_addr,
		.transmit_source = relay_ip.s_addr,
		.mtu = 1280,
		.ttl = 64,
		.flags = RELAY_BPF_4TO6 | RELAY_BPF_6TO4,
		.udp_port = htons(port),
	};
	inet_pton(AF_INET6, "fe80::1", &cfg.local);
	return cfg;
}

static int udp_socket(struct in_addr ip, struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	*addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = ip};
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	assert_int_equal(
		setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)), 0);
	return fd;
}

static int tun_pair(int *other)
{
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX,
			   SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			   pair),
		0);
	*other = pair[1];
	return pair[0];
}

static int setup(void **state)
{
	struct relay_bpf_relay relay;
	struct teredo_relay_config cfg;
	struct teredo_address addr = {.mapped = client_ip};
	struct sockaddr_in client;
	int fd, ret = 0;

	frr_is_after_fork = true;
	fd = udp_socket(relay_ip, &lab.relay);
	cfg = config_of(&relay, ntohs(lab.relay.sin_port));
	lab.engine = teredo_engine_start("test", &cfg, &ret);
	assert_non_null(lab.engine);
	assert_int_equal(teredo_engine_set_udp(lab.engine, fd), 0);
	assert_int_equal(teredo_engine_set_tun(lab.engine, tun_pair(&lab.tun)),
			 0);
	lab.client = udp_socket(client_ip, &client);
	addr.server = client_ip;
	addr.port = ntohs(client.sin_port);
	teredo_address_write(&addr, &lab.client_addr);
	inet_pton(AF_INET6, "2001:db8::6", &lab.host_addr);
	return 0;
}

static int teardown(void **state)
{
	teredo_engine_stop(&lab.engine);
	assert_null(lab.engine);
	close(lab.tun);
	close(lab.client);
	return 0;
}

static size_t packet(uint8_t *pkt, const struct in6_addr *src,
		     const struct in6_addr *dst)
{
	memset(pkt, 0, 40);
	pkt[0] = 0x60;
	pkt[5] = sizeof(PAYLOAD) - 1;
	pkt[6] = 253; /* RFC 3692: for experiments */
	pkt[7] = 64;
	memcpy(pkt + 8, src, 16);
	memcpy(pkt + 24, dst, 16);
	memcpy(pkt + 40, PAYLOAD, sizeof(PAYLOAD) - 1);
	return 40 + sizeof(PAYLOAD) - 1;
}

static void client_sends(void)
{
	uint8_t pkt[128];
	size_t len = packet(pkt, &lab.client_addr, &lab.host_addr);

	assert_int_equal(sendto(lab.client, pkt, len, 0,
				(struct sockaddr *)&lab.relay,
				sizeof(lab.relay)),
			 len);
}

static void host_sends(void)
{
	uint8_t pkt[128] = {};
	size_t len = TUN_HEADER_LEN + packet(pkt + TUN_HEADER_LEN,
					     &lab.host_addr, &lab.client_addr);

	assert_int_equal(write(lab.tun, pkt, len), len);
}

static ssize_t take(int fd, uint8_t *buf, size_t len)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, WAIT_MS) == 1 ? read(fd, buf, len) : -1;
}

static void test_both_ways(void **state)
{
	struct teredo_relay_stats stats;
	struct teredo_peer_info peer;
	uint8_t got[128], want[128];
	size_t len;

	client_sends();
	len = packet(want, &lab.client_addr, &lab.host_addr);
	assert_int_equal(take(lab.tun, got, sizeof(got)), TUN_HEADER_LEN + len);
	assert_memory_equal(got + TUN_HEADER_LEN, want, len);
	host_sends();
	len = packet(want, &lab.host_addr, &lab.client_addr);
	assert_int_equal(take(lab.client, got, sizeof(got)), len);
	assert_memory_equal(got, want, len);

	assert_int_equal(
		teredo_engine_find(lab.engine, &lab.client_addr, &peer), 0);
	assert_int_equal(peer.state, TEREDO_PEER_TRUSTED);
	assert_int_equal(teredo_engine_stats(lab.engine, &stats), 0);
	assert_int_equal(stats.peers, 1);
	assert_int_equal(stats.counters.ways[RELAY_BPF_WAY_4TO6].packets, 1);
	assert_int_equal(stats.counters.ways[RELAY_BPF_WAY_6TO4].packets, 1);
	assert_true(teredo_engine_answers(lab.engine));
}

/* A TCP packet of many segments is cut, and leaves as datagrams of their own in
 * their order. */
static void test_segments(void **state)
{
	const size_t headers = 60, mss = 1220, segments = 40;
	const size_t len = headers + mss * segments - 100;
	struct virtio_net_hdr head = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = headers,
		.gso_size = mss,
		.csum_start = 40,
		.csum_offset = 16,
	};
	uint8_t *buf = calloc(1, TUN_HEADER_LEN + len), got[2000];
	uint8_t *pkt = buf + TUN_HEADER_LEN;

	client_sends();
	assert_true(take(lab.tun, got, sizeof(got)) > 0);
	memcpy(buf, &head, sizeof(head));
	packet(pkt, &lab.host_addr, &lab.client_addr);
	pkt[4] = (len - 40) >> 8;
	pkt[5] = (len - 40) & 0xff;
	pkt[6] = 6;
	pkt[52] = 5 << 4;
	for (size_t i = headers; i < len; i++)
		pkt[i] = i / mss;
	assert_int_equal(write(lab.tun, buf, TUN_HEADER_LEN + len),
			 TUN_HEADER_LEN + len);
	for (size_t i = 0; i < segments; i++) {
		size_t data = i == segments - 1 ? mss - 100 : mss;

		assert_int_equal(take(lab.client, got, sizeof(got)),
				 headers + data);
		assert_int_equal(got[4] << 8 | got[5], 20 + data);
		assert_memory_equal(got + headers, pkt + headers + i * mss,
				    data);
	}
	free(buf);
}

/* The peers stay when the descriptors are others; those of before are closed.
 */
static void test_other_descriptors(void **state)
{
	uint8_t got[128];
	int former = lab.tun;

	client_sends();
	assert_true(take(lab.tun, got, sizeof(got)) > 0);
	assert_int_equal(teredo_engine_set_tun(lab.engine, tun_pair(&lab.tun)),
			 0);
	assert_int_equal(take(former, got, sizeof(got)), 0);
	close(former);
	host_sends();
	assert_true(take(lab.client, got, sizeof(got)) > 0);
	client_sends();
	assert_true(take(lab.tun, got, sizeof(got)) > 0);
}

/* What can't be read is told, and the thread does not spin on it. */
static void test_broken_descriptor(void **state)
{
	struct timespec cpu[2];
	struct pollfd nothing;
	int pair[2];

	assert_int_equal(pipe(pair), 0);
	close(pair[1]);
	/* a pipe without a writer is always readable: its end */
	assert_int_equal(teredo_engine_set_tun(lab.engine, pair[0]), 0);
	for (int i = 0;
	     i < WAIT_MS / 10 && teredo_engine_tun_error(lab.engine) == 0; i++)
		poll(&nothing, 0, 10);
	assert_true(teredo_engine_tun_error(lab.engine) < 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[0]);
	poll(&nothing, 0, 300);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[1]);
	assert_true((cpu[1].tv_sec - cpu[0].tv_sec) * 1000 +
			    (cpu[1].tv_nsec - cpu[0].tv_nsec) / 1000000 <
		    150);
	assert_true(teredo_engine_answers(lab.engine));
	/* and is forgotten with the descriptor */
	assert_int_equal(teredo_engine_set_tun(lab.engine, -1), 0);
	assert_int_equal(teredo_engine_tun_error(lab.engine), 0);
}

static void *flood(void *arg)
{
	volatile bool *stop = arg;

	while (!*stop)
		client_sends();
	return NULL;
}

/* The engine never has a moment's rest, and the main thread has its turn. */
static void test_main_thread_has_its_turn(void **state)
{
	static volatile bool stop;
	struct teredo_relay_stats stats;
	pthread_t flooder;
	unsigned int busy = 0;
	int64_t until;

	stop = false;
	assert_int_equal(pthread_create(&flooder, NULL, flood, (void *)&stop),
			 0);
	until = relay_now_us() + 1000000;
	while (relay_now_us() < until)
		if (teredo_engine_stats(lab.engine, &stats) < 0)
			busy++;
	stop = true;
	pthread_join(flooder, NULL);
	assert_true(stats.counters.ways[RELAY_BPF_WAY_4TO6].packets > 1000);
	assert_int_equal(busy, 0);
	assert_true(teredo_engine_answers(lab.engine));
}

/* A thread that hangs, here in a write that waits: it is known, the main thread
 * goes on, and so does the engine when it can. */
static void test_hang(void **state)
{
	struct teredo_relay_stats stats;
	struct pollfd nothing;
	uint8_t got[128];
	int64_t asked;
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(teredo_engine_set_tun(lab.engine, pair[0]), 0);
	/* more than the pair has room for */
	for (int i = 0; i < 5000; i++)
		client_sends();
	for (int i = 0; i < 500 && teredo_engine_answers(lab.engine); i++)
		poll(&nothing, 0, 10);
	assert_false(teredo_engine_answers(lab.engine));
	asked = relay_now_us();
	assert_int_equal(teredo_engine_stats(lab.engine, &stats), -EBUSY);
	assert_in_range(relay_now_us() - asked, 50000, 1000000);
	while (!teredo_engine_answers(lab.engine))
		assert_true(read(pair[1], got, sizeof(got)) > 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	while (teredo_engine_stats(lab.engine, &stats) < 0)
		assert_true(read(pair[1], got, sizeof(got)) > 0);
	assert_int_equal(teredo_engine_set_tun(lab.engine, -1), 0);
	close(pair[1]);
}

static void test_clear(void **state)
{
	struct teredo_peer_info peer;
	uint8_t got[128];
	uint32_t cursor = 0;

	client_sends();
	assert_true(take(lab.tun, got, sizeof(got)) > 0);
	assert_int_equal(teredo_engine_peers(lab.engine, &cursor, &peer, 1), 1);
	assert_memory_equal(&peer.addr, &lab.client_addr, sizeof(peer.addr));
	assert_int_equal(teredo_engine_clear(lab.engine), 0);
	assert_int_equal(
		teredo_engine_find(lab.engine, &lab.client_addr, &peer),
		-ENOENT);
	cursor = 0;
	assert_int_equal(teredo_engine_peers(lab.engine, &cursor, &peer, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_segments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_descriptors, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_broken_descriptor, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_main_thread_has_its_turn,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_hang, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clear, setup, teardown),
	};

	inet_pton(AF_INET, RELAY_IP, &relay_ip);
	inet_pton(AF_INET, CLIENT_IP, &client_ip);
	/* addresses that a host may have, in a network of this test's own */
	if (unshare(CLONE_NEWNET) < 0 || system("ip link set lo up") ||
	    system("ip address add " RELAY_IP "/32 dev lo") ||
	    system("ip address add " CLIENT_IP "/32 dev lo")) {
		perror("a network namespace");
		return 1;
	}
	frr_pthread_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
