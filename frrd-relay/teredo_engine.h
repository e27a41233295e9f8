// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine of a Teredo relay: a thread that reads the TUN and the UDP socket
 * and lets teredo_relay.c say what becomes of each packet.
 *
 * One mutex guards all that it has. The thread holds it while it works on a
 * batch of packets, the main thread for a short question; neither waits for the
 * network with it. The main thread waits a tenth of a second at most: an engine
 * that hangs does not take relayd with it, it fails its relay
 * (teredo_engine_answers()).
 */
#ifndef _RELAY_TEREDO_ENGINE_H
#define _RELAY_TEREDO_ENGINE_H

#include <zebra.h>

#include "teredo_relay.h"

struct teredo_engine;

/* A thread that has no descriptors yet. name: the relay's. NULL and *err,
 * -errno, when there is no thread to be had. */
struct teredo_engine *teredo_engine_start(const char *name,
					  const struct teredo_relay_config *cfg,
					  int *err);
/* Ends the thread and closes its descriptors. */
void teredo_engine_stop(struct teredo_engine **engine);

/*
 * The rest: 0, or -EBUSY when the engine does not answer.
 *
 * Descriptors are the engine's from here on, the former ones are closed; -1:
 * none. Both do not block.
 */
int teredo_engine_set_tun(struct teredo_engine *engine, int fd);
int teredo_engine_set_udp(struct teredo_engine *engine, int fd);
/* The map of peers of the eBPF programs, which stays the caller's; -1: none.
 * forget: told when what the programs have decided may be over. */
int teredo_engine_set_fast(struct teredo_engine *engine, int peers_fd,
			   void (*forget)(void));
/* cfg is copied. */
int teredo_engine_configure(struct teredo_engine *engine,
			    const struct teredo_relay_config *cfg);
/* The self-test's peer; NULL: none. */
int teredo_engine_own_peer(struct teredo_engine *engine,
			   const struct relay_bpf_peer_key *key);
/* The next n peers at most behind *cursor (0 to begin with). Returns how many,
 * 0 at the end. */
int teredo_engine_peers(struct teredo_engine *engine, uint32_t *cursor,
			struct teredo_peer_info *out, size_t n);
/* -ENOENT: no such peer */
int teredo_engine_find(struct teredo_engine *engine,
		       const struct in6_addr *addr,
		       struct teredo_peer_info *out);
int teredo_engine_clear(struct teredo_engine *engine);
int teredo_engine_stats(struct teredo_engine *engine,
			struct teredo_relay_stats *out);

/* Its heart has beaten within the last seconds; no system call. */
bool teredo_engine_answers(const struct teredo_engine *engine);
/* 0, or -errno of the TUN or the socket, which then is not read any more. */
int teredo_engine_tun_error(const struct teredo_engine *engine);
int teredo_engine_udp_error(const struct teredo_engine *engine);
/* Datagrams that the kernel would not take: no route, mostly. */
uint64_t teredo_engine_unsent(struct teredo_engine *engine);

#endif /* _RELAY_TEREDO_ENGINE_H */
