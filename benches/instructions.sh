#!/usr/bin/env bash
# Instructions a query, for each kind of question, by callgrind.
#
# The same program answers FEW and MANY queries in memory; what is more in the second run is the queries' alone. The
# count is the same each time for the same compiler, program and number of nodes, so that a small loss shows.
#
# usage: benches/instructions.sh [NODES]
set -euo pipefail
cd "$(dirname "$0")/.."

nodes=${1:-150} few=1000 many=3000
command -v valgrind >/dev/null || { echo 'not installed; on Debian: apt-get install valgrind' >&2; exit 1; }
cargo build --release --quiet --example hot_path
program=${CARGO_TARGET_DIR:-target}/release/examples/hot_path

run() { valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$nodes" "$@" 2>&1; }

rustc -V
echo "$nodes nodes; kind of question, instructions, octets of the reply:"
"$program" | while read -r kind; do
    { run "$kind" $few && run "$kind" $many; } | awk -v kind="$kind" -v queries=$((many - few)) '
        /Collected/ { few = many; many = $4 }
        /^reply/    { octets = $2 }
        END         { printf "%-9s %6.1f %5d\n", kind, (many - few) / queries, octets }'
done
