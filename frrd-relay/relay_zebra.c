// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <sys/un.h>

#include "jhash.h"
#include "log.h"
#include "monotime.h"
#include "nexthop.h"
#include "privs.h"
#include "typesafe.h"
#include "vrf.h"
#include "zclient.h"

#include "relay.h"
#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_zebra.h"
#include "relay_zebra_asked.h"
#include "relay_zebra_bfd.h"

DEFINE_MTYPE_STATIC(RELAYD, RELAY_WATCH, "Relay watched prefix");

DEFINE_HOOK(relay_zebra_reachable, (const struct prefix *p, bool reachable),
	    (p, reachable));
DEFINE_HOOK(relay_zebra_lost, (), ());

/*
 * libfrr waits 10 s, then 60 s, before it tries to reach zebra again; an
 * anycast route has to be back sooner than that.
 */
#define RELAY_ZEBRA_RETRY_MS 500

PREDECL_HASH(watch_hash);
struct watch {
	struct watch_hash_item item;
	struct prefix p;
	unsigned int refs;
	bool tracked; /* by zebra's nexthop tracking */
	bool known, reachable;
};

/*
 * Whether there is a default route. Zebra since 10.3 does not evaluate what is
 * tracked when the kernel's own default route goes: rib_process() leaves it to
 * rib_gc_dest(), which leaves default routes alone. It does tell those who
 * have default routes redistributed.
 */
static bool default_there[AFI_MAX];

static int watch_cmp(const struct watch *a, const struct watch *b)
{
	return prefix_cmp(&a->p, &b->p);
}

static uint32_t watch_key(const struct watch *w)
{
	return prefix_hash_key(&w->p);
}
DECLARE_HASH(watch_hash, struct watch, item, watch_cmp, watch_key);

static struct watch_hash_head watches[1] = {INIT_HASH(watches[0])};
static struct zclient *zclient;
static struct frr_loop *zloop;
static struct frr_event *t_session;
static bool session_up;

/* Zebra counts the age of a route in whole seconds. */
#define RELAY_ZEBRA_AGE_S 2
#define RELAY_ZEBRA_ANSWER_S 2
/* A planned stop does not wait for a route that flaps. */
#define RELAY_ZEBRA_WAITS_MAX 2

static time_t route_said; /* last word to zebra or from it on a route of ours */
static void (*keep_done)(bool kept);
static uint16_t keep_secs;
static unsigned int keep_waits;
static struct frr_event *t_keep;

/* ------------------------------------------------------------- session */

static void watch_send(const struct watch *w, int command)
{
	afi_t afi = family2afi(w->p.family);

	if (!session_up)
		return;
	/* first: what there is comes before the answer of nexthop tracking */
	if (is_default_prefix(&w->p))
		zebra_redistribute_default_send(
			command == ZEBRA_NEXTHOP_REGISTER
				? ZEBRA_REDISTRIBUTE_DEFAULT_ADD
				: ZEBRA_REDISTRIBUTE_DEFAULT_DELETE,
			zclient, afi, VRF_DEFAULT);
	if (zclient_send_rnh(zclient, command, &w->p, SAFI_UNICAST, false, true,
			     VRF_DEFAULT) == ZCLIENT_SEND_FAILURE)
		zlog_warn("zebra: could not ask for route %pFX", &w->p);
}

static void session_connected(struct zclient *zc)
{
	struct watch *w;

	zlog_info("zebra: session is up");
	compat_zclient_connected(zclient);
	session_up = true;
	frr_each (watch_hash, watches, w)
		watch_send(w, ZEBRA_NEXTHOP_REGISTER);
	relay_bfd_zebra(zclient);
	relay_zebra_session(true);
}

static void keep_finish(bool kept)
{
	void (*done)(bool) = keep_done;

	keep_done = NULL;
	EVENT_OFF(t_keep);
	if (done)
		done(kept);
}

static void session_lost(void)
{
	struct watch *w;

	zlog_warn("zebra: session is down");
	session_up = false;
	memset(default_there, 0, sizeof(default_there));
	relay_zebra_asked_forget();
	frr_each (watch_hash, watches, w)
		w->known = false;
	hook_call(relay_zebra_lost);
	relay_bfd_zebra(NULL);
	relay_zebra_session(false);
	keep_finish(false);
}

/* libfrr has no hook for a lost session; its socket tells. */
static void session_poll(struct frr_event *ev)
{
	if (zclient->sock < 0) {
		if (session_up)
			session_lost();
		EVENT_OFF(zclient->t_connect);
		zclient_start(zclient);
	}
	event_add_timer_msec(zloop, session_poll, NULL, RELAY_ZEBRA_RETRY_MS,
			     &t_session);
}

/* -------------------------------------------------------------- routes */

static int send_add(const struct relay_route_config *route, ifindex_t ifindex)
{
	/* 89 kB: kept off the stack */
	static struct zapi_route api;
	struct zapi_nexthop *nexthop = &api.nexthops[0];

	if (!session_up)
		return -ENOTCONN;

	memset(&api, 0, offsetof(struct zapi_route, nexthops));
	memset(nexthop, 0, sizeof(*nexthop));
	api.vrf_id = VRF_DEFAULT;
	api.type = RELAY_ROUTE_TYPE;
	api.safi = SAFI_UNICAST;
	api.prefix = route->prefix;
	SET_FLAG(api.message, ZAPI_MESSAGE_NEXTHOP);
	SET_FLAG(api.message, ZAPI_MESSAGE_DISTANCE);
	api.distance = route->distance;
	SET_FLAG(api.message, ZAPI_MESSAGE_METRIC);
	api.metric = route->metric;
	if (route->tag) {
		SET_FLAG(api.message, ZAPI_MESSAGE_TAG);
		api.tag = route->tag;
	}
	nexthop->vrf_id = VRF_DEFAULT;
	nexthop->type = NEXTHOP_TYPE_IFINDEX;
	nexthop->ifindex = ifindex;
	api.nexthop_num = 1;

	DEBUGD(&relay_dbg_zebra, "zebra: add %pFX ifindex %d distance %u metric %u tag %u",
	       &route->prefix, ifindex, route->distance, route->metric,
	       route->tag);
	route_said = monotime(NULL);
	if (zclient_route_send(ZEBRA_ROUTE_ADD, zclient, &api) ==
	    ZCLIENT_SEND_FAILURE)
		return -ENOTCONN;
	return 0;
}

int relay_zebra_route_add(const struct relay_route_config *route,
			  ifindex_t ifindex)
{
	int ret = send_add(route, ifindex);

	if (ret == 0)
		relay_zebra_asked(&route->prefix, route, ifindex);
	return ret;
}

static int send_delete(const struct prefix *p)
{
	static struct zapi_route api;

	if (!session_up)
		return -ENOTCONN;

	memset(&api, 0, offsetof(struct zapi_route, nexthops));
	api.nexthop_num = 0;
	api.vrf_id = VRF_DEFAULT;
	api.type = RELAY_ROUTE_TYPE;
	api.safi = SAFI_UNICAST;
	api.prefix = *p;

	DEBUGD(&relay_dbg_zebra, "zebra: delete %pFX", p);
	if (zclient_route_send(ZEBRA_ROUTE_DELETE, zclient, &api) ==
	    ZCLIENT_SEND_FAILURE)
		return -ENOTCONN;
	return 0;
}

int relay_zebra_route_delete(const struct prefix *p)
{
	int ret = send_delete(p);

	if (ret == 0)
		relay_zebra_asked(p, NULL, 0);
	return ret;
}

static void send_again(const struct prefix *p,
		       const struct relay_route_config *route,
		       ifindex_t ifindex)
{
	if (route)
		send_add(route, ifindex);
	else
		send_delete(p);
}

static int route_notify_owner(ZAPI_CALLBACK_ARGS)
{
	enum zapi_route_notify_owner note;
	struct prefix p;
	uint32_t table;
	safi_t safi;

	if (!zapi_route_notify_decode(zclient->ibuf, &p, &table, &note, NULL,
				      &safi))
		return -1;

	route_said = monotime(NULL);
	DEBUGD(&relay_dbg_zebra, "zebra: note %d for %pFX", note, &p);
	switch (note) {
	case ZAPI_ROUTE_INSTALLED:
		relay_zebra_answered(&p, true);
		relay_zebra_route_note(&p, true, NULL);
		break;
	case ZAPI_ROUTE_REMOVED:
		relay_zebra_answered(&p, false);
		relay_zebra_route_note(&p, false, NULL);
		break;
	case ZAPI_ROUTE_FAIL_INSTALL:
		relay_zebra_refused(&p);
		zlog_warn("zebra: route %pFX could not be installed", &p);
		relay_zebra_route_note(&p, false, "zebra could not install it");
		break;
	case ZAPI_ROUTE_BETTER_ADMIN_WON:
		relay_zebra_answered(&p, true);
		zlog_warn("zebra: route %pFX is overridden by a better one",
			  &p);
		relay_zebra_route_note(&p, false,
				       "a better route has won");
		break;
	case ZAPI_ROUTE_REMOVE_FAIL:
		relay_zebra_answered(&p, false);
		zlog_warn("zebra: route %pFX could not be removed", &p);
		relay_zebra_route_note(&p, true, "zebra could not remove it");
		break;
	}
	return 0;
}

/* ----------------------------------------------- routes without a relayd */

static int capability_send(enum zserv_client_capabilities what, uint16_t secs)
{
	struct zapi_cap cap = {
		.cap = what,
		.stale_removal_time = secs,
		.vrf_id = VRF_DEFAULT,
	};

	if (!session_up ||
	    zclient_capabilities_send(ZEBRA_CLIENT_CAPABILITIES, zclient,
				      &cap) == ZCLIENT_SEND_FAILURE)
		return -ENOTCONN;
	return 0;
}

static void keep_unanswered(struct frr_event *ev)
{
	keep_finish(false);
}

/*
 * Zebra throws away what it has not processed when a session ends, so an answer
 * is waited for: to a question that it answers in turn.
 */
static void keep_ask(struct frr_event *ev)
{
	time_t age = monotime(NULL) - route_said;

	/* What is as old as the end of the session counts as brought anew, and
	 * would stay for good if relayd did not come back. */
	if (age < RELAY_ZEBRA_AGE_S && keep_waits++ < RELAY_ZEBRA_WAITS_MAX) {
		event_add_timer(zloop, keep_ask, NULL, RELAY_ZEBRA_AGE_S - age,
				&t_keep);
		return;
	}
	if (capability_send(ZEBRA_CLIENT_GR_CAPABILITIES, keep_secs) < 0 ||
	    zclient_send_router_id_update(zclient, ZEBRA_ROUTER_ID_ADD, AFI_IP,
					  VRF_DEFAULT) == ZCLIENT_SEND_FAILURE) {
		keep_finish(false);
		return;
	}
	event_add_timer(zloop, keep_unanswered, NULL, RELAY_ZEBRA_ANSWER_S,
			&t_keep);
}

static int router_id_update(ZAPI_CALLBACK_ARGS)
{
	keep_finish(true);
	return 0;
}

void relay_zebra_keep(uint16_t secs, void (*done)(bool kept))
{
	keep_done = done;
	keep_secs = secs;
	keep_waits = 0;
	event_add_timer(zloop, keep_ask, NULL, 0, &t_keep);
}

int relay_zebra_keep_end(void)
{
	return capability_send(ZEBRA_CLIENT_GR_DISABLE, 0);
}

/* -------------------------------------------------------------- watches */

static struct watch *watch_find(const struct prefix *p)
{
	struct watch ref = {};

	prefix_copy(&ref.p, p);
	return watch_hash_find(watches, &ref);
}

static void watch_report(struct watch *w)
{
	bool reachable = w->tracked;

	if (is_default_prefix(&w->p))
		reachable = reachable && default_there[family2afi(w->p.family)];
	if (w->known && w->reachable == reachable)
		return;
	w->known = true;
	w->reachable = reachable;
	hook_call(relay_zebra_reachable, &w->p, reachable);
}

static void nexthop_update(const struct prefix *p,
			   const struct zapi_route *nhr)
{
	struct watch *w = watch_find(p);

	if (!w)
		return;

	/*
	 * Zebra answers with the longest match. Only the prefix itself counts,
	 * and never a route that relayd has put there.
	 */
	w->tracked = nhr->nexthop_num > 0 && prefix_same(&nhr->prefix, &w->p) &&
		     !(nhr->type == RELAY_ROUTE_TYPE && nhr->instance == 0);
	DEBUGD(&relay_dbg_zebra, "zebra: watched %pFX %s (match %pFX)", &w->p,
	       w->tracked ? "reachable" : "unreachable", &nhr->prefix);
	watch_report(w);
}

static int default_update(ZAPI_CALLBACK_ARGS)
{
	/* 89 kB: kept off the stack */
	static struct zapi_route route;
	struct watch *w;
	bool there = cmd == ZEBRA_REDISTRIBUTE_ROUTE_ADD;

	if (zapi_route_decode(zclient->ibuf, &route) < 0) {
		zlog_warn("zebra: unreadable default route");
		return -1;
	}
	if (vrf_id != VRF_DEFAULT || !is_default_prefix(&route.prefix) ||
	    (CHECK_FLAG(route.message, ZAPI_MESSAGE_SRCPFX) &&
	     route.src_prefix.prefixlen))
		return 0;
	DEBUGD(&relay_dbg_zebra, "zebra: default route %pFX %s", &route.prefix,
	       there ? "there" : "gone");
	default_there[family2afi(route.prefix.family)] = there;
	w = watch_find(&route.prefix);
	/* nexthop tracking has yet to answer */
	if (w && w->known)
		watch_report(w);
	return 0;
}

void relay_zebra_watch(const struct prefix *p)
{
	struct watch *w = watch_find(p);

	if (w) {
		w->refs++;
		if (w->known)
			hook_call(relay_zebra_reachable, &w->p, w->reachable);
		return;
	}
	w = XCALLOC(MTYPE_RELAY_WATCH, sizeof(*w));
	prefix_copy(&w->p, p);
	w->refs = 1;
	watch_hash_add(watches, w);
	watch_send(w, ZEBRA_NEXTHOP_REGISTER);
}

void relay_zebra_unwatch(const struct prefix *p)
{
	struct watch *w = watch_find(p);

	if (!w || --w->refs)
		return;
	watch_send(w, ZEBRA_NEXTHOP_UNREGISTER);
	if (is_default_prefix(p))
		default_there[family2afi(p->family)] = false;
	watch_hash_del(watches, w);
	XFREE(MTYPE_RELAY_WATCH, w);
}

/* ----------------------------------------------------------- start, stop */

static bool vty_answers(const char *vty_dir, const char *daemon)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	bool answers;
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s.vty", vty_dir,
		 daemon);
	answers = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ||
		  errno == EAGAIN;
	close(fd);
	return answers;
}

bool relay_zebra_type_taken(const char *vty_dir, char *err, size_t len)
{
	if (vty_answers(vty_dir, "fabricd")) {
		snprintf(err, len,
			 "fabricd runs on this router and owns the route type that relayd uses (openfabric); stop fabricd first");
		return true;
	}
	if (vty_answers(vty_dir, "relayd")) {
		snprintf(err, len, "another relayd runs already (%s/relayd.vty)",
			 vty_dir);
		return true;
	}
	return false;
}

bool relay_zebra_connected(void)
{
	return session_up;
}

static zclient_handler *const handlers[] = {
	[ZEBRA_ROUTE_NOTIFY_OWNER] = route_notify_owner,
	[ZEBRA_NEXTHOP_UPDATE] = compat_nexthop_update,
	[ZEBRA_REDISTRIBUTE_ROUTE_ADD] = default_update,
	[ZEBRA_REDISTRIBUTE_ROUTE_DEL] = default_update,
	[ZEBRA_INTERFACE_BFD_DEST_UPDATE] = relay_bfd_update,
	[ZEBRA_BFD_DEST_REPLAY] = relay_bfd_replay,
	[ZEBRA_ROUTER_ID_UPDATE] = router_id_update,
};

void relay_zebra_init(struct frr_loop *loop, struct zebra_privs_t *privs,
		      const char *vty_dir)
{
	zloop = loop;
	zclient = compat_zclient_new(loop, handlers, array_size(handlers),
				     nexthop_update);
	zclient_init(zclient, RELAY_ROUTE_TYPE, 0, privs);
	zclient->zebra_connected = session_connected;
	relay_zebra_asked_init(loop, send_again);
	relay_bfd_init(loop, vty_dir);
	event_add_timer_msec(zloop, session_poll, NULL, RELAY_ZEBRA_RETRY_MS,
			     &t_session);
}

void relay_zebra_stop(void)
{
	struct watch *w;

	EVENT_OFF(t_session);
	EVENT_OFF(t_keep);
	session_up = false;
	relay_zebra_asked_forget();
	relay_bfd_stop();
	zclient_stop(zclient);
	zclient_free(zclient);
	zclient = NULL;
	while ((w = watch_hash_pop(watches)))
		XFREE(MTYPE_RELAY_WATCH, w);
}
