/*
 * tests/unit/test_stream_tls.c - the stream under TLS, against an OpenSSL
 * client whose bytes the test hands over as it likes (two memory BIOs).
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/stream.h"
#include "tests/certificate.h"

/* --- certificates ------------------------------------------------------- */

static char cert_path[] = "/tmp/test_stream_tls.cert.XXXXXX";
static char key_path[] = "/tmp/test_stream_tls.key.XXXXXX";
static char other_key_path[] = "/tmp/test_stream_tls.other.XXXXXX";
static char junk_path[] = "/tmp/test_stream_tls.junk.XXXXXX";

static FILE *temporary(char *path)
{
	return fdopen(mkstemp(path), "w");
}

/* Before any test. */
static bool write_files(void)
{
	FILE *junk = temporary(junk_path);

	fclose(temporary(cert_path));
	fclose(temporary(key_path));
	fclose(temporary(other_key_path));
	fputs("this is no certificate\n", junk);
	fclose(junk);
	return certificate_write(cert_path, key_path) &&
	       certificate_write("/dev/null", other_key_path);
}

static void remove_files(void)
{
	unlink(cert_path);
	unlink(key_path);
	unlink(other_key_path);
	unlink(junk_path);
}

/* --- both ends ---------------------------------------------------------- */

static struct loop *loop;
static struct tls_context *context;
static int peer;
static SSL_CTX *client_ctx;
static SSL *client;

static struct {
	struct stream s;
	unsigned done, readable, writable, hangup;
	int done_err, err;
	char got[1 << 20];
	size_t got_n;
	size_t read_size; /* of each stream_read(); 0: does not read */
	ssize_t last_read;
} e;

static void on_readable(struct stream *s)
{
	ck_assert_uint_eq(e.hangup, 0);
	ck_assert_uint_eq(e.done, 1);
	e.readable++;
	if (!e.read_size)
		return;
	e.last_read = stream_read(s, e.got + e.got_n, e.read_size);
	if (e.last_read > 0)
		e.got_n += (size_t)e.last_read;
}

static void on_writable(struct stream *s)
{
	ck_assert_uint_eq(stream_queued(s), 0);
	e.writable++;
}

static void on_hangup(struct stream *s, int err)
{
	(void)s;
	e.hangup++;
	e.err = err;
}

static const struct stream_events events = { on_readable, on_writable, on_hangup, NULL };

static void on_done(struct stream *s, int err)
{
	e.done++;
	e.done_err = err;
	if (err == 0)
		ck_assert_int_eq(stream_want(s, STREAM_READ), 0);
	else
		stream_close(s);
}

static void setup(void)
{
	char why[200];
	int fd[2];

	memset(&e, 0, sizeof(e));
	e.read_size = 65536;
	ck_assert_int_eq(loop_new(&loop), 0);
	context = tls_context_new(cert_path, key_path, why, sizeof(why));
	ck_assert_msg(context != NULL, "%s", why);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	stream_init(&e.s, loop, fd[0], &events);
	peer = fd[1];
	client_ctx = SSL_CTX_new(TLS_client_method());
	client = SSL_new(client_ctx);
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client);
}

static void teardown(void)
{
	stream_close(&e.s);
	SSL_free(client);
	SSL_CTX_free(client_ctx);
	if (peer >= 0)
		close(peer);
	tls_context_free(context);
	loop_free(loop);
}

static void turns(int n)
{
	while (n-- > 0)
		ck_assert_int_eq(loop_turn(loop, 0), 0);
}

/* Sends up to n of the bytes that the client has ready; returns how many. */
static size_t client_send(size_t n)
{
	BIO *out = SSL_get_wbio(client);
	char buf[4096];
	size_t sent = 0;

	while (sent < n) {
		int part = n - sent > sizeof(buf) ? (int)sizeof(buf) : (int)(n - sent);
		char *data;
		long pending = BIO_get_mem_data(out, &data);
		ssize_t taken;

		if (part > pending)
			part = (int)pending;
		if (part == 0)
			break;
		taken = send(peer, data, (size_t)part, MSG_NOSIGNAL);
		if (taken <= 0)
			break;
		ck_assert_int_eq(BIO_read(out, buf, (int)taken), taken);
		sent += (size_t)taken;
	}
	return sent;
}

/* Whether something came. */
static bool client_receive(void)
{
	char buf[65536];
	ssize_t n = recv(peer, buf, sizeof(buf), 0);

	if (n > 0)
		BIO_write(SSL_get_rbio(client), buf, (int)n);
	return n > 0;
}

static void pump(void)
{
	for (int i = 0; i < 4; i++) {
		client_send(SIZE_MAX);
		turns(2);
		client_receive();
	}
}

static void start(void)
{
	ck_assert_int_eq(stream_tls_accept(&e.s, context, on_done), 0);
	ck_assert(stream_is_tls(&e.s));
}

static int handshake(void)
{
	int r = -1;

	start();
	for (int i = 0; i < 10 && r != 1; i++) {
		r = SSL_do_handshake(client);
		pump();
	}
	return r;
}

static void client_write(const void *p, size_t n)
{
	ck_assert_int_eq(SSL_write(client, p, (int)n), (int)n);
}

static int write_text(const char *text)
{
	struct stream_piece piece = { text, strlen(text), NULL };

	return stream_write(&e.s, &piece, 1);
}

/* --- the handshake ------------------------------------------------------ */

START_TEST(after_the_handshake_bytes_go_both_ways)
{
	char buf[16];
	int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	SSL_set_max_proto_version(client, versions[_i]);
	ck_assert_int_eq(handshake(), 1);
	ck_assert_uint_eq(e.done, 1);
	ck_assert_int_eq(e.done_err, 0);
	client_write("hello", 5);
	pump();
	ck_assert_int_eq(memcmp(e.got, "hello", 5), 0);
	ck_assert_int_eq(write_text("world"), 0);
	client_receive();
	ck_assert_int_eq(SSL_read(client, buf, sizeof(buf)), 5);
	ck_assert_int_eq(memcmp(buf, "world", 5), 0);
	ck_assert_uint_eq(e.hangup, 0);
}
END_TEST

START_TEST(a_handshake_that_trickles_in_succeeds)
{
	start();
	for (int i = 0; i < 5000 && !e.done; i++) {
		SSL_do_handshake(client);
		client_send(1);
		turns(1);
		client_receive();
	}
	ck_assert_uint_eq(e.done, 1);
	ck_assert_int_eq(e.done_err, 0);
}
END_TEST

START_TEST(a_request_that_comes_along_with_the_last_handshake_message_is_readable)
{
	start();
	SSL_do_handshake(client);
	pump();
	ck_assert_int_eq(SSL_do_handshake(client), 1);
	client_write("early", 5);
	pump();
	ck_assert_uint_eq(e.done, 1);
	ck_assert_uint_eq(e.got_n, 5);
}
END_TEST

START_TEST(tls_1_1_is_refused)
{
	SSL_set_security_level(client, 0);
	SSL_set_min_proto_version(client, TLS1_VERSION);
	SSL_set_max_proto_version(client, TLS1_1_VERSION);
	ck_assert_int_ne(handshake(), 1);
	ck_assert_uint_le(e.done, 1);
	if (e.done)
		ck_assert_int_eq(e.done_err, -EPROTO);
}
END_TEST

START_TEST(http_1_1_is_chosen_among_the_protocols_offered)
{
	static const unsigned char offer[] = "\x02h2\x08http/1.1";
	const unsigned char *chosen;
	unsigned len;

	SSL_set_alpn_protos(client, offer, sizeof(offer) - 1);
	ck_assert_int_eq(handshake(), 1);
	SSL_get0_alpn_selected(client, &chosen, &len);
	ck_assert_uint_eq(len, 8);
	ck_assert_int_eq(memcmp(chosen, "http/1.1", 8), 0);
}
END_TEST

START_TEST(a_client_that_offers_only_other_protocols_is_refused_with_the_proper_alert)
{
	static const unsigned char offer[] = "\x02h2";

	SSL_set_alpn_protos(client, offer, sizeof(offer) - 1);
	ck_assert_int_ne(handshake(), 1);
	ck_assert_int_eq(e.done_err, -EPROTO);
	ck_assert_int_eq(
	    ERR_GET_REASON(ERR_peek_last_error()), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
}
END_TEST

START_TEST(a_broken_handshake_is_told_once_and_does_not_spin)
{
	start();
	if (_i == 0) {
		ck_assert_int_eq(send(peer, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	} else {
		SSL_do_handshake(client);
		client_send(20);
		turns(1);
		ck_assert_uint_eq(e.done, 0);
		close(peer);
		peer = -1;
	}
	turns(4);
	ck_assert_uint_eq(e.done, 1);
	ck_assert_int_lt(e.done_err, 0);
	ck_assert_uint_eq(e.hangup + e.readable, 0);
}
END_TEST

START_TEST(a_stream_may_be_closed_in_the_middle_of_its_handshake)
{
	start();
	SSL_do_handshake(client);
	client_send(SIZE_MAX);
	turns(1);
	stream_close(&e.s);
	turns(1);
	ck_assert_uint_eq(e.done, 0);
}
END_TEST

START_TEST(what_is_written_before_the_handshake_has_ended_follows_it)
{
	char buf[16];

	start();
	ck_assert_int_eq(write_text("early"), 0);
	ck_assert_uint_eq(stream_queued(&e.s), 5);
	for (int i = 0; i < 4; i++) {
		SSL_do_handshake(client);
		pump();
	}
	ck_assert_int_eq(SSL_read(client, buf, sizeof(buf)), 5);
	ck_assert_uint_eq(e.writable, 1);
}
END_TEST

/* --- reading ------------------------------------------------------------ */

static char pattern[256 * 1024];

static void fill_pattern(void)
{
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)(i * 2654435761u >> 13);
}

START_TEST(bytes_that_openssl_holds_are_read_without_the_kernel_and_then_there_is_rest)
{
	unsigned calls;

	fill_pattern();
	ck_assert_int_eq(handshake(), 1);
	e.read_size = 1000;
	client_write(pattern, 50000);
	client_send(SIZE_MAX);
	for (int i = 0; i < 100 && e.got_n < 50000; i++)
		turns(1);
	ck_assert_uint_eq(e.got_n, 50000);
	ck_assert_int_eq(memcmp(e.got, pattern, 50000), 0);
	turns(3);
	calls = e.readable;
	turns(10);
	ck_assert_uint_eq(e.readable, calls);
}
END_TEST

START_TEST(a_read_into_a_large_buffer_takes_all_records_that_are_here)
{
	ck_assert_int_eq(handshake(), 1);
	e.readable = 0;
	for (int i = 0; i < 100; i++)
		client_write("0123456789", 10);
	client_send(SIZE_MAX);
	turns(1);
	ck_assert_uint_eq(e.got_n, 1000);
	ck_assert_uint_eq(e.readable, 1);
}
END_TEST

START_TEST(half_a_record_does_not_spin)
{
	unsigned calls;

	ck_assert_int_eq(handshake(), 1);
	client_write("0123456789", 10);
	client_write("0123456789", 10);
	client_send(40);
	turns(2);
	ck_assert_uint_eq(e.got_n, 10);
	calls = e.readable;
	turns(10);
	ck_assert_uint_eq(e.readable, calls);
	client_send(SIZE_MAX);
	turns(1);
	ck_assert_uint_eq(e.got_n, 20);
}
END_TEST

START_TEST(bytes_that_were_not_wanted_for_a_while_are_not_forgotten)
{
	ck_assert_int_eq(handshake(), 1);
	e.read_size = 4;
	client_write("0123456789", 10);
	client_send(SIZE_MAX);
	turns(1);
	ck_assert_uint_eq(e.got_n, 4);
	stream_want(&e.s, STREAM_HANGUP);
	turns(4);
	ck_assert_uint_eq(e.got_n, 4);
	stream_want(&e.s, STREAM_READ);
	turns(4);
	ck_assert_uint_eq(e.got_n, 10);
	ck_assert_uint_eq(e.hangup, 0);
}
END_TEST

START_TEST(an_end_reads_as_zero_with_or_without_a_goodbye)
{
	ck_assert_int_eq(handshake(), 1);
	client_write("last words", 10);
	if (_i == 0)
		SSL_shutdown(client);
	client_send(SIZE_MAX);
	shutdown(peer, SHUT_WR);
	turns(4);
	ck_assert_uint_eq(e.got_n, 10);
	ck_assert_int_eq(e.last_read, 0);
	ck_assert_uint_eq(e.hangup, 0);
	ck_assert_int_eq(write_text("still here"), 0);
}
END_TEST

START_TEST(junk_behind_a_good_record_yields_the_record_then_the_error)
{
	static const char junk[64] = "this is no record at all";

	ck_assert_int_eq(handshake(), 1);
	client_write("good", 4);
	client_send(SIZE_MAX);
	ck_assert_int_eq(send(peer, junk, sizeof(junk), 0), sizeof(junk));
	turns(1);
	ck_assert_uint_eq(e.got_n, 4);
	turns(3);
	ck_assert_int_eq(e.last_read, -EPROTO);
	ck_assert_uint_eq(e.hangup, 1);
	ck_assert_int_eq(e.err, -EPROTO);
}
END_TEST

START_TEST(a_watcher_for_hangup_hears_of_the_end_without_reading)
{
	ck_assert_int_eq(handshake(), 1);
	stream_want(&e.s, STREAM_HANGUP);
	e.readable = 0;
	client_write("unread", 6);
	client_send(SIZE_MAX);
	turns(3);
	ck_assert_uint_eq(e.hangup, 0);
	shutdown(peer, SHUT_WR);
	turns(3);
	ck_assert_uint_eq(e.hangup, 1);
	ck_assert_int_eq(e.err, 0);
	ck_assert_uint_eq(e.readable, 0);
}
END_TEST

/* In a record of its own (1), or in one go with bytes that were read (0). */
START_TEST(a_watcher_for_hangup_hears_of_a_goodbye_although_the_tcp_stream_stays)
{
	ck_assert_int_eq(handshake(), 1);
	e.read_size = 5;
	client_write("12345", 5);
	if (_i == 0)
		SSL_shutdown(client);
	client_send(SIZE_MAX);
	turns(1);
	ck_assert_uint_eq(e.got_n, 5);
	ck_assert_int_eq(e.last_read, 5);
	stream_want(&e.s, STREAM_HANGUP);
	if (_i == 1)
		SSL_shutdown(client);
	client_send(SIZE_MAX);
	turns(3);
	ck_assert_uint_eq(e.hangup, 1);
	ck_assert_int_eq(e.err, 0);
}
END_TEST

START_TEST(bytes_come_upon_while_a_goodbye_was_awaited_are_read_later_and_do_not_spin)
{
	unsigned turned = 0;

	ck_assert_int_eq(handshake(), 1);
	stream_want(&e.s, STREAM_HANGUP);
	client_write("unread", 6);
	SSL_shutdown(client);
	client_send(SIZE_MAX);
	turns(4);
	ck_assert_uint_eq(e.hangup, 0);
	for (uint64_t began = clock_now(); clock_now() - began < 60; turned++)
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	ck_assert_uint_lt(turned, 10);
	stream_want(&e.s, STREAM_READ);
	turns(4);
	ck_assert_uint_eq(e.got_n, 6);
	ck_assert_mem_eq(e.got, "unread", 6);
	ck_assert_int_eq(e.last_read, 0);
}
END_TEST

static void update_keys(unsigned times, int type)
{
	while (times-- > 0) {
		ck_assert_int_eq(SSL_key_update(client, type), 1);
		ck_assert_int_eq(SSL_do_handshake(client), 1);
	}
}

START_TEST(a_flood_of_key_updates_without_data_ends_the_connection)
{
	ck_assert_int_eq(handshake(), 1);
	update_keys(3000, SSL_KEY_UPDATE_NOT_REQUESTED);
	client_write("after", 5);
	for (int i = 0; i < 4; i++) {
		client_send(SIZE_MAX);
		turns(1);
	}
	ck_assert_uint_eq(e.hangup, 1);
	ck_assert_int_eq(e.err, -EPROTO);
	ck_assert_uint_eq(e.got_n, 0);
}
END_TEST

START_TEST(key_updates_with_data_between_them_may_go_on_for_ever)
{
	char buf[16];

	ck_assert_int_eq(handshake(), 1);
	for (size_t i = 1; i <= 40; i++) {
		update_keys(20, SSL_KEY_UPDATE_NOT_REQUESTED);
		client_write("x", 1);
		client_send(SIZE_MAX);
		turns(2);
		ck_assert_uint_eq(e.got_n, i);
	}
	ck_assert_int_eq(write_text("ok"), 0);
	client_receive();
	ck_assert_int_eq(SSL_read(client, buf, sizeof(buf)), 2);
}
END_TEST

START_TEST(what_one_call_reads_is_bounded_and_the_rest_follows)
{
	fill_pattern();
	ck_assert_int_eq(handshake(), 1);
	e.read_size = sizeof(e.got);
	setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &(int){ 4 << 20 }, sizeof(int));
	client_write(pattern, sizeof(pattern));
	ck_assert_uint_gt(client_send(SIZE_MAX), 200000);
	e.readable = 0;
	turns(1);
	ck_assert_uint_eq(e.readable, 1);
	ck_assert_uint_lt(e.got_n, 150000);
	for (int i = 0; i < 10 && e.got_n < sizeof(pattern); i++) {
		turns(1);
		client_send(SIZE_MAX);
	}
	ck_assert_uint_eq(e.got_n, sizeof(pattern));
	ck_assert_int_eq(memcmp(e.got, pattern, sizeof(pattern)), 0);
}
END_TEST

/* Each asks for an answer, so that reading comes to wait for writing. */
START_TEST(key_updates_of_a_client_that_reads_no_answer_are_held_back_without_spinning)
{
	const int size = 1;
	unsigned calls;
	char buf[16];

	ck_assert_int_eq(handshake(), 1);
	setsockopt(e.s.watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (int i = 0; i < 10; i++) {
		update_keys(100, SSL_KEY_UPDATE_REQUESTED);
		client_write("data", 4);
	}
	client_send(SIZE_MAX);
	turns(100);
	ck_assert_uint_lt(e.got_n, 40);
	calls = e.readable;
	turns(100);
	ck_assert_uint_eq(e.readable, calls);
	for (int i = 0; i < 400 && e.got_n < 40; i++) {
		client_receive();
		turns(1);
	}
	ck_assert_uint_eq(e.got_n, 40);
	ck_assert_int_eq(write_text("ok"), 0);
	while (client_receive())
		;
	ck_assert_int_eq(SSL_read(client, buf, sizeof(buf)), 2);
}
END_TEST

START_TEST(data_right_behind_a_key_update_is_not_left_lying)
{
	ck_assert_int_eq(handshake(), 1);
	update_keys(1 + (unsigned)_i * 20, SSL_KEY_UPDATE_NOT_REQUESTED);
	client_write("after", 5);
	client_send(SIZE_MAX);
	turns(2 + _i);
	ck_assert_uint_eq(e.got_n, 5);
}
END_TEST

START_TEST(renegotiation_is_not_granted)
{
	SSL_set_max_proto_version(client, TLS1_2_VERSION);
	ck_assert_int_eq(handshake(), 1);
	ck_assert_int_eq(SSL_renegotiate(client), 1);
	SSL_do_handshake(client);
	pump();
	ck_assert_int_ne(SSL_do_handshake(client), 1);
	ck_assert_uint_le(e.readable, 3);
}
END_TEST

/* --- writing ------------------------------------------------------------ */

static uint32_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static size_t write_pieces(size_t at)
{
	static const uint32_t sizes[] = { 20, 300, 5000, 60000 };
	struct stream_piece pieces[100];
	struct shared *owner[100];
	unsigned n = rnd(6) ? 1 + rnd(4) : 70 + rnd(30);
	size_t total = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t len = rnd(sizes[n > 10 ? 1 : rnd(4)]);

		owner[i] = shared_new(len);
		for (size_t k = 0; k < len; k++)
			owner[i]->data[k] = pattern[(at + total + k) % sizeof(pattern)];
		pieces[i] = (struct stream_piece){ owner[i]->data, len, rnd(3) ? owner[i] : NULL };
		total += len;
	}
	ck_assert_int_eq(stream_write(&e.s, pieces, n), 0);
	for (unsigned i = 0; i < n; i++) {
		if (!pieces[i].owner)
			memset(owner[i]->data, 0xee, owner[i]->len);
		shared_unref(owner[i]);
	}
	return total;
}

static size_t client_compare(size_t at)
{
	static char buf[32768];
	size_t total = 0;
	int n;

	client_receive();
	while ((n = SSL_read(client, buf, sizeof(buf))) > 0) {
		for (int i = 0; i < n; i++)
			if (buf[i] != pattern[(at + total + (size_t)i) % sizeof(pattern)])
				ck_abort_msg("octet %zu differs", at + total + (size_t)i);
		total += (size_t)n;
	}
	ck_assert_int_eq(SSL_get_error(client, n), SSL_ERROR_WANT_READ);
	return total;
}

START_TEST(much_data_arrives_whole_and_in_order_through_short_writes)
{
	const int size = 1;
	size_t sent = 0, got = 0;

	fill_pattern();
	ck_assert_int_eq(handshake(), 1);
	setsockopt(e.s.watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while (got < 4u << 20) {
		if (stream_queued(&e.s) < 200000)
			sent += write_pieces(sent);
		if (rnd(2))
			got += client_compare(got);
		turns(1);
		ck_assert_uint_eq(e.hangup, 0);
	}
	while (got < sent) {
		got += client_compare(got);
		turns(1);
	}
	ck_assert_uint_eq(got, sent);
	ck_assert_uint_gt(e.writable, 0);
	ck_assert_ptr_null(e.s.queue);
}
END_TEST

START_TEST(shutdown_says_goodbye_behind_the_queue_and_reading_goes_on)
{
	const int size = 1;
	struct stream_piece piece = { pattern, 200000, NULL };
	size_t got = 0;

	fill_pattern();
	ck_assert_int_eq(handshake(), 1);
	setsockopt(e.s.watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ck_assert_int_eq(stream_write(&e.s, &piece, 1), 0);
	ck_assert_uint_gt(stream_queued(&e.s), 0);
	ck_assert_int_eq(stream_shutdown(&e.s), 0);
	for (int i = 0; i < 1000 && !(SSL_get_shutdown(client) & SSL_RECEIVED_SHUTDOWN); i++) {
		char buf[32768];
		int n;

		turns(1);
		client_receive();
		while ((n = SSL_read(client, buf, sizeof(buf))) > 0)
			got += (size_t)n;
	}
	ck_assert_uint_eq(got, 200000);
	ck_assert(SSL_get_shutdown(client) & SSL_RECEIVED_SHUTDOWN);
	turns(1);
	ck_assert(!client_receive()); /* the end of the wire */
	client_write("still", 5);
	pump();
	ck_assert_uint_eq(e.got_n, 5);
	ck_assert_int_eq(write_text("x"), -EPIPE);
}
END_TEST

START_TEST(close_says_goodbye_and_reset_does_not)
{
	char buf[8];

	ck_assert_int_eq(handshake(), 1);
	if (_i == 0)
		stream_close(&e.s);
	else
		stream_reset(&e.s);
	turns(1);
	while (client_receive())
		;
	ck_assert_int_le(SSL_read(client, buf, sizeof(buf)), 0);
	ck_assert_int_eq(!!(SSL_get_shutdown(client) & SSL_RECEIVED_SHUTDOWN), _i == 0);
}
END_TEST

START_TEST(a_write_to_a_peer_that_is_gone_raises_no_signal_and_ends_in_hangup)
{
	int err;

	ck_assert_int_eq(handshake(), 1);
	stream_want(&e.s, 0);
	close(peer);
	peer = -1;
	err = write_text("x");
	ck_assert_int_lt(err, 0);
	ck_assert_uint_eq(e.hangup, 0);
	turns(2);
	ck_assert_uint_eq(e.hangup, 1);
	ck_assert_int_eq(e.err, err);
}
END_TEST

/* --- moving, memory, files ---------------------------------------------- */

START_TEST(a_tls_stream_moves_with_what_openssl_holds)
{
	static struct stream to;
	char buf[16];

	ck_assert_int_eq(handshake(), 1);
	e.read_size = 4;
	client_write("0123456789", 10);
	client_send(SIZE_MAX);
	turns(1);
	ck_assert_uint_eq(e.got_n, 4);
	stream_move(&to, &e.s, NULL, &events);
	turns(2);
	stream_adopt(&to, loop);
	ck_assert(stream_is_tls(&to));
	ck_assert(!stream_is_tls(&e.s));
	stream_want(&to, STREAM_READ);
	turns(4);
	ck_assert_uint_eq(e.got_n, 10);
	ck_assert_int_eq(stream_write(&to, &(struct stream_piece){ "moved", 5, NULL }, 1), 0);
	client_receive();
	ck_assert_int_eq(SSL_read(client, buf, sizeof(buf)), 5);
	stream_close(&to);
}
END_TEST

/* What came before the end, whoever noticed that first. */
static void assert_rest(size_t n)
{
	size_t got = 0;
	ssize_t part;

	ck_assert_uint_eq(e.hangup, 1);
	while ((part = stream_read_rest(&e.s, e.got, sizeof(e.got))) > 0)
		got += (size_t)part;
	ck_assert_uint_eq(got, n);
	ck_assert_int_le(stream_read_rest(&e.s, e.got, sizeof(e.got)), 0);
}

START_TEST(what_came_before_a_write_failed_can_still_be_read)
{
	static const char words[50000];
	int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	SSL_set_max_proto_version(client, versions[_i]);
	ck_assert_int_eq(handshake(), 1);
	client_write(words, sizeof(words));
	client_send(SIZE_MAX);
	close(peer);
	peer = -1;
	ck_assert_int_eq(write_text("nobody hears this"), -EPIPE);
	ck_assert_int_eq(write_text("nor this"), -EPIPE);
	turns(2);
	ck_assert_uint_eq(e.readable, 0);
	assert_rest(sizeof(words));
}
END_TEST

START_TEST(what_came_while_nothing_was_wanted_can_still_be_read)
{
	static const char words[50000];

	ck_assert_int_eq(handshake(), 1);
	ck_assert_int_eq(stream_want(&e.s, 0), 0);
	client_write(words, sizeof(words));
	client_send(SIZE_MAX);
	close(peer);
	peer = -1;
	turns(2);
	assert_rest(sizeof(words));
}
END_TEST

START_TEST(a_wire_whose_reading_failed_has_no_rest)
{
	ck_assert_int_eq(handshake(), 1);
	ck_assert_int_eq(send(peer, "this is no record", 17, MSG_NOSIGNAL), 17);
	client_write("lost", 4);
	client_send(SIZE_MAX);
	turns(3);
	ck_assert_int_eq(e.last_read, -EPROTO);
	ck_assert_int_eq(e.hangup, 1);
	ck_assert_int_eq(stream_read_rest(&e.s, e.got, sizeof(e.got)), -EPROTO);
}
END_TEST

START_TEST(the_context_may_go_before_its_connections)
{
	ck_assert_int_eq(handshake(), 1);
	tls_context_free(context);
	context = NULL;
	client_write("hello", 5);
	pump();
	ck_assert_uint_eq(e.got_n, 5);
}
END_TEST

START_TEST(no_memory_no_context_and_no_handshake)
{
	char why[100] = "";

	mem_fail_at(1);
	ck_assert_ptr_null(tls_context_new(cert_path, key_path, why, sizeof(why)));
	ck_assert(mem_failed());
	ck_assert_str_ne(why, "");
	mem_fail_at(1);
	ck_assert_int_eq(stream_tls_accept(&e.s, context, on_done), -ENOMEM);
	mem_fail_at(0);
	ck_assert(!stream_is_tls(&e.s));
	ck_assert_int_eq(handshake(), 1);
}
END_TEST

static void refused(const char *cert, const char *key, const char *names, const char *reason)
{
	char why[300] = "";

	ck_assert_ptr_null(tls_context_new(cert, key, why, sizeof(why)));
	ck_assert_msg(strstr(why, names) != NULL, "%s", why);
	ck_assert_msg(strstr(why, reason) != NULL, "%s", why);
}

START_TEST(a_file_that_cannot_be_used_is_named_with_the_reason)
{
	refused("/nonexistent/cert.pem", key_path, "/nonexistent/cert.pem", "No such file");
	refused(cert_path, "/nonexistent/key.pem", "/nonexistent/key.pem", "No such file");
	refused(junk_path, key_path, junk_path, "no certificate in PEM");
	refused(cert_path, junk_path, junk_path, "no private key in PEM");
	refused(cert_path, other_key_path, other_key_path, "not go with the certificate");
	refused(key_path, key_path, key_path, "no certificate in PEM");
}
END_TEST

static void add_reading_and_writing(TCase *tc)
{
	tcase_add_test(
	    tc, bytes_that_openssl_holds_are_read_without_the_kernel_and_then_there_is_rest);
	tcase_add_test(tc, a_read_into_a_large_buffer_takes_all_records_that_are_here);
	tcase_add_test(tc, half_a_record_does_not_spin);
	tcase_add_test(tc, bytes_that_were_not_wanted_for_a_while_are_not_forgotten);
	tcase_add_loop_test(tc, an_end_reads_as_zero_with_or_without_a_goodbye, 0, 2);
	tcase_add_test(tc, junk_behind_a_good_record_yields_the_record_then_the_error);
	tcase_add_test(tc, a_watcher_for_hangup_hears_of_the_end_without_reading);
	tcase_add_loop_test(
	    tc, a_watcher_for_hangup_hears_of_a_goodbye_although_the_tcp_stream_stays, 0, 2);
	tcase_add_test(
	    tc, bytes_come_upon_while_a_goodbye_was_awaited_are_read_later_and_do_not_spin);
	tcase_add_test(tc, a_flood_of_key_updates_without_data_ends_the_connection);
	tcase_add_test(tc, key_updates_with_data_between_them_may_go_on_for_ever);
	tcase_add_test(tc, what_one_call_reads_is_bounded_and_the_rest_follows);
	tcase_add_test(
	    tc, key_updates_of_a_client_that_reads_no_answer_are_held_back_without_spinning);
	tcase_add_loop_test(tc, data_right_behind_a_key_update_is_not_left_lying, 0, 2);
	tcase_add_test(tc, renegotiation_is_not_granted);
	tcase_add_test(tc, much_data_arrives_whole_and_in_order_through_short_writes);
	tcase_add_test(tc, shutdown_says_goodbye_behind_the_queue_and_reading_goes_on);
	tcase_add_loop_test(tc, close_says_goodbye_and_reset_does_not, 0, 2);
	tcase_add_test(tc, a_write_to_a_peer_that_is_gone_raises_no_signal_and_ends_in_hangup);
}

int main(void)
{
	Suite *suite = suite_create("stream_tls");
	TCase *tc = tcase_create("stream_tls");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, after_the_handshake_bytes_go_both_ways, 0, 2);
	tcase_add_test(tc, a_handshake_that_trickles_in_succeeds);
	tcase_add_test(tc, a_request_that_comes_along_with_the_last_handshake_message_is_readable);
	tcase_add_test(tc, tls_1_1_is_refused);
	tcase_add_test(tc, http_1_1_is_chosen_among_the_protocols_offered);
	tcase_add_test(
	    tc, a_client_that_offers_only_other_protocols_is_refused_with_the_proper_alert);
	tcase_add_loop_test(tc, a_broken_handshake_is_told_once_and_does_not_spin, 0, 2);
	tcase_add_test(tc, a_stream_may_be_closed_in_the_middle_of_its_handshake);
	tcase_add_test(tc, what_is_written_before_the_handshake_has_ended_follows_it);
	add_reading_and_writing(tc);
	tcase_add_test(tc, a_tls_stream_moves_with_what_openssl_holds);
	tcase_add_loop_test(tc, what_came_before_a_write_failed_can_still_be_read, 0, 2);
	tcase_add_test(tc, what_came_while_nothing_was_wanted_can_still_be_read);
	tcase_add_test(tc, a_wire_whose_reading_failed_has_no_rest);
	tcase_add_test(tc, the_context_may_go_before_its_connections);
	tcase_add_test(tc, no_memory_no_context_and_no_handshake);
	tcase_add_test(tc, a_file_that_cannot_be_used_is_named_with_the_reason);
	suite_add_tcase(suite, tc);
	if (!write_files())
		return EXIT_FAILURE;
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_files();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
