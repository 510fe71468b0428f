load helper

@test "create, ls, inspect, rm" {
    run fvm create dev
    [ "$status" = 0 ] && [ "$output" = dev ]
    [ "$(fvm ls -q)" = dev ]
    [ "$(fvm ls --json | jq -r '.[0].name, .[0].state')" = "dev
stopped" ]
    [ "$(fvm inspect dev | jq -r .base)" = "$FVM_BASE" ]
    fvm rm dev
    [ -z "$(fvm ls -q)" ]
    [ -z "$(ls -A "$FVM_HOME/vms")" ]
}

@test "an empty VM takes at most 64 KiB" {
    fvm create dev
    [ "$(du -sk "$(vm_dir dev)" | cut -f1)" -le 64 ]
}

@test "ls without any VM, and without a home" {
    run fvm ls -q
    [ "$status" = 0 ] && [ -z "$output" ]
    [ "$(fvm ls --json)" = "[]" ]
    fails 1 "neither FVM_HOME nor HOME" env -u FVM_HOME -u HOME -u XDG_DATA_HOME "$FVM" ls
}

@test "names: what is allowed" {
    for name in a 7 A.b-c_d "$(printf 'x%.0s' {1..64})"; do
        fvm create "$name"
    done
    [ "$(fvm ls -q | wc -l)" = 4 ]
}

@test "names: what is refused" {
    for name in "" . .. .a -- -a a/b 'a b' 'a:b' ä 'a\b' ../x "$(printf 'x%.0s' {1..65})"; do
        run fvm create -- "$name"
        [ "$status" = 2 ]
        [[ $output == *"cannot be the name of a VM"* || $output == *"missing"* ]]
    done
    [ ! -e "$FVM_HOME/vms" ] || [ -z "$(ls -A "$FVM_HOME/vms")" ]
}

@test "a name twice, and a VM that is not there" {
    fvm create dev
    fails 1 "VM dev exists already" fvm create dev
    for verb in inspect diff check events rm; do
        fails 1 "there is no VM nope" fvm $verb nope
    done
    fails 125 "there is no VM nope" fvm run nope -- true
    fails 1 "there is no VM nope" fvm cp nope:C:/x "$tmp"
}

@test "rm of several: one that is not there does not save the others" {
    fvm create a
    fvm create b
    fails 1 "no VM nope" fvm rm a nope b
    [ -z "$(fvm ls -q)" ]
}

@test "a damaged description: said by all, removed by rm -f" {
    fvm create dev
    echo '{"version":1' >"$(vm_dir dev)/vm.json"
    fails 1 "vm.json cannot be used" fvm inspect dev
    [[ $(fvm ls) == *damaged* ]]
    fails 1 "vm.json cannot be used" fvm rm dev
    fvm rm -f dev
    [ -z "$(fvm ls -q)" ]
    fvm create dev
    sed -i 's/"version": 1/"version": 99/' "$(vm_dir dev)/vm.json"
    fails 1 "another version of fvm" fvm inspect dev
}

@test "what a killed creation left is cleared away" {
    fvm create a
    mkdir "$FVM_HOME/vms/.new-abcdef"
    : >"$FVM_HOME/vms/.new-abcdef/lock"
    fvm create b
    [ ! -e "$FVM_HOME/vms/.new-abcdef" ]
}

@test "many creations at once under one name: one wins" {
    for i in 1 2 3 4 5 6 7 8; do
        fvm create dev >>"$tmp/won" 2>>"$tmp/lost" &
    done
    wait
    [ "$(wc -l <"$tmp/won")" = 1 ]
    [ "$(grep -c 'exists already' "$tmp/lost")" = 7 ]
}

@test "bases: missing, no prefix, 32-bit, incomplete" {
    fails 1 "does not exist" fvm create dev --base "$tmp/nothing"
    mkdir "$tmp/empty"
    fails 1 "no Wine prefix" fvm create dev --base "$tmp/empty"
    fake_base "$tmp/b32" win32
    fails 1 "32-bit" fvm create dev --base "$tmp/b32"
    fake_base "$tmp/part" win64
    rm "$tmp/part/drive_c/windows/system32/cmd.exe"
    fails 1 "no complete Wine prefix" fvm create dev --base "$tmp/part"
    fails 1 "is no folder" fvm create dev --base "$FVM"
    [ -z "$(fvm ls -q)" ]
}

@test "a base that vanished" {
    fvm create dev
    mv "$tmp/base" "$tmp/gone"
    fails 125 "does not exist" fvm run dev -- true
    [ "$(fvm inspect dev | jq .base_exists)" = false ]
    fvm diff dev
    fvm rm dev
}

@test "a standing VM keeps its base" {
    fvm create dev
    fake_base "$tmp/other" win64
    fails 125 "cannot be moved to" fvm run --base "$tmp/other" dev -- true
    FVM_BASE=$tmp/other fvm run dev -- true
}

@test "no room: a clear error, nothing left behind" {
    mkdir -p "$FVM_HOME"
    in_namespace "
        mount -t tmpfs -o size=16k,nr_inodes=64 none '$FVM_HOME' || exit 77
        '$FVM' create a && '$FVM' ls -q
        head -c 100000 /dev/zero >'$FVM_HOME/fill' 2>/dev/null
        '$FVM' create b && exit 1
        '$FVM' create c 2>&1 | grep -q 'No space left' || exit 2
        ls -A '$FVM_HOME/vms' | grep -v '^a$' && exit 3
        '$FVM' cp '$FVM' a:C:/fvm.exe 2>'$tmp/said' && exit 4
        grep -q 'No space left' '$tmp/said' || exit 5
        [ -z \"\$('$FVM' diff a)\" ] || exit 6
        [ -z \"\$(ls -A '$FVM_HOME/vms/a/tmp')\" ] || exit 7
        '$FVM' check a"
}

@test "a read-only home" {
    fvm create dev
    in_namespace "
        mount -t tmpfs none '$FVM_HOME' && mkdir '$FVM_HOME/vms' && mount -o remount,ro '$FVM_HOME' || exit 77
        '$FVM' create a 2>&1 | grep -q 'Read-only file system' || exit 1
        '$FVM' ls"
}

@test "no permission" {
    [ "$(id -u)" != 0 ] || skip "root may do everything"
    mkdir -p "$FVM_HOME"
    chmod 500 "$FVM_HOME"
    fails 1 "Permission denied" fvm create dev
    chmod 700 "$FVM_HOME"
}
