#!/bin/sh
# Builds the objects. Needs clang-19, llvm-19, libbpf-dev and linux-libc-dev; the committed ones are Debian clang 19.1.7's.
set -eu
cd "$(dirname "$0")"

# build SOURCE OBJECT CLANG_OPTION...
build() {
	source=$1 object=$2
	shift 2
	clang-19 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -ffile-prefix-map="$PWD"=. -target bpf -mcpu=v4 -I"/usr/include/$(uname -m)-linux-gnu" "$@" -c "$source" -o "$object"
	llvm-strip-19 -g "$object"
}

for name in commands generic_entry user_sized verdicts; do
	build "$name.c" "$name.o"
done
build verdicts.c verdicts_frags.o -DFRAGS
