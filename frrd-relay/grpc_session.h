// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listening sockets and the sessions of gRPC clients, a connection each. They have
 * a thread of their own; who a call comes from is asked from the others.
 */
#ifndef _RELAY_GRPC_SESSION_H
#define _RELAY_GRPC_SESSION_H

#include <zebra.h>

#include "grpc_options.h"
#include "lib/json.h"

/*
 * Sessions that are served. For one more, that makes room which was idle for the
 * longest, if for RELAY_GRPC_IDLE_SESSION_S at least. Of RELAY_GRPC_OVERFLOW more,
 * calls are answered with an error; beyond that connections are closed.
 */
#define RELAY_GRPC_SESSIONS 64
#define RELAY_GRPC_OVERFLOW 16
#define RELAY_GRPC_IDLE_SESSION_S 60

struct relay_grpc_session_ops {
	/* Both on the sessions' thread. A connection in plain text, the callee's
	 * to close. */
	void (*serve)(int fd);
	/* It has ended. What it has asked for may still come, see
	 * relay_grpc_session_alive(). */
	void (*ended)(uint64_t session);
};

/* Binds, reads TLS files; false with one line in err. group: of unix sockets. */
bool relay_grpc_sessions_open(const struct relay_grpc_options *opts,
			      gid_t group, char *err, size_t len);
/* From here on connections are accepted. 0 or -errno. */
int relay_grpc_sessions_start(const struct relay_grpc_session_ops *ops);
/* Closes all, in both senses; also without a start. */
void relay_grpc_sessions_stop(void);
/* In a child that outlives relayd: the sockets' files go. */
void relay_grpc_sessions_unlink(void);

/* Of the calling thread: nothing that a client can send needs one. */
void relay_grpc_drop_privileges(void);

struct relay_grpc_session_info {
	uint64_t id;
	char peer[128]; /* "127.0.0.1:4711", "CN=noc@192.0.2.1:4711", "unix:uid=0" */
	bool served;	/* false: one too many */
};
/* From any thread: a call begins, of the session with that descriptor, as gRPC has
 * it; and it is over. */
bool relay_grpc_session_find(int fd, struct relay_grpc_session_info *out);
void relay_grpc_session_done(uint64_t id);
bool relay_grpc_session_alive(uint64_t id);

struct relay_grpc_session_counts {
	size_t sessions;	/* that are there */
	uint64_t total, refused; /* so far */
};
void relay_grpc_session_counts(struct relay_grpc_session_counts *out);
/* For show: what is listened to. */
json_object *relay_grpc_sessions_json(void);

#endif /* _RELAY_GRPC_SESSION_H */
