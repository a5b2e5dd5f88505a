#!/usr/bin/env bash
# Builds a static-PIE musl binary, the same to the byte in whatever folder it is built, and prints its path last:
#   .ci/static.sh [TARGET [ARGUMENTS OF CARGO BUILD]]
# TARGET is this machine's by default, as x86_64-unknown-linux-musl. Arguments replace `--profile dist --bin
# k8s-node-dns`; then the folder target/TARGET is printed.
#
# It needs a C compiler for the target (Debian's musl-tools, for this machine's own architecture) and rustup's target,
# which it adds. Where rustup's downloads cannot be reached, Debian's packages stand in, on x86_64 and as root: rustc
# with its library's source, and LLVM's unwinder.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-$(uname -m)-unknown-linux-musl}
shift || true
build=("$@") printed=target/$target
if [ $# = 0 ]; then
  build=(--profile dist --bin k8s-node-dns) printed=$printed/dist/k8s-node-dns
fi
arch=${target%%-*} folder=${CARGO_TARGET_DIR:-target}/$target variable=${target//-/_}
printed=${CARGO_TARGET_DIR:-target}/${printed#target/}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -E "$@"; fi; }
debian() { as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends "$@"; } > /dev/null
compiler=CC_$variable
if [ -z "${!compiler:-}" ] && ! command -v "$arch-linux-musl-gcc" > /dev/null; then
  [ "$arch" = "$(uname -m)" ] || { echo "$target needs a C compiler for it: $compiler=..., or build it on $arch" >&2; exit 1; }
  command -v musl-gcc > /dev/null || debian musl-tools
  export "$compiler=musl-gcc"
fi

# rustc itself makes static-PIE on x86_64 only. What compiles C for another kind of machine than this one links, too.
if [ "$arch" = aarch64 ]; then
  export STATIC_PIE=$target STATIC_PIE_CC
  [ "$arch" = "$(uname -m)" ] || STATIC_PIE_CC=${!compiler:-$arch-linux-musl-gcc}
fi

# Neither this folder nor cargo's is to be found in the binary. cargo makes names of RUSTFLAGS, so what depends on the
# folder is added behind its back, by the wrapper.
cargo_home=$(realpath "${CARGO_HOME:-$HOME/.cargo}")
export RUSTC_WRAPPER=$PWD/.ci/rustc-remap.sh REMAP_CARGO=$cargo_home REMAP_SOURCE=$PWD
c="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$PWD=/k8s-node-dns"

# Since a panic does not unwind, nobody reads the tables for it.
rust=(-C "link-arg=-Wl,-T,.ci/no-unwind-tables.ld,--no-eh-frame-hdr")
# Nearly all addresses that the program puts right at its start (musl does) are multiples of eight, which can be listed in
# a bit each instead of 24 octets: 115 KiB. Debian's binutils know that for x86_64.
[ "$arch" != x86_64 ] || rust+=(-C "link-arg=-Wl,-z,pack-relative-relocs")
cargo=(cargo)

with_debian() {
  [ "$arch" = x86_64 ] && command -v apt-get > /dev/null || { echo "rustup target add $target fails" >&2; exit 1; }
  echo "rustup has no $target here; building its library from Debian's source" >&2
  dpkg -s gcc rustc-web cargo-web rust-web-src > /dev/null 2>&1 || debian gcc rustc-web cargo-web rust-web-src
  local parts=$folder/parts
  if [ ! -f "$parts/libunwind.a" ]; then
    mkdir -p "$parts/deb"
    (cd "$parts/deb" && apt-get download -qq libunwind-19-dev && dpkg-deb -x libunwind-19-dev_*.deb .)
    cp /usr/lib/x86_64-linux-musl/{crt1,rcrt1,crti,crtn}.o /usr/lib/x86_64-linux-musl/libc.a "$parts/"
    for object in crtbegin.o crtbeginS.o crtend.o crtendS.o libgcc.a; do
      cp "$(gcc -print-file-name="$object")" "$parts/"
    done
    # Debian's unwinder is made for glibc with its checks: this is the one of them that it calls.
    printf '%s\n' '#include <stdarg.h>' '#include <stdio.h>' \
      'int __fprintf_chk(FILE *f, int g, const char *s, ...)' \
      '{ va_list a; va_start(a, s); int r = vfprintf(f, s, a); va_end(a); (void)g; return r; }' \
      | musl-gcc -O2 -fPIC -x c -c - -o "$parts/fprintf_chk.o"
    cp "$parts/deb/usr/lib/llvm-19/lib/libunwind.a" "$parts/unwind.a"
    ar r "$parts/unwind.a" "$parts/fprintf_chk.o" 2> /dev/null
    mv "$parts/unwind.a" "$parts/libunwind.a"
  fi
  rust+=(-C link-self-contained=yes -L "native=$(realpath "$parts")" -C link-arg=-lgcc)
  unset RUSTUP_TOOLCHAIN
  export PATH=/usr/bin:$PATH CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
  export "CARGO_TARGET_${variable^^}_LINKER=gcc"
  cargo=(/usr/bin/cargo -Zbuild-std=std,panic_abort,panic_unwind)
}

if ! rustup target list --installed 2> /dev/null | grep -qx "$target" \
  && ! RUSTUP_MAX_RETRIES=0 timeout 120 rustup target add "$target" > /dev/null 2>&1; then
  with_debian
fi

if [ -z "${SOURCE_DATE_EPOCH:-}" ] && git rev-parse HEAD > /dev/null 2>&1; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
  export SOURCE_DATE_EPOCH
fi
export "CFLAGS_$variable=$c"
flags=$(printf '%s\x1f' "${rust[@]}")
CARGO_ENCODED_RUSTFLAGS=${flags%$'\x1f'} "${cargo[@]}" build --locked --target "$target" "${build[@]}" >&2
if [ -f "$printed" ] && ! LC_ALL=C readelf --file-header "$printed" | grep -q 'Type: *DYN'; then
  echo "$printed is for a fixed address, and not static-PIE" >&2
  exit 1
fi
echo "$printed"
