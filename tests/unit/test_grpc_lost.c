// SPDX-License-Identifier: GPL-2.0-or-later
/* Clients that go, at any point and with any answer still to come: nothing of
 * theirs is left in anybody's way. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "northbound.h"

#include "grpc_candidate.h"
#include "grpc_northbound.h"

#include "grpc_lab.h"

static void age(time_t now)
{
	grpc_lab_now = now;
	relay_grpc_candidates_age(now);
}

/* ----------------------------------------------------------- sessions end */

/* At each point of all that it may do. */
static void test_session_ends(void **state)
{
	enum {
		CREATED,
		EDITED,
		REFUSED,
		PREPARED,
		PREPARED_BY_BOB,
		ABORTED,
		APPLIED,
		LOCKED,
		LOCKED_PREPARED,
		UNLOCKED,
		DELETED,
		POINTS
	};
	uint32_t id, other;

	for (int point = CREATED; point < POINTS; point++) {
		grpc_lab_teardown(state);
		grpc_lab_setup(state);
		id = grpc_lab_create(ANN);
		if (point == LOCKED || point == LOCKED_PREPARED ||
		    point == UNLOCKED)
			OK(grpc_lock(ANN));
		if (point != CREATED)
			OK(grpc_edit(ANN, id, SIZE, "7"));
		if (point == REFUSED)
			assert_int_not_equal(grpc_commit(ANN, id, APPLY, ""),
					     GRPC_STATUS_OK);
		if (point == PREPARED || point == ABORTED || point == APPLIED ||
		    point == LOCKED_PREPARED)
			OK(grpc_commit(ANN, id, PREPARE, ""));
		if (point == PREPARED_BY_BOB)
			OK(grpc_commit(BOB, id, PREPARE, ""));
		if (point == ABORTED)
			OK(grpc_commit(ANN, id, ABORT, ""));
		if (point == APPLIED)
			OK(grpc_commit(ANN, id, APPLY, ""));
		if (point == UNLOCKED)
			OK(grpc_unlock(ANN));
		if (point == DELETED)
			OK(grpc_delete(ANN, id));

		grpc_session_ended(ANN);
		assert_int_equal(relay_grpc_candidates_prepared(),
				 point == PREPARED_BY_BOB);
		assert_null(relay_grpc_lock_owner());
		assert_int_equal(relay_grpc_candidates_count(),
				 point != DELETED);
		grpc_lab_expect_running(point == APPLIED ? IN_BOX("\"size\":7")
							 : "{}");

		/* nobody waits for it */
		if (point == PREPARED_BY_BOB)
			OK(grpc_commit(BOB, id, ABORT, ""));
		OK(grpc_lock(BOB));
		other = grpc_lab_create(BOB);
		OK(grpc_edit(BOB, other, LID, "shut"));
		OK(grpc_commit(BOB, other, ALL, ""));
		/* or goes on with it */
		if (point != CREATED && point != APPLIED && point != DELETED)
			OK(grpc_commit(BOB, id, ALL, ""));
		grpc_session_ended(BOB);
		age(GRPC_LAB_BEGIN + 60);
		assert_int_equal(relay_grpc_candidates_count(), 0);
	}
}

static void test_others_end(void **state)
{
	uint32_t id = grpc_lab_create(ANN);

	OK(grpc_lock(ANN));
	OK(grpc_edit(BOB, id, SIZE, "7"));
	OK(grpc_commit(ANN, id, PREPARE, ""));
	grpc_session_ended(BOB);
	grpc_session_ended(BOB + 1);
	assert_true(relay_grpc_candidates_prepared());
	assert_string_equal(relay_grpc_lock_owner(), "gRPC 127.0.0.1:11");
	OK(grpc_commit(ANN, id, APPLY, ""));
	grpc_lab_expect_running(IN_BOX("\"size\":7"));
}

/* ------------------------------------------------------------ lost answers */

static struct grpc_call *commit_call(uint32_t id, int phase)
{
	Frr__CommitRequest input = FRR__COMMIT_REQUEST__INIT;

	input.candidate_id = id;
	input.phase = phase;
	return grpc_call(ANN, "Commit", &input.base);
}

/* The client has gone, and can't know what it has. */
static void test_undo(void **state)
{
	Frr__CreateCandidateRequest create_input =
		FRR__CREATE_CANDIDATE_REQUEST__INIT;
	Frr__LockConfigRequest lock_input = FRR__LOCK_CONFIG_REQUEST__INIT;
	uint32_t id;

	grpc_call_lose(grpc_call(ANN, "CreateCandidate", &create_input.base));
	assert_int_equal(relay_grpc_candidates_count(), 0);
	grpc_call_lose(grpc_call(ANN, "LockConfig", &lock_input.base));
	assert_null(relay_grpc_lock_owner());

	id = grpc_lab_create(ANN);
	OK(grpc_edit(ANN, id, SIZE, "7"));
	grpc_call_lose(commit_call(id, PREPARE));
	assert_false(relay_grpc_candidates_prepared());
	assert_int_equal(relay_grpc_candidates_count(), 1);
	grpc_call_lose(commit_call(id, VALIDATE));
	/* a refusal has made nothing that could be undone */
	OK(grpc_commit(ANN, id, PREPARE, ""));
	grpc_call_lose(commit_call(id, PREPARE));
	assert_true(relay_grpc_candidates_prepared());
	OK(grpc_lock(BOB));
	grpc_call_lose(grpc_call(ANN, "LockConfig", &lock_input.base));
	grpc_call_lose(grpc_call(BOB, "LockConfig", &lock_input.base));
	assert_string_equal(relay_grpc_lock_owner(), "gRPC 127.0.0.1:12");
	/* what runs, runs */
	OK(grpc_unlock(BOB));
	grpc_call_lose(commit_call(id, APPLY));
	grpc_lab_expect_running(IN_BOX("\"size\":7"));
	OK(grpc_edit(ANN, id, SIZE, "8"));
	grpc_call_lose(commit_call(id, ALL));
	grpc_lab_expect_running(IN_BOX("\"size\":8"));
}

/* The word that the client has gone comes late. */
static void test_undo_late(void **state)
{
	Frr__CreateCandidateRequest input = FRR__CREATE_CANDIDATE_REQUEST__INIT;
	Frr__LockConfigRequest lock_input = FRR__LOCK_CONFIG_REQUEST__INIT;
	struct grpc_call *made = grpc_call(ANN, "CreateCandidate", &input.base);
	struct grpc_call *prepared, *locked;
	uint32_t id = grpc_lab_create(ANN);

	OK(grpc_edit(ANN, id, SIZE, "7"));
	prepared = commit_call(id, PREPARE);
	grpc_session_ended(ANN);
	OK(grpc_commit(BOB, id, PREPARE, ""));
	/* which is Bob's, who has his answer */
	grpc_call_lose(prepared);
	assert_true(relay_grpc_candidates_prepared());
	OK(grpc_commit(BOB, id, APPLY, ""));

	OK(grpc_edit(ANN, id, SIZE, "8"));
	prepared = commit_call(id, PREPARE);
	OK(grpc_commit(ANN, id, ABORT, ""));
	OK(grpc_commit(ANN, id, PREPARE, ""));
	grpc_call_lose(prepared);
	assert_true(relay_grpc_candidates_prepared());
	OK(grpc_commit(ANN, id, ABORT, ""));

	locked = grpc_call(ANN, "LockConfig", &lock_input.base);
	OK(grpc_unlock(ANN));
	OK(grpc_lock(ANN));
	grpc_call_lose(locked);
	assert_non_null(relay_grpc_lock_owner());

	age(GRPC_LAB_BEGIN + 60);
	assert_int_equal(relay_grpc_candidates_count(), 0);
	grpc_lab_create(BOB);
	grpc_call_lose(made);
	assert_int_equal(relay_grpc_candidates_count(), 1);
}

/* relayd stops with all that there can be. */
static void test_stop(void **state)
{
	uint32_t id = grpc_lab_create(ANN);

	grpc_lab_create(BOB);
	OK(grpc_edit(ANN, id, SIZE, "7"));
	OK(grpc_commit(ANN, id, PREPARE, ""));
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, grpc_lab_setup, grpc_lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_session_ends), TEST(test_others_end), TEST(test_undo),
		TEST(test_undo_late),	 TEST(test_stop),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
