#!/usr/bin/perl
# Writes core/src/fold_table.h: the upper-case form of every UTF-16 code unit, as the host
# maps it (RtlUpcaseUnicodeChar), from the host's own case tables.
#
#   tools/gen-fold.pl [--check] [L_INTL_NLS]
#
# L_INTL_NLS is Wine's l_intl.nls (default: looked for where Debian installs it). --check
# compares the committed table with what would be written and changes nothing.
# Exit status: 0 done or equal, 1 different, 2 no table found or not understood.
use strict;
use warnings;
use File::Basename qw(dirname);

my $check = @ARGV && $ARGV[0] eq '--check' ? shift : 0;
my $out = dirname($0) . '/../core/src/fold_table.h';
my ($nls) = grep { defined && -f } shift, '/usr/share/wine/nls/l_intl.nls',
    '/usr/share/wine/wine/nls/l_intl.nls', '/usr/local/share/wine/nls/l_intl.nls';
fail("no l_intl.nls found: install libwine, or name the file as argument") unless defined $nls;

open my $in, '<:raw', $nls or fail("$nls: $!");
my $bytes = do { local $/; <$in> };
close $in;
my @word = unpack 'v*', $bytes;
# Two words of header, the second being the distance to the lower-case table; then the
# upper-case table: three levels of differences, by bits 15-8, 7-4 and 3-0.
fail("$nls: not a case table") if @word < 300 || $word[0] != 1 || $word[1] + 2 >= @word;
my @upper = @word[2 .. $word[1] + 1];
my @lower = @word[$word[1] + 2 .. $#word];
my @up = deltas(\@upper);
my @down = deltas(\@lower);
fail("$nls: 'a' does not become 'A'") if (($up[ord 'a'] + ord 'a') & 0xffff) != ord 'A';
fail("$nls: 'A' does not become 'a'") if (($down[ord 'A'] + ord 'A') & 0xffff) != ord 'a';

# Blocks of 32 give the smallest pair of tables; equal blocks are stored once, whichever of
# the two mappings they serve.
my $shift = 5;
my $size = 1 << $shift;
my (%seen, @block);
my @up_index = blocks(@up);
my @down_index = blocks(@down);
fail("more than 256 different blocks") if @block > 256;

my $text = "/* Made by tools/gen-fold.pl from the host's case tables; do not edit.\n"
    . " * upcase_index, downcase_index: block of code unit c at [c >> FOLD_SHIFT].\n"
    . " * fold_delta: what is added to a code unit (modulo 65536) to change its case. */\n"
    . "/* clang-format off */\n#define FOLD_SHIFT $shift\n\n"
    . "static const uint8_t upcase_index[" . @up_index . "] = {\n" . rows(\@up_index, '%3d', 20)
    . "};\n\nstatic const uint8_t downcase_index[" . @down_index . "] = {\n"
    . rows(\@down_index, '%3d', 20) . "};\n\n"
    . "static const uint16_t fold_delta[" . @block . "][$size] = {\n";
$text .= "    {\n" . rows($_, '0x%04x', 8) =~ s/^/    /mgr . "    },\n" for @block;
$text .= "};\n";

if ($check) {
    my $have = '';
    if (open my $f, '<', $out) { local $/; $have = <$f> // '' }
    exit 0 if $have eq $text;
    print STDERR "gen-fold: $out differs from the case tables in $nls; run tools/gen-fold.pl\n";
    exit 1;
}
open my $o, '>', "$out.new" or fail("$out.new: $!");
print $o $text;
close $o or fail("$out.new: $!");
rename "$out.new", $out or fail("$out: $!");
print "gen-fold: ", scalar(grep { $_ } @up), " code units have an upper case, ",
    @up_index + @down_index + 2 * $size * @block, " bytes\n";

sub deltas {
    my ($table) = @_;
    my @delta;
    for my $c (0 .. 0xffff) {
        my $mid = ($table->[$c >> 8] // fail("$nls: short table")) + (($c >> 4) & 15);
        my $low = ($table->[$mid] // fail("$nls: short table")) + ($c & 15);
        push @delta, $table->[$low] // fail("$nls: short table");
    }
    return @delta;
}

sub blocks {
    my @index;
    for (my $c = 0; $c <= 0xffff; $c += $size) {
        my @b = @_[$c .. $c + $size - 1];
        my $key = join ',', @b;
        $seen{$key} //= push(@block, \@b) - 1;
        push @index, $seen{$key};
    }
    return @index;
}

sub rows {
    my ($list, $format, $per) = @_;
    my $s = '';
    for (my $i = 0; $i < @$list; $i += $per) {
        my $last = $i + $per > @$list ? $#$list : $i + $per - 1;
        $s .= '    ' . join(', ', map { sprintf $format, $_ } @$list[$i .. $last]) . ",\n";
    }
    return $s;
}

sub fail {
    print STDERR "gen-fold: $_[0]\n";
    exit 2;
}
