// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "northbound_cli.h"

#include "compat.h"
#include "grpc_candidate.h"
#include "grpc_events.h"
#include "grpc_northbound.h"
#include "grpc_transaction.h"
#include "relay_nb_tree.h"

#include "grpc_lab.h"
#include "utf8.h"

time_t grpc_lab_now;
struct grpc_said grpc_said;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id != CLOCK_MONOTONIC || !grpc_lab_now)
		return __real_clock_gettime(id, ts);
	ts->tv_sec = grpc_lab_now;
	ts->tv_nsec = 0;
	return 0;
}

void grpc_lab_start(unsigned int idle_s)
{
	relay_grpc_candidates_init(idle_s);
	relay_grpc_transactions_init();
	relay_grpc_events_init();
}

void grpc_lab_stop(void)
{
	relay_grpc_events_stop();
	relay_grpc_candidates_fini();
	relay_grpc_transactions_fini();
}

void grpc_lab_no_config(void)
{
	nb_config_replace(running_config, nb_config_new(NULL), false);
	nb_config_replace(vty_shared_candidate_config, running_config, true);
}

/* ------------------------------------------------------------------ calls */

static void stream_push(struct relay_grpc_request *req,
			struct relay_grpc_message *msg)
{
	struct grpc_call *call = container_of(req, struct grpc_call, req);

	assert_true(call->open);
	relay_grpc_messages_add_tail(&call->sent, msg);
}

static void stream_end(struct relay_grpc_request *req, grpc_status_code status,
		       const char *text)
{
	struct grpc_call *call = container_of(req, struct grpc_call, req);

	call->open = false;
	req->status = status;
	strlcpy(req->text, text, sizeof(req->text));
}

static const struct relay_grpc_stream_ops stream_ops = {
	.push = stream_push,
	.end = stream_end,
};

static const ProtobufCMessageDescriptor *output_of(const char *path)
{
	static const ProtobufCServiceDescriptor *const services[] = {
		&frr__northbound__descriptor,
		&relay__v1__events__descriptor,
	};
	const char *name = strrchr(path, '/') + 1;
	const ProtobufCMethodDescriptor *rpc;

	for (size_t i = 0; i < array_size(services); i++) {
		rpc = protobuf_c_service_descriptor_get_method_by_name(
			services[i], name);
		if (rpc)
			return rpc->output;
	}
	return NULL;
}

/* What holds whenever one comes back from the main thread. */
static void check(struct grpc_call *call)
{
	struct relay_grpc_request *req = &call->req;
	const struct relay_grpc_message *msg;

	assert_true(utf8_valid(req->text));
	assert_null(strchr(req->text, '\n'));
	if (req->status == GRPC_STATUS_OK) {
		assert_string_equal(req->text, "");
	} else {
		assert_int_not_equal(strlen(req->text), 0);
		assert_int_equal(relay_grpc_messages_count(&req->output), 0);
		assert_false(req->more);
	}
	frr_each (relay_grpc_messages_const, &req->output, msg)
		assert_true(msg->len <= RELAY_GRPC_MESSAGE_MAX);
}

static void run(struct grpc_call *call)
{
	struct relay_grpc_request *req = &call->req;
	struct relay_grpc_message *msg;

	for (;;) {
		req->method->run(req);
		check(call);
		while ((msg = relay_grpc_messages_pop(&req->output)))
			relay_grpc_messages_add_tail(&call->sent, msg);
		if (!req->more)
			break;
		req->more = false;
		req->step++;
	}
	call->open = req->method->stays && req->status == GRPC_STATUS_OK;
}

struct grpc_call *grpc_call_octets(uint64_t session, const char *name,
				   const uint8_t *octets, size_t len)
{
	struct grpc_call *call = calloc(1, sizeof(*call));
	struct relay_grpc_request *req = &call->req;
	char path[128];

	snprintf(path, sizeof(path), "%s%s",
		 name[0] == '/' ? "" : "/frr.Northbound/", name);
	relay_grpc_request_init(req);
	relay_grpc_messages_init(&call->sent);
	req->session = session;
	req->stream = &stream_ops;
	snprintf(req->peer, sizeof(req->peer), "127.0.0.1:%u",
		 (unsigned int)session);
	req->method = relay_grpc_method_find(path, strlen(path));
	assert_non_null(req->method);
	call->output = output_of(path);
	if (relay_grpc_request_decode(req, octets, len))
		run(call);
	else
		check(call);
	return call;
}

struct grpc_call *grpc_call(uint64_t session, const char *name,
			    const ProtobufCMessage *input)
{
	size_t len = protobuf_c_message_get_packed_size(input);
	uint8_t *octets = malloc(len + 1);
	struct grpc_call *call;

	protobuf_c_message_pack(input, octets);
	call = grpc_call_octets(session, name, octets, len);
	free(octets);
	return call;
}

void *grpc_call_answer(struct grpc_call *call)
{
	struct relay_grpc_message *msg = relay_grpc_messages_pop(&call->sent);
	ProtobufCMessage *answer;

	if (!msg)
		return NULL;
	answer = protobuf_c_message_unpack(call->output, NULL, msg->len,
					   msg->octets);
	assert_non_null(answer);
	relay_grpc_message_free(msg);
	return answer;
}

static void finish(struct grpc_call *call, bool cancelled)
{
	const struct relay_grpc_method *method = call->req.method;
	struct relay_grpc_message *msg;

	if (method->undo && call->req.input &&
	    (method->stays ||
	     (cancelled && call->req.status == GRPC_STATUS_OK)))
		method->undo(&call->req);
	while ((msg = relay_grpc_messages_pop(&call->sent)))
		relay_grpc_message_free(msg);
	relay_grpc_messages_fini(&call->sent);
	relay_grpc_request_clear(&call->req);
	free(call);
}

void grpc_call_end(struct grpc_call *call)
{
	finish(call, false);
}

void grpc_call_lose(struct grpc_call *call)
{
	finish(call, true);
}

void grpc_session_ended(uint64_t session)
{
	relay_grpc_lock_session_ended(session);
	relay_grpc_candidates_session_ended(session);
}

/* ----------------------------------------------------------- in the short */

static grpc_status_code said(struct grpc_call *call)
{
	grpc_status_code status = call->req.status;
	void *answer = grpc_call_answer(call);

	/* one answer exactly, or the status alone */
	assert_int_equal(answer != NULL, status == GRPC_STATUS_OK);
	assert_int_equal(relay_grpc_messages_count(&call->sent), 0);
	strlcpy(grpc_said.text, call->req.text, sizeof(grpc_said.text));
	grpc_said.id = 0;
	if (answer &&
	    call->output == &frr__create_candidate_response__descriptor)
		grpc_said.id =
			((Frr__CreateCandidateResponse *)answer)->candidate_id;
	if (answer && call->output == &frr__commit_response__descriptor)
		grpc_said.id = ((Frr__CommitResponse *)answer)->transaction_id;
	if (answer)
		protobuf_c_message_free_unpacked(answer, NULL);
	grpc_call_end(call);
	return status;
}

grpc_status_code grpc_create(uint64_t session, uint32_t *id)
{
	Frr__CreateCandidateRequest input = FRR__CREATE_CANDIDATE_REQUEST__INIT;
	grpc_status_code status;

	status = said(grpc_call(session, "CreateCandidate", &input.base));
	*id = grpc_said.id;
	return status;
}

grpc_status_code grpc_delete(uint64_t session, uint32_t id)
{
	Frr__DeleteCandidateRequest input = FRR__DELETE_CANDIDATE_REQUEST__INIT;

	input.candidate_id = id;
	return said(grpc_call(session, "DeleteCandidate", &input.base));
}

grpc_status_code grpc_update(uint64_t session, uint32_t id)
{
	Frr__UpdateCandidateRequest input = FRR__UPDATE_CANDIDATE_REQUEST__INIT;

	input.candidate_id = id;
	return said(grpc_call(session, "UpdateCandidate", &input.base));
}

grpc_status_code grpc_edit(uint64_t session, uint32_t id, const char *path,
			   const char *value)
{
	Frr__EditCandidateRequest input = FRR__EDIT_CANDIDATE_REQUEST__INIT;
	Frr__PathValue one = FRR__PATH_VALUE__INIT, *list = &one;

	input.candidate_id = id;
	one.path = (char *)path;
	if (value) {
		one.value = (char *)value;
		input.n_update = 1;
		input.update = &list;
	} else {
		input.n_delete_ = 1;
		input.delete_ = &list;
	}
	return said(grpc_call(session, "EditCandidate", &input.base));
}

grpc_status_code grpc_load(uint64_t session, uint32_t id, bool replace,
			   const char *json)
{
	Frr__LoadToCandidateRequest input =
		FRR__LOAD_TO_CANDIDATE_REQUEST__INIT;
	Frr__DataTree tree = FRR__DATA_TREE__INIT;

	input.candidate_id = id;
	if (replace)
		input.type = FRR__LOAD_TO_CANDIDATE_REQUEST__LOAD_TYPE__REPLACE;
	tree.data = (char *)json;
	input.config = &tree;
	return said(grpc_call(session, "LoadToCandidate", &input.base));
}

grpc_status_code grpc_commit(uint64_t session, uint32_t id, int phase,
			     const char *comment)
{
	Frr__CommitRequest input = FRR__COMMIT_REQUEST__INIT;

	input.candidate_id = id;
	input.phase = phase;
	input.comment = (char *)comment;
	return said(grpc_call(session, "Commit", &input.base));
}

grpc_status_code grpc_lock(uint64_t session)
{
	Frr__LockConfigRequest input = FRR__LOCK_CONFIG_REQUEST__INIT;

	return said(grpc_call(session, "LockConfig", &input.base));
}

grpc_status_code grpc_unlock(uint64_t session)
{
	Frr__UnlockConfigRequest input = FRR__UNLOCK_CONFIG_REQUEST__INIT;

	return said(grpc_call(session, "UnlockConfig", &input.base));
}

/* ------------------------------------------------------------------ vtysh */

bool vtysh_edit(const char *path, const char *value)
{
	const struct relay_nb_edit edit = {path, value};
	char err[512];

	return relay_nb_tree_edit(&vty_shared_candidate_config->dnode, &edit,
				  value ? 1 : 0, &edit, value ? 0 : 1, err,
				  sizeof(err)) == 0;
}

bool vtysh_commit(char *err, size_t len)
{
	struct nb_context context = {.client = NB_CLIENT_CLI};
	int ret;

	err[0] = '\0';
	ret = compat_candidate_commit(&context, vty_shared_candidate_config,
				      err, len);
	if (ret == NB_OK || ret == NB_ERR_NO_CHANGES)
		return true;
	nb_config_replace(vty_shared_candidate_config, running_config, true);
	return false;
}

/* ------------------------------------------------- what the programs share */

int grpc_lab_setup(void **state)
{
	grpc_lab_now = GRPC_LAB_BEGIN;
	grpc_lab_no_config();
	grpc_lab_start(GRPC_LAB_IDLE);
	return 0;
}

int grpc_lab_teardown(void **state)
{
	grpc_session_ended(ANN);
	grpc_session_ended(BOB);
	grpc_lab_stop();
	return relay_grpc_candidates_count() ||
	       relay_grpc_candidates_prepared() || relay_grpc_lock_owner();
}

uint32_t grpc_lab_create(uint64_t session)
{
	uint32_t id;

	OK(grpc_create(session, &id));
	assert_true(id > 0);
	return id;
}

void grpc_lab_expect_running(const char *json)
{
	assert_string_equal(lab_json(running_config->dnode, false), json);
	lab_check_tree(running_config->dnode);
}
