// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls of frr.Northbound that name no candidate: what they answer, in which
 * messages. What is in the data is tested with relay_nb_tree.h. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "grpc_northbound.h"

#include "grpc_lab.h"

/* ----------------------------------------------------------- capabilities */

static void test_capabilities(void **state)
{
	Frr__GetCapabilitiesRequest input = FRR__GET_CAPABILITIES_REQUEST__INIT;
	struct grpc_call *call = grpc_call(ANN, "GetCapabilities", &input.base);
	Frr__GetCapabilitiesResponse *c = grpc_call_answer(call);
	const Frr__ModuleData *ours = NULL;

	assert_non_null(c);
	assert_string_equal(c->frr_version, FRR_VERSION);
	assert_true(c->rollback_support);
	assert_int_equal(c->n_supported_encodings, 2);
	assert_int_equal(c->supported_encodings[0], FRR__ENCODING__JSON);
	assert_int_equal(c->supported_encodings[1], FRR__ENCODING__XML);
	for (size_t i = 0; i < c->n_supported_modules; i++)
		if (!strcmp(c->supported_modules[i]->name, "frr-relay"))
			ours = c->supported_modules[i];
	assert_non_null(ours);
	assert_string_equal(ours->organization, "frr-relay");
	assert_int_equal(strlen(ours->revision), strlen("2026-11-20"));
	protobuf_c_message_free_unpacked(&c->base, NULL);
	assert_null(grpc_call_answer(call));
	grpc_call_end(call);
}

/* -------------------------------------------------------------------- Get */

static struct grpc_call *get(const char *const *path, size_t n, int type,
			     int encoding, bool with_defaults)
{
	Frr__GetRequest input = FRR__GET_REQUEST__INIT;

	input.path = (char **)path;
	input.n_path = n;
	input.type = type;
	input.encoding = encoding;
	input.with_defaults = with_defaults;
	return grpc_call(ANN, "Get", &input.base);
}

static void expect_data(struct grpc_call *call, int encoding, const char *data)
{
	Frr__GetResponse *r = grpc_call_answer(call);
	char text[512];
	size_t n = 0;

	assert_non_null(r);
	assert_int_equal(r->data->encoding, encoding);
	for (const char *c = r->data->data; *c; c++)
		if (!isspace((unsigned char)*c))
			text[n++] = *c;
	text[n] = '\0';
	assert_string_equal(text, data);
	/* nanoseconds, of now; time() lags behind by up to a tick */
	assert_true(r->timestamp / 1000000000 >= time(NULL) - 5);
	assert_true(r->timestamp / 1000000000 <= time(NULL) + 1);
	protobuf_c_message_free_unpacked(&r->base, NULL);
}

static void expect_refused(struct grpc_call *call, const char *why)
{
	assert_int_equal(call->req.status, GRPC_STATUS_INVALID_ARGUMENT);
	assert_string_equal(call->req.text, why);
	grpc_call_end(call);
}

#define CONFIG FRR__GET_REQUEST__DATA_TYPE__CONFIG
#define STATE FRR__GET_REQUEST__DATA_TYPE__STATE
#define JSON FRR__ENCODING__JSON
#define XML FRR__ENCODING__XML

/* An answer for each path, in their order. */
static void test_get(void **state)
{
	static const char *const paths[] = {BOX "/tag", SIZE,	    "",
					    "/",	BOX "/lid", SIZE};
	const char *all = "{\"relay-lab:box\":{\"size\":7,\"tag\":[\"a\"]}}";
	const char *size = "{\"relay-lab:box\":{\"size\":7}}";
	struct grpc_call *call;
	uint32_t id;

	assert_int_equal(grpc_create(ANN, &id), GRPC_STATUS_OK);
	grpc_edit(ANN, id, SIZE, "7");
	grpc_edit(ANN, id, BOX "/tag[.='a']", "");
	assert_int_equal(grpc_commit(ANN, id, ALL, ""), GRPC_STATUS_OK);

	call = get(paths, array_size(paths), CONFIG, JSON, false);
	assert_int_equal(call->req.status, GRPC_STATUS_OK);
	assert_int_equal(call->req.step, array_size(paths) - 1);
	expect_data(call, JSON, "{\"relay-lab:box\":{\"tag\":[\"a\"]}}");
	expect_data(call, JSON, size);
	expect_data(call, JSON, all);
	expect_data(call, JSON, all);
	expect_data(call, JSON, "{}");
	expect_data(call, JSON, size);
	assert_null(grpc_call_answer(call));
	grpc_call_end(call);

	call = get(NULL, 0, CONFIG, JSON, false);
	expect_data(call, JSON, all);
	assert_null(grpc_call_answer(call));
	grpc_call_end(call);

	call = get(&paths[1], 1, CONFIG, XML, false);
	expect_data(call, XML,
		    "<boxxmlns=\"urn:relay-lab\"><size>7</size></box>");
	grpc_call_end(call);
	call = get(&paths[1], 1, STATE, XML, false);
	expect_data(call, XML, "");
	grpc_call_end(call);

	grpc_edit(ANN, id, SIZE, "5");
	assert_int_equal(grpc_commit(ANN, id, ALL, ""), GRPC_STATUS_OK);
	call = get(&paths[1], 1, CONFIG, JSON, false);
	expect_data(call, JSON, LAB_EMPTY_BOX);
	grpc_call_end(call);
	call = get(&paths[1], 1, CONFIG, JSON, true);
	expect_data(call, JSON, "{\"relay-lab:box\":{\"size\":5}}");
	grpc_call_end(call);
}

/* Those before have been sent by then. */
static void test_get_refused_later(void **state)
{
	static const char *const paths[] = {BOX "/lid", BOX "/nix", SIZE};
	struct grpc_call *call = get(paths, 3, CONFIG, JSON, false);

	expect_data(call, JSON, "{}");
	assert_null(grpc_call_answer(call));
	expect_refused(call, BOX "/nix: there is no data node nix in box");
}

static void test_get_refused(void **state)
{
	static const char *many[RELAY_GRPC_PATHS_MAX + 1];
	static const char *const gone = BOX "/shelf[row='1'][side='left']";
	struct grpc_call *call;

	expect_refused(get(NULL, 0, 3, JSON, false), "no data of the type 3");
	expect_refused(get(NULL, 0, -1, JSON, false), "no data of the type -1");
	expect_refused(get(NULL, 0, CONFIG, 2, false), "no encoding 2");
	expect_refused(get(&gone, 1, CONFIG, JSON, false),
		       "Data path not found: " BOX
		       "/shelf[row='1'][side='left']");
	for (size_t i = 0; i < array_size(many); i++)
		many[i] = SIZE;
	expect_refused(get(many, array_size(many), CONFIG, JSON, false),
		       "257 paths, of which there may be 256");
	call = get(many, array_size(many) - 1, CONFIG, JSON, false);
	assert_int_equal(relay_grpc_messages_count(&call->sent), 256);
	grpc_call_end(call);
}

/* ---------------------------------------------------------------- Execute */

static grpc_status_code execute(const char *path, const char *name,
				const char *value, const char *why)
{
	Frr__ExecuteRequest input = FRR__EXECUTE_REQUEST__INIT;
	Frr__PathValue one = FRR__PATH_VALUE__INIT, *list = &one;
	grpc_status_code status;
	struct grpc_call *call;

	input.path = (char *)path;
	if (name) {
		one.path = (char *)name;
		one.value = (char *)value;
		input.n_input = 1;
		input.input = &list;
	}
	call = grpc_call(ANN, "Execute", &input.base);
	status = call->req.status;
	assert_string_equal(call->req.text, why);
	grpc_call_end(call);
	return status;
}

#define CLEAR "/frr-relay:clear-counters"

/* However its input is written, it is the one that is meant: without a name all
 * relays would be cleared. */
static void test_execute(void **state)
{
	static const char *const rpcs[] = {"clear-counters", "clear-dampening",
					   "clear-peers"};
	static const char *const names[] = {
		"name", "frr-relay:name", "/frr-relay:%s/input/name",
		"/frr-relay:%s/input/frr-relay:name"};
	char path[64], name[128];

	for (size_t i = 0; i < array_size(rpcs); i++) {
		snprintf(path, sizeof(path), "/frr-relay:%s", rpcs[i]);
		assert_int_equal(execute(path, NULL, NULL, ""), GRPC_STATUS_OK);
		for (size_t j = 0; j < array_size(names); j++) {
			strlcpy(name, names[j], sizeof(name));
			if (name[0] == '/')
				snprintf(name, sizeof(name), "%s/input/%s",
					 path, strrchr(names[j], '/') + 1);
			assert_int_equal(execute(path, name, "x", "no relay x"),
					 GRPC_STATUS_NOT_FOUND);
		}
	}
	/* libyang takes that for the same path */
	assert_int_equal(execute("/ " CLEAR, "name", "x",
				 "\"/ " CLEAR "\" is not the path of an RPC"),
			 GRPC_STATUS_INVALID_ARGUMENT);
}

static void test_execute_twice(void **state)
{
	Frr__ExecuteRequest input = FRR__EXECUTE_REQUEST__INIT;
	Frr__PathValue one = FRR__PATH_VALUE__INIT, *list[] = {&one, &one};
	struct grpc_call *call;

	input.path = (char *)CLEAR;
	one.path = (char *)"name";
	one.value = (char *)"x";
	input.n_input = 2;
	input.input = list;
	call = grpc_call(ANN, "Execute", &input.base);
	assert_int_equal(call->req.status, GRPC_STATUS_INVALID_ARGUMENT);
	assert_string_equal(call->req.text, "name is there twice");
	grpc_call_end(call);
}

static void test_execute_refused(void **state)
{
	static const struct {
		const char *path, *name, *value, *why;
	} cases[] = {
		{"", NULL, NULL, "\"\" is not the path of an RPC"},
		{"/", NULL, NULL, "\"/\" is not the path of an RPC"},
		{"clear-counters", NULL, NULL,
		 "\"clear-counters\" is not the path of an RPC"},
		{"/frr-relay:clear", NULL, NULL,
		 "\"/frr-relay:clear\" is not the path of an RPC"},
		{"/nix:clear-counters", NULL, NULL,
		 "\"/nix:clear-counters\" is not the path of an RPC"},
		{"/frr-relay:relay", NULL, NULL,
		 "\"/frr-relay:relay\" is not the path of an RPC"},
		{CLEAR "/input", NULL, NULL,
		 "\"" CLEAR "/input\" is not the path of an RPC"},
		{CLEAR "/input/name", NULL, NULL,
		 "\"" CLEAR "/input/name\" is not the path of an RPC"},
		{CLEAR "[", NULL, NULL,
		 "\"" CLEAR "[\" is not the path of an RPC"},
		{CLEAR, "", "", CLEAR " has no input \"\""},
		{CLEAR, "/", "", CLEAR " has no input \"/\""},
		{CLEAR, "nix", "", CLEAR " has no input \"nix\""},
		{CLEAR, "name[1]", "", CLEAR " has no input \"name[1]\""},
		{CLEAR, "input/name", "a",
		 CLEAR " has no input \"input/name\""},
		{CLEAR, "nix:name", "a", CLEAR " has no input \"nix:name\""},
		{CLEAR, CLEAR "/name", "a",
		 CLEAR " has no input \"" CLEAR "/name\""},
		{CLEAR, CLEAR "/input/", "a",
		 CLEAR " has no input \"" CLEAR "/input/\""},
		{CLEAR, CLEAR, "a", CLEAR " has no input \"" CLEAR "\""},
		{CLEAR, "../input/name", "a",
		 CLEAR " has no input \"../input/name\""},
		{CLEAR, "/frr-relay:clear-dampening/input/name", "a",
		 CLEAR
		 " has no input \"/frr-relay:clear-dampening/input/name\""},
		{CLEAR, "/frr-relay:relay/instance/name", "a",
		 CLEAR " has no input \"/frr-relay:relay/instance/name\""},
		{CLEAR, "name", "a/b", "\"a/b\" is no value of name"},
		{CLEAR, "name", "", "\"\" is no value of name"},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		assert_int_equal(execute(cases[i].path, cases[i].name,
					 cases[i].value, cases[i].why),
				 GRPC_STATUS_INVALID_ARGUMENT);
}

static void test_execute_long(void **state)
{
	char name[XPATH_MAXLEN + 64], why[XPATH_MAXLEN + 128];

	memset(name, 'n', sizeof(name));
	for (size_t len = XPATH_MAXLEN - 64; len < sizeof(name); len++) {
		name[len] = '\0';
		snprintf(why, sizeof(why), CLEAR " has no input \"%s\"", name);
		why[RELAY_GRPC_TEXT_LEN - 1] = '\0';
		assert_int_equal(execute(CLEAR, name, "a", why),
				 GRPC_STATUS_INVALID_ARGUMENT);
		name[len] = 'n';
	}
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, grpc_lab_setup, grpc_lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_capabilities),      TEST(test_get),
		TEST(test_get_refused_later), TEST(test_get_refused),
		TEST(test_execute),	      TEST(test_execute_twice),
		TEST(test_execute_refused),   TEST(test_execute_long),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
