// SPDX-License-Identifier: GPL-2.0-or-later
/* Data trees for clients: read and printed. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "relay_nb_tree.h"

#include "nb_lab.h"

#define RELAY "/frr-relay:relay"
#define ROUTE RELAY "/instance[name='a']/route[prefix='2002::/16']"

#define IN_RELAY(json) "{\"frr-relay:relay\":{" json "}}"
#define IN_A(json) IN_RELAY("\"instance\":[{\"name\":\"a\"" json "}]")

static struct lab_book books[] = {{"3-16", "Emma"}};

static int setup(void **state)
{
	memset(&lab, 0, sizeof(lab));
	lab.nshelves = 2;
	lab.shelf[0].row = 1;
	lab.shelf[0].side = "left";
	lab.shelf[0].book = books;
	lab.shelf[0].nbooks = 1;
	lab.shelf[1].row = 12;
	lab.shelf[1].side = "left";
	lab_logged = 0;
	return 0;
}

static int no_log(void **state)
{
	return lab_logged ? -1 : 0;
}

/* --------------------------------------------------------------------- get */

/* shelf 1 left is in operation as well, 9 right is configured only; 12 left
 * is in operation only */
static const char config_json[] =
	"{\"relay-lab:box\":{\"lid\":\"open\",\"tag\":[\"x\",\"y\"],\"shelf\":["
	"{\"row\":1,\"side\":\"left\",\"label\":\"novels\"},"
	"{\"row\":9,\"side\":\"right\",\"depth\":30}]},"
	"\"frr-relay:relay\":{\"instance\":[{\"name\":\"a\",\"description\":\"one\","
	"\"route\":[{\"prefix\":\"2002::/16\",\"tag\":3}]},{\"name\":\"b\"}]}}";

#define ALL RELAY_NB_ALL
#define CONFIG RELAY_NB_CONFIG
#define STATE RELAY_NB_STATE

static void expect_get(const struct lyd_node *config, const char *path,
		       enum relay_nb_data what, bool defaults, const char *json)
{
	struct lyd_node *tree;
	char err[600] = "";

	assert_int_equal(
		relay_nb_tree_get(config, path, what, &tree, err, sizeof(err)),
		0);
	assert_string_equal(lab_json(tree, defaults), json);
	lab_check_tree(tree);
	lyd_free_all(tree);
}

static void expect_no_get(const struct lyd_node *config, const char *path,
			  int error, const char *text)
{
	static const enum relay_nb_data what[] = {ALL, CONFIG, STATE};
	struct lyd_node *tree;
	char err[600];

	for (size_t i = 0; i < array_size(what); i++) {
		tree = (struct lyd_node *)1;
		err[0] = '\0';
		assert_int_equal(relay_nb_tree_get(config, path, what[i], &tree,
						   err, sizeof(err)),
				 -error);
		assert_null(tree);
		assert_string_equal(err, text);
	}
}

#define LOANS "\"loan\":[{\"who\":\"ann\"},{\"who\":\"bob\"}]"
#define BOOK "\"book\":[{\"isbn\":\"3-16\",\"title\":\"Emma\"}]"
#define STATE_1 "\"state\":{\"books\":1," BOOK "," LOANS "}"
#define STATE_12 "\"state\":{\"books\":0," LOANS "}"
#define SHELF_1 "\"row\":1,\"side\":\"left\""
#define SHELF_12 "\"row\":12,\"side\":\"left\""
#define SHELF_9 "\"row\":9,\"side\":\"right\""
#define AT_1 BOX "/shelf[row='1'][side='left']"
#define AT_12 BOX "/shelf[row='12'][side='left']"
#define AT_9 BOX "/shelf[row='9'][side='right']"
#define SHELVES(json) IN_BOX("\"shelf\":[" json "]")

static void test_get(void **state)
{
	static const struct {
		const char *path;
		enum relay_nb_data what;
		bool defaults;
		const char *json;
	} cases[] = {
		/* a leaf, and one that is not set, and its default */
		{BOX "/lid", CONFIG, false, IN_BOX("\"lid\":\"open\"")},
		{BOX "/lid", ALL, false, IN_BOX("\"lid\":\"open\"")},
		{BOX "/lid", STATE, false, ""},
		{BOX "/size", CONFIG, true, IN_BOX("\"size\":5")},
		{BOX "/size", CONFIG, false, LAB_EMPTY_BOX},
		{BOX "/note", CONFIG, true, ""},
		/* with keys, with some, without */
		{AT_1 "/label", CONFIG, false,
		 SHELVES("{" SHELF_1 ",\"label\":\"novels\"}")},
		{AT_1 "/label", CONFIG, true,
		 SHELVES("{" SHELF_1 ",\"label\":\"novels\"}")},
		{AT_1, CONFIG, false,
		 SHELVES("{" SHELF_1 ",\"label\":\"novels\"}")},
		{AT_1, CONFIG, true,
		 SHELVES("{" SHELF_1 ",\"label\":\"novels\",\"depth\":30}")},
		{AT_1 "/row", CONFIG, false, SHELVES("{" SHELF_1 "}")},
		{BOX "/shelf/label", CONFIG, true,
		 SHELVES("{" SHELF_1 ",\"label\":\"novels\"}")},
		{BOX "/shelf[side='right']/depth", CONFIG, true,
		 SHELVES("{" SHELF_9 ",\"depth\":30}")},
		/* a value that is the default is left out, set or not */
		{BOX "/shelf[side='right']/depth", CONFIG, false,
		 SHELVES("{" SHELF_9 "}")},
		{BOX "/shelf", CONFIG, false,
		 SHELVES("{" SHELF_1 ",\"label\":\"novels\"},{" SHELF_9 "}")},
		{BOX "/tag", CONFIG, false, IN_BOX("\"tag\":[\"x\",\"y\"]")},
		{BOX "/tag[.='y']", CONFIG, false, IN_BOX("\"tag\":[\"y\"]")},
		/* state into the configuration, entry by entry */
		{AT_1, STATE, false, SHELVES("{" SHELF_1 "," STATE_1 "}")},
		{AT_1, ALL, false,
		 SHELVES("{" SHELF_1 ",\"label\":\"novels\"," STATE_1 "}")},
		{AT_1, ALL, true,
		 SHELVES("{" SHELF_1
			 ",\"label\":\"novels\",\"depth\":30," STATE_1 "}")},
		{BOX "/shelf", ALL, false,
		 SHELVES("{" SHELF_1 ",\"label\":\"novels\"," STATE_1
			 "},{" SHELF_9 "},{" SHELF_12 "," STATE_12 "}")},
		{BOX "/shelf/state/books", ALL, true,
		 SHELVES("{" SHELF_1 ",\"state\":{\"books\":1}},{" SHELF_12
			 ",\"state\":{\"books\":0}}")},
		{BOX "/shelf/state/books", CONFIG, true, ""},
		/* an entry that is there, of the other kind */
		{AT_12, CONFIG, true, ""},
		{AT_12, STATE, true, SHELVES("{" SHELF_12 "," STATE_12 "}")},
		{AT_12 "/label", ALL, true, ""},
		{AT_9, STATE, true, ""},
		{AT_9 "/state/books", STATE, true, ""},
		{AT_1 "/state/book[isbn='3-16']", CONFIG, true, ""},
		{AT_1 "/state/book[isbn='3-16']", ALL, true,
		 SHELVES("{" SHELF_1 ",\"state\":{" BOOK "}}")},
		{BOX "/tag[.='x']", STATE, true, ""},
		/* relayd's own */
		{ROUTE "/tag", CONFIG, false,
		 IN_A(",\"route\":[{\"prefix\":\"2002::/16\",\"tag\":3}]")},
		{ROUTE "/distance", ALL, true,
		 IN_A(",\"route\":[{\"prefix\":\"2002::/16\",\"distance\":1}]")},
		{RELAY "/instance/description", ALL, false,
		 IN_A(",\"description\":\"one\"")},
		{RELAY "/instance[name='a']/delay", CONFIG, true,
		 IN_A(",\"delay\":{\"up\":0}")},
		{RELAY "/instance[name='a']/dampening", CONFIG, true, ""},
		{RELAY "/track-object", CONFIG, true, ""},
		{RELAY, CONFIG, false,
		 IN_RELAY(
			 "\"instance\":[{\"name\":\"a\",\"description\":\"one\",\"route\":"
			 "[{\"prefix\":\"2002::/16\",\"tag\":3}]},{\"name\":\"b\"}]")},
		{RELAY, STATE, false, ""},
	};
	struct lyd_node *config = lab_tree(config_json);

	for (size_t i = 0; i < array_size(cases); i++)
		expect_get(config, cases[i].path, cases[i].what,
			   cases[i].defaults, cases[i].json);
	lyd_free_all(config);
}

static void test_get_everything(void **state)
{
	static const char *const all[] = {NULL, "", "/"};
	struct lyd_node *config = lab_tree(config_json);
	char *trimmed = strdup(lab_json(config, false)),
	     *whole = strdup(lab_json(config, true));
	const char *both;
	struct lyd_node *tree;
	char err[256];

	for (size_t i = 0; i < array_size(all); i++) {
		expect_get(config, all[i], CONFIG, false, trimmed);
		expect_get(config, all[i], CONFIG, true, whole);
		expect_get(config, all[i], STATE, true,
			   SHELVES("{" SHELF_1 "," STATE_1 "},{" SHELF_12
				   "," STATE_12 "}"));
		expect_get(NULL, all[i], CONFIG, true, "");
		expect_get(NULL, all[i], ALL, true,
			   SHELVES("{" SHELF_1 "," STATE_1 "},{" SHELF_12
				   "," STATE_12 "}"));
	}
	assert_int_equal(
		relay_nb_tree_get(config, "/", ALL, &tree, err, sizeof(err)),
		0);
	both = lab_json(tree, false);
	assert_non_null(strstr(both, STATE_1));
	assert_non_null(strstr(both, "\"label\":\"novels\""));
	assert_non_null(strstr(both, "\"description\":\"one\""));
	lyd_free_all(tree);
	/* what was read is as it was */
	assert_string_equal(lab_json(config, true), whole);
	lyd_free_all(config);
	free(trimmed);
	free(whole);
}

static void test_get_nothing(void **state)
{
	static const char *const missing[] = {
		BOX "/shelf[row='3'][side='left']",
		BOX "/shelf[row='3'][side='left']/label",
		BOX "/shelf[row='3'][side='left']/state",
		BOX "/shelf[row='3'][side='left']/state/books",
		BOX "/tag[.='z']",
		BOX "/pile[name='x']/high",
		AT_1 "/state/book[isbn='none']/title",
		"/relay-lab:row[id='1']",
		RELAY "/instance[name='c']/enabled",
		RELAY "/instance[name='a']/route[prefix='2003::/16']",
		RELAY "/instance[name='b']/route[prefix='2002::/16']/tag",
		RELAY "/instance[name='a']/state/history[index='1']",
		/* the first is there, the second is not */
		RELAY "/instance/route[prefix='2003::/16']",
	};
	struct lyd_node *config = lab_tree(config_json);
	char text[256];

	for (size_t i = 0; i < array_size(missing); i++) {
		snprintf(text, sizeof(text), "Data path not found: %s",
			 missing[i]);
		expect_no_get(config, missing[i], ENOENT, text);
	}
	expect_no_get(NULL, AT_9, ENOENT, "Data path not found: " AT_9);
	expect_no_get(config, BOX "/nix", EINVAL,
		      BOX "/nix: there is no data node nix in box");
	expect_no_get(config, "box", EINVAL,
		      "box: a path is /module:name/name...");
	lyd_free_all(config);
}

/* ------------------------------------------------------------------- print */

static void expect_print(const struct lyd_node *tree, LYD_FORMAT format,
			 bool defaults, const char *expected)
{
	char *text, *from, *to, err[256];

	assert_int_equal(relay_nb_tree_print(tree, format, defaults, &text, err,
					     sizeof(err)),
			 0);
	for (from = to = text; *from; from++)
		if (!isspace((unsigned char)*from))
			*to++ = *from;
	*to = '\0';
	assert_string_equal(text, expected);
	free(text);
}

static void test_print(void **state)
{
	struct lyd_node *tree = lab_tree(
		"{\"relay-lab:box\":{\"lid\":\"open\",\"size\":5},"
		"\"frr-relay:relay\":{\"graceful-restart\":{\"restart-time\":9}}}");

	expect_print(
		tree, LYD_JSON, false,
		"{\"frr-relay:relay\":{\"graceful-restart\":{\"restart-time\":9}},"
		"\"relay-lab:box\":{\"lid\":\"open\"}}");
	expect_print(
		tree, LYD_JSON, true,
		"{\"frr-relay:relay\":{\"graceful-restart\":{\"restart-time\":9}},"
		"\"relay-lab:box\":{\"size\":5,\"lid\":\"open\"}}");
	expect_print(
		tree, LYD_XML, false,
		"<relayxmlns=\"http://frrouting.org/yang/relay\"><graceful-restart>"
		"<restart-time>9</restart-time></graceful-restart></relay>"
		"<boxxmlns=\"urn:relay-lab\"><lid>open</lid></box>");
	/* from any of the siblings */
	expect_print(
		tree->next, LYD_JSON, false,
		"{\"frr-relay:relay\":{\"graceful-restart\":{\"restart-time\":9}},"
		"\"relay-lab:box\":{\"lid\":\"open\"}}");
	lyd_free_all(tree);
	expect_print(NULL, LYD_JSON, true, "{}");
	expect_print(NULL, LYD_XML, true, "");
	tree = lab_tree("{}");
	expect_print(tree, LYD_JSON, false, "{}");
	expect_print(tree, LYD_XML, false, "");
	lyd_free_all(tree);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, no_log)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get),
		TEST(test_get_everything),
		TEST(test_get_nothing),
		TEST(test_print),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
