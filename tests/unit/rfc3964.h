// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tests/data/rfc3964.txt, read: each case once for each datapath. To be
 * included by one test program's file.
 */
#ifndef _TEST_RFC3964_H
#define _TEST_RFC3964_H

#include "cases.h"

#define RFC3964_SOURCE "192.88.99.1"
#define RFC3964_TRANSMIT "192.88.99.3"
#define RFC3964_CASES 400

struct rfc3964_case {
	char text[512]; /* the line of the file */
	enum tunnel_way way;
	struct in_addr outer_src, outer_dst; /* 4to6 */
	struct in6_addr src, dst;
	enum relay_bpf_reason reason;
	char lines[512];
	struct case_relay relay;
};

static struct rfc3964_case rfc3964[RFC3964_CASES];
static size_t nrfc3964;

static bool rfc3964_parse(const char *text)
{
	struct rfc3964_case *c = &rfc3964[nrfc3964];
	char way[8], outer_src[64], outer_dst[64], src[64], dst[64], reason[32];
	int n = 0;

	if (nrfc3964++ == RFC3964_CASES)
		return false;
	strlcpy(c->text, text, sizeof(c->text));
	if (sscanf(text, "%7s %63s %63s %63s %63s %31s%n", way, outer_src,
		   outer_dst, src, dst, reason, &n) != 6 ||
	    !case_way(way, &c->way) || inet_pton(AF_INET6, src, &c->src) != 1 ||
	    inet_pton(AF_INET6, dst, &c->dst) != 1)
		return false;
	if (c->way == TUNNEL_WAY_6TO4) {
		if (strcmp(outer_src, "-") != 0 || strcmp(outer_dst, "-") != 0)
			return false;
	} else if (inet_pton(AF_INET, outer_src, &c->outer_src) != 1 ||
		   inet_pton(AF_INET, outer_dst, &c->outer_dst) != 1) {
		return false;
	}
	c->reason = case_reason(reason);
	strlcpy(c->lines, text + n, sizeof(c->lines));
	return c->reason < RELAY_BPF_REASON_END &&
	       case_relay_read(&c->relay, c->lines, NULL);
}

/* Reads all cases; false, with a word on stderr, when one can't be read. */
static bool rfc3964_read(void)
{
	return cases_read("rfc3964.txt", rfc3964_parse) && nrfc3964 > 0;
}

#endif /* _TEST_RFC3964_H */
