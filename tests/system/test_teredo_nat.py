# SPDX-License-Identifier: GPL-2.0-or-later
"""Miredo's clients and server behind NATs of every kind, in both orders, and through what happens to them."""

import struct
import time

import pytest

from lab import holds_for, wait_for
from teredo_lab import (CLIENT_PORT, CONES, KINDS, RELAY_PORT, TEREDO, TeredoInternet, drops, miredo_relay, peer_json,
                        teredo_mapping, transfer)
from topology import H6
from wire import BgpSniffer, Flow, Sniffer, ping

# those with the mark "both" run on the oldest kernel too
native, both = pytest.mark.native, pytest.mark.both

MEGABYTE = 1 << 20


def ports(packet):
    return struct.unpack("!HH", packet.payload[:4])


def from_relay(net, packet):
    """A packet that the relay has sent by UDP."""
    return packet.proto == 17 and packet.src == net.relay.peer4 and ports(packet)[0] == RELAY_PORT


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=both if kind == "port-restricted" else native)
                                  for kind in CONES])
def test_host_first(teredo_up, kind):
    """The first packet to a client that nobody knows gets through; then TCP in both directions."""
    client = teredo_up.client(kind)
    assert ping(teredo_up.h6, client.address, count=1, timeout=10), "the first packet is lost"
    peer = peer_json(teredo_up.relay, client.address)
    assert (peer["mappedAddress"], peer["mappedPort"]) == teredo_mapping(client.address)
    assert (peer["mappedAddress"], peer["state"]) == (teredo_up.nats[kind].wan, "trusted")
    assert transfer(teredo_up.h6, client.ns, client.address, MEGABYTE)
    assert transfer(client.ns, teredo_up.h6, H6, MEGABYTE)


@native
@pytest.mark.parametrize("kind", CONES)
def test_client_first(teredo_up, kind):
    """The client finds the relay by its connectivity test, and its first packet gets through."""
    client = teredo_up.client(kind)
    assert ping(client.ns, H6, count=1, timeout=10), "the first packet is lost"
    assert peer_json(teredo_up.relay, client.address)["state"] == "trusted"
    assert transfer(client.ns, teredo_up.h6, H6, MEGABYTE)
    assert ping(teredo_up.h6, client.address, count=1, timeout=10)


@native
def test_symmetric(teredo_up):
    """RFC 4380 section 5.4.2: what does not come from the address's own port is dropped, so nothing crosses.

    A client of the RFC's finds that its NAT is symmetric and has no address;
    Miredo's gets one, and a Miredo relay would send to wherever a bubble came
    from.
    """
    client = teredo_up.client("symmetric")
    mapped = teredo_mapping(client.address)
    spoofed = drops(teredo_up.relay, "source-spoofed")
    with Sniffer(teredo_up.net, f"nat{teredo_up.nats['symmetric'].number}") as wire:
        assert not ping(teredo_up.h6, client.address, count=1, timeout=1)
        wait_for(lambda: drops(teredo_up.relay, "source-spoofed") > spoofed, 10, "its bubbles are dropped")
        assert not ping(client.ns, H6, count=2, timeout=4)
        assert peer_json(teredo_up.relay, client.address)["state"] != "trusted"
        # four bubbles, two seconds apart, and what waited for an answer goes
        wait_for(lambda: drops(teredo_up.relay, "no-answer") > 0, 20, "what was queued goes")
        sent = [(p.dst, ports(p)[1]) for p in wire.packets if from_relay(teredo_up, p)]
    assert sent and set(sent) == {mapped}, f"the relay sent to {set(sent)}, the address says {mapped}"


@native
@pytest.mark.parametrize("kind", KINDS)
def test_miredo_as_relay(teredo, kind):
    """The lab, by itself: the other implementation crosses the same NATs, and the symmetric one too."""
    router = teredo.relay
    relay = miredo_relay(teredo, router.ns, router.peer4)
    teredo.net.ip(f"route add {TEREDO} via {router.peer6}")
    try:
        client = teredo.client(kind)
        assert ping(teredo.h6, client.address, count=1, timeout=10)
        assert ping(client.ns, H6, count=1, timeout=10)
    finally:
        teredo.net.ip(f"route del {TEREDO}")
        relay.stop()


@native
def test_packets_bypass_the_engine(teredo_up, datapath):
    """By eBPF a transfer hardly touches the TUN; without, all of it goes through."""
    client = teredo_up.client("port-restricted")
    assert ping(teredo_up.h6, client.address)

    def through_tun():
        stats = teredo_up.relay.ns.ip_json("-s", "link", "show", "dev", "t")[0]["stats64"]
        return stats["rx"]["packets"] + stats["tx"]["packets"]

    def crossed():
        counters = teredo_up.relay.json("relayd", "show relay t counters json")["t"]
        return counters["rx4to6"]["packets"] + counters["tx6to4"]["packets"]

    before = through_tun(), crossed()
    assert transfer(client.ns, teredo_up.h6, H6, 4 * MEGABYTE)
    # the programs' counters are read five times a second at most
    packets = wait_for(lambda: (n := crossed() - before[1]) > 3000 and n, 5, "they are counted")
    tun = through_tun() - before[0]
    if datapath == "ebpf":
        assert tun < packets / 10, f"{tun} of {packets} packets through the TUN"
    else:
        assert tun >= packets, f"{tun} of {packets} packets through the TUN"


# ------------------------------------------------------------------ in mid-flow

@native
def test_rebinding(teredo_up):
    """The NAT loses its state and gives the client another port: a new address that works, the old one is refused."""
    router, nat = teredo_up.relay, teredo_up.nats["port-restricted"]
    client = teredo_up.client("port-restricted")
    old = client.address
    assert ping(teredo_up.h6, old, count=1, timeout=10)
    spoofed = drops(router, "source-spoofed")
    with Flow(client.ns, old, teredo_up.h6, H6, rate=50) as flow:
        wait_for(lambda: len(flow.seen) > 25, 20, "the flow")
        nat.rebind(CLIENT_PORT + 1000)
        # it goes on sending as before, out of another port
        wait_for(lambda: drops(router, "source-spoofed") >= spoofed + 20, 20, "the old address is a spoofed one now")
        # Miredo asks its server every 30 s
        new = client.wait_address(timeout=60, other_than=old)
        seen = len(flow.seen)
    assert teredo_mapping(new) == (nat.wan, CLIENT_PORT + 1000)
    assert ping(teredo_up.h6, new, count=1, timeout=10), "the first packet to the new address is lost"
    assert ping(client.ns, H6, count=1, timeout=10)
    assert peer_json(router, new)["mappedPort"] == CLIENT_PORT + 1000
    assert transfer(teredo_up.h6, client.ns, new, MEGABYTE)
    # what still comes under the old address does not get to the host
    client.ns.ip(f"addr add {old}/128 dev teredo nodad")
    try:
        assert not ping(client.ns, H6, source=old, count=2, timeout=2)
        with Flow(client.ns, old, teredo_up.h6, H6, rate=50) as flow:
            holds_for(lambda: not flow.seen, 1, "nothing of the old address arrives")
    finally:
        client.ns.ip(f"addr del {old}/128 dev teredo")
    print(f"{seen} packets crossed before the NAT forgot")


def flows(net, client):
    return (Flow(client.ns, client.address, net.h6, H6, rate=100, port=4001),
            Flow(net.h6, H6, client.ns, client.address, rate=100, port=4002))


def gap(flow):
    """Seconds of the longest run of packets that were lost."""
    longest = run = 0
    for number in range(max(flow.seen, default=0)):
        run = 0 if number in flow.seen else run + 1
        longest = max(longest, run)
    return longest / flow.rate


# seconds without a packet: a person would hardly notice the first; the second is a daemon that starts, on a busy machine
MOVE_S, RESTART_S = 0.5, 5.0


@native
@pytest.mark.parametrize("how", ["killed", "planned"])
def test_restart_in_mid_flow(teredo_up, how):
    """The next relayd knows no peer; the flow in both directions comes back by itself, under the same address."""
    router = teredo_up.relay
    client = teredo_up.client("port-restricted")
    address = client.address
    assert ping(teredo_up.h6, address)
    config = "\n".join(router.running())
    out, back = flows(teredo_up, client)
    with out, back:
        wait_for(lambda: len(out.seen) > 50 and len(back.seen) > 50, 20, "traffic both ways")
        began = time.monotonic()
        if how == "killed":
            router.kill("relayd")
        else:
            assert router.stop("relayd") == 0
        router.start("relayd", config=config)
        router.wait_relay("t", "up")
        teredo_up.bird.wait_routes([TEREDO])
        seen = [len(flow.seen) for flow in (out, back)]
        wait_for(lambda: all(len(flow.seen) > n + 100 for flow, n in zip((out, back), seen)), 30,
                 "traffic both ways again")
        took = time.monotonic() - began
        lost = [len(flow.stop()) for flow in (out, back)]
    print(f"{how}: {took:.1f} s; longest gaps {[gap(f) for f in (out, back)]} s, lost {lost} of {[out.sent, back.sent]}")
    assert client.address == address
    assert max(gap(out), gap(back)) < RESTART_S
    assert peer_json(router, address)["state"] == "trusted"


@native
def test_planned_restart_is_not_noticed(teredo_up, datapath):
    """`relay graceful-restart`: no UPDATE, though a TUN without its process has no carrier; the programs carry on."""
    router = teredo_up.relay
    client = teredo_up.client("port-restricted")
    assert ping(teredo_up.h6, client.address)
    router.configure("relay graceful-restart 120")
    config = "\n".join(router.running())
    with BgpSniffer(teredo_up.net, "rl") as wire:
        assert router.stop("relayd") == 0
        assert "NO-CARRIER" in router.ns.link("t")["flags"]
        if datapath == "ebpf":
            assert ping(teredo_up.h6, client.address) and ping(client.ns, H6)
        # link news that zebra goes through its routes for
        router.ns.ip("link add news type veth peer name newspeer", "link set news up", "link del news")
        holds_for(lambda: wire.updates == [], 2, "no UPDATE while relayd is away")
        router.start("relayd", config=config)
        router.wait_relay("t", "up")
        wait_for(lambda: "the planned restart is over" in router.log("relayd"), 30, "settled")
        assert ping(teredo_up.h6, client.address) and ping(client.ns, H6)
        assert wire.updates == []
    router.configure("no relay graceful-restart")


@pytest.fixture(params=["ebpf", "userspace"])
def pair(request):
    """Two relays that announce the same prefix; the net takes what the first says, else what the second does."""
    with TeredoInternet(relays=("rl", "rl2"), nats=("port-restricted",), split_tables=True) as net:
        net.start_routing()
        for router in net.routers.values():
            router.start("relayd")
            router.configure(*net.teredo_config(router, f"tunnel datapath {request.param}", "drain-time 3"))
        for router in net.routers.values():
            router.wait_relay("t", "up")
        wait_for(lambda: net.bird.routes().get(TEREDO) == 2, 60, "both announce")
        yield net
        for router in net.routers.values():
            router.assert_sound()


def crossed(router):
    return router.json("relayd", "show relay t counters json")["t"]["tx6to4"]["packets"]


@native
@pytest.mark.parametrize("how", ["maintenance", "killed"])
def test_anycast_change_in_mid_flow(pair, how):
    """The host's route moves to a relay that knows nothing of the client: at most half a second is lost, and back again."""
    first, second = pair.routers.values()
    client = pair.client("port-restricted")
    assert ping(pair.h6, client.address)
    config = "\n".join(first.running())
    out, back = flows(pair, client)
    with out, back:
        wait_for(lambda: len(out.seen) > 50 and len(back.seen) > 50, 20, "traffic both ways")
        before = crossed(second)
        if how == "killed":
            first.kill("relayd")
        else:
            first.configure("relay t", "maintenance")
        wait_for(lambda: crossed(second) > before + 100, 30, "the second relay has the traffic")
        if how == "killed":
            first.start("relayd", config=config)
        else:
            first.wait_relay("t", "maintenance")
            first.configure("relay t", "no maintenance")
        first.wait_relay("t", "up")
        before = crossed(first)
        wait_for(lambda: crossed(first) > before + 100, 30, "the first relay has it again")
        seen = [len(flow.seen) for flow in (out, back)]
        wait_for(lambda: all(len(flow.seen) > n + 50 for flow, n in zip((out, back), seen)), 20, "both ways")
        lost = [len(flow.stop()) for flow in (out, back)]
    print(f"{how}: longest gaps {[gap(f) for f in (out, back)]} s, lost {lost} of {[out.sent, back.sent]}")
    assert max(gap(out), gap(back)) < MOVE_S
    assert peer_json(second, client.address)["state"] == "trusted"
