// SPDX-License-Identifier: GPL-2.0-or-later
/* `track N interface IFNAME line-protocol`, on the tunnel floor's link table. */
#include <zebra.h>

#include "memory.h"

#include "relay_memory.h"
#include "track.h"
#include "tunnel.h"

DEFINE_MTYPE_STATIC(RELAYD, TRACK_INTERFACE, "Track interface");

PREDECL_DLIST(interface_objs);

struct interface_obj {
	struct interface_objs_item item;
	struct track *trk;
};
DECLARE_DLIST(interface_objs, struct interface_obj, item);

static struct interface_objs_head interface_objs[1];

/* link: NULL or ifindex 0 when there is none of that name */
static void interface_judge(struct track *trk, const struct tunnel_link *link)
{
	char detail[sizeof(trk->detail)];

	if (!link || link->ifindex == 0) {
		snprintf(detail, sizeof(detail), "interface %s missing",
			 trk->cfg.ifname);
		track_report(trk, TRACK_STATE_DOWN, detail);
	} else if (!link->up) {
		track_report(trk, TRACK_STATE_DOWN, "administratively down");
	} else if (!link->operative) {
		track_report(trk, TRACK_STATE_DOWN, "line protocol down");
	} else {
		track_report(trk, TRACK_STATE_UP, NULL);
	}
}

static int interface_link_change(const struct tunnel_link *link)
{
	struct interface_obj *obj;

	frr_each_safe (interface_objs, interface_objs, obj)
		if (strcmp(obj->trk->cfg.ifname, link->name) == 0)
			interface_judge(obj->trk, link);
	return 0;
}

static int interface_start(struct track *trk)
{
	struct interface_obj *obj;

	obj = XCALLOC(MTYPE_TRACK_INTERFACE, sizeof(*obj));
	obj->trk = trk;
	trk->priv = obj;
	interface_objs_add_tail(interface_objs, obj);
	interface_judge(trk, tunnel_link_lookup(trk->cfg.ifname));
	return 0;
}

static void interface_stop(struct track *trk)
{
	struct interface_obj *obj = trk->priv;

	if (!obj)
		return;
	trk->priv = NULL;
	interface_objs_del(interface_objs, obj);
	XFREE(MTYPE_TRACK_INTERFACE, obj);
}

static void interface_target(const struct track *trk, char *buf, size_t len)
{
	snprintf(buf, len, "%s", trk->cfg.ifname);
}

const struct track_ops track_interface_ops = {
	.type = TRACK_INTERFACE,
	.name = "interface",
	.start = interface_start,
	.stop = interface_stop,
	.target = interface_target,
};

void track_interface_init(void)
{
	interface_objs_init(interface_objs);
	hook_register(tunnel_link_change, interface_link_change);
}

void track_interface_fini(void)
{
	hook_unregister(tunnel_link_change, interface_link_change);
	interface_objs_fini(interface_objs);
}
