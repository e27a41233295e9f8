# SPDX-License-Identifier: GPL-2.0-or-later
"""`track N icmp-echo` at scale: 2,000 probes a second, what they cost, how even they leave, what is counted.

    scripts/bench icmp [--part scale|path] [--seconds N] [--json FILE]

scale: two relayds with 1,000 targets at 1 s each, and one with 1,000 targets at
500 ms (an object's number ends at 1000): both 2,000 probes a second.  Each
target is an address of its own in another namespace, which answers.  The cost
is relayd's own time on the processor (/proc/PID/schedstat, which knows
microseconds; what the kernel does for it in a system call is in it).  How even
they leave is seen on the link, by the kernel's timestamps.

path: delay, jitter and loss made by netem, and what `show track json` counted.
Needs netem in the kernel; scripts/bench sees to it.
"""

import argparse
import collections
import contextlib
import json
import pathlib
import platform
import select
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

from lab import Lab, wait_for  # noqa: E402
from report import save  # noqa: E402
from test_scale import cpu_seconds  # noqa: E402
from wire import SO_TIMESTAMPNS  # noqa: E402

TRACKS = 1000
BOUND = 0.10  # of a core, for 2,000 probes a second
ECHO_REQUEST = 8


def address(number):
    return f"10.80.{number >> 8}.{number & 255}"


class Far(Lab):
    """Routers, each on a link of its own to one namespace that owns 10.80.0.0/20 and answers."""

    def __enter__(self):
        super().__enter__()
        try:
            self.far = self.ns("far")
            # all of the prefix is local there, so that every address answers for itself
            self.far.ip("addr add 10.80.0.0/20 dev lo")
            # ... at 2,000 a second: the default limits replies to 1,000
            self.far.sysctl("net/ipv4/icmp_ratemask", 0)
            with contextlib.suppress(FileNotFoundError):
                self.far.sysctl("net/ipv4/icmp_msgs_per_sec", 1000000)
        except BaseException:
            super().__exit__()
            raise
        return self

    def add(self, number, config):
        router = self.router(f"r{number}")
        self.link(router.ns, "eth0", [f"10.0.{number}.1/24"], self.far, f"r{number}", [f"10.0.{number}.2/24"])
        router.ns.ip(f"route add 10.80.0.0/20 via 10.0.{number}.2")
        router.start("zebra")
        router.start("relayd", config="\n".join(config))
        return router


def objects(count, frequency, first=1):
    """That many objects, each with a target of its own; every other setting as an operator finds it."""
    return [line for n in range(1, count + 1) for line in (
        f"track {n} icmp-echo {address(first + n)}", f" frequency {frequency}", "exit")]


class Times(threading.Thread):
    """When the echo requests of an interface arrived, nanoseconds; nothing else is looked at."""

    def __init__(self, ns, ifname):
        super().__init__(daemon=True)
        self.times = []
        self.going = True
        self.sock = ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        ns.call(self.sock.bind, (ifname, 0x0800))

    def run(self):
        while self.going:
            if not select.select([self.sock], [], [], 0.1)[0]:
                continue
            data, anc, _, addr = self.sock.recvmsg(64, 64)
            if data[9] == socket.IPPROTO_ICMP and data[(data[0] & 15) * 4] == ECHO_REQUEST and addr[2] != 4:
                sec, nsec = struct.unpack("qq", anc[0][2][:16])
                self.times.append(sec * 1_000_000_000 + nsec)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.going = False
        self.join(10)
        self.sock.close()


def most_within(times, window_ns):
    """The largest number of them in any window of that length, and that of 99 in a hundred windows."""
    first, found = 0, []
    for last, when in enumerate(times):
        while when - times[first] >= window_ns:
            first += 1
        found.append(last - first + 1)
    found.sort()
    return {"most": found[-1], "p99": found[len(found) * 99 // 100]}


def settled(router):
    """All are up, and the burst of the beginning is over."""
    return all(track["state"] == "up" for track in router.track_json().values())


def totals(router):
    """Sums of the counters over all objects."""
    total = collections.Counter()
    for track in router.track_json().values():
        total.update({key: track[key] for key in ("sent", "received", "lost", "timeouts", "sendErrors", "lateReplies",
                                                  "duplicateReplies", "invalidReplies")})
    return total


def measure(configs, seconds):
    """Figures for one or several relayds that run at the same time."""
    with Far() as lab:
        routers = [lab.add(n, config) for n, config in enumerate(configs)]
        for router in routers:
            wait_for(lambda r=router: settled(r), 60, "every target answers")
        time.sleep(2)
        pids = [router.procs["relayd"].pid for router in routers]
        before = [totals(router) for router in routers]
        time.sleep(1)  # what the question cost is over
        busy, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
        time.sleep(seconds)
        spent = [cpu_seconds(pid) - was for pid, was in zip(pids, busy)]
        took = time.monotonic() - began
        after = [totals(router) for router in routers]
        with contextlib.ExitStack() as stack:
            seen = [stack.enter_context(Times(lab.far, router.name)) for router in routers]
            time.sleep(min(seconds, 10))
        times = sorted(t for each in seen for t in each.times)
        rtt = sorted(t["rttUsec"] for router in routers for t in router.track_json().values())
    span = (times[-1] - times[0]) / 1e9
    rate = (len(times) - 1) / span
    change = {key: sum(new[key] - old[key] for new, old in zip(after, before)) for key in after[0]}
    return {
        "relayds": len(configs), "rate": rate, "core": sum(spent) / took, "core_each": [s / took for s in spent],
        "per_probe_us": sum(spent) / took / rate * 1e6,
        "in_10ms": {"mean": rate / 100, **most_within(times, 10_000_000)},
        "in_1ms": {"mean": rate / 1000, **most_within(times, 1_000_000)},
        "rtt_us_median": statistics.median(rtt), "rtt_us_least": rtt[0], "rtt_us_most": rtt[-1],
        "counted": change}


def scale(seconds):
    cases = {
        "2 relayds x 1000 at 1 s": [objects(TRACKS, 1000), objects(TRACKS, 1000, first=TRACKS)],
        "1 relayd x 1000 at 500 ms": [objects(TRACKS, 500)],
    }
    print(f"{'':27} probes  of a   us a   in any 10 ms       in any 1 ms        RTT, us         lost")
    print(f"{'':27} a s     core   probe  mean  99 %  most    mean  99 %  most   median  most    of sent")
    rows = {}
    for name, configs in cases.items():
        row = rows[name] = measure(configs, seconds)
        counted = row["counted"]
        windows = "   ".join(f"{row[w]['mean']:4.0f}  {row[w]['p99']:4}  {row[w]['most']:4} "
                             for w in ("in_10ms", "in_1ms"))
        print(f"{name:27} {row['rate']:6.0f} {row['core'] * 100:5.2f} % {row['per_probe_us']:5.1f}  {windows}  "
              f"{row['rtt_us_median']:6.0f}  {row['rtt_us_most']:6.0f}  {counted['lost']} of {counted['sent']}",
              flush=True)
    return rows


# ------------------------------------------------------- delay, jitter, loss

def netem(ns, ifname, *args):
    """The queue's own count of what it dropped, of what it was given."""
    ns.run("tc", "qdisc", "replace", "dev", ifname, "root", "netem", "limit", "10000", *args)


def netem_counts(ns, ifname):
    data = json.loads(ns.run("tc", "-s", "-j", "qdisc", "show", "dev", ifname).stdout)[0]
    return data["drops"], data["packets"] + data["drops"]


def has_netem():
    cmd = "ip link add nem0 type veth peer name nem1 && tc qdisc add dev nem0 root netem delay 1ms"
    return subprocess.run(["unshare", "--net", "sh", "-c", f"{cmd} || {{ modprobe sch_netem && {cmd}; }}"],
                          capture_output=True, check=False).returncode == 0


def path(targets, seconds):
    """netem delays the replies by 15 to 25 ms, evenly spread, and drops one in a hundred.

    The mean distance of two values evenly spread over 10 ms is a third of that,
    which is what RFC 3550's jitter goes to.
    """
    with Far() as lab:
        router = lab.add(0, objects(targets, 500))
        wait_for(lambda: settled(router), 60, "every target answers")
        floor = statistics.median(t["rttUsec"] for t in router.track_json().values())
        netem(lab.far, "r0", "delay", "20ms", "5ms", "loss", "1%")
        time.sleep(5)  # smoothed values have forgotten the time before
        before, dropped = totals(router), netem_counts(lab.far, "r0")
        time.sleep(seconds)
        after, dropped_after = totals(router), netem_counts(lab.far, "r0")
        tracks = list(router.track_json().values())
    change = collections.Counter(after)
    change.subtract(before)
    return {
        "targets": targets, "sent": change["sent"], "lost": change["lost"], "received": change["received"],
        "netem_dropped": dropped_after[0] - dropped[0], "netem_given": dropped_after[1] - dropped[1],
        "rtt_ms_before": floor / 1000, "rtt_ms": statistics.mean(t["rttAvgUsec"] for t in tracks) / 1000,
        "rtt_ms_least": min(t["rttUsec"] for t in tracks) / 1000,
        "rtt_ms_most": max(t["rttMaxUsec"] for t in tracks) / 1000,
        "jitter_ms": statistics.mean(t["jitterUsec"] for t in tracks) / 1000,
        "withdrawn": sum(t["transitions"] > 0 for t in tracks)}


def show_path(row):
    print(f"{row['targets']} targets at 500 ms, netem: 20 ms, 5 ms to either side, 1 % lost")
    print(f"{'':12} {'netem':>22}   relayd counted")
    print(f"{'lost':12} {row['netem_dropped']:>8} of {row['netem_given']:>8}     {row['lost']:>8} of {row['sent']:>8} "
          f"({100 * row['lost'] / row['sent']:.2f} %)")
    print(f"{'RTT':12} {20 + row['rtt_ms_before']:>19.2f} ms   {row['rtt_ms']:.2f} ms  (without netem "
          f"{row['rtt_ms_before']:.2f} ms, which is added on the left)")
    print(f"{'jitter':12} {10 / 3:>19.2f} ms   {row['jitter_ms']:.2f} ms")
    print(f"{row['withdrawn']} of {row['targets']} objects went down")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--targets", type=int, default=200, help="of the path part")
    parser.add_argument("--part", choices=("scale", "path"), help="only this one")
    args = parser.parse_args()

    report = {"kernel": platform.release()}
    good = True
    if args.part != "path":
        report["scale"] = scale(args.seconds)
        good = all(row["core"] < BOUND for row in report["scale"].values())
    if args.part != "scale":
        if has_netem():
            report["path"] = path(args.targets, args.seconds)
            show_path(report["path"])
        elif args.part == "path":
            print("this kernel has no netem", file=sys.stderr)
            return 1
    save(report, args.json)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
