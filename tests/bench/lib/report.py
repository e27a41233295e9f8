# SPDX-License-Identifier: GPL-2.0-or-later
"""What a benchmark says in the end, and keeps."""

import json
import pathlib
import platform
import re


def save(report, path):
    """Parts that were not run this time keep their former results. path None: nowhere."""
    if path:
        old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.write_text(json.dumps({**old, **report}, indent=1) + "\n", encoding="utf-8")


def conclude(report, missed, path):
    """Says which figures were missed, and keeps the report. Returns the exit code."""
    report["missed"] = missed
    for line in missed:
        print(f"missed: {line}")
    save(report, path)
    return 1 if missed else 0


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return f"{model.group(1) if model else platform.machine()}, kernel {platform.release()}"
