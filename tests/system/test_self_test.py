# SPDX-License-Identifier: GPL-2.0-or-later
"""The self-test proves each way through the relay for itself, and each prefix is tied to its way."""

import time

import pytest

from lab import EMULATED, holds_for, wait_for
from topology import ANYCAST, ANYCAST4, ANYCAST6, BASIC, H6, H64_6, RELAY_ADDR
from wire import ping

# rules of nftables: on a TUN the programs pass them by, and their probe does
sit, both = pytest.mark.sit, pytest.mark.both

FOUND_S = 3.0
# asking takes its time, and much of it where the processor is emulated
ASKING_S = 2.0 if EMULATED else 0.5

PREFIX = {"4to6": ANYCAST4, "6to4": ANYCAST6}
OTHER = {"4to6": "6to4", "6to4": "4to6"}


def chain(family, hook, rule, priority=0):
    return ["nft", f"table {family} operator {{ chain c {{ type filter hook {hook} priority {priority}; {rule} drop; }}; }}"], \
        ["nft", f"delete table {family} operator"]


# what an operator may do to one way: how, how to undo it, which way, what relayd says
FAULTS = {
    "output": (*chain("ip", "output", "oifname eth0 ip protocol 41"), "6to4", "an IPv4 filter drops protocol 41"),
    "output-any": (*chain("inet", "output", "ip protocol 41"), "6to4", "an IPv4 filter drops protocol 41"),
    "postrouting": (*chain("ip", "postrouting", "oifname eth0 ip protocol 41", 100), "6to4",
                    "an IPv4 filter drops protocol 41"),
    "input": (*chain("ip", "input", "ip protocol 41"), "4to6", "do not reach the tunnel"),
    "forward-in": (*chain("ip6", "forward", "iifname r oifname eth0"), "4to6", "an IPv6 filter drops"),
    "forward-out": (*chain("ip6", "forward", "oifname r"), "6to4", "the tunnel does not send"),
    "ipv6-default": (["ip", "-6", "route", "del", "default"],
                     ["ip", "-6", "route", "add", "default", "via", "2001:db8:1::1"], "4to6",
                     "the IPv6 default route is gone"),
    "ipv4-default": (["ip", "-4", "route", "del", "default"],
                     ["ip", "-4", "route", "add", "default", "via", "203.0.113.1"], "6to4",
                     "the IPv4 default route is gone"),
}


def states(router):
    return {way: test["state"] for way, test in router.relay_json("r")["selfTests"].items()}


@pytest.mark.parametrize("fault", [pytest.param(fault, marks=() if "default" in fault else sit)
                                   for fault in sorted(FAULTS)])
def test_one_way_fault(up, fault):
    """Found and named within 3 s; the prefix of that way goes, the other stays, and comes back."""
    broken, mended, way, said = FAULTS[fault]
    up.relay.ns.run(*broken)
    started = time.monotonic()
    wait_for(lambda: states(up.relay)[way] == "failed", 15, f"{way} found broken")
    found = time.monotonic() - started
    try:
        data = up.relay.relay_json("r")
        assert (data["operStatus"], data["reason"]) == ("up", "self-test-failed")
        assert data["detail"].startswith(f"self-test {way}: ") and said in data["detail"]
        assert data["checks"]["selfTest"] == "failed"
        assert data["selfTests"][way]["detail"] == data["detail"]
        assert data["selfTests"][OTHER[way]]["state"] == "ok"
        up.bird.wait_routes([PREFIX[OTHER[way]]], absent=[PREFIX[way]])
        routes = {route["prefix"]: route for route in up.relay.relay_json("r")["routes"]}
        assert not routes[PREFIX[way]]["installed"] and way in routes[PREFIX[way]]["note"]
        assert routes[PREFIX[OTHER[way]]]["installed"]
        assert found < FOUND_S + ASKING_S
    finally:
        up.relay.ns.run(*mended)
    up.bird.wait_routes(ANYCAST)
    data = up.relay.wait_relay("r", "up", "ok")
    assert set(states(up.relay).values()) == {"ok"} and "detail" not in data["selfTests"][way]
    assert ping(up.h64, H6, source=H64_6)


def by_uplinks(router, *ways):
    """Probes have taken the default routes, so that these would be missed."""
    wait_for(lambda: all(router.relay_json("r")["selfTests"][way].get("interface") == "eth0" for way in ways), 10,
             "probes by eth0")


@pytest.mark.parametrize("direction,harmless,way,prefix", [("receive", "ipv4-default", "4to6", ANYCAST4),
                                                           ("transmit", "ipv6-default", "6to4", ANYCAST6)])
def test_a_way_that_is_off_is_not_judged(net, direction, harmless, way, prefix):
    """A relay that only receives, or only transmits, is judged by that alone."""
    net.relay.start("relayd")
    net.relay.configure("relay r", *BASIC, f"tunnel direction {direction}", "no shutdown")
    net.relay.wait_relay("r", "up")
    assert states(net.relay) == {way: "ok", OTHER[way]: "off"}
    net.bird.wait_routes([prefix])
    by_uplinks(net.relay, way)
    net.relay.ns.run(*FAULTS[harmless][0])
    holds_for(lambda: net.relay.relay_json("r")["reason"] == "ok", 5, "what is off does no harm")
    net.relay.ns.run(*FAULTS[harmless][1])
    fatal = "ipv6-default" if way == "4to6" else "ipv4-default"
    net.relay.ns.run(*FAULTS[fatal][0])
    data = net.relay.wait_relay("r", "down", "self-test-failed")
    assert FAULTS[fatal][3] in data["detail"]
    net.bird.wait_routes(absent=ANYCAST)
    net.relay.ns.run(*FAULTS[fatal][1])
    net.relay.wait_relay("r", "up", "ok")


@both
def test_probes_leave_by_the_uplink_and_no_further(up):
    """They meet every filter of the uplink, and never the wire."""
    wait_for(lambda: all(test.get("interface") == "eth0" and test["received"] > 1
                         for test in up.relay.relay_json("r")["selfTests"].values()), 10, "probes by eth0")
    ends = "ip daddr 192.0.0.8 counter", "ip6 daddr 100::/64 counter", "ip6 saddr 100::/64 counter"
    up.net.run("nft", "table inet seen { chain c { type filter hook prerouting priority -300; " + "; ".join(ends) + "; }; }")
    for way in PREFIX:
        before = up.relay.relay_json("r")["selfTests"][way]["received"]
        wait_for(lambda: up.relay.relay_json("r")["selfTests"][way]["received"] >= before + 3, 15, "three probes more")
    counted = up.net.run("nft", "list table inet seen").stdout
    assert counted.count("packets 0 bytes 0") == len(ends), counted


@pytest.fixture
def closed(net):
    """Relay r up in a closed network: without any default route."""
    for fault in ("ipv4-default", "ipv6-default"):
        net.relay.ns.run(*FAULTS[fault][0])
    try:
        net.relay.start("relayd")
        net.relay.configure("relay r", *BASIC, "no shutdown")
        net.relay.wait_relay("r", "up", "ok")
        yield net
    finally:
        for fault in ("ipv4-default", "ipv6-default"):
            net.relay.ns.run(*FAULTS[fault][1])


def test_closed_network(closed):
    """The probes turn round on the router: nothing is missing that was there."""
    for way in PREFIX:
        probed(closed.relay, way, 4)
    data = closed.relay.wait_relay("r", "up", "ok")
    assert all("interface" not in test for test in data["selfTests"].values())
    closed.bird.wait_routes(ANYCAST)


@sit
def test_filter_in_a_closed_network(closed):
    closed.relay.ns.run(*FAULTS["output-any"][0])
    wait_for(lambda: states(closed.relay) == {"4to6": "ok", "6to4": "failed"}, 15, "found here as well")
    closed.relay.ns.run(*FAULTS["output-any"][1])
    closed.relay.wait_relay("r", "up", "ok")


def test_a_way_comes_back_after_delay_up(up):
    """Coming back waits, for one way as for the relay."""
    up.relay.configure("relay r", "delay up 4")
    by_uplinks(up.relay, *PREFIX)
    up.relay.ns.run(*FAULTS["ipv4-default"][0])
    up.bird.wait_routes([ANYCAST4], absent=[ANYCAST6])
    up.relay.ns.run(*FAULTS["ipv4-default"][1])
    wait_for(lambda: states(up.relay)["6to4"] == "ok", 10, "the way is good again")
    began = time.monotonic()
    routes = {route["prefix"]: route for route in up.relay.relay_json("r")["routes"]}
    assert routes[ANYCAST6]["note"] == "delay up"
    up.bird.wait_routes(ANYCAST)
    assert time.monotonic() - began > 2.5


def probed(router, way, times):
    """So many probes later."""
    before = router.relay_json("r")["selfTests"][way]["sent"]
    wait_for(lambda: router.relay_json("r")["selfTests"][way]["sent"] >= before + times, 15, f"{times} probes {way}")


def test_each_way_has_a_delay_of_its_own(up):
    """The way that is mended later is announced later, though the relay was not up yet; another line changes nothing."""
    up.relay.configure("relay r", "delay up 10")
    by_uplinks(up.relay, *PREFIX)
    for fault in "ipv6-default", "ipv4-default":
        up.relay.ns.run(*FAULTS[fault][0])
    up.relay.wait_relay("r", "down", "self-test-failed")
    up.relay.ns.run(*FAULTS["ipv6-default"][1])
    up.relay.wait_relay("r", "init", "delay-up")
    began = time.monotonic()
    probed(up.relay, "4to6", 5)
    up.relay.ns.run(*FAULTS["ipv4-default"][1])
    wait_for(lambda: states(up.relay)["6to4"] == "ok", 10, "the other way is good again")
    second = time.monotonic()
    up.relay.configure("relay r", "description another line")
    up.relay.wait_relay("r", "up")
    assert time.monotonic() - began < 13, "the delay began anew"
    routes = {route["prefix"]: route for route in up.relay.relay_json("r")["routes"]}
    assert routes[ANYCAST6].get("note") == "delay up" and not routes[ANYCAST6]["installed"]
    up.bird.wait_routes(ANYCAST)
    assert time.monotonic() - second > 8.5


@sit
def test_what_is_told_follows_the_fault(up):
    """A way that goes on failing for another cause says the other cause."""
    def told(said):
        wait_for(lambda: said in up.relay.relay_json("r")["selfTests"]["4to6"].get("detail", ""), 25, said)
        assert up.relay.relay_json("r")["detail"].endswith(up.relay.relay_json("r")["selfTests"]["4to6"]["detail"])

    up.relay.ns.run(*FAULTS["ipv6-default"][0])
    told(FAULTS["ipv6-default"][3])
    up.relay.ns.run(*FAULTS["forward-in"][0])
    up.relay.ns.run(*FAULTS["ipv6-default"][1])
    told(FAULTS["forward-in"][3])
    up.relay.ns.run(*FAULTS["input"][0])
    up.relay.ns.run(*FAULTS["forward-in"][1])
    told(FAULTS["input"][3])
    up.relay.ns.run(*FAULTS["input"][1])
    up.relay.wait_relay("r", "up", "ok")


def test_a_discard_route_is_no_missing_default_route(up):
    """A blackhole for martians takes the probes, and nobody else's way out; without a default route it does."""
    martians = (["-4", "192.0.0.0/24"], ["-6", "100::/64"])
    by_uplinks(up.relay, *PREFIX)
    for family, prefix in martians:
        up.relay.ns.run("ip", family, "route", "add", "blackhole", prefix)
    try:
        wait_for(lambda: not any("interface" in test for test in up.relay.relay_json("r")["selfTests"].values()), 10,
                 "probes end here")
        for way in PREFIX:
            probed(up.relay, way, 4)
        data = up.relay.relay_json("r")
        assert (data["operStatus"], data["reason"]) == ("up", "ok")
        up.relay.ns.run(*FAULTS["ipv6-default"][0])
        wait_for(lambda: states(up.relay) == {"4to6": "failed", "6to4": "ok"}, 15, "the default route is missed")
        assert FAULTS["ipv6-default"][3] in up.relay.relay_json("r")["detail"]
        up.relay.ns.run(*FAULTS["ipv6-default"][1])
        up.relay.wait_relay("r", "up", "ok")
    finally:
        for family, prefix in martians:
            up.relay.ns.run("ip", family, "route", "del", "blackhole", prefix)


@both
def test_nothing_is_left_of_the_self_test(up):
    """Its host routes and tables go with the relay, and with `no self-test`."""
    def local_routes():
        text = up.relay.ns.run("ip", "-6", "route", "show", "table", "local").stdout
        return [line for line in text.splitlines() if "7265:6c7" in line]

    assert len(local_routes()) == 3 and all(" dev r " in line for line in local_routes())
    up.relay.configure("relay r", "no self-test")
    wait_for(lambda: not local_routes(), 5, "host routes gone")
    up.relay.configure("relay r", "self-test")
    wait_for(lambda: len(local_routes()) == 3, 5, "host routes back")
    assert ping(up.h6, H64_6)
    up.relay.configure("no relay r")
    wait_for(lambda: not local_routes() and "frr-relay" not in up.relay.ns.nft(), 15, "nothing left")


@both
def test_source_changes_without_a_self_test(up):
    """Nothing else brings news of a tunnel that is what it was, under another address."""
    up.relay.configure("relay r", "no self-test")
    for source in ("198.18.0.9", RELAY_ADDR):
        up.relay.configure("relay r", f"tunnel source {source}")
        up.relay.wait_relay("r", "up", "ok")
        up.bird.wait_routes(ANYCAST)
