load helper

@test "a base that cannot be made leaves nothing behind" {
    unset FVM_BASE
    printf '#!/bin/sh\nmkdir -p "$WINEPREFIX/drive_c"\nexit 3\n' >"$tmp/wine/wine64"
    fails 125 "cannot make the base" fvm run --rm -- true
    [ "$(ls -A "$FVM_HOME")" = base.lock ]
}

@test "an interrupted base leaves nothing behind" {
    unset FVM_BASE
    printf '#!/bin/sh\nmkdir -p "$WINEPREFIX/drive_c"\n: >"%s/started"\nexec sleep 30\n' "$tmp" >"$tmp/wine/wine64"
    "$FVM" run --rm -- true 2>"$tmp/said" &
    pid=$!
    while [ ! -e "$tmp/started" ]; do sleep 0.02; done
    kill -TERM $pid
    wait $pid && status=0 || status=$?
    [ "$status" = 143 ]
    grep -q interrupted "$tmp/said"
    [ "$(ls -A "$FVM_HOME")" = base.lock ]
}

@test "two first uses make one base" {
    unset FVM_BASE
    cat >"$tmp/wine/wine64" <<EOF
#!/bin/sh
case \$2 in --shared) exit 0;; -i) ;; *) exit 0;; esac
echo made >>"$tmp/made"
cp -a "$tmp/base/." "\$WINEPREFIX/"
EOF
    for i in 1 2 3 4; do fvm run --rm -- true 2>>"$tmp/said" & done
    wait
    [ "$(wc -l <"$tmp/made")" = 1 ]
    grep -q 'made the base' "$tmp/said"
    [ -e "$FVM_HOME/base/system.reg" ]
}

@test "what a killed fvm left of its base is cleared away" {
    unset FVM_BASE
    mkdir -p "$FVM_HOME/base.new-abcdef/drive_c"
    printf '#!/bin/sh\ncase $2 in -i) cp -a "%s/base/." "$WINEPREFIX/";; esac\n' "$tmp" >"$tmp/wine/wine64"
    fvm run --rm -- true
    [ ! -e "$FVM_HOME/base.new-abcdef" ] && [ -e "$FVM_HOME/base" ]
}

@test "a base that is gone: said, nothing runs, the VM's own files come out" {
    fvm create dev
    mkdir "$tmp/data" && echo own >"$tmp/data/f"
    fvm cp "$tmp/data" 'dev:C:\windows\data'
    mv "$FVM_BASE" "$tmp/elsewhere"
    fails 125 "base $FVM_BASE does not exist" fvm run dev -- true
    fails 1 "does not exist" fvm cp "$tmp/data/f" 'dev:C:\g'
    [ "$(fvm diff dev)" = 'A C:\windows\data
A C:\windows\data\f' ]
    fails 0 "only what is VM dev's own is copied" fvm cp 'dev:C:\windows' "$tmp/out"
    [ "$(cd "$tmp/out" && find . -type f)" = ./data/f ]
    [ "$(cat "$tmp/out/data/f")" = own ]
    fails 1 "there is no C:\windows\win.ini" fvm cp 'dev:C:\windows\win.ini' "$tmp"
    mv "$tmp/elsewhere" "$FVM_BASE"
    fvm run dev -- true
}
