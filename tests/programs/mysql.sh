#!/usr/bin/env bash
# MySQL 5.7 in two VMs: each initialises its data directory, C:\mysql\data, and holds a
# database of its own there. Both run at the same time on two ports of the loopback address;
# then again, one after the other, with what they have kept.
#
# usage: mysql.sh
# Environment: see tests/lib/env.sh. Needs the npm package mysql-server-5.7-win-x64@1.0.1.
set -u

# InnoDB does not run soundly on Wine itself. With innodb-use-native-aio=0, too, it uses Windows'
# asynchronous I/O. Probably this: the host completes a write, sets its event, and returns later;
# another thread of InnoDB frees the slot at the event, and WriteFile then writes its result into a
# slot that has a new owner. Measured with --initialize-insecure, three at once on two processors:
# 6 of 95 native runs and 8 of 77 runs in VMs ended so, a server alone about 1 of 40 on both.
# A run of this test that meets one of these ends is begun again, from new VMs; any other
# failure is one, and so is the fourth such end.
host_fault="Failing assertion: err == DB_SUCCESS|Failing assertion: srv_get_active_thread_type|'Windows aio' returned OS error 0|threads created by InnoDB had not exited"
if [ -z "${mysql_attempt:-}" ]; then
    for mysql_attempt in 1 2 3 4; do
        mysql_attempt=$mysql_attempt "$0" "$@"
        rc=$?
        [ $rc = 99 ] || exit $rc
    done
    echo "not ok - InnoDB failed four times in the way that the host makes it fail"
    echo "0 passed, 1 failed"
    exit 1
fi
. "$(dirname "$0")/lib.sh"

package mysql-server-5.7-win-x64@1.0.1
env_start
base_files() { (cd "$FVM_BASE" && list_tree drive_c); }
base_files >"$scratch/base-before"
# what the package itself has as data directory must not come along
mkdir "$scratch/mysql" && cp -r "$package/server/mysqld.exe" "$package/server/share" "$scratch/mysql" || exit 1
mysqld='C:\mysql\mysqld.exe'
options=(--no-defaults '--basedir=C:\mysql' '--datadir=C:\mysql\data' --console
    --innodb-use-native-aio=0 --explicit-defaults-for-timestamp --lower-case-table-names=1 --log-error-verbosity=3
    --innodb-log-file-size=4M --innodb-buffer-pool-size=16M)
declare -A pid port

# said VM TEXT: waits until the server of the VM has said that.
said() {
    local i
    for ((i = 0; i < 1200; i++)); do
        grep -q "$2" "$scratch/$1.log" && return 0
        grep -Eq "$host_fault" "$scratch/$1.log" && return 1
        kill -0 "${pid[$1]}" 2>/dev/null || { grep -q "$2" "$scratch/$1.log"; return; }
        sleep 0.1
    done
    return 1
}

# launch VM OPTION...: a server in the background.
launch() {
    local vm=$1
    shift
    : >"$scratch/$vm.log"
    "$FVM" run "$vm" -- "$mysqld" "${options[@]}" "$@" >"$scratch/$vm.log" 2>&1 </dev/null &
    pid[$vm]=$!
}

# finish VM: under Wine 8 the server hangs when it has shut down (closing a completion port
# wakes nobody there), so fvm is told to end it.
finish() {
    local rc
    said "$1" 'Shutdown complete' || return 1
    kill -TERM "${pid[$1]}" 2>/dev/null
    wait "${pid[$1]}"
    rc=$?
    [ $rc = 143 ] || [ $rc = 0 ] || { echo "# fvm ends with $rc"; return 1; }
}

# give_up TEXT VM: what went wrong, with the end of the log; the rest makes no sense.
give_up() {
    local vm
    for vm in "${!pid[@]}"; do
        grep -Eq "$host_fault" "$scratch/$vm.log" || continue
        echo "# begun again: $vm: $(grep -Eo "$host_fault" "$scratch/$vm.log" | head -n 1)"
        kill "${pid[@]}" 2>/dev/null
        wait
        exit 99
    done
    fail "$1"
    tail -n 5 "$scratch/$2.log" | sed 's/^/#   /'
    cp "$scratch/$2.log" "$FVM_OUT/mysql-$2.log"
    kill "${pid[@]}" 2>/dev/null
    wait
    results
    exit 1
}

query() { local vm=$1; shift; perl "$here/mysql-query.pl" "${port[$vm]}" "$@"; }
# expect LABEL VM TEXT STATEMENT...: what the statements give.
expect() {
    local label=$1 vm=$2 text=$3 found
    shift 3
    found=$(query "$vm" "$@" 2>&1)
    if [ "$found" = "$text" ]; then
        pass "$label"
    else
        fail "$label: found \"$found\" instead of \"$text\""
    fi
}
free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'; }

# start VM: its server runs and listens.
start() {
    port[$1]=$(free_port)
    launch "$1" --port="${port[$1]}" --bind-address=127.0.0.1
    said "$1" 'ready for connections' || give_up "$1: the server does not start" "$1"
}

# --- two VMs, each with a data directory of its own ------------------------------------------
for vm in books films; do
    "$FVM" create $vm >/dev/null || exit 1
    try "$vm: fvm cp copies the server in" "$FVM" cp "$scratch/mysql" $vm:'C:\mysql' || { results; exit; }
done
for vm in books films; do launch $vm --initialize-insecure; done
for vm in books films; do
    finish $vm || give_up "$vm: the data directory is not initialised" $vm
    if grep -q '\[ERROR\]' "$scratch/$vm.log"; then give_up "$vm: errors while initialising" $vm; fi
    pass "$vm: the data directory is initialised"
done

# --- both at the same time -------------------------------------------------------------------
for vm in books films; do start $vm; done
fill() { # the VM's database: a table with 1,000 rows that tell whose they are
    local vm=$1 i values=''
    for ((i = 1; i <= 1000; i++)); do values+="($i,'$vm number $i',$((i * i))),"; done
    query "$vm" "create database $vm" "create table $vm.list (id int primary key, name varchar(60), n int, key (name)) engine=InnoDB" \
        "insert into $vm.list values ${values%,}" "create table $vm.old (id int, name varchar(60)) engine=MyISAM" \
        "insert into $vm.old select id, name from $vm.list where id <= 10" "delete from $vm.list where id > 990"
}
for vm in books films; do
    if fill $vm >"$scratch/out" 2>&1; then
        pass "$vm: a database with 1,000 rows"
    else
        fail "$vm: cannot make a database: $(tail -n 1 "$scratch/out")"
    fi
done
# look VM OTHER: its own database is there, whole, and not that of the other VM.
look() {
    local vm=$1 other=$2
    expect "$vm: its own database, and not \"$other\"" "$vm" "$vm" \
        "select schema_name from information_schema.schemata where schema_name in ('$vm', '$other')"
    expect "$vm: every row" "$vm" "990	$(awk -v vm="$vm" 'BEGIN { for (i = 1; i <= 990; i++) { s += i * i; l += length(vm " number " i) } printf "%d\t%d", s, l }')" \
        "select count(*), sum(n), sum(length(name)) from $vm.list where name = concat('$vm number ', id)"
    expect "$vm: MyISAM, too" "$vm" "10	55" \
        "select count(*), sum(id) from $vm.old where name = concat('$vm number ', id)"
    expect "$vm: its data directory" "$vm" 'C:\mysql\data\' 'select @@datadir'
}
look books films
look films books
for vm in books films; do query $vm 'shutdown' >/dev/null 2>&1; done
for vm in books films; do
    finish $vm || give_up "$vm: the server does not shut down" $vm
    pass "$vm: the server has shut down"
done

# --- again, one after the other --------------------------------------------------------------
for vm in films books; do
    start $vm
    if grep -qi 'crash recovery\|was not shutdown normally' "$scratch/$vm.log"; then
        fail "$vm: the data was not shut down well"
    else
        pass "$vm: the data was shut down well"
    fi
    if [ $vm = films ]; then look films books; else look books films; fi
    query $vm 'shutdown' >/dev/null 2>&1
    finish $vm || give_up "$vm: the server does not shut down" $vm
    try "$vm: fvm check finds nothing" "$FVM" check $vm
done

# --- and the base ----------------------------------------------------------------------------
base_files >"$scratch/base-after"
same "names, sizes and times in the base are as before" "$scratch/base-before" "$scratch/base-after"
for vm in books films; do try "fvm rm $vm" "$FVM" rm $vm; done
results
