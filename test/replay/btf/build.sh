#!/bin/sh
# Builds btf.o. Needs clang-19, llvm-19, libbpf-dev and linux-libc-dev; the committed object is Debian clang 19.1.7's.
set -eu
cd "$(dirname "$0")"
clang-19 -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -ffile-prefix-map="$PWD"=. -target bpf -mcpu=v4 -I"/usr/include/$(uname -m)-linux-gnu" -c btf.c -o btf.o
llvm-strip-19 -g btf.o
