#!/bin/sh
# Builds the objects. Needs clang-19, llvm-19, libbpf-dev and linux-libc-dev; the committed ones are Debian clang 19.1.7's.
set -eu
cd "$(dirname "$0")"
for name in commands user_sized; do
	clang-19 -O2 -g -Wall -Wextra -Werror -ffile-prefix-map="$PWD"=. -target bpf -mcpu=v4 -I"/usr/include/$(uname -m)-linux-gnu" -c "$name.c" -o "$name.o"
	llvm-strip-19 -g "$name.o"
done
