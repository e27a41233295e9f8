# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that a Teredo relay on the open internet has to stand, as hostile.py has them for 6to4.

Of a Case, `fate` is that of the eBPF programs; `sit`, where it differs, is that
of the engine, which sees what the IP stack and the UDP socket have let through.
A fate of its own: `bubble`, taken in by the relay, with nothing to be seen.
"""

import ipaddress
import pathlib
import random
import shlex
import socket
import struct

from hostile import (FRAGMENT, H6, HOP_BY_HOP, NO_NEXT, UDP, Case, bogon4, bogon6, chained, crossing, forwarded,
                     fragmented, mend, normal, options, put, udp)
from teredo_clients import bubble, origin
from teredo_lab import RELAY_PORT, SERVER_PORT, teredo_address
from wire import checksum, ipv4, ipv6

TABLE = pathlib.Path(__file__).resolve().parents[1] / "data" / "rfc4380.txt"

RELAY = "203.0.113.1"
SERVER = "65.54.227.120"
CLIENT, CLIENT_PORT = "198.51.100.2", 40000
CLIENT_6 = teredo_address(CLIENT, CLIENT_PORT, SERVER)
AUTH = b"\0\1\3\4" + b"abc" + b"1234" + b"noncenon" + b"\1"
AUTH_SHORT = b"\0\1\0\0" + b"noncenon" + b"\0"
ORIGIN = origin("192.0.2.99", 4096)
NONCE_TRAILER = b"\1\4\xde\xad\xbe\xef"


# -------------------------------------------------------------------- pieces

def datagram(payload, src=CLIENT, sport=CLIENT_PORT, dst=RELAY, dport=RELAY_PORT, length=None, check=None, **fields):
    """UDP in IPv4, with a right checksum unless another is wanted."""
    length = 8 + len(payload) if length is None else length
    head = struct.pack("!HHHH", sport, dport, length, 0)
    if check is None:
        pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, UDP, length)
        check = checksum(pseudo + head + payload) or 0xFFFF
    return ipv4(src, dst, UDP, head[:6] + struct.pack("!H", check) + payload, **fields)


def inner(src=CLIENT_6, dst=H6, data=b"hostile.", hops=64):
    return ipv6(src, dst, UDP, udp(src, dst, data), hops)


def client(src, sport, server=SERVER, flags=0):
    return teredo_address(src, sport, server, flags)


# ---------------------------------------------------------------------- cases

def whole():
    packet = inner()
    yield crossing("whole", "4to6", datagram(packet), packet)
    packet = inner(H6, CLIENT_6)
    yield crossing("whole", "6to4", packet, packet)
    big = inner(data=bytes(1200))
    yield crossing("big", "4to6", datagram(big), big)
    big = inner(H6, CLIENT_6, bytes(1200))
    yield crossing("big", "6to4", big, big)
    yield crossing("padded", "4to6", datagram(inner(data=b"")) + bytes(30), inner(data=b""))
    yield crossing("padded", "6to4", inner(H6, CLIENT_6, b"") + bytes(30), inner(H6, CLIENT_6, b""))
    yield crossing("no checksum", "4to6", datagram(inner(), check=0), inner())
    yield Case("wrong checksum", "4to6", datagram(inner(), check=0xBAD), "either")


def headers():
    """What RFC 4380 section 5.1.1 lets come in front, and what it does not."""
    packet = inner()
    for name, before in (("origin", ORIGIN), ("auth", AUTH), ("auth-short", AUTH_SHORT), ("both", AUTH + ORIGIN)):
        yield crossing(name, "4to6", datagram(before + packet), packet)
        yield Case(f"{name}-alone", "4to6", datagram(before), "malformed")
        yield Case(f"{name}-bubble", "4to6", datagram(before + bubble(CLIENT_6, H6)), "bubble")
        for size in range(1, len(before)):
            yield Case(f"{name}-cut-{size}", "4to6", datagram(before[:size]), "malformed")
    for name, before in (("wrong way round", ORIGIN + AUTH), ("two origins", ORIGIN * 2), ("two auths", AUTH * 2),
                         ("unknown", b"\0\2" + bytes(6)), ("one octet", b"\0"), ("many", ORIGIN * 20),
                         ("auth that is all", b"\0\1\xff\xff")):
        yield Case(name, "4to6", datagram(before + packet), "malformed")
    # they are not in front of what goes to a client
    yield Case("origin", "6to4", ORIGIN + inner(H6, CLIENT_6), "stack")


def trailers():
    """RFC 6081 section 4: skipped by their lengths, but for those that ask for the packet's end."""
    packet = inner()
    for name, behind in (("nonce", NONCE_TRAILER), ("unknown-00", b"\x3f\0"), ("unknown-10", b"\x80\2xy"),
                         ("unknown-11", b"\xff\0"), ("many", NONCE_TRAILER * 30), ("torn", b"\1\xff\0"),
                         ("one octet", b"\1"), ("zeros", bytes(200)), ("01 behind a torn one", b"\1\xff\x40\0")):
        yield crossing(f"trailer-{name}", "4to6", datagram(packet + behind), packet)
        yield Case(f"trailer-{name}-bubble", "4to6", datagram(bubble(CLIENT_6, H6) + behind), "bubble")
    for name, behind in (("01", b"\x40\0"), ("01 last", NONCE_TRAILER + b"\xff\0\x7f\1x")):
        yield Case(f"trailer-{name}", "4to6", datagram(packet + behind), "malformed")
        yield Case(f"trailer-{name}-bubble", "4to6", datagram(bubble(CLIENT_6, H6) + behind), "malformed")


def cut():
    """The packet ends before its header says so, at each octet."""
    packet = datagram(inner())
    for size in range(1, len(packet)):
        yield Case(f"cut-{size}", "4to6", packet[:size], "stack" if size < 28 else "malformed", sit="stack")
    packet = inner(H6, CLIENT_6)
    for size in range(1, len(packet)):
        yield Case(f"cut-{size}", "6to4", packet[:size], "stack" if size < 40 else "malformed", sit="stack")


def short():
    """The outer headers say so too; what is inside ends before its own does."""
    packet = inner()
    for size in range(0, len(packet)):
        yield Case(f"short-{size}", "4to6", datagram(packet[:size]), "malformed")


def lengths():
    packet, inside = datagram(inner()), inner()
    for size in (0, 1, 7):
        yield Case(f"udp-{size}", "4to6", datagram(inside, length=size, check=0), "malformed", sit="stack")
    for size in (8, 9, 47, 48, 8 + len(inside) - 1):
        # what UDP says is there is all that there is
        yield Case(f"udp-{size}", "4to6", datagram(inside, length=size, check=0), "malformed")
    for size in (8 + len(inside) + 1, 1500, 0x7FFF, 0xFFFF):
        yield Case(f"udp-{size}", "4to6", datagram(inside, length=size, check=0), "malformed", sit="stack")
    for size in (0, 1, 19, 20, 21, 27, 28, 60, len(packet) - 1):
        yield Case(f"total-{size}", "4to6", mend(put(packet, 2, struct.pack("!H", size))), "malformed", sit="stack")
    for size in (len(packet) + 1, 1500, 0x7FFF, 0xFFFF):
        yield Case(f"total-{size}", "4to6", mend(put(packet, 2, struct.pack("!H", size))), "malformed", sit="stack")
    for size in range(16):
        # octets of the datagram that no packet claims are trailers, of type 15, or the rest of the UDP header
        data = put(inside, 4, struct.pack("!H", size))
        yield Case(f"payload-{size}", "4to6", datagram(data), "either")
        out = put(inner(H6, CLIENT_6), 4, struct.pack("!H", size))
        yield crossing(f"payload-{size}", "6to4", out, out)
    for size in (17, 18, 100, 1280, 0x7FFF, 0xFFD7, 0xFFFF):
        yield Case(f"payload-{size}", "4to6", datagram(put(inside, 4, struct.pack("!H", size))), "malformed")
        yield Case(f"payload-{size}", "6to4", put(inner(H6, CLIENT_6), 4, struct.pack("!H", size)), "malformed",
                   sit="stack")
    jumbo = put(chained(CLIENT_6, H6, [(HOP_BY_HOP, b"\0\xc2\4\0\1\0\0")]), 4, b"\0\0")
    yield Case("jumbogram", "4to6", datagram(jumbo), "malformed")


def versions():
    inside = inner(H6, CLIENT_6)
    for version in range(16):
        if version != 6:
            yield Case(f"inner-version-{version}", "4to6", datagram(put(inner(), 0, bytes([version << 4]))), "malformed")
            yield Case(f"version-{version}", "6to4", bytes([version << 4]) + inside[1:], "malformed", sit="stack")


def checksums():
    """One bit of the outer header is wrong: each of them."""
    packet = datagram(inner())
    for bit in range(160):
        octet = bit // 8
        wrong = put(packet, octet, bytes([packet[octet] ^ 0x80 >> bit % 8]))
        foreign = bit in range(4, 8) or bit in range(50, 64) or octet in (9, 16, 17, 18, 19)
        yield Case(f"bit-{bit}", "4to6", wrong, "stack" if foreign else "malformed", sit="stack")


def nested():
    """Tunnels in tunnels: what is inside is data, and is opened once."""
    innermost = inner()
    deep = ipv6(CLIENT_6, H6, UDP, udp(CLIENT_6, H6, innermost, CLIENT_PORT, RELAY_PORT))
    yield crossing("teredo in udp", "4to6", datagram(deep), deep)
    deep = ipv6(CLIENT_6, H6, 4, datagram(innermost))
    yield crossing("teredo in ipv4", "4to6", datagram(deep), deep)
    deep = ipv6(CLIENT_6, H6, 41, innermost)
    yield crossing("6in6", "4to6", datagram(deep), deep)
    yield Case("ipv4", "4to6", datagram(datagram(innermost)), "malformed")
    yield Case("udp header twice", "4to6", datagram(datagram(innermost)[20:]), "malformed")
    deep = ipv6(H6, CLIENT_6, 41, inner(H6, CLIENT_6))
    yield crossing("6in6", "6to4", deep, deep)
    deep = ipv6(H6, CLIENT_6, 4, datagram(innermost))
    yield crossing("teredo in ipv4", "6to4", deep, deep)
    deep = innermost
    for _ in range(8):
        deep = ipv6(CLIENT_6, H6, 4, datagram(deep))
    yield crossing("eight deep", "4to6", datagram(deep), deep)
    # back into the tunnel: from one client to another, and RFC 6324's loop
    yield Case("to another client", "4to6", datagram(inner(dst=client("198.51.100.3", 1))), "destination")
    yield Case("to itself", "4to6", datagram(inner(dst=CLIENT_6)), "destination")
    yield Case("from a client", "6to4", inner(client("198.51.100.3", 1), CLIENT_6), "source")
    loop = client(RELAY, RELAY_PORT)
    yield Case("loop", "4to6", datagram(inner(loop), RELAY, RELAY_PORT), "outer-source")
    yield Case("loop", "6to4", inner(H6, loop), "destination-own")
    yield Case("loop by any port", "6to4", inner(H6, client(RELAY, 40000)), "destination-own")


def spoofed():
    """Who says to be another's, one bit off or altogether."""
    for bit in range(32, 64):
        # another server: another peer, and a decent one
        src = client(CLIENT, CLIENT_PORT, socket.inet_ntoa(struct.pack("!I", struct.unpack(
            "!I", socket.inet_aton(SERVER))[0] ^ 1 << 63 - bit)))
        yield crossing(f"server-bit-{bit}", "4to6", datagram(inner(src)), inner(src))
    raw = socket.inet_pton(socket.AF_INET6, CLIENT_6)
    for bit in range(128):
        src = socket.inet_ntop(socket.AF_INET6, put(raw, bit // 8, bytes([raw[bit // 8] ^ 0x80 >> bit % 8])))
        if bit < 32:
            yield Case(f"prefix-bit-{bit}", "4to6", datagram(inner(src)), "not-teredo")
        elif bit >= 80:
            yield Case(f"source-bit-{bit}", "4to6", datagram(inner(src)), "source-spoofed")
            yield Case(f"bubble-bit-{bit}", "4to6", datagram(bubble(src, H6)), "source-spoofed")
    for src in ("2001:db8:6::7", "2002:c633:6402::1", "fe80::1", "::1", "::", "ff02::1", "::ffff:198.51.100.2"):
        yield Case(f"source-{src}", "4to6", datagram(inner(src)), "not-teredo")
        yield Case(f"bubble-{src}", "4to6", datagram(bubble(src, H6)), "not-teredo")
    for port in (CLIENT_PORT - 1, CLIENT_PORT + 1, 1, 65535, SERVER_PORT):
        yield Case(f"port-{port}", "4to6", datagram(inner(), sport=port), "source-spoofed")
    # from the server's address and port comes nobody's packet, whatever is in front of it
    yield Case("by its server", "4to6", datagram(origin(CLIENT, CLIENT_PORT) + inner(), SERVER, SERVER_PORT),
               "source-spoofed")
    yield Case("by its server, a bubble", "4to6",
               datagram(origin(CLIENT, CLIENT_PORT) + bubble(CLIENT_6, H6), SERVER, SERVER_PORT), "source-spoofed")


def bubbles():
    """For the relay itself, however odd; nobody is answered."""
    for dst in (H6, "fe80::cb00:7101", "2001:db8:1::1", "ff02::1", "::", CLIENT_6):
        yield Case(f"bubble to {dst}", "4to6", datagram(bubble(CLIENT_6, dst)), "bubble")
    # bubbles are what they are by their header and their length
    packet = ipv6(CLIENT_6, H6, NO_NEXT, b"x")
    yield crossing("with data", "4to6", datagram(packet), packet)
    packet = ipv6(CLIENT_6, H6, UDP, b"")
    yield crossing("of another protocol", "4to6", datagram(packet), packet)


def chains():
    pad6 = b"\0\1\4\0\0\0\0"
    kinds = {"dest-options": [(60, pad6)], "many": [(60, pad6)] * 60, "unknown": [(253, pad6), (254, pad6)],
             "fragment": [(FRAGMENT, b"\0\0\x01\0\0\0\7")], "fragment-huge": [(FRAGMENT, b"\0\xff\xf9\0\0\0\7")],
             "routing-odd": [(43, b"\0\0\xff\0\0\0\0")], "lying": [(60, b"\xff" + pad6[1:])]}
    for name, chain in kinds.items():
        packet = chained(CLIENT_6, H6, chain)
        yield crossing(f"chain-{name}", "4to6", datagram(packet), packet)
        packet = chained(H6, CLIENT_6, chain)
        yield crossing(f"chain-{name}", "6to4", packet, packet)
    for name, head, fate in (("pad", pad6, "pass"), ("unknown-drop", b"\0\x40\4\0\0\0\0", "stack"),
                             ("lying", b"\xff" + pad6[1:], "stack")):
        for way, src, dst in (("4to6", CLIENT_6, H6), ("6to4", H6, CLIENT_6)):
            packet = chained(src, dst, [(HOP_BY_HOP, head)])
            yield Case(f"hop-by-hop-{name}", way, datagram(packet) if way == "4to6" else packet, fate,
                       out=forwarded(packet) if fate == "pass" else b"")


def hops():
    for count in (0, 1):
        yield Case(f"hops-{count}", "4to6", datagram(inner(hops=count)), "stack")
        yield Case(f"hops-{count}", "6to4", inner(H6, CLIENT_6, hops=count), "stack")
    for count in (2, 255):
        yield crossing(f"hops-{count}", "4to6", datagram(inner(hops=count)), inner(hops=count))
        packet = inner(H6, CLIENT_6, hops=count)
        yield crossing(f"hops-{count}", "6to4", packet, packet)
    for count in (1, 255):
        yield crossing(f"ttl-{count}", "4to6", datagram(inner(), ttl=count), inner())


def ipv4_options():
    packet = inner()
    for name, data in {"nop": b"\1\1\1\1", "record-route": b"\7\7\4\0\0\0\0", "most": b"\1" * 40}.items():
        yield crossing(f"option-{name}", "4to6", options(datagram(packet), data), packet)
    for name, data in {"zero-length": b"\x07\0\0\0", "long": b"\x07\x28\4\0"}.items():
        yield Case(f"option-bad-{name}", "4to6", options(datagram(packet), data), "stack")
    # the checks hold on the slow way, too
    yield Case("option-spoofed", "4to6", options(datagram(packet, "198.51.100.99"), b"\1"), "source-spoofed")
    yield Case("option-short", "4to6", options(datagram(packet[:-3]), b"\1"), "malformed")


def fragments():
    """Whole again they are judged like others; never whole, nobody sees them."""
    numbers = iter(range(1, 100))

    def numbered(packet):
        return mend(put(packet, 4, struct.pack("!H", next(numbers))))

    def all_of(name, parts, last, **more):
        for n, part in enumerate(parts[:-1]):
            yield Case(f"{name}-{n}", "4to6", part, "stack")
        yield Case(name, "4to6", parts[-1], last, **more)

    data = inner(data=bytes(range(200)))
    out = forwarded(data)
    yield from all_of("fragments", fragmented(numbered(datagram(data)), 80, 160), "pass", out=out)
    yield from all_of("fragments-reversed", fragmented(numbered(datagram(data)), 80, 160)[::-1], "pass", out=out)
    yield from all_of("fragments-tiny", fragmented(numbered(datagram(data)), *range(8, 240, 8)), "pass", out=out)
    yield from all_of("fragments-of-a-spoofed", fragmented(numbered(datagram(data, "198.51.100.99")), 8, 16),
                      "source-spoofed")
    yield from all_of("fragments-of-a-short", fragmented(numbered(datagram(data[:-1])), 8), "malformed")
    for n, part in enumerate(fragmented(numbered(datagram(data)), 80, 160)[:-1]):
        yield Case(f"fragments-no-end-{n}", "4to6", part, "stack")


def congestion():
    """RFC 6040 section 4.2: each outer mark over each inner one."""
    def marked(packet, mark):
        return packet[:1] + bytes([packet[1] & 0xCF | mark << 4]) + packet[2:]
    for outer in range(4):
        for mark in range(4):
            packet = marked(inner(), mark)
            data = datagram(packet, tos=outer)
            if outer == 3 and mark == 0:
                yield Case("ecn-3-0", "4to6", data, "ecn")
                continue
            result = 3 if outer == 3 else 1 if outer == 1 and mark == 2 else mark
            yield crossing(f"ecn-{outer}-{mark}", "4to6", data, marked(packet, result))


# sources that the IP stack lets nobody have
MARTIANS = ("0.", "127.", "224.", "239.", "24", "25")


def table():
    """RFC 4380's checks, each bogon at each place, as the table has it that all datapaths are held against."""
    for n, line in enumerate(TABLE.read_text(encoding="ascii").splitlines(), 1):
        words = shlex.split(line, comments=True)
        if len(words) != 6:
            continue  # with lines of the configuration: other tests'
        way, outer_src, port, src, dst, fate = words
        packet = ipv6(src, dst, UDP, udp(src, dst, b"table"))
        data = packet if way == "6to4" else datagram(packet, outer_src, int(port))
        if way == "6to4" and fate == "pass":
            raw = socket.inet_pton(socket.AF_INET6, dst)
            mapped = socket.inet_ntoa(bytes(b ^ 0xFF for b in raw[12:]))
            mapped_port = struct.unpack("!H", raw[10:12])[0] ^ 0xFFFF
            # to a client that is known
            yield Case(f"table-{n}-known", "4to6", datagram(bubble(dst, H6), mapped, mapped_port), "bubble")
        case = Case(f"table-{n}", way, data, fate)
        if fate == "pass":
            case.out = forwarded(packet)
        elif way == "4to6" and (outer_src.startswith(MARTIANS) or outer_src == RELAY):
            case.sit = "stack"
        elif way == "6to4" and fate == "source":
            case.sit = "either"  # IPv6 forwards none of some
        yield case


FAMILIES = (whole, headers, trailers, cut, short, lengths, versions, checksums, nested, spoofed, bubbles, chains, hops,
            ipv4_options, fragments, congestion, table)


# --------------------------------------------------- anything, by a judge of its own

def opened(payload):
    """The IPv6 packet in a UDP payload, as RFC 4380 section 5.1.1 and RFC 6081 section 4 draw it; None: none."""
    if payload[:2] == b"\0\1" and len(payload) >= 4:
        payload = payload[4 + payload[2] + payload[3] + 9:]
    if payload[:2] == b"\0\0":
        payload = payload[8:]
    if len(payload) < 40 or payload[0] >> 4 != 6:
        return None
    size = 40 + struct.unpack("!H", payload[4:6])[0]
    if size > len(payload):
        return None
    behind = payload[size:]
    while len(behind) >= 2 and len(behind) >= 2 + behind[1]:
        if behind[0] >> 6 == 1:
            return None
        behind = behind[2 + behind[1]:]
    return payload[:size]


def native(addr):
    return not (addr in ipaddress.ip_network("2001::/32") or bogon6(addr))


def may_cross4(data):
    """4to6, RFC 4380 section 5.4.2: what may come out of a whole datagram to the relay; None: nothing may."""
    size = (data[0] & 15) * 4
    total, length = struct.unpack("!H", data[2:4])[0], struct.unpack("!H", data[size + 4:size + 6])[0]
    packet = opened(data[size + 8:min(size + length, total)])
    if packet is None or packet[7] <= 1 or packet[8:12] != b"\x20\1\0\0" or \
            (packet[6] == NO_NEXT and len(packet) == 40):
        return None
    mapped = bytes(b ^ 0xFF for b in packet[18:24])
    if mapped != data[size:size + 2] + data[12:16] or bogon4(ipaddress.IPv4Address(data[12:16])) or \
            not native(ipaddress.IPv6Address(packet[24:40])):
        return None
    return normal(packet)


def may_cross6(data):
    """6to4, section 5.4.1."""
    if len(data) < 40 or data[0] >> 4 != 6 or 40 + struct.unpack("!H", data[4:6])[0] > len(data):
        return None
    mapped = ipaddress.IPv4Address(bytes(b ^ 0xFF for b in data[36:40]))
    if data[24:28] != b"\x20\1\0\0" or data[7] <= 1 or bogon4(mapped) or str(mapped) == RELAY or \
            not native(ipaddress.IPv6Address(data[8:24])):
        return None
    return normal(data)


# --------------------------------------------------------- by chance, with scapy

def scapy_made(seed, count):
    """Datagrams with whatever scapy puts into the fields of what RFC 4380 lets be there, and of what it does not."""
    from scapy.layers import inet, inet6  # takes its time
    from scapy.packet import Raw, fuzz

    rand = random.Random(seed)
    random.seed(seed)  # scapy's source of chance
    layers = [inet6.IPv6ExtHdrDestOpt, inet6.IPv6ExtHdrRouting, inet6.IPv6ExtHdrFragment, inet6.ICMPv6EchoRequest,
              inet6.ICMPv6PacketTooBig, inet6.ICMPv6ND_RA, inet.UDP, inet.TCP, inet.ICMP, inet6.IPv6, inet.IP, Raw]
    for n in range(count):
        way = rand.choice(("4to6", "6to4"))
        src, dst = (CLIENT_6, H6) if way == "4to6" else (H6, CLIENT_6)
        packet = inet6.IPv6(src=src, dst=dst) if rand.random() < 0.8 else fuzz(inet6.IPv6(dst=dst))
        for layer in random.choices(layers, k=rand.randrange(4)):
            packet = packet / (fuzz(layer()) if rand.random() < 0.7 else layer())
        try:
            data = bytes(packet)[:1250]
        except Exception:  # there are fields that scapy itself can't build
            continue
        if way == "4to6":
            before = rand.choice((b"", b"", b"", ORIGIN, AUTH, rand.randbytes(rand.randrange(20))))
            behind = rand.choice((b"", b"", b"", NONCE_TRAILER, rand.randbytes(rand.randrange(20))))
            data = bytearray(before + data + behind)
            for _ in range(rand.choice((0, 0, 1, 2))):
                data[rand.randrange(min(len(data), 80))] = rand.choice((0, 1, 0x60, 0xFF, rand.randrange(256)))
            if rand.random() < 0.1:
                del data[rand.randrange(len(data)):]
            sport = CLIENT_PORT if rand.random() < 0.9 else rand.randrange(65536)
            data = datagram(bytes(data), CLIENT if rand.random() < 0.9 else "198.51.100.99", sport)
        yield Case(f"scapy-{seed}-{n}", way, data, "either")
