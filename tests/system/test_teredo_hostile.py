# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile packets to a Teredo relay, on each datapath: nothing crosses that RFC 4380 forbids, nothing is sent to
who must not be sent to, every drop is counted under its reason, and decent traffic beside them loses nothing."""

import contextlib
import socket
import struct
import threading
import time

import pytest

import hostile
import teredo_hostile
from conftest import alive, kept, lent
from hostile import H6
from hostile_trial import PORT, Crossing, Trial, Wires, assert_kernel_sound, blame, kernel_log
from lab import BUILD, EMULATED, wait_for
from sockets import offload
from teredo_clients import bubble
from teredo_hostile import CLIENT, CLIENT_6, CLIENT_PORT, RELAY, SERVER, client, datagram, inner
from teredo_lab import RELAY_PORT, SERVER_PORT, TEREDO
from wire import ETH_P_IPV6, Packet, Sniffer, gro_on, ipv6, mac_of

pytestmark = pytest.mark.native

# (address, port): the clients of decent traffic
STEADY, STEADY_SLOW = ("198.51.100.77", 4077), ("198.51.100.78", 4078)
STEADY6 = "2001:db8:6::77"


# ----------------------------------------------------------------------- lab

class Teredo(Crossing):
    NAME = "t"
    # from clients, by the fast way and by the slow one (IPv4 options), and to one
    STEADY = (client(*STEADY), client(*STEADY_SLOW), STEADY6)
    LINK4 = ("203.0.113.10", "203.0.113.9")

    def build(self):
        super().build()
        # an uplink of their own: what it can't take is lost to nobody else
        self.crowd = self.ns("crowd")
        self.link(self.relay.ns, "eth2", ["203.0.113.18/30"], self.crowd, "rl", ["203.0.113.17/30"])
        self.relay.ns.ip("route add 32.0.0.0/3 via 203.0.113.17")
        gro_on(self.relay.ns, "eth2")
        # by a device that does no checksums and cuts nothing: what is put off is done before it
        offload(self.relay.ns, "eth0", tx=0)
        return self

    def setup(self, datapath):
        self.relay.start("relayd")
        self.relay.configure("relay t", "tunnel mode teredo", f"tunnel source {RELAY}",
                             f"tunnel datapath {datapath}", "drain-time 0", "no shutdown")
        self.relay.wait_relay("t", "up", "ok")
        self.relay.wait_rib([TEREDO])
        self.datapath = datapath
        assert self.relay.relay_json("t")["datapath"] == datapath

    def expect(self, case):
        fate = case.expect(self.datapath != "userspace", True)
        return "local" if fate == "bubble" else fate

    def steady(self, data):
        for where, src in ((STEADY, self.STEADY[0]), (STEADY_SLOW, self.STEADY[1])):
            packet = datagram(ipv6(src, H6, 17, hostile.udp(src, H6, data, PORT, PORT)), *where)
            yield "4to6", hostile.options(packet, b"\1") if where == STEADY_SLOW else packet
        dst = self.STEADY[0]
        yield "6to4", ipv6(STEADY6, dst, 17, hostile.udp(STEADY6, dst, data, PORT, PORT))

    def inner(self, pkt):
        if pkt.version != 4 or pkt.proto != 17 or pkt.src != RELAY or len(pkt.payload) < 48 or \
                pkt.payload[:2] != struct.pack("!H", RELAY_PORT):
            return None
        return Packet.parse(pkt.payload[8:])

    def unwrap(self, data):
        pkt = Packet.parse(data)
        if data[0] != 0x45 or len(data) < 68 or pkt.src != RELAY or pkt.proto != 17:
            return None
        sport, dport, length, check = struct.unpack("!HHHH", data[20:28])
        packet = data[28:]
        pseudo = data[12:20] + struct.pack("!BBH", 0, 17, length)
        # RFC 4380 section 5.1.2: without DF
        right = (pkt.ttl == 64 and not pkt.dont_fragment and hostile.checksum(data[:20]) == 0
                 and struct.unpack("!H", data[2:4])[0] == len(data) and sport == RELAY_PORT
                 and length == len(data) - 20 and (not check or hostile.checksum(pseudo + data[20:]) == 0)
                 and packet[24:28] == b"\x20\1\0\0"
                 and bytes(b ^ 0xFF for b in packet[34:40]) == struct.pack("!H", dport) + data[16:20])
        return packet if right else None

    def own(self, addr):
        return addr == RELAY or super().own(addr)

    # ---- what relayd says

    def peers(self):
        return self.relay.json("relayd", "show relay t peers json")["t"]

    def bubbles(self):
        return self.relay.json("relayd", "show relay t counters json")["t"]["bubbles"]["received"]

    def peer(self, address):
        raw = socket.inet_pton(socket.AF_INET6, address)
        return next((peer for key, peer in self.peers()["peers"].items()
                     if socket.inet_pton(socket.AF_INET6, key) == raw), None)


@pytest.fixture(scope="module")
def keeper():
    yield from kept(Teredo, Teredo.build, lambda lab: alive(lab.relay, "zebra"))


@pytest.fixture(params=["ebpf", "xdp", "userspace"])
def relay(request, keeper):
    said = kernel_log()
    for lab in lent(keeper):
        lab.setup(request.param)
        yield lab
    assert_kernel_sound(said)


@pytest.fixture
def wires(relay):
    """The relay's two sides, with the clients of decent traffic and of the cases known to it."""
    with Wires(relay) as made:
        for where, address in ((STEADY, relay.STEADY[0]), (STEADY_SLOW, relay.STEADY[1]),
                               ((CLIENT, CLIENT_PORT), CLIENT_6)):
            made.send("4to6", datagram(bubble(address, H6), *where))
            wait_for(lambda a=address: (relay.peer(a) or {}).get("state") == "trusted", 10, f"{address} is known")
        yield made
    relay.relay.assert_sound()
    assert relay.relay.relay_json("t")["operStatus"] == "up"


# ----------------------------------------------------------------------- tests

def after_decent_ones(cases):
    decent = {case.way: case for case in teredo_hostile.whole() if case.name == "whole"}
    return [each for case in cases for each in (decent[case.way], case)]


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "after-decent-ones"])
def test_hostile_packets(relay, wires, alone):
    """Each packet of teredo_hostile.py has its fate, and all that are dropped are counted."""
    wrong = []
    for family in teredo_hostile.FAMILIES:
        cases = list(family())
        if not alone:
            cases = after_decent_ones(cases)
        problems = Trial(wires, cases).run()
        if problems:
            # one alone tells nothing where they belong together
            single = [] if family is teredo_hostile.fragments else blame(wires, cases)
            wrong += [f"{family.__name__}: {line}" for line in single or problems]
        if len(wrong) >= 8:
            break  # enough to go by; each takes its time
    assert not wrong, "\n".join(wrong)
    wires.steady.assert_whole()


def test_by_chance(relay, wires):
    """Whatever else is sent: what comes out is something that was sent and that RFC 4380 lets through."""
    cases = list(teredo_hostile.scapy_made(4380, 200 if EMULATED else 2000))
    allowed = {"4to6": set(), "6to4": set()}
    passing = set()  # by the router, not by the relay
    for case in cases:
        judge = teredo_hostile.may_cross4 if case.way == "4to6" else teredo_hostile.may_cross6
        allowed[case.way].add(judge(case.data))
        pkt = Packet.parse(case.data)
        if pkt.dst != RELAY and not pkt.dst.startswith("2001:0:"):
            passing.add((pkt.src, pkt.dst))

    def crossed(out):
        return [data for data in out if (pkt := Packet.parse(data)) and (pkt.src, pkt.dst) not in passing]

    wires.send_all(cases)
    wires.steady.assert_whole()
    out4, out6 = crossed(wires.out4), crossed(wires.out6)
    bad = [data.hex() for data in out6 if hostile.normal(data) not in allowed["4to6"]]
    bad += [data.hex() for data in out4
            if not (packet := relay.unwrap(data)) or hostile.normal(packet) not in allowed["6to4"]]
    assert not bad, bad[:10]
    # the trial is one: many cross, many do not
    assert min(len(out4), len(out6)) > len(cases) // 30
    wait_for(lambda: sum(relay.drops().values()) > len(cases) // 100, 15, "drops are counted")


# ------------------------------------------------- who must never be sent to

# of each sort of address that is nobody's; .11 is the broadcast address of the router's own network
NOBODY = ("0.0.0.0", "0.1.2.3", "10.1.2.3", "127.0.0.1", "127.1.2.3", "169.254.1.2", "172.16.1.2", "172.31.255.254",
          "192.168.1.2", "192.88.99.1", "192.88.99.3", "224.0.0.1", "239.1.2.3", "240.1.2.3", "255.255.255.255",
          "203.0.113.11")


class Sent:
    """All that leaves the router by IPv4, and by lo, from the relay; less decent traffic, the self-test and what the
    router has to say (ICMPv6)."""

    def __init__(self, lab):
        self.lab, self.packets = lab, []
        self.sniffers = [Sniffer(lab.four, "rl", self.take), Sniffer(lab.relay.ns, "lo", self.take)]

    def take(self, pkt):
        found = self.lab.inner(pkt)
        if found and pkt.dst != RELAY and found.src not in self.lab.STEADY and found.proto != 58:
            self.packets.append(pkt)

    def to(self, *dsts):
        return [pkt for pkt in list(self.packets) if pkt.dst in dsts]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sniffer in self.sniffers:
            sniffer.close()


@contextlib.contextmanager
def socket_to(lab):
    """Sends IPv6 packets to the router, without decent traffic beside them."""
    with lab.six.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
        lab.six.call(sock.bind, ("rl", 0))
        yield lambda data: sock.sendto(data, ("rl", ETH_P_IPV6, 0, 0, lab.macs["6to4"]))


def added(lab, before):
    """What drops were counted since, by reason."""
    now = lab.drops()
    return {reason: now[reason] - before.get(reason, 0) for reason in now if now[reason] != before.get(reason, 0)}


def test_nobody_is_sent_to(relay, wires):
    """Clients and servers whose addresses are not global: not a packet, not a bubble, and each drop is counted."""
    before = relay.drops()
    probe = client("198.51.100.200", 5000)
    with Sent(relay) as sent:
        for addr in NOBODY:
            for n in range(3):
                # the client is nobody: with a decent server, with itself as its server
                wires.send("6to4", inner(H6, client(addr, 40000 + n), b"x"))
                wires.send("6to4", inner(H6, client(addr, 40000 + n, addr, flags=0x8000), b"x"))
                # the server is: of a client that could be one
                wires.send("6to4", inner(H6, client("198.51.100.201", 40000 + n, addr), b"x"))
        # to no port at all
        wires.send("6to4", inner(H6, client("198.51.100.202", 0), b"x"))
        # a decent one behind them all: its bubbles come out
        wires.send("6to4", inner(H6, probe, b"x"))
        wait_for(lambda: sent.to(SERVER), 10, "an indirect bubble of the last")
        wanted = {"destination": 6 * len(NOBODY) + 1, "server": 3 * len(NOBODY)}
        wait_for(lambda: added(relay, before) == wanted, 10, f"{wanted} are counted, not {added(relay, before)}")
        # for the two seconds after which bubbles would be tried again
        wait_for(lambda: len(sent.to(SERVER)) > 1, 10, "its second bubble")
        assert added(relay, before) == wanted
        others = [pkt for pkt in sent.packets if pkt.dst not in (SERVER, "198.51.100.200")]
        assert not others, [(pkt.dst, pkt.payload.hex()) for pkt in others][:8]
        assert {Packet.parse(pkt.payload[8:]).dst for pkt in sent.packets} == {probe}
    known = relay.peers()["peers"]
    assert not [peer for peer in known.values() if peer["mappedAddress"] in NOBODY or peer["server"] in NOBODY], known
    wires.steady.assert_whole()


def test_nobody_becomes_a_peer(relay, wires):
    """Packets and bubbles from who can't be: none crosses, none of them is kept, nobody is answered."""
    for addr in NOBODY:
        for payload in (inner(client(addr, 40000)), bubble(client(addr, 40000), H6)):
            wires.send("4to6", datagram(payload, addr, 40000))
    for payload in (inner(client("198.51.100.99", 40000)), bubble(client("198.51.100.99", 40000), H6)):
        wires.send("4to6", datagram(payload, "198.51.100.98", 40000))
        wires.send("4to6", datagram(payload, "198.51.100.99", 40001))
        # one that could be, a bit later
        wires.send("4to6", datagram(payload, "198.51.100.99", 40000))
    wait_for(lambda: relay.peer(client("198.51.100.99", 40000)), 10, "the one that could be")
    mapped = {peer["mappedAddress"] for peer in relay.peers()["peers"].values()}
    assert mapped == {"198.51.100.99", CLIENT, STEADY[0], STEADY_SLOW[0]}
    wait_for(lambda: wires.out6, 10, "its packet")
    assert len(wires.out6) == 1 and not wires.out4
    wires.steady.assert_whole()


# ----------------------------------------------------------- bubbles and more of them

def test_malicious_server(relay, wires):
    """A host that is named as many clients' server gets no more than RFC 4380 section 5.2.6 allows: a bubble for a
    client, four times in 300 s; what waited for an answer is counted."""
    before = relay.drops()
    victim, count = "198.51.100.66", 200
    target = client("198.51.100.67", 40000, victim)
    with Sent(relay) as sent:
        start = time.monotonic()
        for _ in range(count):
            wires.send("6to4", inner(H6, target, b"x"))
        wait_for(lambda: sent.to(victim), 5, "a bubble to the server")
        wait_for(lambda: sum(added(relay, before).values()) == count, 20, f"{count} are dropped, by reason")
        assert set(added(relay, before)) <= {"queue-full", "no-answer"}
        # four, two seconds apart, then none; not one to the client beside them
        assert time.monotonic() - start >= 6
        assert len(sent.to(victim)) == 4, [pkt.time for pkt in sent.to(victim)]
        assert len(sent.to("198.51.100.67")) <= 4
        assert all(pkt.payload[2:4] == struct.pack("!H", SERVER_PORT) for pkt in sent.to(victim))
        assert relay.peer(target)["state"] == "unreachable"
        # and not one more for whatever else is sent there
        for _ in range(count):
            wires.send("6to4", inner(H6, target, b"y"))
        wait_for(lambda: sum(added(relay, before).values()) == 2 * count, 20, f"{2 * count} are dropped, by reason")
        assert len(sent.to(victim)) == 4
    wires.steady.assert_whole()


def test_own_server(relay):
    """The relay itself, at a server's port, is named as the server: it does not ask itself."""
    relay.relay.configure("relay t", f"tunnel udp-port {SERVER_PORT}")
    relay.relay.wait_relay("t", "up", "ok")
    assert relay.relay.relay_json("t")["udpPort"] == SERVER_PORT
    before = relay.drops()
    with socket_to(relay) as send:
        for n in range(100):
            send(inner(H6, client("198.51.100.68", 40000 + n, RELAY), b"x"))
        wait_for(lambda: added(relay, before) == {"server": 100}, 10, f"100 are dropped, not {added(relay, before)}")
    assert not relay.peers()["peers"]


def test_replayed_bubbles(relay, wires):
    """A client's bubble again and again: one peer, no answer; and from elsewhere it is nobody's."""
    before = relay.drops()
    where = ("198.51.100.50", 4050)
    mine, count = client(*where), 1000
    with Sent(relay) as sent:
        for _ in range(count):
            wires.send("4to6", datagram(bubble(mine, H6), *where))
            wires.send("4to6", datagram(bubble(mine, H6), where[0], where[1] + 1))
            wires.send("4to6", datagram(bubble(mine, H6), "198.51.100.51", where[1]))
        wait_for(lambda: added(relay, before) == {"source-spoofed": 2 * count}, 10, "those from elsewhere are dropped")
        assert len([a for a in relay.peers()["peers"] if a.startswith("2001:")]) == 4
        assert relay.peer(mine)["state"] == "trusted"
        assert not sent.packets
        # it is where it says: what is for it goes there alone
        wires.send("6to4", inner(H6, mine, b"x"))
        wait_for(lambda: sent.to(where[0]), 10, "a packet to it")
        assert len(sent.packets) == 1
    wires.steady.assert_whole()


# --------------------------------------------------------------------- floods

class Strangers(threading.Thread):
    """Bubbles from addresses of chance, RATE a second, by tests/bench/blast."""

    RATE, SECONDS = (2000, 5) if EMULATED else (60000, 10)

    def __init__(self, lab):
        super().__init__(daemon=True)
        frame = mac_of(lab.relay.ns, "eth2") + bytes(6) + b"\x08\0" + datagram(bubble(CLIENT_6, H6), check=0)
        self.proc = lab.spawn(lab.crowd, BUILD / "tests/bench/blast", "strangers", "rl", str(self.SECONDS),
                              str(self.RATE), str(self.RATE * self.SECONDS), stdin=-1, stdout=-1, text=True)
        self.frame, self.sent = frame.hex() + "\n", 0
        self.start()

    def run(self):
        self.sent = int(self.proc.communicate(self.frame)[0])


@pytest.mark.alone
@pytest.mark.parametrize("maximum", [65536, 2000], ids=["limit", "full-table"])
def test_flood_of_bubbles(relay, wires, maximum):
    """60,000 bubbles a second from random addresses: who is a peer goes on without loss, who was one before them
    stays one, and each bubble made a peer or was counted as a drop."""
    relay.relay.configure("relay t", f"peers maximum {maximum}")
    before, heard = relay.drops(), relay.bubbles()
    flood = Strangers(relay)
    wait_for(lambda: relay.relay.relay_json("t")["peers"]["overload"] != "none", 20, "the limit of new peers is reached")
    flood.join(Strangers.SECONDS + 30)
    print(f"{flood.sent / Strangers.SECONDS:.0f} bubbles a second")
    # less where the machine has other things to do: the sender's processor is not its own
    assert flood.sent > 0.5 * Strangers.RATE * Strangers.SECONDS, flood.sent
    wires.steady.assert_whole()
    wait_for(lambda: relay.bubbles() - heard > 0.9 * flood.sent, 10, f"{flood.sent} are taken in")
    heard = relay.bubbles() - heard
    assert heard <= flood.sent
    for address in relay.STEADY[:2] if maximum == 2000 else (*relay.STEADY[:2], CLIENT_6):
        assert relay.peer(address)["state"] == "trusted", address
    peers = relay.relay.relay_json("t")["peers"]
    assert peers["count"] <= peers["maximum"] == maximum
    drops = added(relay, before)
    assert set(drops) <= {"peer-limit", "table-full"}, drops
    # the burst and 5,000 a second were let in
    made = heard - sum(drops.values())
    assert min(10000, maximum) <= made <= 10000 + 5000 * (Strangers.SECONDS + 2), drops


def test_scan(relay, wires):
    """A host that asks for one client after the other: its own prefix meets the limit, others find new clients."""
    before = relay.drops()
    count = 6000
    with Sent(relay) as sent:
        for n in range(count):
            wires.send("6to4", inner(H6, client(f"32.{n // 250}.{n % 250}.1", 40000), b"x"))
            if n % 10 == 0:  # 2000/s: the engine of a busy machine follows, and 500/s are let in
                time.sleep(0.005)
        wait_for(lambda: added(relay, before).get("peer-limit", 0) > count // 12, 10, "the limit")
        # of another prefix
        wires.send("6to4", inner("2001:db8:77::1", client("198.51.100.70", 40000), b"x"))
        wait_for(lambda: any(Packet.parse(p.payload[8:]).dst == client("198.51.100.70", 40000)
                             for p in sent.to(SERVER)), 10, "a bubble for another's client")
        # in the end all are counted: no answer came to any
        wait_for(lambda: sum(added(relay, before).values()) == count + 1, 30,
                 f"{count + 1} are dropped, by reason, not {added(relay, before)}")
        assert len(sent.to(SERVER)) <= 4 * (count + 1 - added(relay, before)["peer-limit"])
    wires.steady.assert_whole()
