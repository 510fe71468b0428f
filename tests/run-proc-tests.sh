#!/usr/bin/env bash
# Runs the guest programs on processes: proc_create prints the same natively and in a VM,
# the ways out of a VM are closed (proc_escape), and a fault of the guest is told (proc_fault).
#
# usage: run-proc-tests.sh
# See tests/lib/env.sh for the environment.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"

env_start
dos="C:\\fvmtest-$$"
base_dir=$base_drive/fvmtest-$$
mkdir -p "$base_dir"
for t in proc_control proc_create proc_escape proc_fault proc_threads; do
    cp "$FVM_GUESTS/$t.exe" "$base_dir/" || { fail "$t: not built"; results; exit; }
done
cd "$scratch" || exit 1

# same PROGRAM: natively and in a VM.
same() {
    local out=$FVM_OUT/$1
    native "$dos\\$1.exe" >"$out.native" 2>/dev/null </dev/null
    echo "exit code $?" >>"$out.native"
    in_vm --rm "$dos\\$1.exe" >"$out.vm" 2>"$out.err" </dev/null
    echo "exit code $?" >>"$out.vm"
    if cmp -s "$out.native" "$out.vm"; then
        pass "$1: the same natively and in a VM ($(wc -l <"$out.vm") lines)"
    else
        fail "$1: differs (< native, > VM)"
        diff "$out.native" "$out.vm" | head -12 | sed 's/^/#   /'
        head -3 "$out.err" | sed 's/^/#   /'
    fi
}
same proc_create
LIMIT=30 same proc_threads

# --- ways out --------------------------------------------------------------------------------
library=$(find /lib /usr/lib -name 'libm.so.6' -print -quit 2>/dev/null)
program=$(command -v touch)
"$FVM" create escape >/dev/null || fail "fvm create"
in_vm escape "$dos\\proc_escape.exe" "$dos" "$library" "$program" >"$FVM_OUT/proc_escape.vm" 2>&1 \
    </dev/null
rc=$?
if [ $rc -eq 0 ] && grep -q '^ok ' "$FVM_OUT/proc_escape.vm"; then
    pass "proc_escape: $(grep -c '^ok ' "$FVM_OUT/proc_escape.vm") ways are closed"
else
    fail "proc_escape: exit code $rc"
    grep '^not ok\|^Bail out' "$FVM_OUT/proc_escape.vm" | head -12 | sed 's/^/#   /'
fi
if find "$scratch" "$base_dir" -name 'escaped*' | grep .; then
    fail "proc_escape: a program ran outside of the VM"
else
    pass "proc_escape: nothing ran outside of the VM"
fi
for call in LdrLoadDll NtCreateUserProcess __wine_unix_spawnvp NtSetSystemTime NtLoadDriver \
    NtInitiatePowerAction NtShutdownSystem; do
    if grep '"kind":"refused"' "$FVM_HOME/vms/escape/events" | grep -q "\"call\":\"$call\""; then
        pass "the refusal of $call is an event"
    else
        fail "no event says that $call was refused"
    fi
done
"$FVM" rm escape >/dev/null || fail "fvm rm"

# --- Ctrl-C -----------------------------------------------------------------------------------
# once LABEL: the program's transcript $scratch/ctrl says that one came.
once() {
    if [ "$(tr -d '\r' <"$scratch/ctrl" | tr '\n' ' ')" = "ready 1 " ]; then
        pass "$1: the program gets it once"
    else
        fail "$1: $(tr -d '\r' <"$scratch/ctrl" | tr '\n' ' ')"
    fi
}
# waits until the program says that it is ready
ready() { timeout 20 sh -c 'until grep -q ready "$1"; do sleep 0.1; done' - "$scratch/ctrl"; }
: >"$scratch/ctrl"
{ ready; printf '\003'; sleep 2; } |
    timeout 40 script -qec "'$FVM' run --rm -- '$dos\\proc_control.exe' </dev/null >'$scratch/ctrl' 2>&1" \
        /dev/null >/dev/null
once "Ctrl-C at a terminal, with the standard handles elsewhere"
: >"$scratch/ctrl"
"$FVM" run --rm -- "$dos\\proc_control.exe" </dev/null >"$scratch/ctrl" 2>&1 &
pid=$!
ready
kill -INT $pid
wait $pid
once "SIGINT to fvm"

# --- faults ------------------------------------------------------------------------------------
in_vm --rm "$dos\\proc_fault.exe" >"$FVM_OUT/proc_fault.vm" 2>"$FVM_OUT/proc_fault.err" </dev/null
rc=$?
if [ $rc -ne 0 ] && grep -q 'an error in fvm itself.*proc_fault.exe' "$FVM_OUT/proc_fault.err"; then
    pass "proc_fault: a fault of the guest is told, with the process's name"
else
    fail "proc_fault: exit code $rc"
    head -5 "$FVM_OUT/proc_fault.vm" "$FVM_OUT/proc_fault.err" | sed 's/^/#   /'
fi
# the host itself ends the process for some of these
in_vm --rm "$dos\\proc_fault.exe" bad >"$FVM_OUT/proc_fault.bad" 2>"$FVM_OUT/proc_fault.err" </dev/null
if [ "$(tr -d '\r' <"$FVM_OUT/proc_fault.bad" | tr '\n' ' ')" = "c0000005 c0000004 " ]; then
    pass "proc_fault: a bad pointer is an error"
else
    fail "proc_fault: a bad pointer gives $(cat "$FVM_OUT/proc_fault.bad")"
fi
rm -rf "$base_dir"
results
