# The tasks of this repository. `just` alone lists them.
set shell := ["bash", "-euo", "pipefail", "-c"]

_list:
    @just --list --unsorted

# Everything that a change must pass; .ci/run runs exactly this on a fresh machine, and fuzzes.
check: fmt clippy doc deny test

# The code is formatted
fmt:
    cargo fmt --check

# Lints, also of tests, benches and examples
clippy:
    cargo clippy --all-targets -- -D warnings

# The documentation builds, private items too, and its links lead somewhere
doc:
    RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --no-deps --document-private-items

# Dependencies: licences, bans, sources, and advisories where their database can be had
deny:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo deny check licenses bans sources
    if timeout 60 cargo deny fetch db > /dev/null 2>&1; then
      cargo deny check --disable-fetch advisories
    elif compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/*/.git" > /dev/null; then
      echo "advisories: checked against the database of an earlier day, since github.com cannot be reached"
      cargo deny --offline check advisories
    else
      echo "advisories: NOT CHECKED, since the database is not here and github.com cannot be reached"
    fi

# The tests. With KUBEBUILDER_ASSETS (see `just assets`) also those against a real API server.
test *ARGS:
    cargo test {{ ARGS }}

# Benchmarks of single functions: lookup and reply, zone building, decoding
bench *ARGS:
    cargo bench {{ ARGS }}

# CPU time per query, memory, latency and floods beside gdnsd, NSD and Knot; --help has the sections
race *ARGS:
    python3 -B benches/race {{ ARGS }}

# Memory, first answer and changes at 50, 500 and 5 000 nodes (or the numbers named), beside what they may be; `real 5000`: first answer and flip with a real API server
scale *ARGS:
    cargo build --release --quiet --bin k8s-node-dns
    cargo run --release --quiet --example scale -- {{ ARGS }}

# Fuzz each target for SECONDS (or only the TARGETS named); needs a nightly toolchain and cargo-fuzz
fuzz SECONDS="60" *TARGETS="":
    #!/usr/bin/env bash
    set -euo pipefail
    targets="{{ TARGETS }}"
    [ -n "$targets" ] || targets=$(cargo +nightly fuzz list)
    for target in $targets; do
      found=fuzz/target/corpus/$target seeds=fuzz/corpus/$target # what it finds stays out of the seeds
      mkdir -p "$found" "$seeds"
      cargo +nightly fuzz run "$target" "$found" "$seeds" -- -dict=fuzz/$target.dict -max_total_time={{ SECONDS }} -timeout=10 -rss_limit_mb=2048
    done

# Write the manual page, completions and environment file of packages again, after a flag was added or changed
generate:
    cargo run --quiet --example generate

# Build the static binary (for TARGET, this machine's musl by default), and print its path
static *TARGET="":
    @.ci/static.sh {{ TARGET }}

# Build all that is handed on: static binary, licences, SBOM, Debian package; prints the folder: export DIST_DIR=$(just dist)
dist *TARGET="":
    @.ci/dist.sh {{ TARGET }}

# Build the static binary in two folders, and compare
reproduce *TARGET="":
    .ci/reproduce.sh {{ TARGET }}

# Take the README's picture of a terminal again: docs/terminal.png
terminal:
    cargo build
    python3 -B docs/terminal.py

# Build kube-apiserver, kube-controller-manager, kubectl, Helm and CoreDNS and find etcd for the tests: export KUBEBUILDER_ASSETS=$(just assets)
assets:
    @bash .ci/kube-assets.sh kube-controller-manager kubectl helm coredns

# The Helm chart and the manifests: a part of `just test`, with kubernetes-validate and checkov where they are installed
chart:
    cargo test --test integration chart::

# Write down what the chart renders, and the table in its README, after a change that is meant
chart-record:
    RECORD=1 cargo test --test integration -- chart::readme::the_table chart::rendered::every_set

# Workflows and the scripts that they alone run: actionlint, shellcheck and zizmor find nothing
workflows:
    actionlint
    shellcheck .ci/release-notes.sh .ci/release-files.sh .ci/push-image.sh .ci/dist.sh .ci/static-pie.sh
    zizmor --quiet --offline --pedantic .github

# Print a kubeconfig for a daemon outside of the cluster, once deploy/manifests/off-cluster/reader.yaml is applied
kubeconfig *ARGS:
    @deploy/manifests/off-cluster/kubeconfig.sh {{ ARGS }}

# Instructions a query, judged by the counts in benches/instructions.txt
instructions *ARGS="--check":
    benches/instructions.sh {{ ARGS }}

# Everything at once for SECONDS: faults, changes, load, hostile packets. One line says what came of it.
soak SECONDS="3600":
    SOAK_SECONDS={{ SECONDS }} cargo test --test integration soak -- --ignored --nocapture
