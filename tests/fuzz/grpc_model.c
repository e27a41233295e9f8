// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Candidates with their trees, the one that is prepared, the lock, transactions,
 * and what runs and what vtysh has, after each step.
 *
 * What paths, values and texts of trees come to is asked from relay_nb_tree_edit()
 * and relay_nb_tree_load(), which have tests of their own; and merges are held
 * against flat_merge().
 */
#define FUZZ_NB_LAB
#include "fuzz.h"

#include "northbound_cli.h"

#include "grpc_candidate.h"
#include "grpc_events.h"
#include "grpc_northbound.h"
#include "grpc_transaction.h"
#include "relay_nb_merge.h"
#include "relay_nb_tree.h"

#include "flat.h"
#include "grpc_model.h"

struct candidate {
	uint32_t id;
	uint64_t session; /* 0: has ended */
	time_t used, orphaned;
	uint64_t order; /* of uses */
	uint32_t version;
	struct lyd_node *base, *own;
};

struct transaction {
	uint32_t id;
	char client[64], *comment;
	struct flat config;
};

/* numbers that go on from input to input */
static uint32_t last_candidate, last_transaction, last_prepared, last_lock;

static struct {
	unsigned int idle_s;
	uint32_t version;
	uint64_t uses;
	struct candidate candidate[RELAY_GRPC_CANDIDATES];
	size_t ncandidates, nstreams;
	struct {
		uint32_t id, number; /* 0: none is */
		uint64_t by;
		time_t at;
		char comment[RELAY_GRPC_COMMENT_MAX + 1];
	} prepared;
	uint64_t lock; /* session */
	bool vtysh_lock;
	struct flat running, running_values, vtysh; /* flat_read()'s two ways */
	bool unrecorded; /* vtysh has committed since the last transaction */
	struct transaction transaction[RELAY_GRPC_TRANSACTIONS_MAX];
	size_t ntransactions; /* newest last */
} model;

#define NOTHING ((struct model_undo){MODEL_NOTHING, 0})

static struct lyd_node *tree_dup(const struct lyd_node *tree)
{
	struct lyd_node *copy = NULL;

	FUZZ_ASSERT(lyd_dup_siblings(tree, NULL, LYD_DUP_RECURSIVE, &copy) ==
		    LY_SUCCESS);
	return copy;
}

static bool validate(struct lyd_node **tree)
{
	return lyd_validate_all(tree, ly_native_ctx, LYD_VALIDATE_NO_STATE,
				NULL) == LY_SUCCESS;
}

/* ---------------------------------------------------- the configurations */

/* What is not relay-lab's is refused in the end, so that nothing is done to this
 * host. */
static int no_create(struct nb_cb_create_args *args)
{
	return args->event == NB_EV_PREPARE ? NB_ERR_RESOURCE : NB_OK;
}

static int no_modify(struct nb_cb_modify_args *args)
{
	return args->event == NB_EV_PREPARE ? NB_ERR_RESOURCE : NB_OK;
}

static int no_destroy(struct nb_cb_destroy_args *args)
{
	return NB_OK;
}

static int disarm(const struct lysc_node *snode, void *arg)
{
	struct nb_node *node = snode->priv;

	if (node->cbs.create)
		node->cbs.create = no_create;
	if (node->cbs.modify)
		node->cbs.modify = no_modify;
	if (node->cbs.destroy)
		node->cbs.destroy = no_destroy;
	node->cbs.apply_finish = NULL;
	return YANG_ITER_CONTINUE;
}

static bool is_relayds(const struct flat *flat)
{
	return flat_has(flat, "/frr-relay:");
}

static void read_running(void)
{
	flat_free(&model.running);
	flat_free(&model.running_values);
	flat_read(&model.running, running_config->dnode, false);
	flat_read(&model.running_values, running_config->dnode, true);
}

static void expect_running(const struct flat *expected)
{
	struct lyd_node *copy = tree_dup(running_config->dnode);

	FUZZ_ASSERT(validate(&copy));
	lyd_free_all(copy);
	read_running();
	FUZZ_ASSERT(flat_equal(&model.running, expected));
	FUZZ_ASSERT(!is_relayds(&model.running));
}

static void read_vtysh(void)
{
	flat_free(&model.vtysh);
	flat_read(&model.vtysh, vty_shared_candidate_config->dnode, false);
}

/* Is it what is kept here? */
static void expect_same(const struct lyd_node *tree, const struct flat *kept)
{
	struct flat flat;

	flat_read(&flat, tree, false);
	FUZZ_ASSERT(flat_equal(&flat, kept));
	flat_free(&flat);
}

/* Would libfrr find a change to what has been running until now? */
enum change { CHANGE_NONE, CHANGE_MAYBE, CHANGE_SOME };

static enum change changes(const struct lyd_node *tree)
{
	enum change change = CHANGE_SOME;
	struct flat flat, values;

	flat_read(&flat, tree, false);
	flat_read(&values, tree, true);
	/* a default that is given, and the order of a list */
	if (flat_equal(&values, &model.running_values))
		change = !flat_equal(&flat, &model.running) ||
					 flat_has(&flat, "/relay-lab:box/pile")
				 ? CHANGE_MAYBE
				 : CHANGE_NONE;
	flat_free(&flat);
	flat_free(&values);
	return change;
}

/* ------------------------------------------------------------ transactions */

static void transaction_free(struct transaction *t)
{
	free(t->comment);
	flat_free(&t->config);
}

static void record(const char *client, const char *comment)
{
	struct transaction *t = model.transaction;

	if (model.ntransactions == RELAY_GRPC_TRANSACTIONS_MAX) {
		transaction_free(t);
		memmove(t, t + 1, --model.ntransactions * sizeof(*t));
	}
	t += model.ntransactions++;
	t->id = ++last_transaction;
	strlcpy(t->client, client, sizeof(t->client));
	t->comment = strdup(comment);
	flat_copy(&t->config, &model.running_values);
	model.unrecorded = false;
}

static void catch_up(void)
{
	if (model.unrecorded)
		record("CLI", "");
}

/* What a client makes of it is what it was. */
static void expect_text(const Frr__DataTree *tree, const struct flat *expected)
{
	struct lyd_node *parsed = NULL;
	struct flat flat;

	if (tree->encoding == FRR__ENCODING__JSON || tree->data[0])
		FUZZ_ASSERT(lyd_parse_data_mem(
				    ly_native_ctx, tree->data,
				    tree->encoding == FRR__ENCODING__JSON
					    ? LYD_JSON
					    : LYD_XML,
				    LYD_PARSE_ONLY | LYD_PARSE_STRICT, 0,
				    &parsed) == LY_SUCCESS);
	flat_read(&flat, parsed, true);
	if (expected)
		FUZZ_ASSERT(flat_equal(&flat, expected));
	flat_free(&flat);
	lyd_free_all(parsed);
}

static void check_list(struct grpc_call *call)
{
	Frr__ListTransactionsResponse *answer;

	catch_up();
	FUZZ_ASSERT(call->req.status == GRPC_STATUS_OK);
	for (size_t i = model.ntransactions; i-- > 0;) {
		const struct transaction *t = &model.transaction[i];

		answer = grpc_call_answer(call);
		FUZZ_ASSERT(answer && answer->id == t->id);
		FUZZ_ASSERT(!strcmp(answer->client, t->client));
		FUZZ_ASSERT(!strcmp(answer->comment, t->comment));
		protobuf_c_message_free_unpacked(&answer->base, NULL);
	}
	FUZZ_ASSERT(!grpc_call_answer(call));
}

static void check_transaction(struct grpc_call *call)
{
	const Frr__GetTransactionRequest *input = (void *)call->req.input;
	Frr__GetTransactionResponse *answer;
	const struct transaction *t = NULL;

	if (input->encoding != FRR__ENCODING__JSON &&
	    input->encoding != FRR__ENCODING__XML) {
		FUZZ_ASSERT(call->req.status == GRPC_STATUS_INVALID_ARGUMENT);
		return;
	}
	catch_up();
	for (size_t i = 0; i < model.ntransactions; i++)
		if (model.transaction[i].id == input->transaction_id)
			t = &model.transaction[i];
	FUZZ_ASSERT(call->req.status ==
		    (t ? GRPC_STATUS_OK : GRPC_STATUS_NOT_FOUND));
	if (!t)
		return;
	answer = grpc_call_answer(call);
	expect_text(answer->config, &t->config);
	protobuf_c_message_free_unpacked(&answer->base, NULL);
}

/* -------------------------------------------------------------- candidates */

static struct candidate *find(uint32_t id)
{
	for (size_t i = 0; i < model.ncandidates; i++)
		if (model.candidate[i].id == id)
			return &model.candidate[i];
	return NULL;
}

static void drop(struct candidate *c)
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
	struct candidate *c = find(id);

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
		drop(oldest);
	return oldest;
}

static struct model_undo check_create(struct grpc_call *call)
{
	Frr__CreateCandidateResponse *answer;
	struct candidate *c;

	if (!make_room()) {
		FUZZ_ASSERT(call->req.status ==
			    GRPC_STATUS_RESOURCE_EXHAUSTED);
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
		.base = tree_dup(running_config->dnode),
		.own = tree_dup(running_config->dnode),
	};
	return (struct model_undo){MODEL_CANDIDATE, c->id};
}

static void check_delete(struct grpc_call *call)
{
	const Frr__DeleteCandidateRequest *input = (void *)call->req.input;
	struct candidate *c = use(call, input->candidate_id);

	if (!c)
		return;
	FUZZ_ASSERT(call->req.status == GRPC_STATUS_OK);
	drop(c);
}

/* Others' commits come in: of each node what a merge of lists says. */
static void rebase(struct candidate *c)
{
	struct lyd_node *tree = tree_dup(running_config->dnode);
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
	if (!is_relayds(&own) && flat_one_case(&own))
		FUZZ_ASSERT(flat_equal(&merged, &expected));
	flat_free(&base);
	flat_free(&own);
	flat_free(&merged);
	flat_free(&expected);
	lyd_free_all(c->base);
	lyd_free_all(c->own);
	c->base = tree_dup(running_config->dnode);
	c->own = tree;
	c->version = model.version;
}

static void check_update(struct grpc_call *call)
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
		expect_same(c->own, before);
	flat_free(before);
}

static void check_edit(struct grpc_call *call)
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

static void check_load(struct grpc_call *call)
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

	catch_up();
	flat_copy(&before, &model.running);
	flat_read(&own, c->own, false);
	expect_running(&own);
	flat_merge(&before, &model.running, &model.vtysh, &vtysh);
	if (!is_relayds(&model.vtysh))
		expect_same(vty_shared_candidate_config->dnode, &vtysh);
	FUZZ_ASSERT(vty_shared_candidate_config->version ==
		    running_config->version);
	flat_free(&own);
	flat_free(&before);
	flat_free(&vtysh);
	read_vtysh();

	model.prepared.id = 0;
	c->version = ++model.version;
	lyd_free_all(c->base);
	c->base = tree_dup(running_config->dnode);
	snprintf(client, sizeof(client), "gRPC 127.0.0.1:%u",
		 (unsigned int)call->req.session);
	record(client, comment);
}

/* Which status may it be? What relayd itself says to a configuration of its own is
 * not known here. */
static bool commit_right(struct grpc_call *call, struct candidate *c,
			 bool only_validate)
{
	bool blocked = model.prepared.id || model.vtysh_lock ||
		       (model.lock && model.lock != call->req.session);
	grpc_status_code status = call->req.status, expected;
	enum change change;
	struct flat own;
	bool relayds;

	if (!validate(&c->own))
		return status == GRPC_STATUS_INVALID_ARGUMENT;
	flat_read(&own, c->own, false);
	relayds = is_relayds(&own);
	flat_free(&own);
	change = changes(c->own);
	if (only_validate)
		return status == GRPC_STATUS_OK ||
		       (relayds && status == GRPC_STATUS_INVALID_ARGUMENT);
	expected = blocked   ? GRPC_STATUS_UNAVAILABLE
		   : relayds ? GRPC_STATUS_RESOURCE_EXHAUSTED
			     : GRPC_STATUS_OK;
	if (relayds)
		return status == expected ||
		       status == GRPC_STATUS_INVALID_ARGUMENT ||
		       (change == CHANGE_MAYBE && status == GRPC_STATUS_ABORTED);
	if (change == CHANGE_NONE)
		return status == GRPC_STATUS_ABORTED;
	return status == expected ||
	       (change == CHANGE_MAYBE && status == GRPC_STATUS_ABORTED);
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

/* With the answers' own failures told apart, and what has come of it told to the
 * model. */
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
			committed(call, c, input->comment[0]
						   ? input->comment
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

static struct model_undo check_commit(struct grpc_call *call)
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

/* --------------------------------------------------------------- other calls */

static struct model_undo check_lock(struct grpc_call *call)
{
	bool is_free = !model.lock && !model.vtysh_lock;

	FUZZ_ASSERT(call->req.status ==
		    (is_free ? GRPC_STATUS_OK
			     : GRPC_STATUS_FAILED_PRECONDITION));
	if (!is_free)
		return NOTHING;
	model.lock = call->req.session;
	return (struct model_undo){MODEL_LOCK, ++last_lock};
}

static void check_unlock(struct grpc_call *call)
{
	bool its = model.lock == call->req.session;

	FUZZ_ASSERT(call->req.status ==
		    (its ? GRPC_STATUS_OK : GRPC_STATUS_FAILED_PRECONDITION));
	if (its)
		model.lock = 0;
}

static void check_get(struct grpc_call *call)
{
	const Frr__GetRequest *input = (void *)call->req.input;
	size_t n = 0, wanted = MAX(input->n_path, (size_t)1);
	Frr__GetResponse *answer;

	while ((answer = grpc_call_answer(call))) {
		const char *path = input->n_path ? input->path[n] : "";
		bool all = input->type == FRR__GET_REQUEST__DATA_TYPE__CONFIG &&
			   (!path[0] || !strcmp(path, "/"));

		FUZZ_ASSERT(answer->data->encoding == input->encoding);
		expect_text(answer->data, all ? &model.running_values : NULL);
		protobuf_c_message_free_unpacked(&answer->base, NULL);
		n++;
	}
	if (call->req.status == GRPC_STATUS_OK)
		FUZZ_ASSERT(n == wanted);
	else
		FUZZ_ASSERT(call->req.status == GRPC_STATUS_INVALID_ARGUMENT &&
			    n < wanted);
}

static void check_subscribe(struct grpc_call *call)
{
	const Relay__V1__SubscribeRequest *input = (void *)call->req.input;
	grpc_status_code expected = GRPC_STATUS_OK;

	if (input->n_name > RELAY_GRPC_NAMES_MAX)
		expected = GRPC_STATUS_INVALID_ARGUMENT;
	else if (input->n_name)
		expected = GRPC_STATUS_NOT_FOUND;
	else if (model.nstreams == RELAY_GRPC_SUBSCRIPTIONS)
		expected = GRPC_STATUS_RESOURCE_EXHAUSTED;
	FUZZ_ASSERT(call->req.status == expected);
	model.nstreams += call->open;
}

static void check_execute(struct grpc_call *call)
{
	FUZZ_ASSERT(call->req.status == GRPC_STATUS_OK ||
		    call->req.status == GRPC_STATUS_NOT_FOUND ||
		    call->req.status == GRPC_STATUS_INVALID_ARGUMENT);
}

static bool is_refused(const struct grpc_call *call)
{
	return !call->req.input ||
	       !strcmp(call->req.text, "a string is not UTF-8");
}

struct model_undo model_call(struct grpc_call *call)
{
	const ProtobufCMessageDescriptor *what = call->req.method->input;

	if (is_refused(call))
		return NOTHING;
	if (what == &frr__create_candidate_request__descriptor)
		return check_create(call);
	if (what == &frr__commit_request__descriptor)
		return check_commit(call);
	if (what == &frr__lock_config_request__descriptor)
		return check_lock(call);
	if (what == &frr__delete_candidate_request__descriptor)
		check_delete(call);
	else if (what == &frr__update_candidate_request__descriptor)
		check_update(call);
	else if (what == &frr__edit_candidate_request__descriptor)
		check_edit(call);
	else if (what == &frr__load_to_candidate_request__descriptor)
		check_load(call);
	else if (what == &frr__list_transactions_request__descriptor)
		check_list(call);
	else if (what == &frr__get_transaction_request__descriptor)
		check_transaction(call);
	else if (what == &frr__unlock_config_request__descriptor)
		check_unlock(call);
	else if (what == &frr__get_request__descriptor)
		check_get(call);
	else if (what == &relay__v1__subscribe_request__descriptor)
		check_subscribe(call);
	else if (what == &frr__execute_request__descriptor)
		check_execute(call);
	else
		FUZZ_ASSERT(call->req.status == GRPC_STATUS_OK);
	return NOTHING;
}

/* ------------------------------------------------------------------ others */

void model_lost(const struct model_undo *undo)
{
	struct candidate *c;

	switch (undo->what) {
	case MODEL_NOTHING:
		break;
	case MODEL_CANDIDATE:
		c = find(undo->number);
		if (c)
			drop(c);
		break;
	case MODEL_PREPARED:
		if (model.prepared.number == undo->number)
			model.prepared.id = 0;
		break;
	case MODEL_LOCK:
		if (last_lock == undo->number)
			model.lock = 0;
		break;
	}
}

void model_session_ended(uint64_t session)
{
	if (model.prepared.by == session)
		model.prepared.id = 0;
	if (model.lock == session)
		model.lock = 0;
	for (size_t i = 0; i < model.ncandidates; i++)
		if (model.candidate[i].session == session) {
			model.candidate[i].session = 0;
			model.candidate[i].orphaned = grpc_lab_now;
		}
}

void model_streams(size_t n)
{
	model.nstreams = n;
}

uint32_t model_candidate(uint8_t which)
{
	if (which >= 240 || !model.ncandidates)
		return last_candidate + 2 - which % 8;
	return model.candidate[which % model.ncandidates].id;
}

uint32_t model_transaction(uint8_t which)
{
	return last_transaction + 1 - which;
}

static bool is_over(const struct candidate *c)
{
	time_t unused = grpc_lab_now - c->used;

	if (c->id == model.prepared.id)
		return false;
	return unused >= (time_t)model.idle_s ||
	       (!c->session && unused >= RELAY_GRPC_ORPHAN_S &&
		grpc_lab_now - c->orphaned >= RELAY_GRPC_ORPHAN_S);
}

void model_pass(unsigned int seconds)
{
	grpc_lab_now += seconds;
	relay_grpc_candidates_age(grpc_lab_now);
	relay_grpc_transactions_catch_up();

	catch_up();
	if (grpc_lab_now - model.prepared.at >= RELAY_GRPC_PREPARED_S)
		model.prepared.id = 0;
	for (size_t i = model.ncandidates; i-- > 0;)
		if (is_over(&model.candidate[i]))
			drop(&model.candidate[i]);
}

void model_vtysh_edit(const char *path, const char *value)
{
	vtysh_edit(path, value);
	read_vtysh();
}

void model_vtysh_commit(void)
{
	struct lyd_node *tree = tree_dup(vty_shared_candidate_config->dnode);
	uint32_t version = running_config->version;
	bool blocked = model.prepared.id || model.lock;
	bool valid = validate(&tree), relayds = is_relayds(&model.vtysh), ok;
	enum change change = changes(tree);
	char err[512];

	ok = vtysh_commit(err, sizeof(err));
	if (valid && change == CHANGE_NONE)
		FUZZ_ASSERT(ok && running_config->version == version);
	else if (change != CHANGE_MAYBE)
		FUZZ_ASSERT(ok == (valid && !blocked && !relayds));
	if (running_config->version != version) {
		FUZZ_ASSERT(ok);
		/* nobody's commit is undone by it, since vtysh had them all */
		expect_running(&model.vtysh);
		model.version++;
		model.unrecorded = true;
	}
	if (!ok)
		expect_same(vty_shared_candidate_config->dnode,
			    &model.running);
	read_vtysh();
	lyd_free_all(tree);
}

void model_vtysh_lock(bool on)
{
	bool may = on ? !model.lock && !model.vtysh_lock : model.vtysh_lock;
	int ret = on ? nb_running_lock(NB_CLIENT_CLI, NULL)
		     : nb_running_unlock(NB_CLIENT_CLI, NULL);

	FUZZ_ASSERT((ret == 0) == may);
	if (may)
		model.vtysh_lock = on;
}

/* -------------------------------------------------------------------- life */

void model_check(void)
{
	FUZZ_ASSERT(relay_grpc_candidates_count() == model.ncandidates);
	FUZZ_ASSERT(relay_grpc_candidates_prepared() ==
		    (model.prepared.id != 0));
	FUZZ_ASSERT((relay_grpc_lock_owner() != NULL) == (model.lock != 0));
	FUZZ_ASSERT(relay_grpc_events_count() == model.nstreams);
	/* nothing but a commit, or vtysh, has changed them */
	expect_same(running_config->dnode, &model.running);
	expect_same(vty_shared_candidate_config->dnode, &model.vtysh);
}

void model_init(void)
{
	static struct lab_book books[] = {{"3-16", "Emma"}, {"0'x", "Ulysses"}};

	lab_start();
	yang_snodes_iterate(yang_module_find("frr-relay")->info, disarm, 0,
			    NULL);
	lab.nshelves = 2;
	lab.shelf[0] = (struct lab_shelf){
		.row = 1, .side = "left", .book = books, .nbooks = 2};
	lab.shelf[1] = (struct lab_shelf){.row = 2, .side = "left"};
	lab.rows = 2;
	lab.paint = "red";
}

void model_start(uint8_t how)
{
	memset(&model, 0, sizeof(model));
	model.idle_s = how & 1 ? 10 : 300;
	grpc_lab_now = 1000;
	grpc_lab_no_config();
	grpc_lab_start(model.idle_s);
	read_running();
	read_vtysh();
}

void model_stop(void)
{
	FUZZ_ASSERT(!relay_grpc_candidates_prepared());
	FUZZ_ASSERT(!relay_grpc_lock_owner());
	if (model.vtysh_lock)
		model_vtysh_lock(false);
	FUZZ_ASSERT(nb_running_lock_check(NB_CLIENT_NONE, &model) == 0);
	model_pass(RELAY_GRPC_ORPHAN_S);
	FUZZ_ASSERT(relay_grpc_candidates_count() == 0);
	FUZZ_ASSERT(model.ncandidates == 0);
	grpc_lab_stop();
	FUZZ_ASSERT(grpc_log_count(relay_grpc_log) == 0);
	for (size_t i = 0; i < model.ntransactions; i++)
		transaction_free(&model.transaction[i]);
	flat_free(&model.running);
	flat_free(&model.running_values);
	flat_free(&model.vtysh);
	grpc_lab_now = 0;
	/* or the next input would free more than it takes, and be looked at for leaks
	 * in vain */
	ly_err_clean(ly_native_ctx, NULL);
}
