// SPDX-License-Identifier: GPL-2.0-or-later
/* relayd: anycast IPv6 transition relays for FRR. */
#include <zebra.h>

#include <sys/capability.h>

#include "command.h"
#include "lib/filter.h"
#include "if.h"
#include "libfrr.h"
#include "log.h"
#include "memory.h"
#include "privs.h"
#include "sigevent.h"
#include "vrf.h"
#include "vty.h"

#include "relay.h"
#include "relay_cli.h"
#include "relay_debug.h"
#include "relay_grpc.h"
#include "relay_logs.h"
#include "relay_memory.h"
#include "relay_nb.h"
#include "relay_restart.h"
#include "relay_undertaker.h"
#include "relay_watchdog.h"
#include "relay_zebra.h"
#include "track.h"
#include "tun_opener.h"
#include "tunnel.h"

DEFINE_MGROUP(RELAYD, "relayd");

/* FRR's own daemons end at 2623. */
#define RELAY_VTY_PORT 2624

/*
 * NET_ADMIN: interfaces, addresses, net sysctls, nftables. NET_RAW: ICMP and
 * the self-test's packets. SYS_ADMIN: eBPF, since FRR knows no CAP_BPF.
 * Raised only around the calls that need them. A container that has not the last
 * one gets sit.
 */
static zebra_capabilities_t caps[] = {ZCAP_NET_ADMIN, ZCAP_NET_RAW,
				      ZCAP_SYS_ADMIN};
#define CAPS_NEEDED 2

static struct zebra_privs_t relay_privs = {
#if defined(FRR_USER) && defined(FRR_GROUP)
	.user = FRR_USER,
	.group = FRR_GROUP,
#endif
#ifdef VTY_GROUP
	.vty_group = VTY_GROUP,
#endif
	.caps_p = caps,
	.cap_num_p = array_size(caps),
	.cap_num_i = 0,
};

static struct frr_loop *relay_main_loop;
static struct frr_daemon_info relayd_di;
static const char *vty_dir;
static unsigned int undo_after_s = RELAY_UNDO_AFTER_S;

/*
 * What a former run left and nothing has adopted goes once the configuration is
 * known. That is after our own file, or, with FRR's integrated one, when vtysh
 * has sent all of it; where nobody sends any, after a while.
 */
#define RELAY_SWEEP_S 60

static struct frr_event *t_sweep;

static void sweep(struct frr_event *ev)
{
	tunnel_sweep();
	relay_restart_config_known();
}

static void sweep_soon(time_t secs)
{
	EVENT_OFF(t_sweep);
	event_add_timer(relay_main_loop, sweep, NULL, secs, &t_sweep);
}

static void on_config_start(void)
{
}

static void on_config_end(void)
{
	sweep_soon(0);
}

static int on_config_read(struct frr_loop *loop)
{
	bool configured = relay_tree_count(relay_tree) > 0 ||
			  track_tree_count(track_tree) > 0;

	sweep_soon(configured ? 0 : RELAY_SWEEP_S);
	return 0;
}

/* In the watcher. */
static void relayd_gone(bool planned)
{
	relay_grpc_forget();
	relay_undertaker_run(vty_dir, undo_after_s, planned);
}

static void relay_exit(void)
{
	enum relay_end end = RELAY_END_LEFTOVERS;

	relay_grpc_stop();
	/* ended before what a former run has left was swept */
	if (t_sweep && !relay_stop_planned())
		tunnel_sweep();
	EVENT_OFF(t_sweep);
	relay_logs_stop();
	relay_vty_peers_fini();
	relay_restart_fini();
	relay_zebra_stop();
	track_fini();
	if (tunnel_fini() == 0)
		end = RELAY_END_CLEAN;
	else if (relay_stop_planned())
		end = RELAY_END_PLANNED;
	vrf_terminate();
	relay_watchdog_stop(end);
	frr_fini();
	exit(0);
}

/* Withdraw, drain, remove: the last routes are gone before the addresses. Or
 * a planned restart, which leaves it all to the next run. */
static void sigint(void)
{
	zlog_notice("Terminating on signal");
	relay_stop(relay_exit);
}

static void sighup(void)
{
	zlog_info("SIGHUP received");
	vty_read_config(NULL, relayd_di.config_file, config_default);
}

static void sigusr1(void)
{
	zlog_rotate();
}

static struct frr_signal_t relay_signals[] = {
	{.signal = SIGHUP, .handler = &sighup},
	{.signal = SIGUSR1, .handler = &sigusr1},
	{.signal = SIGINT, .handler = &sigint},
	{.signal = SIGTERM, .handler = &sigint},
};

static const struct frr_yang_module_info *const relay_yang_modules[] = {
	&frr_filter_info,
	&frr_interface_info,
	&frr_vrf_info,
	&frr_relay_info,
};

/* clang-format off */
FRR_DAEMON_INFO(relayd, RELAY,
	.vty_port = RELAY_VTY_PORT,
	.proghelp = "Anycast IPv6 transition relays (6to4, Teredo).",

	.signals = relay_signals,
	.n_signals = array_size(relay_signals),

	.privs = &relay_privs,

	.yang_modules = relay_yang_modules,
	.n_yang_modules = array_size(relay_yang_modules),
);
/* clang-format on */

/* numbers below are libfrr's */
#define OPTION_UNDO_AFTER 2000

static const struct option longopts[] = {
	{"undo-after", required_argument, NULL, OPTION_UNDO_AFTER},
	RELAY_GRPC_OPTIONS,
	{},
};

static bool seconds_parse(const char *text, unsigned int max,
			  unsigned int *secs)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || n > max)
		return false;
	*secs = n;
	return true;
}

/* libfrr ends a daemon that asks for what it can't have. */
static void drop_unknown_caps(void)
{
	static const cap_value_t values[] = {CAP_NET_ADMIN, CAP_NET_RAW,
					     CAP_SYS_ADMIN};
	cap_t have = cap_get_proc();
	size_t n = CAPS_NEEDED;

	_Static_assert(array_size(values) == array_size(caps), "one each");
	for (size_t i = n; have && i < array_size(caps); i++) {
		cap_flag_value_t flag = CAP_CLEAR;

		cap_get_flag(have, values[i], CAP_PERMITTED, &flag);
		if (flag == CAP_SET)
			caps[n++] = caps[i];
	}
	relay_privs.cap_num_p = n;
	if (have)
		cap_free(have);
}

/* One line that says what is wrong, and the end. */
static void die(const char *err) __attribute__((noreturn));
static void die(const char *err)
{
	fprintf(stderr, "relayd: %s\n", err);
	exit(1);
}

static void options_read(int argc, char **argv)
{
	char err[256];
	int opt;
	bool ok;

	while ((opt = frr_getopt(argc, argv, NULL)) != EOF) {
		if (opt == 0)
			continue;
		if (opt == OPTION_UNDO_AFTER) {
			if (seconds_parse(optarg, RELAY_UNDO_AFTER_MAX_S,
					  &undo_after_s))
				continue;
			snprintf(err, sizeof(err),
				 "--undo-after %s: a number of seconds from 0 to %u is wanted",
				 optarg, RELAY_UNDO_AFTER_MAX_S);
			die(err);
		}
		if (!relay_grpc_option(opt, optarg, &ok, err, sizeof(err)))
			frr_help_exit(1);
		if (!ok)
			die(err);
	}
	if (!relay_grpc_options_ok(err, sizeof(err)))
		die(err);
}

int main(int argc, char **argv)
{
	struct zprivs_ids_t ids;
	char err[256];
	int ret;

	drop_unknown_caps();
	frr_preinit(&relayd_di, argc, argv);
	frr_opt_add("", longopts,
		    "      --undo-after   Seconds after which what a dead relayd has left in the\n"
		    "                     kernel is undone, if no other has come (default: 6)\n"
		    RELAY_GRPC_OPTIONS_HELP);
	options_read(argc, argv);

	/* --vty_socket moves a daemon's own socket, and nothing else */
	vty_dir = relayd_di.vty_sock_path ? relayd_di.vty_sock_path
					  : frr_runstatedir;
	if (!relayd_di.dryrun &&
	    relay_zebra_type_taken(vty_dir, err, sizeof(err)))
		die(err);

	if (!relayd_di.dryrun)
		tun_opener_start();
	relay_main_loop = frr_init();
	vrf_init(NULL, NULL, NULL, NULL);

	/* -C reads the configuration and touches nothing */
	if (!relayd_di.dryrun) {
		ret = tunnel_init(relay_main_loop, &relay_privs, vty_dir);
		if (ret < 0) {
			snprintf(err, sizeof(err), "can't start: %s: %s",
				 tunnel_init_failed(), safe_strerror(-ret));
			die(err);
		}
		relay_restart_init(relay_main_loop);
		zprivs_get_ids(&ids);
		if (!relay_grpc_open(ids.gid_vty, err, sizeof(err)))
			die(err);
	}
	track_init(relay_main_loop, &relay_privs);
	relay_init(relay_main_loop);
	relay_stop_init(relay_main_loop);
	relay_zebra_init(relay_main_loop, &relay_privs, vty_dir);

	relay_debug_init();
	relay_cli_track_init();
	relay_cli_init();
	relay_cli_install_nodes();
	relay_vty_init();
	relay_vty_counters_init();
	relay_vty_peers_init(relay_main_loop);
	relay_vty_track_init();
	relay_vty_grpc_init();
	relay_nb_rpc_init();
	cmd_init_config_callbacks(on_config_start, on_config_end);
	hook_register(frr_config_post, on_config_read);

	frr_config_fork();
	ret = relay_watchdog_start(relay_main_loop, relay_undertaker_prepare,
				   relayd_gone);
	if (ret < 0)
		zlog_warn("nobody watches relayd, routes of a hung one and what a dead one has left stay: %s",
			  safe_strerror(-ret));
	relay_logs_start(relay_main_loop);
	relay_grpc_start(relay_main_loop);
	frr_run(relay_main_loop);

	return 0; /* not reached */
}
