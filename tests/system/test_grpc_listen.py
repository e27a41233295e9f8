# SPDX-License-Identifier: GPL-2.0-or-later
"""Where relayd listens, to whom, and what it says when it can't: one line, and an end."""

import grp
import json
import os
import re
import signal
import shutil
import socket
import ssl
import stat
import subprocess
import time

import pytest

import lab as lab_module
from conftest import fresh_logs
from grpc_client import EVENTS, Client, Listener, ev, fails, relay
from grpc_lab import holds, shown
from grpc_pki import Pki
from grpc_wire import PREFACE, Raw, Wire, dial_tcp, dial_unix, h2_settings
from lab import EMULATED, Vty, the_line, wait_for
from topology import BASIC

pytestmark = pytest.mark.xdist_group("grpc-listen")

PORT = 50051
OVERRIDE = [("grpc.ssl_target_name_override", "relay")]


def listening(router):
    """Addresses of TCP sockets of relayd that listen."""
    pid = router.procs["relayd"].pid
    return {line.split()[3] for line in router.ns.run("ss", "-Hltnp").stdout.splitlines() if f"pid={pid}," in line}


def refused(router, *args):
    """relayd doesn't start: one line on stderr, and exit code 1."""
    fresh_logs(router)
    proc = router.start("relayd", *args, wait=False)
    try:
        code = proc.wait(20)
    finally:
        router.stop("relayd")
    # of libfrr's own, where a killed daemon with that number has left its directory
    lines = [line for line in (router.dir / "relayd.err").read_text().splitlines()
             if "/var/tmp/frr/" not in line and "crashlog" not in line]
    assert code == 1 and len(lines) == 1, (code, lines)
    fresh_logs(router)
    return lines[0]


@pytest.fixture
def path(box):
    return box.relay.dir / "grpc"


@pytest.fixture
def pki(box):
    """Of all tests of a box."""
    if not hasattr(box, "pki"):
        box.pki = Pki(box.dir / "pki")
    return box.pki


def test_off_by_default(box):
    """Not a socket more than other daemons have."""
    router = box.relay
    router.start("relayd")
    assert listening(router) == set()
    shown = router.json("relayd", "show grpc json")
    assert not shown.get("listeners") and not shown.get("sessions")
    assert "grpc" not in {file.name for file in router.dir.iterdir()}


def test_addresses(box, path):
    """Loopback unless it is told otherwise; four at once; each answers."""
    router = box.relay
    router.start("relayd", "--grpc", PORT, "--grpc", f"[::1]:{PORT}", "--grpc", "127.0.0.2:50052", "--grpc",
                 f"unix:{path}")
    assert listening(router) == {f"127.0.0.1:{PORT}", f"[::1]:{PORT}", "127.0.0.2:50052"}
    assert [each["address"] for each in router.json("relayd", "show grpc json")["listeners"]] == [
        f"127.0.0.1:{PORT}", f"[::1]:{PORT}", "127.0.0.2:50052", f"unix:{path}"]
    for dial, who in ((dial_tcp(router.ns, "127.0.0.1", PORT), r"127\.0\.0\.1:\d+"),
                      (dial_tcp(router.ns, "::1", PORT), r"\[::1\]:\d+"),
                      (dial_tcp(router.ns, "127.0.0.2", 50052), r"127\.0\.0\.\d:\d+"), (dial_unix(path), "unix:uid=0")):
        with Wire(dial, router.dir / "wire") as wire, Client(wire.target) as client:
            client.lock()
            assert re.fullmatch(f"gRPC {who}", router.json("relayd", "show grpc json")["lock"])
    for address in ("10.0.0.1", "2001:db8::1"):
        with pytest.raises(ConnectionRefusedError):
            dial_tcp(box.peer, address, PORT)()
    holds(router)


BAD = [
    (("--grpc", "0"), "0"), (("--grpc", "65536"), "65536"), (("--grpc", "-1"), "-1"), (("--grpc", "x"), "x"),
    (("--grpc", ""), "grpc"), (("--grpc", "127.0.0.1"), "127.0.0.1"), (("--grpc", "127.0.0.1:"), "127.0.0.1:"),
    (("--grpc", "localhost:50051"), "localhost"), (("--grpc", "::1:50051"), "::1"), (("--grpc", "[::1]"), "::1"),
    (("--grpc", "[::1:50051"), "::1"), (("--grpc", "unix:"), "unix"), (("--grpc", "unix:relative"), "relative"),
    (("--grpc", "unix:/" + "x" * 200), "unix"), (("--grpc", "unix:/nowhere/at/all"), "/nowhere/at/all"),
    (("--grpc", "unix:/proc"), "/proc"), (("--grpc", "192.0.2.77:50051"), "192.0.2.77"),
    (("--grpc", "50051 "), "50051"),
    (("--grpc", "0.0.0.0:50051"), "0.0.0.0"), (("--grpc", "[::]:50051"), "::"), (("--grpc", "10.0.0.1:50051"), "TLS"),
    (("--grpc", "[2001:db8::1]:50051"), "TLS"), (("--grpc", "[::ffff:10.0.0.1]:50051"), "::ffff"),
    (("--grpc", "50051", "--grpc", "50051"), "50051"),
    (tuple(word for n in range(5) for word in ("--grpc", str(50051 + n))), "50055"),
    (("--grpc", "50051", "--grpc-idle", "9"), "9"), (("--grpc", "50051", "--grpc-idle", "86401"), "86401"),
    (("--grpc", "50051", "--grpc-idle", "x"), "x"), (("--grpc", "50051", "--grpc-idle", "10s"), "10s"),
    (("--grpc", "50051", "--grpc-cert", "/etc/hostname"), "grpc-key"),
    (("--grpc", "50051", "--grpc-cert", "/etc/hostname", "--grpc-key", "/etc/hostname"), "grpc-client-ca"),
    (("--grpc", "50051", "--grpc-client-ca", "/etc/hostname"), "grpc-cert"),
]


def test_options_refused(box):
    for args, says in BAD:
        assert says in refused(box.relay, *args), args


def test_files_refused(box, pki):
    """Missing, no PEM, of another pair, unreadable: the line names the file."""
    router = box.relay
    where = ("--grpc", f"10.0.0.1:{PORT}")
    empty, folder = router.dir / "empty", router.dir / "folder"
    empty.write_text("")
    folder.mkdir(exist_ok=True)
    for option in ("--grpc-cert", "--grpc-key", "--grpc-client-ca"):
        for file in ("/nowhere/at/all", "/etc/hostname", empty, folder):
            args = list(pki.options())
            args[args.index(option) + 1] = file
            assert str(file) in refused(router, *where, *args), (option, file)
    for args in (pki.options(key="noc"), pki.options(cert="ca"), pki.options(cert="noc")):
        line = refused(router, *where, *args)
        assert str(args[1]) in line or str(args[3]) in line, line
    # a key in the place of a certificate, and the other way
    args = ("--grpc-cert", pki.key("server"), "--grpc-key", pki.pem("server"), "--grpc-client-ca", pki.pem("ca"))
    assert "server" in refused(router, *where, *args)


# ------------------------------------------------------------------------- TLS

@pytest.fixture
def secure(box, pki, path):
    """relayd with TLS, on an address that others can reach, on loopback, and by a unix socket."""
    router = box.relay
    router.start("relayd", "--grpc", f"10.0.0.1:{PORT}", "--grpc", str(PORT + 1), "--grpc", f"unix:{path}",
                 *pki.options())
    return router


def tls_client(wire, pki, name):
    return Client(wire.target, pki.credentials(name), OVERRIDE, timeout=30)


@pytest.fixture
def wire(box):
    """To relayd from the other host."""
    with Wire(dial_tcp(box.peer, "10.0.0.1", PORT), box.relay.dir / "wire", many=True) as made:
        yield made


def test_tls(secure, pki, wire, path):
    """Who has a certificate of the authority is let in, and known by name; the unix socket has no TLS."""
    with tls_client(wire, pki, "noc") as client:
        assert client.capabilities().rollback_support
        client.change({relay("a"): ""}, comment="by the NOC")
        last = client.transactions()[0]
        assert re.fullmatch(r"gRPC CN=noc@10\.0\.0\.2:\d+", last.client) and last.comment == "by the NOC"
        client.lock()
        assert secure.json("relayd", "show grpc json")["lock"] == last.client
    with tls_client(wire, pki, "odd") as client:
        client.change({relay("b"): ""})
        who = client.transactions()[0].client
        assert re.fullmatch(r"gRPC CN=.*@10\.0\.0\.2:\d+", who) and who.isprintable(), who
        client.lock()
        assert secure.json("relayd", "show grpc json")["lock"] == who
    with Wire(dial_tcp(secure.ns, "127.0.0.1", PORT + 1), secure.dir / "loop") as loop, \
            tls_client(loop, pki, "noc") as client:
        assert client.capabilities()
    with Client(f"unix:{path}") as client:
        assert client.capabilities()
    assert [each["tls"] for each in secure.json("relayd", "show grpc json")["listeners"]] == [True, True, False]
    holds(secure)


def test_tls_refused(secure, pki, wire):
    """No certificate, one of another authority, an old one, and no TLS at all."""
    for name in (None, "stranger", "self", "expired", "foreign"):
        with tls_client(wire, pki, name) as client:
            fails("UNAVAILABLE", client.capabilities)
    for dial in (wire.dial, dial_tcp(secure.ns, "127.0.0.1", PORT + 1)):
        with Wire(dial, secure.dir / "plain", many=True) as plain, Client(plain.target, timeout=10) as client:
            fails("UNAVAILABLE", client.capabilities)
    holds(secure)
    assert shown(secure)["totals"]["calls"] == 0
    with tls_client(wire, pki, "noc") as client:
        assert client.capabilities()


def handshake(dial, pki, name, version=None, protocols=("h2",)):
    """The version and first octets of a TLS connection that speaks HTTP/2; ssl.SSLError and OSError are refusals."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = version or ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version or ssl.TLSVersion.MAXIMUM_SUPPORTED
    context.set_alpn_protocols(list(protocols))
    if name:
        context.load_cert_chain(pki.pem(name), pki.key(name))
    with dial() as sock:
        sock.settimeout(10)
        with context.wrap_socket(sock) as secured:
            secured.sendall(PREFACE + h2_settings())
            return secured.version(), secured.recv(100)


def test_tls_versions(secure, pki, wire):
    """1.2 and 1.3, and nothing older."""
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.warns(DeprecationWarning), pytest.raises((ssl.SSLError, ConnectionError)) as info:
            handshake(wire.dial, pki, "noc", version)
        # an alert of relayd's, not something that this side has refused by itself
        assert "alert" in str(info.value) or isinstance(info.value, ConnectionError), info.value
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (None, "TLSv1.3")):
        said, octets = handshake(wire.dial, pki, "noc", version)
        assert said == name and octets[3:4] == b"\x04"  # SETTINGS
        for wrong in (None, "stranger", "expired"):
            # 1.3 tells after the client's part of the handshake
            try:
                assert handshake(wire.dial, pki, wrong, version)[1] == b""
            except (ssl.SSLError, ConnectionError):
                pass
    # HTTP/1 alone is not for gRPC
    try:
        assert handshake(wire.dial, pki, "noc", protocols=("http/1.1",))[1] == b""
    except (ssl.SSLError, ConnectionError):
        pass
    holds(secure)


def test_tls_carries_much(secure, pki, wire):
    """Both ways, and whole: more than any buffer on the way."""
    with tls_client(wire, pki, "noc") as client:
        number = client.create()
        client.load(number, {"instance": [
            {"name": f"r{n}", "filter": {"deny": [f"198.{n}.{m}.0/24" for m in range(256)]}} for n in range(60)]})
        client.commit(number)
        with Client(f"unix:{secure.dir}/grpc") as plain:
            wanted = plain.get("/frr-relay:relay", kind="CONFIG")[0].data
        answers = client.get(*["/frr-relay:relay"] * 20, kind="CONFIG")
        assert sum(len(each.data.data) for each in answers) > 8 << 20
        assert all(each.data == wanted for each in answers)
        client.change(delete=["/frr-relay:relay"])


# ---------------------------------------------------------------- unix sockets

def test_unix_socket(box, path):
    """For the group frrvty, as vtysh's; gone when relayd is."""
    router = box.relay
    router.start("relayd", "--grpc", f"unix:{path}")
    info = path.lstat()
    assert stat.S_ISSOCK(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o660
    assert info.st_gid == grp.getgrnam("frrvty").gr_gid
    assert router.stop("relayd") == 0
    assert not path.exists()


def as_user(uid, groups, path):
    """Can they connect?"""
    run = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", *groups, "--", "/usr/bin/python3", "-c",
                          "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])", str(path)],
                         capture_output=True, check=False, timeout=20)
    return run.returncode == 0


def test_unix_socket_is_the_groups(box, path):
    router = box.relay
    router.start("relayd", "--grpc", f"unix:{path}")
    gid = grp.getgrnam("frrvty").gr_gid
    assert as_user(65534, [f"--groups={gid}"], path)
    assert not as_user(65534, ["--clear-groups"], path)


def test_unix_socket_of_a_dead_one(box, path):
    """Killed: the next relayd takes the place, whatever is left there."""
    router = box.relay
    for args in (("--grpc", f"unix:{path}", "--grpc", PORT),) * 2:
        router.start("relayd", *args)
        with Client(f"unix:{path}") as client:
            assert client.capabilities()
        router.kill("relayd")
    with socket.socket(socket.AF_UNIX) as stale:
        path.unlink(missing_ok=True)
        stale.bind(str(path))
        shutil.chown(path, "frr", "frrvty")
    router.start("relayd", *args)
    with Client(f"unix:{path}") as client:
        assert client.capabilities()


def test_what_is_not_its_own(box, path):
    """A file, a link, a socket that answers: none is touched."""
    router = box.relay
    path.write_text("precious")
    assert str(path) in refused(router, "--grpc", f"unix:{path}")
    assert path.read_text() == "precious"
    link = router.dir / "link"
    link.symlink_to(path)
    assert str(link) in refused(router, "--grpc", f"unix:{link}")
    assert link.is_symlink() and path.read_text() == "precious"
    link.unlink()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        assert str(path) in refused(router, "--grpc", f"unix:{path}")
        assert stat.S_ISSOCK(path.lstat().st_mode)
    path.unlink()
    # and what somebody has put there while it ran
    router.start("relayd", "--grpc", f"unix:{path}")
    path.unlink()
    path.write_text("precious")
    assert router.stop("relayd") == 0
    assert path.read_text() == "precious"
    path.unlink()


# --------------------------------------------------------------- start and end

def test_port_is_taken(box):
    router = box.relay
    with router.ns.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        # connections of the tests before are not forgotten yet
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", PORT))
        other.listen(1)
        assert str(PORT) in refused(router, "--grpc", PORT)
        # the first one is given up again
        line = refused(router, "--grpc", f"unix:{router.dir}/grpc", "--grpc", PORT)
        assert str(PORT) in line and not (router.dir / "grpc").exists()
        fresh_logs(router)
        run = daemon(router, "--grpc", str(PORT))
        assert run.returncode == 1 and len(run.stderr.splitlines()) == 1 and str(PORT) in run.stderr
    router.start("relayd", "--grpc", PORT)


def daemon(router, *args):
    """As frrinit.sh starts it."""
    (router.dir / "relayd.conf").write_text("relay r\nexit\n")
    # FRR 10's daemons keep what is no terminal open: no pipe
    with open(router.dir / "daemon.err", "w+", encoding="utf-8") as err:
        run = subprocess.run(["ip", "netns", "exec", router.ns.name, lab_module.RELAYD, "-d", "--vty_socket", router.dir,
                              "-z", router.dir / "zserv.api", "-i", router.dir / "relayd.pid", "-f",
                              router.dir / "relayd.conf", "-A", "127.0.0.1", "-P", "0", *args],
                             stdout=subprocess.DEVNULL, stderr=err, check=False, timeout=60)
        err.seek(0)
        run.stderr = err.read()
    return run


def test_daemon_mode(box, path):
    """Threads and forks don't go together: all of gRPC begins in the child."""
    router = box.relay
    run = daemon(router, "--grpc", f"unix:{path}", "--grpc", str(PORT))
    assert run.returncode == 0 and not run.stderr
    pid = int((router.dir / "relayd.pid").read_text())
    try:
        with Client(f"unix:{path}") as client:
            assert client.tree("/", kind="CONFIG") == {"instance": [{"name": "r"}]}
            client.change({relay("r", "description"): "x"})
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 20, "it ends")
    assert not path.exists()


def test_config_of_its_file(box, path):
    """What relayd has read at its start is a transaction, and can be edited by whoever comes first."""
    router = box.relay
    router.start("relayd", "--grpc", f"unix:{path}", config="relay r\n description of the file\nexit\nrelay s\nexit\n")
    with Client(f"unix:{path}") as client:
        assert client.tree("/", kind="CONFIG") == {"instance": [
            {"name": "r", "description": "of the file"}, {"name": "s"}]}
        client.change({relay("r", "description"): "by gRPC"})
        assert router.vtysh_configure("relay s", "description by vtysh") == ""
        assert client.tree("/", kind="CONFIG") == {"instance": [
            {"name": "r", "description": "by gRPC"}, {"name": "s", "description": "by vtysh"}]}
        newest = client.transactions()
        assert [each.client for each in newest[:2]] == ["CLI", "gRPC unix:uid=0"]
        assert json.loads(client.transaction(newest[1].id).data)["frr-relay:relay"]["instance"][1] == {"name": "s"}
        # and one that comes by vtysh -b beside it
        assert router.boot("relay r\n description of frr.conf\nexit\nrelay t\nexit\n").returncode == 0
        got = {each["name"]: each.get("description") for each in client.tree("/", kind="CONFIG")["instance"]}
        assert got == {"r": "of frr.conf", "s": "by vtysh", "t": None}


def test_lock_of_a_terminal(box, path):
    """`configure exclusive` keeps gRPC out, and gRPC's lock that."""
    router = box.relay
    router.start("relayd", "--tcli", "--grpc", f"unix:{path}")
    with Client(f"unix:{path}") as client:
        with Vty(router.dir / "relayd.vty") as vty:
            assert vty.ask("configure exclusive")[1] == 0
            fails("FAILED_PRECONDITION", client.lock)
            fails("FAILED_PRECONDITION", client.unlock)
            number = client.create()
            client.edit(number, {relay("a"): ""})
            for phase in ("ALL", "PREPARE"):
                fails("UNAVAILABLE", client.commit, number, phase)
            assert router.json("relayd", "show grpc json")["lock"] in ("CLI", None)
            vty.ask("end")
            client.commit(number)
        client.lock()
        with Vty(router.dir / "relayd.vty") as vty:
            text, code = vty.ask("configure exclusive")
            assert code and the_line(text)
            vty.ask("configure terminal")
            vty.ask("relay b")
            vty.ask("exit")
            assert "lock" in vty.ask("commit")[0]
            client.unlock()
            vty.ask("update")
            assert "committed" in vty.ask("commit")[0]
        assert {each["name"] for each in client.tree("/", kind="CONFIG")["instance"]} == {"a", "b"}


def test_it_ends_with_relayd(box):
    """UNAVAILABLE, and relayd does not wait for who listens."""
    router = box.relay
    router.start("relayd", "--grpc", f"unix:{router.dir}/grpc")
    router.configure("relay r", *BASIC, "no shutdown")
    router.wait_relay("r", "up")
    with Client(f"unix:{router.dir}/grpc") as client, Client(f"unix:{router.dir}/grpc") as other, \
            Raw(dial_unix(router.dir / "grpc")(), window=0) as raw:
        listener = Listener(client)
        number = other.create()
        other.edit(number, {relay("a"): ""})
        other.commit(number, "PREPARE")
        other.lock()
        stream = raw.call(EVENTS + "Subscribe", ev.SubscribeRequest().SerializeToString())
        wait_for(lambda: router.json("relayd", "show grpc json")["subscriptions"] == 2, 5, "they listen")
        began = time.monotonic()
        assert router.stop("relayd") == 0, router.log("relayd")[-9000:]
        assert time.monotonic() - began < (20 if EMULATED else 3)
        listener.join(5)
        assert listener.end.code().name == "UNAVAILABLE" and listener.complete()
        raw.until(lambda: raw.closed or raw.status(stream) == 14, 5, "the end")
