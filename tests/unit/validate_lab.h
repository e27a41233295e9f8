// SPDX-License-Identifier: GPL-2.0-or-later
/* A 6to4 relay that holds, what it may refer to, and what is said of it. */
#ifndef _RELAY_VALIDATE_LAB_H
#define _RELAY_VALIDATE_LAB_H

#include "relay_validate.h"

/* Objects 1 and 2 are interfaces, 10 a list of 1, 11 a list of 10. */
static bool get(void *arg, uint16_t id, struct track_config *out)
{
	memset(out, 0, sizeof(*out));
	out->id = id;
	switch (id) {
	case 1:
	case 2:
		out->type = TRACK_INTERFACE;
		strlcpy(out->ifname, "eth0", sizeof(out->ifname));
		return true;
	case 10:
	case 11:
		out->type = TRACK_LIST;
		out->members[0].id = id == 10 ? 1 : 10;
		out->nmembers = 1;
		return true;
	default:
		return false;
	}
}

static const struct relay_validate_tracks tracks = {.get = get};

static inline void relay_named(struct relay_config *cfg, const char *name)
{
	relay_config_defaults(cfg);
	strlcpy(cfg->name, name, sizeof(cfg->name));
	cfg->mode = RELAY_MODE_6TO4;
	cfg->has_source = true;
	inet_pton(AF_INET, "192.88.99.1", &cfg->source);
	cfg->enabled = true;
}

static inline void add_route(struct relay_config *cfg, const char *prefix)
{
	struct relay_route_config *route = &cfg->routes[cfg->nroutes++];

	memset(route, 0, sizeof(*route));
	route->distance = 1;
	assert_int_equal(str2prefix(prefix, &route->prefix), 1);
}

static inline void expect(const struct relay_config *cfg,
		   const struct relay_config *others, size_t n,
		   const char *expected)
{
	char err[RELAY_ERR_LEN] = "";
	bool ok = relay_validate_relay(cfg, others, n, &tracks, err,
				       sizeof(err));

	assert_string_equal(err, expected ? expected : "");
	assert_int_equal(ok, !expected);
}

#endif /* _RELAY_VALIDATE_LAB_H */
