# SPDX-License-Identifier: GPL-2.0-or-later
"""From a vtysh line to a BGP withdrawal, with packets of real 6to4 hosts in both directions."""

import time

import pytest

from lab import wait_for
from topology import ANYCAST, ANYCAST4, ANYCAST6, BASIC, H6, H64, H64_6, RELAY_ADDR
from wire import BgpSniffer, Sniffer, addr_delete, icmp6_echo, ipv4, link_delete, link_set, ping, send_raw, mac_of


def relay_if(net):
    return net.relay.relay_json("r")["interface"]


@pytest.mark.both
def test_operator_types_a_relay(net):
    """The contract's lines in vtysh, a neighbour that learns, hosts that reach each other."""
    net.relay.start("relayd")
    out = net.relay.vtysh_configure("relay r", "description main job", "tunnel mode ipv6ip 6to4",
                                    f"tunnel source {RELAY_ADDR}", "ipv6 address 2002:c058:6301::1/128",
                                    "drain-time 0", "no shutdown", "end")
    assert out == ""
    data = net.relay.wait_relay("r", "up", "ok")
    net.bird.wait_routes(ANYCAST)
    wait_for(lambda: all(r["installed"] for r in net.relay.relay_json("r")["routes"]), 20, "routes installed")
    assert data["adminStatus"] == "up" and data["interface"] == "r" and data["ifIndex"] > 0
    assert ping(net.h64, H6, source=H64_6)
    assert ping(net.h6, H64_6)
    # the relay itself answers under its 6to4 address (RFC 6343 section 4.4)
    assert ping(net.h64, "2002:c058:6301::1", source=H64_6)
    counters = net.relay.json("relayd", "show relay r counters json")["r"]
    assert counters["rx4to6"]["packets"] >= 2 and counters["tx6to4"]["packets"] >= 2


@pytest.mark.both
def test_packets_are_6to4_on_the_wire(up):
    """Outer addresses: the host's own, and the anycast address."""
    with Sniffer(up.net, "rl") as wire:
        assert ping(up.h6, H64_6)
        for outer, inner, outgoing in (((RELAY_ADDR, H64), (H6, H64_6), False), ((H64, RELAY_ADDR), (H64_6, H6), True)):
            wire.wait(lambda p: p.inner and (p.src, p.dst) == outer and (p.inner.src, p.inner.dst) == inner
                      and p.outgoing == outgoing, f"{outer} around {inner}")


@pytest.mark.both
def test_no_relay_no_traffic(net):
    """Without relayd nothing crosses: the pings of the other tests go through it."""
    assert not ping(net.h64, H6, source=H64_6, count=2, timeout=0.6)
    assert not ping(net.h6, H64_6, count=2, timeout=0.6)


FAULTS = {
    "interface deleted": lambda net: link_delete(net.relay.ns, "r"),
    "interface set down": lambda net: link_set(net.relay.ns, "r", False),
    "address deleted": lambda net: addr_delete(net.relay.ns, "r", f"{RELAY_ADDR}/32"),
    "relayd killed": lambda net: net.relay.kill("relayd"),
}


@pytest.mark.both
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_withdraws_and_mending_brings_back(up, fault):
    config = "\n".join(up.relay.running())
    with BgpSniffer(up.net, "rl") as wire:
        broken = time.time()
        FAULTS[fault](up)
        wait_for(lambda: all(wire.withdrawn(p, broken) for p in ANYCAST), 30, "UPDATE withdraws both")
        if fault == "relayd killed":
            up.bird.wait_routes(absent=ANYCAST)
            up.relay.start("relayd", config=config)
        elif fault == "interface set down":
            # an operator's decision: reported, not undone
            up.relay.wait_relay("r", "down", "interface-down")
            link_set(up.relay.ns, "r", True)
        wait_for(lambda: all(wire.announced(p, wire.withdrawn(p, broken)) for p in ANYCAST), 60, "both are back")
    up.relay.wait_relay("r", "up")
    up.bird.wait_routes(ANYCAST)
    assert ping(up.h64, H6, source=H64_6)
    assert ping(up.h6, H64_6)


@pytest.mark.parametrize("fault,reason", [("interface deleted", "interface-missing"),
                                          ("interface set down", "interface-down"),
                                          ("address deleted", "source-missing")])
def test_fault_is_named_in_the_history(up, fault, reason):
    FAULTS[fault](up)
    wait_for(lambda: reason in [h["reason"] for h in up.relay.json("relayd", "show relay r history json")["r"]],
             20, f"history names {reason}")


def test_network_statement_with_import_check(up):
    """bgpd may also originate by `network` with an import check."""
    bgpd = (f"router bgp 65001", "bgp network import-check",
            "address-family ipv4 unicast", "no redistribute openfabric", f"network {ANYCAST4}", "exit-address-family",
            "address-family ipv6 unicast", "no redistribute openfabric", f"network {ANYCAST6}", "exit-address-family")
    undo = (f"router bgp 65001",
            "address-family ipv4 unicast", f"no network {ANYCAST4}", "redistribute openfabric", "exit-address-family",
            "address-family ipv6 unicast", f"no network {ANYCAST6}", "redistribute openfabric", "exit-address-family")
    up.relay.configure(*bgpd, daemon="bgpd")
    try:
        up.bird.wait_routes(ANYCAST)
        up.relay.configure("relay r", "shutdown")
        up.bird.wait_routes(absent=ANYCAST)
        up.relay.configure("relay r", "no shutdown")
        up.bird.wait_routes(ANYCAST)
    finally:
        up.relay.configure(*undo, daemon="bgpd")


def test_a_relay_is_off_until_told(net):
    """RFC 7526: no route, no interface before `no shutdown`."""
    net.relay.start("relayd")
    net.relay.configure("relay r", *BASIC)
    data = net.relay.relay_json("r")
    assert (data["adminStatus"], data["operStatus"], data["reason"]) == ("down", "disabled", "shutdown")
    assert "r" not in net.relay.ns.links()
    assert net.relay.rib_openfabric() == set()


@pytest.mark.both
def test_unicast_tunnel_source(net):
    """RFC 3068 section 4.2: an equivalent unicast address is served the same way."""
    net.relay.start("relayd")
    net.relay.configure("relay r", "tunnel mode ipv6ip 6to4", f"tunnel source {net.relay.peer4}", "drain-time 0",
                        "no shutdown")
    net.relay.wait_relay("r", "up")
    net.bird.wait_routes(ANYCAST)
    # the host has the address already: it is not put a second time, nor taken away
    assert f"{net.relay.peer4}/32" not in net.relay.ns.addrs("r")
    with Sniffer(net.h6, "eth0") as wire:
        send_raw(net.h64, "eth0", ipv4(H64, net.relay.peer4, 41, icmp6_echo(H64_6, H6, 7, 7)),
                 mac_of(net.net, "h64"))
        wait_for(lambda: [p for p in wire.packets if (p.src, p.dst) == (H64_6, H6)], 10, "decapsulated echo")
    net.relay.configure("no relay r")
    wait_for(lambda: "r" not in net.relay.ns.links(), 20, "interface removed")
    assert f"{net.relay.peer4}/30" in net.relay.ns.addrs("eth0")
