#!/usr/bin/env bash
# Runs the guest file programs twice on the same tree, natively and in a VM, and compares
# the transcripts line by line: the host is the oracle. The tree lies in the base, which
# must be byte-identical after the VM's run.
#
# usage: run-guest-tests.sh [-n SEEDS] [-f FIRST] [-c COUNT] [-t] [TEST...]
#   TEST    names of programs (file_open, ...); all without one
#   -n, -f  how many seeds file_random gets, and the first one (default 10, 1)
#   -c      operations per seed (default 2500)
#   -t      print a hash of the tree after each operation, to find the one that went wrong
# A difference is shown and both transcripts are kept in $FVM_OUT; tests/guest/TEST.accepted
# lists differences that are meant to be. See tests/lib/env.sh for
# the environment.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/env.sh"
. "$here/lib/tree.sh"

seeds=10 first=1 count=2500 trace=''
while getopts n:f:c:t opt; do
    case $opt in
    n) seeds=$OPTARG ;;
    f) first=$OPTARG ;;
    c) count=$OPTARG ;;
    t) trace=trace ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
tests=("$@")
if [ ${#tests[@]} -eq 0 ]; then
    for f in "$here"/guest/file_*.c; do
        f=${f##*/}
        tests+=("${f%.c}")
    done
fi

env_start
tree_name=$(printf 'fvmtest-%07d' $$) # always as long: lengths of names are in transcripts
dos="C:\\$tree_name"
base_dir=$base_drive/$tree_name
dir=$base_dir

# fresh_tree [small]
fresh_tree() {
    rm -rf "$dir" "$dir.private"
    make_tree "$dir" "$@"
}

# unaccepted NATIVE VM LIST: the differing lines that are not in the list.
unaccepted() {
    diff "$1" "$2" | tr -d '\r' | grep '^[<>]' | sed "s/$tree_name/TREE/g" |
        if [ -f "$3" ]; then grep -vxFf <(grep '^[<>]' "$3"); else cat; fi
}

# compare LABEL NATIVE VM [TEST]: judges two transcripts. guest/TEST.accepted may hold lines
# of the difference ("< " native, "> " VM, the tree's name written TREE) that are accepted,
# each group under a comment that says why.
compare() {
    local list=$here/guest/${4:-none}.accepted lines
    if cmp -s "$2" "$3"; then
        if grep -q '^not ok\|^Bail out' "$2"; then
            fail "$1: a check of the program fails, natively too"
            grep '^not ok\|^Bail out' "$2" | head -5 | sed 's/^/# /'
        else
            pass "$1 ($(wc -l <"$2") lines)"
            rm -f "$2" "$3"
        fi
        return
    fi
    lines=$(unaccepted "$2" "$3" "$list" | wc -l)
    if [ "$lines" -eq 0 ]; then
        pass "$1 ($(wc -l <"$2") lines, $(diff "$2" "$3" | grep -c '^[<>]') accepted differences)"
        rm -f "$2" "$3"
    else
        fail "$1: $lines lines differ (< native, > VM)"
        unaccepted "$2" "$3" "$list" | head -"${SHOW:-12}" | sed 's/^/#   /'
        echo "#   transcripts: $2 $3"
    fi
}

# unchanged LABEL: the tree in the base is as it was.
unchanged() {
    (cd "$base_drive" && hash_tree "${dir##*/}") >"$scratch/after"
    if [ -e "$dir.private" ] || ! cmp -s "$scratch/before" "$scratch/after"; then
        fail "$1: the base has changed"
        diff "$scratch/before" "$scratch/after" | head -5 | sed 's/^/#   /'
    fi
}
remember() { (cd "$base_drive" && hash_tree "${dir##*/}") >"$scratch/before"; }

# one LABEL PROGRAM ARGS...: a disposable VM, then natively.
one() {
    local label=$1 test=$2 program=$FVM_GUESTS/$2.exe out
    shift 2
    out=$FVM_OUT/${label//[^A-Za-z0-9_]/-}
    fresh_tree ${small:-}
    remember
    in_vm --rm "$program" "$dos" "$@" >"$out.vm" 2>"$out.vm.err" </dev/null
    echo "exit code $?" >>"$out.vm"
    unchanged "$label"
    native "$program" "$dos" "$@" >"$out.native" 2>"$out.native.err" </dev/null
    echo "exit code $?" >>"$out.native"
    compare "$label" "$out.native" "$out.vm" "$test"
    rm -f "$out.vm.err" "$out.native.err"
}

# random SEED [private]: a VM that stays, so that its log and workspace are read again.
random() {
    local seed=$1 variant=${2:-base} out=$FVM_OUT/random-$1-${2:-base} vm=random-$1
    local program=$FVM_GUESTS/file_random.exe tree=$dos
    [ "$variant" = private ] && tree=$dos.private
    fresh_tree small
    remember
    "$FVM" create "$vm" >/dev/null || { fail "random $seed: fvm create"; return; }
    in_vm "$vm" "$program" "$dos" ${2:-} "$seed" "$count" $trace >"$out.vm" 2>&1 </dev/null
    echo "exit code $?" >>"$out.vm"
    in_vm "$vm" "$program" "$tree" dump >"$out.dump" 2>&1 </dev/null
    unchanged "random $seed $variant"
    if "$FVM" check "$vm" >"$out.check" 2>&1; then
        rm -f "$out.check"
    else
        fail "random $seed $variant: fvm check finds problems"
        head -5 "$out.check" | sed 's/^/#   /'
    fi
    native "$program" "$dos" ${2:-} "$seed" "$count" $trace >"$out.native" 2>&1 </dev/null
    echo "exit code $?" >>"$out.native"
    compare "random $seed $variant" "$out.native" "$out.vm"
    native "$program" "$tree" dump >"$out.dump.native" 2>&1 </dev/null
    compare "random $seed $variant, VM started again" "$out.dump.native" "$out.dump"
    "$FVM" rm "$vm" >/dev/null || fail "random $seed: fvm rm"
}

# Names, times and sizes in the whole base, without the trees of tests (and the drive's
# root, whose time changes with them).
list_base() {
    (cd "$FVM_BASE" && list_tree drive_c dosdevices) | grep -v 'drive_c *$\|drive_c/fvmtest-'
}
list_base >"$scratch/base-before"
for t in "${tests[@]}"; do
    if [ "$t" = file_random ]; then
        for ((i = first; i < first + seeds; i++)); do
            random "$i"
            if ((i % 3 == 0)); then random "$i" private; fi
        done
    else
        one "$t" "$t"
        one "$t private" "$t" private
    fi
done
rm -rf "$dir" "$dir.private"
if list_base | diff "$scratch/base-before" - >"$scratch/base-diff"; then
    pass "the rest of the base is as it was"
else
    fail "the rest of the base has changed"
    head -5 "$scratch/base-diff" | sed 's/^/#   /'
fi
results
