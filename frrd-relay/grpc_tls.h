// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TLS of the gRPC sessions: a pump between the client's socket and a pair of
 * sockets, of which gRPC has the other end in plain text. Runs on the thread of
 * the loop that it is given.
 *
 * Why not gRPC's own: its C core takes connections that are accepted elsewhere only
 * without TLS, and where it accepts them itself it has no bound on how many. Why
 * GnuTLS: libfrr exports SHA256_Init() and its like, with other types than
 * libcrypto's, which finds those instead of its own.
 */
#ifndef _RELAY_GRPC_TLS_H
#define _RELAY_GRPC_TLS_H

#include <zebra.h>

#include "compat.h"

struct relay_grpc_tls;
struct relay_grpc_pump;

/*
 * PEM files: certificate chain, key, and the CAs whose clients are let in. TLS 1.2
 * or newer (RFC 9325 section 3.1.1), HTTP/2 by ALPN (RFC 9113 section 3.2), and
 * no client without a certificate. NULL with one line in err.
 */
struct relay_grpc_tls *relay_grpc_tls_new(const char *cert, const char *key,
					  const char *client_ca, char *err,
					  size_t len);
void relay_grpc_tls_free(struct relay_grpc_tls *tls);

struct relay_grpc_pump_ops {
	/* The client is known, by the common name of its certificate; fd is
	 * gRPC's end, the callee's to close. */
	void (*ready)(void *arg, int fd, const char *name);
	/* Nothing more comes or goes: free it. */
	void (*ended)(void *arg);
};

/* fd, the client's socket, is the pump's from now on. NULL: out of memory. */
struct relay_grpc_pump *relay_grpc_pump_new(struct relay_grpc_tls *tls,
					    struct frr_loop *loop, int fd,
					    const struct relay_grpc_pump_ops *ops,
					    void *arg);
void relay_grpc_pump_free(struct relay_grpc_pump *pump);

#endif /* _RELAY_GRPC_TLS_H */
