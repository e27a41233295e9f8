#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""relay_commands.py -o OUT -d DIR -- PREPROCESSOR...: relayd's commands for vtysh.

Preprocesses every C file of DIR that defines commands, as FRR's extract.pl
does, and writes a C file that installs them in vtysh:

  - a command for relayd as DEFSH: vtysh parses the line and sends it on;
  - a _NOSH command of CONFIG_NODE as DEFUNSH: vtysh enters a node with it too,
    the one that NODES gives for its first word;
  - other _NOSH commands not at all.

Whatever it can't read is an error: a command must not be lost in silence.
OUT is rewritten only if it changes.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

NODES = {"track": "RELAY_TRACK_NODE", "relay": "RELAY_NODE"}

PLAIN = {f"{base}{yang}" for base in ("DEFUN", "DEFPY", "ALIAS") for yang in ("", "_YANG")}
HIDDEN = {"DEFUN_HIDDEN", "DEFPY_HIDDEN", "ALIAS_HIDDEN"}
NOSH = {"DEFUN_NOSH", "DEFPY_NOSH", "DEFUN_YANG_NOSH", "DEFPY_YANG_NOSH"}

MACRO = re.compile(r"\b((?:DEFUN|DEFPY|ALIAS)(?:_[A-Z_]+)?)\s*\(")
INSTALL = re.compile(r"\b_?install_element\s*\(")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


class ExtractError(Exception):
    """A command that can't be read."""


def arguments(text, start, what):
    """The arguments of a call whose opening parenthesis is right before start."""
    args, depth, begin, pos = [], 0, start, start
    while pos < len(text):
        char = text[pos]
        if char == '"':
            match = STRING.match(text, pos)
            if not match:
                break
            pos = match.end()
            continue
        if char in "([{":
            depth += 1
        elif char in ")]}":
            if depth == 0:
                args.append(text[begin:pos].strip())
                return args
            depth -= 1
        elif char == "," and depth == 0:
            args.append(text[begin:pos].strip())
            begin = pos + 1
        pos += 1
    raise ExtractError(f"{what}: no closing parenthesis")


def literal(arg, what):
    """A C expression that must be string literals side by side: what it says."""
    rest = " ".join(STRING.sub("", arg).split())
    if not arg or rest:
        raise ExtractError(f"{what}: not a plain string: {rest or 'empty'} (a header missing?)")
    return "".join(s[1:-1] for s in STRING.findall(arg))


class Commands:
    """All commands that relayd's sources define and install."""

    def __init__(self):
        self.defined = {}
        self.installed = []

    def read(self, file, text):
        for match in MACRO.finditer(text):
            macro = match.group(1)
            args = arguments(text, match.end(), f"{file}: {macro}")
            what = f"{file}: {macro} {args[1] if len(args) > 1 else ''}"
            if macro not in PLAIN | HIDDEN | NOSH:
                raise ExtractError(f"{what}: this kind of command is not known here")
            if len(args) != 4:
                raise ExtractError(f"{what}: {len(args)} arguments, not 4")
            if args[1] in self.defined:
                raise ExtractError(f"{what}: defined twice")
            self.defined[args[1]] = (macro, literal(args[2], what), literal(args[3], what), what)
        for match in INSTALL.finditer(text):
            args = arguments(text, match.end(), f"{file}: install_element")
            if len(args) != 2 or not args[1].startswith("&"):
                # libfrr's own declaration, and nothing else
                if len(args) == 2 and args[0].startswith("enum node_type"):
                    continue
                raise ExtractError(f"{file}: install_element({', '.join(args)}): not understood")
            self.installed.append((file, args[0], args[1].lstrip("& ")))

    def write(self):
        elements, installs, seen, entered = {}, [], {}, set()
        for file, node, name in self.installed:
            if name not in self.defined:
                raise ExtractError(f"{file}: {name} is installed, but nowhere defined")
            macro, string, help_text, what = self.defined[name]
            words = string.split()
            if macro in NOSH and node != "CONFIG_NODE":
                elements.setdefault(name, "")
                continue
            if macro not in NOSH and words[:2] == ["show", "debugging"]:
                raise ExtractError(f"{what}: vtysh has it: use DEFUN_NOSH \"show debugging [relay]\"")
            key = (node, " ".join(words))
            if key in seen:
                raise ExtractError(f"{what}: same line in the same node as {seen[key]}")
            seen[key] = name
            vname = f"{name}_vtysh"
            if macro in NOSH:
                if words[0] not in NODES:
                    raise ExtractError(f"{what}: no node is known for '{words[0]} ...'")
                entered.add(words[0])
                elements[name] = (
                    f'DEFUNSH(VTYSH_RELAYD, {vname}_enter, {vname},\n\t"{string}",\n\t"{help_text}")\n'
                    f"{{\n\tvty->node = {NODES[words[0]]};\n\treturn CMD_SUCCESS;\n}}\n")
            else:
                sh = "DEFSH_HIDDEN" if macro in HIDDEN else "DEFSH"
                elements[name] = f'{sh}(VTYSH_RELAYD, {vname},\n\t"{string}",\n\t"{help_text}")\n'
            installs.append(f"\tinstall_element({node}, &{vname});\n")
        for name, (_, _, _, what) in self.defined.items():
            if name not in elements:
                raise ExtractError(f"{what}: defined, but installed in no node")
        for word, node in NODES.items():
            if self.defined and word not in entered:
                raise ExtractError(f"no _NOSH command '{word} ...' of CONFIG_NODE enters {node}")
        return "\n".join(
            ["/* Generated by relay_commands.py. */\n#include <zebra.h>\n",
             '#include "command.h"\n#include "vtysh/vtysh.h"\n',
             '#include "frrd-relay/relay_nodes.h"\n#include "vtysh_relay.h"\n']
            + [e for e in elements.values() if e]
            + ["void vtysh_relay_init_cmd(void)\n{\n" + "".join(installs) + "}\n"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", dest="out", type=pathlib.Path, required=True)
    parser.add_argument("-d", dest="dir", type=pathlib.Path, required=True)
    parser.add_argument("preprocessor", nargs="+")
    opts = parser.parse_args()

    def preprocess(path):
        run = subprocess.run(opts.preprocessor + [str(path)], capture_output=True, text=True)
        if run.returncode:
            raise ExtractError(f"{path.name} can't be preprocessed:\n{run.stderr.rstrip()}")
        return run.stdout

    files = [p for p in sorted(opts.dir.glob("*.c"))
             if MACRO.search(p.read_text(encoding="utf-8")) and not p.name.endswith("_clippy.c")]
    commands = Commands()
    try:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, text in zip(files, pool.map(preprocess, files)):
                commands.read(path.name, text)
        code = commands.write()
    except ExtractError as err:
        print(f"relay_commands.py: {err}", file=sys.stderr)
        return 1
    if not opts.out.exists() or opts.out.read_text(encoding="utf-8") != code:
        opts.out.write_text(code, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
