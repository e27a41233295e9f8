# SPDX-License-Identifier: GPL-2.0-or-later
"""Miredo's clients and server behind NATs of every kind, in both orders, and through what happens to them."""

import pytest

from teredo_lab import KINDS, TEREDO, miredo_relay
from topology import H6
from wire import ping

pytestmark = pytest.mark.native


@pytest.mark.parametrize("kind", KINDS)
def test_miredo_as_relay(teredo, kind):
    """The lab, by itself: the other implementation crosses the same NATs, and the symmetric one too."""
    router = teredo.relay
    relay = miredo_relay(teredo, router.ns, router.peer4)
    teredo.net.ip(f"route add {TEREDO} via {router.peer6}")
    try:
        client = teredo.client(kind)
        assert ping(teredo.h6, client.address, count=1, timeout=10)
        assert ping(client.ns, H6, count=1, timeout=10)
    finally:
        teredo.net.ip(f"route del {TEREDO}")
        relay.stop()
