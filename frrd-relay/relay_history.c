// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "relay_history.h"
#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, RELAY_HISTORY, "Relay history");

void relay_history_add(struct relay_history *hist, time_t now,
		       enum relay_oper from, enum relay_oper to,
		       enum relay_reason reason, const char *detail)
{
	struct relay_history_entry *entry;

	if (!hist->ring)
		hist->ring = XCALLOC(MTYPE_RELAY_HISTORY,
				     RELAY_HISTORY_MAX * sizeof(*hist->ring));

	entry = &hist->ring[hist->total % RELAY_HISTORY_MAX];
	entry->index = ++hist->total;
	entry->time = now;
	entry->from = from;
	entry->to = to;
	entry->reason = reason;
	strlcpy(entry->detail, detail ? detail : "", sizeof(entry->detail));
}

size_t relay_history_count(const struct relay_history *hist)
{
	return MIN(hist->total, (uint32_t)RELAY_HISTORY_MAX);
}

const struct relay_history_entry *
relay_history_get(const struct relay_history *hist, size_t i)
{
	size_t count = relay_history_count(hist);

	if (i >= count)
		return NULL;
	return &hist->ring[(hist->total - count + i) % RELAY_HISTORY_MAX];
}

void relay_history_free(struct relay_history *hist)
{
	XFREE(MTYPE_RELAY_HISTORY, hist->ring);
	hist->total = 0;
}
