// SPDX-License-Identifier: GPL-2.0-or-later
/* What ran when a candidate was made or last updated. */
#ifndef _RELAY_GRPC_BASE_H
#define _RELAY_GRPC_BASE_H

#include <zebra.h>

/* The running configuration as it was; shared by all who need that one. */
struct relay_grpc_base {
	uint32_t version;
	unsigned int users;
	struct lyd_node *tree;
};

/* Of the configuration that runs now; to be put back. */
struct relay_grpc_base *relay_grpc_base_get(void);
void relay_grpc_base_put(struct relay_grpc_base *base);
/* No more are wanted: the newest, which is kept for the next, goes. */
void relay_grpc_base_forget(void);

#endif /* _RELAY_GRPC_BASE_H */
