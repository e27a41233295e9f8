// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <net/if_arp.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include "lib/debug.h"
#include "log.h"
#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_time.h"
#include "tunnel_attach.h"
#include "tunnel_journal.h"

DEFINE_MTYPE_STATIC(RELAYD, ATTACHMENT, "Relay eBPF attachment");

#define TC_HANDLE 1
/* parents of the two halves of a clsact qdisc */
#define PARENT_INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
#define PARENT_EGRESS  TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)

#define CLSACT_MADE  "made"
#define CLSACT_FOUND "found"

/* what the programs' names begin with: how relayd knows its own again */
#define NAME_INGRESS "uplink_ingress"
#define NAME_EGRESS  "relay_egress"
#define NAME_XDP     "uplink_xdp"

PREDECL_RBTREE_UNIQ(attachments);
struct attachment {
	struct attachments_item item;
	ifindex_t ifindex;
	struct attach_wanted has; /* that hang there, ours, of this run */
	bool verify;		  /* someone may have changed them */
	bool seen;
	int64_t failed_at; /* monotonic, us; 0: did not fail */
	struct attach_wanted failed;
	char error[TUNNEL_DETAIL_LEN];
};

static int attachment_cmp(const struct attachment *a,
			  const struct attachment *b)
{
	return numcmp(a->ifindex, b->ifindex);
}
DECLARE_RBTREE_UNIQ(attachments, struct attachment, item, attachment_cmp);

static struct attachments_head attachments[1] = {
	INIT_RBTREE_UNIQ(attachments[0])};

static bool failing; /* one of them has an error */

#define RETRY_US 1000000

static struct attachment *attachment_find(ifindex_t ifindex)
{
	struct attachment ref = {.ifindex = ifindex};

	return attachments_find(attachments, &ref);
}

static struct attachment *attachment_get(ifindex_t ifindex)
{
	struct attachment *at = attachment_find(ifindex);

	if (!at) {
		at = XCALLOC(MTYPE_ATTACHMENT, sizeof(*at));
		at->ifindex = ifindex;
		attachments_add(attachments, at);
	}
	return at;
}

static void attachment_free(struct attachment *at)
{
	attachments_del(attachments, at);
	XFREE(MTYPE_ATTACHMENT, at);
}

/* -------- tc -------- */

static void hook_of(struct bpf_tc_hook *hook, ifindex_t ifindex,
		    enum bpf_tc_attach_point point)
{
	memset(hook, 0, sizeof(*hook));
	hook->sz = sizeof(*hook);
	hook->ifindex = ifindex;
	hook->attach_point = point;
}

/* Whether a program of that number is one of relayd's, by its name. */
static bool program_is(uint32_t id, const char *name)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	bool is;

	if (fd < 0)
		return false;
	is = bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	     strncmp(info.name, name, strlen(name)) == 0;
	close(fd);
	return is;
}

/* The program of our filter: its number, 0 for none, or -errno. */
static int tc_program(ifindex_t ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE,
		    .priority = TUNNEL_TC_PRIORITY);
	struct bpf_tc_hook hook;
	int ret;

	hook_of(&hook, ifindex, point);
	ret = bpf_tc_query(&hook, &opts);
	if (ret == -ENOENT || ret == -EINVAL)
		return 0; /* no such filter; no clsact */
	return ret < 0 ? ret : (int)opts.prog_id;
}

static const char *tc_name(enum bpf_tc_attach_point point)
{
	return point == BPF_TC_INGRESS ? NAME_INGRESS : NAME_EGRESS;
}

static void count_filter(struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = nlmsg_data(nlh);

	/* a chain's head has no handle */
	if (nlh->nlmsg_type == RTM_NEWTFILTER &&
	    nlmsg_valid_hdr(nlh, sizeof(*tcm)) && tcm->tcm_handle)
		++*(unsigned int *)arg;
}

static unsigned int tc_filters(ifindex_t ifindex)
{
	static const uint32_t parents[] = {PARENT_INGRESS, PARENT_EGRESS};
	unsigned int n = 0;

	for (size_t i = 0; i < array_size(parents); i++) {
		struct tcmsg tcm = {.tcm_family = AF_UNSPEC,
				    .tcm_ifindex = ifindex,
				    .tcm_parent = parents[i]};
		struct nl_msg *msg =
			nlmsg_alloc_simple(RTM_GETTFILTER, NLM_F_DUMP);

		if (!msg)
			return UINT_MAX;
		nlmsg_append(msg, &tcm, sizeof(tcm), NLMSG_ALIGNTO);
		if (kern_talk(msg, count_filter, &n) < 0)
			return UINT_MAX; /* not known: nothing is taken away */
	}
	return n;
}

static void attach_key(ifindex_t ifindex, char *buf, size_t len)
{
	snprintf(buf, len, "%d", ifindex);
}

/* A clsact qdisc on the link, on file if we made it; 0 or -errno. */
static int tc_have_clsact(ifindex_t ifindex)
{
	struct journal_entry *ent;
	struct bpf_tc_hook hook;
	char key[JOURNAL_KEY_LEN];
	int ret;

	attach_key(ifindex, key, sizeof(key));
	ent = tunnel_journal_find(JOURNAL_TC, key);
	/* on file before it is made; what was there is noted as such after */
	ret = tunnel_journal_add(JOURNAL_TC, key,
				 ent ? ent->value : CLSACT_MADE);
	if (ret < 0)
		return ret;
	hook_of(&hook, ifindex, BPF_TC_INGRESS);
	ret = bpf_tc_hook_create(&hook);
	if (ret == -EEXIST)
		return ent ? 0
			   : tunnel_journal_add(JOURNAL_TC, key, CLSACT_FOUND);
	if (ret == 0 && ent)
		return tunnel_journal_add(JOURNAL_TC, key, CLSACT_MADE);
	return ret;
}

static int tc_attach(ifindex_t ifindex, enum bpf_tc_attach_point point,
		     int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE,
		    .priority = TUNNEL_TC_PRIORITY, .prog_fd = prog_fd,
		    .flags = BPF_TC_F_REPLACE);
	struct bpf_tc_hook hook;
	int ret = tc_have_clsact(ifindex), id;

	if (ret < 0)
		return ret;
	id = tc_program(ifindex, point);
	if (id > 0 && !program_is(id, tc_name(point)))
		return -EEXIST;
	hook_of(&hook, ifindex, point);
	return bpf_tc_attach(&hook, &opts);
}

static void tc_detach(ifindex_t ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE,
		    .priority = TUNNEL_TC_PRIORITY);
	struct bpf_tc_hook hook;

	if (!program_is(tc_program(ifindex, point), tc_name(point)))
		return;
	hook_of(&hook, ifindex, point);
	bpf_tc_detach(&hook, &opts);
}

/* Our last filter is gone from a link. */
static void tc_drop_clsact(ifindex_t ifindex)
{
	struct journal_entry *ent;
	struct bpf_tc_hook hook;
	char key[JOURNAL_KEY_LEN];

	attach_key(ifindex, key, sizeof(key));
	ent = tunnel_journal_find(JOURNAL_TC, key);
	if (!ent)
		return;
	if (strcmp(ent->value, CLSACT_MADE) == 0 && tc_filters(ifindex) == 0) {
		hook_of(&hook, ifindex, BPF_TC_INGRESS | BPF_TC_EGRESS);
		bpf_tc_hook_destroy(&hook);
	}
	tunnel_journal_del(JOURNAL_TC, key);
}

/* -------- XDP -------- */

static uint32_t xdp_program(ifindex_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	if (bpf_xdp_query(ifindex, 0, &opts) < 0)
		return 0;
	return opts.drv_prog_id;
}

static int xdp_attach(ifindex_t ifindex, int prog_fd)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	uint32_t flags = XDP_FLAGS_DRV_MODE, id = xdp_program(ifindex);
	char key[JOURNAL_KEY_LEN];
	int ret;

	attach_key(ifindex, key, sizeof(key));
	ret = tunnel_journal_add(JOURNAL_XDP, key, "-");
	if (ret < 0)
		return ret;
	if (id == 0)
		flags |= XDP_FLAGS_UPDATE_IF_NOEXIST;
	else if (!program_is(id, NAME_XDP))
		ret = -EBUSY;
	if (ret == 0)
		ret = bpf_xdp_attach(ifindex, prog_fd, flags, &opts);
	if (ret < 0 && id == 0)
		tunnel_journal_del(JOURNAL_XDP, key);
	return ret;
}

static void xdp_detach(ifindex_t ifindex)
{
	char key[JOURNAL_KEY_LEN];

	if (program_is(xdp_program(ifindex), NAME_XDP))
		bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL);
	attach_key(ifindex, key, sizeof(key));
	tunnel_journal_del(JOURNAL_XDP, key);
}

/* -------- what is wanted, and what is there -------- */

static void attach_failed(struct attachment *at, const char *ifname,
			  const char *what, int err)
{
	char error[TUNNEL_DETAIL_LEN];

	if (err == -EBUSY || err == -EEXIST)
		snprintf(error, sizeof(error),
			 "%s on %s: someone else's program has the place", what,
			 ifname);
	else
		snprintf(error, sizeof(error), "%s on %s: %s", what, ifname,
			 safe_strerror(-err));
	if (strcmp(error, at->error) != 0)
		zlog_warn("eBPF: %s", error);
	strlcpy(at->error, error, sizeof(at->error));
	at->failed_at = relay_now_us();
}

/* Someone may have taken our programs away, or put theirs in their place. */
static void attach_verify(struct attachment *at, const char *ifname)
{
	struct attach_wanted was = at->has;

	at->verify = false;
	if (at->has.ingress)
		at->has.ingress = program_is(
			tc_program(at->ifindex, BPF_TC_INGRESS), NAME_INGRESS);
	if (at->has.egress)
		at->has.egress = program_is(
			tc_program(at->ifindex, BPF_TC_EGRESS), NAME_EGRESS);
	if (at->has.xdp)
		at->has.xdp = program_is(xdp_program(at->ifindex), NAME_XDP);
	if (memcmp(&was, &at->has, sizeof(was)) != 0)
		zlog_warn(
			"eBPF: someone took a program off %s, putting it back",
			ifname);
}

/* What begins with an Ethernet header at tc. */
static bool has_ethernet(const struct kern_link *link)
{
	return link->type == ARPHRD_ETHER || link->type == ARPHRD_LOOPBACK;
}

static void attach_link(struct attachment *at, const struct kern_link *link,
			const struct attach_programs *progs,
			const struct attach_wanted *want)
{
	int ret;

	at->error[0] = at->failed_at ? at->error[0] : '\0';
	if (want->ingress && !at->has.ingress) {
		ret = tc_attach(at->ifindex, BPF_TC_INGRESS,
				has_ethernet(link) ? progs->ingress
						   : progs->ingress_l3);
		at->has.ingress = ret == 0;
		if (ret < 0)
			attach_failed(at, link->pub.name, "tc ingress", ret);
	}
	if (want->egress && !at->has.egress) {
		ret = tc_attach(at->ifindex, BPF_TC_EGRESS, progs->egress);
		at->has.egress = ret == 0;
		if (ret < 0)
			attach_failed(at, link->pub.name, "tc egress", ret);
	}
	if (want->xdp && !at->has.xdp && progs->xdp >= 0) {
		ret = xdp_attach(at->ifindex, progs->xdp);
		at->has.xdp = ret == 0;
		/* no native mode: tc does it, and that is said once */
		if (ret < 0)
			attach_failed(at, link->pub.name, "native XDP", ret);
	}
	if ((!want->ingress || at->has.ingress) &&
	    (!want->egress || at->has.egress) && (!want->xdp || at->has.xdp)) {
		at->failed_at = 0;
		at->error[0] = '\0';
	}
}

static void detach_link(struct attachment *at,
			const struct attach_wanted *want)
{
	if (at->has.xdp && !want->xdp) {
		xdp_detach(at->ifindex);
		at->has.xdp = false;
	}
	if (at->has.ingress && !want->ingress)
		tc_detach(at->ifindex, BPF_TC_INGRESS);
	if (at->has.egress && !want->egress)
		tc_detach(at->ifindex, BPF_TC_EGRESS);
	/* also where someone else has taken our filters off, or they could not
	 * be put there */
	if (!want->ingress && !want->egress)
		tc_drop_clsact(at->ifindex);
	at->has.ingress &= want->ingress;
	at->has.egress &= want->egress;
}

/* The link went, and all that hung on it. */
static void attachment_gone(struct attachment *at)
{
	char key[JOURNAL_KEY_LEN];

	attach_key(at->ifindex, key, sizeof(key));
	tunnel_journal_del(JOURNAL_TC, key);
	tunnel_journal_del(JOURNAL_XDP, key);
	attachment_free(at);
}

static bool attach_due(const struct attachment *at,
		       const struct attach_wanted *want)
{
	return memcmp(&at->has, want, sizeof(*want)) != 0 &&
	       (at->failed_at == 0 ||
		relay_now_us() - at->failed_at > RETRY_US);
}

/* A former run's programs hang there. Nobody's packets go by lo but the
 * self-test's, so nothing is held back there. */
static bool is_former(const struct kern_link *link)
{
	struct journal_entry *ent;
	char key[JOURNAL_KEY_LEN];

	if (link->flags & IFF_LOOPBACK)
		return false;
	attach_key(link->pub.ifindex, key, sizeof(key));
	ent = tunnel_journal_find(JOURNAL_TC, key);
	if (!ent)
		ent = tunnel_journal_find(JOURNAL_XDP, key);
	return ent && !ent->adopted;
}

static void sync_link(const struct kern_link *link,
		      const struct attach_programs *progs,
		      const struct attach_wanted *want, bool hold_back)
{
	bool any = want->ingress || want->egress || want->xdp;
	struct attachment *at = attachment_find(link->pub.ifindex);

	if (!at && !any)
		return;
	if (!at && hold_back && is_former(link))
		return;
	at = attachment_get(link->pub.ifindex);
	at->seen = true;
	if (memcmp(&at->failed, want, sizeof(*want)) != 0) {
		at->failed = *want;
		at->failed_at = 0;
	}
	if (!any || at->verify ||
	    memcmp(&at->has, want, sizeof(*want)) != 0) {
		frr_with_privs (tunnel_privs) {
			if (at->verify)
				attach_verify(at, link->pub.name);
			detach_link(at, want);
			if (attach_due(at, want))
				attach_link(at, link, progs, want);
		}
	}
	if (!any)
		attachment_free(at);
}

void tunnel_attach_sync(const struct attach_programs *progs,
			void (*wanted)(const struct kern_link *link,
				       struct attach_wanted *out),
			bool hold_back)
{
	struct kern_link *link = NULL;
	struct attachment *at;

	frr_each (attachments, attachments, at)
		at->seen = false;
	while ((link = kern_link_next(link))) {
		struct attach_wanted want = {};

		wanted(link, &want);
		sync_link(link, progs, &want, hold_back);
	}
	failing = false;
	frr_each_safe (attachments, attachments, at)
		if (!at->seen)
			attachment_gone(at);
		else
			failing |= at->error[0] != '\0';
}

bool tunnel_attach_failing(void)
{
	return failing;
}

const char *tunnel_attach_error(ifindex_t ifindex)
{
	struct attachment *at = attachment_find(ifindex);

	return at ? at->error : "";
}

bool tunnel_attach_has_xdp(ifindex_t ifindex)
{
	struct attachment *at = attachment_find(ifindex);

	return at && at->has.xdp;
}

size_t tunnel_attach_count(bool xdp)
{
	struct attachment *at;
	size_t n = 0;

	frr_each (attachments, attachments, at)
		n += xdp ? at->has.xdp : at->has.ingress;
	return n;
}

bool tunnel_attach_news(ifindex_t ifindex)
{
	struct attachment *at = attachment_find(ifindex);

	if (at)
		at->verify = true;
	if (ifindex)
		return at;
	frr_each (attachments, attachments, at)
		at->verify = true;
	return attachments_count(attachments) > 0;
}

void tunnel_attach_sweep(const char *key)
{
	ifindex_t ifindex = atoi(key);
	struct kern_link *link = kern_link_by_index(ifindex);

	if (!link) {
		tunnel_journal_del(JOURNAL_TC, key);
		tunnel_journal_del(JOURNAL_XDP, key);
		return;
	}
	frr_with_privs (tunnel_privs) {
		xdp_detach(ifindex);
		tc_detach(ifindex, BPF_TC_INGRESS);
		tc_detach(ifindex, BPF_TC_EGRESS);
		tc_drop_clsact(ifindex);
	}
	zlog_info("eBPF programs of a former run taken off %s",
		  link->pub.name);
}

void tunnel_attach_fini(void)
{
	struct attachment *at;

	while ((at = attachments_pop(attachments)))
		XFREE(MTYPE_ATTACHMENT, at);
}
