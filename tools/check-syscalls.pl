#!/usr/bin/perl
# Compares tools/syscalls.def with the installed Wine, with the guest's hook tables and with
# the tests, and the generated part of docs/compatibility.md with the table.
#
#   tools/check-syscalls.pl [--write] [--host DIR]
#
#   --write     writes that part of docs/compatibility.md instead of comparing it
#   --host DIR  folder of Wine's 64-bit ntdll.dll and win32u.dll (default: $FVM_WINE_DLLS, or
#               where distributions install it)
#
# Exit status: 0 all agrees, 1 something does not (one line each), 2 it could not be checked.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Find;

my ($write, $host) = (0, $ENV{FVM_WINE_DLLS});
while (@ARGV) {
    my $arg = shift;
    if ($arg eq '--write') { $write = 1 }
    elsif ($arg eq '--host' && @ARGV) { $host = shift }
    else { give_up("unknown argument $arg; see the head of $0") }
}
chdir dirname($0) . '/..' or give_up("cannot enter the project's folder: $!");
my $table = 'tools/syscalls.def';
my $page = 'docs/compatibility.md';
my $errors = 0;

unless (defined $host) {
    ($host) = grep { -f "$_/ntdll.dll" } glob('/usr/lib/*/wine/x86_64-windows'),
        map { "$_/wine/x86_64-windows" } qw(/usr/lib /usr/lib64 /usr/local/lib /usr/local/lib64);
}
give_up('no 64-bit Wine found: install wine64, or name the folder of its ntdll.dll with --host')
    unless defined $host;

my ($modules, $lines) = read_table();
my $hooks = read_hooks();
my $tests = read_tests();
check_host($_) for @$modules;
check_line($_) for @$lines;
check_hooks();
my $counts = documentation();
exit 1 if $errors;
print "check-syscalls: $counts\n";

# --- the table ------------------------------------------------------------

# Returns the modules in order, and the lines as { module, name, space, verdict, shown, why, at }.
sub read_table {
    my (@modules, @lines, %note, %used, %have, $module);
    open my $f, '<', $table or give_up("$table: $!");
    while (<$f>) {
        s/\s+$//;
        next if /^(#|$)/;
        if (/^module (\w+)$/) { push @modules, $module = $1; next }
        if (/^note (\w+)\s+(\S.*)$/) {
            wrong("note $1 is there twice") if exists $note{$1};
            $note{$1} = $2;
            next;
        }
        my ($name, $space, $verdict, $shown, $why) = split ' ', $_, 5;
        if (!defined $why) { wrong("not a line of the table: $_"); next }
        if (!defined $module) { wrong("$name stands before any module"); next }
        wrong("$name is there twice, line $have{$name} and here") if exists $have{$name};
        $have{$name} = $.;
        if ($why =~ /^@(\w+)$/) {
            wrong("$name: no note $1") unless exists $note{$1};
            $used{$1} = 1;
            $why = $note{$1} // '';
        }
        wrong("$name: the reason is not a sentence") unless $why =~ /^[A-Z_].*\.$/;
        push @lines, { module => $module, name => $name, space => $space, verdict => $verdict,
            shown => $shown, why => $why, at => $. };
    }
    wrong("note $_ is not used") for grep { !$used{$_} } sort keys %note;
    return (\@modules, \@lines);
}

sub check_line {
    my ($l) = @_;
    my @shown = split /,/, $l->{shown};
    my $hooked = exists $hooks->{$l->{name}};
    if ($l->{verdict} !~ /^(virtualized|refused|passed)$/) {
        wrong_at($l, "no verdict of that name: $l->{verdict}");
        return;
    }
    if ($l->{verdict} eq 'passed') {
        wrong_at($l, "is passed, but $hooks->{$l->{name}} hooks it") if $hooked;
    } else {
        wrong_at($l, "is $l->{verdict}, but no hook table of the guest has it") unless $hooked;
        wrong_at($l, "is $l->{verdict} and names no test")
            unless grep { $_ ne '-' && $_ ne 'gap' } @shown;
    }
    for my $s (@shown) {
        if ($s eq '-' || $s eq 'gap') {
            wrong_at($l, "$s stands for passed calls only") if $l->{verdict} ne 'passed';
            wrong_at($l, '- stands alone') if $s eq '-' && @shown > 1;
        } elsif (!$tests->{$s}) {
            wrong_at($l, "no test $s");
        }
    }
}

# --- the guest and the tests ------------------------------------------------------------

# Every export that a table "guest_..._hooks" hooks, and the file that does so. Entries with
# a NULL hook only ask for the way to the host's call.
sub read_hooks {
    my (%hook, %confined);
    for my $file (glob 'guest/*/*.c') {
        open my $f, '<', $file or give_up("$file: $!");
        my $text = do { local $/; <$f> };
        $text =~ s{/\*.*?\*/}{}gs;
        $text =~ s{\\\n}{ }g;
        # Tables may be written with macros of the file's own: MACRO(EXPORT or "EXPORT", ...)
        my %macro;
        $macro{$1} = $2 while $text =~ /^#define\s+(\w+)\([^)]*\)\s*\{\s*#?\w+\s*,\s*([^,]+)/mg;
        while ($text =~ /\bguest_\w+_hooks\[\]\s*=\s*\{(.*?)\};/gs) {
            my $body = $1;
            while ($body =~ /(?:\{\s*"(\w+)"\s*,\s*(\w+)|\b(\w+)\(\s*"?(\w+)"?\s*,)/g) {
                my ($name, $function) = defined $1 ? ($1, $2) : ($4, $macro{$3});
                next unless defined $function; # a cast, not a macro
                next if $function =~ /^NULL\s*$/;
                wrong("$name is hooked by $hook{$name} and by $file") if $hook{$name};
                $hook{$name} = $file;
            }
        }
        # calls of which an argument may be exchanged before they are made or hooked
        while ($text =~ /\bguest_\w+_confined\[\]\s*=\s*\{(.*?)\};/gs) {
            my $body = $1;
            $confined{$1} = $file while $body =~ /\{\s*"(\w+)"/g;
        }
    }
    $hook{$_} //= $confined{$_} for keys %confined;
    give_up('no hook table found in guest/') unless %hook;
    return \%hook;
}

sub check_hooks {
    my %line = map { $_->{name} => 1 } @$lines;
    for (sort keys %$hooks) {
        wrong("$_ is hooked by $hooks->{$_} and has no line in $table") unless $line{$_};
    }
}

sub read_tests {
    my %test;
    find({ no_chdir => 1, wanted => sub {
        $test{$1} = 1 if m{/([^/]+)\.(c|sh|bats)$};
    } }, 'tests');
    open my $f, '<', 'tests/conformance.list' or give_up("tests/conformance.list: $!");
    while (<$f>) {
        s/#.*//;
        $test{"conf:$1/$2"} = 1 if /^(\S+)\s+(\S+)/;
    }
    return \%test;
}

# --- the host ------------------------------------------------------------

# Compares the lines of one module with the exports of the installed one. What has to be in
# the table: stubs of system calls, other Nt* exports that are implemented, and Wine's own
# entries. Zw* exports must be the same code as their Nt* name.
sub check_host {
    my ($module) = @_;
    my $file = "$host/$module.dll";
    my $export = exports($file);
    my %line = map { $_->{name} => $_ } grep { $_->{module} eq $module } @$lines;
    for my $name (sort keys %$export) {
        my ($rva, $code) = @{$export->{$name}};
        my $stub = $code =~ /^\x4c\x8b\xd1\xb8/; # mov r10,rcx; mov eax,NUMBER
        if ($name =~ /^Zw(.*)/ && $export->{"Nt$1"}) {
            wrong("$module: $name is other code than Nt$1") if $export->{"Nt$1"}[0] != $rva;
            next;
        }
        # what winebuild puts where nothing is implemented: it raises an exception
        next if $code =~ /^\x48\x83\xec\x28\x48\x8d\x0d.{4}\x48\x8d\x15.{4}\xe8/s;
        next unless $stub || $name =~ /^(Nt[A-Z]|__wine_|wine_)/;
        wrong("$module: export $name of the installed host has no line in $table")
            unless delete $line{$name};
        wrong("$module: $name is hooked, but is no stub of a system call")
            if $hooks->{$name} && !$stub;
    }
    wrong_at($line{$_}, "the installed host exports no such call from $module") for sort keys %line;
}

# The exports by name: { name => [address, first bytes] }.
sub exports {
    my ($file) = @_;
    open my $f, '<:raw', $file or give_up("$file: $!");
    my $image = do { local $/; <$f> };
    my $pe = unpack 'V', substr $image, 0x3c, 4;
    give_up("$file is no 64-bit PE file")
        if substr($image, 0, 2) ne 'MZ' || substr($image, $pe, 4) ne "PE\0\0" ||
        unpack('v', substr $image, $pe + 24, 2) != 0x20b;
    my ($count, $optional) = (unpack('v', substr $image, $pe + 6, 2),
        unpack('v', substr $image, $pe + 20, 2));
    my @section = map { [unpack 'V4', substr $image, $pe + 24 + $optional + 40 * $_ + 8, 16] }
        0 .. $count - 1; # size, address, size in the file, place in the file
    my $bytes = sub {
        my ($rva, $size) = @_;
        for (@section) {
            my ($vsize, $va, $raw, $at) = @$_;
            return substr $image, $rva - $va + $at, $size if $rva >= $va && $rva < $va + $raw;
        }
        return ''; # data without content in the file
    };
    my $directory = $bytes->(unpack('V', substr $image, $pe + 24 + 112, 4), 40);
    my ($names, $functions, $name_table, $ordinals) = (unpack 'V10', $directory)[6 .. 9];
    my @name = unpack 'V*', $bytes->($name_table, 4 * $names);
    my @ordinal = unpack 'v*', $bytes->($ordinals, 2 * $names);
    my %export;
    for my $i (0 .. $names - 1) {
        my $rva = unpack 'V', $bytes->($functions + 4 * $ordinal[$i], 4);
        $export{unpack 'Z*', $bytes->($name[$i], 256)} = [$rva, $bytes->($rva, 32)];
    }
    return \%export;
}

# --- the documentation ------------------------------------------------------------

sub documentation {
    my ($begin, $end) = ('<!-- system calls: written by tools/check-syscalls.pl --write -->',
        '<!-- system calls: end -->');
    my ($text, $summary) = section();
    open my $in, '<', $page or give_up("$page: $!");
    my $old = do { local $/; <$in> };
    close $in;
    my $new = $old;
    give_up("$page has not its two marks: $begin ... $end")
        unless $new =~ s/\Q$begin\E\n.*?\Q$end\E/$begin\n$text$end/s;
    if (!$write) {
        if ($new ne $old) {
            print STDERR "check-syscalls: $page is not what $table says; " .
                "run tools/check-syscalls.pl --write\n";
            $errors++;
        }
    } elsif ($new ne $old) {
        open my $out, '>', "$page.new" or give_up("$page.new: $!");
        print $out $new;
        close $out or give_up("$page.new: $!");
        rename "$page.new", $page or give_up("$page: $!");
    }
    return $summary;
}

sub section {
    my (@spaces, %seen, %count);
    for (@$lines) {
        push @spaces, $_->{space} unless $seen{$_->{space}}++;
        my $verdict = gap($_) ? 'gap' : $_->{verdict};
        $count{$_->{space}}{$verdict}++;
        $count{all}{$verdict}++;
    }
    my @verdicts = qw(virtualized refused gap passed);
    my $text = "| namespace | virtualized | refused | passed, reaches outside | passed |\n" .
        "|---|--:|--:|--:|--:|\n";
    $text .= join(' | ', "| $_", map { $_ // 0 } @{$count{$_}}{@verdicts}) . " |\n" for @spaces;
    $text .= join(' | ', '| all', map { $_ // 0 } @{$count{all}}{@verdicts}) . " |\n";

    $text .= "\n### Answered by FVM\n\n| call | verdict | why | shown by |\n|---|---|---|---|\n";
    for (grep { $_->{verdict} ne 'passed' } @$lines) {
        $text .= "| `$_->{name}` | $_->{verdict} | " . escape($_->{why}) . ' | ' .
            shown($_) . " |\n";
    }
    $text .= "\n### Passed, and reaching outside of the VM\n\nThese are open in this version. " .
        "What they name or reach is the host's, or that of all VMs in common.\n\n" .
        "| what | calls |\n|---|---|\n" . grouped(grep { gap($_) } @$lines);
    $text .= "\n### Passed\n\n| what | calls |\n|---|---|\n" .
        grouped(grep { $_->{verdict} eq 'passed' && !gap($_) } @$lines);
    return ($text, join ', ', map { ($count{all}{$_} // 0) . " $_" } @verdicts);
}

# One row for each reason, in the order of the table.
sub grouped {
    my (@order, %names);
    for (@_) {
        push @order, $_->{why} unless $names{$_->{why}};
        push @{$names{$_->{why}}}, "`$_->{name}`";
    }
    return join '', map { '| ' . escape($_) . ' | ' . join(' ', @{$names{$_}}) . " |\n" } @order;
}

sub gap { return $_[0]{shown} =~ /(^|,)gap(,|$)/ }

sub shown { return join ', ', map { s/^conf:/conformance /r } split /,/, $_[0]{shown} }

sub escape { return $_[0] =~ s/\|/\\|/gr =~ s/</&lt;/gr }

# --- errors ------------------------------------------------------------

sub wrong {
    print STDERR "check-syscalls: $_[0]\n";
    $errors++;
}

sub wrong_at {
    my ($line, $message) = @_;
    wrong("$table:$line->{at}: $line->{name}: $message");
}

sub give_up {
    print STDERR "check-syscalls: $_[0]\n";
    exit 2;
}
