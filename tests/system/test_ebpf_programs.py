# SPDX-License-Identifier: GPL-2.0-or-later
"""The unit tests of the eBPF programs on the other kernel: the oldest that takes them, Debian 12's, in the small VM."""

import os
import subprocess

import pytest

from lab import BUILD, REPO

PROGRAMS = sorted(path.stem.removeprefix("test_bpf_") for path in (REPO / "tests/unit").glob("test_bpf_*.c"))


@pytest.mark.sit
@pytest.mark.parametrize("name", PROGRAMS)
def test_on_this_kernel(name):
    """The verifier takes the programs, and packets come out as elsewhere."""
    path = BUILD / "tests" / "unit" / f"test_bpf_{name}"
    assert path.exists(), f"{path}: make check first"
    run = subprocess.run([path], env={**os.environ, "srcdir": str(REPO)}, capture_output=True, text=True, timeout=300,
                         check=False)
    assert run.returncode == 0, run.stdout + run.stderr
