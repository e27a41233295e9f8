// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gRPC's C core accepts without end, and a process that is out of descriptors
 * loses its routes' netlink sockets as well as its clients. So connections are
 * accepted here, up to a bound, and given to gRPC when they have begun to speak
 * HTTP/2.
 *
 * gRPC does not tell when it has closed one. A duplicate of its descriptor
 * hangs up then, which epoll reports; with TLS the pump knows.
 */
#include <zebra.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/capability.h>
#include <sys/epoll.h>

#include "frr_pthread.h"
#include "log.h"
#include "monotime.h"
#include "network.h"
#include "printfrr.h"
#include "sockunion.h"
#include "typesafe.h"
#include "zlog.h"

#include "compat.h"
#include "grpc_listener.h"
#include "grpc_session.h"
#include "grpc_tls.h"
#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_SESSION, "gRPC session");

/* from accept() to HTTP/2: a client has nothing to think over */
#define GREETING_S 10
#define GREETING_LOOK_MS 20
/* RFC 9113 section 3.4 */
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_LEN (sizeof(PREFACE) - 1)

PREDECL_DLIST(sessions);
PREDECL_HASH(by_fd);
PREDECL_HASH(by_id);

struct session {
	struct sessions_item item; /* oldest first */
	struct by_fd_item fd_item;
	struct by_id_item id_item;
	uint64_t id;
	int fd; /* accepted, and gRPC's when it is served; -1 with TLS before */
	int watch; /* its duplicate, or -1 */
	int line; /* which to hang up, when it is served: the duplicate, or what
		   * the pump has */
	struct relay_grpc_pump *pump;
	bool greeted, served;
	unsigned int calls; /* that go on */
	time_t used;
	char peer[128];
	struct frr_event *t_read, *t_greeting;
};

static int by_fd_cmp(const struct session *a, const struct session *b)
{
	return numcmp(a->fd, b->fd);
}

static uint32_t by_fd_hash(const struct session *s)
{
	return s->fd;
}

static int by_id_cmp(const struct session *a, const struct session *b)
{
	return numcmp(a->id, b->id);
}

static uint32_t by_id_hash(const struct session *s)
{
	return s->id;
}

DECLARE_DLIST(sessions, struct session, item);
DECLARE_HASH(by_fd, struct session, fd_item, by_fd_cmp, by_fd_hash);
DECLARE_HASH(by_id, struct session, id_item, by_id_cmp, by_id_hash);

struct door {
	struct relay_grpc_listener listener;
	struct frr_event *t_accept;
};

static const struct relay_grpc_options *options;
static struct door doors[RELAY_GRPC_LISTENERS_MAX];
static size_t ndoors;
static struct relay_grpc_tls *tls;
static const struct relay_grpc_session_ops *session_ops;
static struct frr_pthread *thread;
static int epoll_fd = -1;
static struct frr_event *t_epoll;

/* What follows is the thread's to change, under the mutex; others look. */
static pthread_mutex_t mtx = PTHREAD_MUTEX_INITIALIZER;
static struct sessions_head sessions[1] = {INIT_DLIST(sessions[0])};
static struct by_fd_head fds[1]; /* those that gRPC has */
static struct by_id_head ids[1];
static size_t nserved;
static uint64_t last_id, nrefused;

/* --------------------------------------------------------------- sockets */

void relay_grpc_sessions_unlink(void)
{
	for (size_t i = 0; i < ndoors; i++)
		relay_grpc_listener_unlink(&doors[i].listener);
}

static void listeners_close(void)
{
	for (size_t i = 0; i < ndoors; i++) {
		EVENT_OFF(doors[i].t_accept);
		relay_grpc_listener_close(&doors[i].listener);
	}
	ndoors = 0;
}

bool relay_grpc_sessions_open(const struct relay_grpc_options *opts,
			      gid_t group, char *err, size_t len)
{
	options = opts;
	by_fd_init(fds);
	by_id_init(ids);
	if (opts->cert) {
		tls = relay_grpc_tls_new(opts->cert, opts->key, opts->client_ca,
					 err, len);
		if (!tls)
			return false;
	}
	for (size_t i = 0; i < opts->nlisten; i++) {
		struct relay_grpc_listener *l = &doors[ndoors++].listener;

		*l = (struct relay_grpc_listener){.addr = &opts->listen[i],
						  .fd = -1};
		if (!relay_grpc_listener_open(l, group, err, len)) {
			relay_grpc_sessions_stop();
			return false;
		}
	}
	return true;
}

/* -------------------------------------------------------------- sessions */

static void session_free(struct session *s)
{
	uint64_t id = s->id;
	bool greeted = s->greeted;

	EVENT_OFF(s->t_read);
	EVENT_OFF(s->t_greeting);
	frr_with_mutex (&mtx) {
		sessions_del(sessions, s);
		by_id_del(ids, s);
		if (greeted && by_fd_find(fds, s) == s)
			by_fd_del(fds, s);
		nserved -= s->served;
	}
	if (s->pump)
		relay_grpc_pump_free(s->pump);
	if (s->watch >= 0) {
		/* closing alone leaves it, as gRPC may still have the other */
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->watch, NULL);
		close(s->watch);
	}
	if (!s->greeted && s->fd >= 0)
		close(s->fd);
	XFREE(MTYPE_GRPC_SESSION, s);
	if (greeted)
		session_ops->ended(id);
}

/* fd is gRPC's from now on. */
static void session_serve(struct session *s, int fd)
{
	struct session *former;

	EVENT_OFF(s->t_greeting);
	s->fd = fd;
	s->used = monotime(NULL);
	s->greeted = true;
	frr_with_mutex (&mtx) {
		/* one that gRPC has closed, which is not known here yet */
		former = by_fd_find(fds, s);
		if (former)
			by_fd_del(fds, former);
		by_fd_add(fds, s);
	}
	session_ops->serve(fd);
}

static void on_greeting_timeout(struct frr_event *ev)
{
	session_free(EVENT_ARG(ev));
}

/* gRPC's end of it, to be told when that hangs up. */
static bool session_watch(struct session *s)
{
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET,
				    .data.ptr = s};

	s->watch = s->line = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
	return s->watch >= 0 &&
	       epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->watch, &event) == 0;
}

static void on_epoll(struct frr_event *ev)
{
	struct epoll_event events[16];
	int n = epoll_wait(epoll_fd, events, array_size(events), 0);

	for (int i = 0; i < n; i++)
		if (events[i].events & (EPOLLHUP | EPOLLERR))
			session_free(events[i].data.ptr);
	event_add_read(thread->master, on_epoll, NULL, epoll_fd, &t_epoll);
}

static void on_greeting(struct frr_event *ev)
{
	struct session *s = EVENT_ARG(ev);
	struct pollfd pfd = {.fd = s->fd, .events = POLLRDHUP};
	char text[PREFACE_LEN];
	ssize_t n = recv(s->fd, text, sizeof(text), MSG_PEEK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		event_add_read(thread->master, on_greeting, s, s->fd,
			       &s->t_read);
		return;
	}
	if (n <= 0 || memcmp(text, PREFACE, n)) {
		session_free(s);
		return;
	}
	if ((size_t)n < PREFACE_LEN && poll(&pfd, 1, 0) > 0) {
		session_free(s);
		return;
	}
	if ((size_t)n < PREFACE_LEN) {
		/* readable as it is, so time has to tell */
		event_add_timer_msec(thread->master, on_greeting, s,
				     GREETING_LOOK_MS, &s->t_read);
		return;
	}
	if (session_watch(s))
		session_serve(s, s->fd);
	else
		session_free(s);
}

static void on_tls_ready(void *arg, int fd, const char *name)
{
	struct session *s = arg;
	char addr[sizeof(s->peer)];

	strlcpy(addr, s->peer, sizeof(addr));
	snprintfrr(s->peer, sizeof(s->peer), "CN=%.60s@%.64s", name, addr);
	session_serve(s, fd);
}

static void on_tls_ended(void *arg)
{
	session_free(arg);
}

static const struct relay_grpc_pump_ops pump_ops = {
	.ready = on_tls_ready,
	.ended = on_tls_ended,
};

static void peer_text(int fd, const union sockunion *su, char *buf, size_t len)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	switch (su->sa.sa_family) {
	case AF_INET:
		snprintfrr(buf, len, "%pI4:%u", &su->sin.sin_addr,
			   ntohs(su->sin.sin_port));
		break;
	case AF_INET6:
		snprintfrr(buf, len, "[%pI6]:%u", &su->sin6.sin6_addr,
			   ntohs(su->sin6.sin6_port));
		break;
	default:
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
			strlcpy(buf, "unix", len);
		else
			snprintf(buf, len, "unix:uid=%u", cred.uid);
		break;
	}
}

/* A client whose machine is gone says nothing. Not by pings of HTTP/2: a
 * client's library that is asked nothing for a while does not answer them. */
static void tcp_setup(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 30},
		{IPPROTO_TCP, TCP_KEEPINTVL, 10},
		{IPPROTO_TCP, TCP_KEEPCNT, 3},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, 60 * 1000},
	};

	for (size_t i = 0; i < array_size(options); i++)
		setsockopt(fd, options[i].level, options[i].name,
			   &options[i].value, sizeof(options[i].value));
}

static void session_new(const struct relay_grpc_listener *l, int fd,
			const union sockunion *su)
{
	struct session *s = XCALLOC(MTYPE_GRPC_SESSION, sizeof(*s));
	bool inet = l->addr->sa.sa_family != AF_UNIX;

	s->fd = fd;
	s->watch = -1;
	peer_text(fd, su, s->peer, sizeof(s->peer));
	frr_with_mutex (&mtx) {
		s->id = ++last_id;
		sessions_add_tail(sessions, s);
		by_id_add(ids, s);
	}
	if (inet)
		tcp_setup(fd);
	event_add_timer(thread->master, on_greeting_timeout, s, GREETING_S,
			&s->t_greeting);
	if (!inet || !tls) {
		event_add_read(thread->master, on_greeting, s, fd, &s->t_read);
		return;
	}
	s->pump = relay_grpc_pump_new(tls, thread->master, fd, &pump_ops, s);
	if (!s->pump) {
		session_free(s);
		return;
	}
	s->line = fd;
	s->fd = -1;
}

/* Who has not begun to speak makes room for who might. */
static bool make_room(void)
{
	struct session *s;

	if (sessions_count(sessions) <
	    RELAY_GRPC_SESSIONS + RELAY_GRPC_OVERFLOW)
		return true;
	frr_with_mutex (&mtx)
		nrefused++;
	frr_each (sessions, sessions, s)
		if (!s->greeted) {
			session_free(s);
			return true;
		}
	return false;
}

static void on_accept(struct frr_event *ev)
{
	struct door *door = EVENT_ARG(ev);
	const struct relay_grpc_listener *l = &door->listener;
	union sockunion su = {};
	socklen_t len = sizeof(su);
	int fd;

	fd = accept4(l->fd, &su.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0 && make_room())
		session_new(l, fd, &su);
	else if (fd >= 0)
		close(fd);
	else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
		zlog_warn("gRPC: can't accept at %s: %s", l->addr->text,
			  safe_strerror(errno));
		zlog_tls_buffer_flush();
		/* out of descriptors or memory, which takes a while */
		event_add_timer(thread->master, on_accept, door, 1,
				&door->t_accept);
		return;
	}
	event_add_read(thread->master, on_accept, door, l->fd, &door->t_accept);
}

/* ---------------------------------------------------------------- thread */

void relay_grpc_drop_privileges(void)
{
	cap_t none = cap_init();

	if (!none || cap_set_proc(none) < 0)
		zlog_warn("gRPC: can't drop privileges: %s",
			  safe_strerror(errno));
	if (none)
		cap_free(none);
	zlog_tls_buffer_flush();
}

static void on_start(struct frr_event *ev)
{
	relay_grpc_drop_privileges();
	for (size_t i = 0; i < ndoors; i++)
		event_add_read(thread->master, on_accept, &doors[i],
			       doors[i].listener.fd, &doors[i].t_accept);
	event_add_read(thread->master, on_epoll, NULL, epoll_fd, &t_epoll);
}

static void sessions_close(void)
{
	struct session *s;

	while ((s = sessions_first(sessions)))
		session_free(s);
}

static void on_stop(struct frr_event *ev)
{
	EVENT_OFF(t_epoll);
	listeners_close();
	sessions_close();
}

int relay_grpc_sessions_start(const struct relay_grpc_session_ops *ops)
{
	int ret;

	session_ops = ops;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	thread = frr_pthread_new(NULL, "gRPC sessions", "relayd-grpc-io");
	event_add_event(thread->master, on_start, NULL, 0, NULL);
	ret = frr_pthread_run(thread, NULL);
	if (ret) {
		frr_pthread_destroy(thread);
		thread = NULL;
		return -ret;
	}
	frr_pthread_wait_running(thread);
	return 0;
}

void relay_grpc_sessions_stop(void)
{
	if (thread) {
		event_add_event(thread->master, on_stop, NULL, 0, NULL);
		frr_pthread_stop(thread, NULL);
		frr_pthread_destroy(thread);
		thread = NULL;
	} else {
		listeners_close();
	}
	if (epoll_fd >= 0)
		close(epoll_fd);
	epoll_fd = -1;
	relay_grpc_tls_free(tls);
	tls = NULL;
	by_fd_fini(fds);
	by_id_fini(ids);
}

/* -------------------------------------------------------------- questions */

/* The one that nobody has used for the longest, and for long enough. */
static struct session *longest_idle(void)
{
	time_t latest = monotime(NULL) - RELAY_GRPC_IDLE_SESSION_S;
	struct session *s, *found = NULL;

	frr_each (sessions, sessions, s)
		if (s->served && !s->calls && s->used <= latest) {
			found = s;
			latest = s->used;
		}
	return found;
}

/* Room for one more; what has to go for it is told by its end of the line. */
static bool served_make_room(void)
{
	struct session *s;

	if (nserved < RELAY_GRPC_SESSIONS)
		return true;
	s = longest_idle();
	if (!s)
		return false;
	s->served = false;
	nserved--;
	shutdown(s->line, SHUT_RDWR);
	return true;
}

bool relay_grpc_session_find(int fd, struct relay_grpc_session_info *out)
{
	struct session key = {.fd = fd}, *s;

	frr_with_mutex (&mtx) {
		s = by_fd_find(fds, &key);
		if (s) {
			/* there may be room by now */
			if (!s->served && served_make_room()) {
				s->served = true;
				nserved++;
			}
			s->calls++;
			out->id = s->id;
			out->served = s->served;
			strlcpy(out->peer, s->peer, sizeof(out->peer));
		}
	}
	return s != NULL;
}

void relay_grpc_session_done(uint64_t id)
{
	struct session key = {.id = id}, *s;

	frr_with_mutex (&mtx) {
		s = by_id_find(ids, &key);
		if (s) {
			s->calls--;
			s->used = monotime(NULL);
		}
	}
}

bool relay_grpc_session_alive(uint64_t id)
{
	struct session key = {.id = id}, *s;

	frr_with_mutex (&mtx)
		s = by_id_find(ids, &key);
	return s != NULL;
}

void relay_grpc_session_counts(struct relay_grpc_session_counts *out)
{
	frr_with_mutex (&mtx) {
		out->sessions = by_fd_count(fds);
		out->total = last_id;
		out->refused = nrefused;
	}
}

json_object *relay_grpc_sessions_json(void)
{
	json_object *all = json_object_new_array(), *one;

	for (size_t i = 0; i < ndoors; i++) {
		const struct relay_grpc_address *addr = doors[i].listener.addr;

		one = json_object_new_object();
		json_object_string_add(one, "address", addr->text);
		json_object_boolean_add(one, "tls",
					options->cert &&
						addr->sa.sa_family != AF_UNIX);
		json_object_array_add(all, one);
	}
	return all;
}
