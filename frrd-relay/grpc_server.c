// SPDX-License-Identifier: GPL-2.0-or-later
/* The thread that waits at gRPC's completion queue; calls are in grpc_call.c.
 */
#include <zebra.h>

#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include "frr_pthread.h"
#include "log.h"
#include "zlog.h"

#include "grpc_call.h"
#include "grpc_inbox.h"
#include "grpc_request.h"
#include "grpc_server.h"
#include "grpc_session.h"
#include "relay_debug.h"
#include "relay_time.h"

/* calls that may come in one moment */
#define SLOTS 8
#define STREAMS_MAX 100 /* a session; RFC 9113 section 6.5.2 */
#define TICK_MS 1000
#define STOP_SEND_MS 500
#define STOP_MS 3000

struct slot {
	struct relay_grpc_op op;
	grpc_call *call;
	grpc_call_details details;
	grpc_metadata_array metadata;
};

static grpc_completion_queue *queue;
static struct frr_pthread *thread;
static struct slot slots[SLOTS];
static struct relay_grpc_op on_shutdown;
static _Atomic bool stopping, thread_done;

/* It goes with the last call; no connection is given to one that is shut down.
 */
static pthread_mutex_t server_mtx = PTHREAD_MUTEX_INITIALIZER;
static grpc_server *server;

static void slot_request(struct slot *slot)
{
	grpc_call_details_init(&slot->details);
	grpc_metadata_array_init(&slot->metadata);
	grpc_server_request_call(server, &slot->call, &slot->details,
				 &slot->metadata, queue, queue, &slot->op);
}

static void slot_done(struct relay_grpc_op *op, bool ok)
{
	struct slot *slot = op->arg;

	if (ok)
		relay_grpc_call_new(slot->call, &slot->details);
	grpc_call_details_destroy(&slot->details);
	grpc_metadata_array_destroy(&slot->metadata);
	if (ok && !atomic_load(&stopping))
		slot_request(slot);
}

/* The main thread has none either that it would give back. */
static void last_call_over(void)
{
	frr_with_mutex (&server_mtx) {
		grpc_server_destroy(server);
		server = NULL;
	}
	grpc_completion_queue_shutdown(queue);
}

static void shutdown_done(struct relay_grpc_op *op, bool ok)
{
	relay_grpc_calls_end(last_call_over);
}

/* gRPC's own threads have no log of FRR's; what clients do wrong is no news. */
static void core_log(gpr_log_func_args *args)
{
	if (!DEBUG_MODE_CHECK(&relay_dbg_northbound, DEBUG_MODE_ALL) ||
	    !thread || !pthread_equal(pthread_self(), thread->thread))
		return;
	zlog_debug("gRPC: %s", args->message);
}

static void server_create(void)
{
	static const struct {
		const char *key;
		int value;
	} args[] = {
		{GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RELAY_GRPC_MESSAGE_MAX},
		{GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, RELAY_GRPC_MESSAGE_MAX},
		{GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
		{GRPC_ARG_MAX_METADATA_SIZE, 16 * 1024},
		/* as FRR's own; those who ask more often are sent away */
		{GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000},
		/* none: a message of 4 MiB that becomes 4 GiB */
		{GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1},
	};
	grpc_arg list[array_size(args)];
	grpc_channel_args channel_args = {array_size(list), list};

	for (size_t i = 0; i < array_size(args); i++) {
		list[i].type = GRPC_ARG_INTEGER;
		list[i].key = (char *)args[i].key;
		list[i].value.integer = args[i].value;
	}
	server = grpc_server_create(&channel_args, NULL);
	queue = grpc_completion_queue_create_for_next(NULL);
	grpc_server_register_completion_queue(server, queue, NULL);
	grpc_server_start(server);
	for (size_t i = 0; i < SLOTS; i++) {
		slots[i].op = (struct relay_grpc_op){slot_done, &slots[i]};
		slot_request(&slots[i]);
	}
}

static void *server_run(void *arg)
{
	struct frr_pthread *self = arg;
	const gpr_timespec pause = gpr_time_from_millis(TICK_MS, GPR_TIMESPAN);
	int64_t ticked = relay_now_ms();

	zlog_tls_buffer_init();
	frr_pthread_set_name(self);
	/* before gRPC makes threads of its own */
	relay_grpc_drop_privileges();
	gpr_set_log_function(core_log);
	gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
	grpc_init();
	server_create();
	frr_pthread_notify_running(self);
	for (;;) {
		grpc_event event = grpc_completion_queue_next(
			queue,
			gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), pause),
			NULL);

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			break;
		if (event.type == GRPC_OP_COMPLETE) {
			struct relay_grpc_op *op = event.tag;

			op->done(op, event.success);
		}
		if (relay_now_ms() - ticked >= TICK_MS) {
			ticked = relay_now_ms();
			relay_grpc_calls_age();
		}
		zlog_tls_buffer_flush();
	}
	grpc_completion_queue_destroy(queue);
	grpc_shutdown();
	zlog_tls_buffer_fini();
	atomic_store(&thread_done, true);
	return NULL;
}

static int server_halt(struct frr_pthread *self, void **result)
{
	pthread_join(self->thread, result);
	return 0;
}

int relay_grpc_server_start(struct frr_loop *loop)
{
	static const struct frr_pthread_attr attr = {server_run, server_halt};
	int ret;

	relay_grpc_inbox_start(loop);
	on_shutdown = (struct relay_grpc_op){shutdown_done, NULL};
	thread = frr_pthread_new(&attr, "gRPC server", "relayd-grpc");
	ret = frr_pthread_run(thread, NULL);
	if (ret) {
		frr_pthread_destroy(thread);
		thread = NULL;
		return -ret;
	}
	frr_pthread_wait_running(thread);
	return 0;
}

void relay_grpc_server_stop(void)
{
	int64_t begun = relay_now_ms();
	bool cancelled = false;

	if (!thread)
		return;
	frr_with_mutex (&server_mtx)
		atomic_store(&stopping, true);
	relay_grpc_calls_refuse();
	grpc_server_shutdown_and_notify(server, queue, &on_shutdown);
	while (!atomic_load(&thread_done) && relay_now_ms() - begun < STOP_MS) {
		relay_grpc_inbox_drain();
		if (!cancelled && relay_now_ms() - begun > STOP_SEND_MS) {
			frr_with_mutex (&server_mtx)
				if (server)
					grpc_server_cancel_all_calls(server);
			cancelled = true;
		}
		usleep(2000);
	}
	if (!atomic_load(&thread_done)) {
		zlog_warn("gRPC: calls do not end, relayd goes without");
		return;
	}
	frr_pthread_stop(thread, NULL);
	frr_pthread_destroy(thread);
	thread = NULL;
}

void relay_grpc_server_serve(int fd)
{
	static grpc_server_credentials *plain;

	if (!plain)
		plain = grpc_insecure_server_credentials_create();
	frr_with_mutex (&server_mtx) {
		if (!atomic_load(&stopping)) {
			grpc_server_add_channel_from_fd(server, fd, plain);
			fd = -1;
		}
	}
	if (fd >= 0) {
		shutdown(fd, SHUT_RDWR);
		close(fd);
	}
}
