"""Latencies under half of the saturating load, with and without updates of the zone."""

import statistics

from load import counted, dnsperf, finish, latencies, percentile
from records import Records
from servers import Entry
from updates import FakeApi, Reloads

NODES = 5000
UPDATES = 10  # a second
PERCENTS = (50, 99, 99.9)
MOST = 1.05


def latency(race):
    race.report.section("latency", f"µs under half of the saturating load, {NODES} nodes, without and with updates")
    records = Records(NODES)
    with FakeApi(records) as api:
        entries = [Entry("ours", records, options={"kubeconfig": api.kubeconfig(race.directory)})]
        entries += [Entry("gdnsd", records)] * ("gdnsd" in race.peers)
        with race.servers(*entries) as servers:
            updaters = [api if server.kind == "ours" else Reloads(server) for server in servers]
            measure(race, servers, updaters)


def measure(race, servers, updaters):
    rates = [saturating(race, server) for server in servers]
    rate = int(min(rates) / 2)
    names = zip((server.label for server in servers), rates)
    print(f"        saturating: {', '.join(f'{name} {most:.0f}' for name, most in names)} a second; asked at {rate}")
    head = "".join(f"{f'p{percent:g}':>9}" for percent in PERCENTS)
    print(f"{'':32}{head}{'lost':>7}{'updates a second':>18}")
    for updating in (False, True):
        found = {server.label: [] for server in servers}
        lost, updates = dict.fromkeys(found, 0), {label: [] for label in found}
        turns = dict(zip((server.label for server in servers), updaters))
        for server in race.each_round(servers):
            updater = turns[server.label]
            if updating:
                with updater.running(UPDATES):
                    times, missing = latencies(race, server, rate, race.seconds)
                updates[server.label].append(updater.rate)
                updater.settle(server)
            else:
                times, missing = latencies(race, server, rate, race.seconds)
            found[server.label].append([percentile(times, percent) for percent in PERCENTS])
            lost[server.label] += missing
        how = "with updates" if updating else "without updates"
        for label, column in found.items():
            line = "".join(f"{statistics.median(values):9.0f}" for values in zip(*column))
            rates = f"{statistics.median(updates[label]):.1f}" if updating else "-"
            print(f"        {label:8}{how:16}{line}{lost[label]:7}{rates:>18}")
        if "gdnsd" in found:
            p99 = [ours[1] / theirs[1] for ours, theirs in zip(found["ours"], found["gdnsd"])]
            value = statistics.median(p99)
            race.report.judge(f"p99 {how}, ours/gdnsd", f"{value:.3f}", f"at most {MOST}", value <= MOST)


def saturating(race, server):
    """How many queries a second it answers when it is asked as fast as it goes."""
    argv = dnsperf(server, race.queries(server.records), race.seconds, core=race.cores[1])
    return counted(server, *finish(argv))[2]
