// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "memory.h"

#include "relay_memory.h"
#include "teredo_lab.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define IP6_LEN 40

struct lab lab;

static struct lab_sent *keep(enum lab_kind kind, const void *pkt, size_t len)
{
	struct lab_sent *sent = &lab.sent[lab.nsent++ % LAB_SENT];

	memset(sent, 0, sizeof(*sent));
	sent->kind = kind;
	sent->at_ms = lab.now_ms;
	sent->len = len;
	memcpy(sent->data, pkt, MIN(len, (size_t)LAB_LEN));
	lab.counts[kind]++;
	return sent;
}

static void send_udp(void *arg, struct in_addr dst, uint16_t port, uint8_t tos,
		     const void *pkt, size_t len)
{
	const uint8_t *ip6 = pkt;
	bool bubble = len == IP6_LEN && ip6[6] == 59;
	struct lab_sent *sent;

	assert_ptr_equal(arg, &lab);
	sent = keep(!bubble			 ? LAB_UDP
		    : port == TEREDO_SERVER_PORT ? LAB_INDIRECT
						 : LAB_DIRECT,
		    pkt, len);
	sent->dst = dst;
	sent->port = port;
	sent->tos = tos;
}

static void send_ipv6(void *arg, const void *pkt, size_t len)
{
	keep(LAB_IPV6, pkt, len);
}

static struct lab_fast *fast_find(const struct relay_bpf_peer_key *key)
{
	for (size_t i = 0; i < LAB_FAST; i++)
		if (lab.fast[i].used &&
		    memcmp(&lab.fast[i].key, key, sizeof(*key)) == 0)
			return &lab.fast[i];
	return NULL;
}

static bool peer_activity(void *arg, const struct relay_bpf_peer_key *key,
			  int64_t *rx_ms, int64_t *tx_ms)
{
	const struct lab_fast *fast = fast_find(key);

	if (!fast)
		return false;
	*rx_ms = fast->rx_ms;
	*tx_ms = fast->tx_ms;
	return true;
}

static void peer_put(void *arg, const struct relay_bpf_peer_key *key,
		     int64_t rx_ms, int64_t tx_ms)
{
	struct lab_fast *fast = fast_find(key);

	for (size_t i = 0; !fast && i < LAB_FAST; i++)
		if (!lab.fast[i].used) {
			fast = &lab.fast[i];
			lab.nfast++;
		}
	/* as a map that is full: it is the relay's to live with */
	if (fast)
		*fast = (struct lab_fast){true, *key, rx_ms, tx_ms};
}

static void peer_del(void *arg, const struct relay_bpf_peer_key *key)
{
	struct lab_fast *fast = fast_find(key);

	lab.dels++;
	if (!fast)
		return;
	fast->used = false;
	lab.nfast--;
}

static void log_line(void *arg, const char *line)
{
	strlcpy(lab.log, line, sizeof(lab.log));
	lab.logs++;
}

static const struct teredo_relay_ops slow_ops = {
	.send_udp = send_udp,
	.send_ipv6 = send_ipv6,
	.log = log_line,
};

static const struct teredo_relay_ops fast_ops = {
	.send_udp = send_udp,
	.send_ipv6 = send_ipv6,
	.peer_activity = peer_activity,
	.peer_put = peer_put,
	.peer_del = peer_del,
	.log = log_line,
};

void lab_open(uint32_t peers_max, bool fast)
{
	static const uint8_t seed[16] = {1, 2, 3};

	memset(&lab, 0, sizeof(lab));
	/* the lower half of the clock ends before long */
	lab.now_ms = INT64_C(0x1fffff000);
	lab.check = (struct relay_bpf_relay){
		.source = inet_addr(LAB_SOURCE),
		.transmit_source = inet_addr(LAB_SOURCE),
		.flags = RELAY_BPF_4TO6 | RELAY_BPF_6TO4,
		.mtu = 1280,
		.udp_port = htons(3545),
	};
	memset(lab.check.octets4, 0xff, sizeof(lab.check.octets4));
	memset(lab.check.octets6, 0xff, sizeof(lab.check.octets6));
	lab.cfg = (struct teredo_relay_config){
		.check = {.relay = &lab.check},
		.local = lab_addr(LAB_LOCAL),
		.source.s_addr = inet_addr(LAB_SOURCE),
		.port = 3545,
		.peers_max = peers_max,
		.limits = TEREDO_LIMITS_DEFAULT,
	};
	lab.relay = teredo_relay_new(fast ? &fast_ops : &slow_ops, &lab,
				     &lab.cfg, lab.now_ms, seed);
}

void lab_close(void)
{
	teredo_relay_free(&lab.relay);
	assert_null(lab.relay);
}

void lab_configure(void)
{
	teredo_relay_configure(lab.relay, &lab.cfg, lab.now_ms);
}

size_t lab_settle(void)
{
	size_t n = 1;

	while (teredo_relay_timer(lab.relay, lab.now_ms) == 0)
		n++;
	return n;
}

void lab_wait(int64_t ms)
{
	int64_t end = lab.now_ms + ms;
	int wait;

	while ((wait = teredo_relay_timer(lab.relay, lab.now_ms)) <=
	       end - lab.now_ms) {
		assert_true(wait >= 0);
		if (wait == 0 && lab.now_ms == end) {
			lab_settle();
			return;
		}
		lab.now_ms += wait;
	}
	lab.now_ms = end;
}

struct in6_addr lab_client(uint32_t mapped, uint16_t port, uint32_t server)
{
	const struct teredo_address parts = {
		.server.s_addr = htonl(server),
		.mapped.s_addr = htonl(mapped),
		.port = port,
		.flags = 0x1234,
	};
	struct in6_addr addr;

	teredo_address_write(&parts, &addr);
	return addr;
}

struct in6_addr lab_addr(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

struct relay_bpf_peer_key lab_key(const struct in6_addr *addr)
{
	struct relay_bpf_peer_key key;

	memcpy(key.octets, addr->s6_addr + 4, sizeof(key.octets));
	return key;
}

size_t lab_packet(uint8_t *buf, const struct in6_addr *src,
		  const struct in6_addr *dst, size_t len, uint8_t mark)
{
	memset(buf, 0, len);
	buf[0] = 0x60;
	buf[4] = (len - IP6_LEN) >> 8;
	buf[5] = len - IP6_LEN;
	buf[6] = len > IP6_LEN ? 17 : 59;
	buf[7] = 64;
	memcpy(buf + 8, src, 16);
	memcpy(buf + 24, dst, 16);
	if (len > IP6_LEN)
		buf[IP6_LEN] = mark;
	return len;
}

void lab_to_client_from(const struct in6_addr *src,
			const struct in6_addr *client, uint8_t mark)
{
	uint8_t pkt[IP6_LEN + 20];

	lab_packet(pkt, src, client, sizeof(pkt), mark);
	teredo_relay_from_ipv6(lab.relay, lab.now_ms, pkt, sizeof(pkt));
}

void lab_to_client(const struct in6_addr *client, uint8_t mark)
{
	const struct in6_addr src = lab_addr(LAB_HOST);

	lab_to_client_from(&src, client, mark);
}

static void from_client(const struct in6_addr *client, uint8_t *pkt, size_t len)
{
	struct teredo_address parts;

	assert_true(teredo_address_read(client, &parts));
	teredo_relay_from_ipv4(lab.relay, lab.now_ms, parts.mapped, parts.port,
			       0, pkt, len);
}

void lab_from_client(const struct in6_addr *client, uint8_t mark)
{
	const struct in6_addr dst = lab_addr(LAB_HOST);
	uint8_t pkt[IP6_LEN + 20];

	lab_packet(pkt, client, &dst, sizeof(pkt), mark);
	from_client(client, pkt, sizeof(pkt));
}

void lab_bubble(const struct in6_addr *client)
{
	const struct in6_addr dst = lab_addr(LAB_LOCAL);
	uint8_t pkt[IP6_LEN];

	lab_packet(pkt, client, &dst, sizeof(pkt), 0);
	from_client(client, pkt, sizeof(pkt));
}

size_t lab_new(enum lab_kind kind)
{
	size_t n = lab.counts[kind];

	lab.counts[kind] = 0;
	return n;
}

void lab_forget(void)
{
	lab.nsent = 0;
	memset(lab.counts, 0, sizeof(lab.counts));
}

const struct lab_sent *lab_sent(size_t n)
{
	assert_true(n < lab.nsent && lab.nsent <= LAB_SENT);
	return &lab.sent[n];
}

struct teredo_relay_stats lab_stats(void)
{
	struct teredo_relay_stats stats;

	teredo_relay_stats(lab.relay, lab.now_ms, &stats);
	return stats;
}

struct teredo_peer_info lab_info(const struct in6_addr *client)
{
	struct teredo_peer_info info;

	assert_true(
		teredo_relay_peer_find(lab.relay, client, lab.now_ms, &info));
	return info;
}

int lab_state(const struct in6_addr *client)
{
	struct teredo_peer_info info;

	if (!teredo_relay_peer_find(lab.relay, client, lab.now_ms, &info))
		return -1;
	return info.state;
}

struct lab_fast *lab_fast(const struct in6_addr *client)
{
	const struct relay_bpf_peer_key key = lab_key(client);

	return fast_find(&key);
}

void lab_assert_new(size_t ipv6, size_t udp, size_t direct, size_t indirect)
{
	assert_int_equal(lab_new(LAB_IPV6), ipv6);
	assert_int_equal(lab_new(LAB_UDP), udp);
	assert_int_equal(lab_new(LAB_DIRECT), direct);
	assert_int_equal(lab_new(LAB_INDIRECT), indirect);
}
