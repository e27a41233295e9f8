# SPDX-License-Identifier: GPL-2.0-or-later
"""`tunnel datapath ebpf`: where the programs hang, what goes up the stack, what outlives relayd."""

import json
import re
import socket
import struct
import threading
import time

import pytest

from lab import host_has_sit, holds_for, wait_for
from test_datapath import crosses, from_6to4, into_relay4, to_6to4, with_relay
from topology import ANYCAST, ANYCAST4, ANYCAST6, BASIC, H6, H64, H64_6, H64B, H64B_6, RELAY_ADDR
from wire import Sniffer, gro_on, icmp6_echo, ipv4, ipv6, link_set, mac_of, send_raw

OWN = "2002:c058:6301::1"


@pytest.fixture
def relay(net):
    """Relay "r" by eBPF, up and learned by the neighbour."""
    with_relay(net, "tunnel datapath ebpf", f"ipv6 address {OWN}/128")
    net.bird.wait_routes(ANYCAST)
    assert net.relay.relay_json("r")["datapath"] == "ebpf"
    return net


def programs(router, ifname, way="ingress"):
    """Names of the programs on a link."""
    text = router.ns.run("tc", "filter", "show", "dev", ifname, way, check=False).stdout
    return re.findall(r"handle \S+ (\w+)", text)


def clsact(router):
    return {q["dev"] for q in json.loads(router.ns.run("tc", "-j", "qdisc").stdout) if q["kind"] == "clsact"}


def journal(router):
    return (router.dir / "relayd.state").read_text(encoding="ascii")


def drops(router):
    return router.json("relayd", "show relay r counters json")["r"]["drops"]


# -------------------------------------------------------------- where they hang

@pytest.mark.both
def test_interface_and_places(relay):
    """On the sit device where the kernel has one, else on a TUN; ingress of uplinks and lo, egress of the relay's."""
    rl = relay.relay
    assert rl.ns.link("r")["linkinfo"]["info_kind"] == ("sit" if host_has_sit() else "tun")
    for ifname in ("eth0", "eth1", "lo"):
        assert programs(rl, ifname) == ["uplink_ingress"]
        assert programs(rl, ifname, "egress") == []
    assert programs(rl, "r", "egress") == ["relay_egress"] and programs(rl, "r") == []
    rl.configure("no relay r")
    wait_for(lambda: clsact(rl) == set(), 10, "no clsact is left")


def test_uplink_appears_and_goes(relay):
    """A program is there as soon as the link is up."""
    rl = relay.relay
    rl.ns.ip("link add new0 type veth peer name new1", "link set new0 up")
    try:
        wait_for(lambda: programs(rl, "new0") == ["uplink_ingress"], 5, "a program on the new link")
        assert programs(rl, "new1") == []  # down
        rl.ns.ip("link set new1 up")
        wait_for(lambda: programs(rl, "new1") == ["uplink_ingress"], 5, "a program on its peer")
        # a part of a bridge takes in what is not this host's
        rl.ns.ip("link add br0 type bridge", "link set br0 up", "link set new1 master br0")
        wait_for(lambda: programs(rl, "new1") == [] and programs(rl, "br0") == ["uplink_ingress"], 5, "on the bridge")
    finally:
        rl.ns.run("ip", "link", "del", "new0", check=False)
        rl.ns.run("ip", "link", "del", "br0", check=False)
    holds_for(lambda: rl.relay_json("r")["operStatus"] == "up", 1, "nothing happens to the relay")


def test_named_uplinks(relay):
    """`tunnel uplink`: on these alone; the others go the slow way."""
    rl = relay.relay
    rl.configure("relay r", "tunnel uplink eth1")
    wait_for(lambda: programs(rl, "eth0") == [] and programs(rl, "eth1") == ["uplink_ingress"], 5, "on eth1 alone")
    assert from_6to4(relay) and to_6to4(relay)
    rl.configure("relay r", "tunnel uplink eth0", "no tunnel uplink eth1")
    wait_for(lambda: programs(rl, "eth1") == [] and programs(rl, "eth0") == ["uplink_ingress"], 5, "on eth0 alone")
    rl.configure("relay r", "no tunnel uplink eth0")
    wait_for(lambda: programs(rl, "eth1") == programs(rl, "eth0") == ["uplink_ingress"], 5, "on all again")


def test_somebody_takes_them_off(relay):
    """They come back, and it is said."""
    rl = relay.relay
    rl.ns.run("tc", "qdisc", "del", "dev", "eth0", "clsact")
    wait_for(lambda: programs(rl, "eth0") == ["uplink_ingress"], 5, "put back")
    assert "someone took a program off eth0" in rl.log("relayd")
    rl.ns.run("tc", "filter", "del", "dev", "r", "egress")
    wait_for(lambda: programs(rl, "r", "egress") == ["relay_egress"], 5, "put back")
    assert from_6to4(relay) and to_6to4(relay)


@pytest.mark.sit  # the classifier
def test_operators_own_filters_stay(net):
    """A clsact that was there, with a filter behind ours and one before: they run, and stay."""
    rl = net.relay
    tc = ("tc", "filter", "add", "dev", "eth0", "ingress", "protocol", "all")
    rl.ns.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    try:
        for pref in (100, 50000):
            rl.ns.run(*tc, "pref", pref, "matchall", "action", "continue" if pref == 100 else "ok")
        with_relay(net, "tunnel datapath ebpf")
        assert "uplink_ingress" in programs(rl, "eth0")
        assert from_6to4(net)

        def seen():
            text = rl.ns.run("tc", "-s", "filter", "show", "dev", "eth0", "ingress").stdout
            return [int(n) for n in re.findall(r"Sent \d+ bytes (\d+) pkt", text)]
        before = seen()
        assert crosses(net, lambda: into_relay4(net, ipv4(RELAY_ADDR, H64B, 41, icmp6_echo(H6, H64B_6, 3, 3))),
                       (net.h64b, "eth0"), lambda p: p.inner and p.inner.dst == H64B_6)
        assert all(now > then for now, then in zip(seen(), before))
        rl.configure("no relay r")
        wait_for(lambda: clsact(rl) == {"eth0"}, 10, "the operator's clsact stays")
        assert len(seen()) == 2
    finally:
        rl.ns.run("tc", "qdisc", "del", "dev", "eth0", "clsact")


@pytest.mark.sit  # the classifier
def test_place_is_taken(net):
    """Someone else's filter with our number is not touched; the relay says so and goes the slow way."""
    rl = net.relay
    rl.ns.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    try:
        rl.ns.run("tc", "filter", "add", "dev", "eth0", "ingress", "protocol", "all", "pref", 2002, "handle", 1,
                  "matchall", "action", "ok")
        with_relay(net, "tunnel datapath ebpf")
        wait_for(lambda: "eth0" in rl.relay_json("r").get("note", ""), 10, "a note")
        assert from_6to4(net) and to_6to4(net)
        rl.ns.run("tc", "filter", "del", "dev", "eth0", "ingress", "pref", 2002)
        wait_for(lambda: programs(rl, "eth0") == ["uplink_ingress"], 10, "its place is free")
        wait_for(lambda: "note" not in rl.relay_json("r"), 10, "the note goes")
        rl.configure("no relay r")
        wait_for(lambda: clsact(rl) == {"eth0"}, 10, "a clsact that was there stays")
    finally:
        rl.ns.run("tc", "qdisc", "del", "dev", "eth0", "clsact")


@pytest.mark.sit
def test_datapath_changes_in_place(relay):
    """From eBPF to sit and back on the same device, without a withdrawal."""
    rl = relay.relay
    before = rl.relay_json("r")
    rl.configure("relay r", "tunnel datapath sit")
    wait_for(lambda: rl.relay_json("r")["datapath"] == "sit" and clsact(rl) == set(), 10, "sit alone")
    assert from_6to4(relay) and to_6to4(relay)
    rl.configure("relay r", "no tunnel datapath")
    wait_for(lambda: rl.relay_json("r")["datapath"] == "ebpf", 10, "eBPF again")
    assert from_6to4(relay) and to_6to4(relay)
    after = rl.relay_json("r")
    assert (after["ifIndex"], after["transitions"]) == (before["ifIndex"], before["transitions"])


@pytest.mark.nosit
def test_sit_asked_for_where_there_is_none(relay):
    """`tunnel datapath sit` on a kernel without sit: the TUN goes, the relay is down and says why."""
    rl = relay.relay
    rl.configure("relay r", "tunnel datapath sit")
    assert "sit" in rl.wait_relay("r", "down", "datapath-error")["detail"]
    wait_for(lambda: "r" not in rl.ns.links() and clsact(rl) == set(), 10, "nothing is left")
    rl.configure("relay r", "tunnel datapath auto")
    rl.wait_relay("r", "up")
    assert from_6to4(relay) and to_6to4(relay)


def test_interface_down_is_a_relay_down(relay):
    """The programs serve no relay that is down: routes and fast path go together."""
    rl = relay.relay
    link_set(rl.ns, "r", False)
    rl.wait_relay("r", "down", "interface-down")
    assert not from_6to4(relay)
    link_set(rl.ns, "r", True)
    rl.wait_relay("r", "up")
    assert from_6to4(relay) and to_6to4(relay)


@pytest.mark.both
def test_interface_removed(relay):
    """It is made again, with all that hangs on it."""
    rl = relay.relay
    index = rl.relay_json("r")["ifIndex"]
    rl.ns.ip("link del r")
    wait_for(lambda: (j := rl.relay_json("r"))["operStatus"] == "up" and j["ifIndex"] not in (0, index), 20, "up again")
    rl.wait_rib(ANYCAST)
    assert programs(rl, "r", "egress") == ["relay_egress"]
    assert from_6to4(relay) and to_6to4(relay) and echo_to_self(relay) == RELAY_ADDR
    # nothing is on file of the one that went
    assert f"+ tc {index} " not in journal(rl) or f"- tc {index}\n" in journal(rl)


def test_withdrawn_is_not_attracted(relay):
    """Without zebra's route nothing is encapsulated."""
    rl = relay.relay
    rl.configure("relay r", "maintenance")
    rl.wait_relay("r", "maintenance")
    wait_for(lambda: ANYCAST6 not in rl.ns.run("ip", "-6", "route").stdout, 10, "no route")
    assert not to_6to4(relay)
    rl.configure("relay r", "no maintenance")
    rl.wait_relay("r", "up")
    rl.wait_rib(ANYCAST)
    assert to_6to4(relay)


# ------------------------------------------------------------------- the slow way

def echo_to_self(net, hops=64, options=b"", fragments=False):
    """An encapsulated echo request to the relay's own address: the outer source of the reply."""
    inner = icmp6_echo(H64_6, OWN, 7, 7, b"x" * 64, hops=hops)
    if fragments:
        packets = [ipv4(H64, RELAY_ADDR, 41, inner[:48], flags=1), ipv4(H64, RELAY_ADDR, 41, inner[48:], offset=48)]
    else:
        packets = [with_options(ipv4(H64, RELAY_ADDR, 41, inner), options)]
    with Sniffer(net.net, "rl") as wire:
        def answered():
            for packet in packets:
                into_relay4(net, packet)
            time.sleep(0.05)
            return [p for p in wire.tunnelled(dst=H64, outgoing=False) if p.inner.payload[:1] == b"\x81"]
        return wait_for(answered, 10, "an echo reply")[0].src


def with_options(packet, options):
    if not options:
        return packet
    from wire import checksum
    head = bytearray(packet[:20])
    head[0] = 0x45 + len(options) // 4
    head[2:4] = struct.pack("!H", len(packet) + len(options))
    head[10:12] = b"\0\0"
    head = bytes(head) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + packet[20:]


NOP4 = b"\x01\x01\x01\x00"


@pytest.mark.parametrize("how", [
    pytest.param({}, id="plain"), pytest.param({"hops": 1}, marks=pytest.mark.both, id="last hop"),
    pytest.param({"options": NOP4}, id="options"),
    pytest.param({"fragments": True}, marks=pytest.mark.both, id="fragments")])
def test_echo_to_the_relay(relay, how):
    """RFC 6343 section 4.4: answered, with hop limit 1 too, so that traceroute6 finds the relay."""
    assert echo_to_self(relay, **how) == RELAY_ADDR


@pytest.mark.both
@pytest.mark.parametrize("how", ["options", "fragments"])
def test_rare_packets_cross(relay, how):
    """What the programs hand up goes the slow way, checked and counted as the rest."""
    inner = icmp6_echo(H64_6, H6, 8, 8, b"y" * 64)
    packets = [with_options(ipv4(H64, RELAY_ADDR, 41, inner), NOP4)] if how == "options" else \
        [ipv4(H64, RELAY_ADDR, 41, inner[:64], flags=1), ipv4(H64, RELAY_ADDR, 41, inner[64:], offset=64)]
    before = relay.relay.json("relayd", "show relay r counters json")["r"]["rx4to6"]["packets"]
    assert crosses(relay, lambda: [into_relay4(relay, p) for p in packets], (relay.net, "rl"),
                   lambda p: (p.src, p.dst, p.outgoing) == (H64_6, H6, False) and p.payload.endswith(b"y" * 64))
    wait_for(lambda: relay.relay.json("relayd", "show relay r counters json")["r"]["rx4to6"]["packets"] > before, 5,
             "counted")
    # and a forged one does not
    forged = icmp6_echo("2002:c633:6463::1", H6, 9, 9, b"z" * 64)
    packets = [with_options(ipv4(H64, RELAY_ADDR, 41, forged), NOP4)] if how == "options" else \
        [ipv4(H64, RELAY_ADDR, 41, forged[:64], flags=1), ipv4(H64, RELAY_ADDR, 41, forged[64:], offset=64)]
    before = sum(drops(relay.relay).values())
    assert not crosses(relay, lambda: [into_relay4(relay, p) for p in packets], (relay.net, "rl"),
                       lambda p: p.dst == H6 and p.payload.endswith(b"z" * 64) and not p.outgoing, 1)
    assert sum(drops(relay.relay).values()) > before


def test_hop_limit_runs_out(relay):
    """4to6 and 6to4: the relay answers with Time Exceeded."""
    def exceeded(p):
        ip6 = p.inner or p
        return ip6.version == 6 and ip6.payload[:2] == b"\x03\0" and not p.outgoing
    assert crosses(relay, lambda: into_relay4(relay, ipv4(H64, RELAY_ADDR, 41, icmp6_echo(H64_6, H6, 1, 1, hops=1))),
                   (relay.net, "rl"), lambda p: p.inner and p.dst == H64 and exceeded(p))
    assert crosses(relay, lambda: send_raw(relay.net, "rl", icmp6_echo(H6, H64_6, 1, 1, hops=1),
                                           mac_of(relay.relay.ns, "eth0")),
                   (relay.net, "rl"), lambda p: p.dst == H6 and exceeded(p))


def test_from_the_router_itself(relay):
    """What the router sends to a 6to4 host goes by the relay's interface."""
    def send():
        relay.relay.ns.run("ping", "-6", "-c1", "-W1", "-I", OWN, H64_6, check=False)
    assert crosses(relay, send, (relay.net, "rl"), lambda p: p.inner and p.inner.dst == H64_6 and p.src == RELAY_ADDR)


# ---------------------------------------------------------------- what outlives it

class Stream(threading.Thread):
    """200 numbered packets a second each way; what came out at the other side."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.net, self.sent, self.ending = net, 0, False
        self.mac = mac_of(net.relay.ns, "eth0")
        self.wire = Sniffer(net.net, "rl")
        self.sock = net.net.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        self.start()

    def send(self, protocol, packet):
        self.sock.sendto(packet, ("rl", protocol, 0, 0, self.mac))

    def run(self):
        began = time.monotonic()
        while not self.ending:
            self.sent += 1
            self.send(0x0800, ipv4(H64, RELAY_ADDR, 41, icmp6_echo(H64_6, H6, 11, self.sent & 0xffff, kind=129)))
            self.send(0x86dd, icmp6_echo(H6, H64_6, 12, self.sent & 0xffff, kind=129))
            time.sleep(max(0, began + self.sent / 200 - time.monotonic()))

    def end(self):
        """(sent, lost 4to6, lost 6to4)"""
        self.ending = True
        self.join()
        time.sleep(0.5)
        self.sock.close()
        self.wire.close()
        number = {11: set(), 12: set()}
        for packet in list(self.wire.packets):
            ip6 = packet.inner or packet
            if ip6.version == 6 and ip6.payload[:1] == b"\x81" and not packet.outgoing:
                ident, seq = struct.unpack("!HH", ip6.payload[4:8])
                if ident in number and bool(packet.inner) == (ident == 12):
                    number[ident].add(seq)
        return self.sent, self.sent - len(number[11]), self.sent - len(number[12])


def test_killed_and_restarted_without_a_lost_packet(relay):
    """The programs and their maps stay; the next relayd puts its own in their place."""
    rl = relay.relay
    config = rl.ask("relayd", "show running-config")
    stream = Stream(relay)
    try:
        time.sleep(1)
        rl.kill("relayd")
        time.sleep(1)
        assert programs(rl, "eth0") == ["uplink_ingress"]
        rl.start("relayd", config=config[config.index("relay r"):])
        rl.wait_relay("r", "up")
        wait_for(lambda: "taken over" in rl.log("relayd"), 10, "taken over")
        time.sleep(1)
    finally:
        sent, lost_in, lost_out = stream.end()
    assert sent > 100 and (lost_in, lost_out) == (0, 0), (sent, lost_in, lost_out)
    assert rl.relay_json("r")["datapath"] == "ebpf"


def test_configured_by_hand_after_a_crash(relay):
    """What a dead relayd left serves until the next one knows its configuration; the self-test does not wait."""
    rl = relay.relay
    rl.kill("relayd")
    rl.start("relayd")
    rl.configure("relay r", *BASIC, "tunnel datapath ebpf", "no shutdown")
    rl.wait_relay("r", "up", timeout=3)
    assert rl.relay_json("r")["transitions"] == 2
    assert from_6to4(relay) and to_6to4(relay)


def test_removed_while_relayd_is_dead(relay):
    """A relay that the next configuration does not have: nothing of it is left."""
    rl = relay.relay
    rl.kill("relayd")
    rl.start("relayd", config="track 1 interface eth0 line-protocol\nexit\n")
    wait_for(lambda: "r" not in rl.ns.links() and clsact(rl) == set(), 15, "swept")


@pytest.mark.both
def test_counters_by_reason(relay):
    """Each drop counts once, under its reason."""
    rl = relay.relay
    cases = {
        "source-spoofed": ipv4("198.51.100.77", RELAY_ADDR, 41, icmp6_echo(H64_6, H6, 1, 1)),
        "outer-source": ipv4("10.1.2.3", RELAY_ADDR, 41, icmp6_echo("2002:a01:203::1", H6, 1, 1)),
        "not-6to4": ipv4(H64, RELAY_ADDR, 41, icmp6_echo("2001:db8:77::1", H6, 1, 1)),
        "destination-foreign": ipv4(H64, RELAY_ADDR, 41, icmp6_echo(H64_6, "2002:c633:6499::1", 1, 1)),
        "malformed": ipv4(H64, RELAY_ADDR, 41, b"\x60" + bytes(19)),
    }
    for reason, packet in cases.items():
        before = drops(rl)
        into_relay4(relay, packet)

        def counted(reason=reason, before=before):
            now = drops(rl)
            # sit's own move with the self-test's probes, for a moment
            return {k: now[k] - before[k] for k in cases if now[k] != before[k]} == {reason: 1}
        wait_for(counted, 5, f"one {reason}")
    rl.ask("relayd", "clear relay r counters")
    assert set(drops(rl).values()) == {0}


def test_bogon_permitted(relay):
    """`filter permit` lets one prefix in, at once; `filter deny` shuts another out."""
    rl = relay.relay
    packet = ipv4("10.1.2.3", RELAY_ADDR, 41, icmp6_echo("2002:a01:203::1", H6, 1, 1))

    def comes(packet, src):
        return crosses(relay, lambda: into_relay4(relay, packet), (relay.net, "rl"),
                       lambda p: (p.src, p.dst, p.outgoing) == (src, H6, False), 1)
    assert not comes(packet, "2002:a01:203::1")
    rl.configure("relay r", "filter permit 10.1.0.0/16")
    assert comes(packet, "2002:a01:203::1")
    rl.configure("relay r", "no filter permit 10.1.0.0/16", f"filter deny {H64}/32")
    assert not comes(packet, "2002:a01:203::1") and not from_6to4(relay)
    rl.configure("relay r", f"no filter deny {H64}/32", "no filter bogons")
    assert comes(packet, "2002:a01:203::1") and from_6to4(relay)


def test_own_broadcast_is_a_bogon(relay):
    """RFC 3964 section 5.3.1: the host's own broadcasts, as its addresses come and go."""
    rl = relay.relay
    rl.ns.ip("addr add 198.51.77.1/24 dev eth1")
    try:
        time.sleep(0.2)
        packet = ipv4("198.51.77.255", RELAY_ADDR, 41, icmp6_echo("2002:c633:4dff::1", H6, 1, 1))
        before = drops(rl)["outer-source"]
        into_relay4(relay, packet)
        wait_for(lambda: drops(rl)["outer-source"] == before + 1, 5, "counted as a bogon")
    finally:
        rl.ns.ip("addr del 198.51.77.1/24 dev eth1")


# ------------------------------------------------------------------------- XDP

def xdp(router, ifname):
    """The mode of the XDP program on a link, None when there is none; 1 is native."""
    return router.ns.link(ifname).get("xdp", {}).get("mode")


def test_xdp(net):
    """Native XDP in front of tc on the uplinks, and nothing of it afterwards."""
    rl = net.relay
    gro_on(net.net, "rl")
    with_relay(net, "tunnel datapath xdp", f"ipv6 address {OWN}/128")
    assert rl.relay_json("r")["datapath"] == "xdp"
    assert xdp(rl, "eth0") == xdp(rl, "eth1") == 1 and programs(rl, "eth0") == ["uplink_ingress"]
    before = rl.json("relayd", "show relay r counters json")["r"]
    assert from_6to4(net) and to_6to4(net)
    assert echo_to_self(net) == RELAY_ADDR
    after = rl.json("relayd", "show relay r counters json")["r"]
    assert after["rx4to6"]["packets"] > before["rx4to6"]["packets"]
    assert after["tx6to4"]["packets"] > before["tx6to4"]["packets"]
    rl.configure("relay r", "tunnel datapath ebpf")
    wait_for(lambda: xdp(rl, "eth0") is None and rl.relay_json("r")["datapath"] == "ebpf", 10, "taken off")
    rl.configure("relay r", "tunnel datapath xdp")
    wait_for(lambda: xdp(rl, "eth0") == 1, 10, "and on")
    rl.kill("relayd")
    rl.start("relayd", config="track 1 interface eth0 line-protocol\nexit\n")
    wait_for(lambda: xdp(rl, "eth0") is None, 15, "a former run's is swept")


@pytest.mark.sit  # VLANs
def test_xdp_not_below_a_vlan(net):
    """What XDP would take for the link's own may be a VLAN's, whose tag the hardware took off."""
    rl = net.relay
    with_relay(net, "tunnel datapath xdp")
    wait_for(lambda: xdp(rl, "eth0") == xdp(rl, "eth1") == 1, 10, "on both")
    rl.ns.ip("link add link eth0 name vlan7 type vlan id 7")
    try:
        wait_for(lambda: xdp(rl, "eth0") is None and xdp(rl, "eth1") == 1, 10, "not below a VLAN")
        assert from_6to4(net) and to_6to4(net)
    finally:
        rl.ns.ip("link del vlan7")
    wait_for(lambda: xdp(rl, "eth0") == 1, 10, "back")


def test_no_native_xdp(net):
    """A link without native mode: the log says so, tc does it."""
    rl = net.relay
    rl.ns.ip("link add br0 type bridge", "link set br0 up")
    try:
        with_relay(net, "tunnel datapath xdp", "tunnel uplink br0")
        wait_for(lambda: "native XDP on br0" in rl.log("relayd"), 10, "the log says so")
        assert programs(rl, "br0") == ["uplink_ingress"] and xdp(rl, "br0") is None
        assert rl.relay_json("r")["datapath"] == "ebpf"
    finally:
        rl.ns.ip("link del br0")
