# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces, links and routing daemons for the system tests.

Everything that a Lab makes it takes away again, also after a failure: it is a
context manager.  Namespaces are named after the process (frl<pid>-...), so
that labs can stand beside each other; what a killed run left behind is swept
at the next start, by that prefix only.
"""

import contextlib
import ctypes
import functools
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FRR_RELAY_BUILD", REPO / "build")).resolve()
FRR = pathlib.Path("/usr/lib/frr")
RELAYD = pathlib.Path(os.environ.get("FRR_RELAY_RELAYD", BUILD / "relayd"))
VTYSH = pathlib.Path(os.environ.get("FRR_RELAY_VTYSH", BUILD / "vtysh"))
# since FRR 10 it always runs, and has the configuration of some daemons
MGMTD = (FRR / "mgmtd").exists()
BEHIND_MGMTD = {"staticd"} if MGMTD else set()

CLONE_NEWNET = 0x40000000
NS_DIR = pathlib.Path("/run/netns")
PREFIX = "frl"

libc = ctypes.CDLL(None, use_errno=True)


# ------------------------------------------------------------------- waiting

class Timeout(AssertionError):
    """A condition did not come about."""


# the processor of the small VM; bounds of time have to know
EMULATED = "QEMU TCG" in pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii")


def wait_for(cond, timeout, what):
    """Polls cond() until it is true; its value is returned.

    What cond() raises while it is not yet possible to tell (a socket that is
    not there, a key that is missing) counts as false, and is shown at the end.
    """
    end = time.monotonic() + timeout
    pause = 0.01
    while True:
        last = None
        try:
            value = cond()
            if value:
                return value
        except (OSError, LookupError, ValueError, subprocess.SubprocessError) as err:
            last = err
        if time.monotonic() >= end:
            raise Timeout(f"not within {timeout} s: {what}" + (f" ({last!r})" if last else ""))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def holds_for(cond, seconds, what):
    """cond() stays true all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert cond(), f"no longer: {what}"
        time.sleep(0.1)


def the_line(text):
    """The one line of a refusal."""
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, f"one line wanted:\n{text}"
    assert lines[0].startswith("% "), lines[0]
    return lines[0]


# ---------------------------------------------------------------- namespaces

class Ns:
    """A network namespace."""

    def __init__(self, name):
        self.name = name
        self.path = NS_DIR / name

    def call(self, func, *args):
        """Runs func in this namespace, in a thread of its own."""
        box = {}

        def body():
            try:
                fd = os.open(self.path, os.O_RDONLY)
                try:
                    if libc.setns(fd, CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(fd)
                box["value"] = func(*args)
            except BaseException as err:  # handed to the caller
                box["error"] = err

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if "error" in box:
            raise box["error"]
        return box.get("value")

    def socket(self, *args):
        return self.call(socket.socket, *args)

    def run(self, *cmd, check=True, **kwargs):
        kwargs.setdefault("timeout", 60)
        run = subprocess.run(["nsenter", f"--net={self.path}", "--", *map(str, cmd)], text=True,
                             capture_output=True, check=False, **kwargs)
        if check and run.returncode:
            raise AssertionError(f"{' '.join(map(str, cmd))}: {run.stdout}{run.stderr}")
        return run

    def ip(self, *lines):
        """Lines of `ip -batch`."""
        run = subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(lines) + "\n", text=True,
                             capture_output=True, check=False, timeout=120)
        assert run.returncode == 0, f"ip: {lines}: {run.stdout}{run.stderr}"

    def ip_json(self, *args):
        run = subprocess.run(["ip", "-n", self.name, "-j", "-d", *args], text=True, capture_output=True,
                             check=False, timeout=60)
        return json.loads(run.stdout or "[]") if run.returncode == 0 else []

    def sysctl(self, name, value=None):
        path = pathlib.Path("/proc/sys") / name
        if value is None:
            return self.call(path.read_text).strip()
        return self.call(path.write_text, str(value))

    def links(self):
        """Names of the interfaces."""
        return set(self.call(lambda: [name for _, name in socket.if_nameindex()]))

    def link(self, ifname):
        """Of one interface, what `ip -d link` says; {} where there is none."""
        found = self.ip_json("link", "show", "dev", ifname)
        return found[0] if found else {}

    def addrs(self, ifname):
        found = self.ip_json("addr", "show", "dev", ifname)
        return {f"{a['local']}/{a['prefixlen']}" for a in (found[0] if found else {}).get("addr_info", [])}

    def nft(self):
        return self.run("nft", "list", "ruleset").stdout


def sysctl_tree(ns):
    """Every readable /proc/sys/net/ipv[46] value that an operator could set."""
    found = {}
    for line in ns.run("grep", "-rs", "", "/proc/sys/net/ipv4", "/proc/sys/net/ipv6", check=False).stdout.splitlines():
        path, value = line.split(":", 1)
        name = path.rsplit("/", 1)[1]
        # secrets, and what the kernel counts by itself
        if "/neigh/" not in path and name not in ("stable_secret", "tcp_fastopen_key") and "nr_" not in name:
            found[path[len("/proc/sys/"):]] = found.get(path[len("/proc/sys/"):], "") + value
    assert len(found) > 200, "the sysctls can't be read"
    return found


def kernel_state(ns):
    """What relayd could leave behind, in a form that compares: no indices, no times."""

    def clean(entry, drop):
        return json.dumps({k: v for k, v in entry.items() if k not in drop}, sort_keys=True)

    links, addrs = {}, {}
    for link in ns.ip_json("addr"):
        addrs[link["ifname"]] = sorted(f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", [])
                                       if not a["local"].startswith("fe80:"))
        if "xdp" in link:  # a program that is put back has another number
            link["xdp"] = [link["xdp"]["mode"], link["xdp"].get("prog", {}).get("name")]
        links[link["ifname"]] = clean(link, ("addr_info", "ifindex", "link_index", "link_netnsid", "txqlen", "address",
                                             "permaddr", "qdisc", "operstate", "flags"))
    rules = sorted(clean(rule, ()) for fam in ("-4", "-6") for rule in ns.ip_json(fam, "rule"))
    routes = sorted(clean(route, ("nhid", "nh_info", "expires", "flags", "pref"))
                    for fam in ("-4", "-6") for route in ns.ip_json(fam, "route", "show", "table", "all")
                    if not str(route.get("dst", "")).startswith(("fe80:", "ff00:", "multicast")))
    # counters move by themselves, and each relayd has a nonce of its own
    nft = re.sub(r"counter packets \d+ bytes \d+", "counter", ns.nft())
    nft = re.sub(r"0x[0-9a-f]{13,16}\b", "NONCE", nft)
    return {"links": links, "addrs": addrs, "rules": rules, "routes": routes, "nft": nft, "tc": tc_state(ns),
            "sysctl": sysctl_tree(ns)}


TC_NUMBERS = re.compile(r"id \d+|\[\d+\]|tag [0-9a-f]+")


def tc_state(ns):
    """Queueing disciplines that someone made, and all filters at ingress and egress."""
    state = sorted(f"{q['dev']}: {q['kind']}" for q in json.loads(ns.run("tc", "-j", "qdisc").stdout)
                   if q["kind"] not in ("noqueue", "pfifo_fast", "fq_codel", "mq"))
    for dev in sorted({line.split(":")[0] for line in state if line.endswith("clsact")}):
        for way in ("ingress", "egress"):
            run = ns.run("tc", "filter", "show", "dev", dev, way, check=False)
            assert run.returncode == 0 or "Cannot find device" in run.stderr, run.stderr
            # a program that is put back has another number
            state += [f"{dev} {way}: {TC_NUMBERS.sub('N', line.strip())}"
                      for line in run.stdout.splitlines() if "handle" in line]
    return state


def state_diff(old, new):
    """Readable differences of two kernel_state()s; [] when they agree."""
    diff = []
    for part, was in old.items():
        now = new[part]
        if isinstance(was, dict):
            diff += [f"{part} {key}: {was.get(key)} -> {now.get(key)}"
                     for key in sorted(was.keys() | now.keys()) if was.get(key) != now.get(key)]
        elif was != now:
            if isinstance(was, list):
                diff += [f"{part} gone: {x}" for x in was if x not in now]
                diff += [f"{part} new: {x}" for x in now if x not in was]
            else:
                diff.append(f"{part}:\n{was}\n->\n{now}")
    return diff


@functools.cache
def host_has_sit():
    cmd = "ip link add frlsit type sit local 192.0.2.1 ttl 64"
    run = subprocess.run(["unshare", "--net", "sh", "-c", f"{cmd} || {{ modprobe sit && {cmd}; }}"],
                         capture_output=True, check=False)
    return run.returncode == 0


# ----------------------------------------------------------------- processes

def stop_process(proc, sig=signal.SIGTERM, timeout=30):
    """Ends a process that this lab has started; returns its exit code."""
    if proc.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            proc.send_signal(signal.SIGCONT)
            proc.send_signal(sig)
        try:
            proc.wait(timeout)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait(10)
    return proc.returncode


class Vty:
    """A daemon's vty socket, spoken to as vtysh does: commands and answers end with NULs.

    Faster by far than a vtysh a question; what an operator types goes through
    Router.vtysh().
    """

    def __init__(self, path, timeout=30):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(str(path))
        except OSError:
            self.sock.close()
            raise

    def __enter__(self):
        self.ask("enable")
        return self

    def __exit__(self, *_):
        self.sock.close()

    def ask(self, line):
        """(output, code); code 0 is success."""
        self.sock.sendall(line.encode() + b"\0")
        data = b""
        while not (len(data) >= 4 and data[-4:-1] == b"\0\0\0"):
            chunk = self.sock.recv(65536)
            if not chunk:
                raise ConnectionError(f"the daemon closed the vty at {line!r}")
            data += chunk
        return data[:-4].decode(), data[-1]


# --------------------------------------------------------------------- a lab

class Lab:
    """Namespaces, links and processes that go away together."""

    serial = itertools.count()
    swept = False

    def __init__(self):
        self.tag = f"{PREFIX}{os.getpid()}x{next(Lab.serial)}"
        self.nss = []
        self.procs = []
        self.stack = contextlib.ExitStack()
        self.dir = None

    def __enter__(self):
        if not Lab.swept:
            sweep()
            Lab.swept = True
        NS_DIR.mkdir(parents=True, exist_ok=True)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=self.tag + "-"))
        self.dir.chmod(0o755)
        return self

    def __exit__(self, *_):
        for proc in reversed(self.procs):
            stop_process(proc, signal.SIGKILL, 10)
        self.stack.close()
        for ns in self.nss:
            delete_ns(ns.name)
        if not os.environ.get("FRR_RELAY_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def ns(self, name, forwarding=False):
        ns = Ns(f"{self.tag}-{name}")
        self.nss.append(ns)  # first: it goes with the lab, whatever happens in the midst of it
        subprocess.run(["ip", "netns", "add", ns.name], check=True)
        fwd = int(forwarding)

        def prepare():
            for key, value in (("ipv6/conf/all/accept_dad", 0), ("ipv6/conf/default/accept_dad", 0),
                               ("ipv6/conf/default/dad_transmits", 0), ("ipv6/conf/all/keep_addr_on_down", 1),
                               ("ipv6/conf/default/keep_addr_on_down", 1), ("ipv4/ip_forward", fwd),
                               ("ipv6/conf/default/accept_ra", 0), ("ipv6/conf/all/forwarding", fwd),
                               ("ipv6/conf/default/forwarding", fwd), ("ipv4/conf/default/rp_filter", 0),
                               ("ipv4/conf/all/rp_filter", 0)):
                pathlib.Path("/proc/sys/net", key).write_text(str(value))

        ns.call(prepare)
        ns.ip("link set lo up")
        return ns

    def link(self, a, ifa, addrs_a, b, ifb, addrs_b):
        """A veth pair between two namespaces, with addresses, up."""
        a.ip(f"link add {ifa} type veth peer name {ifb} netns {b.name}",
             *[f"addr add {addr} dev {ifa}" + (" nodad" if ":" in addr else "") for addr in addrs_a],
             f"link set {ifa} up")
        b.ip(*[f"addr add {addr} dev {ifb}" + (" nodad" if ":" in addr else "") for addr in addrs_b],
             f"link set {ifb} up")

    def spawn(self, ns, *cmd, **kwargs):
        """A process in ns; the pid is the command's own."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        proc = subprocess.Popen(["ip", "netns", "exec", ns.name, *map(str, cmd)], **kwargs)
        self.procs.append(proc)
        return proc

    def router(self, name):
        return Router(self, self.ns(name, forwarding=True), name)


def delete_ns(name):
    run = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
    for pid in run.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def sweep():
    """Takes away namespaces of a run that was killed: those whose process is gone."""
    for path in NS_DIR.glob(f"{PREFIX}[0-9]*x[0-9]*-*"):
        pid = int(path.name[len(PREFIX):].split("x")[0])
        if not pathlib.Path(f"/proc/{pid}").exists():
            delete_ns(path.name)


# ------------------------------------------------------------------- routers

class Router:
    """A namespace with FRR's daemons and relayd, each run as FRR runs them."""

    def __init__(self, lab, ns, name):
        self.lab = lab
        self.ns = ns
        self.name = name
        self.dir = lab.dir / name
        self.dir.mkdir()
        shutil.chown(self.dir, "frr", "frr")
        self.procs = {}
        if MGMTD:
            # daemons find mgmtd by pathspace, --vty_socket does not move its sockets
            self.run_dir = pathlib.Path("/run/frr", f"{lab.tag}-{name}")
            self.run_dir.mkdir(parents=True)
            shutil.chown(self.run_dir, "frr", "frr")
            lab.stack.callback(shutil.rmtree, self.run_dir, ignore_errors=True)
        # a test that kills relayd starts the next one in its own time
        self.undo_after = 60
        for file in ("vtysh.conf", "frr.conf"):
            (self.dir / file).write_text("")
            shutil.chown(self.dir / file, "frr", "frr")

    # ---- daemons

    def start(self, daemon, *args, config="", program=None, wait=True, wrap=()):
        """Starts a daemon and waits for its vty."""
        if daemon == "relayd" and self.undo_after is not None and "--undo-after" not in args:
            args += ("--undo-after", self.undo_after)
        if MGMTD and daemon != "relayd":
            if daemon != "mgmtd" and "mgmtd" not in self.procs:
                self.start("mgmtd")
            args += ("-N", self.run_dir.name)
        program = program or (RELAYD if daemon == "relayd" else FRR / daemon)
        conf = self.dir / f"{daemon}.conf"
        conf.write_text(config)
        # a daemon opens the file of --log before it is user frr, and may have to again
        log = self.dir / f"{daemon}.log"
        log.touch()
        for path in (conf, log):
            shutil.chown(path, "frr", "frr")
        socket_path = self.dir / f"{daemon}.vty"
        with contextlib.suppress(FileNotFoundError):
            socket_path.unlink()
        if not (MGMTD and daemon == "mgmtd" or daemon in BEHIND_MGMTD):
            args += ("-f", conf)
        with open(self.dir / f"{daemon}.err", "ab") as err:
            proc = self.lab.spawn(
                self.ns, *wrap, program, "--vty_socket", self.dir, "-z", self.dir / "zserv.api", "-i",
                self.dir / f"{daemon}.pid", "-A", "127.0.0.1", "-P", "0", "--log",
                f"file:{self.dir}/{daemon}.log", "--log-level", "debugging", *args, stdout=err, stderr=err)
        self.procs[daemon] = proc
        if wait:
            def ready():
                assert proc.poll() is None, f"{daemon} ended at once ({proc.returncode}): {self.log(daemon)}"
                with Vty(socket_path) as vty:
                    return vty.ask("show version")
            wait_for(ready, 60, f"{daemon} answers on its vty")
        if config and daemon in BEHIND_MGMTD:
            self.configure(*config.splitlines(), daemon=daemon)
        return proc

    def stop(self, daemon, sig=signal.SIGTERM, timeout=60):
        proc = self.procs.pop(daemon)
        self.lab.procs.remove(proc)
        return stop_process(proc, sig, timeout)

    def kill(self, daemon, sig=signal.SIGKILL):
        self.procs[daemon].send_signal(sig)
        if sig == signal.SIGKILL:
            proc = self.procs.pop(daemon)
            self.lab.procs.remove(proc)
            proc.wait(10)

    def log(self, daemon):
        text = ""
        for suffix in ("log", "err"):
            with contextlib.suppress(FileNotFoundError):
                text += (self.dir / f"{daemon}.{suffix}").read_text(errors="replace")
        return text

    def assert_sound(self):
        """relayd has not crashed, nor has a sanitizer complained."""
        if "relayd" in self.procs:
            code = self.procs["relayd"].poll()
            assert code is None, f"relayd has ended by itself ({code}):\n{self.log('relayd')[-4000:]}"
        bad = re.search(r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed|assertion \(|"
                        r"Received signal \d+ .*(?:SEGV|ABRT)", self.log("relayd"))
        assert not bad, self.log("relayd")[-6000:]

    # ---- questions and commands

    def ask(self, daemon, line):
        with Vty(self.dir / f"{daemon}.vty") as vty:
            return vty.ask(line)[0]

    def json(self, daemon, line):
        return json.loads(self.ask(daemon, line))

    def relay_json(self, name=None):
        data = self.json("relayd", "show relay " + (f"{name} json" if name else "json"))
        return data[name] if name else data

    def track_json(self, number=None):
        data = self.json("relayd", "show track " + (f"{number} json" if number else "json"))
        return data[str(number)] if number else data

    def configure(self, *lines, daemon="relayd", check=True):
        """Lines of the configuration node, over the vty socket; the answers, one string."""
        text = ""

        def ask(vty, line):
            answer = vty.ask(line)
            # mgmtd gives a daemon that has just connected its configuration, and takes none meanwhile
            return None if "could not lock" in answer[0] else answer

        with Vty(self.dir / f"{'mgmtd' if daemon in BEHIND_MGMTD else daemon}.vty") as vty:
            for line in ("configure terminal", *lines):
                out, code = wait_for(lambda: ask(vty, line), 10, f"{daemon} takes {line!r}")
                text += out
                assert not check or code == 0, f"{line!r} ({code}): {out}"
        return text

    def clear(self):
        """Takes every relay and track away again."""
        heads = [line.split() for line in self.running() if not line.startswith(" ")]
        self.configure(*[f"no relay {words[1]}" for words in heads if words[0] == "relay"])
        tracks = [words[1] for words in heads if words[0] == "track"]
        # who is used by a list goes after it
        while tracks:
            left = [n for n in tracks if self.configure(f"no track {n}", check=False)]
            assert len(left) < len(tracks), f"tracks {left} stay"
            tracks = left

    def vtysh_run(self, *args):
        env = dict(os.environ, VTYSH_PAGER="cat", VTYSH_HISTFILE="/dev/null")
        return subprocess.run([str(VTYSH), "--vty_socket", str(self.dir), "--config_dir", str(self.dir), *args],
                              text=True, capture_output=True, env=env, timeout=120, check=False)

    def boot(self, config=""):
        """`vtysh -b` with this configuration, as frrinit.sh does it."""
        (self.dir / "frr.conf").write_text(config)
        run = self.vtysh_run("-b")
        # FRR 10 says which daemon it is at
        run.stdout, run.stderr = (re.sub(r"^(\[\d+\|\w+\] (sending configuration|done)|Waiting for children .*)\n", "",
                                         text, flags=re.M) for text in (run.stdout, run.stderr))
        return run

    def vtysh(self, *lines):
        """What an operator types; stdout and stderr."""
        run = self.vtysh_run(*[word for line in lines for word in ("-c", line)])
        return run.stdout + run.stderr

    def vtysh_configure(self, *lines):
        return self.vtysh("configure terminal", *lines)

    def running(self, daemon="relayd"):
        """relay and track blocks of the running configuration, as lines."""
        text = self.ask(daemon, "show running-config")
        lines, inside = [], False
        for line in text.splitlines():
            if re.match(r"(relay|track|debug relay|no debug relay)\b", line):
                inside = not line.startswith(("debug", "no", "relay graceful-restart "))
                lines.append(line)
            elif inside:
                lines.append(line)
                inside = line != "exit"
        return [line for line in lines if line != "!"]

    def wait_relay(self, name, oper, reason=None, timeout=30):
        """Waits until the relay is in state oper (for reason)."""
        seen = {}

        def there():
            seen.clear()
            seen.update(self.relay_json(name))
            return seen["operStatus"] == oper and reason in (None, seen["reason"])

        try:
            wait_for(there, timeout, f"{name} {oper} {reason or ''}")
        except Timeout as err:
            raise Timeout(f"{err}; {json.dumps(seen)}\n{self.log('relayd')[-3000:]}") from None
        return seen

    def wait_track(self, number, state, timeout=30):
        try:
            wait_for(lambda: self.track_json(number)["state"] == state, timeout, f"track {number} {state}")
        except Timeout as err:
            raise Timeout(f"{err}; {self.track_json(number)}") from None

    @contextlib.contextmanager
    def static_route(self, prefix, nexthop):
        """A route of staticd's, for a while.

        When any client of zebra 10.3 ends, zebra forgets what all of them have asked for and it has not done
        (doc/developer/frr-releases.rst): nobody may end before zebra has taken the route back.
        """
        version = "ipv6" if ":" in prefix else "ip"
        self.configure(f"{version} route {prefix} {nexthop}", daemon="staticd")
        try:
            yield
        finally:
            self.configure(f"no {version} route {prefix} {nexthop}", daemon="staticd")
            wait_for(lambda: not any(route["protocol"] == "static" for route in self.rib_all(prefix)), 10,
                     f"zebra has no static route {prefix}")

    def rib_all(self, prefix, daemon="zebra"):
        """The routes for exactly this prefix as zebra has them."""
        version = "ipv6" if ":" in prefix else "ip"
        return self.json(daemon, f"show {version} route {prefix} json").get(prefix, [])

    def rib(self, prefix, daemon="zebra"):
        """The selected one of these, or None."""
        return next((route for route in self.rib_all(prefix, daemon) if route.get("selected")), None)

    def rib_openfabric(self):
        """Prefixes that relayd has in the RIB."""
        found = set()
        for version in ("ip", "ipv6"):
            found |= set(self.json("zebra", f"show {version} route openfabric json"))
        return found

    def wait_rib(self, prefixes, timeout=30):
        """Exactly these prefixes of relayd's are in the RIB."""
        wait_for(lambda: self.rib_openfabric() == set(prefixes), timeout, f"RIB holds {sorted(prefixes)}")
