# SPDX-License-Identifier: GPL-2.0-or-later
"""Northbound gRPC: relayd's own server beside FRR's module, in one relayd build, one lab and one run.

    scripts/bench grpc [--part commits|beside|gets|memory|latency|size] [--server NAME...] [--quick] [--json FILE]

FRR's module is not in Debian's package; it is built here from the package's source and
loaded into relayd (-M), so that daemon and YANG model are the same (lib/grpc_build.py).
It listens on all addresses, here those of a namespace.  The clients, one program for both
servers, are made from FRR's proto file (grpc_load.cc), a process each, and on the same
processors as relayd.

A commit is five calls: CreateCandidate, EditCandidate of two leaves, Commit of all phases,
Get of the relay, DeleteCandidate.  Each client has a relay of its own; what Get shows must be
what this client has committed last.  "lost": it is not, as another's commit, of a candidate
that was older, has undone it; FRR's module works so.  "torn": one leaf is, the other is not.

commits: 1 and 4 clients, the servers in turns: medians, and ratios of the same turn.

beside: 4 clients for a minute, and an operator who edits with vtysh.  At the end the
configuration must have what each of them was last told that it has.

gets: Get alone.  CPU: user and system time of relayd, all threads (/proc/PID/stat).

memory: resident memory of relayd after 5,000 calls of Get, and after each 25,000 of 100,000.

latency: how long a vty waits for its answer, at rest, with 4 clients, with a client that has
asked for far more than it reads and has stopped (SIGSTOP), and with all of these.

size: commits with 200 relays, all up, and 1000 tracked objects, as in `scripts/bench scale`.
"""

import argparse
import contextlib
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

from grpc_build import build  # noqa: E402
from grpc_clients import PORT, Editor, Probe, commits, gets, rss_kib, stopped_client  # noqa: E402
from report import conclude, machine  # noqa: E402
import test_scale  # noqa: E402
from conftest import Box  # noqa: E402
from lab import Lab, wait_for  # noqa: E402

PARTS = ("commits", "beside", "gets", "memory", "latency", "size")
SERVERS = ("relayd", "frr")
CLIENTS = (1, 4)
RELAYS = [f"b{number}" for number in range(max(CLIENTS))]
OPERATOR = "v"
ALL, ONE = "/frr-relay:relay", "/frr-relay:relay/instance[name='b0']"
# FRR's module can't show the state of one relay
GETS = (("CONFIG", ONE), ("CONFIG", ALL), ("ALL", ALL))
CALLS = ("CreateCandidate", "EditCandidate", "Commit", "Get", "DeleteCandidate")
# what the issue asks for, and that the vty of a router is not waited for
GOALS = {"commits_s": 500, "of_frr": 0.8, "rss_kib": 512, "latency_ms": 100}


# ------------------------------------------------------------------- servers

class Server:
    """relayd with one of the two."""

    def __init__(self, lab, router, name, module):
        self.lab, self.router, self.name = lab, router, name
        self.numbers = {}
        # an address of its own is what FRR's module does not take
        router.start("relayd", *(("--grpc", PORT) if name == "relayd" else ("-M", f"{module}:{PORT}")))
        self.pid = router.procs["relayd"].pid
        wait_for(lambda: f":{PORT} " in router.ns.run("ss", "-Hltn").stdout, 30, f"{name} listens")

    def number(self, relay):
        """Of the last commit for this relay."""
        return self.numbers.get(relay, 0)

    def verify(self, sound=True):
        """What the configuration does not have of what was acknowledged."""
        if sound:
            self.router.assert_sound()
        running = self.router.running()
        missing = []
        for relay, number in self.numbers.items():
            at = running.index(f"relay {relay}")
            block = running[at:running.index("exit", at)]
            # 5 is the default
            for line in {f" description {relay}-{number}", f" drain-time {number % 601}"} - {" drain-time 5"}:
                if line not in block:
                    missing.append(f"{relay}:{line}")
        return missing


@contextlib.contextmanager
def servers(args):
    """Each in a namespace of its own, with some relays that are shut down."""
    with Lab() as lab:
        found = []
        for name in args.server:
            router = lab.router(name)
            router.start("zebra")
            server = Server(lab, router, name, args.module)
            for number, relay in enumerate([*RELAYS, OPERATOR], 1):
                router.configure(f"relay {relay}", "tunnel mode ipv6ip 6to4", f"tunnel source 198.18.0.{number}")
            found.append(server)
        yield found
        for server in found:
            stop(server)


def stop(server):
    """The end of a server that has not crashed, and leaves no memory behind where a sanitizer looks."""
    server.router.assert_sound()
    code = server.router.stop("relayd", timeout=120)
    assert code == 0 or server.name != "relayd", f"relayd ended with {code}: {server.router.log('relayd')[-3000:]}"
    if server.name == "relayd":
        server.router.assert_sound()


# ------------------------------------------------------------------- commits

def take_turns(found, rounds, measure):
    """{name: results of all rounds}"""
    results = {server.name: [] for server in found}
    for number in range(rounds):
        first = number % len(found)
        for server in found[first:] + found[:first]:
            results[server.name].append(measure(server))
    return results


def merged(turns):
    """Many turns in one: medians, sums, and the worst of all."""
    errors = {}
    for turn in turns:
        for text, count in turn["errors"].items():
            errors[text] = errors.get(text, 0) + count
    calls = {name: {key: (max if key == "max" else statistics.median)(turn["calls"][name][key] for turn in turns)
                    for key in turns[0]["calls"][name]} for name in turns[0]["calls"]}
    return {**{key: round(statistics.median(turn[key] for turn in turns), 3) for key in ("commits_s", "cpu_ms", "core")},
            **{key: sum(turn[key] for turn in turns) for key in ("commits", "lost", "torn")}, "errors": errors, "calls": calls}


def ratio(turns, name):
    """Of FRR's module, in the same turn."""
    if "frr" not in turns:
        return None
    return round(statistics.median(ours["commits_s"] / theirs["commits_s"]
                                   for ours, theirs in zip(turns[name], turns["frr"])), 3)


COMMITS = (f"{'server':7} {'clients':>7} {'beside':7} {'commits/s':>9} {'of FRR':>6} {'CPU ms each':>11} {'core':>5} "
           f"{'commits':>8} {'lost':>6} {'torn':>5}  errors")


def commits_line(row):
    of_frr = f"{row['ratio']:6.2f}" if row["ratio"] else "     -"
    return (f"{row['server']:7} {row['clients']:7} {row['beside']:7} {row['commits_s']:9.0f} {of_frr} {row['cpu_ms']:11.2f} "
            f"{row['core']:5.2f} {row['commits']:8} {row['lost']:6} {row['torn']:5}  {row['errors'] or 0}")


def calls_lines(row):
    return [f"{row['server']:7} {row['clients']:7} {name:16} {times['p50']:8.2f} {times['p99']:8.2f} {times['max']:8.1f}"
            for name in CALLS for times in (row["calls"].get(name),) if times]


CALL_TIMES = f"{'server':7} {'clients':>7} {'call, ms':16} {'median':>8} {'99 %':>8} {'worst':>8}"


def commit_rows(found, clients, turns, beside="-"):
    rows = [{"server": server.name, "clients": clients, "beside": beside, "ratio": ratio(turns, server.name),
             **merged(turns[server.name])} for server in found]
    for row in rows:
        print(commits_line(row), flush=True)
    return rows


def commits_part(args):
    rows = []
    with servers(args) as found:
        print(COMMITS)
        for clients in args.clients:
            turns = take_turns(found, args.rounds, lambda server: commits(server, RELAYS[:clients], args.seconds))
            rows += commit_rows(found, clients, turns)
        for server in found:
            missing = server.verify()
            assert server.name != "relayd" or not missing, f"lost at the end: {missing}"
    print("\n".join([CALL_TIMES, *(line for row in rows for line in calls_lines(row))]))
    return rows


# -------------------------------------------------------------------- beside

def beside_part(args):
    rows = []
    with servers(args) as found:
        print(COMMITS)
        turns = {}
        for server in found:
            with Editor(server, OPERATOR) as editor:
                turns[server.name] = [commits(server, RELAYS[:max(args.clients)], args.beside_seconds)]
            server.numbers[OPERATOR] = editor.last
            turns[server.name][0]["vtysh"] = {"edits": editor.edits, "lost": editor.lost, "refused": dict(editor.refused),
                                              "missing": server.verify()}
        rows = commit_rows(found, max(args.clients), turns, "vtysh")
        for row in rows:
            row["vtysh"] = turns[row["server"]][0]["vtysh"]
            print(f"{row['server']:7} vtysh: {row['vtysh']['edits']} edits, {row['vtysh']['lost']} lost, refused: "
                  f"{row['vtysh']['refused'] or 0}; missing at the end: {row['vtysh']['missing'] or 'nothing'}")
    return rows


# ---------------------------------------------------------------------- gets

def gets_part(args):
    rows = []
    with servers(args) as found:
        print(f"{'server':7} {'clients':>7} {'get':6} {'of':40} {'calls/s':>8} {'octets':>7} {'CPU ms each':>11} {'median':>7} "
              f"{'99 %':>7} {'worst':>7}  errors")
        for clients in args.clients:
            for kind, path in GETS:
                turns = take_turns(found, args.get_rounds, lambda server: gets(server, clients, kind, path, 10**9, args.get_seconds))
                for server in found:
                    turn = sorted(turns[server.name], key=lambda one: one["gets_s"])[args.get_rounds // 2]
                    rows.append(row := {"server": server.name, "clients": clients, "type": kind, "path": path, **turn})
                    print(f"{server.name:7} {clients:7} {kind:6} {path:40} {row['gets_s']:8.0f} {row['octets']:7} "
                          f"{row['cpu_ms']:11.3f} {row['p50']:7.2f} {row['p99']:7.2f} {row['max']:7.1f}  {row['errors'] or 0}",
                          flush=True)
    return rows


def memory_part(args):
    """relayd's own: what it gives its memory back to is asked of no other."""
    rows = []
    with servers(argparse.Namespace(**{**vars(args), "server": ["relayd"]})) as (server,):
        for kind, path in (("ALL", ALL), ("CONFIG", ONE), ("STATE", ONE)):
            clients = max(args.clients)
            errors = gets(server, clients, kind, path, args.warm_up // clients, 600)["errors"]
            sizes = [rss_kib(server.pid)]
            for _ in range(4):
                found = gets(server, clients, kind, path, args.memory_gets // 4 // clients, 600)
                errors.update(found["errors"])
                sizes.append(rss_kib(server.pid))
            rows.append({"type": kind, "path": path, "gets": args.memory_gets, "rss_kib": sizes, "growth_kib": sizes[-1] - sizes[0],
                         "errors": errors})
            print(f"memory, {args.memory_gets} calls of Get {kind} {path}: {' '.join(map(str, sizes))} KiB resident, "
                  f"{sizes[-1] - sizes[0]:+} KiB, errors {errors or 0}", flush=True)
    return rows


# ------------------------------------------------------------------- latency

def latency_part(args):
    rows = []
    with servers(args) as found:
        print(f"{'server':7} {'vty, ms; beside it':32} {'questions':>9} {'median':>7} {'99 %':>7} {'worst':>7}")
        for server in found:
            for load, stopped in ((0, False), (4, False), (0, True), (4, True)):
                what = ", ".join([f"{load} clients"] * bool(load) + ["a stopped client"] * stopped) or "nothing"
                with contextlib.ExitStack() as stack:
                    rest = stack.enter_context(stopped_client(server, "ALL", ALL, args.stop_gets)) if stopped else {}
                    with Probe(server) as probe:
                        if load:
                            done = commits(server, RELAYS[:load], args.latency_seconds)
                        else:
                            probe.over.wait(args.latency_seconds)
                rows.append(row := {"server": server.name, "beside": what, **probe.found()})
                if load:
                    row["commits_s"], row["errors"] = round(done["commits_s"], 1), done["errors"]
                if stopped:
                    row["stopped"] = {key: rest[key] for key in ("messages", "octets", "errors")}
                print(f"{server.name:7} {what:32} {row['questions']:9} {row['p50']:7.2f} {row['p99']:7.2f} {row['max']:7.1f}"
                      + (f"  then {rest['messages']} answers, errors {rest['errors'] or 0}" if stopped else ""), flush=True)
    return rows


# ---------------------------------------------------------------------- size

def size_part(args):
    test_scale.RELAYS, test_scale.TRACKS = (8, 40) if args.quick else (200, 1000)
    lines = "\n".join(test_scale.configuration("ebpf")) + "\n"
    relays = [f"scale{number}" for number in range(max(args.clients))]
    with contextlib.ExitStack() as stack:
        found = []
        for name in args.server:
            box = stack.enter_context(Box())
            server = Server(box, box.build().relay, name, args.module)
            run = server.router.boot(lines)
            assert run.returncode == 0 and not run.stdout + run.stderr, run.stdout + run.stderr
            wait_for(lambda: test_scale.all_serve(server.router), 300, f"all relays of {name} are up")
            found.append(server)
        print(f"{test_scale.RELAYS} relays, {test_scale.TRACKS} tracked objects\n{COMMITS}")
        rows = []
        for clients in args.clients:
            turns = take_turns(found, args.size_rounds, lambda server: commits(server, relays[:clients], args.seconds))
            rows += commit_rows(found, clients, turns)
        for server in found:
            missing = server.verify()
            assert server.name != "relayd" or not missing, f"lost at the end: {missing}"
            # those that are up would drain for as long as the last commit says
            server.router.configure(*(line for relay in relays for line in (f"relay {relay}", "drain-time 0")))
            stop(server)
    print("\n".join([CALL_TIMES, *(line for row in rows for line in calls_lines(row))]))
    return {"relays": test_scale.RELAYS, "tracks": test_scale.TRACKS, "rows": rows}


# ---------------------------------------------------------------------- main

RUN = {"commits": commits_part, "beside": beside_part, "gets": gets_part, "memory": memory_part, "latency": latency_part,
       "size": size_part}


def wrong(row):
    return {key: row[key] for key in ("lost", "torn", "errors") if row[key]}


def judge(report):
    """The goals that were missed; FRR's module has none."""
    missed = []
    rows = [row for part in ("commits", "beside") for row in report.get(part, []) if row["server"] == "relayd"]
    for row in rows:
        if row["clients"] == max(CLIENTS) and (row["commits_s"] < GOALS["commits_s"] or
                                               row["ratio"] and row["ratio"] < GOALS["of_frr"]):
            missed.append(f"commits/s: {commits_line(row)}")
    for row in rows + [row for row in report.get("size", {}).get("rows", []) if row["server"] == "relayd"]:
        if wrong(row):
            missed.append(f"commits: {row['clients']} clients: {wrong(row)}")
        vtysh = row.get("vtysh", {})
        if any(vtysh.get(key) for key in ("lost", "refused", "missing")):
            missed.append(f"vtysh: {vtysh}")
    missed += [f"memory: {row}" for row in report.get("memory", []) if row["growth_kib"] > GOALS["rss_kib"] or row["errors"]]
    missed += [f"gets: {row}" for row in report.get("gets", []) if row["server"] == "relayd" and row["errors"]]
    missed += [f"latency: {row}" for row in report.get("latency", [])
               if row["server"] == "relayd" and row["p99"] > GOALS["latency_ms"]]
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, nargs="*", default=list(PARTS), help="only these")
    parser.add_argument("--server", choices=SERVERS, nargs="*", default=list(SERVERS), help="only these")
    parser.add_argument("--clients", type=int, choices=CLIENTS, nargs="*", default=list(CLIENTS))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10, help="of a round")
    parser.add_argument("--beside-seconds", type=float, default=60)
    parser.add_argument("--get-rounds", type=int, default=3)
    parser.add_argument("--get-seconds", type=float, default=3, help="of a round")
    parser.add_argument("--warm-up", type=int, default=5000, help="calls of the memory part")
    parser.add_argument("--memory-gets", type=int, default=100000, help="calls of the memory part")
    parser.add_argument("--latency-seconds", type=float, default=15, help="of each row")
    parser.add_argument("--stop-gets", type=int, default=200, help="paths that a client asks for that stops")
    parser.add_argument("--size-rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a look whether all of it works; no figures")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.beside_seconds, args.get_rounds, args.get_seconds = 1, 0.5, 3, 1, 0.2
        args.warm_up, args.memory_gets, args.latency_seconds, args.size_rounds = 40, 400, 0.5, 1
    args.module, _ = build()

    report = {"machine": machine(), "rounds": args.rounds, "seconds": args.seconds}
    print(report["machine"])
    for part in args.part:
        if part != "memory" or "relayd" in args.server:
            report[part] = RUN[part](args)
    return conclude(report, [] if args.quick else judge(report), args.json)


if __name__ == "__main__":
    sys.exit(main())
