#!/bin/sh
# Installs what building, running and testing FVM needs and this machine lacks, from
# Debian's packages; as root, or with sudo.
#
# usage: deps.sh [--check] [--fuzz]
#   --check  install nothing; exit code 1 and a list if something is missing
#   --fuzz   also what the fuzz programs need (clang)
set -eu

check='' fuzz=''
for arg; do
    case $arg in
    --check) check=1 ;;
    --fuzz) fuzz=1 ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 2 ;;
    esac
done

missing=
# need PACKAGE TEST...: notes the package if the test fails
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
has() { command -v "$1"; }
any() { for f; do [ -e "$f" ] && return 0; done; return 1; }
library() { has pkg-config && pkg-config --exists "$1"; }

need gcc has cc
need libc6-dev any /usr/include/stdio.h
need cmake has cmake
need ninja-build has ninja
need pkg-config has pkg-config
need gcc-mingw-w64-x86-64 has x86_64-w64-mingw32-gcc
need libjansson-dev library jansson
need libcmocka-dev library cmocka
need wine has wine
need wine64 any /usr/lib/wine/wine64 /usr/lib/x86_64-linux-gnu/wine/wine64 /usr/bin/wine64 /opt/wine-*/bin/wine64
need bats has bats
need xvfb has Xvfb
need tmux has tmux
need jq has jq
need diffutils has diff
need perl has perl
need procps has pgrep
need nsis has makensis
need wixl has wixl
has npm >/dev/null 2>&1 || missing="$missing npm"
if [ -n "$fuzz" ]; then
    need clang has clang
    need libclang-rt-14-dev any /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a \
        /usr/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a
fi

[ -n "$missing" ] || exit 0
if [ -n "$check" ]; then
    echo "missing:$missing" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
    cat >&2 <<EOF
This machine has no Debian packages, so nothing was installed. FVM needs what Debian calls:
  $missing
Install it with this system's package manager, then run make again. (Wine 8.0 for 64-bit
programs is what FVM is tested with.)
EOF
    exit 1
fi

if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null 2>&1; then
    root=sudo
else
    echo "Packages are missing:$missing" >&2
    echo "Install them as root: apt-get install$missing" >&2
    exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
$root apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 || {
    # the package lists may be old or missing
    $root apt-get update -qq
    $root apt-get install -y --no-install-recommends $missing
}
