// SPDX-License-Identifier: GPL-2.0-or-later
/* Transactions: who has changed what, when, and for how long that is known. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "northbound_cli.h"
#include "zlog.h"

#include "grpc_transaction.h"

#include "grpc_lab.h"
#include "utf8.h"

static uint32_t candidate;

static int setup(void **state)
{
	grpc_lab_setup(state);
	candidate = grpc_lab_create(ANN);
	return 0;
}

static int teardown(void **state)
{
	return grpc_lab_teardown(state) || grpc_log_count(relay_grpc_log) != 0;
}

/* Something else each time; the transaction's number. */
static uint32_t commit(const char *comment)
{
	static unsigned int n;
	char value[8];

	snprintf(value, sizeof(value), "%u", 100 + n++ % 100);
	OK(grpc_edit(ANN, candidate, SIZE, value));
	OK(grpc_commit(ANN, candidate, ALL, comment));
	return grpc_said.id;
}

static void vtysh(const char *path, const char *value)
{
	char err[512];

	assert_true(vtysh_edit(path, value));
	assert_true(vtysh_commit(err, sizeof(err)));
}

/* -------------------------------------------------------------------- list */

static struct grpc_call *list_call(void)
{
	Frr__ListTransactionsRequest input =
		FRR__LIST_TRANSACTIONS_REQUEST__INIT;
	struct grpc_call *call =
		grpc_call(BOB, "ListTransactions", &input.base);

	assert_int_equal(call->req.status, GRPC_STATUS_OK);
	return call;
}

static void expect_next(struct grpc_call *call, uint32_t id, const char *client,
			const char *comment)
{
	Frr__ListTransactionsResponse *t = grpc_call_answer(call);

	assert_non_null(t);
	assert_int_equal(t->id, id);
	assert_string_equal(t->client, client);
	assert_string_equal(t->comment, comment);
	protobuf_c_message_free_unpacked(&t->base, NULL);
}

static void expect_end(struct grpc_call *call)
{
	assert_null(grpc_call_answer(call));
	grpc_call_end(call);
}

static size_t listed(void)
{
	struct grpc_call *call = list_call();
	size_t n = relay_grpc_messages_count(&call->sent);

	grpc_call_end(call);
	return n;
}

static void test_list(void **state)
{
	struct grpc_call *call;
	uint32_t a, b;

	assert_int_equal(listed(), 0);
	a = commit("first");
	assert_true(a > 0);
	b = commit("");
	assert_int_equal(b, a + 1);
	OK(grpc_edit(ANN, candidate, LID, "open"));
	OK(grpc_commit(BOB, candidate, ALL, "gr\xc3\xbc\xc3\x9f\n2"));
	assert_int_equal(grpc_said.id, a + 2);

	call = list_call();
	expect_next(call, a + 2, "gRPC 127.0.0.1:12", "gr\xc3\xbc\xc3\x9f\n2");
	expect_next(call, b, "gRPC 127.0.0.1:11", "");
	expect_next(call, a, "gRPC 127.0.0.1:11", "first");
	expect_end(call);
}

/* RFC 3339, and of now. */
static void test_date(void **state)
{
	Frr__ListTransactionsResponse *t;
	struct grpc_call *call;
	time_t before = time(NULL), date;
	struct tm tm = {};
	const char *end;

	commit("");
	call = list_call();
	t = grpc_call_answer(call);
	end = strptime(t->date, "%Y-%m-%dT%H:%M:%SZ", &tm);
	assert_non_null(end);
	assert_string_equal(end, "");
	assert_int_equal(strlen(t->date), strlen("2026-11-30T12:00:00Z"));
	date = timegm(&tm);
	assert_true(date >= before && date <= time(NULL));
	protobuf_c_message_free_unpacked(&t->base, NULL);
	expect_end(call);
}

static void test_comment(void **state)
{
	char text[RELAY_GRPC_COMMENT_MAX + 2];
	struct grpc_call *call;
	uint32_t id;

	memset(text, 'c', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	OK(grpc_edit(ANN, candidate, LID, "open"));
	for (int phase = VALIDATE; phase <= ALL; phase++) {
		assert_int_equal(grpc_commit(ANN, candidate, phase, text),
				 GRPC_STATUS_INVALID_ARGUMENT);
		assert_string_equal(grpc_said.text,
				    "a comment has 1023 octets at most");
	}
	assert_int_equal(listed(), 0);
	text[RELAY_GRPC_COMMENT_MAX] = '\0';
	id = commit(text);
	call = list_call();
	expect_next(call, id, "gRPC 127.0.0.1:11", text);
	expect_end(call);
}

/* That of the second phase, or of the first where it has none. */
static void test_comment_of_phases(void **state)
{
	static const char *const cases[][3] = {
		{"one", "two", "two"},
		{"one", "", "one"},
		{"", "two", "two"},
		{"", "", ""},
	};
	struct grpc_call *call;

	for (size_t i = 0; i < array_size(cases); i++) {
		OK(grpc_edit(ANN, candidate, LID, i % 2 ? "open" : "shut"));
		OK(grpc_commit(ANN, candidate, PREPARE, cases[i][0]));
		OK(grpc_commit(BOB, candidate, APPLY, cases[i][1]));
		call = list_call();
		expect_next(call, grpc_said.id, "gRPC 127.0.0.1:12",
			    cases[i][2]);
		grpc_call_end(call);
	}
	assert_int_equal(listed(), array_size(cases));
}

/* ------------------------------------------------------------- in the log */

static char logged[1024];

static void keep_message(struct zlog_target *zt, struct zlog_msg *msgs[],
			 size_t nmsgs)
{
	const char *text;
	size_t len;

	/* the message's end is not in the length */
	for (size_t i = 0; i < nmsgs; i++) {
		text = zlog_msg_text(msgs[i], &len);
		snprintf(logged, sizeof(logged), "%.*s", (int)len, text);
	}
}

/* One line, whatever a client has to say. */
static void test_log(void **state)
{
	struct zlog_target *target =
		zlog_target_clone(MTYPE_TMP, NULL, sizeof(struct zlog_target));
	char expected[512], text[RELAY_GRPC_COMMENT_MAX + 1];

	target->prio_min = LOG_NOTICE;
	target->logfn = keep_message;
	zlog_target_replace(NULL, target);
	commit("one\n2026/11/30 relayd: two\x1b[31m\x7f");
	snprintf(
		expected, sizeof(expected),
		"configuration changed by gRPC 127.0.0.1:11, transaction %u: one 2026/11/30 relayd: two [31m ",
		grpc_said.id);
	assert_string_equal(logged, expected);
	commit("");
	snprintf(expected, sizeof(expected),
		 "configuration changed by gRPC 127.0.0.1:11, transaction %u",
		 grpc_said.id);
	assert_string_equal(logged, expected);
	for (size_t i = 0; i + 3 < sizeof(text); i += 2)
		strcpy(text + i, "\xc3\xbc");
	commit(text);
	assert_true(strlen(logged) > 200 && strlen(logged) < 400);
	assert_true(utf8_valid(logged));
	zlog_target_free(MTYPE_TMP, zlog_target_replace(target, NULL));
}

/* What came to nothing is no transaction. */
static void test_nothing(void **state)
{
	assert_int_equal(grpc_commit(ANN, candidate, ALL, ""),
			 GRPC_STATUS_ABORTED);
	OK(grpc_edit(ANN, candidate, LID, "open"));
	OK(grpc_commit(ANN, candidate, VALIDATE, "v"));
	OK(grpc_commit(ANN, candidate, PREPARE, "p"));
	OK(grpc_commit(ANN, candidate, ABORT, "a"));
	OK(grpc_commit(ANN, candidate, PREPARE, "p"));
	grpc_session_ended(ANN);
	assert_int_equal(listed(), 0);
}

/* ------------------------------------------------------------------- vtysh */

static void test_vtysh(void **state)
{
	struct grpc_call *call;
	uint32_t a, b;

	vtysh(ROAD, "A1");
	vtysh(LID, "open");
	a = commit("mine");
	b = commit("mine too");
	assert_int_equal(b, a + 1);
	vtysh(ROAD, "A2");
	relay_grpc_transactions_catch_up();
	relay_grpc_transactions_catch_up();
	vtysh(ROAD, "A3");
	vtysh(ROAD, "A4");
	call = list_call();
	/* lines that follow each other closely are one */
	expect_next(call, b + 2, "CLI", "");
	expect_next(call, b + 1, "CLI", "");
	expect_next(call, b, "gRPC 127.0.0.1:11", "mine too");
	expect_next(call, a, "gRPC 127.0.0.1:11", "mine");
	expect_next(call, a - 1, "CLI", "");
	expect_end(call);
	assert_int_equal(listed(), 5);
}

/* What relayd has read at its start is nobody's transaction. */
static void test_start(void **state)
{
	grpc_lab_stop();
	vtysh(ROAD, "A1");
	grpc_lab_start(GRPC_LAB_IDLE);
	assert_int_equal(listed(), 0);
}

/* --------------------------------------------------------------------- get */

static grpc_status_code get(uint32_t id, int encoding, bool with_defaults,
			    const char *expected)
{
	Frr__GetTransactionRequest input = FRR__GET_TRANSACTION_REQUEST__INIT;
	Frr__GetTransactionResponse *answer;
	grpc_status_code status;
	struct grpc_call *call;
	char text[512];
	size_t n = 0;

	input.transaction_id = id;
	input.encoding = encoding;
	input.with_defaults = with_defaults;
	call = grpc_call(BOB, "GetTransaction", &input.base);
	status = call->req.status;
	answer = grpc_call_answer(call);
	if (answer) {
		assert_int_equal(answer->config->encoding, encoding);
		for (const char *c = answer->config->data; *c; c++)
			if (!isspace((unsigned char)*c))
				text[n++] = *c;
		text[n] = '\0';
		assert_string_equal(text, expected);
		protobuf_c_message_free_unpacked(&answer->base, NULL);
	} else {
		assert_string_equal(call->req.text, expected);
	}
	grpc_call_end(call);
	return status;
}

static void expect_gone(uint32_t id)
{
	char why[64];

	snprintf(why, sizeof(why), "transaction %u not found", id);
	assert_int_equal(get(id, FRR__ENCODING__JSON, false, why),
			 GRPC_STATUS_NOT_FOUND);
}

static void test_get(void **state)
{
	const int json = FRR__ENCODING__JSON, xml = FRR__ENCODING__XML;
	uint32_t first, second;

	OK(grpc_edit(ANN, candidate, ROAD, "A1"));
	OK(grpc_commit(ANN, candidate, ALL, ""));
	first = grpc_said.id;
	OK(grpc_edit(ANN, candidate, ROAD, NULL));
	OK(grpc_edit(ANN, candidate, BOX "/note/text", "x"));
	OK(grpc_commit(ANN, candidate, ALL, ""));
	second = grpc_said.id;
	vtysh(LID, "open");
	OK(get(first, json, false, IN_BOX("\"road\":\"A1\"")));
	OK(get(second, json, false, IN_BOX("\"note\":{\"text\":\"x\"}")));
	OK(get(second + 1, json, false,
	       IN_BOX("\"lid\":\"open\",\"note\":{\"text\":\"x\"}")));
	OK(get(second, xml, false,
	       "<boxxmlns=\"urn:relay-lab\"><note><text>x</text></note></box>"));
	OK(get(first, json, true, IN_BOX("\"size\":5,\"road\":\"A1\"")));
	expect_gone(0);
	expect_gone(first - 1);
	expect_gone(second + 2);
	expect_gone(UINT32_MAX);
	assert_int_equal(get(first, 2, false, "no encoding 2"),
			 GRPC_STATUS_INVALID_ARGUMENT);

	/* and back to it, with what vtysh has done since */
	OK(grpc_update(ANN, candidate));
	OK(grpc_load(ANN, candidate, true, IN_BOX("\"road\":\"A1\"")));
	OK(grpc_commit(ANN, candidate, ALL, ""));
	OK(get(grpc_said.id, json, false, IN_BOX("\"road\":\"A1\"")));
	OK(grpc_load(ANN, candidate, true, "{}"));
	OK(grpc_commit(ANN, candidate, ALL, ""));
	OK(get(grpc_said.id, json, false, "{}"));
	OK(get(grpc_said.id, xml, false, ""));
}

/* ------------------------------------------------------------------ bounds */

static void test_hundred(void **state)
{
	uint32_t first = commit("first"), last = first;
	struct grpc_call *call;

	for (unsigned int i = 1; i < RELAY_GRPC_TRANSACTIONS_MAX; i++)
		last = commit("");
	assert_int_equal(listed(), 100);
	assert_non_null(relay_grpc_transaction_find(first));
	for (unsigned int i = 0; i < 5; i++)
		last = commit("");
	assert_int_equal(last, first + 104);
	call = list_call();
	for (uint32_t id = last; id > last - 100; id--)
		expect_next(call, id, "gRPC 127.0.0.1:11", "");
	expect_end(call);
	expect_gone(first + 4);
	assert_non_null(relay_grpc_transaction_find(first + 5));
}

/* A configuration with that many octets, and some. */
static void load_large(size_t size)
{
	char *json = malloc(size + 128);
	int n = snprintf(json, 128,
			 "{\"relay-lab:box\":{\"note\":{\"text\":\"");

	memset(json + n, 'x', size);
	strcpy(json + n + size, "\"}}}");
	OK(grpc_load(ANN, candidate, true, json));
	free(json);
}

static size_t kept(void)
{
	const struct relay_grpc_transaction *t;
	size_t size = 0;

	frr_each (grpc_log_const, relay_grpc_log, t)
		size += strlen(t->config);
	return size;
}

static void test_eight_megabytes(void **state)
{
	const size_t large = 1000 * 1000;
	uint32_t id;

	load_large(large);
	for (int i = 0; i < 12; i++) {
		id = commit("");
		assert_true(kept() <= RELAY_GRPC_TRANSACTIONS_BYTES);
		assert_int_equal(listed(), MIN(i + 1, 8));
		assert_non_null(relay_grpc_transaction_find(id));
	}
	/* the newest stays, however large it is; load has 4 MiB at most */
	for (int i = 0; i < 3; i++) {
		load_large(4 * large);
		id = commit("");
		assert_non_null(relay_grpc_transaction_find(id));
		assert_true(kept() <= RELAY_GRPC_TRANSACTIONS_BYTES);
	}
	vtysh(BOX "/pile[name='x']", "");
	assert_int_equal(listed(), 2);
	/* small ones come after them */
	load_large(1);
	commit("");
	assert_true(kept() <= RELAY_GRPC_TRANSACTIONS_BYTES);
	for (int i = 0; i < 4; i++)
		commit("");
	assert_true(listed() >= 5);
}

/* An answer has 4 MiB at most, of what was before too. */
static void test_too_large(void **state)
{
	char *text = malloc(5000 * 1000);
	char expected[256];

	load_large(4000 * 1000);
	OK(grpc_commit(ANN, candidate, ALL, ""));
	memset(text, 'y', 1000 * 1000);
	text[1000 * 1000] = '\0';
	vtysh(ROAD, text);
	free(text);
	assert_int_equal(listed(), 1);
	snprintf(
		expected, sizeof(expected),
		"the answer has %zu octets, more than the 4194304 that a message may have: ask for less",
		grpc_log_last(relay_grpc_log)->size + 10);
	assert_int_equal(
		get(grpc_said.id + 1, FRR__ENCODING__JSON, false, expected),
		GRPC_STATUS_RESOURCE_EXHAUSTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list),
		TEST(test_date),
		TEST(test_comment),
		TEST(test_comment_of_phases),
		TEST(test_log),
		TEST(test_nothing),
		TEST(test_vtysh),
		TEST(test_start),
		TEST(test_get),
		TEST(test_hundred),
		TEST(test_eight_megabytes),
		TEST(test_too_large),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
