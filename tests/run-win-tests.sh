#!/usr/bin/env bash
# Windows of VMs, on an X server of the test's own.
#
#   matrix   a server and a client (win_meet) in the same VM, in two VMs, and on both sides of the
#            border to the host: inside a VM they meet as on the host; across, the client gets the
#            error that it gets when there is no server at all
#   names    stations and desktops: what programs ask and what they name, natively and in a VM
#   desktop  who serves a VM's windows; what is left of them after kill -9
#   session  ExitWindowsEx ends the VM, and nothing else
#   single   a program that runs once runs once in each VM
#   clip     fvm clip; the clipboard stays in its VM
#   title    fvm run --title
#
# usage: run-win-tests.sh [-m FILE] [TEST...]    -m: writes the matrix to FILE
# See tests/lib/env.sh for the environment.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"
# shellcheck source=tests/lib/display.sh
. "$here/lib/display.sh"

matrix=''
if [ "${1:-}" = -m ]; then
    matrix=$2
    shift 2
fi
tests=("$@")
[ ${#tests[@]} -gt 0 ] || tests=(matrix names desktop session single clip title)

env_start
trap 'display_end; env_end' EXIT
display_start
dos="C:\\fvmtest-$$"
base_dir=$base_drive/fvmtest-$$
mkdir -p "$base_dir"
cp "$FVM_GUESTS"/{win_*,obj_meet}.exe "$base_dir/" || { fail "the programs are not built"; results; exit; }

# program WHERE NAME ARGS...: on the host ("host") or in the VM of that name.
program() {
    local where=$1 name=$2
    shift 2
    if [ "$where" = host ]; then
        native "$dos\\$name.exe" "$@"
    else
        in_vm "$where" "$dos\\$name.exe" "$@"
    fi
}

# server WHERE [ROLE]: starts win_meet; $ids is what it says when it is ready. It ends when
# descriptor 7 is closed.
server() {
    local line
    ids=''
    rm -f "$scratch/input" "$scratch/output"
    mkfifo "$scratch/input" "$scratch/output"
    exec 7<>"$scratch/input" 8<>"$scratch/output"
    program "$1" win_meet "${2:-server}" <"$scratch/input" >"$scratch/output" 2>&1 7>&- 8>&- &
    server_job=$!
    exec 7>"$scratch/input"
    while IFS= read -r -t 60 -u 8 line; do
        line=${line%$'\r'}
        case $line in
        failed*) fail "server: $line" ;;
        ready*) ids=${line#ready} && return ;;
        esac
    done
    fail "the server does not start: $1"
    return 1
}

stop_server() {
    exec 7>&- 8>&-
    wait "$server_job"
}

# client WHERE COLUMN: its lines go to $scratch/COLUMN, with what the server has noticed.
client() {
    local got='' line
    # shellcheck disable=SC2086
    program "$1" win_meet client $ids </dev/null 2>/dev/null | tr -d '\r' >"$scratch/$2"
    if [ "$2" != none ]; then
        echo >&7
        IFS= read -r -t 20 -u 8 got
    fi
    while IFS=$'\t' read -r way line; do
        case $line in
        noticed*failed) line="call failed" ;;
        noticed*)
            case " $got" in
            *" ${line#noticed }"*) line=met ;;
            *) line="not noticed" ;;
            esac
            ;;
        esac
        printf '%s\t%s\n' "$way" "$line"
    done <"$scratch/$2" >"$scratch/$2.new"
    mv "$scratch/$2.new" "$scratch/$2"
}

# result COLUMN WAY
result() { awk -F'\t' -v way="$2" '$1 == way { print $2 }' "$scratch/$1"; }

test_matrix() {
    local way met want column bad row got window atom hook t=$scratch/matrix
    for vm in win-a win-b; do
        "$FVM" create "$vm" >/dev/null || { fail "fvm create $vm"; return; }
    done
    server host || return
    client host host-host
    client win-a vm-to-host
    stop_server
    # the window of a server that has ended; its ids may be others' by now
    read -r window _ _ atom hook <<<"$ids"
    ids="$window 0 0 $atom $hook"
    client host none
    server win-a || return
    client win-a same-vm
    client win-b other-vm
    client host host-to-vm
    stop_server
    program host win_meet list </dev/null | tr -d '\r' >"$scratch/ways"
    printf '| | same VM | other VM | host to VM | VM to host |\n|---|---|---|---|---|\n' >"$t"
    while IFS= read -r way; do
        row="| $way |"
        bad=''
        met=$(result host-host "$way")
        want=$(result none "$way")
        [ "$met" = met ] || bad="$bad host:$met"
        for column in same-vm other-vm host-to-vm vm-to-host; do
            got=$(result $column "$way")
            case $column:$got in
            same-vm:met) row="$row meets |" ;;
            same-vm:*)
                # in a VM a process removes its own hooks only
                row="$row $([ "$got" = "$want" ] && echo not there || echo "$got") |"
                case $way:$got in "UnhookWindowsHookEx by handle:$want") ;;
                *) bad="$bad $column:$got" ;; esac
                ;;
            *:"$want") row="$row not there |" ;;
            vm-to-host:met)
                row="$row meets |"
                [ "$way" = "global atom by number" ] || bad="$bad $column:met"
                ;;
            host-to-vm:*)
                # the host may look into its VMs where it goes by numbers
                case $got in met) row="$row meets |" ;; *) row="$row refused |" ;; esac
                case $way in *" by handle" | *" by number" | *" by half"* | *Thread* | *" of a "*) ;;
                *) bad="$bad $column:$got" ;; esac
                ;;
            *) row="$row $got |" bad="$bad $column:$got(want $want)" ;;
            esac
        done
        echo "$row" >>"$t"
        if [ -z "$bad" ]; then pass "matrix: $way"; else fail "matrix: $way:$bad"; fi
    done <"$scratch/ways"
    sed 's/^/# /' "$t"
    [ -z "$matrix" ] || cp "$t" "$matrix"
    "$FVM" rm win-a win-b >/dev/null || fail "fvm rm"
}

# --- names ---------------------------------------------------------------------------------------
test_names() {
    local out=$FVM_OUT/win_names
    native "$dos\\win_names.exe" "$dos" >"$out.native" 2>/dev/null </dev/null
    in_vm --rm "$dos\\win_names.exe" "$dos" >"$out.vm" 2>"$out.err" </dev/null
    if grep -h '^not ok\|^Bail out' "$out.native" "$out.vm"; then
        fail "names: a check of the program fails"
    elif cmp -s "$out.native" "$out.vm" && [ -s "$out.vm" ]; then
        pass "names: the same natively and in a VM ($(wc -l <"$out.vm") lines)"
    else
        fail "names: differs (< native, > VM)"
        diff "$out.native" "$out.vm" | head -20 | sed 's/^/#   /'
        head -3 "$out.err" | sed 's/^/#   /'
    fi
}

# --- who serves ----------------------------------------------------------------------------------
# processes: those on the test's base, one per line: id, "vm" when it has the guest of one or
# "host", program.
processes() {
    local p name
    for p in /proc/[0-9]*; do
        { tr '\0' '\n' <"$p/environ" | grep -qxF "WINEPREFIX=$FVM_BASE"; } 2>/dev/null || continue
        name=$(tr '\0' ' ' <"$p/cmdline" 2>/dev/null) && [ -n "$name" ] || continue
        if grep -q '/dev/shm/fvm-\|/run/.*fvm' "$p/maps" 2>/dev/null; then
            echo "${p#/proc/} vm $name"
        else
            echo "${p#/proc/} host $name"
        fi
    done
}

# wait_windows VM TITLE: until its programs have such a window.
wait_windows() {
    local i
    for ((i = 0; i < 100; i++)); do
        in_vm "$1" "$dos\\win_meet.exe" find "$2" </dev/null >/dev/null 2>&1 && return 0
    done
    fail "no window $2 in VM $1"
    return 1
}

test_desktop() {
    local vm p i list before jobs=()
    before=$(processes | grep -c 'host .*explorer.exe')
    for vm in win-a win-b win-c; do
        "$FVM" create "$vm" >/dev/null || { fail "fvm create $vm"; return; }
    done
    LIMIT=100 in_vm win-a notepad.exe </dev/null >/dev/null 2>&1 & jobs+=($!)
    LIMIT=100 in_vm win-b "$dos\\..\\windows\\regedit.exe" </dev/null >/dev/null 2>&1 & jobs+=($!)
    LIMIT=100 in_vm win-c cmd.exe /c start /wait notepad.exe </dev/null >/dev/null 2>&1 & jobs+=($!)
    wait_windows win-a Notepad && wait_windows win-b RegEdit_RegEdit && wait_windows win-c Notepad
    list=$(processes)
    p=$(grep -c ' vm .*explorer.exe' <<<"$list")
    [ "$p" = 3 ] && pass "desktop: each of 3 VMs has its explorer" ||
        fail "desktop: $p of 3 VMs have an explorer"
    p=$(($(grep -c ' host .*explorer.exe' <<<"$list") - before))
    [ "$p" = 0 ] && pass "desktop: no explorer without the guest was started" ||
        fail "desktop: $p explorers without the guest"
    if grep ' host ' <<<"$list" | grep -q 'notepad\|regedit\|cmd.exe'; then
        fail "desktop: a program runs without the guest"
    fi

    # a VM of which fvm is killed leaves nothing behind
    for vm in win-a win-b win-c; do
        for p in $("$FVM" inspect "$vm" | sed -n '/"pids"/,/]/s/^ *\([0-9][0-9]*\),*$/\1/p'); do
            kill -9 "$p"
        done
    done
    wait "${jobs[@]}" 2>/dev/null
    for vm in win-a win-b win-c; do
        "$FVM" rm "$vm" >/dev/null || fail "fvm rm $vm"
    done
    list=$(processes | grep ' vm ')
    [ -z "$list" ] && pass "desktop: kill -9 leaves no process" || fail "desktop: left: $list"
    for ((i = 0; i < 20; i++)); do # the host learns of a killed process a moment later
        p=$(program host obj_meet trees </dev/null | tr -d '\r')
        [ "$p" != "0 trees, 0 processes" ] || break
    done
    [ "$p" = "0 trees, 0 processes" ] && pass "desktop: and no station" || fail "desktop: left: $p"

    # two runs in one VM have one explorer, which stays when the run ends that needed it first
    "$FVM" create win-a >/dev/null || { fail "fvm create win-a"; return; }
    server win-a single || return
    LIMIT=60 in_vm win-a notepad.exe </dev/null >/dev/null 2>&1 7>&- 8>&- & jobs=($!)
    wait_windows win-a Notepad
    stop_server
    p=$(in_vm win-a "$dos\\win_meet.exe" explorers window </dev/null | tr -d '\r')
    if [ "$p" = "1 explorers" ] && in_vm win-a "$dos\\win_meet.exe" find Notepad </dev/null; then
        pass "desktop: one for all runs of a VM"
    else
        fail "desktop: after the end of the first run: $p"
    fi
    in_vm win-a "$dos\\win_meet.exe" end force </dev/null >/dev/null 2>&1
    wait "${jobs[@]}"
    "$FVM" rm win-a >/dev/null || fail "fvm rm win-a"

    # a program that only draws into memory: its calls go past all stubs
    rm -f "$scratch/wait"
    mkfifo "$scratch/wait"
    exec 7<>"$scratch/wait"
    in_vm --rm "$dos\\win_gdi.exe" wait <"$scratch/wait" >"$scratch/drawn" 2>&1 7>&- & jobs=($!)
    for ((i = 0; i < 200; i++)); do
        list=$(processes)
        grep -q explorers "$scratch/drawn" && break
    done
    p=$(($(grep -c ' host .*explorer.exe' <<<"$list") - before))
    if [ $p = 0 ] && grep -q '^1 explorers' "$scratch/drawn"; then
        pass "desktop: drawing into memory: no explorer without the guest"
    else
        fail "desktop: drawing into memory: $p without the guest, $(cat "$scratch/drawn")"
    fi
    echo end >&7
    exec 7>&-
    wait "${jobs[@]}"

    # a program without windows that loads user32 needs no desktop
    p=$(in_vm --rm "$dos\\win_meet.exe" explorers </dev/null | tr -d '\r')
    [ "$p" = "0 explorers" ] && pass "desktop: a program without windows starts none" ||
        fail "desktop: a program without windows: $p"
    p=$(in_vm --rm "$dos\\win_meet.exe" explorers window </dev/null | tr -d '\r')
    [ "$p" = "1 explorers" ] && pass "desktop: one with windows starts one" ||
        fail "desktop: a program with windows: $p"
}

# --- the end of the session ------------------------------------------------------------------------
test_session() {
    local how job rc
    "$FVM" create win-a >/dev/null || { fail "fvm create"; return; }
    server host single || return
    for how in logoff shutdown reboot force; do
        LIMIT=60 in_vm win-a notepad.exe </dev/null >/dev/null 2>&1 & job=$!
        wait_windows win-a Notepad
        in_vm win-a "$dos\\win_meet.exe" end $how </dev/null >"$scratch/end" 2>&1
        rc=$?
        wait "$job"
        if [ $rc = 0 ] && ! grep -q still "$scratch/end" && ! processes | grep ' vm '; then
            pass "session: $how ends the VM"
        else
            fail "session: $how: exit code $rc, $(cat "$scratch/end")"
        fi
    done
    # a program that refuses keeps its session
    LIMIT=60 in_vm win-a "$dos\\win_meet.exe" refuse </dev/null >/dev/null 2>&1 & job=$!
    wait_windows win-a fvm-meet-refuse
    in_vm win-a "$dos\\win_meet.exe" end logoff stay </dev/null >"$scratch/end" 2>&1
    grep -q still "$scratch/end" && pass "session: a program may refuse" ||
        fail "session: a program has refused, and the VM has ended all the same"
    in_vm win-a "$dos\\win_meet.exe" end force </dev/null >/dev/null 2>&1
    wait "$job"
    if kill -0 "$server_job" 2>/dev/null; then
        pass "session: the host's programs go on"
    else
        fail "session: a program of the host has ended"
    fi
    stop_server
    "$FVM" rm win-a >/dev/null || fail "fvm rm"
}

# --- the clipboard -----------------------------------------------------------------------------------
test_clip() {
    local vm text
    for vm in win-a win-b; do
        "$FVM" create "$vm" >/dev/null || { fail "fvm create $vm"; return; }
    done
    "$FVM" clip win-a >/dev/null 2>"$scratch/err" && fail "clip: of a VM that does not run"
    grep -q 'does not run' "$scratch/err" && pass "clip: a VM that does not run is told" ||
        fail "clip: $(cat "$scratch/err")"
    server win-a single || return
    "$FVM" clip win-a >"$scratch/text" 2>"$scratch/err" && fail "clip: an empty clipboard has text"
    grep -q 'no text' "$scratch/err" && pass "clip: an empty clipboard is told" ||
        fail "clip: $(cat "$scratch/err")"
    printf 'Grüße\nzwei\tZeilen 中文 😀\n' >"$scratch/in"
    "$FVM" clip win-a --set "$scratch/in" && "$FVM" clip win-a --get >"$scratch/text"
    cmp -s "$scratch/in" "$scratch/text" && pass "clip: in and out again" ||
        fail "clip: $(od -c "$scratch/text" | head -5)"
    echo -n plain | "$FVM" clip win-a --set - || fail "clip: from standard input"
    text=$(in_vm win-a "$dos\\win_meet.exe" paste </dev/null | tr -d '\r')
    [ "$text" = plain ] && pass "clip: a program of the VM pastes it" || fail "clip: pasted: $text"
    in_vm win-a "$dos\\win_meet.exe" copy secret </dev/null || fail "clip: copy in a VM"
    text=$("$FVM" clip win-a)
    [ "$text" = secret ] && pass "clip: what a program has copied comes out" || fail "clip: got $text"
    text=$(program host win_meet paste </dev/null; in_vm win-b "$dos\\win_meet.exe" paste </dev/null)
    [ -z "$text" ] && pass "clip: neither the host nor another VM sees it" || fail "clip: $text"
    # and the other way: the host's clipboard by way of the X server
    program host win_meet copy hosts </dev/null || fail "clip: copy on the host"
    text=$("$FVM" clip win-a)
    [ "$text" = secret ] && pass "clip: nor does the VM see the host's" || fail "clip: got $text"
    printf '\377\376' | "$FVM" clip win-a --set - 2>"$scratch/err" && fail "clip: takes what is no text"
    grep -q 'UTF-8' "$scratch/err" && pass "clip: refuses what is no text" ||
        fail "clip: $(cat "$scratch/err")"
    stop_server
    "$FVM" rm win-a win-b >/dev/null || fail "fvm rm"
}

# --- titles ----------------------------------------------------------------------------------------------
# wait_title TEXT: until the screen shows it, which is a moment after the program has set it.
wait_title() {
    local i
    for ((i = 0; i < 100; i++)); do
        "$here/lib/x-titles.pl" | grep -qxF "$1" && return 0
    done
    return 1
}

test_title() {
    local text job
    "$FVM" create win-a >/dev/null || { fail "fvm create"; return; }
    timeout 60 "$FVM" run win-a --title -- notepad.exe </dev/null >/dev/null 2>&1 & job=$!
    wait_windows win-a Notepad
    text=$(in_vm win-a "$dos\\win_meet.exe" title Notepad </dev/null | tr -d '\r')
    if [ -n "$text" ] && wait_title "[win-a] $text"; then
        pass "title: the screen shows the VM's name, programs do not see it"
    else
        fail "title: \"$text\" among $("$here/lib/x-titles.pl" | tr '\n' ';')"
    fi
    in_vm win-a "$dos\\win_meet.exe" end force </dev/null >/dev/null 2>&1
    wait "$job"
    LIMIT=60 in_vm win-a notepad.exe </dev/null >/dev/null 2>&1 & job=$!
    wait_windows win-a Notepad
    if wait_title "$text"; then
        pass "title: without the option it is the program's"
    else
        fail "title: among $("$here/lib/x-titles.pl" | tr '\n' ';')"
    fi
    in_vm win-a "$dos\\win_meet.exe" end force </dev/null >/dev/null 2>&1
    wait "$job"
    "$FVM" rm win-a >/dev/null || fail "fvm rm"
}

# --- one at a time -------------------------------------------------------------------------------------
# A program that looks for its own window and does not start twice runs once in each VM.
test_single() {
    local rc
    "$FVM" create win-a >/dev/null || { fail "fvm create"; return; }
    server host single || return
    in_vm win-a "$dos\\win_meet.exe" single </dev/null >/dev/null 2>&1
    rc=$?
    program host win_meet single </dev/null >/dev/null 2>&1
    [ "$rc $?" = "0 3" ] && pass "single: once on the host, and once in a VM" ||
        fail "single: exit code $rc in a VM"
    stop_server
    server win-a single || return
    in_vm win-a "$dos\\win_meet.exe" single </dev/null >/dev/null 2>&1
    rc=$?
    in_vm --rm "$dos\\win_meet.exe" single </dev/null >/dev/null 2>&1
    [ "$rc $?" = "3 0" ] && pass "single: once in a VM, and once in another" ||
        fail "single: exit code $rc in the same VM"
    stop_server
    "$FVM" rm win-a >/dev/null || fail "fvm rm"
}

# a desktop of the host that another display (or none) belongs to ends a second after its last user
for ((i = 0; i < 50; i++)); do
    processes | grep -q 'host .*explorer.exe' || break
done

for t in "${tests[@]}"; do
    "test_$t"
done
rm -rf "$base_dir"
results
