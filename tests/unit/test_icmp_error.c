// SPDX-License-Identifier: GPL-2.0-or-later
/* ICMPv4 errors and what becomes of them: tables of types, of quoted packets,
 * of lengths; and the bucket that bounds their number. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include <netinet/icmp6.h>

#include "checksum.h"
#include "memory.h"

#include "icmp_error.h"
#include "relay_memory.h"
#include "tunnel_icmp.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define ROUTER "198.51.100.1"
#define RELAY "192.88.99.1"
#define HOST "203.0.113.7"
#define HOST6 "2002:cb00:7107::1"
#define SENDER "2001:db8:6::1"

#define HOPOPTS 0x100 /* 0 in the header */

/* an ICMPv4 error; what is 0 or NULL is as usual */
struct error {
	uint8_t type, code;
	uint16_t mtu;
	uint8_t length_words;	      /* RFC 4884 */
	const char *outer_dst;	      /* quoted */
	const char *src, *dst;	      /* of the packet inside */
	uint16_t next;		      /* its next header, UDP by default */
	const uint8_t *payload;	      /* behind its header */
	size_t npayload, payload_len; /* quoted, as its header says */
	size_t pad;		      /* zeros behind what is quoted */
	uint16_t fragment;
	uint8_t proto;
	size_t outer_more, inner_less; /* than there is, in the lengths */
	size_t options; /* octets of IPv4 options, in both headers */
};

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static uint8_t *put_ipv4(uint8_t *at, const struct error *e, const char *src,
			 const char *dst, uint8_t proto, size_t len)
{
	size_t hlen = 20 + e->options;
	uint16_t sum;

	memset(at, 0, hlen);
	at[0] = 0x40 | hlen / 4;
	put16(at + 2, hlen + len);
	at[8] = 64;
	at[9] = proto;
	inet_pton(AF_INET, src, at + 12);
	inet_pton(AF_INET, dst, at + 16);
	sum = in_cksum(at, hlen);
	memcpy(at + 10, &sum, sizeof(sum));
	return at + hlen;
}

/* Returns its length. */
static size_t build(const struct error *e, uint8_t *buf)
{
	size_t payload_len = e->payload_len ? e->payload_len : 8;
	uint8_t *icmp, *outer, *at;
	uint16_t sum;

	icmp = buf + 20 + e->options;
	memset(icmp, 0, 8);
	icmp[0] = e->type;
	icmp[1] = e->code;
	icmp[5] = e->length_words;
	put16(icmp + 6, e->mtu);
	outer = icmp + 8;
	at = put_ipv4(outer, e, RELAY, e->outer_dst ? e->outer_dst : HOST,
		      e->proto ? e->proto : 41,
		      40 + payload_len + e->outer_more);
	put16(outer + 6, e->fragment);
	memset(at, 0, 40);
	at[0] = 0x60;
	put16(at + 4, payload_len - e->inner_less);
	at[6] = e->next ? e->next : IPPROTO_UDP;
	at[7] = 63;
	assert_int_equal(inet_pton(AF_INET6, e->src ? e->src : SENDER, at + 8),
			 1);
	assert_int_equal(inet_pton(AF_INET6, e->dst ? e->dst : HOST6, at + 24),
			 1);
	at += 40;
	if (e->payload)
		memcpy(at, e->payload, e->npayload);
	else
		memset(at, 0xaa, e->npayload);
	at += e->npayload;
	memset(at, 0, e->pad);
	at += e->pad;
	sum = in_cksum(icmp, at - icmp);
	memcpy(icmp + 2, &sum, sizeof(sum));
	put_ipv4(buf, e, ROUTER, RELAY, IPPROTO_ICMP, at - icmp);
	return at - buf;
}

static uint8_t packet[70000], out[2000];
static struct in6_addr to;

/* -1: it quotes nothing of the kind; 0: ignored; else the answer's length */
static int translate(const struct error *e)
{
	struct in_addr source, relay;
	size_t len = build(e, packet);

	if (!icmp_error_quotes(packet, len, &source)) {
		assert_int_equal(icmp_error_translate(packet, len, &to, out,
						      sizeof(out)),
				 0);
		return -1;
	}
	inet_pton(AF_INET, RELAY, &relay);
	assert_int_equal(source.s_addr, relay.s_addr);
	return icmp_error_translate(packet, len, &to, out, sizeof(out));
}

static void test_types_and_codes(void **state)
{
	/* RFC 2473 section 8.2, RFC 7915 section 4.2; 1280 = 1300 - 20 */
	static const struct {
		uint8_t type, code;
		uint16_t mtu;
		uint8_t type6, code6;
		uint32_t mtu6;
	} cases[] = {
		{3, 0, 0, 1, 3, 0},	  {3, 1, 0, 1, 3, 0},
		{3, 2, 0, 1, 3, 0},	  {3, 3, 0, 1, 3, 0},
		{3, 4, 1400, 2, 0, 1380}, {3, 6, 0, 1, 3, 0},
		{3, 7, 0, 1, 3, 0},	  {3, 8, 0, 1, 3, 0},
		{3, 9, 0, 1, 1, 0},	  {3, 10, 0, 1, 1, 0},
		{3, 11, 0, 1, 3, 0},	  {3, 12, 0, 1, 3, 0},
		{3, 13, 0, 1, 1, 0},	  {3, 15, 0, 1, 1, 0},
		{11, 0, 0, 1, 3, 0},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct error e = {.type = cases[i].type,
				  .code = cases[i].code,
				  .mtu = cases[i].mtu,
				  .npayload = 8,
				  .payload_len = 1400};
		struct in6_addr sender;
		uint32_t mtu;

		print_message("type %u code %u\n", e.type, e.code);
		assert_int_equal(translate(&e), 8 + 40 + 8);
		inet_pton(AF_INET6, SENDER, &sender);
		assert_memory_equal(&to, &sender, sizeof(to));
		assert_int_equal(out[0], cases[i].type6);
		assert_int_equal(out[1], cases[i].code6);
		memcpy(&mtu, out + 4, sizeof(mtu));
		assert_int_equal(ntohl(mtu), cases[i].mtu6);
		/* its own packet, from the header on */
		assert_memory_equal(out + 8, packet + 20 + 8 + 20, 40 + 8);
	}
}

static void test_nobody_is_told(void **state)
{
	static const struct {
		uint8_t type, code;
		int verdict;
	} cases[] = {
		{3, 5, 0},   {3, 14, 0},  {3, 16, 0},  {3, 255, 0}, {11, 1, 0},
		{11, 2, 0},  {0, 0, -1},  {4, 0, -1},  {5, 1, -1},  {8, 0, -1},
		{12, 0, -1}, {13, 0, -1}, {40, 0, -1},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct error e = {.type = cases[i].type,
				  .code = cases[i].code,
				  .npayload = 8};

		print_message("type %u code %u\n", e.type, e.code);
		assert_int_equal(translate(&e), cases[i].verdict);
	}
}

static void test_packet_too_big(void **state)
{
	/* inner length, MTU that the router says -> MTU that the sender is
	 * told; 0: it is told nothing */
	static const struct {
		size_t inner;
		uint16_t mtu;
		uint32_t told;
	} cases[] = {
		{1500, 1500, 1480},
		{1480, 1480, 1460},
		{1480, 1300, 1280},
		{1480, 1299, 1280},
		{1480, 576, 1280},
		{1480, 68, 1280},
		{1480, 1, 1280},
		{1480, 1500, 0},
		{1480, 65535, 0},
		{1280, 576, 0},
		{1281, 576, 1280},
		{1400, 1420, 0},
		{1400, 1419, 1399},
		/* RFC 1191 section 7: it does not say */
		{1480, 0, 1472},
		{1400, 0, 1280},
		{1280, 0, 0},
		{9000, 0, 8146},
		{40000, 0, 31980},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct error e = {.type = 3,
				  .code = 4,
				  .mtu = cases[i].mtu,
				  .npayload = 8,
				  .payload_len = cases[i].inner - 40};
		int len = translate(&e);
		uint32_t mtu = 0;

		print_message("inner %zu mtu %u\n", cases[i].inner, e.mtu);
		assert_int_equal(len > 0, cases[i].told > 0);
		if (len > 0) {
			assert_int_equal(out[0], ICMP6_PACKET_TOO_BIG);
			memcpy(&mtu, out + 4, sizeof(mtu));
		}
		assert_int_equal(ntohl(mtu), cases[i].told);
	}
}

static void test_addresses(void **state)
{
	static const struct {
		const char *outer_dst, *src, *dst;
		bool told;
	} cases[] = {
		{NULL, NULL, NULL, true},
		{NULL, "fd00::1", NULL, true},
		{NULL, "64:ff9b::c000:201", NULL, true},
		{NULL, "2002:c058:6301::1", NULL, true},
		{NULL, NULL, "2002:cb00:7107:9:8:7:6:5", true},
		/* not the host that the packet was for */
		{"203.0.113.8", NULL, NULL, false},
		{NULL, NULL, "2002:cb00:7108::1", false},
		{NULL, NULL, "2001:db8::1", false},
		{NULL, NULL, "2003:cb00:7107::1", false},
		{NULL, NULL, "ff02::1", false},
		/* no host */
		{NULL, "::", NULL, false},
		{NULL, "::1", NULL, false},
		{NULL, "::192.0.2.1", NULL, false},
		{NULL, "::ffff:192.0.2.1", NULL, false},
		{NULL, "fe80::1", NULL, false},
		{NULL, "febf::1", NULL, false},
		{NULL, "fec0::1", NULL, false},
		{NULL, "ff02::1", NULL, false},
		{NULL, "ff0e::1", NULL, false},
		{NULL, "100::c058:6301:0:1", NULL, false},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct error e = {.type = 3,
				  .code = 1,
				  .outer_dst = cases[i].outer_dst,
				  .src = cases[i].src,
				  .dst = cases[i].dst,
				  .npayload = 8};

		print_message("%s > %s (%s)\n", e.src ? e.src : SENDER,
			      e.dst ? e.dst : HOST6,
			      e.outer_dst ? e.outer_dst : HOST);
		assert_int_equal(translate(&e) > 0, cases[i].told);
	}
}

static void test_no_error_about_an_error(void **state)
{
	static const struct {
		uint16_t next;
		const char *payload; /* hexadecimal */
		bool told;
	} cases[] = {
		{17, "", true},
		{6, "", true},
		{59, "", true},
		/* ICMPv6: echo, neighbours, all errors, redirect, unknown */
		{58, "80000000", true},
		{58, "81000000", true},
		{58, "87000000", true},
		{58, "ff000000", true},
		{58, "01030000", false},
		{58, "02000000", false},
		{58, "03000000", false},
		{58, "7f000000", false},
		{58, "00000000", false},
		{58, "89000000", false},
		/* not to be seen */
		{58, "", false},
		{HOPOPTS, "", false},
		{HOPOPTS, "3a", false},
		{60, "3a000000000000", false},
		/* behind extension headers */
		{HOPOPTS,
		 "3a00000000000000"
		 "80000000",
		 true},
		{HOPOPTS,
		 "3a00000000000000"
		 "01000000",
		 false},
		{60,
		 "3a00000000000000"
		 "01000000",
		 false},
		{43,
		 "3a00000000000000"
		 "01000000",
		 false},
		{51,
		 "3a01000000000000"
		 "00000000"
		 "01000000",
		 false},
		{51,
		 "3a01000000000000"
		 "00000000"
		 "80000000",
		 true},
		{60,
		 "3a01000000000000"
		 "0000000000000000"
		 "01000000",
		 false},
		{60,
		 "3a01000000000000"
		 "0000000000000000"
		 "80000000",
		 true},
		{60,
		 "3c00000000000000"
		 "3a00000000000000"
		 "03000000",
		 false},
		{60, "1100000000000000", true},
		{60,
		 "3aff000000000000"
		 "80000000",
		 false},
		{60,
		 "11ff000000000000"
		 "80000000",
		 true},
		/* fragments: the first, with and without the header; others */
		{44,
		 "3a00000100000001"
		 "80000000",
		 true},
		{44,
		 "3a00000100000001"
		 "01000000",
		 false},
		{44, "3a00000100000001", false},
		{44,
		 "3a00000900000001"
		 "01000000",
		 true},
		{44, "1100000000000001", true},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		const char *hex = cases[i].payload;
		uint8_t payload[64];
		struct error e = {.type = 3,
				  .code = 1,
				  .next = cases[i].next,
				  .payload = payload,
				  .npayload = strlen(hex) / 2,
				  .payload_len = 1000};

		for (size_t n = 0; n < e.npayload; n++)
			assert_int_equal(
				sscanf(hex + 2 * n, "%2hhx", &payload[n]), 1);
		print_message("next header %u, %s\n", e.next, hex);
		assert_int_equal(translate(&e) > 0, cases[i].told);
	}
}

static void test_what_is_quoted(void **state)
{
	/* octets behind the IPv6 header that are there, that it says, padding;
	 * octets of the answer behind the ICMPv6 header */
	static const struct {
		size_t npayload, payload_len, pad;
		uint8_t words;
		int answer;
	} cases[] = {
		{0, 8, 0, 0, 40},
		{8, 8, 0, 0, 48},
		{8, 8, 80, 0, 48},
		{500, 1400, 0, 0, 540},
		/* as long as an error may be */
		{1191, 1400, 0, 0, 1231},
		{1192, 1400, 0, 0, 1232},
		{1193, 1400, 0, 0, 1232},
		{1400, 1400, 0, 0, 1232},
		{9000, 9000, 0, 0, 1232},
		/* RFC 4884: 128 octets of the packet, extensions behind them */
		{68, 1400, 16, 32, 108},
		{68, 1400, 0, 32, 108},
		{0, 8, 100, 16, 44},
		{0, 8, 100, 15, 40},
		/* which is short of the header inside */
		{8, 8, 100, 14, -1},
		/* a length that can't be one */
		{8, 8, 0, 4, 48},
		{8, 8, 0, 255, 48},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct error e = {.type = 11,
				  .npayload = cases[i].npayload,
				  .payload_len = cases[i].payload_len,
				  .pad = cases[i].pad,
				  .length_words = cases[i].words};
		int len = translate(&e);

		print_message("%zu octets of %zu, %zu padded, length %u\n",
			      e.npayload, e.payload_len, e.pad, e.length_words);
		assert_int_equal(len > 0 ? len - 8 : len, cases[i].answer);
		assert_true(len <= ICMP_ERROR_MAX);
	}
}

static void test_padded_inside(void **state)
{
	/* an IPv4 packet longer than the IPv6 packet in it */
	struct error e = {.type = 3,
			  .code = 1,
			  .npayload = 8,
			  .payload_len = 8,
			  .outer_more = 100,
			  .pad = 100};
	struct error echo = {.type = 3,
			     .code = 1,
			     .next = IPPROTO_ICMPV6,
			     .payload = (const uint8_t *)"\x80",
			     .npayload = 1,
			     .inner_less = 8,
			     .pad = 100};

	assert_int_equal(translate(&e), 8 + 40 + 8);
	/* what follows a packet without payload is no ICMPv6 header */
	assert_int_equal(translate(&echo), 0);
}

static void test_not_ours(void **state)
{
	static const struct error cases[] = {
		{.type = 3, .code = 1, .proto = 17, .npayload = 8},
		{.type = 3, .code = 1, .proto = 4, .npayload = 8},
		/* behind the first fragment there is no IPv6 header */
		{.type = 3, .code = 1, .fragment = 1, .npayload = 8},
		{.type = 3, .code = 1, .fragment = 0x1fff, .npayload = 8},
		{.type = 3, .code = 1, .fragment = 0x2064, .npayload = 8},
	};
	struct error first = {.type = 3,
			      .code = 1,
			      .fragment = 0x6000, /* DF, MF */
			      .npayload = 8};
	struct error options = {
		.type = 3, .code = 1, .options = 40, .npayload = 8};

	for (size_t i = 0; i < array_size(cases); i++)
		assert_int_equal(translate(&cases[i]), -1);
	assert_int_equal(translate(&first), 56);
	assert_int_equal(translate(&options), 56);
	assert_memory_equal(out + 8, packet + 60 + 8 + 60, 48);
}

static void test_damaged(void **state)
{
	struct error e = {
		.type = 3, .code = 1, .npayload = 16, .payload_len = 16};
	size_t len = build(&e, packet);
	struct in_addr source;
	uint8_t *copy;

	assert_true(icmp_error_quotes(packet, len, &source));
	/* each octet of the ICMP message, and the lengths before it */
	for (size_t i = 0; i < len; i++) {
		if (i >= 4 && i < 20 && i != 9)
			continue;
		packet[i] ^= 0x81;
		if (i != 1) /* TOS */
			assert_false(icmp_error_quotes(packet, len, &source));
		packet[i] ^= 0x81;
	}
	/* cut short anywhere, in memory of exactly that size */
	for (size_t n = 0; n < len; n++) {
		copy = malloc(n ? n : 1);
		memcpy(copy, packet, n);
		assert_false(icmp_error_quotes(copy, n, &source));
		assert_int_equal(
			icmp_error_translate(copy, n, &to, out, sizeof(out)),
			0);
		free(copy);
	}
	/* and cut short by a router: what is quoted ends anywhere */
	for (size_t n = 0; n < 40 + 16; n++) {
		uint16_t sum;

		build(&e, packet);
		put16(packet + 2, 20 + 8 + 20 + n);
		memset(packet + 22, 0, 2);
		sum = in_cksum(packet + 20, 8 + 20 + n);
		memcpy(packet + 22, &sum, sizeof(sum));
		copy = malloc(20 + 8 + 20 + n);
		memcpy(copy, packet, 20 + 8 + 20 + n);
		assert_int_equal(
			icmp_error_quotes(copy, 20 + 8 + 20 + n, &source),
			n >= 40);
		free(copy);
	}
}

static void test_room(void **state)
{
	struct error e = {
		.type = 3, .code = 1, .npayload = 100, .payload_len = 1000};
	size_t len = build(&e, packet);

	for (size_t size = 0; size < 200; size++) {
		uint8_t *room = malloc(size ? size : 1);
		int n = icmp_error_translate(packet, len, &to, room, size);

		assert_int_equal(n, size < 48 ? 0 : (int)MIN(size, 148));
		free(room);
	}
}

static void test_bucket(void **state)
{
	struct tunnel_icmp_bucket bucket = {};
	int64_t now = 5000000;
	unsigned int n = 0;

	/* in one go */
	for (int i = 0; i < 5000; i++)
		n += tunnel_icmp_allowed(&bucket, now);
	assert_int_equal(n, TUNNEL_ICMP_BURST);
	/* 100,000 a second for ten seconds */
	for (n = 0; now < 15000000; now += 10)
		n += tunnel_icmp_allowed(&bucket, now);
	assert_in_range(n, 10 * TUNNEL_ICMP_RATE - 1, 10 * TUNNEL_ICMP_RATE);
	/* 1200 in one second after a quiet one: none is cut */
	now += 2000000;
	for (n = 0; n < 1200; n++, now += 1000000 / 1200)
		assert_true(tunnel_icmp_allowed(&bucket, now));
	/* a quiet hour does not add up */
	now += 3600 * INT64_C(1000000);
	for (n = 0; tunnel_icmp_allowed(&bucket, now);)
		n++;
	assert_int_equal(n, TUNNEL_ICMP_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types_and_codes),
		cmocka_unit_test(test_nobody_is_told),
		cmocka_unit_test(test_packet_too_big),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_no_error_about_an_error),
		cmocka_unit_test(test_what_is_quoted),
		cmocka_unit_test(test_padded_inside),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
