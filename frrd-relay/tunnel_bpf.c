// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <net/if_arp.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lib/debug.h"
#include "filter.h"
#include "log.h"
#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_time.h"
#include "selftest_6to4.h"
#include "slow_6to4.h"
#include "tunnel_attach.h"
#include "tunnel_bpf.h"
#include "bpf/sixtofour.skel.h"

DEFINE_MTYPE_STATIC(RELAYD, BPF_PLACE, "Relay eBPF instance");
DEFINE_MTYPE_STATIC(RELAYD, BPF_RULES, "Relay eBPF filter");
DEFINE_MTYPE_STATIC(RELAYD, BPF_COUNTERS, "Relay eBPF counters");

/* Programs that a former run left are in use until the configuration is read,
 * or so many seconds. */
#define HOLD_BACK_S 5
/* a load that failed is tried again no sooner */
#define LOAD_RETRY_US 10000000

/* What the maps have of one tunnel. */
struct place {
	struct tunnel *tun;
	struct relay_bpf_relay relay;
	struct filter_rule *rules;
	size_t nrules;
};

static struct sixtofour_bpf *skel;
static struct ring_buffer *probes;
static struct place *places[RELAY_BPF_RELAYS_MAX];
static size_t places_end; /* one behind the last in use */
static int64_t load_failed_at;
static char load_error[TUNNEL_DETAIL_LEN];
static bool hold_back;
static struct frr_event *t_hold_back;
static uint64_t addrs_seen; /* kern_addr_generation() */

/* -------- loading -------- */

static int print_libbpf(enum libbpf_print_level level, const char *fmt,
			va_list ap)
{
	char *text = NULL, *line, *rest;

	if (level == LIBBPF_DEBUG ||
	    !DEBUG_MODE_CHECK(&relay_dbg_tunnel, DEBUG_MODE_ALL) ||
	    vasprintf(&text, fmt, ap) < 0)
		return 0;
	/* the verifier's words are many lines */
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		zlog_debug("%s", line);
	free(text);
	return 0;
}

static int probe_event(void *ctx, void *data, size_t len)
{
	const struct relay_bpf_probe *probe = data;

	if (len >= sizeof(*probe) && probe->place < places_end &&
	    places[probe->place])
		selftest_6to4_bpf_seen(places[probe->place]->tun, probe);
	return 0;
}

static int load_failed(const char *what, int err)
{
	snprintf(load_error, sizeof(load_error), "eBPF: %s: %s", what,
		 safe_strerror(-err));
	if (skel)
		sixtofour_bpf__destroy(skel);
	skel = NULL;
	load_failed_at = relay_now_us();
	return err;
}

static int load(void)
{
	int ret;

	libbpf_set_print(print_libbpf);
	skel = sixtofour_bpf__open();
	if (!skel)
		return load_failed("the programs can't be read", -errno);
	memcpy(&skel->rodata->probe_nonce, tunnel_fast_nonce(),
	       sizeof(skel->rodata->probe_nonce));
	memcpy(&skel->rodata->stack_nonce, tunnel_probe_nonce(),
	       sizeof(skel->rodata->stack_nonce));
	ret = sixtofour_bpf__load(skel);
	if (ret < 0)
		return load_failed("the kernel does not take the programs",
				   ret);
	probes = ring_buffer__new(bpf_map__fd(skel->maps.probes), probe_event,
				  NULL, NULL);
	if (!probes)
		return load_failed("ring buffer of the self-test", -errno);
	return 0;
}

int tunnel_bpf_load(void)
{
	int64_t began = relay_now_us();
	int ret = -EPERM;

	if (skel)
		return 0;
	if (load_failed_at && began - load_failed_at < LOAD_RETRY_US)
		return -EAGAIN;
	frr_with_privs (tunnel_privs) {
		ret = load();
	}
	if (ret < 0) {
		zlog_warn("%s", load_error);
		return ret;
	}
	load_error[0] = '\0';
	load_failed_at = 0;
	zlog_info("eBPF: programs loaded in %" PRId64 " ms",
		  (relay_now_us() - began) / 1000);
	return 0;
}

const char *tunnel_bpf_error(void)
{
	return load_error;
}

/* -------- maps -------- */

static int map_put(struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) < 0
		       ? -errno
		       : 0;
}

static void map_drop(struct bpf_map *map, const void *key)
{
	bpf_map_delete_elem(bpf_map__fd(map), key);
}

/* What the programs have decided by maps, links and addresses as they were is
 * over. */
static void decisions_over(void)
{
	__atomic_add_fetch(&skel->data->flow_generation, 1, __ATOMIC_RELEASE);
}

static int rule_change(uint32_t at, const struct filter_rule *rule, bool add)
{
	struct relay_bpf_filter4 key4 = {.prefixlen = 32 + rule->p.prefixlen,
					 .relay = at};
	struct relay_bpf_filter6 key6 = {.prefixlen = 32 + rule->p.prefixlen,
					 .relay = at};
	bool v4 = rule->p.family == AF_INET;
	struct bpf_map *map = v4 ? skel->maps.filter4 : skel->maps.filter6;
	const void *key = v4 ? (void *)&key4 : (void *)&key6;
	uint8_t verdict = rule->verdict;

	key4.addr = rule->p.u.prefix4.s_addr;
	memcpy(key6.addr, &rule->p.u.prefix6, sizeof(key6.addr));
	if (add)
		return map_put(map, key, &verdict);
	map_drop(map, key);
	return 0;
}

static bool rule_same(const struct filter_rule *a, const struct filter_rule *b)
{
	return prefix_same(&a->p, &b->p) && a->verdict == b->verdict;
}

static const struct filter_rule *rule_of(const struct filter_rule *rules,
					 size_t n, const struct prefix *p)
{
	for (size_t i = 0; i < n; i++)
		if (prefix_same(&rules[i].p, p))
			return &rules[i];
	return NULL;
}

/* The first octets of addresses that a rule may forbid. */
static void rule_octets(const struct filter_rule *rule,
			struct relay_bpf_relay *relay)
{
	uint32_t *bits = rule->p.family == AF_INET ? relay->octets4
						   : relay->octets6;
	unsigned int first = rule->p.u.val[0];
	unsigned int last = first;

	if (rule->verdict == FILTER_VERDICT_PERMIT)
		return;
	if (rule->p.prefixlen < 8)
		last |= 0xff >> rule->p.prefixlen;
	for (unsigned int i = first; i <= last; i++)
		bits[i / 32] |= 1U << i % 32;
}

/* New rules go in before the old ones go out. *octets: what they touch. */
static int place_rules(struct place *pl, uint32_t at,
		       struct relay_bpf_relay *relay)
{
	const struct filter_rule *rules, *old;
	size_t n;
	int ret = 0;

	rules = tunnel_filter_rules(&pl->tun->params, &n);
	for (size_t i = 0; i < n; i++)
		rule_octets(&rules[i], relay);
	for (size_t i = 0; i < n && ret == 0; i++) {
		old = rule_of(pl->rules, pl->nrules, &rules[i].p);
		if (!old || !rule_same(old, &rules[i]))
			ret = rule_change(at, &rules[i], true);
	}
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < pl->nrules; i++)
		if (!rule_of(rules, n, &pl->rules[i].p))
			rule_change(at, &pl->rules[i], false);
	pl->rules = XREALLOC(MTYPE_BPF_RULES, pl->rules,
			     MAX(n, 1U) * sizeof(*rules));
	memcpy(pl->rules, rules, n * sizeof(*rules));
	pl->nrules = n;
	return 0;
}

static bool rules_changed(const struct place *pl)
{
	const struct filter_rule *rules;
	size_t n;

	rules = tunnel_filter_rules(&pl->tun->params, &n);
	if (n != pl->nrules)
		return true;
	for (size_t i = 0; i < n; i++)
		if (!rule_same(&rules[i], &pl->rules[i]))
			return true;
	return false;
}

static uint32_t way_flags(enum tunnel_direction direction)
{
	return (tunnel_has_way(direction, TUNNEL_WAY_4TO6) ? RELAY_BPF_4TO6
							   : 0) |
	       (tunnel_has_way(direction, TUNNEL_WAY_6TO4) ? RELAY_BPF_6TO4
							   : 0);
}

/* Maps of a place to what its tunnel's params say. */
static int place_sync(struct place *pl, uint32_t at, ifindex_t ifindex,
		      bool on_tun)
{
	const struct tunnel_params *p = &pl->tun->params;
	struct relay_bpf_relay relay = {
		.source = p->source.s_addr,
		.transmit_source = p->transmit_source.s_addr,
		.ifindex = ifindex,
		.mtu = p->mtu,
		.flags = way_flags(p->direction) |
			 (on_tun ? RELAY_BPF_AGGREGATES : 0),
		.ttl = p->ttl,
	}, old = pl->relay;
	uint32_t index = ifindex;
	int ret;

	ret = place_rules(pl, at, &relay);
	if (ret == 0)
		ret = map_put(skel->maps.relays, &at, &relay);
	if (ret == 0)
		ret = map_put(skel->maps.by_source, &relay.source, &at);
	if (ret == 0)
		ret = map_put(skel->maps.by_ifindex, &index, &at);
	if (ret == 0) {
		pl->relay = relay;
		if (old.source && old.source != relay.source)
			map_drop(skel->maps.by_source, &old.source);
		if (old.ifindex && old.ifindex != relay.ifindex)
			map_drop(skel->maps.by_ifindex, &old.ifindex);
	}
	decisions_over();
	return ret;
}

static int place_new(struct tunnel *tun)
{
	int cpus = libbpf_num_possible_cpus();
	struct relay_bpf_counters *zero;
	uint32_t at;
	int ret;

	for (at = 0; at < RELAY_BPF_RELAYS_MAX && places[at]; at++)
		;
	if (at == RELAY_BPF_RELAYS_MAX || cpus < 0)
		return -ENOSPC;
	/* whoever had the place before has counted there */
	zero = XCALLOC(MTYPE_BPF_COUNTERS, cpus * sizeof(*zero));
	ret = map_put(skel->maps.counters, &at, zero);
	XFREE(MTYPE_BPF_COUNTERS, zero);
	if (ret < 0)
		return ret;
	places[at] = XCALLOC(MTYPE_BPF_PLACE, sizeof(*places[at]));
	places[at]->tun = tun;
	places_end = MAX(places_end, at + 1);
	return at;
}

static int place_of(const struct tunnel *tun)
{
	for (size_t at = 0; at < places_end; at++)
		if (places[at] && places[at]->tun == tun)
			return at;
	return -ENOENT;
}

/* -------- links -------- */

static bool uplink_named(const struct tunnel_params *p, const char *ifname)
{
	for (size_t i = 0; i < p->nuplinks; i++)
		if (strcmp(p->uplinks[i], ifname) == 0)
			return true;
	return p->nuplinks == 0;
}

/* A part of a bridge or a bond takes in what is not this host's; a VRF is a
 * master that its links stay uplinks in. */
static bool is_part(const struct kern_link *link)
{
	const struct kern_link *master;

	if (!link->master)
		return false;
	master = kern_link_by_index(link->master);
	return !master || strcmp(master->kind, "vrf") != 0;
}

/* Ethernet, or what carries IP packets and nothing in front of them. */
static bool has_known_header(const struct kern_link *link)
{
	switch (link->type) {
	case ARPHRD_ETHER:
	case ARPHRD_NONE:
	case ARPHRD_PPP:
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
		return true;
	}
	return false;
}

static bool can_be_uplink(const struct kern_link *link)
{
	return link->pub.up && has_known_header(link) && !is_part(link) &&
	       strcmp(link->kind, "vrf") != 0 &&
	       strncmp(link->alias, TUNNEL_ALIAS_PREFIX,
		       strlen(TUNNEL_ALIAS_PREFIX)) != 0;
}

/* Hardware may take a tag off before XDP sees the frame, which is then taken
 * for the link's own. */
static bool can_take_xdp(const struct kern_link *link)
{
	struct kern_link *vlan = NULL;

	while ((vlan = kern_link_next(vlan)))
		if (vlan->lower == link->pub.ifindex &&
		    strcmp(vlan->kind, "vlan") == 0)
			return false;
	return link->type == ARPHRD_ETHER;
}

static void link_wanted(const struct kern_link *link, struct attach_wanted *out)
{
	bool lo = link->flags & IFF_LOOPBACK, uplink = can_be_uplink(link);

	for (size_t at = 0; at < places_end; at++) {
		const struct place *pl = places[at];
		bool named;

		if (!pl)
			continue;
		if (pl->relay.ifindex == (uint32_t)link->pub.ifindex)
			out->egress = true;
		/* the self-test's probes come in by lo */
		if (lo && pl->tun->params.self_test)
			out->ingress = true;
		named = uplink && uplink_named(&pl->tun->params, link->pub.name);
		out->ingress |= named;
		out->xdp |= named && can_take_xdp(link) &&
			    pl->tun->params.datapath == TUNNEL_DATAPATH_XDP;
	}
}

static void links_sync(void)
{
	const struct attach_programs progs = {
		.ingress = bpf_program__fd(skel->progs.uplink_ingress),
		.ingress_l3 = bpf_program__fd(skel->progs.uplink_ingress_l3),
		.egress = bpf_program__fd(skel->progs.relay_egress),
		.xdp = bpf_program__fd(skel->progs.uplink_xdp),
	};

	tunnel_attach_sync(&progs, link_wanted, hold_back);
	if (tunnel_xdp_sync(bpf_map__fd(skel->maps.xdp_uplinks),
			    bpf_map__fd(skel->maps.xdp_devices)))
		decisions_over();
}

/* -------- tunnels -------- */

int tunnel_bpf_set(struct tunnel *tun, ifindex_t ifindex, bool on_tun)
{
	int at, ret = tunnel_bpf_load();

	if (ret < 0)
		return ret;
	frr_with_privs (tunnel_privs) {
		at = place_of(tun);
		if (at < 0)
			at = place_new(tun);
		ret = at < 0 ? at : place_sync(places[at], at, ifindex,
						   on_tun);
	}
	if (ret < 0) {
		snprintf(load_error, sizeof(load_error), "eBPF maps: %s",
			 safe_strerror(-ret));
		return ret;
	}
	links_sync();
	return 0;
}

void tunnel_bpf_unset(struct tunnel *tun, struct relay_bpf_counters *last)
{
	int at = place_of(tun);
	struct place *pl;
	uint32_t key = at;

	memset(last, 0, sizeof(*last));
	if (at < 0)
		return;
	pl = places[at];
	frr_with_privs (tunnel_privs) {
		/* first what leads there */
		map_drop(skel->maps.by_source, &pl->relay.source);
		map_drop(skel->maps.by_ifindex, &pl->relay.ifindex);
		decisions_over();
		memset(&pl->relay, 0, sizeof(pl->relay));
		map_put(skel->maps.relays, &key, &pl->relay);
		for (size_t i = 0; i < pl->nrules; i++)
			rule_change(at, &pl->rules[i], false);
	}
	tunnel_bpf_count_anew();
	tunnel_bpf_counters(tun, last);
	XFREE(MTYPE_BPF_RULES, pl->rules);
	XFREE(MTYPE_BPF_PLACE, places[at]);
	links_sync();
}

void tunnel_bpf_check(void)
{
	if (!skel)
		return;
	for (size_t at = 0;
	     at < places_end && addrs_seen != kern_addr_generation(); at++) {
		struct place *pl = places[at];

		if (!pl || !rules_changed(pl))
			continue;
		frr_with_privs (tunnel_privs) {
			place_sync(pl, at, pl->relay.ifindex,
				   pl->relay.flags & RELAY_BPF_AGGREGATES);
		}
	}
	addrs_seen = kern_addr_generation();
	links_sync();
	decisions_over();
}

const char *tunnel_bpf_problem(const struct tunnel *tun)
{
	struct kern_link *link = NULL;
	int at = place_of(tun);

	if (at < 0 || !tunnel_attach_failing())
		return "";
	while ((link = kern_link_next(link))) {
		const char *error = tunnel_attach_error(link->pub.ifindex);

		if (error[0] && (link->pub.ifindex ==
					 (ifindex_t)places[at]->relay.ifindex ||
				 (can_be_uplink(link) &&
				  uplink_named(&tun->params, link->pub.name))))
			return error;
	}
	return "";
}

bool tunnel_bpf_xdp(const struct tunnel *tun)
{
	struct kern_link *link = NULL;

	if (tun->params.datapath != TUNNEL_DATAPATH_XDP || place_of(tun) < 0)
		return false;
	while ((link = kern_link_next(link)))
		if (tunnel_attach_has_xdp(link->pub.ifindex) &&
		    uplink_named(&tun->params, link->pub.name))
			return true;
	return false;
}

/* -------- counters -------- */

void tunnel_bpf_counters(const struct tunnel *tun,
			 struct relay_bpf_counters *out)
{
	int at = place_of(tun);

	memset(out, 0, sizeof(*out));
	if (at >= 0)
		tunnel_bpf_count(bpf_map__fd(skel->maps.counters), places_end,
				 at, out);
}

void tunnel_bpf_poll(void)
{
	if (probes)
		ring_buffer__consume(probes);
}

/* -------- start and stop -------- */

static void hold_back_over(struct frr_event *ev)
{
	tunnel_bpf_sweep();
}

void tunnel_bpf_hold_back(void)
{
	hold_back = true;
	event_add_timer(tunnel_loop, hold_back_over, NULL, HOLD_BACK_S,
			&t_hold_back);
}

bool tunnel_bpf_relay(const struct tunnel *tun, struct slow_relay *out)
{
	int at = place_of(tun);

	if (at < 0)
		return false;
	*out = (struct slow_relay){&places[at]->relay, places[at]->rules,
				   places[at]->nrules};
	return true;
}

void tunnel_bpf_sweep(void)
{
	EVENT_OFF(t_hold_back);
	hold_back = false;
	if (skel)
		links_sync();
}

void tunnel_bpf_fini(void)
{
	EVENT_OFF(t_hold_back);
	for (size_t at = 0; at < places_end; at++)
		if (places[at]) {
			XFREE(MTYPE_BPF_RULES, places[at]->rules);
			XFREE(MTYPE_BPF_PLACE, places[at]);
		}
	places_end = 0;
	tunnel_bpf_count_fini();
	if (probes)
		ring_buffer__free(probes);
	probes = NULL;
	if (skel)
		sixtofour_bpf__destroy(skel);
	skel = NULL;
	tunnel_attach_fini();
	tunnel_xdp_forget();
	tunnel_filter_fini();
}
