// SPDX-License-Identifier: GPL-2.0-or-later
/* What the options --grpc* ask for. */
#ifndef _RELAY_GRPC_OPTIONS_H
#define _RELAY_GRPC_OPTIONS_H

#include <zebra.h>

#include <sys/un.h>

#define RELAY_GRPC_LISTENERS_MAX 4

/* Seconds after which a candidate that nobody uses goes. */
#define RELAY_GRPC_IDLE_MIN_S	  10
#define RELAY_GRPC_IDLE_MAX_S	  86400
#define RELAY_GRPC_IDLE_DEFAULT_S 300

struct relay_grpc_address {
	char text[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

struct relay_grpc_options {
	struct relay_grpc_address listen[RELAY_GRPC_LISTENERS_MAX];
	size_t nlisten; /* 0: no gRPC */
	/* PEM files; all or none. With them TCP is mutual TLS. */
	const char *cert, *key, *client_ca;
	unsigned int idle_s;
};

/*
 * One --grpc: [ADDRESS:]PORT, an IPv6 address in brackets, or unix:PATH.
 * Returns false with one line in err.
 */
bool relay_grpc_options_listen(struct relay_grpc_options *opts,
			       const char *arg, char *err, size_t len);

/* All options together: nothing but loopback and unix without TLS. */
bool relay_grpc_options_check(const struct relay_grpc_options *opts, char *err,
			      size_t len);

#endif /* _RELAY_GRPC_OPTIONS_H */
