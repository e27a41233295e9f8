// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A call as the main thread knows it: who asks for what, and what is answered.
 *
 * The server (grpc_server.c) owns the call, decodes what was asked and sends
 * what is answered; the services (grpc_northbound.c, grpc_candidate.c,
 * grpc_events.c) run on the main thread and know no socket. A request is with one
 * of them at a time.
 */
#ifndef _RELAY_GRPC_REQUEST_H
#define _RELAY_GRPC_REQUEST_H

#include <zebra.h>

#include <grpc/status.h>
#include <protobuf-c/protobuf-c.h>

#include "libyang/libyang.h"

#include "typesafe.h"

/* of a message, either way */
#define RELAY_GRPC_MESSAGE_MAX (4 * 1024 * 1024)
#define RELAY_GRPC_PEER_LEN    128
#define RELAY_GRPC_TEXT_LEN    512

struct relay_grpc_request;
struct relay_grpc_message;

struct relay_grpc_method {
	const char *path; /* "/frr.Northbound/Get" */
	const ProtobufCMessageDescriptor *input;
	/* On the main thread. Answers in the request. */
	void (*run)(struct relay_grpc_request *req);
	/* The client has gone before it had the answer: what it can't know of
	 * goes. NULL: nothing does. */
	void (*undo)(struct relay_grpc_request *req);
	/* Goes on after run(), for what is pushed to it. undo() is called when it
	 * has ended, whoever ended it. */
	bool stays;
};

/* ends with one whose path is NULL */
extern const struct relay_grpc_method relay_grpc_methods[];
const struct relay_grpc_method *relay_grpc_method_find(const char *path,
						       size_t len);

/* For calls that stay; from the main thread, between run() and undo(). */
struct relay_grpc_stream_ops {
	/* Takes the message. Too many that the client has not read end the
	 * call. */
	void (*push)(struct relay_grpc_request *req,
		     struct relay_grpc_message *msg);
	void (*end)(struct relay_grpc_request *req, grpc_status_code status,
		    const char *text);
};

PREDECL_LIST(relay_grpc_messages);

/* An encoded message; octets follow. */
struct relay_grpc_message {
	struct relay_grpc_messages_item item;
	size_t len;
	uint8_t octets[];
};
DECLARE_LIST(relay_grpc_messages, struct relay_grpc_message, item);

struct relay_grpc_request {
	const struct relay_grpc_method *method;
	uint64_t session;
	char peer[RELAY_GRPC_PEER_LEN]; /* "127.0.0.1:4711" */
	ProtobufCMessage *input;
	unsigned int step; /* how often it has been run before */

	/* the answer */
	struct relay_grpc_messages_head output;
	bool more; /* to be run again when output is sent */
	grpc_status_code status;
	char text[RELAY_GRPC_TEXT_LEN]; /* one line, UTF-8; "" with OK */

	uint32_t id; /* for undo(): of what was made */
	void *listener; /* the service's, of a call that stays */
	const struct relay_grpc_stream_ops *stream;
};

/* Makes a request that is all zeros one that can be run and cleared. */
void relay_grpc_request_init(struct relay_grpc_request *req);
void relay_grpc_request_clear(struct relay_grpc_request *req);

/*
 * What the client has sent. False where it is no message of that kind, or has a
 * string that is not UTF-8: status and text say so.
 */
bool relay_grpc_request_decode(struct relay_grpc_request *req,
			       const uint8_t *octets, size_t len);

/* One more message to send. Too long a one fails the request. */
void relay_grpc_answer(struct relay_grpc_request *req,
		       const ProtobufCMessage *msg);
/* Nothing is sent but the status; only the first line of the text is. */
PRINTFRR(3, 4)
void relay_grpc_fail(struct relay_grpc_request *req, grpc_status_code status,
		     const char *fmt, ...);
/* The same for what has failed with -errno. */
void relay_grpc_fail_errno(struct relay_grpc_request *req, int ret,
			   const char *text);

/* "NOT_FOUND", for logs. */
const char *relay_grpc_status_str(grpc_status_code status);

/* How a client wants trees, or gives them; false: no such encoding, failed. */
bool relay_grpc_format(struct relay_grpc_request *req, int encoding,
		       LYD_FORMAT *format);

struct relay_grpc_message *relay_grpc_message_new(const ProtobufCMessage *msg);
void relay_grpc_message_free(struct relay_grpc_message *msg);

#endif /* _RELAY_GRPC_REQUEST_H */
