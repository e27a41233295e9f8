// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A Teredo relay, RFC 4380 section 5.4: packets and the time go in, packets
 * come out by way of ops. No I/O, no clock, no thread: it belongs to one thread
 * at a time, and no function of ops may call back into it.
 *
 * Times are milliseconds of CLOCK_MONOTONIC, and never go back.
 */
#ifndef _RELAY_TEREDO_RELAY_H
#define _RELAY_TEREDO_RELAY_H

#include <zebra.h>

#include "bpf/relay_bpf.h"
#include "slow_6to4.h"
#include "teredo_limits.h"
#include "teredo_peers.h"

struct teredo_relay_ops {
	/* A datagram from the relay's source and port. The callee copies, or
	 * sends at once. port: host order. */
	void (*send_udp)(void *arg, struct in_addr dst, uint16_t port,
			 uint8_t tos, const void *pkt, size_t len);
	/* A packet that has come out of the tunnel. As send_udp(). */
	void (*send_ipv6)(void *arg, const void *pkt, size_t len);
	/*
	 * The fast path's table of peers; all three NULL: there is none.
	 * peer_activity: when it has last had a packet from and to a peer, 0:
	 * never; false: it has not got this peer. peer_put: to be added, or to
	 * be overwritten; may be put off and batched, as peer_del may, if their
	 * order stays.
	 */
	bool (*peer_activity)(void *arg, const struct relay_bpf_peer_key *key,
			      int64_t *rx_ms, int64_t *tx_ms);
	void (*peer_put)(void *arg, const struct relay_bpf_peer_key *key,
			 int64_t rx_ms, int64_t tx_ms);
	void (*peer_del)(void *arg, const struct relay_bpf_peer_key *key);
	/* For `debug relay teredo`: what became of a peer, and by whom; no more
	 * than 50 lines a second. NULL: nobody listens. */
	void (*log)(void *arg, const char *line);
};

struct teredo_relay_config {
	/* its addresses and the filter; both must outlive the configuration */
	struct slow_relay check;
	struct in6_addr local; /* source of bubbles, RFC 4380 section 5.4.1 */
	struct in_addr source;
	uint16_t port;	    /* host order */
	uint32_t peers_max; /* 1 to TEREDO_PEERS_MAX; the own peer is beside it
			     */
	struct teredo_limits limits;
};

/* Drops of the engine alone, and their names in JSON, beside those of
 * RELAY_BPF_REASONS. */
#define TEREDO_DROPS(X)                                                        \
	/* too many new peers, of a prefix or in all */                        \
	X(PEER_LIMIT, "peer-limit")                                            \
	/* a new peer, and none that may be pushed out */                      \
	X(TABLE_FULL, "table-full")                                            \
	/* waited for an answer to a bubble, and had to give way to others */  \
	X(QUEUE_FULL, "queue-full")                                            \
	/* no answer to four bubbles */                                        \
	X(NO_ANSWER, "no-answer")                                              \
	/* waited for an answer; the peer was pushed out or cleared */         \
	X(PEER_GONE, "peer-gone")

#define TEREDO_DROP_ENUM(name, text) TEREDO_DROP_##name,
enum teredo_drop { TEREDO_DROPS(TEREDO_DROP_ENUM) TEREDO_DROP_END };

/* Whether new peers were turned away within the last TEREDO_OVERLOAD_TIME. */
enum teredo_overload {
	TEREDO_OVERLOAD_NONE,
	TEREDO_OVERLOAD_TABLE_FULL,
	TEREDO_OVERLOAD_NEW_PEER_LIMIT,
};
#define TEREDO_OVERLOAD_TIME 10000

struct teredo_relay_stats {
	/* of the slow path; bubbles do not count as crossing */
	struct relay_bpf_counters counters;
	uint64_t bubbles_in, bubbles_direct_out, bubbles_indirect_out;
	uint64_t drops[TEREDO_DROP_END];
	uint64_t evicted; /* pushed out for a new one, or by a smaller bound */
	uint32_t peers, peers_trusted, peers_max; /* without the own one */
	enum teredo_overload overload;
	uint32_t queued_packets, queued_bytes;
	size_t memory; /* of table and queues, octets */
};

struct teredo_peer_info {
	struct in6_addr addr;
	struct in_addr server, mapped;
	uint16_t port; /* host order */
	enum teredo_peer_state state;
	/* milliseconds; tx: packets and bubbles; -1: never */
	int64_t rx_age_ms, tx_age_ms;
	unsigned int bubbles; /* since the last answer */
	unsigned int queued;  /* packets */
};

struct teredo_relay;

/* seed: of the hashes; secret and random. */
struct teredo_relay *teredo_relay_new(const struct teredo_relay_ops *ops,
				      void *arg,
				      const struct teredo_relay_config *cfg,
				      int64_t now_ms, const uint8_t seed[16]);
/* The fast path keeps what it has: it is the caller's. */
void teredo_relay_free(struct teredo_relay **relay);

/* In place: peers stay, unless the source or the port is another. Those beyond
 * a smaller bound go, least recently used first, by and by as the timer runs.
 */
void teredo_relay_configure(struct teredo_relay *relay,
			    const struct teredo_relay_config *cfg,
			    int64_t now_ms);

/* The payload of a datagram to the relay's source and port. port: host order.
 * buf may be changed. */
void teredo_relay_from_ipv4(struct teredo_relay *relay, int64_t now_ms,
			    struct in_addr src, uint16_t port, uint8_t tos,
			    uint8_t *buf, size_t len);

/* An IPv6 packet that was routed into the tunnel. */
void teredo_relay_from_ipv6(struct teredo_relay *relay, int64_t now_ms,
			    uint8_t *buf, size_t len);

/* To be called when the time that it returned has passed, in milliseconds; 0:
 * there is more to do, packets may be taken in between. A call does a bounded
 * piece of work. */
int teredo_relay_timer(struct teredo_relay *relay, int64_t now_ms);

/* All peers go, but the own one. It is at once as if they were gone; their
 * memory, and what the fast path has, goes by and by as the timer runs. */
void teredo_relay_clear(struct teredo_relay *relay, int64_t now_ms);

/* The peer of the self-test, NULL: none. Always trusted, not counted, not
 * shown, without limit, not aged; its mapped address is the relay's own source,
 * and its packets go to and come from the relay's own Teredo addresses,
 * unchecked. The fast path is told of it by the caller. */
void teredo_relay_own_peer(struct teredo_relay *relay,
			   const struct relay_bpf_peer_key *key);

/* One peer after the other, *cursor 0 to begin with; false: no more. The table
 * may change in between; a peer that stays is seen once. */
bool teredo_relay_peer_next(struct teredo_relay *relay, uint32_t *cursor,
			    int64_t now_ms, struct teredo_peer_info *out);
bool teredo_relay_peer_find(struct teredo_relay *relay,
			    const struct in6_addr *addr, int64_t now_ms,
			    struct teredo_peer_info *out);

void teredo_relay_stats(struct teredo_relay *relay, int64_t now_ms,
			struct teredo_relay_stats *out);

/* Counters begin at zero again. */
void teredo_relay_clear_counters(struct teredo_relay *relay);

/* "untrusted", "trusted", "unreachable"; "peer-limit", ... */
const char *teredo_peer_state_str(enum teredo_peer_state state);
const char *teredo_drop_str(enum teredo_drop drop);

#endif /* _RELAY_TEREDO_RELAY_H */
