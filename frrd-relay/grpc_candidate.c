// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A candidate remembers what the running configuration was when it was made, or
 * last updated: its base. What it has of its own is the difference, and a
 * commit puts just that on top of what is running by then, so that two who
 * commit one after the other both have what they wanted. libfrr by itself would
 * put the whole candidate in place of the other's work. For the same reason
 * vtysh's own candidate, which libfrr leaves as it was, gets what was committed
 * here.
 */
#include <zebra.h>

#include "jhash.h"
#include "libfrr.h"
#include "log.h"
#include "monotime.h"
#include "northbound.h"
#include "northbound_cli.h"
#include "typesafe.h"

#include "grpc/frr-northbound.pb-c.h"

#include "compat.h"
#include "grpc_candidate.h"
#include "grpc_transaction.h"
#include "relay_memory.h"
#include "relay_nb_data.h"
#include "relay_nb_merge.h"
#include "relay_nb_tree.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_CANDIDATE, "gRPC candidate");
DEFINE_MTYPE_STATIC(RELAYD, GRPC_BASE, "gRPC candidate's base");

/* The running configuration as it was; shared by all who need that one. */
struct base {
	uint32_t version;
	unsigned int users;
	struct lyd_node *tree;
};

PREDECL_DLIST(candidates);
PREDECL_HASH(by_number);

struct candidate {
	struct candidates_item item; /* the longest unused first */
	struct by_number_item hash_item;
	uint32_t id;
	struct nb_config *config;
	struct base *base;
	uint64_t session; /* that made it; 0: has ended */
	time_t used, orphaned;

	/* between PREPARE and what follows */
	struct nb_transaction *transaction;
	struct nb_context context;
	uint64_t prepared_by;
	uint32_t preparation; /* number of it */
	time_t prepared;
	char comment[RELAY_GRPC_COMMENT_MAX + 1];
};

static int by_number_cmp(const struct candidate *a, const struct candidate *b)
{
	return numcmp(a->id, b->id);
}

static uint32_t by_number_hash(const struct candidate *c)
{
	return jhash_1word(c->id, 0);
}

DECLARE_DLIST(candidates, struct candidate, item);
DECLARE_HASH(by_number, struct candidate, hash_item, by_number_cmp,
	     by_number_hash);

static struct candidates_head candidates[1] = {INIT_DLIST(candidates[0])};
static struct by_number_head numbers[1];
static struct base *running_base;
static struct candidate *prepared;
static uint32_t last_id, last_preparation;
static unsigned int idle_max_s;

/* ------------------------------------------------------------------ bases */

static void base_put(struct base *base)
{
	if (--base->users)
		return;
	yang_dnode_free(base->tree);
	XFREE(MTYPE_GRPC_BASE, base);
}

/* With --tcli there are candidates of vtysh's own, which bring their version
 * with them when they are committed by force: it may be one that there was. */
static bool is_running(const struct base *base)
{
	if (base->version != running_config->version)
		return false;
	return frr_get_cli_mode() != FRR_CLI_TRANSACTIONAL ||
	       lyd_compare_siblings(base->tree, running_config->dnode,
				    LYD_COMPARE_FULL_RECURSION |
					    LYD_COMPARE_DEFAULTS) == LY_SUCCESS;
}

/* Of the configuration that runs now. */
static struct base *base_get(void)
{
	if (running_base && is_running(running_base)) {
		running_base->users++;
		return running_base;
	}
	if (running_base)
		base_put(running_base);
	running_base = XCALLOC(MTYPE_GRPC_BASE, sizeof(*running_base));
	running_base->version = running_config->version;
	running_base->tree = yang_dnode_dup(running_config->dnode);
	running_base->users = 2;
	return running_base;
}

static void base_set(struct candidate *c, struct base *base)
{
	if (c->base)
		base_put(c->base);
	c->base = base;
	c->config->version = base->version;
}

/* What others have committed since comes in. 0 or -errno. */
static int rebase(struct candidate *c)
{
	struct base *now = base_get();
	struct lyd_node *tree;
	int ret;

	if (c->base == now) {
		base_put(now);
		return 0;
	}
	tree = yang_dnode_dup(running_config->dnode);
	ret = relay_nb_merge(c->base->tree, c->config->dnode, &tree);
	if (ret < 0) {
		yang_dnode_free(tree);
		base_put(now);
		return ret;
	}
	yang_dnode_free(c->config->dnode);
	c->config->dnode = tree;
	base_set(c, now);
	return 0;
}

/* ------------------------------------------------------------- the table */

static void candidate_abort(struct candidate *c)
{
	char err[256] = "";

	if (!c->transaction)
		return;
	nb_candidate_commit_abort(c->transaction, err, sizeof(err));
	c->transaction = NULL;
	prepared = NULL;
}

static void candidate_free(struct candidate *c)
{
	candidate_abort(c);
	by_number_del(numbers, c);
	candidates_del(candidates, c);
	nb_config_free(c->config);
	base_put(c->base);
	XFREE(MTYPE_GRPC_CANDIDATE, c);
}

/* The one with that number, which is used now; or the request has failed. */
static struct candidate *candidate_of(struct relay_grpc_request *req,
				      uint32_t id)
{
	struct candidate key = {.id = id}, *c = by_number_find(numbers, &key);

	if (!c) {
		relay_grpc_fail(req, GRPC_STATUS_NOT_FOUND,
				"candidate %u not found", id);
		return NULL;
	}
	c->used = monotime(NULL);
	candidates_del(candidates, c);
	candidates_add_tail(candidates, c);
	return c;
}

/* The same, of one that may be changed. */
static struct candidate *candidate_to_edit(struct relay_grpc_request *req,
					   uint32_t id)
{
	struct candidate *c = candidate_of(req, id);

	if (c && c->transaction) {
		relay_grpc_fail(
			req, GRPC_STATUS_FAILED_PRECONDITION,
			"candidate %u is in the middle of a transaction", id);
		return NULL;
	}
	return c;
}

void relay_grpc_candidates_init(unsigned int idle_s)
{
	idle_max_s = idle_s;
	by_number_init(numbers);
}

void relay_grpc_candidates_fini(void)
{
	struct candidate *c;

	while ((c = candidates_first(candidates)))
		candidate_free(c);
	by_number_fini(numbers);
	if (running_base)
		base_put(running_base);
	running_base = NULL;
}

void relay_grpc_candidates_age(time_t now)
{
	struct candidate *c;

	if (prepared && now - prepared->prepared >= RELAY_GRPC_PREPARED_S) {
		zlog_warn(
			"gRPC: candidate %u was prepared %d s ago, and is aborted",
			prepared->id, RELAY_GRPC_PREPARED_S);
		candidate_abort(prepared);
	}
	frr_each_safe (candidates, candidates, c) {
		if (c->transaction)
			continue;
		if (now - c->used >= (time_t)idle_max_s ||
		    (!c->session && now - c->orphaned >= RELAY_GRPC_ORPHAN_S &&
		     now - c->used >= RELAY_GRPC_ORPHAN_S))
			candidate_free(c);
	}
}

void relay_grpc_candidates_session_ended(uint64_t session)
{
	struct candidate *c;

	if (prepared && prepared->prepared_by == session)
		candidate_abort(prepared);
	frr_each (candidates, candidates, c)
		if (c->session == session) {
			c->session = 0;
			c->orphaned = monotime(NULL);
		}
}

size_t relay_grpc_candidates_count(void)
{
	return candidates_count(candidates);
}

bool relay_grpc_candidates_prepared(void)
{
	return prepared != NULL;
}

/* One whose session has ended makes room. */
static bool make_room(void)
{
	struct candidate *c;

	if (candidates_count(candidates) < RELAY_GRPC_CANDIDATES)
		return true;
	frr_each (candidates, candidates, c)
		if (!c->session && !c->transaction) {
			candidate_free(c);
			return true;
		}
	return false;
}

/* ------------------------------------------------------------------ calls */

void relay_grpc_create_candidate(struct relay_grpc_request *req)
{
	Frr__CreateCandidateResponse answer =
		FRR__CREATE_CANDIDATE_RESPONSE__INIT;
	struct candidate *c;

	if (!make_room()) {
		relay_grpc_fail(req, GRPC_STATUS_RESOURCE_EXHAUSTED,
				"%d candidates are open: delete one",
				RELAY_GRPC_CANDIDATES);
		return;
	}
	c = XCALLOC(MTYPE_GRPC_CANDIDATE, sizeof(*c));
	c->id = ++last_id;
	c->config = nb_config_dup(running_config);
	base_set(c, base_get());
	c->session = req->session;
	c->used = monotime(NULL);
	by_number_add(numbers, c);
	candidates_add_tail(candidates, c);

	req->id = c->id;
	answer.candidate_id = c->id;
	relay_grpc_answer(req, &answer.base);
}

void relay_grpc_create_candidate_undo(struct relay_grpc_request *req)
{
	struct candidate key = {.id = req->id};
	struct candidate *c = by_number_find(numbers, &key);

	if (c)
		candidate_free(c);
}

void relay_grpc_delete_candidate(struct relay_grpc_request *req)
{
	const Frr__DeleteCandidateRequest *input = (void *)req->input;
	Frr__DeleteCandidateResponse answer =
		FRR__DELETE_CANDIDATE_RESPONSE__INIT;
	struct candidate *c = candidate_of(req, input->candidate_id);

	if (!c)
		return;
	candidate_free(c);
	relay_grpc_answer(req, &answer.base);
}

void relay_grpc_update_candidate(struct relay_grpc_request *req)
{
	const Frr__UpdateCandidateRequest *input = (void *)req->input;
	Frr__UpdateCandidateResponse answer =
		FRR__UPDATE_CANDIDATE_RESPONSE__INIT;
	struct candidate *c = candidate_to_edit(req, input->candidate_id);

	if (!c)
		return;
	if (rebase(c) < 0)
		relay_grpc_fail(req, GRPC_STATUS_INTERNAL,
				"candidate %u can't be updated", c->id);
	else
		relay_grpc_answer(req, &answer.base);
}

static struct relay_nb_edit *edits_of(Frr__PathValue *const *values, size_t n)
{
	struct relay_nb_edit *edits;

	edits = XCALLOC(MTYPE_TMP, (n + 1) * sizeof(*edits));
	for (size_t i = 0; i < n; i++)
		edits[i] = (struct relay_nb_edit){values[i]->path,
						  values[i]->value};
	return edits;
}

void relay_grpc_edit_candidate(struct relay_grpc_request *req)
{
	const Frr__EditCandidateRequest *input = (void *)req->input;
	Frr__EditCandidateResponse answer = FRR__EDIT_CANDIDATE_RESPONSE__INIT;
	struct candidate *c = candidate_to_edit(req, input->candidate_id);
	struct relay_nb_edit *update, *del;
	char err[RELAY_GRPC_TEXT_LEN] = "";
	int ret;

	if (!c)
		return;
	update = edits_of(input->update, input->n_update);
	del = edits_of(input->delete_, input->n_delete_);
	ret = relay_nb_tree_edit(&c->config->dnode, update, input->n_update,
				 del, input->n_delete_, err, sizeof(err));
	XFREE(MTYPE_TMP, update);
	XFREE(MTYPE_TMP, del);
	if (ret < 0)
		relay_grpc_fail_errno(req, ret, err);
	else
		relay_grpc_answer(req, &answer.base);
}

void relay_grpc_load_to_candidate(struct relay_grpc_request *req)
{
	const Frr__LoadToCandidateRequest *input = (void *)req->input;
	Frr__LoadToCandidateResponse answer =
		FRR__LOAD_TO_CANDIDATE_RESPONSE__INIT;
	struct candidate *c = candidate_to_edit(req, input->candidate_id);
	char err[RELAY_GRPC_TEXT_LEN] = "";
	LYD_FORMAT format;
	int ret;

	if (!c)
		return;
	if (input->type != FRR__LOAD_TO_CANDIDATE_REQUEST__LOAD_TYPE__MERGE &&
	    input->type != FRR__LOAD_TO_CANDIDATE_REQUEST__LOAD_TYPE__REPLACE) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"no load of the type %d", input->type);
		return;
	}
	if (!input->config) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"config is missing");
		return;
	}
	if (!relay_grpc_format(req, input->config->encoding, &format))
		return;
	ret = relay_nb_tree_load(
		&c->config->dnode,
		input->type ==
			FRR__LOAD_TO_CANDIDATE_REQUEST__LOAD_TYPE__REPLACE,
		format, input->config->data, err, sizeof(err));
	if (ret < 0)
		relay_grpc_fail_errno(req, ret, err);
	else
		relay_grpc_answer(req, &answer.base);
}

/* ----------------------------------------------------------------- commit */

/* The codes are those of FRR's own module. */
static void fail_commit(struct relay_grpc_request *req, int ret,
			const char *err)
{
	char line[RELAY_GRPC_TEXT_LEN];
	grpc_status_code status;

	switch (ret) {
	case NB_ERR_NO_CHANGES:
		status = GRPC_STATUS_ABORTED;
		break;
	case NB_ERR_LOCKED:
		status = GRPC_STATUS_UNAVAILABLE;
		break;
	case NB_ERR_VALIDATION:
		status = GRPC_STATUS_INVALID_ARGUMENT;
		break;
	case NB_ERR_RESOURCE:
		status = GRPC_STATUS_RESOURCE_EXHAUSTED;
		break;
	default:
		status = GRPC_STATUS_INTERNAL;
		break;
	}
	relay_nb_refusal(err, line, sizeof(line));
	relay_grpc_fail(req, status, "%s", line[0] ? line : nb_err_name(ret));
}

/* It runs: the log knows, and vtysh's candidate has it too. before: what ran.
 */
static uint32_t committed(struct candidate *c, struct base *before,
			  const struct relay_grpc_request *req,
			  const char *comment)
{
	struct nb_config *shared = vty_shared_candidate_config;
	char client[RELAY_GRPC_PEER_LEN + 8];
	uint32_t id;

	if (relay_nb_merge(before->tree, running_config->dnode,
			   &shared->dnode) < 0) {
		zlog_err("gRPC: vtysh's candidate is made anew");
		nb_config_replace(shared, running_config, true);
	}
	shared->version = running_config->version;
	base_put(before);
	base_set(c, base_get());

	snprintf(client, sizeof(client), "gRPC %s", req->peer);
	id = relay_grpc_transaction_record(client, comment);
	zlog_notice("configuration changed by %s, transaction %u%s%.200s",
		    client, id, comment[0] ? ": " : "", comment);
	return id;
}

static int commit_prepare(struct candidate *c,
			  const struct relay_grpc_request *req,
			  const char *comment, char *err, size_t len)
{
	int ret;

	c->context = (struct nb_context){
		.client = NB_CLIENT_GRPC,
		.user = (void *)(uintptr_t)req->session,
	};
	ret = nb_candidate_commit_prepare(&c->context, c->config, comment,
					  &c->transaction, err, len);
	if (ret != NB_OK) {
		char abort_err[256] = "";

		if (c->transaction)
			nb_candidate_commit_abort(c->transaction, abort_err,
						  sizeof(abort_err));
		c->transaction = NULL;
		return ret;
	}
	prepared = c;
	c->prepared_by = req->session;
	c->preparation = ++last_preparation;
	c->prepared = monotime(NULL);
	strlcpy(c->comment, comment, sizeof(c->comment));
	return NB_OK;
}

static uint32_t commit_apply(struct candidate *c,
			     const struct relay_grpc_request *req,
			     const char *comment, char *err, size_t len)
{
	struct base *before;

	relay_grpc_transactions_catch_up();
	before = base_get();
	c->config->version = running_config->version;
	nb_candidate_commit_apply(c->transaction, false, NULL, err, len);
	c->transaction = NULL;
	prepared = NULL;
	return committed(c, before, req, comment[0] ? comment : c->comment);
}

void relay_grpc_commit(struct relay_grpc_request *req)
{
	const Frr__CommitRequest *input = (void *)req->input;
	Frr__CommitResponse answer = FRR__COMMIT_RESPONSE__INIT;
	const char *comment = input->comment ? input->comment : "";
	struct candidate *c = candidate_of(req, input->candidate_id);
	bool second = input->phase == FRR__COMMIT_REQUEST__PHASE__ABORT ||
		      input->phase == FRR__COMMIT_REQUEST__PHASE__APPLY;
	char err[BUFSIZ] = "";
	int ret = NB_OK;

	if (!c)
		return;
	if (strlen(comment) > RELAY_GRPC_COMMENT_MAX) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"a comment has %d octets at most",
				RELAY_GRPC_COMMENT_MAX);
		return;
	}
	if (!c->transaction == second) {
		relay_grpc_fail(
			req, GRPC_STATUS_FAILED_PRECONDITION,
			second ? "candidate %u is not prepared"
			       : "candidate %u is in the middle of a transaction",
			c->id);
		return;
	}
	if (!second && rebase(c) < 0) {
		relay_grpc_fail(req, GRPC_STATUS_INTERNAL,
				"candidate %u can't be updated", c->id);
		return;
	}

	switch (input->phase) {
	case FRR__COMMIT_REQUEST__PHASE__VALIDATE: {
		struct nb_context context = {.client = NB_CLIENT_GRPC};

		ret = nb_candidate_validate(&context, c->config, err,
					    sizeof(err));
		break;
	}
	case FRR__COMMIT_REQUEST__PHASE__PREPARE:
		ret = commit_prepare(c, req, comment, err, sizeof(err));
		req->id = c->preparation;
		break;
	case FRR__COMMIT_REQUEST__PHASE__ABORT:
		candidate_abort(c);
		break;
	case FRR__COMMIT_REQUEST__PHASE__APPLY:
		answer.transaction_id =
			commit_apply(c, req, comment, err, sizeof(err));
		break;
	case FRR__COMMIT_REQUEST__PHASE__ALL:
		ret = commit_prepare(c, req, comment, err, sizeof(err));
		if (ret == NB_OK)
			answer.transaction_id =
				commit_apply(c, req, comment, err, sizeof(err));
		break;
	default:
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"no phase %d", input->phase);
		return;
	}
	if (ret != NB_OK) {
		fail_commit(req, ret, err);
		return;
	}
	answer.error_message = err;
	relay_grpc_answer(req, &answer.base);
}

/* Nobody knows that it is prepared. What has been prepared anew since is
 * another matter. */
void relay_grpc_commit_undo(struct relay_grpc_request *req)
{
	const Frr__CommitRequest *input = (void *)req->input;

	if (input->phase == FRR__COMMIT_REQUEST__PHASE__PREPARE && prepared &&
	    prepared->preparation == req->id)
		candidate_abort(prepared);
}
