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
# Without a suite all but conformance run, which first builds Wine's tests. One base is made for all of them and removed at the end, unless
# FVM_TEST_BASE names a Wine prefix to use.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
all="core fuzz asan cli syscalls guest programs crash conformance"
default="core fuzz asan cli syscalls guest programs crash"
suites=${*:-$default}
for s in $suites; do
    case " $all " in
    *" $s "*) ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 2 ;;
    esac
done

passed=0 failed=0 bad='' skipped=''
logs=$root/build/test-output
mkdir -p "$logs" && started=$SECONDS
scratch=$(mktemp -d "${TMPDIR:-/tmp}/fvm-suite.XXXXXX") || exit 1
stop() {
    [ -z "${own_base:-}" ] || WINEPREFIX=$own_base "${WINESERVER:-/usr/lib/wine/wineserver64}" -k
    rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 130' INT TERM

# count SUITE PASSED FAILED LOG
count() {
    passed=$((passed + $2)) failed=$((failed + $3))
    [ "$3" = 0 ] || bad+="   $1: $3 failed, see $4"$'\n'
    printf '== %-12s %5d passed, %d failed  (%d s)\n' "$1" "$2" "$3" $((SECONDS - began))
}

# run SUITE LABEL COMMAND...: shows what it writes; counts its last line "N passed, N failed",
# else TAP lines, else its exit code as one test. Exit code 77 means: cannot run here. No
# command may take longer than $LIMIT_EACH seconds (default 900).
run() {
    local suite=$1 label=$2 log="$logs/$1-$2.log" rc sum
    shift 2
    began=$SECONDS
    echo "-- $suite: $label"
    timeout -k 20 "${LIMIT_EACH:-900}" "$@" 2>&1 </dev/null | tee "$log"
    rc=${PIPESTATUS[0]}
    [ "$rc" != 124 ] || echo "not ok - $label: stopped after ${LIMIT_EACH:-900} s" | tee -a "$log"
    sum=$(grep -Eo '[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    if [ "$rc" = 77 ]; then
        sum=$(tail -n 1 "$log")
        skipped+="   $label: ${sum#"$label: "}"$'\n'
        echo "== $suite: not run here"
        return
    fi
    if [ -n "$sum" ]; then
        # shellcheck disable=SC2086
        set -- ${sum//[a-z,]/}
    elif grep -Eq '^(not )?ok ' "$log"; then
        set -- "$(grep -c '^ok ' "$log")" "$(grep -c '^not ok ' "$log")"
    elif [ "$rc" = 0 ]; then
        set -- 1 0
    else
        echo "   exit code $rc"
        set -- 0 1
    fi
    # a suite that ended badly without a failed test has failed all the same
    [ "$rc" = 0 ] || [ "$2" != 0 ] || set -- "$1" 1
    count "$suite" "$1" "$2" "$log"
}

# The programs of ctest each hold many tests: cmocka's lines are counted.
ctest_in='ctest --test-dir "$0" --output-on-failure --verbose -j2 >"$1" 2>&1; rc=$?
    grep -v "^UpdateCTest\|^ *$" "$1" | tail -n 12
    good=$(grep -c "\[       OK \]" "$1") bad=$(grep -Eo "\[ +FAILED +\] [A-Za-z_0-9]+$" "$1" | sort -u | wc -l)
    [ $rc = 0 ] || [ $bad != 0 ] || bad=1
    echo "$good passed, $bad failed"; exit $rc'

build() {
    echo "-- building $*"
    make --no-print-directory -s "$@" >"$logs/build.log" 2>&1 && return
    cat "$logs/build.log"
    echo "0 passed, 1 failed"
    exit 1
}

# One base for all suites that need Wine.
need_base() {
    [ -z "${FVM_BASE:-}" ] || return 0
    if [ -n "${FVM_TEST_BASE:-}" ]; then
        FVM_BASE=$FVM_TEST_BASE
    else
        FVM_HOME=$scratch/home FVM_WARM=600 timeout 300 "$root/build/native/launcher/fvm" run --rm -- \
            cmd /c exit </dev/null || { echo "0 passed, 1 failed"; exit 1; }
        own_base=$scratch/home/base FVM_BASE=$own_base
    fi
    export FVM_BASE
}

scripts() {
    local suite=$1 f
    shift
    for f; do
        [ -x "$f" ] || continue
        need_base
        run "$suite" "$(basename "$f" .sh)" "$f"
    done
}

build native mingw
unset FVM_HOME
for s in $suites; do
    case $s in
    core) run core ctest bash -c "$ctest_in" build/native/tests/core "$logs/core.txt" ;;
    asan)
        build asan
        run asan ctest bash -c "$ctest_in" build/asan/tests/core "$logs/asan.txt"
        need_base
        FVM=$root/build/asan/launcher/fvm FVM_LIBDIR=$scratch/parts run asan cli \
            bash -c 'mkdir -p "$FVM_LIBDIR" && cp build/mingw/monitor/fvm-monitor.exe \
                build/mingw/guest/fvmguest.dll "$FVM_LIBDIR" && bats tests/cli' ;;
    cli) need_base; run cli bats bats tests/cli ;;
    syscalls) scripts syscalls tools/check-syscalls.pl ;;
    fuzz) run fuzz core tests/core/run-fuzz.sh ;;
    guest) scripts guest tests/run-*-tests.sh tests/registry/*.sh ;;
    crash) scripts crash tests/crash/*.sh ;;
    programs) scripts programs tests/programs/*.sh ;;
    conformance) scripts conformance tests/conformance.sh ;;
    esac
done
echo "-- $((SECONDS - started)) s; logs are in $logs"
[ -z "$skipped" ] || printf 'Not run here:\n%s' "$skipped"
[ -z "$bad" ] || printf 'Failed:\n%s' "$bad"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
