# shellcheck shell=bash disable=SC2034,SC2154
# Processes that serve a VM, as the machine sees them. Sourced after env.sh.

# vm_processes NAME [PATTERN]: the process ids of the VM's processes whose command line has the
# PATTERN in it; the monitors only if that is asked for. They are known by the shared block that they map.
vm_processes() {
    local id p
    id=$(sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p' "$FVM_HOME/vms/$1/vm.json")
    for p in $(grep -ls "/$id/shared" /proc/[0-9]*/maps); do
        p=${p#/proc/}
        p=${p%/maps}
        case $(tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline") in
        *fvm-monitor.exe*) [ "${2:-}" = fvm-monitor.exe ] && echo "$p" ;;
        *"${2:-}"*) echo "$p" ;;
        esac
    done
}

# vm_count NAME [PATTERN]: how many there are.
vm_count() { vm_processes "$@" | wc -l; }

# settles COMMAND...: true when it is true within five seconds: the machine takes a moment to end
# processes.
settles() {
    local i
    for ((i = 0; i < 100; i++)); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

# begin_run FD NAME: a run of the VM that stays until end_run FD. FD: 3 to 9.
begin_run() {
    rm -f "$scratch/run-in" "$scratch/run-out"
    mkfifo "$scratch/run-in" "$scratch/run-out"
    LIMIT=100 in_vm "$2" "$dos\\svc_control.exe" stay <"$scratch/run-in" \
        >"$scratch/run-out" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    run_job[$1]=$!
    eval "exec $1>\"\$scratch/run-in\""
    head -n 1 "$scratch/run-out" | grep -q '^ready'
}
run_job=()

end_run() {
    eval "exec $1>&-"
    wait "${run_job[$1]}"
}

# keep_host: fvm starts the base's Windows, and keeps it: one that a native program has started ends
# between two tests, and with it what is compared.
keep_host() { in_vm --rm 'C:\windows\system32\cmd.exe' /c exit </dev/null; }

# host_registry FILE: all that the host has below the keys that concern services and COM, volatile
# ones too.
host_registry() {
    local key n=0
    for key in 'HKLM\System\CurrentControlSet\Services' \
        'HKLM\System\CurrentControlSet\Control\ServiceCurrent' 'HKLM\Software\Classes'; do
        n=$((n + 1))
        native 'C:\windows\system32\reg.exe' export "$key" "$dos\\host-$n.reg" /y >/dev/null 2>&1
        cat "$base_dir/host-$n.reg"
    done >"$1"
}
