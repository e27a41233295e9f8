// SPDX-License-Identifier: GPL-2.0-or-later
/* What relay_nb_path.c, _walk.c, _tree.c, _edit.c and _merge.c share, and those
 * who call them. */
#ifndef _RELAY_NB_DATA_H
#define _RELAY_NB_DATA_H

#include <zebra.h>

#include "yang.h"

#include "relay_nb_path.h"

/*
 * One line, out of printf's, about something that a client did; without octets
 * that would make it two. Returns -error, to be returned.
 */
int relay_nb_err(char *err, size_t err_len, int error, const char *fmt, ...)
	PRINTFRR(4, 5);

/*
 * libyang keeps its messages to itself in between: a client's mistake is no
 * matter for the log. At the end msg gets the last one, without its full stop,
 * and `other` where there was none.
 */
void relay_nb_quiet_begin(void);
void relay_nb_quiet_end(char *msg, size_t len, const char *other);

/*
 * One line out of what libfrr says of a configuration that it refuses. Of what
 * YANG itself forbids that is several, and the first says nothing.
 */
void relay_nb_refusal(const char *errmsg, char *line, size_t len);

/* A copy of node below parent, or beside the siblings *top where that is NULL;
 * of a list's entry with its keys. NULL: no memory. */
struct lyd_node *relay_nb_copy(struct lyd_node *parent, struct lyd_node **top,
			       const struct lyd_node *node, bool recursive);

/*
 * A new node in that place: a container; a list's entry, value has its keys
 * (LIST_MAXKEYS of them, what the list has not is not read); a leaf or a leaf-
 * list's entry, value[0]. On an error there is none.
 */
LY_ERR relay_nb_new(struct lyd_node *parent, struct lyd_node **top,
		    const struct lysc_node *snode, const char *const *value,
		    struct lyd_node **node);

/* Frees a node with all that is below it; *top stays the first sibling. */
void relay_nb_remove(struct lyd_node **top, struct lyd_node *node);

/*
 * Nodes of one case of a choice at most can be there: frees those of the others
 * for a node of snode to come.
 */
void relay_nb_make_room(struct lyd_node *parent, struct lyd_node **top,
			const struct lysc_node *snode);

/*
 * The first of the siblings that the step names, and those after it. For any
 * step: one container or leaf, one entry by its keys, or the entries of a list
 * one by one.
 */
struct lyd_node *relay_nb_first(const struct lyd_node *siblings,
				const struct relay_nb_step *step);
struct lyd_node *relay_nb_next(const struct lyd_node *node,
			       const struct relay_nb_step *step);

#endif /* _RELAY_NB_DATA_H */
