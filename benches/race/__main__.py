"""This server beside gdnsd, NSD, Knot and a packet echo, which is the limit: everything that the speed has to hold.

All serve the same records on loopback ports of their own, on one core; what asks them runs on another. Nothing is
measured before each gives the same answers; whatever was started is ended. See benches/README.md.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import cpu
import flood
import instructions
import latency
import load
import memory
import report
import transfer
import workers
from race import Race
from servers import LISTEN, ROOT

SECTIONS = {
    "cpu": cpu.cpu,
    "sizes": cpu.sizes,
    "instructions": instructions.instructions,
    "tcp": cpu.tcp,
    "memory": memory.memory,
    "latency": latency.latency,
    "workers": workers.workers,
    "limit": cpu.limit,
    "answers": cpu.answers,
    "transfer": transfer.transfer,
    "flood": flood.flood,
    "binary": cpu.binary,
}
SERVERS = ["echo", "ours", "gdnsd", "nsd", "knot"]
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
PACKAGES = {"gdnsd": "gdnsd", "nsd": "nsd", "knotd": "knot", "dnsperf": "dnsperf", "dig": "bind9-dnsutils"}
PROGRAMS = {"gdnsd": "gdnsd", "nsd": "nsd", "knot": "knotd"}


def some_of(allowed):
    """An argument's type: comma-separated names."""

    def parse(text):
        names = text.split(",")
        if unknown := set(names) - set(allowed):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(allowed)}")
        return names

    return parse


def arguments():
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="just race", description=__doc__.splitlines()[0])
    sections = "comma-separated: %(default)s"
    parser.add_argument("--sections", type=some_of(SECTIONS), default=",".join(name for name in SECTIONS if name != "binary"), help=sections)
    parser.add_argument("--rounds", type=int, default=5, help="rounds; each asks every server once (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds for a server in a round (default 3)")
    parser.add_argument("--memory-seconds", type=int, default=60, help="seconds of the load on memory (default 60)")
    parser.add_argument("--servers", type=some_of(SERVERS), default=",".join(SERVERS), help="who runs: %(default)s")
    only = parser.add_argument_group("sections cpu, tcp and binary")
    only.add_argument("--nodes", type=int, default=150, help="nodes, each with one A (default 150)")
    only.add_argument("--area-nodes", type=int, default=3, help="nodes an area; the first also has an AAAA (default 3)")
    only.add_argument("--binary", type=Path, help="another build of ours, for the section binary")
    only.add_argument("--bind", choices=LISTEN, default="ipv4", help="what they listen on (default ipv4)")
    parser.add_argument("dnsperf", nargs="*", help="options for dnsperf, after --, such as -e for EDNS")
    args = parser.parse_args()
    if "ours" not in args.servers:
        parser.error("--servers: without ours there is nothing to compare")
    if args.binary and not args.binary.is_file():
        parser.error(f"--binary {args.binary}: there is no such file")
    if args.binary and "binary" not in args.sections:
        args.sections.append("binary")
    return args


def end(number, _):
    """Ends the race upon a signal; a second one must not end the ending."""
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    args = arguments()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("the race needs two cores: one for the servers, one for what asks them")
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    needed = ["dnsperf", "dig", *(PROGRAMS[name] for name in args.servers if name in PROGRAMS)]
    if missing := [PACKAGES[program] for program in needed if not shutil.which(program)]:
        sys.exit(f"not installed; on Debian: apt-get install {' '.join(missing)}")
    build = ["cargo", "build", "--release", "--quiet", "--bin", "k8s-node-dns", "--example", "echo", "--example", "networks"]
    subprocess.run(build, cwd=ROOT, check=True)
    for number in ENDING:
        signal.signal(number, end)
    os.sched_setaffinity(0, cores[1:])
    sys.stdout.reconfigure(line_buffering=True)  # also into a file
    with tempfile.TemporaryDirectory(prefix="race-") as directory:
        race = Race(
            rounds=args.rounds,
            seconds=args.seconds,
            memory_seconds=args.memory_seconds,
            nodes=args.nodes,
            area_nodes=args.area_nodes,
            bind=args.bind,
            binary=args.binary,
            peers=[name for name in SERVERS if name in args.servers],
            cores=cores,
            perf=load.perf_works(),
            dnsperf=args.dnsperf,
            directory=Path(directory),
        )
        report.header(race)
        for name in args.sections:
            SECTIONS[name](race)
        race.report.end()


if __name__ == "__main__":
    main()
