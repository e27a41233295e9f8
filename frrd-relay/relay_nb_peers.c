// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operational state of a Teredo relay's peers.
 *
 * libfrr walks a list in one go, in the main thread, so a walk is bounded: who
 * wants all of many asks the show command, which writes them by and by.
 */
#include <zebra.h>

#include "printfrr.h"

#include "relay_nb.h"
#include "relay_watchdog.h"
#include "teredo_relay.h"

/* as the module says */
#define WALK_MAX   1024
#define WALK_CHUNK 64

/* The entry of a walk or a look-up; there is one at a time. */
static struct {
	struct teredo_peer_info peers[WALK_CHUNK];
	int n, at;
	uint32_t cursor, count;
} walk;

const void *relay_nb_peer_get_next(struct nb_cb_get_next_args *args)
{
	const struct relay *relay = args->parent_list_entry;

	if (!relay || !relay->tun)
		return NULL;
	if (!args->list_entry)
		memset(&walk, 0, sizeof(walk));
	else
		walk.at++;
	if (walk.count++ == WALK_MAX)
		return NULL;
	if (walk.at == walk.n) {
		relay_watchdog_kick();
		walk.at = 0;
		walk.n = tunnel_peers_next(relay->tun, &walk.cursor, walk.peers,
					   WALK_CHUNK);
		if (walk.n <= 0)
			return NULL;
	}
	return &walk.peers[walk.at];
}

int relay_nb_peer_get_keys(struct nb_cb_get_keys_args *args)
{
	const struct teredo_peer_info *peer = args->list_entry;

	args->keys->num = 1;
	snprintfrr(args->keys->key[0], sizeof(args->keys->key[0]), "%pI6",
		   &peer->addr);
	return NB_OK;
}

const void *relay_nb_peer_lookup(struct nb_cb_lookup_entry_args *args)
{
	const struct relay *relay = args->parent_list_entry;
	struct in6_addr addr;

	if (!relay || !relay->tun ||
	    inet_pton(AF_INET6, args->keys->key[0], &addr) != 1 ||
	    tunnel_peers_find(relay->tun, &addr, &walk.peers[0]) < 0)
		return NULL;
	return &walk.peers[0];
}

/* Nothing where there was none yet. */
static struct yang_data *age_state(const char *xpath, int64_t ms)
{
	return ms < 0 ? NULL
		      : yang_data_new_uint32(xpath, MIN(ms, UINT32_MAX));
}

struct yang_data *relay_nb_peer_state(struct nb_cb_get_elem_args *args)
{
	const struct teredo_peer_info *peer = args->list_entry;
	const char *xpath = args->xpath, *leaf = strrchr(xpath, '/') + 1;

	if (!peer)
		return NULL;
	if (!strcmp(leaf, "address"))
		return yang_data_new_ipv6(xpath, &peer->addr);
	if (!strcmp(leaf, "server"))
		return yang_data_new_ipv4(xpath, &peer->server);
	if (!strcmp(leaf, "mapped-address"))
		return yang_data_new_ipv4(xpath, &peer->mapped);
	if (!strcmp(leaf, "mapped-port"))
		return yang_data_new_uint16(xpath, peer->port);
	if (!strcmp(leaf, "state"))
		return yang_data_new_string(xpath,
					    teredo_peer_state_str(peer->state));
	if (!strcmp(leaf, "last-received"))
		return age_state(xpath, peer->rx_age_ms);
	if (!strcmp(leaf, "last-sent"))
		return age_state(xpath, peer->tx_age_ms);
	if (!strcmp(leaf, "bubbles"))
		return yang_data_new_uint32(xpath, peer->bubbles);
	return yang_data_new_uint32(xpath, peer->queued);
}

/* Nothing of a relay of another mode. */
struct yang_data *relay_nb_peers_state(struct nb_cb_get_elem_args *args)
{
	const struct relay *relay = args->list_entry;
	const char *xpath = args->xpath, *leaf = strrchr(xpath, '/') + 1;
	struct relay_peers peers;

	if (!relay || relay->cfg.mode != RELAY_MODE_TEREDO)
		return NULL;
	relay_peers(relay, &peers);
	if (!strcmp(leaf, "count"))
		return yang_data_new_uint32(xpath, peers.count);
	if (!strcmp(leaf, "trusted"))
		return yang_data_new_uint32(xpath, peers.trusted);
	if (!strcmp(leaf, "maximum"))
		return yang_data_new_uint32(xpath, peers.maximum);
	return yang_data_new_string(xpath, peers.overload);
}

struct yang_data *relay_nb_bubbles_state(struct nb_cb_get_elem_args *args)
{
	struct relay *relay = (struct relay *)args->list_entry;
	const char *xpath = args->xpath, *leaf = strrchr(xpath, '/') + 1;
	struct relay_bubbles bubbles;

	if (!relay || relay->cfg.mode != RELAY_MODE_TEREDO)
		return NULL;
	relay_bubbles(relay, &bubbles);
	if (!strcmp(leaf, "received"))
		return yang_data_new_uint64(xpath, bubbles.received);
	if (!strcmp(leaf, "sent-direct"))
		return yang_data_new_uint64(xpath, bubbles.direct);
	if (!strcmp(leaf, "sent-indirect"))
		return yang_data_new_uint64(xpath, bubbles.indirect);
	return yang_data_new_uint64(xpath, bubbles.evicted);
}
