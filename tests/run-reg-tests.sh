#!/usr/bin/env bash
# Runs the guest programs on the registry and on devices: what they print without an option
# must be the same natively and in a VM; with the option "vm" they check in a VM that every
# change is refused, and the base's registry must be as before.
#
# usage: run-reg-tests.sh [TEST...]      (default: all of tests/guest/reg_*.c)
# See tests/lib/env.sh for the environment.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"

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

for name in "${tests[@]}"; do
  rm -rf "$base_dir"
  mkdir -p "$base_dir"
  cp "$FVM_GUESTS/$name.exe" "$base_dir/" || { fail "$name: not built"; continue; }
  out=$FVM_OUT/$name

  native "$dos\\$name.exe" "$dos" > "$out.native" 2>/dev/null
  find "$base_dir" -mindepth 1 ! -name '*.exe' -delete # what the native run made
  in_vm --rm "$dos\\$name.exe" "$dos" > "$out.vm" 2>"$out.err"
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
    pass "$name: every change is refused ($(grep -c '^ok ' "$out.vm") checks)"
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
