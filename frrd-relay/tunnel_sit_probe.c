// SPDX-License-Identifier: GPL-2.0-or-later
/* The self-test of a sit tunnel: the routes of its probes, and where one that
 * is lost was seen last. */
#include <zebra.h>

#include "log.h"
#include "selftest_6to4.h"
#include "tunnel_sit.h"

/*
 * The self-test's host routes: three ends of its probes' ways lie behind the
 * tunnel's interface, whatever zebra has for their prefixes.
 */
static const enum selftest_end sit_probe_ends[] = {
	SELFTEST_NATIVE_HOST,
	SELFTEST_6TO4_UPLINK,
	SELFTEST_6TO4_HOST,
};

int sit_have_probe_routes(ifindex_t ifindex, struct in_addr source,
			  unsigned int *added)
{
	struct in6_addr target;
	int ret;

	for (size_t i = 0; i < array_size(sit_probe_ends); i++) {
		selftest_6to4_address(sit_probe_ends[i], source, &target);
		if (kern_local_route_present(&target, ifindex))
			continue;
		ret = kern_local_route_add(&target, ifindex);
		if (ret < 0)
			return ret;
		if (added)
			++*added;
	}
	return 0;
}

void sit_drop_probe_routes(ifindex_t ifindex, struct in_addr source)
{
	struct in6_addr target;
	int ret;

	for (size_t i = 0; i < array_size(sit_probe_ends); i++) {
		selftest_6to4_address(sit_probe_ends[i], source, &target);
		if (!kern_local_route_present(&target, ifindex))
			continue;
		ret = kern_local_route_del(&target, ifindex);
		if (ret < 0)
			zlog_warn("self-test route %pI6 can't be removed: %s",
				  &target, safe_strerror(-ret));
	}
}

/* What the stack's path needs, so that a probe stays on this host. */
static int stack_ready(struct tunnel *tun, enum tunnel_way way)
{
	struct tunnel_self_test *st = &tun->st[way];
	int ret = selftest_6to4_log_error(st);

	if (ret < 0)
		return ret;
	ret = tunnel_nft_state(tun->params.source);
	/* Nothing would keep the probe's outer route out of sit's cache and the
	 * probe itself on this host. */
	if (ret == -EINPROGRESS)
		strlcpy(st->why, "its nftables rules are not there yet",
			sizeof(st->why));
	else if (ret < 0)
		snprintf(st->why, sizeof(st->why), "it needs nftables: %s",
			 tunnel_nft_error());
	return ret;
}

int sit_self_test(struct tunnel *tun, enum tunnel_way way, uint32_t seq)
{
	struct tunnel_self_test *st = &tun->st[way];
	const struct sit *sit = tun->priv;
	unsigned int added = 0;
	int ret;

	/* asked only after a loss: it is the dearest part of a probe */
	if (st->lost) {
		ret = sit_have_probe_routes(tun->status.ifindex,
					    tun->params.source, &added);
		if (added)
			zlog_warn(
				"relay %s: %u self-test routes were missing, put back",
				tun->params.owner, added);
		if (ret < 0)
			return ret;
	}
	/* a TUN's slow way is in user space, which is at work here */
	st->waiting = (sit->fast.on ? 1U << TUNNEL_PATH_FAST : 0) |
		      (sit->on_tun ? 0 : 1U << TUNNEL_PATH_STACK);
	if (!sit->on_tun) {
		ret = stack_ready(tun, way);
		if (ret == 0)
			ret = selftest_6to4_send(tun, way, TUNNEL_PATH_STACK,
						 seq);
		if (ret < 0)
			return ret;
	}
	return sit->fast.on ? selftest_6to4_send(tun, way, TUNNEL_PATH_FAST, seq)
			 : 0;
}

static const char *sit_lost_in(const struct nft_relay_counters *now,
			       const struct nft_relay_counters *first)
{
	if (now->probes_in == first->probes_in)
		return "probes do not reach the tunnel (an IPv4 input filter, or rp_filter of lo)";
	if (now->probes_in_routed == first->probes_in_routed)
		return "IPv6 does not route what comes out of the tunnel (route, policy or filter)";
	return "an IPv6 filter drops what comes out of the tunnel (forward or postrouting)";
}

static const char *sit_lost_out(const struct nft_relay_counters *now,
				const struct nft_relay_counters *first)
{
	if (now->probes_out_routed == first->probes_out_routed)
		return "IPv6 does not route probes into the tunnel (policy or filter)";
	if (now->probes_out == first->probes_out)
		return "the tunnel does not send (an IPv6 forward filter, or no IPv4 route)";
	return "an IPv4 filter drops protocol 41 on its way out (output or postrouting)";
}

void sit_self_test_lost(struct tunnel *tun, enum tunnel_way way,
			unsigned int losses)
{
	struct sit *sit = sit_priv(tun);
	struct nft_relay_counters now, *first = &sit->first_loss[way];

	tunnel_nft_counters(tun->params.source, &now);
	if (losses == 1)
		*first = now;
	if (tun->st[way].waiting & 1U << TUNNEL_PATH_FAST) {
		strlcpy(tun->st[way].detail,
			tun->st[way].cause
				? tun->st[way].cause
				: "the eBPF programs see no probes (tc ingress of lo)",
			sizeof(tun->st[way].detail));
		return;
	}
	if (losses == 1)
		return;
	strlcpy(tun->st[way].detail,
		way == TUNNEL_WAY_4TO6 ? sit_lost_in(&now, first)
				       : sit_lost_out(&now, first),
		sizeof(tun->st[way].detail));
}
