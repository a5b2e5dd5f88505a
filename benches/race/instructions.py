"""Instructions a query with few and with many nodes, counted by callgrind."""

import re
import shutil
import sys

from load import finish
from servers import ROOT, pinned

FEW, MANY = 150, 5000
SAME = 0.02


def instructions(race):
    """Replies are the same octets with either number of nodes, so each kind is compared with itself."""
    race.report.section("instructions", f"instructions a query in memory, {FEW} and {MANY} nodes (callgrind)")
    if not shutil.which("valgrind"):
        print("        not measured; on Debian: apt-get install valgrind")
        return
    few, many = count(race, FEW), count(race, MANY)
    ratios = {kind: many[kind][0] / few[kind][0] for kind in few if few[kind][1] == many[kind][1]}
    for kind, (counted, octets) in few.items():
        print(f"        {kind:10}{counted:8.1f}{many[kind][0]:8.1f}{octets:6} octets")
    worst = max(ratios, key=lambda kind: abs(ratios[kind] - 1))
    ok = len(ratios) == len(few) and abs(ratios[worst] - 1) <= SAME
    text = f"{MANY}/{FEW} nodes, the kind that differs most: {worst}"
    race.report.judge(text, f"{ratios[worst]:.3f}", f"within {SAME:.0%}", ok)


def count(race, nodes):
    """Instructions and octets of the reply by kind of question."""
    out, err = finish(pinned(race.cores, ROOT / "benches/instructions.sh", nodes))
    found = re.findall(r"^([A-Za-z]\S*) +([0-9.]+) +(\d+)$", out, re.MULTILINE)
    if not found:
        sys.exit(f"benches/instructions.sh counted nothing:\n{out}{err}")
    return {kind: (float(counted), int(octets)) for kind, counted, octets in found}
