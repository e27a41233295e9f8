// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The paths that a client may name nodes by: absolute data paths, with or
 * without keys. XPath proper is not taken: an expression may cost without
 * bound, and the main thread would pay.
 *
 *   /frr-relay:relay/instance[name='a']/state/oper-status
 *   /frr-relay:relay/instance/filter/permit[.='10.0.0.0/8']
 *
 * A name needs its module's only where that is another than the parent's.
 */
#ifndef _RELAY_NB_PATH_H
#define _RELAY_NB_PATH_H

#include <zebra.h>

#include "yang.h"

/* containers, lists and leaves on the way down */
#define RELAY_NB_STEPS 24

struct relay_nb_step {
	const struct lysc_node *snode;
	/* Canonical, of a list's keys in the schema's order; the value of a
	 * leaf-list's entry is key[0]. NULL: any. libyang's dictionary. */
	const char *key[LIST_MAXKEYS];
	unsigned int nkeys; /* that the schema has; 1 of a leaf-list */
	unsigned int given; /* of those, by the path */
	uint32_t position;  /* in a list without keys, from 1; 0: any */
};

struct relay_nb_path {
	const char *text;
	struct relay_nb_step step[RELAY_NB_STEPS];
	size_t nsteps; /* 0: everything */
};

/*
 * Reads a path; NULL, "" and "/" are everything. text stays the caller's and in
 * use. Free it after success. Returns 0 or -EINVAL with one line in err.
 */
int relay_nb_path_read(struct relay_nb_path *path, const char *text, char *err,
		       size_t err_len);
void relay_nb_path_free(struct relay_nb_path *path);

/* The last step, or NULL. */
const struct relay_nb_step *
relay_nb_path_last(const struct relay_nb_path *path);

/* Does the step name one entry, by all keys of its list? */
bool relay_nb_step_is_entry(const struct relay_nb_step *step);

#endif /* _RELAY_NB_PATH_H */
