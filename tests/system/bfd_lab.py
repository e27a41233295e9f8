# SPDX-License-Identifier: GPL-2.0-or-later
"""Three routers with zebra and bfdd, for the tests of `track N bfd peer`; nothing is played.

    rl (relayd, zebra, bfdd) -- eth0 -- peer (zebra, bfdd)
       \\-- eth1 -- mid -- eth0 -- far (zebra, bfdd)
"""

import pytest

from lab import MGMTD, Lab, wait_for

PEER4, LOCAL4 = "10.0.0.2", "10.0.0.1"
PEER6, LOCAL6 = "2001:db8::2", "2001:db8::1"
FAR4, NEAR4 = "10.2.0.2", "10.1.0.1"
FAR6, NEAR6 = "2001:db8:2::2", "2001:db8:1::1"

PROFILES = """\
bfd
 profile fast
  detect-multiplier 3
  receive-interval 50
  transmit-interval 50
 exit
 profile slow
  receive-interval 400
  transmit-interval 400
 exit
"""


def bfdd_config(*peers):
    """Each "peer ..." line, with its own lines behind a |."""
    lines = [PROFILES.rstrip("\n")]
    for peer in peers:
        head, *own = peer.split("|")
        lines += [f" {head}", *[f"  {line}" for line in own], " exit"]
    return "\n".join(lines) + "\nexit\n"


class Three(Lab):
    def build(self):
        self.relay = self.router("rl")
        self.peer = self.router("peer")
        self.far = self.router("far")
        self.mid = self.ns("mid", forwarding=True)
        self.link(self.relay.ns, "eth0", [f"{LOCAL4}/24", f"{LOCAL6}/64"],
                  self.peer.ns, "eth0", [f"{PEER4}/24", f"{PEER6}/64"])
        self.link(self.relay.ns, "eth1", [f"{NEAR4}/24", f"{NEAR6}/64"],
                  self.mid, "eth0", ["10.1.0.2/24", "2001:db8:1::2/64"])
        self.link(self.mid, "eth1", ["10.2.0.1/24", "2001:db8:2::1/64"],
                  self.far.ns, "eth0", [f"{FAR4}/24", f"{FAR6}/64"])
        self.relay.ns.ip("route add 10.2.0.0/24 via 10.1.0.2", "route add 2001:db8:2::/64 via 2001:db8:1::2")
        self.far.ns.ip("route add 10.1.0.0/24 via 10.2.0.1", "route add 2001:db8:1::/64 via 2001:db8:2::1")
        self.local_ll = self.link_local(self.relay)
        self.peer_ll = self.link_local(self.peer)
        for router in (self.relay, self.peer, self.far):
            router.start("zebra")
        self.relay.start("bfdd", *self.bfdd_args(self.relay), config=bfdd_config())
        self.peer.start("bfdd", *self.bfdd_args(self.peer), config=bfdd_config(
            f"peer {LOCAL4}|profile fast", f"peer {LOCAL6}|profile fast",
            f"peer {self.local_ll} interface eth0|profile fast"))
        self.far.start("bfdd", *self.bfdd_args(self.far), config=bfdd_config(
            f"peer {NEAR4} multihop local-address {FAR4}|profile fast",
            f"peer {NEAR6} multihop local-address {FAR6}|profile fast"))
        return self

    @staticmethod
    def bfdd_args(router):
        # FRR 10 has it where -N says
        return () if MGMTD else ("--bfdctl", router.dir / "bfdd.sock")

    def start_bfdd(self, router, **kwargs):
        return router.start("bfdd", *self.bfdd_args(router), config=bfdd_config(), **kwargs)

    @staticmethod
    def link_local(router):
        return wait_for(lambda: next(a for a in router.ns.addrs("eth0") if a.startswith("fe80")), 10,
                        "link-local address").split("/")[0]


@pytest.fixture(scope="module")
def three():
    with Three() as lab:
        yield lab.build()


@pytest.fixture
def rl(three):
    """relayd, not configured; what a test has changed beside it, it has to put right itself."""
    for suffix in ("log", "err"):
        (three.relay.dir / f"relayd.{suffix}").unlink(missing_ok=True)
    three.relay.start("relayd")
    try:
        yield three.relay
        three.relay.assert_sound()
    finally:
        assert three.relay.stop("relayd") == 0
    wait_for(lambda: peers(three.relay) == [], 10, "relayd takes its sessions with it")


def peers(router):
    return router.json("bfdd", "show bfd peers json")


def peer_of(router, address):
    return {p["peer"]: p for p in peers(router)}[address]
