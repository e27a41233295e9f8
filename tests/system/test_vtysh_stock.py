# SPDX-License-Identifier: GPL-2.0-or-later
"""vtysh with relayd's commands beside the distribution's own.

No command of the stock vtysh is lost, and what vtysh does by itself for relayd
works: nodes, the order of blocks, what goes to which daemon.  Daemons are
played here by sockets that answer as FRR's do, so that none has to run.

FRR_RELAY_BUILD names the build directory, FRR_RELAY_VTYSH the program itself.
"""

import collections
import os
import pathlib
import re
import socket
import subprocess
import threading

import pytest

from lab import MGMTD

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FRR_RELAY_BUILD", REPO / "build"))

TRACKS = ["track 2 interface eth0 line-protocol\n delay up 10\nexit\n!\n",
          "track 10 list boolean and\n object 2\nexit\n!\n"]
RELAYS = ["relay tokyo6to4\n tunnel mode ipv6ip 6to4\n tunnel source 192.88.99.1\n"
          " ipv6 address 2002:c058:6301::1/128\n track 10\n no shutdown\nexit\n!\n",
          "relay osaka\n tunnel mode ipv6ip 6to4\nexit\n!\n"]
ZEBRA = ("log syslog\ninterface eth0\n description uplink\nexit\n!\n"
         "ip prefix-list any seq 5 permit any\n!\nline vty\nexit\n!\n")
BGPD = "router bgp 65001\n no bgp ebgp-requires-policy\nexit\n!\n"


def our_vtysh():
    names = [os.environ.get("FRR_RELAY_VTYSH", ""), BUILD / "vtysh-ext/vtysh", BUILD / "vtysh/vtysh",
             BUILD / "vtysh"]
    for path in filter(None, names):
        if pathlib.Path(path).is_file():
            return str(path)
    return pytest.fail(f"no vtysh in {BUILD}: build first")


def stock_vtysh():
    run = subprocess.run(["dpkg-divert", "--truename", "/usr/bin/vtysh"],
                         capture_output=True, text=True, check=True)
    return run.stdout.strip()


def grammar(vtysh):
    """Every command of every node, "(node)  command" a line, from vtysh alone."""
    run = subprocess.run([vtysh, "-C", "-c", "find ."], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in run.stdout.splitlines() if line.strip()]
    assert all(re.match(r"\([^)]+\)  \S", line) for line in lines)
    return lines


class FakeDaemon(threading.Thread):
    """Takes vtysh's lines on NAME.vty, and says CONFIG when asked for it."""

    def __init__(self, directory, name, config=""):
        super().__init__(daemon=True)
        self.config = config
        self.lines = []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(directory / f"{name}.vty"))
        self.sock.listen()
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            with conn:
                self.serve(conn)

    def serve(self, conn):
        data = b""
        while chunk := conn.recv(4096):
            data += chunk
            while b"\0" in data:
                line, data = data.split(b"\0", 1)
                line = line.decode().strip()
                self.lines.append(line)
                text = self.config if line == "do write terminal" else ""
                conn.sendall(text.encode() + b"\0\0\0\0")


class Router:
    """A directory of fake daemons, and our vtysh on it."""

    def __init__(self, directory):
        self.dir = directory
        self.zebra = FakeDaemon(directory, "zebra", ZEBRA)
        self.bgpd = FakeDaemon(directory, "bgpd", BGPD)
        self.relayd = FakeDaemon(directory, "relayd", "log syslog\n" + "".join(TRACKS + RELAYS))
        (directory / "vtysh.conf").write_text("")
        (directory / "frr.conf").write_text("")

    def vtysh(self, *args):
        for daemon in self.zebra, self.bgpd, self.relayd:
            daemon.lines.clear()
        env = dict(os.environ, VTYSH_PAGER="cat", VTYSH_HISTFILE="/dev/null")
        run = subprocess.run([our_vtysh(), "--vty_socket", str(self.dir), "--config_dir", str(self.dir), *args],
                             capture_output=True, text=True, timeout=30, env=env, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def commands(self, *lines):
        return self.vtysh(*[word for line in lines for word in ("-c", line)])


@pytest.fixture
def router(tmp_path):
    router = Router(tmp_path)
    yield router
    for daemon in router.zebra, router.bgpd, router.relayd:
        daemon.sock.close()


def assert_in_order(text, parts):
    at = -1
    for part in parts:
        found = text.find(part, at + 1)
        assert found > at, f"{part!r} is missing or out of order in:\n{text}"
        at = found


def test_no_stock_command_lost():
    stock = collections.Counter(grammar(stock_vtysh()))
    lines = grammar(our_vtysh())
    # where a daemon may be named, relayd may be named as well
    named = [line for line in lines if "|relayd>" in line]
    assert any("show running-config" in line for line in named)
    ours = collections.Counter(line.replace("|relayd>", ">") for line in lines)
    assert sum(stock.values()) >= 4000
    assert not stock - ours
    print(f"{sum(stock.values())} commands of the stock vtysh compared, {sum((ours - stock).values())} added")


def test_added_commands_are_relayds_alone():
    stock = collections.Counter(grammar(stock_vtysh()))
    ours = collections.Counter(line.replace("|relayd>", ">") for line in grammar(our_vtysh()))
    added = ours - stock
    for line in ("(config)  relay RELAYNAME", "(config)  no relay RELAYNAME", "(config)  track (1-1000)",
                 "(config)  track (1-1000) list boolean <and|or>", "(enable)  show debugging relay",
                 "(relay)  exit", "(relay)  quit", "(relay)  end", "(relay)  [no] shutdown",
                 "(track)  exit", "(track)  quit", "(track)  end"):
        assert line in added
    assert any(line.startswith("(view)  show relay") for line in added)
    for line in added:
        assert line.startswith(("(relay)", "(track)")) or re.search(r"\b(relay|track|grpc)\b", line), line
    # twice in one node would be ambiguous
    assert not [line for line, count in added.items() if count > 1 or line in stock]


def test_help(router):
    text = router.commands("configure terminal", "relay ?")
    assert re.search(r"^  [A-Z]+ +\S", text, re.M)
    text = router.commands("configure terminal", "?")
    assert re.search(r"^  relay +\S", text, re.M) and re.search(r"^  track +\S", text, re.M)


def test_daemon_is_listed(router):
    assert "relayd" in router.commands("show daemons").split()
    assert "tokyo6to4" in router.vtysh("-d", "relayd", "-c", "show running-config")
    assert not router.zebra.lines


def test_nodes_and_lines_go_to_relayd_only(router):
    router.commands("configure terminal", "relay a", "no shutdown", "exit", "track 7", "quit",
                    "relay b", "interface eth0", "end")
    got = [line for line in router.relayd.lines if line.split()[0] not in ("enable", "configure", "end")]
    assert got == ["relay a", "no shutdown", "exit", "track 7", "quit", "relay b", "exit"]
    if not MGMTD:
        assert "interface eth0" in router.zebra.lines
    assert not [line for line in router.zebra.lines if re.search(r"relay|track|shutdown", line)]


def test_what_every_daemon_gets(router):
    router.commands("configure terminal", "log syslog informational", "route-map x permit 10", "exit")
    assert "log syslog informational" in router.relayd.lines
    assert not [line for line in router.relayd.lines if "route-map" in line]


def test_running_config_order(router):
    text = router.commands("show running-config")
    assert_in_order(text, ["log syslog\n", "interface eth0\n", "router bgp 65001\n", *TRACKS, *RELAYS, "line vty\n",
                           "end\n"])
    # FRR 10 moved lists up
    assert_in_order(text, ["log syslog\n", "ip prefix-list", *TRACKS])
    assert text.count("log syslog") == 1


def test_write_memory_integrated(router):
    (router.dir / "vtysh.conf").write_text("service integrated-vtysh-config\n")
    router.commands("write memory")
    text = (router.dir / "frr.conf").read_text()
    assert_in_order(text, ["interface eth0\n", *TRACKS, *RELAYS, "line vty\n"])


def test_write_memory_per_daemon(router):
    (router.dir / "vtysh.conf").write_text("no service integrated-vtysh-config\n")
    router.commands("write memory")
    assert "do write memory" in router.relayd.lines


def test_boot_and_dry_run(router):
    (router.dir / "frr.conf").write_text("".join(TRACKS[:1] + RELAYS[:1]) + "debug relay events\n")
    router.vtysh("-C")
    assert not router.relayd.lines
    router.vtysh("-b")
    wanted = [line.strip() for line in "".join(TRACKS[:1] + RELAYS[:1]).splitlines() if line != "!"]
    sent = router.relayd.lines
    start = sent.index(wanted[0])
    assert sent[start:start + len(wanted) + 1] == wanted + ["debug relay events"]
    assert "XFRR_start_configuration" in sent and "XFRR_end_configuration" in sent
    assert not [line for line in router.zebra.lines if re.search(r"relay|track|tunnel", line)]


def test_unknown_line_is_refused(router):
    (router.dir / "frr.conf").write_text("relay tokyo6to4\n no such line\nexit\n")
    run = subprocess.run([our_vtysh(), "--config_dir", str(router.dir), "-C"],
                         capture_output=True, text=True, check=False)
    assert run.returncode != 0 and "line 2" in run.stderr
