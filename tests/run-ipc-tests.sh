#!/usr/bin/env bash
# Runs the guest programs on objects, pipes and processes.
#
# First the transcripts: obj_*, pipe_* print the same natively and in a VM. Then the matrix: a
# server and a client (obj_meet) in the same VM, in two VMs, and on both sides of the border to
# the host. Inside a VM they meet as on the host; across, the client gets the error that it gets
# when there is no server at all. The matrix is printed, and written to the file that -m names
# as a table for docs/compatibility.md.
#
# Last ("many"): 30 VMs at once with the same server in each, killed at random: what is left.
#
# usage: run-ipc-tests.sh [-m FILE] [TEST...]
# See tests/lib/env.sh for the environment.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"

matrix=''
if [ "${1:-}" = -m ]; then
    matrix=$2
    shift 2
fi
tests=("$@")
if [ ${#tests[@]} -eq 0 ]; then
    for f in "$here"/guest/{obj,pipe}_*.c; do
        f=${f##*/}
        [ "$f" = obj_meet.c ] || tests+=("${f%.c}")
    done
    tests+=(matrix many)
fi

env_start
dos="C:\\fvmtest-$$"
base_dir=$base_drive/fvmtest-$$
mkdir -p "$base_dir"
cp "$FVM_GUESTS"/{obj,pipe}_*.exe "$base_dir/" || { fail "the programs are not built"; results; exit; }

# same PROGRAM: natively and in a VM; "vm" is an option for checks that hold in a VM only.
same() {
    local out=$FVM_OUT/$1 rc
    native "$dos\\$1.exe" "$dos" >"$out.native" 2>/dev/null </dev/null
    in_vm --rm "$dos\\$1.exe" "$dos" >"$out.vm" 2>"$out.err" </dev/null
    if grep -h '^not ok\|^Bail out' "$out.native" "$out.vm"; then
        fail "$1: a check of the program fails"
    elif cmp -s "$out.native" "$out.vm" && [ -s "$out.vm" ]; then
        pass "$1: the same natively and in a VM ($(wc -l <"$out.vm") lines)"
    else
        fail "$1: differs (< native, > VM)"
        diff "$out.native" "$out.vm" | head -20 | sed 's/^/#   /'
        head -3 "$out.err" | sed 's/^/#   /'
    fi
    grep -q '"vm"' "$here/guest/$1.c" || return 0
    server host || { fail "the server does not start on the host"; return; }
    in_vm --rm "$dos\\$1.exe" "$dos" vm >"$out.vm" 2>"$out.err" </dev/null
    rc=$?
    stop_server
    if [ $rc -eq 0 ] && grep -q '^ok ' "$out.vm"; then
        pass "$1: nothing leads out of a VM ($(grep -c '^ok ' "$out.vm") checks)"
    else
        fail "$1: exit code $rc, in a VM"
        grep '^not ok\|^Bail out' "$out.vm" | head -20 | sed 's/^/#   /'
        head -3 "$out.err" | sed 's/^/#   /'
    fi
}

# --- the matrix --------------------------------------------------------------------------------
# program WHERE ARGS...: obj_meet on the host ("host") or in the VM of that name.
program() {
    local where=$1
    shift
    if [ "$where" = host ]; then
        native "$dos\\obj_meet.exe" "$@"
    else
        in_vm "$where" "$dos\\obj_meet.exe" "$@"
    fi
}

# wait_ready FD: reads a server's output until it is ready; its ids are in $ids.
wait_ready() {
    local line
    ids=''
    while IFS= read -r -t 60 -u "$1" line; do
        line=${line%$'\r'}
        case $line in
        failed*) fail "server: $line" ;;
        ready*) ids=${line#ready } && return ;;
        esac
    done
    return 1
}

# server WHERE: starts one. It ends when descriptor 7 is closed.
server() {
    rm -f "$scratch/input" "$scratch/output"
    mkfifo "$scratch/input" "$scratch/output"
    exec 7<>"$scratch/input" 8<>"$scratch/output"
    program "$1" server <"$scratch/input" >"$scratch/output" 2>&1 7>&- 8>&- &
    server_job=$!
    exec 7>"$scratch/input"
    wait_ready 8
}

stop_server() {
    exec 7>&- 8>&-
    wait "$server_job"
}

# client WHERE NAME: its lines go to $scratch/NAME
client() {
    # shellcheck disable=SC2086
    program "$1" client $ids </dev/null 2>/dev/null | tr -d '\r' >"$scratch/$2"
}

run_matrix() {
    local way met want column bad row t
    for vm in meet-a meet-b; do
        "$FVM" create "$vm" >/dev/null || { fail "fvm create $vm"; return; }
    done
    server host || { fail "the server does not start on the host"; return; }
    client host host-host
    client meet-a vm-to-host
    stop_server
    client host none # the ids of a server that has ended
    server meet-a || { fail "the server does not start in a VM"; return; }
    client meet-a same-vm
    client meet-b other-vm
    client host host-to-vm
    stop_server

    program host list </dev/null | tr -d '\r' >"$scratch/ways"
    t=$scratch/matrix
    {
        echo '| | same VM | other VM | host to VM | VM to host |'
        echo '|---|---|---|---|---|'
    } >"$t"
    while IFS= read -r way; do
        row="| $way |"
        bad=''
        met=$(result host-host "$way")
        want=$(result none "$way")
        [ "$met" = met ] || bad="$bad host:$met"
        for column in same-vm other-vm host-to-vm vm-to-host; do
            local got
            got=$(result "$column" "$way")
            case $column:$got in
            same-vm:met) row="$row meets |" ;;
            same-vm:*) row="$row $got |" bad="$bad $column:$got" ;;
            host-to-vm:met)
                # the host may look into its VMs where it goes by process ids
                row="$row meets |"
                case $way in process* | thread* | handles*) ;; *) bad="$bad $column:met" ;; esac
                ;;
            *:"$want") row="$row not there |" ;;
            *) row="$row $got |" bad="$bad $column:$got(want $want)" ;;
            esac
        done
        echo "$row" >>"$t"
        if [ -z "$bad" ]; then pass "matrix: $way"; else fail "matrix: $way:$bad"; fi
    done <"$scratch/ways"
    sed 's/^/# /' "$t"
    [ -z "$matrix" ] || cp "$t" "$matrix"
    "$FVM" rm meet-a meet-b >/dev/null || fail "fvm rm"
}

# result FILE WAY
result() { awk -F'\t' -v way="$2" '$1 == way { print $2 }' "$scratch/$1"; }

# --- many VMs ------------------------------------------------------------------------------------
run_many() {
    local count=30 i n met=0 alone=0 pids=() want
    mkdir "$scratch/many"
    want=$(program host list </dev/null | wc -l)
    for ((i = 0; i < count; i++)); do
        "$FVM" create "many-$i" >/dev/null || { fail "fvm create many-$i"; return; }
        mkfifo "$scratch/many/in-$i" "$scratch/many/out-$i"
        eval "exec $((20 + i))<>'$scratch/many/in-$i' $((60 + i))<>'$scratch/many/out-$i'"
        LIMIT=200 program "many-$i" server <"$scratch/many/in-$i" >"$scratch/many/out-$i" 2>&1 &
        pids+=($!)
    done
    for ((i = 0; i < count; i++)); do
        wait_ready $((60 + i)) && alone=$((alone + 1))
        client "many-$i" "many/client-$i"
        n=$(grep -c $'\tmet$' "$scratch/many/client-$i")
        if [ "$n" = "$want" ]; then
            met=$((met + 1))
        else
            grep -v $'\tmet$' "$scratch/many/client-$i" | sed "s/^/#   many-$i: /"
        fi
    done
    [ $met = $count ] && pass "many: in each of $count VMs client and server meet" ||
        fail "many: client and server meet in $met of $count VMs"
    [ $alone = $count ] || fail "many: $((count - alone)) servers do not start"
    # the fvm of every second VM is killed, the rest end by themselves
    for ((i = 0; i < count; i++)); do
        if ((i % 2)); then
            for n in $("$FVM" inspect "many-$i" | sed -n '/"pids"/,/]/s/^ *\([0-9][0-9]*\),*$/\1/p'); do
                kill -9 "$n"
            done
        else
            echo end >&$((20 + i))
        fi
    done
    wait "${pids[@]}"
    # what was killed ends when its monitor notices; the next command on the VM sees to it
    for ((i = 0; i < count; i++)); do
        "$FVM" rm "many-$i" >/dev/null || fail "fvm rm many-$i"
    done
    for ((i = 0; i < 20; i++)); do # the host learns of a killed process a moment later
        n=$(program host trees </dev/null | tr -d '\r')
        [ "$n" != "0 trees, 0 processes" ] || break
        sleep 0.25
    done
    [ "$n" = "0 trees, 0 processes" ] && pass "many: nothing is left: $n" || fail "many: left are $n"
}

for t in "${tests[@]}"; do
    case $t in
    matrix) run_matrix ;;
    many) run_many ;;
    *) same "$t" ;;
    esac
done
rm -rf "$base_dir"
results
