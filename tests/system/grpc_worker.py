# SPDX-License-Identifier: GPL-2.0-or-later
"""A client in a process of its own, for tests that stop it, kill it, or want many.

    grpc_worker.py WHAT TARGET ARG...

Says one line of JSON on stdout for each thing that the test has to know.
"""

import json
import random
import sys
import time

import grpc

from grpc_client import Client, pb, relay


def say(**what):
    print(json.dumps(what), flush=True)


def loop(target, name, seconds):
    """Candidates, edits, commits, reads; each read is whole, and shows what was committed last."""
    with Client(target) as client:
        end = time.monotonic() + float(seconds)
        number, ids, refused = 0, [], 0
        path, first, second = relay(name), relay(name, "description"), relay(name, "drain-time")
        while number == 0 or time.monotonic() < end:
            number += 1
            candidate = client.create()
            client.edit(candidate, {first: f"n {number % 601}", second: number % 601})
            try:
                ids.append(client.commit(candidate, comment=f"{name} {number}"))
            except grpc.RpcError as err:
                # vtysh, or another, was in the middle of its own
                assert err.code() == grpc.StatusCode.UNAVAILABLE, err
                refused += 1
                number -= 1
                continue
            finally:
                client.delete(candidate)
            got, = client.tree(path, kind="CONFIG", defaults=True)["instance"]
            assert got["description"] == f"n {number % 601}" and got["drain-time"] == number % 601, got
            for each in client.tree("/frr-relay:relay/instance", kind="CONFIG", defaults=True)["instance"]:
                if each["name"].startswith("w") and "description" in each:
                    assert each["description"] == f"n {each['drain-time']}", each
        assert ids == sorted(set(ids)), "transactions out of order"
        say(number=number, ids=ids, refused=refused)


def gets(target, count):
    """Many answers."""
    with Client(target) as client:
        for number in range(int(count)):
            client.get("/frr-relay:relay", kind=number % 3, xml=number % 2 == 0, defaults=number % 5 == 0)
        say(done=int(count))


def hang(target, *paths):
    """Asks for much, listens, and is stopped then."""
    with Client(target, timeout=None) as client:
        events = client.subscribe(timeout=None)
        answers = client.nb.Get(pb.GetRequest(path=paths))
        next(events)
        next(answers)
        say(ready=True)
        while True:
            time.sleep(1)


def wild(target, seed):
    """Whatever comes to mind, until it is killed."""
    rng = random.Random(int(seed))
    with Client(target) as client:
        client.capabilities()
        say(ready=True)
        candidates, streams = [0], []

        def commit():
            client.nb.Commit(pb.CommitRequest(candidate_id=rng.choice(candidates), phase=rng.randrange(5)), timeout=5)

        calls = (
            lambda: candidates.append(client.create()),
            lambda: client.edit(rng.choice(candidates), {relay("wild", "tunnel/ttl"): rng.randrange(1, 256)}),
            lambda: client.load(rng.choice(candidates), {"instance": [{"name": "wild2"}]}),
            lambda: client.update(rng.choice(candidates)),
            commit, commit, commit,
            lambda: client.get("/", defaults=True),
            client.lock, client.unlock, client.transactions,
            lambda: streams.append(client.subscribe()),
            lambda: next(rng.choice(streams)),
            lambda: client.execute("/frr-relay:clear-counters"),
            lambda: client.transaction(1),
        )
        while True:
            try:
                rng.choice(calls)()
            except (grpc.RpcError, IndexError, StopIteration):
                pass


if __name__ == "__main__":
    {"loop": loop, "gets": gets, "hang": hang, "wild": wild}[sys.argv[1]](*sys.argv[2:])
