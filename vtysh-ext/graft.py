#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""graft.py SRC DST: copies FRR's vtysh sources from SRC to DST and adds the
few lines by which vtysh knows relayd.

Each line goes to an anchor: a short regular expression that must match exactly
once in its file.  Where it does not, the release differs from those that this
was written for, and one line names the file and the anchor.
"""

import pathlib
import re
import sys

FLAG = 0x40000000  # FRR hands out the bits from below; 31 is the int's sign


class GraftError(Exception):
    """An anchor that does not hold."""


class Anchor:
    """What to look for in a file, and what to add before or after it."""

    def __init__(self, name, file, regex, before="", after=""):
        self.name = name
        self.file = file
        self.regex = re.compile(regex, re.MULTILINE | re.DOTALL)
        self.before = before
        self.after = after

    def apply(self, text):
        found = list(self.regex.finditer(text))
        if len(found) != 1:
            raise GraftError(
                f"{self.file}: anchor '{self.name}' matches {len(found)} times, not once"
            )
        start, end = found[0].span()
        return text[:start] + self.before + text[start:end] + self.after + text[end:]


# VTYSH_ALL: what libfrr itself gives every daemon (log, line vty, password,
# debug northbound, the markers around a configuration file).  relayd has none
# of the interface, VRF, route-map, access-list and prefix-list commands, so it
# is in no other set.
ANCHORS = [
    Anchor("flag", "vtysh.h", r"^#define VTYSH_ALL[ \t]+",
           before=f"#define VTYSH_RELAYD 0x{FLAG:x}\n", after="VTYSH_RELAYD|"),
    Anchor("client table", "vtysh.c", r"^struct vtysh_client vtysh_client\[\] = \{[^;]*,\n(?=\};)",
           after='\t{.name = "relayd", .flag = VTYSH_RELAYD},\n'),
    Anchor("node defaults", "vtysh.c", r"\Z",
           after="\n#include \"vtysh_relay.h\"\n"
                 "void vtysh_relay_node_defaults(enum node_type node)\n{\n"
                 "\tvtysh_install_default(node);\n"
                 "\t_install_element(node, &vtysh_end_all_cmd);\n}\n"),
    Anchor("headers", "vtysh_config.c", r'^#include "vtysh/vtysh\.h"\n',
           after='#include "vtysh_relay.h"\n'),
    Anchor("config order", "vtysh_config.c",
           r'^\t\telse if \(strncmp\(line, "rpki",',
           before="\t\telse if (vtysh_relay_config_index(line))\n"
                  "\t\t\tconfig = config_get(vtysh_relay_config_index(line), line);\n"),
    Anchor("headers", "vtysh_main.c", r'^#include "vtysh/vtysh\.h"\n',
           after='#include "vtysh_relay.h"\n'),
    # since FRR 10 the first calls the second
    Anchor("commands", "vtysh_main.c", r"^\tvtysh_init_vty\(\);\n(?:\tvtysh_init_cmd\(\);\n)?",
           after="\tvtysh_relay_init();\n"),
]

# What our lines rely on being there, or on not being there.
PRESENT = [
    ("install_default", "vtysh.c", r"^static void vtysh_install_default\(enum node_type node\)"),
    ("end", "vtysh.c", r"vtysh_end_all_cmd, \"end\""),
    ("commands", "vtysh_main.c", r"^\tvtysh_init_vty\(\);\n\tvtysh_(init_cmd|user_init)\(\);\n"),
]
ABSENT = [
    ("relayd", "vtysh.h", r"RELAYD"),
    ("config slots taken", "vtysh_config.c", r"config_get\(SRV6_LOCS?_NODE"),
    ("config lines taken", "vtysh_config.c", r"strncmp\(line, \"(track|relay)"),
]


# the same number as in the declaration, where that has one: since FRR 10
TABLE_SIZE = re.compile(r"^(extern struct vtysh_client vtysh_client\[)(\d+)(\];)$", re.MULTILINE)


def enlarge_table(texts):
    texts["vtysh.h"] = TABLE_SIZE.sub(lambda m: f"{m[1]}{int(m[2]) + 1}{m[3]}", texts["vtysh.h"])
    table = re.search(r"^struct vtysh_client vtysh_client\[\] = \{[^;]*\};", texts["vtysh.c"], re.MULTILINE)
    # an entry too many would only be warned of
    texts["vtysh.c"] += (f"\n_Static_assert(array_size(vtysh_client) == {table[0].count('.name = ')},\n"
                         "\t       \"the table of daemons is declared elsewhere as well\");\n")


def check_flag(header):
    for name, value in re.findall(r"^#define (VTYSH_\w+)\s+(0x[0-9a-fA-F]+)\s*$", header, re.M):
        if int(value, 16) & FLAG:
            raise GraftError(f"vtysh.h: anchor 'flag': bit 0x{FLAG:x} is {name}'s")


def graft(src, dst):
    texts = {p.name: p.read_text(encoding="utf-8") for p in sorted(src.iterdir())
             if re.fullmatch(r"vtysh\w*\.[ch]", p.name)
             and p.name not in ("vtysh_cmd.c", "vtysh_clippy.c", "vtysh_daemons.h")}
    rules = [(a.file, a.name) for a in ANCHORS] + [(f, n) for n, f, _ in PRESENT + ABSENT]
    for file, name in rules:
        if file not in texts:
            raise GraftError(f"{file}: no such file (anchor '{name}')")
    for name, file, regex in PRESENT:
        if not re.search(regex, texts[file], re.M):
            raise GraftError(f"{file}: '{name}' is not there")
    for name, file, regex in ABSENT:
        if re.search(regex, texts[file], re.M):
            raise GraftError(f"{file}: '{name}' is there already")
    check_flag(texts["vtysh.h"])
    for anchor in ANCHORS:
        texts[anchor.file] = anchor.apply(texts[anchor.file])
    enlarge_table(texts)
    for name, text in texts.items():
        (dst / name).write_text(text, encoding="utf-8")


def main(argv):
    if len(argv) != 3:
        print("usage: graft.py SRC DST", file=sys.stderr)
        return 2
    try:
        graft(pathlib.Path(argv[1]), pathlib.Path(argv[2]))
    except (GraftError, OSError, UnicodeDecodeError) as err:
        print(f"graft.py: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
