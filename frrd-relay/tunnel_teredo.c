// SPDX-License-Identifier: GPL-2.0-or-later
/* Teredo (RFC 4380): a TUN with the engine behind it. */
#include <zebra.h>

#include "tunnel_kernel.h"

static int teredo_create(struct tunnel *tun)
{
	return tunnel_fail(tun, -EOPNOTSUPP, "Teredo");
}

static int teredo_check(struct tunnel *tun)
{
	return 0;
}

static int teredo_remove(struct tunnel *tun)
{
	return 0;
}

static int teredo_self_test(struct tunnel *tun, enum tunnel_way way,
			    uint32_t seq)
{
	return -EOPNOTSUPP;
}

static int teredo_counters(struct tunnel *tun, struct tunnel_counters *out)
{
	memset(out, 0, sizeof(*out));
	return 0;
}

const struct tunnel_ops tunnel_teredo_ops = {
	.name = "teredo",
	.create = teredo_create,
	.check = teredo_check,
	.repair = teredo_create,
	.remove = teredo_remove,
	.self_test = teredo_self_test,
	.counters = teredo_counters,
};
