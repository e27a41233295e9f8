# SPDX-License-Identifier: GPL-2.0-or-later
"""What zebra does not answer is asked once more."""

import signal
import time

import pytest

from lab import wait_for
from topology import ANYCAST, BASIC


@pytest.fixture
def up(box):
    """A relay that is up, and another client of zebra."""
    box.relay.start("relayd")
    box.relay.start("ospfd")
    box.relay.configure("relay r", *BASIC, "no shutdown")
    box.relay.wait_relay("r", "up")
    box.relay.wait_rib(ANYCAST)
    yield box.relay
    if "ospfd" in box.relay.procs:
        box.relay.kill("ospfd")


def while_another_ends(router, *lines):
    """Zebra has the lines' consequences and the end of another client before it at once: since 10.2 it
    forgets the one for the other."""
    router.kill("zebra", signal.SIGSTOP)
    try:
        router.configure(*lines)
        time.sleep(0.3)
        router.kill("ospfd")
    finally:
        router.kill("zebra", signal.SIGCONT)


def test_withdrawal_that_zebra_forgets(up):
    while_another_ends(up, "relay r", "maintenance")
    up.wait_relay("r", "maintenance")
    wait_for(lambda: up.rib_openfabric() == set(), 15, "withdrawn all the same")
    wait_for(lambda: not any(route["installed"] for route in up.relay_json("r")["routes"]), 10, "relayd knows")


def test_route_that_zebra_forgets(up):
    up.configure("relay r", "maintenance")
    wait_for(lambda: up.rib_openfabric() == set(), 10, "withdrawn")
    while_another_ends(up, "relay r", "no maintenance")
    up.wait_relay("r", "up")
    wait_for(lambda: up.rib_openfabric() == set(ANYCAST), 15, "announced all the same")
    wait_for(lambda: all(route["installed"] for route in up.relay_json("r")["routes"]), 10, "relayd knows")


def test_nothing_is_asked_twice(up):
    """Zebra answers, and then it is quiet."""
    up.configure("relay r", "maintenance")
    wait_for(lambda: up.rib_openfabric() == set(), 10, "withdrawn")
    up.configure("relay r", "no maintenance", "route 2001:db8:77::/48")
    up.wait_rib(["2001:db8:77::/48"])
    up.configure("relay r", "no route 2001:db8:77::/48")
    up.wait_rib(ANYCAST)
    time.sleep(2.5)
    assert "asked once more" not in up.log("relayd")
