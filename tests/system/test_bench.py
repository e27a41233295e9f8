# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark of the datapaths still works; what it finds is of no interest here."""

import json
import subprocess

from lab import REPO

DATAPATH = REPO / "tests" / "bench" / "datapath.py"
WAYS = {"encapsulate", "decapsulate"}


def test_datapath(tmp_path):
    """Each part, in seconds: packets cross and are counted, and nothing is lost that should not be."""
    file = tmp_path / "datapath.json"
    run = subprocess.run(["/usr/bin/python3", "-B", DATAPATH, "--quick", "--datapath", "ebpf", "--json", file],
                         capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(file.read_text())
    for part, datapath in (("forward", "ebpf"), ("xdp", "xdp")):
        rows = report[part]["rows"]
        assert {row["packets"] for row in rows if row["datapath"] == datapath} == WAYS
        assert all(row["ns"] > 0 and row["ratio"] > 0 for row in rows)
    assert {(row["datapath"], row["way"]) for row in report["tcp"]} == {
        (name, way) for name in ("plain", "ebpf") for way in ("encapsulated", "decapsulated")}
    assert all(row["gbit_s"] > 0 for row in report["tcp"])
    assert report["load"]["uplinks"] == 2 and report["load"]["median_ms"] > 0
