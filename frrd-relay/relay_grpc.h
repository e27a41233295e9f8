// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Northbound gRPC as a whole: FRR's service frr.Northbound and relay.v1.Events.
 * Nothing of it is there without --grpc.
 */
#ifndef _RELAY_GRPC_H
#define _RELAY_GRPC_H

#include <zebra.h>

#include <getopt.h>

#include "lib/json.h"

#include "compat.h"

/* numbers of the options, from RELAY_GRPC_OPTION on */
#define RELAY_GRPC_OPTION 2100
#define RELAY_GRPC_OPTIONS                                                     \
	{"grpc", required_argument, NULL, RELAY_GRPC_OPTION},                  \
	{"grpc-cert", required_argument, NULL, RELAY_GRPC_OPTION + 1},         \
	{"grpc-key", required_argument, NULL, RELAY_GRPC_OPTION + 2},          \
	{"grpc-client-ca", required_argument, NULL, RELAY_GRPC_OPTION + 3},    \
	{"grpc-idle", required_argument, NULL, RELAY_GRPC_OPTION + 4}
#define RELAY_GRPC_OPTIONS_HELP                                                \
	"      --grpc         Serve gRPC at [ADDRESS:]PORT (default address: 127.0.0.1)\n" \
	"                     or unix:PATH; may be given 4 times\n"          \
	"      --grpc-cert    TLS certificate, PEM; needed, with the two that follow,\n" \
	"                     for an address that is not loopback\n"         \
	"      --grpc-key     Its key, PEM\n"                                \
	"      --grpc-client-ca  CAs of the clients' certificates, PEM\n"    \
	"      --grpc-idle    Seconds after which an unused candidate goes (default: 300)\n"

/* Is it one of ours? Then it is taken; false in *ok with one line in err. */
bool relay_grpc_option(int opt, const char *arg, bool *ok, char *err,
		       size_t len);
/* All of them together; true where there is none. */
bool relay_grpc_options_ok(char *err, size_t len);

/* Binds, while there is still somebody to read what is wrong. */
bool relay_grpc_open(gid_t group, char *err, size_t len);
/* From now on it is served; after relayd has gone to the background. */
void relay_grpc_start(struct frr_loop *loop);
void relay_grpc_stop(void);
/* In the child that outlives a relayd that was killed. */
void relay_grpc_forget(void);

bool relay_grpc_enabled(void);
/* What show grpc shows. */
json_object *relay_grpc_json(void);

/* Nanoseconds since the Epoch. */
int64_t relay_grpc_timestamp(void);

void relay_vty_grpc_init(void);

#endif /* _RELAY_GRPC_H */
