// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Between teredo_relay.c, which takes packets, and teredo_relay_peer.c, which
 * takes care of peers; for no one else.
 */
#ifndef _RELAY_TEREDO_RELAY_PRIVATE_H
#define _RELAY_TEREDO_RELAY_PRIVATE_H

#include "teredo_queue.h"
#include "teredo_relay.h"

/* RFC 4380 section 5.2.4: valid for so long after the last reception */
#define PEER_VALID 30000
/* from here on a packet to it is followed by a bubble; the eBPF programs hand
 * over packets to peers that have been silent for so long */
#define PEER_REFRESH 25000
/* section 5.2.6 */
#define BUBBLE_TIMEOUT 2000
#define BUBBLES_MAX 4
#define BUBBLES_TIME 300000

/* A table that was cleared, on its way out. */
struct teredo_dying {
	struct teredo_dying *next;
	struct teredo_peers *peers;
	uint32_t cursor;
};

struct teredo_relay {
	const struct teredo_relay_ops *ops;
	void *arg;
	struct teredo_relay_config cfg;
	/* as cfg.check, but with both directions on */
	struct relay_bpf_relay both_ways;
	uint8_t seed[16];
	struct teredo_peers *peers;
	struct teredo_dying *dying;
	struct teredo_queues *queues;
	struct teredo_limiter *limiter;
	bool has_own;
	struct relay_bpf_peer_key own;
	struct teredo_relay_stats stats; /* counters, and peers_trusted */
	/* when a new peer was last turned away; 0: never */
	int64_t table_full_ms, limit_ms;
	int64_t log_ms; /* the second that log_lines were written in */
	unsigned int log_lines;
};

/* -------- teredo_relay_peer.c -------- */

/* A peer that the table has, with what the fast path knows of it; one whose
 * life is over is none. */
uint32_t teredo_relay_lookup(struct teredo_relay *relay,
			     const struct relay_bpf_peer_key *key,
			     int64_t now_ms);

/*
 * A new peer, because of a packet from addr (see teredo_limiter_take()), under
 * the limits and in the place of another if need be. TEREDO_NO_PEER: refused,
 * and counted. To be heard of or connected next.
 */
uint32_t teredo_relay_peer_make(struct teredo_relay *relay,
				const struct relay_bpf_peer_key *key,
				enum relay_bpf_way way, const void *addr,
				int64_t now_ms);

/* What the fast path knows of a peer is asked, and believed. True: it was more
 * than what is known here. */
bool teredo_relay_peer_learn(struct teredo_relay *relay, uint32_t n,
			     int64_t now_ms);
/* A packet of it was received: it is trusted, and what waited is sent. */
void teredo_relay_peer_heard(struct teredo_relay *relay, uint32_t n,
			     int64_t now_ms);
/* A packet was sent to it. */
void teredo_relay_peer_sent(struct teredo_relay *relay, uint32_t n,
			    int64_t now_ms);
/* Is valid no more: as one that was never heard of. */
void teredo_relay_peer_distrust(struct teredo_relay *relay, uint32_t n);
void teredo_relay_peer_remove(struct teredo_relay *relay,
			      struct teredo_peers *peers, uint32_t n);
/* A packet for an untrusted peer: it waits, and bubbles are sent. */
void teredo_relay_peer_connect(struct teredo_relay *relay, uint32_t n,
			       const uint8_t *pkt, size_t len, int64_t now_ms);
/* A bubble, direct and by the peer's server, unless one was sent of late. */
void teredo_relay_peer_bubble(struct teredo_relay *relay, uint32_t n,
			      int64_t now_ms);
/* The tables that were cleared, at once; the fast path is not told. */
void teredo_relay_bury_all(struct teredo_relay *relay);

/* -------- teredo_relay.c -------- */

/* May a bubble go to the server that an address embeds, and to its mapped
 * address? enum relay_bpf_reason */
enum relay_bpf_reason teredo_relay_may_ask(const struct teredo_relay *relay,
					   const struct in6_addr *addr);
enum relay_bpf_reason teredo_relay_may_send(const struct teredo_relay *relay,
					    const struct in6_addr *addr);
/* An IPv6 packet to a peer, which is counted. */
void teredo_relay_send(struct teredo_relay *relay,
		       const struct relay_bpf_peer_key *key, const uint8_t *pkt,
		       size_t len);
void teredo_relay_address(const struct relay_bpf_peer_key *key,
			  struct in6_addr *addr);
void teredo_relay_log(struct teredo_relay *relay, int64_t now_ms,
		      const char *format, ...) PRINTFRR(3, 4);
/* Would a line be read? */
bool teredo_relay_logs(const struct teredo_relay *relay);

#endif /* _RELAY_TEREDO_RELAY_PRIVATE_H */
