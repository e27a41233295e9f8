// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The Teredo probes of the self-test: what they are made of; and their way
 * through a kernel (root; in a network namespace of its own), over a TUN whose
 * engine is played here.
 */
#include <zebra.h>

#include <fcntl.h>

#include <setjmp.h>
#include <cmocka.h>

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "checksum.h"
#include "memory.h"

#include "octets.h"
#include "relay_memory.h"
#include "selftest_teredo.h"
#include "tunnel_kernel.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define SOURCE "192.0.2.1"
#define PORT 3545

static const uint8_t nonce[8] = "frrrelay";

static struct in_addr source(void)
{
	return (struct in_addr){.s_addr = inet_addr(SOURCE)};
}

/* -------- packets -------- */

static void ends(struct in6_addr *peer, struct in6_addr *local)
{
	selftest_teredo_address(source(), 40000, peer);
	selftest_teredo_address(source(), PORT, local);
}

static void test_addresses(void **state)
{
	struct in6_addr peer, local, want;

	ends(&peer, &local);
	inet_pton(AF_INET6, "2001:0:c000:201:0:63bf:3fff:fdfe", &want);
	assert_memory_equal(&peer, &want, sizeof(want));
	inet_pton(AF_INET6, "2001:0:c000:201:0:f226:3fff:fdfe", &want);
	assert_memory_equal(&local, &want, sizeof(want));
}

static uint16_t udp_sum(const uint8_t *pkt)
{
	uint8_t whole[32 + 8 + 24] = {};

	memcpy(whole, pkt + 8, 32);
	whole[35] = 24;
	whole[39] = IPPROTO_UDP;
	memcpy(whole + 40, pkt + 40, 24);
	return in_cksum(whole, sizeof(whole));
}

static void test_build(void **state)
{
	static const struct selftest_probe probes[] = {
		{TUNNEL_WAY_4TO6, false, 1, 1},
		{TUNNEL_WAY_6TO4, false, 0xffff, 0xfffffffe},
		{TUNNEL_WAY_4TO6, false, 0x1234, 0x89abcdef},
	};
	struct in6_addr peer, local;

	ends(&peer, &local);
	for (size_t i = 0; i < array_size(probes); i++) {
		uint8_t pkt[SELFTEST_TEREDO_LEN];
		struct selftest_probe got = {};

		memset(pkt, 0x55, sizeof(pkt));
		selftest_teredo_build(pkt, &peer, &local, &probes[i], nonce);
		assert_int_equal(pkt[0] >> 4, 6);
		assert_int_equal(get16(pkt + 4), sizeof(pkt) - 40);
		assert_int_equal(get16(pkt + 44), sizeof(pkt) - 40);
		assert_int_equal(udp_sum(pkt), 0);
		/* where the eBPF programs look for it */
		assert_memory_equal(pkt + 48, nonce, 8);
		assert_true(
			selftest_teredo_parse(pkt, sizeof(pkt), nonce, &got));
		assert_int_equal(got.way, probes[i].way);
		assert_int_equal(got.id, probes[i].id);
		assert_int_equal(got.seq, probes[i].seq);
		assert_true(selftest_teredo_parse_data(
			pkt + 48, SELFTEST_TEREDO_DATA_LEN, nonce, &got));
	}
}

/* Each octet that makes it a probe, changed; each length but its own. */
static void test_parse(void **state)
{
	static const size_t matters[] = {0,  6,	 48, 49, 50, 51,
					 52, 53, 54, 55, 62, 63};
	const struct selftest_probe probe = {TUNNEL_WAY_6TO4, false, 7, 9};
	uint8_t pkt[28 + SELFTEST_TEREDO_LEN + 1] = {0x45, [9] = IPPROTO_UDP};
	uint8_t *ip6 = pkt + 28;
	struct in6_addr peer, local;
	struct selftest_probe got;

	ends(&peer, &local);
	selftest_teredo_build(ip6, &local, &peer, &probe, nonce);
	for (size_t i = 0; i < array_size(matters); i++) {
		ip6[matters[i]] ^= 0x82;
		assert_false(selftest_teredo_parse(ip6, SELFTEST_TEREDO_LEN,
						   nonce, &got));
		ip6[matters[i]] ^= 0x82;
	}
	for (size_t len = 0; len <= SELFTEST_TEREDO_LEN + 1; len++)
		assert_int_equal(selftest_teredo_parse(ip6, len, nonce, &got),
				 len == SELFTEST_TEREDO_LEN);
	for (size_t len = 0; len <= sizeof(pkt); len++)
		assert_int_equal(
			selftest_teredo_parse_any(pkt, len, nonce, &got),
			len == sizeof(pkt) - 1);
	assert_true(selftest_teredo_parse_any(ip6, SELFTEST_TEREDO_LEN, nonce,
					      &got));
	pkt[9] = IPPROTO_IPV6;
	assert_false(
		selftest_teredo_parse_any(pkt, sizeof(pkt) - 1, nonce, &got));
}

/* -------- a kernel, and its engine -------- */

static struct tunnel tun;
static struct selftest_teredo *st;
static int tun_fd = -1, engine_fd = -1;
static ifindex_t ifindex;
static struct sockaddr_in prober; /* as the engine sees it */

static void command(const char *cmd)
{
	assert_int_equal(system(cmd), 0);
}

static void engine_open(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr = source(),
				   .sin_port = htons(PORT)};

	engine_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(engine_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static int setup(void **state)
{
	struct ifreq ifr = {.ifr_name = "relay",
			    .ifr_flags = IFF_TUN | IFF_NO_PI};

	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	tun_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (tun_fd < 0 || ioctl(tun_fd, TUNSETIFF, &ifr) < 0)
		return -1;
	command("ip link set lo up && ip link set relay up && "
		"ip addr add " SOURCE
		"/32 dev relay && "
		"sysctl -qw net.ipv6.conf.all.forwarding=1");
	ifindex = if_nametoindex("relay");
	tunnel_loop = event_master_create("test");
	if (tunnel_netlink_init() < 0)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	tunnel_netlink_fini();
	event_master_free(tunnel_loop);
	tunnel_loop = NULL;
	close(tun_fd);
	return 0;
}

static int begin(void **state)
{
	uint8_t former[256];

	while (poll(&(struct pollfd){tun_fd, POLLIN}, 1, 0) == 1)
		assert_true(read(tun_fd, former, sizeof(former)) > 0);
	memset(&tun, 0, sizeof(tun));
	tun.params.source = source();
	tun.params.udp_port = PORT;
	tun.params.self_test = true;
	engine_open();
	selftest_register(&tun);
	return selftest_teredo_open(&st, &tun, ifindex);
}

static int end(void **state)
{
	selftest_teredo_close(&st);
	selftest_unregister(&tun);
	EVENT_OFF(tun.t_notify);
	if (engine_fd >= 0)
		close(engine_fd);
	engine_fd = -1;
	return 0;
}

static int send_probe(enum tunnel_way way, enum tunnel_path path)
{
	tun.st_seq++;
	tun.st[way].waiting = 1U << path;
	tun.st[way].why[0] = '\0';
	return selftest_teredo_send(st, way, path, tun.st_seq);
}

static bool readable(int fd)
{
	struct pollfd pfd = {fd, POLLIN};

	return poll(&pfd, 1, 2000) == 1;
}

/* What of the probes has reached the engine, if anything. */
static size_t engine_from_ipv4(uint8_t *buf, size_t size)
{
	socklen_t len = sizeof(prober);

	assert_true(readable(engine_fd));
	return recvfrom(engine_fd, buf, size, 0, (struct sockaddr *)&prober,
			&len);
}

static size_t engine_from_ipv6(uint8_t *buf, size_t size)
{
	struct selftest_probe probe;
	ssize_t len;

	/* besides what the kernel says by itself */
	do {
		assert_true(readable(tun_fd));
		len = read(tun_fd, buf, size);
		assert_true(len > 0);
	} while (!selftest_teredo_parse(buf, len, tunnel_probe_nonce(),
					&probe) &&
		 !selftest_teredo_parse(buf, len, tunnel_fast_nonce(), &probe));
	return len;
}

static void engine_to_ipv4(const uint8_t *buf, size_t len)
{
	assert_int_equal(sendto(engine_fd, buf, len, 0,
				(struct sockaddr *)&prober, sizeof(prober)),
			 len);
}

static void engine_to_ipv6(const uint8_t *buf, size_t len)
{
	assert_int_equal(write(tun_fd, buf, len), len);
}

static void bell(struct frr_event *ev)
{
	bool *rung = EVENT_ARG(ev);

	*rung = true;
}

/* By events, as in relayd; what has been sent is there at once. */
static uint64_t come_out(enum tunnel_way way)
{
	struct frr_event event;
	bool rung = false;

	event_add_timer_msec(tunnel_loop, bell, &rung, 5, NULL);
	while (!rung && event_fetch(tunnel_loop, &event))
		event_call(&event);
	return tun.st[way].seen;
}

static void test_4to6(void **state)
{
	struct relay_bpf_peer_key own;
	struct in6_addr want;
	uint8_t buf[256];
	size_t len;

	assert_int_equal(send_probe(TUNNEL_WAY_4TO6, TUNNEL_PATH_STACK), 0);
	len = engine_from_ipv4(buf, sizeof(buf));
	assert_int_equal(len, SELFTEST_TEREDO_LEN);
	/* its source is who the engine is told of, and where it came from */
	selftest_teredo_address(prober.sin_addr, ntohs(prober.sin_port), &want);
	selftest_teredo_peer(st, &own);
	assert_memory_equal(own.octets, want.s6_addr + 4, sizeof(own.octets));
	assert_memory_equal(buf + 8, &want, sizeof(want));
	assert_int_equal(prober.sin_addr.s_addr, source().s_addr);
	engine_to_ipv6(buf, len);
	assert_int_equal(come_out(TUNNEL_WAY_4TO6), 1);
	/* once more: it is awaited no longer */
	engine_to_ipv6(buf, len);
	assert_int_equal(come_out(TUNNEL_WAY_4TO6), 1);
}

static void test_6to4(void **state)
{
	uint8_t buf[256];
	size_t len;

	/* where it is to come out is known from the other way */
	assert_int_equal(send_probe(TUNNEL_WAY_4TO6, TUNNEL_PATH_STACK), 0);
	engine_from_ipv4(buf, sizeof(buf));
	assert_int_equal(send_probe(TUNNEL_WAY_6TO4, TUNNEL_PATH_STACK), 0);
	len = engine_from_ipv6(buf, sizeof(buf));
	assert_int_equal(len, SELFTEST_TEREDO_LEN);
	assert_int_equal(udp_sum(buf), 0);
	engine_to_ipv4(buf, len);
	assert_int_equal(come_out(TUNNEL_WAY_6TO4), 1);
}

/* What is not a probe, not of this tunnel, or has not gone its way. */
static void test_others(void **state)
{
	uint8_t probe4[256], probe6[256], buf[256];
	struct sockaddr_in other;
	socklen_t size = sizeof(other);
	size_t len;
	int fd;

	send_probe(TUNNEL_WAY_6TO4, TUNNEL_PATH_STACK);
	len = engine_from_ipv6(probe6, sizeof(probe6));
	send_probe(TUNNEL_WAY_4TO6, TUNNEL_PATH_STACK);
	engine_from_ipv4(probe4, sizeof(probe4));
	/* sent straight back */
	engine_to_ipv4(probe4, len);
	engine_to_ipv6(probe6, len);
	/* torn, or with more behind it */
	engine_to_ipv4(probe6, len - 1);
	probe6[len] = 0;
	engine_to_ipv4(probe6, len + 1);
	/* of another process, of another relay, of another path */
	memcpy(buf, probe6, len);
	buf[48] ^= 1;
	engine_to_ipv4(buf, len);
	memcpy(buf, probe6, len);
	buf[61] ^= 1;
	engine_to_ipv4(buf, len);
	memcpy(buf, probe6, len);
	memcpy(buf + 48, tunnel_fast_nonce(), 8);
	engine_to_ipv4(buf, len);
	/* by another's socket: it does not get there at all */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&prober, sizeof(prober)), 0);
	assert_int_equal(send(fd, probe6, len, 0), len);
	assert_int_equal(send(fd, probe6, len, 0), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&other, &size), 0);
	close(fd);
	assert_int_equal(come_out(TUNNEL_WAY_6TO4), 0);
	assert_int_equal(come_out(TUNNEL_WAY_4TO6), 0);
	/* the last of its kind, as it should be, gets through all the same */
	tun.st_seq = get32(probe6 + 56);
	engine_to_ipv4(probe6, len);
	assert_int_equal(come_out(TUNNEL_WAY_6TO4), 1);
}

/* A loss, as selftest.c tells of it. */
static void lose(enum tunnel_way way, unsigned int losses, bool crosses)
{
	uint8_t buf[256];
	size_t len;

	assert_int_equal(send_probe(way, TUNNEL_PATH_STACK), 0);
	if (engine_fd >= 0 && way == TUNNEL_WAY_4TO6) {
		len = engine_from_ipv4(buf, sizeof(buf));
		if (crosses)
			engine_to_ipv6(buf, len);
	} else if (crosses) {
		engine_from_ipv6(buf, sizeof(buf));
	}
	selftest_teredo_poll(&tun);
	assert_int_equal(tun.st[way].seen, 0);
	tun.st[way].lost++;
	selftest_teredo_lost(&tun, way, losses);
}

static void assert_detail(enum tunnel_way way, const char *words)
{
	if (!strstr(tun.st[way].detail, words))
		fail_msg("\"%s\" is not in \"%s\"", words, tun.st[way].detail);
}

static void test_where_lost(void **state)
{
	for (unsigned int n = 1; n <= 2; n++) {
		lose(TUNNEL_WAY_4TO6, n, false);
		lose(TUNNEL_WAY_6TO4, n, true);
	}
	assert_detail(TUNNEL_WAY_4TO6, "do not come out of the engine");
	assert_detail(TUNNEL_WAY_6TO4, "the engine does not send");
	command("nft -f - <<'END'\n"
		"table ip6 t {\n"
		" chain i { type filter hook input priority 0; udp dport 3545 drop; }\n"
		"}\n"
		"END");
	for (unsigned int n = 1; n <= 2; n++)
		lose(TUNNEL_WAY_4TO6, n, true);
	assert_detail(TUNNEL_WAY_4TO6, "an IPv6 filter");
	command("nft flush ruleset");
	/* an output filter of IPv6 is met in sending; another, later one is
	 * not */
	command("nft -f - <<'END'\n"
		"table ip6 t {\n"
		" chain o { type filter hook output priority 0; udp dport 3545 drop; }\n"
		"}\n"
		"END");
	assert_int_equal(send_probe(TUNNEL_WAY_6TO4, TUNNEL_PATH_STACK),
			 -EPERM);
	assert_string_equal(
		tun.st[TUNNEL_WAY_6TO4].why,
		"a filter of IPv6 output drops UDP into the tunnel");
	command("nft flush ruleset");
	/* what has been sent and crosses nowhere */
	for (unsigned int n = 1; n <= 2; n++) {
		tun.st[TUNNEL_WAY_6TO4].waiting = 1U << TUNNEL_PATH_STACK;
		selftest_teredo_lost(&tun, TUNNEL_WAY_6TO4, n);
	}
	assert_detail(TUNNEL_WAY_6TO4, "IPv6 does not route");
}

static void test_port_closed(void **state)
{
	close(engine_fd);
	engine_fd = -1;
	for (unsigned int n = 1; n <= 2; n++)
		lose(TUNNEL_WAY_4TO6, n, false);
	assert_detail(TUNNEL_WAY_4TO6, "its UDP port is closed");
	/* and when it is there again */
	engine_open();
	test_4to6(state);
}

/* Someone has taken the routes away: put back after a loss. */
static void test_routes(void **state)
{
	uint8_t buf[256];
	size_t len;

	command("ip -6 route flush table local dev relay");
	command("ip -6 route del local 2001:0:c000:201:0:f226:3fff:fdfe table local 2>&1 | grep -q . || true");
	assert_int_equal(send_probe(TUNNEL_WAY_6TO4, TUNNEL_PATH_STACK),
			 -ENETUNREACH);
	assert_string_equal(tun.st[TUNNEL_WAY_6TO4].why,
			    "IPv6 does not route probes into the tunnel");
	tun.st[TUNNEL_WAY_6TO4].lost = 1;
	assert_int_equal(send_probe(TUNNEL_WAY_6TO4, TUNNEL_PATH_STACK), 0);
	engine_from_ipv6(buf, sizeof(buf));
	assert_int_equal(send_probe(TUNNEL_WAY_4TO6, TUNNEL_PATH_STACK), 0);
	len = engine_from_ipv4(buf, sizeof(buf));
	engine_to_ipv6(buf, len);
	assert_int_equal(come_out(TUNNEL_WAY_4TO6), 1);
}

/* The peer is the same one again, and nothing of it stays. */
static void test_again(void **state)
{
	struct relay_bpf_peer_key first, second;

	selftest_teredo_peer(st, &first);
	selftest_teredo_leave(&st);
	assert_null(tun.st_teredo);
	assert_int_equal(selftest_teredo_open(&st, &tun, ifindex), 0);
	selftest_teredo_peer(st, &second);
	assert_memory_equal(&first, &second, sizeof(first));
	test_4to6(state);
	selftest_teredo_close(&st);
	command("! ip -6 route show table local dev relay | grep -q ^2001:0:");
	command("! ip -6 route show table local | grep -q 2001:0:c000");
	selftest_teredo_close(&st);
	/* another has that port */
	tun.params.udp_port = PORT ^ 0x8000;
	assert_int_equal(selftest_teredo_open(&st, &tun, ifindex), 0);
	selftest_teredo_peer(st, &second);
	assert_memory_not_equal(&first, &second, sizeof(first));
	/* no such interface */
	selftest_teredo_close(&st);
	assert_int_equal(selftest_teredo_open(&st, &tun, 4711), -ENODEV);
	assert_null(st);
	assert_null(tun.st_teredo);
}

/* -------- what the eBPF programs tell -------- */

static void tell(enum tunnel_way way, bool outer, int reason, int fib)
{
	struct relay_bpf_probe seen = {
		.way = way, .fib = fib, .reason = reason};
	uint8_t *ip6 = seen.packet + (outer ? 28 : 0);

	assert_int_equal(send_probe(way, TUNNEL_PATH_FAST), 0);
	if (outer) {
		seen.packet[0] = 0x45;
		seen.packet[9] = IPPROTO_UDP;
	}
	if (way == TUNNEL_WAY_4TO6) {
		engine_from_ipv4(ip6, SELFTEST_TEREDO_LEN);
		/* for the programs, not for the socket */
		engine_to_ipv6(ip6, SELFTEST_TEREDO_LEN);
		assert_int_equal(come_out(way), 0);
	} else {
		engine_from_ipv6(ip6, SELFTEST_TEREDO_LEN);
	}
	seen.len = SELFTEST_TEREDO_LEN + (outer ? 28 : 0);
	selftest_teredo_bpf_seen(&tun, &seen);
}

static void test_fast(void **state)
{
	static const struct {
		int reason, fib;
		const char *words[TUNNEL_WAYS];
	} cases[] = {
		{RELAY_BPF_PASS, BPF_FIB_LKUP_RET_NOT_FWDED, {NULL, NULL}},
		{RELAY_BPF_DROP_SOURCE, -1, {"drop", "drop"}},
		{RELAY_BPF_PASS, -1, {"do not know", "do not know"}},
		{RELAY_BPF_PASS,
		 BPF_FIB_LKUP_RET_FWD_DISABLED,
		 {"ipv6.conf.lo", "ipv4.conf"}},
		{RELAY_BPF_PASS,
		 BPF_FIB_LKUP_RET_SUCCESS,
		 {"does not stay here", "does not stay on this host"}},
		{RELAY_BPF_PASS,
		 BPF_FIB_LKUP_RET_BLACKHOLE,
		 {"does not stay here", "does not stay on this host"}},
	};

	for (size_t i = 0; i < array_size(cases) * 4; i++) {
		enum tunnel_way way = i & 1;
		const char *words = cases[i / 4].words[way];

		tun.st[way].seen = 0;
		tell(way, i & 2, cases[i / 4].reason, cases[i / 4].fib);
		assert_int_equal(tun.st[way].seen, words ? 0 : 1);
		if (!words)
			continue;
		selftest_teredo_lost(&tun, way, 1);
		assert_detail(way, words);
	}
	/* not a word of the programs */
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++) {
		send_probe(way, TUNNEL_PATH_FAST);
		selftest_teredo_lost(&tun, way, 1);
		assert_detail(way, "see no probes");
	}
}

/* Of a kind that has none. */
static void test_other_kind(void **state)
{
	struct tunnel other = {};

	selftest_teredo_poll(&other);
	selftest_teredo_lost(&other, TUNNEL_WAY_4TO6, 2);
	assert_string_equal(other.st[TUNNEL_WAY_4TO6].detail, "");
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_other_kind),
	};
	const struct CMUnitTest live[] = {
		LIVE(test_4to6),	LIVE(test_6to4),   LIVE(test_others),
		LIVE(test_where_lost),	LIVE(test_routes), LIVE(test_again),
		LIVE(test_port_closed), LIVE(test_fast),
	};

	return cmocka_run_group_tests(pure, NULL, NULL) +
	       cmocka_run_group_tests(live, setup, teardown);
}
