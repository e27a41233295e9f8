// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Undoing what a former run has left and no tunnel of this one has taken over:
 * by relayd once its configuration is known, and by the undertaker when no
 * relayd has come back.
 */
#include <zebra.h>

#include "log.h"
#include "relay_watchdog.h"
#include "tunnel_attach.h"
#include "tunnel_bpf.h"
#include "tunnel_journal.h"
#include "tunnel_kernel.h"

/* An interface of a former run that no relay has taken over. */
static int sweep_interface(const struct journal_entry *ent)
{
	struct kern_link *link = NULL, *next;
	char alias[64], owner[IFNAMSIZ] = "", stage[16] = "";
	int ret = 0;

	if (sscanf(ent->value, "%15s %15s", owner, stage) != 2)
		return 0;
	snprintf(alias, sizeof(alias), TUNNEL_ALIAS_PREFIX "%s", owner);
	for (link = kern_link_next(NULL); link; link = next) {
		next = kern_link_next(link);
		if (strcmp(link->alias, alias) != 0 &&
		    !(strcmp(stage, "creating") == 0 && !link->alias[0] &&
		      (strcmp(link->kind, "sit") == 0 ||
		       strcmp(link->kind, "tun") == 0) &&
		      strcmp(link->pub.name, ent->key) == 0))
			continue;
		/* renamed, or taken over under another name: not left over */
		if (strcmp(link->pub.name, ent->key) != 0 &&
		    tunnel_journal_find(JOURNAL_INTERFACE, link->pub.name))
			continue;
		ret = kern_link_del(link->pub.ifindex);
		if (ret < 0)
			zlog_err(
				"interface %s of a former run can't be removed: %s",
				link->pub.name, safe_strerror(-ret));
		else
			zlog_info("interface %s of a former run removed",
				  link->pub.name);
	}
	tunnel_monitor_poll();
	return ret;
}

void tunnel_sweep(void)
{
	char key[JOURNAL_KEY_LEN] = "";
	struct journal_entry *ent;
	enum journal_kind kind;

	if (!tunnel_floor_open())
		return;
	/* so that what is still needed is known as such */
	tunnel_bpf_sweep();
	tunnel_transit_update(tunnel_any_created());
	/* one kind's undoing may take entries of another along */
	for (ent = tunnel_journal_first(); ent;
	     ent = tunnel_journal_after(kind, key)) {
		kind = ent->kind;
		strlcpy(key, ent->key, sizeof(key));
		if (ent->adopted)
			continue;
		relay_watchdog_kick();
		switch (kind) {
		case JOURNAL_INTERFACE:
			/* what can't be removed now is for the next run */
			if (sweep_interface(ent) == 0)
				tunnel_journal_del(JOURNAL_INTERFACE, key);
			break;
		case JOURNAL_ADDRESS:
			/* on a relay's interface, which is gone or swept */
			tunnel_journal_del(JOURNAL_ADDRESS, key);
			break;
		case JOURNAL_SYSCTL:
			tunnel_sysctl_release(key);
			break;
		case JOURNAL_ROUTE:
			tunnel_keep_sweep(key);
			break;
		case JOURNAL_TC:
		case JOURNAL_XDP:
			tunnel_attach_sweep(key);
			break;
		case JOURNAL_RELAY:
		case JOURNAL_RESTART:
			tunnel_journal_del(kind, key);
			break;
		case JOURNAL_TABLE:
		case JOURNAL_KINDS:
			break; /* tunnel_nft_sweep() */
		}
	}
	tunnel_nft_sweep();
	tunnel_monitor_poll();
}
