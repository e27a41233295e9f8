// SPDX-License-Identifier: GPL-2.0-or-later
/* show and clear relay counters, dampening, history. */
#include <zebra.h>

#include "command.h"
#include "lib/json.h"
#include "northbound.h"

#include "compat.h"
#include "relay.h"
#include "relay_cli.h"
#include "relay_vty.h"

#ifndef VTYSH_EXTRACT_PL
#include "frrd-relay/relay_vty_counters_clippy.c"
#endif

int relay_vty_rpc(struct vty *vty, const char *rpc, const char *name)
{
	struct list *in = yang_data_list_new(), *out = yang_data_list_new();
	char xpath[XPATH_MAXLEN], leaf[XPATH_MAXLEN], err[BUFSIZ] = "";
	int ret;

	snprintf(xpath, sizeof(xpath), "/frr-relay:%s", rpc);
	snprintf(leaf, sizeof(leaf), "/frr-relay:%s/input/name", rpc);
	if (name)
		listnode_add(in, yang_data_new_string(leaf, name));
	ret = compat_rpc_call(nb_node_find(xpath), xpath, in, out, err,
			      sizeof(err));
	list_delete(&in);
	list_delete(&out);
	if (ret == NB_OK)
		return CMD_SUCCESS;
	vty_out(vty, "%% %s\n", err[0] ? err : nb_err_name(ret));
	return CMD_WARNING;
}

/* --------------------------------------------------------------- counters */

static json_object *bubbles_json(struct relay *relay)
{
	json_object *json = json_object_new_object();
	struct relay_bubbles bubbles;

	relay_bubbles(relay, &bubbles);
	json_object_int_add(json, "received", bubbles.received);
	json_object_int_add(json, "sentDirect", bubbles.direct);
	json_object_int_add(json, "sentIndirect", bubbles.indirect);
	json_object_int_add(json, "peersPushedOut", bubbles.evicted);
	return json;
}

static void bubbles_text(struct vty *vty, struct relay *relay)
{
	struct relay_bubbles bubbles;

	relay_bubbles(relay, &bubbles);
	vty_out(vty,
		"  Bubbles: %" PRIu64 " received, %" PRIu64
		" sent to clients, %" PRIu64
		" by way of their servers; peers pushed out: %" PRIu64 "\n",
		bubbles.received, bubbles.direct, bubbles.indirect,
		bubbles.evicted);
}

static void counters_json(struct vty *vty, struct relay *relay,
			  json_object *all)
{
	json_object *json = json_object_new_object(), *part;
	struct tunnel_counters counters;

	relay_counters(relay, &counters);
	part = json_object_new_object();
	json_object_int_add(part, "packets", counters.rx_packets);
	json_object_int_add(part, "bytes", counters.rx_bytes);
	json_object_object_add(json, "rx4to6", part);
	part = json_object_new_object();
	json_object_int_add(part, "packets", counters.tx_packets);
	json_object_int_add(part, "bytes", counters.tx_bytes);
	json_object_object_add(json, "tx6to4", part);
	part = json_object_new_object();
	for (size_t i = 0; i < counters.ndrops; i++)
		json_object_int_add(part, counters.drops[i].reason,
				    counters.drops[i].packets);
	json_object_object_add(json, "drops", part);
	part = json_object_new_object();
	json_object_int_add(part, "translated",
			    counters.icmp_errors.translated);
	json_object_int_add(part, "rateLimited",
			    counters.icmp_errors.rate_limited);
	json_object_int_add(part, "ignored", counters.icmp_errors.ignored);
	json_object_object_add(json, "icmpErrors", part);
	if (relay->cfg.mode == RELAY_MODE_TEREDO)
		json_object_object_add(json, "bubbles", bubbles_json(relay));
	json_object_object_add(all, relay->cfg.name, json);
}

static void counters_text(struct vty *vty, struct relay *relay,
			  json_object *all)
{
	struct tunnel_counters counters;

	relay_counters(relay, &counters);
	vty_out(vty, "Relay %s\n", relay->cfg.name);
	vty_out(vty, "  IPv4 to IPv6: %" PRIu64 " packets, %" PRIu64 " bytes\n",
		counters.rx_packets, counters.rx_bytes);
	vty_out(vty, "  IPv6 to IPv4: %" PRIu64 " packets, %" PRIu64 " bytes\n",
		counters.tx_packets, counters.tx_bytes);
	for (size_t i = 0; i < counters.ndrops; i++)
		vty_out(vty, "  Dropped, %s: %" PRIu64 " packets\n",
			counters.drops[i].reason, counters.drops[i].packets);
	vty_out(vty,
		"  ICMPv4 errors: %" PRIu64 " told to the senders, %" PRIu64
		" too many, %" PRIu64 " ignored\n",
		counters.icmp_errors.translated,
		counters.icmp_errors.rate_limited,
		counters.icmp_errors.ignored);
	if (relay->cfg.mode == RELAY_MODE_TEREDO)
		bubbles_text(vty, relay);
}

DEFPY(show_relay_counters, show_relay_counters_cmd,
	"show relay [RELAYNAME$name] counters [json$json]",
	SHOW_STR
	RELAY_VTY_STR
	RELAY_VTY_NAME_STR
	"Packets and bytes by direction, drops by reason\n"
	JSON_STR)
{
	const char *meant = relay_vty_meant_as_name(name, argv, argc, "counters");

	if (meant)
		return relay_vty_show_named(vty, meant, !!json);
	return relay_vty_for_relays(vty, name, !!json,
			  json ? counters_json : counters_text);
}

DEFPY(clear_relay_counters, clear_relay_counters_cmd,
	"clear relay [RELAYNAME$name] counters",
	CLEAR_STR
	RELAY_VTY_STR
	RELAY_VTY_NAME_STR
	"Packets and bytes by direction, drops by reason\n")
{
	struct relay *relay;

	if (name && !relay_lookup(name))
		return relay_vty_no_such(vty, name, false);
	frr_each (relay_tree, relay_tree, relay)
		if (!name || !strcmp(name, relay->cfg.name))
			relay_counters_clear(relay);
	return CMD_SUCCESS;
}

/* -------------------------------------------------------------- dampening */

DEFPY(clear_relay_dampening, clear_relay_dampening_cmd,
	"clear relay [RELAYNAME$name] dampening",
	CLEAR_STR
	RELAY_VTY_STR
	RELAY_VTY_NAME_STR
	"Penalties; what is held back for them is announced again\n")
{
	if (name && !relay_lookup(name))
		return relay_vty_no_such(vty, name, false);
	return relay_vty_rpc(vty, "clear-dampening", name);
}

/* ---------------------------------------------------------------- history */

static void history_json(struct vty *vty, struct relay *relay,
			 json_object *all)
{
	json_object *array = json_object_new_array(), *json;
	const struct relay_history_entry *entry;

	for (size_t i = 0; (entry = relay_history_get(&relay->history, i));
	     i++) {
		json = json_object_new_object();
		relay_vty_json_time(json, "time", entry->time);
		json_object_string_add(json, "from",
				       relay_oper_str(entry->from));
		json_object_string_add(json, "to", relay_oper_str(entry->to));
		json_object_string_add(json, "reason",
				       relay_reason_str(entry->reason));
		if (entry->detail[0])
			json_object_string_add(json, "detail", entry->detail);
		json_object_array_add(array, json);
	}
	json_object_object_add(all, relay->cfg.name, array);
}

static void history_text(struct vty *vty, struct relay *relay,
			 json_object *all)
{
	const struct relay_history_entry *entry;
	char buf[RELAY_TIME_LEN];

	vty_out(vty, "Relay %s, %zu of %u changes\n", relay->cfg.name,
		relay_history_count(&relay->history), relay->history.total);
	for (size_t i = 0; (entry = relay_history_get(&relay->history, i)); i++)
		vty_out(vty, "  %s  %-11s -> %-11s %s%s%s\n",
			relay_time_str(entry->time, buf),
			relay_oper_str(entry->from), relay_oper_str(entry->to),
			relay_reason_str(entry->reason),
			entry->detail[0] ? ": " : "", entry->detail);
}

DEFPY(show_relay_history, show_relay_history_cmd,
	"show relay [RELAYNAME$name] history [json$json]",
	SHOW_STR
	RELAY_VTY_STR
	RELAY_VTY_NAME_STR
	"The last 64 changes\n"
	JSON_STR)
{
	const char *meant = relay_vty_meant_as_name(name, argv, argc, "history");

	if (meant)
		return relay_vty_show_named(vty, meant, !!json);
	return relay_vty_for_relays(vty, name, !!json,
			  json ? history_json : history_text);
}

void relay_vty_counters_init(void)
{
	install_element(VIEW_NODE, &show_relay_counters_cmd);
	install_element(VIEW_NODE, &show_relay_history_cmd);
	install_element(ENABLE_NODE, &clear_relay_counters_cmd);
	install_element(ENABLE_NODE, &clear_relay_dampening_cmd);
}
