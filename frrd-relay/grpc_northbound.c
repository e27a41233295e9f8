// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "lib/version.h"
#include "northbound.h"

#include "grpc/frr-northbound.pb-c.h"

#include "compat.h"
#include "grpc_northbound.h"
#include "grpc_transaction.h"
#include "relay_grpc.h"
#include "relay_memory.h"
#include "relay_nb_tree.h"

#define NSEC_PER_SEC 1000000000LL

int64_t relay_grpc_timestamp(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* ------------------------------------------------------------ capabilities */

void relay_grpc_get_capabilities(struct relay_grpc_request *req)
{
	Frr__GetCapabilitiesResponse answer =
		FRR__GET_CAPABILITIES_RESPONSE__INIT;
	Frr__Encoding encodings[] = {FRR__ENCODING__JSON, FRR__ENCODING__XML};
	Frr__ModuleData *data, **list;
	struct yang_module *module;
	size_t n = 0;

	RB_FOREACH (module, yang_modules, &yang_modules)
		n++;
	data = XCALLOC(MTYPE_TMP, (n + 1) * sizeof(*data));
	list = XCALLOC(MTYPE_TMP, (n + 1) * sizeof(*list));
	n = 0;
	RB_FOREACH (module, yang_modules, &yang_modules) {
		list[n] = &data[n];
		frr__module_data__init(list[n]);
		list[n]->name = (char *)module->name;
		list[n]->organization = (char *)module->info->org;
		list[n]->revision = (char *)module->info->revision;
		n++;
	}
	answer.frr_version = (char *)FRR_VERSION;
	answer.rollback_support = true;
	answer.n_supported_modules = n;
	answer.supported_modules = list;
	answer.n_supported_encodings = array_size(encodings);
	answer.supported_encodings = encodings;
	relay_grpc_answer(req, &answer.base);
	XFREE(MTYPE_TMP, list);
	XFREE(MTYPE_TMP, data);
}

/* -------------------------------------------------------------------- Get */

static bool data_of(struct relay_grpc_request *req, int type,
		    enum relay_nb_data *data)
{
	switch (type) {
	case FRR__GET_REQUEST__DATA_TYPE__ALL:
		*data = RELAY_NB_ALL;
		return true;
	case FRR__GET_REQUEST__DATA_TYPE__CONFIG:
		*data = RELAY_NB_CONFIG;
		return true;
	case FRR__GET_REQUEST__DATA_TYPE__STATE:
		*data = RELAY_NB_STATE;
		return true;
	default:
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"no data of the type %d", type);
		return false;
	}
}

/* One path each time: what a client takes slowly is not there all at once. */
void relay_grpc_get(struct relay_grpc_request *req)
{
	const Frr__GetRequest *input = (void *)req->input;
	Frr__GetResponse answer = FRR__GET_RESPONSE__INIT;
	Frr__DataTree tree = FRR__DATA_TREE__INIT;
	struct lyd_node *dnode = NULL;
	char err[RELAY_GRPC_TEXT_LEN] = "";
	const char *path = "/";
	enum relay_nb_data data;
	LYD_FORMAT format;
	char *text = NULL;
	int ret;

	if (!relay_grpc_format(req, input->encoding, &format) ||
	    !data_of(req, input->type, &data))
		return;
	if (input->n_path > RELAY_GRPC_PATHS_MAX) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"%zu paths, of which there may be %d",
				input->n_path, RELAY_GRPC_PATHS_MAX);
		return;
	}
	if (input->n_path && input->path[req->step][0])
		path = input->path[req->step];

	ret = relay_nb_tree_get(running_config->dnode, path, data, &dnode, err,
				sizeof(err));
	if (ret == 0)
		ret = relay_nb_tree_print(dnode, format, input->with_defaults,
					  &text, err, sizeof(err));
	if (ret < 0) {
		relay_grpc_fail_errno(req, ret, err);
	} else {
		tree.encoding = input->encoding;
		tree.data = text;
		answer.timestamp = relay_grpc_timestamp();
		answer.data = &tree;
		relay_grpc_answer(req, &answer.base);
		if (req->status == GRPC_STATUS_OK)
			req->more = req->step + 1 < input->n_path;
	}
	free(text);
	lyd_free_all(dnode);
}

/* ----------------------------------------------------------- transactions */

static char *date_str(time_t date, char *buf, size_t len)
{
	struct tm tm;

	strftime(buf, len, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&date, &tm));
	return buf;
}

void relay_grpc_list_transactions(struct relay_grpc_request *req)
{
	const struct relay_grpc_transaction *t;
	char date[32];

	relay_grpc_transactions_catch_up();
	for (t = grpc_log_const_last(relay_grpc_log); t;
	     t = grpc_log_const_prev(relay_grpc_log, t)) {
		Frr__ListTransactionsResponse answer =
			FRR__LIST_TRANSACTIONS_RESPONSE__INIT;

		answer.id = t->id;
		answer.client = t->client;
		answer.date = date_str(t->date, date, sizeof(date));
		answer.comment = t->comment;
		relay_grpc_answer(req, &answer.base);
	}
}

void relay_grpc_get_transaction(struct relay_grpc_request *req)
{
	const Frr__GetTransactionRequest *input = (void *)req->input;
	Frr__GetTransactionResponse answer =
		FRR__GET_TRANSACTION_RESPONSE__INIT;
	Frr__DataTree tree = FRR__DATA_TREE__INIT;
	const struct relay_grpc_transaction *t;
	struct lyd_node *dnode = NULL;
	char err[RELAY_GRPC_TEXT_LEN] = "";
	LYD_FORMAT format;
	char *text = NULL;
	int ret;

	if (!relay_grpc_format(req, input->encoding, &format))
		return;
	relay_grpc_transactions_catch_up();
	t = relay_grpc_transaction_find(input->transaction_id);
	if (!t || !t->config) {
		relay_grpc_fail(req, GRPC_STATUS_NOT_FOUND,
				"transaction %u not found",
				input->transaction_id);
		return;
	}
	ret = relay_nb_tree_load(&dnode, true, LYD_JSON, t->config, err,
				 sizeof(err));
	if (ret == 0 && input->with_defaults)
		lyd_new_implicit_all(&dnode, ly_native_ctx,
				     LYD_IMPLICIT_NO_STATE, NULL);
	if (ret == 0)
		ret = relay_nb_tree_print(dnode, format, input->with_defaults,
					  &text, err, sizeof(err));
	if (ret < 0) {
		relay_grpc_fail(req, GRPC_STATUS_INTERNAL, "%s", err);
	} else {
		tree.encoding = input->encoding;
		tree.data = text;
		answer.config = &tree;
		relay_grpc_answer(req, &answer.base);
	}
	free(text);
	lyd_free_all(dnode);
}

/* ------------------------------------------------------------------- lock */

static uint64_t lock_session;
static uint32_t lock_number;
static char lock_owner[RELAY_GRPC_PEER_LEN + 8];

static const void *lock_user(uint64_t session)
{
	return (const void *)(uintptr_t)session;
}

void relay_grpc_lock_config(struct relay_grpc_request *req)
{
	Frr__LockConfigResponse answer = FRR__LOCK_CONFIG_RESPONSE__INIT;

	if (nb_running_lock(NB_CLIENT_GRPC, lock_user(req->session)) != 0) {
		relay_grpc_fail(req, GRPC_STATUS_FAILED_PRECONDITION,
				"running configuration is locked already%s%s",
				lock_session ? ", by " : "",
				lock_session ? lock_owner : "");
		return;
	}
	lock_session = req->session;
	req->id = ++lock_number;
	snprintf(lock_owner, sizeof(lock_owner), "gRPC %s", req->peer);
	relay_grpc_answer(req, &answer.base);
}

static bool unlock(uint64_t session)
{
	if (nb_running_unlock(NB_CLIENT_GRPC, lock_user(session)) != 0)
		return false;
	lock_session = 0;
	return true;
}

void relay_grpc_lock_config_undo(struct relay_grpc_request *req)
{
	/* that one, and not one that was taken since */
	if (req->id == lock_number)
		unlock(req->session);
}

void relay_grpc_unlock_config(struct relay_grpc_request *req)
{
	Frr__UnlockConfigResponse answer = FRR__UNLOCK_CONFIG_RESPONSE__INIT;

	if (unlock(req->session))
		relay_grpc_answer(req, &answer.base);
	else
		relay_grpc_fail(req, GRPC_STATUS_FAILED_PRECONDITION,
				"this session has no lock");
}

void relay_grpc_lock_session_ended(uint64_t session)
{
	if (lock_session == session)
		unlock(session);
}

const char *relay_grpc_lock_owner(void)
{
	return lock_session ? lock_owner : NULL;
}

/* ---------------------------------------------------------------- Execute */

/* Without a word in the log: it is the client that has to know. */
static const struct lysc_node *schema_find(const char *path)
{
	uint32_t quiet = LY_LOSTORE;
	const struct lysc_node *snode;

	ly_temp_log_options(&quiet);
	snode = lys_find_path(ly_native_ctx, NULL, path, 0);
	ly_temp_log_options(NULL);
	return snode;
}

/* The input of the RPC that the client means: by its name, or with the whole
 * path before it. NULL: none. */
static const struct lysc_node *input_find(const struct lysc_node *rpc,
					  const char *xpath, const char *path)
{
	const struct lysc_node *child;
	size_t module = strlen(rpc->module->name);
	const char *before[] = {xpath, "/input/"};

	for (size_t i = 0; path[0] == '/' && i < array_size(before); i++) {
		if (strncmp(path, before[i], strlen(before[i])))
			return NULL;
		path += strlen(before[i]);
	}
	if (!strncmp(path, rpc->module->name, module) && path[module] == ':')
		path += module + 1;
	LY_LIST_FOR (((const struct lysc_node_action *)rpc)->input.child, child)
		if (CHECK_FLAG(child->nodetype, LYS_LEAF | LYS_LEAFLIST) &&
		    !strcmp(child->name, path))
			return child;
	return NULL;
}

static bool value_valid(const struct lysc_node *snode, const char *value)
{
	uint32_t quiet = LY_LOSTORE;
	LY_ERR ret;

	ly_temp_log_options(&quiet);
	ret = lyd_value_validate(ly_native_ctx, snode, value, strlen(value),
				 NULL, NULL, NULL);
	ly_temp_log_options(NULL);
	return ret == LY_SUCCESS;
}

/* One more input, under the name that the callbacks look for: what they don't
 * find they take for not given, and an RPC may be about all relays then. */
static bool input_add(struct list *in, const struct lysc_node *rpc,
		      const char *xpath, const Frr__PathValue *value, char *err,
		      size_t len)
{
	const struct lysc_node *snode = input_find(rpc, xpath, value->path);
	char full[XPATH_MAXLEN + 64];

	if (!snode) {
		snprintf(err, len, "%s has no input \"%s\"", xpath, value->path);
		return false;
	}
	if (!value_valid(snode, value->value)) {
		snprintf(err, len, "\"%s\" is no value of %s", value->value,
			 snode->name);
		return false;
	}
	snprintf(full, sizeof(full), "%s/input/%s", xpath, snode->name);
	if (snode->nodetype == LYS_LEAF &&
	    yang_data_list_find(in, "%s", full)) {
		snprintf(err, len, "%s is there twice", snode->name);
		return false;
	}
	listnode_add(in, yang_data_new(full, value->value));
	return true;
}

/* What the RPC says of its own failure. */
static void fail_rpc(struct relay_grpc_request *req, int ret, const char *err)
{
	grpc_status_code status;

	switch (ret) {
	case NB_ERR_NOT_FOUND:
		status = GRPC_STATUS_NOT_FOUND;
		break;
	case NB_ERR_INCONSISTENCY:
		status = GRPC_STATUS_FAILED_PRECONDITION;
		break;
	case NB_ERR_VALIDATION:
		status = GRPC_STATUS_INVALID_ARGUMENT;
		break;
	default:
		status = GRPC_STATUS_INTERNAL;
		break;
	}
	relay_grpc_fail(req, status, "%s", err[0] ? err : nb_err_name(ret));
}

static void rpc_answer(struct relay_grpc_request *req, struct list *output)
{
	Frr__ExecuteResponse answer = FRR__EXECUTE_RESPONSE__INIT;
	size_t n = listcount(output);
	Frr__PathValue *values, **list;
	struct listnode *node;
	struct yang_data *data;

	values = XCALLOC(MTYPE_TMP, (n + 1) * sizeof(*values));
	list = XCALLOC(MTYPE_TMP, (n + 1) * sizeof(*list));
	n = 0;
	for (ALL_LIST_ELEMENTS_RO(output, node, data)) {
		list[n] = &values[n];
		frr__path_value__init(list[n]);
		list[n]->path = data->xpath;
		list[n]->value = data->value;
		n++;
	}
	answer.n_output = n;
	answer.output = list;
	relay_grpc_answer(req, &answer.base);
	XFREE(MTYPE_TMP, list);
	XFREE(MTYPE_TMP, values);
}

void relay_grpc_execute(struct relay_grpc_request *req)
{
	const Frr__ExecuteRequest *input = (void *)req->input;
	const struct lysc_node *rpc = schema_find(input->path);
	char err[BUFSIZ] = "";
	struct list *in, *out;
	struct nb_node *node;
	int ret;

	node = rpc && rpc->nodetype == LYS_RPC ? rpc->priv : NULL;
	if (!node || !node->cbs.rpc) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"\"%s\" is not the path of an RPC",
				input->path);
		return;
	}
	in = yang_data_list_new();
	out = yang_data_list_new();
	ret = NB_OK;
	for (size_t i = 0; ret == NB_OK && i < input->n_input; i++)
		if (!input_add(in, rpc, node->xpath, input->input[i], err,
			       sizeof(err)))
			ret = NB_ERR_VALIDATION;
	if (ret == NB_OK)
		ret = compat_rpc_call(node, node->xpath, in, out, err,
				      sizeof(err));
	if (ret == NB_OK)
		rpc_answer(req, out);
	else
		fail_rpc(req, ret, err);
	list_delete(&in);
	list_delete(&out);
}
