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

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$nodes" "$@" 2>&1 >/dev/null |
        awk '/Collected/ { print $4 }'
}

rustc -V
echo "$nodes nodes"
"$program" | while read -r kind; do
    printf '%-9s %6d\n' "$kind" $((($(instructions "$kind" $many) - $(instructions "$kind" $few)) / (many - few)))
done
