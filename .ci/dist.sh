#!/usr/bin/env bash
# Everything that is handed on, for a TARGET (this machine's musl by default), in a folder that it prints last: the
# static binary, its licences, its parts list (SBOM), and the Debian package.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-$(uname -m)-unknown-linux-musl}
binary=$(.ci/static.sh "$target")
folder=${CARGO_TARGET_DIR:-target}/out/$target
rm -rf "$folder"
mkdir -p "$folder/licenses"
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
fi
export SOURCE_DATE_EPOCH
{
  for tool in cargo-deb cargo-cyclonedx; do
    command -v $tool > /dev/null || cargo install --quiet --locked --debug $tool # run once: built quickly, not to be quick
  done
  cp "$binary" "$folder/"
  cp LICENSE-APACHE LICENSE-MIT "$folder/licenses/"
  python3 .ci/parts.py licences "$target" > "$folder/licenses/THIRD-PARTY.txt"
  # Without build tools and tests, which are not in the binary. It writes into this folder only.
  cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" --no-build-deps \
    --override-filename k8s-node-dns.cdx
  mv k8s-node-dns.cdx.json "$folder/"
  python3 .ci/parts.py sbom "$target" "$folder/k8s-node-dns.cdx.json"
  cp "$folder/licenses/THIRD-PARTY.txt" "$(dirname "$binary")/" # where cargo-deb looks for what was built
  cargo deb --quiet --locked --no-build --no-strip --profile dist --target "$target" --output "$folder/"
} >&2
echo "$folder"
