// SPDX-License-Identifier: GPL-2.0-or-later
/* Of a Teredo relay's peers: trust, bubbles, and when one has to go. */
#include <zebra.h>

#include "memory.h"

#include "relay_memory.h"
#include "teredo_packet.h"
#include "teredo_relay_private.h"

DEFINE_MTYPE_STATIC(RELAYD, TEREDO_DYING, "Teredo peers, cleared");

/* Steps of a call of the timer, each with three calls of ops at most: half a
 * millisecond, where these are system calls. */
#define SLICE 128
/* How many of the oldest are asked about to make room for one. */
#define PUSH_TRIES 8
/* Not beyond these are two times of the same peer held against each other. */
#define AGE_MAX (24 * 3600 * 1000)

/* Reception is told to the fast path once in so many milliseconds; a power of
 * two. It counts by itself what it takes. */
#define FAST_PERIOD 4096

static struct teredo_peer *at(const struct teredo_relay *relay, uint32_t n)
{
	return teredo_peers_at(relay->peers, n);
}

static uint32_t rx_age(const struct teredo_peer *peer, int64_t now_ms)
{
	return peer->seen_rx ? (uint32_t)now_ms - peer->rx : UINT32_MAX;
}

static void set_state(struct teredo_relay *relay, struct teredo_peer *peer,
		      enum teredo_peer_state state)
{
	relay->stats.peers_trusted += (state == TEREDO_PEER_TRUSTED) -
				      (peer->state == TEREDO_PEER_TRUSTED);
	peer->state = state;
}

/* -------- the fast path -------- */

static void fast_del(struct teredo_relay *relay, struct teredo_peer *peer)
{
	if (!peer->fast)
		return;
	peer->fast = 0;
	relay->ops->peer_del(relay->arg, &peer->key);
}

static void fast_put(struct teredo_relay *relay, struct teredo_peer *peer,
		     int64_t now_ms)
{
	uint32_t now = now_ms;

	if (!relay->ops->peer_put)
		return;
	peer->fast = 1;
	relay->ops->peer_put(
		relay->arg, &peer->key,
		peer->seen_rx ? now_ms - (uint32_t)(now - peer->rx) : 0,
		peer->seen_tx ? now_ms - (uint32_t)(now - peer->tx) : 0);
}

/* A time of the fast path, as an age: it may be later than now, which was asked
 * before. False: never, or long ago. */
static bool fast_age(int64_t then_ms, int64_t now_ms, uint32_t *age)
{
	if (then_ms <= 0 || now_ms - then_ms > AGE_MAX)
		return false;
	*age = MAX(now_ms - then_ms, 0);
	return true;
}

bool teredo_relay_peer_learn(struct teredo_relay *relay, uint32_t n,
			     int64_t now_ms)
{
	struct teredo_peer *peer = at(relay, n);
	uint32_t now = now_ms, age;
	int64_t rx, tx;
	bool news = false;

	/* times that are as good as never would look like new ones one day */
	if (peer->seen_tx && now - peer->tx > AGE_MAX)
		peer->seen_tx = 0;
	if (peer->fast &&
	    relay->ops->peer_activity(relay->arg, &peer->key, &rx, &tx)) {
		if (fast_age(rx, now_ms, &age) && age < rx_age(peer, now_ms)) {
			peer->rx = now - age;
			peer->seen_rx = 1;
			peer->bubbles = 0;
			news = true;
		}
		if (fast_age(tx, now_ms, &age) &&
		    (!peer->seen_tx || age < now - peer->tx)) {
			peer->tx = now - age;
			peer->seen_tx = 1;
			news = true;
		}
	}
	if (news)
		teredo_peers_file(relay->peers, n, now_ms);
	return news;
}

/* -------- life -------- */

uint32_t teredo_relay_lookup(struct teredo_relay *relay,
			     const struct relay_bpf_peer_key *key,
			     int64_t now_ms)
{
	uint32_t n = teredo_peers_find(relay->peers, key);

	if (n == TEREDO_NO_PEER ||
	    teredo_peer_idle(at(relay, n), now_ms) < TEREDO_PEER_LIFE)
		return n;
	teredo_relay_peer_learn(relay, n, now_ms);
	if (teredo_peer_idle(at(relay, n), now_ms) < TEREDO_PEER_LIFE)
		return n;
	teredo_relay_peer_remove(relay, relay->peers, n);
	return TEREDO_NO_PEER;
}

/* peers: relay->peers, or one of those dying */
void teredo_relay_peer_remove(struct teredo_relay *relay,
			      struct teredo_peers *peers, uint32_t n)
{
	struct teredo_peer *peer = teredo_peers_at(peers, n);

	relay->stats.drops[TEREDO_DROP_PEER_GONE] +=
		teredo_queue_drop(relay->queues, peer);
	fast_del(relay, peer);
	if (peers == relay->peers)
		set_state(relay, peer, TEREDO_PEER_FREE);
	teredo_peers_remove(peers, n);
}

/* -------- making room -------- */

/* The least recently used of a class; the fast path may have kept busy what is
 * not here. */
static uint32_t oldest(struct teredo_relay *relay, enum teredo_peer_class class,
		       int64_t now_ms)
{
	for (int i = 0; i < PUSH_TRIES; i++) {
		uint32_t n = teredo_peers_oldest(relay->peers, class);

		if (n == TEREDO_NO_PEER ||
		    !teredo_relay_peer_learn(relay, n, now_ms))
			return n;
	}
	return TEREDO_NO_PEER;
}

/*
 * Who makes room for a new peer, in the order of what is lost by it. Those that
 * do not answer go first. Then those of strangers' making, the longest unused
 * ones: of a scan of 2001::/32 (untrusted, a bubble is under way) and of forged
 * packets (one way only). Both have a share of the table that the other can't
 * take, so that in a flood of the one there is time for the other, and for a
 * new client to answer. One that was silent for long has to be asked anew
 * anyway. What goes both ways stays. TEREDO_NO_PEER: nobody.
 */
static uint32_t victim(struct teredo_relay *relay, int64_t now_ms)
{
	uint32_t share = MAX(relay->cfg.peers_max / 16, 1u), one_way, n;
	uint32_t awaited = teredo_peers_awaited_count(relay->peers), one_ways;

	n = oldest(relay, TEREDO_CLASS_UNTRUSTED, now_ms);
	if (n != TEREDO_NO_PEER)
		return n;
	if (awaited > share)
		return teredo_peers_awaited(relay->peers);
	one_way = oldest(relay, TEREDO_CLASS_ONE_WAY, now_ms);
	one_ways = teredo_peers_filed(relay->peers, TEREDO_CLASS_ONE_WAY);
	if (one_way != TEREDO_NO_PEER &&
	    (one_ways > share ||
	     teredo_peer_idle(at(relay, one_way), now_ms) >= PEER_VALID))
		return one_way;
	n = oldest(relay, TEREDO_CLASS_BOTH_WAYS, now_ms);
	if (n != TEREDO_NO_PEER &&
	    teredo_peer_idle(at(relay, n), now_ms) >= PEER_VALID)
		return n;
	/* what is left for both is less than their shares */
	return awaited > one_ways || one_way == TEREDO_NO_PEER
		       ? teredo_peers_awaited(relay->peers)
		       : one_way;
}

static bool push_out(struct teredo_relay *relay, int64_t now_ms)
{
	uint32_t n = victim(relay, now_ms);

	if (n == TEREDO_NO_PEER)
		return false;
	teredo_relay_peer_remove(relay, relay->peers, n);
	relay->stats.evicted++;
	return true;
}

/* One that was cleared and is back: it must not take what is the new one's out
 * of the fast path later. */
static void bury(struct teredo_relay *relay,
		 const struct relay_bpf_peer_key *key)
{
	for (struct teredo_dying *d = relay->dying; d; d = d->next) {
		uint32_t n = teredo_peers_find(d->peers, key);

		if (n != TEREDO_NO_PEER)
			teredo_relay_peer_remove(relay, d->peers, n);
	}
}

/* Once a second: who is refused would fill the log otherwise. */
static bool is_news(int64_t then_ms, int64_t now_ms)
{
	return then_ms / 1000 != now_ms / 1000;
}

/* Section 7.3.5 asks that abuse can be traced: who makes the relay send
 * bubbles, and who is kept from it. */
static void log_new(struct teredo_relay *relay, int64_t now_ms,
		    const struct relay_bpf_peer_key *key,
		    enum relay_bpf_way way, const void *from, const char *what)
{
	struct in6_addr addr;
	char text[INET6_ADDRSTRLEN];

	if (!teredo_relay_logs(relay))
		return;
	teredo_relay_address(key, &addr);
	inet_ntop(way == RELAY_BPF_WAY_4TO6 ? AF_INET : AF_INET6, from, text,
		  sizeof(text));
	teredo_relay_log(relay, now_ms, "peer %pI6, by a packet of %s: %s",
			 &addr, text, what);
}

uint32_t teredo_relay_peer_make(struct teredo_relay *relay,
				const struct relay_bpf_peer_key *key,
				enum relay_bpf_way way, const void *addr,
				int64_t now_ms)
{
	if (!teredo_limiter_take(relay->limiter, way, addr, now_ms)) {
		relay->stats.drops[TEREDO_DROP_PEER_LIMIT]++;
		if (is_news(relay->limit_ms, now_ms))
			log_new(relay, now_ms, key, way, addr,
				"refused, there are too many new ones");
		relay->limit_ms = now_ms;
		return TEREDO_NO_PEER;
	}
	if (teredo_peers_count(relay->peers) >= relay->cfg.peers_max &&
	    !push_out(relay, now_ms)) {
		relay->stats.drops[TEREDO_DROP_TABLE_FULL]++;
		if (is_news(relay->table_full_ms, now_ms))
			log_new(relay, now_ms, key, way, addr,
				"refused, the table is full");
		relay->table_full_ms = now_ms;
		return TEREDO_NO_PEER;
	}
	bury(relay, key);
	log_new(relay, now_ms, key, way, addr, "new");
	return teredo_peers_add(relay->peers, key);
}

/* -------- trust -------- */

static void send_queued(void *arg, const uint8_t *pkt, size_t len)
{
	const struct relay_bpf_peer_key *key;
	void **args = arg;

	key = &((const struct teredo_peer *)args[1])->key;
	teredo_relay_send(args[0], key, pkt, len);
}

void teredo_relay_peer_heard(struct teredo_relay *relay, uint32_t n,
			     int64_t now_ms)
{
	struct teredo_peer *peer = at(relay, n);
	uint32_t now = now_ms, was = peer->rx;
	bool news = peer->state != TEREDO_PEER_TRUSTED;
	void *args[] = {relay, peer};

	peer->rx = now;
	peer->seen_rx = 1;
	peer->bubbles = 0;
	set_state(relay, peer, TEREDO_PEER_TRUSTED);
	if (peer->queue) {
		teredo_queue_flush(relay->queues, peer, send_queued, args);
		peer->tx = now;
		peer->seen_tx = 1;
	}
	teredo_peers_file(relay->peers, n, now_ms);
	if (news || !peer->fast || was / FAST_PERIOD != now / FAST_PERIOD) {
		/* its times stand to be overwritten */
		if (peer->fast)
			teredo_relay_peer_learn(relay, n, now_ms);
		fast_put(relay, peer, now_ms);
	}
	if (news && teredo_relay_logs(relay)) {
		struct in6_addr addr;

		teredo_relay_address(&peer->key, &addr);
		teredo_relay_log(relay, now_ms, "peer %pI6 is trusted", &addr);
	}
}

void teredo_relay_peer_sent(struct teredo_relay *relay, uint32_t n,
			    int64_t now_ms)
{
	struct teredo_peer *peer = at(relay, n);

	peer->tx = now_ms;
	peer->seen_tx = 1;
	teredo_peers_file(relay->peers, n, now_ms);
}

void teredo_relay_peer_distrust(struct teredo_relay *relay, uint32_t n)
{
	struct teredo_peer *peer = at(relay, n);

	/* its answer to a bubble, whatever it is, must be seen here */
	fast_del(relay, peer);
	set_state(relay, peer, TEREDO_PEER_UNTRUSTED);
}

/* -------- bubbles, RFC 4380 section 5.2.6 -------- */

static void send_bubbles(struct teredo_relay *relay, struct teredo_peer *peer,
			 int64_t now_ms)
{
	uint8_t bubble[TEREDO_BUBBLE_LEN];
	struct teredo_address parts;
	struct in6_addr addr;

	teredo_relay_address(&peer->key, &addr);
	teredo_address_read(&addr, &parts);
	teredo_bubble_write(bubble, &relay->cfg.local, &addr);
	peer->bubble = now_ms;
	peer->bubbles++;
	/* Filters may have changed since the peer was made. The indirect one
	 * goes first, as it is what is waited for; the direct one is not far
	 * behind, and opens the path where the relay is behind a NAT
	 * (section 5.4.1) long before the answer has come by way of server and
	 * client. */
	if (teredo_relay_may_ask(relay, &addr) == RELAY_BPF_PASS) {
		relay->stats.bubbles_indirect_out++;
		relay->ops->send_udp(relay->arg, parts.server,
				     TEREDO_SERVER_PORT, 0, bubble,
				     sizeof(bubble));
	}
	if (teredo_relay_may_send(relay, &addr) == RELAY_BPF_PASS) {
		relay->stats.bubbles_direct_out++;
		relay->ops->send_udp(relay->arg, parts.mapped, parts.port, 0,
				     bubble, sizeof(bubble));
	}
}

/* When the next bubble may be sent, milliseconds from now: not within 2 s of
 * the last; after four without an answer, not within 300 s. */
static uint32_t bubble_wait(struct teredo_peer *peer, int64_t now_ms)
{
	uint32_t age = (uint32_t)now_ms - peer->bubble;

	if (peer->bubbles && age >= BUBBLES_TIME)
		peer->bubbles = 0;
	if (!peer->bubbles)
		return 0;
	if (peer->bubbles >= BUBBLES_MAX)
		return BUBBLES_TIME - age;
	return age < BUBBLE_TIMEOUT ? BUBBLE_TIMEOUT - age : 0;
}

void teredo_relay_peer_bubble(struct teredo_relay *relay, uint32_t n,
			      int64_t now_ms)
{
	if (bubble_wait(at(relay, n), now_ms) == 0)
		send_bubbles(relay, at(relay, n), now_ms);
}

void teredo_relay_peer_connect(struct teredo_relay *relay, uint32_t n,
			       const uint8_t *pkt, size_t len, int64_t now_ms)
{
	struct teredo_peer *peer = at(relay, n);
	uint32_t wait = bubble_wait(peer, now_ms);

	if (!teredo_peer_is_awaited(peer)) {
		/* the four are over, the last time-out as well */
		if (wait > BUBBLE_TIMEOUT) {
			set_state(relay, peer, TEREDO_PEER_UNREACHABLE);
			teredo_peers_file(relay->peers, n, now_ms);
			relay->stats.drops[TEREDO_DROP_NO_ANSWER]++;
			return;
		}
		set_state(relay, peer, TEREDO_PEER_UNTRUSTED);
		if (wait == 0)
			send_bubbles(relay, peer, now_ms);
		teredo_peers_await(relay->peers, n, now_ms);
	}
	relay->stats.drops[TEREDO_DROP_QUEUE_FULL] +=
		teredo_queue_put(relay->queues, peer, pkt, len);
}

/* The time-out of a bubble has passed. */
static void bubble_timeout(struct teredo_relay *relay, uint32_t n,
			   int64_t now_ms)
{
	struct teredo_peer *peer = at(relay, n);
	struct in6_addr addr;

	if (peer->bubbles < BUBBLES_MAX) {
		send_bubbles(relay, peer, now_ms);
		teredo_peers_await(relay->peers, n, now_ms);
		return;
	}
	relay->stats.drops[TEREDO_DROP_NO_ANSWER] +=
		teredo_queue_drop(relay->queues, peer);
	set_state(relay, peer, TEREDO_PEER_UNREACHABLE);
	teredo_peers_file(relay->peers, n, now_ms);
	if (teredo_relay_logs(relay)) {
		teredo_relay_address(&peer->key, &addr);
		teredo_relay_log(relay, now_ms,
				 "peer %pI6 does not answer to bubbles", &addr);
	}
}

/* -------- the timer -------- */

/* Those awaited. Returns how much of the slice is left. */
static int timer_bubbles(struct teredo_relay *relay, int64_t now_ms, int left,
			 int *wait_ms)
{
	uint32_t n;

	for (; left; left--) {
		struct teredo_peer *peer;
		uint32_t age;

		n = teredo_peers_awaited(relay->peers);
		if (n == TEREDO_NO_PEER)
			break;
		peer = at(relay, n);
		age = (uint32_t)now_ms - peer->bubble;
		if (age < BUBBLE_TIMEOUT) {
			*wait_ms = MIN(*wait_ms, (int)(BUBBLE_TIMEOUT - age));
			break;
		}
		bubble_timeout(relay, n, now_ms);
	}
	return left;
}

static int timer_ageing(struct teredo_relay *relay, int64_t now_ms, int left)
{
	uint32_t n;

	while (left) {
		n = teredo_peers_due(relay->peers, now_ms);
		if (n == TEREDO_NO_PEER)
			break;
		left--;
		teredo_relay_peer_learn(relay, n, now_ms);
		if (teredo_peer_idle(at(relay, n), now_ms) >= TEREDO_PEER_LIFE)
			teredo_relay_peer_remove(relay, relay->peers, n);
		else
			teredo_peers_file(relay->peers, n, now_ms);
	}
	return left;
}

/* Where nobody is there to go, but has to. */
static uint32_t any_victim(struct teredo_relay *relay)
{
	uint32_t n = TEREDO_NO_PEER;

	for (int class = 0; class < TEREDO_CLASSES && n == TEREDO_NO_PEER;
	     class ++)
		n = teredo_peers_oldest(relay->peers, class);
	return n;
}

/* A smaller bound. */
static int timer_bound(struct teredo_relay *relay, int64_t now_ms, int left)
{
	for (; left && teredo_peers_count(relay->peers) > relay->cfg.peers_max;
	     left--) {
		if (push_out(relay, now_ms))
			continue;
		teredo_relay_peer_remove(relay, relay->peers,
					 any_victim(relay));
		relay->stats.evicted++;
	}
	return left;
}

static int timer_dying(struct teredo_relay *relay, int left)
{
	while (left && relay->dying) {
		struct teredo_dying *d = relay->dying;
		uint32_t n = teredo_peers_next(d->peers, &d->cursor);

		if (n == TEREDO_NO_PEER) {
			relay->dying = d->next;
			teredo_peers_free(&d->peers);
			XFREE(MTYPE_TEREDO_DYING, d);
			continue;
		}
		teredo_relay_peer_remove(relay, d->peers, n);
		left--;
	}
	return left;
}

int teredo_relay_timer(struct teredo_relay *relay, int64_t now_ms)
{
	int left = SLICE, wait_ms = 60000;

	/* in the order of what waits least */
	left = timer_bubbles(relay, now_ms, left, &wait_ms);
	left = timer_ageing(relay, now_ms, left);
	left = timer_bound(relay, now_ms, left);
	left = timer_dying(relay, left);
	if (left == 0)
		return 0;
	if (teredo_peers_count(relay->peers))
		wait_ms = MIN(wait_ms, (int)(1000 - now_ms % 1000));
	return wait_ms;
}

void teredo_relay_bury_all(struct teredo_relay *relay)
{
	struct teredo_dying *d;

	while ((d = relay->dying)) {
		relay->dying = d->next;
		teredo_peers_free(&d->peers);
		XFREE(MTYPE_TEREDO_DYING, d);
	}
}

void teredo_relay_clear(struct teredo_relay *relay, int64_t now_ms)
{
	struct teredo_dying *dying;

	if (teredo_peers_count(relay->peers) == 0)
		return;
	dying = XCALLOC(MTYPE_TEREDO_DYING, sizeof(*dying));
	dying->peers = relay->peers;
	dying->next = relay->dying;
	relay->dying = dying;
	relay->peers = teredo_peers_new(relay->seed, now_ms);
	relay->stats.peers_trusted = 0;
}
