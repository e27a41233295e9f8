// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <linux/udp.h>

#include "datagrams.h"
#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, DATAGRAMS, "Relay datagrams");

/* octets of those that leave as one, RFC 768 less the headers, rounded down */
#define SEGMENTED_MAX 65000
/* fewer are cheaper by themselves */
#define RUN_MIN 3

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
	gram->tos = tos;
	gram->iov.iov_len = len;
	memcpy(CMSG_DATA(&gram->control.align), &value, sizeof(value));
}

/*
 * How many from `at` on can leave as one with UDP_SEGMENT: to one place, in one
 * way, of one length, the last of them perhaps shorter.
 */
static size_t run_length(const struct datagrams *d, size_t at)
{
	const struct datagram *first = &d->grams[at];
	size_t n = 1, octets = first->iov.iov_len;

	while (at + n < d->n) {
		const struct datagram *next = &d->grams[at + n];

		octets += next->iov.iov_len;
		if (next[-1].iov.iov_len != first->iov.iov_len ||
		    next->iov.iov_len > first->iov.iov_len ||
		    octets > SEGMENTED_MAX || next->tos != first->tos ||
		    next->addr.sin_port != first->addr.sin_port ||
		    next->addr.sin_addr.s_addr != first->addr.sin_addr.s_addr)
			break;
		n++;
	}
	return n;
}

/* A run of them at one go; false: not so. */
static bool send_run(struct datagrams *d, int fd, size_t at, size_t n)
{
	struct datagram *first = &d->grams[at];
	struct iovec iov[DATAGRAMS_MAX];
	uint16_t segment = first->iov.iov_len;
	int tos = first->tos;
	union {
		struct cmsghdr align;
		uint8_t buf[CMSG_SPACE(sizeof(tos)) +
			    CMSG_SPACE(sizeof(segment))];
	} control = {};
	struct msghdr msg = {
		.msg_name = &first->addr,
		.msg_namelen = sizeof(first->addr),
		.msg_iov = iov,
		.msg_iovlen = n,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	for (size_t i = 0; i < n; i++)
		iov[i] = d->grams[at + i].iov;
	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_TOS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(tos));
	memcpy(CMSG_DATA(cmsg), &tos, sizeof(tos));
	cmsg = CMSG_NXTHDR(&msg, cmsg);
	cmsg->cmsg_level = IPPROTO_UDP;
	cmsg->cmsg_type = UDP_SEGMENT;
	cmsg->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(cmsg), &segment, sizeof(segment));
	return sendmsg(fd, &msg, MSG_DONTWAIT) >= 0;
}

/* One by one. Returns how many the kernel would not take. */
static size_t send_each(struct datagrams *d, int fd, size_t at, size_t end)
{
	size_t refused = 0;
	int sent;

	while (at < end) {
		sent = sendmmsg(fd, d->msgs + at, end - at, MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		/* the first of them has no route, or no room */
		if (sent <= 0) {
			refused++;
			sent = 1;
		}
		at += sent;
	}
	return refused;
}

size_t datagrams_send(struct datagrams *d, int fd)
{
	size_t at = 0, each = 0, refused = 0, n;

	while (at < d->n) {
		n = run_length(d, at);
		if (n >= RUN_MIN) {
			refused += send_each(d, fd, each, at);
			each = send_run(d, fd, at, n) ? at + n : at;
		}
		at += n;
	}
	refused += send_each(d, fd, each, d->n);
	d->n = 0;
	return refused;
}
