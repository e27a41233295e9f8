// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CLI node numbers, shared by relayd and its part of vtysh.
 *
 * FRR's enum node_type is closed; numbers above it are accepted by
 * install_node(). A gap is left so that a later FRR that grows its enum by a
 * few nodes does not collide.
 */
#ifndef _RELAY_NODES_H
#define _RELAY_NODES_H

#define RELAY_TRACK_NODE (NODE_TYPE_MAX + 64)
#define RELAY_NODE	 (NODE_TYPE_MAX + 65)
#define RELAY_DEBUG_NODE (NODE_TYPE_MAX + 66)

#endif /* _RELAY_NODES_H */
