# SPDX-License-Identifier: GPL-2.0-or-later
"""A Teredo relay from a vtysh line to a BGP withdrawal: its peers, its bounds, its health, and what is left of it."""

import re
import signal
import socket
import time

import pytest

from lab import holds_for, kernel_state, state_diff, wait_for
from teredo_clients import EchoAll, SimClients
from teredo_lab import RELAY_PORT, SERVER, TEREDO, drops, peer_json, peers_json, teredo_address, teredo_mapping
from test_undertaker import CLEAN_S
from topology import ANYCAST, BASIC as SIX_TO_FOUR, H6, H64, H64_6, RELAY_ADDR
from wire import BgpSniffer, Sniffer, icmp6_echo, ipv4, link_delete, link_set, mac_of, ping, send_raw

pytestmark = pytest.mark.native


def listens(net, port=RELAY_PORT):
    """Somebody has the relay's UDP port."""
    return f"{net.relay.peer4}:{port}" in net.relay.ns.run("ss", "-Hnul").stdout


def counters(net):
    return net.relay.json("relayd", "show relay t counters json")["t"]


# ---------------------------------------------------------------- from a line on

def test_operator_types_a_teredo_relay(teredo, datapath):
    """The contract's lines in vtysh, a neighbour that learns 2001::/32, a client and a host that reach each other."""
    router = teredo.relay
    router.start("relayd")
    out = router.vtysh_configure("relay t", "description anycast Teredo relay", "tunnel mode teredo",
                                 f"tunnel source {router.peer4}", f"tunnel udp-port {RELAY_PORT}",
                                 f"tunnel datapath {datapath}", f"route {TEREDO} tag 55374", "drain-time 0",
                                 "no shutdown", "end")
    assert out == ""
    data = router.wait_relay("t", "up", "ok")
    teredo.bird.wait_routes([TEREDO])
    assert (data["mode"], data["datapath"], data["udpPort"], data["mtu"]) == ("teredo", datapath, RELAY_PORT, 1280)
    assert data["checks"]["socket"] == data["checks"]["engine"] == data["checks"]["selfTest"] == "ok"
    assert data["peers"] == {"count": 0, "trusted": 0, "maximum": 65536, "overload": "none"}
    assert data["interface"] == "t" and listens(teredo)
    route = wait_for(lambda: router.rib(TEREDO), 20, "the route is installed")
    assert route["tag"] == 55374
    client = teredo.client("port-restricted")
    assert ping(teredo.h6, client.address)
    assert ping(client.ns, H6)
    crossed = counters(teredo)
    assert crossed["tx6to4"]["packets"] >= 2 and crossed["rx4to6"]["packets"] >= 2
    # as of the last check
    wait_for(lambda: router.relay_json("t")["peers"]["trusted"] == 1, 5, "one trusted peer")


def test_no_relay_no_traffic(teredo):
    """Without relayd nothing crosses: the pings of the other tests go through it."""
    client = teredo.client("full-cone")
    assert not ping(teredo.h6, client.address, count=1, timeout=0.6)
    assert not ping(client.ns, H6, count=1, timeout=1)


def test_another_port(teredo):
    """A client's NAT lets in what comes from the port that it knows: after a change its peers are asked anew."""
    router = teredo.relay
    router.start("relayd")
    router.configure(*teredo.teredo_config(router, "tunnel udp-port 4545"))
    router.wait_relay("t", "up", "ok")
    teredo.bird.wait_routes([TEREDO])
    client = teredo.client("port-restricted")
    assert listens(teredo, 4545) and ping(teredo.h6, client.address, count=1, timeout=10)
    router.configure("relay t", f"tunnel udp-port {RELAY_PORT}")
    wait_for(lambda: listens(teredo) and not listens(teredo, 4545), 20, "the new port is bound, the old one free")
    router.wait_relay("t", "up", "ok")
    teredo.bird.wait_routes([TEREDO])
    assert ping(teredo.h6, client.address, count=1, timeout=10)
    assert ping(client.ns, H6, count=1, timeout=10)


def test_shutdown_and_removal(teredo_up):
    """Neither port nor interface nor route is left, nor do peers come back."""
    router = teredo_up.relay
    client = teredo_up.client("port-restricted")
    assert ping(teredo_up.h6, client.address)
    for off, on in (("shutdown", "no shutdown"), ("maintenance", "no maintenance")):
        router.configure("relay t", off)
        teredo_up.bird.wait_routes(absent=[TEREDO])
        if off == "shutdown":
            wait_for(lambda: "t" not in router.ns.links() and not listens(teredo_up), 20, "interface and port go")
        else:
            router.wait_relay("t", "maintenance")
        router.configure("relay t", on)
        router.wait_relay("t", "up", "ok")
        teredo_up.bird.wait_routes([TEREDO])
        assert ping(teredo_up.h6, client.address, count=1, timeout=10)
    router.configure("no relay t")
    teredo_up.bird.wait_routes(absent=[TEREDO])
    wait_for(lambda: not state_diff(teredo_up.before, kernel_state(router.ns)), 20, "all is as before")
    assert not listens(teredo_up)


def test_undertaker(teredo, datapath):
    """A relayd that is killed, and nobody comes: within 10 s the kernel is as it was."""
    router = teredo.relay
    router.undo_after = None
    try:
        router.start("relayd")
        router.configure(*teredo.teredo_config(router, f"tunnel datapath {datapath}"))
        router.wait_relay("t", "up", "ok")
        client = teredo.client("port-restricted")
        teredo.bird.wait_routes([TEREDO])
        assert ping(teredo.h6, client.address)
        router.kill("relayd")
        died = time.monotonic()
        wait_for(lambda: not state_diff(teredo.before, kernel_state(router.ns)), CLEAN_S, "the kernel is as before")
        print(f"clean {time.monotonic() - died:.1f} s after the death")
        teredo.bird.wait_routes(absent=[TEREDO])
        assert not listens(teredo)
    finally:
        router.undo_after = 60


def test_beside_a_6to4_relay(teredo_up):
    """A 6to4 host and a Teredo client reach each other through both relays of one router, unknown and known."""
    router = teredo_up.relay
    router.configure("relay six", *SIX_TO_FOUR, "no shutdown")
    router.wait_relay("six", "up", "ok")
    teredo_up.bird.wait_routes([TEREDO, *ANYCAST])
    mac = mac_of(teredo_up.net, "h64")
    with SimClients(teredo_up, 1) as clients, Sniffer(teredo_up.h64, "eth0") as wire:
        for seq in (1, 2, 3):
            echo = icmp6_echo(H64_6, clients[0].address, 9, seq)
            send_raw(teredo_up.h64, "eth0", ipv4(H64, RELAY_ADDR, 41, echo), mac)
            wire.wait(lambda p, seq=seq: p.inner and (p.src, p.inner.src) == (RELAY_ADDR, clients[0].address)
                      and p.inner.payload[:1] == b"\x81" and p.inner.payload[7] == seq, f"echo reply {seq} in protocol 41")
        assert len(clients[0].bubbles) <= 2
    assert peer_json(router, clients[0].address)["state"] == "trusted"
    router.configure("no relay six")
    teredo_up.bird.wait_routes([TEREDO], absent=ANYCAST)


# ----------------------------------------------------------------------- peers

def test_peers_are_shown_and_cleared(teredo_up):
    """Address, mapping, state and ages; after a clear they are met again as strangers."""
    router = teredo_up.relay
    client = teredo_up.client("full-cone")
    assert ping(teredo_up.h6, client.address, count=1, timeout=10)
    nobody = teredo_address("198.51.100.200", 40000)
    assert not ping(teredo_up.h6, nobody, count=1, timeout=0.3)
    table = peers_json(router)
    assert (table["count"], table["maximum"], table["overload"]) == (2, 65536, "none")
    peer = peer_json(router, client.address)
    assert (peer["mappedAddress"], peer["mappedPort"]) == teredo_mapping(client.address)
    assert (peer["server"], peer["state"], peer["queued"]) == (SERVER, "trusted", 0)
    assert 0 <= peer["lastRxMsec"] < 10000 and 0 <= peer["lastTxMsec"] < 10000
    stranger = peer_json(router, nobody)
    assert (stranger["mappedAddress"], stranger["mappedPort"]) == ("198.51.100.200", 40000)
    assert (stranger["state"], stranger["queued"]) == ("untrusted", 1) and stranger["bubbles"] >= 1
    # the ages run, by the fast path too
    wait_for(lambda: peer_json(router, client.address)["lastRxMsec"] > 1500, 10, "time passes")
    assert ping(teredo_up.h6, client.address, count=1, timeout=10)
    assert peer_json(router, client.address)["lastRxMsec"] < 1500
    # four bubbles without an answer
    wait_for(lambda: peer_json(router, nobody)["state"] == "unreachable", 20, "nobody is given up")
    assert peer_json(router, nobody)["queued"] == 0
    assert router.vtysh("clear relay t peers") == ""
    assert peers_json(router)["count"] == 0
    assert ping(teredo_up.h6, client.address, count=1, timeout=10), "the first packet after the clear is lost"
    assert peers_json(router)["count"] == 1


def test_a_peer_unheard_of_for_30_seconds(teredo_up):
    """RFC 4380 section 5.2: then its entry is no longer valid; it is asked by a bubble, and no packet is lost."""
    client = teredo_up.client("port-restricted")
    assert ping(teredo_up.h6, client.address, count=1, timeout=10)
    wait_for(lambda: peer_json(teredo_up.relay, client.address)["lastRxMsec"] > 31000, 60, "31 s of silence")
    assert ping(teredo_up.h6, client.address, count=1, timeout=10), "the packet after the silence is lost"
    peer = peer_json(teredo_up.relay, client.address)
    assert peer["state"] == "trusted" and peer["lastRxMsec"] < 10000


MAXIMUM = 20


@pytest.mark.parametrize("withdraw", [False, True], ids=["shown", "withdraws"])
def test_peer_table_full(teredo_up, withdraw):
    """RFC 4380 section 7.3.5: it is shown; real peers go on; by option the prefix goes until there is room."""
    router = teredo_up.relay
    router.configure("relay t", f"peers maximum {MAXIMUM}", *["peers overload withdraw"] * withdraw)
    router.wait_relay("t", "up", "ok")
    teredo_up.bird.wait_routes([TEREDO])
    with SimClients(teredo_up, MAXIMUM + 5) as clients, EchoAll(teredo_up.h6) as echo, \
            BgpSniffer(teredo_up.net, "rl") as wire:
        real = [client.address for client in clients][:MAXIMUM]
        echo.round(real)
        assert peers_json(router)["count"] == MAXIMUM
        began = time.time()
        for client in clients[MAXIMUM:]:
            echo.send(client.address)
        data = wait_for(lambda: (data := router.relay_json("t"))["peers"]["overload"] == "table-full" and data, 10,
                        "the overload is shown")
        assert data["peers"]["count"] == data["peers"]["maximum"] == MAXIMUM
        assert drops(router, "table-full") >= 5
        assert not any(client.requests for client in clients[MAXIMUM:])
        if withdraw:
            data = router.wait_relay("t", "down", "datapath-error")
            assert "table-full" in data["detail"] or "full" in data["detail"]
            wait_for(lambda: wire.withdrawn(TEREDO, began), 20, "2001::/32 is withdrawn")
            # nobody has been refused for 10 s
            router.wait_relay("t", "up", "ok", timeout=60)
            teredo_up.bird.wait_routes([TEREDO])
        else:
            echo.round(real)
            assert router.relay_json("t")["operStatus"] == "up"
            assert wire.withdrawn(TEREDO, began) is None
        wait_for(lambda: router.relay_json("t")["peers"]["overload"] == "none", 30, "the overload is over")
        assert re.search(r"relay t: peer table is full .*relay t: new peers are taken again", router.log("relayd"), re.S)
        # a larger bound lets the others in, a smaller one puts some out; the peers that fit stay
        router.configure("relay t", f"peers maximum {2 * MAXIMUM}")
        echo.round([client.address for client in clients])
        assert peers_json(router)["maximum"] == 2 * MAXIMUM and peers_json(router)["count"] == MAXIMUM + 5
        router.configure("relay t", "peers maximum 5")
        wait_for(lambda: peers_json(router)["count"] <= 5, 20, "the table shrinks")


# ---------------------------------------------------------------------- health

def nft_drop(rule):
    return ("nft", f"table ip operator {{ chain c {{ type filter hook {rule} drop; }}; }}"), \
        ("nft", "delete table ip operator")


FAULTS = {
    "input": nft_drop(f"input priority 0; udp dport {RELAY_PORT}"),
    "output": nft_drop(f"output priority 0; udp sport {RELAY_PORT}"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_socket_filtered(teredo_up, fault):
    """An operator's filter on the relay's port: the self-test finds it, 2001::/32 goes, and comes back."""
    router = teredo_up.relay
    broken, mended = FAULTS[fault]
    began = time.time()
    router.ns.run(*broken)
    try:
        with BgpSniffer(teredo_up.net, "rl") as wire:
            data = router.wait_relay("t", "down", "self-test-failed")
            assert data["checks"]["selfTest"] == "failed" and data["detail"]
            wait_for(lambda: wire.withdrawn(TEREDO, began), 10, "2001::/32 is withdrawn")
            print(f"{fault}: {data['detail']}; withdrawn after {wire.withdrawn(TEREDO, began) - began:.1f} s")
            teredo_up.bird.wait_routes(absent=[TEREDO])
    finally:
        router.ns.run(*mended)
    router.wait_relay("t", "up", "ok")
    teredo_up.bird.wait_routes([TEREDO])


def test_self_test_off(teredo_up):
    """Then a filter is the operator's own affair."""
    router = teredo_up.relay
    router.configure("relay t", "no self-test")
    router.ns.run(*FAULTS["input"][0])
    try:
        holds_for(lambda: router.relay_json("t")["operStatus"] == "up", 5, "up without a self-test")
    finally:
        router.ns.run(*FAULTS["input"][1])


@pytest.mark.parametrize("fault,reason", [("deleted", "interface-missing"), ("set down", "interface-down")])
def test_tun_broken(teredo_up, fault, reason):
    """2001::/32 goes at once; a TUN that is gone is made anew, one that is down stays as the operator wants it."""
    router = teredo_up.relay
    client = teredo_up.client("port-restricted")
    assert ping(teredo_up.h6, client.address)
    with BgpSniffer(teredo_up.net, "rl") as wire:
        began = time.time()
        if fault == "deleted":
            link_delete(router.ns, "t")
        else:
            link_set(router.ns, "t", False)
        wait_for(lambda: wire.withdrawn(TEREDO, began), 10, "2001::/32 is withdrawn")
        print(f"{fault}: withdrawn after {(wire.withdrawn(TEREDO, began) - began) * 1000:.0f} ms")
        if fault == "set down":
            router.wait_relay("t", "down", reason)
            link_set(router.ns, "t", True)
        wait_for(lambda: wire.announced(TEREDO, wire.withdrawn(TEREDO, began)), 30, "2001::/32 is back")
    router.wait_relay("t", "up", "ok")
    history = [entry["reason"] for entry in router.json("relayd", "show relay t history json")["t"]]
    assert reason in history, history
    assert ping(teredo_up.h6, client.address, count=8, timeout=16)


def test_port_taken(teredo, datapath):
    """Another process has the port: told in one clear line, and up by itself as soon as it is free."""
    router = teredo.relay
    router.start("relayd")
    with router.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((router.peer4, RELAY_PORT))
        router.configure(*teredo.teredo_config(router, f"tunnel datapath {datapath}"))
        data = router.wait_relay("t", "down", "datapath-error")
        assert str(RELAY_PORT) in data["detail"] and "\n" not in data["detail"], data["detail"]
        print(data["detail"])
        assert teredo.bird.routes().get(TEREDO) is None
        holds_for(lambda: router.relay_json("t")["operStatus"] == "down", 2, "no relay on another's port")
    router.wait_relay("t", "up", "ok")
    teredo.bird.wait_routes([TEREDO])


def test_source_away(teredo_up):
    """Somebody deletes the address that relayd has put on the interface: told, and put back."""
    router = teredo_up.relay
    own = "192.0.2.253/32"
    router.configure("relay t", f"tunnel source {own.split('/', maxsplit=1)[0]}")
    wait_for(lambda: own in router.ns.addrs("t"), 20, "relayd puts an address that the host lacks")
    router.wait_relay("t", "up", "ok")
    router.ns.ip(f"addr del {own} dev t")
    wait_for(lambda: "source-missing" in [entry["reason"] for entry in
                                          router.json("relayd", "show relay t history json")["t"]], 20, "it is told")
    router.wait_relay("t", "up", "ok")
    assert own in router.ns.addrs("t")
    router.configure("relay t", f"tunnel source {router.peer4}")
    wait_for(lambda: own not in router.ns.addrs("t"), 20, "the address goes with the line")
    router.wait_relay("t", "up", "ok")


def test_hang(teredo_up):
    """The watcher kills a relayd that stands still: within 10 s the neighbour has no 2001::/32."""
    router = teredo_up.relay
    config = "\n".join(router.running())
    with BgpSniffer(teredo_up.net, "rl") as wire:
        began = time.time()
        router.kill("relayd", signal.SIGSTOP)
        wait_for(lambda: wire.withdrawn(TEREDO, began), 20, "withdrawn")
        assert wire.withdrawn(TEREDO, began) - began < 10
    router.procs.pop("relayd").wait(10)
    router.start("relayd", config=config)
    router.wait_relay("t", "up", "ok")
    teredo_up.bird.wait_routes([TEREDO])
