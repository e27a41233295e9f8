// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets that relayd's own nftables rules hand over (`log group`), as they
 * come out at the end of the datapath, behind every filter of the operator's.
 */
#include <zebra.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/random.h>

#include "log.h"
#include "privs.h"
#include "tunnel_kernel.h"

/* The first group that nobody else listens to; a group has one listener in a
 * network namespace. */
#define GROUP_FIRST 2002
#define GROUPS_MAX 16
/* room for the probes of some thousand tunnels at once */
#define LOG_RCVBUF (8 * 1024 * 1024)
/* messages taken in one go: somebody's rule may log his traffic to our group */
#define LOG_BATCH 8192

/* packets that the kernel gathers, and for how long, in 10 ms */
#define LOG_QUEUE 64
#define LOG_DELAY 1

static struct nl_sock *log_sock;
static struct nflog_key log_key;
static struct frr_event *t_log;
static void (*log_seen)(const uint8_t *pkt, size_t len);
static char log_buf[65536] __attribute__((aligned(NLMSG_ALIGNTO)));

const uint8_t *tunnel_nflog_packet(struct nlmsghdr *nlh, size_t *len)
{
	struct nlattr *payload;

	if (nlh->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
		return NULL;
	payload = nlmsg_find_attr(nlh, sizeof(struct nfgenmsg), NFULA_PAYLOAD);
	if (!payload)
		return NULL;
	*len = nla_len(payload);
	return nla_data(payload);
}

static void log_message(struct nlmsghdr *nlh)
{
	size_t len;
	const uint8_t *pkt = tunnel_nflog_packet(nlh, &len);

	if (pkt)
		log_seen(pkt, len);
}

void tunnel_nflog_poll(void)
{
	struct nlmsghdr *nlh;
	ssize_t len;
	int fd;

	if (!log_sock)
		return;
	fd = nl_socket_get_fd(log_sock);
	for (int i = 0; i < LOG_BATCH; i++) {
		len = recv(fd, log_buf, sizeof(log_buf), MSG_DONTWAIT);
		/* what did not fit is lost, as on a wire */
		if (len < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (len <= 0)
			return;
		nlh = (struct nlmsghdr *)log_buf;
		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len))
			log_message(nlh);
	}
}

static void log_read(struct frr_event *ev)
{
	event_add_read(tunnel_loop, log_read, NULL,
		       nl_socket_get_fd(log_sock), &t_log);
	tunnel_nflog_poll();
}

/* What comes within 10 ms in one go: it costs one wake-up for many tunnels. */
static int log_bind(struct nl_sock *sock, uint16_t group)
{
	struct nfulnl_msg_config_cmd cmd = {.command = NFULNL_CFG_CMD_BIND};
	struct nfulnl_msg_config_mode mode = {
		.copy_range = htonl(NFLOG_COPY_LEN),
		.copy_mode = NFULNL_COPY_PACKET,
	};
	struct nfgenmsg nfg = {.nfgen_family = AF_UNSPEC,
			       .version = NFNETLINK_V0,
			       .res_id = htons(group)};
	struct nl_msg *msg = nlmsg_alloc_simple(
		NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_ACK);
	int ret;

	if (!msg)
		return -ENOMEM;
	nlmsg_append(msg, &nfg, sizeof(nfg), NLMSG_ALIGNTO);
	nla_put(msg, NFULA_CFG_CMD, sizeof(cmd), &cmd);
	nla_put(msg, NFULA_CFG_MODE, sizeof(mode), &mode);
	nla_put_u32(msg, NFULA_CFG_QTHRESH, htonl(LOG_QUEUE));
	nla_put_u32(msg, NFULA_CFG_TIMEOUT, htonl(LOG_DELAY));
	nla_put_u32(msg, NFULA_CFG_NLBUFSIZ, htonl(LOG_QUEUE * 256));
	ret = nl_send_auto(sock, msg);
	nlmsg_free(msg);
	if (ret >= 0)
		ret = nl_wait_for_ack(sock);
	switch (-ret) {
	case NLE_BUSY:
	case NLE_PERM: /* what the kernel says of another one's group, too */
		return -EPERM;
	case NLE_OPNOTSUPP:
	case NLE_INVAL:
		return -EOPNOTSUPP;
	}
	return ret < 0 ? -EIO : 0;
}

static int log_open(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	uint16_t group = GROUP_FIRST;
	int ret, size = LOG_RCVBUF;

	if (!sock)
		return -ENOMEM;
	nl_socket_disable_seq_check(sock);
	if (nl_connect(sock, NETLINK_NETFILTER) < 0)
		ret = -errno;
	else
		while ((ret = log_bind(sock, group)) == -EPERM &&
		       group < GROUP_FIRST + GROUPS_MAX - 1)
			group++;
	if (ret < 0) {
		nl_socket_free(sock);
		/* each group has a listener */
		return ret == -EPERM ? -EBUSY : ret;
	}
	setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		   sizeof(size));
	log_key.group = group;
	log_sock = sock;
	return 0;
}

/* never blocks so late after boot, nor fails for so few octets */
static const uint8_t *nonce_get(uint8_t nonce[8], bool *known)
{
	if (!*known && getrandom(nonce, 8, 0) == 8)
		*known = true;
	return nonce;
}

const uint8_t *tunnel_probe_nonce(void)
{
	static uint8_t nonce[8];
	static bool known;

	return nonce_get(nonce, &known);
}

const uint8_t *tunnel_fast_nonce(void)
{
	static uint8_t nonce[8];
	static bool known;

	return nonce_get(nonce, &known);
}

int tunnel_nflog_init(void (*seen)(const uint8_t *pkt, size_t len))
{
	int ret = -EPERM;

	log_seen = seen;
	memcpy(log_key.nonce, tunnel_probe_nonce(), sizeof(log_key.nonce));
	frr_with_privs (tunnel_privs) {
		ret = log_open();
	}
	if (ret < 0)
		return ret;
	event_add_read(tunnel_loop, log_read, NULL,
		       nl_socket_get_fd(log_sock), &t_log);
	return 0;
}

void tunnel_nflog_fini(void)
{
	EVENT_OFF(t_log);
	if (log_sock)
		nl_socket_free(log_sock);
	log_sock = NULL;
}

const struct nflog_key *tunnel_nflog_key(void)
{
	return log_sock ? &log_key : NULL;
}
