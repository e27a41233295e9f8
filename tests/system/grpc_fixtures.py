# SPDX-License-Identifier: GPL-2.0-or-later
"""A relayd that listens, and clients of it: a plugin of the tests that name it."""

import pytest

from grpc_client import Client, settled
from grpc_lab import LINES, PORT


@pytest.fixture(scope="module")
def lasting(box_keeper):
    """A relayd for all tests of a file."""
    router = box_keeper.get().relay
    router.start("relayd", "--grpc", f"unix:{router.dir}/grpc", "--grpc", PORT)
    yield router
    router.assert_sound()
    assert router.stop("relayd") == 0


@pytest.fixture
def router(lasting):
    """relayd without configuration; what a test leaves in it of its clients is a fault."""
    yield lasting
    lasting.assert_sound()
    settled(lasting)
    lasting.clear()


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
