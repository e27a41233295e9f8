// SPDX-License-Identifier: GPL-2.0-or-later
/* The eBPF programs' map of the peers of a Teredo relay, as its engine keeps
 * it. Belongs to one thread at a time, which needs no capability for it. */
#ifndef _RELAY_TEREDO_FAST_H
#define _RELAY_TEREDO_FAST_H

#include <zebra.h>

#include "bpf/relay_bpf.h"

/* peers that the map gets at one go */
#define TEREDO_FAST_BATCH 256

struct teredo_fast {
	int fd; /* of the map; -1: none */
	/* told when peers have gone: what the programs have decided is over */
	void (*forget)(void);
	bool forgotten;
	uint32_t nput;
	struct relay_bpf_peer_key keys[TEREDO_FAST_BATCH];
	struct relay_bpf_peer peers[TEREDO_FAST_BATCH];
};

/* Another map, whose descriptor is this one's from here on; -1: none. */
void teredo_fast_set(struct teredo_fast *fast, int fd, void (*forget)(void));
/* Milliseconds of CLOCK_MONOTONIC, 0: never. Put off until the batch is full,
 * or somebody asks. */
void teredo_fast_put(struct teredo_fast *fast,
		     const struct relay_bpf_peer_key *key, int64_t rx_ms,
		     int64_t tx_ms);
void teredo_fast_del(struct teredo_fast *fast,
		     const struct relay_bpf_peer_key *key);
bool teredo_fast_activity(struct teredo_fast *fast,
			  const struct relay_bpf_peer_key *key, int64_t *rx_ms,
			  int64_t *tx_ms);
/* What was put off. */
void teredo_fast_flush(struct teredo_fast *fast);

#endif /* _RELAY_TEREDO_FAST_H */
