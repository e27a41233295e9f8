// SPDX-License-Identifier: GPL-2.0-or-later
/* What the elements of our nftables sets have counted, by relay. */
#include <zebra.h>

#include <linux/netlink.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "relay_memory.h"
#include "tunnel_kernel.h"

DEFINE_MTYPE_STATIC(RELAYD, NFT_NAMES, "Relay nftables names");

enum counted_kind {
	COUNTED_PROBE_IN,
	COUNTED_PROBE_OUT,
	COUNTED_PROBE_ROUTED,
	COUNTED_DROP_SOURCE, /* a reason's set of table ip: by tunnel source */
	COUNTED_DROP_IFNAME, /* of table ip6: by interface */
};

/* A set whose elements count, and for whom. */
struct counted {
	enum counted_kind kind;
	enum relay_bpf_reason reason;
	const struct nft_count *counts; /* sorted by source */
	const struct nft_count **names; /* sorted by interface */
	size_t n;
};

static int source_cmp(const void *va, const void *vb)
{
	const struct nft_count *a = va, *b = vb;

	return memcmp(&a->relay->source, &b->relay->source,
		      sizeof(a->relay->source));
}

static int ifname_cmp(const void *va, const void *vb)
{
	const struct nft_count *const *a = va, *const *b = vb;

	return strcmp((*a)->relay->ifname, (*b)->relay->ifname);
}

static struct nft_relay_counters *find_source(const struct counted *set,
					      const uint8_t *key, int len)
{
	/* the source is the first address, or in an end of a probe's way */
	int at = set->kind == COUNTED_PROBE_ROUTED ? 8 : 0;
	struct nft_relay relay = {};
	struct nft_count ref = {.relay = &relay}, *found;

	if (len < at + (int)sizeof(relay.source))
		return NULL;
	memcpy(&relay.source, key + at, sizeof(relay.source));
	found = bsearch(&ref, set->counts, set->n, sizeof(ref), source_cmp);
	return found ? found->counters : NULL;
}

static struct nft_relay_counters *find_ifname(const struct counted *set,
					      const uint8_t *key, int len)
{
	struct nft_relay relay = {};
	const struct nft_count ref = {.relay = &relay}, *at = &ref, **found;

	memcpy(relay.ifname, key, MIN(len, IFNAMSIZ - 1));
	found = bsearch(&at, set->names, set->n, sizeof(at), ifname_cmp);
	return found ? (*found)->counters : NULL;
}

/* Where an element's counter belongs. */
static uint64_t *counter_slot(const struct counted *set,
			      const struct nlattr *attr)
{
	const uint8_t *key = nla_data(attr);
	struct nft_relay_counters *c;

	c = set->kind == COUNTED_DROP_IFNAME
		    ? find_ifname(set, key, nla_len(attr))
		    : find_source(set, key, nla_len(attr));
	if (!c)
		return NULL;
	switch (set->kind) {
	case COUNTED_PROBE_IN:
		return &c->probes_in;
	case COUNTED_PROBE_OUT:
		return &c->probes_out;
	case COUNTED_PROBE_ROUTED:
		return key[0] == 0x20 ? &c->probes_out_routed
				      : &c->probes_in_routed;
	case COUNTED_DROP_SOURCE:
	case COUNTED_DROP_IFNAME:
		return &c->drops[set->reason];
	}
	return NULL;
}

static struct nlattr *find_in(struct nlattr *nest, int type)
{
	return nest ? nla_find(nla_data(nest), nla_len(nest), type) : NULL;
}

/* An element: { key { value }, expression { data { packets } } } */
static void count_element(const struct counted *set, struct nlattr *elem)
{
	struct nlattr *key, *packets;
	uint64_t *slot, n;

	key = find_in(find_in(elem, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
	packets = find_in(
		find_in(find_in(elem, NFTA_SET_ELEM_EXPR), NFTA_EXPR_DATA),
		NFTA_COUNTER_PACKETS);
	slot = key && packets ? counter_slot(set, key) : NULL;
	if (!slot || nla_len(packets) < (int)sizeof(n))
		return;
	memcpy(&n, nla_data(packets), sizeof(n));
	/* a relay may have several elements of a set */
	*slot += be64toh(n);
}

static void count_cb(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *list, *elem;
	int left;

	list = nlmsg_find_attr(nlh, sizeof(struct nfgenmsg),
			       NFTA_SET_ELEM_LIST_ELEMENTS);
	if (!list)
		return;
	nla_for_each_nested(elem, list, left)
	{
		count_element(arg, elem);
	}
}

static bool count_set(struct counted *set, int family, const char *name)
{
	struct nfgenmsg nfg = {.nfgen_family = family};
	struct nl_msg *msg = nlmsg_alloc_simple(
		NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NLM_F_DUMP);

	if (!msg)
		return false;
	nlmsg_append(msg, &nfg, sizeof(nfg), NLMSG_ALIGNTO);
	nla_put_string(msg, NFTA_SET_ELEM_LIST_TABLE, TUNNEL_NFT_TABLE);
	nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, name);
	return kern_talk_nf(msg, count_cb, set) == 0;
}

static bool count_probes(struct counted *set)
{
	static const struct {
		enum counted_kind kind;
		int family;
		const char *name;
	} probes[] = {
		{COUNTED_PROBE_IN, NFPROTO_IPV4, "probe_in"},
		{COUNTED_PROBE_OUT, NFPROTO_IPV4, "probe_out"},
		{COUNTED_PROBE_ROUTED, NFPROTO_IPV6, "probe_routed"},
	};
	bool whole = true;

	for (size_t i = 0; i < array_size(probes); i++) {
		set->kind = probes[i].kind;
		whole &= count_set(set, probes[i].family, probes[i].name);
	}
	return whole;
}

static bool count_drops(struct counted *set, int family)
{
	const enum relay_bpf_reason *reasons;
	bool whole = true;
	size_t n;

	reasons = tunnel_nft_reasons(family, &n);
	set->kind =
		family == AF_INET ? COUNTED_DROP_SOURCE : COUNTED_DROP_IFNAME;
	for (size_t i = 0; i < n; i++) {
		set->reason = reasons[i];
		whole &= count_set(
			set, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6,
			tunnel_nft_reason(reasons[i]));
	}
	return whole;
}

bool tunnel_nft_count(const struct nft_count *counts, size_t n, bool probes)
{
	struct counted set = {.counts = counts, .n = n};
	bool whole = true;

	set.names = XCALLOC(MTYPE_NFT_NAMES, n * sizeof(*set.names));
	for (size_t i = 0; i < n; i++)
		set.names[i] = &counts[i];
	qsort(set.names, n, sizeof(*set.names), ifname_cmp);
	if (probes)
		whole &= count_probes(&set);
	whole &= count_drops(&set, AF_INET);
	whole &= count_drops(&set, AF_INET6);
	XFREE(MTYPE_NFT_NAMES, set.names);
	return whole;
}
