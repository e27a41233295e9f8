// SPDX-License-Identifier: GPL-2.0-or-later
/* bfdd's words about its sessions, as zebra passes them on. */
#include "fuzz.h"

#include "privs.h"
#include "stream.h"
#include "zclient.h"

#include "compat.h"
#include "relay_zebra_bfd.h"

static struct zclient *zclient;

static struct relay_bfd *sessions[4];

/* Sessions to which an update may belong: either family, single hop and
 * multihop, with and without an interface. */
static void set_up(void)
{
	struct relay_bfd_key keys[array_size(sessions)] = {
		{.ifname = "lo"}, {}, {.multihop = true}, {}};
	struct frr_loop *loop;

	if (zclient)
		return;
	loop = event_master_create("fuzz");
	zclient = compat_zclient_new(loop, NULL, 0, NULL);
	relay_bfd_init(loop, "/nonexistent");
	for (size_t i = 0; i < array_size(keys); i++) {
		SET_IPADDR_V4(&keys[i].peer);
		keys[i].peer.ipaddr_v4.s_addr = htonl(0xcb007101);
		if (keys[i].multihop) {
			SET_IPADDR_V4(&keys[i].local);
			keys[i].local.ipaddr_v4.s_addr = htonl(0xcb007102);
		}
		if (i + 1 == array_size(keys)) {
			SET_IPADDR_V6(&keys[i].peer);
			inet_pton(AF_INET6, "2001:db8::1",
				  &keys[i].peer.ipaddr_v6);
		}
		sessions[i] = relay_bfd_join(&keys[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	set_up();
	if (size > STREAM_SIZE(zclient->ibuf))
		return 0;
	/* nobody listens: they count as registered all the same */
	relay_bfd_zebra(zclient);
	stream_reset(zclient->ibuf);
	stream_put(zclient->ibuf, data, size);
	relay_bfd_update(ZEBRA_BFD_DEST_REPLAY, zclient, size, VRF_DEFAULT);
	for (size_t i = 0; i < array_size(sessions); i++)
		FUZZ_ASSERT(relay_bfd_state(sessions[i]) <= RELAY_BFD_UP);
	relay_bfd_zebra(NULL);
	return 0;
}
