// SPDX-License-Identifier: GPL-2.0-or-later
/* show relay: text for people, JSON for scripts. */
#include <zebra.h>

#include "command.h"
#include "lib/json.h"

#include "relay.h"
#include "relay_cli.h"
#include "relay_restart.h"
#include "relay_vty.h"
#include "track.h"

#ifndef VTYSH_EXTRACT_PL
#include "frrd-relay/relay_vty_clippy.c"
#endif

int relay_vty_no_such(struct vty *vty, const char *name, bool json)
{
	if (json)
		vty_json(vty, json_object_new_object());
	else
		vty_out(vty, "%% No relay %s\n", name);
	return CMD_WARNING;
}

int relay_vty_for_relays(struct vty *vty, const char *name, bool as_json,
			 void (*show)(struct vty *vty, struct relay *relay,
				      json_object *json))
{
	json_object *json = NULL;
	struct relay *relay;

	if (name && !relay_lookup(name))
		return relay_vty_no_such(vty, name, as_json);
	if (as_json)
		json = json_object_new_object();
	frr_each (relay_tree, relay_tree, relay)
		if (!name || !strcmp(name, relay->cfg.name))
			show(vty, relay, json);
	if (as_json)
		vty_json(vty, json);
	return CMD_SUCCESS;
}

/* ------------------------------------------------------------- show relay */

static const char *track_state_of(uint16_t id)
{
	struct track *trk = track_lookup(id);

	return track_state_str(trk ? trk->state : TRACK_STATE_DOWN);
}

static json_object *dampening_json(const struct relay *relay,
				   const struct relay_dampening *damp)
{
	json_object *json = json_object_new_object();
	struct relay_dampening_status status;

	relay_dampening_status(relay, damp, &status);
	json_object_int_add(json, "penalty", status.penalty);
	json_object_boolean_add(json, "suppressed", status.suppressed);
	json_object_int_add(json, "reuseInSeconds", status.reuse_s);
	json_object_int_add(json, "flaps", status.flaps);
	return json;
}

static json_object *routes_json(const struct relay *relay)
{
	json_object *array = json_object_new_array(), *json;
	const struct relay_route *route;

	for (size_t i = 0; i < relay->nroutes; i++) {
		route = &relay->routes[i];
		json = json_object_new_object();
		json_object_string_addf(json, "prefix", "%pFX",
					&route->cfg.prefix);
		json_object_boolean_add(json, "installed", route->installed);
		json_object_int_add(json, "distance", route->cfg.distance);
		json_object_int_add(json, "metric", route->cfg.metric);
		json_object_int_add(json, "tag", route->cfg.tag);
		if (route->cfg.track)
			json_object_int_add(json, "track", route->cfg.track);
		if (relay_route_note(route))
			json_object_string_add(json, "note",
					       relay_route_note(route));
		if (relay->cfg.dampening.enabled)
			json_object_object_add(
				json, "dampening",
				dampening_json(relay, &route->dampening));
		json_object_array_add(array, json);
	}
	return array;
}

/* The relay's own object first, then those of its routes, each once. */
static json_object *tracks_json(const struct relay *relay)
{
	json_object *array = json_object_new_array(), *json;
	bool seen[TRACK_ID_MAX + 1] = {};
	uint16_t id = relay->cfg.track;

	for (size_t i = 0; i <= relay->nroutes; i++) {
		if (i > 0)
			id = relay->routes[i - 1].cfg.track;
		if (!id || seen[id])
			continue;
		seen[id] = true;
		json = json_object_new_object();
		json_object_int_add(json, "id", id);
		json_object_string_add(json, "state", track_state_of(id));
		json_object_array_add(array, json);
	}
	return array;
}

static json_object *checks_json(const struct relay *relay)
{
	json_object *json = json_object_new_object();

	json_object_string_add(json, "interface",
			       tunnel_check_str(relay_check_interface(relay)));
	json_object_string_add(json, "source",
			       tunnel_check_str(relay_check_source(relay)));
	json_object_string_add(
		json, "forwarding",
		tunnel_check_str(relay_check_forwarding(relay)));
	json_object_string_add(json, "selfTest",
			       tunnel_check_str(relay_check_self_test(relay)));
	if (relay->cfg.mode == RELAY_MODE_TEREDO) {
		json_object_string_add(
			json, "socket",
			tunnel_check_str(relay_check_socket(relay)));
		json_object_string_add(
			json, "engine",
			tunnel_check_str(relay_check_engine(relay)));
	}
	return json;
}

/* Each way for itself: which check said so, and by where its probes go. */
static json_object *self_tests_json(const struct relay *relay)
{
	json_object *json = json_object_new_object(), *one;
	const struct tunnel_self_test *st;
	const char *detail;

	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++) {
		one = json_object_new_object();
		json_object_string_add(
			one, "state",
			tunnel_check_str(relay_check_way(relay, way)));
		if (relay->tun) {
			st = &relay->tun->st[way];
			detail = relay->tun->status.self_test_detail[way];
			json_object_int_add(one, "sent", st->sent);
			json_object_int_add(one, "received", st->seen);
			json_object_int_add(one, "lostInRow", st->lost);
			if (st->uplink)
				json_object_string_add(
					one, "interface",
					tunnel_link_name(st->uplink));
			if (detail[0])
				json_object_string_add(one, "detail", detail);
		}
		json_object_object_add(json, tunnel_way_str(way), one);
	}
	return json;
}

static const char *direction_str(enum tunnel_direction direction)
{
	switch (direction) {
	case TUNNEL_DIR_BOTH:
		return "both";
	case TUNNEL_DIR_RECEIVE:
		return "receive";
	case TUNNEL_DIR_TRANSMIT:
		return "transmit";
	}
	assert(!"unknown direction");
}

static json_object *peers_json(const struct relay *relay)
{
	json_object *json = json_object_new_object();
	struct relay_peers peers;

	relay_peers(relay, &peers);
	json_object_int_add(json, "count", peers.count);
	json_object_int_add(json, "trusted", peers.trusted);
	json_object_int_add(json, "maximum", peers.maximum);
	json_object_string_add(json, "overload", peers.overload);
	return json;
}

static void show_relay_json(struct vty *vty, struct relay *relay,
			    json_object *all)
{
	const struct relay_config *cfg = &relay->cfg;
	json_object *json = json_object_new_object();
	const struct in_addr *transmit = cfg->has_transmit_source
						 ? &cfg->transmit_source
						 : &cfg->source;
	char note[RELAY_NOTE_LEN];

	if (cfg->description[0])
		json_object_string_add(json, "description", cfg->description);
	json_object_string_add(json, "mode", relay_mode_str(cfg->mode));
	json_object_string_add(json, "adminStatus",
			       cfg->enabled ? "up" : "down");
	json_object_string_add(json, "operStatus", relay_oper_str(relay->oper));
	json_object_string_add(json, "reason", relay_reason_str(relay->reason));
	if (relay->detail[0])
		json_object_string_add(json, "detail", relay->detail);
	relay_vty_json_time(json, "since", relay->since);
	json_object_int_add(json, "transitions", relay->transitions);
	json_object_string_add(json, "interface", relay_config_ifname(cfg));
	json_object_int_add(json, "ifIndex", relay_ifindex(relay));
	if (cfg->has_source)
		json_object_string_addf(json, "tunnelSource", "%pI4",
					&cfg->source);
	if (cfg->has_source || cfg->has_transmit_source)
		json_object_string_addf(json, "transmitSource", "%pI4",
					transmit);
	if (cfg->mode == RELAY_MODE_TEREDO)
		json_object_int_add(json, "udpPort", cfg->udp_port);
	json_object_string_add(json, "direction",
			       direction_str(cfg->direction));
	json_object_string_add(json, "datapath", relay_datapath_str(relay));
	json_object_int_add(json, "ttl", cfg->ttl);
	json_object_int_add(json, "mtu", cfg->mtu);
	if (relay_note(relay, note, sizeof(note))[0])
		json_object_string_add(json, "note", note);
	if (cfg->dampening.enabled)
		json_object_object_add(
			json, "dampening",
			dampening_json(relay, &relay->dampening));
	if (cfg->mode == RELAY_MODE_TEREDO)
		json_object_object_add(json, "peers", peers_json(relay));
	json_object_object_add(json, "routes", routes_json(relay));
	json_object_object_add(json, "tracks", tracks_json(relay));
	json_object_object_add(json, "checks", checks_json(relay));
	json_object_object_add(json, "selfTests", self_tests_json(relay));
	json_object_object_add(all, cfg->name, json);
}

static unsigned int routes_installed(const struct relay *relay)
{
	unsigned int n = 0;

	for (size_t i = 0; i < relay->nroutes; i++)
		n += relay->routes[i].installed;
	return n;
}

static void show_relay_line(struct vty *vty, struct relay *relay,
			    json_object *all)
{
	char since[32], routes[16], source[INET_ADDRSTRLEN] = "-";

	if (relay->cfg.has_source)
		inet_ntop(AF_INET, &relay->cfg.source, source, sizeof(source));
	snprintf(routes, sizeof(routes), "%u/%zu", routes_installed(relay),
		 relay->nroutes);
	vty_out(vty, "%-15s %-6s %-5s %-11s %-18s %-15s %-6s %s\n",
		relay->cfg.name, relay_mode_str(relay->cfg.mode),
		relay->cfg.enabled ? "up" : "down", relay_oper_str(relay->oper),
		relay_reason_str(relay->reason), source, routes,
		relay_vty_ago(relay->since, since, sizeof(since)));
}

static void show_dampening(struct vty *vty, const struct relay *relay,
			   const struct relay_dampening *damp)
{
	struct relay_dampening_status status;

	relay_dampening_status(relay, damp, &status);
	vty_out(vty, "Penalty %u after %u flap%s, ", status.penalty,
		status.flaps, status.flaps == 1 ? "" : "s");
	if (status.suppressed)
		vty_out(vty, "suppressed, reuse in %02u:%02u:%02u",
			status.reuse_s / 3600, status.reuse_s / 60 % 60,
			status.reuse_s % 60);
	else
		vty_out(vty, "not suppressed");
}

static void show_relay_dampening(struct vty *vty, const struct relay *relay)
{
	const struct relay_dampening_config *cfg = &relay->cfg.dampening;

	if (!cfg->enabled)
		return;
	vty_out(vty,
		"  Dampening half-life %u min, reuse %u, suppress %u, max-suppress %u min\n    ",
		cfg->half_life_min, cfg->reuse, cfg->suppress,
		cfg->max_suppress_min);
	show_dampening(vty, relay, &relay->dampening);
	vty_out(vty, "\n");
}

static void show_relay_routes(struct vty *vty, const struct relay *relay)
{
	const struct relay_route *route;

	for (size_t i = 0; i < relay->nroutes; i++) {
		route = &relay->routes[i];
		vty_out(vty, "  Route %pFX %s, distance %u, metric %u, tag %u",
			&route->cfg.prefix,
			route->installed ? "installed"
			: !route->sent	 ? "withdrawn"
			: relay->resumed ? "kept over the restart"
					 : "not installed",
			route->cfg.distance, route->cfg.metric, route->cfg.tag);
		if (route->cfg.track)
			vty_out(vty, ", track %u is %s", route->cfg.track,
				track_state_of(route->cfg.track));
		if (relay_route_note(route))
			vty_out(vty, " (%s)", relay_route_note(route));
		vty_out(vty, "\n");
		/* most never flap by themselves */
		if (relay->cfg.dampening.enabled && route->dampening.flaps) {
			vty_out(vty, "    ");
			show_dampening(vty, relay, &route->dampening);
			vty_out(vty, "\n");
		}
	}
}

static void show_relay_full(struct vty *vty, struct relay *relay,
			    json_object *all)
{
	const struct relay_config *cfg = &relay->cfg;
	char since[32], at[RELAY_TIME_LEN], note[RELAY_NOTE_LEN];
	struct relay_peers peers;

	vty_out(vty, "Relay %s is %s, %s%s%s\n", cfg->name,
		relay_oper_str(relay->oper), relay_reason_str(relay->reason),
		relay->detail[0] ? ": " : "", relay->detail);
	vty_out(vty, "  Administratively %s, last change %s (%s ago), %u transitions\n",
		cfg->enabled ? "up" : "down", relay_time_str(relay->since, at),
		relay_vty_ago(relay->since, since, sizeof(since)), relay->transitions);
	if (cfg->description[0])
		vty_out(vty, "  Description: %s\n", cfg->description);
	vty_out(vty, "  Mode %s, datapath %s, direction %s\n",
		relay_mode_str(cfg->mode), relay_datapath_str(relay),
		direction_str(cfg->direction));
	vty_out(vty, "  Interface %s, index %d, MTU %u, TTL %u\n",
		relay_config_ifname(cfg), relay_ifindex(relay), cfg->mtu,
		cfg->ttl);
	if (cfg->has_source && cfg->mode == RELAY_MODE_TEREDO)
		vty_out(vty, "  Tunnel source %pI4, UDP port %u\n",
			&cfg->source, cfg->udp_port);
	else if (cfg->has_source)
		vty_out(vty, "  Tunnel source %pI4, transmit source %pI4\n",
			&cfg->source,
			cfg->has_transmit_source ? &cfg->transmit_source
						 : &cfg->source);
	if (cfg->mode == RELAY_MODE_TEREDO) {
		relay_peers(relay, &peers);
		vty_out(vty, "  Peers %u of %u, %u trusted\n", peers.count,
			peers.maximum, peers.trusted);
	}
	vty_out(vty, "  Checks: interface %s, source %s, forwarding %s, ",
		tunnel_check_str(relay_check_interface(relay)),
		tunnel_check_str(relay_check_source(relay)),
		tunnel_check_str(relay_check_forwarding(relay)));
	if (cfg->mode == RELAY_MODE_TEREDO)
		vty_out(vty, "socket %s, engine %s, ",
			tunnel_check_str(relay_check_socket(relay)),
			tunnel_check_str(relay_check_engine(relay)));
	vty_out(vty, "self-test %s",
		tunnel_check_str(relay_check_self_test(relay)));
	if (relay_check_way(relay, TUNNEL_WAY_4TO6) !=
	    relay_check_way(relay, TUNNEL_WAY_6TO4))
		vty_out(vty, " (4to6 %s, 6to4 %s)",
			tunnel_check_str(
				relay_check_way(relay, TUNNEL_WAY_4TO6)),
			tunnel_check_str(
				relay_check_way(relay, TUNNEL_WAY_6TO4)));
	vty_out(vty, "\n");
	for (enum tunnel_way way = 0; relay->tun && way < TUNNEL_WAYS; way++)
		/* the first one is above already */
		if (relay->tun->status.self_test_detail[way][0] &&
		    strcmp(relay->tun->status.self_test_detail[way],
			   relay->detail) != 0)
			vty_out(vty, "  %s\n",
				relay->tun->status.self_test_detail[way]);
	if (cfg->track)
		vty_out(vty, "  Track %u is %s\n", cfg->track,
			track_state_of(cfg->track));
	if (cfg->delay_up_s)
		vty_out(vty, "  Delay up %u s%s\n", cfg->delay_up_s,
			relay->t_delay ? ", running" : "");
	show_relay_dampening(vty, relay);
	show_relay_routes(vty, relay);
	if (relay_note(relay, note, sizeof(note))[0])
		vty_out(vty, "  Note: %s\n", note);
}

const char *relay_vty_meant_as_name(const char *name, struct cmd_token *argv[],
				    int argc, const char *keyword)
{
	if (name || argc < 3 || !strcmp(argv[2]->arg, keyword) ||
	    !relay_lookup(argv[2]->arg))
		return NULL;
	return argv[2]->arg;
}

int relay_vty_show_named(struct vty *vty, const char *name, bool json)
{
	return relay_vty_for_relays(vty, name, json,
				    json ? show_relay_json : show_relay_full);
}

DEFPY(show_relay, show_relay_cmd,
	"show relay [RELAYNAME$name] [json$json]",
	SHOW_STR
	RELAY_VTY_STR
	RELAY_VTY_NAME_STR
	JSON_STR)
{
	const char *meant = relay_vty_meant_as_name(name, argv, argc, "json");

	if (meant)
		return relay_vty_show_named(vty, meant, false);
	if (json || name)
		return relay_vty_show_named(vty, name, !!json);
	vty_out(vty, "%-15s %-6s %-5s %-11s %-18s %-15s %-6s %s\n", "Name",
		"Mode", "Admin", "Status", "Reason", "Source", "Routes",
		"Since");
	relay_vty_for_relays(vty, NULL, false, show_relay_line);
	if (relay_restart_time())
		vty_out(vty, "\nGraceful restart: routes stay for %u s over a stop of relayd\n",
			relay_restart_time());
	return CMD_SUCCESS;
}

void relay_vty_init(void)
{
	install_element(VIEW_NODE, &show_relay_cmd);
}
