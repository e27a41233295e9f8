# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that a relay on the open internet has to stand, and what is to become of each.

A Case is one packet, sent to the relay from one of its sides, with its fate:

  pass     it crosses; `out` is the IPv6 packet on the other side, `other`
           another form that it may have there
  local    it is for the relay itself: nothing crosses, nothing is dropped
  stack    the IP stack of the router does not let it get to the relay, or not
           away from it: nothing crosses, nothing is counted
  either   nobody forbids it, nobody promises it
  REASON   the relay drops it and counts it under this reason

eBPF programs see a packet before the stack does, but leave some to it (`slow`).
A sit device gets what the stack and the rules in nftables have let through, and
its rules can't compare two parts of a packet: `sit` is the fate there.
"""

import ipaddress
import itertools
import pathlib
import random
import shlex
import socket
import struct
from dataclasses import dataclass

from wire import checksum, ipv4, ipv6, sixto4

RELAY, TRANSMIT = "192.88.99.1", "192.88.99.3"
RELAY_6 = "2002:c058:6301::1"
H64 = "198.51.100.2"
H64_6 = sixto4(H64)
H6 = "2001:db8:6::6"
TABLE = pathlib.Path(__file__).resolve().parents[1] / "data" / "rfc3964.txt"

# what one trial leaves in the router's memory must not meet the next one's
IDENTIFICATIONS = itertools.count(1)

NO_NEXT, UDP, ICMP6, FRAGMENT, ROUTING, DEST_OPTIONS, HOP_BY_HOP = 59, 17, 58, 44, 43, 60, 0


@dataclass
class Case:
    name: str
    way: str  # 4to6, 6to4: the side that it comes from
    data: bytes
    fate: str
    sit: str = ""
    slow: bool = False
    out: bytes = b""
    other: bytes = b""

    def expect(self, programs, on_sit):
        """What is to become of it where there are eBPF programs, where there is a sit device."""
        return self.sit or self.fate if on_sit and (self.slow or not programs) else self.fate


# -------------------------------------------------------------------- pieces

def udp(src, dst, data=b"", sport=4000, dport=4000):
    body = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    pseudo = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + \
        struct.pack("!II", len(body), UDP)
    return body[:6] + struct.pack("!H", checksum(pseudo + body) or 0xFFFF) + body[8:]


def inner(src=H64_6, dst=H6, data=b"hostile.", hops=64):
    return ipv6(src, dst, UDP, udp(src, dst, data), hops)


def received(packet, src=H64, dst=RELAY, **fields):
    """In a tunnel, on its way to the relay."""
    return ipv4(src, dst, 41, packet, **fields)


def mend(packet):
    """The checksum of an IPv4 header, as long as it says that it is, made right."""
    size = min(max((packet[0] & 15) * 4, 20), len(packet))
    head = packet[:10] + b"\0\0" + packet[12:size]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + packet[size:]


def put(packet, at, value):
    return packet[:at] + value + packet[at + len(value):]


def options(packet, data):
    """The IPv4 packet with options."""
    data = data.ljust((len(data) + 3) // 4 * 4, b"\0")
    packet = bytes([0x40 | 5 + len(data) // 4]) + packet[1:2] + struct.pack("!H", len(packet) + len(data)) + packet[4:]
    return mend(packet[:20] + data + packet[20:])


def forwarded(packet):
    """An IPv6 packet one hop on, without what follows its end."""
    size = 40 + struct.unpack("!H", packet[4:6])[0]
    return packet[:7] + bytes([packet[7] - 1]) + packet[8:size]


def crossing(name, way, data, packet, **more):
    return Case(name, way, data, "pass", out=forwarded(packet), **more)


def chained(src, dst, headers, last=NO_NEXT, data=b""):
    """An IPv6 packet with extension headers: (protocol, its octets from the second on)."""
    body, nxt = data, last
    for proto, octets in reversed(headers):
        body = bytes([nxt]) + octets + body
        nxt = proto
    return ipv6(src, dst, nxt, body)


# ---------------------------------------------------------------------- cases

def whole():
    packet = inner()
    yield crossing("whole", "4to6", received(packet), packet)
    packet = inner(H6, H64_6)
    yield crossing("whole", "6to4", packet, packet)
    big = inner(data=bytes(1000))
    yield crossing("big", "4to6", received(big), big)
    big = inner(H6, H64_6, bytes(1000))
    yield crossing("big", "6to4", big, big)
    # what an Ethernet adds to a short packet, or anybody to a long one
    yield crossing("padded", "4to6", received(inner(data=b"")) + bytes(30), inner(data=b""))
    yield crossing("padded", "6to4", inner(H6, H64_6, b"") + bytes(30), inner(H6, H64_6, b""))


def cut():
    """The packet ends before its header says so, at each octet."""
    packet = received(inner())
    for size in range(1, len(packet)):
        yield Case(f"cut-{size}", "4to6", packet[:size], "stack" if size < 20 else "malformed", sit="stack")
    packet = inner(H6, H64_6)
    for size in range(1, len(packet)):
        yield Case(f"cut-{size}", "6to4", packet[:size], "stack" if size < 40 else "malformed", sit="stack")


def short():
    """The outer header says so too; what is inside ends before its own does."""
    packet = received(inner())
    for size in range(20, len(packet)):
        yield Case(f"short-{size}", "4to6", mend(put(packet[:size], 2, struct.pack("!H", size))), "malformed",
                   sit="malformed" if size < 60 else "stack")


def lengths():
    packet, inside = received(inner()), inner()
    for size in (0, 1, 19):
        yield Case(f"total-{size}", "4to6", mend(put(packet, 2, struct.pack("!H", size))), "malformed", sit="stack")
    for size in (20, 21, 40, 59, 60, 61, len(packet) - 1):
        yield Case(f"total-{size}", "4to6", mend(put(packet, 2, struct.pack("!H", size))), "malformed",
                   sit="malformed" if size < 60 else "stack")
    for size in (len(packet) + 1, 1500, 0x7FFF, 0xFFFF):
        yield Case(f"total-{size}", "4to6", mend(put(packet, 2, struct.pack("!H", size))), "malformed", sit="stack")
    for ihl in range(16):
        if ihl != 5:
            yield Case(f"ihl-{ihl}", "4to6", mend(bytes([0x40 | ihl]) + packet[1:]), "stack")
    for size in range(16):
        # octets of the outer packet that no inner one claims
        yield crossing(f"payload-{size}", "4to6", put(packet, 24, struct.pack("!H", size)),
                       put(inside, 4, struct.pack("!H", size)))
        out = put(inner(H6, H64_6), 4, struct.pack("!H", size))
        yield crossing(f"payload-{size}", "6to4", out, out)
    for size in (17, 18, 100, 1280, 0x7FFF, 0xFFD7, 0xFFFF):
        yield Case(f"payload-{size}", "4to6", put(packet, 24, struct.pack("!H", size)), "malformed", sit="stack")
        yield Case(f"payload-{size}", "6to4", put(inner(H6, H64_6), 4, struct.pack("!H", size)), "malformed",
                   sit="stack")


def versions():
    packet, inside = received(inner()), inner(H6, H64_6)
    for version in range(16):
        head = bytes([version << 4 | packet[0] & 15])
        if version != 4:
            yield Case(f"outer-version-{version}", "4to6", mend(head + packet[1:]), "malformed", sit="stack")
        if version != 6:
            yield Case(f"inner-version-{version}", "4to6", put(packet, 20, bytes([version << 4])), "malformed")
            yield Case(f"version-{version}", "6to4", bytes([version << 4]) + inside[1:], "malformed", sit="stack")


def checksums():
    """One bit of the outer header is wrong: each of them."""
    packet = received(inner())
    for bit in range(160):
        octet = bit // 8
        wrong = put(packet, octet, bytes([packet[octet] ^ 0x80 >> bit % 8]))
        # another's header length, fragment, protocol or destination is not the relay's to judge
        foreign = bit in range(4, 8) or bit in range(50, 64) or octet in (9, 16, 17, 18, 19)
        yield Case(f"bit-{bit}", "4to6", wrong, "stack" if foreign else "malformed", sit="stack")


def nested():
    """Tunnels in tunnels: what is inside is data, but a relay must not open two at once."""
    innermost = inner()
    deep = ipv6(H64_6, H6, 4, received(innermost))
    yield crossing("6in4in6in4", "4to6", received(deep), deep)
    deep = ipv6(H64_6, H6, 41, innermost)
    yield crossing("6in6in4", "4to6", received(deep), deep)
    yield Case("6in4in4", "4to6", received(received(innermost)), "malformed")
    deep = ipv6(H6, H64_6, 41, inner(H6, H64_6))
    yield crossing("6in6", "6to4", deep, deep)
    deep = ipv6(H6, H64_6, 4, received(innermost))
    yield crossing("6in4in6", "6to4", deep, deep)
    deep = innermost
    for _ in range(8):
        deep = ipv6(H64_6, H6, 4, received(deep))
    yield crossing("eight deep", "4to6", received(deep), deep)
    # back into the tunnel: RFC 6324's loop, by the relay's own address and by another's
    yield Case("loop", "4to6", received(inner(sixto4(RELAY), H6), RELAY), "outer-source")
    yield Case("loop", "6to4", inner(H6, sixto4(RELAY, "2")), "destination-own")
    yield Case("loop-transmit", "6to4", inner(H6, sixto4(TRANSMIT)), "destination-own")


def chains():
    pad6 = b"\0\1\4\0\0\0\0"  # one option, PadN
    route0 = b"\2\0\1\0\0\0\0" + socket.inet_pton(socket.AF_INET6, H6)
    kinds = {
        "dest-options": [(DEST_OPTIONS, pad6)],
        "many": [(DEST_OPTIONS, pad6)] * 60,
        "unknown": [(253, pad6), (254, pad6)],
        "routing-0": [(ROUTING, route0)],
        "routing-odd": [(ROUTING, b"\0\0\xff\0\0\0\0")],
        "fragment": [(FRAGMENT, b"\0\0\x01\0\0\0\7")],
        "fragment-last": [(FRAGMENT, b"\0\0\x08\0\0\0\7")],
        "fragment-atomic": [(FRAGMENT, b"\0\0\0\0\0\0\7")],
        "fragment-huge": [(FRAGMENT, b"\0\xff\xf9\0\0\0\7")],
        "fragments": [(FRAGMENT, b"\0\0\x01\0\0\0\7")] * 8,
        "lying": [(DEST_OPTIONS, b"\xff" + pad6[1:])],
        "shim": [(139, pad6), (140, pad6), (51, b"\1" + pad6[1:])],
    }
    for name, headers in kinds.items():
        packet = chained(H64_6, H6, headers)
        yield crossing(f"chain-{name}", "4to6", received(packet), packet)
        packet = chained(H6, H64_6, headers)
        yield crossing(f"chain-{name}", "6to4", packet, packet)
    # each router looks at hop-by-hop options, and may drop what has any
    for name, head, fate in (("pad", pad6, "pass"), ("router-alert", b"\0\5\2\0\0\1\0", "pass"),
                             ("unknown-drop", b"\0\x40\4\0\0\0\0", "stack"), ("lying", b"\xff" + pad6[1:], "stack"),
                             ("jumbo", b"\0\xc2\4\0\1\0\0", "stack")):
        for way, src, dst in (("4to6", H64_6, H6), ("6to4", H6, H64_6)):
            packet = chained(src, dst, [(HOP_BY_HOP, head)])
            if name == "jumbo":
                packet = put(packet, 4, b"\0\0")
            yield Case(f"hop-by-hop-{name}", way, received(packet) if way == "4to6" else packet, fate,
                       out=forwarded(packet) if fate == "pass" else b"")


def hops():
    for count in (0, 1):
        packet = inner(hops=count)
        yield Case(f"hops-{count}", "4to6", received(packet), "stack")
        yield Case(f"hops-{count}", "6to4", inner(H6, H64_6, hops=count), "stack")
    for count in (2, 255):
        packet = inner(hops=count)
        yield crossing(f"hops-{count}", "4to6", received(packet), packet)
        packet = inner(H6, H64_6, hops=count)
        yield crossing(f"hops-{count}", "6to4", packet, packet)
    # the outer packet has arrived: its own count does not matter
    packet = inner()
    for count in (1, 255):
        yield crossing(f"ttl-{count}", "4to6", received(packet, ttl=count), packet)


def ipv4_options():
    packet = inner()
    good = {"nop": b"\1\1\1\1", "record-route": b"\7\7\4\0\0\0\0", "timestamp": b"\x44\x08\5\0\0\0\0\0",
            "alert": b"\x94\4\0\0", "most": b"\1" * 40}
    for name, data in good.items():
        yield crossing(f"option-{name}", "4to6", options(received(packet), data), packet)
    bad = {"zero-length": b"\x07\0\0\0", "long": b"\x07\x28\4\0", "one": b"\x07\1\0\0", "pointer": b"\x07\7\1\0\0\0\0"}
    for name, data in bad.items():
        yield Case(f"option-bad-{name}", "4to6", options(received(packet), data), "stack")
    yield Case("option-source-route", "4to6", options(received(packet), b"\x83\7\4" + socket.inet_aton(H64)), "either")
    # the checks hold on the slow way, too
    yield Case("option-spoofed", "4to6", options(received(packet, "198.51.100.99"), b"\1"), "source-spoofed",
               slow=True)
    yield Case("option-short", "4to6", options(received(packet[:-3]), b"\1"), "malformed", sit="stack", slow=True)


def fragmented(packet, *ends):
    """Fragments of an IPv4 packet that end at these octets of its payload, and the rest."""
    at, found = 0, []
    for end in (*ends, len(packet) - 20):
        more = 0x2000 if end < len(packet) - 20 else 0
        head = put(packet[:20], 2, struct.pack("!H", 20 + end - at))
        head = put(head, 6, struct.pack("!H", more | at // 8))
        found.append(mend(head) + packet[20 + at:20 + end])
        at = end
    return found


def fragments():
    """Whole again they are judged like others; never whole, nobody sees them."""

    def numbered(packet):
        return mend(put(packet, 4, struct.pack("!H", next(IDENTIFICATIONS))))

    def all_of(name, parts, last, **more):
        for n, part in enumerate(parts[:-1]):
            yield Case(f"{name}-{n}", "4to6", part, "stack")
        yield Case(name, "4to6", parts[-1], last, **more)

    data = inner(data=bytes(range(200)))
    out = forwarded(data)
    yield from all_of("fragments", fragmented(numbered(received(data)), 80, 160), "pass", out=out)
    yield from all_of("fragments-reversed", fragmented(numbered(received(data)), 80, 160)[::-1], "pass", out=out)
    yield from all_of("fragments-tiny", fragmented(numbered(received(data)), *range(8, 240, 8)), "pass", out=out)
    yield from all_of("fragments-of-a-spoofed", fragmented(numbered(received(data, "198.51.100.99")), 8, 16),
                      "source-spoofed")
    yield from all_of("fragments-of-a-short", fragmented(numbered(received(data[:-1])), 8), "malformed",
                      sit="stack", slow=True)
    # twice the same is no contradiction
    parts = fragmented(numbered(received(data)), 80, 160)
    yield from all_of("fragments-twice", [parts[0], parts[0], parts[1], parts[2]], "pass", out=out)
    # the second says other things of what the first has said: the addresses of a decent packet
    packet = numbered(received(data))
    other = numbered(received(inner(sixto4("198.51.100.99"), H6, bytes(range(200)))))
    other = mend(put(other, 4, packet[4:6]))
    parts, lies = fragmented(packet, 80, 160), fragmented(other, 16, 160)
    yield from all_of("fragments-overlap", [parts[0], lies[1], parts[1], parts[2]], "stack")
    # never whole
    for n, part in enumerate(fragmented(numbered(received(data)), 80, 160)[:-1]):
        yield Case(f"fragments-no-end-{n}", "4to6", part, "stack")
    yield Case("fragment-beyond", "4to6", mend(put(numbered(received(data)), 6, b"\x1f\xff")), "stack")
    yield Case("fragment-odd", "4to6", fragmented(numbered(received(data[:99])), 37)[0], "stack")


def congestion():
    """RFC 6040 section 4.2: each outer mark over each inner one."""
    def marked(packet, mark):
        return packet[:1] + bytes([packet[1] & 0xCF | mark << 4]) + packet[2:]
    for outer in range(4):
        for mark in range(4):
            packet = marked(inner(), mark)
            data = mend(put(received(packet), 1, bytes([outer])))
            if outer == 3 and mark == 0:
                yield Case("ecn-3-0", "4to6", data, "ecn")
                continue
            result = 3 if outer == 3 else 1 if outer == 1 and mark == 2 else mark
            # ECT(1) over ECT(0): the kernel's sit leaves what is inside
            yield crossing(f"ecn-{outer}-{mark}", "4to6", data, marked(packet, result), other=forwarded(packet))


def addresses():
    """RFC 3964: each bogon at each place, as the table has it that all datapaths are held against."""
    for n, line in enumerate(TABLE.read_text(encoding="ascii").splitlines(), 1):
        words = shlex.split(line, comments=True)
        if len(words) != 6:
            continue  # with lines of the configuration: other tests'
        way, outer_src, outer_dst, src, dst, fate = words
        packet = ipv6(src, dst, NO_NEXT, b"")
        data = packet if way == "6to4" else received(packet, outer_src, outer_dst)
        case = Case(f"table-{n}", way, data, fate)
        if fate == "pass" and dst == RELAY_6:
            case.fate = "local"
        elif fate == "pass":
            case.out = forwarded(packet)
        source = ipaddress.IPv6Address(src)
        if way == "6to4" and (source.is_multicast or source.is_loopback or source.is_unspecified
                              or source.is_link_local):
            case.sit = "stack"  # IPv6 forwards none
        yield case


FAMILIES = (whole, cut, short, lengths, versions, checksums, nested, chains, hops, ipv4_options, fragments, congestion,
            addresses)


# --------------------------------------------------- anything, by a judge of its own

BOGONS4 = [ipaddress.ip_network(net) for net in (
    "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "224.0.0.0/4",
    "240.0.0.0/4")]
BOGONS6 = [ipaddress.ip_network(net) for net in ("::/16", "fe80::/10", "fec0::/10", "ff00::/8", "3ffe::/16",
                                                 "5f00::/8")]


def bogon4(addr):
    return any(addr in net for net in BOGONS4)


def embedded(addr):
    return ipaddress.IPv4Address(int(addr) >> 80 & 0xFFFFFFFF) if int(addr) >> 112 == 0x2002 else None


def bogon6(addr):
    return any(addr in net for net in BOGONS6) or (embedded(addr) is not None and bogon4(embedded(addr)))


def may_cross4(data):
    """4to6, RFC 3964 section 5.2: the IPv6 packet that may come out, without its mark and hop count; None: none may."""
    if len(data) < 20 or data[0] >> 4 != 4 or data[0] & 15 < 5:
        return None
    size, total = (data[0] & 15) * 4, struct.unpack("!H", data[2:4])[0]
    if not size <= total <= len(data) or checksum(data[:size]) or data[9] != 41 or \
            data[16:20] != socket.inet_aton(RELAY) or struct.unpack("!H", data[6:8])[0] & 0x3FFF:
        return None
    packet = data[size:total]
    if len(packet) < 40 or packet[0] >> 4 != 6 or 40 + struct.unpack("!H", packet[4:6])[0] > len(packet):
        return None
    outer = ipaddress.IPv4Address(data[12:16])
    src, dst = ipaddress.IPv6Address(packet[8:24]), ipaddress.IPv6Address(packet[24:40])
    if bogon4(outer) or bogon6(src) or bogon6(dst) or packet[7] <= 1 or str(outer) in (RELAY, TRANSMIT) or \
            embedded(src) not in (None, outer) or str(embedded(dst)) not in ("None", RELAY) or \
            embedded(src) is None and embedded(dst) is None:
        return None
    return normal(packet)


def may_cross6(data):
    """6to4, RFC 3964 section 5.1."""
    if len(data) < 40 or data[0] >> 4 != 6 or 40 + struct.unpack("!H", data[4:6])[0] > len(data):
        return None
    src, dst = ipaddress.IPv6Address(data[8:24]), ipaddress.IPv6Address(data[24:40])
    if bogon6(src) or bogon6(dst) or data[7] <= 1 or embedded(dst) is None or str(embedded(dst)) in (RELAY, TRANSMIT):
        return None
    return normal(data)


def normal(packet):
    """Without the hop limit and the congestion mark."""
    size = 40 + struct.unpack("!H", packet[4:6])[0]
    return packet[:1] + bytes([packet[1] & 0xCF]) + packet[2:7] + packet[8:size]


def mutants(seed, count):
    """Decent packets with a few octets or bits changed, cut, or swapped; mostly with a right checksum."""
    rand = random.Random(seed)
    seeds = [(c.way, c.data) for family in FAMILIES for c in family() if c.fate == "pass"]
    for n in range(count):
        way, data = rand.choice(seeds)
        data = bytearray(data)
        for _ in range(rand.choice((1, 1, 1, 2, 4))):
            at = rand.randrange(min(len(data), 80))
            how = rand.randrange(5)
            if how == 0:
                data[at] ^= 1 << rand.randrange(8)
            elif how == 1:
                data[at] = rand.choice((0, 1, 0x7F, 0x80, 0xFF, rand.randrange(256)))
            elif how == 2 and len(data) > 1:
                del data[rand.randrange(1, len(data)):]
            elif how == 3:
                data[at:at + 4] = rand.choice((b"\x0a\1\2\3", b"\x20\2\x0a\1", b"\xff\2\0\0", b"\xfe\x80\0\0",
                                               socket.inet_aton(RELAY), socket.inet_aton(H64)))
            else:
                data[at:at] = bytes(rand.randrange(1, 9))
        data = bytes(data)
        if way == "4to6" and len(data) >= 20 and rand.random() < 0.9:
            data = mend(data)
        yield Case(f"mutant-{seed}-{n}", way, data, "either")


def scapy_made(seed, count):
    """Headers of all sorts upon each other, with whatever scapy puts into their fields."""
    from scapy.layers import inet, inet6  # takes its time
    from scapy.packet import Raw, fuzz

    random.seed(seed)  # scapy's source of chance
    layers = [inet6.IPv6ExtHdrHopByHop, inet6.IPv6ExtHdrDestOpt, inet6.IPv6ExtHdrRouting, inet6.IPv6ExtHdrFragment,
              inet6.ICMPv6EchoRequest, inet6.ICMPv6PacketTooBig, inet6.ICMPv6ND_RA, inet6.ICMPv6ND_NS, inet.UDP,
              inet.TCP, inet.ICMP, inet6.IPv6, inet.IP, Raw]
    for n in range(count):
        way = random.choice(("4to6", "6to4"))
        src, dst = (H64_6, H6) if way == "4to6" else (H6, H64_6)
        # decent ends mostly, or nothing would get far
        packet = inet6.IPv6(src=src, dst=dst) if random.random() < 0.8 else fuzz(inet6.IPv6(dst=dst))
        for layer in random.choices(layers, k=random.randrange(4)):
            packet = packet / (fuzz(layer()) if random.random() < 0.7 else layer())
        if way == "4to6":
            outer = inet.IP(src=H64, dst=RELAY, proto=41)
            packet = (outer if random.random() < 0.8 else fuzz(inet.IP(dst=RELAY, proto=41))) / packet
        try:
            data = bytes(packet)[:1400]
        except Exception:  # there are fields that scapy itself can't build
            continue
        if way == "4to6" and random.random() < 0.7:
            data = mend(data)
        yield Case(f"scapy-{seed}-{n}", way, data, "either")
