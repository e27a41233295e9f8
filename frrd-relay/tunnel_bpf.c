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
#include "selftest_teredo.h"
#include "slow_6to4.h"
#include "tunnel_attach.h"
#include "tunnel_bpf.h"
#include "tunnel_bpf_place.h"
#include "bpf/relay.skel.h"

/* Programs that a former run left are in use until the configuration is read,
 * or so many seconds. */
#define HOLD_BACK_S 5
/* a load that failed is tried again no sooner */
#define LOAD_RETRY_US 10000000

static struct relay_bpf *skel;
static struct ring_buffer *probes;
static int64_t load_failed_at;
static char load_error[TUNNEL_DETAIL_LEN];
static uint32_t loads; /* of the programs, this one included */
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
	const struct bpf_place *pl;

	if (len < sizeof(*probe))
		return 0;
	pl = bpf_place_at(probe->place);
	if (pl && pl->relay.udp_port)
		selftest_teredo_bpf_seen(pl->tun, probe);
	else if (pl)
		selftest_6to4_bpf_seen(pl->tun, probe);
	return 0;
}

static int load_failed(const char *what, int err)
{
	snprintf(load_error, sizeof(load_error), "eBPF: %s: %s", what,
		 safe_strerror(-err));
	if (skel)
		relay_bpf__destroy(skel);
	skel = NULL;
	load_failed_at = relay_now_us();
	return err;
}

static int load(void)
{
	int ret;

	libbpf_set_print(print_libbpf);
	skel = relay_bpf__open();
	if (!skel)
		return load_failed("the programs can't be read", -errno);
	memcpy(&skel->rodata->probe_nonce, tunnel_fast_nonce(),
	       sizeof(skel->rodata->probe_nonce));
	memcpy(&skel->rodata->stack_nonce, tunnel_probe_nonce(),
	       sizeof(skel->rodata->stack_nonce));
	ret = relay_bpf__load(skel);
	if (ret < 0)
		return load_failed("the kernel does not take the programs",
				   ret);
	probes = ring_buffer__new(bpf_map__fd(skel->maps.probes), probe_event,
				  NULL, NULL);
	if (!probes)
		return load_failed("ring buffer of the self-test", -errno);
	bpf_places_open(skel);
	loads++;
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

	for (size_t at = 0; at < bpf_places_end(); at++) {
		const struct bpf_place *pl = bpf_place_at(at);
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

/* Another namespace of this machine is behind it, or may be: a veth, a VLAN or
 * a macvlan on one. */
static bool is_veth(const struct kern_link *link)
{
	/* a VLAN's of a VLAN's, and no further */
	for (int depth = 0; link && depth < 3; depth++) {
		if (strcmp(link->kind, "veth") == 0 ||
		    strcmp(link->kind, "netkit") == 0)
			return true;
		if (strcmp(link->kind, "vlan") != 0 &&
		    strcmp(link->kind, "macvlan") != 0)
			return false;
		link = kern_link_by_index(link->lower);
	}
	return false;
}

/* The map has it until it is gone, and longer. */
static void veth_tell(struct kern_link *link)
{
	uint32_t ifindex = link->pub.ifindex;
	uint8_t yes = 1;

	if (link->veth_told == loads)
		return;
	link->veth_told = loads;
	frr_with_privs (tunnel_privs) {
		bpf_map_update_elem(bpf_map__fd(skel->maps.veths), &ifindex,
				    &yes, BPF_ANY);
	}
}

static void veths_sync(void)
{
	struct kern_link *link = NULL, *master;

	while ((link = kern_link_next(link))) {
		if (!is_veth(link))
			continue;
		veth_tell(link);
		/* a bridge with such a part */
		master = link->master ? kern_link_by_index(link->master) : NULL;
		if (master && strcmp(master->kind, "vrf") != 0)
			veth_tell(master);
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

	veths_sync();
	tunnel_attach_sync(&progs, link_wanted, hold_back);
	if (tunnel_xdp_sync(bpf_map__fd(skel->maps.xdp_uplinks),
			    bpf_map__fd(skel->maps.xdp_devices)))
		bpf_decisions_over();
}

/* -------- tunnels -------- */

int tunnel_bpf_set(struct tunnel *tun, ifindex_t ifindex, bool on_tun)
{
	struct bpf_place *pl;
	int ret = tunnel_bpf_load();

	if (ret < 0)
		return ret;
	frr_with_privs (tunnel_privs) {
		pl = bpf_place_of(tun);
		if (!pl)
			pl = bpf_place_new(tun);
		ret = pl ? bpf_place_sync(pl, ifindex, on_tun) : -errno;
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
	struct bpf_place *pl = bpf_place_of(tun);

	memset(last, 0, sizeof(*last));
	if (!pl)
		return;
	frr_with_privs (tunnel_privs) {
		bpf_place_clear(pl);
	}
	tunnel_bpf_count_anew();
	tunnel_bpf_counters(tun, last);
	bpf_place_free(&pl);
	links_sync();
}

void tunnel_bpf_check(void)
{
	if (!skel)
		return;
	for (size_t at = 0; at < bpf_places_end() &&
			    addrs_seen != kern_addr_generation();
	     at++) {
		struct bpf_place *pl = bpf_place_at(at);

		if (!pl || !bpf_place_is_stale(pl))
			continue;
		frr_with_privs (tunnel_privs) {
			bpf_place_sync(pl, pl->relay.ifindex,
				       pl->relay.flags & RELAY_BPF_AGGREGATES);
		}
	}
	addrs_seen = kern_addr_generation();
	links_sync();
	bpf_decisions_over();
}

const char *tunnel_bpf_problem(const struct tunnel *tun)
{
	struct kern_link *link = NULL;
	const struct bpf_place *pl = bpf_place_of(tun);

	if (!pl || !tunnel_attach_failing())
		return "";
	while ((link = kern_link_next(link))) {
		const char *error = tunnel_attach_error(link->pub.ifindex);

		if (error[0] && (link->pub.ifindex ==
					 (ifindex_t)pl->relay.ifindex ||
				 (can_be_uplink(link) &&
				  uplink_named(&tun->params, link->pub.name))))
			return error;
	}
	return "";
}

bool tunnel_bpf_xdp(const struct tunnel *tun)
{
	struct kern_link *link = NULL;

	if (tun->params.datapath != TUNNEL_DATAPATH_XDP || !bpf_place_of(tun))
		return false;
	while ((link = kern_link_next(link)))
		if (tunnel_attach_has_xdp(link->pub.ifindex) &&
		    uplink_named(&tun->params, link->pub.name))
			return true;
	return false;
}

int tunnel_bpf_peers_fd(const struct tunnel *tun)
{
	const struct bpf_place *pl = bpf_place_of(tun);

	return pl ? pl->peers_fd : -1;
}

void tunnel_bpf_decisions_over(void)
{
	bpf_decisions_over();
}

/* -------- counters -------- */

void tunnel_bpf_counters(const struct tunnel *tun,
			 struct relay_bpf_counters *out)
{
	const struct bpf_place *pl = bpf_place_of(tun);

	memset(out, 0, sizeof(*out));
	if (pl)
		tunnel_bpf_count(bpf_map__fd(skel->maps.counters),
				 bpf_places_end(), pl->at, out);
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
	const struct bpf_place *pl = bpf_place_of(tun);

	if (!pl)
		return false;
	*out = (struct slow_relay){&pl->relay, pl->rules, pl->nrules};
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
	bpf_places_open(NULL);
	tunnel_bpf_count_fini();
	if (probes)
		ring_buffer__free(probes);
	probes = NULL;
	if (skel)
		relay_bpf__destroy(skel);
	skel = NULL;
	tunnel_attach_fini();
	tunnel_xdp_forget();
	tunnel_filter_fini();
}
