// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * relay_dampening.c applied to a relay and to each of its routes, at the time
 * that it is. relay.c asks; timers are its own.
 *
 * A relay that fails is penalised as a whole, since all of its routes go. A
 * route that is held back alone has a penalty of its own: its UPDATEs are no
 * fewer, and the rest of the relay has no share in them.
 */
#ifndef _RELAY_SUPPRESS_H
#define _RELAY_SUPPRESS_H

#include <zebra.h>

#include "relay.h"

/* The relay was fit to serve and has failed. */
void relay_suppress_flap(struct relay *relay);

/* Is the relay suppressed? */
bool relay_suppress_relay(struct relay *relay);

/*
 * To be asked whenever routes are judged, with route->held as it is without
 * dampening; up: the relay is; failed: what holds a route back is a failure. A
 * route that was fit and has failed has flapped, unless the operator did it.
 * Returns whether dampening holds back a route that nothing else does.
 */
bool relay_suppress_route(struct relay *relay, struct relay_route *route,
			  bool up, bool failed);

/* Milliseconds to the next reuse, of the relay or a route; 0: none is due. */
int64_t relay_suppress_next_ms(const struct relay *relay);

/* Takes over another `dampening` line, before relay->cfg gets it. */
void relay_suppress_configure(struct relay *relay,
			      const struct relay_dampening_config *cfg);

void relay_suppress_clear(struct relay *relay);

#endif /* _RELAY_SUPPRESS_H */
