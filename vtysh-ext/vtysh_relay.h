/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relayd in vtysh: what the grafted lines call.
 */
#ifndef _VTYSH_RELAY_H
#define _VTYSH_RELAY_H

#include "command.h"

/* Installs relayd's nodes and commands.  After vtysh's own. */
extern void vtysh_relay_init(void);

/* Generated from relayd's sources: its commands.  The nodes exist. */
extern void vtysh_relay_init_cmd(void);

/* Where the block that opens with line stands in the running configuration:
 * an index into vtysh's vector of blocks, 0 for a line that is not relayd's.
 */
extern int vtysh_relay_config_index(const char *line);

/* Grafted onto vtysh.c, where these are static: list, find, output, end. */
extern void vtysh_relay_node_defaults(enum node_type node);

#endif /* _VTYSH_RELAY_H */
