# SPDX-License-Identifier: GPL-2.0-or-later
"""Candidates: their numbers, and what is edited and loaded into them."""

import pytest

from grpc_client import ROOT, Client, fails, relay, track
from grpc_lab import CONFIG, LINES, RELAY_A, RELAY_B, TRACK_1, config
from lab import wait_for
from test_validation import BASE

pytest_plugins = ["grpc_fixtures"]
pytestmark = pytest.mark.xdist_group("grpc-candidates")


# ------------------------------------------------------------------ candidates

def test_candidates(client, other, router):
    """A number of its own each, more than the last, never one of before; anybody may use it."""
    first = client.create()
    second = other.create()
    assert 0 < first < second
    client.delete(first)
    assert client.create() == second + 1
    assert router.json("relayd", "show grpc json")["candidates"] == 2
    client.edit(second, {relay("x"): ""})
    assert client.commit(second) and "relay x" in router.running()
    client.delete(second)
    other.made.clear()
    fails("NOT_FOUND", other.delete, second)


def test_no_such_candidate(client, router):
    gone = client.create()
    client.delete(gone)
    for number in (0, gone, gone + 1, 0xffffffff):
        fails("NOT_FOUND", client.delete, number)
        fails("NOT_FOUND", client.update, number)
        fails("NOT_FOUND", client.edit, number, {relay("x"): ""})
        fails("NOT_FOUND", client.load, number, {})
        for phase in ("VALIDATE", "PREPARE", "ABORT", "APPLY", "ALL"):
            fails("NOT_FOUND", client.commit, number, phase)


def test_candidate_outlives_its_connection(router, client):
    """For a while: a script may make a connection a call."""
    client.capabilities()
    with Client(f"unix:{router.dir}/grpc") as gone:
        number = gone.create()
        gone.close()
    wait_for(lambda: router.json("relayd", "show grpc json")["sessions"] == 1, 5, "the connection ends")
    client.edit(number, {relay("x"): ""})
    assert client.commit(number)
    client.delete(number)


# ------------------------------------------------------------------------ edit

def test_edit_every_kind_of_node(client, router):
    client.change({
        relay("a"): "", relay("a", "enabled"): "false", relay("a", "tunnel", "mode"): "6to4",
        relay("a", "description"): "Grüße, \"relay\" <&>", relay("a", "ipv6", "address[.='2001:db8:77::1/64']"): "",
        relay("a", "route[prefix='192.0.2.0/24']", "tag"): 4294967295, relay("a", "dampening"): "",
        relay("a", "tunnel", "ttl"): 9, relay("a", "delay", "up"): 3600, track(5, "type"): "interface",
        track(5, "interface"): "eth0", relay("a", "track"): 5})
    client.change([(relay("a", "ipv6", "address"), f"2001:db8:{net}::1/64") for net in (78, 79)])
    assert router.running() == [
        "track 5 interface eth0 line-protocol", "exit", "relay a", " description Grüße, \"relay\" <&>",
        " tunnel mode ipv6ip 6to4", " tunnel ttl 9", " ipv6 address 2001:db8:77::1/64",
        " ipv6 address 2001:db8:78::1/64", " ipv6 address 2001:db8:79::1/64", " route 192.0.2.0/24 tag 4294967295",
        " track 5", " delay up 3600", " dampening", "exit"]
    assert "relay a" in router.vtysh("show running-config")
    got, = client.tree(relay("a"), kind="CONFIG")["instance"]
    assert got["description"] == "Grüße, \"relay\" <&>"
    # each kind goes again
    client.change(delete=[relay("a", "tunnel", "ttl"), relay("a", "ipv6", "address[.='2001:db8:78::1/64']"),
                          relay("a", "dampening"), relay("a", "route[prefix='192.0.2.0/24']"), relay("a", "track"),
                          relay("a", "delay"), relay("a", "description"), track(5)])
    assert router.running() == ["relay a", " tunnel mode ipv6ip 6to4", " ipv6 address 2001:db8:77::1/64",
                                " ipv6 address 2001:db8:79::1/64", "exit"]
    client.change(delete=[relay("a")])
    assert router.running() == []


def test_edit_updates_then_deletes(client, router):
    client.change({relay("a"): "", relay("b"): "", relay("a", "description"): "x"}, delete=[relay("b")])
    assert router.running() == ["relay a", " description x", "exit"]
    # the last one said of a node counts
    client.change([(relay("a", "description"), "y"), (relay("a", "description"), "z")])
    assert router.running() == ["relay a", " description z", "exit"]


EDITS_REFUSED = {
    "/frr-relay:nothing": "", relay("a", "nothing"): "1", "nonsense": "", "": "", "/": "", ROOT + "/instance": "",
    ROOT + "/instance[name='a'": "", relay("a", "tunnel", "ttl"): "256", relay("b", "tunnel", "ttl"): "x",
    relay("a", "tunnel", "mode"): "gre", relay("a", "tunnel", "source"): "192.0.2.256",
    relay("sixteen-letters-"): "", relay("a b"): "", relay("a", "enabled"): "yes", relay("a", "drain-time"): "601",
    relay("a", "state", "oper-status"): "up", relay("a", "state"): "", track(1, "state", "rtt"): "1",
    track(0): "", track(1001): "", track("x"): "", relay("a", "name"): "other", relay("a", "track"): "1001",
    relay("a", "ipv6", "address"): "2001:db8::1/129", relay("a", "route[prefix='192.0.2.0/33']"): "",
    relay("a", "route"): "", relay("a", "description"): "", relay("b", "description"): "d" * 256,
    "/frr-relay:clear-counters": "", "/frr-relay:clear-counters/input/name": "a",
    "/frr-relay:relay-status-change": "", relay("a", "tunnel", "ttl[1]"): "1",
    "/frr-interface:lib/interface[name='eth0']/state/mtu": "1",
}


@pytest.mark.parametrize("path", EDITS_REFUSED, ids=range(len(EDITS_REFUSED)))
def test_edit_refused(client, router, some, path):
    """The text names the path; whatever else the request has is not done either."""
    number = client.create()
    text = fails("INVALID_ARGUMENT", client.edit, number,
                 {relay("new"): "", relay("a", "description"): "changed", path: EDITS_REFUSED[path]}, [relay("b")])
    assert path in text or len(path) < 2, text
    fails("ABORTED", client.commit, number)
    assert config(client) == CONFIG


def test_edit_refused_names_the_value(client, some):
    number = client.create()
    text = fails("INVALID_ARGUMENT", client.edit, number, {relay("a", "tunnel", "ttl"): "999"})
    assert relay("a", "tunnel", "ttl") in text and "999" in text


@pytest.mark.parametrize("path", [
    relay("nobody"), relay("a", "dampening"), relay("b", "description"), relay("a", "nothing"), "nonsense", "", "/",
    relay("a", "route[prefix='192.0.2.0/24']"), relay("a", "ipv6", "address[.='2001:db8::1/64']"), relay("a", "name"),
    relay("a", "state"), track(2), "/frr-relay:clear-counters", relay("a", "state", "oper-status")])
def test_remove_refused(client, router, some, path):
    """What isn't there, or is no configuration."""
    number = client.create()
    text = fails("INVALID_ARGUMENT", client.edit, number, {relay("new"): ""}, [relay("b"), path])
    assert path in text, text
    fails("ABORTED", client.commit, number)


def test_remove_all(client, router, some):
    client.change(delete=[ROOT])
    assert router.running() == [] and not config(client).get("instance")


# ------------------------------------------------------------------------ load

@pytest.mark.parametrize("xml", [False, True], ids=["json", "xml"])
def test_load(client, router, some, xml):
    """MERGE adds and changes, REPLACE leaves nothing else."""
    data = {"instance": [{"name": "a", "tunnel": {"ttl": 7}}, {"name": "c"}]}
    text = f"{XML}<instance><name>a</name><tunnel><ttl>7</ttl></tunnel></instance><instance><name>c</name></instance>" \
        "</relay>" if xml else data
    number = client.create()
    client.load(number, text, "MERGE", xml=xml)
    client.commit(number)
    merged = config(client)
    assert merged["instance"][0] == RELAY_A | {"tunnel": RELAY_A["tunnel"] | {"ttl": 7}}
    assert merged["instance"][1:] == [RELAY_B, {"name": "c"}] and merged["track-object"] == [TRACK_1]
    number = client.create()
    client.load(number, text, "REPLACE", xml=xml)
    client.commit(number)
    assert config(client) == data
    number = client.create()
    client.load(number, "" if xml else "{}", "REPLACE", xml=xml)
    client.commit(number)
    assert router.running() == []


XML = '<relay xmlns="http://frrouting.org/yang/relay">'
LOADS_REFUSED = [
    "{", "[]", "{} {}", "", "nonsense", '{"frr-relay:relay": 1}', '{"frr-relay:nothing": {}}', '{"nothing:relay": {}}',
    '{"frr-relay:relay": {"instance": [{"name": "a", "nothing": 1}]}}',
    '{"frr-relay:relay": {"instance": [{"name": "a", "state": {"oper-status": "up"}}]}}',
    '{"frr-relay:relay": {"instance": [{"name": "a", "tunnel": {"ttl": 256}}]}}',
    '{"frr-relay:relay": {"instance": [{"description": "no key"}]}}',
    '{"frr-relay:relay": {"instance": [{"name": "a"}, {"name": "a"}]}}',
    '{"frr-relay:relay": {"instance": [{"name": "a", "name": "b"}]}}',
    '{"frr-relay:relay": {"instance": [{"name": "a", "drain-time": "x"}]}}',
    '{"frr-relay:clear-counters": {"input": {"name": "a"}}}', '{"frr-relay:relay-status-change": {"name": "a"}}',
    '{"frr-relay:relay": {"instance": [{"name": "a", "description": "\\ud800"}]}}',
    '{"a":' * 50000, "[" * 100000,
]
LOADS_REFUSED_XML = [
    "<relay>", "<relay/>", "nonsense", "{}", '<relay xmlns="http://frrouting.org/yang/other"/>',
    '<nothing xmlns="http://frrouting.org/yang/relay"/>',
    XML + "<nothing/></relay>",
    XML + "<instance><name>a</name><state><reason>ok</reason></state></instance></relay>",
    XML + "<instance><name>a</name><drain-time>601</drain-time></instance></relay>",
    XML + "<instance><name>a b</name></instance></relay>",
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + XML +
    "<instance><name>a</name><description>&e;</description></instance></relay>",
    "<a>" * 50000,
]


@pytest.mark.parametrize("kind", ["MERGE", "REPLACE"])
@pytest.mark.parametrize("xml,data", [*((False, data) for data in LOADS_REFUSED),
                                      *((True, data) for data in LOADS_REFUSED_XML)],
                         ids=range(len(LOADS_REFUSED) + len(LOADS_REFUSED_XML)))
def test_load_refused(client, some, xml, data, kind):
    """The candidate is as it was."""
    number = client.create()
    fails("INVALID_ARGUMENT", client.load, number, data, kind, xml=xml)
    fails("ABORTED", client.commit, number)


@pytest.mark.parametrize("xml", [False, True], ids=["json", "xml"])
@pytest.mark.parametrize("defaults", [False, True], ids=["trimmed", "defaults"])
def test_what_get_gives_load_takes(client, router, xml, defaults):
    router.configure(*[line.strip() for line in BASE.splitlines()])
    router.configure(*LINES[2:10], "dampening", "filter deny 192.0.2.0/24")
    for path in ("/", ROOT):
        answer, = client.get(path, kind="CONFIG", xml=xml, defaults=defaults)
        number = client.create()
        client.load(number, answer.data.data, "REPLACE", xml=xml)
        fails("ABORTED", client.commit, number)
        # state is not to be loaded, though it was read
        answer, = client.get(path, kind="ALL", xml=xml, defaults=defaults)
        fails("INVALID_ARGUMENT", client.load, number, answer.data.data, "MERGE", xml=xml)
        client.delete(number)
