// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "log.h"

#include "relay_debug.h"
#include "relay_suppress.h"
#include "relay_time.h"

void relay_suppress_flap(struct relay *relay)
{
	const struct relay_dampening_config *cfg = &relay->cfg.dampening;

	if (!cfg->enabled)
		return;
	relay_dampening_flap(&relay->dampening, cfg, relay_now_us());
	DEBUGD(&relay_dbg_events, "relay %s: flap %u, penalty %.0f",
	       relay->cfg.name, relay->dampening.flaps,
	       relay->dampening.penalty);
}

bool relay_suppress_relay(struct relay *relay)
{
	return relay_dampening_suppressed(
		&relay->dampening, &relay->cfg.dampening, relay_now_us());
}

bool relay_suppress_route(struct relay *relay, struct relay_route *route,
			  bool up, bool failed)
{
	const struct relay_dampening_config *cfg = &relay->cfg.dampening;
	struct relay_dampening *damp = &route->dampening;
	bool was_fit = route->fit, was_suppressed = damp->suppressed;
	struct relay_dampening_status status;
	int64_t now = relay_now_us();

	route->fit = up && !route->held;
	if (!cfg->enabled)
		return false;
	if (up && was_fit && !route->fit && failed && !relay->configuring) {
		relay_dampening_flap(damp, cfg, now);
		DEBUGD(&relay_dbg_events,
		       "relay %s: route %pFX: flap %u, penalty %.0f",
		       relay->cfg.name, &route->cfg.prefix, damp->flaps,
		       damp->penalty);
	}

	relay_dampening_suppressed(damp, cfg, now);
	if (damp->suppressed != was_suppressed) {
		relay_dampening_status(relay, damp, &status);
		zlog_notice("relay %s: route %pFX is %s dampened, penalty %u, reuse in %u s",
			    relay->cfg.name, &route->cfg.prefix,
			    damp->suppressed ? "now" : "no longer",
			    status.penalty, status.reuse_s);
	}
	return damp->suppressed && route->fit;
}

int64_t relay_suppress_next_ms(const struct relay *relay)
{
	const struct relay_dampening_config *cfg = &relay->cfg.dampening;
	int64_t now = relay_now_us(), next, us;

	if (!cfg->enabled)
		return 0;
	next = relay_dampening_reuse_us(&relay->dampening, cfg, now);
	for (size_t i = 0; i < relay->nroutes; i++) {
		us = relay_dampening_reuse_us(&relay->routes[i].dampening, cfg,
					      now);
		if (us && (!next || us < next))
			next = us;
	}
	/* not before it: each timer brings a reuse */
	return next ? next / 1000 + 1 : 0;
}

void relay_suppress_configure(struct relay *relay,
			      const struct relay_dampening_config *cfg)
{
	const struct relay_dampening_config *old = &relay->cfg.dampening;
	int64_t now = relay_now_us();

	if (relay_dampening_same(old, cfg))
		return;
	relay_dampening_reconfigure(&relay->dampening, old, cfg, now);
	for (size_t i = 0; i < relay->nroutes; i++)
		relay_dampening_reconfigure(&relay->routes[i].dampening, old,
					    cfg, now);
	/* what it said of the time to reuse no longer holds */
	if (relay->oper == RELAY_OPER_DAMPENED)
		relay->detail[0] = '\0';
}

void relay_suppress_clear(struct relay *relay)
{
	relay_dampening_clear(&relay->dampening);
	for (size_t i = 0; i < relay->nroutes; i++)
		relay_dampening_clear(&relay->routes[i].dampening);
}

void relay_dampening_status(const struct relay *relay,
			    const struct relay_dampening *damp,
			    struct relay_dampening_status *out)
{
	const struct relay_dampening_config *cfg = &relay->cfg.dampening;
	int64_t now = relay_now_us(),
		reuse_us = relay_dampening_reuse_us(damp, cfg, now);

	out->penalty = relay_dampening_penalty(damp, cfg, now);
	out->suppressed = reuse_us > 0;
	/* the last microsecond is no second; at least one while suppressed */
	out->reuse_s = MAX((reuse_us + 999998) / 1000000, reuse_us > 0);
	out->flaps = damp->flaps;
}
