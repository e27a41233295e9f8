// SPDX-License-Identifier: GPL-2.0-or-later
/* Between tunnel_monitor.c, which reads the kernel, and tunnel_tables.c, which
 * remembers what it said. */
#ifndef _RELAY_TUNNEL_TABLES_H
#define _RELAY_TUNNEL_TABLES_H

#include "tunnel.h"

void tunnel_tables_init(void);
void tunnel_tables_fini(void);

/* One rtnetlink message; arg is not used. */
void tunnel_tables_message(struct nlmsghdr *nlh, void *arg);

/* Around a full read: mark, feed, and sweep what was not mentioned. */
void tunnel_tables_mark(void);
void tunnel_tables_sweep(void);

/* Whether anything changed since this was asked last. */
bool tunnel_tables_take_changed(void);
/* The next link that appeared, changed or went (ifindex 0). */
bool tunnel_tables_pop_news(struct tunnel_link *link);

#endif /* _RELAY_TUNNEL_TABLES_H */
