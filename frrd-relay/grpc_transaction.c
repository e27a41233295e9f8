// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "log.h"
#include "northbound.h"

#include "grpc_transaction.h"
#include "relay_memory.h"
#include "relay_nb_tree.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_TRANSACTION, "gRPC transaction");

struct grpc_log_head relay_grpc_log[1] = {INIT_DLIST(relay_grpc_log[0])};

static uint32_t last_id, last_version;
static size_t total_size;

static void transaction_free(struct relay_grpc_transaction *t)
{
	total_size -= t->size;
	XFREE(MTYPE_GRPC_TRANSACTION, t->client);
	XFREE(MTYPE_GRPC_TRANSACTION, t->comment);
	free(t->config);
	XFREE(MTYPE_GRPC_TRANSACTION, t);
}

/* The newest stays in any case. */
static bool too_many(void)
{
	size_t n = grpc_log_count(relay_grpc_log);

	return n > RELAY_GRPC_TRANSACTIONS_MAX ||
	       (n > 1 && total_size > RELAY_GRPC_TRANSACTIONS_BYTES);
}

uint32_t relay_grpc_transaction_record(const char *client, const char *comment)
{
	struct relay_grpc_transaction *t;
	char err[256];
	int ret;

	last_version = running_config->version;
	t = XCALLOC(MTYPE_GRPC_TRANSACTION, sizeof(*t));
	ret = relay_nb_tree_print(running_config->dnode, LYD_JSON, false,
				  &t->config, err, sizeof(err));
	if (ret < 0)
		zlog_warn("gRPC: no record of transaction %u: %s", last_id + 1,
			  err);
	t->id = ++last_id;
	t->date = time(NULL);
	t->client = XSTRDUP(MTYPE_GRPC_TRANSACTION, client);
	t->comment = XSTRDUP(MTYPE_GRPC_TRANSACTION, comment);
	t->size = t->config ? strlen(t->config) : 0;
	total_size += t->size;
	grpc_log_add_tail(relay_grpc_log, t);
	while (too_many())
		transaction_free(grpc_log_pop(relay_grpc_log));
	return t->id;
}

void relay_grpc_transactions_catch_up(void)
{
	if (running_config->version != last_version)
		relay_grpc_transaction_record("CLI", "");
}

const struct relay_grpc_transaction *relay_grpc_transaction_find(uint32_t id)
{
	const struct relay_grpc_transaction *t;

	frr_each (grpc_log_const, relay_grpc_log, t)
		if (t->id == id)
			return t;
	return NULL;
}

void relay_grpc_transactions_init(void)
{
	last_version = running_config->version;
}

void relay_grpc_transactions_fini(void)
{
	struct relay_grpc_transaction *t;

	while ((t = grpc_log_pop(relay_grpc_log)))
		transaction_free(t);
}
