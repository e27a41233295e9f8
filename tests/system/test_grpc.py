# SPDX-License-Identifier: GPL-2.0-or-later
"""The service frr.Northbound as a client sees it that is made from FRR's own file: what it is, reads, executes."""

import json
import re
import socket
import subprocess
import time

import pytest
from google.protobuf import descriptor_pb2

from grpc_client import NORTHBOUND, OURS, ROOT, fails, flat, frrs_own, pb, relay, track
from grpc_lab import CONFIG, PORT, RELAY_A, RELAY_B, TRACK_1
from lab import wait_for
from topology import BASIC

pytest_plugins = ["grpc_fixtures"]
pytestmark = pytest.mark.xdist_group("grpc")

KINDS = ("ALL", "CONFIG", "STATE")


# ----------------------------------------------------------------- the service

def test_messages_are_frrs(tmp_path):
    """Ours has each message, field and call of FRR's, with the same number and type, and no more."""
    found = []
    for number, file in enumerate((frrs_own(), OURS)):
        out = tmp_path / str(number)
        subprocess.run(["protoc", f"-I{file.parent}", f"--descriptor_set_out={out}", file], check=True)
        described, = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
        found.append({described.package, *shapes(described), *map(str, described.service)})
    assert found[0] == found[1] and len(found[0]) > 50


def shapes(described, inside=""):
    """Each field and value, with the name of what it is in."""
    for each in getattr(described, "field", ()):
        yield f"{inside} {each}"
    for kinds in ("message_type", "nested_type"):
        for each in getattr(described, kinds, ()):
            yield from shapes(each, f"{inside}.{each.name}")
    for each in described.enum_type:
        yield from (f"{inside}.{each.name} {value}" for value in each.value)


def test_capabilities(client):
    got = client.capabilities()
    assert re.match(r"\d+\.\d+", got.frr_version) and got.rollback_support
    assert list(got.supported_encodings) == [pb.JSON, pb.XML]
    module, = [each for each in got.supported_modules if each.name == "frr-relay"]
    assert module.organization == "frr-relay" and module.revision == "2026-11-20"
    assert len(got.supported_modules) == len({each.name for each in got.supported_modules})


def test_unknown(client):
    for method in (NORTHBOUND + "Nothing", "/frr.Southbound/Get", "/relay.v1.Events/Get", "/"):
        fails("UNIMPLEMENTED", client.octets, method, b"")


@pytest.mark.parametrize("method", [name for name in dir(pb) if name.endswith("Request")])
def test_octets_that_are_no_message(client, method):
    """An INVALID_ARGUMENT, and nothing else."""
    before = len(client.transactions())
    for octets in (b"\xff\xff\xff\xff", b"\x0a\x05ab", b"\x08", b"\x0b", b"\x00\x00"):
        fails("INVALID_ARGUMENT", client.octets, NORTHBOUND + method.removesuffix("Request"), octets)
    assert len(client.transactions()) == before


def test_text_that_is_not_utf8(client, some):
    """RFC 3629; protobuf strings are UTF-8."""
    number = client.create()
    candidate = pb.UpdateCandidateRequest(candidate_id=number).SerializeToString()
    bad = b"\x0a\x02\xc3\x28"  # field 1, of two octets
    for method, octets in (
            ("Get", b"\x22\x02\xc3\x28"), ("Get", b"\x22\x04\xed\xa0\x80a"), ("Execute", bad),
            ("Execute", b"\x12\x04" + bad), ("EditCandidate", candidate + b"\x12\x04" + bad),
            ("EditCandidate", candidate + b"\x1a\x04\x12\x02\xff\xfe"),
            ("Commit", candidate + b"\x10\x04\x1a\x02\xff\xfe"),
            ("LoadToCandidate", candidate + b"\x1a\x04\x12\x02\xc3\x28")):
        fails("INVALID_ARGUMENT", client.octets, NORTHBOUND + method, octets)
    fails("ABORTED", client.commit, number)


def test_numbers_that_mean_nothing(client, some):
    """An enumeration of proto3 is open; a word that relayd doesn't know is refused, never guessed."""
    number = client.create()
    client.edit(number, {relay("c"): ""})
    fails("INVALID_ARGUMENT", client.nb.Get, pb.GetRequest(type=3), timeout=10)
    fails("INVALID_ARGUMENT", client.nb.Get, pb.GetRequest(encoding=2), timeout=10)
    fails("INVALID_ARGUMENT", client.nb.Get, pb.GetRequest(encoding=-1), timeout=10)
    fails("INVALID_ARGUMENT", client.nb.Commit, pb.CommitRequest(candidate_id=number, phase=5), timeout=10)
    for request in (pb.LoadToCandidateRequest(candidate_id=number, type=2, config=pb.DataTree(data="{}")),
                    pb.LoadToCandidateRequest(candidate_id=number, type=1, config=pb.DataTree(data="{}", encoding=2)),
                    pb.LoadToCandidateRequest(candidate_id=number, type=1)):
        fails("INVALID_ARGUMENT", client.nb.LoadToCandidate, request, timeout=10)
    last = client.commit(number)
    fails("INVALID_ARGUMENT", client.nb.GetTransaction,
          pb.GetTransactionRequest(transaction_id=last, encoding=2), timeout=10)
    # a field that is new to it is no fault
    assert client.octets(NORTHBOUND + "CreateCandidate", b"\xf8\x07\x01")


def test_clients_deadline(client, router):
    """The client's own end of patience ends the call on both sides."""
    router.configure("relay a")
    call = client.subscribe(timeout=0.5)
    assert next(call).name == "a"
    assert fails("DEADLINE_EXCEEDED", lambda: list(call))
    wait_for(lambda: router.json("relayd", "show grpc json")["subscriptions"] == 0, 2, "the subscription ends")


# ------------------------------------------------------------------------- get

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("defaults", [False, True])
def test_get_is_the_same_in_both_encodings(client, some, kind, defaults):
    json_answer, = client.get(ROOT, kind=kind, defaults=defaults)
    xml_answer, = client.get(ROOT, kind=kind, defaults=defaults, xml=True)
    assert json_answer.data.encoding == pb.JSON and xml_answer.data.encoding == pb.XML
    assert 'xmlns="http://frrouting.org/yang/relay"' in xml_answer.data.data
    assert flat(json_answer.data) == flat(xml_answer.data)
    for answer in (json_answer, xml_answer):
        assert abs(answer.timestamp - time.time_ns()) < 10e9


def test_get_types(client, some):
    """CONFIG: what was configured. STATE: what is, and the keys. ALL: both, in one tree."""
    conf, state, both = (client.tree(ROOT, kind=kind) for kind in ("CONFIG", "STATE", "ALL"))
    assert conf == CONFIG
    assert [set(each) for each in state["instance"]] == [{"name", "state"}] * 2
    assert [set(each) for each in state["track-object"]] == [{"id", "state"}]
    assert state["instance"][0]["state"]["oper-status"] == "disabled"
    for name in ("instance", "track-object"):
        assert len(both[name]) == len(conf[name])
        for whole_entry, conf_entry, state_entry in zip(both[name], conf[name], state[name]):
            assert {key: whole_entry[key] for key in conf_entry} == conf_entry
            assert set(whole_entry) == {*conf_entry, "state"}
            assert set(whole_entry["state"]) == set(state_entry["state"])


def test_get_defaults(client, router, some):
    """With them: each leaf has a value. Without: none that is the default, though it was configured."""
    router.configure("relay a", "drain-time 5")
    relay_a, = client.tree(relay("a"), kind="CONFIG", defaults=True)["instance"]
    assert relay_a["enabled"] is False and relay_a["drain-time"] == 5 and relay_a["self-test"] is True
    assert relay_a["tunnel"]["ttl"] == 100 and relay_a["tunnel"]["datapath"] == "auto"
    assert relay_a["ipv6"]["mtu"] == 1280 and relay_a["delay"] == {"up": 0} and relay_a["filter"] == {"bogons": True}
    assert relay_a["route"] == [{"prefix": "192.88.99.0/24", "tag": 7, "distance": 1, "metric": 0}]
    assert "dampening" not in relay_a and "track" not in relay_a
    object_1, = client.tree(track(1), kind="CONFIG", defaults=True)["track-object"]
    assert object_1["delay"] == {"up": 0, "down": 0}
    assert client.tree(relay("a"), kind="CONFIG") == {"instance": [RELAY_A]}
    assert "drain-time" not in client.tree(relay("a"))["instance"][0]
    assert client.tree(relay("a"), defaults=True)["instance"][0]["drain-time"] == 5


def test_get_paths(client, some):
    """What is asked for, with the keys and what is above it, and nothing beside it."""
    def instances(*each):
        return {"instance": list(each)}

    state = {each["name"]: each["state"] for each in client.tree(ROOT, kind="STATE")["instance"]}
    for path, kinds, wanted in (
            (relay("a", "tunnel", "ttl"), ("CONFIG", "ALL"), instances({"name": "a", "tunnel": {"ttl": 100}})),
            (relay("a", "tunnel"), ("CONFIG", "ALL"), instances({"name": "a", "tunnel": RELAY_A["tunnel"]})),
            (relay("a", "ipv6", "address"), ("CONFIG", "ALL"), instances({"name": "a", "ipv6": RELAY_A["ipv6"]})),
            (relay("a", "ipv6", "address[.='2001:db8:78::1/64']"), ("CONFIG", "ALL"),
             instances({"name": "a", "ipv6": {"address": ["2001:db8:78::1/64"]}})),
            (relay("a", "route[prefix='192.88.99.0/24']"), ("CONFIG", "ALL"),
             instances({"name": "a", "route": RELAY_A["route"]})),
            (relay("a", "route[prefix='192.88.99.0/24']", "tag"), ("CONFIG", "ALL"),
             instances({"name": "a", "route": RELAY_A["route"]})),
            (relay("b"), ("CONFIG",), instances(RELAY_B)),
            (ROOT + '/instance[name="b"]', ("CONFIG",), instances(RELAY_B)),
            (f"{ROOT}/frr-relay:instance[frr-relay:name='b']/frr-relay:maintenance", ("CONFIG", "ALL"),
             instances({"name": "b", "maintenance": True})),
            (ROOT + "/instance", ("CONFIG",), instances(RELAY_A, RELAY_B)),
            (ROOT + "/instance/name", ("CONFIG", "ALL"), instances({"name": "a"}, {"name": "b"})),
            (ROOT + "/instance/tunnel/mode", ("CONFIG", "ALL"), instances(
                {"name": "a", "tunnel": {"mode": "6to4"}}, {"name": "b", "tunnel": {"mode": "teredo"}})),
            (ROOT + "/track-object", ("CONFIG",), {"track-object": [TRACK_1]}),
            (relay("a", "state", "oper-status"), ("STATE", "ALL"),
             instances({"name": "a", "state": {"oper-status": "disabled"}})),
            (relay("a", "state", "checks"), ("STATE", "ALL"),
             instances({"name": "a", "state": {"checks": state["a"]["checks"]}})),
            (ROOT + "/instance/state/oper-status", ("STATE", "ALL"), instances(
                *({"name": name, "state": {"oper-status": "disabled"}} for name in "ab"))),
            (ROOT + "/instance/state", ("STATE", "ALL"),
             instances(*({"name": name, "state": state[name]} for name in "ab")))):
        for kind in kinds:
            assert client.tree(path, kind=kind) == wanted, (path, kind)
            xml, = client.get(path, kind=kind, xml=True)
            assert flat(xml.data) == flat(pb.DataTree(data=json.dumps({"frr-relay:relay": wanted}))), (path, kind)


def test_get_order(client, some):
    """One answer a path, in the order of the request; the same path twice, two answers."""
    paths = (relay("b"), relay("a"), track(1), relay("b"), relay("a", "tunnel", "ttl"))
    answers = client.get(*paths, kind="CONFIG")
    assert [json.loads(each.data.data)["frr-relay:relay"] for each in answers] == [
        client.tree(path, kind="CONFIG") for path in paths]
    assert [each.timestamp for each in answers] == sorted(each.timestamp for each in answers)


def test_get_everything(client, some):
    """No path, an empty one and "/": all that relayd has, other modules' data too."""
    no_path, = client.get(kind="CONFIG")
    for kind in KINDS:
        for path in ("", "/"):
            answer, = client.get(path, kind=kind)
            got = json.loads(answer.data.data)
            if kind == "CONFIG":
                assert got["frr-relay:relay"] == CONFIG and answer.data == no_path.data
            if kind != "CONFIG":
                assert [each["name"] for each in got["frr-relay:relay"]["instance"]] == ["a", "b"]
                assert "eth0" in [each["name"] for each in got["frr-interface:lib"]["interface"]]
            xml, = client.get(path, kind=kind, xml=True)
            assert {names[0] for names, _ in flat(xml.data)} == {names[0] for names, _ in flat(answer.data)}


def test_get_state_of_frrs_own_modules(client, router):
    """Of callbacks that give values, and of those that since FRR 10 make nodes."""
    link, = router.ns.ip_json("link", "show", "eth0")
    path = "/frr-interface:lib/interface[name='eth0']"
    got = []
    for answer in client.get(path, f"{path}/state/mtu", kind="STATE"):
        eth0, = json.loads(answer.data.data)["frr-interface:lib"]["interface"]
        got.append(eth0["state"])
    assert (got[0]["if-index"], got[0]["mtu"]) == (link["ifindex"], link["mtu"])
    assert got[0]["phy-address"] == link["address"]
    assert got[1] == {"mtu": link["mtu"]}


def test_get_state_is_what_show_says(client, router):
    """A relay that is up, asked for at once by both."""
    router.configure("track 1 icmp-echo 10.0.0.2", "frequency 200", "exit", "relay r", *BASIC, "track 1", "no shutdown")
    router.wait_relay("r", "up")
    wait_for(lambda: router.track_json(1)["received"] > 1, 10, "replies")
    shown, got = router.relay_json("r"), client.tree(relay("r", "state"))["instance"][0]["state"]
    for leaf, key in (("oper-status", "operStatus"), ("reason", "reason"), ("interface", "interface"),
                      ("transitions", "transitions"), ("datapath", "datapath"), ("if-index", "ifIndex")):
        assert got[leaf] == shown[key]
    assert {each["prefix"] for each in got["route"]} == {each["prefix"] for each in shown["routes"]}
    assert got["checks"]["self-test"] == "ok" and got["track"] == [{"id": 1, "state": "up"}]
    assert int(client.tree(track(1, "state"))["track-object"][0]["state"]["received"]) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_get_refused(client, some, kind):
    for path in ("/frr-relay:nothing", "/nothing:relay", ROOT + "/nothing", relay("a", "nothing"),
                 relay("a", "tunnel", "ttl", "deeper"), "/frr-relay:relay/instance[name='a'", "/frr-relay:relay/",
                 "//", "/frr-relay:", "no path", "/frr-relay:relay/instance[nokey='a']", ROOT + "/instance[name=a]",
                 "/frr-relay:relay/track-object[id='x']", "/frr-relay:relay[1]/../x", "/" + "a" * 5000,
                 "/frr-relay:relay/*/x(", "/frr-relay:clear-counters/input/nothing"):
        fails("INVALID_ARGUMENT", client.get, path, kind=kind)
    # one that is wrong among others
    fails("INVALID_ARGUMENT", client.get, relay("a"), relay("a", "nothing"), relay("b"), kind=kind, says="nothing")
    fails("INVALID_ARGUMENT", client.get, *[ROOT] * 257, kind=kind, says="256")
    assert len(client.get(*[relay("a", "tunnel", "ttl")] * 256, kind=kind)) == 256


@pytest.mark.parametrize("kind", KINDS)
def test_get_of_what_is_not_there(client, router, kind):
    """An entry that is missing is an error; a list or leaf that is empty is not."""
    for path in ("/", ROOT, ROOT + "/instance", ROOT + "/track-object", ROOT + "/instance/state/oper-status"):
        got = client.tree(path, kind=kind)
        assert not got.get("instance") and not got.get("track-object"), path
        client.get(path, kind=kind, xml=True)
    router.configure("relay a")
    for path in (relay("nobody"), relay("nobody", "tunnel"), relay("nobody", "tunnel", "ttl"), track(17),
                 relay("nobody", "state"), relay("nobody", "state", "oper-status"),
                 relay("a", "route[prefix='192.0.2.0/24']"), relay("a", "route[prefix='192.0.2.0/24']", "tag")):
        assert fails("INVALID_ARGUMENT", client.get, path, kind=kind) == f"Data path not found: {path}"
    for path in (relay("a", "description"), relay("a", "route"), relay("a", "ipv6", "address"), relay("a", "dampening"),
                 relay("a", "tunnel", "source")):
        got = client.tree(path, kind=kind).get("instance", [])
        assert got in ([], [{"name": "a"}], [{"name": "a", "tunnel": {}}], [{"name": "a", "ipv6": {}}]), (path, got)


# --------------------------------------------------------------------- execute

def test_execute(client, router, some):
    for name in ("clear-counters", "clear-dampening"):
        for inputs in ((), (("name", "a"),), ((f"/frr-relay:{name}/input/name", "b"),)):
            assert not client.execute(f"/frr-relay:{name}", inputs)
        for path in ("name", f"/frr-relay:{name}/input/name"):
            assert fails("NOT_FOUND", client.execute, f"/frr-relay:{name}", [(path, "nobody")]) == "no relay nobody"
    for inputs in ((), [("name", "b")]):
        assert not client.execute("/frr-relay:clear-peers", inputs)
    assert fails("FAILED_PRECONDITION", client.execute, "/frr-relay:clear-peers", [("name", "a")]) == \
        "relay a is not a Teredo relay"
    assert fails("NOT_FOUND", client.execute, "/frr-relay:clear-peers", [("name", "nobody")]) == "no relay nobody"


def test_execute_refused(client, some):
    for path in ("", "/", "nonsense", ROOT, relay("a"), "/frr-relay:clear", "/frr-relay:clear-counters/input",
                 "/frr-relay:clear-counters/input/name", "/frr-relay:relay-status-change", "/nothing:clear-counters",
                 "/" + "x" * 5000):
        fails("INVALID_ARGUMENT", client.execute, path)
    for name, value in (("nothing", "a"), ("/frr-relay:clear-counters/input/nothing", "a"), ("", "a"),
                        ("/frr-relay:clear-peers/input/name", "a"), ("/frr-relay:relay", ""), ("name", "no name"),
                        ("name", "x" * 16), ("name", ""), ("name[", "a"), ("../name", "a")):
        fails("INVALID_ARGUMENT", client.execute, "/frr-relay:clear-counters", [(name, value)])
    fails("INVALID_ARGUMENT", client.execute, "/frr-relay:clear-counters", [("name", "a"), ("name", "b")])


def test_execute_does_it(client, router):
    """A flap leaves a penalty, and a packet is counted; both are gone then."""
    router.configure("track 1 interface eth1 line-protocol", "exit", "relay r", *BASIC, "track 1", "dampening",
                     "filter permit 10.0.0.0/8", "no shutdown")
    router.wait_relay("r", "up")
    try:
        router.ns.ip("link set eth1 down")
        router.wait_relay("r", "down", "track-down")
    finally:
        router.ns.ip("link set eth1 up")
    router.wait_relay("r", "up")

    def state():
        return client.tree(relay("r", "state"))["instance"][0]["state"]

    def count():
        found = router.json("relayd", "show relay r counters json")["r"]
        return found["tx6to4"]["packets"] + found["rx4to6"]["packets"] + sum(found["drops"].values())

    assert int(state()["dampening"]["penalty"]) > 900
    client.execute("/frr-relay:clear-dampening", [("name", "r")])
    assert int(state()["dampening"]["penalty"]) == 0
    # the self-test is relayd's own, and not counted
    peer = router.lab.peer
    peer.ip("route add 2002::/16 via 2001:db8::1")
    try:
        with peer.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"for a 6to4 host", ("2002:a00:2::1", 9))
        assert wait_for(count, 5, "packets are counted") > 0
    finally:
        peer.ip("route del 2002::/16 via 2001:db8::1")
    client.execute("/frr-relay:clear-counters", [("name", "r")])
    assert count() == 0


# ------------------------------------------------------------------------ show

def test_show(client, other, router, some):
    empty = router.json("relayd", "show grpc json")
    assert set(empty) == {"listeners", "sessions", "calls", "subscriptions", "candidates", "prepared", "lock",
                          "transactions", "totals"}
    assert empty["listeners"] == [{"address": f"unix:{router.dir}/grpc", "tls": False},
                                  {"address": f"127.0.0.1:{PORT}", "tls": False}]
    number = client.create()
    client.edit(number, {relay("a", "description"): "new"})
    client.commit(number, "PREPARE")
    client.lock()
    call = other.subscribe()
    next(call)
    found = router.json("relayd", "show grpc json")
    assert {key: found[key] for key in ("sessions", "subscriptions", "candidates", "prepared", "lock")} == {
        "sessions": 2, "subscriptions": 1, "candidates": empty["candidates"] + 1, "prepared": 1,
        "lock": "gRPC unix:uid=0"}
    assert found["totals"]["calls"] >= empty["totals"]["calls"] + 5
    assert found["totals"]["sessions"] == empty["totals"]["sessions"] + 2
    fails("NOT_FOUND", client.update, 0)
    assert router.json("relayd", "show grpc json")["totals"]["failed"] == found["totals"]["failed"] + 1
    for text in (router.ask("relayd", "show grpc"), router.vtysh("show grpc")):
        assert f"127.0.0.1:{PORT}" in text and "gRPC unix:uid=0" in text and "% " not in text
    assert json.loads(router.vtysh("show grpc json"))["sessions"] == 2
    call.cancel()
    client.unlock()
    client.commit(number, "ABORT")
