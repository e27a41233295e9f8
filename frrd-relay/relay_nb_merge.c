// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Siblings by siblings: what theirs has and base has not, or has otherwise, is
 * done to target; then what base has and theirs has not. Finding the same node
 * in another tree is libyang's hashes' work.
 *
 * A container without presence is neither there nor absent: only what is in it
 * counts.
 */
#include <zebra.h>

#include "relay_nb_data.h"
#include "relay_nb_merge.h"

/* Where in the target: siblings with a parent, or the ones on top. */
struct place {
	struct lyd_node *parent;
	struct lyd_node **top;
};

static int merge(const struct lyd_node *base, const struct lyd_node *theirs,
		 struct place *at);

static const struct lyd_node *siblings_at(const struct place *at)
{
	return at->parent ? lyd_child(at->parent) : *at->top;
}

static bool is_plain_container(const struct lyd_node *node)
{
	return node->schema->nodetype == LYS_CONTAINER &&
	       !(node->schema->flags & LYS_PRESENCE);
}

static bool is_term(const struct lyd_node *node)
{
	return node->schema->nodetype & (LYS_LEAF | LYS_LEAFLIST);
}

static bool is_inner(const struct lyd_node *node)
{
	return node->schema->nodetype & (LYS_CONTAINER | LYS_LIST);
}

/* Does it count? A default is not there. */
static bool counts(const struct lyd_node *node)
{
	return node && !(is_term(node) && node->flags & LYD_DEFAULT);
}

/* The node among siblings that this one would be: of a leaf whatever its value
 * is. NULL: none. */
static struct lyd_node *same(const struct lyd_node *siblings,
			     const struct lyd_node *node)
{
	struct lyd_node *match = NULL;

	if (node->schema->nodetype & (LYS_LIST | LYS_LEAFLIST))
		lyd_find_sibling_first(siblings, node, &match);
	else
		lyd_find_sibling_val(siblings, node->schema, NULL, 0, &match);
	return match;
}

/* The same, if it counts. */
static struct lyd_node *same_counting(const struct lyd_node *siblings,
				      const struct lyd_node *node)
{
	struct lyd_node *match = same(siblings, node);

	return counts(match) ? match : NULL;
}

static bool same_value(const struct lyd_node *a, const struct lyd_node *b)
{
	return lyd_compare_single(a, b, 0) == LY_SUCCESS;
}

/* ---------------------------------------------------------------- changes */

/* Is there anything in a that b has not, or has otherwise? */
static bool has_more(const struct lyd_node *a, const struct lyd_node *b)
{
	const struct lyd_node *node, *other;

	LY_LIST_FOR (a, node) {
		if (!counts(node))
			continue;
		other = same_counting(b, node);
		if (!other && !is_plain_container(node))
			return true;
		if (!is_inner(node) && !same_value(node, other))
			return true;
		if (has_more(lyd_child(node), other ? lyd_child(other) : NULL))
			return true;
	}
	return false;
}

static bool differ(const struct lyd_node *a, const struct lyd_node *b)
{
	return has_more(a, b) || has_more(b, a);
}

static int take_whole(const struct lyd_node *theirs, struct place *at)
{
	relay_nb_make_room(at->parent, at->top, theirs->schema);
	return relay_nb_copy(at->parent, at->top, theirs, true) ? 0 : -ENOMEM;
}

/* A leaf, or an entry of a leaf-list, or anydata. */
static int take_value(const struct lyd_node *theirs, struct place *at)
{
	struct lyd_node *target = same(siblings_at(at), theirs);
	LY_ERR ret;

	if (target && is_term(theirs)) {
		ret = lyd_change_term(target, lyd_get_value(theirs));
		return ret == LY_SUCCESS || ret == LY_EEXIST || ret == LY_ENOT
			       ? 0
			       : -ENOMEM;
	}
	if (target)
		relay_nb_remove(at->top, target);
	return take_whole(theirs, at);
}

static int take_inner(const struct lyd_node *base,
		      const struct lyd_node *theirs, struct place *at)
{
	const struct lyd_node *was = base ? lyd_child(base) : NULL,
			      *is = lyd_child(theirs);
	struct place below = {.parent = same(siblings_at(at), theirs),
			      .top = at->top};

	if (below.parent)
		return merge(was, is, &below);
	if (!is_plain_container(theirs))
		return !base || differ(was, is) ? take_whole(theirs, at) : 0;
	/* what is gone from it is gone */
	if (!has_more(is, was))
		return 0;
	relay_nb_make_room(at->parent, at->top, theirs->schema);
	below.parent = relay_nb_copy(at->parent, at->top, theirs, false);
	return below.parent ? merge(was, is, &below) : -ENOMEM;
}

static int take(const struct lyd_node *base, const struct lyd_node *theirs,
		struct place *at)
{
	if (is_inner(theirs))
		return take_inner(base, theirs, at);
	return base && same_value(base, theirs) ? 0 : take_value(theirs, at);
}

/* Theirs has it no longer. */
static int drop(const struct lyd_node *base, struct place *at)
{
	struct lyd_node *target = same_counting(siblings_at(at), base);
	struct place below = {.parent = target, .top = at->top};

	if (!target)
		return 0;
	if (is_plain_container(base))
		return merge(lyd_child(base), NULL, &below);
	relay_nb_remove(at->top, target);
	return 0;
}

static int merge(const struct lyd_node *base, const struct lyd_node *theirs,
		 struct place *at)
{
	const struct lyd_node *node;
	int ret = 0;

	LY_LIST_FOR (theirs, node) {
		if (ret == 0 && counts(node) && !lysc_is_key(node->schema))
			ret = take(same_counting(base, node), node, at);
	}
	LY_LIST_FOR (base, node) {
		if (ret == 0 && counts(node) && !lysc_is_key(node->schema) &&
		    !same_counting(theirs, node))
			ret = drop(node, at);
	}
	return ret;
}

int relay_nb_merge(const struct lyd_node *base, const struct lyd_node *theirs,
		   struct lyd_node **target)
{
	struct place at = {.top = target};
	int ret;

	relay_nb_quiet_begin();
	ret = merge(base, theirs, &at);
	relay_nb_quiet_end(NULL, 0, "");
	return ret;
}
