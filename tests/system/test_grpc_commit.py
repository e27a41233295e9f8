# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits: phases, what is refused, others beside them, what is remembered of them."""

import json
import re
from datetime import datetime, timezone

import pytest

from grpc_client import Client, fails, flat, relay, track
from grpc_lab import CONFIG, PORT, RELAY_A, RELAY_B, config, holds, relays
from grpc_wire import Wire, dial_tcp
from lab import Vty, the_line, wait_for
from test_validation import BASE
from topology import BASIC

pytest_plugins = ["grpc_fixtures"]
pytestmark = pytest.mark.xdist_group("grpc-commit")


# ---------------------------------------------------------------------- commit

def test_commit_takes_effect(client, router):
    """Up and in the RIB, and vtysh shows what it would show of its own."""
    client.change({relay("r", "tunnel", "mode"): "6to4", relay("r", "tunnel", "source"): "192.88.99.1",
                   relay("r", "drain-time"): 0, relay("r", "enabled"): "true"})
    router.wait_relay("r", "up")
    router.wait_rib(["192.88.99.0/24", "2002::/16"])
    assert router.running() == ["relay r", *[f" {line}" for line in BASIC], " no shutdown", "exit"]
    shown = router.vtysh("show running-config")
    assert all(line in shown for line in ("relay r", *BASIC, " no shutdown"))
    client.change({relay("r", "maintenance"): "true"})
    router.wait_relay("r", "maintenance")
    router.wait_rib([])


def test_commit_in_two_phases(client, router, some):
    number = client.create()
    client.edit(number, {relay("a", "description"): "new"})
    client.commit(number, "VALIDATE")
    client.commit(number, "PREPARE")
    assert router.json("relayd", "show grpc json")["prepared"] == 1
    assert config(client) == CONFIG
    client.commit(number, "ABORT")
    assert router.json("relayd", "show grpc json")["prepared"] == 0 and config(client) == CONFIG
    # the candidate has not forgotten
    client.commit(number, "PREPARE")
    first = client.commit(number, "APPLY")
    assert config(client)["instance"][0]["description"] == "new"
    # and it is of use after it
    client.edit(number, {relay("a", "description"): "newer"})
    client.commit(number, "PREPARE")
    assert client.commit(number, "APPLY") > first
    assert " description newer" in router.running()
    fails("ABORTED", client.commit, number, "PREPARE")


def test_commit_out_of_order(client, router, some):
    number = client.create()
    client.edit(number, {relay("a", "description"): "new"})
    for phase in ("ABORT", "APPLY"):
        fails("FAILED_PRECONDITION", client.commit, number, phase)
    client.commit(number, "PREPARE")
    for phase in ("PREPARE", "ALL"):
        fails("FAILED_PRECONDITION", client.commit, number, phase)
    # what was prepared is not to be changed
    fails("FAILED_PRECONDITION", client.edit, number, {relay("b", "description"): "new"})
    fails("FAILED_PRECONDITION", client.load, number, {"instance": []})
    fails("FAILED_PRECONDITION", client.update, number)
    client.commit(number, "APPLY")
    for phase in ("ABORT", "APPLY"):
        fails("FAILED_PRECONDITION", client.commit, number, phase)
    assert config(client)["instance"][0]["description"] == "new" and config(client)["instance"][1] == RELAY_B


def test_prepared_one_is_deleted(client, router, some):
    """With its transaction; others go on."""
    number = client.create()
    client.edit(number, {relay("a", "description"): "new"})
    client.commit(number, "PREPARE")
    client.delete(number)
    assert holds(router, sessions=1)
    client.change({relay("a", "description"): "by another"})


def test_nobody_commits_beside_a_prepared_one(client, other, router, some):
    number = client.create()
    client.edit(number, {relay("a", "description"): "prepared"})
    client.commit(number, "PREPARE")
    mine = other.create()
    other.edit(mine, {relay("b", "description"): "other"})
    for phase in ("ALL", "PREPARE"):
        fails("UNAVAILABLE", other.commit, mine, phase)
    the_line(router.vtysh_configure("relay b", "description by vtysh"))
    assert config(client) == CONFIG
    client.commit(number, "APPLY")
    other.commit(mine)
    assert router.vtysh_configure("relay b", "tunnel udp-port 4000") == ""
    got = relays(client)
    assert got["a"]["description"] == "prepared" and got["b"]["description"] == "other"
    assert got["b"]["tunnel"]["udp-port"] == 4000


def test_nothing_to_commit(client, some):
    number = client.create()
    before = len(client.transactions())
    for phase in ("ALL", "PREPARE"):
        fails("ABORTED", client.commit, number, phase)
    client.edit(number, {relay("a", "tunnel", "ttl"): 100})
    fails("ABORTED", client.commit, number)
    # a default that is said is the value that was there
    client.edit(number, {relay("a", "drain-time"): 5})
    fails("ABORTED", client.commit, number)
    assert len(client.transactions()) == before


# what vtysh refuses, and the same edit by a path
SAME_MISTAKE = [
    (["relay a", "track 999"], {relay("a", "track"): 999}, ()),
    (["relay a", "route 192.0.2.0/24 track 998"], {relay("a", "route[prefix='192.0.2.0/24']", "track"): 998}, ()),
    (["track 11 list boolean and", "object 997"], {track(11, "object[id='997']"): ""}, ()),
    (["no track 11"], {}, [track(11)]),
    (["no track 3"], {}, [track(3)]),
    (["no track 1"], {}, [track(1)]),
    (["track 10 list boolean or", "object 10"], {track(10, "object[id='10']"): ""}, ()),
    (["track 10 list boolean or", "object 11"], {track(10, "object[id='11']"): ""}, ()),
    (["track 20 icmp-echo 224.0.0.1"], {track(20, "type"): "icmp-echo", track(20, "target"): "224.0.0.1"}, ()),
    (["track 20 icmp-echo fe80::1"], {track(20, "type"): "icmp-echo", track(20, "target"): "fe80::1"}, ()),
    (["relay a", "dampening half-life 15 reuse 750 suppress 750 max-suppress 60"],
     {relay("a", "dampening", "suppress"): 750}, ()),
    (["relay counters"], {relay("counters"): ""}, ()),
    (["relay .."], {relay(".."): ""}, ()),
    (["relay b", "tunnel interface tun-a"], {relay("b", "tunnel", "interface"): "tun-a"}, ()),
    (["relay tun-a"], {relay("tun-a"): ""}, ()),
    (["relay b", "route 192.88.99.128/25"], {relay("b", "route[prefix='192.88.99.128/25']"): ""}, ()),
    (["relay a", "tunnel source 127.0.0.1"], {relay("a", "tunnel", "source"): "127.0.0.1"}, ()),
    (["relay a", "tunnel transmit-source 239.1.2.3"], {relay("a", "tunnel", "transmit-source"): "239.1.2.3"}, ()),
    (["relay a", "ipv6 address ff02::1/64"], {relay("a", "ipv6", "address"): "ff02::1/64"}, ()),
    (["relay a", "route 127.0.0.0/8"], {relay("a", "route[prefix='127.0.0.0/8']"): ""}, ()),
    (["relay a", "tunnel interface eth0"], {relay("a", "tunnel", "interface"): "eth0"}, ()),
    (["relay b", "no shutdown"], {relay("b", "enabled"): "true"}, ()),
    (["relay a", "tunnel udp-port 3546"], {relay("a", "tunnel", "udp-port"): 3546}, ()),
    (["relay a", "peers maximum 10"], {relay("a", "peers", "maximum"): 10}, ()),
    (["relay a", "tunnel datapath userspace"], {relay("a", "tunnel", "datapath"): "userspace"}, ()),
    (["relay a", "tunnel uplink tun-a"], {relay("a", "tunnel", "uplink"): "tun-a"}, ()),
    (["track 20 bfd peer 192.0.2.1 multihop"],
     {track(20, "type"): "bfd", track(20, "peer"): "192.0.2.1", track(20, "multihop"): "true"}, ()),
]


@pytest.fixture
def base(router):
    router.configure(*[line.strip() for line in BASE.splitlines()])


@pytest.mark.parametrize("lines,update,delete", SAME_MISTAKE, ids=["; ".join(case[0]) for case in SAME_MISTAKE])
def test_says_what_vtysh_says(client, router, base, lines, update, delete):
    """The same words for the same mistake; nothing is changed, in no phase."""
    said = the_line(router.vtysh_configure(*lines)).removeprefix("% ")
    number = client.create()
    client.edit(number, update, delete)
    for phase in ("VALIDATE", "PREPARE", "ALL"):
        assert fails("INVALID_ARGUMENT", client.commit, number, phase) == said
    assert router.running() == BASE.splitlines()
    assert holds(router, sessions=1)


@pytest.mark.parametrize("update", [
    {track(20): ""}, {track(20, "type"): "interface", track(20, "interface"): "eth0", track(20, "target"): "192.0.2.1"},
    {relay("a", "filter", "permit[.='10.0.0.0/8']"): "", relay("a", "filter", "deny[.='10.0.0.0/8']"): ""},
    {track(1, "type"): "ip-route", track(1, "prefix"): "0.0.0.0/0"}], ids=["mandatory", "when", "both", "type"])
def test_refused_as_a_whole(client, router, base, update):
    """What takes more than one node to be wrong; what is right in the same commit is not done either."""
    number = client.create()
    client.edit(number, update | {relay("b", "description"): "right"})
    for phase in ("VALIDATE", "PREPARE", "ALL"):
        fails("INVALID_ARGUMENT", client.commit, number, phase)
    assert router.running() == BASE.splitlines()
    # mended, it goes
    client.delete(number)
    client.change({relay("b", "description"): "right"})


# ---------------------------------------------------------------- side by side

@pytest.mark.parametrize("ask", [True, False], ids=["update", "commit"])
def test_brings_in_what_others_did(client, router, some, ask):
    """UpdateCandidate, or the commit by itself: the changes of both, and the candidate's where they meet."""
    number = client.create()
    client.edit(number, {relay("a", "tunnel", "ttl"): 10, relay("mine"): "",
                         relay("a", "ipv6", "address"): "2001:db8:79::1/64"},
                [relay("a", "ipv6", "address[.='2001:db8:77::1/64']"), relay("b"), relay("a", "description")])
    assert router.vtysh_configure("relay a", "tunnel ttl 20", "drain-time 20", "ipv6 address 2001:db8:80::1/64",
                                  "description by vtysh", "exit", "relay b", "description by vtysh", "exit",
                                  "relay theirs", "exit", "relay mine", "drain-time 9") == ""
    if ask:
        client.update(number)
    client.commit(number)
    got = relays(client)
    got["a"]["ipv6"]["address"].sort()
    assert got == {
        "mine": {"name": "mine", "drain-time": 9}, "theirs": {"name": "theirs"},
        "a": {"name": "a", "tunnel": RELAY_A["tunnel"] | {"ttl": 10}, "drain-time": 20, "route": RELAY_A["route"],
              "ipv6": {"address": [f"2001:db8:{net}::1/64" for net in (78, 79, 80)]}}}


def test_what_vtysh_took_away(client, router, some):
    """Removed by one, untouched by the other: removed. Removed by both: no fault."""
    number = client.create()
    client.edit(number, {relay("a", "tunnel", "ttl"): 10}, [relay("a", "route[prefix='192.88.99.0/24']")])
    assert router.vtysh_configure("no relay b", "no track 1", "relay a", "no route 192.88.99.0/24",
                                  "no ipv6 address 2001:db8:77::1/64", "no description") == ""
    client.commit(number)
    assert config(client) == {"instance": [{
        "name": "a", "tunnel": RELAY_A["tunnel"] | {"ttl": 10}, "ipv6": {"address": ["2001:db8:78::1/64"]}}]}


def test_what_vtysh_took_away_and_is_wanted(client, router, some):
    """The candidate's own edit wins: the relay is there again, with what the candidate says of it."""
    number = client.create()
    client.edit(number, {relay("a", "tunnel", "ttl"): 10})
    assert router.vtysh_configure("no relay a") == ""
    client.commit(number)
    assert relays(client)["a"]["tunnel"]["ttl"] == 10


def test_rebase_that_is_wrong_is_refused(client, router, some):
    """What was right when the candidate was made may be no more."""
    number = client.create()
    client.edit(number, {relay("a", "track"): 1})
    client.commit(number, "VALIDATE")
    assert router.vtysh_configure("no track 1") == ""
    fails("INVALID_ARGUMENT", client.commit, number, says="track object 1 does not exist")
    assert "track" not in relays(client)["a"]


def test_two_candidates(client, other, router, some):
    """Both are committed, in whatever order."""
    first, second = client.create(), other.create()
    client.edit(first, {relay("a", "tunnel", "ttl"): 10})
    other.edit(second, {relay("a", "drain-time"): 11, relay("b", "description"): "second"})
    other.commit(second)
    client.commit(first)
    a, b = relays(client)["a"], relays(client)["b"]
    assert a["tunnel"]["ttl"] == 10 and a["drain-time"] == 11 and b["description"] == "second"
    # each goes on from there
    other.edit(second, {relay("b", "drain-time"): 12})
    other.commit(second)
    a, b = relays(client)["a"], relays(client)["b"]
    assert a["tunnel"]["ttl"] == 10 and a["drain-time"] == 11 and b["drain-time"] == 12


def test_vtysh_does_not_undo(client, router, some):
    """Whoever was in configuration mode before: a line changes what it says, and nothing else."""
    with Vty(router.dir / "relayd.vty") as vty:
        for line in ("configure terminal", "relay a", "drain-time 30"):
            assert vty.ask(line) == ("", 0)
        client.change({relay("a", "tunnel", "ttl"): 10, relay("b", "description"): "kept", relay("c"): ""},
                      delete=[track(1)])
        assert vty.ask("drain-time 31") == ("", 0)
        client.change({relay("a", "tunnel", "ttl"): 11})
        assert vty.ask("delay up 5") == ("", 0)
    assert router.vtysh_configure("relay d") == ""
    got = relays(client)
    a = got.pop("a")
    assert a["tunnel"]["ttl"] == 11 and a["drain-time"] == 31 and a["delay"] == {"up": 5}
    assert got == {"b": RELAY_B | {"description": "kept"}, "c": {"name": "c"}, "d": {"name": "d"}}
    assert "track-object" not in config(client)


def test_lock(client, other, router, some):
    """The connection's: others and vtysh can't commit, and only it can unlock."""
    number, mine = client.create(), other.create()
    client.edit(number, {relay("a", "description"): "by the owner"})
    other.edit(mine, {relay("b", "description"): "by another"})
    client.lock()
    assert re.fullmatch(r"gRPC unix:uid=0", router.json("relayd", "show grpc json")["lock"])
    for each in (client, other):
        fails("FAILED_PRECONDITION", each.lock)
    fails("FAILED_PRECONDITION", other.unlock)
    for phase in ("ALL", "PREPARE"):
        fails("UNAVAILABLE", other.commit, mine, phase)
    the_line(router.vtysh_configure("relay a", "description by vtysh"))
    assert config(other) == CONFIG
    client.commit(number)
    client.unlock()
    for each in (client, other):
        fails("FAILED_PRECONDITION", each.unlock)
    other.commit(mine)
    assert router.vtysh_configure("relay b", "drain-time 9") == ""
    a, b = relays(client)["a"], relays(client)["b"]
    assert (a["description"], b["description"], b["drain-time"]) == ("by the owner", "by another", 9)
    # it ends with the connection
    other.lock()
    other.close()
    wait_for(lambda: router.json("relayd", "show grpc json")["lock"] is None, 5, "the lock ends")
    client.lock()
    client.unlock()
    client.delete(mine)


# ---------------------------------------------------------------- transactions

def test_transactions(client, router):
    """Who, when, why, and what was then; vtysh's too. The newest is the first."""
    first = client.change({relay("a", "description"): "one"}, comment="Jörg: Störung\n№ 1 \"x\"")
    assert router.vtysh_configure("relay a", "description two") == ""
    with Wire(dial_tcp(router.ns, "127.0.0.1", PORT), router.dir / "tcp") as wire, Client(wire.target) as tcp:
        third = tcp.change({relay("a", "description"): "three"}, comment="c" * 1023)
    last, line, one = client.transactions()[:3]
    assert last.id == third > line.id > one.id == first
    assert re.fullmatch(r"gRPC 127\.0\.0\.1:\d+", last.client) and last.comment == "c" * 1023
    assert line.client == "CLI" and line.comment == ""
    assert one.client == "gRPC unix:uid=0" and one.comment == "Jörg: Störung\n№ 1 \"x\""
    for each in (last, line, one):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", each.date)
        age = datetime.now(timezone.utc) - datetime.fromisoformat(each.date.replace("Z", "+00:00"))
        assert -1 <= age.total_seconds() < 30
    for each, word in ((last, "three"), (line, "two"), (one, "one")):
        data = client.transaction(each.id)
        assert then(data) == {"name": "a", "description": word}
        assert flat(client.transaction(each.id, xml=True)) == flat(data)
        assert then(client.transaction(each.id, defaults=True))["drain-time"] == 5
    for number in (0, third + 1, 0xffffffff):
        fails("NOT_FOUND", client.transaction, number)
    # what was then is to be had again
    number = client.create()
    client.load(number, client.transaction(first).data, "REPLACE")
    client.commit(number, comment="back to the first")
    assert router.running() == ["relay a", " description one", "exit"]


def then(data):
    """The one relay of a transaction."""
    found, = json.loads(data.data)["frr-relay:relay"]["instance"]
    return found


def test_comment_that_is_too_long(client, router):
    """1023 octets, not characters; refused, and nothing done."""
    number = client.create()
    client.edit(number, {relay("a"): ""})
    for comment in ("c" * 1024, "ö" * 512):
        fails("INVALID_ARGUMENT", client.commit, number, comment=comment, says="1023")
    assert router.running() == []
    client.commit(number, comment="ö" * 511)
    assert client.transactions()[0].comment == "ö" * 511


def test_last_hundred_transactions(client, router):
    ids = [client.change({relay("a", "drain-time"): value}) for value in range(103)]
    assert ids == sorted(set(ids))
    assert [each.id for each in client.transactions()] == ids[:-101:-1]
    fails("NOT_FOUND", client.transaction, ids[2])
    assert then(client.transaction(ids[3]))["drain-time"] == 3
    assert router.json("relayd", "show grpc json")["transactions"] == 100
