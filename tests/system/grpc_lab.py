# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of gRPC share: a configuration, and words for what came of it."""

PORT = 50051
LINES = ("track 1 interface eth0 line-protocol", "exit", "relay a", "description the first", "tunnel mode ipv6ip 6to4",
         "tunnel source 192.88.99.1", "tunnel ttl 100", "ipv6 address 2001:db8:77::1/64",
         "ipv6 address 2001:db8:78::1/64", "route 192.88.99.0/24 tag 7", "exit", "relay b", "tunnel mode teredo",
         "maintenance", "exit")
RELAY_A = {"name": "a", "description": "the first",
           "tunnel": {"mode": "6to4", "source": "192.88.99.1", "ttl": 100},
           "ipv6": {"address": ["2001:db8:77::1/64", "2001:db8:78::1/64"]},
           "route": [{"prefix": "192.88.99.0/24", "tag": 7}]}
RELAY_B = {"name": "b", "maintenance": True, "tunnel": {"mode": "teredo"}}
TRACK_1 = {"id": 1, "type": "interface", "interface": "eth0"}
CONFIG = {"track-object": [TRACK_1], "instance": [RELAY_A, RELAY_B]}


def config(client):
    return client.tree("/", kind="CONFIG")


def relays(client):
    """The configuration of each relay, by its name; a list has no order."""
    return {each["name"]: each for each in config(client).get("instance", [])}


def holds(router, **wanted):
    """Nobody is in the middle of anything but of this."""
    found = router.json("relayd", "show grpc json")
    return {key: found[key] for key in ("sessions", "calls", "subscriptions", "prepared", "lock")} == {
        "sessions": 0, "calls": 0, "subscriptions": 0, "prepared": 0, "lock": None, **wanted}
