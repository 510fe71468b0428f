# shellcheck shell=bash disable=SC2034,SC2154
# What the test scripts share: where the programs are, a base to run in, counting.
# Sourced, not run. The caller may set beforehand:
#   FVM         the fvm program             (default: the one of build/native)
#   FVM_GUESTS  folder of the guest tests   (default: build/mingw/tests/guest)
#   FVM_BASE    an existing base to use; without it a base is made for this run
#   FVM_OUT     folder for transcripts      (default: build/test-output)

fvm_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${FVM:=$fvm_root/build/native/launcher/fvm}"
: "${FVM_GUESTS:=$fvm_root/build/mingw/tests/guest}"
: "${FVM_OUT:=$fvm_root/build/test-output}"
export WINEDEBUG=${WINEDEBUG:--all}
# Natively Wine needs it for names that are not ASCII; fvm sees to it by itself.
[ "$(locale charmap 2>/dev/null)" = UTF-8 ] || export LC_ALL=C.UTF-8
passed=0 failed=0 scratch='' base_drive=''

# find_wine: sets WINE64 and WINESERVER64 to the loader and the server.
find_wine() {
    local x
    WINE64=${WINELOADER:-} WINESERVER64=${WINESERVER:-}
    for x in /usr/lib/wine/wine64 "$(command -v wine64)" "$(command -v wine)"; do
        [ -n "$WINE64" ] || { [ -x "$x" ] && WINE64=$x; }
    done
    for x in /usr/lib/wine/wineserver64 "$(command -v wineserver)"; do
        [ -n "$WINESERVER64" ] || { [ -x "$x" ] && WINESERVER64=$x; }
    done
    [ -n "$WINE64" ] || { echo "Wine was not found: run 'make deps' first" >&2; return 1; }
}

# env_start: makes a scratch folder ($scratch), a home of its own for VMs, and a base.
env_start() {
    find_wine || exit 1
    [ -x "$FVM" ] || { echo "$FVM is missing: run 'make' first" >&2; exit 1; }
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/fvm-test.XXXXXX") || exit 1
    trap env_end EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$FVM_OUT"
    export FVM_HOME=$scratch/home
    if [ -z "${FVM_BASE:-}" ]; then
        timeout 300 "$FVM" run --rm -- cmd.exe /c exit </dev/null ||
            { echo "cannot make a base for the tests" >&2; exit 1; }
        export FVM_BASE=$FVM_HOME/base
        own_base=1
    fi
    export FVM_BASE
    base_drive=$FVM_BASE/drive_c
}

env_end() {
    [ -z "${own_base:-}" ] || WINEPREFIX=$FVM_BASE "$WINESERVER64" -k 2>/dev/null
    [ -z "${base_dir:-}" ] || rm -rf "$base_dir"
    rm -rf "$scratch"
}

# native PROGRAM ARGS...: runs it in the base without a VM.
native() { WINEPREFIX=$FVM_BASE timeout "${LIMIT:-120}" "$WINE64" "$@"; }

# in_vm NAME PROGRAM ARGS...: runs it in the VM; NAME may be "--rm" for one of its own.
in_vm() {
    local name=$1
    shift
    timeout "${LIMIT:-120}" "$FVM" run "$name" -- "$@"
}

# pass TEXT, fail TEXT: one result.
pass() { passed=$((passed + 1)); echo "ok $((passed + failed)) - $*"; }
fail() { failed=$((failed + 1)); echo "not ok $((passed + failed)) - $*"; }

# results: the last line; fails when something failed.
results() {
    echo "1..$((passed + failed))"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
