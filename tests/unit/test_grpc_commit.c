// SPDX-License-Identifier: GPL-2.0-or-later
/* Commits in their phases, with others beside; locks; and the transactions that
 * are kept of it. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "libfrr.h"
#include "northbound_cli.h"

#include "compat.h"
#include "grpc_candidate.h"
#include "grpc_northbound.h"
#include "grpc_transaction.h"

#include "grpc_lab.h"

#define LABEL SHELF "/label"

#define LABELLED(text)                                                         \
	"\"shelf\":[{\"row\":1,\"side\":\"left\",\"label\":\"" text "\"}]"

#define NO_CHANGES "No changes to apply were found during preparation phase"
#define IN_PROGRESS "there's already another transaction in progress"
#define IS_LOCKED "running configuration is locked by another client"

static void expect_vtysh(const char *json)
{
	assert_string_equal(lab_json(vty_shared_candidate_config->dnode, false),
			    json);
	lab_check_tree(vty_shared_candidate_config->dnode);
	/* or libfrr would take it for an older one */
	assert_int_equal(vty_shared_candidate_config->version,
			 running_config->version);
}

static void vtysh(const char *path, const char *value)
{
	char err[512];

	assert_true(vtysh_edit(path, value));
	assert_true(vtysh_commit(err, sizeof(err)));
}

/* ----------------------------------------------------------------- phases */

static void test_phases(void **state)
{
	static const struct {
		bool prepared;
		int phase;
		grpc_status_code status;
		const char *why; /* behind a blank: of the candidate */
		bool prepared_then, runs;
	} cases[] = {
		{false, VALIDATE, GRPC_STATUS_OK, "", false, false},
		{false, PREPARE, GRPC_STATUS_OK, "", true, false},
		{false, ABORT, GRPC_STATUS_FAILED_PRECONDITION,
		 " is not prepared", false, false},
		{false, APPLY, GRPC_STATUS_FAILED_PRECONDITION,
		 " is not prepared", false, false},
		{false, ALL, GRPC_STATUS_OK, "", false, true},
		{false, 5, GRPC_STATUS_INVALID_ARGUMENT, "no phase 5", false,
		 false},
		{false, -1, GRPC_STATUS_INVALID_ARGUMENT, "no phase -1", false,
		 false},
#define MIDDLE                                                                 \
	GRPC_STATUS_FAILED_PRECONDITION, " is in the middle of a transaction"
		{true, VALIDATE, MIDDLE, true, false},
		{true, PREPARE, MIDDLE, true, false},
		{true, ABORT, GRPC_STATUS_OK, "", false, false},
		{true, APPLY, GRPC_STATUS_OK, "", false, true},
		{true, ALL, MIDDLE, true, false},
		{true, 5, MIDDLE, true, false},
	};
	char why[128];
	uint32_t id;

	for (size_t i = 0; i < array_size(cases); i++) {
		grpc_lab_teardown(state);
		grpc_lab_setup(state);
		id = grpc_lab_create(ANN);
		OK(grpc_edit(ANN, id, SIZE, "7"));
		if (cases[i].prepared) {
			OK(grpc_commit(ANN, id, PREPARE, ""));
			assert_int_equal(grpc_said.id, 0);
		}
		assert_int_equal(grpc_commit(BOB, id, cases[i].phase, ""),
				 cases[i].status);
		snprintf(why, sizeof(why), "candidate %u%s", id, cases[i].why);
		assert_string_equal(grpc_said.text, cases[i].why[0] == ' '
							    ? why
							    : cases[i].why);
		assert_int_equal(grpc_said.id > 0, cases[i].runs);
		assert_int_equal(relay_grpc_candidates_prepared(),
				 cases[i].prepared_then);
		grpc_lab_expect_running(cases[i].runs ? IN_BOX("\"size\":7")
						      : "{}");
	}
}

/* Nobody touches what is prepared. */
static void test_prepared_is_closed(void **state)
{
	uint32_t id = grpc_lab_create(ANN);
	char why[128];

	OK(grpc_edit(ANN, id, SIZE, "7"));
	OK(grpc_commit(ANN, id, PREPARE, ""));
	snprintf(why, sizeof(why),
		 "candidate %u is in the middle of a transaction", id);
	FAILS(grpc_edit(ANN, id, SIZE, "8"), FAILED_PRECONDITION, why);
	FAILS(grpc_load(BOB, id, true, "{}"), FAILED_PRECONDITION, why);
	FAILS(grpc_update(ANN, id), FAILED_PRECONDITION, why);
	OK(grpc_commit(ANN, id, APPLY, ""));
	grpc_lab_expect_running(IN_BOX("\"size\":7"));
	/* it may be deleted, which is an end too */
	OK(grpc_edit(ANN, id, SIZE, "8"));
	OK(grpc_commit(ANN, id, PREPARE, ""));
	OK(grpc_delete(BOB, id));
	assert_false(relay_grpc_candidates_prepared());
	grpc_lab_expect_running(IN_BOX("\"size\":7"));
}

static void test_no_changes(void **state)
{
	uint32_t id = grpc_lab_create(ANN);

	FAILS(grpc_commit(ANN, id, ALL, ""), ABORTED, NO_CHANGES);
	FAILS(grpc_commit(ANN, id, PREPARE, ""), ABORTED, NO_CHANGES);
	assert_false(relay_grpc_candidates_prepared());
	OK(grpc_commit(ANN, id, VALIDATE, ""));
	OK(grpc_edit(ANN, id, SIZE, "7"));
	OK(grpc_commit(ANN, id, ALL, ""));
	FAILS(grpc_commit(ANN, id, ALL, ""), ABORTED, NO_CHANGES);
}

/* In the words that vtysh has for it; the candidate can be mended. */
static void test_validation(void **state)
{
	static const char why[] =
		"relay name counters is a keyword of show relay";
	uint32_t id = grpc_lab_create(ANN);

	OK(grpc_edit(ANN, id, SIZE, "7"));
	OK(grpc_edit(ANN, id, "/frr-relay:relay/instance[name='counters']",
		     ""));
	FAILS(grpc_commit(ANN, id, VALIDATE, ""), INVALID_ARGUMENT, why);
	FAILS(grpc_commit(ANN, id, PREPARE, ""), INVALID_ARGUMENT, why);
	FAILS(grpc_commit(ANN, id, ALL, ""), INVALID_ARGUMENT, why);
	assert_false(relay_grpc_candidates_prepared());
	grpc_lab_expect_running("{}");
	expect_vtysh("{}");
	OK(grpc_edit(ANN, id, "/frr-relay:relay/instance[name='counters']",
		     NULL));
	OK(grpc_commit(ANN, id, ALL, ""));
	grpc_lab_expect_running(IN_BOX("\"size\":7"));
}

/* ---------------------------------------------------- the daemon's part of it
 */

static char events[128];
static bool has_no_resource;

static int watch_modify(struct nb_cb_modify_args *args)
{
	static const char *const names[] = {
		[NB_EV_VALIDATE] = "v",
		[NB_EV_PREPARE] = "p",
		[NB_EV_ABORT] = "x",
		[NB_EV_APPLY] = "a",
	};
	const char *node = args->dnode->schema->name;

	strlcat(events, names[args->event], sizeof(events));
	strlcat(events, node[0] == 's' ? "s " : "l ", sizeof(events));
	if (args->event != NB_EV_PREPARE || !has_no_resource ||
	    strcmp(node, "size"))
		return NB_OK;
	snprintf(args->errmsg, args->errmsg_len, "no room for a size\nat all");
	return NB_ERR_RESOURCE;
}

/* size after lid */
static void watch(bool on)
{
	struct nb_node *size = nb_node_find(SIZE), *lid = nb_node_find(LID);
	static struct nb_callbacks was;

	if (on)
		was = lid->cbs;
	size->cbs.modify = on ? watch_modify : was.modify;
	size->priority = NB_DFLT_PRIORITY + on;
	lid->cbs.modify = size->cbs.modify;
	events[0] = '\0';
}

/* What was prepared is undone, whatever ended it. */
static void test_callbacks(void **state)
{
	enum { BY_ABORT, BY_SESSION, BY_TIME, BY_DELETE, BY_STOP, WAYS };
	uint32_t id;

	watch(true);
	for (int way = BY_ABORT; way < WAYS; way++) {
		grpc_lab_teardown(state);
		grpc_lab_setup(state);
		id = grpc_lab_create(ANN);
		OK(grpc_edit(ANN, id, SIZE, "7"));
		OK(grpc_edit(ANN, id, LID, "open"));
		events[0] = '\0';
		OK(grpc_commit(ANN, id, PREPARE, ""));
		assert_string_equal(events, "vl vs pl ps ");
		events[0] = '\0';
		switch (way) {
		case BY_ABORT:
			OK(grpc_commit(ANN, id, ABORT, ""));
			break;
		case BY_SESSION:
			grpc_session_ended(ANN);
			break;
		case BY_TIME:
			relay_grpc_candidates_age(grpc_lab_now + 30);
			break;
		case BY_DELETE:
			OK(grpc_delete(ANN, id));
			break;
		case BY_STOP:
			grpc_lab_stop();
			break;
		}
		assert_string_equal(events, "xl xs ");
		if (way == BY_STOP)
			grpc_lab_setup(state);
	}
	id = grpc_lab_create(ANN);
	OK(grpc_edit(ANN, id, SIZE, "7"));
	events[0] = '\0';
	OK(grpc_commit(ANN, id, PREPARE, ""));
	OK(grpc_commit(ANN, id, APPLY, ""));
	assert_string_equal(events, "vs ps as ");
	watch(false);
}

static void test_no_resource(void **state)
{
	static const int phases[] = {PREPARE, ALL};
	uint32_t id = grpc_lab_create(ANN), other = grpc_lab_create(BOB);

	watch(true);
	OK(grpc_edit(ANN, id, SIZE, "7"));
	OK(grpc_edit(ANN, id, LID, "open"));
	has_no_resource = true;
	for (size_t i = 0; i < array_size(phases); i++) {
		events[0] = '\0';
		FAILS(grpc_commit(ANN, id, phases[i], ""), RESOURCE_EXHAUSTED,
		      "no room for a size");
		/* who has failed has nothing to undo */
		assert_string_equal(events, "vl vs pl ps xl ");
		assert_false(relay_grpc_candidates_prepared());
		grpc_lab_expect_running("{}");
	}
	has_no_resource = false;
	watch(false);
	/* nothing is left in anybody's way */
	OK(grpc_edit(BOB, other, ROAD, "A1"));
	OK(grpc_commit(BOB, other, ALL, ""));
	OK(grpc_commit(ANN, id, ALL, ""));
	grpc_lab_expect_running(
		IN_BOX("\"size\":7,\"lid\":\"open\",\"road\":\"A1\""));
}

/* ------------------------------------------------------------------ others */

/* One after the other, both have what they wanted. */
static void test_two(void **state)
{
	uint32_t a = grpc_lab_create(ANN), b = grpc_lab_create(BOB),
		 c = grpc_lab_create(BOB);

	OK(grpc_edit(ANN, a, SIZE, "7"));
	OK(grpc_edit(ANN, a, LABEL, "books"));
	OK(grpc_edit(BOB, b, LID, "open"));
	OK(grpc_edit(BOB, b, BOX "/tag[.='x']", ""));
	OK(grpc_commit(ANN, a, ALL, ""));
	OK(grpc_commit(BOB, b, PREPARE, ""));
	OK(grpc_commit(BOB, b, APPLY, ""));
	grpc_lab_expect_running(
		IN_BOX("\"size\":7,\"lid\":\"open\",\"tag\":[\"x\"]," LABELLED(
			"books")));

	/* of one node the last, of a deletion too */
	OK(grpc_edit(ANN, a, SHELF, NULL));
	OK(grpc_edit(ANN, a, SIZE, "8"));
	OK(grpc_commit(ANN, a, ALL, ""));
	OK(grpc_edit(BOB, b, SIZE, "9"));
	OK(grpc_edit(BOB, b, LABEL, "maps"));
	OK(grpc_commit(BOB, b, ALL, ""));
	grpc_lab_expect_running(
		IN_BOX("\"size\":9,\"lid\":\"open\",\"tag\":[\"x\"]," LABELLED(
			"maps")));
	OK(grpc_edit(ANN, a, SHELF "/depth", "60"));
	OK(grpc_edit(BOB, c, BOX "/tag[.='y']", ""));
	OK(grpc_commit(BOB, c, ALL, ""));
	assert_int_not_equal(grpc_edit(BOB, a, BOX "/tag[.='y']", NULL),
			     GRPC_STATUS_OK);
	OK(grpc_update(ANN, a));
	OK(grpc_edit(BOB, a, BOX "/tag[.='y']", NULL));
	OK(grpc_commit(ANN, a, ALL, ""));
	grpc_lab_expect_running(IN_BOX(
		"\"size\":9,\"lid\":\"open\",\"tag\":[\"x\"],\"shelf\":[{\"row\":1,\"side\":\"left\",\"label\":\"maps\",\"depth\":60}]"));
}

/* A refused commit and a validation bring in what others have, and no more. */
static void test_update(void **state)
{
	uint32_t a = grpc_lab_create(ANN), b = grpc_lab_create(BOB);

	OK(grpc_edit(ANN, a, SIZE, "7"));
	OK(grpc_commit(ANN, a, ALL, ""));
	OK(grpc_commit(BOB, b, VALIDATE, ""));
	FAILS(grpc_commit(BOB, b, ALL, ""), ABORTED, NO_CHANGES);
	/* which is then no change of its own */
	OK(grpc_edit(ANN, a, SIZE, NULL));
	OK(grpc_commit(ANN, a, ALL, ""));
	OK(grpc_edit(BOB, b, LID, "open"));
	OK(grpc_update(BOB, b));
	OK(grpc_update(BOB, b));
	OK(grpc_commit(BOB, b, ALL, ""));
	grpc_lab_expect_running(IN_BOX("\"lid\":\"open\""));
}

static void test_in_progress(void **state)
{
	uint32_t a = grpc_lab_create(ANN), b = grpc_lab_create(BOB);
	char err[512];

	OK(grpc_edit(ANN, a, SIZE, "7"));
	OK(grpc_edit(BOB, b, LID, "open"));
	OK(grpc_commit(ANN, a, PREPARE, ""));
	FAILS(grpc_commit(BOB, b, ALL, ""), UNAVAILABLE, IN_PROGRESS);
	FAILS(grpc_commit(BOB, b, PREPARE, ""), UNAVAILABLE, IN_PROGRESS);
	FAILS(grpc_commit(ANN, b, ALL, ""), UNAVAILABLE, IN_PROGRESS);
	OK(grpc_commit(BOB, b, VALIDATE, ""));
	assert_true(vtysh_edit(ROAD, "A1"));
	assert_false(vtysh_commit(err, sizeof(err)));
	assert_string_equal(err, IN_PROGRESS);
	OK(grpc_commit(ANN, a, APPLY, ""));
	OK(grpc_commit(BOB, b, ALL, ""));
	vtysh(ROAD, "A1");
	grpc_lab_expect_running(
		IN_BOX("\"size\":7,\"lid\":\"open\",\"road\":\"A1\""));
}

/* ------------------------------------------------------------------- vtysh */

static void test_vtysh_gets_it(void **state)
{
	uint32_t a = grpc_lab_create(ANN);

	OK(grpc_edit(ANN, a, SIZE, "7"));
	OK(grpc_edit(ANN, a, LABEL, "books"));
	OK(grpc_commit(ANN, a, ALL, ""));
	expect_vtysh(IN_BOX("\"size\":7," LABELLED("books")));
	OK(grpc_edit(ANN, a, SHELF, NULL));
	OK(grpc_commit(ANN, a, PREPARE, ""));
	expect_vtysh(IN_BOX("\"size\":7," LABELLED("books")));
	OK(grpc_commit(ANN, a, APPLY, ""));
	expect_vtysh(IN_BOX("\"size\":7"));
	/* and does not undo it with its next line */
	vtysh(LID, "open");
	grpc_lab_expect_running(IN_BOX("\"size\":7,\"lid\":\"open\""));
	OK(grpc_edit(ANN, a, SIZE, "8"));
	OK(grpc_commit(ANN, a, ALL, ""));
	grpc_lab_expect_running(IN_BOX("\"size\":8,\"lid\":\"open\""));
	expect_vtysh(IN_BOX("\"size\":8,\"lid\":\"open\""));
}

/* Lines that vtysh has not committed yet stay, where they do not contradict. */
static void test_vtysh_pending(void **state)
{
	uint32_t a;
	char err[512];

	vtysh(LABEL, "books");
	vtysh(ROAD, "A1");
	a = grpc_lab_create(ANN);
	assert_true(vtysh_edit(LID, "open"));
	assert_true(vtysh_edit(SIZE, "1"));
	assert_true(vtysh_edit(ROAD, NULL));
	OK(grpc_edit(ANN, a, SIZE, "7"));
	OK(grpc_edit(ANN, a, SHELF, NULL));
	OK(grpc_edit(ANN, a, BOX "/tag[.='x']", ""));
	OK(grpc_commit(ANN, a, ALL, ""));
	grpc_lab_expect_running(
		IN_BOX("\"size\":7,\"tag\":[\"x\"],\"road\":\"A1\""));
	expect_vtysh(IN_BOX("\"size\":7,\"lid\":\"open\",\"tag\":[\"x\"]"));
	assert_true(vtysh_commit(err, sizeof(err)));
	grpc_lab_expect_running(
		IN_BOX("\"size\":7,\"lid\":\"open\",\"tag\":[\"x\"]"));
}

/* A commit that is refused is none of vtysh's business. */
static void test_vtysh_refused(void **state)
{
	uint32_t a = grpc_lab_create(ANN);

	assert_true(vtysh_edit(LID, "open"));
	FAILS(grpc_commit(ANN, a, ALL, ""), ABORTED, NO_CHANGES);
	expect_vtysh(IN_BOX("\"lid\":\"open\""));
	OK(grpc_edit(ANN, a, SIZE, "7"));
	OK(grpc_commit(ANN, a, PREPARE, ""));
	OK(grpc_commit(ANN, a, ABORT, ""));
	expect_vtysh(IN_BOX("\"lid\":\"open\""));
	grpc_lab_expect_running("{}");
}

static enum frr_cli_mode cli_mode = FRR_CLI_CLASSIC;

/* in place of libfrr's */
enum frr_cli_mode frr_get_cli_mode(void)
{
	return cli_mode;
}

/* A candidate that vtysh has in private (--tcli), and commits by force, is of
 * an older version; what runs then has its number. */
static void test_vtysh_by_force(void **state)
{
	struct nb_context context = {.client = NB_CLIENT_CLI};
	struct nb_config *private = nb_config_dup(running_config);
	uint32_t a = grpc_lab_create(ANN), b;
	char err[512];

	cli_mode = FRR_CLI_TRANSACTIONAL;
	OK(grpc_edit(ANN, a, SIZE, "7"));
	OK(grpc_commit(ANN, a, ALL, ""));
	b = grpc_lab_create(BOB);
	OK(grpc_edit(BOB, b, ROAD, "A1"));
	assert_int_equal(lyd_new_path(private->dnode, NULL, LID, "open",
				      LYD_NEW_PATH_UPDATE, NULL),
			 LY_SUCCESS);
	assert_int_equal(compat_candidate_commit(&context, private, err,
						 sizeof(err)),
			 NB_OK);
	grpc_lab_expect_running(IN_BOX("\"lid\":\"open\""));
	OK(grpc_commit(BOB, b, ALL, ""));
	grpc_lab_expect_running(IN_BOX("\"lid\":\"open\",\"road\":\"A1\""));
	nb_config_free(private);
	cli_mode = FRR_CLI_CLASSIC;
}

/* ------------------------------------------------------------------- locks */

static void test_lock(void **state)
{
	uint32_t a = grpc_lab_create(ANN), b = grpc_lab_create(BOB);
	char err[512];

	FAILS(grpc_unlock(ANN), FAILED_PRECONDITION,
	      "this session has no lock");
	OK(grpc_lock(ANN));
	assert_string_equal(relay_grpc_lock_owner(), "gRPC 127.0.0.1:11");
	FAILS(grpc_lock(ANN), FAILED_PRECONDITION,
	      "running configuration is locked already, by gRPC 127.0.0.1:11");
	FAILS(grpc_lock(BOB), FAILED_PRECONDITION,
	      "running configuration is locked already, by gRPC 127.0.0.1:11");
	FAILS(grpc_unlock(BOB), FAILED_PRECONDITION,
	      "this session has no lock");

	/* it is about commits, and about nothing else */
	OK(grpc_edit(BOB, b, LID, "open"));
	OK(grpc_update(BOB, b));
	OK(grpc_commit(BOB, b, VALIDATE, ""));
	FAILS(grpc_commit(BOB, b, ALL, ""), UNAVAILABLE, IS_LOCKED);
	FAILS(grpc_commit(BOB, b, PREPARE, ""), UNAVAILABLE, IS_LOCKED);
	assert_true(vtysh_edit(ROAD, "A1"));
	assert_false(vtysh_commit(err, sizeof(err)));
	assert_string_equal(err, IS_LOCKED);
	OK(grpc_edit(ANN, a, SIZE, "7"));
	OK(grpc_commit(ANN, a, ALL, ""));
	grpc_lab_expect_running(IN_BOX("\"size\":7"));

	OK(grpc_unlock(ANN));
	assert_null(relay_grpc_lock_owner());
	OK(grpc_commit(BOB, b, ALL, ""));
	OK(grpc_lock(BOB));
	assert_string_equal(relay_grpc_lock_owner(), "gRPC 127.0.0.1:12");
	/* whose it is not */
	grpc_session_ended(ANN);
	assert_string_equal(relay_grpc_lock_owner(), "gRPC 127.0.0.1:12");
	grpc_session_ended(BOB);
	assert_null(relay_grpc_lock_owner());
}

static void test_lock_of_vtysh(void **state)
{
	static const int session; /* of vtysh, by its address */

	OK(nb_running_lock(NB_CLIENT_CLI, &session));
	FAILS(grpc_lock(ANN), FAILED_PRECONDITION,
	      "running configuration is locked already");
	FAILS(grpc_unlock(ANN), FAILED_PRECONDITION,
	      "this session has no lock");
	assert_null(relay_grpc_lock_owner());
	grpc_session_ended(ANN);
	OK(nb_running_unlock(NB_CLIENT_CLI, &session));
	OK(grpc_lock(ANN));
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, grpc_lab_setup, grpc_lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_phases),
		TEST(test_prepared_is_closed),
		TEST(test_no_changes),
		TEST(test_validation),
		TEST(test_callbacks),
		TEST(test_no_resource),
		TEST(test_two),
		TEST(test_update),
		TEST(test_in_progress),
		TEST(test_vtysh_gets_it),
		TEST(test_vtysh_pending),
		TEST(test_vtysh_refused),
		TEST(test_vtysh_by_force),
		TEST(test_lock),
		TEST(test_lock_of_vtysh),
	};

	return cmocka_run_group_tests(tests, lab_start, lab_stop);
}
