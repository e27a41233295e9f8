// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What relayd has made or changed in the kernel, on file, so that a relayd
 * that was killed can be cleaned up after by the next one.
 *
 * `relayd.state` is a log of lines: "+ KIND KEY VALUE" before an object is made
 * or changed, "- KIND KEY" after it is gone or put back. A later "+" of the
 * same kind and key replaces the earlier one.
 */
#ifndef _RELAY_TUNNEL_JOURNAL_H
#define _RELAY_TUNNEL_JOURNAL_H

#include <zebra.h>

#include "typesafe.h"

enum journal_kind {
	JOURNAL_INTERFACE, /* key IFNAME, value "OWNER STAGE" */
	JOURNAL_ADDRESS,   /* key "IFNAME,ADDRESS/LEN", value "-" */
	JOURNAL_SYSCTL,	   /* key path under /proc/sys, value "ORIGINAL OURS" */
	JOURNAL_TABLE,	   /* key nftables table, value "-" */
	JOURNAL_ROUTE,	   /* standby: key "IFNAME,PREFIX", value "-" */
	JOURNAL_TC,	   /* eBPF: key IFINDEX, value "made" or "found" (clsact) */
	JOURNAL_XDP,	   /* eBPF: key IFINDEX, value "-" */
	JOURNAL_RELAY,	   /* key NAME, value "STATE TRANSITIONS" */
	JOURNAL_RESTART,   /* key "planned", value "SINCE SECONDS" */
	JOURNAL_KEPT,	   /* key PREFIX that zebra keeps then, value "-" */
	JOURNAL_KINDS,
};

#define JOURNAL_KEY_LEN 128
#define JOURNAL_VALUE_LEN 64

PREDECL_RBTREE_UNIQ(journal_tree);

struct journal_entry {
	struct journal_tree_item item;
	enum journal_kind kind;
	char key[JOURNAL_KEY_LEN];
	char value[JOURNAL_VALUE_LEN];
	/* made or taken over by this run; what stays false is swept */
	bool adopted;
};

/* Reads DIR/relayd.state if there is one. 0 or -errno. */
int tunnel_journal_open(const char *dir);
void tunnel_journal_close(void);

/*
 * Puts an entry on file, marks it adopted. Call before the change that it
 * describes; on an error (-errno) the change must not be made.
 */
int tunnel_journal_add(enum journal_kind kind, const char *key,
		       const char *value);
void tunnel_journal_del(enum journal_kind kind, const char *key);

struct journal_entry *tunnel_journal_find(enum journal_kind kind,
					  const char *key);
/* Entries on file. */
size_t tunnel_journal_count(void);
/* Walk; the entry handed out may be deleted before the next call. */
struct journal_entry *tunnel_journal_first(void);
struct journal_entry *tunnel_journal_next(struct journal_entry *ent);
/* The one behind kind and key, whatever has been deleted in between. */
struct journal_entry *tunnel_journal_after(enum journal_kind kind,
					   const char *key);

/*
 * Pure: one line of the file, without its newline. True when it is well formed;
 * *add says whether it adds or removes.
 */
bool tunnel_journal_parse(const char *line, bool *add,
			  struct journal_entry *ent);

#endif /* _RELAY_TUNNEL_JOURNAL_H */
