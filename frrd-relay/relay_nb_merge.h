// SPDX-License-Identifier: GPL-2.0-or-later
/* A three-way merge of data trees. */
#ifndef _RELAY_NB_MERGE_H
#define _RELAY_NB_MERGE_H

#include <zebra.h>

#include "yang.h"

/*
 * What differs from base in theirs is done to *target; where both changed the
 * same node theirs wins. Trees are siblings on top, or NULL. Nodes that hold a
 * default only (LYD_DEFAULT) count as absent. An entry that target lost and in
 * which theirs changed something comes back from theirs as a whole.
 *
 * The order of user-ordered lists is target's, what is new comes last. *target
 * is not validated after it. Returns 0 or -ENOMEM; *target is part merged then.
 */
int relay_nb_merge(const struct lyd_node *base, const struct lyd_node *theirs,
		   struct lyd_node **target);

#endif /* _RELAY_NB_MERGE_H */
