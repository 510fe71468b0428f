# shellcheck shell=bash disable=SC2034,SC2154
# The known tree that the guest file programs work in. Sourced, not run.
# make_tree DIR [SMALL]: fills DIR (which must not exist). The same call makes the same
# tree, times included. With SMALL the parts with many entries are left out, and links.

make_tree() {
    local dir=$1 small=${2-} i pool=299 dirs=59
    mkdir -p "$dir" || return
    (
        cd "$dir" || exit
        printf 'hello, world\n' >hello.txt
        printf 'UPPER and lower\n' >'Mixed Case.TXT'
        : >empty.dat
        printf 'do not write\n' >ro.txt
        chmod 0444 ro.txt
        printf 'first name\n' >hard1.txt
        [ -n "$small" ] || ln hard1.txt hard2.txt
        printf 'a base file whose name looks like a stream\n' >hello.txt:stream
        printf 'dot\n' >.dotfile
        printf 'no extension\n' >noext
        printf '#!/bin/sh\nexit 0\n' >script.sh
        chmod 0755 script.sh
        printf 'non-ASCII\n' >$'\u00fcn\u00efc\u00f6de \u65e5\u672c.txt'
        mkdir -p nested/a/b/c nested/Other 'dir with spaces/sub.dir' emptydir
        printf 'deep\n' >nested/a/b/c/deep.txt
        printf 'one\n' >nested/a/one.txt
        printf 'two\n' >nested/a/two.txt
        printf 'three\n' >nested/a/b/three.txt
        printf 'o\n' >nested/Other/Oh.txt
        printf 's\n' >'dir with spaces/a file.txt'
        printf 's\n' >'dir with spaces/sub.dir/x'
        if [ -z "$small" ]; then
            ln -s hello.txt link.txt
            ln -s nested linkdir
            ln -s nowhere broken.lnk
        fi
        printf 'long\n' >"$(printf 'a long name %.0s' $(seq 1 17)).txt"
        awk 'BEGIN { for (i = 0; i < 16384; i++) printf "line %05d data\n", i }' >big.txt
        mkdir list
        for i in 'alpha.txt' 'Beta.txt' 'gamma.TXT' 'delta_1.txt' 'delta-2.txt' 'zeta' \
            'a' 'B' '_under' 'one.two.three' 'longer name here.text' '~tilde' '#hash'; do
            printf '%s\n' "$i" >"list/$i"
        done
        mkdir list/SubDir list/another
        mkdir many pool pooldirs
        for i in $(seq -f %02g 0 39); do
            printf 'one of many %s\n' "$i" >"many/m$i.dat"
        done
        [ -z "$small" ] || pool=9 dirs=5
        for i in $(seq -f %03g 0 $pool); do
            printf 'pool file %s\n' "$i" >"pool/p$i.dat"
        done
        for i in $(seq -f %02g 0 $dirs); do
            mkdir "pooldirs/e$i" "pooldirs/q$i" "pooldirs/q$i/sub"
            printf 'x %s\n' "$i" >"pooldirs/q$i/x.txt"
            printf 'y %s\n' "$i" >"pooldirs/q$i/sub/y.txt"
        done
        if [ -z "$small" ]; then
            mkdir thousand
            for i in $(seq -f %04g 0 999); do
                printf 't %s\n' "$i" >"thousand/t$i.txt"
            done
        fi
        find . -exec touch -h -d '2020-02-03 04:05:06.789 UTC' {} +
    )
}

# hash_tree DIR...: one line per object: type, mode, size, time of change, name, target,
# and the content's hash. Nothing that a mere look changes is in it.
hash_tree() {
    find "$@" \( -type d -printf '%y %m - %T@ %p\n' -o -printf '%y %m %s %T@ %p %l\n' \) |
        LC_ALL=C sort
    find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha1sum
}

# list_tree DIR...: the same without content.
list_tree() {
    find "$@" \( -type d -printf '%y %m - %T@ %p\n' -o -printf '%y %m %s %T@ %p %l\n' \) |
        LC_ALL=C sort
}
