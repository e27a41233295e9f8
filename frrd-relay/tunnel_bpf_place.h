// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the eBPF object's maps have of each tunnel. The inner door of
 * tunnel_bpf.c, which says when.
 */
#ifndef _RELAY_TUNNEL_BPF_PLACE_H
#define _RELAY_TUNNEL_BPF_PLACE_H

#include "filter.h"
#include "tunnel_kernel.h"
#include "bpf/relay_bpf.h"

struct relay_bpf;

struct bpf_place {
	uint32_t at; /* in the map `relays` and others */
	struct tunnel *tun;
	struct relay_bpf_relay relay; /* as in the map */
	struct filter_rule *rules;    /* normalized */
	size_t nrules;
	/* Teredo: its inner map of `peers`, made for so many; -1: none */
	int peers_fd;
	uint32_t peers_max;
};

/* The object that is loaded; NULL: none, forgets all places. */
void bpf_places_open(struct relay_bpf *skel);

/* NULL: nobody's. */
struct bpf_place *bpf_place_at(size_t at);
struct bpf_place *bpf_place_of(const struct tunnel *tun);
/* one behind the last in use */
size_t bpf_places_end(void);

/* These want privileges. */

/* An empty one for a tunnel; NULL: no room (errno). */
struct bpf_place *bpf_place_new(struct tunnel *tun);
/* Maps to what its tunnel's params say. 0 or -errno. */
int bpf_place_sync(struct bpf_place *pl, ifindex_t ifindex, bool on_tun);
/* Out of the maps, but for what it has counted. */
void bpf_place_clear(struct bpf_place *pl);

void bpf_place_free(struct bpf_place **pl);
/* Its tunnel's filter is another one by now. */
bool bpf_place_is_stale(const struct bpf_place *pl);
/* What the programs have decided by maps, links and addresses as they were is
 * over. */
void bpf_decisions_over(void);

#endif /* _RELAY_TUNNEL_BPF_PLACE_H */
