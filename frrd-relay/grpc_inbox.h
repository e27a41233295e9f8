// SPDX-License-Identifier: GPL-2.0-or-later
/* What the threads of gRPC have for the main thread to do. */
#ifndef _RELAY_GRPC_INBOX_H
#define _RELAY_GRPC_INBOX_H

#include <zebra.h>

#include "typesafe.h"

#include "compat.h"

PREDECL_LIST(relay_grpc_inbox);

struct relay_grpc_word {
	struct relay_grpc_inbox_item item;
	void (*run)(struct relay_grpc_word *word);
};

/* loop: the main thread's. */
void relay_grpc_inbox_start(struct frr_loop *loop);
/* From any thread: the main thread calls word->run(), in the order of the calls
 * here; the word is the caller's again then. */
void relay_grpc_inbox_put(struct relay_grpc_word *word);
/* The same for a function and a number. */
void relay_grpc_inbox_call(void (*func)(uint64_t arg), uint64_t arg);
/* On the main thread, when its loop does not run any more. */
void relay_grpc_inbox_drain(void);

#endif /* _RELAY_GRPC_INBOX_H */
