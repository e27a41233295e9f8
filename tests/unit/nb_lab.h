// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The northbound in a test program: frr-relay with relayd's callbacks, and a
 * module of its own, relay-lab, with every kind of node that a module may have
 * and state that the test writes.
 */
#ifndef _TEST_NB_LAB_H
#define _TEST_NB_LAB_H

#include <zebra.h>

#include "northbound.h"

#include "compat.h"

/*
 * module relay-lab:
 *
 * box
 *   size, lid, tag*, note!       config
 *   way (road | rail/{gauge, sleeper*} | line*)   config, a choice
 *   gate!/{width, state/open}    config and state
 *   state/{hue (paint | blend), flag, mark*, odd, made, making*, seal!/by}
 *   shelf[row side]
 *     label, depth
 *     state/{books, book[isbn]/{isbn, title}, event/what, loan[who]/who}
 *   pile[name] by user           config
 * row[id]/{id, load}             state, a list on top
 */
/* What the tests have in lists, they have in the order that libyang 3 sorts it
 * in: an enumeration's last name first. */
#define LAB_SHELVES 4
#define LAB_BOOKS 20000

struct lab_book {
	char isbn[LIST_MAXKEYLEN], title[32];
};

/* one shelf's state */
struct lab_shelf {
	unsigned int row;
	const char *side;
	struct lab_book *book;
	size_t nbooks;
	const char *event[3]; /* a list without keys, up to NULL */
};

/* The state that the callbacks read. */
struct lab_state {
	struct lab_shelf shelf[LAB_SHELVES];
	size_t nshelves;
	const char *paint, *blend, *mark[4], *odd, *seal_by;
	const char *made, *making[4]; /* as nodes, where FRR can have that */
	bool seal, flag, open;
	uint32_t rows; /* entries of the list on top, from 1 */
	/* calls of callbacks */
	unsigned int lookups, nexts, elems, without_entry;
};
extern struct lab_state lab;

/* messages that reached the log */
extern unsigned int lab_logged;

/* Of a group of cmocka's tests. Return 0. */
int lab_start(void **state);
int lab_stop(void **state);

/* What libyang says or does in its own way, and relayd leaves as it is. */
#define LAB_LIBYANG(two, three) (COMPAT_LIBYANG < 3 ? (two) : (three))

/* XPath of the box of relay-lab.yang. */
#define BOX "/relay-lab:box"
/* Its JSON, with this in it. */
#define IN_BOX(json) "{\"relay-lab:box\":{" json "}}"

/* A box that has nothing but defaults, printed without these. */
#define LAB_EMPTY_BOX LAB_LIBYANG("{\"relay-lab:box\":{}}", "{}")

/* A tree out of JSON, validated so that it has its defaults, or as it is. */
struct lyd_node *lab_tree(const char *json);
struct lyd_node *lab_raw_tree(const char *json);

/* JSON without white space, in a buffer that the next call but 7 takes. */
const char *lab_json(const struct lyd_node *tree, bool with_defaults);

/* Hashes, parents and sibling links of a tree are as libyang wants them. */
void lab_check_tree(const struct lyd_node *tree);

#endif /* _TEST_NB_LAB_H */
