# SPDX-License-Identifier: GPL-2.0-or-later
"""What can't work is refused at once: one `% ...` line that names the cause, and nothing has changed."""

import re
import time

import pytest

from lab import kernel_state, state_diff, the_line, wait_for

pytestmark = pytest.mark.xdist_group("validation")

# what stands before each refused line
BASE = """\
track 1 interface eth0 line-protocol
exit
track 2 interface eth1 line-protocol
exit
track 3 interface eth1 line-protocol
exit
track 10 list boolean or
 object 2
exit
track 11 list boolean and
 object 1
 object 10 not
exit
relay a
 tunnel mode ipv6ip 6to4
 tunnel interface tun-a
 tunnel source 192.88.99.1
 route 192.88.99.0/24 track 3
 route 2002::/16
 track 11
exit
relay b
 tunnel source 192.88.99.2
exit
"""

MODE = "tunnel mode ipv6ip 6to4"
TEREDO = "tunnel mode teredo"

# (lines, what the one line must say); the last line is the one refused
REFUSED = [
    # tracked objects that are not there
    (["relay a", "track 999"], r"999"),
    (["relay a", "route 192.0.2.0/24 track 998"], r"998"),
    (["track 11 list boolean and", "object 997"], r"997"),
    (["track 77"], r"77"),
    # used ones can't go: the user is named
    (["no track 11"], r"\brelay a\b"),
    (["no track 3"], r"192\.88\.99\.0/24|\brelay a\b"),
    (["no track 1"], r"\btrack 11\b"),
    (["no track 10"], r"\btrack 11\b"),
    (["no track 500"], r"500"),
    # another type
    (["track 1 icmp-echo 192.0.2.1"], r"remove"),
    (["track 1 ip route 0.0.0.0/0 reachability"], r"remove"),
    (["track 10 interface eth0 line-protocol"], r"remove"),
    # cycles
    (["track 10 list boolean or", "object 10"], r"10"),
    (["track 10 list boolean or", "object 11"], r"1[01]"),
    (["track 10 list boolean or", "object 11 not"], r"1[01]"),
    # lines of another type
    (["track 1 interface eth0 line-protocol", "object 2"], r"list|interface"),
    (["track 1 interface eth0 line-protocol", "frequency 500"], r"icmp-echo"),
    (["track 1 interface eth0 line-protocol", "probes up 2"], r"icmp-echo"),
    (["track 10 list boolean or", "timeout 500"], r"icmp-echo"),
    # targets
    (["track 20 icmp-echo 224.0.0.1"], r"224\.0\.0\.1"),
    (["track 20 icmp-echo ff02::1"], r"ff02::1"),
    (["track 20 icmp-echo fe80::1"], r"source-interface"),
    (["track 20 icmp-echo 192.0.2.1 source-address 2001:db8::1"], r"famil"),
    (["track 20 interface this-name-is-too-long line-protocol"], r"this-name-is-too-long"),
    # ranges
    (["track 0 interface eth0 line-protocol"], None),
    (["track 1001 interface eth0 line-protocol"], None),
    (["track 1 interface eth0 line-protocol", "delay up 181"], None),
    (["track 1 interface eth0 line-protocol", "delay down 181"], None),
    (["relay a", "tunnel ttl 0"], None),
    (["relay a", "tunnel ttl 256"], None),
    (["relay a", "ipv6 mtu 1279"], None),
    (["relay a", "ipv6 mtu 65516"], None),
    (["relay a", "delay up 3601"], None),
    (["relay a", "drain-time 601"], None),
    (["relay a", "route 192.0.2.0/24 tag 0"], None),
    (["relay a", "route 192.0.2.0/24 distance 0"], None),
    (["relay a", "route 192.0.2.0/24 distance 256"], None),
    (["relay a", "route 192.0.2.0/24 metric 4294967296"], None),
    (["relay a", "track 0"], None),
    # dampening: all four values or none
    (["relay a", "dampening half-life 0 reuse 750 suppress 2000 max-suppress 60"], None),
    (["relay a", "dampening half-life 46 reuse 750 suppress 2000 max-suppress 60"], None),
    (["relay a", "dampening half-life 15 reuse 0 suppress 2000 max-suppress 60"], None),
    (["relay a", "dampening half-life 15 reuse 750 suppress 20001 max-suppress 60"], None),
    (["relay a", "dampening half-life 15 reuse 750 suppress 2000 max-suppress 256"], None),
    (["relay a", "dampening half-life 15"], None),
    (["relay a", "dampening half-life 15 reuse 750 suppress 2000"], None),
    (["relay a", "dampening 15"], None),
    (["relay a", "dampening 15 750 2000"], None),
    # values that could never do anything
    (["relay a", "dampening half-life 15 reuse 750 suppress 750 max-suppress 60"], r"suppress 750.*reuse 750"),
    (["relay a", "dampening 15 2000 750 60"], r"suppress 750.*reuse 2000"),
    (["relay a", "dampening half-life 15 reuse 750 suppress 12001 max-suppress 60"], r"suppress 12001.*12000"),
    (["relay a", "dampening half-life 45 reuse 750 suppress 2000 max-suppress 15"], r"suppress 2000.*944"),
    # names
    (["relay counters"], r"counters"),
    (["relay history"], r"history"),
    (["relay peers"], r"peers"),
    (["relay json"], r"json"),
    (["relay sixteen-letters-"], r"sixteen-letters-|15"),
    (["relay a/b"], r"a/b"),
    (["relay a:b"], r"a:b"),
    (["relay ."], r"\."),
    (["relay .."], r"\.\."),
    (["no relay nobody"], r"nobody"),
    (["relay a", "tunnel interface sixteen-letters-"], r"sixteen-letters-"),
    (["relay a", "tunnel interface a/b"], r"a/b"),
    (["relay a", "tunnel interface .."], r"\.\."),
    # two relays, one thing
    (["relay b", "tunnel interface tun-a"], r"\brelay a\b"),
    (["relay tun-a"], r"\brelay a\b"),
    (["relay b", "route 192.88.99.0/24"], r"192\.88\.99\.0/24.*\ba\b"),
    (["relay b", "route 192.88.99.128/25"], r"192\.88\.99\.128/25.*\ba\b"),
    (["relay b", "route 2000::/3"], r"2000::/3.*\ba\b"),
    (["relay b", "route 192.0.2.0/24", "route 192.0.2.0/25"], r"192\.0\.2\.0/25"),
    # addresses and prefixes
    (["relay a", "tunnel source 0.0.0.0"], r"0\.0\.0\.0"),
    (["relay a", "tunnel source 127.0.0.1"], r"127\.0\.0\.1"),
    (["relay a", "tunnel source 224.0.0.5"], r"224\.0\.0\.5"),
    (["relay a", "tunnel source 255.255.255.255"], r"255\.255\.255\.255"),
    (["relay a", "tunnel source 240.0.0.1"], r"240\.0\.0\.1"),
    (["relay a", "tunnel transmit-source 239.1.2.3"], r"239\.1\.2\.3"),
    (["relay a", "tunnel source 2001:db8::1"], None),
    (["relay a", "ipv6 address ff02::1/64"], r"ff02::1"),
    (["relay a", "ipv6 address ::/64"], r"::/64"),
    (["relay a", "ipv6 address ::1/128"], r"::1"),
    (["relay a", "ipv6 address 2001:db8::1/129"], None),
    (["relay a", "route 224.0.0.0/4"], r"224\.0\.0\.0/4"),
    (["relay a", "route 127.0.0.0/8"], r"127\.0\.0\.0/8"),
    (["relay a", "route ff00::/8"], r"ff00::/8"),
    (["relay a", "route fe80::/10"], r"fe80::/10"),
    # an interface of somebody else
    (["relay a", "tunnel interface eth0"], r"\beth0\b"),
    (["relay a", "tunnel interface lo"], r"\blo\b"),
    (["relay eth1", MODE, "tunnel source 192.88.99.9", "route 192.0.2.0/24", "no shutdown"], r"\beth1\b"),
    # not complete
    (["relay b", "no shutdown"], r"mode"),
    (["relay c", MODE, "no shutdown"], r"source"),
    # removal of what an enabled relay needs
    (["relay a", "no shutdown", "no tunnel source"], r"source"),
    (["relay a", "no shutdown", "no tunnel mode"], r"mode"),
    # Teredo's lines on a 6to4 relay, the defaults too
    (["relay a", "tunnel udp-port 3545"], r"tunnel udp-port.*relay a is 6to4"),
    (["relay a", "tunnel udp-port 3546"], r"tunnel udp-port.*relay a is 6to4"),
    (["relay a", "peers maximum 65536"], r"peers maximum.*relay a is 6to4"),
    (["relay a", "peers maximum 10"], r"peers maximum.*relay a is 6to4"),
    (["relay a", "peers overload withdraw"], r"peers overload withdraw.*relay a is 6to4"),
    (["relay a", "tunnel datapath userspace"], r"tunnel datapath userspace.*relay a is 6to4"),
    # 6to4's lines on a Teredo relay
    (["relay c", TEREDO, "tunnel transmit-source 192.0.2.1"], r"tunnel transmit-source.*relay c is teredo"),
    (["relay c", TEREDO, "tunnel datapath sit"], r"tunnel datapath sit.*relay c is teredo"),
    (["relay c", TEREDO, "ipv6 mtu 1400"], r"ipv6 mtu 1400.*1280"),
    # lines that were there before the mode
    (["relay c", "tunnel datapath userspace", MODE], r"tunnel datapath userspace.*relay c is 6to4"),
    (["relay c", "tunnel udp-port 40000", MODE], r"tunnel udp-port.*relay c is 6to4"),
    (["relay c", "peers maximum 1", MODE], r"peers maximum.*relay c is 6to4"),
    (["relay c", "peers overload withdraw", MODE], r"peers overload withdraw.*relay c is 6to4"),
    (["relay c", "tunnel transmit-source 192.0.2.1", TEREDO], r"tunnel transmit-source.*relay c is teredo"),
    (["relay c", "tunnel datapath sit", TEREDO], r"tunnel datapath sit.*relay c is teredo"),
    (["relay c", "ipv6 mtu 1480", TEREDO], r"ipv6 mtu 1480.*1280"),
    # and the mode that changes
    (["relay c", TEREDO, "peers maximum 10", MODE], r"peers maximum.*relay c is 6to4"),
    (["relay c", MODE, "ipv6 mtu 1480", TEREDO], r"ipv6 mtu 1480.*1280"),
    (["relay c", TEREDO, "ipv6 address 2001::1/32"], r"2001::/32"),
    (["relay c", TEREDO, "no shutdown"], r"source"),
    (["relay c", TEREDO, "tunnel udp-port 0"], None),
    (["relay c", TEREDO, "tunnel udp-port 65536"], None),
    (["relay c", TEREDO, "peers maximum 0"], None),
    (["relay c", TEREDO, "peers maximum 1048577"], None),
    (["relay c", TEREDO, "peers overload"], None),
    (["relay c", TEREDO, "peers"], None),
    (["relay a", "tunnel datapath tun"], None),
    # uplinks
    (["relay a", "tunnel uplink tun-a"], r"tun-a.*own"),
    (["relay a", "tunnel uplink sixteen-letters-"], r"sixteen-letters-"),
    (["relay a", *[f"tunnel uplink eth{n}" for n in range(65)]], r"64"),
    # filters
    (["relay a", "filter permit 10.0.0.0/8", "filter deny 10.1.2.3/8"], r"10\.0\.0\.0/8"),
    (["relay a", "filter deny 10.0.0.0/8", "filter permit 10.0.0.0/8"], r"10\.0\.0\.0/8"),
    (["relay a", *[f"filter deny 198.51.{n}.0/24" for n in range(256)], "filter deny 2001:db8::/32"], r"256"),
    (["relay a", "filter permit 2001:db8::/32"], None),
    (["relay a", "filter permit 10.0.0.0/33"], None),
    (["relay a", "filter deny 2001:db8::/129"], None),
    (["relay a", "filter deny"], None),
    (["relay a", "filter"], None),
    # nonsense
    (["relay a", "tunnel direction sideways"], None),
    (["relay a", "route 192.0.2.0/33"], None),
    (["track 20 bfd peer 192.0.2.1 multihop"], r"local-address"),
    (["track 20 list boolean xor"], None),
    (["relay"], None),
    (["track"], None),
]


@pytest.fixture(scope="module")
def lasting(box_keeper):
    """A relayd for all refusals: none of them changes anything."""
    router = box_keeper.get().relay
    router.start("relayd")
    yield router
    router.assert_sound()
    assert router.stop("relayd") == 0


@pytest.fixture
def loaded(lasting):
    """BASE, and nothing else."""
    if lasting.running() != BASE.splitlines():
        lasting.clear()
        assert lasting.configure(*[line.strip() for line in BASE.splitlines()]) == ""
        assert lasting.running() == BASE.splitlines()
    return lasting


def name_of(case):
    return "; ".join(case[0][:2] + case[0][2:][-1:])


def at_rest(ns):
    """The kernel's state when a relay that was just turned on has come up, or has not."""
    states = [kernel_state(ns)]

    def still():
        time.sleep(0.2)
        states.append(kernel_state(ns))
        return not state_diff(*states[-2:])

    wait_for(still, 20, "the kernel's state stays as it is")
    return states[-1]


@pytest.mark.parametrize("lines,says", REFUSED, ids=[name_of(case) for case in REFUSED])
def test_refused(loaded, lines, says):
    *before, last = lines
    if before:
        assert loaded.configure(*before) == ""
    running = loaded.running()
    kernel = at_rest(loaded.ns) if "no shutdown" in before else kernel_state(loaded.ns)
    line = the_line(loaded.vtysh_configure(*before[:1], last))
    if says:
        assert re.search(says, line), line
    assert loaded.running() == running
    assert not state_diff(kernel, kernel_state(loaded.ns))


def test_two_enabled_relays_on_one_source(loaded):
    """sit has one device a local address."""
    loaded.configure("relay b", MODE, "tunnel source 192.88.99.1", "route 192.0.2.0/24", "exit",
                     "relay a", "no shutdown")
    line = the_line(loaded.vtysh_configure("relay b", "no shutdown"))
    assert re.search(r"192\.88\.99\.1.*\ba\b", line)


def test_two_enabled_relays_on_one_udp_port(loaded):
    """A Teredo relay has a port of an address; a 6to4 relay may have the same address."""
    loaded.configure("relay b", TEREDO, "tunnel source 192.88.99.1", "no shutdown", "exit",
                     "relay a", "no shutdown", "exit",
                     "relay c", TEREDO, "tunnel source 192.88.99.1", "route 2001:db8:70::/48")
    line = the_line(loaded.vtysh_configure("relay c", "no shutdown"))
    assert re.search(r"192\.88\.99\.1.*3545.*\bb\b", line)
    assert loaded.configure("relay c", "tunnel udp-port 3546", "no shutdown") == ""
    line = the_line(loaded.vtysh_configure("relay c", "no tunnel udp-port"))
    assert re.search(r"192\.88\.99\.1.*3545.*\bb\b", line)


def test_the_no_forms_of_teredo(loaded):
    """Each line has one; on a relay of another mode they take nothing away."""
    loaded.configure("relay c", TEREDO)
    bare = loaded.running()
    loaded.configure("relay c", "tunnel udp-port 4000", "peers maximum 17", "peers overload withdraw",
                     "tunnel datapath userspace")
    at = loaded.running().index("relay c")
    assert loaded.running()[at:at + 7] == [
        "relay c", " tunnel mode teredo", " tunnel datapath userspace", " tunnel udp-port 4000", " peers maximum 17",
        " peers overload withdraw", "exit"]
    for value in ("", " 4000"):
        assert loaded.configure("relay c", f"no tunnel udp-port{value}") == ""
    for value in ("", " 17"):
        assert loaded.configure("relay c", f"no peers maximum{value}") == ""
    for value in ("", " withdraw"):
        assert loaded.configure("relay c", f"no peers overload{value}") == ""
    assert loaded.configure("relay c", "no tunnel datapath") == ""
    assert loaded.running() == bare
    assert loaded.configure("relay c", "no tunnel mode teredo", MODE, "no tunnel udp-port", "no peers maximum",
                            "no peers overload", "ipv6 mtu 1480") == ""
    assert " tunnel mode ipv6ip 6to4" in loaded.running()[at:]
    # the defaults may be said; they are not shown
    loaded.configure("relay c", "no ipv6 mtu", TEREDO, "tunnel udp-port 3545", "peers maximum 65536", "ipv6 mtu 1280")
    assert loaded.running() == bare


def test_default_routes_of_two_relays_overlap(loaded):
    """Default routes count as well: a second 6to4 relay needs `route` lines of its own."""
    loaded.configure("relay a", "no shutdown", "exit", "relay b", MODE)
    line = the_line(loaded.vtysh_configure("relay b", "no shutdown"))
    assert re.search(r"(192\.88\.99\.0/24|2002::/16).*\ba\b", line)


def test_relayds_own_vty_says_the_same(loaded):
    """Every line goes through the northbound: the answer does not depend on the way in."""
    for lines in (["relay a", "track 999"], ["no track 11"], ["relay b", "no shutdown"]):
        via_vtysh = the_line(loaded.vtysh_configure(*lines))
        assert the_line(loaded.configure(*lines, check=False)) == via_vtysh
