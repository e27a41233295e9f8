# SPDX-License-Identifier: GPL-2.0-or-later
"""The peers of a Teredo relay: shown, cleared, too many of them; the relay beside others, and with another mode."""

import contextlib
import itertools
import json
import re
import socket
import struct
import time

import pytest

from lab import MGMTD, Vty, holds_for, kernel_state, state_diff, wait_for
from teredo_clients import bubble
from teredo_lab import peers_json, teredo_address
from test_yang_state import entry, operational
from wire import icmp6_echo, ipv4

SOURCE = "10.99.0.1"
CONFIG = ("relay t", "tunnel mode teredo", f"tunnel source {SOURCE}", "filter permit 10.0.0.0/8", "drain-time 0",
          "no shutdown")
SERVER = "192.0.2.10"
RELAY6 = "2001:db8::1"  # the router itself answers pings
MANY = 9000  # below the burst of new peers


@pytest.fixture
def lab(box):
    """A router with a default route, and Teredo clients at any address of 10.50.0.0/16, behind eth0."""
    routes = ("route add default via 10.0.0.2", "route add default via 2001:db8::2", "route add 10.50.0.0/16 via 10.0.0.2")
    box.relay.ns.ip(*routes)
    box.peer.ip("route add local 10.50.0.0/16 dev lo", f"route add {SOURCE}/32 via 10.0.0.1")
    box.relay.start("relayd")
    try:
        yield box
    finally:
        box.relay.ns.ip(*(route.replace("add", "del") for route in routes))
        box.peer.ip("route del local 10.50.0.0/16 dev lo table local", f"route del {SOURCE}/32")


class Client:
    """A Teredo client without a NAT."""

    def __init__(self, lab, addr, port):
        self.sock = lab.peer.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((addr, port))
        self.sock.settimeout(2)
        self.mapped, self.address = (addr, port), teredo_address(addr, port, SERVER)

    def send(self, packet):
        self.sock.sendto(packet, (SOURCE, 3545))

    def bubble(self):
        self.send(bubble(self.address, RELAY6))

    def ping(self, seq=1):
        """An echo of the router's own, there and back."""
        self.send(icmp6_echo(self.address, RELAY6, 7, seq))
        while self.sock.recv(2048)[40] != 129:
            pass

    def close(self):
        self.sock.close()


@pytest.fixture
def client(lab):
    one = Client(lab, "10.50.1.1", 40001)
    yield one
    one.close()


@pytest.fixture
def other(lab):
    one = Client(lab, "10.50.2.2", 40002)
    yield one
    one.close()


def up(lab, *lines):
    lab.relay.configure(*CONFIG, *lines)
    lab.relay.wait_relay("t", "up")


def flood(lab, count, prefix=None, first=1025):
    """One bubble of each of so many clients, from a /24 each, or from one."""
    with lab.peer.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for n in range(count):
            host, port = (prefix or f"10.50.{n % 200 + 2}.9"), first + (n if prefix else n // 200)
            payload = bubble(teredo_address(host, port, SERVER), RELAY6)
            sock.sendto(ipv4(host, SOURCE, socket.IPPROTO_UDP,
                             struct.pack("!HHHH", port, 3545, 8 + len(payload), 0) + payload), (SOURCE, 0))
            if n % 500 == 499:
                time.sleep(0.01)


def test_debug(lab, client, other):
    """`debug relay teredo` tells of each new peer; without it nobody is told."""
    up(lab)
    client.ping()
    lab.relay.configure("debug relay teredo")
    # the thread looks once a turn
    wait_for(lambda: other.bubble() or f"peer {other.address}" in lab.relay.log("relayd"), 10, "its line")
    assert f"peer {client.address}" not in lab.relay.log("relayd")


def test_shown(lab, client):
    """What a peer is, in every form."""
    up(lab)
    client.ping()
    peers = wait_for(lambda: peers_json(lab.relay)["peers"], 5, "the peer")
    (address, peer), = peers.items()
    assert address == client.address
    assert peer == {"server": SERVER, "mappedAddress": "10.50.1.1", "mappedPort": 40001, "state": "trusted",
                    "lastRxMsec": peer["lastRxMsec"], "lastTxMsec": peer["lastTxMsec"], "bubbles": 0, "queued": 0}
    assert 0 <= peer["lastRxMsec"] < 5000 and 0 <= peer["lastTxMsec"] < 5000
    wait_for(lambda: peers_json(lab.relay)["peers"][address]["lastRxMsec"] > peer["lastRxMsec"], 3, "it ages")
    wait_for(lambda: lab.relay.relay_json("t")["peers"] ==
             {"count": 1, "trusted": 1, "maximum": 65536, "overload": "none"}, 3, "counted")
    lines = lab.relay.vtysh("show relay t peers").splitlines()
    assert re.fullmatch(r"Relay t, 1 of 65536 peers, 1 trusted", lines[0])
    assert re.fullmatch(rf"  {address} +10\.50\.1\.1:40001 +trusted +\d+\.\ds +\d+\.\ds +0 +0", lines[2])
    state = entry(operational(lab.relay)["instance"], "name", "t")["state"]
    assert {key: state["peers"][key] for key in ("count", "trusted", "maximum", "overload")} == {
        "count": 1, "trusted": 1, "maximum": 65536, "overload": "none"}
    found, = state["peers"]["peer"]
    assert {key: found[key] for key in ("address", "server", "mapped-address", "mapped-port", "state", "bubbles",
                                        "queued")} == {
        "address": address, "server": SERVER, "mapped-address": "10.50.1.1", "mapped-port": 40001,
        "state": "trusted", "bubbles": 0, "queued": 0}
    assert found["last-received"] >= peer["lastRxMsec"] and found["last-sent"] >= peer["lastTxMsec"]
    assert state["checks"]["socket"] == state["checks"]["engine"] == "ok"


def test_counted(lab, client):
    up(lab)
    for seq in range(3):
        client.ping(seq)
    client.bubble()
    found = wait_for(lambda: (data := lab.relay.json("relayd", "show relay t counters json")["t"])["bubbles"]["received"]
                     and data, 5, "the bubble")
    assert found["rx4to6"]["packets"] == found["tx6to4"]["packets"] == 3
    assert found["bubbles"] == {"received": 1, "sentDirect": 0, "sentIndirect": 0, "peersPushedOut": 0}
    lab.relay.vtysh("clear relay t counters")
    cleared = lab.relay.json("relayd", "show relay t counters json")["t"]
    assert cleared["bubbles"]["received"] == cleared["rx4to6"]["packets"] == 0


def test_cleared(lab, client):
    """All go, and are met anew."""
    up(lab)
    client.ping()
    wait_for(lambda: peers_json(lab.relay)["count"] == 1, 5, "the peer")
    assert lab.relay.vtysh("clear relay t peers") == ""
    assert peers_json(lab.relay) == {"peers": {}, "count": 0, "maximum": 65536, "overload": "none"}
    client.ping()
    assert peers_json(lab.relay)["count"] == 1
    assert lab.relay.vtysh("clear relay peers") == ""
    assert peers_json(lab.relay)["count"] == 0
    assert lab.relay.relay_json("t")["operStatus"] == "up"


def test_many(lab):
    """Thousands are written as they are read; a reader that is slow, or goes away, holds up nobody."""
    up(lab)
    flood(lab, MANY)
    wait_for(lambda: lab.relay.relay_json("t")["peers"]["count"] == MANY, 20, "all of them")
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Vty(lab.relay.dir / "relayd.vty")) for _ in range(3)]
        for vty in silent:
            vty.sock.sendall(b"show relay t peers json\0")
        gone = Vty(lab.relay.dir / "relayd.vty")
        gone.sock.sendall(b"show relay t peers\0")
        assert gone.sock.recv(100)
        gone.sock.close()
        data = peers_json(lab.relay)
        assert data["count"] == len(data["peers"]) == MANY
        assert len(lab.relay.vtysh("show relay t peers").splitlines()) == MANY + 2
        # the peers of a session are those of the time when it reads
        lab.relay.vtysh("clear relay t peers")
        for vty in silent:
            text = b""
            while text[-4:-1] != b"\0\0\0":
                text += vty.sock.recv(65536)
            read = json.loads(text[:-4])["t"]
            # FRR 10's sockets take it all
            assert 0 < read["count"] == len(read["peers"]) < MANY + MGMTD
        # and those of a relay that goes meanwhile end with it
        silent[0].sock.sendall(b"show relay t peers\0")
        lab.relay.configure("no relay t")
        text = b""
        while text[-4:-1] != b"\0\0\0":
            text += silent[0].sock.recv(65536)
        assert silent[1].ask("show relay")[1] == 0


def test_table_full(lab, client, other):
    """Shown, logged once, and no more: the relay serves on."""
    up(lab, "peers maximum 1")
    client.ping()
    other.bubble()
    wait_for(lambda: lab.relay.relay_json("t")["peers"]["overload"] == "table-full", 5, "overload")
    shown = lab.relay.relay_json("t")
    assert shown["operStatus"] == "up" and shown["note"] == "peer table is full (1 peers)"
    assert peers_json(lab.relay)["overload"] == "table-full" and list(peers_json(lab.relay)["peers"]) == [client.address]
    assert lab.relay.json("relayd", "show relay t counters json")["t"]["drops"]["table-full"] == 1
    client.ping(2)
    wait_for(lambda: lab.relay.relay_json("t")["peers"]["overload"] == "none", 15, "it is over")
    assert "note" not in lab.relay.relay_json("t") or "full" not in lab.relay.relay_json("t")["note"]
    log = lab.relay.log("relayd")
    assert log.count("relay t: peer table is full (1 peers)") == 1
    assert log.count("relay t: new peers are taken again") == 1


def test_table_full_withdraws(lab, client, other):
    """RFC 4380 section 7.3.5; and comes back by itself."""
    up(lab, "peers maximum 1", "peers overload withdraw")
    wait_for(lambda: "2001::/32" in lab.relay.rib_openfabric(), 5, "the route")
    client.ping()
    other.bubble()
    lab.relay.wait_relay("t", "down")
    shown = lab.relay.relay_json("t")
    assert (shown["reason"], shown["detail"]) == ("datapath-error", "peer table is full (1 peers)")
    wait_for(lambda: "2001::/32" not in lab.relay.rib_openfabric(), 5, "the route is withdrawn")
    # what comes in goes on being served; what goes out takes the next relay
    client.send(icmp6_echo(client.address, RELAY6, 7, 2))
    wait_for(lambda: lab.relay.json("relayd", "show relay t counters json")["t"]["rx4to6"]["packets"] == 2, 5,
             "a packet of a peer")
    lab.relay.wait_relay("t", "up", timeout=20)
    # the option may go while it lasts
    client.ping(3)
    other.bubble()
    lab.relay.wait_relay("t", "down")
    lab.relay.configure("relay t", "no peers overload")
    lab.relay.wait_relay("t", "up")
    assert lab.relay.relay_json("t")["note"] == "peer table is full (1 peers)"


def test_too_many_new_ones(lab):
    """The limit of one prefix."""
    up(lab, "peers overload withdraw")
    ports = itertools.count(1025, 3000)
    # a busy machine takes its time
    wait_for(lambda: flood(lab, 3000, "10.50.7.7", next(ports)) or lab.relay.relay_json("t")["operStatus"] == "down", 20,
             "it is overloaded")
    shown = lab.relay.relay_json("t")
    assert (shown["reason"], shown["detail"]) == ("datapath-error", "new peers come faster than the limit")
    assert shown["peers"]["overload"] == "new-peer-limit" and shown["peers"]["count"] >= 2000
    lab.relay.wait_relay("t", "up", timeout=20)


def test_port_of_another(lab, client):
    """Says whose fault it is, and comes back by itself."""
    up(lab)
    with lab.relay.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 40005))
        lab.relay.configure("relay t", "tunnel udp-port 40005")
        lab.relay.wait_relay("t", "down")
        shown = lab.relay.relay_json("t")
        assert (shown["reason"], shown["detail"]) == ("datapath-error",
                                                      f"UDP port 40005 of {SOURCE}: Address already in use")
        assert shown["checks"]["socket"] == "failed"
    lab.relay.wait_relay("t", "up")
    assert lab.relay.relay_json("t")["checks"]["socket"] == "ok"


def test_another_mode_in_service(lab, client):
    """The tunnel is made anew, and nothing of the other stays."""
    before = kernel_state(lab.relay.ns)
    up(lab)
    client.ping()
    lab.relay.configure("relay t", "tunnel mode ipv6ip 6to4")
    lab.relay.wait_relay("t", "up")
    wait_for(lambda: set(lab.relay.rib_openfabric()) == {"192.88.99.0/24", "2002::/16"}, 5, "6to4's routes")
    assert "udpPort" not in lab.relay.relay_json("t") and "3545" not in lab.relay.ns.run("ss", "-nul").stdout
    lab.relay.configure("relay t", "tunnel mode teredo")
    lab.relay.wait_relay("t", "up")
    wait_for(lambda: set(lab.relay.rib_openfabric()) == {"2001::/32"}, 5, "Teredo's route")
    assert peers_json(lab.relay)["count"] == 0
    client.ping(2)
    lab.relay.configure("no relay t")
    wait_for(lambda: not state_diff(before, kernel_state(lab.relay.ns)), 20, "nothing is left")


def test_beside_a_6to4_relay(lab, client):
    """Both at one address; whoever of them has put it there."""
    up(lab)
    lab.relay.configure("relay s", "tunnel mode ipv6ip 6to4", f"tunnel source {SOURCE}", "drain-time 0", "no shutdown")
    lab.relay.wait_relay("s", "up")
    client.ping()
    lab.relay.configure("no relay t")
    holds_for(lambda: lab.relay.relay_json("s")["operStatus"] != "init", 1, "it is not made anew")
    lab.relay.wait_relay("s", "up", timeout=20)
    lab.relay.configure(*CONFIG)
    lab.relay.wait_relay("t", "up")
    client.ping(2)
    lab.relay.configure("no relay s")
    lab.relay.wait_relay("t", "up", timeout=20)
    client.ping(3)


def test_port_in_service(lab, client):
    """Another port, and back."""
    up(lab)
    client.ping()
    lab.relay.configure("relay t", "tunnel udp-port 40004")
    lab.relay.wait_relay("t", "up")
    assert lab.relay.relay_json("t")["udpPort"] == 40004
    client.sock.sendto(icmp6_echo(client.address, RELAY6, 7, 9), (SOURCE, 40004))
    data, sender = client.sock.recvfrom(2048)
    assert sender == (SOURCE, 40004) and data[40] == 129
    lab.relay.configure("relay t", "no tunnel udp-port")
    lab.relay.wait_relay("t", "up")
    client.ping(2)
