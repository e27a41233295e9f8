# SPDX-License-Identifier: GPL-2.0-or-later
"""`track N bfd peer`: lines, profiles, refusals, what show says."""

import re

import pytest

from bfd_lab import PEER4, PEER6, peer_of, peers, rl, three
from lab import holds_for, the_line, wait_for

__all__ = ["rl", "three"]  # fixtures


def test_profile_changes_in_place(rl, three):
    """Another profile, and the first one, without a flap; taking it away is a new session."""
    rl.configure(f"track 4 bfd peer {PEER4}")
    rl.wait_track(4, "up")
    before = rl.track_json(4)["transitions"]
    for profile, interval in (("slow", 400), ("fast", 50)):
        rl.configure(f"track 4 bfd peer {PEER4} profile {profile}")
        wait_for(lambda i=interval: peer_of(rl, PEER4)["receive-interval"] == i, 10, f"{interval} ms")
        holds_for(lambda: rl.track_json(4)["state"] == "up", 2, "up")
        assert rl.track_json(4)["transitions"] == before
        assert rl.running() == [f"track 4 bfd peer {PEER4} profile {profile}", "exit"]
    rl.configure(f"track 4 bfd peer {PEER4}")
    wait_for(lambda: peer_of(rl, PEER4)["receive-interval"] == 300, 10, "bfdd's default")
    rl.wait_track(4, "up")


def test_objects_share_a_profile(rl, three):
    rl.configure(f"track 4 bfd peer {PEER4}", "exit", f"track 5 bfd peer {PEER4} profile slow")
    wait_for(lambda: peer_of(rl, PEER4)["receive-interval"] == 400, 10, "that of the one that has one")
    line = the_line(rl.vtysh_configure(f"track 4 bfd peer {PEER4} profile fast"))
    assert re.search(r"track 5 .*profile slow", line)
    line = the_line(rl.vtysh_configure(f"track 6 bfd peer {PEER4} interface eth0 profile fast"))
    assert re.search(r"track 5 .*profile slow", line)
    # in one transaction with its object, or after it
    rl.configure("no track 5", f"track 4 bfd peer {PEER4} profile fast")
    wait_for(lambda: peer_of(rl, PEER4)["receive-interval"] == 50, 10, "fast")


ROUND_TRIP = """\
track 4 bfd peer 10.0.0.2
exit
track 5 bfd peer 2001:db8::2 local-address 2001:db8::1 interface eth0 profile fast
 delay up 1 down 2
exit
track 6 bfd peer 10.2.0.2 local-address 10.1.0.1 multihop
exit
track 7 list boolean or
 object 4
 object 6
exit
"""


def test_round_trip(rl, three):
    """Any order of the options goes in, one comes out, and is read again."""
    run = rl.boot(ROUND_TRIP.replace("10.2.0.2 local-address 10.1.0.1 multihop",
                                     "10.2.0.2 multihop local-address 10.1.0.1"))
    assert run.returncode == 0, run.stdout + run.stderr
    assert rl.running() == ROUND_TRIP.splitlines()
    for number in (4, 5, 6, 7):
        rl.wait_track(number, "up")
    tree = rl.json("relayd", "show yang operational-data /frr-relay:relay")
    states = {obj["id"]: obj["state"] for obj in tree["frr-relay:relay"]["track-object"]}
    assert [states[n].get("bfd-state") for n in (4, 5, 6, 7)] == ["up", "up", "up", None]
    text = rl.vtysh("show track 5")
    assert "Profile fast" in text and "BFD session up, single hop" in text and "Interface eth0" in text
    for number in (7, 4):
        rl.configure(f"no track {number}")
    rl.configure("no track 5 bfd peer 2001:db8::2 local-address 2001:db8::1 interface eth0 profile fast",
                 "no track 6 bfd peer 10.2.0.2 local-address 10.1.0.1 multihop")
    assert rl.running() == []


@pytest.mark.parametrize("line,says", [
    ("track 4 bfd peer 224.0.0.1", r"224\.0\.0\.1.*unicast"),
    ("track 4 bfd peer ff02::1 interface eth0", r"unicast"),
    ("track 4 bfd peer ::", r"unicast"),
    ("track 4 bfd peer 10.0.0.2 local-address 2001:db8::1", r"families"),
    ("track 4 bfd peer 2001:db8::2 local-address 10.0.0.1", r"families"),
    ("track 4 bfd peer 10.0.0.2 local-address 10.0.0.2", r"both"),
    ("track 4 bfd peer 10.0.0.2 local-address 224.0.0.5", r"unicast"),
    ("track 4 bfd peer 10.0.0.2 multihop", r"local-address"),
    ("track 4 bfd peer 10.0.0.2 multihop local-address 10.0.0.1 interface eth0", r"interface"),
    ("track 4 bfd peer fe80::1", r"interface"),
    ("track 4 bfd peer fe80::1 multihop local-address 2001:db8::1", r"multihop"),
    ("track 4 bfd peer 10.0.0.2 interface far/too", r"interface name"),
    ("track 4 bfd peer 10.0.0.2 profile " + "x" * 64, r"profile"),
    ("track 4 bfd peer", None),
    ("track 4 bfd", None),
    ("track 4 bfd peer nobody", None),
])
def test_refused(rl, line, says):
    got = the_line(rl.vtysh_configure(line))
    if says:
        assert re.search(says, got), got
    assert rl.running() == []
    assert rl.track_json() == {}


def test_refused_on_a_bfd_object(rl, three):
    rl.configure(f"track 4 bfd peer {PEER4} profile " + "x" * 63)
    before = rl.running()
    for line in ("frequency 500", "timeout 100", "probes up 2", "object 1"):
        assert "bfd" in the_line(rl.vtysh_configure("track 4", line))
    assert "type bfd" in the_line(rl.vtysh_configure("track 4 interface eth0 line-protocol"))
    assert rl.running() == before
    rl.configure("track 4", "delay up 1 down 1")
    rl.configure(f"track 4 bfd peer {PEER6}")
    assert rl.running() == [f"track 4 bfd peer {PEER6}", " delay up 1 down 1", "exit"]
    rl.wait_track(4, "up")
    assert len(peers(rl)) == 1


def test_help_in_vtysh(rl):
    """Each word of the line is explained."""
    for line, words in (("track 4 ?", ["bfd"]), ("track 4 bfd ?", ["peer"]),
                        ("track 4 bfd peer ?", ["A.B.C.D", "X:X::X:X"]),
                        ("track 4 bfd peer 10.0.0.2 ?", ["interface", "local-address", "multihop", "profile"]),
                        ("track 4 bfd peer 10.0.0.2 profile ?", ["BFDPROF"])):
        text = rl.vtysh("configure terminal", line)
        for word in words:
            assert re.search(rf"^  {re.escape(word)} +\S", text, re.M), text


def test_many_sessions(rl, three):
    """A hundred at once; one that goes takes nobody else along."""
    rl.ns.ip(*[f"addr add 10.20.{n}.1/24 dev eth0" for n in range(100)])
    three.peer.ns.ip(*[f"addr add 10.20.{n}.2/24 dev eth0" for n in range(100)])
    three.peer.configure("bfd", *[line for n in range(100) for line in (f"peer 10.20.{n}.1", "exit")], daemon="bfdd")
    try:
        rl.configure(*[line for n in range(100) for line in (f"track {n + 1} bfd peer 10.20.{n}.2", "exit")])
        wait_for(lambda: all(t["state"] == "up" for t in rl.track_json().values()), 60, "all up")
        three.peer.configure("bfd", "no peer 10.20.50.1", daemon="bfdd")
        rl.wait_track(51, "down")
        holds_for(lambda: sum(t["state"] == "up" for t in rl.track_json().values()) == 99, 2, "99 up")
        rl.configure(*[f"no track {n}" for n in range(1, 101)])
        wait_for(lambda: peers(rl) == [], 20, "all gone")
    finally:
        three.peer.configure("bfd", *[f"no peer 10.20.{n}.1" for n in range(100)], daemon="bfdd", check=False)
        rl.ns.ip(*[f"addr del 10.20.{n}.1/24 dev eth0" for n in range(100)])
        three.peer.ns.ip(*[f"addr del 10.20.{n}.2/24 dev eth0" for n in range(100)])
