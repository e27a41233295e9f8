// SPDX-License-Identifier: GPL-2.0-or-later
/* show grpc */
#include <zebra.h>

#include "command.h"
#include "lib/json.h"

#include "relay_grpc.h"

#ifndef VTYSH_EXTRACT_PL
#include "frrd-relay/relay_vty_grpc_clippy.c"
#endif

static int64_t number(json_object *json, const char *key)
{
	json_object *value;

	return json_object_object_get_ex(json, key, &value)
		       ? json_object_get_int64(value)
		       : 0;
}

static void show_listeners(struct vty *vty, json_object *all)
{
	json_object *one, *value;

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		one = json_object_array_get_idx(all, i);
		json_object_object_get_ex(one, "address", &value);
		vty_out(vty, "Listening at %s", json_object_get_string(value));
		json_object_object_get_ex(one, "tls", &value);
		vty_out(vty, "%s\n",
			json_object_get_boolean(value) ? ", TLS" : "");
	}
}

static void show_text(struct vty *vty, json_object *json)
{
	json_object *listeners, *lock, *totals;

	json_object_object_get_ex(json, "listeners", &listeners);
	json_object_object_get_ex(json, "lock", &lock);
	json_object_object_get_ex(json, "totals", &totals);
	show_listeners(vty, listeners);
	vty_out(vty,
		"Sessions %" PRId64 ", calls %" PRId64 ", subscriptions %" PRId64
		", candidates %" PRId64 "%s\n",
		number(json, "sessions"), number(json, "calls"),
		number(json, "subscriptions"), number(json, "candidates"),
		number(json, "prepared") ? ", one of them prepared" : "");
	if (lock)
		vty_out(vty, "Running configuration locked by %s\n",
			json_object_get_string(lock));
	vty_out(vty, "Transactions on record %" PRId64 "\n",
		number(json, "transactions"));
	vty_out(vty,
		"Since the start: sessions %" PRId64 ", refused %" PRId64
		", calls %" PRId64 ", failed %" PRId64 "\n",
		number(totals, "sessions"), number(totals, "refused"),
		number(totals, "calls"), number(totals, "failed"));
}

DEFPY(show_grpc, show_grpc_cmd,
	"show grpc [json$json]",
	SHOW_STR
	"Northbound gRPC of relayd\n"
	JSON_STR)
{
	json_object *data;

	if (!relay_grpc_enabled()) {
		vty_out(vty, json ? "{}\n"
				  : "gRPC is off: relayd was started without --grpc\n");
		return CMD_SUCCESS;
	}
	data = relay_grpc_json();
	if (json) {
		vty_json(vty, data);
		return CMD_SUCCESS;
	}
	show_text(vty, data);
	json_object_free(data);
	return CMD_SUCCESS;
}

void relay_vty_grpc_init(void)
{
	install_element(VIEW_NODE, &show_grpc_cmd);
}
