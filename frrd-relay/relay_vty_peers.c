// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * show relay NAME peers, clear relay peers.
 *
 * A million peers are 100 MB and more of text. They are written as the reader
 * takes them, some hundred at a time: in between, the main thread does what
 * else there is to do, and no more than that waits in memory. The vty is told
 * that the command is suspended; what it says at the end, the return code as
 * vtysh expects it, is written here. The session's descriptor is duplicated, so
 * that nothing happens to a reader that goes away but an error on it.
 *
 * That is for vtysh. A telnet session can't be suspended: its command prints
 * the first ones and how many there are.
 */
#include <zebra.h>

#include <fcntl.h>

#include "buffer.h"
#include "command.h"
#include "network.h"
#include "northbound_cli.h"
#include "printfrr.h"
#include "typesafe.h"

#include "relay.h"
#include "relay_cli.h"
#include "relay_memory.h"
#include "relay_vty.h"
#include "relay_watchdog.h"
#include "teredo_relay.h"

#ifndef VTYSH_EXTRACT_PL
#include "frrd-relay/relay_vty_peers_clippy.c"
#endif

DEFINE_MTYPE_STATIC(RELAYD, RELAY_PEERS_SHOW, "Relay peers being shown");

/* asked of the engine at once, which does nothing else meanwhile */
#define PEERS_CHUNK 128
/* of a session that can't be suspended */
#define PEERS_SYNC_MAX 4096
#define PEER_TEXT_LEN  512

PREDECL_DLIST(shows);

enum show_stage {
	SHOW_PEERS,
	SHOW_END,
};

struct show {
	struct shows_item item;
	char name[RELAY_NAME_MAX + 1];
	uint16_t tunnel; /* tunnel.st_id: another one starts from nothing */
	bool json;
	uint32_t cursor, count;
	uint32_t limit, more; /* those beyond, which are not shown */
	enum show_stage stage;
	int fd;
	struct buffer *obuf;
	struct frr_event *t_write;
};

DECLARE_DLIST(shows, struct show, item);

static struct shows_head shows[1] = {INIT_DLIST(shows[0])};
static struct frr_loop *show_loop;

/* ------------------------------------------------------------------ output */

PRINTFRR(2, 3)
static void put(struct show *show, const char *fmt, ...)
{
	char text[PEER_TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintfrr(text, sizeof(text), fmt, ap);
	va_end(ap);
	buffer_putstr(show->obuf, text);
}

/* "3.2s"; "-": never */
static const char *age_text(int64_t ms, char *buf, size_t len)
{
	if (ms < 0)
		return "-";
	snprintf(buf, len, "%" PRId64 ".%" PRId64 "s", ms / 1000,
		 ms % 1000 / 100);
	return buf;
}

static void put_peer_text(struct show *show,
			  const struct teredo_peer_info *peer)
{
	char addr[INET6_ADDRSTRLEN], mapped[INET_ADDRSTRLEN + 6], rx[24],
		tx[24];

	snprintfrr(mapped, sizeof(mapped), "%pI4:%u", &peer->mapped,
		   peer->port);
	put(show, "  %-38s %-21s %-11s %8s %8s %7u %6u\n",
	    inet_ntop(AF_INET6, &peer->addr, addr, sizeof(addr)), mapped,
	    teredo_peer_state_str(peer->state),
	    age_text(peer->rx_age_ms, rx, sizeof(rx)),
	    age_text(peer->tx_age_ms, tx, sizeof(tx)), peer->bubbles,
	    peer->queued);
}

static void put_peer_json(struct show *show,
			  const struct teredo_peer_info *peer)
{
	put(show,
	    "%s\n      \"%pI6\":{\"server\":\"%pI4\",\"mappedAddress\":\"%pI4\",\"mappedPort\":%u,\"state\":\"%s\",\"lastRxMsec\":%" PRId64
	    ",\"lastTxMsec\":%" PRId64 ",\"bubbles\":%u,\"queued\":%u}",
	    show->count ? "," : "", &peer->addr, &peer->server, &peer->mapped,
	    peer->port, teredo_peer_state_str(peer->state), peer->rx_age_ms,
	    peer->tx_age_ms, peer->bubbles, peer->queued);
}

static void put_peer(struct show *show, const struct teredo_peer_info *peer)
{
	if (show->json) {
		put_peer_json(show, peer);
	} else {
		if (!show->count)
			put(show, "  %-38s %-21s %-11s %8s %8s %7s %6s\n",
			    "Peer", "Mapped address", "State", "Received",
			    "Sent", "Bubbles", "Queued");
		put_peer_text(show, peer);
	}
	show->count++;
}

static void put_head(struct show *show, const struct relay *relay)
{
	struct relay_peers peers;

	relay_peers(relay, &peers);
	if (show->json)
		put(show, "{\n  \"%s\":{\n    \"peers\":{", show->name);
	else
		put(show, "Relay %s, %u of %u peers, %u trusted\n", show->name,
		    peers.count, peers.maximum, peers.trusted);
}

/* Returns the code of the command. */
static int put_end(struct show *show, const struct relay *relay, int error)
{
	struct relay_peers peers = {.overload = "none"};

	show->stage = SHOW_END;
	if (relay)
		relay_peers(relay, &peers);
	if (show->count == show->limit)
		show->more = MAX(peers.count, show->count) - show->count;
	if (show->json) {
		put(show,
		    "%s},\n    \"count\":%u,\n    \"maximum\":%u,\n    \"overload\":\"%s\"\n  }\n}\n",
		    show->count ? "\n    " : "", show->count + show->more,
		    peers.maximum, peers.overload);
	} else if (error == -ENOENT) {
		put(show, "%% Relay %s has gone, or its tunnel is another\n",
		    show->name);
	} else if (error < 0) {
		put(show, "%% The Teredo engine of relay %s does not answer\n",
		    show->name);
	}
	return error < 0 ? CMD_WARNING : CMD_SUCCESS;
}

/* The next ones, or the end. Returns false there, with the code of the command.
 */
static bool put_chunk(struct show *show, int *code)
{
	struct teredo_peer_info peers[PEERS_CHUNK];
	struct relay *relay = relay_lookup(show->name);
	int n = 0;

	if (!relay || !relay->tun || relay->tun->st_id != show->tunnel)
		/* what had no tunnel has no peers */
		n = show->tunnel ? -ENOENT : 0;
	else if (show->count < show->limit)
		n = tunnel_peers_next(relay->tun, &show->cursor, peers,
				      MIN(PEERS_CHUNK,
					  show->limit - show->count));
	for (int i = 0; i < n; i++)
		put_peer(show, &peers[i]);
	if (n > 0)
		return true;
	*code = put_end(show, relay, n);
	return false;
}

/* ------------------------------------------------------- a suspended session */

static void show_free(struct show *show)
{
	shows_del(shows, show);
	EVENT_OFF(show->t_write);
	if (show->fd >= 0)
		close(show->fd);
	buffer_free(show->obuf);
	XFREE(MTYPE_RELAY_PEERS_SHOW, show);
}

static void show_write(struct frr_event *ev)
{
	struct show *show = EVENT_ARG(ev);
	uint8_t reply[4] = {};
	int code;

	switch (buffer_flush_available(show->obuf, show->fd)) {
	case BUFFER_ERROR: /* nobody reads any more */
		show_free(show);
		return;
	case BUFFER_PENDING:
		break;
	case BUFFER_EMPTY:
		if (show->stage == SHOW_END) {
			show_free(show);
			return;
		}
		if (!put_chunk(show, &code)) {
			reply[3] = code;
			buffer_put(show->obuf, reply, sizeof(reply));
		}
		break;
	}
	event_add_write(show_loop, show_write, show, show->fd, &show->t_write);
}

/* What the session has printed before goes first. */
static bool can_suspend(struct vty *vty)
{
	return vty->type == VTY_SHELL_SERV && !vty->filter &&
	       buffer_flush_all(vty->obuf, vty->wfd) == BUFFER_EMPTY;
}

static int show_suspended(struct show *show, struct vty *vty)
{
	show->fd = fcntl(vty->wfd, F_DUPFD_CLOEXEC, 0);
	if (show->fd < 0) {
		vty_out(vty, "%% %s\n", safe_strerror(errno));
		show_free(show);
		return CMD_WARNING;
	}
	event_add_write(show_loop, show_write, show, show->fd, &show->t_write);
	return CMD_SUSPEND;
}

static int show_at_once(struct show *show, struct vty *vty)
{
	char *text;
	int code;
	bool more;

	show->limit = PEERS_SYNC_MAX;
	do {
		more = put_chunk(show, &code);
		text = buffer_getstr(show->obuf);
		buffer_reset(show->obuf);
		vty_out(vty, "%s", text);
		XFREE(MTYPE_TMP, text);
		relay_watchdog_kick();
	} while (more);
	if (show->more && !show->json)
		vty_out(vty, "%% %u more: vtysh shows them\n", show->more);
	show_free(show);
	return code;
}

static int show_peers(struct vty *vty, struct relay *relay, bool json)
{
	struct show *show = XCALLOC(MTYPE_RELAY_PEERS_SHOW, sizeof(*show));

	strlcpy(show->name, relay->cfg.name, sizeof(show->name));
	show->tunnel = relay->tun ? relay->tun->st_id : 0;
	show->json = json;
	show->limit = UINT32_MAX;
	show->fd = -1;
	show->obuf = buffer_new(0);
	shows_add_tail(shows, show);
	put_head(show, relay);
	return can_suspend(vty) ? show_suspended(show, vty)
				: show_at_once(show, vty);
}

/* ---------------------------------------------------------------- commands */

/* A relay that has peers, or NULL after one line that says why not. */
static struct relay *teredo_relay_named(struct vty *vty, const char *name,
					bool json)
{
	struct relay *relay = relay_lookup(name);

	if (relay && relay->cfg.mode == RELAY_MODE_TEREDO)
		return relay;
	if (!relay)
		relay_vty_no_such(vty, name, json);
	else if (json)
		vty_out(vty, "{}\n");
	else
		vty_out(vty, "%% Relay %s is not a Teredo relay\n", name);
	return NULL;
}

DEFPY(show_relay_peers, show_relay_peers_cmd,
	"show relay RELAYNAME$name peers [json$json]",
	SHOW_STR
	RELAY_VTY_STR
	RELAY_VTY_NAME_STR
	"Teredo clients that the relay knows\n"
	JSON_STR)
{
	struct relay *relay = teredo_relay_named(vty, name, !!json);

	return relay ? show_peers(vty, relay, !!json) : CMD_WARNING;
}

DEFPY(clear_relay_peers, clear_relay_peers_cmd,
	"clear relay [RELAYNAME$name] peers",
	CLEAR_STR
	RELAY_VTY_STR
	RELAY_VTY_NAME_STR
	"Teredo clients that the relay knows: they are met anew\n")
{
	if (name && !teredo_relay_named(vty, name, false))
		return CMD_WARNING;
	return relay_vty_rpc(vty, "clear-peers", name);
}

void relay_vty_peers_init(struct frr_loop *loop)
{
	show_loop = loop;
	install_element(VIEW_NODE, &show_relay_peers_cmd);
	install_element(ENABLE_NODE, &clear_relay_peers_cmd);
}

void relay_vty_peers_fini(void)
{
	struct show *show;

	frr_each_safe (shows, shows, show)
		show_free(show);
}
