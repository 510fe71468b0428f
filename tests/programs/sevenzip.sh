#!/usr/bin/env bash
# 7-Zip in a VM packs, lists, tests and unpacks a tree of 5,000 files and deletes and renames
# part of it. The unpacked tree must equal the packed one, `fvm diff` must say exactly what
# was done, and the base must be byte-identical before and after.
#
# usage: sevenzip.sh [FILES]     (default: 5000)
# Environment: see tests/lib/env.sh. Needs the npm package 7zip-bin@5.2.0.
set -u
. "$(dirname "$0")/lib.sh"
files=${1:-5000}

package 7zip-bin@5.2.0
env_start
trap program_end EXIT
copy_base
mkdir "$base_drive/tools" "$base_drive/data"
cp "$package/win/x64/7za.exe" "$base_drive/tools/"

# The tree: 50 folders, three levels, names of every kind, sizes from 0 to 64 KiB, times
# with parts of seconds.
perl -e '
    use strict; use warnings; use utf8;
    my ($top, $files) = @ARGV;
    srand 7;
    my @dirs = map { sprintf "d%02d%s", $_, $_ % 3 ? "" : "/sub" . ($_ % 4) . "/deep er" } 0 .. 49;
    my $block = join "", map { chr int rand 256 } 1 .. 65536;
    my $time = 1_500_000_000;
    my @made;
    for my $i (0 .. $files - 1) {
        my $dir = $dirs[$i % @dirs];
        my $name = sprintf $i % 10 == 3 ? "Größe %d 日本.txt" : $i % 10 == 4 ? "with spaces %d" :
            $i % 10 == 5 ? "%d.tar.gz" : $i % 10 == 6 ? "UPPER%d.TXT" : "file%d.dat", $i;
        utf8::encode($name);
        my $path = $top;
        for my $part (split m{/}, $dir) { $path .= "/$part"; mkdir $path; }
        $path .= "/$name";
        open my $out, ">:raw", $path or die "$path: $!\n";
        my $size = $i % 50 == 7 ? 65536 : $i % 7 ? $i % 4096 : 0;
        print $out substr $block, int rand(65536 - $size + 1), $size;
        close $out or die "$path: $!\n";
        push @made, $path;
    }
    utime $time + $_ * 61, $time + $_ * 61.25, $made[$_] for 0 .. $#made;
' "$base_drive/data" "$files" || { echo "cannot make the tree" >&2; exit 1; }

# --- what the base is before -------------------------------------------------------------

# registry FILE: the registry as it is on the disk, without the times of keys.
registry() {
    (cd "$FVM_BASE" && grep -av '^#time=' system.reg user.reg userdef.reg |
        sed -E 's/^([^:]*:\[.*\]) [0-9]+$/\1/') >"$1"
}
# state FILE: type, mode, size, time, name and content of everything else. The folder that
# holds the registry gets a new time whenever Windows saves it.
state() {
    (cd "$FVM_BASE" && hash_tree . | grep -av ' \./\(system\|user\|userdef\)\.reg *$' |
        grep -av '^d [0-7]* - [0-9.]* \. *$') >"$1"
}
# but_plain FIRST BEFORE FILE PATTERN: takes from FILE the lines that PATTERN (an extended
# regular expression for sed, "\1" names the line) calls by a name that a plain start of
# Windows changes, as it has done between FIRST and BEFORE.
but_plain() {
    diff "$1" "$2" | sed -n 's/^[<>] //p' | sed -E "$4" | LC_ALL=C sort -u >"$scratch/plain"
    sed -E "$4" "$3" | paste -d '\001' - "$3" |
        awk -F '\001' 'NR == FNR { plain[$0]; next } !($1 in plain) { print $2 }' "$scratch/plain" -
}
by_value='s/^([^:]*:("([^"\\]|\\.)*"|@)=).*/\1/'
by_name='s/^([a-z]) [0-7]+ [-0-9]+ [0-9.]+ (.*)$/\1 \2/'

# What a plain start of Windows writes without a VM is no change by the VM (Wine writes the
# times of display drivers and makes its serial ports anew): look at one.
try "the base runs natively" native cmd.exe /c exit
stop_base
registry "$scratch/registry-first"
state "$scratch/state-first"
native cmd.exe /c exit </dev/null
stop_base
registry "$scratch/registry-before"
state "$scratch/state-before"

# --- the work ----------------------------------------------------------------------------
zip='C:\tools\7za.exe'
"$FVM" create zip >/dev/null || exit 1
LIMIT=300
try "7-Zip packs $files files" in_vm zip "$zip" a -bd -mx1 -mmt2 'C:\out.7z' 'C:\data'
try "7-Zip tests the archive" in_vm zip "$zip" t -bd 'C:\out.7z'
if try "7-Zip lists the archive" in_vm zip "$zip" l -ba -slt -sccUTF-8 'C:\out.7z'; then
    tr -d '\r' <"$scratch/out" | sed -n 's/^Path = //p' | tr '\\' / | LC_ALL=C sort >"$scratch/listed"
    (cd "$base_drive" && find data | LC_ALL=C sort) >"$scratch/there"
    same "the list has every file and folder" "$scratch/there" "$scratch/listed"
fi
try "7-Zip unpacks the archive" in_vm zip "$zip" x -bd -mmt2 '-oC:\unpacked' 'C:\out.7z'

# The unpacked tree, copied out of the VM, is the packed one: names, sizes, times, content.
try "fvm cp copies the tree out" "$FVM" cp 'zip:C:\unpacked\data' "$scratch/copied"
# tree DIR: as hash_tree; modes are Unix's alone, the times of folders change with filling
tree() {
    (cd "$1" && find . -type d -printf 'd %p\n' -o -printf '%y %s %T@ %p\n' | LC_ALL=C sort
    cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha1sum)
}
tree "$base_drive/data" >"$scratch/packed"
tree "$scratch/copied" >"$scratch/unpacked"
same "the unpacked tree equals the packed one" "$scratch/packed" "$scratch/unpacked"

try "7-Zip deletes and renames in the archive" in_vm zip cmd.exe /c \
    "$zip d -bd C:\\out.7z data\\d01 && $zip rn -bd C:\\out.7z data\\d02 data\\renamed"
if try "... and the archive is good" in_vm zip "$zip" l -ba -slt 'C:\out.7z'; then
    tr -d '\r' <"$scratch/out" | sed -n 's/^Path = //p' | grep -c '^data.d01' >"$scratch/count-d01"
    tr -d '\r' <"$scratch/out" | sed -n 's/^Path = //p' | grep -c '^data.renamed.' >"$scratch/count"
    find "$base_drive/data/d02" -mindepth 1 | wc -l >"$scratch/expected"
    same "... with the renamed files" "$scratch/expected" "$scratch/count"
    echo 0 >"$scratch/expected"
    same "... without the deleted ones" "$scratch/expected" "$scratch/count-d01"
fi

# In the tree: one folder goes, one is renamed, one moves into another, files go and change
# their names, one is written to.
cat >"$scratch/change.bat" <<'EOF'
cd /d C:\data
rd /s /q d05
ren d07 seven
move d08 d10\eight
cd d01
del file101.dat
del file251.dat
ren file151.dat renamed.dat
echo more>>file201.dat
EOF
try "fvm cp copies a batch file in" "$FVM" cp "$scratch/change.bat" 'zip:C:\tools\change.bat'
try "the VM deletes and renames part of the tree" in_vm zip cmd.exe /c 'C:\tools\change.bat'

# --- what fvm says has changed -----------------------------------------------------------
{
    printf '%s\n' 'A C:\out.7z' 'A C:\tools\change.bat' 'A C:\unpacked' 'D C:\data\d05' \
        'D C:\data\d01\file101.dat' 'D C:\data\d01\file251.dat' 'M C:\data\d01\file201.dat' \
        'R C:\data\d07 -> C:\data\seven' 'R C:\data\d08 -> C:\data\d10\eight' \
        'R C:\data\d01\file151.dat -> C:\data\d01\renamed.dat'
    (cd "$base_drive" && find data -printf 'A C:/unpacked/%p\n') | tr / '\\'
} | LC_ALL=C sort >"$scratch/diff-expected"
"$FVM" diff zip | LC_ALL=C sort >"$scratch/diff"
same "fvm diff is exactly the change" "$scratch/diff-expected" "$scratch/diff"
if ! command -v jq >/dev/null; then
    echo "# jq is missing: fvm diff --json was not looked at"
else
    "$FVM" diff zip --json | jq -r \
        '.[] | .kind + " " + (if .old then .old + " -> " else "" end) + .path' | LC_ALL=C sort >"$scratch/json"
    same "fvm diff --json says the same" "$scratch/diff-expected" "$scratch/json"
fi
try "fvm check finds nothing" "$FVM" check zip

# --- what the base is afterwards ---------------------------------------------------------
stop_base
state "$scratch/state-after"
registry "$scratch/registry-after"
for what in state registry; do
    by=$by_name
    [ $what = state ] || by=$by_value
    for when in before after; do
        but_plain "$scratch/$what-first" "$scratch/$what-before" "$scratch/$what-$when" "$by" \
            >"$scratch/$what-$when.compared"
    done
    echo "# $what: a plain start changes $(wc -l <"$scratch/plain") of $(wc -l <"$scratch/$what-before") lines:"
    head -n 8 "$scratch/plain" | sed 's/^/#   /'
done
same "every file of the base is as before" "$scratch/state-before.compared" "$scratch/state-after.compared"
same "the base's registry is as before" "$scratch/registry-before.compared" "$scratch/registry-after.compared"
try "fvm rm" "$FVM" rm zip
results
