// SPDX-License-Identifier: GPL-2.0-or-later
/* Commit, in one phase or two, and what it leaves for vtysh and the log. */
#include <zebra.h>

#include "log.h"
#include "monotime.h"
#include "northbound_cli.h"

#include "grpc/frr-northbound.pb-c.h"

#include "compat.h"
#include "grpc_candidate_private.h"
#include "relay_nb_data.h"
#include "relay_nb_merge.h"
#include "relay_nb_tree.h"

/* libfrr has one transaction at a time. */
static struct relay_grpc_candidate *prepared;
static uint32_t last_preparation;

void relay_grpc_candidate_abort(struct relay_grpc_candidate *c)
{
	char err[256] = "";

	if (!c->transaction)
		return;
	nb_candidate_commit_abort(c->transaction, err, sizeof(err));
	c->transaction = NULL;
	prepared = NULL;
}

bool relay_grpc_candidates_prepared(void)
{
	return prepared != NULL;
}

void relay_grpc_prepared_age(time_t now)
{
	if (prepared && now - prepared->prepared >= RELAY_GRPC_PREPARED_S) {
		zlog_warn(
			"gRPC: candidate %u was prepared %d s ago, and is aborted",
			prepared->id, RELAY_GRPC_PREPARED_S);
		relay_grpc_candidate_abort(prepared);
	}
}

void relay_grpc_prepared_session_ended(uint64_t session)
{
	if (prepared && prepared->prepared_by == session)
		relay_grpc_candidate_abort(prepared);
}

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
static uint32_t committed(struct relay_grpc_candidate *c,
			  struct relay_grpc_base *before,
			  const struct relay_grpc_request *req,
			  const char *comment)
{
	struct nb_config *shared = vty_shared_candidate_config;
	char client[RELAY_GRPC_PEER_LEN + 8], line[RELAY_GRPC_PEER_LEN + 256];
	uint32_t id;

	if (relay_nb_merge(before->tree, running_config->dnode,
			   &shared->dnode) < 0) {
		zlog_err("gRPC: vtysh's candidate is made anew");
		nb_config_replace(shared, running_config, true);
	}
	shared->version = running_config->version;
	relay_grpc_base_put(before);
	relay_grpc_candidate_set_base(c, relay_grpc_base_get());
	c->edited = 0;

	snprintf(client, sizeof(client), "gRPC %s", req->peer);
	id = relay_grpc_transaction_record(client, comment);
	/* a comment may have lines, which would be lines of the log */
	relay_nb_err(line, sizeof(line), 0,
		     "configuration changed by %s, transaction %u%s%s", client,
		     id, comment[0] ? ": " : "", comment);
	zlog_notice("%s", line);
	return id;
}

static bool may_commit(struct relay_grpc_request *req)
{
	if (nb_running_lock_check(NB_CLIENT_GRPC,
				  (void *)(uintptr_t)req->session) != 0) {
		relay_grpc_fail(
			req, GRPC_STATUS_UNAVAILABLE,
			"running configuration is locked by another client");
		return false;
	}
	if (prepared) {
		relay_grpc_fail(
			req, GRPC_STATUS_UNAVAILABLE,
			"there's already another transaction in progress");
		return false;
	}
	return true;
}

static int commit_prepare(struct relay_grpc_candidate *c,
			  const struct relay_grpc_request *req,
			  const char *comment, char *err, size_t len)
{
	int ret;

	c->context = (struct nb_context){
		.client = NB_CLIENT_GRPC,
		.user = (void *)(uintptr_t)req->session,
	};
	ret = compat_candidate_prepare(&c->context, c->config, comment,
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

static uint32_t commit_apply(struct relay_grpc_candidate *c,
			     const struct relay_grpc_request *req,
			     const char *comment, char *err, size_t len)
{
	struct relay_grpc_base *before;

	relay_grpc_transactions_catch_up();
	before = relay_grpc_base_get();
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
	struct relay_grpc_candidate *c =
		relay_grpc_candidate_of(req, input->candidate_id);
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
	if (!second && relay_grpc_candidate_rebase(c) < 0) {
		relay_grpc_fail(req, GRPC_STATUS_INTERNAL,
				"candidate %u can't be updated", c->id);
		return;
	}
	if (!second &&
	    relay_nb_tree_bounded(c->config->dnode, err, sizeof(err)) < 0) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT, "%s", err);
		return;
	}
	/* libfrr would log each attempt */
	if ((input->phase == FRR__COMMIT_REQUEST__PHASE__PREPARE ||
	     input->phase == FRR__COMMIT_REQUEST__PHASE__ALL) &&
	    !may_commit(req))
		return;

	switch (input->phase) {
	case FRR__COMMIT_REQUEST__PHASE__VALIDATE: {
		struct nb_context context = {.client = NB_CLIENT_GRPC};

		ret = compat_candidate_validate(&context, c->config, err,
						sizeof(err));
		break;
	}
	case FRR__COMMIT_REQUEST__PHASE__PREPARE:
		ret = commit_prepare(c, req, comment, err, sizeof(err));
		req->id = c->preparation;
		break;
	case FRR__COMMIT_REQUEST__PHASE__ABORT:
		relay_grpc_candidate_abort(c);
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
		relay_grpc_candidate_abort(prepared);
}
