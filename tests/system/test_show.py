# SPDX-License-Identifier: GPL-2.0-or-later
"""show, history, running configuration: the shapes that scripts rely on."""

import re
import time



from lab import the_line, wait_for
from topology import BASIC, RELAY_ADDR

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

FULL = """\
track 1 icmp-echo 2001:db8:0::2 source-interface eth0
 frequency 500
 timeout 300
 probes up 2 down 4
 delay up 1 down 2
exit
track 2 interface eth1 line-protocol
exit
track 3 ipv6 route ::/0 reachability
exit
track 4 ip route 10.9.0.0/16 reachability
exit
track 5 icmp-echo 10.0.0.2 source-address 10.0.0.1
exit
track 10 list boolean and
 object 1
 object 2
 object 4 not
exit
relay jpnap
 tunnel mode teredo
 tunnel source 203.178.17.1
 tunnel datapath userspace
 tunnel udp-port 3546
 peers maximum 1048576
 peers overload withdraw
 route 2001::/32 tag 55374 track 3
exit
relay osaka
exit
relay tokyo6to4
 description 6to4 relay, two exchanges
 tunnel mode ipv6ip 6to4
 tunnel interface tun-tokyo
 tunnel source 192.88.99.1
 tunnel transmit-source 192.88.99.3
 tunnel direction receive
 tunnel datapath sit
 tunnel uplink eth0
 tunnel uplink eth1.7
 tunnel ttl 63
 ipv6 mtu 1480
 ipv6 address 2001:db8:99::1/64
 ipv6 address 2002:c058:6301::1/128
 route 192.88.99.0/24 tag 55374 distance 20 metric 5 track 2
 track 10
 delay up 7
 dampening half-life 10 reuse 800 suppress 3000 max-suppress 40
 drain-time 1
 no filter bogons
 filter permit 10.0.0.0/8
 filter permit 192.168.7.77/24
 filter deny 198.51.100.0/24
 filter deny 2001:db8:bad::1/48
 no self-test
 maintenance
 no shutdown
exit
"""
# one spelling, host bits masked
NORMAL = FULL.replace("2001:db8:0::2", "2001:db8::2").replace("7.77/24", "7.0/24").replace("bad::1/48", "bad::/48")


def test_running_config_round_trip(rl):
    """Every line of the grammar comes out as it went in, and goes in as it came out."""
    run = rl.boot(FULL)
    assert run.returncode == 0, run.stdout + run.stderr
    assert rl.running() == NORMAL.splitlines()
    out = rl.vtysh("show running-config")
    blocks = [line for line in out.splitlines() if line in NORMAL.splitlines()]
    assert blocks == NORMAL.splitlines()
    # what is written is read again, by a relayd that knows nothing
    (rl.dir / "vtysh.conf").write_text("service integrated-vtysh-config\n")
    rl.vtysh("write memory")
    written = (rl.dir / "frr.conf").read_text()
    assert NORMAL.splitlines() == [line for line in written.splitlines() if line in NORMAL.splitlines()]
    assert rl.vtysh_run("-C").returncode == 0
    assert rl.stop("relayd") == 0
    rl.start("relayd")
    assert rl.running() == []
    assert rl.boot(written).returncode == 0
    assert rl.running() == NORMAL.splitlines()


def test_own_configuration_file(rl):
    """relayd reads and writes its own file where FRR is set up that way."""
    rl.configure(*[line.strip() for line in NORMAL.splitlines()])
    (rl.dir / "vtysh.conf").write_text("no service integrated-vtysh-config\n")
    try:
        rl.vtysh("write memory")
    finally:
        (rl.dir / "vtysh.conf").write_text("")
    written = (rl.dir / "relayd.conf").read_text()
    assert rl.stop("relayd") == 0
    rl.start("relayd", config=written)
    assert rl.running() == NORMAL.splitlines()


def test_each_line_has_its_no(rl):
    rl.configure(*[line.strip() for line in NORMAL.splitlines()])
    rl.configure("relay tokyo6to4", "shutdown", "no description", "no tunnel mode", "no tunnel interface",
                 "no tunnel source", "no tunnel transmit-source", "no tunnel direction", "no tunnel datapath",
                 "no tunnel uplink eth1.7", "no tunnel uplink eth0",
                 "no tunnel ttl", "no ipv6 mtu", "no ipv6 address 2001:db8:99::1/64",
                 "no ipv6 address 2002:c058:6301::1/128", "no route 192.88.99.0/24", "no track", "no delay up",
                 "no dampening", "no drain-time", "filter bogons", "no filter permit 10.0.0.0/8",
                 "no filter permit 192.168.7.1/24", "no filter deny 198.51.100.0/24",
                 "no filter deny 2001:db8:bad::/48", "self-test", "no maintenance", "exit",
                 "track 1", "no frequency", "no timeout", "no probes", "no delay", "exit",
                 "track 10", "no object 1", "no object 2", "no object 4", "exit")
    rl.configure("relay jpnap", "no tunnel mode", "no tunnel source", "no tunnel datapath", "no tunnel udp-port",
                 "no peers maximum", "no peers overload", "no route 2001::/32", "exit")
    lines = rl.running()
    assert lines[lines.index("relay jpnap") + 1] == "exit"
    assert lines[lines.index("relay tokyo6to4") + 1] == "exit"
    assert lines[lines.index("track 1 icmp-echo 2001:db8::2 source-interface eth0") + 1] == "exit"
    assert lines[lines.index("track 10 list boolean and") + 1] == "exit"
    rl.configure("no track 10", *[f"no track {n}" for n in (1, 2, 3, 4, 5)], "no relay tokyo6to4", "no relay osaka",
                 "no relay jpnap")
    assert rl.running() == []


def test_no_forms_with_their_values(rl):
    """A line is taken away by `no` and the line as it stands."""
    rl.configure(*[line.strip() for line in NORMAL.splitlines()])
    body = NORMAL[NORMAL.index("relay tokyo6to4\n"):].splitlines()[1:-1]
    rl.configure("relay tokyo6to4", "shutdown", *["no " + line.strip() for line in body
                                                  if not line.strip().startswith(("no ", "tunnel mode"))])
    body = NORMAL[NORMAL.index("relay jpnap\n"):].split("exit\n")[0].splitlines()[1:]
    rl.configure("relay jpnap", *["no " + line.strip() for line in body])
    lines = rl.running()
    assert lines[lines.index("relay jpnap") + 1] == "exit"
    assert lines[lines.index("relay tokyo6to4") + 1:] == [" tunnel mode ipv6ip 6to4", " no filter bogons", " no self-test",
                                                          "exit"]


def test_defaults(rl):
    """Those of the contract, in JSON and not in the running configuration."""
    rl.configure("relay r", "tunnel mode ipv6ip 6to4", f"tunnel source {RELAY_ADDR}")
    data = rl.relay_json("r")
    assert {key: data[key] for key in ("mode", "adminStatus", "operStatus", "reason", "interface", "ifIndex",
                                       "tunnelSource", "transmitSource", "ttl", "mtu", "transitions")} == {
        "mode": "6to4", "adminStatus": "down", "operStatus": "disabled", "reason": "shutdown", "interface": "r",
        "ifIndex": 0, "tunnelSource": RELAY_ADDR, "transmitSource": RELAY_ADDR, "ttl": 64, "mtu": 1280,
        "transitions": 0}
    assert TIME.match(data["since"])
    assert [(r["prefix"], r["installed"], r["distance"], r["metric"], r["tag"]) for r in data["routes"]] == [
        ("192.88.99.0/24", False, 1, 0, 0), ("2002::/16", False, 1, 0, 0)]
    assert data["tracks"] == []
    assert set(data["checks"]) == {"interface", "source", "forwarding", "selfTest"}
    assert "udpPort" not in data and "peers" not in data
    assert rl.running() == ["relay r", " tunnel mode ipv6ip 6to4", f" tunnel source {RELAY_ADDR}", "exit"]


def test_defaults_of_teredo(rl):
    """Those of the contract again."""
    rl.configure("relay t", "tunnel mode teredo", f"tunnel source {RELAY_ADDR}")
    data = rl.relay_json("t")
    assert {key: data[key] for key in ("mode", "operStatus", "reason", "tunnelSource", "udpPort", "ttl", "mtu",
                                       "peers")} == {
        "mode": "teredo", "operStatus": "disabled", "reason": "shutdown", "tunnelSource": RELAY_ADDR, "udpPort": 3545,
        "ttl": 64, "mtu": 1280, "peers": {"count": 0, "trusted": 0, "maximum": 65536, "overload": "none"}}
    assert [(r["prefix"], r["installed"], r["distance"], r["metric"], r["tag"]) for r in data["routes"]] == [
        ("2001::/32", False, 1, 0, 0)]
    assert set(data["checks"]) == {"interface", "source", "forwarding", "selfTest", "socket", "engine"}
    assert rl.json("relayd", "show relay t peers json") == {
        "t": {"peers": {}, "count": 0, "maximum": 65536, "overload": "none"}}
    assert rl.running() == ["relay t", " tunnel mode teredo", f" tunnel source {RELAY_ADDR}", "exit"]


def test_with_defaults(rl):
    """What each line's default is can be said: the running configuration with its defaults is one, of each mode."""
    rl.configure("relay bare", "exit", "relay s", "tunnel mode ipv6ip 6to4", "exit", "relay t", "tunnel mode teredo")
    bare = rl.running()
    text = rl.ask("relayd", "show configuration running with-defaults")
    lines = [line.strip() for line in text[text.index("relay bare"):].splitlines()]
    assert "tunnel udp-port 3545" in lines and "peers maximum 65536" in lines and "no peers overload withdraw" in lines
    assert rl.configure(*(line for line in lines if line not in ("!", "end"))) == ""
    assert rl.running() == bare


def test_completion(rl):
    """vtysh knows the lines."""
    commands = rl.vtysh_configure("relay t", "list").splitlines()
    for line in ("tunnel mode teredo", "tunnel udp-port (1-65535)", "no tunnel udp-port [(1-65535)]",
                 "peers maximum (1-1048576)", "no peers maximum [(1-1048576)]", "peers overload withdraw",
                 "no peers overload [withdraw]"):
        assert line in [command.strip() for command in commands], line
    commands = [command.strip() for command in rl.vtysh("list").splitlines()]
    for line in ("show relay RELAYNAME peers [json]", "clear relay [RELAYNAME] peers",
                 "[no] debug relay <events|track|zebra|tunnel|teredo|northbound>"):
        assert line in commands, line


def test_peers_of_what_has_none(rl):
    """One clear line; an empty object for a script."""
    rl.configure("relay s", "tunnel mode ipv6ip 6to4", "exit", "relay bare", "exit", "relay t", "tunnel mode teredo")
    for name in ("s", "bare", "nobody"):
        for command in (f"show relay {name} peers", f"clear relay {name} peers"):
            assert name in the_line(rl.vtysh_run("-c", command).stdout)
        assert rl.json("relayd", f"show relay {name} peers json") == {}
    assert rl.vtysh("clear relay peers") == "" and rl.vtysh("clear relay t peers") == ""
    assert rl.vtysh("show relay t peers").strip() == "Relay t, 0 of 65536 peers, 0 trusted"



def test_show_track_json(rl):
    rl.configure("track 1 icmp-echo 10.0.0.2", "frequency 100", "exit", "track 2 interface eth0 line-protocol", "exit",
                 "track 3 ip route 10.0.0.0/24 reachability", "exit", "track 4 ipv6 route 2001:db8:77::/48 reachability",
                 "exit", "track 5 list boolean or", "object 2")
    rl.wait_track(1, "up")
    rl.wait_track(5, "up")
    data = rl.track_json()
    assert list(data) == ["1", "2", "3", "4", "5"]
    assert {n: t["type"] for n, t in data.items()} == {
        "1": "icmp-echo", "2": "interface", "3": "ip-route", "4": "ipv6-route", "5": "list"}
    assert data["1"]["target"] == "10.0.0.2" and data["2"]["target"] == "eth0"
    assert data["3"]["target"] == "10.0.0.0/24"
    for track in data.values():
        assert track["state"] in ("up", "down", "init") and isinstance(track["transitions"], int)
        assert TIME.match(track["since"])
    assert data["1"]["rttUsec"] > 0 and data["1"]["sent"] >= data["1"]["received"] > 0
    assert rl.track_json(2)["state"] == "up"
    assert list(rl.json("relayd", "show track 3 json")) == ["3"]


def test_show_text(rl):
    """One line a relay; one relay in full; nothing of it is empty."""
    rl.configure("relay a", *BASIC, "exit", "relay b", "exit", "track 1 interface eth0 line-protocol")
    table = rl.vtysh("show relay").splitlines()
    assert [line.split()[0] for line in table[-2:]] == ["a", "b"]
    assert "192.88.99.1" in rl.vtysh("show relay a")
    for line in ("show relay a counters", "show relay counters", "show relay a history", "show relay history",
                 "show track", "show track 1", "show track brief", "show track 1 brief"):
        out = rl.vtysh(line)
        assert out and "%" not in out, f"{line}: {out}"
    assert rl.vtysh("show relay nobody").startswith("% ")
    assert rl.vtysh("show track 77").startswith("% ")


def test_json_through_vtysh(rl):
    """The same bytes as on relayd's own vty."""
    rl.configure("relay a", *BASIC)
    for line in ("show relay json", "show relay a json", "show relay a counters json", "show relay a history json",
                 "show track json"):
        assert rl.vtysh(line).strip() == rl.ask("relayd", line).strip()


def test_history_is_bounded(rl):
    """The last 64 changes, oldest first; transitions go on counting."""
    rl.configure("relay r", *BASIC, "no self-test")
    for _ in range(40):
        rl.configure("relay r", "no shutdown", "shutdown")
        wait_for(lambda: rl.relay_json("r")["operStatus"] == "disabled", 10, "disabled")
    history = rl.json("relayd", "show relay r history json")["r"]
    assert len(history) == 64
    assert rl.relay_json("r")["transitions"] >= 80
    assert [h["time"] for h in history] == sorted(h["time"] for h in history)
    for entry in history:
        assert TIME.match(entry["time"]) and {"from", "to", "reason"} <= set(entry)
    assert all(a["to"] == b["from"] for a, b in zip(history, history[1:]))
    assert history[-1]["to"] == "disabled" and history[-1]["reason"] == "shutdown"
    assert list(rl.json("relayd", "show relay history json")) == ["r"]


def test_debug(rl):
    """Each flag, its no, show debugging, and the running configuration."""
    for flag in ("events", "track", "zebra", "tunnel", "teredo", "northbound"):
        assert rl.vtysh(f"debug relay {flag}") == ""
        assert flag in rl.vtysh("show debugging relay").lower()
        assert flag in rl.vtysh("show debugging").lower()
        assert rl.vtysh(f"no debug relay {flag}") == ""
        assert f"{flag} debugging is on" not in rl.vtysh("show debugging relay").lower()
    rl.vtysh_configure("debug relay events")
    assert "debug relay events" in rl.vtysh("show running-config").splitlines()


def test_debug_says_something(rl):
    rl.vtysh("debug relay zebra", "debug relay track", "debug relay northbound")
    rl.configure("track 3 ip route 10.0.0.0/24 reachability", "exit", "relay r", "drain-time 1")
    rl.wait_track(3, "up")
    log = rl.log("relayd")
    assert "watched 10.0.0.0/24" in log and "track 3" in log and "edit of" in log


def test_daemon_commands(rl):
    assert "relayd" in rl.vtysh("show daemons").split()
    assert "FRRouting" in rl.ask("relayd", "show version")
    assert "Relay" in rl.ask("relayd", "show memory")


def test_load_time_stamp_is_utc(rl):
    rl.configure("relay r")
    stamp = rl.relay_json("r")["since"]
    assert abs(time.time() - time.mktime(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 60
