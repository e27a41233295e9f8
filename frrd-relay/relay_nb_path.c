// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "relay_nb_data.h"
#include "relay_nb_path.h"

#define DATA_NODES (LYS_CONTAINER | LYS_LIST | LYS_LEAF | LYS_LEAFLIST)

struct reader {
	struct relay_nb_path *path;
	const char *at;
	char *err;
	size_t err_len;
};

/* A name of the path, module and all, in a buffer of its own for a message. */
struct name {
	const char *module, *name;
	size_t module_len, len;
};

static int bad(struct reader *r, const char *why)
{
	return relay_nb_err(r->err, r->err_len, EINVAL, "%s: %s", r->path->text,
			    why);
}

static void skip_space(struct reader *r)
{
	r->at += strspn(r->at, " \t\r\n");
}

static size_t identifier(const char *text)
{
	if (!isalpha((unsigned char)text[0]) && text[0] != '_')
		return 0;
	return strspn(text,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		      "0123456789_-.");
}

static bool read_name(struct reader *r, struct name *name)
{
	memset(name, 0, sizeof(*name));
	name->name = r->at;
	name->len = identifier(r->at);
	r->at += name->len;
	if (!name->len || *r->at != ':')
		return name->len > 0;
	name->module = name->name;
	name->module_len = name->len;
	name->name = ++r->at;
	name->len = identifier(r->at);
	r->at += name->len;
	return name->len > 0;
}

/* What the name is below parent, or on top. */
static const struct lysc_node *find_node(struct reader *r,
					 const struct lysc_node *parent,
					 const struct name *name)
{
	const struct lys_module *module = parent ? parent->module : NULL;
	const struct lysc_node *snode = NULL;

	if (name->module) {
		char text[XPATH_MAXLEN];

		snprintf(text, sizeof(text), "%.*s", (int)name->module_len,
			 name->module);
		module = ly_ctx_get_module_implemented(ly_native_ctx, text);
		if (!module) {
			relay_nb_err(r->err, r->err_len, EINVAL,
				     "%s: no module is called %.*s",
				     r->path->text, (int)name->module_len,
				     name->module);
			return NULL;
		}
	}
	if (!module) {
		bad(r, "the first name needs its module's: /module:name");
		return NULL;
	}
	snode = lys_find_child(parent, module, name->name, name->len,
			       DATA_NODES, 0);
	if (!snode)
		relay_nb_err(r->err, r->err_len, EINVAL,
			     "%s: there is no data node %.*s %s %s",
			     r->path->text, (int)name->len, name->name,
			     parent ? "in" : "on top of module",
			     parent ? parent->name : module->name);
	return snode;
}

/* ------------------------------------------------------------- predicates */

/* '...' or "..."; the octets between */
static bool read_quoted(struct reader *r, const char **value, size_t *len)
{
	char quote = *r->at;
	const char *end;

	if (quote != '\'' && quote != '"')
		return false;
	end = strchr(r->at + 1, quote);
	if (!end)
		return false;
	*value = r->at + 1;
	*len = end - *value;
	r->at = end + 1;
	return true;
}

/* [.='...'] of a leaf-list, [key='...'] of a list: where it belongs */
static int find_key(struct reader *r, struct relay_nb_step *step,
		    const struct lysc_node **snode, size_t *i)
{
	const struct lysc_node_leaf *skey;
	struct name name;

	if (*r->at == '.') {
		r->at++;
		*snode = step->snode;
		return step->snode->nodetype == LYS_LEAFLIST
			       ? 0
			       : bad(r, "only a leaf-list has [.='...']");
	}
	if (!read_name(r, &name))
		return bad(r, "a predicate is [key='value'] or [.='value']");
	if (step->snode->nodetype != LYS_LIST)
		return relay_nb_err(r->err, r->err_len, EINVAL,
				    "%s: %s is not a list", r->path->text,
				    step->snode->name);
	LY_FOR_KEYS (step->snode, skey) {
		if (strlen(skey->name) == name.len &&
		    !strncmp(skey->name, name.name, name.len)) {
			*snode = (const struct lysc_node *)skey;
			return 0;
		}
		++*i;
	}
	return relay_nb_err(r->err, r->err_len, EINVAL,
			    "%s: %.*s is not a key of list %s", r->path->text,
			    (int)name.len, name.name, step->snode->name);
}

static int read_value(struct reader *r, const struct lysc_node *snode,
		      const char **canonical)
{
	const char *value;
	char why[256];
	size_t len;
	LY_ERR ret;

	skip_space(r);
	if (*r->at++ != '=')
		return bad(r, "a predicate is [key='value'] or [.='value']");
	skip_space(r);
	if (!read_quoted(r, &value, &len))
		return bad(r, "a predicate's value is in quotes");

	relay_nb_quiet_begin();
	ret = lyd_value_validate(ly_native_ctx, snode, value, len, NULL, NULL,
				 canonical);
	relay_nb_quiet_end(why, sizeof(why), "bad value");
	if (ret != LY_SUCCESS && ret != LY_EINCOMPLETE)
		return bad(r, why);
	return 0;
}

/* [3], of a list without keys */
static int read_position(struct reader *r, struct relay_nb_step *step)
{
	char *end;
	unsigned long n = strtoul(r->at, &end, 10);

	r->at = end;
	if (step->snode->nodetype != LYS_LIST || step->nkeys)
		return relay_nb_err(
			r->err, r->err_len, EINVAL,
			"%s: positions are for lists without keys, which %s is not",
			r->path->text, step->snode->name);
	if (!n || n > UINT32_MAX || step->position)
		return bad(r, "no such position");
	step->position = n;
	return 0;
}

static int read_predicate(struct reader *r, struct relay_nb_step *step)
{
	const struct lysc_node *snode = NULL;
	const char *canonical = NULL;
	size_t i = 0;
	int ret;

	r->at++; /* [ */
	skip_space(r);
	if (isdigit((unsigned char)*r->at)) {
		ret = read_position(r, step);
	} else {
		ret = find_key(r, step, &snode, &i);
		if (ret == 0)
			ret = read_value(r, snode, &canonical);
	}
	if (ret < 0)
		return ret;
	if (canonical) {
		if (step->key[i]) {
			lydict_remove(ly_native_ctx, canonical);
			return bad(r, "a key is there twice");
		}
		step->key[i] = canonical;
		step->given++;
	}
	skip_space(r);
	if (*r->at++ != ']')
		return bad(r, "a predicate ends in ]");
	return 0;
}

/* ------------------------------------------------------------------ steps */

static int read_step(struct reader *r)
{
	struct relay_nb_path *path = r->path;
	struct relay_nb_step *step = &path->step[path->nsteps];
	const struct lysc_node *parent;
	struct name name;
	int ret = 0;

	if (*r->at++ != '/')
		return bad(r, "a path is /module:name/name...");
	if (!read_name(r, &name))
		return bad(r, *r->at ? "a name should follow each /"
				     : "the path ends in /");
	if (path->nsteps == array_size(path->step))
		return bad(r, "too deep");
	parent = path->nsteps ? step[-1].snode : NULL;

	memset(step, 0, sizeof(*step));
	step->snode = find_node(r, parent, &name);
	if (!step->snode)
		return -EINVAL;
	step->nkeys = step->snode->nodetype == LYS_LEAFLIST
			      ? 1
			      : yang_snode_num_keys(step->snode);
	if (step->nkeys > array_size(step->key))
		return bad(r, "too many keys");
	path->nsteps++;
	while (ret == 0 && *r->at == '[')
		ret = read_predicate(r, step);
	return ret;
}

int relay_nb_path_read(struct relay_nb_path *path, const char *text, char *err,
		       size_t err_len)
{
	struct reader r = {
		.path = path, .at = text, .err = err, .err_len = err_len};
	int ret = 0;

	path->text = text && text[0] ? text : "/";
	path->nsteps = 0;
	if (!strcmp(path->text, "/"))
		return 0;
	if (strlen(text) >= XPATH_MAXLEN)
		return relay_nb_err(err, err_len, EINVAL,
				    "%.60s...: paths have %d octets at most",
				    text, XPATH_MAXLEN - 1);
	while (ret == 0 && *r.at)
		ret = read_step(&r);
	if (ret < 0)
		relay_nb_path_free(path);
	return ret;
}

void relay_nb_path_free(struct relay_nb_path *path)
{
	for (size_t i = 0; i < path->nsteps; i++)
		for (size_t k = 0; k < path->step[i].nkeys; k++)
			if (path->step[i].key[k])
				lydict_remove(ly_native_ctx,
					      path->step[i].key[k]);
	path->nsteps = 0;
}

const struct relay_nb_step *relay_nb_path_last(const struct relay_nb_path *path)
{
	return path->nsteps ? &path->step[path->nsteps - 1] : NULL;
}

bool relay_nb_step_is_entry(const struct relay_nb_step *step)
{
	return step->nkeys && step->given == step->nkeys;
}
