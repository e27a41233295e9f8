// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration commands: northbound edits, nothing else. */
#ifndef _RELAY_CLI_H
#define _RELAY_CLI_H

#include "vty.h"

#include "relay.h"

void relay_cli_init(void);
void relay_cli_track_init(void);
void relay_cli_tunnel_init(void);
void relay_vty_init(void);
void relay_vty_counters_init(void);
void relay_vty_peers_init(struct frr_loop *loop);
/* Ends what is being shown. */
void relay_vty_peers_fini(void);
void relay_vty_track_init(void);
/* After the nodes are there: their default commands. */
void relay_cli_install_nodes(void);

/*
 * Applies the changes that were enqueued with nb_cli_enqueue_change() to the
 * candidate and commits them (or leaves that to the end of the file or of the
 * transaction). object: XPath of the track object or instance that they edit.
 *
 * A line that can't work is refused at once with one "% ..." line, and the
 * candidate is what it was. Returns a CMD_ code.
 */
int relay_cli_apply(struct vty *vty, const char *object);

/* One leaf of the relay whose node the vty is in; NULL: its default. */
int relay_cli_set_leaf(struct vty *vty, const char *xpath, const char *value);
/*
 * The same, for the line of one mode: refused on a relay of another. line: its
 * words without the value.
 */
int relay_cli_set_mode_leaf(struct vty *vty, enum relay_mode mode,
			    const char *line, const char *xpath,
			    const char *value);
/* The same: gone. */
int relay_cli_unset_leaf(struct vty *vty, const char *xpath);
/* False: no interface can have that name, and the vty has been told. */
bool relay_cli_ifname_ok(struct vty *vty, const char *ifname);
/* An entry of a leaf-list is there, or gone. */
int relay_cli_set_entry(struct vty *vty, const char *leaf_list,
			const char *value, bool there);

#endif /* _RELAY_CLI_H */
