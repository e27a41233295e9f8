// SPDX-License-Identifier: GPL-2.0-or-later
/* Boolean lists: their value, cycles, and lists in lists at work. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "memory.h"

#include "relay_memory.h"
#include "track_list.h"

DEFINE_MGROUP(RELAYD, "relayd");

/* ------------------------------------------------ track.c, without delays */

DEFINE_HOOK(track_change, (struct track *trk, enum track_state old),
	    (trk, old));
struct frr_loop *track_loop;

static struct track *objects[TRACK_ID_MAX + 1];
static unsigned int reports;

struct track *track_lookup(uint16_t id)
{
	return objects[id];
}

const char *track_state_str(enum track_state state)
{
	static const char *const names[] = { "init", "up", "down" };

	return names[state];
}

void track_report(struct track *trk, enum track_state raw, const char *detail)
{
	enum track_state old = trk->state;

	reports++;
	snprintf(trk->detail, sizeof(trk->detail), "%s", detail ? detail : "");
	if (raw == old)
		return;
	trk->state = raw;
	if (old != TRACK_STATE_INIT)
		trk->transitions++;
	hook_call(track_change, trk, old);
}

/* ------------------------------------------------------------------ value */

#define I TRACK_STATE_INIT
#define U TRACK_STATE_UP
#define D TRACK_STATE_DOWN

static void test_eval(void **state)
{
	/* members: state, and ! before a negated one: u d i, !u !d !i */
	static const struct {
		const char *members;
		enum track_state all, any;
	} cases[] = {
		{ "", D, D },	   { "u", U, U },     { "d", D, D },
		{ "i", I, I },	   { "!u", D, D },    { "!d", U, U },
		{ "!i", I, I },	   { "uu", U, U },    { "ud", D, U },
		{ "du", D, U },	   { "dd", D, D },    { "ui", I, U },
		{ "iu", I, U },	   { "di", D, I },    { "id", D, I },
		{ "ii", I, I },	   { "u!d", U, U },   { "u!u", D, U },
		{ "d!u", D, D },   { "i!u", D, I },   { "i!d", I, U },
		{ "i!iu", I, U },  { "i!id", D, I },  { "uuu!u", D, U },
		{ "ddd!d", D, U }, { "uuuui", I, U }, { "ddddi", D, I },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct track_member members[8] = {};
		enum track_state states[8], all, any;
		bool negate = false;
		size_t n = 0;

		for (const char *c = cases[i].members; *c; c++) {
			if (*c == '!') {
				negate = true;
				continue;
			}
			members[n].id = n + 1;
			members[n].negate = negate;
			states[n++] = *c == 'u' ? U : *c == 'd' ? D : I;
			negate = false;
		}
		all = track_list_eval(false, members, states, n);
		any = track_list_eval(true, members, states, n);
		if (all != cases[i].all || any != cases[i].any)
			fail_msg("'%s': and %s, or %s", cases[i].members,
				 track_state_str(all), track_state_str(any));
	}
}

/* ------------------------------------------------------------------ cycles */

struct lists {
	const char *edges; /* "ab bc": a holds b, b holds c */
	struct track_member members[TRACK_MEMBERS_MAX];
	unsigned int asked;
};

static size_t graph_members(uint16_t id, const struct track_member **members,
			    void *arg)
{
	struct lists *graph = arg;
	size_t n = 0;

	graph->asked++;
	for (const char *e = graph->edges; *e; e += e[2] ? 3 : 2)
		if (e[0] == id)
			graph->members[n++].id = e[1];
	*members = graph->members;
	return n;
}

static void test_cycle(void **state)
{
	static const struct {
		const char *edges;
		const char *members; /* of list a */
		bool cycle;
	} cases[] = {
		{ "", "", false },
		{ "", "b", false },
		{ "", "a", true },
		{ "ba", "b", true },
		{ "bc", "b", false },
		{ "bc ca", "b", true },
		{ "bc cd de ea", "b", true },
		{ "bd cd", "bc", false },
		{ "bd cd da", "bc", true },
		/* someone else's cycle: not ours, and no endless walk */
		{ "bc cb", "b", false },
		{ "bb", "b", false },
		{ "bc cb ca", "b", true },
		/* what a held before does not count */
		{ "ab ba", "c", false },
		{ "bx cx dx xy xz", "bcd", false },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct lists graph = { .edges = cases[i].edges };
		struct track_member members[8] = {};
		size_t n = strlen(cases[i].members);

		for (size_t j = 0; j < n; j++)
			members[j].id = cases[i].members[j];
		if (track_list_has_cycle('a', members, n, graph_members,
					 &graph) != cases[i].cycle)
			fail_msg("a: %s, %s", cases[i].members, cases[i].edges);
		assert_true(graph.asked < 30);
	}
}

/* Every list holds all later ones: exponential for a naive walk. */
static size_t dense_members(uint16_t id, const struct track_member **members,
			    void *arg)
{
	static struct track_member out[TRACK_MEMBERS_MAX];
	size_t n = 0;

	for (uint16_t next = id + 1;
	     next <= TRACK_ID_MAX && n < TRACK_MEMBERS_MAX; next++)
		out[n++].id = next;
	*members = out;
	return n;
}

static void test_cycle_dense(void **state)
{
	const struct track_member *members;
	size_t n = dense_members(1, &members, NULL);
	struct track_member first[TRACK_MEMBERS_MAX];

	memcpy(first, members, n * sizeof(first[0]));
	assert_false(track_list_has_cycle(1, first, n, dense_members, NULL));
	assert_true(track_list_has_cycle(1000, first, n, dense_members, NULL));
}

/* ----------------------------------------------------------------- at work */

static const struct track_ops leaf_ops = { .name = "leaf" };

static void object_add(uint16_t id, enum track_state state)
{
	struct track *trk = calloc(1, sizeof(*trk));

	trk->cfg.id = id;
	trk->cfg.type = TRACK_INTERFACE;
	trk->ops = &leaf_ops;
	trk->state = state;
	objects[id] = trk;
}

/* members: ids, negative = `not`, 0 ends */
static void list_add(uint16_t id, bool list_or, const int *members)
{
	struct track *trk = calloc(1, sizeof(*trk));

	trk->cfg.id = id;
	trk->cfg.type = TRACK_LIST;
	trk->cfg.list_or = list_or;
	trk->ops = &track_list_ops;
	for (; *members; members++) {
		struct track_member *member =
			&trk->cfg.members[trk->cfg.nmembers++];

		member->id = abs(*members);
		member->negate = *members < 0;
	}
	objects[id] = trk;
	assert_int_equal(trk->ops->start(trk), 0);
}

#define LIST(id, list_or, ...) list_add(id, list_or, (int[]){ __VA_ARGS__, 0 })

static void settle_over(struct frr_event *event)
{
	*(bool *)EVENT_ARG(event) = true;
}

/* Runs what is ready now. */
static void settle(void)
{
	struct frr_event event;
	bool over = false;

	event_add_event(track_loop, settle_over, &over, 0, NULL);
	while (!over && event_fetch(track_loop, &event))
		event_call(&event);
}

static int work_setup(void **state)
{
	track_loop = event_master_create("test");
	track_list_init();
	reports = 0;
	return 0;
}

static int work_teardown(void **state)
{
	for (unsigned int id = 0; id <= TRACK_ID_MAX; id++) {
		if (!objects[id])
			continue;
		if (objects[id]->ops->stop)
			objects[id]->ops->stop(objects[id]);
		free(objects[id]);
		objects[id] = NULL;
	}
	track_list_fini();
	event_master_free(track_loop);
	return 0;
}

static void assert_object(uint16_t id, enum track_state state,
			  const char *detail)
{
	if (objects[id]->state != state ||
	    strcmp(objects[id]->detail, detail) != 0)
		fail_msg("object %u: %s '%s'", id,
			 track_state_str(objects[id]->state),
			 objects[id]->detail);
}

static void test_members(void **state)
{
	/* the list comes before its objects, as in a file in any order */
	LIST(1, false, 11, -12);
	LIST(2, true, 11, -12);
	object_add(11, I);
	object_add(12, I);
	settle();
	assert_object(1, I, "");
	assert_object(2, I, "");
	track_report(objects[11], U, NULL);
	assert_object(1, I, "");
	assert_object(2, U, "");
	track_report(objects[12], D, NULL);
	assert_object(1, U, "");
	track_report(objects[12], U, NULL);
	assert_object(1, D, "object 12 up");
	assert_object(2, U, "");
	track_report(objects[11], D, NULL);
	assert_object(1, D, "object 11 down");
	assert_object(2, D, "no object fulfilled");
	track_report(objects[12], D, NULL);
	assert_object(2, U, "");
}

static void test_missing(void **state)
{
	object_add(11, U);
	LIST(1, false, 11, 500);
	LIST(2, true, 11, 500);
	LIST(3, false, -500);
	LIST(4, true, 500);
	settle();
	assert_object(1, D, "object 500 missing");
	assert_object(2, U, "");
	assert_object(3, D, "object 500 missing");
	assert_object(4, D, "object 500 missing");
	object_add(500, I);
	track_report(objects[500], U, NULL);
	assert_object(1, U, "");
	assert_object(3, D, "object 500 up");
	assert_object(4, U, "");
}

/*
 * 1 = 9 = (2 or 3), 2 = 11, 3 = not 11: up whatever 11 is, and at any moment,
 * whether the list comes before its members or after them.
 */
static void test_no_glitch(void **state)
{
	object_add(11, D);
	LIST(1, true, 2, 3);
	LIST(2, false, 11);
	LIST(3, false, -11);
	LIST(9, true, 2, 3);
	settle();
	assert_object(1, U, "");
	assert_object(9, U, "");
	for (int i = 0; i < 10; i++)
		track_report(objects[11], i % 2 ? D : U, NULL);
	assert_object(1, U, "");
	assert_int_equal(objects[1]->transitions, 0);
	assert_int_equal(objects[9]->transitions, 0);
	assert_int_equal(objects[2]->transitions, 10);
	/* each list once a change */
	reports = 0;
	track_report(objects[11], U, NULL);
	assert_int_equal(reports, 5);
}

static void test_chain(void **state)
{
	object_add(1000, D);
	for (int id = 1; id < 1000; id++)
		LIST(id, false, id + 1);
	settle();
	assert_object(1, D, "object 2 down");
	track_report(objects[1000], U, NULL);
	assert_object(1, U, "");
	track_report(objects[1000], D, NULL);
	assert_object(1, D, "object 2 down");
}

static void test_cycle_at_work(void **state)
{
	static const char cyclic[] = "lists hold each other in a cycle";

	/* 1 and 2 would flip each other for ever; 3 hangs on them */
	object_add(11, U);
	LIST(1, false, 2, 11);
	LIST(2, false, -1);
	LIST(3, false, 1, 11);
	LIST(4, false, 11);
	settle();
	for (int i = 0; i < 3; i++) {
		assert_object(1, D, cyclic);
		assert_object(2, D, cyclic);
		assert_object(3, D, cyclic);
		track_report(objects[11], i % 2 ? U : D, NULL);
	}
	track_report(objects[11], U, NULL);
	assert_object(4, U, "");

	/* taken apart, all live again */
	track_list_ops.stop(objects[2]);
	objects[2]->cfg.members[0].id = 11;
	track_list_ops.start(objects[2]);
	settle();
	assert_object(2, D, "object 11 up");
	assert_object(1, D, "object 2 down");
	track_report(objects[11], D, NULL);
	assert_object(2, U, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eval),
		cmocka_unit_test(test_cycle),
		cmocka_unit_test(test_cycle_dense),
		cmocka_unit_test_setup_teardown(test_members, work_setup,
						work_teardown),
		cmocka_unit_test_setup_teardown(test_missing, work_setup,
						work_teardown),
		cmocka_unit_test_setup_teardown(test_no_glitch, work_setup,
						work_teardown),
		cmocka_unit_test_setup_teardown(test_chain, work_setup,
						work_teardown),
		cmocka_unit_test_setup_teardown(test_cycle_at_work, work_setup,
						work_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
