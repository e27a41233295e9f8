// SPDX-License-Identifier: GPL-2.0-or-later
/* What there is to show of a relay: counters, checks, names. */
#include <zebra.h>

#include "relay.h"
#include "teredo_relay.h"

/* -------------------------------------------------------------- counters */

/* Of the relay's tunnel, which may have been made anew since the last clear. */
static void icmp_counters(struct relay *relay, struct tunnel_icmp_errors *out)
{
	struct tunnel_icmp_errors *base = &relay->cleared.icmp_errors;

	*out = relay->tun->icmp_errors;
	if (out->translated < base->translated ||
	    out->rate_limited < base->rate_limited ||
	    out->ignored < base->ignored)
		memset(base, 0, sizeof(*base));
	out->translated -= base->translated;
	out->rate_limited -= base->rate_limited;
	out->ignored -= base->ignored;
}

int relay_counters(struct relay *relay, struct tunnel_counters *out)
{
	struct tunnel_counters *base = &relay->cleared;
	int ret;

	memset(out, 0, sizeof(*out));
	if (!relay->tun || !relay->tun->created)
		return 0;
	ret = relay->tun->ops->counters(relay->tun, out);
	if (ret < 0)
		return ret;

	/* a new interface counts from zero again */
	if (out->rx_packets < base->rx_packets ||
	    out->tx_packets < base->tx_packets) {
		base->rx_packets = base->rx_bytes = 0;
		base->tx_packets = base->tx_bytes = 0;
		base->ndrops = 0;
	}
	out->rx_packets -= base->rx_packets;
	out->rx_bytes -= base->rx_bytes;
	out->tx_packets -= base->tx_packets;
	out->tx_bytes -= base->tx_bytes;
	for (size_t i = 0; i < out->ndrops; i++)
		for (size_t j = 0; j < base->ndrops; j++)
			if (!strcmp(out->drops[i].reason, base->drops[j].reason))
				out->drops[i].packets -=
					MIN(base->drops[j].packets,
					    out->drops[i].packets);
	icmp_counters(relay, &out->icmp_errors);
	return 0;
}

static void bubbles_now(const struct relay *relay, struct relay_bubbles *out)
{
	struct teredo_relay_stats stats;

	memset(out, 0, sizeof(*out));
	if (!relay->tun || tunnel_peers_stats(relay->tun, &stats) < 0)
		return;
	out->received = stats.bubbles_in;
	out->direct = stats.bubbles_direct_out;
	out->indirect = stats.bubbles_indirect_out;
	out->evicted = stats.evicted;
}

void relay_bubbles(struct relay *relay, struct relay_bubbles *out)
{
	struct relay_bubbles *base = &relay->bubbles_cleared;

	bubbles_now(relay, out);
	/* a new tunnel counts from zero again */
	if (out->received < base->received || out->direct < base->direct ||
	    out->indirect < base->indirect || out->evicted < base->evicted)
		memset(base, 0, sizeof(*base));
	out->received -= base->received;
	out->direct -= base->direct;
	out->indirect -= base->indirect;
	out->evicted -= base->evicted;
}

void relay_counters_clear(struct relay *relay)
{
	memset(&relay->cleared, 0, sizeof(relay->cleared));
	bubbles_now(relay, &relay->bubbles_cleared);
	if (!relay->tun || !relay->tun->created)
		return;
	relay->tun->ops->counters(relay->tun, &relay->cleared);
	relay->cleared.icmp_errors = relay->tun->icmp_errors;
}

/* ------------------------------------------------------------------- peers */

void relay_peers(const struct relay *relay, struct relay_peers *out)
{
	const struct tunnel_status *st;
	struct teredo_relay_stats stats;

	memset(out, 0, sizeof(*out));
	out->maximum = relay->cfg.peers_max;
	out->overload = "none";
	if (!relay->tun)
		return;
	st = &relay->tun->status;
	out->count = st->peers;
	out->trusted = st->peers_trusted;
	/* as of the last second, as what follows from it */
	if (st->overload)
		out->overload = st->overload;
	/* unless the engine does not answer */
	if (tunnel_peers_stats(relay->tun, &stats) == 0) {
		out->count = stats.peers;
		out->trusted = stats.peers_trusted;
	}
}

void relay_clear_peers(struct relay *relay)
{
	if (relay->tun)
		tunnel_peers_clear(relay->tun);
}

/* --------------------------------------------------------------- accessors */

const char *relay_mode_str(enum relay_mode mode)
{
	switch (mode) {
	case RELAY_MODE_NONE:
		return "none";
	case RELAY_MODE_6TO4:
		return "6to4";
	case RELAY_MODE_TEREDO:
		return "teredo";
	}
	assert(!"unknown mode");
}

const char *relay_datapath_str(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.datapath : "none";
}

ifindex_t relay_ifindex(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.ifindex : 0;
}

enum tunnel_check relay_check_interface(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.interface : TUNNEL_CHECK_PENDING;
}

enum tunnel_check relay_check_source(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.source : TUNNEL_CHECK_PENDING;
}

enum tunnel_check relay_check_forwarding(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.forwarding
			  : TUNNEL_CHECK_PENDING;
}

enum tunnel_check relay_check_socket(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.socket : TUNNEL_CHECK_PENDING;
}

enum tunnel_check relay_check_engine(const struct relay *relay)
{
	return relay->tun ? relay->tun->status.engine : TUNNEL_CHECK_PENDING;
}

enum tunnel_check relay_check_way(const struct relay *relay,
				  enum tunnel_way way)
{
	if (relay->tun)
		return relay->tun->status.self_test[way];
	return relay->cfg.self_test && tunnel_has_way(relay->cfg.direction, way)
		       ? TUNNEL_CHECK_PENDING
		       : TUNNEL_CHECK_OFF;
}

enum tunnel_check relay_check_self_test(const struct relay *relay)
{
	if (relay->tun)
		return relay_health_self_test(&relay->tun->status);
	return relay->cfg.self_test ? TUNNEL_CHECK_PENDING : TUNNEL_CHECK_OFF;
}

const char *relay_note(const struct relay *relay, char *buf, size_t len)
{
	char overload[TUNNEL_DETAIL_LEN];

	buf[0] = '\0';
	if (!relay->tun)
		return buf;
	strlcpy(buf, relay->tun->status.note, len);
	relay_health_overload(&relay->tun->status, overload, sizeof(overload));
	if (overload[0] && strcmp(overload, relay->detail)) {
		if (buf[0])
			strlcat(buf, "; ", len);
		strlcat(buf, overload, len);
	}
	return buf;
}

bool relay_uses_track(const struct relay *relay, uint16_t id)
{
	if (relay->cfg.track == id)
		return true;
	for (size_t i = 0; i < relay->nroutes; i++)
		if (relay->routes[i].cfg.track == id)
			return true;
	return false;
}
