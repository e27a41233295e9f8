// SPDX-License-Identifier: GPL-2.0-or-later
/* Candidate configurations of gRPC clients, and the calls that name one. */
#ifndef _RELAY_GRPC_CANDIDATE_H
#define _RELAY_GRPC_CANDIDATE_H

#include <zebra.h>

#include "grpc_request.h"

#define RELAY_GRPC_CANDIDATES 256
/* octets of edits of one, between commits */
#define RELAY_GRPC_EDITED_MAX (8 * 1024 * 1024)
/* how long one stays when its session has ended: scripts make a connection a
 * call */
#define RELAY_GRPC_ORPHAN_S 60
/* how long everybody else waits for the second phase of a commit */
#define RELAY_GRPC_PREPARED_S 30

/* idle_s: seconds after which one that nobody uses goes. */
void relay_grpc_candidates_init(unsigned int idle_s);
void relay_grpc_candidates_fini(void);
/* Once a second, with the monotonic clock's seconds. */
void relay_grpc_candidates_age(time_t now);
void relay_grpc_candidates_session_ended(uint64_t session);

size_t relay_grpc_candidates_count(void);
/* Is one prepared? */
bool relay_grpc_candidates_prepared(void);

void relay_grpc_create_candidate(struct relay_grpc_request *req);
void relay_grpc_create_candidate_undo(struct relay_grpc_request *req);
void relay_grpc_delete_candidate(struct relay_grpc_request *req);
void relay_grpc_update_candidate(struct relay_grpc_request *req);
void relay_grpc_edit_candidate(struct relay_grpc_request *req);
void relay_grpc_load_to_candidate(struct relay_grpc_request *req);
void relay_grpc_commit(struct relay_grpc_request *req);
void relay_grpc_commit_undo(struct relay_grpc_request *req);

#endif /* _RELAY_GRPC_CANDIDATE_H */
