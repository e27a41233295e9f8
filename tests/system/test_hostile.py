# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile packets: nothing crosses that the checks forbid, every drop is counted under its reason, nothing
crashes, and decent traffic beside them loses nothing."""

import functools
import socket
import struct

import pytest

import hostile
from conftest import alive, kept, lent
from hostile import H6, RELAY, RELAY_6, TRANSMIT
from hostile_trial import PORT, Crossing, Trial, Wires, assert_kernel_sound, blame, kernel_log
from lab import EMULATED, wait_for
from wire import Packet, ipv6, sixto4

STEADY4, STEADY4_SLOW, STEADY6 = "198.51.100.77", "198.51.100.78", "2001:db8:6::77"
STEADY_TARGET = sixto4("198.51.100.79")


# ----------------------------------------------------------------------- lab

class SixToFour(Crossing):
    NAME = "r"
    # by the fast way, and by the slow one: with IPv4 options
    STEADY = (sixto4(STEADY4), sixto4(STEADY4_SLOW), STEADY6)

    def setup(self, datapath):
        self.relay.start("relayd")
        self.relay.configure("relay r", "tunnel mode ipv6ip 6to4", f"tunnel source {RELAY}",
                             f"tunnel transmit-source {TRANSMIT}", f"tunnel datapath {datapath}", "drain-time 0",
                             f"ipv6 address {RELAY_6}/128", "no shutdown")
        self.relay.wait_relay("r", "up")
        self.relay.wait_rib(["192.88.99.0/24", "2002::/16"])
        assert self.relay.relay_json("r")["datapath"] == datapath
        self.programs = datapath != "sit"
        self.on_sit = self.relay.ns.link("r").get("linkinfo", {}).get("info_kind") == "sit"
        if self.on_sit:
            # a probe is in the device's counters some 10 ms before it is known as one
            self.relay.configure("relay r", "no self-test")

    def expect(self, case):
        return case.expect(self.programs, self.on_sit)

    def steady(self, data):
        for source in (STEADY4, STEADY4_SLOW):
            src = sixto4(source)
            packet = hostile.received(ipv6(src, H6, 17, hostile.udp(src, H6, data, PORT, PORT)), source)
            yield "4to6", hostile.options(packet, b"\1") if source == STEADY4_SLOW else packet
        yield "6to4", ipv6(STEADY6, STEADY_TARGET, 17, hostile.udp(STEADY6, STEADY_TARGET, data, PORT, PORT))

    def inner(self, pkt):
        return pkt.inner

    def unwrap(self, data):
        pkt = Packet.parse(data)
        right = (data[0] == 0x45 and pkt.src == TRANSMIT and pkt.proto == 41 and pkt.ttl == 64
                 and not pkt.dont_fragment and hostile.checksum(data[:20]) == 0
                 and struct.unpack("!H", data[2:4])[0] == len(data) and socket.inet_aton(pkt.dst) == data[46:50])
        return data[20:] if right else None

    def own(self, addr):
        return addr in (RELAY_6, RELAY) or super().own(addr)


@pytest.fixture(scope="module")
def keeper():
    yield from kept(SixToFour, SixToFour.build, lambda lab: alive(lab.relay, "zebra"))


SIT = pytest.mark.sit
DATAPATHS = [pytest.param("ebpf", marks=pytest.mark.nosit, id="ebpf-tun"),
             pytest.param("xdp", marks=pytest.mark.nosit, id="xdp-tun"),
             pytest.param("ebpf", marks=SIT, id="ebpf-sit"), pytest.param("sit", marks=SIT, id="sit")]


@pytest.fixture(params=DATAPATHS)
def relay(request, keeper):
    said = kernel_log()
    for lab in lent(keeper):
        lab.setup(request.param)
        yield lab
    assert_kernel_sound(said)


# ----------------------------------------------------------------------- tests

def after_decent_ones(cases):
    """Each case right behind a decent packet: programs keep for a moment what they have decided."""
    decent = {case.way: case for case in hostile.whole() if case.name == "whole"}
    return [each for case in cases for each in (decent[case.way], case)]


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "after-decent-ones"])
def test_hostile_packets(relay, alone):
    """Each packet of hostile.py has its fate."""
    wrong = []
    with Wires(relay) as wires:
        for family in hostile.FAMILIES:
            cases = list(family())
            if not alone:
                cases = after_decent_ones(cases)
            problems = Trial(wires, cases).run()
            if problems:
                # one alone tells nothing where they belong together
                single = [] if family is hostile.fragments else blame(wires, cases)
                wrong += [f"{family.__name__}: {line}" for line in single or problems]
            if len(wrong) >= 8:
                break  # enough to go by; each takes its time
        assert not wrong, "\n".join(wrong)
        wires.steady.assert_whole()
    relay.relay.assert_sound()
    assert relay.relay.relay_json("r")["operStatus"] == "up"


@functools.cache
def made(maker, count):
    return list(maker(3964, count))


@pytest.mark.parametrize("maker,count", [(hostile.mutants, 3000), (hostile.scapy_made, 1000)],
                         ids=["mutants", "scapy"])
def test_by_chance(relay, maker, count):
    """Whatever else is sent: what comes out is something that was sent and that RFC 3964 lets through."""
    cases = made(maker, count // 8 if EMULATED else count)
    allowed = {"4to6": set(), "6to4": set()}
    passing = set()  # by the router, not by the relay: source and destination
    for case in cases:
        judge = hostile.may_cross4 if case.way == "4to6" else hostile.may_cross6
        allowed[case.way].add(judge(case.data))
        pkt = Packet.parse(case.data)
        if pkt.dst != RELAY and not pkt.dst.startswith("2002:"):
            passing.add((pkt.src, pkt.dst))

    def crossed(out):
        return [data for data in out if (pkt := Packet.parse(data)) and (pkt.src, pkt.dst) not in passing]

    with Wires(relay) as wires:
        before = relay.drops()
        wires.send_all(cases)
        wires.steady.assert_whole()
        out4, out6 = crossed(wires.out4), crossed(wires.out6)
        bad = [data.hex() for data in out6 if hostile.normal(data) not in allowed["4to6"]]
        bad += [data.hex() for data in out4
                if not relay.unwrap(data) or hostile.normal(data[20:]) not in allowed["6to4"]]
        assert not bad, bad[:10]
        # the trial is one: many cross, many do not
        assert min(len(out4), len(out6)) > len(cases) // 30
        wait_for(lambda: sum(relay.drops().values()) - sum(before.values()) > len(cases) // 100, 15, "drops are counted")
    relay.relay.assert_sound()
    assert relay.relay.relay_json("r")["operStatus"] == "up"
