# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay under faults at random, one every 200 ms: after each settled second all that tell of it must agree.

    scripts/bench soak [--seconds N] [--seed N] [--json FILE]

Twenty faults, then quiet.  `show relay` and `show track` must come to what the
faults explain, and the RIB, the kernel and the BGP neighbour with them, within
20 s (the self-test takes 3 s, a BGP session some more after zebra and bgpd have
been restarted), and stay there for a second.  An emulated processor gets longer, by as much as
it is slower, three times at most.  relayd's memory is looked at with everything
mended: what it holds after a fifth of the time may not grow until the end.
"""

import argparse
import collections
import json
import pathlib
import platform
import random
import re
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from bird import Bird  # noqa: E402
from lab import EMULATED, wait_for  # noqa: E402
from test_scale import REFERENCE_S, calculate  # noqa: E402
from topology import ANYCAST4, ANYCAST6, BASIC, RELAY_ADDR, Internet  # noqa: E402
from wire import addr_delete, ifindex, link_delete, link_set, netlink  # noqa: E402


FLIPS, EVERY_S = 20, 0.2
AGREE_S, QUIET_S = 20.0, 1.0
CUT = 77  # group of an interface by which a rule drops protocol 41
# more than this is growth; a leak of one a fault is thousands
RSS_GROWTH_KB, GROWTH, GROWTH_PART = 512, 8, 0.02
TRACKED = "10.77.0.0/16"
SWITCHES = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")

# track 1 holds the relay, 2 and 5 a route each, 3 and 4 are there to be busy
CONFIG = ["track 1 interface probe0 line-protocol", "exit", f"track 2 ip route {TRACKED} reachability", "exit",
          "track 3 icmp-echo 10.66.0.2", " frequency 200", " timeout 100", "exit",
          "track 4 list boolean or", " object 1", " object 3 not", "exit",
          "track 5 bfd peer 10.66.0.2", "exit",
          "relay r", *BASIC, "track 1", "route 192.88.99.0/24 tag 7 track 5", "route 2002::/16 track 2",
          "no shutdown", "exit"]

RULES = f"""table inet soak {{
  chain in {{ type filter hook input priority 0; iifgroup {CUT} ip protocol 41 drop; }}
  chain out {{ type filter hook postrouting priority 300; oifgroup {CUT} ip protocol 41 drop; }}
}}
"""


class Soak:
    """The lab, the faults, and what the kernel holds because of them."""

    def __init__(self, net, rng, slower):
        self.net, self.router, self.ns = net, net.relay, net.relay.ns
        self.rng, self.slower = rng, slower
        self.done = collections.Counter()
        self.recent = collections.deque(maxlen=2 * FLIPS)
        # what stays broken until someone mends it
        self.probe, self.route, self.bfd, self.down = True, True, True, False
        self.cut = {"lo": False, "eth0": False}
        self.forwarding = dict.fromkeys(SWITCHES, True)

    def start(self):
        self.net.link(self.ns, "probe0", ["10.66.0.1/24"], self.net.net, "probe0", ["10.66.0.2/24"])
        self.ns.ip(f"route add {TRACKED} via {self.router.net4}")
        # what comes in by lo is the self-test from 4 to 6, what leaves by eth0 that from 6 to 4
        self.ns.run("nft", "-f", "-", input=RULES)
        self.net.start_routing()
        self.router.start("bfdd")
        self.far = Bird(self.net, self.net.net, """router id 10.66.0.2; protocol device { }
            protocol bfd far { neighbor 10.66.0.1 dev "probe0" local 10.66.0.2; }""", name="far")
        self.router.start("relayd", config="\n".join(CONFIG))

    # ---- faults; each returns whether it could be done

    def flip_probe(self):
        self.probe = not self.probe
        link_set(self.net.net, "probe0", self.probe)

    def flip_tunnel(self):
        link_set(self.ns, "r", self.down)
        self.down = not self.down

    def delete_tunnel(self):
        link_delete(self.ns, "r")
        self.down = False

    def delete_address(self):
        addr_delete(self.ns, "r", f"{RELAY_ADDR}/32")

    def flip_filter(self, ifname=None):
        ifname = ifname or self.rng.choice(list(self.cut))
        self.cut[ifname] = not self.cut[ifname]
        netlink(self.ns, 16, struct.pack("=BxHiII", 0, 0, ifindex(self.ns, ifname), 0, 0) +
                struct.pack("=HHI", 8, 27, CUT * self.cut[ifname]))

    def flip_bfd(self):
        self.bfd = not self.bfd
        self.far.ask(("enable" if self.bfd else "disable") + " far")

    def flip_forwarding(self):
        name = self.rng.choice(SWITCHES)
        self.forwarding[name] = not self.forwarding[name]
        self.ns.sysctl(name, int(self.forwarding[name]))

    def flush_table(self):
        self.ns.run("nft", "flush", "table", "ip", "frr-relay")

    def flip_route(self):
        self.route = not self.route
        self.ns.ip(f"route {'add' if self.route else 'del'} {TRACKED} via {self.router.net4}")

    def restart_zebra(self):
        # as watchfrr does it; by themselves its clients come back after 10 s, or a minute
        self.router.stop("zebra")
        self.router.start("zebra")
        self.router.stop("bfdd")
        self.router.start("bfdd")
        self.router.stop("bgpd")
        self.router.start("bgpd", config=self.net.bgpd_config(self.router))

    FAULTS = {flip_probe: 20, flip_tunnel: 12, delete_tunnel: 10, delete_address: 12, flip_filter: 10,
              flip_forwarding: 12, flush_table: 6, flip_route: 10, flip_bfd: 7, restart_zebra: 1}

    def flip(self):
        fault = self.rng.choices(list(self.FAULTS), self.FAULTS.values())[0]
        try:
            fault(self)
            outcome = ""
        except (OSError, AssertionError) as err:
            # what is deleted can't be deleted again before relayd has made it anew
            if not any(part in str(err).lower() for part in ("no such", "no interface", "cannot assign")):
                raise
            outcome = " (was not there)"
        self.done[fault.__name__ + outcome] += 1
        self.recent.append(f"{time.strftime('%H:%M:%S')} {fault.__name__}{outcome}")

    def mend(self):
        for wanted, flip in ((not self.probe, self.flip_probe), (self.down, self.flip_tunnel),
                             (not self.bfd, self.flip_bfd), (not self.route, self.flip_route)):
            if wanted:
                flip()
        for ifname, cut in self.cut.items():
            if cut:
                self.flip_filter(ifname)
        for name in SWITCHES:
            self.forwarding[name] = True
            self.ns.sysctl(name, 1)

    # ---- what is

    def differences(self):
        """[] when all agree."""
        relay = self.router.relay_json("r")
        tracks = {n: t["state"] for n, t in self.router.track_json().items()}
        forwarding = all(self.forwarding.values())
        base = self.probe and not self.down and forwarding
        ways = {"4to6": not self.cut["lo"], "6to4": not self.cut["eth0"]}
        states = {"1": self.probe, "2": self.route, "3": self.probe, "4": True, "5": self.probe and self.bfd}
        want = {p for p, way, track in ((ANYCAST4, "4to6", "5"), (ANYCAST6, "6to4", "2"))
                if base and ways[way] and states[track]}
        diff = []

        def same(what, have, should):
            if have != should:
                diff.append(f"{what}: {have}, should be {should}")

        same("operStatus", relay["operStatus"], "up" if base and any(ways.values()) else "down")
        same("reason is ok", relay["reason"] == "ok", base and all(ways.values()))
        same("forwarding check", relay["checks"]["forwarding"] == "ok", forwarding)
        same("interface check", relay["checks"]["interface"] == "ok", not self.down)
        if forwarding and not self.down:
            same("self-tests", {way: test["state"] == "ok" for way, test in relay["selfTests"].items()}, ways)
        same("tracks", tracks, {n: "up" if up else "down" for n, up in states.items()})
        same("installed", {r["prefix"] for r in relay["routes"] if r["installed"]}, want)
        same("RIB", self.router.rib_openfabric(), want)
        same("neighbour", set(self.net.bird.routes()), want)
        kernel = [(route["dst"], route["dev"], route.get("metric", 0) > 1000000) for family in ("-4", "-6")
                  for proto in ("openfabric", "redirect")
                  for route in self.ns.ip_json(family, "route", "show", "proto", proto)]
        # beside zebra's, the standby route of IPv6 prefixes
        same("kernel routes", sorted(kernel), sorted(
            [(p, "r", False) for p in want] + [(p, "r", True) for p in want if ":" in p]))
        address = f"{RELAY_ADDR}/32" in self.ns.addrs("r")
        # the kernel does not take what comes to an address of an interface that is down
        same("source check", relay["checks"]["source"] == "ok", address and not self.down)
        if not self.down:  # relayd puts nothing right on an interface that an operator has set down
            same("address", address, True)
        same("link", "UP" in self.ns.link("r").get("flags", ()), not self.down)
        return diff

    def agree(self):
        """Seconds until all agree and do so for a second; what comes late (the last probe's timeout) starts it anew."""
        began = agreed = time.monotonic()
        diff, transitions = ["not compared"], None
        while diff or time.monotonic() - agreed < QUIET_S:
            last, diff = diff, self.differences()
            now = self.router.relay_json("r")["transitions"]
            if diff or last or now != transitions:
                agreed, transitions = time.monotonic(), now
            if time.monotonic() - began > AGREE_S * self.slower:
                raise AssertionError("no agreement, or none that lasts:\n  " + "\n  ".join(diff or last))
            time.sleep(0.05)
        return agreed - began

    def tell(self):
        """What helps to find out, on stdout."""
        print("last faults:", *self.recent, sep="\n  ")
        for daemon, lines in (("relayd", 60), ("bgpd", 20), ("zebra", 20)):
            print(f"{daemon}:", *self.router.log(daemon).splitlines()[-lines:], sep="\n  ")
        print("sessions:", self.net.bird.established(), "routes:", self.net.bird.routes())
        for daemon, line in (("relayd", "show relay r"), ("bgpd", "show bgp ipv4 unicast"),
                             ("zebra", "show zebra client summary"), ("zebra", "show ip route")):
            print(f"{daemon}: {line}", self.router.ask(daemon, line), sep="\n")

    # ---- memory

    def memory(self):
        """RSS in kB, and what relayd has allocated, by type."""
        self.mend()
        self.agree()
        pid = self.router.procs["relayd"].pid
        rss = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text("ascii")).group(1))
        counts = collections.Counter()
        # what stands before the first group is the allocator's
        for line in self.router.ask("relayd", "show memory").split("--- qmem", 1)[1].splitlines():
            match = re.match(r"(\S.*?)\s*:\s+(\d+)\s", line)
            if match:
                counts[match.group(1)] += int(match.group(2))
        return rss, counts


def run(soak, seconds):
    report = {"settled": 0, "slowest_s": 0.0}
    began = time.monotonic()
    warm = None
    while time.monotonic() - began < seconds:
        for _ in range(FLIPS):
            due = time.monotonic() + EVERY_S
            soak.flip()
            time.sleep(max(0.0, due - time.monotonic()))
        report["slowest_s"] = max(report["slowest_s"], soak.agree())
        report["settled"] += 1
        soak.router.assert_sound()
        if warm is None and time.monotonic() - began > seconds / 5:
            warm = soak.memory()
        if report["settled"] % 10 == 0:
            print(f"{time.monotonic() - began:6.0f} s: {report['settled']} settled, {sum(soak.done.values())} faults",
                  file=sys.stderr, flush=True)
    report["seconds"] = time.monotonic() - began
    rss, counts = soak.memory()
    warm = warm or (rss, counts)
    report["rss_kb"] = [warm[0], rss]
    report["grown"] = {name: [warm[1][name], n] for name, n in counts.items()
                       if n - warm[1][name] > GROWTH + GROWTH_PART * warm[1][name]}
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()

    slower = min(3.0, max(1.0, calculate() / REFERENCE_S)) if EMULATED else 1.0
    print(f"seed {args.seed}: --seed repeats the faults; {AGREE_S * slower:.0f} s to agree", flush=True)
    with Internet(tunnels=False) as net:
        soak = Soak(net, random.Random(args.seed), slower)
        soak.start()
        try:
            wait_for(lambda: not soak.differences(), 60 * slower, "the relay is up")
            report = run(soak, args.seconds)
        except BaseException:
            soak.tell()
            raise
    faults = dict(soak.done)
    print(f"{report['seconds']:.0f} s, {sum(faults.values())} faults, {report['settled']} times at rest: all agreed, "
          f"after {report['slowest_s']:.1f} s at most")
    print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in sorted(faults.items())))
    rss = report["rss_kb"]
    print(f"resident {rss[0]} kB after a fifth, {rss[1]} kB at the end; allocations that grew: {report['grown'] or 'none'}")
    good = rss[1] - rss[0] <= RSS_GROWTH_KB and not report["grown"]
    if args.json:
        args.json.write_text(json.dumps({"kernel": platform.release(), "seed": args.seed, "slower": slower,
                                         "faults": faults, **report}, indent=1) + "\n", encoding="ascii")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
