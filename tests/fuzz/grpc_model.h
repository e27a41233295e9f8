// SPDX-License-Identifier: GPL-2.0-or-later
/* What the gRPC services ought to know, told in another way: fuzz_grpc_calls.c.
 */
#ifndef _FUZZ_GRPC_MODEL_H
#define _FUZZ_GRPC_MODEL_H

#include <zebra.h>

#include "tests/unit/grpc_lab.h"

void model_init(void);
/* Nothing is configured, and nobody has come yet. how: the idle time. */
void model_start(uint8_t how);
/* All have gone. */
void model_stop(void);
/* What holds at any time. */
void model_check(void);

/* What a call has made that goes if its answer is lost. */
struct model_undo {
	enum {
		MODEL_NOTHING,
		MODEL_CANDIDATE,
		MODEL_PREPARED,
		MODEL_LOCK
	} what;
	uint32_t number;
};

/* It has been run: was it right? */
struct model_undo model_call(struct grpc_call *call);
void model_lost(const struct model_undo *undo);
void model_session_ended(uint64_t session);
/* So many streams are open. */
void model_streams(size_t n);

/* One of those that there are, or were. */
uint32_t model_candidate(uint8_t which);
uint32_t model_transaction(uint8_t which);

/* These do it and look at what came of it. */
void model_pass(unsigned int seconds);
void model_vtysh_edit(const char *path, const char *value);
void model_vtysh_commit(void);
void model_vtysh_lock(bool on);

#endif /* _FUZZ_GRPC_MODEL_H */
