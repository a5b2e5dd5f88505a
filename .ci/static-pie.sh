#!/bin/bash
# The linker for aarch64, called by rustc: rustc asks for a static executable at a fixed address there, though all that
# it links can be anywhere, and musl's start code for that is beside the one that it names. This asks for static-PIE,
# as rustc itself does on x86_64.
set -eu
arguments=()
for argument in "$@"; do
  case $argument in
    -no-pie) ;;
    -static) arguments+=(-static-pie) ;;
    */crt1.o) arguments+=("${argument%/*}/rcrt1.o") ;;
    */crtbegin.o) arguments+=("${argument%/*}/crtbeginS.o") ;;
    */crtend.o) arguments+=("${argument%/*}/crtendS.o") ;;
    *) arguments+=("$argument") ;;
  esac
done
exec "${STATIC_PIE_CC:-cc}" "${arguments[@]}"
