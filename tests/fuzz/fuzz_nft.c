// SPDX-License-Identifier: GPL-2.0-or-later
/* What nftables tells of our tables, and the elements of our sets with what
 * they have counted: each listing is answered with the input. */
#include "fuzz.h"

#include <netlink/msg.h>

#include "tunnel_kernel.h"

static const uint8_t *input;
static size_t input_len;
static void (*answer)(struct nlmsghdr *nlh, void *arg);
static void *answer_arg;

static void each(struct nlmsghdr *nlh)
{
	answer(nlh, answer_arg);
}

/* In place of a question to the kernel. */
int __wrap_kern_talk_nf(struct nl_msg *msg,
			void (*cb)(struct nlmsghdr *nlh, void *arg), void *arg);
int __wrap_kern_talk_nf(struct nl_msg *msg,
			void (*cb)(struct nlmsghdr *nlh, void *arg), void *arg)
{
	nlmsg_free(msg);
	answer = cb;
	answer_arg = arg;
	fuzz_messages(input, input_len, each);
	return 0;
}

static void news(struct nlmsghdr *nlh)
{
	tunnel_nft_is_ours(nlh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nft_relay relays[] = {
		{.source.s_addr = htonl(0xc0586301), .ifname = "r"},
		{.source.s_addr = htonl(0xc0586302),
		 .ifname = "fifteen-letters"},
	};
	struct nft_relay_counters counters[array_size(relays)] = {};
	struct nft_count counts[array_size(relays)];

	for (size_t i = 0; i < array_size(relays); i++)
		counts[i] = (struct nft_count){&relays[i], &counters[i]};
	input = data;
	input_len = size;
	tunnel_nft_count(counts, array_size(counts), true);
	fuzz_messages(data, size, news);
	return 0;
}
