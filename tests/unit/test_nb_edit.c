// SPDX-License-Identifier: GPL-2.0-or-later
/* Data trees for clients: edited and loaded. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "relay_nb_data.h"
#include "relay_nb_tree.h"

#include "nb_lab.h"

#define RELAY "/frr-relay:relay"
#define ROUTE RELAY "/instance[name='a']/route[prefix='2002::/16']"

#define IN_RELAY(json) "{\"frr-relay:relay\":{" json "}}"
#define IN_A(json) IN_RELAY("\"instance\":[{\"name\":\"a\"" json "}]")

#define SHELF_1 "\"row\":1,\"side\":\"left\""
#define SHELF_9 "\"row\":9,\"side\":\"right\""
#define AT_1 BOX "/shelf[row='1'][side='left']"
#define AT_9 BOX "/shelf[row='9'][side='right']"
#define SHELVES(json) IN_BOX("\"shelf\":[" json "]")

static int setup(void **state)
{
	lab_logged = 0;
	return 0;
}

static int no_log(void **state)
{
	return lab_logged ? -1 : 0;
}

/* -------------------------------------------------------------------- edit */

/* One update, or deletion, of json; text: what is wrong, or the outcome. */
static void edit_one(const char *json, bool del, const char *path,
		     const char *value, int error, const char *text)
{
	const struct relay_nb_edit edit = {path, value};
	struct lyd_node *config = json ? lab_raw_tree(json) : NULL;
	char err[600] = "";
	int ret;

	ret = del ? relay_nb_tree_edit(&config, NULL, 0, &edit, 1, err,
				       sizeof(err))
		  : relay_nb_tree_edit(&config, &edit, 1, NULL, 0, err,
				       sizeof(err));
	assert_string_equal(ret < 0 ? err : lab_json(config, false), text);
	assert_int_equal(ret, -error);
	if (ret < 0)
		assert_string_equal(lab_json(config, false), json ? json : "");
	else
		assert_non_null(config);
	lab_check_tree(config);
	lyd_free_all(config);
}

#define SOME                                                                   \
	IN_BOX("\"lid\":\"open\",\"tag\":[\"x\"],\"shelf\":[{" SHELF_1         \
	       ",\"label\":\"novels\"}]")
#define SOME_AND(more)                                                         \
	IN_BOX("\"lid\":\"open\",\"tag\":[\"x\"],\"shelf\":[{" SHELF_1         \
	       ",\"label\":\"novels\"}" more "]")

static void test_update(void **state)
{
	static const struct {
		const char *json, *path, *value;
		int error;
		const char *text;
	} cases[] = {
		/* leaves: created, changed, with all that is above */
		{NULL, BOX "/lid", "shut", 0, IN_BOX("\"lid\":\"shut\"")},
		{IN_BOX("\"lid\":\"open\""), BOX "/lid", "shut", 0,
		 IN_BOX("\"lid\":\"shut\"")},
		{IN_BOX("\"lid\":\"open\""), BOX "/lid", "open", 0,
		 IN_BOX("\"lid\":\"open\"")},
		{SOME, AT_9 "/label", "maps", 0,
		 SOME_AND(",{" SHELF_9 ",\"label\":\"maps\"}")},
		{SOME, ROUTE "/tag", "7", 0,
		 "{\"frr-relay:relay\":{\"instance\":[{\"name\":\"a\",\"route\":"
		 "[{\"prefix\":\"2002::/16\",\"tag\":7}]}]},\"relay-lab:box\":"
		 "{\"lid\":\"open\",\"tag\":[\"x\"],\"shelf\":[{" SHELF_1
		 ",\"label\":\"novels\"}]}}"},
		/* as the type writes it */
		{NULL, ROUTE "/tag", "007", 0,
		 IN_A(",\"route\":[{\"prefix\":\"2002::/16\",\"tag\":7}]")},
		{NULL, BOX "/size", "5", 0, LAB_EMPTY_BOX},
		/* entries and containers */
		{SOME, AT_9, "", 0, SOME_AND(",{" SHELF_9 "}")},
		{SOME, AT_9, "ignored", 0, SOME_AND(",{" SHELF_9 "}")},
		{SOME, AT_9, NULL, 0, SOME_AND(",{" SHELF_9 "}")},
		{SOME, AT_1, "", 0, SOME},
		{SOME, AT_9 "/row", "9", 0, SOME_AND(",{" SHELF_9 "}")},
		{SOME, AT_1 "/side", "", 0, SOME},
		{NULL, BOX "/note", "", 0, IN_BOX("\"note\":{}")},
		{NULL, BOX "/gate/width", "3", 0,
		 IN_BOX("\"gate\":{\"width\":3}")},
		{SOME, RELAY "/graceful-restart", "", 0, SOME},
		/* entries of a leaf-list, either way */
		{NULL, BOX "/tag", "y", 0, IN_BOX("\"tag\":[\"y\"]")},
		{NULL, BOX "/tag[.='y']", "", 0, IN_BOX("\"tag\":[\"y\"]")},
		{NULL, BOX "/tag[.='y']", "y", 0, IN_BOX("\"tag\":[\"y\"]")},
		{NULL, BOX "/tag", "", 0, IN_BOX("\"tag\":[\"\"]")},
		{SOME, BOX "/tag", "x", 0, SOME},
		{IN_BOX("\"tag\":[\"x\"]"), BOX "/tag[.='y']", NULL, 0,
		 IN_BOX("\"tag\":[\"x\",\"y\"]")},
		/* quotes in keys */
		{NULL, BOX "/pile[name=\"it's\"]/high", "3", 0,
		 IN_BOX("\"pile\":[{\"name\":\"it's\",\"high\":3}]")},
		{IN_BOX("\"pile\":[{\"name\":\"it's\"}]"),
		 BOX "/pile[name=\"it's\"]/high", "3", 0,
		 IN_BOX("\"pile\":[{\"name\":\"it's\",\"high\":3}]")},
		{IN_BOX("\"tag\":[\"it's\"]"), BOX "/tag[.=\"it's\"]", "", 0,
		 IN_BOX("\"tag\":[\"it's\"]")},
		/* of two cases one stays */
		{IN_BOX("\"road\":\"A1\""), BOX "/rail/sleeper", "7", 0,
		 IN_BOX("\"rail\":{\"sleeper\":[7]}")},
		{IN_BOX("\"rail\":{\"sleeper\":[7]}"), BOX "/line", "U1", 0,
		 IN_BOX("\"line\":[\"U1\"]")},
		{IN_BOX("\"line\":[\"U1\"]"), BOX "/line", "U2", 0,
		 IN_BOX("\"line\":[\"U1\",\"U2\"]")},
		{IN_BOX("\"lid\":\"open\",\"line\":[\"U1\",\"U2\"]"),
		 BOX "/road", "A1", 0,
		 IN_BOX("\"lid\":\"open\",\"road\":\"A1\"")},

		{SOME, BOX "/nix", "1", EINVAL,
		 BOX "/nix: there is no data node nix in box"},
		{SOME, NULL, "1", EINVAL, "/: a path of one node is needed"},
		{SOME, BOX "/lid", "ajar", EINVAL,
		 BOX "/lid: Invalid enumeration value \"ajar\""},
		{SOME, BOX "/lid", NULL, EINVAL,
		 BOX "/lid: Invalid enumeration value \"\""},
		{SOME, BOX "/size", "256", EINVAL,
		 BOX
		 "/size: Value \"256\" is out of type uint8 min/max bounds"},
		{SOME, AT_9 "/label", "", EINVAL,
		 AT_9
		 "/label: Unsatisfied length - string \"\" length is not allowed"},
		{SOME, BOX "/rail/sleeper", "", EINVAL,
		 BOX "/rail/sleeper: Invalid type uint8 empty value"},
		{SOME, BOX "/shelf[row='9']/label", "maps", EINVAL,
		 BOX
		 "/shelf[row='9']/label: list shelf needs its key [side='...']"},
		{SOME, BOX "/shelf", "", EINVAL,
		 BOX "/shelf: list shelf needs its key [row='...']"},
		{SOME, AT_1 "/row", "2", EINVAL,
		 AT_1 "/row: a key can't be changed, only its entry can"},
		{SOME, BOX "/tag[.='y']", "z", EINVAL,
		 BOX "/tag[.='y']: value z is another than the path's"},
		{SOME, AT_1 "/state/books", "3", EINVAL,
		 AT_1 "/state/books: operational state, which can't be edited"},
		{SOME, BOX "/state", "", EINVAL,
		 BOX "/state: operational state, which can't be edited"},
		{SOME, "/relay-lab:row[id='1']", "", EINVAL,
		 "/relay-lab:row[id='1']: operational state, which can't be edited"},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		edit_one(cases[i].json, false, cases[i].path, cases[i].value,
			 cases[i].error, cases[i].text);
}

static void test_delete(void **state)
{
	static const struct {
		const char *json, *path, *value;
		int error;
		const char *text;
	} cases[] = {
		{SOME, BOX "/lid", NULL, 0,
		 IN_BOX("\"tag\":[\"x\"],\"shelf\":[{" SHELF_1
			",\"label\":\"novels\"}]")},
		{SOME, AT_1, NULL, 0,
		 IN_BOX("\"lid\":\"open\",\"tag\":[\"x\"]")},
		{SOME, AT_1 "/label", "ignored", 0,
		 IN_BOX("\"lid\":\"open\",\"tag\":[\"x\"],\"shelf\":[{" SHELF_1
			"}]")},
		{SOME, BOX "/tag[.='x']", NULL, 0,
		 IN_BOX("\"lid\":\"open\",\"shelf\":[{" SHELF_1
			",\"label\":\"novels\"}]")},
		{SOME, BOX "/tag", "x", 0,
		 IN_BOX("\"lid\":\"open\",\"shelf\":[{" SHELF_1
			",\"label\":\"novels\"}]")},
		{IN_BOX("\"note\":{}"), BOX "/note", NULL, 0, "{}"},
		{IN_BOX("\"rail\":{\"sleeper\":[7]}"), BOX "/rail", NULL, 0,
		 "{}"},
		/* all there was */
		{SOME, BOX, NULL, 0, "{}"},
		{"{\"frr-relay:relay\":{\"instance\":[{\"name\":\"a\"}]},"
		 "\"relay-lab:box\":{\"lid\":\"open\"}}",
		 RELAY, NULL, 0, IN_BOX("\"lid\":\"open\"")},

		{SOME, BOX "/size", NULL, ENOENT,
		 "Failed to remove " BOX "/size: it is not there"},
		{SOME, AT_9, NULL, ENOENT,
		 "Failed to remove " AT_9 ": it is not there"},
		{SOME, AT_9 "/label", NULL, ENOENT,
		 "Failed to remove " AT_9 "/label: it is not there"},
		{SOME, BOX "/tag[.='y']", NULL, ENOENT,
		 "Failed to remove " BOX "/tag[.='y']: it is not there"},
		{NULL, BOX, NULL, ENOENT,
		 "Failed to remove " BOX ": it is not there"},
		/* not by mistake all of a list */
		{SOME, BOX "/shelf", NULL, EINVAL,
		 BOX "/shelf: list shelf needs its key [row='...']"},
		{SOME, AT_1 "/side", NULL, EINVAL,
		 AT_1 "/side: a key can't be deleted, only its entry can"},
		{SOME, AT_1 "/state", NULL, EINVAL,
		 AT_1 "/state: operational state, which can't be edited"},
		{SOME, "/", NULL, EINVAL, "/: a path of one node is needed"},
		{SOME, BOX "/nix", NULL, EINVAL,
		 BOX "/nix: there is no data node nix in box"},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		edit_one(cases[i].json, true, cases[i].path, cases[i].value,
			 cases[i].error, cases[i].text);
}

/* Several at once: in order, updates first, and all or none of them. */
static void test_edits(void **state)
{
	const struct relay_nb_edit update[] = {
		{AT_9 "/label", "maps"},
		{BOX "/lid", "shut"},
		{BOX "/lid", "open"},
		{AT_1 "/label", "poems"},
	};
	const struct relay_nb_edit bad_update[] = {
		{BOX "/lid", "shut"},
		{BOX "/lid", "ajar"},
	};
	const struct relay_nb_edit del[] = {
		{AT_9 "/label"},
		{BOX "/tag[.='x']"},
	};
	const struct relay_nb_edit bad_del[] = {
		{BOX "/lid"},
		{BOX "/lid"},
	};
	struct lyd_node *config = lab_raw_tree(SOME);
	char err[256];

	assert_int_equal(relay_nb_tree_edit(&config, update, 4, bad_del, 2, err,
					    sizeof(err)),
			 -ENOENT);
	assert_string_equal(err,
			    "Failed to remove " BOX "/lid: it is not there");
	assert_string_equal(lab_json(config, false), SOME);
	assert_int_equal(relay_nb_tree_edit(&config, bad_update, 2, del, 1, err,
					    sizeof(err)),
			 -EINVAL);
	assert_string_equal(err,
			    BOX "/lid: Invalid enumeration value \"ajar\"");
	assert_string_equal(lab_json(config, false), SOME);
	assert_int_equal(relay_nb_tree_edit(&config, bad_update, 2, NULL, 0,
					    err, sizeof(err)),
			 -EINVAL);
	assert_string_equal(lab_json(config, false), SOME);
	assert_int_equal(relay_nb_tree_edit(&config, update, 4, del, 2, err,
					    sizeof(err)),
			 0);
	assert_string_equal(lab_json(config, false),
			    IN_BOX("\"lid\":\"open\",\"shelf\":[{" SHELF_1
				   ",\"label\":\"poems\"},{" SHELF_9 "}]"));
	lab_check_tree(config);
	assert_int_equal(
		relay_nb_tree_edit(&config, NULL, 0, NULL, 0, err, sizeof(err)),
		0);
	lyd_free_all(config);
}

/* An edit that has been done is like what was loaded: it validates. */
static void test_edit_validates(void **state)
{
	const struct relay_nb_edit update[] = {
		{RELAY "/track-object[id='3']/type", "interface"},
		{RELAY "/track-object[id='3']/interface", "eth0"},
		{RELAY "/instance[name='a']/tunnel/mode", "6to4"},
		{RELAY "/instance[name='a']/filter/deny[.='10.0.0.0/8']", ""},
	};
	struct lyd_node *config = lab_tree("{}");
	char err[256];

	assert_int_equal(relay_nb_tree_edit(&config, update, array_size(update),
					    NULL, 0, err, sizeof(err)),
			 0);
	assert_int_equal(lyd_validate_all(&config, ly_native_ctx,
					  LYD_VALIDATE_NO_STATE, NULL),
			 LY_SUCCESS);
	assert_string_equal(
		lab_json(config, false),
		IN_RELAY(
			"\"track-object\":[{\"id\":3,\"type\":\"interface\",\"interface\":\"eth0\"}],"
			"\"instance\":[{\"name\":\"a\",\"tunnel\":{\"mode\":\"6to4\"},"
			"\"filter\":{\"deny\":[\"10.0.0.0/8\"]}}]"));
	lyd_free_all(config);
}

/* -------------------------------------------------------------------- load */

static void load(const char *json, bool replace, LYD_FORMAT format,
		 const char *text, int error, const char *expected)
{
	struct lyd_node *config = json ? lab_tree(json) : NULL;
	char before[2048], err[600] = "";
	int ret;

	strlcpy(before, lab_json(config, true), sizeof(before));
	ret = relay_nb_tree_load(&config, replace, format, text, err,
				 sizeof(err));
	assert_string_equal(ret < 0 ? err : lab_json(config, false), expected);
	assert_int_equal(ret, -error);
	if (ret < 0)
		assert_string_equal(lab_json(config, true), before);
	else
		assert_non_null(config);
	lab_check_tree(config);
	lyd_free_all(config);
}

static void test_load(void **state)
{
	const char *xml = "<box xmlns=\"urn:relay-lab\"><lid>shut</lid></box>";

	load(SOME, true, LYD_JSON, IN_BOX("\"lid\":\"shut\""), 0,
	     IN_BOX("\"lid\":\"shut\""));
	load(SOME, true, LYD_XML, xml, 0, IN_BOX("\"lid\":\"shut\""));
	load(SOME, true, LYD_JSON, "{}", 0, "{}");
	load(SOME, true, LYD_XML, "", 0, "{}");
	load(NULL, true, LYD_JSON, "{}", 0, "{}");

	load(SOME, false, LYD_XML, xml, 0,
	     IN_BOX("\"lid\":\"shut\",\"tag\":[\"x\"],\"shelf\":[{" SHELF_1
		    ",\"label\":\"novels\"}]"));
	load(NULL, false, LYD_JSON, SOME, 0, SOME);
	load(SOME, false, LYD_JSON, "{}", 0, SOME);
	load(SOME, false, LYD_JSON,
	     IN_BOX("\"tag\":[\"y\",\"x\"],\"shelf\":[{" SHELF_9
		    "},{\"side\":\"left\",\"row\":1,\"label\":\"poems\"}]"),
	     0,
	     IN_BOX("\"lid\":\"open\",\"tag\":[\"x\",\"y\"],\"shelf\":[{" SHELF_1
		    ",\"label\":\"poems\"},{" SHELF_9 "}]"));
	/* a default that becomes something else, in a container of nothing but
	 * defaults */
	load("{\"relay-lab:box\":{\"rail\":{}}}", false, LYD_JSON,
	     IN_BOX("\"rail\":{\"gauge\":1000}"), 0,
	     IN_BOX("\"rail\":{\"gauge\":1000}"));
	load(IN_A(""), false, LYD_JSON, IN_A(",\"delay\":{\"up\":9}"), 0,
	     IN_A(",\"delay\":{\"up\":9}"));
	/* the other case of a choice goes */
	load(IN_BOX("\"road\":\"A1\""), false, LYD_JSON,
	     IN_BOX("\"line\":[\"U1\"]"), 0, IN_BOX("\"line\":[\"U1\"]"));
}

#define NOT_AN_OBJECT(what)                                                                                                   \
	LAB_LIBYANG(                                                                                                          \
		"The container \"box\" is expected to be represented as JSON name/object, but input data contains name/" what \
		" (line 1)",                                                                                                  \
		"Expecting JSON name/object but container \"box\" is represented in input data as name/" what                 \
		" (line 1)")

static void test_load_what_is_wrong(void **state)
{
	static const struct {
		LYD_FORMAT format;
		const char *text, *expected;
	} cases[] = {
		{LYD_JSON, "", "there is no JSON in the text"},
		{LYD_JSON, " \n", "there is no JSON in the text"},
		{LYD_JSON, "{",
		 LAB_LIBYANG(
			 "Invalid character sequence \"\", expected a JSON object's member (line 1)",
			 "Unexpected end-of-input (line 1)")},
		{LYD_JSON, "lid",
		 "Invalid character sequence \"lid\", expected a JSON value (line 1)"},
		{LYD_JSON, "null",
		 "Expected top-level JSON object, but null found (line 1)"},
		{LYD_JSON, "[]",
		 LAB_LIBYANG(
			 "Expected top-level JSON object, but empty array found (line 1)",
			 "Expected top-level JSON object, but array found (line 1)")},
		{LYD_JSON, "{}x", "there is more behind the data's end"},
		{LYD_JSON, "{}{}", "there is more behind the data's end"},
		{LYD_JSON, "{\"@relay-lab:box\":{}}",
		 "/@relay-lab:box: Missing JSON data instance to be coupled with @relay-lab:box metadata (line 1)"},
		{LYD_JSON, "{\"relay-lab:box\":null}", NOT_AN_OBJECT("null")},
		{LYD_JSON, "{\"relay-lab:box\":[null]}",
		 NOT_AN_OBJECT("array")},
		{LYD_JSON, "{\"relay-lab:box\":{\"lid\":null}}",
		 "/relay-lab:box/lid: Invalid non-string-encoded enumeration value \"\" (line 1)"},
		{LYD_JSON, "{\"relay-lab:box\":{\"lid\":[null]}}",
		 "/relay-lab:box/lid: Invalid non-string-encoded enumeration value \"\" (line 1)"},
		{LYD_JSON, "{\"relay-lab:box\":{\"@lid\":{\"nix:x\":1}}}",
		 LAB_LIBYANG(
			 "/relay-lab:box/@lid/relay-lab:box: Missing JSON data instance to be coupled with @lid metadata (line 1)",
			 "/relay-lab:box/@lid/box: Missing JSON data instance to be coupled with @lid metadata (line 1)")},
		{LYD_JSON,
		 "{\"relay-lab:box\":{\"lid\":\"open\",\"@lid\":{\"yang:operation\":\"delete\"}}}",
		 "/relay-lab:box/lid has metadata, which is not taken"},
		{LYD_JSON,
		 "{\"relay-lab:box\":{\"lid\":\"open\",\"@lid\":{\"ietf-netconf-with-defaults:default\":true}}}",
		 "/relay-lab:box/lid: Prefix \"ietf-netconf-with-defaults\" of the metadata \"default\" does not match any module in the context (line 1)"},
		{LYD_XML, "x",
		 "Invalid character sequence \"x\", expected element tag start ('<') (line 1)"},
		{LYD_XML, "<a/>", "Missing XML namespace (line 1)"},
		{LYD_XML,
		 "<relay xmlns=\"http://frrouting.org/yang/relay\"><instance><name>a</name><tunnel><mode>x</mode></tunnel></instance></relay>",
		 "/frr-relay:relay/instance[name='a']/tunnel/mode: Invalid enumeration value \"x\" (line 1)"},
		{LYD_XML, "<box xmlns=\"urn:relay-lab\">",
		 "Unexpected end-of-input (line 1)"},
		{LYD_XML, "{}",
		 "Invalid character sequence \"{}\", expected element tag start ('<') (line 1)"},
		{LYD_JSON, "{\"relay-lab:bin\":{}}",
		 "Node \"bin\" not found in the \"relay-lab\" module (line 1)"},
		{LYD_JSON, "{\"nix:box\":{}}",
		 "No module named \"nix\" in the context (line 1)"},
		{LYD_JSON, "{\"box\":{}}",
		 "Top-level JSON object member \"box\" must be namespace-qualified (line 1)"},
		{LYD_XML, "<box xmlns=\"urn:nix\"/>",
		 "No module with namespace \"urn:nix\" in the context (line 1)"},
		{LYD_XML, "<box xmlns=\"urn:relay-lab\"><nix/></box>",
		 "/relay-lab:box: Node \"nix\" not found as a child of \"box\" node (line 1)"},
		{LYD_JSON, "{\"relay-lab:box\":{\"nix\":1}}",
		 "/relay-lab:box: Node \"nix\" not found as a child of \"box\" node (line 1)"},
		{LYD_JSON, "{\"relay-lab:box\":{\"size\":\"x\"}}",
		 "/relay-lab:box/size: Invalid non-number-encoded uint8 value \"x\" (line 1)"},
		{LYD_JSON,
		 "{\"relay-lab:box\":{\"lid\":\"shut\",\"size\":256}}",
		 "/relay-lab:box/size: Value \"256\" is out of type uint8 min/max bounds (line 1)"},
		{LYD_JSON, "{\"relay-lab:box\":{\"shelf\":[{\"row\":1}]}}",
		 "/relay-lab:box/shelf[row='1']: List instance is missing its key \"side\" (line 1)"},
		{LYD_JSON,
		 "{\"relay-lab:box\":{\"state\":{\"paint\":\"red\"}}}",
		 "/relay-lab:box/state: Unexpected data state node \"state\" found (line 1)"},
		{LYD_JSON, "{\"relay-lab:row\":[{\"id\":1}]}",
		 "/relay-lab:row: Unexpected data state node \"row\" found (line 1)"},
		{LYD_JSON, "{\"frr-relay:clear-counters\":{}}",
		 "/frr-relay:clear-counters: Unexpected RPC element \"clear-counters\" (line 1)"},
		{LYD_JSON,
		 "{\"relay-lab:box\":{\"lid\":\"shut\",\"lid\":\"open\"}}",
		 "/relay-lab:box/lid is there twice"},
		{LYD_JSON,
		 "{\"relay-lab:box\":{\"shelf\":[{\"row\":1,\"side\":\"left\"},{\"row\":9,\"side\":\"right\"},{\"row\":1,\"side\":\"left\"}]}}",
		 "/relay-lab:box/shelf[row='1'][side='left'] is there twice"},
		{LYD_JSON, "{\"relay-lab:box\":{\"tag\":[\"a\",\"b\",\"a\"]}}",
		 "/relay-lab:box/tag[.='a'] is there twice"},
		{LYD_XML,
		 "<box xmlns=\"urn:relay-lab\"><lid>shut</lid><lid>open</lid></box>",
		 "/relay-lab:box/lid is there twice"},
		{LYD_XML,
		 "<box xmlns=\"urn:relay-lab\"/><box xmlns=\"urn:relay-lab\"/>",
		 "/relay-lab:box is there twice"},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		for (int replace = 0; replace < 2; replace++)
			load(SOME, replace, cases[i].format, cases[i].text,
			     EINVAL, cases[i].expected);
}

/* One line of UTF-8, cut where a character begins. */
static void test_error_text(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *expected;
	} cases[] = {
		{"abc", 8, "abc"},
		{"abc", 4, "abc"},
		{"abc", 3, "ab"},
		{"a\n\tb\x7f", 8, "a  b "},
		{"\303\274", 3, "\303\274"},
		{"\303\274", 2, ""},
		{"a\342\202\254b", 5, "a\342\202\254"},
		{"a\342\202\254b", 4, "a"},
		{"a\342\202\254b", 3, "a"},
		{"a\342\202\254b", 2, "a"},
		{"", 1, ""},
	};
	char err[8];

	for (size_t i = 0; i < array_size(cases); i++) {
		assert_int_equal(relay_nb_err(err, cases[i].len, EINVAL, "%s",
					      cases[i].text),
				 -EINVAL);
		assert_string_equal(err, cases[i].expected);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, no_log)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_update),     TEST(test_delete),
		TEST(test_edits),      TEST(test_edit_validates),
		TEST(test_load),       TEST(test_load_what_is_wrong),
		TEST(test_error_text),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
