"""Memory before and after a minute of load."""

from load import counted, dnsperf, finish
from records import Records
from servers import Entry

KIB = 256


def loaded(race, server, seconds, *options):
    """Memory before and after a load, and what was answered. A second of the same load comes before, so that what is
    allocated once, such as pages of a stack, is not taken for growth."""
    queries = race.queries(server.records)
    finish(dnsperf(server, queries, 1, *options, core=race.cores[1]))
    before = server.memory("Rss", "Pss")
    out, err = finish(dnsperf(server, queries, seconds, *options, core=race.cores[1]))
    return before, server.memory("Rss", "Pss"), counted(server, out, err)[0]


def memory(race):
    """Ours for the whole time; the peers for a sixth of it, to compare."""
    seconds = race.memory_seconds
    race.report.section("memory", "before and after a load, after a second of it to warm up (KiB)")
    print(f"{'':12}{'before':>9}{'after':>9}{'growth':>8}{'answered':>11}{'seconds':>9}")
    records = Records(5000)
    for kind in (kind for kind in race.peers if kind != "echo"):
        time = seconds if kind == "ours" else max(seconds // 6, 1)
        with race.servers(Entry(kind, records)) as (server,):
            for transport, options in (("udp", ()), ("tcp", ("-m", "tcp", "-c", 10))):
                before, after, answered = loaded(race, server, time, *options)
                growth = after[0] - before[0]
                print(f"{f'{kind} {transport}':12}{before[0]:9}{after[0]:9}{growth:8}{answered:11}{time:9}")
                if kind == "ours":
                    for what, then, now in zip(("Rss", "Pss"), before, after):
                        text = f"{what} after {time} s of {transport}"
                        race.report.judge(text, f"{now - then:+} KiB", f"within {KIB} KiB", abs(now - then) <= KIB)
