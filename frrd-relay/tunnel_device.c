// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "log.h"
#include "tunnel_device.h"

/* -------- whose it is -------- */

static void device_alias(const struct tunnel *tun, char *buf, size_t len)
{
	snprintf(buf, len, TUNNEL_ALIAS_PREFIX "%s", tun->params.owner);
}

static bool device_is_kind(const struct tunnel *tun,
			   const struct kern_link *link)
{
	for (size_t i = 0; i < array_size(tun->ops->kinds); i++)
		if (tun->ops->kinds[i] &&
		    strcmp(link->kind, tun->ops->kinds[i]) == 0)
			return true;
	return false;
}

/* Ours by its mark, or made by a relayd that died before it could mark it. */
bool device_is_ours(const struct tunnel *tun, const struct kern_link *link)
{
	struct journal_entry *ent;
	char alias[64], value[JOURNAL_VALUE_LEN];

	if (!device_is_kind(tun, link))
		return false;
	device_alias(tun, alias, sizeof(alias));
	if (strcmp(link->alias, alias) == 0)
		return true;
	ent = tunnel_journal_find(JOURNAL_INTERFACE, link->pub.name);
	snprintf(value, sizeof(value), "%s " DEVICE_CREATING,
		 tun->params.owner);
	return link->alias[0] == '\0' && ent && strcmp(ent->value, value) == 0;
}

int device_journal(struct tunnel *tun, const char *stage)
{
	char value[JOURNAL_VALUE_LEN];
	int ret;

	snprintf(value, sizeof(value), "%s %s", tun->params.owner, stage);
	ret = tunnel_journal_add(JOURNAL_INTERFACE, tun->params.ifname, value);
	if (ret < 0)
		tunnel_fail(tun, ret, "journal relayd.state");
	return ret;
}

/* What was on file about a device that is gone. */
void device_journal_gone(const char *ifname)
{
	struct journal_entry *ent, *next;
	size_t len = strlen(ifname);

	for (ent = tunnel_journal_first(); ent; ent = next) {
		next = tunnel_journal_next(ent);
		if (ent->kind == JOURNAL_ADDRESS &&
		    strncmp(ent->key, ifname, len) == 0 && ent->key[len] == ',')
			tunnel_journal_del(JOURNAL_ADDRESS, ent->key);
	}
	tunnel_journal_del(JOURNAL_INTERFACE, ifname);
}

/* Ours under another name: somebody renamed it. Zebra's routes went with the
 * name, so it is made anew instead of being renamed back under traffic. */
int device_drop_renamed(struct tunnel *tun,
			int (*delete)(struct tunnel *tun,
				      const struct kern_link *link))
{
	struct kern_link *link = NULL, *next;
	char alias[64];
	int ret = 0;

	device_alias(tun, alias, sizeof(alias));
	for (link = kern_link_next(NULL); link && ret == 0; link = next) {
		next = kern_link_next(link);
		if (strcmp(link->alias, alias) != 0 ||
		    !device_is_kind(tun, link) ||
		    strcmp(link->pub.name, tun->params.ifname) == 0)
			continue;
		zlog_warn(
			"relay %s: interface %s is its own under another name, removing it",
			tun->params.owner, link->pub.name);
		ret = delete (tun, link);
		next = ret == 0 ? kern_link_next(NULL) : NULL;
	}
	return ret;
}

/* Size and mark of a device of ours. */
int device_settle(struct tunnel *tun, const struct kern_link *link)
{
	const struct tunnel_params *p = &tun->params;
	ifindex_t ifindex = link->pub.ifindex;
	char alias[64];
	int ret;

	if (link->mtu != p->mtu) {
		ret = kern_link_set_mtu(ifindex, p->mtu);
		if (ret < 0)
			return tunnel_fail(tun, ret, "interface %s mtu %u",
					   p->ifname, p->mtu);
		zlog_info("relay %s: mtu of interface %s set to %u", p->owner,
			  p->ifname, p->mtu);
	}
	if (link->alias[0] == '\0') {
		device_alias(tun, alias, sizeof(alias));
		ret = kern_link_set_alias(ifindex, alias);
		if (ret < 0)
			return tunnel_fail(tun, ret, "interface %s alias",
					   p->ifname);
		tunnel_monitor_refresh(ifindex);
	}
	return device_journal(tun, DEVICE_MADE);
}

int device_remove(struct tunnel *tun,
		  int (*delete)(struct tunnel *tun,
				const struct kern_link *link))
{
	struct kern_link *link;
	int ret = 0;

	tunnel_monitor_poll();
	device_drop_renamed(tun, delete);
	link = kern_link_by_name(tun->params.ifname);
	if (link && device_is_ours(tun, link)) {
		ret = delete (tun, link);
		if (ret < 0)
			zlog_err("relay %s: %s", tun->params.owner,
				 tun->status.detail);
		else
			zlog_info("relay %s: interface %s removed",
				  tun->params.owner, tun->params.ifname);
	} else if (!link) {
		device_journal_gone(tun->params.ifname);
	}
	return ret;
}

/* -------- its switches and addresses -------- */

int device_own_forwarding(struct tunnel *tun, ifindex_t ifindex)
{
	static const struct {
		int family;
		const char *dir;
	} fam[] = {{AF_INET, "ipv4"}, {AF_INET6, "ipv6"}};
	char path[JOURNAL_KEY_LEN];
	int ret;

	for (size_t i = 0; i < array_size(fam); i++) {
		if (kern_forwarding(fam[i].family, ifindex) == 1)
			continue;
		snprintf(path, sizeof(path), "net/%s/conf/%s/forwarding",
			 fam[i].dir, tun->params.ifname);
		ret = kern_sysctl_write(path, 1);
		if (ret < 0)
			return tunnel_fail(tun, ret,
					   "net.%s.conf.%s.forwarding",
					   fam[i].dir, tun->params.ifname);
	}
	return 0;
}

static void address_key(const struct tunnel *tun, const struct prefix *p,
			char *buf, size_t len)
{
	snprintfrr(buf, len, "%s,%pFX", tun->params.ifname, p);
}

static int device_add_address(struct tunnel *tun, ifindex_t ifindex,
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

static void device_source_prefix(const struct tunnel *tun, struct prefix *p)
{
	memset(p, 0, sizeof(*p));
	p->family = AF_INET;
	p->prefixlen = IPV4_MAX_BITLEN;
	p->u.prefix4 = tun->params.source;
}

static bool device_wants_address(const struct tunnel *tun, const char *key)
{
	struct prefix p;
	char have[JOURNAL_KEY_LEN];

	device_source_prefix(tun, &p);
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
void device_drop_addresses(struct tunnel *tun, ifindex_t ifindex,
			   void (*source_gone)(ifindex_t ifindex,
					       struct in_addr source))
{
	struct journal_entry *ent, *next;
	size_t len = strlen(tun->params.ifname);
	struct prefix p;
	int ret;

	for (ent = tunnel_journal_first(); ent; ent = next) {
		next = tunnel_journal_next(ent);
		if (ent->kind != JOURNAL_ADDRESS ||
		    strncmp(ent->key, tun->params.ifname, len) != 0 ||
		    ent->key[len] != ',' ||
		    device_wants_address(tun, ent->key) ||
		    !str2prefix(ent->key + len + 1, &p))
			continue;
		ret = kern_addr_change(ifindex, &p, false);
		if (ret < 0 && ret != -EADDRNOTAVAIL)
			zlog_warn("relay %s: removing %pFX from %s: %s",
				  tun->params.owner, &p, tun->params.ifname,
				  safe_strerror(-ret));
		/* a tunnel source, perhaps of a former run */
		if (p.family == AF_INET && source_gone)
			source_gone(ifindex, p.u.prefix4);
		tunnel_journal_del(JOURNAL_ADDRESS, ent->key);
	}
}

int device_have_addresses(struct tunnel *tun, ifindex_t ifindex)
{
	const struct tunnel_params *p = &tun->params;
	bool missing = false;
	struct prefix addr;
	int ret;

	device_source_prefix(tun, &addr);
	if (!kern_ipv4_owner(p->source, ifindex)) {
		ret = device_add_address(tun, ifindex, &addr);
		if (ret < 0)
			return ret;
	}
	for (size_t i = 0; i < p->naddrs; i++) {
		prefix_copy(&addr, &p->addrs[i]);
		missing |= !kern_addr_find(&addr, ifindex);
		ret = device_add_address(tun, ifindex, &addr);
		if (ret < 0)
			return ret;
	}
	if (missing)
		tunnel_monitor_refresh_addrs(ifindex);
	return 0;
}

/* -------- what is wrong with it -------- */

void device_failed(struct tunnel *tun, enum tunnel_check *check,
		   enum tunnel_repair repair, const char *fmt, ...)
{
	va_list ap;

	*check = TUNNEL_CHECK_FAILED;
	if (repair > tun->repair)
		tun->repair = repair;
	if (tun->status.detail[0])
		return; /* the first cause is the one to tell */
	va_start(ap, fmt);
	vsnprintfrr(tun->status.detail, sizeof(tun->status.detail), fmt, ap);
	va_end(ap);
}

void device_repair_now(struct tunnel *tun)
{
	if (tun->repair == TUNNEL_REPAIR_NONE)
		tun->repair = TUNNEL_REPAIR_NOW;
}

const struct kern_link *device_check_link(struct tunnel *tun, ifindex_t known)
{
	const char *ifname = tun->params.ifname;
	const struct kern_link *link = kern_link_by_name(ifname);
	struct tunnel_status *st = &tun->status;

	st->interface = TUNNEL_CHECK_OK;
	st->interface_down = false;
	st->ifindex = 0;
	if (!link) {
		device_failed(tun, &st->interface, TUNNEL_REPAIR_LATER,
			      "interface %s is missing", ifname);
		return NULL;
	}
	if (!device_is_ours(tun, link)) {
		device_failed(tun, &st->interface, TUNNEL_REPAIR_LATER,
			      "interface %s exists and is not relayd's",
			      ifname);
		st->datapath_error = true;
		return NULL;
	}
	st->ifindex = link->pub.ifindex;
	if (link->pub.ifindex != known)
		device_repair_now(tun);
	return link;
}

bool device_check_up(struct tunnel *tun, const struct kern_link *link)
{
	if (link->pub.up)
		return true;
	/* an operator's `ip link set down` is respected */
	tun->status.interface_down = true;
	device_failed(tun, &tun->status.interface, TUNNEL_REPAIR_NONE,
		      "interface %s is down", link->pub.name);
	return false;
}

bool device_check_addresses(struct tunnel *tun, const struct kern_link *link,
			    bool was_down)
{
	struct prefix p;
	bool all = true;

	for (size_t i = 0; i < tun->params.naddrs; i++) {
		prefix_copy(&p, &tun->params.addrs[i]);
		if (kern_addr_find(&p, link->pub.ifindex))
			continue;
		all = false;
		/* the kernel takes IPv6 addresses off what goes down */
		if (was_down)
			device_repair_now(tun);
		else
			device_failed(tun, &tun->status.interface,
				      TUNNEL_REPAIR_LATER,
				      "address %pFX is missing from %s", &p,
				      tun->params.ifname);
	}
	return all;
}

void device_check_source(struct tunnel *tun)
{
	tun->status.source = TUNNEL_CHECK_OK;
	if (!kern_ipv4_owner(tun->params.source, 0))
		device_failed(tun, &tun->status.source,
			      tun->status.interface_down ? TUNNEL_REPAIR_NONE
							 : TUNNEL_REPAIR_LATER,
			      "tunnel source %pI4 is missing",
			      &tun->params.source);
}

void device_check_forwarding(struct tunnel *tun)
{
	static const int families[] = {AF_INET, AF_INET6};
	struct tunnel_status *st = &tun->status;
	size_t n;

	st->forwarding = TUNNEL_CHECK_OK;
	for (size_t i = 0; i < array_size(families); i++) {
		int family = families[i];
		const char *dir = family == AF_INET ? "ipv4" : "ipv6";
		const ifindex_t *uplink = tunnel_route_uplinks(family, &n);

		if (kern_forwarding(family, KERN_ALL) == 0)
			device_failed(
				tun, &st->forwarding, TUNNEL_REPAIR_NONE,
				family == AF_INET
					? "net.ipv4.ip_forward is 0"
					: "net.ipv6.conf.all.forwarding is 0");
		if (st->ifindex && kern_forwarding(family, st->ifindex) == 0)
			device_repair_now(tun);
		for (size_t j = 0; j < n; j++) {
			struct kern_link *link = kern_link_by_index(uplink[j]);

			if (link && link->pub.ifindex != st->ifindex &&
			    kern_forwarding(family, uplink[j]) == 0)
				device_failed(tun, &st->forwarding,
					      TUNNEL_REPAIR_NONE,
					      "net.%s.conf.%s.forwarding is 0",
					      dir, link->pub.name);
		}
	}
}
