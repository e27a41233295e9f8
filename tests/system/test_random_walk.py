# SPDX-License-Identifier: GPL-2.0-or-later
"""Random create, edit and delete commits: the kernel and the RIB hold what the configuration explains, and no more.

After each hundred, three comparisons: with what the running configuration
says, with what is left when relayd has stopped (nothing), and with what a
relayd makes that has known nothing but that configuration.

RELAY_SEED repeats a walk, RELAY_WALK sets its length (1000; 300 where the processor is emulated).
"""

import collections
import os
import random
import time

import pytest

from lab import EMULATED, Timeout, Vty, host_has_sit, kernel_state, state_diff, wait_for
from topology import ANYCAST

# an emulated machine walks a part of it: the rest is the other kernel's
COMMITS = int(os.environ.get("RELAY_WALK", "200" if EMULATED else "1000"))
EVERY = 100

RELAYS = [f"w{n}" for n in range(6)]
SOURCES = ["192.88.99.1", "192.88.99.2", "198.18.0.1", "10.0.0.1", "10.99.0.1", "203.0.113.9"]
PREFIXES = ["192.88.99.0/24", "2002::/16", "10.70.0.0/16", "10.71.0.0/16", "2001:db8:70::/48", "2001:db8:71::/48",
            "2002:a00::/24", "198.51.100.0/24"]
TRACKS = range(1, 13)
# what runs differs, where the kernel has no sit; not what the configuration explains
SIT = host_has_sit()
DATAPATHS = {"ipv6ip 6to4": ["auto", "ebpf", "xdp"] + ["sit"] * SIT, "teredo": ["auto", "ebpf", "xdp", "userspace"]}
MODE_LINES = {"ipv6ip 6to4": ["tunnel transmit-source", "ipv6 mtu"],
              "teredo": ["tunnel udp-port", "peers maximum", "peers overload"]}
DEFAULT_ROUTES = {"ipv6ip 6to4": ANYCAST, "teredo": ["2001::/32"]}
STANDBY_METRIC = 4294967294


class Walk:
    """The commits: what to type, and nothing known of the outcome."""

    def __init__(self, rng):
        self.rng = rng
        self.modes = {name: rng.choice(list(MODE_LINES)) for name in RELAYS}

    def lines(self):
        rng = self.rng
        if rng.random() < 0.25:
            return self.track()
        name = rng.choice(RELAYS)
        if rng.random() < 0.06:
            return [f"no relay {name}"]
        if rng.random() < 0.03:
            return [f"relay {name}", *self.other_mode(name)]
        if rng.random() < 0.1:
            return [f"relay {name}", f"tunnel mode {self.modes[name]}", f"tunnel source {rng.choice(SOURCES)}",
                    "no shutdown"]
        return [f"relay {name}", self.relay_line(name)]

    def other_mode(self, name):
        """In service or not: lines that only the one mode has go first."""
        before, self.modes[name] = self.modes[name], next(mode for mode in MODE_LINES if mode != self.modes[name])
        return [*(f"no {line}" for line in MODE_LINES[before]), "no tunnel datapath", f"tunnel mode {self.modes[name]}"]

    def track(self):
        rng = self.rng
        number = rng.choice(TRACKS)
        if rng.random() < 0.25:
            return [f"no track {number}"]
        kind = number % 4
        if kind == 0:
            return [f"track {number} interface {rng.choice(['eth0', 'eth1', 'nowhere'])} line-protocol",
                    f"delay up {rng.choice([0, 1])} down {rng.choice([0, 1])}"]
        if kind == 1:
            target = rng.choice(["10.0.0.0/24", "10.123.0.0/16", "192.88.99.0/24"])
            return [f"track {number} ip route {target} reachability", "no delay"]
        if kind == 2:
            return [f"track {number} icmp-echo {rng.choice(['10.0.0.2', '2001:db8::2', '10.0.0.77'])}",
                    f"frequency {rng.choice([200, 500])}"]
        return [f"track {number} list boolean {rng.choice(['and', 'or'])}",
                rng.choice(["", "no "]) + f"object {rng.choice(TRACKS)}" + rng.choice(["", " not"])]

    def relay_line(self, name):
        rng = self.rng
        no = "no " if rng.random() < 0.3 else ""
        line = rng.choice([
            "shutdown", "shutdown", "shutdown", "mode", "source", "source", "interface", "direction", "ttl", "own",
            "own", "address", "address", "route", "route", "route", "track", "delay", "dampening", "drain",
            "maintenance", "self-test", "description", "datapath", "uplink", "bogons", "permit", "deny"])
        mode = self.modes[name]
        if line == "own":  # of the mode; now and then of the other one
            line = rng.choice(["transmit", "mtu"] if (mode == "teredo") == (rng.random() < 0.1) else
                              ["port", "peers", "overload"])
        if line == "shutdown":
            return rng.choice(["shutdown", "no shutdown", "no shutdown"])
        if line == "mode":
            return f"tunnel mode {mode}" if rng.random() < 0.9 else "no tunnel mode"
        if line == "source":
            return f"tunnel source {rng.choice(SOURCES)}" if rng.random() < 0.9 else "no tunnel source"
        if line == "route":
            extra = rng.choice(["", " tag 9", " distance 7", " metric 3", f" track {rng.choice(TRACKS)}"])
            return f"{no}route {rng.choice(PREFIXES)}" + ("" if no else extra)
        return no + {
            "transmit": f"tunnel transmit-source {rng.choice(SOURCES)}",
            "interface": f"tunnel interface {name}-{rng.choice('xyz')}" if not no else "tunnel interface",
            "direction": f"tunnel direction {rng.choice(['both', 'receive', 'transmit'])}",
            "ttl": f"tunnel ttl {rng.choice([1, 64, 255])}",
            "mtu": f"ipv6 mtu {rng.choice([1280, 1400, 1480])}",
            "address": f"ipv6 address 2001:db8:{rng.choice('abc')}::{name[1:]}/128",
            "track": f"track {rng.choice(TRACKS)}",
            "delay": f"delay up {rng.choice([0, 1])}",
            # what the configuration explains does not flap twenty times
            "dampening": rng.choice(["dampening 1 19000 20000 2", "dampening 45 19999 20000 1"]),
            "drain": f"drain-time {rng.choice([0, 0, 1])}",
            "datapath": f"tunnel datapath {rng.choice(DATAPATHS[mode])}",
            "port": f"tunnel udp-port {rng.choice([3545, 3546, 40000])}",
            "peers": f"peers maximum {rng.choice([1, 1000, 65536])}",
            "overload": "peers overload withdraw",
            "uplink": f"tunnel uplink {rng.choice(['eth0', 'eth1', 'nowhere'])}",
            "bogons": "filter bogons", "permit": f"filter permit 10.{rng.choice([0, 1])}.0.0/16",
            "deny": f"filter deny {rng.choice(['198.51.100.0/24', '2001:db8:f::/48', '10.0.0.0/8'])}",
            "maintenance": "maintenance", "self-test": "self-test", "description": "description walked",
        }[line]


def parse(lines):
    """{relay: {first word(s): value}} and the tracks, of a running configuration."""
    relays, block = {}, None
    for line in lines:
        if line.startswith("relay "):
            block = relays[line.split()[1]] = collections.defaultdict(list)
        elif line == "exit" or not line.startswith(" "):
            block = None
        elif block is not None:
            words = line.split()
            if words[0] == "no":
                block["no " + words[1]].append("")
            elif words[0] in ("tunnel", "ipv6", "peers"):
                block[" ".join(words[:2])].append(" ".join(words[2:]))
            else:
                block[words[0]].append(" ".join(words[1:]))
    return relays


def routes_of(relay):
    direction = (relay["tunnel direction"] or ["both"])[0]
    routes = {}
    for line in relay["route"] or DEFAULT_ROUTES.get(*relay["tunnel mode"] or [""], ()):
        words = line.split()
        if direction == ("transmit" if ":" not in words[0] else "receive"):
            continue
        routes[words[0]] = dict(zip(words[1::2], words[2::2]))
    return routes


def expected(router):
    """Links with their parameters, and the RIB, from the running configuration and the tracks' states."""
    relays = parse(router.running())
    tracks = {number: track["state"] for number, track in router.track_json().items()}
    links, rib = {}, {}
    for name, relay in relays.items():
        if not (relay["no shutdown"] and relay["tunnel mode"] and relay["tunnel source"]):
            continue
        source = relay["tunnel source"][0]
        ifname = (relay["tunnel interface"] or [name])[0]
        addrs = set(relay["ipv6 address"])
        if source != "10.0.0.1":  # the host has that one
            addrs.add(f"{source}/32")
        links[ifname] = {"addrs": addrs, "mtu": int((relay["ipv6 mtu"] or [1280])[0])}
        if SIT and relay["tunnel mode"] != ["teredo"]:
            links[ifname].update(ttl=int((relay["tunnel ttl"] or [64])[0]), local=source)
        track = (relay["track"] or [""])[0]
        if relay["maintenance"] or (track and tracks[track] != "up"):
            continue
        for prefix, attrs in routes_of(relay).items():
            if "track" not in attrs or tracks[attrs["track"]] == "up":
                rib[prefix] = (ifname, int(attrs.get("distance", 1)), int(attrs.get("metric", 0)),
                               int(attrs.get("tag", 0)))
    return links, rib


def rib_of(router):
    found = {}
    for version in ("ip", "ipv6"):
        for prefix, routes in router.json("zebra", f"show {version} route openfabric json").items():
            for route in routes:
                found[prefix] = (route["nexthops"][0]["interfaceName"], route["distance"], route["metric"],
                                 route.get("tag", 0))
    return found


def fib_of(ns):
    """{(prefix, interface)}: what zebra has put into the kernel, of what relayd has asked for."""
    return {(route["dst"], route["dev"]) for family in ("-4", "-6")
            for route in ns.ip_json(family, "route", "show", "proto", "openfabric")}


def standby_of(ns):
    """(prefix, interface) of the routes that relayd keeps itself, see the manual's standby route."""
    return {(route["dst"], route["dev"]) for route in ns.ip_json("-6", "route", "show", "table", "all")
            if route.get("metric") == STANDBY_METRIC}


def kernel_links(ns, base):
    found = {}
    for link in ns.ip_json("addr"):
        if link["ifname"] in base:
            continue
        data = link["linkinfo"]["info_data"] if link["linkinfo"]["info_kind"] == "sit" else {}
        found[link["ifname"]] = {
            "addrs": {f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]
                      if not a["local"].startswith("fe80:")},
            "mtu": link["mtu"], **({"ttl": data.get("ttl"), "local": data["local"]} if data else {})}
    return found


def one_of_many(links, have):
    """Relays that share an address: it is on the interface of the one that has put it there."""
    sources = [addr for link in links.values() for addr in link["addrs"] if addr.endswith("/32")]
    for addr in {addr for addr in sources if sources.count(addr) > 1}:
        if any(addr in link["addrs"] for link in have.values()):
            for link in [*links.values(), *have.values()]:
                link["addrs"].discard(addr)


def same_as(state, router):
    """What differs from that state, but for who has an address that several may have."""
    sources = [relay["tunnel source"][0] for relay in parse(router.running()).values()
               if relay["no shutdown"] and relay["tunnel source"]]
    shared = {source for source in sources if sources.count(source) > 1}
    return [line for line in state_diff(state, kernel_state(router.ns)) if not any(addr in line for addr in shared)]


def differences(router, base):
    """[] when the kernel and the RIB are what the configuration explains."""
    links, rib = expected(router)
    diff = []
    have = kernel_links(router.ns, base["links"])
    one_of_many(links, have)
    diff += [f"link {n}: want {links.get(n)}, have {have.get(n)}" for n in sorted(links.keys() | have.keys())
             if links.get(n) != have.get(n)]
    have = rib_of(router)
    diff += [f"RIB {p}: want {rib.get(p)}, have {have.get(p)}" for p in sorted(rib.keys() | have.keys())
             if rib.get(p) != have.get(p)]
    want = {(prefix, attrs[0]) for prefix, attrs in rib.items()}
    have = fib_of(router.ns)
    diff += [f"kernel's route {p}: wanted {p in want}, there {p in have}" for p in sorted(want ^ have)]
    # beside zebra's routes and nowhere else: nothing drains while it rests
    want = {(prefix, attrs[0]) for prefix, attrs in rib.items() if ":" in prefix}
    have = standby_of(router.ns)
    diff += [f"standby {p}: wanted {p in want}, there {p in have}" for p in sorted(want ^ have)]
    if not links:
        diff += state_diff(base, kernel_state(router.ns))
    for name, relay in router.relay_json().items():
        if relay["operStatus"] in ("init", "draining"):
            diff.append(f"{name} is {relay['operStatus']} ({relay['reason']})")
        diff += [f"{name} {r['prefix']}: installed {r['installed']}" for r in relay["routes"]
                 if r["installed"] != (r["prefix"] in rib and relay["operStatus"] == "up")]
    return diff


def at_rest(router):
    """Nothing is awaited: no drain, no delay, no first answer to an echo request."""
    relays = list(router.relay_json().values())
    routes = [route for relay in relays for route in relay["routes"]]
    return (all(relay["operStatus"] not in ("init", "draining") for relay in relays)
            and all(track["state"] != "init" for track in router.track_json().values())
            and not any(route.get("note", "").startswith(("delay", "waiting")) for route in routes)
            and len(router.rib_openfabric()) == sum(route["installed"] for route in routes))


def settle(what, differ, timeout=60):
    last = []

    def same():
        last[:] = differ()
        return not last

    try:
        wait_for(same, timeout, what)
    except Timeout as err:
        raise AssertionError(f"{err}:\n" + "\n".join(last[:30])) from None


@pytest.mark.both
def test_random_walk(box):
    seed = int(os.environ.get("RELAY_SEED", time.time()))
    print(f"seed {seed}: RELAY_SEED repeats it")
    router = box.relay
    router.ns.ip("route add default via 10.0.0.2", "route add default via 2001:db8::2")
    try:
        walk(router, Walk(random.Random(seed)), kernel_state(router.ns))
    finally:
        router.ns.ip("route del default via 10.0.0.2", "route del default via 2001:db8::2")


def walk(router, steps, base):
    router.start("relayd")
    done = refused = 0
    vty = Vty(router.dir / "relayd.vty").__enter__()
    vty.ask("configure terminal")
    recent = collections.deque(maxlen=40)
    try:
        while done < COMMITS:
            lines = steps.lines()
            codes = [vty.ask(line)[1] for line in [*lines, "end", "configure terminal"]]
            recent.append((lines, codes))
            if any(codes[:len(lines)]):
                refused += 1
            else:
                done += 1
            if done % EVERY or any(codes[:len(lines)]):
                continue
            wait_for(lambda: at_rest(router), 60, f"nothing is on its way after {done} commits")
            settle(f"explained after {done} commits", lambda: differences(router, base))
            config = router.running()
            state = kernel_state(router.ns)
            vty.sock.close()
            assert router.stop("relayd") == 0
            settle(f"nothing left after {done} commits", lambda: state_diff(base, kernel_state(router.ns)))
            assert rib_of(router) == {}
            router.start("relayd", config="\n".join(config))
            wait_for(lambda: at_rest(router), 60, f"nothing is on its way after {done} commits and a restart")
            settle(f"as before the restart after {done} commits",
                   lambda: same_as(state, router) + differences(router, base))
            assert router.running() == config
            vty = Vty(router.dir / "relayd.vty").__enter__()
            vty.ask("configure terminal")
    except BaseException:
        print("last commits:", *recent, sep="\n")
        if "relayd" in router.procs:
            print("\n".join(router.running()))
            # what it takes to tell who is wrong, where a run can't be had again in less than ten minutes
            for name, relay in router.relay_json().items():
                print(name, relay["operStatus"], relay["reason"], relay.get("detail", ""), relay["routes"])
            print("RIB", rib_of(router), "standby", standby_of(router.ns))
            print(router.log("relayd")[-6000:])
        raise
    finally:
        vty.sock.close()
    print(f"{done} commits, {refused} more were refused")
    assert refused < 3 * done
