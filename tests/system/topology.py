# SPDX-License-Identifier: GPL-2.0-or-later
"""The internet around a relay.

    h64 (IPv4 only, a 6to4 host) ---\\            /--- rl (zebra, bgpd, relayd)
                                     net (bird)
    h6 (native IPv6 only) ----------/            \\--- rl2, with a second relay

    h64b (another 6to4 host), a second IPv4 next hop of rl, when asked for

net forwards by what BGP tells it, and by nothing else: where no relay
announces, no packet of the two hosts arrives.
"""

from bird import Bird
from lab import Lab, host_has_sit, wait_for
from wire import SixToFourTun, offload, sixto4

ANYCAST4 = "192.88.99.0/24"
ANYCAST6 = "2002::/16"
ANYCAST = (ANYCAST4, ANYCAST6)
RELAY_ADDR = "192.88.99.1"

H64 = "198.51.100.2"
H64_6 = sixto4(H64)
H64B = "192.0.2.2"
H64B_6 = sixto4(H64B)
H6 = "2001:db8:6::6"
NET_AS, RELAY_AS = 65000, 65001

# what a relay needs to be up
BASIC = ("tunnel mode ipv6ip 6to4", f"tunnel source {RELAY_ADDR}", "drain-time 0")

BIRD_BASE = """
router id 203.0.113.1;
timeformat protocol iso long ms;
protocol device { scan time 10; }
"""

BIRD_KERNEL = """
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; scan time 60; }
protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; scan time 60; }
"""

# One table a neighbour, looked up one after the other (ip rules): a withdrawal
# takes the route out of one table, and the other is there already.  bird
# replaces an IPv6 route by a deletion and an addition.
BIRD_TABLES = """
ipv4 table t4_{name};
ipv6 table t6_{name};
protocol kernel {{ ipv4 {{ table t4_{name}; import none; export all; }}; kernel table {table}; scan time 60; }}
protocol kernel {{ ipv6 {{ table t6_{name}; import none; export all; }}; kernel table {table}; scan time 60; }}
"""

BIRD_PEER = """
protocol bgp {name}_v4 {{
  local {net4} as {net_as}; neighbor {peer4} as {peer_as};
  connect delay time 1; connect retry time 1; error wait time 1, 2; hold time 30;
  ipv4 {{ {table4} import all; export none; }};
}}
protocol bgp {name}_v6 {{
  local {net6} as {net_as}; neighbor {peer6} as {peer_as};
  connect delay time 1; connect retry time 1; error wait time 1, 2; hold time 30;
  ipv6 {{ {table6} import all; export none; }};
}}
"""

BGPD = """
router bgp {asn}
 bgp router-id {peer4}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 {bgp}
 neighbor {net4} remote-as {net_as}
 neighbor {net4} timers connect 1
 neighbor {net4} advertisement-interval 0
 neighbor {net6} remote-as {net_as}
 neighbor {net6} timers connect 1
 neighbor {net6} advertisement-interval 0
 address-family ipv4 unicast
  neighbor {net4} activate
  {af4}
 exit-address-family
 address-family ipv6 unicast
  neighbor {net6} activate
  {af6}
 exit-address-family
"""

ORIGINATE = {
    "redistribute": ("", "redistribute openfabric", "redistribute openfabric"),
    "network": ("bgp network import-check", f"network {ANYCAST4}", f"network {ANYCAST6}"),
}


class Internet(Lab):
    """The drawing above.  relays: names of relay routers; tunnels: the 6to4 hosts are some."""

    def __init__(self, relays=("rl",), originate="redistribute", second_hop=False, tunnels=True, split_tables=False):
        super().__init__()
        self.names = relays
        self.originate = originate
        self.second_hop = second_hop
        self.tunnels = tunnels
        self.split_tables = split_tables

    def __enter__(self):
        super().__enter__()
        try:
            self.build()
        except BaseException:
            super().__exit__()
            raise
        return self

    def build(self):
        self.net = self.ns("net", forwarding=True)
        self.h64 = self.ns("h64")
        self.h6 = self.ns("h6")
        self.link(self.h64, "eth0", [f"{H64}/24"], self.net, "h64", ["198.51.100.1/24"])
        self.h64.ip("route add default via 198.51.100.1")
        self.link(self.h6, "eth0", [f"{H6}/64"], self.net, "h6", ["2001:db8:6::1/64"])
        self.h6.ip("route add default via 2001:db8:6::1")
        if self.tunnels:
            six_to_four(self, self.h64, H64)
            # a checksum that is put off for a device that there is not would get to a host's TUN
            offload(self.h6, "eth0", tx=0)
        self.routers = {}
        peers = ""
        for number, name in enumerate(self.names):
            peers += self.add_relay(number, name)
        self.relay = self.routers[self.names[0]]
        if self.second_hop:
            self.h64b = self.ns("h64b")
            self.link(self.h64b, "eth0", [f"{H64B}/24"], self.relay.ns, "eth1", ["192.0.2.1/24"])
            self.h64b.ip("route add default via 192.0.2.1")
            if self.tunnels:
                six_to_four(self, self.h64b, H64B)
        self.bird = Bird(self, self.net, BIRD_BASE + ("" if self.split_tables else BIRD_KERNEL) + peers)

    def add_relay(self, number, name):
        router = self.router(name)
        base = 4 * number
        router.net4, router.peer4 = f"203.0.113.{base + 1}", f"203.0.113.{base + 2}"
        router.net6, router.peer6 = f"2001:db8:{number + 1:x}::1", f"2001:db8:{number + 1:x}::2"
        self.link(router.ns, "eth0", [f"{router.peer4}/30", f"{router.peer6}/64"],
                  self.net, name, [f"{router.net4}/30", f"{router.net6}/64"])
        router.ns.ip(f"route add default via {router.net4}", f"route add default via {router.net6}")
        table = 101 + number
        text = ""
        if self.split_tables:
            text = BIRD_TABLES.format(name=name, table=table)
            for family in ("-4", "-6"):
                self.net.run("ip", family, "rule", "add", "pref", table, "table", table)
        return text + BIRD_PEER.format(
            name=name, net4=router.net4, net6=router.net6, peer4=router.peer4, peer6=router.peer6, net_as=NET_AS,
            peer_as=RELAY_AS + number, table4=f"table t4_{name};" if self.split_tables else "",
            table6=f"table t6_{name};" if self.split_tables else "")

    def bgpd_config(self, router, extra_bgp=""):
        bgp, af4, af6 = ORIGINATE[self.originate]
        return BGPD.format(asn=RELAY_AS + self.names.index(router.name), net_as=NET_AS, net4=router.net4,
                           net6=router.net6, peer4=router.peer4, bgp="\n ".join(filter(None, (bgp, extra_bgp))),
                           af4=af4, af6=af6)

    def start_routing(self, router=None):
        """zebra and bgpd of one router or all, sessions up."""
        for each in [router] if router else self.routers.values():
            each.start("zebra")
            each.start("bgpd", config=self.bgpd_config(each))
        self.wait_established()

    def start_bgpd(self):
        self.relay.start("bgpd", config=self.bgpd_config(self.relay))
        self.wait_established()

    def wait_established(self):
        want = {f"{name}_v{fam}" for name in self.names for fam in (4, 6)}
        wait_for(lambda: want <= self.bird.established(), 90, f"BGP sessions {want}")

    def router(self, name):
        self.routers[name] = super().router(name)
        return self.routers[name]


def six_to_four(lab, ns, v4addr):
    """A 6to4 host (RFC 3056, RFC 3068): a sit device of its own, or a TUN, with the anycast relay as its default router."""
    via = ""
    if host_has_sit():
        ns.ip(f"tunnel add tun6to4 mode sit remote any local {v4addr} ttl 64")
        via = f"via ::{RELAY_ADDR} "
    else:
        lab.stack.callback(SixToFourTun(ns, "tun6to4", v4addr, RELAY_ADDR).close)
    ns.ip("link set tun6to4 mtu 1480 up", f"addr add {sixto4(v4addr)}/16 dev tun6to4 nodad",
          f"route add ::/0 {via}dev tun6to4 metric 1")
