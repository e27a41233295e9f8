# SPDX-License-Identifier: GPL-2.0-or-later
"""The configurations of doc/user/guide.rst: each is taken by vtysh, line for line."""

import re

import pytest

from conftest import Box
from lab import REPO

GUIDE = REPO / "doc" / "user" / "guide.rst"
HEADS = ("bfd", "ip prefix-list", "ipv6 prefix-list", "relay", "route-map", "router bgp", "track")


def blocks():
    """Literal blocks of the guide that are configurations."""
    text = GUIDE.read_text(encoding="utf-8")
    found = re.findall(r"::\n\n((?:   .*\n|\n)+)", text)
    lines = [[line[3:].rstrip() for line in block.splitlines() if line.strip()] for block in found]
    return [block for block in lines if block[0].startswith(HEADS)]


def test_all_are_found():
    heads = {next(head for head in HEADS if block[0].startswith(head)) for block in blocks()}
    assert len(blocks()) >= 8 and {"bfd", "relay", "track", "route-map", "ip prefix-list"} <= heads


@pytest.fixture
def router():
    """With all daemons that the guide speaks of; a box of its own, as zebra keeps what it was told."""
    with Box() as box:
        relay = box.build().relay
        for daemon in ("bfdd", "bgpd", "relayd"):
            relay.start(daemon)
        relay.configure("track 1 interface eth0 line-protocol")
        yield relay
        relay.assert_sound()
        assert relay.stop("relayd", timeout=90) == 0


def test_each_line_is_taken(router):
    left = iter(blocks()[1:])
    for block in blocks():
        answer = router.vtysh_configure(*block)
        bad = [line for line in answer.splitlines() if line.startswith("%") or "nknown command" in line]
        assert not bad, (block, answer)
        running = router.vtysh("show running-config")
        for line in block:
            # what is a default, or takes something away, is not shown
            if line.split()[0] in ("exit", "no") or line.strip().startswith(("exit-", "frequency", "timeout", "detect-")):
                continue
            assert line.strip() in running, (line, running)
        # others have the same prefixes, on a router of their own
        following = next(left, [])
        for name in ("sender", "receiver"):
            if f"relay {name}" in block and f"relay {name}" not in following:
                router.configure(f"no relay {name}")
