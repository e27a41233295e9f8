# SPDX-License-Identifier: GPL-2.0-or-later
"""Where relayd can't start or can't do its work, and says why."""

import os
import re
import subprocess

import pytest

import lab as lab_module
from lab import FRR, Lab, holds_for, kernel_state, state_diff, wait_for
from topology import BASIC, RELAY_ADDR

CONFIG = "\n".join(["relay r", *BASIC, "no shutdown", "exit"])


def test_refused_beside_fabricd(box):
    """Both would own the route type openfabric: zebra would mix up their routes."""
    router = box.relay
    router.start("fabricd")
    try:
        proc = router.start("relayd", config=CONFIG, wait=False)
        assert proc.wait(20) != 0
        router.procs.pop("relayd")
        assert "fabricd" in router.log("relayd")
    finally:
        router.stop("fabricd")
    # a socket that a dead fabricd left is no fabricd
    router.start("fabricd")
    router.kill("fabricd")
    assert (router.dir / "fabricd.vty").exists()
    router.start("relayd")
    (router.dir / "fabricd.vty").unlink()


@pytest.mark.nosit
def test_kernel_without_sit(box):
    """datapath-error with a reason that an operator can act on; nothing is left behind."""
    router = box.relay
    router.start("relayd", config=CONFIG.replace("no shutdown", "tunnel datapath sit\n no shutdown"))
    data = router.wait_relay("r", "down", "datapath-error")
    assert "sit" in data["detail"]
    assert data["ifIndex"] == 0 and data["datapath"] == "none"
    assert router.rib_openfabric() == set()
    assert "r" not in router.ns.links()
    # it goes on trying, but does not fill the log with it
    holds_for(lambda: router.relay_json("r")["reason"] == "datapath-error", 3, "says so all the time")
    assert len(re.findall(r"sit", router.log("relayd"))) < 20
    assert len(router.json("relayd", "show relay r history json")["r"]) < 5


def test_foreign_interface_of_that_name(box):
    """It appears after the relay was configured: never touched, and named."""
    router = box.relay
    router.start("relayd")
    router.configure("relay r", *BASIC)
    router.ns.ip("link add r type veth peer name rpeer", "addr add 10.66.0.1/24 dev r", "link set r up")
    try:
        before = kernel_state(router.ns)
        out = router.configure("relay r", "no shutdown", check=False)
        assert re.search(r"^% .*\br\b.*$", out.strip()) and out.count("\n") == 1, out
        assert router.relay_json("r")["operStatus"] != "up"
        # the same by a file, where the interface is there first
        assert router.stop("relayd") == 0
        router.start("relayd", config=CONFIG)
        if "r" in router.relay_json():
            assert router.relay_json("r")["operStatus"] != "up"
        assert re.search(r"interface r\b", router.log("relayd") + router.ask("relayd", "show relay r"))
        router.configure("no relay r", check=False)
        assert router.stop("relayd") == 0
        assert not state_diff(before, kernel_state(router.ns))
    finally:
        router.ns.ip("link del r")
    router.start("relayd")


def test_without_permission(box):
    """Started without CAP_NET_ADMIN: it says so, and does not pretend."""
    router = box.relay
    wrap = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", "--")
    proc = router.start("relayd", config=CONFIG, wait=False, wrap=wrap)

    def told():
        if proc.poll() is not None:
            return "ended"
        data = router.relay_json("r")
        return data["operStatus"] == "down" and data["reason"] == "datapath-error" and data["detail"]

    said = wait_for(told, 20, "an end, or datapath-error")
    if said == "ended":
        assert proc.returncode != 0
        router.procs.pop("relayd")
        said = router.log("relayd")
    assert re.search(r"(?i)permi|privilege|capabilit", said), said
    assert "r" not in router.ns.links()


def test_as_user_frr(rl):
    """It runs as frr, with no capability in effect between its calls."""
    status = dict(line.split(":\t", 1) for line in
                  open(f"/proc/{rl.procs['relayd'].pid}/status", encoding="ascii").read().splitlines() if ":\t" in line)
    frr = int(subprocess.check_output(["id", "-u", "frr"]))
    assert {int(uid) for uid in status["Uid"].split()} == {frr}
    assert int(status["CapEff"], 16) == 0
    net_admin, net_raw = 1 << 12, 1 << 13
    permitted = int(status["CapPrm"], 16)
    assert permitted & net_admin and permitted & net_raw
    # SYS_ADMIN for eBPF; not the rest of root's
    assert not permitted & ~(net_admin | net_raw | 1 << 21)


def test_options_of_every_frr_daemon():
    text = subprocess.run([lab_module.RELAYD, "--help"], capture_output=True, text=True, check=True).stdout
    for option in ("--daemon", "--config_file", "--pid_file", "--socket", "--vty_addr", "--vty_port", "--user",
                   "--group", "--module", "--pathspace", "--vty_socket", "--log"):
        assert option in text
    version = subprocess.run([lab_module.RELAYD, "--version"], capture_output=True, text=True, check=True).stdout
    stock = subprocess.run([FRR / "zebra", "--version"], capture_output=True, text=True, check=True).stdout
    assert version.split()[2] == stock.split()[2]


def test_two_relayds_do_not_meet(box):
    """The second finds the pid file locked, as with every FRR daemon, and touches nothing."""
    router = box.relay
    router.start("relayd", config=CONFIG.replace(" no shutdown", ""))
    second = box.spawn(router.ns, lab_module.RELAYD, "--vty_socket", router.dir, "-z", router.dir / "zserv.api",
                       "-i", router.dir / "relayd.pid", "-f", router.dir / "relayd.conf", "-A", "127.0.0.1", "-P",
                       "0", stderr=subprocess.PIPE, text=True)
    assert second.wait(20) != 0
    box.procs.remove(second)
    assert router.relay_json("r")["adminStatus"] == "up"


def test_daemon_mode(box):
    """-d as frrinit.sh starts it: the parent ends with 0 when the child is ready."""
    router = box.relay
    (router.dir / "relayd.conf").write_text("relay r\nexit\n")
    run = subprocess.run(["ip", "netns", "exec", router.ns.name, lab_module.RELAYD, "-d", "--vty_socket", router.dir,
                          "-z", router.dir / "zserv.api", "-i", router.dir / "relayd.pid", "-f",
                          router.dir / "relayd.conf", "-A", "127.0.0.1", "-P", "0"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60)
    assert run.returncode == 0
    pid = int((router.dir / "relayd.pid").read_text())
    try:
        assert "r" in wait_for(router.relay_json, 10, "it answers")
    finally:
        os.kill(pid, 15)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 20, "it ends")


def test_reload_by_vtysh_b_again(rl):
    """The same file twice changes nothing."""
    text = "track 1 interface eth0 line-protocol\nexit\nrelay r\n tunnel source 192.88.99.1\n track 1\nexit\n"
    assert rl.boot(text).returncode == 0
    rl.wait_track(1, "up")
    before = rl.running()
    assert rl.boot(text).returncode == 0
    assert rl.running() == before == text.splitlines()
    assert rl.track_json(1)["transitions"] == 0
