// SPDX-License-Identifier: GPL-2.0-or-later
/* Between tunnel_nft_text.c and tunnel_nft_filter.c: text that grows. */
#ifndef _RELAY_TUNNEL_NFT_TEXT_H
#define _RELAY_TUNNEL_NFT_TEXT_H

#include <zebra.h>

#include "tunnel_kernel.h"

struct text {
	char *buf;
	size_t len, size;
};

void text_add(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A list of elements: begin remembers where it stands, end takes it away again
 * when nothing was added in between, since nft takes no empty list. Elements
 * end in ", ".
 */
size_t text_elements_begin(struct text *t);
void text_elements_end(struct text *t, size_t mark);

/*
 * A probe is known by its nonce. In IPv4 it stands behind the inner IPv6 header
 * (40 octets) and the ICMPv6 header (8); the offsets are in bits.
 */
#define NONCE4 "@th,384,64"
#define NONCE6 "@th,64,64"

/* tunnel_nft_filter.c: sets, maps and chains of the address checks; probe: of
 * the nonce, NULL where there is no key. Within table ip, and table ip6. */
void text_filter4(struct text *t, const struct nft_relay *relays, size_t n);
void text_filter6(struct text *t, const struct nft_relay *relays, size_t n,
		  const uint64_t *nonce);

#endif /* _RELAY_TUNNEL_NFT_TEXT_H */
