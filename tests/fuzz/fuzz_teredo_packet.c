// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Teredo datagrams, as whoever sends them has made them. What is taken for one
 * is put together again out of its parts, and is the same, octet for octet;
 * what is refused has a reason for it.
 */
#include "fuzz.h"

#include "octets.h"
#include "teredo_packet.h"

/* All but the last of what is in a datagram, as the RFC draws it. */
static size_t write_headers(uint8_t *at, const struct teredo_packet *pkt)
{
	uint8_t *start = at;

	if (pkt->has_auth) {
		*at++ = 0;
		*at++ = 1;
		*at++ = pkt->auth.id_len;
		*at++ = pkt->auth.value_len;
		memcpy(at, pkt->auth.id, pkt->auth.id_len);
		at += pkt->auth.id_len;
		memcpy(at, pkt->auth.value, pkt->auth.value_len);
		at += pkt->auth.value_len;
		memcpy(at, pkt->auth.nonce, TEREDO_NONCE_LEN);
		at += TEREDO_NONCE_LEN;
		*at++ = pkt->auth.confirmation;
	}
	if (pkt->has_origin) {
		uint32_t origin = ntohl(pkt->origin.s_addr);

		*at++ = 0;
		*at++ = 0;
		*at++ = (pkt->origin_port >> 8) ^ 0xff;
		*at++ = (pkt->origin_port & 0xff) ^ 0xff;
		for (int bits = 24; bits >= 0; bits -= 8)
			*at++ = (origin >> bits & 0xff) ^ 0xff;
	}
	return at - start;
}

/* None that is well formed is left out, and none asks for the packet's end. */
static void read_trailers(const struct teredo_packet *pkt)
{
	struct teredo_trailer trailer;
	size_t at = 0, sum = 0;

	while (teredo_trailer_next(pkt, &at, &trailer)) {
		FUZZ_ASSERT((trailer.type & 0xc0) != 0x40);
		FUZZ_ASSERT(trailer.value == pkt->trailers + sum + 2);
		fuzz_read(trailer.value, trailer.len);
		sum += 2 + trailer.len;
		FUZZ_ASSERT(at == sum && at <= pkt->trailers_len);
	}
	FUZZ_ASSERT(pkt->trailers_len - at < 2 ||
		    pkt->trailers_len - at < 2u + pkt->trailers[at + 1]);
}

static void taken(const uint8_t *data, size_t size,
		  const struct teredo_packet *pkt)
{
	uint8_t head[4 + 255 + 255 + 9 + 8];
	size_t len = write_headers(head, pkt);

	FUZZ_ASSERT(len <= size && memcmp(head, data, len) == 0);
	FUZZ_ASSERT(pkt->ip6 == data + len);
	FUZZ_ASSERT(pkt->ip6[0] >> 4 == 6);
	FUZZ_ASSERT(pkt->ip6_len == 40u + get16(pkt->ip6 + 4));
	FUZZ_ASSERT(pkt->trailers == pkt->ip6 + pkt->ip6_len);
	FUZZ_ASSERT(len + pkt->ip6_len + pkt->trailers_len == size);
	FUZZ_ASSERT(pkt->bubble ==
		    (get16(pkt->ip6 + 4) == 0 && pkt->ip6[6] == 59));
	fuzz_read(pkt->ip6, pkt->ip6_len);
	read_trailers(pkt);
}

static void addresses(const struct teredo_packet *pkt)
{
	for (size_t at = 8; at < 40; at += 16) {
		const void *addr = pkt->ip6 + at;
		struct teredo_address teredo;
		struct in6_addr again;
		bool is;

		is = teredo_address_read(addr, &teredo);
		FUZZ_ASSERT(is == (memcmp(addr, "\x20\x01\0\0", 4) == 0));
		if (!is)
			continue;
		teredo_address_write(&teredo, &again);
		FUZZ_ASSERT(memcmp(&again, addr, sizeof(again)) == 0);
	}
}

/* Simple encapsulation without trailers has few reasons to be refused. */
static bool plain(const uint8_t *data, size_t size)
{
	return size >= 40 && data[0] >> 4 == 6 &&
	       size == 40u + get16(data + 4) && (size > 40 || data[6] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *buf = fuzz_at_the_edge(data, &size, 1);
	struct teredo_packet pkt;
	int ret;

	if (!buf)
		return 0;
	ret = teredo_packet_read(buf, size, &pkt);
	FUZZ_ASSERT(memcmp(buf, data, size) == 0);
	if (ret == 0) {
		taken(buf, size, &pkt);
		addresses(&pkt);
	} else {
		FUZZ_ASSERT(ret == -EBADMSG);
		FUZZ_ASSERT(!plain(data, size));
	}
	return 0;
}
