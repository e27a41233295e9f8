// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "datagrams.h"
#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, DATAGRAMS, "Relay datagrams");

void datagrams_init(struct datagrams *d, bool out)
{
	d->n = 0;
	d->octets =
		XCALLOC(MTYPE_DATAGRAMS, sizeof(*d->octets) * DATAGRAMS_MAX);
	for (size_t i = 0; i < DATAGRAMS_MAX; i++) {
		struct datagram *gram = &d->grams[i];
		struct cmsghdr *cmsg = &gram->control.align;

		gram->addr.sin_family = AF_INET;
		gram->data = d->octets[i];
		gram->iov.iov_base = d->octets[i];
		d->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &gram->addr,
			.msg_namelen = sizeof(gram->addr),
			.msg_iov = &gram->iov,
			.msg_iovlen = 1,
			.msg_control = gram->control.buf,
			.msg_controllen = sizeof(gram->control),
		};
		if (!out)
			continue;
		cmsg->cmsg_level = IPPROTO_IP;
		cmsg->cmsg_type = IP_TOS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	}
}

void datagrams_free(struct datagrams *d)
{
	XFREE(MTYPE_DATAGRAMS, d->octets);
}

static uint8_t datagram_tos(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	return cmsg && cmsg->cmsg_level == IPPROTO_IP &&
			       cmsg->cmsg_type == IP_TOS
		       ? *CMSG_DATA(cmsg)
		       : 0;
}

int datagrams_receive(struct datagrams *d, int fd)
{
	int n;

	d->n = 0;
	for (size_t i = 0; i < DATAGRAMS_MAX; i++) {
		struct msghdr *msg = &d->msgs[i].msg_hdr;

		msg->msg_namelen = sizeof(d->grams[i].addr);
		msg->msg_controllen = sizeof(d->grams[i].control);
		d->grams[i].iov.iov_len = DATAGRAM_LEN;
	}
	n = recvmmsg(fd, d->msgs, DATAGRAMS_MAX, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		d->grams[i].len = d->msgs[i].msg_len;
		d->grams[i].tos = datagram_tos(&d->msgs[i].msg_hdr);
	}
	d->n = n;
	return 0;
}

void datagrams_add(struct datagrams *d, struct in_addr dst, uint16_t port,
		   uint8_t tos, const void *data, size_t len)
{
	struct datagram *gram = &d->grams[d->n++];
	int value = tos;

	assert(d->n <= DATAGRAMS_MAX && len <= DATAGRAM_LEN);
	gram->addr.sin_addr = dst;
	gram->addr.sin_port = htons(port);
	memcpy(gram->data, data, len);
	gram->iov.iov_len = len;
	memcpy(CMSG_DATA(&gram->control.align), &value, sizeof(value));
}

size_t datagrams_send(struct datagrams *d, int fd)
{
	size_t at = 0, refused = 0;
	int sent;

	while (at < d->n) {
		sent = sendmmsg(fd, d->msgs + at, d->n - at, MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		/* the first of them has no route, or no room */
		if (sent <= 0) {
			refused++;
			sent = 1;
		}
		at += sent;
	}
	d->n = 0;
	return refused;
}
