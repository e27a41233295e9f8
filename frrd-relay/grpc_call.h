// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The calls of clients, at gRPC's C core. All of it is for the thread that waits at
 * the completion queue, but where something else is said.
 */
#ifndef _RELAY_GRPC_CALL_H
#define _RELAY_GRPC_CALL_H

#include <zebra.h>

#include <grpc/grpc.h>

/* at once; more are answered RESOURCE_EXHAUSTED */
#define RELAY_GRPC_CALLS 256
/* from the beginning of a call to its end; one that stays has that for each
 * message */
#define RELAY_GRPC_CALL_S 30
/* messages that a call that stays has waiting for its client */
#define RELAY_GRPC_PUSHED 256

/* What a completion queue's tags are. */
struct relay_grpc_op {
	void (*done)(struct relay_grpc_op *op, bool ok);
	void *arg;
};

/* A call has come in; core is the callee's. */
void relay_grpc_call_new(grpc_call *core, const grpc_call_details *details);
/* Once a second: ends those that take too long. */
void relay_grpc_calls_age(void);
/* No more come: calls last() when the last one is over, or at once. */
void relay_grpc_calls_end(void (*last)(void));
/* From any thread: requests are not run any more. */
void relay_grpc_calls_refuse(void);

struct relay_grpc_call_counts {
	unsigned int calls; /* now */
	uint64_t total, failed;
};
/* From any thread. */
void relay_grpc_call_counts(struct relay_grpc_call_counts *out);

#endif /* _RELAY_GRPC_CALL_H */
