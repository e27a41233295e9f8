#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the seeds of the fuzzers out of what the kernel says, and of packets.

usage: unshare --net tests/fuzz/seeds.py [NAME...]

In a network namespace of its own, which it fills with links, addresses and
routes of every sort that relayd has to read.  What the kernel on which it was
run last did not have (sit) is made by hand.  Files that a fuzzer has found and
that were kept (regression-*) stay.
"""

import pathlib
import shlex
import socket
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "system"))

from wire import checksum, ipv4, ipv6  # noqa: E402

NONCE = b"frrrelay"


def run(*lines):
    for line in lines:
        subprocess.run(line.split(), check=True)


# ------------------------------------------------------------------- netlink

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
RTM_NEWLINK, RTM_GETLINK, RTM_DELLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNETCONF = 16, 18, 17, 22, 26, 82
REQUEST, ACK, DUMP = 1, 4, 0x300
IFLA_IFNAME, IFLA_LINKINFO, IFLA_INFO_KIND, IFLA_INFO_DATA = 3, 18, 1, 2


def attr(kind, value):
    return (struct.pack("=HH", 4 + len(value), kind) + value).ljust((len(value) + 7) // 4 * 4, b"\0")


def message(kind, body, seq=1, flags=0):
    return struct.pack("=IHHII", 16 + len(body), kind, flags, seq, 0) + body


def asked(kind, body, flags=DUMP, protocol=NETLINK_ROUTE, strict=True):
    """The messages of the kernel's answer."""
    found = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as sock:
        sock.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK
        if strict:
            sock.setsockopt(270, 12, 1)  # NETLINK_GET_STRICT_CHK
        sock.send(message(kind, body, flags=REQUEST | flags))
        while True:
            data = sock.recv(1 << 17)
            while data:
                length, got = struct.unpack("=IH", data[:6])
                found.append(data[:8] + struct.pack("=II", 1, 0) + data[16:(length + 3) // 4 * 4])
                data = data[(length + 3) // 4 * 4:]
                if got in (2, 3) or not flags & DUMP:
                    return found


def links():
    sit = struct.pack("=BxHiII", 0, 776, 99, 0x10C1, 0) + attr(IFLA_IFNAME, b"r\0") + attr(4, struct.pack("=I", 1280)) + \
        attr(16, b"\0") + attr(20, b"frr-relay:r\0") + attr(IFLA_LINKINFO, attr(IFLA_INFO_KIND, b"sit\0") + attr(
            IFLA_INFO_DATA, attr(1, struct.pack("=I", 0)) + attr(2, socket.inet_aton("192.88.99.1")) +
            attr(3, bytes(4)) + attr(4, b"\x40") + attr(5, b"\x01") + attr(10, b"\0") + attr(8, struct.pack("=H", 0)) +
            attr(9, b"\x29") + attr(11, socket.inet_pton(socket.AF_INET6, "2002::")) +
            attr(13, struct.pack("=H", 16))))
    yield "sit", message(RTM_NEWLINK, sit) + message(RTM_DELLINK, sit)
    # an attribute that ends where the message does, and is shorter than what is read from it
    head = struct.pack("=BxHiII", 0, 1, 7, 0x1043, 0) + attr(IFLA_IFNAME, b"a\0")
    for kind in (4, 10, 16, 18, 20):
        yield f"short-{kind}", message(RTM_NEWLINK, head + attr(kind, b""))
    for kind in (1, 2, 3, 4, 8, 10, 11, 13):
        data = attr(IFLA_INFO_KIND, b"sit\0") + attr(IFLA_INFO_DATA, attr(kind, b""))
        yield f"short-sit-{kind}", message(RTM_NEWLINK, head + attr(IFLA_LINKINFO, data))
    for family in (2, 10):
        yield f"short-switch-{family}", message(80, struct.pack("=B3x", family) + attr(1, struct.pack("=i", 1)) + attr(
            2, b""))
        yield f"short-address-{family}", message(20, struct.pack("=BBBBi", family, 32, 0, 0, 1) + attr(2, b"\n\0\0\1") +
                                                 attr(1, b""))
    yield "short-head", message(20, b"") + message(RTM_NEWLINK, b"")
    # moved on to another name, and another link under the old one
    names = [struct.pack("=BxHiII", 0, 1, n, 0x1043, 0) + attr(IFLA_IFNAME, name)
             for n, name in ((5, b"a\0"), (6, b"b\0"), (6, b"a\0"), (5, b"b\0"))]
    yield "renamed", b"".join(message(RTM_NEWLINK, name) for name in names)
    for n, found in enumerate(asked(RTM_GETLINK, bytes(16))):
        yield f"link{n}", found
    for family in (2, 10):
        found = asked(RTM_GETADDR, struct.pack("=BBBBi", family, 0, 0, 0, 0))
        yield f"addrs-ipv{4 if family == 2 else 6}", b"".join(found)
        found = asked(RTM_GETNETCONF, struct.pack("=B3x", family))
        yield f"switches-ipv{4 if family == 2 else 6}", b"".join(found)
        yield f"switch-gone-ipv{4 if family == 2 else 6}", found[0] + found[0][:4] + struct.pack("=H", 81) + found[0][6:]


def routes():
    for family in (2, 10):
        found = asked(RTM_GETROUTE, struct.pack("=BBBBBBBBI", family, 0, 0, 0, 254, 0, 0, 0, 0))
        for n, one in enumerate(found[:-1]):
            yield f"ipv{4 if family == 2 else 6}-{n}", one
        for kind in (4, 5, 9, 15, 18):
            head = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 254, 3, 0, 1, 0)
            yield f"ipv{4 if family == 2 else 6}-short-{kind}", message(24, head + attr(kind, b""))
        # next hops whose lengths lie
        hops = struct.pack("=HBBi", 8, 0, 0, 1) + struct.pack("=HBBi", 64, 0, 0, 2)
        yield f"ipv{4 if family == 2 else 6}-nexthops", message(24, head + attr(9, hops))
        yield f"ipv{4 if family == 2 else 6}-all", b"".join(found)


def replies():
    yield "stats", asked(RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 1, 0, 0), flags=ACK)[0]
    for family, target in ((2, "198.51.100.9"), (10, "2001:db8:9::9"), (2, "127.0.0.1")):
        raw = socket.inet_pton(family, target)
        body = struct.pack("=BBBBBBBBI", family, len(raw) * 8, 0, 0, 0, 0, 0, 0, 0) + attr(1, raw)
        yield f"route-{target.replace(':', '-')}", asked(RTM_GETROUTE, body, flags=ACK)[0]
    # a refusal with words, with and without the request in it, and an acknowledgement
    bad = struct.pack("=BxHiII", 0, 0, 1, 0, 0) + attr(4, struct.pack("=I", 1 << 30))
    refused = asked(RTM_NEWLINK, bad, flags=ACK)[0]
    yield "refused", refused
    words = attr(1, b"mtu greater than device maximum\0")
    error = struct.pack("=i", -22) + message(RTM_NEWLINK, bad)
    yield "refused-whole", message(2, error + words, flags=0x200)
    yield "refused-capped", message(2, error[:20] + words, flags=0x300)
    yield "refused-odd", message(2, struct.pack("=iIHHII", -22, 0, 0, 0, 0, 0) + words, flags=0x200)
    yield "refused-short", message(2, struct.pack("=i", -22), flags=0x200)
    route = struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 255, 0, 0, 2, 0)
    for kind in (4, 15):
        yield f"short-route-{kind}", message(24, route + attr(kind, b""))
    yield "short-route", message(24, b"")
    yield "short-stats", message(16, struct.pack("=BxHiII", 0, 0, 1, 0, 0) + attr(23, bytes(8)))
    yield "done", asked(RTM_GETADDR, struct.pack("=BBBBi", 2, 0, 0, 0, 0))[-1]


# -------------------------------------------------------------------- probes

def probe(out=True, local=False, seq=7, hops=1):
    """A probe of the self-test as it comes out, see selftest_6to4.c."""
    def end(head, embedded, host):
        return (head + embedded + bytes(8))[:8] + socket.inet_aton("192.88.99.1") + struct.pack("!I", 0x72656C78 | host)
    sixtofour = end(b"\x20\x02", socket.inet_aton("192.88.99.1" if local else "192.0.0.8") + b"\xff\xff", local)
    native = end(b"\x01\0", bytes(4), local and not out)
    src, dst = (end(b"\x01\0", bytes(4), False), sixtofour) if out else (sixtofour, native)
    body = struct.pack("!BBHHH", 128, 0, 0, 3, 0) + NONCE + struct.pack("!I", seq) + bytes(12)
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, hops) + src + dst
    body = body[:2] + struct.pack("!H", checksum(head[8:] + struct.pack("!II", len(body), 58) + body)) + body[4:]
    return ipv4("192.88.99.1", "192.0.0.8", 41, head + body) if out else head + body


def selftest():
    for out in (False, True):
        for local in (False, True):
            yield f"{'6to4' if out else '4to6'}-{'host' if local else 'uplink'}", probe(out, local)
    yield "not-forwarded", probe(hops=2)


def nflog():
    """What comes out of a rule with `log group`, and the same with probes in it."""
    run("nft add table inet t", "nft add chain inet t c { type filter hook output priority 0 ; }",
        "nft add rule inet t c log group 2002 snaplen 128")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
        def config(*attrs):
            sock.send(message(4 << 8 | 1, struct.pack("!BBH", 0, 0, 2002) + b"".join(attrs), flags=REQUEST | ACK))
            assert struct.unpack("=i", sock.recv(4096)[16:20])[0] == 0
        config(attr(1, b"\1"))
        config(attr(2, struct.pack("!IBx", 128, 2)), attr(4, struct.pack("!I", 1)), attr(5, struct.pack("!I", 1)))
        for name, target in (("ping-ipv4", "127.0.0.1"), ("ping-ipv6", "::1")):
            subprocess.run(["ping", "-c1", "-W1", target], check=True, stdout=subprocess.DEVNULL)
            found = sock.recv(65536)
            yield name, found
            while True:
                try:
                    sock.recv(65536, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    break
    run("nft delete table inet t")
    # the attributes in front of the payload, as the kernel gave them
    front, at = b"", 20
    while struct.unpack("=H", found[at + 2:at + 4])[0] != 9:
        length = (struct.unpack("=H", found[at:at + 2])[0] + 3) // 4 * 4
        front, at = front + found[at:at + length], at + length
    yield "short", message(4 << 8, found[16:20] + attr(9, b""))
    for name, packet in (("probe-4to6", probe(False)), ("probe-6to4", probe(True))):
        yield name, message(4 << 8, found[16:20] + front + attr(9, packet)) * (2 if "6to4" in name else 1)


NFT = """
table ip frr-relay {
  set outer-source { type ipv4_addr; counter; elements = { 192.88.99.1, 192.88.99.2 }; }
  set probe_in { type ipv4_addr . ipv4_addr; counter; elements = { 192.88.99.1 . 192.0.0.8 }; }
}
table ip6 frr-relay {
  set source { type ifname; counter; elements = { "r", "fifteen-letters" }; }
  set probe_routed { type ipv6_addr; counter;
    elements = { 2002:c000:8:ffff:c058:6301:7265:6c78, 100::c058:6301:7265:6c78 }; }
}
"""


def nft():
    """Elements of sets as relayd has them, and the news of how they came about."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
        sock.bind((0, 0))
        sock.setsockopt(270, 1, 7)  # NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES
        subprocess.run(["nft", "-f", "-"], input=NFT, text=True, check=True)
        sock.settimeout(1)
        count = 0
        while count < 16:
            try:
                yield f"news-{count}", sock.recv(65536)
            except TimeoutError:
                break
            count += 1
    for family, name in ((2, "outer-source"), (2, "probe_in"), (10, "source"), (10, "probe_routed")):
        body = struct.pack("=BBH", family, 0, 0) + attr(1, b"frr-relay\0") + attr(2, name.encode() + b"\0")
        found = asked(10 << 8 | 13, body, protocol=NETLINK_NETFILTER, strict=False)
        yield f"elements-{name}", found[0]

    def nested(kind, *attrs):
        return attr(kind | 0x8000, b"".join(attrs))
    for name, key, packets in (("key", b"", bytes(8)), ("packets", socket.inet_aton("192.88.99.1"), bytes(4))):
        element = nested(1, nested(1, attr(1, key)), nested(7, attr(1, b"counter\0"), nested(2, attr(2, packets))))
        yield f"short-{name}", message(10 << 8 | 12, struct.pack("=BBH", 2, 0, 0) + nested(3, element))
    yield "short", message(10 << 8 | 12, b"")
    run("nft delete table ip frr-relay", "nft delete table ip6 frr-relay")


# --------------------------------------------------------------- echo replies

def icmp_echo():
    def reply(kind):
        body = struct.pack("!BBHHH4sIQ", kind, 0, 0, 0x1234, 9, b"rly1", 12, 0x1122334455667788)
        return body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    yield "ipv4", b"\0" + ipv4("203.0.113.1", "203.0.113.2", 1, reply(0))
    packet = ipv4("203.0.113.1", "203.0.113.2", 1, reply(0))
    options = b"\x46" + packet[1:20] + b"\x01\x01\x01\0" + packet[20:]
    yield "ipv4-options", b"\1" + options
    yield "ipv4-foreign", b"\0" + ipv4("203.0.113.1", "203.0.113.2", 1, b"\0\0" + struct.pack("!H", 0xFFFF) + bytes(4))
    yield "ipv6", b"\2" + reply(129)
    yield "life", b"\3" + bytes([0, 100, 0, 5, 10, 0, 3, 3, 0, 0, 100, 0, 5, 200, 0, 4, 0, 0, 6, 1, 255, 2, 0, 0])
    yield "life-lost", b"\3" + bytes([0, 10, 0, 5, 20, 0, 4, 0, 0] * 4 + [3, 5, 0, 3, 2, 0, 7, 1, 1])


def icmp_error():
    sender, host, host6 = "2001:db8:6::1", "203.0.113.7", "2002:cb00:7107::1"

    def error(kind, code, inner, mtu=0, words=0, cut=None):
        body = struct.pack("!BBHBBH", kind, code, 0, 0, words, mtu) + ipv4("192.88.99.1", host, 41, inner)[:cut]
        return b"\1\xa0" + ipv4("198.51.100.1", "192.88.99.1", 1,
                                body[:2] + struct.pack("!H", checksum(body)) + body[4:])
    udp = ipv6(sender, host6, 17, bytes(8) + b"x" * 1300)
    yield "host-unreachable", error(3, 1, udp, cut=548)
    yield "prohibited", error(3, 13, udp, cut=128)
    yield "too-big", error(3, 4, udp, mtu=1300, cut=548)
    yield "too-big-old", error(3, 4, udp, cut=68)
    yield "time-exceeded", error(11, 0, udp)
    yield "rfc4884", error(11, 0, udp, words=32, cut=128) + b"\x20\0\0\0\0\x08\1\1\0\0\0\1"
    yield "eight-octets", error(3, 1, udp, cut=28)
    yield "about-an-error", error(3, 1, ipv6(sender, host6, 58, b"\1\3\0\0" + bytes(48)))
    yield "extensions", error(3, 1, ipv6(sender, host6, 0, b"\x3c" + bytes(7) + b"\x2c" + bytes(7) + b"\x3a" + bytes(7) +
                                         b"\x80" + bytes(7)))


# ------------------------------------------------------------------- 6to4

def slow_6to4():
    """The cases of RFC 3964's table, as packets."""
    table = HERE.parent / "data" / "rfc3964.txt"
    seen = {}
    for line in table.read_text(encoding="ascii").splitlines():
        way, outer_src, outer_dst, src, dst, reason, *lines = shlex.split(line, comments=True) or ["-"] + 5 * [""]
        if way == "-" or reason == "denied" or lines:
            continue
        seen[way, reason] = seen.get((way, reason), 0) + 1
        packet = ipv6(src, dst, 59, b"")
        data = b"\1" + ipv4(outer_src, outer_dst, 41, packet) if way == "4to6" else b"\0" + packet
        yield f"{way}-{reason}-{seen[way, reason]}", data
        if seen[way, reason] == 1:
            for flag in (2, 4, 8, 16, 32):
                yield f"{way}-{reason}-with-{flag}", bytes([data[0] | flag]) + data[1:]


# --------------------------------------------------------------------- Teredo

def teredo_packet():
    client = "2001:0:4136:e378:8000:63bf:3fff:fdd2"
    bubble, packet = ipv6(client, "2001:db8:6::1", 59, b""), ipv6(client, "2001:db8:6::1", 17, bytes(8) + b"data")
    # RFC 4380 section 5.1.1
    origin = bytes.fromhex("0000FEAEFEFDFCFB")
    auth = b"\0\1\0\0" + b"noncenon" + b"\0"
    auth_full = b"\0\1\3\4" + b"abc" + b"1234" + b"noncenon" + b"\1"
    # RFC 6081 sections 4.2 to 4.5
    trailers = {"nonce": b"\1\4\xde\xad\xbe\xef", "alternate": b"\3\x08\0\0\xc0\xa8\1\0\x0f\xff",
                "discovery": b"\4\4\0\0\0\0", "port": b"\5\2\x12\x34", "skipped": b"\x80\1x",
                "discard": b"\x41\1x", "torn": b"\1\xff"}
    for name, before in (("simple", b""), ("origin", origin), ("auth", auth), ("auth-full", auth_full),
                         ("auth-origin", auth_full + origin), ("origin-auth", origin + auth)):
        yield f"{name}-bubble", before + bubble
        yield f"{name}-packet", before + packet
    for name, trailer in trailers.items():
        yield f"trailer-{name}", bubble + trailer
    yield "trailers", packet + b"".join(trailers.values())
    yield "promises-more", packet[:5] + b"\xff" + packet[6:]
    yield "jumbogram", ipv6(client, "2001:db8:6::1", 0, b"")
    yield "cut", bubble[:39]
    yield "client-to-client", origin + ipv6(client, "2001:0:cb00:7178:3cff:efff:3fff:fdfe", 58, b"\x80" + bytes(7))


def selftest_teredo():
    peer, local = "2001:0:c000:201:0:63bf:3fff:fdfe", "2001:0:c000:201:0:f226:3fff:fdfe"
    for way in 0, 1:
        data = NONCE + struct.pack("!IHH", 7, 1, way)
        udp = struct.pack("!HHHH", 3545, 3545, 8 + len(data), 0) + data
        packet = ipv6(*((local, peer) if way else (peer, local)), 17, udp, hops=2)
        outer = ipv4("192.0.2.1", "192.0.2.1", 17, struct.pack("!HHHH", 3545, 40000, 8 + len(packet), 0) + packet)
        for name, what in (("data", data), ("packet", packet), ("outer", outer)):
            yield f"{name}-{way}", what
            yield f"{name}-{way}-cut", what[:-1]
    yield "no-way", NONCE + struct.pack("!IHH", 7, 1, 2)


# -------------------------------------------------------------------- journal

def journal():
    text = """\
+ interface r r creating .
+ interface r r made .
+ address r,192.88.99.1/32 - .
+ sysctl net/ipv4/conf/eth0/accept_local 0 1 .
+ table frr-relay - .
+ route r,2002::/16 - .
+ relay r up 3 .
+ restart planned 12345 60 .
- address r,192.88.99.1/32
"""
    yield "a-run", text.encode()
    yield "far-future", b"+ restart planned 9223372036854775807 4294967295 .\n+ relay r up 4294967295 .\n"
    yield "far-past", b"+ restart planned -9223372036854775808 0 .\n+ sysctl ../../tmp/x 1 2 .\n"
    yield "torn", text[:90].encode()
    yield "odd", b"+ relay r  5 .\n+ nothing x y .\n- relay\n\n+ sysctl a . .\n+ relay r dampened 4294967295 .\n\0\n"
    yield "long", b"+ relay " + b"n" * 200 + b" up 1 .\n" + b"+ relay r " + b"v" * 80 + b" .\n" + b"x" * 600


# ------------------------------------------------------------------------ bfd

def bfd():
    def address(family, text, bits=None):
        raw = socket.inet_pton(family, text)
        return struct.pack("!B", family) + raw + struct.pack("!B", len(raw) * 8 if bits is None else bits)
    for name, ifindex, family, peer, status, local in (
            ("up", 1, socket.AF_INET, "203.0.113.1", 4, "203.0.113.2"),
            ("down", 0, socket.AF_INET, "203.0.113.1", 1, "0.0.0.0"),
            ("admin-down", 0, socket.AF_INET, "203.0.113.1", 8, "203.0.113.2"),
            ("ipv6", 1, socket.AF_INET6, "2001:db8::1", 4, "2001:db8::2")):
        yield name, struct.pack("!I", ifindex) + address(family, peer) + struct.pack("!I", status) + \
            address(family, local) + b"\0"


def teredo_relay():
    """Rows of steps, see fuzz_teredo_relay.c."""
    (to_client, from_client, bubble, forged, raw_ipv4, raw_ipv6, wait, sleep, jump, configure, clear, own,
     own_packet, fast, lose, walk) = range(16)
    packet = ipv6("2001:0:4136:e378:3e8:fc17:afff:ffff", "2001:db8::1", 59, b"")
    rows = {
        "answered": (to_client, 0, 0, to_client, 0, 1, wait, 3, bubble, 0, from_client, 0, 0, to_client, 0, 0, walk, 0),
        "unanswered": (to_client, 0, 0, wait, 100, walk, 0, to_client, 0, 0, wait, 255, sleep, 255, to_client, 0, 0),
        "unknown": (from_client, 1, 0, to_client, 1, 0, forged, 1, forged, 0x41, walk, 0),
        "refresh": (bubble, 0, wait, 255, to_client, 0, 0, wait, 20, to_client, 0, 0, wait, 30, to_client, 0, 0),
        "stale": (bubble, 0, sleep, 35, to_client, 0, 0, wait, 5, bubble, 0, walk, 0),
        "aged": (bubble, 0, bubble, 4, jump, 55, walk, 0, jump, 200, walk, 0),
        "many": sum(((to_client, i, i, bubble, i, from_client, i, 0) for i in range(32)), ()) + (walk, 0),
        "full": (configure, 0) + sum(((to_client, i, i, bubble, 31 - i) for i in range(32)), ()) + (walk, 0),
        "bound": sum(((bubble, i) for i in range(32)), ()) + (configure, 0x10, walk, 0, bubble, 0, walk, 0),
        "limits": (configure, 0x70) + sum(((to_client, i, 0, bubble, 31 - i) for i in range(32)), ()) + (wait, 50),
        "cleared": sum(((to_client, i, 0, bubble, i) for i in range(8)), ()) + (clear, 0, bubble, 0, walk, 0),
        "queued": (to_client, 0, 0) * 12 + (to_client, 0x80, 0) * 5 + (to_client, 4, 0, bubble, 0, walk, 0),
        "denied": (bubble, 1, to_client, 4, 0, configure, 0x32, to_client, 1, 0, wait, 30, bubble, 4),
        "directions": (configure, 0x34, bubble, 0, from_client, 0, 0, to_client, 0, 0, configure, 0x38, to_client, 0, 0),
        "own": (own, 1, own_packet, 0, own_packet, 1, own_packet, 2, own_packet, 3, own_packet, 5, own, 0,
                own_packet, 0, own_packet, 1, walk, 0),
        "fast": (bubble, 0, sleep, 200, fast, 0x60, wait, 200, sleep, 150, walk, 0, to_client, 0, 0, sleep, 40,
                 to_client, 0, 0, lose, 0, from_client, 0, 0),
        "raw": (raw_ipv4, 0, len(packet), *packet, raw_ipv6, 0, len(packet), *packet, walk, 0),
    }
    for name, row in rows.items():
        for how in (0x30, 0x31, 0x10):
            for first in range(4):
                yield f"{name}-{how:x}-{first}", bytes((first & 1, first >> 1, how, *row))


# ----------------------------------------------------------------------- gRPC

def varint(n):
    octets = bytearray()
    while n > 127:
        octets.append(n & 127 | 128)
        n >>= 7
    return bytes(octets) + bytes([n])


def field(number, value):
    """Of a protobuf message: a number, a text, or a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def grpc_message():
    value = field(1, "/frr-relay:relay/instance[name='a']/maintenance") + field(2, "true")
    other = field(1, "/frr-relay:relay/track-object[id='7']")
    yield "empty", b""
    yield "candidate", field(1, 7)
    yield "candidate-large", field(1, (1 << 32) - 1)
    yield "get", field(1, 2) + field(2, 1) + field(3, 1) + field(4, "/") + field(4, "/frr-relay:relay/instance/state")
    yield "edit", field(1, 7) + field(2, value) + field(2, other) + field(3, other)
    yield "load", field(1, 7) + field(2, 1) + field(3, field(1, 1) + field(2, "<relay xmlns=\"urn\"/>"))
    yield "commit", field(1, 7) + field(2, 4) + field(3, "gr\u00fc\u00df")
    yield "transaction", field(1, 3) + field(2, 1) + field(3, 1)
    yield "execute", field(1, "/frr-relay:clear-counters") + field(2, field(1, "name") + field(2, "a"))
    yield "subscribe", field(1, "a") + field(1, "tokyo6to4")
    # what is newer, older, twice, or of another wire type
    yield "unknown", field(1, 7) + field(100, "new") + field(101, 5) + b"\xad\x06abcd" + b"\xb1\x06abcdefgh"
    yield "packed", field(4, field(1, 7)[1:] * 3)
    yield "twice", field(1, 7) + field(1, 8) + field(3, field(2, "a")) + field(3, field(1, 1))
    yield "wire-type", field(1, "7") + field(2, 5) + field(3, 5) + field(4, 5)
    yield "group", b"\x0b\x0c"
    yield "torn", field(2, value)[:-3]
    yield "lies", b"\x12\xff\xff\xff\xff\x0f" + value
    for name, text in (("alone", b"\x80"), ("cut", b"\xe2\x82"), ("long", b"\xc0\xaf"), ("surrogate", b"\xed\xa0\x80"),
                       ("beyond", b"\xf4\x90\x80\x80"), ("five", b"\xf8\x88\x80\x80\x80"),
                       ("last", b"\xf4\x8f\xbf\xbf"), ("nul", b"a\0b")):
        for number in (1, 3, 4):
            yield f"utf8-{name}-{number}", field(number, text)
        yield f"utf8-{name}-nested", field(2, field(1, text)) + field(3, field(2, text))


def grpc_calls():
    """Rows of steps, see fuzz_grpc_calls.c."""
    (create, delete, update, edit, load, commit, transactions, transaction, get, capabilities, lock, unlock, execute,
     subscribe, unsubscribe, status, raw, settle, leave, wait, many, line, line_commit, line_lock) = range(24)
    validate, prepare, abort, apply, everything = range(5)
    (size, lid, tag, _, _, note, text, road, _, gauge, _, entry, _, _, width, _, shelf, label, depth) = range(19)
    relay, counters = 34, 35
    ann, bob, eve = 0, 8, 16  # sessions; 6 and 7 hold an answer back, and lose it

    def edits(who, candidate, update=(), remove=()):
        return (edit, who, candidate, len(update)) + sum(update, ()) + (len(remove),) + \
            sum(((p, 0) for p in remove), ())

    def commits(who, candidate, phase, comment=0):
        return (commit, who, candidate, phase, comment)

    def lines(path, value):
        return (line, 1, path, value, line_commit, 0)
    two = (create, ann, create, bob)
    mine = edits(ann, 0, ((size, 3), (label, 6)))
    rows = {
        "one": (create, ann) + mine + commits(ann, 0, everything, 1) + (transactions, 0, transaction, 0, 0, 1),
        "none": (delete, 0, 251, update, 0, 245) + commits(0, 0, 0) + (unlock, 0),
        "two": two + mine + edits(bob, 1, ((lid, 8), (shelf, 0))) + commits(ann, 0, everything) +
        commits(bob, 1, everything) + (get, 0, 1, 1, 29),
        "delete-wins": two + mine + commits(ann, 0, everything) + (update, bob, 1) + edits(bob, 1, (), (shelf,)) +
        edits(ann, 0, ((depth, 3),)) + commits(ann, 0, everything) + commits(bob, 1, everything),
        "comes-back": two + mine + commits(ann, 0, everything) + (update, bob, 1) + edits(bob, 1, ((depth, 3),)) +
        edits(ann, 0, (), (shelf,)) + commits(ann, 0, everything) + commits(bob, 1, everything),
        "cases": two + edits(ann, 0, ((road, 6),)) + commits(ann, 0, everything) + (update, bob, 1) +
        edits(bob, 1, ((gauge, 3),)) + edits(ann, 0, ((entry, 0),)) + commits(ann, 0, everything) +
        commits(bob, 1, everything),
        "phases": two + mine + commits(ann, 0, validate) + commits(ann, 0, abort) + commits(ann, 0, prepare, 1) +
        commits(bob, 0, everything) + edits(bob, 1, ((lid, 8),)) + commits(bob, 1, everything) +
        commits(ann, 0, apply) + commits(bob, 1, everything) + (transactions, 0),
        "aborted": (create, ann) + mine + commits(ann, 0, prepare) + commits(ann, 0, abort) +
        commits(ann, 0, everything),
        "refused": (create, ann) + edits(ann, 0, ((counters, 0),)) + commits(ann, 0, everything) +
        commits(ann, 0, validate),
        "no-room": (create, ann) + edits(ann, 0, ((relay, 0),)) + commits(ann, 0, prepare) +
        commits(ann, 0, everything),
        "locked": (lock, ann, lock, bob) + two + mine + commits(bob, 0, everything) + commits(ann, 0, prepare) +
        (unlock, ann, lock, bob) + commits(ann, 0, apply),
        "lost": (create, ann | 7, create, ann) + mine + commits(ann | 7, 0, prepare) + (lock, bob | 7, lock, ann),
        "late": (create, ann | 6, create, ann) + edits(ann, 1, ((size, 3),)) + commits(ann | 6, 1, prepare) +
        commits(ann, 1, abort) + commits(bob, 1, prepare) + (settle, 3, settle, 1),
        "late-lock": (lock, ann | 6, unlock, ann, lock, ann, settle, 1, lock, bob | 6, leave, 1, settle, 1),
        "left": two + mine + commits(ann, 0, prepare) + (lock, bob, leave, 0, leave, 1) + commits(eve, 0, everything),
        "orphan": two + (leave, 0, wait, 59, update, bob, 0, wait, 1, update, bob, 0, wait, 60, update, bob, 1),
        "waits": (create, ann) + mine + commits(ann, 0, prepare) + (wait, 29, wait, 1) + commits(ann, 0, apply),
        "ring": (create, ann, many, 191, many, 190, transactions, 0, transaction, 0, 99, transaction, 0, 102),
        "full": (create, ann) * 4 + (many, 63) * 4 + (create, eve, update, eve, 0) + edits(eve, 1, ((size, 3),)) +
        commits(eve, 1, prepare) + (leave, 0) + (create, eve) * 5 + commits(eve, 1, apply),
        "vtysh": lines(size, 3) + two + (line, 1, tag, 0) + mine + commits(ann, 0, everything) + (line_commit, 0) +
        edits(bob, 1, ((road, 6),)) + commits(bob, 1, everything) + lines(lid, 8) + (transactions, 0),
        "vtysh-waits": two + mine + commits(ann, 0, prepare) + lines(lid, 8) + commits(ann, 0, apply) + lines(lid, 8),
        "vtysh-locks": two + (line_lock, 1) + mine + commits(ann, 0, everything) + (lock, ann, unlock, ann, line_lock, 0),
        "streams": (subscribe, 0, 0, subscribe, 4, 0, status, 0, status, 3, status, 5, unsubscribe, 0, status, 2),
        "rpcs": sum(((execute, 0, rpc, 1, name, 6) for rpc in range(4) for name in range(5)), ()) + (capabilities, 0),
        "raw": (raw, 0, 5, 4, 8, 1, 16, 4, raw, 0, 1, 2, 0x22, 0xff, create, 0, raw, 0, 7, 4, 8, 1, 16, 4),
        "own-text": (create, ann, edit, ann, 0, 1, 250, 7, *b"/x[y='z", 255, 3, 0xe2, 0x82, 0xac, 0),
    }
    for tree in range(18):
        rows[f"load-{tree}"] = (create, ann) + edits(ann, 0, ((size, 3), (tag, 0), (note, 0))) + \
            sum(((load, ann, kind, 0, tree) + commits(ann, 0, everything) for kind in (0, 9, 1, 8)), ()) + (get, 0, 2, 0)
    for name, row in rows.items():
        yield name, bytes((0, *row))
        yield f"{name}-idle", bytes((1, *row))


SEEDS = {f.__name__: f for f in (links, routes, replies, selftest, nflog, nft, icmp_echo, icmp_error, slow_6to4,
                                 teredo_packet, teredo_relay, selftest_teredo, journal, bfd, grpc_message, grpc_calls)}


def fill():
    """Something of each sort."""
    run("ip link set lo up", "ip link add eth0 type veth peer name eth1", "ip link set eth0 alias frr-relay:x up",
        "ip link set eth1 up", "ip link add br0 type bridge", "ip link set eth1 master br0",
        "ip link add vxlan0 type vxlan id 7 dstport 4789", "ip link add mac0 link eth0 type macvlan",
        "ip addr add 203.0.113.2/24 dev eth0", "ip addr add 192.0.2.1 peer 192.0.2.9 dev eth0",
        "ip addr add 2001:db8::2/64 dev eth0 nodad", "ip route add default via 203.0.113.1",
        "ip route add 198.51.100.0/24 nexthop via 203.0.113.1 nexthop via 203.0.113.3 weight 2",
        "ip route add 198.51.101.0/24 via inet6 2001:db8::1 dev eth0", "ip route add blackhole 10.0.0.0/8",
        "ip -6 route add default via 2001:db8::1",
        "ip -6 route add 2001:db8:9::/48 nexthop via 2001:db8::1 nexthop via 2001:db8::3")


def main():
    fill()
    for name in sys.argv[1:] or SEEDS:
        where = HERE / "corpus" / name
        where.mkdir(parents=True, exist_ok=True)
        for old in where.iterdir():
            if not old.name.startswith("regression-"):
                old.unlink()
        for seed, data in SEEDS[name]():
            (where / seed).write_bytes(data)


main()
