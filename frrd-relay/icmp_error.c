// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>

#include "checksum.h"

#include "icmp_error.h"
#include "octets.h"

#define IPV4_MIN_HDR 20
#define IPV6_HDR 40
#define ICMP_HDR 8
#define IPV6_MIN_MTU 1280
#define PROTO_IPV6 41

/* of ICMPv4 messages, from the ICMP header on */
#define ICMP_AT_TYPE 0
#define ICMP_AT_CODE 1
#define ICMP_AT_LENGTH 5 /* of the quoted packet, RFC 4884 section 4 */
#define ICMP_AT_MTU 6

/* IANA's names that the C library lacks */
#define CODE_PRECEDENCE_VIOLATION 14
#define CODE_PRECEDENCE_CUTOFF 15

struct span {
	const uint8_t *data;
	size_t len;
};

/* An ICMPv4 error and what it quotes. */
struct quote {
	const uint8_t *icmp;
	const uint8_t *outer; /* IPv4 header */
	struct span inner;    /* IPv6 packet, as much of it as is there */
};

/* The header of an IPv4 packet that is there as a whole; 0: none. */
static size_t ipv4_header(const uint8_t *data, size_t len)
{
	size_t hlen;

	if (len < IPV4_MIN_HDR || data[0] >> 4 != 4)
		return 0;
	hlen = (data[0] & 0xf) * 4;
	return hlen >= IPV4_MIN_HDR && hlen <= len ? hlen : 0;
}

/* RFC 4884: extensions may come behind the packet, which is padded then. */
static size_t quoted_length(const uint8_t *icmp, size_t room)
{
	size_t len = icmp[ICMP_AT_LENGTH] * 4;

	return len >= IPV4_MIN_HDR ? MIN(len, room) : room;
}

/* Of the packet inside when it was whole. */
static size_t inner_length(const struct quote *q)
{
	return IPV6_HDR + get16(q->inner.data + 4);
}

static bool quote_parse(const uint8_t *in, size_t len, struct quote *q)
{
	size_t hlen = ipv4_header(in, len), total, fragment;

	if (!hlen || in[9] != IPPROTO_ICMP)
		return false;
	/* the kernel has cut off what the link put behind the packet */
	if (get16(in + 2) < hlen + ICMP_HDR || get16(in + 2) > len)
		return false;
	len = get16(in + 2) - hlen;
	q->icmp = in + hlen;
	if (q->icmp[ICMP_AT_TYPE] != ICMP_UNREACH &&
	    q->icmp[ICMP_AT_TYPE] != ICMP_TIMXCEED)
		return false;
	/* raw sockets get what the kernel has not looked at yet */
	if (in_cksum(q->icmp, len) != 0)
		return false;

	q->outer = q->icmp + ICMP_HDR;
	len = quoted_length(q->icmp, len - ICMP_HDR);
	hlen = ipv4_header(q->outer, len);
	if (!hlen || q->outer[9] != PROTO_IPV6)
		return false;
	fragment = get16(q->outer + 6) & 0x1fff;
	total = get16(q->outer + 2);
	if (fragment || total < hlen + IPV6_HDR)
		return false;
	q->inner.data = q->outer + hlen;
	q->inner.len = MIN(len, total) - hlen;
	if (q->inner.len < IPV6_HDR || q->inner.data[0] >> 4 != 6)
		return false;
	/* what RFC 4884 or someone else has padded is not the sender's */
	q->inner.len = MIN(q->inner.len, inner_length(q));
	return true;
}

bool icmp_error_quotes(const uint8_t *in, size_t len, struct in_addr *source)
{
	struct quote q;

	if (!quote_parse(in, len, &q))
		return false;
	memcpy(source, q.outer + 12, sizeof(*source));
	return true;
}

/* -------- whether to answer -------- */

/* RFC 4443 section 2.4 e.6, and what no host on another link can have; the
 * addresses of the self-test (RFC 6666) have no host behind them either. */
static bool is_host(const struct in6_addr *addr)
{
	static const uint8_t zeros[10], discard[8] = {0x01};

	return memcmp(addr, zeros, sizeof(zeros)) != 0 &&
	       memcmp(addr, discard, sizeof(discard)) != 0 &&
	       !IN6_IS_ADDR_MULTICAST(addr) && !IN6_IS_ADDR_LINKLOCAL(addr) &&
	       !IN6_IS_ADDR_SITELOCAL(addr);
}

/* Octets of an extension header that starts at `at`; 0: none, or not there. */
static size_t extension_length(uint8_t type, const struct span *p, size_t at)
{
	if (at + 8 > p->len)
		return 0;
	switch (type) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return (p->data[at + 1] + 1) * 8;
	case IPPROTO_FRAGMENT:
		return 8;
	case IPPROTO_AH:
		return (p->data[at + 1] + 2) * 4;
	default:
		return 0;
	}
}

static bool is_extension(uint8_t type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING ||
	       type == IPPROTO_DSTOPTS || type == IPPROTO_FRAGMENT ||
	       type == IPPROTO_AH;
}

/* RFC 4443 section 2.4 e.1 and e.2, taken strictly: no error about what may be
 * one, since its ICMPv6 header can't be seen. */
static bool may_be_error(const struct span *p)
{
	uint8_t type = p->data[6];
	size_t at = IPV6_HDR, len;

	while (is_extension(type)) {
		len = extension_length(type, p, at);
		if (!len)
			return true;
		/* behind the first fragment there is no header */
		if (type == IPPROTO_FRAGMENT && get16(p->data + at + 2) >> 3)
			return false;
		type = p->data[at];
		at += len;
	}
	if (type != IPPROTO_ICMPV6)
		return false;
	return at >= p->len || !(p->data[at] & ICMP6_INFOMSG_MASK) ||
	       p->data[at] == ND_REDIRECT;
}

/* The outer destination is that of the 6to4 host that the packet was for. */
static bool is_6to4(const struct quote *q)
{
	const uint8_t *dst = q->inner.data + 24;

	return dst[0] == 0x20 && dst[1] == 0x02 &&
	       memcmp(dst + 2, q->outer + 16, 4) == 0;
}

/* -------- what to answer -------- */

/* Where the router did not say, the next size that links have (RFC 1191 section
 * 7), below the packet's own. */
static uint32_t plateau(uint32_t total)
{
	static const uint16_t sizes[] = {32000, 17914, 8166, 4352,
					 2002,	1492,  1300};

	for (size_t i = 0; i < array_size(sizes); i++)
		if (sizes[i] < total)
			return sizes[i];
	return 0;
}

/* RFC 4213 section 3.2. 0: it says nothing that the sender could use. */
static uint32_t inner_mtu(const struct quote *q)
{
	uint32_t mtu = get16(q->icmp + ICMP_AT_MTU);
	uint32_t hlen = q->inner.data - q->outer;

	if (!mtu)
		mtu = plateau(get16(q->outer + 2));
	mtu = mtu > IPV6_MIN_MTU + hlen ? mtu - hlen : IPV6_MIN_MTU;
	return mtu < inner_length(q) ? mtu : 0;
}

/*
 * The meanings of RFC 2473 section 8.2, which RFC 4213 leaves open: the sender
 * knows of no tunnel, so what happens on its way is that the destination can't
 * be reached; hop limit exceeded in the tunnel as well, since its own hop limit
 * was not. A word of an administrator's it gets as such (RFC 7915 section 4.2).
 */
static bool error_unreachable(uint8_t code, struct icmp6_hdr *out)
{
	out->icmp6_type = ICMP6_DST_UNREACH;
	switch (code) {
	case ICMP_UNREACH_SRCFAIL:
	case CODE_PRECEDENCE_VIOLATION:
		return false;
	case ICMP_UNREACH_NET_PROHIB:
	case ICMP_UNREACH_HOST_PROHIB:
	case ICMP_UNREACH_FILTER_PROHIB:
	case CODE_PRECEDENCE_CUTOFF:
		out->icmp6_code = ICMP6_DST_UNREACH_ADMIN;
		return true;
	default:
		out->icmp6_code = ICMP6_DST_UNREACH_ADDR;
		return code < CODE_PRECEDENCE_CUTOFF;
	}
}

static bool error_header(const struct quote *q, struct icmp6_hdr *out)
{
	uint8_t code = q->icmp[ICMP_AT_CODE];

	if (q->icmp[ICMP_AT_TYPE] == ICMP_TIMXCEED) {
		out->icmp6_type = ICMP6_DST_UNREACH;
		out->icmp6_code = ICMP6_DST_UNREACH_ADDR;
		/* a fragment that was lost is nothing lasting */
		return code == ICMP_TIMXCEED_INTRANS;
	}
	if (code != ICMP_UNREACH_NEEDFRAG)
		return error_unreachable(code, out);
	out->icmp6_type = ICMP6_PACKET_TOO_BIG;
	out->icmp6_mtu = htonl(inner_mtu(q));
	return out->icmp6_mtu != 0;
}

int icmp_error_translate(const uint8_t *in, size_t len, struct in6_addr *to,
			 uint8_t *out, size_t size)
{
	struct icmp6_hdr hdr = {};
	struct quote q;
	size_t n;

	if (size < sizeof(hdr) + IPV6_HDR || !quote_parse(in, len, &q))
		return 0;
	memcpy(to, q.inner.data + 8, sizeof(*to));
	if (!is_6to4(&q) || !is_host(to) || may_be_error(&q.inner) ||
	    !error_header(&q, &hdr))
		return 0;
	n = MIN(size, (size_t)ICMP_ERROR_MAX) - sizeof(hdr);
	n = MIN(n, q.inner.len);
	memcpy(out, &hdr, sizeof(hdr));
	memcpy(out + sizeof(hdr), q.inner.data, n);
	return sizeof(hdr) + n;
}
