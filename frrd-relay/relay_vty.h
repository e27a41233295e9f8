// SPDX-License-Identifier: GPL-2.0-or-later
/* What the show commands share. */
#ifndef _RELAY_VTY_H
#define _RELAY_VTY_H

#include <zebra.h>

#include "lib/json.h"

void relay_vty_json_time(json_object *json, const char *key, time_t when);
/* "1d02h03m", "00:01:02": how long ago, as FRR shows uptimes; returns buf. */
const char *relay_vty_ago(time_t since, char *buf, size_t len);

#endif /* _RELAY_VTY_H */
