// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bookkeeping of the self-test: when a probe is due, who has lost how many.
 *
 * Each way through a tunnel is tested for itself. Three losses in a row fail
 * it, the next probe that comes out mends it. A probe comes out within 10 ms,
 * together with those of other tunnels; it is judged soon after, so that a
 * failure is known within three seconds.
 */
#include <zebra.h>

#include "lib/debug.h"
#include "log.h"
#include "relay_debug.h"
#include "relay_time.h"
#include "selftest.h"
#include "selftest_teredo.h"
#include "tunnel_bpf.h"
#include "tunnel_kernel.h"

/* about a second; three of them and a verdict stay under three seconds */
#define PROBE_INTERVAL_MS 900
#define PROBE_JUDGE_MS 200
#define PROBE_LOSSES_MAX 3
#define PROBE_SLOTS 18
/* while a way fails, its cause is looked for anew as often as this: what was
 * found may have been mended since, and not have been all */
#define PROBE_LOSSES_AGAIN 10

static struct tunnel *by_id[UINT16_MAX + 1];
static uint16_t last_id;

void selftest_register(struct tunnel *tun)
{
	for (unsigned int i = 0; i <= UINT16_MAX; i++) {
		if (++last_id == 0 || by_id[last_id])
			continue;
		tun->st_id = last_id;
		by_id[last_id] = tun;
		break;
	}
	selftest_reset(tun);
}

void selftest_unregister(struct tunnel *tun)
{
	EVENT_OFF(tun->t_self_test);
	EVENT_OFF(tun->t_self_test_judge);
	by_id[tun->st_id] = NULL;
}

struct tunnel *selftest_find(uint16_t id)
{
	return by_id[id];
}

static bool way_tested(const struct tunnel *tun, enum tunnel_way way)
{
	return tun->params.self_test &&
	       tunnel_has_way(tun->params.direction, way);
}

static void selftest_reset_way(struct tunnel *tun, enum tunnel_way way)
{
	struct tunnel_self_test *st = &tun->st[way];

	st->waiting = 0;
	st->by_uplink = false;
	st->error = 0;
	st->lost = 0;
	st->vanished = 0;
	st->detail[0] = '\0';
	tun->status.self_test_detail[way][0] = '\0';
	tun->status.self_test[way] =
		way_tested(tun, way) ? TUNNEL_CHECK_PENDING : TUNNEL_CHECK_OFF;
}

void selftest_reset(struct tunnel *tun)
{
	tun->st_probing = false;
	EVENT_OFF(tun->t_self_test);
	EVENT_OFF(tun->t_self_test_judge);
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		selftest_reset_way(tun, way);
}

void selftest_presume(struct tunnel *tun)
{
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		if (way_tested(tun, way) &&
		    tun->status.self_test[way] == TUNNEL_CHECK_OFF)
			tun->status.self_test[way] = TUNNEL_CHECK_OK;
}

static void selftest_describe_loss(struct tunnel *tun, enum tunnel_way way)
{
	struct tunnel_self_test *st = &tun->st[way];
	unsigned int losses;

	if (st->error < 0) {
		st->vanished = 0;
		if (st->why[0])
			strlcpy(st->detail, st->why, sizeof(st->detail));
		else
			snprintf(st->detail, sizeof(st->detail),
				 "a probe can't be sent: %s",
				 safe_strerror(-st->error));
		return;
	}
	losses = st->vanished++ % PROBE_LOSSES_AGAIN + 1;
	if (losses > PROBE_LOSSES_MAX)
		return;
	if (st->vanished == 1)
		strlcpy(st->detail, "probes do not come out",
			sizeof(st->detail));
	if (tun->ops->self_test_lost)
		tun->ops->self_test_lost(tun, way, losses);
}

/* What is still awaited, when all that came out has been looked at, is lost. */
static void selftest_judge(struct tunnel *tun)
{
	EVENT_OFF(tun->t_self_test_judge);
	tunnel_nflog_poll();
	tunnel_bpf_poll();
	selftest_teredo_poll(tun);
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++) {
		struct tunnel_self_test *st = &tun->st[way];

		if (!st->waiting)
			continue;
		st->lost++;
		DEBUGD(&relay_dbg_tunnel,
		       "relay %s: self-test probe %u lost, %s",
		       tun->params.owner, tun->st_seq, tunnel_way_str(way));
		selftest_describe_loss(tun, way);
		st->waiting = 0;
		if (st->lost < PROBE_LOSSES_MAX)
			continue;
		tun->status.self_test[way] = TUNNEL_CHECK_FAILED;
		snprintf(tun->status.self_test_detail[way],
			 sizeof(tun->status.self_test_detail[way]),
			 "self-test %s: %s", tunnel_way_str(way), st->detail);
	}
	tunnel_notify(tun);
}

static void selftest_judge_due(struct frr_event *ev)
{
	selftest_judge(EVENT_ARG(ev));
}

static void selftest_probe(struct tunnel *tun)
{
	/* after a busy second the judgement is due as well */
	if (tun->t_self_test_judge)
		selftest_judge(tun);
	tun->st_probed_us = relay_now_us();
	tun->st_seq++;
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++) {
		struct tunnel_self_test *st = &tun->st[way];

		if (!way_tested(tun, way))
			continue;
		st->waiting = 1U << TUNNEL_PATH_STACK;
		st->why[0] = '\0';
		st->error = tun->ops->self_test(tun, way, tun->st_seq);
		if (st->error == 0)
			st->sent++;
	}
}

/* What has not come out at once is judged after a while. */
static void selftest_await(struct tunnel *tun)
{
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		if (tun->st[way].waiting)
			event_add_timer_msec(tunnel_loop, selftest_judge_due,
					     tun, PROBE_JUDGE_MS,
					     &tun->t_self_test_judge);
}

static void selftest_first(struct frr_event *ev)
{
	struct tunnel *tun = EVENT_ARG(ev);

	selftest_probe(tun);
	/* the eBPF programs are through by the time that a probe is sent */
	tunnel_bpf_poll();
	selftest_await(tun);
}

static struct frr_event *t_slots[PROBE_SLOTS];

static bool in_slot(const struct tunnel *tun, unsigned int slot)
{
	return tun->st_probing && tun->st_id % PROBE_SLOTS == slot;
}

static void slot_schedule(unsigned int slot);

/* Never much less than a whole interval: three losses take time. */
static bool probe_due(const struct tunnel *tun)
{
	return !tun->t_self_test && relay_now_us() - tun->st_probed_us >
					    PROBE_INTERVAL_MS * 1000 / 2;
}

/* All of a slot at one go: to wake up and to read is dearer than a probe. */
static void slot_due(struct frr_event *ev)
{
	unsigned int slot = (uintptr_t)EVENT_ARG(ev);
	struct tunnel *tun = NULL;
	bool any = false;

	while ((tun = tunnel_next(tun))) {
		if (!in_slot(tun, slot))
			continue;
		any = true;
		if (probe_due(tun))
			selftest_probe(tun);
	}
	if (!any)
		return;
	tunnel_bpf_poll();
	while ((tun = tunnel_next(tun)))
		if (in_slot(tun, slot))
			selftest_await(tun);
	slot_schedule(slot);
}

/* Tunnels take turns in slots, so that the probes of many are spread. */
static void slot_schedule(unsigned int slot)
{
	long now = relay_now_us() / 1000 % PROBE_INTERVAL_MS;
	long wait = slot * (PROBE_INTERVAL_MS / PROBE_SLOTS) - now;

	event_add_timer_msec(tunnel_loop, slot_due, (void *)(uintptr_t)slot,
			     wait > 0 ? wait : wait + PROBE_INTERVAL_MS,
			     &t_slots[slot]);
}

void selftest_update(struct tunnel *tun)
{
	struct tunnel_status *st = &tun->status;

	/* What has no interface or no source can't be probed, and needs no
	 * probe to be known as broken. */
	if (!tun->params.self_test || !tun->created ||
	    st->interface != TUNNEL_CHECK_OK || st->source != TUNNEL_CHECK_OK) {
		selftest_reset(tun);
		return;
	}
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		if (!way_tested(tun, way))
			selftest_reset_way(tun, way);
		else if (st->self_test[way] == TUNNEL_CHECK_OFF)
			st->self_test[way] = TUNNEL_CHECK_PENDING;
	if (tun->st_probing)
		return;
	tun->st_probing = true;
	event_add_timer_msec(tunnel_loop, selftest_first, tun, 0,
			     &tun->t_self_test);
	if (!t_slots[tun->st_id % PROBE_SLOTS])
		slot_schedule(tun->st_id % PROBE_SLOTS);
}

void selftest_seen(struct tunnel *tun, enum tunnel_way way,
		   enum tunnel_path path, uint32_t seq)
{
	struct tunnel_self_test *st = &tun->st[way];

	if (path == TUNNEL_PATH_STACK)
		st->stack_seen++;
	if (seq != tun->st_seq || !(st->waiting & 1U << path))
		return;
	st->waiting &= ~(1U << path);
	if (st->waiting)
		return;
	st->seen++;
	st->lost = 0;
	st->vanished = 0;
	st->detail[0] = '\0';
	tun->status.self_test_detail[way][0] = '\0';
	tun->status.self_test[way] = TUNNEL_CHECK_OK;
	tunnel_notify(tun);
}
