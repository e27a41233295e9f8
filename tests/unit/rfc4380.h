// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tests/data/rfc4380.txt, read: each case once for each datapath. To be
 * included by one test program's file.
 */
#ifndef _TEST_RFC4380_H
#define _TEST_RFC4380_H

#include "cases.h"

#define RFC4380_SOURCE "203.0.113.1"
#define RFC4380_PORT 3545
#define RFC4380_CASES 400
/* section 5.2.4, beside the bogons of 6to4 */
#define RFC4380_BOGON "192.88.99.0/24"

struct rfc4380_case {
	char text[512]; /* the line of the file */
	enum tunnel_way way;
	struct in_addr outer; /* 4to6: where the datagram is from */
	uint16_t port;	      /* host order */
	struct in6_addr src, dst;
	enum relay_bpf_reason reason;
	char lines[512];
	struct case_relay relay;
};

static struct rfc4380_case rfc4380[RFC4380_CASES];
static size_t nrfc4380;

static bool rfc4380_parse(const char *text)
{
	struct rfc4380_case *c = &rfc4380[nrfc4380];
	char way[8], outer[64], port[8], src[64], dst[64], reason[32];
	int n = 0;

	if (nrfc4380++ == RFC4380_CASES)
		return false;
	strlcpy(c->text, text, sizeof(c->text));
	if (sscanf(text, "%7s %63s %7s %63s %63s %31s%n", way, outer, port, src,
		   dst, reason, &n) != 6 ||
	    !case_way(way, &c->way) || inet_pton(AF_INET6, src, &c->src) != 1 ||
	    inet_pton(AF_INET6, dst, &c->dst) != 1)
		return false;
	if (c->way == TUNNEL_WAY_6TO4) {
		if (strcmp(outer, "-") != 0 || strcmp(port, "-") != 0)
			return false;
	} else if (inet_pton(AF_INET, outer, &c->outer) != 1 ||
		   sscanf(port, "%hu", &c->port) != 1) {
		return false;
	}
	c->reason = case_reason(reason);
	strlcpy(c->lines, text + n, sizeof(c->lines));
	return c->reason < RELAY_BPF_REASON_END &&
	       case_relay_read(&c->relay, c->lines, RFC4380_BOGON);
}

/* Reads all cases; false, with a word on stderr, when one can't be read. */
static bool rfc4380_read(void)
{
	return cases_read("rfc4380.txt", rfc4380_parse) && nrfc4380 > 0;
}

#endif /* _TEST_RFC4380_H */
