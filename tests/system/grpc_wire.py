# SPDX-License-Identifier: GPL-2.0-or-later
"""Between a client and relayd: a wire that can be cut at any octet, and HTTP/2 by hand.

A client in this process reaches a TCP port of another namespace through a Wire too.
"""

import contextlib
import math
import os
import select
import socket
import struct
import threading
import time

NO_LINGER = struct.pack("ii", 1, 0)


def dial_tcp(ns, address, port):
    """For Wire: a connection that begins in that namespace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def dial():
        sock = ns.socket(family, socket.SOCK_STREAM)
        sock.settimeout(10)
        sock.connect((address, port))
        sock.settimeout(None)
        return sock
    return dial


def dial_unix(path):
    def dial():
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        return sock
    return dial


def reset(sock):
    """Closed by RST, where it is TCP."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    sock.close()


class Wire(threading.Thread):
    """Carries a connection (or many) of a socket of its own to relayd.

    up, down: octets to relayd, and to the client, after which the end comes.  end:
    "fin", "rst", or "hold", where nothing is carried any more and nothing closed.
    """

    def __init__(self, dial, path, up=math.inf, down=math.inf, end="fin", many=False):
        super().__init__(daemon=True)
        self.dial, self.end, self.many = dial, end, many
        self.limits = (up, down)
        self.carried = [0, 0]
        self.cut = threading.Event()
        self.threads, self.held = [], []
        self.target = f"unix:{path}"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.cut.set()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.target.removeprefix("unix:"))
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.join(10)
        for thread in self.threads:
            thread.join(10)
        for sock in self.held:
            sock.close()

    def run(self):
        with self.listener:
            while not self.cut.is_set():
                try:
                    near = self.listener.accept()[0]
                except OSError:
                    return
                thread = threading.Thread(target=self.carry, args=(near,), daemon=True)
                self.threads.append(thread)
                thread.start()
                if not self.many:
                    return

    def carry(self, near):
        try:
            far = self.dial()
        except OSError:
            near.close()
            return
        ways = {near: (0, far), far: (1, near)}
        left = list(self.limits)
        while not self.cut.is_set() and min(left) > 0:
            for sock in select.select(list(ways), [], [], 0.05)[0]:
                way, other = ways[sock]
                try:
                    data = sock.recv(int(min(left[way], 65536)) or 1)
                    other.sendall(data)
                except OSError:
                    data = b""
                if not data:
                    left = [0]
                    break
                left[way] -= len(data)
                self.carried[way] += len(data)
        if min(left) <= 0 and self.end == "hold":
            self.held += [near, far]
            return
        for sock in (far, near):
            if self.end == "rst":
                reset(sock)
            else:
                sock.close()


# --------------------------------------------------------------------- HTTP/2

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE, HEADER_TABLE_SIZE = 4, 1


def h2_frame(kind, flags=0, stream=0, payload=b""):
    """RFC 9113 section 4.1"""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def h2_settings(**values):
    numbers = {"table": HEADER_TABLE_SIZE, "window": INITIAL_WINDOW_SIZE}
    return h2_frame(SETTINGS, payload=b"".join(struct.pack("!HI", numbers[k], v) for k, v in values.items()))


def h2_headers(method, *more):
    """Of a call; RFC 7541 section 6.2.2, names and values as they are."""
    pairs = ((":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "localhost"),
             ("content-type", "application/grpc"), ("te", "trailers"), *more)
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
                    for name, value in pairs)


def message(octets):
    """In gRPC's own envelope."""
    return struct.pack("!BI", 0, len(octets)) + octets


class Raw:
    """A connection whose client does what it likes.  window: of each stream, at its start."""

    def __init__(self, sock, window=65535):
        self.sock = sock
        self.data = b""
        self.frames = []  # (kind, flags, stream, payload)
        self.closed = False
        self.stream = -1
        self.send(PREFACE + h2_settings(window=window, table=0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, octets):
        """What can't be sent any more is seen by take()."""
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(octets)

    def call(self, method, octets=None, end=True, more=()):
        """Begins a call; None: no message yet.  The number of its stream."""
        self.stream += 2
        self.send(h2_frame(HEADERS, END_HEADERS, self.stream, h2_headers(method, *more)))
        if octets is not None:
            self.send(h2_frame(DATA, END_STREAM if end else 0, self.stream, message(octets)))
        return self.stream

    def more_window(self, stream, octets):
        self.send(h2_frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", octets)))

    def take(self, timeout=0.0):
        """Reads what there is."""
        while not self.closed and select.select([self.sock], [], [], timeout)[0]:
            try:
                got = self.sock.recv(65536)
            except OSError:
                got = b""
            self.closed = not got
            self.data += got
            timeout = 0
        while len(self.data) >= 9 and len(self.data) >= 9 + int.from_bytes(self.data[:3], "big"):
            size = int.from_bytes(self.data[:3], "big")
            kind, flags, stream = struct.unpack("!BBI", self.data[3:9])
            frame = (kind, flags, stream, self.data[9:9 + size])
            self.data = self.data[9 + size:]
            self.frames.append(frame)
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.send(h2_frame(kind, ACK, 0, frame[3] if kind == PING else b""))

    def until(self, cond, timeout, what):
        """Reads until cond() or the end of the connection."""
        end = time.monotonic() + timeout
        while not cond():
            left = end - time.monotonic()
            assert left > 0 and not self.closed, f"{what}: {self.frames[-5:]}, closed {self.closed}"
            self.take(min(left, 0.2))

    def octets(self, stream):
        return b"".join(frame[3] for frame in self.frames if frame[0] == DATA and frame[2] == stream)

    def status(self, stream):
        """grpc-status, once it is there."""
        for kind, _, number, payload in self.frames:
            if kind in (HEADERS, CONTINUATION) and number == stream:
                value = header(payload, b"grpc-status")
                if value is not None:
                    return int(value)
        return None

    def wait_status(self, stream, timeout):
        self.until(lambda: self.status(stream) is not None, timeout, f"status of stream {stream}")
        return self.status(stream)


def header(block, name):
    """The value of a header that stands there in letters, as gRPC's C core writes its own."""
    at = block.find(bytes([len(name)]) + name)
    if at < 0:
        return None
    at += 1 + len(name)
    return block[at + 1:at + 1 + block[at]]
