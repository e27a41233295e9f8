// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The nftables tables `ip frr-relay` and `ip6 frr-relay`: relayd's alone, made
 * anew as a whole in one transaction whenever the set of relays changes.
 *
 * Why the kernel's sit needs it:
 *  - sit keeps one cached IPv4 route for all 6to4 destinations. Flipping a mark
 *    bit in a chain of type route makes the kernel route each packet on its
 *    own; the next chain flips it back.
 *  - `tunnel transmit-source`: a sit device has one address for both ways.
 *  - `tunnel direction`, and the address checks (tunnel_nft_filter.c).
 *  - the self-test's packets: counted on their way, handed over at its end,
 *    where they must not leave the host.
 */
#include <zebra.h>

#include <nftables/libnftables.h>
#include <linux/netlink.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "lib/debug.h"
#include "lib/json.h"
#include "log.h"
#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_time.h"
#include "tunnel_journal.h"
#include "tunnel_kernel.h"

DEFINE_MTYPE_STATIC(RELAYD, NFT_ENTRY, "Relay nftables entry");
DEFINE_MTYPE_STATIC(RELAYD, NFT_RELAYS, "Relay nftables list");
DEFINE_MTYPE_STATIC(RELAYD, NFT_RULES, "Relay nftables filter table");

#define TABLE TUNNEL_NFT_TABLE
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

PREDECL_RBTREE_UNIQ(nft_entries);
struct nft_entry {
	struct nft_entries_item item;
	struct nft_relay relay;
	struct filter_rule *rules; /* relay.rules, its own */
	uint32_t wanted; /* generation in which it was asked for */
	/* counted in tables that are gone, and in the one that is there */
	struct nft_relay_counters base, live, reading;
};

static int entry_cmp(const struct nft_entry *a, const struct nft_entry *b)
{
	return memcmp(&a->relay.source, &b->relay.source,
		      sizeof(a->relay.source));
}
DECLARE_RBTREE_UNIQ(nft_entries, struct nft_entry, item, entry_cmp);

static struct nft_entries_head entries[1];
static struct nft_ctx *ctx;
static int event_fd = -1;
static uint32_t generation, applied;
static char nft_error[TUNNEL_DETAIL_LEN];
static bool table_present; /* we made it, or a former run did */
static bool hold_back;	   /* a former run's table serves until the sweep */
static int64_t counters_read_at, repaired_at;
static struct frr_event *t_apply, *t_event;

static char event_buf[65536] __attribute__((aligned(NLMSG_ALIGNTO)));

/* seconds after which a former run's table is replaced, swept or not */
#define HOLD_BACK_S 5
/* a transaction that failed is tried again */
#define RETRY_S 1
/* one listing serves all relays of one `show` */
#define COUNTERS_AGE_US 200000

/* -------- counters -------- */

static struct nft_entry *entry_find(struct in_addr source)
{
	struct nft_entry ref = {.relay.source = source};

	return nft_entries_find(entries, &ref);
}

static int nft_run(const char *text)
{
	int ret = -1;

	if (!ctx)
		return -1;
	frr_with_privs (tunnel_privs) {
		ret = nft_run_cmd_from_buffer(ctx, text);
	}
	return ret;
}

static void counters_read(void)
{
	size_t n = nft_entries_count(entries), i = 0;
	struct nft_count *counts;
	struct nft_entry *ent;

	counters_read_at = relay_now_us();
	if (!ctx || !table_present || hold_back || !n)
		return;
	counts = XCALLOC(MTYPE_NFT_RELAYS, n * sizeof(*counts));
	frr_each (nft_entries, entries, ent) {
		memset(&ent->reading, 0, sizeof(ent->reading));
		counts[i++] = (struct nft_count){&ent->relay, &ent->reading};
	}
	/* tables that someone else is deleting right now count for nothing */
	if (tunnel_nft_count(counts, n, tunnel_nflog_key()))
		frr_each (nft_entries, entries, ent)
			ent->live = ent->reading;
	XFREE(MTYPE_NFT_RELAYS, counts);
}

static void counters_add(struct nft_relay_counters *to,
			 const struct nft_relay_counters *more)
{
	to->probes_in += more->probes_in;
	to->probes_in_routed += more->probes_in_routed;
	to->probes_out_routed += more->probes_out_routed;
	to->probes_out += more->probes_out;
	for (size_t i = 0; i < array_size(to->drops); i++)
		to->drops[i] += more->drops[i];
}

void tunnel_nft_counters(struct in_addr source, struct nft_relay_counters *out)
{
	struct nft_entry *ent = entry_find(source);

	memset(out, 0, sizeof(*out));
	if (!ent)
		return;
	if (relay_now_us() - counters_read_at > COUNTERS_AGE_US)
		counters_read();
	counters_add(out, &ent->base);
	counters_add(out, &ent->live);
}

/* The table is about to go, or went: what it counted is kept. */
static void counters_fold(void)
{
	struct nft_entry *ent;

	frr_each (nft_entries, entries, ent) {
		counters_add(&ent->base, &ent->live);
		memset(&ent->live, 0, sizeof(ent->live));
	}
}

/* -------- transactions -------- */

static void nft_take_error(void)
{
	const char *text = nft_ctx_get_error_buffer(ctx);
	const char *end = strchrnul(text, '\n');

	snprintf(nft_error, sizeof(nft_error), "nftables: %.*s",
		 (int)(end - text), text);
}

bool tunnel_nft_is_ours(struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = nlmsg_data(nlh);
	struct nlattr *attr;

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    NFNL_MSG_TYPE(nlh->nlmsg_type) == NFT_MSG_NEWGEN ||
	    !nlmsg_valid_hdr(nlh, sizeof(*nfg)))
		return false;
	/* attribute 1 is the table's name in every object */
	attr = nlmsg_find_attr(nlh, sizeof(*nfg), NFTA_TABLE_NAME);
	return (nfg->nfgen_family == NFPROTO_IPV4 ||
		nfg->nfgen_family == NFPROTO_IPV6) &&
	       attr && nla_strcmp(attr, TABLE) == 0;
}

/* Takes in what changed in nftables; says whether our table was touched. */
static bool nft_receive(void)
{
	bool ours = false;

	for (;;) {
		ssize_t len = recv(event_fd, event_buf, sizeof(event_buf),
				   MSG_DONTWAIT);
		struct nlmsghdr *nlh = (struct nlmsghdr *)event_buf;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == ENOBUFS) {
			ours = true; /* can't know */
			continue;
		}
		if (len <= 0)
			return ours;
		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len))
			ours |= tunnel_nft_is_ours(nlh);
	}
}

static void generation_cb(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *attr =
		nlmsg_find_attr(nlh, sizeof(struct nfgenmsg), NFTA_GEN_ID);

	if (attr && nla_len(attr) >= (int)sizeof(uint32_t))
		*(uint32_t *)arg = ntohl(nla_get_u32(attr));
}

/* The number of the last transaction; 0 when it can't be told. */
static uint32_t nft_generation(void)
{
	struct nfgenmsg nfg = {.nfgen_family = AF_UNSPEC};
	struct nl_msg *msg = nlmsg_alloc_simple(
		NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NLM_F_ACK);
	uint32_t gen = 0;

	if (!msg)
		return 0;
	nlmsg_append(msg, &nfg, sizeof(nfg), NLMSG_ALIGNTO);
	kern_talk_nf(msg, generation_cb, &gen);
	return gen;
}

static int nft_membership(bool join)
{
	int group = NFNLGRP_NFTABLES, ret = 0;

	frr_with_privs (tunnel_privs) {
		if (setsockopt(event_fd, SOL_NETLINK,
			       join ? NETLINK_ADD_MEMBERSHIP
				    : NETLINK_DROP_MEMBERSHIP,
			       &group, sizeof(group)) < 0)
			ret = -errno;
	}
	return ret;
}

/* Runs our transaction, deaf to the news of each of its elements. *foreign:
 * somebody else's transaction came in between. */
static int nft_transaction(const char *text, bool *foreign)
{
	uint32_t before, after;
	int ret;

	nft_membership(false);
	nft_receive(); /* old news: what they are about is replaced */
	before = nft_generation();
	ret = nft_run(text);
	nft_membership(true);
	after = nft_generation();
	*foreign = ret == 0 && after != before + 1;
	return ret;
}

static void nft_apply(struct frr_event *ev)
{
	size_t n = nft_entries_count(entries), i = 0;
	struct nft_relay *relays = NULL;
	struct nft_entry *ent;
	bool foreign;
	char *text;

	if (n == 0 && !table_present) {
		applied = generation;
		return;
	}
	if (!ctx) {
		tunnel_nft_changed();
		return;
	}
	if (n && tunnel_journal_add(JOURNAL_TABLE, TABLE, "-") < 0) {
		snprintf(nft_error, sizeof(nft_error),
			 "nftables: the journal can't be written");
		tunnel_nft_changed();
		return;
	}
	counters_read();
	if (n)
		relays = XCALLOC(MTYPE_NFT_RELAYS, n * sizeof(*relays));
	frr_each (nft_entries, entries, ent)
		relays[i++] = ent->relay;
	text = tunnel_nft_text(relays, n, tunnel_nflog_key());
	if (nft_transaction(text, &foreign) == 0) {
		counters_fold();
		hold_back = false;
		table_present = n > 0;
		if (nft_error[0])
			zlog_info("nftables: the " TABLE " tables are in place");
		nft_error[0] = '\0';
		applied = generation;
		if (n == 0)
			tunnel_journal_del(JOURNAL_TABLE, TABLE);
	} else {
		nft_take_error();
		zlog_warn("%s", nft_error);
		event_add_timer(tunnel_loop, nft_apply, NULL, RETRY_S,
				&t_apply);
	}
	if (foreign)
		event_add_timer(tunnel_loop, nft_apply, NULL, RETRY_S,
				&t_apply);
	tunnel_nft_text_free(&text);
	XFREE(MTYPE_NFT_RELAYS, relays);
	tunnel_nft_changed();
}

static void nft_schedule(void)
{
	generation++;
	if (hold_back)
		return;
	EVENT_OFF(t_apply);
	event_add_event(tunnel_loop, nft_apply, NULL, 0, &t_apply);
}

static void nft_event(struct frr_event *ev)
{
	event_add_read(tunnel_loop, nft_event, NULL, event_fd, &t_event);
	if (!nft_receive() || hold_back ||
	    (nft_entries_count(entries) == 0 && !table_present))
		return;
	zlog_warn("nftables: someone else changed a " TABLE
		  " table, putting it right");
	/* what it had counted went with it */
	counters_fold();
	EVENT_OFF(t_apply);
	/* at once, but no more than once a second */
	if (relay_now_us() - repaired_at < RETRY_S * 1000000LL) {
		event_add_timer(tunnel_loop, nft_apply, NULL, RETRY_S,
				&t_apply);
		return;
	}
	repaired_at = relay_now_us();
	nft_apply(NULL);
}

static void entry_fill(struct nft_entry *ent, const struct nft_relay *relay)
{
	ent->relay = *relay;
	XFREE(MTYPE_NFT_RULES, ent->rules);
	if (relay->nrules) {
		ent->rules = XCALLOC(MTYPE_NFT_RULES,
				     relay->nrules * sizeof(*ent->rules));
		memcpy(ent->rules, relay->rules,
		       relay->nrules * sizeof(*ent->rules));
	}
	ent->relay.rules = ent->rules;
}

static void entry_free(struct nft_entry *ent)
{
	XFREE(MTYPE_NFT_RULES, ent->rules);
	XFREE(MTYPE_NFT_ENTRY, ent);
}

void tunnel_nft_set(const struct nft_relay *relay)
{
	struct nft_entry *ent = entry_find(relay->source);

	if (ent &&
	    ent->relay.transmit_source.s_addr ==
		    relay->transmit_source.s_addr &&
	    ent->relay.direction == relay->direction &&
	    strcmp(ent->relay.ifname, relay->ifname) == 0 &&
	    filter_same(ent->rules, ent->relay.nrules, relay->rules,
			relay->nrules)) {
		ent->relay.owner = relay->owner;
		return;
	}
	if (!ent) {
		ent = XCALLOC(MTYPE_NFT_ENTRY, sizeof(*ent));
		ent->relay.source = relay->source;
		nft_entries_add(entries, ent);
	}
	entry_fill(ent, relay);
	nft_schedule();
	ent->wanted = generation;
}

void tunnel_nft_unset(struct in_addr source, const void *owner)
{
	struct nft_entry *ent = entry_find(source);

	if (!ent || ent->relay.owner != owner)
		return;
	nft_entries_del(entries, ent);
	entry_free(ent);
	nft_schedule();
}

int tunnel_nft_state(struct in_addr source)
{
	struct nft_entry *ent = entry_find(source);

	if (!ctx)
		return -EOPNOTSUPP;
	if (!ent)
		return -ENOENT;
	if (ent->wanted <= applied)
		return 0;
	return nft_error[0] ? -EIO : -EINPROGRESS;
}

const char *tunnel_nft_error(void)
{
	return nft_error;
}

void tunnel_nft_sweep(void)
{
	if (!hold_back)
		return;
	hold_back = false;
	event_add_event(tunnel_loop, nft_apply, NULL, 0, &t_apply);
}

static void nft_hold_back_over(struct frr_event *ev)
{
	tunnel_nft_sweep();
}

static struct frr_event *t_hold_back;

/* News of the rules, so that a `nft flush ruleset` is put right at once. */
static int nft_listen(void)
{
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
	int ret;

	event_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  NETLINK_NETFILTER);
	if (event_fd < 0)
		return -errno;
	if (bind(event_fd, (struct sockaddr *)&nl, sizeof(nl)) < 0)
		return -errno;
	ret = nft_membership(true);
	if (ret < 0)
		return ret;
	event_add_read(tunnel_loop, nft_event, NULL, event_fd, &t_event);
	return 0;
}

int tunnel_nft_init(void)
{
	int ret;

	nft_entries_init(entries);
	ret = nft_listen();
	if (ret < 0) {
		/* a kernel without nfnetlink: sit works, with less */
		snprintf(nft_error, sizeof(nft_error), "nftables socket: %s",
			 safe_strerror(-ret));
		zlog_warn("%s", nft_error);
		return ret;
	}
	frr_with_privs (tunnel_privs) {
		ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	}
	if (!ctx || nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx)) {
		snprintf(nft_error, sizeof(nft_error),
			 "nftables: no memory for a context");
		return -ENOMEM;
	}
	if (tunnel_journal_find(JOURNAL_TABLE, TABLE)) {
		/* It serves relays whose interfaces are not adopted yet */
		table_present = hold_back = true;
		event_add_timer(tunnel_loop, nft_hold_back_over, NULL,
				HOLD_BACK_S, &t_hold_back);
	}
	return 0;
}

void tunnel_nft_fini(bool remove_table)
{
	struct nft_entry *ent;

	EVENT_OFF(t_apply);
	EVENT_OFF(t_event);
	EVENT_OFF(t_hold_back);
	while ((ent = nft_entries_pop(entries)))
		entry_free(ent);
	if (remove_table && table_present)
		nft_apply(NULL);
	table_present = hold_back = false;
	if (ctx)
		nft_ctx_free(ctx);
	ctx = NULL;
	if (event_fd >= 0)
		close(event_fd);
	event_fd = -1;
}
