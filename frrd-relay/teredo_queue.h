// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets that wait for a peer's answer to a bubble (RFC 4380 section 5.4.1):
 * first in, first out. Pure.
 *
 * A peer's queue is short, and all of them together are bounded, by octets and
 * by number. Where there is no more room, the queue that was begun first is
 * given up: its peer has had the most time to answer, and those of a scan never
 * do.
 */
#ifndef _RELAY_TEREDO_QUEUE_H
#define _RELAY_TEREDO_QUEUE_H

#include <zebra.h>

#include "teredo_peers.h"

/* of a peer */
#define TEREDO_QUEUE_PACKETS 8
#define TEREDO_QUEUE_BYTES 5120
/* of all; octets count with what it takes to keep them */
#define TEREDO_QUEUES_MAX 8191
#define TEREDO_QUEUES_BYTES (4 << 20)

struct teredo_queues;

struct teredo_queues *teredo_queues_new(void);
void teredo_queues_free(struct teredo_queues **queues);

uint32_t teredo_queues_packets(const struct teredo_queues *queues);
uint32_t teredo_queues_bytes(const struct teredo_queues *queues);
size_t teredo_queues_memory(const struct teredo_queues *queues);

/* A copy of the packet, to the end of the peer's queue. Returns how many
 * packets were given up, this one or those of others. peer is kept as long as
 * it has a queue, which ends by flush or drop. */
unsigned int teredo_queue_put(struct teredo_queues *queues,
			      struct teredo_peer *peer, const void *pkt,
			      size_t len);

/* The packets are sent in their order, and the queue ends. */
void teredo_queue_flush(struct teredo_queues *queues, struct teredo_peer *peer,
			void (*send)(void *arg, const uint8_t *pkt, size_t len),
			void *arg);

/* The queue ends. Returns how many packets were in it. */
unsigned int teredo_queue_drop(struct teredo_queues *queues,
			       struct teredo_peer *peer);

unsigned int teredo_queue_count(const struct teredo_queues *queues,
				const struct teredo_peer *peer);

#endif /* _RELAY_TEREDO_QUEUE_H */
