#!/usr/bin/env bash
# Builds the static binary again, in another folder and from the last commit, and compares it with this folder's:
#   .ci/reproduce.sh [TARGET]
set -euo pipefail
cd "$(dirname "$0")/.."
git diff --quiet HEAD || { echo "the other build is made of the last commit: commit first" >&2; exit 1; }
here=$(.ci/static.sh "$@")
other=$(mktemp -d "${TMPDIR:-/tmp}/k8s-node-dns-elsewhere-XXXXXX")
trap 'rm -rf "$other"' EXIT
git archive HEAD | tar -x -C "$other"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
unset CARGO_TARGET_DIR
there=$other/$("$other/.ci/static.sh" "$@")
sha256sum "$here" "$there"
cmp "$here" "$there"
echo "both builds are the same to the byte"
