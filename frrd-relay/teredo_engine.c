// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "lib/debug.h"
#include "datagrams.h"
#include "frr_pthread.h"
#include "frrcu.h"
#include "log.h"
#include "relay_debug.h"
#include "relay_memory.h"
#include "relay_time.h"
#include "teredo_engine.h"
#include "teredo_fast.h"
#include "tun_offload.h"

DEFINE_MTYPE_STATIC(RELAYD, TEREDO_ENGINE, "Relay Teredo engine");
DEFINE_MTYPE_STATIC(RELAYD, TEREDO_RULES, "Relay Teredo filter");
DEFINE_MTYPE_STATIC(RELAYD, TEREDO_BUFFERS, "Relay Teredo packet buffers");

/* packets of one side that are worked on before anything else has its turn */
#define BATCH_MAX 64
#define PACKET_MAX 65536
/* how often the programs hear of the self-test's peer */
#define OWN_PEER_MS 1000

#define BEAT_MS 500
#define SILENCE_MS 3000
#define LOCK_WAIT_MS 100

struct teredo_engine {
	struct frr_pthread *thread;
	/*
	 * The main thread takes the gate and then the lock. The engine passes
	 * by the gate before it takes the lock: it would be back there before
	 * anyone who waits for it has woken up.
	 */
	pthread_mutex_t gate, lock;
	struct teredo_relay_ops ops; /* log: while someone listens */
	struct teredo_relay *relay;
	/* what its checks go by */
	struct relay_bpf_relay checked;
	struct filter_rule *rules;
	int epoll_fd, wake_fd;
	int tun_fd, udp_fd;
	struct datagrams in, out;
	/* from the TUN, with its header; a part of it */
	uint8_t *packet, *segment;
	struct teredo_fast fast;
	/* a new map is told of all peers: how far that is */
	bool resync;
	uint32_t resync_cursor;
	bool has_own;
	struct relay_bpf_peer_key own;
	int64_t own_told_ms;
	_Atomic uint64_t unsent; /* datagrams that the kernel would not take */
	atomic_bool stop;
	_Atomic int64_t beat_ms;
	atomic_int tun_error, udp_error;
};

/* -------- what teredo_relay.c asks for -------- */

static void peer_put(void *arg, const struct relay_bpf_peer_key *key,
		     int64_t rx_ms, int64_t tx_ms)
{
	struct teredo_engine *e = arg;

	teredo_fast_put(&e->fast, key, rx_ms, tx_ms);
}

static void peer_del(void *arg, const struct relay_bpf_peer_key *key)
{
	struct teredo_engine *e = arg;

	teredo_fast_del(&e->fast, key);
}

static bool peer_activity(void *arg, const struct relay_bpf_peer_key *key,
			  int64_t *rx_ms, int64_t *tx_ms)
{
	struct teredo_engine *e = arg;

	return teredo_fast_activity(&e->fast, key, rx_ms, tx_ms);
}

static void udp_flush(struct teredo_engine *e)
{
	size_t refused = datagrams_send(&e->out, e->udp_fd);

	if (refused)
		atomic_fetch_add(&e->unsent, refused);
}

static void send_udp(void *arg, struct in_addr dst, uint16_t port, uint8_t tos,
		     const void *pkt, size_t len)
{
	struct teredo_engine *e = arg;

	if (e->out.n == DATAGRAMS_MAX)
		udp_flush(e);
	datagrams_add(&e->out, dst, port, tos, pkt, len);
}

static void send_ipv6(void *arg, const void *pkt, size_t len)
{
	static const struct virtio_net_hdr nothing_left;
	struct teredo_engine *e = arg;
	const struct iovec parts[] = {
		{(void *)&nothing_left, TUN_HEADER_LEN},
		{(void *)pkt, len},
	};

	/* a TUN that is down or gone: the check has a word for it */
	if (e->tun_fd >= 0 && writev(e->tun_fd, parts, array_size(parts)) < 0)
		return;
}

static void log_line(void *arg, const char *line)
{
	DEBUGD(&relay_dbg_teredo, "%s", line);
}

static const struct teredo_relay_ops relay_ops = {
	.send_udp = send_udp,
	.send_ipv6 = send_ipv6,
	.peer_activity = peer_activity,
	.peer_put = peer_put,
	.peer_del = peer_del,
};

/* -------- packets in -------- */

/* What cannot be read is not asked again: it would wake the thread for ever. */
static void give_up(struct teredo_engine *e, int fd, atomic_int *error, int why)
{
	atomic_store(error, why);
	epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void udp_read(struct teredo_engine *e, int64_t now)
{
	int ret = datagrams_receive(&e->in, e->udp_fd);

	if (ret < 0)
		give_up(e, e->udp_fd, &e->udp_error, ret);
	for (size_t i = 0; i < e->in.n; i++) {
		const struct datagram *gram = &e->in.grams[i];

		teredo_relay_from_ipv4(e->relay, now, gram->addr.sin_addr,
				       ntohs(gram->addr.sin_port), gram->tos,
				       gram->data, gram->len);
	}
}

/* What one read has brought: a packet, or many of a TCP connection. */
static void tun_packets(struct teredo_engine *e, int64_t now, size_t len)
{
	struct tun_cut cut;
	uint8_t *pkt;

	if (tun_cut_begin(&cut, e->packet, len) < 0)
		return; /* the kernel keeps to what was agreed upon */
	while ((len = tun_cut_next(&cut, e->segment, PACKET_MAX, &pkt)))
		teredo_relay_from_ipv6(e->relay, now, pkt, len);
}

static void tun_read(struct teredo_engine *e, int64_t now)
{
	for (int i = 0; i < BATCH_MAX; i++) {
		ssize_t len =
			read(e->tun_fd, e->packet, TUN_HEADER_LEN + PACKET_MAX);

		if (len > 0) {
			tun_packets(e, now, len);
			continue;
		}
		if (len < 0 && errno == EINTR)
			continue;
		if (len == 0 || errno != EAGAIN)
			give_up(e, e->tun_fd, &e->tun_error,
				len ? -errno : -ENODATA);
		return;
	}
}

/* -------- the programs' peers -------- */

/* The programs take no packet of a peer that has been silent. */
static void own_peer_refresh(struct teredo_engine *e, int64_t now)
{
	if (!e->has_own || now - e->own_told_ms < OWN_PEER_MS)
		return;
	e->own_told_ms = now;
	teredo_fast_put(&e->fast, &e->own, now, now);
}

static void resync_slice(struct teredo_engine *e, int64_t now)
{
	struct relay_bpf_peer_key key;
	struct teredo_peer_info info;

	for (int i = 0; e->resync && i < TEREDO_FAST_BATCH; i++) {
		e->resync = teredo_relay_peer_next(e->relay, &e->resync_cursor,
						   now, &info);
		if (!e->resync || info.state != TEREDO_PEER_TRUSTED)
			continue;
		memcpy(key.octets, info.addr.s6_addr + 4, sizeof(key.octets));
		teredo_fast_put(&e->fast, &key,
				info.rx_age_ms < 0 ? 0 : now - info.rx_age_ms,
				info.tx_age_ms < 0 ? 0 : now - info.tx_age_ms);
	}
}

/* -------- the thread -------- */

static void flush(struct teredo_engine *e)
{
	udp_flush(e);
	teredo_fast_flush(&e->fast);
}

/* One batch. Returns in how many ms the next turn is due. */
static int turn(struct teredo_engine *e, const struct epoll_event *ready,
		int nready)
{
	int64_t now = relay_now_ms();
	int wait;

	atomic_store(&e->beat_ms, now);
	/* what nobody hears is not put into words */
	e->ops.log = DEBUG_MODE_CHECK(&relay_dbg_teredo, DEBUG_MODE_ALL)
			     ? log_line
			     : NULL;
	for (int i = 0; i < nready; i++) {
		if (ready[i].data.fd == e->wake_fd) {
			eventfd_t value;

			eventfd_read(e->wake_fd, &value);
		} else if (ready[i].data.fd == e->udp_fd) {
			udp_read(e, now);
		} else if (ready[i].data.fd == e->tun_fd) {
			tun_read(e, now);
		}
	}
	wait = teredo_relay_timer(e->relay, now);
	own_peer_refresh(e, now);
	if (e->resync) {
		resync_slice(e, now);
		wait = 0;
	}
	flush(e);
	return MIN(wait, BEAT_MS);
}

static void *engine_run(void *arg)
{
	struct frr_pthread *thread = arg;
	struct teredo_engine *e = thread->data;
	struct epoll_event ready[4];
	int n = 0, wait = 0;

	/* the thread begins within a section of RCU that never ends */
	rcu_read_unlock();
	zlog_tls_buffer_init();
	frr_pthread_set_name(thread);
	frr_pthread_notify_running(thread);
	while (!atomic_load(&e->stop)) {
		pthread_mutex_lock(&e->gate);
		pthread_mutex_unlock(&e->gate);
		frr_with_mutex (&e->lock) {
			wait = turn(e, ready, n);
		}
		zlog_tls_buffer_flush();
		n = epoll_wait(e->epoll_fd, ready, array_size(ready), wait);
		if (n < 0)
			n = 0;
	}
	zlog_tls_buffer_fini();
	/* libfrr ends it */
	rcu_read_lock();
	return NULL;
}

static int engine_halt(struct frr_pthread *thread, void **result)
{
	struct teredo_engine *e = thread->data;

	atomic_store(&e->stop, true);
	eventfd_write(e->wake_fd, 1);
	return pthread_join(thread->thread, result);
}

/* -------- life -------- */

/* cfg, with what its checks go by in the engine's own memory. */
static struct teredo_relay_config
keep_checks(const struct teredo_relay_config *cfg, struct teredo_engine *e)
{
	struct teredo_relay_config kept = *cfg;
	size_t n = cfg->check.nrules;

	e->rules = NULL;
	if (n) {
		e->rules = XMALLOC(MTYPE_TEREDO_RULES, n * sizeof(*e->rules));
		memcpy(e->rules, cfg->check.rules, n * sizeof(*e->rules));
	}
	e->checked = *cfg->check.relay;
	kept.check.relay = &e->checked;
	kept.check.rules = e->rules;
	return kept;
}

static void engine_free(struct teredo_engine *e)
{
	if (e->relay)
		teredo_relay_free(&e->relay);
	for (size_t i = 0; i < 4; i++) {
		int fd = (int[]){e->epoll_fd, e->wake_fd, e->tun_fd,
				 e->udp_fd}[i];

		if (fd >= 0)
			close(fd);
	}
	teredo_fast_set(&e->fast, -1, NULL);
	pthread_mutex_destroy(&e->gate);
	pthread_mutex_destroy(&e->lock);
	datagrams_free(&e->in);
	datagrams_free(&e->out);
	XFREE(MTYPE_TEREDO_BUFFERS, e->packet);
	XFREE(MTYPE_TEREDO_BUFFERS, e->segment);
	XFREE(MTYPE_TEREDO_RULES, e->rules);
	XFREE(MTYPE_TEREDO_ENGINE, e);
}

static int engine_open(struct teredo_engine *e)
{
	struct epoll_event want = {.events = EPOLLIN};

	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	want.data.fd = e->wake_fd;
	if (e->epoll_fd < 0 || e->wake_fd < 0 ||
	    epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->wake_fd, &want) < 0)
		return -errno;
	return 0;
}

struct teredo_engine *teredo_engine_start(const char *name,
					  const struct teredo_relay_config *cfg,
					  int *err)
{
	static const struct frr_pthread_attr attr = {engine_run, engine_halt};
	struct teredo_engine *e = XCALLOC(MTYPE_TEREDO_ENGINE, sizeof(*e));
	struct teredo_relay_config kept;
	char title[64];
	uint8_t seed[16];

	e->epoll_fd = e->wake_fd = e->tun_fd = e->udp_fd = e->fast.fd = -1;
	pthread_mutex_init(&e->gate, NULL);
	pthread_mutex_init(&e->lock, NULL);
	datagrams_init(&e->in, false);
	datagrams_init(&e->out, true);
	e->packet = XMALLOC(MTYPE_TEREDO_BUFFERS, TUN_HEADER_LEN + PACKET_MAX);
	e->segment = XMALLOC(MTYPE_TEREDO_BUFFERS, PACKET_MAX);
	*err = engine_open(e);
	if (*err == 0 && getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		*err = -errno;
	if (*err < 0) {
		engine_free(e);
		return NULL;
	}
	atomic_store(&e->beat_ms, relay_now_ms());
	e->ops = relay_ops;
	kept = keep_checks(cfg, e);
	e->relay = teredo_relay_new(&e->ops, e, &kept, relay_now_ms(), seed);
	snprintf(title, sizeof(title), "Teredo engine of relay %s", name);
	/* 15 characters: as much of the name as there is room for */
	e->thread = frr_pthread_new(&attr, title, name);
	e->thread->data = e;
	*err = -frr_pthread_run(e->thread, NULL);
	if (*err < 0) {
		frr_pthread_destroy(e->thread);
		engine_free(e);
		return NULL;
	}
	frr_pthread_wait_running(e->thread);
	return e;
}

void teredo_engine_stop(struct teredo_engine **engine)
{
	struct teredo_engine *e = *engine;

	if (!e)
		return;
	*engine = NULL;
	frr_pthread_stop(e->thread, NULL);
	frr_pthread_destroy(e->thread);
	engine_free(e);
}

/* -------- the main thread's questions -------- */

static int engine_lock(struct teredo_engine *e)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOCK_WAIT_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&e->gate);
	if (pthread_mutex_clocklock(&e->lock, CLOCK_MONOTONIC, &until) == 0)
		return 0;
	pthread_mutex_unlock(&e->gate);
	return -EBUSY;
}

static void engine_unlock(struct teredo_engine *e)
{
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->gate);
}

/* The thread does not wait for what was changed. */
static void engine_wake(struct teredo_engine *e)
{
	eventfd_write(e->wake_fd, 1);
}

static int set_descriptor(struct teredo_engine *e, int *have, int fd,
			  atomic_int *error)
{
	struct epoll_event want = {.events = EPOLLIN, .data.fd = fd};
	int ret = engine_lock(e);

	if (ret < 0) {
		if (fd >= 0)
			close(fd);
		return ret;
	}
	if (*have >= 0)
		close(*have);
	*have = fd;
	atomic_store(error, 0);
	if (fd >= 0 && epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, fd, &want) < 0)
		ret = -errno;
	engine_unlock(e);
	return ret;
}

int teredo_engine_set_tun(struct teredo_engine *e, int fd)
{
	return set_descriptor(e, &e->tun_fd, fd, &e->tun_error);
}

int teredo_engine_set_udp(struct teredo_engine *e, int fd)
{
	return set_descriptor(e, &e->udp_fd, fd, &e->udp_error);
}

int teredo_engine_set_fast(struct teredo_engine *e, int peers_fd,
			   void (*forget)(void))
{
	int fd = peers_fd < 0 ? -1 : fcntl(peers_fd, F_DUPFD_CLOEXEC, 0), ret;

	if (peers_fd >= 0 && fd < 0)
		return -errno;
	ret = engine_lock(e);
	if (ret < 0) {
		if (fd >= 0)
			close(fd);
		return ret;
	}
	teredo_fast_set(&e->fast, fd, forget);
	e->resync = fd >= 0;
	e->resync_cursor = 0;
	e->own_told_ms = 0;
	engine_unlock(e);
	engine_wake(e);
	return 0;
}

int teredo_engine_configure(struct teredo_engine *e,
			    const struct teredo_relay_config *cfg)
{
	struct teredo_relay_config kept;
	struct filter_rule *former;
	int ret = engine_lock(e);

	if (ret < 0)
		return ret;
	former = e->rules;
	kept = keep_checks(cfg, e);
	teredo_relay_configure(e->relay, &kept, relay_now_ms());
	XFREE(MTYPE_TEREDO_RULES, former);
	engine_unlock(e);
	engine_wake(e);
	return 0;
}

int teredo_engine_own_peer(struct teredo_engine *e,
			   const struct relay_bpf_peer_key *key)
{
	int ret = engine_lock(e);

	if (ret < 0)
		return ret;
	if (e->has_own)
		teredo_fast_del(&e->fast, &e->own);
	e->has_own = key != NULL;
	if (key)
		e->own = *key;
	e->own_told_ms = 0;
	teredo_relay_own_peer(e->relay, key);
	engine_unlock(e);
	engine_wake(e);
	return 0;
}

int teredo_engine_peers(struct teredo_engine *e, uint32_t *cursor,
			struct teredo_peer_info *out, size_t n)
{
	int ret = engine_lock(e);
	size_t got = 0;

	if (ret < 0)
		return ret;
	while (got < n &&
	       teredo_relay_peer_next(e->relay, cursor, relay_now_ms(), &out[got]))
		got++;
	engine_unlock(e);
	return got;
}

int teredo_engine_find(struct teredo_engine *e, const struct in6_addr *addr,
		       struct teredo_peer_info *out)
{
	int ret = engine_lock(e);

	if (ret < 0)
		return ret;
	if (!teredo_relay_peer_find(e->relay, addr, relay_now_ms(), out))
		ret = -ENOENT;
	engine_unlock(e);
	return ret;
}

int teredo_engine_clear(struct teredo_engine *e)
{
	int ret = engine_lock(e);

	if (ret < 0)
		return ret;
	teredo_relay_clear(e->relay, relay_now_ms());
	engine_unlock(e);
	engine_wake(e);
	return 0;
}

int teredo_engine_stats(struct teredo_engine *e, struct teredo_relay_stats *out)
{
	int ret = engine_lock(e);

	if (ret < 0)
		return ret;
	teredo_relay_stats(e->relay, relay_now_ms(), out);
	engine_unlock(e);
	return 0;
}

bool teredo_engine_answers(const struct teredo_engine *e)
{
	return relay_now_ms() - atomic_load(&e->beat_ms) < SILENCE_MS;
}

int teredo_engine_tun_error(const struct teredo_engine *e)
{
	return atomic_load(&e->tun_error);
}

int teredo_engine_udp_error(const struct teredo_engine *e)
{
	return atomic_load(&e->udp_error);
}

uint64_t teredo_engine_unsent(struct teredo_engine *e)
{
	return atomic_load(&e->unsent);
}
