# SPDX-License-Identifier: GPL-2.0-or-later
"""Restarts and upgrades: what other routers still send is forwarded, and the next relayd takes over."""

import contextlib
import signal
import time

import pytest

from lab import Vty, holds_for, kernel_state, state_diff, the_line, wait_for
from topology import ANYCAST, ANYCAST4, ANYCAST6, BASIC, H6, H64_6, Internet
from wire import BgpSniffer, Flow, ifindex, link_set, ping

STANDBY_METRIC = 4294967294
RATE = 200
LINE = "relay graceful-restart 120"


def standby(router):
    """Prefixes that the kernel forwards by relayd's own routes."""
    return {route["dst"] for route in router.ns.ip_json("-6", "route", "show", "table", "all")
            if route.get("metric") == STANDBY_METRIC}


@contextlib.contextmanager
def static_routes(net):
    """A neighbour that goes on sending whatever BGP says."""
    routes = ("192.88.99.0/24 via 203.0.113.2 metric 9999", "2002::/16 via 2001:db8:1::2 metric 9999")
    net.net.ip(*[f"route add {route}" for route in routes])
    try:
        yield
    finally:
        net.net.ip(*[f"route del {route}" for route in routes])


class BothWays:
    """Traffic 4->6 and 6->4, counted at the ends."""

    def __init__(self, net):
        self.flows = [Flow(net.h64, H64_6, net.h6, H6, rate=RATE),
                      Flow(net.h6, H6, net.h64, H64_6, rate=RATE, port=4001)]

    def __enter__(self):
        wait_for(lambda: all(len(flow.seen) > RATE // 4 for flow in self.flows), 30, "traffic both ways")
        return self

    def __exit__(self, *_):
        for flow in self.flows:
            flow.close()

    def more(self, number=2 * RATE):
        """That many more packets arrive each way, or are missed for long enough."""
        goal = [len(flow.seen) + number for flow in self.flows]
        wait_for(lambda: all(len(flow.seen) >= n for flow, n in zip(self.flows, goal)), 60, "traffic goes on")

    def lost(self):
        """Numbers lost of each direction; ends the traffic."""
        return [flow.stop() for flow in self.flows]

    def assert_none_lost(self):
        lost = self.lost()
        print(f"sent {[flow.sent for flow in self.flows]}, lost {[len(n) for n in lost]}")
        assert all(flow.failed == 0 for flow in self.flows)
        assert lost == [[], []], [[round(flow.times[n] - flow.times[0], 2) for n in nums]
                                  for flow, nums in zip(self.flows, lost)]


# ------------------------------------------------------------- standby route

@pytest.mark.both
def test_standby_route_is_there_while_up(up):
    """Beside zebra's, unknown to zebra; gone at once when health takes the relay down."""
    assert standby(up.relay) == {ANYCAST6}
    routes = up.relay.json("zebra", "show ipv6 route 2002::/16 json")
    assert [r["metric"] for r in routes[ANYCAST6]] == [0]
    link_set(up.relay.ns, "r", False)
    up.relay.wait_relay("r", "down", "interface-down")
    assert standby(up.relay) == set()
    link_set(up.relay.ns, "r", True)
    up.relay.wait_relay("r", "up")
    wait_for(lambda: standby(up.relay) == {ANYCAST6}, 10, "standby route")
    # so short that relayd sees no failure: the kernel has dropped the routes all the same
    up.relay.kill("relayd", signal.SIGSTOP)
    link_set(up.relay.ns, "r", False)
    link_set(up.relay.ns, "r", True)
    assert standby(up.relay) == set()
    up.relay.kill("relayd", signal.SIGCONT)
    wait_for(lambda: standby(up.relay) == {ANYCAST6}, 10, "standby route is put back")
    up.relay.configure("relay r", "route 2001:db8:77::/48", "no maintenance")
    wait_for(lambda: standby(up.relay) == {"2001:db8:77::/48"}, 10, "standby follows the routes")
    up.relay.configure("relay r", "no route 2001:db8:77::/48", "route 192.88.99.0/24")
    wait_for(lambda: standby(up.relay) == set(), 10, "no IPv6 route, no standby")


def test_standby_route_of_a_track(up):
    """A relay that a track takes down leaves 2002::/16 to whoever else has it."""
    up.relay.configure("track 1 interface eth1 line-protocol", "exit", "relay r", "track 1")
    up.relay.wait_relay("r", "up")
    up.relay.ns.ip("link set eth1 down")
    try:
        up.relay.wait_relay("r", "down", "track-down")
        assert standby(up.relay) == set()
    finally:
        up.relay.ns.ip("link set eth1 up")
        up.relay.wait_relay("r", "up")
        up.relay.configure("relay r", "no track", "exit", "no track 1")
    assert standby(up.relay) == {ANYCAST6}


def test_standby_route_drains(up):
    """An operator's word: it stays for the drain-time, and no longer."""
    up.relay.configure("relay r", "drain-time 3", "maintenance")
    up.relay.wait_relay("r", "draining", "maintenance")
    assert standby(up.relay) == {ANYCAST6}
    up.relay.wait_relay("r", "maintenance")
    assert standby(up.relay) == set()
    up.relay.configure("relay r", "drain-time 0", "no maintenance")
    up.relay.wait_relay("r", "up")
    assert standby(up.relay) == {ANYCAST6}
    up.relay.configure("relay r", "maintenance")
    assert standby(up.relay) == set()


def test_standby_route_of_a_dead_relayd_is_swept(up):
    """No relay wants it any more: it goes, though its interface lives on under another relay's name."""
    up.relay.kill("relayd")
    wait_for(lambda: not up.relay.rib_openfabric(), 10, "zebra takes its routes away")
    assert standby(up.relay) == {ANYCAST6}
    up.relay.start("relayd", config="\n".join(["relay r", *BASIC, "tunnel direction receive", "no shutdown", "exit"]))
    up.relay.wait_relay("r", "up")
    wait_for(lambda: standby(up.relay) == set(), 10, "not wanted, gone")
    up.relay.kill("relayd")
    up.relay.start("relayd", config="\n".join(["relay r", *BASIC, "maintenance", "no shutdown", "exit"]))
    up.relay.wait_relay("r", "maintenance")
    assert standby(up.relay) == set()


# ------------------------------------------------------------------ no packet

@pytest.mark.both
def test_killed_without_a_lost_packet(up):
    """SIGKILL: routes are withdrawn, what is sent all the same arrives, both ways, until the next relayd has it."""
    config = "\n".join(up.relay.running())
    index = ifindex(up.relay.ns, "r")
    with static_routes(up), BothWays(up) as traffic:
        up.relay.kill("relayd")
        up.bird.wait_routes(absent=[ANYCAST6])
        traffic.more()
        up.relay.start("relayd", config=config)
        up.relay.wait_relay("r", "up")
        up.bird.wait_routes([ANYCAST6])
        traffic.more()
        traffic.assert_none_lost()
    assert ifindex(up.relay.ns, "r") == index


def test_upgrade_without_the_option(up):
    """SIGTERM withdraws, drains, removes: nothing is lost while it drains, what comes after that is."""
    up.relay.configure("relay r", "drain-time 3")
    config = "\n".join(up.relay.running())
    with static_routes(up), BothWays(up) as traffic:
        began = time.time()
        assert up.relay.stop("relayd") == 0
        ended = time.time()
        assert ended - began >= 3
        up.relay.start("relayd", config=config)
        up.relay.wait_relay("r", "up")
        up.bird.wait_routes(ANYCAST)
        again = time.time()
        traffic.more()
        for flow, lost in zip(traffic.flows, traffic.lost()):
            when = [flow.times[n] for n in lost]
            print(f"{len(lost)} of {flow.sent} lost")
            assert lost, "nothing lost: say so in the manual"
            # the tunnel is removed when it has drained, before the process has ended; a
            # packet that was sent just before is still on its way to it
            assert all(began + 2.8 <= t < again for t in when), [round(t - began, 2) for t in when]
    up.relay.configure("relay r", "drain-time 0")


# ------------------------------------------------------------ planned restart

@pytest.fixture
def planned(up):
    """A relay that is up with the option on, its routes older than zebra's clock needs to tell."""
    up.relay.configure(LINE, "debug relay zebra")
    yield up
    if "relayd" in up.relay.procs and up.relay.procs["relayd"].poll() is None:
        up.relay.configure("no relay graceful-restart")


def stop_planned(net):
    """Its configuration; it has ended, and its routes are still there."""
    config = "\n".join(net.relay.running())
    assert net.relay.stop("relayd") == 0
    assert "zebra keeps the routes for" in net.relay.log("relayd"), net.relay.log("relayd")[-2000:]
    return config


def settled(net, times=1):
    """What is to be sent about the restart has been sent."""
    wait_for(lambda: net.relay.log("relayd").count("the planned restart is over") == times, 30, "settled")


@pytest.mark.both
def test_planned_restart_is_not_noticed(planned):
    """No packet lost, no UPDATE at the neighbour, the same interface; twice."""
    index = ifindex(planned.relay.ns, "r")
    with BgpSniffer(planned.net, "rl") as wire, BothWays(planned) as traffic:
        for times in (1, 2):
            config = stop_planned(planned)
            assert planned.relay.rib_openfabric() == set(ANYCAST)
            traffic.more()
            planned.relay.start("relayd", config=config)
            planned.relay.wait_relay("r", "up")
            settled(planned, times)
            wait_for(lambda: all(r["installed"] for r in planned.relay.relay_json("r")["routes"]), 10, "installed")
            traffic.more()
        traffic.assert_none_lost()
        assert wire.updates == []
    assert planned.relay.rib_openfabric() == set(ANYCAST)
    assert ifindex(planned.relay.ns, "r") == index
    history = planned.relay.json("relayd", "show relay r history json")["r"]
    assert (history[0]["from"], history[0]["to"], history[0]["reason"]) == ("up", "init", "ok")
    assert history[0]["detail"] == "relayd has restarted, interface r was taken over"


def test_planned_restart_with_import_check():
    """`network` with import-check as well: bgpd hears nothing, and nor does its neighbour."""
    with Internet(originate="network") as net:
        net.start_routing()
        net.relay.start("relayd")
        net.relay.configure(LINE, "relay r", *BASIC, "no shutdown")
        net.relay.wait_relay("r", "up")
        net.bird.wait_routes(ANYCAST)
        with BgpSniffer(net.net, "rl") as wire:
            config = stop_planned(net)
            net.relay.start("relayd", config=config)
            net.relay.wait_relay("r", "up")
            settled(net)
            assert ping(net.h6, H64_6)
            holds_for(lambda: wire.updates == [], 2, "no UPDATE")
        net.bird.wait_routes(ANYCAST)


def test_planned_restart_with_the_integrated_file(planned):
    """The configuration comes a while after relayd, by vtysh -b: until then nothing is decided."""
    with BgpSniffer(planned.net, "rl") as wire:
        config = stop_planned(planned)
        planned.relay.start("relayd")
        holds_for(lambda: planned.relay.rib_openfabric() == set(ANYCAST), 1, "routes without a configuration")
        run = planned.relay.boot(config)
        assert run.returncode == 0, run.stdout + run.stderr
        planned.relay.wait_relay("r", "up")
        settled(planned)
        assert wire.updates == []


def test_nobody_comes_back(planned):
    """The routes are gone when the time is over; what they pointed to goes later, see test_undertaker.py."""
    planned.relay.configure("relay graceful-restart 4")
    with BgpSniffer(planned.net, "rl") as wire:
        began = time.time()
        config = stop_planned(planned)
        wait_for(lambda: all(wire.withdrawn(p, began) for p in ANYCAST), 30, "withdrawn")
        # from when the stop began, in whole seconds
        assert min(wire.withdrawn(p, began) for p in ANYCAST) > began + 2.9
    wait_for(lambda: planned.relay.rib_openfabric() == set(), 10, "no route")
    assert "r" in planned.relay.ns.links() and standby(planned.relay) == {ANYCAST6}
    planned.relay.start("relayd", config=config)
    planned.relay.wait_relay("r", "up")
    planned.bird.wait_routes(ANYCAST)


@pytest.mark.parametrize("when", ["first run", "after a planned restart"])
def test_crash_withdraws_all_the_same(planned, when):
    """SIGKILL: the option keeps nothing, nor does what it did at an earlier stop."""
    config = "\n".join(planned.relay.running())
    if when != "first run":
        stop_planned(planned)
        planned.relay.start("relayd", config=config)
        planned.relay.wait_relay("r", "up")
        settled(planned)
    with BgpSniffer(planned.net, "rl") as wire:
        began = time.time()
        planned.relay.kill("relayd")
        wait_for(lambda: all(wire.withdrawn(p, began) for p in ANYCAST), 10, "withdrawn")
    assert planned.relay.rib_openfabric() == set()
    planned.relay.start("relayd", config=config)
    planned.relay.wait_relay("r", "up")


def test_hang_withdraws_all_the_same(planned):
    """The watcher kills it: no planned restart, whatever the option says."""
    config = "\n".join(planned.relay.running())
    with BgpSniffer(planned.net, "rl") as wire:
        began = time.time()
        planned.relay.kill("relayd", signal.SIGSTOP)
        wait_for(lambda: all(wire.withdrawn(p, began) for p in ANYCAST), 20, "withdrawn")
        assert max(wire.withdrawn(p, began) for p in ANYCAST) - began < 10
    planned.relay.procs.pop("relayd").wait(10)
    planned.relay.start("relayd", config=config)
    planned.relay.wait_relay("r", "up")


def test_unhealthy_after_a_planned_restart(planned):
    """What can't serve any more does not keep its routes for the time that is left."""
    planned.relay.configure("track 1 interface eth1 line-protocol", "exit", "relay r", "track 1")
    planned.relay.wait_relay("r", "up")
    with BgpSniffer(planned.net, "rl") as wire:
        config = stop_planned(planned)
        planned.relay.ns.ip("link set eth1 down")
        try:
            began = time.time()
            assert planned.relay.rib_openfabric() == set(ANYCAST)
            planned.relay.start("relayd", config=config)
            planned.relay.wait_relay("r", "down", "track-down")
            wait_for(lambda: all(wire.withdrawn(p, began) for p in ANYCAST), 10, "withdrawn")
            assert standby(planned.relay) == set()
        finally:
            planned.relay.ns.ip("link set eth1 up")
    planned.relay.wait_relay("r", "up")
    planned.relay.configure("relay r", "no track", "exit", "no track 1")


def test_changed_configuration_after_a_planned_restart(planned):
    """What is no longer configured goes, what stays is not announced anew, who was not up stays down."""
    planned.relay.configure("relay m", "tunnel mode ipv6ip 6to4", "tunnel source 10.9.9.9", "route 2001:db8:99::/48",
                            "maintenance", "no shutdown")
    planned.relay.wait_relay("m", "maintenance")
    with BgpSniffer(planned.net, "rl") as wire:
        config = stop_planned(planned).replace("tunnel source 192.88.99.1",
                                               "tunnel source 192.88.99.1\n route 2002::/16")
        began = time.time()
        planned.relay.start("relayd", config=config)
        planned.relay.wait_relay("r", "up")
        settled(planned)
        wait_for(lambda: wire.withdrawn(ANYCAST4, began), 10, "withdrawn")
        assert not wire.withdrawn(ANYCAST6, began) and not wire.announced(ANYCAST6, began)
    assert planned.relay.rib_openfabric() == {ANYCAST6}
    planned.relay.configure("no relay m")


def test_relay_removed_from_the_configuration(planned):
    """The file of the next relayd does not know the relay: neither routes nor interface stay."""
    stop_planned(planned)
    planned.relay.start("relayd", config="relay other\n tunnel ttl 9\nexit\n")
    wait_for(lambda: planned.relay.rib_openfabric() == set(), 10, "routes are gone")
    wait_for(lambda: not state_diff(planned.before, kernel_state(planned.relay.ns)), 30, "nothing is left")


def test_delay_up_is_not_waited_for_again(planned):
    """A relay that was up has had its delay."""
    planned.relay.configure("relay r", "delay up 60", "track 1 ip route 10.77.0.0/16 reachability", "exit", check=False)
    with BgpSniffer(planned.net, "rl") as wire:
        config = stop_planned(planned)
        assert "delay up 60" in config
        planned.relay.start("relayd", config=config)
        planned.relay.wait_relay("r", "up", timeout=30)
        settled(planned)
        assert wire.updates == []


def test_route_with_a_track_waits_for_it(planned):
    """The relay is up before the object of one of its routes is known: that route is left alone until then."""
    planned.relay.configure("track 1 icmp-echo 203.0.113.1", "frequency 1000", "probes up 4")
    wait_for(lambda: planned.relay.track_json(1)["state"] == "up", 30, "track is up")
    planned.relay.configure("relay r", "route 2002::/16 track 1")
    planned.bird.wait_routes([ANYCAST6], absent=[ANYCAST4])
    planned.relay.configure("relay r", "route 192.88.99.0/24")
    planned.bird.wait_routes(ANYCAST)
    with BgpSniffer(planned.net, "rl") as wire:
        config = stop_planned(planned)
        planned.relay.start("relayd", config=config)
        planned.relay.wait_relay("r", "up")
        assert planned.relay.track_json(1)["state"] == "init"
        settled(planned)
        assert planned.relay.track_json(1)["state"] == "up"
        assert wire.updates == []
    planned.relay.configure("relay r", "no route 2002::/16", "no route 192.88.99.0/24", "exit", "no track 1")


def test_stopped_again_before_it_has_settled(planned):
    """A relayd that has no verdict yet is stopped as well: the routes are still kept, and still bounded."""
    planned.relay.configure("track 1 icmp-echo 10.255.255.1", "frequency 60000", "timeout 60000", "exit")
    config = "\n".join(planned.relay.running()).replace("tunnel source 192.88.99.1",
                                                         "tunnel source 192.88.99.1\n track 1")
    with BgpSniffer(planned.net, "rl") as wire:
        stop_planned(planned)
        for _ in range(2):
            planned.relay.start("relayd", config=config)
            planned.relay.wait_relay("r", "init")
            assert planned.relay.rib_openfabric() == set(ANYCAST)
            assert planned.relay.stop("relayd") == 0
        planned.relay.start("relayd", config=config.replace("\n track 1", ""))
        planned.relay.wait_relay("r", "up")
        settled(planned)
        assert wire.updates == []
    planned.relay.configure("no track 1")


def test_stopped_as_soon_as_it_is_up(net):
    """Routes that are as old as the stop are bounded too: zebra counts their age in whole seconds."""
    net.relay.start("relayd")
    net.relay.configure("relay graceful-restart 3", "relay r", *BASIC, "no shutdown")
    net.relay.wait_relay("r", "up")
    net.relay.wait_rib(ANYCAST)
    config = stop_planned(net)
    wait_for(lambda: net.relay.rib_openfabric() == set(), 20, "bounded")
    net.relay.start("relayd", config=config)
    net.relay.configure("no relay graceful-restart")


def test_zebra_is_away_at_a_planned_stop(planned):
    """Nobody to keep the routes: relayd says so and ends, and the next one is up with a new zebra."""
    config = "\n".join(planned.relay.running())
    planned.relay.kill("zebra", signal.SIGSTOP)
    try:
        assert planned.relay.stop("relayd", timeout=20) == 0
        assert "zebra does not keep the routes" in planned.relay.log("relayd")
    finally:
        planned.relay.kill("zebra", signal.SIGCONT)
    planned.relay.start("relayd", config=config)
    planned.relay.wait_relay("r", "up")
    planned.bird.wait_routes(ANYCAST)


def test_history_after_a_kill(up):
    """The next relayd says what it found, and goes on counting transitions."""
    config = "\n".join(up.relay.running())
    before = up.relay.relay_json("r")["transitions"]
    up.relay.kill("relayd")
    up.relay.start("relayd", config=config)
    up.relay.wait_relay("r", "up")
    history = up.relay.json("relayd", "show relay r history json")["r"]
    assert (history[0]["from"], history[0]["to"]) == ("up", "init")
    assert history[0]["detail"] == "relayd has restarted, interface r was taken over"
    assert history[1]["to"] == "up"
    assert up.relay.relay_json("r")["transitions"] == before + 2
    # a clean stop ends the relay's life, the next one's begins
    assert up.relay.stop("relayd") == 0
    up.relay.start("relayd", config=config)
    up.relay.wait_relay("r", "up")
    assert "restarted" not in str(up.relay.json("relayd", "show relay r history json"))


# ------------------------------------------------------------------ the line

def test_line_is_shown_and_kept(rl):
    """Running configuration, vtysh's too, what it writes and reads; before the relays; off by default."""
    assert not any("graceful" in line for line in rl.running())
    rl.vtysh_configure("relay a", "tunnel ttl 9", "exit", LINE, "relay zz", "tunnel ttl 7", "exit")
    running = rl.running()
    assert running.index(LINE) < running.index("relay a") < running.index("relay zz")
    shown = rl.vtysh("show running-config").splitlines()
    assert shown.count(LINE) == 1
    assert shown.index(LINE) < shown.index("relay a") < shown.index("relay zz")
    assert "120 s" in rl.vtysh("show relay")
    assert "[OK]" in rl.vtysh("write memory")
    written = (rl.dir / "frr.conf").read_text()
    assert written.splitlines().count(LINE) == 1
    run = rl.vtysh_run("-C", "-f", str(rl.dir / "frr.conf"))
    assert run.returncode == 0, run.stdout + run.stderr
    assert rl.stop("relayd") == 0
    rl.start("relayd")
    run = rl.boot(written)
    assert run.returncode == 0, run.stdout + run.stderr
    assert rl.running() == running
    rl.vtysh_configure("relay graceful-restart 3600")
    assert "relay graceful-restart 3600" in rl.running()
    rl.vtysh_configure("no relay graceful-restart")
    assert not any("graceful" in line for line in rl.running())
    rl.vtysh_configure(LINE, "no relay graceful-restart 120")
    assert not any("graceful" in line for line in rl.running())
    assert "Graceful" not in rl.vtysh("show relay")


def test_line_in_relayds_own_file(box):
    box.relay.start("relayd", config=f"{LINE}\nrelay a\n tunnel ttl 9\nexit\n")
    assert box.relay.running()[:2] == [LINE, "relay a"]
    box.relay.configure("no relay graceful-restart")


@pytest.mark.parametrize("line", ["relay graceful-restart 0", "relay graceful-restart 3601",
                                  "relay graceful-restart x", "relay graceful-restart"])
def test_line_refused(rl, line):
    with Vty(rl.dir / "relayd.vty") as vty:
        vty.ask("configure terminal")
        assert vty.ask(line)[1] != 0
    assert rl.running() == []
    rl.vtysh_configure(line)
    assert rl.running() == []


@pytest.mark.parametrize("how", ["relayd", "vtysh"])
@pytest.mark.parametrize("name", ["g", "graceful", "graceful-restar"])
def test_relays_named_like_the_line(rl, name, how):
    """An abbreviation of the keyword is a relay's name all the same."""
    do = rl.vtysh_configure if how == "vtysh" else rl.configure
    do(LINE, f"relay {name}", "tunnel ttl 9", "exit")
    assert rl.running() == [LINE, f"relay {name}", " tunnel ttl 9", "exit"]
    do(f"no relay {name}")
    assert rl.running() == [LINE]
    if how == "vtysh":
        assert the_line(do(f"no relay {name}")) == f"% No relay {name}"
    do("relay grace 7")
    assert rl.running() == ["relay graceful-restart 7"]
    do("no relay graceful-restart")
    assert rl.running() == []
