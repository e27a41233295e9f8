# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel says more than relayd can read: news are lost (ENOBUFS), the state is right afterwards."""

import signal

import pytest

from lab import wait_for
from topology import ANYCAST, H6, H64_6, RELAY_ADDR
from wire import addr_delete, ifindex, link_events, link_set, ping


def burst(ns):
    """More events than the receive buffer of relayd's socket holds."""
    ns.ip("link add burst type veth peer name burstpeer")
    link_events(ns, "burst", 10000)
    ns.ip("link del burst")


def lost_news(router, meanwhile):
    """relayd stands still while more happens than its socket holds."""
    router.kill("relayd", signal.SIGSTOP)
    try:
        burst(router.ns)
        meanwhile()
    finally:
        router.kill("relayd", signal.SIGCONT)
    wait_for(lambda: "no buffer space" in router.log("relayd").lower(), 20, "news were lost (the log says so)")


def test_tracks_after_lost_news(rl, box):
    rl.ns.ip("link add gone type veth peer name gonepeer", "link set gone up", "link set gonepeer up")
    rl.configure("track 1 interface eth1 line-protocol", "exit", "track 2 interface gone line-protocol", "exit",
                 "track 3 interface came line-protocol", "exit", "track 4 interface eth0 line-protocol")
    rl.wait_track(1, "up")
    rl.wait_track(2, "up")
    rl.wait_track(3, "down")

    def meanwhile():
        link_set(box.peer, "eth1", False)
        rl.ns.ip("link del gone", "link add came type veth peer name camepeer", "link set came up",
                 "link set camepeer up")

    try:
        lost_news(rl, meanwhile)
        for number, state in ((1, "down"), (2, "down"), (3, "up"), (4, "up")):
            rl.wait_track(number, state)
    finally:
        link_set(box.peer, "eth1", True)
        rl.ns.ip("link del came")


@pytest.mark.sit
def test_relay_after_lost_news(up):
    """The interface is replaced and its address gone while nobody could hear it."""
    index = ifindex(up.relay.ns, "r")

    def meanwhile():
        addr_delete(up.relay.ns, "r", f"{RELAY_ADDR}/32")
        up.relay.ns.ip("link set r mtu 1400", "tunnel change r ttl 9")

    lost_news(up.relay, meanwhile)
    wait_for(lambda: f"{RELAY_ADDR}/32" in up.relay.ns.addrs("r") and up.relay.ns.link("r")["mtu"] == 1280, 20,
             "put right")
    up.relay.wait_relay("r", "up")
    assert ifindex(up.relay.ns, "r") == index
    up.bird.wait_routes(ANYCAST)
    assert ping(up.h6, H64_6) and ping(up.h64, H6, source=H64_6)
