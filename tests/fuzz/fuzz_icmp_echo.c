// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Echo replies as raw sockets give them, and what becomes of probes whatever is
 * said to be a reply, in whatever order and at whatever time.
 *
 * Octet 0 says what the rest is: an IPv4 reply, the same with its checksum made
 * right (which a fuzzer can't guess), an IPv6 reply, or a probe's life.
 */
#include "fuzz.h"

#include <netinet/icmp6.h>

#include "checksum.h"

#include "track_icmp_probe.h"

enum { REPLY4, REPLY4_MENDED, REPLY6, LIFE, KINDS };

static void mend(uint8_t *buf, size_t len)
{
	size_t hlen = len ? (buf[0] & 0x0f) * 4 : 0;
	uint16_t sum;

	if (hlen < 20 || hlen + ICMP_PROBE_LEN > len)
		return;
	memset(buf + hlen + 2, 0, 2);
	sum = in_cksum(buf + hlen, len - hlen);
	memcpy(buf + hlen + 2, &sum, sizeof(sum));
}

/* What was taken for a reply has the data of a request, octet for octet. */
static void parse(int family, const uint8_t *buf, size_t len)
{
	uint8_t again[ICMP_PROBE_LEN];
	struct icmp_probe_echo echo;

	if (icmp_probe_parse(family, buf, len, &echo) < 0)
		return;
	FUZZ_ASSERT(len >= ICMP_PROBE_LEN);
	FUZZ_ASSERT(icmp_probe_build(family, &echo, again, sizeof(again)) ==
		    ICMP_PROBE_LEN);
	FUZZ_ASSERT(memcmp(again + 4, buf + len - ICMP_PROBE_LEN + 4,
			   ICMP_PROBE_LEN - 4) == 0);
}

/* -------- a probe's life -------- */

static void check_ring(const struct icmp_probe *probe)
{
	size_t waiting = 0;

	for (size_t i = 0; i < probe->size; i++)
		waiting += probe->ring[i].state == ICMP_SLOT_WAITING;
	FUZZ_ASSERT(waiting == probe->waiting);
	FUZZ_ASSERT((icmp_probe_deadline(probe) == INT64_MAX) == !waiting);
}

static void check(const struct icmp_probe *probe)
{
	const struct icmp_probe_stats *st = &probe->stats;

	FUZZ_ASSERT(probe->size <= ICMP_PROBE_RING_MAX &&
		    (probe->size & (probe->size - 1)) == 0);
	FUZZ_ASSERT(probe->tail <= probe->next);
	FUZZ_ASSERT(st->sent == probe->next);
	FUZZ_ASSERT(st->sent == st->received + st->timeouts + st->send_errors +
					probe->waiting);
	FUZZ_ASSERT(probe->state == TRACK_STATE_INIT ||
		    probe->state == TRACK_STATE_UP ||
		    probe->state == TRACK_STATE_DOWN);
	FUZZ_ASSERT(st->received == 0 ||
		    (st->rtt_min <= st->rtt && st->rtt <= st->rtt_max));
}

static void life(const uint8_t *data, size_t size)
{
	struct icmp_probe probe;
	struct icmp_probe_limits limits = {.up = 1, .down = 3};
	int64_t now = 1000000;

	icmp_probe_init(&probe);
	for (; size >= 3; data += 3, size -= 3) {
		uint32_t arg = data[1] | data[2] << 8;
		bool known = arg & 1;

		switch (data[0] % 8) {
		case 0:
		case 1:
			icmp_probe_send(&probe, &limits, probe.next, now, arg);
			break;
		case 2:
			icmp_probe_send_failed(&probe, &limits, EPERM);
			break;
		case 3: /* the right nonce, mostly */
			icmp_probe_reply(&probe, &limits, probe.next - arg / 2,
					 probe.next - arg / 2 + !known, now);
			break;
		case 4:
			icmp_probe_expire(&probe, &limits, now);
			break;
		case 5:
			now += arg;
			break;
		case 6:
			icmp_probe_reserve(&probe, data[1], arg);
			break;
		case 7:
			if (known)
				icmp_probe_force_down(&probe, ENODEV);
			limits.up = 1 + data[1] % 10;
			limits.down = 1 + data[2] % 10;
			break;
		}
		check(&probe);
	}
	check_ring(&probe);
	icmp_probe_fini(&probe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 1)
		return 0;
	/* of exactly that size, so that what is read beyond is seen */
	copy = malloc(size - 1 ? size - 1 : 1);
	memcpy(copy, data + 1, size - 1);
	switch (data[0] % KINDS) {
	case REPLY4_MENDED:
		mend(copy, size - 1);
		/* fallthrough */
	case REPLY4:
		parse(AF_INET, copy, size - 1);
		break;
	case REPLY6:
		parse(AF_INET6, copy, size - 1);
		break;
	case LIFE:
		life(copy, size - 1);
		break;
	}
	free(copy);
	return 0;
}
