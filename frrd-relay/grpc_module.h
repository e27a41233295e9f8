// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What needs gRPC's C core and GnuTLS is a shared object beside relayd,
 * relayd_grpc.so, which --grpc loads: without it relayd has no megabytes of libraries
 * that it does not use. Its functions have the names that their headers say,
 * and are reached by way of this table.
 */
#ifndef _RELAY_GRPC_MODULE_H
#define _RELAY_GRPC_MODULE_H

#include <zebra.h>

#include "grpc_call.h"
#include "grpc_server.h"
#include "grpc_tls.h"

struct relay_grpc_module {
	size_t request_size; /* of struct relay_grpc_request: of the same build? */
	int (*server_start)(struct frr_loop *loop);
	void (*server_stop)(void);
	void (*server_serve)(int fd);
	void (*call_counts)(struct relay_grpc_call_counts *out);
	struct relay_grpc_tls *(*tls_new)(const char *cert, const char *key,
					  const char *client_ca, char *err,
					  size_t len);
	void (*tls_free)(struct relay_grpc_tls *tls);
	struct relay_grpc_pump *(*pump_new)(struct relay_grpc_tls *tls,
					    struct frr_loop *loop, int fd,
					    const struct relay_grpc_pump_ops *ops,
					    void *arg);
	void (*pump_free)(struct relay_grpc_pump *pump);
};

#define RELAY_GRPC_MODULE_SYMBOL "relay_grpc_module"

/* Before any of these is called; false with one line in err. */
bool relay_grpc_module_load(char *err, size_t len);

#endif /* _RELAY_GRPC_MODULE_H */
