# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients that are broken, gone, or mean no good can do to relayd: nothing."""

import contextlib
import json
import os
import random
import signal
import socket
import struct
import time

import grpc
import pytest

from grpc_client import EVENTS, NORTHBOUND, ROOT, Client, fails, pb, relay
from grpc_lab import PORT, SANITIZED, Pulse, holds, resident, shown, worker
from grpc_wire import (CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
                       Raw, Wire, dial_tcp, dial_unix, h2_frame, h2_headers, h2_settings, message)
from lab import EMULATED, wait_for
from topology import BASIC

pytest_plugins = ["grpc_fixtures"]
pytestmark = pytest.mark.xdist_group("grpc-safety")

ANSWER_S = 1 if EMULATED or SANITIZED else 0.1


def descriptors(router):
    return len(os.listdir(f"/proc/{router.procs['relayd'].pid}/fd"))


# ------------------------------------------------------- in the middle of calls

def commit(client, phase):
    number = client.create()
    client.edit(number, {relay("a", "drain-time"): random.randrange(600)})
    client.commit(number, phase)
    client.made.clear()


def two_phases(client):
    number = client.create()
    client.edit(number, {relay("a", "drain-time"): random.randrange(600)})
    client.commit(number, "PREPARE")
    client.commit(number, "APPLY")
    client.made.clear()


def listen(client):
    call = client.subscribe()
    next(call)
    next(call)
    call.cancel()


def lock(client):
    client.lock()
    client.change({relay("a", "drain-time"): random.randrange(600)})
    client.unlock()


CALLS = {
    "GetCapabilities": Client.capabilities,
    "Get": lambda client: client.get(ROOT, "/", relay("a")),
    "CreateCandidate": Client.create,
    "DeleteCandidate": lambda client: client.delete(client.create()),
    "UpdateCandidate": lambda client: client.update(client.create()),
    "LoadToCandidate": lambda client: client.load(client.create(), {"instance": [{"name": "loaded"}]}),
    "VALIDATE": lambda client: commit(client, "VALIDATE"),
    "PREPARE": lambda client: commit(client, "PREPARE"),
    "APPLY": two_phases,
    "ALL": lambda client: commit(client, "ALL"),
    "Transactions": lambda client: client.transaction(client.transactions()[0].id),
    "LockConfig": lock,
    "Execute": lambda client: client.execute("/frr-relay:clear-counters", [("name", "a")]),
    "Subscribe": listen,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("end", ["fin", "rst"])
def test_connection_ends_in_the_middle(router, client, some, call, end):
    """At each of many octets, of the client's and of relayd's; whatever was begun is over then."""
    client.change({relay("a", "delay", "up"): 1})
    dial, path = dial_tcp(router.ns, "127.0.0.1", PORT), router.dir / "wire"

    def once(**limits):
        with Wire(dial, path, end=end, **limits) as wire, Client(wire.target, timeout=5) as cut:
            with contextlib.suppress(grpc.RpcError, StopIteration, IndexError):
                CALLS[call](cut)
            cut.made.clear()
            return wire.carried

    up, down = once()
    assert up > 100 and down > 50
    for octets in range(0, up, max(1, up // 10)):
        once(up=octets)
    for octets in range(0, down, max(1, down // 6)):
        once(down=octets)
    wait_for(lambda: shown(router)["sessions"] == 1, 5, "the connections end")
    # none of them is in the way of anybody
    client.lock()
    client.unlock()
    client.change({relay("b", "description"): f"{call} {end}"})


def test_clients_are_killed(router, client, some):
    """In the middle of whatever, many times; what they had is nobody's then, and their candidates give way."""
    client.capabilities()
    before = descriptors(router)
    end = time.monotonic() + 4
    rng = random.Random(7)
    with contextlib.ExitStack() as stack:
        for seed in range(6):
            stack.enter_context(worker(router, "wild", f"127.0.0.1:{PORT}", seed))
        time.sleep(0.5)
    while time.monotonic() < end:
        with worker(router, "wild", f"unix:{router.dir}/grpc", rng.randrange(1000)), \
                worker(router, "wild", f"127.0.0.1:{PORT}", rng.randrange(1000)):
            time.sleep(rng.random() / 4)
    holds(router, sessions=1)
    wait_for(lambda: descriptors(router) <= before, 5, "their descriptors")
    left = shown(router)["candidates"]
    numbers = [client.create() for _ in range(256)]
    assert shown(router)["candidates"] == 256 and left <= 256
    fails("RESOURCE_EXHAUSTED", client.create, says="256")
    for number in numbers:
        client.delete(number)
    assert shown(router)["candidates"] == 0
    assert client.change({relay("a", "drain-time"): 599})


# ---------------------------------------------------------------------- bounds

def test_messages_are_bounded(client, some):
    """4 MiB, and what is a little less is read."""
    number = client.create()
    client.load(number, "{}" + " " * (4 * 1024 * 1024 - 100))
    for size in (4 * 1024 * 1024 + 1, 5_000_000, 64_000_000):
        fails("RESOURCE_EXHAUSTED", client.load, number, "{}" + " " * size)
    fails("ABORTED", client.commit, number)
    call = client.channel.unary_unary(NORTHBOUND + "GetCapabilities")
    with pytest.raises(grpc.RpcError):
        call(b"", metadata=[("x", "y" * 20000)], timeout=10)

    def served():
        try:
            return client.capabilities()
        except grpc.RpcError as err:
            # gRPC may end the connection over it, not before it takes the next call
            assert err.code() == grpc.StatusCode.UNAVAILABLE
            return None
    wait_for(served, 10, "the client is served")


def test_answers_are_bounded(client, router):
    """More than 4 MiB at once is refused, in parts it is not; relayd goes on meanwhile."""
    number = client.create()
    client.load(number, {"track-object": [
        *({"id": n, "type": "interface", "interface": f"if{n}"} for n in range(1, 65)),
        *({"id": n, "type": "list", "boolean": "or", "object": [{"id": m} for m in range(1, 65)]}
          for n in range(65, 1001))]})
    client.commit(number)
    with Pulse(router) as pulse:
        fails("RESOURCE_EXHAUSTED", client.get, ROOT, kind="CONFIG", defaults=True)
        fails("RESOURCE_EXHAUSTED", client.get, kind="ALL", defaults=True)
        answers = client.get(ROOT, ROOT, kind="CONFIG")
        assert len(answers) == 2 and sum(len(each.data.data) for each in answers) > 4 << 20
        fails("RESOURCE_EXHAUSTED", client.transaction, client.transactions()[0].id, defaults=True)
        assert client.transaction(client.transactions()[0].id).data
    client.change(delete=[ROOT])
    assert pulse.fine(2)


def big(count):
    """Some 20 KB a relay, as it is printed."""
    deny = [f"2001:db8:{n:x}:aaaa:bbbb:cccc:dddd:0/112" for n in range(256)]
    permit = [f"198.51.{n}.0/24" for n in range(256)]
    return {"instance": [{"name": f"r{n}", "filter": {"deny": deny, "permit": permit}} for n in range(count)]}


HUGE = {
    "relays": {"instance": [{"name": f"x{n}"} for n in range(150_000)]},
    "prefixes": {"instance": [{"name": "a", "filter": {
        "deny": [f"2001:db8:{n:x}:{m:x}::/64" for n in range(100) for m in range(1500)]}}]},
    "members": {"track-object": [{"id": n, "type": "list", "boolean": "and", "object": [
        {"id": m} for m in range(1, 250)]} for n in range(1, 1001)]},
}


@pytest.mark.alone
@pytest.mark.parametrize("what", HUGE)
def test_huge_candidate(router, client, what):
    """What fits in a message, and more than makes sense: whatever comes of it, the routes don't wait for that.

    relayd is killed when its main thread has not moved for 10 s.
    """
    client.timeout = 60
    number = client.create()
    text = json.dumps({"frr-relay:relay": HUGE[what]}, separators=(",", ":"))
    assert 2 << 20 < len(text) < 4 << 20
    with Pulse(router) as pulse:
        for call in (lambda: client.load(number, text), lambda: client.load(number, text),
                     lambda: client.update(number), lambda: client.commit(number, "VALIDATE"),
                     lambda: client.commit(number, "PREPARE")):
            with contextlib.suppress(grpc.RpcError):
                call()
            assert router.procs["relayd"].poll() is None, router.log("relayd")[-2000:]
    assert pulse.fine(3)


def test_sessions_are_bounded(router):
    """64 are served, 16 more hear why not, and beyond that the connection is closed."""
    capabilities = NORTHBOUND + "GetCapabilities"
    with contextlib.ExitStack() as stack:
        def connect():
            return stack.enter_context(Raw(dial_unix(router.dir / "grpc")()))

        raws = [connect() for _ in range(80)]
        wait_for(lambda: shown(router)["sessions"] == 80, 5, "80 sessions")
        for number, raw in enumerate(raws):
            assert raw.wait_status(raw.call(capabilities, b""), 5) == (0 if number < 64 else 8), number
        for _ in range(20):
            raw = connect()
            raw.call(capabilities, b"")
            raw.until(lambda: raw.closed, 5, "it is closed")  # noqa: B023
        with Client(f"unix:{router.dir}/grpc", timeout=5) as late:
            fails("UNAVAILABLE", late.capabilities)
        # those before are served all the while
        assert raws[0].wait_status(raws[0].call(capabilities, b""), 5) == 0
        found = shown(router)
        assert found["sessions"] == 80 and found["totals"]["refused"] >= 20
        # one goes, one that waited is served
        raws[1].sock.close()
        wait_for(lambda: shown(router)["sessions"] == 79, 5, "one has gone")
        assert raws[70].wait_status(raws[70].call(capabilities, b""), 5) == 0
        assert raws[71].wait_status(raws[71].call(capabilities, b""), 5) == 8


def test_candidates_are_bounded(router, client, other):
    """256; those of a connection that has ended make room, the others don't."""
    with Client(f"unix:{router.dir}/grpc") as gone:
        lost = [gone.create() for _ in range(100)]
        gone.close()
    mine = [client.create() for _ in range(156)]
    wait_for(lambda: shown(router)["sessions"] == 1, 5, "the connection ends")
    assert shown(router)["candidates"] == 256
    more = [other.create() for _ in range(100)]
    fails("RESOURCE_EXHAUSTED", other.create, says="256")
    for number in lost:
        fails("NOT_FOUND", client.update, number)
    for number in mine + more:
        client.update(number)
    client.delete(mine[0])
    assert other.create() > more[-1]


def test_calls_are_bounded(router, client):
    """256 at once, half of each said; the next one hears why not."""
    client.capabilities()
    with contextlib.ExitStack() as stack:
        raws = [stack.enter_context(Raw(dial_unix(router.dir / "grpc")())) for _ in range(4)]
        for raw in raws:
            raw.take(0.2)
            for _ in range(64):
                raw.call(NORTHBOUND + "Get")
        wait_for(lambda: shown(router)["calls"] == 256, 5, "256 calls")
        with Pulse(router) as pulse:
            fails("RESOURCE_EXHAUSTED", client.capabilities, says="256")
            time.sleep(0.3)
        assert pulse.fine(ANSWER_S)
        # one is said to its end: it is answered, and there is room again
        raws[0].send(h2_frame(DATA, 1, 1, message(pb.GetRequest(path=["/"]).SerializeToString())))
        assert raws[0].wait_status(1, 5) == 0
        wait_for(lambda: shown(router)["calls"] == 255, 5, "255 calls")
        assert client.capabilities()
    wait_for(lambda: shown(router)["calls"] == 0, 5, "no calls")


# --------------------------------------------------------------------- nonsense

def garbage():
    """(name, octets)"""
    rng = random.Random(1)
    start = PREFACE + h2_settings()
    get = h2_headers(NORTHBOUND + "Get")
    yield "half a preface", PREFACE[:10]
    yield "HTTP/1", b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n"
    yield "upgrade", (b"GET / HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                      b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
    yield "TLS", bytes.fromhex("16030100c8010000c40303") + rng.randbytes(193)
    yield "nothing", b""
    yield "a preface that goes wrong", PREFACE[:-2] + b"XX" + rng.randbytes(100)
    yield "preface alone", PREFACE
    for n in range(20):
        yield f"random {n}", rng.randbytes(rng.randrange(1, 3000))
        yield f"random frames {n}", start + b"".join(
            h2_frame(rng.randrange(12), rng.randrange(256), rng.choice((0, 1, 2, 3, 0x7fffffff)),
                     rng.randbytes(rng.randrange(40))) for _ in range(50))
    yield "frame of 16 MiB", start + b"\xff\xff\xff" + struct.pack("!BBI", DATA, 0, 1) + bytes(100000)
    yield "HPACK index that is not there", start + h2_frame(HEADERS, 5, 1, b"\xff\xff\xff\x7f")
    yield "HPACK integer without end", start + h2_frame(HEADERS, 5, 1, b"\xff" * 1000)
    yield "HPACK bomb", start + h2_frame(HEADERS, 5, 1, get + b"\x40\x01x\x7f\x81\x1f" + b"y" * 4000 + b"\xbe" * 12000)
    yield "headers of 1 MB", start + h2_frame(HEADERS, 0, 1, get) + b"".join(
        h2_frame(CONTINUATION, 0, 1, (b"\0\x01x\x7f\x81\x1f" + b"y" * 4000) * 4) for _ in range(64))
    yield "CONTINUATION without end", start + h2_frame(HEADERS, 0, 1, get) + h2_frame(CONTINUATION, 0, 1, b"") * 5000
    yield "SETTINGS flood", start + h2_settings(window=1) * 5000
    yield "PING flood", start + h2_frame(PING, 0, 0, bytes(8)) * 5000
    yield "empty DATA flood", start + h2_frame(HEADERS, END_HEADERS, 1, get) + h2_frame(DATA, 0, 1) * 20000
    yield "window overflow", start + h2_frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 3
    yield "window of 0", start + h2_frame(WINDOW_UPDATE, 0, 0, bytes(4))
    yield "wrong SETTINGS", start + h2_frame(SETTINGS, 0, 0, b"\0\x04\xff\xff\xff\xff") + h2_frame(SETTINGS, 0, 0, b"x")
    yield "even stream", start + h2_frame(HEADERS, 5, 2, get)
    yield "rapid reset", start + b"".join(
        h2_frame(HEADERS, END_HEADERS, n, get) + h2_frame(RST_STREAM, 0, n, bytes(4)) for n in range(1, 10001, 2))
    yield "streams without end", start + b"".join(h2_frame(HEADERS, END_HEADERS, n, get) for n in range(1, 4001, 2))
    for name, data in (("length of 4 GB", b"\0\xff\xff\xff\xff" + bytes(1000)), ("compressed", b"\1\0\0\0\4abcd"),
                       ("flag", b"\7\0\0\0\4abcd"), ("half an envelope", b"\0\0\0"), ("two", message(b"") * 2),
                       ("short", b"\0\0\0\0\x20ab")):
        yield f"message: {name}", start + h2_frame(HEADERS, END_HEADERS, 1, get) + h2_frame(DATA, 1, 1, data)


@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_nonsense(router, client, where):
    """Whatever comes, it costs its own connection at most."""
    dial = dial_tcp(router.ns, "127.0.0.1", PORT) if where == "tcp" else dial_unix(router.dir / "grpc")
    client.capabilities()
    before = descriptors(router)
    with Pulse(router) as pulse:
        for name, octets in garbage():
            with dial() as sock:
                sock.settimeout(1)
                with contextlib.suppress(OSError):
                    sock.sendall(octets)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
            assert router.procs["relayd"].poll() is None, name
    assert pulse.fine(5 * ANSWER_S)
    wait_for(lambda: shown(router)["sessions"] == 1 and not shown(router)["calls"], 5, "all is over")
    assert client.capabilities()
    # whoever has not said it all has 10 s
    wait_for(lambda: descriptors(router) <= before, 12, "their descriptors")


def test_http1_is_closed_at_once(router):
    with dial_tcp(router.ns, "127.0.0.1", PORT)() as sock:
        sock.settimeout(2)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1000) == b""


def test_messages_that_make_no_sense(client, some):
    """Octets at random as each message: an answer or an error, and nothing is changed but by a commit."""
    rng = random.Random(3)
    methods = [NORTHBOUND + name.removesuffix("Request") for name in dir(pb) if name.endswith("Request")]
    before = client.get("/", kind="CONFIG")[0].data
    codes = set()
    for _ in range(150):
        octets = b"".join(bytes([rng.choice((8, 10, 16, 18, 26, 34)), rng.randrange(12)])
                          + rng.randbytes(rng.randrange(12)) for _ in range(rng.randrange(4)))
        for method in methods:
            try:
                client.octets(method, octets)
            except grpc.RpcError as err:
                codes.add(err.code().name)
    assert client.get("/", kind="CONFIG")[0].data == before
    assert codes <= {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "ABORTED"} and "INVALID_ARGUMENT" in codes
    with contextlib.suppress(grpc.RpcError):
        client.unlock()


def test_many_connections(router, client):
    """One after the other, and many that are dropped at once: all they had is given back."""
    client.capabilities()
    dial, before = dial_tcp(router.ns, "127.0.0.1", PORT), descriptors(router)
    for _ in range(20):
        socks = [dial() for _ in range(20)]
        for sock in socks[::2]:
            sock.sendall(PREFACE + h2_settings() + h2_frame(HEADERS, END_HEADERS, 1, h2_headers(EVENTS + "Subscribe")))
        for sock in socks:
            sock.close()
    # the C core takes its time with some, up to 5 s
    wait_for(lambda: shown(router)["sessions"] == 1 and descriptors(router) <= before, 20, "all is given back")
    assert client.capabilities()


# ------------------------------------------------------- clients that don't move

@pytest.mark.alone
def test_stopped_client(router, client):
    """SIGSTOP in the middle of a large Get and of Subscribe: nobody else notices."""
    router.configure("relay up", *BASIC, "no shutdown")
    router.wait_relay("up", "up")
    number = client.create()
    client.load(number, big(4))
    client.commit(number)
    client.get(ROOT)
    before = resident(router)

    def tested():
        return router.relay_json("up")["selfTests"]["4to6"]

    for target in (f"127.0.0.1:{PORT}", f"unix:{router.dir}/grpc"):
        with worker(router, "hang", target, *[ROOT] * 256) as proc:
            proc.send_signal(signal.SIGSTOP)
            start = tested()
            with Pulse(router) as pulse:
                time.sleep(2.5)
            now = tested()
            assert pulse.fine(ANSWER_S)
            assert now["received"] >= start["received"] + 2 and now["lostInRow"] == 0, (start, now)
            assert router.relay_json("up")["operStatus"] == "up"
            # what it would have to hear of, and what others commit
            router.configure("relay up", "maintenance", "no maintenance")
            client.change({relay("r1", "description"): target})
            # what waits for it is not made before it is wanted
            assert SANITIZED or resident(router) < before + 32 * 1024
        wait_for(lambda: shown(router)["sessions"] == 1, 5, "it has gone")
    client.change(delete=[ROOT])
