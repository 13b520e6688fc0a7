#!/bin/sh
# Builds the objects of these tests; they are committed. Needs clang, llvm-strip 19 and libbpf-dev (Debian).
set -eu
cd "$(dirname "$0")"
for source in *.c; do
	clang-19 -O2 -g -Wall -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -I"/usr/include/$(uname -m)-linux-gnu" -c "$source" -o "${source%.c}.o"
	llvm-strip-19 -g "${source%.c}.o"
done
