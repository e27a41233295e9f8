# SPDX-License-Identifier: GPL-2.0-or-later
"""relayd and zebra die, hang and come back."""

import os
import random
import signal
import time

import pytest

from lab import EMULATED, kernel_state, state_diff, wait_for
from topology import ANYCAST, BASIC, H6, H64_6, RELAY_ADDR
from wire import BgpSniffer, Flow, ifindex, ping


# ------------------------------------------------------------------ adoption

def test_adoption_without_an_outage(up):
    """SIGKILL and restart: the interface stays, and 4->6 traffic that still flows loses nothing."""
    config = "\n".join(up.relay.running())
    index = ifindex(up.relay.ns, "r")
    up.net.ip("route add 192.88.99.0/24 via 203.0.113.2 metric 9999")
    try:
        with Flow(up.h64, H64_6, up.h6, H6, rate=100) as flow:
            wait_for(lambda: len(flow.seen) > 20, 20, "traffic")
            up.relay.kill("relayd")
            up.bird.wait_routes(absent=ANYCAST)
            up.relay.start("relayd", config=config)
            up.relay.wait_relay("r", "up")
            up.bird.wait_routes(ANYCAST)
            lost = flow.stop()
        assert not lost, f"{len(lost)} of {flow.sent} lost"
    finally:
        up.net.ip("route del 192.88.99.0/24 via 203.0.113.2 metric 9999")
    assert ifindex(up.relay.ns, "r") == index


@pytest.mark.both
def test_restart_with_another_configuration(up):
    """What the new configuration does not name is taken away; what it changes is changed."""
    up.relay.configure("relay r", "ipv6 address 2002:c058:6301::1/128", "tunnel transmit-source 192.88.99.3")
    wait_for(lambda: "2002:c058:6301::1/128" in up.relay.ns.addrs("r"), 10, "address")
    up.relay.kill("relayd")
    up.relay.start("relayd", config="\n".join(["relay other", *BASIC, "ipv6 mtu 1400", "no shutdown", "exit"]))
    up.relay.wait_relay("other", "up")
    wait_for(lambda: "r" not in up.relay.ns.links(), 20, "the old interface is removed")
    assert "192.88.99.3" not in up.relay.ns.nft()
    assert up.relay.ns.link("other")["mtu"] == 1400


@pytest.mark.both
def test_restart_without_configuration(up):
    up.relay.kill("relayd")
    up.relay.start("relayd")
    assert up.relay.boot().returncode == 0
    wait_for(lambda: not state_diff(up.before, kernel_state(up.relay.ns)), 30, "nothing is left")


def test_ended_while_dead(up):
    """The interface goes while relayd is dead: the next one makes it anew."""
    config = "\n".join(up.relay.running())
    up.relay.kill("relayd")
    up.relay.ns.ip("link del r")
    up.relay.start("relayd", config=config)
    up.relay.wait_relay("r", "up")
    assert ping(up.h6, H64_6)


@pytest.mark.both
def test_killed_at_random_points(net):
    """Wherever bringing up or down is cut short, the next relayd converges and leaks nothing."""
    seed = int(os.environ.get("RELAY_SEED", time.time()))
    print(f"seed {seed}: RELAY_SEED repeats it")
    rng = random.Random(seed)
    config = "\n".join(["relay r", *BASIC, "tunnel transmit-source 192.88.99.3",
                        "ipv6 address 2002:c058:6301::1/128", "no shutdown", "exit"])
    for turn in range(int(os.environ.get("RELAY_KILLS", "6" if EMULATED else "12"))):
        # at once, while the next one starts, never
        net.relay.start("relayd", "--undo-after", rng.choice([0, 1, 60]), config=rng.choice(["", config]), wait=False)
        if rng.random() < 0.5:
            wait_for(lambda: net.relay.ask("relayd", "show relay json"), 30, "relayd answers")
            net.relay.configure("relay r", *config.splitlines()[1:-1], check=False)
            if rng.random() < 0.5:
                net.relay.wait_relay("r", "up")
                net.relay.kill("relayd", signal.SIGTERM) if rng.random() < 0.3 else net.relay.configure("no relay r")
        time.sleep(rng.choice([0.01, 0.1, 0.5]) * rng.random())
        if net.relay.procs["relayd"].poll() is None:
            net.relay.kill("relayd")
        else:
            net.relay.procs.pop("relayd")
    net.relay.start("relayd", config=config)
    net.relay.wait_relay("r", "up")
    net.bird.wait_routes(ANYCAST)
    assert ping(net.h6, H64_6) and ping(net.h64, H6, source=H64_6)
    net.relay.kill("relayd")
    net.relay.start("relayd")
    assert net.relay.boot().returncode == 0
    wait_for(lambda: not state_diff(net.before, kernel_state(net.relay.ns)), 30, "nothing is left")


def test_hanging_relayd_loses_its_routes(up):
    """Contract section 3: when it hangs, the routes are away within 10 seconds."""
    with BgpSniffer(up.net, "rl") as wire:
        began = time.time()
        up.relay.kill("relayd", signal.SIGSTOP)
        try:
            wait_for(lambda: all(wire.withdrawn(p, began) for p in ANYCAST), 20, "withdrawn")
            assert max(wire.withdrawn(p, began) for p in ANYCAST) - began < 10
        finally:
            if up.relay.procs["relayd"].poll() is None:
                up.relay.kill("relayd", signal.SIGCONT)
    # it ended itself or goes on: in both cases a relayd serves again
    time.sleep(0.5)
    if up.relay.procs["relayd"].poll() is not None:
        up.relay.procs.pop("relayd")
        up.relay.start("relayd", config="\n".join(["relay r", *BASIC, "no shutdown", "exit"]))
    up.relay.wait_relay("r", "up")
    up.bird.wait_routes(ANYCAST)


# --------------------------------------------------------------------- zebra

@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_zebra_restarts(up, how):
    """Routes come back; the tunnel is not touched."""
    index = ifindex(up.relay.ns, "r")
    if how == signal.SIGKILL:
        up.relay.kill("zebra")
    else:
        up.relay.stop("zebra")
    up.relay.wait_relay("r", "down", "zebra-disconnected")
    assert "r" in up.relay.ns.links()
    up.relay.start("zebra")
    up.relay.wait_relay("r", "up")
    up.relay.wait_rib(ANYCAST)
    # watchfrr restarts bgpd as well; by itself it would come back after 10 s
    up.relay.stop("bgpd")
    up.start_bgpd()
    up.bird.wait_routes(ANYCAST)
    assert ifindex(up.relay.ns, "r") == index
    assert ping(up.h6, H64_6) and ping(up.h64, H6, source=H64_6)


def test_zebra_hangs(up):
    """relayd goes on answering and taking lines; what was said meanwhile holds afterwards."""
    up.relay.kill("zebra", signal.SIGSTOP)
    try:
        began = time.monotonic()
        up.relay.relay_json("r")
        up.relay.configure("relay r", "route 192.88.99.0/24", "maintenance", "no maintenance", "tunnel ttl 9")
        up.relay.relay_json("r")
        assert time.monotonic() - began < 5
    finally:
        up.relay.kill("zebra", signal.SIGCONT)
    up.relay.wait_relay("r", "up")
    up.relay.wait_rib(["192.88.99.0/24"])
    up.bird.wait_routes(["192.88.99.0/24"], absent=["2002::/16"])


def test_more_than_zebra_can_follow(up):
    """Withdrawn and announced faster than zebra works: what holds at the end is what the neighbour has."""
    for turn in range(10):
        up.relay.kill("zebra", signal.SIGSTOP)
        try:
            up.relay.configure("relay r", *["maintenance", "no maintenance"] * (turn // 2 % 3 + 1))
            if turn % 2 == 0:
                up.relay.configure("relay r", "maintenance")
        finally:
            up.relay.kill("zebra", signal.SIGCONT)
        present, absent = ((), ANYCAST) if turn % 2 == 0 else (ANYCAST, ())
        up.bird.wait_routes(present, absent, timeout=20)
        up.relay.wait_rib(present)
        up.relay.configure("relay r", "no maintenance")
        up.relay.wait_relay("r", "up")
        up.bird.wait_routes(ANYCAST)


def test_zebra_not_running_at_start(net):
    """relayd waits for it, says so, and is up soon after it has come."""
    net.relay.stop("bgpd")
    net.relay.stop("zebra")
    net.relay.start("relayd", config="\n".join(["relay r", *BASIC, "no shutdown", "exit"]))
    net.relay.wait_relay("r", "down", "zebra-disconnected")
    net.relay.start("zebra")
    net.relay.wait_relay("r", "up")
    net.relay.wait_rib(ANYCAST)
    net.start_bgpd()
    net.bird.wait_routes(ANYCAST)
