load helper

# event TEXT: appends to the log of the VM dev, without the end of the line
event() { printf '{"time":"t","kind":"refused","why":"%s"}' "$1" >>"$(vm_dir dev)/events"; }

@test "events: for people and as JSON" {
    fvm create dev
    [ -z "$(fvm events dev)" ]
    event one && echo >>"$(vm_dir dev)/events"
    [[ $(fvm events dev) == *"refused"*": one" ]]
    [ "$(fvm events dev --json | jq -r .why)" = one ]
}

@test "events --follow: what comes later, whole lines only, until the VM is removed" {
    local lines pid line
    fvm create dev
    mkfifo "$tmp/lines"
    fvm events dev --follow >"$tmp/lines" 3>&- &
    pid=$!
    exec {lines}<"$tmp/lines"
    event first && echo >>"$(vm_dir dev)/events"
    read -r -t 10 -u "$lines" line && [[ $line == *": first" ]]
    event second
    : >"$(vm_dir dev)/another-file"
    ! read -r -t 0.2 -u "$lines" line
    echo >>"$(vm_dir dev)/events"
    read -r -t 10 -u "$lines" line && [[ $line == *": second" ]]
    fvm rm dev
    wait "$pid"
}
