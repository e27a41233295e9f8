# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of a northbound server, each a process (grpc_load.cc), and what they tell."""

import collections
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

from grpc_build import OUT
from lab import Vty, wait_for

PORT = 50051
TICKS = os.sysconf("SC_CLK_TCK")
TIMEOUT = 120


def cpu_seconds(pid):
    """Of all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_kib(pid):
    return int(pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").split("VmRSS:")[1].split()[0])


# ----------------------------------------------------------------- programs

class Load:
    """A grpc_load: it waits until it is told to begin."""

    def __init__(self, server, *args):
        self.proc = server.lab.spawn(server.router.ns, OUT / "grpc_load", args[0], f"127.0.0.1:{PORT}", *args[1:],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                     # libgrpc has words for its own end
                                     env={**os.environ, "GRPC_VERBOSITY": "NONE"})
        self.lab = server.lab

    def wait_ready(self):
        assert self.proc.stdout.readline() == "ready\n", f"grpc_load ended with {self.proc.wait(10)}"

    def begin(self):
        self.proc.stdin.write("\n")
        self.proc.stdin.flush()

    def result(self):
        out, _ = self.proc.communicate(timeout=TIMEOUT)
        self.lab.procs.remove(self.proc)
        assert self.proc.returncode == 0, f"grpc_load ended with {self.proc.returncode}"
        return json.loads(out)


def percentiles(pairs, points=(50, 99)):
    """Of [microseconds, how often]: {"p50": .., "p99": .., "max": ..} in milliseconds."""
    pairs = sorted(pairs)
    total = sum(count for _, count in pairs)
    found, seen = {}, 0
    wanted = list(points)
    for us, count in pairs:
        seen += count
        while wanted and seen >= total * wanted[0] / 100:
            found[f"p{wanted.pop(0)}"] = us / 1000
    found["max"] = pairs[-1][0] / 1000
    return found


def run(server, *loads):
    """The programs all at once; what they have found, and what the daemon has taken of processors."""
    programs = [Load(server, *args) for args in loads]
    for program in programs:
        program.wait_ready()
    busy, began = cpu_seconds(server.pid), time.monotonic()
    for program in programs:
        program.begin()
    results = [program.result() for program in programs]
    took = time.monotonic() - began
    calls, errors = {}, collections.Counter()
    for result in results:
        errors.update(result["errors"])
        for name, times in result["calls"].items():
            calls.setdefault(name, []).extend(times)
    return {"results": results, "cpu_s": cpu_seconds(server.pid) - busy, "seconds": took, "errors": dict(errors),
            "calls": {name: percentiles(times) for name, times in calls.items()}}


def commits(server, relays, seconds):
    """A client for each of the relays."""
    found = run(server, *(("loop", relay, server.number(relay), seconds) for relay in relays))
    count = sum(result["commits"] for result in found["results"])
    for relay, result in zip(relays, found["results"]):
        server.numbers[relay] = result["acknowledged"]
    return {"commits_s": sum(result["commits"] / result["seconds"] for result in found["results"]),
            "cpu_ms": found["cpu_s"] * 1000 / max(count, 1), "commits": count, "core": found["cpu_s"] / found["seconds"],
            **{what: sum(result[what] for result in found["results"]) for what in ("lost", "torn")},
            "errors": found["errors"], "calls": found["calls"]}


def gets(server, clients, kind, path, calls, seconds):
    found = run(server, *[("get", kind, path, calls, seconds)] * clients)
    count = sum(result["gets"] for result in found["results"])
    return {"gets": count, "gets_s": sum(result["gets"] / result["seconds"] for result in found["results"]),
            "octets": found["results"][0]["octets"], "cpu_ms": found["cpu_s"] * 1000 / count, "errors": found["errors"],
            **found["calls"]["Get"]}


# ------------------------------------------------------------------- beside

class Beside:
    """Something that is done again and again in a thread, until the block ends."""

    def __init__(self, pause):
        self.pause, self.error = pause, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.body)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(TIMEOUT)
        if self.error:
            raise self.error

    def body(self):
        try:
            while not self.over.wait(self.pause):
                self.turn()
        except Exception as err:  # for who has begun it
            self.error = err


class Editor(Beside):
    """An operator: a relay's description with a number, by vtysh's own socket, and each second by vtysh."""

    def __init__(self, server, relay, pause=0.05, vtysh_every=20):
        super().__init__(pause)
        self.server, self.relay, self.every = server, relay, vtysh_every
        self.edits = self.lost = 0
        self.refused = collections.Counter()
        self.last = 0

    def turn(self):
        text = f"{self.relay}-{self.edits + 1}"
        lines = (f"relay {self.relay}", f"description {text}", "drain-time " + str((self.edits + 1) % 601))
        if self.edits % self.every == self.every - 1:
            out = self.server.router.vtysh_configure(*lines)
        else:
            out = self.server.router.configure(*lines, check=False)
        self.edits += 1
        if out.strip():
            self.refused[out.strip()] += 1
            return
        self.last = self.edits
        # the server may be one that undoes it with the next client's commit
        if self.edits % self.every == 0 and text not in "\n".join(self.server.router.running()):
            self.lost += 1


class Probe(Beside):
    """How long relayd's main thread takes to answer on its vty."""

    def __init__(self, server, pause=0.01):
        super().__init__(pause)
        self.times = []
        self.vty = Vty(server.router.dir / "relayd.vty")

    def __exit__(self, *args):
        with contextlib.closing(self.vty.sock):
            super().__exit__(*args)

    def turn(self):
        began = time.monotonic()
        self.vty.ask("show version")
        self.times.append([round((time.monotonic() - began) * 1e6), 1])

    def found(self):
        return {"questions": len(self.times), **percentiles(self.times)}


@contextlib.contextmanager
def stopped_client(server, kind, path, times):
    """A client that has asked for more than it reads, and has stopped."""
    load = Load(server, "stop", kind, path, times)
    load.wait_ready()
    load.begin()
    stat = pathlib.Path(f"/proc/{load.proc.pid}/stat")
    state = wait_for(lambda: (now := stat.read_text(encoding="ascii").rpartition(")")[2].split()[0]) in "TZ" and now, 30,
                     "the client has stopped")
    assert state == "T", f"it was not to end: {load.result()}"
    found = {}
    yield found
    load.proc.send_signal(signal.SIGCONT)
    found.update(load.result())
