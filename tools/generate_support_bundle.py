#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""FRR's generate_support_bundle.py, with relayd's commands.

FRR's own script is beside it by dpkg-divert (.frr-stock). It reads the commands
of all daemons from one file of FRR's, or the one that -c names: that file, with
relayd's commands after it, is what it gets here.
"""

import os
import subprocess
import sys
import tempfile

STOCK = os.path.abspath(__file__) + ".frr-stock"
FRRS = "/etc/frr/support_bundle_commands.conf"
RELAYDS = os.environ.get("FRR_RELAY_SUPPORT_COMMANDS", "/usr/share/frr-relay/support_bundle_commands.conf")


def main():
    args = sys.argv[1:]
    if not os.path.exists(STOCK):
        sys.exit("The frr-pythontools package is required for support bundles.")
    # another file was asked for, or help
    if any(arg.startswith(("-c", "--c", "-h", "--h")) for arg in args):
        os.execv(STOCK, [STOCK, *args])
    with tempfile.NamedTemporaryFile("w", prefix="support_bundle_commands.") as both:
        for name in (FRRS, RELAYDS):
            try:
                with open(name, encoding="utf-8") as file:
                    both.write(file.read() + "\n")
            except OSError as err:
                print(err, file=sys.stderr)
        both.flush()
        sys.exit(subprocess.call([STOCK, "-c", both.name, *args]))


if __name__ == "__main__":
    main()
