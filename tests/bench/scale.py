# SPDX-License-Identifier: GPL-2.0-or-later
"""200 relays and 1000 tracked objects: time to load them, to show them, what they take in idleness.

    scripts/bench scale [--datapath sit|ebpf] [--json FILE]
"""

import argparse
import json
import pathlib
import platform
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import test_scale  # noqa: E402
from conftest import Box  # noqa: E402
from lab import host_has_sit  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datapath", choices=("sit", "ebpf"), help="default: sit where the kernel has it, else ebpf")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()

    test_scale.RELAYS, test_scale.TRACKS = 200, 1000
    datapath = args.datapath or ("sit" if host_has_sit() else "ebpf")
    with Box() as box:
        router = box.build().relay
        router.start("relayd")
        figures = test_scale.measure(router, datapath, lambda: test_scale.all_serve(router))
    print(f"{figures['relays']} relays by {datapath}, {figures['tracks']} tracked objects")
    print(f"load from a file    {figures['load_s']:8.2f} s")
    print(f"show relay json     {figures['show_s'] * 1000:8.1f} ms")
    print(f"idle                {figures['idle_core'] * 100:8.2f} % of a core; a process that pings "
          f"{int(figures['relays'] * test_scale.SELF_TESTS)} times a second: {figures['pinger_core'] * 100:.2f} %")
    print(f"resident            {figures['rss_mb']:8.1f} MB")
    if figures["slower"] > 1:
        print(f"the processor is emulated, {figures['slower']:.1f} times slower than a present one")
    if args.json:
        args.json.write_text(json.dumps({"kernel": platform.release(), **figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
