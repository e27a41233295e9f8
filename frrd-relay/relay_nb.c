// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "relay_nb.h"

/* A leaf whose value has a default can only be modified. */
#define LEAF(path)                                                             \
	{                                                                      \
		.xpath = RELAY_XPATH path,                                     \
		.cbs = {.modify = relay_nb_leaf_modify},                       \
	}
#define LEAF_OPTIONAL(path)                                                    \
	{                                                                      \
		.xpath = RELAY_XPATH path,                                     \
		.cbs = {.modify = relay_nb_leaf_modify,                        \
			.destroy = relay_nb_leaf_destroy},                     \
	}
/* A list, or a container whose presence counts. */
#define LIST(path)                                                             \
	{                                                                      \
		.xpath = RELAY_XPATH path,                                     \
		.cbs = {.create = relay_nb_leaf_create,                        \
			.destroy = relay_nb_leaf_destroy},                     \
	}
#define STATE(path, cb)                                                        \
	{                                                                      \
		.xpath = RELAY_XPATH path, .cbs = {.get_elem = cb},            \
	}

/* Tracked objects are there before the relays that refer to them. */
#define PRIORITY_TRACK	  (NB_DFLT_PRIORITY - 2)
#define PRIORITY_INSTANCE (NB_DFLT_PRIORITY - 1)

/* clang-format off */
const struct frr_yang_module_info frr_relay_info = {
	.name = "frr-relay",
	.nodes = {
		{
			.xpath = RELAY_XPATH,
			.cbs = {.pre_validate = relay_nb_pre_validate},
		},
		{
			.xpath = RELAY_XPATH_RESTART "/restart-time",
			.cbs = {
				.modify = relay_nb_restart_time_modify,
				.destroy = relay_nb_restart_time_destroy,
				.cli_show = relay_cli_show_restart_time,
			},
		},
		{
			.xpath = RELAY_XPATH "/track-object",
			.cbs = {
				.create = relay_nb_track_create,
				.destroy = relay_nb_track_destroy,
				.apply_finish = relay_nb_track_apply_finish,
				.get_next = relay_nb_track_get_next,
				.get_keys = relay_nb_track_get_keys,
				.lookup_entry = relay_nb_track_lookup,
				.cli_show = relay_cli_show_track,
				.cli_show_end = relay_cli_show_end,
				.cli_cmp = relay_cli_track_cmp,
			},
			.priority = PRIORITY_TRACK,
		},
		{
			.xpath = RELAY_XPATH "/track-object/type",
			.cbs = {.modify = relay_nb_track_type_modify},
		},
		LEAF_OPTIONAL("/track-object/interface"),
		LEAF_OPTIONAL("/track-object/prefix"),
		LEAF_OPTIONAL("/track-object/target"),
		LEAF_OPTIONAL("/track-object/source-address"),
		LEAF_OPTIONAL("/track-object/source-interface"),
		LEAF_OPTIONAL("/track-object/peer"),
		LEAF_OPTIONAL("/track-object/local-address"),
		LEAF_OPTIONAL("/track-object/multihop"),
		LEAF_OPTIONAL("/track-object/profile"),
		LEAF("/track-object/frequency"),
		LEAF("/track-object/timeout"),
		LEAF("/track-object/probes/up"),
		LEAF("/track-object/probes/down"),
		LEAF("/track-object/delay/up"),
		LEAF("/track-object/delay/down"),
		LEAF_OPTIONAL("/track-object/boolean"),
		LIST("/track-object/object"),
		LEAF("/track-object/object/not"),
		STATE("/track-object/state/state", relay_nb_track_state),
		STATE("/track-object/state/detail", relay_nb_track_state),
		STATE("/track-object/state/transitions", relay_nb_track_state),
		STATE("/track-object/state/since", relay_nb_track_state),
		STATE("/track-object/state/rtt", relay_nb_track_state),
		STATE("/track-object/state/sent", relay_nb_track_state),
		STATE("/track-object/state/received", relay_nb_track_state),
		STATE("/track-object/state/timeouts", relay_nb_track_state),
		STATE("/track-object/state/send-errors", relay_nb_track_state),
		STATE("/track-object/state/late-replies", relay_nb_track_state),
		STATE("/track-object/state/duplicate-replies", relay_nb_track_state),
		STATE("/track-object/state/invalid-replies", relay_nb_track_state),
		STATE("/track-object/state/rtt-min", relay_nb_track_state),
		STATE("/track-object/state/rtt-average", relay_nb_track_state),
		STATE("/track-object/state/rtt-max", relay_nb_track_state),
		STATE("/track-object/state/jitter", relay_nb_track_state),
		STATE("/track-object/state/bfd-state", relay_nb_track_state),
		{
			.xpath = RELAY_XPATH "/instance",
			.cbs = {
				.create = relay_nb_instance_create,
				.destroy = relay_nb_instance_destroy,
				.apply_finish = relay_nb_instance_apply_finish,
				.get_next = relay_nb_instance_get_next,
				.get_keys = relay_nb_instance_get_keys,
				.lookup_entry = relay_nb_instance_lookup,
				.cli_show = relay_cli_show_instance,
				.cli_show_end = relay_cli_show_end,
				.cli_cmp = relay_cli_instance_cmp,
			},
			.priority = PRIORITY_INSTANCE,
		},
		LEAF_OPTIONAL("/instance/description"),
		{
			.xpath = RELAY_XPATH "/instance/enabled",
			.cbs = {.modify = relay_nb_ifname_modify},
		},
		LEAF("/instance/maintenance"),
		LEAF_OPTIONAL("/instance/tunnel/mode"),
		{
			.xpath = RELAY_XPATH "/instance/tunnel/interface",
			.cbs = {
				.modify = relay_nb_ifname_modify,
				.destroy = relay_nb_leaf_destroy,
			},
		},
		LEAF_OPTIONAL("/instance/tunnel/source"),
		LEAF_OPTIONAL("/instance/tunnel/transmit-source"),
		LEAF("/instance/tunnel/direction"),
		LEAF("/instance/tunnel/datapath"),
		LIST("/instance/tunnel/uplink"),
		LEAF("/instance/tunnel/ttl"),
		LEAF("/instance/tunnel/udp-port"),
		LEAF("/instance/peers/maximum"),
		LEAF("/instance/peers/overload-withdraw"),
		LEAF("/instance/ipv6/mtu"),
		{
			.xpath = RELAY_XPATH "/instance/ipv6/address",
			.cbs = {
				.create = relay_nb_address_create,
				.destroy = relay_nb_leaf_destroy,
			},
		},
		LIST("/instance/route"),
		LEAF_OPTIONAL("/instance/route/tag"),
		LEAF("/instance/route/distance"),
		LEAF("/instance/route/metric"),
		LEAF_OPTIONAL("/instance/route/track"),
		LEAF_OPTIONAL("/instance/track"),
		LEAF("/instance/delay/up"),
		LIST("/instance/dampening"),
		LEAF("/instance/dampening/half-life"),
		LEAF("/instance/dampening/reuse"),
		LEAF("/instance/dampening/suppress"),
		LEAF("/instance/dampening/max-suppress"),
		LEAF("/instance/drain-time"),
		LEAF("/instance/filter/bogons"),
		LIST("/instance/filter/permit"),
		LIST("/instance/filter/deny"),
		LEAF("/instance/self-test"),
		STATE("/instance/state/oper-status", relay_nb_instance_state),
		STATE("/instance/state/reason", relay_nb_instance_state),
		STATE("/instance/state/detail", relay_nb_instance_state),
		STATE("/instance/state/note", relay_nb_instance_state),
		STATE("/instance/state/since", relay_nb_instance_state),
		STATE("/instance/state/transitions", relay_nb_instance_state),
		STATE("/instance/state/interface", relay_nb_instance_state),
		STATE("/instance/state/if-index", relay_nb_instance_state),
		STATE("/instance/state/datapath", relay_nb_instance_state),
		STATE("/instance/state/dampening/penalty", relay_nb_dampening_state),
		STATE("/instance/state/dampening/suppressed", relay_nb_dampening_state),
		STATE("/instance/state/dampening/time-to-reuse", relay_nb_dampening_state),
		STATE("/instance/state/dampening/flaps", relay_nb_dampening_state),
		STATE("/instance/state/checks/interface", relay_nb_instance_state),
		STATE("/instance/state/checks/source", relay_nb_instance_state),
		STATE("/instance/state/checks/forwarding", relay_nb_instance_state),
		STATE("/instance/state/checks/self-test", relay_nb_instance_state),
		STATE("/instance/state/checks/socket", relay_nb_instance_state),
		STATE("/instance/state/checks/engine", relay_nb_instance_state),
		{
			.xpath = RELAY_XPATH "/instance/state/self-test",
			.cbs = {
				.get_next = relay_nb_self_test_get_next,
				.get_keys = relay_nb_self_test_get_keys,
				.lookup_entry = relay_nb_self_test_lookup,
			},
		},
		STATE("/instance/state/self-test/way", relay_nb_self_test_state),
		STATE("/instance/state/self-test/state", relay_nb_self_test_state),
		STATE("/instance/state/self-test/sent", relay_nb_self_test_state),
		STATE("/instance/state/self-test/received", relay_nb_self_test_state),
		STATE("/instance/state/self-test/lost-in-row", relay_nb_self_test_state),
		STATE("/instance/state/self-test/interface", relay_nb_self_test_state),
		STATE("/instance/state/self-test/detail", relay_nb_self_test_state),
		{
			.xpath = RELAY_XPATH "/instance/state/track",
			.cbs = {
				.get_next = relay_nb_user_track_get_next,
				.get_keys = relay_nb_track_get_keys,
				.lookup_entry = relay_nb_track_lookup,
			},
		},
		STATE("/instance/state/track/id", relay_nb_user_track_state),
		STATE("/instance/state/track/state", relay_nb_track_state),
		{
			.xpath = RELAY_XPATH "/instance/state/route",
			.cbs = {
				.get_next = relay_nb_route_get_next,
				.get_keys = relay_nb_route_get_keys,
				.lookup_entry = relay_nb_route_lookup,
			},
		},
		STATE("/instance/state/route/prefix", relay_nb_route_state),
		STATE("/instance/state/route/installed", relay_nb_route_state),
		STATE("/instance/state/route/distance", relay_nb_route_state),
		STATE("/instance/state/route/metric", relay_nb_route_state),
		STATE("/instance/state/route/tag", relay_nb_route_state),
		STATE("/instance/state/route/track", relay_nb_route_state),
		STATE("/instance/state/route/note", relay_nb_route_state),
		STATE("/instance/state/route/dampening/penalty", relay_nb_route_dampening_state),
		STATE("/instance/state/route/dampening/suppressed", relay_nb_route_dampening_state),
		STATE("/instance/state/route/dampening/time-to-reuse", relay_nb_route_dampening_state),
		STATE("/instance/state/route/dampening/flaps", relay_nb_route_dampening_state),
		STATE("/instance/state/counters/rx-packets", relay_nb_counter_state),
		STATE("/instance/state/counters/rx-bytes", relay_nb_counter_state),
		STATE("/instance/state/counters/tx-packets", relay_nb_counter_state),
		STATE("/instance/state/counters/tx-bytes", relay_nb_counter_state),
		{
			.xpath = RELAY_XPATH "/instance/state/counters/drop",
			.cbs = {
				.get_next = relay_nb_drop_get_next,
				.get_keys = relay_nb_drop_get_keys,
				.lookup_entry = relay_nb_drop_lookup,
			},
		},
		STATE("/instance/state/counters/drop/reason", relay_nb_drop_packets),
		STATE("/instance/state/counters/drop/packets", relay_nb_drop_packets),
		STATE("/instance/state/counters/icmp-errors/translated", relay_nb_counter_state),
		STATE("/instance/state/counters/icmp-errors/rate-limited", relay_nb_counter_state),
		STATE("/instance/state/counters/icmp-errors/ignored", relay_nb_counter_state),
		STATE("/instance/state/counters/bubbles/received", relay_nb_bubbles_state),
		STATE("/instance/state/counters/bubbles/sent-direct", relay_nb_bubbles_state),
		STATE("/instance/state/counters/bubbles/sent-indirect", relay_nb_bubbles_state),
		STATE("/instance/state/counters/bubbles/peers-pushed-out", relay_nb_bubbles_state),
		STATE("/instance/state/peers/count", relay_nb_peers_state),
		STATE("/instance/state/peers/trusted", relay_nb_peers_state),
		STATE("/instance/state/peers/maximum", relay_nb_peers_state),
		STATE("/instance/state/peers/overload", relay_nb_peers_state),
		{
			.xpath = RELAY_XPATH "/instance/state/peers/peer",
			.cbs = {
				.get_next = relay_nb_peer_get_next,
				.get_keys = relay_nb_peer_get_keys,
				.lookup_entry = relay_nb_peer_lookup,
			},
		},
		STATE("/instance/state/peers/peer/address", relay_nb_peer_state),
		STATE("/instance/state/peers/peer/server", relay_nb_peer_state),
		STATE("/instance/state/peers/peer/mapped-address", relay_nb_peer_state),
		STATE("/instance/state/peers/peer/mapped-port", relay_nb_peer_state),
		STATE("/instance/state/peers/peer/state", relay_nb_peer_state),
		STATE("/instance/state/peers/peer/last-received", relay_nb_peer_state),
		STATE("/instance/state/peers/peer/last-sent", relay_nb_peer_state),
		STATE("/instance/state/peers/peer/bubbles", relay_nb_peer_state),
		STATE("/instance/state/peers/peer/queued", relay_nb_peer_state),
		{
			.xpath = RELAY_XPATH "/instance/state/history",
			.cbs = {
				.get_next = relay_nb_history_get_next,
				.get_keys = relay_nb_history_get_keys,
				.lookup_entry = relay_nb_history_lookup,
			},
		},
		STATE("/instance/state/history/index", relay_nb_history_state),
		STATE("/instance/state/history/time", relay_nb_history_state),
		STATE("/instance/state/history/from", relay_nb_history_state),
		STATE("/instance/state/history/to", relay_nb_history_state),
		STATE("/instance/state/history/reason", relay_nb_history_state),
		STATE("/instance/state/history/detail", relay_nb_history_state),
		{
			.xpath = "/frr-relay:clear-counters",
			.cbs = {.rpc = relay_nb_clear_counters},
		},
		{
			.xpath = "/frr-relay:clear-peers",
			.cbs = {.rpc = relay_nb_clear_peers},
		},
		{
			.xpath = "/frr-relay:clear-dampening",
			.cbs = {.rpc = relay_nb_clear_dampening},
		},
		{
			.xpath = NULL,
		},
	},
};
/* clang-format on */
