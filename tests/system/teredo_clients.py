# SPDX-License-Identifier: GPL-2.0-or-later
"""Many Teredo clients in one thread, each with a UDP socket: what RFC 4380 has a client do towards a relay.

They have addresses of their own, no NAT: their Teredo addresses say what their
sockets are bound to.  A bubble that comes through the server is answered to the
origin that the server names (section 5.2.3), an echo request to whom it came
from, an echo reply tells where the relay of its source is (section 5.2.9).

Their server forwards, and has room for all that comes at once: Miredo's loses
most of a thousand packets.
"""

import itertools
import os
import resource
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from lab import Timeout, wait_for
from teredo_lab import SERVER_PORT, teredo_address, teredo_mapping
from wire import icmp6_echo, ipv6

NO_NEXT, ICMP6 = 59, 58
FIRST_PORT = 20000
SIM_SERVER = "192.0.2.250"
# all are asked by bubbles: none, the cone bit that RFC 5991 section 3.2 has ignored, the random bits of section 3.1
FLAGS = (0, 0x8000, 0x3CA5)
SNDBUFFORCE, RCVBUFFORCE = 32, 33


def bubble(src, dst):
    return ipv6(src, dst, NO_NEXT, b"")


def origin(address, port):
    """The origin indication of section 5.1.1."""
    return struct.pack("!HH4s", 0, port ^ 0xFFFF, bytes(b ^ 0xFF for b in socket.inet_aton(address)))


def roomy(sock):
    for option in (SNDBUFFORCE, RCVBUFFORCE):
        sock.setsockopt(socket.SOL_SOCKET, option, 16 << 20)
    return sock


def parse(data):
    """(origin, source, destination, next header, payload) of a UDP payload; origin is (address, port) or None."""
    shown = None
    if data[:2] == b"\0\1":  # authentication: lengths of identifier and value, nonce, confirmation
        data = data[4 + data[2] + data[3] + 9:]
    if data[:2] == b"\0\0":
        shown = (socket.inet_ntoa(bytes(b ^ 0xFF for b in data[4:8])), struct.unpack("!H", data[2:4])[0] ^ 0xFFFF)
        data = data[8:]
    if len(data) < 40 or data[0] >> 4 != 6:
        return None
    return (shown, socket.inet_ntop(socket.AF_INET6, data[8:24]), socket.inet_ntop(socket.AF_INET6, data[24:40]),
            data[6], data[40:40 + struct.unpack("!H", data[4:6])[0]])


@dataclass
class SimClient:
    """One client; what it has seen."""

    sock: socket.socket
    mapped: tuple
    address: str
    answers: bool = True  # bubbles and echo requests
    relays: dict = field(default_factory=dict)  # host: the relay that its packets come by
    bubbles: list = field(default_factory=list)  # when one came, whether through the server
    requests: int = 0
    replies: dict = field(default_factory=dict)  # (host, sequence number): when

    def send(self, packet, to):
        self.sock.sendto(packet, to)

    def send_echo(self, host, seq, to, source=None):
        self.send(icmp6_echo(source or self.address, host, self.mapped[1], seq), to)

    def ask(self, host, seq=0):
        """A direct IPv6 connectivity test, through the server."""
        self.send_echo(host, seq, (SIM_SERVER, SERVER_PORT))

    def echo(self, host, seq):
        """An echo request through the host's relay."""
        self.send_echo(host, seq, self.relays[host])

    def receive(self, data, sender):
        found = parse(data)
        if not found:
            return
        shown, src, dst, proto, payload = found
        indirect = sender == (SIM_SERVER, SERVER_PORT)
        if proto == NO_NEXT:
            self.bubbles.append((time.monotonic(), indirect))
            if indirect and shown and self.answers:
                self.send(bubble(self.address, src), shown)
            return
        if indirect or dst != self.address or proto != ICMP6 or len(payload) < 8:
            return
        self.relays[src] = sender
        if payload[0] == 129:
            self.replies.setdefault((src, struct.unpack("!H", payload[6:8])[0]), time.monotonic())
        elif payload[0] == 128:
            self.requests += 1
            if self.answers:
                ident, seq = struct.unpack("!HH", payload[4:8])
                self.send(icmp6_echo(dst, src, ident, seq, payload[8:], kind=129), sender)


class SimServer(threading.Thread):
    """Forwards what clients and relays ask it to (sections 5.3.1, 5.3.2); made in the clients' namespace."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sock = roomy(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sock.bind((SIM_SERVER, SERVER_PORT))
        self.sock.settimeout(0.1)
        self.native = roomy(socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW))
        self.ending = False
        self.start()

    def run(self):
        while not self.ending:
            try:
                data, sender = self.sock.recvfrom(2048)
            except TimeoutError:
                continue
            found = parse(data)
            if not found:
                continue
            _, _, dst, _, _ = found
            raw = socket.inet_pton(socket.AF_INET6, dst)
            if raw[:4] != b"\x20\1\0\0":
                self.native.sendto(data, (dst, 0))
            elif raw[4:8] == socket.inet_aton(SIM_SERVER):
                self.sock.sendto(origin(*sender) + data, teredo_mapping(dst))

    def close(self):
        self.ending = True
        self.join(10)
        self.sock.close()
        self.native.close()


class SimClients(threading.Thread):
    """count clients in a namespace of their own beside net; a context manager."""

    serial = itertools.count()

    def __init__(self, lab, count):
        super().__init__(daemon=True)
        self.ns = lab.sim_ns()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < count + 1000:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 1000, hard), hard))
        self.clients = self.ns.call(self.make, count)
        self.server = self.ns.call(SimServer)
        self.by_fd = {client.sock.fileno(): client for client in self.clients}
        self.poll = select.epoll()
        for fd in self.by_fd:
            self.poll.register(fd, select.EPOLLIN)
        self.ending = False
        self.start()

    @staticmethod
    def make(count):
        clients, base = [], FIRST_PORT + 100 * next(SimClients.serial)
        for number in range(count):
            mapped = (f"192.0.2.{130 + number % 100}", base + number // 100)
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(mapped)
            sock.setblocking(False)
            clients.append(SimClient(sock, mapped, teredo_address(*mapped, SIM_SERVER, FLAGS[number % len(FLAGS)])))
        return clients

    def run(self):
        while not self.ending:
            for fd, _ in self.poll.poll(0.1):
                client = self.by_fd[fd]
                try:
                    while True:
                        client.receive(*client.sock.recvfrom(2048))
                except OSError:
                    pass  # nothing more, or an ICMP error

    def __iter__(self):
        return iter(self.clients)

    def __getitem__(self, number):
        return self.clients[number]

    def close(self):
        self.ending = True
        self.join(10)
        self.server.close()
        for client in self.clients:
            client.sock.close()
        self.poll.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask_again(ask, missing, timeout):
    """Waits until nobody is missing; those that are, are asked each second.

    On a busy machine the kernel's queues do not hold a thousand packets at once.
    """
    end, again = time.monotonic() + timeout, 0
    while True:
        try:
            wait_for(lambda: not missing(), 1, "all answer")
            break
        except Timeout:
            left = missing()
            assert time.monotonic() < end, f"{len(left)} do not answer within {timeout} s, {left[:3]}"
            again += len(left)
            for one in left:
                ask(one)
    if again:
        print(f"{again} were asked again")


class EchoAll(threading.Thread):
    """Echo requests of one host to many, each numbered; replies are kept with their times."""

    def __init__(self, ns):
        super().__init__(daemon=True)
        self.sock = ns.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        roomy(self.sock)
        self.sock.settimeout(0.1)
        self.echo_id = os.getpid() & 0xFFFF
        self.seq = itertools.count(1)
        self.sent, self.replies = {}, {}
        self.ending = False
        self.start()

    def send(self, target):
        """One echo request; its number."""
        seq = next(self.seq) & 0xFFFF
        self.sent[(target, seq)] = time.monotonic()
        # the kernel fills in the checksum
        self.sock.sendto(struct.pack("!BBHHH", 128, 0, 0, self.echo_id, seq) + b"many", (target, 0))
        return seq

    def run(self):
        while not self.ending:
            try:
                data, addr = self.sock.recvfrom(2048)
            except TimeoutError:
                continue
            except OSError:
                return
            if data[0] == 129 and struct.unpack("!H", data[4:6])[0] == self.echo_id:
                self.replies.setdefault((addr[0], struct.unpack("!H", data[6:8])[0]), time.monotonic())

    def round(self, targets, timeout=20):
        """One request to each at once; the times that the replies took, sorted."""
        keys = {target: [(target, self.send(target))] for target in targets}

        def reply(target):
            return next((key for key in keys[target] if key in self.replies), None)

        ask_again(lambda target: keys[target].append((target, self.send(target))),
                  lambda: [target for target in targets if not reply(target)], timeout)
        return sorted(self.replies[reply(target)] - self.sent[keys[target][0]] for target in targets)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending = True
        self.join(10)
        self.sock.close()
