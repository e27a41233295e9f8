// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Undoing what a former run has left and no tunnel of this one has taken over:
 * by relayd once its configuration is known, and by the undertaker when no
 * relayd has come back.
 */
#include <zebra.h>

#include <sys/random.h>

#include "log.h"
#include "relay_watchdog.h"
#include "tunnel_attach.h"
#include "tunnel_bpf.h"
#include "tunnel_journal.h"
#include "tunnel_kernel.h"

/* A link that a former run has made for this entry, and that is nobody's now.
 */
static bool is_left_over(const struct kern_link *link,
			 const struct journal_entry *ent)
{
	char alias[64], owner[IFNAMSIZ] = "", stage[16] = "";

	if (sscanf(ent->value, "%15s %15s", owner, stage) != 2)
		return false;
	snprintf(alias, sizeof(alias), TUNNEL_ALIAS_PREFIX "%s", owner);
	if (strcmp(link->alias, alias) != 0 &&
	    !(strcmp(stage, "creating") == 0 && !link->alias[0] &&
	      (strcmp(link->kind, "sit") == 0 ||
	       strcmp(link->kind, "tun") == 0) &&
	      strcmp(link->pub.name, ent->key) == 0))
		return false;
	/* renamed, or taken over under another name: not left over */
	return strcmp(link->pub.name, ent->key) == 0 ||
	       !tunnel_journal_find(JOURNAL_INTERFACE, link->pub.name);
}

static const struct journal_entry *entry_of_left_over(struct kern_link *link)
{
	struct journal_entry *ent;

	for (ent = tunnel_journal_first(); ent; ent = tunnel_journal_next(ent))
		if (ent->kind == JOURNAL_INTERFACE && !ent->adopted &&
		    is_left_over(link, ent))
			return ent;
	return NULL;
}

/*
 * The kernel takes some 40 ms for the end of a link, and about as long for that
 * of a group of links. What is left here goes one by one.
 */
static void sweep_interfaces_at_once(void)
{
	struct kern_link *link = NULL;
	uint32_t group = 0;
	unsigned int n = 0;

	/* by chance, so that it is no group of anybody's */
	if (getrandom(&group, sizeof(group), 0) != sizeof(group) || !group)
		return;
	while ((link = kern_link_next(link)))
		if (entry_of_left_over(link) &&
		    kern_link_set_group(link->pub.ifindex, group) == 0)
			n++;
	relay_watchdog_kick();
	if (n && kern_link_del_group(group) == 0)
		zlog_info("%u interfaces of a former run removed", n);
	tunnel_monitor_poll();
}

static unsigned int count_interfaces(void)
{
	struct journal_entry *ent;
	unsigned int n = 0;

	for (ent = tunnel_journal_first(); ent; ent = tunnel_journal_next(ent))
		n += ent->kind == JOURNAL_INTERFACE && !ent->adopted;
	return n;
}

/* An interface of a former run that no relay has taken over. */
static int sweep_interface(const struct journal_entry *ent)
{
	struct kern_link *link = NULL, *next;
	int ret = 0;

	for (link = kern_link_next(NULL); link; link = next) {
		next = kern_link_next(link);
		if (!is_left_over(link, ent))
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
	if (count_interfaces() > 1)
		sweep_interfaces_at_once();
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
		case JOURNAL_KEPT:
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
