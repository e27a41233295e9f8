# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMPv4 errors about what a relay has sent reach the IPv6 host that sent it, once each (RFC 4213 section 3.4).

The peer of the box is the native IPv6 host (on eth0) and the IPv4 internet (behind eth1).
"""

import os
import socket
import struct
import time

import pytest

from lab import holds_for, wait_for
from wire import Packet, Sniffer, checksum, ipv4, ipv6, mac_of, send_raw, sixto4

ANYCAST = "192.88.99.1"
RELAY6 = ("2001:db8:0::1", "2001:db8:1::1")
# a global address, so that no check of addresses is in the way
HOST = "11.22.33.44"
HOST6 = sixto4(HOST)
ROUTER = "10.0.1.2"

UNREACHABLE, TOO_BIG, TIME_EXCEEDED = 1, 2, 3

DATAPATHS = [pytest.param("sit", marks=pytest.mark.sit), "ebpf"]


class Net:
    """A box with a relay that is up, and what is seen on both sides of it."""

    def __init__(self, box, datapath):
        self.router, self.peer = box.relay, box.peer
        self.sender = "2a00:db8::2"
        # what the host's word is made by hand for comes to nobody
        self.peer.ip(f"addr add {self.sender}/64 dev eth0 nodad", "route add 2002::/16 via 2001:db8:0::1",
                     "route add blackhole 11.22.0.0/16", f"route add {ANYCAST}/32 via 10.0.1.1")
        self.router.ns.ip("addr add 2a00:db8::1/64 dev eth0 nodad", f"route add default via {ROUTER}")
        # errors of the peer's own kernel are not what is bounded here
        self.peer.sysctl("net/ipv4/icmp_ratelimit", 0)
        self.router.start("relayd")
        self.router.configure("relay r", "tunnel mode ipv6ip 6to4", f"tunnel source {ANYCAST}", f"tunnel datapath {datapath}",
                              "ipv6 mtu 1480", "drain-time 0", "no filter bogons", "no shutdown")
        state = self.router.wait_relay("r", "up")
        assert state["datapath"] == datapath
        self.native = Sniffer(self.peer, "eth0")
        self.ipv4 = Sniffer(self.peer, "eth1")

    def close(self):
        self.native.close()
        self.ipv4.close()
        self.peer.ip(f"addr del {self.sender}/64 dev eth0", "route del 2002::/16 via 2001:db8:0::1",
                     "route del blackhole 11.22.0.0/16", f"route del {ANYCAST}/32 via 10.0.1.1")
        self.router.ns.ip("addr del 2a00:db8::1/64 dev eth0", f"route del default via {ROUTER}")

    # ---- packets

    def udp(self, size=64, port=4000, mark=b""):
        payload = mark.ljust(size - 48, b"\xa5")
        return ipv6(self.sender, HOST6, 17, struct.pack("!HHHH", 4000, port, 8 + len(payload), 0) + payload)

    def send(self, packet):
        """The sender's packet, as it leaves the relay."""
        before = len(self.ipv4.packets)
        send_raw(self.peer, "eth0", packet, mac_of(self.router.ns, "eth0"))

        def there():
            return [p for p in list(self.ipv4.packets)[before:]
                    if p.inner and not p.outgoing and p.inner.payload == packet[40:]]

        return wait_for(there, 10, "the packet in IPv4")[0].data

    def error(self, kind, code, quoted, mtu=0, source=ROUTER, target=ANYCAST):
        body = struct.pack("!BBHHH", kind, code, 0, 0, mtu) + quoted
        return ipv4(source, target, 1, body[:2] + struct.pack("!H", checksum(body)) + body[4:])

    def inject(self, packet):
        send_raw(self.peer, "eth1", packet, mac_of(self.router.ns, "eth1"))

    # ---- what comes of it

    def errors(self):
        """(type, code, word, quoted packet, packet) of each ICMPv6 error to the sender."""
        return [(p.payload[0], p.payload[1], struct.unpack("!I", p.payload[4:8])[0], p.payload[8:], p)
                for p in list(self.native.packets)
                if p.proto == 58 and p.dst == self.sender and p.payload[0] < 128 and not p.outgoing]

    def counters(self):
        return self.router.json("relayd", "show relay r counters json")["r"]["icmpErrors"]

    def one_error(self, packet, kind, code, mtu=0):
        """Exactly one error came, about this packet."""
        wait_for(self.errors, 10, "an ICMPv6 error")
        holds_for(lambda: len(self.errors()) == 1, 0.7, f"one error: {[e[:3] for e in self.errors()]}")
        [(got_kind, got_code, word, quoted, whole)] = self.errors()
        assert (got_kind, got_code, word) == (kind, code, mtu)
        assert quoted[:7] + quoted[8:] == packet[:7] + packet[8:][:len(quoted) - 8], "it quotes the sender's packet"
        assert len(whole.data) <= 1280 and whole.src in (*RELAY6, "2a00:db8::1")
        pseudo = socket.inet_pton(socket.AF_INET6, whole.src) + socket.inet_pton(socket.AF_INET6, whole.dst) + \
            struct.pack("!II", len(whole.payload), 58)
        assert checksum(pseudo + whole.payload) == 0
        assert self.counters() == {"translated": 1, "rateLimited": 0, "ignored": 0}


def by_datapath(cases, by_sit):
    """Each case by eBPF; by sit, whose own errors these are too, some of them."""
    return [("ebpf", *case) for case in cases] + [pytest.param("sit", *case, marks=pytest.mark.sit) for case in by_sit]


@pytest.fixture(params=DATAPATHS)
def net(box, request):
    made = Net(box, request.param)
    try:
        yield made
    finally:
        made.close()


# ------------------------------------------------------- by a router's own word

@pytest.mark.parametrize("net, route, code", by_datapath(
    [("unreachable", 3), ("blackhole", None), ("prohibit", 1)], [("unreachable", 3)]), indirect=["net"])
def test_router_has_no_way(net, route, code):
    """What Linux says of such a route: host unreachable, nothing, administratively prohibited."""
    net.peer.ip(f"route add {route} {HOST}/32")
    try:
        packet = net.udp(1200)
        net.send(packet)
        if code is None:
            holds_for(lambda: not net.errors(), 1, "no error")
        else:
            net.one_error(packet, UNREACHABLE, code)
    finally:
        net.peer.ip(f"route del {route} {HOST}/32")


def test_time_exceeded_on_the_way(net):
    """The tunnel's TTL ends on a router: RFC 2473 section 8.2."""
    net.router.configure("relay r", "tunnel ttl 1")
    net.peer.ip(f"route add {HOST}/32 via 10.0.0.1 dev eth0")
    try:
        wait_for(lambda: net.router.relay_json("r")["operStatus"] == "up", 20, "up")
        packet = net.udp(600)
        net.send(packet)
        net.one_error(packet, UNREACHABLE, 3)
    finally:
        net.peer.ip(f"route del {HOST}/32 via 10.0.0.1 dev eth0")


# ------------------------------------------------------------------- by hand

@pytest.mark.parametrize("net, kind, code, mtu, kind6, code6, mtu6", by_datapath([
    (3, 0, 0, UNREACHABLE, 3, 0), (3, 1, 0, UNREACHABLE, 3, 0), (3, 2, 0, UNREACHABLE, 3, 0),
    (3, 3, 0, UNREACHABLE, 3, 0), (3, 9, 0, UNREACHABLE, 1, 0), (3, 10, 0, UNREACHABLE, 1, 0),
    (3, 13, 0, UNREACHABLE, 1, 0), (11, 0, 0, UNREACHABLE, 3, 0), (3, 4, 1400, TOO_BIG, 0, 1380),
    (3, 4, 576, TOO_BIG, 0, 1280), (3, 4, 0, TOO_BIG, 0, 1472)], [
        (3, 1, 0, UNREACHABLE, 3, 0), (3, 13, 0, UNREACHABLE, 1, 0), (3, 4, 1400, TOO_BIG, 0, 1380),
        (3, 4, 0, TOO_BIG, 0, 1472)]), indirect=["net"])
def test_each_kind(net, kind, code, mtu, kind6, code6, mtu6):
    packet = net.udp(1480)
    net.inject(net.error(kind, code, net.send(packet)[:576], mtu))
    net.one_error(packet, kind6, code6, mtu6)


def test_whole_packet_quoted(net):
    """The answer is not longer than 1280 octets all the same."""
    packet = net.udp(1480)
    net.inject(net.error(3, 1, net.send(packet)[:1472]))
    net.one_error(packet, UNREACHABLE, 3)
    assert len(net.errors()[0][4].data) == 1280


def test_transmit_source(net):
    """Errors are about what has the relay's transmit source, and come to it; not about the tunnel source then."""
    net.router.configure("relay r", "tunnel transmit-source 10.0.1.1")
    wait_for(lambda: net.router.relay_json("r")["operStatus"] == "up", 20, "up")

    def sent(mark):
        net.send(net.udp(200, mark=mark))
        return next(p for p in net.ipv4.packets if p.inner and mark in p.data)

    wait_for(lambda: sent(os.urandom(8)).src == "10.0.1.1", 10, "sent with it")
    packet = net.udp(300)
    quoted = net.send(packet)
    assert Packet.parse(quoted).src == "10.0.1.1"
    foreign = quoted[:12] + socket.inet_aton(ANYCAST) + quoted[16:]
    net.inject(net.error(3, 1, foreign))
    net.inject(net.error(3, 1, quoted, target="10.0.1.1"))
    net.one_error(packet, UNREACHABLE, 3)


@pytest.mark.parametrize("net, what", by_datapath(
    [("8 octets",), ("another source",), ("another destination",), ("an error",), ("a lie",), ("a bad checksum",),
     ("to a multicast address",), ("reassembly",)], [("8 octets",), ("a lie",), ("reassembly",)]), indirect=["net"])
def test_nobody_is_told(net, what):
    """And nothing else is disturbed: the next one goes through."""
    packet = net.udp(200)
    if what == "an error":
        packet = ipv6(net.sender, HOST6, 58, struct.pack("!BBHI", 3, 0, 0, 0) + b"\0" * 100)
    outer = bytearray(net.send(packet))
    kind, code = (11, 1) if what == "reassembly" else (3, 1)
    if what == "8 octets":
        outer = outer[:28]
    elif what == "another source":
        outer[12:16] = socket.inet_aton("192.88.99.77")
    elif what == "another destination":
        outer[16:20] = socket.inet_aton("11.22.33.45")
    elif what == "a lie":
        outer[28:44] = socket.inet_pton(socket.AF_INET6, "::1")
    elif what == "to a multicast address":
        outer[28:44] = socket.inet_pton(socket.AF_INET6, "ff02::1")
    error = bytearray(net.error(kind, code, bytes(outer)))
    if what == "a bad checksum":
        error[22] ^= 0x55
    net.inject(bytes(error))
    # behind it in the same queue
    good = net.udp(300, mark=b"good")
    quoted = net.send(good)
    net.inject(net.error(3, 1, quoted))
    wait_for(net.errors, 10, "an error about the good one")
    assert len(net.errors()) == 1 and b"good" in net.errors()[0][3]
    counted = what not in ("8 octets", "another source", "a bad checksum")
    assert net.counters() == {"translated": 1, "rateLimited": 0, "ignored": int(counted)}
    assert net.router.json("relayd", "show relay r json")["r"]["operStatus"] == "up"


def test_counters_are_cleared_and_modelled(net):
    net.inject(net.error(3, 1, net.send(net.udp(200))))
    wait_for(lambda: net.counters()["translated"] == 1, 10, "translated")
    assert "1 told to the senders" in net.router.ask("relayd", "show relay r counters")
    data = net.router.json("relayd", "show yang operational-data /frr-relay:relay")["frr-relay:relay"]
    assert data["instance"][0]["state"]["counters"]["icmp-errors"] == {"translated": "1", "rate-limited": "0", "ignored": "0"}
    net.router.ask("relayd", "clear relay r counters")
    assert net.counters() == {"translated": 0, "rateLimited": 0, "ignored": 0}


# ------------------------------------------------------------------- in number

def paced(net, packet, number, seconds):
    """Sends it that often within so many seconds, or as fast as is possible."""
    mac = mac_of(net.router.ns, "eth1")
    with net.peer.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as sock:
        net.peer.call(sock.bind, ("eth1", 0x0800))
        to = ("eth1", 0x0800, 0, 0, mac)
        began = time.monotonic()
        for n in range(number):
            if seconds and (left := began + n * seconds / number - time.monotonic()) > 0:
                time.sleep(left)
            sock.sendto(packet, to)
    return time.monotonic() - began


def test_busy_relay_is_not_cut_to_100_a_second(net):
    """RFC 6343 section 4.4: 1200 in a second, each is told."""
    error = net.error(3, 1, net.send(net.udp(200)))
    paced(net, error, 1200, 1)
    wait_for(lambda: sum(net.counters().values()) == 1200, 20, f"all are seen: {net.counters()}")
    assert net.counters() == {"translated": 1200, "rateLimited": 0, "ignored": 0}
    wait_for(lambda: len(net.errors()) == 1200, 20, "all arrive")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.native
def test_flood(net):
    """As many as one core sends: bounded in what is told and in what it costs, and the relay lives on."""
    error = net.error(3, 1, net.send(net.udp(200)))
    net.native.close()
    pid = net.router.procs["relayd"].pid
    spent = cpu_seconds(pid)
    number = 300000
    took = paced(net, error, number, 0)
    spent = cpu_seconds(pid) - spent
    counters = net.counters()
    print(f"{number / took:.0f} a second for {took:.1f} s: relayd took {100 * spent / took:.1f} % of a core, {counters}")
    assert counters["translated"] <= 1000 * (took + 2)
    assert counters["translated"] >= 900 * took
    assert spent / took < 0.3
    assert net.router.relay_json("r")["operStatus"] == "up"
