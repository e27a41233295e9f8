// SPDX-License-Identifier: GPL-2.0-or-later
/* The inner door of candidates: for grpc_candidate.c and grpc_commit.c. */
#ifndef _RELAY_GRPC_CANDIDATE_PRIVATE_H
#define _RELAY_GRPC_CANDIDATE_PRIVATE_H

#include <zebra.h>

#include "northbound.h"
#include "typesafe.h"

#include "grpc_base.h"
#include "grpc_candidate.h"
#include "grpc_transaction.h"

PREDECL_DLIST(relay_grpc_table);
PREDECL_HASH(relay_grpc_by_number);

struct relay_grpc_candidate {
	struct relay_grpc_table_item item; /* the longest unused first */
	struct relay_grpc_by_number_item hash_item;
	uint32_t id;
	struct nb_config *config;
	struct relay_grpc_base *base;
	uint64_t session; /* that made it; 0: has ended */
	time_t used, orphaned;
	size_t edited; /* octets of edits since it was updated */

	/* between PREPARE and what follows */
	struct nb_transaction *transaction;
	struct nb_context context;
	uint64_t prepared_by;
	uint32_t preparation; /* number of it */
	time_t prepared;
	char comment[RELAY_GRPC_COMMENT_MAX + 1];
};

/* The one with that number, which is used now; NULL: the request has failed. */
struct relay_grpc_candidate *
relay_grpc_candidate_of(struct relay_grpc_request *req, uint32_t id);
/* The base is the candidate's from now on. */
void relay_grpc_candidate_set_base(struct relay_grpc_candidate *c,
			 struct relay_grpc_base *base);
/* What others have committed since comes in. 0 or -errno. */
int relay_grpc_candidate_rebase(struct relay_grpc_candidate *c);

/* Gives up what was prepared, if it was. */
void relay_grpc_candidate_abort(struct relay_grpc_candidate *c);
/* What is prepared is given up: for its age, or with its session. */
void relay_grpc_prepared_age(time_t now);
void relay_grpc_prepared_session_ended(uint64_t session);

#endif /* _RELAY_GRPC_CANDIDATE_PRIVATE_H */
