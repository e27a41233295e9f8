// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The last transactions: who has changed the configuration, and to what. libfrr keeps
 * such a log only where it is built with a database, which the distribution's is
 * not. It is in memory, and begins with relayd.
 */
#ifndef _RELAY_GRPC_TRANSACTION_H
#define _RELAY_GRPC_TRANSACTION_H

#include <zebra.h>

#include "typesafe.h"

#define RELAY_GRPC_TRANSACTIONS_MAX   100
#define RELAY_GRPC_TRANSACTIONS_BYTES (8 * 1024 * 1024)
#define RELAY_GRPC_COMMENT_MAX	      1023

PREDECL_DLIST(grpc_log);

struct relay_grpc_transaction {
	struct grpc_log_item item;
	uint32_t id;
	time_t date;
	char *client, *comment;
	char *config; /* JSON, without defaults */
	size_t size;
};
DECLARE_DLIST(grpc_log, struct relay_grpc_transaction, item);

/* oldest first */
extern struct grpc_log_head relay_grpc_log[1];

void relay_grpc_transactions_init(void);
void relay_grpc_transactions_fini(void);

/* The running configuration, as it is now, is what that client has made of it.
 * Returns its id, more than 0. */
uint32_t relay_grpc_transaction_record(const char *client,
				       const char *comment);
/*
 * Where it has changed since the last record, vtysh has done it: lines that
 * follow each other closely are one transaction. To be called once a second, and
 * before anything is recorded or listed.
 */
void relay_grpc_transactions_catch_up(void);
const struct relay_grpc_transaction *relay_grpc_transaction_find(uint32_t id);

#endif /* _RELAY_GRPC_TRANSACTION_H */
