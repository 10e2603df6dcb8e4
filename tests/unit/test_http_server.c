/*
 * tests/unit/test_http_server.c - connections: kept, pipelined, detached, given
 * back, held, upgraded, refused, timed out; plain, over a unix socket, and under TLS.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/http_detach.h"
#include "http/http_upgrade.h"
#include "http_fixture.h"

#define GET(target)        "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(target, body) "POST " target " HTTP/1.1\r\nHost: x\r\nContent-Length: " body

static const struct http_counters *counters(void)
{
	return http_server_counters(server);
}

/* --- short requests --------------------------------------------------------------- */

START_TEST(a_connection_serves_many_requests)
{
	int fd = client_new();

	for (int i = 0; i < 20; i++) {
		say(fd, POST("/a", "3\r\n\r\nabc"));
		hear(fd, "POST /a? abc");
		hear_anew(fd);
	}
	ck_assert_uint_eq(counters()->requests, 20);
	ck_assert_uint_eq(counters()->connections, 1);
	close(fd);
	settle();
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
	int fd = client_new();
	const char *text;

	say(fd, GET("/1") POST("/2", "2\r\n\r\nhi") GET("/3"));
	text = hear(fd, "GET /3");
	ck_assert_uint_eq(count_of(text, "HTTP/1.1 200"), 3);
	ck_assert(strstr(text, "GET /1") < strstr(text, "POST /2? hi"));
	ck_assert(strstr(text, "POST /2") < strstr(text, "GET /3"));
	close(fd);
}
END_TEST

START_TEST(a_request_may_come_octet_by_octet)
{
	static const char request[] = POST("/a?b", "3\r\n\r\nabc");
	int fd = client_new();

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		say_bytes(fd, request + i, 1);
		ck_assert_int_eq(loop_turn(loop, 0), 0);
	}
	hear(fd, "POST /a?b abc");
	close(fd);
}
END_TEST

#define EXPECT "Expect: 100-continue\r\n\r\n"

START_TEST(who_expects_100_gets_it_and_then_the_answer)
{
	int fd = client_new();

	say(fd, "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" EXPECT);
	ck_assert_str_eq(hear(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "ab");
	hear(fd, "POST /1? ab");
	hear_anew(fd);
	/* without a body, and with something behind it */
	say(fd, "GET /2 HTTP/1.1\r\nHost: x\r\n" EXPECT GET("/3"));
	hear(fd, "GET /3");
	ck_assert_uint_eq(count_of(hear(fd, "GET /2"), "HTTP/1.1 200"), 2);
	ck_assert_uint_eq(served, 3);
	close(fd);
}
END_TEST

START_TEST(connection_close_is_obeyed)
{
	int fd = client_new();

	say(fd, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	ck_assert_uint_eq(count_of(hear_end(fd), "HTTP/1.1 200"), 1);
	close(fd);
}
END_TEST

static void say_nothing(struct http_request *r)
{
	(void)r;
}

START_TEST(a_request_nobody_answers_is_answered_with_500)
{
	serving = say_nothing;
	ck_assert_uint_eq(status_of(GET("/")), 500);
}
END_TEST

START_TEST(a_body_that_is_too_large_is_refused_while_it_comes)
{
	static char much[200000];
	int fd = client_new();

	body_limit = 1000;
	memset(much, 'x', sizeof(much));
	say(fd, POST("/", "200000\r\n\r\n"));
	say_bytes(fd, much, sizeof(much));
	ck_assert_uint_eq(count_of(hear(fd, "\r\n\r\n"), "HTTP/1.1 413"), 1);
	say_bytes(fd, much, 1000); /* no reset has come */
	settle();
	ck_assert_uint_eq(counters()->lingering, 1);
	ck_assert_uint_eq(count_of(hear_end(fd), "HTTP/1.1 "), 1);
	close(fd);
	settle();
	ck_assert_uint_eq(counters()->lingering, 0);
	ck_assert_uint_eq(served, 0);
}
END_TEST

START_TEST(chunks_beyond_the_limit_are_refused)
{
	body_limit = 5;
	ck_assert_uint_eq(
	    status_of("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	              "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"),
	    413);
	ck_assert_uint_eq(served, 0);
}
END_TEST

START_TEST(a_client_that_never_ends_is_not_lingered_for_ever)
{
	int fd = client_new();

	body_limit = 0;
	say(fd, POST("/", "1000\r\n\r\n"));
	hear(fd, "HTTP/1.1 413");
	ck_assert_uint_eq(counters()->lingering, 1);
	pass_ms(3000);
	ck_assert_uint_eq(counters()->lingering, 0);
	close(fd);
}
END_TEST

START_TEST(a_head_that_is_too_large_gets_one_answer)
{
	static char head[30000];
	int fd = client_new();
	const char *text;

	memset(head, 'x', sizeof(head));
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
	say_bytes(fd, head, sizeof(head));
	say(fd, "\r\n\r\n");
	text = hear(fd, "\r\n\r\n");
	ck_assert_msg(
	    strncmp(text, "HTTP/1.1 431", 12) == 0 || strncmp(text, "HTTP/1.1 400", 12) == 0, "%s",
	    text);
	ck_assert_uint_eq(served, 0);
	close(fd);
}
END_TEST

/* --- deadlines -------------------------------------------------------------------- */

START_TEST(a_silent_client_is_sent_away_without_a_word)
{
	int fd = client_new();

	pass_ms(limits.header_timeout_ms - 10);
	ck_assert_uint_eq(counters()->connections, 1);
	pass_ms(20);
	ck_assert_str_eq(hear_end(fd), "");
	ck_assert_uint_eq(counters()->connections, 0);
	close(fd);
}
END_TEST

START_TEST(half_a_head_is_answered_with_408_in_time)
{
	int fd = client_new();

	say(fd, "GET / HTTP/1.1\r\nHo");
	settle();
	pass_ms(limits.header_timeout_ms / 2);
	say(fd, "st: "); /* a drop does not help */
	settle();
	pass_ms(limits.header_timeout_ms / 2 + 10);
	ck_assert_uint_eq(count_of(hear(fd, "\r\n\r\n"), "HTTP/1.1 408"), 1);
	close(fd);
}
END_TEST

START_TEST(half_a_body_ends_in_time)
{
	int fd = client_new();

	say(fd, POST("/", "10\r\n\r\nabc"));
	settle();
	pass_ms(limits.body_timeout_ms - 10);
	ck_assert_uint_eq(counters()->connections, 1);
	pass_ms(20);
	hear_end(fd);
	ck_assert_uint_eq(counters()->connections, 0);
	ck_assert_uint_eq(served, 0);
	close(fd);
}
END_TEST

START_TEST(an_idle_connection_ends_in_time_without_a_word)
{
	int fd = client_new();

	say(fd, GET("/"));
	hear(fd, "GET /?");
	hear_anew(fd);
	pass_ms(limits.idle_timeout_ms - 10);
	ck_assert_uint_eq(counters()->connections, 1);
	pass_ms(20);
	ck_assert_str_eq(hear_end(fd), "");
	ck_assert_uint_eq(counters()->connections, 0);
	close(fd);
}
END_TEST

START_TEST(an_end_that_comes_with_half_a_request_is_noticed)
{
	static const char *const halves[] = { "GET / HTTP/1.1\r\n", POST("/", "10\r\n\r\nabc"),
		GET("/") };

	for (size_t i = 0; i < sizeof(halves) / sizeof(*halves); i++) {
		int fd = client_new();

		say(fd, halves[i]);
		shutdown(fd, SHUT_WR);
		settle();
		pass_ms(1100);
		ck_assert_msg(counters()->connections == 0, "%s", halves[i]);
		hear_end(fd);
		close(fd);
	}
}
END_TEST

START_TEST(draining_ends_idle_connections_and_closes_after_answers)
{
	int idle = client_new(), busy = client_new();

	say(idle, GET("/"));
	hear(idle, "GET /?");
	say(busy, POST("/", "4\r\n\r\nab"));
	settle();
	http_server_drain(server);
	pass_ms(5);
	hear_end(idle);
	say(busy, "cd");
	ck_assert_uint_eq(count_of(hear_end(busy), "Connection: close\r\n"), 1);
	close(idle);
	close(busy);
}
END_TEST

/* --- detaching -------------------------------------------------------------------- */

static struct http_detached detached[4];
static unsigned detached_n;
static int detach_err;
static unsigned hangups;

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	hangups++;
	stream_close(s);
}

static void on_nothing(struct stream *s)
{
	(void)s;
}

static const struct stream_events events = { on_nothing, on_nothing, on_hangup, NULL };

/* The application of a stream: watches for the client's end. */
static struct stream streams[4];

static void take(struct http_detached *d)
{
	stream_move(&streams[detached_n], &d->stream, loop, &events);
	stream_want(&streams[detached_n++], STREAM_HANGUP);
}

static void detach_stream(struct http_request *r)
{
	struct http_detached *d = &detached[detached_n];

	detach_err = http_detach_stream(r, d);
	if (detach_err == 0)
		take(d);
}

static void detach_poll(struct http_request *r)
{
	struct http_detached *d = &detached[detached_n];
	struct http_head head;

	if (!bytes_equal(http_request_path(r), BYTES("/poll"))) {
		http_respond_text(r, 200, "other");
		return;
	}
	http_head_init(&head, 200);
	http_head_add(&head, "X-Poll", "yes");
	detach_err = http_detach_poll(r, &head, d);
	if (detach_err == 0)
		take(d);
}

static void detach_setup(void)
{
	http_setup();
	detached_n = hangups = 0;
	detach_err = -1;
	memset(detached, 0, sizeof(detached));
	for (int i = 0; i < 4; i++)
		stream_init_empty(&streams[i]);
}

static void detach_teardown(void)
{
	for (int i = 0; i < 4; i++)
		stream_close(&streams[i]);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	http_teardown();
}

static void write_text(unsigned i, const char *text)
{
	struct stream_piece piece = { text, strlen(text), NULL };

	ck_assert_int_eq(stream_write(&streams[i], &piece, 1), 0);
}

/* Answers a poll as its owner would. */
static void answer_poll(unsigned i, const char *body)
{
	char text[200];

	if (detached[i].bare) {
		write_text(i, body);
		http_server_end(server, &streams[i]);
		return;
	}
	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(body), body);
	write_text(i, text);
	if (detached[i].keep_alive)
		http_server_give_back(server, &streams[i], &detached[i].peer);
	else
		http_server_end(server, &streams[i]);
}

START_TEST(a_detached_connection_belongs_to_its_taker)
{
	int fd = client_new();

	serving = detach_stream;
	say(fd, GET("/"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(detached[0].keep_alive);
	ck_assert(!detached[0].bare);
	ck_assert_int_eq(detached[0].peer.family, AF_INET);
	ck_assert_uint_eq(counters()->connections, 0);
	ck_assert_uint_eq(counters()->detached, 1);
	pass_ms(100000); /* no deadline of ours applies */
	write_text(0, "anything");
	hear(fd, "anything");
	close(fd);
	settle();
	ck_assert_uint_eq(hangups, 1);
}
END_TEST

START_TEST(a_poll_is_answered_and_its_connection_goes_on)
{
	int fd = client_new();

	serving = detach_poll;
	for (unsigned i = 0; i < 3; i++) {
		say(fd, POST("/poll", "0\r\n\r\n"));
		settle();
		ck_assert_uint_eq(detached_n, i + 1);
		ck_assert(!detached[i].bare && detached[i].keep_alive);
		answer_poll(i, "frame");
		hear(fd, "frame");
		hear_anew(fd);
	}
	say(fd, GET("/other"));
	hear(fd, "other\n");
	ck_assert_uint_eq(counters()->connections, 1);
	close(fd);
}
END_TEST

START_TEST(a_request_that_comes_behind_a_waiting_poll_is_answered_after_it)
{
	int fd = client_new();
	const char *text;

	serving = detach_poll;
	say(fd, POST("/poll", "0\r\n\r\n"));
	settle();
	say(fd, GET("/other"));
	settle();
	ck_assert_uint_eq(served, 1);
	answer_poll(0, "frame");
	text = hear(fd, "other\n");
	ck_assert(strstr(text, "frame") < strstr(text, "other"));
	close(fd);
}
END_TEST

START_TEST(a_poll_with_a_request_behind_it_is_held_inside)
{
	int fd = client_new();
	const char *text;

	serving = detach_poll;
	say(fd, POST("/poll", "2\r\n\r\nab") POST("/poll", "0\r\n\r\n") GET("/other"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(detached[0].bare && !detached[0].keep_alive);
	ck_assert_uint_eq(counters()->held, 1);
	answer_poll(0, "first");
	settle();
	ck_assert_uint_eq(detached_n, 2);
	ck_assert(detached[1].bare);
	answer_poll(1, "second");
	text = hear(fd, "other\n");
	ck_assert_uint_eq(count_of(text, "HTTP/1.1 200"), 3);
	ck_assert_uint_eq(count_of(text, "X-Poll: yes\r\n"), 2);
	ck_assert_uint_eq(count_of(text, "Content-Length: 5\r\n"), 1);
	ck_assert(strstr(text, "first") < strstr(text, "second"));
	ck_assert_uint_eq(counters()->held, 0);
	close(fd);
}
END_TEST

START_TEST(after_chunks_a_poll_is_held_since_nobody_can_count)
{
	int fd = client_new();

	serving = detach_poll;
	say(fd, "POST /poll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
	        "chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(detached[0].bare);
	answer_poll(0, "frame");
	hear(fd, "frame");
	close(fd);
}
END_TEST

START_TEST(a_held_poll_whose_owner_says_nothing_is_answered_with_500)
{
	int fd = client_new();

	serving = detach_poll;
	say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
	settle();
	stream_close(&streams[0]);
	ck_assert_uint_eq(count_of(hear(fd, "other\n"), "HTTP/1.1 500"), 1);
	close(fd);
}
END_TEST

START_TEST(the_owner_of_a_held_poll_hears_that_the_client_has_gone)
{
	for (unsigned i = 0; i < 2; i++) {
		struct linger hard = { .l_onoff = 1 };
		int fd = client_new();

		serving = detach_poll;
		say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
		settle();
		ck_assert_uint_eq(counters()->held, 1);
		if (i > 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
		settle();
		ck_assert_uint_eq(counters()->held, 0);
		ck_assert_uint_eq(hangups, i + 1);
		ck_assert_uint_eq(counters()->connections, 0);
	}
}
END_TEST

START_TEST(a_server_that_ends_lets_go_of_held_polls)
{
	int fd = client_new(), other = client_new();

	serving = detach_poll;
	say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
	say(other, "GET / HT");
	settle();
	ck_assert_uint_eq(counters()->held, 1);
	close(other);
	close(fd); /* the teardown does the rest */
}
END_TEST

START_TEST(a_stream_with_something_behind_it_does_not_keep_its_connection)
{
	int fd = client_new();

	serving = detach_stream;
	say(fd, GET("/") GET("/lost"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(!detached[0].keep_alive);
	write_text(0, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nstream");
	http_server_end(server, &streams[0]);
	ck_assert_uint_eq(count_of(hear_end(fd), "stream"), 1); /* no reset has cut it off */
	close(fd);
}
END_TEST

/* --- upgrades --------------------------------------------------------------------- */

static struct stream upgraded;
static char early[65536];
static unsigned upgrades, broken_upgrades;

static void on_upgraded(struct stream *s, struct bytes bytes, void *arg)
{
	ck_assert_ptr_eq(arg, &upgraded);
	if (!s) {
		broken_upgrades++;
		return;
	}
	upgrades++;
	ck_assert_uint_lt(bytes.n, sizeof(early));
	memcpy(early, bytes.p, bytes.n);
	early[bytes.n] = '\0';
	stream_move(&upgraded, s, loop, &events);
	stream_want(&upgraded, STREAM_HANGUP);
}

static void upgrade(struct http_request *r)
{
	struct http_head head;
	int err;

	http_head_init(&head, 101);
	http_head_add(&head, "X-Accept", "yes");
	err = http_upgrade(r, "test", &head, on_upgraded, &upgraded);
	if (err < 0)
		http_respond_text(r, 400, "no upgrade");
}

#define UPGRADE "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"

static void upgrade_setup(void)
{
	detach_setup();
	serving = upgrade;
	upgrades = broken_upgrades = 0;
	stream_init_empty(&upgraded);
}

static void upgrade_teardown(void)
{
	stream_close(&upgraded);
	detach_teardown();
}

START_TEST(an_upgraded_stream_comes_with_the_bytes_behind_the_request)
{
	int fd = client_new();
	struct stream_piece piece = { "pong", 4, NULL };
	const char *text;

	say(fd, UPGRADE "early bytes");
	text = hear(fd, "\r\n\r\n");
	settle();
	ck_assert_int_eq(strncmp(text, "HTTP/1.1 101 ", 13), 0);
	ck_assert_uint_eq(count_of(text, "X-Accept: yes\r\n"), 1);
	ck_assert_uint_eq(count_of(text, "Upgrade: test\r\n"), 1);
	ck_assert_uint_eq(upgrades, 1);
	ck_assert_str_eq(early, "early bytes");
	ck_assert_uint_eq(counters()->connections, 0);
	ck_assert_int_eq(stream_write(&upgraded, &piece, 1), 0);
	hear(fd, "pong");
	close(fd);
	settle();
	ck_assert_uint_eq(hangups, 1);
}
END_TEST

START_TEST(http_1_0_is_not_upgraded)
{
	ck_assert_uint_eq(
	    status_of("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"), 400);
	ck_assert_uint_eq(upgrades + broken_upgrades, 0);
}
END_TEST

START_TEST(an_upgrade_whose_client_has_gone_is_told_of_once)
{
	for (int i = 0; i < 20; i++) {
		struct linger hard = { .l_onoff = 1 };
		int fd = client_new();

		say(fd, UPGRADE);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
		settle();
		stream_close(&upgraded);
		settle();
	}
	ck_assert_uint_le(upgrades + broken_upgrades, 20);
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

/* --- unix sockets: the relay ------------------------------------------------------ */

START_TEST(a_unix_socket_is_served_like_any_other)
{
	int fd = client_new_unix();

	say(fd, GET("/1") GET("/2"));
	hear(fd, "GET /2");
	say(fd, POST("/3", "3\r\n\r\nabc"));
	hear(fd, "POST /3? abc");
	ck_assert_uint_eq(counters()->connections, 1);
	close(fd);
	settle();
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(a_large_body_and_answer_pass_a_unix_socket)
{
	static char much[900000];
	int fd = client_new_unix();

	memset(much, 'x', sizeof(much));
	say(fd, POST("/", "900000\r\n\r\n"));
	say_bytes(fd, much, sizeof(much));
	say(fd, "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	ck_assert_uint_eq(strspn(strstr(hear_end(fd), "/? x") + 3, "x"), sizeof(much));
	hear(fd, "GET /next");
	close(fd);
}
END_TEST

START_TEST(a_poll_on_a_unix_socket_is_detached_and_given_back)
{
	int fd = client_new_unix();

	serving = detach_poll;
	say(fd, POST("/poll", "0\r\n\r\n"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(!detached[0].bare && detached[0].keep_alive);
	answer_poll(0, "frame");
	hear(fd, "frame");
	say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
	settle();
	ck_assert_uint_eq(detached_n, 2);
	ck_assert(detached[1].bare);
	answer_poll(1, "second");
	hear(fd, "other\n");
	close(fd);
}
END_TEST

START_TEST(a_held_poll_on_a_unix_socket_hears_of_the_end)
{
	int fd = client_new_unix();

	serving = detach_poll;
	say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
	settle();
	close(fd);
	settle();
	ck_assert_uint_eq(hangups, 1);
	ck_assert_uint_eq(counters()->held, 0);
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(garbage_on_a_unix_socket_is_answered_with_400)
{
	int fd = client_new_unix();

	say(fd, "garbage\r\n\r\n");
	ck_assert_uint_eq(count_of(hear_end(fd), "HTTP/1.1 400"), 1);
	close(fd);
}
END_TEST

START_TEST(an_upgrade_on_a_unix_socket_keeps_the_early_bytes)
{
	int fd = client_new_unix();

	serving = upgrade;
	upgrades = 0;
	stream_init_empty(&upgraded);
	say(fd, UPGRADE "early bytes");
	hear(fd, "HTTP/1.1 101 ");
	settle();
	ck_assert_uint_eq(upgrades, 1);
	ck_assert_str_eq(early, "early bytes");
	stream_close(&upgraded);
	close(fd);
}
END_TEST

/* --- TLS: the relay behind a handshake -------------------------------------------- */

static char cert_path[] = "/tmp/test_http_server.cert.XXXXXX";
static char key_path[] = "/tmp/test_http_server.key.XXXXXX";
static struct tls_context *context;
static SSL_CTX *client_ctx;

static void write_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	FILE *cert = fdopen(mkstemp(cert_path), "w"), *secret = fdopen(mkstemp(key_path), "w");

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const void *)"localhost", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	PEM_write_X509(cert, x);
	PEM_write_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
	fclose(cert);
	fclose(secret);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void tls_setup(void)
{
	char why[300];

	strcpy(cert_path + strlen(cert_path) - 6, "XXXXXX");
	strcpy(key_path + strlen(key_path) - 6, "XXXXXX");
	write_certificate();
	context = tls_context_new(cert_path, key_path, why, sizeof(why));
	ck_assert_msg(context != NULL, "%s", why);
	client_ctx = SSL_CTX_new(TLS_client_method());
	upgrade_setup();
	serving = NULL;
}

static void tls_teardown(void)
{
	upgrade_teardown();
	SSL_CTX_free(client_ctx);
	tls_context_free(context);
	unlink(cert_path);
	unlink(key_path);
}

static SSL *tls_client(int *fd)
{
	SSL *ssl = SSL_new(client_ctx);

	*fd = client_new_tls(context);
	SSL_set_fd(ssl, *fd);
	SSL_set_connect_state(ssl);
	for (int i = 0; i < 500 && SSL_do_handshake(ssl) != 1; i++)
		ck_assert_int_eq(loop_turn(loop, 1), 0);
	ck_assert(SSL_is_init_finished(ssl));
	return ssl;
}

static void tls_say(SSL *ssl, const char *text)
{
	ck_assert_int_eq(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
}

static const char *tls_hear(SSL *ssl, const char *what)
{
	static char text[100000];
	size_t n = 0;

	text[0] = '\0';
	for (int i = 0; i < 1000 && !strstr(text, what); i++) {
		int got = SSL_read(ssl, text + n, (int)(sizeof(text) - 1 - n));

		if (got > 0)
			n += (size_t)got;
		else
			ck_assert_int_eq(loop_turn(loop, 1), 0);
		text[n] = '\0';
	}
	ck_assert_msg(strstr(text, what) != NULL, "not heard: \"%s\", but: \"%s\"", what, text);
	return text;
}

static void tls_end(SSL *ssl, int fd)
{
	SSL_free(ssl);
	close(fd);
	settle();
}

static void tell_tls(struct http_request *r)
{
	http_respond_text(r, 200, http_request_is_tls(r) ? "is tls" : "is plain");
}

START_TEST(requests_pass_under_tls_and_pipelined_too)
{
	int fd;
	SSL *ssl = tls_client(&fd);
	const char *text;

	tls_say(ssl, GET("/1") POST("/2", "2\r\n\r\nhi") GET("/3"));
	text = tls_hear(ssl, "GET /3");
	ck_assert_uint_eq(count_of(text, "HTTP/1.1 200"), 3);
	ck_assert(strstr(text, "GET /1") < strstr(text, "POST /2? hi"));
	serving = tell_tls;
	tls_say(ssl, GET("/4"));
	tls_hear(ssl, "is tls");
	tls_end(ssl, fd);
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(a_poll_under_tls_is_detached_given_back_and_held)
{
	int fd;
	SSL *ssl = tls_client(&fd);

	serving = detach_poll;
	tls_say(ssl, POST("/poll", "0\r\n\r\n"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(!detached[0].bare && detached[0].keep_alive);
	ck_assert(stream_is_tls(&streams[0]));
	answer_poll(0, "frame");
	tls_hear(ssl, "frame");
	tls_say(ssl, POST("/poll", "0\r\n\r\n") GET("/other"));
	settle();
	ck_assert_uint_eq(detached_n, 2);
	ck_assert(detached[1].bare);
	answer_poll(1, "second");
	tls_hear(ssl, "other\n");
	tls_end(ssl, fd);
}
END_TEST

START_TEST(an_upgrade_under_tls_keeps_the_early_bytes)
{
	int fd;
	SSL *ssl = tls_client(&fd);

	serving = upgrade;
	tls_say(ssl, UPGRADE "early bytes");
	tls_hear(ssl, "HTTP/1.1 101 ");
	settle();
	ck_assert_uint_eq(upgrades, 1);
	ck_assert_str_eq(early, "early bytes");
	ck_assert(stream_is_tls(&upgraded));
	tls_end(ssl, fd);
	ck_assert_uint_eq(hangups, 1);
}
END_TEST

START_TEST(a_handshake_that_fails_or_never_ends_is_given_up)
{
	int fd = client_new_tls(context), silent = client_new_tls(context);

	say(fd, GET("/"));
	hear_end(fd);
	ck_assert_uint_eq(counters()->connections, 1);
	pass_ms(limits.header_timeout_ms + 10);
	hear_end(silent);
	ck_assert_uint_eq(counters()->connections, 0);
	close(fd);
	close(silent);
}
END_TEST

START_TEST(a_request_beyond_the_limit_is_refused_under_tls_too)
{
	int fd;
	SSL *ssl = tls_client(&fd);

	body_limit = 3;
	tls_say(ssl, POST("/", "10\r\n\r\n0123456789"));
	ck_assert_uint_eq(count_of(tls_hear(ssl, "too large.\n"), "HTTP/1.1 413"), 1);
	tls_end(ssl, fd);
}
END_TEST

/* --- without memory --------------------------------------------------------------- */

/* Whatever fails, nothing crashes or leaks, and no more than one answer comes. */
static void with_failures(
    int (*client)(void), void (*serve)(struct http_request *), const char *request)
{
	for (unsigned long nth = 1; nth < 60; nth++) {
		bool was_needed;
		int fd;

		detach_setup();
		upgrades = broken_upgrades = 0;
		stream_init_empty(&upgraded);
		serving = serve;
		mem_fail_at(nth);
		fd = client();
		send(fd, request, strlen(request), MSG_NOSIGNAL); /* it may be closed by now */
		for (int i = 0; i < 30; i++)
			ck_assert_int_eq(loop_turn(loop, 0), 0);
		for (unsigned i = 0; i < detached_n; i++)
			if (stream_is_open(&streams[i]))
				answer_poll(i, "frame");
		for (int i = 0; i < 30; i++)
			ck_assert_int_eq(loop_turn(loop, 0), 0);
		was_needed = mem_failed();
		mem_fail_at(0);
		close(fd);
		stream_close(&upgraded);
		settle();
		ck_assert_uint_eq(counters()->held, 0);
		ck_assert_uint_eq(counters()->connections, 0);
		ck_assert_uint_le(upgrades + broken_upgrades, 1);
		detach_teardown();
		if (!was_needed)
			return;
	}
}

static void say_ok(struct http_request *r)
{
	http_respond_text(r, 200, "ok");
}

START_TEST(requests_without_memory)
{
	with_failures(client_new, say_ok, POST("/", "3\r\n\r\nabc") GET("/"));
	with_failures(client_new_unix, say_ok, POST("/", "3\r\n\r\nabc") GET("/"));
}
END_TEST

START_TEST(polls_without_memory)
{
	with_failures(client_new, detach_poll, POST("/poll", "0\r\n\r\n"));
	with_failures(client_new, detach_poll, POST("/poll", "0\r\n\r\n") GET("/other"));
	with_failures(client_new_unix, detach_poll, POST("/poll", "0\r\n\r\n"));
	with_failures(client_new_unix, detach_poll, POST("/poll", "0\r\n\r\n") GET("/other"));
}
END_TEST

START_TEST(upgrades_without_memory)
{
	with_failures(client_new, upgrade, UPGRADE "early");
	with_failures(client_new_unix, upgrade, UPGRADE "early");
}
END_TEST

/* --- the library underneath ------------------------------------------------------- */

START_TEST(the_installed_libmicrohttpd_lets_connections_go)
{
	char why[300] = "";

	ck_assert_msg(http_detach_self_test(why, sizeof(why)) == 0, "%s", why);
}
END_TEST

static TCase *group(Suite *suite, const char *name, void (*setup)(void), void (*teardown)(void))
{
	TCase *tc = tcase_create(name);

	if (setup)
		tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("http_server");
	TCase *tc = group(suite, "short", http_setup, http_teardown);
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_connection_serves_many_requests);
	tcase_add_test(tc, pipelined_requests_are_answered_in_order);
	tcase_add_test(tc, a_request_may_come_octet_by_octet);
	tcase_add_test(tc, who_expects_100_gets_it_and_then_the_answer);
	tcase_add_test(tc, connection_close_is_obeyed);
	tcase_add_test(tc, a_request_nobody_answers_is_answered_with_500);
	tcase_add_test(tc, a_body_that_is_too_large_is_refused_while_it_comes);
	tcase_add_test(tc, chunks_beyond_the_limit_are_refused);
	tcase_add_test(tc, a_client_that_never_ends_is_not_lingered_for_ever);
	tcase_add_test(tc, a_head_that_is_too_large_gets_one_answer);
	tcase_add_test(tc, a_silent_client_is_sent_away_without_a_word);
	tcase_add_test(tc, half_a_head_is_answered_with_408_in_time);
	tcase_add_test(tc, half_a_body_ends_in_time);
	tcase_add_test(tc, an_idle_connection_ends_in_time_without_a_word);
	tcase_add_test(tc, an_end_that_comes_with_half_a_request_is_noticed);
	tcase_add_test(tc, draining_ends_idle_connections_and_closes_after_answers);
	tc = group(suite, "detach", detach_setup, detach_teardown);
	tcase_add_test(tc, a_detached_connection_belongs_to_its_taker);
	tcase_add_test(tc, a_poll_is_answered_and_its_connection_goes_on);
	tcase_add_test(tc, a_request_that_comes_behind_a_waiting_poll_is_answered_after_it);
	tcase_add_test(tc, a_poll_with_a_request_behind_it_is_held_inside);
	tcase_add_test(tc, after_chunks_a_poll_is_held_since_nobody_can_count);
	tcase_add_test(tc, a_held_poll_whose_owner_says_nothing_is_answered_with_500);
	tcase_add_test(tc, the_owner_of_a_held_poll_hears_that_the_client_has_gone);
	tcase_add_test(tc, a_server_that_ends_lets_go_of_held_polls);
	tcase_add_test(tc, a_stream_with_something_behind_it_does_not_keep_its_connection);
	tc = group(suite, "upgrade", upgrade_setup, upgrade_teardown);
	tcase_add_test(tc, an_upgraded_stream_comes_with_the_bytes_behind_the_request);
	tcase_add_test(tc, http_1_0_is_not_upgraded);
	tcase_add_test(tc, an_upgrade_whose_client_has_gone_is_told_of_once);
	tc = group(suite, "unix", detach_setup, detach_teardown);
	tcase_add_test(tc, a_unix_socket_is_served_like_any_other);
	tcase_add_test(tc, a_large_body_and_answer_pass_a_unix_socket);
	tcase_add_test(tc, a_poll_on_a_unix_socket_is_detached_and_given_back);
	tcase_add_test(tc, a_held_poll_on_a_unix_socket_hears_of_the_end);
	tcase_add_test(tc, garbage_on_a_unix_socket_is_answered_with_400);
	tcase_add_test(tc, an_upgrade_on_a_unix_socket_keeps_the_early_bytes);
	tc = group(suite, "tls", tls_setup, tls_teardown);
	tcase_add_test(tc, requests_pass_under_tls_and_pipelined_too);
	tcase_add_test(tc, a_poll_under_tls_is_detached_given_back_and_held);
	tcase_add_test(tc, an_upgrade_under_tls_keeps_the_early_bytes);
	tcase_add_test(tc, a_handshake_that_fails_or_never_ends_is_given_up);
	tcase_add_test(tc, a_request_beyond_the_limit_is_refused_under_tls_too);
	tc = group(suite, "memory", NULL, NULL);
	tcase_add_test(tc, requests_without_memory);
	tcase_add_test(tc, polls_without_memory);
	tcase_add_test(tc, upgrades_without_memory);
	tcase_add_test(tc, the_installed_libmicrohttpd_lets_connections_go);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
