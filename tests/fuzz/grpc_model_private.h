// SPDX-License-Identifier: GPL-2.0-or-later
/* What the files of the model share. */
#ifndef _FUZZ_GRPC_MODEL_PRIVATE_H
#define _FUZZ_GRPC_MODEL_PRIVATE_H

#include <zebra.h>

#include "grpc_candidate.h"
#include "grpc_transaction.h"

#include "flat.h"
#include "grpc_model.h"

struct candidate {
	uint32_t id;
	uint64_t session; /* 0: has ended */
	time_t used, orphaned;
	uint64_t order; /* of uses */
	uint32_t version;
	struct lyd_node *base, *own;
};

struct transaction {
	uint32_t id;
	char client[64], *comment;
	struct flat config;
};

struct model {
	unsigned int idle_s;
	uint32_t version;
	uint64_t uses;
	struct candidate candidate[RELAY_GRPC_CANDIDATES];
	size_t ncandidates, nstreams;
	struct {
		uint32_t id, number; /* 0: none is */
		uint64_t by;
		time_t at;
		char comment[RELAY_GRPC_COMMENT_MAX + 1];
	} prepared;
	uint64_t lock; /* session */
	bool vtysh_lock;
	struct flat running, running_values, vtysh; /* flat_read()'s two ways */
	bool unrecorded; /* vtysh has committed since the last transaction */
	struct transaction transaction[RELAY_GRPC_TRANSACTIONS_MAX];
	size_t ntransactions; /* newest last */
};
extern struct model model;

/* numbers that go on from input to input */
extern uint32_t last_candidate, last_transaction, last_prepared, last_lock;

#define NOTHING ((struct model_undo){MODEL_NOTHING, 0})

/* ------------------------------------------------------ grpc_model_config.c */

/* What is not relay-lab's is refused in the end, so that nothing is done to
 * this host. */
void model_disarm(void);

struct lyd_node *model_dup(const struct lyd_node *tree);
bool model_validate(struct lyd_node **tree);
bool model_is_relayds(const struct flat *flat);

void model_read_running(void);
void model_read_vtysh(void);
/* It has changed to that. */
void model_expect_running(const struct flat *expected);
/* Is it what is kept here? */
void model_expect_same(const struct lyd_node *tree, const struct flat *kept);

/* Would libfrr find a change to what has been running until now? */
enum change { CHANGE_NONE, CHANGE_MAYBE, CHANGE_SOME };
enum change model_changes(const struct lyd_node *tree);

void model_record(const char *client, const char *comment);
void model_catch_up(void);
void model_transactions_free(void);
/* What a client makes of it is what it was; expected may be NULL. */
void model_expect_text(const Frr__DataTree *tree, const struct flat *expected);
void model_check_list(struct grpc_call *call);
void model_check_transaction(struct grpc_call *call);

/* --------------------------------------------------- grpc_model_candidate.c */

struct candidate *model_find(uint32_t id);
void model_drop(struct candidate *c);

struct model_undo model_check_create(struct grpc_call *call);
void model_check_delete(struct grpc_call *call);
void model_check_update(struct grpc_call *call);
void model_check_edit(struct grpc_call *call);
void model_check_load(struct grpc_call *call);
struct model_undo model_check_commit(struct grpc_call *call);

#endif /* _FUZZ_GRPC_MODEL_PRIVATE_H */
