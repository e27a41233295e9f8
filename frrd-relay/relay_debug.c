// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "command.h"

#include "compat.h"
#include "relay_debug.h"
#include "relay_nodes.h"

#ifndef VTYSH_EXTRACT_PL
#include "frrd-relay/relay_debug_clippy.c"
#endif

/* clang-format off */
struct debug relay_dbg_events =
	COMPAT_DEBUG("debug relay events", "Relay events");
struct debug relay_dbg_track =
	COMPAT_DEBUG("debug relay track", "Relay tracked objects");
struct debug relay_dbg_zebra =
	COMPAT_DEBUG("debug relay zebra", "Relay zebra session");
struct debug relay_dbg_tunnel =
	COMPAT_DEBUG("debug relay tunnel", "Relay tunnels");
struct debug relay_dbg_teredo =
	COMPAT_DEBUG("debug relay teredo", "Relay Teredo");
struct debug relay_dbg_northbound =
	COMPAT_DEBUG("debug relay northbound", "Relay northbound");

static const struct {
	const char *name;
	struct debug *debug;
} debugs[] = {
	{"events", &relay_dbg_events},
	{"track", &relay_dbg_track},
	{"zebra", &relay_dbg_zebra},
	{"tunnel", &relay_dbg_tunnel},
	{"teredo", &relay_dbg_teredo},
	{"northbound", &relay_dbg_northbound},
};
/* clang-format on */

static void set_all(uint32_t flags, bool set)
{
	for (size_t i = 0; i < array_size(debugs); i++)
		DEBUG_FLAGS_SET(debugs[i].debug, flags, set);
}

/* Debugs of the given modes as commands. */
static int write_debugs(struct vty *vty, uint32_t mode)
{
	int written = 0;

	for (size_t i = 0; i < array_size(debugs); i++)
		if (DEBUG_MODE_CHECK(debugs[i].debug, mode)) {
			vty_out(vty, "debug relay %s\n", debugs[i].name);
			written++;
		}
	return written;
}

static int config_write(struct vty *vty)
{
	return write_debugs(vty, DEBUG_MODE_CONF);
}

DEFPY(debug_relay, debug_relay_cmd,
	"[no] debug relay <events|track|zebra|tunnel|teredo|northbound>$what",
	NO_STR
	DEBUG_STR
	"Relays\n"
	"State changes and what caused them\n"
	"Tracked objects\n"
	"Routes and the session with zebra\n"
	"Interfaces, addresses, sysctls and the self-test\n"
	"Teredo peers, bubbles and what is refused\n"
	"Configuration edits\n")
{
	uint32_t mode = DEBUG_NODE2MODE(vty->node);

	for (size_t i = 0; i < array_size(debugs); i++)
		if (!strcmp(debugs[i].name, what))
			DEBUG_MODE_SET(debugs[i].debug, mode, !no);
	return CMD_SUCCESS;
}

DEFUN_NOSH(show_debugging_relay, show_debugging_relay_cmd,
	"show debugging [relay]",
	SHOW_STR
	DEBUG_STR
	"Relays\n")
{
	vty_out(vty, "Relay debugging status:\n");
	for (size_t i = 0; i < array_size(debugs); i++)
		if (DEBUG_MODE_CHECK(debugs[i].debug, DEBUG_MODE_ALL))
			vty_out(vty, "  Relay %s debugging is on\n",
				debugs[i].name);
	return CMD_SUCCESS;
}

static struct cmd_node debug_node = {
	.name = "relay debug",
	.node = (enum node_type)RELAY_DEBUG_NODE,
	.prompt = "",
	.config_write = config_write,
};

void relay_debug_init(void)
{
	compat_debug_init(set_all, &debug_node);
	for (size_t i = 0; i < array_size(debugs); i++)
		compat_debug_install(debugs[i].debug);
	install_element(ENABLE_NODE, &debug_relay_cmd);
	install_element(CONFIG_NODE, &debug_relay_cmd);
	install_element(ENABLE_NODE, &show_debugging_relay_cmd);
}
