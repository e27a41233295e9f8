// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 6to4 (RFC 3056, RFC 3068) by the kernel's sit device.
 *
 * One sit device a relay: local the tunnel source, remote any, 6rd prefix
 * 2002::/16. It is marked as ours by its alias "frr-relay:RELAY", which stays
 * when relayd dies, so the next relayd takes it over without touching traffic.
 * A device of the wanted name without that mark is somebody else's and is left
 * alone.
 */
#include <zebra.h>

#include "log.h"
#include "relay_memory.h"
#include "selftest_6to4.h"
#include "tunnel_journal.h"
#include "tunnel_device.h"
#include "tunnel_sit.h"

DEFINE_MTYPE_STATIC(RELAYD, TUNNEL_SIT, "Relay sit tunnel");

struct sit *sit_priv(struct tunnel *tun)
{
	if (!tun->priv)
		tun->priv = XCALLOC(MTYPE_TUNNEL_SIT, sizeof(struct sit));
	return tun->priv;
}

void sit_wanted(const struct tunnel *tun, struct kern_sit *sit)
{
	memset(sit, 0, sizeof(*sit));
	sit->local = tun->params.source;
	sit->ttl = tun->params.ttl;
	/* RFC 2983 section 3.1; of congestion marks Linux copies all but CE,
	 * which it makes ECT(0) as RFC 3168 section 9.1.1 had it */
	sit->tos = SIT_TOS_INHERIT;
	/* The kernel sets DF whenever the ttl is fixed, whatever is asked for;
	 * nftables clears it again (tunnel_nft.c). */
	sit->pmtudisc = true;
	sit->prefix.s6_addr[0] = 0x20;
	sit->prefix.s6_addr[1] = 0x02;
	sit->prefixlen = 16;
}

bool sit_same(const struct kern_sit *a, const struct kern_sit *b)
{
	return a->local.s_addr == b->local.s_addr &&
	       a->remote.s_addr == b->remote.s_addr && a->ttl == b->ttl &&
	       a->tos == b->tos &&
	       a->pmtudisc == b->pmtudisc && a->link == b->link &&
	       a->flags == b->flags && a->prefixlen == b->prefixlen &&
	       memcmp(&a->prefix, &b->prefix, sizeof(a->prefix)) == 0;
}

static bool sit_is_tun(const struct kern_link *link)
{
	return strcmp(link->kind, "tun") == 0;
}

/* The device is gone or about to go: what it counted is kept. */
static void sit_forget_device(struct sit *sit)
{
	const uint64_t *last = (const uint64_t *)&sit->last;
	uint64_t *base = (uint64_t *)&sit->base;

	for (size_t i = 0; i < sizeof(sit->base) / sizeof(*base); i++)
		base[i] += last[i];
	memset(&sit->last, 0, sizeof(sit->last));
	sit->ifindex = 0;
}

/* The TUN of that name, made or taken over; 0 or -errno. */
static int sit_have_tun(struct tunnel *tun)
{
	struct sit *sit = sit_priv(tun);
	int fd, ret;

	if (sit->slow.tun)
		return 0; /* attached */
	fd = tun_open(tun->params.ifname);
	if (fd < 0)
		return tunnel_fail(tun, fd, "TUN %s", tun->params.ifname);
	ret = tun_slow_start(&sit->slow, tun, fd);
	if (ret < 0) {
		close(fd);
		return tunnel_fail(tun, ret, "a raw socket for protocol 41");
	}
	return 0;
}

/* Closes it; it stays. */
static void sit_leave_tun(struct tunnel *tun)
{
	tun_slow_stop(&sit_priv(tun)->slow);
}

static int sit_delete_device(struct tunnel *tun, const struct kern_link *link)
{
	char ifname[IFNAMSIZ];
	struct sit *sit = sit_priv(tun);
	int ret;

	tunnel_fast_off(tun, &sit_priv(tun)->fast);
	sit_leave_tun(tun);
	strlcpy(ifname, link->pub.name, sizeof(ifname));
	kern_link_stats(link->pub.ifindex, &sit->last);
	ret = kern_link_del(link->pub.ifindex);
	if (ret < 0 && ret != -ENODEV)
		return tunnel_fail(tun, ret, "removing interface %s", ifname);
	device_journal_gone(ifname);
	sit_forget_device(sit);
	tunnel_monitor_poll();
	return 0;
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

/* -------- bringing about -------- */

static int sit_create_error(struct tunnel *tun, int err)
{
	struct kern_link *link = NULL;

	if (err == -EOPNOTSUPP)
		return tunnel_fail(tun, err,
				   "kernel has no sit (ip tunnel module)");
	while (err == -EEXIST && (link = kern_link_next(link)))
		if (strcmp(link->kind, "sit") == 0 &&
		    link->sit.remote.s_addr == INADDR_ANY &&
		    link->sit.local.s_addr == tun->params.source.s_addr)
			return tunnel_fail(
				tun, err,
				"creating sit %s: interface %s is a tunnel with source %pI4",
				tun->params.ifname, link->pub.name,
				&tun->params.source);
	return tunnel_fail(tun, err, "creating sit %s", tun->params.ifname);
}

/* fast: the eBPF programs are to be had, so that a TUN will do where the kernel
 * has no sit. */
static int sit_make_device(struct tunnel *tun, bool fast)
{
	struct kern_sit wanted;
	struct kern_link *link;
	int ret;

	/* of one that someone has removed */
	sit_leave_tun(tun);
	ret = device_journal(tun, DEVICE_CREATING);
	if (ret < 0)
		return ret;
	sit_wanted(tun, &wanted);
	ret = kern_link_add_sit(tun->params.ifname, &wanted, tun->params.mtu);
	sit_priv(tun)->on_tun = ret == -EOPNOTSUPP && fast;
	if (sit_priv(tun)->on_tun)
		ret = sit_have_tun(tun);
	else if (ret < 0)
		ret = sit_create_error(tun, ret);
	if (ret < 0) {
		tunnel_journal_del(JOURNAL_INTERFACE, tun->params.ifname);
		return ret;
	}
	tunnel_monitor_poll();
	link = kern_link_by_name(tun->params.ifname);
	if (!link)
		return tunnel_fail(tun, -ENODEV, "interface %s vanished",
				   tun->params.ifname);
	zlog_info("relay %s: interface %s created", tun->params.owner,
		  tun->params.ifname);
	return 0;
}

/* The parameters of a sit device of ours; 0 or -errno, and -ENODEV when it had
 * to go for it. */
static int sit_set_device(struct tunnel *tun, struct kern_link *link)
{
	ifindex_t ifindex = link->pub.ifindex;
	struct kern_sit wanted;
	int ret;

	sit_wanted(tun, &wanted);
	if (link->sit.local.s_addr != wanted.local.s_addr)
		sit_drop_probe_routes(ifindex, link->sit.local);
	if (sit_same(&link->sit, &wanted))
		return 0;
	ret = kern_link_set_sit(ifindex, &wanted);
	tunnel_monitor_refresh(ifindex);
	link = kern_link_by_index(ifindex);
	if (!link)
		return -ENODEV;
	if (ret == 0 && sit_same(&link->sit, &wanted)) {
		zlog_info("relay %s: parameters of interface %s set",
			  tun->params.owner, tun->params.ifname);
		return 0;
	}
	ret = sit_delete_device(tun, link);
	return ret < 0 ? ret : -ENODEV;
}

/* A TUN of ours: attached to it; -ENODEV when it had to go, since sit alone is
 * wanted now. */
static int sit_set_tun(struct tunnel *tun, struct kern_link *link, bool fast)
{
	int ret;

	if (fast) {
		sit_priv(tun)->on_tun = true;
		return sit_have_tun(tun);
	}
	ret = sit_delete_device(tun, link);
	return ret < 0 ? ret : -ENODEV;
}

/* A device of ours with our parameters; 0, 1 when it was made, or -errno. */
static int sit_have_device(struct tunnel *tun, bool fast)
{
	struct tunnel_params *p = &tun->params;
	bool made = false;
	struct kern_link *link;
	int ret;

	ret = device_drop_renamed(tun, sit_delete_device);
	if (ret < 0)
		return ret;
	link = kern_link_by_name(p->ifname);
	if (link && !device_is_ours(tun, link)) {
		snprintf(tun->status.detail, sizeof(tun->status.detail),
			 "interface %s exists and is not relayd's", p->ifname);
		return -EEXIST;
	}
	if (link) {
		ret = sit_is_tun(link) ? sit_set_tun(tun, link, fast)
				       : sit_set_device(tun, link);
		if (ret < 0 && ret != -ENODEV)
			return ret;
		link = ret < 0 ? NULL : kern_link_by_name(p->ifname);
	}
	if (!link) {
		ret = sit_make_device(tun, fast);
		if (ret < 0)
			return ret;
		made = true;
		link = kern_link_by_name(p->ifname);
	}
	ret = device_settle(tun, link);
	return ret < 0 ? ret : made;
}

void sit_rules(struct tunnel *tun)
{
	struct sit *sit = sit_priv(tun);
	struct nft_relay relay = {
		.owner = tun,
		.source = tun->params.source,
		.transmit_source = tun->params.transmit_source,
		.direction = tun->params.direction,
	};

	strlcpy(relay.ifname, tun->params.ifname, sizeof(relay.ifname));
	sit->filter_generation = tunnel_filter_generation();
	relay.rules = tunnel_filter_rules(&tun->params, &relay.nrules);
	if (sit->on_tun)
		relay.source.s_addr = INADDR_ANY; /* user space does it all */
	if (sit->nft_source.s_addr != relay.source.s_addr) {
		if (sit->nft_source.s_addr) {
			sit_probes(sit, &sit->probes_base);
			tunnel_nft_unset(sit->nft_source, tun);
		}
		sit->nft_seen = false;
	}
	if (relay.source.s_addr)
		tunnel_nft_set(&relay);
	sit->nft_source = relay.source;
}

/* bring_up: false leaves a device that someone set down as it is. */
static int sit_apply(struct tunnel *tun, bool bring_up)
{
	struct sit *sit = sit_priv(tun);
	struct tunnel_params *p = &tun->params;
	struct kern_link *link;
	ifindex_t ifindex;
	int ret, fast;

	sit->fast.needed = sit->on_tun;
	fast = tunnel_fast_wanted(tun, &sit->fast);
	if (fast < 0)
		return fast;
	ret = sit_have_device(tun, fast);
	if (ret < 0)
		return ret;
	sit_rules(tun);
	bring_up = bring_up || ret == 1;
	link = kern_link_by_name(p->ifname);
	if (!link)
		return tunnel_fail(tun, -ENODEV, "interface %s", p->ifname);
	ifindex = link->pub.ifindex;
	if (sit->ifindex && sit->ifindex != ifindex) {
		tunnel_fast_off(tun, &sit_priv(tun)->fast);
		sit_forget_device(sit);
	}
	if (!sit->ifindex)
		tun->adopted = ret == 0;
	if (tun->adopted && !sit->ifindex)
		/* a former run's: nothing tells its probes from traffic */
		kern_link_stats(ifindex, &sit->adopted);
	sit->ifindex = ifindex;
	ret = device_own_forwarding(tun, ifindex);
	if (ret < 0)
		return ret;
	if (bring_up && !link->pub.up) {
		ret = kern_link_set_up(ifindex, true);
		if (ret < 0)
			return tunnel_fail(tun, ret, "interface %s up",
					   p->ifname);
	}
	tunnel_monitor_poll();
	link = kern_link_by_name(p->ifname);
	if (!link || !link->pub.up)
		return 0; /* the check has a word for it */

	ret = sit_drop_compat(tun, ifindex);
	if (ret < 0)
		return ret;
	device_drop_addresses(tun, ifindex, sit_drop_probe_routes);
	ret = device_have_addresses(tun, ifindex);
	if (ret < 0)
		return ret;
	if (sit->probe_source.s_addr &&
	    sit->probe_source.s_addr != p->source.s_addr)
		sit_drop_probe_routes(ifindex, sit->probe_source);
	sit->probe_source = p->source;
	if (!p->self_test) {
		sit_drop_probe_routes(ifindex, p->source);
	} else {
		ret = sit_have_probe_routes(ifindex, p->source, NULL);
		if (ret < 0)
			return tunnel_fail(tun, ret, "self-test routes on %s",
					   p->ifname);
	}
	tunnel_monitor_poll();
	if (!fast)
		tunnel_fast_off(tun, &sit_priv(tun)->fast);
	sit->fast.needed = sit->on_tun;
	return fast ? tunnel_fast_apply(tun, &sit->fast, ifindex, sit->on_tun)
		    : 0;
}

static int sit_create(struct tunnel *tun)
{
	return sit_apply(tun, true);
}

static int sit_repair(struct tunnel *tun)
{
	return sit_apply(tun, false);
}

/* -------- the rest of the operations -------- */

static int sit_remove(struct tunnel *tun)
{
	struct sit *sit = sit_priv(tun);
	int ret;

	tunnel_fast_off(tun, &sit_priv(tun)->fast);
	ret = device_remove(tun, sit_delete_device);
	sit_leave_tun(tun);
	if (sit->nft_source.s_addr)
		tunnel_nft_unset(sit->nft_source, tun);
	XFREE(MTYPE_TUNNEL_SIT, tun->priv);
	return ret;
}

static void sit_leave(struct tunnel *tun)
{
	sit_leave_tun(tun);
	XFREE(MTYPE_TUNNEL_SIT, tun->priv);
}

const struct tunnel_ops tunnel_sit_ops = {
	.name = "sit",
	.kinds = {"sit", "tun"},
	.create = sit_create,
	.check = sit_check,
	.repair = sit_repair,
	.remove = sit_remove,
	.leave = sit_leave,
	.self_test = sit_self_test,
	.self_test_lost = sit_self_test_lost,
	.counters = sit_counters,
};
