// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is wrong with a sit tunnel, from what the kernel has told, and what it
 * has carried.
 */
#include <zebra.h>

#include "selftest_6to4.h"
#include "tunnel_device.h"
#include "tunnel_sit.h"

static void sit_check_interface(struct tunnel *tun)
{
	struct tunnel_status *st = &tun->status;
	struct tunnel_params *p = &tun->params;
	struct kern_link *link = kern_link_by_name(p->ifname);
	struct sit *sit = sit_priv(tun);
	struct kern_sit wanted;

	st->interface = TUNNEL_CHECK_OK;
	st->interface_down = false;
	st->ifindex = 0;
	if (!link) {
		device_failed(tun, &st->interface, TUNNEL_REPAIR_LATER,
			   "interface %s is missing", p->ifname);
		return;
	}
	if (!device_is_ours(tun, link)) {
		device_failed(tun, &st->interface, TUNNEL_REPAIR_LATER,
			   "interface %s exists and is not relayd's",
			   p->ifname);
		st->datapath_error = true;
		return;
	}
	st->ifindex = link->pub.ifindex;
	if (link->pub.ifindex != sit->ifindex)
		device_repair_now(tun);
	sit_wanted(tun, &wanted);
	if (sit->on_tun) {
		if (!sit->slow.tun || link->mtu != p->mtu)
			device_repair_now(tun);
	} else if (link->sit.local.s_addr != wanted.local.s_addr ||
		   link->sit.remote.s_addr != wanted.remote.s_addr)
		device_failed(
			tun, &st->interface, TUNNEL_REPAIR_LATER,
			"interface %s: someone set its local address to %pI4, remote to %pI4",
			p->ifname, &link->sit.local, &link->sit.remote);
	else if (!sit_same(&link->sit, &wanted) || link->mtu != p->mtu)
		device_repair_now(tun);
	if (!link->pub.up) {
		/* an operator's `ip link set down` is respected */
		st->interface_down = true;
		sit->was_down = true;
		device_failed(tun, &st->interface, TUNNEL_REPAIR_NONE,
			   "interface %s is down", p->ifname);
		return;
	}
	if (sit_compat_address(link->pub.ifindex) || sit->was_down)
		device_repair_now(tun);
	if (device_check_addresses(tun, link, sit->was_down))
		sit->was_down = false;
}

/* A line that says nothing without rules, or NULL. */
static const char *needs_rules(const struct tunnel_params *p)
{
	if (p->direction != TUNNEL_DIR_BOTH)
		return "tunnel direction";
	if (p->transmit_source.s_addr != p->source.s_addr)
		return "tunnel transmit-source";
	for (size_t i = 0; i < p->nfilters; i++)
		if (p->filters[i].verdict == FILTER_VERDICT_DENY)
			return "filter deny";
	return NULL;
}

static void sit_check_rules(struct tunnel *tun)
{
	struct tunnel_status *st = &tun->status;
	struct tunnel_params *p = &tun->params;
	struct sit *sit = sit_priv(tun);
	const char *what;
	int ret;

	if (sit->nft_source.s_addr &&
	    sit->filter_generation != tunnel_filter_generation())
		sit_rules(tun);
	ret = sit->on_tun ? 0 : tunnel_nft_state(p->source);
	st->note[0] = '\0';
	if (ret == 0)
		sit->nft_seen = true;
	if (ret == -ENOENT)
		device_repair_now(tun);
	if (ret == -EINPROGRESS || ret == -ENOENT) {
		if (st->interface == TUNNEL_CHECK_OK && !sit->nft_seen)
			st->interface = TUNNEL_CHECK_PENDING;
	} else if (ret < 0) {
		what = needs_rules(p);
		if (what) {
			st->datapath_error = true;
			device_failed(tun, &st->interface, TUNNEL_REPAIR_LATER,
				   "%s needs nftables: %s", what,
				   tunnel_nft_error());
		}
		strlcpy(st->note,
			sit->fast
				? "without nftables no addresses are checked of what the eBPF programs leave to sit"
				: "without nftables no addresses are checked, and all packets may go to one IPv4 next hop: kernel sit caches one route",
			sizeof(st->note));
	} else if (tunnel_route_several_nexthops() && !sit_priv(tun)->fast) {
		strlcpy(st->note,
			"several IPv4 next hops: kernel sit caches one route, nftables routes each packet again",
			sizeof(st->note));
	}
	if (tunnel_transit_problem()[0]) {
		if (st->note[0])
			strlcat(st->note, "; ", sizeof(st->note));
		strlcat(st->note, tunnel_transit_problem(), sizeof(st->note));
	}
}

int sit_check(struct tunnel *tun)
{
	tun->status.detail[0] = '\0';
	sit_check_interface(tun);
	device_check_source(tun);
	device_check_forwarding(tun);
	sit_check_rules(tun);
	sit_fast_check(tun);
	return 0;
}

/* -------- counters -------- */

void sit_probes(const struct sit *sit, struct nft_relay_counters *out)
{
	const struct nft_relay_counters *base = &sit->probes_base;
	struct nft_relay_counters now;

	tunnel_nft_counters(sit->nft_source, &now);
	out->probes_in = base->probes_in + now.probes_in;
	out->probes_out = base->probes_out + now.probes_out;
	for (size_t i = 0; i < array_size(out->drops); i++)
		out->drops[i] = base->drops[i] + now.drops[i];
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/*
 * By reason; what nftables can't ask is sit's own: rx_frame counts congestion
 * marks that can't be handed on, and rx_errors those and spoofed sources.
 */
static void drops_add(struct tunnel_counters *out,
		      const struct nft_relay_counters *rules,
		      const struct kern_stats *dev)
{
	uint64_t n;

	for (enum relay_bpf_reason r = RELAY_BPF_PASS + 1;
	     r < RELAY_BPF_REASON_END; r++) {
		n = rules->drops[r];
		if (r == RELAY_BPF_DROP_SOURCE_SPOOFED)
			n += less(dev->rx_errors, dev->rx_frame);
		else if (r == RELAY_BPF_DROP_ECN)
			n += dev->rx_frame;
		sit_add_drops(out, tunnel_nft_reason(r), n);
	}
}

/* What was told once is never taken back. */
static void counters_keep(struct tunnel_counters *told,
			  struct tunnel_counters *now)
{
	now->rx_packets = MAX(now->rx_packets, told->rx_packets);
	now->rx_bytes = MAX(now->rx_bytes, told->rx_bytes);
	now->tx_packets = MAX(now->tx_packets, told->tx_packets);
	now->tx_bytes = MAX(now->tx_bytes, told->tx_bytes);
	for (size_t i = 0; i < now->ndrops; i++)
		now->drops[i].packets =
			MAX(now->drops[i].packets, told->drops[i].packets);
	*told = *now;
}

/* Statistics of all devices of this tunnel since this run of relayd. */
static void sit_stats(const struct sit *sit, struct kern_stats *out)
{
	const uint64_t *base = (const uint64_t *)&sit->base;
	const uint64_t *last = (const uint64_t *)&sit->last;
	const uint64_t *adopted = (const uint64_t *)&sit->adopted;
	uint64_t *sum = (uint64_t *)out;

	for (size_t i = 0; i < sizeof(*out) / sizeof(*sum); i++)
		sum[i] = less(base[i] + last[i], adopted[i]);
}

/* The device may have counted it already. What is told is never taken back, so
 * rather a packet too few, for a moment. */
static bool probe_awaited(const struct tunnel *tun, enum tunnel_way way)
{
	return tun->st[way].waiting & 1U << TUNNEL_PATH_STACK;
}

int sit_counters(struct tunnel *tun, struct tunnel_counters *out)
{
	struct sit *sit = sit_priv(tun);
	struct nft_relay_counters probes;
	struct kern_stats now;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	if (sit->on_tun) {
		sit_fast_counters(tun, out);
		counters_keep(&sit->told, out);
		return 0;
	}
	if (sit->ifindex)
		ret = kern_link_stats(sit->ifindex, &sit->last);
	/* In this order: a probe that is in the statistics has come out by now.
	 * One that the tunnel sends is dropped behind it, so it counts there. */
	tunnel_nflog_poll();
	sit_probes(sit, &probes);
	sit_stats(sit, &now);
	/* the rules' counters end with a table that someone else deletes */
	probes.probes_in =
		MAX(probes.probes_in, tun->st[TUNNEL_WAY_4TO6].stack_seen) +
		probe_awaited(tun, TUNNEL_WAY_4TO6);
	probes.probes_out =
		MAX(probes.probes_out, tun->st[TUNNEL_WAY_6TO4].stack_seen) +
		probe_awaited(tun, TUNNEL_WAY_6TO4);
	out->rx_packets = less(now.rx_packets, probes.probes_in);
	out->rx_bytes =
		less(now.rx_bytes, probes.probes_in * SELFTEST_PROBE_LEN);
	out->tx_packets = now.tx_packets;
	out->tx_bytes = now.tx_bytes;
	drops_add(out, &probes, &now);
	sit_add_drops(out, "rx-dropped", now.rx_dropped);
	sit_add_drops(out, "tx-errors", now.tx_errors);
	sit_add_drops(out, "tx-dropped", less(now.tx_dropped, probes.probes_out));
	sit_add_drops(out, "tx-carrier", now.tx_carrier);
	sit_add_drops(out, "tx-aborted", now.tx_aborted);
	sit_add_drops(out, "collisions", now.collisions);
	sit_fast_counters(tun, out);
	counters_keep(&sit->told, out);
	return ret;
}
