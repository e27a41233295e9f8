# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuration files: bad lines, references, the longest values."""

from lab import the_line
from test_validation import BASE


def test_a_file_with_a_bad_line(rl):
    """`vtysh -b`: the bad line is refused and named, the others hold."""
    text = BASE.replace(" tunnel source 192.88.99.2\n", " tunnel source 224.0.0.1\n drain-time 7\n")
    run = rl.boot(text)
    assert "224.0.0.1" in run.stdout + run.stderr
    assert rl.running() == BASE.replace(" tunnel source 192.88.99.2\n", " drain-time 7\n").splitlines()


def test_a_list_may_have_a_later_number_as_member(rl):
    """What an operator may type in this order, a file must be able to hold as well."""
    rl.configure("track 7 interface eth0 line-protocol", "exit", "track 6 list boolean and", "object 7", "exit",
                 "track 5 list boolean or", "object 6")
    written = rl.running()
    assert rl.stop("relayd") == 0
    rl.start("relayd", config="\n".join(written))
    assert rl.running() == written
    assert rl.stop("relayd") == 0
    rl.start("relayd")
    run = rl.boot("\n".join(written) + "\n")
    assert run.returncode == 0, run.stdout + run.stderr
    assert rl.running() == written


def test_long_values(rl):
    """The longest that fits is taken, one more is not."""
    rl.configure("relay fifteen-letters", "description " + "x" * 255, "tunnel interface fifteen-lettersx"[:-1])
    assert " description " + "x" * 255 in rl.running()
    line = the_line(rl.vtysh_configure("relay fifteen-letters", "description " + "x" * 256))
    assert "description" in line
    rl.configure("relay fifteen-letters", *[f"ipv6 address 2001:db8:{n:x}::1/64" for n in range(16)])
    the_line(rl.vtysh_configure("relay fifteen-letters", "ipv6 address 2001:db8:ff::1/64"))
    rl.configure("relay fifteen-letters", *[f"route 10.{n}.0.0/16" for n in range(32)])
    the_line(rl.vtysh_configure("relay fifteen-letters", "route 10.99.0.0/16"))
    rl.configure(*[line for n in range(1, 66) for line in (f"track {n} interface eth0 line-protocol", "exit")],
                 "track 100 list boolean or", *[f"object {n}" for n in range(1, 65)])
    the_line(rl.vtysh_configure("track 100 list boolean or", "object 65"))
