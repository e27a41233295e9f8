// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A call goes to the main thread and back; an empty batch, which completes at
 * once, is how this thread is told. What a call waits for is counted in `ops`:
 * at zero, and closed, it is over.
 *
 *   new -> receive -> [main: run] -> send ... -> closed -> [main: undo] -> free
 *
 * The main thread does nothing that a client can hold up: it has a request as a
 * whole, and what it answers waits here.
 */
#include <zebra.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>

#include "frr_pthread.h"
#include "log.h"
#include "typesafe.h"

#include "grpc_call.h"
#include "grpc_inbox.h"
#include "grpc_request.h"
#include "grpc_session.h"
#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_time.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_CALL, "gRPC call");

/* messages that are received at once, of 4 MiB at most; and of one session, so
 * that it takes many to keep others waiting. What is not asked for stays at the
 * client, but for 64 KiB. */
#define RECEIVING_MAX	      128
#define RECEIVING_SESSION_MAX 8

PREDECL_DLIST(calls);
PREDECL_DLIST(waiting);

struct call {
	struct calls_item item; /* oldest first */
	struct waiting_item waiting_item;
	struct relay_grpc_request req;
	grpc_call *call;
	int64_t begun_ms, sending_ms;
	unsigned int ops; /* at gRPC, or with the main thread */
	bool waits;	  /* to be received */
	bool receives;
	bool sending, headers_sent, status_sent, closed, undone, ran;
	struct relay_grpc_op on_closed, on_received, on_sent, on_back,
		on_pushed;
	int cancelled;	   /* by gRPC */
	_Atomic bool gone; /* the same, for the main thread */
	grpc_byte_buffer *received, *sent;
	grpc_slice text;
	struct relay_grpc_word word;
	bool undo; /* what the main thread has it for */

	/* under push_mtx: what was pushed to a call that stays */
	struct relay_grpc_messages_head pushed;
	grpc_status_code end_status;
	const char *end_text;	     /* a literal; NULL: it goes on */
	_Atomic unsigned int pushes; /* on their way to this thread */
};
DECLARE_DLIST(calls, struct call, item);
DECLARE_DLIST(waiting, struct call, waiting_item);

/* this thread's */
static struct calls_head calls[1] = {INIT_DLIST(calls[0])};
static struct waiting_head waiting[1] = {INIT_DLIST(waiting[0])};
static unsigned int nreceiving;
static void (*last_is_over)(void);

static pthread_mutex_t push_mtx = PTHREAD_MUTEX_INITIALIZER;

static _Atomic bool refusing;
static _Atomic unsigned int ncalls;
static _Atomic uint64_t ntotal, nfailed;

static void call_send(struct call *call);
static void call_settle(struct call *call);

/* ------------------------------------------------------ on the main thread */

/* From another thread: op is done, as soon as the call's own has time for it.
 * The call may be over before that returns here. */
static void call_wake(struct call *call, struct relay_grpc_op *op)
{
	grpc_call *core = call->call;

	grpc_call_ref(core);
	grpc_call_start_batch(core, NULL, 0, op, NULL);
	grpc_call_unref(core);
}

static void call_run(struct relay_grpc_word *word)
{
	struct call *call = container_of(word, struct call, word);
	struct relay_grpc_request *req = &call->req;

	if (call->undo)
		req->method->undo(req);
	else if (atomic_load(&call->gone) || atomic_load(&refusing) ||
		 !relay_grpc_session_alive(req->session))
		relay_grpc_fail(req, GRPC_STATUS_UNAVAILABLE,
				"relayd is about to stop");
	else
		req->method->run(req);
	call_wake(call, &call->on_back);
}

static void call_to_main(struct call *call, bool undo)
{
	call->undo = undo;
	call->ran |= !undo;
	call->ops++;
	call->word.run = call_run;
	relay_grpc_inbox_put(&call->word);
}

static void stream_tell(struct call *call)
{
	atomic_fetch_add(&call->pushes, 1);
	call_wake(call, &call->on_pushed);
}

static void stream_push(struct relay_grpc_request *req,
			struct relay_grpc_message *msg)
{
	struct call *call = container_of(req, struct call, req);

	frr_with_mutex (&push_mtx) {
		if (!call->end_text &&
		    relay_grpc_messages_count(&call->pushed) >=
			    RELAY_GRPC_PUSHED) {
			call->end_status = GRPC_STATUS_RESOURCE_EXHAUSTED;
			call->end_text =
				"the client reads too slowly: call again for the state of the moment";
		}
		if (!call->end_text) {
			relay_grpc_messages_add_tail(&call->pushed, msg);
			msg = NULL;
		}
	}
	if (msg)
		relay_grpc_message_free(msg);
	stream_tell(call);
}

static void stream_end(struct relay_grpc_request *req, grpc_status_code status,
		       const char *text)
{
	struct call *call = container_of(req, struct call, req);

	frr_with_mutex (&push_mtx) {
		if (!call->end_text) {
			call->end_status = status;
			call->end_text = text;
		}
	}
	stream_tell(call);
}

static const struct relay_grpc_stream_ops stream_ops = {
	.push = stream_push,
	.end = stream_end,
};

/* --------------------------------------------------------- a call's life */

static void op_start(struct call *call, const grpc_op *ops, size_t n,
		     struct relay_grpc_op *op)
{
	call->ops++;
	if (grpc_call_start_batch(call->call, ops, n, op, NULL) == GRPC_CALL_OK)
		return;
	/* which only a mistake of ours could bring about */
	call->ops--;
	zlog_err("gRPC: %s: an operation is refused",
		 call->req.method ? call->req.method->path : "?");
	grpc_call_cancel(call->call, NULL);
}

static void call_free(struct call *call)
{
	struct relay_grpc_message *msg;

	if (call->req.status != GRPC_STATUS_OK || call->cancelled)
		atomic_fetch_add(&nfailed, 1);
	calls_del(calls, call);
	atomic_fetch_sub(&ncalls, 1);
	relay_grpc_session_done(call->req.session);
	while ((msg = relay_grpc_messages_pop(&call->pushed)))
		relay_grpc_message_free(msg);
	relay_grpc_messages_fini(&call->pushed);
	relay_grpc_request_clear(&call->req);
	grpc_slice_unref(call->text);
	grpc_call_unref(call->call);
	XFREE(MTYPE_GRPC_CALL, call);
	if (last_is_over && !calls_count(calls))
		last_is_over();
}

static bool call_must_undo(const struct call *call)
{
	const struct relay_grpc_method *method = call->req.method;

	return call->ran && !call->undone && method->undo &&
	       (method->stays ||
		(call->cancelled && call->req.status == GRPC_STATUS_OK));
}

/* After each event: is it over? */
static void call_settle(struct call *call)
{
	if (!call->closed || call->ops || atomic_load(&call->pushes))
		return;
	if (call_must_undo(call)) {
		call->undone = true;
		call_to_main(call, true);
		return;
	}
	call_free(call);
}

static struct relay_grpc_message *next_message(struct call *call)
{
	struct relay_grpc_message *msg;

	msg = relay_grpc_messages_pop(&call->req.output);
	if (msg || !call->req.method || !call->req.method->stays)
		return msg;
	frr_with_mutex (&push_mtx)
		msg = relay_grpc_messages_pop(&call->pushed);
	return msg;
}

/* Has all been sent that there will be? A call that was ended from outside has
 * its status from there. */
static bool is_finished(struct call *call)
{
	struct relay_grpc_request *req = &call->req;

	if (relay_grpc_messages_count(&req->output) || req->more)
		return false;
	if (!req->method || !req->method->stays ||
	    req->status != GRPC_STATUS_OK)
		return true;
	frr_with_mutex (&push_mtx) {
		if (call->end_text &&
		    (call->end_status != GRPC_STATUS_UNAVAILABLE ||
		     !relay_grpc_messages_count(&call->pushed))) {
			req->status = call->end_status;
			strlcpy(req->text, call->end_text, sizeof(req->text));
		}
	}
	return req->status != GRPC_STATUS_OK;
}

static void slice_message_free(void *arg)
{
	relay_grpc_message_free(arg);
}

static grpc_byte_buffer *message_buffer(struct relay_grpc_message *msg)
{
	grpc_slice slice = grpc_slice_new_with_user_data(
		msg->octets, msg->len, slice_message_free, msg);
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

	grpc_slice_unref(slice);
	return buffer;
}

/* The next thing to send, if there is one and nothing is on its way. */
static void call_send(struct call *call)
{
	struct relay_grpc_request *req = &call->req;
	struct relay_grpc_message *msg = NULL;
	grpc_op ops[3] = {};
	bool finished;
	size_t n = 0;

	if (call->sending || call->status_sent || call->closed)
		return;
	finished = is_finished(call);
	if (!finished || req->status == GRPC_STATUS_OK) {
		msg = next_message(call);
		finished = is_finished(call);
	}
	if (!msg && !finished && req->more) {
		req->more = false;
		req->step++;
		call_to_main(call, false);
		return;
	}
	/* who waits for what is to come knows at least that it is waited for */
	if (!msg && !finished && call->headers_sent)
		return;
	if (!call->headers_sent)
		ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	call->headers_sent = true;
	if (msg) {
		call->sent = message_buffer(msg);
		ops[n].op = GRPC_OP_SEND_MESSAGE;
		ops[n++].data.send_message.send_message = call->sent;
	}
	if (finished) {
		grpc_slice_unref(call->text);
		call->text = grpc_slice_from_copied_string(req->text);
		ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
		ops[n].data.send_status_from_server.status = req->status;
		ops[n++].data.send_status_from_server.status_details =
			req->text[0] ? &call->text : NULL;
		call->status_sent = true;
	}
	call->sending = true;
	call->sending_ms = relay_now_ms();
	op_start(call, ops, n, &call->on_sent);
}

static void call_sent(struct relay_grpc_op *op, bool ok)
{
	struct call *call = op->arg;

	call->ops--;
	call->sending = false;
	if (call->sent)
		grpc_byte_buffer_destroy(call->sent);
	call->sent = NULL;
	if (ok)
		call_send(call);
	call_settle(call);
}

/* The main thread has done its part. */
static void call_back(struct relay_grpc_op *op, bool ok)
{
	struct call *call = op->arg;

	call->ops--;
	if (!call->undo) {
		DEBUGD(&relay_dbg_northbound, "gRPC: %s from %s: %s%s%s",
		       call->req.method->path, call->req.peer,
		       relay_grpc_status_str(call->req.status),
		       call->req.text[0] ? ", " : "", call->req.text);
		call_send(call);
	}
	call_settle(call);
}

/* The client does not read: what is being sent may never be, and the status
 * does not wait for it. */
static bool call_overflowed(struct call *call)
{
	bool overflowed;

	frr_with_mutex (&push_mtx)
		overflowed = call->end_text &&
			     call->end_status == GRPC_STATUS_RESOURCE_EXHAUSTED;
	return overflowed;
}

static void call_pushed(struct relay_grpc_op *op, bool ok)
{
	struct call *call = op->arg;

	atomic_fetch_sub(&call->pushes, 1);
	call_send(call);
	if (call->sending && !call->closed && call_overflowed(call))
		grpc_call_cancel_with_status(call->call, call->end_status,
					     call->end_text, NULL);
	call_settle(call);
}

static bool may_receive(const struct call *call)
{
	const struct call *other;
	unsigned int n = 0;

	if (nreceiving >= RECEIVING_MAX)
		return false;
	frr_each (calls_const, calls, other)
		n += other->receives &&
		     other->req.session == call->req.session;
	return n < RECEIVING_SESSION_MAX;
}

static void call_receive(struct call *call)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

	nreceiving++;
	call->receives = true;
	op.data.recv_message.recv_message = &call->received;
	op_start(call, &op, 1, &call->on_received);
}

/* ok with no message: the client has closed its side without one. */
static void call_decode(struct call *call)
{
	struct relay_grpc_request *req = &call->req;
	grpc_byte_buffer_reader reader;
	grpc_slice slice;

	if (!call->received ||
	    !grpc_byte_buffer_reader_init(&reader, call->received)) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"a message is wanted");
		return;
	}
	slice = grpc_byte_buffer_reader_readall(&reader);
	relay_grpc_request_decode(req, GRPC_SLICE_START_PTR(slice),
				  GRPC_SLICE_LENGTH(slice));
	grpc_slice_unref(slice);
	grpc_byte_buffer_reader_destroy(&reader);
}

/* The first that waits and may: of another session than those that have all
 * that they may have. */
static void receive_next(void)
{
	struct call *call;

	frr_each (waiting, waiting, call) {
		if (!may_receive(call))
			continue;
		call->waits = false;
		waiting_del(waiting, call);
		call_receive(call);
		return;
	}
}

static void call_received(struct relay_grpc_op *op, bool ok)
{
	struct call *call = op->arg;

	call->ops--;
	nreceiving--;
	call->receives = false;
	receive_next();
	if (ok && !call->closed) {
		call_decode(call);
		if (call->req.status == GRPC_STATUS_OK)
			call_to_main(call, false);
		else
			call_send(call);
	}
	if (call->received)
		grpc_byte_buffer_destroy(call->received);
	call->received = NULL;
	call_settle(call);
}

/* The client has gone, or has its answer. */
static void call_closed(struct relay_grpc_op *op, bool ok)
{
	struct call *call = op->arg;

	call->ops--;
	call->closed = true;
	if (call->cancelled)
		atomic_store(&call->gone, true);
	if (call->waits) {
		call->waits = false;
		waiting_del(waiting, call);
	}
	call_settle(call);
}

static void call_peer(struct call *call, struct relay_grpc_session_info *info)
{
	char *peer = grpc_call_get_peer(call->call);
	int fd;

	/* gRPC calls a connection that it was given by its descriptor */
	if (sscanf(peer, "fd:%d", &fd) != 1 ||
	    !relay_grpc_session_find(fd, info))
		*info = (struct relay_grpc_session_info){.peer = "?"};
	gpr_free(peer);
}

void relay_grpc_call_new(grpc_call *core, const grpc_call_details *details)
{
	struct call *call = XCALLOC(MTYPE_GRPC_CALL, sizeof(*call));
	struct relay_grpc_request *req = &call->req;
	struct relay_grpc_session_info info;
	grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};

	call->call = core;
	call->text = grpc_empty_slice();
	call->begun_ms = relay_now_ms();
	call->on_closed = (struct relay_grpc_op){call_closed, call};
	call->on_received = (struct relay_grpc_op){call_received, call};
	call->on_sent = (struct relay_grpc_op){call_sent, call};
	call->on_back = (struct relay_grpc_op){call_back, call};
	call->on_pushed = (struct relay_grpc_op){call_pushed, call};
	relay_grpc_request_init(req);
	relay_grpc_messages_init(&call->pushed);
	calls_add_tail(calls, call);
	atomic_fetch_add(&ntotal, 1);

	call_peer(call, &info);
	req->session = info.id;
	req->stream = &stream_ops;
	strlcpy(req->peer, info.peer, sizeof(req->peer));
	req->method = relay_grpc_method_find(
		(const char *)GRPC_SLICE_START_PTR(details->method),
		GRPC_SLICE_LENGTH(details->method));

	op.data.recv_close_on_server.cancelled = &call->cancelled;
	op_start(call, &op, 1, &call->on_closed);

	if (atomic_fetch_add(&ncalls, 1) >= RELAY_GRPC_CALLS)
		relay_grpc_fail(req, GRPC_STATUS_RESOURCE_EXHAUSTED,
				"%d calls are under way, no more are served",
				RELAY_GRPC_CALLS);
	else if (!info.id)
		relay_grpc_fail(req, GRPC_STATUS_UNAVAILABLE,
				"the session has ended");
	else if (!info.served)
		relay_grpc_fail(req, GRPC_STATUS_RESOURCE_EXHAUSTED,
				"%d sessions are open, no more are served",
				RELAY_GRPC_SESSIONS);
	else if (!req->method)
		relay_grpc_fail(req, GRPC_STATUS_UNIMPLEMENTED, "no such call");
	if (req->status != GRPC_STATUS_OK) {
		call_send(call);
	} else if (may_receive(call)) {
		call_receive(call);
	} else {
		call->waits = true;
		waiting_add_tail(waiting, call);
	}
}

/* Calls that take too long, for whatever reason. */
void relay_grpc_calls_age(void)
{
	int64_t now = relay_now_ms(), since;
	struct call *call;

	frr_each (calls, calls, call) {
		since = call->begun_ms;
		if (call->req.method && call->req.method->stays &&
		    call->headers_sent) {
			if (!call->sending)
				continue;
			since = call->sending_ms;
		}
		if (call->closed || now - since < RELAY_GRPC_CALL_S * 1000)
			continue;
		grpc_call_cancel_with_status(
			call->call, GRPC_STATUS_DEADLINE_EXCEEDED,
			"the call has taken longer than 30 s", NULL);
	}
}

void relay_grpc_calls_end(void (*last)(void))
{
	last_is_over = last;
	if (!calls_count(calls))
		last();
}

void relay_grpc_calls_refuse(void)
{
	atomic_store(&refusing, true);
}

void relay_grpc_call_counts(struct relay_grpc_call_counts *out)
{
	out->calls = atomic_load(&ncalls);
	out->total = atomic_load(&ntotal);
	out->failed = atomic_load(&nfailed);
}
