# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packet costs: relayd's datapaths against plain forwarding, in one run, on one core.

    scripts/bench datapath [--part forward|xdp|tcp|load] [--datapath NAME...] [--quick] [--json FILE]

forward: a sender, a router, a receiver, each a namespace, joined by veth.  One
router forwards plain IPv4, the others have relayd; the sizes are those of the
outer IPv4 packet, so all move the same octets on one side of the relay.  What a
packet's cost is: lib/forwarding.py.  The sender
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
import pathlib
import re
import select
import socket
import statistics
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

from forwarding import (BLAST, HEADINGS, ROUTER_MAC, Forwarder, Series, can_run, compare, datagram,  # noqa: E402
                        ethernet, figures, row, spread)
from lab import EMULATED, Lab, host_has_sit, wait_for  # noqa: E402
from report import conclude, machine  # noqa: E402
from transfer import Connected  # noqa: E402
from wire import ipv4, ipv6, sixto4  # noqa: E402

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

IPPROTO_IPV6 = 41
RTMGRP_TC, RTM_NEWTFILTER = 1 << 3, 44


# ------------------------------------------------------------------- packets

def address4(flow):
    return f"198.18.{flow >> 8}.{flow & 255}"


def address6(flow):
    return f"2001:db8:100:{flow:x}::2"


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

class Relay(Forwarder):
    """One with relayd, or with the kernel's sit alone."""

    def __init__(self, lab, number, datapath):
        super().__init__(lab, number, datapath, "xdp" if datapath == "xdp" else "tc")
        if datapath == SIT_ALONE:
            bare_sit(self.ns)
        else:
            # XDP sends by uplinks alone
            start_relay(self.router, datapath, ["in", "out"] if datapath == "xdp" else ["in"])

    def verify(self, slack=100):
        """And the counters say so."""
        if self.name == SIT_ALONE:
            # nobody says why; relayd's sit loses none
            taken = self.taken(slack)
            print(f"{self.name}: {taken - self.got} of {taken} lost in the router")
            return
        super().verify(slack)
        counters = self.router.json("relayd", "show relay r counters json")["r"]
        crossed = counters["rx4to6"]["packets"] + counters["tx6to4"]["packets"]
        assert abs(crossed - self.got) <= (slack if self.name == "sit" else 0), \
            f"{self.name}: {self.got} arrived, {crossed} counted: {counters}"


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

def forward(datapaths, args):
    """Rows of all datapaths and ways against plain forwarding, and of ebpf against sit."""
    rows, against_sit = [], []
    with Lab() as lab:
        routers = [Forwarder(lab, 0), *(Relay(lab, number, name) for number, name in enumerate(datapaths, 1))]
        print(HEADINGS)
        for flows in args.flows:
            for size in args.sizes:
                frames = {kind: "".join(frame(kind, size, flow).hex() + "\n" for flow in range(flows))
                          for kind in ("plain", *WAYS)}
                series = [Series(routers[0], "plain", size, frames["plain"], "ipv4")]
                series += [Series(router, way, size, frames[way], counted)
                           for router in routers[1:] for way, counted in WAYS.items()]
                compare(series, args.rounds, args.seconds)
                found = [figures(one, series[0]) for one in series]
                rows += found
                print("\n".join(map(row, found)), flush=True)
                for way in WAYS:
                    by = {one.router.name: one for one in series if one.kind == way}
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

class SixToFour(Connected):
    """The one end is a 6to4 host."""

    def __init__(self, lab, datapath):
        super().__init__(lab, datapath)
        own = sixto4("203.0.113.2")
        self.near.ip(f"addr add {own}/128 dev eth0 nodad",
                     f"neigh add 2001:db8:2::1 lladdr {ROUTER_MAC} dev eth0",
                     "route add default via 2001:db8:2::1 dev eth0 onlink mtu 1480")
        self.near.run(BLAST, "host", "eth0", "203.0.113.2", RELAY)
        start_relay(self.router, datapath, ["in", "out"])
        self.addresses = {"near": own, "far": "2001:db8:1::2"}


def tcp(datapaths, args):
    rows = []
    with Lab() as lab:
        ends = [Connected(lab), *(SixToFour(lab, name) for name in datapaths)]
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
            ratio, quarters = spread(a["gbit_cpu_s"] / b["gbit_cpu_s"] for a, b in zip(ours, plain))
            found = {"datapath": end.name, "way": way, "ratio": round(ratio, 3),
                     **{key: round(statistics.median(one[key] for one in ours), 2) for key in ours[0]},
                     "quarters": [round(value, 3) for value in quarters]}
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
    args.part = can_run(args.part, {"forward", "xdp"}, report)
    if "forward" in args.part:
        # where the processor is emulated, sit is there to be compared with, and nothing else
        report["emulated" if EMULATED else "forward"] = forward(datapaths, args)
    if "xdp" in args.part:
        report["xdp"] = forward(["xdp"], args)
    if "tcp" in args.part:
        report["tcp"] = tcp([name for name in datapaths if name != SIT_ALONE], args)
    if "load" in args.part:
        report["load"] = load("ebpf", args)
    return conclude(report, [] if args.quick else judge(report), args.json)


if __name__ == "__main__":
    sys.exit(main())
