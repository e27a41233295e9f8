// SPDX-License-Identifier: GPL-2.0-or-later
/* Teredo's addresses and datagrams: the examples of RFC 4380 and RFC 6081, and
 * tables of what lies. */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "memory.h"

#include "relay_memory.h"
#include "teredo_packet.h"

DEFINE_MGROUP(RELAYD, "relayd");

/* -------- addresses -------- */

struct address_case {
	const char *text;
	const char *server, *mapped;
	uint16_t flags, port;
};

static const struct address_case addresses[] = {
	/* a client behind a cone NAT, whose server was Microsoft's */
	{"2001:0:4136:e378:8000:63bf:3fff:fdd2", "65.54.227.120", "192.0.2.45",
	 TEREDO_FLAG_CONE, 40000},
	/* RFC 6081 figure 2 and section 3.1: clients A and B */
	{"2001:0:cb00:7178:0:efff:3fff:fdfe", "203.0.113.120", "192.0.2.1", 0,
	 4096},
	{"2001:0:c633:6476:0:dfff:3fff:fdf5", "198.51.100.118", "192.0.2.10", 0,
	 8192},
	/* figure 3 and section 3.5: behind one NAT */
	{"2001:0:cb00:7178:0:f000:39cc:9b89", "203.0.113.120", "198.51.100.118",
	 0, 4095},
	{"2001:0:cb00:7178:0:efff:39cc:9b89", "203.0.113.120", "198.51.100.118",
	 0, 4096},
	/* RFC 5991 section 3.1: random bits beside C, z, U and G, and all */
	{"2001:0:cb00:7178:3cff:efff:3fff:fdfe", "203.0.113.120", "192.0.2.1",
	 0x3cff, 4096},
	{"2001:0:cb00:7178:80a5:efff:3fff:fdfe", "203.0.113.120", "192.0.2.1",
	 0x80a5, 4096},
	{"2001:0:cb00:7178:ffff:efff:3fff:fdfe", "203.0.113.120", "192.0.2.1",
	 0xffff, 4096},
	/* whatever is embedded is read as it is */
	{"2001::", "0.0.0.0", "255.255.255.255", 0, 65535},
	{"2001:0:ffff:ffff:0:ffff:ffff:ffff", "255.255.255.255", "0.0.0.0", 0,
	 0},
	{"2001:0:102:304:506:fffe:f5ff:fefd", "1.2.3.4", "10.0.1.2", 0x506, 1},
};

static void test_address(void **state)
{
	for (size_t i = 0; i < array_size(addresses); i++) {
		const struct address_case *c = &addresses[i];
		struct teredo_address addr,
			made = {.flags = c->flags, .port = c->port};
		struct in_addr server, mapped;
		/* at no alignment */
		uint8_t room[sizeof(struct in6_addr) + 1];
		struct in6_addr in, out;

		assert_int_equal(inet_pton(AF_INET6, c->text, &in), 1);
		assert_int_equal(inet_pton(AF_INET, c->server, &server), 1);
		assert_int_equal(inet_pton(AF_INET, c->mapped, &mapped), 1);
		memcpy(room + 1, &in, sizeof(in));
		assert_true(teredo_address_read((void *)(room + 1), &addr));
		assert_int_equal(addr.server.s_addr, server.s_addr);
		assert_int_equal(addr.mapped.s_addr, mapped.s_addr);
		assert_int_equal(addr.flags, c->flags);
		assert_int_equal(addr.port, c->port);
		made.server = server;
		made.mapped = mapped;
		memset(&out, 0x55, sizeof(out));
		teredo_address_write(&made, &out);
		assert_memory_equal(&in, &out, sizeof(in));
	}
}

static void test_no_address(void **state)
{
	static const char *const others[] = {
		"::",
		"2001:1::1",
		"2001:db8::1",
		"2000:ffff:4136:e378:8000:63bf:3fff:fdd2",
		"2001:100:4136:e378:8000:63bf:3fff:fdd2",
		"2002:c058:6301::1",
		/* before it had a prefix of IANA's */
		"3ffe:831f:4136:e378:8000:63bf:3fff:fdd2",
		"fe80::8000:63bf:3fff:fdd2",
	};
	struct teredo_address addr, same;
	struct in6_addr in;

	memset(&addr, 0x55, sizeof(addr));
	memcpy(&same, &addr, sizeof(addr));
	for (size_t i = 0; i < array_size(others); i++) {
		assert_int_equal(inet_pton(AF_INET6, others[i], &in), 1);
		assert_false(teredo_address_read(&in, &addr));
		assert_memory_equal(&addr, &same, sizeof(addr));
	}
}

/* -------- datagrams -------- */

/* a datagram in memory of its length alone, for sanitizers */
struct datagram {
	uint8_t *data;
	size_t len;
};

static void put(struct datagram *d, const void *data, size_t len)
{
	d->data = realloc(d->data, d->len + len + 1);
	assert_non_null(d->data);
	if (len)
		memcpy(d->data + d->len, data, len);
	d->len += len;
	d->data = realloc(d->data, d->len ? d->len : 1);
}

static void put_hex(struct datagram *d, const char *hex)
{
	unsigned int octet;
	int n;

	for (; sscanf(hex, " %2x%n", &octet, &n) == 1; hex += n) {
		uint8_t value = octet;

		put(d, &value, 1);
	}
	assert_int_equal(*hex, '\0');
}

/* A header that promises so many octets, with so many behind it. */
static void put_ip6(struct datagram *d, uint8_t next, uint16_t promised,
		    size_t there)
{
	uint8_t head[40] = {0x60, [4] = promised >> 8, [5] = promised,
			    [6] = next, [7] = 64};
	uint8_t *payload = malloc(there + 1);

	assert_non_null(payload);
	memset(payload, 0xa5, there);
	memset(head + 8, 0x20, 32);
	put(d, head, sizeof(head));
	put(d, payload, there);
	free(payload);
}

#define ORIGIN "0000 feae fefdfcfb" /* RFC 4380 section 5.1.1 */
#define AUTH "0001 0000 0102030405060708 00"
#define AUTH_FULL "0001 0304 616263 31323334 1112131415161718 2a"

struct case_ip6 {
	const char *what;
	const char *before; /* hex */
	uint8_t next;
	uint16_t promised;
	size_t there;
	const char *trailers; /* hex */
	size_t cut;	      /* octets off the end */
	/* what comes of it */
	int ret;
	bool auth, origin, bubble;
};

static const struct case_ip6 cases[] = {
	{"simple", "", 58, 16, 16, "", 0, 0},
	{"bubble", "", 59, 0, 0, "", 0, 0, .bubble = true},
	{"origin", ORIGIN, 58, 16, 16, "", 0, 0, .origin = true},
	{"origin, bubble", ORIGIN, 59, 0, 0, "", 0, 0, .origin = true,
	 .bubble = true},
	{"authentication", AUTH, 58, 16, 16, "", 0, 0, .auth = true},
	{"authentication with all", AUTH_FULL, 58, 16, 16, "", 0, 0,
	 .auth = true},
	{"both", AUTH_FULL ORIGIN, 58, 16, 16, "", 0, 0, .auth = true,
	 .origin = true},
	{"the wrong way round", ORIGIN AUTH, 58, 16, 16, "", 0, -EBADMSG},
	{"two origins", ORIGIN ORIGIN, 58, 16, 16, "", 0, -EBADMSG},
	{"two authentications", AUTH AUTH, 58, 16, 16, "", 0, -EBADMSG},
	{"another indicator", "0002 0000 00000000", 58, 16, 16, "", 0,
	 -EBADMSG},
	{"an octet before it", "01", 58, 16, 16, "", 0, -EBADMSG},
	{"the largest", "", 17, 1240, 1240, "", 0, 0},
	{"larger than Teredo's MTU", "", 17, 1400, 1400, "", 0, 0},
	{"no payload of a protocol that has one", "", 17, 0, 0, "", 0, 0},
	{"no next header, and some behind it", "", 59, 4, 4, "", 0, 0},
	{"promises one octet more", "", 58, 17, 16, "", 0, -EBADMSG},
	{"promises 65535", "", 58, 65535, 16, "", 0, -EBADMSG},
	{"jumbogram", "", 0, 0, 1300, "", 0, -EBADMSG},
	{"cut in the payload", "", 58, 16, 16, "", 1, -EBADMSG},
	{"cut in the header", "", 59, 0, 0, "", 1, -EBADMSG},
	{"cut to an octet", "", 59, 0, 0, "", 39, -EBADMSG},
	{"nothing", "", 59, 0, 0, "", 40, -EBADMSG},
	{"origin alone", ORIGIN, 59, 0, 0, "", 40, -EBADMSG},
	{"cut in the origin", ORIGIN, 59, 0, 0, "", 41, -EBADMSG},
	{"cut to the indicator", ORIGIN, 59, 0, 0, "", 46, -EBADMSG},
	{"cut to half an indicator", ORIGIN, 59, 0, 0, "", 47, -EBADMSG},
	{"authentication alone", AUTH, 59, 0, 0, "", 40, -EBADMSG},
	{"cut in the authentication", AUTH_FULL, 59, 0, 0, "", 41, -EBADMSG},
	{"cut before its lengths", AUTH_FULL, 59, 0, 0, "", 58, -EBADMSG},
	{"cut in its lengths", AUTH_FULL, 59, 0, 0, "", 57, -EBADMSG},
	{"authentication longer than all", "0001 ffff", 58, 16, 16, "", 0,
	 -EBADMSG},
	/* RFC 6081 section 4: any number of any kind, in any order */
	{"nonce", "", 59, 0, 0, "0104 deadbeef", 0, 0, .bubble = true},
	{"nonce behind an origin", ORIGIN, 59, 0, 0, "0104 deadbeef", 0, 0,
	 .origin = true, .bubble = true},
	{"alternate addresses", "", 59, 0, 0,
	 "030e 0000 c0a80100 0fff 0a000001 1000", 0, 0, .bubble = true},
	{"neighbor discovery", "", 59, 0, 0, "0404 00000000", 0, 0,
	 .bubble = true},
	{"random port", "", 59, 0, 0, "0502 1234", 0, 0, .bubble = true},
	{"several", "", 59, 0, 0, "0104 deadbeef 0502 1234 0404 01000000", 0, 0,
	 .bubble = true},
	{"behind a packet", "", 58, 16, 16, "0104 deadbeef", 0, 0},
	{"unknown, 00", "", 59, 0, 0, "3f03 010203", 0, 0, .bubble = true},
	{"unknown, 10", "", 59, 0, 0, "8000", 0, 0, .bubble = true},
	{"unknown, 11", "", 59, 0, 0, "ff00 0104 deadbeef", 0, 0,
	 .bubble = true},
	{"unknown, 01: it asks for it", "", 59, 0, 0, "4000", 0, -EBADMSG},
	{"the last of them", "", 58, 16, 16, "7f02 0000", 0, -EBADMSG},
	{"behind others", "", 59, 0, 0, "0104 deadbeef ff01 00 4100", 0,
	 -EBADMSG},
	/* section 5.1.2: there the sequence ends */
	{"malformed: a type alone", "", 59, 0, 0, "01", 0, 0, .bubble = true},
	{"malformed: too long", "", 59, 0, 0, "0105 deadbeef", 0, 0,
	 .bubble = true},
	{"malformed: 01 that is torn asks for nothing", "", 59, 0, 0, "4001", 0,
	 0, .bubble = true},
	{"01 behind a malformed one", "", 59, 0, 0, "01ff 4000", 0, 0,
	 .bubble = true},
};

static void build(const struct case_ip6 *c, struct datagram *d)
{
	memset(d, 0, sizeof(*d));
	put_hex(d, c->before);
	put_ip6(d, c->next, c->promised, c->there);
	if (c->trailers)
		put_hex(d, c->trailers);
	assert_true(d->len >= c->cut);
	d->len -= c->cut;
	d->data = realloc(d->data, d->len ? d->len : 1);
	assert_non_null(d->data);
}

static void test_packet(void **state)
{
	for (size_t i = 0; i < array_size(cases); i++) {
		const struct case_ip6 *c = &cases[i];
		struct teredo_packet pkt;
		struct datagram d;
		size_t before;

		build(c, &d);
		before = d.len + c->cut - 40 - c->there;
		print_message("%s\n", c->what);
		assert_int_equal(teredo_packet_read(d.data, d.len, &pkt),
				 c->ret);
		if (c->ret == 0) {
			struct datagram trailers = {0};

			put_hex(&trailers, c->trailers);
			before -= trailers.len;
			assert_int_equal(pkt.has_auth, c->auth);
			assert_int_equal(pkt.has_origin, c->origin);
			assert_int_equal(pkt.bubble, c->bubble);
			assert_ptr_equal(pkt.ip6, d.data + before);
			assert_int_equal(pkt.ip6_len, 40 + c->promised);
			assert_ptr_equal(pkt.trailers, pkt.ip6 + pkt.ip6_len);
			assert_int_equal(pkt.trailers_len, trailers.len);
			free(trailers.data);
		}
		free(d.data);
	}
}

/* RFC 4380 section 5.1.1: 1.2.3.4, port 337. */
static void test_origin(void **state)
{
	const struct case_ip6 c = {"", ORIGIN, 59};
	struct teredo_packet pkt;
	struct datagram d;

	build(&c, &d);
	assert_int_equal(teredo_packet_read(d.data, d.len, &pkt), 0);
	assert_true(pkt.has_origin);
	assert_int_equal(ntohl(pkt.origin.s_addr), 0x01020304);
	assert_int_equal(pkt.origin_port, 337);
	free(d.data);
}

static void test_auth(void **state)
{
	const struct case_ip6 c = {"", AUTH_FULL ORIGIN, 59};
	struct teredo_packet pkt;
	struct datagram d;

	build(&c, &d);
	assert_int_equal(teredo_packet_read(d.data, d.len, &pkt), 0);
	assert_true(pkt.has_auth);
	assert_int_equal(pkt.auth.id_len, 3);
	assert_memory_equal(pkt.auth.id, "abc", 3);
	assert_int_equal(pkt.auth.value_len, 4);
	assert_memory_equal(pkt.auth.value, "1234", 4);
	assert_memory_equal(pkt.auth.nonce, "\x11\x12\x13\x14\x15\x16\x17\x18",
			    TEREDO_NONCE_LEN);
	assert_int_equal(pkt.auth.confirmation, 0x2a);
	assert_int_equal(pkt.origin_port, 337);
	free(d.data);
}

/* 510 octets of names and values, as many as there can be */
static void test_auth_longest(void **state)
{
	struct datagram d = {0};
	struct teredo_packet pkt;
	uint8_t filler[510 + 9] = {0};

	put_hex(&d, "0001 ffff");
	put(&d, filler, sizeof(filler));
	put_ip6(&d, 59, 0, 0);
	assert_int_equal(teredo_packet_read(d.data, d.len, &pkt), 0);
	assert_int_equal(pkt.auth.id_len, 255);
	assert_int_equal(pkt.auth.value_len, 255);
	assert_ptr_equal(pkt.auth.nonce, d.data + 514);
	assert_true(pkt.bubble);
	assert_int_equal(teredo_packet_read(d.data, d.len - 1, &pkt), -EBADMSG);
	free(d.data);
}

/* Of other versions, or what looks like an indicator. */
static void test_version(void **state)
{
	const struct case_ip6 c = {"", "", 59};
	struct teredo_packet pkt;
	struct datagram d;

	build(&c, &d);
	for (unsigned int first = 0; first < 256; first++) {
		d.data[0] = first;
		assert_int_equal(teredo_packet_read(d.data, d.len, &pkt),
				 first >> 4 == 6 ? 0 : -EBADMSG);
	}
	free(d.data);
}

static void test_trailers(void **state)
{
	const struct case_ip6 c = {
		"", "", 59, 0, 0, "0104 deadbeef ff00 0502 1234 0509 00"};
	static const struct {
		uint8_t type, len;
		const char *value;
	} want[] = {
		{TEREDO_TRAILER_NONCE, 4, "\xde\xad\xbe\xef"},
		{0xff, 0, ""},
		{TEREDO_TRAILER_RANDOM_PORT, 2, "\x12\x34"},
	};
	struct teredo_trailer trailer;
	struct teredo_packet pkt;
	struct datagram d;
	size_t at = 0;

	build(&c, &d);
	assert_int_equal(teredo_packet_read(d.data, d.len, &pkt), 0);
	for (size_t i = 0; i < array_size(want); i++) {
		assert_true(teredo_trailer_next(&pkt, &at, &trailer));
		assert_int_equal(trailer.type, want[i].type);
		assert_int_equal(trailer.len, want[i].len);
		assert_memory_equal(trailer.value, want[i].value, want[i].len);
	}
	/* the sequence has ended, and does not begin again */
	assert_false(teredo_trailer_next(&pkt, &at, &trailer));
	assert_false(teredo_trailer_next(&pkt, &at, &trailer));
	assert_int_equal(at, 12);
	free(d.data);
}

static void test_bubble(void **state)
{
	static const uint8_t want[TEREDO_BUBBLE_LEN] = {
		0x60,
		0,
		0,
		0,
		0,
		0,
		59,
		255,
		/* 2001:db8::1 */
		0x20,
		0x01,
		0x0d,
		0xb8,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		1,
		/* 2001:0:4136:e378:8000:63bf:3fff:fdd2 */
		0x20,
		0x01,
		0,
		0,
		0x41,
		0x36,
		0xe3,
		0x78,
		0x80,
		0,
		0x63,
		0xbf,
		0x3f,
		0xff,
		0xfd,
		0xd2,
	};
	uint8_t buf[TEREDO_BUBBLE_LEN];
	struct teredo_packet pkt;
	struct in6_addr src, dst;

	inet_pton(AF_INET6, "2001:db8::1", &src);
	inet_pton(AF_INET6, "2001:0:4136:e378:8000:63bf:3fff:fdd2", &dst);
	memset(buf, 0x55, sizeof(buf));
	teredo_bubble_write(buf, &src, &dst);
	assert_memory_equal(buf, want, sizeof(buf));
	assert_int_equal(teredo_packet_read(buf, sizeof(buf), &pkt), 0);
	assert_true(pkt.bubble);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_packet),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_auth_longest),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_bubble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
