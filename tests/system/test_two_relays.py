# SPDX-License-Identifier: GPL-2.0-or-later
"""Two relays with the same anycast prefixes: one goes, nobody notices."""

import pytest

from lab import wait_for
from topology import ANYCAST, BASIC, H6, H64_6, Internet
from wire import Flow

CONFIG = "\n".join(["relay r", *BASIC, "drain-time 3", "no shutdown", "exit"])


@pytest.fixture
def pair():
    with Internet(relays=("rl", "rl2"), split_tables=True) as net:
        net.start_routing()
        for router in net.routers.values():
            router.start("relayd", config=CONFIG)
        for router in net.routers.values():
            router.wait_relay("r", "up", timeout=60)
        wait_for(lambda: all(net.bird.routes().get(p) == 2 for p in ANYCAST), 60, "both announce")
        yield net
        for router in net.routers.values():
            router.assert_sound()


def test_maintenance_and_return_lose_no_packet(pair):
    """Routes first, then the drain: packets under way still cross the relay that leaves, in both directions."""
    first = pair.routers["rl"]

    def announced(count):
        wait_for(lambda: all(pair.bird.routes().get(p) == count for p in ANYCAST), 60, f"{count} routes each")

    with Flow(pair.h64, H64_6, pair.h6, H6, rate=100, port=4001) as out, \
            Flow(pair.h6, H6, pair.h64, H64_6, rate=100, port=4002) as back:
        wait_for(lambda: len(out.seen) > 20 and len(back.seen) > 20, 30, "traffic both ways")
        before = first.json("relayd", "show relay r counters json")["r"]
        first.configure("relay r", "maintenance")
        announced(1)
        first.wait_relay("r", "maintenance")
        moved = pair.routers["rl2"].json("relayd", "show relay r counters json")["r"]
        wait_for(lambda: pair.routers["rl2"].json("relayd", "show relay r counters json")["r"]["rx4to6"]["packets"]
                 > moved["rx4to6"]["packets"] + 20, 20, "the second relay has the traffic")
        first.configure("relay r", "no maintenance")
        announced(2)
        wait_for(lambda: first.json("relayd", "show relay r counters json")["r"]["rx4to6"]["packets"]
                 > before["rx4to6"]["packets"] + 50, 20, "the first relay has it again")
        lost = [len(flow.stop()) for flow in (out, back)]
    assert lost == [0, 0], f"lost {lost} of {out.sent} and {back.sent}"
