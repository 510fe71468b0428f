#!/usr/bin/env bash
# Runs the guest programs on the registry and on devices: what they print without an option
# must be the same natively and in a VM; with the option "vm" they change the registry in a VM,
# and the base's must be as before. reg_random makes the same random calls natively and in a VM
# over the same content, and all answers must be equal; the seeds in tests/registry/seeds come
# first.
#
# usage: run-reg-tests.sh [-n SEEDS] [-f FIRST] [-c COUNT] [-s SECONDS] [TEST...]
#   TEST    names of programs; all of tests/guest/reg_*.c without one
#   -n, -f  how many seeds reg_random gets, and the first one (default 5, 1)
#   -c      calls per seed (default 4000)
#   -s      how long the twenty processes of reg_many run in the VM (default 10)
# See tests/lib/env.sh for the environment.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"

seeds=5 first=1 count=4000 seconds=10
while getopts n:f:c:s: opt; do
  case $opt in
  n) seeds=$OPTARG ;;
  f) first=$OPTARG ;;
  c) count=$OPTARG ;;
  s) seconds=$OPTARG ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
tests=("$@")
if [ ${#tests[@]} -eq 0 ]; then
  for f in "$here"/guest/reg_*.c; do
    f=${f##*/}
    tests+=("${f%.c}")
  done
fi

env_start
dos="C:\\fvmtest-$$"
base_dir=$base_drive/fvmtest-$$

# registry FILE: the keys that the programs try to change, as text.
registry() {
  local key
  for key in 'HKCU\Software' 'HKCU\Environment' \
    'HKLM\Software\Microsoft\Windows NT\CurrentVersion'; do
    rm -f "$base_dir/export.reg"
    native 'C:\windows\system32\reg.exe' export "$key" "$dos\\export.reg" /y >/dev/null 2>&1
    cat "$base_dir/export.reg"
  done > "$1"
}

# random SEED COUNT: with an odd one there are volatile keys, which end with the VM's run, so that
# only with an even one the content is compared after the VM was started again.
random() {
  local seed=$1 count=$2 key='Machine\Software\FvmRandom' vm=reg-$1 out=$FVM_OUT/reg-random-$1
  local program=$FVM_GUESTS/reg_random.exe
  native "$program" "$key" clear >/dev/null 2>&1
  native "$program" "$key" fill "$seed" >/dev/null 2>&1
  native "$program" "$key" dump >"$out.before" 2>&1
  "$FVM" create "$vm" >/dev/null || { fail "random $seed: fvm create"; return; }
  in_vm "$vm" "$program" "$key" run "$seed" "$count" >"$out.vm" 2>&1
  in_vm "$vm" "$program" "$key" dump >"$out.vm-dump" 2>&1
  native "$program" "$key" dump >"$out.after" 2>&1
  native "$program" "$key" run "$seed" "$count" >"$out.native" 2>&1
  native "$program" "$key" dump >"$out.native-dump" 2>&1
  native "$program" "$key" clear >/dev/null 2>&1
  "$FVM" rm "$vm" >/dev/null || fail "random $seed: fvm rm"
  if ! cmp -s "$out.native" "$out.vm" || [ ! -s "$out.vm" ]; then
    fail "random $seed: answers differ (< native, > VM); transcripts: $out.*"
    diff "$out.native" "$out.vm" | head -6 | cut -c1-200 | sed 's/^/#   /'
  elif ! cmp -s "$out.before" "$out.after"; then
    fail "random $seed: the base has changed"
  elif ((seed % 2 == 0)) && ! cmp -s "$out.native-dump" "$out.vm-dump"; then
    fail "random $seed: the content differs when the VM is started again; see $out.*"
  else
    pass "random $seed: the same natively and in a VM ($(wc -l <"$out.vm") lines)"
    rm -f "$out".*
  fi
}

for name in "${tests[@]}"; do
  if [ "$name" = reg_random ]; then
    while read -r seed calls _ <&3; do
      [[ $seed == \#* ]] || random "$seed" "$calls"
    done 3<"$here/registry/seeds"
    for ((i = first; i < first + seeds; i++)); do random "$i" "$count"; done
    continue
  fi
  rm -rf "$base_dir"
  mkdir -p "$base_dir"
  cp "$FVM_GUESTS/$name.exe" "$base_dir/" || { fail "$name: not built"; continue; }
  out=$FVM_OUT/$name

  args=() vm_args=()
  if [ "$name" = reg_many ]; then
    args=(2 20) vm_args=("$seconds" 20)
  fi
  native "$dos\\$name.exe" "$dos" "${args[@]}" > "$out.native" 2>/dev/null
  find "$base_dir" -mindepth 1 ! -name '*.exe' -delete # what the native run made
  LIMIT=$((seconds + 120)) in_vm --rm "$dos\\$name.exe" "$dos" "${vm_args[@]}" \
    > "$out.vm" 2>"$out.err"
  if grep -h '^not ok\|^Bail out' "$out.native" "$out.vm"; then
    fail "$name: a check of the program fails"
  elif cmp -s "$out.native" "$out.vm" && [ -s "$out.vm" ]; then
    pass "$name: the same natively and in a VM ($(wc -l < "$out.vm") lines)"
  else
    fail "$name: differs (< native, > VM)"
    diff "$out.native" "$out.vm" | head -12 | sed 's/^/#   /'
  fi

  grep -q '"vm"' "$here/guest/$name.c" || continue
  registry "$out.before"
  in_vm --rm "$dos\\$name.exe" "$dos" vm > "$out.vm" 2>"$out.err"
  rc=$?
  if [ $rc -eq 0 ] && grep -q '^ok ' "$out.vm"; then
    pass "$name: changes are seen in the VM ($(grep -c '^ok ' "$out.vm") checks)"
  else
    fail "$name: exit code $rc, in a VM"
    grep '^not ok\|^Bail out' "$out.vm" | head -12 | sed 's/^/#   /'
    head -5 "$out.err" | sed 's/^/#   /'
  fi
  registry "$out.after"
  if cmp -s "$out.before" "$out.after" && [ -s "$out.after" ]; then
    pass "$name: the base's registry is as before"
  else
    fail "$name: the base's registry has changed"
    diff "$out.before" "$out.after" | head -12 | sed 's/^/#   /'
  fi
done
results
