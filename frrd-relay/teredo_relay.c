// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "memory.h"
#include "printfrr.h"

#include "octets.h"
#include "relay_memory.h"
#include "slow_check.h"
#include "teredo_packet.h"
#include "teredo_relay_private.h"

DEFINE_MTYPE_STATIC(RELAYD, TEREDO_RELAY, "Teredo relay");

#define IP6_LEN 40u
#define LOG_LINES 50 /* a second */

/* -------- packets -------- */

static struct relay_bpf_peer_key peer_key(const union relay_ipv6 *addr)
{
	struct relay_bpf_peer_key key;

	memcpy(key.octets, addr->octets + 4, sizeof(key.octets));
	return key;
}

void teredo_relay_address(const struct relay_bpf_peer_key *key,
			  struct in6_addr *addr)
{
	static const uint8_t prefix[4] = {0x20, 0x01, 0, 0};

	memcpy(addr->s6_addr, prefix, sizeof(prefix));
	memcpy(addr->s6_addr + 4, key->octets, sizeof(key->octets));
}

/* -------- what is counted and told -------- */

static void drop(struct teredo_relay *relay, enum relay_bpf_reason reason)
{
	relay->stats.counters.drops[reason]++;
}

static void crossed(struct teredo_relay *relay, enum relay_bpf_way way,
		    size_t len)
{
	relay->stats.counters.ways[way].packets++;
	relay->stats.counters.ways[way].bytes += len;
}

bool teredo_relay_logs(const struct teredo_relay *relay)
{
	return relay->ops->log != NULL;
}

void teredo_relay_log(struct teredo_relay *relay, int64_t now_ms,
		      const char *format, ...)
{
	char line[256];
	va_list ap;

	if (!relay->ops->log)
		return;
	if (now_ms / 1000 != relay->log_ms / 1000) {
		relay->log_ms = now_ms;
		relay->log_lines = 0;
	}
	if (relay->log_lines++ >= LOG_LINES)
		return;
	va_start(ap, format);
	vsnprintfrr(line, sizeof(line), format, ap);
	va_end(ap);
	relay->ops->log(relay->arg, line);
}

/* -------- to a client, RFC 4380 section 5.4.1 -------- */

enum relay_bpf_reason teredo_relay_may_ask(const struct teredo_relay *relay,
					   const struct in6_addr *addr)
{
	const struct relay_check_ctx ctx = {.slow = &relay->cfg.check};
	union relay_ipv6 dst;

	memcpy(dst.octets, addr, sizeof(dst.octets));
	return relay_check_teredo_server(&ctx, relay->cfg.check.relay, &dst);
}

enum relay_bpf_reason teredo_relay_may_send(const struct teredo_relay *relay,
					    const struct in6_addr *addr)
{
	const struct relay_check_ctx ctx = {.slow = &relay->cfg.check};
	const struct relay_bpf_relay *own = relay->cfg.check.relay;
	union relay_ipv6 dst;
	__be32 mapped;

	memcpy(dst.octets, addr, sizeof(dst.octets));
	mapped = relay_teredo_mapped(&dst);
	if (mapped == own->source)
		return RELAY_BPF_DROP_DESTINATION_OWN;
	if (!relay_teredo_port(&dst))
		return RELAY_BPF_DROP_DESTINATION;
	return relay_check_host(&ctx, own, mapped, RELAY_BPF_DROP_DESTINATION);
}

/* To where an address says. */
static void send_mapped(struct teredo_relay *relay, const struct in6_addr *addr,
			const uint8_t *pkt, size_t len)
{
	struct teredo_address to;

	teredo_address_read(addr, &to);
	relay->ops->send_udp(relay->arg, to.mapped, to.port,
			     slow_traffic_class(pkt), pkt, len);
}

void teredo_relay_send(struct teredo_relay *relay,
		       const struct relay_bpf_peer_key *key, const uint8_t *pkt,
		       size_t len)
{
	struct in6_addr addr;

	teredo_relay_address(key, &addr);
	send_mapped(relay, &addr, pkt, len);
	crossed(relay, RELAY_BPF_WAY_6TO4, len);
}

static bool is_own_key(const struct teredo_relay *relay,
		       const struct relay_bpf_peer_key *key)
{
	return relay->has_own && memcmp(key, &relay->own, sizeof(*key)) == 0;
}

/* The relay's end of the self-test: a Teredo address at its own source. */
static bool is_own_end(const struct teredo_relay *relay,
		       const union relay_ipv6 *addr)
{
	return relay_is_teredo(addr) &&
	       relay_teredo_mapped(addr) == relay->cfg.source.s_addr;
}

/* False: the peer is not to be trusted any more. */
static bool send_trusted(struct teredo_relay *relay, uint32_t n, int64_t now_ms,
			 const uint8_t *pkt, size_t len)
{
	struct teredo_peer *peer = teredo_peers_at(relay->peers, n);
	uint32_t now = now_ms, age = now - peer->rx;

	if (age >= PEER_REFRESH) {
		teredo_relay_peer_learn(relay, n, now_ms);
		age = now - peer->rx;
	}
	if (age >= PEER_VALID)
		return false;
	teredo_relay_send(relay, &peer->key, pkt, len);
	teredo_relay_peer_sent(relay, n, now_ms);
	if (age >= PEER_REFRESH)
		teredo_relay_peer_bubble(relay, n, now_ms);
	return true;
}

static void forward_to_client(struct teredo_relay *relay, int64_t now_ms,
			      const union relay_ipv6 *src,
			      const union relay_ipv6 *dst, const uint8_t *pkt,
			      size_t len)
{
	struct relay_bpf_peer_key key = peer_key(dst);
	uint32_t n = teredo_relay_lookup(relay, &key, now_ms);
	enum relay_bpf_reason reason;

	if (n != TEREDO_NO_PEER &&
	    teredo_peers_at(relay->peers, n)->state == TEREDO_PEER_TRUSTED) {
		if (send_trusted(relay, n, now_ms, pkt, len))
			return;
		teredo_relay_peer_distrust(relay, n);
		teredo_peers_file(relay->peers, n, now_ms);
	}
	reason = teredo_relay_may_ask(relay, (const struct in6_addr *)dst);
	if (reason != RELAY_BPF_PASS) {
		drop(relay, reason);
		return;
	}
	if (n == TEREDO_NO_PEER)
		n = teredo_relay_peer_make(relay, &key, RELAY_BPF_WAY_6TO4, src,
					   now_ms);
	if (n != TEREDO_NO_PEER)
		teredo_relay_peer_connect(relay, n, pkt, len, now_ms);
}

void teredo_relay_from_ipv6(struct teredo_relay *relay, int64_t now_ms,
			    uint8_t *buf, size_t len)
{
	const struct relay_check_ctx ctx = {.slow = &relay->cfg.check};
	union relay_ipv6 src, dst;
	struct relay_bpf_peer_key key;
	enum relay_bpf_reason reason;

	if (len < IP6_LEN || buf[0] >> 4 != 6 ||
	    IP6_LEN + get16(buf + 4) > len) {
		drop(relay, RELAY_BPF_DROP_MALFORMED);
		return;
	}
	len = IP6_LEN + get16(buf + 4);
	slow_addresses(buf, &src, &dst);
	/* what the kernel says on each of its links is to no client */
	if (!relay_is_teredo(&dst))
		return;
	key = peer_key(&dst);
	if (is_own_key(relay, &key) && is_own_end(relay, &src)) {
		send_mapped(relay, (const struct in6_addr *)&dst, buf, len);
		return;
	}
	reason = relay_check_teredo_6to4(&ctx, relay->cfg.check.relay, &src,
					 &dst);
	if (reason == RELAY_BPF_PASS)
		forward_to_client(relay, now_ms, &src, &dst, buf, len);
	else
		drop(relay, reason);
}

/* -------- from a client, section 5.4.2 -------- */

/* The peer that the packet is of, whose source was checked. False: it is not to
 * be forwarded. */
static bool hear(struct teredo_relay *relay, int64_t now_ms, struct in_addr src,
		 const struct relay_bpf_peer_key *key, bool make)
{
	uint32_t n = teredo_relay_lookup(relay, key, now_ms);

	if (n == TEREDO_NO_PEER && make)
		n = teredo_relay_peer_make(relay, key, RELAY_BPF_WAY_4TO6, &src,
					   now_ms);
	if (n == TEREDO_NO_PEER)
		return false;
	teredo_relay_peer_heard(relay, n, now_ms);
	return true;
}

static bool direction_is_on(const struct teredo_relay *relay)
{
	return relay->cfg.check.relay->flags & RELAY_BPF_4TO6;
}

static void from_client(struct teredo_relay *relay, int64_t now_ms,
			struct in_addr outer, uint8_t tos,
			const struct teredo_packet *pkt,
			enum relay_bpf_reason reason,
			const struct relay_bpf_peer_key *key)
{
	bool forward;

	/* for nobody but the relay, who it was sent to does not matter */
	if (pkt->bubble && reason == RELAY_BPF_DROP_DESTINATION)
		reason = RELAY_BPF_PASS;
	if (reason == RELAY_BPF_PASS && !pkt->bubble && !direction_is_on(relay))
		reason = RELAY_BPF_DROP_DIRECTION;
	forward = reason == RELAY_BPF_PASS;
	/* the peer is first: it has been heard of even if what it sends goes
	 * nowhere. Whoever sends only that does not become one. */
	if (forward || reason == RELAY_BPF_DROP_DESTINATION ||
	    reason == RELAY_BPF_DROP_DIRECTION)
		forward = hear(relay, now_ms, outer, key, forward) && forward;
	if (reason != RELAY_BPF_PASS) {
		drop(relay, reason);
		return;
	}
	if (pkt->bubble) {
		relay->stats.bubbles_in++;
		return;
	}
	if (!forward)
		return;
	if (!slow_decapsulate_ecn(tos, pkt->ip6)) {
		drop(relay, RELAY_BPF_DROP_ECN);
		return;
	}
	crossed(relay, RELAY_BPF_WAY_4TO6, pkt->ip6_len);
	relay->ops->send_ipv6(relay->arg, pkt->ip6, pkt->ip6_len);
}

void teredo_relay_from_ipv4(struct teredo_relay *relay, int64_t now_ms,
			    struct in_addr src, uint16_t port, uint8_t tos,
			    uint8_t *buf, size_t len)
{
	struct relay_check_ctx ctx = {.slow = &relay->cfg.check};
	struct relay_bpf_peer_key key;
	enum relay_bpf_reason reason;
	union relay_ipv6 from, to;
	struct teredo_packet pkt;

	if (teredo_packet_read(buf, len, &pkt) < 0) {
		drop(relay, RELAY_BPF_DROP_MALFORMED);
		return;
	}
	slow_addresses(pkt.ip6, &from, &to);
	key = peer_key(&from);
	ctx.own = relay_is_teredo(&from) && is_own_key(relay, &key) &&
		  is_own_end(relay, &to);
	/* with any direction: a transmitting relay has to hear its peers too */
	reason = relay_check_teredo_4to6(&ctx, &relay->both_ways, src.s_addr,
					 htons(port), &from, &to);
	if (!ctx.own)
		from_client(relay, now_ms, src, tos, &pkt, reason, &key);
	else if (reason == RELAY_BPF_PASS)
		relay->ops->send_ipv6(relay->arg, pkt.ip6, pkt.ip6_len);
}

/* -------- life -------- */

static void configure(struct teredo_relay *relay,
		      const struct teredo_relay_config *cfg)
{
	relay->cfg = *cfg;
	relay->cfg.peers_max =
		MIN(MAX(cfg->peers_max, 1u), (uint32_t)TEREDO_PEERS_MAX);
	relay->both_ways = *cfg->check.relay;
	relay->both_ways.flags |= RELAY_BPF_4TO6 | RELAY_BPF_6TO4;
}

struct teredo_relay *teredo_relay_new(const struct teredo_relay_ops *ops,
				      void *arg,
				      const struct teredo_relay_config *cfg,
				      int64_t now_ms, const uint8_t seed[16])
{
	struct teredo_relay *relay =
		XCALLOC(MTYPE_TEREDO_RELAY, sizeof(*relay));

	relay->ops = ops;
	relay->arg = arg;
	memcpy(relay->seed, seed, sizeof(relay->seed));
	configure(relay, cfg);
	relay->peers = teredo_peers_new(seed, now_ms);
	relay->queues = teredo_queues_new();
	relay->limiter = teredo_limiter_new(&cfg->limits, seed, now_ms);
	return relay;
}

void teredo_relay_free(struct teredo_relay **relayp)
{
	struct teredo_relay *relay = *relayp;

	if (!relay)
		return;
	teredo_queues_free(&relay->queues);
	teredo_relay_bury_all(relay);
	teredo_peers_free(&relay->peers);
	teredo_limiter_free(&relay->limiter);
	XFREE(MTYPE_TEREDO_RELAY, *relayp);
}

void teredo_relay_configure(struct teredo_relay *relay,
			    const struct teredo_relay_config *cfg,
			    int64_t now_ms)
{
	/* what clients and their NATs know is the former one */
	if (cfg->source.s_addr != relay->cfg.source.s_addr ||
	    cfg->port != relay->cfg.port)
		teredo_relay_clear(relay, now_ms);
	configure(relay, cfg);
	teredo_limiter_configure(relay->limiter, &cfg->limits);
}

void teredo_relay_own_peer(struct teredo_relay *relay,
			   const struct relay_bpf_peer_key *key)
{
	relay->has_own = key != NULL;
	if (key)
		relay->own = *key;
}

/* -------- shown -------- */

static void peer_info(struct teredo_relay *relay, uint32_t n, int64_t now_ms,
		      struct teredo_peer_info *out)
{
	const struct teredo_peer *peer = teredo_peers_at(relay->peers, n);
	uint32_t now = now_ms;
	struct teredo_address parts;

	memset(out, 0, sizeof(*out));
	teredo_relay_address(&peer->key, &out->addr);
	teredo_address_read(&out->addr, &parts);
	out->server = parts.server;
	out->mapped = parts.mapped;
	out->port = parts.port;
	out->state = peer->state;
	out->rx_age_ms = peer->seen_rx ? (int64_t)(now - peer->rx) : -1;
	out->tx_age_ms = peer->seen_tx ? (int64_t)(now - peer->tx) : -1;
	if (peer->bubbles &&
	    (out->tx_age_ms < 0 || now - peer->bubble < out->tx_age_ms))
		out->tx_age_ms = now - peer->bubble;
	out->bubbles = peer->bubbles;
	out->queued = teredo_queue_count(relay->queues, peer);
}

/* At this time; false: its life is over. */
static bool peer_lives(struct teredo_relay *relay, uint32_t n, int64_t now_ms)
{
	teredo_relay_peer_learn(relay, n, now_ms);
	return teredo_peer_idle(teredo_peers_at(relay->peers, n), now_ms) <
	       TEREDO_PEER_LIFE;
}

bool teredo_relay_peer_next(struct teredo_relay *relay, uint32_t *cursor,
			    int64_t now_ms, struct teredo_peer_info *out)
{
	uint32_t n;

	do {
		n = teredo_peers_next(relay->peers, cursor);
		if (n == TEREDO_NO_PEER)
			return false;
	} while (!peer_lives(relay, n, now_ms));
	peer_info(relay, n, now_ms, out);
	return true;
}

bool teredo_relay_peer_find(struct teredo_relay *relay,
			    const struct in6_addr *addr, int64_t now_ms,
			    struct teredo_peer_info *out)
{
	struct relay_bpf_peer_key key;
	union relay_ipv6 peer;
	uint32_t n;

	memcpy(peer.octets, addr, sizeof(peer.octets));
	if (!relay_is_teredo(&peer))
		return false;
	key = peer_key(&peer);
	n = teredo_peers_find(relay->peers, &key);
	if (n == TEREDO_NO_PEER || !peer_lives(relay, n, now_ms))
		return false;
	peer_info(relay, n, now_ms, out);
	return true;
}

static bool is_recent(int64_t then_ms, int64_t now_ms)
{
	return then_ms && now_ms - then_ms < TEREDO_OVERLOAD_TIME;
}

void teredo_relay_stats(struct teredo_relay *relay, int64_t now_ms,
			struct teredo_relay_stats *out)
{
	*out = relay->stats;
	out->peers = teredo_peers_count(relay->peers);
	out->peers_max = relay->cfg.peers_max;
	if (is_recent(relay->table_full_ms, now_ms))
		out->overload = TEREDO_OVERLOAD_TABLE_FULL;
	else if (is_recent(relay->limit_ms, now_ms))
		out->overload = TEREDO_OVERLOAD_NEW_PEER_LIMIT;
	out->queued_packets = teredo_queues_packets(relay->queues);
	out->queued_bytes = teredo_queues_bytes(relay->queues);
	out->memory = teredo_peers_memory(relay->peers) +
		      teredo_queues_memory(relay->queues);
}

void teredo_relay_clear_counters(struct teredo_relay *relay)
{
	uint32_t trusted = relay->stats.peers_trusted;

	memset(&relay->stats, 0, sizeof(relay->stats));
	relay->stats.peers_trusted = trusted;
}

const char *teredo_peer_state_str(enum teredo_peer_state state)
{
	switch (state) {
	case TEREDO_PEER_UNTRUSTED:
		return "untrusted";
	case TEREDO_PEER_TRUSTED:
		return "trusted";
	case TEREDO_PEER_UNREACHABLE:
		return "unreachable";
	case TEREDO_PEER_FREE:
		break;
	}
	return "free";
}

const char *teredo_drop_str(enum teredo_drop drop)
{
	static const char *const names[] = {
#define TEREDO_DROP_NAME(name, text) [TEREDO_DROP_##name] = text,
		TEREDO_DROPS(TEREDO_DROP_NAME)
#undef TEREDO_DROP_NAME
	};

	return drop < TEREDO_DROP_END ? names[drop] : "";
}
