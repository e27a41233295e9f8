// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * relayd in vtysh: nodes, the commands that leave them, and the place of
 * relayd's blocks in the running configuration.  Its other commands, those that
 * enter a node too, are taken from relayd's sources by relay_commands.py.
 */

#include <zebra.h>

#include "command.h"
#include "frrstr.h"
#include "vty.h"
#include "vtysh/vtysh.h"

#include "frrd-relay/relay_nodes.h"
#include "vtysh_relay.h"

static struct cmd_node track_node = {
	.name = "track",
	.node = RELAY_TRACK_NODE,
	.parent_node = CONFIG_NODE,
	.prompt = "%s(config-track)# ",
};

static struct cmd_node relay_node = {
	.name = "relay",
	.node = RELAY_NODE,
	.parent_node = CONFIG_NODE,
	.prompt = "%s(config-relay)# ",
};

/*
 * vtysh's own exit sends "end" and "configure" to every daemon, lest one of
 * them is still in another node.  Only relayd enters these nodes, and it
 * leaves them by the same line: a thousand blocks cost a thousand lines less
 * to each daemon, and newer releases lose an edit at such an "end".
 */
DEFUNSH(VTYSH_RELAYD, vtysh_relay_exit, vtysh_relay_exit_cmd, "exit",
	"Exit current mode and down to previous mode\n")
{
	vty->node = CONFIG_NODE;
	return CMD_SUCCESS;
}

DEFUNSH(VTYSH_RELAYD, vtysh_relay_quit, vtysh_relay_quit_cmd, "quit",
	"Exit current mode and down to previous mode\n")
{
	vty->node = CONFIG_NODE;
	return CMD_SUCCESS;
}

/* relayd has "show debugging [relay]"; without the word it is vtysh's own,
 * which asks every daemon.
 */
DEFSH(VTYSH_RELAYD, vtysh_show_debugging_relay_cmd, "show debugging relay",
      SHOW_STR DEBUG_STR "Anycast relays\n")

/*
 * vtysh orders blocks by a node's number.  Ours are above all others, beyond
 * "line vty"; these two slots stand right before it, and vtysh has no block
 * there (graft.py makes sure).
 */
int vtysh_relay_config_index(const char *line)
{
	if (frrstr_startswith(line, "track "))
		return SRV6_LOCS_NODE;
	/* a line, not a block: vtysh has those before all blocks */
	if (frrstr_startswith(line, "relay graceful-restart "))
		return 0;
	if (frrstr_startswith(line, "relay "))
		return SRV6_LOC_NODE;
	return 0;
}

static void relay_node_install(struct cmd_node *node)
{
	install_node(node);
	vtysh_relay_node_defaults(node->node);
	_install_element(node->node, &vtysh_relay_exit_cmd);
	_install_element(node->node, &vtysh_relay_quit_cmd);
}

void vtysh_relay_init(void)
{
	relay_node_install(&track_node);
	relay_node_install(&relay_node);
	install_element(ENABLE_NODE, &vtysh_show_debugging_relay_cmd);
	vtysh_relay_init_cmd();
}
