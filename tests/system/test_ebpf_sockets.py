# SPDX-License-Identifier: GPL-2.0-or-later
"""`tunnel datapath ebpf` under real sockets: segmentation offload both ways, checksums that are done later or
elsewhere, VLANs, links without Ethernet.  Data arrive as they were sent, and no end sees a wrong checksum.

    near (6to4 host) -- in [rl] out -- far (native host)
"""

import array
import fcntl
import hashlib
import os
import random
import socket
import struct
import threading

import pytest

from lab import BUILD, EMULATED, Lab, host_has_sit, wait_for
from topology import RELAY_ADDR
from wire import icmp6_echo, ipv4, sixto4


BLAST = BUILD / "tests" / "bench" / "blast"
MAC = "02:00:00:00:00:aa"
NEAR, FAR = "203.0.113.2", "2001:db8:1::2"
NEAR6, OWN = sixto4(NEAR), "2002:c058:6301::1"
OCTETS = (1 if EMULATED else 24) << 20
SIOCETHTOOL = 0x8946
SET = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def offload(ns, ifname, **features):
    """What `ethtool -K` does."""
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM, 0) as sock:
        for name, on in features.items():
            value = array.array("I", (SET[name], on))
            fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", ifname.encode(), value.buffer_info()[0]))


class Path(Lab):
    """The drawing above.  vlan: the router's links are VLAN devices, of the tag 5 and 6."""

    def __init__(self, vlan=False):
        super().__init__()
        self.vlan = vlan

    def __enter__(self):
        super().__enter__()
        try:
            self.build()
        except BaseException:
            super().__exit__()
            raise
        return self

    def joined(self, ns, ifname, tag, addresses):
        """One end's link with the router; the names of the two devices that have the addresses."""
        rl = self.router.ns
        self.link(ns, "eth0", [], rl, ifname, [])
        names = ["eth0", ifname]
        if self.vlan:
            for each, name in ((ns, "eth0"), (rl, ifname)):
                each.ip(f"link add {name}.{tag} link {name} type vlan id {tag}", f"link set {name}.{tag} up")
            names = [f"{name}.{tag}" for name in names]
        for each, name, addrs in zip((ns, rl), names, addresses):
            each.ip(*(f"addr add {addr} dev {name}" + (" nodad" if ":" in addr else "") for addr in addrs))
        return names

    def build(self):
        self.near, self.far = self.ns("near"), self.ns("far")
        self.router = super().router("rl")
        rl = self.router.ns
        self.near_dev, self.inside = self.joined(
            self.near, "in", 5, ([f"{NEAR}/24", f"{NEAR6}/128"], ["203.0.113.1/24", "2001:db8:2::1/64"]))
        self.far_dev, self.outside = self.joined(self.far, "out", 6, ([f"{FAR}/64"], ["2001:db8:1::1/64"]))
        rl.ip(f"link set in address {MAC}", *([f"link set {self.inside} address {MAC}"] if self.vlan else []),
              f"route add default via {NEAR}", f"route add default via {FAR}")
        self.near.ip(f"neigh add 2001:db8:2::1 lladdr {MAC} dev {self.near_dev}", "route add default via 203.0.113.1",
                     f"route add default via 2001:db8:2::1 dev {self.near_dev} onlink mtu 1480")
        self.far.ip("route add default via 2001:db8:1::1")
        # a 6to4 host without sit: tc puts the outer header on and takes it off
        self.near.run(BLAST, "host", self.near_dev, NEAR, RELAY_ADDR)

    def start(self, datapath="ebpf"):
        self.router.start("zebra")
        self.router.start("relayd")
        self.router.configure("relay r", "tunnel mode ipv6ip 6to4", f"tunnel source {RELAY_ADDR}", "ipv6 mtu 1480",
                              f"tunnel datapath {datapath}", f"ipv6 address {OWN}/128", "drain-time 0", "no shutdown")
        self.router.wait_relay("r", "up")
        wait_for(lambda: self.router.relay_json("r")["datapath"] == datapath, 10, datapath)
        wait_for(lambda: all(route["installed"] for route in self.router.relay_json("r")["routes"]), 60, "routes")
        wait_for(lambda: "uplink_ingress" in self.router.ns.run(
            "tc", "filter", "show", "dev", self.inside, "ingress").stdout, 10, "the programs")

    def counters(self):
        return self.router.json("relayd", "show relay r counters json")["r"]

    def counted(self, way, before, octets):
        """(octets, packets) since before, when there are that many octets."""
        def read():
            now = self.counters()[way]
            found = [now[what] - before[way][what] for what in ("bytes", "packets")]
            return found if found[0] >= octets else None
        return wait_for(read, 5, f"{way}: {octets} octets")


def snmp(ns):
    """What the two ends say of wrong packets: (checksums, other errors of what came in)"""
    def read():
        found = {}
        with open("/proc/net/snmp", encoding="ascii") as text:
            lines = [line.split() for line in text]
        for names, values in zip(lines[::2], lines[1::2]):
            found.update({names[0] + name: int(value) for name, value in zip(names[1:], values[1:])})
        with open("/proc/net/snmp6", encoding="ascii") as text:
            found.update({name: int(value) for name, value in map(str.split, text)})
        return found
    found = ns.call(read)
    names = ("Tcp:InCsumErrors", "Tcp:InErrs", "Udp6InCsumErrors", "Udp6InErrors", "Ip6InHdrErrors",
             "Ip6InTruncatedPkts", "Ip:InHdrErrors")
    return {name: found[name] for name in names}


def transfer(source, src, sink, dst, octets=OCTETS):
    """octets by TCP, compared."""
    data = random.Random(octets).randbytes(1 << 20) * (octets >> 20)
    box = {}
    with sink.socket(socket.AF_INET6, socket.SOCK_STREAM) as listener, \
            source.socket(socket.AF_INET6, socket.SOCK_STREAM) as out:
        listener.bind((dst, 0))
        listener.listen(1)
        listener.settimeout(60)
        out.settimeout(60)
        out.bind((src, 0))

        def take():
            with listener.accept()[0] as conn:
                conn.settimeout(60)
                whole = hashlib.sha256()
                while got := conn.recv(1 << 18):
                    whole.update(got)
                box["sum"] = whole.digest()

        thread = threading.Thread(target=take)
        thread.start()
        out.connect(listener.getsockname()[:2])
        out.sendall(data)
        out.shutdown(socket.SHUT_WR)
        thread.join(90)
    assert box.get("sum") == hashlib.sha256(data).digest()


def datagrams(source, src, sink, dst):
    """UDP of sizes up to the MTU: each arrives as it was sent."""
    with source.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out, \
            sink.socket(socket.AF_INET6, socket.SOCK_DGRAM) as into:
        into.bind((dst, 0))
        into.settimeout(5)
        out.bind((src, 0))
        for size in (0, 1, 2, 3, 5, 6, 17, 100, 501, 1000, 1431, 1432):
            data = random.Random(size).randbytes(size)
            out.sendto(data, into.getsockname()[:2])
            assert into.recv(2000) == data


def both_ways(path):
    """TCP and UDP both ways by the programs, and nobody has anything to complain of."""
    before = path.counters()
    for source, src, sink, dst, way in ((path.near, NEAR6, path.far, FAR, "rx4to6"),
                                        (path.far, FAR, path.near, NEAR6, "tx6to4")):
        transfer(source, src, sink, dst)
        datagrams(source, src, sink, dst)
        if way == "rx4to6" and host_has_sit():
            # what was put together before is sit's, and counted as it came
            path.counted(way, before, OCTETS)
            continue
        # each segment with its headers, not what they were carried in together
        octets, packets = path.counted(way, before, OCTETS * 1.03)
        assert packets >= OCTETS / 1420 * 0.99, (way, octets, packets)
        assert octets / packets <= 1480, (way, octets, packets)
    # near's own multicast is in the tunnel too
    drops = {reason: count for reason, count in path.counters()["drops"].items() if count}
    assert set(drops) <= {"not-6to4", "source-spoofed"}, drops
    for ns in (path.near, path.far):
        assert set(snmp(ns).values()) == {0}, snmp(ns)


OFFLOADS = {
    "all": {},
    "aggregated by the router": {"near": {"tso": 0, "gso": 0}, "far": {"tso": 0, "gso": 0},
                                 "in": {"gro": 1}, "out": {"gro": 1}},
    "aggregated, cut in software": {"near": {"tso": 0, "gso": 0}, "far": {"tso": 0, "gso": 0},
                                    "in": {"gro": 1, "gso": 0, "tso": 0}, "out": {"gro": 1, "gso": 0, "tso": 0}},
    "cut in software": {"in": {"gso": 0, "tso": 0}, "out": {"gso": 0, "tso": 0}},
    "checksums in software": {"in": {"tx": 0}, "out": {"tx": 0}},
    "checksums by the ends": {"near": {"tx": 0}, "far": {"tx": 0}},
    "nothing": {name: {"tx": 0, "sg": 0, "tso": 0, "gso": 0, "gro": 0} for name in ("near", "far", "in", "out")},
}


@pytest.mark.parametrize("features", OFFLOADS.values(), ids=OFFLOADS)
def test_offloads(features):
    """Packets of 64 Kbyte, packets without a checksum yet: what leaves is what each device can take."""
    offloads(features)


@pytest.mark.sit
@pytest.mark.parametrize("name", ["all", "aggregated by the router"])
def test_offloads_above_sit(name):
    """And what the programs hand up is sit's."""
    offloads(OFFLOADS[name])


def offloads(features):
    with Path() as path:
        for name, wanted in features.items():
            ns, ifname = {"near": (path.near, "eth0"), "far": (path.far, "eth0")}.get(name, (path.router.ns, name))
            offload(ns, ifname, **wanted)
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
        transfer(path.router.ns, OWN, path.near, NEAR6)
        path.counted("tx6to4", before, OCTETS * 1.03)
        assert set(snmp(path.near).values()) == {0}


def open_tun(ns, ifname, *addrs):
    """A link without link-layer header, and the wire behind it."""
    def make():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", ifname.encode(), IFF_TUN | IFF_NO_PI))
        return fd
    fd = ns.call(make)
    ns.ip(f"link set {ifname} up", *(f"addr add {addr} dev {ifname}" for addr in addrs))
    return fd


def read_tun(fd, match):
    def seen():
        try:
            while True:
                packet = os.read(fd, 4096)
                if match(packet):
                    return packet
        except BlockingIOError:
            return None
    return seen


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
