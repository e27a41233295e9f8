# SPDX-License-Identifier: GPL-2.0-or-later
"""Dampening: a relay that flaps is held back, and the neighbour is spared.

What flaps is a tracked interface.  The numbers are those of
tests/unit/test_relay_dampening.c: a flap is 1000, p(t) = p(0) * 2^(-t / half-life).
"""

import time

import pytest

from lab import holds_for, wait_for
from topology import ANYCAST, ANYCAST4, ANYCAST6, BASIC
from wire import BgpSniffer, link_set

TRACK = ("track 7 interface flap line-protocol", "exit")
# suppressed by the first flap, for 60 s * log2(1000 / 900) = 9.1 s
SHORT = "dampening half-life 1 reuse 900 suppress 1000 max-suppress 1"
SHORT_S = 9.1


def flapping(router):
    """Adds the interface "flap", which goes down and up at once when told to."""
    router.ns.ip("link add flap type veth peer name flappeer", "link set flappeer up", "link set flap up")
    router.wait_track(7, "up")


def fall(router):
    link_set(router.ns, "flap", False)
    router.wait_track(7, "down")


def rise(router):
    link_set(router.ns, "flap", True)
    router.wait_track(7, "up")


def flap(router, name="r"):
    """One flap; the state that follows on it."""
    fall(router)
    assert router.relay_json(name)["reason"] == "track-down"
    rise(router)
    return router.relay_json(name)


@pytest.fixture
def flappy():
    """Calls flapping() on a router, and takes the interface away again."""
    routers = []

    def make(router):
        routers.append(router)
        flapping(router)

    yield make
    for router in routers:
        router.ns.ip("link del flap")


@pytest.fixture
def damped(rl, flappy):
    """Relay r, up, with track 7 and SHORT dampening, without BGP."""
    # the self-test goes where packets would go
    uplink = ("default via 10.0.0.2", "default via 2001:db8::2")
    rl.ns.ip(*[f"route add {route}" for route in uplink])
    try:
        rl.configure(*TRACK, "relay r", *BASIC, "track 7", SHORT, "no shutdown")
        flappy(rl)
        rl.wait_relay("r", "up", "ok")
        yield rl
    finally:
        rl.ns.ip(*[f"route del {route}" for route in uplink])


# -------------------------------------------------------------- configuration

def lines_of(router):
    return [line.strip() for line in router.running() if "dampening" in line]


def test_lines(rl):
    """Keywords or plain numbers go in, the contract's form comes out; each has its no."""
    rl.configure("relay r")
    assert "dampening" not in rl.relay_json("r")
    for line, shown in (
            ("dampening", "dampening"),
            ("dampening half-life 15 reuse 750 suppress 2000 max-suppress 60", "dampening"),
            ("dampening half-life 1 reuse 1 suppress 2 max-suppress 255",
             "dampening half-life 1 reuse 1 suppress 2 max-suppress 255"),
            ("dampening 45 19999 20000 1", "dampening half-life 45 reuse 19999 suppress 20000 max-suppress 1"),
            ("dampening 15 750 2000 60", "dampening")):
        rl.configure("relay r", line)
        assert lines_of(rl) == [shown]
        # the line as it is shown is the same again
        rl.configure("relay r", shown)
        assert lines_of(rl) == [shown]
        for no in ("no dampening", f"no {line}", f"no {shown}"):
            rl.configure("relay r", line)
            rl.configure("relay r", no)
            assert lines_of(rl) == [], no
            assert "dampening" not in rl.relay_json("r")


def test_shown_when_configured(rl):
    """JSON, text and YANG agree, and are silent where it is not configured."""
    rl.configure("relay r", *BASIC, "dampening 15 750 2000 60", "exit", "relay s")
    nothing = {"penalty": 0, "suppressed": False, "reuseInSeconds": 0, "flaps": 0}
    data = rl.relay_json()
    assert data["r"]["dampening"] == nothing and "dampening" not in data["s"]
    assert all(route["dampening"] == nothing for route in data["r"]["routes"])
    assert "Dampening half-life 15 min, reuse 750, suppress 2000, max-suppress 60 min" in rl.vtysh("show relay r")
    assert "ampening" not in rl.vtysh("show relay s")
    state = rl.json("relayd", "show yang operational-data /frr-relay:relay")["frr-relay:relay"]["instance"]
    assert state[0]["state"]["dampening"] == {"penalty": 0, "suppressed": False, "time-to-reuse": 0, "flaps": 0}
    assert "dampening" not in state[1]["state"]


def test_clear(rl):
    """It is the RPC; of one relay, of all, of none."""
    rl.configure("relay r", "dampening", "exit", "relay s")
    for line in ("clear relay dampening", "clear relay r dampening", "clear relay s dampening"):
        assert rl.vtysh(line) == ""
    assert rl.vtysh("clear relay nobody dampening") == "% No relay nobody\n"


# --------------------------------------------------------------------- flaps

def updates(wire, prefix, since):
    """(announcements, withdrawals) of a prefix; UPDATEs that say both count twice."""
    with wire.lock:
        seen = [u for u in wire.updates if u.time >= since]
    return sum(prefix in u.announced for u in seen), sum(prefix in u.withdrawn for u in seen)


def test_updates_are_bounded(net, flappy):
    """Sixty flaps are three withdrawals: 1000, 2000 less a little, and with the third one more than 2000.

    Then it is held back, with its reason; `clear` brings it back at once.
    """
    rl = net.relay
    rl.start("relayd")
    rl.configure(*TRACK, "relay r", *BASIC, "track 7", "no shutdown")
    flappy(rl)
    rl.wait_relay("r", "up")
    net.bird.wait_routes(ANYCAST)
    with BgpSniffer(net.net, "rl") as wire:
        # without dampening each flap is a withdrawal
        began = time.time()
        for _ in range(4):
            fall(rl)
            net.bird.wait_routes(absent=ANYCAST)
            rise(rl)
            net.bird.wait_routes(ANYCAST)
        assert {updates(wire, prefix, began) for prefix in ANYCAST} == {(4, 4)}

        rl.configure("relay r", "dampening")
        began = time.time()
        for number in range(1, 61):
            fall(rl)
            if number <= 3:
                net.bird.wait_routes(absent=ANYCAST)
            rise(rl)
            if number < 3:
                rl.wait_relay("r", "up")
                net.bird.wait_routes(ANYCAST)
            else:
                rl.wait_relay("r", "dampened", "dampened")
        took = time.time() - began
        data = rl.relay_json("r")
        assert {updates(wire, prefix, began) for prefix in ANYCAST} == {(2, 3)}

    assert rl.rib_openfabric() == set() and not [r for r in data["routes"] if r["installed"]]
    assert data["checks"]["selfTest"] == "ok" and data["tracks"] == [{"id": 7, "state": "up"}]
    damp = data["dampening"]
    # at the ceiling, 750 * 2^(60/15), or what a second has left of it
    assert damp["suppressed"] is True and damp["flaps"] == 60 and 11900 <= damp["penalty"] <= 12000
    assert 3580 <= damp["reuseInSeconds"] <= 3600
    assert data["detail"].startswith("penalty was 1")
    text = rl.vtysh("show relay r")
    assert " after 60 flaps, suppressed, reuse in 00:59:" in text or "suppressed, reuse in 01:00:00" in text
    line = rl.vtysh("show relay").splitlines()[-1].split()
    assert line[:5] == ["r", "6to4", "up", "dampened", "dampened"] and "0/2" in line
    history = rl.json("relayd", "show relay r history json")["r"]
    assert [h["to"] for h in history[-2:]] == ["down", "dampened"]
    state = rl.json("relayd", "show yang operational-data /frr-relay:relay")["frr-relay:relay"]["instance"][0]["state"]
    assert state["oper-status"] == "dampened" and state["dampening"]["suppressed"] is True
    print(f"60 flaps in {took:.1f} s: 3 withdrawals of each prefix")

    rl.vtysh("clear relay r dampening")
    data = rl.relay_json("r")
    assert data["operStatus"] == "up"
    assert data["dampening"] == {"penalty": 0, "suppressed": False, "reuseInSeconds": 0, "flaps": 0}
    net.bird.wait_routes(ANYCAST)


def test_reuse_by_itself(damped):
    """After the time that the formula gives, and not before; a fault in between goes first, and counts."""
    data = flap(damped)
    assert (data["operStatus"], data["reason"]) == ("dampened", "dampened")
    assert data["dampening"]["suppressed"] is True and 0 < data["dampening"]["reuseInSeconds"] <= SHORT_S + 1
    fall(damped)
    data = damped.relay_json("r")
    assert (data["operStatus"], data["reason"]) == ("down", "track-down")
    assert data["dampening"]["suppressed"] is True and data["dampening"]["flaps"] == 2
    # at the ceiling, 900 * 2^1, so that it is max-suppress that is left: one minute
    assert data["dampening"]["penalty"] <= 1800 and data["dampening"]["reuseInSeconds"] > 30
    rise(damped)
    damped.vtysh("clear relay dampening")
    damped.wait_relay("r", "up", timeout=2)

    began = time.monotonic()
    flap(damped)
    damped.wait_relay("r", "up", "ok", timeout=30)
    took = time.monotonic() - began
    assert SHORT_S - 0.2 < took < SHORT_S + 5, took
    assert damped.relay_json("r")["dampening"]["penalty"] < 900
    damped.wait_rib(ANYCAST)


def test_delay_up_runs_meanwhile(damped):
    """Whichever is over last; and from dampened straight to up."""
    damped.configure("relay r", "delay up 3")
    began = time.monotonic()
    fall(damped)
    rise(damped)
    data = damped.relay_json("r")
    assert (data["operStatus"], data["reason"]) == ("dampened", "dampened")
    # a fault before the delay has passed is no flap: it was not fit again
    fall(damped)
    rise(damped)
    assert damped.relay_json("r")["dampening"]["flaps"] == 1
    damped.wait_relay("r", "up", timeout=30)
    assert time.monotonic() - began < SHORT_S + 5
    history = damped.json("relayd", "show relay r history json")["r"]
    assert [h["to"] for h in history[-5:]] == ["down", "dampened", "down", "dampened", "up"]


def test_configured_in_place(damped):
    """`no dampening` releases at once; another line goes on with the penalty."""
    flap(damped)
    damped.wait_relay("r", "dampened")
    damped.configure("relay r", "dampening half-life 45 reuse 100 suppress 1000 max-suppress 255")
    data = damped.relay_json("r")
    assert data["operStatus"] == "dampened" and 900 < data["dampening"]["penalty"] <= 1000
    # 45 min * log2(10) = 8969 s
    assert 8500 < data["dampening"]["reuseInSeconds"] <= 8970 and data["dampening"]["flaps"] == 1
    assert "reuse 8" in data["detail"]
    # a `reuse` above the penalty
    damped.configure("relay r", "dampening half-life 45 reuse 1001 suppress 2000 max-suppress 255")
    damped.wait_relay("r", "up", timeout=2)
    assert damped.relay_json("r")["dampening"]["flaps"] == 1

    damped.configure("relay r", SHORT)
    flap(damped)
    damped.wait_relay("r", "dampened")
    damped.configure("relay r", "no dampening")
    damped.wait_relay("r", "up", timeout=2)
    assert "dampening" not in damped.relay_json("r")
    # and nothing is counted then
    flap(damped)
    damped.wait_relay("r", "up", timeout=5)


def test_what_is_no_flap(damped):
    """An operator's word, and zebra's absence."""
    for lines in (["shutdown", "no shutdown"], ["maintenance", "no maintenance"], ["delay up 1", "no delay up"],
                  ["tunnel source 192.88.99.2", "tunnel source 192.88.99.1"], ["no track", "track 7"],
                  ["tunnel interface r2", "no tunnel interface"]):
        for line in lines:
            damped.configure("relay r", line)
        damped.wait_relay("r", "up")
    # a line that puts it down: the object is down already
    damped.configure("relay r", "no track")
    fall(damped)
    damped.configure("relay r", "track 7")
    damped.wait_relay("r", "down", "track-down")
    rise(damped)
    damped.wait_relay("r", "up", timeout=5)
    # an object that is given something else to look at
    damped.configure("track 8 icmp-echo 10.0.0.2", "frequency 100", "exit", "relay r", "track 8")
    damped.wait_relay("r", "up")
    damped.configure("track 8 icmp-echo 10.0.1.2", "exit")
    damped.wait_relay("r", "up")
    # a tracked route that zebra takes with it
    damped.configure("track 9 ip route 10.0.0.0/24 reachability", "exit", "relay r", "track 9")
    damped.wait_relay("r", "up")
    damped.stop("zebra")
    damped.wait_relay("r", "down")
    damped.start("zebra")
    damped.wait_relay("r", "up")
    assert damped.relay_json("r")["dampening"] == {"penalty": 0, "suppressed": False, "reuseInSeconds": 0, "flaps": 0}


@pytest.mark.both
def test_each_check_flaps(damped):
    """Not tracks alone: what withdraws by itself counts."""
    for harm, cure in (
            (lambda: link_set(damped.ns, "r", False), lambda: link_set(damped.ns, "r", True)),
            (lambda: damped.ns.sysctl("net/ipv4/ip_forward", 0), lambda: damped.ns.sysctl("net/ipv4/ip_forward", 1)),
            (lambda: damped.ns.ip("link del r"), lambda: None)):
        harm()
        try:
            wait_for(lambda: damped.relay_json("r")["dampening"]["flaps"], 10, "a flap")
        finally:
            cure()
        damped.wait_relay("r", "dampened")
        # one failure is one flap, however many reasons it goes through
        assert damped.relay_json("r")["dampening"]["flaps"] == 1
        damped.vtysh("clear relay dampening")
        damped.wait_relay("r", "up", timeout=2)


def test_a_route_alone(net, flappy):
    """A route whose own object flaps has a penalty of its own; the relay and its other route stay."""
    rl = net.relay
    rl.start("relayd")
    rl.configure(*TRACK, "relay r", *BASIC, f"route {ANYCAST4}", f"route {ANYCAST6} track 7", "dampening",
                 "no shutdown")
    flappy(rl)
    rl.wait_relay("r", "up")
    net.bird.wait_routes(ANYCAST)

    def route():
        return {r["prefix"]: r for r in rl.relay_json("r")["routes"]}[ANYCAST6]

    with BgpSniffer(net.net, "rl") as wire:
        began = time.time()
        for number in range(1, 21):
            fall(rl)
            if number <= 3:
                net.bird.wait_routes(absent=[ANYCAST6])
            rise(rl)
            if number < 3:
                net.bird.wait_routes(ANYCAST)
        assert updates(wire, ANYCAST6, began) == (2, 3)
        assert updates(wire, ANYCAST4, began) == (0, 0)
    data = rl.relay_json("r")
    assert data["operStatus"] == "up" and data["dampening"]["flaps"] == 0
    assert route()["note"] == "dampened" and not route()["installed"]
    assert route()["dampening"]["suppressed"] is True and route()["dampening"]["flaps"] == 20
    assert "(dampened)" in rl.vtysh("show relay r")
    rl.vtysh("clear relay r dampening")
    net.bird.wait_routes(ANYCAST)
    assert "note" not in route() and route()["dampening"]["penalty"] == 0

    # reused by itself, and let go by `no dampening`
    rl.configure("relay r", SHORT)
    fall(rl)
    assert route()["note"] == "its tracked object is down"
    rise(rl)
    assert route()["note"] == "dampened"
    wait_for(lambda: not route()["installed"], 5, "zebra says that it is gone")
    holds_for(lambda: not route()["installed"], 3, "held back")
    wait_for(lambda: route()["installed"], 20, "reused")
    fall(rl)
    rise(rl)
    assert route()["note"] == "dampened"
    rl.configure("relay r", "no dampening")
    wait_for(lambda: route()["installed"], 5, "let go")


def test_a_way_alone(net):
    """A way whose self-test fails takes its route away, and penalises that route alone."""
    rl = net.relay
    rl.start("relayd")
    rl.configure("relay r", *BASIC, SHORT, "no shutdown")
    rl.wait_relay("r", "up", "ok")
    net.bird.wait_routes(ANYCAST)
    default = f"default via {rl.net4}"
    wait_for(lambda: rl.relay_json("r")["selfTests"]["6to4"].get("interface") == "eth0", 10, "probes by eth0")
    rl.ns.ip(f"route del {default}")
    try:
        net.bird.wait_routes([ANYCAST4], absent=[ANYCAST6])
    finally:
        rl.ns.ip(f"route add {default}")
    data = rl.wait_relay("r", "up", "ok")
    flaps = {route["prefix"]: route["dampening"]["flaps"] for route in data["routes"]}
    assert flaps == {ANYCAST4: 0, ANYCAST6: 1} and data["dampening"]["flaps"] == 0
    assert [route.get("note") for route in data["routes"]] == [None, "dampened"]
    rl.vtysh("clear relay r dampening")
    net.bird.wait_routes(ANYCAST)
