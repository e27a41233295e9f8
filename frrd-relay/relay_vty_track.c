// SPDX-License-Identifier: GPL-2.0-or-later
/* show track, and what all show commands share. */
#include <zebra.h>

#include "command.h"

#include "relay_cli.h"
#include "relay_health.h"
#include "relay_vty.h"
#include "track.h"

#ifndef VTYSH_EXTRACT_PL
#include "frrd-relay/relay_vty_track_clippy.c"
#endif

void relay_vty_json_time(json_object *json, const char *key, time_t when)
{
	char buf[RELAY_TIME_LEN];

	json_object_string_add(json, key, relay_time_str(when, buf));
}

const char *relay_vty_ago(time_t since, char *buf, size_t len)
{
	time_t secs = time(NULL) - since;

	if (secs < 0)
		secs = 0;
	if (secs < ONE_DAY_SECOND)
		snprintf(buf, len, "%02d:%02d:%02d", (int)(secs / 3600),
			 (int)(secs / 60 % 60), (int)(secs % 60));
	else
		snprintf(buf, len, "%dd%02dh%02dm",
			 (int)(secs / ONE_DAY_SECOND),
			 (int)(secs / 3600 % 24), (int)(secs / 60 % 60));
	return buf;
}

static const char *track_target(const struct track *trk, char *buf, size_t len)
{
	buf[0] = '\0';
	if (trk->ops->target)
		trk->ops->target(trk, buf, len);
	return buf;
}

static void track_json(struct track *trk, json_object *all)
{
	json_object *json = json_object_new_object();
	char key[8], target[96];

	snprintf(key, sizeof(key), "%u", trk->cfg.id);
	json_object_string_add(json, "type", trk->ops->name);
	json_object_string_add(json, "target",
			       track_target(trk, target, sizeof(target)));
	json_object_string_add(json, "state", track_state_str(trk->state));
	if (trk->detail[0])
		json_object_string_add(json, "detail", trk->detail);
	json_object_int_add(json, "transitions", trk->transitions);
	relay_vty_json_time(json, "since", trk->since);
	if (trk->ops->show_json)
		trk->ops->show_json(trk, json);
	json_object_object_add(all, key, json);
}

static void track_line(struct vty *vty, struct track *trk)
{
	char target[96], since[32];

	vty_out(vty, "%-5u %-11s %-40s %-5s %s\n", trk->cfg.id, trk->ops->name,
		track_target(trk, target, sizeof(target)),
		track_state_str(trk->state),
		relay_vty_ago(trk->since, since, sizeof(since)));
}

static void track_full(struct vty *vty, struct track *trk)
{
	char target[96], since[32], at[RELAY_TIME_LEN];

	vty_out(vty, "Track %u\n", trk->cfg.id);
	vty_out(vty, "  %s %s\n", trk->ops->name,
		track_target(trk, target, sizeof(target)));
	vty_out(vty, "  State %s%s%s\n", track_state_str(trk->state),
		trk->detail[0] ? ": " : "", trk->detail);
	vty_out(vty, "  %u transitions, last change %s (%s ago)\n",
		trk->transitions, relay_time_str(trk->since, at),
		relay_vty_ago(trk->since, since, sizeof(since)));
	if (trk->cfg.delay_up_s || trk->cfg.delay_down_s)
		vty_out(vty, "  Delay up %u s, down %u s%s\n",
			trk->cfg.delay_up_s, trk->cfg.delay_down_s,
			trk->t_delay ? ", running" : "");
	if (trk->ops->show)
		trk->ops->show(trk, vty);
}

DEFPY(show_track, show_track_cmd,
	"show track [(1-1000)$id] [brief$brief] [json$json]",
	SHOW_STR
	"Tracked objects\n"
	"Number of the tracked object\n"
	"One line an object\n"
	JSON_STR)
{
	json_object *all = NULL;
	struct track *trk;

	if (id && !track_lookup(id) && !json) {
		vty_out(vty, "%% No track %ld\n", id);
		return CMD_WARNING;
	}
	if (json)
		all = json_object_new_object();
	else if (brief)
		vty_out(vty, "%-5s %-11s %-40s %-5s %s\n", "Track", "Type",
			"Target", "State", "Since");
	frr_each (track_tree, track_tree, trk) {
		if (id && trk->cfg.id != id)
			continue;
		if (json)
			track_json(trk, all);
		else if (brief)
			track_line(vty, trk);
		else
			track_full(vty, trk);
	}
	if (json)
		vty_json(vty, all);
	return CMD_SUCCESS;
}

void relay_vty_track_init(void)
{
	install_element(VIEW_NODE, &show_track_cmd);
}
