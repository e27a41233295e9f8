// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One anycast relay: configuration, the one state machine of contract section
 * 3, its history, and the routes that it wants in the RIB.
 *
 * cli, vty, nb -> relay -> health, tunnel, track; relay_zebra asks nothing and
 * decides nothing. Nothing in here knows what a vty or a YANG node is.
 */
#ifndef _RELAY_H
#define _RELAY_H

#include <zebra.h>

#include "hook.h"
#include "typesafe.h"
#include "prefix.h"
#include "compat.h"
#include "filter.h"
#include "relay_dampening.h"
#include "relay_health.h"
#include "relay_history.h"
#include "track.h"
#include "tunnel.h"

#define RELAY_NAME_MAX	      15 /* also an interface name: IFNAMSIZ - 1 */
#define RELAY_DESCRIPTION_MAX 255
#define RELAY_ADDRS_MAX	      16
#define RELAY_ROUTES_MAX      32
#define RELAY_UPLINKS_MAX     64
#define RELAY_FILTERS_MAX     256 /* of permit, and of deny */

#define RELAY_TTL_DEFAULT	 64
#define RELAY_MTU_DEFAULT	 1280
#define RELAY_DRAIN_DEFAULT_S	 5
#define RELAY_DISTANCE_DEFAULT	 1
#define RELAY_UDP_PORT_DEFAULT	 3545 /* Teredo; the servers have 3544 */
#define RELAY_PEERS_DEFAULT	 65536

enum relay_mode {
	RELAY_MODE_NONE = 0,
	RELAY_MODE_6TO4 = 1,
	RELAY_MODE_TEREDO = 2,
};

struct relay_route_config {
	struct prefix prefix;
	uint32_t tag; /* 0: none */
	uint8_t distance;
	uint32_t metric;
	uint16_t track; /* 0: none */
};

/* Plain data, as the northbound has validated it. */
struct relay_config {
	char name[RELAY_NAME_MAX + 1];
	char description[RELAY_DESCRIPTION_MAX + 1];
	bool enabled;
	bool maintenance;
	enum relay_mode mode;
	char ifname[IFNAMSIZ]; /* "" = the relay's name */
	bool has_source, has_transmit_source;
	struct in_addr source, transmit_source;
	enum tunnel_direction direction;
	enum tunnel_datapath datapath;
	char uplinks[RELAY_UPLINKS_MAX][IFNAMSIZ];
	size_t nuplinks;
	uint8_t ttl;
	uint16_t udp_port;	/* Teredo */
	uint32_t peers_max;	/* Teredo */
	bool overload_withdraw; /* Teredo */
	uint32_t mtu;
	struct prefix_ipv6 addrs[RELAY_ADDRS_MAX];
	size_t naddrs;
	struct relay_route_config routes[RELAY_ROUTES_MAX];
	size_t nroutes;
	uint16_t track; /* 0: none */
	uint16_t delay_up_s;
	uint16_t drain_time_s;
	bool self_test;
	struct relay_dampening_config dampening;
	bool filter_bogons;
	/* more lines than there may be: nothing holds those beyond */
	bool too_many_uplinks, too_many_permits, too_many_denies;
	size_t nfilters;
	/* `filter permit` and `filter deny`, in the order of the lines. Last:
	 * what is beyond nfilters is never touched, see relay_config_copy(). */
	struct filter_rule filters[2 * RELAY_FILTERS_MAX];
};

/* The values of an empty configuration, those of yang/frr-relay.yang. */
void relay_config_defaults(struct relay_config *cfg);
/* The same as to = from, at the price of what there is in it. */
void relay_config_copy(struct relay_config *to,
		       const struct relay_config *from);
/* Interface name in effect. */
const char *relay_config_ifname(const struct relay_config *cfg);
/*
 * Routes in effect: the configured ones or the mode's own (RFC 3068 section
 * 2.3, RFC 3056 section 5.2.2, RFC 4380 section 2.6), less those of a direction
 * that is off. out has room for RELAY_ROUTES_MAX; returns their number.
 */
size_t relay_config_routes(const struct relay_config *cfg,
			   struct relay_route_config *out);

/*
 * Both would take the same packets: one sit device a local address, one socket
 * an address and UDP port. Relays of different modes may share an address.
 */
bool relay_config_same_service(const struct relay_config *a,
			       const struct relay_config *b);

/* Mode and tunnel source are there: it can be enabled. */
bool relay_config_complete(const struct relay_config *cfg);

/* A route as it stands towards zebra. */
struct relay_route {
	struct relay_route_config cfg;
	bool wanted;	/* relay up and nothing holds this route back */
	bool sent;	/* ROUTE_ADD given to zebra, not withdrawn since */
	bool installed; /* zebra has confirmed it */
	bool judged;	/* this run has known whether it can be served */
	bool drains;	/* was sent when the relay began to drain */
	bool failed;	/* zebra could not install it: to be sent again */
	ifindex_t sent_ifindex;
	const char *note; /* why it is not installed though sent, or NULL */
	const char *held; /* why it is not wanted though the relay is up */
	bool fit; /* the relay is up, nothing but dampening holds it back */
	struct relay_dampening dampening; /* for what befalls it alone */
};

/* One way through a relay: `delay up` counts for each. */
struct relay_way {
	struct relay *relay;
	bool delay_passed;
	struct frr_event *t_delay;
};

/* What a Teredo relay counts beside packets. */
struct relay_bubbles {
	uint64_t received;
	uint64_t direct, indirect; /* sent */
	uint64_t evicted;	   /* peers that others took the place of */
};

PREDECL_RBTREE_UNIQ(relay_tree);

struct relay {
	struct relay_tree_item item;
	struct relay_config cfg;
	bool removed;  /* `no relay`, draining */

	enum relay_oper oper;
	enum relay_reason reason;
	char detail[RELAY_DETAIL_LEN];
	time_t since;
	uint32_t transitions;
	struct relay_history history;
	/* was up before a planned restart, zebra keeps its routes for it, and
	 * they are not all brought anew or withdrawn yet */
	bool resumed;

	struct tunnel *tun; /* NULL while there is none */
	const char *overload; /* of its peer table, as logged last; or NULL */
	struct relay_route routes[RELAY_ROUTES_MAX];
	size_t nroutes;

	bool draining;
	struct frr_event *t_drain;
	bool delay_passed;
	struct frr_event *t_delay;
	struct relay_way ways[TUNNEL_WAYS];
	struct frr_event *t_confirm;
	struct relay_dampening dampening;
	struct frr_event *t_reuse; /* the next reuse, of relay or routes */
	bool configuring; /* what changes now is the operator's doing */

	struct tunnel_counters cleared; /* counters at the last clear */
	struct relay_bubbles bubbles_cleared;
};
int relay_cmp(const struct relay *a, const struct relay *b);
DECLARE_RBTREE_UNIQ(relay_tree, struct relay, item, relay_cmp);
/* Configured relays; those that drain after `no relay` are elsewhere. */
extern struct relay_tree_head relay_tree[1];

void relay_init(struct frr_loop *loop);
/*
 * Daemon stop: withdraws everything, drains for the longest drain-time of the
 * relays that were up, removes the tunnels, then calls done. With `relay
 * graceful-restart` routes and tunnels stay, see relay_restart.h. A second call
 * ends the waiting at once.
 */
void relay_stop(void (*done)(void));
void relay_stop_init(struct frr_loop *loop);
/* The stop that goes on leaves all to the next run. */
bool relay_stop_planned(void);
/* For relay_stop.c: everything is withdrawn and drains; for how long. */
uint16_t relay_withdraw_all(void);
/* The same: frees all relays; stay: tunnels of enabled ones stay in the kernel,
 * for the next run. */
void relay_fini(bool stay);

struct relay *relay_lookup(const char *name);
/* Creates or reconfigures to cfg, which is validated. */
struct relay *relay_configure(const struct relay_config *cfg);
/* `no relay`: withdraws, drains, removes; the name is free at once. */
void relay_remove(const char *name);

/* Whether the route can be served is not known yet, for or against. */
bool relay_route_unknown(const struct relay *relay,
			 const struct relay_route *route);
/* Decides anew: something that it depends on has changed. */
void relay_evaluate(struct relay *relay);

/* Counters less what was there at the last clear. 0 or -errno. */
int relay_counters(struct relay *relay, struct tunnel_counters *out);
void relay_counters_clear(struct relay *relay);

/* The same of a Teredo relay's bubbles; cleared with the counters. */
void relay_bubbles(struct relay *relay, struct relay_bubbles *out);

/* The peer table of a Teredo relay. */
struct relay_peers {
	uint32_t count, trusted, maximum;
	const char *overload; /* "none", "table-full", "new-peer-limit" */
};
void relay_peers(const struct relay *relay, struct relay_peers *out);
/* All go, and are met anew; nothing where the relay has none. */
void relay_clear_peers(struct relay *relay);

/* Penalties of the relay and its routes to zero: all are reused at once. */
void relay_clear_dampening(struct relay *relay);

/* Dampening as it is now; of the relay, or of one of its routes. */
struct relay_dampening_status {
	uint32_t penalty;
	bool suppressed;
	uint32_t reuse_s; /* until reuse, rounded up; 0: not suppressed */
	uint32_t flaps;
};
void relay_dampening_status(const struct relay *relay,
			    const struct relay_dampening *damp,
			    struct relay_dampening_status *out);

const char *relay_mode_str(enum relay_mode mode);
const char *relay_datapath_str(const struct relay *relay);
ifindex_t relay_ifindex(const struct relay *relay);
enum tunnel_check relay_check_interface(const struct relay *relay);
enum tunnel_check relay_check_source(const struct relay *relay);
enum tunnel_check relay_check_forwarding(const struct relay *relay);
/* of a Teredo relay */
enum tunnel_check relay_check_socket(const struct relay *relay);
enum tunnel_check relay_check_engine(const struct relay *relay);
/* of both ways together */
enum tunnel_check relay_check_self_test(const struct relay *relay);
enum tunnel_check relay_check_way(const struct relay *relay,
				  enum tunnel_way way);
/* The way through the relay of what a route to that prefix attracts. */
enum tunnel_way relay_route_way(const struct prefix *p);
/* What works less well than configured, and is not in `detail`; "" when
 * nothing. Returns buf. */
#define RELAY_NOTE_LEN (2 * TUNNEL_DETAIL_LEN)
const char *relay_note(const struct relay *relay, char *buf, size_t len);
/* What holds a route back, or keeps it from being installed; or NULL. */
const char *relay_route_note(const struct relay_route *route);
/* Whether the relay or one of its routes has that object. */
bool relay_uses_track(const struct relay *relay, uint16_t id);

/* From relay_zebra: the session came or went; zebra's word on a route. */
void relay_zebra_session(bool connected);
void relay_zebra_route_note(const struct prefix *p, bool installed,
			    const char *note);
/* It could not install the route, and is asked again in a while. */
void relay_zebra_route_failed(const struct prefix *p);

/* The state of a relay changed. */
DECLARE_HOOK(relay_status_change,
	     (const struct relay *relay, enum relay_oper old), (relay, old));

/* There is one more; its first state is shutdown, and what it comes to follows. */
DECLARE_HOOK(relay_added, (const struct relay *relay), (relay));
/* `no relay`, and it has drained. */
DECLARE_HOOK(relay_removed, (const struct relay *relay), (relay));

#endif /* _RELAY_H */
