// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "memory.h"

#include "relay_memory.h"
#include "teredo_hash.h"
#include "teredo_peers.h"

DEFINE_MTYPE_STATIC(RELAYD, TEREDO_PEERS, "Teredo peers");
DEFINE_MTYPE_STATIC(RELAYD, TEREDO_PEER_CHUNK, "Teredo peers, a chunk");
DEFINE_MTYPE_STATIC(RELAYD, TEREDO_PEER_HASH, "Teredo peers, hash");

_Static_assert(sizeof(struct teredo_peer) == 40, "the stated memory");

/* -------- places, in chunks -------- */

#define CHUNK_BITS 12
#define CHUNK (1 << CHUNK_BITS)
#define CHUNKS (TEREDO_PEERS_MAX / CHUNK)

struct chunk {
	struct teredo_peer *peers; /* NULL: not there yet */
	uint32_t used;
	uint32_t fresh; /* places from here on were never in use */
	uint32_t free;	/* of those given back, linked by chain */
};

/* -------- chains of the hash, in segments -------- */

#define SEGMENT_BITS 12
#define SEGMENT (1 << SEGMENT_BITS)
#define SEGMENTS (TEREDO_PEERS_MAX / SEGMENT)
#define CHAINS_MIN SEGMENT

/* -------- lists -------- */

/* Seconds that are apart: more than a life; what is due later than that is
 * looked at early. */
#define WHEEL 512
#define BUCKETS (TEREDO_CLASSES * WHEEL + 1)
#define AWAITED (BUCKETS - 1)
#define UNFILED 2047
/* ends of lists have numbers as peers do, from here on */
#define LISTS 0xf0000000
/* How far a place in order is looked for among those awaited. */
#define AWAIT_STEPS 64

struct ends {
	uint32_t prev, next;
};

struct teredo_peers {
	uint8_t seed[16];
	uint32_t count;
	uint32_t filed[TEREDO_CLASSES + 1]; /* the last: awaited */
	uint32_t allocated;		    /* chunks */
	uint32_t empty;		    /* a chunk that has no peers and is kept */
	uint64_t room[CHUNKS / 64]; /* chunks with a free place, a bit each */
	struct chunk chunks[CHUNKS];
	/* linear hashing: chains up to nchains, of those that mask names */
	uint32_t nchains, mask;
	uint32_t *segments[SEGMENTS];
	/* all buckets before this second are empty */
	int64_t cursor;
	int64_t first[TEREDO_CLASSES]; /* as cursor, of a class */
	struct ends lists[BUCKETS];
};

struct teredo_peer *teredo_peers_at(const struct teredo_peers *p, uint32_t n)
{
	return p->chunks[n >> CHUNK_BITS].peers + (n & (CHUNK - 1));
}

static uint32_t *next_of(struct teredo_peers *p, uint32_t n)
{
	return n >= LISTS ? &p->lists[n - LISTS].next
			  : &teredo_peers_at(p, n)->next;
}

static uint32_t *prev_of(struct teredo_peers *p, uint32_t n)
{
	return n >= LISTS ? &p->lists[n - LISTS].prev
			  : &teredo_peers_at(p, n)->prev;
}

static uint32_t list_first(const struct teredo_peers *p, uint32_t bucket)
{
	uint32_t n = p->lists[bucket].next;

	return n >= LISTS ? TEREDO_NO_PEER : n;
}

static void list_unlink(struct teredo_peers *p, uint32_t n)
{
	struct teredo_peer *peer = teredo_peers_at(p, n);

	if (peer->bucket == UNFILED)
		return;
	*next_of(p, peer->prev) = peer->next;
	*prev_of(p, peer->next) = peer->prev;
	p->filed[peer->bucket / WHEEL]--;
	peer->bucket = UNFILED;
}

/* prev: of the same list */
static void list_link(struct teredo_peers *p, uint32_t n, uint32_t prev,
		      uint32_t bucket)
{
	struct teredo_peer *peer = teredo_peers_at(p, n);

	p->filed[bucket / WHEEL]++;
	peer->bucket = bucket;
	peer->prev = prev;
	peer->next = *next_of(p, prev);
	*next_of(p, prev) = n;
	*prev_of(p, peer->next) = n;
}

/* -------- the hash -------- */

static uint32_t *chain_at(const struct teredo_peers *p, uint32_t c)
{
	return &p->segments[c >> SEGMENT_BITS][c & (SEGMENT - 1)];
}

static uint32_t chain_of(const struct teredo_peers *p,
			 const struct relay_bpf_peer_key *key)
{
	uint32_t h = teredo_hash(p->seed, key, sizeof(*key)), c = h & p->mask;

	return c < p->nchains ? c : h & p->mask >> 1;
}

static void segment_add(struct teredo_peers *p, uint32_t s)
{
	p->segments[s] =
		XMALLOC(MTYPE_TEREDO_PEER_HASH, SEGMENT * sizeof(uint32_t));
	memset(p->segments[s], 0xff, SEGMENT * sizeof(uint32_t));
}

/* One chain more: those of one other that belong there move. */
static void hash_grow(struct teredo_peers *p)
{
	uint32_t c = p->nchains, *from, *to;

	if (c == SEGMENTS * SEGMENT)
		return;
	if (c % SEGMENT == 0)
		segment_add(p, c >> SEGMENT_BITS);
	if (c > p->mask)
		p->mask = p->mask << 1 | 1;
	p->nchains++;
	from = chain_at(p, c & p->mask >> 1);
	to = chain_at(p, c);
	while (*from != TEREDO_NO_PEER) {
		struct teredo_peer *peer = teredo_peers_at(p, *from);
		uint32_t n = *from;

		if (chain_of(p, &peer->key) != c) {
			from = &peer->chain;
			continue;
		}
		*from = peer->chain;
		peer->chain = *to;
		*to = n;
	}
	/* of the next time; it is far away by then, if not fetched now */
	from = chain_at(p, (c + 1) & p->mask >> 1);
	if (*from != TEREDO_NO_PEER)
		__builtin_prefetch(teredo_peers_at(p, *from));
}

/* And the other way round. */
static void hash_shrink(struct teredo_peers *p)
{
	uint32_t c = p->nchains - 1, *to;

	if (p->nchains == CHAINS_MIN)
		return;
	to = chain_at(p, c & p->mask >> 1);
	while (*to != TEREDO_NO_PEER)
		to = &teredo_peers_at(p, *to)->chain;
	*to = *chain_at(p, c);
	*chain_at(p, c) = TEREDO_NO_PEER;
	p->nchains--;
	if (c % SEGMENT == 0)
		XFREE(MTYPE_TEREDO_PEER_HASH, p->segments[c >> SEGMENT_BITS]);
	if (p->nchains == (p->mask >> 1) + 1)
		p->mask >>= 1;
}

uint32_t teredo_peers_find(const struct teredo_peers *p,
			   const struct relay_bpf_peer_key *key)
{
	uint32_t n = *chain_at(p, chain_of(p, key));

	while (n != TEREDO_NO_PEER) {
		const struct teredo_peer *peer = teredo_peers_at(p, n);

		if (memcmp(&peer->key, key, sizeof(*key)) == 0)
			break;
		n = peer->chain;
	}
	return n;
}

/* -------- places -------- */

static void room_set(struct teredo_peers *p, uint32_t c, bool room)
{
	if (room)
		p->room[c / 64] |= UINT64_C(1) << c % 64;
	else
		p->room[c / 64] &= ~(UINT64_C(1) << c % 64);
}

/* The lowest chunk with a free place: the higher ones become empty. */
static uint32_t room_find(const struct teredo_peers *p)
{
	for (uint32_t i = 0; i < array_size(p->room); i++)
		if (p->room[i])
			return i * 64 + __builtin_ctzll(p->room[i]);
	return CHUNKS;
}

static uint32_t place_take(struct teredo_peers *p)
{
	uint32_t c = room_find(p), n;
	struct chunk *chunk = &p->chunks[c];

	if (c == CHUNKS)
		return TEREDO_NO_PEER;
	if (!chunk->peers) {
		/* the kernel makes its pages as they are used */
		chunk->peers = XMALLOC(MTYPE_TEREDO_PEER_CHUNK,
				       CHUNK * sizeof(struct teredo_peer));
		chunk->fresh = 0;
		chunk->free = TEREDO_NO_PEER;
		p->allocated++;
	}
	if (chunk->free != TEREDO_NO_PEER) {
		n = chunk->free;
		chunk->free = teredo_peers_at(p, n)->chain;
	} else {
		n = c << CHUNK_BITS | chunk->fresh++;
	}
	if (c == p->empty)
		p->empty = CHUNKS;
	if (++chunk->used == CHUNK)
		room_set(p, c, false);
	return n;
}

static void place_give(struct teredo_peers *p, uint32_t n)
{
	uint32_t c = n >> CHUNK_BITS;
	struct chunk *chunk = &p->chunks[c];
	struct teredo_peer *peer = teredo_peers_at(p, n);

	peer->state = TEREDO_PEER_FREE;
	peer->chain = chunk->free;
	chunk->free = n;
	room_set(p, c, true);
	if (--chunk->used)
		return;
	/* one is kept, for a table that comes and goes about its bound */
	if (p->empty == CHUNKS) {
		p->empty = c;
		return;
	}
	XFREE(MTYPE_TEREDO_PEER_CHUNK, chunk->peers);
	p->allocated--;
}

/* -------- peers -------- */

struct teredo_peers *teredo_peers_new(const uint8_t seed[16], int64_t now_ms)
{
	struct teredo_peers *p = XCALLOC(MTYPE_TEREDO_PEERS, sizeof(*p));

	memcpy(p->seed, seed, sizeof(p->seed));
	p->empty = CHUNKS;
	memset(p->room, 0xff, sizeof(p->room));
	segment_add(p, 0);
	p->nchains = CHAINS_MIN;
	p->mask = CHAINS_MIN - 1;
	p->cursor = now_ms / 1000;
	for (uint32_t i = 0; i < BUCKETS; i++)
		p->lists[i] = (struct ends){LISTS + i, LISTS + i};
	return p;
}

void teredo_peers_free(struct teredo_peers **peers)
{
	struct teredo_peers *p = *peers;

	if (!p)
		return;
	for (uint32_t i = 0; i < CHUNKS; i++)
		XFREE(MTYPE_TEREDO_PEER_CHUNK, p->chunks[i].peers);
	for (uint32_t i = 0; i < SEGMENTS; i++)
		XFREE(MTYPE_TEREDO_PEER_HASH, p->segments[i]);
	XFREE(MTYPE_TEREDO_PEERS, *peers);
}

uint32_t teredo_peers_count(const struct teredo_peers *p)
{
	return p->count;
}

size_t teredo_peers_memory(const struct teredo_peers *p)
{
	size_t segments = (p->nchains + SEGMENT - 1) / SEGMENT;

	return sizeof(*p) +
	       (size_t)p->allocated * CHUNK * sizeof(struct teredo_peer) +
	       segments * SEGMENT * sizeof(uint32_t);
}

uint32_t teredo_peers_add(struct teredo_peers *p,
			  const struct relay_bpf_peer_key *key)
{
	uint32_t n = place_take(p), *chain;
	struct teredo_peer *peer;

	if (n == TEREDO_NO_PEER)
		return n;
	peer = teredo_peers_at(p, n);
	memset(peer, 0, sizeof(*peer));
	peer->key = *key;
	peer->bucket = UNFILED;
	chain = chain_at(p, chain_of(p, key));
	peer->chain = *chain;
	*chain = n;
	if (++p->count > p->nchains)
		hash_grow(p);
	return n;
}

void teredo_peers_remove(struct teredo_peers *p, uint32_t n)
{
	struct teredo_peer *peer = teredo_peers_at(p, n);
	uint32_t *chain = chain_at(p, chain_of(p, &peer->key));

	while (*chain != n)
		chain = &teredo_peers_at(p, *chain)->chain;
	*chain = peer->chain;
	list_unlink(p, n);
	place_give(p, n);
	/* two at a time, or an empty table would have half of its chains left
	 */
	p->count--;
	for (int i = 0; i < 2 && p->count < p->nchains / 2; i++)
		hash_shrink(p);
}

uint32_t teredo_peers_next(const struct teredo_peers *p, uint32_t *cursor)
{
	while (*cursor < TEREDO_PEERS_MAX) {
		const struct chunk *chunk = &p->chunks[*cursor >> CHUNK_BITS];
		uint32_t n = *cursor;

		if (!chunk->used || (n & (CHUNK - 1)) >= chunk->fresh) {
			*cursor = (n | (CHUNK - 1)) + 1;
			continue;
		}
		++*cursor;
		if (teredo_peers_at(p, n)->state != TEREDO_PEER_FREE)
			return n;
	}
	return TEREDO_NO_PEER;
}

/* -------- order -------- */

uint32_t teredo_peer_idle(const struct teredo_peer *peer, int64_t now_ms)
{
	uint32_t now = now_ms, idle = UINT32_MAX;

	if (peer->seen_rx)
		idle = now - peer->rx;
	if (peer->seen_tx)
		idle = MIN(idle, now - peer->tx);
	if (peer->bubbles)
		idle = MIN(idle, now - peer->bubble);
	return idle;
}

enum teredo_peer_class teredo_peer_class(const struct teredo_peer *peer)
{
	if (peer->state != TEREDO_PEER_TRUSTED)
		return TEREDO_CLASS_UNTRUSTED;
	return peer->seen_rx && peer->seen_tx ? TEREDO_CLASS_BOTH_WAYS
					      : TEREDO_CLASS_ONE_WAY;
}

bool teredo_peer_is_awaited(const struct teredo_peer *peer)
{
	return peer->bucket == AWAITED;
}

/* A table that has slept, or a clock that has jumped: whoever is filed should
 * have been looked at, and is next. */
static void catch_up(struct teredo_peers *p, int64_t now)
{
	if (p->filed[TEREDO_CLASS_UNTRUSTED] + p->filed[TEREDO_CLASS_ONE_WAY] +
		    p->filed[TEREDO_CLASS_BOTH_WAYS] ==
	    0)
		p->cursor = MAX(p->cursor, now);
	else
		p->cursor = MAX(p->cursor, now - WHEEL + 1);
}

void teredo_peers_file(struct teredo_peers *p, uint32_t n, int64_t now_ms)
{
	struct teredo_peer *peer = teredo_peers_at(p, n);
	enum teredo_peer_class class = teredo_peer_class(peer);
	int64_t end =
		now_ms - teredo_peer_idle(peer, now_ms) + TEREDO_PEER_LIFE;
	/* the first second at whose beginning its life is over */
	int64_t second = (end + 999) / 1000;
	uint32_t bucket;

	catch_up(p, now_ms / 1000);
	second = MAX(second, p->cursor);
	second = MIN(second, p->cursor + WHEEL - 1);
	bucket = class * WHEEL + second % WHEEL;
	/* the last of its second is the latest used */
	if (peer->bucket == bucket && p->lists[bucket].prev == n)
		return;
	list_unlink(p, n);
	list_link(p, n, p->lists[bucket].prev, bucket);
	p->first[class] = MIN(p->first[class], second);
}

void teredo_peers_await(struct teredo_peers *p, uint32_t n, int64_t now_ms)
{
	struct teredo_peer *peer = teredo_peers_at(p, n);
	uint32_t now = now_ms, age = now - peer->bubble, prev;
	int steps = AWAIT_STEPS;

	list_unlink(p, n);
	prev = p->lists[AWAITED].prev;
	/* hardly ever more than a step: bubbles are sent now */
	while (prev < LISTS && steps-- &&
	       now - teredo_peers_at(p, prev)->bubble < age)
		prev = *prev_of(p, prev);
	list_link(p, n, prev, AWAITED);
}

uint32_t teredo_peers_filed(const struct teredo_peers *p,
			    enum teredo_peer_class class)
{
	return p->filed[class];
}

uint32_t teredo_peers_awaited_count(const struct teredo_peers *p)
{
	return p->filed[TEREDO_CLASSES];
}

uint32_t teredo_peers_awaited(const struct teredo_peers *p)
{
	return list_first(p, AWAITED);
}

uint32_t teredo_peers_due(struct teredo_peers *p, int64_t now_ms)
{
	int64_t now = now_ms / 1000;

	catch_up(p, now);
	for (;; p->cursor++) {
		for (int class = 0; class < TEREDO_CLASSES; class ++) {
			uint32_t n = list_first(p, class * WHEEL +
							   p->cursor % WHEEL);

			if (p->cursor <= now && n != TEREDO_NO_PEER)
				return n;
		}
		if (p->cursor >= now)
			return TEREDO_NO_PEER;
	}
}

uint32_t teredo_peers_oldest(struct teredo_peers *p,
			     enum teredo_peer_class class)
{
	int64_t *second = &p->first[class];

	for (*second = MAX(*second, p->cursor); *second < p->cursor + WHEEL;
	     ++*second) {
		uint32_t n = list_first(p, class * WHEEL + *second % WHEEL);

		if (n != TEREDO_NO_PEER)
			return n;
	}
	return TEREDO_NO_PEER;
}
