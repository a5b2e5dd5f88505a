#!/usr/bin/env bash
# Prints what CHANGELOG.md says of the version of a TAG, once the tag, the program, the chart and the changelog agree:
#   release-notes.sh v0.1.0
set -euo pipefail
cd "$(dirname "$0")/.."
tag=${1:?usage: release-notes.sh TAG} version=${1#v}
fail() { echo "release-notes.sh: $*" >&2; exit 1; }
field() { sed -n "s/^$2[ :=]*\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$1" | head -1; }

[[ $tag =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "$tag is no version like v1.2.3"
chart=deploy/helm/k8s-node-dns/Chart.yaml
for place in "Cargo.toml version" "$chart version" "$chart appVersion"; do
  read -r file key <<< "$place"
  found=$(field "$file" "$key")
  [ "$found" = "$version" ] || fail "the tag is $tag, but $file has $key $found"
done
notes=$(awk -v version="$version" '
  $1 == "##" { inside = ($2 == version || $2 == "[" version "]"); next }
  inside' CHANGELOG.md)
[ -n "${notes//[[:space:]]/}" ] || fail "CHANGELOG.md has no section \"## $version\" with something in it"
printf '%s\n' "$notes"
