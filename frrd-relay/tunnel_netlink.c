// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Acknowledged rtnetlink requests. Each waits for the kernel's own answer,
 * which comes within the system call that asks, so the main thread never
 * waits on anything but the kernel's rtnl lock.
 */
#include <zebra.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "log.h"
#include "tunnel_kernel.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* largest part of a dump that the kernel sends at once, with room to spare */
#define REPLY_SIZE 65536

static struct nl_sock *request_sock, *nf_sock, *genl_sock;
static char request_error[80];
static char reply[REPLY_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));

static int request_open(struct nl_sock **sock, int protocol)
{
	int one = 1, ret = -ENOMEM, fd;

	*sock = nl_socket_alloc();
	if (!*sock)
		return -ENOMEM;
	frr_with_privs (tunnel_privs) {
		ret = nl_connect(*sock, protocol);
	}
	if (ret < 0) {
		nl_socket_free(*sock);
		*sock = NULL;
		return ret == -NLE_PERM ? -EPERM : -EPROTONOSUPPORT;
	}
	fd = nl_socket_get_fd(*sock);
	/* all three are refinements: older kernels do without */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	return 0;
}

int tunnel_netlink_init(void)
{
	request_open(&nf_sock, NETLINK_NETFILTER); /* see tunnel_nft_init() */
	request_open(&genl_sock, NETLINK_GENERIC); /* see tunnel_xdp.c */
	return request_open(&request_sock, NETLINK_ROUTE);
}

void tunnel_netlink_fini(void)
{
	if (request_sock)
		nl_socket_free(request_sock);
	if (nf_sock)
		nl_socket_free(nf_sock);
	if (genl_sock)
		nl_socket_free(genl_sock);
	request_sock = nf_sock = genl_sock = NULL;
}

const char *kern_error_text(void)
{
	return request_error;
}

/* The words that the kernel may put behind an error (extended acks). */
static void request_take_text(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = nlmsg_data(nlh);
	size_t off = sizeof(*err), len = nlh->nlmsg_len - NLMSG_HDRLEN;
	struct nlattr *attr;

	request_error[0] = '\0';
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) {
		if (err->msg.nlmsg_len < NLMSG_HDRLEN)
			return;
		off += NLMSG_ALIGN((size_t)err->msg.nlmsg_len) - NLMSG_HDRLEN;
	}
	if (len <= off)
		return;
	attr = nla_find((struct nlattr *)((char *)err + off), len - off,
			NLMSGERR_ATTR_MSG);
	if (attr)
		nla_strlcpy(request_error, attr, sizeof(request_error));
}

bool kern_answer(struct nlmsghdr *nlh, uint32_t seq,
		 void (*cb)(struct nlmsghdr *nlh, void *arg), void *arg,
		 int *ret)
{
	const struct nlmsgerr *err = nlmsg_data(nlh);

	if (nlh->nlmsg_seq != seq)
		return false; /* of a dump that was given up */
	switch (nlh->nlmsg_type) {
	case NLMSG_DONE:
		*ret = 0;
		return true;
	case NLMSG_ERROR:
		if (!nlmsg_valid_hdr(nlh, sizeof(*err))) {
			*ret = -EBADMSG;
			return true;
		}
		*ret = err->error;
		if (err->error)
			request_take_text(nlh);
		return true;
	}
	if (cb)
		cb(nlh, arg);
	return false;
}

static int request_receive(struct nl_sock *sock, uint32_t seq,
			   void (*cb)(struct nlmsghdr *nlh, void *arg),
			   void *arg)
{
	int ret;

	int fd = nl_socket_get_fd(sock);

	for (;;) {
		ssize_t len = recv(fd, reply, sizeof(reply), 0);
		struct nlmsghdr *nlh = (struct nlmsghdr *)reply;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len))
			if (kern_answer(nlh, seq, cb, arg, &ret))
				return ret;
	}
}

static int request_talk(struct nl_sock *sock, struct nl_msg *msg,
			void (*cb)(struct nlmsghdr *nlh, void *arg), void *arg)
{
	int ret = -EIO;

	if (!msg)
		return -ENOMEM;
	request_error[0] = '\0';
	if (!sock) {
		nlmsg_free(msg);
		return -ENOTCONN;
	}
	/* the kernel wants the capability at the time of the request too */
	frr_with_privs (tunnel_privs) {
		ret = nl_send_auto(sock, msg);
	}
	if (ret < 0)
		ret = ret == -NLE_PERM ? -EPERM : -EIO;
	else
		ret = request_receive(sock, nlmsg_hdr(msg)->nlmsg_seq, cb, arg);
	nlmsg_free(msg);
	return ret;
}

int kern_talk(struct nl_msg *msg, void (*cb)(struct nlmsghdr *nlh, void *arg),
	      void *arg)
{
	return request_talk(request_sock, msg, cb, arg);
}

int kern_talk_nf(struct nl_msg *msg,
		 void (*cb)(struct nlmsghdr *nlh, void *arg), void *arg)
{
	return request_talk(nf_sock, msg, cb, arg);
}

int kern_talk_genl(struct nl_msg *msg,
		   void (*cb)(struct nlmsghdr *nlh, void *arg), void *arg)
{
	return request_talk(genl_sock, msg, cb, arg);
}

static struct nl_msg *link_request(int type, int flags, ifindex_t ifindex,
				   unsigned int change, unsigned int value)
{
	struct ifinfomsg ifi = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = ifindex,
		.ifi_change = change,
		.ifi_flags = value,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags | NLM_F_ACK);

	if (msg && nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

static void link_put_sit(struct nl_msg *msg, const struct kern_sit *sit)
{
	struct nlattr *info = nla_nest_start(msg, IFLA_LINKINFO), *data;

	nla_put_string(msg, IFLA_INFO_KIND, "sit");
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	nla_put_u32(msg, SIT_ATTR_LOCAL, sit->local.s_addr);
	nla_put_u32(msg, SIT_ATTR_REMOTE, sit->remote.s_addr);
	nla_put_u32(msg, SIT_ATTR_LINK, sit->link);
	nla_put_u8(msg, SIT_ATTR_TTL, sit->ttl);
	nla_put_u8(msg, SIT_ATTR_TOS, sit->tos);
	nla_put_u8(msg, SIT_ATTR_PMTUDISC, sit->pmtudisc);
	nla_put_u8(msg, SIT_ATTR_PROTO, IPPROTO_IPV6);
	nla_put(msg, SIT_ATTR_6RD_PREFIX, sizeof(sit->prefix), &sit->prefix);
	nla_put_u16(msg, SIT_ATTR_6RD_PREFIXLEN, sit->prefixlen);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
}

int kern_link_add_sit(const char *name, const struct kern_sit *sit,
		      uint32_t mtu)
{
	struct nl_msg *msg =
		link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0, 0);

	if (!msg)
		return -ENOMEM;
	nla_put_string(msg, IFLA_IFNAME, name);
	nla_put_u32(msg, IFLA_MTU, mtu);
	link_put_sit(msg, sit);
	return kern_talk(msg, NULL, NULL);
}

int kern_link_set_sit(ifindex_t ifindex, const struct kern_sit *sit)
{
	struct nl_msg *msg = link_request(RTM_NEWLINK, 0, ifindex, 0, 0);

	if (!msg)
		return -ENOMEM;
	link_put_sit(msg, sit);
	return kern_talk(msg, NULL, NULL);
}

int kern_link_set_alias(ifindex_t ifindex, const char *alias)
{
	struct nl_msg *msg = link_request(RTM_NEWLINK, 0, ifindex, 0, 0);

	if (!msg)
		return -ENOMEM;
	nla_put(msg, IFLA_IFALIAS, strlen(alias), alias);
	return kern_talk(msg, NULL, NULL);
}

int kern_link_set_mtu(ifindex_t ifindex, uint32_t mtu)
{
	struct nl_msg *msg = link_request(RTM_NEWLINK, 0, ifindex, 0, 0);

	if (!msg)
		return -ENOMEM;
	nla_put_u32(msg, IFLA_MTU, mtu);
	return kern_talk(msg, NULL, NULL);
}

int kern_link_set_up(ifindex_t ifindex, bool up)
{
	return kern_talk(
		link_request(RTM_NEWLINK, 0, ifindex, IFF_UP, up ? IFF_UP : 0),
		NULL, NULL);
}

int kern_link_del(ifindex_t ifindex)
{
	return kern_talk(link_request(RTM_DELLINK, 0, ifindex, 0, 0), NULL,
			 NULL);
}

static int group_request(int type, ifindex_t ifindex, uint32_t group)
{
	struct nl_msg *msg = link_request(type, 0, ifindex, 0, 0);

	if (!msg)
		return -ENOMEM;
	nla_put_u32(msg, IFLA_GROUP, group);
	return kern_talk(msg, NULL, NULL);
}

int kern_link_set_group(ifindex_t ifindex, uint32_t group)
{
	return group_request(RTM_NEWLINK, ifindex, group);
}

int kern_link_del_group(uint32_t group)
{
	return group ? group_request(RTM_DELLINK, 0, group) : -EINVAL;
}

int kern_addr_change(ifindex_t ifindex, const struct prefix *p, bool add)
{
	struct ifaddrmsg ifa = {
		.ifa_family = p->family,
		.ifa_prefixlen = p->prefixlen,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = ifindex,
	};
	size_t len = p->family == AF_INET ? 4 : 16;
	struct nl_msg *msg;

	/* no duplicate address detection: a tunnel has no neighbours to ask */
	if (p->family == AF_INET6 && add)
		ifa.ifa_flags = IFA_F_NODAD;
	msg = nlmsg_alloc_simple(add ? RTM_NEWADDR : RTM_DELADDR,
				 NLM_F_ACK |
					 (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
	if (!msg)
		return -ENOMEM;
	nlmsg_append(msg, &ifa, sizeof(ifa), NLMSG_ALIGNTO);
	nla_put(msg, IFA_LOCAL, len, &p->u.prefix);
	nla_put(msg, IFA_ADDRESS, len, &p->u.prefix);
	return kern_talk(msg, NULL, NULL);
}

/* An IPv6 route to an interface; route->rtm_table and so on as given. */
static int kern_route6(bool add, const struct rtmsg *rtm,
		       const struct in6_addr *dst, ifindex_t ifindex,
		       uint32_t metric)
{
	int flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	struct nl_msg *msg = nlmsg_alloc_simple(
		add ? RTM_NEWROUTE : RTM_DELROUTE, NLM_F_ACK | flags);

	if (!msg)
		return -ENOMEM;
	nlmsg_append(msg, (void *)rtm, sizeof(*rtm), NLMSG_ALIGNTO);
	nla_put(msg, RTA_DST, sizeof(*dst), dst);
	nla_put_u32(msg, RTA_OIF, ifindex);
	if (metric)
		nla_put_u32(msg, RTA_PRIORITY, metric);
	return kern_talk(msg, NULL, NULL);
}

static const struct rtmsg local_route = {
	.rtm_family = AF_INET6,
	.rtm_dst_len = 128,
	.rtm_table = RT_TABLE_LOCAL,
	.rtm_protocol = RTPROT_STATIC,
	.rtm_scope = RT_SCOPE_UNIVERSE,
	.rtm_type = RTN_UNICAST,
};

int kern_local_route_add(const struct in6_addr *dst, ifindex_t ifindex)
{
	return kern_route6(true, &local_route, dst, ifindex, 0);
}

int kern_local_route_del(const struct in6_addr *dst, ifindex_t ifindex)
{
	return kern_route6(false, &local_route, dst, ifindex, 0);
}

int kern_own_route(bool add, const struct in6_addr *dst, ifindex_t ifindex)
{
	struct rtmsg rtm = local_route;

	rtm.rtm_type = RTN_LOCAL;
	return kern_route6(add, &rtm, dst, ifindex, 0);
}

int kern_standby_route(bool add, const struct prefix_ipv6 *p, ifindex_t ifindex)
{
	const struct rtmsg rtm = {
		.rtm_family = AF_INET6,
		.rtm_dst_len = p->prefixlen,
		.rtm_table = RT_TABLE_MAIN,
		/* an older relayd's has another protocol, and goes as well */
		.rtm_protocol = add ? KERN_STANDBY_PROTOCOL : RTPROT_UNSPEC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};

	return kern_route6(add, &rtm, &p->prefix, ifindex, KERN_STANDBY_METRIC);
}

void kern_route_message(struct nlmsghdr *nlh, void *arg)
{
	static const struct nla_policy policy[RTA_MAX + 1] = {
		[RTA_OIF] = {.type = NLA_U32},
		[RTA_TABLE] = {.type = NLA_U32},
	};
	struct kern_route *ans = arg;
	const struct rtmsg *rtm = nlmsg_data(nlh);
	struct nlattr *tb[RTA_MAX + 1];
	uint32_t table;

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(nlh, sizeof(*rtm), tb, RTA_MAX, policy) < 0)
		return;
	if (tb[RTA_OIF])
		ans->oif = nla_get_u32(tb[RTA_OIF]);
	table = tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : rtm->rtm_table;
	ans->local_table = table == RT_TABLE_LOCAL;
	ans->type = rtm->rtm_type;
}

static int route_ask(int family, const void *addr, struct kern_route *ans)
{
	size_t len = family == AF_INET ? 4 : 16;
	struct rtmsg rtm = {.rtm_family = family, .rtm_dst_len = len * 8};
	struct nl_msg *msg =
		nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_ACK | NLM_F_REQUEST);

	memset(ans, 0, sizeof(*ans));
	if (!msg)
		return -ENOMEM;
	nlmsg_append(msg, &rtm, sizeof(rtm), NLMSG_ALIGNTO);
	nla_put(msg, RTA_DST, len, addr);
	return kern_talk(msg, kern_route_message, ans);
}

bool kern_local_route_present(const struct in6_addr *dst, ifindex_t ifindex)
{
	struct kern_route ans;

	return route_ask(AF_INET6, dst, &ans) == 0 && ans.local_table &&
	       ans.oif == ifindex;
}

bool kern_own_route_present(const struct in6_addr *dst)
{
	struct kern_route ans;

	return route_ask(AF_INET6, dst, &ans) == 0 && ans.type == RTN_LOCAL;
}

ifindex_t kern_route_oif(int family, const void *addr, bool *discarded)
{
	struct kern_route ans;
	int ret = route_ask(family, addr, &ans);

	/* the kernel answers with the error that a sender would get */
	*discarded = ret == -EINVAL || ret == -EACCES || ret == -EHOSTUNREACH ||
		     (ret == 0 &&
		      (ans.type == RTN_BLACKHOLE || ans.type == RTN_PROHIBIT ||
		       ans.type == RTN_UNREACHABLE));
	return ret == 0 && ans.type == RTN_UNICAST ? ans.oif : 0;
}

void kern_stats_message(struct nlmsghdr *nlh, void *arg)
{
	struct kern_stats *out = arg;
	struct rtnl_link_stats64 st = {};
	struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return;
	attr = nlmsg_find_attr(nlh, sizeof(struct ifinfomsg), IFLA_STATS64);
	if (!attr)
		return;
	nla_memcpy(&st, attr, sizeof(st));
	*out = (struct kern_stats){
		.rx_packets = st.rx_packets,
		.rx_bytes = st.rx_bytes,
		.tx_packets = st.tx_packets,
		.tx_bytes = st.tx_bytes,
		.rx_errors = st.rx_errors,
		.rx_dropped = st.rx_dropped,
		.rx_length = st.rx_length_errors,
		.rx_frame = st.rx_frame_errors,
		.tx_errors = st.tx_errors,
		.tx_dropped = st.tx_dropped,
		.tx_carrier = st.tx_carrier_errors,
		.tx_aborted = st.tx_aborted_errors,
		.collisions = st.collisions,
	};
}

int kern_link_stats(ifindex_t ifindex, struct kern_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	return kern_talk(link_request(RTM_GETLINK, 0, ifindex, 0, 0),
			 kern_stats_message,

			 stats);
}
