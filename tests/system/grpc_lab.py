# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of gRPC share: a configuration, words for what came of it, clients in processes of their own."""

import contextlib
import pathlib
import signal
import subprocess
import sys
import threading
import time

from lab import Vty, stop_process

WORKER = pathlib.Path(__file__).with_name("grpc_worker.py")
PORT = 50051
LINES = ("track 1 interface eth0 line-protocol", "exit", "relay a", "description the first", "tunnel mode ipv6ip 6to4",
         "tunnel source 192.88.99.1", "tunnel ttl 100", "ipv6 address 2001:db8:77::1/64",
         "ipv6 address 2001:db8:78::1/64", "route 192.88.99.0/24 tag 7", "exit", "relay b", "tunnel mode teredo",
         "maintenance", "exit")
RELAY_A = {"name": "a", "description": "the first",
           "tunnel": {"mode": "6to4", "source": "192.88.99.1", "ttl": 100},
           "ipv6": {"address": ["2001:db8:77::1/64", "2001:db8:78::1/64"]},
           "route": [{"prefix": "192.88.99.0/24", "tag": 7}]}
RELAY_B = {"name": "b", "maintenance": True, "tunnel": {"mode": "teredo"}}
TRACK_1 = {"id": 1, "type": "interface", "interface": "eth0"}
CONFIG = {"track-object": [TRACK_1], "instance": [RELAY_A, RELAY_B]}


def config(client):
    return client.tree("/", kind="CONFIG")


def relays(client):
    """The configuration of each relay, by its name; a list has no order."""
    return {each["name"]: each for each in config(client).get("instance", [])}


def shown(router):
    return router.json("relayd", "show grpc json")


def holds(router, **wanted):
    """Nobody is in the middle of anything but of this."""
    found = shown(router)
    return {key: found[key] for key in ("sessions", "calls", "subscriptions", "prepared", "lock")} == {
        "sessions": 0, "calls": 0, "subscriptions": 0, "prepared": 0, "lock": None, **wanted}


@contextlib.contextmanager
def worker(router, *args, ready=True):
    """A client in a process of its own; it says its first line before it is lent."""
    proc = router.lab.spawn(router.ns, sys.executable, "-B", WORKER, *args, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    try:
        if ready:
            line = proc.stdout.readline()
            assert line, proc.stderr.read()
        yield proc
    finally:
        stop_process(proc, signal.SIGKILL)
        router.lab.procs.remove(proc)
        proc.stdout.close()
        proc.stderr.close()


class Pulse(threading.Thread):
    """Asks relayd's vty all the time, and keeps how long the slowest answer took."""

    def __init__(self, router):
        super().__init__()
        self.path = router.dir / "relayd.vty"
        self.stop = threading.Event()
        self.slowest, self.count = 0, 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.join()

    def run(self):
        with Vty(self.path) as vty:
            while not self.stop.is_set():
                began = time.monotonic()
                vty.ask("show relay json")
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.count += 1
                self.stop.wait(0.005)
