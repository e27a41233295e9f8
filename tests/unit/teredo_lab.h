// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A Teredo relay without a network: what it sends is kept, the time is what the
 * test says, and the fast path is an array.
 */
#ifndef _TEST_TEREDO_LAB_H
#define _TEST_TEREDO_LAB_H

#include <zebra.h>

#include "teredo_packet.h"
#include "teredo_relay.h"

#define LAB_SENT 4096
#define LAB_FAST 64
#define LAB_LEN 64 /* octets that are kept of a packet */

#define LAB_SOURCE "203.0.113.1"
#define LAB_LOCAL "2001:db8:1::1"
#define LAB_HOST "2001:db8:6::6"
/* 192.0.2.45 port 40000, by the server 65.54.227.120 */
#define LAB_CLIENT "2001:0:4136:e378:8000:63bf:3fff:fdd2"

enum lab_kind {
	LAB_IPV6,     /* out of the tunnel */
	LAB_UDP,      /* a packet to a client */
	LAB_DIRECT,   /* a bubble to a client */
	LAB_INDIRECT, /* a bubble to a server */
};

struct lab_sent {
	enum lab_kind kind;
	int64_t at_ms;
	struct in_addr dst; /* of the datagram */
	uint16_t port;
	uint8_t tos;
	uint8_t data[LAB_LEN];
	size_t len;
};

struct lab_fast {
	bool used;
	struct relay_bpf_peer_key key;
	int64_t rx_ms, tx_ms;
};

struct lab {
	struct teredo_relay *relay;
	struct teredo_relay_config cfg;
	struct relay_bpf_relay check;
	int64_t now_ms;
	struct lab_sent sent[LAB_SENT]; /* the last ones, see nsent */
	size_t nsent;
	size_t counts[4]; /* by enum lab_kind */
	struct lab_fast fast[LAB_FAST];
	size_t nfast, dels;
	char log[256]; /* the last line */
	size_t logs;
};

extern struct lab lab;

/* A relay with the defaults; fast: it has a fast path. */
void lab_open(uint32_t peers_max, bool fast);
void lab_close(void);
void lab_configure(void); /* cfg and check have changed */

/* Lets the time pass, the timer runs when it asks to. */
void lab_wait(int64_t ms);
/* ... until the timer has nothing to do at once. Returns how often it ran. */
size_t lab_settle(void);

/* A client's address. */
struct in6_addr lab_client(uint32_t mapped, uint16_t port, uint32_t server);
struct in6_addr lab_addr(const char *text);
struct relay_bpf_peer_key lab_key(const struct in6_addr *addr);

/* An IPv6 packet of len octets, 8 of which are a number of its own at the end
 * of the header. */
size_t lab_packet(uint8_t *buf, const struct in6_addr *src,
		  const struct in6_addr *dst, size_t len, uint8_t mark);

/* From a host on the IPv6 side to a client. */
void lab_to_client(const struct in6_addr *client, uint8_t mark);
void lab_to_client_from(const struct in6_addr *src,
			const struct in6_addr *client, uint8_t mark);
/* A packet or a bubble of a client, from where its address says. */
void lab_from_client(const struct in6_addr *client, uint8_t mark);
void lab_bubble(const struct in6_addr *client);

/* How many of a kind since the last call. */
size_t lab_new(enum lab_kind kind);
/* Forgets all that was sent. */
void lab_forget(void);
/* The n-th that was sent since then; fails the test when there is none. */
const struct lab_sent *lab_sent(size_t n);

struct teredo_relay_stats lab_stats(void);
/* Its state; -1: there is no such peer. */
int lab_state(const struct in6_addr *client);
struct teredo_peer_info lab_info(const struct in6_addr *client);
/* The fast path's entry; NULL: none. */
struct lab_fast *lab_fast(const struct in6_addr *client);

/* Fails unless so many were sent since the last question, and no more. */
void lab_assert_new(size_t ipv6, size_t udp, size_t direct, size_t indirect);

#endif /* _TEST_TEREDO_LAB_H */
