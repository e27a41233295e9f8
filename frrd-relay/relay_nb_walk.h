// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operational state as a data tree: a walk of our own over the schema, with the
 * northbound's callbacks.
 */
#ifndef _RELAY_NB_WALK_H
#define _RELAY_NB_WALK_H

#include <zebra.h>

#include "northbound.h"

struct relay_nb_path;

/*
 * Operational data (config false) of all that xpath names, in a tree from the
 * top down: with its ancestors, and the keys of lists on the way. The tree is
 * the caller's (lyd_free_all()) and NULL where there is nothing.
 *
 * xpath: see relay_nb_path.h. Returns 0; -EINVAL: no such path; -ENOENT: keys
 * in it name an entry that is not there; -EMSGSIZE: more than max_nodes nodes;
 * -ENOMEM. On an error there is one line in err and no tree.
 */
int relay_nb_walk(const char *xpath, struct lyd_node **tree, size_t max_nodes,
		  char *err, size_t err_len);

/* The same on a path that has been read; an entry that is not there is not an
 * error here. */
int relay_nb_walk_path(const struct relay_nb_path *path, struct lyd_node **tree,
		       size_t max_nodes, char *err, size_t err_len);

/* Is there an entry for each step of the path up to number `step`? */
bool relay_nb_walk_exists(const struct relay_nb_path *path, size_t step);

#endif /* _RELAY_NB_WALK_H */
