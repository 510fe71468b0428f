#!/usr/bin/perl
# Prints the titles of all windows of the X server in DISPLAY (:N, without authorisation), as a
# window manager reads them: the property _NET_WM_NAME.
use strict;
use warnings;
use Socket;

my ($number) = ($ENV{DISPLAY} // '') =~ /^:(\d+)/ or die "DISPLAY is not :N\n";
socket(my $x, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!\n";
connect($x, pack_sockaddr_un("/tmp/.X11-unix/X$number")) or die "display :$number: $!\n";
binmode $x;

sub get {
    my ($bytes) = @_;
    my $all = '';
    while (length $all < $bytes) {
        my $n = sysread($x, $all, $bytes - length $all, length $all);
        die "the server closed the connection\n" unless $n;
    }
    return $all;
}

# request CODE DETAIL BODY: sends it and returns the fixed and the variable part of the reply.
sub request {
    my ($code, $detail, $body) = @_;
    syswrite $x, pack('CCv', $code, $detail, 1 + length($body) / 4) . $body;
    for (;;) {
        my $fixed = get(32);
        my $kind = unpack 'C', $fixed;
        return () if $kind == 0;    # an error: the window is gone
        next if $kind != 1;         # an event
        return ($fixed, get(4 * unpack 'x4V', $fixed));
    }
}

sub padded { my ($s) = @_; return $s . "\0" x (-length($s) % 4) }

syswrite $x, pack 'a1xvvvvxx', 'l', 11, 0, 0, 0;
my ($ok, $words) = unpack 'Cx5v', get(8);
my $setup = get(4 * $words);
die "the server refuses the connection\n" unless $ok == 1;
my ($vendor, $formats) = unpack 'x16vx3C', $setup;
my $root = unpack 'V', substr $setup, 32 + $vendor + -$vendor % 4 + 8 * $formats, 4;

my ($atom) = map { unpack 'x8V', $_ }
    (request(16, 0, pack('vxx', 12) . padded('_NET_WM_NAME')))[0];

sub titles {
    my ($window) = @_;
    my ($fixed, $text) = request(20, 0, pack 'V5', $window, $atom, 0, 0, 256);
    if (defined $fixed) {
        my ($format, $count) = (unpack('xC', $fixed), unpack('x16V', $fixed));
        print substr($text, 0, $count), "\n" if $format == 8 && $count;
    }
    ($fixed, my $children) = request(15, 0, pack 'V', $window);
    titles($_) for defined $fixed ? unpack 'V*', $children : ();
}
titles($root);
