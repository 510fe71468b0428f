#!/usr/bin/env bash
# fvm reg, the registry in fvm diff, damaged logs; what goes out as a .reg file must come in again
# by fvm and by regedit.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"
env_start
cd "$scratch" || exit 1

# expect LABEL WANTED GOT
expect() {
  if [ "$2" = "$3" ]; then
    pass "$1"
  else
    fail "$1"
    diff <(echo "$2") <(echo "$3") | head -8 | sed 's/^/#   /'
  fi
}
# refused LABEL TEXT COMMAND...: fails, with TEXT in the message
refused() {
  local label=$1 text=$2 out
  shift 2
  if out=$("$@" 2>&1); then
    fail "$label: it works"
  elif [[ $out == *"$text"* ]]; then
    pass "$label"
  else
    fail "$label: $out"
  fi
}
reg() { "$FVM" reg "$@"; }

"$FVM" create a >/dev/null
version='HKLM\Software\Microsoft\Windows NT\CurrentVersion'
old=$(reg a query "$version" -v ProductName)
expect "no change at first" "" "$("$FVM" diff a)"
reg a set 'HKCU\Software\Foo\Bar' -v Num -t dword -d 0x10
reg a set 'hkcu\software\foo\bar' -v Str -d 'hello "x" \ y'
reg a set 'HKCU\Software\Foo' -v Many -t multi_sz -d 'a\0b'
reg a set 'HKCU\Software\Foo' -v Bytes -t binary -d '00 ff,10'
reg a set "$version" -v ProductName -d Mine
reg a delete "$version" -v CurrentBuild
reg a delete 'HKCU\Control Panel\Mouse'
build=$("$FVM" diff a | sed -n 's/.*CurrentBuild = //p')
expect "fvm diff" "D $version : CurrentBuild = $build
M $version : ProductName = REG_SZ $old -> REG_SZ Mine
D HKCU\\Control Panel\\Mouse
A HKCU\\Software\\Foo
A HKCU\\Software\\Foo : Bytes = REG_BINARY 00ff10
A HKCU\\Software\\Foo : Many = REG_MULTI_SZ a\\0b\\0
A HKCU\\Software\\Foo\\Bar
A HKCU\\Software\\Foo\\Bar : Num = REG_DWORD 0x10 (16)
A HKCU\\Software\\Foo\\Bar : Str = REG_SZ hello \"x\" \\ y" "$("$FVM" diff a)"
expect "fvm diff of a key" "D HKCU\\Control Panel\\Mouse" "$("$FVM" diff a 'HKCU\Control Panel')"
expect "fvm diff --json" "9" "$("$FVM" diff a --json | grep -c '"kind"')"
expect "a program in the VM sees it" "0x10" \
  "$(in_vm a reg query 'HKCU\Software\Foo\Bar' /v Num </dev/null | tr -d '\r' | sed -n 's/.*REG_DWORD *//p')"

"$FVM" diff a --reg >a.reg
wanted=$("$FVM" diff a)
"$FVM" create b >/dev/null
reg b import a.reg
expect "fvm diff --reg and fvm reg import" "$wanted" "$("$FVM" diff b)"
"$FVM" create c >/dev/null
in_vm c regedit /S "Z:$(echo "$PWD/a.reg" | tr / '\\')" </dev/null
expect "fvm diff --reg and regedit" "$wanted" "$("$FVM" diff c)"
reg a export 'HKCU\Software\Foo' foo.reg
"$FVM" create d >/dev/null
reg d import foo.reg
expect "fvm reg export and import" "$(reg a query 'HKCU\Software\Foo\Bar')" \
  "$(reg d query 'HKCU\Software\Foo\Bar')"

in_vm d cmd /c 'echo up>C:\up & ping -n 30 127.0.0.1 >nul' </dev/null &
for ((i = 0; i < 100; i++)); do
  [ -e "$FVM_HOME/vms/d/fs/C/up" ] && break
  sleep 0.1
done
reg d set 'HKCU\Software\Live' -v 'a b' -d 'x y'
expect "a change of a running VM" "x y" "$(reg d query 'HKCU\Software\Live' -v 'a b')"
reg d delete 'HKCU\Software\Live' -v 'a b'
refused "... deleted again" "no value" "$FVM" reg d query 'HKCU\Software\Live' -v 'a b'
reg d import a.reg
expect "... and a file" "Mine" "$(reg d query "$version" -v ProductName)"
kill %1 2>/dev/null
wait 2>/dev/null

printf 'Windows Registry Editor Version 5.00\n\n[HKEY_CURRENT_USER\\Bad]\n"a"="b"\n"c"=zz\n' >bad.reg
refused "a .reg file with an error" "line 5" "$FVM" reg a import bad.reg
refused "... nothing of it is there" "no key" "$FVM" reg a query 'HKCU\Bad'
echo nonsense >bad.reg
refused "no .reg file" "line 1" "$FVM" reg a import bad.reg
refused "a name that is none" "no name of a registry key" "$FVM" reg a query 'HKXX\a'
refused "a number that is none" "no number" "$FVM" reg a set 'HKCU\a' -t dword -d x

log=$FVM_HOME/vms/b/registry
cp "$log" "$log.good"
truncate -s -3 "$log"
in_vm b cmd /c exit </dev/null && pass "a torn end is cut off" || fail "a torn end"
cp "$log.good" "$log"
printf 'X' | dd of="$log" bs=1 seek=100 conv=notrunc 2>/dev/null
refused "a damaged log" "is damaged" "$FVM" run b -- cmd /c exit
reg b repair >/dev/null
in_vm b cmd /c exit </dev/null && pass "... repaired" || fail "... repaired"
cmp -s <(head -c 100 "$FVM_HOME/vms/b/lost+found/registry") <(head -c 100 "$log.good") &&
  pass "... and kept aside" || fail "... and kept aside"
results
