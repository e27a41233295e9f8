# SPDX-License-Identifier: GPL-2.0-or-later
"""FRR's own gRPC module and a client of it, built from the distribution's source of FRR.

Debian's package of FRR has no gRPC module.  It is built here as FRR's own Makefile does,
from the tree that scripts/frr-tree has made, and nothing of it is kept but in build/bench.
The client (grpc_load.cc) is made from FRR's proto file, too.
"""

import fcntl
import pathlib
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "system"))

from lab import BUILD, REPO  # noqa: E402

OUT = BUILD / "bench" / "grpc"
PROTO = "grpc/frr-northbound"
LOAD = REPO / "tests" / "bench" / "grpc_load.cc"
SPEED = ("-g", "-O2")


def command(*words):
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{shlex.join(map(str, words))}:\n{(run.stdout + run.stderr)[:3000]}"
    return run.stdout


def packages(what):
    return command("pkg-config", what, "grpc++", "protobuf", "libyang").split()


def make(target, sources, *words):
    """Runs the command if one of the sources is newer."""
    if not target.exists() or any(source.stat().st_mtime > target.stat().st_mtime for source in sources):
        command(*words)
    return target


def compiled(target, source, *flags):
    return make(target, [source, pathlib.Path(__file__)], "g++", "-std=gnu++17", *SPEED, "-fPIC", f"-I{OUT}", *flags,
                *packages("--cflags"), "-c", source, "-o", target)


def build():
    """(FRR's module, the client)"""
    (OUT / "grpc").mkdir(parents=True, exist_ok=True)
    with open(OUT / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tree = pathlib.Path(command(REPO / "scripts" / "frr-tree").strip())
        stamp = tree / "frr-relay.stamp"
        messages = [make(OUT / f"{PROTO}{end}.cc", [stamp], "protoc", f"-I{tree}", f"--{kind}_out={OUT}",
                         f"--plugin=protoc-gen-grpc={command('which', 'grpc_cpp_plugin').strip()}", tree / f"{PROTO}.proto")
                    for kind, end in (("cpp", ".pb"), ("grpc", ".grpc.pb"))]
        objects = [compiled(source.with_suffix(".o"), source) for source in messages]
        server = compiled(OUT / "northbound_grpc.o", tree / "lib" / "northbound_grpc.cpp", "-DHAVE_CONFIG_H",
                          '-DSYSCONFDIR="/etc/frr/"', f"-I{tree}", f"-I{tree}/include", f"-I{tree}/lib")
        client = compiled(OUT / "grpc_load.o", LOAD, "-Wall", "-Wextra")
        libraries = packages("--libs")
        return (make(OUT / "frr_grpc.so", [server, *objects], "g++", "-shared", "-o", OUT / "frr_grpc.so", server, *objects,
                     *libraries),
                make(OUT / "grpc_load", [client, *objects], "g++", "-o", OUT / "grpc_load", client, *objects, *libraries))
