// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's links, addresses and forwarding switches as tables, fed with
 * rtnetlink messages by tunnel_monitor.c.
 */
#include <zebra.h>

#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "relay_memory.h"
#include "tunnel_kernel.h"
#include "tunnel_tables.h"

DEFINE_MTYPE_STATIC(RELAYD, KERN_LINK, "Relay kernel link");
DEFINE_MTYPE_STATIC(RELAYD, KERN_ADDR, "Relay kernel address");
DEFINE_MTYPE_STATIC(RELAYD, KERN_CONF, "Relay kernel switches");
DEFINE_MTYPE_STATIC(RELAYD, KERN_NEWS, "Relay link news");

static int name_cmp(const struct kern_link *a, const struct kern_link *b)
{
	return strcmp(a->pub.name, b->pub.name);
}

static int index_cmp(const struct kern_link *a, const struct kern_link *b)
{
	return numcmp(a->pub.ifindex, b->pub.ifindex);
}

static int addr_cmp(const struct kern_addr *a, const struct kern_addr *b)
{
	int ret = numcmp(a->prefix.family, b->prefix.family);

	/* by address first: not prefix_cmp(), which masks host bits */
	if (ret == 0)
		ret = memcmp(&a->prefix.u.prefix, &b->prefix.u.prefix,
			     prefix_blen(&a->prefix));
	if (ret == 0)
		ret = numcmp(a->prefix.prefixlen, b->prefix.prefixlen);
	return ret ? ret : numcmp(a->ifindex, b->ifindex);
}

/* forwarding and rp_filter of one interface, or of all */
PREDECL_RBTREE_UNIQ(kern_confs);
struct kern_conf {
	struct kern_confs_item item;
	int ifindex;
	int forwarding4, forwarding6, rp_filter;
	uint64_t stamp;
};

static int conf_cmp(const struct kern_conf *a, const struct kern_conf *b)
{
	return numcmp(a->ifindex, b->ifindex);
}

/* what is still to be told to the users of tunnel_link_change */
PREDECL_LIST(link_news);
struct link_news {
	struct link_news_item item;
	struct tunnel_link link;
};

DECLARE_RBTREE_UNIQ(kern_names, struct kern_link, name_item, name_cmp);
DECLARE_RBTREE_UNIQ(kern_indices, struct kern_link, index_item, index_cmp);
DECLARE_RBTREE_UNIQ(kern_addrs, struct kern_addr, item, addr_cmp);
DECLARE_RBTREE_UNIQ(kern_confs, struct kern_conf, item, conf_cmp);
DECLARE_LIST(link_news, struct link_news, item);

static struct kern_names_head links_by_name[1];
static struct kern_indices_head links_by_index[1];
static struct kern_addrs_head addrs[1];
static struct kern_confs_head confs[1];
static struct link_news_head news[1];

static uint64_t stamp; /* of the last full read */
static uint64_t addr_generation = 1;
static bool changed;

struct kern_link *kern_link_by_name(const char *name)
{
	struct kern_link ref = {};

	strlcpy(ref.pub.name, name, sizeof(ref.pub.name));
	return kern_names_find(links_by_name, &ref);
}

struct kern_link *kern_link_by_index(ifindex_t ifindex)
{
	struct kern_link ref = {.pub.ifindex = ifindex};

	return kern_indices_find(links_by_index, &ref);
}

struct kern_link *kern_link_next(struct kern_link *link)
{
	return link ? kern_indices_next(links_by_index, link)
		    : kern_indices_first(links_by_index);
}

uint64_t kern_addr_generation(void)
{
	return addr_generation;
}

struct kern_addr *kern_addr_next(struct kern_addr *addr)
{
	return addr ? kern_addrs_next(addrs, addr) : kern_addrs_first(addrs);
}

struct kern_addr *kern_addr_from(const struct prefix *p)
{
	struct kern_addr ref = {};

	prefix_copy(&ref.prefix, p);
	return kern_addrs_find_gteq(addrs, &ref);
}

const struct tunnel_link *tunnel_link_lookup(const char *ifname)
{
	struct kern_link *link = kern_link_by_name(ifname);

	return link ? &link->pub : NULL;
}

const char *tunnel_link_name(ifindex_t ifindex)
{
	const struct kern_link *link = kern_link_by_index(ifindex);

	return link ? link->pub.name : "";
}

static bool link_is_up(ifindex_t ifindex)
{
	struct kern_link *link = kern_link_by_index(ifindex);

	return link && link->pub.up;
}

const struct kern_addr *kern_addr_find(const struct prefix *p,
				       ifindex_t ifindex)
{
	struct kern_addr ref = {.ifindex = ifindex};
	struct kern_addr *addr;

	prefix_copy(&ref.prefix, p);
	if (ifindex)
		return kern_addrs_find(addrs, &ref);
	for (addr = kern_addrs_find_gteq(addrs, &ref); addr;
	     addr = kern_addrs_next(addrs, addr)) {
		ref.ifindex = addr->ifindex;
		if (addr_cmp(addr, &ref) != 0)
			return NULL;
		if (link_is_up(addr->ifindex))
			return addr;
	}
	return NULL;
}

ifindex_t kern_ipv4_owner(struct in_addr addr, ifindex_t other)
{
	struct prefix from = {.family = AF_INET, .u.prefix4 = addr};
	struct kern_addr *ka;

	for (ka = kern_addr_from(&from);
	     ka && ka->prefix.family == AF_INET &&
	     ka->prefix.u.prefix4.s_addr == addr.s_addr;
	     ka = kern_addr_next(ka))
		if (ka->ifindex != other && link_is_up(ka->ifindex))
			return ka->ifindex;
	return 0;
}

static struct kern_conf *conf_get(int ifindex, bool create)
{
	struct kern_conf ref = {.ifindex = ifindex}, *conf;

	conf = kern_confs_find(confs, &ref);
	if (!conf && create) {
		conf = XCALLOC(MTYPE_KERN_CONF, sizeof(*conf));
		conf->ifindex = ifindex;
		conf->forwarding4 = conf->forwarding6 = conf->rp_filter = -1;
		kern_confs_add(confs, conf);
	}
	return conf;
}

static void conf_drop(struct kern_conf *conf)
{
	if (!conf)
		return;
	kern_confs_del(confs, conf);
	XFREE(MTYPE_KERN_CONF, conf);
}

int kern_forwarding(int family, int ifindex)
{
	struct kern_conf *conf = conf_get(ifindex, false);

	if (!conf)
		return -1;
	return family == AF_INET ? conf->forwarding4 : conf->forwarding6;
}

int kern_rp_filter(int ifindex)
{
	struct kern_conf *conf = conf_get(ifindex, false);

	return conf ? conf->rp_filter : -1;
}

/* -------- tables from messages -------- */

static void news_add(const struct tunnel_link *link, bool gone)
{
	struct link_news *n = XCALLOC(MTYPE_KERN_NEWS, sizeof(*n));

	n->link = *link;
	if (gone) {
		n->link.ifindex = 0;
		n->link.up = n->link.operative = false;
	}
	link_news_add_tail(news, n);
	changed = true;
}

static void link_drop(struct kern_link *link)
{
	struct kern_addr *addr;

	news_add(&link->pub, true);
	kern_names_del(links_by_name, link);
	kern_indices_del(links_by_index, link);
	frr_each_safe (kern_addrs, addrs, addr) {
		if (addr->ifindex != link->pub.ifindex)
			continue;
		kern_addrs_del(addrs, addr);
		addr_generation++;
		XFREE(MTYPE_KERN_ADDR, addr);
	}
	conf_drop(conf_get(link->pub.ifindex, false));
	XFREE(MTYPE_KERN_LINK, link);
}

/* libnl reads a number of an attribute whatever the attribute's length */
static const struct nla_policy link_policy[IFLA_MAX + 1] = {
	[IFLA_MTU] = {.type = NLA_U32},
	[IFLA_MASTER] = {.type = NLA_U32},
	[IFLA_LINK] = {.type = NLA_U32},
	[IFLA_OPERSTATE] = {.type = NLA_U8},
};
static const struct nla_policy sit_policy[SIT_ATTR_MAX + 1] = {
	[SIT_ATTR_LINK] = {.type = NLA_U32},
	[SIT_ATTR_LOCAL] = {.type = NLA_U32},
	[SIT_ATTR_REMOTE] = {.type = NLA_U32},
	[SIT_ATTR_TTL] = {.type = NLA_U8},
	[SIT_ATTR_TOS] = {.type = NLA_U8},
	[SIT_ATTR_FLAGS] = {.type = NLA_U16},
	[SIT_ATTR_PMTUDISC] = {.type = NLA_U8},
	[SIT_ATTR_6RD_PREFIXLEN] = {.type = NLA_U16},
};
static const struct nla_policy conf_policy[NETCONFA_MAX + 1] = {
	[NETCONFA_IFINDEX] = {.type = NLA_U32},
	[NETCONFA_FORWARDING] = {.type = NLA_U32},
	[NETCONFA_RP_FILTER] = {.type = NLA_U32},
};

static void parse_sit(struct nlattr *data, struct kern_sit *sit)
{
	struct nlattr *tb[SIT_ATTR_MAX + 1];

	if (nla_parse_nested(tb, SIT_ATTR_MAX, data, sit_policy) < 0)
		return;
	if (tb[SIT_ATTR_LOCAL])
		sit->local.s_addr = nla_get_u32(tb[SIT_ATTR_LOCAL]);
	if (tb[SIT_ATTR_REMOTE])
		sit->remote.s_addr = nla_get_u32(tb[SIT_ATTR_REMOTE]);
	if (tb[SIT_ATTR_LINK])
		sit->link = nla_get_u32(tb[SIT_ATTR_LINK]);
	if (tb[SIT_ATTR_TTL])
		sit->ttl = nla_get_u8(tb[SIT_ATTR_TTL]);
	if (tb[SIT_ATTR_TOS])
		sit->tos = nla_get_u8(tb[SIT_ATTR_TOS]);
	if (tb[SIT_ATTR_PMTUDISC])
		sit->pmtudisc = nla_get_u8(tb[SIT_ATTR_PMTUDISC]);
	if (tb[SIT_ATTR_FLAGS])
		sit->flags = nla_get_u16(tb[SIT_ATTR_FLAGS]);
	if (tb[SIT_ATTR_6RD_PREFIX])
		nla_memcpy(&sit->prefix, tb[SIT_ATTR_6RD_PREFIX],
			   sizeof(sit->prefix));
	if (tb[SIT_ATTR_6RD_PREFIXLEN])
		sit->prefixlen = nla_get_u16(tb[SIT_ATTR_6RD_PREFIXLEN]);
}

static bool link_operative(unsigned int flags, struct nlattr *operstate)
{
	/* RFC 2863 states: a tunnel or loopback stays "unknown" for ever */
	return (flags & IFF_UP) && (flags & IFF_RUNNING) &&
	       (!operstate || nla_get_u8(operstate) == 0 /* unknown */ ||
		nla_get_u8(operstate) == 6 /* up */);
}

static void parse_link(struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = nlmsg_data(nlh);
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1] = {};
	struct kern_link *link, *other;
	struct tunnel_link old = {};

	/* AF_BRIDGE talks of ports, not of links */
	if (nlmsg_parse(nlh, sizeof(*ifi), tb, IFLA_MAX, link_policy) < 0 ||
	    ifi->ifi_family != AF_UNSPEC || !tb[IFLA_IFNAME])
		return;
	link = kern_link_by_index(ifi->ifi_index);
	if (nlh->nlmsg_type == RTM_DELLINK) {
		if (link)
			link_drop(link);
		return;
	}
	if (link) {
		old = link->pub;
		kern_names_del(links_by_name, link);
	} else {
		link = XCALLOC(MTYPE_KERN_LINK, sizeof(*link));
		link->pub.ifindex = ifi->ifi_index;
		kern_indices_add(links_by_index, link);
	}
	nla_strlcpy(link->pub.name, tb[IFLA_IFNAME], sizeof(link->pub.name));
	if (old.ifindex && strcmp(old.name, link->pub.name) != 0)
		news_add(&old, true);
	/* a name that moved while news were lost */
	other = kern_link_by_name(link->pub.name);
	if (other)
		link_drop(other);
	kern_names_add(links_by_name, link);

	link->stamp = stamp;
	link->flags = ifi->ifi_flags;
	link->type = ifi->ifi_type;
	link->master = tb[IFLA_MASTER] ? nla_get_u32(tb[IFLA_MASTER]) : 0;
	link->lower = tb[IFLA_LINK] ? nla_get_u32(tb[IFLA_LINK]) : 0;
	memset(link->mac, 0, sizeof(link->mac));
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == ETH_ALEN)
		memcpy(link->mac, nla_data(tb[IFLA_ADDRESS]), ETH_ALEN);
	link->pub.up = ifi->ifi_flags & IFF_UP;
	link->downs += old.up && !link->pub.up;
	link->pub.operative =
		link_operative(ifi->ifi_flags, tb[IFLA_OPERSTATE]);
	link->mtu = tb[IFLA_MTU] ? nla_get_u32(tb[IFLA_MTU]) : 0;
	link->alias[0] = link->kind[0] = '\0';
	memset(&link->sit, 0, sizeof(link->sit));
	if (tb[IFLA_IFALIAS])
		nla_strlcpy(link->alias, tb[IFLA_IFALIAS], sizeof(link->alias));
	if (tb[IFLA_LINKINFO])
		nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL);
	if (info[IFLA_INFO_KIND])
		nla_strlcpy(link->kind, info[IFLA_INFO_KIND],
			    sizeof(link->kind));
	if (strcmp(link->kind, "sit") == 0 && info[IFLA_INFO_DATA])
		parse_sit(info[IFLA_INFO_DATA], &link->sit);

	changed = true;
	if (old.ifindex == 0 || strcmp(old.name, link->pub.name) != 0 ||
	    old.up != link->pub.up || old.operative != link->pub.operative)
		news_add(&link->pub, false);
}

static void parse_addr(struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = nlmsg_data(nlh);
	struct kern_addr ref = {}, *addr;
	struct nlattr *tb[IFA_MAX + 1], *attr;

	if (nlmsg_parse(nlh, sizeof(*ifa), tb, IFA_MAX, NULL) < 0 ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return;
	/* on a point-to-point link IFA_ADDRESS is the other end */
	attr = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!attr)
		return;
	ref.ifindex = ifa->ifa_index;
	ref.prefix.family = ifa->ifa_family;
	ref.prefix.prefixlen = ifa->ifa_prefixlen;
	nla_memcpy(&ref.prefix.u.prefix, attr, prefix_blen(&ref.prefix));
	addr = kern_addrs_find(addrs, &ref);
	changed = true;
	if (nlh->nlmsg_type == RTM_DELADDR) {
		if (addr) {
			kern_addrs_del(addrs, addr);
			addr_generation++;
			XFREE(MTYPE_KERN_ADDR, addr);
		}
		return;
	}
	if (!addr) {
		addr = XCALLOC(MTYPE_KERN_ADDR, sizeof(*addr));
		addr->ifindex = ref.ifindex;
		addr->prefix = ref.prefix;
		kern_addrs_add(addrs, addr);
		addr_generation++;
	}
	addr->stamp = stamp;
}

static void parse_conf(struct nlmsghdr *nlh)
{
	const struct netconfmsg *ncm = nlmsg_data(nlh);
	struct nlattr *tb[NETCONFA_MAX + 1];
	struct kern_conf *conf;
	int ifindex;

	if (nlmsg_parse(nlh, sizeof(*ncm), tb, NETCONFA_MAX, conf_policy) < 0 ||
	    !tb[NETCONFA_IFINDEX])
		return;
	ifindex = (int)nla_get_u32(tb[NETCONFA_IFINDEX]);
	if (ifindex == NETCONFA_IFINDEX_DEFAULT)
		return;
	if (nlh->nlmsg_type == RTM_DELNETCONF) {
		conf = conf_get(ifindex, false);
		if (conf && ncm->ncm_family == AF_INET)
			conf->forwarding4 = conf->rp_filter = -1;
		else if (conf && ncm->ncm_family == AF_INET6)
			conf->forwarding6 = -1;
		return;
	}
	conf = conf_get(ifindex, true);
	conf->stamp = stamp;
	changed = true;
	if (ncm->ncm_family == AF_INET) {
		if (tb[NETCONFA_FORWARDING])
			conf->forwarding4 =
				nla_get_u32(tb[NETCONFA_FORWARDING]);
		if (tb[NETCONFA_RP_FILTER])
			conf->rp_filter = nla_get_u32(tb[NETCONFA_RP_FILTER]);
	} else if (ncm->ncm_family == AF_INET6 && tb[NETCONFA_FORWARDING]) {
		conf->forwarding6 = nla_get_u32(tb[NETCONFA_FORWARDING]);
	}
}

void tunnel_tables_message(struct nlmsghdr *nlh, void *arg)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		parse_link(nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		parse_addr(nlh);
		break;
	case RTM_NEWNETCONF:
	case RTM_DELNETCONF:
		parse_conf(nlh);
		break;
	default:
		break;
	}
}

void tunnel_tables_mark(void)
{
	stamp++;
}

void tunnel_tables_sweep(void)
{
	struct kern_link *link;
	struct kern_addr *addr;

	frr_each_safe (kern_indices, links_by_index, link)
		if (link->stamp != stamp)
			link_drop(link);
	frr_each_safe (kern_addrs, addrs, addr)
		if (addr->stamp != stamp) {
			kern_addrs_del(addrs, addr);
			addr_generation++;
			XFREE(MTYPE_KERN_ADDR, addr);
		}
	changed = true;
}

bool tunnel_tables_take_changed(void)
{
	bool was = changed;

	changed = false;
	return was;
}

bool tunnel_tables_pop_news(struct tunnel_link *link)
{
	struct link_news *n = link_news_pop(news);

	if (!n)
		return false;
	*link = n->link;
	XFREE(MTYPE_KERN_NEWS, n);
	return true;
}

void tunnel_tables_init(void)
{
	kern_names_init(links_by_name);
	kern_indices_init(links_by_index);
	kern_addrs_init(addrs);
	kern_confs_init(confs);
	link_news_init(news);
}

void tunnel_tables_fini(void)
{
	struct kern_link *link;
	struct kern_addr *addr;
	struct kern_conf *conf;
	struct link_news *n;

	while ((link = kern_indices_first(links_by_index)))
		link_drop(link);
	while ((addr = kern_addrs_pop(addrs)))
		XFREE(MTYPE_KERN_ADDR, addr);
	while ((conf = kern_confs_pop(confs)))
		XFREE(MTYPE_KERN_CONF, conf);
	while ((n = link_news_pop(news)))
		XFREE(MTYPE_KERN_NEWS, n);
}
