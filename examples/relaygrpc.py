# SPDX-License-Identifier: GPL-2.0-or-later
"""What the examples share: relayd's gRPC services, with the distribution's packages alone.

The messages are made by protoc from the .proto files when a script starts, so
there is no generated code to keep in step.  An error of any kind is a Fault,
whose text is one line; run() prints it.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

# the core of gRPC would say on stderr what we say in one line
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
try:
    import grpc
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
except ImportError as err:
    sys.exit(f"{os.path.basename(sys.argv[0])}: {err}: apt install python3-grpcio python3-protobuf protobuf-compiler")

DEFAULT_TARGET = "127.0.0.1:50051"
TARGET = r"unix:.+|.+:\d+"
PROTOS = ("frr-northbound.proto", "relay-events.proto")
PROTO_DIRS = (pathlib.Path(__file__).resolve().parent.parent / "grpc", pathlib.Path("/usr/share/frr-relay/grpc"))
ROOT = "/frr-relay:relay"
# an answer is 4 MiB at most, and has a few octets around it
MAX_ANSWER = 5 << 20
CALL_SECONDS = 30


class Fault(Exception):
    """Something that ends a script: one line for stderr, and the status code where relayd has given one."""

    def __init__(self, text, code=None):
        super().__init__(" ".join(str(text).split()))
        self.code = code


def read_file(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as err:
        raise Fault(f"{path}: {err.strerror}") from None


def load_services():
    """Reads the .proto files; returns {"/frr.Northbound/Get": (request, answer), ...}, classes of messages."""
    where = next((path for path in PROTO_DIRS if all((path / name).exists() for name in PROTOS)), None)
    if where is None:
        raise Fault(f"no {PROTOS[0]} in {' or '.join(map(str, PROTO_DIRS))}")
    with tempfile.TemporaryDirectory(prefix="relaygrpc-") as tmp:
        out = os.path.join(tmp, "descriptors")
        try:
            subprocess.run(["protoc", f"-I{where}", f"--descriptor_set_out={out}", *PROTOS], check=True,
                           capture_output=True, text=True)
        except FileNotFoundError:
            raise Fault("no protoc: apt install protobuf-compiler") from None
        except subprocess.CalledProcessError as err:
            raise Fault(f"protoc: {err.stderr}") from None
        with open(out, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for each in files.file:
        pool.Add(each)
    # protobuf 4.22 has the first, 3.21 the second
    make = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    found = {}
    for each in files.file:
        for service in each.service:
            for method in service.method:
                found[f"/{each.package}.{service.name}/{method.name}"] = [
                    make(pool.FindMessageTypeByName(name[1:])) for name in (method.input_type, method.output_type)]
    return found


class Router:
    """One relayd, over one connection."""

    services = None

    def __init__(self, where=DEFAULT_TARGET, cert=None, key=None, ca=None):
        if Router.services is None:
            Router.services = load_services()
        self.target = where
        # straight to the router; and a new connection is one, without the pauses of an old one
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1),
                   ("grpc.max_receive_message_length", MAX_ANSWER),
                   # a router that is gone without a word is noticed, also by who only listens
                   ("grpc.keepalive_time_ms", 20000), ("grpc.keepalive_timeout_ms", 10000),
                   ("grpc.http2.max_pings_without_data", 0)]
        if cert and not where.startswith("unix:"):
            cert, key, ca = (read_file(path) for path in (cert, key, ca))
            self.channel = grpc.secure_channel(where, grpc.ssl_channel_credentials(ca, key, cert), options)
        else:
            self.channel = grpc.insecure_channel(where, options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def fault(self, err):
        text = err.details() or err.code().name
        # of "failed to connect to all addresses; last error: UNKNOWN: unix:PATH: ..." the end says it
        text = re.sub(r"^.*; last error: ([A-Z]+: )?(ip|unix)\S*: ", "", text)
        return Fault(f"{self.target}: {text}", err.code())

    def stream(self, method, timeout=CALL_SECONDS, **fields):
        """A call that has a stream of answers, or one, which is a stream to who only reads."""
        request, answer = self.services[method]
        call = self.channel.unary_stream(method, request.SerializeToString, answer.FromString)
        try:
            yield from call(request(**fields), timeout=timeout)
        except grpc.RpcError as err:
            raise self.fault(err) from None

    def call(self, method, **fields):
        """A call of frr.Northbound with one answer."""
        return list(self.stream(f"/frr.Northbound/{method}", **fields))[0]

    def get(self, *paths, kind="ALL", defaults=False):
        """What is in the container relay at all the paths, as one tree."""
        tree = {}
        for answer in self.stream("/frr.Northbound/Get", path=paths or [ROOT], type=kind, encoding="JSON",
                                  with_defaults=defaults):
            merge(tree, json.loads(answer.data.data or "{}").get("frr-relay:relay", {}))
        return tree

    def relays(self, *parts, kind="ALL"):
        """{name: its part of the tree}, of all relays."""
        paths = [f"{ROOT}/instance/{part}" for part in ("name", *parts)]
        return {each["name"]: each for each in self.get(*paths, kind=kind).get("instance", [])}


class Candidate:
    """A candidate configuration, which goes away with its block."""

    def __init__(self, router):
        self.router = router
        self.id = router.call("CreateCandidate").candidate_id

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # relayd forgets it by itself as well
        with contextlib.suppress(Fault):
            self.router.call("DeleteCandidate", candidate_id=self.id)

    def edit(self, update, delete=()):
        self.router.call("EditCandidate", candidate_id=self.id,
                         update=[{"path": path, "value": value} for path, value in update.items()],
                         delete=[{"path": path} for path in delete])

    def load_xml(self, text):
        """Merges a tree."""
        self.router.call("LoadToCandidate", candidate_id=self.id, type="MERGE",
                         config={"encoding": "XML", "data": text})

    def commit(self, phase, comment=""):
        """One phase, or ALL; False when there is nothing to change."""
        try:
            self.router.call("Commit", candidate_id=self.id, phase=phase, comment=comment)
        except Fault as err:
            if err.code == grpc.StatusCode.ABORTED:
                return False
            raise
        return True


# Keys of the lists of the module frr-relay.
KEYS = {"track-object": "id", "instance": "name", "object": "id", "route": "prefix", "track": "id",
        "self-test": "way", "drop": "reason", "peer": "address", "history": "index"}


def merge(tree, other):
    """Brings another tree into one: entries of a list by their key, of a leaf-list by what they are."""
    for name, value in other.items():
        mine = tree.get(name)
        if isinstance(mine, dict) and isinstance(value, dict):
            merge(mine, value)
        elif isinstance(mine, list) and isinstance(value, list):
            key = KEYS.get(name)
            index = {each[key] if isinstance(each, dict) else each: each for each in mine}
            for entry in value:
                same = index.get(entry[key] if isinstance(entry, dict) else entry)
                if same is None:
                    mine.append(entry)
                elif isinstance(entry, dict):
                    merge(same, entry)
        else:
            tree[name] = value


def target(text):
    """Where a relayd listens; for argparse."""
    if not re.fullmatch(TARGET, text):
        raise argparse.ArgumentTypeError(f"neither HOST:PORT nor unix:PATH: {text!r}")
    return text


def parser(text, **kwargs):
    """An argument parser with what all scripts have; kwargs are for --target."""
    made = argparse.ArgumentParser(description=text)
    made.add_argument("--target", type=target, metavar="TARGET",
                      **{"default": DEFAULT_TARGET, "help": "where relayd listens, HOST:PORT or unix:PATH (default: "
                         f"{DEFAULT_TARGET})", **kwargs})
    made.add_argument("--cert", metavar="FILE", help="certificate of this client (PEM), for TLS")
    made.add_argument("--key", metavar="FILE", help="its key")
    made.add_argument("--ca", metavar="FILE", help="certificate of who has signed relayd's")
    return made


def parse(made):
    args = made.parse_args()
    if len({bool(args.cert), bool(args.key), bool(args.ca)}) != 1:
        made.error("--cert, --key and --ca go together")
    return args


def connect(args, where=None):
    return Router(where or args.target, args.cert, args.key, args.ca)


def run(main):
    """Runs a script's main(); its value is the exit code."""
    # what stops a service is as good as Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = main()
        sys.stdout.flush()
    except Fault as err:
        print(f"{os.path.basename(sys.argv[0])}: {err}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # who read the output has gone; what is left of it goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
