// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gRPC's services in a test program, without gRPC: calls come as octets and go
 * out as octets, as they do with grpc_server.c, on the northbound of nb_lab.c.
 * Programs are linked with -Wl,--wrap=clock_gettime, for a clock that they set.
 */
#ifndef _TEST_GRPC_LAB_H
#define _TEST_GRPC_LAB_H

#include <zebra.h>

#include "grpc_request.h"

#include "grpc/frr-northbound.pb-c.h"
#include "grpc/relay-events.pb-c.h"

#include "nb_lab.h"

/* seconds of the monotonic clock; 0: it is the host's */
extern time_t grpc_lab_now;

/* What relay_grpc_start() starts of it, and in the end what it stops. */
void grpc_lab_start(unsigned int idle_s);
void grpc_lab_stop(void);
/* Nothing is configured, and vtysh's candidate is the same. */
void grpc_lab_no_config(void);

/* ------------------------------------------------------------------ calls */

struct grpc_call {
	struct relay_grpc_request req;
	struct relay_grpc_messages_head sent;
	const ProtobufCMessageDescriptor *output;
	bool open; /* one that stays, and has not been ended */
};

/* name: of a call of frr.Northbound, or with its service, "/service/call" */
struct grpc_call *grpc_call_octets(uint64_t session, const char *name,
				   const uint8_t *octets, size_t len);
struct grpc_call *grpc_call(uint64_t session, const char *name,
			    const ProtobufCMessage *input);
/* The next message; the caller's (protobuf_c_message_free_unpacked()). NULL:
 * no more. */
void *grpc_call_answer(struct grpc_call *call);
/* The client has its answer; or has gone before it had it. */
void grpc_call_end(struct grpc_call *call);
void grpc_call_lose(struct grpc_call *call);

void grpc_session_ended(uint64_t session);

/* ----------------------------------------- calls in the short; all are ended
 */

/* what came of the last */
struct grpc_said {
	char text[RELAY_GRPC_TEXT_LEN];
	uint32_t id; /* of the candidate or transaction */
};
extern struct grpc_said grpc_said;

grpc_status_code grpc_create(uint64_t session, uint32_t *id);
grpc_status_code grpc_delete(uint64_t session, uint32_t id);
grpc_status_code grpc_update(uint64_t session, uint32_t id);
/* value NULL: is deleted */
grpc_status_code grpc_edit(uint64_t session, uint32_t id, const char *path,
			   const char *value);
grpc_status_code grpc_load(uint64_t session, uint32_t id, bool replace,
			   const char *json);
grpc_status_code grpc_commit(uint64_t session, uint32_t id, int phase,
			     const char *comment);
grpc_status_code grpc_lock(uint64_t session);
grpc_status_code grpc_unlock(uint64_t session);

#define VALIDATE FRR__COMMIT_REQUEST__PHASE__VALIDATE
#define PREPARE FRR__COMMIT_REQUEST__PHASE__PREPARE
#define ABORT FRR__COMMIT_REQUEST__PHASE__ABORT
#define APPLY FRR__COMMIT_REQUEST__PHASE__APPLY
#define ALL FRR__COMMIT_REQUEST__PHASE__ALL

/* for cmocka */
#define OK(call) assert_int_equal(call, GRPC_STATUS_OK)
#define FAILS(call, what, why)                                                 \
	do {                                                                   \
		assert_int_equal(call, GRPC_STATUS_##what);                    \
		assert_string_equal(grpc_said.text, why);                      \
	} while (0)

/* ------------------------------------------------- what the programs share */

#define GRPC_LAB_BEGIN 1000 /* what the clock says at first */
#define GRPC_LAB_IDLE 300   /* seconds, of candidates */

#define ANN 11 /* sessions */
#define BOB 12

#define SIZE BOX "/size"
#define LID BOX "/lid"
#define ROAD BOX "/road"
#define SHELF BOX "/shelf[row='1'][side='left']"

/* Of a test. The teardown fails where something is left after both sessions. */
int grpc_lab_setup(void **state);
int grpc_lab_teardown(void **state);
uint32_t grpc_lab_create(uint64_t session);
/* The running configuration, and that its tree is sound. */
void grpc_lab_expect_running(const char *json);

/* ---------------------------------------------------------------- vtysh */

/* A line of configuration: into vtysh's candidate, and that is committed, as
 * libfrr does it. False: refused. */
bool vtysh_edit(const char *path, const char *value);
bool vtysh_commit(char *err, size_t len);

#endif /* _TEST_GRPC_LAB_H */
