#!/usr/bin/env perl
# Sends statements to a MySQL server on this machine and prints what they give, one line per
# row with tabs between the columns: all of a client that the tests need.
#
# usage: mysql-query.pl PORT STATEMENT...     as root, without a password
use strict;
use warnings;
use IO::Socket::INET;

my ($port, @statements) = @ARGV;
die "usage: mysql-query.pl PORT STATEMENT...\n" unless $port && @statements;
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10)
    or die "cannot connect to port $port: $@\n";
binmode $socket;
local $SIG{ALRM} = sub { die "no answer from port $port\n" };

# A packet is three bytes of length, a number, and the content.
sub receive {
    my ($need, $data) = (4, '');
    alarm 60;
    while (length $data < $need) {
        sysread($socket, $data, $need - length $data, length $data) or die "the server hung up\n";
        $need = 4 + unpack('V', substr($data, 0, 3) . "\0") if length $data == 4;
    }
    alarm 0;
    return substr($data, 4);
}

sub transmit {
    my ($number, $content) = @_;
    my $packet = substr(pack('V', length $content), 0, 3) . chr($number) . $content;
    syswrite($socket, $packet) == length $packet or die "cannot send: $!\n";
}

# answer: a packet, or the death that the server's error message means
sub answer {
    my $packet = receive();
    die 'server: ', substr($packet, 9), "\n" if $packet =~ /^\xff/;
    return $packet;
}

# A string in front of which its length stands; undef for NULL.
sub take {
    my ($packet) = @_;
    my $length = ord substr($$packet, 0, 1, '');
    return undef if $length == 251;
    $length = unpack('v', substr($$packet, 0, 2, '')) if $length == 252;
    $length = unpack('V', substr($$packet, 0, 3, '') . "\0") if $length == 253;
    return substr($$packet, 0, $length, '');
}

answer();
# 4.1 protocol, authentication plugins; utf8; root; an empty password
transmit(1, pack('VVC', 0x00088200, 1 << 24, 33) . "\0" x 23 . "root\0\0mysql_native_password\0");
answer();
for my $statement (@statements) {
    transmit(0, "\3$statement");
    my $columns = ord answer();
    next unless $columns;
    answer() for 0 .. $columns; # their descriptions, and an end
    while ((my $row = answer()) !~ /^\xfe.{0,8}$/s) {
        print join("\t", map { my $v = take(\$row); defined $v ? $v : 'NULL' } 1 .. $columns), "\n";
    }
}
