// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `track N list boolean <and|or>`: an object made of other objects.
 *
 * Lists may hold lists. They are ranked so that a list stands after all lists
 * that it holds, and a change is worked off in that order: each list is judged
 * once, with all its members settled, and a list never shows a state that holds
 * for no moment in truth. A cycle has no such order; the configuration refuses
 * it, and should one come about all the same, its lists are down and say so.
 */
#include "track_list.h"

#include "memory.h"

#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, TRACK_LIST, "Track boolean list");

/* how soon a list that misses a member looks for it again, milliseconds */
#define TRACK_LIST_RETRY_MS 1000

PREDECL_DLIST(list_objs);

struct list_obj {
	struct list_objs_item item;
	struct track *trk;
	unsigned int rank; /* 0: part of a cycle, or behind one */
	bool dirty;
	bool missing; /* a member did not exist when last judged */
	struct frr_event *t_retry;
};
DECLARE_DLIST(list_objs, struct list_obj, item);

static struct list_objs_head list_objs[1];
static struct frr_event *t_list_rank;
static bool list_working;

enum track_state track_list_eval(bool list_or,
				 const struct track_member *members,
				 const enum track_state *states, size_t n)
{
	enum track_state decisive = list_or ? TRACK_STATE_UP : TRACK_STATE_DOWN;
	bool init = false;

	/* IOS: an empty list is down */
	if (n == 0)
		return TRACK_STATE_DOWN;

	for (size_t i = 0; i < n; i++) {
		enum track_state state = states[i];

		if (state == TRACK_STATE_INIT) {
			init = true;
			continue;
		}
		if (members[i].negate)
			state = state == TRACK_STATE_UP ? TRACK_STATE_DOWN
							: TRACK_STATE_UP;
		if (state == decisive)
			return decisive;
	}
	if (init)
		return TRACK_STATE_INIT;
	return list_or ? TRACK_STATE_DOWN : TRACK_STATE_UP;
}

bool track_list_has_cycle(uint16_t id, const struct track_member *members,
			  size_t n, track_list_members get, void *arg)
{
	bool seen[TRACK_ID_MAX + 1] = {};
	uint16_t todo[TRACK_ID_MAX + 1];
	size_t ntodo = 0;

	for (;;) {
		for (size_t i = 0; i < n; i++) {
			uint16_t member = members[i].id;

			if (member == id)
				return true;
			if (member > TRACK_ID_MAX || seen[member])
				continue;
			seen[member] = true;
			todo[ntodo++] = member;
		}
		if (ntodo == 0)
			return false;
		n = get(todo[--ntodo], &members, arg);
	}
}

static bool list_holds(const struct list_obj *list, uint16_t id)
{
	const struct track_config *cfg = &list->trk->cfg;

	for (size_t i = 0; i < cfg->nmembers; i++)
		if (cfg->members[i].id == id)
			return true;
	return false;
}

/* What a down list says about itself: the member that decides, by id. */
static void list_detail(const struct track_config *cfg,
			const enum track_state *states, const bool *missing,
			char *buf, size_t len)
{
	buf[0] = '\0';
	if (cfg->nmembers == 0) {
		snprintf(buf, len, "no objects");
		return;
	}
	for (size_t i = 0; i < cfg->nmembers; i++)
		if (missing[i]) {
			snprintf(buf, len, "object %u missing",
				 cfg->members[i].id);
			return;
		}
	if (cfg->list_or) {
		snprintf(buf, len, "no object fulfilled");
		return;
	}
	for (size_t i = 0; i < cfg->nmembers; i++) {
		const struct track_member *member = &cfg->members[i];

		if (track_list_eval(false, member, &states[i], 1) !=
		    TRACK_STATE_DOWN)
			continue;
		snprintf(buf, len, "object %u %s", member->id,
			 track_state_str(states[i]));
		return;
	}
}

static void list_retry(struct frr_event *event);

static void list_judge(struct list_obj *list)
{
	struct track *trk = list->trk;
	const struct track_config *cfg = &trk->cfg;
	enum track_state states[TRACK_MEMBERS_MAX];
	bool missing[TRACK_MEMBERS_MAX] = {};
	char detail[sizeof(trk->detail)] = "";
	enum track_state state;

	list->dirty = false;
	list->missing = false;
	if (list->rank == 0) {
		track_report(trk, TRACK_STATE_DOWN,
			     "lists hold each other in a cycle");
		return;
	}

	for (size_t i = 0; i < cfg->nmembers; i++) {
		const struct track *member = track_lookup(cfg->members[i].id);

		if (member) {
			states[i] = member->state;
			continue;
		}
		/* fulfils nothing, `not` or no `not` */
		missing[i] = true;
		list->missing = true;
		states[i] = cfg->members[i].negate ? TRACK_STATE_UP
						   : TRACK_STATE_DOWN;
	}
	if (list->missing)
		event_add_timer_msec(track_loop, list_retry, list,
				     TRACK_LIST_RETRY_MS, &list->t_retry);
	else
		EVENT_OFF(list->t_retry);

	state = track_list_eval(cfg->list_or, cfg->members, states,
				cfg->nmembers);
	if (state == TRACK_STATE_DOWN)
		list_detail(cfg, states, missing, detail, sizeof(detail));
	track_report(trk, state, state == TRACK_STATE_DOWN ? detail : NULL);
}

/*
 * Judges what is dirty, inner lists first. A report may make outer lists dirty
 * (list_member_change()); since these rank higher, each is judged once.
 */
static void list_work(void)
{
	if (list_working)
		return;
	list_working = true;
	for (;;) {
		struct list_obj *list, *first = NULL;

		frr_each (list_objs, list_objs, list)
			if (list->dirty && (!first || list->rank < first->rank))
				first = list;
		if (!first)
			break;
		list_judge(first);
	}
	list_working = false;
}

static void list_retry(struct frr_event *event)
{
	struct list_obj *list = EVENT_ARG(event);

	list->dirty = true;
	list_work();
}

static struct list_obj *list_find(uint16_t id)
{
	struct track *trk = track_lookup(id);

	return trk && trk->ops == &track_list_ops ? trk->priv : NULL;
}

static bool list_members_ranked(const struct list_obj *list)
{
	const struct track_config *cfg = &list->trk->cfg;

	for (size_t i = 0; i < cfg->nmembers; i++) {
		const struct list_obj *inner = list_find(cfg->members[i].id);

		if (inner && inner->rank == 0)
			return false;
	}
	return true;
}

/*
 * Kahn's algorithm: ranks whatever has all its members ranked, until nothing
 * moves. Runs from an event, so that a commit that builds many objects in any
 * order is seen as a whole.
 */
static void list_rank(struct frr_event *event)
{
	struct list_obj *list;
	unsigned int rank = 0;
	bool moved = true;

	frr_each (list_objs, list_objs, list) {
		list->rank = 0;
		list->dirty = true;
	}
	while (moved) {
		moved = false;
		frr_each (list_objs, list_objs, list) {
			if (list->rank || !list_members_ranked(list))
				continue;
			list->rank = ++rank;
			moved = true;
		}
	}
	list_work();
}

static int list_member_change(struct track *trk, enum track_state old)
{
	struct list_obj *list;
	bool any = false;

	frr_each (list_objs, list_objs, list) {
		if (!list_holds(list, trk->cfg.id))
			continue;
		list->dirty = true;
		any = true;
	}
	/* ranks are about to be made anew: that judges all lists */
	if (any && !t_list_rank)
		list_work();
	return 0;
}

static int list_start(struct track *trk)
{
	struct list_obj *list;

	list = XCALLOC(MTYPE_TRACK_LIST, sizeof(*list));
	list->trk = trk;
	trk->priv = list;
	list_objs_add_tail(list_objs, list);
	event_add_event(track_loop, list_rank, NULL, 0, &t_list_rank);
	return 0;
}

static void list_stop(struct track *trk)
{
	struct list_obj *list = trk->priv;

	if (!list)
		return;
	trk->priv = NULL;
	EVENT_OFF(list->t_retry);
	list_objs_del(list_objs, list);
	XFREE(MTYPE_TRACK_LIST, list);
	event_add_event(track_loop, list_rank, NULL, 0, &t_list_rank);
}

static void list_target(const struct track *trk, char *buf, size_t len)
{
	snprintf(buf, len, "boolean %s", trk->cfg.list_or ? "or" : "and");
}

static void list_show_json(const struct track *trk, struct json_object *json)
{
	struct json_object *members = json_object_new_array();

	for (size_t i = 0; i < trk->cfg.nmembers; i++) {
		const struct track_member *member = &trk->cfg.members[i];
		const struct track *object = track_lookup(member->id);
		struct json_object *entry = json_object_new_object();

		json_object_int_add(entry, "id", member->id);
		json_object_boolean_add(entry, "not", member->negate);
		json_object_string_add(entry, "state",
				       object ? track_state_str(object->state)
					      : "missing");
		json_object_array_add(members, entry);
	}
	json_object_object_add(json, "objects", members);
}

static void list_show(const struct track *trk, struct vty *vty)
{
	for (size_t i = 0; i < trk->cfg.nmembers; i++) {
		const struct track_member *member = &trk->cfg.members[i];
		const struct track *object = track_lookup(member->id);

		vty_out(vty, "  object %u%s: %s\n", member->id,
			member->negate ? " not" : "",
			object ? track_state_str(object->state) : "missing");
	}
}

const struct track_ops track_list_ops = {
	.type = TRACK_LIST,
	.name = "list",
	.start = list_start,
	.stop = list_stop,
	.target = list_target,
	.show_json = list_show_json,
	.show = list_show,
};

void track_list_init(void)
{
	list_objs_init(list_objs);
	hook_register(track_change, list_member_change);
}

void track_list_fini(void)
{
	hook_unregister(track_change, list_member_change);
	EVENT_OFF(t_list_rank);
	list_objs_fini(list_objs);
}
