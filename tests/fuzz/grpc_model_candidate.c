// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Candidates with their trees, and what their calls make of them. What paths,
 * values and texts of trees come to is asked from relay_nb_tree_edit() and
 * relay_nb_tree_load(), which have tests of their own; merges are held against
 * flat_merge().
 */
#define FUZZ_NB_LAB
#include "fuzz.h"

#include "northbound_cli.h"

#include "grpc_candidate.h"
#include "relay_nb_merge.h"
#include "relay_nb_tree.h"

#include "grpc_model_private.h"

struct candidate *model_find(uint32_t id)
{
	for (size_t i = 0; i < model.ncandidates; i++)
		if (model.candidate[i].id == id)
			return &model.candidate[i];
	return NULL;
}

void model_drop(struct candidate *c)
{
	if (c->id == model.prepared.id)
		model.prepared.id = 0;
	lyd_free_all(c->base);
	lyd_free_all(c->own);
	*c = model.candidate[--model.ncandidates];
}

/* The one that the call names, which is used by it; or it has to fail. */
static struct candidate *use(struct grpc_call *call, uint32_t id)
{
	struct candidate *c = model_find(id);

	if (c) {
		c->used = grpc_lab_now;
		c->order = ++model.uses;
	} else {
		FUZZ_ASSERT(call->req.status == GRPC_STATUS_NOT_FOUND);
	}
	return c;
}

static struct candidate *use_to_edit(struct grpc_call *call, uint32_t id)
{
	struct candidate *c = use(call, id);

	if (!c || c->id != model.prepared.id)
		return c;
	FUZZ_ASSERT(call->req.status == GRPC_STATUS_FAILED_PRECONDITION);
	return NULL;
}

static bool make_room(void)
{
	struct candidate *oldest = NULL;

	if (model.ncandidates < RELAY_GRPC_CANDIDATES)
		return true;
	for (size_t i = 0; i < model.ncandidates; i++) {
		struct candidate *c = &model.candidate[i];

		if (!c->session && c->id != model.prepared.id &&
		    (!oldest || c->order < oldest->order))
			oldest = c;
	}
	if (oldest)
		model_drop(oldest);
	return oldest;
}

struct model_undo model_check_create(struct grpc_call *call)
{
	Frr__CreateCandidateResponse *answer;
	struct candidate *c;

	if (!make_room()) {
		FUZZ_ASSERT(call->req.status == GRPC_STATUS_RESOURCE_EXHAUSTED);
		return NOTHING;
	}
	FUZZ_ASSERT(call->req.status == GRPC_STATUS_OK);
	answer = grpc_call_answer(call);
	FUZZ_ASSERT(answer->candidate_id == ++last_candidate);
	protobuf_c_message_free_unpacked(&answer->base, NULL);
	c = &model.candidate[model.ncandidates++];
	*c = (struct candidate){
		.id = last_candidate,
		.session = call->req.session,
		.used = grpc_lab_now,
		.order = ++model.uses,
		.version = model.version,
		.base = model_dup(running_config->dnode),
		.own = model_dup(running_config->dnode),
	};
	return (struct model_undo){MODEL_CANDIDATE, c->id};
}

void model_check_delete(struct grpc_call *call)
{
	const Frr__DeleteCandidateRequest *input = (void *)call->req.input;
	struct candidate *c = use(call, input->candidate_id);

	if (!c)
		return;
	FUZZ_ASSERT(call->req.status == GRPC_STATUS_OK);
	model_drop(c);
}

/* Others' commits come in: of each node what a merge of lists says. */
static void rebase(struct candidate *c)
{
	struct lyd_node *tree = model_dup(running_config->dnode);
	struct flat base, own, merged, expected;

	if (c->version == model.version) {
		lyd_free_all(tree);
		return;
	}
	FUZZ_ASSERT(relay_nb_merge(c->base, c->own, &tree) == 0);
	flat_read(&base, c->base, false);
	flat_read(&own, c->own, false);
	flat_read(&merged, tree, false);
	flat_merge(&base, &own, &model.running, &expected);
	if (!model_is_relayds(&own) && flat_one_case(&own))
		FUZZ_ASSERT(flat_equal(&merged, &expected));
	flat_free(&base);
	flat_free(&own);
	flat_free(&merged);
	flat_free(&expected);
	lyd_free_all(c->base);
	lyd_free_all(c->own);
	c->base = model_dup(running_config->dnode);
	c->own = tree;
	c->version = model.version;
}

void model_check_update(struct grpc_call *call)
{
	const Frr__UpdateCandidateRequest *input = (void *)call->req.input;
	struct candidate *c = use_to_edit(call, input->candidate_id);

	if (!c)
		return;
	FUZZ_ASSERT(call->req.status == GRPC_STATUS_OK);
	rebase(c);
}

static struct relay_nb_edit *edits_of(Frr__PathValue *const *values, size_t n)
{
	struct relay_nb_edit *edits = calloc(n + 1, sizeof(*edits));

	for (size_t i = 0; i < n; i++)
		edits[i] = (struct relay_nb_edit){values[i]->path,
						  values[i]->value};
	return edits;
}

/* All of it or nothing, of both. */
static void expect_edited(struct grpc_call *call, struct candidate *c, int ret,
			  struct flat *before)
{
	FUZZ_ASSERT(call->req.status ==
		    (ret ? GRPC_STATUS_INVALID_ARGUMENT : GRPC_STATUS_OK));
	if (ret)
		model_expect_same(c->own, before);
	flat_free(before);
}

void model_check_edit(struct grpc_call *call)
{
	const Frr__EditCandidateRequest *input = (void *)call->req.input;
	struct candidate *c = use_to_edit(call, input->candidate_id);
	struct relay_nb_edit *update, *del;
	struct flat before;
	char err[512];
	int ret;

	if (!c)
		return;
	flat_read(&before, c->own, false);
	update = edits_of(input->update, input->n_update);
	del = edits_of(input->delete_, input->n_delete_);
	ret = relay_nb_tree_edit(&c->own, update, input->n_update, del,
				 input->n_delete_, err, sizeof(err));
	free(update);
	free(del);
	expect_edited(call, c, ret, &before);
}

void model_check_load(struct grpc_call *call)
{
	const Frr__LoadToCandidateRequest *input = (void *)call->req.input;
	struct candidate *c = use_to_edit(call, input->candidate_id);
	struct flat before;
	char err[512];
	int ret = -EINVAL;

	if (!c)
		return;
	flat_read(&before, c->own, false);
	if ((unsigned int)input->type < 2 && input->config &&
	    (unsigned int)input->config->encoding < 2)
		ret = relay_nb_tree_load(
			&c->own,
			input->type ==
				FRR__LOAD_TO_CANDIDATE_REQUEST__LOAD_TYPE__REPLACE,
			input->config->encoding == FRR__ENCODING__JSON
				? LYD_JSON
				: LYD_XML,
			input->config->data, err, sizeof(err));
	expect_edited(call, c, ret, &before);
}

/* ----------------------------------------------------------------- commits */

/* It runs now. */
static void committed(struct grpc_call *call, struct candidate *c,
		      const char *comment)
{
	struct flat own, before, vtysh;
	char client[64];

	model_catch_up();
	flat_copy(&before, &model.running);
	flat_read(&own, c->own, false);
	model_expect_running(&own);
	flat_merge(&before, &model.running, &model.vtysh, &vtysh);
	if (!model_is_relayds(&model.vtysh))
		model_expect_same(vty_shared_candidate_config->dnode, &vtysh);
	FUZZ_ASSERT(vty_shared_candidate_config->version ==
		    running_config->version);
	flat_free(&own);
	flat_free(&before);
	flat_free(&vtysh);
	model_read_vtysh();

	model.prepared.id = 0;
	c->version = ++model.version;
	lyd_free_all(c->base);
	c->base = model_dup(running_config->dnode);
	snprintf(client, sizeof(client), "gRPC 127.0.0.1:%u",
		 (unsigned int)call->req.session);
	model_record(client, comment);
}

/* Which status may it be? What relayd itself says to a configuration of its own
 * is not known here. */
static bool commit_right(struct grpc_call *call, struct candidate *c,
			 bool only_validate)
{
	bool blocked = model.prepared.id || model.vtysh_lock ||
		       (model.lock && model.lock != call->req.session);
	grpc_status_code status = call->req.status;
	enum change change;
	struct flat own;
	bool relayds;

	flat_read(&own, c->own, false);
	relayds = model_is_relayds(&own);
	flat_free(&own);
	/* is looked at first, but for what YANG says of numbers of entries */
	if (blocked && !only_validate)
		return status == GRPC_STATUS_UNAVAILABLE ||
		       (relayds && status == GRPC_STATUS_INVALID_ARGUMENT);
	if (!model_validate(&c->own))
		return status == GRPC_STATUS_INVALID_ARGUMENT;
	change = model_changes(c->own);
	if (relayds && status == GRPC_STATUS_INVALID_ARGUMENT)
		return true;
	if (only_validate)
		return status == GRPC_STATUS_OK;
	if (change != CHANGE_SOME && status == GRPC_STATUS_ABORTED)
		return true;
	return change != CHANGE_NONE &&
	       status == (relayds ? GRPC_STATUS_RESOURCE_EXHAUSTED
				  : GRPC_STATUS_OK);
}

static struct model_undo prepared(struct grpc_call *call, struct candidate *c,
				  const char *comment)
{
	model.prepared.id = c->id;
	model.prepared.number = ++last_prepared;
	model.prepared.by = call->req.session;
	model.prepared.at = grpc_lab_now;
	strlcpy(model.prepared.comment, comment,
		sizeof(model.prepared.comment));
	return (struct model_undo){MODEL_PREPARED, last_prepared};
}

static uint32_t transaction_of(struct grpc_call *call)
{
	Frr__CommitResponse *answer = grpc_call_answer(call);
	uint32_t id = answer->transaction_id;

	protobuf_c_message_free_unpacked(&answer->base, NULL);
	return id;
}

/* With the answers' own failures told apart, and what has come of it told to
 * the model. */
static struct model_undo check_phase(struct grpc_call *call,
				     struct candidate *c,
				     const Frr__CommitRequest *input)
{
	bool first = input->phase != ABORT && input->phase != APPLY, ok;

	if (first) {
		rebase(c);
		if ((unsigned int)input->phase > ALL) {
			FUZZ_ASSERT(call->req.status ==
				    GRPC_STATUS_INVALID_ARGUMENT);
			return NOTHING;
		}
		FUZZ_ASSERT(commit_right(call, c, input->phase == VALIDATE));
	}
	ok = call->req.status == GRPC_STATUS_OK;
	if (!ok) {
		FUZZ_ASSERT(first);
		return NOTHING;
	}
	switch (input->phase) {
	case PREPARE:
		FUZZ_ASSERT(transaction_of(call) == 0);
		return prepared(call, c, input->comment);
	case ABORT:
		model.prepared.id = 0;
		break;
	case APPLY:
	case ALL:
		/* the tree of the moment is gone: what vtysh had is here */
		if (input->phase == APPLY)
			committed(call, c,
				  input->comment[0] ? input->comment
						    : model.prepared.comment);
		else
			committed(call, c, input->comment);
		FUZZ_ASSERT(transaction_of(call) == last_transaction);
		return NOTHING;
	default:
		break;
	}
	FUZZ_ASSERT(transaction_of(call) == 0);
	return NOTHING;
}

struct model_undo model_check_commit(struct grpc_call *call)
{
	const Frr__CommitRequest *input = (void *)call->req.input;
	struct candidate *c = use(call, input->candidate_id);
	bool second = input->phase == ABORT || input->phase == APPLY;

	if (!c)
		return NOTHING;
	if (strlen(input->comment) > RELAY_GRPC_COMMENT_MAX) {
		FUZZ_ASSERT(call->req.status == GRPC_STATUS_INVALID_ARGUMENT);
		return NOTHING;
	}
	if ((c->id == model.prepared.id) != second) {
		FUZZ_ASSERT(call->req.status ==
			    GRPC_STATUS_FAILED_PRECONDITION);
		return NOTHING;
	}
	return check_phase(call, c, input);
}
