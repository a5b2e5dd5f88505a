"""What is printed: what the machine is, tables, and each requirement with `ok` or `MISSED`."""

import os
import re
import statistics
import subprocess
from pathlib import Path

from servers import OURS

VERSIONS = {
    "ours": [OURS, "--version"],
    "gdnsd": ["gdnsd", "--version"],
    "nsd": ["nsd", "-v"],
    "knot": ["knotd", "-V"],
    "dnsperf": ["dnsperf", "-h"],
}


def header(race):
    """The machine and everybody's version, without which numbers say nothing."""
    models = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    system = f"Linux {os.uname().release}, load {os.getloadavg()[0]:.1f}"
    print(f"{(models or ['unknown CPU'])[0]}, {os.cpu_count()} cores, {system}")
    versions = []
    for name, argv in VERSIONS.items():
        try:
            done = subprocess.run(argv, capture_output=True, text=True)
            found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
            versions.append(f"{name} {found[0] if found else '?'}")
        except OSError:
            versions.append(f"{name} is not installed")
    print(", ".join(versions))
    print(f"{race.rounds} rounds of {race.seconds} s; servers on core {race.cores[0]}, clients on core {race.cores[1]}")


class Report:
    """Prints requirements and remembers those that were missed."""

    def __init__(self):
        self.judged, self.missed = 0, []

    def section(self, name, title):
        print(f"\n{name}: {title}")
        self.name = name

    def judge(self, what, value, bound, ok):
        """Prints a requirement: what is compared, how it came out, and what was wanted."""
        self.judged += 1
        print(f"{'ok' if ok else 'MISSED':8}{what}: {value} ({bound})")
        if not ok:
            self.missed.append(f"{self.name}: {what}: {value} ({bound})")

    def end(self):
        print(f"\n{self.judged - len(self.missed)} of {self.judged} requirements held")
        for line in self.missed:
            print(f"MISSED  {line}")


def within(values):
    """The median, and where the middle half of the rounds is."""
    if len(values) < 4:
        return f"{statistics.median(values):.3f}"
    low, _, high = statistics.quantiles(values)
    return f"{statistics.median(values):.3f}, half of the rounds {low:.3f} to {high:.3f}"


def ratios(mine, theirs, part):
    """The ratios within each round."""
    return [part(a) / part(b) for a, b in zip(mine, theirs) if part(b)]


def all_ns(sample):
    return sample.all_ns


def user_ns(sample):
    return sample.user_ns


def user_by_ticks(samples):
    """User CPU a query over all rounds: clock ticks are too few to say it of one."""
    user, system = sum(s.user_ticks for s in samples), sum(s.system_ticks for s in samples)
    return sum(s.run for s in samples) * user / max(user + system, 1) / sum(s.completed for s in samples)


def median(samples, part):
    return statistics.median(map(part, samples))


def cpu_table(samples, bases):
    """CPU a query of each; ratios to the bases as medians of the ratios within a round, ticks over all rounds."""
    perf = all(s.user is not None for column in samples.values() for s in column)
    width = max(len(label) for label in samples) + 2
    head = f"{'':{width}}{'user ns':>8}{'by ticks':>10}{'all ns':>8}{'answered':>11}{'lost':>7}"
    print(head + "".join(f"{f'{part}/{base}':>{len(base) + 7}}" for base in bases for part in ("user", "all")))
    for label, column in samples.items():
        user = f"{median(column, user_ns):.0f}" if perf else "-"
        line = f"{label:{width}}{user:>8}{user_by_ticks(column):10.0f}{median(column, all_ns):8.0f}"
        line += f"{sum(s.completed for s in column):11}{sum(s.lost for s in column):7}"
        for base in bases:
            user = user_by_ticks(column) / max(user_by_ticks(samples[base]), 0.1)
            if perf:
                user = statistics.median(ratios(column, samples[base], user_ns) or [0])
            total = statistics.median(ratios(column, samples[base], all_ns))
            line += f"{user:{len(base) + 7}.3f}{total:{len(base) + 7}.3f}"
        print(line)
