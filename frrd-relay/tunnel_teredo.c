// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Teredo (RFC 4380): a TUN with the engine behind it, and the eBPF programs in
 * front of both.
 *
 * The engine is complete without the programs: what they don't take comes by
 * the UDP socket, or through the TUN. It keeps its peers as long as the tunnel
 * is there, whatever becomes of its descriptors: a TUN that someone has
 * deleted, or another port, is put under it anew.
 */
#include <zebra.h>

#include <bpf/bpf.h>

#include "log.h"
#include "relay_memory.h"
#include "selftest_teredo.h"
#include "teredo_engine.h"
#include "tunnel_bpf.h"
#include "tunnel_counters.h"
#include "tunnel_device.h"
#include "tunnel_fast.h"
#include "tunnel_tun.h"

DEFINE_MTYPE_STATIC(RELAYD, TUNNEL_TEREDO, "Relay Teredo tunnel");

/* What may wait for the engine; more is dropped by the kernel, which reckons
 * with twice as much, and with up to a page a packet: a tenth of a second of
 * 60,000 a second, for which others may have its processor. */
#define UDP_RCVBUF (16 * 1024 * 1024)

struct teredo {
	ifindex_t ifindex;  /* 0 while there is no device */
	ifindex_t attached; /* the one whose descriptor the engine has */
	struct teredo_engine *engine;
	struct tunnel_fast fast;
	uint32_t told_peers; /* id of the map that the engine has; 0: none */
	/* what the socket is bound to; port 0: there is none */
	struct in_addr source;
	uint16_t port;
	uint8_t ttl;
	uint32_t filter_generation; /* of what the engine filters */
	bool was_down;
	/* the self-test's peer is at that of this interface and socket */
	struct selftest_teredo *probes;
	ifindex_t probes_ifindex;
	struct tunnel_counters told;
};

static struct teredo *teredo_priv(struct tunnel *tun)
{
	if (!tun->priv)
		tun->priv = XCALLOC(MTYPE_TUNNEL_TEREDO, sizeof(struct teredo));
	return tun->priv;
}

static int busy(struct tunnel *tun, int ret)
{
	return ret < 0 ? tunnel_fail(tun, ret, "the Teredo engine") : 0;
}

/* -------- the engine's configuration -------- */

/* The source of bubbles, RFC 4380 section 5.4.1: "a local IPv6 address". */
static struct in6_addr local_address(const struct tunnel *tun)
{
	struct in6_addr addr = {};

	for (size_t i = 0; i < tun->params.naddrs; i++)
		if (!IN6_IS_ADDR_LINKLOCAL(&tun->params.addrs[i].prefix))
			return tun->params.addrs[i].prefix;
	/* the kernel gives a TUN one by chance, later: this one will do, for
	 * nobody sends there */
	addr.s6_addr[0] = 0xfe;
	addr.s6_addr[1] = 0x80;
	memcpy(addr.s6_addr + 12, &tun->params.source, 4);
	return addr;
}

static int configure_engine(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);
	struct relay_bpf_relay relay;
	struct teredo_relay_config cfg = {
		.check = {.relay = &relay},
		.local = local_address(tun),
		.source = tun->params.source,
		.port = tun->params.udp_port,
		.peers_max = tun->params.peers_max,
		.limits = TEREDO_LIMITS_DEFAULT,
	};
	int ret = 0;

	t->filter_generation = tunnel_filter_generation();
	tunnel_filter_relay(&tun->params, t->ifindex, true, &relay);
	cfg.check.rules = tunnel_filter_rules(&tun->params, &cfg.check.nrules);
	if (t->engine)
		return busy(tun, teredo_engine_configure(t->engine, &cfg));
	t->engine = teredo_engine_start(tun->params.owner, &cfg, &ret);
	return t->engine ? 0
			 : tunnel_fail(tun, ret,
				       "a thread for the Teredo engine");
}

/* -------- the device -------- */

static void probes_close(struct teredo *t)
{
	if (!t->probes)
		return;
	if (t->engine)
		teredo_engine_own_peer(t->engine, NULL);
	selftest_teredo_close(&t->probes);
	t->probes_ifindex = 0;
}

static int delete_device(struct tunnel *tun, const struct kern_link *link)
{
	struct teredo *t = teredo_priv(tun);
	char ifname[IFNAMSIZ];
	int ret;

	tunnel_fast_off(tun, &t->fast);
	probes_close(t);
	if (t->engine)
		teredo_engine_set_tun(t->engine, -1);
	t->attached = 0;
	strlcpy(ifname, link->pub.name, sizeof(ifname));
	ret = kern_link_del(link->pub.ifindex);
	if (ret < 0 && ret != -ENODEV)
		return tunnel_fail(tun, ret, "removing interface %s", ifname);
	device_journal_gone(ifname);
	t->ifindex = 0;
	tunnel_monitor_poll();
	return 0;
}

/* The TUN of that name, made or taken over, under the engine. */
static int attach_device(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);
	const char *ifname = tun->params.ifname;
	const struct kern_link *link;
	int fd = tun_open_offload(ifname);

	if (fd < 0)
		return tunnel_fail(tun, fd, "TUN %s", ifname);
	tunnel_monitor_poll();
	link = kern_link_by_name(ifname);
	if (!link) {
		close(fd);
		return tunnel_fail(tun, -ENODEV, "interface %s vanished",
				   ifname);
	}
	t->attached = link->pub.ifindex;
	return busy(tun, teredo_engine_set_tun(t->engine, fd));
}

/* A TUN of ours; 0, 1 when it was made, or -errno. */
static int have_device(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);
	const char *ifname = tun->params.ifname;
	const struct kern_link *link;
	bool made = false;
	int ret;

	/* it may be gone by now */
	tunnel_monitor_poll();
	ret = device_drop_renamed(tun, delete_device);
	if (ret < 0)
		return ret;
	link = kern_link_by_name(ifname);
	if (link && !device_is_ours(tun, link)) {
		snprintf(tun->status.detail, sizeof(tun->status.detail),
			 "interface %s exists and is not relayd's", ifname);
		return -EEXIST;
	}
	if (!link) {
		ret = device_journal(tun, DEVICE_CREATING);
		if (ret < 0)
			return ret;
		made = true;
	}
	if (!link || t->attached != link->pub.ifindex ||
	    teredo_engine_tun_error(t->engine) < 0)
		ret = attach_device(tun);
	if (ret < 0) {
		if (made)
			tunnel_journal_del(JOURNAL_INTERFACE, ifname);
		return ret;
	}
	if (made)
		zlog_info("relay %s: interface %s created", tun->params.owner,
			  ifname);
	link = kern_link_by_name(ifname);
	ret = device_settle(tun, link);
	return ret < 0 ? ret : made;
}

/* -------- the socket -------- */

static int udp_open(const struct tunnel_params *p)
{
	int one = 1, never = IP_PMTUDISC_DONT, size = UDP_RCVBUF, ttl = p->ttl;
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr = p->source,
		.sin_port = htons(p->udp_port),
	};
	int fd, ret = 0;

	frr_with_privs (tunnel_privs) {
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    0);
		/* RFC 4380 section 5.1.2: DF is not set. The address may come
		 * and go while the socket stays. */
		if (fd < 0 ||
		    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one,
			       sizeof(one)) ||
		    setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)) ||
		    setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) ||
		    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never,
			       sizeof(never)) ||
		    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
			ret = -errno;
		if (fd >= 0)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
				   sizeof(size));
	}
	if (ret < 0 && fd >= 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

static int have_socket(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);
	const struct tunnel_params *p = &tun->params;
	int fd;

	if (t->port == p->udp_port && t->source.s_addr == p->source.s_addr &&
	    t->ttl == p->ttl && teredo_engine_udp_error(t->engine) == 0)
		return 0;
	/* the same port once more */
	t->port = 0;
	probes_close(t);
	fd = teredo_engine_set_udp(t->engine, -1);
	if (fd < 0)
		return busy(tun, fd);
	fd = udp_open(p);
	if (fd < 0) {
		tun->status.socket = TUNNEL_CHECK_FAILED;
		return tunnel_fail(tun, fd, "UDP port %u of %pI4", p->udp_port,
				   &p->source);
	}
	t->port = p->udp_port;
	t->source = p->source;
	t->ttl = p->ttl;
	return busy(tun, teredo_engine_set_udp(t->engine, fd));
}

/* -------- bringing about -------- */

static int have_probes(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);
	struct relay_bpf_peer_key own;
	int ret;

	if (!tun->params.self_test) {
		probes_close(t);
		return 0;
	}
	if (t->probes && t->probes_ifindex == t->ifindex)
		return 0;
	probes_close(t);
	ret = selftest_teredo_open(&t->probes, tun, t->ifindex);
	if (ret < 0)
		return tunnel_fail(tun, ret, "self-test of %s",
				   tun->params.ifname);
	t->probes_ifindex = t->ifindex;
	selftest_teredo_peer(t->probes, &own);
	return busy(tun, teredo_engine_own_peer(t->engine, &own));
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 ? info.id
								       : 0;
}

/* Tells the engine of the programs' map of peers, when it is another one. */
static int tell_fast(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);
	int fd = t->fast.on ? tunnel_bpf_peers_fd(tun) : -1, ret;
	uint32_t id = map_id(fd);

	if (id == t->told_peers)
		return 0;
	ret = teredo_engine_set_fast(t->engine, id ? fd : -1,
				     tunnel_bpf_decisions_over);
	if (ret == 0)
		t->told_peers = id;
	return busy(tun, ret);
}

static int have_fast(struct tunnel *tun, bool wanted)
{
	struct teredo *t = teredo_priv(tun);
	int ret = 0;

	if (wanted)
		ret = tunnel_fast_apply(tun, &t->fast, t->ifindex, true);
	else
		tunnel_fast_off(tun, &t->fast);
	return ret < 0 ? ret : tell_fast(tun);
}

/* bring_up: false leaves a device that someone set down as it is. */
static int teredo_apply(struct tunnel *tun, bool bring_up)
{
	struct teredo *t = teredo_priv(tun);
	const struct kern_link *link;
	ifindex_t ifindex;
	int ret, fast;

	fast = tunnel_fast_wanted(tun, &t->fast);
	if (fast < 0)
		return fast;
	ret = configure_engine(tun);
	if (ret < 0)
		return ret;
	ret = have_device(tun);
	if (ret < 0)
		return ret;
	bring_up = bring_up || ret == 1;
	link = kern_link_by_name(tun->params.ifname);
	if (!link)
		return tunnel_fail(tun, -ENODEV, "interface %s",
				   tun->params.ifname);
	ifindex = link->pub.ifindex;
	if (t->ifindex && t->ifindex != ifindex)
		tunnel_fast_off(tun, &t->fast);
	if (!t->ifindex)
		tun->adopted = ret == 0;
	t->ifindex = ifindex;
	ret = device_own_forwarding(tun, ifindex);
	if (ret < 0)
		return ret;
	if (bring_up && !link->pub.up) {
		ret = kern_link_set_up(ifindex, true);
		if (ret < 0)
			return tunnel_fail(tun, ret, "interface %s up",
					   tun->params.ifname);
	}
	tunnel_monitor_poll();
	link = kern_link_by_name(tun->params.ifname);
	if (!link || !link->pub.up)
		return 0; /* the check has a word for it */

	device_drop_addresses(tun, ifindex, NULL);
	ret = device_have_addresses(tun, ifindex);
	if (ret == 0)
		ret = have_socket(tun);
	if (ret == 0)
		ret = have_fast(tun, fast);
	if (ret == 0)
		ret = have_probes(tun);
	tunnel_monitor_poll();
	return ret;
}

static int teredo_create(struct tunnel *tun)
{
	return teredo_apply(tun, true);
}

static int teredo_repair(struct tunnel *tun)
{
	return teredo_apply(tun, false);
}

/* -------- what is wrong -------- */

static void check_interface(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);
	const struct kern_link *link = device_check_link(tun, t->ifindex);

	if (!link)
		return;
	if (t->attached != link->pub.ifindex || link->mtu != tun->params.mtu)
		device_repair_now(tun);
	if (!device_check_up(tun, link)) {
		t->was_down = true;
		return;
	}
	if (t->was_down)
		device_repair_now(tun);
	if (device_check_addresses(tun, link, t->was_down))
		t->was_down = false;
}

static void check_engine(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);
	struct tunnel_status *st = &tun->status;
	int ret;

	st->engine = st->socket = TUNNEL_CHECK_OK;
	if (!teredo_engine_answers(t->engine)) {
		device_failed(tun, &st->engine, TUNNEL_REPAIR_NONE,
			      "the Teredo engine does not answer");
		st->datapath_error = true;
		return;
	}
	ret = teredo_engine_udp_error(t->engine);
	if (!t->port || ret < 0) {
		device_failed(tun, &st->socket, TUNNEL_REPAIR_LATER,
			      "UDP port %u of %pI4: %s", tun->params.udp_port,
			      &tun->params.source,
			      ret < 0 ? safe_strerror(-ret) : "no socket");
		st->datapath_error = true;
	}
	ret = teredo_engine_tun_error(t->engine);
	if (ret < 0)
		device_failed(tun, &st->interface, TUNNEL_REPAIR_LATER,
			      "interface %s can't be read: %s",
			      tun->params.ifname, safe_strerror(-ret));
	if (t->filter_generation != tunnel_filter_generation())
		configure_engine(tun);
}

static void check_peers(struct tunnel *tun)
{
	struct tunnel_status *st = &tun->status;
	struct teredo_relay_stats stats;

	if (teredo_engine_stats(teredo_priv(tun)->engine, &stats) < 0)
		return;
	st->peers = stats.peers;
	st->peers_trusted = stats.peers_trusted;
	st->peers_max = stats.peers_max;
	st->overload = NULL;
	switch (stats.overload) {
	case TEREDO_OVERLOAD_NONE:
		break;
	case TEREDO_OVERLOAD_TABLE_FULL:
		st->overload = TUNNEL_OVERLOAD_TABLE;
		break;
	case TEREDO_OVERLOAD_NEW_PEER_LIMIT:
		st->overload = TUNNEL_OVERLOAD_RATE;
		break;
	}
}

static int teredo_check(struct tunnel *tun)
{
	struct tunnel_status *st = &tun->status;

	st->detail[0] = st->note[0] = '\0';
	st->both_ways = true;
	check_interface(tun);
	device_check_source(tun);
	device_check_forwarding(tun);
	check_engine(tun);
	check_peers(tun);
	tunnel_note(tun, tunnel_transit_problem());
	tunnel_fast_check(tun, &teredo_priv(tun)->fast, "userspace");
	if (!teredo_priv(tun)->fast.on)
		tell_fast(tun);
	return 0;
}

/* -------- the rest of the operations -------- */

static void end_engine(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);

	probes_close(t);
	teredo_engine_stop(&t->engine);
	t->told_peers = 0;
	t->port = 0;
	t->attached = 0;
}

static int teredo_remove(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);
	int ret;

	tunnel_fast_off(tun, &t->fast);
	ret = device_remove(tun, delete_device);
	end_engine(tun);
	XFREE(MTYPE_TUNNEL_TEREDO, tun->priv);
	return ret;
}

static void teredo_leave(struct tunnel *tun)
{
	struct teredo *t = teredo_priv(tun);

	/* without a word to the kernel */
	if (t->probes)
		selftest_teredo_leave(&t->probes);
	end_engine(tun);
	XFREE(MTYPE_TUNNEL_TEREDO, tun->priv);
}

static int teredo_self_test(struct tunnel *tun, enum tunnel_way way,
			    uint32_t seq)
{
	struct teredo *t = teredo_priv(tun);
	int ret;

	if (!t->probes)
		return -ENOTCONN;
	tun->st[way].waiting = (1U << TUNNEL_PATH_STACK) |
			       (t->fast.on ? 1U << TUNNEL_PATH_FAST : 0);
	ret = selftest_teredo_send(t->probes, way, TUNNEL_PATH_STACK, seq);
	if (ret == 0 && t->fast.on)
		ret = selftest_teredo_send(t->probes, way, TUNNEL_PATH_FAST,
					   seq);
	return ret;
}

static int teredo_counters(struct tunnel *tun, struct tunnel_counters *out)
{
	struct teredo *t = teredo_priv(tun);
	struct teredo_relay_stats stats;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	if (t->engine)
		ret = teredo_engine_stats(t->engine, &stats);
	if (t->engine && ret == 0) {
		tunnel_counters_bpf(out, &stats.counters, true);
		for (enum teredo_drop drop = 0; drop < TEREDO_DROP_END; drop++)
			tunnel_counters_drop(out, teredo_drop_str(drop),
					     stats.drops[drop]);
		tunnel_counters_drop(out, "unreachable",
				     teredo_engine_unsent(t->engine));
	}
	tunnel_fast_counters(tun, &t->fast, out);
	tunnel_counters_keep(&t->told, out);
	return ret;
}

const struct tunnel_ops tunnel_teredo_ops = {
	.name = "teredo",
	.kinds = {"tun"},
	.create = teredo_create,
	.check = teredo_check,
	.repair = teredo_repair,
	.remove = teredo_remove,
	.leave = teredo_leave,
	.self_test = teredo_self_test,
	.self_test_lost = selftest_teredo_lost,
	.counters = teredo_counters,
};

/* -------- peers -------- */

static struct teredo_engine *engine_of(struct tunnel *tun)
{
	const struct teredo *t = tun->priv;

	return tun->ops == &tunnel_teredo_ops && t ? t->engine : NULL;
}

int tunnel_peers_next(struct tunnel *tun, uint32_t *cursor,
		      struct teredo_peer_info *out, size_t n)
{
	struct teredo_engine *engine = engine_of(tun);

	return engine ? teredo_engine_peers(engine, cursor, out, n) : 0;
}

int tunnel_peers_find(struct tunnel *tun, const struct in6_addr *addr,
		      struct teredo_peer_info *out)
{
	struct teredo_engine *engine = engine_of(tun);

	return engine ? teredo_engine_find(engine, addr, out) : -ENOENT;
}

int tunnel_peers_clear(struct tunnel *tun)
{
	struct teredo_engine *engine = engine_of(tun);

	return engine ? teredo_engine_clear(engine) : 0;
}

int tunnel_peers_stats(struct tunnel *tun, struct teredo_relay_stats *out)
{
	struct teredo_engine *engine = engine_of(tun);

	return engine ? teredo_engine_stats(engine, out) : -ENOENT;
}
