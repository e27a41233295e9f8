// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the files of cases in tests/data have in common: reasons, and the lines
 * of a relay's configuration at the end of a case. For rfc3964.h and rfc4380.h.
 */
#ifndef _TEST_CASES_H
#define _TEST_CASES_H

#include <zebra.h>

#include "prefix.h"

#include "bpf/relay_bpf.h"
#include "filter.h"
#include "tunnel.h"

#define CASE_LINES 8

/* The relay: its filters in effect, normalized, and its direction. */
struct case_relay {
	struct filter_rule rules[CASE_LINES + FILTER_BOGONS];
	size_t nrules;
	enum tunnel_direction direction;
};

static const char *const case_reasons[] = {
	[RELAY_BPF_PASS] = "pass",
#define CASE_REASON(name, text) [RELAY_BPF_DROP_##name] = text,
	RELAY_BPF_REASONS(CASE_REASON)
#undef CASE_REASON
};

struct case_lines {
	struct filter_rule lines[CASE_LINES];
	size_t n;
	bool bogons;
	enum tunnel_direction direction;
};

static bool case_line(struct case_lines *relay, const char *line)
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
		if (relay->n++ == CASE_LINES)
			return false;
		memset(rule, 0, sizeof(*rule));
		if (sscanf(line, "filter permit %63s", word) == 1)
			rule->verdict = FILTER_VERDICT_PERMIT;
		else if (sscanf(line, "filter deny %63s", word) == 1)
			rule->verdict = FILTER_VERDICT_DENY;
		else
			return false;
		return str2prefix(word, &rule->p);
	}
	return true;
}

/* The lines behind a case, each in quotes; bogon: one that the mode has beside
 * those of all, NULL: none. */
static bool case_relay_read(struct case_relay *relay, const char *text,
			    const char *bogon)
{
	struct case_lines lines = {.bogons = true};
	char line[128];
	int n;

	for (; text[0]; text += n) {
		n = 0;
		if (sscanf(text, " \"%127[^\"]\"%n", line, &n) != 1 || !n ||
		    !case_line(&lines, line))
			return false;
	}
	if (bogon && lines.bogons) {
		struct filter_rule *rule = &lines.lines[lines.n];

		if (lines.n++ == CASE_LINES)
			return false;
		memset(rule, 0, sizeof(*rule));
		rule->verdict = FILTER_VERDICT_BOGON;
		str2prefix(bogon, &rule->p);
	}
	relay->direction = lines.direction;
	relay->nrules = filter_table(lines.lines, lines.n, lines.bogons,
				     relay->rules);
	return true;
}

/* RELAY_BPF_REASON_END: none is called so. */
static enum relay_bpf_reason case_reason(const char *text)
{
	enum relay_bpf_reason r = RELAY_BPF_PASS;

	while (r < RELAY_BPF_REASON_END && strcmp(case_reasons[r], text) != 0)
		r++;
	return r;
}

/* "4to6" or "6to4" */
static bool case_way(const char *text, enum tunnel_way *way)
{
	*way = strcmp(text, "4to6") == 0 ? TUNNEL_WAY_4TO6 : TUNNEL_WAY_6TO4;
	return *way == TUNNEL_WAY_4TO6 || strcmp(text, "6to4") == 0;
}

/* parse() gets each case of a file in tests/data; false, with a word on stderr,
 * when one can't be read. */
static bool cases_read(const char *name, bool (*parse)(const char *line))
{
	const char *dir = getenv("srcdir"); /* automake's */
	char path[512], line[512];
	FILE *fp;

	snprintf(path, sizeof(path), "%s/tests/data/%s", dir ? dir : ".", name);
	fp = fopen(path, "r");
	if (!fp) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof(line), fp)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0' || parse(line))
			continue;
		fprintf(stderr, "%s: can't be read: %s\n", path, line);
		fclose(fp);
		return false;
	}
	fclose(fp);
	return true;
}

#endif /* _TEST_CASES_H */
