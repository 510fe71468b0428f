#!/usr/bin/env bash
# Kills all processes of a VM, and in every third round the wineserver too, while they write to
# the registry: each number that a program has printed when it was written must be there
# afterwards, and at most one more.
#
# usage: kill9.sh [ROUNDS]     (default 6)
# See tests/lib/env.sh for the environment.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"
rounds=${1:-6}
env_start
base_dir=$base_drive/fvmtest-$$
mkdir -p "$base_dir"
cp "$FVM_GUESTS/reg_many.exe" "$base_dir/" || { fail "reg_many is not built"; results; exit 1; }
program="C:\\fvmtest-$$\\reg_many.exe" dos="C:\\fvmtest-$$"
"$FVM" create k >/dev/null || fail "fvm create"
id=$(sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p' "$FVM_HOME/vms/k/vm.json")

# The VM's processes are those that map its shared memory.
processes() { grep -ls "/$id/shared" /proc/[0-9]*/maps 2>/dev/null | cut -d/ -f3; }

for ((round = 1; round <= rounds; round++)); do
  for n in a b; do
    in_vm k "$program" "$dos" count "$n$round" >"$scratch/$n$round" 2>/dev/null </dev/null &
  done
  for ((i = 0; i < 100; i++)); do # both have begun
    [ -s "$scratch/a$round" ] && [ -s "$scratch/b$round" ] && break
    sleep 0.1
  done
  sleep "0.$((RANDOM % 900 + 100))"
  # shellcheck disable=SC2046
  kill -9 $(processes) 2>/dev/null
  ((round % 3)) || WINEPREFIX=$FVM_BASE "$WINESERVER64" -k9 2>/dev/null
  wait
  for n in a b; do
    printed=$(grep -c '^[0-9]' "$scratch/$n$round")
    printed=$(sed -n "${printed}p" "$scratch/$n$round" | tr -d '\r')
    stored=$(in_vm k "$program" "$dos" show "$n$round" 2>/dev/null </dev/null | tr -d '\r')
    if [ -n "$printed" ] && [ "${stored:-0}" -ge "$printed" ] &&
      [ "$stored" -le $((printed + 1)) ]; then
      pass "round $round: $printed printed, $stored stored"
    else
      fail "round $round: ${printed:-nothing} printed, ${stored:-nothing} stored"
    fi
  done
done 2>/dev/null
results
