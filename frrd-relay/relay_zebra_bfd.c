// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <net/if.h>

#include "bfd.h"
#include "log.h"
#include "memory.h"
#include "stream.h"
#include "typesafe.h"
#include "vrf.h"

#include "relay_bfdd.h"
#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_zebra_bfd.h"

DEFINE_MTYPE_STATIC(RELAYD, RELAY_BFD, "Relay BFD session");
DEFINE_HOOK(relay_bfd_change, (const struct relay_bfd *session), (session));

/*
 * bfdd takes a session down without a word to its clients when one of several
 * leaves it. Should it stay down, this is how soon relayd hears of it.
 */
#define RELAY_BFD_REFRESH_S 10

PREDECL_DLIST(relay_bfds);
struct relay_bfd {
	struct relay_bfds_item item;
	struct relay_bfd_key key;
	char profile[BFD_PROFILE_NAME_LEN];
	unsigned int refs;
	bool registered;	   /* since zebra is there */
	enum relay_bfd_state word; /* bfdd's last */
	ifindex_t ifindex;	   /* that it came with, 0: none */
};
DECLARE_DLIST(relay_bfds, struct relay_bfd, item);

static struct relay_bfds_head sessions[1] = {INIT_DLIST(sessions[0])};
static struct frr_loop *loop;
static struct zclient *zebra; /* NULL while there is no session with zebra */
static struct frr_event *t_refresh;

/* -------------------------------------------------------------------- keys */

static bool address_same(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->ipa_type == b->ipa_type &&
	       (IS_IPADDR_NONE(a) || ipaddr_cmp(a, b) == 0);
}

static bool key_equal(const struct relay_bfd_key *a,
		      const struct relay_bfd_key *b)
{
	return a->multihop == b->multihop && !strcmp(a->ifname, b->ifname) &&
	       address_same(&a->peer, &b->peer) &&
	       address_same(&a->local, &b->local);
}

bool relay_bfd_key_same(const struct relay_bfd_key *a,
			const struct relay_bfd_key *b)
{
	return a->multihop == b->multihop && address_same(&a->peer, &b->peer) &&
	       (IS_IPADDR_NONE(&a->local) || IS_IPADDR_NONE(&b->local) ||
		address_same(&a->local, &b->local)) &&
	       (!a->ifname[0] || !b->ifname[0] ||
		!strcmp(a->ifname, b->ifname));
}

/* Another session of ours that is the same one to bfdd. */
static bool shared(const struct relay_bfd *session)
{
	struct relay_bfd *other;

	frr_each (relay_bfds, sessions, other)
		if (other != session &&
		    relay_bfd_key_same(&other->key, &session->key))
			return true;
	return false;
}

/* ----------------------------------------------------------------- to bfdd */

static void send_command(struct relay_bfd *session, int command,
			 const char *profile)
{
	const struct relay_bfd_key *key = &session->key;
	struct bfd_session_arg arg = {
		.command = command,
		.vrf_id = VRF_DEFAULT,
		.mhop = key->multihop,
		/*
		 * 0: the least TTL is bfdd's default or the profile's
		 * (minimum-ttl); any other count would override both.
		 */
		.hops = key->multihop ? 0 : 1,
		.min_rx = BFD_DEF_MIN_RX,
		.min_tx = BFD_DEF_MIN_TX,
		.detection_multiplier = BFD_DEF_DETECT_MULT,
	};

	if (!zebra)
		return;
	if (IS_IPADDR_V4(&key->peer)) {
		arg.family = AF_INET;
		memcpy(&arg.dst, &key->peer.ipaddr_v4, sizeof(struct in_addr));
		if (!IS_IPADDR_NONE(&key->local))
			memcpy(&arg.src, &key->local.ipaddr_v4,
			       sizeof(struct in_addr));
	} else {
		arg.family = AF_INET6;
		arg.dst = key->peer.ipaddr_v6;
		if (!IS_IPADDR_NONE(&key->local))
			arg.src = key->local.ipaddr_v6;
	}
	strlcpy(arg.ifname, key->ifname, sizeof(arg.ifname));
	arg.ifnamelen = strlen(arg.ifname);
	strlcpy(arg.profile, profile, sizeof(arg.profile));
	arg.profilelen = strlen(arg.profile);

	DEBUGD(&relay_dbg_zebra, "bfd: %s peer %pIA%s%s",
	       command == ZEBRA_BFD_DEST_REGISTER ? "register" : "deregister",
	       &key->peer, key->ifname[0] ? " interface " : "", key->ifname);
	if (zclient_bfd_command(zebra, &arg) < 0)
		zlog_warn("bfd: could not ask for the session with %pIA",
			  &key->peer);
}

/* What is there already is taken as it is, so once more does no harm. */
static void session_register(struct relay_bfd *session)
{
	if (!zebra)
		return;
	session->registered = true;
	send_command(session, ZEBRA_BFD_DEST_REGISTER, session->profile);
}

static void register_all(void)
{
	struct relay_bfd *session;

	frr_each (relay_bfds, sessions, session)
		session_register(session);
}

static void session_deregister(struct relay_bfd *session)
{
	struct relay_bfd *other;

	if (!session->registered)
		return;
	session->registered = false;
	if (shared(session))
		return;
	send_command(session, ZEBRA_BFD_DEST_DEREGISTER, "");
	/*
	 * Two keys that differ may have met in one session of bfdd's by way of
	 * a third one, which left local address or interface open.
	 */
	frr_each (relay_bfds, sessions, other)
		if (other != session && other->registered &&
		    other->key.multihop == session->key.multihop &&
		    address_same(&other->key.peer, &session->key.peer))
			session_register(other);
}

/* Asks for the states; a profile would be applied anew. */
static void refresh(struct frr_event *ev)
{
	struct relay_bfd *session;

	if (relay_bfdd_state() == RELAY_BFDD_ALIVE)
		frr_each (relay_bfds, sessions, session)
			if (session->registered)
				send_command(session, ZEBRA_BFD_DEST_REGISTER,
					     "");
	event_add_timer(loop, refresh, NULL, RELAY_BFD_REFRESH_S, &t_refresh);
}

/* --------------------------------------------------------------- from bfdd */

static void session_word(struct relay_bfd *session, enum relay_bfd_state word)
{
	if (session->word == word)
		return;
	session->word = word;
	hook_call(relay_bfd_change, session);
}

/* What bfdd said does not hold any more; who asks again is told. */
static void forget_all(void)
{
	struct relay_bfd *session;

	frr_each (relay_bfds, sessions, session) {
		session->word = RELAY_BFD_NO_WORD;
		session->ifindex = 0;
		hook_call(relay_bfd_change, session);
	}
}

struct bfd_update {
	ifindex_t ifindex;
	struct ipaddr peer;
	struct ipaddr local; /* IPADDR_NONE: bfdd has not been told one */
	enum relay_bfd_state word;
};

static bool read_address(struct stream *s, struct ipaddr *addr)
{
	static const struct in6_addr zero;
	uint8_t family, plen;
	size_t len;

	memset(addr, 0, sizeof(*addr));
	STREAM_GETC(s, family);
	if (family != AF_INET && family != AF_INET6)
		return false;
	len = family == AF_INET ? sizeof(struct in_addr)
				: sizeof(struct in6_addr);
	STREAM_GET(&addr->ipaddr_v6, s, len);
	STREAM_GETC(s, plen);
	if (memcmp(&addr->ipaddr_v6, &zero, len))
		addr->ipa_type = family == AF_INET ? IPADDR_V4 : IPADDR_V6;
	return plen == len * 8;

stream_failure:
	return false;
}

static bool read_update(struct stream *s, struct bfd_update *update)
{
	uint32_t status;

	STREAM_GETL(s, update->ifindex);
	if (!read_address(s, &update->peer))
		return false;
	STREAM_GETL(s, status);
	if (!read_address(s, &update->local))
		return false;
	switch (status) {
	case BFD_STATUS_UP:
		update->word = RELAY_BFD_UP;
		return true;
	case BFD_STATUS_DOWN:
		update->word = RELAY_BFD_DOWN;
		return true;
	case BFD_STATUS_ADMIN_DOWN:
		update->word = RELAY_BFD_ADMIN_DOWN;
		return true;
	}
	update->word = RELAY_BFD_NO_WORD;
	return true;

stream_failure:
	return false;
}

/* The interface that a session came with is no more. */
static bool interface_gone(const struct relay_bfd *session)
{
	char ifname[IFNAMSIZ];

	return session->ifindex && !if_indextoname(session->ifindex, ifname);
}

/* bfdd tells all clients of all sessions, and not whether one is multihop. */
static bool update_is_of(const struct bfd_update *update,
			 const struct relay_bfd *session)
{
	const struct relay_bfd_key *key = &session->key;

	if (!address_same(&update->peer, &key->peer))
		return false;
	if (!IS_IPADDR_NONE(&update->local) && !IS_IPADDR_NONE(&key->local) &&
	    !address_same(&update->local, &key->local))
		return false;
	if (key->multihop)
		return update->ifindex == 0 && !IS_IPADDR_NONE(&update->local);
	if (update->ifindex == 0)
		/*
		 * A session that has heard nothing of its peer yet, so it isn't
		 * up and never was; or, by FRR 10, one whose interface has gone;
		 * or a multihop one.
		 */
		return (session->ifindex == 0 || interface_gone(session)) &&
		       (IS_IPADDR_NONE(&update->local) ||
			update->word != RELAY_BFD_UP);
	/* by FRR 8 the last word on an interface comes when it has gone */
	return !key->ifname[0] || update->ifindex == session->ifindex ||
	       update->ifindex == (ifindex_t)if_nametoindex(key->ifname);
}

int relay_bfd_update(ZAPI_CALLBACK_ARGS)
{
	struct bfd_update update;
	struct relay_bfd *session;

	if (vrf_id != VRF_DEFAULT)
		return 0;
	if (!read_update(zclient->ibuf, &update)) {
		zlog_warn("bfd: unreadable update");
		return -1;
	}
	DEBUGD(&relay_dbg_zebra, "bfd: peer %pIA ifindex %d word %d",
	       &update.peer, update.ifindex, update.word);
	frr_each (relay_bfds, sessions, session) {
		if (!session->registered || !update_is_of(&update, session))
			continue;
		session->ifindex = update.ifindex;
		session_word(session, update.word);
	}
	return 0;
}

/* bfdd has (re)connected to zebra, and has dropped all that clients wanted. */
int relay_bfd_replay(ZAPI_CALLBACK_ARGS)
{
	DEBUGD(&relay_dbg_zebra, "bfd: bfdd asks for all sessions");
	forget_all();
	bfd_client_sendmsg(zebra, ZEBRA_BFD_CLIENT_REGISTER, VRF_DEFAULT);
	register_all();
	return 0;
}

static void bfdd_changed(enum relay_bfdd_state state)
{
	switch (state) {
	case RELAY_BFDD_ALIVE:
		register_all();
		/* fallthrough */
	case RELAY_BFDD_GONE:
	case RELAY_BFDD_MUTE:
		forget_all();
		return;
	}
}

/* ---------------------------------------------------------------- sessions */

struct relay_bfd *relay_bfd_join(const struct relay_bfd_key *key)
{
	struct relay_bfd *session;

	frr_each (relay_bfds, sessions, session)
		if (key_equal(&session->key, key)) {
			session->refs++;
			return session;
		}

	if (!relay_bfds_count(sessions)) {
		relay_bfdd_watch(bfdd_changed);
		event_add_timer(loop, refresh, NULL, RELAY_BFD_REFRESH_S,
				&t_refresh);
	}
	session = XCALLOC(MTYPE_RELAY_BFD, sizeof(*session));
	session->key = *key;
	session->refs = 1;
	session->word = RELAY_BFD_NO_WORD;
	relay_bfds_add_tail(sessions, session);
	return session;
}

void relay_bfd_leave(struct relay_bfd **sessionp)
{
	struct relay_bfd *session = *sessionp;

	*sessionp = NULL;
	if (--session->refs)
		return;
	session_deregister(session);
	relay_bfds_del(sessions, session);
	XFREE(MTYPE_RELAY_BFD, session);
	if (!relay_bfds_count(sessions)) {
		EVENT_OFF(t_refresh);
		relay_bfdd_unwatch();
	}
}

void relay_bfd_profile(struct relay_bfd *session, const char *profile)
{
	bool given_up = session->profile[0] && !profile[0];

	if (session->registered && !strcmp(session->profile, profile))
		return;
	strlcpy(session->profile, profile, sizeof(session->profile));
	/* bfdd has no message that takes a profile off a session */
	if (given_up && !shared(session))
		session_deregister(session);
	session_register(session);
}

enum relay_bfd_state relay_bfd_state(const struct relay_bfd *session)
{
	if (!zebra)
		return RELAY_BFD_NO_ZEBRA;
	switch (relay_bfdd_state()) {
	case RELAY_BFDD_GONE:
		return RELAY_BFD_NO_BFDD;
	case RELAY_BFDD_MUTE:
		return RELAY_BFD_BFDD_MUTE;
	case RELAY_BFDD_ALIVE:
		return session->word;
	}
	assert(!"unknown state of bfdd");
}

/* ------------------------------------------------------------------- zebra */

void relay_bfd_init(struct frr_loop *main_loop, const char *vty_dir)
{
	loop = main_loop;
	relay_bfdd_init(main_loop, vty_dir);
}

void relay_bfd_zebra(struct zclient *zclient)
{
	struct relay_bfd *session;

	zebra = zclient;
	if (!zebra) {
		frr_each (relay_bfds, sessions, session)
			session->registered = false;
		forget_all();
		return;
	}
	/* also makes zebra tell bfdd when relayd has gone */
	bfd_client_sendmsg(zebra, ZEBRA_BFD_CLIENT_REGISTER, VRF_DEFAULT);
	register_all();
	forget_all();
}

void relay_bfd_stop(void)
{
	zebra = NULL;
	EVENT_OFF(t_refresh);
	relay_bfdd_unwatch();
}
