# SPDX-License-Identifier: GPL-2.0-or-later
"""frr-reload.py: the distribution's own script, with ours around it, brings relayd from one configuration to another."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lab import REPO, VTYSH, wait_for

pytestmark = pytest.mark.xdist_group("reload")

SCRIPT = "frr-reload.py"
ZEBRAS = "debug zebra nht"  # FRR 10 has most others in mgmtd
FRR_DIR = pathlib.Path("/usr/lib/frr")

TRACKS = """\
track 1 interface eth0 line-protocol
exit
track 2 icmp-echo 10.0.0.2
 frequency 500
 probes up 2 down 4
 delay up 3 down 0
exit
track 3 interface eth1 line-protocol
exit
track 10 list boolean or
 object 1
 object 3 not
exit
"""
A = """\
relay a
 tunnel mode ipv6ip 6to4
 tunnel interface tun-a
 tunnel source 192.88.99.1
 route 192.88.99.0/24
 route 2002::/16 tag 7
 track 10
 drain-time 0
 no shutdown
exit
"""
B = """\
relay b
 description another one
 tunnel mode teredo
 tunnel source 10.0.0.1
 peers maximum 100
 drain-time 0
 filter permit 10.0.0.0/8
exit
"""


def blocks(lines):
    """Blocks as sets of lines: one that was taken out and put back stands last."""
    found = [[]]
    for line in lines:
        found[-1].append(line)
        if line == "exit" or line.startswith("relay graceful-restart "):
            found.append([])
    return sorted(sorted(block) for block in found)


def stock_script():
    """The distribution's script, wherever it is."""
    for name in (f"{SCRIPT}.frr-stock", SCRIPT):
        path = FRR_DIR / name
        if path.exists():
            return path
    raise AssertionError("frr-pythontools is not installed")


class Reloader:
    def __init__(self, router, stock=None):
        self.router = router
        self.bin = router.dir / "reload"
        shutil.rmtree(self.bin, ignore_errors=True)
        self.bin.mkdir()
        shutil.copy(REPO / "tools" / SCRIPT, self.bin)
        os.symlink(stock or stock_script(), self.bin / f"{SCRIPT}.frr-stock")
        os.symlink(VTYSH, self.bin / "vtysh")

    def run(self, text, *args, script=None):
        conf = self.router.dir / "new.conf"
        conf.write_text("frr defaults traditional\n" + text)
        return subprocess.run(
            ["python3", "-B", script or self.bin / SCRIPT, *(args or ("--reload", "--stdout")), "--bindir", self.bin,
             "--confdir", self.router.dir, "--rundir", self.router.dir, "--vty_socket", self.router.dir, conf],
            text=True, capture_output=True, check=False, timeout=120)

    def to(self, text):
        """Reloads, and all is as wanted; what the script said."""
        run = self.run(text)
        said = run.stdout + run.stderr
        assert run.returncode == 0, said
        assert blocks(self.router.running()) == blocks(text.splitlines()), said
        return said

    def changes(self, text):
        """Commands that a reload has executed."""
        said = self.to(text)
        return [line for line in said.splitlines() if re.search(r"Executed (?!.*hostname)|content$", line)]


@pytest.fixture
def reload(rl):
    return Reloader(rl)


def test_stock_script_alone_fails(reload):
    """Why there is a wrapper: to the stock script each line is a block."""
    reload.to(TRACKS + A)
    run = reload.run(TRACKS + A.replace("drain-time 0", "drain-time 9"), script=stock_script())
    assert run.returncode != 0
    assert reload.router.running()[-3:] != [" drain-time 9", " no shutdown", "exit"]


def test_add_and_again(reload):
    """From nothing to everything; a second reload does nothing."""
    reload.to(TRACKS + A + B)
    assert reload.changes(TRACKS + A + B) == []
    run = reload.run(TRACKS + A + B, "--test")
    assert run.returncode == 0
    assert not any(word in run.stdout for word in ("track", "relay")), run.stdout


def test_remove_all(reload):
    reload.to(TRACKS + A + B)
    reload.to("")
    reload.to(TRACKS)
    reload.to("")


def test_other_daemons_too(reload):
    """What is FRR's own is still done, in the same run."""
    said = reload.run(ZEBRAS + "\n!\n" + TRACKS + A + "line vty\n!\n")
    assert said.returncode == 0, said.stdout + said.stderr
    assert ZEBRAS in reload.router.ask("zebra", "show running-config")
    assert reload.router.running() == (TRACKS + A).splitlines()
    reload.to(TRACKS + A)
    assert ZEBRAS not in reload.router.ask("zebra", "show running-config")


CHANGES = [
    ("a value", "drain-time 0\n no", "drain-time 7\n no"),
    ("a value gone", " route 2002::/16 tag 7\n", ""),
    ("a route's attributes", "2002::/16 tag 7", "2002::/16 distance 9 metric 3"),
    ("a route's track", "2002::/16 tag 7", "2002::/16 tag 7 track 3"),
    ("the source", "tunnel source 192.88.99.1", "tunnel source 192.88.99.9"),
    ("the interface", "tun-a", "tun-c"),
    ("another track", " track 10\n", " track 1\n"),
    ("no track", " track 10\n", ""),
    ("off", " no shutdown\n", ""),
    ("self-test", " no shutdown\n", " no self-test\n no shutdown\n"),
    ("description", "another one", "the same one, with more words"),
    ("filters", " filter permit 10.0.0.0/8\n", " no filter bogons\n filter deny 10.9.0.0/16\n"),
    ("another mode", B, "relay b\n tunnel mode ipv6ip 6to4\n tunnel source 192.88.99.77\n route 10.77.0.0/16\nexit\n"),
    ("a member", " object 3 not\n", " object 3\n"),
    ("a member less", " object 3 not\n", ""),
    ("another operator", "boolean or", "boolean and"),
    ("an object's target", "icmp-echo 10.0.0.2", "icmp-echo 10.0.1.2 source-interface eth1"),
    ("an object's interface", "track 1 interface eth0", "track 1 interface eth1"),
    ("probes", "probes up 2 down 4", "probes up 1 down 2"),
    ("delay", " delay up 3 down 0\n", " delay up 0 down 5\n"),
    ("delay gone", " delay up 3 down 0\n", ""),
    ("an object's kind", "track 2 icmp-echo 10.0.0.2\n frequency 500\n probes up 2 down 4\n",
     "track 2 ip route 0.0.0.0/0 reachability\n"),
    ("a used object's kind", "track 1 interface eth0 line-protocol", "track 1 ip route 10.0.0.0/24 reachability"),
]


@pytest.mark.parametrize("old,new", [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_change_and_back(reload, old, new):
    first = TRACKS + A + B
    second = first.replace(old, new)
    assert first != second
    reload.to(first)
    reload.to(second)
    assert reload.changes(second) == []
    reload.to(first)


def test_kind_of_an_object_that_a_relay_uses(reload):
    first = "track 1 interface eth0 line-protocol\nexit\n" + A.replace("track 10", "track 1").replace(
        "tag 7", "tag 7 track 1")
    second = first.replace("interface eth0 line-protocol", "ip route 10.0.1.0/24 reachability")
    reload.to(first)
    reload.to(second)
    reload.to(first)


def test_replaced_object_goes(reload):
    """One object comes, another goes, and the relay that used it changes over: in one reload."""
    first = "track 1 interface eth0 line-protocol\nexit\n" + A.replace("track 10", "track 1")
    second = "track 2 interface eth1 line-protocol\nexit\n" + A.replace("track 10", "track 2")
    reload.to(first)
    reload.to(second)
    lists = """\
track 2 interface eth1 line-protocol
exit
track 5 list boolean and
 object 2
exit
track 4 list boolean and
 object 5
exit
""" + A.replace("track 10", "track 4")
    reload.to(lists)
    reload.to(first)


def test_relay_and_its_object_go_together(reload):
    reload.to(TRACKS + A + B)
    reload.to(B)
    reload.to(TRACKS + A + B)
    reload.to(TRACKS)


def test_rename(reload):
    """The new one has what the old one had: interface, source, routes."""
    reload.to(TRACKS + A + B)
    reload.to(TRACKS + B.replace("relay b", "relay c") + A.replace("relay a", "relay z"))
    reload.to(TRACKS + A + B)


def test_route_moves_to_another_relay(reload):
    first = TRACKS + A + "relay c\n tunnel mode ipv6ip 6to4\n tunnel source 192.88.99.3\n route 10.3.0.0/16\nexit\n"
    second = first.replace(" route 2002::/16 tag 7\n", "").replace("10.3.0.0/16\n", "10.3.0.0/16\n route 2002::/16\n")
    reload.to(first)
    reload.to(second)
    reload.to(first)


def test_order_means_nothing(reload):
    """Lines and blocks in another order are the same configuration."""
    reload.to(TRACKS + A + B)
    lines = A.splitlines()
    shuffled = "\n".join([lines[0], *reversed(lines[1:-1]), lines[-1]]) + "\n"
    run = reload.run(B + shuffled + TRACKS)
    assert run.returncode == 0, run.stdout + run.stderr
    assert not re.search(r"Executed (?!.*hostname)|content$", run.stdout + run.stderr, re.MULTILINE), run.stderr
    assert reload.router.running() == (TRACKS + A + B).splitlines()


def test_defaults_and_short_forms(reload):
    """As people write: no `exit`, defaults spelled out, one value of two."""
    text = """\
relay graceful-restart 60
track 2 icmp-echo 10.0.0.2
 probes down 4
 delay up 3
track 1 interface eth0 line-protocol
!
relay a
 tunnel mode ipv6ip 6to4
 tunnel source 192.88.99.1
 tunnel ttl 64
 track 2
 shutdown
"""
    want = """\
relay graceful-restart 60
track 1 interface eth0 line-protocol
exit
track 2 icmp-echo 10.0.0.2
 probes up 1 down 4
 delay up 3 down 0
exit
relay a
 tunnel mode ipv6ip 6to4
 tunnel source 192.88.99.1
 track 2
exit
""".splitlines()
    for _ in range(2):
        run = reload.run(text)
        assert run.returncode == 0, run.stdout + run.stderr
        assert sorted(reload.router.running()) == sorted(want)


def test_graceful_restart(reload):
    """A line that begins as a block does, and is none."""
    for value in ("relay graceful-restart 60\n", "relay graceful-restart 90\n", ""):
        reload.to(value + TRACKS + A)
        assert reload.changes(value + TRACKS + A) == []


def test_a_relay_that_is_up_stays_up(reload):
    """Nothing that can change in place takes a relay down, nor what has nothing to do with it."""
    rl = reload.router
    first = TRACKS + A.replace(" track 10\n", " track 1\n")
    reload.to(first)
    rl.wait_relay("a", "up")
    transitions = rl.relay_json("a")["transitions"]
    for old, new in (("drain-time 0", "drain-time 9"), ("tag 7", "tag 8"), (" track 1\n", " track 10\n"),
                     (" drain-time", " delay up 5\n drain-time"), ("relay a\n", "relay a\n description x y\n"),
                     ("track 3 interface eth1", "track 3 interface eth0"), ("frequency 500", "frequency 700")):
        assert old in first
        reload.to(first.replace(old, new))
        reload.to(first + B)
        relay = rl.relay_json("a")
        assert (relay["operStatus"], relay["transitions"]) == ("up", transitions), (old, new, relay)


def test_a_refused_line_is_told(reload):
    """The script fails, and names the line; the rest is done."""
    reload.to(TRACKS + A)
    run = reload.run(TRACKS + A.replace("192.88.99.1\n", "224.0.0.1\n").replace("tag 7", "tag 8"))
    assert run.returncode != 0
    assert "224.0.0.1" in run.stdout + run.stderr
    assert reload.router.running() == (TRACKS + A.replace("tag 7", "tag 8")).splitlines()


def test_only_relayd(reload):
    """--daemon relayd leaves the others' lines alone."""
    reload.router.configure(ZEBRAS, daemon="zebra")
    try:
        run = reload.run(TRACKS + A, "--reload", "--stdout", "--daemon", "relayd")
        assert run.returncode == 0, run.stdout + run.stderr
        assert reload.router.running() == (TRACKS + A).splitlines()
        assert ZEBRAS in reload.router.ask("zebra", "show running-config")
    finally:
        reload.router.configure(f"no {ZEBRAS}", daemon="zebra")


@pytest.mark.parametrize("old,new,what", [
    ("ctx_keywords = {", "kw_of_blocks = {", "ctx_keywords"),
    ("for line in self.lines:", "for line in list(self.lines):", "load_contexts()"),
    ("def compare_context_objects(newconf, running):", "def compare_context_objects(newconf, running, more=0):",
     "compare_context_objects()"),
])
def test_another_stock_script(rl, tmp_path, old, new, what):
    """One that has changed runs as it is, and one line says so."""
    text = stock_script().read_text()
    assert old in text
    changed = tmp_path / "stock.py"
    changed.write_text(text.replace(old, new).replace("items() if False", ""))
    run = Reloader(rl, changed).run("", "--help")
    assert run.returncode == 0, run.stderr
    lines = [line for line in run.stderr.splitlines() if "frr-relay" in line]
    assert len(lines) == 1 and what in lines[0], run.stderr
    assert "--overwrite" in run.stdout


def test_without_frr_pythontools(rl):
    reload = Reloader(rl)
    (reload.bin / f"{SCRIPT}.frr-stock").unlink()
    run = reload.run("")
    assert run.returncode == 1
    assert run.stderr.strip() == "The frr-pythontools package is required for reload functionality."


def test_support_bundle(rl, tmp_path):
    """FRR's own script, with the file that ours makes of FRR's and relayd's commands."""
    rl.configure(*(TRACKS + A).splitlines())
    rl.wait_relay("a", "up")
    name = "generate_support_bundle.py"
    stock = FRR_DIR / f"{name}.frr-stock"
    shutil.copy(REPO / "tools" / name, tmp_path)
    os.symlink(stock if stock.exists() else FRR_DIR / name, tmp_path / f"{name}.frr-stock")
    # the script says `vtysh`, which is to be ours, in this lab
    wrapper = tmp_path / "vtysh"
    wrapper.write_text(f"#!/bin/sh\nexec {VTYSH} --vty_socket {rl.dir} --config_dir {rl.dir} \"$@\"\n")
    wrapper.chmod(0o755)
    out = tmp_path / "out"
    out.mkdir()
    commands = tmp_path / "support_bundle_commands.conf"
    shutil.copy(REPO / "tools" / commands.name, commands)
    run = subprocess.run(["python3", "-B", tmp_path / name, "-l", out], text=True, capture_output=True, check=False,
                         timeout=300, env=dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}",
                                               FRR_RELAY_SUPPORT_COMMANDS=str(commands)))
    assert run.returncode == 0, run.stderr
    assert {"zebra_support_bundle.log", "relay_support_bundle.log"} <= {path.name for path in out.iterdir()}
    text = (out / "relay_support_bundle.log").read_text()
    for want in ("tun-a", '"operStatus"', "FRRouting", "Track 10", "qmem relayd", "192.88.99.0/24"):
        assert want in text, text
    refused = [line for line in text.splitlines() if re.match(r"% (?!\d{4}/)", line)]
    assert not refused, refused
    wait_for(lambda: rl.relay_json("a")["operStatus"] == "up", 10, "relay is not disturbed")
