"""The servers: how each is configured for the same records, started, asked by hand, watched and ended."""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from records import ZONE, Records

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
OURS = TARGET / "k8s-node-dns"
LISTEN = {"ipv4": ["127.0.0.1"], "ipv6": ["::1"], "wildcard": ["0.0.0.0", "::"]}
TICK = 10**9 // os.sysconf("SC_CLK_TCK")


@dataclass
class Entry:
    """A server that is to run: which one, what it is called in the tables, and how it is set up."""

    kind: str
    records: Records
    label: str = ""
    bind: str = "ipv4"
    threads: int | None = 1
    options: dict = field(default_factory=dict)  # flags of ours
    cores: tuple | None = None  # the first core, if it is not said
    through: tuple = ()  # words before the command
    program: Path = OURS  # another build of ours

    def __post_init__(self):
        self.label = self.label or self.kind


def free_port(listen):
    """A port above 1024 that nobody uses, for UDP or TCP, on any of the addresses."""
    while True:
        with ExitStack() as stack:
            port = 0
            try:
                for address, kind in itertools.product(listen, (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    s = stack.enter_context(socket.socket(family, kind))
                    if family == socket.AF_INET6:
                        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    s.bind((address, port))
                    port = s.getsockname()[1]
                return port
            except OSError:
                continue


def pinned(cores, *argv):
    """The command, to run on these cores only."""
    return ["taskset", "-c", ",".join(map(str, cores)), *map(str, argv)]


def command(entry, directory, port):
    """Writes the configuration of a server into `directory` and returns its command line."""
    config = directory / "config"
    zone = directory / "zones" / ZONE
    zone.parent.mkdir()
    zone.write_text(entry.records.zone_file())
    listen = LISTEN[entry.bind]
    at = [f"{address}@{port}" for address in listen]
    if entry.kind == "echo":
        address = listen[-1]
        return [TARGET / "examples/echo", f"[{address}]:{port}" if ":" in address else f"{address}:{port}"]
    if entry.kind == "ours":
        options = {"zone": ZONE, "soa-ns": f"ns1.{ZONE}:127.0.0.1", "soa-email": f"admin@{ZONE}", "port": port}
        options |= {"service-annotation": "", "http-listen": ""} | entry.options
        if entry.threads:
            options["threads"] = entry.threads
        if "kubeconfig" not in options:
            config.write_text(entry.records.cluster_file())
            options["cluster-file"] = config
        if entry.bind != "wildcard":
            options["bind"] = listen[0]
        return [entry.program, *(f"--{flag}={value}" for flag, value in options.items())]
    if entry.kind == "gdnsd":
        sockets = ", ".join(f'"[{address}]:{port}"' for address in listen)
        config.write_text(
            f"options => {{ listen => [ {sockets} ], udp_threads => {entry.threads}, tcp_threads => 1,"
            f" run_dir => {directory}/run, state_dir => {directory}/state }}\n"
        )
        return ["gdnsd", "-c", directory, "start"]
    if entry.kind == "nsd":
        addresses = "".join(f"  ip-address: {address}\n" for address in at)
        # Its rate limit is on by default and would drop most of the queries; the others send minimal replies anyway.
        config.write_text(
            f"server:\n{addresses}  server-count: {entry.threads}\n  rrl-ratelimit: 0\n  minimal-responses: yes\n"
            f"  reuseport: {'yes' if entry.threads > 1 else 'no'}\n"
            f'  username: ""\n  chroot: ""\n  database: ""\n  zonesdir: "{directory}"\n  pidfile: "{directory}/pid"\n'
            f'  zonelistfile: "{directory}/zone.list"\n  xfrdfile: "{directory}/xfrd.state"\n  xfrdir: "{directory}"\n'
            f'remote-control:\n  control-enable: no\nzone:\n  name: {ZONE}\n  zonefile: "{zone}"\n'
            "  provide-xfr: 127.0.0.1 NOKEY\n"
        )
        return ["nsd", "-d", "-c", config]
    config.write_text(
        f"server:\n  listen: [ {', '.join(at)} ]\n  rundir: {directory}\n  udp-workers: {entry.threads}\n"
        f"  tcp-workers: 1\n  background-workers: 1\ndatabase:\n  storage: {directory}\n"
        "acl:\n  - id: transfers\n    address: 127.0.0.1\n    action: transfer\n"
        f"zone:\n  - domain: {ZONE}\n    file: {zone}\n    zonefile-sync: -1\n    acl: transfers\n"
    )
    return ["knotd", "-c", config]


class Server:
    """A server that runs, as leader of a session of its own."""

    def __init__(self, entry, directory, cores):
        self.kind, self.label, self.records = entry.kind, entry.label, entry.records
        self.target = "::1" if entry.bind == "ipv6" else "127.0.0.1"
        self.directory = directory
        self.directory.mkdir()
        self.port = free_port(LISTEN[entry.bind])
        argv = [*entry.through, *pinned(entry.cores or cores[:1], *command(entry, self.directory, self.port))]
        with open(self.directory / "log", "wb") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self.process = subprocess.Popen(argv, **pipes, start_new_session=True)

    def answers(self):
        """What it says to one question of each kind, in a form that can be compared."""
        area = self.records.areas[-1]
        questions = [f"{area}.{ZONE} A", f"{area}.{ZONE} AAAA", f"missing-{area}.{ZONE} A", f"{ZONE} SOA"]
        return [self.ask(question) for question in questions]

    def ask(self, question):
        """Rcode, flags and records of its answer; None if there is none."""
        dig = ["dig", f"@{self.target}", f"-p{self.port}", "+norec", "+noedns", "+tries=1", "+timeout=1"]
        shown = subprocess.run([*dig, *question.split()], capture_output=True, text=True).stdout
        header = re.search(r"status: (\w+).*\n;; flags: ([a-z ]*);", shown)
        if not header:
            return None
        records = [" ".join(line.split()) for line in shown.splitlines() if line and not line.startswith(";")]
        # Our serial is the time.
        records = [re.sub(r"(SOA \S+ \S+) \d+", r"\1 SERIAL", record) for record in records]
        return [header[1], header[2], *sorted(records)]

    def wait(self):
        """Waits until it answers."""
        question = f"{ZONE} SOA"
        deadline = time.monotonic() + 15
        while self.process.poll() is None and time.monotonic() < deadline:
            if (answer := self.ask(question)) and (self.kind == "echo" or len(answer) == 3):
                return
            time.sleep(0.1)
        sys.exit(f"{self.label} does not answer; it said:\n{self.log()}")

    def log(self):
        """What it wrote."""
        return (self.directory / "log").read_text(errors="replace")

    def processes(self):
        """Its processes in /proc, children included, with what `stat` says after the name."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                fields = (process / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid:
                yield process, fields

    def cpu(self):
        """Its CPU time so far in ns: all, and what clock ticks met in user space and in the kernel.

        The scheduler counts each thread's time to the nanosecond (`schedstat`); how much of it was user space is
        known from clock ticks (`stat`) only.
        """
        run, user, system = sum(self.threads().values()), 0, 0
        for _, fields in self.processes():
            user, system = user + int(fields[11]) * TICK, system + int(fields[12]) * TICK
        return run, user, system

    def threads(self):
        """CPU time so far in ns by thread: its number and name."""
        times = {}
        for process, _ in self.processes():
            for task in process.glob("task/*"):
                try:
                    name = (task / "comm").read_text().strip()
                    times[int(task.name), name] = int((task / "schedstat").read_text().split()[0])
                except OSError:
                    continue
        return times

    def memory(self, *names):
        """Sums over its processes of these lines of `smaps_rollup`, in KiB."""
        sums = dict.fromkeys(names, 0)
        for process, _ in self.processes():
            for line in (process / "smaps_rollup").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in sums:
                    sums[name] += int(value.split()[0])
        return [sums[name] for name in names]

    def peak(self):
        """The most memory it ever had resident, in KiB: the sum of its processes'."""
        texts = [(process / "status").read_text() for process, _ in self.processes()]
        return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in texts)

    def end(self):
        """Ends it and what it started, which is its session."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def compare(servers):
    """Ends the race before it begins unless those with the same records give the same answers."""
    first = {}
    for server in servers:
        if server.kind == "echo":
            continue
        given = server.answers()
        other, expected = first.setdefault(id(server.records), (server, given))
        for mine, theirs in zip(given, expected):
            if mine is None or mine != theirs:
                sys.exit(f"they don't answer the same: {other.label} says {theirs}, {server.label} says {mine}")
