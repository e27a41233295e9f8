# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator could run to keep a 6to4 relay's prefixes in BGP while it works, each at a site of its own.

    router: tunnel "r" (sit, 192.88.99.1), the contender  --eth0--  net: bird, the target, a 6to4 host

Each is set up as its own manual says.  All but relayd are told what to look at
by a command that its operator has to write: here one that looks at the
interface, at the address, pings the target, and pings a 6to4 host through the
tunnel, which no one gets for nothing: it needs a host somewhere that answers.
"""

import contextlib
import os
import pathlib
import signal
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "system"))

from bird import Bird  # noqa: E402
from lab import host_has_sit, wait_for  # noqa: E402
from topology import ANYCAST, ANYCAST4, ANYCAST6, BASIC, BGPD, RELAY_ADDR, six_to_four  # noqa: E402
from wire import BgpSniffer, addr_delete, ifindex, link_delete, netlink, sixto4  # noqa: E402

NET4, PEER4, TARGET = "203.0.113.1", "203.0.113.2", "203.0.113.9"
NET6, PEER6, TARGET6 = "2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::9"
HOST = "198.51.100.2"
RELAY_6 = sixto4(RELAY_ADDR)
CUT = 77  # group of an interface whose packets a rule drops: set and unset by one message

NET_BIRD = f"""
router id {NET4};
protocol device {{ scan time 10; }}
protocol bfd {{
  interface "eth0" {{ interval 50 ms; multiplier 3; }};
  neighbor {PEER4} dev "eth0" local {TARGET};
  neighbor {PEER6} dev "eth0" local {TARGET6};
}}
protocol bgp v4 {{ local {NET4} as 65000; neighbor {PEER4} as 65001; connect delay time 1; connect retry time 1;
  error wait time 1, 2; ipv4 {{ import all; export none; }}; }}
protocol bgp v6 {{ local {NET6} as 65000; neighbor {PEER6} as 65001; connect delay time 1; connect retry time 1;
  error wait time 1, 2; ipv6 {{ import all; export none; }}; }}
"""

# silent: whoever sends learns nothing
NET_CUT = f"""
table inet cut {{
  chain in {{ type filter hook prerouting priority -300;
    iifgroup {CUT} ip daddr {TARGET} drop; iifgroup {CUT} ip6 daddr {TARGET6} drop; }}
  chain out {{ type filter hook postrouting priority 300;
    oifgroup {CUT} ip saddr {TARGET} drop; oifgroup {CUT} ip6 saddr {TARGET6} drop; }}
}}
"""
ROUTER_CUT = f"""
table inet cut {{
  chain out {{ type filter hook postrouting priority 300; oifgroup {CUT} ip protocol 41 drop; }}
}}
"""


def set_group(ns, ifname, group):
    """`ip link set IFNAME group N`, without a process."""
    netlink(ns, 16, struct.pack("=BxHiII", 0, 0, ifindex(ns, ifname), 0, 0) + struct.pack("=HHI", 8, 27, group))


def kill_group(proc):
    """SIGKILL to a process and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(proc.pid, signal.SIGKILL)
    proc.wait(10)


class Watch(BgpSniffer):
    """Withdrawals, and ends of sessions, by which the neighbour loses the routes as well."""

    def __init__(self, ns, ifname):
        self.ends = []
        super().__init__(ns, ifname)

    def packet(self, pkt):
        if not pkt.outgoing and pkt.proto == 6 and len(pkt.payload) >= 20 and \
                179 in struct.unpack("!HH", pkt.payload[:4]) and pkt.payload[13] & 5:
            self.ends.append(pkt.time)
        super().packet(pkt)

    def lost(self, prefix, since):
        times = [self.withdrawn(prefix, since), next((t for t in self.ends if t >= since), None)]
        return min((t for t in times if t), default=None)


class Site:
    """A router with a contender and its surroundings.  Subclasses are the contenders."""

    name = what = check = ""
    bfd_able = True
    period = 1.0  # seconds of its slowest timer
    hog = False  # takes all of the processor that it gets

    def __init__(self, lab, tag, bfd):
        self.lab, self.bfd = lab, bfd
        self.router = lab.router(f"{tag}r")
        self.ns, self.dir = self.router.ns, self.router.dir
        self.net = lab.ns(f"{tag}n", forwarding=True)
        lab.link(self.ns, "eth0", [f"{PEER4}/24", f"{PEER6}/64"],
                 self.net, "eth0", [f"{NET4}/24", f"{TARGET}/24", f"{NET6}/64", f"{TARGET6}/64"])
        self.ns.ip(f"route add default via {NET4}", f"route add default via {NET6}")
        self.net.ip(f"addr add {HOST}/32 dev lo", f"route add {ANYCAST4} via {PEER4}")
        if host_has_sit():
            six_to_four(lab, self.net, HOST)
        for ns, rules in ((self.net, NET_CUT), (self.ns, ROUTER_CUT)):
            ns.run("nft", "-f", "-", input=rules)
        self.bird = Bird(lab, self.net, NET_BIRD, name=f"{tag}net")
        self.watch = Watch(self.net, "eth0")
        self.start()

    # ---- what a contender does

    def start(self):
        raise NotImplementedError

    def kill(self):
        """SIGKILL to the contender's own process."""
        raise NotImplementedError

    def restart(self):
        raise NotImplementedError

    def pause(self, paused):
        """Keeps from running what looks all the time, while others are measured that need the processor."""

    # ---- the tunnel that all but relayd need by hand

    def tunnel(self):
        if host_has_sit():
            self.ns.ip(f"tunnel add r mode sit remote any local {RELAY_ADDR} ttl 64")
        else:
            self.ns.ip("link add r type veth peer name r-end", "link set r-end up")
        self.ns.ip("link set r mtu 1480 up", f"addr add {RELAY_ADDR}/32 dev r", f"addr add {RELAY_6}/16 dev r nodad")

    def script(self, name, *lines):
        path = self.dir / name
        path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
        path.chmod(0o755)
        return path

    def check_lines(self, address=True, reach=True):
        """The check that an operator writes; exit code 0 is good."""
        lines = ["set -e"]
        if address:
            lines += [f'case $(ip -4 -br addr show dev r up) in *" {RELAY_ADDR}/"*) ;; *) exit 1 ;; esac']
        if reach and not self.bfd:
            lines += [f"ping -n -q -c 1 -W 1 {TARGET} >/dev/null"]
            if host_has_sit():
                lines += [f"ping -n -q -c 1 -W 1 -I {RELAY_6} {sixto4(HOST)} >/dev/null"]
        return lines

    # ---- faults

    def fault(self, kind):
        """Returns the prefixes that must go."""
        if kind == "interface":
            link_delete(self.ns, "r")
        elif kind == "address":
            addr_delete(self.ns, "r", f"{RELAY_ADDR}/32")
        elif kind == "process":
            self.kill()
        elif kind in ("target", "bfd"):
            set_group(self.net, "eth0", CUT)
        elif kind == "oneway":
            set_group(self.ns, "eth0", CUT)
            return (ANYCAST6,)
        return ANYCAST

    def mend(self, kind):
        if kind == "interface":
            self.tunnel()
        elif kind == "address":
            self.ns.ip(f"addr replace {RELAY_ADDR}/32 dev r")
        elif kind == "process":
            self.restart()
        elif kind in ("target", "bfd"):
            set_group(self.net, "eth0", 0)
        elif kind == "oneway":
            set_group(self.ns, "eth0", 0)

    def wait_announced(self, timeout=120):
        wait_for(lambda: set(ANYCAST) <= set(self.bird.routes()), timeout, f"{self.name} announces")


class Relayd(Site):
    name = "relayd"
    what = "relay with track icmp-echo (1 s x 3, timeout 500 ms) or track bfd (50 ms x 3); nothing written by hand"

    def config(self):
        track = "track 1 bfd peer {} profile fast" if self.bfd else "track 1 icmp-echo {}"
        return "\n".join([track.format(TARGET), "exit", "relay r", *BASIC, f"ipv6 address {RELAY_6}/128", "track 1",
                          "no shutdown", "exit"])

    def start(self):
        self.router.start("zebra")
        if self.bfd:
            self.router.start("bfdd", config="bfd\n profile fast\n  detect-multiplier 3\n  receive-interval 50\n"
                              "  transmit-interval 50\n exit\nexit\n")
        self.router.start("bgpd", config=BGPD.format(asn=65001, net_as=65000, net4=NET4, net6=NET6, peer4=PEER4,
                                                     bgp="", af4="redistribute openfabric",
                                                     af6="redistribute openfabric"))
        self.restart()

    def restart(self):
        self.router.start("relayd", config=self.config())

    def kill(self):
        self.router.kill("relayd")

    def mend(self, kind):
        # it makes its tunnel and its address itself
        if kind not in ("interface", "address"):
            super().mend(kind)


class Exabgp(Site):
    """ExaBGP 4.2, `exabgp healthcheck`, after its example-healthcheck.conf; defaults of --help."""

    name = "exabgp"
    what = "healthcheck --interval 5 --fast-interval 1 --rise 3 --fall 3 (its defaults)"
    options = ""
    bfd_able = False
    period = 5.0

    def start(self):
        self.tunnel()
        check = self.script("check", *self.check_lines())
        neighbors = "".join(f"""
neighbor {there} {{
  router-id {PEER4}; local-address {here}; local-as 65001; peer-as 65000; hold-time 600;
  family {{ {family} unicast; }}
  api {family} {{ processes [ relay ]; }}
}}""" for there, here, family in ((NET4, PEER4, "ipv4"), (NET6, PEER6, "ipv6")))
        self.conf = self.dir / "exabgp.conf"
        self.conf.write_text(f"""{neighbors}
process relay {{
  run /usr/bin/python3 -m exabgp healthcheck --no-syslog --name relay --cmd "{check}" {self.options} --withdraw-on-down --no-ip-setup --ip {ANYCAST4} --ip {ANYCAST6};
  encoder text;
}}
""")
        self.restart()

    def restart(self):
        env = dict(os.environ, exabgp_daemon_user="root", exabgp_api_cli="false", exabgp_log_destination="stderr")
        with open(self.dir / "exabgp.err", "ab") as err:
            self.proc = self.lab.spawn(self.ns, "/usr/sbin/exabgp", self.conf, env=env, stdout=err, stderr=err,
                                       start_new_session=True)

    def kill(self):
        kill_group(self.proc)

    def pause(self, paused):
        os.killpg(self.proc.pid, signal.SIGSTOP if paused else signal.SIGCONT)


class ExabgpFast(Exabgp):
    name = "exabgp fast"
    what = "healthcheck --interval 0.1 --fast-interval 0.1 --rise 1 --fall 1: one failed check withdraws"
    period = 1.0
    hog = True
    options = "--interval 0.1 --fast-interval 0.1 --rise 1 --fall 1"


class BirdScript(Site):
    """bird 2 with static routes over the tunnel (`via "r"`: gone with the interface; `bfd`: bird's own), and a shell
    script with a loop of a second around `birdc disable` and `birdc enable`."""

    name = "bird+script"
    what = 'route via "r", and a loop of 1 s: one failed check, birdc disable'

    def start(self):
        self.tunnel()
        via4, via6 = 'via "r"', 'via "r"'
        if self.bfd:
            via4, via6 = f"via {TARGET} bfd", f"via {TARGET6} bfd"
        config = f"""
router id {PEER4};
protocol device {{ scan time 10; }}
protocol bfd {{ interface "eth0" {{ interval 50 ms; multiplier 3; }}; }}
protocol static anycast4 {{ ipv4; route {ANYCAST4} {via4}; }}
protocol static anycast6 {{ ipv6; route {ANYCAST6} {via6}; }}
protocol bgp v4 {{ local {PEER4} as 65001; neighbor {NET4} as 65000; connect delay time 1; connect retry time 1;
  error wait time 1, 2; ipv4 {{ import none; export where proto = "anycast4"; next hop self; }}; }}
protocol bgp v6 {{ local {PEER6} as 65001; neighbor {NET6} as 65000; connect delay time 1; connect retry time 1;
  error wait time 1, 2; ipv6 {{ import none; export where proto = "anycast6"; next hop self; }}; }}
"""
        self.own = Bird(self.lab, self.ns, config, name=f"{self.router.name}own")
        self.check = self.script("check", *self.check_lines())
        birdc = f"birdc -s {self.own.ctl}"
        self.loop = self.script("loop", "had=", "while :; do",
                                f'if {self.check}; then want=enable; else want=disable; fi',
                                f'''[ "$want" = "$had" ] || {birdc} $want '"anycast*"' >/dev/null''',
                                "had=$want", "sleep 1", "done")
        self.restart()

    def restart(self):
        self.proc = self.lab.spawn(self.ns, self.loop, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)

    def kill(self):
        kill_group(self.proc)


class Keepalived(Site):
    """keepalived.conf(5): track_interface, vrrp_script, track_bfd, and notify scripts that take bgpd's network
    statements away through vtysh.  VRRP as usual: advert_int 1; no other router, so that it is master when it can."""

    name = "keepalived"
    what = "track_interface, vrrp_script each second (address: fall 1, pings: fall 3) or track_bfd; notify with vtysh"

    def start(self):
        self.tunnel()
        self.router.start("zebra")
        self.router.start("bgpd", config=BGPD.format(asn=65001, net_as=65000, net4=NET4, net6=NET6, peer4=PEER4,
                                                     bgp="no bgp network import-check", af4="", af6=""))
        vtysh = f"exec /usr/bin/vtysh --vty_socket {self.dir}"
        for name, no in (("on", ""), ("off", "no ")):
            self.script(name, f"{vtysh} -c 'configure terminal' -c 'router bgp 65001' -c 'address-family ipv4 unicast' "
                        f"-c '{no}network {ANYCAST4}' -c 'exit-address-family' -c 'address-family ipv6 unicast' "
                        f"-c '{no}network {ANYCAST6}'")
        self.script("address", *self.check_lines(reach=False))
        self.script("reach", *self.check_lines(address=False))
        off = f'"{self.dir}/off"'
        scripts = "address" if self.bfd else "address\n reach"
        bfd = f"""
bfd_instance target {{ neighbor_ip {TARGET} source_ip {PEER4}
 min_rx 50
 min_tx 50
 multiplier 3
}}
""".replace(" source_ip", "\n source_ip") if self.bfd else ""
        self.conf = self.dir / "keepalived.conf"
        self.conf.write_text(f"""
global_defs {{
 router_id relay
 script_user root
 dynamic_interfaces
}}
{bfd}
vrrp_script address {{
 script "{self.dir}/address"
 interval 1
 fall 1
 rise 1
}}
vrrp_script reach {{
 script "{self.dir}/reach"
 interval 1
 timeout 3
 fall 3
 rise 1
}}
vrrp_instance relay {{
 state MASTER
 interface eth0
 virtual_router_id 51
 priority 100
 advert_int 1
 track_interface {{
  r
 }}
 track_script {{
 {scripts}
 }}
 {"track_bfd { target }".replace("{ ", "{" + chr(10)).replace(" }", chr(10) + "}") if self.bfd else ""}
 notify_master "{self.dir}/on"
 notify_backup {off}
 notify_fault {off}
 notify_stop {off}
}}
""")
        self.restart()

    def restart(self):
        with open(self.dir / "keepalived.err", "ab") as err:
            self.proc = self.lab.spawn(
                self.ns, "/usr/sbin/keepalived", "--dont-fork", "--log-console", "--use-file", self.conf, "--pid",
                self.dir / "k.pid", "--vrrp_pid", self.dir / "kv.pid", "--bfd_pid", self.dir / "kb.pid",
                "--checkers_pid", self.dir / "kc.pid", stdout=err, stderr=err, start_new_session=True)

    def kill(self):
        kill_group(self.proc)
        for path in self.dir.glob("k*.pid"):
            path.unlink()


CONTENDERS = {c.name: c for c in (Relayd, Exabgp, ExabgpFast, BirdScript, Keepalived)}
