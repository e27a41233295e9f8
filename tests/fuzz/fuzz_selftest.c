// SPDX-License-Identifier: GPL-2.0-or-later
/* Probes of the self-test as they come out of a relay. */
#include "fuzz.h"

#include "selftest_6to4.h"

static const uint8_t nonce[8] = "frrrelay";

/* What is taken for a probe is one in each octet that relayd goes by: built
 * anew it is the same. */
static void same_again(const uint8_t *pkt, const struct selftest_probe *probe)
{
	uint8_t again[SELFTEST_PROBE_LEN + 20];
	struct in_addr source;
	bool outer = probe->way == TUNNEL_WAY_4TO6;
	const uint8_t *ip6 = pkt + (outer ? 0 : 20), *at;

	memcpy(&source, ip6 + 32, sizeof(source));
	FUZZ_ASSERT(selftest_6to4_build(again, source, probe, nonce) ==
		    SELFTEST_PROBE_LEN + (outer ? 20 : 0));
	at = again + (outer ? 20 : 0);
	/* the tunnel's id; the nonce and the number */
	FUZZ_ASSERT(memcmp(at + 44, ip6 + 44, 2) == 0);
	FUZZ_ASSERT(memcmp(at + 48, ip6 + 48, 12) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct selftest_probe probe;

	if (selftest_6to4_parse(data, size, nonce, &probe)) {
		FUZZ_ASSERT(size >= SELFTEST_PROBE_LEN);
		FUZZ_ASSERT(probe.way < TUNNEL_WAYS);
		same_again(data, &probe);
	}
	if (selftest_6to4_parse_sent(data, size, nonce, &probe))
		FUZZ_ASSERT(size >= SELFTEST_PROBE_LEN &&
			    probe.way < TUNNEL_WAYS);
	return 0;
}
