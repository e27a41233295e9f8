// SPDX-License-Identifier: GPL-2.0-or-later
/* The 6to4 probes of the self-test: packets, and the sockets they take. */
#ifndef _RELAY_SELFTEST_6TO4_H
#define _RELAY_SELFTEST_6TO4_H

#include "selftest.h"

/* 0 or -errno; what is missing then is told with each probe. */
int selftest_6to4_init(void);
void selftest_6to4_fini(void);

/* octets of a probe's IPv6 packet */
#define SELFTEST_PROBE_LEN 72

/* The ends of a probe's ways, for a relay with a given source. */
enum selftest_end {
	/* native, RFC 6666's discard prefix: by the router's own route, or by a
	 * host route into the tunnel's interface where there is none */
	SELFTEST_NATIVE_UPLINK,
	SELFTEST_NATIVE_HOST,
	/* 6to4: embeds RFC 7600's dummy address, or the relay's own source where
	 * there is no route to the former; a host route for each must lead into
	 * the tunnel's interface */
	SELFTEST_6TO4_UPLINK,
	SELFTEST_6TO4_HOST,
};
#define SELFTEST_ENDS 4
void selftest_6to4_address(enum selftest_end end, struct in_addr source,
			   struct in6_addr *addr);

/*
 * Sends one probe; 0 or -errno, with the cause in st[way].why where errno
 * does not tell it.
 */
int selftest_6to4_send(struct tunnel *tun, enum tunnel_way way,
		       enum tunnel_path path, uint32_t seq);

/* 0, or why what the stack lets out is not handed over, in st->why too. */
int selftest_6to4_log_error(struct tunnel_self_test *st);

/* What the eBPF programs have made of a probe (bpf/relay_bpf.h). */
struct relay_bpf_probe;
void selftest_6to4_bpf_seen(struct tunnel *tun,
			    const struct relay_bpf_probe *seen);

/*
 * Pure, for tests: writes a probe as it goes in, an IPv4 packet for 4to6, an
 * IPv6 packet for 6to4. Returns its length, at most SELFTEST_PROBE_LEN + 20.
 */
size_t selftest_6to4_build(uint8_t *pkt, struct in_addr source,
			   const struct selftest_probe *probe,
			   const uint8_t nonce[8]);
/* Pure: true when pkt is a probe that has come through a relay. */
bool selftest_6to4_parse(const uint8_t *pkt, size_t len, const uint8_t nonce[8],
			 struct selftest_probe *probe);
/* Pure: the same of one that has not come through, as it was sent. */
bool selftest_6to4_parse_sent(const uint8_t *pkt, size_t len,
			      const uint8_t nonce[8],
			      struct selftest_probe *probe);

#endif /* _RELAY_SELFTEST_6TO4_H */
