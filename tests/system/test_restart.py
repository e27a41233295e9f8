# SPDX-License-Identifier: GPL-2.0-or-later
"""Restarts and upgrades: what other routers still send is forwarded, and the next relayd takes over."""

import contextlib

import pytest

from lab import wait_for
from topology import ANYCAST6, BASIC, H6, H64_6
from wire import Flow, ifindex, link_set

STANDBY_METRIC = 4294967294
RATE = 200


def standby(router):
    """Prefixes that the kernel forwards by relayd's own routes."""
    return {route["dst"] for route in router.ns.ip_json("-6", "route", "show", "table", "all")
            if route.get("metric") == STANDBY_METRIC}


@contextlib.contextmanager
def static_routes(net):
    """A neighbour that goes on sending whatever BGP says."""
    routes = ("192.88.99.0/24 via 203.0.113.2 metric 9999", "2002::/16 via 2001:db8:1::2 metric 9999")
    net.net.ip(*[f"route add {route}" for route in routes])
    try:
        yield
    finally:
        net.net.ip(*[f"route del {route}" for route in routes])


class BothWays:
    """Traffic 4->6 and 6->4, counted at the ends."""

    def __init__(self, net):
        self.flows = [Flow(net.h64, H64_6, net.h6, H6, rate=RATE),
                      Flow(net.h6, H6, net.h64, H64_6, rate=RATE, port=4001)]

    def __enter__(self):
        wait_for(lambda: all(len(flow.seen) > RATE // 4 for flow in self.flows), 30, "traffic both ways")
        return self

    def __exit__(self, *_):
        for flow in self.flows:
            flow.close()

    def more(self, number=2 * RATE):
        """That many more packets arrive each way, or are missed for long enough."""
        goal = [len(flow.seen) + number for flow in self.flows]
        wait_for(lambda: all(len(flow.seen) >= n for flow, n in zip(self.flows, goal)), 60, "traffic goes on")

    def lost(self):
        """Numbers lost of each direction; ends the traffic."""
        return [flow.stop() for flow in self.flows]

    def assert_none_lost(self):
        lost = self.lost()
        print(f"sent {[flow.sent for flow in self.flows]}, lost {[len(n) for n in lost]}")
        assert all(flow.failed == 0 for flow in self.flows)
        assert lost == [[], []], [[round(flow.times[n] - flow.times[0], 2) for n in nums]
                                  for flow, nums in zip(self.flows, lost)]


# ------------------------------------------------------------- standby route

@pytest.mark.sit
def test_standby_route_is_there_while_up(up):
    """Beside zebra's, unknown to zebra; gone at once when health takes the relay down."""
    assert standby(up.relay) == {ANYCAST6}
    routes = up.relay.json("zebra", "show ipv6 route 2002::/16 json")
    assert [r["metric"] for r in routes[ANYCAST6]] == [0]
    link_set(up.relay.ns, "r", False)
    up.relay.wait_relay("r", "down", "interface-down")
    assert standby(up.relay) == set()
    link_set(up.relay.ns, "r", True)
    up.relay.wait_relay("r", "up")
    wait_for(lambda: standby(up.relay) == {ANYCAST6}, 10, "standby route")
    # so short that relayd may see no failure: the kernel has dropped the routes all the same
    link_set(up.relay.ns, "r", False)
    link_set(up.relay.ns, "r", True)
    wait_for(lambda: standby(up.relay) == {ANYCAST6}, 10, "standby route is put back")
    up.relay.configure("relay r", "route 2001:db8:77::/48", "no maintenance")
    wait_for(lambda: standby(up.relay) == {"2001:db8:77::/48"}, 10, "standby follows the routes")
    up.relay.configure("relay r", "no route 2001:db8:77::/48", "route 192.88.99.0/24")
    wait_for(lambda: standby(up.relay) == set(), 10, "no IPv6 route, no standby")


@pytest.mark.sit
def test_standby_route_of_a_track(up):
    """A relay that a track takes down leaves 2002::/16 to whoever else has it."""
    up.relay.configure("track 1 interface eth1 line-protocol", "exit", "relay r", "track 1")
    up.relay.wait_relay("r", "up")
    up.relay.ns.ip("link set eth1 down")
    try:
        up.relay.wait_relay("r", "down", "track-down")
        assert standby(up.relay) == set()
    finally:
        up.relay.ns.ip("link set eth1 up")
        up.relay.wait_relay("r", "up")
        up.relay.configure("relay r", "no track", "exit", "no track 1")
    assert standby(up.relay) == {ANYCAST6}


@pytest.mark.sit
def test_standby_route_drains(up):
    """An operator's word: it stays for the drain-time, and no longer."""
    up.relay.configure("relay r", "drain-time 3", "maintenance")
    up.relay.wait_relay("r", "draining", "maintenance")
    assert standby(up.relay) == {ANYCAST6}
    up.relay.wait_relay("r", "maintenance")
    assert standby(up.relay) == set()
    up.relay.configure("relay r", "drain-time 0", "no maintenance")
    up.relay.wait_relay("r", "up")
    assert standby(up.relay) == {ANYCAST6}
    up.relay.configure("relay r", "maintenance")
    assert standby(up.relay) == set()


@pytest.mark.sit
def test_standby_route_of_a_dead_relayd_is_swept(up):
    """No relay wants it any more: it goes, though its interface lives on under another relay's name."""
    up.relay.kill("relayd")
    wait_for(lambda: not up.relay.rib_openfabric(), 10, "zebra takes its routes away")
    assert standby(up.relay) == {ANYCAST6}
    up.relay.start("relayd", config="\n".join(["relay r", *BASIC, "tunnel direction receive", "no shutdown", "exit"]))
    up.relay.wait_relay("r", "up")
    wait_for(lambda: standby(up.relay) == set(), 10, "not wanted, gone")
    up.relay.kill("relayd")
    up.relay.start("relayd", config="\n".join(["relay r", *BASIC, "maintenance", "no shutdown", "exit"]))
    up.relay.wait_relay("r", "maintenance")
    assert standby(up.relay) == set()


# ------------------------------------------------------------------ no packet

@pytest.mark.sit
def test_killed_without_a_lost_packet(up):
    """SIGKILL: routes are withdrawn, what is sent all the same arrives, both ways, until the next relayd has it."""
    config = "\n".join(up.relay.running())
    index = ifindex(up.relay.ns, "r")
    with static_routes(up), BothWays(up) as traffic:
        up.relay.kill("relayd")
        up.bird.wait_routes(absent=[ANYCAST6])
        traffic.more()
        up.relay.start("relayd", config=config)
        up.relay.wait_relay("r", "up")
        up.bird.wait_routes([ANYCAST6])
        traffic.more()
        traffic.assert_none_lost()
    assert ifindex(up.relay.ns, "r") == index
