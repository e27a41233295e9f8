// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `track N bfd peer`: the state of a session of bfdd. What nobody can vouch for
 * is not up: without zebra or bfdd the object is down, or still in init.
 */
#include <zebra.h>

#include "printfrr.h"

#include "track_bfd.h"

static const char *cause(enum relay_bfd_state state)
{
	switch (state) {
	case RELAY_BFD_NO_ZEBRA:
		return "no session with zebra";
	case RELAY_BFD_NO_BFDD:
		return "bfdd is not running";
	case RELAY_BFD_BFDD_MUTE:
		return "bfdd does not answer";
	case RELAY_BFD_NO_WORD:
		return "bfdd has not said anything of the session yet";
	case RELAY_BFD_DOWN:
		return "BFD session down";
	case RELAY_BFD_ADMIN_DOWN:
		return "BFD session administratively down";
	case RELAY_BFD_UP:
		return NULL;
	}
	assert(!"unknown state of a BFD session");
}

static enum track_state judge(const struct track *trk,
			      enum relay_bfd_state state)
{
	switch (state) {
	case RELAY_BFD_NO_ZEBRA:
	case RELAY_BFD_NO_BFDD:
	case RELAY_BFD_BFDD_MUTE:
	case RELAY_BFD_NO_WORD:
		return trk->raw == TRACK_STATE_INIT ? TRACK_STATE_INIT
						    : TRACK_STATE_DOWN;
	case RELAY_BFD_DOWN:
	case RELAY_BFD_ADMIN_DOWN:
		return TRACK_STATE_DOWN;
	case RELAY_BFD_UP:
		return TRACK_STATE_UP;
	}
	assert(!"unknown state of a BFD session");
}

static void report(struct track *trk)
{
	enum relay_bfd_state state = relay_bfd_state(trk->priv);

	track_report(trk, judge(trk, state), cause(state));
}

static bool follows(const struct track *trk, const struct relay_bfd *session)
{
	return trk->cfg.type == TRACK_BFD && trk->priv == session;
}

static int on_change(const struct relay_bfd *session)
{
	struct track *trk;

	frr_each (track_tree, track_tree, trk)
		if (follows(trk, session))
			report(trk);
	return 0;
}

/*
 * Objects on one session agree on its profile, or leave it to the others
 * (relay_validate.c).
 */
static void set_profile(struct relay_bfd *session)
{
	const char *profile = "";
	struct track *trk;

	frr_each (track_tree, track_tree, trk)
		if (follows(trk, session) && trk->cfg.profile[0])
			profile = trk->cfg.profile;
	relay_bfd_profile(session, profile);
}

struct relay_bfd_key track_bfd_key(const struct track_config *cfg)
{
	struct relay_bfd_key key = {
		.peer = cfg->target,
		.local = cfg->source,
		.multihop = cfg->multihop,
	};

	strlcpy(key.ifname, cfg->ifname, sizeof(key.ifname));
	return key;
}

static int bfd_start(struct track *trk)
{
	struct relay_bfd_key key = track_bfd_key(&trk->cfg);

	trk->priv = relay_bfd_join(&key);
	set_profile(trk->priv);
	report(trk);
	return 0;
}

static void bfd_changed(struct track *trk)
{
	set_profile(trk->priv);
}

static void bfd_stop(struct track *trk)
{
	struct relay_bfd *session = trk->priv, *left = session;
	struct track *other;

	trk->priv = NULL;
	relay_bfd_leave(&left);
	/* the profile may have been this object's */
	frr_each (track_tree, track_tree, other)
		if (follows(other, session)) {
			set_profile(session);
			return;
		}
}

static void bfd_target(const struct track *trk, char *buf, size_t len)
{
	snprintfrr(buf, len, "%pIA", &trk->cfg.target);
}

static const char *bfd_state(const struct track *trk)
{
	switch (relay_bfd_state(trk->priv)) {
	case RELAY_BFD_NO_ZEBRA:
	case RELAY_BFD_NO_BFDD:
	case RELAY_BFD_BFDD_MUTE:
	case RELAY_BFD_NO_WORD:
		return "unknown";
	case RELAY_BFD_DOWN:
		return "down";
	case RELAY_BFD_ADMIN_DOWN:
		return "admin-down";
	case RELAY_BFD_UP:
		return "up";
	}
	assert(!"unknown state of a BFD session");
}

static void bfd_show_json(const struct track *trk, struct json_object *json)
{
	const struct track_config *cfg = &trk->cfg;

	json_object_string_addf(json, "peer", "%pIA", &cfg->target);
	if (!IS_IPADDR_NONE(&cfg->source))
		json_object_string_addf(json, "localAddress", "%pIA",
					&cfg->source);
	if (cfg->ifname[0])
		json_object_string_add(json, "interface", cfg->ifname);
	json_object_boolean_add(json, "multihop", cfg->multihop);
	if (cfg->profile[0])
		json_object_string_add(json, "profile", cfg->profile);
	json_object_string_add(json, "bfdState", bfd_state(trk));
}

static void bfd_show(const struct track *trk, struct vty *vty)
{
	const struct track_config *cfg = &trk->cfg;

	if (!IS_IPADDR_NONE(&cfg->source))
		vty_out(vty, "  Local address %pIA\n", &cfg->source);
	if (cfg->ifname[0])
		vty_out(vty, "  Interface %s\n", cfg->ifname);
	if (cfg->profile[0])
		vty_out(vty, "  Profile %s\n", cfg->profile);
	vty_out(vty, "  BFD session %s, %s\n", bfd_state(trk),
		cfg->multihop ? "multihop" : "single hop");
}

const struct track_ops track_bfd_ops = {
	.type = TRACK_BFD,
	.name = "bfd",
	.start = bfd_start,
	.changed = bfd_changed,
	.stop = bfd_stop,
	.target = bfd_target,
	.show_json = bfd_show_json,
	.show = bfd_show,
	.bfd_state = bfd_state,
};

void track_bfd_init(void)
{
	hook_register(relay_bfd_change, on_change);
}

void track_bfd_fini(void)
{
	hook_unregister(relay_bfd_change, on_change);
}
