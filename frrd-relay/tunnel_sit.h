// SPDX-License-Identifier: GPL-2.0-or-later
/* Between tunnel_sit.c, which changes things, tunnel_sit_check.c, which looks at
 * them, and tunnel_sit_probe.c, which tests them. */
#ifndef _RELAY_TUNNEL_SIT_H
#define _RELAY_TUNNEL_SIT_H

#include "tunnel_fast.h"
#include "tunnel_kernel.h"
#include "tunnel_tun.h"

struct sit {
	ifindex_t ifindex;	   /* 0 while there is no device */
	bool on_tun;		   /* a TUN stands in for the sit device */
	struct tun_slow slow;
	/* A sit device is complete without the programs: it is their slow
	 * way. A TUN is nothing without them. */
	struct tunnel_fast fast;
	struct in_addr probe_source; /* whose probes' routes are there */
	struct in_addr nft_source; /* whose rules are asked for */
	bool nft_seen; /* they have been in place; a change keeps traffic */
	uint32_t filter_generation; /* of what they filter */
	bool was_down;
	/* statistics of devices that are gone, of the present one, and what a
	 * former run's device had counted when it was taken over */
	struct kern_stats base, last, adopted;
	/* probes under tunnel sources that are configured no more */
	struct nft_relay_counters probes_base;
	struct tunnel_counters told;
	struct nft_relay_counters first_loss[TUNNEL_WAYS];
};

struct sit *sit_priv(struct tunnel *tun);
/* The parameters that the device should have. */
void sit_wanted(const struct tunnel *tun, struct kern_sit *sit);
bool sit_same(const struct kern_sit *a, const struct kern_sit *b);

/* ::a.b.c.d/96, which the kernel gives each sit; NULL when it is gone. */
const struct kern_addr *sit_compat_address(ifindex_t ifindex);
int sit_drop_compat(struct tunnel *tun, ifindex_t ifindex);

/* Asks for the rules that the parameters want. */
void sit_rules(struct tunnel *tun);

/* -------- tunnel_sit_check.c -------- */

/* Costs no system call; always 0. */
int sit_check(struct tunnel *tun);

/* What the rules have counted for this tunnel, under all its sources. */
void sit_probes(const struct sit *sit, struct nft_relay_counters *out);
/* Traffic of this run of relayd, without self-test probes. */
int sit_counters(struct tunnel *tun, struct tunnel_counters *out);

/* tunnel_sit_probe.c: host routes of the self-test's probes. *added: how many
 * were missing; may be NULL. */
int sit_have_probe_routes(ifindex_t ifindex, struct in_addr source,
			  unsigned int *added);
/* Of a source that is not tested any more. */
void sit_drop_probe_routes(ifindex_t ifindex, struct in_addr source);
int sit_self_test(struct tunnel *tun, enum tunnel_way way, uint32_t seq);
void sit_self_test_lost(struct tunnel *tun, enum tunnel_way way,
			unsigned int losses);

#endif /* _RELAY_TUNNEL_SIT_H */
