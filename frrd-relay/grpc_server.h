// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gRPC's C core, and the calls of clients. One thread has all of that; a call
 * is handed to the main thread as a relay_grpc_request, and comes back answered.
 */
#ifndef _RELAY_GRPC_SERVER_H
#define _RELAY_GRPC_SERVER_H

#include <zebra.h>

#include "compat.h"

/* at once; more are answered RESOURCE_EXHAUSTED */
#define RELAY_GRPC_CALLS 256
/* from the beginning of a call to its end; one that stays has that for each
 * message */
#define RELAY_GRPC_CALL_S 30
/* messages that a call that stays has waiting for its client */
#define RELAY_GRPC_PUSHED 256

/* loop: the main thread's. 0 or -errno. */
int relay_grpc_server_start(struct frr_loop *loop);
/* On the main thread. What is answered already is sent, for half a second. */
void relay_grpc_server_stop(void);
/* What others have for the main thread, when its loop does not run any more. */
void relay_grpc_server_drain(void);

/* On the sessions' thread: a connection in plain text. */
void relay_grpc_server_serve(int fd);
/* From any thread: has the main thread call func(arg), after what it was
 * handed before. */
void relay_grpc_server_on_main(void (*func)(uint64_t arg), uint64_t arg);

struct relay_grpc_call_counts {
	unsigned int calls; /* now */
	uint64_t total, failed;
};
void relay_grpc_call_counts(struct relay_grpc_call_counts *out);

#endif /* _RELAY_GRPC_SERVER_H */
