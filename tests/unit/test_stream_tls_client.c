/*
 * tests/unit/test_stream_tls_client.c - the stream as a client under TLS, against
 * an OpenSSL server whose bytes the test hands over as it likes (two memory
 * BIOs), and against our own server side over TCP.
 *
 * A certificate authority, and what it has signed and should not have, is made
 * when the test begins.
 */
#include <check.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/dialer.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"

/* --- certificates ------------------------------------------------------- */

enum { CA, GOOD, EXPIRED, EARLY, NO_SAN, SELF_SIGNED, STRANGER, CLIENT, CERTS };

#define NAMES "DNS:a.example,DNS:*.wild.example,IP:127.0.0.1,IP:::1"

static const struct {
	const char *name, *san;
	int issuer;
	long from, until; /* seconds from now */
} plan[CERTS] = {
	[CA] = { "ca", NULL, CA, -3600, 3600 },
	[GOOD] = { "good", NAMES, CA, -3600, 3600 },
	[EXPIRED] = { "expired", NAMES, CA, -3600, -60 },
	[EARLY] = { "early", NAMES, CA, 60, 3600 },
	[NO_SAN] = { "a.example", NULL, CA, -3600, 3600 },
	[SELF_SIGNED] = { "self", NAMES, SELF_SIGNED, -3600, 3600 },
	[STRANGER] = { "stranger", NAMES, SELF_SIGNED, -3600, 3600 },
	[CLIENT] = { "client", NULL, CA, -3600, 3600 },
};

static char dir[] = "/tmp/test_stream_tls_client.XXXXXX";
static char cert_path[CERTS][80], key_path[CERTS][80];
static X509 *certs[CERTS];
static EVP_PKEY *keys[CERTS];

static void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *new_certificate(int i)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	bool is_ca = plan[i].issuer == i;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), i + 1);
	X509_gmtime_adj(X509_getm_notBefore(x), plan[i].from);
	X509_gmtime_adj(X509_getm_notAfter(x), plan[i].until);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const void *)plan[i].name, -1, -1, 0);
	X509_set_issuer_name(x, is_ca ? name : X509_get_subject_name(certs[plan[i].issuer]));
	X509_set_pubkey(x, keys[i]);
	add_extension(x, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (plan[i].san)
		add_extension(x, NID_subject_alt_name, plan[i].san);
	X509_sign(x, keys[plan[i].issuer], EVP_sha256());
	return x;
}

static void write_certificates(void)
{
	for (int i = 0; i < CERTS; i++) {
		FILE *f;

		snprintf(cert_path[i], sizeof(cert_path[i]), "%s/%s.pem", dir, plan[i].name);
		snprintf(key_path[i], sizeof(key_path[i]), "%s/%s.key", dir, plan[i].name);
		keys[i] = EVP_EC_gen("P-256");
		certs[i] = new_certificate(i);
		f = fopen(key_path[i], "w");
		PEM_write_PrivateKey(f, keys[i], NULL, NULL, 0, NULL, NULL);
		fclose(f);
		f = fopen(cert_path[i], "w");
		PEM_write_X509(f, certs[i]);
		fclose(f);
	}
}

static void remove_certificates(void)
{
	for (int i = 0; i < CERTS; i++) {
		unlink(cert_path[i]);
		unlink(key_path[i]);
		EVP_PKEY_free(keys[i]);
		X509_free(certs[i]);
	}
	rmdir(dir);
}

/* --- both ends ---------------------------------------------------------- */

static struct loop *loop;
static struct tls_context *context;
static int peer = -1;
static SSL_CTX *server_ctx;
static SSL *server;

static struct {
	struct stream s;
	unsigned done, hangup;
	int done_err, err;
	char got[256];
	size_t got_n;
	char why[100]; /* as told when it failed */
	bool starting;
} e;

static void note_why(struct stream *s)
{
	snprintf(e.why, sizeof(e.why), "%s", stream_tls_why(s));
}

static void on_readable(struct stream *s)
{
	ssize_t n = stream_read(s, e.got + e.got_n, sizeof(e.got) - e.got_n);

	ck_assert_uint_eq(e.done, 1);
	if (n > 0)
		e.got_n += (size_t)n;
}

static void on_writable(struct stream *s)
{
	(void)s;
}

static void on_hangup(struct stream *s, int err)
{
	e.hangup++;
	e.err = err;
	note_why(s);
}

static const struct stream_events events = { on_readable, on_writable, on_hangup, NULL };

static void on_done(struct stream *s, int err)
{
	ck_assert(!e.starting);
	e.done++;
	e.done_err = err;
	note_why(s);
	if (err == 0)
		ck_assert_int_eq(stream_want(s, STREAM_READ), 0);
	else
		stream_close(s);
}

static struct tls_context *new_context(const struct tls_client_options *options)
{
	char why[200] = "";
	struct tls_context *ctx = tls_client_context_new(options, why, sizeof(why));

	ck_assert_msg(ctx != NULL, "%s", why);
	return ctx;
}

static int choose_http11(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *offered, unsigned n, void *arg)
{
	(void)ssl, (void)arg;
	ck_assert_uint_eq(n, 9);
	ck_assert_int_eq(memcmp(offered, "\x08http/1.1", 9), 0);
	*out = offered + 1;
	*out_len = 8;
	return SSL_TLSEXT_ERR_OK;
}

static void new_server(int cert)
{
	server_ctx = SSL_CTX_new(TLS_server_method());
	ck_assert_int_eq(SSL_CTX_use_certificate(server_ctx, certs[cert]), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(server_ctx, keys[cert]), 1);
	SSL_CTX_set_session_id_context(server_ctx, (const void *)"test", 4);
	SSL_CTX_set_alpn_select_cb(server_ctx, choose_http11, NULL);
}

/* A connection between a new stream and a new server side. */
static void connect_both(void)
{
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	memset(&e, 0, sizeof(e));
	stream_init(&e.s, loop, fd[0], &events);
	peer = fd[1];
	server = SSL_new(server_ctx);
	SSL_set_bio(server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(server);
}

static void close_peer(void)
{
	if (peer >= 0)
		close(peer);
	peer = -1;
}

static void turns(int n)
{
	while (n-- > 0)
		ck_assert_int_eq(loop_turn(loop, 0), 0);
}

static void disconnect(void)
{
	stream_close(&e.s);
	turns(1);
	SSL_free(server);
	server = NULL;
	close_peer();
}

static void setup(void)
{
	ck_assert_int_eq(loop_new(&loop), 0);
	context = new_context(&(struct tls_client_options){ .ca_file = cert_path[CA] });
	new_server(GOOD);
	connect_both();
}

static void teardown(void)
{
	disconnect();
	SSL_CTX_free(server_ctx);
	tls_context_free(context);
	loop_free(loop);
}

/* Another server and another connection. */
static void serve_with(int cert)
{
	disconnect();
	SSL_CTX_free(server_ctx);
	new_server(cert);
	connect_both();
}

static void trust(const struct tls_client_options *options)
{
	tls_context_free(context);
	context = new_context(options);
}

/* Sends up to n of the bytes that the server has ready; returns how many. */
static size_t server_send(size_t n)
{
	BIO *out = SSL_get_wbio(server);
	size_t sent = 0;
	char buf[4096];

	while (sent < n) {
		int part = n - sent > sizeof(buf) ? (int)sizeof(buf) : (int)(n - sent);

		part = BIO_read(out, buf, part);
		if (part <= 0 || send(peer, buf, (size_t)part, MSG_NOSIGNAL) < part)
			break;
		sent += (size_t)part;
	}
	return sent;
}

static void server_receive(void)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(peer, buf, sizeof(buf), 0)) > 0)
		BIO_write(SSL_get_rbio(server), buf, (int)n);
}

static void pump(void)
{
	for (int i = 0; i < 4; i++) {
		turns(2);
		server_receive();
		SSL_do_handshake(server);
		server_send(SIZE_MAX);
		turns(2);
	}
}

static int start(const char *host)
{
	int err;

	e.starting = true;
	err = stream_tls_connect(&e.s, context, host, on_done);
	e.starting = false;
	return err;
}

/* The whole handshake; what `done` was told. */
static int handshake(const char *host)
{
	ck_assert_int_eq(start(host), 0);
	ck_assert(stream_is_tls(&e.s));
	pump();
	ck_assert_uint_eq(e.done, 1);
	ck_assert_int_eq(e.done_err == 0, strcmp(e.why, "") == 0);
	return e.done_err;
}

static void write_text(const char *text)
{
	ck_assert_int_eq(
	    stream_write(&e.s, &(struct stream_piece){ text, strlen(text), NULL }, 1), 0);
}

static void talk(void)
{
	char buf[16];

	write_text("hello");
	server_receive();
	ck_assert_int_eq(SSL_read(server, buf, sizeof(buf)), 5);
	ck_assert_int_eq(memcmp(buf, "hello", 5), 0);
	ck_assert_int_eq(SSL_write(server, "world", 5), 5);
	server_send(SIZE_MAX);
	turns(3);
	ck_assert_uint_eq(e.got_n, 5);
	ck_assert_int_eq(memcmp(e.got, "world", 5), 0);
	ck_assert_uint_eq(e.hangup, 0);
}

static void reconnect(const char *host)
{
	disconnect();
	connect_both();
	ck_assert_int_eq(handshake(host), 0);
}

static void assert_says(const char *part)
{
	ck_assert_msg(strstr(e.why, part) != NULL, "\"%s\" has no \"%s\"", e.why, part);
}

/* --- whom the certificate is for ------------------------------------------ */

START_TEST(after_the_handshake_bytes_go_both_ways)
{
	int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
	const unsigned char *protocol;
	unsigned n;

	SSL_set_max_proto_version(server, versions[_i]);
	ck_assert_int_eq(handshake("a.example"), 0);
	ck_assert_str_eq(SSL_get_servername(server, TLSEXT_NAMETYPE_host_name), "a.example");
	SSL_get0_alpn_selected(server, &protocol, &n);
	ck_assert_uint_eq(n, 8);
	talk();
}
END_TEST

START_TEST(the_name_must_be_that_of_the_certificate)
{
	static const struct {
		const char *host, *sni; /* the latter NULL: refused */
	} names[] = {
		{ "A.EXAMPLE", "A.EXAMPLE" },
		{ "a.example.", "a.example" },
		{ "x.wild.example", "x.wild.example" },
		{ "b.example", NULL },
		{ "x.a.example", NULL },
		{ "wild.example", NULL },
		{ "x.y.wild.example", NULL },
		{ "example", NULL },
	};
	int err = handshake(names[_i].host);

	if (names[_i].sni) {
		ck_assert_int_eq(err, 0);
		ck_assert_str_eq(
		    SSL_get_servername(server, TLSEXT_NAMETYPE_host_name), names[_i].sni);
	} else {
		ck_assert_int_eq(err, -EKEYREJECTED);
		assert_says("mismatch");
	}
}
END_TEST

START_TEST(an_ip_address_must_be_that_of_the_certificate_and_is_not_sent)
{
	static const char *const hosts[] = { "127.0.0.1", "::1", "[::1]", "::ffff:127.0.0.1",
		"127.0.0.2", "::2" };
	int err = handshake(hosts[_i]);

	ck_assert_ptr_null(SSL_get_servername(server, TLSEXT_NAMETYPE_host_name));
	ck_assert_int_eq(err, _i < 4 ? 0 : -EKEYREJECTED);
	if (err)
		assert_says("IP address mismatch");
}
END_TEST

START_TEST(a_certificate_that_is_not_good_is_refused_with_the_reason)
{
	static const struct {
		int cert;
		const char *why;
	} bad[] = {
		{ EXPIRED, "expired" },
		{ EARLY, "not yet valid" },
		{ NO_SAN, "mismatch" },
		{ SELF_SIGNED, "self-signed" },
		{ STRANGER, "issuer" },
	};

	serve_with(bad[_i].cert);
	ck_assert_int_eq(handshake("a.example"), -EKEYREJECTED);
	assert_says(bad[_i].why);
	ck_assert_int_ne(SSL_is_init_finished(server), 1);
}
END_TEST

START_TEST(the_system_does_not_trust_us)
{
	trust(&(struct tls_client_options){ 0 });
	ck_assert_int_eq(handshake("a.example"), -EKEYREJECTED);
	assert_says("issuer");
}
END_TEST

START_TEST(insecure_takes_anything)
{
	serve_with(SELF_SIGNED);
	trust(&(struct tls_client_options){ .insecure = true });
	ck_assert_int_eq(handshake("b.example"), 0);
	talk();
}
END_TEST

START_TEST(what_can_be_no_host_is_refused_and_the_stream_stays_plain)
{
	char host[400];

	memset(host, 'a', sizeof(host));
	host[sizeof(host) - 1] = '\0';
	ck_assert_int_eq(start(""), -EINVAL);
	ck_assert_int_eq(start("."), -EINVAL);
	ck_assert_int_eq(start(host), -EINVAL);
	ck_assert(!stream_is_tls(&e.s));
	ck_assert_str_eq(stream_tls_why(&e.s), "");
	ck_assert_int_eq(handshake("a.example"), 0);
}
END_TEST

/* --- our own certificate ---------------------------------------------------- */

static void ask_for_certificate(int version)
{
	disconnect();
	SSL_CTX_set_verify(server_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_load_verify_file(server_ctx, cert_path[CA]);
	connect_both();
	SSL_set_max_proto_version(server, version);
}

START_TEST(a_server_that_asks_gets_our_certificate)
{
	X509 *x;

	ask_for_certificate(_i ? TLS1_2_VERSION : TLS1_3_VERSION);
	trust(&(struct tls_client_options){
	    .ca_file = cert_path[CA], .certificate = cert_path[CLIENT], .key = key_path[CLIENT] });
	ck_assert_int_eq(handshake("a.example"), 0);
	talk();
	x = SSL_get0_peer_certificate(server);
	ck_assert_ptr_nonnull(x);
	ck_assert_int_eq(X509_cmp(x, certs[CLIENT]), 0);
}
END_TEST

START_TEST(without_one_tls_1_2_fails_the_handshake_and_tls_1_3_hangs_up_after_it)
{
	ask_for_certificate(_i ? TLS1_2_VERSION : TLS1_3_VERSION);
	if (_i) {
		ck_assert_int_eq(handshake("a.example"), -EPROTO);
	} else {
		ck_assert_int_eq(start("a.example"), 0);
		pump();
		ck_assert_uint_eq(e.done, 1);
		ck_assert_int_eq(e.done_err, 0);
		ck_assert_uint_eq(e.hangup, 1);
		ck_assert_int_eq(e.err, -EPROTO);
		assert_says("certificate required");
	}
	assert_says("alert");
}
END_TEST

/* --- servers that misbehave ------------------------------------------------- */

START_TEST(a_handshake_that_trickles_in_succeeds)
{
	ck_assert_int_eq(start("a.example"), 0);
	for (int i = 0; i < 5000 && !e.done; i++) {
		turns(1);
		server_receive();
		SSL_do_handshake(server);
		server_send(1);
	}
	ck_assert_uint_eq(e.done, 1);
	ck_assert_int_eq(e.done_err, 0);
}
END_TEST

START_TEST(a_server_that_leaves_in_the_handshake_is_told_once)
{
	static const size_t after[] = { 0, 1, 100, 500 };

	ck_assert_int_eq(start("a.example"), 0);
	if (_i < 5) {
		turns(2);
		server_receive();
		SSL_do_handshake(server);
	}
	server_send(after[_i % 4]);
	close_peer();
	turns(5);
	ck_assert_uint_eq(e.done, 1);
	ck_assert_msg(e.done_err == -ECONNRESET || e.done_err == -EPIPE, "%d", e.done_err);
	assert_says("left");
	ck_assert_uint_eq(e.hangup, 0);
}
END_TEST

START_TEST(rubbish_in_place_of_a_handshake_is_refused)
{
	static const char *const rubbish[] = { "HTTP/1.1 400 Bad Request\r\n\r\n",
		"\x16\x03\x03\xff\xff", "\x16\x03\x03\x01\x01\x02\x01\x01\x01",
		"\x15\x03\x03\x00\x02\x02\x28" };
	static const size_t n[] = { 28, 5, 300, 7 };
	char record[300] = "";

	ck_assert_int_eq(start("a.example"), 0);
	turns(2);
	memcpy(record, rubbish[_i], n[_i] < 300 ? n[_i] : 9);
	ck_assert_int_eq(send(peer, record, n[_i], 0), (ssize_t)n[_i]);
	turns(5);
	ck_assert_uint_eq(e.done, 1);
	ck_assert_int_eq(e.done_err, -EPROTO);
	if (_i == 0)
		assert_says("does not speak TLS");
	ck_assert_str_ne(e.why, "");
}
END_TEST

START_TEST(an_old_server_is_refused)
{
	SSL_set_security_level(server, 0);
	SSL_set_min_proto_version(server, TLS1_VERSION);
	SSL_set_max_proto_version(server, TLS1_1_VERSION);
	ck_assert_int_eq(handshake("a.example"), -EPROTO);
}
END_TEST

START_TEST(a_flood_of_tickets_ends_the_connection)
{
	ck_assert_int_eq(handshake("a.example"), 0);
	for (int i = 0; i < 300; i++) {
		SSL_new_session_ticket(server);
		SSL_do_handshake(server);
		server_send(SIZE_MAX);
	}
	turns(300);
	ck_assert_uint_eq(e.hangup, 1);
	ck_assert_int_eq(e.err, -EPROTO);
}
END_TEST

START_TEST(a_silent_server_does_not_spin)
{
	unsigned before;

	ck_assert_int_eq(start("a.example"), 0);
	turns(5);
	before = e.s.watch.events;
	turns(5);
	ck_assert_uint_eq(before, EPOLLIN);
	ck_assert_uint_eq(e.done, 0);
}
END_TEST

START_TEST(a_stream_may_be_closed_at_each_step_of_its_handshake)
{
	ck_assert_int_eq(start("a.example"), 0);
	for (int i = 0; i < _i; i++) {
		turns(1);
		server_receive();
		SSL_do_handshake(server);
		server_send(300);
	}
	ck_assert_uint_eq(e.done, 0);
	stream_close(&e.s);
	turns(3);
	ck_assert_uint_eq(e.done, 0);
	ck_assert(!stream_is_tls(&e.s));
	disconnect();
	connect_both();
	ck_assert_int_eq(handshake("a.example"), 0);
}
END_TEST

START_TEST(what_is_written_before_the_handshake_has_ended_follows_it)
{
	char buf[16];

	ck_assert_int_eq(start("a.example"), 0);
	write_text("early");
	pump();
	ck_assert_uint_eq(e.done, 1);
	ck_assert_int_eq(SSL_read(server, buf, sizeof(buf)), 5);
	ck_assert_uint_eq(stream_queued(&e.s), 0);
}
END_TEST

START_TEST(a_stream_may_move_before_its_handshake_has_begun)
{
	struct stream first;

	ck_assert_int_eq(start("a.example"), 0);
	stream_move(&first, &e.s, NULL, &events);
	stream_move(&e.s, &first, loop, &events);
	pump();
	ck_assert_uint_eq(e.done, 1);
	ck_assert_int_eq(e.done_err, 0);
	talk();
}
END_TEST

/* --- sessions ----------------------------------------------------------------- */

START_TEST(the_second_connection_resumes_the_session_of_the_first)
{
	SSL_CTX_set_max_proto_version(server_ctx, _i ? TLS1_2_VERSION : TLS1_3_VERSION);
	reconnect("a.example");
	ck_assert(!SSL_session_reused(server));
	talk(); /* the tickets of TLS 1.3 are read along */
	for (int i = 0; i < 3; i++) {
		reconnect("A.example");
		ck_assert(SSL_session_reused(server));
		talk();
	}
}
END_TEST

START_TEST(another_host_or_context_does_not_resume)
{
	struct tls_context *other;

	ck_assert_int_eq(handshake("a.example"), 0);
	talk();
	reconnect("x.wild.example");
	ck_assert(!SSL_session_reused(server));
	talk();
	other = context;
	context = new_context(&(struct tls_client_options){ .ca_file = cert_path[CA] });
	reconnect("a.example");
	ck_assert(!SSL_session_reused(server));
	tls_context_free(context);
	context = other;
	reconnect("a.example");
	ck_assert(SSL_session_reused(server));
}
END_TEST

START_TEST(a_broken_connection_does_not_spoil_the_session_and_a_failed_handshake_drops_it)
{
	ck_assert_int_eq(handshake("a.example"), 0);
	talk();
	stream_reset(&e.s);
	SSL_CTX_set_num_tickets(server_ctx, 0); /* from now on there is only that of before */
	for (int i = 0; i < 2; i++) {
		reconnect("a.example");
		ck_assert(SSL_session_reused(server));
		stream_reset(&e.s);
	}
	disconnect();
	connect_both();
	ck_assert_int_eq(start("a.example"), 0);
	turns(2);
	close_peer();
	turns(3);
	ck_assert_int_lt(e.done_err, 0);
	reconnect("a.example");
	ck_assert(!SSL_session_reused(server));
}
END_TEST

START_TEST(a_server_that_has_forgotten_the_session_is_verified_anew)
{
	ck_assert_int_eq(handshake("a.example"), 0);
	talk();
	serve_with(EXPIRED);
	ck_assert_int_eq(handshake("a.example"), -EKEYREJECTED);
	assert_says("expired");
}
END_TEST

START_TEST(the_context_may_go_before_the_tickets_come)
{
	ck_assert_int_eq(start("a.example"), 0);
	tls_context_free(context);
	context = NULL;
	pump();
	ck_assert_int_eq(e.done_err, 0);
	talk();
}
END_TEST

/* --- files, memory ---------------------------------------------------------- */

static void refused(struct tls_client_options options, const char *names, const char *reason)
{
	char why[300] = "";

	ck_assert_ptr_null(tls_client_context_new(&options, why, sizeof(why)));
	ck_assert_msg(strstr(why, names) != NULL, "%s", why);
	ck_assert_msg(strstr(why, reason) != NULL, "%s", why);
}

START_TEST(a_file_that_cannot_be_used_is_named_with_the_reason)
{
	struct tls_client_options options = { .ca_file = "/nonexistent/ca.pem" };

	refused(options, "/nonexistent/ca.pem", "No such file");
	options.ca_file = key_path[CA];
	refused(options, key_path[CA], "");
	options = (struct tls_client_options){ .certificate = cert_path[CLIENT] };
	refused(options, "go together", "");
	options.key = key_path[GOOD];
	refused(options, key_path[GOOD], "not go with the certificate");
	options = (struct tls_client_options){ .key = key_path[GOOD] };
	refused(options, "go together", "");
}
END_TEST

START_TEST(each_allocation_may_fail_once)
{
	const struct tls_client_options options = { .ca_file = cert_path[CA] };
	char why[100] = "";
	int err = -ENOMEM;

	mem_fail_at(1);
	ck_assert_ptr_null(tls_client_context_new(&options, why, sizeof(why)));
	ck_assert(mem_failed());
	ck_assert_str_ne(why, "");
	for (unsigned long n = 1; err < 0; n++) {
		ck_assert_uint_lt(n, 10);
		mem_fail_at(n);
		err = start("a.example");
		ck_assert(err == 0 || err == -ENOMEM);
		ck_assert_int_eq(err == 0, stream_is_tls(&e.s));
	}
	mem_fail_at(0);
	pump();
	ck_assert_int_eq(e.done_err, 0);
	talk();
}
END_TEST

/* --- over TCP, against our own server side ------------------------------------ */

static struct stream accepted;
static struct tls_context *own_context;
static struct dial dial;

static void on_accepted_readable(struct stream *s)
{
	char buf[16];
	ssize_t n = stream_read(s, buf, sizeof(buf));

	if (n > 0)
		stream_write(s, &(struct stream_piece){ buf, (size_t)n, NULL }, 1);
}

static const struct stream_events accepted_events = { on_accepted_readable, on_writable,
	on_hangup, NULL };

static void on_accepted_done(struct stream *s, int err)
{
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(stream_want(s, STREAM_READ), 0);
}

static void on_accept(struct listener *l, int fd, const struct addr *from, void *arg)
{
	(void)l, (void)from, (void)arg;
	stream_init(&accepted, loop, fd, &accepted_events);
	ck_assert_int_eq(stream_tls_accept(&accepted, own_context, on_accepted_done), 0);
}

static void on_dialed(struct dial *d, struct stream *s, int err)
{
	(void)d;
	ck_assert_int_eq(err, 0);
	stream_move(&e.s, s, loop, &events);
	ck_assert_int_eq(start("127.0.0.1"), 0);
}

START_TEST(dialer_and_both_sides_of_tls_go_together)
{
	struct listen_addr at;
	struct listen_socket ls;
	struct listener *l;
	struct addr to;
	char why[200];
	const char *error;

	own_context = tls_context_new(cert_path[GOOD], key_path[GOOD], why, sizeof(why));
	ck_assert_int_eq(listen_addr_parse("127.0.0.1:0", &at, &error), 0);
	ck_assert_int_eq(listen_socket_open(&ls, &at, 0, why, sizeof(why)), 0);
	ck_assert_int_eq(listener_new(&l, loop, &ls, on_accept, NULL), 0);
	to = addr_from_sockaddr((const void *)&ls.addr.sa);
	disconnect();
	memset(&e, 0, sizeof(e));
	dial_start(&dial, loop, &to, 1000, on_dialed);
	for (int i = 0; i < 100 && !e.done; i++)
		ck_assert_int_eq(loop_turn(loop, 10), 0);
	ck_assert_uint_eq(e.done, 1);
	ck_assert_msg(e.done_err == 0, "%s", e.why);
	write_text("hello");
	for (int i = 0; i < 100 && e.got_n < 5; i++)
		ck_assert_int_eq(loop_turn(loop, 10), 0);
	ck_assert_int_eq(memcmp(e.got, "hello", 5), 0);
	stream_close(&accepted);
	listener_free(l);
	turns(1);
	listen_socket_close(&ls, false);
	tls_context_free(own_context);
}
END_TEST

static void add_misbehaviour(TCase *tc)
{
	tcase_add_test(tc, a_handshake_that_trickles_in_succeeds);
	tcase_add_loop_test(tc, a_server_that_leaves_in_the_handshake_is_told_once, 0, 6);
	tcase_add_loop_test(tc, rubbish_in_place_of_a_handshake_is_refused, 0, 4);
	tcase_add_test(tc, an_old_server_is_refused);
	tcase_add_test(tc, a_flood_of_tickets_ends_the_connection);
	tcase_add_test(tc, a_silent_server_does_not_spin);
	tcase_add_loop_test(tc, a_stream_may_be_closed_at_each_step_of_its_handshake, 0, 4);
	tcase_add_test(tc, what_is_written_before_the_handshake_has_ended_follows_it);
	tcase_add_test(tc, a_stream_may_move_before_its_handshake_has_begun);
}

static void add_sessions(TCase *tc)
{
	tcase_add_loop_test(tc, the_second_connection_resumes_the_session_of_the_first, 0, 2);
	tcase_add_test(tc, another_host_or_context_does_not_resume);
	tcase_add_test(
	    tc, a_broken_connection_does_not_spoil_the_session_and_a_failed_handshake_drops_it);
	tcase_add_test(tc, a_server_that_has_forgotten_the_session_is_verified_anew);
	tcase_add_test(tc, the_context_may_go_before_the_tickets_come);
}

int main(void)
{
	Suite *suite = suite_create("stream_tls_client");
	TCase *tc = tcase_create("stream_tls_client");
	SRunner *runner;
	int failed;

	if (!mkdtemp(dir))
		return EXIT_FAILURE;
	write_certificates();
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, after_the_handshake_bytes_go_both_ways, 0, 2);
	tcase_add_loop_test(tc, the_name_must_be_that_of_the_certificate, 0, 8);
	tcase_add_loop_test(
	    tc, an_ip_address_must_be_that_of_the_certificate_and_is_not_sent, 0, 6);
	tcase_add_loop_test(tc, a_certificate_that_is_not_good_is_refused_with_the_reason, 0, 5);
	tcase_add_test(tc, the_system_does_not_trust_us);
	tcase_add_test(tc, insecure_takes_anything);
	tcase_add_test(tc, what_can_be_no_host_is_refused_and_the_stream_stays_plain);
	tcase_add_loop_test(tc, a_server_that_asks_gets_our_certificate, 0, 2);
	tcase_add_loop_test(
	    tc, without_one_tls_1_2_fails_the_handshake_and_tls_1_3_hangs_up_after_it, 0, 2);
	add_misbehaviour(tc);
	add_sessions(tc);
	tcase_add_test(tc, a_file_that_cannot_be_used_is_named_with_the_reason);
	tcase_add_test(tc, each_allocation_may_fail_once);
	tcase_add_test(tc, dialer_and_both_sides_of_tls_go_together);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_certificates();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
