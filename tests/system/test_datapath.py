# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tunnel does to packets: directions, outer source, TTL, MTU, transit, several next hops."""

import struct
import time

import pytest

from lab import Lab, wait_for
from topology import ANYCAST, ANYCAST4, ANYCAST6, BASIC, H6, H64, H64_6, H64B, H64B_6, RELAY_ADDR
from wire import Sniffer, icmp6_echo, ipv4, ipv6, mac_of, ping, send_raw

both = pytest.mark.both


def with_relay(net, *lines, routes=ANYCAST):
    net.relay.start("relayd")
    net.relay.configure("relay r", *BASIC, *lines, "no shutdown")
    net.relay.wait_relay("r", "up")
    net.relay.wait_rib(routes)
    return net


def into_relay4(net, packet):
    """An IPv4 packet arrives at the relay from the internet."""
    send_raw(net.net, "rl", packet, mac_of(net.relay.ns, "eth0"))


def crosses(net, inject, sniff, match, seconds=10):
    """True when a packet that inject() sends comes out at sniff = (ns, ifname); sent again until then."""
    with Sniffer(*sniff) as wire:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            inject()
            time.sleep(0.05)
            if [p for p in list(wire.packets) if match(p)]:
                return True
    return False


def from_6to4(net):
    """An echo request of the 6to4 host goes 4->6."""
    return crosses(net, lambda: into_relay4(net, ipv4(H64, RELAY_ADDR, 41, icmp6_echo(H64_6, H6, 1, 1))),
                   (net.net, "rl"), lambda p: (p.src, p.dst, p.outgoing) == (H64_6, H6, False), 3)


def to_6to4(net, dst=H64_6, outer=H64, port=("rl", "net")):
    """An echo request of the native host goes 6->4; the outer packet is returned."""
    found = []

    def match(p):
        if p.inner and p.dst == outer and p.inner.dst == dst and not p.outgoing:
            found.append(p)
            return True
        return False

    crosses(net, lambda: send_raw(net.net, "rl", icmp6_echo(H6, dst, 1, 1), mac_of(net.relay.ns, "eth0")),
            (net.net, "rl"), match, 3)
    return found[0] if found else None


# ------------------------------------------------------------------ direction

@pytest.mark.parametrize("direction,routes,receives,transmits",
                         [("both", ANYCAST, True, True),
                          pytest.param("receive", (ANYCAST4,), True, False, marks=both),
                          pytest.param("transmit", (ANYCAST6,), False, True, marks=both)])
def test_direction(net, direction, routes, receives, transmits):
    """Routes of a direction that is off are not there, and its packets are not served."""
    with_relay(net, f"tunnel direction {direction}", routes=routes)
    net.bird.wait_routes(routes, absent=set(ANYCAST) - set(routes))
    assert [r["prefix"] for r in net.relay.relay_json("r")["routes"]] == list(routes)
    assert from_6to4(net) == receives
    # a router that still sends there meets the kernel route, if there is one
    if not transmits:
        net.relay.ns.ip(f"route add {ANYCAST6} dev r")
    assert bool(to_6to4(net)) == transmits


def test_direction_changes_at_once(up):
    up.relay.configure("relay r", "tunnel direction receive")
    up.bird.wait_routes([ANYCAST4], absent=[ANYCAST6])
    up.relay.configure("relay r", "no tunnel direction")
    up.bird.wait_routes(ANYCAST)
    assert ping(up.h6, H64_6)


# ------------------------------------------------------------ transmit-source

@pytest.mark.parametrize("source", [pytest.param("192.88.99.3", marks=both), "203.0.113.2"])
def test_transmit_source(net, source):
    """6->4 leaves with the transmit source; 4->6 still comes to the tunnel source."""
    with_relay(net, f"tunnel transmit-source {source}")
    assert net.relay.relay_json("r")["transmitSource"] == source
    packet = to_6to4(net)
    assert packet and packet.src == source
    assert from_6to4(net)
    # what the relay itself sends is no exception
    net.relay.configure("relay r", "ipv6 address 2002:c058:6301::1/128")
    wait_for(lambda: "2002:c058:6301::1/128" in net.relay.ns.addrs("r"), 20, "address on the tunnel")
    with Sniffer(net.net, "rl") as wire:
        def answered():
            into_relay4(net, ipv4(H64, RELAY_ADDR, 41, icmp6_echo(H64_6, "2002:c058:6301::1", 1, 1)))
            time.sleep(0.05)
            return [p for p in wire.tunnelled(dst=H64, outgoing=False) if p.inner.payload[:1] == b"\x81"]
        replies = wait_for(answered, 20, "the relay answers an echo")
    assert {p.src for p in replies} == {source}
    net.relay.configure("relay r", "no tunnel transmit-source")
    assert net.relay.relay_json("r")["transmitSource"] == RELAY_ADDR
    wait_for(lambda: (p := to_6to4(net)) and p.src == RELAY_ADDR, 20, "the tunnel source again")


# -------------------------------------------------------------------- TTL, MTU

@pytest.mark.parametrize("ttl", [None, 1, pytest.param(33, marks=both), 255])
def test_outer_ttl(net, ttl):
    with_relay(net, *([f"tunnel ttl {ttl}"] if ttl else []))
    assert to_6to4(net).ttl == (ttl or 64)
    assert net.relay.relay_json("r")["ttl"] == (ttl or 64)


@both
def test_ttl_and_mtu_change_in_place(up):
    """No new interface, no withdrawal."""
    before = up.relay.relay_json("r")
    up.relay.configure("relay r", "tunnel ttl 77", "ipv6 mtu 1400")
    wait_for(lambda: up.relay.ns.link("r").get("mtu") == 1400, 10, "mtu")
    assert to_6to4(up).ttl == 77
    after = up.relay.relay_json("r")
    assert after["mtu"] == 1400 and after["ttl"] == 77
    assert (after["ifIndex"], after["transitions"]) == (before["ifIndex"], before["transitions"])


@pytest.mark.parametrize("mtu", [1280, pytest.param(1400, marks=both)])
def test_inner_mtu(net, mtu):
    """A packet of the MTU crosses, a larger one is answered with Packet Too Big that names it."""
    with_relay(net, f"ipv6 mtu {mtu}")
    mac = mac_of(net.relay.ns, "eth0")
    fits = icmp6_echo(H6, H64_6, 2, 1, b"x" * (mtu - 48))
    assert crosses(net, lambda: send_raw(net.net, "rl", fits, mac), (net.net, "rl"),
                   lambda p: p.inner and len(p.payload) == mtu)
    if mtu == 1280:
        return  # a larger one may still come out in fragments (RFC 4213 section 3.2)
    big = icmp6_echo(H6, H64_6, 2, 1, b"x" * (mtu - 47))
    assert crosses(net, lambda: send_raw(net.net, "rl", big, mac), (net.net, "rl"),
                   lambda p: (p.version, p.dst, p.payload[:2]) == (6, H6, b"\x02\0")
                   and struct.unpack("!I", p.payload[4:8])[0] == mtu)


@both
def test_static_mtu_leaves_df_clear(up):
    """RFC 4213 section 3.2: with a static MTU the outer DF bit is not set."""
    assert not to_6to4(up).dont_fragment


# -------------------------------------------------------------------- transit

def another_relays_packet(net):
    """A packet of another anycast relay, on its way to a 6to4 host behind this router."""
    return crosses(net, lambda: into_relay4(net, ipv4(RELAY_ADDR, H64B, 41, icmp6_echo(H6, H64B_6, 3, 3))),
                   (net.h64b, "eth0"), lambda p: p.inner and p.src == RELAY_ADDR and p.inner.dst == H64B_6, 3)


@both
def test_transit_of_another_relay(net):
    """Several relays share 192.88.99.1: this router forwards what the others send."""
    with_relay(net)
    assert another_relays_packet(net)


def test_transit_before_and_after(net):
    """The router forwards such packets without a relay, and again when it is gone."""
    assert another_relays_packet(net)
    with_relay(net)
    net.relay.configure("no relay r")
    wait_for(lambda: "r" not in net.relay.ns.links(), 20, "interface removed")
    assert another_relays_packet(net)


@pytest.mark.sit
def test_plain_linux_relay_drops_transit(net):
    """The trouble that relayd cures is there: sit and the address by hand, and they are martians."""
    net.relay.ns.ip(f"tunnel add byhand mode sit remote any local {RELAY_ADDR} ttl 64",
                    "link set byhand up", f"addr add {RELAY_ADDR}/32 dev byhand")
    try:
        assert not another_relays_packet(net)
    finally:
        net.relay.ns.ip("link del byhand")


# ------------------------------------------------------------ IPv4 next hops

@both
def test_two_next_hops(net):
    """Two 6to4 hosts behind two IPv4 next hops, turn by turn: sit's one cached route is not theirs."""
    with_relay(net)
    lost = []
    for _ in range(5):
        for dst, ns, ifname, outer in ((H64_6, net.net, "rl", H64), (H64B_6, net.h64b, "eth0", H64B)):
            with Sniffer(ns, ifname) as wire:
                send_raw(net.net, "rl", icmp6_echo(H6, dst, 4, 4), mac_of(net.relay.ns, "eth0"))
                end = time.monotonic() + 1
                while time.monotonic() < end and not wire.tunnelled(dst=outer):
                    time.sleep(0.02)
                if not wire.tunnelled(dst=outer):
                    lost.append(dst)
    assert not lost


@pytest.mark.sit
def test_several_next_hops_are_said(net):
    """sit alone is safe behind a single IPv4 next hop: with two the relay says so, with one it does not."""
    with_relay(net, "tunnel datapath sit")
    assert "note" not in net.relay.relay_json("r")
    net.relay.ns.ip(f"route add 203.0.114.0/24 via {H64B}")
    try:
        wait_for(lambda: "next hop" in net.relay.relay_json("r").get("note", ""), 20, "a note in show relay")
        wait_for(lambda: "next hop" in net.relay.log("relayd"), 10, "a line in the log")
    finally:
        net.relay.ns.ip("route del 203.0.114.0/24")
    wait_for(lambda: not net.relay.relay_json("r").get("note"), 30, "the note goes")


# ------------------------------------------------------------------- counters

@both
def test_counters(up):
    """Each packet counts once in its direction, the self-test does not; clear starts from zero."""
    up.relay.configure("relay r", "no self-test")
    up.relay.ask("relayd", "clear relay r counters")
    up.relay.configure("relay r", "self-test")
    zero = up.relay.json("relayd", "show relay r counters json")["r"]
    assert set(zero) >= {"rx4to6", "tx6to4", "drops"} and all(isinstance(n, int) for n in zero["drops"].values())
    size = 48 + len(b"frr-relay")
    for n in range(5):
        send_raw(up.net, "rl", icmp6_echo(H6, H64_6, 5, n, kind=129), mac_of(up.relay.ns, "eth0"))
    for n in range(3):
        into_relay4(up, ipv4(H64, RELAY_ADDR, 41, icmp6_echo(H64_6, H6, 5, n, kind=129)))

    def counted():
        now = up.relay.json("relayd", "show relay r counters json")["r"]
        return now["tx6to4"]["packets"] >= 5 and now["rx4to6"]["packets"] >= 3 and now
    now = wait_for(counted, 10, "packets are counted")
    time.sleep(2.5)  # two self-tests more must not show
    now = up.relay.json("relayd", "show relay r counters json")["r"]
    assert now["tx6to4"] == {"packets": 5, "bytes": 5 * size}
    assert now["rx4to6"] == {"packets": 3, "bytes": 3 * size}
    up.relay.ask("relayd", "clear relay counters")
    now = up.relay.json("relayd", "show relay r counters json")["r"]
    assert now["tx6to4"] == {"packets": 0, "bytes": 0} == now["rx4to6"]
    # all relays at once
    assert set(up.relay.json("relayd", "show relay counters json")) == {"r"}


def test_bad_6to4_source_is_dropped_and_counted(up):
    """A 2002: source that does not embed the outer one (RFC 3964 section 5.2) does not cross."""
    before = sum(up.relay.json("relayd", "show relay r counters json")["r"]["drops"].values())
    forged = ipv4("198.51.100.99", RELAY_ADDR, 41, icmp6_echo(H64_6, H6, 6, 6))
    assert not crosses(up, lambda: into_relay4(up, forged), (up.net, "rl"),
                       lambda p: (p.src, p.dst, p.outgoing) == (H64_6, H6, False), 1)
    wait_for(lambda: sum(up.relay.json("relayd", "show relay r counters json")["r"]["drops"].values()) > before,
             10, "a drop is counted")
