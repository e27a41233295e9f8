# SPDX-License-Identifier: GPL-2.0-or-later
"""Operational state of the YANG module: everything that show relay json and show track json have."""

import json
import re

import pytest

from lab import wait_for
from topology import ANYCAST, BASIC


def operational(router):
    return router.json("relayd", "show yang operational-data /frr-relay:relay")["frr-relay:relay"]


def entry(entries, key, value):
    return next(each for each in entries if each[key] == value)


def yang_time(shown):
    """As libyang writes it."""
    return shown.replace("Z", "+00:00")


def yang_name(key):
    return re.sub("([A-Z])", lambda m: "-" + m.group(1).lower(), key)


@pytest.mark.nosit
def test_track_state(rl):
    """What a script reads of an object by JSON is there by the northbound."""
    rl.configure("track 1 icmp-echo 10.0.0.2", "frequency 200", "exit", "track 2 interface none line-protocol")
    wait_for(lambda: rl.track_json(1)["received"] > 1, 10, "replies")
    tracks = operational(rl)["track-object"]
    state, shown = entry(tracks, "id", 1)["state"], rl.track_json(1)
    counters = {"sent": "sent", "received": "received", "timeouts": "timeouts", "sendErrors": "send-errors",
                "lateReplies": "late-replies", "duplicateReplies": "duplicate-replies",
                "invalidReplies": "invalid-replies"}
    times = {"rttUsec": "rtt", "rttMinUsec": "rtt-min", "rttAvgUsec": "rtt-average", "rttMaxUsec": "rtt-max",
             "jitterUsec": "jitter"}
    for key, leaf in (counters | times).items():
        assert key in shown and int(state[leaf]) <= max(shown[key], int(state[leaf])), leaf
    assert 1 < int(state["received"]) <= shown["received"] and 0 < int(state["rtt"]) and 0 < int(state["rtt-min"])
    assert entry(tracks, "id", 2)["state"] == {
        "state": "down", "detail": rl.track_json(2)["detail"], "transitions": 0, "since": yang_time(rl.track_json(2)["since"])}


def test_relay_state(up):
    up.relay.configure("track 1 interface eth0 line-protocol", "exit", "relay r", "track 1")
    up.relay.wait_relay("r", "up")
    shown, state = up.relay.relay_json("r"), entry(operational(up.relay)["instance"], "name", "r")["state"]
    for key in ("reason", "transitions", "interface", "datapath"):
        assert state[key] == shown[key]
    assert state["since"] == yang_time(shown["since"])
    assert state["oper-status"] == "up" and state["if-index"] == shown["ifIndex"]
    assert {yang_name(key): value for key, value in shown["checks"].items()} == state["checks"]
    assert state["track"] == shown["tracks"] == [{"id": 1, "state": "up"}]
    assert [{key: route[key] for key in ("prefix", "installed", "distance", "metric", "tag")}
            for route in state["route"]] == shown["routes"]
    for way in ("4to6", "6to4"):
        test = entry(state["self-test"], "way", way)
        assert test["state"] == "ok" and test["interface"] == "eth0" and int(test["received"]) > 0
    up.relay.configure("track 2 interface none line-protocol", "exit", "relay r", f"route {ANYCAST[0]} track 2")
    wait_for(lambda: "note" in operational(up.relay)["instance"][0]["state"]["route"][0], 10, "note")
    route = operational(up.relay)["instance"][0]["state"]["route"][0]
    assert route["track"] == 2 and route["note"] == up.relay.relay_json("r")["routes"][0]["note"]
    assert [each["id"] for each in operational(up.relay)["instance"][0]["state"]["track"]] == [1, 2]


@pytest.mark.nosit
def test_removal_by_the_northbound_names_the_user(box):
    """Not only by the command: whoever removes an object in use hears who uses it."""
    router = box.relay
    router.start("relayd", "--tcli")
    objects = [{"id": n, "type": "interface", "interface": "eth0"} for n in (1, 2)]
    listed = {"id": 3, "type": "list", "boolean": "and", "object": [{"id": 2}]}
    relay = {"name": "r", "track": 1}

    def load(tracks):
        data = {"frr-relay:relay": {"track-object": tracks, "instance": [relay]}}
        file = router.dir / "candidate.json"
        file.write_text(json.dumps(data), encoding="ascii")
        return router.configure(f"configuration load file json {file} replace", "commit", check=False)

    load([*objects, listed])
    assert set(router.track_json()) == {"1", "2", "3"} and router.relay_json("r")
    assert "track 1 is used by relay r" in load([objects[1], listed])
    assert "track 2 is used by track 3" in load([objects[0], listed])
    assert set(router.track_json()) == {"1", "2", "3"}


def test_paths_into_a_list(rl):
    """Whatever path is asked for, relayd answers, and goes on."""
    rl.configure("track 1 interface eth0 line-protocol", "exit", "relay r", "tunnel mode ipv6ip 6to4", "exit",
                 "relay t", "tunnel mode teredo", "exit")
    lists = {"track-object[id='1']": ("/state",), "instance[name='r']": (
        "", "/state", "/state/checks", "/state/dampening", "/state/self-test", "/state/track", "/state/route",
        "/state/route[prefix='2002::/16']", "/state/route/dampening", "/state/counters", "/state/counters/drop",
        "/state/counters/icmp-errors", "/state/counters/bubbles", "/state/history", "/state/peers",
        "/state/peers/peer", "/state/peers/peer[address='2001:0:4136:e378:8000:63bf:3fff:fdd2']")}
    lists["instance[name='t']"] = lists["instance[name='nobody']"] = lists["instance"] = lists["instance[name='r']"]
    lists["track-object[id='2']"] = lists["track-object"] = lists["track-object[id='1']"]
    for entry, paths in lists.items():
        for path in paths:
            rl.ask("relayd", f"show yang operational-data /frr-relay:relay/{entry}{path}")
    assert len(operational(rl)["instance"]) == 2
