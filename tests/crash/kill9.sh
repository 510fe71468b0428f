#!/usr/bin/env bash
# Kills a process of a VM with SIGKILL at a random moment of a file workload, again and
# again. Each time: nothing is left running, `fvm check` finds the VM consistent, and a
# checker in the VM finds every completed operation done and nothing back that was deleted.
#
# usage: kill9.sh [-n COUNT] [-s SEED]     COUNT kills (default 20; the long form is 200)
# Environment: see tests/lib/env.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/env.sh"
. "$here/../lib/tree.sh"

count=20 seed=1 trees=10
while getopts n:s: opt; do
    case $opt in
    n) count=$OPTARG ;;
    s) seed=$OPTARG ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
RANDOM=$seed
env_start
name=fvmkill-$$
base_dir=$base_drive/$name
work=$FVM_GUESTS/crash_work.exe
((trees > count)) && trees=$count

# processes TAG: the processes that have the tag, name and tree, in their command line.
processes() { pgrep -f -- "${1//\\/.}"; }

# kind_of PID: what kind of process that is.
kind_of() {
    local line
    line=$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline")
    case $line in
    *fvm-monitor*) echo monitor ;;
    *'crash_work.exe work'* | *'crash_work.exe" work'*) echo worker ;;
    *'run '*) echo fvm ;;
    *) echo starter ;;
    esac
}

# gone TEXT: waits until no such process is left; fails after 10 seconds.
gone() {
    local i
    for ((i = 0; i < 100; i++)); do
        [ -z "$(processes "$1")" ] && return 0
        sleep 0.1
    done
    return 1
}

# one_kill NUMBER VM
one_kill() {
    local i=$1 vm=$2 tag="$name\\k$(($1 % trees))" log=$scratch/log-$1 pid target kind lines j p
    local label="kill $1" all
    : >"$log"
    "$FVM" run "$vm" -- "$work" start "C:\\$tag" "$((seed * 1000 + i))" \
        >>"$log" 2>"$log.err" </dev/null &
    pid=$!
    for ((j = 0; j < 500; j++)); do
        [ -s "$log" ] && break
        sleep 0.02
    done
    if [ ! -s "$log" ]; then
        fail "$label: the workload does not start: $(head -3 "$log.err")"
        kill -9 $pid
        return
    fi
    sleep "0.$(printf %03d $((RANDOM % 500)))"
    # every process of the VM is as likely, the workers together twice as much
    mapfile -t all < <(processes "$tag")
    [ ${#all[@]} -gt 0 ] || { fail "$label: ended by itself: $(tail -1 "$log")"; return; }
    target=${all[RANDOM % ${#all[@]}]}
    kind=$(kind_of "$target")
    kill -9 "$target" 2>/dev/null
    label="$label ($kind)"
    if [ "$kind" = worker ]; then
        # the others must go on: a dead process may hold no lock
        lines=$(wc -l <"$log")
        for ((j = 0; j < 100 && $(wc -l <"$log") <= lines; j++)); do sleep 0.05; done
        [ "$(wc -l <"$log")" -gt "$lines" ] || fail "$label: the other processes stand still"
    fi
    if [ "$kind" = worker ] || [ "$kind" = starter ]; then
        if ((RANDOM % 2)); then
            kill -9 $pid 2>/dev/null
        else
            for p in $(processes "$tag"); do kill -9 "$p" 2>/dev/null; done
        fi
    fi
    wait $pid 2>/dev/null
    if ! gone "$tag"; then
        fail "$label: processes are left: $(processes "$tag" | tr '\n' ' ')"
        for p in $(processes "$tag"); do kill -9 "$p"; done
        gone "$tag"
    fi
    if ! "$FVM" check "$vm" >"$log.check" 2>&1; then
        fail "$label: fvm check is not content"
        head -5 "$log.check" | sed 's/^/#   /'
        cp "$log" "$log.check" "$FVM_OUT"
        return
    fi
    if LIMIT=60 in_vm "$vm" "$work" check "C:\\$tag" <"$log" >"$log.result" 2>&1; then
        pass "$label, $(tail -1 "$log.result")"
        rm -f "$log"*
    else
        fail "$label: what is there differs from what was done"
        head -12 "$log.result" | sed 's/^/#   /'
        cp "$log" "$log.result" "$FVM_OUT"
    fi
}

for ((t = 0; t < trees; t++)); do
    mkdir -p "$base_dir/k$t"
    native "$work" make "C:\\$name\\k$t" </dev/null || { echo "cannot make the trees" >&2; exit 1; }
done
(cd "$base_drive" && hash_tree "$name") >"$scratch/before"
for ((n = 0; n < count; n++)); do
    ((n % trees)) || "$FVM" create "kill-$((n / trees))" >/dev/null || exit 1
    one_kill "$n" "kill-$((n / trees))"
    if ((n % trees == trees - 1)); then
        "$FVM" rm "kill-$((n / trees))" >/dev/null || fail "fvm rm"
    fi
done
(cd "$base_drive" && hash_tree "$name") >"$scratch/after"
if cmp -s "$scratch/before" "$scratch/after"; then
    pass "the base is byte-identical"
else
    fail "the base has changed"
fi
results
