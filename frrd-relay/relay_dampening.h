// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flap damping of what relayd originates (RFC 2439): a penalty that each flap
 * raises and time halves. Pure: no clock, no timer, no relay; times come in as
 * microseconds of any clock that only goes forward.
 */
#ifndef _RELAY_DAMPENING_H
#define _RELAY_DAMPENING_H

#include <zebra.h>

/* The figure of merit of one flap, as in every implementation of RFC 2439. */
#define RELAY_DAMPENING_FLAP 1000

#define RELAY_DAMPENING_HALF_LIFE_MIN	 15
#define RELAY_DAMPENING_REUSE		 750
#define RELAY_DAMPENING_SUPPRESS	 2000
#define RELAY_DAMPENING_MAX_SUPPRESS_MIN 60

struct relay_dampening_config {
	bool enabled;
	uint8_t half_life_min;	  /* minutes, 1..45 */
	uint16_t reuse;		  /* 1..20000 */
	uint16_t suppress;	  /* 1..20000, above reuse */
	uint8_t max_suppress_min; /* minutes, 1..255 */
};

/* One relay, or one of its routes; all zero: has never flapped. */
struct relay_dampening {
	double penalty;	    /* at the time `updated_us` */
	int64_t updated_us;
	bool suppressed;
	uint32_t flaps; /* since the last clear */
};

/* The defaults, not enabled. */
void relay_dampening_defaults(struct relay_dampening_config *cfg);

bool relay_dampening_same(const struct relay_dampening_config *a,
			  const struct relay_dampening_config *b);

/*
 * RFC 2439 section 4.2: the penalty never exceeds what decays to `reuse` within
 * max-suppress, so nothing is suppressed for longer after its last flap.
 */
double relay_dampening_ceiling(const struct relay_dampening_config *cfg);

/* Why this can't work, in one line without a final newline; else true. */
bool relay_dampening_valid(const struct relay_dampening_config *cfg, char *err,
			   size_t len);

/* p(t) = p(0) * 2^(-t / half-life), RFC 2439 section 4.2 */
double relay_dampening_penalty(const struct relay_dampening *damp,
			       const struct relay_dampening_config *cfg,
			       int64_t now_us);

/* A flap; suppression begins where the penalty reaches `suppress`. */
void relay_dampening_flap(struct relay_dampening *damp,
			  const struct relay_dampening_config *cfg,
			  int64_t now_us);

/* Ends a suppression whose penalty has fallen below `reuse`. Returns whether
 * it is suppressed at now_us. */
bool relay_dampening_suppressed(struct relay_dampening *damp,
				const struct relay_dampening_config *cfg,
				int64_t now_us);

/*
 * Microseconds until the penalty is below `reuse`; 0 where nothing is
 * suppressed. relay_dampening_suppressed() is false from then on.
 */
int64_t relay_dampening_reuse_us(const struct relay_dampening *damp,
				 const struct relay_dampening_config *cfg,
				 int64_t now_us);

/*
 * The configuration changes from `old` to `cfg`: what the penalty has become
 * goes on under the new values. Suppression may end with that; it begins with
 * a flap only.
 */
void relay_dampening_reconfigure(struct relay_dampening *damp,
				 const struct relay_dampening_config *old,
				 const struct relay_dampening_config *cfg,
				 int64_t now_us);

void relay_dampening_clear(struct relay_dampening *damp);

#endif /* _RELAY_DAMPENING_H */
