# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of relayd's gRPC, made from FRR's own file of the service.

Messages and stubs are generated when this is imported, into a directory that goes
away with the process.  Processes that it starts find them there too.
"""

import atexit
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as tree

# before the import: no handler of fork() beside our subprocesses
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc  # noqa: E402

from lab import REPO  # noqa: E402

GENERATED = "RELAY_TEST_GRPC_GENERATED"
OURS = REPO / "grpc" / "frr-northbound.proto"


def frrs_own():
    """FRR's file of the service."""
    run = subprocess.run([REPO / "scripts" / "frr-tree"], capture_output=True, text=True, check=True)
    return pathlib.Path(run.stdout.strip()) / "grpc" / "frr-northbound.proto"


def generate(directory):
    for file in (frrs_own(), REPO / "grpc" / "relay-events.proto"):
        subprocess.run(["protoc", f"-I{file.parent}", "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin",
                        f"--python_out={directory}", f"--grpc_python_out={directory}", file], check=True)


if GENERATED not in os.environ:
    os.environ[GENERATED] = tempfile.mkdtemp(prefix="relay-grpc-")
    atexit.register(shutil.rmtree, os.environ[GENERATED], ignore_errors=True)
    generate(os.environ[GENERATED])
sys.path.append(os.environ[GENERATED])

import frr_northbound_pb2 as pb  # noqa: E402
import frr_northbound_pb2_grpc as pb_grpc  # noqa: E402
import relay_events_pb2 as ev  # noqa: E402
import relay_events_pb2_grpc as ev_grpc  # noqa: E402

NORTHBOUND, EVENTS = "/frr.Northbound/", "/relay.v1.Events/"
ROOT = "/frr-relay:relay"


def relay(name, *rest):
    return "/".join((f"{ROOT}/instance[name='{name}']", *rest))


def track(number, *rest):
    return "/".join((f"{ROOT}/track-object[id='{number}']", *rest))


# -------------------------------------------------------------------- answers

def flat(data):
    """A tree in JSON or XML as sorted (names, value): both give the same."""
    found = []

    def walk(names, value):
        if isinstance(value, dict):
            for name, each in value.items():
                walk((*names, name.rsplit(":", 1)[-1]), each)
            if not value:
                found.append((names, ""))
        elif isinstance(value, list):
            for each in value:
                walk(names, each)
        else:
            found.append((names, str(value).lower() if isinstance(value, bool) else str(value)))

    def elements(names, element):
        if not len(element):
            found.append((names, element.text or ""))
        for each in element:
            elements((*names, each.tag.rsplit("}", 1)[-1]), each)

    if data.encoding == pb.JSON:
        walk((), json.loads(data.data))
    else:
        # more than one top, or none
        elements((), tree.fromstring(f"<top>{data.data}</top>"))
    return sorted(each for each in found if each[0])


def fails(code, call, *args, says=None, **kwargs):
    """The text with which a call is refused: always one line that says something."""
    try:
        got = call(*args, **kwargs)
        if hasattr(got, "code"):  # a stream
            got = list(got)
    except grpc.RpcError as err:
        assert err.code().name == code, f"{code} wanted: {err.code().name}: {err.details()}"
        text = err.details()
        assert text and "\n" not in text and len(text) < 2000 and text == text.strip(), repr(text)
        if says:
            assert re.search(says, text), f"{says!r} wanted: {text}"
        return text
    raise AssertionError(f"{code} wanted: {got}")


# --------------------------------------------------------------------- client

class Client:
    """One connection; each call as it is most often wanted, all others by nb and events."""

    def __init__(self, target, credentials=None, options=(), timeout=20):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0),
                   ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), *options]
        self.timeout = timeout
        self.channel = (grpc.secure_channel(target, credentials, options) if credentials
                        else grpc.insecure_channel(target, options))
        self.nb = pb_grpc.NorthboundStub(self.channel)
        self.events = ev_grpc.EventsStub(self.channel)
        self.made = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in self.made:
            with contextlib.suppress(grpc.RpcError):
                self.nb.DeleteCandidate(pb.DeleteCandidateRequest(candidate_id=number), timeout=5)
        self.close()

    def close(self):
        self.made = set()
        self.channel.close()

    def capabilities(self):
        return self.nb.GetCapabilities(pb.GetCapabilitiesRequest(), timeout=self.timeout)

    def get(self, *paths, kind="ALL", xml=False, defaults=False):
        """Answers, one a path."""
        return list(self.nb.Get(pb.GetRequest(type=kind, encoding="XML" if xml else "JSON", with_defaults=defaults,
                                              path=paths), timeout=self.timeout))

    def tree(self, path, **how):
        """Of one path, what is below frr-relay:relay."""
        answer, = self.get(path, **how)
        return json.loads(answer.data.data).get("frr-relay:relay", {})

    def create(self):
        number = self.nb.CreateCandidate(pb.CreateCandidateRequest(), timeout=self.timeout).candidate_id
        self.made.add(number)
        return number

    def delete(self, candidate):
        self.nb.DeleteCandidate(pb.DeleteCandidateRequest(candidate_id=candidate), timeout=self.timeout)
        self.made.discard(candidate)

    def update(self, candidate):
        self.nb.UpdateCandidate(pb.UpdateCandidateRequest(candidate_id=candidate), timeout=self.timeout)

    def edit(self, candidate, update=(), delete=()):
        """update: a dictionary, or pairs; delete: paths."""
        pairs = update.items() if isinstance(update, dict) else update
        self.nb.EditCandidate(pb.EditCandidateRequest(
            candidate_id=candidate, update=[pb.PathValue(path=path, value=str(value)) for path, value in pairs],
            delete=[pb.PathValue(path=path) for path in delete]), timeout=self.timeout)

    def load(self, candidate, data, kind="MERGE", xml=False):
        """data: text, or a dictionary of what is below frr-relay:relay."""
        if isinstance(data, dict):
            data = json.dumps({"frr-relay:relay": data})
        self.nb.LoadToCandidate(pb.LoadToCandidateRequest(
            candidate_id=candidate, type=kind, config=pb.DataTree(encoding="XML" if xml else "JSON", data=data)),
            timeout=self.timeout)

    def commit(self, candidate, phase="ALL", comment=""):
        """The number of the transaction."""
        answer = self.nb.Commit(pb.CommitRequest(candidate_id=candidate, phase=phase, comment=comment),
                                timeout=self.timeout)
        assert (answer.transaction_id > 0) == (phase in ("ALL", "APPLY")), answer
        return answer.transaction_id

    def change(self, update=(), delete=(), comment=""):
        """All of it: a candidate, edited, committed, deleted."""
        candidate = self.create()
        try:
            self.edit(candidate, update, delete)
            return self.commit(candidate, comment=comment)
        finally:
            self.delete(candidate)

    def transactions(self):
        return list(self.nb.ListTransactions(pb.ListTransactionsRequest(), timeout=self.timeout))

    def transaction(self, number, xml=False, defaults=False):
        return self.nb.GetTransaction(pb.GetTransactionRequest(
            transaction_id=number, encoding="XML" if xml else "JSON", with_defaults=defaults),
            timeout=self.timeout).config

    def lock(self):
        self.nb.LockConfig(pb.LockConfigRequest(), timeout=self.timeout)

    def unlock(self):
        self.nb.UnlockConfig(pb.UnlockConfigRequest(), timeout=self.timeout)

    def execute(self, path, inputs=()):
        """inputs: pairs."""
        return self.nb.Execute(pb.ExecuteRequest(
            path=path, input=[pb.PathValue(path=name, value=value) for name, value in inputs]),
            timeout=self.timeout).output

    def subscribe(self, *names, timeout=60):
        return self.events.Subscribe(ev.SubscribeRequest(name=names), timeout=timeout)

    def octets(self, method, octets, timeout=20):
        """A call with whatever is said to be its message; all answers."""
        call = self.channel.unary_stream(method, request_serializer=bytes, response_deserializer=bytes)
        return list(call(octets, timeout=timeout))


class Listener(threading.Thread):
    """Takes in what Subscribe says, until it ends."""

    def __init__(self, client, *names):
        super().__init__(daemon=True)
        self.call = client.subscribe(*names)
        self.seen, self.when, self.end = [], [], None
        self.start()

    def run(self):
        try:
            for each in self.call:
                self.when.append(time.monotonic())
                self.seen.append(each)
        except grpc.RpcError as err:
            self.end = err
        else:
            self.end = "without an error"

    def changes(self):
        return [each for each in self.seen if not each.initial]

    def complete(self):
        """Has the state of the moment come?"""
        return self.seen and any(each.initial_left == 0 for each in self.seen if each.initial)

    def cancel(self):
        self.call.cancel()
        self.join(10)
