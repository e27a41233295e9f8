# SPDX-License-Identifier: GPL-2.0-or-later
"""A relayd that listens, and clients of it: a plugin of the tests that name it."""

import pytest

from conftest import fresh_logs
from grpc_client import Client
from grpc_lab import LINES, PORT, holds


@pytest.fixture(scope="module")
def lasting(box_keeper):
    """A router whose relayd is there for all tests of a file."""
    router = box_keeper.get().relay
    yield router
    if "relayd" in router.procs:
        router.assert_sound()
        assert router.stop("relayd") == 0


@pytest.fixture
def router(lasting):
    """relayd without configuration; what a test leaves in it of its clients is a fault."""
    if "relayd" not in lasting.procs:
        fresh_logs(lasting)
        lasting.start("relayd", "--grpc", f"unix:{lasting.dir}/grpc", "--grpc", PORT)
    sound = False
    try:
        yield lasting
        lasting.assert_sound()
        holds(lasting)
        lasting.clear()
        sound = True
    finally:
        if not sound:  # the next test has another
            lasting.kill("relayd")


@pytest.fixture
def client(router):
    with Client(f"unix:{router.dir}/grpc") as connected:
        yield connected


@pytest.fixture
def other(router):
    with Client(f"unix:{router.dir}/grpc") as connected:
        yield connected


@pytest.fixture
def some(router):
    """CONFIG."""
    router.configure(*LINES)
