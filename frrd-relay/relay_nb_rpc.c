// SPDX-License-Identifier: GPL-2.0-or-later
/* RPCs and the notification. */
#include <zebra.h>

#include "compat.h"
#include "relay_nb.h"

/* The input is the name of a relay, or nothing for all of them. */
static int rpc_clear(struct nb_cb_rpc_args *args,
		     void (*clear)(struct relay *relay))
{
	const char *name = compat_rpc_input(args, "name");
	struct relay *relay;

	if (!name) {
		frr_each (relay_tree, relay_tree, relay)
			clear(relay);
		return NB_OK;
	}
	relay = relay_lookup(name);
	if (!relay) {
		snprintf(args->errmsg, args->errmsg_len, "no relay %s", name);
		return NB_ERR_NOT_FOUND;
	}
	clear(relay);
	return NB_OK;
}

int relay_nb_clear_counters(struct nb_cb_rpc_args *args)
{
	relay_nb_counters_forget();
	return rpc_clear(args, relay_counters_clear);
}

int relay_nb_clear_dampening(struct nb_cb_rpc_args *args)
{
	return rpc_clear(args, relay_clear_dampening);
}

int relay_nb_clear_peers(struct nb_cb_rpc_args *args)
{
	const char *name = compat_rpc_input(args, "name");
	const struct relay *relay = name ? relay_lookup(name) : NULL;

	if (relay && relay->cfg.mode != RELAY_MODE_TEREDO) {
		snprintf(args->errmsg, args->errmsg_len,
			 "relay %s is not a Teredo relay", relay->cfg.name);
		return NB_ERR_INCONSISTENCY;
	}
	return rpc_clear(args, relay_clear_peers);
}

#define NOTIFICATION "/frr-relay:relay-status-change"

static int notify_status_change(const struct relay *relay, enum relay_oper old)
{
	struct list *args = yang_data_list_new();

	listnode_add(args, yang_data_new_string(NOTIFICATION "/name",
						relay->cfg.name));
	listnode_add(args, yang_data_new_string(NOTIFICATION "/old",
						relay_oper_str(old)));
	listnode_add(args, yang_data_new_string(NOTIFICATION "/new",
						relay_oper_str(relay->oper)));
	listnode_add(args,
		     yang_data_new_string(NOTIFICATION "/reason",
					  relay_reason_str(relay->reason)));
	if (relay->detail[0])
		listnode_add(args, yang_data_new_string(NOTIFICATION "/detail",
							relay->detail));
	nb_notification_send(NOTIFICATION, args);
	return 0;
}

void relay_nb_rpc_init(void)
{
	hook_register(relay_status_change, notify_status_change);
}
