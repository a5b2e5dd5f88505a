"""Ten thousand TCP connections of the worst kind, and how the other clients fare meanwhile."""

import itertools
import socket
import statistics
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crowd import query
from load import companion, latencies, percentile
from records import Records
from report import within
from servers import Entry

CONNECTIONS = 10_000
RATE = 5_000
PERCENTS = (50, 99)
MOST = 1.1
GROWTH = 20 << 10  # KiB: 16 MiB that connections may hold together, and 4 MiB for the 1 000 connections themselves
CROWD, GUEST = "127.0.0.66", "127.0.0.2"


def flood(race):
    """Ours in every round; the peers in one, to compare. Beside each runs the echo, on the same core, without TCP."""
    title = f"{CONNECTIONS} TCP connections opened at once and again when closed: half are slow, half never read"
    race.report.section("flood", title)
    print(f"{'':8}UDP µs, before and during{'':7}the echo's meanwhile{'':9}  resident KiB      another TCP client")
    head = "".join(f"{f'p{percent}':>8}{'':7}" for percent in PERCENTS) * 2
    print(f"{'':6}{head}{'before':>8}{'peak':>8}{'queries':>9}{'failed':>7}{'p50 µs':>8}{'max ms':>8}")
    records = Records(150, 50)  # replies of 800 octets
    for kind in (kind for kind in race.peers if kind != "echo"):
        with race.servers(Entry(kind, records), Entry("echo", records)) as (server, echo):
            one(race, server, echo, race.rounds if kind == "ours" else 1)


def one(race, server, echo, rounds):
    """So many floods against one server."""
    memory, before, during, guests, notes = server.peak(), [], [], [], ""
    for turn in range(rounds):
        race.progress(f"round {turn + 1} of {rounds}")
        before.append(udp(race, server, echo))
        kernel, ran, start = tcp_memory(), server.threads(), time.monotonic()
        with companion("crowd.py", CROWD, server.port, CONNECTIONS, core=race.cores[1]) as crowd:
            crowd.stdout.readline()  # all are opened
            during.append(udp(race, server, echo))
            guests.append(guest(server.port, race.seconds))
            kernel = tcp_memory() - kernel
            tcp = sum(now - ran.get(name, 0) for name, now in server.threads().items() if name[1] == "tcp")
            share = tcp / 1e9 / (time.monotonic() - start)
            crowd.stdin.close()
            if len(counts := crowd.stdout.read().split()) != 2:
                sys.exit("the flood ended early")
        opened, still = counts
        notes = f"opened {opened}, open in the end {still}; the kernel's memory for TCP of both ends {kernel:+} KiB"
        notes += f"; its thread for TCP took {share:.0%} of a core" * (server.kind == "ours")
    race.progress()
    asked, failed = sum(times[0] for times in guests), sum(times[1] for times in guests)
    times = sorted(itertools.chain(*(times[2] for times in guests)))
    peak = server.peak()
    print(f"{server.label:6}", end="")
    for then, now in zip(zip(*before), zip(*during)):
        print(f"{statistics.median(then):8.0f}{statistics.median(now):7.0f}", end="")
    print(f"{memory:8}{peak:8}{asked:9}{failed:7}{percentile(times, 50):8.0f}{times[-1] / 1000:8.0f}")
    print(f"        {notes}")
    if server.kind == "ours":
        for i, percent in enumerate(PERCENTS):
            echo_i = i + len(PERCENTS)
            moved = [now[i] / then[i] / (now[echo_i] / then[echo_i]) for then, now in zip(before, during)]
            ok = statistics.median(moved) <= MOST
            text = f"UDP p{percent} during/before, over the same of the echo"
            race.report.judge(text, within(moved), f"at most {MOST}", ok)
        grown = peak - memory
        race.report.judge("growth of peak memory", f"{grown} KiB", f"at most {GROWTH} KiB", grown <= GROWTH)
        race.report.judge("queries of another TCP client that failed", f"{failed} of {asked}", "none", failed == 0)


def udp(race, *servers):
    """Percentiles of the latency of each, in µs. They are asked at the same time, so that both meet the same."""
    with ThreadPoolExecutor() as pool:
        asked = list(pool.map(lambda server: latencies(race, server, RATE, race.seconds)[0], servers))
    return [percentile(times, percent) for times in asked for percent in PERCENTS]


def guest(port, seconds):
    """A client that behaves: ten queries on a connection, one after the other, then a new one.

    Returns how many it asked, how many were not answered, and how long each took in µs, sorted; the first of each
    connection includes connecting.
    """
    failed, times = 0, []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            with socket.create_connection(("127.0.0.1", port), 5, (GUEST, 0)) as connection:
                with connection.makefile("rb") as replies:
                    for _ in range(10):
                        connection.sendall(query())
                        length = struct.unpack("!H", replies.read(2))[0]
                        if len(replies.read(length)) < length:
                            raise OSError("closed within a reply")
                        now = time.monotonic()
                        times.append((now - start) * 1e6)
                        start = now
        except (OSError, struct.error):
            failed += 1
            times.append((time.monotonic() - start) * 1e6)
    return len(times), failed, sorted(times)


def tcp_memory():
    """What the kernel holds for all TCP sockets of this network namespace, in KiB."""
    line = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return int(line.split()[-1]) * 4
