// SPDX-License-Identifier: GPL-2.0-or-later
/* The parts of the tunnel floor that need no kernel: the journal's lines and
 * file, the nftables text, the self-test's probe. */
#include <zebra.h>

#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

#include "memory.h"

#include "relay_debug.h"
#include "relay_memory.h"
#include "selftest_6to4.h"
#include "tunnel_journal.h"
#include "tunnel_kernel.h"

DEFINE_MGROUP(RELAYD, "relayd");

/* what librelay.a wants of relayd's main() */
struct debug relay_dbg_tunnel;

/* ---------------------------------------------------------------- journal */

static void test_journal_lines(void **state)
{
	static const struct {
		const char *line;
		bool ok, add;
		enum journal_kind kind;
		const char *key, *value;
	} cases[] = {
		{"+ interface tokyo tokyo made .", true, true,
		 JOURNAL_INTERFACE, "tokyo", "tokyo made"},
		{"+ address tokyo,192.88.99.1/32 - .", true, true,
		 JOURNAL_ADDRESS, "tokyo,192.88.99.1/32", "-"},
		{"+ sysctl net/ipv4/conf/eth0/rp_filter 1 2 .", true, true,
		 JOURNAL_SYSCTL, "net/ipv4/conf/eth0/rp_filter", "1 2"},
		{"- table frr-relay", true, false, JOURNAL_TABLE, "frr-relay",
		 ""},
		{"+ route tokyo,2002::/16 - .", true, true, JOURNAL_ROUTE,
		 "tokyo,2002::/16", "-"},
		{"+ relay tokyo up 3 .", true, true, JOURNAL_RELAY, "tokyo",
		 "up 3"},
		{"+ restart planned 1234 120 .", true, true, JOURNAL_RESTART,
		 "planned", "1234 120"},
		{"+ kept 2002::/16 - .", true, true, JOURNAL_KEPT, "2002::/16",
		 "-"},
		/* torn at every point that could be mistaken */
		{"+ sysctl net/ipv4/conf/eth0/rp_filter 1 2", false},
		{"+ sysctl net/ipv4/conf/eth0/rp_filter 1", false},
		{"+ sysctl net/ipv4/conf/eth0/rp_filter", false},
		{"+ sysctl", false},
		{"+", false},
		{"", false},
		{"- interface x y", false},
		{"+ nonsense x y .", false},
		{"* interface x y .", false},
		{"+ interface  y .", false},
		{"+ interface x  .", false},
		{"+ interface x .", false},
		/* no switch of relayd's */
		{"+ sysctl kernel/core_pattern 1 2 .", false},
		{"+ sysctl net/../kernel/core_pattern 1 2 .", false},
		{"+ sysctl net/ipv4/conf/a..b/rp_filter 1 2 .", true, true,
		 JOURNAL_SYSCTL, "net/ipv4/conf/a..b/rp_filter", "1 2"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct journal_entry ent = {};
		bool add = false;

		assert_int_equal(
			tunnel_journal_parse(cases[i].line, &add, &ent),
			cases[i].ok);
		if (!cases[i].ok)
			continue;
		assert_int_equal(add, cases[i].add);
		assert_int_equal(ent.kind, cases[i].kind);
		assert_string_equal(ent.key, cases[i].key);
		assert_string_equal(ent.value, cases[i].value);
	}
}

static void test_journal_long_lines(void **state)
{
	char line[512];
	struct journal_entry ent;
	bool add;

	/* a key and a value that do not fit are refused, never cut */
	snprintf(line, sizeof(line), "+ interface %0*d r made .",
		 JOURNAL_KEY_LEN, 0);
	assert_false(tunnel_journal_parse(line, &add, &ent));
	snprintf(line, sizeof(line), "+ sysctl net/k %0*d .", JOURNAL_VALUE_LEN,
		 0);
	assert_false(tunnel_journal_parse(line, &add, &ent));
	snprintf(line, sizeof(line), "+ sysctl net/k %0*d .",
		 JOURNAL_VALUE_LEN - 1, 0);
	assert_true(tunnel_journal_parse(line, &add, &ent));
}

static char dir[] = "/tmp/test_tunnel.XXXXXX";

static int dir_make(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_remove(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/relayd.state", dir);
	unlink(path);
	return rmdir(dir);
}

static void journal_write(const char *text)
{
	char path[64];
	FILE *fp;

	snprintf(path, sizeof(path), "%s/relayd.state", dir);
	fp = fopen(path, "a");
	assert_non_null(fp);
	fputs(text, fp);
	fclose(fp);
}

static size_t journal_count(void)
{
	size_t n = 0;

	for (struct journal_entry *ent = tunnel_journal_first(); ent;
	     ent = tunnel_journal_next(ent))
		n++;
	return n;
}

static void test_journal_file(void **state)
{
	struct journal_entry *ent;

	assert_int_equal(tunnel_journal_open(dir), 0);
	assert_int_equal(journal_count(), 0);
	assert_int_equal(
		tunnel_journal_add(JOURNAL_INTERFACE, "r1", "r1 creating"), 0);
	assert_int_equal(tunnel_journal_add(JOURNAL_INTERFACE, "r1", "r1 made"),
			 0);
	assert_int_equal(tunnel_journal_add(JOURNAL_TABLE, "frr-relay", "-"),
			 0);
	tunnel_journal_del(JOURNAL_TABLE, "frr-relay");
	tunnel_journal_close();

	/* killed in the middle of a line */
	journal_write("+ sysctl net/ipv4/conf/eth0/acc");
	assert_int_equal(tunnel_journal_open(dir), 0);
	assert_int_equal(journal_count(), 1);
	ent = tunnel_journal_find(JOURNAL_INTERFACE, "r1");
	assert_non_null(ent);
	assert_string_equal(ent->value, "r1 made");
	assert_false(ent->adopted);

	/* the file stays small however often things come and go */
	for (unsigned int i = 0; i < 2000; i++) {
		assert_int_equal(tunnel_journal_add(JOURNAL_SYSCTL, "a", "0 1"),
				 0);
		tunnel_journal_del(JOURNAL_SYSCTL, "a");
	}
	tunnel_journal_close();

	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/relayd.state", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 4096);

	assert_int_equal(tunnel_journal_open(dir), 0);
	assert_int_equal(journal_count(), 1);
	tunnel_journal_close();
}

static void test_journal_no_dir(void **state)
{
	assert_int_equal(tunnel_journal_open("/dev/null/none"), -ENOTDIR);
	assert_true(tunnel_journal_add(JOURNAL_TABLE, "t", "-") < 0);
	assert_null(tunnel_journal_find(JOURNAL_TABLE, "t"));
	tunnel_journal_close();
}

/* --------------------------------------------------------------- nftables */

static const struct nflog_key key = {2002, {1, 2, 3, 4, 5, 6, 7, 8}};
#define nonce (key.nonce)

static struct nft_relay relay(const char *source, const char *transmit,
			      enum tunnel_direction direction)
{
	struct nft_relay r = {.direction = direction};

	inet_pton(AF_INET, source, &r.source);
	inet_pton(AF_INET, transmit, &r.transmit_source);
	return r;
}

/* A set's or map's elements, "" when it has none. */
static void elements(const char *text, const char *head, char *out, size_t len)
{
	const char *p = strstr(text, head), *end, *elem;

	assert_non_null(p);
	end = strstr(p, "\n\t}\n");
	elem = strstr(p, "elements = { ");
	out[0] = '\0';
	if (!elem || elem > end)
		return;
	elem += strlen("elements = { ");
	assert_true((size_t)(strchr(elem, '}') - elem) < len);
	snprintf(out, len, "%.*s", (int)(strchr(elem, '}') - elem - 1), elem);
}

static void test_nft_text(void **state)
{
	struct nft_relay list[] = {
		relay("192.88.99.1", "192.88.99.3", TUNNEL_DIR_BOTH),
		relay("198.51.100.1", "198.51.100.1", TUNNEL_DIR_RECEIVE),
		relay("198.51.100.2", "198.51.100.2", TUNNEL_DIR_TRANSMIT),
	};
	char *text = tunnel_nft_text(list, array_size(list), &key), got[512];
	static const struct {
		const char *head, *elements;
	} sets[] = {
		{"set ours",
		 "192.88.99.1, 192.88.99.3, 198.51.100.1, 198.51.100.2"},
		{"map transmit", "192.88.99.1 : 192.88.99.3"},
		{"set probe_in", "192.88.99.1, 198.51.100.1, 198.51.100.2"},
		{"set probe_out",
		 "192.88.99.1 . 192.0.0.8, 192.88.99.1 . 192.88.99.1, 198.51.100.1 . 192.0.0.8, 198.51.100.1 . 198.51.100.1, 198.51.100.2 . 192.0.0.8, 198.51.100.2 . 198.51.100.2"},
	};

	for (size_t i = 0; i < array_size(sets); i++) {
		elements(text, sets[i].head, got, sizeof(got));
		assert_string_equal(got, sets[i].elements);
	}
	/* one transaction replaces what there is */
	assert_ptr_equal(strstr(text,
				"add table ip frr-relay\n"
				"delete table ip frr-relay\n"
				"add table ip6 frr-relay\n"
				"delete table ip6 frr-relay\n"
				"table ip frr-relay {\n"),
			 text);
	assert_non_null(strstr(text, "\n}\ntable ip6 frr-relay {\n"));
	assert_string_equal(text + strlen(text) - 2, "}\n");
	/* each of the four ends of the first relay */
	assert_non_null(strstr(text, "100::c058:6301:7265:6c78, "
				     "100::c058:6301:7265:6c79, "
				     "2002:c000:8:ffff:c058:6301:7265:6c78, "
				     "2002:c058:6301:ffff:c058:6301:7265:6c79, "));
	/* only what carries the nonce is handed over */
	assert_non_null(strstr(text, "@th,384,64 0x0102030405060708 log group 2002 drop"));
	assert_non_null(strstr(text, "@th,64,64 0x0102030405060708 log group 2002 drop"));
	tunnel_nft_text_free(&text);
	assert_null(text);
}

static void test_nft_text_empty(void **state)
{
	struct nft_relay one =
		relay("192.88.99.1", "192.88.99.1", TUNNEL_DIR_BOTH);
	char *text = tunnel_nft_text(&one, 1, &key), got[64];

	/* nft takes no empty list of elements */
	assert_null(strstr(text, "{  }"));
	assert_null(strstr(text, "{ }"));
	elements(text, "map transmit", got, sizeof(got));
	assert_string_equal(got, "");
	tunnel_nft_text_free(&text);

	text = tunnel_nft_text(NULL, 0, &key);
	assert_string_equal(text,
			    "add table ip frr-relay\n"
			    "delete table ip frr-relay\n"
			    "add table ip6 frr-relay\n"
			    "delete table ip6 frr-relay\n");
	tunnel_nft_text_free(&text);

	/* without a socket to hand probes to: no rule that could take traffic
	 * for a probe */
	text = tunnel_nft_text(&one, 1, NULL);
	assert_null(strstr(text, "@th,384"));
	assert_null(strstr(text, "@th,64,64"));
	assert_null(strstr(text, "log group"));
	tunnel_nft_text_free(&text);
}

static void test_nft_text_many(void **state)
{
	struct nft_relay list[1000];
	char *text;

	for (size_t i = 0; i < array_size(list); i++) {
		char addr[INET_ADDRSTRLEN];

		snprintf(addr, sizeof(addr), "10.1.%zu.%zu", i / 250,
			 i % 250 + 1);
		list[i] = relay(addr, "192.0.2.1", TUNNEL_DIR_BOTH);
	}
	text = tunnel_nft_text(list, array_size(list), &key);
	assert_non_null(strstr(text, "10.1.3.250 : 192.0.2.1 }"));
	tunnel_nft_text_free(&text);
}

/* -------------------------------------------------------------- self-test */

#define PROBE_SIZE (20 + SELFTEST_PROBE_LEN)

static struct in_addr source(void)
{
	return (struct in_addr){.s_addr = inet_addr("192.88.99.1")};
}

static struct selftest_probe probe_of(enum tunnel_way way, bool uplink)
{
	return (struct selftest_probe){way, uplink, 7, 42};
}

/*
 * What comes out of a relay for what went in: 4to6 loses its outer header, 6to4
 * gets one; one hop less. Returns its length.
 */
static size_t probe_through(uint8_t *pkt, enum tunnel_way way, bool uplink)
{
	struct selftest_probe probe = probe_of(way, uplink);
	uint8_t in[PROBE_SIZE];
	size_t len = selftest_6to4_build(in, source(), &probe, nonce);
	size_t outer = way == TUNNEL_WAY_6TO4 ? 20 : 0;

	memset(pkt, 0, PROBE_SIZE);
	if (outer) {
		pkt[0] = 0x45;
		pkt[9] = 41;
	}
	memcpy(pkt + outer, in + len - SELFTEST_PROBE_LEN, SELFTEST_PROBE_LEN);
	pkt[outer + 7]--;
	return outer + SELFTEST_PROBE_LEN;
}

static void test_probe_build(void **state)
{
	static const struct {
		enum tunnel_way way;
		bool uplink;
		const char *src, *dst;
	} cases[] = {
		{TUNNEL_WAY_4TO6, true, "2002:c000:8:ffff:c058:6301:7265:6c78",
		 "100::c058:6301:7265:6c78"},
		{TUNNEL_WAY_4TO6, false, "2002:c000:8:ffff:c058:6301:7265:6c78",
		 "100::c058:6301:7265:6c79"},
		{TUNNEL_WAY_6TO4, true, "100::c058:6301:7265:6c78",
		 "2002:c000:8:ffff:c058:6301:7265:6c78"},
		{TUNNEL_WAY_6TO4, false, "100::c058:6301:7265:6c78",
		 "2002:c058:6301:ffff:c058:6301:7265:6c79"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct selftest_probe probe =
			probe_of(cases[i].way, cases[i].uplink);
		bool outer = cases[i].way == TUNNEL_WAY_4TO6;
		uint8_t pkt[PROBE_SIZE], *ip6 = pkt + (outer ? 20 : 0);
		char text[INET6_ADDRSTRLEN];
		uint32_t sum = 0;

		assert_int_equal(
			selftest_6to4_build(pkt, source(), &probe, nonce),
			SELFTEST_PROBE_LEN + (outer ? 20 : 0));
		if (outer) {
			inet_ntop(AF_INET, pkt + 12, text, sizeof(text));
			assert_string_equal(text, "192.0.0.8"); /* RFC 7600 */
			inet_ntop(AF_INET, pkt + 16, text, sizeof(text));
			assert_string_equal(text, "192.88.99.1");
			/* RFC 3964 section 5.2: the inner source embeds the
			 * outer one */
			assert_memory_equal(ip6 + 8 + 2, pkt + 12, 4);
			/* RFC 791 */
			for (size_t j = 0; j < 20; j += 2)
				sum += pkt[j] << 8 | pkt[j + 1];
			assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
			sum = 0;
		}
		inet_ntop(AF_INET6, ip6 + 8, text, sizeof(text));
		assert_string_equal(text, cases[i].src);
		inet_ntop(AF_INET6, ip6 + 24, text, sizeof(text));
		assert_string_equal(text, cases[i].dst);
		/* RFC 4443 section 2.3 */
		for (size_t j = 8; j < SELFTEST_PROBE_LEN; j += 2)
			sum += ip6[j] << 8 | ip6[j + 1];
		sum += SELFTEST_PROBE_LEN - 40 + IPPROTO_ICMPV6;
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		assert_int_equal(sum, 0xffff);
	}
}

static void test_probe_parse(void **state)
{
	static const uint8_t other[8] = {};

	for (unsigned int n = 0; n < 4; n++) {
		enum tunnel_way way = n % 2;
		bool uplink = n / 2;
		uint8_t pkt[PROBE_SIZE];
		size_t size = probe_through(pkt, way, uplink);
		struct selftest_probe got = {};

		assert_true(selftest_6to4_parse(pkt, size, nonce, &got));
		assert_int_equal(got.way, way);
		assert_int_equal(got.uplink, uplink);
		assert_int_equal(got.id, 7);
		assert_int_equal(got.seq, 42);
		for (size_t len = 0; len < size; len++)
			assert_false(
				selftest_6to4_parse(pkt, len, nonce, &got));
		/* another process's, or a guess */
		assert_false(selftest_6to4_parse(pkt, size, other, &got));
		/* not forwarded */
		pkt[size - SELFTEST_PROBE_LEN + 7]++;
		assert_false(selftest_6to4_parse(pkt, size, nonce, &got));
	}
}

static void test_probe_fields(void **state)
{
	/* octets whose change makes it no probe: version and length of IPv4,
	 * protocol, IPv6 version, next header, target, type, nonce */
	static const size_t octets[] = {0, 9, 20, 26, 44, 56, 57, 60, 68, 75};
	uint8_t pkt[PROBE_SIZE];
	struct selftest_probe got;
	size_t len;

	for (size_t i = 0; i < array_size(octets); i++) {
		len = probe_through(pkt, TUNNEL_WAY_6TO4, true);
		pkt[octets[i]] ^= 0x11;
		assert_false(selftest_6to4_parse(pkt, len, nonce, &got));
		if (octets[i] < 20)
			continue;
		len = probe_through(pkt, TUNNEL_WAY_4TO6, true);
		pkt[octets[i] - 20] ^= 0x11;
		assert_false(selftest_6to4_parse(pkt, len, nonce, &got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal_lines),
		cmocka_unit_test(test_journal_long_lines),
		cmocka_unit_test_setup_teardown(test_journal_file, dir_make,
						dir_remove),
		cmocka_unit_test(test_journal_no_dir),
		cmocka_unit_test(test_nft_text),
		cmocka_unit_test(test_nft_text_empty),
		cmocka_unit_test(test_nft_text_many),
		cmocka_unit_test(test_probe_build),
		cmocka_unit_test(test_probe_parse),
		cmocka_unit_test(test_probe_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
