// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of a Teredo relay's peers, the queues and the limits, each by
 * itself. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay_memory.h"
#include "teredo_hash.h"
#include "teredo_limits.h"
#include "teredo_peers.h"
#include "teredo_queue.h"

DEFINE_MGROUP(RELAYD, "relayd");

static const uint8_t seed[16] = {0, 1, 2,  3,  4,  5,  6,  7,
				 8, 9, 10, 11, 12, 13, 14, 15};

/* -------- hash -------- */

static void test_hash(void **state)
{
	/* of the octets 0, 1, ... with the key above */
	static const struct {
		size_t len;
		uint64_t hash;
	} cases[] = {
		{0, UINT64_C(0xabac0158050fc4dc)},
		{1, UINT64_C(0xc9f49bf37d57ca93)},
		{3, UINT64_C(0x8bf80ab8e7ddf7fb)},
		{6, UINT64_C(0xc50d2b50c59f22a7)},
		{7, UINT64_C(0xd3927d989bb11140)},
		{8, UINT64_C(0x369095118d299a8e)},
		{12, UINT64_C(0x78a384b157b4d9a2)},
		{15, UINT64_C(0xd320d86d2a519956)},
		{16, UINT64_C(0xcc4fdd1a7d908b66)},
	};
	/* what CPython calls hash(b"teredo") where PYTHONHASHSEED is 0 */
	static const uint8_t zero[16];

	for (size_t i = 0; i < array_size(cases); i++)
		assert_true(teredo_hash(seed, seed, cases[i].len) ==
			    cases[i].hash);
	assert_true(teredo_hash(zero, "teredo", 6) ==
		    UINT64_C(0x89d94a126c1014a2));
}

/* -------- table -------- */

static struct relay_bpf_peer_key key_of(uint32_t i)
{
	struct relay_bpf_peer_key key = {.octets = {1, 2, 3, 4}};

	memcpy(key.octets + 8, &i, sizeof(i));
	return key;
}

static uint32_t add(struct teredo_peers *p, uint32_t i, int64_t now_ms)
{
	const struct relay_bpf_peer_key key = key_of(i);
	uint32_t n = teredo_peers_add(p, &key);
	struct teredo_peer *peer;

	assert_int_not_equal(n, TEREDO_NO_PEER);
	peer = teredo_peers_at(p, n);
	peer->state = TEREDO_PEER_TRUSTED;
	peer->rx = now_ms;
	peer->seen_rx = 1;
	teredo_peers_file(p, n, now_ms);
	return n;
}

static uint32_t find(struct teredo_peers *p, uint32_t i)
{
	const struct relay_bpf_peer_key key = key_of(i);

	return teredo_peers_find(p, &key);
}

/* The stated memory, at the bound and on the way there; all of it comes back.
 */
static void test_memory(void **state)
{
	struct teredo_peers *p = teredo_peers_new(seed, 0);
	size_t empty = teredo_peers_memory(p), least;
	const struct relay_bpf_peer_key one_more = key_of(TEREDO_PEERS_MAX);

	assert_true(empty < 64 * 1024);
	for (uint32_t i = 0; i < TEREDO_PEERS_MAX; i++) {
		add(p, i, 0);
		if (i % 65536 == 65535)
			assert_true(teredo_peers_memory(p) - empty <=
				    (i + 1) * 45ul + 200000);
	}
	assert_int_equal(teredo_peers_count(p), TEREDO_PEERS_MAX);
	assert_true(teredo_peers_memory(p) <= TEREDO_PEERS_MAX * 45ul);
	assert_true(teredo_peers_memory(p) <= 50000000);
	assert_int_equal(teredo_peers_add(p, &one_more), TEREDO_NO_PEER);
	for (uint32_t i = 0; i < TEREDO_PEERS_MAX; i++)
		assert_int_not_equal(find(p, i), TEREDO_NO_PEER);
	for (uint32_t i = 0; i < TEREDO_PEERS_MAX; i++) {
		teredo_peers_remove(p, find(p, i));
		assert_int_equal(find(p, i), TEREDO_NO_PEER);
	}
	assert_int_equal(teredo_peers_count(p), 0);
	/* but one chunk */
	least = teredo_peers_memory(p);
	assert_true(least <= empty + 4096 * sizeof(struct teredo_peer));
	teredo_peers_free(&p);
	assert_null(p);
}

/* Against a plain array, through growth and shrinking. */
static void test_random(void **state)
{
	enum { N = 30000 };
	static bool there[N];
	struct teredo_peers *p = teredo_peers_new(seed, 0);
	uint32_t count = 0;

	memset(there, 0, sizeof(there));
	srandom(4380);
	for (int i = 0; i < 400000; i++) {
		uint32_t k = random() % N, n = find(p, k);
		/* waves of more and of less */
		bool want = random() % 100 < (i / 50000 % 2 ? 15 : 85);

		assert_int_equal(n != TEREDO_NO_PEER, there[k]);
		if (want == there[k])
			continue;
		if (want)
			add(p, k, random() % 400000);
		else
			teredo_peers_remove(p, n);
		there[k] = want;
		count += want ? 1 : -1;
		assert_int_equal(teredo_peers_count(p), count);
		if (i % 10000 == 0) {
			uint32_t cursor = 0, seen = 0;

			while ((n = teredo_peers_next(p, &cursor)) !=
			       TEREDO_NO_PEER) {
				memcpy(&k,
				       teredo_peers_at(p, n)->key.octets + 8,
				       sizeof(k));
				assert_true(k < N && there[k]);
				seen++;
			}
			assert_int_equal(seen, count);
		}
	}
	teredo_peers_free(&p);
}

/* A cursor sees each peer that stays once, whatever comes and goes. */
static void test_cursor(void **state)
{
	struct teredo_peers *p = teredo_peers_new(seed, 0);
	uint32_t seen[1000] = {0}, cursor = 0, n, k;

	for (uint32_t i = 0; i < 2000; i++)
		add(p, i, 0);
	for (uint32_t i = 0;
	     (n = teredo_peers_next(p, &cursor)) != TEREDO_NO_PEER; i++) {
		memcpy(&k, teredo_peers_at(p, n)->key.octets + 8, sizeof(k));
		if (k < 1000)
			seen[k]++;
		if (i < 1000) {
			teredo_peers_remove(p, find(p, 1000 + i));
			add(p, 10000 + i, 0);
		}
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(seen[i], 1);
	teredo_peers_free(&p);
}

/* -------- order -------- */

/* Each is due in the second in which its life ends, not before. */
static void test_due(void **state)
{
	struct teredo_peers *p = teredo_peers_new(seed, 7000);
	int64_t now;
	uint32_t n, left = 0;

	for (now = 7000; now < 307000; now += 251) {
		add(p, now, now);
		left++;
		assert_int_equal(teredo_peers_due(p, now), TEREDO_NO_PEER);
	}
	for (; left; now += 100)
		while ((n = teredo_peers_due(p, now)) != TEREDO_NO_PEER) {
			uint32_t idle =
				teredo_peer_idle(teredo_peers_at(p, n), now);

			assert_in_range(idle, TEREDO_PEER_LIFE,
					TEREDO_PEER_LIFE + 1100);
			teredo_peers_remove(p, n);
			left--;
		}
	/* a clock that jumps, and a table that has slept for days */
	now += INT64_C(86400000) * 60;
	add(p, 1, now);
	assert_int_equal(find(p, 1), teredo_peers_oldest(p, 1));
	/* what cannot be filed so late is looked at early, and filed again */
	for (int i = 0; (n = teredo_peers_due(p, now)) != TEREDO_NO_PEER; i++) {
		assert_true(i < 3);
		teredo_peers_file(p, n, now);
	}
	assert_int_equal(teredo_peers_due(p, now + 299000), TEREDO_NO_PEER);
	assert_int_equal(teredo_peers_due(p, now + 301000), find(p, 1));
	teredo_peers_free(&p);
}

/* The least recently used of each class is first. */
static void test_oldest(void **state)
{
	struct teredo_peers *p = teredo_peers_new(seed, 0);
	struct teredo_peer *peer;
	uint32_t n;

	for (uint32_t i = 0; i < 100; i++) {
		n = add(p, i, i * 1000);
		peer = teredo_peers_at(p, n);
		if (i % 2) {
			peer->tx = i * 1000;
			peer->seen_tx = 1;
			teredo_peers_file(p, n, i * 1000);
		}
	}
	assert_int_equal(teredo_peers_filed(p, TEREDO_CLASS_ONE_WAY), 50);
	assert_int_equal(teredo_peers_filed(p, TEREDO_CLASS_BOTH_WAYS), 50);
	/* the first one is used again */
	n = find(p, 0);
	teredo_peers_at(p, n)->rx = 99000;
	teredo_peers_file(p, n, 99000);
	for (uint32_t i = 2; i < 100; i += 2) {
		n = teredo_peers_oldest(p, TEREDO_CLASS_ONE_WAY);
		assert_int_equal(n, find(p, i));
		teredo_peers_remove(p, n);
		n = teredo_peers_oldest(p, TEREDO_CLASS_BOTH_WAYS);
		assert_int_equal(n, find(p, i - 1));
		teredo_peers_remove(p, n);
	}
	assert_int_equal(teredo_peers_oldest(p, TEREDO_CLASS_ONE_WAY),
			 find(p, 0));
	assert_int_equal(teredo_peers_oldest(p, TEREDO_CLASS_UNTRUSTED),
			 TEREDO_NO_PEER);
	teredo_peers_free(&p);
}

/* Those awaited are in the order of their bubbles, even if one is late. */
static void test_awaited(void **state)
{
	static const uint32_t bubbles[] = {0, 10, 10, 500, 400, 2000, 300};
	static const uint32_t order[] = {0, 1, 2, 6, 4, 3, 5};
	struct teredo_peers *p = teredo_peers_new(seed, 0);

	assert_int_equal(teredo_peers_awaited(p), TEREDO_NO_PEER);
	for (uint32_t i = 0; i < array_size(bubbles); i++) {
		uint32_t n = add(p, i, 0);
		struct teredo_peer *peer = teredo_peers_at(p, n);

		assert_false(teredo_peer_is_awaited(peer));
		peer->state = TEREDO_PEER_UNTRUSTED;
		peer->bubble = bubbles[i];
		peer->bubbles = 1;
		teredo_peers_await(p, n, 2000);
		assert_true(teredo_peer_is_awaited(peer));
	}
	assert_int_equal(teredo_peers_awaited_count(p), array_size(bubbles));
	assert_int_equal(teredo_peers_due(p, 900000), TEREDO_NO_PEER);
	for (size_t i = 0; i < array_size(order); i++) {
		uint32_t n = teredo_peers_awaited(p);

		assert_int_equal(n, find(p, order[i]));
		teredo_peers_remove(p, n);
	}
	teredo_peers_free(&p);
}

/* -------- queues -------- */

static size_t nflushed;

static void flushed(void *arg, const uint8_t *pkt, size_t len)
{
	const uint8_t *from = arg;

	assert_int_equal(pkt[0], *from + nflushed++);
}

static void test_queue(void **state)
{
	struct teredo_queues *q = teredo_queues_new();
	struct teredo_peer peer = {0}, other = {0};
	uint8_t pkt[TEREDO_QUEUE_BYTES + 1] = {0}, from = 0;

	/* eight packets, and the last of more does not push out the first */
	for (uint8_t i = 0; i < 20; i++) {
		pkt[0] = i;
		assert_int_equal(teredo_queue_put(q, &peer, pkt, 100),
				 i < TEREDO_QUEUE_PACKETS ? 0 : 1);
	}
	assert_int_equal(teredo_queue_count(q, &peer), TEREDO_QUEUE_PACKETS);
	assert_int_equal(teredo_queue_put(q, &other, pkt, 1280), 0);
	assert_int_equal(teredo_queues_packets(q), TEREDO_QUEUE_PACKETS + 1);
	teredo_queue_flush(q, &peer, flushed, &from);
	assert_int_equal(nflushed, TEREDO_QUEUE_PACKETS);
	assert_int_equal(peer.queue, 0);
	assert_int_equal(teredo_queue_drop(q, &other), 1);
	assert_int_equal(teredo_queue_drop(q, &other), 0);
	assert_int_equal(teredo_queues_packets(q), 0);
	assert_int_equal(teredo_queues_bytes(q), 0);
	/* four of the largest; none that is larger than a queue */
	for (int i = 0; i < 6; i++)
		assert_int_equal(teredo_queue_put(q, &peer, pkt, 1280), i > 3);
	assert_int_equal(teredo_queue_put(q, &other, pkt, sizeof(pkt)), 1);
	assert_int_equal(other.queue, 0);
	teredo_queues_free(&q);
	assert_null(q);
}

/* All together are bounded, by number and by octets; the oldest give way. */
static void test_queues_bound(void **state)
{
	enum { N = 20000 };
	static struct teredo_peer peers[N];
	static const size_t lens[] = {40, 1280};
	uint8_t pkt[1280] = {0};

	for (size_t l = 0; l < array_size(lens); l++) {
		struct teredo_queues *q = teredo_queues_new();
		uint32_t waiting = 0, given_up = 0;

		memset(peers, 0, sizeof(peers));
		for (int i = 0; i < N; i++) {
			given_up +=
				teredo_queue_put(q, &peers[i], pkt, lens[l]);
			assert_true(teredo_queues_bytes(q) <=
				    TEREDO_QUEUES_BYTES);
			assert_true(teredo_queues_memory(q) <=
				    TEREDO_QUEUES_BYTES + 512 * 1024);
		}
		waiting = teredo_queues_packets(q);
		assert_int_equal(waiting + given_up, N);
		if (l == 0)
			assert_int_equal(waiting, TEREDO_QUEUES_MAX);
		else
			assert_true(waiting > 3000);
		for (uint32_t i = 0; i < N; i++)
			assert_int_equal(peers[i].queue != 0, i >= N - waiting);
		/* a queue does not give way to itself */
		assert_int_equal(
			teredo_queue_put(q, &peers[N - waiting], pkt, lens[l]),
			l);
		assert_int_equal(teredo_queue_count(q, &peers[N - waiting]), 2);
		teredo_queues_free(&q);
		assert_int_equal(peers[N - 1].queue, 0);
	}
}

/* -------- limits -------- */

static unsigned int take(struct teredo_limiter *l, enum relay_bpf_way way,
			 const void *addr, int64_t now, unsigned int n)
{
	unsigned int got = 0;

	while (n--)
		got += teredo_limiter_take(l, way, addr, now);
	return got;
}

static void test_limits(void **state)
{
	const struct teredo_limits limits = TEREDO_LIMITS_DEFAULT,
				   none = {.all = {{0, 0}}};
	struct teredo_limiter *l = teredo_limiter_new(&limits, seed, 1000);
	uint8_t a[16] = {10, 1, 1, 1}, b[16] = {10, 1, 1, 200},
		c[16] = {10, 1, 2, 1}, v6[16] = {0x20, 1, 0xd, 0xb8, 0, 1};
	unsigned int got;

	/* a /24, whichever address of it; its burst, and its rate */
	assert_int_equal(take(l, 0, a, 1000, 1500), 1500);
	assert_int_equal(take(l, 0, b, 1000, 1500), 500);
	assert_int_equal(take(l, 0, a, 2000, 1500), 500);
	assert_int_equal(take(l, 0, a, 2001, 100), 0);
	assert_int_equal(take(l, 0, a, 2002, 100), 1);
	/* the other way, and the /24 beside it, are others */
	assert_int_equal(take(l, 0, c, 2002, 2500), 2000);
	assert_int_equal(take(l, 1, v6, 2002, 2500), 2000);
	/* a /48 */
	v6[6] = 7;
	assert_int_equal(take(l, 1, v6, 2002, 10), 0);
	v6[5] = 2;
	assert_int_equal(take(l, 1, v6, 2002, 10), 10);
	/* all together: 10000, and 5000 a second */
	teredo_limiter_free(&l);
	l = teredo_limiter_new(&limits, seed, 0);
	got = 0;
	for (uint32_t i = 0; i < 50000; i++) {
		uint32_t addr = htonl(i << 8);

		got += teredo_limiter_take(l, 0, &addr, i / 50);
	}
	assert_in_range(got, 14990, 15000);
	/* what is refused uses up nothing of a prefix */
	assert_int_equal(take(l, 0, a, 1000, 2000), 5);
	assert_int_equal(take(l, 0, a, 3000, 3000), 2000);
	/* none */
	teredo_limiter_configure(l, &none);
	assert_int_equal(take(l, 0, a, 3000, 100000), 100000);
	teredo_limiter_configure(l, &limits);
	assert_int_equal(take(l, 0, a, 3001, 10), 0);
	teredo_limiter_free(&l);
	assert_null(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_oldest),
		cmocka_unit_test(test_awaited),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_queues_bound),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
