# SPDX-License-Identifier: GPL-2.0-or-later
"""`track N bfd peer` on stock bfdd: sessions, and all that ends one."""

import contextlib
import re
import signal
import socket
import time

import pytest

from bfd_lab import (FAR4, FAR6, LOCAL4, LOCAL6, NEAR4, NEAR6, PEER4, PEER6, Three, bfdd_config, peer_of,
                     peers, rl, three)
from bird import Bird
from lab import holds_for, stop_process, wait_for
from topology import ANYCAST, BASIC
from wire import link_set

__all__ = ["rl", "three"]  # fixtures


# ------------------------------------------------------------------ sessions

def spec(three, kind):
    return {
        "v4": f"bfd peer {PEER4}",
        "v4-full": f"bfd peer {PEER4} local-address {LOCAL4} interface eth0 profile fast",
        "v6": f"bfd peer {PEER6}",
        "v6-full": f"bfd peer {PEER6} local-address {LOCAL6} interface eth0 profile fast",
        "link-local": f"bfd peer {three.peer_ll} interface eth0",
        "multihop-v4": f"bfd peer {FAR4} local-address {NEAR4} multihop",
        "multihop-v6": f"bfd peer {FAR6} local-address {NEAR6} multihop profile fast",
    }[kind]


KINDS = ["v4", "v4-full", "v6", "v6-full", "link-local", "multihop-v4", "multihop-v6"]


@pytest.mark.parametrize("kind", KINDS)
def test_up_and_down(rl, three, kind):
    """Each form of session comes up, goes with the path, comes back; bfdd knows it as a client's."""
    words = spec(three, kind).split()
    rl.configure(f"track 4 {' '.join(words)}")
    rl.wait_track(4, "up")
    data = rl.track_json(4)
    before = data["transitions"]
    assert data["type"] == "bfd" and data["target"] == words[2]
    assert data["bfdState"] == "up" and data["peer"] == words[2]
    assert data["multihop"] == ("multihop" in words)
    for word, key in (("local-address", "localAddress"), ("interface", "interface"), ("profile", "profile")):
        assert data.get(key) == (words[words.index(word) + 1] if word in words else None)
    entry = peer_of(rl, words[2])
    assert entry["status"] == "up" and entry["multihop"] == ("multihop" in words)
    assert entry["receive-interval"] == (50 if "fast" in words else 300)
    assert "dynamic" in rl.ask("bfdd", "show bfd peers")
    # multihop: the middle router's far link, so that no link of rl's tells
    where = (three.mid, "eth1") if "multihop" in words else (three.peer.ns, "eth0")
    link_set(*where, False)
    try:
        rl.wait_track(4, "down")
        data = rl.track_json(4)
        assert data["bfdState"] == "down" and data["detail"] == "BFD session down"
    finally:
        link_set(*where, True)
        restore_routes(three)
    rl.wait_track(4, "up")
    assert rl.track_json(4)["transitions"] == before + 2
    assert "detail" not in rl.track_json(4)
    rl.configure("no track 4")
    wait_for(lambda: peers(rl) == [], 10, "bfdd has dropped the session")


def restore_routes(three):
    """Routes that went with a link."""
    three.far.ns.run("ip", "route", "replace", "10.1.0.0/24", "via", "10.2.0.1")
    three.far.ns.run("ip", "route", "replace", "2001:db8:1::/64", "via", "2001:db8:2::1")


def test_50_ms_times_3(rl, three):
    """A cut that no interface tells is seen within 150 ms and a little."""
    rl.configure(f"track 4 bfd peer {PEER4} profile fast", "exit",
                 f"track 5 bfd peer {FAR6} local-address {NEAR6} multihop profile fast")
    rl.wait_track(4, "up")
    rl.wait_track(5, "up")
    # the timers are negotiated after the session is up
    for address in (PEER4, FAR6):
        wait_for(lambda a=address: peer_of(rl, a)["remote-transmit-interval"] == 50, 10, "50 ms")
    drop = "table inet cut { chain in { type filter hook input priority 0; udp dport { 3784, 4784 } drop; }; }"
    took = []

    def stays_up():
        """Half a second without a flap; a busy machine may well stop bfdd for 150 ms now and then."""
        before = rl.track_json()
        time.sleep(0.5)
        after = rl.track_json()
        return all(after[n]["state"] == "up" and after[n]["transitions"] == before[n]["transitions"] for n in "45")

    for _ in range(3):
        wait_for(stays_up, 20, "both stay up")
        rl.ns.run("nft", drop)
        cut = time.monotonic()
        for number in (4, 5):
            wait_for(lambda n=number: rl.track_json(n)["state"] == "down", 5, "down")
            took.append(time.monotonic() - cut)
        rl.ns.run("nft", "delete table inet cut")
    print("ms from the cut to the track's down:", [round(1000 * t) for t in took])
    assert sorted(took)[len(took) // 2] < 0.5 and max(took) < 2, took


def test_minimum_ttl_is_the_profiles(rl, three):
    """relayd does not widen what bfdd's default or a profile's minimum-ttl lets in."""
    rl.configure(f"track 4 bfd peer {FAR4} local-address {NEAR4} multihop")
    rl.wait_track(4, "up")
    assert peer_of(rl, FAR4)["minimum-ttl"] == 254
    rl.configure("bfd", "profile strict", "minimum-ttl 250", daemon="bfdd")
    rl.configure(f"track 4 bfd peer {FAR4} local-address {NEAR4} multihop profile strict")
    wait_for(lambda: peer_of(rl, FAR4)["minimum-ttl"] == 250, 10, "the profile's")
    rl.configure("bfd", "no profile strict", daemon="bfdd")


# ------------------------------------------------------- what ends a session

def test_peer_is_shut_down(rl, three):
    """AdminDown at the peer, which stock bfdd passes on as down."""
    rl.configure(f"track 4 bfd peer {PEER4}")
    rl.wait_track(4, "up")
    three.peer.configure("bfd", f"peer {LOCAL4}", "shutdown", daemon="bfdd")
    try:
        rl.wait_track(4, "down")
        assert rl.track_json(4)["detail"] == "BFD session down"
        holds_for(lambda: rl.track_json(4)["state"] == "down", 3, "down while the peer is shut down")
    finally:
        three.peer.configure("bfd", f"peer {LOCAL4}", "no shutdown", daemon="bfdd")
    rl.wait_track(4, "up")


def test_own_side_is_shut_down(rl, three):
    """AdminDown on this side, by a profile of bfdd's."""
    rl.configure("bfd", "profile off", "shutdown", daemon="bfdd")
    try:
        rl.configure(f"track 4 bfd peer {PEER4}")
        rl.wait_track(4, "up")
        rl.configure(f"track 4 bfd peer {PEER4} profile off")
        rl.wait_track(4, "down")
        data = rl.track_json(4)
        assert data["bfdState"] == "admin-down" and data["detail"] == "BFD session administratively down"
        rl.configure("bfd", "profile off", "no shutdown", daemon="bfdd")
        rl.wait_track(4, "up")
    finally:
        rl.configure("bfd", "no profile off", daemon="bfdd")


def test_peer_removes_the_session(rl, three):
    rl.configure(f"track 4 bfd peer {PEER4} profile fast")
    rl.wait_track(4, "up")
    three.peer.configure("bfd", f"no peer {LOCAL4}", daemon="bfdd")
    try:
        rl.wait_track(4, "down")
    finally:
        three.peer.configure("bfd", f"peer {LOCAL4}", "profile fast", daemon="bfdd")
    rl.wait_track(4, "up")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_bfdd_goes_and_comes(rl, three, sig):
    """zebra tells nobody that bfdd has gone: the object is down at once all the same, and up again by itself."""
    rl.configure(f"track 4 bfd peer {PEER4}", "exit", f"track 5 bfd peer {FAR4} local-address {NEAR4} multihop")
    rl.wait_track(4, "up")
    rl.wait_track(5, "up")
    before = rl.track_json(4)["transitions"]
    if sig == signal.SIGTERM:
        rl.stop("bfdd")
    else:
        rl.kill("bfdd")
    gone = time.monotonic()
    for number in (4, 5):
        wait_for(lambda n=number: rl.track_json(n)["state"] == "down", 5, "down")
        assert rl.track_json(number)["detail"] == "bfdd is not running"
    took = time.monotonic() - gone
    print(f"down {1000 * took:.0f} ms after bfdd")
    assert took < 0.5
    # an object that never had a word waits
    rl.configure(f"track 6 bfd peer {PEER6}")
    data = rl.track_json(6)
    assert data["state"] == "init" and data["bfdState"] == "unknown" and data["detail"] == "bfdd is not running"
    three.start_bfdd(rl)
    for number in (4, 5, 6):
        rl.wait_track(number, "up")
    assert rl.track_json(4)["transitions"] == before + 2


def test_bfdd_hangs(rl, three):
    """A bfdd that does not run its sessions is as good as none."""
    rl.configure(f"track 4 bfd peer {PEER4}")
    rl.wait_track(4, "up")
    rl.kill("bfdd", signal.SIGSTOP)
    began = time.monotonic()
    try:
        rl.wait_track(4, "down")
        assert time.monotonic() - began < 10
        assert rl.track_json(4)["detail"] == "bfdd does not answer"
    finally:
        rl.kill("bfdd", signal.SIGCONT)
    rl.wait_track(4, "up")


def test_configured_session_survives_bfdd(rl, three):
    """One that is up when relayd asks for it again, so that nothing changes any more."""
    rl.stop("bfdd")
    rl.start("bfdd", *three.bfdd_args(rl), config=bfdd_config(f"peer {PEER4}|profile fast"))
    try:
        wait_for(lambda: peer_of(rl, PEER4)["status"] == "up", 20, "up without relayd")
        rl.configure(f"track 4 bfd peer {PEER4}")
        rl.wait_track(4, "up")
        rl.configure("no track 4")
        wait_for(lambda: peer_of(rl, PEER4)["status"] == "up", 20, "still there, without relayd")
    finally:
        rl.configure("bfd", f"no peer {PEER4}", daemon="bfdd")


def test_zebra_goes_and_comes(rl, three):
    rl.configure(f"track 4 bfd peer {PEER4}", "exit", f"track 5 bfd peer {FAR6} local-address {NEAR6} multihop")
    rl.wait_track(4, "up")
    rl.wait_track(5, "up")
    rl.stop("zebra")
    for number in (4, 5):
        rl.wait_track(number, "down")
        assert rl.track_json(number)["detail"] == "no session with zebra"
    rl.start("zebra")
    wait_for(lambda: re.search(r"^bfd\b", rl.ask("zebra", "show zebra client summary"), re.M), 60, "bfdd is back")
    wait_for(lambda: len(peers(rl)) == 2, 2, "asked for when bfdd wants to know")
    for number in (4, 5):
        rl.wait_track(number, "up", timeout=60)


def test_without_bfdd_from_the_start(rl, three):
    rl.stop("bfdd")
    rl.configure(f"track 4 bfd peer {PEER4}", "delay up 1")
    wait_for(lambda: rl.track_json(4).get("detail") == "bfdd is not running", 10, "says why")
    holds_for(lambda: rl.track_json(4)["state"] == "init", 1, "init")
    three.start_bfdd(rl)
    rl.wait_track(4, "up")


def test_vty_that_closes_each_connection(rl, three):
    """Where bfdd's socket takes a connection and closes it, relayd does not come back in a loop."""
    rl.stop("bfdd")
    path = rl.dir / "bfdd.vty"
    path.unlink(missing_ok=True)
    calls = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        path.chmod(0o777)
        server.listen(64)
        server.settimeout(0.2)
        rl.configure(f"track 4 bfd peer {PEER4}")
        until = time.monotonic() + 2
        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                server.accept()[0].close()
                calls += 1
        assert rl.track_json(4)["detail"] == "bfdd is not running"
    assert 2 <= calls <= 20
    three.start_bfdd(rl)
    rl.wait_track(4, "up")


def test_interface_goes_and_comes(rl, three):
    """A session on an interface that is not there yet, and goes again."""
    rl.configure(f"track 4 bfd peer {PEER6}", "exit", "track 5 bfd peer 10.9.0.2 interface later", "exit",
                 f"track 6 bfd peer {three.peer_ll} interface later", "exit",
                 f"track 7 bfd peer {three.peer_ll} interface eth0")
    for number, state in ((4, "up"), (5, "down"), (6, "down"), (7, "up")):
        rl.wait_track(number, state)
    before = rl.track_json(7)["transitions"]
    three.link(rl.ns, "later", ["10.9.0.1/24"], three.peer.ns, "later", ["10.9.0.2/24"])
    three.peer.configure("bfd", "peer 10.9.0.1 interface later", daemon="bfdd")
    try:
        rl.wait_track(5, "up")
        rl.ns.ip("link del later")
        rl.wait_track(5, "down")
        holds_for(lambda: [rl.track_json(n)["state"] for n in (4, 6, 7)] == ["up", "down", "up"], 12,
                  "the other sessions, also past a refresh")
        assert rl.track_json(7)["transitions"] == before
    finally:
        three.peer.configure("bfd", "no peer 10.9.0.1 interface later", daemon="bfdd")


# -------------------------------------------------------------- sharing

def test_two_objects_on_one_session(rl, three):
    """bfdd counts relayd once; the first object to go must not take the session with it."""
    rl.configure(f"track 4 bfd peer {PEER4}", "exit", f"track 5 bfd peer {PEER4}", "exit",
                 f"track 6 bfd peer {PEER4} interface eth0", "exit",
                 f"track 7 bfd peer {PEER4} local-address {LOCAL4}")
    for number in (4, 5, 6, 7):
        rl.wait_track(number, "up")
    before = [rl.track_json(n)["transitions"] for n in range(4, 8)]
    assert len(peers(rl)) == 1
    ident = peers(rl)[0]["id"]
    for gone, left in ((4, (5, 6, 7)), (6, (5, 7)), (7, (5,))):
        rl.configure(f"no track {gone}")
        holds_for(lambda n=left: all(rl.track_json(i)["state"] == "up" for i in n), 1.5, f"{left} up")
        assert [p["id"] for p in peers(rl)] == [ident]
        assert all(rl.track_json(n)["transitions"] == before[n - 4] for n in left)
    rl.configure("no track 5")
    wait_for(lambda: peers(rl) == [], 10, "the last one ends it")


def test_keys_that_met_in_one_session(rl, three):
    """bfdd takes a key that leaves something open for any that fits: who stays must not lose the session."""
    rl.configure("track 4 bfd peer 10.0.0.2", "exit", f"track 5 bfd peer {PEER4} local-address {LOCAL4}", "exit",
                 f"track 6 bfd peer {PEER4} local-address 10.0.0.9")
    rl.wait_track(5, "up")
    rl.configure("no track 4", "no track 6")
    # bfdd has dropped it; relayd has asked for it again, and did not leave it to a refresh
    wait_for(lambda: peer_of(rl, PEER4), 1, "asked for again")
    wait_for(lambda: peer_of(rl, PEER4)["status"] == "up", 20, "up again")
    rl.wait_track(5, "up")

    def stays_up():
        """On a busy machine BFD may well flap by itself."""
        before = rl.track_json(5)
        time.sleep(3)
        after = rl.track_json(5)
        return after["state"] == "up" and after["transitions"] == before["transitions"] and \
            peer_of(rl, PEER4)["status"] == "up"

    wait_for(stays_up, 30, "up, and stays up")


def test_single_hop_and_multihop_to_one_peer(rl, three):
    """Two sessions, told apart by what bfdd says of them."""
    three.peer.configure("bfd", f"peer {LOCAL4} multihop local-address {PEER4}", daemon="bfdd")
    try:
        rl.configure(f"track 4 bfd peer {PEER4} local-address {LOCAL4}", "exit",
                     f"track 5 bfd peer {PEER4} local-address {LOCAL4} multihop")
        rl.wait_track(4, "up")
        rl.wait_track(5, "up")
        before = rl.track_json(4)["transitions"]
        three.peer.configure("bfd", f"no peer {LOCAL4} multihop local-address {PEER4}", daemon="bfdd")
        rl.wait_track(5, "down")
        holds_for(lambda: rl.track_json(4)["state"] == "up", 12, "the other one, past a refresh")
        assert rl.track_json(4)["transitions"] == before
        three.peer.configure("bfd", f"peer {LOCAL4} multihop local-address {PEER4}", daemon="bfdd")
        rl.wait_track(5, "up")
        before = rl.track_json(5)["transitions"]
        three.peer.configure("bfd", f"no peer {LOCAL4}", daemon="bfdd")
        rl.wait_track(4, "down")
        holds_for(lambda: rl.track_json(5)["state"] == "up", 2, "multihop up")
        assert rl.track_json(5)["transitions"] == before
    finally:
        three.peer.configure("bfd", f"no peer {LOCAL4} multihop local-address {PEER4}", daemon="bfdd", check=False)
        three.peer.configure("bfd", f"peer {LOCAL4}", "profile fast", daemon="bfdd")


def test_another_client_on_the_session(rl, three):
    """bgpd and relayd on one session: both see it; bgpd leaves, relayd keeps it."""
    rl.start("bgpd", config=f"router bgp 65001\n neighbor {PEER4} remote-as 65002\n")
    try:
        rl.configure(f"track 4 bfd peer {PEER4}")
        rl.wait_track(4, "up")
        rl.configure("router bgp 65001", f"neighbor {PEER4} bfd", daemon="bgpd")

        def bgp_sees():
            info = rl.json("bgpd", f"show bgp neighbors {PEER4} json")[PEER4]["peerBfdInfo"]
            return info["status"] == "Up"

        wait_for(bgp_sees, 20, "bgpd sees the session up")
        rl.configure("router bgp 65001", f"no neighbor {PEER4} bfd", daemon="bgpd")
        holds_for(lambda: len(peers(rl)) == 1, 2, "still there")
        wait_for(lambda: peer_of(rl, PEER4)["status"] == "up", 10, "up")
        rl.wait_track(4, "up")
        # bfdd takes a session down without a word to those who stay: where it stays down, a refresh tells
        rl.configure("router bgp 65001", f"neighbor {PEER4} bfd", daemon="bgpd")
        wait_for(bgp_sees, 20, "bgpd sees the session up")
        rl.ns.run("nft", "table inet cut { chain in { type filter hook input priority 0; udp dport 3784 drop; }; }")
        rl.configure("router bgp 65001", f"no neighbor {PEER4} bfd", daemon="bgpd")
        rl.wait_track(4, "down", timeout=15)
        rl.ns.run("nft", "delete table inet cut")
        rl.wait_track(4, "up")
        # and the other way round
        rl.configure("router bgp 65001", f"neighbor {PEER4} bfd", daemon="bgpd")
        wait_for(bgp_sees, 20, "bgpd sees the session up")
        rl.configure("no track 4")
        holds_for(lambda: len(peers(rl)) == 1, 2, "still there")
        wait_for(lambda: peer_of(rl, PEER4)["status"] == "up", 10, "up")
        wait_for(bgp_sees, 10, "bgpd goes on seeing it up")
    finally:
        rl.stop("bgpd")


def test_beside_bgp_in_a_session_of_its_own(rl, three):
    """What the manual advises: with another address of the peer, BGP hears nothing of relayd's coming and going."""
    # slow, so that a busy machine is no flap: 3 s here, 10 s there
    neighbor = "router bgp {}\n no bgp ebgp-requires-policy\n neighbor {} remote-as {}\n neighbor {} timers connect 1\n" \
               " neighbor {} bfd 10 1000 1000\n"
    rl.start("bgpd", config=neighbor.format(65001, PEER4, 65002, PEER4, PEER4))
    three.peer.start("bgpd", config=neighbor.format(65002, LOCAL4, 65001, LOCAL4, LOCAL4))

    def bgp():
        info = three.peer.json("bgpd", f"show bgp neighbors {LOCAL4} json")[LOCAL4]
        return info["bgpState"], info["peerBfdInfo"]["status"], info["connectionsDropped"]

    def settled():
        """The peer's session of the test before may have been up still when its bgpd came."""
        before = bgp()
        time.sleep(2)
        return before[:2] == ("Established", "Up") and bgp() == before

    try:
        wait_for(settled, 60, "BGP with BFD")
        before = bgp()
        rl.configure(f"track 4 bfd peer {PEER6}")
        rl.wait_track(4, "up")
        rl.configure("no track 4")
        holds_for(lambda: bgp() == before, 3, "BGP does not flap")
        rl.configure(f"track 4 bfd peer {PEER6}")
        rl.wait_track(4, "up")
        rl.kill("relayd")
        holds_for(lambda: bgp() == before, 3, "BGP does not flap")
        rl.start("relayd")
    finally:
        three.peer.stop("bgpd")
        rl.stop("bgpd")


def test_relayd_restarted(rl, three):
    rl.configure(f"track 4 bfd peer {PEER4}")
    rl.wait_track(4, "up")
    rl.kill("relayd")
    wait_for(lambda: peers(rl) == [], 10, "the session goes with relayd")
    rl.start("relayd", config=f"track 4 bfd peer {PEER4}\nexit\n")
    rl.wait_track(4, "up")


# ----------------------------------------------------------- with a relay

BIRD_BFD = """
router id 203.0.113.1;
protocol device {{ }}
protocol bfd {{
  interface "*" {{ interval 1 s; multiplier 5; }};
  neighbor {peer} dev "rl" local {local};
}}
"""


def test_relay_follows_a_session(net):
    """The relay is announced while the session with bird's BFD is up, and withdrawn when it goes."""
    rl = net.relay
    bird = Bird(net, net.net, BIRD_BFD.format(peer=rl.peer4, local=rl.net4), name="birdbfd")
    rl.start("bfdd", *Three.bfdd_args(rl))
    try:
        rl.start("relayd")
        rl.configure(f"track 4 bfd peer {rl.net4} interface eth0", "exit",
                     "relay r", *BASIC, "track 4", "no shutdown")
        rl.wait_track(4, "up")
        rl.wait_relay("r", "up")
        net.bird.wait_routes(ANYCAST)
        stop_process(bird.proc, signal.SIGKILL)
        data = rl.wait_relay("r", "down", "track-down")
        assert "track 4" in data["detail"]
        net.bird.wait_routes(absent=ANYCAST)
        bird = Bird(net, net.net, BIRD_BFD.format(peer=rl.peer4, local=rl.net4), name="birdbfd")
        rl.wait_relay("r", "up")
        net.bird.wait_routes(ANYCAST)
        # nobody runs the session any more
        rl.kill("bfdd")
        rl.wait_relay("r", "down", "track-down")
        net.bird.wait_routes(absent=ANYCAST)
    finally:
        stop_process(bird.proc, signal.SIGKILL)
        if "bfdd" in rl.procs:
            rl.stop("bfdd")
