#!/usr/bin/env bash
# Makes the image of what `just dist` made for each architecture, and pushes it:
#   TOKEN=... push-image.sh OWNER/NAME VERSION DIST
# DIST has folders dist-x86_64 and dist-aarch64. They take the place of the Containerfile's first stage, so that the
# image has the very binary of the release; the last stage only copies, which needs no machine of the other kind. It
# prints name=… and digest=….
set -euo pipefail
repository=${1:?usage: push-image.sh OWNER/NAME VERSION DIST} version=$2 dist=$3
cd "$(dirname "$0")/.."
image=ghcr.io/$repository
list=k8s-node-dns-$version
{
  if ! command -v buildah > /dev/null; then
    sudo apt-get update -qq
    sudo apt-get install -y -qq --no-install-recommends buildah
  fi
  buildah login --username "${GITHUB_ACTOR:?}" --password-stdin ghcr.io <<< "${TOKEN:?}"
  epoch=$(git log -1 --format=%ct)
  buildah manifest create "$list"
  for pair in x86_64=amd64 aarch64=arm64; do
    folder=$dist/dist-${pair%=*}
    chmod 755 "$folder/k8s-node-dns" # artifacts forget it
    buildah build --platform "linux/${pair#*=}" --build-context "build=$folder" --timestamp "$epoch" \
      --manifest "$list" \
      --label "org.opencontainers.image.version=$version" \
      --label "org.opencontainers.image.revision=$(git rev-parse HEAD)" \
      --label "org.opencontainers.image.source=https://github.com/$repository" \
      --file Containerfile .
  done
  digest=$(mktemp)
  buildah manifest push --all --digestfile "$digest" "$list" "docker://$image:$version"
} >&2
echo "name=$image"
echo "digest=$(cat "$digest")"
