"""Several workers: whether all have work, and whether there are as many as the CPUs that they may use."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

from load import asked_by_dnsperf
from records import Records
from servers import Entry

WORKERS = 4
FAIR = 0.25  # of an even share is the least that a worker may have


def workers(race):
    race.report.section("workers", f"shares of {WORKERS} workers' CPU time, 64 source ports, on all cores")
    records = Records(race.nodes)
    cores = tuple(race.cores)
    entries = [Entry(kind, records, threads=WORKERS, cores=cores) for kind in race.peers if kind != "echo"]
    with race.servers(*entries) as servers:
        for server in servers:
            before = server.threads()
            asked_by_dnsperf(race, server, "-c", 64)
            times = {thread: ran - before.get(thread, 0) for thread, ran in server.threads().items()}
            if server.kind == "ours":
                times = {thread: ran for thread, ran in times.items() if thread[1].startswith("udp-")}
            busiest = sorted(times.values(), reverse=True)[:WORKERS]
            shares = [ran / max(sum(busiest), 1) for ran in busiest]
            print(f"        {server.label:8}" + " ".join(f"{share:6.1%}" for share in shares))
            if server.kind == "ours":
                least, bound = shares[-1], FAIR / WORKERS
                text = f"at least {bound:.1%}, a quarter of an even share"
                race.report.judge("least share of ours", f"{least:.1%}", text, len(times) == WORKERS and least >= bound)
    for what, allowed, entry in (
        ("affinity to one core", 1, Entry("ours", records, threads=None, cores=cores[:1])),
        ("affinity to two cores", 2, Entry("ours", records, threads=None, cores=cores)),
    ):
        count(race, what, allowed, entry)
    with quota(1) as group:
        if group is None:
            print("        cgroup quota: not measured, since no group for CPU time can be made here")
        else:
            join = ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group))
            count(race, "cgroup quota of one CPU", 1, Entry("ours", records, threads=None, cores=cores, through=join))


def count(race, what, allowed, entry):
    """Judges how many workers are started without --threads, and whether all of them have work."""
    with race.servers(entry) as (server,):
        before = server.threads()
        asked_by_dnsperf(race, server, "-c", 64)
        ran = [time - before[thread] for thread, time in server.threads().items() if thread[1].startswith("udp-")]
    busy = sum(time > FAIR / max(len(ran), 1) * sum(ran) for time in ran)
    ok = len(ran) == busy == allowed
    race.report.judge(f"{what}: UDP workers", f"{len(ran)}, {busy} of them busy", f"exactly {allowed}", ok)


@contextmanager
def quota(cpus):
    """A cgroup that allows so many CPUs, of version 1 or 2; None where none can be made."""
    made = None
    try:
        for root, file, text in (
            (Path("/sys/fs/cgroup"), "cpu.max", f"{cpus * 100_000} 100000"),
            (Path("/sys/fs/cgroup/cpu"), "cpu.cfs_quota_us", str(cpus * 100_000)),
        ):
            group = root / f"race-{os.getpid()}"
            try:
                if not (root / "cgroup.procs").exists():
                    continue
                group.mkdir()
                made = group
                if (group / file).exists():
                    (group / file).write_text(text)
                    break
                made = group.rmdir()
            except OSError:
                continue
        yield made
    finally:
        for _ in range(50):  # its last process may not be gone yet
            try:
                if made:
                    made.rmdir()
                break
            except OSError:
                time.sleep(0.1)
