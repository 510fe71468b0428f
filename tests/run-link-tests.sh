#!/usr/bin/env bash
# Links (of Unix) in the host's folders: what a VM changes under one name it sees under all.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/env.sh"

env_start
tree=$scratch/tree
mkdir -p "$tree/real/sub" "$tree/other"
echo base >"$tree/real/sub/file.txt"
echo base >"$tree/real/two.txt"
ln -s ../real "$tree/other/link"
ln -s real/two.txt "$tree/file-link.txt"
"$FVM" create v >/dev/null || exit 1
z=Z:${tree//\//\\}
cmd() { in_vm v cmd.exe /c "$1" </dev/null 2>&1 | tr -d '\r' | sed 's/ *$//' | tail -n 1; }
same() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1: \"$2\" instead of \"$3\""; fi; }

same "before a change the link shows the base" "$(cmd "type $z\\other\\link\\sub\\file.txt")" base
cmd "echo vm>$z\\real\\sub\\file.txt" >/dev/null
same "changed by its name" "$(cmd "type $z\\real\\sub\\file.txt")" vm
same "seen through a linked folder" "$(cmd "type $z\\other\\link\\sub\\file.txt")" vm
cmd "echo new>$z\\other\\link\\sub\\new.txt" >/dev/null
same "made through the link, seen by its name" "$(cmd "type $z\\real\\sub\\new.txt")" new
cmd "echo two>$z\\real\\two.txt" >/dev/null
same "seen through a linked file" "$(cmd "type $z\\file-link.txt")" two
cmd "del $z\\other\\link\\sub\\file.txt" >/dev/null
same "deleted through the link, gone by its name" \
    "$(cmd "if exist $z\\real\\sub\\file.txt (echo there) else echo gone")" gone
same "the host's files are as they were" \
    "$(cat "$tree/real/sub/file.txt" "$tree/real/two.txt" | tr '\n' ' ')$(ls "$tree/real/sub")" \
    "base base file.txt"
"$FVM" check v >/dev/null && pass "fvm check is content" || fail "fvm check finds something"
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
