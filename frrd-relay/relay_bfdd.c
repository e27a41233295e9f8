// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <sys/un.h>

#include "log.h"

#include "relay_bfdd.h"
#include "relay_debug.h"

/* How soon a bfdd that was started is found. */
#define BFDD_CONNECT_MS 250
#define BFDD_PING_MS 1000
/*
 * bfdd has one thread: while it does not answer it sends no packets either, and
 * the peer of any session that is fast enough to be of use has given it up.
 */
#define BFDD_SILENCE_PINGS 4

/* The one line that `log commands` leaves out; a vty's line ends with a NUL. */
static const char ping[] = "echo PING";

static struct frr_loop *loop;
static char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
static void (*on_change)(enum relay_bfdd_state state);
static int sock = -1;
static enum relay_bfdd_state state;
static unsigned int unanswered;
static bool answered; /* on this connection */
static struct frr_event *t_read, *t_timer;

static void timer(struct frr_event *ev);

static void set_state(enum relay_bfdd_state now)
{
	if (state == now)
		return;
	state = now;
	switch (now) {
	case RELAY_BFDD_GONE:
		zlog_warn("bfd: bfdd is gone");
		break;
	case RELAY_BFDD_MUTE:
		zlog_warn("bfd: bfdd does not answer");
		break;
	case RELAY_BFDD_ALIVE:
		zlog_info("bfd: bfdd is alive");
		break;
	}
	if (on_change)
		on_change(now);
}

static void hang_up(void)
{
	EVENT_OFF(t_read);
	if (sock >= 0)
		close(sock);
	sock = -1;
}

static void send_ping(void)
{
	unanswered++;
	if (send(sock, ping, sizeof(ping), MSG_NOSIGNAL) < 0)
		DEBUGD(&relay_dbg_track, "bfd: ping of bfdd: %s",
		       safe_strerror(errno));
}

static void answer(struct frr_event *ev);

static bool connect_vty(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return false;
	strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		hang_up();
		return false;
	}
	unanswered = 0;
	answered = false;
	event_add_read(loop, answer, NULL, sock, &t_read);
	send_ping();
	return true;
}

static void answer(struct frr_event *ev)
{
	char buf[512];
	ssize_t n;

	n = recv(sock, buf, sizeof(buf), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		event_add_read(loop, answer, NULL, sock, &t_read);
		return;
	}
	if (n > 0) {
		event_add_read(loop, answer, NULL, sock, &t_read);
		unanswered = 0;
		answered = true;
		set_state(RELAY_BFDD_ALIVE);
		return;
	}
	/* bfdd may close a vty and live: then the next one opens at once; but
	 * not over and over, where each is closed without a word */
	hang_up();
	if (answered && connect_vty())
		return;
	EVENT_OFF(t_timer);
	event_add_timer_msec(loop, timer, NULL, BFDD_CONNECT_MS, &t_timer);
	set_state(RELAY_BFDD_GONE);
}

static void timer(struct frr_event *ev)
{
	if (sock < 0) {
		connect_vty();
	} else if (!unanswered) {
		send_ping();
	} else {
		/* one ping at a time: they would fill a hung bfdd's buffer */
		if (unanswered >= BFDD_SILENCE_PINGS)
			set_state(RELAY_BFDD_MUTE);
		unanswered++;
	}
	event_add_timer_msec(loop, timer, NULL,
			     sock >= 0 ? BFDD_PING_MS : BFDD_CONNECT_MS,
			     &t_timer);
}

void relay_bfdd_init(struct frr_loop *main_loop, const char *vty_dir)
{
	loop = main_loop;
	snprintf(path, sizeof(path), "%s/bfdd.vty", vty_dir);
}

void relay_bfdd_watch(void (*changed)(enum relay_bfdd_state state))
{
	on_change = changed;
	/* from the loop: a dry run never gets there */
	event_add_timer_msec(loop, timer, NULL, 0, &t_timer);
}

void relay_bfdd_unwatch(void)
{
	EVENT_OFF(t_timer);
	hang_up();
	on_change = NULL;
	state = RELAY_BFDD_GONE;
}

enum relay_bfdd_state relay_bfdd_state(void)
{
	return state;
}
