// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "flat.h"

static int node_cmp(const void *a, const void *b)
{
	const struct flat_node *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* Takes both strings. */
static void add(struct flat *flat, char *path, char *value)
{
	if (flat->n == flat->room) {
		flat->room = flat->room ? 2 * flat->room : 16;
		flat->node =
			realloc(flat->node, flat->room * sizeof(*flat->node));
	}
	flat->node[flat->n++] = (struct flat_node){path, value};
}

static void sort(struct flat *flat)
{
	if (flat->n)
		qsort(flat->node, flat->n, sizeof(*flat->node), node_cmp);
}

static bool says_something(const struct lyd_node *node, bool values)
{
	if (lysc_is_key(node->schema))
		return false;
	if (node->schema->nodetype == LYS_CONTAINER)
		return node->schema->flags & LYS_PRESENCE;
	if (node->schema->nodetype & (LYS_LEAF | LYS_LEAFLIST))
		return !(node->flags & LYD_DEFAULT) &&
		       !(values && lyd_is_default(node));
	return true;
}

static void read_siblings(struct flat *flat, const struct lyd_node *siblings,
			  bool values)
{
	const struct lyd_node *node;

	LY_LIST_FOR (siblings, node) {
		if (says_something(node, values)) {
			const char *value = lyd_get_value(node);

			add(flat, lyd_path(node, LYD_PATH_STD, NULL, 0),
			    strdup(value ? value : ""));
		}
		read_siblings(flat, lyd_child(node), values);
	}
}

void flat_read(struct flat *flat, const struct lyd_node *tree, bool values)
{
	memset(flat, 0, sizeof(*flat));
	read_siblings(flat, tree ? lyd_first_sibling(tree) : NULL, values);
	sort(flat);
}

void flat_free(struct flat *flat)
{
	for (size_t i = 0; i < flat->n; i++) {
		free(flat->node[i].path);
		free(flat->node[i].value);
	}
	free(flat->node);
	memset(flat, 0, sizeof(*flat));
}

void flat_copy(struct flat *to, const struct flat *from)
{
	memset(to, 0, sizeof(*to));
	for (size_t i = 0; i < from->n; i++)
		add(to, strdup(from->node[i].path),
		    strdup(from->node[i].value));
}

bool flat_equal(const struct flat *a, const struct flat *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->node[i].path, b->node[i].path) ||
		    strcmp(a->node[i].value, b->node[i].value))
			return false;
	return true;
}

const struct flat_node *flat_find(const struct flat *flat, const char *path)
{
	const struct flat_node key = {.path = (char *)path};

	return flat->n ? bsearch(&key, flat->node, flat->n, sizeof(key),
				 node_cmp)
		       : NULL;
}

bool flat_has(const struct flat *flat, const char *prefix)
{
	for (size_t i = 0; i < flat->n; i++)
		if (!strncmp(flat->node[i].path, prefix, strlen(prefix)))
			return true;
	return false;
}

/* ------------------------------------------------------------------ merge */

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return !strncmp(path, top, len) && path[len] == '/';
}

/* Which case of the choice in relay-lab; 0: none. */
static int case_of(const char *path)
{
	static const char *const cases[] = {"/relay-lab:box/road",
					    "/relay-lab:box/rail/",
					    "/relay-lab:box/line["};

	for (size_t i = 0; i < array_size(cases); i++)
		if (!strncmp(path, cases[i], strlen(cases[i])))
			return i + 1;
	return 0;
}

bool flat_one_case(const struct flat *flat)
{
	int one = 0;

	for (size_t i = 0; i < flat->n; i++) {
		int its = case_of(flat->node[i].path);

		if (its && one && its != one)
			return false;
		one = its ? its : one;
	}
	return true;
}

static bool same_in(const struct flat *flat, const struct flat_node *node)
{
	const struct flat_node *other = flat_find(flat, node->path);

	return other && !strcmp(other->value, node->value);
}

/* Has theirs changed anything below an entry that both had? */
static bool changed_below(const struct flat *base, const struct flat *theirs,
			  const char *top)
{
	for (size_t i = 0; i < theirs->n; i++)
		if (is_below(theirs->node[i].path, top) &&
		    !same_in(base, &theirs->node[i]))
			return true;
	for (size_t i = 0; i < base->n; i++)
		if (is_below(base->node[i].path, top) &&
		    !flat_find(theirs, base->node[i].path))
			return true;
	return false;
}

/* Is it below an entry that is gone by now, and that theirs brings back? */
static bool comes_back(const struct flat *base, const struct flat *theirs,
		       const struct flat *now, const char *path)
{
	for (size_t i = 0; i < theirs->n; i++) {
		const char *top = theirs->node[i].path;

		if ((is_below(path, top) || !strcmp(path, top)) &&
		    !flat_find(now, top) && flat_find(base, top) &&
		    changed_below(base, theirs, top))
			return true;
	}
	return false;
}

/* Was it, or what it is in, removed in theirs? */
static bool is_dropped(const struct flat *base, const struct flat *theirs,
		       const char *path)
{
	for (size_t i = 0; i < base->n; i++) {
		const char *top = base->node[i].path;

		if ((is_below(path, top) || !strcmp(path, top)) &&
		    !flat_find(theirs, top))
			return true;
	}
	return false;
}

void flat_merge(const struct flat *base, const struct flat *theirs,
		const struct flat *now, struct flat *out)
{
	int taken_case = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < theirs->n; i++) {
		const struct flat_node *node = &theirs->node[i];
		const struct flat_node *was = flat_find(now, node->path);

		if (!same_in(base, node) ||
		    comes_back(base, theirs, now, node->path)) {
			add(out, strdup(node->path), strdup(node->value));
			if (case_of(node->path))
				taken_case = case_of(node->path);
		} else if (was) {
			add(out, strdup(was->path), strdup(was->value));
		}
	}
	/* of what theirs has not, and has not removed */
	for (size_t i = 0; i < now->n; i++) {
		const struct flat_node *node = &now->node[i];

		if (!flat_find(theirs, node->path) &&
		    !is_dropped(base, theirs, node->path))
			add(out, strdup(node->path), strdup(node->value));
	}
	/* one case of a choice shuts the others out */
	for (size_t i = 0; i < out->n;) {
		int its = case_of(out->node[i].path);

		if (!taken_case || !its || its == taken_case) {
			i++;
			continue;
		}
		free(out->node[i].path);
		free(out->node[i].value);
		out->node[i] = out->node[--out->n];
	}
	sort(out);
}
