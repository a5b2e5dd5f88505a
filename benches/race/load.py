"""What asks the servers: dnsperf, and programs of this folder that do what dnsperf cannot."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import TARGET, pinned

SAMPLE = 500_000  # ns of user CPU time between two samples of perf
HERE = Path(__file__).resolve().parent


@dataclass
class Sample:
    """What a server did in one round: its CPU time in ns, and the queries that the client saw answered."""

    run: int
    user_ticks: int
    system_ticks: int
    user: float | None  # by perf, if there is perf
    completed: int
    lost: int

    @property
    def all_ns(self):
        return self.run / self.completed

    @property
    def user_ns(self):
        return None if self.user is None else self.user / self.completed


def finish(argv, stdout=subprocess.PIPE):
    """Runs a program to its end; ends it, with what it started, if this one is ended first."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": subprocess.PIPE}
    process = subprocess.Popen(list(map(str, argv)), **pipes, text=True, start_new_session=True)
    try:
        out, err = process.communicate()
        return out or "", err
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def dnsperf(server, queries, seconds, *options, core):
    """The command."""
    return pinned([core], "dnsperf", "-s", server.target, "-p", server.port, "-d", queries, "-l", seconds, *options)


def counted(server, out, err):
    """Queries completed and lost, and the rate, by what dnsperf printed."""
    found = dict(re.findall(r"Queries (completed|lost|per second): +([0-9.]+)", out))
    if not int(found.get("completed", 0)):
        sys.exit(f"dnsperf got no answer from {server.label}:\n{out}{err}")
    return int(found["completed"]), int(found["lost"]), float(found["per second"])


def perf_works():
    """Whether perf is there and allowed to sample user space."""
    try:
        argv = ["perf", "record", "-q", "-o", os.devnull, "-e", "cpu-clock:u", "-c", str(SAMPLE), "--", "true"]
        return subprocess.run(argv, capture_output=True).returncode == 0
    except OSError:
        return False


def measured(race, server, argv, read):
    """A round: runs a client and returns the server's `Sample`. `read` tells completed and lost from its output."""
    record = race.directory / "perf.data"
    if race.perf:
        pids = ",".join(process.name for process, _ in server.processes())
        argv = ["perf", "record", "-q", "-o", record, "-e", "cpu-clock:u", "-c", SAMPLE, "-p", pids, "--", *argv]
    before = server.cpu()
    out, err = finish(argv)
    run, user_ticks, system_ticks = (after - then for after, then in zip(server.cpu(), before))
    completed, lost = read(out, err)
    user = None
    if race.perf:
        shown, _ = finish(["perf", "script", "-i", record, "-F", "ip"])
        user = len(shown.split()) * SAMPLE
    return Sample(run, user_ticks, system_ticks, user, completed, lost)


def asked_by_dnsperf(race, server, *options):
    """A round of dnsperf as fast as it goes."""
    argv = dnsperf(server, race.queries(server.records), race.seconds, *options, *race.dnsperf, core=race.cores[1])
    return measured(race, server, argv, lambda out, err: counted(server, out, err)[:2])


def asked_from_many_networks(race, server):
    """A round of `benches/networks.rs`."""
    argv = [TARGET / "examples/networks", server.port, race.seconds, race.queries(server.records)]
    return measured(race, server, pinned([race.cores[1]], *argv), lambda out, err: tuple(map(int, out.split())))


def latencies(race, server, rate, seconds, *options):
    """Asks at `rate` a second; returns the latencies in µs, sorted, and how many queries were lost."""
    path = race.directory / f"latencies-{server.port}"
    argv = dnsperf(server, race.queries(server.records), seconds, "-Q", rate, "-v", *options, core=race.cores[1])
    with open(path, "w") as file:
        _, err = finish(argv, file)
    times, lost = [], 0
    with open(path) as file:
        for line in file:
            if line.startswith("> "):
                status, *_, latency = line[2:].split()
                if status in "TI":
                    lost += status == "T"
                else:
                    times.append(float(latency) * 1e6)
    if not times:
        sys.exit(f"dnsperf got no answer from {server.label}:\n{err}")
    return sorted(times), lost


def percentile(ordered, percent):
    """The value that so many percent of the values don't exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@contextmanager
def companion(program, *arguments, core):
    """A program of this folder beside the race. It ends when its standard input does, at the latest with the race."""
    argv = pinned([core], sys.executable, HERE / program, *arguments)
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()
