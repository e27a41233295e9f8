// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets that relayd takes out of and puts into tunnels by itself, with the
 * checks that the eBPF programs have in common with it (bpf/relay_check.h).
 *
 * Octet 0: the way, the direction, and whose lines are in the filter; then the
 * packet. What gets through is held against RFC 3964 once more, told here in
 * another way.
 */
#include "fuzz.h"

#include "checksum.h"

#include "slow_6to4.h"

#define IN 0x01 /* 4to6 */
#define NO_4TO6 0x02
#define NO_6TO4 0x04
#define NO_BOGONS 0x08
#define LINES 0x10 /* an operator's */
#define MEND 0x20  /* the lengths of the packet are made right */

#define SOURCE 0xc0586301 /* 192.88.99.1 */
#define TRANSMIT 0xc0586303

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* -------- RFC 3964 section 5.3, by hand -------- */

static bool bad_ipv4(uint32_t addr)
{
	uint8_t first = addr >> 24, second = addr >> 16;

	return first == 0 || first == 10 || first == 127 || first >= 224 ||
	       (first == 169 && second == 254) ||
	       (first == 172 && second >= 16 && second < 32) ||
	       (first == 192 && second == 168);
}

static bool is_6to4(const uint8_t *addr)
{
	return addr[0] == 0x20 && addr[1] == 2;
}

static bool bad_ipv6(const uint8_t *addr)
{
	if (is_6to4(addr))
		return bad_ipv4(get32(addr + 2));
	return get16(addr) == 0 || addr[0] == 0xff ||
	       (addr[0] == 0xfe && addr[1] >= 0x80) || get16(addr) == 0x3ffe ||
	       addr[0] == 0x5f;
}

/* The operator's lines below. */
static bool denied(uint32_t addr)
{
	return addr >> 8 == 0xc63364;
}

static bool may_come_in(uint8_t how, uint32_t outer, const uint8_t *ip6)
{
	const uint8_t *src = ip6 + 8, *dst = ip6 + 24;

	if (how & NO_4TO6 || outer == SOURCE || outer == TRANSMIT)
		return false;
	if (is_6to4(src) ? get32(src + 2) != outer : !is_6to4(dst))
		return false;
	if (is_6to4(dst) && get32(dst + 2) != SOURCE)
		return false;
	if (how & LINES && denied(outer))
		return false;
	return how & NO_BOGONS ||
	       !(bad_ipv4(outer) || bad_ipv6(src) || bad_ipv6(dst));
}

static bool may_go_out(uint8_t how, const uint8_t *ip6)
{
	const uint8_t *src = ip6 + 8, *dst = ip6 + 24;
	uint32_t to = get32(dst + 2);

	if (how & NO_6TO4 || !is_6to4(dst) || to == SOURCE || to == TRANSMIT)
		return false;
	if (how & LINES &&
	    (denied(to) || (is_6to4(src) && denied(get32(src + 2)))))
		return false;
	return how & NO_BOGONS || !(bad_ipv6(src) || bad_ipv6(dst));
}

/* -------- a relay -------- */

static void make_rules(uint8_t how, struct slow_relay *slow,
		       struct relay_bpf_relay *relay)
{
	static struct filter_rule rules[FILTER_BOGONS + 1];
	const struct filter_rule line = {
		.p = {.family = AF_INET,
		      .prefixlen = 24,
		      .u.prefix4.s_addr = htonl(0xc6336400)},
		.verdict = FILTER_VERDICT_DENY,
	};

	memset(relay, 0, sizeof(*relay));
	/* every octet is looked up */
	memset(relay->octets4, 0xff, sizeof(relay->octets4));
	memset(relay->octets6, 0xff, sizeof(relay->octets6));
	relay->source = htonl(SOURCE);
	relay->transmit_source = htonl(TRANSMIT);
	relay->mtu = 1480;
	relay->flags = (how & NO_4TO6 ? 0 : RELAY_BPF_4TO6) |
		       (how & NO_6TO4 ? 0 : RELAY_BPF_6TO4);
	slow->relay = relay;
	slow->rules = rules;
	slow->nrules = filter_table(&line, how & LINES ? 1 : 0,
				    !(how & NO_BOGONS), rules);
}

static void mend(uint8_t how, uint8_t *buf, size_t len)
{
	size_t at = 0;

	if (how & IN && len >= 20) {
		buf[0] = 0x40 | MAX(buf[0] & 0xf, 5);
		buf[2] = len >> 8;
		buf[3] = len;
		buf[9] = 41;
		at = (buf[0] & 0xf) * 4;
	}
	if (len < at + 40)
		return;
	buf[at] = 0x60 | (buf[at] & 0xf);
	buf[at + 4] = (len - at - 40) >> 8;
	buf[at + 5] = len - at - 40;
}

/* The one thing that may differ besides: a checksum that was put off is done. */
static void forget_checksum(uint8_t *now, const uint8_t *was, size_t len)
{
	size_t at = was[6] == 6 ? 56 : 46;

	if ((was[6] == 6 || was[6] == 17) && len >= at + 2)
		memcpy(now + at, was + at, 2);
}

static void judge(uint8_t how, const uint8_t *was, uint8_t *buf, size_t len)
{
	struct relay_bpf_relay relay;
	enum relay_bpf_reason reason;
	struct slow_relay slow;
	struct slow_packet out;

	make_rules(how, &slow, &relay);
	reason = how & IN ? slow_6to4_in(&slow, buf, len, &out)
			  : slow_6to4_out(&slow, buf, len, &out);
	FUZZ_ASSERT(reason < RELAY_BPF_REASON_END);
	if (reason != RELAY_BPF_PASS) {
		/* nothing is made of it, and nothing that was right is refused
		 */
		if (how & MEND && !(how & IN) && len >= 40 &&
		    reason != RELAY_BPF_DROP_MALFORMED)
			FUZZ_ASSERT(!may_go_out(how, buf));
		return;
	}
	FUZZ_ASSERT(out.data >= buf && out.len >= 40 &&
		    out.data + out.len <= buf + len);
	FUZZ_ASSERT(out.data[0] >> 4 == 6);
	FUZZ_ASSERT(out.len == 40u + get16(out.data + 4));
	if (how & IN) {
		FUZZ_ASSERT(was[0] >> 4 == 4 && was[9] == 41);
		FUZZ_ASSERT(out.data == buf + (was[0] & 0xf) * 4);
		FUZZ_ASSERT(out.data + out.len <= buf + get16(was + 2));
		FUZZ_ASSERT(may_come_in(how, get32(was + 12), out.data));
		/* RFC 6040: never a mark for who can't read it */
		FUZZ_ASSERT((was[1] & 3) != 3 || (out.data[1] & 0x30) == 0x30);
		/* and nothing else is changed */
		FUZZ_ASSERT((out.data[1] & 0xcf) ==
			    (was[out.data - buf + 1] & 0xcf));
		forget_checksum(out.data, was + (out.data - buf), out.len);
		FUZZ_ASSERT(memcmp(out.data + 2, was + (out.data - buf) + 2,
				   out.len - 2) == 0);
	} else {
		FUZZ_ASSERT(memcmp(buf, was, len) == 0);
		FUZZ_ASSERT(may_go_out(how, out.data));
		FUZZ_ASSERT(ntohl(out.dst.s_addr) == get32(out.data + 26));
	}
	fuzz_read(out.data, out.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *buf, *was;
	size_t len;

	if (size < 1)
		return 0;
	len = size - 1;
	buf = malloc(len ? len : 1);
	was = malloc(len ? len : 1);
	memcpy(buf, data + 1, len);
	if (data[0] & MEND)
		mend(data[0], buf, len);
	memcpy(was, buf, len);
	judge(data[0], was, buf, len);
	free(buf);
	free(was);
	return 0;
}
