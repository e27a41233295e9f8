# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job, for a person to watch: scripts/demo runs this."""

import os
import sys
import time

from lab import VTYSH, wait_for
from topology import ANYCAST, H6, H64_6, RELAY_ADDR, Internet
from wire import BgpSniffer, link_delete, ping

CONFIG = ["relay tokyo6to4", "description anycast 6to4 relay", "tunnel mode ipv6ip 6to4",
          f"tunnel source {RELAY_ADDR}", "ipv6 address 2002:c058:6301::1/128", "drain-time 1", "no shutdown"]

PICTURE = f"""\
A lab of its own, in network namespaces:

  h64, a 6to4 host, IPv4 only     --.           .--  rl, the relay router:
       {H64_6:27}|--  net  --'      zebra, bgpd, relayd
  h6, a native IPv6 host          --'  (bird, AS 65000)
       {H6}

Nothing but BGP tells net where the anycast prefixes are."""


def say(text=""):
    print(text, flush=True)


def step(text):
    say(f"\n* {text}\n")


def require(holds, what):
    if not holds:
        sys.exit(f"demo: {what}")


def show(router, line):
    say(f"rl# {line}")
    say(router.vtysh(line).rstrip())
    say()


def type_config(router):
    prompt = "rl(config)# "
    say("rl# configure terminal")
    for line in CONFIG:
        say(prompt + line)
        prompt = "rl(config-relay)# "
    out = router.vtysh_configure(*CONFIG)
    require(not out, f"vtysh says: {out}")
    say()


def try_pings(net):
    for ns, name, target, source in ((net.h64, "h64", H6, H64_6), (net.h6, "h6", H64_6, None)):
        answered = sum(ping(ns, target, source=source, count=1, timeout=3) for _ in range(3))
        say(f"{name}$ ping {target}: {answered} of 3 answered")
        require(answered, f"{name} gets no answer from {target}")


def neighbour_table(net):
    say("net$ birdc show route")
    for line in net.bird.ask("show route"):
        if line.startswith("1007") and line[5:].strip():
            say("  " + line[5:])


def broken(net, wire, how, action):
    step(how)
    began = time.time()
    action()
    wait_for(lambda: all(wire.withdrawn(p, began) for p in ANYCAST), 60, "the neighbour hears of it")
    for prefix in ANYCAST:
        say(f"  {prefix} withdrawn: BGP UPDATE at the neighbour after "
            f"{(wire.withdrawn(prefix, began) - began) * 1000:.0f} ms")
    return max(wire.withdrawn(p, began) for p in ANYCAST)


def back(wire, since, began):
    wait_for(lambda: all(wire.announced(p, since) for p in ANYCAST), 60, "both prefixes are announced again")
    last = max(wire.announced(p, since) for p in ANYCAST)
    say(f"  both announced again {(last - began) * 1000:.0f} ms later")


def run(net):
    router = net.relay
    net.start_routing()
    router.start("relayd")
    step("An operator types a relay. It is off until `no shutdown` (RFC 7526).")
    type_config(router)
    router.wait_relay("tokyo6to4", "up", timeout=60)
    net.bird.wait_routes(ANYCAST)
    wait_for(lambda: all(r["installed"] for r in router.relay_json("tokyo6to4")["routes"]), 30, "routes are installed")
    show(router, "show relay")

    step("Both directions, through the relay.")
    try_pings(net)
    show(router, "show relay tokyo6to4 counters")

    step("What the BGP neighbour has learned.")
    neighbour_table(net)

    with BgpSniffer(net.net, "rl") as wire:
        lost = broken(net, wire, "It breaks: somebody deletes the interface (ip link del tokyo6to4).",
                      lambda: link_delete(router.ns, "tokyo6to4"))
        step("relayd mends it, proves by its self-test that packets pass, and only then announces.")
        back(wire, lost, lost)
        router.wait_relay("tokyo6to4", "up", timeout=60)
        net.bird.wait_routes(ANYCAST)
        try_pings(net)
        show(router, "show relay tokyo6to4 history")

        config = "\n".join(router.running())
        broken(net, wire, "It breaks for good: kill -9 of relayd.", lambda: router.kill("relayd"))
        net.bird.wait_routes(absent=ANYCAST)
        say()
        neighbour_table(net)
        say("  (nothing left: net sends its packets elsewhere)")

        step("relayd starts again and adopts the interface that it left.")
        began = time.time()
        router.start("relayd", config=config)
        back(wire, began, began)
    router.wait_relay("tokyo6to4", "up", timeout=60)
    net.bird.wait_routes(ANYCAST)
    try_pings(net)
    say()
    neighbour_table(net)


def shell(net):
    router = net.relay
    step("vtysh on the relay router; `exit` ends the lab. A shell in a namespace:\n"
         f"  ip netns exec {router.ns.name} bash   (net, h64, h6 likewise: {net.net.name}, ...)")
    env = dict(os.environ, VTYSH_PAGER="cat", VTYSH_HISTFILE="/dev/null")
    os.spawnvpe(os.P_WAIT, "ip", ["ip", "netns", "exec", router.ns.name, str(VTYSH), "--vty_socket", str(router.dir),
                                  "--config_dir", str(router.dir)], env)


def main():
    say(PICTURE)
    with Internet() as net:
        run(net)
        if "--shell" in sys.argv[1:]:
            shell(net)
    say("\nThe main job is done; the lab is gone.")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as err:
        sys.exit(f"demo: {str(err).splitlines()[0]}")
