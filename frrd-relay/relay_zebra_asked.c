// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "jhash.h"
#include "log.h"
#include "typesafe.h"

#include "relay.h"
#include "relay_memory.h"
#include "relay_zebra_asked.h"

DEFINE_MTYPE_STATIC(RELAYD, RELAY_ASKED, "Relay question to zebra");

/* Of each prefix that zebra has of relayd, or may have. */
PREDECL_HASH(asked_hash);
struct asked {
	struct asked_hash_item item;
	struct prefix p;
	bool addition;
	struct relay_route_config route; /* of an addition */
	ifindex_t ifindex;
	unsigned int wait_s, times;
	struct frr_event *t_again; /* NULL: it has answered */
};

static int asked_cmp(const struct asked *a, const struct asked *b)
{
	return prefix_cmp(&a->p, &b->p);
}

static uint32_t asked_key(const struct asked *a)
{
	return prefix_hash_key(&a->p);
}
DECLARE_HASH(asked_hash, struct asked, item, asked_cmp, asked_key);

static struct asked_hash_head all[1] = {INIT_HASH(all[0])};
static struct frr_loop *asked_loop;
static void (*ask_again)(const struct prefix *p,
			 const struct relay_route_config *route,
			 ifindex_t ifindex);

static struct asked *find(const struct prefix *p)
{
	struct asked ref = {};

	prefix_copy(&ref.p, p);
	return asked_hash_find(all, &ref);
}

static void forget(struct asked *a)
{
	EVENT_OFF(a->t_again);
	asked_hash_del(all, a);
	XFREE(MTYPE_RELAY_ASKED, a);
}

static void not_done(struct frr_event *ev);

static void wait_for_answer(struct asked *a)
{
	event_add_timer(asked_loop, not_done, a, a->wait_s, &a->t_again);
	a->wait_s = MIN(2 * a->wait_s, RELAY_ASK_AGAIN_MAX_S);
}

static void not_done(struct frr_event *ev)
{
	struct asked *a = EVENT_ARG(ev);

	if (!a->addition && a->times++ == RELAY_ASK_DELETE_MAX) {
		forget(a);
		return;
	}
	wait_for_answer(a);
	zlog_info("zebra: %pFX is not done, asked once more to %s it", &a->p,
		  a->addition ? "take" : "withdraw");
	/* may forget a */
	ask_again(&a->p, a->addition ? &a->route : NULL, a->ifindex);
}

void relay_zebra_asked_init(
	struct frr_loop *loop,
	void (*again)(const struct prefix *p,
		      const struct relay_route_config *route,
		      ifindex_t ifindex))
{
	asked_loop = loop;
	ask_again = again;
}

void relay_zebra_asked(const struct prefix *p,
		       const struct relay_route_config *route,
		       ifindex_t ifindex)
{
	struct asked *a = find(p);

	if (!a) {
		a = XCALLOC(MTYPE_RELAY_ASKED, sizeof(*a));
		prefix_copy(&a->p, p);
		asked_hash_add(all, a);
	}
	a->addition = route != NULL;
	if (route)
		a->route = *route;
	a->ifindex = ifindex;
	a->times = 0;
	a->wait_s = RELAY_ASK_AGAIN_S;
	EVENT_OFF(a->t_again);
	wait_for_answer(a);
}

void relay_zebra_answered(const struct prefix *p, bool addition)
{
	struct asked *a = find(p);

	if (!a || a->addition != addition)
		return;
	if (!addition) {
		forget(a);
		return;
	}
	EVENT_OFF(a->t_again);
	a->wait_s = RELAY_ASK_AGAIN_S;
}

void relay_zebra_refused(const struct prefix *p)
{
	struct asked *a = find(p);

	/* also where it had it installed before */
	if (a && a->addition && !a->t_again)
		wait_for_answer(a);
}

void relay_zebra_asked_forget(void)
{
	struct asked *a;

	while ((a = asked_hash_first(all)))
		forget(a);
}
