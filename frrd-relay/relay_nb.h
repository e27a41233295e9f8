// SPDX-License-Identifier: GPL-2.0-or-later
/* The northbound: yang/frr-relay.yang in callbacks. */
#ifndef _RELAY_NB_H
#define _RELAY_NB_H

#include "northbound.h"

#include "relay.h"
#include "track.h"

extern const struct frr_yang_module_info frr_relay_info;

#define RELAY_XPATH	     "/frr-relay:relay"
#define RELAY_XPATH_RESTART  RELAY_XPATH "/graceful-restart"
#define RELAY_XPATH_TRACK    RELAY_XPATH "/track-object[id='%u']"
#define RELAY_XPATH_INSTANCE RELAY_XPATH "/instance[name='%s']"

/* relay_nb_config.c */
int relay_nb_pre_validate(struct nb_cb_pre_validate_args *args);
int relay_nb_leaf_create(struct nb_cb_create_args *args);
int relay_nb_leaf_modify(struct nb_cb_modify_args *args);
int relay_nb_leaf_destroy(struct nb_cb_destroy_args *args);
/* of the leaves that put an interface name to use */
int relay_nb_ifname_modify(struct nb_cb_modify_args *args);
int relay_nb_address_create(struct nb_cb_create_args *args);
int relay_nb_track_create(struct nb_cb_create_args *args);
int relay_nb_track_destroy(struct nb_cb_destroy_args *args);
int relay_nb_track_type_modify(struct nb_cb_modify_args *args);
void relay_nb_track_apply_finish(struct nb_cb_apply_finish_args *args);
int relay_nb_instance_create(struct nb_cb_create_args *args);
int relay_nb_instance_destroy(struct nb_cb_destroy_args *args);
void relay_nb_instance_apply_finish(struct nb_cb_apply_finish_args *args);

/*
 * The rules of relay_validate.c on one object of a candidate configuration,
 * for the line that has just been edited into it. xpath: that of a track
 * object or an instance. True when it holds, else one line in err.
 */
bool relay_nb_validate_edit(const struct lyd_node *root, const char *xpath,
			    char *err, size_t len);

/* relay_nb_read.c: data nodes into plain structs */
void relay_nb_read_track(const struct lyd_node *dnode, struct track_config *cfg);
void relay_nb_read_instance(const struct lyd_node *dnode,
			    struct relay_config *cfg);
/* The container /frr-relay:relay of a tree, or NULL. */
const struct lyd_node *relay_nb_root(const struct lyd_node *tree);
/* The track object `id` below root, or NULL. */
const struct lyd_node *relay_nb_find_track(const struct lyd_node *root,
					   uint16_t id);
bool relay_nb_is_track(const struct lyd_node *dnode);
bool relay_nb_is_instance(const struct lyd_node *dnode);

/* relay_nb_state.c */
const void *relay_nb_track_get_next(struct nb_cb_get_next_args *args);
int relay_nb_track_get_keys(struct nb_cb_get_keys_args *args);
const void *relay_nb_track_lookup(struct nb_cb_lookup_entry_args *args);
const void *relay_nb_instance_get_next(struct nb_cb_get_next_args *args);
int relay_nb_instance_get_keys(struct nb_cb_get_keys_args *args);
const void *relay_nb_instance_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *relay_nb_track_state(struct nb_cb_get_elem_args *args);
struct yang_data *relay_nb_instance_state(struct nb_cb_get_elem_args *args);
struct yang_data *relay_nb_dampening_state(struct nb_cb_get_elem_args *args);
const void *relay_nb_self_test_get_next(struct nb_cb_get_next_args *args);
int relay_nb_self_test_get_keys(struct nb_cb_get_keys_args *args);
const void *relay_nb_self_test_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *relay_nb_self_test_state(struct nb_cb_get_elem_args *args);
/* the objects of a relay and its routes, each once */
const void *relay_nb_user_track_get_next(struct nb_cb_get_next_args *args);
struct yang_data *relay_nb_user_track_state(struct nb_cb_get_elem_args *args);
const void *relay_nb_route_get_next(struct nb_cb_get_next_args *args);
int relay_nb_route_get_keys(struct nb_cb_get_keys_args *args);
const void *relay_nb_route_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *relay_nb_route_state(struct nb_cb_get_elem_args *args);
struct yang_data *
relay_nb_route_dampening_state(struct nb_cb_get_elem_args *args);
struct yang_data *relay_nb_counter_state(struct nb_cb_get_elem_args *args);
/* They were cleared: the next reading is a new one. */
void relay_nb_counters_forget(void);
const void *relay_nb_drop_get_next(struct nb_cb_get_next_args *args);
int relay_nb_drop_get_keys(struct nb_cb_get_keys_args *args);
const void *relay_nb_drop_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *relay_nb_drop_packets(struct nb_cb_get_elem_args *args);
const void *relay_nb_history_get_next(struct nb_cb_get_next_args *args);
int relay_nb_history_get_keys(struct nb_cb_get_keys_args *args);
const void *relay_nb_history_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *relay_nb_history_state(struct nb_cb_get_elem_args *args);

/* relay_nb_peers.c */
const void *relay_nb_peer_get_next(struct nb_cb_get_next_args *args);
int relay_nb_peer_get_keys(struct nb_cb_get_keys_args *args);
const void *relay_nb_peer_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *relay_nb_peer_state(struct nb_cb_get_elem_args *args);
struct yang_data *relay_nb_peers_state(struct nb_cb_get_elem_args *args);
struct yang_data *relay_nb_bubbles_state(struct nb_cb_get_elem_args *args);

/* relay_nb_rpc.c */
int relay_nb_clear_counters(struct nb_cb_rpc_args *args);
int relay_nb_clear_peers(struct nb_cb_rpc_args *args);
int relay_nb_clear_dampening(struct nb_cb_rpc_args *args);
/* Status changes are notified of. */
void relay_nb_rpc_init(void);

int relay_nb_restart_time_modify(struct nb_cb_modify_args *args);
int relay_nb_restart_time_destroy(struct nb_cb_destroy_args *args);

/* relay_cli.c, relay_cli_track.c */
void relay_cli_show_restart_time(struct vty *vty, const struct lyd_node *dnode,
				 bool show_defaults);
void relay_cli_show_instance(struct vty *vty, const struct lyd_node *dnode,
			     bool show_defaults);
int relay_cli_instance_cmp(const struct lyd_node *a, const struct lyd_node *b);
void relay_cli_show_end(struct vty *vty, const struct lyd_node *dnode);
void relay_cli_show_track(struct vty *vty, const struct lyd_node *dnode,
			  bool show_defaults);
int relay_cli_track_cmp(const struct lyd_node *a, const struct lyd_node *b);

#endif /* _RELAY_NB_H */
