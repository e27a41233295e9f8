// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "teredo_hash.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

/* n octets, the first the lowest */
static inline uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

static inline uint64_t get64(const uint8_t *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
#else
	return get_le(p, 8);
#endif
}

static inline uint64_t rotate(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

static inline __attribute__((__always_inline__)) void turn(struct state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

static inline __attribute__((__always_inline__)) void absorb(struct state *s,
							     uint64_t word)
{
	s->v3 ^= word;
	turn(s);
	s->v0 ^= word;
}

uint64_t teredo_hash(const uint8_t key[16], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t k0 = get64(key), k1 = get64(key + 8);
	struct state s = {
		k0 ^ UINT64_C(0x736f6d6570736575),
		k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261),
		k1 ^ UINT64_C(0x7465646279746573),
	};
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8)
		absorb(&s, get64(p));
	absorb(&s, (uint64_t)len << 56 | get_le(p, left));
	s.v2 ^= 0xff;
	turn(&s);
	turn(&s);
	turn(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
