#!/usr/bin/env python3
"""CPU a query of this server, of gdnsd, NSD and Knot, and of a packet echo, which is the limit.

All serve the same records on loopback ports of their own, each with one worker on one core; dnsperf asks them in turn
from another core. What counts is the server's CPU time by the queries that dnsperf saw answered, not wall time: see
benches/README.md. Nothing is started before each server gives the same answers; whatever was started is ended.
"""

import argparse
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
ZONE = "race.test"
SERVERS = ["echo", "ours", "gdnsd", "nsd", "knot"]
PACKAGES = {"gdnsd": "gdnsd", "nsd": "nsd", "knotd": "knot", "dnsperf": "dnsperf", "dig": "bind9-dnsutils"}
PROGRAMS = {"gdnsd": "gdnsd", "nsd": "nsd", "knot": "knotd"}
LISTEN = {"ipv4": ["127.0.0.1"], "ipv6": ["::1"], "wildcard": ["0.0.0.0", "::"]}
TICK = 10**9 // os.sysconf("SC_CLK_TCK")


def arguments():
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="just race", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds; each asks every server once (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds for a server in a round (default 3)")
    parser.add_argument("--nodes", type=int, default=150, help="nodes, each with one A (default 150)")
    parser.add_argument("--area-nodes", type=int, default=3, help="nodes an area; the first also has an AAAA (default 3)")
    parser.add_argument("--servers", default=",".join(SERVERS), help="who runs (default %(default)s)")
    parser.add_argument("--bind", choices=LISTEN, default="ipv4", help="what they listen on (default ipv4)")
    parser.add_argument("--tcp", action="store_true", help="pipelined TCP connections instead of UDP; without the echo")
    parser.add_argument("dnsperf", nargs="*", help="options for dnsperf, after --, such as -e for EDNS")
    args = parser.parse_args()
    args.servers = [name for name in args.servers.split(",") if not (args.tcp and name == "echo")]
    if unknown := set(args.servers) - set(SERVERS):
        parser.error(f"--servers {','.join(unknown)}: choose from {','.join(SERVERS)}")
    args.listen, args.target = LISTEN[args.bind], "::1" if args.bind == "ipv6" else "127.0.0.1"
    return args


class Records:
    """The same records for everybody: areas of `area_nodes` nodes with an A each, the first with an AAAA as well."""

    def __init__(self, nodes, area_nodes):
        self.nodes = []
        for i in range(nodes):
            addresses = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}"] + [f"fd00::{i:x}"] * (i % area_nodes == 0)
            self.nodes.append((f"node-{i}", f"area-{i // area_nodes}", addresses))
        self.areas = sorted({area for _, area, _ in self.nodes})

    def cluster_file(self):
        """What `kubectl get nodes -o json` would print."""
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        keys = ("k8s.pootis.network/node-areas", "k8s.pootis.network/node-ips")
        items = [
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "annotations": dict(zip(keys, (area, ",".join(addresses))))},
                "status": ready,
            }
            for name, area, addresses in self.nodes
        ]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    def zone_file(self):
        """The zone that our server makes of them by default."""
        lines = [
            f"$ORIGIN {ZONE}.",
            "$TTL 30",
            "@ SOA ns1 admin 1 3600 900 604800 30",
            "@ NS ns1",
            "ns1 A 127.0.0.1",
        ]
        for _, area, addresses in self.nodes:
            lines += [f"{area} {'AAAA' if ':' in address else 'A'} {address}" for address in addresses]
        return "\n".join(lines) + "\n"

    def queries(self):
        """60 % A, 25 % AAAA, 10 % names that don't exist, 5 % SOA, in an order that is the same in each race."""
        rng = random.Random(1)
        lines = []
        for i in range(20_000):
            area = self.areas[i % len(self.areas)]
            kind = i // len(self.areas) % 20
            question = f"{area}.{ZONE} A"
            if kind >= 19:
                question = f"{ZONE} SOA"
            elif kind >= 17:
                question = f"missing-{area}.{ZONE} A"
            elif kind >= 12:
                question = f"{area}.{ZONE} AAAA"
            lines.append(question)
        rng.shuffle(lines)
        return "\n".join(lines) + "\n"


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


def command(name, args, directory, port):
    """Writes the configuration of a server for one worker into `directory` and returns its command line."""
    config = directory / "config"
    zone = directory / "zones" / ZONE
    zone.parent.mkdir()
    zone.write_text(args.records.zone_file())
    at = [f"{address}@{port}" for address in args.listen]
    if name == "echo":
        address = args.listen[-1]
        return [TARGET / "examples/echo", f"[{address}]:{port}" if ":" in address else f"{address}:{port}"]
    if name == "ours":
        config.write_text(args.records.cluster_file())
        options = {"zone": ZONE, "soa-ns": f"ns1.{ZONE}:127.0.0.1", "soa-email": f"admin@{ZONE}", "port": port}
        options |= {"cluster-file": config, "service-annotation": "", "threads": 1}
        bind = [] if args.bind == "wildcard" else [f"--bind={args.target}"]
        return [TARGET / "k8s-node-dns", *(f"--{flag}={value}" for flag, value in options.items()), *bind]
    if name == "gdnsd":
        listen = ", ".join(f'"[{address}]:{port}"' for address in args.listen)
        config.write_text(
            f"options => {{ listen => [ {listen} ], udp_threads => 1, tcp_threads => 1,"
            f" run_dir => {directory}/run, state_dir => {directory}/state }}\n"
        )
        return ["gdnsd", "-c", directory, "start"]
    if name == "nsd":
        addresses = "".join(f"  ip-address: {address}\n" for address in at)
        # Its rate limit is on by default and would drop most of the queries; the others send minimal replies anyway.
        config.write_text(
            f"server:\n{addresses}  server-count: 1\n  rrl-ratelimit: 0\n  minimal-responses: yes\n"
            f'  username: ""\n  chroot: ""\n  database: ""\n  zonesdir: "{directory}"\n  pidfile: "{directory}/pid"\n'
            f'  zonelistfile: "{directory}/zone.list"\n  xfrdfile: "{directory}/xfrd.state"\n  xfrdir: "{directory}"\n'
            f'remote-control:\n  control-enable: no\nzone:\n  name: {ZONE}\n  zonefile: "{zone}"\n'
        )
        return ["nsd", "-d", "-c", config]
    config.write_text(
        f"server:\n  listen: [ {', '.join(at)} ]\n  rundir: {directory}\n  udp-workers: 1\n  tcp-workers: 1\n"
        f"  background-workers: 1\ndatabase:\n  storage: {directory}\n"
        f"zone:\n  - domain: {ZONE}\n    file: {zone}\n    zonefile-sync: -1\n"
    )
    return ["knotd", "-c", config]


class Server:
    """A server that runs, as leader of a session of its own."""

    def __init__(self, name, args, directory):
        self.name = name
        self.target = args.target
        self.directory = directory / name
        self.directory.mkdir()
        self.port = free_port(args.listen)
        argv = pinned(args.cores[0], *command(name, args, self.directory, self.port))
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        self.samples = []

    def answers(self, records):
        """What it says to one question of each kind, in a form that can be compared."""
        area = records.areas[-1]
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
            if (answer := self.ask(question)) and (self.name == "echo" or len(answer) == 3):
                return
            time.sleep(0.1)
        log = (self.directory / "log").read_text(errors="replace")
        sys.exit(f"{self.name} does not answer; it said:\n{log}")

    def cpu(self):
        """Its CPU time so far in ns: all, and the ticks of it that met user space and the kernel.

        The scheduler counts each thread's time to the nanosecond (`schedstat`); how much of it was user space is
        known from clock ticks (`stat`) only.
        """
        run, user, system = 0, 0, 0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) != self.process.pid:
                    continue
                user, system = user + int(fields[11]) * TICK, system + int(fields[12]) * TICK
                run += sum(int(task.read_text().split()[0]) for task in process.glob("task/*/schedstat"))
            except OSError:
                continue
        return run, user, system

    def race(self, args):
        """Has dnsperf ask for one round."""
        argv = ["dnsperf", "-s", self.target, "-p", self.port, "-d", args.queries, "-l", args.seconds]
        argv += ["-m", "tcp", "-c", 10] * args.tcp + args.dnsperf
        before = self.cpu()
        done = subprocess.run(pinned(args.cores[1], *argv), capture_output=True, text=True)
        run, user, system = (after - then for after, then in zip(self.cpu(), before))
        counted = dict(re.findall(r"Queries (completed|lost): +(\d+)", done.stdout))
        if not int(counted.get("completed", 0)):
            sys.exit(f"dnsperf got no answer from {self.name}:\n{done.stdout}{done.stderr}")
        completed, lost = int(counted["completed"]), int(counted["lost"])
        self.samples.append((run * user / max(user + system, 1) / completed, run / completed, completed, lost))

    def end(self):
        """Ends it and what it started, which is its session."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def pinned(core, *argv):
    return ["taskset", "-c", str(core), *map(str, argv)]


def compare(servers, records):
    """Ends the race before it begins unless all give the same answers."""
    answers = {server.name: server.answers(records) for server in servers}
    for name, given in answers.items():
        for first, other in zip(next(iter(answers.values())), given):
            if first is None or first != other:
                sys.exit(f"the servers don't answer the same: {servers[0].name} says {first}, {name} says {other}")


def report(servers):
    """Prints medians, and ratios as medians of the ratios within a round."""
    named = {server.name: server.samples for server in servers}
    bases = [base for base in ("echo", "gdnsd") if base in named]
    head = f"{'':8}{'user ns':>9}{'all ns':>9}{'answered':>11}{'lost':>7}"
    print(head + "".join(f"{f'{part}/{base}':>13}" for base in bases for part in ("user", "all")))
    for name, samples in named.items():
        user, total = (statistics.median(column) for column in list(zip(*samples))[:2])
        answered, lost = (sum(column) for column in list(zip(*samples))[2:])
        line = f"{name:8}{user:9.0f}{total:9.0f}{answered:11}{lost:7}"
        for base, part in itertools.product(bases, (0, 1)):
            ratios = [mine[part] / theirs[part] for mine, theirs in zip(samples, named[base]) if theirs[part]]
            line += f"{statistics.median(ratios):13.3f}" if ratios else f"{'-':>13}"
        print(line)


def main():
    args = arguments()
    args.cores = sorted(os.sched_getaffinity(0))[:2]
    if len(args.cores) < 2:
        sys.exit("the race needs two cores: one for the server, one for dnsperf")
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    needed = ["dnsperf", "dig", *(PROGRAMS[name] for name in args.servers if name in PROGRAMS)]
    if missing := [PACKAGES[program] for program in needed if not shutil.which(program)]:
        sys.exit(f"not installed; on Debian: apt-get install {' '.join(missing)}")
    build = ["cargo", "build", "--release", "--quiet", "--bin", "k8s-node-dns", "--example", "echo"]
    subprocess.run(build, cwd=ROOT, check=True)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    args.records = Records(args.nodes, args.area_nodes)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="race-")))
        args.queries = directory / "queries"
        args.queries.write_text(args.records.queries())
        servers = []
        for name in args.servers:
            servers.append(Server(name, args, directory))
            stack.callback(servers[-1].end)
        for server in servers:
            server.wait()
        compare([server for server in servers if server.name != "echo"], args.records)
        for turn in range(args.rounds):
            print(f"\rround {turn + 1} of {args.rounds} ", end="", file=sys.stderr, flush=True)
            for server in servers:
                server.race(args)
        print("\r\033[K", end="", file=sys.stderr)
        report(servers)


if __name__ == "__main__":
    main()
