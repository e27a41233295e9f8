# SPDX-License-Identifier: GPL-2.0-or-later
"""Tracked objects, each kind on the real thing."""

import contextlib
import signal
import time

import pytest

from lab import holds_for, wait_for
from wire import Sniffer, link_set


@pytest.fixture
def peer_links(box):
    """Sets the peer's ends down and up again."""
    yield lambda ifname, is_up: link_set(box.peer, ifname, is_up)
    for ifname in ("eth0", "eth1"):
        link_set(box.peer, ifname, True)
        wait_for(lambda: "LOWER_UP" in box.relay.ns.link(ifname)["flags"], 10, f"{ifname} is up again")


def test_interface(rl, peer_links):
    """Up while operative: carrier, administrative state and existence all count."""
    rl.configure("track 1 interface eth1 line-protocol", "exit", "track 2 interface later line-protocol")
    rl.wait_track(1, "up")
    rl.wait_track(2, "down")
    peer_links("eth1", False)
    rl.wait_track(1, "down")
    peer_links("eth1", True)
    rl.wait_track(1, "up")
    assert rl.track_json(1)["transitions"] == 2
    rl.ns.ip("link add later type veth peer name laterpeer", "link set laterpeer up")
    try:
        holds_for(lambda: rl.track_json(2)["state"] == "down", 0.5, "down while not up")
        link_set(rl.ns, "later", True)
        rl.wait_track(2, "up")
        rl.ns.ip("link set later name renamed")
        rl.wait_track(2, "down")
        rl.ns.ip("link set renamed name later")
        rl.wait_track(2, "up")
    finally:
        rl.ns.ip("link del laterpeer")
    rl.wait_track(2, "down")


@pytest.mark.parametrize("version,prefix,nexthop,longer", [
    ("ip", "10.77.0.0/16", "10.0.0.2", "10.77.1.0/24"),
    ("ip", "0.0.0.0/0", "10.0.0.2", "128.0.0.0/1"),
    ("ipv6", "2001:db8:77::/48", "2001:db8::2", "2001:db8:77:1::/64"),
    ("ipv6", "::/0", "2001:db8::2", "2000::/3")])
def test_route(rl, version, prefix, nexthop, longer):
    """A selected, installed route for exactly the prefix; whoever brought it."""
    rl.configure(f"track 1 {version} route {prefix} reachability")
    rl.wait_track(1, "down")
    with rl.static_route(longer, nexthop):
        wait_for(lambda: rl.rib(longer), 10, "the longer prefix is routed")
        holds_for(lambda: rl.track_json(1)["state"] == "down", 1, "a longer prefix does not count")
        with rl.static_route(prefix, nexthop):
            rl.wait_track(1, "up")
        rl.wait_track(1, "down")
        # the kernel's own, more than once
        for _ in range(2):
            rl.ns.ip(f"route add {prefix} via {nexthop}")
            rl.wait_track(1, "up")
            rl.ns.ip(f"route del {prefix} via {nexthop}")
            rl.wait_track(1, "down")
        with rl.static_route(prefix, nexthop):
            rl.wait_track(1, "up")
        rl.wait_track(1, "down")


@pytest.mark.parametrize("version,prefix,nexthop", [("ip", "0.0.0.0/0", "10.0.0.2"), ("ipv6", "::/0", "2001:db8::2")])
def test_default_route_is_known_anew(rl, version, prefix, nexthop):
    """A new object, a new session with zebra: each knows what there is."""
    track = f"track 1 {version} route {prefix} reachability"
    with contextlib.ExitStack() as stack:
        rl.ns.ip(f"route add {prefix} via {nexthop}")
        stack.callback(rl.ns.ip, f"route del {prefix} via {nexthop}")
        wait_for(lambda: rl.rib(prefix), 10, "zebra has the kernel's route")
        for _ in range(2):
            rl.configure(track)
            rl.wait_track(1, "up")
            rl.configure("no track 1")
        rl.configure(track)
        rl.wait_track(1, "up")
        rl.stop("zebra")
        rl.wait_track(1, "down")
        rl.start("zebra")
        rl.wait_track(1, "up")
    rl.wait_track(1, "down")
    rl.configure("no track 1")
    rl.configure(track)
    rl.wait_track(1, "down")


def test_route_that_cannot_be_used(rl):
    """A route whose next hop is unreachable is in the RIB, but not installed."""
    rl.configure("track 1 ip route 10.78.0.0/16 reachability")
    with rl.static_route("10.78.0.0/16", "10.250.0.1"):
        rl.wait_track(1, "down")
        holds_for(lambda: rl.track_json(1)["state"] == "down", 1, "down")


@pytest.mark.parametrize("target,source", [("10.0.0.2", "10.0.1.1"), ("2001:db8::2", "2001:db8:1::1")])
def test_icmp_echo(rl, box, target, source):
    """Up while replies come; probes, timers and sources are as configured."""
    rl.ns.ip("link add iso type veth peer name isopeer", "addr add 10.0.66.1/24 dev iso", "link set iso up",
             "link set isopeer up")
    try:
        icmp_echo(rl, box, target, source)
    finally:
        rl.ns.ip("link del iso")


def icmp_echo(rl, box, target, source):
    rl.configure(f"track 1 icmp-echo {target}", "frequency 200", "timeout 100", "exit",
                 f"track 2 icmp-echo {target} source-address {source}", "frequency 200", "exit",
                 f"track 3 icmp-echo {target} source-interface eth0", "frequency 200", "exit",
                 f"track 4 icmp-echo {target} source-interface iso", "frequency 200", "timeout 100", "exit")
    for number in (1, 2, 3):
        rl.wait_track(number, "up")
    # that interface leads nowhere
    rl.wait_track(4, "down")
    address = target if ":" not in target else "2001:db8::2"
    bits = 64 if ":" in target else 24
    box.peer.ip(f"addr del {address}/{bits} dev eth0")
    try:
        for number in (1, 2, 3):
            rl.wait_track(number, "down")
    finally:
        box.peer.ip(f"addr add {address}/{bits} dev eth0" + (" nodad" if ":" in target else ""))
    for number in (1, 2, 3):
        rl.wait_track(number, "up")
    assert rl.track_json(1)["rttUsec"] > 0


def test_icmp_echo_link_local(rl, box):
    target = next(a for a in box.peer.addrs("eth1") if a.startswith("fe80")).split("/")[0]
    rl.configure(f"track 1 icmp-echo {target} source-interface eth1", "frequency 200")
    rl.wait_track(1, "up")


def test_icmp_probes(rl, box):
    """probes up, probes down: that many in a row."""
    rl.configure("track 1 icmp-echo 10.0.9.9", "frequency 300", "timeout 100", "probes up 4 down 2")
    began = time.monotonic()
    rl.wait_track(1, "down")
    box.peer.ip("addr add 10.0.9.9/32 dev lo")
    rl.ns.ip("route add 10.0.9.9/32 via 10.0.0.2")
    try:
        reachable = time.monotonic()
        rl.wait_track(1, "up")
        assert time.monotonic() - reachable > 3 * 0.3 * 0.9
    finally:
        rl.ns.ip("route del 10.0.9.9/32 via 10.0.0.2")
        box.peer.ip("addr del 10.0.9.9/32 dev lo")
    assert began
    rl.wait_track(1, "down")


def test_icmp_300_targets(rl, box):
    """Hundreds at once, none of them blocks another: all known within seconds, and the dead ones told apart."""
    box.peer.ip(*[f"addr add 10.50.0.{n}/32 dev lo" for n in range(1, 151)])
    box.peer.ip(*[f"addr add 2001:db8:50::{n:x}/128 dev lo nodad" for n in range(1, 101)])
    rl.ns.ip("route add 10.50.0.0/16 via 10.0.0.2", "route add 2001:db8:50::/64 via 2001:db8::2")
    alive = [f"10.50.0.{n}" for n in range(1, 151)] + [f"2001:db8:50::{n:x}" for n in range(1, 101)]
    dead = [f"10.50.1.{n}" for n in range(1, 51)]
    try:
        lines = []
        for number, target in enumerate(alive + dead, 1):
            lines += [f"track {number} icmp-echo {target}", "frequency 1000", "probes down 2", "exit"]
        rl.configure(*lines)

        def known():
            states = [track["state"] for track in rl.track_json().values()]
            return states == ["up"] * len(alive) + ["down"] * len(dead)

        wait_for(known, 30, "250 up, 50 down")
        began = time.monotonic()
        assert len(rl.track_json()) == 300
        assert time.monotonic() - began < 2
        holds_for(known, 3, "stays so")
        assert all(track["transitions"] == 0 for track in rl.track_json().values())
        rl.configure(*[f"no track {n}" for n in range(1, 301)])
        assert rl.track_json() == {}
    finally:
        rl.ns.ip("route del 10.50.0.0/16", "route del 2001:db8:50::/64")
        box.peer.ip("addr flush dev lo scope global")


def test_list_boolean(rl, peer_links):
    rl.configure("track 1 interface eth0 line-protocol", "exit", "track 2 interface eth1 line-protocol", "exit",
                 "track 3 interface nowhere line-protocol", "exit",
                 "track 10 list boolean and", "object 1", "object 2", "exit",
                 "track 11 list boolean or", "object 2", "object 3", "exit",
                 "track 12 list boolean and", "object 1", "object 3 not", "exit",
                 "track 13 list boolean or", "object 3", "object 2 not", "exit",
                 "track 14 list boolean and", "object 10", "object 11", "object 13 not", "exit",
                 "track 15 list boolean and", "exit", "track 16 list boolean or")

    def states(*numbers):
        return [rl.track_json(n)["state"] for n in numbers]

    wait_for(lambda: states(10, 11, 12, 13, 14) == ["up", "up", "up", "down", "up"], 10, "eth1 up")
    peer_links("eth1", False)
    wait_for(lambda: states(10, 11, 12, 13, 14) == ["down", "down", "up", "up", "down"], 10, "eth1 down")
    # lines come and go
    rl.configure("track 10 list boolean and", "no object 2")
    rl.wait_track(10, "up")
    rl.configure("track 10 list boolean and", "object 3")
    rl.wait_track(10, "down")
    rl.configure("track 10 list boolean or")
    rl.wait_track(10, "up")
    # nothing is not proof of anything
    assert "up" not in states(15, 16)


def test_delay_up_and_down(rl, peer_links):
    peer_links("eth1", False)
    rl.configure("track 1 interface eth1 line-protocol", "delay up 2 down 3")
    rl.wait_track(1, "down")
    began = time.monotonic()
    peer_links("eth1", True)
    rl.wait_track(1, "up")
    assert time.monotonic() - began > 1.8
    began = time.monotonic()
    peer_links("eth1", False)
    rl.wait_track(1, "down")
    assert 2.8 < time.monotonic() - began < 15
    # a change that does not last is none
    transitions = rl.track_json(1)["transitions"]
    peer_links("eth1", True)
    time.sleep(0.5)
    peer_links("eth1", False)
    holds_for(lambda: rl.track_json(1)["state"] == "down", 3, "a flap shorter than the delay")
    assert rl.track_json(1)["transitions"] == transitions


def test_target_changes_in_place(rl):
    """The same object with another target is the same object."""
    rl.configure("track 1 icmp-echo 10.0.0.2", "frequency 200", "timeout 100")
    rl.wait_track(1, "up")
    rl.configure("track 1 icmp-echo 10.0.0.99")
    rl.wait_track(1, "down")
    assert rl.running()[:3] == ["track 1 icmp-echo 10.0.0.99", " frequency 200", " timeout 100"]
    rl.configure("track 1 icmp-echo 10.0.0.2")
    rl.wait_track(1, "up")


def test_zebra_gone_means_no_route_is_known(rl):
    """Reachability that nobody can vouch for is not up; it is up again with zebra."""
    rl.configure("track 1 ip route 10.0.0.0/24 reachability")
    rl.wait_track(1, "up")
    rl.stop("zebra")
    wait_for(lambda: rl.track_json(1)["state"] != "up", 20, "not up without zebra")
    rl.start("zebra")
    rl.wait_track(1, "up")


def test_icmp_no_burst_after_a_stall(box, rl):
    """1,000 probes a second: what a moment's standstill has put off does not leave all at once, and nobody goes down."""
    rl.configure(*[line for n in range(1, 251) for line in (f"track {n} icmp-echo 10.0.0.2", "frequency 250", "exit")])
    wait_for(lambda: all(t["state"] == "up" for t in rl.track_json().values()), 20, "all up")
    with Sniffer(box.peer, "eth0") as wire:
        for _ in range(5):
            seen = len(wire.packets)
            rl.kill("relayd", signal.SIGSTOP)
            time.sleep(0.04)
            rl.kill("relayd", signal.SIGCONT)
            wait_for(lambda: len(wire.packets) > seen + 400, 10, "probes go on")
        times = sorted(p.time for p in wire.packets if p.proto == 1 and not p.outgoing)
    most = max(sum(t <= other < t + 0.001 for other in times[n:n + 100]) for n, t in enumerate(times))
    # 40 without a limit; a tick's 12, or those of two ticks that came late themselves
    assert most < 30, most
    assert all(t["transitions"] == 0 for t in rl.track_json().values())
