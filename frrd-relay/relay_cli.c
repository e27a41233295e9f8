// SPDX-License-Identifier: GPL-2.0-or-later
/* relay NAME and its lines. */
#include <zebra.h>

#include "command.h"
#include "northbound_cli.h"
#include "printfrr.h"

#include "relay_cli.h"
#include "relay_nb.h"
#include "relay_nodes.h"
#include "relay_validate.h"

#ifndef VTYSH_EXTRACT_PL
#include "frrd-relay/relay_cli_clippy.c"
#endif

#define RELAY_STR "Anycast IPv6 transition relay\n"
#define IPV6_RELAY_STR "IPv6 on the tunnel interface\n"

DEFPY_YANG(relay_graceful_restart, relay_graceful_restart_cmd,
	"relay graceful-restart (1-3600)$secs",
	RELAY_STR
	"Keep the routes over a planned restart of relayd\n"
	"Seconds that zebra keeps them\n")
{
	nb_cli_enqueue_change(vty, RELAY_XPATH_RESTART "/restart-time",
			      NB_OP_MODIFY, secs_str);
	return relay_cli_apply(vty, RELAY_XPATH_RESTART);
}

static int remove_relay(struct vty *vty, const char *name);

DEFPY_YANG(no_relay_graceful_restart, no_relay_graceful_restart_cmd,
	"no relay graceful-restart [(1-3600)]",
	NO_STR
	RELAY_STR
	"Keep the routes over a planned restart of relayd\n"
	"Seconds that zebra keeps them\n")
{
	/* "no relay g" is an abbreviation of this one to FRR's parser, even
	 * where a relay has the name g. The relay is meant, there or not. */
	if (argc == 3 && strcmp(argv[2]->arg, "graceful-restart"))
		return remove_relay(vty, argv[2]->arg);
	nb_cli_enqueue_change(vty, RELAY_XPATH_RESTART "/restart-time",
			      NB_OP_DESTROY, NULL);
	return relay_cli_apply(vty, RELAY_XPATH_RESTART);
}

DEFPY_YANG_NOSH(relay, relay_cmd,
	"relay RELAYNAME$name",
	RELAY_STR
	"Name of the relay, also of its interface\n")
{
	char xpath[XPATH_MAXLEN], err[RELAY_ERR_LEN];
	int ret;

	if (!relay_validate_name(name, err, sizeof(err))) {
		vty_out(vty, "%% %s\n", err);
		return CMD_WARNING_CONFIG_FAILED;
	}
	snprintf(xpath, sizeof(xpath), RELAY_XPATH_INSTANCE, name);
	nb_cli_enqueue_change(vty, xpath, NB_OP_CREATE, NULL);
	ret = relay_cli_apply(vty, xpath);
	if (ret == CMD_SUCCESS)
		VTY_PUSH_XPATH(RELAY_NODE, xpath);
	return ret;
}

static int remove_relay(struct vty *vty, const char *name)
{
	char xpath[XPATH_MAXLEN], err[RELAY_ERR_LEN];

	snprintf(xpath, sizeof(xpath), RELAY_XPATH_INSTANCE, name);
	if (!relay_validate_name(name, err, sizeof(err)) ||
	    !yang_dnode_exists(vty->candidate_config->dnode, xpath)) {
		vty_out(vty, "%% No relay %s\n", name);
		return CMD_WARNING_CONFIG_FAILED;
	}
	nb_cli_enqueue_change(vty, xpath, NB_OP_DESTROY, NULL);
	return relay_cli_apply(vty, xpath);
}

DEFPY_YANG(no_relay, no_relay_cmd,
	"no relay RELAYNAME$name",
	NO_STR
	RELAY_STR
	"Name of the relay\n")
{
	return remove_relay(vty, name);
}

DEFPY_YANG(relay_description, relay_description_cmd,
	"description LINE...",
	"Text that describes the relay\n"
	"The text\n")
{
	char *text = argv_concat(argv, argc, 1);
	int ret;

	if (strlen(text) > RELAY_DESCRIPTION_MAX) {
		XFREE(MTYPE_TMP, text);
		vty_out(vty, "%% description is longer than %d characters\n",
			RELAY_DESCRIPTION_MAX);
		return CMD_WARNING_CONFIG_FAILED;
	}
	ret = relay_cli_set_leaf(vty, "./description", text);
	XFREE(MTYPE_TMP, text);
	return ret;
}

DEFPY_YANG(no_relay_description, no_relay_description_cmd,
	"no description",
	NO_STR
	"Text that describes the relay\n")
{
	return relay_cli_unset_leaf(vty, "./description");
}

ALIAS_YANG(no_relay_description, no_relay_description_line_cmd,
	"no description LINE...",
	NO_STR
	"Text that describes the relay\n"
	"The text\n")

DEFPY_YANG(relay_ipv6_mtu, relay_ipv6_mtu_cmd,
	"ipv6 mtu (1280-65515)$mtu",
	IPV6_RELAY_STR
	"MTU of the inner packet\n"
	"Octets, default 1280\n")
{
	return relay_cli_set_leaf(vty, "./ipv6/mtu", mtu_str);
}

DEFPY_YANG(no_relay_ipv6_mtu, no_relay_ipv6_mtu_cmd,
	"no ipv6 mtu [(1280-65515)]",
	NO_STR
	IPV6_RELAY_STR
	"MTU of the inner packet\n"
	"Octets, default 1280\n")
{
	return relay_cli_set_leaf(vty, "./ipv6/mtu", NULL);
}

DEFPY_YANG(relay_ipv6_address, relay_ipv6_address_cmd,
	"[no] ipv6 address X:X::X:X/M$addr",
	NO_STR
	IPV6_RELAY_STR
	"Address on the tunnel interface\n"
	"IPv6 address and prefix length\n")
{
	char value[PREFIX_STRLEN];

	/* one spelling, so that the same address is the same entry */
	prefix2str(addr, value, sizeof(value));
	return relay_cli_set_entry(vty, "./ipv6/address", value, !no);
}

/* `route` names all attributes: what is not on the line has its default. */
DEFPY_YANG(relay_route, relay_route_cmd,
	"route <A.B.C.D/M|X:X::X:X/M>$prefix [{tag (1-4294967295)$tag|distance (1-255)$distance|metric (0-4294967295)$metric|track (1-1000)$track}]",
	"Route injected while the relay is up\n"
	"IPv4 prefix, attracts IPv4 to IPv6\n"
	"IPv6 prefix, attracts IPv6 to IPv4\n"
	"Route tag\n"
	"Tag\n"
	"Administrative distance\n"
	"Distance, default 1\n"
	"Metric\n"
	"Metric, default 0\n"
	"Withdraw this route while a tracked object is not up\n"
	"Number of the tracked object\n")
{
	char base[XPATH_MAXLEN], xpath[4][XPATH_MAXLEN + 16];
	struct prefix p;

	prefix_copy(&p, prefix);
	apply_mask(&p);
	snprintfrr(base, sizeof(base), "./route[prefix='%pFX']", &p);
	snprintf(xpath[0], sizeof(xpath[0]), "%s/tag", base);
	snprintf(xpath[1], sizeof(xpath[1]), "%s/distance", base);
	snprintf(xpath[2], sizeof(xpath[2]), "%s/metric", base);
	snprintf(xpath[3], sizeof(xpath[3]), "%s/track", base);

	nb_cli_enqueue_change(vty, base, NB_OP_CREATE, NULL);
	nb_cli_enqueue_change(vty, xpath[0],
			      tag_str ? NB_OP_MODIFY : NB_OP_DESTROY, tag_str);
	nb_cli_enqueue_change(vty, xpath[1], NB_OP_MODIFY, distance_str);
	nb_cli_enqueue_change(vty, xpath[2], NB_OP_MODIFY, metric_str);
	nb_cli_enqueue_change(vty, xpath[3],
			      track_str ? NB_OP_MODIFY : NB_OP_DESTROY,
			      track_str);
	return relay_cli_apply(vty, VTY_CURR_XPATH);
}

DEFPY_YANG(no_relay_route, no_relay_route_cmd,
	"no route <A.B.C.D/M|X:X::X:X/M>$prefix [{tag (1-4294967295)|distance (1-255)|metric (0-4294967295)|track (1-1000)}]",
	NO_STR
	"Route injected while the relay is up\n"
	"IPv4 prefix\n"
	"IPv6 prefix\n"
	"Route tag\n"
	"Tag\n"
	"Administrative distance\n"
	"Distance\n"
	"Metric\n"
	"Metric\n"
	"Withdraw this route while a tracked object is not up\n"
	"Number of the tracked object\n")
{
	char xpath[XPATH_MAXLEN];
	struct prefix p;

	prefix_copy(&p, prefix);
	apply_mask(&p);
	snprintfrr(xpath, sizeof(xpath), "./route[prefix='%pFX']", &p);
	return relay_cli_unset_leaf(vty, xpath);
}

DEFPY_YANG(relay_track, relay_track_cmd,
	"track (1-1000)$track",
	"Withdraw all routes while a tracked object is not up\n"
	"Number of the tracked object\n")
{
	return relay_cli_set_leaf(vty, "./track", track_str);
}

DEFPY_YANG(no_relay_track, no_relay_track_cmd,
	"no track [(1-1000)]",
	NO_STR
	"Withdraw all routes while a tracked object is not up\n"
	"Number of the tracked object\n")
{
	return relay_cli_unset_leaf(vty, "./track");
}

DEFPY_YANG(relay_delay_up, relay_delay_up_cmd,
	"delay up (0-3600)$delay",
	"How long health must last\n"
	"Before routes appear\n"
	"Seconds, default 0\n")
{
	return relay_cli_set_leaf(vty, "./delay/up", delay_str);
}

DEFPY_YANG(no_relay_delay_up, no_relay_delay_up_cmd,
	"no delay up [(0-3600)]",
	NO_STR
	"How long health must last\n"
	"Before routes appear\n"
	"Seconds, default 0\n")
{
	return relay_cli_set_leaf(vty, "./delay/up", NULL);
}

static int set_dampening(struct vty *vty, const char *half_life,
			 const char *reuse, const char *suppress,
			 const char *max_suppress)
{
	nb_cli_enqueue_change(vty, "./dampening", NB_OP_CREATE, NULL);
	nb_cli_enqueue_change(vty, "./dampening/half-life", NB_OP_MODIFY,
			      half_life);
	nb_cli_enqueue_change(vty, "./dampening/reuse", NB_OP_MODIFY, reuse);
	nb_cli_enqueue_change(vty, "./dampening/suppress", NB_OP_MODIFY,
			      suppress);
	nb_cli_enqueue_change(vty, "./dampening/max-suppress", NB_OP_MODIFY,
			      max_suppress);
	return relay_cli_apply(vty, VTY_CURR_XPATH);
}

/* Without values: the defaults, whatever was there before. */
DEFPY_YANG(relay_dampening, relay_dampening_cmd,
	"dampening [half-life (1-45)$half reuse (1-20000)$reuse suppress (1-20000)$suppress max-suppress (1-255)$max]",
	"Hold back what flaps (RFC 2439)\n"
	"Time in which the penalty halves\n"
	"Minutes, default 15\n"
	"Penalty below which routes are announced again\n"
	"Penalty, default 750\n"
	"Penalty from which on routes are held back\n"
	"Penalty, default 2000; a flap is 1000\n"
	"Longest time that routes are held back after the last flap\n"
	"Minutes, default 60\n")
{
	return set_dampening(vty, half_str, reuse_str, suppress_str, max_str);
}

/* as in bgpd and IOS */
DEFPY_YANG(relay_dampening_plain, relay_dampening_plain_cmd,
	"dampening (1-45)$half (1-20000)$reuse (1-20000)$suppress (1-255)$max",
	"Hold back what flaps (RFC 2439)\n"
	"Half-life, minutes\n"
	"Penalty below which routes are announced again\n"
	"Penalty from which on routes are held back\n"
	"Longest time that routes are held back, minutes\n")
{
	return set_dampening(vty, half_str, reuse_str, suppress_str, max_str);
}

DEFPY_YANG(no_relay_dampening, no_relay_dampening_cmd,
	"no dampening [half-life (1-45) reuse (1-20000) suppress (1-20000) max-suppress (1-255)]",
	NO_STR
	"Hold back what flaps (RFC 2439)\n"
	"Time in which the penalty halves\n"
	"Minutes\n"
	"Penalty below which routes are announced again\n"
	"Penalty\n"
	"Penalty from which on routes are held back\n"
	"Penalty\n"
	"Longest time that routes are held back after the last flap\n"
	"Minutes\n")
{
	return relay_cli_unset_leaf(vty, "./dampening");
}

ALIAS_YANG(no_relay_dampening, no_relay_dampening_plain_cmd,
	"no dampening (1-45) (1-20000) (1-20000) (1-255)",
	NO_STR
	"Hold back what flaps (RFC 2439)\n"
	"Half-life, minutes\n"
	"Penalty below which routes are announced again\n"
	"Penalty from which on routes are held back\n"
	"Longest time that routes are held back, minutes\n")

DEFPY_YANG(relay_drain_time, relay_drain_time_cmd,
	"drain-time (0-600)$drain",
	"How long packets are forwarded after routes were withdrawn\n"
	"Seconds, default 5\n")
{
	return relay_cli_set_leaf(vty, "./drain-time", drain_str);
}

DEFPY_YANG(no_relay_drain_time, no_relay_drain_time_cmd,
	"no drain-time [(0-600)]",
	NO_STR
	"How long packets are forwarded after routes were withdrawn\n"
	"Seconds, default 5\n")
{
	return relay_cli_set_leaf(vty, "./drain-time", NULL);
}

DEFPY_YANG(relay_maintenance, relay_maintenance_cmd,
	"[no] maintenance",
	NO_STR
	"Withdraw the routes, keep the tunnel\n")
{
	return relay_cli_set_leaf(vty, "./maintenance", no ? "false" : "true");
}

DEFPY_YANG(relay_self_test, relay_self_test_cmd,
	"[no] self-test",
	NO_STR
	"In-band test of the datapath, on by default\n")
{
	return relay_cli_set_leaf(vty, "./self-test", no ? "false" : "true");
}

DEFPY_YANG(relay_shutdown, relay_shutdown_cmd,
	"[no] shutdown",
	NO_STR
	"Take the relay out of service (default, RFC 7526)\n")
{
	return relay_cli_set_leaf(vty, "./enabled", no ? "true" : "false");
}

/* ------------------------------------------------------------------- nodes */

static void relay_name_completions(vector comps, struct cmd_token *token)
{
	struct relay *relay;

	frr_each (relay_tree, relay_tree, relay)
		vector_set(comps, XSTRDUP(MTYPE_COMPLETION, relay->cfg.name));
}

static const struct cmd_variable_handler relay_name_handlers[] = {
	{.tokenname = "RELAYNAME", .completions = relay_name_completions},
	{.completions = NULL},
};

static struct cmd_node relay_node = {
	.name = "relay",
	.node = (enum node_type)RELAY_NODE,
	.parent_node = CONFIG_NODE,
	.prompt = "%s(config-relay)# ",
};

void relay_cli_init(void)
{
	cmd_variable_handler_register(relay_name_handlers);
	install_node(&relay_node);

	install_element(CONFIG_NODE, &relay_graceful_restart_cmd);
	install_element(CONFIG_NODE, &no_relay_graceful_restart_cmd);
	install_element(CONFIG_NODE, &relay_cmd);
	install_element(CONFIG_NODE, &no_relay_cmd);

	install_element(RELAY_NODE, &relay_description_cmd);
	install_element(RELAY_NODE, &no_relay_description_cmd);
	install_element(RELAY_NODE, &no_relay_description_line_cmd);
	install_element(RELAY_NODE, &relay_ipv6_mtu_cmd);
	install_element(RELAY_NODE, &no_relay_ipv6_mtu_cmd);
	install_element(RELAY_NODE, &relay_ipv6_address_cmd);
	install_element(RELAY_NODE, &relay_route_cmd);
	install_element(RELAY_NODE, &no_relay_route_cmd);
	install_element(RELAY_NODE, &relay_track_cmd);
	install_element(RELAY_NODE, &no_relay_track_cmd);
	install_element(RELAY_NODE, &relay_delay_up_cmd);
	install_element(RELAY_NODE, &no_relay_delay_up_cmd);
	install_element(RELAY_NODE, &relay_dampening_cmd);
	install_element(RELAY_NODE, &relay_dampening_plain_cmd);
	install_element(RELAY_NODE, &no_relay_dampening_cmd);
	install_element(RELAY_NODE, &no_relay_dampening_plain_cmd);
	install_element(RELAY_NODE, &relay_drain_time_cmd);
	install_element(RELAY_NODE, &no_relay_drain_time_cmd);
	install_element(RELAY_NODE, &relay_maintenance_cmd);
	install_element(RELAY_NODE, &relay_self_test_cmd);
	install_element(RELAY_NODE, &relay_shutdown_cmd);

	relay_cli_tunnel_init();
}
