// SPDX-License-Identifier: GPL-2.0-or-later
/* The walk over operational state: a module of the test's, and relayd's own
 * with relays that are shut down, which need no kernel. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "relay.h"
#include "relay_nb_walk.h"
#include "track.h"

#include "nb_lab.h"

#define MANY 100000
#define SHELF BOX "/shelf[row='1'][side='left']"

static struct lab_book books[LAB_BOOKS];

static int setup(void **state)
{
	static const char *const sides[] = {"left", "right"};

	memset(&lab, 0, sizeof(lab));
	lab.nshelves = 3;
	for (size_t i = 0; i < lab.nshelves; i++) {
		lab.shelf[i].row = 1 + i / 2;
		lab.shelf[i].side = sides[i % 2];
	}
	snprintf(books[0].isbn, sizeof(books[0].isbn), "3-16");
	snprintf(books[0].title, sizeof(books[0].title), "Emma");
	snprintf(books[1].isbn, sizeof(books[1].isbn), "0'x");
	snprintf(books[1].title, sizeof(books[1].title), "Ulysses");
	lab.shelf[0].book = books;
	lab.shelf[0].nbooks = 2;
	lab.shelf[0].event[0] = "moved";
	lab.shelf[0].event[1] = "dusted";
	lab_logged = 0;
	return 0;
}

static void expect(const char *xpath, const char *json)
{
	struct lyd_node *tree;
	char err[256];

	assert_int_equal(relay_nb_walk(xpath, &tree, MANY, err, sizeof(err)),
			 0);
	assert_string_equal(lab_json(tree, true), json);
	lab_check_tree(tree);
	lyd_free_all(tree);
	assert_int_equal(lab.without_entry, 0);
}

static void expect_error(const char *xpath, int error, const char *text)
{
	struct lyd_node *tree = (struct lyd_node *)1;
	char err[600] = "";

	assert_int_equal(relay_nb_walk(xpath, &tree, MANY, err, sizeof(err)),
			 -error);
	assert_null(tree);
	assert_string_equal(err, text);
}

#define IN_STATE(json) IN_BOX("\"state\":{" json "}")
#define LEFT1(json)                                                            \
	IN_BOX("\"shelf\":[{\"row\":1,\"side\":\"left\",\"state\":{" json "}}]")
#define BOOK1 "{\"isbn\":\"3-16\",\"title\":\"Emma\"}"
#define BOOK2 "{\"isbn\":\"0'x\",\"title\":\"Ulysses\"}"
#define LOANS "\"loan\":[{\"who\":\"ann\"},{\"who\":\"bob\"}]"
#define EMPTY_SHELF(row, side)                                                 \
	"{\"row\":" row ",\"side\":\"" side "\",\"state\":{\"books\":0," LOANS \
	"}}"

static void test_paths(void **state)
{
	static const struct {
		const char *xpath, *json;
	} cases[] = {
		{SHELF "/state/books", LEFT1("\"books\":2")},
		{"/relay-lab:box/relay-lab:shelf[side='left'][relay-lab:row = \"1\"]/state/books",
		 LEFT1("\"books\":2")},
		/* as the type writes it: 01 is 1 */
		{BOX "/shelf[row='01'][side='left']/state/books",
		 LEFT1("\"books\":2")},
		{SHELF "/state/book", LEFT1("\"book\":[" BOOK1 "," BOOK2 "]")},
		{SHELF "/state/book[isbn='3-16']",
		 LEFT1("\"book\":[" BOOK1 "]")},
		{SHELF "/state/book[isbn=\"0'x\"]/title",
		 LEFT1("\"book\":[" BOOK2 "]")},
		/* the key alone */
		{SHELF "/state/book[isbn='3-16']/isbn",
		 LEFT1("\"book\":[{\"isbn\":\"3-16\"}]")},
		{SHELF "/state/event",
		 LEFT1("\"event\":[{\"what\":\"moved\"},{\"what\":\"dusted\"}]")},
		{SHELF "/state/event[2]",
		 LEFT1("\"event\":[{\"what\":\"dusted\"}]")},
		{SHELF "/state/event[3]", ""},
		{SHELF "/state",
		 LEFT1("\"books\":2,\"book\":[" BOOK1 "," BOOK2
		       "],\"event\":[{\"what\":\"moved\"},{\"what\":\"dusted\"}]," LOANS)},
		{SHELF,
		 LEFT1("\"books\":2,\"book\":[" BOOK1 "," BOOK2
		       "],\"event\":[{\"what\":\"moved\"},{\"what\":\"dusted\"}]," LOANS)},
		/* no keys, some keys */
		{BOX "/shelf/state/books",
		 IN_BOX("\"shelf\":[{\"row\":1,\"side\":\"left\",\"state\":{\"books\":2}},"
			"{\"row\":1,\"side\":\"right\",\"state\":{\"books\":0}},"
			"{\"row\":2,\"side\":\"left\",\"state\":{\"books\":0}}]")},
		{BOX "/shelf[row='2']/state",
		 IN_BOX("\"shelf\":[" EMPTY_SHELF("2", "left") "]")},
		{BOX "/shelf[side='right']",
		 IN_BOX("\"shelf\":[" EMPTY_SHELF("1", "right") "]")},
		/* entries on the way that have none of it are not there */
		{BOX "/shelf/state/book/title",
		 LEFT1("\"book\":[" BOOK1 "," BOOK2 "]")},
		{BOX "/shelf/state/event/what",
		 LEFT1("\"event\":[{\"what\":\"moved\"},{\"what\":\"dusted\"}]")},
		/* configuration */
		{BOX "/size", ""},
		{BOX "/note", ""},
		{BOX "/way", NULL},
		{SHELF "/label", ""},
		{SHELF "/row", ""},
		{BOX "/pile[name='x']", ""},
		/* a list on top */
		{"/relay-lab:row",
		 "{\"relay-lab:row\":[{\"id\":1,\"load\":10},{\"id\":2,\"load\":20}]}"},
		{"/relay-lab:row[id='2']",
		 "{\"relay-lab:row\":[{\"id\":2,\"load\":20}]}"},
		{"/relay-lab:row[id='2']/load",
		 "{\"relay-lab:row\":[{\"id\":2,\"load\":20}]}"},
		{"/relay-lab:row/id",
		 "{\"relay-lab:row\":[{\"id\":1},{\"id\":2}]}"},
		{"/frr-relay:relay", ""},
		{"/frr-relay:relay/instance", ""},
	};

	lab.rows = 2;
	for (size_t i = 0; i < array_size(cases); i++)
		if (cases[i].json)
			expect(cases[i].xpath, cases[i].json);
}

/* What is there comes and goes: leaves, choices, presence, empty, leaf-lists.
 */
static void test_kinds(void **state)
{
	const char *all = BOX "/state";

	expect(all, "");
	lab.paint = "red";
	expect(all, IN_STATE("\"paint\":\"red\""));
	expect(BOX "/state/paint", IN_STATE("\"paint\":\"red\""));
	expect(BOX "/state/blend", "");
	lab.paint = NULL;
	lab.blend = "grey";
	expect(all, IN_STATE("\"blend\":\"grey\""));
	expect(BOX "/state/blend", IN_STATE("\"blend\":\"grey\""));
	lab.blend = NULL;

	lab.flag = true;
	expect(BOX "/state/flag", IN_STATE("\"flag\":[null]"));
	lab.flag = false;

	lab.seal_by = "me";
	expect(BOX "/state/seal", "");
	expect(BOX "/state/seal/by", "");
	lab.seal = true;
	expect(BOX "/state/seal", IN_STATE("\"seal\":{\"by\":\"me\"}"));
	expect(BOX "/state/seal/by", IN_STATE("\"seal\":{\"by\":\"me\"}"));
	lab.seal_by = NULL;
	/* being there is all that it says */
	expect(all, IN_STATE("\"seal\":{}"));
	expect(BOX "/state/seal/by", "");
	lab.seal = false;

	lab.mark[0] = "a";
	lab.mark[1] = "b'c";
	expect(BOX "/state/mark", IN_STATE("\"mark\":[\"a\",\"b'c\"]"));
	expect(BOX "/state/mark[.=\"b'c\"]", IN_STATE("\"mark\":[\"b'c\"]"));
	expect_error(BOX "/state/mark[.='d']", ENOENT,
		     "Data path not found: " BOX "/state/mark[.='d']");
}

/* What a callback makes by itself, where FRR has such, is as any other. */
static void test_made(void **state)
{
	const char *both = IN_STATE("\"making\":[\"a\",\"b\"]");
	struct lyd_node *tree;
	char err[256];

	expect(BOX "/state", "");
	expect(BOX "/state/made", "");
	expect(BOX "/state/making", "");
	lab.made = "here";
	expect(BOX "/state/made", IN_STATE("\"made\":\"here\""));
	expect(BOX "/state", IN_STATE("\"made\":\"here\""));
	lab.made = NULL;
	lab.making[0] = "a";
	lab.making[1] = "b";
	expect(BOX "/state/making", both);
	expect(BOX "/state/making[.='b']", IN_STATE("\"making\":[\"b\"]"));
	expect_error(BOX "/state/making[.='c']", ENOENT,
		     "Data path not found: " BOX "/state/making[.='c']");
	assert_int_equal(
		relay_nb_walk(BOX "/state", &tree, 3, err, sizeof(err)),
		-EMSGSIZE);
	lab.made = "here";
	expect(BOX "/state",
	       IN_STATE("\"made\":\"here\",\"making\":[\"a\",\"b\"]"));
}

/* A container of the configuration that is not there has no state. */
static void test_presence_of_config(void **state)
{
	const char *json = IN_BOX("\"gate\":{\"state\":{\"open\":true}}");
	struct nb_config *was = running_config;
	struct nb_config with = {
		.dnode = lab_tree(
			"{\"relay-lab:box\":{\"note\":{},\"gate\":{\"width\":3}}}")};

	lab.open = true;
	expect(BOX "/gate/state/open", "");
	running_config = &with;
	expect(BOX "/gate", json);
	expect(BOX "/gate/state/open", json);
	/* nor has one that has no state at all */
	expect(BOX "/note", "");
	running_config = NULL;
	expect(BOX "/gate", "");
	running_config = was;
	lyd_free_all(with.dnode);
}

static void test_everything(void **state)
{
	static const char *const all[] = {NULL, "", "/"};
	const char *json =
		"{\"relay-lab:box\":{\"state\":{\"paint\":\"red\"},\"shelf\":[" EMPTY_SHELF(
			"1",
			"left") "," EMPTY_SHELF("1",
						"right") "]},\"relay-lab:row\":[{\"id\":1,\"load\":10}]}";

	lab.nshelves = 2;
	lab.shelf[0].nbooks = 0;
	lab.shelf[0].event[0] = NULL;
	lab.paint = "red";
	lab.rows = 1;
	for (size_t i = 0; i < array_size(all); i++)
		expect(all[i], json);
}

static void test_errors(void **state)
{
	static const struct {
		const char *xpath;
		int error;
		const char *text; /* behind the path */
	} cases[] = {
		{"relay-lab:box", EINVAL, "a path is /module:name/name..."},
		{"/box", EINVAL,
		 "the first name needs its module's: /module:name"},
		{"/nix:box", EINVAL, "no module is called nix"},
		{"/relay-lab:nix", EINVAL,
		 "there is no data node nix on top of module relay-lab"},
		{"/relay-lab:box/nix", EINVAL,
		 "there is no data node nix in box"},
		{"/relay-lab:box/way", EINVAL,
		 "there is no data node way in box"},
		{"/relay-lab:box/size/x", EINVAL,
		 "there is no data node x in size"},
		{"/frr-relay:clear-peers", EINVAL,
		 "there is no data node clear-peers on top of module frr-relay"},
		{"/relay-lab:box/", EINVAL, "the path ends in /"},
		{"/relay-lab:box//size", EINVAL, "a name should follow each /"},
		{"//relay-lab:box", EINVAL, "a name should follow each /"},
		{"/relay-lab:box/*", EINVAL, "a name should follow each /"},
		{"/relay-lab:box/..", EINVAL, "a name should follow each /"},
		{"/relay-lab:", EINVAL, "the path ends in /"},
		{"/relay-lab:box ", EINVAL, "a path is /module:name/name..."},
		{"/relay-lab:box|/relay-lab:row", EINVAL,
		 "a path is /module:name/name..."},
		{"/relay-lab:box[1]", EINVAL,
		 "positions are for lists without keys, which box is not"},
		{"/relay-lab:row[1]", EINVAL,
		 "positions are for lists without keys, which row is not"},
		{SHELF "/state/event[0]", EINVAL, "no such position"},
		{SHELF "/state/event[1][1]", EINVAL, "no such position"},
		{"/relay-lab:box[x='1']", EINVAL, "box is not a list"},
		{"/relay-lab:row[.='1']", EINVAL,
		 "only a leaf-list has [.='...']"},
		{"/relay-lab:row[load='1']", EINVAL,
		 "load is not a key of list row"},
		{"/relay-lab:row[id='1'][id='2']", EINVAL,
		 "a key is there twice"},
		{"/relay-lab:row[id=1]", EINVAL,
		 "a predicate's value is in quotes"},
		{"/relay-lab:row[id='1]", EINVAL,
		 "a predicate's value is in quotes"},
		{"/relay-lab:row[id]", EINVAL,
		 "a predicate is [key='value'] or [.='value']"},
		{"/relay-lab:row[", EINVAL,
		 "a predicate is [key='value'] or [.='value']"},
		{"/relay-lab:row[count(x)>1]", EINVAL,
		 "count is not a key of list row"},
		{"/relay-lab:row[id='1'", EINVAL, "a predicate ends in ]"},
		{"/relay-lab:row[id='x']", EINVAL,
		 "Invalid type uint32 value \"x\""},
		{BOX "/shelf[row='300'][side='left']", EINVAL,
		 "Value \"300\" is out of type uint8 min/max bounds"},
		{BOX "/shelf[side='up']", EINVAL,
		 "Invalid enumeration value \"up\""},
	};
	char expected[512], path[1100];

	for (size_t i = 0; i < array_size(cases); i++) {
		snprintf(expected, sizeof(expected), "%s: %s", cases[i].xpath,
			 cases[i].text);
		expect_error(cases[i].xpath, cases[i].error, expected);
	}
	/* what would be two lines is one */
	expect_error(
		"/nix\n\tx", EINVAL,
		"/nix  x: the first name needs its module's: /module:name");
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	snprintf(expected, sizeof(expected),
		 "%.60s...: paths have 1023 octets at most", path);
	expect_error(path, EINVAL, expected);
	assert_int_equal(lab_logged, 0);
}

static void test_no_entry(void **state)
{
	static const char *const paths[] = {
		BOX "/shelf[row='3'][side='left']",
		BOX "/shelf[row='3'][side='left']/state/books",
		BOX "/shelf[row='3'][side='left']/state/book[isbn='3-16']",
		SHELF "/state/book[isbn='none']",
		SHELF "/state/book[isbn='none']/title",
		"/relay-lab:row[id='3']",
		"/frr-relay:relay/instance[name='x']/state/oper-status",
		"/frr-relay:relay/instance[name='x']/state/history[index='1']",
		/* whatever is asked for below */
		BOX "/shelf[row='3'][side='left']/label",
	};
	char expected[600], path[512], isbn[200] = "";

	lab.rows = 2;
	for (size_t i = 0; i < array_size(paths); i++) {
		snprintf(expected, sizeof(expected), "Data path not found: %s",
			 paths[i]);
		expect_error(paths[i], ENOENT, expected);
	}
	/* longer than libfrr has room for is not what is left of it */
	memset(isbn, '7', LIST_MAXKEYLEN);
	strlcpy(books[0].isbn, isbn, sizeof(books[0].isbn));
	snprintf(path, sizeof(path), SHELF "/state/book[isbn='%s']", isbn);
	snprintf(expected, sizeof(expected), "Data path not found: %s", path);
	expect_error(path, ENOENT, expected);
}

/* One entry by its keys costs the entry. */
static void test_no_search(void **state)
{
	expect(SHELF "/state/book[isbn='3-16']", LEFT1("\"book\":[" BOOK1 "]"));
	assert_int_equal(lab.lookups, 2);
	assert_int_equal(lab.nexts, 0);
	assert_int_equal(lab.elems, 1);
}

static void test_too_much(void **state)
{
	/* box, shelf, row, side, state, books, 2 books with 2 leaves each */
	const size_t fits = 6 + 2 * 3;
	struct lyd_node *tree;
	char err[256];

	lab.nshelves = 1;
	lab.shelf[0].event[0] = NULL;
	for (size_t n = 0; n < fits + 5; n++) {
		int ret = relay_nb_walk(SHELF "/state/book", &tree, n, err,
					sizeof(err));

		if (n < fits - 1) {
			assert_int_equal(ret, -EMSGSIZE);
			assert_null(tree);
			assert_string_equal(
				err,
				SHELF "/state/book: there is too much of it");
		} else {
			assert_int_equal(ret, 0);
			lyd_free_all(tree);
		}
	}
}

/* An entry on the way that has none of it counts while it is looked into: box,
 * the first shelf with two books, and another shelf with its keys and state. */
static void test_too_much_on_the_way(void **state)
{
	const char *path = BOX "/shelf/state/book/title";
	struct lyd_node *tree;
	char err[256];

	assert_int_equal(relay_nb_walk(path, &tree, 14, err, sizeof(err)),
			 -EMSGSIZE);
	assert_int_equal(relay_nb_walk(path, &tree, 15, err, sizeof(err)), 0);
	lyd_free_all(tree);
}

/* What a leaf can't hold is left out, and nothing else is. */
static void test_value_that_does_not_fit(void **state)
{
	lab.paint = "red";
	lab.odd = "300";
	expect(BOX "/state", IN_STATE("\"paint\":\"red\""));
	lab.odd = "30";
	expect(BOX "/state", IN_STATE("\"paint\":\"red\",\"odd\":30"));
	assert_int_equal(lab_logged, 0);
}

/* ------------------------------------------------------------- relayd's own */

static void add_relay(const char *name)
{
	struct relay_config cfg;

	memset(&cfg, 0, sizeof(cfg));
	relay_config_defaults(&cfg);
	strlcpy(cfg.name, name, sizeof(cfg.name));
	cfg.mode = RELAY_MODE_6TO4;
	cfg.has_source = true;
	cfg.source.s_addr = inet_addr("192.88.99.1");
	assert_non_null(relay_configure(&cfg));
}

static void add_track(uint16_t id)
{
	struct track_config cfg = {.id = id, .type = TRACK_LIST};

	assert_non_null(track_configure(&cfg));
}

static void test_relays(void **state)
{
	struct frr_loop *loop = event_master_create("relays");

	relay_init(loop);
	track_init(loop, NULL);
	add_relay("a");
	add_relay("b");
	add_track(7);
	expect("/frr-relay:relay/instance[name='b']/state/oper-status",
	       "{\"frr-relay:relay\":{\"instance\":[{\"name\":\"b\",\"state\":{\"oper-status\":\"disabled\"}}]}}");
	expect("/frr-relay:relay/instance/state/reason",
	       "{\"frr-relay:relay\":{\"instance\":[{\"name\":\"a\",\"state\":{\"reason\":\"shutdown\"}},"
	       "{\"name\":\"b\",\"state\":{\"reason\":\"shutdown\"}}]}}");
	expect("/frr-relay:relay/track-object[id='7']/state/state",
	       "{\"frr-relay:relay\":{\"track-object\":[{\"id\":7,\"state\":{\"state\":\"init\"}}]}}");
	expect("/frr-relay:relay/instance[name='a']/state/checks",
	       "{\"frr-relay:relay\":{\"instance\":[{\"name\":\"a\",\"state\":{\"checks\":"
	       "{\"interface\":\"pending\",\"source\":\"pending\",\"forwarding\":\"pending\",\"self-test\":\"pending\"}}}]}}");
	expect("/frr-relay:relay/instance[name='a']/state/peers", "");
	expect_error(
		"/frr-relay:relay/instance[name='c']/state", ENOENT,
		"Data path not found: /frr-relay:relay/instance[name='c']/state");
	track_fini();
	relay_fini(false);
	event_master_free(loop);
}

/* ------------------------------------------------------------------- speed */

static double timed_ms(const char *xpath, size_t *nodes)
{
	struct timespec from, to;
	struct lyd_node *tree, *root, *node;
	char err[256];

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	assert_int_equal(relay_nb_walk(xpath, &tree, 1000000, err, sizeof(err)),
			 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	*nodes = 0;
	LY_LIST_FOR (tree, root)
		LYD_TREE_DFS_BEGIN (root, node) {
			++*nodes;
			LYD_TREE_DFS_END(root, node);
		}
	lyd_free_all(tree);
	return (to.tv_sec - from.tv_sec) * 1e3 +
	       (to.tv_nsec - from.tv_nsec) / 1e6;
}

static void fill_shelf(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		snprintf(books[i].isbn, sizeof(books[i].isbn), "isbn-%zu", i);
		strlcpy(books[i].title, "title", sizeof(books[i].title));
	}
	lab.shelf[0].nbooks = n;
}

/* Ten times as many take some ten times as long, whatever the machine. */
static void test_speed(void **state)
{
	double few, many;
	size_t nodes;

	fill_shelf(LAB_BOOKS / 10);
	few = timed_ms(BOX "/shelf", &nodes);
	print_message("%zu nodes: %.1f ms\n", nodes, few);
	fill_shelf(LAB_BOOKS);
	many = timed_ms(BOX "/shelf", &nodes);
	print_message("%zu nodes: %.1f ms\n", nodes, many);
	assert_true(many < 40 * few + 20);
}

static void test_speed_of_relays(void **state)
{
	struct frr_loop *loop = event_master_create("relays");
	char name[16];
	size_t nodes;
	double ms;

	relay_init(loop);
	track_init(loop, NULL);
	for (unsigned int i = 1; i <= 1000; i++)
		add_track(i);
	for (unsigned int i = 1; i <= 200; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		add_relay(name);
	}
	ms = timed_ms("/frr-relay:relay", &nodes);
	print_message("%zu nodes of 1000 tracks and 200 relays: %.1f ms\n",
		      nodes, ms);
	track_fini();
	relay_fini(false);
	event_master_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_paths, setup),
		cmocka_unit_test_setup(test_kinds, setup),
		cmocka_unit_test_setup(test_made, setup),
		cmocka_unit_test_setup(test_presence_of_config, setup),
		cmocka_unit_test_setup(test_everything, setup),
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_no_entry, setup),
		cmocka_unit_test_setup(test_no_search, setup),
		cmocka_unit_test_setup(test_too_much, setup),
		cmocka_unit_test_setup(test_too_much_on_the_way, setup),
		cmocka_unit_test_setup(test_value_that_does_not_fit, setup),
		cmocka_unit_test_setup(test_relays, setup),
		cmocka_unit_test_setup(test_speed, setup),
		cmocka_unit_test_setup(test_speed_of_relays, setup),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
