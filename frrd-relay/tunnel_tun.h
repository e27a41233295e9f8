// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A TUN that stands in for the sit device where the kernel has none, and the
 * slow way of 6to4 over it in user space: what the eBPF programs hand up the
 * stack (fragments, IPv4 options, what is for the host itself) comes by a raw
 * socket and goes into the TUN, or the other way round.
 */
#ifndef _RELAY_TUNNEL_TUN_H
#define _RELAY_TUNNEL_TUN_H

#include "tunnel_kernel.h"
#include "bpf/relay_bpf.h"

/*
 * Attaches to the TUN of that name, made if it is not there. It stays when its
 * descriptor is closed, until kern_link_del(). Returns the descriptor or
 * -errno.
 */
int tun_open(const char *ifname);
/* The same, with what tun_offload.h is for. */
int tun_open_offload(const char *ifname);

/* The slow way of one tunnel. */
struct tun_slow {
	struct tunnel *tun;
	int fd; /* of the TUN; -1: none */
	struct relay_bpf_counters counters;
	/* packets whose IPv4 destination has no route */
	uint64_t unreachable;
};

/* Takes over fd. 0 or -errno: no raw socket. */
int tun_slow_start(struct tun_slow *slow, struct tunnel *tun, int fd);
void tun_slow_stop(struct tun_slow *slow);

#endif /* _RELAY_TUNNEL_TUN_H */
