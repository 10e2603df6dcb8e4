#!/usr/bin/perl
#
# net_stomp.pl - Net::Stomp over raw TCP and TLS: STOMP 1.0 by its nature, and 1.1 and 1.2 when asked.
#
#	net_stomp.pl checks|restart HOST PORT CA LOGIN PLACE
#
# CA and LOGIN may be empty: no TLS, nobody in particular. A line for each check, "ok NAME" or
# "FAILED NAME: WHY"; of "restart", "connected" and then "back".
#
use strict;
use warnings;
use Encode qw(encode_utf8);
use Net::Stomp;
use Time::HiRes qw(sleep time);

my ($verb, $host, $port, $ca, $login, $place) = @ARGV;
my $PATIENCE = $ENV{PATIENCE} && $ENV{PATIENCE} > 1 ? $ENV{PATIENCE} : 1;
my ($WAIT, $MANY) = (15 * $PATIENCE, 500);
my @texts = ('plain', encode_utf8("Gr\x{fc}\x{df}e \x{1f682}"), "a\nb\r\nc", 'x' x 2000);

package Quiet { # its own logger tells what is tested here
	sub new { bless {}, shift }
	sub AUTOLOAD { return }
}

$| = 1;

sub fail { die join('', @_) . "\n" }

sub client {
	my ($version, $who) = @_;
	$who //= $login;
	my $c = Net::Stomp->new({
		hostname => $host, port => $port, timeout => $WAIT, initial_reconnect_attempts => 1,
		bufsize => 65536, # a whole TLS record: what is left of one it would not see
		reconnect_on_fork => 0, reconnect_attempts => 1, logger => Quiet->new,
		($ca ? (ssl => 1, ssl_options => { SSL_ca_file => $ca }) : ()),
	});
	my $connected = $c->connect({
		($who ne '' ? (login => $who, passcode => "passcode of $who") : ()),
		($version ne '1.0' ? ('accept-version' => $version) : ()),
	});
	# None comes from a server that is about to stop, or an ERROR; the library is content with both.
	fail('not connected') unless $connected && $connected->command eq 'CONNECTED';
	return ($c, $connected);
}

sub frame {
	my ($c, $command) = @_;
	my $f = $c->receive_frame({ timeout => $WAIT }) or fail("no $command came");
	$f->command eq $command or fail("$command was expected: ", $f->as_string);
	return $f;
}

sub topic { return join('/', '/topic', $place, 'net-stomp', $ca ? 'tls' : 'tcp', @_) }

sub subscribe {
	my ($c, $destination, $id) = @_;
	$c->subscribe({ destination => $destination, id => $id // 'one', receipt => 'subscribed' });
	frame($c, 'RECEIPT')->headers->{'receipt-id'} eq 'subscribed' or fail('another receipt');
}

sub close_it {
	my ($c) = @_;
	$c->send_frame(Net::Stomp::Frame->new({ command => 'DISCONNECT', headers => { receipt => 'bye' } }));
	frame($c, 'RECEIPT')->headers->{'receipt-id'} eq 'bye' or fail('another receipt');
	$c->socket->close;
}

sub is_greeted {
	my ($v, $c, $connected) = @_;
	$connected->command eq 'CONNECTED' or fail($connected->as_string);
	$connected->headers->{version} eq $v or fail($connected->as_string);
	($connected->headers->{'user-name'} // '') eq $login or fail($connected->as_string);
}

sub wildcards {
	my ($v, $c) = @_;
	subscribe($c, topic($v, 'w', '*', 'x'));
	$c->send({ destination => topic($v, 'w', $_), body => $_ }) for ('a/x', 'a/y', 'b/x', 'a/b/x');
	my @got = sort map { frame($c, 'MESSAGE')->body } 1 .. 2; # of two destinations there is no order
	"@got" eq 'a/x b/x' or fail("@got");
}

sub many_in_order {
	my ($v, $c) = @_;
	subscribe($c, topic($v, 'many'));
	for my $i (0 .. $MANY - 1) {
		$c->send({ destination => topic($v, 'many'), body => "$i $texts[$i % @texts]", 'content-type' => 'text/plain' });
	}
	for my $i (0 .. $MANY - 1) {
		my $f = frame($c, 'MESSAGE');
		$f->body eq "$i $texts[$i % @texts]" or fail("message $i is ", $f->as_string);
	}
}

sub binary {
	my ($v, $c) = @_;
	my @bodies = map { my $i = $_; join('', map { chr(($_ * 7 + $i) & 255) } 0 .. $i * 8) } 0 .. 99;
	subscribe($c, topic($v, 'binary'));
	$c->send({ destination => topic($v, 'binary'), body => $_, bytes_message => 1 }) for @bodies;
	for my $i (0 .. $#bodies) {
		frame($c, 'MESSAGE')->body eq $bodies[$i] or fail("message $i differs");
	}
}

sub receipts {
	my ($v, $c) = @_;
	for my $i (1 .. 20) {
		$c->send_with_receipt({ destination => topic($v, 'r'), body => $i, timeout => $WAIT }) or fail("message $i");
	}
}

# Its own send_transactional() is of BEGIN, SEND with a receipt, and COMMIT.
sub transactions {
	my ($v, $c) = @_;
	subscribe($c, topic($v, 't'));
	$c->send_transactional({ destination => topic($v, 't'), body => 'good', timeout => $WAIT }) or fail('not committed');
	frame($c, 'MESSAGE')->body eq 'good' or fail('another body');
}

sub users {
	my ($v, $c, $connected) = @_;
	my $rest = 'queue' . topic($v);
	my ($other) = client($v, $login ne '' ? 'other' : '');
	subscribe($c, "/user/$rest");
	subscribe($other, "/user/$rest");
	my $to = $login ne '' ? $login : $connected->headers->{session};
	$other->send_with_receipt({ destination => "/user/$to/$rest", body => 'mine', timeout => $WAIT }) or fail('no receipt');
	my $f = frame($c, 'MESSAGE');
	$f->headers->{destination} eq "/user/$rest" or fail($f->as_string);
	close_it($other);
}

sub is_refused {
	my ($v, $c) = @_;
	$c->send({ destination => topic($v) . '//x', body => 'x', receipt => 'r' });
	my $f = frame($c, 'ERROR');
	$f->headers->{code} eq '4633' && $f->headers->{'receipt-id'} eq 'r' or fail($f->as_string);
	$c->socket->close;
	return 'gone';
}

sub check {
	my ($v, $name, $body) = @_;
	my $ok = eval {
		my ($c, $connected) = client($v);
		my $gone = $body->($v, $c, $connected);
		close_it($c) unless defined $gone && $gone eq 'gone';
		1;
	};
	my $why = ($@ // '') =~ s/\s+/ /gr;
	print $ok ? "ok $name, STOMP $v\n" : "FAILED $name, STOMP $v: " . substr($why, 0, 300) . "\n";
}

if ($verb eq 'checks') {
	for my $v ('1.0', '1.1', '1.2') {
		check($v, 'connects', \&is_greeted);
		check($v, 'wildcards', \&wildcards);
		check($v, "$MANY messages in order", \&many_in_order);
		check($v, 'binary bodies', \&binary);
		check($v, 'receipts', \&receipts);
		check($v, 'transactions', \&transactions);
		check($v, 'user destinations', \&users);
		check($v, 'errors', \&is_refused);
	}
} else {
	my ($c) = client('1.2');
	print "connected\n";
	# On its own it would connect again, and wait for a frame of the new connection.
	sleep 0.05 while $c->can_read({ timeout => 0.1 }) ? $c->socket->sysread(my $octets, 1000) : 1;
	my $deadline = time + $WAIT;
	my $again;
	until ($again) {
		$again = eval { (client('1.2'))[0] };
		fail('not back in time') if !$again && time > $deadline;
		sleep 0.1 unless $again;
	}
	subscribe($again, topic('back'));
	$again->send({ destination => topic('back'), body => 'hello' });
	frame($again, 'MESSAGE');
	close_it($again);
	print "back\n";
}
