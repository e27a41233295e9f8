# SPDX-License-Identifier: GPL-2.0-or-later
"""relay.v1.Events/Subscribe: the state of the moment, then each change, and no change twice or never."""

import contextlib
import threading
import time

import pytest

from grpc_client import EVENTS, Client, Listener, ev, fails
from grpc_wire import Raw, dial_unix
from lab import EMULATED, wait_for
from topology import BASIC

pytest_plugins = ["grpc_fixtures"]
pytestmark = pytest.mark.xdist_group("grpc-events")

# of a change, from its cause to the client
HEARD_S = 5 if EMULATED else 1


@pytest.fixture
def up(router):
    """Relay r is up, as long as its track is."""
    router.configure("track 1 interface eth1 line-protocol", "exit", "relay r", *BASIC, "track 1", "no shutdown")
    router.wait_relay("r", "up")


@contextlib.contextmanager
def listening(client, *names, initial=True):
    listener = Listener(client, *names)
    try:
        if initial:
            wait_for(listener.complete, 10, "the state of the moment")
        yield listener
    finally:
        listener.cancel()


def toggle(router, times, name="r"):
    """Many changes of a relay that is up."""
    for _ in range(times):
        router.configure(f"relay {name}", "maintenance", "no maintenance")


def history(router, name="r"):
    return [(each["from"], each["to"], each["reason"], each.get("detail", ""))
            for each in router.json("relayd", f"show relay {name} history json")[name]]


def words(change):
    return change.old, change.new, change.reason, change.detail


def last(listener, name="r"):
    """The state that it has heard of."""
    return next((each.new for each in reversed(listener.seen) if each.name == name), None)


def test_state_of_the_moment(client, router, up):
    """One message a relay, old is new, and the number of the last change."""
    router.configure("relay a", "exit", "relay b", "maintenance")
    with listening(client) as listener:
        seen = listener.seen
        assert sorted(each.name for each in seen) == ["a", "b", "r"]
        assert [each.initial_left for each in seen] == [2, 1, 0]
        for each in seen:
            shown = router.relay_json(each.name)
            assert each.initial and each.old == each.new == shown["operStatus"]
            assert each.reason == shown["reason"] and each.detail == shown.get("detail", "")
            assert abs(each.timestamp - time.time_ns()) < 10e9
        assert {each.sequence for each in seen} == {seen[0].sequence} and seen[0].sequence > 0
        toggle(router, 1)
        first = wait_for(listener.changes, 5, "a change")[0]
        assert first.sequence == seen[0].sequence + 1 and first.name == "r" and first.old == "up"
        assert first.new == "maintenance" and not first.initial and first.initial_left == 0


def test_changes_in_order(client, router, up):
    """Each of relayd's own history, as it was, with numbers in a row; two that listen hear the same."""
    with listening(client) as listener, listening(client, "r") as second:
        before = len(history(router))
        toggle(router, 10)
        router.configure("relay r", "shutdown", "no shutdown")
        router.wait_relay("r", "up")
        done = history(router)[before:]
        assert len(done) >= 22
        wait_for(lambda: len(listener.changes()) == len(second.changes()) == len(done), 5, "all of them")
        changes = listener.changes()
        assert [words(each) for each in changes] == done
        assert [words(each) for each in second.changes()] == done
        first = changes[0].sequence
        assert [each.sequence for each in changes] == list(range(first, first + len(done)))
        assert all(a.new == b.old and a.timestamp <= b.timestamp for a, b in zip(changes, changes[1:]))
        assert abs(changes[-1].timestamp - time.time_ns()) < 30e9


def test_none_is_lost_at_the_beginning(client, router, up):
    """Who begins to listen in the middle of it: the state, then what follows from it, without a gap."""
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            toggle(router, 1)

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(20):
            with listening(client) as listener:
                wait_for(lambda: len(listener.changes()) > 3, 10, "changes")  # noqa: B023
                seen = list(listener.seen)
                assert [each.sequence for each in seen] == list(range(seen[0].sequence, seen[0].sequence + len(seen)))
                assert all(a.new == b.old for a, b in zip(seen, seen[1:]))
    finally:
        stop.set()
        thread.join()


def test_names(client, router, up):
    """Of those asked for only; the numbers show that there were others."""
    router.configure("relay a", "tunnel mode ipv6ip 6to4", "tunnel source 192.0.2.1", "route 192.0.2.0/24",
                     "drain-time 0", "exit", "relay b")
    with listening(client, "a") as listener, listening(client, "a", "b", "a") as both, listening(client) as every:
        assert [each.name for each in listener.seen] == ["a"]
        assert sorted(each.name for each in both.seen) == ["a", "b"]
        toggle(router, 2)
        router.configure("relay a", "no shutdown")
        router.wait_relay("a", "up")
        wait_for(lambda: last(listener, "a") == "up" and last(every, "a") == "up" and last(both, "a") == "up", 5, "up")
        assert {each.name for each in listener.changes()} == {each.name for each in both.changes()} == {"a"}
        assert listener.changes()[0].sequence >= listener.seen[0].sequence + 5
        assert [each for each in every.changes() if each.name == "a"] == listener.changes() == both.changes()


def test_no_such_relay(client, router, up):
    for names in (["nobody"], ["r", "nobody"], ["R"]):
        assert names[-1] in fails("NOT_FOUND", lambda: list(client.subscribe(*names)))  # noqa: B023
    fails("INVALID_ARGUMENT", client.octets, EVENTS + "Subscribe", b"\x0a\x02\xc3\x28")
    fails("INVALID_ARGUMENT", client.octets, EVENTS + "Subscribe", b"\xff\xff")


def test_relays_come_and_go(client, router):
    """Where there is none at first; one that is removed and comes again."""
    added = ["relay r", *BASIC, "no shutdown"]
    with listening(client, initial=False) as listener:
        wait_for(lambda: router.json("relayd", "show grpc json")["subscriptions"] == 1, 5, "it listens")
        router.configure(*added)
        wait_for(lambda: last(listener) == "up", 20, "up")
        with listening(client, "r") as single:
            router.configure("no relay r")
            router.configure(*added)
            router.wait_relay("r", "up")
            for each in (listener, single):
                wait_for(lambda: last(each) == "up" and len(each.changes()) > 1, 20, "up again")  # noqa: B023
                # it has not come from nowhere
                changes = each.changes()
                assert all(a.sequence + 1 == b.sequence for a, b in zip(changes, changes[1:]))
        router.configure("no relay r")
        fails("NOT_FOUND", lambda: list(client.subscribe("r")))


@pytest.mark.parametrize("ifname,reason", [("eth1", "track-down"), ("r", None)])
def test_health(client, router, up, ifname, reason):
    """Something breaks, and who listens knows it at once; also that it is well again."""
    with listening(client, "r") as listener:
        began = time.monotonic()
        router.ns.ip(f"link set {ifname} down")
        try:
            wait_for(lambda: listener.changes() and listener.changes()[0].old == "up", HEARD_S, "it is heard of")
            assert listener.when[len(listener.seen) - len(listener.changes())] - began < HEARD_S
            first = listener.changes()[0]
            assert reason in (None, first.reason) and (not reason or first.new == "down" and "track 1" in first.detail)
        finally:
            router.ns.ip(f"link set {ifname} up")
        wait_for(lambda: last(listener) == "up", 20, "up again")


def test_many_listen(client, router, up):
    """64; each hears all; one more is refused until one has gone."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(listening(client)) for _ in range(63)]
        single = Listener(client)
        wait_for(single.complete, 5, "the last of them")
        assert router.json("relayd", "show grpc json")["subscriptions"] == 64
        fails("RESOURCE_EXHAUSTED", lambda: list(client.subscribe()), says="64")
        toggle(router, 2)
        for each in listeners:
            wait_for(lambda: len(each.changes()) == 4, 5, "four changes")  # noqa: B023
        single.cancel()
        with listening(client):
            pass
    wait_for(lambda: router.json("relayd", "show grpc json")["subscriptions"] == 0, 2, "nobody listens")


def flood(router, listeners):
    """Changes until one of those that listen is sent away; how many."""
    count = 0
    while count < 1500 and router.json("relayd", "show grpc json")["subscriptions"] == listeners:
        toggle(router, 25)
        count += 50
    return count


def test_slow_reader(client, router, up):
    """Who takes in nothing is sent away when 256 changes wait; who does, loses none."""
    with Raw(dial_unix(router.dir / "grpc")(), window=0) as raw, listening(client) as listener:
        stream = raw.call(EVENTS + "Subscribe", ev.SubscribeRequest().SerializeToString())
        wait_for(lambda: router.json("relayd", "show grpc json")["subscriptions"] == 2, 5, "they listen")
        count = flood(router, 2)
        assert 256 <= count < 400
        assert raw.wait_status(stream, 5) == 8  # RESOURCE_EXHAUSTED
        wait_for(lambda: len(listener.changes()) == count, 10, "all changes")
        first = listener.changes()[0].sequence
        assert [each.sequence for each in listener.changes()] == list(range(first, first + count))


def test_slow_reader_is_told_why(router, up):
    """A client that reads again finds what has come to it before, and then the reason of the end."""
    tiny = [("grpc.http2.lookahead_bytes", 64), ("grpc.http2.bdp_probe", 0)]
    with Client(f"unix:{router.dir}/grpc", options=tiny) as slow:
        call = slow.subscribe()
        assert next(call).initial
        flood(router, 1)
        seen = []
        fails("RESOURCE_EXHAUSTED", lambda: seen.extend(call))
        assert [each.sequence for each in seen] == [seen[0].sequence + n for n in range(len(seen))]


def test_slow_reader_that_is_fast_enough(router, up):
    """250 changes wait for it, and come when it has the mind to read."""
    with Raw(dial_unix(router.dir / "grpc")(), window=0) as raw:
        stream = raw.call(EVENTS + "Subscribe", ev.SubscribeRequest().SerializeToString())
        wait_for(lambda: router.json("relayd", "show grpc json")["subscriptions"] == 1, 5, "it listens")
        toggle(router, 120)
        raw.more_window(stream, 1 << 20)

        def seen():
            return raw.octets(stream).count(b"maintenance") >= 120
        raw.until(seen, 10, "240 changes")
        assert raw.status(stream) is None
