"""The sections that are about CPU time a query: against the peers, with many nodes, over TCP, with the rate limit."""

import statistics

from load import asked_by_dnsperf, asked_from_many_networks
from records import Records
from report import all_ns, cpu_table, ratios, user_by_ticks, user_ns, within
from servers import Entry

MOST_USER, MOST_ALL = 0.6, 1.05  # of gdnsd's, of the echo's
SAME = 0.05
LIMIT_NS, WINDOW_NS = 40, 5


def rounds(race, entries, ask):
    """Runs the servers and lets `ask` ask each once a round. Returns their samples by label."""
    with race.servers(*entries) as servers:
        samples = {server.label: [] for server in servers}
        for server in race.each_round(servers):
            samples[server.label].append(ask(race, server))
    return samples


def cpu(race):
    """CPU time a query over UDP."""
    race.report.section("cpu", f"CPU a query over UDP, {race.nodes} nodes")
    records = Records(race.nodes, race.area_nodes)
    samples = rounds(race, [Entry(kind, records, bind=race.bind) for kind in race.peers], asked_by_dnsperf)
    cpu_table(samples, [base for base in ("echo", "gdnsd") if base in samples])
    if {"ours", "gdnsd"} <= samples.keys():
        judge_user(race, samples["ours"], samples["gdnsd"], "ours/gdnsd")
    if {"ours", "echo"} <= samples.keys():
        values = ratios(samples["ours"], samples["echo"], all_ns)
        ok = statistics.median(values) <= MOST_ALL
        race.report.judge("all CPU, ours/echo", within(values), f"at most {MOST_ALL}", ok)


def judge_user(race, ours, theirs, what):
    """User CPU by both ways to know it: ticks summed over all rounds, and samples round by round."""
    bound = f"at most {MOST_USER}"
    ticks = user_by_ticks(ours) / max(user_by_ticks(theirs), 0.1)
    race.report.judge(f"user CPU, {what}, ticks of all rounds", f"{ticks:.3f}", bound, ticks <= MOST_USER)
    if race.perf:
        values = ratios(ours, theirs, user_ns)
        ok = statistics.median(values) <= MOST_USER
        race.report.judge(f"user CPU, {what}, perf's samples", within(values), bound, ok)


def sizes(race):
    """The same with many nodes, on other addresses, and with replies that don't fit."""
    race.report.section("sizes", "CPU a query by the number of nodes and by what is listened on")
    few, many, large = Records(150), Records(5000), Records(5000, 100)
    entries = [
        Entry("ours", few, "150 nodes"),
        Entry("ours", many, "5000 nodes"),
        Entry("ours", few, "wildcard", bind="wildcard"),
        Entry("ours", few, "IPv6", bind="ipv6"),
        Entry("ours", large, "areas of 100"),
        Entry("gdnsd", few, "gdnsd 150"),
        Entry("gdnsd", many, "gdnsd 5000"),
        Entry("echo", few, "echo"),
        Entry("echo", few, "echo IPv6", bind="ipv6"),
    ]
    samples = rounds(race, [entry for entry in entries if entry.kind in race.peers], asked_by_dnsperf)
    base = samples["150 nodes"]
    cpu_table(samples, ["150 nodes"])
    for label in ("5000 nodes", "wildcard"):
        values = ratios(samples[label], base, all_ns)
        ok = statistics.median(values) <= 1 + SAME
        race.report.judge(f"all CPU, {label}/150 nodes on IPv4", within(values), f"at most {1 + SAME}", ok)
    if "gdnsd 5000" in samples:
        judge_user(race, samples["5000 nodes"], samples["gdnsd 5000"], "ours/gdnsd with 5000 nodes each")
    if "echo" in samples:
        values = ratios(samples["5000 nodes"], samples["echo"], all_ns)
        ok = statistics.median(values) <= MOST_ALL
        race.report.judge("all CPU, ours with 5000 nodes/echo", within(values), f"at most {MOST_ALL}", ok)
    if {"echo", "echo IPv6"} <= samples.keys():
        # The kernel's way of an IPv6 packet is a tenth longer than of an IPv4 one, which is no server's doing: the limit
        # there is the echo on IPv6.
        values = ratios(samples["IPv6"], samples["echo IPv6"], all_ns)
        ok = statistics.median(values) <= MOST_ALL
        race.report.judge("all CPU, ours/echo, both on IPv6", within(values), f"at most {MOST_ALL}", ok)
        ours, kernel = (statistics.median(ratios(samples[label], other, all_ns))
                        for label, other in (("IPv6", base), ("echo IPv6", samples["echo"])))
        print(f"        on IPv6/on IPv4: ours {ours:.3f}, the echo {kernel:.3f}")


def binary(race):
    """Another build beside this one, such as the static binary."""
    race.report.section("binary", f"CPU a query over UDP, {race.binary} beside what cargo builds here")
    if not race.binary:
        print("        not measured; --binary PATH names the other build")
        return
    records = Records(race.nodes, race.area_nodes)
    entries = [Entry("ours", records, bind=race.bind), Entry("ours", records, "other", race.bind, program=race.binary)]
    samples = rounds(race, entries, asked_by_dnsperf)
    cpu_table(samples, ["ours"])
    bound = f"at most {1 + SAME}"
    values = ratios(samples["other"], samples["ours"], all_ns)
    race.report.judge("all CPU, other/ours", within(values), bound, statistics.median(values) <= 1 + SAME)
    ticks = user_by_ticks(samples["other"]) / max(user_by_ticks(samples["ours"]), 0.1)
    race.report.judge("user CPU, other/ours, ticks of all rounds", f"{ticks:.3f}", bound, ticks <= 1 + SAME)
    if race.perf:
        values = ratios(samples["other"], samples["ours"], user_ns)
        ok = statistics.median(values) <= 1 + SAME
        race.report.judge("user CPU, other/ours, perf's samples", within(values), bound, ok)


def tcp(race):
    """CPU time a query over ten persistent connections with many queries at once."""
    race.report.section("tcp", f"CPU a query over 10 pipelined connections, {race.nodes} nodes")
    records = Records(race.nodes, race.area_nodes)
    entries = [Entry(kind, records, bind=race.bind) for kind in race.peers if kind != "echo"]
    samples = rounds(race, entries, lambda race, server: asked_by_dnsperf(race, server, "-m", "tcp", "-c", 10))
    bases = [base for base in ("nsd", "knot") if base in samples]
    cpu_table(samples, bases)
    if bases:
        better = min(bases, key=lambda base: statistics.median(map(all_ns, samples[base])))
        values = ratios(samples["ours"], samples[better], all_ns)
        race.report.judge(f"all CPU, ours/{better}", within(values), "at most 1", statistics.median(values) <= 1)


def limit(race):
    """What the rate limit adds when it is on and lets everything pass: with one network, and with 65 536."""
    race.report.section("limit", "user CPU a query that --rate-limit adds when nothing exceeds it")
    for networks, ask in (("one network", asked_by_dnsperf), ("65536 networks", asked_from_many_networks)):
        judge_added(race, {"rate-limit": 1_000_000}, networks, ask, LIMIT_NS)


def answers(race):
    """What `--max-answers` adds where it leaves nothing out, so that replies are as long."""
    race.report.section("answers", "user CPU a query that --max-answers 3 adds in areas of three nodes")
    judge_added(race, {"max-answers": 3}, "three of three", asked_by_dnsperf, WINDOW_NS)


def judge_added(race, options, what, ask, most):
    """User CPU a query with these flags beside that without."""
    records = Records(race.nodes)
    samples = rounds(race, [Entry("ours", records, "off"), Entry("ours", records, "on", options=options)], ask)
    print(what)
    cpu_table(samples, ["off"])
    added = user_by_ticks(samples["on"]) - user_by_ticks(samples["off"])
    if race.perf:
        # Whoever shares the machine makes rounds slower, never faster: the fastest of each are the nearest to the truth.
        added = min(on.user_ns for on in samples["on"]) - min(off.user_ns for off in samples["off"])
    race.report.judge(f"added, {what}", f"{added:.0f} ns", f"at most {most} ns", added <= most)
