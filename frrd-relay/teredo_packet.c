// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "octets.h"
#include "teredo_packet.h"

#define IP6_HEADER_LEN 40
#define IP6_NEXT_HEADER 6
#define IP6_HOP_LIMIT 7

/* RFC 4380 section 5.1.1: a first octet of 0, then which header it is */
#define INDICATOR_ORIGIN 0
#define INDICATOR_AUTH 1

#define ORIGIN_LEN 8
/* 0, 1 and two lengths; the nonce and the confirmation octet */
#define AUTH_HEAD_LEN 4
#define AUTH_TAIL_LEN (TEREDO_NONCE_LEN + 1)

#define TRAILER_HEAD_LEN 2
/* RFC 6081 section 4.1: the two highest bits of a type are for who does not
 * know it */
#define TRAILER_ACTION(type) ((type) >> 6)
#define TRAILER_DISCARD 1

static const uint8_t prefix[4] = {0x20, 0x01, 0, 0};

/* RFC 4380 section 4: each bit of a client's address and port is reversed, so
 * that a NAT that looks for them finds none. */
static struct in_addr get_obfuscated(const uint8_t *p)
{
	struct in_addr addr;

	memcpy(&addr, p, sizeof(addr));
	addr.s_addr = ~addr.s_addr;
	return addr;
}

bool teredo_address_read(const struct in6_addr *addr,
			 struct teredo_address *out)
{
	uint8_t octets[sizeof(*addr)];

	memcpy(octets, (const void *)addr, sizeof(octets));
	if (memcmp(octets, prefix, sizeof(prefix)) != 0)
		return false;
	memcpy(&out->server, octets + 4, sizeof(out->server));
	out->flags = get16(octets + 8);
	out->port = ~get16(octets + 10);
	out->mapped = get_obfuscated(octets + 12);
	return true;
}

void teredo_address_write(const struct teredo_address *addr,
			  struct in6_addr *out)
{
	uint8_t octets[sizeof(*out)];
	in_addr_t obfuscated = ~addr->mapped.s_addr;

	memcpy(octets, prefix, sizeof(prefix));
	memcpy(octets + 4, &addr->server, sizeof(addr->server));
	put16(octets + 8, addr->flags);
	put16(octets + 10, ~addr->port);
	memcpy(octets + 12, &obfuscated, sizeof(obfuscated));
	memcpy((void *)out, octets, sizeof(octets));
}

/* -------- what is before the IPv6 packet; each returns its length, 0: it is
 * not there, -EBADMSG -------- */

static bool has_indicator(const uint8_t *buf, size_t len, uint8_t indicator)
{
	return len >= 2 && buf[0] == 0 && buf[1] == indicator;
}

static int read_auth(const uint8_t *buf, size_t len, struct teredo_packet *out)
{
	size_t size;

	if (!has_indicator(buf, len, INDICATOR_AUTH))
		return 0;
	if (len < AUTH_HEAD_LEN)
		return -EBADMSG;
	size = AUTH_HEAD_LEN + buf[2] + buf[3] + AUTH_TAIL_LEN;
	if (len < size)
		return -EBADMSG;
	out->has_auth = true;
	out->auth.id = buf + AUTH_HEAD_LEN;
	out->auth.id_len = buf[2];
	out->auth.value = out->auth.id + out->auth.id_len;
	out->auth.value_len = buf[3];
	out->auth.nonce = out->auth.value + out->auth.value_len;
	out->auth.confirmation = out->auth.nonce[TEREDO_NONCE_LEN];
	return size;
}

static int read_origin(const uint8_t *buf, size_t len,
		       struct teredo_packet *out)
{
	if (!has_indicator(buf, len, INDICATOR_ORIGIN))
		return 0;
	if (len < ORIGIN_LEN)
		return -EBADMSG;
	out->has_origin = true;
	out->origin_port = ~get16(buf + 2);
	out->origin = get_obfuscated(buf + 4);
	return ORIGIN_LEN;
}

/* -------- the IPv6 packet, and what is behind it -------- */

/* Its length; 0: there is none. */
static size_t ip6_length(const uint8_t *ip6, size_t len)
{
	size_t payload;

	if (len < IP6_HEADER_LEN || ip6[0] >> 4 != 6)
		return 0;
	payload = get16(ip6 + 4);
	/* a jumbogram (RFC 2675), whose length would be in an option: no
	 * datagram of IPv4 holds one */
	if (payload == 0 && ip6[IP6_NEXT_HEADER] == IPPROTO_HOPOPTS)
		return 0;
	return IP6_HEADER_LEN + payload <= len ? IP6_HEADER_LEN + payload : 0;
}

bool teredo_trailer_next(const struct teredo_packet *pkt, size_t *at,
			 struct teredo_trailer *out)
{
	const uint8_t *trailer = pkt->trailers + *at;
	size_t left = pkt->trailers_len - *at;

	if (left < TRAILER_HEAD_LEN || left - TRAILER_HEAD_LEN < trailer[1])
		return false;
	out->type = trailer[0];
	out->len = trailer[1];
	out->value = trailer + TRAILER_HEAD_LEN;
	*at += TRAILER_HEAD_LEN + out->len;
	return true;
}

/* All of the known types are such as may be skipped. */
static bool trailers_discard(const struct teredo_packet *pkt)
{
	struct teredo_trailer trailer;
	size_t at = 0;

	while (teredo_trailer_next(pkt, &at, &trailer))
		if (TRAILER_ACTION(trailer.type) == TRAILER_DISCARD)
			return true;
	return false;
}

int teredo_packet_read(uint8_t *buf, size_t len, struct teredo_packet *out)
{
	int size;

	memset(out, 0, sizeof(*out));
	/* RFC 4380 section 5.1.1: authentication first, where both are there */
	size = read_auth(buf, len, out);
	if (size < 0)
		return size;
	buf += size;
	len -= size;
	size = read_origin(buf, len, out);
	if (size < 0)
		return size;
	buf += size;
	len -= size;
	out->ip6_len = ip6_length(buf, len);
	if (out->ip6_len == 0)
		return -EBADMSG;
	out->ip6 = buf;
	out->bubble = out->ip6_len == TEREDO_BUBBLE_LEN &&
		      buf[IP6_NEXT_HEADER] == IPPROTO_NONE;
	out->trailers = buf + out->ip6_len;
	out->trailers_len = len - out->ip6_len;
	return trailers_discard(out) ? -EBADMSG : 0;
}

void teredo_bubble_write(uint8_t buf[TEREDO_BUBBLE_LEN],
			 const struct in6_addr *src, const struct in6_addr *dst)
{
	memset(buf, 0, TEREDO_BUBBLE_LEN);
	buf[0] = 6 << 4;
	buf[IP6_NEXT_HEADER] = IPPROTO_NONE;
	/* RFC 4380 names none; a server that routes it must not end it */
	buf[IP6_HOP_LIMIT] = 255;
	memcpy(buf + 8, (const void *)src, sizeof(*src));
	memcpy(buf + 24, (const void *)dst, sizeof(*dst));
}
