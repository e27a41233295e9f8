// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * FRR 8.4's nb_oper_data_iterate() calls the callbacks of a path with keys
 * without the entry (relay_nb_state.c says why), and makes one lyd_new_path()
 * of each leaf. This walks the schema from the top, down the path and then
 * everywhere below, and hangs node on node.
 */
#include <zebra.h>

#include "log.h"

#include "compat.h"
#include "relay_nb_data.h"
#include "relay_nb_path.h"
#include "relay_nb_walk.h"
#include "relay_watchdog.h"

/* entries between two words to the watchdog */
#define KICK_ENTRIES 64

struct walk {
	const struct relay_nb_path *path;
	size_t nsteps; /* of the path, that count */
	bool find;     /* only whether there is anything at the last */
	struct lyd_node *top;
	size_t nodes, max_nodes;
	size_t hits; /* nodes that the path asks for */
	size_t entries;
	bool complained;
	char xpath[XPATH_MAXLEN]; /* of the node at hand */
	size_t len;
};

/* Where it is: the data node and list entry above, and how deep on the path. */
struct place {
	const struct lysc_node *snode;
	struct lyd_node *dnode;
	const void *entry;
	size_t depth;
};

static int walk_node(struct walk *w, const struct lysc_node *snode,
		     const struct place *up);

/* On the way to what the path names; its last step is not. */
static bool on_the_way(const struct walk *w, const struct place *up)
{
	return up->depth + 1 < w->nsteps;
}

/* The step that a child of this place is, or NULL below the path. */
static const struct relay_nb_step *step_of(const struct walk *w,
					   const struct place *up)
{
	return up->depth < w->nsteps ? &w->path->step[up->depth] : NULL;
}

/* Nothing but the question whether it is there was asked, and it is. */
static bool found(struct walk *w, const struct place *up)
{
	if (!w->find || up->depth + 1 != w->nsteps)
		return false;
	w->hits++;
	return true;
}

/* ------------------------------------------------------------------- nodes */

/* value: as relay_nb_new() has it. *node stays NULL where it can't be. */
static int add_node(struct walk *w, const struct place *up,
		    const struct lysc_node *snode, const char *const *value,
		    struct lyd_node **node)
{
	LY_ERR ret;

	ret = relay_nb_new(up->dnode, &w->top, snode, value, node);
	if (ret == LY_EMEM)
		return -ENOMEM;
	if (ret) {
		/* a callback gave what the node can't hold: the rest is of use
		 * all the same */
		if (!w->complained)
			zlog_warn("northbound: %s can't be %s", w->xpath,
				  value[0]);
		w->complained = true;
		*node = NULL;
		return 0;
	}
	return ++w->nodes > w->max_nodes ? -EMSGSIZE : 0;
}

static void drop_node(struct walk *w, struct lyd_node *node)
{
	w->nodes--;
	relay_nb_remove(&w->top, node);
}

static int add_term(struct walk *w, const struct lysc_node *snode,
		    const struct place *up, const struct yang_data *data)
{
	const char *value = data->value ? data->value : "";
	struct lyd_node *node;

	return add_node(w, up, snode, &value, &node);
}

/* ------------------------------------------------------------------ leaves */

static struct yang_data *get_elem(const struct nb_node *nb, const char *xpath,
				  const void *entry)
{
	return nb->cbs.get_elem ? nb_callback_get_elem(nb, xpath, entry) : NULL;
}

/* The nodes that a callback has made by itself: those that the path asks for
 * stay. */
static int keep_made(struct walk *w, const struct lysc_node *snode,
		     const struct place *up)
{
	const struct relay_nb_step any = {.snode = snode};
	const struct relay_nb_step *step = step_of(w, up);
	struct lyd_node *node, *next;

	for (node = relay_nb_first(lyd_child(up->dnode), &any); node;
	     node = next) {
		next = relay_nb_next(node, &any);
		if (step && step->key[0] &&
		    strcmp(step->key[0], lyd_get_value(node))) {
			relay_nb_remove(&w->top, node);
			continue;
		}
		w->hits++;
		w->nodes++;
	}
	return w->nodes > w->max_nodes ? -EMSGSIZE : 0;
}

static int walk_leaf(struct walk *w, const struct lysc_node *snode,
		     const struct place *up)
{
	struct yang_data *data;
	int ret;

	if (snode->flags & LYS_CONFIG_W)
		return 0;
	if (lysc_is_key(snode)) {
		/* its entry has brought it */
		w->hits++;
		return 0;
	}
	if (up->dnode && compat_nb_get(snode->priv, up->entry, up->dnode))
		return keep_made(w, snode, up);
	data = get_elem(snode->priv, w->xpath, up->entry);
	if (!data)
		return 0;
	w->hits++;
	ret = w->find ? 0 : add_term(w, snode, up, data);
	yang_data_free(data);
	return ret;
}

static int walk_leaf_list(struct walk *w, const struct lysc_node *snode,
			  const struct place *up)
{
	const struct relay_nb_step *step = step_of(w, up);
	const struct nb_node *nb = snode->priv;
	const void *entry = NULL;
	int ret = 0;

	if (snode->flags & LYS_CONFIG_W)
		return 0;
	if (up->dnode && compat_nb_get(nb, up->entry, up->dnode))
		return keep_made(w, snode, up);
	while (ret == 0 && nb->cbs.get_next &&
	       (entry = nb_callback_get_next(nb, up->entry, entry))) {
		struct yang_data *data = get_elem(nb, w->xpath, entry);

		if (!data)
			continue;
		if (!step || !step->key[0] ||
		    (data->value && !strcmp(step->key[0], data->value))) {
			w->hits++;
			ret = w->find ? 0 : add_term(w, snode, up, data);
		}
		yang_data_free(data);
	}
	return ret;
}

/* --------------------------------------------------- containers and lists */

static int walk_children(struct walk *w, const struct place *place)
{
	const struct relay_nb_step *step = step_of(w, place);
	const struct lysc_node *child;
	int ret = 0;

	if (step)
		return walk_node(w, step->snode, place);
	LY_LIST_FOR (lysc_node_child(place->snode), child) {
		if (child->nodetype & (LYS_CHOICE | LYS_CASE)) {
			struct place in = *place;

			in.snode = child;
			ret = walk_children(w, &in);
		} else {
			ret = walk_node(w, child, place);
		}
		if (ret < 0)
			break;
	}
	return ret;
}

/* Is a container there whose being there says something? */
static bool is_present(const struct walk *w, const struct lysc_node *snode,
		       const struct place *up)
{
	struct yang_data *data;

	if (snode->flags & LYS_CONFIG_W)
		return running_config && running_config->dnode &&
		       !lyd_find_path(running_config->dnode, w->xpath, 0, NULL);
	data = get_elem(snode->priv, w->xpath, up->entry);
	if (data)
		yang_data_free(data);
	return data != NULL;
}

static int walk_container(struct walk *w, const struct lysc_node *snode,
			  const struct place *up)
{
	struct place place = {
		.snode = snode, .entry = up->entry, .depth = up->depth + 1};
	const struct nb_node *nb = snode->priv;
	bool presence = snode->flags & LYS_PRESENCE;
	size_t hits = w->hits;
	int ret;

	if (nb->flags & F_NB_NODE_CONFIG_ONLY)
		return 0;
	if (presence && !is_present(w, snode, up))
		return 0;
	if (found(w, up))
		return 0;
	ret = add_node(w, up, snode, NULL, &place.dnode);
	if (ret < 0 || !place.dnode)
		return ret;
	if (presence && !on_the_way(w, up))
		w->hits++;
	ret = walk_children(w, &place);
	if (w->hits == hits && ret == 0)
		drop_node(w, place.dnode);
	return ret;
}

static bool keys_fit(const struct relay_nb_step *step,
		     const struct yang_list_keys *keys)
{
	for (size_t i = 0; step && i < step->nkeys; i++)
		if (step->key[i] && strcmp(step->key[i], keys->key[i]) != 0)
			return false;
	return true;
}

/* Makes w->xpath longer; false where no callback would take it. */
static bool append(struct walk *w, const char *text)
{
	size_t len = strlen(text);

	if (len >= sizeof(w->xpath) - w->len)
		return false;
	memcpy(w->xpath + w->len, text, len + 1);
	w->len += len;
	return true;
}

static void cut_back(struct walk *w, size_t len)
{
	w->len = len;
	w->xpath[len] = '\0';
}

static bool append_name(struct walk *w, const struct lysc_node *snode,
			const struct place *up)
{
	bool module = !up->snode || up->snode->module != snode->module;

	return append(w, "/") &&
	       (!module ||
		(append(w, snode->module->name) && append(w, ":"))) &&
	       append(w, snode->name);
}

/* The keys of a list's entry, as predicates. */
static bool append_keys(struct walk *w, const struct lysc_node *snode,
			const struct yang_list_keys *keys)
{
	const struct lysc_node_leaf *skey;
	size_t i = 0;

	LY_FOR_KEYS (snode, skey)
		if (!append(w, "[") || !append(w, skey->name) ||
		    !append(w, "='") || !append(w, keys->key[i++]) ||
		    !append(w, "']"))
			return false;
	return true;
}

static int add_entry(struct walk *w, const struct lysc_node *snode,
		     const struct place *up, const struct yang_list_keys *keys,
		     struct lyd_node **node)
{
	const char *key[LIST_MAXKEYS];

	for (size_t i = 0; i < LIST_MAXKEYS; i++)
		key[i] = keys->key[i];
	w->nodes += keys->num;
	return add_node(w, up, snode, key, node);
}

static int walk_entry(struct walk *w, const struct lysc_node *snode,
		      const struct place *up, const void *entry,
		      const struct yang_list_keys *keys)
{
	struct place place = {
		.snode = snode, .entry = entry, .depth = up->depth + 1};
	size_t hits = w->hits, len = w->len;
	int ret;

	if (found(w, up))
		return 0;
	if (w->entries++ % KICK_ENTRIES == 0)
		relay_watchdog_kick();
	ret = add_entry(w, snode, up, keys, &place.dnode);
	if (ret < 0 || !place.dnode)
		return ret;
	if (!on_the_way(w, up))
		w->hits++;
	ret = append_keys(w, snode, keys) ? walk_children(w, &place) : 0;
	if (w->hits == hits && ret == 0) {
		w->nodes -= keys->num;
		drop_node(w, place.dnode);
	}
	cut_back(w, len);
	return ret;
}

/* All keys are known: the one entry, if there is one. */
static int walk_lookup(struct walk *w, const struct lysc_node *snode,
		       const struct place *up, const struct relay_nb_step *step)
{
	struct yang_list_keys keys = {.num = step->nkeys};
	const void *entry;

	for (size_t i = 0; i < step->nkeys; i++)
		if (strlcpy(keys.key[i], step->key[i], sizeof(keys.key[i])) >=
		    sizeof(keys.key[i]))
			return 0;
	entry = nb_callback_lookup_entry(snode->priv, up->entry, &keys);
	return entry ? walk_entry(w, snode, up, entry, &keys) : 0;
}

static int walk_list(struct walk *w, const struct lysc_node *snode,
		     const struct place *up)
{
	const struct relay_nb_step *step = step_of(w, up);
	const struct nb_node *nb = snode->priv;
	bool keyless = nb->flags & F_NB_NODE_KEYLESS_LIST;
	unsigned int nkeys = yang_snode_num_keys(snode);
	const void *entry = NULL;
	struct yang_list_keys keys;
	uint32_t position = 0;
	int ret = 0;

	if (nb->flags & F_NB_NODE_CONFIG_ONLY)
		return 0;
	if (step && relay_nb_step_is_entry(step) && nb->cbs.lookup_entry)
		return walk_lookup(w, snode, up, step);
	if (!nb->cbs.get_next || (!keyless && !nb->cbs.get_keys))
		return 0;
	while (ret == 0 &&
	       (entry = nb_callback_get_next(nb, up->entry, entry))) {
		keys.num = 0;
		position++;
		if (keyless) {
			if (step && step->position &&
			    step->position != position)
				continue;
		} else if (nb_callback_get_keys(nb, entry, &keys) != NB_OK ||
			   keys.num != nkeys || !keys_fit(step, &keys)) {
			continue;
		}
		ret = walk_entry(w, snode, up, entry, &keys);
	}
	return ret;
}

static int walk_node(struct walk *w, const struct lysc_node *snode,
		     const struct place *up)
{
	size_t len = w->len;
	int ret = 0;

	if (!snode->priv)
		return 0;
	if (append_name(w, snode, up)) {
		if (snode->nodetype == LYS_CONTAINER)
			ret = walk_container(w, snode, up);
		else if (snode->nodetype == LYS_LIST)
			ret = walk_list(w, snode, up);
		else if (snode->nodetype == LYS_LEAF)
			ret = walk_leaf(w, snode, up);
		else if (snode->nodetype == LYS_LEAFLIST)
			ret = walk_leaf_list(w, snode, up);
	}
	cut_back(w, len);
	return ret;
}

/* --------------------------------------------------------------- the whole */

/* Everything that any module has on top. */
static int walk_modules(struct walk *w)
{
	const struct place top = {};
	const struct lys_module *module;
	const struct lysc_node *snode;
	uint32_t i = 0;
	int ret = 0;

	while (ret == 0 &&
	       (module = ly_ctx_get_module_iter(ly_native_ctx, &i))) {
		if (!module->implemented || !module->compiled)
			continue;
		for (snode = module->compiled->data; snode && ret == 0;
		     snode = snode->next)
			ret = walk_node(w, snode, &top);
	}
	return ret;
}

static int walk(struct walk *w)
{
	const struct place top = {};
	int ret;

	relay_nb_quiet_begin();
	ret = w->nsteps ? walk_node(w, w->path->step[0].snode, &top)
			: walk_modules(w);
	relay_nb_quiet_end(NULL, 0, "");
	return ret;
}

int relay_nb_walk_path(const struct relay_nb_path *path, struct lyd_node **tree,
		       size_t max_nodes, char *err, size_t err_len)
{
	struct walk w = {
		.path = path, .nsteps = path->nsteps, .max_nodes = max_nodes};
	int ret = walk(&w);

	*tree = w.top;
	if (ret == 0)
		return 0;
	lyd_free_all(w.top);
	*tree = NULL;
	return relay_nb_err(err, err_len, -ret, "%s: %s", path->text,
			    ret == -EMSGSIZE ? "there is too much of it"
					     : "out of memory");
}

bool relay_nb_walk_exists(const struct relay_nb_path *path, size_t step)
{
	struct walk w = {.path = path,
			 .nsteps = step + 1,
			 .find = true,
			 .max_nodes = SIZE_MAX};

	walk(&w);
	lyd_free_all(w.top);
	return w.hits > 0;
}

/* Do keys name an entry that is not there? */
static bool entry_missing(const struct relay_nb_path *path)
{
	for (size_t i = path->nsteps; i-- > 0;) {
		const struct nb_node *nb = path->step[i].snode->priv;

		if (!relay_nb_step_is_entry(&path->step[i]))
			continue;
		if (!nb || nb->flags & F_NB_NODE_CONFIG_ONLY)
			continue;
		return !relay_nb_walk_exists(path, i);
	}
	return false;
}

int relay_nb_walk(const char *xpath, struct lyd_node **tree, size_t max_nodes,
		  char *err, size_t err_len)
{
	struct relay_nb_path path;
	int ret;

	*tree = NULL;
	ret = relay_nb_path_read(&path, xpath, err, err_len);
	if (ret < 0)
		return ret;
	ret = relay_nb_walk_path(&path, tree, max_nodes, err, err_len);
	if (ret == 0 && !*tree && entry_missing(&path))
		ret = relay_nb_err(err, err_len, ENOENT,
				   "Data path not found: %s", path.text);
	relay_nb_path_free(&path);
	return ret;
}
