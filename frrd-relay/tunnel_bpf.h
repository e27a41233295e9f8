// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The eBPF datapath of relays: one object for all of them. This is what
 * loads it, keeps its maps and says on which links its programs are to hang
 * (tunnel_attach.h does that).
 *
 * The programs are the fast way. What they hand up the stack goes the slow way,
 * through the relay's own interface, which is complete without them.
 */
#ifndef _RELAY_TUNNEL_BPF_H
#define _RELAY_TUNNEL_BPF_H

#include "tunnel_kernel.h"
#include "bpf/relay_bpf.h"

/*
 * Loads the programs if they are not loaded yet. 0 or -errno, and then
 * tunnel_bpf_error() says why in words.
 */
int tunnel_bpf_load(void);
const char *tunnel_bpf_error(void);

/*
 * The fast way for a tunnel on an interface, a TUN or a sit device, by its
 * params as they are now. Called again, it brings about what differs. 0 or
 * -errno.
 */
int tunnel_bpf_set(struct tunnel *tun, ifindex_t ifindex, bool on_tun);
/* *last: what it has counted */
void tunnel_bpf_unset(struct tunnel *tun, struct relay_bpf_counters *last);

/* After news of links and addresses, and each second: programs on new uplinks,
 * the host's own broadcast addresses. */
void tunnel_bpf_check(void);
/* "" or where its programs do not hang as they should */
const char *tunnel_bpf_problem(const struct tunnel *tun);
/* XDP runs on an uplink of this tunnel */
bool tunnel_bpf_xdp(const struct tunnel *tun);

/*
 * The map of a Teredo tunnel's peers, struct relay_bpf_peer by struct
 * relay_bpf_peer_key; -1: none. It stays the same while `peers maximum` does.
 * Whoever wants it longer than until the next event has to dup() it; no
 * privilege is needed to read it and to write.
 */
int tunnel_bpf_peers_fd(const struct tunnel *tun);
/* After peers have gone out of it: nothing that the programs have decided by
 * them serves on. From any thread, while a tunnel has the fast way. */
void tunnel_bpf_decisions_over(void);

/* All processors' counters of a tunnel, zero when it has none. */
void tunnel_bpf_counters(const struct tunnel *tun,
			 struct relay_bpf_counters *out);

/* -------- tunnel_bpf_count.c -------- */

/* Sums what all processors have counted at a place, of that many, in the map;
 * read for all places at once, a fifth of a second old at most. */
void tunnel_bpf_count(int fd, size_t places, size_t at,
		      struct relay_bpf_counters *out);
/* The next one is not to be of before. */
void tunnel_bpf_count_anew(void);
void tunnel_bpf_count_fini(void);

/* -------- tunnel_bpf.c -------- */

/* Probes of the self-test that the programs have handed over. */
void tunnel_bpf_poll(void);

/* What the maps have of a tunnel, for its slow way; valid until the next event.
 * False: nothing. */
struct slow_relay;
bool tunnel_bpf_relay(const struct tunnel *tun, struct slow_relay *out);

/* A former run's programs serve until tunnel_bpf_sweep(), a few seconds at
 * most. */
void tunnel_bpf_hold_back(void);
/* The configuration has been read: programs of a former run are replaced. */
void tunnel_bpf_sweep(void);
void tunnel_bpf_fini(void);

#endif /* _RELAY_TUNNEL_BPF_H */
