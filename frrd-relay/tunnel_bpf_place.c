// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "relay_memory.h"
#include "tunnel_bpf_place.h"
#include "bpf/relay.skel.h"

DEFINE_MTYPE_STATIC(RELAYD, BPF_PLACE, "Relay eBPF instance");
DEFINE_MTYPE_STATIC(RELAYD, BPF_RULES, "Relay eBPF filter");
DEFINE_MTYPE_STATIC(RELAYD, BPF_COUNTERS, "Relay eBPF counters");

static struct relay_bpf *skel;
static struct bpf_place *places[RELAY_BPF_RELAYS_MAX];
static size_t places_end; /* one behind the last in use */

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

void bpf_decisions_over(void)
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

/* New rules go in before the old ones go out. */
static int place_rules(struct bpf_place *pl)
{
	const struct filter_rule *rules, *old;
	size_t n;
	int ret = 0;

	rules = tunnel_filter_rules(&pl->tun->params, &n);
	for (size_t i = 0; i < n && ret == 0; i++) {
		old = rule_of(pl->rules, pl->nrules, &rules[i].p);
		if (!old || !rule_same(old, &rules[i]))
			ret = rule_change(pl->at, &rules[i], true);
	}
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < pl->nrules; i++)
		if (!rule_of(rules, n, &pl->rules[i].p))
			rule_change(pl->at, &pl->rules[i], false);
	pl->rules = XREALLOC(MTYPE_BPF_RULES, pl->rules,
			     MAX(n, 1U) * sizeof(*rules));
	memcpy(pl->rules, rules, n * sizeof(*rules));
	pl->nrules = n;
	return 0;
}

bool bpf_place_is_stale(const struct bpf_place *pl)
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

/* -------- Teredo's peers -------- */

/*
 * One more than the bound is the self-test's peer; but a bound that is a power
 * of two would so take twice the buckets, 16 Mbyte at the most. It is the first
 * in the map, and what finds no place there goes by the engine.
 */
static uint32_t peers_room(uint32_t max)
{
	return max + ((max & (max - 1)) != 0);
}

/* All of the map's memory is taken here, so that the engine's thread is never
 * refused for want of it. */
static int peers_sync(struct bpf_place *pl)
{
	const struct tunnel_params *p = &pl->tun->params;
	int fd, ret;

	if (!p->udp_port || (pl->peers_fd >= 0 && pl->peers_max == p->peers_max))
		return 0;
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "relay_peers",
			    sizeof(struct relay_bpf_peer_key),
			    sizeof(struct relay_bpf_peer), peers_room(p->peers_max),
			    NULL);
	if (fd < 0)
		return -errno;
	ret = map_put(skel->maps.peers, &pl->at, &fd);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	if (pl->peers_fd >= 0)
		close(pl->peers_fd);
	pl->peers_fd = fd;
	pl->peers_max = p->peers_max;
	return 0;
}

static void peers_drop(struct bpf_place *pl)
{
	if (pl->peers_fd < 0)
		return;
	map_drop(skel->maps.peers, &pl->at);
	close(pl->peers_fd);
	pl->peers_fd = -1;
}

/* -------- places -------- */

/* Where 4to6 packets for a relay arrive: the key, and the map. */
static struct bpf_map *end_of(const struct relay_bpf_relay *relay,
			      struct relay_bpf_service *key)
{
	*key = (struct relay_bpf_service){.addr = relay->source,
					  .port = relay->udp_port};
	return relay->udp_port ? skel->maps.by_service : skel->maps.by_source;
}

static int end_put(const struct relay_bpf_relay *relay, uint32_t at)
{
	struct relay_bpf_service key;
	struct bpf_map *map = end_of(relay, &key);

	return map_put(map, &key, &at);
}

static void end_drop(const struct relay_bpf_relay *relay)
{
	struct relay_bpf_service key;
	struct bpf_map *map = end_of(relay, &key);

	if (relay->source)
		map_drop(map, &key);
}

static bool end_same(const struct relay_bpf_relay *a,
		     const struct relay_bpf_relay *b)
{
	return a->source == b->source && a->udp_port == b->udp_port;
}

/* No Teredo relay, and the programs let UDP go by. */
static void count_services(void)
{
	uint32_t n = 0;

	for (size_t at = 0; at < places_end; at++)
		n += places[at] && places[at]->relay.udp_port;
	skel->bss->services = n;
}

int bpf_place_sync(struct bpf_place *pl, ifindex_t ifindex, bool on_tun)
{
	const struct tunnel_params *p = &pl->tun->params;
	struct relay_bpf_relay relay, old = pl->relay;
	uint32_t index = ifindex;
	int ret;

	tunnel_filter_relay(p, ifindex, on_tun, &relay);
	ret = place_rules(pl);
	if (ret == 0)
		ret = peers_sync(pl);
	if (ret == 0)
		ret = map_put(skel->maps.relays, &pl->at, &relay);
	if (ret == 0)
		ret = end_put(&relay, pl->at);
	if (ret == 0)
		ret = map_put(skel->maps.by_ifindex, &index, &pl->at);
	if (ret == 0) {
		pl->relay = relay;
		if (!end_same(&old, &relay))
			end_drop(&old);
		if (old.ifindex && old.ifindex != relay.ifindex)
			map_drop(skel->maps.by_ifindex, &old.ifindex);
	}
	count_services();
	bpf_decisions_over();
	return ret;
}

struct bpf_place *bpf_place_new(struct tunnel *tun)
{
	int cpus = libbpf_num_possible_cpus();
	struct relay_bpf_counters *zero;
	struct bpf_place *pl;
	uint32_t at;
	int ret;

	for (at = 0; at < RELAY_BPF_RELAYS_MAX && places[at]; at++)
		;
	if (at == RELAY_BPF_RELAYS_MAX || cpus < 0) {
		errno = ENOSPC;
		return NULL;
	}
	/* whoever had the place before has counted there */
	zero = XCALLOC(MTYPE_BPF_COUNTERS, cpus * sizeof(*zero));
	ret = map_put(skel->maps.counters, &at, zero);
	XFREE(MTYPE_BPF_COUNTERS, zero);
	if (ret < 0) {
		errno = -ret;
		return NULL;
	}
	pl = places[at] = XCALLOC(MTYPE_BPF_PLACE, sizeof(*pl));
	pl->at = at;
	pl->tun = tun;
	pl->peers_fd = -1;
	places_end = MAX(places_end, at + 1);
	return pl;
}

void bpf_place_clear(struct bpf_place *pl)
{
	/* first what leads there */
	end_drop(&pl->relay);
	map_drop(skel->maps.by_ifindex, &pl->relay.ifindex);
	bpf_decisions_over();
	memset(&pl->relay, 0, sizeof(pl->relay));
	map_put(skel->maps.relays, &pl->at, &pl->relay);
	peers_drop(pl);
	count_services();
	for (size_t i = 0; i < pl->nrules; i++)
		rule_change(pl->at, &pl->rules[i], false);
}

void bpf_place_free(struct bpf_place **pl)
{
	places[(*pl)->at] = NULL;
	if ((*pl)->peers_fd >= 0)
		close((*pl)->peers_fd);
	XFREE(MTYPE_BPF_RULES, (*pl)->rules);
	XFREE(MTYPE_BPF_PLACE, *pl);
}

struct bpf_place *bpf_place_at(size_t at)
{
	return at < places_end ? places[at] : NULL;
}

struct bpf_place *bpf_place_of(const struct tunnel *tun)
{
	for (size_t at = 0; at < places_end; at++)
		if (places[at] && places[at]->tun == tun)
			return places[at];
	return NULL;
}

size_t bpf_places_end(void)
{
	return places_end;
}

void bpf_places_open(struct relay_bpf *object)
{
	for (size_t at = 0; at < places_end; at++)
		if (places[at]) {
			struct bpf_place *pl = places[at];

			bpf_place_free(&pl);
		}
	places_end = 0;
	skel = object;
}
