# SPDX-License-Identifier: GPL-2.0-or-later
"""Many clients at once, with vtysh beside them, for a while; and calls without end."""

import json
import os
import threading

import pytest

from grpc_client import ROOT, relay
from grpc_lab import PORT, SANITIZED, holds, relays, resident, shown, worker
from lab import EMULATED, wait_for

pytest_plugins = ["grpc_fixtures"]
pytestmark = [pytest.mark.alone, pytest.mark.xdist_group("grpc-stress")]

SECONDS = float(os.environ.get("RELAY_GRPC_STRESS_SECONDS", "8"))
GETS = int(os.environ.get("RELAY_GRPC_GETS", "10000"))
GROWTH_KB = 2048


def results(procs):
    """What each worker says at its end."""
    found = []
    for proc in procs:
        out, err = proc.communicate(timeout=60 + SECONDS * 2)
        assert proc.returncode == 0, err[-3000:]
        found.append(json.loads(out))
    return found


class Typist(threading.Thread):
    """An operator with vtysh, who edits relays and objects of his own, each line a commit."""

    def __init__(self, router, name):
        super().__init__()
        self.router, self.name = router, name
        self.stop = threading.Event()
        self.number, self.said = 0, []
        self.start()

    def run(self):
        while not self.stop.is_set():
            self.number += 1
            out = self.router.vtysh_configure(
                f"relay {self.name}", f"description n {self.number}", f"drain-time {self.number % 601}", "exit",
                f"track {700 + self.number % 50} interface {self.name} line-protocol", "exit",
                f"no relay {self.name}x", f"relay {self.name}x", f"tunnel ttl {1 + self.number % 255}")
            # it may have come in the middle of a client's commit, but for that there is no reason to refuse it
            self.said += [line for line in out.splitlines() if "no relay" not in line and "nobody" not in line]


def test_clients_and_vtysh(router, client):
    """No commit is lost or torn: each node has what was last acknowledged, each read is of one moment."""
    names = [f"w{n}" for n in range(4)]
    router.configure(*[line for name in ("v", "vx", *names) for line in (f"relay {name}", "exit")])
    typist = Typist(router, "v")
    try:
        with worker(router, "loop", f"127.0.0.1:{PORT}", names[0], SECONDS, ready=False) as a, \
                worker(router, "loop", f"unix:{router.dir}/grpc", names[1], SECONDS, ready=False) as b, \
                worker(router, "loop", f"127.0.0.1:{PORT}", names[2], SECONDS, ready=False) as c, \
                worker(router, "loop", f"unix:{router.dir}/grpc", names[3], SECONDS, ready=False) as d:
            done = results([a, b, c, d])
    finally:
        typist.stop.set()
        typist.join(60)
    assert not typist.said, typist.said[:10]
    ids = sorted(number for each in done for number in each["ids"])
    assert len(ids) == len(set(ids)) == sum(each["number"] for each in done)
    assert not any(each["refused"] for each in done)
    assert len(ids) > (10 if EMULATED or SANITIZED else 50) * SECONDS, f"{len(ids)} commits in {SECONDS} s"
    got = relays(client)
    for name, each in zip(names, done):
        last = each["number"] % 601
        assert got[name]["description"] == f"n {last}" and got[name].get("drain-time", 5) == last, (got[name], each)
    assert typist.number > 3 and got["v"]["description"] == f"n {typist.number}"
    assert got["v"].get("drain-time", 5) == typist.number % 601
    assert got["vx"].get("tunnel", {}).get("ttl", 64) == 1 + typist.number % 255
    # vtysh shows the same
    lines = router.vtysh("show running-config").splitlines()
    for name in names:
        assert f" description {got[name]['description']}" in lines[lines.index(f"relay {name}"):]
    # and the last hundred are on record, each once
    record = [each.id for each in client.transactions()]
    assert len(record) == 100 and record == sorted(set(record), reverse=True)
    assert {each.client for each in client.transactions()} >= {"gRPC unix:uid=0"}


def test_gets_leave_memory_as_it_was(router, client):
    """Answers of all kinds; what was needed for the first ones is enough for all."""
    router.configure(*[line for n in range(2) for line in (f"relay r{n}", "tunnel mode ipv6ip 6to4",
                                                            f"route 192.0.{n}.0/24", "exit")])

    def gets(count):
        with worker(router, "gets", f"unix:{router.dir}/grpc", count // 2, ready=False) as a, \
                worker(router, "gets", f"127.0.0.1:{PORT}", count // 2, ready=False) as b:
            results([a, b])
        wait_for(lambda: shown(router)["sessions"] == 0, 5, "they have gone")
        return resident(router)

    before = gets(GETS // 5)
    after = gets(GETS)
    assert SANITIZED or after <= before + GROWTH_KB, f"{before} KiB, then {after} KiB"


def test_commits_leave_memory_as_it_was(router, client):
    """Nor do commits, refused ones, and candidates that are deleted, once the record of transactions is full."""
    def commits(count):
        for number in range(count):
            candidate = client.create()
            client.edit(candidate, {relay("a", "drain-time"): number % 601, relay("a", "description"): f"n {number}"})
            client.load(candidate, {"instance": [{"name": f"x{number % 7}", "drain-time": number % 601}]})
            client.commit(candidate, "VALIDATE")
            client.commit(candidate, comment="c" * 1000)
            client.delete(candidate)
        return resident(router)

    before = commits(300)
    after = commits(600)
    assert SANITIZED or after <= before + GROWTH_KB, f"{before} KiB, then {after} KiB"
    client.change(delete=[ROOT])
    client.close()
    holds(router)
