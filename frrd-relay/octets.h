// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers in packets, at any alignment, and the sum over them. */
#ifndef _RELAY_OCTETS_H
#define _RELAY_OCTETS_H

#include <zebra.h>

static inline uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static inline void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

/* RFC 1071 over n octets, n even; added to sum, which sum_fold() ends */
static inline uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 2)
		sum += get16(p + i);
	return sum;
}

static inline uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

#endif /* _RELAY_OCTETS_H */
