# SPDX-License-Identifier: GPL-2.0-or-later
"""The scripts of examples/, run as an operator does, against a relayd with gRPC."""

import contextlib
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import textwrap
import threading
import time

import pytest

import lab as lab_module
from lab import REPO, delete_ns, stop_process, wait_for
from test_datapath import from_6to4, into_relay4
from topology import ANYCAST, ANYCAST4, BASIC, H6, H64, H64_6, RELAY_ADDR
from wire import icmp6_echo, ipv4

EXAMPLES = REPO / "examples"
SCRIPTS = {"relay-drain": ["r"], "relay-bulk": ["/dev/null"], "relay-watch": [], "relay-prometheus": ["-"]}
# the distribution's, which has grpc
PYTHON = "/usr/bin/python3"
RELAY = ("relay r", *BASIC, "no shutdown")


def command(name, *args):
    return [PYTHON, "-B", str(EXAMPLES / name), *map(str, args)]


def script(name, *args, code=0, ns=None):
    """Runs it to its end; (lines of stdout, lines of stderr)."""
    enter = ["nsenter", f"--net={ns.path}", "--"] if ns else []
    run = subprocess.run(enter + command(name, *args), text=True, capture_output=True, check=False, timeout=60,
                         stdin=subprocess.DEVNULL)
    assert run.returncode == code, f"{name} {args}: {run.returncode}\n{run.stdout}{run.stderr}"
    assert "Traceback" not in run.stderr
    return run.stdout.splitlines(), run.stderr.splitlines()


def refused(name, *args, code=1):
    """Runs what fails with one line; the line."""
    _, err = script(name, *args, code=code)
    assert len(err) == 1 and err[0].startswith(f"{name}: "), err
    return err[0]


class Running:
    """A script that goes on; its lines are read as they come."""

    def __init__(self, name, *args):
        # who runs the tests in the background has SIGINT ignored
        self.process = subprocess.Popen(command(name, *args), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.out, self.err = [], []
        self.threads = [threading.Thread(target=self.read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def read(file, lines):
        for line in file:
            lines.append(line.rstrip("\n"))

    def wait(self, pattern, where="out", timeout=20):
        """The first line that has the pattern."""
        lines = getattr(self, where)
        try:
            return wait_for(lambda: next((line for line in list(lines) if re.search(pattern, line)), None), timeout,
                            f"a line with {pattern}")
        except lab_module.Timeout as err:
            raise AssertionError(f"{err}:\n" + "\n".join(self.out + self.err)) from None

    def stop(self, sig=signal.SIGINT):
        code = stop_process(self.process, sig, 20)
        for thread in self.threads:
            thread.join(10)
        assert not [line for line in self.err if "Traceback" in line], self.err
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop_process(self.process, signal.SIGKILL)


def start(router, **kwargs):
    """relayd with gRPC on a unix socket; its target."""
    target = f"unix:{router.dir}/grpc.sock"
    router.start("relayd", "--grpc", target, **kwargs)
    return target


@pytest.fixture
def target(box):
    return start(box.relay)


@contextlib.contextmanager
def second_router(box):
    """Another router with relayd, and nothing else."""
    router = box.router("two")
    try:
        yield router
    finally:
        if "relayd" in router.procs:
            assert router.stop("relayd") == 0
        router.assert_sound()
        box.nss.remove(router.ns)
        delete_ns(router.ns.name)
        shutil.rmtree(router.dir)


# -------------------------------------------------------------------- all of them

@pytest.mark.parametrize("name", SCRIPTS)
def test_usage_and_reach(name, tmp_path):
    """What can't work ends with one line and a code that scripts can tell apart."""
    args = SCRIPTS[name]
    (tmp_path / "empty.yaml").write_text("{}")
    if name == "relay-bulk":
        args = [tmp_path / "empty.yaml"]
    text = " ".join(script(name, "--help")[0])
    assert "--target" in text and "Exit code" in text
    assert os.access(EXAMPLES / name, os.X_OK)
    assert "go together" in script(name, *args, "--cert", "c.pem", code=2)[1][-1]
    assert "HOST:PORT" in script(name, *args, "--target", "localhost", code=2)[1][-1]
    assert "No such file" in refused(name, *args, "--target", f"unix:{tmp_path}/nobody")


def test_script_of_your_own(box, target):
    """The start that examples/README.rst gives."""
    box.relay.configure("relay tokyo6to4")
    text = (EXAMPLES / "README.rst").read_text().split(".. code-block:: python\n")[1].split("\n``")[0]
    text = textwrap.dedent(text).replace("unix:/run/frr/relayd-grpc.sock", target)
    run = subprocess.run([PYTHON, "-B", "-c", text], cwd=EXAMPLES, text=True, capture_output=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "tokyo6to4 disabled shutdown\n", "")
    assert " delay up 30" in box.relay.running()


# ----------------------------------------------------------------------- drain

class Traffic(threading.Thread):
    """Echo requests of the 6to4 host, into the relay, whether it is announced or not."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.net, self.sent, self.sending = net, 0, True

    def run(self):
        packet = ipv4(H64, RELAY_ADDR, 41, icmp6_echo(H64_6, H6, 1, 1))
        while self.sending:
            into_relay4(self.net, packet)
            self.sent += 1
            time.sleep(0.05)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.sending = False
        self.join(10)


def test_drain(net):
    """Routes go, packets are still forwarded and counted, and the script waits for the last one."""
    target = start(net.relay)
    net.relay.configure(*RELAY)
    net.relay.wait_relay("r", "up")
    net.bird.wait_routes(ANYCAST)
    assert from_6to4(net)
    assert "no relay tokyo; there are: r" in refused("relay-drain", "--target", target, "tokyo")
    with Traffic(net) as traffic:
        # packets go on: not drained
        out, err = script("relay-drain", "--target", target, "r", "--quiet", 2, "--timeout", 1.5, code=3)
        assert out[0] == "r: in maintenance" and re.match(r"r: routes withdrawn after \d+\.\d s", out[1])
        assert "not drained within 1.5 s" in err[0] and "r stays in maintenance, routes withdrawn" in err[1]
        net.bird.wait_routes(absent=ANYCAST)
        with Running("relay-drain", "--target", target, "--all", "--quiet", 1.5, "--comment", "new line card") as run:
            run.wait("r: in maintenance already")
            run.wait("r: routes withdrawn")
            before = traffic.sent
            wait_for(lambda: traffic.sent > before + 5, 10, "packets in the drain")
            traffic.sending = False
            line = run.wait("drained")
            assert run.process.wait(10) == 0
    seen = re.fullmatch(r"r: drained, quiet for (\S+) s; (\d+) packets in the drain \(4to6: (\d+), 6to4: (\d+)\), "
                        r"the last after (\S+) s; took (\S+) s", line)
    assert seen, line
    quiet, total, received, sent, last, took = map(float, seen.groups())
    assert quiet >= 1.5 and total == received + sent and received >= 5
    assert 0 < last and took == pytest.approx(last + quiet, abs=0.3)
    assert net.relay.relay_json("r")["operStatus"] == "maintenance"
    out, _ = script("relay-drain", "--target", target, "--all", "--undo")
    assert out[0] == "r: no longer in maintenance" and re.match(r"r: up after \S+ s, 2 routes installed", out[1])
    net.relay.wait_rib(ANYCAST)
    assert "no relay is in maintenance" in refused("relay-drain", "--target", target, "--all", "--undo")


def test_drain_interrupted(box, target):
    """Ctrl-C says what is left; a relay that can't come up is not waited for forever."""
    box.relay.configure(*RELAY, "exit", "relay off")
    box.relay.wait_relay("r", "up")
    with Running("relay-drain", "--target", target, "r", "--quiet", 60) as run:
        run.wait("routes withdrawn")
        assert run.stop() == 130
        assert run.err == ["relay-drain: r stays in maintenance, routes withdrawn, 0 packets in the drain; to bring it "
                           "back: relay-drain --undo r"]
    box.relay.configure("track 1 interface none line-protocol", "exit", "relay r", "track 1")
    box.relay.wait_track(1, "down")
    out, err = script("relay-drain", "--target", target, "r", "--undo", "--timeout", 1, code=3)
    assert out == ["r: no longer in maintenance"]
    assert err[0] == "relay-drain: not up within 1 s" and re.search(r"r is not up: down, track-down, .*1", err[1])
    out, err = script("relay-drain", "--target", target, "off", "--undo", code=1)
    assert err == ["relay-drain: off is shut down"]


# ------------------------------------------------------------------------ bulk

BULK = """
track-object:
- {id: 1, type: interface, interface: eth0}
- id: 2
  type: list
  boolean: and
  object:
  - id: 1
instance:
- name: r
  description: "no: a relay"
  tunnel: {mode: 6to4, source: 192.88.99.1, ttl: 33}
  ipv6: {address: 2002:C058:6301::1/128}
  route:
  - {prefix: 192.88.99.0/24, tag: 7}
  - prefix: "2002::/16"
  track: 2
  drain-time: 0
  dampening:
- name: t
  tunnel: {mode: teredo, source: 203.0.113.77}
"""


def test_bulk(box, target, tmp_path):
    """One file, one commit: shown, done, done once; and what the file has not goes when that is asked for."""
    file = tmp_path / "site.yaml"
    file.write_text(BULK)
    box.relay.configure("relay old", "exit", "relay r", "tunnel ttl 20", "ipv6 mtu 1400")
    before = box.relay.running()

    def bulk(*args, **kwargs):
        return script("relay-bulk", "--target", target, *args, file, **kwargs)[0]

    lines = bulk("--dry-run")
    assert lines[-1] == f"{target}: valid, not committed" and box.relay.running() == before
    for line in ("+ track-object[id='2']/object[id='1']", "~ instance[name='r']/tunnel/ttl 20 -> 33",
                 "+ instance[name='r']/ipv6/address[.='2002:c058:6301::1/128']", "+ instance[name='r']/dampening",
                 "+ instance[name='r']/description no: a relay", "+ instance[name='t']/tunnel/mode teredo"):
        assert line in lines
    assert not [line for line in lines if line.startswith("-")]
    assert bulk("--comment", "new site") == lines[:-1] + [f"{target}: committed"]
    text = "\n".join(box.relay.running())
    for line in ("track 2 list boolean and", " object 1", "relay old", " tunnel ttl 33", " ipv6 mtu 1400", " dampening",
                 " ipv6 address 2002:c058:6301::1/128", " route 192.88.99.0/24 tag 7", " tunnel mode teredo"):
        assert f"{line}\n" in text + "\n", text
    assert bulk() == bulk("--dry-run") == [f"{target}: nothing to change"]
    lines = bulk("--replace", "--dry-run")
    assert set(lines) == {"- instance[name='old']", "- instance[name='r']/ipv6/mtu 1400",
                          f"{target}: valid, not committed"}
    bulk("--replace")
    assert set(box.relay.relay_json()) == {"r", "t"} and " ipv6 mtu 1400" not in box.relay.running()
    assert bulk("--replace") == [f"{target}: nothing to change"]
    # all gone
    file.write_text("{}")
    assert bulk() == [f"{target}: nothing to change"]
    bulk("--replace")
    assert box.relay.running() == []


BAD_FILES = {
    "a: [": r":1:\d+: ",
    "instance:\n- name: r\ninstance: []": r":3:1: instance is there twice",
    "instance:\n- tunnel: {}": "/instance: an entry without name",
    "instance: [r]": "/instance: names and values wanted",
    "- a": "no names and values",
    "instance:\n- name: r\n  tunnel: {ttl: [1]}": "/instance/tunnel/ttl: no list",
    "In Stance: 1": "no name of the module",
    "targets: [unix:/a, unix:/a]": "one twice",
    "targets: [nowhere]": "no target",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_bulk_bad_file(text, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    line = refused("relay-bulk", "--target", "unix:/nowhere", file)
    assert str(file) in line and re.search(BAD_FILES[text], line), line


def test_bulk_refused(box, target, tmp_path):
    """relayd's text, and nothing is changed."""
    file = tmp_path / "site.yaml"
    box.relay.configure("track 1 interface eth0 line-protocol")
    for text, why in (("instance: {name: r, track: 9}", "object 9"), ("instance: {name: r, tunnel: {ttl: 256}}", "256"),
                      ("instance: {name: r, colour: red}", "colour"), ("instance: {name: r, enabled: maybe}", "maybe"),
                      ("track-object: {id: 1, type: list, boolean: and}", "condition")):
        file.write_text(text)
        line = refused("relay-bulk", "--target", target, file)
        assert f"{target}: " in line and why in line, line
    assert line == refused("relay-bulk", "--target", target, "--dry-run", file)
    assert line.endswith("(/frr-relay:relay/track-object[id='1']/interface)"), line
    said = box.relay.configure("relay r", "track 9", check=False).strip()
    box.relay.configure("no relay r")
    file.write_text("instance: {name: r, track: 9}")
    assert said[2:] in refused("relay-bulk", "--target", target, file)
    assert box.relay.running() == ["track 1 interface eth0 line-protocol", "exit"]


def test_bulk_two_phases(box, target, tmp_path):
    """Where one of two refuses, or can't be reached, none is changed."""
    file = tmp_path / "sites.yaml"
    with second_router(box) as two:
        other = start(two)
        named = f"targets:\n- {target}\n- target: {other}\n  instance:\n  - {{name: r, tunnel: {{ttl: 9}}}}\n"
        relay = "instance:\n- {name: r, tunnel: {mode: 6to4, source: 192.88.99.1, ttl: 8}}\n"
        two.configure("relay mine", "tunnel mode ipv6ip 6to4", "tunnel source 192.88.99.1", "tunnel interface r")
        file.write_text(named + relay)
        line = refused("relay-bulk", "--two-phase", file)
        assert other in line and "no router has been changed" in line and "interface r" in line
        assert "r" not in box.relay.relay_json()
        # and nothing stays prepared
        box.relay.configure("relay x", "exit", "no relay x")
        two.configure("no relay mine")
        out, _ = script("relay-bulk", "--two-phase", file)
        assert f"{target}: committed" in out and f"{other}: committed" in out
        assert f"{other}: + instance[name='r']/tunnel/ttl 9" in out
        assert (box.relay.relay_json("r")["ttl"], two.relay_json("r")["ttl"]) == (8, 9)
        out, _ = script("relay-bulk", "--two-phase", file)
        assert out == [f"{target}: nothing to change", f"{other}: nothing to change"]
        # one has it, the other not yet
        two.configure("no relay r")
        out, _ = script("relay-bulk", "--two-phase", file)
        assert out[0] == f"{target}: nothing to change" and out[-1] == f"{other}: committed"
        # one of them is not there
        box.relay.configure("relay r", "tunnel ttl 7")
        two.stop("relayd")
        assert other in refused("relay-bulk", "--two-phase", file)
        assert box.relay.relay_json("r")["ttl"] == 7
        # without phases, the first one is done and named
        two.start("relayd", "--grpc", other)
        two.configure("relay mine", "tunnel mode ipv6ip 6to4", "tunnel source 192.88.99.1", "tunnel interface r")
        _, err = script("relay-bulk", file, code=1)
        assert f"committed before: {target}" in err[0] and box.relay.relay_json("r")["ttl"] == 8


# ----------------------------------------------------------------------- watch

def test_watch(box, target, tmp_path):
    """State, changes, a command for each; through a restart of relayd."""
    box.relay.configure(*RELAY, "exit", "relay off")
    box.relay.wait_relay("r", "up")
    log = tmp_path / "log"
    hook = f"""echo "$RELAY_NAME $RELAY_OLD $RELAY_NEW $RELAY_REASON $RELAY_TARGET" >>{log}"""
    with Running("relay-watch", "--target", target, "--exec", hook) as run, \
            Running("relay-watch", "--target", target, "--json", "r") as json_run:
        run.wait(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} r: up, ok$")
        run.wait(r"off: disabled, shutdown$")
        json_run.wait("initial")
        assert not log.exists()
        box.relay.configure("relay r", "maintenance")
        run.wait(r"r: up -> (draining|maintenance), maintenance$")
        wait_for(lambda: re.match(rf"r up \w+ maintenance {target}\n", log.read_text()), 10, "the command has run")
        json_run.wait('"new": "maintenance"')
        # another relayd, in which it is up
        config = "\n".join(line for line in box.relay.running() if line != " maintenance")
        box.relay.stop("relayd")
        run.wait("trying again in 1 s", "err")
        start(box.relay, config=config)
        run.wait("connected again", "err")
        run.wait(r"r: \w+ -> up, ok")
        json_run.wait('"new": "up", .*"initial": false')
        assert not [line for line in run.out if re.search("off: .*while disconnected", line)]
        assert run.stop() == 130 and json_run.stop(signal.SIGTERM) == 130
    events = [json.loads(line) for line in json_run.out]
    assert {event["name"] for event in events} == {"r"} and events[0]["initial"] and events[0]["new"] == "up"
    assert set(events[0]) == {"time", "target", "name", "old", "new", "reason", "detail", "sequence", "initial", "missed"}
    assert "tokyo" in refused("relay-watch", "--target", target, "tokyo")


def test_watch_command_that_fails(box, target):
    box.relay.configure("relay r")
    with Running("relay-watch", "--target", target, "--exec", "exit 3") as run:
        run.wait("r: disabled")
        box.relay.configure(*RELAY)
        run.wait("--exec: exit code 3", "err")
        run.wait("r: .* -> up, ok")
        assert run.stop() == 130


# ------------------------------------------------------------------ Prometheus

LABEL = r'([a-z_]+)="((?:[^"\\\n]|\\[\\n"])*)"'
SAMPLE = re.compile(rf"([a-z_0-9]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
UNITS = ("_seconds", "_bytes_total", "_packets_total")


def exposition(text):
    """{(metric, labels): value} of what promtool would take: HELP, TYPE and samples together, names by the rules."""
    found, metric, kinds = {}, None, {}
    assert text.endswith("\n")
    lines = text.splitlines()
    while lines:
        line = lines.pop(0)
        if line.startswith("# HELP "):
            metric = line.split()[2]
            kind = re.fullmatch(rf"# TYPE {metric} (counter|gauge)", lines.pop(0))
            assert kind and metric not in kinds and len(line.split()) > 4, line
            kinds[metric] = kind[1]
            assert metric.endswith("_total") == (kind[1] == "counter"), metric
            assert metric.startswith("frr_relay_") and re.fullmatch("[a-z][a-z0-9_]*", metric)
            for word in ("milliseconds", "usec", "octets", "percent"):
                assert word not in metric
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample and sample[1] == metric, line
        labels = tuple(re.findall(LABEL, sample[2] or ""))
        assert len(dict(labels)) == len(labels) and (metric, labels) not in found, line
        found[metric[len("frr_relay_"):], labels] = float(sample[sample.lastindex])
    assert all(any(key[0] == metric[len("frr_relay_"):] for key in found) for metric in kinds)
    return found


def test_prometheus(box, target, tmp_path):
    """What show has, by Prometheus' rules; a relayd that is gone is a sample too."""
    rl = box.relay
    rl.configure("track 1 icmp-echo 10.0.0.2", "frequency 200", "exit", "track 2 interface none line-protocol", "exit",
                 *RELAY, f"route {ANYCAST4} track 2", "route 2002::/16", "exit", "relay t", "tunnel mode teredo",
                 "tunnel source 203.0.113.77", "drain-time 0", "no shutdown", "exit", "relay off")
    rl.wait_relay("r", "up")
    rl.wait_relay("t", "up")
    rl.wait_track(1, "up")
    wait_for(lambda: any(r["installed"] for r in rl.relay_json("r")["routes"]), 10, "a route")
    file = tmp_path / "relayd.prom"
    script("relay-prometheus", "--target", target, file)
    found = exposition(file.read_text())
    assert os.listdir(tmp_path) == ["relayd.prom"] and file.stat().st_mode & 0o777 == 0o644

    def value(metric, **labels):
        return found[metric, tuple(labels.items())]

    assert value("scrape_success") == 1 and 0 < value("scrape_duration_seconds") < 5
    shown = rl.relay_json("r")
    assert value("up", relay="r") == value("up", relay="t") == 1 and value("up", relay="off") == 0
    assert value("enabled", relay="r") == 1 and value("enabled", relay="off") == 0
    for name, status in (("r", "up"), ("off", "disabled")):
        states = {labels[1][1]: v for (m, labels), v in found.items() if m == "oper_status" and labels[0][1] == name}
        assert len(states) == 7 and [state for state, v in states.items() if v] == [status]
    assert value("transitions_total", relay="r") == shown["transitions"]
    assert value("last_change_timestamp_seconds", relay="r") == pytest.approx(time.time(), abs=60)
    assert value("routes", relay="r") == 2 and value("routes_installed", relay="r") == 1
    assert value("route_installed", relay="r", prefix=ANYCAST4) == 0
    assert value("route_installed", relay="r", prefix="2002::/16") == 1
    counters = rl.json("relayd", "show relay r counters json")["r"]
    for direction, key in (("4to6", "rx4to6"), ("6to4", "tx6to4")):
        for unit in ("packets", "bytes"):
            assert value(f"{unit}_total", relay="r", direction=direction) <= counters[key][unit]
    for reason in counters["drops"]:
        value("dropped_packets_total", relay="r", reason=reason)
    assert value("teredo_peers", relay="t") == 0 and value("teredo_peers_maximum", relay="t") == 65536
    assert value("track_up", track="1", type="icmp-echo") == 1 and value("track_up", track="2", type="interface") == 0
    assert 0 < value("track_rtt_seconds", track="1", type="icmp-echo") < 0.5
    assert value("track_sent_packets_total", track="1", type="icmp-echo") > 0
    assert value("info", relay="t", mode="teredo", source="203.0.113.77", interface="t",
                 datapath=rl.relay_json("t")["datapath"]) == 1
    # again and again, and over the end of relayd
    with Running("relay-prometheus", "--target", target, "--interval", 0.2, file) as run:
        inode = file.stat().st_ino
        wait_for(lambda: file.stat().st_ino != inode, 10, "another file")
        rl.stop("relayd")
        run.wait("relay-prometheus: unix:", "err")
        wait_for(lambda: exposition(file.read_text())["scrape_success", ()] == 0, 10, "scrape_success 0")
        assert {metric for metric, _ in exposition(file.read_text())} == {"scrape_success", "scrape_duration_seconds"}
        start(rl)
        wait_for(lambda: exposition(file.read_text())["scrape_success", ()] == 1, 10, "scrape_success 1")
        assert run.stop(signal.SIGTERM) == 130
    assert os.listdir(tmp_path) == ["relayd.prom"]
    assert "No such file" in refused("relay-prometheus", "--target", target, tmp_path / "none" / "x.prom")
    script("relay-prometheus", "--target", target, tmp_path / "x.txt", code=2)


def test_prometheus_escapes(monkeypatch):
    """By the exposition format: backslash, quote, newline."""
    monkeypatch.syspath_prepend(EXAMPLES)
    loader = importlib.machinery.SourceFileLoader("relay_prometheus", str(EXAMPLES / "relay-prometheus"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    samples = module.Samples()
    samples.add("info", 1, relay='a"b\\c\nd')
    samples.add("routes", None, relay="r")
    assert exposition(samples.text()) == {("info", (("relay", 'a\\"b\\\\c\\nd'),)): 1}


# ------------------------------------------------------------------------- TLS

def test_tls_as_in_the_readme(net, tmp_path):
    """The openssl commands of examples/README.rst, as they stand there; who has no certificate is refused."""
    text = (EXAMPLES / "README.rst").read_text().replace("\\\n", " ")
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith("openssl ")]
    assert len(commands) == 5
    # and someone else's
    commands += [re.sub(r"\bca\b", "otherca", commands[0]),
                 *(re.sub(r"\bca\b", "otherca", re.sub(r"\bnoc\b", "other", line)) for line in commands[3:])]
    for line in commands:
        subprocess.run(line, shell=True, cwd=tmp_path, check=True, capture_output=True)
    where = net.relay.dir / "tls"
    where.mkdir(exist_ok=True)
    for file in ("rl1.pem", "rl1.key", "ca.pem"):
        shutil.copy(tmp_path / file, where / file)
        shutil.chown(where / file, "frr", "frr")
    target = f"{net.relay.peer4}:50051"
    net.relay.start("relayd", "--grpc", target, "--grpc-cert", where / "rl1.pem", "--grpc-key", where / "rl1.key",
                    "--grpc-client-ca", where / "ca.pem")
    net.relay.configure("relay r")

    def ask(*names, code=0):
        files = [word for option, name in zip(("--cert", "--key", "--ca"), names) for word in (option, tmp_path / name)]
        return script("relay-prometheus", "--target", target, *files, "-", ns=net.net, code=code)

    out, _ = ask("noc.pem", "noc.key", "ca.pem")
    assert 'frr_relay_up{relay="r"} 0' in out
    for names in ((), ("other.pem", "other.key", "ca.pem"), ("noc.pem", "noc.key", "otherca.pem"),
                  ("noc.pem", "other.key", "ca.pem")):
        out, err = ask(*names, code=1)
        assert "frr_relay_scrape_success 0" in out and len(err) == 1, (names, err)
