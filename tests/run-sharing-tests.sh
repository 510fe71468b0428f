#!/usr/bin/env bash
# A file of the base that is open in one VM, shared with nobody: a second open in that VM fails
# as on the host; other VMs do not notice, nor does the host (as long as it does not want the
# file for itself alone).
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/env.sh"

env_start
base_dir=$base_drive/fvmshare-$$
mkdir -p "$base_dir" && echo content >"$base_dir/one.txt"
file="C:\\${base_dir##*/}\\one.txt"
hold=$FVM_GUESTS/hold.exe
"$FVM" create a >/dev/null && "$FVM" create b >/dev/null || exit 1

# expect LABEL ERROR COMMAND...: the program says "error ERROR".
expect() {
    local label=$1 want=$2 got
    shift 2
    got=$("$@" </dev/null 2>&1 | tr -d '\r' | tail -n 1)
    if [ "$got" = "error $want" ]; then pass "$label"; else fail "$label: $got"; fi
}

mkfifo "$scratch/in" "$scratch/out"
timeout 120 "$FVM" run a -- "$hold" "$file" <"$scratch/in" >"$scratch/out" 2>&1 &
exec 5>"$scratch/in" 6<"$scratch/out"
read -r first <&6
if [ "${first%$'\r'}" = "error 0" ]; then pass "held in VM a"; else fail "VM a: $first"; fi
expect "the same VM gets a sharing violation" 32 in_vm a "$hold" "$file"
expect "another VM opens it" 0 in_vm b "$hold" "$file"
if [ "$(native cmd.exe /c type "$file" </dev/null | tr -d '\r')" = content ]; then
    pass "the host reads it"
else
    fail "the host cannot read it"
fi
exec 5>&- 6<&-
wait
expect "after the close the VM opens it again" 0 in_vm a "$hold" "$file"
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
