#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""FRR's frr-reload.py, which also knows the blocks of relayd.

It stands in the place of FRR's own script, which is beside it by dpkg-divert
(frr-reload.py.frr-stock), reads that one, and runs it with the same arguments
and these additions:

- `track` and `relay` open blocks, `relay graceful-restart` does not;
- what is between two configurations of relayd is worked out here: a value that
  changes is set and not taken away first, so that no relay is withdrawn for it;
  relays go before others come, which may have their interface or their source;
  objects come before those that use them, and go after them;
- `--daemon relayd`.

None of FRR's lines is here. Where its script has no place for one of these any
more, it runs as it is, and one line says so.
"""

import ast
import os
import sys

STOCK = os.path.abspath(__file__) + ".frr-stock"
# the package is on its way out, and wants watchfrr to be restarted, no more
LEAVING = "/run/frr-relay.leaving"


# ------------------------------------------------- differences of relayd's blocks

RESTART = "relay graceful-restart "


def ours(key):
    """Is it a block of relayd's?"""
    return key.startswith(("track ", "relay "))


def with_exits(lines):
    """A block of one line ends where it begins."""
    for line in lines:
        yield line
        if line.startswith(RESTART):
            yield "exit"


def slot(line):
    """What a line sets: of two lines with the same slot the later one holds."""
    words = line.split()
    if words[0] == "no":
        words = words[1:]
    if words[0] in ("route", "object"):
        return tuple(words[:2])
    if words[:2] in (["ipv6", "address"], ["filter", "permit"], ["filter", "deny"], ["tunnel", "uplink"]):
        return tuple(words)
    if words[0] in ("tunnel", "ipv6", "peers", "filter"):
        return tuple(words[:2])
    return (words[0],)


def whole(key, line):
    """`delay` and `probes` of an object with both of their values, as they are shown."""
    words = line.split()
    if not key.startswith("track ") or words[0] not in ("delay", "probes"):
        return line
    values = dict(zip(words[1::2], words[2::2]))
    up, down = ("0", "0") if words[0] == "delay" else ("1", "3")
    return f"{words[0]} up {values.get('up', up)} down {values.get('down', down)}"


class Blocks:
    """relayd's part of a configuration: first lines of blocks, with the lines in them."""

    def __init__(self, contexts):
        self.restart = None
        self.tracks, self.relays = {}, {}
        for keys, context in contexts.items():
            key = keys[0]
            if not ours(key):
                continue
            lines = [whole(key, line) for line in context.lines if line != "!"]
            if key.startswith(RESTART):
                self.restart = key
            elif key.startswith("relay "):
                self.relays.setdefault(key, []).extend(lines)
            else:
                number = key.split()[1]
                header, old = self.tracks.get(number, (key, []))
                # `track N` alone enters an object that is there
                self.tracks[number] = (key if len(key.split()) > 2 else header, old + lines)

    def members(self, number):
        """Numbers of the objects in a list."""
        return {line.split()[1] for line in self.tracks[number][1] if line.startswith("object ")}


def kind(header):
    """Of the first line of an object."""
    return header.split()[2:3]


def without_track(line):
    """A `route` line that depends on nothing."""
    words = line.split()
    at = words.index("track")
    return " ".join(words[:at] + words[at + 2:])


def difference(new, old):
    """(what to add, what to delete) between two Blocks, as FRR's script has it:
    pairs of a block and a line, or None for the block itself. Deletions come first."""
    add, delete = [], []
    retyped = {number for number, (header, _) in new.tracks.items()
               if number in old.tracks and kind(header) != kind(old.tracks[number][0])}

    # relays and their lines that go
    for key in old.relays:
        if key not in new.relays:
            delete.append(((key,), None))
    released = {}
    for key, lines in old.relays.items():
        if key not in new.relays:
            continue
        kept = {slot(line) for line in new.relays[key]}
        gone = [line for line in lines if slot(line) not in kept]
        gone.sort(key=lambda line: line != "no shutdown")
        delete += [((key,), line) for line in gone]
        # an object of another kind is another object: nobody may hold on to the old one
        for line in lines:
            words = line.split()
            if line in gone or "track" not in words or words[words.index("track") + 1] not in retyped:
                continue
            released.setdefault(key, set()).add(line)
            # as a deletion, `no X` is typed as X
            delete.append(((key,), line if words[0] == "track" else "no " + without_track(line)))

    # lines of objects that go
    for number, (header, lines) in old.tracks.items():
        if number not in new.tracks:
            continue
        kept = set() if number in retyped else {slot(line) for line in new.tracks[number][1]}
        for line in lines:
            if slot(line) not in kept:
                delete.append(((header,), line))
            elif line.split()[0] == "object" and line.split()[1] in retyped:
                released.setdefault(header, set()).add(line)
                delete.append(((header,), line))
    delete += [((old.tracks[number][0],), None) for number in sorted(retyped)]

    # objects, all of them before a list names one
    for number, (header, lines) in new.tracks.items():
        if number not in old.tracks or old.tracks[number][0] != header:
            add.append(((header,), None))
    for number, (header, lines) in new.tracks.items():
        was = set()
        if number in old.tracks and number not in retyped:
            was = set(old.tracks[number][1]) - released.get(old.tracks[number][0], set())
        add += [((header,), line) for line in lines if line not in was]
    for key, lines in new.relays.items():
        if key not in old.relays:
            add.append(((key,), None))
        was = set(old.relays.get(key, ())) - released.get(key, set())
        add += [((key,), line) for line in lines if line not in was]

    # objects that go, now that no line names them: those that have members first
    going = {number: old.members(number) for number in old.tracks if number not in new.tracks}
    while going:
        free = [number for number in going if not any(number in members for members in going.values())]
        for number in free or list(going):
            add.append((("no " + old.tracks[number][0],), None))
            del going[number]

    # the space before it keeps FRR's script from taking it for the first line of a block
    if new.restart and new.restart != old.restart:
        add.append(((" " + new.restart,), None))
    if old.restart and not new.restart:
        delete.append(((" " + old.restart,), None))
    return add, delete


def with_relayd(compare):
    """Decorator of the function that compares two configurations."""

    def compare_all(newconf, running):
        add, delete = compare(newconf, running)
        if "--test" in sys.argv or "--test-reset" in sys.argv:
            return add, delete  # for reading only
        our_add, our_delete = difference(Blocks(newconf.contexts), Blocks(running.contexts))
        add = [pair for pair in add if not ours(pair[0][0])] + our_add
        delete = our_delete + [pair for pair in delete if not ours(pair[0][0])]
        return add, delete

    return compare_all


# ------------------------------------------------------------------ FRR's script

class NoPlace(Exception):
    """FRR's script is not as it was."""


def only(found, what):
    if len(found) != 1:
        raise NoPlace(what)
    return found[0]


def is_name(node, name):
    return isinstance(node, ast.Name) and node.id == name


def extend(tree):
    """Puts the additions into the syntax tree."""
    nodes = list(ast.walk(tree))

    keywords = only([node for node in nodes if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and
                     len(node.targets) == 1 and is_name(node.targets[0], "ctx_keywords")], "ctx_keywords").value
    for word in ("track ", "relay "):
        keywords.keys.append(ast.Constant(word))
        keywords.values.append(ast.Dict([], []))

    functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    load = functions.get("load_contexts")
    loop = only([node for node in ast.walk(load) if isinstance(node, ast.For) and
                 isinstance(node.iter, ast.Attribute) and node.iter.attr == "lines" and
                 is_name(node.iter.value, "self")] if load else [], "load_contexts()")
    loop.iter = ast.Call(ast.Name("relayd_with_exits", ast.Load()), [loop.iter], [])

    compare = functions.get("compare_context_objects")
    if not compare or [arg.arg for arg in compare.args.args] != ["newconf", "running"]:
        raise NoPlace("compare_context_objects()")
    compare.decorator_list.append(ast.Name("relayd_compare", ast.Load()))

    # not worth a word where it is gone
    for node in nodes:
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotIn) and \
                isinstance(node.left, ast.Attribute) and node.left.attr == "daemon" and \
                isinstance(node.comparators[0], ast.List):
            node.comparators[0].elts.append(ast.Constant("relayd"))
    return ast.fix_missing_locations(tree)


def main():
    if os.path.exists(LEAVING):
        print("frr-relay is being removed: the configuration is left alone")
        return
    try:
        with open(STOCK, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        sys.exit("The frr-pythontools package is required for reload functionality.")
    try:
        code = compile(extend(ast.parse(text, STOCK)), STOCK, "exec")
    except NoPlace as what:
        print(f"frr-relay: {STOCK} has no {what} as it was, so it runs without relayd's blocks: "
              "frr-relay must be built for this FRR", file=sys.stderr)
        code = compile(text, STOCK, "exec")
    names = {"__name__": "__main__", "__file__": STOCK, "__builtins__": __builtins__,
             "relayd_with_exits": with_exits, "relayd_compare": with_relayd}
    exec(code, names)  # pylint: disable=exec-used


if __name__ == "__main__":
    main()
