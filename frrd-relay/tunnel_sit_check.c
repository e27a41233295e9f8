// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is wrong with a sit tunnel, from what the kernel has told, and what it
 * has carried.
 */
#include <zebra.h>

#include "selftest_6to4.h"
#include "tunnel_counters.h"
#include "tunnel_device.h"
#include "tunnel_sit.h"

static void sit_check_interface(struct tunnel *tun)
{
	struct tunnel_status *st = &tun->status;
	struct tunnel_params *p = &tun->params;
	struct sit *sit = sit_priv(tun);
	const struct kern_link *link = device_check_link(tun, sit->ifindex);
	struct kern_sit wanted;

	if (!link)
		return;
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
	if (!device_check_up(tun, link)) {
		sit->was_down = true;
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
			sit->fast.on
				? "without nftables no addresses are checked of what the eBPF programs leave to sit"
				: "without nftables no addresses are checked, and all packets may go to one IPv4 next hop: kernel sit caches one route",
			sizeof(st->note));
	} else if (tunnel_route_several_nexthops() && !sit_priv(tun)->fast.on) {
		strlcpy(st->note,
			"several IPv4 next hops: kernel sit caches one route, nftables routes each packet again",
			sizeof(st->note));
	}
	tunnel_note(tun, tunnel_transit_problem());
}

int sit_check(struct tunnel *tun)
{
	struct sit *sit = sit_priv(tun);

	tun->status.detail[0] = '\0';
	sit_check_interface(tun);
	device_check_source(tun);
	device_check_forwarding(tun);
	sit_check_rules(tun);
	tunnel_fast_check(tun, &sit->fast, sit->on_tun ? "none" : "sit");
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
		if (!relay_bpf_reason_is_of(r, false))
			continue;
		n = rules->drops[r];
		if (r == RELAY_BPF_DROP_SOURCE_SPOOFED)
			n += less(dev->rx_errors, dev->rx_frame);
		else if (r == RELAY_BPF_DROP_ECN)
			n += dev->rx_frame;
		tunnel_counters_drop(out, tunnel_nft_reason(r), n);
	}
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
		tunnel_fast_counters(tun, &sit->fast, out);
		tunnel_counters_bpf(out, &sit->slow.counters, false);
		tunnel_counters_drop(out, "unreachable",
				     sit->slow.unreachable);
		tunnel_counters_keep(&sit->told, out);
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
	tunnel_counters_drop(out, "rx-dropped", now.rx_dropped);
	tunnel_counters_drop(out, "tx-errors", now.tx_errors);
	tunnel_counters_drop(out, "tx-dropped", less(now.tx_dropped, probes.probes_out));
	tunnel_counters_drop(out, "tx-carrier", now.tx_carrier);
	tunnel_counters_drop(out, "tx-aborted", now.tx_aborted);
	tunnel_counters_drop(out, "collisions", now.collisions);
	tunnel_fast_counters(tun, &sit->fast, out);
	tunnel_counters_keep(&sit->told, out);
	return ret;
}
