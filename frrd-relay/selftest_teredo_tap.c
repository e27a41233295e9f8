// SPDX-License-Identifier: GPL-2.0-or-later
/* Which side of a Teredo relay's interface do probes get lost on? A packet
 * socket tells, which the kernel hands nothing but probes. */
#include <zebra.h>

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <netpacket/packet.h>

#include "selftest_teredo.h"
#include "octets.h"
#include "tunnel_kernel.h"

/* of the data, behind the IPv6 and the UDP header */
#define NONCE_AT 48
/* no more than there have been since the last look */
#define READ_MAX 64

/* Before it is bound: nothing else gets in. */
static int filter_probes(int fd)
{
	const uint8_t *nonce = tunnel_probe_nonce();
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NONCE_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, get32(nonce), 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NONCE_AT + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, get32(nonce + 4), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SELFTEST_TEREDO_LEN),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog prog = {array_size(code), code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			  sizeof(prog));
}

int selftest_tap_open(struct selftest_tap *tap, ifindex_t ifindex)
{
	/* all protocols: what is sent is shown to no others */
	const struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};
	int fd = -1, ret = 0;

	frr_with_privs (tunnel_privs) {
		fd = socket(AF_PACKET,
			    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0 || filter_probes(fd) < 0 ||
		    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
			ret = -errno;
	}
	if (ret < 0 && fd >= 0)
		close(fd);
	tap->fd = ret < 0 ? -1 : fd;
	return ret;
}

void selftest_tap_close(struct selftest_tap *tap)
{
	if (tap->fd >= 0)
		close(tap->fd);
	tap->fd = -1;
}

void selftest_tap_read(struct selftest_tap *tap, uint16_t id)
{
	uint8_t pkt[SELFTEST_TEREDO_LEN];
	struct selftest_probe probe;
	struct sockaddr_ll from;
	bool outgoing;

	for (int i = 0; tap->fd >= 0 && i < READ_MAX; i++) {
		socklen_t size = sizeof(from);
		ssize_t len = recvfrom(tap->fd, pkt, sizeof(pkt), MSG_DONTWAIT,
				       (struct sockaddr *)&from, &size);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return;
		if (!selftest_teredo_parse(pkt, len, tunnel_probe_nonce(),
					   &probe) ||
		    probe.id != id)
			continue;
		outgoing = from.sll_pkttype == PACKET_OUTGOING;
		if (outgoing == (probe.way == TUNNEL_WAY_6TO4))
			tap->seen[probe.way]++;
	}
}
