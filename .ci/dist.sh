#!/usr/bin/env bash
# Everything that is handed on, for a TARGET (this machine's musl by default), in a folder that it prints last: the
# static binary, its licences, its parts list (SBOM), and the Debian package. The maintainer of that one is who builds
# it: DEBFULLNAME and DEBEMAIL, as for Debian's own tools, or else the author of the last commit.
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
  built=$(dirname "$binary") # where cargo-deb looks for what was built
  cp "$folder/licenses/THIRD-PARTY.txt" "$built/"
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)-1
  maintainer="${DEBFULLNAME:-$(git log -1 --format=%an)} <${DEBEMAIL:-$(git log -1 --format=%ae)}>"
  gzip --best --no-name > "$built/changelog.Debian.gz" << END
k8s-node-dns ($version) unstable; urgency=medium

  * What has changed is in changelog.gz beside this file.

 -- $maintainer  $(LC_ALL=C date --utc --date="@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %T +0000')
END
  cargo deb --quiet --locked --no-build --no-strip --profile dist --target "$target" --maintainer "$maintainer" \
    --output "$folder/"
} >&2
echo "$folder"
