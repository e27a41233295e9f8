# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay between two hosts with real sockets: every kind of offload, VLANs, links without Ethernet.

    near (6to4 host or Teredo client) -- in [rl] out -- far (native host)

The near host's tunnel is made by tc (blast.c), so that its packets are as little
like a user-space client's as can be: segments of TCP together, checksums put off.
"""

import hashlib
import os
import random
import socket
import threading

from lab import BUILD, EMULATED, Lab, host_has_sit, wait_for
from teredo_lab import teredo_address
from topology import RELAY_ADDR
from wire import offload, sixto4

BLAST = BUILD / "tests" / "bench" / "blast"
MAC = "02:00:00:00:00:aa"
NEAR, FAR = "203.0.113.2", "2001:db8:1::2"
CLIENT_PORT = 40000
# what the near host is in IPv6, and the relay, by the relay's mode
NEAR6 = {"6to4": sixto4(NEAR), "teredo": teredo_address(NEAR, CLIENT_PORT)}
OWN = {"6to4": "2002:c058:6301::1", "teredo": "2001:db8:9::9"}
MODES = {"6to4": "ipv6ip 6to4", "teredo": "teredo"}
MTU = {"6to4": 1480, "teredo": 1280}
OCTETS = (1 if EMULATED else 24) << 20


class Path(Lab):
    """The drawing above.  vlan: the router's links are VLAN devices, of the tag 5 and 6."""

    def __init__(self, mode="6to4", vlan=False):
        super().__init__()
        self.mode, self.vlan = mode, vlan
        self.near6, self.own, self.mtu = NEAR6[mode], OWN[mode], MTU[mode]

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
            self.near, "in", 5, ([f"{NEAR}/24", f"{self.near6}/128"], ["203.0.113.1/24", "2001:db8:2::1/64"]))
        self.far_dev, self.outside = self.joined(self.far, "out", 6, ([f"{FAR}/64"], ["2001:db8:1::1/64"]))
        rl.ip(f"link set in address {MAC}", *([f"link set {self.inside} address {MAC}"] if self.vlan else []),
              f"route add default via {NEAR}", f"route add default via {FAR}")
        self.near.ip(f"neigh add 2001:db8:2::1 lladdr {MAC} dev {self.near_dev}", "route add default via 203.0.113.1",
                     f"route add default via 2001:db8:2::1 dev {self.near_dev} onlink mtu {self.mtu}")
        self.far.ip("route add default via 2001:db8:1::1")
        # tc puts the outer header on and takes it off
        if self.mode == "6to4":
            self.near.run(BLAST, "host", self.near_dev, NEAR, RELAY_ADDR)
        else:
            self.near.run(BLAST, "client", self.near_dev, NEAR, CLIENT_PORT, RELAY_ADDR)

    def start(self, datapath="ebpf"):
        self.router.start("zebra")
        self.router.start("relayd")
        mtu = ["ipv6 mtu 1480"] if self.mode == "6to4" else []
        self.router.configure("relay r", f"tunnel mode {MODES[self.mode]}", f"tunnel source {RELAY_ADDR}", *mtu,
                              f"tunnel datapath {datapath}", f"ipv6 address {self.own}/128", "drain-time 0",
                              "no shutdown")
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


def datagrams(source, src, sink, dst, mtu):
    """UDP of sizes up to the MTU: each arrives as it was sent."""
    with source.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out, \
            sink.socket(socket.AF_INET6, socket.SOCK_DGRAM) as into:
        into.bind((dst, 0))
        into.settimeout(5)
        out.bind((src, 0))
        for size in (0, 1, 2, 3, 5, 6, 17, 100, 501, 1000, mtu - 49, mtu - 48):
            data = random.Random(size).randbytes(size)
            out.sendto(data, into.getsockname()[:2])
            assert into.recv(2000) == data


def both_ways(path):
    """TCP and UDP both ways by the programs, and nobody has anything to complain of."""
    before = path.counters()
    for source, src, sink, dst, way in ((path.near, path.near6, path.far, FAR, "rx4to6"),
                                        (path.far, FAR, path.near, path.near6, "tx6to4")):
        transfer(source, src, sink, dst)
        datagrams(source, src, sink, dst, path.mtu)
        if way == "rx4to6" and path.mode == "6to4" and host_has_sit():
            # what was put together before is sit's, and counted as it came
            path.counted(way, before, OCTETS)
            continue
        # each segment with its headers, not what they were carried in together
        octets, packets = path.counted(way, before, OCTETS * 1.03)
        assert packets >= OCTETS / (path.mtu - 60) * 0.99, (way, octets, packets)
        assert octets / packets <= path.mtu, (way, octets, packets)
    # near's own multicast is in the tunnel too
    drops = {reason: count for reason, count in path.counters()["drops"].items() if count}
    assert set(drops) <= {"not-6to4", "not-teredo", "source-spoofed", "destination"}, drops
    for ns in (path.near, path.far):
        assert set(snmp(ns).values()) == {0}, snmp(ns)


# devices, and what is on and off with them
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


def offloads(path, features):
    for name, wanted in features.items():
        ns, ifname = {"near": (path.near, "eth0"), "far": (path.far, "eth0")}.get(name, (path.router.ns, name))
        offload(ns, ifname, **wanted)
