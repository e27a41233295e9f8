# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 3964's address checks on the whole relay: what crosses, and what is counted, by every datapath."""

import collections
import contextlib
import ipaddress
import pathlib
import shlex
import struct
import time

import pytest

from lab import Timeout, wait_for
from topology import ANYCAST6, BASIC, H6, H64, H64_6, RELAY_ADDR
from wire import Sniffer, icmp6_echo, ipv4, ipv6, mac_of, send_raw, sixto4

TABLE = pathlib.Path(__file__).resolve().parents[1] / "data" / "rfc3964.txt"
REASONS = ("malformed", "direction", "outer-source", "source", "source-spoofed", "destination", "destination-foreign",
           "not-6to4", "destination-own", "denied", "ecn")
OWN = "2002:c058:6301::1"
TRANSMIT = "192.88.99.3"
DATAPATHS = [pytest.param("sit", marks=pytest.mark.sit), "ebpf"]

Case = collections.namedtuple("Case", "way outer_src outer_dst src dst reason lines text")


def read_table():
    cases = []
    for line in TABLE.read_text(encoding="ascii").splitlines():
        if line and not line.startswith("#"):
            *head, = shlex.split(line)
            cases.append(Case(*head[:6], tuple(head[6:]), line))
    return cases


def never_forwarded(src):
    """The kernel's IPv6 drops it by itself before any rule can count it."""
    addr = ipaddress.IPv6Address(src)
    return addr.is_unspecified or addr.is_loopback or addr.is_multicast or addr.is_link_local


def counters(net):
    return net.relay.json("relayd", "show relay r counters json")["r"]


class Crossings:
    """Whose packets come out, by the identifier in their ICMPv6 header."""

    def __init__(self, net):
        self.net = net
        self.seen = collections.Counter()

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        for ns, ifname in ((self.net.net, "rl"), (self.net.h64b, "eth0")):
            self.stack.enter_context(Sniffer(ns, ifname, self.packet))
        return self

    def __exit__(self, *_):
        self.stack.close()

    def packet(self, pkt):
        inner = pkt.inner or pkt
        if pkt.outgoing or inner.version != 6 or inner.proto != 58 or inner.payload[:1] not in (b"\x80", b"\x81"):
            return
        if pkt.inner and pkt.src not in (RELAY_ADDR, TRANSMIT):
            return
        self.seen[struct.unpack("!H", inner.payload[4:6])[0]] += 1


def packet_of(case, ident):
    # who answers is the relay alone
    echo = icmp6_echo(case.src, case.dst, ident, 1, kind=128 if case.dst == OWN else 129)
    return ipv4(case.outer_src, case.outer_dst, 41, echo) if case.way == "4to6" else echo


def expectation(cases, datapath):
    """Identifiers that come out, drops by reason, packets each way."""
    drops = dict.fromkeys(REASONS, 0)
    out, packets = [], collections.Counter()
    for ident, case in cases:
        if case.reason == "pass":
            out.append(ident)
            packets[case.way] += 1
            if case.dst == OWN and ipaddress.IPv6Address(case.src).sixtofour:
                packets["6to4"] += 1  # its answer
        elif not (datapath == "sit" and case.way == "6to4" and never_forwarded(case.src)):
            drops[case.reason] += 1
    return collections.Counter(out), drops, packets


def send_all(net, cases):
    mac = mac_of(net.relay.ns, "eth0")
    for ident, case in cases:
        send_raw(net.net, "rl", packet_of(case, ident), mac)
        time.sleep(0.002)  # no queue is short of room


def run_group(net, cases, datapath):
    """Sends them all; what came of it, or what differs, in words."""
    out, drops, packets = expectation(cases, datapath)
    before = counters(net)

    def got():
        now = counters(net)
        return (wire.seen, {r: now["drops"][r] - before["drops"][r] for r in REASONS},
                {way: now[key]["packets"] - before[key]["packets"]
                 for way, key in (("4to6", "rx4to6"), ("6to4", "tx6to4"))})

    def settled():
        seen, dropped, counted = got()
        return seen == out and dropped == drops and all(counted[way] == packets[way] for way in counted)

    with Crossings(net) as wire:
        send_all(net, cases)
        try:
            wait_for(settled, 10, "all is as it should be")
            return []
        except Timeout:
            seen, dropped, counted = got()
    by_ident = dict(cases)
    return [f"crossed {seen[i]} times, not {out[i]}: {by_ident[i].text}" for i in by_ident if seen[i] != out[i]] + \
        [f"drops by {r}: {dropped[r]}, not {drops[r]}" for r in REASONS if dropped[r] != drops[r]] + \
        [f"{way}: {n} packets, not {packets[way]}" for way, n in counted.items() if n != packets[way]] + \
        [f"  of: {case.text}" for _, case in cases]


@contextlib.contextmanager
def routed_into_relay(net, lines):
    """A direction that is off has no route: what a router still sends there needs one."""
    route = f"{ANYCAST6} dev r metric 5"
    if "tunnel direction receive" not in lines:
        yield
        return
    net.relay.ns.ip(f"route add {route}")
    try:
        yield
    finally:
        net.relay.ns.ip(f"route del {route}")


def relay_up(net, datapath):
    net.relay.start("relayd")
    net.relay.configure("relay r", *BASIC, f"tunnel datapath {datapath}", f"tunnel transmit-source {TRANSMIT}",
                        f"ipv6 address {OWN}/128", "no shutdown")
    net.relay.wait_relay("r", "up")
    wait_for(lambda: f"{OWN}/128" in net.relay.ns.addrs("r"), 20, "address on the tunnel")
    assert net.relay.relay_json("r")["datapath"] == datapath


def undo(line):
    return line[3:] if line.startswith("no ") else f"no {line}"


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_rfc3964(net, datapath):
    """Each case of the table: what is bad does not cross, and is counted once, under its reason; what is good does."""
    groups = {}
    for ident, case in enumerate(read_table(), 1):
        groups.setdefault(case.lines, []).append((ident, case))
    # the host's own broadcasts, which only the host knows
    cases = groups[()]
    for case in (Case("4to6", "203.0.113.3", RELAY_ADDR, sixto4("203.0.113.3"), H6, "outer-source", (), "broadcast"),
                 Case("6to4", "-", "-", H6, sixto4("203.0.113.3"), "destination", (), "broadcast"),
                 Case("6to4", "-", "-", H6, sixto4("192.0.2.255"), "destination", (), "broadcast of eth1")):
        cases.append((1000 + len(cases), case))

    relay_up(net, datapath)
    net.relay.configure("relay r", "no self-test")  # the counts are exact
    # whose errors would be counted as well
    net.net.ip("route add blackhole 3ffe::/16")
    wrong = []
    try:
        for lines, cases in groups.items():
            net.relay.configure("relay r", *lines)
            with routed_into_relay(net, lines):
                wrong += run_group(net, cases, datapath)
            net.relay.configure("relay r", *map(undo, reversed(lines)))
    finally:
        net.net.ip("route del blackhole 3ffe::/16")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_self_test_crosses_all_filters(net, datapath):
    """Whatever the operator denies, it says nothing about whether the relay works."""
    relay_up(net, datapath)
    net.relay.configure("relay r", "filter deny 0.0.0.0/0", "filter deny ::/0", "filter deny 192.0.0.8/32",
                        "filter deny 100::/64")
    before = net.relay.relay_json("r")
    drops = counters(net)["drops"]
    time.sleep(5)  # three losses in a row would show
    now = net.relay.relay_json("r")
    assert (now["operStatus"], now["transitions"]) == ("up", before["transitions"])
    assert counters(net)["drops"] == drops
    assert run_group(net, [(1, Case("4to6", H64, RELAY_ADDR, H64_6, H6, "denied", (), "denied"))], datapath) == []


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_filters_change_in_place(net, datapath):
    """No new interface, no withdrawal, and a new address of the host brings its broadcast."""
    relay_up(net, datapath)
    before = net.relay.relay_json("r")
    net.relay.configure("relay r", "filter deny 198.51.100.0/24", "no filter bogons", "filter permit 10.0.0.0/8")
    net.relay.configure("relay r", "filter bogons", "no filter deny 198.51.100.0/24")
    after = net.relay.relay_json("r")
    assert (after["ifIndex"], after["transitions"]) == (before["ifIndex"], before["transitions"])
    net.relay.ns.ip("addr add 203.0.113.33/29 dev eth0")
    try:
        wait_for(lambda: not run_group(net, [(7, Case("6to4", "-", "-", H6, sixto4("203.0.113.39"), "destination", (),
                                                       "broadcast"))], datapath), 60, "the new broadcast is filtered")
    finally:
        net.relay.ns.ip("addr del 203.0.113.33/29 dev eth0")
    after = net.relay.relay_json("r")
    assert (after["ifIndex"], after["transitions"]) == (before["ifIndex"], before["transitions"])


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_traffic_class(net, datapath):
    """The traffic class goes to the outer header, congestion marks both ways (RFC 6040).

    Linux's tunnels still hide a mark that a packet brings along (RFC 3168 section 9.1.1).
    """
    relay_up(net, datapath)

    def marked(src, dst, tclass):
        packet = icmp6_echo(src, dst, 9, 9, kind=129)
        return struct.pack("!I", 6 << 28 | tclass << 20) + packet[4:]

    def crosses(packet, what):
        with Sniffer(net.net, "rl") as wire:
            def there():
                send_raw(net.net, "rl", packet, mac_of(net.relay.ns, "eth0"))
                time.sleep(0.05)
                return next((p for p in list(wire.packets) if not p.outgoing and what(p)), None)
            return wait_for(there, 10, "the packet comes out")

    for tclass in (0xb8, 0x2, 0x3, 0xff):
        out = crosses(marked(H6, H64_6, tclass), lambda p: p.inner and p.inner.dst == H64_6)
        assert out.data[1] == (tclass & ~1 if datapath == "sit" and tclass & 3 == 3 else tclass)
    for outer, inner, comes_out in ((0x3, 0x2, 0x3), (0x0, 0x2, 0x2), (0xb8, 0x0, 0x0), (0x3, 0x3, 0x3)):
        packet = ipv4(H64, RELAY_ADDR, 41, marked(H64_6, H6, inner), tos=outer)
        out = crosses(packet, lambda p: (p.src, p.dst) == (H64_6, H6))
        assert struct.unpack("!I", out.data[:4])[0] >> 20 & 0xff == comes_out
    # congestion that the receiver would never hear of
    drops = counters(net)["drops"]["ecn"]
    send_raw(net.net, "rl", ipv4(H64, RELAY_ADDR, 41, marked(H64_6, H6, 0), tos=3), mac_of(net.relay.ns, "eth0"))
    wait_for(lambda: counters(net)["drops"]["ecn"] == drops + 1, 10, "counted as ecn")


@pytest.mark.sit
def test_parameters_of_a_former_run(net):
    """A device without the traffic class, of an older relayd, or changed by someone: put right in place."""
    relay_up(net, "sit")
    index = net.relay.ns.link("r")["ifindex"]

    def tos():
        return net.relay.ns.link("r")["linkinfo"]["info_data"].get("tos")
    assert tos() == "0x1"
    net.relay.ns.ip("link set r type sit tos 0x10")
    wait_for(lambda: tos() == "0x1", 10, "put right")
    assert net.relay.ns.link("r")["ifindex"] == index


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_malformed(net, datapath):
    """What is no IPv6 packet does not cross, and counts."""
    relay_up(net, datapath)
    whole = icmp6_echo(H64_6, H6, 3, 3, kind=129)
    bad = [whole[:length] for length in range(0, 40, 8)] + [bytes([v << 4]) + whole[1:] for v in (0, 4, 5, 7)] + \
        [ipv6("::", "::", 59, b"")[:39]]
    before = counters(net)
    with Crossings(net) as wire:
        for payload in bad:
            send_raw(net.net, "rl", ipv4(H64, RELAY_ADDR, 41, payload), mac_of(net.relay.ns, "eth0"))
        wait_for(lambda: counters(net)["drops"]["malformed"] == before["drops"]["malformed"] + len(bad), 10, "counted")
        assert not wire.seen
    assert counters(net)["rx4to6"] == before["rx4to6"]
