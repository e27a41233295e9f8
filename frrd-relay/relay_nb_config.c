// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Configuration callbacks.
 *
 * A leaf does nothing by itself: when a transaction is applied, apply_finish of
 * the track object or instance reads it as a whole and hands it to track.c or
 * relay.c, which know what has changed. Rules that look at more than one leaf
 * are in relay_validate.c and run over the whole candidate first.
 */
#include <zebra.h>

#include "libyang/libyang.h"
#include "printfrr.h"

#include "relay_memory.h"
#include "relay_nb.h"
#include "relay_restart.h"
#include "relay_validate.h"
#include "relay_watchdog.h"

DEFINE_MTYPE_STATIC(RELAYD, RELAY_CANDIDATE, "Relay candidate configuration");

/* ------------------------------------------------------------- validation */

static bool track_get(void *arg, uint16_t id, struct track_config *out)
{
	const struct lyd_node *dnode = relay_nb_find_track(arg, id);

	if (!dnode)
		return false;
	relay_nb_read_track(dnode, out);
	return true;
}

/* All relays below root; the caller frees. */
static struct relay_config *read_instances(const struct lyd_node *root,
					   size_t *n)
{
	const struct lyd_node *child;
	struct relay_config *cfgs;
	size_t count = 0;

	LY_LIST_FOR (lyd_child(root), child)
		count += relay_nb_is_instance(child);
	cfgs = XMALLOC(MTYPE_RELAY_CANDIDATE, (count + 1) * sizeof(*cfgs));
	*n = 0;
	LY_LIST_FOR (lyd_child(root), child)
		if (relay_nb_is_instance(child))
			relay_nb_read_instance(child, &cfgs[(*n)++]);
	return cfgs;
}

/* BFD objects that name a profile, the only ones that can collide; the caller
 * frees. */
static struct track_config *read_profiles(const struct lyd_node *root,
					  size_t *n)
{
	struct track_config trk, *cfgs = NULL;
	const struct lyd_node *child;
	size_t size = 0;

	*n = 0;
	LY_LIST_FOR (lyd_child(root), child) {
		if (!relay_nb_is_track(child))
			continue;
		relay_nb_read_track(child, &trk);
		if (trk.type != TRACK_BFD || !trk.profile[0])
			continue;
		if (*n == size) {
			size = size ? 2 * size : 16;
			cfgs = XREALLOC(MTYPE_RELAY_CANDIDATE, cfgs,
					size * sizeof(*cfgs));
		}
		cfgs[(*n)++] = trk;
	}
	return cfgs;
}

/* One object against all others, or all of them in pairs: NULL. */
static bool profiles_ok(const struct lyd_node *root,
			const struct track_config *trk, char *err, size_t len)
{
	struct track_config *cfgs;
	bool ok = true;
	size_t n;

	if (trk && (trk->type != TRACK_BFD || !trk->profile[0]))
		return true;
	cfgs = read_profiles(root, &n);
	for (size_t i = 0; ok && i < n; i++) {
		if (trk) {
			ok = cfgs[i].id == trk->id ||
			     relay_validate_bfd_pair(trk, &cfgs[i], err, len);
			continue;
		}
		for (size_t j = 0; ok && j < i; j++)
			ok = relay_validate_bfd_pair(&cfgs[i], &cfgs[j], err,
						     len);
	}
	XFREE(MTYPE_RELAY_CANDIDATE, cfgs);
	return ok;
}

/* Names who uses a track object, or returns false. */
static bool track_user(const struct lyd_node *root, uint16_t id, char *buf,
		       size_t len)
{
	struct track_config trk;
	struct relay_config cfg;
	const struct lyd_node *child;

	LY_LIST_FOR (lyd_child(root), child) {
		if (relay_nb_is_instance(child)) {
			relay_nb_read_instance(child, &cfg);
			if (cfg.track == id) {
				snprintf(buf, len, "relay %s", cfg.name);
				return true;
			}
			for (size_t i = 0; i < cfg.nroutes; i++)
				if (cfg.routes[i].track == id) {
					snprintfrr(buf, len,
						   "route %pFX of relay %s",
						   &cfg.routes[i].prefix,
						   cfg.name);
					return true;
				}
		} else if (relay_nb_is_track(child)) {
			relay_nb_read_track(child, &trk);
			for (size_t i = 0; i < trk.nmembers; i++)
				if (trk.members[i].id == id) {
					snprintf(buf, len, "track %u", trk.id);
					return true;
				}
		}
	}
	return false;
}

/* What is wrong may be that an object in use was removed: then who uses it is
 * what there is to tell. */
static void explain_removed(const struct lyd_node *root, char *err, size_t len)
{
	const struct track *trk;
	char user[80];

	frr_each (track_tree_const, track_tree, trk) {
		if (relay_nb_find_track(root, trk->cfg.id) ||
		    !track_user(root, trk->cfg.id, user, sizeof(user)))
			continue;
		snprintf(err, len, "track %u is used by %s", trk->cfg.id, user);
		return;
	}
}

int relay_nb_pre_validate(struct nb_cb_pre_validate_args *args)
{
	const struct lyd_node *root = args->dnode, *child;
	struct relay_validate_tracks tracks = {track_get, (void *)root};
	struct track_config trk;
	struct relay_config *cfgs;
	bool ok = true;
	size_t n;

	LY_LIST_FOR (lyd_child(root), child) {
		if (!relay_nb_is_track(child))
			continue;
		relay_nb_read_track(child, &trk);
		if (!relay_validate_track(&trk, &tracks, args->errmsg,
					  args->errmsg_len)) {
			explain_removed(root, args->errmsg, args->errmsg_len);
			return NB_ERR_VALIDATION;
		}
	}

	if (!profiles_ok(root, NULL, args->errmsg, args->errmsg_len))
		return NB_ERR_VALIDATION;

	relay_watchdog_kick();
	cfgs = read_instances(root, &n);
	for (size_t i = 0; ok && i < n; i++) {
		relay_watchdog_kick();
		/* pairs once: each against those before it */
		ok = relay_validate_relay(&cfgs[i], cfgs, i, &tracks,
					  args->errmsg, args->errmsg_len);
	}
	XFREE(MTYPE_RELAY_CANDIDATE, cfgs);
	if (!ok)
		explain_removed(root, args->errmsg, args->errmsg_len);
	return ok ? NB_OK : NB_ERR_VALIDATION;
}

/*
 * A name that the kernel has given to somebody else is refused when it is
 * chosen or put to use; what happens later is shown as the relay's state, and
 * must not keep an operator from editing it.
 */
static bool ifname_ok(const struct lyd_node *instance, char *err, size_t len)
{
	const struct relay *relay;
	struct relay_config cfg;
	const char *ifname;

	relay_nb_read_instance(instance, &cfg);
	ifname = relay_config_ifname(&cfg);
	if (!cfg.ifname[0] && !cfg.enabled)
		return true;
	relay = relay_lookup(cfg.name);
	if (relay && relay->cfg.enabled >= cfg.enabled &&
	    !strcmp(relay_config_ifname(&relay->cfg), ifname))
		return true;
	if (!tunnel_ifname_foreign(ifname))
		return true;
	snprintf(err, len, "interface %s exists and is not relayd's", ifname);
	return false;
}

bool relay_nb_validate_edit(const struct lyd_node *tree, const char *xpath,
			    char *err, size_t len)
{
	const struct lyd_node *root = relay_nb_root(tree), *dnode;
	struct relay_validate_tracks tracks = {track_get, (void *)root};
	struct relay_config *cfgs, cfg;
	struct track_config trk;
	uint16_t id;
	bool ok;
	size_t n;

	dnode = yang_dnode_get(tree, xpath);
	if (!dnode) {
		/* removed: only a track object can be missed by others */
		if (sscanf(xpath, RELAY_XPATH "/track-object[id='%hu']", &id) !=
			    1 ||
		    !root)
			return true;
		char user[80];

		if (!track_user(root, id, user, sizeof(user)))
			return true;
		snprintf(err, len, "track %u is used by %s", id, user);
		return false;
	}

	if (relay_nb_is_track(dnode)) {
		relay_nb_read_track(dnode, &trk);
		return relay_validate_track(&trk, &tracks, err, len) &&
		       profiles_ok(root, &trk, err, len);
	}

	if (!relay_nb_is_instance(dnode))
		return true;
	relay_nb_read_instance(dnode, &cfg);
	cfgs = read_instances(root, &n);
	ok = relay_validate_relay(&cfg, cfgs, n, &tracks, err, len) &&
	     ifname_ok(dnode, err, len);
	XFREE(MTYPE_RELAY_CANDIDATE, cfgs);
	return ok;
}

/* ------------------------------------------------------------------ leaves */

int relay_nb_leaf_create(struct nb_cb_create_args *args)
{
	return NB_OK;
}

int relay_nb_leaf_modify(struct nb_cb_modify_args *args)
{
	return NB_OK;
}

int relay_nb_leaf_destroy(struct nb_cb_destroy_args *args)
{
	return NB_OK;
}

int relay_nb_address_create(struct nb_cb_create_args *args)
{
	const char *value = lyd_get_value(args->dnode);
	struct prefix_ipv6 p;

	if (args->event != NB_EV_VALIDATE || str2prefix_ipv6(value, &p))
		return NB_OK;
	snprintf(args->errmsg, args->errmsg_len,
		 "%s is not an IPv6 address with prefix length", value);
	return NB_ERR_VALIDATION;
}

static const struct lyd_node *instance_of(const struct lyd_node *dnode)
{
	while (dnode && !relay_nb_is_instance(dnode))
		dnode = lyd_parent(dnode);
	return dnode;
}

int relay_nb_ifname_modify(struct nb_cb_modify_args *args)
{
	if (args->event != NB_EV_VALIDATE)
		return NB_OK;
	return ifname_ok(instance_of(args->dnode), args->errmsg,
			 args->errmsg_len)
		       ? NB_OK
		       : NB_ERR_VALIDATION;
}

/* ----------------------------------------------------------------- restart */

int relay_nb_restart_time_modify(struct nb_cb_modify_args *args)
{
	if (args->event == NB_EV_APPLY)
		relay_restart_configure(yang_dnode_get_uint16(args->dnode, NULL));
	return NB_OK;
}

int relay_nb_restart_time_destroy(struct nb_cb_destroy_args *args)
{
	if (args->event == NB_EV_APPLY)
		relay_restart_configure(0);
	return NB_OK;
}

/* ------------------------------------------------------------------ tracks */

int relay_nb_track_create(struct nb_cb_create_args *args)
{
	return NB_OK; /* apply_finish knows all of it */
}

int relay_nb_track_destroy(struct nb_cb_destroy_args *args)
{
	struct track_config cfg;
	struct track *trk;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	relay_nb_read_track(args->dnode, &cfg);
	trk = track_lookup(cfg.id);
	if (trk)
		track_delete(&trk);
	return NB_OK;
}

int relay_nb_track_type_modify(struct nb_cb_modify_args *args)
{
	struct track_config cfg;
	struct track *trk;

	if (args->event != NB_EV_VALIDATE)
		return NB_OK;
	relay_nb_read_track(lyd_parent(args->dnode), &cfg);
	trk = track_lookup(cfg.id);
	/* a file may remove an object and make it anew in one transaction; the
	 * commands have looked at the candidate */
	if (!trk || trk->cfg.type == cfg.type ||
	    args->context->client == NB_CLIENT_CLI)
		return NB_OK;
	snprintf(args->errmsg, args->errmsg_len,
		 "track %u exists with another type, remove it first", cfg.id);
	return NB_ERR_VALIDATION;
}

void relay_nb_track_apply_finish(struct nb_cb_apply_finish_args *args)
{
	struct track_config cfg;

	relay_nb_read_track(args->dnode, &cfg);
	track_configure(&cfg);
	relay_watchdog_kick();
}

/* --------------------------------------------------------------- instances */

int relay_nb_instance_create(struct nb_cb_create_args *args)
{
	return NB_OK;
}

int relay_nb_instance_destroy(struct nb_cb_destroy_args *args)
{
	struct relay_config cfg;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	relay_nb_read_instance(args->dnode, &cfg);
	relay_remove(cfg.name);
	return NB_OK;
}

void relay_nb_instance_apply_finish(struct nb_cb_apply_finish_args *args)
{
	struct relay_config cfg;

	relay_nb_read_instance(args->dnode, &cfg);
	relay_configure(&cfg);
	relay_watchdog_kick();
}
