// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "relay_nb_data.h"
#include "relay_nb_path.h"
#include "relay_nb_tree.h"
#include "relay_nb_walk.h"

/* What a path names of the configuration. */
struct pick {
	const struct relay_nb_path *path;
	size_t nsteps; /* of the path, that count */
	bool find;     /* only whether there is anything at the last */
	struct lyd_node *top;
	size_t hits;
};

static int pick_step(struct pick *pick, const struct lyd_node *siblings,
		     size_t depth, struct lyd_node *parent);

static int pick_node(struct pick *pick, const struct lyd_node *node,
		     size_t depth, struct lyd_node *parent)
{
	bool last = depth + 1 == pick->nsteps;
	size_t hits = pick->hits;
	struct lyd_node *copy = NULL;
	int ret = 0;

	if (last)
		pick->hits++;
	/* its entry has brought a key */
	if (last && (pick->find || lysc_is_key(node->schema)))
		return 0;
	if (!pick->find) {
		copy = relay_nb_copy(parent, &pick->top, node, last);
		if (!copy)
			return -ENOMEM;
	}
	if (!last)
		ret = pick_step(pick, lyd_child(node), depth + 1, copy);
	if (copy && pick->hits == hits)
		relay_nb_remove(&pick->top, copy);
	return ret;
}

static int pick_step(struct pick *pick, const struct lyd_node *siblings,
		     size_t depth, struct lyd_node *parent)
{
	const struct relay_nb_step *step = &pick->path->step[depth];
	const struct lyd_node *node;
	int ret = 0;

	for (node = relay_nb_first(siblings, step); node && ret == 0;
	     node = relay_nb_next(node, step))
		ret = pick_node(pick, node, depth, parent);
	return ret;
}

static int pick_all(struct pick *pick, const struct lyd_node *config)
{
	if (!config)
		return 0;
	if (pick->nsteps)
		return pick_step(pick, config, 0, NULL);
	return lyd_dup_siblings(config, NULL, LYD_DUP_RECURSIVE, &pick->top)
		       ? -ENOMEM
		       : 0;
}

static bool is_configured(const struct lyd_node *config,
			  const struct relay_nb_path *path, size_t step)
{
	struct pick pick = {.path = path, .nsteps = step + 1, .find = true};

	pick_all(&pick, config);
	return pick.hits > 0;
}

/* The deepest entry that keys in the path name is neither here nor there. */
static bool is_missing(const struct lyd_node *config,
		       const struct relay_nb_path *path)
{
	for (size_t i = path->nsteps; i-- > 0;)
		if (relay_nb_step_is_entry(&path->step[i]))
			return !is_configured(config, path, i) &&
			       !relay_nb_walk_exists(path, i);
	return false;
}

/* The state goes into the configuration's tree. */
static int get_both(const struct lyd_node *config,
		    const struct relay_nb_path *path, enum relay_nb_data what,
		    struct lyd_node **tree, char *err, size_t err_len)
{
	struct pick pick = {.path = path, .nsteps = path->nsteps};
	struct lyd_node *state = NULL;
	int ret = 0;

	if (what != RELAY_NB_STATE && pick_all(&pick, config) < 0)
		ret = relay_nb_err(err, err_len, ENOMEM, "%s: out of memory",
				   path->text);
	if (ret == 0 && what != RELAY_NB_CONFIG)
		ret = relay_nb_walk_path(path, &state, RELAY_NB_MAX_NODES, err,
					 err_len);
	if (ret == 0 && !pick.top) {
		*tree = state;
		return 0;
	}
	/* state is spent, whatever comes of it */
	if (ret == 0 &&
	    lyd_merge_siblings(&pick.top, state, LYD_MERGE_DESTRUCT))
		ret = relay_nb_err(err, err_len, ENOMEM, "%s: out of memory",
				   path->text);
	if (ret < 0) {
		lyd_free_all(pick.top);
		return ret;
	}
	*tree = pick.top;
	return 0;
}

int relay_nb_tree_get(const struct lyd_node *config, const char *xpath,
		      enum relay_nb_data what, struct lyd_node **tree,
		      char *err, size_t err_len)
{
	struct relay_nb_path path;
	int ret;

	*tree = NULL;
	ret = relay_nb_path_read(&path, xpath, err, err_len);
	if (ret < 0)
		return ret;
	ret = get_both(config, &path, what, tree, err, err_len);
	if (ret == 0 && !*tree && is_missing(config, &path))
		ret = relay_nb_err(err, err_len, ENOENT,
				   "Data path not found: %s", path.text);
	relay_nb_path_free(&path);
	return ret;
}

int relay_nb_tree_print(const struct lyd_node *tree, LYD_FORMAT format,
			bool with_defaults, char **text, char *err,
			size_t err_len)
{
	uint32_t options = LYD_PRINT_WITHSIBLINGS;
	LY_ERR ret = LY_SUCCESS;
	char why[256];

	*text = NULL;
	options |= with_defaults ? LYD_PRINT_WD_ALL : LYD_PRINT_WD_TRIM;
	relay_nb_quiet_begin();
	if (tree)
		ret = lyd_print_mem(text, lyd_first_sibling(tree), format,
				    options);
	relay_nb_quiet_end(why, sizeof(why), "unknown cause");
	if (ret) {
		free(*text);
		*text = NULL;
		return relay_nb_err(err, err_len,
				    ret == LY_EMEM ? ENOMEM : EINVAL,
				    "data can't be printed: %s", why);
	}
	/* libyang prints nothing of nothing in XML */
	if (!*text)
		*text = strdup(format == LYD_JSON ? "{}" : "");
	return *text ? 0 : relay_nb_err(err, err_len, ENOMEM, "out of memory");
}
