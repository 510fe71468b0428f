#!/usr/bin/env bash
# Many at once. First: processes of one VM that make, rename and delete in the same
# directories, each of which knows what must exist. Then: VMs that run 7-Zip on the same
# paths at the same time and must not see one another.
#
# usage: many.sh [-p PROCESSES] [-s SECONDS] [-v VMS]     (default: 50, 30, 20)
# Environment: see tests/lib/env.sh; SEVENZIP names 7za.exe (a Linux path). Without it the
# second part looks for it where tools/fetch-npm.sh keeps npm packages.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/env.sh"
. "$here/../lib/tree.sh"

processes=50 seconds=30 vms=20
while getopts p:s:v: opt; do
    case $opt in
    p) processes=$OPTARG ;;
    s) seconds=$OPTARG ;;
    v) vms=$OPTARG ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
env_start
name=fvmmany-$$
base_dir=$base_drive/$name
many=$FVM_GUESTS/crash_many.exe
mkdir -p "$base_dir/shared"
native "$many" make "C:\\$name\\shared" "$processes" </dev/null || exit 1

# --- one VM, many processes ------------------------------------------------------------
(cd "$base_drive" && hash_tree "$name") >"$scratch/before"
"$FVM" create many >/dev/null || exit 1
LIMIT=$((seconds * 3 + 60))
if in_vm many "$many" start "C:\\$name\\shared" "$processes" "$seconds" \
    >"$scratch/out" 2>&1 </dev/null; then
    pass "$processes processes in the same directories for $seconds s"
else
    fail "$processes processes in the same directories: $(tail -1 "$scratch/out")"
    head -10 "$scratch/out" | sed 's/^/#   /'
    cp "$scratch/out" "$FVM_OUT/many.txt"
fi
if "$FVM" check many >"$scratch/out" 2>&1; then
    pass "fvm check is content"
else
    fail "fvm check is not content"
    head -5 "$scratch/out" | sed 's/^/#   /'
fi
"$FVM" rm many >/dev/null || fail "fvm rm"

# --- many VMs, the same paths ------------------------------------------------------------
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fvm/npm
sevenzip=${SEVENZIP:-$(find "$cache" -path '*win/x64/7za.exe' 2>/dev/null | head -1)}
if [ -z "$sevenzip" ]; then
    echo "# 7za.exe is not there (tools/fetch-npm.sh fetches it): $vms VMs at once were not tried"
    results
    exit
fi
mkdir -p "$base_dir/zip/src/sub"
for i in $(seq 1 150); do
    printf 'file %d of the base\n' "$i" >"$base_dir/zip/src/f$i.txt"
    printf 'below %d\n' "$i" >"$base_dir/zip/src/sub/g$i.txt"
done
cp "$sevenzip" "$base_dir/zip/7za.exe"
(cd "$base_drive" && hash_tree "$name") >"$scratch/before"
dos="C:\\$name\\zip"

# one_vm NUMBER: packs a tree that this VM has changed, unpacks it elsewhere, looks at it.
one_vm() {
    local n=$1 own
    "$FVM" create "zip-$n" || return
    {
        in_vm "zip-$n" cmd.exe /c ">$dos\\src\\own.txt echo vm $n& del $dos\\src\\f$n.txt" &&
            in_vm "zip-$n" "$dos\\7za.exe" a -y "$dos\\out.7z" "$dos\\src" &&
            in_vm "zip-$n" "$dos\\7za.exe" t "$dos\\out.7z" &&
            in_vm "zip-$n" "$dos\\7za.exe" x -y "-o$dos\\unpacked" "$dos\\out.7z"
    } </dev/null || return
    own=$(in_vm "zip-$n" cmd.exe /c "type $dos\\unpacked\\src\\own.txt" </dev/null | tr -d '\r')
    [ "$own" = "vm $n" ] || { echo "own.txt holds '$own' instead of 'vm $n'"; return 1; }
    if in_vm "zip-$n" cmd.exe /c "dir /b $dos\\unpacked\\src" </dev/null | tr -d '\r' |
        grep -qx "f$n.txt"; then
        echo "the deleted f$n.txt is in the archive"
        return 1
    fi
    [ "$(in_vm "zip-$n" cmd.exe /c "dir /b $dos\\unpacked\\src" </dev/null | wc -l)" -eq 151 ] ||
        { echo "the unpacked folder has another number of entries"; return 1; }
}

LIMIT=120
pids=()
for ((n = 1; n <= vms; n++)); do
    one_vm "$n" >"$scratch/zip-$n" 2>&1 &
    pids+=($!)
done
wrong=0
for ((n = 1; n <= vms; n++)); do
    wait "${pids[n - 1]}" && continue
    wrong=$((wrong + 1))
    ((wrong <= 3)) && tail -2 "$scratch/zip-$n" | sed "s/^/#   VM $n: /"
done
if [ "$wrong" -eq 0 ]; then
    pass "$vms VMs run 7-Zip on the same paths at once"
else
    fail "$wrong of $vms VMs that run 7-Zip on the same paths"
fi
for ((n = 1; n <= vms; n++)); do
    "$FVM" rm "zip-$n" >/dev/null || fail "fvm rm zip-$n"
done
(cd "$base_drive" && hash_tree "$name") >"$scratch/after"
if cmp -s "$scratch/before" "$scratch/after"; then
    pass "the base is byte-identical"
else
    fail "the base has changed"
    diff "$scratch/before" "$scratch/after" | head -5 | sed 's/^/#   /'
fi
results
