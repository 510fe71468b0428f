#!/usr/bin/env bash
# Runs the fuzz programs of the core for a short time each, starting from the seeds in
# tests/core/corpus. Exit code 77 when there is no clang to build them with.
#
# usage: run-fuzz.sh [-t SECONDS] [-k FOLDER] [NAME...]
#   NAME  path, log, index, ...: of tests/core/fuzz_NAME.c; all without one
#   -t    seconds for each (default: 20 s shared out among all)
#   -k    folder that keeps what was found, NAME/ for each, to go on from another time
# An input that breaks something is kept in build/test-output.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seconds='' keep=''
while getopts t:k: opt; do
    case $opt in
    t) seconds=$OPTARG ;;
    k) keep=$OPTARG ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))

command -v clang >/dev/null || { echo "fuzz: no clang here"; exit 77; }
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for f in "$here"/fuzz_*.c; do
        f=${f##*/fuzz_}
        names+=("${f%.c}")
    done
fi
: "${seconds:=$((20 / ${#names[@]}))}"
out=$root/build/test-output
mkdir -p "$out"
cd "$root" || exit 1
targets=()
for n in "${names[@]}"; do targets+=("fuzz_$n"); done
if ! { cmake --preset fuzz && cmake --build --preset fuzz --target "${targets[@]}"; } \
    >"$out/fuzz-build.log" 2>&1; then
    tail -20 "$out/fuzz-build.log"
    echo "0 passed, 1 failed"
    exit 1
fi

passed=0 failed=0
for n in "${names[@]}"; do
    new=${keep:+$keep/$n}
    : "${new:=$(mktemp -d)}"
    mkdir -p "$new"
    seeds=()
    [ ! -d "$here/corpus/$n" ] || seeds=("$here/corpus/$n")
    if build/fuzz/tests/core/"fuzz_$n" -max_total_time="$seconds" -artifact_prefix="$out/fuzz-$n-" \
        -print_final_stats=1 "$new" "${seeds[@]}" >"$out/fuzz-$n.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok - fuzz_$n: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/fuzz-$n.log") inputs in $seconds s"
    else
        failed=$((failed + 1))
        echo "not ok - fuzz_$n"
        grep -a 'does not hold\|ERROR\|runtime error\|Test unit written' "$out/fuzz-$n.log" | head -5
    fi
    [ -n "$keep" ] || rm -rf "$new"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
