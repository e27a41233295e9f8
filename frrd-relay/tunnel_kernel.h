// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Between the tunnel*.c files: the kernel's links, addresses and switches as
 * relayd sees them, and the requests that change them. Nothing above tunnel.h
 * includes this.
 */
#ifndef _RELAY_TUNNEL_KERNEL_H
#define _RELAY_TUNNEL_KERNEL_H

#include <zebra.h>

#include <linux/netlink.h>

#include "typesafe.h"
#include "privs.h"
#include "tunnel.h"
#include "bpf/relay_bpf.h"

struct nl_msg;

extern struct frr_loop *tunnel_loop;
extern struct zebra_privs_t *tunnel_privs;

/* what IFLA_IFALIAS of a link that relayd made begins with */
#define TUNNEL_ALIAS_PREFIX "frr-relay:"

/* -------- tunnel_monitor.c: tables kept by one netlink monitor -------- */

/* IFLA_IPTUN_* of linux/if_tunnel.h. FRR's tree brings an older copy of that
 * header without them, which shadows the system's. */
enum sit_attr {
	SIT_ATTR_LINK = 1,
	SIT_ATTR_LOCAL = 2,
	SIT_ATTR_REMOTE = 3,
	SIT_ATTR_TTL = 4,
	SIT_ATTR_TOS = 5,
	SIT_ATTR_FLAGS = 8,
	SIT_ATTR_PROTO = 9,
	SIT_ATTR_PMTUDISC = 10,
	SIT_ATTR_6RD_PREFIX = 11,
	SIT_ATTR_6RD_PREFIXLEN = 13,
	SIT_ATTR_MAX = 13,
};

#define SIT_TOS_INHERIT 1

struct kern_sit {
	struct in_addr local, remote;
	uint8_t ttl;
	uint8_t tos; /* SIT_TOS_INHERIT: that of the inner packet */
	bool pmtudisc;
	ifindex_t link;
	uint16_t flags;
	struct in6_addr prefix; /* 6rd; 2002::/16 by default */
	uint16_t prefixlen;
};

PREDECL_RBTREE_UNIQ(kern_names);
PREDECL_RBTREE_UNIQ(kern_indices);

struct kern_link {
	struct kern_names_item name_item;
	struct kern_indices_item index_item;
	struct tunnel_link pub;
	unsigned int flags;
	uint16_t type;	  /* ARPHRD_* */
	ifindex_t master; /* bridge, bond, VRF that it is part of; 0: none */
	ifindex_t lower;  /* that it stands on (a VLAN), or a veth's peer */
	uint8_t mac[ETH_ALEN]; /* zero where it has none of that length */
	uint32_t mtu;
	char alias[64];
	char kind[16];
	struct kern_sit sit; /* kind sit */
	uint32_t downs; /* how often it was set down: its IPv6 routes went */
	uint32_t veth_told; /* tunnel_bpf.c's own */
	uint64_t stamp;
};

PREDECL_RBTREE_UNIQ(kern_addrs);

struct kern_addr {
	struct kern_addrs_item item;
	ifindex_t ifindex;
	struct prefix prefix; /* address with its length, host bits kept */
	uint64_t stamp;
};

/* IFINDEX_ALL: net.ipvX.conf.all */
#define KERN_ALL -1

struct kern_link *kern_link_by_name(const char *name);
struct kern_link *kern_link_by_index(ifindex_t ifindex);
struct kern_link *kern_link_next(struct kern_link *link); /* NULL: first */
/* Counts changes of addresses. */
uint64_t kern_addr_generation(void);
struct kern_addr *kern_addr_next(struct kern_addr *addr); /* NULL: first */
/* The first not below p in the order family, address, prefix length. */
struct kern_addr *kern_addr_from(const struct prefix *p);
/* The address on that interface; ifindex 0: on any interface that is up. */
const struct kern_addr *kern_addr_find(const struct prefix *p,
				       ifindex_t ifindex);
/* An IPv4 address of any prefix length, on an interface that is up and, with
 * `other`, is not that one. 0: none. */
ifindex_t kern_ipv4_owner(struct in_addr addr, ifindex_t other);

/* forwarding and rp_filter as the kernel last said; -1: unknown */
int kern_forwarding(int family, int ifindex);
int kern_rp_filter(int ifindex);

int tunnel_monitor_init(void);
void tunnel_monitor_fini(void);
/* Takes in what the kernel has said up to now; does not call back. */
void tunnel_monitor_poll(void);
/* Reads one link anew: the kernel tells nothing of most changes to a link that
 * is down. Then as tunnel_monitor_poll(). */
void tunnel_monitor_refresh(ifindex_t ifindex);
/* The same of a link's IPv6 addresses: the kernel tells of a new one from a
 * worker, when that has its turn. */
void tunnel_monitor_refresh_addrs(ifindex_t ifindex);

/* tunnel.c: something in the tables changed (from an event). */
void tunnel_monitor_changed(void);

/* -------- tunnel_netlink.c: acknowledged requests -------- */

int tunnel_netlink_init(void);
void tunnel_netlink_fini(void);

/*
 * Sends msg (freed here), waits for the kernel's answer. 0 or -errno;
 * cb is called for each message of a dump. Raises privileges.
 */
int kern_talk(struct nl_msg *msg, void (*cb)(struct nlmsghdr *nlh, void *arg),
	      void *arg);
/* The same to nfnetlink. */
int kern_talk_nf(struct nl_msg *msg,
		 void (*cb)(struct nlmsghdr *nlh, void *arg), void *arg);
/*
 * Pure: one message of an answer to request seq. True when it is the last one:
 * *ret is what the kernel said.
 */
bool kern_answer(struct nlmsghdr *nlh, uint32_t seq,
		 void (*cb)(struct nlmsghdr *nlh, void *arg), void *arg,
		 int *ret);
/* The same to generic netlink. */
int kern_talk_genl(struct nl_msg *msg,
		   void (*cb)(struct nlmsghdr *nlh, void *arg), void *arg);
/* What the kernel added to the last error in words, "" when nothing. */
const char *kern_error_text(void);

int kern_link_add_sit(const char *name, const struct kern_sit *sit,
		      uint32_t mtu);
int kern_link_set_sit(ifindex_t ifindex, const struct kern_sit *sit);
int kern_link_set_alias(ifindex_t ifindex, const char *alias);
int kern_link_set_mtu(ifindex_t ifindex, uint32_t mtu);
int kern_link_set_up(ifindex_t ifindex, bool up);
int kern_link_del(ifindex_t ifindex);
/* The group that it is in, and an end of all that are in one, at one go; not
 * group 0, which is everybody's. */
int kern_link_set_group(ifindex_t ifindex, uint32_t group);
int kern_link_del_group(uint32_t group);
int kern_addr_change(ifindex_t ifindex, const struct prefix *p, bool add);
/* host route in the local table to a device, see selftest.c */
int kern_local_route_add(const struct in6_addr *dst, ifindex_t ifindex);
int kern_local_route_del(const struct in6_addr *dst, ifindex_t ifindex);
/* The same to this host itself, which then has an address that is on none of
 * its interfaces; goes with that one. Asked of, the kernel names lo. */
int kern_own_route(bool add, const struct in6_addr *dst, ifindex_t ifindex);
bool kern_own_route_present(const struct in6_addr *dst);
/*
 * A standby route, see tunnel_keep.c: forwarding goes on after zebra has taken
 * its route out of the kernel. The metric is worse than any of zebra's, so
 * whatever else zebra has for the prefix is used first; the protocol is one
 * that zebra reads nothing of (netlink_route_change()), so bgpd never sees it.
 * One that zebra takes for its own will not do: when such a route goes zebra
 * believes that it was its own, and may lose a withdrawal that is under way.
 * Goes with the device, and when the device is set down.
 */
#define KERN_STANDBY_METRIC 0xfffffffe
#define KERN_STANDBY_PROTOCOL RTPROT_REDIRECT
int kern_standby_route(bool add, const struct prefix_ipv6 *p,
		       ifindex_t ifindex);
bool kern_local_route_present(const struct in6_addr *dst, ifindex_t ifindex);
/* Interface that packets to an address leave by; 0: no unicast route, for
 * `discarded` since one is there to discard them (blackhole and the like). */
ifindex_t kern_route_oif(int family, const void *addr, bool *discarded);

/* Pure: takes one message of an answer into a struct kern_route or kern_stats.
 */
struct kern_route {
	ifindex_t oif;
	bool local_table;
	uint8_t type; /* RTN_* */
};
void kern_route_message(struct nlmsghdr *nlh, void *route);
void kern_stats_message(struct nlmsghdr *nlh, void *stats);

struct kern_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_errors, rx_dropped, rx_length, rx_frame;
	uint64_t tx_errors, tx_dropped, tx_carrier, tx_aborted, collisions;
};
int kern_link_stats(ifindex_t ifindex, struct kern_stats *stats);

/* -------- tunnel_route.c: next hops and uplinks, a bounded scan -------- */

void tunnel_route_scan(void);
/* Pure, the parts of that: forget all; take one route, true when it is a
 * unicast route of the main table. */
void tunnel_route_forget(void);
bool tunnel_route_message(struct nlmsghdr *nlh);
bool tunnel_route_several_nexthops(void);
/* Interfaces that carry a gateway route of the family; NULL ends. */
const ifindex_t *tunnel_route_uplinks(int family, size_t *n);
/* There is a default route that does not discard. */
bool tunnel_route_default(int family);

/* -------- tunnel_sysctl.c -------- */

int kern_sysctl_read(const char *path, int *value);
int kern_sysctl_write(const char *path, int value);
/* Writes a value after putting the original on file. */
int tunnel_sysctl_hold(const char *path, int value);
/* Puts the original back if the value is still ours. */
void tunnel_sysctl_release(const char *path);

/*
 * Transit of another relay's packets: accept_local and rp_filter of the
 * uplinks. `wanted`: a relay's source is a local address.
 */
void tunnel_transit_update(bool wanted);
/* "" or what could not be set */
const char *tunnel_transit_problem(void);

/* -------- tunnel_nflog.c: packets that the rules hand to relayd -------- */

/* What the rules and the probes have to agree upon. */
struct nflog_key {
	uint16_t group;	  /* of nfnetlink_log */
	uint8_t nonce[8]; /* random, of this process; in every probe */
};

/* 8 octets, random, of this process: in every probe; another one in those that
 * the eBPF programs are to take */
const uint8_t *tunnel_probe_nonce(void);
const uint8_t *tunnel_fast_nonce(void);

/* seen: a packet, from its IP header on; at most NFLOG_COPY_LEN octets. */
#define NFLOG_COPY_LEN 128
int tunnel_nflog_init(void (*seen)(const uint8_t *pkt, size_t len));
void tunnel_nflog_fini(void);
/* NULL while there is no such socket. */
const struct nflog_key *tunnel_nflog_key(void);
/* Takes in what has been handed over up to now. */
void tunnel_nflog_poll(void);
/* Pure: the packet in a message, from its IP header on, or NULL. */
const uint8_t *tunnel_nflog_packet(struct nlmsghdr *nlh, size_t *len);

/* -------- tunnel_nft.c: tables `ip frr-relay`, `ip6 frr-relay` -------- */

/* The IPv4 end of self-test probes: RFC 7600's dummy address. No host has it
 * and no packet to it may leave this one. */
#define TUNNEL_PROBE_SOURCE "192.0.0.8"

#define TUNNEL_NFT_TABLE "frr-relay"

struct nft_relay {
	const void *owner; /* two tunnels may name a source for a while */
	struct in_addr source, transmit_source;
	enum tunnel_direction direction;
	char ifname[IFNAMSIZ];
	/* address checks: a table of filter.h, normalized */
	const struct filter_rule *rules;
	size_t nrules;
};

struct nft_relay_counters {
	/* probes 4to6: handed to the tunnel, routed by IPv6 */
	uint64_t probes_in, probes_in_routed;
	/* probes 6to4: routed by IPv6, sent by the tunnel */
	uint64_t probes_out_routed, probes_out;
	/* dropped, by enum relay_bpf_reason; those that nftables tells apart */
	uint64_t drops[RELAY_BPF_REASON_END];
};

int tunnel_nft_init(void);
/* remove_table: no relay is left that could use it */
void tunnel_nft_fini(bool remove_table);
void tunnel_nft_set(const struct nft_relay *relay);
/* nothing happens where the rules of that source are another owner's */
void tunnel_nft_unset(struct in_addr source, const void *owner);
/* 0: the kernel has the rules as wanted; -EINPROGRESS: soon; else why not */
int tunnel_nft_state(struct in_addr source);
const char *tunnel_nft_error(void);
void tunnel_nft_counters(struct in_addr source, struct nft_relay_counters *out);
/* the configuration has been read; the table may be replaced from now on */
void tunnel_nft_sweep(void);
/* tunnel.c: rules were applied, or could not be (from an event) */
void tunnel_nft_changed(void);
/* Pure: is this news about one of our tables? */
bool tunnel_nft_is_ours(struct nlmsghdr *nlh);

/* tunnel_nft_count.c: adds what the sets have counted for n relays, which are
 * sorted by source. False when a set could not be read. probes: those, too. */
struct nft_count {
	const struct nft_relay *relay;
	struct nft_relay_counters *counters;
};
bool tunnel_nft_count(const struct nft_count *counts, size_t n, bool probes);

/* tunnel_nft_text.c, pure: the text of the transaction; n == 0 removes the
 * tables, without a key there are no rules for probes. The caller frees it. */
char *tunnel_nft_text(const struct nft_relay *relays, size_t n,
		      const struct nflog_key *key);
void tunnel_nft_text_free(char **text);
/* tunnel_nft_filter.c, pure: the name of a reason, also that of its set; and
 * for which reasons there are sets in the table of a family */
const char *tunnel_nft_reason(enum relay_bpf_reason reason);
const enum relay_bpf_reason *tunnel_nft_reasons(int family, size_t *n);

/* -------- tunnel_xdp.c -------- */

/*
 * What XDP has to know of links: the own addresses of those that carry
 * the program (map `uplinks`), and which can send its frames (map `devices`).
 * True when one of the maps was changed. Privileges are raised.
 */
bool tunnel_xdp_sync(int uplinks_fd, int devices_fd);
/* The maps are gone. */
void tunnel_xdp_forget(void);

/* -------- tunnel_filter.c -------- */

/* The filter in effect, normalized (filter.h); valid until the next call. */
struct filter_rule;
const struct filter_rule *tunnel_filter_rules(const struct tunnel_params *params,
					      size_t *n);
/* The tunnel as relay_check.h wants it; on_tun: its interface is a TUN. */
void tunnel_filter_relay(const struct tunnel_params *params, ifindex_t ifindex,
			 bool on_tun, struct relay_bpf_relay *out);
/* Changes when the rules would be others for the same params: the host has got
 * other networks. What is new may be late by a second. No system call. */
uint32_t tunnel_filter_generation(void);
void tunnel_filter_fini(void);

/* -------- tunnel_keep.c -------- */

/* puts the standby routes back that the kernel has dropped */
void tunnel_keep_check(struct tunnel *tun);
/* the configuration has been read: a JOURNAL_ROUTE that no tunnel has adopted */
void tunnel_keep_sweep(const char *key);

/* -------- tunnel.c -------- */

/* Fills status.detail: what failed, the errno's text, the kernel's words.
 * Returns err. */
int tunnel_fail(struct tunnel *tun, int err, const char *fmt, ...)
	PRINTFRR(3, 4);
/* Schedules `changed` if status differs from what was told last. */
void tunnel_notify(struct tunnel *tun);
struct tunnel *tunnel_next(struct tunnel *tun); /* NULL: first */
bool tunnel_any_created(void);
/* The journal is read and the kernel can be asked. */
bool tunnel_floor_open(void);

#endif /* _RELAY_TUNNEL_KERNEL_H */
