// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The eBPF programs on a 6to4 tunnel, and the TUN where the kernel has no sit.
 *
 * A sit device stays complete without the programs: it is their slow way. A TUN
 * is nothing without them, so there their failure is the relay's.
 */
#include <zebra.h>

#include "log.h"
#include "tunnel_bpf.h"
#include "tunnel_sit.h"

int sit_fast_wanted(struct tunnel *tun)
{
	struct sit *sit = sit_priv(tun);
	int ret;

	if (tun->params.datapath == TUNNEL_DATAPATH_SIT)
		return 0;
	ret = tunnel_bpf_load();
	if (ret == 0)
		return 1;
	if (tun->params.datapath == TUNNEL_DATAPATH_AUTO && !sit->on_tun)
		return 0;
	strlcpy(tun->status.detail, tunnel_bpf_error(),
		sizeof(tun->status.detail));
	return ret;
}

int sit_fast_have_tun(struct tunnel *tun)
{
	struct sit *sit = sit_priv(tun);
	int fd, ret;

	if (sit->slow.tun)
		return 0; /* attached */
	fd = tun_open(tun->params.ifname);
	if (fd < 0)
		return tunnel_fail(tun, fd, "TUN %s", tun->params.ifname);
	ret = tun_slow_start(&sit->slow, tun, fd);
	if (ret < 0) {
		close(fd);
		return tunnel_fail(tun, ret, "a raw socket for protocol 41");
	}
	return 0;
}

void sit_fast_leave_tun(struct tunnel *tun)
{
	tun_slow_stop(&sit_priv(tun)->slow);
}

int sit_fast_apply(struct tunnel *tun, ifindex_t ifindex)
{
	struct sit *sit = sit_priv(tun);
	int ret = tunnel_bpf_set(tun, ifindex, sit->on_tun);

	sit->fast = ret == 0;
	if (ret == 0)
		return 0;
	if (tun->params.datapath == TUNNEL_DATAPATH_AUTO && !sit->on_tun) {
		zlog_warn("relay %s: %s", tun->params.owner,
			  tunnel_bpf_error());
		return 0;
	}
	strlcpy(tun->status.detail, tunnel_bpf_error(),
		sizeof(tun->status.detail));
	return ret;
}

static void counters_add(struct relay_bpf_counters *to,
			 const struct relay_bpf_counters *more)
{
	const uint64_t *in = (const uint64_t *)more;
	uint64_t *sum = (uint64_t *)to;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		sum[i] += in[i];
}

void sit_fast_off(struct tunnel *tun)
{
	struct sit *sit = sit_priv(tun);
	struct relay_bpf_counters last;

	if (!sit->fast)
		return;
	tunnel_bpf_unset(tun, &last);
	counters_add(&sit->fast_base, &last);
	sit->fast = false;
}

static const char *fast_name(const struct tunnel *tun, const struct sit *sit)
{
	if (!sit->fast)
		return sit->on_tun ? "none" : "sit";
	return tunnel_bpf_xdp(tun) ? "xdp" : "ebpf";
}

static void note_add(struct tunnel_status *st, const char *note)
{
	if (!note[0])
		return;
	if (st->note[0])
		strlcat(st->note, "; ", sizeof(st->note));
	strlcat(st->note, note, sizeof(st->note));
}

void sit_fast_check(struct tunnel *tun)
{
	struct tunnel_status *st = &tun->status;
	struct sit *sit = sit_priv(tun);

	/* A relay that is down is none, for the programs as for the stack. */
	if (st->interface_down || !st->ifindex)
		sit_fast_off(tun);
	else if (!sit->fast && st->interface == TUNNEL_CHECK_OK &&
		 tun->params.datapath != TUNNEL_DATAPATH_SIT &&
		 !tunnel_bpf_error()[0] && tun->repair == TUNNEL_REPAIR_NONE)
		tun->repair = TUNNEL_REPAIR_NOW;
	st->datapath = fast_name(tun, sit);
	note_add(st, tunnel_bpf_problem(tun));
	if (!sit->fast && tun->params.datapath == TUNNEL_DATAPATH_AUTO)
		note_add(st, tunnel_bpf_error());
}

void sit_add_drops(struct tunnel_counters *out, const char *reason,
		   uint64_t packets)
{
	for (size_t i = 0; i < out->ndrops; i++)
		if (strcmp(out->drops[i].reason, reason) == 0) {
			out->drops[i].packets += packets;
			return;
		}
	if (out->ndrops < TUNNEL_DROPS_MAX)
		out->drops[out->ndrops++] =
			(struct tunnel_drop){reason, packets};
}

static void add_counters(const struct relay_bpf_counters *c,
			 struct tunnel_counters *out)
{
#define REASON_TEXT(name, text) [RELAY_BPF_DROP_##name] = text,
	static const char *const reasons[] = {RELAY_BPF_REASONS(REASON_TEXT)};

	out->rx_packets += c->ways[TUNNEL_WAY_4TO6].packets;
	out->rx_bytes += c->ways[TUNNEL_WAY_4TO6].bytes;
	out->tx_packets += c->ways[TUNNEL_WAY_6TO4].packets;
	out->tx_bytes += c->ways[TUNNEL_WAY_6TO4].bytes;
	for (size_t i = 0; i < array_size(reasons); i++)
		if (reasons[i])
			sit_add_drops(out, reasons[i], c->drops[i]);
}

void sit_fast_counters(const struct tunnel *tun, struct tunnel_counters *out)
{
	const struct sit *sit = tun->priv;
	struct relay_bpf_counters now;

	tunnel_bpf_counters(tun, &now);
	add_counters(&sit->fast_base, out);
	add_counters(&now, out);
	if (!sit->on_tun)
		return;
	add_counters(&sit->slow.counters, out);
	sit_add_drops(out, "unreachable", sit->slow.unreachable);
}
