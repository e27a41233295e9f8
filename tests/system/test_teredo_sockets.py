# SPDX-License-Identifier: GPL-2.0-or-later
"""A Teredo relay's programs under real sockets, as test_ebpf_sockets.py; and clients in user space, whose datagrams'
own checksums are put off.
"""

import json
import os
import random
import socket
import struct

import pytest

from lab import wait_for
from sockets import (CLIENT_PORT, FAR, NEAR, OCTETS, OFFLOADS, Path, both_ways, offloads, read_tun,
                     snmp, transfer)
from teredo_lab import RELAY_PORT, forget_veth, teredo_address
from topology import RELAY_ADDR
from wire import icmp6_echo, ipv4, ipv6, offload, open_tun, ping

# those with the mark "both" run on the oldest kernel too
both = pytest.mark.both


def known(path, datapath="ebpf"):
    """The relay runs, and the client is a peer of its; the way to the client is a NIC's, not another namespace's."""
    path.start(datapath)
    forget_veth(path.router, path.inside)
    assert ping(path.near, FAR, source=path.near6, count=5)
    wait_for(lambda: path.router.relay_json("r")["peers"]["trusted"] == 1, 5, "a peer")


def by_the_engine(path):
    """How many packets have gone through the TUN, either way."""
    stats = json.loads(path.router.ns.run("ip", "-j", "-s", "link", "show", "r").stdout)[0]["stats64"]
    return stats["rx"]["packets"] + stats["tx"]["packets"]


def carried_by_programs(path):
    before = by_the_engine(path)
    both_ways(path)
    # two transfers, each of so many segments
    assert by_the_engine(path) - before < OCTETS / path.mtu / 20


@pytest.mark.parametrize("features", [pytest.param(features, marks=both if name == "all" else (), id=name)
                                      for name, features in OFFLOADS.items()])
def test_offloads(features):
    """Segments of TCP together, checksums put off: what leaves is what each device can take."""
    with Path("teredo") as path:
        offloads(path, features)
        known(path)
        carried_by_programs(path)


@pytest.mark.parametrize("checksums", [pytest.param("done", marks=both), "put off"])
def test_xdp(checksums):
    """Frames have no word of a checksum that is still to be done: such packets are left to tc."""
    with Path("teredo") as path:
        done = {"tx": 0, "tso": 0, "gso": 0} if checksums == "done" else {}
        # a veth takes XDP frames when its peer has NAPI
        for ns in (path.near, path.far):
            offload(ns, "eth0", gro=1, **done)
        known(path, "xdp")
        carried_by_programs(path)


@pytest.mark.sit  # where a kernel has no VLANs
def test_vlans():
    """The VLAN device takes its frames."""
    with Path("teredo", vlan=True) as path:
        known(path)
        carried_by_programs(path)


def test_router_itself():
    """By the TUN: what the router sends has its segments cut behind it."""
    with Path("teredo") as path:
        # what is for the router comes by the engine's socket, which knows no checksum that is put off within
        offload(path.near, "eth0", tx=0, tso=0)
        known(path)
        before = path.counters()
        transfer(path.router.ns, path.own, path.near, path.near6)
        path.counted("tx6to4", before, OCTETS * 1.03)
        assert set(snmp(path.near).values()) == {0}


def test_datagrams_together():
    """UDP that is cut late (UDP_SEGMENT): each datagram gets headers of its own."""
    with Path("teredo") as path:
        # by a device that cuts no tunnels
        path.router.ns.run("ethtool", "-K", "in", "tx-udp_tnl-segmentation", "off")
        known(path)
        before = path.counters()
        with path.far.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out, \
                path.near.socket(socket.AF_INET6, socket.SOCK_DGRAM) as into:
            into.bind((path.near6, 0))
            into.settimeout(5)
            out.setsockopt(socket.IPPROTO_UDP, 103, 1000)
            for seed in range(20):
                data = random.Random(seed).randbytes(15500)
                out.sendto(data, into.getsockname()[:2])
                for at in range(0, len(data), 1000):
                    assert into.recv(2000) == data[at:at + 1000]
        path.counted("tx6to4", before, 20 * (15500 + 16 * 48))
        assert set(snmp(path.near).values()) == {0}


def inner(client, size, seed):
    """A UDP packet of a client to far, port 9: (packet, data)."""
    data = random.Random(seed).randbytes(size)
    pseudo = socket.inet_pton(socket.AF_INET6, client) + socket.inet_pton(socket.AF_INET6, FAR) + struct.pack(
        "!IxxxB", 8 + size, 17)
    whole = pseudo + struct.pack("!HHHH", 7, 9, 8 + size, 0) + data + b"\0" * (size & 1)
    total = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ipv6(client, FAR, 17, struct.pack("!HHHH", 7, 9, 8 + size, ~total & 0xFFFF or 0xFFFF) + data), data


@pytest.mark.parametrize("datapath,checksums", [
    pytest.param("ebpf", "put off", marks=both), ("ebpf", "done"), ("ebpf", "none"),
    ("xdp", "put off"), ("xdp", "done"), ("xdp", "none")])
def test_clients_in_user_space(datapath, checksums):
    """A datagram's own checksum, put off by its socket, goes with its header: nothing is written where it was."""
    with Path("teredo") as path:
        offload(path.near, "eth0", gro=1, **({"tx": 0} if checksums == "done" else {}))
        # else what far sends would be the engine's, which finishes it
        offload(path.far, "eth0", gro=1, tx=0)
        # by a device that does no checksums: what is still put off is done before it
        offload(path.router.ns, "out", tx=0)
        path.start(datapath)
        port = CLIENT_PORT + 1
        client = teredo_address(NEAR, port)
        with path.near.socket(socket.AF_INET, socket.SOCK_DGRAM) as out, \
                path.far.socket(socket.AF_INET6, socket.SOCK_DGRAM) as into:
            out.bind((NEAR, port))
            out.settimeout(5)
            if checksums == "none":
                out.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
            into.bind((FAR, 9))
            into.settimeout(5)
            sizes = (0, 1, 2, 3, 7, 8, 100, 501, 1200, 1231, 1232)

            def send(size, number):
                packet, data = inner(client, size, number)
                out.sendto(packet, (RELAY_ADDR, RELAY_PORT))
                assert into.recvfrom(2000)[:2] == (data, (client, 7, 0, 0))
                # and back: its checksum is the relay's
                into.sendto(data, (client, 7))
                back = out.recv(2000)
                assert back[48:] == data and back[8:24] == packet[24:40] and back[24:40] == packet[8:24]

            send(100, 0)
            before = by_the_engine(path)
            for number in range(50):
                for size in sizes:
                    send(size, number)
            assert by_the_engine(path) - before < 100
        assert set(snmp(path.far).values()) == {0}
        near = path.near.call(lambda: open("/proc/net/snmp", encoding="ascii").read())
        names, values = (line.split() for line in near.splitlines() if line.startswith("Udp:"))
        assert dict(zip(names, values))["InCsumErrors"] == "0"


def datagram(address, port, packet):
    return ipv4(address, RELAY_ADDR, 17, struct.pack("!HHHH", port, RELAY_PORT, 8 + len(packet), 0) + packet)


@both
def test_links_without_ethernet():
    """In by one and out by another: no octet of a link-layer header is made up or left."""
    with Path("teredo") as path:
        rl = path.router.ns
        a, b = open_tun(rl, "tun4", "198.51.100.1/24"), open_tun(rl, "tun6", "2001:db8:7::1/64")
        try:
            path.start()
            wait_for(lambda: "uplink_ingress_" in rl.run("tc", "filter", "show", "dev", "tun4", "ingress").stdout, 10,
                     "programs")
            host, native = "198.51.100.7", "2001:db8:7::7"
            client = teredo_address(host, CLIENT_PORT)
            # the first makes a peer of it, the engine's; those that follow are the programs'
            for seq in range(100):
                if seq == 1:
                    before = by_the_engine(path)
                packet = icmp6_echo(client, native, 1, seq, b"4to6" * 8)
                os.write(a, datagram(host, CLIENT_PORT, packet))
                out = wait_for(read_tun(b, lambda p, sent=packet: p[:1] == b"\x60" and p[8:] == sent[8:]), 5, "4to6")
                assert out == packet[:7] + b"\x3f" + packet[8:]
                packet = icmp6_echo(native, client, 1, seq, b"6to4" * 8)
                os.write(b, packet)
                out = wait_for(read_tun(a, lambda p, sent=packet: p[:1] == b"\x45" and p[36:] == sent[8:]), 5, "6to4")
                assert out[9] == 17 and out[12:20] == socket.inet_aton(RELAY_ADDR) + socket.inet_aton(host)
                assert struct.unpack("!HHH", out[20:26]) == (RELAY_PORT, CLIENT_PORT, 8 + len(packet))
                assert out[28:] == packet[:7] + b"\x3f" + packet[8:]
            # the self-test's
            assert by_the_engine(path) - before < 50
        finally:
            os.close(a)
            os.close(b)
