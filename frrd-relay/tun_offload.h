// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel leaves to the reader of a TUN that takes on offloads
 * (IFF_VNET_HDR, TUN_F_CSUM, TUN_F_TSO6): a checksum to finish, a TCP packet of
 * many segments to cut. Pure.
 */
#ifndef _RELAY_TUN_OFFLOAD_H
#define _RELAY_TUN_OFFLOAD_H

#include <zebra.h>

#include <linux/virtio_net.h>

/* In front of each packet that is read from such a TUN, or written to it. */
#define TUN_HEADER_LEN ((size_t)sizeof(struct virtio_net_hdr))

/* A packet as it was read, on its way to be cut. */
struct tun_cut {
	const uint8_t *pkt;
	size_t len;
	size_t tcp;	/* offset of the TCP header */
	size_t headers; /* octets in front of each segment's data */
	size_t mss;	/* 0: one packet, as it is */
	size_t at;	/* data that has been cut off */
};

/*
 * buf: header and packet as read, len octets of both; pkt in it is changed
 * where a checksum is to be finished. 0; -EBADMSG: header and packet don't go
 * together, or it is a kind of offload that was not asked for.
 */
int tun_cut_begin(struct tun_cut *cut, uint8_t *buf, size_t len);

/*
 * The next packet: *out points to it, in the packet that was read or in `room`
 * of that many octets. Returns its length; 0: no more, or no room.
 */
size_t tun_cut_next(struct tun_cut *cut, uint8_t *room, size_t size,
		    uint8_t **out);

#endif /* _RELAY_TUN_OFFLOAD_H */
