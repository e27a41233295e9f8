# SPDX-License-Identifier: GPL-2.0-or-later
"""bird, in a lab."""

import re
import socket

from lab import Timeout, wait_for


class Bird:
    """bird as the BGP neighbour, asked over its control socket."""

    def __init__(self, lab, ns, config, name="bird"):
        self.lab = lab
        self.ctl = lab.dir / f"{name}.ctl"
        self.conf = lab.dir / f"{name}.conf"
        self.conf.write_text(config)
        with open(lab.dir / f"{name}.err", "ab") as err:
            self.proc = lab.spawn(ns, "/usr/sbin/bird", "-f", "-c", self.conf, "-s", self.ctl, stdout=err,
                                  stderr=err)
        wait_for(lambda: self.ask("show status"), 30, "bird answers")

    def ask(self, line):
        """Lines of bird's answer, each "code text"; the code of a continued line is repeated."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(str(self.ctl))
            file = sock.makefile("rw")
            self.answer(file)
            file.write(line + "\n")
            file.flush()
            return self.answer(file)

    @staticmethod
    def answer(file):
        lines, code = [], "0000"
        for line in file:
            line = line.rstrip("\n")
            if re.match(r"\d{4}[ -]", line):
                code, last = line[:4], line[4] == " "
                lines.append(f"{code} {line[5:]}")
                if last and code[0] in "089":
                    return lines
            else:
                lines.append(f"{code} {line[1:]}")
        return lines

    def routes(self):
        """{prefix: number of routes} learned by BGP, in all tables."""
        found = {}
        for line in self.ask("show route table all where source = RTS_BGP"):
            match = re.match(r"1007 (\S+/\d+)\s", line)
            if match:
                last = match.group(1)
            if "unicast [" in line:
                found[last] = found.get(last, 0) + 1
        return found

    def established(self):
        """Names of the BGP sessions that are up."""
        return {line.split()[1] for line in self.ask("show protocols")
                if line.startswith("1002") and " BGP " in line and "Established" in line}

    def wait_routes(self, present=(), absent=(), timeout=60):
        def there():
            routes = self.routes()
            return set(present) <= set(routes) and not set(absent) & set(routes)

        try:
            wait_for(there, timeout, f"neighbour has {list(present)} and not {list(absent)}")
        except Timeout as err:
            raise Timeout(f"{err}; it has {self.routes()}") from None
