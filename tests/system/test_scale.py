# SPDX-License-Identifier: GPL-2.0-or-later
"""200 relays and 1000 tracked objects from a file.

The bounds are those of a host; an emulated processor is measured against a
loop of its own first, and given as much more time as it is slower.
"""

import os
import time

import pytest

from lab import wait_for

RELAYS, TRACKS = 200, 1000
LOAD_S, SHOW_S, IDLE, RSS_MB = 5.0, 0.1, 0.01, 40

# the time that a present-day processor takes for calibrate()
REFERENCE_S = 0.06


def calibrate():
    """Seconds for a fixed piece of work."""
    best = 9e9
    for _ in range(3):
        began = time.perf_counter()
        total = 0
        for n in range(1_000_000):
            total += n
        best = min(best, time.perf_counter() - began)
    return best


def configuration(relays=RELAYS, tracks=TRACKS, enabled=True):
    """As `show running-config` would write it: every kind of track, a tenth of them lists."""
    lines = []
    for n in range(1, tracks + 1):
        kind = n % 10
        if kind == 0:
            lines += [f"track {n} list boolean and", *[f" object {n - i}" for i in (1, 2, 3)]]
        elif kind < 4:
            lines += [f"track {n} interface {'eth0' if kind < 3 else 'eth1'} line-protocol", " delay up 1 down 1"]
        elif kind < 7:
            lines += [f"track {n} ip route 10.0.{n % 2}.0/24 reachability"]
        elif kind < 9:
            lines += [f"track {n} ipv6 route 2001:db8:{n % 2}::/64 reachability"]
        else:
            lines += [f"track {n} icmp-echo 10.0.0.2", " frequency 60000"]
        lines.append("exit")
    for n in range(relays):
        lines += [f"relay scale{n}", " tunnel mode ipv6ip 6to4", f" tunnel source 198.18.{n // 250}.{n % 250 + 1}",
                  f" ipv6 address 2001:db8:5ca1:{n:x}::1/128", f" route 198.19.{n}.0/24 tag {n + 1}",
                  f" route 2002:c613:{n:x}::/48 track {n * 5 + 1}", f" track {n * 5 + 2}", " drain-time 0",
                  *([" no shutdown"] if enabled else []), "exit"]
    return lines


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid):
    status = open(f"/proc/{pid}/status", encoding="ascii").read()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def measure(router, record_property, slower, settled):
    lines = configuration()
    began = time.monotonic()
    run = router.boot("\n".join(lines) + "\n")
    load = time.monotonic() - began
    assert run.returncode == 0 and not run.stdout + run.stderr, run.stdout[-2000:] + run.stderr[-2000:]
    assert len(router.relay_json()) == RELAYS and len(router.track_json()) == TRACKS
    wait_for(settled, 120 * slower, "everything has settled")
    shows = []
    for _ in range(5):
        began = time.monotonic()
        router.ask("relayd", "show relay json")
        shows.append(time.monotonic() - began)
    pid = router.procs["relayd"].pid
    time.sleep(2)
    busy, began = cpu_seconds(pid), time.monotonic()
    time.sleep(10)
    idle = (cpu_seconds(pid) - busy) / (time.monotonic() - began)
    figures = {"load_s": load, "show_s": min(shows), "idle_core": idle, "rss_mb": rss_mb(pid), "slower": slower}
    for key, value in figures.items():
        record_property(key, round(value, 4))
    print(" ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    return figures


def slowness():
    return max(1.0, calibrate() / REFERENCE_S)


def judge(figures):
    slower = figures["slower"]
    assert figures["load_s"] < LOAD_S * slower
    assert figures["show_s"] < SHOW_S * slower
    assert figures["idle_core"] < IDLE * slower
    assert figures["rss_mb"] < RSS_MB


@pytest.mark.nosit
def test_scale_without_sit(rl, record_property):
    """All that is relayd's own: configuration, tracks, retries of what the kernel refuses."""
    def settled():
        return all(r["reason"] == "datapath-error" for r in rl.relay_json().values()) and \
            all(t["state"] == "up" for t in rl.track_json().values())

    judge(measure(rl, record_property, slowness(), settled))


@pytest.mark.sit
def test_scale_with_sit(rl, record_property):
    """With the tunnels, addresses, self-tests and routes."""
    def settled():
        return all(r["operStatus"] == "up" and all(x["installed"] for x in r["routes"])
                   for r in rl.relay_json().values())

    judge(measure(rl, record_property, slowness(), settled))
