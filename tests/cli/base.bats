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
