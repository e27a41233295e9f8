// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `track N icmp-echo`: sockets, pacing and reporting. What a probe's outcome
 * means is decided in track_icmp_probe.c.
 *
 * One raw socket a family serves all targets, opened with the first and closed
 * with the last; source address and interface travel with each packet
 * (IP_PKTINFO). The kernel drops other processes' replies (socket filter on the
 * identifier). One heap orders all targets by their next due time, and one
 * timerfd wakes the daemon for them: libfrr's own timers truncate poll()'s
 * timeout to a millisecond and spin through the rest, which thousands of
 * sub-millisecond timers would turn into a full core.
 *
 * The daemon's own lateness is no loss of the target's: replies carry the
 * kernel's receive time and are read before any timeout is judged, and after a
 * stall the targets are spread anew instead of catching up in a burst.
 *
 * Many targets cost wake-ups, not packets: a turn of libfrr's loop takes several
 * times what sendmsg() does, and two of them when a handler asks for its next
 * read (libfrr 8.4 wakes itself by a pipe for that). So probes that are due
 * within a tick leave together, and while ticks follow each other closely
 * replies are read with the next one.
 */
#include <zebra.h>

#include <sys/timerfd.h>

#include "lib_errors.h"
#include "log.h"
#include "memory.h"

#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_time.h"
#include "track.h"
#include "track_icmp_probe.h"
#include "track_icmp_socket.h"
#include "tunnel.h"

DEFINE_MTYPE_STATIC(RELAYD, TRACK_ICMP, "Track ICMP target");

/* a new target's first probe comes within this time, at a place of its own */
#define ICMP_SPREAD_US 1000000
/* wake up no more often: targets that are due within are served together */
#define ICMP_TICK_US 4000
/* awake again within this time, a reply needs no wake-up of its own */
#define ICMP_SOON_US 10000
/* later than this, a probe is put off instead of sent late with all others */
#define ICMP_STALL_US 50000
/* targets served in one go, before others of the daemon's events get a turn */
#define ICMP_BATCH 64
/* after a moment's lateness no more probes a tick than this times the usual */
#define ICMP_CATCH_UP 2

PREDECL_HEAP(icmp_heap);
PREDECL_DLIST(icmp_list);

struct icmp_target {
	struct icmp_heap_item heap_item;
	struct icmp_list_item list_item;
	struct track *trk;
	int family; /* of the socket it holds */
	struct icmp_probe probe;
	uint32_t frequency_ms; /* that next_send_us was computed with */
	uint32_t timeout_ms;
	int64_t next_send_us;
	int64_t due_us; /* heap key: probe to send or to give up */
	enum track_state reported;
	int reported_cause;
	int logged_err; /* last refused sending in the debug log */
};

static int icmp_target_cmp(const struct icmp_target *a,
			   const struct icmp_target *b)
{
	return numcmp(a->due_us, b->due_us);
}
DECLARE_HEAP(icmp_heap, struct icmp_target, heap_item, icmp_target_cmp);
DECLARE_DLIST(icmp_list, struct icmp_target, list_item);

static struct icmp_heap_head icmp_heap[1];
static struct icmp_list_head icmp_targets[1];
static int icmp_timer_fd = -1;
static struct frr_event *t_icmp_timer;
static int64_t icmp_timer_at_us; /* INT64_MAX: not armed */
static int64_t icmp_rate; /* probes in 1000 s, of all targets */

static struct icmp_probe_limits icmp_limits(const struct icmp_target *target)
{
	return (struct icmp_probe_limits){
		.up = target->trk->cfg.probes_up,
		.down = target->trk->cfg.probes_down,
	};
}

/* Why a target is down, for the operator. */
static void icmp_cause_str(const struct icmp_target *target, char *buf,
			   size_t len)
{
	const struct track_config *cfg = &target->trk->cfg;

	switch (target->probe.cause) {
	case 0:
		snprintf(buf, len, "no echo reply");
		break;
	case ENODEV:
	case ENXIO:
		snprintf(buf, len, "interface %s missing", cfg->source_ifname);
		break;
	case EDESTADDRREQ:
		snprintf(buf, len, "link-local target needs source-interface");
		break;
	case EADDRNOTAVAIL:
		snprintfrr(buf, len, "source address %pIA not local",
			   &cfg->source);
		break;
	case EAFNOSUPPORT:
		snprintf(buf, len, "address family not available");
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
		snprintf(buf, len, "no route to host");
		break;
	case EINVAL:
	case EACCES:
		snprintf(buf, len, "route to host refuses packets");
		break;
	case ENETDOWN:
		snprintf(buf, len, "network is down");
		break;
	case EPERM:
		snprintf(buf, len, "sending not permitted (local firewall)");
		break;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		snprintf(buf, len, "local send queue full");
		break;
	default:
		snprintf(buf, len, "%s", safe_strerror(target->probe.cause));
		break;
	}
}

/* May run whatever hangs on the state; the target is not touched after it. */
static void icmp_report(struct icmp_target *target)
{
	const struct icmp_probe *probe = &target->probe;
	char detail[sizeof(target->trk->detail)];

	if (probe->state == target->reported &&
	    probe->cause == target->reported_cause)
		return;
	target->reported = probe->state;
	target->reported_cause = probe->cause;
	if (probe->state != TRACK_STATE_DOWN) {
		track_report(target->trk, probe->state, NULL);
		return;
	}
	icmp_cause_str(target, detail, sizeof(detail));
	track_report(target->trk, TRACK_STATE_DOWN, detail);
}

static int64_t icmp_interval_us(const struct icmp_target *target)
{
	return (int64_t)target->frequency_ms * 1000;
}

static int64_t icmp_target_rate(const struct icmp_target *target)
{
	return INT64_C(1000000000) / icmp_interval_us(target);
}

/* Soon, but not all targets at once. */
static void icmp_target_spread(struct icmp_target *target, int64_t now_us)
{
	int64_t within = MIN(icmp_interval_us(target), ICMP_SPREAD_US);

	target->next_send_us =
		now_us + icmp_probe_phase(target->trk->cfg.id, within);
}

static void icmp_target_enqueue(struct icmp_target *target)
{
	target->due_us = MIN(target->next_send_us,
			     icmp_probe_deadline(&target->probe));
	icmp_heap_add(icmp_heap, target);
}

static void icmp_timer_arm(int64_t now_us)
{
	const struct icmp_target *first = icmp_heap_const_first(icmp_heap);
	struct itimerspec its = {};
	int64_t at_us;

	if (!first || icmp_timer_fd < 0) {
		icmp_socket_wake(true);
		return;
	}
	at_us = MAX(first->due_us, now_us + ICMP_TICK_US);
	icmp_socket_wake(MIN(at_us, icmp_timer_at_us) - now_us > ICMP_SOON_US);
	/* waking too early once is harmless, so later targets don't re-arm */
	if (icmp_timer_at_us <= at_us)
		return;
	icmp_timer_at_us = at_us;
	its.it_value.tv_sec = at_us / 1000000;
	its.it_value.tv_nsec = at_us % 1000000 * 1000;
	if (timerfd_settime(icmp_timer_fd, TFD_TIMER_ABSTIME, &its, NULL) < 0)
		flog_err_sys(EC_LIB_SYSTEM_CALL, "track icmp-echo: timer: %s",
			     safe_strerror(errno));
}

/* Finds the interface to send from; returns 0 or -errno. */
static int icmp_target_ifindex(const struct track_config *cfg,
			       ifindex_t *ifindex)
{
	const struct tunnel_link *link;

	*ifindex = 0;
	if (cfg->source_ifname[0]) {
		link = tunnel_link_lookup(cfg->source_ifname);
		if (!link)
			return -ENODEV;
		*ifindex = link->ifindex;
	} else if (IS_IPADDR_V6(&cfg->target) &&
		   IN6_IS_ADDR_LINKLOCAL(&cfg->target.ipaddr_v6)) {
		return -EDESTADDRREQ;
	}
	return 0;
}

static void icmp_target_send(struct icmp_target *target)
{
	const struct track_config *cfg = &target->trk->cfg;
	struct icmp_probe_limits limits = icmp_limits(target);
	struct icmp_probe_echo echo = {
		.target = cfg->id,
		.nonce = icmp_socket_nonce(),
	};
	ifindex_t ifindex;
	bool certain;
	int ret;

	echo.seq = icmp_probe_send(&target->probe, &limits, echo.nonce,
				   relay_now_us(),
				   (int64_t)cfg->timeout_ms * 1000);
	ret = icmp_target_ifindex(cfg, &ifindex);
	certain = ret < 0;
	if (ret == 0)
		ret = icmp_socket_send(&cfg->target, &cfg->source, ifindex,
				       &echo);
	if (ret < 0) {
		icmp_probe_send_failed(&target->probe, &limits, -ret);
		/* what can't be sent at all needs no second opinion */
		if (certain)
			icmp_probe_force_down(&target->probe, -ret);
		if (target->logged_err != ret)
			DEBUGD(&relay_dbg_track,
			       "track %u: probe to %pIA not sent: %s", cfg->id,
			       &cfg->target, safe_strerror(-ret));
	}
	target->logged_err = ret;
}

/* Returns whether a probe was sent. */
static bool icmp_target_run(struct icmp_target *target, int64_t now_us)
{
	struct icmp_probe_limits limits = icmp_limits(target);
	bool sent = false;

	icmp_probe_expire(&target->probe, &limits, now_us);
	if (target->next_send_us <= now_us) {
		if (now_us - target->next_send_us > ICMP_STALL_US) {
			icmp_target_spread(target, now_us);
		} else {
			icmp_target_send(target);
			sent = true;
			target->next_send_us = icmp_probe_next_slot(
				target->trk->cfg.id, icmp_interval_us(target),
				target->next_send_us);
		}
	}
	icmp_target_enqueue(target);
	icmp_report(target);
	return sent;
}

/* A reply of the shared sockets; told apart from noise by the nonce alone. */
static void icmp_reply_seen(const struct icmp_probe_echo *echo,
			    const struct ipaddr *from, ifindex_t scope,
			    int64_t at_us)
{
	struct icmp_probe_limits limits;
	struct icmp_target *target;
	enum icmp_reply verdict;
	struct track *trk;
	ifindex_t ifindex;

	if (echo->target < TRACK_ID_MIN || echo->target > TRACK_ID_MAX)
		return;
	trk = track_lookup(echo->target);
	if (!trk || trk->ops != &track_icmp_ops || !trk->priv)
		return;
	target = trk->priv;
	if (ipaddr_cmp(from, &trk->cfg.target) != 0 ||
	    (scope && (icmp_target_ifindex(&trk->cfg, &ifindex) < 0 ||
		       ifindex != scope))) {
		target->probe.stats.invalid++;
		DEBUGD(&relay_dbg_track,
		       "track %u: echo reply from %pIA, not from the target %pIA",
		       trk->cfg.id, from, &trk->cfg.target);
		return;
	}

	limits = icmp_limits(target);
	verdict = icmp_probe_reply(&target->probe, &limits, echo->seq,
				   echo->nonce, at_us);
	switch (verdict) {
	case ICMP_REPLY_OK:
		break;
	case ICMP_REPLY_LATE:
		DEBUGD(&relay_dbg_track, "track %u: late echo reply, seq %u",
		       trk->cfg.id, echo->seq);
		break;
	case ICMP_REPLY_DUPLICATE:
		DEBUGD(&relay_dbg_track,
		       "track %u: duplicate echo reply, seq %u", trk->cfg.id,
		       echo->seq);
		return;
	case ICMP_REPLY_INVALID:
		DEBUGD(&relay_dbg_track,
		       "track %u: echo reply to no probe of ours, seq %u",
		       trk->cfg.id, echo->seq);
		return;
	}
	/* no wake-up for a deadline that has gone */
	icmp_heap_del(icmp_heap, target);
	icmp_target_enqueue(target);
	icmp_report(target);
}

static void icmp_timer_expired(struct frr_event *event)
{
	int64_t room = 4 + ICMP_CATCH_UP * icmp_rate * ICMP_TICK_US /
				   INT64_C(1000000000);
	struct icmp_target *target;
	uint64_t ticks;
	int64_t now_us;

	event_add_read(track_loop, icmp_timer_expired, NULL, icmp_timer_fd,
		       &t_icmp_timer);
	if (read(icmp_timer_fd, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
		flog_err_sys(EC_LIB_SYSTEM_CALL, "track icmp-echo: timer: %s",
			     safe_strerror(errno));
	icmp_timer_at_us = INT64_MAX;

	now_us = relay_now_us();
	/* before any deadline is judged: what is in the queue came in time */
	icmp_socket_drain();
	for (int i = 0; i < ICMP_BATCH && room > 0; i++) {
		target = icmp_heap_first(icmp_heap);
		if (!target || target->due_us > now_us)
			break;
		icmp_heap_del(icmp_heap, target);
		room -= icmp_target_run(target, now_us);
	}
	icmp_timer_arm(relay_now_us());
}

static int icmp_start(struct track *trk)
{
	const struct track_config *cfg = &trk->cfg;
	struct icmp_target *target;
	int64_t now_us = relay_now_us();

	target = XCALLOC(MTYPE_TRACK_ICMP, sizeof(*target));
	target->trk = trk;
	target->reported = TRACK_STATE_INIT;
	target->frequency_ms = cfg->frequency_ms;
	target->timeout_ms = cfg->timeout_ms;
	icmp_rate += icmp_target_rate(target);
	icmp_probe_init(&target->probe);
	icmp_probe_reserve(&target->probe, cfg->frequency_ms, cfg->timeout_ms);
	trk->priv = target;

	target->family = ipaddr_family(&cfg->target);
	icmp_socket_hold(target->family);
	icmp_target_spread(target, now_us);
	icmp_list_add_tail(icmp_targets, target);
	icmp_target_enqueue(target);
	icmp_timer_arm(now_us);
	return 0;
}

/* Timers that changed; counts of probes are read as they are needed. */
static void icmp_changed(struct track *trk)
{
	const struct track_config *cfg = &trk->cfg;
	struct icmp_target *target = trk->priv;
	int64_t now_us = relay_now_us();

	if (!target || (target->frequency_ms == cfg->frequency_ms &&
			target->timeout_ms == cfg->timeout_ms))
		return;
	icmp_probe_reserve(&target->probe, cfg->frequency_ms, cfg->timeout_ms);
	target->timeout_ms = cfg->timeout_ms;
	if (target->frequency_ms == cfg->frequency_ms)
		return;
	icmp_rate -= icmp_target_rate(target);
	target->frequency_ms = cfg->frequency_ms;
	icmp_rate += icmp_target_rate(target);
	icmp_heap_del(icmp_heap, target);
	icmp_target_spread(target, now_us);
	icmp_target_enqueue(target);
	icmp_timer_arm(now_us);
}

static void icmp_stop(struct track *trk)
{
	struct icmp_target *target = trk->priv;

	if (!target)
		return;
	trk->priv = NULL;
	icmp_rate -= icmp_target_rate(target);
	icmp_heap_del(icmp_heap, target);
	icmp_list_del(icmp_targets, target);
	icmp_socket_release(target->family);
	icmp_probe_fini(&target->probe);
	XFREE(MTYPE_TRACK_ICMP, target);
}

static void icmp_target_str(const struct track *trk, char *buf, size_t len)
{
	snprintfrr(buf, len, "%pIA", &trk->cfg.target);
}

static void icmp_show_json(const struct track *trk, struct json_object *json)
{
	const struct icmp_target *target = trk->priv;
	static const struct icmp_probe_stats none;
	const struct icmp_probe_stats *st = target ? &target->probe.stats
						   : &none;

	json_object_int_add(json, "rttUsec", st->rtt);
	json_object_int_add(json, "sent", st->sent);
	json_object_int_add(json, "received", st->received);
	json_object_int_add(json, "lost", st->timeouts + st->send_errors);
	json_object_int_add(json, "timeouts", st->timeouts);
	json_object_int_add(json, "sendErrors", st->send_errors);
	json_object_int_add(json, "lateReplies", st->late);
	json_object_int_add(json, "duplicateReplies", st->duplicates);
	json_object_int_add(json, "invalidReplies", st->invalid);
	json_object_int_add(json, "rttMinUsec", st->rtt_min);
	json_object_int_add(json, "rttAvgUsec", st->rtt_avg16 / 16);
	json_object_int_add(json, "rttMaxUsec", st->rtt_max);
	json_object_int_add(json, "jitterUsec", st->jitter16 / 16);
}

static void icmp_show(const struct track *trk, struct vty *vty)
{
	const struct icmp_target *target = trk->priv;
	const struct icmp_probe_stats *st;
	uint64_t lost, known;

	if (!target)
		return;
	st = &target->probe.stats;
	lost = st->timeouts + st->send_errors;
	known = lost + st->received;
	vty_out(vty,
		"  Probes: %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64
		" lost (%.1f %%): %" PRIu64 " timed out, %" PRIu64
		" not sent\n",
		st->sent, st->received, lost,
		known ? 100.0 * lost / known : 0.0, st->timeouts,
		st->send_errors);
	vty_out(vty,
		"  Replies not believed: %" PRIu64 " late, %" PRIu64
		" duplicate, %" PRIu64 " invalid\n",
		st->late, st->duplicates, st->invalid);
	if (st->received)
		vty_out(vty,
			"  RTT: last %u us, min/avg/max %u/%u/%u us, jitter %u us\n",
			st->rtt, st->rtt_min, st->rtt_avg16 / 16, st->rtt_max,
			st->jitter16 / 16);
}

static void icmp_echo_stats(const struct track *trk,
			    struct track_echo_stats *stats)
{
	const struct icmp_target *target = trk->priv;
	const struct icmp_probe_stats *st;

	memset(stats, 0, sizeof(*stats));
	if (!target)
		return;
	st = &target->probe.stats;
	*stats = (struct track_echo_stats){
		.rtt_usec = st->rtt,
		.rtt_min_usec = st->rtt_min,
		.rtt_avg_usec = st->rtt_avg16 / 16,
		.rtt_max_usec = st->rtt_max,
		.jitter_usec = st->jitter16 / 16,
		.sent = st->sent,
		.received = st->received,
		.timeouts = st->timeouts,
		.send_errors = st->send_errors,
		.late = st->late,
		.duplicates = st->duplicates,
		.invalid = st->invalid,
	};
}

const struct track_ops track_icmp_ops = {
	.type = TRACK_ICMP_ECHO,
	.name = "icmp-echo",
	.start = icmp_start,
	.changed = icmp_changed,
	.stop = icmp_stop,
	.target = icmp_target_str,
	.show_json = icmp_show_json,
	.show = icmp_show,
	.echo_stats = icmp_echo_stats,
};

/* A source interface that goes takes its targets down now, not at a timeout. */
static int icmp_link_change(const struct tunnel_link *link)
{
	struct icmp_target *target;

	if (link->ifindex != 0)
		return 0;
	frr_each_safe (icmp_list, icmp_targets, target) {
		if (strcmp(target->trk->cfg.source_ifname, link->name) != 0)
			continue;
		icmp_probe_force_down(&target->probe, ENODEV);
		icmp_report(target);
	}
	return 0;
}

int track_icmp_init(void)
{
	int ret;

	icmp_heap_init(icmp_heap);
	icmp_list_init(icmp_targets);
	icmp_timer_at_us = INT64_MAX;
	icmp_timer_fd = timerfd_create(CLOCK_MONOTONIC,
				       TFD_NONBLOCK | TFD_CLOEXEC);
	if (icmp_timer_fd < 0)
		return -errno;
	ret = icmp_socket_init(icmp_reply_seen);
	if (ret < 0) {
		close(icmp_timer_fd);
		icmp_timer_fd = -1;
		return ret;
	}
	event_add_read(track_loop, icmp_timer_expired, NULL, icmp_timer_fd,
		       &t_icmp_timer);
	hook_register(tunnel_link_change, icmp_link_change);
	return 0;
}

void track_icmp_fini(void)
{
	hook_unregister(tunnel_link_change, icmp_link_change);
	EVENT_OFF(t_icmp_timer);
	icmp_socket_fini();
	if (icmp_timer_fd >= 0)
		close(icmp_timer_fd);
	icmp_timer_fd = -1;
	icmp_heap_fini(icmp_heap);
	icmp_list_fini(icmp_targets);
}
