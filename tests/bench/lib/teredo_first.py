# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a host's first packet takes to a Teredo client that its relay does not know.

    host ------ net ------ NAT -- client, many sockets, each a Teredo client
    server ----/   \\----- relayd, Miredo
"""

import select
import socket
import statistics
import struct
import threading
import time

from forwarding import spread
from lab import Lab, wait_for
from teredo_clients import bubble, parse
from teredo_lab import SERVER, SERVER2, SERVER_PORT, Nat, miredo_server, teredo_address
from teredo_routers import START
from wire import SO_TIMESTAMPNS, checksum, ipv6

HOST = "2001:db8:6::6"
PORT = 5000
FIRST_SOCKET = 20000
ICMP6, NO_NEXT, UDP = 58, 59, 17
SOLICITATION, ADVERTISEMENT = 133, 134
# RFC 4380 section 5.2.1: of a client that asks without the cone bit
LINK_LOCAL, ALL_ROUTERS = "fe80::ffff:ffff:fffd", "ff02::2"


class Net:
    """The namespaces; each relay has a network of its own on net."""

    def __init__(self, lab, relays):
        self.net = lab.net = lab.ns("net", forwarding=True)
        self.host = lab.ns("h6")
        lab.link(self.host, "eth0", [f"{HOST}/64"], self.net, "h6", ["2001:db8:6::1/64"])
        self.host.ip("route add default via 2001:db8:6::1")
        server = lab.ns("srv")
        lab.link(server, "eth0", [f"{SERVER}/29", f"{SERVER2}/29", "2001:db8:53::2/64"],
                 self.net, "srv", ["192.0.2.9/29", "2001:db8:53::1/64"])
        server.ip("route add default via 192.0.2.9", "route add default via 2001:db8:53::1")
        miredo_server(lab, server)
        self.nat = Nat(lab, 0, "port-restricted")
        self.via = {}
        for number, name in enumerate(relays):
            router = lab.router(f"r{number}")
            lab.link(router.ns, "eth0", [f"203.0.{number}.2/24", f"2001:db8:10{number}::2/64"],
                     self.net, f"r{number}", [f"203.0.{number}.1/24", f"2001:db8:10{number}::1/64"])
            router.ns.ip(f"route add default via 203.0.{number}.1", f"route add default via 2001:db8:10{number}::1")
            START[name](lab, router, address=f"203.0.{number}.2")
            self.via[name] = f"2001:db8:10{number}::2"

    def route(self, address, relay):
        self.net.ip(f"route add {address}/128 via {self.via[relay]}")


class FirstClient:
    """A socket behind the NAT, and what RFC 4380 has a client do with it."""

    def __init__(self, ns, inside, number):
        self.sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((inside, FIRST_SOCKET + number))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.address = self.qualify()

    def qualify(self):
        """Asks the server who it is (section 5.2.1); its address."""
        body = struct.pack("!BBHI", SOLICITATION, 0, 0, 0)
        pseudo = socket.inet_pton(socket.AF_INET6, LINK_LOCAL) + socket.inet_pton(socket.AF_INET6, ALL_ROUTERS) + \
            struct.pack("!II", len(body), ICMP6)
        body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
        packet = ipv6(LINK_LOCAL, ALL_ROUTERS, ICMP6, body, 255)
        # authentication without a secret: nonce and confirmation
        packet = b"\0\1\0\0" + struct.pack("!Q", 1) + b"\0" + packet

        def answered():
            self.sock.sendto(packet, (SERVER, SERVER_PORT))
            if not select.select([self.sock], [], [], 1)[0]:
                return None
            shown, _, _, proto, payload = parse(self.sock.recvfrom(2048)[0])
            return proto == ICMP6 and payload[0] == ADVERTISEMENT and shown

        return teredo_address(*wait_for(answered, 10, "the server's advertisement"))

    def first(self, host, timeout=10):
        """The host sends; milliseconds until what it sent arrives here."""
        box = []

        def receive():
            end = time.monotonic() + timeout
            while select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]:
                data, anc, _, sender = self.sock.recvmsg(2048, 256)
                shown, src, _, proto, _ = parse(data)
                if proto == UDP:
                    sec, nsec = struct.unpack("qq", next(value for level, kind, value in anc
                                                         if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS))[:16])
                    box.append(sec * 10**9 + nsec)
                    return
                if proto == NO_NEXT and shown and sender == (SERVER, SERVER_PORT):
                    self.sock.sendto(bubble(self.address, src), shown)

        thread = threading.Thread(target=receive)
        thread.start()
        time.sleep(0.01)
        began = time.time_ns()
        host.sendto(b"first", (self.address, PORT))
        thread.join()
        assert box, f"{self.address}: no packet in {timeout} s"
        return (box[0] - began) / 1e6

    def close(self):
        self.sock.close()


def first(relays, trials):
    found = {name: [] for name in relays}
    with Lab() as lab:
        net = Net(lab, relays)
        with net.host.socket(socket.AF_INET6, socket.SOCK_DGRAM) as host:
            # the neighbours on the way are known
            for number in range(-2 * len(relays), trials * len(relays)):
                name = relays[number % len(relays)]
                client = FirstClient(net.nat.home, net.nat.inside, number + 2 * len(relays))
                net.route(client.address, name)
                took = client.first(host)
                client.close()
                if number >= 0:
                    found[name].append(took)
    report = {"trials": trials, "relays": {}}
    print(f"{'relay':9} first packet, ms   middle half      worst")
    for name, took in found.items():
        median, quarters = spread(took)
        report["relays"][name] = {"ms": round(median, 3), "quarters": [round(value, 3) for value in quarters],
                                  "worst": round(max(took), 3)}
        print(f"{name:9} {median:16.3f}   {quarters[0]:.3f} to {quarters[1]:.3f} {max(took):7.3f}", flush=True)
    report["ratio"] = round(statistics.median(found[relays[0]]) / statistics.median(found[relays[-1]]), 3)
    return report
