# SPDX-License-Identifier: GPL-2.0-or-later
"""How often each kind of check withdraws for nothing, on a path that works but for jitter and 1 % loss.

    scripts/bench jitter [--hours N] [--seed N] [--json FILE]

tests/bench/jitter.c does it in fast-forward, an hour after the other; the model
and the rules are described there.
"""

import argparse
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from lab import BUILD  # noqa: E402

SETTINGS = {
    "relayd": "icmp-echo: 1 s, timeout 500 ms, probes up 1 down 3 (its own code)",
    "relayd, timeout 1000": "the same, as patient as the ping of the others",
    "exabgp": "interval 5, fast-interval 1, rise 3, fall 3, ping -W 1",
    "exabgp fast": "interval 0.1, rise 1, fall 1, ping -W 1",
    "bird+script": "1 s between checks, one failure is down, ping -W 1",
    "keepalived": "interval 1, fall 3, rise 1, ping -W 1",
    "BFD 50 ms x 3": "whoever's: 3 packets in a row, or 150 ms of silence",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()

    run = subprocess.run([BUILD / "tests/bench/jitter", str(args.hours), str(args.seed)], text=True, check=True,
                         stdout=subprocess.PIPE)
    found = {}
    for line in run.stdout.splitlines():
        loss, name, _, _, per_hour = line.split("\t")
        found.setdefault(name, {})[loss] = float(per_hour)
    print(f"withdrawals for nothing in an hour, average of {args.hours}; seed {args.seed}")
    print(f"{'loss of 1 %:':22} {'independent':>11} {'in outages':>11}")
    for name, rates in found.items():
        print(f"{name:22} {rates['independent']:11.3f} {rates['outages']:11.3f}   {SETTINGS[name]}")
    if args.json:
        args.json.write_text(json.dumps({"hours": args.hours, "seed": args.seed, "per_hour": found}, indent=1) + "\n",
                             encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
