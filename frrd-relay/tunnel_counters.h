// SPDX-License-Identifier: GPL-2.0-or-later
/* What a tunnel has carried and dropped, put together from its parts. */
#ifndef _RELAY_TUNNEL_COUNTERS_H
#define _RELAY_TUNNEL_COUNTERS_H

#include "tunnel.h"
#include "bpf/relay_bpf.h"

/* Adds to the drops of that reason, a constant. */
void tunnel_counters_drop(struct tunnel_counters *out, const char *reason,
			  uint64_t packets);
/* Adds what the programs, or the slow way in user space, have counted for a
 * relay of Teredo or of 6to4. */
void tunnel_counters_bpf(struct tunnel_counters *out,
			 const struct relay_bpf_counters *c, bool teredo);
/* to += more */
void tunnel_counters_sum(struct relay_bpf_counters *to,
			 const struct relay_bpf_counters *more);
/* What was told once is never taken back: now is at least *told, and becomes
 * it. */
void tunnel_counters_keep(struct tunnel_counters *told,
			  struct tunnel_counters *now);

#endif /* _RELAY_TUNNEL_COUNTERS_H */
