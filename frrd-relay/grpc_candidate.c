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
#include "monotime.h"

#include "grpc/frr-northbound.pb-c.h"

#include "compat.h"
#include "grpc_candidate_private.h"
#include "relay_memory.h"
#include "relay_nb_merge.h"
#include "relay_nb_tree.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_CANDIDATE, "gRPC candidate");

static int by_number_cmp(const struct relay_grpc_candidate *a,
			 const struct relay_grpc_candidate *b)
{
	return numcmp(a->id, b->id);
}

static uint32_t by_number_hash(const struct relay_grpc_candidate *c)
{
	return jhash_1word(c->id, 0);
}

DECLARE_DLIST(relay_grpc_table, struct relay_grpc_candidate, item);
DECLARE_HASH(relay_grpc_by_number, struct relay_grpc_candidate, hash_item,
	     by_number_cmp, by_number_hash);

static struct relay_grpc_table_head candidates[1] = {INIT_DLIST(candidates[0])};
static struct relay_grpc_by_number_head numbers[1];
static uint32_t last_id;
static unsigned int idle_max_s;

void relay_grpc_candidate_set_base(struct relay_grpc_candidate *c,
				   struct relay_grpc_base *base)
{
	if (c->base)
		relay_grpc_base_put(c->base);
	c->base = base;
	c->config->version = base->version;
}

/* What others have committed since comes in. 0 or -errno. */
int relay_grpc_candidate_rebase(struct relay_grpc_candidate *c)
{
	struct relay_grpc_base *now = relay_grpc_base_get();
	struct lyd_node *tree;
	int ret;

	if (c->base == now) {
		relay_grpc_base_put(now);
		return 0;
	}
	tree = yang_dnode_dup(running_config->dnode);
	ret = relay_nb_merge(c->base->tree, c->config->dnode, &tree);
	if (ret < 0) {
		yang_dnode_free(tree);
		relay_grpc_base_put(now);
		return ret;
	}
	yang_dnode_free(c->config->dnode);
	c->config->dnode = tree;
	relay_grpc_candidate_set_base(c, now);
	return 0;
}

/* ------------------------------------------------------------- the table */

static void candidate_free(struct relay_grpc_candidate *c)
{
	relay_grpc_candidate_abort(c);
	relay_grpc_by_number_del(numbers, c);
	relay_grpc_table_del(candidates, c);
	nb_config_free(c->config);
	relay_grpc_base_put(c->base);
	XFREE(MTYPE_GRPC_CANDIDATE, c);
}

/* The one with that number, which is used now; or the request has failed. */
struct relay_grpc_candidate *
relay_grpc_candidate_of(struct relay_grpc_request *req, uint32_t id)
{
	struct relay_grpc_candidate key = {.id = id},
				    *c = relay_grpc_by_number_find(numbers,
								   &key);

	if (!c) {
		relay_grpc_fail(req, GRPC_STATUS_NOT_FOUND,
				"candidate %u not found", id);
		return NULL;
	}
	c->used = monotime(NULL);
	relay_grpc_table_del(candidates, c);
	relay_grpc_table_add_tail(candidates, c);
	return c;
}

/* The same, of one that may be changed. */
static struct relay_grpc_candidate *
candidate_to_change(struct relay_grpc_request *req, uint32_t id)
{
	struct relay_grpc_candidate *c = relay_grpc_candidate_of(req, id);

	if (c && c->transaction) {
		relay_grpc_fail(
			req, GRPC_STATUS_FAILED_PRECONDITION,
			"candidate %u is in the middle of a transaction", id);
		return NULL;
	}
	return c;
}

/* The same, by what the request brings: it may not grow for ever. */
static struct relay_grpc_candidate *
candidate_to_edit(struct relay_grpc_request *req, uint32_t id)
{
	struct relay_grpc_candidate *c = candidate_to_change(req, id);
	size_t len;

	if (!c)
		return NULL;
	len = protobuf_c_message_get_packed_size(req->input);
	if (c->edited + len > RELAY_GRPC_EDITED_MAX) {
		relay_grpc_fail(
			req, GRPC_STATUS_RESOURCE_EXHAUSTED,
			"candidate %u has had %d octets of edits: commit it, or begin anew",
			id, RELAY_GRPC_EDITED_MAX);
		return NULL;
	}
	c->edited += len;
	return c;
}

void relay_grpc_candidates_init(unsigned int idle_s)
{
	idle_max_s = idle_s;
	relay_grpc_by_number_init(numbers);
}

void relay_grpc_candidates_fini(void)
{
	struct relay_grpc_candidate *c;

	while ((c = relay_grpc_table_first(candidates)))
		candidate_free(c);
	relay_grpc_by_number_fini(numbers);
	relay_grpc_base_forget();
}

void relay_grpc_candidates_age(time_t now)
{
	struct relay_grpc_candidate *c;

	relay_grpc_prepared_age(now);
	frr_each_safe (relay_grpc_table, candidates, c) {
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
	struct relay_grpc_candidate *c;

	relay_grpc_prepared_session_ended(session);
	frr_each (relay_grpc_table, candidates, c)
		if (c->session == session) {
			c->session = 0;
			c->orphaned = monotime(NULL);
		}
}

size_t relay_grpc_candidates_count(void)
{
	return relay_grpc_table_count(candidates);
}

/* One whose session has ended makes room. */
static bool make_room(void)
{
	struct relay_grpc_candidate *c;

	if (relay_grpc_table_count(candidates) < RELAY_GRPC_CANDIDATES)
		return true;
	frr_each (relay_grpc_table, candidates, c)
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
	struct relay_grpc_candidate *c;

	if (!make_room()) {
		relay_grpc_fail(req, GRPC_STATUS_RESOURCE_EXHAUSTED,
				"%d candidates are open: delete one",
				RELAY_GRPC_CANDIDATES);
		return;
	}
	c = XCALLOC(MTYPE_GRPC_CANDIDATE, sizeof(*c));
	c->id = ++last_id;
	c->config = nb_config_dup(running_config);
	relay_grpc_candidate_set_base(c, relay_grpc_base_get());
	c->session = req->session;
	c->used = monotime(NULL);
	relay_grpc_by_number_add(numbers, c);
	relay_grpc_table_add_tail(candidates, c);

	req->id = c->id;
	answer.candidate_id = c->id;
	relay_grpc_answer(req, &answer.base);
}

void relay_grpc_create_candidate_undo(struct relay_grpc_request *req)
{
	struct relay_grpc_candidate key = {.id = req->id};
	struct relay_grpc_candidate *c =
		relay_grpc_by_number_find(numbers, &key);

	if (c)
		candidate_free(c);
}

void relay_grpc_delete_candidate(struct relay_grpc_request *req)
{
	const Frr__DeleteCandidateRequest *input = (void *)req->input;
	Frr__DeleteCandidateResponse answer =
		FRR__DELETE_CANDIDATE_RESPONSE__INIT;
	struct relay_grpc_candidate *c =
		relay_grpc_candidate_of(req, input->candidate_id);

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
	struct relay_grpc_candidate *c =
		candidate_to_change(req, input->candidate_id);

	if (!c)
		return;
	if (relay_grpc_candidate_rebase(c) < 0)
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
	struct relay_grpc_candidate *c =
		candidate_to_edit(req, input->candidate_id);
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
	struct relay_grpc_candidate *c =
		candidate_to_edit(req, input->candidate_id);
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
