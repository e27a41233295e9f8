// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data trees for the northbound's clients: read, print, edit, load. Knows
 * libyang and libfrr's northbound, and no client.
 *
 * Functions that can fail return 0 or -errno, with one clear line in err, which
 * names the path and the cause: -EINVAL for what is wrong with a path, a value
 * or data, -ENOENT for nothing at a right path, -EMSGSIZE, -ENOMEM. What a
 * client sends wrongly is not logged.
 */
#ifndef _RELAY_NB_TREE_H
#define _RELAY_NB_TREE_H

#include <zebra.h>

#include "northbound.h"

/* Nodes of operational state in one tree: some 4 MiB of JSON. */
#define RELAY_NB_MAX_NODES 200000

/*
 * What a client may have the main thread read at once; libyang takes seconds for
 * more in one list. Single edits, and (commas in JSON, elements in XML) nodes.
 */
#define RELAY_NB_MAX_EDITS 10000
#define RELAY_NB_MAX_LOADED 65536

enum relay_nb_data { RELAY_NB_ALL, RELAY_NB_CONFIG, RELAY_NB_STATE };

/*
 * What xpath names, out of the configuration (siblings on top, may be NULL) and
 * out of the operational state of now, in a tree from the top down: with
 * ancestors and the keys of lists, and nothing beside. NULL, "" and "/" name
 * everything.
 *
 * *tree is the caller's (lyd_free_all()), and NULL with 0 where there is
 * nothing at a right path. -ENOENT: the path's keys name an entry that is
 * neither configured nor in operation, whatever is asked for.
 */
int relay_nb_tree_get(const struct lyd_node *config, const char *xpath,
		      enum relay_nb_data what, struct lyd_node **tree,
		      char *err, size_t err_len);

/* *text is the caller's (free()); no tree is "{}" in JSON and "" in XML. */
int relay_nb_tree_print(const struct lyd_node *tree, LYD_FORMAT format,
			bool with_defaults, char **text, char *err,
			size_t err_len);

/*
 * One edit: the data path of a configuration node, with all keys, and its
 * value. The value of a list entry or container is ignored. That of a
 * leaf-list's entry is in the predicate ([.='...']), or in value. NULL is "".
 */
struct relay_nb_edit {
	const char *path, *value;
};

/*
 * Does the updates (what is not there is created, with its ancestors), then the
 * deletions: all of it, or nothing. -ENOENT: nothing to delete. *config is
 * never NULL after it. Nothing is validated but paths and values: commit does.
 */
int relay_nb_tree_edit(struct lyd_node **config,
		       const struct relay_nb_edit *update, size_t nupdate,
		       const struct relay_nb_edit *del, size_t ndel, char *err,
		       size_t err_len);

/*
 * Merges a configuration in JSON or XML into *config, or replaces it: all of
 * it, or nothing. Unknown nodes, operational state and duplicates are errors.
 * *config is never NULL after it. Validation is commit's.
 */
int relay_nb_tree_load(struct lyd_node **config, bool replace,
		       LYD_FORMAT format, const char *text, char *err,
		       size_t err_len);

/*
 * Does a list or leaf-list have more entries than the module allows? To be asked
 * before libyang validates the tree, which may take the square of their number.
 * Returns 0 or -EINVAL with one line in err.
 */
int relay_nb_tree_bounded(const struct lyd_node *config, char *err,
			  size_t err_len);

#endif /* _RELAY_NB_TREE_H */
