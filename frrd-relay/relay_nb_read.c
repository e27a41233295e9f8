// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data nodes into plain structs. A node is read by walking its children once:
 * an XPath look-up a leaf would make a file of 200 relays and 1000 tracked
 * objects take minutes to load.
 */
#include <zebra.h>

#include "libyang/libyang.h"

#include "relay_nb.h"

static const char *name_of(const struct lyd_node *dnode)
{
	return dnode->schema->name;
}

static const char *value_of(const struct lyd_node *dnode)
{
	return lyd_get_value(dnode);
}

static bool is(const struct lyd_node *dnode, const char *name)
{
	return !strcmp(name_of(dnode), name);
}

static uint32_t number_of(const struct lyd_node *dnode)
{
	return strtoul(value_of(dnode), NULL, 10);
}

static bool truth_of(const struct lyd_node *dnode)
{
	return ((const struct lyd_node_term *)dnode)->value.boolean;
}

static int enum_of(const struct lyd_node *dnode)
{
	return ((const struct lyd_node_term *)dnode)->value.enum_item->value;
}

static void address_of(const struct lyd_node *dnode, struct ipaddr *addr)
{
	memset(addr, 0, sizeof(*addr));
	str2ipaddr(value_of(dnode), addr);
}

const struct lyd_node *relay_nb_root(const struct lyd_node *tree)
{
	const struct lyd_node *dnode;

	LY_LIST_FOR (tree, dnode)
		if (is(dnode, "relay") &&
		    !strcmp(dnode->schema->module->name, "frr-relay"))
			return dnode;
	return NULL;
}

bool relay_nb_is_track(const struct lyd_node *dnode)
{
	return is(dnode, "track-object");
}

bool relay_nb_is_instance(const struct lyd_node *dnode)
{
	return is(dnode, "instance");
}

const struct lyd_node *relay_nb_find_track(const struct lyd_node *root,
					   uint16_t id)
{
	const struct lysc_node *schema;
	struct lyd_node *found = NULL;
	char predicate[32];

	if (!root)
		return NULL;
	schema = lys_find_child(root->schema, root->schema->module,
				"track-object", 0, LYS_LIST, 0);
	snprintf(predicate, sizeof(predicate), "[id='%u']", id);
	if (lyd_find_sibling_val(lyd_child(root), schema, predicate,
				 strlen(predicate), &found) != LY_SUCCESS)
		return NULL;
	return found;
}

/*
 * libyang 2 has the entries of a list in the order in which they came, libyang 3
 * sorted by a rule of its own. Here they are sorted, whichever it was.
 */
static int by_id(const void *a, const void *b)
{
	const struct track_member *x = a, *y = b;

	return numcmp(x->id, y->id);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int prefix_order(const struct prefix *a, const struct prefix *b)
{
	int ret = numcmp(a->family, b->family);

	if (!ret)
		ret = memcmp(a->u.val, b->u.val, prefix_blen(a));
	return ret ? ret : numcmp(a->prefixlen, b->prefixlen);
}

static int by_address(const void *a, const void *b)
{
	const struct prefix_ipv6 *x = a, *y = b;
	int ret = IPV6_ADDR_CMP(&x->prefix, &y->prefix);

	return ret ? ret : numcmp(x->prefixlen, y->prefixlen);
}

static int by_prefix(const void *a, const void *b)
{
	const struct relay_route_config *x = a, *y = b;

	return prefix_order(&x->prefix, &y->prefix);
}

static int by_rule(const void *a, const void *b)
{
	const struct filter_rule *x = a, *y = b;

	return prefix_order(&x->p, &y->p);
}

/* ----------------------------------------------------------------- tracks */

static void read_pair(const struct lyd_node *container, const char *a,
		      uint32_t *pa, const char *b, uint32_t *pb)
{
	const struct lyd_node *child;

	LY_LIST_FOR (lyd_child(container), child) {
		if (is(child, a))
			*pa = number_of(child);
		else if (b && is(child, b))
			*pb = number_of(child);
	}
}

static void read_member(const struct lyd_node *list, struct track_config *cfg)
{
	struct track_member *member;
	const struct lyd_node *child;

	if (cfg->nmembers == TRACK_MEMBERS_MAX)
		return;
	member = &cfg->members[cfg->nmembers++];
	LY_LIST_FOR (lyd_child(list), child) {
		if (is(child, "id"))
			member->id = number_of(child);
		else if (is(child, "not"))
			member->negate = truth_of(child);
	}
}

void relay_nb_read_track(const struct lyd_node *dnode, struct track_config *cfg)
{
	uint32_t probes_up = 1, probes_down = 3, delay_up = 0, delay_down = 0;
	const struct lyd_node *child;

	memset(cfg, 0, sizeof(*cfg));
	cfg->frequency_ms = 1000;
	cfg->timeout_ms = 500;
	LY_LIST_FOR (lyd_child(dnode), child) {
		if (is(child, "id"))
			cfg->id = number_of(child);
		else if (is(child, "type"))
			cfg->type = enum_of(child);
		else if (is(child, "interface"))
			strlcpy(cfg->ifname, value_of(child),
				sizeof(cfg->ifname));
		else if (is(child, "prefix")) {
			str2prefix(value_of(child), &cfg->prefix);
			apply_mask(&cfg->prefix);
		} else if (is(child, "target") || is(child, "peer"))
			address_of(child, &cfg->target);
		else if (is(child, "source-address") ||
			 is(child, "local-address"))
			address_of(child, &cfg->source);
		else if (is(child, "multihop"))
			cfg->multihop = truth_of(child);
		else if (is(child, "profile"))
			strlcpy(cfg->profile, value_of(child),
				sizeof(cfg->profile));
		else if (is(child, "source-interface"))
			strlcpy(cfg->source_ifname, value_of(child),
				sizeof(cfg->source_ifname));
		else if (is(child, "frequency"))
			cfg->frequency_ms = number_of(child);
		else if (is(child, "timeout"))
			cfg->timeout_ms = number_of(child);
		else if (is(child, "boolean"))
			cfg->list_or = enum_of(child) == 1;
		else if (is(child, "object"))
			read_member(child, cfg);
		else if (is(child, "probes"))
			read_pair(child, "up", &probes_up, "down",
				  &probes_down);
		else if (is(child, "delay"))
			read_pair(child, "up", &delay_up, "down", &delay_down);
	}
	qsort(cfg->members, cfg->nmembers, sizeof(cfg->members[0]), by_id);
	cfg->probes_up = probes_up;
	cfg->probes_down = probes_down;
	cfg->delay_up_s = delay_up;
	cfg->delay_down_s = delay_down;
}

/* -------------------------------------------------------------- instances */

static void read_uplink(const struct lyd_node *leaf, struct relay_config *cfg)
{
	if (cfg->nuplinks == RELAY_UPLINKS_MAX) {
		cfg->too_many_uplinks = true;
		return;
	}
	strlcpy(cfg->uplinks[cfg->nuplinks++], value_of(leaf), IFNAMSIZ);
}

static void read_tunnel(const struct lyd_node *container,
			struct relay_config *cfg)
{
	const struct lyd_node *child;

	LY_LIST_FOR (lyd_child(container), child) {
		if (is(child, "mode"))
			cfg->mode = enum_of(child);
		else if (is(child, "interface"))
			strlcpy(cfg->ifname, value_of(child),
				sizeof(cfg->ifname));
		else if (is(child, "source"))
			cfg->has_source = inet_pton(AF_INET, value_of(child),
						    &cfg->source) == 1;
		else if (is(child, "transmit-source"))
			cfg->has_transmit_source =
				inet_pton(AF_INET, value_of(child),
					  &cfg->transmit_source) == 1;
		else if (is(child, "direction"))
			cfg->direction = enum_of(child);
		else if (is(child, "datapath"))
			cfg->datapath = enum_of(child);
		else if (is(child, "uplink"))
			read_uplink(child, cfg);
		else if (is(child, "ttl"))
			cfg->ttl = number_of(child);
		else if (is(child, "udp-port"))
			cfg->udp_port = number_of(child);
	}
}

static void read_peers(const struct lyd_node *container,
		       struct relay_config *cfg)
{
	const struct lyd_node *child;

	LY_LIST_FOR (lyd_child(container), child) {
		if (is(child, "maximum"))
			cfg->peers_max = number_of(child);
		else if (is(child, "overload-withdraw"))
			cfg->overload_withdraw = truth_of(child);
	}
}

static void read_ipv6(const struct lyd_node *container,
		      struct relay_config *cfg)
{
	const struct lyd_node *child;

	LY_LIST_FOR (lyd_child(container), child) {
		if (is(child, "mtu"))
			cfg->mtu = number_of(child);
		else if (is(child, "address") &&
			 cfg->naddrs < RELAY_ADDRS_MAX &&
			 str2prefix_ipv6(value_of(child),
					 &cfg->addrs[cfg->naddrs]))
			cfg->naddrs++;
	}
}

static void read_dampening(const struct lyd_node *container,
			   struct relay_dampening_config *cfg)
{
	const struct lyd_node *child;

	cfg->enabled = true;
	LY_LIST_FOR (lyd_child(container), child) {
		if (is(child, "half-life"))
			cfg->half_life_min = number_of(child);
		else if (is(child, "reuse"))
			cfg->reuse = number_of(child);
		else if (is(child, "suppress"))
			cfg->suppress = number_of(child);
		else if (is(child, "max-suppress"))
			cfg->max_suppress_min = number_of(child);
	}
}

static void read_filter(const struct lyd_node *container,
			struct relay_config *cfg)
{
	size_t npermits = 0, ndenies = 0;
	const struct lyd_node *child;
	struct filter_rule *rule;

	LY_LIST_FOR (lyd_child(container), child) {
		if (is(child, "bogons")) {
			cfg->filter_bogons = truth_of(child);
			continue;
		}
		if (is(child, "permit") && ++npermits > RELAY_FILTERS_MAX) {
			cfg->too_many_permits = true;
			continue;
		}
		if (is(child, "deny") && ++ndenies > RELAY_FILTERS_MAX) {
			cfg->too_many_denies = true;
			continue;
		}
		rule = &cfg->filters[cfg->nfilters++];
		memset(rule, 0, sizeof(*rule));
		rule->verdict = is(child, "deny") ? FILTER_VERDICT_DENY
						  : FILTER_VERDICT_PERMIT;
		str2prefix(value_of(child), &rule->p);
		apply_mask(&rule->p);
	}
}

static void read_route(const struct lyd_node *list, struct relay_config *cfg)
{
	struct relay_route_config *route;
	const struct lyd_node *child;

	if (cfg->nroutes == RELAY_ROUTES_MAX)
		return;
	route = &cfg->routes[cfg->nroutes++];
	memset(route, 0, sizeof(*route));
	route->distance = RELAY_DISTANCE_DEFAULT;
	LY_LIST_FOR (lyd_child(list), child) {
		if (is(child, "prefix")) {
			str2prefix(value_of(child), &route->prefix);
			apply_mask(&route->prefix);
		} else if (is(child, "tag"))
			route->tag = number_of(child);
		else if (is(child, "distance"))
			route->distance = number_of(child);
		else if (is(child, "metric"))
			route->metric = number_of(child);
		else if (is(child, "track"))
			route->track = number_of(child);
	}
}

void relay_nb_read_instance(const struct lyd_node *dnode,
			    struct relay_config *cfg)
{
	const struct lyd_node *child;
	uint32_t delay_up = 0;

	relay_config_defaults(cfg);
	LY_LIST_FOR (lyd_child(dnode), child) {
		if (is(child, "name"))
			strlcpy(cfg->name, value_of(child), sizeof(cfg->name));
		else if (is(child, "description"))
			strlcpy(cfg->description, value_of(child),
				sizeof(cfg->description));
		else if (is(child, "enabled"))
			cfg->enabled = truth_of(child);
		else if (is(child, "maintenance"))
			cfg->maintenance = truth_of(child);
		else if (is(child, "tunnel"))
			read_tunnel(child, cfg);
		else if (is(child, "peers"))
			read_peers(child, cfg);
		else if (is(child, "ipv6"))
			read_ipv6(child, cfg);
		else if (is(child, "route"))
			read_route(child, cfg);
		else if (is(child, "track"))
			cfg->track = number_of(child);
		else if (is(child, "delay"))
			read_pair(child, "up", &delay_up, NULL, NULL);
		else if (is(child, "dampening"))
			read_dampening(child, &cfg->dampening);
		else if (is(child, "drain-time"))
			cfg->drain_time_s = number_of(child);
		else if (is(child, "filter"))
			read_filter(child, cfg);
		else if (is(child, "self-test"))
			cfg->self_test = truth_of(child);
	}
	cfg->delay_up_s = delay_up;
	qsort(cfg->uplinks, cfg->nuplinks, sizeof(cfg->uplinks[0]), by_name);
	qsort(cfg->addrs, cfg->naddrs, sizeof(cfg->addrs[0]), by_address);
	qsort(cfg->routes, cfg->nroutes, sizeof(cfg->routes[0]), by_prefix);
	qsort(cfg->filters, cfg->nfilters, sizeof(cfg->filters[0]), by_rule);
}
