// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the eBPF programs hang: tc filters of direct action on clsact, and XDP.
 *
 * A filter stays when relayd dies, with the programs and maps that it refers
 * to; the next relayd puts its own in its place, in one step. What hangs where
 * is in the journal (JOURNAL_TC). A clsact qdisc goes with the last filter, if
 * relayd made it.
 */
#ifndef _RELAY_TUNNEL_ATTACH_H
#define _RELAY_TUNNEL_ATTACH_H

#include "tunnel_kernel.h"

/* priority of relayd's filters; an operator's own may stand before or behind */
#define TUNNEL_TC_PRIORITY 2002

struct attach_programs {
	int ingress; /* of uplinks and lo; file descriptors, -1: none */
	int ingress_l3; /* of uplinks without a link-layer header */
	int egress;  /* of relays' interfaces */
	int xdp;     /* of uplinks */
};

/* What is to hang on a link; all false: nothing. */
struct attach_wanted {
	bool ingress, egress, xdp;
};

/*
 * Brings all links to what wanted() says, with these programs; hold_back: but
 * for those where a former run's programs still serve. Costs no system
 * call where nothing has changed. Errors are logged, and tried again when the
 * link changes or after a second.
 */
void tunnel_attach_sync(const struct attach_programs *progs,
			void (*wanted)(const struct kern_link *link,
				       struct attach_wanted *out),
			bool hold_back);
/* Some program hangs not where it should. */
bool tunnel_attach_failing(void);
/* "" or why the program does not hang there */
const char *tunnel_attach_error(ifindex_t ifindex);
bool tunnel_attach_has_xdp(ifindex_t ifindex);
/* How many uplinks carry a program. */
size_t tunnel_attach_count(bool xdp);
/* The kernel says that someone changed tc or XDP on a link, 0: perhaps on any.
 * True when something of ours hangs there. */
bool tunnel_attach_news(ifindex_t ifindex);
/* The journal's: of a former run, wanted by nobody any more. */
void tunnel_attach_sweep(const char *key);
/* Forgets; what hangs stays. */
void tunnel_attach_fini(void);

#endif /* _RELAY_TUNNEL_ATTACH_H */
