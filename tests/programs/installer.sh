#!/usr/bin/env bash
# Installers in VMs: one made with NSIS and one made with wixl (MSI) put program files, keys in
# HKLM and HKCU, an uninstall entry, a COM class, a file association and a start-menu link into
# two VMs each, version 1 into one and version 2 into the other. The program starts there by
# its association and by its link, the class is created there, the base does not change, and
# after uninstalling the VM is as it was. What version 1 writes into the VM's registry is what
# it writes natively.
#
# usage: installer.sh
# Environment: see tests/lib/env.sh. Needs makensis and wixl. The sources are in installer/.
set -u
. "$(dirname "$0")/lib.sh"

for need in makensis:nsis wixl:wixl x86_64-w64-mingw32-gcc:gcc-mingw-w64-x86-64; do
    command -v "${need%%:*}" >/dev/null && continue
    echo "installer: ${need%%:*} is missing (Debian's package ${need#*:}): run 'make deps'"
    exit 77
done
env_start
trap program_end EXIT
copy_base
# Wine writes menu entries below the home directory: one to look at.
mkdir "$scratch/house" && export HOME=$scratch/house
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_DATA_DIRS
LIMIT=60
sources=$here/installer user=$(id -un)
export DEMO_REPORT='C:\kit\report.txt'

# --- the installers --------------------------------------------------------------------------
# build VERSION: demo.exe, democlass.dll, setup.exe and setup.msi in $scratch/VERSION.
build() {
    local cc=(x86_64-w64-mingw32-gcc -std=c11 -O1 -s -Wall -Wextra -Werror "-DDEMO_VERSION=$1")
    mkdir "$scratch/$1" && cd "$scratch/$1" || return
    "${cc[@]}" -municode -o demo.exe "$sources/demo.c" &&
        "${cc[@]}" -shared -o democlass.dll "$sources"/class.{c,def} -lole32 -luuid -ladvapi32 &&
        "${cc[@]}" -municode -o client.exe "$sources/client.c" -lole32 -luuid -lshell32 &&
        makensis -V1 "-DVERSION=$1" "-DFROM=$PWD" "-DTO=$PWD/setup.exe" "$sources/setup.nsi" &&
        wixl -a x64 -D "VERSION=$1" -o setup.msi "$sources/setup.wxs"
}
for version in 1 2; do
    (build $version) >"$scratch/build.log" 2>&1 ||
        { cat "$scratch/build.log"; echo "cannot build the installers" >&2; exit 1; }
done
# The uninstaller of NSIS copies itself, starts the copy and ends; told its folder, a copy does
# the work itself and can be waited for.
cat >"$scratch/uninstall.bat" <<'END'
@echo off
copy /y "C:\Program Files\FvmDemo\uninst.exe" C:\kit\un.exe >nul
C:\kit\un.exe /S _?=C:\Program Files\FvmDemo
END
cat >"$scratch/link.bat" <<'END'
@echo off
set menu=Microsoft\Windows\Start Menu\Programs\FvmDemo\Demo.lnk
set link=%APPDATA%\%menu%
if exist "%ProgramData%\%menu%" set link=%ProgramData%\%menu%
C:\kit\client.exe open "%link%"
END
# make_kit VERSION: the folder that becomes C:\kit.
make_kit() {
    rm -rf "$scratch/kit"
    mkdir "$scratch/kit"
    cp "$scratch/$1"/{setup.exe,setup.msi,client.exe} "$scratch"/{uninstall,link}.bat "$scratch/kit"
    echo "greetings of $1" >"$scratch/kit/x.fvmdemo"
}

# --- what is done in a VM, or natively ($where is "native") -----------------------------------
go() { if [ "$where" = native ]; then native "$@"; else in_vm "$where" "$@"; fi; }
# take NAME: the file C:\kit\NAME, copied to $scratch/where-NAME
take() {
    rm -f "$scratch/$where-$1"
    if [ "$where" = native ]; then
        cp "$base_drive/kit/$1" "$scratch/native-$1"
    else
        "$FVM" cp "$where:C:\\kit\\$1" "$scratch/$where-$1" >/dev/null
    fi
}
# dump WHEN: the registry, as lines in UTF-8.
dump() {
    local key file
    for key in 'HKLM\Software' HKCU; do
        file=$1-${key%%\\*}.reg
        if go reg.exe export "$key" "C:\\kit\\$file" /y >"$scratch/out" 2>&1 </dev/null &&
            take "$file"; then
            iconv -f UTF-16 -t UTF-8 "$scratch/$where-$file" | tr -d '\r'
        else
            fail "$where: cannot export $key ($1): $(tr -d '\r' <"$scratch/out" | tail -n 1)" >&2
        fi
    done >"$scratch/$where-$1"
}
# with_keys FILE: every value with its key before it, in order; keys alone, too.
with_keys() {
    awk '/^\[/ { key = $0; print key; next } NF { print key " " $0 }' "$1" |
        sed -E 's/\\\\[0-9a-f]+\.msi"/\\\\CACHED.msi"/' | LC_ALL=C sort
}
# added BEFORE AFTER: what AFTER has in addition; what winemenubuilder notes is left out, as
# natively nobody waits for it.
added() {
    LC_ALL=C comm -13 <(with_keys "$scratch/$where-$1") <(with_keys "$scratch/$where-$2") |
        grep -v '\\Software\\Wine\\MenuFiles\]'
}
put_in() {
    case $1 in
    nsis) go 'C:\kit\setup.exe' /S ;;
    msi) go msiexec.exe /i 'C:\kit\setup.msi' /qn ;;
    esac
}
take_out() {
    case $1 in
    nsis) go cmd.exe /c 'C:\kit\uninstall.bat' ;;
    plain) go 'C:\Program Files\FvmDemo\uninst.exe' /S ;;
    msi) go msiexec.exe /x 'C:\kit\setup.msi' /qn ;;
    esac
}
# gives LABEL CODE TEXT COMMAND...: the command's exit code and output.
gives() {
    local label=$1 code=$2 text=$3 rc out
    shift 3
    out=$("$@" 2>"$scratch/err" </dev/null)
    rc=$?
    out=${out//$'\r'/}
    if [ $rc = "$code" ] && [ "$out" = "$text" ]; then
        pass "$label"
    else
        fail "$label: exit code $rc instead of $code, \"$out\" instead of \"$text\""
        tail -n 3 "$scratch/err" | sed 's/^/#   /'
    fi
}
value() { # KEY NAME
    go reg.exe query "$1" /v "$2" | tr -d '\r' |
        awk -v name="$2" '$1 == name { $1 = $2 = ""; print substr($0, 3) }'
}
changes() { "$FVM" diff "$where" | grep -Fv 'C:\kit' | LC_ALL=C sort; }

# --- the base before --------------------------------------------------------------------------
# hives FILE: the registry as it is on the disk, without the times of keys.
hives() {
    (cd "$FVM_BASE" && grep -av '^#time=' system.reg user.reg userdef.reg |
        sed -E 's/^([^:]*:\[.*\]) [0-9]+$/\1/') >"$1"
}
# base_dump FILE: the registry as Windows tells it.
base_dump() {
    local key
    for key in 'HKLM\Software' HKCU; do
        native reg.exe export "$key" "Z:${scratch//\//\\}\\dump.reg" /y \
            >/dev/null 2>&1 </dev/null
        iconv -f UTF-16 -t UTF-8 "$scratch/dump.reg"
    done >"$1"
}
# What a plain start of Windows writes (times of display drivers) is no change by a VM.
for when in first before; do
    native cmd.exe /c exit </dev/null
    stop_base
    hives "$scratch/hives-$when"
done
(cd "$FVM_BASE" && hash_tree drive_c) >"$scratch/files-before"
(cd "$HOME" && hash_tree .) >"$scratch/home-before"
(cd "$HOME" && find . | LC_ALL=C sort) >"$scratch/home-names"
# one Windows for all that follows
WINEPREFIX=$FVM_BASE setsid "$WINESERVER64" -p || exit 1
base_dump "$scratch/dump-before"

no_class='the class has no name: 800401f3
no class: 80040154'

# --- the VMs ----------------------------------------------------------------------------------
greetings() { printf 'version %s, C:\\Program Files\\FvmDemo\\demo.exe: %s\n' "$1" "$2"; }
class_of() { gives "$where: the class is that of version $1" 0 "class of version $1" go 'C:\kit\client.exe' class; }
install_in() { # KIND VERSION
    "$FVM" create "$where" >/dev/null || exit 1
    make_kit "$2"
    "$FVM" cp "$scratch/kit" "$where:C:\\kit" >/dev/null || exit 1
    dump before
    changes >"$scratch/$where-changes-before"
    gives "$where: no class before" 200 "$no_class" go 'C:\kit\client.exe' class
    gives "$where: the installer runs" 0 '' put_in "$1"
    dump installed
    {
        printf 'A C:\\Program Files\\FvmDemo%s\n' '' '\demo.exe' '\democlass.dll'
        case $1 in
        nsis)
            printf 'A C:\\Program Files\\FvmDemo\\%s\n' uninst.exe version.txt
            menu='C:\ProgramData\Microsoft\Windows\Start Menu\Programs\FvmDemo'
            ;;
        msi)
            printf 'A C:\\windows\\Installer%s\n' '' '\CACHED.msi'
            menu="C:\\users\\$user\\AppData\\Roaming\\Microsoft\\Windows\\Start Menu\\Programs\\FvmDemo"
            ;;
        esac
        printf 'A %s\n' "$menu" "$menu\\Demo.lnk"
    } | LC_ALL=C sort >"$scratch/expected"
    changes | LC_ALL=C comm -13 "$scratch/$where-changes-before" - | grep '^[A-Z] C:' |
        sed -E 's/[0-9a-f]+\.msi$/CACHED.msi/' | LC_ALL=C sort >"$scratch/out"
    same "$where: what was installed is what fvm diff shows" "$scratch/expected" "$scratch/out"
}
look_at() { # KIND VERSION
    class_of "$2"
    gives "$where: start opens the file with the program" \
        "$2" '' go cmd.exe /c 'start /wait C:\kit\x.fvmdemo'
    gives "$where: so does ShellExecute" "$2" '' go 'C:\kit\client.exe' open 'C:\kit\x.fvmdemo'
    try "$where: the start-menu link starts it" go cmd.exe /c 'C:\kit\link.bat'
    for text in "greetings of $2" "greetings of $2" "no file"; do
        greetings "$2" "$text"
    done >"$scratch/expected"
    take report.txt
    tr -d '\r' <"$scratch/$where-report.txt" >"$scratch/out"
    same "$where: what the program reported" "$scratch/expected" "$scratch/out"
    gives "$where: its key in HKLM" 0 "0x$2" value 'HKLM\Software\FvmDemo' Version
    gives "$where: its key in HKCU" 0 "from version $2" value 'HKCU\Software\FvmDemo' Greeting
    go uninstaller.exe --list 2>/dev/null </dev/null | tr -d '\r' | grep -c "|||FvmDemo $2.0\$" >"$scratch/out"
    echo 1 >"$scratch/expected"
    same "$where: its uninstall entry" "$scratch/expected" "$scratch/out"
    try "$where: fvm check finds nothing" "$FVM" check "$where"
}
remove_from() { # KIND VERSION
    gives "$where: the uninstaller runs" 0 '' take_out "$1"
    gives "$where: no class any more" 200 "$no_class" go 'C:\kit\client.exe' class
    # what Windows does at its next start: take away menu entries whose links are gone
    go winemenubuilder.exe -r >/dev/null 2>&1 </dev/null
    dump removed
    changes >"$scratch/$where-changes-after"
}
for kind in nsis msi; do
    for version in 1 2; do where=$kind$version; install_in $kind $version; done
    for version in 1 2; do where=$kind$version; look_at $kind $version; done
    where=${kind}1; remove_from $kind 1
    where=${kind}2; class_of 2
    remove_from ${kind/nsis/plain} 2
done

# --- the base after ---------------------------------------------------------------------------
base_dump "$scratch/dump-after"
same "the base's registry is as before, dumped ($(wc -l <"$scratch/dump-after") lines)" \
    "$scratch/dump-before" "$scratch/dump-after"
stop_base
hives "$scratch/hives-after"
(cd "$FVM_BASE" && hash_tree drive_c) >"$scratch/files-after"
same "every file of the base is as before" "$scratch/files-before" "$scratch/files-after"
by_value='s/^([^:]*:("([^"\\]|\\.)*"|@)=).*/\1/'
diff "$scratch/hives-first" "$scratch/hives-before" | sed -n 's/^[<>] //p' | sed -E "$by_value" |
    LC_ALL=C sort -u >"$scratch/plain"
for when in before after; do
    sed -E "$by_value" "$scratch/hives-$when" | paste -d '\001' - "$scratch/hives-$when" |
        awk -F '\001' 'NR == FNR { plain[$0]; next } !($1 in plain) { print $2 }' \
            "$scratch/plain" - >"$scratch/hives-$when.compared"
done
same "the base's registry is as before, on the disk" \
    "$scratch/hives-before.compared" "$scratch/hives-after.compared"
(cd "$HOME" && hash_tree .) >"$scratch/home-after"
same "nothing was written into the home directory" "$scratch/home-before" "$scratch/home-after"

# --- natively, in the test's own base: what the installers write, and leave behind ------------
where=native
make_kit 1
cp -r "$scratch/kit" "$base_drive/kit"
WINEPREFIX=$FVM_BASE setsid "$WINESERVER64" -p || exit 1
for kind in nsis msi; do
    rm -f "$base_drive/kit"/*.reg
    dump before
    put_in $kind >/dev/null 2>&1 </dev/null || fail "$kind: installing natively fails"
    dump installed
    take_out $kind >/dev/null 2>&1 </dev/null || fail "$kind: uninstalling natively fails"
    native winemenubuilder.exe -r </dev/null
    dump removed
    added before installed >"$scratch/native-$kind-written"
    added before removed >"$scratch/native-$kind-left"
done
# Some folders of the desktop's menu stay, too.
(cd "$HOME" && find . | LC_ALL=C sort) | LC_ALL=C comm -13 "$scratch/home-names" - |
    sed "s|^\.|A Z:$HOME|" | tr / '\\' >"$scratch/native-menu"
for kind in nsis msi; do
    where=${kind}1
    added before installed >"$scratch/written"
    same "$where: the registry got what it gets natively ($(wc -l <"$scratch/written") lines)" \
        "$scratch/native-$kind-written" "$scratch/written"
done

# --- the VMs after uninstalling ---------------------------------------------------------------
for where in nsis1 nsis2 msi1 msi2; do
    cat "$scratch/$where-changes-before" "$scratch/native-menu" >"$scratch/expected"
    case $where in
    # The uninstaller's copy of itself, to be deleted at the next start of Windows.
    nsis2) printf 'A C:\\users\\%s\\Temp\\~nsu1.tmp%s\n' "$user" '' "$user" '\Un.exe' >>"$scratch/expected" ;;
    # The Windows installer keeps its folder.
    msi*) echo 'A C:\windows\Installer' >>"$scratch/expected" ;;
    esac
    # the registry is looked at below
    for file in expected "$where-changes-after"; do
        { echo "changes:"; grep '^[A-Z] [A-Z]:' "$scratch/$file" | LC_ALL=C sort; } >"$scratch/$file-sorted"
    done
    same "$where: its files are as before the installation" \
        "$scratch/expected-sorted" "$scratch/$where-changes-after-sorted"
    if [ "${where%[12]}" = nsis ]; then
        same "$where: its registry is as before the installation" \
            "$scratch/$where-before" "$scratch/$where-removed"
        continue
    fi
    # The Windows installer keeps some keys, all of them empty, of its own.
    added before removed >"$scratch/left"
    same "$where: its registry is as after uninstalling natively" \
        "$scratch/native-msi-left" "$scratch/left"
    grep -v '^\[.*\\Installer\(\\[A-Za-z0-9-]*\)*\]$' "$scratch/left" >"$scratch/more"
    LC_ALL=C comm -23 <(with_keys "$scratch/$where-before") <(with_keys "$scratch/$where-removed") >>"$scratch/more"
    if [ -s "$scratch/more" ]; then
        fail "$where: its registry differs from before: $(head -n 3 "$scratch/more")"
    else
        pass "$where: its registry is as before, but for $(wc -l <"$scratch/left") empty keys of Windows"
    fi
done
for where in nsis1 nsis2 msi1 msi2; do try "fvm rm $where" "$FVM" rm $where; done
results
