#!/usr/bin/env bash
# Measures what a VM costs: the same programs natively and in a VM, in turn, on the same
# base, in one go. Prints a table with the ratios and the limits that FVM sets itself.
#
# usage: bench/run.sh [-r ROUNDS] [-o FILE] [-a]
#   -r  rounds of native and VM runs (default 5)
#   -o  also write the raw figures to FILE, as tab-separated values
#   -a  let Wine's processes run on all processors. Without it everything is bound to one:
#       a call to the wineserver costs 4 to 6 times more when it crosses processors, and
#       where it lands is chance.
#
# A row is judged by its minimum: over all rounds the least of the minima, which is what
# the code costs without the machine's other work. The median of the medians stands beside
# it. A ratio counts as a miss when it is above its limit by more than 2 %, which is what
# repeated native runs can differ by. The exit code is 1 when there is a miss.
# Environment: see tests/lib/env.sh; FVM_BENCH is the folder of micro.exe, registry.exe, peers.exe
# and nop.exe, FVM_STORE the native program store.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/lib/env.sh"
: "${FVM_BENCH:=$fvm_root/build/mingw/bench}"
: "${FVM_STORE:=$fvm_root/build/native/bench/store}"

rounds=5 raw='' all=''
while getopts r:o:a opt; do
    case $opt in
    r) rounds=$OPTARG ;;
    o) raw=$OPTARG ;;
    a) all=1 ;;
    *) sed -n '2,18s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
for f in "$FVM_BENCH"/{micro,registry,peers,nop}.exe "$FVM_STORE"; do
    [ -f "$f" ] || { echo "$f is missing: run 'make' first" >&2; exit 1; }
done

cpu=$(($(nproc) - 1))
if [ -z "$all" ] && command -v taskset >/dev/null; then
    taskset -pc "$cpu" $$ >/dev/null
else
    all=1
fi
env_start
base_dir=$base_drive/fvmbench-$$
dos="C:\\fvmbench-$$" key="Software\\FvmBench-$$"
results=$scratch/results
: >"$results"

# The server may have been started by someone else, on all processors.
pin_server() {
    local p
    for p in /proc/[0-9]*; do
        case $(readlink "$p/exe" 2>/dev/null) in
        */wineserver*)
            tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -qxF "WINEPREFIX=$FVM_BASE" &&
                taskset -pc "$cpu" "${p#/proc/}" >/dev/null
            ;;
        esac
    done
}

prepare() {
    local i
    mkdir -p "$base_dir"/{small,changed,large}
    printf 'unchanged\n' >"$base_dir/unchanged.txt"
    head -c 16384 /dev/zero >"$base_dir/block.bin"
    for i in $(seq -f %05g 0 9999); do
        : >"$base_dir/changed/file$i.txt"
        : >"$base_dir/large/file$i.txt"
    done
    : >"$base_dir/changed/delete.me"
    for i in $(seq -f %03g 0 999); do : >"$base_dir/small/file$i.txt"; done
    cp "$FVM_BENCH"/{micro,registry,peers,nop}.exe "$base_dir"
    native "$dos\\registry.exe" "$key" prepare </dev/null
}

# shell_time WHERE NAME COMMAND...: 10 runs from the shell.
shell_time() {
    local where=$1 name=$2 i begin end times=$scratch/times
    shift 2
    : >"$times"
    for ((i = 0; i < 10; i++)); do
        begin=$EPOCHREALTIME
        "$@" >/dev/null 2>&1 </dev/null || { echo "failed: $*" >&2; return 1; }
        end=$EPOCHREALTIME
        echo $(((${end/./} - ${begin/./}) * 1000)) >>"$times"
    done
    sort -n "$times" | awk -v w="$where" -v n="$name" '{ t[NR] = $1 }
        END { printf "%s\t%s\t%d\t%d\t%d\n", w, n, NR, t[1], t[int((NR + 1) / 2)] }' >>"$results"
}

cmd='C:\windows\system32\cmd.exe'
prepare
in_vm --rm "$cmd" /c exit </dev/null || { echo "fvm run fails: nothing to measure" >&2; exit 1; }
[ -n "$all" ] || pin_server
for ((round = 1; round <= rounds; round++)); do
    printf 'round %d of %d\r' "$round" "$rounds" >&2
    LIMIT=300 native "$dos\\micro.exe" "$dos" "$dos\\nop.exe" </dev/null |
        sed 's/^/native\t/' >>"$results"
    LIMIT=300 in_vm --rm "$dos\\micro.exe" "$dos" "$dos\\nop.exe" </dev/null |
        sed 's/^/vm\t/' >>"$results"
    LIMIT=300 native "$dos\\registry.exe" "$key" </dev/null | tr -d '\r' |
        sed 's/^/native\t/' >>"$results"
    LIMIT=300 in_vm --rm "$dos\\registry.exe" "$key" </dev/null | tr -d '\r' |
        sed 's/^/vm\t/' >>"$results"
    "$FVM_STORE" "$scratch/store" | sed 's/^/vm\t/' >>"$results"
    LIMIT=100 native "$dos\\peers.exe" </dev/null | tr -d '\r' | sed 's/^/native\t/' >>"$results"
    LIMIT=100 in_vm --rm "$dos\\peers.exe" </dev/null | tr -d '\r' | sed 's/^/vm\t/' >>"$results"
    shell_time native 'from the shell: cmd /c exit' \
        env WINEPREFIX="$FVM_BASE" "$WINE64" "$cmd" /c exit
    shell_time vm 'from the shell: cmd /c exit' "$FVM" run --rm -- "$cmd" /c exit
done
native "$dos\\registry.exe" "$key" remove </dev/null
for ((i = 0; i < 20; i++)); do
    shell_begin=$EPOCHREALTIME
    "$FVM" create "bench-$i" >/dev/null || exit 1
    shell_end=$EPOCHREALTIME
    ns=$(((${shell_end/./} - ${shell_begin/./}) * 1000))
    printf 'vm\tVM create\t1\t%d\t%d\n' "$ns" "$ns" >>"$results"
    disk=$(du -sk "$FVM_HOME"/vms/* | awk '{ print $1 }')
    shell_begin=$EPOCHREALTIME
    "$FVM" rm "bench-$i" >/dev/null || exit 1
    shell_end=$EPOCHREALTIME
    ns=$(((${shell_end/./} - ${shell_begin/./}) * 1000))
    printf 'vm\tVM remove\t1\t%d\t%d\n' "$ns" "$ns" >>"$results"
done
[ -z "$raw" ] || cp "$results" "$raw"

# One line per row: name, then native and VM minimum and median, ratio, limit.
awk -F'\t' -v disk="$disk" '
    function median(list,    a, n, i, j, t) {
        n = split(list, a, " ")
        for (i = 2; i <= n; i++) {
            t = a[i]
            for (j = i - 1; j >= 1 && a[j] + 0 > t + 0; j--) a[j + 1] = a[j]
            a[j + 1] = t
        }
        return a[int((n + 1) / 2)]
    }
    function text(ns) {
        ns += 0
        return ns >= 1e6 ? sprintf("%.2f ms", ns / 1e6) : sprintf("%.2f us", ns / 1e3)
    }
    function limit(name, value) { limits[name] = value }
    BEGIN {
        limit("open+close of an unchanged file", 1.05)
        limit("attributes of an unchanged name", 1.15)
        limit("attributes of a missing name", 1.15)
        limit("listing of an unchanged directory (1,000)", 1.05)
        limit("listing of a changed directory (10,000)", 1.3)
        limit("open+close of an own file", 1.15)
        limit("create+delete", 1.5)
        limit("read of 4 KiB, unchanged file", 1.00)
        limit("read of 4 KiB, own file", 1.00)
        limit("write of 4 KiB, own file", 1.00)
        limit("rename of a directory of 10,000 files", 1.00)
        limit("process: create to exit", 1.10)
        limit("event: create+close by name", 1.05)
        limit("event: open+close by name", 1.10)
        limit("pipe: create+close", 1.10)
        limit("SendMessage to another process", 1.05)
        limit("COM call of another process", 1.05)
        limit("pipe: connect and round trip", 1.05)
        limit("from the shell: cmd /c exit", 2.5)
        limit("registry: open+query+close, unchanged", 1.10)
        limit("registry: open of a missing key", 1.10)
        limit("registry: query of an unchanged value", 1.10)
        limit("registry: query of an own value", 1.10)
        limit("registry: set of an own value", 1.3)
        limit("registry: list of 1,000 unchanged subkeys", 1.05)
        limit("registry: list of 1,000, half of them others", 1.5)
        limit("registry: list of 1,000, half with own values", 1.5)
        # of fvm itself, in milliseconds
        limit("registry: fvm saves 10,000 own values", 20)
        limit("registry: fvm loads 10,000 own values", 20)
        limit("VM create", 10)
        limit("VM remove", 10)
    }
    {
        if (!($2 in seen)) { seen[$2] = 1; order[++rows] = $2 }
        key = $1 "\t" $2
        if (!(key in least) || $4 < least[key]) least[key] = $4
        medians[key] = medians[key] " " $5
    }
    END {
        printf "%-45s %11s %11s %7s %11s %11s %7s %6s\n", "", "native min", "VM min", "ratio",
            "native med", "VM med", "ratio", "limit"
        for (i = 1; i <= rows; i++) {
            name = order[i]
            n = "native\t" name; v = "vm\t" name
            if (!(n in least)) { # absolute: milliseconds
                bad = least[v] > limits[name] * 1e6
                printf "%-45s %11s %11s %7s %11s %11s %7s %6s%s\n", name, "", text(least[v]), "",
                    "", text(median(medians[v])), "", limits[name] " ms", bad ? "  MISS" : ""
                misses += bad
                continue
            }
            if (!(v in least)) {
                printf "%-45s no figure from the VM  MISS\n", name
                misses++
                continue
            }
            r = least[v] / least[n]
            m = median(medians[v]) / median(medians[n])
            bad = name in limits && r > limits[name] * 1.02
            printf "%-45s %11s %11s %6.2fx %11s %11s %6.2fx %6s%s\n", name, text(least[n]),
                text(least[v]), r, text(median(medians[n])), text(median(medians[v])), m,
                name in limits ? sprintf("%.2fx", limits[name]) : "-", bad ? "  MISS" : ""
            misses += bad
        }
        bad = disk > 64
        printf "%-45s %11s %11s %34s %6s%s\n", "an empty VM on disk", "", disk " KiB", "", "64 KiB",
            bad ? "  MISS" : ""
        misses += bad
        if (misses) print misses " of " rows + 1 " rows miss their limit"
        else print "all " rows + 1 " rows are within their limits"
        exit misses > 0
    }' "$results"
