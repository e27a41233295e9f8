// SPDX-License-Identifier: GPL-2.0-or-later
/* What the show commands share. */
#ifndef _RELAY_VTY_H
#define _RELAY_VTY_H

#include <zebra.h>

#include "command.h"
#include "lib/json.h"

#include "relay.h"

#define RELAY_VTY_STR	   "Anycast IPv6 transition relays\n"
#define RELAY_VTY_NAME_STR "Name of the relay\n"

/* That there is none, or {}. Returns CMD_WARNING. */
int relay_vty_no_such(struct vty *vty, const char *name, bool json);
/*
 * Calls show for the named relay, or for all; the objects that it fills go to
 * the vty as one JSON object keyed by name, unless json is NULL.
 */
int relay_vty_for_relays(struct vty *vty, const char *name, bool as_json,
			 void (*show)(struct vty *vty, struct relay *relay,
				      json_object *json));
/*
 * "show relay c" is an abbreviation of "show relay counters" to FRR's parser,
 * even where a relay has the name c. The relay goes first.
 */
const char *relay_vty_meant_as_name(const char *name, struct cmd_token *argv[],
				    int argc, const char *keyword);
/* show relay NAME */
int relay_vty_show_named(struct vty *vty, const char *name, bool json);
/* The RPC of that name for a relay, or for all: NULL. */
int relay_vty_rpc(struct vty *vty, const char *rpc, const char *name);

void relay_vty_json_time(json_object *json, const char *key, time_t when);
/* "1d02h03m", "00:01:02": how long ago, as FRR shows uptimes; returns buf. */
const char *relay_vty_ago(time_t since, char *buf, size_t len);

#endif /* _RELAY_VTY_H */
