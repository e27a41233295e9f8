# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of gRPC share: a configuration, words for what came of it, clients in processes of their own."""

import contextlib
import math
import pathlib
import signal
import subprocess
import sys
import threading
import time

from lab import RELAYD, Timeout, Vty, stop_process, wait_for

# then the memory is the sanitizers', and so is the time
SANITIZED = RELAYD.exists() and b"__asan_init" in RELAYD.read_bytes()
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


def resident(router):
    """KiB"""
    status = pathlib.Path(f"/proc/{router.procs['relayd'].pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0])


def holds(router, **wanted):
    """Nobody is in the middle of anything but of this, or is in a moment; a call has its answer before it is over."""
    idle = {"sessions": 0, "calls": 0, "subscriptions": 0, "prepared": 0, "lock": None}

    def there():
        found.update(shown(router))
        return {key: found[key] for key in idle} == {**idle, **wanted}

    found = {}
    try:
        return wait_for(there, 5, f"{wanted} and nothing else")
    except Timeout as err:
        raise Timeout(f"{err}: {found}") from None


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


class Pulse:
    """Asks relayd's vty all the time, and zebra's: what keeps both waiting is the machine."""

    def __init__(self, router):
        self.router = router
        self.stop = threading.Event()
        self.slowest, self.count = {}, {}
        self.threads = [threading.Thread(target=self.run, args=each)
                        for each in (("relayd", "show relay json"), ("zebra", "show route-map"))]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def run(self, daemon, line):
        slowest = count = 0
        try:
            with Vty(self.router.dir / f"{daemon}.vty") as vty:
                while not self.stop.is_set():
                    began = time.monotonic()
                    vty.ask(line)
                    slowest = max(slowest, time.monotonic() - began)
                    count += 1
                    self.stop.wait(0.005)
        except OSError:
            slowest = math.inf
        self.slowest[daemon], self.count[daemon] = slowest, count

    def fine(self, seconds):
        """Was each answer there so soon?  After the end."""
        print(f"slowest {self.slowest}, answers {self.count}")
        return self.slowest["relayd"] < seconds + self.slowest["zebra"] and self.count["relayd"]
