// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The routes of a relay: which of them are announced, what zebra has of them,
 * and which prefixes the tunnel keeps. relay.c decides whether the relay is up.
 */
#ifndef _RELAY_ROUTES_H
#define _RELAY_ROUTES_H

#include <zebra.h>

#include "relay.h"

void relay_routes_init(struct frr_loop *loop);
/* Takes over the configured routes; what stays the same is not touched. */
void relay_routes_configure(struct relay *relay);
/* Brings zebra to what the relay's state and each route's own want. */
void relay_routes_sync(struct relay *relay);
/* Says which prefixes the tunnel goes on forwarding by itself. */
void relay_routes_keep(struct relay *relay);
void relay_routes_withdraw(struct relay *relay);
/* Whether zebra has been given any. */
bool relay_routes_sent(const struct relay *relay);
/* Any relay has sent a route for exactly this prefix. */
bool relay_routes_prefix_sent(const struct prefix *p);

#endif /* _RELAY_ROUTES_H */
