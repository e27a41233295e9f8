// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The in-band self-test (contract section 3): a packet of relayd's own goes
 * through the real datapath each way. Bookkeeping for every kind of tunnel;
 * what a probe looks like is the kind's (selftest_6to4.h).
 */
#ifndef _RELAY_SELFTEST_H
#define _RELAY_SELFTEST_H

#include "tunnel.h"

/* What a probe tells of itself. */
struct selftest_probe {
	enum tunnel_way way;
	bool uplink; /* 6to4: left, or is to leave, by an uplink */
	uint16_t id; /* of the tunnel */
	uint32_t seq;
};

void selftest_register(struct tunnel *tun);
void selftest_unregister(struct tunnel *tun);
/* The tunnel with that st_id, or NULL. */
struct tunnel *selftest_find(uint16_t id);
/* Forgets what was seen: the tunnel is another one now. */
void selftest_reset(struct tunnel *tun);
/* A test that is asked for on a tunnel that serves: it holds until three
 * losses prove it wrong. */
void selftest_presume(struct tunnel *tun);
/* After each check: starts or stops probing, fills status.self_test. */
void selftest_update(struct tunnel *tun);
/* From a kind: probe seq came out at the end of its way, on that path. */
void selftest_seen(struct tunnel *tun, enum tunnel_way way,
		   enum tunnel_path path, uint32_t seq);

#endif /* _RELAY_SELFTEST_H */
