// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The raw ICMP sockets of `track N icmp-echo`, one a family, shared by all
 * targets.
 */
#ifndef _RELAY_TRACK_ICMP_SOCKET_H
#define _RELAY_TRACK_ICMP_SOCKET_H

#include <zebra.h>

#include "ipaddr.h"
#include "if.h"

#include "track_icmp_probe.h"

/*
 * An echo reply with our identifier. from: who sent it; scope: interface that a
 * link-local `from` belongs to, else 0; at_us: CLOCK_MONOTONIC of its arrival in
 * the kernel, microseconds.
 */
typedef void (*icmp_socket_reply)(const struct icmp_probe_echo *echo,
				  const struct ipaddr *from, ifindex_t scope,
				  int64_t at_us);

int icmp_socket_init(icmp_socket_reply reply);
void icmp_socket_fini(void);

/* The socket of a family stays open while someone holds it. */
void icmp_socket_hold(int family);
void icmp_socket_release(int family);

/* 64 random bits. */
uint64_t icmp_socket_nonce(void);

/*
 * Sends one echo request; the identifier is filled in here. source may be
 * IPADDR_NONE, ifindex 0. Returns 0 or -errno: -EADDRNOTAVAIL when source is
 * not an address of this host.
 */
int icmp_socket_send(const struct ipaddr *target, const struct ipaddr *source,
		     ifindex_t ifindex, const struct icmp_probe_echo *echo);

/* Handles the replies that wait in the sockets; never blocks. */
void icmp_socket_drain(void);

/*
 * Does a reply wake the daemon (as at the start), or does it wait for the next
 * icmp_socket_drain()? Its time of arrival is the kernel's either way.
 */
void icmp_socket_wake(bool wakes);

#endif /* _RELAY_TRACK_ICMP_SOCKET_H */
