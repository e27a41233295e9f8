// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "frr_pthread.h"

#include "grpc_inbox.h"
#include "relay_memory.h"
#include "relay_time.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_WORD, "gRPC word to the main thread");

/* words in a row for which the main thread does nothing else */
#define RUN_MS 5

DECLARE_LIST(relay_grpc_inbox, struct relay_grpc_word, item);

static struct frr_loop *main_loop;
static pthread_mutex_t inbox_mtx = PTHREAD_MUTEX_INITIALIZER;
static struct relay_grpc_inbox_head inbox[1]; /* INIT_LIST() of FRR 8.4 makes
					       * no list */
static bool inbox_told;

static void on_inbox(struct frr_event *ev);

void relay_grpc_inbox_put(struct relay_grpc_word *word)
{
	bool told;

	frr_with_mutex (&inbox_mtx) {
		relay_grpc_inbox_add_tail(inbox, word);
		told = inbox_told;
		inbox_told = true;
	}
	if (!told)
		event_add_event(main_loop, on_inbox, NULL, 0, NULL);
}

static struct relay_grpc_word *inbox_take(void)
{
	struct relay_grpc_word *word;

	frr_with_mutex (&inbox_mtx) {
		word = relay_grpc_inbox_pop(inbox);
		if (!word)
			inbox_told = false;
	}
	return word;
}

/* Not all of a burst at once: other things wait on the main thread too. */
static void on_inbox(struct frr_event *ev)
{
	int64_t end = relay_now_us() + RUN_MS * 1000;
	struct relay_grpc_word *word;

	while ((word = inbox_take())) {
		word->run(word);
		if (relay_now_us() >= end) {
			event_add_event(main_loop, on_inbox, NULL, 0, NULL);
			return;
		}
	}
}

struct plain_word {
	struct relay_grpc_word word;
	void (*func)(uint64_t arg);
	uint64_t arg;
};

static void plain_run(struct relay_grpc_word *word)
{
	struct plain_word *plain = container_of(word, struct plain_word, word);

	plain->func(plain->arg);
	XFREE(MTYPE_GRPC_WORD, plain);
}

void relay_grpc_inbox_call(void (*func)(uint64_t arg), uint64_t arg)
{
	struct plain_word *plain = XCALLOC(MTYPE_GRPC_WORD, sizeof(*plain));

	plain->word.run = plain_run;
	plain->func = func;
	plain->arg = arg;
	relay_grpc_inbox_put(&plain->word);
}

void relay_grpc_inbox_start(struct frr_loop *loop)
{
	main_loop = loop;
	relay_grpc_inbox_init(inbox);
}

void relay_grpc_inbox_drain(void)
{
	struct relay_grpc_word *word;

	while (main_loop && (word = inbox_take()))
		word->run(word);
}
