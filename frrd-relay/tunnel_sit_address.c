// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The addresses of a 6to4 tunnel's interface: those that relayd puts there and
 * takes away, and the one that the kernel puts on each sit device.
 */
#include <zebra.h>

#include "log.h"
#include "tunnel_journal.h"
#include "tunnel_sit.h"

static void address_key(const struct tunnel *tun, const struct prefix *p,
			char *buf, size_t len)
{
	snprintfrr(buf, len, "%s,%pFX", tun->params.ifname, p);
}

int sit_add_address(struct tunnel *tun, ifindex_t ifindex,
			   const struct prefix *p)
{
	char key[JOURNAL_KEY_LEN];
	struct journal_entry *ent;
	int ret;

	address_key(tun, p, key, sizeof(key));
	if (kern_addr_find(p, ifindex)) {
		/* there, by a former run of ours or by someone else */
		ent = tunnel_journal_find(JOURNAL_ADDRESS, key);
		if (ent)
			ent->adopted = true;
		return 0;
	}
	ret = tunnel_journal_add(JOURNAL_ADDRESS, key, "-");
	if (ret < 0)
		return tunnel_fail(tun, ret, "journal relayd.state");
	ret = kern_addr_change(ifindex, p, true);
	if (ret < 0 && ret != -EEXIST)
		return tunnel_fail(tun, ret, "adding %pFX to %s", p,
				   tun->params.ifname);
	return 0;
}

void sit_source_prefix(const struct tunnel *tun, struct prefix *p)
{
	memset(p, 0, sizeof(*p));
	p->family = AF_INET;
	p->prefixlen = IPV4_MAX_BITLEN;
	p->u.prefix4 = tun->params.source;
}

static bool sit_wants_address(const struct tunnel *tun, const char *key)
{
	struct prefix p;
	char have[JOURNAL_KEY_LEN];

	sit_source_prefix(tun, &p);
	address_key(tun, &p, have, sizeof(have));
	if (strcmp(have, key) == 0)
		return true;
	for (size_t i = 0; i < tun->params.naddrs; i++) {
		prefix_copy(&p, &tun->params.addrs[i]);
		address_key(tun, &p, have, sizeof(have));
		if (strcmp(have, key) == 0)
			return true;
	}
	return false;
}

/* What relayd put on the interface once and no longer wants there. */
void sit_drop_addresses(struct tunnel *tun, ifindex_t ifindex)
{
	struct journal_entry *ent, *next;
	size_t len = strlen(tun->params.ifname);
	struct prefix p;
	int ret;

	for (ent = tunnel_journal_first(); ent; ent = next) {
		next = tunnel_journal_next(ent);
		if (ent->kind != JOURNAL_ADDRESS ||
		    strncmp(ent->key, tun->params.ifname, len) != 0 ||
		    ent->key[len] != ',' || sit_wants_address(tun, ent->key) ||
		    !str2prefix(ent->key + len + 1, &p))
			continue;
		ret = kern_addr_change(ifindex, &p, false);
		if (ret < 0 && ret != -EADDRNOTAVAIL)
			zlog_warn("relay %s: removing %pFX from %s: %s",
				  tun->params.owner, &p, tun->params.ifname,
				  safe_strerror(-ret));
		/* a tunnel source, perhaps of a former run */
		if (p.family == AF_INET)
			sit_drop_probe_routes(ifindex, p.u.prefix4);
		tunnel_journal_del(JOURNAL_ADDRESS, ent->key);
	}
}

/* The kernel gives each sit without a remote ::a.b.c.d/96 when it comes up
 * (addrconf_sit_config), and with it a route for ::/96 into the tunnel. */
const struct kern_addr *sit_compat_address(ifindex_t ifindex)
{
	struct prefix from = {.family = AF_INET6};
	struct kern_addr *ka;

	for (ka = kern_addr_from(&from);
	     ka && ka->prefix.u.prefix6.s6_addr32[0] == 0 &&
	     ka->prefix.u.prefix6.s6_addr32[1] == 0 &&
	     ka->prefix.u.prefix6.s6_addr32[2] == 0;
	     ka = kern_addr_next(ka))
		if (ka->ifindex == ifindex && ka->prefix.prefixlen == 96)
			return ka;
	return NULL;
}

int sit_drop_compat(struct tunnel *tun, ifindex_t ifindex)
{
	const struct kern_addr *ka;
	int ret;

	while ((ka = sit_compat_address(ifindex))) {
		ret = kern_addr_change(ifindex, &ka->prefix, false);
		if (ret < 0 && ret != -EADDRNOTAVAIL)
			return tunnel_fail(tun, ret, "removing %pFX from %s",
					   &ka->prefix, tun->params.ifname);
		tunnel_monitor_poll();
	}
	return 0;
}
