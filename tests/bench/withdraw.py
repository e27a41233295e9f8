# SPDX-License-Identifier: GPL-2.0-or-later
"""Local failure to the BGP UPDATE that withdraws, on the wire at the neighbour.

relayd's routes and stock staticd's over a dummy interface stand in the same
zebra and bgpd, and fail in turn: one run, one clock.  Then a change to
`maintenance` between two relays under traffic.

    scripts/bench withdraw [--trials N] [--json FILE]
"""

import argparse
import json
import pathlib
import platform
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import topology  # noqa: E402
from lab import wait_for  # noqa: E402
from topology import ANYCAST, BASIC, H6, H64_6, RELAY_ADDR, Internet  # noqa: E402
from wire import BgpSniffer, Flow, addr_delete, link_delete, link_set  # noqa: E402

STATIC = ("198.19.0.0/16", "2001:db8:99::/48")
RELAY_CONFIG = ["relay r", *BASIC, "no shutdown", "exit"]
STATIC_CONFIG = [f"ip route {STATIC[0]} floor", f"ipv6 route {STATIC[1]} floor"]

# what an operator can set without patching FRR
TUNED = {"stock": "", "zebra work-queue 0": "zebra work-queue 0\n"}


def make_floor(router):
    router.ns.ip("link add floor type dummy", "link set floor up")


def mend_interface(router):
    """relayd mends by itself."""


FAULTS = {
    "interface removed": (lambda r: link_delete(r.ns, "r"), mend_interface),
    "interface set down": (lambda r: link_set(r.ns, "r", False), lambda r: link_set(r.ns, "r", True)),
    "address deleted": (lambda r: addr_delete(r.ns, "r", f"{RELAY_ADDR}/32"), mend_interface),
    "SIGKILL": (lambda r: r.kill("relayd"), lambda r: r.start("relayd", config="\n".join(RELAY_CONFIG))),
}
FLOOR = {
    "interface removed": (lambda r: link_delete(r.ns, "floor"), make_floor),
    "interface set down": (lambda r: link_set(r.ns, "floor", False), lambda r: link_set(r.ns, "floor", True)),
    "SIGKILL": (lambda r: r.kill("staticd"), lambda r: r.start("staticd", config="\n".join(STATIC_CONFIG))),
}


def trial(net, wire, fault, mend, prefixes, trial_number):
    """Milliseconds from the fault to the UPDATE that withdraws the last of the prefixes."""
    net.bird.wait_routes((*ANYCAST, *STATIC), timeout=120)
    # not in step with any timer of the daemons
    time.sleep(0.3 + 0.037 * (trial_number % 10))
    began = time.time()
    fault(net.relay)
    wait_for(lambda: all(wire.withdrawn(p, began) for p in prefixes), 60, f"withdrawal of {prefixes}")
    ended = max(wire.withdrawn(p, began) for p in prefixes)
    mend(net.relay)
    return (ended - began) * 1000


def withdrawals(originate, zebra_config, trials):
    bgp, af4, af6 = topology.ORIGINATE[originate]
    extra4, extra6 = (("redistribute static", "redistribute static") if originate == "redistribute"
                      else (f"network {STATIC[0]}", f"network {STATIC[1]}"))
    topology.ORIGINATE["bench"] = (bgp, f"{af4}\n  {extra4}", f"{af6}\n  {extra6}")
    with Internet(originate="bench") as net:
        router = net.relay
        make_floor(router)
        router.start("zebra", config=zebra_config)
        net.start_bgpd()
        router.start("staticd", config="\n".join(STATIC_CONFIG))
        router.start("relayd", config="\n".join(RELAY_CONFIG))
        with BgpSniffer(net.net, "rl") as wire:
            for fault, (do, mend) in FAULTS.items():
                ours, floor = [], []
                for number in range(trials):
                    ours.append(trial(net, wire, do, mend, ANYCAST, number))
                    if fault in FLOOR:
                        floor.append(trial(net, wire, *FLOOR[fault], STATIC, number))
                yield fault, {"relayd_ms": ours, "staticd_ms": floor}


def maintenance(rate, seconds):
    """Two relays with the same prefixes; one goes into maintenance under traffic in both directions."""
    with Internet(relays=("rl", "rl2"), split_tables=True) as net:
        net.start_routing()
        for router in net.routers.values():
            router.start("relayd", config="\n".join(RELAY_CONFIG).replace("drain-time 0", "drain-time 5"))
        for router in net.routers.values():
            router.wait_relay("r", "up", timeout=120)
        wait_for(lambda: all(net.bird.routes().get(p) == 2 for p in ANYCAST), 120, "both relays announce")
        with Flow(net.h64, H64_6, net.h6, H6, rate=rate // 2, port=4001) as up4, \
                Flow(net.h6, H6, net.h64, H64_6, rate=rate // 2, port=4002) as up6:
            wait_for(lambda: len(up4.seen) > rate // 4 and len(up6.seen) > rate // 4, 60, "traffic both ways")
            began = time.monotonic()
            net.routers["rl"].configure("relay r", "maintenance")
            wait_for(lambda: all(net.bird.routes().get(p) == 1 for p in ANYCAST), 60, "one relay is left")
            moved = time.monotonic() - began
            time.sleep(seconds)
            lost = [len(flow.stop(3.0)) for flow in (up4, up6)]
            rates = [flow.sent / (flow.times[-1] - flow.times[0]) for flow in (up4, up6)]
        state = net.routers["rl"].relay_json("r")["operStatus"]
    return {"sent": up4.sent + up6.sent, "lost_4to6": lost[0], "lost_6to4": lost[1], "failed": up4.failed + up6.failed,
            "packets_per_s": round(sum(rates)), "moved_ms": round(moved * 1000), "state": state}


def figures(values):
    return {"median": statistics.median(values), "worst": max(values)} if values else None


def row(origin, tuning, fault, ours, floor):
    ratio = f"{ours['median'] / floor['median']:5.2f}" if floor else "    -"
    text = f"{floor['median']:7.1f} {floor['worst']:7.1f}" if floor else "      -       -"
    return f"{origin:12} {tuning:19} {fault:19} {ours['median']:7.1f} {ours['worst']:7.1f}  {text}  {ratio}"


def report_withdrawals(trials, rows, origins, tunings):
    print("milliseconds from the fault to the withdrawing UPDATE at the neighbour")
    print(f"{'':52} relayd           staticd         relayd /")
    print(f"{'bgpd originates by':18} {'zebra':13} {'fault':19}  median   worst   median   worst  staticd")
    for originate in origins:
        for tuning in tunings:
            zebra_config = TUNED[tuning]
            for fault, times in withdrawals(originate, zebra_config, trials):
                ours, floor = figures(times["relayd_ms"]), figures(times["staticd_ms"])
                print(row(originate, tuning, fault, ours, floor), flush=True)
                rows.append({"originate": originate, "zebra": tuning, "fault": fault, **times, "relayd": ours,
                             "staticd": floor})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--part", choices=("withdraw", "maintenance"), help="only this one")
    parser.add_argument("--originate", choices=("redistribute", "network"), nargs="*",
                        default=["redistribute", "network"])
    parser.add_argument("--zebra", choices=TUNED, nargs="*", default=list(TUNED))
    args = parser.parse_args()

    report = {"kernel": platform.release(), "trials": args.trials, "withdraw": []}
    good = True
    if args.part != "maintenance":
        report_withdrawals(args.trials, report["withdraw"], args.originate, args.zebra)
    if args.part != "withdraw":
        result = report["maintenance"] = maintenance(args.rate, 8)
        print(f"maintenance, two relays, {result['packets_per_s']} packets/s: {result['sent']} sent, "
              f"{result['lost_4to6']} lost 4->6, {result['lost_6to4']} lost 6->4")
        good = not result["lost_4to6"] + result["lost_6to4"] and result["state"] == "maintenance"
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
