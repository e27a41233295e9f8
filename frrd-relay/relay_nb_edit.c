// SPDX-License-Identifier: GPL-2.0-or-later
/* Edits of data trees; the rest of relay_nb_tree.h is in relay_nb_tree.c. */
#include <zebra.h>

#include "compat.h"
#include "relay_nb_data.h"
#include "relay_nb_merge.h"
#include "relay_nb_path.h"
#include "relay_nb_tree.h"

/* One edit, read: what it wants is right as far as paths and values go. */
struct op {
	struct relay_nb_path path;
	const char *value; /* canonical, libyang's dictionary; NULL: none */
};

/* A tree is never NULL: libfrr takes none such. */
static void fill(struct lyd_node **config)
{
	if (*config)
		return;
	relay_nb_quiet_begin();
	lyd_new_implicit_all(config, ly_native_ctx, LYD_IMPLICIT_NO_STATE,
			     NULL);
	relay_nb_quiet_end(NULL, 0, "");
}

static int no_memory(char *err, size_t err_len)
{
	return relay_nb_err(err, err_len, ENOMEM, "out of memory");
}

/* ---------------------------------------------------------------- reading */

static int check_keys(const struct op *op, char *err, size_t err_len)
{
	const struct relay_nb_path *path = &op->path;

	for (size_t i = 0; i < path->nsteps; i++) {
		const struct relay_nb_step *step = &path->step[i];
		const struct lysc_node_leaf *skey;
		size_t k = 0;

		if (step->snode->nodetype != LYS_LIST)
			continue;
		LY_FOR_KEYS (step->snode, skey)
			if (!step->key[k++])
				return relay_nb_err(
					err, err_len, EINVAL,
					"%s: list %s needs its key [%s='...']",
					path->text, step->snode->name,
					skey->name);
	}
	return 0;
}

static int read_value(struct op *op, const struct relay_nb_step *last,
		      const char *value, char *err, size_t err_len)
{
	char why[256];
	LY_ERR ret;

	relay_nb_quiet_begin();
	ret = lyd_value_validate(ly_native_ctx, last->snode, value,
				 strlen(value), NULL, NULL, &op->value);
	relay_nb_quiet_end(why, sizeof(why), "bad value");
	if (ret == LY_SUCCESS || ret == LY_EINCOMPLETE)
		return 0;
	return relay_nb_err(err, err_len, EINVAL, "%s: %s", op->path.text, why);
}

/* A key is as it is; an update may name it, as clients do to make an entry. */
static int check_key(const struct op *op, const char *value, bool del,
		     char *err, size_t err_len)
{
	const struct relay_nb_step *list = &op->path.step[op->path.nsteps - 2];
	const struct lysc_node_leaf *skey;
	size_t i = 0;

	LY_FOR_KEYS (list->snode, skey) {
		if (strcmp(skey->name, list[1].snode->name) == 0)
			break;
		i++;
	}
	if (!del && (!value[0] || strcmp(value, list->key[i]) == 0))
		return 0;
	return relay_nb_err(err, err_len, EINVAL,
			    "%s: a key can't be %s, only its entry can",
			    op->path.text, del ? "deleted" : "changed");
}

/* The value of a leaf-list's entry: by the path or beside it. */
static int check_leaf_list(struct op *op, struct relay_nb_step *last,
			   const char *value, char *err, size_t err_len)
{
	int ret = 0;

	if (value[0] || !last->given)
		ret = read_value(op, last, value, err, err_len);
	if (ret < 0)
		return ret;
	if (last->given && op->value && strcmp(op->value, last->key[0]))
		return relay_nb_err(err, err_len, EINVAL,
				    "%s: value %s is another than the path's",
				    op->path.text, value);
	if (!last->given) {
		last->key[0] = op->value;
		last->given = 1;
		op->value = NULL;
	}
	return 0;
}

static int check_op(struct op *op, const char *value, bool del, char *err,
		    size_t err_len)
{
	struct relay_nb_step *last;
	int ret;

	if (!op->path.nsteps)
		return relay_nb_err(err, err_len, EINVAL,
				    "%s: a path of one node is needed",
				    op->path.text);
	last = &op->path.step[op->path.nsteps - 1];
	if (last->snode->flags & LYS_CONFIG_R)
		return relay_nb_err(
			err, err_len, EINVAL,
			"%s: operational state, which can't be edited",
			op->path.text);
	ret = check_keys(op, err, err_len);
	if (ret < 0)
		return ret;
	if (last->snode->nodetype == LYS_LEAFLIST)
		return check_leaf_list(op, last, value, err, err_len);
	if (last->snode->nodetype != LYS_LEAF)
		return 0;
	if (lysc_is_key(last->snode))
		return check_key(op, value, del, err, err_len);
	return del ? 0 : read_value(op, last, value, err, err_len);
}

static void free_op(struct op *op)
{
	relay_nb_path_free(&op->path);
	if (op->value)
		lydict_remove(ly_native_ctx, op->value);
}

static int read_op(struct op *op, const struct relay_nb_edit *edit, bool del,
		   char *err, size_t err_len)
{
	int ret;

	op->value = NULL;
	ret = relay_nb_path_read(&op->path, edit->path, err, err_len);
	if (ret < 0)
		return ret;
	ret = check_op(op, edit->value ? edit->value : "", del, err, err_len);
	if (ret < 0)
		free_op(op);
	return ret;
}

/* ------------------------------------------------------------------ doing */

/* Creates what is not there; what has been on an error is away again. */
static int do_update(struct lyd_node **config, const struct op *op)
{
	const struct relay_nb_path *path = &op->path;
	struct lyd_node *parent = NULL, *node, *made = NULL;
	LY_ERR ret = LY_SUCCESS;

	for (size_t i = 0; i < path->nsteps; i++, parent = node) {
		const struct relay_nb_step *step = &path->step[i];
		bool leaf = step->snode->nodetype == LYS_LEAF;

		node = relay_nb_first(parent ? lyd_child(parent) : *config,
				      step);
		if (node) {
			/* of a leaf, by its name */
			if (leaf && op->value)
				ret = lyd_change_term(node, op->value);
			if (ret && ret != LY_EEXIST && ret != LY_ENOT)
				break;
			ret = LY_SUCCESS;
			continue;
		}
		relay_nb_make_room(parent, config, step->snode);
		ret = relay_nb_new(parent, config, step->snode,
				   leaf ? &op->value : step->key, &node);
		if (ret)
			break;
		if (!made)
			made = node;
	}
	if (ret && made)
		relay_nb_remove(config, made);
	return ret == LY_SUCCESS ? 0 : ret == LY_EMEM ? -ENOMEM : -EINVAL;
}

static int do_delete(struct lyd_node **config, const struct op *op)
{
	const struct lyd_node *siblings = *config;
	struct lyd_node *node = NULL;

	for (size_t i = 0; i < op->path.nsteps; i++) {
		node = relay_nb_first(siblings, &op->path.step[i]);
		if (!node)
			return -ENOENT;
		siblings = lyd_child(node);
	}
	relay_nb_remove(config, node);
	return 0;
}

static int edit_one(struct lyd_node **config, const struct relay_nb_edit *edit,
		    bool del, char *err, size_t err_len)
{
	struct op op;
	int ret;

	ret = read_op(&op, edit, del, err, err_len);
	if (ret < 0)
		return ret;
	relay_nb_quiet_begin();
	ret = del ? do_delete(config, &op) : do_update(config, &op);
	relay_nb_quiet_end(NULL, 0, "");
	if (ret < 0)
		relay_nb_err(err, err_len, -ret, "Failed to %s %s%s",
			     del ? "remove" : "update", op.path.text,
			     ret == -ENOENT   ? ": it is not there"
			     : ret == -ENOMEM ? ": out of memory"
					      : "");
	free_op(&op);
	return ret;
}

/* After it nothing but want of memory keeps the updates from being done. */
static int check_updates(const struct relay_nb_edit *update, size_t n,
			 char *err, size_t err_len)
{
	struct op op;
	int ret = 0;

	for (size_t i = 0; i < n && ret == 0; i++) {
		ret = read_op(&op, &update[i], false, err, err_len);
		if (ret == 0)
			free_op(&op);
	}
	return ret;
}

int relay_nb_tree_edit(struct lyd_node **config,
		       const struct relay_nb_edit *update, size_t nupdate,
		       const struct relay_nb_edit *del, size_t ndel, char *err,
		       size_t err_len)
{
	/* whether there is something to delete shows when its turn comes; a
	 * deletion alone is done or not */
	bool copy = ndel > 0 && nupdate + ndel > 1;
	struct lyd_node *work = *config;
	int ret;

	if (nupdate + ndel > RELAY_NB_MAX_EDITS)
		return relay_nb_err(err, err_len, EMSGSIZE,
				    "%zu edits, of which there may be %d at once",
				    nupdate + ndel, RELAY_NB_MAX_EDITS);
	ret = check_updates(update, nupdate, err, err_len);
	if (ret < 0)
		return ret;
	if (copy && *config &&
	    lyd_dup_siblings(*config, NULL, LYD_DUP_RECURSIVE, &work))
		return no_memory(err, err_len);
	for (size_t i = 0; i < nupdate && ret == 0; i++)
		ret = edit_one(&work, &update[i], false, err, err_len);
	for (size_t i = 0; i < ndel && ret == 0; i++)
		ret = edit_one(&work, &del[i], true, err, err_len);
	if (copy)
		lyd_free_all(ret < 0 ? work : *config);
	if (ret < 0 && copy)
		return ret;
	*config = work;
	if (ret == 0)
		fill(config);
	return ret;
}

/* ---------------------------------------------------------------- loading */

/* libyang's message, behind where in the tree and the text it is. */
static int bad_text(char *err, size_t err_len, const char *why,
		    const char *where, unsigned long line)
{
	char at[32] = "";
	const char *path;
	size_t len;

	path = compat_ly_path(where, &len);
	if (line)
		snprintf(at, sizeof(at), " (line %lu)", line);
	return relay_nb_err(err, err_len, EINVAL, "%.*s%s%s%s", (int)len, path,
			    len ? ": " : "", why, at);
}

/* What libyang takes and a candidate can't have: something twice, which only
 * validation would find, and what says how to edit, which no one would heed. */
static const struct lyd_node *find_bad(const struct lyd_node *siblings,
				       const char **why)
{
	const struct lyd_node *node, *bad;
	struct lyd_node *first;

	LY_LIST_FOR (siblings, node) {
		if (compat_lyd_has_meta(node)) {
			*why = "has metadata, which is not taken";
			return node;
		}
		if (node->schema->nodetype & (LYS_LIST | LYS_LEAFLIST))
			lyd_find_sibling_first(siblings, node, &first);
		else
			lyd_find_sibling_val(siblings, node->schema, NULL, 0,
					     &first);
		if (first != node) {
			*why = "is there twice";
			return node;
		}
		bad = find_bad(lyd_child(node), why);
		if (bad)
			return bad;
	}
	return NULL;
}

/* As lyd_parse_data_mem(), which does not see what follows JSON's object. */
static LY_ERR parse_all(LYD_FORMAT format, const char *text,
			struct lyd_node **tree, bool *more)
{
	struct ly_in *in;
	LY_ERR ret;

	*more = false;
	if (ly_in_new_memory(text, &in))
		return LY_EMEM;
	ret = lyd_parse_data(ly_native_ctx, NULL, in, format,
			     LYD_PARSE_ONLY | LYD_PARSE_STRICT |
				     LYD_PARSE_NO_STATE,
			     0, tree);
	if (!ret) {
		text += ly_in_parsed(in);
		*more = text[strspn(text, " \t\r\n")];
	}
	ly_in_free(in, 0);
	return ret;
}

static int parse(LYD_FORMAT format, const char *text, struct lyd_node **tree,
		 char *err, size_t err_len)
{
	char msg[256], where[XPATH_MAXLEN] = "";
	const struct lyd_node *bad;
	unsigned long line;
	const char *why;
	bool more;
	LY_ERR ret;

	*tree = NULL;
	/* libyang takes it for an empty tree, and who forgot to send one would
	 * lose the candidate */
	if (format == LYD_JSON && !text[strspn(text, " \t\r\n")])
		return relay_nb_err(err, err_len, EINVAL,
				    "there is no JSON in the text");
	relay_nb_quiet_begin();
	ret = parse_all(format, text, tree, &more);
	if (ret && compat_ly_errpath())
		strlcpy(where, compat_ly_errpath(), sizeof(where));
	line = compat_ly_errline();
	relay_nb_quiet_end(msg, sizeof(msg), "the text can't be parsed");
	if (ret == LY_EMEM)
		return no_memory(err, err_len);
	if (ret)
		return bad_text(err, err_len, msg, where, line);

	bad = find_bad(*tree, &why);
	if (bad) {
		lyd_path(bad, LYD_PATH_STD, where, sizeof(where));
		relay_nb_err(err, err_len, EINVAL, "%s %s", where, why);
	} else if (more) {
		relay_nb_err(err, err_len, EINVAL,
			     "there is more behind the data's end");
	} else {
		return 0;
	}
	lyd_free_all(*tree);
	*tree = NULL;
	return -EINVAL;
}

/* No less than there are nodes, but for a few on the way to the first. */
static size_t count_nodes(LYD_FORMAT format, const char *text)
{
	char mark = format == LYD_XML ? '<' : ',';
	size_t n = 0;

	for (; (text = strchr(text, mark)); text++)
		n++;
	/* an element has two */
	return format == LYD_XML ? n / 2 : n;
}

int relay_nb_tree_load(struct lyd_node **config, bool replace,
		       LYD_FORMAT format, const char *text, char *err,
		       size_t err_len)
{
	struct lyd_node *tree, *work = NULL;
	int ret;

	if (count_nodes(format, text) > RELAY_NB_MAX_LOADED)
		return relay_nb_err(err, err_len, EMSGSIZE,
				    "more than the %d nodes that may be loaded at once",
				    RELAY_NB_MAX_LOADED);
	ret = parse(format, text, &tree, err, err_len);
	if (ret < 0)
		return ret;
	if (replace) {
		lyd_free_all(*config);
		*config = tree;
		fill(config);
		return 0;
	}
	/* not lyd_merge_siblings(): 2.1 leaves containers marked as default in
	 * which it has changed a leaf, and they would not be printed */
	if (*config &&
	    lyd_dup_siblings(*config, NULL, LYD_DUP_RECURSIVE, &work))
		ret = -ENOMEM;
	if (ret == 0)
		ret = relay_nb_merge(NULL, tree, &work);
	lyd_free_all(tree);
	if (ret < 0) {
		lyd_free_all(work);
		return no_memory(err, err_len);
	}
	lyd_free_all(*config);
	*config = work;
	fill(config);
	return 0;
}

static uint32_t max_entries(const struct lysc_node *snode)
{
	switch (snode->nodetype) {
	case LYS_LIST:
		return ((const struct lysc_node_list *)snode)->max;
	case LYS_LEAFLIST:
		return ((const struct lysc_node_leaflist *)snode)->max;
	default:
		return UINT32_MAX;
	}
}

int relay_nb_tree_bounded(const struct lyd_node *config, char *err,
			  size_t err_len)
{
	const struct lysc_node *snode = NULL;
	const struct lyd_node *node;
	uint32_t n = 0;
	int ret = 0;

	/* entries of one list are neighbours */
	LY_LIST_FOR (config, node) {
		n = node->schema == snode ? n + 1 : 1;
		snode = node->schema;
		if (snode && max_entries(snode) && n > max_entries(snode))
			return relay_nb_err(err, err_len, EINVAL,
					    "more than %u entries of %s",
					    max_entries(snode), snode->name);
		ret = relay_nb_tree_bounded(lyd_child(node), err, err_len);
		if (ret < 0)
			return ret;
	}
	return 0;
}
