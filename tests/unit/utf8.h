// SPDX-License-Identifier: GPL-2.0-or-later
/* UTF-8 by the table of RFC 3629 section 4, for tests and fuzzers. */
#ifndef _TEST_UTF8_H
#define _TEST_UTF8_H

#include <zebra.h>

static inline bool utf8_valid(const char *text)
{
	/* lead octets up to `last`: how many follow, and from where to where
	 * the first of those is */
	static const struct {
		uint8_t last, follow, low, high;
	} rows[] = {
		{0x7f, 0, 0, 0},       {0xc1, 9, 0, 0},
		{0xdf, 1, 0x80, 0xbf}, {0xe0, 2, 0xa0, 0xbf},
		{0xec, 2, 0x80, 0xbf}, {0xed, 2, 0x80, 0x9f},
		{0xef, 2, 0x80, 0xbf}, {0xf0, 3, 0x90, 0xbf},
		{0xf3, 3, 0x80, 0xbf}, {0xf4, 3, 0x80, 0x8f},
		{0xff, 9, 0, 0},
	};
	const uint8_t *p = (const uint8_t *)text;

	while (*p) {
		size_t i = 0;

		while (*p > rows[i].last)
			i++;
		p++;
		if (rows[i].follow > 3)
			return false;
		for (unsigned int n = 0; n < rows[i].follow; n++, p++)
			if (*p < (n ? 0x80 : rows[i].low) ||
			    *p > (n ? 0xbf : rows[i].high))
				return false;
	}
	return true;
}

#endif /* _TEST_UTF8_H */
