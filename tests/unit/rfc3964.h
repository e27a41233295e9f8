// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tests/data/rfc3964.txt, read: each case once for each datapath. To be included
 * by one test program's file.
 */
#ifndef _TEST_RFC3964_H
#define _TEST_RFC3964_H

#include <zebra.h>

#include "prefix.h"

#include "bpf/relay_bpf.h"
#include "filter.h"
#include "tunnel.h"

#define RFC3964_SOURCE	 "192.88.99.1"
#define RFC3964_TRANSMIT "192.88.99.3"
#define RFC3964_CASES	 400
#define RFC3964_LINES	 8

struct rfc3964_case {
	char text[512]; /* the line of the file */
	enum tunnel_way way;
	struct in_addr outer_src, outer_dst; /* 4to6 */
	struct in6_addr src, dst;
	enum relay_bpf_reason reason;
	/* the relay: its filters in effect, normalized, and its direction */
	char lines[512];
	struct filter_rule rules[RFC3964_LINES + FILTER_BOGONS];
	size_t nrules;
	enum tunnel_direction direction;
};

static struct rfc3964_case rfc3964[RFC3964_CASES];
static size_t nrfc3964;

static const char *const rfc3964_reasons[] = {
	[RELAY_BPF_PASS] = "pass",
#define RFC3964_REASON(name, text) [RELAY_BPF_DROP_##name] = text,
	RELAY_BPF_REASONS(RFC3964_REASON)
#undef RFC3964_REASON
};

struct rfc3964_relay {
	struct filter_rule lines[RFC3964_LINES];
	size_t n;
	bool bogons;
	enum tunnel_direction direction;
};

static bool rfc3964_config(struct rfc3964_relay *relay, const char *line)
{
	struct filter_rule *rule = &relay->lines[relay->n];
	char word[64];

	if (strcmp(line, "no filter bogons") == 0) {
		relay->bogons = false;
	} else if (strcmp(line, "tunnel direction receive") == 0) {
		relay->direction = TUNNEL_DIR_RECEIVE;
	} else if (strcmp(line, "tunnel direction transmit") == 0) {
		relay->direction = TUNNEL_DIR_TRANSMIT;
	} else {
		memset(rule, 0, sizeof(*rule));
		if (sscanf(line, "filter permit %63s", word) == 1)
			rule->verdict = FILTER_VERDICT_PERMIT;
		else if (sscanf(line, "filter deny %63s", word) == 1)
			rule->verdict = FILTER_VERDICT_DENY;
		else
			return false;
		if (relay->n++ == RFC3964_LINES || !str2prefix(word, &rule->p))
			return false;
	}
	return true;
}

/* The lines behind a case, each in quotes. */
static bool rfc3964_lines(struct rfc3964_case *c, const char *text)
{
	struct rfc3964_relay relay = {.bogons = true};
	char line[128];
	int n;

	strlcpy(c->lines, text, sizeof(c->lines));
	for (; text[0]; text += n) {
		n = 0;
		if (sscanf(text, " \"%127[^\"]\"%n", line, &n) != 1 || !n ||
		    !rfc3964_config(&relay, line))
			return false;
	}
	c->direction = relay.direction;
	c->nrules = filter_table(relay.lines, relay.n, relay.bogons, c->rules);
	return true;
}

static bool rfc3964_parse(struct rfc3964_case *c, const char *text)
{
	char way[8], outer_src[64], outer_dst[64], src[64], dst[64], reason[32];
	int n = 0;

	strlcpy(c->text, text, sizeof(c->text));
	if (sscanf(text, "%7s %63s %63s %63s %63s %31s%n", way, outer_src,
		   outer_dst, src, dst, reason, &n) != 6 ||
	    inet_pton(AF_INET6, src, &c->src) != 1 ||
	    inet_pton(AF_INET6, dst, &c->dst) != 1)
		return false;
	c->way = strcmp(way, "4to6") == 0 ? TUNNEL_WAY_4TO6 : TUNNEL_WAY_6TO4;
	if (c->way == TUNNEL_WAY_6TO4) {
		if (strcmp(way, "6to4") != 0 || strcmp(outer_src, "-") != 0 ||
		    strcmp(outer_dst, "-") != 0)
			return false;
	} else if (inet_pton(AF_INET, outer_src, &c->outer_src) != 1 ||
		   inet_pton(AF_INET, outer_dst, &c->outer_dst) != 1) {
		return false;
	}
	for (c->reason = 0; c->reason < RELAY_BPF_REASON_END; c->reason++)
		if (strcmp(rfc3964_reasons[c->reason], reason) == 0)
			break;
	return c->reason < RELAY_BPF_REASON_END && rfc3964_lines(c, text + n);
}

/* Reads all cases; false, with a word on stderr, when one can't be read. */
static bool rfc3964_read(void)
{
	const char *dir = getenv("srcdir"); /* automake's */
	char path[512], line[512];
	FILE *fp;

	snprintf(path, sizeof(path), "%s/tests/data/rfc3964.txt",
		 dir ? dir : ".");
	fp = fopen(path, "r");
	if (!fp) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof(line), fp)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (nrfc3964 == RFC3964_CASES ||
		    !rfc3964_parse(&rfc3964[nrfc3964++], line)) {
			fprintf(stderr, "%s: can't be read: %s\n", path, line);
			fclose(fp);
			return false;
		}
	}
	fclose(fp);
	return nrfc3964 > 0;
}

#endif /* _TEST_RFC3964_H */
