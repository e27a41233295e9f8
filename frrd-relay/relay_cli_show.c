// SPDX-License-Identifier: GPL-2.0-or-later
/* relay NAME and its lines in the running configuration. */
#include <zebra.h>

#include "command.h"
#include "northbound_cli.h"
#include "printfrr.h"

#include "relay_nb.h"

void relay_cli_show_restart_time(struct vty *vty, const struct lyd_node *dnode,
				 bool show_defaults)
{
	vty_out(vty, "relay graceful-restart %s\n",
		yang_dnode_get_string(dnode, NULL));
}

static void show_routes(struct vty *vty, const struct relay_config *cfg)
{
	const struct relay_route_config *route;

	for (size_t i = 0; i < cfg->nroutes; i++) {
		route = &cfg->routes[i];
		vty_out(vty, " route %pFX", &route->prefix);
		if (route->tag)
			vty_out(vty, " tag %u", route->tag);
		if (route->distance != RELAY_DISTANCE_DEFAULT)
			vty_out(vty, " distance %u", route->distance);
		if (route->metric)
			vty_out(vty, " metric %u", route->metric);
		if (route->track)
			vty_out(vty, " track %u", route->track);
		vty_out(vty, "\n");
	}
}

static void show_dampening(struct vty *vty,
			   const struct relay_dampening_config *cfg,
			   bool defaults)
{
	struct relay_dampening_config plain;

	if (!cfg->enabled) {
		if (defaults)
			vty_out(vty, " no dampening\n");
		return;
	}
	relay_dampening_defaults(&plain);
	plain.enabled = true;
	if (relay_dampening_same(cfg, &plain) && !defaults)
		vty_out(vty, " dampening\n");
	else
		vty_out(vty,
			" dampening half-life %u reuse %u suppress %u max-suppress %u\n",
			cfg->half_life_min, cfg->reuse, cfg->suppress,
			cfg->max_suppress_min);
}

static void show_tunnel(struct vty *vty, const struct relay_config *cfg,
			bool defaults)
{
	switch (cfg->mode) {
	case RELAY_MODE_NONE:
		break;
	case RELAY_MODE_6TO4:
		vty_out(vty, " tunnel mode ipv6ip 6to4\n");
		break;
	case RELAY_MODE_TEREDO:
		vty_out(vty, " tunnel mode teredo\n");
		break;
	}
	if (cfg->ifname[0])
		vty_out(vty, " tunnel interface %s\n", cfg->ifname);
	if (cfg->has_source)
		vty_out(vty, " tunnel source %pI4\n", &cfg->source);
	if (cfg->has_transmit_source)
		vty_out(vty, " tunnel transmit-source %pI4\n",
			&cfg->transmit_source);
	switch (cfg->direction) {
	case TUNNEL_DIR_BOTH:
		if (defaults)
			vty_out(vty, " tunnel direction both\n");
		break;
	case TUNNEL_DIR_RECEIVE:
		vty_out(vty, " tunnel direction receive\n");
		break;
	case TUNNEL_DIR_TRANSMIT:
		vty_out(vty, " tunnel direction transmit\n");
		break;
	}
	switch (cfg->datapath) {
	case TUNNEL_DATAPATH_AUTO:
		if (defaults)
			vty_out(vty, " tunnel datapath auto\n");
		break;
	case TUNNEL_DATAPATH_SIT:
		vty_out(vty, " tunnel datapath sit\n");
		break;
	case TUNNEL_DATAPATH_EBPF:
		vty_out(vty, " tunnel datapath ebpf\n");
		break;
	case TUNNEL_DATAPATH_XDP:
		vty_out(vty, " tunnel datapath xdp\n");
		break;
	case TUNNEL_DATAPATH_USERSPACE:
		vty_out(vty, " tunnel datapath userspace\n");
		break;
	}
	for (size_t i = 0; i < cfg->nuplinks; i++)
		vty_out(vty, " tunnel uplink %s\n", cfg->uplinks[i]);
	if (cfg->ttl != RELAY_TTL_DEFAULT || defaults)
		vty_out(vty, " tunnel ttl %u\n", cfg->ttl);
}

static void show_teredo(struct vty *vty, const struct relay_config *cfg,
			bool defaults)
{
	/* a 6to4 relay would refuse them */
	defaults = defaults && cfg->mode == RELAY_MODE_TEREDO;
	if (cfg->udp_port != RELAY_UDP_PORT_DEFAULT || defaults)
		vty_out(vty, " tunnel udp-port %u\n", cfg->udp_port);
	if (cfg->peers_max != RELAY_PEERS_DEFAULT || defaults)
		vty_out(vty, " peers maximum %u\n", cfg->peers_max);
	if (cfg->overload_withdraw)
		vty_out(vty, " peers overload withdraw\n");
	else if (defaults)
		vty_out(vty, " no peers overload withdraw\n");
}

static void show_filters(struct vty *vty, const struct relay_config *cfg,
			 bool defaults)
{
	if (!cfg->filter_bogons)
		vty_out(vty, " no filter bogons\n");
	else if (defaults)
		vty_out(vty, " filter bogons\n");
	for (size_t i = 0; i < cfg->nfilters; i++)
		if (cfg->filters[i].verdict == FILTER_VERDICT_PERMIT)
			vty_out(vty, " filter permit %pFX\n",
				&cfg->filters[i].p);
	for (size_t i = 0; i < cfg->nfilters; i++)
		if (cfg->filters[i].verdict == FILTER_VERDICT_DENY)
			vty_out(vty, " filter deny %pFX\n", &cfg->filters[i].p);
}

void relay_cli_show_instance(struct vty *vty, const struct lyd_node *dnode,
			     bool show_defaults)
{
	struct relay_config cfg;

	relay_nb_read_instance(dnode, &cfg);
	vty_out(vty, "!\nrelay %s\n", cfg.name);
	if (cfg.description[0])
		vty_out(vty, " description %s\n", cfg.description);
	show_tunnel(vty, &cfg, show_defaults);
	show_teredo(vty, &cfg, show_defaults);
	if (cfg.mtu != RELAY_MTU_DEFAULT || show_defaults)
		vty_out(vty, " ipv6 mtu %u\n", cfg.mtu);
	for (size_t i = 0; i < cfg.naddrs; i++)
		vty_out(vty, " ipv6 address %pFX\n", &cfg.addrs[i]);
	show_routes(vty, &cfg);
	if (cfg.track)
		vty_out(vty, " track %u\n", cfg.track);
	if (cfg.delay_up_s || show_defaults)
		vty_out(vty, " delay up %u\n", cfg.delay_up_s);
	show_dampening(vty, &cfg.dampening, show_defaults);
	if (cfg.drain_time_s != RELAY_DRAIN_DEFAULT_S || show_defaults)
		vty_out(vty, " drain-time %u\n", cfg.drain_time_s);
	show_filters(vty, &cfg, show_defaults);
	if (!cfg.self_test)
		vty_out(vty, " no self-test\n");
	else if (show_defaults)
		vty_out(vty, " self-test\n");
	if (cfg.maintenance)
		vty_out(vty, " maintenance\n");
	else if (show_defaults)
		vty_out(vty, " no maintenance\n");
	if (cfg.enabled)
		vty_out(vty, " no shutdown\n");
	else if (show_defaults)
		vty_out(vty, " shutdown\n");
}

/* The order of show relay, whichever libyang's is. */
int relay_cli_instance_cmp(const struct lyd_node *a, const struct lyd_node *b)
{
	return strcmp(yang_dnode_get_string(a, "./name"),
		      yang_dnode_get_string(b, "./name"));
}

void relay_cli_show_end(struct vty *vty, const struct lyd_node *dnode)
{
	vty_out(vty, "exit\n");
}
