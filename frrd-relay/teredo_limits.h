// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many peers may be new (RFC 4380 section 7.3.5): token buckets, of all
 * packets of a way together and of each prefix that they come from. Pure.
 *
 * The prefixes are in a hashed array of fixed size; of many, those that were
 * not heard of for longest are forgotten, which gives them their whole burst
 * again: the bound of all together holds nevertheless.
 */
#ifndef _RELAY_TEREDO_LIMITS_H
#define _RELAY_TEREDO_LIMITS_H

#include <zebra.h>

#include "bpf/relay_bpf.h"

struct teredo_limit {
	uint32_t rate;	/* new peers a second; 0: no limit */
	uint32_t burst; /* new peers */
};

/* By enum relay_bpf_way. 4to6: a prefix is an IPv4 /24 of clients; 6to4: an
 * IPv6 /48 of senders. */
struct teredo_limits {
	struct teredo_limit all[RELAY_BPF_WAYS];
	struct teredo_limit prefix[RELAY_BPF_WAYS];
};

#define TEREDO_LIMITS_DEFAULT                                                  \
	{                                                                      \
		.all = {{5000, 10000}, {5000, 10000}},                         \
		.prefix = {{500, 2000}, {500, 2000}},                          \
	}

struct teredo_limiter;

/* seed: of the hash, secret and random */
struct teredo_limiter *teredo_limiter_new(const struct teredo_limits *limits,
					  const uint8_t seed[16],
					  int64_t now_ms);
void teredo_limiter_free(struct teredo_limiter **limiter);

/* Other limits, from now on; what has been used stays used. */
void teredo_limiter_configure(struct teredo_limiter *limiter,
			      const struct teredo_limits *limits);

/* May a packet that comes from addr (4to6: the client's struct in_addr; 6to4:
 * the sender's struct in6_addr) make a new peer? If so, it is counted. */
bool teredo_limiter_take(struct teredo_limiter *limiter, enum relay_bpf_way way,
			 const void *addr, int64_t now_ms);

#endif /* _RELAY_TEREDO_LIMITS_H */
