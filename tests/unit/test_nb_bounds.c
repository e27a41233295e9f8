// SPDX-License-Identifier: GPL-2.0-or-later
/* How much of a client's the main thread reads at once; refusals in one line.
 */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "relay_nb_data.h"
#include "relay_nb_tree.h"

#include "nb_lab.h"

#define RELAYS_MAX 1024 /* as the module says */

static void assert_loads(LYD_FORMAT format, const char *text, int error,
			 const char *words)
{
	struct lyd_node *config = NULL;
	char err[256] = "";
	int ret = relay_nb_tree_load(&config, true, format, text, err,
				     sizeof(err));

	assert_int_equal(ret, -error);
	assert_string_equal(err, words);
	lyd_free_all(config);
}

/* n notes of a letter each, in JSON or XML; the caller frees. */
static char *many_marks(LYD_FORMAT format, size_t n)
{
	const char *json[] = {"{\"relay-lab:box\":{\"tag\":[", "]}}"};
	const char *xml[] = {"<box xmlns=\"urn:relay-lab\">", "</box>"};
	const char **ends = format == LYD_JSON ? json : xml;
	size_t len = n * 24 + 80;
	char *text = malloc(len), *at = text;

	at += sprintf(at, "%s", ends[0]);
	for (size_t i = 0; i < n; i++)
		at += sprintf(at,
			      format == LYD_JSON ? "%s\"%05zx\""
						 : "%s<tag>%05zx</tag>",
			      format == LYD_JSON && i ? "," : "", i);
	sprintf(at, "%s", ends[1]);
	return text;
}

/* Refused before libyang has read any of it. */
static void test_loads(void **state)
{
	static const LYD_FORMAT formats[] = {LYD_JSON, LYD_XML};
	const char *words =
		"more than the 65536 nodes that may be loaded at once";

	for (size_t i = 0; i < array_size(formats); i++) {
		char *few = many_marks(formats[i], 1000),
		     *many = many_marks(formats[i], RELAY_NB_MAX_LOADED + 2);

		assert_loads(formats[i], few, 0, "");
		assert_loads(formats[i], many, EMSGSIZE, words);
		free(few);
		free(many);
	}
}

static void test_edits(void **state)
{
	static struct relay_nb_edit edits[RELAY_NB_MAX_EDITS + 1];
	struct lyd_node *config = NULL;
	char err[256] = "";

	for (size_t i = 0; i < array_size(edits); i++)
		edits[i] = (struct relay_nb_edit){"/relay-lab:box/size", "7"};
	assert_int_equal(relay_nb_tree_edit(&config, edits, RELAY_NB_MAX_EDITS,
					    NULL, 0, err, sizeof(err)),
			 0);
	assert_int_equal(relay_nb_tree_edit(&config, edits, RELAY_NB_MAX_EDITS,
					    edits, 1, err, sizeof(err)),
			 -EMSGSIZE);
	assert_string_equal(err,
			    "10001 edits, of which there may be 10000 at once");
	lyd_free_all(config);
}

/* n relays, each with m prefixes that are denied; the caller frees. */
static struct lyd_node *relays(size_t n, size_t m)
{
	size_t len = 200 + n * (80 + m * 20);
	char *text = malloc(len), *at = text;
	struct lyd_node *tree;

	at += sprintf(at, "{\"frr-relay:relay\":{\"instance\":[");
	for (size_t i = 0; i < n; i++) {
		at += sprintf(at, "%s{\"name\":\"r%zu\",\"filter\":{\"deny\":[",
			      i ? "," : "", i);
		for (size_t j = 0; j < m; j++)
			at += sprintf(at, "%s\"10.%zu.%zu.0/24\"", j ? "," : "",
				      j >> 8, j & 255);
		at += sprintf(at, "]}}");
	}
	sprintf(at, "]}}");
	tree = lab_raw_tree(text);
	free(text);
	return tree;
}

static void assert_bounded(struct lyd_node *tree, int error, const char *words)
{
	char err[128] = "";

	assert_int_equal(relay_nb_tree_bounded(tree, err, sizeof(err)), -error);
	assert_string_equal(err, words);
	lyd_free_all(tree);
}

static void test_lists(void **state)
{
	assert_bounded(NULL, 0, "");
	assert_bounded(relays(RELAYS_MAX, 1), 0, "");
	assert_bounded(relays(RELAYS_MAX + 1, 1), EINVAL,
		       "more than 1024 entries of instance");
	assert_bounded(relays(2, 256), 0, "");
	assert_bounded(relays(2, 257), EINVAL, "more than 256 entries of deny");
	/* a list without a bound */
	assert_bounded(
		lab_raw_tree("{\"relay-lab:box\":{\"tag\":[\"a\",\"b\"]}}"), 0,
		"");
}

static void test_refusals(void **state)
{
	static const struct {
		const char *errmsg, *line;
	} cases[] = {
		{"", ""},
		{"track 1 is used by relay a", "track 1 is used by relay a"},
		{"the first\nthe second", "the first"},
		{"YANG error(s):\n", ""},
		{"YANG error(s):\n When condition \"x\" not satisfied.\n YANG path: /a:b\n",
		 "When condition \"x\" not satisfied. (/a:b)"},
		{"YANG error(s):\n One.\n YANG path: Data location \"/a:b[c=\"d'\"]\".\n",
		 "One. (/a:b[c=\"d'\"])"},
		{"YANG error(s):\n One.\n YANG path: Line number 3.\n", "One."},
		{"YANG error(s):\n one\n two\n YANG path: /a:b\n",
		 "one; two (/a:b)"},
		/* since FRR 10 */
		{"YANG error(s):\n Path: /a:b[c=\"d'\"]\n Error: One.\n",
		 "One. (/a:b[c=\"d'\"])"},
		{"YANG error(s):\n Path: /a:b\n Error: one\n Error: two\n Path: /c:d\n Error: three\n",
		 "one (/a:b); two; three (/c:d)"},
		{"YANG er", "YANG er"},
		{"YANG error(s):\n one\n two\n", "one; two"},
		{"YANG error(s):\n one", "one"},
	};
	char line[64], narrow[8];

	for (size_t i = 0; i < array_size(cases); i++) {
		relay_nb_refusal(cases[i].errmsg, line, sizeof(line));
		assert_string_equal(line, cases[i].line);
		relay_nb_refusal(cases[i].errmsg, narrow, sizeof(narrow));
		line[sizeof(narrow) - 1] = '\0';
		assert_string_equal(narrow, line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
