# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets: built by hand, sent and seen on the wire of a namespace, with the kernel's timestamps."""

import array
import contextlib
import errno
import fcntl
import ipaddress
import os
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from lab import wait_for

SO_TIMESTAMPNS = 35
ETH_P_ALL = 3
ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
IPPROTO_IPV6 = 41
PACKET_OUTGOING = 4


# --------------------------------------------------------------------- build

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(src, dst, proto, payload, ttl=64, flags=0, offset=0, tos=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), 0, flags << 13 | offset // 8, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, nxt, payload, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), nxt, hops) + socket.inet_pton(socket.AF_INET6, src) + \
        socket.inet_pton(socket.AF_INET6, dst) + payload


def icmp6_echo(src, dst, ident, seq, data=b"frr-relay", kind=128, hops=64):
    body = struct.pack("!BBHHH", kind, 0, 0, ident, seq) + data
    pseudo = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + \
        struct.pack("!II", len(body), 58)
    return ipv6(src, dst, 58, body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:], hops)


def sixto4(v4addr, host="1"):
    """The 2002: address of an IPv4 one: 2002:V4ADDR::host."""
    num = int(ipaddress.IPv4Address(v4addr))
    return str(ipaddress.IPv6Address(f"2002:{num >> 16:x}:{num & 0xffff:x}::{host}"))


# ---------------------------------------------------------------------- take

@dataclass
class Packet:
    """One packet as a sniffer saw it; addresses are text, inner is that of protocol 41."""

    time: float
    outgoing: bool
    data: bytes
    version: int = 0
    src: str = ""
    dst: str = ""
    proto: int = 0
    ttl: int = 0
    dont_fragment: bool = False
    payload: bytes = b""
    inner: "Packet" = None

    @classmethod
    def parse(cls, data, when=0.0, outgoing=False):
        pkt = cls(when, outgoing, data)
        if len(data) < 20:
            return pkt
        pkt.version = data[0] >> 4
        if pkt.version == 4:
            head = (data[0] & 15) * 4
            pkt.ttl, pkt.proto = data[8], data[9]
            pkt.dont_fragment = bool(data[6] & 0x40)
            pkt.src, pkt.dst = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
            pkt.payload = data[head:struct.unpack("!H", data[2:4])[0]]
            # a header of no length would hold itself
            if pkt.proto == IPPROTO_IPV6 and head >= 20:
                pkt.inner = cls.parse(pkt.payload, when, outgoing)
        elif pkt.version == 6 and len(data) >= 40:
            pkt.ttl, pkt.proto = data[7], data[6]
            pkt.src = socket.inet_ntop(socket.AF_INET6, data[8:24])
            pkt.dst = socket.inet_ntop(socket.AF_INET6, data[24:40])
            pkt.payload = data[40:40 + struct.unpack("!H", data[4:6])[0]]
        return pkt


class Sniffer(threading.Thread):
    """Collects the packets of one interface; on_packet is called for each."""

    def __init__(self, ns, ifname, on_packet=None):
        super().__init__(daemon=True)
        self.packets = []
        self.on_packet = on_packet or self.packets.append
        self.sock = ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        ns.call(self.sock.bind, (ifname, ETH_P_ALL))
        self.ending = False
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.ending = True
        self.join(10)
        self.sock.close()

    def run(self):
        while not self.ending:
            if not select.select([self.sock], [], [], 0.1)[0]:
                continue
            try:
                data, anc, _, addr = self.sock.recvmsg(65536, 256)
            except OSError as err:
                if err.errno == errno.ENETDOWN:
                    continue
                return
            when = time.time()
            for level, kind, value in anc:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    sec, nsec = struct.unpack("qq", value[:16])
                    when = sec + nsec / 1e9
            if addr[1] in (ETH_P_IP, ETH_P_IPV6):
                self.on_packet(Packet.parse(data, when, addr[2] == PACKET_OUTGOING))

    def wait(self, match, what, timeout=10):
        """Packets for which match() holds, as soon as there is one."""
        return wait_for(lambda: [p for p in list(self.packets) if match(p)], timeout, what)

    def tunnelled(self, **want):
        """Protocol 41 packets whose outer attributes are as wanted."""
        return [p for p in list(self.packets)
                if p.inner and all(getattr(p, key) == value for key, value in want.items())]


# ----------------------------------------------------------------------- BGP

@dataclass
class BgpUpdate:
    time: float
    announced: list = field(default_factory=list)
    withdrawn: list = field(default_factory=list)


def bgp_prefixes(data, family):
    size = 4 if family == socket.AF_INET else 16
    found, at = [], 0
    while at < len(data):
        bits = data[at]
        octets = (bits + 7) // 8
        raw = data[at + 1:at + 1 + octets].ljust(size, b"\0")
        found.append(f"{socket.inet_ntop(family, raw)}/{bits}")
        at += 1 + octets
    return found


def bgp_update(body, when):
    """One UPDATE (RFC 4271 section 4.3) with MP_REACH and MP_UNREACH (RFC 4760)."""
    update = BgpUpdate(when)
    wlen = struct.unpack("!H", body[:2])[0]
    update.withdrawn += bgp_prefixes(body[2:2 + wlen], socket.AF_INET)
    alen = struct.unpack("!H", body[2 + wlen:4 + wlen])[0]
    attrs = body[4 + wlen:4 + wlen + alen]
    update.announced += bgp_prefixes(body[4 + wlen + alen:], socket.AF_INET)
    while attrs:
        if attrs[0] & 0x10:
            kind, length, head = attrs[1], struct.unpack("!H", attrs[2:4])[0], 4
        else:
            kind, length, head = attrs[1], attrs[2], 3
        value, attrs = attrs[head:head + length], attrs[head + length:]
        if kind in (14, 15):
            family = {1: socket.AF_INET, 2: socket.AF_INET6}[struct.unpack("!H", value[:2])[0]]
            if kind == 14:
                update.announced += bgp_prefixes(value[5 + value[3]:], family)
            else:
                update.withdrawn += bgp_prefixes(value[3:], family)
    return update


class BgpSniffer(Sniffer):
    """UPDATEs that arrive on an interface, each with the time at which its packet did."""

    def __init__(self, ns, ifname):
        self.updates = []
        self.streams = {}
        self.lock = threading.Lock()
        super().__init__(ns, ifname, self.packet)

    def packet(self, pkt):
        if pkt.outgoing or pkt.proto != socket.IPPROTO_TCP or len(pkt.payload) < 20:
            return
        sport, dport, seq = struct.unpack("!HHI", pkt.payload[:8])
        if 179 not in (sport, dport):
            return
        data = pkt.payload[(pkt.payload[12] >> 4) * 4:]
        key = (pkt.src, pkt.dst, sport, dport)
        if pkt.payload[13] & 2:  # SYN
            self.streams[key] = [(seq + 1) & 0xFFFFFFFF, b""]
            return
        # a stream that was there before us is met at a message's start
        stream = self.streams.setdefault(key, [seq, b""])
        if not data or seq != stream[0]:
            return
        stream[0] = (seq + len(data)) & 0xFFFFFFFF
        stream[1] += data
        while len(stream[1]) >= 19:
            if stream[1][:16] != b"\xff" * 16:
                stream[1] = b""
                return
            length, kind = struct.unpack("!HB", stream[1][16:19])
            if len(stream[1]) < length:
                return
            if kind == 2:
                with self.lock:
                    self.updates.append(bgp_update(stream[1][19:length], pkt.time))
            stream[1] = stream[1][length:]

    def withdrawn(self, prefix, since):
        """Time of the first UPDATE since then that withdraws prefix, or None."""
        return self.first(lambda u: prefix in u.withdrawn, since)

    def announced(self, prefix, since):
        return self.first(lambda u: prefix in u.announced, since)

    def first(self, match, since):
        with self.lock:
            return next((u.time for u in self.updates if u.time >= since and match(u)), None)


# ------------------------------------------------------------------- traffic

def ping(ns, target, source=None, count=3, timeout=5.0, size=16):
    """Echo requests until one is answered; True when one was."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    proto = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    request, reply = (128, 129) if family == socket.AF_INET6 else (8, 0)
    sock = ns.socket(family, socket.SOCK_RAW, proto)
    ident = os.getpid() & 0xFFFF
    with sock:
        if source:
            sock.bind((source, 0))
        for seq in range(count):
            body = struct.pack("!BBHHH", request, 0, 0, ident, seq) + b"x" * size
            if family == socket.AF_INET:
                body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
            try:
                sock.sendto(body, (target, 0))
            except OSError:
                time.sleep(0.05)
                continue
            end = time.monotonic() + timeout / count
            while (left := end - time.monotonic()) > 0:
                if not select.select([sock], [], [], left)[0]:
                    break
                data, addr = sock.recvfrom(65536)
                if family == socket.AF_INET:
                    data = data[(data[0] & 15) * 4:]
                if addr[0] == target and data[0] == reply and struct.unpack("!HH", data[4:8])[0] == ident:
                    return True
    return False


def send_raw(ns, ifname, packet, mac=None):
    """Sends an IP packet out of an interface as it is, to the neighbour's mac (default: broadcast)."""
    proto = ETH_P_IPV6 if packet[0] >> 4 == 6 else ETH_P_IP
    with ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(proto)) as sock:
        ns.call(sock.sendto, packet, (ifname, proto, 0, 0, mac or b"\xff" * 6))


def mac_of(ns, ifname):
    return bytes.fromhex(ns.link(ifname)["address"].replace(":", ""))


TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def open_tun(ns, ifname, *addrs):
    """A link without link-layer header, and the wire behind it."""
    def make():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", ifname.encode(), IFF_TUN | IFF_NO_PI))
        return fd
    fd = ns.call(make)
    ns.ip(f"link set {ifname} up", *(f"addr add {addr} dev {ifname}" for addr in addrs))
    return fd


class SixToFourTun(threading.Thread):
    """What the kernel's sit does for a 6to4 host, where the kernel has none: the wire of a TUN, in protocol 41."""

    def __init__(self, ns, ifname, v4addr, relay):
        super().__init__(daemon=True)
        self.relay = relay
        self.tun = open_tun(ns, ifname)
        self.sock = ns.socket(socket.AF_INET, socket.SOCK_RAW, IPPROTO_IPV6)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
        self.sock.bind((v4addr, 0))
        self.stop, self.stopped = os.pipe()
        self.start()

    def close(self):
        os.close(self.stopped)
        self.join(10)
        os.close(self.stop)
        os.close(self.tun)
        self.sock.close()

    def run(self):
        while True:
            ready = select.select([self.tun, self.sock, self.stop], [], [])[0]
            if self.stop in ready:
                return
            # a link that is down, a destination without a route: lost, as it would be
            with contextlib.suppress(OSError):
                if self.tun in ready:
                    self.encapsulate(os.read(self.tun, 65536))
            with contextlib.suppress(OSError):
                if self.sock in ready:
                    self.decapsulate(self.sock.recv(65536, socket.MSG_DONTWAIT))

    def encapsulate(self, packet):
        """RFC 3056 section 5.3: to the address in a 2002: destination, else to the relay; no multicast."""
        if packet[0] >> 4 == 6 and packet[24] != 0xFF:
            own = packet[24:26] == b"\x20\x02"
            self.sock.sendto(packet, (socket.inet_ntoa(packet[26:30]) if own else self.relay, 0))

    def decapsulate(self, packet):
        """RFC 3964 section 5.1: a 2002: source is that of the outer one."""
        inner = packet[(packet[0] & 15) * 4:]
        if len(inner) >= 40 and inner[0] >> 4 == 6 and (inner[8:10] != b"\x20\x02" or inner[10:14] == packet[12:16]):
            os.write(self.tun, inner)


class Flow(threading.Thread):
    """UDP at a fixed rate from one namespace to another; what is lost is counted at the ends."""

    def __init__(self, src_ns, src, dst_ns, dst, rate=100, port=4000, size=32):
        super().__init__(daemon=True)
        family = socket.AF_INET6 if ":" in dst else socket.AF_INET
        self.rate, self.size, self.dst = rate, size, (dst, port)
        self.tx = src_ns.socket(family, socket.SOCK_DGRAM)
        self.tx.bind((src, 0))
        self.rx = dst_ns.socket(family, socket.SOCK_DGRAM)
        self.rx.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self.rx.bind((dst, port))
        self.rx.settimeout(0.2)
        self.sent = 0
        self.failed = 0
        self.times = []
        self.seen = set()
        self.sending, self.receiving = True, True
        self.receiver = threading.Thread(target=self.receive, daemon=True)
        self.receiver.start()
        self.start()

    def run(self):
        start = time.monotonic()
        while self.sending:
            due = int((time.monotonic() - start) * self.rate) + 1
            while self.sent < due and self.sending:
                data = struct.pack("!I", self.sent).ljust(self.size, b".")
                try:
                    self.tx.sendto(data, self.dst)
                except OSError:
                    self.failed += 1
                self.times.append(time.time())
                self.sent += 1
            time.sleep(max(0.0, start + self.sent / self.rate - time.monotonic()))

    def receive(self):
        while self.receiving:
            try:
                data = self.rx.recv(2048)
            except TimeoutError:
                continue
            except OSError:
                return
            self.seen.add(struct.unpack("!I", data[:4])[0])

    def stop(self, settle=1.0):
        """Ends the sending, then waits for what is under way; returns the lost ones' numbers."""
        self.sending = False
        self.join(10)
        end = time.monotonic() + settle
        while len(self.seen) < self.sent and time.monotonic() < end:
            time.sleep(0.02)
        self.close()
        return [n for n in range(self.sent) if n not in self.seen]

    def close(self):
        self.sending = self.receiving = False
        self.join(10)
        self.receiver.join(5)
        self.tx.close()
        self.rx.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# -------------------------------------------------- links, without a process

NLM_F_REQUEST, NLM_F_ACK = 1, 4
RTM_NEWLINK, RTM_DELLINK, RTM_DELADDR = 16, 17, 21
IFA_LOCAL = 2
IFLA_MTU = 4
IFF_UP = 1


def netlink(ns, kind, body):
    """One acknowledged rtnetlink request in ns: no process start blurs the time of a failure."""
    with ns.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        code = struct.unpack("=i", sock.recv(4096)[16:20])[0]
        if code:
            raise OSError(-code, os.strerror(-code))


def link_events(ns, ifname, count):
    """That many changes of an interface's MTU, each of which the kernel tells to all who listen."""
    index = ifindex(ns, ifname)
    with ns.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        for n in range(count):
            body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + struct.pack("=HHI", 8, IFLA_MTU, 1400 + n % 2)
            sock.send(struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, NLM_F_REQUEST, 1, 0) + body)


def ifindex(ns, ifname):
    return ns.call(socket.if_nametoindex, ifname)


def link_delete(ns, ifname):
    netlink(ns, RTM_DELLINK, struct.pack("=BxHiII", 0, 0, ifindex(ns, ifname), 0, 0))


def link_set(ns, ifname, is_up):
    netlink(ns, RTM_NEWLINK, struct.pack("=BxHiII", 0, 0, ifindex(ns, ifname), IFF_UP * is_up, IFF_UP))


def addr_delete(ns, ifname, addr):
    address, bits = addr.split("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    raw = socket.inet_pton(family, address)
    netlink(ns, RTM_DELADDR, struct.pack("=BBBBi", family, int(bits), 0, 0, ifindex(ns, ifname)) +
            struct.pack("=HH", 4 + len(raw), IFA_LOCAL) + raw)


SIOCETHTOOL = 0x8946
ETHTOOL_SET = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}


def offload(ns, ifname, **features):
    """What `ethtool -K` does."""
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM, 0) as sock:
        for name, on in features.items():
            value = array.array("I", (ETHTOOL_SET[name], on))
            fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", ifname.encode(), value.buffer_info()[0]))


def gro_on(ns, ifname):
    """The peer of a veth can then take XDP frames."""
    offload(ns, ifname, gro=1)
