// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The address checks in nftables on packets: RFC 3964's table of cases in a
 * network namespace. An uplink from which packets come, the relay's source as a
 * local address, and an interface in the sit device's place, TUNs all of them.
 * What comes to the last chains has passed.
 */
#define _GNU_SOURCE
#include <zebra.h>

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <linux/if_tun.h>
#include <nftables/libnftables.h>
#include <cmocka.h>

#include "relay_debug.h"
#include "relay_memory.h"
#include "rfc3964.h"
#include "selftest_6to4.h"
#include "tunnel_kernel.h"

DEFINE_MGROUP(RELAYD, "relayd");

/* what librelay.a wants of relayd's main() */
struct debug relay_dbg_tunnel;

#define OUTER 20
#define INNER 40
#define DATA 8
#define PACKET 256

static const struct nflog_key key = {.group = 3964,
				     .nonce = {1, 2, 3, 4, 5, 6, 7, 8}};

static struct nft_ctx *ctx;
static int uplink_fd = -1, relay_fd = -1, other_fd = -1, raw_fd = -1;
static struct filter_rule rules[32];
static struct nft_relay relays[2]; /* the one of the cases, and another */

/* -------- the kernel -------- */

static void command(const char *line)
{
	if (system(line) != 0)
		fail_msg("failed: %s", line);
}

static void nft(const char *text)
{
	if (nft_run_cmd_from_buffer(ctx, text) != 0)
		fail_msg("nft: %s", nft_ctx_get_error_buffer(ctx));
}

static int tun_open(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	strlcpy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
	return fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0 ? fd : -1;
}

/* what has passed all our chains */
static const char witness[] =
	"table ip witness { counter in {}; chain c {\n"
	"type filter hook input priority 402; ip protocol 41 counter name in\n"
	"}; }\n"
	"table ip6 witness { counter out {}; chain c {\n"
	"type filter hook postrouting priority 401; oifname { relay, other } ip6 daddr != ff00::/8 counter name out\n"
	"}; }\n";

static int setup(void **state)
{
	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	uplink_fd = tun_open("up0");
	relay_fd = tun_open("relay");
	other_fd = tun_open("other");
	if (uplink_fd < 0 || relay_fd < 0 || other_fd < 0)
		return -1;
	command("ip link set lo up && ip link set up0 up && "
		"ip addr add 203.0.113.2/30 dev up0 && "
		"ip addr add 2001:db8:1::2/64 dev up0 nodad && "
		"ip route add default via 203.0.113.1 && "
		"ip -6 route add default via 2001:db8:1::1 && "
		"ip addr add 192.88.99.1/32 dev lo && "
		"ip addr add 192.88.99.9/32 dev lo && "
		"ip link set relay up && ip link set other up && "
		"ip -6 route add 2002::/16 dev relay && "
		"ip -6 route add 2002:102::/32 dev other && "
		/* as relayd has it for transit */
		"sysctl -qw net.ipv4.conf.up0.accept_local=1 && "
		"sysctl -qw net.ipv6.conf.all.forwarding=1");
	raw_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	nft_ctx_buffer_error(ctx);
	nft_ctx_buffer_output(ctx);
	nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_JSON);
	nft(witness);
	return tunnel_netlink_init();
}

static int teardown(void **state)
{
	const int fds[] = {uplink_fd, relay_fd, other_fd, raw_fd};

	tunnel_netlink_fini();
	if (ctx)
		nft_ctx_free(ctx);
	for (size_t i = 0; i < array_size(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return 0;
}

static void relay_name(struct nft_relay *r, const char *source,
		       const char *transmit, const char *ifname)
{
	memset(r, 0, sizeof(*r));
	r->source.s_addr = inet_addr(source);
	r->transmit_source.s_addr = inet_addr(transmit);
	strlcpy(r->ifname, ifname, sizeof(r->ifname));
	r->rules = rules;
}

static void load(void)
{
	char *text = tunnel_nft_text(relays, array_size(relays), &key);

	nft(text);
	tunnel_nft_text_free(&text);
}

/* Nothing but bogons, both ways. */
static void load_plain(void)
{
	relay_name(&relays[0], RFC3964_SOURCE, RFC3964_TRANSMIT, "relay");
	relay_name(&relays[1], "192.88.99.9", "192.88.99.9", "other");
	relays[0].nrules = relays[1].nrules =
		filter_table(NULL, 0, true, rules);
	load();
}

struct result {
	struct nft_relay_counters relay[2];
	uint64_t passed[TUNNEL_WAYS];
};

static uint64_t named_counter(const char *line)
{
	const char *packets;

	nft(line);
	packets = strstr(nft_ctx_get_output_buffer(ctx), "\"packets\": ");
	assert_non_null(packets);
	return strtoull(packets + strlen("\"packets\": "), NULL, 10);
}

static void look(struct result *out)
{
	struct nft_count counts[2];

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < 2; i++)
		counts[i] = (struct nft_count){&relays[i], &out->relay[i]};
	assert_true(tunnel_nft_count(counts, 2, true));
	out->passed[TUNNEL_WAY_4TO6] =
		named_counter("list counter ip witness in");
	out->passed[TUNNEL_WAY_6TO4] =
		named_counter("list counter ip6 witness out");
}

/* -------- packets -------- */

static void checksum(uint8_t *ip, size_t len)
{
	uint32_t sum = 0;

	ip[10] = ip[11] = 0;
	for (size_t i = 0; i < len; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	ip[10] = sum >> 8;
	ip[11] = sum;
}

static size_t build_ipv6(uint8_t *ip6, const void *src, const void *dst)
{
	memset(ip6, 0, INNER + DATA);
	ip6[0] = 0x60;
	ip6[5] = DATA;
	ip6[6] = 59;
	ip6[7] = 64;
	memcpy(ip6 + 8, src, 16);
	memcpy(ip6 + 24, dst, 16);
	return INNER + DATA;
}

/* options: octets of them, all no-operation */
static void build_ipv4(uint8_t *ip, const void *src, const void *dst,
		       size_t options, size_t payload)
{
	size_t header = OUTER + options;

	memset(ip, 0, OUTER);
	memset(ip + OUTER, 1, options);
	ip[0] = 0x40 | header / 4;
	ip[2] = (header + payload) >> 8;
	ip[3] = header + payload;
	ip[8] = 64;
	ip[9] = 41;
	memcpy(ip + 12, src, 4);
	memcpy(ip + 16, dst, 4);
	checksum(ip, header);
}

static size_t build(const struct rfc3964_case *c, uint8_t *pkt, size_t options)
{
	size_t outer = c->way == TUNNEL_WAY_4TO6 ? OUTER + options : 0;

	if (outer)
		build_ipv4(pkt, &c->outer_src, &c->outer_dst, options,
			   INNER + DATA);
	return outer + build_ipv6(pkt + outer, &c->src, &c->dst);
}

/* When this returns, the kernel has done with it. */
static void arrive(const uint8_t *pkt, size_t len)
{
	const int fds[] = {uplink_fd, relay_fd, other_fd};
	char sink[2048];

	assert_int_equal(write(uplink_fd, pkt, len), len);
	/* what comes out, and answers and errors, is nobody's */
	for (size_t i = 0; i < array_size(fds); i++)
		while (read(fds[i], sink, sizeof(sink)) > 0)
			;
}

static struct rfc3964_case case_of(enum tunnel_way way, const char *outer_src,
				   const char *src, const char *dst)
{
	struct rfc3964_case c = {.way = way};

	c.outer_src.s_addr = inet_addr(outer_src);
	c.outer_dst.s_addr = inet_addr(RFC3964_SOURCE);
	assert_int_equal(inet_pton(AF_INET6, src, &c.src), 1);
	assert_int_equal(inet_pton(AF_INET6, dst, &c.dst), 1);
	return c;
}

/* -------- what became of them -------- */

/* How one packet is expected to count: passed, or one drop, or neither. */
struct fate {
	bool passed;
	enum relay_bpf_reason reason;
};

static bool fated(const struct result *before, const struct result *now,
		  size_t relay, enum tunnel_way way, struct fate fate)
{
	for (size_t i = 0; i < 2; i++)
		for (enum relay_bpf_reason r = 0; r < RELAY_BPF_REASON_END; r++)
			if (now->relay[i].drops[r] !=
			    before->relay[i].drops[r] + (i == relay &&
							 fate.reason == r &&
							 r != RELAY_BPF_PASS))
				return false;
	return now->passed[way] == before->passed[way] + fate.passed &&
	       now->passed[!way] == before->passed[!way];
}

#define PASSED ((struct fate){true, RELAY_BPF_PASS})
#define DROPPED(r) ((struct fate){false, RELAY_BPF_DROP_##r})
#define VANISHED ((struct fate){false, RELAY_BPF_PASS})

static void expect(const uint8_t *pkt, size_t len, enum tunnel_way way,
		   struct fate fate, const char *what)
{
	struct result before, now;

	look(&before);
	arrive(pkt, len);
	look(&now);
	if (fated(&before, &now, 0, way, fate))
		return;
	for (enum relay_bpf_reason r = 1; r < RELAY_BPF_REASON_END; r++)
		for (size_t i = 0; i < 2; i++)
			if (now.relay[i].drops[r] != before.relay[i].drops[r])
				print_error("relay %zu: %s\n", i,
					    case_reasons[r]);
	fail_msg("passed %d 4to6, %d 6to4: %s",
		 (int)(now.passed[0] - before.passed[0]),
		 (int)(now.passed[1] - before.passed[1]), what);
}

/* Sources that the kernel's IPv6 does not forward in any case, without a word
 * to a rule. */
static bool never_forwarded(const struct in6_addr *src)
{
	return IN6_IS_ADDR_UNSPECIFIED(src) || IN6_IS_ADDR_LOOPBACK(src) ||
	       IN6_IS_ADDR_MULTICAST(src) || IN6_IS_ADDR_LINKLOCAL(src);
}

static void test_rfc3964(void **state)
{
	const char *loaded = "?";

	relay_name(&relays[0], RFC3964_SOURCE, RFC3964_TRANSMIT, "relay");
	relay_name(&relays[1], "192.88.99.9", "192.88.99.9", "other");
	relays[1].rules = NULL; /* tables that differ */
	for (size_t i = 0; i < nrfc3964; i++) {
		const struct rfc3964_case *c = &rfc3964[i];
		struct fate fate = {c->reason == RELAY_BPF_PASS, c->reason};
		uint8_t pkt[PACKET];

		if (strcmp(loaded, c->lines) != 0) {
			relays[0].direction = c->relay.direction;
			relays[0].rules = c->relay.rules;
			relays[0].nrules = c->relay.nrules;
			load();
			loaded = c->lines;
		}
		/* sit's own check, which comes behind ours */
		if (c->reason == RELAY_BPF_DROP_SOURCE_SPOOFED)
			fate = PASSED;
		if (c->way == TUNNEL_WAY_6TO4 && never_forwarded(&c->src))
			fate = VANISHED;
		expect(pkt, build(c, pkt, 0), c->way, fate, c->text);
		if (c->way == TUNNEL_WAY_4TO6)
			expect(pkt, build(c, pkt, 8), c->way, fate, c->text);
	}
}

/* Headers that are not there, and what is no IPv6. */
static void test_malformed(void **state)
{
	struct rfc3964_case c = case_of(TUNNEL_WAY_4TO6, "198.51.100.2",
					"2002:c633:6402::1", "2001:db8:6::6");
	uint8_t pkt[PACKET];

	load_plain();
	for (size_t options = 0; options <= 40; options += 8)
		for (size_t len = 0; len <= INNER; len++) {
			build(&c, pkt, options);
			build_ipv4(pkt, &c.outer_src, &c.outer_dst, options,
				   len);
			expect(pkt, OUTER + options + len, c.way,
			       len < INNER ? DROPPED(MALFORMED) : PASSED,
			       "cut short");
		}
	for (int version = 0; version < 16; version++) {
		build(&c, pkt, 0);
		pkt[OUTER] = version << 4;
		expect(pkt, OUTER + INNER + DATA, c.way,
		       version == 6 ? PASSED : DROPPED(MALFORMED), "version");
	}
}

/* A packet in fragments is judged as a whole; its outer source at once. */
static void test_fragments(void **state)
{
	static const struct {
		const char *outer, *src;
		struct fate fate;
		int drops;
	} cases[] = {
		{"198.51.100.2", "2002:c633:6402::1", {true}, 1},
		{"198.51.100.3",
		 "2001:db8:1::1",
		 {false, RELAY_BPF_DROP_NOT_6TO4},
		 1},
		{"10.1.2.3",
		 "2002:a01:203::1",
		 {false, RELAY_BPF_DROP_OUTER_SOURCE},
		 3},
	};

	load_plain();
	for (size_t i = 0; i < array_size(cases); i++) {
		struct rfc3964_case c = case_of(TUNNEL_WAY_4TO6, cases[i].outer,
						cases[i].src, "2001:db8:6::6");
		enum relay_bpf_reason reason = cases[i].fate.reason;
		uint8_t whole[PACKET], pkt[PACKET];
		struct result before, now;

		build(&c, whole, 0);
		look(&before);
		/* addresses in two of three fragments */
		for (size_t at = 0; at < INNER + DATA; at += 16) {
			memcpy(pkt, whole, OUTER);
			pkt[3] = OUTER + 16;
			pkt[5] = 0x77 + i;
			pkt[6] = at + 16 < INNER + DATA ? 0x20 : 0;
			pkt[7] = at / 8;
			checksum(pkt, OUTER);
			memcpy(pkt + OUTER, whole + OUTER + at, 16);
			arrive(pkt, OUTER + 16);
		}
		look(&now);
		assert_int_equal(now.passed[c.way] - before.passed[c.way],
				 cases[i].fate.passed);
		if (reason)
			assert_int_equal(now.relay[0].drops[reason] -
						 before.relay[0].drops[reason],
					 cases[i].drops);
	}
}

/* Two relays: each has its own rules, source and counters. */
static void test_two_relays(void **state)
{
	struct filter_rule line[1] = {{.verdict = FILTER_VERDICT_DENY}};
	struct filter_rule others[1 + FILTER_BOGONS];
	struct result before, now;
	struct rfc3964_case c;
	uint8_t pkt[PACKET];
	size_t len;

	load_plain();
	str2prefix("2001:db8:6::/48", &line[0].p);
	relays[1].nrules = filter_table(line, 1, true, others);
	relays[1].rules = others;
	load();

	c = case_of(TUNNEL_WAY_4TO6, "198.51.100.2", "2002:c633:6402::1",
		    "2001:db8:6::6");
	expect(pkt, build(&c, pkt, 0), c.way, PASSED, "first relay");
	c.outer_dst = relays[1].source;
	len = build(&c, pkt, 0);
	look(&before);
	arrive(pkt, len);
	look(&now);
	assert_true(fated(&before, &now, 1, c.way, DROPPED(DENIED)));

	/* 2002:102::/32 is routed to the other one */
	c = case_of(TUNNEL_WAY_6TO4, "0.0.0.0", "2001:db8:6::6",
		    "2002:102:304::1");
	len = build(&c, pkt, 0);
	look(&before);
	arrive(pkt, len);
	look(&now);
	assert_true(fated(&before, &now, 1, c.way, DROPPED(DENIED)));
	/* what is its own to one is not to the other */
	c = case_of(TUNNEL_WAY_6TO4, "0.0.0.0", "2001:db8:7::7",
		    "2002:c058:6309::1");
	expect(pkt, build(&c, pkt, 0), c.way, PASSED, "another relay's");
	c = case_of(TUNNEL_WAY_4TO6, "192.88.99.9", "2002:c058:6309::1",
		    "2001:db8:6::6");
	expect(pkt, build(&c, pkt, 0), c.way, PASSED, "from another relay");
	relays[1].rules = NULL;
	relays[1].nrules = 0;
}

/* What is not a relay's is nobody's business. */
static void test_others(void **state)
{
	struct rfc3964_case c =
		case_of(TUNNEL_WAY_4TO6, "10.1.2.3", "fe80::1", "fe80::2");
	uint8_t pkt[PACKET];
	size_t len;

	load_plain();
	/* another address of the host */
	c.outer_dst.s_addr = inet_addr("203.0.113.2");
	expect(pkt, build(&c, pkt, 0), c.way, PASSED, "not to a relay");
	/* another protocol: the witness does not count it */
	c.outer_dst.s_addr = inet_addr(RFC3964_SOURCE);
	len = build(&c, pkt, 0);
	pkt[9] = 47;
	checksum(pkt, OUTER);
	expect(pkt, len, c.way, VANISHED, "protocol 47");
	/* IPv6 that is not for 2002::/16 */
	command("ip -6 route add 2001:db8:77::/48 dev relay");
	c = case_of(TUNNEL_WAY_6TO4, "0.0.0.0", "3ffe::1", "2001:db8:77::1");
	expect(pkt, build(&c, pkt, 0), c.way, PASSED, "not to 2002::/16");
}

/* The self-test crosses whatever the operator denies; nobody else does with its
 * addresses. */
static void test_probes(void **state)
{
	const struct selftest_probe in = {TUNNEL_WAY_4TO6, true, 7, 42};
	const struct selftest_probe out = {TUNNEL_WAY_6TO4, true, 7, 42};
	static struct filter_rule lines[2], denied[2 + FILTER_BOGONS];
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct result before, now;
	uint8_t pkt[PACKET];
	size_t len;

	load_plain();
	lines[0].verdict = lines[1].verdict = FILTER_VERDICT_DENY;
	str2prefix("0.0.0.0/0", &lines[0].p);
	str2prefix("::/0", &lines[1].p);
	relays[0].nrules = filter_table(lines, 2, true, denied);
	relays[0].rules = denied;
	load();

	len = selftest_6to4_build(pkt, relays[0].source, &in, key.nonce);
	to.sin_addr = relays[0].source;
	look(&before);
	assert_int_equal(
		sendto(raw_fd, pkt, len, 0, (struct sockaddr *)&to, sizeof(to)),
		len);
	look(&now);
	assert_true(fated(&before, &now, 0, TUNNEL_WAY_4TO6, PASSED));
	assert_int_equal(now.relay[0].probes_in, before.relay[0].probes_in + 1);
	/* the same from the wire */
	expect(pkt, len, TUNNEL_WAY_4TO6, DROPPED(OUTER_SOURCE), "forged");

	len = selftest_6to4_build(pkt, relays[0].source, &out, key.nonce);
	expect(pkt, len, TUNNEL_WAY_6TO4, PASSED, "probe");
	/* without the nonce it is somebody's packet */
	pkt[INNER + 8] ^= 1;
	expect(pkt, len, TUNNEL_WAY_6TO4, DROPPED(DESTINATION), "no nonce");
	load_plain();
	expect(pkt, len, TUNNEL_WAY_6TO4, DROPPED(DESTINATION), "no nonce");
}

/* 512 lines, and as many relays, in one transaction. */
static void test_much(void **state)
{
	static struct filter_rule lines[512], many[512 + FILTER_BOGONS];
	static struct nft_relay list[512];
	char *text;
	size_t n;

	for (size_t i = 0; i < array_size(lines); i++) {
		lines[i].verdict =
			i % 2 ? FILTER_VERDICT_DENY : FILTER_VERDICT_PERMIT;
		lines[i].p.family = i % 3 && i % 2 ? AF_INET6 : AF_INET;
		lines[i].p.prefixlen = 32;
		lines[i].p.u.prefix4.s_addr = htonl(0x0a000000 + i * 4711);
	}
	n = filter_table(lines, array_size(lines), true, many);
	for (size_t i = 0; i < array_size(list); i++) {
		relay_name(&list[i], RFC3964_SOURCE, RFC3964_SOURCE, "");
		list[i].source.s_addr = list[i].transmit_source.s_addr =
			htonl(0xc0000201 + i);
		snprintf(list[i].ifname, IFNAMSIZ, "relay%zu", i);
		list[i].rules = many;
		list[i].nrules = i ? FILTER_BOGONS : n;
	}
	text = tunnel_nft_text(list, array_size(list), &key);
	nft(text);
	tunnel_nft_text_free(&text);
	text = tunnel_nft_text(NULL, 0, &key);
	nft(text);
	tunnel_nft_text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3964),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_two_relays),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_much),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: not root\n");
		return 77;
	}
	if (!rfc3964_read())
		return 1;
	return cmocka_run_group_tests(tests, setup, teardown);
}
