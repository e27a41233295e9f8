// SPDX-License-Identifier: GPL-2.0-or-later
/* The clock of all floors, finer than libfrr's monotime(), which it is. */
#ifndef _RELAY_TIME_H
#define _RELAY_TIME_H

#include <zebra.h>

#include "monotime.h"

/* Microseconds on CLOCK_MONOTONIC. */
static inline int64_t relay_now_us(void)
{
	struct timeval now;

	monotime(&now);
	return now.tv_sec * INT64_C(1000000) + now.tv_usec;
}

/* Milliseconds of the same. */
static inline int64_t relay_now_ms(void)
{
	return relay_now_us() / 1000;
}

#endif /* _RELAY_TIME_H */
