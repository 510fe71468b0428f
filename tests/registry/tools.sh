#!/usr/bin/env bash
# The host's own tools for the registry in a VM: reg.exe, regedit, regsvr32, winecfg. Each command
# runs natively over a copy of the base's registry and in a VM: what it says and how it ends must be
# the same, and in the end both registries; the base's stays as it is.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"
# shellcheck source=tests/lib/display.sh
. "$here/lib/display.sh"
# shellcheck source=tests/lib/reference.sh
. "$here/lib/reference.sh"
env_start
end() {
    display_end
    reference_end
    env_end
}
trap end EXIT
display_start
dos="C:\\fvmtest-$$"
base_dir=$base_drive/fvmtest-$$
mkdir -p "$base_dir"
cp "$FVM_GUESTS"/side_{settings,winecfg}.exe "$base_dir/" || { fail "the programs are not built"; results; exit; }

# --- two registries -----------------------------------------------------------------------------
reference_make "$dos\\side_settings.exe" "$dos" get
hives "$scratch/hives-before"
"$FVM" create tools >/dev/null || { fail "cannot make a VM"; results; exit; }

# The files that the commands read and write: of each side its own, by the same name.
printf 'REGEDIT4\n\n[HKEY_CURRENT_USER\\Software\\FvmTools\\Old]\n"a"="b"\n@="d"\n"n"=dword:0000002a\n' \
    >"$base_dir/old.reg"
cat >"$scratch/new.reg" <<'EOF'
Windows Registry Editor Version 5.00

[HKEY_CURRENT_USER\Software\FvmTools\New\Deep]
"text"="a \"quoted\" \\ text"
"binary"=hex:01,02,03
"expand"=hex(2):25,00,41,00,25,00,00,00
"multi"=hex(7):61,00,00,00,62,00,00,00,00,00
"quad"=hex(b):01,02,03,04,05,06,07,08

[HKEY_LOCAL_MACHINE\Software\FvmTools]
"machine"="yes"

[HKEY_CURRENT_USER\Control Panel\Desktop]
"WheelScrollLines"="17"

[-HKEY_CURRENT_USER\Software\Wine\Debug]
EOF
(printf '\xff\xfe' && iconv -f UTF-8 -t UTF-16LE "$scratch/new.reg") >"$base_dir/new.reg"

# both LABEL COMMAND...: natively and in the VM, the same output and exit code.
both() {
    local label=$1 rc_native rc_vm
    shift
    in_reference "$@" >"$scratch/native" 2>/dev/null </dev/null
    rc_native=$?
    in_vm tools "$@" >"$scratch/vm" 2>"$scratch/err" </dev/null
    rc_vm=$?
    if [ $rc_native = $rc_vm ] && cmp -s "$scratch/native" "$scratch/vm"; then
        pass "$label (exit code $rc_vm)"
    else
        fail "$label: exit code $rc_native natively, $rc_vm in the VM"
        diff "$scratch/native" "$scratch/vm" | head -6 | sed 's/^/#   /'
        head -2 "$scratch/err" | sed 's/^/#   /'
    fi
}
# written LABEL FILE: the file that a command wrote on both sides is the same. The VM's is taken out
# first: natively the file lies where the VM sees the base's.
written() {
    if "$FVM" cp "tools:$dos\\$2" "$scratch/out.vm" >/dev/null 2>&1 &&
        cmp -s "$scratch/out.vm" "$base_dir/$2"; then
        pass "$1 ($(wc -c <"$scratch/out.vm") bytes)"
    else
        fail "$1: the files differ"
        cmp "$scratch/out.vm" "$base_dir/$2" 2>&1 | head -1 | sed 's/^/#   /'
    fi
}

# --- reg.exe ------------------------------------------------------------------------------------
reg='C:\windows\system32\reg.exe'
k='HKCU\Software\FvmTools'
both "reg add, a key" "$reg" add "$k\\One" /f
both "reg add, a string" "$reg" add "$k\\One" /v text /d "a b c" /f
both "reg add, a number" "$reg" add "$k\\One" /v number /t REG_DWORD /d 0x1234 /f
both "reg add, many strings" "$reg" add "$k\\One" /v many /t REG_MULTI_SZ /d 'a\0b\0c' /f
both "reg add, the default value" "$reg" add "$k\\One" /ve /d default /f
both "reg add, an unknown type" "$reg" add "$k\\One" /v x /t REG_NOTHING /d 1 /f
both "reg query" "$reg" query "$k" /s
both "reg query, a value of the base" "$reg" query 'HKLM\Software\Microsoft\Windows NT\CurrentVersion' /v ProductName
both "reg query, a list" "$reg" query 'HKLM\Software\Microsoft'
both "reg query, none" "$reg" query "$k\\None"
both "reg add, over a value of the base" "$reg" add 'HKCU\Control Panel\Mouse' /v DoubleClickSpeed /d 432 /f
both "reg query, that value" "$reg" query 'HKCU\Control Panel\Mouse' /v DoubleClickSpeed
both "reg copy" "$reg" copy "$k\\One" "$k\\Two\\Three" /s /f
both "reg copy, of the base" "$reg" copy 'HKLM\Software\Microsoft\Windows\CurrentVersion\Explorer' "$k\\Explorer" /s /f
both "reg delete, a value" "$reg" delete "$k\\One" /v number /f
both "reg delete, of the base" "$reg" delete 'HKLM\Software\Microsoft\Cryptography\OID' /f
both "reg delete, none" "$reg" delete "$k\\None" /f
both "reg query, after it" "$reg" query 'HKLM\Software\Microsoft\Cryptography'
both "reg import" "$reg" import "$dos\\old.reg"
both "reg import, UTF-16" "$reg" import "$dos\\new.reg"
both "reg import, none" "$reg" import "$dos\\none.reg"
both "reg export" "$reg" export "$k" "$dos\\exported.reg" /y
written "reg export's file" exported.reg

# --- regedit ------------------------------------------------------------------------------------
regedit='C:\windows\regedit.exe'
both "reg delete, a tree" "$reg" delete "$k\\New" /f
both "regedit /S" "$regedit" /S "$dos\\new.reg"
both "reg query, what regedit brought in" "$reg" query "$k\\New" /s
both "regedit /E" "$regedit" /E "$dos\\regedit.reg" 'HKEY_CURRENT_USER\Software\FvmTools'
written "regedit's file" regedit.reg
both "regedit /D" "$regedit" /D 'HKEY_CURRENT_USER\Software\FvmTools\Two'
both "reg query, what regedit took away" "$reg" query "$k"

# --- regsvr32 -----------------------------------------------------------------------------------
regsvr32='C:\windows\system32\regsvr32.exe'
both "reg query, a registered class" "$reg" query 'HKLM\Software\Classes\CLSID\{F5078F32-C551-11D3-89B9-0000F81FE221}' /s
both "regsvr32 /u" "$regsvr32" /s /u 'C:\windows\system32\msxml3.dll'
both "reg query, an unregistered class" "$reg" query 'HKLM\Software\Classes\CLSID\{F5078F32-C551-11D3-89B9-0000F81FE221}' /s
grep -q 'msxml3' "$scratch/vm" && fail "regsvr32 /u leaves the class"
both "regsvr32" "$regsvr32" /s 'C:\windows\system32\msxml3.dll'
both "reg query, a class registered anew" "$reg" query 'HKLM\Software\Classes\CLSID\{F5078F32-C551-11D3-89B9-0000F81FE221}' /s
grep -q 'msxml3' "$scratch/vm" || fail "regsvr32 does not register the class"
both "regsvr32, no library" "$regsvr32" /s "$dos\\old.reg"

# --- winecfg ------------------------------------------------------------------------------------
both "winecfg, its window" "$dos\\side_winecfg.exe" "$dos"
if ! grep -q "after: ProductName = .*10" "$scratch/vm" || grep -q "^not ok" "$scratch/vm"; then
    fail "winecfg has not changed the version"
fi
both "winecfg /v" 'C:\windows\system32\winecfg.exe' /v win81
both "the version that programs see" cmd.exe /c ver

# --- all ----------------------------------------------------------------------------------------
for root in HKCU 'HKLM\Software'; do
    both "reg export $root" "$reg" export "$root" "$dos\\all.reg" /y
    # what was made anew in one of the two at a time of its own
    "$FVM" cp "tools:$dos\\all.reg" "$scratch/all.vm" >/dev/null
    for side in "$scratch/all.vm" "$base_dir/all.reg"; do
        iconv -f UTF-16 -t UTF-8 "$side" | tr -d '\r' >"$side.txt"
    done
    if cmp -s "$scratch/all.vm.txt" "$base_dir/all.reg.txt"; then
        pass "$root is the same natively and in the VM ($(wc -l <"$scratch/all.vm.txt") lines)"
    else
        fail "$root differs (< native, > VM)"
        diff "$base_dir/all.reg.txt" "$scratch/all.vm.txt" | head -20 | sed 's/^/#   /'
    fi
done
hives "$scratch/hives-after"
if cmp -s "$scratch/hives-before" "$scratch/hives-after"; then pass "the base's registry is as before"
else
    fail "the base's registry has changed"
    diff "$scratch/hives-before" "$scratch/hives-after" | head | sed 's/^/#   /'
fi
results
