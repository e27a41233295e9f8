// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages in and out, failures, and the table of methods. */
#include <zebra.h>

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "grpc/frr-northbound.pb-c.h"
#include "grpc/relay-events.pb-c.h"

#include "grpc_request.h"
#include "relay_memory.h"
#include "utf8.h"

DEFINE_MGROUP(RELAYD, "relayd");

static const struct relay_grpc_method *method_of(const char *path)
{
	const struct relay_grpc_method *method =
		relay_grpc_method_find(path, strlen(path));

	assert_non_null(method);
	return method;
}

/* ---------------------------------------------------------------- methods */

static const ProtobufCServiceDescriptor *const services[] = {
	&frr__northbound__descriptor,
	&relay__v1__events__descriptor,
};

/* What the .proto files promise is there, and nothing else is. */
static void test_methods(void **state)
{
	const struct relay_grpc_method *method;
	char path[128];
	size_t n = 0;

	for (size_t i = 0; i < array_size(services); i++)
		for (unsigned int j = 0; j < services[i]->n_methods; j++, n++) {
			const ProtobufCMethodDescriptor *rpc =
				&services[i]->methods[j];

			snprintf(path, sizeof(path), "/%s/%s",
				 services[i]->name, rpc->name);
			method = method_of(path);
			assert_string_equal(method->path, path);
			assert_ptr_equal(method->input, rpc->input);
			assert_non_null(method->run);
			/* who stays must be told to go */
			assert_true(!method->stays || method->undo);
		}
	for (method = relay_grpc_methods; method->path; method++)
		n--;
	assert_int_equal(n, 0);
}

static void test_no_method(void **state)
{
	static const char *const paths[] = {
		"",
		"/",
		"/frr.Northbound/",
		"/frr.Northbound/get",
		"/frr.Northbound/Gett",
		"frr.Northbound/Get",
		"/frr.Northbound/Get ",
		"/frr.Northbound//Get",
		"/relay.v1.Events/Get",
		"/frr.Northbound/Subscribe",
		"/grpc.health.v1.Health/Check",
	};
	const char *get = "/frr.Northbound/Get", *more = "/frr.Northbound/GetX";

	for (size_t i = 0; i < array_size(paths); i++)
		assert_null(relay_grpc_method_find(paths[i], strlen(paths[i])));
	/* gRPC's slices end without a NUL */
	assert_non_null(relay_grpc_method_find(more, strlen(get)));
	assert_null(relay_grpc_method_find(get, strlen(get) - 1));
	assert_null(relay_grpc_method_find(get, strlen(get) + 1));
	assert_null(relay_grpc_method_find(NULL, 0));
}

/* ----------------------------------------------------------------- decode */

struct octets {
	uint8_t at[1024];
	size_t len;
};

static void expect_refused(const struct relay_grpc_method *method,
			   const void *octets, size_t len, const char *text)
{
	struct relay_grpc_request req = {.method = method};

	relay_grpc_request_init(&req);
	assert_false(relay_grpc_request_decode(&req, octets, len));
	assert_int_equal(req.status, GRPC_STATUS_INVALID_ARGUMENT);
	assert_string_equal(req.text, text);
	relay_grpc_request_clear(&req);
	assert_null(req.input);
}

static void expect_taken(const struct relay_grpc_method *method,
			 const void *octets, size_t len)
{
	struct relay_grpc_request req = {.method = method};

	relay_grpc_request_init(&req);
	assert_true(relay_grpc_request_decode(&req, octets, len));
	assert_int_equal(req.status, GRPC_STATUS_OK);
	assert_string_equal(req.text, "");
	assert_ptr_equal(req.input->descriptor, method->input);
	relay_grpc_request_clear(&req);
	assert_null(req.input);
}

static void test_decode(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
	} broken[] = {
		{"\x0a", 1}, /* a length is missing */
		{"\x0a\x05"
		 "abc",
		 5}, /* longer than what is there */
		{"\x0a\xff\xff\xff\xff\x0f", 6},
		{"\x08", 1}, /* a number is missing */
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
		{"\x80", 1}, /* half a tag */
		{"\xff\xff\xff\xff\xff\xff", 6},
		{"\x00\x00", 2}, /* field 0 */
		{"\x0d\x01", 2}, /* 4 octets are 1 */
		{"\x0f", 1},	 /* wire type 7 */
	};
	/* a field that a later version of the file may have */
	static const char unknown[] =
		"\xa2\x06\x03"
		"new"
		"\xa8\x06\x07";
	const struct relay_grpc_method *method;
	char text[256];

	for (method = relay_grpc_methods; method->path; method++) {
		expect_taken(method, NULL, 0);
		expect_taken(method, "", 0);
		expect_taken(method, unknown, sizeof(unknown) - 1);
		snprintf(text, sizeof(text), "not a message of the type %s",
			 method->input->name);
		for (size_t i = 0; i < array_size(broken); i++)
			expect_refused(method, broken[i].octets, broken[i].len,
				       text);
	}
}

static void test_decode_fields(void **state)
{
	struct relay_grpc_request req = {
		.method = method_of("/frr.Northbound/EditCandidate")};
	static const char octets[] =
		"\x08\xac\x02"
		"\x12\x06\x0a\x01/\x12\x01x"
		"\x1a\x04\x0a\x02/y"
		"\x12\x03\x0a\x01z";
	const Frr__EditCandidateRequest *input;

	relay_grpc_request_init(&req);
	assert_true(relay_grpc_request_decode(&req, (const uint8_t *)octets,
					      sizeof(octets) - 1));
	input = (void *)req.input;
	assert_int_equal(input->candidate_id, 300);
	assert_int_equal(input->n_update, 2);
	assert_string_equal(input->update[0]->path, "/");
	assert_string_equal(input->update[0]->value, "x");
	assert_string_equal(input->update[1]->path, "z");
	assert_string_equal(input->update[1]->value, "");
	assert_int_equal(input->n_delete_, 1);
	assert_string_equal(input->delete_[0]->path, "/y");
	relay_grpc_request_clear(&req);
}

/* ------------------------------------------------------------------ UTF-8 */

static void field_add(struct octets *to, unsigned int id, const void *value,
		      size_t len)
{
	assert_true(id < 16 && len < 128);
	to->at[to->len++] = id << 3 | 2;
	to->at[to->len++] = len;
	memcpy(to->at + to->len, value, len);
	to->len += len;
}

/* Where a string is: fields from the message down to it. */
struct where {
	const ProtobufCFieldDescriptor *field[4];
	size_t depth;
};

/* The message with the text there, behind a good one where it may be repeated.
 */
static void message_with(const struct where *where, const char *text,
			 struct octets *out)
{
	struct octets inner = {.len = strlen(text)};

	memcpy(inner.at, text, inner.len);
	for (size_t i = where->depth; i-- > 0;) {
		const ProtobufCFieldDescriptor *field = where->field[i];

		out->len = 0;
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			field_add(out, field->id, "", 0);
		field_add(out, field->id, inner.at, inner.len);
		inner = *out;
	}
}

static const char *const good[] = {
	"",
	"a",
	"\x7f",
	"\xc2\x80",
	"\xdf\xbf",
	"\xe0\xa0\x80",
	"\xed\x9f\xbf",
	"\xee\x80\x80",
	"\xef\xbf\xbf",
	"\xf0\x90\x80\x80",
	"\xf4\x8f\xbf\xbf",
	"\xef\xbb\xbf"
	"a",
	"gr\xc3\xbc\xc3\x9f",
	"a\nb",
};

static const char *const bad[] = {
	"\x80",
	"\xbf",
	"a\x80",
	"\xc3",
	"\xc3(",
	"\xc3\xc3\xbc",
	"\xe2\x82",
	"\xe2\x82(",
	"\xf0\x9f\x98",
	"\xf0\x9f\x98(",
	"\xfe",
	"\xff",
	"\xc0\x80",
	"\xc0\xaf",
	"\xc1\xbf", /* longer than need be */
	"\xe0\x80\xaf",
	"\xe0\x9f\xbf",
	"\xf0\x80\x80\xaf",
	"\xf0\x8f\xbf\xbf",
	"\xed\xa0\x80",
	"\xed\xbf\xbf",
	"\xed\xa0\xbd\xed\xb8\x80", /* surrogates */
	"\xf4\x90\x80\x80",
	"\xf5\x80\x80\x80",
	"\xf7\xbf\xbf\xbf", /* > 10FFFF */
	"\xf8\x88\x80\x80\x80",
	"\xfc\x84\x80\x80\x80\x80",
};

static void try_string(const struct relay_grpc_method *method,
		       const struct where *where)
{
	struct octets msg;

	for (size_t i = 0; i < array_size(good); i++) {
		assert_true(utf8_valid(good[i]));
		message_with(where, good[i], &msg);
		expect_taken(method, msg.at, msg.len);
	}
	for (size_t i = 0; i < array_size(bad); i++) {
		assert_false(utf8_valid(bad[i]));
		message_with(where, bad[i], &msg);
		expect_refused(method, msg.at, msg.len,
			       "a string is not UTF-8");
	}
}

/* Returns how many strings there are. */
static size_t try_strings(const struct relay_grpc_method *method,
			  const ProtobufCMessageDescriptor *desc,
			  struct where where)
{
	size_t n = 0;

	where.depth++;
	assert_true(where.depth <= array_size(where.field));
	for (unsigned int i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &desc->fields[i];

		where.field[where.depth - 1] = field;
		if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
			n += try_strings(method, field->descriptor, where);
		} else if (field->type == PROTOBUF_C_TYPE_STRING) {
			try_string(method, &where);
			n++;
		}
	}
	return n;
}

static void test_utf8(void **state)
{
	const struct relay_grpc_method *method;
	locale_t locale = uselocale((locale_t)0);
	size_t n = 0;

	for (method = relay_grpc_methods; method->path; method++)
		n += try_strings(method, method->input,
				 (struct where){.depth = 0});
	/* Get, EditCandidate (4), LoadToCandidate, Commit, Execute (3),
	 * Subscribe */
	assert_int_equal(n, 11);
	/* which is other code's */
	assert_ptr_equal(uselocale((locale_t)0), locale);
}

/* ----------------------------------------------------------------- answers */

/* An answer of that many octets. */
static void answer(struct relay_grpc_request *req, size_t len)
{
	Frr__DataTree tree = FRR__DATA_TREE__INIT;
	/* tag, and a length that is more than 2 MiB */
	size_t n = len - 1 - 4;

	tree.data = malloc(n + 1);
	memset(tree.data, 'x', n);
	tree.data[n] = '\0';
	relay_grpc_answer(req, &tree.base);
	free(tree.data);
}

static void test_answer_bound(void **state)
{
	struct relay_grpc_request req = {.more = true};
	struct relay_grpc_message *msg;

	relay_grpc_request_init(&req);
	answer(&req, RELAY_GRPC_MESSAGE_MAX);
	assert_int_equal(req.status, GRPC_STATUS_OK);
	assert_true(req.more);
	assert_int_equal(relay_grpc_messages_count(&req.output), 1);
	msg = relay_grpc_messages_first(&req.output);
	assert_int_equal(msg->len, RELAY_GRPC_MESSAGE_MAX);

	answer(&req, RELAY_GRPC_MESSAGE_MAX + 1);
	assert_int_equal(req.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
	assert_string_equal(
		req.text,
		"the answer has 4194305 octets, more than the 4194304 that a message may have: ask for less");
	/* nothing but the status goes out */
	assert_int_equal(relay_grpc_messages_count(&req.output), 0);
	assert_false(req.more);
	relay_grpc_request_clear(&req);
}

static void test_answer_octets(void **state)
{
	struct relay_grpc_request req = {};
	Frr__DataTree tree = FRR__DATA_TREE__INIT;
	struct relay_grpc_message *msg;

	relay_grpc_request_init(&req);
	tree.encoding = FRR__ENCODING__XML;
	tree.data = (char *)"<a/>";
	relay_grpc_answer(&req, &tree.base);
	tree.encoding = FRR__ENCODING__JSON;
	tree.data = (char *)"";
	relay_grpc_answer(&req, &tree.base);

	msg = relay_grpc_messages_pop(&req.output);
	assert_int_equal(msg->len, 8);
	assert_memory_equal(msg->octets, "\x08\x01\x12\x04<a/>", 8);
	relay_grpc_message_free(msg);
	msg = relay_grpc_messages_pop(&req.output);
	assert_int_equal(msg->len, 0);
	relay_grpc_message_free(msg);
	assert_null(relay_grpc_messages_pop(&req.output));
	relay_grpc_request_clear(&req);
}

/* ---------------------------------------------------------------- failures */

static void test_fail_lines(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"one", "one"},
		{"one\n", "one"},
		{"one\ntwo\nthree", "one"},
		{"\ntwo", ""},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"100 %s %n", "100 %s %n"},
	};
	struct relay_grpc_request req = {};

	for (size_t i = 0; i < array_size(cases); i++) {
		memset(&req, 0, sizeof(req));
		relay_grpc_request_init(&req);
		answer(&req, 4 * 1024 * 1024);
		req.more = true;
		relay_grpc_fail(&req, GRPC_STATUS_ABORTED, "%s", cases[i][0]);
		assert_int_equal(req.status, GRPC_STATUS_ABORTED);
		assert_string_equal(req.text, cases[i][1]);
		assert_int_equal(relay_grpc_messages_count(&req.output), 0);
		assert_false(req.more);
		relay_grpc_request_clear(&req);
	}
}

/* However long, and wherever characters begin: no half of one at the end. */
static void test_fail_cut(void **state)
{
	static const char *const characters[] = {
		"a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	char text[RELAY_GRPC_TEXT_LEN * 2];
	struct relay_grpc_request req = {};

	relay_grpc_request_init(&req);
	for (size_t i = 0; i < array_size(characters); i++)
		for (size_t len = 0; len < sizeof(text) - 4; len++) {
			size_t one = strlen(characters[i]);
			size_t n = len % one;

			memset(text, 'x', n);
			text[n] = '\0';
			while (n + one <= len) {
				memcpy(text + n, characters[i], one + 1);
				n += one;
			}
			relay_grpc_fail(&req, GRPC_STATUS_INTERNAL, "%s", text);
			assert_true(utf8_valid(req.text));
			assert_memory_equal(req.text, text, strlen(req.text));
			if (n < RELAY_GRPC_TEXT_LEN - 1)
				assert_string_equal(req.text, text);
			else
				assert_true(strlen(req.text) >=
					    RELAY_GRPC_TEXT_LEN - 1 - one);
		}
	relay_grpc_request_clear(&req);
}

/* What others have cut, or libyang has printed, goes out all the same. */
static void test_fail_odd_text(void **state)
{
	struct relay_grpc_request req = {};

	relay_grpc_request_init(&req);
	for (size_t i = 0; i < array_size(bad); i++) {
		relay_grpc_fail(&req, GRPC_STATUS_INTERNAL, "value %s (path)",
				bad[i]);
		assert_true(utf8_valid(req.text));
		assert_memory_equal(req.text, "value ", 6);
		assert_string_equal(req.text + strlen(req.text) - 7, " (path)");
	}
	relay_grpc_request_clear(&req);
}

static void test_errno(void **state)
{
	static const struct {
		int error;
		grpc_status_code status;
	} cases[] = {
		{EINVAL, GRPC_STATUS_INVALID_ARGUMENT},
		{ENOENT, GRPC_STATUS_INVALID_ARGUMENT},
		{EMSGSIZE, GRPC_STATUS_RESOURCE_EXHAUSTED},
		{ENOMEM, GRPC_STATUS_RESOURCE_EXHAUSTED},
		{EIO, GRPC_STATUS_INTERNAL},
		{EPERM, GRPC_STATUS_INTERNAL},
	};
	struct relay_grpc_request req = {};

	relay_grpc_request_init(&req);
	for (size_t i = 0; i < array_size(cases); i++) {
		relay_grpc_fail_errno(&req, -cases[i].error, "why: 50 %d");
		assert_int_equal(req.status, cases[i].status);
		assert_string_equal(req.text, "why: 50 %d");
	}
	relay_grpc_request_clear(&req);
}

static void test_format(void **state)
{
	struct relay_grpc_request req = {};
	LYD_FORMAT format;

	relay_grpc_request_init(&req);
	assert_true(relay_grpc_format(&req, FRR__ENCODING__JSON, &format));
	assert_int_equal(format, LYD_JSON);
	assert_true(relay_grpc_format(&req, FRR__ENCODING__XML, &format));
	assert_int_equal(format, LYD_XML);
	assert_int_equal(req.status, GRPC_STATUS_OK);
	assert_false(relay_grpc_format(&req, 2, &format));
	assert_int_equal(req.status, GRPC_STATUS_INVALID_ARGUMENT);
	assert_string_equal(req.text, "no encoding 2");
	assert_false(relay_grpc_format(&req, -1, &format));
	assert_string_equal(req.text, "no encoding -1");
	relay_grpc_request_clear(&req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_no_method),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_fields),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_answer_bound),
		cmocka_unit_test(test_answer_octets),
		cmocka_unit_test(test_fail_lines),
		cmocka_unit_test(test_fail_cut),
		cmocka_unit_test(test_fail_odd_text),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
