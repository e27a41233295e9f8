// SPDX-License-Identifier: GPL-2.0-or-later
/* Sockets that gRPC clients come to. */
#ifndef _RELAY_GRPC_LISTENER_H
#define _RELAY_GRPC_LISTENER_H

#include <zebra.h>

#include "grpc_options.h"

struct relay_grpc_listener {
	const struct relay_grpc_address *addr;
	int fd;	   /* -1: closed */
	dev_t dev; /* of a unix socket's file */
	ino_t ino;
};

/*
 * Binds and listens at l->addr. A unix socket gets mode 0660 and that group (0: none);
 * one that a dead relayd has left is replaced, and nothing else. False with one
 * line in err.
 */
bool relay_grpc_listener_open(struct relay_grpc_listener *l, gid_t group,
			      char *err, size_t len);
void relay_grpc_listener_close(struct relay_grpc_listener *l);
/* The file goes, if it is still this one. */
void relay_grpc_listener_unlink(const struct relay_grpc_listener *l);

#endif /* _RELAY_GRPC_LISTENER_H */
