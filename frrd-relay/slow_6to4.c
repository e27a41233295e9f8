// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "slow_check.h"

#define OUTER_MIN 20
#define INNER_LEN 40
#define PROTO_IPV6 41

static size_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* Version and lengths of an IPv6 packet in len octets; what is behind its end
 * is padding. 0: not one. */
static size_t inner_length(const uint8_t *ip6, size_t len)
{
	size_t want;

	if (len < INNER_LEN || ip6[0] >> 4 != 6)
		return 0;
	want = INNER_LEN + get16(ip6 + 4);
	return want <= len ? want : 0;
}

/* -------- checksums that are still to be done -------- */

/* Where the checksum is in the header of a protocol; 0: it has none that the
 * kernel puts off. */
static size_t checksum_at(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	}
	return 0;
}

/* RFC 1071, over n octets; not complemented */
static uint16_t sum16(uint64_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	if (n & 1)
		sum += p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/*
 * A packet of a host on this machine (veth, virtio) may have been given on
 * without its checksum, for the device to do (CHECKSUM_PARTIAL): in its place
 * is the sum of the pseudo header. A TUN would take it for wrong.
 */
static void finish_checksum(uint8_t *ip6, size_t len)
{
	uint8_t *p = ip6 + INNER_LEN;
	size_t n = len - INNER_LEN, at = checksum_at(ip6[6]);
	uint16_t pseudo, sum;

	if (!at || n < at + 2)
		return;
	pseudo = sum16(n + ip6[6], ip6 + 8, 32);
	if (get16(p + at) != pseudo || sum16(pseudo, p, n) == 0xffff)
		return;
	p[at] = p[at + 1] = 0;
	sum = ~sum16(pseudo, p, n);
	/* RFC 8200 section 8.1: 0 is UDP's word for none */
	if (sum == 0 && ip6[6] == IPPROTO_UDP)
		sum = 0xffff;
	p[at] = sum >> 8;
	p[at + 1] = sum;
}

/* -------- both ways -------- */

enum relay_bpf_reason slow_6to4_in(const struct slow_relay *slow, uint8_t *buf,
				   size_t len, struct slow_packet *out)
{
	const struct relay_check_ctx ctx = {.slow = slow};
	union relay_ipv6 src, dst;
	size_t header, total;
	enum relay_bpf_reason reason;
	__be32 outer;

	memset(out, 0, sizeof(*out));
	if (len < OUTER_MIN || buf[0] >> 4 != 4 || buf[9] != PROTO_IPV6)
		return RELAY_BPF_DROP_MALFORMED;
	header = (buf[0] & 0xf) * 4;
	total = get16(buf + 2);
	if (header < OUTER_MIN || total < header || total > len)
		return RELAY_BPF_DROP_MALFORMED;
	out->data = buf + header;
	out->len = inner_length(out->data, total - header);
	if (out->len == 0)
		return RELAY_BPF_DROP_MALFORMED;
	memcpy(&outer, buf + 12, sizeof(outer));
	slow_addresses(out->data, &src, &dst);
	reason = relay_check_4to6(&ctx, slow->relay, outer, &src, &dst);
	if (reason == RELAY_BPF_PASS &&
	    !slow_decapsulate_ecn(buf[1], out->data))
		reason = RELAY_BPF_DROP_ECN;
	if (reason == RELAY_BPF_PASS)
		finish_checksum(out->data, out->len);
	return reason;
}

enum relay_bpf_reason slow_6to4_out(const struct slow_relay *slow, uint8_t *buf,
				    size_t len, struct slow_packet *out)
{
	const struct relay_check_ctx ctx = {.slow = slow};
	union relay_ipv6 src, dst;

	memset(out, 0, sizeof(*out));
	out->data = buf;
	out->len = inner_length(buf, len);
	if (out->len == 0)
		return RELAY_BPF_DROP_MALFORMED;
	slow_addresses(buf, &src, &dst);
	if (!relay_is_6to4(&dst))
		return RELAY_BPF_DROP_MALFORMED;
	out->dst.s_addr = relay_embedded(&dst);
	out->tos = slow_traffic_class(buf);
	return relay_check_6to4(&ctx, slow->relay, &src, &dst);
}
