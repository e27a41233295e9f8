// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a line gets into the configuration.
 *
 * libfrr commits each line, or, while a file is read, all lines at its end; a
 * line that fails there takes all others with it, and the message has four
 * lines. relayd checks each line against the candidate first: the bad one is
 * refused on the spot in one line, the rest of a file goes on.
 */
#include <zebra.h>

#include "libyang/libyang.h"

#include "command.h"
#include "libfrr.h"
#include "northbound_cli.h"

#include "compat.h"
#include "relay_cli.h"
#include "relay_debug.h"
#include "relay_nb.h"
#include "relay_nb_data.h"
#include "relay_nodes.h"
#include "relay_validate.h"
#include "relay_watchdog.h"

/* Leading "." stands for the node that the vty is in. */
static void absolute_xpath(struct vty *vty, const char *xpath, char *out,
			   size_t len)
{
	if (xpath[0] == '.' && vty->xpath_index > 0)
		snprintf(out, len, "%s%s", VTY_CURR_XPATH, xpath + 1);
	else
		strlcpy(out, xpath, len);
}

static bool edit_candidate(struct vty *vty, char *err, size_t len)
{
	struct compat_cfg_change *change;
	char xpath[XPATH_MAXLEN];
	struct nb_node *node;
	struct yang_data *data;
	const char *value;
	int ret;

	for (size_t i = 0; i < vty->num_cfg_changes; i++) {
		change = &vty->cfg_changes[i];
		absolute_xpath(vty, change->xpath, xpath, sizeof(xpath));
		node = nb_node_find(xpath);
		if (!node) {
			snprintf(err, len, "no data node %.200s", xpath);
			return false;
		}
		value = change->value ? change->value
				      : yang_snode_get_default(node->snode);
		data = yang_data_new(xpath, value);
		ret = compat_candidate_edit(vty->candidate_config, node,
					    change->operation, xpath, data);
		yang_data_free(data);
		if (ret != NB_OK) {
			snprintf(err, len, "%.200s is not a valid value",
				 value ? value : xpath);
			return false;
		}
	}
	return true;
}

/* Puts back the one object that the line has touched. */
static void restore_object(struct nb_config *candidate, const char *object,
			   struct lyd_node *before)
{
	struct lyd_node *now = yang_dnode_get(candidate->dnode, object);
	struct lyd_node *root;

	if (now)
		lyd_free_tree(now);
	if (!before)
		return;
	root = (struct lyd_node *)relay_nb_root(candidate->dnode);
	lyd_insert_child(root, before);
}

static void print_error(struct vty *vty, const char *errmsg)
{
	char line[512];

	relay_nb_refusal(errmsg, line, sizeof(line));
	if (line[0])
		vty_out(vty, "%% %s\n", line);
	else
		vty_out(vty, "%% Configuration failed\n");
}

static int commit(struct vty *vty)
{
	struct nb_context context = {.client = NB_CLIENT_CLI, .user = vty};
	char errmsg[BUFSIZ] = {};
	int ret;

	ret = compat_candidate_commit(&context, vty->candidate_config, errmsg,
				      sizeof(errmsg));
	if (ret == NB_OK || ret == NB_ERR_NO_CHANGES)
		return CMD_SUCCESS;
	print_error(vty, errmsg);
	nb_config_replace(vty->candidate_config, running_config, true);
	return CMD_WARNING_CONFIG_FAILED;
}

int relay_cli_apply(struct vty *vty, const char *object)
{
	struct nb_config *candidate = vty->candidate_config;
	struct lyd_node *before = NULL, *now;
	char err[RELAY_ERR_LEN] = "";

	VTY_CHECK_XPATH;
	relay_watchdog_kick();

	now = yang_dnode_get(candidate->dnode, object);
	if (now && lyd_dup_single(now, NULL,
				  LYD_DUP_RECURSIVE | LYD_DUP_WITH_FLAGS,
				  &before) != LY_SUCCESS) {
		vty_out(vty, "%% Out of memory\n");
		return CMD_WARNING_CONFIG_FAILED;
	}

	if (!edit_candidate(vty, err, sizeof(err)) ||
	    !relay_nb_validate_edit(candidate->dnode, object, err,
				    sizeof(err))) {
		restore_object(candidate, object, before);
		print_error(vty, err);
		return CMD_WARNING_CONFIG_FAILED;
	}
	lyd_free_tree(before);
	DEBUGD(&relay_dbg_northbound, "northbound: edit of %s", object);

	if (frr_get_cli_mode() != FRR_CLI_CLASSIC)
		return CMD_SUCCESS;
	/* vtysh brackets a file; relayd's own is committed when it is closed */
	if (vty->type == VTY_FILE)
		vty->pending_allowed = 1;
	if (vty->pending_allowed)
		return nb_cli_apply_changes(vty, NULL);
	return commit(vty);
}

bool relay_cli_ifname_ok(struct vty *vty, const char *ifname)
{
	char err[RELAY_ERR_LEN];

	if (relay_validate_ifname(ifname, err, sizeof(err)))
		return true;
	vty_out(vty, "%% %s\n", err);
	return false;
}

int relay_cli_set_leaf(struct vty *vty, const char *xpath, const char *value)
{
	nb_cli_enqueue_change(vty, xpath, NB_OP_MODIFY, value);
	return relay_cli_apply(vty, VTY_CURR_XPATH);
}

int relay_cli_set_entry(struct vty *vty, const char *leaf_list,
			const char *value, bool there)
{
	char xpath[XPATH_MAXLEN];

	compat_leaf_list_xpath(xpath, sizeof(xpath), leaf_list, value);
	nb_cli_enqueue_change(vty, xpath, there ? NB_OP_CREATE : NB_OP_DESTROY,
			      value);
	return relay_cli_apply(vty, VTY_CURR_XPATH);
}

int relay_cli_set_mode_leaf(struct vty *vty, enum relay_mode mode,
			    const char *line, const char *xpath,
			    const char *value)
{
	const struct lyd_node *instance;
	struct relay_config cfg;
	char err[RELAY_ERR_LEN];

	VTY_CHECK_XPATH;
	/* the default is not to be told from nothing later on */
	instance = yang_dnode_get(vty->candidate_config->dnode, VTY_CURR_XPATH);
	if (instance) {
		relay_nb_read_instance(instance, &cfg);
		if (!relay_validate_line(cfg.name, cfg.mode, mode, line, err,
					 sizeof(err))) {
			vty_out(vty, "%% %s\n", err);
			return CMD_WARNING_CONFIG_FAILED;
		}
	}
	return relay_cli_set_leaf(vty, xpath, value);
}

int relay_cli_unset_leaf(struct vty *vty, const char *xpath)
{
	nb_cli_enqueue_change(vty, xpath, NB_OP_DESTROY, NULL);
	return relay_cli_apply(vty, VTY_CURR_XPATH);
}

/* ------------------------------------------------------------------- nodes */

DEFUN_YANG_NOSH(relay_exit, relay_exit_cmd,
	"exit",
	"Exit current mode and down to previous mode\n")
{
	cmd_exit(vty);
	return CMD_SUCCESS;
}

DEFUN_YANG_NOSH(relay_quit, relay_quit_cmd,
	"quit",
	"Exit current mode and down to previous mode\n")
{
	cmd_exit(vty);
	return CMD_SUCCESS;
}

static void uninstall_default(enum node_type node, const char *line)
{
	struct cmd_node *cnode = vector_lookup(cmdvec, node);
	struct cmd_element *cmd;

	for (unsigned int i = 0; i < vector_active(cnode->cmd_vector); i++) {
		cmd = vector_slot(cnode->cmd_vector, i);
		if (cmd && !strcmp(cmd->string, line)) {
			uninstall_element(node, cmd);
			return;
		}
	}
}

/*
 * libfrr's own `exit` and `quit` are no northbound commands, so each one
 * commits what a file has edited so far: a file of 1200 objects would be
 * validated and compared as a whole 1200 times.
 */
void relay_cli_install_nodes(void)
{
	install_default(RELAY_TRACK_NODE);
	uninstall_default(RELAY_TRACK_NODE, "exit");
	uninstall_default(RELAY_TRACK_NODE, "quit");
	install_element(RELAY_TRACK_NODE, &relay_exit_cmd);
	install_element(RELAY_TRACK_NODE, &relay_quit_cmd);

	install_default(RELAY_NODE);
	uninstall_default(RELAY_NODE, "exit");
	uninstall_default(RELAY_NODE, "quit");
	install_element(RELAY_NODE, &relay_exit_cmd);
	install_element(RELAY_NODE, &relay_quit_cmd);
}
