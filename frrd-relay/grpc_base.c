// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "libfrr.h"
#include "northbound.h"

#include "grpc_base.h"
#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_BASE, "gRPC candidate's base");

static struct relay_grpc_base *running_base;

void relay_grpc_base_put(struct relay_grpc_base *base)
{
	if (--base->users)
		return;
	yang_dnode_free(base->tree);
	XFREE(MTYPE_GRPC_BASE, base);
}

/* With --tcli there are candidates of vtysh's own, which bring their version
 * with them when they are committed by force: it may be one that there was. */
static bool is_running(const struct relay_grpc_base *base)
{
	if (base->version != running_config->version)
		return false;
	return frr_get_cli_mode() != FRR_CLI_TRANSACTIONAL ||
	       lyd_compare_siblings(base->tree, running_config->dnode,
				    LYD_COMPARE_FULL_RECURSION |
					    LYD_COMPARE_DEFAULTS) == LY_SUCCESS;
}

struct relay_grpc_base *relay_grpc_base_get(void)
{
	if (running_base && is_running(running_base)) {
		running_base->users++;
		return running_base;
	}
	if (running_base)
		relay_grpc_base_put(running_base);
	running_base = XCALLOC(MTYPE_GRPC_BASE, sizeof(*running_base));
	running_base->version = running_config->version;
	running_base->tree = yang_dnode_dup(running_config->dnode);
	running_base->users = 2;
	return running_base;
}

void relay_grpc_base_forget(void)
{
	if (running_base)
		relay_grpc_base_put(running_base);
	running_base = NULL;
}
