// SPDX-License-Identifier: GPL-2.0-or-later
/* The merge of three trees: by cases, and by chance against a model of it that
 * is a list of paths. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "relay_nb_merge.h"
#include "relay_nb_tree.h"

#include "nb_lab.h"

static int clear(void **state)
{
	memset(&lab, 0, sizeof(lab));
	lab_logged = 0;
	return 0;
}

/* ------------------------------------------------------------------- cases */

static struct lyd_node *tree_of(const char *json, bool validate)
{
	if (!json)
		return NULL;
	return validate ? lab_tree(json) : lab_raw_tree(json);
}

/* An empty container may be there or not. */
static const char *without_box(const char *json)
{
	return strcmp(json, IN_BOX("")) ? json : "{}";
}

static void expect(const char *base_json, const char *theirs_json,
		   const char *target_json, const char *expected, bool validate)
{
	struct lyd_node *base = tree_of(base_json, validate),
			*theirs = tree_of(theirs_json, validate),
			*target = tree_of(target_json, validate);

	assert_int_equal(relay_nb_merge(base, theirs, &target), 0);
	lab_check_tree(target);
	assert_string_equal(without_box(lab_json(target, false)),
			    without_box(expected));
	/* it validates, with what that adds and takes away */
	assert_int_equal(lyd_validate_all(&target, ly_native_ctx,
					  LYD_VALIDATE_NO_STATE, NULL),
			 LY_SUCCESS);
	lyd_free_all(base);
	lyd_free_all(theirs);
	lyd_free_all(target);
}

#define ROW1(more) "{\"row\":1,\"side\":\"left\"" more "}"
#define ROW2(more) "{\"row\":2,\"side\":\"left\"" more "}"
#define LABEL(text) ",\"label\":\"" text "\""
#define SHELF(json) IN_BOX("\"shelf\":[" json "]")
#define TAGS(json) IN_BOX("\"tag\":[" json "]")
#define NONE IN_BOX("")

static void test_cases(void **state)
{
	static const struct {
		const char *base, *theirs, *target, *expected;
	} cases[] = {
		/* nothing changed by theirs: target is as it was */
		{NONE, NONE, IN_BOX("\"lid\":\"open\""),
		 IN_BOX("\"lid\":\"open\"")},
		{IN_BOX("\"lid\":\"open\""), IN_BOX("\"lid\":\"open\""),
		 IN_BOX("\"lid\":\"shut\""), IN_BOX("\"lid\":\"shut\"")},
		{IN_BOX("\"lid\":\"open\""), IN_BOX("\"lid\":\"open\""),
		 IN_BOX("\"size\":9"), IN_BOX("\"size\":9")},
		/* a leaf: created, changed, removed; against the same and
		   another */
		{NONE, IN_BOX("\"lid\":\"open\""), IN_BOX("\"size\":9"),
		 IN_BOX("\"size\":9,\"lid\":\"open\"")},
		{NONE, IN_BOX("\"lid\":\"open\""), IN_BOX("\"lid\":\"shut\""),
		 IN_BOX("\"lid\":\"open\"")},
		{IN_BOX("\"size\":8"), IN_BOX("\"size\":7"),
		 IN_BOX("\"size\":9"), IN_BOX("\"size\":7")},
		{IN_BOX("\"size\":8"), IN_BOX("\"size\":7"),
		 IN_BOX("\"lid\":\"open\""),
		 IN_BOX("\"size\":7,\"lid\":\"open\"")},
		{IN_BOX("\"lid\":\"open\",\"size\":8"), IN_BOX("\"size\":8"),
		 IN_BOX("\"lid\":\"open\",\"size\":8"), IN_BOX("\"size\":8")},
		{IN_BOX("\"lid\":\"open\",\"size\":8"), IN_BOX("\"size\":8"),
		 IN_BOX("\"lid\":\"shut\",\"size\":8"), IN_BOX("\"size\":8")},
		{IN_BOX("\"lid\":\"open\",\"size\":8"), IN_BOX("\"size\":8"),
		 IN_BOX("\"size\":9"), IN_BOX("\"size\":9")},
		/* entries: each side its own */
		{SHELF(ROW1("")), SHELF(ROW1("") "," ROW2(LABEL("maps"))),
		 SHELF(ROW1(LABEL("novels"))),
		 SHELF(ROW1(LABEL("novels")) "," ROW2(LABEL("maps")))},
		{SHELF(ROW1("") "," ROW2("")), SHELF(ROW2("")),
		 SHELF(ROW1(LABEL("novels")) "," ROW2(LABEL("maps"))),
		 SHELF(ROW2(LABEL("maps")))},
		/* the same entry made by both */
		{NONE, SHELF(ROW1(LABEL("maps"))), SHELF(ROW1(",\"depth\":9")),
		 SHELF(ROW1(LABEL("maps") ",\"depth\":9"))},
		/* within one entry */
		{SHELF(ROW1(LABEL("a") ",\"depth\":1")),
		 SHELF(ROW1(LABEL("b") ",\"depth\":1")),
		 SHELF(ROW1(LABEL("a") ",\"depth\":2")),
		 SHELF(ROW1(LABEL("b") ",\"depth\":2"))},
		/* gone from target: back as a whole, if theirs changed it */
		{SHELF(ROW1(LABEL("a") ",\"depth\":1")),
		 SHELF(ROW1(LABEL("b") ",\"depth\":1")), NONE,
		 SHELF(ROW1(LABEL("b") ",\"depth\":1"))},
		{SHELF(ROW1(LABEL("a") ",\"depth\":1")),
		 SHELF(ROW1(",\"depth\":1")), NONE,
		 SHELF(ROW1(",\"depth\":1"))},
		{SHELF(ROW1(LABEL("a") ",\"depth\":1")),
		 SHELF(ROW1(LABEL("a") ",\"depth\":1")), NONE, NONE},
		{SHELF(ROW1(LABEL("a"))), NONE, NONE, NONE},
		/* entries of a leaf-list */
		{TAGS("\"a\",\"b\""), TAGS("\"b\",\"d\""),
		 TAGS("\"a\",\"b\",\"c\""), TAGS("\"b\",\"c\",\"d\"")},
		{TAGS("\"a\""), TAGS("\"a\",\"b\""), NONE, TAGS("\"b\"")},
		{TAGS("\"a\""), TAGS("\"a\",\"b\""), TAGS("\"b\""),
		 TAGS("\"b\"")},
		/* presence */
		{NONE, IN_BOX("\"note\":{}"), NONE, IN_BOX("\"note\":{}")},
		{IN_BOX("\"note\":{}"), NONE,
		 IN_BOX("\"note\":{\"text\":\"x\"}"), NONE},
		{IN_BOX("\"note\":{\"text\":\"x\"}"),
		 IN_BOX("\"note\":{\"text\":\"y\"}"), NONE,
		 IN_BOX("\"note\":{\"text\":\"y\"}")},
		{IN_BOX("\"note\":{\"text\":\"x\"}"),
		 IN_BOX("\"note\":{\"text\":\"x\"}"), NONE, NONE},
		{IN_BOX("\"note\":{\"text\":\"x\"}"), IN_BOX("\"note\":{}"),
		 IN_BOX("\"note\":{\"text\":\"x\"},\"size\":9"),
		 IN_BOX("\"size\":9,\"note\":{}")},
		/* of two cases the one of theirs */
		{NONE, IN_BOX("\"line\":[\"U1\"]"), IN_BOX("\"road\":\"A1\""),
		 IN_BOX("\"line\":[\"U1\"]")},
		{NONE, IN_BOX("\"rail\":{\"sleeper\":[7]}"),
		 IN_BOX("\"line\":[\"U1\",\"U2\"],\"lid\":\"open\""),
		 IN_BOX("\"lid\":\"open\",\"rail\":{\"sleeper\":[7]}")},
		{IN_BOX("\"road\":\"A1\""), IN_BOX("\"line\":[\"U1\"]"),
		 IN_BOX("\"road\":\"A2\""), IN_BOX("\"line\":[\"U1\"]")},
		/* a list in the user's order: target's, what is new last */
		{IN_BOX("\"pile\":[{\"name\":\"a\"},{\"name\":\"b\"}]"),
		 IN_BOX("\"pile\":[{\"name\":\"c\"},{\"name\":\"a\",\"high\":1}]"),
		 IN_BOX("\"pile\":[{\"name\":\"b\"},{\"name\":\"z\"},{\"name\":\"a\"}]"),
		 IN_BOX("\"pile\":[{\"name\":\"z\"},{\"name\":\"a\",\"high\":1},{\"name\":\"c\"}]")},
		/* modules beside each other */
		{"{\"frr-relay:relay\":{\"instance\":[{\"name\":\"a\"}]}}",
		 IN_BOX("\"lid\":\"open\""),
		 "{\"frr-relay:relay\":{\"instance\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
		 "{\"frr-relay:relay\":{\"instance\":[{\"name\":\"b\"}]},"
		 "\"relay-lab:box\":{\"lid\":\"open\"}}"},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		for (int validate = 0; validate < 2; validate++)
			expect(cases[i].base, cases[i].theirs, cases[i].target,
			       cases[i].expected, validate);
}

/* No tree is an empty one. */
static void test_no_tree(void **state)
{
	const char *open = IN_BOX("\"lid\":\"open\"");

	expect(NULL, NULL, NULL, "", false);
	expect(NULL, open, NULL, open, false);
	expect(open, NULL, NULL, "", false);
	expect(open, NULL, open, NONE, false);
	expect(open, NULL, IN_BOX("\"lid\":\"shut\",\"size\":9"),
	       IN_BOX("\"size\":9"), false);
	expect(NULL, NULL, open, open, false);
	expect(open, open, NULL, "", false);
}

/* What holds only a default is not there, on any side. */
static void test_defaults(void **state)
{
	const char *with = SHELF(ROW1(",\"depth\":9"));
	const char *without = SHELF(ROW1(""));
	const char *explicit = SHELF(ROW1(",\"depth\":30"));

	/* a default does not undo what target has set */
	expect(without, without, with, with, true);
	/* back to the default is a removal */
	expect(with, without, with, without, true);
	/* set to what the default is, is set */
	expect(with, explicit, with, without, true);
	expect(without, explicit, with, without, true);

	/* and it is no longer marked as a default, nor is what is around it */
	struct lyd_node *theirs = lab_tree(IN_BOX("\"rail\":{\"gauge\":1435}"));
	struct lyd_node *target = lab_tree(IN_BOX("\"rail\":{}"));
	struct lyd_node *gauge;

	assert_int_equal(relay_nb_merge(NULL, theirs, &target), 0);
	assert_int_equal(
		lyd_find_path(target, "/relay-lab:box/rail/gauge", 0, &gauge),
		LY_SUCCESS);
	assert_false(gauge->flags & LYD_DEFAULT);
	assert_false(lyd_parent(gauge)->flags & LYD_DEFAULT);
	lyd_free_all(theirs);
	lyd_free_all(target);
}

/* ------------------------------------------------------------------- model */

/* A tree as a list of what counts in it. */
#define FLAT_MAX 512

struct flat {
	struct {
		char path[160], value[32];
		bool leaf;
	} node[FLAT_MAX];
	size_t n;
};

static void flatten(const struct lyd_node *siblings, struct flat *flat)
{
	const struct lyd_node *node;

	LY_LIST_FOR (siblings, node) {
		bool term = node->schema->nodetype & (LYS_LEAF | LYS_LEAFLIST);
		bool plain = node->schema->nodetype == LYS_CONTAINER &&
			     !(node->schema->flags & LYS_PRESENCE);

		if (lysc_is_key(node->schema) ||
		    (term && node->flags & LYD_DEFAULT))
			continue;
		if (!plain) {
			assert_true(flat->n < FLAT_MAX);
			lyd_path(node, LYD_PATH_STD, flat->node[flat->n].path,
				 sizeof(flat->node[0].path));
			flat->node[flat->n].leaf =
				node->schema->nodetype == LYS_LEAF;
			strlcpy(flat->node[flat->n].value,
				term ? lyd_get_value(node) : "",
				sizeof(flat->node[0].value));
			flat->n++;
		}
		flatten(lyd_child(node), flat);
	}
}

static ssize_t find(const struct flat *flat, const char *path)
{
	for (size_t i = 0; i < flat->n; i++)
		if (!strcmp(flat->node[i].path, path))
			return i;
	return -1;
}

static bool has_same(const struct flat *flat, const struct flat *other,
		     size_t i)
{
	ssize_t at = find(flat, other->node[i].path);

	return at >= 0 && !strcmp(flat->node[at].value, other->node[i].value);
}

static bool is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return !strncmp(path, above, len) && path[len] == '/';
}

static void put(struct flat *flat, const struct flat *from, size_t i)
{
	ssize_t at = find(flat, from->node[i].path);

	flat->node[at < 0 ? (ssize_t)flat->n++ : at] = from->node[i];
}

static bool differ_below(const struct flat *a, const struct flat *b,
			 const char *above)
{
	for (size_t i = 0; i < a->n; i++)
		if (is_below(a->node[i].path, above) && !has_same(b, a, i))
			return true;
	for (size_t i = 0; i < b->n; i++)
		if (is_below(b->node[i].path, above) && !has_same(a, b, i))
			return true;
	return false;
}

/* What the merge should be, in the words of relay_nb_merge.h. */
static void model(const struct flat *base, const struct flat *theirs,
		  const struct flat *ours, struct flat *out)
{
	*out = *ours;
	/* what theirs has removed, with all that is below it */
	for (size_t i = 0; i < base->n; i++) {
		const char *path = base->node[i].path;

		if (find(theirs, path) >= 0)
			continue;
		for (size_t k = 0; k < out->n;)
			if (!strcmp(out->node[k].path, path) ||
			    is_below(out->node[k].path, path))
				out->node[k] = out->node[--out->n];
			else
				k++;
	}
	for (size_t i = 0; i < theirs->n; i++) {
		const char *path = theirs->node[i].path;

		/* what it has made or changed */
		if (!has_same(base, theirs, i))
			put(out, theirs, i);
		/* what ours has lost, and theirs has changed inside */
		if (theirs->node[i].leaf || find(base, path) < 0 ||
		    find(ours, path) >= 0 || !differ_below(base, theirs, path))
			continue;
		put(out, theirs, i);
		for (size_t k = 0; k < theirs->n; k++)
			if (is_below(theirs->node[k].path, path))
				put(out, theirs, k);
	}
}

/* ------------------------------------------------------------------ chance */

static uint64_t seed;

static unsigned int chance(unsigned int n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

static void edit(struct lyd_node **tree, bool del, const char *path,
		 const char *value)
{
	const struct relay_nb_edit one = {path, value};
	char err[256];
	int ret;

	ret = del ? relay_nb_tree_edit(tree, NULL, 0, &one, 1, err, sizeof(err))
		  : relay_nb_tree_edit(tree, &one, 1, NULL, 0, err,
				       sizeof(err));
	if (ret < 0 && !(del && ret == -ENOENT))
		fail_msg("%s", err);
}

/* One change of a tree: any node of some, made, changed or removed. */
static void change(struct lyd_node **tree)
{
	static const struct {
		const char *path;
		const char *value[3];
	} nodes[] = {
		{"", {""}},
		{"/description", {"one", "two", "three"}},
		{"/enabled", {"true", "false"}},
		{"/tunnel/mode", {"6to4", "teredo"}},
		{"/tunnel/ttl", {"64", "1", "255"}},
		{"/tunnel/uplink[.='eth0']", {""}},
		{"/tunnel/uplink[.='eth1']", {""}},
		{"/ipv6/address[.='2001:db8::1/64']", {""}},
		{"/route[prefix='2002::/16']", {""}},
		{"/route[prefix='2002::/16']/tag", {"1", "2"}},
		{"/route[prefix='2002::/16']/distance", {"1", "2"}},
		{"/route[prefix='192.88.99.0/24']/metric", {"0", "5"}},
		{"/dampening", {""}},
		{"/dampening/reuse", {"750", "800"}},
		{"/dampening/suppress", {"2000", "3000"}},
		{"/filter/permit[.='10.0.0.0/8']", {""}},
		{"/filter/deny[.='2001:db8::/32']", {""}},
		{"/delay/up", {"0", "9"}},
		{"/drain-time", {"5", "7"}},
	};
	static const struct {
		const char *path;
		const char *value[3];
	} track_nodes[] = {
		{"", {""}},
		{"/type", {"list"}},
		{"/frequency", {"1000", "2000"}},
		{"/probes/up", {"1", "2"}},
		{"/object[id='9']", {""}},
		{"/object[id='9']/not", {"false", "true"}},
	};
	char path[200];
	const char *const *value;
	size_t i, n = 1;

	switch (chance(8)) {
	case 0:
		snprintf(path, sizeof(path),
			 "/frr-relay:relay/graceful-restart/restart-time");
		edit(tree, chance(2), path, chance(2) ? "30" : "40");
		return;
	case 1:
	case 2:
		i = chance(array_size(track_nodes));
		snprintf(path, sizeof(path),
			 "/frr-relay:relay/track-object[id='%u']%s",
			 1 + chance(2), track_nodes[i].path);
		value = track_nodes[i].value;
		break;
	default:
		i = chance(array_size(nodes));
		snprintf(path, sizeof(path),
			 "/frr-relay:relay/instance[name='%c']%s",
			 'a' + chance(3), nodes[i].path);
		value = nodes[i].value;
	}
	while (n < 3 && value[n])
		n++;
	edit(tree, chance(5) < 2, path, value[chance(n)]);
}

static struct lyd_node *changed(const struct lyd_node *tree, unsigned int n)
{
	struct lyd_node *copy = tree ? yang_dnode_dup(tree) : NULL;

	while (n-- > 0)
		change(&copy);
	/* with defaults, as a candidate after validation has, or without; what
	 * is mandatory may be missing */
	if (chance(2))
		lyd_new_implicit_all(&copy, ly_native_ctx,
				     LYD_IMPLICIT_NO_STATE, NULL);
	return copy;
}

static bool same_flat(const struct flat *a, const struct flat *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (!has_same(b, a, i)) {
			print_message("%s %s\n", a->node[i].path,
				      a->node[i].value);
			return false;
		}
	return true;
}

static void test_chance(void **state)
{
	static struct flat b, t, o, expected, got;
	struct lyd_node *base, *theirs, *ours, *again;

	for (seed = 1; seed <= 3000; seed++) {
		uint64_t was = seed;
		char *text, err[256];

		base = changed(NULL, chance(30));
		theirs = changed(base, chance(12));
		ours = changed(base, chance(12));
		b.n = t.n = o.n = got.n = 0;
		flatten(base, &b);
		flatten(theirs, &t);
		flatten(ours, &o);
		model(&b, &t, &o, &expected);

		assert_int_equal(relay_nb_merge(base, theirs, &ours), 0);
		lab_check_tree(ours);
		flatten(ours, &got);
		if (!same_flat(&expected, &got) || !same_flat(&got, &expected))
			fail_msg("seed %llu:\nbase %s\ntheirs %s\ngot %s",
				 (unsigned long long)was, lab_json(base, false),
				 lab_json(theirs, false),
				 lab_json(ours, false));
		/* what it prints can be read */
		again = NULL;
		assert_int_equal(relay_nb_tree_print(ours, LYD_JSON, true,
						     &text, err, sizeof(err)),
				 0);
		assert_int_equal(relay_nb_tree_load(&again, true, LYD_JSON,
						    text, err, sizeof(err)),
				 0);
		if (strcmp(text, "{}") != 0)
			assert_string_equal(lab_json(again, true),
					    lab_json(ours, true));
		/* merged again it changes nothing */
		free(text);
		text = strdup(lab_json(ours, true));
		assert_int_equal(relay_nb_merge(base, theirs, &ours), 0);
		assert_string_equal(lab_json(ours, true), text);
		free(text);
		lyd_free_all(base);
		lyd_free_all(theirs);
		lyd_free_all(ours);
		lyd_free_all(again);
		seed = was;
	}
	assert_int_equal(lab_logged, 0);
}

/* ------------------------------------------------------------------- speed */

static void test_speed(void **state)
{
	struct lyd_node *base = NULL, *theirs, *target;
	struct timespec from, to;
	char path[200];

	for (unsigned int i = 0; i < 200; i++) {
		snprintf(
			path, sizeof(path),
			"/frr-relay:relay/instance[name='r%u']/route[prefix='2002::/16']/tag",
			i);
		edit(&base, false, path, "1");
	}
	for (unsigned int i = 1; i <= 1000; i++) {
		snprintf(path, sizeof(path),
			 "/frr-relay:relay/track-object[id='%u']/type", i);
		edit(&base, false, path, "list");
	}
	assert_int_equal(lyd_validate_all(&base, ly_native_ctx,
					  LYD_VALIDATE_NO_STATE, NULL),
			 LY_SUCCESS);
	theirs = yang_dnode_dup(base);
	edit(&theirs, false, "/frr-relay:relay/instance[name='r7']/description",
	     "x");
	target = yang_dnode_dup(base);
	edit(&target, true, "/frr-relay:relay/instance[name='r9']", "");
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	assert_int_equal(relay_nb_merge(base, theirs, &target), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	print_message("200 relays and 1000 tracks: %.1f ms\n",
		      (to.tv_sec - from.tv_sec) * 1e3 +
			      (to.tv_nsec - from.tv_nsec) / 1e6);
	lyd_free_all(base);
	lyd_free_all(theirs);
	lyd_free_all(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_cases, clear),
		cmocka_unit_test_setup(test_no_tree, clear),
		cmocka_unit_test_setup(test_defaults, clear),
		cmocka_unit_test_setup(test_chance, clear),
		cmocka_unit_test_setup(test_speed, clear),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
