// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Echo packets and the bookkeeping of probes; pure.
 *
 * Several probes may be outstanding (timeout above frequency), so outcomes are
 * not known in the order of sending: after an outage the first reply comes while
 * older probes still run into their timeout. Evidence is therefore weighed by
 * sequence. A loss that is older than the newest success, or a success that is
 * older than the newest loss, is counted in the statistics but says nothing
 * about the target now and moves no state.
 */
#include "track_icmp_probe.h"

#include <netinet/icmp6.h>

#include "checksum.h"
#include "memory.h"

#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, TRACK_ICMP_RING, "Track ICMP outstanding probes");

#define ICMP4_ECHO_REPLY   0
#define ICMP4_ECHO_REQUEST 8
#define IP4_HEADER_MIN	   20

static const uint8_t icmp_probe_magic[4] = { 'r', 'l', 'y', '1' };

/* Octets of an echo message; the same for both families. */
struct icmp_probe_wire {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint16_t ident;
	uint16_t seq;
	uint8_t magic[4];
	uint32_t target;
	uint64_t nonce;
} __attribute__((packed));
_Static_assert(sizeof(struct icmp_probe_wire) == ICMP_PROBE_LEN,
	       "probe length");

int icmp_probe_build(int family, const struct icmp_probe_echo *echo,
		     uint8_t *buf, size_t len)
{
	struct icmp_probe_wire wire = {
		.ident = htons(echo->ident),
		.seq = htons(echo->seq),
		.target = htonl(echo->target),
		.nonce = htobe64(echo->nonce),
	};

	if (len < sizeof(wire))
		return -EINVAL;
	memcpy(wire.magic, icmp_probe_magic, sizeof(wire.magic));
	switch (family) {
	case AF_INET:
		wire.type = ICMP4_ECHO_REQUEST;
		wire.checksum = in_cksum(&wire, sizeof(wire));
		break;
	case AF_INET6:
		wire.type = ICMP6_ECHO_REQUEST;
		break;
	default:
		return -EINVAL;
	}
	memcpy(buf, &wire, sizeof(wire));
	return sizeof(wire);
}

int icmp_probe_parse(int family, const uint8_t *buf, size_t len,
		     struct icmp_probe_echo *echo)
{
	struct icmp_probe_wire wire;
	uint8_t type = ICMP6_ECHO_REPLY;

	if (family == AF_INET) {
		size_t hlen;

		if (len < IP4_HEADER_MIN || buf[0] >> 4 != 4)
			return -EBADMSG;
		hlen = (buf[0] & 0x0f) * 4;
		if (hlen < IP4_HEADER_MIN || hlen > len ||
		    buf[9] != IPPROTO_ICMP)
			return -EBADMSG;
		buf += hlen;
		len -= hlen;
		type = ICMP4_ECHO_REPLY;
	}
	/* an echo reply returns the data of the request, no more and no less */
	if (len != sizeof(wire))
		return -EBADMSG;
	memcpy(&wire, buf, sizeof(wire));
	if (wire.type != type || wire.code != 0 ||
	    memcmp(wire.magic, icmp_probe_magic, sizeof(wire.magic)))
		return -EBADMSG;
	if (family == AF_INET && in_cksum(&wire, sizeof(wire)) != 0)
		return -EBADMSG;

	echo->ident = ntohs(wire.ident);
	echo->seq = ntohs(wire.seq);
	echo->target = ntohl(wire.target);
	echo->nonce = be64toh(wire.nonce);
	return 0;
}

static struct icmp_probe_slot *icmp_probe_slot(const struct icmp_probe *probe,
					       uint64_t num)
{
	return &probe->ring[num & (probe->size - 1)];
}

void icmp_probe_init(struct icmp_probe *probe)
{
	memset(probe, 0, sizeof(*probe));
	probe->state = TRACK_STATE_INIT;
	probe->size = ICMP_PROBE_RING_MIN;
	probe->ring = XCALLOC(MTYPE_TRACK_ICMP_RING,
			      probe->size * sizeof(*probe->ring));
}

void icmp_probe_fini(struct icmp_probe *probe)
{
	XFREE(MTYPE_TRACK_ICMP_RING, probe->ring);
	probe->size = 0;
}

void icmp_probe_reserve(struct icmp_probe *probe, uint32_t frequency_ms,
			uint32_t timeout_ms)
{
	size_t need = 2 * (timeout_ms / MAX(frequency_ms, 1U) + 2);
	size_t size = ICMP_PROBE_RING_MIN;
	struct icmp_probe_slot *old = probe->ring;
	size_t old_size = probe->size;

	while (size < need && size < ICMP_PROBE_RING_MAX)
		size *= 2;
	/* only grows: outstanding probes of a longer timeout stay known */
	if (size <= old_size)
		return;

	probe->ring = XCALLOC(MTYPE_TRACK_ICMP_RING,
			      size * sizeof(*probe->ring));
	probe->size = size;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].state != ICMP_SLOT_FREE)
			*icmp_probe_slot(probe, old[i].num) = old[i];
	XFREE(MTYPE_TRACK_ICMP_RING, old);
}

static void icmp_probe_success(struct icmp_probe *probe,
			       const struct icmp_probe_limits *limits,
			       uint64_t num)
{
	if (num < probe->loss_end)
		return;
	probe->success_end = MAX(probe->success_end, num + 1);
	probe->losses = 0;
	probe->successes++;
	if (probe->successes >= limits->up) {
		probe->state = TRACK_STATE_UP;
		probe->cause = 0;
	}
}

static void icmp_probe_loss(struct icmp_probe *probe,
			    const struct icmp_probe_limits *limits,
			    uint64_t num, int err)
{
	if (num < probe->success_end)
		return;
	probe->loss_end = MAX(probe->loss_end, num + 1);
	probe->successes = 0;
	probe->losses++;
	if (probe->losses >= limits->down || probe->state == TRACK_STATE_DOWN) {
		probe->state = TRACK_STATE_DOWN;
		probe->cause = err;
	}
}

/* A waiting probe's outcome is known. */
static void icmp_probe_decide(struct icmp_probe *probe,
			      struct icmp_probe_slot *slot,
			      enum icmp_slot_state state)
{
	slot->state = state;
	probe->waiting--;
	while (probe->tail < probe->next) {
		slot = icmp_probe_slot(probe, probe->tail);
		if (slot->num == probe->tail &&
		    slot->state == ICMP_SLOT_WAITING)
			break;
		probe->tail++;
	}
}

static void icmp_probe_timeout(struct icmp_probe *probe,
			       const struct icmp_probe_limits *limits,
			       struct icmp_probe_slot *slot)
{
	icmp_probe_decide(probe, slot, ICMP_SLOT_LOST);
	probe->stats.timeouts++;
	icmp_probe_loss(probe, limits, slot->num, 0);
}

uint16_t icmp_probe_send(struct icmp_probe *probe,
			 const struct icmp_probe_limits *limits,
			 uint64_t nonce, int64_t now_us, int64_t timeout_us)
{
	struct icmp_probe_slot *slot = icmp_probe_slot(probe, probe->next);

	/* one too many outstanding: the oldest is given up, never forgotten */
	if (slot->state == ICMP_SLOT_WAITING)
		icmp_probe_timeout(probe, limits, slot);

	slot->num = probe->next;
	slot->nonce = nonce;
	slot->sent_us = now_us;
	slot->deadline_us = now_us + timeout_us;
	slot->state = ICMP_SLOT_WAITING;
	probe->waiting++;
	probe->next++;
	probe->stats.sent++;
	return slot->num;
}

void icmp_probe_send_failed(struct icmp_probe *probe,
			    const struct icmp_probe_limits *limits, int err)
{
	struct icmp_probe_slot *slot;

	if (probe->next == 0)
		return;
	slot = icmp_probe_slot(probe, probe->next - 1);
	if (slot->state != ICMP_SLOT_WAITING)
		return;
	icmp_probe_decide(probe, slot, ICMP_SLOT_LOST);
	probe->stats.send_errors++;
	icmp_probe_loss(probe, limits, slot->num, err);
}

void icmp_probe_force_down(struct icmp_probe *probe, int err)
{
	/* replies still on their way are older than this news */
	probe->loss_end = probe->next;
	probe->successes = 0;
	probe->state = TRACK_STATE_DOWN;
	probe->cause = err;
}

static void icmp_probe_rtt(struct icmp_probe_stats *stats, int64_t rtt_us)
{
	/* 0 says "no reply yet" */
	uint32_t rtt = MIN(MAX(rtt_us, 1), 60 * 1000000);

	if (stats->received == 0) {
		stats->rtt_min = stats->rtt_max = rtt;
		stats->rtt_avg16 = rtt * 16;
	} else {
		uint32_t delta = rtt > stats->rtt ? rtt - stats->rtt
						  : stats->rtt - rtt;

		stats->rtt_min = MIN(stats->rtt_min, rtt);
		stats->rtt_max = MAX(stats->rtt_max, rtt);
		stats->rtt_avg16 += 2 * rtt - stats->rtt_avg16 / 8;
		/* RFC 3550 section 6.4.1 and appendix A.8 */
		stats->jitter16 += delta - ((stats->jitter16 + 8) >> 4);
	}
	stats->rtt = rtt;
}

enum icmp_reply icmp_probe_reply(struct icmp_probe *probe,
				 const struct icmp_probe_limits *limits,
				 uint16_t seq, uint64_t nonce, int64_t at_us)
{
	struct icmp_probe_slot *slot = icmp_probe_slot(probe, seq);

	if (slot->state == ICMP_SLOT_FREE || (uint16_t)slot->num != seq ||
	    slot->nonce != nonce) {
		probe->stats.invalid++;
		return ICMP_REPLY_INVALID;
	}
	if (slot->state == ICMP_SLOT_ANSWERED) {
		probe->stats.duplicates++;
		return ICMP_REPLY_DUPLICATE;
	}
	if (slot->state == ICMP_SLOT_LOST || at_us > slot->deadline_us) {
		if (slot->state == ICMP_SLOT_WAITING)
			icmp_probe_timeout(probe, limits, slot);
		probe->stats.late++;
		return ICMP_REPLY_LATE;
	}
	icmp_probe_decide(probe, slot, ICMP_SLOT_ANSWERED);
	icmp_probe_rtt(&probe->stats, at_us - slot->sent_us);
	probe->stats.received++;
	icmp_probe_success(probe, limits, slot->num);
	return ICMP_REPLY_OK;
}

void icmp_probe_expire(struct icmp_probe *probe,
		       const struct icmp_probe_limits *limits, int64_t now_us)
{
	size_t left = probe->waiting;

	for (uint64_t num = probe->tail; num < probe->next && left; num++) {
		struct icmp_probe_slot *slot = icmp_probe_slot(probe, num);

		if (slot->num != num || slot->state != ICMP_SLOT_WAITING)
			continue;
		left--;
		if (slot->deadline_us <= now_us)
			icmp_probe_timeout(probe, limits, slot);
	}
}

int64_t icmp_probe_deadline(const struct icmp_probe *probe)
{
	int64_t first = INT64_MAX;
	size_t left = probe->waiting;

	for (uint64_t num = probe->tail; num < probe->next && left; num++) {
		const struct icmp_probe_slot *slot = icmp_probe_slot(probe, num);

		if (slot->num != num || slot->state != ICMP_SLOT_WAITING)
			continue;
		first = MIN(first, slot->deadline_us);
		left--;
	}
	return first;
}

int64_t icmp_probe_phase(uint32_t id, int64_t interval_us)
{
	/* multiples of the golden ratio modulo 1 (Knuth, TAOCP 6.4) */
	uint32_t turn = id * UINT32_C(2654435769);

	return (int64_t)(((uint64_t)turn * (uint64_t)interval_us) >> 32);
}

int64_t icmp_probe_next_slot(uint32_t id, int64_t interval_us, int64_t now_us)
{
	int64_t phase = icmp_probe_phase(id, interval_us);
	int64_t base = now_us + interval_us / 2 - phase;

	if (base < 0)
		return phase;
	return (base + interval_us - 1) / interval_us * interval_us + phase;
}
