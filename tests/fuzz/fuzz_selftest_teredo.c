// SPDX-License-Identifier: GPL-2.0-or-later
/* Teredo probes of the self-test as they come out of a relay, or what else
 * gets to its sockets. */
#include "fuzz.h"

#include "selftest_teredo.h"

static const uint8_t nonce[8] = "frrrelay";

/* What is taken for a probe is one in each octet that relayd goes by: built
 * anew it is the same. */
static void same_data(const uint8_t *data, const struct selftest_probe *probe)
{
	uint8_t again[SELFTEST_TEREDO_DATA_LEN];

	FUZZ_ASSERT(probe->way < TUNNEL_WAYS);
	selftest_teredo_build_data(again, probe, nonce);
	FUZZ_ASSERT(memcmp(again, data, sizeof(again)) == 0);
}

static void same_packet(const uint8_t *pkt, const struct selftest_probe *probe)
{
	uint8_t again[SELFTEST_TEREDO_LEN];
	struct in6_addr src, dst;

	memcpy(&src, pkt + 8, sizeof(src));
	memcpy(&dst, pkt + 24, sizeof(dst));
	selftest_teredo_build(again, &src, &dst, probe, nonce);
	FUZZ_ASSERT(again[0] >> 4 == pkt[0] >> 4 && again[6] == pkt[6]);
	same_data(pkt + 48, probe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *buf = fuzz_at_the_edge(data, &size, 1);
	struct selftest_probe probe;
	bool packet;

	if (!buf)
		return 0;
	if (selftest_teredo_parse_data(buf, size, nonce, &probe)) {
		FUZZ_ASSERT(size == SELFTEST_TEREDO_DATA_LEN);
		same_data(buf, &probe);
	}
	packet = selftest_teredo_parse(buf, size, nonce, &probe);
	if (packet) {
		FUZZ_ASSERT(size == SELFTEST_TEREDO_LEN);
		same_packet(buf, &probe);
	}
	if (!selftest_teredo_parse_any(buf, size, nonce, &probe)) {
		FUZZ_ASSERT(!packet);
	} else if (!packet) {
		FUZZ_ASSERT(size == 28 + SELFTEST_TEREDO_LEN);
		same_packet(buf + 28, &probe);
	}
	return 0;
}
