load helper

setup_vm() { fvm create dev; log=$(vm_dir dev)/log fs=$(vm_dir dev)/fs; }

@test "cp into a VM: file, folder, over a file of the base; diff says so" {
    setup_vm
    printf 'one\n2\n' >"$tmp/win.ini"
    fvm cp "$tmp/win.ini" 'dev:C:\windows\win.ini'
    mkdir -p "$tmp/data/sub"
    echo x >"$tmp/data/sub/ä.txt"
    fvm cp "$tmp/data" 'dev:C:\'
    [ "$(fvm diff dev)" = 'A C:\data
A C:\data\sub
A C:\data\sub\ä.txt
M C:\windows\win.ini' ]
    [ "$(cat "$FVM_BASE/drive_c/windows/win.ini")" = "one
two" ]
    [ "$(fvm diff dev --json | jq -r '.[2] | .kind, .path, .type, .size')" = 'A
C:\data\sub\ä.txt
file
2' ]
    fvm check dev
}

@test "cp out of a VM: private, base, merged" {
    setup_vm
    echo new >"$tmp/new"
    fvm cp "$tmp/new" 'dev:C:\windows\new.txt'
    fvm cp 'dev:c:/WINDOWS/Win.INI' "$tmp/out.ini"
    [ "$(cat "$tmp/out.ini")" = "one
two" ]
    fvm cp 'dev:C:\windows' "$tmp"
    [ "$(cat "$tmp/windows/new.txt")" = new ]
    [ -e "$tmp/windows/win.ini" ] && [ -e "$tmp/windows/system32/cmd.exe" ]
    log_record "$log" 4 $HIDDEN 0 'C:\windows\win.ini'
    fvm cp 'dev:C:\windows' "$tmp/second"
    [ ! -e "$tmp/second/win.ini" ] && [ -e "$tmp/second/new.txt" ]
    fails 1 "there is no" fvm cp 'dev:C:\windows\win.ini' "$tmp"
}

@test "cp: folders of the base in which something comes are marked, as they are spelled there" {
    setup_vm
    mkdir -p "$FVM_BASE/drive_c/Some Folder/Inner"
    touch -d 2020-02-02 "$FVM_BASE/drive_c/Some Folder/Inner"
    echo 1 >"$tmp/f"
    fvm cp "$tmp/f" 'dev:c:/SOME folder/inner/F'
    [ "$(fvm diff dev)" = 'A C:\Some Folder\Inner\F' ]
    [ "$(find "$fs" -type f)" = "$fs/C/Some Folder/Inner/F" ]
    [ "$(fvm check dev)" = "dev: consistent: 4 records, 1 private files, 0 private folders" ]
}

@test "Wine: what was copied in is listed" {
    need_wine
    setup_vm
    echo 1 >"$tmp/f"
    fvm cp "$tmp/f" 'dev:C:\fvm-cli-one'
    fvm cp "$tmp/f" 'dev:C:\windows\fvm-cli-two'
    fvm run dev -- cmd /c 'dir /b C:\' | grep -q fvm-cli-one
    fvm run dev -- cmd /c 'dir /b C:\windows\fvm*' | grep -q fvm-cli-two
}

@test "cp: the same place by other names is one copy" {
    setup_vm
    mkdir "$FVM_BASE/drive_c/users/me/real"
    ln -s "$FVM_BASE/drive_c/users/me/real" "$FVM_BASE/drive_c/users/me/link"
    echo 1 >"$tmp/f"
    fvm cp "$tmp/f" "dev:$(realpath "$FVM_BASE")/drive_c/windows/f"
    fvm cp "$tmp/f" 'dev:C:\users\me\link\f'
    [ "$(fvm diff dev)" = 'A C:\users\me\real\f
A C:\windows\f' ]
}

@test "cp: time, mode and content stay" {
    setup_vm
    head -c 300000 /dev/urandom >"$tmp/f"
    touch -d '2020-02-02 02:02:02.123456789' "$tmp/f"
    fvm cp "$tmp/f" 'dev:C:\f'
    fvm cp 'dev:C:\f' "$tmp/g"
    cmp "$tmp/f" "$tmp/g"
    [ "$(stat -c '%y %a' "$tmp/f")" = "$(stat -c '%y %a' "$tmp/g")" ]
}

@test "cp: what it refuses" {
    setup_vm
    fails 2 "neither" fvm cp "$tmp/a" "$tmp/b"
    fails 2 "both" fvm cp dev:C:/a dev:C:/b
    fails 2 "no path inside a VM" fvm cp "$FVM" dev:relative
    fails 2 "no path inside a VM" fvm cp "$FVM" 'dev:C:\a*b'
    fails 1 "could hold" fvm cp "$FVM" 'dev:C:\no\such\x'
    fails 1 "no folder" fvm cp "$FVM" 'dev:C:\nosuch\'
    fails 1 "one is a file" fvm cp "$BATS_TEST_DIRNAME" 'dev:C:\windows\win.ini'
    fails 1 "No such file" fvm cp "$tmp/nothing" dev:C:/x
    : >"$tmp/a:b"
    mkdir "$tmp/d"
    mv "$tmp/a:b" "$tmp/d"
    fails 1 "Windows forbids" fvm cp "$tmp/d" dev:C:/d
    fvm check dev
}

@test "diff of a text file, a binary one, one without a change" {
    setup_vm
    printf 'one\n2\n' >"$tmp/f"
    fvm cp "$tmp/f" 'dev:C:\windows\win.ini'
    run fvm diff dev 'C:\WINDOWS\win.ini'
    [[ $output == *'-two'* && $output == *'+2'* && $output == *'win.ini (base)'* ]]
    printf 'a\0b' >"$tmp/f"
    fvm cp "$tmp/f" 'dev:C:\windows\win.ini'
    run fvm diff dev 'C:\windows\win.ini'
    [[ $output == "Binary files "* ]]
    run fvm diff dev 'C:\windows\system32\cmd.exe'
    [ "$status" = 0 ] && [ -z "$output" ]
    fails 1 "neither in the base nor in VM" fvm diff dev 'C:\nothing'
}

@test "diff: deleted, replaced, renamed, undone" {
    setup_vm
    mkdir "$FVM_BASE/drive_c/old"
    : >"$FVM_BASE/drive_c/old/a"
    : >"$FVM_BASE/drive_c/old/b"
    log_record "$log" 1 $RENAME $IS_DIR 'C:\old' 'C:\new'
    log_record "$log" 2 $HIDDEN 0 'C:\new\a'
    log_record "$log" 3 $HIDDEN 0 'C:\windows\win.ini'
    log_record "$log" 4 $PRIVATE 0 'C:\gone'
    log_record "$log" 5 $PRIVATE $((IS_DIR | HAS_BASE)) 'C:\users'
    mkdir -p "$fs/C/users"
    [ "$(fvm diff dev)" = 'R C:\old -> C:\new
D C:\new\a
M C:\users
D C:\users\me
D C:\windows\win.ini' ]
    [ "$(fvm diff dev --json | jq -r '.[0].old')" = 'C:\old' ]
    [ "$(fvm diff dev 'C:\new')" = 'R C:\old -> C:\new
D C:\new\a' ]
}

@test "check: a sound VM, a torn tail, left-over files" {
    setup_vm
    fvm cp "$FVM" dev:C:/x.exe
    run fvm check dev
    [ "$status" = 0 ] && [[ $output == *"dev: consistent: 2 records, 1 private files"* ]]
    printf 'torn' >>"$log"
    : >"$(vm_dir dev)/tmp/half"
    run fvm check dev
    [ "$status" = 0 ] && [[ $output == *"unfinished record"* && $output == *"unfinished copies"* ]]
    # the next start mends it
    fvm run dev -- true
    [ "$(fvm check dev)" = "dev: consistent: 2 records, 1 private files, 0 private folders" ]
    [[ $(fvm events dev) == *"unfinished record"* ]]
}

@test "a damaged log: refused, told, repaired, nothing lost" {
    setup_vm
    for i in 1 2 3 4; do echo $i >"$tmp/f$i"; fvm cp "$tmp/f$i" "dev:C:\\f$i"; done
    size=$(($(stat -c %s "$log") - 16))
    # one bit of the second record
    printf '\xff' | dd of="$log" bs=1 seek=$((16 + size / 4 + 30)) conv=notrunc 2>/dev/null
    fails 125 "a part in its middle cannot be read" fvm run dev -- true
    fails 1 "fvm check dev --repair" fvm diff dev
    fails 1 "the log is damaged at byte" fvm check dev
    [ "$(fvm check dev --json | jq '.consistent, (.problems | length)')" = "false
1" ]
    fvm check dev --repair
    fvm check dev
    [ "$(fvm diff dev)" = 'A C:\f1
A C:\f3
A C:\f4' ]
    [ "$(cat "$(vm_dir dev)/lost+found/f2")" = 2 ]
    [ -e "$(vm_dir dev)/lost+found/log.damaged" ]
}

@test "a log that is none: every command says what to do" {
    setup_vm
    echo 1 >"$tmp/f"
    fvm cp "$tmp/f" 'dev:C:\f'
    cp "$log" "$tmp/good"
    printf 'garbage' | dd of="$log" conv=notrunc 2>/dev/null
    fails 125 "fvm check dev --repair" fvm run dev -- true
    fails 1 "fvm check dev --repair" fvm diff dev
    fails 1 "fvm check dev --repair" fvm cp "$tmp/f" dev:C:/g
    fails 1 "head of the log" fvm check dev
    fvm check dev --repair
    [ "$(fvm diff dev)" = 'A C:\f' ]
    rm "$log"
    fails 125 "the file is missing" fvm run dev -- true
    fvm check dev --repair
    fvm run dev -- true
    : >"$log"
    fails 1 "too short" fvm check dev
}

@test "records that contradict one another" {
    setup_vm
    log_record "$log" 1 $RENAME 0 'C:\nothing\there' 'C:\x'
    log_record "$log" 2 $HIDDEN 0 'C:\windows'
    log_record "$log" 3 $RENAME 0 'C:\windows\win.ini' 'C:\y'
    fails 1 "contradict" fvm check dev
    fails 125 "contradict" fvm run dev -- true
    fvm check dev --repair
    fvm run dev -- true
    fvm diff dev | grep -q 'D C:.windows'
}

@test "repair shortens the log and keeps its meaning" {
    setup_vm
    mkdir -p "$FVM_BASE/drive_c/a/x" "$FVM_BASE/drive_c/b/y" "$FVM_BASE/drive_c/c"
    echo f >"$FVM_BASE/drive_c/a/x/f"
    n=0
    r() { n=$((n + 1)); log_record "$log" $n "$@"; }
    # two folders change places; a part of one goes elsewhere; much is made and unmade
    r $RENAME $IS_DIR 'C:\a' 'C:\t'
    r $RENAME $IS_DIR 'C:\b' 'C:\a'
    r $RENAME $IS_DIR 'C:\t' 'C:\b'
    r $RENAME $IS_DIR 'C:\b\x' 'C:\c\x'
    r $HIDDEN 0 'C:\c\x\f'
    r $PRIVATE $IS_DIR 'C:\n'
    mkdir -p "$fs/C/n"
    for i in $(seq 20); do r $PRIVATE 0 "C:\\n\\$i"; r $FORGET 0 "C:\\n\\$i"; done
    r $RENAME $IS_DIR 'C:\c\x' 'C:\n\x'
    r $HIDDEN 0 'C:\windows\win.ini'
    r $CONTAINER 0 'C:\a'
    fvm diff dev >"$tmp/before"
    before=$(stat -c %s "$log")
    fvm check dev --repair
    fvm diff dev >"$tmp/after"
    diff "$tmp/before" "$tmp/after"
    [ "$(stat -c %s "$log")" -lt "$before" ]
    fvm check dev
}

@test "a rename whose record is the last one is finished at the next start" {
    setup_vm
    echo 1 >"$tmp/f"
    fvm cp "$tmp/f" 'dev:C:\f'
    log_record "$log" 3 $RENAME 0 'C:\f' 'C:\windows\g'
    [[ $(fvm check dev) == *"rename has still to be finished"* ]]
    fvm run dev -- true
    [ "$(cat "$fs/C/windows/g")" = 1 ]
    [ "$(fvm diff dev)" = 'A C:\windows\g' ]
    [[ $(fvm events dev) == *"finished the rename"* ]]
}

@test "after a kill: private files without a record go to lost+found, spelling is mended" {
    setup_vm
    echo 1 >"$tmp/f"
    fvm cp "$tmp/f" 'dev:C:\f'
    log_record "$log" 3 $RENAME 0 'C:\f' 'C:\F'
    log_record "$log" 4 $HIDDEN 0 'C:\windows\win.ini'
    mkdir -p "$fs/C/windows" "$fs/C/half/made"
    echo lost >"$fs/C/windows/orphan"
    : >"$(vm_dir dev)/in-use"
    fvm check dev >"$tmp/said"
    grep -q 'orphan' "$tmp/said"
    fvm run dev -- true
    [ "$(cat "$(vm_dir dev)/lost+found/orphan")" = lost ]
    [ "$(cat "$fs/C/F")" = 1 ] && [ ! -e "$fs/C/f" ] && [ ! -e "$fs/C/half" ]
    [[ $(fvm check dev) == "dev: consistent"* ]]
}

@test "after a kill: a file made anew under a name just moved away is not taken for the moved one" {
    setup_vm
    echo old >"$tmp/f"
    fvm cp "$tmp/f" 'dev:C:\f'
    log_record "$log" 3 $RENAME 0 'C:\f' 'C:\g'
    mv "$fs/C/f" "$fs/C/g"
    sleep 0.05
    echo half >"$fs/C/f"
    : >"$(vm_dir dev)/in-use"
    fvm run dev -- true
    [ "$(cat "$fs/C/g")" = old ] && [ ! -e "$fs/C/f" ]
    [ "$(fvm diff dev)" = 'A C:\g' ]
}

@test "aliases in the log stay what they are" {
    setup_vm
    log_record "$log" 1 6 0 'C:\short~1' 'C:\windows'
    echo 1 >"$tmp/f"
    fvm cp "$tmp/f" 'dev:C:\short~1\f'
    [ "$(fvm diff dev)" = 'A C:\windows\f' ]
    fvm check dev --repair
    echo 2 >"$tmp/g"
    fvm cp "$tmp/g" 'dev:C:\short~1\g'
    [ "$(fvm diff dev)" = 'A C:\windows\f
A C:\windows\g' ]
}
