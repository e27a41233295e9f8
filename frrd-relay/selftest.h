// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The in-band self-test (contract section 3): bookkeeping for every kind of
 * tunnel, and the 6to4 probe.
 */
#ifndef _RELAY_SELFTEST_H
#define _RELAY_SELFTEST_H

#include "tunnel.h"

int selftest_init(void);
void selftest_fini(void);

void selftest_register(struct tunnel *tun);
void selftest_unregister(struct tunnel *tun);
/* Forgets what was seen: the tunnel is another one now. */
void selftest_reset(struct tunnel *tun);
/* After each check: starts or stops probing, fills status.self_test. */
void selftest_update(struct tunnel *tun);
/* Takes in the probes that have come out up to now. */
void selftest_poll(void);
/* From a kind: probe seq of the tunnel came out. */
void tunnel_self_test_seen(struct tunnel *tun, uint32_t seq);

/* octets of the inner packet of a 6to4 probe */
#define SELFTEST_PROBE_LEN 72

/*
 * 6to4: where a probe to the relay with this source is sent inside the tunnel;
 * a host route must lead it back into the tunnel's interface.
 */
void selftest_6to4_target(struct in_addr source, struct in6_addr *dst);
/* Sends one probe; 0 or -errno, also -errno when there are no sockets. */
int selftest_6to4_send(struct tunnel *tun, uint32_t seq);

/* Pure, for tests: writes IPv4 + probe, SELFTEST_PROBE_LEN + 20 octets. */
void selftest_6to4_build(uint8_t *pkt, struct in_addr source, uint16_t id,
			 uint32_t seq, const uint8_t nonce[8]);
/* Pure: true when pkt, an IPv4 packet, is a probe that went through a relay. */
bool selftest_6to4_parse(const uint8_t *pkt, size_t len, const uint8_t nonce[8],
			 uint16_t *id, uint32_t *seq);

#endif /* _RELAY_SELFTEST_H */
