// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tracked objects: what all kinds share.
 *
 * A kind reports its raw state; `delay up` and `delay down` hold a change back;
 * what is left is the state that relays, routes and lists see. The first state
 * after init is delayed as well: a flapping link must not get in through a
 * restart.
 */
#include <zebra.h>

#include "log.h"

#include "relay_debug.h"
#include "relay_memory.h"
#include "track.h"

DEFINE_MTYPE_STATIC(RELAYD, TRACK, "Tracked object");
DEFINE_HOOK(track_change, (struct track *trk, enum track_state old),
	    (trk, old));

struct track_tree_head track_tree[1] = {INIT_RBTREE_UNIQ(track_tree[0])};
struct frr_loop *track_loop;
struct zebra_privs_t *track_privs;

int track_cmp(const struct track *a, const struct track *b)
{
	return (int)a->cfg.id - (int)b->cfg.id;
}

static const struct track_ops *track_ops_find(enum track_type type)
{
	switch (type) {
	case TRACK_INTERFACE:
		return &track_interface_ops;
	case TRACK_IP_ROUTE:
		return &track_ip_route_ops;
	case TRACK_IPV6_ROUTE:
		return &track_ipv6_route_ops;
	case TRACK_ICMP_ECHO:
		return &track_icmp_ops;
	case TRACK_LIST:
		return &track_list_ops;
	case TRACK_BFD:
		return &track_bfd_ops;
	}
	assert(!"unknown kind of tracked object");
}

const char *track_state_str(enum track_state state)
{
	switch (state) {
	case TRACK_STATE_INIT:
		return "init";
	case TRACK_STATE_UP:
		return "up";
	case TRACK_STATE_DOWN:
		return "down";
	}
	assert(!"unknown state of a tracked object");
}

struct track *track_lookup(uint16_t id)
{
	struct track ref = {.cfg.id = id};

	return track_tree_find(track_tree, &ref);
}

/* ------------------------------------------------------------------ state */

static void track_set(struct track *trk, enum track_state state)
{
	enum track_state old = trk->state;

	EVENT_OFF(trk->t_delay);
	if (old == state)
		return;

	trk->state = state;
	trk->since = time(NULL);
	if (old != TRACK_STATE_INIT && state != TRACK_STATE_INIT)
		trk->transitions++;
	zlog_notice("track %u: %s -> %s%s%s", trk->cfg.id, track_state_str(old),
		    track_state_str(state), trk->detail[0] ? ": " : "",
		    trk->detail);
	hook_call(track_change, trk, old);
}

static void track_delay_over(struct frr_event *ev)
{
	struct track *trk = EVENT_ARG(ev);

	track_set(trk, trk->raw);
}

static uint16_t track_delay(const struct track *trk, enum track_state raw)
{
	switch (raw) {
	case TRACK_STATE_INIT:
		return 0;
	case TRACK_STATE_UP:
		return trk->cfg.delay_up_s;
	case TRACK_STATE_DOWN:
		return trk->cfg.delay_down_s;
	}
	assert(!"unknown state of a tracked object");
}

/* Takes raw over, or starts the delay that it must last for. */
static void track_apply(struct track *trk)
{
	uint16_t delay = track_delay(trk, trk->raw);

	EVENT_OFF(trk->t_delay);
	if (trk->raw == trk->state)
		return;
	if (!delay) {
		track_set(trk, trk->raw);
		return;
	}
	DEBUGD(&relay_dbg_track, "track %u: %s, held back for %u s",
	       trk->cfg.id, track_state_str(trk->raw), delay);
	event_add_timer(track_loop, track_delay_over, trk, delay,
			&trk->t_delay);
}

void track_report(struct track *trk, enum track_state raw, const char *detail)
{
	strlcpy(trk->detail, detail ? detail : "", sizeof(trk->detail));
	if (raw == trk->raw)
		return;
	DEBUGD(&relay_dbg_track, "track %u: raw %s -> %s %s", trk->cfg.id,
	       track_state_str(trk->raw), track_state_str(raw), trk->detail);
	trk->raw = raw;
	track_apply(trk);
}

/* ---------------------------------------------------------- configuration */

static bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->ipa_type == b->ipa_type &&
	       (IS_IPADDR_NONE(a) || ipaddr_cmp(a, b) == 0);
}

/* What is watched, as opposed to how patiently. */
static bool track_target_same(const struct track_config *a,
			      const struct track_config *b)
{
	if (a->type != b->type || a->list_or != b->list_or ||
	    a->nmembers != b->nmembers || a->multihop != b->multihop ||
	    strcmp(a->ifname, b->ifname) ||
	    strcmp(a->source_ifname, b->source_ifname) ||
	    !ipaddr_equal(&a->target, &b->target) ||
	    !ipaddr_equal(&a->source, &b->source) ||
	    prefix_cmp(&a->prefix, &b->prefix))
		return false;
	for (size_t i = 0; i < a->nmembers; i++)
		if (a->members[i].id != b->members[i].id ||
		    a->members[i].negate != b->members[i].negate)
			return false;
	return true;
}

static void track_begin(struct track *trk)
{
	int ret;

	trk->ops = track_ops_find(trk->cfg.type);
	ret = trk->ops->start(trk);
	if (ret < 0) {
		zlog_warn("track %u: can't watch: %s", trk->cfg.id,
			  safe_strerror(-ret));
		track_report(trk, TRACK_STATE_DOWN, safe_strerror(-ret));
	}
}

struct track *track_configure(const struct track_config *cfg)
{
	struct track *trk = track_lookup(cfg->id);

	if (!trk) {
		trk = XCALLOC(MTYPE_TRACK, sizeof(*trk));
		trk->cfg = *cfg;
		trk->since = time(NULL);
		track_tree_add(track_tree, trk);
		track_begin(trk);
		return trk;
	}

	if (!track_target_same(&trk->cfg, cfg)) {
		trk->ops->stop(trk);
		trk->cfg = *cfg;
		/* a list with another member is judged anew, not forgotten */
		if (trk->cfg.type != TRACK_LIST) {
			trk->raw = TRACK_STATE_INIT;
			trk->detail[0] = '\0';
			track_set(trk, TRACK_STATE_INIT);
		}
		track_begin(trk);
		return trk;
	}

	trk->cfg = *cfg;
	if (trk->ops->changed)
		trk->ops->changed(trk);
	if (trk->t_delay)
		track_apply(trk);
	return trk;
}

void track_delete(struct track **trkp)
{
	struct track *trk = *trkp;

	EVENT_OFF(trk->t_delay);
	trk->ops->stop(trk);
	track_tree_del(track_tree, trk);
	XFREE(MTYPE_TRACK, trk);
	*trkp = NULL;
}

/* ------------------------------------------------------------ start, stop */

void track_init(struct frr_loop *loop, struct zebra_privs_t *privs)
{
	track_loop = loop;
	track_privs = privs;
	track_bfd_init();
	track_interface_init();
	track_list_init();
	track_route_init();
	if (track_icmp_init() < 0)
		zlog_warn("track: no ICMP sockets, icmp-echo objects stay down");
}

void track_fini(void)
{
	struct track *trk;

	while ((trk = track_tree_first(track_tree)))
		track_delete(&trk);
	track_icmp_fini();
	track_route_fini();
	track_list_fini();
	track_interface_fini();
	track_bfd_fini();
}
