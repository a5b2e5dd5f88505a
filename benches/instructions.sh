#!/usr/bin/env bash
# Instructions a query, for each kind of question, by callgrind.
#
# The same program answers FEW and MANY queries in memory; what is more in the second run is the queries' alone. The
# count is the same each time for the same compiler, program and number of nodes, so that a small loss shows.
#
# usage: benches/instructions.sh [--check | --record] [--target TARGET] [NODES]
#   --record  writes the counts to benches/instructions.txt, with the compiler that they belong to
#   --check   fails when a count is more than 3 % above the recorded one; under another compiler, only says so
#   --target  the static build for this target (.ci/static.sh), which only says so too
set -euo pipefail
cd "$(dirname "$0")/.."

mode=print
case ${1:-} in --check | --record) mode=${1#--}; shift ;; esac
target=
case ${1:-} in --target) target=$2; shift 2 ;; esac
nodes=${1:-150} few=1000 many=3000 recorded=benches/instructions.txt
command -v valgrind >/dev/null || { echo 'not installed; on Debian: apt-get install valgrind' >&2; exit 1; }
if [ -n "$target" ]; then
    program=$(.ci/static.sh "$target" --profile dist --quiet --example hot_path)/dist/examples/hot_path
else
    cargo build --release --quiet --example hot_path
    program=${CARGO_TARGET_DIR:-target}/release/examples/hot_path
fi

run() { valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$nodes" "$@" 2>&1; }

count() {
    echo "$(rustc -V)${target:+, $target}"
    "$program" | while read -r kind; do
        { run "$kind" $few && run "$kind" $many; } | awk -v kind="$kind" -v queries=$((many - few)) '
            /Collected/ { few = many; many = $4 }
            /^reply/    { octets = $2 }
            END         { printf "%-9s %6.1f %5d\n", kind, (many - few) / queries, octets }'
    done
}

echo "$nodes nodes; kind of question, instructions, octets of the reply:"
case $mode in
    print) count ;;
    record) count | tee "$recorded" ;;
    check)
        count | awk -v recorded="$recorded" '
            FNR == NR && FNR == 1 { compiler = $0; next }
            FNR == NR             { limit[$1] = $2 * 1.03; known[$1] = $2; next }
            FNR == 1              { judge = $0 == compiler; print; next }
            { printf "%s   recorded %s%s\n", $0, known[$1], ($2 > limit[$1] ? "   MORE THAN 3 % ABOVE" : "")
              if ($2 > limit[$1]) worse = 1 }
            END {
                if (!judge) print "not judged: the counts in " recorded " belong to " compiler
                if (judge && worse) print "if that is meant: benches/instructions.sh --record"
                exit judge && worse
            }' "$recorded" -
        ;;
esac
