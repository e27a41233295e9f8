// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RFC 2439 computes with tables of decay and lists of routes that are reused in
 * the same tick, since it was written for a router with all routes of the
 * Internet. A relay has a few: the closed form is exact, and costs nothing.
 */
#include <zebra.h>

#include <math.h>

#include "relay_dampening.h"

#define MINUTE_US 60000000.0

void relay_dampening_defaults(struct relay_dampening_config *cfg)
{
	cfg->enabled = false;
	cfg->half_life_min = RELAY_DAMPENING_HALF_LIFE_MIN;
	cfg->reuse = RELAY_DAMPENING_REUSE;
	cfg->suppress = RELAY_DAMPENING_SUPPRESS;
	cfg->max_suppress_min = RELAY_DAMPENING_MAX_SUPPRESS_MIN;
}

bool relay_dampening_same(const struct relay_dampening_config *a,
			  const struct relay_dampening_config *b)
{
	return a->enabled == b->enabled &&
	       a->half_life_min == b->half_life_min && a->reuse == b->reuse &&
	       a->suppress == b->suppress &&
	       a->max_suppress_min == b->max_suppress_min;
}

double relay_dampening_ceiling(const struct relay_dampening_config *cfg)
{
	return cfg->reuse *
	       exp2((double)cfg->max_suppress_min / cfg->half_life_min);
}

bool relay_dampening_valid(const struct relay_dampening_config *cfg, char *err,
			   size_t len)
{
	if (!cfg->enabled)
		return true;
	if (cfg->suppress <= cfg->reuse) {
		snprintf(err, len,
			 "dampening: suppress %u is not above reuse %u",
			 cfg->suppress, cfg->reuse);
		return false;
	}
	if (relay_dampening_ceiling(cfg) < cfg->suppress) {
		snprintf(err, len,
			 "dampening: suppress %u is never reached, reuse %u with half-life %u and max-suppress %u keeps the penalty at %.0f",
			 cfg->suppress, cfg->reuse, cfg->half_life_min,
			 cfg->max_suppress_min,
			 floor(relay_dampening_ceiling(cfg)));
		return false;
	}
	return true;
}

double relay_dampening_penalty(const struct relay_dampening *damp,
			       const struct relay_dampening_config *cfg,
			       int64_t now_us)
{
	double half_lives = (now_us - damp->updated_us) /
			    (cfg->half_life_min * MINUTE_US);

	return damp->penalty * exp2(-half_lives);
}

static void set(struct relay_dampening *damp,
		const struct relay_dampening_config *cfg, double penalty,
		int64_t now_us)
{
	damp->penalty = MIN(penalty, relay_dampening_ceiling(cfg));
	damp->updated_us = now_us;
}

void relay_dampening_flap(struct relay_dampening *damp,
			  const struct relay_dampening_config *cfg,
			  int64_t now_us)
{
	/* what has been due for reuse is no longer suppressed */
	relay_dampening_suppressed(damp, cfg, now_us);
	damp->flaps++;
	set(damp, cfg,
	    relay_dampening_penalty(damp, cfg, now_us) + RELAY_DAMPENING_FLAP,
	    now_us);
	/* RFC 2439 section 4.8.3 uses what is below the cutoff, so reaching it
	 * suppresses */
	if (damp->penalty >= cfg->suppress)
		damp->suppressed = true;
}

bool relay_dampening_suppressed(struct relay_dampening *damp,
				const struct relay_dampening_config *cfg,
				int64_t now_us)
{
	if (damp->suppressed &&
	    relay_dampening_penalty(damp, cfg, now_us) < cfg->reuse)
		damp->suppressed = false;
	return damp->suppressed;
}

int64_t relay_dampening_reuse_us(const struct relay_dampening *damp,
				 const struct relay_dampening_config *cfg,
				 int64_t now_us)
{
	double penalty = relay_dampening_penalty(damp, cfg, now_us);

	if (!damp->suppressed || penalty < cfg->reuse)
		return 0;
	/* after half-life * log2(p / reuse) it is there, and then below */
	return llround(cfg->half_life_min * MINUTE_US *
		       log2(penalty / cfg->reuse)) +
	       1;
}

void relay_dampening_reconfigure(struct relay_dampening *damp,
				 const struct relay_dampening_config *old,
				 const struct relay_dampening_config *cfg,
				 int64_t now_us)
{
	if (!old->enabled || !cfg->enabled) {
		relay_dampening_clear(damp);
		return;
	}
	set(damp, cfg, relay_dampening_penalty(damp, old, now_us), now_us);
	relay_dampening_suppressed(damp, cfg, now_us);
}

void relay_dampening_clear(struct relay_dampening *damp)
{
	memset(damp, 0, sizeof(*damp));
}
