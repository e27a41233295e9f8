// SPDX-License-Identifier: GPL-2.0-or-later
#define FUZZ_NB_LAB
#include "fuzz.h"

#include "northbound_cli.h"

#include "grpc_candidate.h"
#include "grpc_events.h"
#include "grpc_northbound.h"
#include "grpc_transaction.h"

#include "grpc_model_private.h"

uint32_t last_candidate, last_transaction, last_prepared, last_lock;
struct model model;

/* ------------------------------------------------------------------- calls */

static struct model_undo check_lock(struct grpc_call *call)
{
	bool is_free = !model.lock && !model.vtysh_lock;

	FUZZ_ASSERT(
		call->req.status ==
		(is_free ? GRPC_STATUS_OK : GRPC_STATUS_FAILED_PRECONDITION));
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
		model_expect_text(answer->data,
				  all ? &model.running_values : NULL);
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
		return model_check_create(call);
	if (what == &frr__commit_request__descriptor)
		return model_check_commit(call);
	if (what == &frr__lock_config_request__descriptor)
		return check_lock(call);
	if (what == &frr__delete_candidate_request__descriptor)
		model_check_delete(call);
	else if (what == &frr__update_candidate_request__descriptor)
		model_check_update(call);
	else if (what == &frr__edit_candidate_request__descriptor)
		model_check_edit(call);
	else if (what == &frr__load_to_candidate_request__descriptor)
		model_check_load(call);
	else if (what == &frr__list_transactions_request__descriptor)
		model_check_list(call);
	else if (what == &frr__get_transaction_request__descriptor)
		model_check_transaction(call);
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
		c = model_find(undo->number);
		if (c)
			model_drop(c);
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

	model_catch_up();
	if (grpc_lab_now - model.prepared.at >= RELAY_GRPC_PREPARED_S)
		model.prepared.id = 0;
	for (size_t i = model.ncandidates; i-- > 0;)
		if (is_over(&model.candidate[i]))
			model_drop(&model.candidate[i]);
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
	model_expect_same(running_config->dnode, &model.running);
	model_expect_same(vty_shared_candidate_config->dnode, &model.vtysh);
}

void model_init(void)
{
	static struct lab_book books[] = {{"3-16", "Emma"}, {"0'x", "Ulysses"}};

	lab_start(NULL);
	model_disarm();
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
	model_read_running();
	model_read_vtysh();
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
	model_transactions_free();
	flat_free(&model.running);
	flat_free(&model.running_values);
	flat_free(&model.vtysh);
	grpc_lab_now = 0;
	/* or the next input would free more than it takes, and be looked at for
	 * leaks in vain */
	ly_err_clean(ly_native_ctx, NULL);
}
