# SPDX-License-Identifier: GPL-2.0-or-later
"""One TCP connection from a namespace to another, and what it carries."""

import contextlib
import hashlib
import os
import socket
import threading
import time

from forwarding import ROUTER_MAC, processors

PIECE = 1 << 20
TIMEOUT = 30


def connection(source, sink, address, give, take, pinned):
    """give(socket) and take(socket), each in a thread; what they return, of each with its time on a processor."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sends, takes = processors()
    found, errors = {}, []

    def body(name, processor, func, conn):
        try:
            if pinned:
                os.sched_setaffinity(0, {processor})
            with conn() as sock:
                sock.settimeout(TIMEOUT)
                value = func(sock)
                if name == "give":
                    sock.shutdown(socket.SHUT_WR)
            found[name] = value, time.thread_time()
        except Exception as err:  # handed to the caller
            errors.append(err)

    with contextlib.ExitStack() as stack:
        listener, out = (stack.enter_context(ns.socket(family, socket.SOCK_STREAM)) for ns in (sink, source))
        listener.bind((address, 0))
        listener.listen(1)
        listener.settimeout(TIMEOUT)
        out.settimeout(TIMEOUT)

        def connect():
            out.connect(listener.getsockname()[:2])
            return out

        threads = [threading.Thread(target=body, args=args) for args in (
            ("take", takes, take, lambda: listener.accept()[0]), ("give", sends, give, connect))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * TIMEOUT)
    if errors:
        raise errors[0]
    return found["give"], found["take"]


def transfer(source, sink, address, seconds, pinned=True):
    """Gigabits of payload from one to the other: by the second, and by the second of a processor."""
    def give(sock):
        data, end = bytes(PIECE), time.monotonic() + seconds
        while time.monotonic() < end:
            sock.sendall(data)

    def take(sock):
        total, room, began = 0, bytearray(PIECE), time.monotonic()
        while got := sock.recv_into(room):
            total += got
        return total * 8 / 1e9, time.monotonic() - began

    (_, gave), ((gbit, took), taking) = connection(source, sink, address, give, take, pinned)
    return {"gbit_s": gbit / took, "gbit_cpu_s": gbit / (gave + taking)}


def carry(source, sink, address, size):
    """Octets at random arrive as they were sent, all of them and in order."""
    pieces = [os.urandom(PIECE) for _ in range(size // PIECE)]
    sent = hashlib.sha256(b"".join(pieces)).hexdigest()

    def give(sock):
        for piece in pieces:
            sock.sendall(piece)

    def take(sock):
        found, total = hashlib.sha256(), 0
        while data := sock.recv(PIECE):
            found.update(data)
            total += len(data)
        return total, found.hexdigest()

    _, ((total, got), _) = connection(source, sink, address, give, take, False)
    assert total == len(pieces) * PIECE and got == sent, f"{total} of {len(pieces) * PIECE} octets, SHA-256 {got}, not {sent}"
    return total


class Connected:
    """Two hosts and a router between them; as it is here, it forwards plain IPv4."""

    def __init__(self, lab, name="plain"):
        self.name = name
        self.near, self.far = lab.ns(f"n{name}"), lab.ns(f"f{name}")
        self.router = lab.router(f"r{name}")
        lab.link(self.near, "eth0", ["203.0.113.2/24"], self.router.ns, "in", ["203.0.113.1/24", "2001:db8:2::1/64"])
        lab.link(self.far, "eth0", ["198.51.100.2/24", "2001:db8:1::2/64"], self.router.ns, "out",
                 ["198.51.100.1/24", "2001:db8:1::1/64"])
        self.near.ip("route add default via 203.0.113.1")
        self.far.ip("route add default via 198.51.100.1", "route add default via 2001:db8:1::1")
        self.router.ns.ip(f"link set in address {ROUTER_MAC}", "route add default via 198.51.100.2",
                          "route add default via 2001:db8:1::2")
        self.addresses = {"near": "203.0.113.2", "far": "198.51.100.2"}

    def ends(self, sender):
        """(source, sink, address of the sink)"""
        if sender == "near":
            return self.near, self.far, self.addresses["far"]
        return self.far, self.near, self.addresses["near"]

    def transfer(self, sender, seconds, pinned=True):
        return transfer(*self.ends(sender), seconds, pinned)
