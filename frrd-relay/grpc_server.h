// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gRPC's C core, on a thread of its own. A call is handed to the main thread as a
 * relay_grpc_request, and comes back answered.
 */
#ifndef _RELAY_GRPC_SERVER_H
#define _RELAY_GRPC_SERVER_H

#include <zebra.h>

#include "compat.h"

/* loop: the main thread's. 0 or -errno. */
int relay_grpc_server_start(struct frr_loop *loop);
/* On the main thread. What is answered already is sent, for half a second. */
void relay_grpc_server_stop(void);
/* On the sessions' thread: a connection in plain text. */
void relay_grpc_server_serve(int fd);
#endif /* _RELAY_GRPC_SERVER_H */
