// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's links, addresses and forwarding switches, kept current by one
 * netlink socket that listens for their changes. Checks of tunnels read these
 * tables and cost no system call; news reach them as fast as the kernel tells.
 *
 * When the kernel had to drop news (ENOBUFS), everything is read anew.
 */
#include <zebra.h>

#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include "lib/debug.h"
#include "log.h"
#include "relay_debug.h"
#include "tunnel_attach.h"
#include "tunnel_kernel.h"
#include "tunnel_tables.h"

DEFINE_HOOK(tunnel_link_change, (const struct tunnel_link *link), (link));

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* room for the news of some thousand links that change at once */
#define MONITOR_RCVBUF (8 * 1024 * 1024)

static int monitor_fd = -1;
static struct frr_event *t_read, *t_dispatch;
static bool monitor_programs; /* one may hang elsewhere than it did */
static char buf[128 * 1024] __attribute__((aligned(NLMSG_ALIGNTO)));

static int monitor_dump(int type, int family, ifindex_t ifindex)
{
	union {
		struct ifinfomsg ifi;
		struct ifaddrmsg ifa;
		struct netconfmsg ncm;
	} hdr = {};
	size_t len = 0;
	bool one = ifindex && type == RTM_GETLINK;
	struct nl_msg *msg =
		nlmsg_alloc_simple(type, one ? NLM_F_ACK : NLM_F_DUMP);

	if (!msg)
		return -ENOMEM;
	switch (type) {
	case RTM_GETLINK:
		hdr.ifi.ifi_index = ifindex;
		len = sizeof(hdr.ifi);
		break;
	case RTM_GETADDR:
		hdr.ifa.ifa_family = family;
		hdr.ifa.ifa_index = ifindex;
		len = sizeof(hdr.ifa);
		break;
	case RTM_GETNETCONF:
		hdr.ncm.ncm_family = family;
		len = sizeof(hdr.ncm);
		break;
	}
	nlmsg_append(msg, &hdr, len, NLMSG_ALIGNTO);
	return kern_talk(msg, tunnel_tables_message, NULL);
}

static bool monitor_take_changed(void)
{
	bool was = monitor_programs;

	monitor_programs = false;
	return tunnel_tables_take_changed() || was;
}

/* Reads everything, drops what the kernel no longer has. */
static int monitor_resync(void)
{
	static const struct {
		int type, family;
	} dump[] = {
		{RTM_GETLINK, AF_UNSPEC},   {RTM_GETADDR, AF_INET},
		{RTM_GETADDR, AF_INET6},    {RTM_GETNETCONF, AF_INET},
		{RTM_GETNETCONF, AF_INET6},
	};
	int ret;

	tunnel_tables_mark();
	for (size_t i = 0; i < array_size(dump); i++) {
		ret = monitor_dump(dump[i].type, dump[i].family, 0);
		if (ret < 0) {
			zlog_err("reading links and addresses: %s",
				 safe_strerror(-ret));
			return ret;
		}
	}
	tunnel_tables_sweep();
	return 0;
}

static void monitor_dispatch(void)
{
	struct tunnel_link link;

	while (tunnel_tables_pop_news(&link)) {
		DEBUGD(&relay_dbg_tunnel, "link %s index %d up %d operative %d",
		       link.name, link.ifindex, link.up, link.operative);
		hook_call(tunnel_link_change, &link);
	}
	tunnel_monitor_changed();
}

static void monitor_dispatch_event(struct frr_event *ev)
{
	monitor_dispatch();
}

/* A program may have been taken off a link, or another put on. */
static void monitor_programs_message(const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = nlmsg_data(nlh);
	const struct tcmsg *tcm = nlmsg_data(nlh);

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
		if (!nlmsg_valid_hdr(nlh, sizeof(*ifi)))
			break;
		monitor_programs |= tunnel_attach_news(ifi->ifi_index);
		break;
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
		if (!nlmsg_valid_hdr(nlh, sizeof(*tcm)))
			break;
		monitor_programs |= tunnel_attach_news(tcm->tcm_ifindex);
		break;
	}
}

static void monitor_receive(void)
{
	bool lost = false;

	for (;;) {
		ssize_t len = recv(monitor_fd, buf, sizeof(buf), MSG_DONTWAIT);
		struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == ENOBUFS) {
			lost = true;
			continue;
		}
		if (len <= 0)
			break;
		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
			tunnel_tables_message(nlh, NULL);
			monitor_programs_message(nlh);
		}
	}
	if (lost) {
		monitor_programs |= tunnel_attach_news(0);
		zlog_warn(
			"netlink: news of links and addresses were lost (no buffer space), reading all anew");
		monitor_resync();
	}
}

void tunnel_monitor_poll(void)
{
	if (monitor_fd < 0)
		return;
	monitor_receive();
	if (monitor_take_changed())
		event_add_event(tunnel_loop, monitor_dispatch_event, NULL, 0,
				&t_dispatch);
}

void tunnel_monitor_refresh(ifindex_t ifindex)
{
	/* first what is older than the answer */
	tunnel_monitor_poll();
	monitor_dump(RTM_GETLINK, AF_UNSPEC, ifindex);
	tunnel_monitor_poll();
}

void tunnel_monitor_refresh_addrs(ifindex_t ifindex)
{
	tunnel_monitor_poll();
	monitor_dump(RTM_GETADDR, AF_INET6, ifindex);
	tunnel_monitor_poll();
}

static void monitor_read(struct frr_event *ev)
{
	event_add_read(tunnel_loop, monitor_read, NULL, monitor_fd, &t_read);
	monitor_receive();
	if (monitor_take_changed()) {
		EVENT_OFF(t_dispatch);
		monitor_dispatch();
	}
}

int tunnel_monitor_init(void)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
				     RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_NETCONF,
				     RTNLGRP_IPV6_NETCONF, RTNLGRP_TC};
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
	int size = MONITOR_RCVBUF;

	tunnel_tables_init();
	monitor_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    NETLINK_ROUTE);
	if (monitor_fd < 0)
		return -errno;
	frr_with_privs (tunnel_privs) {
		if (setsockopt(monitor_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
			       sizeof(size)) < 0)
			setsockopt(monitor_fd, SOL_SOCKET, SO_RCVBUF, &size,
				   sizeof(size));
	}
	if (bind(monitor_fd, (struct sockaddr *)&nl, sizeof(nl)) < 0)
		return -errno;
	for (size_t i = 0; i < array_size(groups); i++)
		if (setsockopt(monitor_fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			       &groups[i], sizeof(groups[i])) < 0)
			return -errno;
	event_add_read(tunnel_loop, monitor_read, NULL, monitor_fd, &t_read);
	return monitor_resync();
}

void tunnel_monitor_fini(void)
{
	EVENT_OFF(t_read);
	EVENT_OFF(t_dispatch);
	if (monitor_fd >= 0)
		close(monitor_fd);
	monitor_fd = -1;
	tunnel_tables_fini();
}
