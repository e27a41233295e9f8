# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel says more than relayd can read: news are lost (ENOBUFS), the state is right afterwards."""

import contextlib
import os
import re
import signal
import socket

import pytest

from lab import host_has_sit, libc, wait_for
from topology import ANYCAST, H6, H64_6, RELAY_ADDR
from wire import addr_delete, ifindex, link_events, link_set, ping


SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438


def monitor_socket(router):
    """relayd's socket that listens to link and address news, as a socket of ours."""
    pid = router.procs["relayd"].pid
    inodes = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            match = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
            if match:
                inodes[match.group(1)] = int(fd)
    with open(f"/proc/{pid}/net/netlink", encoding="ascii") as file:
        lines = [line.split() for line in file][1:]
    # protocol 0 is NETLINK_ROUTE; a request socket has no groups
    fds = [inodes[words[9]] for words in lines if words[1] == "0" and int(words[3], 16) and words[9] in inodes]
    assert len(fds) == 1, f"{fds} of {lines}"
    pidfd = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
    ours = libc.syscall(SYS_PIDFD_GETFD, pidfd, fds[0], 0)
    os.close(pidfd)
    assert ours >= 0
    return socket.socket(fileno=ours)


def lost_news(router, meanwhile):
    """More happens at once than relayd's socket holds, which is made small for it."""
    with monitor_socket(router) as sock:
        router.kill("relayd", signal.SIGSTOP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            router.ns.ip("link add burst type veth peer name burstpeer")
            link_events(router.ns, "burst", 50)
            meanwhile()
            router.ns.ip("link del burst")
        finally:
            router.kill("relayd", signal.SIGCONT)
    wait_for(lambda: "no buffer space" in router.log("relayd").lower(), 20, "news were lost (the log says so)")


def test_tracks_after_lost_news(rl, box):
    rl.ns.ip("link add gone type veth peer name gonepeer", "link set gone up", "link set gonepeer up")
    rl.configure("track 1 interface eth1 line-protocol", "exit", "track 2 interface gone line-protocol", "exit",
                 "track 3 interface came line-protocol", "exit", "track 4 interface eth0 line-protocol")
    rl.wait_track(1, "up")
    rl.wait_track(2, "up")
    rl.wait_track(3, "down")

    def meanwhile():
        link_set(box.peer, "eth1", False)
        rl.ns.ip("link del gone", "link add came type veth peer name camepeer", "link set came up",
                 "link set camepeer up")

    try:
        lost_news(rl, meanwhile)
        for number, state in ((1, "down"), (2, "down"), (3, "up"), (4, "up")):
            rl.wait_track(number, state)
    finally:
        link_set(box.peer, "eth1", True)
        rl.ns.ip("link del came")


@pytest.mark.both
def test_relay_after_lost_news(up):
    """The interface is replaced and its address gone while nobody could hear it."""
    index = ifindex(up.relay.ns, "r")

    def meanwhile():
        addr_delete(up.relay.ns, "r", f"{RELAY_ADDR}/32")
        up.relay.ns.ip("link set r mtu 1400", *(["tunnel change r ttl 9"] if host_has_sit() else []))

    lost_news(up.relay, meanwhile)
    wait_for(lambda: f"{RELAY_ADDR}/32" in up.relay.ns.addrs("r") and up.relay.ns.link("r")["mtu"] == 1280, 20,
             "put right")
    assert "relay r: putting right: " in up.relay.log("relayd")
    up.relay.wait_relay("r", "up")
    assert ifindex(up.relay.ns, "r") == index
    up.bird.wait_routes(ANYCAST)
    assert ping(up.h6, H64_6) and ping(up.h64, H6, source=H64_6)
