"""AXFR of 5 000 areas: how long it takes, and what it costs the server. All have the zone that ours makes of its nodes."""

import socket
import statistics
import struct
import subprocess
import time

from records import ZONE, Records
from report import ratios, within
from servers import Entry

AREAS = 5000
QUERY = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"".join(
    bytes([len(label)]) + label.encode() for label in [*ZONE.split("."), ""]
) + struct.pack("!2H", 252, 1)


class Transferred(Records):
    """The same records, with a zone file that has each name of our zone, `v4` and `v6` included."""

    def __init__(self, records, zone):
        self.nodes, self.areas, self.zone = records.nodes, records.areas, zone

    def zone_file(self, without=None):
        return self.zone


def connect(server):
    """A connection that takes what comes as fast as it can."""
    stream = socket.create_connection((server.target, server.port), timeout=30)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def axfr(stream, records, buffer=bytearray(1 << 20)):
    """Transfers the zone once, until so many records came; returns how many messages and octets that were."""
    stream.sendall(struct.pack("!H", len(QUERY)) + QUERY)
    view, have, messages, octets, count = memoryview(buffer), 0, 0, 0, 0
    while count < records:
        got = stream.recv_into(view[have:])
        if not got:
            raise EOFError(f"closed after {count} of {records} records")
        have, at = have + got, 0
        while have - at >= 2 and have - at >= (length := 2 + int.from_bytes(view[at : at + 2])):
            flags, _, answers = struct.unpack_from("!3H", view, at + 4)
            if flags & 15:
                raise ValueError(f"RCODE {flags & 15} after {count} records")
            messages, octets, count, at = messages + 1, octets + length, count + answers, at + length
        view[: have - at] = view[at:have]
        have -= at
    return messages, octets


def sample(race, server, records):
    """Seconds and CPU seconds of the server for each transfer, over some of them on one connection."""
    with connect(server) as stream:
        messages, octets = axfr(stream, records)
        cpu, began, count = server.cpu()[0], time.monotonic(), 0
        while (passed := time.monotonic() - began) < race.seconds:
            axfr(stream, records)
            count += 1
        return {"wall": passed / count, "cpu": (server.cpu()[0] - cpu) / 1e9 / count, "messages": messages, "octets": octets}


def transfer(race):
    """Ours beside NSD and Knot; each server in turn."""
    race.report.section("transfer", f"AXFR of {AREAS} areas over one connection, again and again")
    plain = Records(AREAS, 1)
    options = {"allow-transfer": "127.0.0.1"}
    with race.servers(Entry("ours", plain, options=options)) as (server,):
        dig = ["dig", f"@{server.target}", f"-p{server.port}", "+nocmd", "+nocomments", "+nostats", ZONE, "AXFR"]
        lines = subprocess.run(dig, capture_output=True, text=True, check=True).stdout.splitlines()
    lines = [line for line in lines if line and not line.startswith(";")]
    records = Transferred(plain, "\n".join(lines[:-1]) + "\n")  # the last one is the SOA again
    kinds = [kind for kind in race.peers if kind in ("ours", "nsd", "knot")]
    with race.servers(*(Entry(kind, records, options=options if kind == "ours" else {}) for kind in kinds)) as servers:
        samples = {server.label: [] for server in servers}
        for server in race.each_round(servers):
            samples[server.label].append(sample(race, server, len(lines)))
    print(f"{len(lines)} records\n{'':8}{'ms':>9}{'CPU ms':>9}{'messages':>10}{'octets':>10}")
    for label, taken in samples.items():
        wall, cpu = (1000 * statistics.median(one[what] for one in taken) for what in ("wall", "cpu"))
        print(f"{label:8}{wall:9.3f}{cpu:9.3f}{taken[0]['messages']:10}{taken[0]['octets']:10}")
    for peer in (kind for kind in kinds if kind != "ours"):
        for what in ("wall", "cpu"):
            values = ratios(samples["ours"], samples[peer], lambda one: one[what])
            race.report.judge(f"{what} time, ours/{peer}", within(values), "at most 1", statistics.median(values) <= 1)
