// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *   clients -> grpc_session, grpc_tls    connections, a thread
 *           -> grpc_server, grpc_call    gRPC's C core and calls, a thread
 *           -> grpc_northbound, grpc_candidate, grpc_events    the main thread
 *           -> relay_nb_*, libfrr's northbound
 */
#include <zebra.h>

#include "log.h"
#include "monotime.h"

#include "grpc_call.h"
#include "grpc_candidate.h"
#include "grpc_events.h"
#include "grpc_inbox.h"
#include "grpc_module.h"
#include "grpc_northbound.h"
#include "grpc_options.h"
#include "grpc_server.h"
#include "grpc_session.h"
#include "grpc_transaction.h"
#include "relay_grpc.h"

#include "grpc/frr-northbound.pb-c.h"
#include "grpc/relay-events.pb-c.h"

#define NORTHBOUND(call, input_desc, ...)                                      \
	{                                                                      \
		.path = "/frr.Northbound/" call,                               \
		.input = &frr__##input_desc##_request__descriptor,             \
		__VA_ARGS__                                                    \
	}

/* clang-format off */
const struct relay_grpc_method relay_grpc_methods[] = {
	NORTHBOUND("GetCapabilities", get_capabilities,
		   .run = relay_grpc_get_capabilities),
	NORTHBOUND("Get", get,
		   .run = relay_grpc_get),
	NORTHBOUND("CreateCandidate", create_candidate,
		   .run = relay_grpc_create_candidate,
		   .undo = relay_grpc_create_candidate_undo),
	NORTHBOUND("DeleteCandidate", delete_candidate,
		   .run = relay_grpc_delete_candidate),
	NORTHBOUND("UpdateCandidate", update_candidate,
		   .run = relay_grpc_update_candidate),
	NORTHBOUND("EditCandidate", edit_candidate,
		   .run = relay_grpc_edit_candidate),
	NORTHBOUND("LoadToCandidate", load_to_candidate,
		   .run = relay_grpc_load_to_candidate),
	NORTHBOUND("Commit", commit,
		   .run = relay_grpc_commit,
		   .undo = relay_grpc_commit_undo),
	NORTHBOUND("ListTransactions", list_transactions,
		   .run = relay_grpc_list_transactions),
	NORTHBOUND("GetTransaction", get_transaction,
		   .run = relay_grpc_get_transaction),
	NORTHBOUND("LockConfig", lock_config,
		   .run = relay_grpc_lock_config,
		   .undo = relay_grpc_lock_config_undo),
	NORTHBOUND("UnlockConfig", unlock_config,
		   .run = relay_grpc_unlock_config),
	NORTHBOUND("Execute", execute,
		   .run = relay_grpc_execute),
	{
		.path = "/relay.v1.Events/Subscribe",
		.input = &relay__v1__subscribe_request__descriptor,
		.run = relay_grpc_subscribe,
		.undo = relay_grpc_subscribe_undo,
		.stays = true,
	},
	{},
};
/* clang-format on */

static struct relay_grpc_options options = {
	.idle_s = RELAY_GRPC_IDLE_DEFAULT_S,
};
static struct frr_loop *grpc_loop;
static struct frr_event *t_second;

/* ---------------------------------------------------------------- options */

static bool idle_option(const char *arg, char *err, size_t len)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (!isdigit((unsigned char)arg[0]) || *end ||
	    n < RELAY_GRPC_IDLE_MIN_S || n > RELAY_GRPC_IDLE_MAX_S) {
		snprintf(err, len,
			 "--grpc-idle %s: a number of seconds from %d to %d is wanted",
			 arg, RELAY_GRPC_IDLE_MIN_S, RELAY_GRPC_IDLE_MAX_S);
		return false;
	}
	options.idle_s = n;
	return true;
}

bool relay_grpc_option(int opt, const char *arg, bool *ok, char *err,
		       size_t len)
{
	*ok = true;
	switch (opt - RELAY_GRPC_OPTION) {
	case 0:
		*ok = relay_grpc_options_listen(&options, arg, err, len);
		return true;
	case 1:
		options.cert = arg;
		return true;
	case 2:
		options.key = arg;
		return true;
	case 3:
		options.client_ca = arg;
		return true;
	case 4:
		*ok = idle_option(arg, err, len);
		return true;
	default:
		return false;
	}
}

bool relay_grpc_options_ok(char *err, size_t len)
{
	return relay_grpc_options_check(&options, err, len);
}

/* ------------------------------------------------------------------- life */

static void on_main_session_ended(uint64_t session)
{
	relay_grpc_lock_session_ended(session);
	relay_grpc_candidates_session_ended(session);
}

/* on the sessions' thread */
static void session_ended(uint64_t session)
{
	relay_grpc_inbox_call(on_main_session_ended, session);
}

static const struct relay_grpc_session_ops session_ops = {
	.serve = relay_grpc_server_serve,
	.ended = session_ended,
};

static void on_second(struct frr_event *ev)
{
	relay_grpc_candidates_age(monotime(NULL));
	relay_grpc_transactions_catch_up();
	event_add_timer(grpc_loop, on_second, NULL, 1, &t_second);
}

bool relay_grpc_enabled(void)
{
	return options.nlisten > 0;
}

bool relay_grpc_open(gid_t group, char *err, size_t len)
{
	return !relay_grpc_enabled() ||
	       (relay_grpc_module_load(err, len) &&
		relay_grpc_sessions_open(&options, group, err, len));
}

void relay_grpc_start(struct frr_loop *loop)
{
	int ret;

	if (!relay_grpc_enabled())
		return;
	grpc_loop = loop;
	relay_grpc_candidates_init(options.idle_s);
	relay_grpc_transactions_init();
	relay_grpc_events_init();
	ret = relay_grpc_server_start(loop);
	if (ret == 0)
		ret = relay_grpc_sessions_start(&session_ops);
	if (ret < 0) {
		zlog_err("gRPC is not served: %s", safe_strerror(-ret));
		return;
	}
	on_second(NULL);
	for (size_t i = 0; i < options.nlisten; i++)
		zlog_notice("gRPC is served at %s", options.listen[i].text);
}

void relay_grpc_stop(void)
{
	if (!relay_grpc_enabled())
		return;
	EVENT_OFF(t_second);
	if (grpc_loop)
		relay_grpc_events_stop();
	relay_grpc_server_stop();
	relay_grpc_sessions_stop();
	relay_grpc_inbox_drain();
	if (!grpc_loop)
		return;
	relay_grpc_candidates_fini();
	relay_grpc_transactions_fini();
}

void relay_grpc_forget(void)
{
	relay_grpc_sessions_unlink();
}

/* ------------------------------------------------------------------- show */

json_object *relay_grpc_json(void)
{
	json_object *json = json_object_new_object(), *totals;
	const char *owner = relay_grpc_lock_owner();
	struct relay_grpc_session_counts sessions;
	struct relay_grpc_call_counts calls;

	relay_grpc_session_counts(&sessions);
	relay_grpc_call_counts(&calls);
	json_object_object_add(json, "listeners", relay_grpc_sessions_json());
	json_object_int_add(json, "sessions", sessions.sessions);
	json_object_int_add(json, "calls", calls.calls);
	json_object_int_add(json, "subscriptions", relay_grpc_events_count());
	json_object_int_add(json, "candidates", relay_grpc_candidates_count());
	json_object_int_add(json, "prepared", relay_grpc_candidates_prepared());
	if (owner)
		json_object_string_add(json, "lock", owner);
	else
		json_object_object_add(json, "lock", NULL);
	json_object_int_add(
		json, "transactions",
		grpc_log_count(relay_grpc_log));
	totals = json_object_new_object();
	json_object_int_add(totals, "sessions", sessions.total);
	json_object_int_add(totals, "refused", sessions.refused);
	json_object_int_add(totals, "calls", calls.total);
	json_object_int_add(totals, "failed", calls.failed);
	json_object_object_add(json, "totals", totals);
	return json;
}
