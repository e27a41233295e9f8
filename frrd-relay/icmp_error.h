// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICMPv4 errors about protocol-41 packets of ours, as the ICMPv6 errors that
 * the senders of the packets inside understand (RFC 4213 section 3.4). Pure: no
 * socket, no state.
 */
#ifndef _RELAY_ICMP_ERROR_H
#define _RELAY_ICMP_ERROR_H

#include <zebra.h>

/* The least IPv6 MTU: as long as an error may be, IPv6 header included (RFC
 * 4443 section 2.4 c). */
#define ICMP_ERROR_IPV6_MAX 1280
/* of it, from the ICMPv6 header on */
#define ICMP_ERROR_MAX (ICMP_ERROR_IPV6_MAX - 40)

/*
 * in: an ICMPv4 message from its IPv4 header on, whole, as a raw socket has it,
 * of any content. Finds the source of the protocol-41 packet that it quotes.
 * False when it is no error that could be translated: damaged, of another type,
 * about something else, or without all of the IPv6 header inside.
 */
bool icmp_error_quotes(const uint8_t *in, size_t len, struct in_addr *source);

/*
 * Of such a message, writes the ICMPv6 one to out, from its ICMPv6 header on
 * and without a checksum, which is the kernel's to fill in; *to is whom it is
 * for. At most ICMP_ERROR_MAX octets and size. Returns the length, or 0 where
 * nobody is to be told:
 *  - the quoted packet can't have been ours, since the outer destination is not
 *    the one that the inner one embeds;
 *  - the sender is not a unicast address of a host, or the packet is an ICMPv6
 *    error itself or can't be seen not to be one (RFC 4443 section 2.4 e);
 *  - the error says nothing about the way, or an MTU that the packet keeps to.
 */
int icmp_error_translate(const uint8_t *in, size_t len, struct in6_addr *to,
			 uint8_t *out, size_t size);

#endif /* _RELAY_ICMP_ERROR_H */
