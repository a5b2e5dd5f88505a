#!/usr/bin/env bash
# Packs the chart for a release whose image is in IMAGE, without a tag, and prints the path of the package:
#
#   package.sh ghcr.io/somebody/k8s-node-dns dist
#
# In the repository the default image.repository is a placeholder, since it is the release that knows who makes it. The
# links become files.
set -euo pipefail
image=${1:?usage: package.sh IMAGE FOLDER} folder=${2:?usage: package.sh IMAGE FOLDER}
chart=$(dirname "$0")/k8s-node-dns
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -rL "$chart" "$copy"
sed -i "s|ghcr\.io/OWNER/k8s-node-dns|$image|" "$copy"/k8s-node-dns/{values.yaml,defaults.yaml,README.md}
helm package "$copy/k8s-node-dns" --destination "$folder" > "$copy/log"
sed 's/.*saved it to: //' "$copy/log"
