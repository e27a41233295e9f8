// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "tunnel_counters.h"

void tunnel_counters_drop(struct tunnel_counters *out, const char *reason,
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

void tunnel_counters_bpf(struct tunnel_counters *out,
			 const struct relay_bpf_counters *c, bool teredo)
{
#define REASON_TEXT(name, text) [RELAY_BPF_DROP_##name] = text,
	static const char *const reasons[] = {RELAY_BPF_REASONS(REASON_TEXT)};

	out->rx_packets += c->ways[TUNNEL_WAY_4TO6].packets;
	out->rx_bytes += c->ways[TUNNEL_WAY_4TO6].bytes;
	out->tx_packets += c->ways[TUNNEL_WAY_6TO4].packets;
	out->tx_bytes += c->ways[TUNNEL_WAY_6TO4].bytes;
	for (size_t i = 0; i < array_size(reasons); i++)
		if (relay_bpf_reason_is_of(i, teredo))
			tunnel_counters_drop(out, reasons[i], c->drops[i]);
}

void tunnel_counters_sum(struct relay_bpf_counters *to,
			 const struct relay_bpf_counters *more)
{
	const uint64_t *in = (const uint64_t *)more;
	uint64_t *sum = (uint64_t *)to;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		sum[i] += in[i];
}

void tunnel_counters_keep(struct tunnel_counters *told,
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
