// SPDX-License-Identifier: GPL-2.0-or-later
/* track (1-1000) ... and its lines. */
#include <zebra.h>

#include "command.h"
#include "northbound_cli.h"
#include "printfrr.h"

#include "relay_cli.h"
#include "relay_nb.h"
#include "relay_nodes.h"

#ifndef VTYSH_EXTRACT_PL
#include "frrd-relay/relay_cli_track_clippy.c"
#endif

#define TRACK_STR "Object tracking\n"
#define TRACK_ID_STR "Number of the tracked object\n"

struct track_leaf {
	const char *name;
	const char *value; /* NULL: the leaf goes */
};

/* Type of an object of the candidate as YANG spells it, or NULL. */
static const char *candidate_type(struct vty *vty, const char *xpath)
{
	if (!yang_dnode_exists(vty->candidate_config->dnode, xpath))
		return NULL;
	return yang_dnode_get_string(vty->candidate_config->dnode, "%s/type",
				     xpath);
}

/* Creates the object, or enters it; leaves ends with a NULL name. */
static int enter_object(struct vty *vty, const char *id, const char *type,
		       const struct track_leaf *leaves)
{
	char xpath[XPATH_MAXLEN], leaf[XPATH_MAXLEN + 32];
	const char *old;
	int ret;

	snprintf(xpath, sizeof(xpath), RELAY_XPATH "/track-object[id='%s']",
		 id);
	old = candidate_type(vty, xpath);
	if (old && strcmp(old, type)) {
		vty_out(vty, "%% track %s is of type %s, remove it first\n", id,
			old);
		return CMD_WARNING_CONFIG_FAILED;
	}

	nb_cli_enqueue_change(vty, xpath, NB_OP_CREATE, NULL);
	snprintf(leaf, sizeof(leaf), "%s/type", xpath);
	nb_cli_enqueue_change(vty, leaf, NB_OP_MODIFY, type);
	for (; leaves->name; leaves++) {
		snprintf(leaf, sizeof(leaf), "%s/%s", xpath, leaves->name);
		nb_cli_enqueue_change(vty, leaf,
				      leaves->value ? NB_OP_MODIFY
						    : NB_OP_DESTROY,
				      leaves->value);
	}
	ret = relay_cli_apply(vty, xpath);
	if (ret == CMD_SUCCESS)
		VTY_PUSH_XPATH(RELAY_TRACK_NODE, xpath);
	return ret;
}

DEFPY_YANG_NOSH(track_enter, track_enter_cmd,
	"track (1-1000)$id",
	TRACK_STR
	TRACK_ID_STR)
{
	char xpath[XPATH_MAXLEN];

	snprintf(xpath, sizeof(xpath), RELAY_XPATH_TRACK, (unsigned int)id);
	if (!candidate_type(vty, xpath)) {
		vty_out(vty, "%% track %ld does not exist\n", id);
		return CMD_WARNING_CONFIG_FAILED;
	}
	VTY_PUSH_XPATH(RELAY_TRACK_NODE, xpath);
	return CMD_SUCCESS;
}

DEFPY_YANG_NOSH(track_interface, track_interface_cmd,
	"track (1-1000)$id interface IFNAME$ifname line-protocol",
	TRACK_STR
	TRACK_ID_STR
	"State of an interface\n"
	"Interface name\n"
	"It exists and is operative\n")
{
	const struct track_leaf leaves[] = {{"interface", ifname}, {}};

	if (!relay_cli_ifname_ok(vty, ifname))
		return CMD_WARNING_CONFIG_FAILED;
	return enter_object(vty, id_str, "interface", leaves);
}

static int track_route_enter(struct vty *vty, const char *id, const char *type,
			     const struct prefix *prefix)
{
	char value[PREFIX_STRLEN];
	const struct track_leaf leaves[] = {{"prefix", value}, {}};
	struct prefix p;

	prefix_copy(&p, prefix);
	apply_mask(&p);
	prefix2str(&p, value, sizeof(value));
	return enter_object(vty, id, type, leaves);
}

DEFPY_YANG_NOSH(track_ip_route, track_ip_route_cmd,
	"track (1-1000)$id ip route A.B.C.D/M$prefix reachability",
	TRACK_STR
	TRACK_ID_STR
	"IPv4\n"
	"A route of the RIB\n"
	"Prefix, matched exactly\n"
	"It is selected and installed, and not relayd's own\n")
{
	return track_route_enter(vty, id_str, "ip-route",
				 (const struct prefix *)prefix);
}

DEFPY_YANG_NOSH(track_ipv6_route, track_ipv6_route_cmd,
	"track (1-1000)$id ipv6 route X:X::X:X/M$prefix reachability",
	TRACK_STR
	TRACK_ID_STR
	"IPv6\n"
	"A route of the RIB\n"
	"Prefix, matched exactly\n"
	"It is selected and installed, and not relayd's own\n")
{
	return track_route_enter(vty, id_str, "ipv6-route",
				 (const struct prefix *)prefix);
}

DEFPY_YANG_NOSH(track_icmp_echo, track_icmp_echo_cmd,
	"track (1-1000)$id icmp-echo <A.B.C.D|X:X::X:X>$target [{source-address <A.B.C.D|X:X::X:X>$source|source-interface IFNAME$ifname}]",
	TRACK_STR
	TRACK_ID_STR
	"Echo replies from an address\n"
	"IPv4 address\n"
	"IPv6 address\n"
	"Source of the echo requests\n"
	"IPv4 address\n"
	"IPv6 address\n"
	"Interface through which the echo requests leave\n"
	"Interface name\n")
{
	const struct track_leaf leaves[] = {
		{"target", target_str},
		{"source-address", source ? source_str : NULL},
		{"source-interface", ifname},
		{}};

	if (ifname && !relay_cli_ifname_ok(vty, ifname))
		return CMD_WARNING_CONFIG_FAILED;
	return enter_object(vty, id_str, "icmp-echo", leaves);
}

DEFPY_YANG_NOSH(track_bfd, track_bfd_cmd,
	"track (1-1000)$id bfd peer <A.B.C.D|X:X::X:X>$peer [{local-address <A.B.C.D|X:X::X:X>$local|interface IFNAME$ifname|multihop$multihop|profile BFDPROF$profile}]",
	TRACK_STR
	TRACK_ID_STR
	"State of a BFD session of bfdd\n"
	"The other end of the session\n"
	"IPv4 address\n"
	"IPv6 address\n"
	"This end of the session\n"
	"IPv4 address\n"
	"IPv6 address\n"
	"Interface of a session over one hop\n"
	"Interface name\n"
	"The peer is more than one hop away\n"
	"One of bfdd's profiles: timers and more\n"
	"Name of the profile\n")
{
	const struct track_leaf leaves[] = {
		{"peer", peer_str},
		{"local-address", local ? local_str : NULL},
		{"interface", ifname},
		{"multihop", multihop ? "true" : NULL},
		{"profile", profile},
		{}};

	if (ifname && !relay_cli_ifname_ok(vty, ifname))
		return CMD_WARNING_CONFIG_FAILED;
	if (profile && strlen(profile) >= TRACK_PROFILE_LEN) {
		vty_out(vty, "%% profile %.80s is longer than %d characters\n",
			profile, TRACK_PROFILE_LEN - 1);
		return CMD_WARNING_CONFIG_FAILED;
	}
	return enter_object(vty, id_str, "bfd", leaves);
}

DEFPY_YANG_NOSH(track_list, track_list_cmd,
	"track (1-1000)$id list boolean <and|or>$op",
	TRACK_STR
	TRACK_ID_STR
	"List of tracked objects\n"
	"Boolean combination\n"
	"Up while all members hold\n"
	"Up while at least one member holds\n")
{
	const struct track_leaf leaves[] = {{"boolean", op}, {}};

	return enter_object(vty, id_str, "list", leaves);
}

DEFPY_YANG(no_track, no_track_cmd,
	"no track (1-1000)$id [<interface IFNAME line-protocol|ip route A.B.C.D/M reachability|ipv6 route X:X::X:X/M reachability|icmp-echo <A.B.C.D|X:X::X:X> [{source-address <A.B.C.D|X:X::X:X>|source-interface IFNAME}]|bfd peer <A.B.C.D|X:X::X:X> [{local-address <A.B.C.D|X:X::X:X>|interface IFNAME|multihop|profile BFDPROF}]|list boolean <and|or>>]",
	NO_STR
	TRACK_STR
	TRACK_ID_STR
	"State of an interface\n"
	"Interface name\n"
	"It exists and is operative\n"
	"IPv4\n"
	"A route of the RIB\n"
	"Prefix\n"
	"It is selected and installed\n"
	"IPv6\n"
	"A route of the RIB\n"
	"Prefix\n"
	"It is selected and installed\n"
	"Echo replies from an address\n"
	"IPv4 address\n"
	"IPv6 address\n"
	"Source of the echo requests\n"
	"IPv4 address\n"
	"IPv6 address\n"
	"Interface through which the echo requests leave\n"
	"Interface name\n"
	"State of a BFD session of bfdd\n"
	"The other end of the session\n"
	"IPv4 address\n"
	"IPv6 address\n"
	"This end of the session\n"
	"IPv4 address\n"
	"IPv6 address\n"
	"Interface of a session over one hop\n"
	"Interface name\n"
	"The peer is more than one hop away\n"
	"One of bfdd's profiles: timers and more\n"
	"Name of the profile\n"
	"List of tracked objects\n"
	"Boolean combination\n"
	"Up while all members hold\n"
	"Up while at least one member holds\n")
{
	char xpath[XPATH_MAXLEN];

	snprintf(xpath, sizeof(xpath), RELAY_XPATH_TRACK, (unsigned int)id);
	if (!candidate_type(vty, xpath)) {
		vty_out(vty, "%% track %ld does not exist\n", id);
		return CMD_WARNING_CONFIG_FAILED;
	}
	nb_cli_enqueue_change(vty, xpath, NB_OP_DESTROY, NULL);
	return relay_cli_apply(vty, xpath);
}

/* --------------------------------------------------------------- node lines */

/* Two leaves of a container, as in `delay up 10 down 0`; NULL: not named. */
static int set_pair(struct vty *vty, const char *up_xpath, const char *up,
		    const char *down_xpath, const char *down)
{
	if (up)
		nb_cli_enqueue_change(vty, up_xpath, NB_OP_MODIFY, up);
	if (down)
		nb_cli_enqueue_change(vty, down_xpath, NB_OP_MODIFY, down);
	return relay_cli_apply(vty, VTY_CURR_XPATH);
}

/* `no` resets those that are named, or both. */
static int reset_pair(struct vty *vty, const char *up_xpath, bool up,
		      const char *down_xpath, bool down)
{
	if (up || !down)
		nb_cli_enqueue_change(vty, up_xpath, NB_OP_MODIFY, NULL);
	if (down || !up)
		nb_cli_enqueue_change(vty, down_xpath, NB_OP_MODIFY, NULL);
	return relay_cli_apply(vty, VTY_CURR_XPATH);
}

/* Lines that only a kind understands are refused on the others. */
static bool wrong_type(struct vty *vty, const char *type, const char *line)
{
	const char *is = candidate_type(vty, VTY_CURR_XPATH);

	if (!is || !strcmp(is, type))
		return false;
	vty_out(vty, "%% %s is for objects of type %s, this one is of type %s\n",
		line, type, is);
	return true;
}

DEFPY_YANG(track_delay, track_delay_cmd,
	"delay {up (0-180)$up|down (0-180)$down}",
	"How long a change must last before it counts\n"
	"Before the object is up\n"
	"Seconds, default 0\n"
	"Before the object is down\n"
	"Seconds, default 0\n")
{
	return set_pair(vty, "./delay/up", up_str, "./delay/down", down_str);
}

DEFPY_YANG(no_track_delay, no_track_delay_cmd,
	"no delay [{up$up [(0-180)]|down$down [(0-180)]}]",
	NO_STR
	"How long a change must last before it counts\n"
	"Before the object is up\n"
	"Seconds\n"
	"Before the object is down\n"
	"Seconds\n")
{
	return reset_pair(vty, "./delay/up", !!up, "./delay/down", !!down);
}

DEFPY_YANG(track_probes, track_probes_cmd,
	"probes {up (1-10)$up|down (1-10)$down}",
	"Probes in a row that change the state\n"
	"Replies in a row after which the object is up\n"
	"Number, default 1\n"
	"Losses in a row after which the object is down\n"
	"Number, default 3\n")
{
	if (wrong_type(vty, "icmp-echo", "probes"))
		return CMD_WARNING_CONFIG_FAILED;
	return set_pair(vty, "./probes/up", up_str, "./probes/down", down_str);
}

DEFPY_YANG(no_track_probes, no_track_probes_cmd,
	"no probes [{up$up [(1-10)]|down$down [(1-10)]}]",
	NO_STR
	"Probes in a row that change the state\n"
	"Replies in a row after which the object is up\n"
	"Number\n"
	"Losses in a row after which the object is down\n"
	"Number\n")
{
	return reset_pair(vty, "./probes/up", !!up, "./probes/down", !!down);
}

DEFPY_YANG(track_frequency, track_frequency_cmd,
	"frequency (100-60000)$frequency",
	"Interval between probes\n"
	"Milliseconds, default 1000\n")
{
	if (wrong_type(vty, "icmp-echo", "frequency"))
		return CMD_WARNING_CONFIG_FAILED;
	return set_pair(vty, "./frequency", frequency_str, NULL, NULL);
}

DEFPY_YANG(no_track_frequency, no_track_frequency_cmd,
	"no frequency [(100-60000)]",
	NO_STR
	"Interval between probes\n"
	"Milliseconds, default 1000\n")
{
	return reset_pair(vty, "./frequency", true, NULL, false);
}

DEFPY_YANG(track_timeout, track_timeout_cmd,
	"timeout (50-60000)$timeout",
	"A reply that takes longer is lost\n"
	"Milliseconds, default 500\n")
{
	if (wrong_type(vty, "icmp-echo", "timeout"))
		return CMD_WARNING_CONFIG_FAILED;
	return set_pair(vty, "./timeout", timeout_str, NULL, NULL);
}

DEFPY_YANG(no_track_timeout, no_track_timeout_cmd,
	"no timeout [(50-60000)]",
	NO_STR
	"A reply that takes longer is lost\n"
	"Milliseconds, default 500\n")
{
	return reset_pair(vty, "./timeout", true, NULL, false);
}

DEFPY_YANG(track_object, track_object_cmd,
	"object (1-1000)$member [not$negate]",
	"Member of the list\n"
	TRACK_ID_STR
	"The member holds while the object is down\n")
{
	char xpath[XPATH_MAXLEN], leaf[XPATH_MAXLEN + 16];

	if (wrong_type(vty, "list", "object"))
		return CMD_WARNING_CONFIG_FAILED;
	snprintf(xpath, sizeof(xpath), "./object[id='%s']", member_str);
	snprintf(leaf, sizeof(leaf), "%s/not", xpath);
	nb_cli_enqueue_change(vty, xpath, NB_OP_CREATE, NULL);
	nb_cli_enqueue_change(vty, leaf, NB_OP_MODIFY,
			      negate ? "true" : "false");
	return relay_cli_apply(vty, VTY_CURR_XPATH);
}

DEFPY_YANG(no_track_object, no_track_object_cmd,
	"no object (1-1000)$member [not]",
	NO_STR
	"Member of the list\n"
	TRACK_ID_STR
	"The member holds while the object is down\n")
{
	char xpath[XPATH_MAXLEN];

	snprintf(xpath, sizeof(xpath), "./object[id='%s']", member_str);
	nb_cli_enqueue_change(vty, xpath, NB_OP_DESTROY, NULL);
	return relay_cli_apply(vty, VTY_CURR_XPATH);
}

/* ----------------------------------------------------------- running-config */

static void show_type(struct vty *vty, const struct track_config *cfg)
{
	switch (cfg->type) {
	case TRACK_INTERFACE:
		vty_out(vty, " interface %s line-protocol\n", cfg->ifname);
		return;
	case TRACK_IP_ROUTE:
		vty_out(vty, " ip route %pFX reachability\n", &cfg->prefix);
		return;
	case TRACK_IPV6_ROUTE:
		vty_out(vty, " ipv6 route %pFX reachability\n", &cfg->prefix);
		return;
	case TRACK_ICMP_ECHO:
		vty_out(vty, " icmp-echo %pIA", &cfg->target);
		if (!IS_IPADDR_NONE(&cfg->source))
			vty_out(vty, " source-address %pIA", &cfg->source);
		if (cfg->source_ifname[0])
			vty_out(vty, " source-interface %s",
				cfg->source_ifname);
		vty_out(vty, "\n");
		return;
	case TRACK_BFD:
		vty_out(vty, " bfd peer %pIA", &cfg->target);
		if (!IS_IPADDR_NONE(&cfg->source))
			vty_out(vty, " local-address %pIA", &cfg->source);
		if (cfg->ifname[0])
			vty_out(vty, " interface %s", cfg->ifname);
		if (cfg->multihop)
			vty_out(vty, " multihop");
		if (cfg->profile[0])
			vty_out(vty, " profile %s", cfg->profile);
		vty_out(vty, "\n");
		return;
	case TRACK_LIST:
		vty_out(vty, " list boolean %s\n", cfg->list_or ? "or" : "and");
		return;
	}
	assert(!"unknown kind of tracked object");
}

static void show_probes(struct vty *vty, const struct track_config *cfg,
			bool defaults)
{
	if (cfg->frequency_ms != 1000 || defaults)
		vty_out(vty, " frequency %u\n", cfg->frequency_ms);
	if (cfg->timeout_ms != 500 || defaults)
		vty_out(vty, " timeout %u\n", cfg->timeout_ms);
	if (cfg->probes_up != 1 || cfg->probes_down != 3 || defaults)
		vty_out(vty, " probes up %u down %u\n", cfg->probes_up,
			cfg->probes_down);
}

void relay_cli_show_track(struct vty *vty, const struct lyd_node *dnode,
			  bool show_defaults)
{
	struct track_config cfg;

	relay_nb_read_track(dnode, &cfg);
	vty_out(vty, "!\ntrack %u", cfg.id);
	show_type(vty, &cfg);
	for (size_t i = 0; i < cfg.nmembers; i++)
		vty_out(vty, " object %u%s\n", cfg.members[i].id,
			cfg.members[i].negate ? " not" : "");
	if (cfg.type == TRACK_ICMP_ECHO)
		show_probes(vty, &cfg, show_defaults);
	if (cfg.delay_up_s || cfg.delay_down_s || show_defaults)
		vty_out(vty, " delay up %u down %u\n", cfg.delay_up_s,
			cfg.delay_down_s);
}

/* 0 for what is no list, else one more than the deepest member. */
static unsigned int list_depth(const struct lyd_node *dnode)
{
	const struct lyd_node *root = lyd_parent(dnode), *member;
	struct track_config cfg;
	unsigned int depth = 0;

	relay_nb_read_track(dnode, &cfg);
	if (cfg.type != TRACK_LIST)
		return 0;
	for (size_t i = 0; i < cfg.nmembers; i++) {
		member = relay_nb_find_track(root, cfg.members[i].id);
		if (member)
			depth = MAX(depth, list_depth(member));
	}
	return depth + 1;
}

/* A list comes after its members, so that what is written can be read back. */
int relay_cli_track_cmp(const struct lyd_node *a, const struct lyd_node *b)
{
	unsigned int depth_a = list_depth(a), depth_b = list_depth(b);

	if (depth_a != depth_b)
		return numcmp(depth_a, depth_b);
	return numcmp(yang_dnode_get_uint16(a, "./id"),
		      yang_dnode_get_uint16(b, "./id"));
}

/* -------------------------------------------------------------------- nodes */

static int config_write(struct vty *vty)
{
	const struct lyd_node *root = relay_nb_root(running_config->dnode);

	if (!root)
		return 0;
	nb_cli_show_dnode_cmds(vty, root, false);
	return 1;
}

/* Writes relays too: they follow the objects that they refer to. */
static struct cmd_node track_node = {
	.name = "track",
	.node = (enum node_type)RELAY_TRACK_NODE,
	.parent_node = CONFIG_NODE,
	.prompt = "%s(config-track)# ",
	.config_write = config_write,
};

void relay_cli_track_init(void)
{
	install_node(&track_node);

	install_element(CONFIG_NODE, &track_enter_cmd);
	install_element(CONFIG_NODE, &track_interface_cmd);
	install_element(CONFIG_NODE, &track_ip_route_cmd);
	install_element(CONFIG_NODE, &track_ipv6_route_cmd);
	install_element(CONFIG_NODE, &track_icmp_echo_cmd);
	install_element(CONFIG_NODE, &track_bfd_cmd);
	install_element(CONFIG_NODE, &track_list_cmd);
	install_element(CONFIG_NODE, &no_track_cmd);

	install_element(RELAY_TRACK_NODE, &track_delay_cmd);
	install_element(RELAY_TRACK_NODE, &no_track_delay_cmd);
	install_element(RELAY_TRACK_NODE, &track_probes_cmd);
	install_element(RELAY_TRACK_NODE, &no_track_probes_cmd);
	install_element(RELAY_TRACK_NODE, &track_frequency_cmd);
	install_element(RELAY_TRACK_NODE, &no_track_frequency_cmd);
	install_element(RELAY_TRACK_NODE, &track_timeout_cmd);
	install_element(RELAY_TRACK_NODE, &no_track_timeout_cmd);
	install_element(RELAY_TRACK_NODE, &track_object_cmd);
	install_element(RELAY_TRACK_NODE, &no_track_object_cmd);
}
