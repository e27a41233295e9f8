# SPDX-License-Identifier: GPL-2.0-or-later
"""A million peers of relayd's Teredo engine: memory, the time to load them, packets while they age out.

All at real-time priority: what others on the machine do is not what is asked.
"""

import json
import statistics
import subprocess
import time

from forwarding import BLAST, Forwarder, processors
from lab import BUILD, Lab, wait_for
from teredo_routers import RELAY, client_frame

MILLION = BUILD / "tests" / "bench" / "million"
PEERS = BUILD / "tests" / "bench" / "teredo_peers"
FLOW_CLIENT = "192.0.2.46"
# of the clients' packets; those that were lost in front of the engine come again, slower
RATE, TRIES = 300000, 20
# that a peer is kept after it was last heard of
LIFE = 300
BASELINE = 10


def load(peers, trials):
    """Seconds until table and map have them: a packet of each through the relay's own code."""
    found = []
    for _ in range(trials):
        run = subprocess.run(["chrt", "-f", "1", PEERS, str(peers), "map"], capture_output=True, text=True, check=True)
        found.append({name: float(value) for name, value, _ in (line.split("\t") for line in run.stdout.splitlines()
                                                                if line.startswith("load, "))})
    return {"trials": trials, "seconds": statistics.median(one["load, all"] for one in found) / 1e3,
            "cpu_seconds": statistics.median(one["load, each"] for one in found) * peers / 1e9}


class Engine:
    """The engine, in a router's namespace; what its flow has seen since it was last asked."""

    def __init__(self, lab, ns, peers):
        self.proc = lab.spawn(ns, "chrt", "-f", "1", MILLION, peers, RELAY, FLOW_CLIENT, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
        assert self.proc.stdout.readline() == "ready\n", "million"

    def ask(self):
        self.proc.stdin.write("\n")
        self.proc.stdin.flush()
        return json.loads(self.proc.stdout.readline())

    def flow(self, seconds):
        """Undisturbed for so long."""
        self.ask()
        time.sleep(seconds)
        return self.ask()


def fill(lab, router, engine, peers, rate=RATE):
    """Simulated clients by the million, a packet each; seconds that it took, and of the engine's thread."""
    sends, _ = processors()
    before, began = engine.ask(), time.monotonic()
    sender = lab.spawn(router.head, "taskset", "-c", sends, BLAST, "clients", "head", 10 * peers / rate, rate, peers,
                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    sender.stdin.write(client_frame().hex() + "\n")
    sender.stdin.close()
    assert sender.wait(120) == 0, "blast clients"
    after = engine.ask()
    return {"peers": after["peers"], "seconds": round(time.monotonic() - began, 2),
            "engine_seconds": round((after["engine_ns"] - before["engine_ns"]) / 1e9, 3)}


def ageing(engine, since):
    """The flow while all but its own peer go."""
    # the first to come was heard of last by `since`
    while time.monotonic() < since + LIFE - 5:
        time.sleep(1)
    start = engine.ask()
    began, worst, sent, back, busy = None, 0, 0, 0, start["engine_ns"]
    end = time.monotonic() + 120
    while True:
        found = engine.ask()
        worst = max(worst, found["worst_us"])
        sent, back = sent + found["sent"], back + found["back"]
        if found["peers"] < start["peers"] and began is None:
            began = time.monotonic()
        if found["peers"] <= 1:
            break
        assert time.monotonic() < end, f"peers stay: {found}"
        time.sleep(0.2)
    return {"seconds": round(time.monotonic() - began, 1), "sent": sent, "back": back,
            "worst_ms": worst / 1000, "engine_seconds": round((found["engine_ns"] - busy) / 1e9, 3)}


def million(peers, trials, with_ageing):
    report = {"peers": peers, "load": load(peers, trials)}
    with Lab() as lab:
        router = Forwarder(lab, 0)
        router.ns.ip(f"addr add {RELAY}/32 dev lo", f"addr add {FLOW_CLIENT}/32 dev lo")
        engine = Engine(lab, router.ns, peers + 1)
        wait_for(lambda: engine.ask()["back"], 10, "the flow")
        empty = engine.flow(BASELINE if with_ageing else 1)
        report["empty"] = {key: empty[key] / 1000 for key in ("median_us", "worst_us")}
        report["filled"] = fill(lab, router, engine, peers)
        began = time.monotonic() - report["filled"]["seconds"]
        for _ in range(TRIES):
            full = engine.ask()
            if full["trusted"] == peers + 1:
                break
            began = time.monotonic()
            fill(lab, router, engine, peers, RATE / 3)
        assert full["trusted"] == peers + 1, full
        report["memory"] = {"rss": full["rss"] - empty["rss"], "map": full["map"], "table": full["table"]}
        full = engine.flow(BASELINE if with_ageing else 1)
        report["full"] = {key: full[key] / 1000 for key in ("median_us", "worst_us")}
        if with_ageing:
            report["ageing"] = ageing(engine, began)
    show(report)
    return report


def show(report):
    mega = {key: value / 1e6 for key, value in report["memory"].items()}
    print(f"{report['peers']} peers")
    print(f"memory: {mega['rss'] + mega['map']:.1f} MB, {mega['rss']:.1f} of the process, {mega['map']:.1f} of the "
          "programs' map")
    print(f"load: {report['load']['seconds']:.2f} s, of which on a processor {report['load']['cpu_seconds']:.2f} "
          f"(median of {report['load']['trials']}); from the wire, at {RATE} a second, "
          f"{report['filled']['engine_seconds']:.2f} s of the engine's thread")
    for what in ("empty", "full"):
        print(f"a packet to and fro, {what}: median {report[what]['median_us']:.3f} ms, worst {report[what]['worst_us']:.3f} ms")
    if "ageing" in report:
        found = report["ageing"]
        print(f"while all age out, {found['seconds']} s: worst {found['worst_ms']:.3f} ms, "
              f"{found['sent'] - found['back']} of {found['sent']} packets lost")
