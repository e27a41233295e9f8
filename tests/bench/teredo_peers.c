// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A Teredo relay's table of peers at its largest: what it takes, how long it
 * takes to fill, and the worst call while it is filled, aged, cut and cleared.
 *
 *     tests/bench/teredo_peers [PEERS [map]]
 *
 * The relay is teredo_relay.c itself, without its thread: packets go in, the
 * clock is told. map: the fast path's table is a real eBPF map of the kernel's,
 * kept as the engine does it; needs root. Without it there is no fast path.
 *
 * A line a figure: name, value, unit. Times are of the processor, so that what
 * else the machine does is not in them; those of "all" are by the clock on the
 * wall.
 */
#include <zebra.h>

#include <sys/resource.h>

#include <bpf/bpf.h>

#include "memory.h"

#include "relay_memory.h"
#include "teredo_fast.h"
#include "teredo_packet.h"
#include "teredo_relay.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define BATCH 64

static struct teredo_relay *relay;
static int64_t now_ms = 1000000;
static struct teredo_fast fast = {.fd = -1};
static uint64_t sent;

static double clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static double cpu_us(void)
{
	return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static void print(const char *name, double value, const char *unit)
{
	printf("%s\t%.3f\t%s\n", name, value, unit);
	fflush(stdout);
}

/* -------- ops, as the engine's -------- */

static void send_udp(void *arg, struct in_addr dst, uint16_t port, uint8_t tos,
		     const void *pkt, size_t len)
{
	sent++;
}

static void send_ipv6(void *arg, const void *pkt, size_t len)
{
	sent++;
}

static bool peer_activity(void *arg, const struct relay_bpf_peer_key *key,
			  int64_t *rx_ms, int64_t *tx_ms)
{
	return teredo_fast_activity(arg, key, rx_ms, tx_ms);
}

static void peer_put(void *arg, const struct relay_bpf_peer_key *key,
		     int64_t rx_ms, int64_t tx_ms)
{
	teredo_fast_put(arg, key, rx_ms, tx_ms);
}

static void peer_del(void *arg, const struct relay_bpf_peer_key *key)
{
	teredo_fast_del(arg, key);
}

/* -------- packets -------- */

/* Client i: all differ, and none is a bogon. */
static struct in6_addr client(uint32_t i)
{
	const struct teredo_address parts = {
		.server.s_addr = htonl(0x4136e378),
		.mapped.s_addr = htonl(0x50000000 + i / 4),
		.port = 1024 + i % 4,
	};
	struct in6_addr addr;

	teredo_address_write(&parts, &addr);
	return addr;
}

static const struct in6_addr host = {
	{{0x20, 0x01, 0x0d, 0xb8, 0, 6, [15] = 6}}};

static void from_client(uint32_t i)
{
	struct in6_addr addr = client(i);
	const struct in_addr mapped = {htonl(0x50000000 + i / 4)};
	uint8_t pkt[TEREDO_BUBBLE_LEN];

	teredo_bubble_write(pkt, &addr, &host);
	teredo_relay_from_ipv4(relay, now_ms, mapped, 1024 + i % 4, 0, pkt,
			       sizeof(pkt));
}

static void to_client(uint32_t i)
{
	struct in6_addr addr = client(i);
	uint8_t pkt[TEREDO_BUBBLE_LEN];

	teredo_bubble_write(pkt, &host, &addr);
	teredo_relay_from_ipv6(relay, now_ms, pkt, sizeof(pkt));
}

/* -------- figures -------- */

static uint32_t peers_now(void)
{
	struct teredo_relay_stats stats;

	teredo_relay_stats(relay, now_ms, &stats);
	return stats.peers;
}

static double resident(void)
{
	long pages = 0;
	FILE *fp = fopen("/proc/self/statm", "r");

	if (!fp || fscanf(fp, "%*s %ld", &pages) != 1)
		pages = 0;
	if (fp)
		fclose(fp);
	return pages * (double)sysconf(_SC_PAGESIZE);
}

/* Each of the first n clients is done to what each() does, in no order. */
static void run_all(const char *name, uint32_t n, void (*each)(uint32_t i))
{
	double wall = clock_us(CLOCK_MONOTONIC), begin = cpu_us(), worst = 0;
	double from = begin;
	char text[64];

	for (uint32_t i = 0; i < n; i++) {
		/* each once: this is a prime */
		each((uint32_t)((i * UINT64_C(2654435761)) % n));
		if (i % BATCH == BATCH - 1) {
			double to = cpu_us();

			worst = MAX(worst, to - from);
			from = to;
		}
	}
	teredo_fast_flush(&fast);
	snprintf(text, sizeof(text), "%s, each", name);
	print(text, (cpu_us() - begin) * 1000 / n, "ns");
	snprintf(text, sizeof(text), "%s, worst %d", name, BATCH);
	print(text, worst, "us");
	snprintf(text, sizeof(text), "%s, all", name);
	print(text, (clock_us(CLOCK_MONOTONIC) - wall) / 1000, "ms");
}

/* The timer until it has nothing to do at once. */
static void run_timer(const char *name)
{
	double wall = clock_us(CLOCK_MONOTONIC), worst = 0, took;
	uint64_t calls = 0;
	char text[64];
	int wait;

	do {
		double from = cpu_us();

		wait = teredo_relay_timer(relay, now_ms);
		took = cpu_us() - from;
		worst = MAX(worst, took);
		calls++;
	} while (wait == 0);
	snprintf(text, sizeof(text), "%s, worst call", name);
	print(text, worst, "us");
	snprintf(text, sizeof(text), "%s, calls", name);
	print(text, calls, "");
	snprintf(text, sizeof(text), "%s, all", name);
	print(text, (clock_us(CLOCK_MONOTONIC) - wall) / 1000, "ms");
}

static void run(uint32_t n, struct teredo_relay_config *cfg)
{
	struct teredo_relay_stats stats;
	double before = resident(), begin;

	run_all("load", n, from_client);
	teredo_relay_stats(relay, now_ms, &stats);
	print("peers", stats.peers, "");
	print("memory", stats.memory / 1e6, "MB");
	print("memory, resident", (resident() - before) / 1e6, "MB");
	print("memory, a peer", (double)stats.memory / n, "octets");
	run_all("packet to a trusted peer", n, to_client);
	run_all("packet of a trusted peer", n, from_client);

	/* all of them fall due in one second */
	now_ms += TEREDO_PEER_LIFE - 2000;
	run_timer("nothing to age");
	now_ms += 5000;
	run_timer("ageing");
	print("peers", peers_now(), "");

	run_all("load again", n, from_client);
	begin = cpu_us();
	teredo_relay_clear(relay, now_ms);
	print("clear", cpu_us() - begin, "us");
	run_timer("clearing");

	run_all("bubbles to unknown clients", n, to_client);
	now_ms += 2000;
	run_timer("bubbles again");
	cfg->peers_max = n / 2;
	begin = cpu_us();
	teredo_relay_configure(relay, cfg, now_ms);
	print("half the bound", cpu_us() - begin, "us");
	run_timer("cutting");
	print("peers", peers_now(), "");
	run_all("pushing out", n, from_client);
	print("peers", peers_now(), "");
	teredo_relay_stats(relay, now_ms, &stats);
	print("pushed out", stats.evicted, "");
}

int main(int argc, char **argv)
{
	static const uint8_t seed[16] = "not that secret";
	static const struct relay_bpf_relay check = {
		.flags = RELAY_BPF_4TO6 | RELAY_BPF_6TO4,
	};
	static struct teredo_relay_ops ops = {
		.send_udp = send_udp,
		.send_ipv6 = send_ipv6,
	};
	uint32_t n = argc > 1 ? strtoul(argv[1], NULL, 0) : TEREDO_PEERS_MAX;
	struct teredo_relay_config cfg = {
		.check.relay = &check,
		.local = host,
		.peers_max = n,
	};

	if (n < 2 || n > TEREDO_PEERS_MAX)
		return 1;
	if (argc > 2) {
		const struct rlimit rlimit = {RLIM_INFINITY, RLIM_INFINITY};

		setrlimit(RLIMIT_MEMLOCK, &rlimit);
		fast.fd =
			bpf_map_create(BPF_MAP_TYPE_HASH, "bench_peers",
				       sizeof(struct relay_bpf_peer_key),
				       sizeof(struct relay_bpf_peer), n, NULL);
		if (fast.fd < 0) {
			perror("bpf_map_create");
			return 1;
		}
		ops.peer_activity = peer_activity;
		ops.peer_put = peer_put;
		ops.peer_del = peer_del;
	}
	relay = teredo_relay_new(&ops, &fast, &cfg, now_ms, seed);
	run(n, &cfg);
	teredo_relay_free(&relay);
	return 0;
}
