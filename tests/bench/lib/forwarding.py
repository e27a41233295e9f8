# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packet costs a router: a sender, the router, a receiver, and rounds in turn.

Each is a namespace, joined by veth.  Packets arrive in the router's NAPI as from the
driver of a NIC (blast.c).  That NAPI has a thread of its own (`threaded`), which is pinned
to a processor that the sender does not use, and what the router does for a packet is done
in it, and the receiver's counting and dropping too (there, or in ksoftirqd of that
processor); a router that has a process for it adds that process's threads, on the same
processor.  So a packet's cost is the time of these on the processor
(/proc/PID/schedstat), by the packets that the receiver counted.  What others on the machine
take isn't in it.

In a pid namespace (a container, scripts/suite) these threads can be neither seen nor
pinned: what needs them is left out there, and the report says so (can_run()).
"""

import array
import contextlib
import fcntl
import json
import os
import pathlib
import socket
import statistics
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "system"))

from lab import BUILD, EMULATED, wait_for  # noqa: E402

BLAST = BUILD / "tests" / "bench" / "blast"
# the sender sends so much more than the router takes: there is always one waiting
OVERLOAD = 1.6
ROUTER_MAC = "02:00:00:00:00:aa"
TAIL_MAC = "02:00:00:00:00:bb"

UDP, NO_NEXT_HEADER = 17, 59
SIOCETHTOOL, ETHTOOL_SGRO = 0x8946, 0x2C


# ------------------------------------------------------------------- packets

def datagram(length):
    """UDP; or what there is room for, and no next header."""
    if length < 8:
        return NO_NEXT_HEADER, bytes(length)
    return UDP, struct.pack("!HHHH", 4000, 5000, length, 0) + bytes(length - 8)


def ethernet(protocol, packet):
    octets = bytes.fromhex((ROUTER_MAC + "020000000001").replace(":", ""))
    return octets + struct.pack("!H", protocol) + packet


# ------------------------------------------------------------------- routers

def processors():
    """The sender's and the router's."""
    found = sorted(os.sched_getaffinity(0))
    if len(found) < 2:
        sys.exit("needs two processors: one sends, one forwards")
    return found[0], found[1]


def gro_on(ns, ifname):
    """With it a veth has NAPI, as a NIC has."""
    value = array.array("I", (ETHTOOL_SGRO, 1))
    request = struct.pack("16sP16x", ifname.encode(), value.buffer_info()[0])
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM, 0) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, request)


def napi_threads():
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            name = path.read_text().strip()
            if name.startswith("napi/"):
                found[int(path.parent.name)] = name
    return found


def pin(pid, processor):
    """To that processor, ahead of others: what they leave in its caches is not its cost."""
    os.sched_setaffinity(pid, {processor})
    # Before kernel 6.5 ksoftirqd, once awake, has the receiver to itself, and must not be kept from it.
    if not EMULATED:
        os.setpriority(os.PRIO_PROCESS, pid, -20)


def napi_thread(ns, ifname, processor):
    """Gives a veth's NAPI a thread, on that processor; its pid."""
    gro_on(ns, ifname)
    before = napi_threads()
    subprocess.run(["ip", "netns", "exec", ns.name, "tee", f"/sys/class/net/{ifname}/threaded"], input="1", text=True,
                   check=True, stdout=subprocess.DEVNULL)
    new = wait_for(lambda: [pid for pid, name in napi_threads().items()
                            if pid not in before and name.startswith(f"napi/{ifname}-")], 10, f"thread of {ifname}")
    for pid in new:
        pin(pid, processor)
    return new


def ksoftirqd(processor):
    """The thread that does what is too much for an interrupt; None where the kernel's can't be seen."""
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if path.read_text().strip() == f"ksoftirqd/{processor}":
                return int(path.parent.name)
    return None


def can_run(parts, forwarding, report):
    """Of the parts those that can be run; forwarding: those with a Forwarder. The report gets the others."""
    seen = ksoftirqd(processors()[1]) is not None
    report["left_out"] = [part for part in parts if part in forwarding and not seen]
    if report["left_out"]:
        print(f"left out, as the kernel's threads can't be seen from this pid namespace: {', '.join(report['left_out'])}")
    left = [part for part in parts if part not in report["left_out"]]
    if not left:
        sys.exit("nothing is left to be measured")
    return left


def tasks(pid):
    """All threads of a process."""
    return [int(path.name) for path in pathlib.Path(f"/proc/{pid}/task").glob("[0-9]*")]


def cpu_ns(pids):
    return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)


def is_running(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "R"


def quiet(ns):
    """No neighbour discovery or the like of its own."""
    ns.sysctl("net/ipv6/conf/all/disable_ipv6", 1)
    ns.sysctl("net/ipv6/conf/default/disable_ipv6", 1)


class Forwarder:
    """A router between a sender and a receiver of its own; as it is here, it forwards plainly.

    sink: tc or xdp, of the receiver; egress, what the receiver does is not in the router's cost.
    """

    def __init__(self, lab, number, name="plain", sink="tc"):
        self.name = name
        self.head, self.tail = lab.ns(f"h{number}"), lab.ns(f"t{number}")
        quiet(self.head)
        quiet(self.tail)
        self.router = lab.router(f"r{number}")
        self.ns = self.router.ns
        lab.link(self.head, "head", [], self.ns, "in", ["203.0.113.1/24", "2001:db8:2::1/64"])
        lab.link(self.tail, "tail", [], self.ns, "out", ["198.51.100.1/24", "2001:db8:1::1/64"])
        self.ns.ip(f"link set in address {ROUTER_MAC}",
                   f"neigh replace 198.51.100.2 lladdr {TAIL_MAC} dev out nud permanent",
                   f"neigh replace 2001:db8:1::2 lladdr {TAIL_MAC} dev out nud permanent",
                   "route add default via 198.51.100.2", "route add default via 2001:db8:1::2")
        self.sends, self.forwards = processors()
        self.threads = [ksoftirqd(self.forwards), *napi_thread(self.ns, "in", self.forwards)]
        where = (self.ns, "out") if sink == "egress" else (self.tail, "tail")
        self.sink = lab.spawn(where[0], BLAST, "sink", where[1], sink, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
        assert self.sink.stdout.readline() == "ready\n", "blast sink"
        self.sent = self.got = 0

    def counted(self):
        self.sink.stdin.write("\n")
        self.sink.stdin.flush()
        return json.loads(self.sink.stdout.readline())

    def send(self, frames, seconds, rate, burst=1):
        """How many were given to the router's interface; rate 0: as fast as can be."""
        run = subprocess.run(["ip", "netns", "exec", self.head.name, "nice", "-n", "-20", "taskset", "-c", str(self.sends),
                              BLAST, "send", "head", str(seconds), str(round(rate)), str(burst)], input=frames, text=True,
                             check=False, capture_output=True, timeout=120)
        assert run.returncode == 0, run.stderr
        self.settle()
        self.sent += int(run.stdout)
        return int(run.stdout)

    def blast(self, frames, kind, seconds, rate, burst=1):
        """Packets that arrived, and what each cost the router, in nanoseconds."""
        before, busy = self.counted(), cpu_ns(self.threads)
        sent = self.send(frames, seconds, rate, burst)
        after, spent = self.counted(), cpu_ns(self.threads) - busy
        got = after[kind] - before[kind]
        self.got += got
        assert got, f"{self.name}: no {kind} packet of {sent} came out: {before} {after}"
        return {"packets": got, "ns": spent / got, "sent": sent, "busy": spent / seconds / 1e9}

    def settle(self):
        """Until what waits in the router is through: the threads sleep, and no more arrives."""
        last = None
        while last != (last := self.counted()):
            wait_for(lambda: not any(is_running(pid) for pid in self.threads), 10, f"rest of {self.name}")
            time.sleep(0.005)

    def taken(self, slack=100):
        """Packets that the router has taken; what was sent and not taken was lost in front of it."""
        head = self.head.ip_json("-s", "link", "show", "dev", "head")[0]["stats64"]
        given = head["tx"]["packets"] + head["tx"]["dropped"]
        assert abs(given - self.sent) <= slack, f"{self.name}: {self.sent} sent, {given} given to the veth"
        return head["tx"]["packets"]

    def verify(self, slack=100):
        """What it has taken has arrived; slack: neighbour discovery and the like."""
        taken = self.taken(slack)
        into = self.ns.ip_json("-s", "link", "show", "dev", "in")[0]["stats64"]
        assert abs(taken - self.got) <= slack, f"{self.name}: {taken} taken, {self.got} arrived: {into}"


# -------------------------------------------------------------------- rounds

class Series:
    """One kind of packet through one router, many rounds.

    frames: lines in hexadecimal; counts: as what the sink counts them.
    """

    def __init__(self, router, kind, size, frames, counts):
        self.router, self.kind, self.size = router, kind, size
        self.flows, self.frames, self.counts = frames.count("\n"), frames, counts
        self.rates = []  # that the router took, of the last rounds
        self.rounds = []

    def round(self, seconds):
        # as fast as can be, until it is known
        found = self.router.blast(self.frames, self.counts, seconds, OVERLOAD * statistics.median(self.rates or [0]))
        self.rates = [*self.rates[-4:], 1e9 / found["ns"]]
        return found


def compare(series, rounds, seconds):
    """Rounds in turn; the first, which finds out about rates, does not count."""
    for number in range(rounds + 1):
        turn = number % len(series)
        for one in series[turn:] + series[:turn]:
            found = one.round(seconds)
            if number:
                one.rounds.append(found)
    return series


def spread(values):
    """Median, and the half that is in the middle."""
    values = sorted(values)
    quarter = len(values) // 4
    return statistics.median(values), [values[quarter], values[-1 - quarter]]


def figures(one, base):
    """One series against another of the same rounds."""
    ratio, quarters = spread(b["ns"] / a["ns"] for a, b in zip(one.rounds, base.rounds))
    cost = statistics.median(a["ns"] for a in one.rounds)
    return {"datapath": one.router.name, "packets": one.kind, "size": one.size, "flows": one.flows,
            "ns": round(cost, 1), "kpps": round(1e6 / cost), "ratio": round(ratio, 3),
            "quarters": [round(value, 3) for value in quarters],
            "busy": round(statistics.median(a["busy"] for a in one.rounds), 2), "rounds": len(one.rounds),
            "offered": round(statistics.median(a["sent"] / a["packets"] for a in one.rounds), 2)}


HEADINGS = f"{'datapath':9} {'packets':12} {'octets':>6} {'flows':>6} {'ns each':>8} {'1000/s':>7} {'ratio':>6}  middle half"


def row(found):
    return (f"{found['datapath']:9} {found['packets']:12} {found['size']:6} {found['flows']:6} {found['ns']:8.0f} "
            f"{found['kpps']:7} {found['ratio']:6.2f}  {found['quarters'][0]:.2f} to {found['quarters'][1]:.2f}")
