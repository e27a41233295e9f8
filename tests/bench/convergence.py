# SPDX-License-Identifier: GPL-2.0-or-later
"""From a fault to the UPDATE that withdraws, for relayd and for what an operator would pick instead.

    scripts/bench convergence [--fault NAME...] [--who NAME...] [--trials N] [--json FILE [--add]]

One lab, one run: each contender (lib/contenders.py) has a router and a BGP
neighbour of its own; the time of the withdrawal is the kernel's timestamp of
the packet that arrives at the neighbour, an UPDATE or the end of the session.
Contenders that act on news take turns, trial by trial, and nothing else is
tried or looks at anything meanwhile; those that a timer of a second or more drives run beside each other, at
random phases.  What has not happened after 30 s counts as not noticed, and is
tried three times instead of twenty.

With --json FILE --add, a run goes on where the last one ended, so that several
make one table; --seconds bounds one, --show prints the table.
"""

import argparse
import json
import pathlib
import platform
import random
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

from contenders import CONTENDERS  # noqa: E402
from lab import Lab, Timeout, wait_for  # noqa: E402

GIVE_UP_S = 30
UNNOTICED_TRIES = 3

FAULTS = {
    "interface": "interface gone",
    "address": "address gone",
    "process": "process killed",
    "target": "target silent, probe 1 s x 3",
    "bfd": "target silent, BFD 50 ms x 3",
    "oneway": "protocol 41 lost on its way out",
}
# who acts on the kernel's news there, and not on a timer
EVENTS = {"interface": ("relayd", "bird+script", "keepalived"), "address": ("relayd",), "process": ("relayd",),
          "bfd": ("relayd", "bird+script", "keepalived")}
# sites for one contender, which share its trials: it takes long to notice and longer to come back
REPLICAS = {"exabgp": 3, "keepalived": 2}


def trial(site, fault, rng):
    """Milliseconds until the last prefix that must go is gone; None: not noticed."""
    site.wait_announced()
    # not in step with any timer
    time.sleep(1 + rng.random() * site.period)
    began = time.time()
    prefixes = site.fault(fault)
    try:
        wait_for(lambda: all(site.watch.lost(p, began) for p in prefixes), GIVE_UP_S, "withdrawal")
        took = (max(site.watch.lost(p, began) for p in prefixes) - began) * 1000
    except Timeout:
        took = None
    site.mend(fault)
    return took


class Row:
    """The trials of one contender."""

    def __init__(self, sites, trials, end, ms=(), unnoticed=0):
        self.sites, self.trials, self.end = sites, trials, end
        self.ms, self.unnoticed = list(ms), unnoticed
        self.lock = threading.Lock()
        self.started = len(self.ms) + unnoticed
        self.error = None

    def wanted(self):
        with self.lock:
            if self.started >= (self.trials if self.ms or not self.unnoticed else UNNOTICED_TRIES) or \
                    time.monotonic() > self.end:
                return False
            self.started += 1
            return True

    def one(self, site, fault, rng):
        took = trial(site, fault, rng)
        with self.lock:
            if took is None:
                self.unnoticed += 1
            else:
                self.ms.append(round(took, 1))

    def all(self, site, fault, rng):
        try:
            while self.wanted():
                self.one(site, fault, rng)
        except BaseException as err:  # shown by the main thread
            self.error = err


def beside(rows, fault):
    """All of them at the same time."""
    threads = [threading.Thread(target=row.all, args=(site, fault, random.Random()))
               for row in rows.values() for site in row.sites]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run_fault(sites, fault, trials, end, results):
    """{contender: Row}, each with what results has of it already."""
    rows = {name: Row(group, trials, end, **results.get(name, {})) for name, group in sites.items()}
    rng = random.Random()
    turns = {name: row for name, row in rows.items() if name in EVENTS.get(fault, ())}
    hogs = {name: row for name, row in rows.items() if CONTENDERS[name].hog}
    others = {name: row for name, row in rows.items() if name not in turns and name not in hogs}

    def pause(some, paused):
        for row in some.values():
            for site in row.sites:
                site.pause(paused)

    pause({**others, **hogs}, True)
    going = set(turns)
    while going:
        for name in sorted(going):
            if turns[name].wanted():
                turns[name].one(turns[name].sites[0], fault, rng)
            else:
                going.discard(name)
    pause(others, False)
    beside(others, fault)
    pause(hogs, False)
    beside(hogs, fault)
    for name, row in rows.items():
        if row.error:
            raise AssertionError(f"{name}, {fault}: {row.error}") from row.error
    return rows


def run(report, faults, who, trials, seconds):
    end = time.monotonic() + seconds
    for bfd in (False, True):
        wanted = [f for f in faults if (f == "bfd") == bfd]
        if not wanted:
            continue
        with Lab() as lab:
            began = time.monotonic()
            sites = {}
            for name in who:
                if bfd and not CONTENDERS[name].bfd_able:
                    continue
                count = 1 if bfd else min(REPLICAS.get(name, 1), trials)
                sites[name] = [CONTENDERS[name](lab, f"{len(sites)}{n}", bfd) for n in range(count)]
                print(f"{time.monotonic() - began:5.0f} s: {name} is there", file=sys.stderr, flush=True)
            for site in (s for group in sites.values() for s in group):
                site.wait_announced()
            print(f"{time.monotonic() - began:5.0f} s: all announce", file=sys.stderr, flush=True)
            for fault in wanted:
                results = report["results"].setdefault(fault, {})
                for name, row in run_fault(sites, fault, trials, end, results).items():
                    results[name] = {"ms": row.ms, "unnoticed": row.unnoticed}
                    print(f"{time.monotonic() - began:5.0f} s: {fault}: {name}: {len(row.ms)}: {text(results[name])}",
                          file=sys.stderr, flush=True)
                yield fault


def figures(ms):
    return f"{statistics.median(ms):9.0f} {max(ms):9.0f}"


def text(row):
    if not row["ms"]:
        if not row["unnoticed"]:
            return "        -         -"
        return f"not noticed in {GIVE_UP_S} s ({row['unnoticed']} trials)"
    return figures(row["ms"]) + (f"   and {row['unnoticed']} not noticed" if row["unnoticed"] else "")


def table(results):
    print("milliseconds from the fault to the withdrawal at the neighbour")
    print(f"{'fault':33} {'contender':13} {'trials':>6}    median     worst   to relayd's median")
    for fault, title in FAULTS.items():
        rows = results.get(fault, {})
        ours = rows.get("relayd", {}).get("ms")
        for name in CONTENDERS:
            row = rows.get(name)
            if row:
                ratio = f"   {statistics.median(row['ms']) / statistics.median(ours):8.2f}" if ours and row["ms"] else ""
                print(f"{title:33} {name:13} {len(row['ms']) + row['unnoticed']:6} {text(row)}{ratio}")
            elif rows and fault == "bfd" and not CONTENDERS[name].bfd_able:
                print(f"{title:33} {name:13}      -  has no BFD")
    print()
    for name, kind in CONTENDERS.items():
        print(f"{name:13} {kind.what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--fault", choices=FAULTS, nargs="*", default=list(FAULTS))
    parser.add_argument("--who", choices=CONTENDERS, nargs="*", default=list(CONTENDERS))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no trial after that time")
    parser.add_argument("--add", action="store_true", help="to what the file holds")
    parser.add_argument("--show", action="store_true", help="print the table of the file, run nothing")
    args = parser.parse_args()

    report = {"results": {}}
    if args.json and args.json.exists() and (args.add or args.show):
        report = json.loads(args.json.read_text(encoding="ascii"))
    if not args.show:
        report["kernel"] = platform.release()
        for _ in run(report, args.fault, args.who, args.trials, args.seconds):
            if args.json:
                args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="ascii")
    table(report["results"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
