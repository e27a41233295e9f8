// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pure half of `track N icmp-echo`: echo packets as octets, and what becomes
 * of each probe. No socket, no clock, no timer: times are passed in, in
 * microseconds of any monotonic clock.
 */
#ifndef _RELAY_TRACK_ICMP_PROBE_H
#define _RELAY_TRACK_ICMP_PROBE_H

#include <zebra.h>

#include "track.h"

/* ICMP header, magic, target id, nonce */
#define ICMP_PROBE_LEN 24
/* 60 s of timeout at 100 ms, and some to tell a late reply from a foreign one */
#define ICMP_PROBE_RING_MIN 8
#define ICMP_PROBE_RING_MAX 1024

/* What an echo request carries, and what its reply has to bring back. */
struct icmp_probe_echo {
	uint16_t ident; /* of the process */
	uint16_t seq;
	uint32_t target; /* track id */
	uint64_t nonce;	 /* random, of this one probe */
};

/*
 * Writes an echo request (ICMP header on) of family AF_INET or AF_INET6. The
 * ICMPv6 checksum is left to the kernel, which knows the source address.
 * Returns its length, or -EINVAL.
 */
int icmp_probe_build(int family, const struct icmp_probe_echo *echo,
		     uint8_t *buf, size_t len);
/*
 * Reads an echo reply as a raw socket gives it: with the IP header for AF_INET
 * (ICMP checksum verified here, since raw sockets get a copy before the kernel
 * looks), without it and already verified for AF_INET6. Returns 0 or -EBADMSG.
 */
int icmp_probe_parse(int family, const uint8_t *buf, size_t len,
		     struct icmp_probe_echo *echo);

enum icmp_reply {
	ICMP_REPLY_OK,
	ICMP_REPLY_LATE,      /* after its deadline; the probe is lost */
	ICMP_REPLY_DUPLICATE, /* of one that was already answered */
	ICMP_REPLY_INVALID,   /* no such probe, or another nonce */
};

struct icmp_probe_slot {
	uint64_t num; /* sequence number, unwrapped */
	uint64_t nonce;
	int64_t sent_us;
	int64_t deadline_us;
	enum icmp_slot_state {
		ICMP_SLOT_FREE,
		ICMP_SLOT_WAITING,
		ICMP_SLOT_ANSWERED,
		ICMP_SLOT_LOST,
	} state;
};

struct icmp_probe_stats {
	uint64_t sent; /* probes tried, refused ones included */
	uint64_t received;
	uint64_t timeouts;
	uint64_t send_errors;
	/* replies that were not believed */
	uint64_t late;
	uint64_t duplicates;
	uint64_t invalid;
	/* microseconds, 0 = no reply yet */
	uint32_t rtt, rtt_min, rtt_max;
	uint32_t rtt_avg16;  /* 16 * smoothed RTT, weight 1/8 */
	uint32_t jitter16;   /* 16 * jitter, RFC 3550 section 6.4.1 */
};

struct icmp_probe {
	struct icmp_probe_slot *ring;
	size_t size;   /* power of two */
	uint64_t next; /* number of the next probe */
	uint64_t tail; /* no probe below it is waiting */
	size_t waiting;

	/* evidence: runs of equal outcomes, in the order of sending */
	unsigned int successes, losses;
	uint64_t success_end, loss_end; /* one past the newest of each */

	enum track_state state;
	int cause; /* while down: 0 = no reply, else errno of the sending */
	struct icmp_probe_stats stats;
};

/* probes up, probes down: runs that change the state */
struct icmp_probe_limits {
	unsigned int up, down;
};

void icmp_probe_init(struct icmp_probe *probe);
void icmp_probe_fini(struct icmp_probe *probe);
/* Room for the probes that can be outstanding at once; keeps what is there. */
void icmp_probe_reserve(struct icmp_probe *probe, uint32_t frequency_ms,
			uint32_t timeout_ms);

/* A probe is about to leave; returns its sequence number. */
uint16_t icmp_probe_send(struct icmp_probe *probe,
			 const struct icmp_probe_limits *limits,
			 uint64_t nonce, int64_t now_us, int64_t timeout_us);
/* The kernel refused the newest probe; err > 0 says why. */
void icmp_probe_send_failed(struct icmp_probe *probe,
			    const struct icmp_probe_limits *limits, int err);
/* Down for certain (interface gone), whatever `probes down` says. */
void icmp_probe_force_down(struct icmp_probe *probe, int err);
/* A reply that came from the target itself, at at_us. */
enum icmp_reply icmp_probe_reply(struct icmp_probe *probe,
				 const struct icmp_probe_limits *limits,
				 uint16_t seq, uint64_t nonce, int64_t at_us);
/* Counts as lost what is past its deadline. */
void icmp_probe_expire(struct icmp_probe *probe,
		       const struct icmp_probe_limits *limits, int64_t now_us);
/* When icmp_probe_expire() has work next; INT64_MAX: nothing is outstanding. */
int64_t icmp_probe_deadline(const struct icmp_probe *probe);

/*
 * Pacing. The place of a target in an interval, 0 <= result < interval_us:
 * neighbouring ids lie far apart, and any run of ids fills the interval evenly.
 */
int64_t icmp_probe_phase(uint32_t id, int64_t interval_us);
/* First time of the target's own grid at least half an interval after now. */
int64_t icmp_probe_next_slot(uint32_t id, int64_t interval_us, int64_t now_us);

#endif /* _RELAY_TRACK_ICMP_PROBE_H */
