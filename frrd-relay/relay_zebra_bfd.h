// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * BFD sessions of FRR's bfdd, through zebra. Beside relay_zebra.c the only file
 * that speaks zapi.
 *
 * The messages are those of lib/bfd.h, the bookkeeping is not. lib/bfd.c
 * reports what differs from what it knew before a restart of bfdd or zebra, so
 * that a session that is up again is never reported; it registers one session
 * several times where bfdd counts a client once, so that the first to leave
 * ends it for all; and it looks interfaces up in a table that relayd does not
 * keep.
 */
#ifndef _RELAY_ZEBRA_BFD_H
#define _RELAY_ZEBRA_BFD_H

#include <zebra.h>

#include "hook.h"
#include "if.h"
#include "ipaddr.h"
#include "zclient.h"
#include "compat.h"

struct relay_bfd_key {
	struct ipaddr peer;
	struct ipaddr
		local; /* IPADDR_NONE: bfdd's choice; needed for multihop */
	char ifname[IFNAMSIZ]; /* may be empty */
	bool multihop;
};

/* The first four are states in which nothing is known of the session. */
enum relay_bfd_state {
	RELAY_BFD_NO_ZEBRA,
	RELAY_BFD_NO_BFDD,
	RELAY_BFD_BFDD_MUTE,
	RELAY_BFD_NO_WORD, /* bfdd has not said anything yet */
	RELAY_BFD_DOWN,
	RELAY_BFD_ADMIN_DOWN,
	RELAY_BFD_UP,
};

struct relay_bfd;

/*
 * True when bfdd takes both keys for one session: what one leaves open matches
 * anything. Pure.
 */
bool relay_bfd_key_same(const struct relay_bfd_key *a,
			const struct relay_bfd_key *b);

/* A session with this key, shared with others who want the same one. */
struct relay_bfd *relay_bfd_join(const struct relay_bfd_key *key);
void relay_bfd_leave(struct relay_bfd **session);
/* Of bfdd's profiles; "": none. Must be called once after relay_bfd_join(). */
void relay_bfd_profile(struct relay_bfd *session, const char *profile);
enum relay_bfd_state relay_bfd_state(const struct relay_bfd *session);
DECLARE_HOOK(relay_bfd_change, (const struct relay_bfd *session), (session));

/* For relay_zebra.c */
void relay_bfd_init(struct frr_loop *loop, const char *vty_dir);
/* The session with zebra is up; or down: NULL. */
void relay_bfd_zebra(struct zclient *zclient);
/* Before the zclient is freed; nobody is told anything any more. */
void relay_bfd_stop(void);
int relay_bfd_replay(ZAPI_CALLBACK_ARGS);
int relay_bfd_update(ZAPI_CALLBACK_ARGS);

#endif /* _RELAY_ZEBRA_BFD_H */
