# shellcheck shell=bash disable=SC2034
# Shared by the tests of the command line. Each test has a home of its own. Most use a base
# that only looks like one and a loader that runs the program natively, so they need no Wine
# and take milliseconds; those that need Wine call need_wine.

: "${FVM:=$BATS_TEST_DIRNAME/../../build/native/launcher/fvm}"
FVM=$(realpath "$FVM")
real_base=${FVM_BASE:-}
real_parts=${FVM_LIBDIR:-}

setup() {
    export FVM_HOME=$BATS_TEST_TMPDIR/home
    unset FVM_BASE FVM_LIBDIR WINELOADER WINESERVER FVM_WARM
    tmp=$BATS_TEST_TMPDIR
    fake_base "$tmp/base" win64
    export FVM_BASE=$tmp/base
    fake_wine
}

# fake_base DIR ARCH
fake_base() {
    mkdir -p "$1/drive_c/windows/system32" "$1/drive_c/users/me" "$1/dosdevices"
    printf 'WINE REGISTRY Version 2\n\n#arch=%s\n' "$2" >"$1/system.reg"
    : >"$1/drive_c/windows/system32/cmd.exe"
    printf 'one\ntwo\n' >"$1/drive_c/windows/win.ini"
    ln -sfn ../drive_c "$1/dosdevices/c:"
    ln -sfn / "$1/dosdevices/z:"
}

# A loader that runs what stands behind "--" as a native program.
fake_wine() {
    mkdir -p "$tmp/wine"
    : >"$tmp/wine/fvm-monitor.exe"
    : >"$tmp/wine/fvmguest.dll"
    cat >"$tmp/wine/wine64" <<'EOF'
#!/bin/sh
[ "$2" = --shared ] || exit 0
export FVM_TEST_SHARED="$3"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
EOF
    printf '#!/bin/sh\nexit 0\n' >"$tmp/wine/wineserver"
    chmod +x "$tmp/wine/wine64" "$tmp/wine/wineserver"
    export FVM_LIBDIR=$tmp/wine WINELOADER=$tmp/wine/wine64 WINESERVER=$tmp/wine/wineserver
}

need_wine() {
    [ -n "$real_base" ] || skip "FVM_BASE names no Wine prefix"
    unset FVM_LIBDIR WINELOADER WINESERVER
    [ -z "$real_parts" ] || export FVM_LIBDIR=$real_parts
    export FVM_BASE=$real_base
}

fvm() { timeout 60 "$FVM" "$@"; }

# fails CODE TEXT COMMAND...: the command ends with the code and says the text.
fails() {
    local code=$1 text=$2
    shift 2
    output=$("$@" 2>&1) && status=0 || status=$?
    [ "$status" = "$code" ] || { echo "exit code $status instead of $code: $output"; return 1; }
    case $output in
    *"$text"*) ;;
    *) echo "said: $output"; return 1 ;;
    esac
}

vm_dir() { echo "$FVM_HOME/vms/$1"; }

# in_namespace SCRIPT: runs it where file systems can be mounted
in_namespace() {
    unshare -rm true 2>/dev/null || unshare -m true 2>/dev/null || skip "no mount namespaces here"
    if [ "$(id -u)" = 0 ]; then
        timeout 60 unshare -m bash -c "$1"
    else
        timeout 60 unshare -rm bash -c "$1"
    fi
}

# log_record FILE SEQ OP FLAGS PATH [OTHER]: appends a record as the guest writes it.
log_record() {
    perl -MEncode -e '
        my ($file, $seq, $op, $flags, $path, $other) = @ARGV;
        my ($p, $o) = map { encode("UTF-16LE", decode("UTF-8", $_ // "")) } $path, $other;
        my $body = pack("Q<SSSS", $seq, $op, $flags, length($p) / 2, length($o) / 2) . $p . $o;
        $body .= "\0" x (-(length($body) + 8) % 8);
        my $crc = 0xffffffff;
        for my $byte (unpack("C*", $body)) {
            $crc ^= $byte;
            $crc = $crc >> 1 ^ ($crc & 1 ? 0x82f63b78 : 0) for 1 .. 8;
        }
        open my $f, ">>:raw", $file or die;
        print $f pack("VV", length($body) + 8, $crc ^ 0xffffffff), $body;' "$@"
}
PRIVATE=1 CONTAINER=2 HIDDEN=3 FORGET=4 RENAME=5
IS_DIR=1 HAS_BASE=2
