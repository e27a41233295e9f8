# SPDX-License-Identifier: GPL-2.0-or-later
"""The two Teredo relays that are compared, relayd and Miredo, and packets for them."""

import functools
import pathlib
import struct
import subprocess
import time

from forwarding import Forwarder, datagram, ethernet, pin, tasks
from lab import wait_for
from teredo_lab import RELAY_PORT, miredo_relay, teredo_address
from wire import ipv4, ipv6

RELAY = "192.0.2.45"
CLIENT_PORT = 40000
# what the sink counts them as
WAYS = {"encapsulate": "teredo", "decapsulate": "ipv6"}
HEADERS = 20 + 8 + 40 + 8
# Peers stay trusted for 30 s after they were last heard of; there is a limit of new ones a second.
PRIME_SECONDS, PRIME_RATE, PRIME_AGAIN = 0.05, 4000, 10


# ------------------------------------------------------------------- packets

def address4(flow):
    return f"198.18.{flow >> 8}.{flow & 255}"


def udp(source, target, payload):
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


def frame(kind, payload, flow):
    """payload: octets in the UDP datagram in IPv6 in UDP in IPv4; the plain one is as long on the wire."""
    inner = datagram(8 + payload)
    if kind == "plain":
        return ethernet(0x0800, ipv4("203.0.113.9", address4(flow), *datagram(HEADERS + payload - 20)))
    client = teredo_address(address4(flow), CLIENT_PORT)
    if kind == "encapsulate":
        return ethernet(0x86DD, ipv6("2001:db8:9::9", client, *inner))
    packet = ipv6(client, f"2001:db8:100:{flow:x}::2", *inner)
    return ethernet(0x0800, ipv4(address4(flow), RELAY, 17, udp(CLIENT_PORT, RELAY_PORT, packet)))


def client_frame():
    """A client's bubble to its relay, for `blast clients`."""
    client = teredo_address(address4(1), CLIENT_PORT)
    return ethernet(0x0800, ipv4(address4(1), RELAY, 17, udp(CLIENT_PORT, RELAY_PORT, ipv6(client, "fe80::1", 59, b""))))


@functools.cache
def frames(kind, payload, flows):
    """Of that many clients in turn, as blast takes them."""
    return "".join(frame(kind, payload, flow).hex() + "\n" for flow in range(flows))


# -------------------------------------------------------------------- relays

def processes(ns):
    """All threads of all that runs in a namespace, but of the sender and the like."""
    run = subprocess.run(["ip", "netns", "pids", ns.name], capture_output=True, text=True, check=True)
    return {int(pid): pathlib.Path(f"/proc/{pid}/comm").read_text().strip() for pid in run.stdout.split()}


def start_miredo(lab, router, address=RELAY):
    """Its threads."""
    if address == RELAY:
        router.ns.ip(f"addr add {RELAY}/32 dev lo")
    miredo_relay(lab, router.ns, address)
    # the process that watches, and the one that works with its threads
    return wait_for(lambda: len(found := [tid for pid in processes(router.ns) for tid in tasks(pid)]) >= 5 and found,
                    30, "Miredo's threads")


def start_relayd(_, router, address=RELAY, datapath="ebpf", uplinks=()):
    """Its threads."""
    router.start("zebra")
    router.start("relayd", config="\n".join([
        "relay r", "tunnel mode teredo", f"tunnel source {address}", f"tunnel datapath {datapath}",
        *[f"tunnel uplink {name}" for name in uplinks], "drain-time 0", "no shutdown", "exit"]))
    router.wait_relay("r", "up", timeout=120)
    wait_for(lambda: all(route["installed"] for route in router.relay_json("r")["routes"]), 60, "routes")
    assert router.relay_json("r")["datapath"] == datapath, router.relay_json("r")
    return tasks(router.procs["relayd"].pid)


def start_xdp(lab, router):
    """XDP sends by uplinks alone."""
    return start_relayd(lab, router, datapath="xdp", uplinks=["in", "out"])


# relayd: as it is by itself; xdp: relayd with `tunnel datapath xdp`
START = {"relayd": start_relayd, "xdp": start_xdp, "miredo": start_miredo}


class TeredoForwarder(Forwarder):
    """A Teredo relay between a sender and a receiver; its process's threads are on the router's processor."""

    def __init__(self, lab, number, name, **kwargs):
        super().__init__(lab, number, name, **kwargs)
        found = START[name](lab, self.router)
        for tid in found:
            pin(tid, self.forwards)
        self.threads += found
        self.primed = self.primed_at = 0

    def prime(self, payload, flows):
        """Makes peers of the clients, or keeps them.

        relayd makes one of a client's packet, of those of one host it takes few a second;
        Miredo wants the host's first.
        """
        if flows == self.primed and time.monotonic() - self.primed_at < PRIME_AGAIN:
            return
        ways = ("decapsulate", "encapsulate", "decapsulate") if flows != self.primed else ("decapsulate",)
        for kind in ways:
            self.send(frames(kind, payload, flows), max(PRIME_SECONDS, 1.2 * flows / PRIME_RATE), PRIME_RATE)
        self.primed, self.primed_at = flows, time.monotonic()
