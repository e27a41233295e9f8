// SPDX-License-Identifier: GPL-2.0-or-later
/* Candidates: their life from the first call to the last, whoever has it. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "northbound.h"

#include "grpc_candidate.h"
#include "grpc_northbound.h"

#include "grpc_lab.h"

static bool is_there(uint32_t id)
{
	/* which is refused of one that is there, and is no use of it */
	return grpc_edit(ANN, id, BOX "/x", "") != GRPC_STATUS_NOT_FOUND;
}

/* What the candidate holds, by what a commit makes of it; it is left as it is.
 */
static void expect_candidate(uint32_t id, const char *json)
{
	OK(grpc_commit(ANN, id, ALL, ""));
	grpc_lab_expect_running(json);
}

/* ---------------------------------------------------------------- numbers */

static void test_numbers(void **state)
{
	uint32_t first = grpc_lab_create(ANN), id;

	id = grpc_lab_create(BOB);
	assert_int_equal(id, first + 1);
	OK(grpc_delete(ANN, id));
	OK(grpc_delete(ANN, first));
	assert_int_equal(relay_grpc_candidates_count(), 0);
	/* no number is another's ever again */
	assert_int_equal(grpc_lab_create(ANN), first + 2);
	grpc_lab_stop();
	grpc_lab_start(GRPC_LAB_IDLE);
	assert_int_equal(grpc_lab_create(ANN), first + 3);
}

static void expect_unknown(uint32_t id)
{
	char why[64];

	snprintf(why, sizeof(why), "candidate %u not found", id);
	FAILS(grpc_delete(ANN, id), NOT_FOUND, why);
	FAILS(grpc_update(ANN, id), NOT_FOUND, why);
	FAILS(grpc_edit(ANN, id, SIZE, "1"), NOT_FOUND, why);
	FAILS(grpc_load(ANN, id, true, "{}"), NOT_FOUND, why);
	for (int phase = VALIDATE; phase <= ALL + 1; phase++)
		FAILS(grpc_commit(ANN, id, phase, ""), NOT_FOUND, why);
}

static void test_unknown(void **state)
{
	uint32_t id = grpc_lab_create(ANN);

	expect_unknown(0);
	expect_unknown(id + 1);
	expect_unknown(id - 1);
	expect_unknown(UINT32_MAX);
	OK(grpc_delete(BOB, id));
	expect_unknown(id);
}

/* ------------------------------------------------------------------- edits */

static void test_edit(void **state)
{
	uint32_t id = grpc_lab_create(ANN);

	OK(grpc_edit(ANN, id, SIZE, "7"));
	OK(grpc_edit(BOB, id, SHELF "/label", "books"));
	OK(grpc_edit(ANN, id, BOX "/tag[.='a']", ""));
	OK(grpc_edit(ANN, id, SIZE, NULL));
	expect_candidate(
		id,
		IN_BOX("\"tag\":[\"a\"],\"shelf\":[{\"row\":1,\"side\":\"left\",\"label\":\"books\"}]"));
	/* and goes on */
	OK(grpc_edit(ANN, id, SHELF, NULL));
	OK(grpc_edit(ANN, id, LID, "open"));
	expect_candidate(id, IN_BOX("\"lid\":\"open\",\"tag\":[\"a\"]"));
}

static void test_edit_refused(void **state)
{
	uint32_t id = grpc_lab_create(ANN);

	OK(grpc_edit(ANN, id, SIZE, "7"));
	FAILS(grpc_edit(ANN, id, SIZE, "256"), INVALID_ARGUMENT,
	      SIZE ": Value \"256\" is out of type uint8 min/max bounds");
	FAILS(grpc_edit(ANN, id, LID, NULL), INVALID_ARGUMENT,
	      "Failed to remove " LID ": it is not there");
	FAILS(grpc_edit(ANN, id, BOX "/state/flag", ""), INVALID_ARGUMENT,
	      BOX "/state/flag: operational state, which can't be edited");
	FAILS(grpc_edit(ANN, id, "", "1"), INVALID_ARGUMENT,
	      "/: a path of one node is needed");
	expect_candidate(id, IN_BOX("\"size\":7"));
}

/* Updates, then deletions: all of them, or none. */
static void test_edit_many(void **state)
{
	uint32_t id = grpc_lab_create(ANN);
	Frr__EditCandidateRequest input = FRR__EDIT_CANDIDATE_REQUEST__INIT;
	Frr__PathValue value[3] = {FRR__PATH_VALUE__INIT, FRR__PATH_VALUE__INIT,
				   FRR__PATH_VALUE__INIT};
	Frr__PathValue *update[] = {&value[0], &value[1]}, *del[] = {&value[2]};
	struct grpc_call *call;

	value[0].path = (char *)SIZE;
	value[0].value = (char *)"9";
	value[1].path = (char *)LID;
	value[1].value = (char *)"shut";
	value[2].path = (char *)LID;
	input.candidate_id = id;
	input.n_update = 2;
	input.update = update;
	input.n_delete_ = 1;
	input.delete_ = del;
	call = grpc_call(ANN, "EditCandidate", &input.base);
	assert_int_equal(call->req.status, GRPC_STATUS_OK);
	grpc_call_end(call);
	expect_candidate(id, IN_BOX("\"size\":9"));

	value[0].value = (char *)"10";
	value[2].path = (char *)BOX "/road";
	call = grpc_call(ANN, "EditCandidate", &input.base);
	assert_int_equal(call->req.status, GRPC_STATUS_INVALID_ARGUMENT);
	assert_string_equal(call->req.text,
			    "Failed to remove " BOX "/road: it is not there");
	grpc_call_end(call);
	FAILS(grpc_commit(ANN, id, ALL, ""), ABORTED,
	      "No changes to apply were found during preparation phase");
}

static grpc_status_code load(uint32_t id, int type, int encoding,
			     const char *data, const char *why)
{
	Frr__LoadToCandidateRequest input =
		FRR__LOAD_TO_CANDIDATE_REQUEST__INIT;
	Frr__DataTree tree = FRR__DATA_TREE__INIT;
	struct grpc_call *call;
	grpc_status_code status;

	tree.encoding = encoding;
	tree.data = (char *)data;
	input.candidate_id = id;
	input.type = type;
	input.config = data ? &tree : NULL;
	call = grpc_call(ANN, "LoadToCandidate", &input.base);
	status = call->req.status;
	assert_string_equal(call->req.text, why);
	grpc_call_end(call);
	return status;
}

static void test_load(void **state)
{
	const int merge = FRR__LOAD_TO_CANDIDATE_REQUEST__LOAD_TYPE__MERGE;
	const int replace = FRR__LOAD_TO_CANDIDATE_REQUEST__LOAD_TYPE__REPLACE;
	const int json = FRR__ENCODING__JSON, xml = FRR__ENCODING__XML;
	uint32_t id = grpc_lab_create(ANN);

	OK(load(id, merge, json, IN_BOX("\"size\":3,\"tag\":[\"a\"]"), ""));
	OK(load(id, merge, xml,
		"<box xmlns=\"urn:relay-lab\"><size>4</size><lid>open</lid></box>",
		""));
	expect_candidate(id,
			 IN_BOX("\"size\":4,\"lid\":\"open\",\"tag\":[\"a\"]"));
	OK(load(id, replace, json, IN_BOX("\"tag\":[\"b\"]"), ""));
	expect_candidate(id, IN_BOX("\"tag\":[\"b\"]"));

	assert_int_equal(load(id, 2, json, "{}", "no load of the type 2"),
			 GRPC_STATUS_INVALID_ARGUMENT);
	assert_int_equal(load(id, merge, 2, "{}", "no encoding 2"),
			 GRPC_STATUS_INVALID_ARGUMENT);
	assert_int_equal(load(id, merge, json, NULL, "config is missing"),
			 GRPC_STATUS_INVALID_ARGUMENT);
	assert_int_equal(grpc_load(ANN, id, true, "{"),
			 GRPC_STATUS_INVALID_ARGUMENT);
	assert_int_equal(grpc_load(ANN, id, true, IN_BOX("\"nix\":1")),
			 GRPC_STATUS_INVALID_ARGUMENT);
	FAILS(grpc_commit(ANN, id, ALL, ""), ABORTED,
	      "No changes to apply were found during preparation phase");

	OK(load(id, replace, json, "{}", ""));
	expect_candidate(id, "{}");
}

/* What it has been given, whether it has kept it or not; a commit makes it
 * anew. */
static void test_edit_bound(void **state)
{
	const size_t size = 2 * 1000 * 1000;
	char *text = malloc(size + 1), why[128];
	uint32_t id = grpc_lab_create(ANN);

	memset(text, 'x', size);
	text[size] = '\0';
	for (int round = 0; round < 2; round++) {
		text[0] = 'a' + round;
		for (int i = 0; i < 4; i++)
			OK(grpc_edit(ANN, id, BOX "/road", text));
		snprintf(
			why, sizeof(why),
			"candidate %u has had 8388608 octets of edits: commit it, or begin anew",
			id);
		FAILS(grpc_edit(ANN, id, BOX "/road", text), RESOURCE_EXHAUSTED,
		      why);
		FAILS(grpc_load(ANN, id, true, text), RESOURCE_EXHAUSTED, why);
		/* which are short */
		OK(grpc_edit(BOB, id, SIZE, round ? "8" : "7"));
		OK(grpc_update(ANN, id));
		OK(grpc_commit(ANN, id, ALL, ""));
	}
	free(text);
}

/* ------------------------------------------------------------------ bounds */

static void test_bound(void **state)
{
	static uint32_t ids[RELAY_GRPC_CANDIDATES];
	uint32_t id;

	for (size_t i = 0; i < RELAY_GRPC_CANDIDATES; i++)
		ids[i] = grpc_lab_create(ANN);
	FAILS(grpc_create(ANN, &id), RESOURCE_EXHAUSTED,
	      "256 candidates are open: delete one");
	FAILS(grpc_create(BOB, &id), RESOURCE_EXHAUSTED,
	      "256 candidates are open: delete one");
	assert_int_equal(relay_grpc_candidates_count(), 256);
	OK(grpc_delete(BOB, ids[17]));
	assert_int_equal(grpc_lab_create(BOB), ids[255] + 1);
	FAILS(grpc_create(BOB, &id), RESOURCE_EXHAUSTED,
	      "256 candidates are open: delete one");
	for (size_t i = 0; i < RELAY_GRPC_CANDIDATES; i++)
		assert_int_equal(is_there(ids[i]), i != 17);
}

/* Those whose session has ended make room: the longest unused first, but not
 * the one that is prepared. */
static void test_room(void **state)
{
	static uint32_t ids[RELAY_GRPC_CANDIDATES];
	uint32_t id;

	for (size_t i = 0; i < 4; i++)
		ids[i] = grpc_lab_create(BOB);
	for (size_t i = 4; i < RELAY_GRPC_CANDIDATES; i++)
		ids[i] = grpc_lab_create(ANN);
	OK(grpc_edit(ANN, ids[0], SIZE, "8"));
	OK(grpc_commit(ANN, ids[0], PREPARE, ""));
	grpc_session_ended(BOB);
	assert_int_equal(relay_grpc_candidates_count(), 256);
	OK(grpc_update(ANN, ids[1]));

	/* 2, 3, 1; and 0 after all is done with it */
	grpc_lab_create(ANN);
	expect_unknown(ids[2]);
	grpc_lab_create(ANN);
	expect_unknown(ids[3]);
	assert_true(is_there(ids[1]));
	grpc_lab_create(ANN);
	expect_unknown(ids[1]);
	FAILS(grpc_create(ANN, &id), RESOURCE_EXHAUSTED,
	      "256 candidates are open: delete one");
	OK(grpc_commit(ANN, ids[0], APPLY, ""));
	grpc_lab_expect_running(IN_BOX("\"size\":8"));
	grpc_lab_create(ANN);
	expect_unknown(ids[0]);
	for (size_t i = 4; i < RELAY_GRPC_CANDIDATES; i++)
		assert_true(is_there(ids[i]));
}

/* ------------------------------------------------------------------ ageing */

static void age(time_t now)
{
	grpc_lab_now = now;
	relay_grpc_candidates_age(now);
}

static void test_idle(void **state)
{
	uint32_t a = grpc_lab_create(ANN), b;

	age(GRPC_LAB_BEGIN + 10);
	b = grpc_lab_create(ANN);
	age(GRPC_LAB_BEGIN + GRPC_LAB_IDLE - 1);
	assert_int_equal(relay_grpc_candidates_count(), 2);
	age(GRPC_LAB_BEGIN + GRPC_LAB_IDLE);
	assert_int_equal(relay_grpc_candidates_count(), 1);
	expect_unknown(a);
	/* what is used stays, also when the use comes to nothing */
	grpc_lab_now = GRPC_LAB_BEGIN + GRPC_LAB_IDLE + 9;
	assert_int_equal(grpc_edit(BOB, b, BOX "/x", ""),
			 GRPC_STATUS_INVALID_ARGUMENT);
	age(GRPC_LAB_BEGIN + 2 * GRPC_LAB_IDLE + 8);
	assert_int_equal(relay_grpc_candidates_count(), 1);
	age(GRPC_LAB_BEGIN + 2 * GRPC_LAB_IDLE + 9);
	assert_int_equal(relay_grpc_candidates_count(), 0);
	expect_unknown(b);
}

static void test_idle_option(void **state)
{
	grpc_lab_stop();
	grpc_lab_start(10);
	grpc_lab_create(ANN);
	age(GRPC_LAB_BEGIN + 9);
	assert_int_equal(relay_grpc_candidates_count(), 1);
	age(GRPC_LAB_BEGIN + 10);
	assert_int_equal(relay_grpc_candidates_count(), 0);
}

static void test_orphan(void **state)
{
	uint32_t a = grpc_lab_create(ANN), b = grpc_lab_create(ANN),
		 c = grpc_lab_create(BOB);

	age(GRPC_LAB_BEGIN + 100);
	grpc_session_ended(ANN);
	assert_int_equal(relay_grpc_candidates_count(), 3);
	age(GRPC_LAB_BEGIN + 159);
	assert_int_equal(relay_grpc_candidates_count(), 3);
	/* who comes next may go on with it */
	OK(grpc_edit(BOB, b, SIZE, "6"));
	age(GRPC_LAB_BEGIN + 160);
	assert_int_equal(relay_grpc_candidates_count(), 2);
	expect_unknown(a);
	age(GRPC_LAB_BEGIN + 159 + 59);
	OK(grpc_commit(BOB, b, VALIDATE, ""));
	age(GRPC_LAB_BEGIN + 159 + 59 + 60);
	assert_int_equal(relay_grpc_candidates_count(), 1);
	expect_unknown(b);
	/* and that of a session that is there has its own time */
	age(GRPC_LAB_BEGIN + GRPC_LAB_IDLE - 1);
	assert_int_equal(relay_grpc_candidates_count(), 1);
	age(GRPC_LAB_BEGIN + GRPC_LAB_IDLE);
	expect_unknown(c);
}

/* Others can't wait longer; the candidate itself is what it was. */
static void test_prepared(void **state)
{
	uint32_t id = grpc_lab_create(ANN), other = grpc_lab_create(BOB);
	char why[64];

	OK(grpc_edit(ANN, id, SIZE, "7"));
	OK(grpc_edit(BOB, other, LID, "open"));
	OK(grpc_commit(ANN, id, PREPARE, ""));
	assert_true(relay_grpc_candidates_prepared());
	age(GRPC_LAB_BEGIN + 29);
	assert_true(relay_grpc_candidates_prepared());
	FAILS(grpc_commit(BOB, other, ALL, ""), UNAVAILABLE,
	      "there's already another transaction in progress");
	age(GRPC_LAB_BEGIN + 30);
	assert_false(relay_grpc_candidates_prepared());
	snprintf(why, sizeof(why), "candidate %u is not prepared", id);
	FAILS(grpc_commit(ANN, id, APPLY, ""), FAILED_PRECONDITION, why);
	grpc_lab_expect_running("{}");
	OK(grpc_commit(BOB, other, ALL, ""));
	OK(grpc_commit(ANN, id, ALL, ""));
	grpc_lab_expect_running(IN_BOX("\"size\":7,\"lid\":\"open\""));
}

/* With an idle time that is shorter, what is prepared stays until it is not. */
static void test_prepared_is_used(void **state)
{
	uint32_t id;

	grpc_lab_stop();
	grpc_lab_start(10);
	id = grpc_lab_create(ANN);
	OK(grpc_edit(ANN, id, SIZE, "7"));
	OK(grpc_commit(ANN, id, PREPARE, ""));
	age(GRPC_LAB_BEGIN + 29);
	assert_int_equal(relay_grpc_candidates_count(), 1);
	age(GRPC_LAB_BEGIN + 30);
	assert_int_equal(relay_grpc_candidates_count(), 0);
	assert_false(relay_grpc_candidates_prepared());
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, grpc_lab_setup, grpc_lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_numbers),	TEST(test_unknown),
		TEST(test_edit),	TEST(test_edit_refused),
		TEST(test_edit_many),	TEST(test_edit_bound),
		TEST(test_load),	TEST(test_bound),
		TEST(test_room),	TEST(test_idle),
		TEST(test_idle_option), TEST(test_orphan),
		TEST(test_prepared),	TEST(test_prepared_is_used),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
