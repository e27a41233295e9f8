// SPDX-License-Identifier: GPL-2.0-or-later
/* The eBPF programs on a tunnel, whatever its kind: its fast way. */
#ifndef _RELAY_TUNNEL_FAST_H
#define _RELAY_TUNNEL_FAST_H

#include "tunnel_kernel.h"

struct tunnel_fast {
	bool on; /* the programs know this tunnel */
	/* nothing else carries it: where they can't be had, it fails */
	bool needed;
	/* what they had counted when they forgot this tunnel */
	struct relay_bpf_counters base;
};

/* Whether `tunnel datapath` asks for the programs and they can be had: 1 or 0;
 * -errno when they can't and were asked for by name, or are needed. */
int tunnel_fast_wanted(struct tunnel *tun, const struct tunnel_fast *fast);
/* Tells the programs of the tunnel; 0, or -errno where it can't do without. */
int tunnel_fast_apply(struct tunnel *tun, struct tunnel_fast *fast,
		      ifindex_t ifindex, bool on_tun);
/* The programs forget it. */
void tunnel_fast_off(struct tunnel *tun, struct tunnel_fast *fast);
/* What is wrong with them, into the status; slow: what runs without them. */
void tunnel_fast_check(struct tunnel *tun, struct tunnel_fast *fast,
		       const char *slow);
/* Adds what went the fast way. */
void tunnel_fast_counters(const struct tunnel *tun,
			  const struct tunnel_fast *fast,
			  struct tunnel_counters *out);
/* Adds to the status' note. */
void tunnel_note(struct tunnel *tun, const char *note);

#endif /* _RELAY_TUNNEL_FAST_H */
