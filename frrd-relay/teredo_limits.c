// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "memory.h"

#include "relay_memory.h"
#include "teredo_hash.h"
#include "teredo_limits.h"

DEFINE_MTYPE_STATIC(RELAYD, TEREDO_LIMITER, "Teredo new-peer limits");

/* Places in the array of prefixes of a way: sets of so many, one of which a
 * prefix has. */
#define SETS 1024
#define WAYS 4

/* What is used is held in thousandths of a peer, and leaks by the rate. */
struct bucket {
	uint64_t tag; /* of the prefix; 0: none yet */
	int64_t since_ms;
	uint64_t used;
};

struct teredo_limiter {
	struct teredo_limits limits;
	uint8_t seed[16];
	struct bucket all[RELAY_BPF_WAYS];
	struct bucket prefix[RELAY_BPF_WAYS][SETS][WAYS];
};

struct teredo_limiter *teredo_limiter_new(const struct teredo_limits *limits,
					  const uint8_t seed[16],
					  int64_t now_ms)
{
	struct teredo_limiter *l = XCALLOC(MTYPE_TEREDO_LIMITER, sizeof(*l));

	l->limits = *limits;
	memcpy(l->seed, seed, sizeof(l->seed));
	for (int way = 0; way < RELAY_BPF_WAYS; way++)
		l->all[way].since_ms = now_ms;
	return l;
}

void teredo_limiter_free(struct teredo_limiter **limiter)
{
	XFREE(MTYPE_TEREDO_LIMITER, *limiter);
}

void teredo_limiter_configure(struct teredo_limiter *l,
			      const struct teredo_limits *limits)
{
	l->limits = *limits;
}

static void leak(struct bucket *b, const struct teredo_limit *limit,
		 int64_t now_ms)
{
	uint64_t gone = now_ms - b->since_ms;

	/* beyond this all has leaked, whatever the rate */
	gone = MIN(gone, (uint64_t)UINT32_MAX);
	b->since_ms = now_ms;
	b->used -= MIN(b->used, gone * limit->rate);
}

static bool has_room(const struct bucket *b, const struct teredo_limit *limit)
{
	return limit->rate == 0 ||
	       b->used + 1000 <= limit->burst * UINT64_C(1000);
}

/* The bucket of a prefix; where it has none, that of the set's prefix which was
 * not heard of for longest is made its own. */
static struct bucket *prefix_bucket(struct teredo_limiter *l,
				    enum relay_bpf_way way, const void *addr,
				    int64_t now_ms)
{
	uint64_t tag =
		teredo_hash(l->seed, addr, way == RELAY_BPF_WAY_4TO6 ? 3 : 6);
	struct bucket *set = l->prefix[way][tag % SETS], *oldest = set;

	tag = MAX(tag, 1u);
	for (int i = 0; i < WAYS; i++) {
		if (set[i].tag == tag)
			return &set[i];
		if (set[i].since_ms < oldest->since_ms)
			oldest = &set[i];
	}
	*oldest = (struct bucket){.tag = tag, .since_ms = now_ms};
	return oldest;
}

bool teredo_limiter_take(struct teredo_limiter *l, enum relay_bpf_way way,
			 const void *addr, int64_t now_ms)
{
	const struct teredo_limit *of_all = &l->limits.all[way],
				  *of_prefix = &l->limits.prefix[way];
	struct bucket *all = &l->all[way],
		      *prefix = prefix_bucket(l, way, addr, now_ms);

	leak(prefix, of_prefix, now_ms);
	leak(all, of_all, now_ms);
	if (!has_room(prefix, of_prefix) || !has_room(all, of_all))
		return false;
	if (of_prefix->rate)
		prefix->used += 1000;
	if (of_all->rate)
		all->used += 1000;
	return true;
}
