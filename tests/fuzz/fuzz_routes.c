// SPDX-License-Identifier: GPL-2.0-or-later
/* The main table's routes as the kernel lists them: uplinks and next hops. */
#include "fuzz.h"

#include "tunnel_kernel.h"

static void each(struct nlmsghdr *nlh)
{
	tunnel_route_message(nlh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int families[] = {AF_INET, AF_INET6};
	const ifindex_t *uplinks;
	size_t n;

	tunnel_route_forget();
	fuzz_messages(data, size, each);
	for (size_t i = 0; i < array_size(families); i++) {
		uplinks = tunnel_route_uplinks(families[i], &n);
		for (size_t j = 0; j < n; j++)
			FUZZ_ASSERT(uplinks[j] != 0);
	}
	return 0;
}
