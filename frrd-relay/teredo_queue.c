// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "memory.h"

#include "relay_memory.h"
#include "teredo_queue.h"

DEFINE_MTYPE_STATIC(RELAYD, TEREDO_QUEUES, "Teredo queues");
DEFINE_MTYPE_STATIC(RELAYD, TEREDO_QUEUE_CHUNK, "Teredo queues, a chunk");
DEFINE_MTYPE_STATIC(RELAYD, TEREDO_QUEUED, "Teredo queued packet");

#define CHUNK 256
#define CHUNKS ((TEREDO_QUEUES_MAX + CHUNK) / CHUNK)

struct queued {
	struct queued *next;
	uint16_t len;
	uint8_t data[];
};

/* What the allocator adds is about this. */
#define OVERHEAD (sizeof(struct queued) + 16)

/* By number from 1 on, a peer's `queue`; 0 is the end of both lists. */
struct queue {
	struct teredo_peer *owner;
	struct queued *first, **last;
	uint16_t packets;
	uint16_t bytes;
	/* by age; next of those that are free as well */
	uint16_t prev, next;
};

struct teredo_queues {
	struct queue *chunks[CHUNKS];
	uint16_t fresh; /* numbers from here on were never in use */
	uint16_t free;
	uint16_t oldest, newest;
	uint32_t packets, bytes;
};

static struct queue *at(const struct teredo_queues *q, uint16_t n)
{
	return &q->chunks[n / CHUNK][n % CHUNK];
}

struct teredo_queues *teredo_queues_new(void)
{
	struct teredo_queues *q = XCALLOC(MTYPE_TEREDO_QUEUES, sizeof(*q));

	q->fresh = 1;
	return q;
}

void teredo_queues_free(struct teredo_queues **queues)
{
	struct teredo_queues *q = *queues;

	if (!q)
		return;
	while (q->oldest)
		teredo_queue_drop(q, at(q, q->oldest)->owner);
	for (size_t i = 0; i < CHUNKS; i++)
		XFREE(MTYPE_TEREDO_QUEUE_CHUNK, q->chunks[i]);
	XFREE(MTYPE_TEREDO_QUEUES, *queues);
}

uint32_t teredo_queues_packets(const struct teredo_queues *q)
{
	return q->packets;
}

uint32_t teredo_queues_bytes(const struct teredo_queues *q)
{
	return q->bytes;
}

size_t teredo_queues_memory(const struct teredo_queues *q)
{
	size_t chunks = (q->fresh + CHUNK - 1) / CHUNK;

	return sizeof(*q) + q->bytes +
	       (q->fresh > 1 ? chunks * CHUNK * sizeof(struct queue) : 0);
}

static uint16_t take_number(struct teredo_queues *q)
{
	uint16_t n = q->free;

	if (n) {
		q->free = at(q, n)->next;
		return n;
	}
	if (q->fresh > TEREDO_QUEUES_MAX)
		return 0;
	n = q->fresh++;
	if (!q->chunks[n / CHUNK])
		q->chunks[n / CHUNK] = XMALLOC(MTYPE_TEREDO_QUEUE_CHUNK,
					       CHUNK * sizeof(struct queue));
	return n;
}

static bool begin(struct teredo_queues *q, struct teredo_peer *peer)
{
	uint16_t n = take_number(q);
	struct queue *queue;

	if (!n)
		return false;
	queue = at(q, n);
	*queue = (struct queue){.owner = peer, .prev = q->newest};
	queue->last = &queue->first;
	if (q->newest)
		at(q, q->newest)->next = n;
	else
		q->oldest = n;
	q->newest = n;
	peer->queue = n;
	return true;
}

/* The number is free again; what was in the queue is the caller's. */
static struct queued *end(struct teredo_queues *q, struct teredo_peer *peer)
{
	uint16_t n = peer->queue;
	struct queue *queue = at(q, n);

	if (queue->prev)
		at(q, queue->prev)->next = queue->next;
	else
		q->oldest = queue->next;
	if (queue->next)
		at(q, queue->next)->prev = queue->prev;
	else
		q->newest = queue->prev;
	q->packets -= queue->packets;
	q->bytes -= queue->bytes + queue->packets * OVERHEAD;
	queue->next = q->free;
	q->free = n;
	peer->queue = 0;
	return queue->first;
}

/* Other than that of keep, the oldest one. */
static unsigned int give_up_oldest(struct teredo_queues *q,
				   const struct teredo_peer *keep)
{
	uint16_t n = q->oldest;

	if (n && at(q, n)->owner == keep)
		n = at(q, n)->next;
	return n ? teredo_queue_drop(q, at(q, n)->owner) : 0;
}

unsigned int teredo_queue_put(struct teredo_queues *q, struct teredo_peer *peer,
			      const void *pkt, size_t len)
{
	unsigned int given_up = 0;
	struct queue *queue;
	struct queued *one;

	if (len > TEREDO_QUEUE_BYTES)
		return 1;
	if (peer->queue) {
		queue = at(q, peer->queue);
		if (queue->packets == TEREDO_QUEUE_PACKETS ||
		    queue->bytes + len > TEREDO_QUEUE_BYTES)
			return 1;
	} else if (!begin(q, peer)) {
		given_up += give_up_oldest(q, peer);
		begin(q, peer);
	}
	while (q->bytes + len + OVERHEAD > TEREDO_QUEUES_BYTES)
		given_up += give_up_oldest(q, peer);
	one = XMALLOC(MTYPE_TEREDO_QUEUED, sizeof(*one) + len);
	one->next = NULL;
	one->len = len;
	memcpy(one->data, pkt, len);
	queue = at(q, peer->queue);
	*queue->last = one;
	queue->last = &one->next;
	queue->packets++;
	queue->bytes += len;
	q->packets++;
	q->bytes += len + OVERHEAD;
	return given_up;
}

void teredo_queue_flush(struct teredo_queues *q, struct teredo_peer *peer,
			void (*send)(void *arg, const uint8_t *pkt, size_t len),
			void *arg)
{
	struct queued *one, *next;

	if (!peer->queue)
		return;
	for (one = end(q, peer); one; one = next) {
		next = one->next;
		send(arg, one->data, one->len);
		XFREE(MTYPE_TEREDO_QUEUED, one);
	}
}

unsigned int teredo_queue_drop(struct teredo_queues *q,
			       struct teredo_peer *peer)
{
	unsigned int n = teredo_queue_count(q, peer);
	struct queued *one, *next;

	if (!peer->queue)
		return 0;
	for (one = end(q, peer); one; one = next) {
		next = one->next;
		XFREE(MTYPE_TEREDO_QUEUED, one);
	}
	return n;
}

unsigned int teredo_queue_count(const struct teredo_queues *q,
				const struct teredo_peer *peer)
{
	return peer->queue ? at(q, peer->queue)->packets : 0;
}
