# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: the main job from the first line to the last, and an end in the midst of it."""

import pathlib
import signal
import subprocess
import sys

import pytest

from lab import NS_DIR, PREFIX, wait_for
from teredo_lab import TEREDO
from topology import ANYCAST

DEMO = pathlib.Path(__file__).with_name("demo.py")
RELAYS = {"tokyo6to4": ANYCAST, "jpnap": (TEREDO,)}


class Demo:
    """scripts/demo, built already."""

    def __init__(self):
        self.proc = subprocess.Popen([sys.executable, "-B", str(DEMO)], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def namespaces(self):
        return list(NS_DIR.glob(f"{PREFIX}{self.proc.pid}x*"))

    def end(self, timeout):
        try:
            out, err = self.proc.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.proc.terminate()
            out, err = self.proc.communicate(timeout=60)
            pytest.fail(f"not done within {timeout} s:\n{out}{err}")
        return self.proc.returncode, out, err


@pytest.mark.both
def test_main_job():
    demo = Demo()
    code, out, err = demo.end(300)
    assert (code, err) == (0, ""), out + err
    assert not demo.namespaces()
    # each of both relays' ways: at first, with all mended, and after the new start
    assert out.count(": 3 of 3 answered") == 3 * 4, out
    for name, prefixes in RELAYS.items():
        assert f"ip link del {name}" in out
        for prefix in prefixes:
            assert out.count(f"  {prefix} withdrawn: BGP UPDATE at the neighbour after ") == 2
    assert "kill -9 of relayd" in out and "  all announced again " in out
    assert out.endswith("\nThe main job is done; the lab is gone.\n")


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended(sig):
    """By Ctrl-C, by whoever runs it, by a terminal that is gone: the lab goes with it, in one line."""
    demo = Demo()
    wait_for(demo.namespaces, 30, "the lab is being made")
    demo.proc.send_signal(sig)
    code, _, err = demo.end(60)
    assert (code, err) == (1, f"demo: ended by {sig.name}\n")
    assert not demo.namespaces()
