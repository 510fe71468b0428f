#!/bin/bash
# Runs the conformance tests named in tests/conformance.list natively and in VMs, and fails
# when something fails in a VM that does not fail natively.
#
#   tests/conformance.sh [--fresh] [--only REGEX] [--out DIR]
#
#   --fresh       makes the native results anew (they are kept in the cache otherwise)
#   --only REGEX  only the pairs "module test" that match
#   --out DIR     where results and logs go (default: a folder of this run in the cache)
#
# Environment:
#   FVM_CONFORMANCE       folder of the harness: build.sh, run.sh and diff.sh, which build
#                         Wine's tests and run them (default: ../shared/conformance beside
#                         the project)
#   FVM_CONFORMANCE_BASE  folders of native results made before on this machine, separated by
#                         spaces, instead of making them
#   FVM                   the fvm to test (default: that of the build folder)
#   CONF_CACHE            the cache (default ${XDG_CACHE_HOME:-~/.cache}/fvm/conformance)
#
# Exit status: 0 no new failure, 1 there are some, 2 it could not run, 77 no harness: skipped.
set -u -o pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
list=$project/tests/conformance.list
fresh='' only='' out=''
while [ $# -gt 0 ]; do
  case $1 in
  --fresh) fresh=1 ;;
  --only | --out)
    [ $# -gt 1 ] || { echo "conformance: $1 needs a value" >&2; exit 2; }
    if [ "$1" = --only ]; then only=$2; else out=$2; fi
    shift
    ;;
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
  *) echo "conformance: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
die() { echo "conformance: $*" >&2; exit 2; }

harness=${FVM_CONFORMANCE:-$project/../shared/conformance}
for tool in build.sh run.sh diff.sh; do
  [ -x "$harness/$tool" ] && continue
  echo "conformance: skipped: no $tool in $harness; name the folder of the harness in FVM_CONFORMANCE"
  exit 77
done
fvm=${FVM:-$project/build/native/launcher/fvm}
[ -x "$fvm" ] || die "$fvm is not there: build it first (make), or name another one in FVM"
fvm=$(readlink -f "$fvm")
for tool in wine wineboot wineserver Xvfb; do
  command -v "$tool" >/dev/null || die "needs $tool: run make deps"
done
export CONF_CACHE=${CONF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fvm/conformance}
mkdir -p "$CONF_CACHE" || die "cannot make the cache $CONF_CACHE"

bin=$("$harness/build.sh" --print-bin) || bin=$("$harness/build.sh" | tail -n 1)
[ -f "$bin/manifest.tsv" ] || die "$harness/build.sh could not build the tests"

work=$(mktemp -d "${TMPDIR:-/tmp}/fvm-conformance.XXXXXX") || die "no room for a working folder"
# shellcheck disable=SC2317 # called by trap
cleanup() {
  local prefix
  trap - EXIT INT TERM
  for prefix in "$work"/wp*; do # the servers of this run's own prefixes
    [ -d "$prefix" ] && WINEPREFIX=$prefix wineserver -k 2>/dev/null
  done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

selected=$work/list
awk -v re="$only" '{ sub(/#.*/, "") } NF > 1 && (re == "" || $1 " " $2 ~ re)' "$list" > "$selected"
[ -s "$selected" ] || die "no pair of $list matches $only"
out=${out:-$CONF_CACHE/results}
rm -rf "$out/vm" "$out/vm-again"
mkdir -p "$out" || die "cannot make $out"

# Each run starts from a copy of one new prefix: tests leave things behind.
prefix() { # name
  if [ ! -d "$work/wp" ]; then
    WINEPREFIX=$work/wp WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml= DISPLAY='' \
      timeout 300 wineboot -i >/dev/null 2>&1
    WINEPREFIX=$work/wp timeout 60 wineserver -w
    [ -f "$work/wp/system.reg" ] || die "wineboot -i could not make a prefix in $work"
  fi
  cp -a "$work/wp" "$work/wp-$1" || die "no room for a copy of the prefix in $work"
}

run() { # name list result-folder [option...]: one run of the harness
  local name=$1 pairs=$2 results=$3
  shift 3
  prefix "$name"
  echo "conformance: $name: $(wc -l < "$pairs") pairs"
  WINEPREFIX=$work/wp-$name "$harness/run.sh" --bin "$bin" --list "$pairs" --out "$results" "$@" |
    tail -n 1 || die "the run '$name' ended early; see $results"
  rm -rf "$work/wp-$name"
}

run_vm() { # name list result-folder
  export FVM_HOME=$work/home-$1
  run "$1" "$2" "$3" --prefix "'$fvm' run --rm --base '$work/wp-$1' --"
  unset FVM_HOME
}

# What fails natively varies from run to run: two runs are one base, their union.
if [ -n "${FVM_CONFORMANCE_BASE:-}" ]; then
  read -r -a base <<< "$FVM_CONFORMANCE_BASE"
else
  key=$(cat "$bin/manifest.tsv" "$list" | sha256sum | cut -c1-12)
  base=("$CONF_CACHE/base-$key-1" "$CONF_CACHE/base-$key-2")
  all=$work/all
  awk '{ sub(/#.*/, "") } NF > 1' "$list" > "$all"
  for i in 0 1; do
    if [ -z "$fresh" ] && [ -f "${base[i]}/complete" ]; then continue; fi
    rm -rf "${base[i]}"
    run "native-$((i + 1))" "$all" "${base[i]}"
    : > "${base[i]}/complete"
  done
fi

run_vm vm "$selected" "$out/vm"
again=()
if ! "$harness/diff.sh" --list "$selected" --tsv "$work/new.tsv" "${base[@]}" "$out/vm" >/dev/null; then
  cut -f1,2 "$work/new.tsv" | sort -u | tr '\t' ' ' > "$work/again"
  if [ -s "$work/again" ]; then # what is left of chance goes with a second run
    run_vm vm-again "$work/again" "$out/vm-again"
    again=(--again "$out/vm-again")
  fi
fi
"$harness/diff.sh" --list "$selected" "${again[@]}" "${base[@]}" "$out/vm" | tee "$work/verdict"
status=$?
echo "conformance: logs are in $out"
awk '/^  equal/ { passed = $NF } /^  different/ { failed = $NF } /^  not compared/ { other = $3 }
     END { printf "%d passed, %d failed\n", passed + other, failed }' "$work/verdict"
exit $status
