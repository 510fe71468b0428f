#!/usr/bin/env bash
# A command interpreter on a terminal, natively and in a VM: what is typed is the same, and so
# must be the screen after each step, with its colours and the cursor's place.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/env.sh"

command -v tmux >/dev/null || { echo "console: tmux is missing: run 'make deps'"; exit 77; }
env_start
show="$scratch/console_show.exe"
cp "$FVM_GUESTS/console_show.exe" "$show" || exit 1
mux() { tmux -L "fvm-test-$$-$kind" -f /dev/null "$@"; }
stop() {
    for kind in native vm; do mux kill-server 2>/dev/null; done
    env_end
}
trap stop EXIT

keys() { mux send-keys "$@"; }
screen() { mux capture-pane -p; }

# see TEXT: until a line of the screen is that (an extended regular expression).
see() {
    local i
    for ((i = 0; i < 200; i++)); do
        if screen | grep -Eq "^($1)\$"; then return 0; fi
        sleep 0.05
    done
    echo "# $kind: there is no \"$1\" on the screen:"
    screen | sed '/^$/d;s/^/#   /'
    return 1
}

# snap STEP: keeps the screen and the cursor's place, once they do not change any more.
snap() {
    local file=$FVM_OUT/console-$1.$kind last='' i
    for ((i = 0; i < 50; i++)); do
        mux capture-pane -e -p >"$file"
        mux display-message -p 'cursor #{cursor_x},#{cursor_y}' >>"$file"
        [ "$last" = "$(cat "$file")" ] && return
        last=$(cat "$file")
        sleep 0.2
    done
}

# shell: the interpreter begins, on an empty screen.
shell() {
    keys "clear; $command cmd.exe; echo ended with \$?" Enter
    see 'Z:.*>' && keys 'prompt $G$S' Enter && see '>' && keys 'cls' Enter && see '>'
}

# session KIND COMMAND: one whole session; false when something did not come.
session() {
    local command=$2
    kind=$1
    mux new-session -d -x 80 -y 24 'env PS1="$ " TERM=screen-256color bash --norc' &&
        mux set-option -g escape-time 0 &&
        keys "cd '$scratch'" Enter &&
        shell && snap start &&
        keys 'color 0a' Enter 'echo green' Enter && see green && keys Enter && snap color &&
        keys 'color 07' Enter 'cls' Enter 'console_show' Enter && see shown && snap show &&
        keys 'cls' Enter && see '>' &&
        keys 'echo one two' Left Left Left X && see '> echo one Xtwo' &&
        keys Delete && see '> echo one Xwo' && keys BSpace && see '> echo one wo' &&
        snap edit && keys Enter && see 'one wo' && snap edited &&
        keys Up && see '> echo one wo' && snap history &&
        keys Enter && see '>' && keys 'cls' Enter 'set /p name=who: ' Enter && see 'who:' && keys 'me' Enter &&
        keys 'echo it is %name%' Enter && see 'it is me' && snap asked &&
        keys 'cls' Enter 'console_show keys' Enter && see press &&
        keys a && see 'key 41 .*' && keys Up && see 'key 26 .*' && keys F5 && see 'key 74 .*' &&
        keys C-a && see 'key 41 character 1' && keys q && see 'key 51 .*' && snap keys &&
        keys 'cls' Enter && see '>' && keys 'exit 7' Enter && see '.*ended with 7' && snap exit &&
        shell && keys 'console_show loop' Enter && see '\.\.\.\.*' && keys C-c &&
        see '.*ended with [0-9]+' || return
    mux kill-server
}

ok=1
session native "env WINEPREFIX='$FVM_BASE' '$WINE64'" || { fail "natively: the session stopped"; ok=; }
[ -z "$ok" ] || session vm "'$FVM' run --rm --" || { fail "in a VM: the session stopped"; ok=; }
for step in start color show edit edited history asked keys exit; do
    [ -n "$ok" ] || break
    if cmp -s "$FVM_OUT/console-$step.native" "$FVM_OUT/console-$step.vm"; then
        pass "the screen is the host's: $step"
    else
        fail "the screen differs: $step (< native, > VM)"
        diff "$FVM_OUT/console-$step.native" "$FVM_OUT/console-$step.vm" | cat -v | sed 's/^/#   /'
    fi
done
# Ctrl-C ends the interpreter, too; with what exit code is chance, natively as well.
[ -z "$ok" ] || pass "Ctrl-C ends what runs, and the shell is back"
if grep -q $'\e\[92m' "$FVM_OUT/console-color.vm" && grep -q $'\e\[44m' "$FVM_OUT/console-show.vm"; then
    pass "there are colours"
else
    fail "there are no colours"
fi
results
