# SPDX-License-Identifier: GPL-2.0-or-later
"""Teredo on the internet of topology.py: a server, NATs of every kind, clients behind them.

    client -- NAT --\\                   /--- rl, rl2 (zebra, bgpd, relayd)
                     net (bird)  -------
    server ---------/                   \\--- h6 (native IPv6)

Server and clients are Miredo's, as the distribution has them, with files of
their own: nothing of the host's configuration is read, no service of the host
is started or stopped.  The server forwards the clients' connectivity tests, so
it has native IPv6; the clients have none.
"""

import contextlib
import hashlib
import ipaddress
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import threading

from lab import Timeout, stop_process, wait_for
from topology import Internet
from wire import offload

TEREDO = "2001::/32"
RELAY_PORT, SERVER_PORT = 3545, 3544
SERVER, SERVER2 = "192.0.2.10", "192.0.2.11"

# a client's own port, and the one that a NAT with rules for it shows
CLIENT_PORT, MAPPED_PORT = 3797, 40000

# what `relay NAME` needs to be a Teredo relay that is up
BASIC = ("tunnel mode teredo", "drain-time 0")

# What a home router lets in from outside by itself is nothing: else the relay's
# direct bubble would be answered by the router, and take the client's mapping.
NAT = """
table ip home {{
  set heard {{ type ipv4_addr; flags dynamic,timeout; timeout 5m; }}
  chain input {{
    type filter hook input priority filter;
    iifname "wan" ct state != {{ established, related }} drop
  }}
  chain forward {{
    type filter hook forward priority filter;
    oifname "wan" udp sport {client_port} update @heard {{ ip daddr }}
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    {inward}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    {outward}
  }}
}}
"""

TO_CLIENT = 'iifname "wan" udp dport {mapped} {only} dnat to {client}:{client_port}'
FROM_CLIENT = 'oifname "wan" udp sport {client_port} snat to {wan}:{mapped}\n    oifname "wan" masquerade'

# kind: (into it, out of it); RFC 4787 calls the first three endpoint-independent
# mapping with filtering of three kinds
KINDS = {
    "full-cone": (TO_CLIENT.replace("{only}", ""), FROM_CLIENT),
    "address-restricted": (TO_CLIENT.replace("{only}", "ip saddr @heard"), FROM_CLIENT),
    "port-restricted": ("", 'oifname "wan" masquerade'),
    "symmetric": ("", 'oifname "wan" masquerade random,fully-random'),
}
CONES = ("full-cone", "address-restricted", "port-restricted")


def forget_veth(router, ifname):
    """That link is a NIC, for relayd's programs."""
    numbers = set()
    for path in pathlib.Path(f"/proc/{router.procs['relayd'].pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            numbers |= set(re.findall(r"^map_id:\s*(\d+)$", path.read_text(), re.M))
    maps = [json.loads(subprocess.run(["bpftool", "-j", "map", "show", "id", number], capture_output=True, text=True,
                                      check=True).stdout) for number in numbers]
    veths = next(one["id"] for one in maps if one["name"] == "veths")
    key = struct.pack("=I", router.ns.link(ifname)["ifindex"])
    subprocess.run(["bpftool", "map", "delete", "id", str(veths), "key", *map(str, key)], check=True)


# ----------------------------------------------------------------- addresses

def teredo_address(mapped, port, server=SERVER, flags=0):
    """RFC 4380 section 4: prefix, server, flags, port and address of the mapping with their bits turned over."""
    return str(ipaddress.IPv6Address(struct.pack("!I4sHH4s", 0x20010000, socket.inet_aton(server), flags,
                                                 port ^ 0xFFFF, bytes(b ^ 0xFF for b in socket.inet_aton(mapped)))))


def teredo_mapping(address):
    """(mapped address, port) of a Teredo address."""
    raw = socket.inet_pton(socket.AF_INET6, address)
    return (socket.inet_ntoa(bytes(b ^ 0xFF for b in raw[12:])), struct.unpack("!H", raw[10:12])[0] ^ 0xFFFF)


# -------------------------------------------------------------------- Miredo

class Miredo:
    """One process of Miredo's: kind is server, client or relay."""

    def __init__(self, lab, ns, kind, *lines):
        self.lab, self.ns, self.kind = lab, ns, kind
        name = f"{ns.name.split('-', 1)[1]}-{kind}"
        self.err = lab.dir / f"miredo-{name}.err"
        self.conf = lab.dir / f"miredo-{name}.conf"
        self.pid = lab.dir / f"miredo-{name}.pid"
        self.conf.write_text("\n".join(lines) + "\n")
        self.proc = None
        self.start()

    def start(self):
        self.pid.unlink(missing_ok=True)
        program = "miredo-server" if self.kind == "server" else "miredo"
        with open(self.err, "ab") as err:
            self.proc = self.lab.spawn(self.ns, f"/usr/sbin/{program}", "-f", "-c", self.conf, "-p", self.pid,
                                       stdout=err, stderr=err)

    def stop(self):
        stop_process(self.proc)

    def alive(self):
        return self.proc.poll() is None

    def log(self):
        return self.err.read_text(errors="replace") if self.err.exists() else ""


def miredo_server(lab, ns):
    server = Miredo(lab, ns, "server", f"ServerBindAddress {SERVER}", f"ServerBindAddress2 {SERVER2}")
    # a client that gets no answer waits for long before it asks again
    wait_for(lambda: "3544" in ns.run("ss", "-nul").stdout or not server.alive(), 30, "the server's sockets")
    assert server.alive(), server.log()
    return server


def miredo_relay(lab, ns, address):
    """Miredo as the relay, to compare with."""
    relay = Miredo(lab, ns, "relay", "RelayType relay", "InterfaceName miredo", f"BindAddress {address}",
                   f"BindPort {RELAY_PORT}")
    wait_for(lambda: "miredo" in ns.links(), 30, "Miredo's interface")
    return relay


class Client:
    """A Miredo client in a namespace of its own behind a Nat."""

    def __init__(self, lab, ns):
        self.ns = ns
        self.miredo = Miredo(lab, ns, "client", "RelayType client", "InterfaceName teredo", f"ServerAddress {SERVER}",
                             f"BindPort {CLIENT_PORT}")

    def restart(self):
        """A client that knows no peer."""
        self.miredo.stop()
        wait_for(lambda: "teredo" not in self.ns.links(), 10, "the client's interface goes")
        self.miredo.start()
        self.wait_address()

    def addresses(self):
        """Miredo's hook gives the interface an address first, and the default route then."""
        routed = any(route.get("dev") == "teredo" for route in self.ns.ip_json("-6", "route", "show", "default"))
        return {a.split("/")[0] for a in self.ns.addrs("teredo") if a.startswith("2001:0:")} if routed else set()

    def wait_address(self, timeout=60, other_than=None):
        """The client is qualified; its Teredo address."""
        try:
            return wait_for(lambda: self.addresses() - {other_than}, timeout, "the client is qualified").pop()
        except Timeout as err:
            raise Timeout(f"{err}\n{self.miredo.log()}") from None

    @property
    def address(self):
        return self.wait_address()


class Nat:
    """A NAT with one client behind it."""

    def __init__(self, lab, number, kind):
        self.kind, self.number = kind, number
        self.wan = f"192.0.2.{64 + 4 * number + 2}"
        self.inside = f"192.168.{number}.2"
        gateway = f"192.0.2.{64 + 4 * number + 1}"
        self.ns = lab.ns(f"nat{number}", forwarding=True)
        self.home = lab.ns(f"c{number}")
        lab.link(self.ns, "wan", [f"{self.wan}/30"], lab.net, f"nat{number}", [f"{gateway}/30"])
        lab.link(self.home, "eth0", [f"{self.inside}/24"], self.ns, "lan", [f"192.168.{number}.1/24"])
        self.ns.ip(f"route add default via {gateway}")
        self.home.ip(f"route add default via 192.168.{number}.1")
        self.reset()

    def reset(self):
        """As if just switched on."""
        values = {"client": self.inside, "client_port": CLIENT_PORT, "mapped": MAPPED_PORT, "wan": self.wan}
        inward, outward = (text.format(**values) for text in KINDS[self.kind])
        self.nft("table ip home { }\ndelete table ip home\n" + NAT.format(inward=inward, outward=outward, **values))
        conntrack_flush(self.ns)

    def nft(self, text):
        self.ns.run("nft", "-f", "-", input=text)

    def rebind(self, port):
        """The NAT forgets what it knows, as after a restart, and shows the client at another port."""
        self.nft("flush chain ip home postrouting\n"
                 f'add rule ip home postrouting oifname "wan" udp sport {CLIENT_PORT} snat to {self.wan}:{port}\n'
                 'add rule ip home postrouting oifname "wan" masquerade\n')
        conntrack_flush(self.ns)


def conntrack_flush(ns):
    """Ends all connections that a namespace tracks (IPCTNL_MSG_CT_DELETE of nothing in particular)."""
    with ns.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as sock:  # NETLINK_NETFILTER
        sock.send(struct.pack("=IHHII", 20, 1 << 8 | 2, 1 | 4, 1, 0) + struct.pack("=BBH", socket.AF_INET, 0, 0))
        code = struct.unpack("=i", sock.recv(4096)[16:20])[0]
        if code:
            raise OSError(-code, os.strerror(-code))


# ----------------------------------------------------------------- the whole

class TeredoInternet(Internet):
    """The drawing above; nats: kinds, each with room for a client, which client() starts."""

    def __init__(self, nats=(), **kwargs):
        kwargs.setdefault("tunnels", False)
        super().__init__(**kwargs)
        self.kinds = nats
        self.nats, self.clients = {}, {}
        self.server = self.sim = None

    def build(self):
        super().build()
        # A checksum that is put off for a device that there is not would get to Miredo's
        # sockets undone, and segments of TCP as one.
        offload(self.h6, "eth0", tx=0)
        self.srv = self.ns("srv")
        self.link(self.srv, "eth0", [f"{SERVER}/29", f"{SERVER2}/29", "2001:db8:53::2/64"],
                  self.net, "srv", ["192.0.2.9/29", "2001:db8:53::1/64"])
        self.srv.ip("route add default via 192.0.2.9", "route add default via 2001:db8:53::1")
        self.server = miredo_server(self, self.srv)
        for number, kind in enumerate(self.kinds):
            self.nats[kind] = Nat(self, number, kind)

    def client(self, kind):
        """The client behind that NAT, qualified; it knows no peer, and the NAT of none."""
        nat = self.nats[kind]
        nat.reset()
        if kind in self.clients:
            self.clients[kind].restart()
        else:
            self.clients[kind] = Client(self, nat.home)
        self.clients[kind].wait_address()
        return self.clients[kind]

    def sim_ns(self):
        """The namespace of simulated clients (teredo_clients.py), made when first asked for."""
        if self.sim is None:
            self.sim = self.ns("sim")
            self.link(self.sim, "eth0", ["192.0.2.30/30", "2001:db8:54::2/64"],
                      self.net, "sim", ["192.0.2.29/30", "2001:db8:54::1/64"])
            self.sim.ip("route add default via 192.0.2.29", "route add default via 2001:db8:54::1",
                        "route add local 192.0.2.128/25 dev lo")
            self.net.ip("route add 192.0.2.128/25 via 192.0.2.30")
        return self.sim

    def teredo_config(self, router, *lines):
        """`relay t` on this router, up."""
        return ("relay t", BASIC[0], f"tunnel source {router.peer4}", *BASIC[1:], *lines, "no shutdown")


# ------------------------------------------------------------- what relayd says

def peers_json(router, name="t"):
    return router.json("relayd", f"show relay {name} peers json")[name]


def peer_json(router, address, name="t"):
    """The peer with this address, or {}."""
    raw = socket.inet_pton(socket.AF_INET6, address)
    return next((peer for key, peer in peers_json(router, name)["peers"].items()
                 if socket.inet_pton(socket.AF_INET6, key) == raw), {})


def drops(router, reason, name="t"):
    return router.json("relayd", f"show relay {name} counters json")[name]["drops"].get(reason, 0)


# ------------------------------------------------------------------- traffic

def transfer(src_ns, dst_ns, dst, octets, port=5001, timeout=60):
    """A TCP connection to dst and that many random octets through it; true when what arrives is what was sent."""
    data = os.urandom(octets)
    digest = hashlib.sha256()
    listener = dst_ns.socket(socket.AF_INET6, socket.SOCK_STREAM)
    box = []

    def receive():
        listener.settimeout(timeout)
        try:
            conn, _ = listener.accept()
            with conn:
                conn.settimeout(timeout)
                while chunk := conn.recv(1 << 16):
                    digest.update(chunk)
                conn.sendall(digest.digest())
        except OSError as err:
            box.append(err)

    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", port))
        listener.listen(1)
        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        with src_ns.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout)
            sock.connect((dst, port))
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            echoed = b""
            while chunk := sock.recv(64):
                echoed += chunk
        thread.join(timeout)
    assert not box, box
    return echoed == hashlib.sha256(data).digest()
