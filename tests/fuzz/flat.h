// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A data tree as a list of paths, each with its value, in their order: what a
 * tree says, without how it is built. And a three-way merge of such lists, told
 * in another way than relay_nb_merge.c does it.
 */
#ifndef _FUZZ_FLAT_H
#define _FUZZ_FLAT_H

#include <zebra.h>

#include "yang.h"

struct flat_node {
	char *path;
	char *value; /* "" of an entry or container */
};

struct flat {
	struct flat_node *node;
	size_t n, room;
};

/* All that is set but for the keys, which are in the paths. values: without
 * what has the value of its default; otherwise without what is marked as
 * default. */
void flat_read(struct flat *flat, const struct lyd_node *tree, bool values);
void flat_free(struct flat *flat);
void flat_copy(struct flat *to, const struct flat *from);
bool flat_equal(const struct flat *a, const struct flat *b);
const struct flat_node *flat_find(const struct flat *flat, const char *path);
/* Is there anything whose path begins so? */
bool flat_has(const struct flat *flat, const char *prefix);
/* Or is it more than one case of relay-lab's choice? */
bool flat_one_case(const struct flat *flat);

/*
 * What comes of it when those who began with base, and have theirs now, put
 * their changes on top of `now`. Knows the choice of relay-lab, and no other.
 */
void flat_merge(const struct flat *base, const struct flat *theirs,
		const struct flat *now, struct flat *out);

#endif /* _FUZZ_FLAT_H */
