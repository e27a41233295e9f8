// SPDX-License-Identifier: GPL-2.0-or-later
/* The door of relayd_grpc.so; all else in it is hidden. */
#include <zebra.h>

#include "xref.h"

#include "grpc_module.h"
#include "grpc_request.h"

XREF_SETUP();

extern const struct relay_grpc_module relay_grpc_module;

__attribute__((visibility("default")))
const struct relay_grpc_module relay_grpc_module = {
	.request_size = sizeof(struct relay_grpc_request),
	.server_start = relay_grpc_server_start,
	.server_stop = relay_grpc_server_stop,
	.server_serve = relay_grpc_server_serve,
	.call_counts = relay_grpc_call_counts,
	.tls_new = relay_grpc_tls_new,
	.tls_free = relay_grpc_tls_free,
	.pump_new = relay_grpc_pump_new,
	.pump_free = relay_grpc_pump_free,
};
