// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the XDP program has to know of links.
 *
 * A frame that is redirected to a device that can't send it is lost without a
 * word. Which can is asked of the kernel's netdev family (6.3 and later);
 * before that, none is trusted to, and XDP leaves it all to tc.
 */
#include <zebra.h>

#include <bpf/bpf.h>
#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "privs.h"
#include "tunnel_attach.h"
#include "tunnel_kernel.h"
#include "bpf/relay_bpf.h"

/* linux/netdev.h, which headers before 6.3 have not */
#define NETDEV_FAMILY	"netdev"
#define NETDEV_DEV_GET	1
#define NETDEV_IFINDEX	1
#define NETDEV_FEATURES 3
#define NETDEV_NDO_XMIT (1 << 2)

#define LINKS_MAX 1024

/* What the maps have. */
struct entry {
	ifindex_t ifindex;
	bool seen;
	bool carries; /* in `uplinks`, with this address */
	struct relay_bpf_uplink uplink;
	bool sends; /* in `devices` */
};

static struct entry entries[LINKS_MAX];
static size_t nentries;
static int family; /* 0: not asked yet; below: there is none */

static struct nl_msg *genl_request(int type, int cmd, int flags)
{
	struct genlmsghdr hdr = {.cmd = cmd, .version = 1};
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg)
		nlmsg_append(msg, &hdr, sizeof(hdr), NLMSG_ALIGNTO);
	return msg;
}

static void family_cb(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *attr = nlmsg_find_attr(nlh, sizeof(struct genlmsghdr),
					      CTRL_ATTR_FAMILY_ID);

	if (attr && nla_len(attr) >= (int)sizeof(uint16_t))
		family = nla_get_u16(attr);
}

static int family_ask(void)
{
	struct nl_msg *msg;

	if (family)
		return family;
	family = -1;
	msg = genl_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	if (msg) {
		nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
		kern_talk_genl(msg, family_cb, NULL);
	}
	return family;
}

static void features_cb(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *attr = nlmsg_find_attr(nlh, sizeof(struct genlmsghdr),
					      NETDEV_FEATURES);
	uint64_t *features = arg;

	if (attr && nla_len(attr) >= (int)sizeof(*features))
		memcpy(features, nla_data(attr), sizeof(*features));
}

static bool link_sends(ifindex_t ifindex)
{
	uint64_t features = 0;
	struct nl_msg *msg;

	if (family_ask() < 0)
		return false;
	msg = genl_request(family, NETDEV_DEV_GET, NLM_F_ACK);
	if (!msg)
		return false;
	nla_put_u32(msg, NETDEV_IFINDEX, ifindex);
	kern_talk_genl(msg, features_cb, &features);
	return features & NETDEV_NDO_XMIT;
}

static struct entry *entry_get(ifindex_t ifindex)
{
	for (size_t i = 0; i < nentries; i++)
		if (entries[i].ifindex == ifindex)
			return &entries[i];
	if (nentries == LINKS_MAX)
		return NULL;
	entries[nentries] = (struct entry){.ifindex = ifindex};
	return &entries[nentries++];
}

static bool entry_carries(struct entry *ent, int fd, const uint8_t *mac)
{
	uint32_t key = ent->ifindex;

	if (ent->carries && memcmp(ent->uplink.mac, mac, ETH_ALEN) == 0)
		return false;
	memcpy(ent->uplink.mac, mac, ETH_ALEN);
	ent->carries =
		bpf_map_update_elem(fd, &key, &ent->uplink, BPF_ANY) == 0;
	return true;
}

static bool entry_sends(struct entry *ent, int fd, bool sends)
{
	uint32_t key = ent->ifindex;

	if (ent->sends == sends)
		return false;
	if (sends)
		ent->sends = bpf_map_update_elem(fd, &key, &key, BPF_ANY) == 0;
	else
		ent->sends = bpf_map_delete_elem(fd, &key) != 0;
	return true;
}

static bool entry_drop(struct entry *ent, int uplinks_fd, int devices_fd)
{
	uint32_t key = ent->ifindex;

	bpf_map_delete_elem(uplinks_fd, &key);
	bpf_map_delete_elem(devices_fd, &key);
	*ent = entries[--nentries];
	return true;
}

bool tunnel_xdp_sync(int uplinks_fd, int devices_fd)
{
	struct kern_link *link = NULL;
	bool changed = false;
	struct entry *ent;

	if (nentries == 0 && tunnel_attach_count(true) == 0)
		return false;
	for (size_t i = 0; i < nentries; i++)
		entries[i].seen = false;
	frr_with_privs (tunnel_privs) {
		while ((link = kern_link_next(link))) {
			if (!tunnel_attach_has_xdp(link->pub.ifindex))
				continue;
			ent = entry_get(link->pub.ifindex);
			if (!ent)
				break;
			ent->seen = true;
			changed |= entry_carries(ent, uplinks_fd, link->mac);
			changed |= entry_sends(ent, devices_fd,
					       link_sends(ent->ifindex));
		}
		for (size_t i = nentries; i-- > 0;)
			if (!entries[i].seen)
				changed |= entry_drop(&entries[i], uplinks_fd,
						      devices_fd);
	}
	return changed;
}

void tunnel_xdp_forget(void)
{
	nentries = 0;
}
