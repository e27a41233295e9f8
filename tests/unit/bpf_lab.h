// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs and a 6to4 relay in a network namespace of their own, in which
 * packets are given to a program (BPF_PROG_TEST_RUN).
 *
 *   up0     an uplink, 02:00:00:00:00:01; routers 203.0.113.1, 2001:db8:1::1
 *           and fe80::1 at 02:aa:00:00:00:01; 203.0.113.9 and 2001:db8:1::9,
 *           which nobody knows the address of
 *   up1     another one, with 203.0.114.1 and 2001:db8:2::1 at
 *           02:aa:00:00:00:02
 *   relay0  a relay's interface; 2002::/16 leads there, default routes to up0
 *
 * A failure to build it ends the program.
 */
#ifndef _TEST_BPF_LAB_H
#define _TEST_BPF_LAB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bpf/relay_bpf.h"
#include "bpf/relay.skel.h"

#define ETH 14
#define V4 20
#define V6 40
#define LAB_PLACE 3
#define LAB_SOURCE "192.88.99.1"
#define LAB_TRANSMIT "192.88.99.3"
#define LAB_MTU 1480
#define LAB_NONCE "\x01probe\xff\x08"
#define LAB_HOST "198.51.100.2" /* a 6to4 host; its address: */
#define LAB_HOST6 "2002:c633:6402::2"
#define LAB_NATIVE "2001:db8:6::6"
#define LAB_ROUTER_MAC "\x02\xaa\0\0\0\x01"
#define LAB_ROUTER2_MAC "\x02\xaa\0\0\0\x02"
#define LAB_UPLINK_MAC "\x02\0\0\0\0\x01"

struct lab {
	struct relay_bpf *skel;
	unsigned int uplink, uplink2, relay_ifindex;
	/* the relay that is looked at, LAB_PLACE unless a test says otherwise
	 */
	uint32_t place;
	struct relay_bpf_relay relay; /* as in the map */
};

extern struct lab lab;

/* 0; 77 where it can't be, to be main()'s return value */
int lab_open(void);
/* the same, with uplink_xdp on up0, which it may also send by; nothing goes up
 * for the neighbours' sake */
int lab_open_xdp(void);
void lab_close(void);
/* lab.relay into the maps */
void lab_set_relay(void);
/* A command that must not fail. */
void lab_shell(const char *fmt, ...) __attribute__((__format__(printf, 1, 2)));
/* A rule of the relay; the octets of lab.relay are not touched. */
void lab_rule(int family, const void *prefix, unsigned int len,
	      enum relay_bpf_verdict verdict, bool add);

/* Rules as relayd has them, with the octets of lab.relay. */
struct filter_rule;
void lab_rules(const struct filter_rule *rules, size_t n, bool add);

/* -------- packets -------- */

struct packet {
	uint8_t octets[4096];
	size_t len;
};

void packet_add(struct packet *p, const void *data, size_t len);
/* begins a frame for the uplink */
void packet_ethernet(struct packet *p, uint16_t protocol);
void packet_ipv4(struct packet *p, const char *src, const char *dst,
		 size_t payload);
/* with its payload; next header 59, no next header; hop limit 64 */
void packet_ipv6(struct packet *p, const char *src, const char *dst,
		 size_t payload);
/* of the IPv4 header at the Ethernet header's end */
void packet_checksum(struct packet *p);

/* A frame with a packet from the 6to4 host for the relay; and one to it. */
void packet_4to6(struct packet *p, size_t payload);
void packet_6to4(struct packet *p, size_t payload);
void packet_4to6_from(struct packet *p, const char *outer, const char *src,
		      const char *dst, size_t payload);

/* -------- running -------- */

/* What a program says of a frame from the uplink; out: the frame as it left
 * it. */
int lab_run(struct bpf_program *prog, const struct packet *in,
	    struct packet *out);
int lab_run_at(struct bpf_program *prog, unsigned int ifindex,
	       const struct packet *in, struct packet *out);
int lab_run_xdp(const struct packet *in, struct packet *out);
/* What was counted since the last time. */
void lab_counted(struct relay_bpf_counters *counted);
/* ... has to be this drop alone, or nothing at all (RELAY_BPF_PASS). */
void lab_assert_dropped(const char *what, int reason);
/*
 * What XDP makes of it: nothing, or what tc makes of it, octet for octet and
 * reason for reason. may_go_up: of what tc takes.
 */
enum outcome { UP, DROPPED, CROSSED };
enum outcome lab_compare_xdp(const struct packet *in, bool may_go_up);

#endif /* _TEST_BPF_LAB_H */
