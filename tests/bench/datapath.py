# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packet costs: relayd's datapaths against plain forwarding, in one run, on one core.

    scripts/bench datapath [--part forward|xdp|tcp|load] [--datapath NAME...] [--quick] [--json FILE]

forward: a sender, a router, a receiver, each a namespace, joined by veth.  One
router forwards plain IPv4, the others have relayd; the sizes are those of the
outer IPv4 packet, so all move the same octets on one side of the relay.  Packets
arrive in the router's NAPI as from the driver of a NIC (blast.c).  That NAPI has
a thread of its own (`threaded`), which is pinned to a processor that the sender
does not use, and all that the router does for a packet is done in it, and the
receiver's counting and dropping too (there, or in ksoftirqd of that processor): so
a packet's cost is the time of the two on the processor (/proc/PID/schedstat), by
the packets that the receiver counted.  What others on the machine take isn't in it.  The sender
sends 1.6 times what the router takes, so there is always one waiting; what is too
much is lost in front of the router, counted, and no other packet is lost, which is
checked.  Rounds are short and the routers take turns, so that a slow moment of
the machine meets all: figures are medians, ratios those of the same round.

Flows: that many destinations in turn, one packet each.  The programs remember
what they have decided for 50 ms, and so does the kernel's forwarding from a packet
to the next; with 4096 flows at these rates neither remembers much.

xdp: relayd's XDP programs, from veth to veth, against plain forwarding by the
kernel of the same outer packets.

tcp: one TCP connection through the router, veth as it comes, with segmentation
offload; the relay's is IPv6 between a native host and a 6to4 host.  The 6to4 host's
encapsulation is work that the plain one has not.

load: from `no shutdown` to the programs on ten uplinks, by the kernel's news.
"""

import argparse
import array
import contextlib
import fcntl
import json
import os
import pathlib
import platform
import re
import select
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from lab import BUILD, EMULATED, Lab, host_has_sit, wait_for  # noqa: E402
from wire import ipv4, ipv6, sixto4  # noqa: E402

BLAST = BUILD / "tests" / "bench" / "blast"
RELAY = "192.88.99.1"
SIZES = (64, 1200)
FLOWS = (1, 256, 4096)
# of more, the programs don't remember all: shown, but no goal is held against them
FLOWS_REMEMBERED = 256
# what the issue of the datapath asks for, by way
GOALS = {"ebpf": 0.90, "xdp": 3.0, "tcp": 0.95, "sit": 1.3, "load_ms": 200}
# the kernel's, without relayd
SIT_ALONE = "sit alone"
WAYS = {"encapsulate": "proto41", "decapsulate": "ipv6"}
OVERLOAD = 1.6
ROUTER_MAC = "02:00:00:00:00:aa"
TAIL_MAC = "02:00:00:00:00:bb"

UDP, IPPROTO_IPV6, NO_NEXT_HEADER = 17, 41, 59
SIOCETHTOOL, ETHTOOL_SGRO = 0x8946, 0x2C
RTMGRP_TC, RTM_NEWTFILTER = 1 << 3, 44


# ------------------------------------------------------------------- packets

def address4(flow):
    return f"198.18.{flow >> 8}.{flow & 255}"


def address6(flow):
    return f"2001:db8:100:{flow:x}::2"


def datagram(length):
    """UDP; or what there is room for, and no next header."""
    if length < 8:
        return NO_NEXT_HEADER, bytes(length)
    return UDP, struct.pack("!HHHH", 4000, 5000, length, 0) + bytes(length - 8)


def ethernet(protocol, packet):
    octets = bytes.fromhex((ROUTER_MAC + "020000000001").replace(":", ""))
    return octets + struct.pack("!H", protocol) + packet


def frame(kind, size, flow):
    """size: of the outer IPv4 packet, wherever it is one."""
    inner = size - 20
    if kind == "plain":
        return ethernet(0x0800, ipv4("203.0.113.9", address4(flow), *datagram(size - 20)))
    if kind == "encapsulate":
        return ethernet(0x86DD, ipv6("2001:db8:9::9", sixto4(address4(flow)), *datagram(inner - 40)))
    return ethernet(0x0800, ipv4(address4(flow), RELAY, IPPROTO_IPV6, ipv6(
        sixto4(address4(flow)), address6(flow), *datagram(inner - 40))))


# ------------------------------------------------------------------- routers

def processors():
    """The sender's and the router's."""
    found = sorted(os.sched_getaffinity(0))
    if len(found) < 2:
        sys.exit("datapath: needs two processors: one sends, one forwards")
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


def napi_thread(ns, ifname, processor):
    """Gives a veth's NAPI a thread, on that processor; its pid."""
    gro_on(ns, ifname)
    before = napi_threads()
    subprocess.run(["ip", "netns", "exec", ns.name, "tee", f"/sys/class/net/{ifname}/threaded"], input="1", text=True,
                   check=True, stdout=subprocess.DEVNULL)
    new = wait_for(lambda: [pid for pid, name in napi_threads().items()
                            if pid not in before and name.startswith(f"napi/{ifname}-")], 10, f"thread of {ifname}")
    for pid in new:
        os.sched_setaffinity(pid, {processor})
        # What others leave in its caches is not its cost. Before kernel 6.5 ksoftirqd, once awake, has the
        # receiver to itself, and must not be kept from it.
        if not EMULATED:
            os.setpriority(os.PRIO_PROCESS, pid, -20)
    return new


def ksoftirqd(processor):
    """The thread that does what is too much for an interrupt."""
    return next(int(path.parent.name) for path in pathlib.Path("/proc").glob("[0-9]*/comm")
                if path.read_text().strip() == f"ksoftirqd/{processor}")


def cpu_ns(pids):
    return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)


def is_running(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "R"


def quiet(ns):
    """No neighbour discovery or the like of its own."""
    ns.sysctl("net/ipv6/conf/all/disable_ipv6", 1)
    ns.sysctl("net/ipv6/conf/default/disable_ipv6", 1)


class Forwarder:
    """A router between a sender and a receiver of its own; datapath None: it forwards plainly."""

    def __init__(self, lab, number, datapath):
        self.name, self.datapath = datapath or "plain", datapath
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
        self.xdp = datapath == "xdp"
        self.sink = lab.spawn(self.tail, BLAST, "sink", "tail", "xdp" if self.xdp else "tc", stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
        assert self.sink.stdout.readline() == "ready\n", "blast sink"
        if datapath == SIT_ALONE:
            bare_sit(self.ns)
        elif datapath:
            # XDP sends by uplinks alone
            start_relay(self.router, datapath, ["in", "out"] if self.xdp else ["in"])
        self.sent = self.got = 0

    def counted(self):
        self.sink.stdin.write("\n")
        self.sink.stdin.flush()
        return json.loads(self.sink.stdout.readline())

    def blast(self, frames, kind, seconds, rate):
        """Packets that arrived, and what each cost the router, in nanoseconds."""
        before, busy = self.counted(), cpu_ns(self.threads)
        run = subprocess.run(["ip", "netns", "exec", self.head.name, "nice", "-n", "-20", "taskset", "-c", str(self.sends),
                              BLAST, "send", "head", str(seconds), str(round(rate))], input=frames, text=True,
                             check=False, capture_output=True, timeout=120)
        assert run.returncode == 0, run.stderr
        self.settle()
        after, spent = self.counted(), cpu_ns(self.threads) - busy
        got = after[kind] - before[kind]
        self.sent += int(run.stdout)
        self.got += got
        assert got, f"{self.name}: no {kind} packet of {run.stdout.strip()} came out: {before} {after}"
        return {"packets": got, "ns": spent / got, "sent": int(run.stdout), "busy": spent / seconds / 1e9}

    def settle(self):
        """Until what waits in the router is through: the threads sleep, and no more arrives."""
        last = None
        while last != (last := self.counted()):
            wait_for(lambda: not any(is_running(pid) for pid in self.threads), 10, f"rest of {self.name}")
            time.sleep(0.005)

    def verify(self):
        """What was sent has arrived, or was lost in front of the router, and the counters say so."""
        head, into = (ns.ip_json("-s", "link", "show", "dev", dev)[0]["stats64"]
                      for ns, dev in ((self.head, "head"), (self.ns, "in")))
        given = head["tx"]["packets"] + head["tx"]["dropped"]
        taken = head["tx"]["packets"]
        # neighbour discovery and the like
        slack = 100
        assert abs(given - self.sent) <= slack, f"{self.name}: {self.sent} sent, {given} given to the veth"
        if self.datapath == SIT_ALONE:
            # nobody says why; relayd's sit loses none
            print(f"{self.name}: {taken - self.got} of {taken} lost in the router")
        else:
            assert abs(taken - self.got) <= slack, f"{self.name}: {taken} taken, {self.got} arrived: {head} {into}"
        if self.datapath not in (None, SIT_ALONE):
            counters = self.router.json("relayd", "show relay r counters json")["r"]
            crossed = counters["rx4to6"]["packets"] + counters["tx6to4"]["packets"]
            assert abs(crossed - self.got) <= (slack if self.datapath == "sit" else 0), f"{self.name}: {self.got} arrived, {crossed} counted: {counters}"


def bare_sit(ns):
    """A relay as one makes it without relayd: no checks, and one cached route for all."""
    ns.ip(f"addr add {RELAY}/32 dev lo", f"link add r type sit local {RELAY} ttl 64", "link set r mtu 1480 up",
          "route add 2002::/16 dev r")


def relay_config(datapath, uplinks):
    return ["relay r", "tunnel mode ipv6ip 6to4", f"tunnel source {RELAY}", f"tunnel datapath {datapath}",
            *[f"tunnel uplink {name}" for name in uplinks], "ipv6 mtu 1480", "drain-time 0"]


def start_relay(router, datapath, uplinks):
    router.start("zebra")
    router.start("relayd", config="\n".join([*relay_config(datapath, uplinks), "no shutdown", "exit"]))
    relay = router.wait_relay("r", "up", timeout=120)
    wait_for(lambda: all(route["installed"] for route in router.relay_json("r")["routes"]), 60, "routes")
    assert router.relay_json("r")["datapath"] == datapath, relay


# -------------------------------------------------------------------- rounds

class Series:
    """One kind of packet through one router, many rounds."""

    def __init__(self, router, kind, size, flows):
        self.router, self.kind, self.size, self.flows = router, kind, size, flows
        self.frames = "".join(frame(kind, size, flow).hex() + "\n" for flow in range(flows))
        self.counts = "ipv4" if kind == "plain" else WAYS[kind]
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


def figures(one, base):
    """One series against another of the same rounds."""
    ratios = sorted(b["ns"] / a["ns"] for a, b in zip(one.rounds, base.rounds))
    cost = statistics.median(a["ns"] for a in one.rounds)
    quarter = len(ratios) // 4
    return {"datapath": one.router.datapath or "plain", "packets": one.kind, "size": one.size, "flows": one.flows,
            "ns": round(cost, 1), "kpps": round(1e6 / cost), "ratio": round(statistics.median(ratios), 3),
            "quarters": [round(ratios[quarter], 3), round(ratios[-1 - quarter], 3)],
            "busy": round(statistics.median(a["busy"] for a in one.rounds), 2), "rounds": len(one.rounds),
            "offered": round(statistics.median(a["sent"] / a["packets"] for a in one.rounds), 2)}


HEADINGS = f"{'datapath':9} {'packets':12} {'octets':>6} {'flows':>6} {'ns each':>8} {'1000/s':>7} {'ratio':>6}  middle half"


def row(found):
    return (f"{found['datapath']:9} {found['packets']:12} {found['size']:6} {found['flows']:6} {found['ns']:8.0f} "
            f"{found['kpps']:7} {found['ratio']:6.2f}  {found['quarters'][0]:.2f} to {found['quarters'][1]:.2f}")


def forward(datapaths, args):
    """Rows of all datapaths and ways against plain forwarding, and of ebpf against sit."""
    rows, against_sit = [], []
    with Lab() as lab:
        routers = [Forwarder(lab, number, name) for number, name in enumerate((None, *datapaths))]
        print(HEADINGS)
        for flows in args.flows:
            for size in args.sizes:
                series = [Series(routers[0], "plain", size, flows)]
                series += [Series(router, way, size, flows) for router in routers[1:] for way in WAYS]
                compare(series, args.rounds, args.seconds)
                found = [figures(one, series[0]) for one in series]
                rows += found
                print("\n".join(map(row, found)), flush=True)
                for way in WAYS:
                    by = {one.router.datapath: one for one in series if one.kind == way}
                    against_sit += [{**figures(by["ebpf"], by[name]), "against": name}
                                    for name in ("sit", SIT_ALONE) if name in by and "ebpf" in by]
        for name in ("sit", SIT_ALONE):
            of_it = [found for found in against_sit if found["against"] == name]
            if of_it:
                print("\n".join([f"against {name}", *map(row, of_it)]), flush=True)
        for router in routers:
            router.verify()
    return {"rows": rows, "against_sit": against_sit}


# ----------------------------------------------------------------------- TCP

class Connected:
    """A 6to4 host, a router, a native host. The first is an IPv4 host where the router is plain."""

    def __init__(self, lab, name, datapath):
        self.name, self.datapath = name, datapath
        self.near, self.far = lab.ns(f"n{name}"), lab.ns(f"f{name}")
        self.router = lab.router(f"r{name}")
        lab.link(self.near, "eth0", ["203.0.113.2/24"], self.router.ns, "in", ["203.0.113.1/24", "2001:db8:2::1/64"])
        lab.link(self.far, "eth0", ["198.51.100.2/24", "2001:db8:1::2/64"], self.router.ns, "out",
                 ["198.51.100.1/24", "2001:db8:1::1/64"])
        self.near.ip("route add default via 203.0.113.1")
        self.far.ip("route add default via 198.51.100.1", "route add default via 2001:db8:1::1")
        self.router.ns.ip(f"link set in address {ROUTER_MAC}", "route add default via 198.51.100.2",
                          "route add default via 2001:db8:1::2")
        self.addresses = {"near": "203.0.113.2", "far": "198.51.100.2"}
        if datapath:
            own = sixto4("203.0.113.2")
            self.near.ip(f"addr add {own}/128 dev eth0 nodad",
                         f"neigh add 2001:db8:2::1 lladdr {ROUTER_MAC} dev eth0",
                         "route add default via 2001:db8:2::1 dev eth0 onlink mtu 1480")
            self.near.run(BLAST, "host", "eth0", "203.0.113.2", RELAY)
            start_relay(self.router, datapath, ["in", "out"])
            self.addresses = {"near": own, "far": "2001:db8:1::2"}

    def transfer(self, sender, seconds):
        """Gigabits of payload from one end to the other: by the second, and by the second of a processor."""
        source, sink = (self.near, self.far) if sender == "near" else (self.far, self.near)
        address = self.addresses["far" if sender == "near" else "near"]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sends, takes = processors()
        box = {}
        with sink.socket(family, socket.SOCK_STREAM) as listener, source.socket(family, socket.SOCK_STREAM) as out:
            listener.bind((address, 0))
            listener.listen(1)
            out.settimeout(30)
            listener.settimeout(30)

            def take():
                os.sched_setaffinity(0, {takes})
                with listener.accept()[0] as conn:
                    conn.settimeout(30)
                    total, room = 0, bytearray(1 << 20)
                    began = time.monotonic()
                    while got := conn.recv_into(room):
                        total += got
                    box.update(gbit=total * 8 / 1e9, seconds=time.monotonic() - began, take=time.thread_time())

            def give():
                os.sched_setaffinity(0, {sends})
                out.connect(listener.getsockname()[:2])
                data, end = bytes(1 << 20), time.monotonic() + seconds
                while time.monotonic() < end:
                    out.sendall(data)
                out.shutdown(socket.SHUT_WR)
                box["give"] = time.thread_time()

            threads = [threading.Thread(target=body) for body in (take, give)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
        return {"gbit_s": box["gbit"] / box["seconds"], "gbit_cpu_s": box["gbit"] / (box["give"] + box["take"])}


def tcp(datapaths, args):
    rows = []
    with Lab() as lab:
        ends = [Connected(lab, name or "plain", name) for name in (None, *datapaths)]
        rates = {(end.name, sender): [] for end in ends for sender in ("near", "far")}
        for number in range(args.rounds + 1):
            for sender in ("near", "far"):
                for end in ends[number % len(ends):] + ends[:number % len(ends)]:
                    rate = end.transfer(sender, args.seconds)
                    if number:
                        rates[end.name, sender].append(rate)
    print(f"{'datapath':9} {'TCP payload':12} {'Gbit/s':>7} {'Gbit/cpu s':>10} {'ratio':>6}  middle half")
    for sender, way in (("far", "encapsulated"), ("near", "decapsulated")):
        for end in ends:
            ours, plain = rates[end.name, sender], rates["plain", sender]
            ratios = sorted(a["gbit_cpu_s"] / b["gbit_cpu_s"] for a, b in zip(ours, plain))
            quarter = len(ratios) // 4
            found = {"datapath": end.name, "way": way, "ratio": round(statistics.median(ratios), 3),
                     **{key: round(statistics.median(one[key] for one in ours), 2) for key in ours[0]},
                     "quarters": [round(ratios[quarter], 3), round(ratios[-1 - quarter], 3)]}
            rows.append(found)
            print(f"{found['datapath']:9} {way:12} {found['gbit_s']:7.2f} {found['gbit_cpu_s']:10.2f} {found['ratio']:6.2f}  "
                  f"{found['quarters'][0]:.2f} to {found['quarters'][1]:.2f}", flush=True)
    return rows


# ---------------------------------------------------------------------- load

def load_once(datapath, uplinks):
    """Milliseconds from `no shutdown` to the last filter on the uplinks, and what relayd's log says of loading."""
    names = [f"up{number}" for number in range(uplinks)]
    with Lab() as lab:
        router, far = lab.router("rl"), lab.ns("far")
        for number, name in enumerate(names):
            lab.link(router.ns, name, [f"203.0.{number + 1}.1/24"], far, name, [f"203.0.{number + 1}.2/24"])
        router.ns.ip("route add default via 203.0.1.2")
        router.start("zebra")
        router.start("relayd", config="\n".join([*relay_config(datapath, names), "exit"]))
        wanted = {router.ns.link(name)["ifindex"] for name in names}
        with router.ns.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as news:
            router.ns.call(news.bind, (0, RTMGRP_TC))
            began = time.monotonic()
            asked = threading.Thread(target=router.configure, args=("relay r", "no shutdown"))
            asked.start()
            while wanted:
                assert select.select([news], [], [], 30)[0], f"no program on {wanted}: {router.log('relayd')}"
                data = news.recv(1 << 16)
                while len(data) >= 24:
                    length, kind = struct.unpack_from("=IH", data)
                    if kind == RTM_NEWTFILTER:
                        wanted.discard(struct.unpack_from("=i", data, 20)[0])
                    data = data[(length + 3) & ~3:]
            took = (time.monotonic() - began) * 1000
            asked.join()
        logged = re.search(r"programs loaded in (\d+) ms", router.log("relayd"))
        return took, int(logged.group(1)) if logged else None


def load(datapath, args):
    trials = [load_once(datapath, args.uplinks) for _ in range(args.trials)]
    took = [one[0] for one in trials]
    found = {"datapath": datapath, "uplinks": args.uplinks, "trials": len(took), "median_ms": statistics.median(took),
             "worst_ms": max(took), "loaded_ms": [one[1] for one in trials]}
    print(f"programs on {args.uplinks} uplinks, from `no shutdown`: median {found['median_ms']:.0f} ms, worst "
          f"{found['worst_ms']:.0f} ms of {len(took)}; of which loading: {found['loaded_ms']}")
    return found


# ---------------------------------------------------------------------- main

def judge(report):
    """The goals that were missed."""
    missed = []
    for found in report.get("forward", {}).get("rows", []):
        if found["datapath"] == "ebpf" and found["flows"] <= FLOWS_REMEMBERED and found["ratio"] < GOALS["ebpf"]:
            missed.append(f"{row(found)}: under {GOALS['ebpf']}")
    for found in report.get("emulated", report.get("forward", {})).get("against_sit", []):
        if found["ratio"] < GOALS["sit"]:
            missed.append(f"against {found['against']}: {row(found)}: under {GOALS['sit']}")
    for found in report.get("xdp", {}).get("rows", []):
        if found["datapath"] == "xdp" and found["flows"] <= FLOWS_REMEMBERED and found["ratio"] < GOALS["xdp"]:
            missed.append(f"{row(found)}: under {GOALS['xdp']}")
    for found in report.get("tcp", []):
        if found["ratio"] < GOALS["tcp"]:
            missed.append(f"TCP: {found}: under {GOALS['tcp']}")
    if report.get("load", {}).get("median_ms", 0) > GOALS["load_ms"]:
        missed.append(f"load: {report['load']}: over {GOALS['load_ms']} ms")
    return missed


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return f"{model.group(1) if model else platform.machine()}, kernel {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("forward", "xdp", "tcp", "load"), nargs="*",
                        default=["forward", "xdp", "tcp", "load"], help="only these")
    parser.add_argument("--datapath", choices=("ebpf", "sit", SIT_ALONE), nargs="*",
                        help=f"default: ebpf, and where the kernel has it sit and {SIT_ALONE}: the kernel's own, "
                        "without relayd")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--seconds", type=float, default=0.2, help="of a round")
    parser.add_argument("--flows", type=int, nargs="*", default=list(FLOWS))
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--uplinks", type=int, default=10, help="of the load part")
    parser.add_argument("--trials", type=int, default=5, help="of the load part")
    parser.add_argument("--quick", action="store_true", help="a look whether all of it works; no figures")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.flows, args.sizes, args.trials, args.uplinks = 1, 0.05, [16], [64], 1, 2
    datapaths = args.datapath or (["ebpf", "sit", SIT_ALONE] if host_has_sit() else ["ebpf"])

    report = {"machine": machine(), "rounds": args.rounds, "seconds": args.seconds}
    print(report["machine"])
    if "forward" in args.part:
        # where the processor is emulated, sit is there to be compared with, and nothing else
        report["emulated" if EMULATED else "forward"] = forward(datapaths, args)
    if "xdp" in args.part:
        report["xdp"] = forward(["xdp"], args)
    if "tcp" in args.part:
        report["tcp"] = tcp([name for name in datapaths if name != SIT_ALONE], args)
    if "load" in args.part:
        report["load"] = load("ebpf", args)
    report["missed"] = missed = [] if args.quick else judge(report)
    for line in missed:
        print(f"missed: {line}")
    if args.json:
        old = json.loads(args.json.read_text(encoding="utf-8")) if args.json.exists() else {}
        args.json.write_text(json.dumps({**old, **report}, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
