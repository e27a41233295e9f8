# SPDX-License-Identifier: GPL-2.0-or-later
"""Labs that tests share.  Each test gets a relayd of its own in a lab that
stands, and leaves the kernel as it found it: that is checked after each one."""

import os

import pytest

import lab as lab_module
from lab import Lab, host_has_sit, kernel_state, state_diff, wait_for
from teredo_lab import KINDS, TEREDO, TeredoInternet
from topology import Internet


# What FRR's release, its libraries and the compilers of its distribution make a difference to.
CORE = {"bfd", "bfd_config", "dampening", "datapath", "demo", "ebpf", "ebpf_programs", "examples", "files", "filter",
        "grpc", "grpc_candidates", "grpc_commit", "grpc_events", "grpc_listen", "guide", "health", "lifecycle",
        "main_job", "netlink", "random_walk", "reload", "restart", "show", "start", "teredo", "tracks", "two_relays",
        "undertaker", "validation", "vtysh_stock", "yang_state", "zebra"}
# of those, what takes long and is the same everywhere
NOT_CORE = {"test_icmp_300_targets", "test_a_peer_unheard_of_for_30_seconds", "test_delay_up_and_down",
            # the undertaker's turns with others
            "test_waits_no_longer_than_bounded", "test_a_watcher_that_is_gone_is_replaced", "test_not_before_its_time",
            "test_many_are_undone_in_time", "test_two_quick_crashes", "test_another_one_takes_over", "test_both_killed",
            "test_one_that_is_late_to_have_an_undertaker", "test_one_that_dies_before_it_has_an_undertaker",
            # relayd's own reckoning
            "test_50_ms_times_3", "test_two_objects_on_one_session", "test_keys_that_met_in_one_session",
            "test_reuse_by_itself", "test_delay_up_runs_meanwhile", "test_self_test_of_receive_only_relay",
            "test_delay_up", "test_self_test_off",
            "test_peer_table_full", "test_undone_after_a_hang"}


def pytest_collection_modifyitems(config, items):
    """Leaves out what this kernel can't run; scripts/check runs the rest elsewhere and counts all."""
    has_sit = host_has_sit()
    keep, out = [], []
    for item in items:
        if item.path.stem.removeprefix("test_") in CORE and item.originalname not in NOT_CORE:
            item.add_marker("core")
        wrong = item.get_closest_marker("nosit" if has_sit else "sit") or \
            (lab_module.EMULATED and item.get_closest_marker("native"))
        (out if wrong else keep).append(item)
    if out:
        config.hook.pytest_deselected(items=out)
    # the longest first, so that no worker is left alone with one
    items[:] = sorted(keep, key=lambda item: not item.name.startswith(("test_random_walk", "test_scale")))


@pytest.fixture(scope="session", autouse=True)
def built():
    for path in (lab_module.RELAYD, lab_module.VTYSH):
        assert os.access(path, os.X_OK), f"no {path}: build first"


class Keeper:
    """Keeps a lab for the tests of a process, and makes a new one when a test has spoilt it."""

    def __init__(self, make, sound):
        self.make, self.sound = make, sound
        self.lab = None
        self.before = None

    def get(self):
        if self.lab is not None and not self.sound(self.lab):
            self.drop()
        if self.lab is None:
            self.lab = self.make()
            # each test proves that it has left this state
            self.before = kernel_state(self.lab.relay.ns)
        return self.lab

    def drop(self):
        if self.lab is not None:
            self.lab.__exit__(None, None, None)
            self.lab = None


def kept(lab, begin, sound):
    """A fixture's life: a lab that begin() sets up, kept for test after test while it is sound()."""
    def make():
        made = lab()
        made.__enter__()
        try:
            begin(made)
        except BaseException:
            made.__exit__(None, None, None)
            raise
        return made

    keeper = Keeper(make, sound)
    yield keeper
    keeper.drop()


def alive(router, *daemons):
    return all(d in router.procs and router.procs[d].poll() is None for d in daemons)


def finish(router, before):
    """After a test: relayd ends, and nothing of it is left."""
    router.assert_sound()
    if "relayd" in router.procs:
        code = router.stop("relayd", timeout=90)
        assert code == 0, f"relayd ended with {code}:\n{router.log('relayd')[-3000:]}"
    router.assert_sound()
    left = []

    def clean():
        left[:] = state_diff(before, kernel_state(router.ns))
        return not left

    try:
        wait_for(clean, 20, "the kernel is as it was before relayd")
    except lab_module.Timeout as err:
        raise AssertionError(f"{err}:\n" + "\n".join(left[:40])) from None


def fresh_logs(router):
    for suffix in ("log", "err"):
        (router.dir / f"relayd.{suffix}").unlink(missing_ok=True)


def lent(keeper):
    """The life of one test in a kept lab."""
    lab = keeper.get()
    fresh_logs(lab.relay)
    lab.before = keeper.before
    spoilt = True
    try:
        yield lab
        finish(lab.relay, keeper.before)
        spoilt = False
    finally:
        if spoilt:
            keeper.drop()


# ---- the whole internet, with BGP

def routing(net):
    return (alive(net.relay, "zebra", "bgpd") and net.bird.proc.poll() is None
            and len(net.bird.established()) == 2)


@pytest.fixture(scope="session")
def internet_keeper():
    yield from kept(lambda: Internet(second_hop=True), Internet.start_routing, routing)


@pytest.fixture
def net(internet_keeper):
    """The internet of topology.py; zebra and bgpd run, relayd is started by the test (start_relayd)."""
    yield from lent(internet_keeper)


# ---- one router, without BGP

class Box(Lab):
    """A router (rl) with two links to another namespace (peer), zebra and staticd."""

    def build(self):
        self.relay = self.router("rl")
        self.peer = self.ns("peer", forwarding=True)
        for n in (0, 1):
            self.link(self.relay.ns, f"eth{n}", [f"10.0.{n}.1/24", f"2001:db8:{n}::1/64"],
                      self.peer, f"eth{n}", [f"10.0.{n}.2/24", f"2001:db8:{n}::2/64"])
        self.relay.start("zebra")
        self.relay.start("staticd")
        return self


@pytest.fixture(scope="session")
def box_keeper():
    yield from kept(Box, Box.build, lambda box: alive(box.relay, "zebra", "staticd"))


@pytest.fixture
def box(box_keeper):
    yield from lent(box_keeper)


@pytest.fixture
def rl(box):
    """The router of a box with relayd running, not configured."""
    box.relay.start("relayd")
    return box.relay


@pytest.fixture
def up(net):
    """The internet with relay "r" up and learned by the neighbour."""
    from topology import ANYCAST, BASIC

    net.relay.start("relayd")
    net.relay.configure("relay r", *BASIC, "no shutdown")
    net.relay.wait_relay("r", "up")
    net.bird.wait_routes(ANYCAST)
    return net


# ---- Teredo: a server, clients behind NATs of every kind

@pytest.fixture(scope="session")
def teredo_keeper():
    yield from kept(lambda: TeredoInternet(nats=tuple(KINDS)), TeredoInternet.start_routing,
                    lambda net: routing(net) and net.server.alive())


@pytest.fixture
def teredo(teredo_keeper):
    """The internet of teredo_lab.py; relayd is started by the test."""
    yield from lent(teredo_keeper)


@pytest.fixture(params=["ebpf", "userspace"])
def datapath(request):
    return request.param


@pytest.fixture
def teredo_up(teredo, datapath):
    """Relay "t" up on each datapath, and learned by the neighbour."""
    teredo.relay.start("relayd")
    teredo.relay.configure(*teredo.teredo_config(teredo.relay, f"tunnel datapath {datapath}"))
    data = teredo.relay.wait_relay("t", "up", "ok")
    assert data["datapath"] == datapath, data
    teredo.bird.wait_routes([TEREDO])
    return teredo
