#!/usr/bin/env bash
# What `make run` shows: a real Windows program, 7-Zip, does real work in a VM; what it has
# changed; and a host that did not change.
set -eu
cd "$(dirname "$0")/.."
fvm=${FVM:-$PWD/build/native/launcher/fvm}
bold='' dim='' plain=''
if [ -t 1 ]; then bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m'); fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ fvm %s%s\n' "$dim" "$*" "$plain"; "$fvm" "$@"; }
fail() { echo "make run: $*" >&2; exit 1; }

work=$(mktemp -d "${TMPDIR:-/tmp}/fvm-run.XXXXXX")
vm=demo-$$
cleanup() {
    "$fvm" rm -f "$vm" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

step "1. Getting 7-Zip for Windows"
tools/fetch-npm.sh 7zip-bin@5.2.0 >"$work/where"
cp "$(cat "$work/where")/win/x64/7za.exe" "$work/7za.exe"
echo "7za.exe, $(stat -c %s "$work/7za.exe") bytes"

step "2. A small tree on the host"
mkdir "$work/tree"
git ls-files 2>/dev/null | grep -v '^\.' | tar cf - -T - | tar xf - -C "$work/tree" 2>/dev/null ||
    cp -r core docs launcher "$work/tree"
# names, sizes, times and content of everything
state() { (cd "$work/tree" && find . -printf '%p %s %T@ %m\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum; }
[ -n "$(ls "$work/tree")" ] || cp -r core docs launcher "$work/tree"
files=$(find "$work/tree" -type f | wc -l)
before=$(state)
echo "$work/tree: $files files, $(du -sb "$work/tree" | cut -f1) bytes"
# the same folder, as Windows programs see it
tree="Z:${work//\//\\}\\tree"

step "3. A VM, made for this"
show create "$vm"

step "4. 7-Zip packs the tree and tests the archive, inside the VM"
show run "$vm" -- "$work/7za.exe" a -bso0 -bsp0 'C:\backup.7z' "$tree" || fail "7-Zip could not pack"
start=$(date +%s%N)
show run "$vm" -- "$work/7za.exe" t -bsp0 'C:\backup.7z' || fail "the archive is not good"
took=$((($(date +%s%N) - start) / 1000000))

step "5. Then the VM ruins the tree: deletes a folder, overwrites a file, renames another"
show run "$vm" -- cmd /c "rd /s /q $tree\\core & echo ruined>$tree\\README.md & ren $tree\\docs papers" ||
    fail "cmd failed"

step "6. What the VM has changed"
show diff "$vm" || fail "no difference"
"$fvm" diff "$vm" >"$work/diff"
grep -q 'A C:\\backup.7z' "$work/diff" || fail "the archive is missing in the VM"

step "7. And the host?"
[ "$(state)" = "$before" ] || fail "the tree on the host has changed"
[ ! -e "$("$fvm" inspect "$vm" | jq -r .base)/drive_c/backup.7z" ] || fail "the archive is on the host"
printf '%s files: names, sizes, times and content as before. There is no C:%s on the host.\n' "$files" '\backup.7z'

"$fvm" cp "$vm:C:\\backup.7z" "$work/backup.7z"
disk=$("$fvm" inspect "$vm" | jq .disk_bytes)
step "Summary"
cat <<EOF
  7-Zip packed $files files into $(stat -c %s "$work/backup.7z") bytes and tested them in $took ms,
  in a VM that takes $((disk / 1024)) KiB on the disk, $(wc -l <"$work/diff") changes in all.
  The host is as it was; the VM goes away now.

  Go on with:  build/native/launcher/fvm create dev
               build/native/launcher/fvm run dev -- cmd
               build/native/launcher/fvm help
EOF
