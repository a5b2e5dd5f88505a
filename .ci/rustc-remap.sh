#!/bin/sh
# What cargo calls instead of rustc for .ci/static.sh: it takes the folders out of the paths that end up in the binary.
exec "$@" "--remap-path-prefix=$REMAP_CARGO=/cargo" "--remap-path-prefix=$REMAP_SOURCE=/k8s-node-dns"
