# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job, for a person to watch: scripts/demo runs this."""

import os
import signal
import sys
import time

from lab import VTYSH, wait_for
from teredo_lab import TEREDO, TeredoInternet, teredo_mapping
from topology import ANYCAST, H6, H64_6, RELAY_ADDR
from wire import BgpSniffer, link_delete, ping

SIX_TO_FOUR = ["relay tokyo6to4", "description anycast 6to4 relay", "tunnel mode ipv6ip 6to4",
               f"tunnel source {RELAY_ADDR}", "ipv6 address 2002:c058:6301::1/128", "drain-time 1", "no shutdown"]
# the source is the router's own address on its link
TEREDO_RELAY = ["relay jpnap", "description Teredo relay", "tunnel mode teredo", "tunnel source 203.0.113.2",
                "drain-time 1", "no shutdown"]
ALL = (*ANYCAST, TEREDO)
NAT = "port-restricted"

PICTURE = f"""\
A lab of its own, in network namespaces:

  h64, a 6to4 host, IPv4 only     --.           .--  rl, the relay router:
       {H64_6:27}|--  net  --'      zebra, bgpd, relayd
  h6, a native IPv6 host          --|  (bird, AS 65000)
       {H6:27}|
  c0, a Teredo client behind nat0 --|
       (Miredo; a {NAT} NAT)
  srv, its Teredo server (Miredo) --'

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


def type_config(router, config):
    prompt = "rl(config)# "
    say("rl# configure terminal")
    for line in config:
        say(prompt + line)
        prompt = "rl(config-relay)# "
    out = router.vtysh_configure(*config)
    require(not out, f"vtysh says: {out}")
    say()


def installed(router, name):
    router.wait_relay(name, "up", timeout=60)
    wait_for(lambda: all(r["installed"] for r in router.relay_json(name)["routes"]), 30, "routes are installed")


def try_pings(*pings):
    """Each (namespace, its name, target, source or None)."""
    for ns, name, target, source in pings:
        answered = sum(ping(ns, target, source=source, count=1, timeout=3) for _ in range(3))
        say(f"{name}$ ping {target}: {answered} of 3 answered")
        require(answered, f"{name} gets no answer from {target}")


def pings_6to4(net):
    return (net.h64, "h64", H6, H64_6), (net.h6, "h6", H64_6, None)


def pings_teredo(net, client):
    return (net.h6, "h6", client.address, None), (client.ns, "c0", H6, None)


def neighbour_table(net):
    say("net$ birdc show route")
    for line in net.bird.ask("show route"):
        if line.startswith("1007") and line[5:].strip():
            say("  " + line[5:])


def broken(net, wire, prefixes, how, action):
    step(how)
    began = time.time()
    action()
    wait_for(lambda: all(wire.withdrawn(p, began) for p in prefixes), 60, "the neighbour hears of it")
    for prefix in prefixes:
        say(f"  {prefix} withdrawn: BGP UPDATE at the neighbour after "
            f"{(wire.withdrawn(prefix, began) - began) * 1000:.0f} ms")
    return max(wire.withdrawn(p, began) for p in prefixes)


def back(wire, prefixes, since, began):
    wait_for(lambda: all(wire.announced(p, since) for p in prefixes), 60, f"{', '.join(prefixes)} announced again")
    last = max(wire.announced(p, since) for p in prefixes)
    say(f"  {'all' if len(prefixes) > 2 else 'both' if len(prefixes) == 2 else prefixes[0]} announced again "
        f"{(last - began) * 1000:.0f} ms later")


def show_6to4(net):
    router = net.relay
    step("An operator types a relay. It is off until `no shutdown` (RFC 7526).")
    type_config(router, SIX_TO_FOUR)
    installed(router, "tokyo6to4")
    net.bird.wait_routes(ANYCAST)
    show(router, "show relay")

    step("Both directions, through the relay.")
    try_pings(*pings_6to4(net))
    show(router, "show relay tokyo6to4 counters")


def show_teredo(net):
    router = net.relay
    step("A second relay beside it: Teredo, for hosts behind a NAT.")
    type_config(router, TEREDO_RELAY)
    installed(router, "jpnap")
    net.bird.wait_routes(ALL)
    client = net.client(NAT)
    mapped, port = teredo_mapping(client.address)
    say(f"c0$ miredo: qualified, its NAT shows it at {mapped} port {port}; so it is\n  {client.address}")
    say()
    try_pings(*pings_teredo(net, client))
    say()
    show(router, "show relay jpnap peers")
    show(router, "show relay")
    return client


def run(net):
    router = net.relay
    net.start_routing()
    router.start("relayd")
    show_6to4(net)
    client = show_teredo(net)

    step("What the BGP neighbour has learned.")
    neighbour_table(net)

    with BgpSniffer(net.net, "rl") as wire:
        for name, prefixes in (("tokyo6to4", ANYCAST), ("jpnap", (TEREDO,))):
            lost = broken(net, wire, prefixes, f"It breaks: somebody deletes the interface (ip link del {name}).",
                          lambda name=name: link_delete(router.ns, name))
            step("relayd mends it, proves by its self-test that packets pass, and only then announces.")
            back(wire, prefixes, lost, lost)
            installed(router, name)
            net.bird.wait_routes(ALL)
        say()
        try_pings(*pings_6to4(net), *pings_teredo(net, client))
        say()
        show(router, "show relay tokyo6to4 history")

        config = "\n".join(router.running())
        broken(net, wire, ALL, "It breaks for good: kill -9 of relayd.", lambda: router.kill("relayd"))
        net.bird.wait_routes(absent=ALL)
        say()
        neighbour_table(net)
        say("  (nothing left: net sends its packets elsewhere)")

        step("relayd starts again and takes over what it left.")
        began = time.time()
        router.start("relayd", config=config)
        back(wire, ALL, began, began)
    for name in ("tokyo6to4", "jpnap"):
        installed(router, name)
    net.bird.wait_routes(ALL)
    say()
    try_pings(*pings_6to4(net), *pings_teredo(net, client))
    say()
    neighbour_table(net)


def shell(net):
    router = net.relay
    step("vtysh on the relay router; `exit` ends the lab. A shell in a namespace:\n"
         f"  ip netns exec {router.ns.name} bash   (net, h64, h6, c0, nat0, srv likewise: {net.net.name}, ...)")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is vtysh's
    env = dict(os.environ, VTYSH_PAGER="cat", VTYSH_HISTFILE="/dev/null")
    os.spawnvpe(os.P_WAIT, "ip", ["ip", "netns", "exec", router.ns.name, str(VTYSH), "--vty_socket", str(router.dir),
                                  "--config_dir", str(router.dir)], env)


def main():
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda number, _: sys.exit(f"demo: ended by {signal.Signals(number).name}"))
    say(PICTURE)
    with TeredoInternet(nats=(NAT,), tunnels=True) as net:
        run(net)
        if "--shell" in sys.argv[1:]:
            shell(net)
    say("\nThe main job is done; the lab is gone.")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as err:
        sys.exit(f"demo: {str(err).splitlines()[0]}")
