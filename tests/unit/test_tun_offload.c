// SPDX-License-Identifier: GPL-2.0-or-later
/* Packets with a checksum or a cut that the kernel has left to the reader. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "octets.h"
#include "relay_memory.h"
#include "tun_offload.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define V6 40
#define ROOM 65536

static uint8_t buf[TUN_HEADER_LEN + ROOM], room[ROOM];
static uint8_t *const pkt = buf + TUN_HEADER_LEN;

/* The sum of the pseudo header and all behind the IPv6 header: 0 when the
 * checksum in it is right. Its own reckoning, octet by octet. */
static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = p[6] + (len - V6);

	for (size_t i = 8; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Of that protocol and length, with the checksum put off. */
static void build(uint8_t protocol, size_t len, size_t offset)
{
	uint32_t sum = protocol + (len - V6);

	memset(pkt, 0, len);
	pkt[0] = 0x60;
	put16(pkt + 4, len - V6);
	pkt[6] = protocol;
	pkt[7] = 64;
	for (size_t i = 8; i < len; i++)
		pkt[i] = i * 7;
	for (size_t i = 8; i < V6; i++)
		sum += i % 2 ? pkt[i] : pkt[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(pkt + V6 + offset, sum);
}

static void set_head(uint8_t flags, uint8_t type, uint16_t mss, uint16_t start,
		     uint16_t offset)
{
	struct virtio_net_hdr head = {.flags = flags,
				      .gso_type = type,
				      .gso_size = mss,
				      .csum_start = start,
				      .csum_offset = offset};

	memcpy(buf, &head, sizeof(head));
}

static void test_as_it_is(void **state)
{
	struct tun_cut cut;
	uint8_t *out;

	build(17, 101, 6);
	set_head(0, VIRTIO_NET_HDR_GSO_NONE, 0, 0, 0);
	assert_int_equal(tun_cut_begin(&cut, buf, TUN_HEADER_LEN + 101), 0);
	assert_int_equal(tun_cut_next(&cut, room, ROOM, &out), 101);
	assert_ptr_equal(out, pkt);
	assert_int_equal(tun_cut_next(&cut, room, ROOM, &out), 0);
}

static void test_checksum(void **state)
{
	static const struct {
		uint8_t protocol, offset;
	} kinds[] = {{6, 16}, {17, 6}, {58, 2}};
	struct tun_cut cut;
	uint8_t *out;

	for (size_t i = 0; i < array_size(kinds); i++)
		for (size_t len = V6 + 20; len < V6 + 60; len++) {
			build(kinds[i].protocol, len, kinds[i].offset);
			assert_int_not_equal(checksum(pkt, len), 0);
			set_head(VIRTIO_NET_HDR_F_NEEDS_CSUM,
				 VIRTIO_NET_HDR_GSO_NONE, 0, V6,
				 kinds[i].offset);
			assert_int_equal(
				tun_cut_begin(&cut, buf, TUN_HEADER_LEN + len),
				0);
			assert_int_equal(tun_cut_next(&cut, room, ROOM, &out),
					 len);
			assert_int_equal(checksum(out, len), 0);
		}
}

/* TCP of n octets of data, FIN, PSH and CWR set. */
static size_t build_tcp(size_t n, unsigned int options)
{
	size_t headers = V6 + 20 + options;

	build(6, headers + n, 16);
	put32(pkt + V6 + 4, 0xfffffff0);
	pkt[V6 + 12] = (5 + options / 4) << 4;
	pkt[V6 + 13] = 0x80 | 0x10 | 0x08 | 0x01;
	set_head(VIRTIO_NET_HDR_F_NEEDS_CSUM,
		 VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN, 1200, V6,
		 16);
	return headers + n;
}

static void test_cut(void **state)
{
	for (size_t n = 1; n < 12000; n += 313)
		for (unsigned int options = 0; options <= 40; options += 12) {
			size_t len = build_tcp(n, options), at = 0, got;
			size_t headers = len - n;
			struct tun_cut cut;
			uint8_t *out;

			assert_int_equal(
				tun_cut_begin(&cut, buf, TUN_HEADER_LEN + len),
				0);
			while ((got = tun_cut_next(&cut, room, ROOM, &out))) {
				size_t data = MIN(1200U, n - at);
				uint8_t flags = 0x10;

				assert_int_equal(got, headers + data);
				assert_int_equal(get16(out + 4), got - V6);
				assert_int_equal(get32(out + V6 + 4),
						 0xfffffff0 + (uint32_t)at);
				if (at == 0)
					flags |= 0x80;
				if (at + data == n)
					flags |= 0x08 | 0x01;
				assert_int_equal(out[V6 + 13], flags);
				assert_memory_equal(out + headers,
						    pkt + headers + at, data);
				assert_int_equal(checksum(out, got), 0);
				at += data;
			}
			assert_int_equal(at, n);
		}
}

/* Nothing is read or written beyond what is there, whatever the header says. */
static void test_refused(void **state)
{
	size_t len = build_tcp(3000, 0);
	struct tun_cut cut;
	uint8_t *out;

	for (size_t cut_at = 0; cut_at <= TUN_HEADER_LEN + V6 + 20; cut_at++) {
		build_tcp(3000, 0);
		assert_int_equal(tun_cut_begin(&cut, buf, cut_at), -EBADMSG);
	}
	build_tcp(3000, 0);
	pkt[V6 + 12] = 4 << 4;
	assert_int_equal(tun_cut_begin(&cut, buf, TUN_HEADER_LEN + len),
			 -EBADMSG);
	set_head(VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV6, 0, V6,
		 16);
	assert_int_equal(tun_cut_begin(&cut, buf, TUN_HEADER_LEN + len),
			 -EBADMSG);
	set_head(VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV6, 1200,
		 39, 16);
	assert_int_equal(tun_cut_begin(&cut, buf, TUN_HEADER_LEN + len),
			 -EBADMSG);
	set_head(VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, 1200,
		 V6, 16);
	assert_int_equal(tun_cut_begin(&cut, buf, TUN_HEADER_LEN + len),
			 -EBADMSG);
	for (unsigned int start = len - 3; start < 65536; start += 1000) {
		set_head(VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_NONE,
			 0, start, 6);
		assert_int_equal(tun_cut_begin(&cut, buf, TUN_HEADER_LEN + len),
				 -EBADMSG);
	}
	/* no room for a segment */
	build_tcp(3000, 0);
	assert_int_equal(tun_cut_begin(&cut, buf, TUN_HEADER_LEN + len), 0);
	assert_int_equal(tun_cut_next(&cut, room, 1259, &out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_it_is),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
