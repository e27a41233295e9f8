# SPDX-License-Identifier: GPL-2.0-or-later
"""The state machine of contract section 3 on the real thing: checks, delays, drain, maintenance, tracks."""

import time

import pytest

from lab import holds_for, wait_for
from topology import ANYCAST, ANYCAST4, ANYCAST6, BASIC, H6, H64, H64_6, RELAY_ADDR
from wire import BgpSniffer, Flow, addr_delete, ifindex, link_set, ping


# ----------------------------------------------------------------- forwarding

@pytest.mark.parametrize("sysctl", ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/conf/eth0/forwarding",
                                    "ipv6/conf/eth0/forwarding"])
def test_forwarding_off(up, sysctl):
    """The sysctl that is off is named; routes go, and come back with it."""
    up.relay.ns.sysctl("net/" + sysctl, 0)
    try:
        data = up.relay.wait_relay("r", "down", "forwarding-off")
        assert "net." + sysctl.replace("/", ".").replace("ip_forward", "") .rstrip(".") in data["detail"]
        assert data["checks"]["forwarding"] == "failed"
        up.bird.wait_routes(absent=ANYCAST)
    finally:
        up.relay.ns.sysctl("net/" + sysctl, 1)
    up.relay.wait_relay("r", "up")
    up.bird.wait_routes(ANYCAST)


# ------------------------------------------------------------------ self-test

DROP_41 = "table ip operator { chain in { type filter hook input priority 0; ip protocol 41 drop; }; " \
          "chain out { type filter hook output priority 0; ip protocol 41 drop; }; }"


def drop_protocol_41(net):
    net.relay.ns.run("nft", DROP_41)


@pytest.mark.sit
def test_self_test_fails_and_recovers(up):
    """An operator's firewall eats protocol 41: only a packet through the datapath can tell."""
    drop_protocol_41(up)
    started = time.monotonic()
    try:
        data = up.relay.wait_relay("r", "down", "self-test-failed")
        # three losses in a row, about one second apart
        assert 1.5 < time.monotonic() - started < 15
        assert {way: test["state"] for way, test in data["selfTests"].items()} == {"4to6": "failed", "6to4": "failed"}
        assert data["checks"] == {"interface": "ok", "source": "ok", "forwarding": "ok", "selfTest": "failed"}
        up.bird.wait_routes(absent=ANYCAST)
    finally:
        up.relay.ns.run("nft", "delete table ip operator")
    up.relay.wait_relay("r", "up")
    up.bird.wait_routes(ANYCAST)


def test_self_test_off(up):
    # who has taken a way out would miss it
    wait_for(lambda: all("interface" in test for test in up.relay.relay_json("r")["selfTests"].values()), 10, "uplinks")
    up.relay.configure("relay r", "no self-test")
    assert up.relay.relay_json("r")["checks"]["selfTest"] == "off"
    uplink = (f"default via {up.relay.net4}", f"default via {up.relay.net6}")
    up.relay.ns.ip(*[f"route del {route}" for route in uplink])
    try:
        holds_for(lambda: up.relay.relay_json("r")["operStatus"] == "up", 6, "up without a self-test")
    finally:
        up.relay.ns.ip(*[f"route add {route}" for route in uplink])
    up.relay.configure("relay r", "self-test")
    up.relay.wait_relay("r", "up")


def test_self_test_of_receive_only_relay(net):
    """The proof works where one direction is off."""
    net.relay.start("relayd")
    for direction in ("receive", "transmit"):
        net.relay.configure("relay r", *BASIC, f"tunnel direction {direction}", "no shutdown")
        net.relay.wait_relay("r", "up")
        holds_for(lambda: net.relay.relay_json("r")["operStatus"] == "up", 5, f"up with {direction}")


# --------------------------------------------------------------- repair, foreign

@pytest.mark.sit
def test_foreign_changes_are_put_right(up):
    index = ifindex(up.relay.ns, "r")
    want = up.relay.ns.link("r")["linkinfo"]["info_data"]
    up.relay.ns.ip("link set r mtu 1300")
    wait_for(lambda: up.relay.ns.link("r")["mtu"] == 1280, 10, "mtu put right")
    up.relay.ns.ip("tunnel change r ttl 3")
    wait_for(lambda: up.relay.ns.link("r")["linkinfo"]["info_data"] == want, 10, "ttl put right")
    up.relay.ns.ip("tunnel change r local 203.0.113.2")
    wait_for(lambda: up.relay.ns.link("r")["linkinfo"]["info_data"] == want, 10, "local put right")
    assert ifindex(up.relay.ns, "r") == index
    up.relay.wait_relay("r", "up")
    assert ping(up.h64, H6, source=H64_6) and ping(up.h6, H64_6)


def test_ipv6_address_is_put_back(up):
    up.relay.configure("relay r", "ipv6 address 2002:c058:6301::1/128")
    wait_for(lambda: "2002:c058:6301::1/128" in up.relay.ns.addrs("r"), 10, "address")
    addr_delete(up.relay.ns, "r", "2002:c058:6301::1/128")
    wait_for(lambda: "2002:c058:6301::1/128" in up.relay.ns.addrs("r"), 10, "address is back")
    up.relay.configure("relay r", "no ipv6 address 2002:c058:6301::1/128")
    wait_for(lambda: "2002:c058:6301::1/128" not in up.relay.ns.addrs("r"), 10, "address taken away")


@pytest.mark.sit
def test_relayds_nft_table_is_put_back(net):
    """transmit-source rests on rules: who flushes the ruleset gets them back, or hears of it."""
    net.relay.start("relayd")
    net.relay.configure("relay r", *BASIC, "tunnel transmit-source 192.88.99.3", "no shutdown")
    net.relay.wait_relay("r", "up")
    table = net.relay.ns.nft()
    assert "192.88.99.3" in table
    net.relay.ns.run("nft", "flush", "ruleset")
    wait_for(lambda: "192.88.99.3" in net.relay.ns.nft() or net.relay.relay_json("r")["operStatus"] == "down", 20,
             "rules are back, or the relay is down")
    net.relay.wait_relay("r", "up")
    assert "192.88.99.3" in net.relay.ns.nft()


def test_a_foreign_address_is_not_taken_away(net):
    """relayd puts the tunnel source only where the host lacks it, and takes only what it put."""
    net.relay.ns.ip(f"addr add {RELAY_ADDR}/32 dev lo")
    try:
        net.relay.start("relayd")
        net.relay.configure("relay r", *BASIC, "no shutdown")
        net.relay.wait_relay("r", "up")
        assert f"{RELAY_ADDR}/32" not in net.relay.ns.addrs("r")
        net.relay.configure("no relay r")
        wait_for(lambda: "r" not in net.relay.ns.links(), 20, "interface removed")
        assert f"{RELAY_ADDR}/32" in net.relay.ns.addrs("lo")
    finally:
        net.relay.ns.ip(f"addr del {RELAY_ADDR}/32 dev lo")


# ------------------------------------------------------- delay, drain, maintenance

def test_delay_up(net):
    net.relay.start("relayd")
    started = time.monotonic()
    net.relay.configure("relay r", *BASIC, "delay up 4", "no shutdown")
    net.relay.wait_relay("r", "init", "delay-up")
    assert net.relay.rib_openfabric() == set()
    net.relay.wait_relay("r", "up")
    assert 4 <= time.monotonic() - started
    # each return waits anew
    link_set(net.relay.ns, "r", False)
    net.relay.wait_relay("r", "down", "interface-down")
    back = time.monotonic()
    link_set(net.relay.ns, "r", True)
    net.relay.wait_relay("r", "up")
    assert time.monotonic() - back >= 4


def test_maintenance_drains_then_rests(up):
    up.relay.configure("relay r", "drain-time 3")
    index = up.relay.relay_json("r")["ifIndex"]
    with BgpSniffer(up.net, "rl") as wire:
        began = time.time()
        up.relay.configure("relay r", "maintenance")
        up.relay.wait_relay("r", "draining", "maintenance")
        wait_for(lambda: not any(r["installed"] for r in up.relay.relay_json("r")["routes"]), 10, "not installed")
        wait_for(lambda: all(wire.withdrawn(p, began) for p in ANYCAST), 20, "withdrawn")
        up.relay.wait_relay("r", "maintenance", "maintenance")
        assert time.time() - began >= 3
    # the tunnel stays and health is still shown
    data = up.relay.relay_json("r")
    assert data["ifIndex"] == index and data["checks"]["interface"] == "ok"
    up.relay.configure("relay r", "no maintenance")
    up.relay.wait_relay("r", "up", "ok")
    up.bird.wait_routes(ANYCAST)
    assert up.relay.relay_json("r")["ifIndex"] == index


@pytest.mark.parametrize("lines", [pytest.param(("relay r", "shutdown"), marks=pytest.mark.both, id="shutdown"),
                                   pytest.param(("no relay r",), id="removal")])
def test_drain_forwards_after_the_withdrawal(up, lines):
    """Routes first, the tunnel after drain-time: what is still under way arrives."""
    up.relay.configure("relay r", "drain-time 3")
    up.net.ip("route add 192.88.99.0/24 via 203.0.113.2 metric 9999")
    try:
        with BgpSniffer(up.net, "rl") as wire, Flow(up.h64, H64_6, up.h6, H6, rate=50) as flow:
            wait_for(lambda: len(flow.seen) > 10, 20, "traffic")
            began = time.time()
            up.relay.configure(*lines)
            wait_for(lambda: all(wire.withdrawn(p, began) for p in ANYCAST), 20, "withdrawn")
            withdrawn = max(wire.withdrawn(p, began) for p in ANYCAST)
            wait_for(lambda: "r" not in up.relay.ns.links(), 30, "interface removed")
            gone = time.time()
            lost = flow.stop(0.5)
        assert withdrawn < began + 2 and gone - began >= 2.9
        early = [n for n in lost if flow.times[n] < began + 2.5]
        assert not early, f"{len(early)} packets lost while draining"
    finally:
        up.net.ip("route del 192.88.99.0/24 via 203.0.113.2 metric 9999")


@pytest.mark.both
def test_clean_stop(up):
    """SIGTERM: withdraw, drain, remove, exit code 0."""
    up.relay.configure("relay r", "drain-time 2")
    with BgpSniffer(up.net, "rl") as wire:
        began = time.time()
        up.relay.kill("relayd", 15)
        wait_for(lambda: all(wire.withdrawn(p, began) for p in ANYCAST), 20, "withdrawn")
        assert "r" in up.relay.ns.links()
        assert up.relay.procs.pop("relayd").wait(30) == 0
        assert time.time() - began >= 2
    assert "r" not in up.relay.ns.links()
    assert up.relay.rib_openfabric() == set()


# --------------------------------------------------------------------- tracks

def test_track_of_a_relay(net):
    net.relay.start("relayd")
    net.relay.configure("track 5 interface eth1 line-protocol", "exit", "relay r", *BASIC, "track 5", "no shutdown")
    net.relay.wait_relay("r", "up")
    assert net.relay.relay_json("r")["tracks"] == [{"id": 5, "state": "up"}]
    net.bird.wait_routes(ANYCAST)
    link_set(net.h64b, "eth0", False)
    try:
        data = net.relay.wait_relay("r", "down", "track-down")
        assert "5" in data["detail"] and data["tracks"] == [{"id": 5, "state": "down"}]
        net.bird.wait_routes(absent=ANYCAST)
        # health of the rest goes on being known
        assert data["checks"]["interface"] == "ok"
    finally:
        link_set(net.h64b, "eth0", True)
        net.h64b.ip("route replace default via 192.0.2.1")
    net.relay.wait_relay("r", "up")
    net.bird.wait_routes(ANYCAST)


def test_track_of_one_route(net):
    """It withdraws that route alone; the relay stays up."""
    net.relay.start("relayd")
    net.relay.configure("track 5 interface eth1 line-protocol", "exit", "relay r", *BASIC,
                        f"route {ANYCAST4}", f"route {ANYCAST6} tag 77 metric 9 track 5", "no shutdown")
    net.relay.wait_relay("r", "up")
    net.bird.wait_routes(ANYCAST)
    routes = {r["prefix"]: r for r in net.relay.relay_json("r")["routes"]}
    assert (routes[ANYCAST6]["tag"], routes[ANYCAST6]["metric"], routes[ANYCAST6]["distance"]) == (77, 9, 1)
    assert net.relay.rib(ANYCAST6)["tag"] == 77 and net.relay.rib(ANYCAST6)["metric"] == 9
    link_set(net.h64b, "eth0", False)
    try:
        net.bird.wait_routes([ANYCAST4], absent=[ANYCAST6])
        data = net.relay.relay_json("r")
        assert data["operStatus"] == "up"
        assert {r["prefix"]: r["installed"] for r in data["routes"]} == {ANYCAST4: True, ANYCAST6: False}
    finally:
        link_set(net.h64b, "eth0", True)
        net.h64b.ip("route replace default via 192.0.2.1")
    net.bird.wait_routes(ANYCAST)


def test_own_routes_do_not_count_for_a_track(net):
    """A track on the prefix that relayd injects would hold itself up."""
    net.relay.start("relayd")
    net.relay.configure("track 1 ip route 192.88.99.0/24 reachability", "exit",
                        "track 2 ipv6 route 2002::/16 reachability", "exit", "relay r", *BASIC, "no shutdown")
    net.relay.wait_relay("r", "up")
    wait_for(lambda: all(r["installed"] for r in net.relay.relay_json("r")["routes"]), 20, "installed")
    net.relay.wait_rib(ANYCAST)
    for number in (1, 2):
        net.relay.wait_track(number, "down")
        assert net.relay.track_json(number)["transitions"] == 0


# ----------------------------------------------------------------- own routes

def test_route_lines_replace_the_defaults(up):
    up.relay.configure("relay r", "route 192.88.99.0/25 tag 5 distance 20")
    up.relay.wait_rib(["192.88.99.0/25"])
    route = up.relay.rib("192.88.99.0/25")
    assert (route["distance"], route["tag"], route["protocol"]) == (20, 5, "openfabric")
    assert route["nexthops"][0]["interfaceName"] == "r"
    up.bird.wait_routes(["192.88.99.0/25"], absent=ANYCAST)
    # an attribute changes without a gap
    with BgpSniffer(up.net, "rl") as wire:
        began = time.time()
        up.relay.configure("relay r", "route 192.88.99.0/25 tag 6 distance 20 metric 3")
        wait_for(lambda: up.relay.rib("192.88.99.0/25").get("tag") == 6, 10, "tag")
        assert not wire.withdrawn("192.88.99.0/25", began)
    up.relay.configure("relay r", "route 192.88.99.0/25 distance 30")
    wait_for(lambda: up.relay.rib("192.88.99.0/25").get("distance") == 30, 10, "distance")
    up.relay.configure("relay r", "no route 192.88.99.0/25")
    up.relay.wait_rib(ANYCAST)
    up.bird.wait_routes(ANYCAST, absent=["192.88.99.0/25"])


def test_a_better_route_is_not_hidden(up):
    """installed is zebra's word: another daemon's better route takes it away."""
    wait_for(lambda: all(r["installed"] for r in up.relay.relay_json("r")["routes"]), 20, "installed")
    up.relay.configure("relay r", f"route {ANYCAST4} distance 200", f"route {ANYCAST6} distance 200")
    up.relay.start("staticd", config=f"ip route {ANYCAST4} Null0\n")
    try:
        def shown():
            routes = {r["prefix"]: r["installed"] for r in up.relay.relay_json("r")["routes"]}
            return routes == {ANYCAST4: False, ANYCAST6: True}
        wait_for(shown, 20, "one of two is installed")
    finally:
        up.relay.stop("staticd")
    wait_for(lambda: all(r["installed"] for r in up.relay.relay_json("r")["routes"]), 20, "installed again")
