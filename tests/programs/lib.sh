# shellcheck shell=bash disable=SC2034,SC2154
# What the tests with real programs share. Sourced, not run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/../lib/env.sh"
# shellcheck source=tests/lib/tree.sh
. "$here/../lib/tree.sh"

# package SPEC: sets $package to the folder of an npm package; ends the test as "cannot run
# here" (77) when it can neither be found nor fetched.
package() {
    package=$("$fvm_root/tools/fetch-npm.sh" "$1") || exit 77
}

# copy_base: from here on the test has a copy of the base to itself: it may put programs
# there, stop its Windows, and compare every byte.
copy_base() {
    if ! mkdir "$scratch/own" || ! cp -a --reflink=auto "$FVM_BASE/." "$scratch/own/"; then
        echo "no room for a copy of the base in $scratch" >&2
        exit 1
    fi
    export FVM_BASE=$scratch/own
    base_drive=$FVM_BASE/drive_c
}

# stop_base: ends that Windows and waits until its registry is on the disk.
stop_base() {
    WINEPREFIX=$FVM_BASE "$WINESERVER64" -k 2>/dev/null
    WINEPREFIX=$FVM_BASE timeout 60 "$WINESERVER64" -w
}

# same LABEL EXPECTED FOUND: two files must be equal, and not empty.
same() {
    if [ -s "$2" ] && cmp -s "$2" "$3"; then
        pass "$1"
    else
        fail "$1: $(diff "$2" "$3" | grep -c '^[<>]') lines differ (< expected, > found)"
        diff "$2" "$3" | head -"${SHOW:-10}" | sed 's/^/#   /'
        cp "$2" "$FVM_OUT/$(basename "$0" .sh).expected"
        cp "$3" "$FVM_OUT/$(basename "$0" .sh).found"
    fi
}

# try LABEL COMMAND...: passes if the command ends well; what it wrote is in $scratch/out.
try() {
    local label=$1 rc
    shift
    "$@" >"$scratch/out" 2>&1 </dev/null && { pass "$label"; return; }
    rc=$?
    fail "$label: exit code $rc"
    tail -n 6 "$scratch/out" | sed 's/^/#   /'
    return 1
}

# program_end: what lib.sh has started ends; called by the trap of every test here.
program_end() {
    [ "$FVM_BASE" != "$scratch/own" ] || stop_base
    env_end
}
