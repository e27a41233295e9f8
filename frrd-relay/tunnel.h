// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The datapath floor: kernel interfaces that relayd creates, checks, repairs,
 * adopts and removes. Nothing here knows what a vty, a YANG node or zebra is;
 * nothing above here speaks netlink.
 */
#ifndef _RELAY_TUNNEL_H
#define _RELAY_TUNNEL_H

#include <zebra.h>

#include "hook.h"
#include "typesafe.h"
#include "prefix.h"
#include "if.h"
#include "compat.h"
#include "filter.h"

struct tunnel;
struct tunnel_ops;

enum tunnel_direction {
	TUNNEL_DIR_BOTH,
	TUNNEL_DIR_RECEIVE,  /* 4->6 only */
	TUNNEL_DIR_TRANSMIT, /* 6->4 only */
};

/* The two ways through a relay, each attracted by a prefix of its own. */
enum tunnel_way {
	TUNNEL_WAY_4TO6, /* decapsulation, RFC 3056 section 5.3 */
	TUNNEL_WAY_6TO4, /* encapsulation */
};
#define TUNNEL_WAYS 2

/* How a way is gone: a kind may have both, and then both have to work. */
enum tunnel_path {
	TUNNEL_PATH_STACK,
	TUNNEL_PATH_FAST, /* eBPF */
};

/* What a check says; `pending` = not known yet, `off` = not asked for. */
enum tunnel_check {
	TUNNEL_CHECK_PENDING,
	TUNNEL_CHECK_OK,
	TUNNEL_CHECK_FAILED,
	TUNNEL_CHECK_OFF,
};

/* What the configuration asks for; the values are those of the YANG module. */
enum tunnel_datapath {
	TUNNEL_DATAPATH_AUTO,
	TUNNEL_DATAPATH_SIT,
	TUNNEL_DATAPATH_EBPF,
	TUNNEL_DATAPATH_XDP,
	TUNNEL_DATAPATH_USERSPACE,
};

/* Parameters of one tunnel, all decided by the configuration. */
struct tunnel_params {
	char owner[IFNAMSIZ];  /* relay's name; marks what is ours */
	char ifname[IFNAMSIZ]; /* kernel interface to create */
	struct in_addr source;
	struct in_addr transmit_source; /* equals source when not configured */
	enum tunnel_direction direction;
	uint8_t ttl;
	uint32_t mtu; /* inner MTU, octets */
	struct prefix_ipv6 *addrs;
	size_t naddrs;
	bool self_test;
	enum tunnel_datapath datapath;
	bool filter_bogons;
	struct filter_rule *filters; /* the operator's lines, not normalized */
	size_t nfilters;
	/* Teredo (RFC 4380); 0 for other kinds */
	uint16_t udp_port;  /* the service port */
	uint32_t peers_max; /* bound of the peer table */
	/* interfaces whose ingress takes the fast way; none: all */
	char (*uplinks)[IFNAMSIZ];
	size_t nuplinks;
};

#define TUNNEL_DETAIL_LEN 160

/*
 * State of one tunnel as last seen. Owned by the tunnel; read only for the
 * relay. A check that fails has one clear line in `detail` that names the cause
 * (interface, sysctl, errno text).
 */
struct tunnel_status {
	const char *datapath; /* "sit", ...; what runs, "none" if nothing */
	ifindex_t ifindex;    /* 0 while the interface does not exist */
	bool datapath_error; /* can't be created or repaired: detail says why */
	enum tunnel_check interface; /* exists, ours, parameters as set */
	bool interface_down; /* refines a failed `interface` check: it exists,
				but is not up */
	enum tunnel_check source;
	enum tunnel_check forwarding;
	/* Teredo: the UDP socket, the engine's thread */
	enum tunnel_check socket, engine;
	/* of each way; `off` also where `tunnel direction` leaves it out */
	enum tunnel_check self_test[TUNNEL_WAYS];
	/* one way that fails fails the other: both stand on the same */
	bool both_ways;
	char detail[TUNNEL_DETAIL_LEN];
	/* where the probes of a failed self-test get lost */
	char self_test_detail[TUNNEL_WAYS][TUNNEL_DETAIL_LEN];
	/* something that works less well than configured, "" when none */
	char note[TUNNEL_DETAIL_LEN];
	/* Teredo: NULL, or TUNNEL_OVERLOAD_... */
	const char *overload;
	/* as of the last check; that they change is no news */
	uint32_t peers, peers_trusted, peers_max;
};

#define TUNNEL_OVERLOAD_TABLE "table-full"
#define TUNNEL_OVERLOAD_RATE  "new-peer-limit"

struct tunnel_drop {
	const char *reason;
	uint64_t packets;
};

/* ICMPv4 errors about what the tunnel has sent, see tunnel_icmp.h. */
struct tunnel_icmp_errors {
	uint64_t translated;   /* sent on as ICMPv6 errors */
	uint64_t rate_limited; /* would have been, but for their number */
	uint64_t ignored;      /* nobody is to be told, see icmp_error.h */
};

#define TUNNEL_DROPS_MAX 48
struct tunnel_counters {
	uint64_t rx_packets, rx_bytes; /* 4->6, inner packets that came out */
	uint64_t tx_packets, tx_bytes; /* 6->4 */
	struct tunnel_drop drops[TUNNEL_DROPS_MAX];
	size_t ndrops;
	struct tunnel_icmp_errors icmp_errors;
};

/*
 * One kind of datapath. Every operation returns 0 or -errno; on error
 * tunnel->status says the cause. All run on the main thread and never block on
 * the network.
 */
struct tunnel_ops {
	const char *name;
	/* IFLA_INFO_KIND of the devices that create may make */
	const char *kinds[2];
	/* bring kernel objects to what params say; adopt what a former run of
	 * relayd left; idempotent */
	int (*create)(struct tunnel *tun);
	/* compare kernel to params, fill status.{interface,source,forwarding}
	 */
	int (*check)(struct tunnel *tun);
	/* put right what check found changed by someone else; logs it */
	int (*repair)(struct tunnel *tun);
	/* take away all that create made, and nothing else */
	int (*remove)(struct tunnel *tun);
	/* relayd ends, the kernel's objects stay: frees priv; may be NULL */
	void (*leave)(struct tunnel *tun);
	/* send one in-band probe one way (see selftest.h), on each path of
	 * st[way].waiting, which is the stack's unless this sets others; its
	 * coming out is reported through selftest_seen(). On error
	 * st[way].why may say why. */
	int (*self_test)(struct tunnel *tun, enum tunnel_way way, uint32_t seq);
	/* losses probes in a row have not come out: at 1 remembers what there
	 * is to compare with, from 2 on may say in st[way].detail where they
	 * got lost since; may be NULL */
	void (*self_test_lost)(struct tunnel *tun, enum tunnel_way way,
			       unsigned int losses);
	int (*counters)(struct tunnel *tun, struct tunnel_counters *out);
};

/* What a check found that needs putting right. */
enum tunnel_repair {
	TUNNEL_REPAIR_NONE,
	TUNNEL_REPAIR_NOW, /* harms no traffic: at once, without a failed check
			    */
	TUNNEL_REPAIR_LATER, /* a failure: reported now, put right a second
				later */
};

/* The self-test of one way through one tunnel. */
struct tunnel_self_test {
	unsigned int waiting; /* 1 << path: the last probe has not come out */
	int error;		     /* of sending it */
	char why[TUNNEL_DETAIL_LEN]; /* the error in words, "" = errno's */
	unsigned int lost;	     /* consecutive losses */
	unsigned int vanished;	     /* those in a row that were sent */
	uint64_t sent, seen;
	uint64_t stack_seen; /* probes, late ones too: the device counts them */
	ifindex_t uplink; /* that the last probe was to leave by; 0: none */
	bool by_uplink;	  /* one has come out there since the last reset */
	char detail[TUNNEL_DETAIL_LEN];
	const char *cause; /* what the datapath said of the last probe */
};

PREDECL_DLIST(tunnels);

#define TUNNEL_KEEP_MAX 32

struct tunnel {
	struct tunnels_item item;
	const struct tunnel_ops *ops;
	struct tunnel_params params;
	struct tunnel_status status;
	bool started;
	bool created; /* create has succeeded and remove was not called */
	bool adopted; /* what create found was a former run's */
	int retry_s;  /* seconds until a create or repair is tried again */
	enum tunnel_repair repair; /* set by ops->check */
	/* repairs at once in the second that began at repairs_since */
	unsigned int repairs;
	int64_t repairs_since;
	void *priv; /* the kind's own state */
	struct tunnel_icmp_errors icmp_errors;
	/* called (main thread, from an event, never re-entrantly from an
	 * operation) whenever `status` changed */
	void (*changed)(struct tunnel *tun, void *arg);
	void *arg;
	struct frr_event *t_retry;
	struct frr_event *t_notify;
	/* tunnel_keep.c's own */
	bool keep_called;
	struct prefix_ipv6 keep[TUNNEL_KEEP_MAX];
	size_t nkeep;
	ifindex_t keep_ifindex; /* where their routes point to */
	uint32_t keep_downs;	/* kern_link.downs when they were put there */
	struct tunnel_status notified;
	bool told; /* `notified` is what the owner has seen last */
	/* self-test bookkeeping, selftest.c's own */
	uint16_t st_id; /* unique among tunnels, not 0 */
	uint32_t st_seq;
	bool st_probing;
	int64_t st_probed_us; /* monotonic; the last probe */
	struct tunnel_self_test st[TUNNEL_WAYS];
	struct frr_event *t_self_test, *t_self_test_judge;
	struct selftest_teredo *st_teredo; /* selftest_teredo.c's own */
};

/*
 * tunnel_init(): waits for the lock (tunnel_lock.h), opens netlink sockets,
 * reads the journal of a former run (FILE under vty_dir) and starts the link
 * monitor. privs: relayd's privileges, raised only around calls that need them.
 * Returns 0 or -errno.
 */
struct zebra_privs_t;
int tunnel_init(struct frr_loop *loop, struct zebra_privs_t *privs,
		const char *vty_dir);
/* What tunnel_init() could not do, for a message. */
const char *tunnel_init_failed(void);
/*
 * Called once after the configuration has been read: whatever the journal names
 * and no tunnel has adopted is taken away.
 */
void tunnel_sweep(void);
/* Returns how much is left in the kernel and on file, for the next run. */
size_t tunnel_fini(void);

/* In a forked process whose descriptors of relayd's are closed: lets go of all
 * that tunnel_init() and the tunnels have made, without a word to the kernel. */
void tunnel_forget(void);
/* In that process, with a loop of its own and the lock taken: undoes all that
 * is on file. Returns how much could not be undone. */
size_t tunnel_undo(struct frr_loop *loop, const char *vty_dir);

/*
 * tunnel_new() copies params. Nothing is touched in the kernel until
 * tunnel_start(). A start that fails is retried by the tunnel itself each
 * second; status says why it failed.
 */
struct tunnel *tunnel_new(const struct tunnel_ops *ops,
			  const struct tunnel_params *params,
			  void (*changed)(struct tunnel *, void *), void *arg);
void tunnel_start(struct tunnel *tun);
/*
 * Applies new params. Changes what can be changed in place (ttl, mtu,
 * addresses, direction, transmit source, self_test, filters, uplinks) and
 * re-creates the interface otherwise.
 */
void tunnel_update(struct tunnel *tun, const struct tunnel_params *params);
/*
 * Forwards what comes for these n prefixes into the tunnel, with zebra's routes
 * or without them: the whole set, which replaces the one before. Only IPv6 ones
 * count, IPv4 packets come to an address. The routes outlive relayd.
 */
void tunnel_keep(struct tunnel *tun, const struct prefix *p, size_t n);
/* This run or a former one keeps it on the tunnel's interface. */
bool tunnel_kept(const struct tunnel *tun, const struct prefix *p);
/* Removes kernel objects now, frees the tunnel. */
void tunnel_delete(struct tunnel **tun);

/*
 * The peers of a Teredo tunnel, see teredo_relay.h; other kinds have none. The
 * next n at most behind *cursor, 0 to begin with: how many, 0 at the end.
 * -EBUSY: the engine does not answer.
 */
struct teredo_peer_info;
struct teredo_relay_stats;
int tunnel_peers_next(struct tunnel *tun, uint32_t *cursor,
		      struct teredo_peer_info *out, size_t n);
/* -ENOENT: no such peer */
int tunnel_peers_find(struct tunnel *tun, const struct in6_addr *addr,
		      struct teredo_peer_info *out);
int tunnel_peers_clear(struct tunnel *tun);
/* -ENOENT: no Teredo tunnel */
int tunnel_peers_stats(struct tunnel *tun, struct teredo_relay_stats *out);

/* An interface of that name exists in the kernel and is not one of ours. */
bool tunnel_ifname_foreign(const char *ifname);

const char *tunnel_check_str(enum tunnel_check check);
/* "4to6", "6to4" */
const char *tunnel_way_str(enum tunnel_way way);
/* Whether `tunnel direction` has this way. */
bool tunnel_has_way(enum tunnel_direction direction, enum tunnel_way way);

extern const struct tunnel_ops tunnel_sit_ops;
extern const struct tunnel_ops tunnel_teredo_ops;

/* ---- links as the kernel has them, for track interface and others ---- */

struct tunnel_link {
	char name[IFNAMSIZ];
	ifindex_t ifindex;
	bool up;	/* IFF_UP */
	bool operative; /* IFF_UP and IFF_RUNNING/LOWER_UP, operstate up or
			   unknown */
};

/* NULL when no such interface. Valid until the next event. */
const struct tunnel_link *tunnel_link_lookup(const char *ifname);
/* "" when no such interface. */
const char *tunnel_link_name(ifindex_t ifindex);
/* A link appeared, changed or went; link->ifindex is 0 when it went. */
DECLARE_HOOK(tunnel_link_change, (const struct tunnel_link *link), (link));

#endif /* _RELAY_TUNNEL_H */
