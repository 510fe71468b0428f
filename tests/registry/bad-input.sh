#!/usr/bin/env bash
# What can be wrong with the registry of a VM: .reg files with errors, damaged logs, no room to
# write. There must be a clear error each time, and the last good state must stay.
# See tests/lib/env.sh for the environment.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"
env_start
cd "$scratch" || exit 1

# refused LABEL TEXT COMMAND...: fails, with TEXT in the message
refused() {
  local label=$1 text=$2 out
  shift 2
  if out=$("$@" 2>&1); then
    fail "$label: it works"
  elif [[ $out == *"$text"* ]]; then
    pass "$label: ${out%%$'\n'*}"
  else
    fail "$label: $out"
  fi
}
# same LABEL WANTED GOT
same() {
  if [ "$2" = "$3" ]; then pass "$1"; else fail "$1: \"$3\" instead of \"$2\""; fi
}
reg() { "$FVM" reg "$@"; }
content() { reg a export 'HKCU\Software\Good' | tr -d '\0'; }
unchanged() { same "... and nothing has changed" "$before" "$(content)"; }

"$FVM" create a >/dev/null
reg a set 'HKCU\Software\Good' -v Text -d kept
before=$(content)

# --- .reg files. The first lines of each would change what is there.
head='Windows Registry Editor Version 5.00\n\n[HKEY_CURRENT_USER\\Software\\Good]\n"Text"="lost"\n'
while IFS='|' read -r label text line; do
  printf "$head$text" >bad.reg # the texts have escapes
  refused "$label" "line $line" "$FVM" reg a import bad.reg
done <<'LIST'
a key without its bracket|[HKEY_CURRENT_USER\\Software\\X\n|5
an unknown root|[HKEY_NOWHERE\\X]\n|5
text without its end|"a"="b\n|6
a value without data|"a"\n|5
an unknown form of data|"a"=zz\n|5
no hexadecimal digits|"a"=hex:0g\n|5
a number that is too long|"a"=dword:123456789\n|5
something behind a value|"a"="b" c\n|5
a line that is nothing|nonsense\n|5
the type of a value|"a"=hex(zz):00\n|5
LIST
printf 'Windows Registry Editor Version 5.00\n\n"a"="b"\n' >bad.reg
refused "a value before the first key" "line 3" "$FVM" reg a import bad.reg
printf 'REGEDIT5\n\n[HKEY_CURRENT_USER\\Software\\Good]\n"Text"="lost"\n' >bad.reg
refused "another first line" "line 1" "$FVM" reg a import bad.reg
: >bad.reg
refused "an empty file" "bad.reg" "$FVM" reg a import bad.reg
head -c 4096 /dev/urandom >bad.reg
refused "bytes that are no text" "bad.reg" "$FVM" reg a import bad.reg
refused "a folder" "bad-folder" "$FVM" reg a import "$(mkdir bad-folder && echo bad-folder)"
refused "no file" "No such file" "$FVM" reg a import not-there.reg
unchanged

# --- damaged logs
log=$FVM_HOME/vms/a/registry
reg a set 'HKCU\Software\Good' -v More -d 'a second record'
reg a set 'HKCU\Software\Good' -v Last -d 'and a third one'
before=$(content)
cp "$log" good
size=$(stat -c %s good)
# damage LABEL OFFSET: one byte, in the middle
damage() {
  cp good "$log"
  printf '\xa5' | dd of="$log" bs=1 seek="$2" conv=notrunc 2>/dev/null
  refused "$1: run" "is damaged" "$FVM" run a -- cmd /c exit
  refused "$1: query" "is damaged" "$FVM" reg a query 'HKCU\Software\Good'
  refused "$1: set" "is damaged" "$FVM" reg a set 'HKCU\Software\Good' -v x -d y
  refused "$1: diff" "is damaged" "$FVM" diff a
  refused "$1: check" "is damaged" "$FVM" check a
  if cmp -s -n "$2" good "$log" && [ "$(stat -c %s "$log")" = "$size" ]; then
    pass "... the file is left as it is"
  else
    fail "... the file has changed"
  fi
}
damage "the log's head" 2
damage "a record" 60
reg a repair >/dev/null || fail "repair"
same "... repaired: what stands before it is there" "" "$(reg a query 'HKCU\Software\Good' -v Text 2>/dev/null)"
ls "$FVM_HOME/vms/a/lost+found/"registry* >/dev/null && pass "... and the damaged file is kept"
cp good "$log"
truncate -s 7 "$log"
same "a log that ends in its head is empty" "" "$("$FVM" diff a)"
rm "$log"
mkdir "$log"
refused "a folder in its place" "is no file" "$FVM" run a -- cmd /c exit
rmdir "$log"
: >"$log"
same "an empty log" "" "$("$FVM" diff a)"
cp good "$log"
unchanged

# --- no room. Wine's server must see the same small file system: it has to be started there.
if unshare -rm true 2>/dev/null || unshare -m true 2>/dev/null; then
  cp "$FVM_GUESTS/reg_many.exe" "$base_drive/fvm-many-$$.exe"
  WINEPREFIX=$FVM_BASE "$WINESERVER64" -k
  WINEPREFIX=$FVM_BASE "$WINESERVER64" -w
  small=$scratch/small many="C:\\fvm-many-$$.exe"
  mkdir "$small"
  export FVM small many scratch
  cat >inside.sh <<'INSIDE'
mount -t tmpfs -o size=1m none "$small" || exit 77
export FVM_HOME=$small FVM_WARM=0
"$FVM" create f >/dev/null || exit 1
head -c 800K /dev/zero >"$small/fill"
"$FVM" run f -- "$many" C:\\ count n >"$scratch/count" 2>"$scratch/said" </dev/null
echo "count $?"
tr -d '\r' <"$scratch/count" | grep '^error'
last=$(tr -d '\r' <"$scratch/count" | grep -c '^[0-9]')
[ "$("$FVM" reg f query 'HKCU\Software\fvm many' -v n)" = "$(printf '0x%x (%d)' "$last" "$last")" ]
echo "stored $?"
truncate -s -24K "$small/fill" # room for a part of what comes
for i in $(seq 12); do
  printf 'Windows Registry Editor Version 5.00\n\n[HKEY_CURRENT_USER\\Software\\X%s]\n' "$i"
  head -c 3000 /dev/zero | tr '\0' x | sed 's/.*/"v"="&"\n/'
done | awk 'NR == 1 || !/^Windows/' >"$scratch/big.reg"
sum=$(md5sum <"$small/vms/f/registry")
"$FVM" reg f import "$scratch/big.reg" 2>&1 | sed 's/^/import /'
"$FVM" reg f query 'HKCU\Software\X1' >/dev/null 2>&1
echo "half $?"
[ "$(md5sum <"$small/vms/f/registry")" = "$sum" ]
echo "log $?"
"$FVM" run f -- "$many" C:\\ show n 2>&1 </dev/null | tr -d '\r' | sed "s/^$last\$/shown/"
rm "$small/fill"
"$FVM" reg f import "$scratch/big.reg" 2>&1 | sed "s/^/then /"
echo "again ${PIPESTATUS[0]}"
INSIDE
  if [ "$(id -u)" = 0 ]; then namespace=(unshare -m); else namespace=(unshare -rm); fi
  timeout 120 "${namespace[@]}" bash inside.sh >no-room 2>&1
  rc=$?
  rm -f "$base_drive/fvm-many-$$.exe"
  if [ $rc = 77 ]; then
    echo "# no small file systems here: not tried"
  else
    # has LABEL LINE: as it was printed
    has() { if grep -qxF -- "$2" no-room; then pass "$1"; else fail "$1"; sed 's/^/#   /' no-room; fi; }
    has "no room: the program gets an error" "count 1"
    has "... which says so" "error 112"
    has "... and what it was told is written is there" "stored 0"
    grep -q '^import .*No space left' no-room && pass "... fvm reg import says so" ||
      fail "... fvm reg import: $(grep '^import' no-room)"
    has "... imports nothing of the file" "half 1"
    has "... and leaves the log as it was" "log 0"
    has "... the VM starts without room" "shown"
    has "... and with room all goes on" "again 0"
  fi
else
  echo "# no mount namespaces here: no room was not tried"
fi
results
