// SPDX-License-Identifier: GPL-2.0-or-later
/* What a relay's configuration means: defaults, names and routes in effect. */
#include <zebra.h>

#include "relay.h"

void relay_config_defaults(struct relay_config *cfg)
{
	memset(cfg, 0, offsetof(struct relay_config, filters));
	cfg->direction = TUNNEL_DIR_BOTH;
	cfg->datapath = TUNNEL_DATAPATH_AUTO;
	cfg->ttl = RELAY_TTL_DEFAULT;
	cfg->udp_port = RELAY_UDP_PORT_DEFAULT;
	cfg->peers_max = RELAY_PEERS_DEFAULT;
	cfg->mtu = RELAY_MTU_DEFAULT;
	cfg->drain_time_s = RELAY_DRAIN_DEFAULT_S;
	cfg->self_test = true;
	cfg->filter_bogons = true;
	relay_dampening_defaults(&cfg->dampening);
}

void relay_config_copy(struct relay_config *to, const struct relay_config *from)
{
	if (to != from)
		memcpy(to, from,
		       offsetof(struct relay_config, filters[from->nfilters]));
}

const char *relay_config_ifname(const struct relay_config *cfg)
{
	return cfg->ifname[0] ? cfg->ifname : cfg->name;
}

/* 4->6 traffic follows the IPv4 prefix, 6->4 traffic the IPv6 one. */
static bool direction_serves(enum tunnel_direction dir, const struct prefix *p)
{
	switch (dir) {
	case TUNNEL_DIR_BOTH:
		return true;
	case TUNNEL_DIR_RECEIVE:
		return p->family == AF_INET;
	case TUNNEL_DIR_TRANSMIT:
		return p->family == AF_INET6;
	}
	assert(!"unknown direction");
}

static const struct {
	enum relay_mode mode;
	const char *prefix;
} mode_routes[] = {
	{RELAY_MODE_6TO4, "192.88.99.0/24"},
	{RELAY_MODE_6TO4, "2002::/16"},
	{RELAY_MODE_TEREDO, "2001::/32"},
};

size_t relay_config_routes(const struct relay_config *cfg,
			   struct relay_route_config *out)
{
	struct relay_route_config route;
	size_t n = 0;

	for (size_t i = 0; i < cfg->nroutes; i++)
		if (direction_serves(cfg->direction, &cfg->routes[i].prefix))
			out[n++] = cfg->routes[i];
	if (cfg->nroutes)
		return n;

	for (size_t i = 0; i < array_size(mode_routes); i++) {
		if (mode_routes[i].mode != cfg->mode)
			continue;
		memset(&route, 0, sizeof(route));
		route.distance = RELAY_DISTANCE_DEFAULT;
		str2prefix(mode_routes[i].prefix, &route.prefix);
		if (direction_serves(cfg->direction, &route.prefix))
			out[n++] = route;
	}
	return n;
}

bool relay_config_same_service(const struct relay_config *a,
			       const struct relay_config *b)
{
	return a->mode == b->mode && a->source.s_addr == b->source.s_addr &&
	       (a->mode != RELAY_MODE_TEREDO || a->udp_port == b->udp_port);
}

bool relay_config_complete(const struct relay_config *cfg)
{
	return cfg->mode != RELAY_MODE_NONE && cfg->has_source;
}
