load helper

@test "exit codes are the program's" {
    fvm create dev
    for code in 0 1 3 58 127 255; do
        fails $code "" fvm run dev -- sh -c "exit $code"
    done
    fails 137 "" fvm run dev -- sh -c 'kill -9 $$'
}

@test "arguments, output and input arrive unchanged" {
    run fvm run --rm -- printf '<%s>' 'a b' '' '"q"' '$x' -- --rm
    [ "$output" = '<a b><><"q"><$x><--><--rm>' ]
    [ "$(printf 'x\ny' | fvm run --rm -- cat)" = "x
y" ]
    run bash -c "'$FVM' run --rm -- sh -c 'echo out; echo err >&2' 2>/dev/null"
    [ "$output" = out ]
}

@test "working directory and environment" {
    cd "$tmp"
    [ "$(fvm run --rm -- pwd)" = "$tmp" ]
    [ "$(fvm run --rm -w / -- pwd)" = / ]
    fails 125 "no such folder" fvm run --rm -w /nowhere -- pwd
    [ "$(fvm run --rm -e A=1 --env B='2 3' -- sh -c 'echo $A$B')" = "12 3" ]
    [ "$(fvm run --rm -e Path=x -- sh -c 'echo $WINEPATH')" = x ]
    [ "$(fvm run --rm -- sh -c 'echo $WINEDEBUG')" = -all ]
    [ "$(WINEDEBUG=+pid fvm run --rm -- sh -c 'echo $WINEDEBUG')" = +pid ]
    [ "$(fvm run --rm -- sh -c 'echo $WINEPREFIX')" = "$FVM_BASE" ]
    LC_ALL=C fvm run --rm -- sh -c 'case $LC_ALL in *UTF-8) ;; *) exit 1;; esac'
}

@test "a Windows folder to start in goes to the monitor" {
    sed -i 's/^export/echo "$@" >"$HOME\/args"\nexport/' "$tmp/wine/wine64"
    HOME=$tmp fvm run --rm -w 'C:\x' -- true
    grep -q -- '--cwd C:.x -- true' "$tmp/args"
}

@test "anonymous VMs stay without --rm and go with it" {
    fvm run -- true
    [ "$(fvm ls -q | wc -l)" = 1 ]
    fvm run --rm -- true
    fvm run --rm --name thisone -- true
    [ "$(fvm ls -q | wc -l)" = 1 ]
    fvm run --name thatone -- true
    fvm ls -q | grep -qx thatone
    fails 125 "exists already" fvm run --name thatone -- true
    fails 2 "cannot be the name" fvm run --name a/b -- true
    fails 5 "" fvm run --rm -- sh -c 'exit 5'
    [ "$(fvm ls -q | wc -l)" = 2 ]
}

@test "a VM's folder is closed to others, whatever the umask" {
    (umask 000 && fvm create dev && fvm run --name new -- true)
    [ "$(stat -c %a "$(vm_dir dev)" "$(vm_dir new)" | tr '\n' ' ')" = "700 700 " ]
}

@test "nothing is left of a run: run-time folder, mark, lock" {
    fvm create dev
    fvm run dev -- sh -c 'test -s "$FVM_TEST_SHARED" && dirname "$FVM_TEST_SHARED" >'"$tmp/where"
    [ ! -e "$(cat "$tmp/where")" ]
    [ "$(ls "$(vm_dir dev)" | tr '\n' ' ')" = "fs lock log tmp vm.json " ]
}

# holding NAME: a run that lasts until $tmp/end exists
holding() {
    fvm run "$@" -- sh -c ': >'"$tmp/started"'; while [ ! -e '"$tmp/end"' ]; do sleep 0.05; done' &
    holder=$!
    while [ ! -e "$tmp/started" ]; do sleep 0.02; done
}

@test "a running VM: state, others join, rm refuses" {
    fvm create dev
    holding dev
    [ "$(fvm ls --json | jq -r '.[0].state')" = running ]
    [ "$(fvm inspect dev | jq '.pids | length')" = 1 ]
    fails 6 "" fvm run dev -- sh -c 'exit 6'
    fails 1 "VM dev is running (pid" fvm rm dev
    fails 1 "VM dev is running (pid" fvm check dev --repair
    fails 1 "VM dev is running (pid" fvm cp "$FVM" dev:C:/x
    fvm check dev
    fvm diff dev
    : >"$tmp/end"
    wait $holder
    fvm rm dev
}

@test "rm -f ends what runs" {
    fvm create dev
    holding dev
    fvm rm -f dev
    wait $holder || true
    [ -z "$(fvm ls -q)" ]
}

@test "--rm leaves a VM alone in which another one runs" {
    holding --rm --name x
    fvm run x -- sh -c ': >'"$tmp/started2"'; while [ ! -e '"$tmp/end2"' ]; do sleep 0.05; done' &
    other=$!
    while [ ! -e "$tmp/started2" ]; do sleep 0.02; done
    : >"$tmp/end"
    wait $holder
    [ "$(fvm ls -q)" = x ]
    : >"$tmp/end2"
    wait $other
}

@test "many starts of one VM at once" {
    fvm create dev
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        (fvm run dev -- sh -c 'test -s "$FVM_TEST_SHARED"' && echo ok >>"$tmp/ok") &
    done
    wait
    [ "$(wc -l <"$tmp/ok")" = 12 ]
    [ "$(fvm ls --json | jq -r '.[0].state')" = stopped ]
    [ ! -e "$(vm_dir dev)/in-use" ]
}

@test "SIGTERM to fvm ends the program; the exit code says so" {
    fvm create dev
    "$FVM" run dev -- sh -c ': >'"$tmp/started"'; exec sleep 30' &
    pid=$!
    while [ ! -e "$tmp/started" ]; do sleep 0.02; done
    kill -TERM $pid
    wait $pid && status=0 || status=$?
    [ "$status" = 143 ]
    fvm rm dev
}

@test "kill -9 of fvm ends the program, and the VM opens again" {
    fvm create dev
    "$FVM" run dev -- sh -c 'echo $$ >'"$tmp/started"'; exec sleep 30' &
    pid=$!
    while [ ! -s "$tmp/started" ]; do sleep 0.02; done
    kill -KILL $pid
    wait $pid && status=0 || status=$?
    [ -e "$(vm_dir dev)/in-use" ]
    # the kernel ends it at once; a zombie counts as ended
    for i in $(seq 100); do
        [[ $(ps -o stat= -p "$(cat "$tmp/started")") == [^Z]* ]] || break
        sleep 0.02
    done
    [[ $(ps -o stat= -p "$(cat "$tmp/started")") != [^Z]* ]]
    fvm run dev -- true
    [ ! -e "$(vm_dir dev)/in-use" ]
}

@test "Wine is missing, or what the environment names is no program" {
    WINELOADER=/nothing/wine64 fails 125 "WINELOADER is /nothing/wine64" fvm run --rm -- true
    FVM_LIBDIR=/nothing fails 125 "FVM_LIBDIR is /nothing" fvm run --rm -- true
    printf '#!/bin/sh\n[ "$2" = --shared ] || exit 9\n' >"$tmp/wine/wine64"
    fails 125 "Wine does not start" fvm run --rm -- true
    FVM_WARM=soon fails 125 "FVM_WARM is soon" fvm run --rm -- true
    [ -z "$(fvm ls -q)" ]
}

@test "Wine: exit codes, pipes, quoting, --rm" {
    need_wine
    fails 7 "" fvm run --rm -- cmd /c 'exit 7'
    [ "$(fvm run --rm -- cmd /c 'echo hello' | tr -d '\r')" = "hello" ]
    [ "$(printf 'b\r\na\r\n' | fvm run --rm -- cmd /c sort 2>/dev/null | head -c1)" != x ]
    [ -z "$(fvm ls -q)" ]
}

@test "Wine: programs that cannot run" {
    need_wine
    fails 127 "there is no program nosuchprogram in the VM" fvm run --rm -- nosuchprogram
    fails 127 "there is no program C:\no\such.exe in the VM" fvm run --rm -- 'C:\no\such.exe'
    fails 126 "C:\windows: it is a folder" fvm run --rm -- 'C:\windows'
    fails 126 "it is a folder" fvm run --rm -- "$tmp"
    echo 'no program' >"$tmp/text.exe"
    fails 126 "it is not a Windows program" fvm run --rm -- "$tmp/text.exe"
    : >"$tmp/empty.exe"
    fails 126 "is empty" fvm run --rm -- "$tmp/empty.exe"
    fails 126 "it is a Linux program" fvm run --rm -- /bin/true
    # a real program, cut off in its first header, before and in the second, and behind
    for size in 40 100 140 3000; do
        head -c $size "$real_base/drive_c/windows/system32/cmd.exe" >"$tmp/cut.exe"
        fails 126 "not copied or downloaded whole" fvm run --rm -- "$tmp/cut.exe"
    done
    # a DOS program: its relocations lie where newer programs have more headers
    printf 'MZ%22s\x1c%39s' '' '' | tr ' ' '\0' >"$tmp/dos.exe"
    head -c 4096 /dev/zero >>"$tmp/dos.exe"
    fails 126 "16-bit or DOS" fvm run --rm -- "$tmp/dos.exe"
    # a 32-bit PE header: i386
    printf 'MZ%58s\x80\0\0\0%64sPE\0\0\x4c\x01' '' '' | tr ' ' '\0' >"$tmp/p32.exe"
    head -c 4096 /dev/zero >>"$tmp/p32.exe"
    fails 126 "32-bit program" fvm run --rm -- "$tmp/p32.exe"
}

@test "Wine: a program with windows, and no display" {
    need_wine
    DISPLAY='' fails 1 "DISPLAY is not set" fvm run --rm -- notepad
    DISPLAY=:9876 fails 1 "names, :9876, is not there" fvm run --rm -- notepad
    ! DISPLAY='' fvm run --rm -- cmd /c 'exit 1' 2>&1 | grep -q display
}

@test "Wine: what a program changes is in the VM only" {
    need_wine
    fvm create dev
    fvm run dev -- cmd /c 'echo x>C:\fvm-cli-test.txt'
    [ ! -e "$real_base/drive_c/fvm-cli-test.txt" ]
    [ "$(fvm diff dev)" = 'A C:\fvm-cli-test.txt' ]
    fvm cp 'dev:C:\fvm-cli-test.txt' "$tmp/out"
    [ "$(tr -d '\r\n' <"$tmp/out")" = x ]
    echo in >"$tmp/in"
    fvm cp "$tmp/in" 'dev:C:\fvm-cli-in.txt'
    [ "$(fvm run dev -- cmd /c 'type C:\fvm-cli-in.txt' | tr -d '\r')" = in ]
    fvm run dev -- cmd /c 'del C:\fvm-cli-test.txt'
    [ "$(fvm diff dev)" = 'A C:\fvm-cli-in.txt' ]
    fvm check dev
}

@test "a VM for one run whose fvm was killed goes with the next creation" {
    "$FVM" run --rm --name gone -- sh -c ': >'"$tmp/started"'; exec sleep 30' &
    pid=$!
    while [ ! -e "$tmp/started" ]; do sleep 0.02; done
    fvm create other
    [ "$(fvm ls -q | wc -l)" = 2 ]
    kill -KILL $pid
    wait $pid || true
    fvm create third
    [ "$(fvm ls -q | tr '\n' ' ')" = "other third " ]
    [ "$(ls -A "$FVM_HOME/vms" | tr '\n' ' ')" = "other third " ]
    # one that stays is no such VM
    fvm run --name stays -- true
    fvm create fourth
    fvm ls -q | grep -qx stays
}

@test "no room for the shared memory" {
    in_namespace "
        mkdir -p '$tmp/run' && mount -t tmpfs -o size=64k,mode=700 none '$tmp/run' || exit 77
        XDG_RUNTIME_DIR='$tmp/run' '$FVM' run --name x -- true 2>'$tmp/said' && exit 1
        grep -q 'no room for the shared memory' '$tmp/said' || exit 2
        [ -z \"\$(find '$tmp/run/fvm' -mindepth 1)\" ] || exit 3"
    fvm run x -- true
}

@test "installed below a folder of the user's, and removed" {
    [ -e "$BATS_TEST_DIRNAME/../../build/mingw/guest/fvmguest.dll" ] || skip "not built"
    make -s -C "$BATS_TEST_DIRNAME/../.." install PREFIX="$tmp/inst" >/dev/null
    unset FVM_LIBDIR
    "$tmp/inst/bin/fvm" run --rm -- true
    [ -s "$tmp/inst/share/man/man1/fvm.1" ]
    make -s -C "$BATS_TEST_DIRNAME/../.." uninstall PREFIX="$tmp/inst"
    [ -z "$(find "$tmp/inst" -type f)" ]
}

@test "Wine: on a terminal" {
    need_wine
    command -v script >/dev/null || skip "no script(1)"
    run script -qec "'$FVM' run --rm -- cmd /c 'echo on a tty & exit 3'" /dev/null
    [ "$status" = 3 ]
    [[ $output == *"on a tty"* ]]
}

@test "Wine: what a program starts ends with fvm, and does not hold its output open" {
    need_wine
    [ "$(fvm run --rm -- cmd /c 'start /b ping -n 2 127.0.0.1 >NUL & echo done' | tr -d '\r ')" = done ]
    [ -z "$(fvm ls -q)" ]
}
