// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICMPv4 errors that come back about what the relays have sent into IPv4, told
 * to the IPv6 hosts that it came from (icmp_error.h says how, and which). The
 * kernel's sit and relayd's eBPF programs both leave it to this.
 */
#ifndef _RELAY_TUNNEL_ICMP_H
#define _RELAY_TUNNEL_ICMP_H

#include <zebra.h>

/*
 * Errors a second, of all relays together, and in one go after a quiet second.
 * RFC 6343 section 4.4 wants no 100 a second; RFC 4443 section 2.4 f wants a
 * bound.
 */
#define TUNNEL_ICMP_RATE 1000
#define TUNNEL_ICMP_BURST 1000

/* Opens the sockets. 0 or -errno; without them there are no such errors. */
int tunnel_icmp_init(void);
void tunnel_icmp_fini(void);

/* A bucket of tokens; pure, times in microseconds. All zero: full. */
struct tunnel_icmp_bucket {
	int64_t empty_at; /* when it would be full again */
};
bool tunnel_icmp_allowed(struct tunnel_icmp_bucket *bucket, int64_t now);

#endif /* _RELAY_TUNNEL_ICMP_H */
