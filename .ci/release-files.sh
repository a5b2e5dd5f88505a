#!/usr/bin/env bash
# Puts together what a release offers, of what `just dist` made for each architecture, and its checksums:
#   release-files.sh DIST FOLDER
# DIST has a folder dist-ARCH for each. In FOLDER are then, for each, an archive with the binary and the licences, the
# parts list (SBOM) and the Debian package; and SHA256SUMS.
set -euo pipefail
dist=${1:?usage: release-files.sh DIST FOLDER} folder=${2:?usage: release-files.sh DIST FOLDER}
mkdir -p "$folder"
for one in "$dist"/dist-*/; do
  arch=${one%/} arch=${arch##*/dist-}
  chmod 755 "$one/k8s-node-dns" # artifacts forget it
  # The same archive of the same files, whoever makes it and when.
  tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" --mode=u=rwX,go=rX \
    --directory "$one" k8s-node-dns licenses | gzip --no-name > "$folder/k8s-node-dns-$arch-linux.tar.gz"
  cp "$one/k8s-node-dns.cdx.json" "$folder/k8s-node-dns-$arch-linux.cdx.json"
  cp "$one"/*.deb "$folder/"
done
cd "$folder"
sha256sum -- *.tar.gz *.json *.deb > SHA256SUMS
