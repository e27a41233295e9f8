// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's answers to requests: acknowledgements with words, a route, the
 * statistics of a link. */
#include "fuzz.h"

#include "tunnel_kernel.h"

#define SEQ 1

static struct kern_route route;
static struct kern_stats stats;

static void each(struct nlmsghdr *nlh)
{
	int ret;

	if (kern_answer(nlh, SEQ, kern_route_message, &route, &ret))
		FUZZ_ASSERT(strlen(kern_error_text()) < 80);
	kern_answer(nlh, SEQ, kern_stats_message, &stats, &ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_messages(data, size, each);
	return 0;
}
