// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "octets.h"
#include "tun_offload.h"

#define IP6_LEN 40
#define PROTO_TCP 6
#define TCP_LEN 20
#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

/* RFC 1071, by words as they lie in memory: of 64 Kbyte at a time. What was
 * added before has an even length. */
static uint64_t words_sum(uint64_t sum, const uint8_t *p, size_t n)
{
	uint32_t word;

	for (; n >= 4; p += 4, n -= 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	word = 0;
	memcpy(&word, p, n);
	return sum + word;
}

/* The checksum, as it lies in a packet. */
static uint16_t words_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* What is there is the sum of the pseudo header. */
static int finish_checksum(uint8_t *pkt, size_t len, size_t start,
			   size_t offset)
{
	uint16_t sum;

	if (start > len || offset > len - start || len - start - offset < 2)
		return -EBADMSG;
	sum = words_fold(words_sum(0, pkt + start, len - start));
	/* RFC 768: none is 0, for UDP; for the others both are the same */
	if (!sum)
		sum = 0xffff;
	memcpy(pkt + start + offset, &sum, sizeof(sum));
	return 0;
}

int tun_cut_begin(struct tun_cut *cut, uint8_t *buf, size_t len)
{
	struct virtio_net_hdr head;
	uint8_t *pkt = buf + TUN_HEADER_LEN;

	if (len <= TUN_HEADER_LEN)
		return -EBADMSG;
	memcpy(&head, buf, sizeof(head));
	len -= TUN_HEADER_LEN;
	*cut = (struct tun_cut){.pkt = pkt, .len = len};
	switch (head.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return head.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM
			       ? finish_checksum(pkt, len, head.csum_start,
						 head.csum_offset)
			       : 0;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		break;
	default:
		return -EBADMSG;
	}
	/* extension headers in front of TCP are fine: the checksum begins
	 * where TCP does */
	cut->tcp = head.csum_start;
	cut->mss = head.gso_size;
	if (!(head.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !cut->mss ||
	    cut->tcp < IP6_LEN || len < TCP_LEN || cut->tcp > len - TCP_LEN)
		return -EBADMSG;
	cut->headers = cut->tcp + (pkt[cut->tcp + 12] >> 4) * 4;
	if (cut->headers < cut->tcp + TCP_LEN || cut->headers >= len)
		return -EBADMSG;
	return 0;
}

/* Lengths, sequence number, flags and checksum of a segment. */
static void mend_segment(const struct tun_cut *cut, uint8_t *seg, size_t len,
			 bool last)
{
	uint8_t *tcp = seg + cut->tcp;
	uint8_t pseudo[8] = {[7] = PROTO_TCP};
	uint64_t sum;
	uint16_t check;

	put16(seg + 4, len - IP6_LEN);
	put32(tcp + 4, get32(tcp + 4) + cut->at);
	if (!last)
		tcp[13] &= ~(TCP_FIN | TCP_PSH);
	if (cut->at)
		tcp[13] &= ~TCP_CWR; /* RFC 3168 section 6.1.2: once */
	put32(pseudo, len - cut->tcp);
	memset(tcp + 16, 0, 2);
	sum = words_sum(0, pseudo, sizeof(pseudo));
	sum = words_sum(sum, seg + 8, 32);
	check = words_fold(words_sum(sum, tcp, len - cut->tcp));
	memcpy(tcp + 16, &check, sizeof(check));
}

size_t tun_cut_next(struct tun_cut *cut, uint8_t *room, size_t size,
		    uint8_t **out)
{
	size_t left, n, len;

	if (!cut->mss) {
		len = cut->len;
		cut->len = 0;
		*out = (uint8_t *)cut->pkt;
		return len;
	}
	left = cut->len - cut->headers - cut->at;
	n = MIN(left, cut->mss);
	len = cut->headers + n;
	if (!n || len > size)
		return 0;
	memcpy(room, cut->pkt, cut->headers);
	memcpy(room + cut->headers, cut->pkt + cut->headers + cut->at, n);
	mend_segment(cut, room, len, n == left);
	cut->at += n;
	*out = room;
	return len;
}
