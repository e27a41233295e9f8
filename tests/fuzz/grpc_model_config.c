// SPDX-License-Identifier: GPL-2.0-or-later
/* What runs, what vtysh has, and what is recorded of it. */
#define FUZZ_NB_LAB
#include "fuzz.h"

#include "northbound_cli.h"

#include "grpc_transaction.h"

#include "grpc_model_private.h"

struct lyd_node *model_dup(const struct lyd_node *tree)
{
	struct lyd_node *copy = NULL;

	FUZZ_ASSERT(lyd_dup_siblings(tree, NULL, LYD_DUP_RECURSIVE, &copy) ==
		    LY_SUCCESS);
	return copy;
}

bool model_validate(struct lyd_node **tree)
{
	return lyd_validate_all(tree, ly_native_ctx, LYD_VALIDATE_NO_STATE,
				NULL) == LY_SUCCESS;
}

static int no_create(struct nb_cb_create_args *args)
{
	return args->event == NB_EV_PREPARE ? NB_ERR_RESOURCE : NB_OK;
}

static int no_modify(struct nb_cb_modify_args *args)
{
	return args->event == NB_EV_PREPARE ? NB_ERR_RESOURCE : NB_OK;
}

static int no_destroy(struct nb_cb_destroy_args *args)
{
	return NB_OK;
}

static int disarm(const struct lysc_node *snode, void *arg)
{
	struct nb_node *node = snode->priv;

	if (node->cbs.create)
		node->cbs.create = no_create;
	if (node->cbs.modify)
		node->cbs.modify = no_modify;
	if (node->cbs.destroy)
		node->cbs.destroy = no_destroy;
	node->cbs.apply_finish = NULL;
	return YANG_ITER_CONTINUE;
}

void model_disarm(void)
{
	yang_snodes_iterate(yang_module_find("frr-relay")->info, disarm, 0,
			    NULL);
}

bool model_is_relayds(const struct flat *flat)
{
	return flat_has(flat, "/frr-relay:");
}

void model_read_running(void)
{
	flat_free(&model.running);
	flat_free(&model.running_values);
	flat_read(&model.running, running_config->dnode, false);
	flat_read(&model.running_values, running_config->dnode, true);
}

void model_expect_running(const struct flat *expected)
{
	struct lyd_node *copy = model_dup(running_config->dnode);

	FUZZ_ASSERT(model_validate(&copy));
	lyd_free_all(copy);
	model_read_running();
	FUZZ_ASSERT(flat_equal(&model.running, expected));
	FUZZ_ASSERT(!model_is_relayds(&model.running));
}

void model_read_vtysh(void)
{
	flat_free(&model.vtysh);
	flat_read(&model.vtysh, vty_shared_candidate_config->dnode, false);
}

void model_expect_same(const struct lyd_node *tree, const struct flat *kept)
{
	struct flat flat;

	flat_read(&flat, tree, false);
	FUZZ_ASSERT(flat_equal(&flat, kept));
	flat_free(&flat);
}

enum change model_changes(const struct lyd_node *tree)
{
	enum change change = CHANGE_SOME;
	struct flat flat, values;

	flat_read(&flat, tree, false);
	flat_read(&values, tree, true);
	/* a default that is given, and the order of a list */
	if (flat_equal(&values, &model.running_values))
		change = !flat_equal(&flat, &model.running) ||
					 flat_has(&flat, "/relay-lab:box/pile")
				 ? CHANGE_MAYBE
				 : CHANGE_NONE;
	flat_free(&flat);
	flat_free(&values);
	return change;
}

/* ------------------------------------------------------------ transactions */

static void transaction_free(struct transaction *t)
{
	free(t->comment);
	flat_free(&t->config);
}

void model_record(const char *client, const char *comment)
{
	struct transaction *t = model.transaction;

	if (model.ntransactions == RELAY_GRPC_TRANSACTIONS_MAX) {
		transaction_free(t);
		memmove(t, t + 1, --model.ntransactions * sizeof(*t));
	}
	t += model.ntransactions++;
	t->id = ++last_transaction;
	strlcpy(t->client, client, sizeof(t->client));
	t->comment = strdup(comment);
	flat_copy(&t->config, &model.running_values);
	model.unrecorded = false;
}

void model_catch_up(void)
{
	if (model.unrecorded)
		model_record("CLI", "");
}

void model_expect_text(const Frr__DataTree *tree, const struct flat *expected)
{
	struct lyd_node *parsed = NULL;
	struct flat flat;

	if (tree->encoding == FRR__ENCODING__JSON || tree->data[0])
		FUZZ_ASSERT(
			lyd_parse_data_mem(ly_native_ctx, tree->data,
					   tree->encoding == FRR__ENCODING__JSON
						   ? LYD_JSON
						   : LYD_XML,
					   LYD_PARSE_ONLY | LYD_PARSE_STRICT, 0,
					   &parsed) == LY_SUCCESS);
	flat_read(&flat, parsed, true);
	if (expected)
		FUZZ_ASSERT(flat_equal(&flat, expected));
	flat_free(&flat);
	lyd_free_all(parsed);
}

void model_transactions_free(void)
{
	for (size_t i = 0; i < model.ntransactions; i++)
		transaction_free(&model.transaction[i]);
}

void model_check_list(struct grpc_call *call)
{
	Frr__ListTransactionsResponse *answer;

	model_catch_up();
	FUZZ_ASSERT(call->req.status == GRPC_STATUS_OK);
	for (size_t i = model.ntransactions; i-- > 0;) {
		const struct transaction *t = &model.transaction[i];

		answer = grpc_call_answer(call);
		FUZZ_ASSERT(answer && answer->id == t->id);
		FUZZ_ASSERT(!strcmp(answer->client, t->client));
		FUZZ_ASSERT(!strcmp(answer->comment, t->comment));
		protobuf_c_message_free_unpacked(&answer->base, NULL);
	}
	FUZZ_ASSERT(!grpc_call_answer(call));
}

void model_check_transaction(struct grpc_call *call)
{
	const Frr__GetTransactionRequest *input = (void *)call->req.input;
	Frr__GetTransactionResponse *answer;
	const struct transaction *t = NULL;

	if (input->encoding != FRR__ENCODING__JSON &&
	    input->encoding != FRR__ENCODING__XML) {
		FUZZ_ASSERT(call->req.status == GRPC_STATUS_INVALID_ARGUMENT);
		return;
	}
	model_catch_up();
	for (size_t i = 0; i < model.ntransactions; i++)
		if (model.transaction[i].id == input->transaction_id)
			t = &model.transaction[i];
	FUZZ_ASSERT(call->req.status ==
		    (t ? GRPC_STATUS_OK : GRPC_STATUS_NOT_FOUND));
	if (!t)
		return;
	answer = grpc_call_answer(call);
	model_expect_text(answer->config, &t->config);
	protobuf_c_message_free_unpacked(&answer->base, NULL);
}

/* ------------------------------------------------------------------- vtysh */

void model_vtysh_edit(const char *path, const char *value)
{
	vtysh_edit(path, value);
	model_read_vtysh();
}

void model_vtysh_commit(void)
{
	struct lyd_node *tree = model_dup(vty_shared_candidate_config->dnode);
	uint32_t version = running_config->version;
	bool blocked = model.prepared.id || model.lock;
	bool valid = model_validate(&tree),
	     relayds = model_is_relayds(&model.vtysh), ok;
	enum change change = model_changes(tree);
	char err[512];

	ok = vtysh_commit(err, sizeof(err));
	if (valid && change == CHANGE_NONE)
		FUZZ_ASSERT(ok && running_config->version == version);
	else if (change != CHANGE_MAYBE)
		FUZZ_ASSERT(ok == (valid && !blocked && !relayds));
	if (running_config->version != version) {
		FUZZ_ASSERT(ok);
		/* nobody's commit is undone by it, since vtysh had them all */
		model_expect_running(&model.vtysh);
		model.version++;
		model.unrecorded = true;
	}
	if (!ok)
		model_expect_same(vty_shared_candidate_config->dnode,
				  &model.running);
	model_read_vtysh();
	lyd_free_all(tree);
}

void model_vtysh_lock(bool on)
{
	bool may = on ? !model.lock && !model.vtysh_lock : model.vtysh_lock;
	int ret = on ? nb_running_lock(NB_CLIENT_CLI, NULL)
		     : nb_running_unlock(NB_CLIENT_CLI, NULL);

	FUZZ_ASSERT((ret == 0) == may);
	if (may)
		model.vtysh_lock = on;
}
