// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operational state. One callback serves all leaves of a container and goes by
 * the leaf's name.
 *
 * FRR 8.4 does not find the entries of a path with keys and libyang 2.1
 * (nb_oper_data_iterate() asks lyd_new_path() for the last node, and gets the
 * first one): callbacks of what is in a list are called without an entry.
 */
#include <zebra.h>

#include "relay_nb.h"
#include "relay_time.h"

static const char *leaf_of(const char *xpath)
{
	const char *slash = strrchr(xpath, '/');

	return slash ? slash + 1 : xpath;
}

static struct yang_data *string_or_none(const char *xpath, const char *value)
{
	return value && value[0] ? yang_data_new_string(xpath, value) : NULL;
}

/* libfrr's own takes the monotonic clock. */
static struct yang_data *time_state(const char *xpath, time_t when)
{
	char buf[RELAY_TIME_LEN];

	return yang_data_new_string(xpath, relay_time_str(when, buf));
}

/* ----------------------------------------------------------------- tracks */

const void *relay_nb_track_get_next(struct nb_cb_get_next_args *args)
{
	const struct track *trk = args->list_entry;

	return trk ? track_tree_const_next(track_tree, trk)
		   : track_tree_const_first(track_tree);
}

int relay_nb_track_get_keys(struct nb_cb_get_keys_args *args)
{
	const struct track *trk = args->list_entry;

	args->keys->num = 1;
	snprintf(args->keys->key[0], sizeof(args->keys->key[0]), "%u",
		 trk->cfg.id);
	return NB_OK;
}

const void *relay_nb_track_lookup(struct nb_cb_lookup_entry_args *args)
{
	return track_lookup(strtoul(args->keys->key[0], NULL, 10));
}

static struct yang_data *echo_state(const struct track_echo_stats *stats,
				    const char *xpath, const char *leaf)
{
	const struct {
		const char *leaf;
		uint64_t value;
	} counters[] = {
		{"sent", stats->sent},
		{"received", stats->received},
		{"timeouts", stats->timeouts},
		{"send-errors", stats->send_errors},
		{"late-replies", stats->late},
		{"duplicate-replies", stats->duplicates},
		{"invalid-replies", stats->invalid},
	};
	const struct {
		const char *leaf;
		uint32_t usec;
	} times[] = {
		{"rtt", stats->rtt_usec},
		{"rtt-min", stats->rtt_min_usec},
		{"rtt-average", stats->rtt_avg_usec},
		{"rtt-max", stats->rtt_max_usec},
		{"jitter", stats->jitter_usec},
	};

	for (size_t i = 0; i < array_size(counters); i++)
		if (!strcmp(leaf, counters[i].leaf))
			return yang_data_new_uint64(xpath, counters[i].value);
	for (size_t i = 0; i < array_size(times); i++)
		if (!strcmp(leaf, times[i].leaf))
			return yang_data_new_uint32(xpath, times[i].usec);
	return NULL;
}

struct yang_data *relay_nb_track_state(struct nb_cb_get_elem_args *args)
{
	const struct track *trk = args->list_entry;
	const char *leaf = leaf_of(args->xpath);
	struct track_echo_stats stats;

	if (!args->list_entry)
		return NULL;
	if (!strcmp(leaf, "state"))
		return yang_data_new_string(args->xpath,
					    track_state_str(trk->state));
	if (!strcmp(leaf, "detail"))
		return string_or_none(args->xpath, trk->detail);
	if (!strcmp(leaf, "transitions"))
		return yang_data_new_uint32(args->xpath, trk->transitions);
	if (!strcmp(leaf, "since"))
		return time_state(args->xpath, trk->since);

	if (!strcmp(leaf, "bfd-state"))
		return trk->ops->bfd_state
			       ? yang_data_new_string(args->xpath,
						      trk->ops->bfd_state(trk))
			       : NULL;

	if (!trk->ops->echo_stats)
		return NULL;
	trk->ops->echo_stats(trk, &stats);
	return echo_state(&stats, args->xpath, leaf);
}

/* -------------------------------------------------------------- instances */

const void *relay_nb_instance_get_next(struct nb_cb_get_next_args *args)
{
	const struct relay *relay = args->list_entry;

	return relay ? relay_tree_const_next(relay_tree, relay)
		     : relay_tree_const_first(relay_tree);
}

int relay_nb_instance_get_keys(struct nb_cb_get_keys_args *args)
{
	const struct relay *relay = args->list_entry;

	args->keys->num = 1;
	strlcpy(args->keys->key[0], relay->cfg.name,
		sizeof(args->keys->key[0]));
	return NB_OK;
}

const void *relay_nb_instance_lookup(struct nb_cb_lookup_entry_args *args)
{
	return relay_lookup(args->keys->key[0]);
}

static struct yang_data *check_state(const struct relay *relay,
				     const char *xpath, const char *leaf)
{
	enum tunnel_check check;

	if (!strcmp(leaf, "interface"))
		check = relay_check_interface(relay);
	else if (!strcmp(leaf, "source"))
		check = relay_check_source(relay);
	else if (!strcmp(leaf, "forwarding"))
		check = relay_check_forwarding(relay);
	else if (!strcmp(leaf, "self-test"))
		check = relay_check_self_test(relay);
	else if (relay->cfg.mode != RELAY_MODE_TEREDO)
		return NULL;
	else if (!strcmp(leaf, "socket"))
		check = relay_check_socket(relay);
	else
		check = relay_check_engine(relay);
	return yang_data_new_string(xpath, tunnel_check_str(check));
}

struct yang_data *relay_nb_instance_state(struct nb_cb_get_elem_args *args)
{
	const struct relay *relay = args->list_entry;
	const char *xpath = args->xpath, *leaf = leaf_of(xpath);
	char note[RELAY_NOTE_LEN];

	if (!args->list_entry)
		return NULL;
	if (strstr(xpath, "/checks/"))
		return check_state(relay, xpath, leaf);
	if (!strcmp(leaf, "oper-status"))
		return yang_data_new_string(xpath, relay_oper_str(relay->oper));
	if (!strcmp(leaf, "reason"))
		return yang_data_new_string(xpath,
					    relay_reason_str(relay->reason));
	if (!strcmp(leaf, "detail"))
		return string_or_none(xpath, relay->detail);
	if (!strcmp(leaf, "note"))
		return string_or_none(
			xpath, relay_note(relay, note, sizeof(note)));
	if (!strcmp(leaf, "since"))
		return time_state(xpath, relay->since);
	if (!strcmp(leaf, "transitions"))
		return yang_data_new_uint32(xpath, relay->transitions);
	if (!strcmp(leaf, "interface"))
		return yang_data_new_string(xpath,
					    relay_config_ifname(&relay->cfg));
	if (!strcmp(leaf, "if-index"))
		return yang_data_new_int32(xpath, relay_ifindex(relay));
	if (!strcmp(leaf, "datapath"))
		return yang_data_new_string(xpath, relay_datapath_str(relay));
	return NULL;
}

/* -------------------------------------------------------------- dampening */

/* Nothing where it is not configured. */
static struct yang_data *dampening_state(const struct relay *relay,
					 const struct relay_dampening *damp,
					 const char *xpath)
{
	struct relay_dampening_status status;
	const char *leaf = leaf_of(xpath);

	if (!relay->cfg.dampening.enabled)
		return NULL;
	relay_dampening_status(relay, damp, &status);
	if (!strcmp(leaf, "penalty"))
		return yang_data_new_uint32(xpath, status.penalty);
	if (!strcmp(leaf, "suppressed"))
		return yang_data_new_bool(xpath, status.suppressed);
	if (!strcmp(leaf, "time-to-reuse"))
		return yang_data_new_uint32(xpath, status.reuse_s);
	return yang_data_new_uint32(xpath, status.flaps);
}

struct yang_data *relay_nb_dampening_state(struct nb_cb_get_elem_args *args)
{
	const struct relay *relay = args->list_entry;

	if (!args->list_entry)
		return NULL;
	return dampening_state(relay, &relay->dampening, args->xpath);
}

/* A route's entry does not know its relay; its address is within it. */
static const struct relay *relay_of(const struct relay_route *route)
{
	const struct relay *relay;

	frr_each (relay_tree_const, relay_tree, relay)
		if (route >= relay->routes &&
		    route < relay->routes + relay->nroutes)
			return relay;
	return NULL;
}

struct yang_data *
relay_nb_route_dampening_state(struct nb_cb_get_elem_args *args)
{
	const struct relay_route *route = args->list_entry;
	const struct relay *relay = route ? relay_of(route) : NULL;

	if (!relay)
		return NULL;
	return dampening_state(relay, &route->dampening, args->xpath);
}

/* ----------------------------------------------------------------- routes */

const void *relay_nb_route_get_next(struct nb_cb_get_next_args *args)
{
	const struct relay *relay = args->parent_list_entry;
	const struct relay_route *route = args->list_entry;
	size_t i = route ? (size_t)(route - relay->routes) + 1 : 0;

	if (!args->parent_list_entry)
		return NULL;
	return i < relay->nroutes ? &relay->routes[i] : NULL;
}

int relay_nb_route_get_keys(struct nb_cb_get_keys_args *args)
{
	const struct relay_route *route = args->list_entry;

	args->keys->num = 1;
	prefix2str(&route->cfg.prefix, args->keys->key[0],
		   sizeof(args->keys->key[0]));
	return NB_OK;
}

const void *relay_nb_route_lookup(struct nb_cb_lookup_entry_args *args)
{
	const struct relay *relay = args->parent_list_entry;
	struct prefix p;

	if (!str2prefix(args->keys->key[0], &p))
		return NULL;
	for (size_t i = 0; i < relay->nroutes; i++)
		if (prefix_same(&relay->routes[i].cfg.prefix, &p))
			return &relay->routes[i];
	return NULL;
}

struct yang_data *relay_nb_route_state(struct nb_cb_get_elem_args *args)
{
	const struct relay_route *route = args->list_entry;
	const char *xpath = args->xpath, *leaf = leaf_of(xpath);

	if (!args->list_entry)
		return NULL;
	if (!strcmp(leaf, "prefix"))
		return yang_data_new_prefix(xpath, &route->cfg.prefix);
	if (!strcmp(leaf, "installed"))
		return yang_data_new_bool(xpath, route->installed);
	if (!strcmp(leaf, "distance"))
		return yang_data_new_uint8(xpath, route->cfg.distance);
	if (!strcmp(leaf, "metric"))
		return yang_data_new_uint32(xpath, route->cfg.metric);
	if (!strcmp(leaf, "track"))
		return route->cfg.track
			       ? yang_data_new_uint16(xpath, route->cfg.track)
			       : NULL;
	if (!strcmp(leaf, "note"))
		return string_or_none(xpath, relay_route_note(route));
	return yang_data_new_uint32(xpath, route->cfg.tag);
}

/* ------------------------------------------------- self-test, tracks in use */

/* The entry of a way is its place in relay->ways. */
static enum tunnel_way way_of(const struct relay *relay, const void *entry)
{
	return (const struct relay_way *)entry - relay->ways;
}

const void *relay_nb_self_test_get_next(struct nb_cb_get_next_args *args)
{
	const struct relay *relay = args->parent_list_entry;
	size_t i = args->list_entry ? way_of(relay, args->list_entry) + 1 : 0;

	if (!args->parent_list_entry)
		return NULL;
	return i < TUNNEL_WAYS ? &relay->ways[i] : NULL;
}

int relay_nb_self_test_get_keys(struct nb_cb_get_keys_args *args)
{
	const struct relay_way *way = args->list_entry;

	args->keys->num = 1;
	strlcpy(args->keys->key[0],
		tunnel_way_str(way_of(way->relay, way)),
		sizeof(args->keys->key[0]));
	return NB_OK;
}

const void *relay_nb_self_test_lookup(struct nb_cb_lookup_entry_args *args)
{
	const struct relay *relay = args->parent_list_entry;

	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		if (!strcmp(args->keys->key[0], tunnel_way_str(way)))
			return &relay->ways[way];
	return NULL;
}

struct yang_data *relay_nb_self_test_state(struct nb_cb_get_elem_args *args)
{
	const struct relay_way *entry = args->list_entry;
	const char *xpath = args->xpath, *leaf = leaf_of(xpath);
	const struct tunnel_self_test *st;
	const struct relay *relay;
	enum tunnel_way way;

	if (!entry)
		return NULL;
	relay = entry->relay;
	way = way_of(relay, entry);
	if (!strcmp(leaf, "way"))
		return yang_data_new_string(xpath, tunnel_way_str(way));
	if (!strcmp(leaf, "state"))
		return yang_data_new_string(
			xpath, tunnel_check_str(relay_check_way(relay, way)));
	if (!relay->tun)
		return NULL;
	st = &relay->tun->st[way];
	if (!strcmp(leaf, "sent"))
		return yang_data_new_uint64(xpath, st->sent);
	if (!strcmp(leaf, "received"))
		return yang_data_new_uint64(xpath, st->seen);
	if (!strcmp(leaf, "lost-in-row"))
		return yang_data_new_uint32(xpath, st->lost);
	if (!strcmp(leaf, "interface"))
		return string_or_none(xpath, tunnel_link_name(st->uplink));
	return string_or_none(xpath, relay->tun->status.self_test_detail[way]);
}

const void *relay_nb_user_track_get_next(struct nb_cb_get_next_args *args)
{
	const struct relay *relay = args->parent_list_entry;
	const struct track *trk = args->list_entry;

	if (!args->parent_list_entry)
		return NULL;
	do
		trk = trk ? track_tree_const_next(track_tree, trk)
			  : track_tree_const_first(track_tree);
	while (trk && !relay_uses_track(relay, trk->cfg.id));
	return trk;
}

struct yang_data *relay_nb_user_track_state(struct nb_cb_get_elem_args *args)
{
	const struct track *trk = args->list_entry;

	if (!args->list_entry)
		return NULL;
	return yang_data_new_uint16(args->xpath, trk->cfg.id);
}

/* --------------------------------------------------------------- counters */

/* One reading, which asks the kernel, serves the leaves and the drop list of a
 * relay: they are asked for in a row. */
#define COUNTERS_KEPT_US 5000

static struct tunnel_counters counters;
static const void *kept; /* the relay that they are of */

void relay_nb_counters_forget(void)
{
	kept = NULL;
}

static bool read_counters(const void *entry)
{
	static int64_t read_at;
	int64_t now = relay_now_us();

	if (entry == kept && now - read_at < COUNTERS_KEPT_US)
		return true;
	kept = NULL;
	if (relay_counters((struct relay *)entry, &counters) != 0)
		return false;
	kept = entry;
	read_at = now;
	return true;
}

struct yang_data *relay_nb_counter_state(struct nb_cb_get_elem_args *args)
{
	static const struct {
		const char *leaf;
		const uint64_t *value;
	} values[] = {
		{"rx-packets", &counters.rx_packets},
		{"rx-bytes", &counters.rx_bytes},
		{"tx-packets", &counters.tx_packets},
		{"tx-bytes", &counters.tx_bytes},
		{"translated", &counters.icmp_errors.translated},
		{"rate-limited", &counters.icmp_errors.rate_limited},
		{"ignored", &counters.icmp_errors.ignored},
	};
	const char *xpath = args->xpath, *leaf = leaf_of(xpath);

	if (!args->list_entry)
		return NULL;
	if (!read_counters(args->list_entry))
		return NULL;
	for (size_t i = 0; i < array_size(values); i++)
		if (!strcmp(leaf, values[i].leaf))
			return yang_data_new_uint64(xpath, *values[i].value);
	return NULL;
}

const void *relay_nb_drop_get_next(struct nb_cb_get_next_args *args)
{
	const struct tunnel_drop *drop = args->list_entry;
	size_t i = drop ? (size_t)(drop - counters.drops) + 1 : 0;

	if (!args->parent_list_entry)
		return NULL;
	if (!drop && !read_counters(args->parent_list_entry))
		return NULL;
	return i < counters.ndrops ? &counters.drops[i] : NULL;
}

int relay_nb_drop_get_keys(struct nb_cb_get_keys_args *args)
{
	const struct tunnel_drop *drop = args->list_entry;

	args->keys->num = 1;
	strlcpy(args->keys->key[0], drop->reason, sizeof(args->keys->key[0]));
	return NB_OK;
}

const void *relay_nb_drop_lookup(struct nb_cb_lookup_entry_args *args)
{
	if (!read_counters(args->parent_list_entry))
		return NULL;
	for (size_t i = 0; i < counters.ndrops; i++)
		if (!strcmp(counters.drops[i].reason, args->keys->key[0]))
			return &counters.drops[i];
	return NULL;
}

struct yang_data *relay_nb_drop_packets(struct nb_cb_get_elem_args *args)
{
	const struct tunnel_drop *drop = args->list_entry;

	if (!args->list_entry)
		return NULL;
	if (!strcmp(leaf_of(args->xpath), "reason"))
		return yang_data_new_string(args->xpath, drop->reason);
	return yang_data_new_uint64(args->xpath, drop->packets);
}

/* ---------------------------------------------------------------- history */

const void *relay_nb_history_get_next(struct nb_cb_get_next_args *args)
{
	const struct relay *relay = args->parent_list_entry;
	const struct relay_history_entry *entry = args->list_entry, *oldest;

	if (!args->parent_list_entry)
		return NULL;
	oldest = relay_history_get(&relay->history, 0);
	if (!entry)
		return oldest;
	return relay_history_get(&relay->history,
				 entry->index - oldest->index + 1);
}

int relay_nb_history_get_keys(struct nb_cb_get_keys_args *args)
{
	const struct relay_history_entry *entry = args->list_entry;

	args->keys->num = 1;
	snprintf(args->keys->key[0], sizeof(args->keys->key[0]), "%u",
		 entry->index);
	return NB_OK;
}

const void *relay_nb_history_lookup(struct nb_cb_lookup_entry_args *args)
{
	const struct relay *relay = args->parent_list_entry;
	uint32_t index = strtoul(args->keys->key[0], NULL, 10);
	const struct relay_history_entry *oldest;

	oldest = relay_history_get(&relay->history, 0);
	if (!oldest || index < oldest->index)
		return NULL;
	return relay_history_get(&relay->history, index - oldest->index);
}

struct yang_data *relay_nb_history_state(struct nb_cb_get_elem_args *args)
{
	const struct relay_history_entry *entry = args->list_entry;
	const char *xpath = args->xpath, *leaf = leaf_of(xpath);

	if (!args->list_entry)
		return NULL;
	if (!strcmp(leaf, "index"))
		return yang_data_new_uint32(xpath, entry->index);
	if (!strcmp(leaf, "time"))
		return time_state(xpath, entry->time);
	if (!strcmp(leaf, "from"))
		return yang_data_new_string(xpath, relay_oper_str(entry->from));
	if (!strcmp(leaf, "to"))
		return yang_data_new_string(xpath, relay_oper_str(entry->to));
	if (!strcmp(leaf, "reason"))
		return yang_data_new_string(xpath,
					    relay_reason_str(entry->reason));
	return string_or_none(xpath, entry->detail);
}
