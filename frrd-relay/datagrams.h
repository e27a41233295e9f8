// SPDX-License-Identifier: GPL-2.0-or-later
/* Many datagrams of a UDP socket of IPv4 at one go, with their types of
 * service. */
#ifndef _RELAY_DATAGRAMS_H
#define _RELAY_DATAGRAMS_H

#include <zebra.h>

/* datagrams of a batch, octets of each */
#define DATAGRAMS_MAX 64
#define DATAGRAM_LEN 65536

struct datagram {
	struct sockaddr_in addr; /* where it is from, or to go to */
	uint8_t tos;
	uint8_t *data;
	size_t len;
	struct iovec iov;
	union {
		struct cmsghdr align;
		uint8_t buf[CMSG_SPACE(sizeof(int))];
	} control;
};

struct datagrams {
	size_t n;
	struct datagram grams[DATAGRAMS_MAX];
	struct mmsghdr msgs[DATAGRAMS_MAX];
	/* as many as there are; what no datagram needs is never touched */
	uint8_t (*octets)[DATAGRAM_LEN];
};

/* out: to send, otherwise to receive. */
void datagrams_init(struct datagrams *d, bool out);
void datagrams_free(struct datagrams *d);

/* Does not wait; the socket has IP_RECVTOS and no other option that tells
 * something. d->n is how many there are. 0, or -errno of a socket that has
 * failed. */
int datagrams_receive(struct datagrams *d, int fd);

/* Adds one, which is copied; d must have room. port: host order. */
void datagrams_add(struct datagrams *d, struct in_addr dst, uint16_t port,
		   uint8_t tos, const void *data, size_t len);
/* Sends all, as few as the kernel takes at one go; fd -1: none. Returns how
 * many the kernel would not take. */
size_t datagrams_send(struct datagrams *d, int fd);

#endif /* _RELAY_DATAGRAMS_H */
