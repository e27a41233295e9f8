// SPDX-License-Identifier: GPL-2.0-or-later
/* The last 64 changes of a relay's state: a ring, oldest overwritten first. */
#ifndef _RELAY_HISTORY_H
#define _RELAY_HISTORY_H

#include <zebra.h>

#include "relay_health.h"

#define RELAY_HISTORY_MAX 64

struct relay_history_entry {
	uint32_t index; /* 1, 2, ... since relayd started */
	time_t time;
	enum relay_oper from, to;
	enum relay_reason reason;
	char detail[RELAY_DETAIL_LEN];
};

struct relay_history {
	struct relay_history_entry *ring; /* allocated at the first change */
	uint32_t total;			  /* changes ever recorded */
};

void relay_history_add(struct relay_history *hist, time_t now,
		       enum relay_oper from, enum relay_oper to,
		       enum relay_reason reason, const char *detail);
size_t relay_history_count(const struct relay_history *hist);
/* i = 0 is the oldest that is kept; NULL past the end. */
const struct relay_history_entry *
relay_history_get(const struct relay_history *hist, size_t i);
void relay_history_free(struct relay_history *hist);

#endif /* _RELAY_HISTORY_H */
