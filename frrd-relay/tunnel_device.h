// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interface of a tunnel, of whatever kind: whose it is, what is put on it
 * and taken off it, what is wrong with it.
 *
 * It is ours by its alias "frr-relay:RELAY", which stays when relayd dies, so
 * the next relayd takes it over without touching traffic. One of the wanted
 * name without that mark is somebody else's and is left alone.
 */
#ifndef _RELAY_TUNNEL_DEVICE_H
#define _RELAY_TUNNEL_DEVICE_H

#include "tunnel_journal.h"
#include "tunnel_kernel.h"

/* -------- whose it is -------- */

/* Of one of the kinds of tun->ops, and ours by its mark or by the journal. */
bool device_is_ours(const struct tunnel *tun, const struct kern_link *link);

/* Stages in the journal: before it is made and marked, and after. */
#define DEVICE_CREATING "creating"
#define DEVICE_MADE "made"
int device_journal(struct tunnel *tun, const char *stage);
/* What was on file about a device that is gone. */
void device_journal_gone(const char *ifname);

/* Removes ours under another name: somebody has renamed it. delete: one of
 * them. 0 or -errno. */
int device_drop_renamed(struct tunnel *tun,
			int (*delete)(struct tunnel *tun,
				      const struct kern_link *link));
/* MTU and mark of a device of ours, and the journal's word; 0 or -errno. */
int device_settle(struct tunnel *tun, const struct kern_link *link);
/* For good, under all its names. 0 or -errno. */
int device_remove(struct tunnel *tun,
		  int (*delete)(struct tunnel *tun,
				const struct kern_link *link));

/* -------- its switches and addresses -------- */

/* Forwarding of both families; 0 or -errno. */
int device_own_forwarding(struct tunnel *tun, ifindex_t ifindex);
/* The tunnel source, unless the host has it, and those of `ipv6 address`, on
 * file as relayd's; 0 or -errno. */
int device_have_addresses(struct tunnel *tun, ifindex_t ifindex);
/* What relayd put there once and is not wanted any more. source_gone: told of
 * former tunnel sources; may be NULL. */
void device_drop_addresses(struct tunnel *tun, ifindex_t ifindex,
			   void (*source_gone)(ifindex_t ifindex,
					       struct in_addr source));

/* -------- what is wrong with it -------- */

/* Fails the check, with a cause unless another has been told already. */
void device_failed(struct tunnel *tun, enum tunnel_check *check,
		   enum tunnel_repair repair, const char *fmt, ...)
	PRINTFRR(4, 5);
void device_repair_now(struct tunnel *tun);
/* The tunnel's device, NULL when it is not there, or not ours. known: the index
 * that it had. Sets status.interface and what belongs to it. */
const struct kern_link *device_check_link(struct tunnel *tun, ifindex_t known);
bool device_check_up(struct tunnel *tun, const struct kern_link *link);
/* Whether all configured addresses are there. was_down: the kernel has taken
 * them off, which is nobody's fault. */
bool device_check_addresses(struct tunnel *tun, const struct kern_link *link,
			    bool was_down);
void device_check_source(struct tunnel *tun);
void device_check_forwarding(struct tunnel *tun);

#endif /* _RELAY_TUNNEL_DEVICE_H */
