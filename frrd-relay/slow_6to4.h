// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 6to4 packets in user space, for what the eBPF programs leave to the stack
 * where no sit device takes it: the same checks (bpf/relay_check.h) over
 * packets in memory. Pure.
 */
#ifndef _RELAY_SLOW_6TO4_H
#define _RELAY_SLOW_6TO4_H

#include <zebra.h>

#include "filter.h"
#include "bpf/relay_bpf.h"

struct slow_relay {
	const struct relay_bpf_relay *relay;
	const struct filter_rule *rules; /* normalized */
	size_t nrules;
};

/* An IPv6 packet, and how it is to travel in IPv4. */
struct slow_packet {
	uint8_t *data;
	size_t len;
	struct in_addr dst; /* 6to4: the outer destination */
	uint8_t tos;	    /* 6to4: the outer type of service */
};

/*
 * 4to6: buf is an IPv4 packet of protocol 41 to the relay's source, whole (no
 * fragment), from its header on, len octets. RELAY_BPF_PASS: *out is the IPv6
 * packet in it, with the congestion mark of the outer header (RFC 6040 section
 * 4.2), and with the checksum that a host on this machine has put off.
 */
enum relay_bpf_reason slow_6to4_in(const struct slow_relay *slow, uint8_t *buf,
				   size_t len, struct slow_packet *out);

/*
 * 6to4: buf is an IPv6 packet to a 2002: address, len octets. RELAY_BPF_PASS:
 * *out is to be sent to out->dst.
 */
enum relay_bpf_reason slow_6to4_out(const struct slow_relay *slow,
				    uint8_t *buf, size_t len,
				    struct slow_packet *out);

#endif /* _RELAY_SLOW_6TO4_H */
