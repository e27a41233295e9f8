// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tracked objects (contract section 1.1): one small ops table a kind, one place
 * (track.c) for delays, transitions, users and lists of users.
 */
#ifndef _RELAY_TRACK_H
#define _RELAY_TRACK_H

#include <zebra.h>

#include "hook.h"
#include "typesafe.h"
#include "prefix.h"
#include "ipaddr.h"
#include "if.h"
#include "lib/json.h"
#include "vty.h"
#include "compat.h"

#define TRACK_ID_MIN	  1
#define TRACK_ID_MAX	  1000
#define TRACK_MEMBERS_MAX 64
#define TRACK_PROFILE_LEN 64 /* bfdd's own, with the final NUL */

enum track_type {
	TRACK_INTERFACE,
	TRACK_IP_ROUTE,
	TRACK_IPV6_ROUTE,
	TRACK_ICMP_ECHO,
	TRACK_LIST,
	TRACK_BFD,
};

enum track_state {
	TRACK_STATE_INIT,
	TRACK_STATE_UP,
	TRACK_STATE_DOWN,
};

struct track_member {
	uint16_t id;
	bool negate; /* `object N not` */
};

/* Configuration of one object; plain data, compared with memcmp-free helper. */
struct track_config {
	uint16_t id;
	enum track_type type;
	char ifname[IFNAMSIZ];	/* TRACK_INTERFACE; TRACK_BFD, may be empty */
	struct prefix prefix;	/* TRACK_IP*_ROUTE */
	struct ipaddr target;	/* TRACK_ICMP_ECHO; TRACK_BFD: the peer */
	struct ipaddr source;	/* IPADDR_NONE when not set */
	char source_ifname[IFNAMSIZ];
	bool multihop; /* TRACK_BFD */
	char profile[TRACK_PROFILE_LEN];
	bool list_or; /* TRACK_LIST: or, else and */
	struct track_member members[TRACK_MEMBERS_MAX];
	size_t nmembers;
	uint32_t frequency_ms;	     /* 100..60000 */
	uint32_t timeout_ms;	     /* 50..60000 */
	uint8_t probes_up, probes_down; /* 1..10 */
	uint16_t delay_up_s, delay_down_s; /* 0..180 */
};

struct track;

/* What a kind that sends echo requests has counted. */
struct track_echo_stats {
	/* of the replies that were believed; 0: none yet */
	uint32_t rtt_usec, rtt_min_usec, rtt_avg_usec, rtt_max_usec;
	uint32_t jitter_usec; /* RFC 3550 section 6.4.1 */
	uint64_t sent, received, timeouts, send_errors;
	/* replies that were not believed */
	uint64_t late, duplicates, invalid;
};

struct track_ops {
	enum track_type type;
	const char *name; /* value of "type" in show track json */
	/* start watching cfg; call track_report() whenever the raw state is
	 * known or changes (may do so at once) */
	int (*start)(struct track *trk);
	/* timers or counts in cfg changed, not what is watched; may be NULL */
	void (*changed)(struct track *trk);
	/* stop watching, free trk->priv */
	void (*stop)(struct track *trk);
	/* human text for `target` in show track (NULL: none) */
	void (*target)(const struct track *trk, char *buf, size_t len);
	/* extra JSON members and extra text lines; may be NULL */
	void (*show_json)(const struct track *trk, struct json_object *json);
	void (*show)(const struct track *trk, struct vty *vty);
	/* NULL where the kind sends nothing */
	void (*echo_stats)(const struct track *trk,
			   struct track_echo_stats *stats);
	/* state of the BFD session as YANG spells it; NULL where there is none */
	const char *(*bfd_state)(const struct track *trk);
};

PREDECL_RBTREE_UNIQ(track_tree);

struct track {
	struct track_tree_item item;
	struct track_config cfg;
	const struct track_ops *ops;
	void *priv;		/* the kind's own state */
	enum track_state raw;	/* what the kind last reported */
	enum track_state state; /* after delays: what users see */
	uint32_t transitions;	/* up <-> down, init -> first does not count */
	time_t since;		/* wall clock, seconds */
	struct frr_event *t_delay;
	char detail[96]; /* why it is down, "" when up */
};
int track_cmp(const struct track *a, const struct track *b);
DECLARE_RBTREE_UNIQ(track_tree, struct track, item, track_cmp);
extern struct track_tree_head track_tree[1];
extern struct frr_loop *track_loop;
extern struct zebra_privs_t *track_privs;

void track_init(struct frr_loop *loop, struct zebra_privs_t *privs);
void track_fini(void);

struct track *track_lookup(uint16_t id);
/* Creates or reconfigures; a changed target restarts the watching from init,
 * changed timers and delays are taken over in place. */
struct track *track_configure(const struct track_config *cfg);
void track_delete(struct track **trk);

/* From a kind: raw state, with the cause when down (may be NULL). */
void track_report(struct track *trk, enum track_state raw, const char *detail);

/* From a kind, in show paths. */
const char *track_state_str(enum track_state state);

/* A tracked object's state (after delays) changed. */
DECLARE_HOOK(track_change, (struct track *trk, enum track_state old), (trk, old));

/* Pure: value of a boolean list over its members' states (track_list.c). An
 * unknown member (init) gives init unless the others already decide it. */
enum track_state track_list_eval(bool list_or, const struct track_member *members,
				 const enum track_state *states, size_t n);

extern const struct track_ops track_interface_ops;
extern const struct track_ops track_ip_route_ops;
extern const struct track_ops track_ipv6_route_ops;
extern const struct track_ops track_icmp_ops;
extern const struct track_ops track_list_ops;
extern const struct track_ops track_bfd_ops;

/* One-time setup of a kind; called by track_init(). */
void track_bfd_init(void);
void track_bfd_fini(void);
int track_icmp_init(void);
void track_icmp_fini(void);
void track_interface_init(void);
void track_interface_fini(void);
void track_list_init(void);
void track_list_fini(void);
void track_route_init(void);
void track_route_fini(void);

#endif /* _RELAY_TRACK_H */
