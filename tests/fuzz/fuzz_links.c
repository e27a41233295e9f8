// SPDX-License-Identifier: GPL-2.0-or-later
/* Links, addresses and switches as the kernel tells of them. */
#include "fuzz.h"

#include "tunnel_kernel.h"
#include "tunnel_tables.h"

static void each(struct nlmsghdr *nlh)
{
	tunnel_tables_message(nlh, NULL);
}

/* Both indices of the table of links say the same. */
static void check_links(void)
{
	struct kern_link *link = NULL;

	while ((link = kern_link_next(link))) {
		FUZZ_ASSERT(kern_link_by_name(link->pub.name) == link);
		FUZZ_ASSERT(kern_link_by_index(link->pub.ifindex) == link);
		FUZZ_ASSERT(strlen(link->pub.name) < sizeof(link->pub.name));
		FUZZ_ASSERT(strlen(link->alias) < sizeof(link->alias));
		FUZZ_ASSERT(strlen(link->kind) < sizeof(link->kind));
	}
}

static void check_addrs(void)
{
	struct kern_addr *addr = NULL;

	while ((addr = kern_addr_next(addr)))
		FUZZ_ASSERT(addr->prefix.family == AF_INET ||
			    addr->prefix.family == AF_INET6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tunnel_link news;

	tunnel_tables_init();
	fuzz_messages(data, size, each);
	check_links();
	check_addrs();
	while (tunnel_tables_pop_news(&news))
		FUZZ_ASSERT(strlen(news.name) < sizeof(news.name));
	/* the same again, as a full read brings it, then one that is empty */
	tunnel_tables_mark();
	fuzz_messages(data, size, each);
	tunnel_tables_sweep();
	check_links();
	tunnel_tables_mark();
	tunnel_tables_sweep();
	FUZZ_ASSERT(kern_link_next(NULL) == NULL);
	FUZZ_ASSERT(kern_addr_next(NULL) == NULL);
	tunnel_tables_fini();
	return 0;
}
