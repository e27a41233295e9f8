# SPDX-License-Identifier: GPL-2.0-or-later
"""A thousand clients at once."""

import itertools
import time

import pytest

from lab import wait_for
from teredo_clients import EchoAll, SimClient, SimClients, ask_again
from teredo_lab import RELAY_PORT, drops, peers_json, teredo_address, teredo_mapping
from topology import H6

pytestmark = pytest.mark.native

CLIENTS = 1000
# a bubble that is lost has its time-out
FIRST_S, LATER_S = 20.0, 10.0


def test_host_to_1000_clients(teredo_up):
    """A packet to each at once, to clients that nobody knows; then again, to ones that are known."""
    router = teredo_up.relay
    with SimClients(teredo_up, CLIENTS) as clients, EchoAll(teredo_up.h6) as echo:
        targets = [client.address for client in clients]
        first = echo.round(targets, FIRST_S)
        again = echo.round(targets, LATER_S)
        print(f"first packet: median {first[CLIENTS // 2] * 1000:.1f} ms, last {first[-1] * 1000:.1f} ms; "
              f"then {again[CLIENTS // 2] * 1000:.1f}, {again[-1] * 1000:.1f} ms")
        table = peers_json(router)
        assert table["count"] == CLIENTS and table["overload"] == "none"
        shown = {(peer["mappedAddress"], peer["mappedPort"], peer["state"]) for peer in table["peers"].values()}
        assert shown == {(*client.mapped, "trusted") for client in clients}
        assert all(teredo_mapping(address) == (peer["mappedAddress"], peer["mappedPort"])
                   for address, peer in table["peers"].items())
        assert router.relay_json("t")["peers"]["trusted"] == CLIENTS
        # each was asked through the server once at least, and nobody was asked without need
        assert all(any(indirect for _, indirect in client.bubbles) for client in clients)
        assert sum(len(client.bubbles) for client in clients) <= 4 * CLIENTS
        assert all(client.requests >= 2 for client in clients)
        for reason in ("table-full", "peer-limit", "queue-full", "no-answer", "source-spoofed"):
            assert drops(router, reason) == 0, reason


def test_1000_clients_to_a_host(teredo_up):
    """Each finds the relay by its connectivity test, then sends through it."""
    router = teredo_up.relay
    with SimClients(teredo_up, CLIENTS) as clients:
        for seq in range(3):
            began = time.monotonic()
            ask = SimClient.echo if seq else SimClient.ask
            for client in clients:
                ask(client, H6, seq)
            ask_again(lambda client: ask(client, H6, seq),
                      lambda: [client for client in clients if (H6, seq) not in client.replies], FIRST_S)
            print(f"round {seq}: {(time.monotonic() - began) * 1000:.0f} ms")
            assert {relay for client in clients for relay in client.relays.values()} == {(router.peer4, RELAY_PORT)}
        assert peers_json(router)["count"] == CLIENTS
        assert drops(router, "source-spoofed") == 0


def test_a_packet_from_a_client_that_is_unknown(teredo_up):
    """RFC 4380 section 5.4.2: the relay may take it, and does; a restarted relay needs no bubble."""
    with SimClients(teredo_up, 50) as clients:
        for client in clients:
            client.send_echo(H6, 1, (teredo_up.relay.peer4, RELAY_PORT))
        wait_for(lambda: all((H6, 1) in client.replies for client in clients), 10, "echo replies")
        assert peers_json(teredo_up.relay)["count"] == 50
        assert not any(client.bubbles for client in clients)


def test_address_and_port_must_match(teredo_up):
    """RFC 4380 section 5.4.2, and nothing else: a neighbour's address, or port, or one with other flags."""
    router = teredo_up.relay
    relay = (router.peer4, RELAY_PORT)
    with SimClients(teredo_up, 102) as clients:
        # 0 and 100 have the same address and two ports, 1 another address
        same, port, other = clients[0], clients[100], clients[1]
        assert same.mapped[0] == port.mapped[0] and same.mapped[1] == other.mapped[1]
        before = drops(router, "source-spoofed")
        for seq, liar in enumerate((port, other), 10):
            liar.send_echo(H6, seq, relay, source=same.address)
        wait_for(lambda: drops(router, "source-spoofed") == before + 2, 10, "both are dropped")
        assert peers_json(router)["count"] == 0
        # and once the peer is known, by the fast path
        same.send_echo(H6, 1, relay)
        wait_for(lambda: (H6, 1) in same.replies, 10, "the real one gets its answer")
        for seq, liar in enumerate((port, other), 12):
            liar.send_echo(H6, seq, relay, source=same.address)
        wait_for(lambda: drops(router, "source-spoofed") == before + 4, 10, "both are dropped again")
        assert not port.replies and not other.replies and set(same.replies) == {(H6, 1)}


def test_a_scan_of_the_prefix(teredo_up):
    """RFC 4380 section 7.3.5: one network's new peers are bounded in rate; known peers and other networks go on."""
    router = teredo_up.relay
    with SimClients(teredo_up, 40) as clients, EchoAll(teredo_up.h6) as host, \
            EchoAll(teredo_up.srv) as elsewhere:
        known = [client.address for client in clients][:20]
        host.round(known)
        ports = itertools.count(30000)

        end = time.monotonic() + 20
        while drops(router, "peer-limit") < 100:
            # so many at once as the TUN's queue holds
            for _ in range(100):
                host.send(teredo_address("192.0.2.131", next(ports)))
            assert time.monotonic() < end, "no new peer is refused"
        host.round(known, LATER_S)
        elsewhere.round([client.address for client in clients][20:], LATER_S)
        wait_for(lambda: router.relay_json("t")["peers"]["overload"] == "new-peer-limit", 5, "it is shown")
        data = router.relay_json("t")
        assert data["operStatus"] == "up"
        # 2000, and 500 a second; of all networks together it would be 10000
        assert data["peers"]["count"] < 7000
        state = peers_json(router)["peers"]
        assert all(state[address]["state"] == "trusted" for address in known)
