// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICMPv4 errors as a raw socket gives them. Octet 0: whether the checksum of
 * the message is made right, which a fuzzer can't guess; octet 1: the room that
 * there is for the answer, in eights.
 */
#include "fuzz.h"

#include <netinet/icmp6.h>

#include "checksum.h"

#include "icmp_error.h"

static void mend(uint8_t *buf, size_t len)
{
	size_t hlen = len ? (buf[0] & 0x0f) * 4 : 0;
	uint16_t sum;

	if (hlen < 20 || hlen + 8 > len)
		return;
	/* the whole of what is there */
	buf[2] = len >> 8;
	buf[3] = len;
	memset(buf + hlen + 2, 0, 2);
	sum = in_cksum(buf + hlen, len - hlen);
	memcpy(buf + hlen + 2, &sum, sizeof(sum));
}

/* Where an octet string lies in the other: what is answered was there. */
static bool holds(const uint8_t *in, size_t len, const uint8_t *part, size_t n)
{
	return n == 0 || memmem(in, len, part, n);
}

static void translate(const uint8_t *in, size_t len, size_t room)
{
	uint8_t *out = malloc(room ? room : 1);
	struct in_addr source = {};
	struct in6_addr to = {};
	bool quotes = icmp_error_quotes(in, len, &source);
	int n = icmp_error_translate(in, len, &to, out, room);
	uint32_t mtu;

	FUZZ_ASSERT(n == 0 || quotes);
	FUZZ_ASSERT(n == 0 || (n >= 48 && n <= ICMP_ERROR_MAX));
	FUZZ_ASSERT(n <= (int)room);
	if (n > 0) {
		const uint8_t *inner = out + 8;

		memcpy(&mtu, out + 4, sizeof(mtu));
		FUZZ_ASSERT(out[0] == ICMP6_PACKET_TOO_BIG ||
			    out[0] == ICMP6_DST_UNREACH);
		FUZZ_ASSERT(out[0] != ICMP6_PACKET_TOO_BIG ||
			    (out[1] == 0 && ntohl(mtu) >= 1280 &&
			     ntohl(mtu) < 40U + (inner[4] << 8 | inner[5])));
		FUZZ_ASSERT(out[0] != ICMP6_DST_UNREACH ||
			    ((out[1] == 1 || out[1] == 3) && mtu == 0));
		/* the answer goes to whom the quoted packet is from, and 6to4
		 */
		FUZZ_ASSERT(memcmp(&to, inner + 8, sizeof(to)) == 0);
		FUZZ_ASSERT(!IN6_IS_ADDR_MULTICAST(&to) &&
			    !IN6_IS_ADDR_UNSPECIFIED(&to) &&
			    !IN6_IS_ADDR_LOOPBACK(&to) &&
			    !IN6_IS_ADDR_LINKLOCAL(&to));
		FUZZ_ASSERT(inner[0] >> 4 == 6 && inner[24] == 0x20 &&
			    inner[25] == 0x02);
		/* RFC 4443 section 2.4 e.1 */
		FUZZ_ASSERT(inner[6] != IPPROTO_ICMPV6 ||
			    (n > 48 && inner[40] & ICMP6_INFOMSG_MASK));
		FUZZ_ASSERT(holds(in, len, inner, n - 8));
	}
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 2 || size > 65537)
		return 0;
	/* of exactly that size, so that what is read beyond is seen */
	copy = malloc(size - 2 ? size - 2 : 1);
	memcpy(copy, data + 2, size - 2);
	if (data[0] & 1)
		mend(copy, size - 2);
	translate(copy, size - 2, data[1] * 8);
	free(copy);
	return 0;
}
