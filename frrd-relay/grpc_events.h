// SPDX-License-Identifier: GPL-2.0-or-later
/* relay.v1.Events: changes of relays, as they happen; on the main thread. */
#ifndef _RELAY_GRPC_EVENTS_H
#define _RELAY_GRPC_EVENTS_H

#include <zebra.h>

#include "grpc_request.h"

#define RELAY_GRPC_SUBSCRIPTIONS 64
/* relays that one may name */
#define RELAY_GRPC_NAMES_MAX	 256

void relay_grpc_events_init(void);
/* Ends all subscriptions. */
void relay_grpc_events_stop(void);
size_t relay_grpc_events_count(void);

void relay_grpc_subscribe(struct relay_grpc_request *req);
void relay_grpc_subscribe_undo(struct relay_grpc_request *req);

#endif /* _RELAY_GRPC_EVENTS_H */
