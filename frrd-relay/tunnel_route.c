// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which interfaces carry a gateway route, whether there is a default route, and
 * whether IPv4 has several next hops. A router may hold a million routes, so
 * the main table is read on a socket of its own, at most so far, and then that
 * socket is closed.
 */
#include <zebra.h>

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "tunnel_kernel.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define SCAN_ROUTES_MAX 4096
#define UPLINKS_MAX 64

struct uplinks {
	ifindex_t list[UPLINKS_MAX];
	size_t n;
};

static struct uplinks uplinks4, uplinks6;
/* the first IPv4 gateway, and whether there is another */
static struct in_addr hop_gateway;
static ifindex_t hop_ifindex;
static bool hop_several;
static bool default4, default6;
static char buf[65536] __attribute__((aligned(NLMSG_ALIGNTO)));

static void uplink_add(struct uplinks *up, ifindex_t ifindex)
{
	for (size_t i = 0; i < up->n; i++)
		if (up->list[i] == ifindex)
			return;
	if (ifindex && up->n < UPLINKS_MAX)
		up->list[up->n++] = ifindex;
}

/* A next hop is a gateway on an interface. A connected subnet alone is none:
 * every host with one gateway has one. */
static void nexthop_add(int family, struct nlattr *gateway, ifindex_t ifindex)
{
	struct in_addr addr = {};

	if (!gateway)
		return;
	uplink_add(family == AF_INET ? &uplinks4 : &uplinks6, ifindex);
	if (family != AF_INET)
		return;
	nla_memcpy(&addr, gateway, sizeof(addr));
	if (hop_ifindex == 0) {
		hop_ifindex = ifindex;
		hop_gateway = addr;
	} else if (hop_ifindex != ifindex ||
		   hop_gateway.s_addr != addr.s_addr) {
		hop_several = true;
	}
}

static void parse_multipath(int family, struct nlattr *attr)
{
	struct rtnexthop *rtnh = nla_data(attr);
	int len = nla_len(attr);

	while (len >= (int)sizeof(*rtnh) && rtnh->rtnh_len >= sizeof(*rtnh) &&
	       rtnh->rtnh_len <= len) {
		int alen = rtnh->rtnh_len - sizeof(*rtnh);
		struct nlattr *gw = nla_find((struct nlattr *)RTNH_DATA(rtnh),
					     alen, RTA_GATEWAY);

		if (!gw)
			gw = nla_find((struct nlattr *)RTNH_DATA(rtnh), alen,
				      RTA_VIA);
		nexthop_add(family, gw, rtnh->rtnh_ifindex);
		len -= NLMSG_ALIGN(rtnh->rtnh_len);
		rtnh = RTNH_NEXT(rtnh);
	}
}

static const struct nla_policy route_policy[RTA_MAX + 1] = {
	[RTA_OIF] = {.type = NLA_U32},
	[RTA_TABLE] = {.type = NLA_U32},
};

bool tunnel_route_message(struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = nlmsg_data(nlh);
	struct nlattr *tb[RTA_MAX + 1];
	uint32_t table;

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(nlh, sizeof(*rtm), tb, RTA_MAX, route_policy) < 0)
		return false;
	table = tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : rtm->rtm_table;
	if (table != RT_TABLE_MAIN || rtm->rtm_type != RTN_UNICAST)
		return false;
	if (rtm->rtm_dst_len == 0)
		*(rtm->rtm_family == AF_INET ? &default4 : &default6) = true;
	if (tb[RTA_MULTIPATH])
		parse_multipath(rtm->rtm_family, tb[RTA_MULTIPATH]);
	else
		nexthop_add(rtm->rtm_family,
			    tb[RTA_GATEWAY] ? tb[RTA_GATEWAY] : tb[RTA_VIA],
			    tb[RTA_OIF] ? nla_get_u32(tb[RTA_OIF]) : 0);
	return true;
}

static void scan_receive(int fd)
{
	unsigned int seen = 0;

	while (seen < SCAN_ROUTES_MAX) {
		ssize_t len = recv(fd, buf, sizeof(buf), 0);
		struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return;
		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
			if (nlh->nlmsg_type == NLMSG_DONE ||
			    nlh->nlmsg_type == NLMSG_ERROR)
				return;
			tunnel_route_message(nlh);
			seen++;
		}
	}
}

static void scan_family(int family)
{
	struct rtmsg rtm = {.rtm_family = family, .rtm_table = RT_TABLE_MAIN};
	struct nl_sock *sock = nl_socket_alloc();
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);
	int one = 1;

	if (sock && msg && nl_connect(sock, NETLINK_ROUTE) == 0) {
		/* lets the kernel pick the main table out */
		setsockopt(nl_socket_get_fd(sock), SOL_NETLINK,
			   NETLINK_GET_STRICT_CHK, &one, sizeof(one));
		nlmsg_append(msg, &rtm, sizeof(rtm), NLMSG_ALIGNTO);
		if (nl_send_auto(sock, msg) >= 0)
			scan_receive(nl_socket_get_fd(sock));
	}
	if (msg)
		nlmsg_free(msg);
	if (sock)
		nl_socket_free(sock);
}

void tunnel_route_forget(void)
{
	uplinks4.n = uplinks6.n = 0;
	hop_ifindex = 0;
	hop_several = default4 = default6 = false;
}

void tunnel_route_scan(void)
{
	tunnel_route_forget();
	scan_family(AF_INET);
	scan_family(AF_INET6);
}

bool tunnel_route_several_nexthops(void)
{
	return hop_several;
}

bool tunnel_route_default(int family)
{
	return family == AF_INET ? default4 : default6;
}

const ifindex_t *tunnel_route_uplinks(int family, size_t *n)
{
	const struct uplinks *up = family == AF_INET ? &uplinks4 : &uplinks6;

	*n = up->n;
	return up->list;
}
