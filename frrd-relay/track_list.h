// SPDX-License-Identifier: GPL-2.0-or-later
/* Boolean lists: what the validator needs of them. */
#ifndef _RELAY_TRACK_LIST_H
#define _RELAY_TRACK_LIST_H

#include <zebra.h>

#include "track.h"

/*
 * The members of list object `id`, borrowed until the next call; returns their
 * number, 0 when id is no list or does not exist.
 */
typedef size_t (*track_list_members)(uint16_t id,
				     const struct track_member **members,
				     void *arg);

/*
 * Pure: whether list `id`, given these members, would come back to itself
 * through lists in lists. The callback is not asked about `id` itself, so a
 * candidate configuration can be checked against what is there.
 */
bool track_list_has_cycle(uint16_t id, const struct track_member *members,
			  size_t n, track_list_members get, void *arg);

#endif /* _RELAY_TRACK_LIST_H */
