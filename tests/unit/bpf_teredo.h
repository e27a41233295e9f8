// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_lab.h with Teredo relays as well. They have the 6to4 relay's source, so
 * that it is the ports that tell them apart.
 *
 *   teredo0, LAB_TEREDO, port 3545: 2001::/32 leads there; it is lab.relay
 *   teredo1, LAB_TEREDO2, port 3546: 2001:0:c633:6464::/64 leads there
 */
#ifndef _TEST_BPF_TEREDO_H
#define _TEST_BPF_TEREDO_H

#include "bpf_lab.h"

#define UDP 8
#define TEREDO (V4 + UDP) /* outer headers */
#define LAB_TEREDO 5
#define LAB_TEREDO2 6
#define LAB_PORT 3545
#define LAB_PORT2 3546
#define LAB_PEERS 64
/* A client behind 198.51.100.7, port 40000, of the server 65.54.227.120: RFC
 * 4380 section 4's with another address. Its address: */
#define LAB_MAPPED "198.51.100.7"
#define LAB_MAPPED_PORT 40000
#define LAB_CLIENT "2001:0:4136:e378:8000:63bf:39cc:9bf8"
#define MS 1000000LL
#define NEVER -1

/* 0; 77 where it can't be */
int lab_open_teredo(void);
/* the same with uplink_xdp, as lab_open_xdp() */
int lab_open_teredo_xdp(void);

/* -------- peers -------- */

/* The address of a client of 65.54.227.120; text of a static buffer. */
const char *teredo_address(const char *mapped, uint16_t port);
/* A peer of lab.relay that was heard of, and sent to, so many ms ago. */
void peer_put(const char *addr, int64_t rx_ms, int64_t tx_ms);
void peer_del(const char *addr);
/* How many ms ago; NEVER. */
void peer_get(const char *addr, int64_t *rx_ms, int64_t *tx_ms);

/* -------- packets -------- */

/* IPv6 with `payload` octets of a protocol behind it and, for TCP, UDP and
 * ICMPv6, with the checksum that is right for them. */
void packet_inner(struct packet *p, const char *src, const char *dst,
		  uint8_t protocol, size_t payload);
/* A frame with that from a client to the relay. */
void packet_client_from(struct packet *p, const char *outer, uint16_t port,
			const char *src, const char *dst, uint8_t protocol,
			size_t payload);
/* From LAB_CLIENT to LAB_NATIVE; and back. */
void packet_client(struct packet *p, uint8_t protocol, size_t payload);
void packet_to_client(struct packet *p, uint8_t protocol, size_t payload);
/* The outer lengths and checksums anew, for what is behind the Ethernet header
 * now; the UDP checksum is right. */
void packet_datagram(struct packet *p);
/* The UDP checksum of the datagram behind the Ethernet header; 0: right. */
uint16_t datagram_sum(const struct packet *p);
/* The checksum of the IPv6 packet at an offset; 0: right. */
uint16_t inner_sum(const struct packet *p, size_t at);

void set16(struct packet *p, size_t at, uint16_t value);
uint16_t get16(const struct packet *p, size_t at);

#endif /* _TEST_BPF_TEREDO_H */
