// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "log.h"
#include "tunnel_bpf.h"
#include "tunnel_counters.h"
#include "tunnel_fast.h"

static bool asked_for(const struct tunnel *tun)
{
	switch (tun->params.datapath) {
	case TUNNEL_DATAPATH_SIT:
	case TUNNEL_DATAPATH_USERSPACE:
		return false;
	case TUNNEL_DATAPATH_AUTO:
	case TUNNEL_DATAPATH_EBPF:
	case TUNNEL_DATAPATH_XDP:
		break;
	}
	return true;
}

static bool can_do_without(const struct tunnel *tun,
			   const struct tunnel_fast *fast)
{
	return tun->params.datapath == TUNNEL_DATAPATH_AUTO && !fast->needed;
}

static int failed(struct tunnel *tun, int err)
{
	strlcpy(tun->status.detail, tunnel_bpf_error(),
		sizeof(tun->status.detail));
	return err;
}

int tunnel_fast_wanted(struct tunnel *tun, const struct tunnel_fast *fast)
{
	int ret;

	if (!asked_for(tun))
		return 0;
	ret = tunnel_bpf_load();
	if (ret == 0)
		return 1;
	return can_do_without(tun, fast) ? 0 : failed(tun, ret);
}

int tunnel_fast_apply(struct tunnel *tun, struct tunnel_fast *fast,
		      ifindex_t ifindex, bool on_tun)
{
	int ret = tunnel_bpf_set(tun, ifindex, on_tun);

	fast->on = ret == 0;
	if (ret == 0)
		return 0;
	if (!can_do_without(tun, fast))
		return failed(tun, ret);
	zlog_warn("relay %s: %s", tun->params.owner, tunnel_bpf_error());
	return 0;
}

void tunnel_fast_off(struct tunnel *tun, struct tunnel_fast *fast)
{
	struct relay_bpf_counters last;

	if (!fast->on)
		return;
	tunnel_bpf_unset(tun, &last);
	tunnel_counters_sum(&fast->base, &last);
	fast->on = false;
}

void tunnel_note(struct tunnel *tun, const char *note)
{
	char *text = tun->status.note;

	if (!note[0])
		return;
	if (text[0])
		strlcat(text, "; ", sizeof(tun->status.note));
	strlcat(text, note, sizeof(tun->status.note));
}

void tunnel_fast_check(struct tunnel *tun, struct tunnel_fast *fast,
		       const char *slow)
{
	struct tunnel_status *st = &tun->status;

	/* A relay that is down is none, for the programs as for the stack. */
	if (st->interface_down || !st->ifindex)
		tunnel_fast_off(tun, fast);
	else if (!fast->on && st->interface == TUNNEL_CHECK_OK &&
		 asked_for(tun) && !tunnel_bpf_error()[0] &&
		 tun->repair == TUNNEL_REPAIR_NONE)
		tun->repair = TUNNEL_REPAIR_NOW;
	if (fast->on)
		st->datapath = tunnel_bpf_xdp(tun) ? "xdp" : "ebpf";
	else
		st->datapath = slow;
	tunnel_note(tun, tunnel_bpf_problem(tun));
	if (!fast->on && tun->params.datapath == TUNNEL_DATAPATH_AUTO)
		tunnel_note(tun, tunnel_bpf_error());
}

void tunnel_fast_counters(const struct tunnel *tun,
			  const struct tunnel_fast *fast,
			  struct tunnel_counters *out)
{
	bool teredo = tun->params.udp_port != 0;
	struct relay_bpf_counters now;

	tunnel_bpf_counters(tun, &now);
	tunnel_counters_bpf(out, &fast->base, teredo);
	tunnel_counters_bpf(out, &now, teredo);
}
