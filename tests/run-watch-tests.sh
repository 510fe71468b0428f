#!/usr/bin/env bash
# A program watches a directory of the base while the host changes things in it. It must be
# told in a VM what it is told natively, in that order; "added" may come before the first
# change of a file (docs/compatibility.md).
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/env.sh"

env_start
base_dir=$base_drive/fvmwatch-$$
watch=$FVM_GUESTS/watch_dir.exe
mkdir -p "$FVM_OUT"

# changes: what the host does, one thing after the other.
changes() {
    echo one >"$base_dir/new.txt"
    echo two >>"$base_dir/old.txt"
    rm "$base_dir/gone.txt"
    mkdir "$base_dir/folder"
    rmdir "$base_dir/empty"
    echo >"$base_dir/end"
}

# observe OUTPUT COMMAND...: runs the watching program and the changes beside it.
observe() {
    local out=$1 line
    shift
    rm -rf "$base_dir"
    mkdir -p "$base_dir/empty"
    echo a >"$base_dir/old.txt"
    echo b >"$base_dir/gone.txt"
    exec 6< <("$@" </dev/null 2>&1 | sed -u 's/\r//')
    read -r line <&6
    [ "$line" = ready ] || echo "$line"
    # fvm learns of the watch through the register; it watches before it says anything here
    [ -z "${settle:-}" ] || wait_for_watch
    changes
    cat <&6 >"$out"
    exec 6<&-
}

# The register has been read when fvm holds an inotify watch of the directory.
wait_for_watch() {
    local inode i
    inode=$(printf 'ino:%x ' "$(stat -c %i "$base_dir")")
    for i in $(seq 200); do
        if grep -qs "$inode" /proc/[0-9]*/fdinfo/* 2>/dev/null; then return; fi
        sleep 0.05
    done
    echo "fvm does not watch $base_dir"
}

dos="C:\\${base_dir##*/}"
observe "$FVM_OUT/watch.native" native "$watch" "$dos"
settle=1 observe "$FVM_OUT/watch.vm" in_vm --rm "$watch" "$dos"

# Every line of the native run is there, in order.
if awk 'BEGIN { i = 0 } NR == FNR { want[n++] = $0; next } $0 == want[i] { i++ } END { exit i != n }' \
    "$FVM_OUT/watch.native" "$FVM_OUT/watch.vm" && [ -s "$FVM_OUT/watch.native" ]; then
    pass "a VM's program is told what the host changes in the base"
else
    fail "the transcripts differ (< native, > VM)"
    diff "$FVM_OUT/watch.native" "$FVM_OUT/watch.vm" | grep '^[<>]' | sed 's/^/#   /'
fi
extra=$(grep -vxFf "$FVM_OUT/watch.native" "$FVM_OUT/watch.vm" | grep -cv '^added ')
if [ "$extra" = 0 ]; then
    pass "and nothing else but what was added before its change"
else
    fail "$extra other events"
    grep -vxFf "$FVM_OUT/watch.native" "$FVM_OUT/watch.vm" | sed 's/^/#   /'
fi
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
