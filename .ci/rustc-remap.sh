#!/bin/sh
# A RUSTC_WRAPPER: runs rustc with the folders of this machine taken out of what it writes, and, for the target of
# STATIC_PIE, with the linker that makes static-PIE of what rustc takes for plain static. See static.sh.
case " $* " in
  *" --target ${STATIC_PIE:-none} "*) set -- "$@" -C "linker=$REMAP_SOURCE/.ci/static-pie.sh" ;;
esac
exec "$@" "--remap-path-prefix=$REMAP_CARGO=/cargo" "--remap-path-prefix=$REMAP_SOURCE=/k8s-node-dns"
