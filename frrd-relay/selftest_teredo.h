// SPDX-License-Identifier: GPL-2.0-or-later
/* The Teredo probes of the self-test: packets, the relay's own peer that they
 * come from and go to, and its sockets. */
#ifndef _RELAY_SELFTEST_TEREDO_H
#define _RELAY_SELFTEST_TEREDO_H

#include "selftest.h"
#include "bpf/relay_bpf.h"

struct selftest_teredo;

/*
 * Makes the peer: its sockets, and routes that go with the interface. The
 * tunnel's source and service port are to stay what they are. *st is the
 * caller's, who closes it before the tunnel is freed or opened once more. 0 or
 * -errno, and then *st is NULL.
 */
int selftest_teredo_open(struct selftest_teredo **st, struct tunnel *tun,
			 ifindex_t ifindex);
void selftest_teredo_close(struct selftest_teredo **st);
/* Without a word to the kernel: the routes stay, for the next relayd. */
void selftest_teredo_leave(struct selftest_teredo **st);

/* The peer, for the engine. */
void selftest_teredo_peer(const struct selftest_teredo *st,
			  struct relay_bpf_peer_key *own);

/* Sends one probe; 0 or -errno, with the cause in st[way].why where errno does
 * not tell it. */
int selftest_teredo_send(struct selftest_teredo *st, enum tunnel_way way,
			 enum tunnel_path path, uint32_t seq);

/* tunnel_ops.self_test_lost */
void selftest_teredo_lost(struct tunnel *tun, enum tunnel_way way,
			  unsigned int losses);

/* Takes in what has come out up to now; of a tunnel of any kind. */
void selftest_teredo_poll(struct tunnel *tun);

/* What the eBPF programs have made of a probe (bpf/relay_bpf.h). */
struct relay_bpf_probe;
void selftest_teredo_bpf_seen(struct tunnel *tun,
			      const struct relay_bpf_probe *seen);

/* -------- pure, for tests -------- */

/* UDP port of both ends inside the tunnel */
#define SELFTEST_TEREDO_PORT 3545
/* octets behind the UDP header, and of the IPv6 packet */
#define SELFTEST_TEREDO_DATA_LEN 16
#define SELFTEST_TEREDO_LEN (48 + SELFTEST_TEREDO_DATA_LEN)

/* The Teredo address of a client whose server is the relay's source, and which
 * is at that address and port itself (host order). */
void selftest_teredo_address(struct in_addr source, uint16_t port,
			     struct in6_addr *addr);
/* What a probe has behind its UDP header. */
void selftest_teredo_build_data(uint8_t data[SELFTEST_TEREDO_DATA_LEN],
				const struct selftest_probe *probe,
				const uint8_t nonce[8]);
void selftest_teredo_build(uint8_t pkt[SELFTEST_TEREDO_LEN],
			   const struct in6_addr *src,
			   const struct in6_addr *dst,
			   const struct selftest_probe *probe,
			   const uint8_t nonce[8]);
/* True: it is one. len: of all that is there. */
bool selftest_teredo_parse_data(const uint8_t *data, size_t len,
				const uint8_t nonce[8],
				struct selftest_probe *probe);
/* Of an IPv6 packet. */
bool selftest_teredo_parse(const uint8_t *pkt, size_t len,
			   const uint8_t nonce[8],
			   struct selftest_probe *probe);
/* The same, also as the payload of UDP over IPv4. */
bool selftest_teredo_parse_any(const uint8_t *pkt, size_t len,
			       const uint8_t nonce[8],
			       struct selftest_probe *probe);

/* -------- selftest_teredo_tap.c -------- */

/* Probes that cross the relay's interface, while it is looked for where they
 * get lost. */
struct selftest_tap {
	int fd; /* -1: closed */
	unsigned int seen[TUNNEL_WAYS];
};
int selftest_tap_open(struct selftest_tap *tap, ifindex_t ifindex);
void selftest_tap_close(struct selftest_tap *tap);
/* Counts what has crossed up to now, on the side of the interface where a
 * probe of the way begins its way through IPv6, or ends it. */
void selftest_tap_read(struct selftest_tap *tap, uint16_t id);

#endif /* _RELAY_SELFTEST_TEREDO_H */
