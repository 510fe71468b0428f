#!/usr/bin/env bash
# Runs FVM's tests and ends with the line "N passed, N failed".
#
# usage: test.sh [SUITE...]
#   core      unit tests of the core, natively
#   fuzz      the fuzz programs of the core for 20 s in all, where clang is there
#   asan      the same and the launcher's tests under the address and undefined sanitizers
#   cli       the command line, without and with Wine
#   syscalls  the table of system calls against the host's
#   guest     guest programs: transcript in a VM against that of a native run
#             (tests/run-*-tests.sh)
#   programs  real Windows programs (fetched once, see tools/fetch-npm.sh)
#   crash     kill -9 at random moments; many processes, many VMs at once
#   conformance  Wine's own tests, where they are there
# Without a suite all but conformance run, which first builds Wine's tests.
#
# Tests run on several lanes at once, one per processor (FVM_TEST_LANES says otherwise), each with
# a base of its own, which is removed at the end. FVM_TEST_BASE names a Wine prefix to copy the
# bases from. What a test writes is shown when it has ended, and kept in build/test-output.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
all="core fuzz asan cli syscalls guest programs crash conformance"
default="programs guest asan crash cli fuzz core syscalls" # what takes long begins early
suites=${*:-$default}
for s in $suites; do
    case " $all " in
    *" $s "*) ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0" >&2; exit 2 ;;
    esac
done
lanes=${FVM_TEST_LANES:-$(nproc)}
case $lanes in
'' | *[!0-9]* | 0) echo "FVM_TEST_LANES is '$lanes', which is no number of lanes" >&2; exit 2 ;;
esac
[ "$lanes" -le 4 ] || lanes=4

logs=$root/build/test-output
mkdir -p "$logs" && started=$SECONDS
scratch=$(mktemp -d "${TMPDIR:-/tmp}/fvm-suite.XXXXXX") || exit 1
server=${WINESERVER:-/usr/lib/wine/wineserver64}
stop() {
    local base
    for base in "$scratch"/base-*; do
        [ ! -d "$base" ] || WINEPREFIX=$base "$server" -k
    done
    rm -rf "$scratch"
}
trap stop EXIT
trap 'kill $(jobs -p) 2>/dev/null; wait; exit 130' INT TERM

build() {
    echo "-- building $*"
    make --no-print-directory -s "$@" >"$logs/build.log" 2>&1 && return
    cat "$logs/build.log"
    echo "0 passed, 1 failed"
    exit 1
}

# One base, made as a user's is, and a copy of it for each lane.
make_bases() {
    local from=${FVM_TEST_BASE:-} lane
    echo "-- a base for each of $lanes lanes"
    if [ -z "$from" ]; then
        from=$scratch/home/base
        FVM_HOME=$scratch/home timeout 300 "$root/build/native/launcher/fvm" run --rm -- \
            cmd /c exit </dev/null || { echo "0 passed, 1 failed"; exit 1; }
        WINEPREFIX=$from "$server" -k # its registry is on disk then
    fi
    for ((lane = 1; lane <= lanes; lane++)); do
        cp -a "$from" "$scratch/base-$lane" || exit 1
    done
    rm -rf "${scratch:?}/home"
}

# --- the list of tests -------------------------------------------------------------------------
count=0
# add SUITE LABEL COMMAND...: it counts by its last line "N passed, N failed", else by its TAP
# lines, else its exit code is one test. Exit code 77 means: cannot run here. No command may
# take longer than $LIMIT_EACH seconds (default 900).
add() {
    local suite=$1 label=$2
    shift 2
    count=$((count + 1))
    printf 'suite=%q label=%q command=(' "$suite" "$label" >"$scratch/test-$count"
    printf '%q ' "$@" >>"$scratch/test-$count"
    echo ')' >>"$scratch/test-$count"
}

add_scripts() {
    local suite=$1 f
    shift
    for f; do
        [ ! -x "$f" ] || add "$suite" "$(basename "$f" .sh)" "$f"
    done
}

# The programs of ctest each hold many tests: cmocka's lines are counted.
ctest_in='ctest --test-dir "$0" --output-on-failure --verbose -j2 >"$1" 2>&1; rc=$?
    grep -v "^UpdateCTest\|^ *$" "$1" | tail -n 12
    good=$(grep -c "\[       OK \]" "$1") bad=$(grep -Eo "\[ +FAILED +\] [A-Za-z_0-9]+$" "$1" | sort -u | wc -l)
    [ $rc = 0 ] || [ $bad != 0 ] || bad=1
    echo "$good passed, $bad failed"; exit $rc'

# --- running them --------------------------------------------------------------------------------
# judge LOG EXIT-CODE: sets good and bad.
judge() {
    local log=$1 rc=$2 sum
    sum=$(grep -Eo '[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    if [ -n "$sum" ]; then
        # shellcheck disable=SC2086
        set -- ${sum//[a-z,]/}
        good=$1 bad=$2
    elif grep -Eq '^(not )?ok ' "$log"; then
        good=$(grep -c '^ok ' "$log") bad=$(grep -c '^not ok ' "$log")
    elif [ "$rc" = 0 ]; then
        good=1 bad=0
    else
        echo "   exit code $rc" >>"$log"
        good=0 bad=1
    fi
    # a suite that ended badly without a failed test has failed all the same
    [ "$rc" = 0 ] || [ "$bad" != 0 ] || bad=1
}

run_test() {
    local n=$1 suite label command log rc good bad began=$SECONDS
    # shellcheck disable=SC1090
    . "$scratch/test-$n"
    log=$logs/$suite-$label.log
    echo "-- $suite: $label ..."
    timeout -k 20 "${LIMIT_EACH:-900}" "${command[@]}" >"$log" 2>&1 </dev/null
    rc=$?
    [ "$rc" != 124 ] || echo "not ok - $label: stopped after ${LIMIT_EACH:-900} s" >>"$log"
    if [ "$rc" = 77 ]; then
        local why
        why=$(tail -n 1 "$log")
        printf 'skipped+=%q\n' "   $label: ${why#"$label: "}"$'\n' >"$scratch/result-$n"
        echo "== $suite: $label: not run here"
        return
    fi
    judge "$log" "$rc"
    {
        echo "passed=\$((passed + $good)) failed=\$((failed + $bad))"
        [ "$bad" = 0 ] ||
            printf 'failures+=%q\n' "   $suite: $label: $bad failed, see $log"$'\n'
    } >"$scratch/result-$n"
    {
        flock 9
        cat "$log"
        printf '== %-12s %-22s %5d passed, %d failed  (%d s)\n' "$suite" "$label" "$good" "$bad" \
            $((SECONDS - began))
    } 9>"$scratch/output.lock"
}

# Takes the next test of the list, until there is none.
lane() {
    local n

    export FVM_BASE=$scratch/base-$1 FVM_LIBDIR_ASAN=$scratch/parts-$1
    if [ ! -d "$FVM_BASE" ]; then
        unset FVM_BASE
    elif ! FVM_HOME=$scratch/home-$1 FVM_WARM=3600 timeout 300 \
        "$root/build/native/launcher/fvm" run --rm -- cmd /c exit </dev/null; then
        # its Windows is to run for as long as the lane: each start changes it a little
        echo "lane $1: Windows does not start in the base" >&2
        return
    fi
    while n=$({
        flock 9
        read -r n <"$scratch/next"
        echo $((n + 1)) >"$scratch/next"
        echo "$n"
    } 9>"$scratch/next.lock") && [ "$n" -le "$count" ]; do
        run_test "$n"
    done
}

build native mingw
unset FVM_HOME FVM_BASE
based=''
for s in $suites; do
    case $s in
    core) add core ctest bash -c "$ctest_in" build/native/tests/core "$logs/core.txt" ;;
    asan)
        build asan
        based=1
        add asan ctest bash -c "$ctest_in" build/asan/tests/core "$logs/asan.txt"
        add asan cli env "FVM=$root/build/asan/launcher/fvm" bash -c \
            'export FVM_LIBDIR=$FVM_LIBDIR_ASAN && mkdir -p "$FVM_LIBDIR" &&
                cp build/mingw/monitor/fvm-monitor.exe build/mingw/guest/fvmguest.dll \
                    "$FVM_LIBDIR" && bats tests/cli' ;;
    cli) based=1; add cli bats bats tests/cli ;;
    syscalls) add_scripts syscalls tools/check-syscalls.pl ;;
    fuzz) add fuzz core tests/core/run-fuzz.sh ;;
    guest) based=1; add_scripts guest tests/run-*-tests.sh tests/registry/*.sh ;;
    crash) based=1; add_scripts crash tests/crash/*.sh ;;
    programs) based=1; add_scripts programs tests/programs/*.sh ;;
    conformance) based=1; add_scripts conformance tests/conformance.sh ;;
    esac
done
[ -z "$based" ] || make_bases
echo 1 >"$scratch/next"
for ((i = 1; i <= lanes; i++)); do
    lane "$i" &
done
wait

passed=0 failed=0 failures='' skipped=''
for ((i = 1; i <= count; i++)); do
    if [ -f "$scratch/result-$i" ]; then
        # shellcheck disable=SC1090
        . "$scratch/result-$i"
    else
        failed=$((failed + 1)) failures+="   test $i did not come to its end"$'\n'
    fi
done
echo "-- $((SECONDS - started)) s on $lanes lanes; logs are in $logs"
[ -z "$skipped" ] || printf 'Not run here:\n%s' "$skipped"
[ -z "$failures" ] || printf 'Failed:\n%s' "$failures"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
