// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every difference between FRR releases, and nothing else.
 *
 * relayd is built against the headers of exactly the FRR that is installed;
 * zapi and libfrr carry no version of their own. RELAY_FRR is its release, by
 * configure: 804 is 8.4, 1003 is 10.3. No other file asks for it.
 *
 * Names are those of the newer release where that has only another name.
 */
#ifndef _RELAY_COMPAT_H
#define _RELAY_COMPAT_H

#include <zebra.h>

#include "lib/version.h"
#if RELAY_FRR >= 1000
#include "frrevent.h"
#else
#include "thread.h"
#endif

/*
 * The distribution's libfrr is built with --enable-multipath=256, which sets
 * sizeof(struct zapi_route). Another value would corrupt every message.
 */
_Static_assert(MULTIPATH_NUM == 256,
	       "FRR headers configured with another --enable-multipath than the distribution's libfrr");

struct cmd_node;
struct debug;
struct frr_yang_module_info;
struct list;
struct lyd_node;
struct nb_cb_rpc_args;
struct nb_config;
struct nb_context;
struct nb_node;
struct nb_transaction;
struct prefix;
struct yang_data;
struct zapi_route;
struct zclient;

/* ------------------------------------------------------------- event loop */

/* `event` is also a member name in libfrr, so the struct gets a name of its
 * own here.
 */
#if RELAY_FRR >= 1000
#define frr_loop  event_loop
#define frr_event event
#else
#define frr_loop		  thread_master
#define frr_event		  thread
#define EVENT_ARG(ev)		  THREAD_ARG(ev)
#define EVENT_FD(ev)		  THREAD_FD(ev)
#define EVENT_OFF(ev)		  THREAD_OFF(ev)
#define event_add_timer		  thread_add_timer
#define event_add_timer_msec	  thread_add_timer_msec
#define event_add_timer_tv	  thread_add_timer_tv
#define event_add_event		  thread_add_event
#define event_add_read		  thread_add_read
#define event_add_write		  thread_add_write
#define event_call		  thread_call
#define event_fetch		  thread_fetch
#define event_master_create	  thread_master_create
#define event_master_free	  thread_master_free
#define event_timer_remain_second thread_timer_remain_second
#endif

/* ------------------------------------------------------------------ files */

/* where the daemons' sockets are */
#if RELAY_FRR < 1000
#define frr_runstatedir frr_vtydir
#endif

/* ------------------------------------------------------------------ debug */

/*
 * A struct debug: the line of the configuration that turns it on, and what it
 * is. Since 10 libfrr writes these lines, and `debug all` knows of each debug
 * by itself; before, `node` writes them and set_all() is called.
 */
#if RELAY_FRR >= 1000
#define COMPAT_DEBUG(line, what) {.conf = (line), .desc = (what)}
#else
#define COMPAT_DEBUG(line, what) {.desc = (what)}
#endif

void compat_debug_init(void (*set_all)(uint32_t flags, bool set),
		       struct cmd_node *node);
void compat_debug_install(struct debug *debug);

/* ----------------------------------------------------------------- zclient */

/*
 * A client of zebra that hears what becomes of its routes, and of the prefixes
 * that it has asked for, by nexthop(). `handlers` has compat_nexthop_update()
 * for ZEBRA_NEXTHOP_UPDATE: before 10 nobody else reads that message.
 */
struct zclient *
compat_zclient_new(struct frr_loop *loop,
		   int (*const *handlers)(int command, struct zclient *zclient,
					  uint16_t length, vrf_id_t vrf_id),
		   size_t n_handlers,
		   void (*nexthop)(const struct prefix *match,
				   const struct zapi_route *route));
int compat_nexthop_update(int command, struct zclient *zclient, uint16_t length,
			  vrf_id_t vrf_id);

/* To be called first in a new session. */
void compat_zclient_connected(struct zclient *zclient);

/* -------------------------------------------------------------- northbound */

/* The northbound without a daemon around it: without a database, too. */
void compat_nb_init(struct frr_loop *loop,
		    const struct frr_yang_module_info *const modules[],
		    size_t n);

/* of a vty: an edit that waits */
#if RELAY_FRR >= 1000
#define compat_cfg_change nb_cfg_change
#else
#define compat_cfg_change vty_cfg_change
#endif

/* The path of a leaf-list's entry, for nb_cli_enqueue_change(). */
void compat_leaf_list_xpath(char *buf, size_t len, const char *xpath,
			    const char *value);

/*
 * Of a leaf's or leaf-list's state: since 10 a callback may make the nodes,
 * `elem` gives values where it can't. FRR's own modules have both kinds.
 */
#if RELAY_FRR >= 1000
#define COMPAT_GET(make, elem) .get = (make)
#else
#define COMPAT_GET(make, elem) .get_elem = (elem)
#endif

/* Calls the one that makes nodes, below parent; false: there is none. */
bool compat_nb_get(const struct nb_node *node, const void *entry,
		   struct lyd_node *parent);

/* NB_OK or NB_ERR; to destroy what is not there is no error. */
int compat_candidate_edit(struct nb_config *candidate,
			  const struct nb_node *node, int operation,
			  const char *xpath, const struct yang_data *data);

int compat_candidate_prepare(const struct nb_context *context,
			     struct nb_config *candidate, const char *comment,
			     struct nb_transaction **transaction, char *err,
			     size_t len);
int compat_candidate_commit(const struct nb_context *context,
			    struct nb_config *candidate, char *err, size_t len);
int compat_candidate_validate(const struct nb_context *context,
			      struct nb_config *candidate, char *err,
			      size_t len);

/* The value of a leaf of an RPC's input, NULL where it is not there. */
const char *compat_rpc_input(const struct nb_cb_rpc_args *args,
			     const char *leaf);

/*
 * Executes an RPC. in, out: lists of struct yang_data with absolute paths; out
 * is filled. Returns an enum nb_error, with a word about it in err.
 */
int compat_rpc_call(const struct nb_node *node, const char *xpath,
		    struct list *in, struct list *out, char *err, size_t len);

/* ----------------------------------------------------------------- libyang */

#define COMPAT_LIBYANG (RELAY_FRR >= 1000 ? 3 : 2)

/*
 * The last error: its words, and where it is (compat_ly_path() has the path of
 * that), NULL where there is none; the line of the text that was read, or 0.
 */
const char *compat_ly_errmsg(void);
const char *compat_ly_errpath(void);
unsigned long compat_ly_errline(void);

/*
 * The path in what libyang says of a place, which is more than that in 2. *len:
 * how long it is, 0 where there is none.
 */
const char *compat_ly_path(const char *where, size_t *len);

/* libyang's messages go to log() instead of libfrr. */
void compat_ly_log(void (*log)(const char *msg));

/* Has the node metadata but what libyang itself needs (3: of sorted lists)? */
bool compat_lyd_has_meta(const struct lyd_node *node);

#endif /* _RELAY_COMPAT_H */
