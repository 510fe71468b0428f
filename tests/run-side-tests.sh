#!/usr/bin/env bash
# Runs the guest program on settings that win32u keeps in the registry by itself: one process
# after the other changes and reads them, natively in a copy of the base's registry and in a VM,
# with the same answers, also after a stop and start; the base and the display stay as they are.
# Then fonts that only the VM has.
#
# usage: run-side-tests.sh
# See tests/lib/env.sh for the environment.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/env.sh
. "$here/lib/env.sh"
# shellcheck source=tests/lib/display.sh
. "$here/lib/display.sh"
# shellcheck source=tests/lib/reference.sh
. "$here/lib/reference.sh"

env_start
end() {
    display_end
    reference_end
    env_end
}
trap end EXIT
display_start
dos="C:\\fvmtest-$$"
base_dir=$base_drive/fvmtest-$$
mkdir -p "$base_dir"
cp "$FVM_GUESTS"/{side_settings,side_threads,hold}.exe "$base_dir/" ||
    { fail "the programs are not built"; results; exit; }
out=$FVM_OUT/side
rm -rf "$out" && mkdir -p "$out"

# --- natively -----------------------------------------------------------------------------------
reference_make "$dos\\side_settings.exe" "$dos" get

# step WHERE NAME OPTION...: one process, its transcript in $out/NAME.WHERE.
step() {
    local where=$1 name=$2
    shift 2
    if [ "$where" = native ]; then
        in_reference "$dos\\side_settings.exe" "$dos" "$@"
    else
        in_vm side "$dos\\side_settings.exe" "$dos" "$@"
    fi >"$out/$name.$where" 2>"$out/$name.err" </dev/null 9>&-
}

# session WHERE: the steps between a start and a stop of Windows, and the ones after.
session() {
    step "$1" first get
    step "$1" kept keep
    step "$1" later get
    step "$1" temporary temporary
    step "$1" still get
}
again() {
    step "$1" restarted get
    step "$1" written registry
    step "$1" read get
}

# hold: a process that keeps Windows running; release ends it.
hold() {
    mkfifo "$scratch/hold"
    "$@" "$dos\\hold.exe" "$dos\\hold.exe" <"$scratch/hold" >/dev/null 2>&1 &
    holder=$!
    exec 9>"$scratch/hold" # closed in all that is started meanwhile: explorer would keep it open
}
release() {
    exec 9>&-
    wait "$holder"
    rm -f "$scratch/hold"
}

hold in_reference
session native
release
stop_windows "$reference"
again native
stop_windows "$reference"

# --- in a VM ------------------------------------------------------------------------------------
native "$dos\\side_settings.exe" "$dos" get >"$out/host-before" 2>&1 </dev/null
hives "$scratch/hives-before"
"$FVM" create side >/dev/null || { fail "cannot make a VM"; results; exit; }
hold in_vm side
session vm
release
again vm
for name in first kept later temporary still restarted written read; do
    if ! grep -q '^1\.\.' "$out/$name.vm"; then
        fail "$name: the program does not end"
        head -3 "$out/$name.err" | sed 's/^/#   /'
    elif cmp -s "$out/$name.native" "$out/$name.vm"; then
        pass "$name: the same natively and in a VM ($(wc -l <"$out/$name.vm") lines)"
    else
        fail "$name: differs (< native, > VM)"
        diff "$out/$name.native" "$out/$name.vm" | head -20 | sed 's/^/#   /'
    fi
done
if cmp -s "$out/first.vm" "$out/kept.vm" || cmp -s "$out/later.vm" "$out/still.vm"; then
    fail "nothing has been changed"
else
    pass "the program changes settings"
fi
if "$FVM" diff side | grep -q 'Desktop : WheelScrollLines = .* -> REG_SZ 5$' &&
    ! "$FVM" diff side | grep -q 'Temporary'; then
    pass "fvm diff shows what is kept"
else
    fail "fvm diff does not show what is kept, or more"
    "$FVM" diff side | head | sed 's/^/#   /'
fi

# --- many at once -----------------------------------------------------------------------------------
pids=()
for i in 1 2 3; do
    LIMIT=60 in_vm side "$dos\\side_threads.exe" "$dos" 4 >"$out/threads-$i" 2>&1 </dev/null &
    pids+=($!)
done
wait "${pids[@]}"
if [ "$(grep -c '^ok ' "$out"/threads-? | awk -F: '{ n += $2 } END { print n }')" = 9 ]; then
    pass "threads that are stopped and go on, in three processes ($(grep -h rounds "$out/threads-1"))"
else
    fail "threads that are stopped and go on"
    grep -h -v '^ok ' "$out"/threads-? | head | sed 's/^/#   /'
fi

# --- the display ----------------------------------------------------------------------------------
xset() { command xset q 2>/dev/null | grep -A2 '^Screen Saver'; }
saver=$(xset)
step vm display display
grep -h '^not ok\|^Bail out' "$out/display.vm"
if grep -q '^ok ' "$out/display.vm" && ! grep -q '^not ok' "$out/display.vm"; then
    pass "a VM cannot change the display ($(grep -c '^ok ' "$out/display.vm") checks)"
else
    fail "a VM changes the display"
fi
[ "$saver" = "$(xset)" ] || fail "the display's screen saver was changed"
if "$FVM" events side 2>/dev/null | grep -q 'NtUserChangeDisplaySettings'; then
    pass "the refusal is an event"
else
    fail "the refusal is no event"
fi

# --- fonts ------------------------------------------------------------------------------------------
font=$(find /usr/share/fonts /usr/share/wine -name DejaVuSans.ttf 2>/dev/null | head -n 1)
if [ -n "$font" ]; then
    # the same font by another name, as long
    LC_ALL=C sed -e 's/DejaVu/FvmTst/g' -e 's/\x00D\x00e\x00j\x00a\x00V\x00u/\x00F\x00v\x00m\x00T\x00s\x00t/g' \
        "$font" >"$scratch/fvmtst.ttf"
    "$FVM" cp "$scratch/fvmtst.ttf" 'side:C:\fvmtst.ttf' >/dev/null
    hold in_vm side
    step vm font-add fonts 'C:\fvmtst.ttf'
    step vm font-later fonts
    release
    step vm font-restarted fonts
    native "$dos\\side_settings.exe" "$dos" fonts >"$out/font-host" 2>&1 </dev/null
    "$FVM" cp "$scratch/fvmtst.ttf" 'side:C:\windows\Fonts\fvmtst.ttf' >/dev/null
    step vm font-installed fonts
    native "$dos\\side_settings.exe" "$dos" fonts >>"$out/font-host" 2>&1 </dev/null
    there() { tail -n 2 "$out/$1" | grep -q 'the font is there: yes'; }
    if there font-add.vm && there font-later.vm; then
        pass "a font that only the VM has is loaded, and seen by later programs"
    else
        fail "a font that only the VM has is not loaded, or not seen later"
    fi
    if there font-restarted.vm; then fail "it is still there after a restart"
    else pass "it is gone after a restart, as on the host"; fi
    if there font-installed.vm; then pass "a font in the VM's folder of fonts is found"
    else fail "a font in the VM's folder of fonts is not found"; fi
    if grep -q 'there: yes' "$out/font-host"; then fail "the host has the VM's font"
    else pass "the host does not have it"; fi
else
    echo "# no font to try with"
fi

# --- the base -------------------------------------------------------------------------------------
native "$dos\\side_settings.exe" "$dos" get >"$out/host-after" 2>&1 </dev/null
if cmp -s "$out/host-before" "$out/host-after"; then pass "the host's settings are as before"
else
    fail "the host's settings have changed"
    diff "$out/host-before" "$out/host-after" | head | sed 's/^/#   /'
fi
hives "$scratch/hives-after"
if cmp -s "$scratch/hives-before" "$scratch/hives-after"; then pass "the base's registry is as before"
else
    fail "the base's registry has changed"
    diff "$scratch/hives-before" "$scratch/hives-after" | head | sed 's/^/#   /'
fi
results
