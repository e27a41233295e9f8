// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf_teredo.h"

static int peers_fd = -1; /* of LAB_TEREDO */

/* -------- relays -------- */

static int relay_add(const char *ifname, uint32_t place, uint16_t port)
{
	struct relay_bpf_service service = {.port = htons(port)};
	struct relay_bpf_relay relay = lab.relay;
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "relay_peers",
				sizeof(struct relay_bpf_peer_key),
				sizeof(struct relay_bpf_peer), LAB_PEERS, NULL);
	unsigned int ifindex = if_nametoindex(ifname);

	inet_pton(AF_INET, LAB_SOURCE, &service.addr);
	relay.source = relay.transmit_source = service.addr;
	relay.udp_port = service.port;
	relay.ifindex = ifindex;
	relay.mtu = 1280;
	if (fd < 0 || !ifindex ||
	    bpf_map_update_elem(bpf_map__fd(lab.skel->maps.peers), &place, &fd,
				0) ||
	    bpf_map_update_elem(bpf_map__fd(lab.skel->maps.by_service),
				&service, &place, 0) ||
	    bpf_map_update_elem(bpf_map__fd(lab.skel->maps.by_ifindex),
				&ifindex, &place, 0)) {
		perror("a Teredo relay");
		return 99;
	}
	lab.skel->bss->services++;
	lab.place = place;
	lab.relay = relay;
	lab_set_relay();
	peers_fd = fd;
	return 0;
}

static int relays_add(void)
{
	int ret;

	lab_shell("ip link add teredo0 type veth peer name teredo0p");
	lab_shell("ip link add teredo1 type veth peer name teredo1p");
	for (int i = 0; i < 2; i++) {
		lab_shell("ip link set teredo%d up", i);
		lab_shell("ip link set teredo%dp up", i);
	}
	lab_shell("ip route add 2001::/32 dev teredo0");
	lab_shell("ip route add 2001:0:c633:6464::/64 dev teredo1");
	ret = relay_add("teredo1", LAB_TEREDO2, LAB_PORT2);
	return ret ? ret : relay_add("teredo0", LAB_TEREDO, LAB_PORT);
}

int lab_open_teredo(void)
{
	int ret = lab_open();

	return ret ? ret : relays_add();
}

int lab_open_teredo_xdp(void)
{
	int ret = lab_open_xdp();

	return ret ? ret : relays_add();
}

/* -------- peers -------- */

const char *teredo_address(const char *mapped, uint16_t port)
{
	static char text[INET6_ADDRSTRLEN];
	uint8_t a[16] = {0x20, 0x01, 0,	   0,	 65,	       54,
			 227,  120,  0x80, 0x00, ~(port >> 8), ~port};

	inet_pton(AF_INET, mapped, a + 12);
	for (int i = 12; i < 16; i++)
		a[i] ^= 0xff;
	inet_ntop(AF_INET6, a, text, sizeof(text));
	return text;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static struct relay_bpf_peer_key peer_key(const char *addr)
{
	struct relay_bpf_peer_key key;
	uint8_t a[16];

	assert_int_equal(inet_pton(AF_INET6, addr, a), 1);
	memcpy(key.octets, a + 4, sizeof(key.octets));
	return key;
}

void peer_put(const char *addr, int64_t rx_ms, int64_t tx_ms)
{
	struct relay_bpf_peer_key key = peer_key(addr);
	struct relay_bpf_peer peer = {
		.rx_ns = rx_ms == NEVER ? 0 : now_ns() - rx_ms * MS,
		.tx_ns = tx_ms == NEVER ? 0 : now_ns() - tx_ms * MS,
	};

	assert_int_equal(bpf_map_update_elem(peers_fd, &key, &peer, 0), 0);
}

void peer_del(const char *addr)
{
	struct relay_bpf_peer_key key = peer_key(addr);

	assert_int_equal(bpf_map_delete_elem(peers_fd, &key), 0);
}

static int64_t age(uint64_t ns)
{
	return ns ? (now_ns() - (int64_t)ns) / MS : NEVER;
}

void peer_get(const char *addr, int64_t *rx_ms, int64_t *tx_ms)
{
	struct relay_bpf_peer_key key = peer_key(addr);
	struct relay_bpf_peer peer;

	assert_int_equal(bpf_map_lookup_elem(peers_fd, &key, &peer), 0);
	*rx_ms = age(peer.rx_ns);
	*tx_ms = age(peer.tx_ns);
}

/* -------- packets -------- */

void set16(struct packet *p, size_t at, uint16_t value)
{
	p->octets[at] = value >> 8;
	p->octets[at + 1] = value;
}

uint16_t get16(const struct packet *p, size_t at)
{
	return p->octets[at] << 8 | p->octets[at + 1];
}

/* RFC 1071 */
static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

uint16_t inner_sum(const struct packet *p, size_t at)
{
	const uint8_t *ip6 = p->octets + at;
	size_t len = ip6[4] << 8 | ip6[5];

	return ~sum16(sum16(len + ip6[6], ip6 + 8, 32), ip6 + V6, len);
}

uint16_t datagram_sum(const struct packet *p)
{
	const uint8_t *ip = p->octets + ETH;
	size_t len = ip[V4 + 4] << 8 | ip[V4 + 5];

	return ~sum16(sum16(len + 17, ip + 12, 8), ip + V4, len);
}

static size_t checksum_at(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	case IPPROTO_ICMPV6:
		return 2;
	}
	return 0;
}

void packet_inner(struct packet *p, const char *src, const char *dst,
		  uint8_t protocol, size_t payload)
{
	size_t at = p->len, sum = checksum_at(protocol);

	packet_ipv6(p, src, dst, payload);
	p->octets[at + 6] = protocol;
	if (protocol == IPPROTO_TCP && payload >= 20)
		p->octets[at + V6 + 12] = 5 << 4;
	if (protocol == IPPROTO_UDP && payload >= 8)
		set16(p, at + V6 + 4, payload);
	if (!sum || payload < sum + 2)
		return;
	set16(p, at + V6 + sum, 0);
	set16(p, at + V6 + sum, inner_sum(p, at));
}

void packet_datagram(struct packet *p)
{
	uint16_t sum;

	set16(p, ETH + 2, p->len - ETH);
	packet_checksum(p);
	set16(p, ETH + V4 + 4, p->len - ETH - V4);
	set16(p, ETH + V4 + 6, 0);
	sum = datagram_sum(p);
	set16(p, ETH + V4 + 6, sum ? sum : 0xffff);
}

void packet_client_from(struct packet *p, const char *outer, uint16_t port,
			const char *src, const char *dst, uint8_t protocol,
			size_t payload)
{
	uint8_t udp[UDP] = {port >> 8, port, LAB_PORT >> 8, LAB_PORT & 0xff};

	packet_ethernet(p, 0x0800);
	packet_ipv4(p, outer, LAB_SOURCE, UDP + V6 + payload);
	p->octets[ETH + 9] = IPPROTO_UDP;
	packet_add(p, udp, sizeof(udp));
	packet_inner(p, src, dst, protocol, payload);
	packet_datagram(p);
}

void packet_client(struct packet *p, uint8_t protocol, size_t payload)
{
	packet_client_from(p, LAB_MAPPED, LAB_MAPPED_PORT, LAB_CLIENT,
			   LAB_NATIVE, protocol, payload);
}

void packet_to_client(struct packet *p, uint8_t protocol, size_t payload)
{
	packet_ethernet(p, 0x86dd);
	packet_inner(p, LAB_NATIVE, LAB_CLIENT, protocol, payload);
}
