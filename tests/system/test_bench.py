# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmarks of the datapaths still work; what they find is of no interest here.

In a root of scripts/suite only what needs no threads of the kernel.
"""

import json
import subprocess

from lab import REPO

WAYS = {"encapsulate", "decapsulate"}
# those of the kernel, whose time a packet's cost is; in a pid namespace of one's own there are none
THREADS = "ksoftirqd/0" in subprocess.run(["ps", "-e", "-o", "comm="], capture_output=True, text=True,
                                          check=True).stdout.split()


def bench(name, tmp_path, *args):
    """What it reports."""
    file = tmp_path / f"{name}.json"
    run = subprocess.run(["/usr/bin/python3", "-B", REPO / "tests" / "bench" / f"{name}.py", "--quick", "--json", file,
                          *args], capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(file.read_text())


def test_datapath(tmp_path):
    """Each part, in seconds: packets cross and are counted, and nothing is lost that should not be."""
    report = bench("datapath", tmp_path, "--datapath", "ebpf")
    costs = {"forward": "ebpf", "xdp": "xdp"}
    assert report["left_out"] == ([] if THREADS else list(costs))
    for part, datapath in costs.items() if THREADS else ():
        rows = report[part]["rows"]
        assert {row["packets"] for row in rows if row["datapath"] == datapath} == WAYS
        assert all(row["ns"] > 0 and row["ratio"] > 0 for row in rows)
    assert {(row["datapath"], row["way"]) for row in report["tcp"]} == {
        (name, way) for name in ("plain", "ebpf") for way in ("encapsulated", "decapsulated")}
    assert all(row["gbit_s"] > 0 for row in report["tcp"])
    assert report["load"]["uplinks"] == 2 and report["load"]["median_ms"] > 0


def test_teredo(tmp_path):
    """Packets cross, TCP carries what it was given, unknown clients are found, the engine takes its peers."""
    report = bench("teredo", tmp_path)
    relays = {"relayd", "miredo"}
    assert {row["relay"] for row in report["tcp"]} == {"plain"} | relays
    assert all(row["gbit_s"] > 0 for row in report["tcp"])
    assert {name for name, found in report["first"]["relays"].items() if found["ms"] > 0} == relays
    assert report["left_out"] == ([] if THREADS else ["cpu", "forward", "million"])
    if not THREADS:
        return
    assert {(row["relay"], row["packets"]) for row in report["cpu"]} == {
        (name, way) for name in {"plain", "xdp"} | relays for way in WAYS}
    assert all(row["ns"] > 0 for row in report["cpu"])
    assert {(row["datapath"], row["packets"]) for row in report["forward"]} == {("plain", "plain")} | {
        (name, way) for name in ("relayd", "xdp") for way in WAYS}
    assert report["million"]["memory"]["map"] > 0 and report["million"]["full"]["median_us"] > 0


def test_grpc(tmp_path):
    """FRR's module is built and loaded; clients commit with both servers, and nothing of relayd's is lost."""
    report = bench("grpc", tmp_path)
    assert {(row["server"], row["clients"]) for row in report["commits"]} == {
        (name, clients) for name in ("relayd", "frr") for clients in (1, 4)}
    for row in report["commits"] + report["beside"] + report["size"]["rows"]:
        assert row["commits"] > 0
        assert row["server"] != "relayd" or not row["lost"] + row["torn"] and not row["errors"], row
    vtysh = report["beside"][0]["vtysh"]
    assert vtysh["edits"] > 0 and not vtysh["lost"] and not vtysh["refused"] and not vtysh["missing"], vtysh
    assert all(row["gets_s"] > 0 and not row["errors"] for row in report["gets"] if row["server"] == "relayd")
    assert all(not row["errors"] for row in report["memory"])
    assert all(row["questions"] > 0 for row in report["latency"])
