// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Teredo on the wire: addresses (RFC 4380 section 4, RFC 5991 section 3.1) and
 * what is in a UDP datagram (RFC 4380 section 5.1.1, RFC 6081 section 4). Pure:
 * no socket, no state.
 */
#ifndef _RELAY_TEREDO_PACKET_H
#define _RELAY_TEREDO_PACKET_H

#include <zebra.h>

/* UDP port of servers, RFC 4380 section 2.7; host order */
#define TEREDO_SERVER_PORT 3544

/* RFC 4380 section 4; relays ignore it, RFC 5991 section 3.2 */
#define TEREDO_FLAG_CONE 0x8000

struct teredo_address {
	struct in_addr server;
	struct in_addr mapped; /* as the Internet sees the client */
	uint16_t flags;	       /* host order; any value is legal, RFC 5991 */
	uint16_t port;	       /* mapped; host order. 0: none can be sent to */
};

/* Any alignment. False: not one of 2001:0::/32, and *out is as it was. What it
 * embeds may be anything, see bpf/relay_check.h for what of it is used. */
bool teredo_address_read(const struct in6_addr *addr,
			 struct teredo_address *out);
void teredo_address_write(const struct teredo_address *addr,
			  struct in6_addr *out);

#define TEREDO_NONCE_LEN 8

/* The authentication header; pointers are into the datagram. */
struct teredo_auth {
	const uint8_t *id; /* of the client */
	uint8_t id_len;	   /* octets */
	uint8_t value_len;
	const uint8_t *value;
	const uint8_t *nonce; /* TEREDO_NONCE_LEN octets */
	uint8_t confirmation;
};

struct teredo_packet {
	bool has_auth;
	bool has_origin;
	/* RFC 4380 section 2.8: no payload, and no next header */
	bool bubble;
	struct teredo_auth auth;
	struct in_addr origin;
	uint16_t origin_port; /* host order */
	/* the IPv6 packet, as long as its header says; of any alignment */
	uint8_t *ip6;
	size_t ip6_len;
	/* what is behind it */
	const uint8_t *trailers;
	size_t trailers_len;
};

/*
 * Of a UDP payload. 0, or -EBADMSG: to be discarded, that is not encoded by the
 * rules of RFC 4380 section 5.1.1, with no IPv6 packet of a length consistent
 * with the datagram's (section 5.2.3, RFC 6081 section 4), or with an unknown
 * trailer that asks for it (RFC 6081 section 4.1). Changes nothing in buf; *out
 * points into it.
 */
int teredo_packet_read(uint8_t *buf, size_t len, struct teredo_packet *out);

/* Types of RFC 6081 sections 4.2 to 4.5. */
enum teredo_trailer_type {
	TEREDO_TRAILER_NONCE = 1,
	TEREDO_TRAILER_ALTERNATE_ADDRESS = 3,
	TEREDO_TRAILER_NEIGHBOR_DISCOVERY = 4,
	TEREDO_TRAILER_RANDOM_PORT = 5,
};

struct teredo_trailer {
	uint8_t type; /* enum teredo_trailer_type, or unknown */
	uint8_t len;  /* of its value, octets; not held against its type */
	const uint8_t *value;
};

/* The trailer at *at, 0 to begin with, which goes on to the next. False: there
 * is none, or none that is well formed, where their sequence ends (RFC 6081
 * section 5.1.2). */
bool teredo_trailer_next(const struct teredo_packet *pkt, size_t *at,
			 struct teredo_trailer *out);

/* A bubble: an IPv6 header alone. */
#define TEREDO_BUBBLE_LEN 40
void teredo_bubble_write(uint8_t buf[TEREDO_BUBBLE_LEN],
			 const struct in6_addr *src,
			 const struct in6_addr *dst);

#endif /* _RELAY_TEREDO_PACKET_H */
