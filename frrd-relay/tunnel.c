// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Life of a tunnel, whatever its kind: start and retry, checks, repair, and
 * the news about it.
 *
 * A check runs at once when the kernel reports a change, and once a second. It
 * costs no system call. What it finds wrong is reported first and put right
 * with the next second's check, so that routes go before the repair begins;
 * only what harms no traffic is put right on the spot.
 */
#include <zebra.h>

#include "debug.h"
#include "log.h"
#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_time.h"
#include "selftest.h"
#include "selftest_6to4.h"
#include "tunnel_attach.h"
#include "tunnel_bpf.h"
#include "tunnel_icmp.h"
#include "tunnel_journal.h"
#include "tunnel_kernel.h"
#include "tunnel_lock.h"

DEFINE_MTYPE_STATIC(RELAYD, TUNNEL, "Relay tunnel");
DEFINE_MTYPE_STATIC(RELAYD, TUNNEL_LIST, "Relay tunnel parameters");

DECLARE_DLIST(tunnels, struct tunnel, item);

struct frr_loop *tunnel_loop;
struct zebra_privs_t *tunnel_privs;

static struct tunnels_head tunnels[1] = {INIT_DLIST(tunnels[0])};
static struct frr_event *t_tick, *t_transit;
static unsigned int ticks;
static bool routes_scanned;
/* until tunnel_init(), and for good with -C, nothing touches the kernel */
static int init_error = -ENOTCONN;
static const char *init_what = "";

#define CHECK_INTERVAL_S 1
#define RETRY_S 1
#define TRANSIT_DELAY_MS 20
#define ROUTE_SCAN_TICKS 5
#define REPAIR_INTERVAL_US 1000000
#define REPAIRS_MAX 5
/* What the kernel does not know it will hardly learn within a second. */
#define UNSUPPORTED_RETRY_S 10

const char *tunnel_check_str(enum tunnel_check check)
{
	switch (check) {
	case TUNNEL_CHECK_PENDING:
		return "pending";
	case TUNNEL_CHECK_OK:
		return "ok";
	case TUNNEL_CHECK_FAILED:
		return "failed";
	case TUNNEL_CHECK_OFF:
		return "off";
	}
	return "unknown";
}

const char *tunnel_way_str(enum tunnel_way way)
{
	return way == TUNNEL_WAY_4TO6 ? "4to6" : "6to4";
}

bool tunnel_has_way(enum tunnel_direction direction, enum tunnel_way way)
{
	switch (direction) {
	case TUNNEL_DIR_BOTH:
		return true;
	case TUNNEL_DIR_RECEIVE:
		return way == TUNNEL_WAY_4TO6;
	case TUNNEL_DIR_TRANSMIT:
		return way == TUNNEL_WAY_6TO4;
	}
	return false;
}

int tunnel_fail(struct tunnel *tun, int err, const char *fmt, ...)
{
	char *detail = tun->status.detail;
	va_list ap;

	va_start(ap, fmt);
	vsnprintfrr(detail, TUNNEL_DETAIL_LEN, fmt, ap);
	va_end(ap);
	strlcat(detail, ": ", TUNNEL_DETAIL_LEN);
	strlcat(detail, safe_strerror(-err), TUNNEL_DETAIL_LEN);
	if (kern_error_text()[0]) {
		strlcat(detail, " (", TUNNEL_DETAIL_LEN);
		strlcat(detail, kern_error_text(), TUNNEL_DETAIL_LEN);
		strlcat(detail, ")", TUNNEL_DETAIL_LEN);
	}
	return err;
}

struct tunnel *tunnel_next(struct tunnel *tun)
{
	return tun ? tunnels_next(tunnels, tun) : tunnels_first(tunnels);
}

/* -------- news -------- */

static bool status_same(const struct tunnel_status *a,
			const struct tunnel_status *b)
{
	return a->datapath == b->datapath && a->ifindex == b->ifindex &&
	       a->datapath_error == b->datapath_error &&
	       a->interface == b->interface &&
	       a->interface_down == b->interface_down &&
	       a->source == b->source && a->forwarding == b->forwarding &&
	       a->socket == b->socket && a->engine == b->engine &&
	       memcmp(a->self_test, b->self_test, sizeof(a->self_test)) == 0 &&
	       strcmp(a->self_test_detail[TUNNEL_WAY_4TO6],
		      b->self_test_detail[TUNNEL_WAY_4TO6]) == 0 &&
	       strcmp(a->self_test_detail[TUNNEL_WAY_6TO4],
		      b->self_test_detail[TUNNEL_WAY_6TO4]) == 0 &&
	       strcmp(a->detail, b->detail) == 0 &&
	       strcmp(a->note, b->note) == 0 &&
	       a->both_ways == b->both_ways &&
	       strcmp(a->overload ? a->overload : "",
		      b->overload ? b->overload : "") == 0;
}

static void warn_news(const struct tunnel *tun, const char *now,
		      const char *before)
{
	if (now[0] && strcmp(now, before) != 0)
		zlog_warn("relay %s: %s", tun->params.owner, now);
}

static void tunnel_tell(struct frr_event *ev)
{
	struct tunnel *tun = EVENT_ARG(ev);

	if (tun->told && status_same(&tun->status, &tun->notified))
		return;
	tun->told = true;
	warn_news(tun, tun->status.detail, tun->notified.detail);
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		warn_news(tun, tun->status.self_test_detail[way],
			  tun->notified.self_test_detail[way]);
	warn_news(tun, tun->status.note, tun->notified.note);
	DEBUGD(&relay_dbg_tunnel,
	       "relay %s: ifindex %d interface %s%s source %s forwarding %s self-test 4to6 %s 6to4 %s",
	       tun->params.owner, tun->status.ifindex,
	       tunnel_check_str(tun->status.interface),
	       tun->status.interface_down ? " (down)" : "",
	       tunnel_check_str(tun->status.source),
	       tunnel_check_str(tun->status.forwarding),
	       tunnel_check_str(tun->status.self_test[TUNNEL_WAY_4TO6]),
	       tunnel_check_str(tun->status.self_test[TUNNEL_WAY_6TO4]));
	tun->notified = tun->status;
	if (tun->changed)
		tun->changed(tun, tun->arg);
}

void tunnel_notify(struct tunnel *tun)
{
	if (!tun->told || !status_same(&tun->status, &tun->notified))
		event_add_event(tunnel_loop, tunnel_tell, tun, 0,
				&tun->t_notify);
}

/* -------- checks -------- */

static void tunnel_create(struct tunnel *tun)
{
	struct tunnel_status *st = &tun->status;
	int ret;

	st->detail[0] = '\0';
	ret = tun->ops->create(tun);
	if (ret < 0) {
		tun->created = false;
		tun->retry_s =
			ret == -EOPNOTSUPP ? UNSUPPORTED_RETRY_S : RETRY_S;
		st->ifindex = 0;
		st->datapath = "none";
		st->datapath_error = true;
		st->interface = TUNNEL_CHECK_FAILED;
		return;
	}
	tun->created = true;
	tun->retry_s = RETRY_S;
	st->datapath_error = false;
}

static void tunnel_repair(struct tunnel *tun)
{
	int64_t now = relay_now_us();

	if (now - tun->repairs_since > REPAIR_INTERVAL_US) {
		tun->repairs_since = now;
		tun->repairs = 0;
	}
	tun->repairs++;
	if (tun->status.detail[0])
		zlog_warn("relay %s: putting right: %s", tun->params.owner,
			  tun->status.detail);
	tun->status.datapath_error = tun->ops->repair(tun) < 0;
	if (tun->status.datapath_error)
		tun->status.interface = TUNNEL_CHECK_FAILED;
	else
		tun->ops->check(tun);
}

static bool repair_at_once(const struct tunnel *tun)
{
	/* someone who undoes each repair gets a few a second, no more */
	return tun->repair == TUNNEL_REPAIR_NOW &&
	       (tun->repairs < REPAIRS_MAX ||
		relay_now_us() - tun->repairs_since > REPAIR_INTERVAL_US);
}

static void tunnel_run(struct tunnel *tun, bool retry);

static void tunnel_retry(struct frr_event *ev)
{
	tunnel_run(EVENT_ARG(ev), true);
}

/* retry: a second has passed since something was found wrong */
static void tunnel_run(struct tunnel *tun, bool retry)
{
	if (!tun->created && retry)
		tunnel_create(tun);
	if (tun->created) {
		tun->repair = TUNNEL_REPAIR_NONE;
		tun->ops->check(tun);
		if (repair_at_once(tun) ||
		    (retry && tun->repair != TUNNEL_REPAIR_NONE))
			tunnel_repair(tun);
		else if (tun->repair == TUNNEL_REPAIR_NONE)
			tun->status.datapath_error = false;
	}
	/* a failure has its whole second before the repair; a timer that runs
	 * already goes on */
	if (!tun->created || tun->repair != TUNNEL_REPAIR_NONE)
		event_add_timer(tunnel_loop, tunnel_retry, tun, tun->retry_s,
				&tun->t_retry);
	else
		EVENT_OFF(tun->t_retry);
	tunnel_keep_check(tun);
	selftest_update(tun);
	tunnel_notify(tun);
}

bool tunnel_any_created(void)
{
	struct tunnel *tun;

	frr_each (tunnels, tunnels, tun)
		if (tun->created)
			return true;
	return false;
}

static void tunnel_check_all(void)
{
	struct tunnel *tun;

	tunnel_bpf_check();

	frr_each (tunnels, tunnels, tun)
		if (tun->started)
			tunnel_run(tun, false);
}

static void transit_due(struct frr_event *ev)
{
	tunnel_transit_update(tunnel_any_created());
}

/* Many links that change at once cost one look at them. */
static void transit_soon(void)
{
	event_add_timer_msec(tunnel_loop, transit_due, NULL, TRANSIT_DELAY_MS,
			     &t_transit);
}

void tunnel_monitor_changed(void)
{
	if (tunnel_any_created())
		transit_soon();
	tunnel_check_all();
}

void tunnel_nft_changed(void)
{
	tunnel_check_all();
}

static void tunnel_tick(struct frr_event *ev)
{
	event_add_timer(tunnel_loop, tunnel_tick, NULL, CHECK_INTERVAL_S,
			&t_tick);
	if (ticks++ % ROUTE_SCAN_TICKS == 0 && tunnel_any_created()) {
		tunnel_route_scan();
		routes_scanned = true;
		tunnel_transit_update(true);
	}
	tunnel_check_all();
}

/* -------- life -------- */

static void *list_copy(const void *from, size_t n, size_t size)
{
	void *list = NULL;

	if (n) {
		list = XMALLOC(MTYPE_TUNNEL_LIST, n * size);
		memcpy(list, from, n * size);
	}
	return list;
}

static void params_free(struct tunnel_params *params)
{
	XFREE(MTYPE_TUNNEL_LIST, params->addrs);
	XFREE(MTYPE_TUNNEL_LIST, params->filters);
	XFREE(MTYPE_TUNNEL_LIST, params->uplinks);
}

static void params_copy(struct tunnel_params *to,
			const struct tunnel_params *from)
{
	params_free(to);
	*to = *from;
	to->addrs = list_copy(from->addrs, from->naddrs, sizeof(*from->addrs));
	to->filters = list_copy(from->filters, from->nfilters,
				sizeof(*from->filters));
	to->uplinks = list_copy(from->uplinks, from->nuplinks,
				sizeof(*from->uplinks));
}

struct tunnel *tunnel_new(const struct tunnel_ops *ops,
			  const struct tunnel_params *params,
			  void (*changed)(struct tunnel *, void *), void *arg)
{
	struct tunnel *tun = XCALLOC(MTYPE_TUNNEL, sizeof(*tun));

	tun->ops = ops;
	tun->changed = changed;
	tun->arg = arg;
	tun->status.datapath = "none";
	params_copy(&tun->params, params);
	selftest_register(tun);
	tun->notified = tun->status;
	tunnels_add_tail(tunnels, tun);
	return tun;
}

void tunnel_start(struct tunnel *tun)
{
	if (!tunnel_loop)
		return;
	tun->started = true;
	if (init_error < 0) {
		tunnel_fail(tun, init_error, "netlink can't be used");
		tun->status.datapath_error = true;
		tun->status.interface = TUNNEL_CHECK_FAILED;
		tunnel_notify(tun);
		return;
	}
	if (!routes_scanned)
		tunnel_route_scan();
	routes_scanned = true;
	tunnel_run(tun, true);
	transit_soon();
}

static bool list_same(const void *a, size_t na, const void *b, size_t nb,
		      size_t size)
{
	return na == nb && (na == 0 || memcmp(a, b, na * size) == 0);
}

static bool params_same(const struct tunnel_params *a,
			const struct tunnel_params *b)
{
	return strcmp(a->owner, b->owner) == 0 &&
	       strcmp(a->ifname, b->ifname) == 0 &&
	       a->source.s_addr == b->source.s_addr &&
	       a->transmit_source.s_addr == b->transmit_source.s_addr &&
	       a->direction == b->direction && a->ttl == b->ttl &&
	       a->mtu == b->mtu && a->self_test == b->self_test &&
	       a->datapath == b->datapath &&
	       a->filter_bogons == b->filter_bogons &&
	       a->udp_port == b->udp_port && a->peers_max == b->peers_max &&
	       list_same(a->addrs, a->naddrs, b->addrs, b->naddrs,
			 sizeof(*a->addrs)) &&
	       list_same(a->filters, a->nfilters, b->filters, b->nfilters,
			 sizeof(*a->filters)) &&
	       list_same(a->uplinks, a->nuplinks, b->uplinks, b->nuplinks,
			 sizeof(*a->uplinks));
}

void tunnel_update(struct tunnel *tun, const struct tunnel_params *params)
{
	bool anew = strcmp(params->owner, tun->params.owner) != 0 ||
		    strcmp(params->ifname, tun->params.ifname) != 0;
	bool proven = !anew &&
		      params->source.s_addr == tun->params.source.s_addr &&
		      tun->created;
	bool asked = params->self_test && !tun->params.self_test;

	if (params_same(&tun->params, params))
		return;
	if (anew && tun->started && init_error == 0) {
		tunnel_keep(tun, NULL, 0);
		tun->ops->remove(tun);
		tun->created = false;
	}
	params_copy(&tun->params, params);
	/* A test that is asked for on a relay that serves does not withdraw
	 * first. */
	if (proven && asked)
		selftest_presume(tun);
	if (!tun->started || init_error < 0)
		return;
	/* The owner looks at the status right after this: what it sees may be
	 * over, and as it was before, when it is told the next time. */
	tun->told = false;
	tun->repair = TUNNEL_REPAIR_NONE;
	if (!proven)
		selftest_reset(tun);
	EVENT_OFF(tun->t_retry);
	/* create is idempotent: it brings about what differs */
	tunnel_create(tun);
	tunnel_run(tun, false);
	transit_soon();
}

void tunnel_delete(struct tunnel **tunp)
{
	struct tunnel *tun = *tunp;

	if (!tun)
		return;
	*tunp = NULL;
	EVENT_OFF(tun->t_retry);
	EVENT_OFF(tun->t_notify);
	selftest_unregister(tun);
	tunnels_del(tunnels, tun);
	if (tun->started && init_error == 0) {
		tunnel_keep(tun, NULL, 0);
		tun->ops->remove(tun);
		tunnel_transit_update(tunnel_any_created());
	}
	params_free(&tun->params);
	XFREE(MTYPE_TUNNEL, tun);
}

bool tunnel_ifname_foreign(const char *ifname)
{
	struct kern_link *link = kern_link_by_name(ifname);

	return link && strncmp(link->alias, TUNNEL_ALIAS_PREFIX,
			       strlen(TUNNEL_ALIAS_PREFIX)) != 0;
}

/* -------- start and stop of the daemon -------- */

bool tunnel_floor_open(void)
{
	return init_error == 0;
}

static int init_step(int ret, const char *what)
{
	if (ret < 0) {
		init_what = what;
		zlog_err("%s: %s", what, safe_strerror(-ret));
	}
	return ret;
}

const char *tunnel_init_failed(void)
{
	return init_what;
}

static bool journal_has_programs(void)
{
	struct journal_entry *ent;

	for (ent = tunnel_journal_first(); ent; ent = tunnel_journal_next(ent))
		if (ent->kind == JOURNAL_TC || ent->kind == JOURNAL_XDP)
			return true;
	return false;
}

/* What tunnel_sweep() needs, in relayd as in its undertaker. */
static int floor_open(const char *vty_dir)
{
	init_error =
		init_step(tunnel_journal_open(vty_dir), "the journal relayd.state beside the vty socket");
	if (init_error < 0)
		return init_error;
	init_error = init_step(tunnel_netlink_init(), "rtnetlink socket");
	if (init_error < 0)
		return init_error;
	init_error = init_step(tunnel_monitor_init(), "rtnetlink monitor");
	if (init_error < 0)
		return init_error;
	if (journal_has_programs())
		tunnel_bpf_hold_back();
	/* reported where it is missed, see tunnel_sit.c */
	tunnel_nft_init();
	return 0;
}

/* remove_tables: no relay is left that could use them. Returns how much is
 * left on file. */
static size_t floor_close(bool remove_tables)
{
	size_t left;

	tunnel_bpf_fini();
	tunnel_nft_fini(remove_tables);
	tunnel_monitor_fini();
	tunnel_netlink_fini();
	left = tunnel_journal_count();
	tunnel_journal_close();
	init_error = -ENOTCONN;
	return left;
}

int tunnel_init(struct frr_loop *loop, struct zebra_privs_t *privs,
		const char *vty_dir)
{
	int ret;

	tunnel_loop = loop;
	tunnel_privs = privs;
	init_error =
		init_step(tunnel_lock_take(vty_dir), "the lock relayd.lock beside the vty socket");
	if (init_error < 0)
		return init_error;
	ret = floor_open(vty_dir);
	if (ret < 0)
		return ret;
	/* reported where it is missed, see selftest.c */
	init_step(selftest_6to4_init(), "self-test sockets");
	/* without it the senders are told nothing, as by most relays */
	init_step(tunnel_icmp_init(), "sockets for ICMP errors");
	event_add_timer(tunnel_loop, tunnel_tick, NULL, CHECK_INTERVAL_S,
			&t_tick);
	return 0;
}

static void leave_tunnels(void)
{
	struct tunnel *tun;

	while ((tun = tunnels_pop(tunnels))) {
		EVENT_OFF(tun->t_retry);
		EVENT_OFF(tun->t_notify);
		selftest_unregister(tun);
		if (tun->ops->leave)
			tun->ops->leave(tun);
		params_free(&tun->params);
		XFREE(MTYPE_TUNNEL, tun);
	}
	EVENT_OFF(t_tick);
	EVENT_OFF(t_transit);
	selftest_6to4_fini();
	tunnel_icmp_fini();
}

size_t tunnel_fini(void)
{
	bool none = tunnels_count(tunnels) == 0;

	/* what is left here stays in the kernel for the next run */
	leave_tunnels();
	return floor_close(none);
}

void tunnel_forget(void)
{
	leave_tunnels();
	floor_close(false);
	tunnel_lock_drop();
}

size_t tunnel_undo(struct frr_loop *loop, const char *vty_dir)
{
	tunnel_loop = loop;
	if (floor_open(vty_dir) == 0)
		tunnel_sweep();
	return floor_close(true);
}
