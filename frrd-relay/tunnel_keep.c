// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Standby routes: IPv6 prefixes that a tunnel goes on forwarding whatever
 * becomes of zebra's routes.
 *
 * When relayd dies zebra withdraws its routes and takes them out of the kernel.
 * The neighbours learn it later, and until then packets for 2002::/16 still
 * come; the device that serves them is there, but no route leads into it. A
 * standby route does, see kern_standby_route(). It stands beside zebra's from
 * the time that the relay is up, so that there is no gap, whatever relayd dies
 * of; the next relayd takes it over by the journal.
 *
 * Which prefixes, relay.c decides alone (tunnel_keep()). What is here is the
 * difference between that and what the kernel has.
 */
#include <zebra.h>

#include "log.h"
#include "prefix.h"
#include "tunnel_journal.h"
#include "tunnel_kernel.h"

static void keep_key(const char *ifname, const struct prefix_ipv6 *p, char *buf,
		     size_t len)
{
	snprintfrr(buf, len, "%s,%pFX", ifname, p);
}

static bool keep_parse(const char *key, char *ifname, struct prefix_ipv6 *p)
{
	char prefix[PREFIX_STRLEN] = "";

	return sscanf(key, "%15[^,],%50s", ifname, prefix) == 2 &&
	       str2prefix_ipv6(prefix, p);
}

static ifindex_t keep_ifindex(const char *ifname)
{
	const struct kern_link *link = kern_link_by_name(ifname);

	return link ? link->pub.ifindex : 0;
}

/* The route itself may have gone with the device. */
static void keep_remove(const char *ifname, const struct prefix_ipv6 *p,
			ifindex_t ifindex)
{
	char key[JOURNAL_KEY_LEN];

	if (ifindex)
		kern_standby_route(false, p, ifindex);
	keep_key(ifname, p, key, sizeof(key));
	tunnel_journal_del(JOURNAL_ROUTE, key);
}

/* on_file: the device is down and takes no route, tunnel_keep_check() is next
 */
static int keep_put(struct tunnel *tun, const struct prefix_ipv6 *p,
		    bool on_file)
{
	char key[JOURNAL_KEY_LEN];
	int ret;

	keep_key(tun->params.ifname, p, key, sizeof(key));
	ret = tunnel_journal_add(JOURNAL_ROUTE, key, "-");
	if (ret == 0 && !on_file)
		ret = kern_standby_route(true, p, tun->status.ifindex);
	if (ret < 0) {
		tunnel_journal_del(JOURNAL_ROUTE, key);
		zlog_warn("relay %s: no standby route for %pFX: %s",
			  tun->params.owner, p, safe_strerror(-ret));
	}
	return ret;
}

/* What a former run has left on this interface. */
static void keep_take_over(struct tunnel *tun)
{
	struct journal_entry *ent;
	char ifname[IFNAMSIZ];
	struct prefix_ipv6 p;

	for (ent = tunnel_journal_first(); ent; ent = tunnel_journal_next(ent))
		if (ent->kind == JOURNAL_ROUTE && !ent->adopted &&
		    tun->nkeep < TUNNEL_KEEP_MAX &&
		    keep_parse(ent->key, ifname, &p) &&
		    strcmp(ifname, tun->params.ifname) == 0)
			tun->keep[tun->nkeep++] = p;
	tun->keep_ifindex = keep_ifindex(tun->params.ifname);
}

static bool keep_has(const struct prefix_ipv6 *keep, size_t n,
		     const struct prefix_ipv6 *p)
{
	for (size_t i = 0; i < n; i++)
		if (prefix_same((const struct prefix *)&keep[i],
				(const struct prefix *)p))
			return true;
	return false;
}

/* From now on `want`; with `anew` those that are there already as well. */
static void keep_change(struct tunnel *tun, const struct prefix_ipv6 *want,
			size_t n, bool anew)
{
	const struct kern_link *link = kern_link_by_name(tun->params.ifname);
	struct prefix_ipv6 have[TUNNEL_KEEP_MAX];
	size_t nhave = tun->nkeep;
	bool down = link && !link->pub.up;

	memcpy(have, tun->keep, sizeof(have));
	for (size_t i = 0; i < nhave; i++)
		if (!keep_has(want, n, &have[i]))
			keep_remove(tun->params.ifname, &have[i],
				    tun->keep_ifindex);
	tun->nkeep = 0;
	for (size_t i = 0; i < n; i++)
		if ((!anew && keep_has(have, nhave, &want[i])) ||
		    keep_put(tun, &want[i], down) == 0)
			tun->keep[tun->nkeep++] = want[i];
	tun->keep_ifindex = tun->status.ifindex;
	tun->keep_downs = link ? link->downs - down : 0;
}

void tunnel_keep(struct tunnel *tun, const struct prefix *p, size_t n)
{
	struct prefix_ipv6 want[TUNNEL_KEEP_MAX] = {};
	bool first = !tun->keep_called;
	size_t nwant = 0;

	if (!tun->started)
		return;
	if (first)
		keep_take_over(tun);
	tun->keep_called = true;
	for (size_t i = 0; i < n; i++) {
		if (p[i].family != AF_INET6 || !tun->created ||
		    !tun->status.ifindex || nwant == TUNNEL_KEEP_MAX)
			continue;
		prefix_copy(&want[nwant++], &p[i]);
	}
	keep_change(tun, want, nwant,
		    first || tun->keep_ifindex != tun->status.ifindex);
}

bool tunnel_kept(const struct tunnel *tun, const struct prefix *p)
{
	char key[JOURNAL_KEY_LEN];

	if (p->family != AF_INET6)
		return false;
	keep_key(tun->params.ifname, (const struct prefix_ipv6 *)p, key,
		 sizeof(key));
	return tunnel_journal_find(JOURNAL_ROUTE, key);
}

void tunnel_keep_check(struct tunnel *tun)
{
	const struct kern_link *link;

	if (!tun->nkeep)
		return;
	link = kern_link_by_index(tun->keep_ifindex);
	if (!link || !link->pub.up || link->downs == tun->keep_downs)
		return;
	struct prefix_ipv6 want[TUNNEL_KEEP_MAX];
	size_t n = tun->nkeep;

	memcpy(want, tun->keep, sizeof(want));
	keep_change(tun, want, n, true);
}

void tunnel_keep_sweep(const char *key)
{
	char ifname[IFNAMSIZ];
	struct prefix_ipv6 p;

	if (!keep_parse(key, ifname, &p)) {
		tunnel_journal_del(JOURNAL_ROUTE, key);
		return;
	}
	keep_remove(ifname, &p, keep_ifindex(ifname));
}
