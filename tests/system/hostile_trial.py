# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay between two internets that exist as packets only, and trials of the cases of hostile.py.

    four (the IPv4 internet) --- rl --- six (the IPv6 internet)

What is to be seen is what leaves the relay.
"""

import re
import socket
import struct
import subprocess
import threading
import time
from collections import Counter

from lab import EMULATED, Lab, Timeout, wait_for
from wire import ETH_P_IP, ETH_P_IPV6, Sniffer, gro_on, mac_of

PORT = 4711  # of decent traffic


# ----------------------------------------------------------------------- lab

class Crossing(Lab):
    """One router with a foot in each; what the relay is like is the subclass's."""

    NAME = ""  # of the relay
    STEADY = ()  # the sources of decent traffic, as they are inside of the tunnel
    LINK4 = ("203.0.113.2", "203.0.113.1")  # the router's address, and its neighbour's

    def build(self):
        self.relay = self.router("rl")
        self.four, self.six = self.ns("four"), self.ns("six")
        self.link(self.relay.ns, "eth0", [f"{self.LINK4[0]}/30"], self.four, "rl", [f"{self.LINK4[1]}/30"])
        self.link(self.relay.ns, "eth1", ["2001:db8:1::1/64"], self.six, "rl", ["2001:db8:1::2/64"])
        self.relay.ns.ip(f"route add default via {self.LINK4[1]}", "route add default via 2001:db8:1::2")
        self.macs = {"4to6": mac_of(self.relay.ns, "eth0"), "6to4": mac_of(self.relay.ns, "eth1")}
        for ns in (self.four, self.six):
            gro_on(ns, "rl")
        self.relay.start("zebra")
        return self

    def setup(self, datapath):
        """Starts relayd, with the relay up."""
        raise NotImplementedError

    def steady(self, data):
        """(way, packet) with this data in UDP of PORT, from each of STEADY."""
        raise NotImplementedError

    def inner(self, pkt):
        """The packet in one of the relay's, or None."""
        raise NotImplementedError

    def unwrap(self, data):
        """The IPv6 packet in what the relay has sent by IPv4; None when what is around it is not as it should be."""
        raise NotImplementedError

    def expect(self, case):
        raise NotImplementedError

    def drops(self):
        drops = self.relay.json("relayd", f"show relay {self.NAME} counters json")[self.NAME]["drops"]
        return {reason: count for reason, count in drops.items() if count}

    def own(self, addr):
        """Is it the router's?"""
        return addr in ("2001:db8:1::1", self.LINK4[0]) or addr.startswith("fe80:")


def kernel_log():
    """What the kernel has said, where that may be read."""
    return subprocess.run(["dmesg"], capture_output=True, text=True, check=False, errors="replace").stdout.splitlines()


def assert_kernel_sound(said):
    """Nothing bad is new in its log."""
    new = [line for line in kernel_log() if line not in said]
    bad = [line for line in new if re.search(r"WARNING:|BUG:|Oops|general protection|refcount|KASAN|Call Trace|"
                                             r"skb_under_panic|skb_over_panic|hw csum failure", line)]
    assert not bad, "\n".join(bad)


# -------------------------------------------------------------------- packets

class Wires:
    """Both sides of the relay: what is sent in, and what comes out."""

    def __init__(self, lab):
        self.lab = lab
        self.socks = {}
        for way, ns, proto in (("4to6", lab.four, ETH_P_IP), ("6to4", lab.six, ETH_P_IPV6)):
            sock = ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            ns.call(sock.bind, ("rl", 0))
            self.socks[way] = (sock, ("rl", proto, 0, 0, lab.macs[way]))
        self.out4, self.out6 = [], []
        self.steady = Steady(self)
        self.sniffers = [Sniffer(lab.four, "rl", self.seen4), Sniffer(lab.six, "rl", self.seen6)]

    def __enter__(self):
        self.steady.start()
        return self

    def __exit__(self, *_):
        self.steady.end()
        for sniffer in self.sniffers:
            sniffer.close()
        for sock, _ in self.socks.values():
            sock.close()

    def send(self, way, data):
        sock, to = self.socks[way]
        sock.sendto(data, to)

    def send_all(self, cases):
        for n, case in enumerate(cases):
            self.send(case.way, case.data)
            if n % 16 == 15:
                time.sleep(0.02 if EMULATED else 0.001)

    # ---- what comes out, less what the router says itself

    def chatter(self, pkt):
        """The router's own, which may answer to whatever it gets, and speaks to its neighbours."""
        return pkt.outgoing or not self.lab.inner(pkt) and (
            self.lab.own(pkt.src) or pkt.src == "::" and pkt.dst.startswith("ff02:"))

    def seen6(self, pkt):
        if self.chatter(pkt) or self.steady.seen(pkt):
            return
        self.out6.append(unpadded(pkt.data))

    def seen4(self, pkt):
        inner = self.lab.inner(pkt)
        if self.chatter(pkt) or inner and (self.lab.own(inner.src) or self.steady.seen(inner)):
            return
        self.out4.append(unpadded(pkt.data))

    def clear(self):
        self.out4.clear()
        self.out6.clear()


def unpadded(data):
    """Without the zeros that fill the least Ethernet frame; anything else behind a packet's end is part of it."""
    size = 40 + struct.unpack("!H", data[4:6])[0] if data[0] >> 4 == 6 else struct.unpack("!H", data[2:4])[0]
    return data[:size] if len(data) == 46 and not data[size:].strip(b"\0") else data


class Steady(threading.Thread):
    """Decent traffic both ways, numbered, as the lab has it."""

    RATE = 20 if EMULATED else 200

    def __init__(self, wires):
        super().__init__(daemon=True)
        self.wires = wires
        self.sent = 0
        self.got = {source: set() for source in wires.lab.STEADY}
        self.ending = False

    def run(self):
        start = time.monotonic()
        while not self.ending:
            for way, data in self.wires.lab.steady(struct.pack("!I", self.sent)):
                self.wires.send(way, data)
            self.sent += 1
            time.sleep(max(0.0, start + self.sent / self.RATE - time.monotonic()))

    def seen(self, pkt):
        """Takes in one of its own; says whether it is."""
        if pkt.proto != 17 or len(pkt.payload) != 12 or pkt.payload[:4] != struct.pack("!HH", PORT, PORT) or \
                pkt.src not in self.got:
            return False
        self.got[pkt.src].add(struct.unpack("!I", pkt.payload[8:])[0])
        return True

    def end(self):
        if self.is_alive():
            self.ending = True
            self.join()

    def assert_whole(self):
        self.end()
        try:
            wait_for(lambda: all(len(got) == self.sent for got in self.got.values()), 15, "all of it comes out")
        except Timeout:
            lost = {src: sorted(set(range(self.sent)) - got)[:20] for src, got in self.got.items()}
            raise AssertionError(f"decent traffic was lost, of {self.sent} each: {lost}") from None


# --------------------------------------------------------------------- trial

class Trial:
    """Cases that are sent, and what became of them held against what should have."""

    def __init__(self, wires, cases):
        self.wires, self.lab, self.cases = wires, wires.lab, cases
        self.wanted = {"4to6": Counter(), "6to4": Counter()}
        self.other = {}
        self.free = Counter()  # of those whose fate is open
        self.reasons = Counter()
        for case in cases:
            fate = self.lab.expect(case)
            if fate == "pass":
                self.wanted[case.way][case.out] += 1
                self.other[case.out] = case.other
            elif fate == "either":
                self.free[case.way] += 1
            elif fate not in ("stack", "local"):
                self.reasons[fate] += 1

    def left(self):
        """What came out and should not have, and what did not and should have."""
        extra, missing = [], {way: Counter(wanted) for way, wanted in self.wanted.items()}
        outs = [("4to6", data, data) for data in list(self.wires.out6)]
        outs += [("6to4", data, self.lab.unwrap(data)) for data in list(self.wires.out4)]
        for way, data, packet in outs:
            match = next((want for want in (packet, *[w for w, o in self.other.items() if o and o == packet])
                          if missing[way].get(want, 0) > 0), None)
            if match is None:
                extra.append((way, data.hex()))
            else:
                missing[way][match] -= 1
        return extra, {way: +counts for way, counts in missing.items() if +counts}

    def counted(self):
        now = self.lab.drops()
        return {reason: now.get(reason, 0) - self.before.get(reason, 0)
                for reason in now | self.before if now.get(reason, 0) != self.before.get(reason, 0)}

    def run(self, seconds=15):
        """Problems, or []."""
        self.before = self.lab.drops()
        self.wires.clear()
        self.wires.send_all(self.cases)

        def as_wanted():
            extra, missing = self.left()
            return not missing and len(extra) <= sum(self.free.values()) and self.fits(self.counted())

        try:
            wait_for(as_wanted, seconds, "")
            # what is too much may come later: what the programs have counted is asked for five times a second
            time.sleep(0.3)
            if as_wanted() and (self.free or not self.left()[0]):
                return []
            raise Timeout
        except Timeout:
            extra, missing = self.left()
            found = [f"crossed: {way} {data}" for way, data in extra[:4]] \
                if len(extra) > sum(self.free.values()) else []
            found += [f"did not cross: {way} {data.hex()}" for way, counts in missing.items() for data in list(counts)[:4]]
            if not self.fits(self.counted()):
                found.append(f"counted {self.counted()} where it should be {dict(self.reasons)}")
            return found

    def fits(self, counted):
        over = sum(counted.values()) - sum(self.reasons.values())
        return all(counted.get(reason, 0) >= count for reason, count in self.reasons.items()) and \
            0 <= over <= sum(self.free.values())


def blame(wires, cases, depth=0):
    """Halves those that went wrong until single ones are left; at most a few."""
    found = Trial(wires, cases).run(2)
    if not found:
        return []
    if len(cases) == 1 or depth > 12:
        return [f"{cases[0].way} {cases[0].name} ({wires.lab.expect(cases[0])}): {'; '.join(found)}"]
    half = len(cases) // 2
    first = blame(wires, cases[:half], depth + 1)
    return first if len(first) >= 8 else first + blame(wires, cases[half:], depth + 1)
