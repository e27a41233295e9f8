// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The probes of a Teredo relay with source S and service port P. Its peer is a
 * client at S too, at a port Q of relayd's:
 *
 *   T = 2001:0:S:0:~Q:~S   the peer, behind the tunnel
 *   D = 2001:0:S:0:~P:~S   who it talks to, on this host
 *
 *   4to6   relayd --UDP Q, lo--> [S > S:P [T > D]]; the engine takes the outer
 *          header off; TUN, IPv6 input; relayd's socket at D
 *   6to4   relayd --UDP at D--> [D > T]; IPv6 output, TUN; the engine puts
 *          [S:P > S:Q] on; lo; relayd's socket at Q
 *
 * The eBPF programs take the same packets off lo and off the TUN, by another
 * nonce, do what they do with anybody's, and tell of it instead of sending.
 *
 * No probe leaves the host: both outer ends are S; inside, D is this host, and
 * the socket there is bound to the TUN. Nobody can answer for the relay: a
 * probe has a nonce of this process. Both sockets are connected, so that
 * what others send there does not wake relayd.
 */
#include <zebra.h>

#include <linux/bpf.h>

#include "log.h"
#include "network.h"
#include "octets.h"
#include "relay_memory.h"
#include "selftest_teredo.h"
#include "teredo_packet.h"
#include "tunnel_kernel.h"

DEFINE_MTYPE_STATIC(RELAYD, SELFTEST_TEREDO, "Relay Teredo self-test");

#define OUTER_LEN 28 /* IPv4 and UDP */
#define IP6_LEN 40
#define UDP_LEN 8
/* enough for a relay, too little for any router behind it */
#define HOP_LIMIT 2
/* what is read at one go, so that nothing else waits for long */
#define READ_MAX 16

struct selftest_teredo {
	struct tunnel *tun;
	ifindex_t ifindex;
	struct in6_addr peer;  /* T */
	struct in6_addr local; /* D */
	/* the end that sends what goes that way; the other receives it */
	int fd[TUNNEL_WAYS];
	struct frr_event *t_read[TUNNEL_WAYS]; /* of fd[way] */
	struct selftest_tap tap;
	bool refused; /* nobody has the service port */
};

/* -------- packets -------- */

void selftest_teredo_address(struct in_addr source, uint16_t port,
			     struct in6_addr *addr)
{
	const struct teredo_address teredo = {
		.server = source, .mapped = source, .port = port};

	teredo_address_write(&teredo, addr);
}

void selftest_teredo_build_data(uint8_t data[SELFTEST_TEREDO_DATA_LEN],
				const struct selftest_probe *probe,
				const uint8_t nonce[8])
{
	memcpy(data, nonce, 8);
	put32(data + 8, probe->seq);
	put16(data + 12, probe->id);
	put16(data + 14, probe->way);
}

void selftest_teredo_build(uint8_t pkt[SELFTEST_TEREDO_LEN],
			   const struct in6_addr *src,
			   const struct in6_addr *dst,
			   const struct selftest_probe *probe,
			   const uint8_t nonce[8])
{
	uint8_t *udp = pkt + IP6_LEN;
	size_t udp_len = UDP_LEN + SELFTEST_TEREDO_DATA_LEN;
	uint16_t sum;

	memset(pkt, 0, IP6_LEN + UDP_LEN);
	pkt[0] = 0x60;
	put16(pkt + 4, udp_len);
	pkt[6] = IPPROTO_UDP;
	pkt[7] = HOP_LIMIT;
	memcpy(pkt + 8, src, sizeof(*src));
	memcpy(pkt + 24, dst, sizeof(*dst));
	put16(udp, SELFTEST_TEREDO_PORT);
	put16(udp + 2, SELFTEST_TEREDO_PORT);
	put16(udp + 4, udp_len);
	selftest_teredo_build_data(udp + UDP_LEN, probe, nonce);
	sum = sum_fold(
		sum16(sum16(udp_len + IPPROTO_UDP, pkt + 8, 32), udp, udp_len));
	/* RFC 8200 section 8.1: 0 is UDP's word for none */
	put16(udp + 6, sum ? sum : 0xffff);
}

bool selftest_teredo_parse_data(const uint8_t *data, size_t len,
				const uint8_t nonce[8],
				struct selftest_probe *probe)
{
	if (len != SELFTEST_TEREDO_DATA_LEN || memcmp(data, nonce, 8) != 0 ||
	    get16(data + 14) >= TUNNEL_WAYS)
		return false;
	probe->seq = get32(data + 8);
	probe->id = get16(data + 12);
	probe->way = get16(data + 14);
	probe->uplink = false;
	return true;
}

bool selftest_teredo_parse(const uint8_t *pkt, size_t len,
			   const uint8_t nonce[8], struct selftest_probe *probe)
{
	return len == SELFTEST_TEREDO_LEN && pkt[0] >> 4 == 6 &&
	       pkt[6] == IPPROTO_UDP &&
	       selftest_teredo_parse_data(pkt + IP6_LEN + UDP_LEN,
					  len - IP6_LEN - UDP_LEN, nonce,
					  probe);
}

bool selftest_teredo_parse_any(const uint8_t *pkt, size_t len,
			       const uint8_t nonce[8],
			       struct selftest_probe *probe)
{
	if (len > OUTER_LEN && pkt[0] == 0x45 && pkt[9] == IPPROTO_UDP) {
		pkt += OUTER_LEN;
		len -= OUTER_LEN;
	}
	return selftest_teredo_parse(pkt, len, nonce, probe);
}

/* -------- what comes out -------- */

/* By the socket of an end: what that end sends is of a way, what it receives
 * is of the other. */
static void socket_seen(struct selftest_teredo *st, enum tunnel_way sends,
			const uint8_t *data, size_t len)
{
	bool outer = sends == TUNNEL_WAY_4TO6;
	const uint8_t *nonce = tunnel_probe_nonce();
	struct selftest_probe probe;

	if (outer ? !selftest_teredo_parse(data, len, nonce, &probe)
		  : !selftest_teredo_parse_data(data, len, nonce, &probe))
		return;
	if (probe.id != st->tun->st_id || probe.way == sends)
		return;
	selftest_seen(st->tun, probe.way, TUNNEL_PATH_STACK, probe.seq);
}

static void socket_drain(struct selftest_teredo *st, enum tunnel_way sends)
{
	/* longer ones are none, and don't fit */
	uint8_t data[SELFTEST_TEREDO_LEN + 1];

	for (int i = 0; i < READ_MAX; i++) {
		ssize_t len =
			recv(st->fd[sends], data, sizeof(data), MSG_DONTWAIT);

		if (len >= 0)
			socket_seen(st, sends, data, len);
		else if (errno == ECONNREFUSED)
			st->refused |= sends == TUNNEL_WAY_4TO6;
		else if (ERRNO_IO_RETRY(errno))
			return;
	}
}

static void outer_readable(struct frr_event *ev);
static void inner_readable(struct frr_event *ev);

static void socket_await(struct selftest_teredo *st, enum tunnel_way sends)
{
	event_add_read(tunnel_loop,
		       sends == TUNNEL_WAY_4TO6 ? outer_readable
						: inner_readable,
		       st, st->fd[sends], &st->t_read[sends]);
}

static void outer_readable(struct frr_event *ev)
{
	struct selftest_teredo *st = EVENT_ARG(ev);

	socket_await(st, TUNNEL_WAY_4TO6);
	socket_drain(st, TUNNEL_WAY_4TO6);
}

static void inner_readable(struct frr_event *ev)
{
	struct selftest_teredo *st = EVENT_ARG(ev);

	socket_await(st, TUNNEL_WAY_6TO4);
	socket_drain(st, TUNNEL_WAY_6TO4);
}

void selftest_teredo_poll(struct tunnel *tun)
{
	if (!tun->st_teredo)
		return;
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		socket_drain(tun->st_teredo, way);
}

/* Why a probe did not get out of the eBPF programs. */
static const char *bpf_cause(enum tunnel_way way,
			     const struct relay_bpf_probe *seen)
{
	bool v4 = way == TUNNEL_WAY_6TO4;

	if (seen->reason != RELAY_BPF_PASS)
		return "the eBPF programs drop probes";
	if (seen->fib < 0)
		return "the eBPF programs do not know the self-test's peer";
	if (seen->fib == BPF_FIB_LKUP_RET_FWD_DISABLED)
		return v4 ? "net.ipv4.conf.*.forwarding of its interface is 0"
			  : "net.ipv6.conf.lo.forwarding is 0";
	return v4 ? "what goes to the tunnel source does not stay on this host"
		  : "what comes out for this host does not stay here";
}

void selftest_teredo_bpf_seen(struct tunnel *tun,
			      const struct relay_bpf_probe *seen)
{
	size_t len = MIN(seen->len, sizeof(seen->packet));
	struct selftest_probe probe;

	if (!selftest_teredo_parse_any(seen->packet, len, tunnel_fast_nonce(),
				       &probe) ||
	    probe.id != tun->st_id)
		return;
	/* both ends are this host */
	if (seen->reason != RELAY_BPF_PASS ||
	    seen->fib != BPF_FIB_LKUP_RET_NOT_FWDED) {
		tun->st[probe.way].cause = bpf_cause(probe.way, seen);
		return;
	}
	selftest_seen(tun, probe.way, TUNNEL_PATH_FAST, probe.seq);
}

/* -------- its own peer -------- */

static int bind_any(int fd, struct sockaddr_in *addr)
{
	if (bind(fd, (struct sockaddr *)addr, sizeof(*addr)) == 0)
		return 0;
	addr->sin_port = 0;
	return bind(fd, (struct sockaddr *)addr, sizeof(*addr));
}

static int outer_socket(const struct tunnel_params *p, uint16_t *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr = p->source,
				 .sin_port = htons(p->udp_port)};
	struct sockaddr_in from = to;
	socklen_t len = sizeof(from);
	int one = 1, ret = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* One and the same where it is free: the peer of a relayd that was
	 * killed, whose routes stand, is this one's too. */
	from.sin_port = htons(p->udp_port ^ 0x8000);
	if (fd < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) < 0 ||
	    bind_any(fd, &from) < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&from, &len) < 0)
		ret = -errno;
	*port = ntohs(from.sin_port);
	if (ret < 0 && fd >= 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

static int inner_socket(const struct selftest_teredo *st)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_addr = st->peer,
				  .sin6_port = htons(SELFTEST_TEREDO_PORT)};
	struct sockaddr_in6 from = {.sin6_family = AF_INET6,
				    .sin6_addr = st->local,
				    .sin6_port = htons(SELFTEST_TEREDO_PORT)};
	int one = 1, hops = HOP_LIMIT, ifindex = st->ifindex, ret = 0, fd = -1;

	frr_with_privs (tunnel_privs) {
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    0);
		if (fd < 0 ||
		    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one,
			       sizeof(one)) < 0 ||
		    setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &ifindex,
			       sizeof(ifindex)) < 0 ||
		    setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops,
			       sizeof(hops)) < 0 ||
		    bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
		    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
			ret = -errno;
	}
	if (ret < 0 && fd >= 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

/* Of those that are missing, how many were put back is added to *added. */
static int have_routes(const struct selftest_teredo *st, unsigned int *added)
{
	int ret;

	if (!kern_own_route_present(&st->local)) {
		ret = kern_own_route(true, &st->local, st->ifindex);
		if (ret < 0)
			return ret;
		++*added;
	}
	if (!kern_local_route_present(&st->peer, st->ifindex)) {
		ret = kern_local_route_add(&st->peer, st->ifindex);
		if (ret < 0)
			return ret;
		++*added;
	}
	return 0;
}

int selftest_teredo_open(struct selftest_teredo **stp, struct tunnel *tun,
			 ifindex_t ifindex)
{
	struct selftest_teredo *st =
		XCALLOC(MTYPE_SELFTEST_TEREDO, sizeof(*st));
	unsigned int added = 0;
	uint16_t port;
	int ret;

	*stp = st;
	st->tun = tun;
	st->ifindex = ifindex;
	st->tap.fd = -1;
	st->fd[TUNNEL_WAY_6TO4] = -1;
	tun->st_teredo = st;
	ret = st->fd[TUNNEL_WAY_4TO6] = outer_socket(&tun->params, &port);
	if (ret < 0)
		goto failed;
	selftest_teredo_address(tun->params.source, port, &st->peer);
	selftest_teredo_address(tun->params.source, tun->params.udp_port,
				&st->local);
	ret = have_routes(st, &added);
	if (ret < 0)
		goto failed;
	ret = st->fd[TUNNEL_WAY_6TO4] = inner_socket(st);
	if (ret < 0)
		goto failed;
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++)
		socket_await(st, way);
	return 0;
failed:
	selftest_teredo_close(stp);
	return ret;
}

void selftest_teredo_leave(struct selftest_teredo **stp)
{
	struct selftest_teredo *st = *stp;

	if (!st)
		return;
	st->tun->st_teredo = NULL;
	for (enum tunnel_way way = 0; way < TUNNEL_WAYS; way++) {
		EVENT_OFF(st->t_read[way]);
		if (st->fd[way] >= 0)
			close(st->fd[way]);
	}
	selftest_tap_close(&st->tap);
	XFREE(MTYPE_SELFTEST_TEREDO, *stp);
}

void selftest_teredo_close(struct selftest_teredo **stp)
{
	struct selftest_teredo *st = *stp;

	if (!st)
		return;
	/* they may be gone with the interface */
	kern_own_route(false, &st->local, st->ifindex);
	kern_local_route_del(&st->peer, st->ifindex);
	selftest_teredo_leave(stp);
}

void selftest_teredo_peer(const struct selftest_teredo *st,
			  struct relay_bpf_peer_key *own)
{
	memcpy(own->octets, st->peer.s6_addr + 4, sizeof(own->octets));
}

/* -------- sending -------- */

/* A fault that an earlier probe has met is told with the next. */
static int probe_send(struct selftest_teredo *st, enum tunnel_way way,
		      const void *data, size_t len)
{
	for (int tries = 0; tries < 2; tries++) {
		if (send(st->fd[way], data, len, MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != ECONNREFUSED)
			break;
		st->refused |= way == TUNNEL_WAY_4TO6;
	}
	return -errno;
}

static const char *send_cause(enum tunnel_way way, int err)
{
	bool v4 = way == TUNNEL_WAY_4TO6;

	switch (-err) {
	case EPERM:
		return v4 ? "a filter of IPv4 output drops UDP on lo"
			  : "a filter of IPv6 output drops UDP into the tunnel";
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EACCES:
	case EINVAL:
		return v4 ? "no IPv4 route to the tunnel source"
			  : "IPv6 does not route probes into the tunnel";
	}
	return "";
}

/* Routes are asked for only after a loss: it is the dearest part of a probe. */
static int put_right(struct selftest_teredo *st, enum tunnel_way way)
{
	unsigned int added = 0, lost = 0;
	int ret;

	for (enum tunnel_way each = 0; each < TUNNEL_WAYS; each++)
		lost += st->tun->st[each].lost;
	if (!lost)
		selftest_tap_close(&st->tap);
	if (!st->tun->st[way].lost)
		return 0;
	ret = have_routes(st, &added);
	if (added)
		zlog_warn(
			"relay %s: %u self-test routes were missing, put back",
			st->tun->params.owner, added);
	return ret;
}

int selftest_teredo_send(struct selftest_teredo *st, enum tunnel_way way,
			 enum tunnel_path path, uint32_t seq)
{
	struct tunnel_self_test *result = &st->tun->st[way];
	const struct selftest_probe probe = {
		.way = way, .id = st->tun->st_id, .seq = seq};
	const uint8_t *nonce = path == TUNNEL_PATH_FAST ? tunnel_fast_nonce()
							: tunnel_probe_nonce();
	uint8_t data[SELFTEST_TEREDO_LEN];
	int ret = put_right(st, way);

	result->cause = NULL;
	if (ret < 0)
		return ret;
	if (way == TUNNEL_WAY_4TO6) {
		st->refused = false;
		selftest_teredo_build(data, &st->peer, &st->local, &probe,
				      nonce);
		ret = probe_send(st, way, data, SELFTEST_TEREDO_LEN);
	} else {
		selftest_teredo_build_data(data, &probe, nonce);
		ret = probe_send(st, way, data, SELFTEST_TEREDO_DATA_LEN);
	}
	if (ret < 0)
		strlcpy(result->why, send_cause(way, ret), sizeof(result->why));
	return ret;
}

/* -------- where they get lost -------- */

static const char *lost_fast(const struct tunnel_self_test *result,
			     enum tunnel_way way)
{
	if (result->cause)
		return result->cause;
	return way == TUNNEL_WAY_4TO6
		       ? "the eBPF programs see no probes (tc ingress of lo)"
		       : "the eBPF programs see no probes (tc egress of its interface)";
}

static const char *lost_stack(const struct selftest_teredo *st,
			      enum tunnel_way way)
{
	bool crossed = st->tap.seen[way] > 0;

	if (way == TUNNEL_WAY_4TO6 && st->refused)
		return "its UDP port is closed";
	if (way == TUNNEL_WAY_4TO6)
		return crossed ? "an IPv6 filter drops what comes out of the tunnel for this host (input)"
			       : "probes do not come out of the engine (an IPv4 filter of UDP on lo?)";
	return crossed ? "the engine does not send probes (an IPv4 filter of UDP on lo?)"
		       : "IPv6 does not route probes into the tunnel (policy or filter)";
}

void selftest_teredo_lost(struct tunnel *tun, enum tunnel_way way,
			  unsigned int losses)
{
	struct tunnel_self_test *result = &tun->st[way];
	struct selftest_teredo *st = tun->st_teredo;

	if (!st)
		return;
	if (!(result->waiting & 1U << TUNNEL_PATH_STACK)) {
		strlcpy(result->detail, lost_fast(result, way),
			sizeof(result->detail));
		return;
	}
	if (losses == 1) {
		/* from the next probe on */
		if (st->tap.fd < 0)
			selftest_tap_open(&st->tap, st->ifindex);
		selftest_tap_read(&st->tap, tun->st_id);
		st->tap.seen[way] = 0;
		return;
	}
	selftest_tap_read(&st->tap, tun->st_id);
	if (st->tap.fd >= 0)
		strlcpy(result->detail, lost_stack(st, way),
			sizeof(result->detail));
}
