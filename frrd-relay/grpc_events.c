// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "typesafe.h"

#include "grpc/relay-events.pb-c.h"

#include "grpc_events.h"
#include "relay.h"
#include "relay_grpc.h"
#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_SUBSCRIPTION, "gRPC subscription");

PREDECL_DLIST(subscriptions);

/* What it is about is in the request, which stays as long. */
struct subscription {
	struct subscriptions_item item;
	struct relay_grpc_request *req;
};
DECLARE_DLIST(subscriptions, struct subscription, item);

static struct subscriptions_head subscriptions[1] = {
	INIT_DLIST(subscriptions[0])};
static uint64_t sequence;

static bool is_wanted(const Relay__V1__SubscribeRequest *input,
		      const struct relay *relay)
{
	if (!input->n_name)
		return true;
	for (size_t i = 0; i < input->n_name; i++)
		if (!strcmp(input->name[i], relay->cfg.name))
			return true;
	return false;
}

static void status_fill(Relay__V1__StatusChange *change,
			const struct relay *relay, const char *old,
			const char *new)
{
	relay__v1__status_change__init(change);
	change->timestamp = relay_grpc_timestamp();
	change->name = (char *)relay->cfg.name;
	change->old = (char *)old;
	change->new_ = (char *)new;
	change->reason = (char *)relay_reason_str(relay->reason);
	change->detail = (char *)relay->detail;
	change->sequence = sequence;
}

static void tell_all(const struct relay *relay, const char *old,
		     const char *new)
{
	Relay__V1__StatusChange change;
	struct subscription *sub;

	sequence++;
	if (!subscriptions_count(subscriptions))
		return;
	status_fill(&change, relay, old, new);
	frr_each (subscriptions, subscriptions, sub)
		if (is_wanted((void *)sub->req->input, relay))
			sub->req->stream->push(
				sub->req, relay_grpc_message_new(&change.base));
}

static int on_change(const struct relay *relay, enum relay_oper old)
{
	tell_all(relay, relay_oper_str(old), relay_oper_str(relay->oper));
	return 0;
}

static int on_added(const struct relay *relay)
{
	tell_all(relay, "", relay_oper_str(relay->oper));
	return 0;
}

static int on_removed(const struct relay *relay)
{
	tell_all(relay, relay_oper_str(relay->oper), "");
	return 0;
}

static bool names_known(struct relay_grpc_request *req,
			const Relay__V1__SubscribeRequest *input)
{
	for (size_t i = 0; i < input->n_name; i++)
		if (!relay_lookup(input->name[i])) {
			relay_grpc_fail(req, GRPC_STATUS_NOT_FOUND,
					"no relay %s", input->name[i]);
			return false;
		}
	return true;
}

static void answer_initial(struct relay_grpc_request *req,
			   const Relay__V1__SubscribeRequest *input)
{
	Relay__V1__StatusChange change;
	const struct relay *relay;
	const char *oper;
	uint32_t left = 0;

	frr_each (relay_tree_const, relay_tree, relay)
		left += is_wanted(input, relay);
	frr_each (relay_tree_const, relay_tree, relay) {
		if (!is_wanted(input, relay))
			continue;
		oper = relay_oper_str(relay->oper);
		status_fill(&change, relay, oper, oper);
		change.initial = true;
		change.initial_left = --left;
		relay_grpc_answer(req, &change.base);
	}
}

void relay_grpc_subscribe(struct relay_grpc_request *req)
{
	const Relay__V1__SubscribeRequest *input = (void *)req->input;
	struct subscription *sub;

	if (input->n_name > RELAY_GRPC_NAMES_MAX) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"%zu names, of which there may be %d",
				input->n_name, RELAY_GRPC_NAMES_MAX);
		return;
	}
	if (!names_known(req, input))
		return;
	if (subscriptions_count(subscriptions) >= RELAY_GRPC_SUBSCRIPTIONS) {
		relay_grpc_fail(req, GRPC_STATUS_RESOURCE_EXHAUSTED,
				"%d subscriptions are open, no more are served",
				RELAY_GRPC_SUBSCRIPTIONS);
		return;
	}
	answer_initial(req, input);
	sub = XCALLOC(MTYPE_GRPC_SUBSCRIPTION, sizeof(*sub));
	sub->req = req;
	req->listener = sub;
	subscriptions_add_tail(subscriptions, sub);
}

void relay_grpc_subscribe_undo(struct relay_grpc_request *req)
{
	struct subscription *sub = req->listener;

	if (!sub)
		return;
	req->listener = NULL;
	subscriptions_del(subscriptions, sub);
	XFREE(MTYPE_GRPC_SUBSCRIPTION, sub);
}

size_t relay_grpc_events_count(void)
{
	return subscriptions_count(subscriptions);
}

void relay_grpc_events_init(void)
{
	hook_register(relay_status_change, on_change);
	hook_register(relay_added, on_added);
	hook_register(relay_removed, on_removed);
}

void relay_grpc_events_stop(void)
{
	struct subscription *sub;

	hook_unregister(relay_status_change, on_change);
	hook_unregister(relay_added, on_added);
	hook_unregister(relay_removed, on_removed);
	frr_each (subscriptions, subscriptions, sub)
		sub->req->stream->end(sub->req, GRPC_STATUS_UNAVAILABLE,
				      "relayd stops");
}
