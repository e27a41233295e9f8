// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls of frr.Northbound that name no candidate; on the main thread. */
#ifndef _RELAY_GRPC_NORTHBOUND_H
#define _RELAY_GRPC_NORTHBOUND_H

#include <zebra.h>

#include "grpc_request.h"

/* paths of one Get */
#define RELAY_GRPC_PATHS_MAX 256

void relay_grpc_get_capabilities(struct relay_grpc_request *req);
void relay_grpc_get(struct relay_grpc_request *req);
void relay_grpc_list_transactions(struct relay_grpc_request *req);
void relay_grpc_get_transaction(struct relay_grpc_request *req);
void relay_grpc_lock_config(struct relay_grpc_request *req);
void relay_grpc_lock_config_undo(struct relay_grpc_request *req);
void relay_grpc_unlock_config(struct relay_grpc_request *req);
void relay_grpc_execute(struct relay_grpc_request *req);

/* A lock is its session's. */
void relay_grpc_lock_session_ended(uint64_t session);
/* Who has it, or NULL. */
const char *relay_grpc_lock_owner(void);

#endif /* _RELAY_GRPC_NORTHBOUND_H */
