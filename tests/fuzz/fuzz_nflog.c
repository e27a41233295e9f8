// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages of nfnetlink_log, and the packets in them as probes of the
 * self-test. Whose packets come that way is not relayd's to say. */
#include "fuzz.h"

#include "selftest_6to4.h"
#include "tunnel_kernel.h"

static const uint8_t nonce[8] = "frrrelay";

static void each(struct nlmsghdr *nlh)
{
	struct selftest_probe probe;
	const uint8_t *pkt;
	size_t len;

	pkt = tunnel_nflog_packet(nlh, &len);
	if (!pkt)
		return;
	fuzz_read(pkt, len);
	selftest_6to4_parse(pkt, len, nonce, &probe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_messages(data, size, each);
	return 0;
}
