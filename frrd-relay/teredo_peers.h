// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The peers of a Teredo relay (RFC 4380 section 5.2, "list of peers"): a table
 * that is found by address, aged by the second and emptied from its oldest end.
 * Pure: the time is told, in milliseconds of a monotonic clock.
 *
 * At most 45 octets a peer, the hash included: peers are named by numbers, not
 * by pointers; they lie in chunks that come and go with use, and the hash grows
 * by one chain at a time, so that no call has to move the whole table.
 *
 * Each peer is in one list. Those that a bubble is under way to are in the
 * order of their last bubbles: the first is the one whose time-out comes next.
 * The others are, a list for each class and second, where their time ends if
 * nothing more is heard of them. So the first of a class is its least recently
 * used, and those of a second that has come are all that there is to age.
 */
#ifndef _RELAY_TEREDO_PEERS_H
#define _RELAY_TEREDO_PEERS_H

#include <zebra.h>

#include "bpf/relay_bpf.h"

#define TEREDO_PEERS_MAX 1048576
/* an idle peer goes: milliseconds since it was heard of or sent to */
#define TEREDO_PEER_LIFE 300000

/* the number of no peer */
#define TEREDO_NO_PEER UINT32_MAX

enum teredo_peer_state {
	TEREDO_PEER_UNTRUSTED, /* bubbles are under way */
	TEREDO_PEER_TRUSTED,
	TEREDO_PEER_UNREACHABLE, /* four bubbles were not answered */
	TEREDO_PEER_FREE,	 /* a place without a peer */
};

enum teredo_peer_class {
	TEREDO_CLASS_UNTRUSTED,
	TEREDO_CLASS_ONE_WAY,	/* trusted */
	TEREDO_CLASS_BOTH_WAYS, /* trusted, and packets went both ways */
	TEREDO_CLASSES,
};

struct teredo_peer {
	struct relay_bpf_peer_key key;
	/* lower half of the clock, milliseconds */
	uint32_t rx;	 /* heard of; if seen_rx */
	uint32_t tx;	 /* a packet sent, no bubble; if seen_tx */
	uint32_t bubble; /* the last one sent; if bubbles */
	/* the table's own */
	uint32_t chain, prev, next;
	uint32_t bucket : 11;
	uint32_t queue : 13;  /* the queues' own, 0: none */
	uint32_t state : 2;   /* enum teredo_peer_state */
	uint32_t bubbles : 3; /* since it was last heard of */
	uint32_t seen_rx : 1;
	uint32_t seen_tx : 1;
	uint32_t fast : 1; /* the fast path has it, and may know more */
};

struct teredo_peers;

/* seed: of the hash; secret and random. */
struct teredo_peers *teredo_peers_new(const uint8_t seed[16], int64_t now_ms);
void teredo_peers_free(struct teredo_peers **peers);

uint32_t teredo_peers_count(const struct teredo_peers *peers);
/* What they take, octets. */
size_t teredo_peers_memory(const struct teredo_peers *peers);

/* A pointer is good until the peer is removed. */
struct teredo_peer *teredo_peers_at(const struct teredo_peers *peers,
				    uint32_t n);

/* TEREDO_NO_PEER: none has this key. */
uint32_t teredo_peers_find(const struct teredo_peers *peers,
			   const struct relay_bpf_peer_key *key);

/* A peer that is not in the table yet: untrusted, never heard of. It is to be
 * filed or awaited before anything else is done. TEREDO_NO_PEER: there are
 * TEREDO_PEERS_MAX. */
uint32_t teredo_peers_add(struct teredo_peers *peers,
			  const struct relay_bpf_peer_key *key);
void teredo_peers_remove(struct teredo_peers *peers, uint32_t n);

/* Milliseconds since it was heard of, or sent anything to. */
uint32_t teredo_peer_idle(const struct teredo_peer *peer, int64_t now_ms);
enum teredo_peer_class teredo_peer_class(const struct teredo_peer *peer);

/* Into the list of where it is to be looked at next; whenever its times, its
 * state, or what was seen of it have changed. */
void teredo_peers_file(struct teredo_peers *peers, uint32_t n, int64_t now_ms);
/* Into that of those that a bubble is under way to, which has to be set. */
void teredo_peers_await(struct teredo_peers *peers, uint32_t n, int64_t now_ms);
bool teredo_peer_is_awaited(const struct teredo_peer *peer);

/* Whose bubble was sent first, of those awaited; TEREDO_NO_PEER: none is. */
uint32_t teredo_peers_awaited(const struct teredo_peers *peers);
/* One that is to be looked at, to be removed or filed anew by its times; until
 * there is none, TEREDO_NO_PEER. */
uint32_t teredo_peers_due(struct teredo_peers *peers, int64_t now_ms);
/* The least recently used of a class, those awaited aside; TEREDO_NO_PEER:
 * none.
 */
uint32_t teredo_peers_oldest(struct teredo_peers *peers,
			     enum teredo_peer_class class);

/* How many there are, those awaited aside; and those. */
uint32_t teredo_peers_filed(const struct teredo_peers *peers,
			    enum teredo_peer_class class);
uint32_t teredo_peers_awaited_count(const struct teredo_peers *peers);

/* One after the other, in no order, *cursor 0 to begin with; TEREDO_NO_PEER: no
 * more. Peers may come and go in between. */
uint32_t teredo_peers_next(const struct teredo_peers *peers, uint32_t *cursor);

#endif /* _RELAY_TEREDO_PEERS_H */
