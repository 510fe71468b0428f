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
    mv "$base_dir/new.txt" "$base_dir/newer.txt"
    mv "$base_dir/folder" "$base_dir/folders"
    echo >"$base_dir/end"
}

# changes_below: the same below the watched directory. The host watches what is made, and what
# a program opens ("seen"); nothing of "unseen" is reported, natively too.
changes_below() {
    echo two >>"$base_dir/seen/old.txt"
    echo two >>"$base_dir/unseen/old.txt"
    echo two >>"$base_dir/seen/in/old.txt"
    mkdir "$base_dir/fresh"
    wait_for_watch "$base_dir/fresh"
    echo one >"$base_dir/fresh/new.txt"
    mkdir "$base_dir/fresh/deep"
    wait_for_watch "$base_dir/fresh/deep"
    echo one >"$base_dir/fresh/deep/new.txt"
    mkdir "$base_dir/unseen/fresh"
    mv "$base_dir/fresh/new.txt" "$base_dir/fresh/newer.txt"
    mv "$base_dir/seen/old.txt" "$base_dir/fresh/old.txt"
    mv "$base_dir/fresh/deep" "$base_dir/fresh/deeper"
    rm "$base_dir/fresh/deeper/new.txt"
    rmdir "$base_dir/fresh/deeper"
    rm "$base_dir/seen/in/old.txt"
    rmdir "$base_dir/seen/in"
    echo >"$base_dir/end"
}

# burst: a tree that comes at once. Natively the host may be too slow to see it all.
burst() {
    mkdir -p "$base_dir/tree/a/b"
    echo one >"$base_dir/tree/a/b/file"
    wait_for_watch "$base_dir/tree/a/b"
    echo >"$base_dir/end"
}

prepare() {
    rm -rf "$base_dir"
    mkdir -p "$base_dir/empty" "$base_dir/seen/in" "$base_dir/unseen"
    echo a | tee "$base_dir"/{.,seen,seen/in,unseen}/old.txt >"$base_dir/gone.txt"
}

# observe OUTPUT CHANGES COMMAND...: runs the watching program and the changes beside it.
observe() {
    local out=$1 changes=$2 line
    shift 2
    [ -n "${keep_tree:-}" ] || prepare
    exec 6< <("$@" </dev/null 2>&1 | sed -u 's/\r//')
    read -r line <&6
    [ "$line" = ready ] || echo "$line"
    # fvm learns of the watch through the register; it watches before it says anything here
    wait_for_watch "$base_dir"
    [ "$changes" != changes_below ] || wait_for_watch "$base_dir/seen"
    "$changes"
    cat <&6 >"$out"
    exec 6<&-
}

# wait_for_watch DIRECTORY: until somebody (the host, for a VM fvm) holds an inotify watch of it.
wait_for_watch() {
    local inode i
    inode=$(printf 'ino:%x ' "$(stat -c %i "$1")")
    for ((i = 0; i < 200; i++)); do
        if grep -qs "$inode" /proc/[0-9]*/fdinfo/* 2>/dev/null; then return; fi
        sleep 0.05
    done
    echo "# nobody watches $1"
}

# compare NAME TEXT: every line of the native run is there, in order, and what is more was
# added before its change.
compare() {
    local native=$FVM_OUT/$1.native vm=$FVM_OUT/$1.vm extra
    if awk 'BEGIN { i = 0 } NR == FNR { want[n++] = $0; next } $0 == want[i] { i++ } END { exit i != n }' \
        "$native" "$vm" && [ -s "$native" ]; then
        pass "a VM's program is told what the host changes in the base$2"
    else
        fail "the transcripts differ$2 (< native, > VM)"
        diff "$native" "$vm" | grep '^[<>]' | sed 's/^/#   /'
    fi
    extra=$(grep -vxFf "$native" "$vm" | grep -cv '^added ')
    if [ "$extra" = 0 ]; then
        pass "and nothing else but what was added before its change"
    else
        fail "$extra other events"
        grep -vxFf "$native" "$vm" | sed 's/^/#   /'
    fi
}

dos="C:\\${base_dir##*/}"
observe "$FVM_OUT/watch.native" changes native "$watch" "$dos"
observe "$FVM_OUT/watch.vm" changes in_vm --rm "$watch" "$dos"
compare watch ""

observe "$FVM_OUT/subtree.native" changes_below native "$watch" "$dos" subtree "$dos\\seen"
"$FVM" create watcher >/dev/null
observe "$FVM_OUT/subtree.vm" changes_below in_vm watcher "$watch" "$dos" subtree "$dos\\seen"
compare subtree " in a subtree"
if left=$(find "$FVM_HOME/vms/watcher/fs" -type f) && [ -z "$left" ] &&
    "$FVM" check watcher >"$FVM_OUT/watch.check" 2>&1; then
    pass "nothing of it stays in the VM"
else
    fail "something is left in the VM: $left"
    sed 's/^/#   /' "$FVM_OUT/watch.check"
fi

observe "$FVM_OUT/burst.vm" burst in_vm watcher "$watch" "$dos" subtree
if [ "$(tr '\n' ' ' <"$FVM_OUT/burst.vm")" = \
    'added tree added tree\a added tree\a\b added tree\a\b\file modified tree\a\b\file added end ' ] ||
    [ "$(tr '\n' ' ' <"$FVM_OUT/burst.vm")" = \
        'added tree added tree\a added tree\a\b added tree\a\b\file added end ' ]; then
    pass "a tree that comes at once is reported whole"
else
    fail "of a tree that came at once was reported:"
    sed 's/^/#   /' "$FVM_OUT/burst.vm"
fi

# Two fvms run the VM; the one that works for both ends first.
first() { echo >"$base_dir/seen/end"; }
second() {
    local i
    first
    for ((i = 0; i < 200; i++)); do
        [ -s "$scratch/first.ended" ] && break
        sleep 0.05
    done
    wait_for_watch "$base_dir"
    changes
}
prepare
{
    in_vm watcher "$watch" "$dos\\seen" </dev/null >/dev/null 2>&1
    echo yes >"$scratch/first.ended"
} &
wait_for_watch "$base_dir/seen"
keep_tree=1 observe "$FVM_OUT/second.vm" second in_vm watcher "$watch" "$dos"
wait
cp "$FVM_OUT/watch.native" "$FVM_OUT/second.native"
compare second " when another run of the VM has ended"
results
