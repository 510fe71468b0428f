# shellcheck shell=bash disable=SC2154
# Changing Windows natively without changing the base: a prefix with the base's drives and a copy
# of its registry. Sourced, not run, after env.sh.

# stop_windows PREFIX: ends Windows there; its registry is then on the disk.
stop_windows() {
    WINEPREFIX=$1 "$WINESERVER64" -k
    WINEPREFIX=$1 timeout 30 "$WINESERVER64" -w
}

# hives FILE: the base's registry as it is on the disk, without the times of keys, and without that
# of the display's driver, which win32u sets to now at each start of a desktop of the host.
hives() {
    stop_windows "$FVM_BASE"
    (cd "$FVM_BASE" && grep -av '^#time=\|"DriverDateData"' system.reg user.reg userdef.reg |
        sed -E 's/^([^:]*:\[.*\]) [0-9]+$/\1/') >"$1"
}

# reference_make PROGRAM ARGS...: starts Windows in the base, runs the program there, which has
# windows (what a start and a desktop write for the first time on this display is no change by a
# VM), stops it, and makes the prefix $reference.
reference_make() {
    stop_windows "$FVM_BASE"
    "$FVM" run --rm -- cmd.exe /c exit >/dev/null 2>&1 </dev/null
    native "$@" >/dev/null 2>&1 </dev/null
    stop_windows "$FVM_BASE"
    reference=$scratch/reference
    mkdir -p "$reference/dosdevices"
    cp "$FVM_BASE"/*.reg "$reference/"
    cp -P "$FVM_BASE"/dosdevices/* "$reference/dosdevices/"
    cp -P "$FVM_BASE/.update-timestamp" "$reference/" 2>/dev/null
    ln -s "$base_drive" "$reference/drive_c"
}

# in_reference PROGRAM ARGS...: runs it there.
in_reference() { WINEPREFIX=$reference timeout "${LIMIT:-120}" "$WINE64" "$@"; }

reference_end() {
    [ -z "${reference:-}" ] || WINEPREFIX=$reference "$WINESERVER64" -k 2>/dev/null
}
