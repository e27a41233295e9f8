// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one decision: what a relay's state is, and why (contract section 3).
 * Pure; relay.c gathers the facts and acts on the verdict.
 */
#ifndef _RELAY_HEALTH_H
#define _RELAY_HEALTH_H

#include <zebra.h>

#include "track.h"
#include "tunnel.h"

#define RELAY_DETAIL_LEN 192

enum relay_oper {
	RELAY_OPER_DISABLED,
	RELAY_OPER_INIT,
	RELAY_OPER_UP,
	RELAY_OPER_DOWN,
	RELAY_OPER_MAINTENANCE,
	RELAY_OPER_DRAINING,
	RELAY_OPER_DAMPENED,
};
#define RELAY_OPER_LAST RELAY_OPER_DAMPENED

enum relay_reason {
	RELAY_REASON_OK,
	RELAY_REASON_SHUTDOWN,
	RELAY_REASON_INCOMPLETE_CONFIG,
	RELAY_REASON_INTERFACE_MISSING,
	RELAY_REASON_INTERFACE_DOWN,
	RELAY_REASON_SOURCE_MISSING,
	RELAY_REASON_FORWARDING_OFF,
	RELAY_REASON_SELF_TEST_FAILED,
	RELAY_REASON_TRACK_DOWN,
	RELAY_REASON_DELAY_UP,
	RELAY_REASON_MAINTENANCE,
	RELAY_REASON_DAMPENED,
	RELAY_REASON_DATAPATH_ERROR,
	RELAY_REASON_ZEBRA_DISCONNECTED,
};

struct relay_facts {
	bool enabled;
	bool complete;	  /* mode and tunnel source are configured */
	bool maintenance; /* configured */
	bool draining;	  /* routes are gone, packets still forwarded */
	bool zebra;	  /* session with zebra is up */
	bool exists;	  /* the tunnel interface */
	const struct tunnel_status *tun; /* NULL: no tunnel yet */
	uint16_t track;			 /* 0: none */
	enum track_state track_state;
	const char *track_detail; /* may be NULL */
	bool suppressed;	  /* by dampening */
	uint32_t penalty, reuse_s; /* of the suppression */
	bool overload_withdraws;   /* `peers overload withdraw` */
	bool delay_passed;	  /* healthy for `delay up` */
	bool configuring; /* the operator is changing the relay */
};

struct relay_verdict {
	enum relay_oper oper;
	enum relay_reason reason;
	char detail[RELAY_DETAIL_LEN];
	/* everything but dampening and `delay up` holds: the delay may run */
	bool healthy;
};

void relay_health_decide(const struct relay_facts *facts,
			 struct relay_verdict *verdict);

/*
 * Where verdict follows on a healthy one: has the relay failed, which is a flap
 * that dampening counts? What the operator says is none, nor is what goes with
 * zebra.
 */
bool relay_health_is_flap(const struct relay_facts *facts,
			  const struct relay_verdict *verdict);

/* Of both ways together: failed where one has. */
enum tunnel_check relay_health_self_test(const struct tunnel_status *tun);

/* That a Teredo relay can't take more peers, in words; "" when it can. Returns
 * buf. */
const char *relay_health_overload(const struct tunnel_status *tun, char *buf,
				  size_t len);

#define RELAY_TIME_LEN sizeof("2026-11-20T10:00:00Z")
/* RFC 3339, UTC, whole seconds; returns buf (RELAY_TIME_LEN octets). */
const char *relay_time_str(time_t when, char *buf);

/* Names of contract section 1.3. */
const char *relay_oper_str(enum relay_oper oper);
const char *relay_reason_str(enum relay_reason reason);

#endif /* _RELAY_HEALTH_H */
