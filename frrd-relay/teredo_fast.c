// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <bpf/bpf.h>

#include "teredo_fast.h"

#define NS_PER_MS INT64_C(1000000)

static void put_all(struct teredo_fast *fast)
{
	uint32_t at = 0, n;

	/* One that is refused ends a batch: it goes by the engine, those behind
	 * it have their turn. */
	while (at < fast->nput) {
		n = fast->nput - at;
		if (bpf_map_update_batch(fast->fd, fast->keys + at,
					 fast->peers + at, &n, NULL) == 0)
			break;
		at += n + 1;
	}
	fast->nput = 0;
}

void teredo_fast_set(struct teredo_fast *fast, int fd, void (*forget)(void))
{
	if (fast->fd >= 0)
		close(fast->fd);
	fast->fd = fd;
	fast->forget = forget;
	fast->nput = 0;
	fast->forgotten = false;
}

void teredo_fast_put(struct teredo_fast *fast,
		     const struct relay_bpf_peer_key *key, int64_t rx_ms,
		     int64_t tx_ms)
{
	if (fast->fd < 0)
		return;
	if (fast->nput == TEREDO_FAST_BATCH)
		put_all(fast);
	fast->keys[fast->nput] = *key;
	fast->peers[fast->nput++] = (struct relay_bpf_peer){
		.rx_ns = rx_ms > 0 ? rx_ms * NS_PER_MS : 0,
		.tx_ns = tx_ms > 0 ? tx_ms * NS_PER_MS : 0,
	};
}

void teredo_fast_del(struct teredo_fast *fast,
		     const struct relay_bpf_peer_key *key)
{
	if (fast->fd < 0)
		return;
	put_all(fast);
	bpf_map_delete_elem(fast->fd, key);
	fast->forgotten = true;
}

bool teredo_fast_activity(struct teredo_fast *fast,
			  const struct relay_bpf_peer_key *key, int64_t *rx_ms,
			  int64_t *tx_ms)
{
	struct relay_bpf_peer peer;

	if (fast->fd < 0)
		return false;
	put_all(fast);
	if (bpf_map_lookup_elem(fast->fd, key, &peer) < 0)
		return false;
	*rx_ms = peer.rx_ns / NS_PER_MS;
	*tx_ms = peer.tx_ns / NS_PER_MS;
	return true;
}

void teredo_fast_flush(struct teredo_fast *fast)
{
	if (fast->nput)
		put_all(fast);
	if (fast->forgotten && fast->forget)
		fast->forget();
	fast->forgotten = false;
}
