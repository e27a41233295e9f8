// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * relayd's Teredo engine with very many peers; tests/bench/teredo tells it what
 * to do.
 *
 * million PEERS SOURCE CLIENT
 *
 *   The engine, with its thread, a UDP socket at SOURCE:3545, a map of peers as
 *   the eBPF programs have it, and one end of a socket pair for a TUN. No limit
 *   of new peers. A client at CLIENT:40000, an address of this host, and a
 *   native host send a packet a millisecond to and fro through it. Prints
 *   "ready", and for each line on its standard input what has been since the
 *   last: {"peers":N,"trusted":N,"engine_ns":N,"rss":N,"table":N,"map":N,
 *   "sent":N,"back":N,"worst_us":N,"median_us":N}
 */
#include <zebra.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <netinet/ip6.h>
#include <bpf/bpf.h>

#include "frr_pthread.h"
#include "frrcu.h"
#include "log.h"
#include "relay_memory.h"
#include "teredo_engine.h"
#include "teredo_packet.h"
#include "tun_offload.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define PORT 3545
#define CLIENT_PORT 40000
#define ROOM (4 << 20)
#define PERIOD_NS 1000000
#define SAMPLES (1 << 20)

static struct relay_bpf_relay relay = {
	.mtu = 1280,
	.flags = RELAY_BPF_4TO6 | RELAY_BPF_6TO4,
	.ttl = 64,
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "million: %s: %s\n", what, strerror(abs(error)));
	return 1;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* As frrd-relay/tunnel_bpf_place.c makes it. */
static int make_map(uint32_t peers)
{
	return bpf_map_create(BPF_MAP_TYPE_HASH, "million",
			      sizeof(struct relay_bpf_peer_key),
			      sizeof(struct relay_bpf_peer), peers, NULL);
}

static void make_config(struct teredo_relay_config *cfg, uint32_t peers,
			struct in_addr source)
{
	relay.source = relay.transmit_source = source.s_addr;
	relay.udp_port = htons(PORT);
	*cfg = (struct teredo_relay_config){
		.check.relay = &relay,
		.source = source,
		.port = PORT,
		.peers_max = peers,
	};
	inet_pton(AF_INET6, "fe80::1", &cfg->local);
}

static void client_address(struct in_addr mapped, uint16_t port,
			   struct in6_addr *out)
{
	struct teredo_address addr = {
		.server.s_addr = htonl(0xc0000221), /* 192.0.2.33 */
		.mapped = mapped,
		.port = port,
	};

	teredo_address_write(&addr, out);
}

/* -------- the packets to and fro -------- */

struct flow {
	pthread_mutex_t lock;
	int udp, tun;
	struct sockaddr_in to;
	struct in6_addr client, host;
	uint64_t sent, back;
	uint32_t us[SAMPLES];
	size_t n;
};

struct flow_packet {
	struct ip6_hdr ip6;
	int64_t ns;
};

static void *flow_send(void *arg)
{
	struct flow *f = arg;
	struct flow_packet pkt = {
		.ip6.ip6_flow = htonl(6 << 28),
		.ip6.ip6_plen = htons(sizeof(pkt.ns)),
		/* experimental, RFC 3692 */
		.ip6.ip6_nxt = 253,
		.ip6.ip6_hlim = 64,
		.ip6.ip6_src = f->client,
		.ip6.ip6_dst = f->host,
	};
	int64_t next = now_ns();

	while (true) {
		struct timespec until;

		next += PERIOD_NS;
		until.tv_sec = next / 1000000000;
		until.tv_nsec = next % 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		/* from when it was due: a stall is not to be missed */
		pkt.ns = next;
		if (sendto(f->udp, &pkt, sizeof(pkt), 0,
			   (struct sockaddr *)&f->to, sizeof(f->to)) < 0)
			continue;
		pthread_mutex_lock(&f->lock);
		f->sent++;
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

/* The native host. */
static void *flow_host(void *arg)
{
	struct flow *f = arg;
	struct {
		struct virtio_net_hdr header;
		struct flow_packet pkt;
	} __attribute__((packed)) tun;

	while (true) {
		ssize_t len = recv(f->tun, &tun, sizeof(tun), 0);

		if (len != sizeof(tun) || tun.pkt.ip6.ip6_nxt != 253)
			continue;
		tun.header = (struct virtio_net_hdr){};
		tun.pkt.ip6.ip6_src = f->host;
		tun.pkt.ip6.ip6_dst = f->client;
		send(f->tun, &tun, sizeof(tun), 0);
	}
	return NULL;
}

static void *flow_receive(void *arg)
{
	struct flow *f = arg;
	struct flow_packet pkt;

	while (true) {
		ssize_t len = recv(f->udp, &pkt, sizeof(pkt), 0);

		if (len != sizeof(pkt) || pkt.ip6.ip6_nxt != 253)
			continue;
		pthread_mutex_lock(&f->lock);
		f->back++;
		if (f->n < SAMPLES)
			f->us[f->n++] = (now_ns() - pkt.ns) / 1000;
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

static int udp_socket(struct in_addr addr, uint16_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr = addr,
		.sin_port = htons(port),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = ROOM;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		return -errno;
	return fd;
}

static int by_size(const void *va, const void *vb)
{
	const uint32_t *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

/* -------- the engine -------- */

/* A number behind a word in a file of /proc; 0: it is not there. */
static unsigned long long number(const char *path, const char *word)
{
	unsigned long long value = 0;
	FILE *f = fopen(path, "r");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, word, strlen(word)))
			value = strtoull(line + strlen(word), NULL, 10);
	if (f)
		fclose(f);
	return value;
}

/* The engine's thread, while there is no other; frr_pthread tells nobody its
 * number. */
static int engine_thread(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	int found = 0, tid;

	while (dir && (entry = readdir(dir))) {
		tid = atoi(entry->d_name);
		if (tid && tid != getpid())
			found = tid;
	}
	if (dir)
		closedir(dir);
	return found;
}

static void report(struct teredo_engine *engine, int tid, int map,
		   struct flow *f)
{
	struct teredo_relay_stats stats = {};
	uint32_t *us = NULL;
	uint64_t sent, back;
	char path[64];
	size_t n;

	while (teredo_engine_stats(engine, &stats) < 0)
		;
	pthread_mutex_lock(&f->lock);
	n = f->n;
	sent = f->sent;
	back = f->back;
	if (n) {
		us = malloc(n * sizeof(*us));
		memcpy(us, f->us, n * sizeof(*us));
	}
	f->n = f->sent = f->back = 0;
	pthread_mutex_unlock(&f->lock);
	if (n)
		qsort(us, n, sizeof(*us), by_size);
	printf("{\"peers\":%u,\"trusted\":%u,\"table\":%zu,", stats.peers,
	       stats.peers_trusted, stats.memory);
	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	printf("\"engine_ns\":%llu,", number(path, ""));
	printf("\"rss\":%llu,", number("/proc/self/status", "VmRSS:") * 1024);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map);
	printf("\"map\":%llu,", number(path, "memlock:"));
	printf("\"sent\":%" PRIu64 ",\"back\":%" PRIu64
	       ",\"median_us\":%u,\"worst_us\":%u}\n",
	       sent, back, n ? us[n / 2] : 0, n ? us[n - 1] : 0);
	fflush(stdout);
	free(us);
}

static void forget(void)
{
}

int main(int argc, char **argv)
{
	static struct flow f = {.lock = PTHREAD_MUTEX_INITIALIZER};
	uint32_t peers;
	struct in_addr source = {}, client = {};
	struct teredo_relay_config cfg;
	struct teredo_engine *engine;
	int pair[2], map, udp, err, tid;
	pthread_t threads[3];
	char line[16];

	if (argc != 4 || inet_pton(AF_INET, argv[2], &source) != 1 ||
	    inet_pton(AF_INET, argv[3], &client) != 1) {
		fprintf(stderr, "usage: million PEERS SOURCE CLIENT\n");
		return 2;
	}
	peers = strtoul(argv[1], NULL, 10);
	f.to = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = source,
		.sin_port = htons(PORT),
	};
	client_address(client, CLIENT_PORT, &f.client);
	inet_pton(AF_INET6, "2001:db8:6::6", &f.host);
	f.udp = udp_socket(client, CLIENT_PORT);
	udp = udp_socket(source, PORT);
	if (f.udp < 0 || udp < 0)
		return fail("socket", f.udp < 0 ? f.udp : udp);
	map = make_map(peers);
	if (map < 0)
		return fail("map", errno);
	/* a packet a read, as of a TUN */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail("socket pair", errno);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	fcntl(udp, F_SETFL, O_NONBLOCK);
	f.tun = pair[0];

	frr_pthread_init();
	make_config(&cfg, peers, source);
	engine = teredo_engine_start("million", &cfg, &err);
	if (!engine)
		return fail("engine", err);
	tid = engine_thread();
	if (teredo_engine_set_fast(engine, map, forget) < 0 ||
	    teredo_engine_set_tun(engine, pair[1]) < 0 ||
	    teredo_engine_set_udp(engine, udp) < 0)
		return fail("engine", EBUSY);
	if (pthread_create(&threads[0], NULL, flow_receive, &f) ||
	    pthread_create(&threads[1], NULL, flow_host, &f) ||
	    pthread_create(&threads[2], NULL, flow_send, &f))
		return fail("thread", EAGAIN);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		report(engine, tid, map, &f);
	/* the threads end with the process */
	return 0;
}
