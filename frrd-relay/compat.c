// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "libyang/libyang.h"

#include "lib/debug.h"
#include "command.h"
#include "linklist.h"
#include "log.h"
#include "northbound.h"
#include "yang.h"
#include "zclient.h"

#include "compat.h"

/* ------------------------------------------------------------------ debug */

void compat_debug_init(void (*set_all)(uint32_t flags, bool set),
		       struct cmd_node *node)
{
#if RELAY_FRR < 1000
	static struct debug_callbacks callbacks;

	callbacks.debug_set_all = set_all;
	debug_init(&callbacks);
	install_node(node);
#endif
}

void compat_debug_install(struct debug *debug)
{
#if RELAY_FRR >= 1000
	debug_install(debug);
#endif
}

/* ----------------------------------------------------------------- zclient */

static void (*on_nexthop)(const struct prefix *match,
			  const struct zapi_route *route);

#if RELAY_FRR >= 1000
static void nexthop_update(struct vrf *vrf, struct prefix *match,
			   struct zapi_route *route)
{
	struct prefix p = {};

	/* libfrr sets as much of it as the message has */
	prefix_copy(&p, match);
	on_nexthop(&p, route);
}

/* libfrr has read it */
int compat_nexthop_update(ZAPI_CALLBACK_ARGS)
{
	return 0;
}
#else
int compat_nexthop_update(ZAPI_CALLBACK_ARGS)
{
	/* 89 kB: kept off the stack */
	static struct zapi_route route;
	struct prefix p = {};

	if (!zapi_nexthop_update_decode(zclient->ibuf, &p, &route)) {
		zlog_warn("zebra: unreadable nexthop update");
		return -1;
	}
	on_nexthop(&p, &route);
	return 0;
}
#endif

struct zclient *
compat_zclient_new(struct frr_loop *loop, zclient_handler *const *handlers,
		   size_t n_handlers,
		   void (*nexthop)(const struct prefix *match,
				   const struct zapi_route *route))
{
	struct zclient *zclient;

	on_nexthop = nexthop;
#if RELAY_FRR >= 1000
	zclient = zclient_new(loop, &zclient_options_default, handlers,
			      n_handlers);
	zclient->nexthop_update = nexthop_update;
#else
	struct zclient_options options = {.receive_notify = true};

	zclient = zclient_new(loop, &options, handlers, n_handlers);
#endif
	return zclient;
}

void compat_zclient_connected(struct zclient *zclient)
{
#if RELAY_FRR >= 1000
	zebra_route_notify_send(ZEBRA_ROUTE_NOTIFY_REQUEST, zclient, true);
#endif
}

/* -------------------------------------------------------------- northbound */

void compat_nb_init(struct frr_loop *loop,
		    const struct frr_yang_module_info *const modules[],
		    size_t n)
{
#if RELAY_FRR >= 1000
	debug_init();
	nb_init(loop, modules, n, false, false);
#else
	nb_init(loop, modules, n, false);
#endif
}

void compat_leaf_list_xpath(char *buf, size_t len, const char *xpath,
			    const char *value)
{
#if RELAY_FRR >= 1000
	char quote = strchr(value, '\'') ? '"' : '\'';

	snprintf(buf, len, "%s[.=%c%s%c]", xpath, quote, value, quote);
#else
	/* libfrr does that */
	strlcpy(buf, xpath, len);
#endif
}

bool compat_nb_get(const struct nb_node *node, const void *entry,
		   struct lyd_node *parent)
{
#if RELAY_FRR >= 1000
	if (!node->cbs.get)
		return false;
	/* as libfrr does it; what it could not make is not there */
	node->cbs.get(node, entry, parent);
	return true;
#else
	return false;
#endif
}

int compat_candidate_edit(struct nb_config *candidate,
			  const struct nb_node *node, int operation,
			  const char *xpath, const struct yang_data *data)
{
	int ret = nb_candidate_edit(candidate, node, operation, xpath, NULL,
				    data);

#if RELAY_FRR < 1000
	if (ret == NB_ERR_NOT_FOUND)
		return NB_OK;
#endif
	/* since 10 it may be an LY_ERR as well */
	return ret == NB_OK ? NB_OK : NB_ERR;
}

int compat_candidate_prepare(const struct nb_context *context,
			     struct nb_config *candidate, const char *comment,
			     struct nb_transaction **transaction, char *err,
			     size_t len)
{
#if RELAY_FRR >= 1000
	return nb_candidate_commit_prepare(*context, candidate, comment,
					   transaction, false, false, err, len);
#else
	/* kept by the transaction: the caller's must outlive it */
	return nb_candidate_commit_prepare((struct nb_context *)context,
					   candidate, comment, transaction, err,
					   len);
#endif
}

int compat_candidate_commit(const struct nb_context *context,
			    struct nb_config *candidate, char *err, size_t len)
{
#if RELAY_FRR >= 1000
	return nb_candidate_commit(*context, candidate, true, NULL, NULL, err,
				   len);
#else
	return nb_candidate_commit((struct nb_context *)context, candidate,
				   true, NULL, NULL, err, len);
#endif
}

int compat_candidate_validate(const struct nb_context *context,
			      struct nb_config *candidate, char *err,
			      size_t len)
{
	int ret = nb_candidate_validate((struct nb_context *)context, candidate,
					err, len);

#if RELAY_FRR >= 1000
	/* libfrr leaves sizeof(size_t) of what YANG says; it has been logged */
	if (ret == NB_ERR_VALIDATION && strlen(err) < sizeof(len)) {
		static uint32_t store = LY_LOSTORE;

		ly_temp_log_options(&store);
		nb_candidate_validate_yang(candidate, true, err, len);
		ly_temp_log_options(NULL);
	}
#endif
	return ret;
}

const char *compat_rpc_input(const struct nb_cb_rpc_args *args,
			     const char *leaf)
{
	if (!args->input)
		return NULL;
#if RELAY_FRR >= 1000
	struct lyd_node *node = yang_dnode_get(args->input, leaf);

	return node ? lyd_get_value(node) : NULL;
#else
	const struct yang_data *data = yang_data_list_find(
		args->input, "%s/input/%s", args->xpath, leaf);

	return data ? data->value : NULL;
#endif
}

#if RELAY_FRR >= 1000
/* The tree of an RPC's input, out of what libfrr had before. */
static int rpc_tree(const char *xpath, struct list *in, struct lyd_node **tree,
		    char *err, size_t len)
{
	/* libyang keeps the pointer */
	static uint32_t quiet;
	struct listnode *node;
	struct yang_data *data;
	LY_ERR ret;

	if (lyd_new_path(NULL, ly_native_ctx, xpath, NULL, 0, tree))
		return NB_ERR;
	for (ALL_LIST_ELEMENTS_RO(in, node, data)) {
		/* the schema's path has an "input" that the data's has not */
		const char *leaf = strstr(data->xpath, "/input/");
		char path[XPATH_MAXLEN];

		snprintf(path, sizeof(path), "%s/%s", xpath,
			 leaf ? leaf + strlen("/input/") : "");
		ly_temp_log_options(&quiet);
		ret = lyd_new_path(*tree, ly_native_ctx, path, data->value,
				   LYD_NEW_PATH_UPDATE, NULL);
		ly_temp_log_options(NULL);
		if (ret) {
			snprintf(err, len, "%s is not a valid value",
				 data->value ? data->value : path);
			return NB_ERR_VALIDATION;
		}
	}
	return NB_OK;
}

static void rpc_list(const char *xpath, const struct lyd_node *tree,
		     struct list *out)
{
	const struct lyd_node *node;
	char path[XPATH_MAXLEN];

	LY_LIST_FOR (lyd_child(tree), node) {
		if (!(node->schema->nodetype & LYD_NODE_TERM))
			continue;
		snprintf(path, sizeof(path), "%s/output/%s", xpath,
			 node->schema->name);
		listnode_add(out, yang_data_new(path, lyd_get_value(node)));
	}
}

int compat_rpc_call(const struct nb_node *node, const char *xpath,
		    struct list *in, struct list *out, char *err, size_t len)
{
	struct lyd_node *input = NULL, *output = NULL;
	int ret = rpc_tree(xpath, in, &input, err, len);

	if (ret == NB_OK &&
	    lyd_new_path(NULL, ly_native_ctx, xpath, NULL, 0, &output))
		ret = NB_ERR;
	if (ret == NB_OK)
		ret = nb_callback_rpc(node, xpath, input, output, err, len);
	if (ret == NB_OK)
		rpc_list(xpath, output, out);
	lyd_free_all(input);
	lyd_free_all(output);
	return ret;
}
#else
int compat_rpc_call(const struct nb_node *node, const char *xpath,
		    struct list *in, struct list *out, char *err, size_t len)
{
	return nb_callback_rpc(node, xpath, in, out, err, len);
}
#endif

/* ----------------------------------------------------------------- libyang */

const char *compat_ly_errmsg(void)
{
#if RELAY_FRR >= 1000
	const struct ly_err_item *last = ly_err_last(ly_native_ctx);

	return last ? last->msg : NULL;
#else
	return ly_errmsg(ly_native_ctx);
#endif
}

const char *compat_ly_errpath(void)
{
#if RELAY_FRR >= 1000
	const struct ly_err_item *last = ly_err_last(ly_native_ctx);

	if (!last)
		return NULL;
	return last->data_path ? last->data_path : last->schema_path;
#else
	return ly_errpath(ly_native_ctx);
#endif
}

unsigned long compat_ly_errline(void)
{
#if RELAY_FRR >= 1000
	const struct ly_err_item *last = ly_err_last(ly_native_ctx);

	return last ? last->line : 0;
#else
	const char *where = ly_errpath(ly_native_ctx);
	const char *line = where ? strstr(where, "ine number ") : NULL;

	return line ? strtoul(line + strlen("ine number "), NULL, 10) : 0;
#endif
}

const char *compat_ly_path(const char *where, size_t *len)
{
	const char *from = strchr(where, '"'), *to = strrchr(where, '"');

	/* 3 has the path and no more; it may have quotes of its own */
	if (where[0] == '/') {
		*len = strlen(where);
		return where;
	}
	/* 2: 'Data location "PATH", line number N.' */
	*len = from ? to - from - 1 : 0;
	return from ? from + 1 : where;
}

static void (*ly_log_to)(const char *msg);

#if RELAY_FRR >= 1000
static void on_ly_log(LY_LOG_LEVEL level, const char *msg,
		      const char *data_path, const char *schema_path,
		      uint64_t line)
{
	ly_log_to(msg);
}
#else
static void on_ly_log(LY_LOG_LEVEL level, const char *msg, const char *path)
{
	ly_log_to(msg);
}
#endif

void compat_ly_log(void (*log)(const char *msg))
{
	ly_log_to = log;
#if RELAY_FRR >= 1000
	ly_set_log_clb(on_ly_log);
#else
	ly_set_log_clb(on_ly_log, 1);
#endif
}

bool compat_lyd_has_meta(const struct lyd_node *node)
{
#if RELAY_FRR >= 1000
	const struct lyd_meta *meta;

	LY_LIST_FOR (node->meta, meta)
		if (!lyd_meta_is_internal(meta))
			return true;
	return false;
#else
	return node->meta != NULL;
#endif
}
