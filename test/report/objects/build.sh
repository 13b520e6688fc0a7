#!/bin/sh
# Rebuilds the objects of these tests: needs clang-19, llvm-19, libbpf-dev and linux-libc-dev, as scripts/build-fixtures.sh does.
set -eu
cd "$(dirname "$0")"
for source in *.c; do
	object=${source%.c}.o
	"${CLANG:-clang-19}" -O2 -g -Wall -ffile-prefix-map="$PWD"=. -I"/usr/include/$(uname -m)-linux-gnu" \
		-target bpf -mcpu=v3 -c "$source" -o "$object"
	"${LLVM_STRIP:-llvm-strip-19}" -g "$object"
done
