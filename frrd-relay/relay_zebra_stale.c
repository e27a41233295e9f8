// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Routes that zebra keeps of a relayd that ended by a planned restart, when no
 * other has come in its place. Zebra 8.4 removes them when the time is over;
 * zebra 10.3 forgets whose they were, and never would. What either does is to
 * remove a client's routes when its session ends and nothing is to be kept.
 */
#include <zebra.h>

#include "log.h"
#include "network.h"
#include "prefix.h"
#include "stream.h"
#include "zclient.h"

#include "relay_zebra.h"

#define ANSWER_S 2
/* what zebra tells a new client before it answers: interfaces, addresses */
#define MESSAGES_MAX 100000

/* Zebra throws away what it has not processed when a session ends. */
static int wait_for_answer(struct zclient *zclient)
{
	uint8_t marker, version;
	uint16_t size, command;
	vrf_id_t vrf_id;

	for (int i = 0; i < MESSAGES_MAX; i++) {
		stream_reset(zclient->ibuf);
		errno = 0;
		if (zclient_read_header(zclient->ibuf, zclient->sock, &size,
					&marker, &version, &vrf_id,
					&command) < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK
				       ? -ETIMEDOUT
				       : -ECONNRESET;
		if (command == ZEBRA_ROUTER_ID_UPDATE)
			return 0;
	}
	return -ETIMEDOUT;
}

static int be_the_dead(struct zclient *zclient)
{
	struct timeval limit = {.tv_sec = ANSWER_S};
	struct zapi_cap cap = {
		.cap = ZEBRA_CLIENT_GR_DISABLE,
		.vrf_id = VRF_DEFAULT,
	};

	if (zclient_socket_connect(zclient) < 0)
		return errno ? -errno : -ECONNREFUSED;
	setsockopt(zclient->sock, SOL_SOCKET, SO_RCVTIMEO, &limit,
		   sizeof(limit));
	setsockopt(zclient->sock, SOL_SOCKET, SO_SNDTIMEO, &limit,
		   sizeof(limit));
	if (zclient_send_hello(zclient) == ZCLIENT_SEND_FAILURE ||
	    zclient_capabilities_send(ZEBRA_CLIENT_CAPABILITIES, zclient,
				      &cap) == ZCLIENT_SEND_FAILURE ||
	    zclient_send_router_id_update(zclient, ZEBRA_ROUTER_ID_ADD, AFI_IP,
					  VRF_DEFAULT) == ZCLIENT_SEND_FAILURE)
		return -ECONNRESET;
	return wait_for_answer(zclient);
}

int relay_zebra_drop_stale(void)
{
	/* nothing of it is run: what zebra tells is not for the structures that
	 * this process may share with a relayd that has died */
	struct frr_loop *loop = event_master_create("stale");
	struct zclient *zclient = compat_zclient_new(loop, NULL, 0, NULL);
	int ret;

	zclient_init(zclient, RELAY_ROUTE_TYPE, 0, NULL);
	ret = be_the_dead(zclient);
	zclient_stop(zclient);
	zclient_free(zclient);
	event_master_free(loop);
	return ret;
}
