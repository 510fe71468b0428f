# shellcheck shell=bash disable=SC2154
# An X server of the test's own, without a screen. Sourced, not run.

# display_start: starts one on a free number and sets DISPLAY; 77 when there is no Xvfb.
display_start() {
    local ready
    command -v Xvfb >/dev/null || { echo "Xvfb is not installed: run 'make deps'"; exit 77; }
    mkfifo "$scratch/display"
    exec {ready}<>"$scratch/display"
    Xvfb -displayfd "$ready" -screen 0 1280x900x24 -nolisten tcp >/dev/null 2>&1 &
    display_pid=$!
    read -r -t 20 -u "$ready" display_number || { echo "Xvfb does not start"; exit 1; }
    exec {ready}>&-
    export DISPLAY=:$display_number
}

display_end() {
    [ -z "${display_pid:-}" ] || kill "$display_pid" 2>/dev/null
    display_pid=''
}
