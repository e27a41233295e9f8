# SPDX-License-Identifier: GPL-2.0-or-later
"""What relayd gives up after a while."""

import contextlib
import re
import time

import pytest

from grpc_client import EVENTS, NORTHBOUND, ROOT, Client, fails, pb, relay
from grpc_lab import LINES, PORT, holds, shown
from grpc_wire import DATA, PREFACE, Raw, Wire, dial_tcp, dial_unix, h2_frame
from lab import wait_for

pytestmark = pytest.mark.xdist_group("grpc-time")


def test_time_limits(box):
    """All that is given up after a while, side by side: 10 s, 30 s, 60 s."""
    router = box.relay
    router.start("relayd", "--grpc", f"unix:{router.dir}/grpc", "--grpc", PORT)
    router.configure(*LINES)
    dial, local = dial_tcp(router.ns, "127.0.0.1", PORT), dial_unix(router.dir / "grpc")
    with contextlib.ExitStack() as stack:
        began = time.monotonic()

        def at(seconds):
            return max(0.1, began + seconds - time.monotonic())

        # nothing said, and the beginning of something; they make room for those who speak
        silent = [stack.enter_context(dial()) for _ in range(40)]
        for sock in silent[:20]:
            sock.sendall(PREFACE[:12])
        clients = [stack.enter_context(Client(f"unix:{router.dir}/grpc")) for _ in range(4)]
        client, owner, other, gone = clients
        # a transaction that nobody ends
        number = owner.create()
        owner.edit(number, {relay("a", "description"): "prepared"})
        owner.commit(number, "PREPARE")
        # a candidate without its session
        orphan = gone.create()
        gone.close()
        # a client whose machine is gone: neither FIN nor RST
        lost = stack.enter_context(Wire(dial, router.dir / "lost"))
        vanished = stack.enter_context(Client(lost.target))
        vanished.lock()
        mute(router, re.search(r":(\d+)$", shown(router)["lock"])[1])
        stack.callback(router.ns.run, "nft", "delete", "table", "inet", "mute")
        # an answer that nobody takes, a call that is not said to its end
        stuck = stack.enter_context(Raw(local(), window=0))
        get = stuck.call(NORTHBOUND + "Get", pb.GetRequest(path=[ROOT]).SerializeToString())
        half = stack.enter_context(Raw(local()))
        calls = [half.call(NORTHBOUND + "Get"), half.call(EVENTS + "Subscribe"), half.call(NORTHBOUND + "Commit")]
        half.send(h2_frame(DATA, 0, calls[0], b"\0\0\0\0\x20abc"))
        # who only listens is not sent away
        listener = other.subscribe(timeout=None)
        next(listener)

        # idle ones expire sooner where relayd is told so
        idle = stack.enter_context(impatient(box))
        with Client(f"unix:{idle.dir}/grpc") as second:
            unused, used = second.create(), second.create()
            for seconds in range(2, 9, 2):
                time.sleep(at(seconds))
                second.edit(used, {relay("x", "drain-time"): seconds})
            assert shown(idle)["candidates"] == 2
            wait_for(lambda: shown(idle)["candidates"] == 1, at(13), "the idle one expires")
            fails("NOT_FOUND", second.update, unused)
            second.commit(used)

        wait_for(lambda: all(closed(sock) for sock in silent), at(13), "the silent ones are closed")
        assert client.capabilities()
        time.sleep(at(25))
        found = shown(router)
        assert found["prepared"] == 1 and found["calls"] == 5 and found["candidates"] == 2, found
        assert found["lock"].startswith("gRPC 127.0.0.1:")
        for raw, streams in ((stuck, [get]), (half, calls)):
            for stream in streams:
                assert raw.wait_status(stream, at(34)) == 4, stream  # DEADLINE_EXCEEDED
        wait_for(lambda: shown(router)["prepared"] == 0, at(34), "the transaction is given up")
        fails("FAILED_PRECONDITION", owner.commit, number, "APPLY")
        fails("UNAVAILABLE", owner.commit, number)
        assert shown(router)["calls"] == shown(router)["subscriptions"] == 1
        time.sleep(at(55))
        assert shown(router)["candidates"] == 2
        wait_for(lambda: shown(router)["candidates"] == 1, at(65), "the orphan goes")
        fails("NOT_FOUND", client.update, orphan)
        wait_for(lambda: shown(router)["lock"] is None, at(75), "the lock of who is gone")
        # the candidate has not gone with its transaction
        owner.commit(number)
        assert client.tree(relay("a"), kind="CONFIG")["instance"][0]["description"] == "prepared"
        router.configure("relay a", "maintenance", "no shutdown")
        assert wait_for(lambda: next(listener), 5, "it is still there").name
        listener.cancel()
    holds(router)


@contextlib.contextmanager
def impatient(box):
    """Another router, where a candidate has 10 s."""
    router = box.router("idle")
    router.start("relayd", "--grpc", f"unix:{router.dir}/grpc", "--grpc-idle", 10)
    try:
        yield router
        router.assert_sound()
        holds(router)
    finally:
        assert router.stop("relayd") == 0


def closed(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def mute(router, port):
    """No packet of that port's gets through any more."""
    router.ns.run("nft", f"""table inet mute {{
        chain output {{
            type filter hook output priority 0
            tcp sport {port} drop
            tcp dport {port} drop
        }}
    }}""")
