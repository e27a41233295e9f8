# SPDX-License-Identifier: GPL-2.0-or-later
"""`tunnel datapath ebpf` under real sockets: segmentation offload both ways, checksums that are done later or
elsewhere, VLANs, links without Ethernet.  Data arrive as they were sent, and no end sees a wrong checksum.
"""

import os
import socket

import pytest

from lab import wait_for
from sockets import FAR, OCTETS, OFFLOADS, Path, both_ways, offloads, read_tun, snmp, transfer
from topology import RELAY_ADDR
from wire import icmp6_echo, ipv4, offload, open_tun, sixto4


@pytest.mark.parametrize("features", OFFLOADS.values(), ids=OFFLOADS)
def test_offloads(features):
    """Packets of 64 Kbyte, packets without a checksum yet: what leaves is what each device can take."""
    carries_on(features)


@pytest.mark.sit
@pytest.mark.parametrize("name", ["all", "aggregated by the router"])
def test_offloads_above_sit(name):
    """And what the programs hand up is sit's."""
    carries_on(OFFLOADS[name])


def carries_on(features):
    with Path() as path:
        offloads(path, features)
        path.start()
        both_ways(path)


@pytest.mark.parametrize("checksums", ["done", "put off"])
def test_xdp(checksums):
    """Frames have no word of a checksum that is still to be done: such packets are left to tc."""
    with Path() as path:
        done = {"tx": 0, "tso": 0, "gso": 0} if checksums == "done" else {}
        # a veth takes XDP frames when its peer has NAPI
        for ns in (path.near, path.far):
            offload(ns, "eth0", gro=1, **done)
        path.start("xdp")
        both_ways(path)


@pytest.mark.sit  # where a kernel has neither sit nor VLANs
def test_vlans():
    """The VLAN device takes its frames, whoever carries them."""
    with Path(vlan=True) as path:
        path.start()
        both_ways(path)


def test_router_itself():
    """By the relay's interface: what the router sends has its segments cut behind it."""
    with Path() as path:
        path.start()
        before = path.counters()
        transfer(path.router.ns, path.own, path.near, path.near6)
        path.counted("tx6to4", before, OCTETS * 1.03)
        assert set(snmp(path.near).values()) == {0}


def test_links_without_ethernet():
    """In by one and out by another: no octet of a link-layer header is made up or left."""
    with Path() as path:
        rl = path.router.ns
        a, b = open_tun(rl, "tun4", "198.51.100.1/24"), open_tun(rl, "tun6", "2001:db8:7::1/64")
        try:
            path.start()
            wait_for(lambda: "uplink_ingress_" in rl.run("tc", "filter", "show", "dev", "tun4", "ingress").stdout, 10,
                     "programs")
            host, native = "198.51.100.7", "2001:db8:7::7"
            host6 = sixto4(host)
            before = path.counters()
            inner = icmp6_echo(host6, native, 1, 1, b"4to6" * 8)
            os.write(a, ipv4(host, RELAY_ADDR, 41, inner))
            out = wait_for(read_tun(b, lambda p: p[:1] == b"\x60" and p[8:40] == inner[8:40]), 5, "4to6")
            assert out == inner[:7] + b"\x3f" + inner[8:]
            inner = icmp6_echo(native, host6, 1, 1, b"6to4" * 8)
            os.write(b, inner)
            out = wait_for(read_tun(a, lambda p: p[:1] == b"\x45" and p[9] == 41), 5, "6to4")
            assert out[12:20] == socket.inet_aton(RELAY_ADDR) + socket.inet_aton(host)
            assert out[20:] == inner[:7] + b"\x3f" + inner[8:]
            # and from these to links that have Ethernet
            inner = icmp6_echo(host6, FAR, 2, 2, b"to far")
            with path.far.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
                sock.settimeout(5)
                os.write(a, ipv4(host, RELAY_ADDR, 41, inner))
                while True:
                    data, peer = sock.recvfrom(2000)
                    if data.endswith(b"to far"):
                        break
                assert peer[0] == host6
            path.counted("rx4to6", before, 2 * 40)
            path.counted("tx6to4", before, 40)
        finally:
            os.close(a)
            os.close(b)
