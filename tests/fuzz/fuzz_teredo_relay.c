// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A Teredo relay's life: packets from both sides in any order, true, forged and
 * broken ones, time that passes and jumps, a fast path that knows more than the
 * relay, and an operator.
 *
 * The input is a row of steps, an octet and what it needs each. What comes out
 * is held against RFC 4380, told here in another way: a model of each client,
 * which errs on the side of the relay.
 */
#include "fuzz.h"

#include "filter.h"
#include "teredo_packet.h"
#include "teredo_queue.h"
#include "teredo_relay.h"

#define SOURCE 0xcb007101 /* 203.0.113.1 */
#define PORT 3545
#define OWN 50000 /* port of the self-test's peer */

#define IP6_LEN 40
#define STEPS 2000

enum step {
	STEP_TO_CLIENT,
	STEP_FROM_CLIENT,
	STEP_BUBBLE,
	STEP_FORGED, /* from elsewhere than the address says */
	STEP_RAW_IPV4,
	STEP_RAW_IPV6,
	STEP_PASS,  /* tenths of a second pass, the timer runs */
	STEP_SLEEP, /* seconds pass, it does not */
	STEP_JUMP,
	STEP_CONFIGURE,
	STEP_CLEAR,
	STEP_OWN,
	STEP_OWN_PACKET,
	STEP_FAST, /* packets of a client go by the fast path */
	STEP_LOSE, /* the fast path loses a client */
	STEP_WALK,
	STEP_LAST
};

/* -------- clients, as the world knows them -------- */

#define CLIENTS 32

static struct client {
	struct in6_addr addr;
	uint32_t server, mapped;
	uint16_t port;
	/* the last valid packet of it, whoever took it; 0: none */
	int64_t heard_ms;
	/* bubbles to it since then, unless the relay may have forgotten them */
	int64_t bubble_ms;
	bool indirect, paired; /* the first of its pair; there was a second */
	unsigned int bubbles;
	bool fast;
	int64_t fast_rx, fast_tx;
} clients[CLIENTS];

static struct client own;

static struct {
	struct teredo_relay *relay;
	struct teredo_relay_config cfg;
	struct relay_bpf_relay check;
	struct filter_rule rules[FILTER_BOGONS + 2];
	bool bogons, has_own;
	int64_t now_ms;
	uint64_t evicted;
	uint32_t peers; /* as it was shown last */
	/* the packet that is being given to the relay */
	const uint8_t *given;
	size_t given_len;
	uint32_t given_src;
	uint16_t given_port;
} world;

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void client_make(struct client *c, uint32_t server, uint32_t mapped,
			uint16_t port)
{
	const struct teredo_address parts = {
		.server.s_addr = htonl(server),
		.mapped.s_addr = htonl(mapped),
		.port = port,
		.flags = port,
	};

	memset(c, 0, sizeof(*c));
	c->server = server;
	c->mapped = mapped;
	c->port = port;
	teredo_address_write(&parts, &c->addr);
}

static void clients_make(void)
{
	static const uint32_t odd[] = {
		0x0a010203, 0x7f000001, 0xc0586301, SOURCE,
		0xe0000001, 0xffffffff, 0x00000001, 0xc0a80101,
	};

	for (uint32_t i = 0; i < CLIENTS; i++) {
		uint32_t server = 0x4136e378, mapped = 0x50000000 + i * 300;

		if (i % 4 == 3)
			mapped = odd[i / 4];
		if (i % 4 == 2)
			server = odd[i / 4];
		client_make(&clients[i], server, mapped,
			    i == 29 ? 0 : 1000 + i);
	}
	client_make(&own, SOURCE, SOURCE, OWN);
}

static struct client *client_find(const void *addr)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (memcmp(&clients[i].addr, addr, 16) == 0)
			return &clients[i];
	return NULL;
}

static struct client *client_of_key(const struct relay_bpf_peer_key *key)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (memcmp(clients[i].addr.s6_addr + 4, key, 12) == 0)
			return &clients[i];
	return NULL;
}

/* RFC 4380 section 5.2.4, by hand */
static bool is_global(uint32_t addr)
{
	uint8_t a = addr >> 24, b = addr >> 16;

	if (a == 0 || a == 127 || a >= 224)
		return false;
	return !world.bogons ||
	       !(a == 10 || (a == 172 && b >= 16 && b < 32) ||
		 (a == 192 && b == 168) || (a == 169 && b == 254) ||
		 addr >> 8 == 0xc05863);
}

/* -------- ops -------- */

static void check_bubble(const uint8_t *ip6, uint32_t dst, uint16_t port)
{
	struct client *c = client_find(ip6 + 24);
	bool indirect;

	FUZZ_ASSERT(memcmp(ip6 + 8, &world.cfg.local, 16) == 0);
	FUZZ_ASSERT(get16(ip6 + 4) == 0 && ip6[6] == 59);
	if (!c)
		return;
	indirect = port == TEREDO_SERVER_PORT && dst == c->server;
	FUZZ_ASSERT(indirect || (dst == c->mapped && port == c->port));
	/* the second of a pair */
	if (c->bubbles && c->bubble_ms == world.now_ms &&
	    c->indirect != indirect && !c->paired) {
		c->paired = true;
		return;
	}
	/* section 5.2.6 */
	FUZZ_ASSERT(!c->bubbles || world.now_ms - c->bubble_ms >= 2000);
	if (c->bubbles && world.now_ms - c->bubble_ms >= 300000)
		c->bubbles = 0;
	FUZZ_ASSERT(c->bubbles < 4);
	c->bubbles++;
	c->bubble_ms = world.now_ms;
	c->indirect = indirect;
	c->paired = false;
}

static void send_udp(void *arg, struct in_addr to, uint16_t port, uint8_t tos,
		     const void *pkt, size_t len)
{
	const uint8_t *ip6 = pkt;
	uint32_t dst = ntohl(to.s_addr);
	struct client *c;

	fuzz_read(pkt, len);
	FUZZ_ASSERT(arg == &world && len >= IP6_LEN && ip6[0] >> 4 == 6);
	FUZZ_ASSERT(len == IP6_LEN + (size_t)get16(ip6 + 4));
	FUZZ_ASSERT(get32(ip6 + 24) == 0x20010000);
	if (world.has_own && memcmp(ip6 + 24, &own.addr, 16) == 0) {
		FUZZ_ASSERT(dst == SOURCE && port == OWN);
		FUZZ_ASSERT(~get32(ip6 + 20) == SOURCE);
		return;
	}
	FUZZ_ASSERT(is_global(dst) && port);
	FUZZ_ASSERT(dst != SOURCE || port == TEREDO_SERVER_PORT);
	if (memcmp(ip6 + 8, &world.cfg.local, 16) == 0) {
		check_bubble(ip6, dst, port);
		return;
	}
	/* never to an address that the packet does not name */
	FUZZ_ASSERT(~get32(ip6 + 36) == dst);
	FUZZ_ASSERT((uint16_t)~get16(ip6 + 34) == port);
	FUZZ_ASSERT(tos == (uint8_t)(ip6[0] << 4 | ip6[1] >> 4));
	/* nor to anyone who was not heard of within 30 s, section 5.2.4 */
	c = client_find(ip6 + 24);
	if (c)
		FUZZ_ASSERT(c->heard_ms && world.now_ms - c->heard_ms < 30000);
}

static void send_ipv6(void *arg, const void *pkt, size_t len)
{
	const uint8_t *ip6 = pkt, *end = world.given + world.given_len;

	/* what was given, whole, from where it says */
	FUZZ_ASSERT(world.given && ip6 >= world.given && ip6 + len <= end);
	FUZZ_ASSERT(len == IP6_LEN + (size_t)get16(ip6 + 4));
	FUZZ_ASSERT(get32(ip6 + 8) == 0x20010000);
	FUZZ_ASSERT(~get32(ip6 + 20) == world.given_src);
	FUZZ_ASSERT((uint16_t)~get16(ip6 + 18) == world.given_port);
	if (world.given_src == SOURCE) {
		FUZZ_ASSERT(world.has_own);
		FUZZ_ASSERT(memcmp(ip6 + 8, &own.addr, 16) == 0);
		FUZZ_ASSERT(get32(ip6 + 24) == 0x20010000);
		FUZZ_ASSERT(~get32(ip6 + 36) == SOURCE);
		return;
	}
	FUZZ_ASSERT(is_global(world.given_src) && world.given_port);
	FUZZ_ASSERT(get32(ip6 + 24) != 0x20010000);
	FUZZ_ASSERT(ip6[24] != 0xff || !world.bogons);
	FUZZ_ASSERT(world.check.flags & RELAY_BPF_4TO6);
}

static bool peer_activity(void *arg, const struct relay_bpf_peer_key *key,
			  int64_t *rx_ms, int64_t *tx_ms)
{
	const struct client *c = client_of_key(key);

	if (!c || !c->fast)
		return false;
	*rx_ms = c->fast_rx;
	*tx_ms = c->fast_tx;
	return true;
}

static void peer_put(void *arg, const struct relay_bpf_peer_key *key,
		     int64_t rx_ms, int64_t tx_ms)
{
	struct client *c = client_of_key(key);

	FUZZ_ASSERT(rx_ms > 0 && rx_ms <= world.now_ms);
	FUZZ_ASSERT(tx_ms >= 0 && tx_ms <= world.now_ms);
	if (!c)
		return;
	/* trusted, so it was heard of just now */
	FUZZ_ASSERT(c->heard_ms >= rx_ms);
	FUZZ_ASSERT(is_global(c->mapped) && c->mapped != SOURCE);
	c->fast = true;
	c->fast_rx = rx_ms;
	c->fast_tx = tx_ms;
}

static void peer_del(void *arg, const struct relay_bpf_peer_key *key)
{
	struct client *c = client_of_key(key);

	if (c)
		c->fast = false;
}

static void log_line(void *arg, const char *line)
{
	fuzz_read(line, strlen(line));
}

static const struct teredo_relay_ops slow_ops = {
	.send_udp = send_udp,
	.send_ipv6 = send_ipv6,
	.log = log_line,
};

static const struct teredo_relay_ops fast_ops = {
	.send_udp = send_udp,
	.send_ipv6 = send_ipv6,
	.peer_activity = peer_activity,
	.peer_put = peer_put,
	.peer_del = peer_del,
};

/* -------- what holds at any time -------- */

/* The relay may have forgotten peers, and with them when it has sent bubbles.
 */
static void forget_bubbles(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i].bubbles = 0;
}

static void check_bounds(void)
{
	struct teredo_relay_stats stats;
	uint32_t max = MAX(world.peers, world.cfg.peers_max);

	teredo_relay_stats(world.relay, world.now_ms, &stats);
	FUZZ_ASSERT(stats.peers <= max);
	FUZZ_ASSERT(stats.peers_trusted <= stats.peers);
	FUZZ_ASSERT(stats.queued_bytes <= TEREDO_QUEUES_BYTES);
	FUZZ_ASSERT(stats.queued_packets <= TEREDO_QUEUES_MAX * 8);
	world.peers = stats.peers;
	if (stats.evicted != world.evicted)
		forget_bubbles();
	world.evicted = stats.evicted;
}

/* All peers, one by one, are what is counted; and the fast path has those that
 * are trusted, no others. */
static void walk(void)
{
	struct teredo_relay_stats stats;
	struct teredo_peer_info info, again;
	uint32_t cursor = 0, n = 0, trusted = 0, queued = 0;

	while (teredo_relay_peer_next(world.relay, &cursor, world.now_ms,
				      &info)) {
		n++;
		trusted += info.state == TEREDO_PEER_TRUSTED;
		queued += info.queued;
		FUZZ_ASSERT(info.state <= TEREDO_PEER_UNREACHABLE);
		FUZZ_ASSERT(info.bubbles <= 4 && info.queued <= 8);
		FUZZ_ASSERT(!info.queued ||
			    info.state == TEREDO_PEER_UNTRUSTED);
		FUZZ_ASSERT(info.rx_age_ms < 300000 || info.tx_age_ms < 300000);
		FUZZ_ASSERT(teredo_relay_peer_find(world.relay, &info.addr,
						   world.now_ms, &again));
		FUZZ_ASSERT(memcmp(&info, &again, sizeof(info)) == 0);
		FUZZ_ASSERT(memcmp(&info.addr, &own.addr, 16) != 0 ||
			    !world.has_own);
	}
	teredo_relay_stats(world.relay, world.now_ms, &stats);
	FUZZ_ASSERT(n <= stats.peers && trusted <= stats.peers_trusted);
	FUZZ_ASSERT(queued <= stats.queued_packets);
}

static void settle(void)
{
	int calls = 0;

	while (teredo_relay_timer(world.relay, world.now_ms) == 0)
		FUZZ_ASSERT(++calls < 100);
	check_bounds();
}

/* After this nobody has anything to do. */
static void settled(void)
{
	struct teredo_relay_stats stats;

	settle();
	teredo_relay_stats(world.relay, world.now_ms, &stats);
	FUZZ_ASSERT(stats.peers <= world.cfg.peers_max);
	for (size_t i = 0; i < CLIENTS; i++) {
		struct teredo_peer_info info;

		/* one whose time is over may be on its way out */
		if (clients[i].fast &&
		    teredo_relay_peer_find(world.relay, &clients[i].addr,
					   world.now_ms, &info))
			FUZZ_ASSERT(info.state == TEREDO_PEER_TRUSTED);
	}
}

/* -------- steps -------- */

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

/* RFC 4380 section 5.4.2: heard of, as far as can be told without the filter */
static void heard(const uint8_t *ip6, uint32_t src, uint16_t port)
{
	struct client *c = client_find(ip6 + 8);

	if (!c || c->mapped != src || c->port != port)
		return;
	c->heard_ms = world.now_ms;
	c->bubbles = 0;
}

static void give_ipv4(uint8_t *buf, size_t len, uint32_t src, uint16_t port,
		      uint8_t tos)
{
	const struct in_addr from = {htonl(src)};
	struct teredo_packet pkt;

	if (teredo_packet_read(buf, len, &pkt) == 0)
		heard(pkt.ip6, src, port);
	world.given = buf;
	world.given_len = len;
	world.given_src = src;
	world.given_port = port;
	teredo_relay_from_ipv4(world.relay, world.now_ms, from, port, tos, buf,
			       len);
	world.given = NULL;
	check_bounds();
}

static void give_ipv6(uint8_t *buf, size_t len)
{
	teredo_relay_from_ipv6(world.relay, world.now_ms, buf, len);
	check_bounds();
}

static size_t packet(uint8_t *buf, const struct in6_addr *src,
		     const struct in6_addr *dst, size_t data)
{
	memset(buf, 0, IP6_LEN + data);
	buf[0] = 0x60 | data % 16;
	buf[1] = data << 4;
	buf[4] = data >> 8;
	buf[5] = data;
	buf[6] = data ? 17 : 59;
	memcpy(buf + 8, src, 16);
	memcpy(buf + 24, dst, 16);
	return IP6_LEN + data;
}

/* The other end: hosts in some networks, and what none should be. */
static struct in6_addr host(uint8_t which)
{
	struct in6_addr addr = {{{0x20, 0x01, 0x0d, 0xb8, 0, which % 8}}};

	addr.s6_addr[15] = 1;
	if (which % 32 == 31)
		addr.s6_addr[0] = 0xff;
	if (which % 32 == 30)
		addr = clients[which / 32].addr;
	return addr;
}

static void configure(uint8_t how)
{
	struct filter_rule lines[2] = {{.verdict = FILTER_VERDICT_DENY},
				       {.verdict = FILTER_VERDICT_BOGON}};
	static const uint32_t bounds[] = {1, 3, 8, 1000};
	size_t n = 0;

	str2prefix("80.0.4.0/22", &lines[0].p);
	str2prefix("192.88.99.0/24", &lines[1].p);
	world.bogons = !(how & 1);
	n += how & 2 ? 1 : 0;
	if (!n)
		lines[0] = lines[1];
	n += world.bogons;
	world.cfg.check.nrules =
		filter_table(lines, n, world.bogons, world.rules);
	world.cfg.check.rules = world.rules;
	world.cfg.check.relay = &world.check;
	world.check = (struct relay_bpf_relay){
		.source = htonl(SOURCE),
		.transmit_source = htonl(SOURCE),
		.flags = (how & 4 ? 0 : RELAY_BPF_4TO6) |
			 (how & 8 ? 0 : RELAY_BPF_6TO4),
		.udp_port = htons(PORT),
	};
	memset(world.check.octets4, 0xff, sizeof(world.check.octets4));
	memset(world.check.octets6, 0xff, sizeof(world.check.octets6));
	world.cfg.local = host(0);
	world.cfg.local.s6_addr[15] = 2;
	world.cfg.source.s_addr = htonl(SOURCE);
	world.cfg.port = PORT;
	world.cfg.peers_max = bounds[how >> 4 & 3];
	for (int way = 0; way < RELAY_BPF_WAYS; way++) {
		uint32_t rate = how & 0x40 ? 2 : 0;

		world.cfg.limits.all[way] = (struct teredo_limit){rate * 2, 8};
		world.cfg.limits.prefix[way] = (struct teredo_limit){rate, 4};
	}
}

/* Time passes, and the timer runs when it wants to. */
static void pass(int64_t ms)
{
	int64_t end = world.now_ms + ms;

	for (;;) {
		int wait = teredo_relay_timer(world.relay, world.now_ms);

		FUZZ_ASSERT(wait >= 0);
		check_bounds();
		if (world.now_ms + wait > end)
			break;
		if (wait == 0 && world.now_ms == end) {
			settle();
			break;
		}
		world.now_ms += wait;
	}
	world.now_ms = end;
}

static void fast_packets(struct client *c, uint8_t how)
{
	if (!c->fast)
		return;
	if (how & 1) {
		c->fast_rx = c->heard_ms = world.now_ms;
		/* it may not be known to the relay yet: no new count */
		c->bubbles = 0;
	}
	/* section 5.2.4: only to one that was heard of */
	if (how & 2 && world.now_ms - c->fast_rx < 25000)
		c->fast_tx = world.now_ms;
}

static void own_packet(uint8_t how)
{
	struct in6_addr end = own.addr;
	uint8_t buf[IP6_LEN + 16];
	size_t len;

	end.s6_addr[10] ^= 1;
	if (how & 1) {
		len = packet(buf, &own.addr, how & 2 ? &world.cfg.local : &end,
			     16);
		give_ipv4(buf, len, SOURCE, how & 4 ? OWN + 1 : OWN, 0);
	} else {
		len = packet(buf, how & 2 ? &world.cfg.local : &end, &own.addr,
			     16);
		if (how & 2)
			memcpy(buf + 8, &clients[0].addr, 16);
		give_ipv6(buf, len);
	}
}

static void raw(struct input *in, enum step step, struct client *c)
{
	size_t len = take(in);
	uint8_t *buf;

	len = MIN(len, in->left);
	buf = malloc(len ? len : 1);
	memcpy(buf, in->p, len);
	in->p += len;
	in->left -= len;
	if (step == STEP_RAW_IPV4)
		give_ipv4(buf, len, c->mapped, c->port, len);
	/* nobody else has the relay's own address */
	else if (len < 24 || memcmp(buf + 8, &world.cfg.local, 16) != 0)
		give_ipv6(buf, len);
	free(buf);
}

static void one_step(struct input *in)
{
	enum step step = take(in) % STEP_LAST;
	uint8_t arg = take(in);
	struct client *c = &clients[arg % CLIENTS];
	struct relay_bpf_peer_key key;
	struct in6_addr other;
	uint8_t buf[IP6_LEN + 1300];
	size_t len;

	switch (step) {
	case STEP_TO_CLIENT:
		other = host(take(in));
		len = packet(buf, &other, &c->addr, arg & 0x80 ? 1240 : 8);
		give_ipv6(buf, len);
		break;
	case STEP_FROM_CLIENT:
		other = host(take(in));
		len = packet(buf, &c->addr, &other, arg & 0x80 ? 1240 : 8);
		give_ipv4(buf, len, c->mapped, c->port, arg >> 5);
		break;
	case STEP_BUBBLE:
		len = packet(buf, &c->addr, &world.cfg.local, 0);
		give_ipv4(buf, len, c->mapped, c->port, 0);
		break;
	case STEP_FORGED:
		other = host(0);
		len = packet(buf, &c->addr, &other, arg & 0x80 ? 0 : 8);
		give_ipv4(buf, len, c->mapped + (arg & 0x40 ? 0 : 1),
			  c->port + (arg & 0x40 ? 1 : 0), 0);
		break;
	case STEP_RAW_IPV4:
	case STEP_RAW_IPV6:
		raw(in, step, c);
		break;
	case STEP_PASS:
		pass(arg * 100);
		break;
	case STEP_SLEEP:
		world.now_ms += arg * 1000;
		break;
	case STEP_JUMP:
		world.now_ms += (int64_t)arg * arg * 100000;
		break;
	case STEP_CONFIGURE:
		configure(arg);
		teredo_relay_configure(world.relay, &world.cfg, world.now_ms);
		break;
	case STEP_CLEAR:
		teredo_relay_clear(world.relay, world.now_ms);
		forget_bubbles();
		world.peers = 0;
		break;
	case STEP_OWN:
		memcpy(key.octets, own.addr.s6_addr + 4, sizeof(key.octets));
		world.has_own = arg & 1;
		teredo_relay_own_peer(world.relay, world.has_own ? &key : NULL);
		break;
	case STEP_OWN_PACKET:
		own_packet(arg);
		break;
	case STEP_FAST:
		fast_packets(c, arg >> 5);
		break;
	case STEP_LOSE:
		c->fast = false;
		break;
	case STEP_WALK:
		settled();
		walk();
		break;
	case STEP_LAST:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[16] = {1};
	struct input in = {data, size};
	struct teredo_relay_stats stats;
	bool fast;

	memset(&world, 0, sizeof(world));
	clients_make();
	/* the lower half of the clock ends now and then */
	world.now_ms = (take(&in) & 1) ? 1000 : INT64_C(0xffff0000);
	fast = take(&in) & 1;
	configure(take(&in));
	world.relay = teredo_relay_new(fast ? &fast_ops : &slow_ops, &world,
				       &world.cfg, world.now_ms, seed);
	for (int i = 0; in.left && i < STEPS; i++)
		one_step(&in);
	settled();
	walk();
	/* when all are silent, nothing is left, in no more time than it takes
	 */
	pass(8000);
	pass(302000);
	teredo_relay_stats(world.relay, world.now_ms, &stats);
	FUZZ_ASSERT(stats.peers == 0 && stats.peers_trusted == 0);
	FUZZ_ASSERT(stats.queued_packets == 0 && stats.queued_bytes == 0);
	for (size_t i = 0; i < CLIENTS; i++)
		FUZZ_ASSERT(!clients[i].fast);
	teredo_relay_free(&world.relay);
	return 0;
}
