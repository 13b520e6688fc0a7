#!/bin/sh
# Rebuilds every committed BPF object from the C source beside it.
#
#   scripts/build-fixtures.sh            build all
#   CLANG=clang-20 LLVM_STRIP=llvm-strip-20 scripts/build-fixtures.sh
#
# Needs clang and llvm-strip 19, libbpf-dev and linux-libc-dev (Debian: apt-get install clang-19 llvm-19 libbpf-dev).
# The same compiler and headers give the same bytes wherever the checkout lies: no path of the machine gets into an
# object. DWARF is stripped; BTF and line information stay.
set -eu

CLANG=${CLANG:-clang-19}
LLVM_STRIP=${LLVM_STRIP:-llvm-strip-19}
root=$(cd "$(dirname "$0")/.." && pwd -P)
arch_include=/usr/include/$(uname -m)-linux-gnu # where Debian keeps <asm/types.h>

# compile SOURCE OBJECT CLANG_OPTION...   (paths relative to fixtures/)
compile() {
	source=$1 object=$2
	shift 2
	mkdir -p "$(dirname "$object")"
	"$CLANG" -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
		-ffile-prefix-map="$root/fixtures"=. -I"$arch_include" "$@" -c "$source" -o "$object"
}

# bpf SOURCE OBJECT CLANG_OPTION...
bpf() {
	compile "$@" -target bpf
	"$LLVM_STRIP" -g "$2"
	echo "$2: $(wc -c <"$2") bytes"
}

"$CLANG" --version | head -n 1
cd "$root/fixtures"

for source in programs/*/*.c; do
	bpf "$source" "${source%.c}.o" -mcpu=v3
done
bpf programs/subprogs/subprogs.c programs/subprogs_v1/subprogs_v1.o -mcpu=v1
bpf programs/subprogs/subprogs.c programs/subprogs_v4/subprogs_v4.o -mcpu=v4

for source in ../bench/*.c; do
	bpf "$source" "${source%.c}.o" -mcpu=v3
done

for name in no_xdp unsupported_map unsupported_helper; do
	bpf bad/$name.c bad/$name.o -mcpu=v3
done
compile bad/big_endian.c bad/big_endian.o -target bpfeb -mcpu=v3
"$LLVM_STRIP" -g bad/big_endian.o
compile bad/x86_64.c bad/x86_64.o -target x86_64-linux-gnu
"$LLVM_STRIP" -g bad/x86_64.o
