/*
 * tests/unit/test_http_again.c - connections that wait with their owner for the same
 * request: what is recognised, what is not, and how the wait ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_again.h"
#include "http_fixture.h"
#include "tls_fixture.h"

/* --- an owner that answers "again: BODY" ----------------------------------------------------- */

static struct http_again again; /* one connection at a time */
static bool over_unix;          /* else over TCP */
static bool owned, refuses, holds, hugely;
static size_t body_n; /* of the last request to /again */
static unsigned gone;

static void answer(const char *body, size_t n)
{
	char text[400];
	struct stream_piece piece = { text, 0, NULL };

	piece.n = (size_t)snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\nagain: %.*s", n + 7, (int)n, body);
	ck_assert_int_eq(stream_write(&again.stream, &piece, 1), 0);
	if (!http_again_wait(&again, server))
		owned = false;
}

/* More than a wire takes at once, to a connection that is not worth another look. */
static char huge[8 << 20];

static void answer_hugely(void)
{
	struct stream_piece piece = { huge, sizeof(huge), NULL };

	ck_assert_int_eq(stream_write(&again.stream, &piece, 1), 0);
	ck_assert_uint_gt(stream_queued(&again.stream), 0);
	again.misses = UINT8_MAX;
	ck_assert(!http_again_wait(&again, server));
	owned = false;
}

static bool on_again(struct http_again *a, struct bytes query, char *body, size_t n)
{
	ck_assert(query.n == 0 || memcmp(query.p, "t=", 2) == 0);
	ck_assert_ptr_eq(a, &again);
	/* It may be changed, before it is taken and in vain too: nobody else sees that */
	if (n > 0)
		body[0] ^= 0x20;
	if (refuses)
		return false;
	http_again_take(a);
	if (n > 0)
		body[0] ^= 0x20;
	ck_assert(!http_again_is_waiting(a));
	if (hugely)
		answer_hugely();
	else if (!holds)
		answer(body, n < 100 ? n : 100);
	body_n = n;
	return true;
}

static void on_gone(struct http_again *a)
{
	ck_assert_ptr_eq(a, &again);
	ck_assert(!http_again_is_waiting(a) && !stream_is_open(&a->stream));
	owned = false;
	gone++;
}

static const struct http_again_ops ops = { on_again, on_gone };

static void on_readable(struct stream *s)
{
	if (http_again_is_waiting(&again))
		http_again_readable(&again);
	else
		stream_want(s, STREAM_HANGUP);
}

static void on_writable(struct stream *s)
{
	(void)s;
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	if (http_again_is_waiting(&again)) {
		http_again_hangup(&again);
		return;
	}
	stream_close(s);
	owned = false;
}

static const struct stream_events events = { on_readable, on_writable, on_hangup, NULL };

/* /again leaves, anything else is answered at once. */
static void serve(struct http_request *r)
{
	size_t n;
	char body[100], *at;

	if (!bytes_equal(http_request_path(r), BYTES("/again")) || owned) {
		http_respond_text(r, 200, "inside");
		return;
	}
	at = http_request_body(r, &n);
	body_n = n;
	n = n < sizeof(body) ? n : sizeof(body);
	memcpy(body, at ? at : "", n);
	ck_assert_int_eq(http_again_detach(&again, r, loop, &events, &ops, true), 0);
	owned = true;
	answer(body, n);
}

static void setup(void)
{
	http_setup();
	serving = serve;
	owned = refuses = holds = hugely = false;
	gone = 0;
	memset(&again, 0, sizeof(again));
	stream_init_empty(&again.stream);
	timer_init(&again.timer, NULL);
}

static void setup_unix(void)
{
	over_unix = true;
	setup();
}

static void teardown(void)
{
	if (owned && !http_again_is_waiting(&again))
		stream_close(&again.stream);
	http_teardown();
	ck_assert(!http_again_is_waiting(&again));
}

/* Says a request, and hears this answer alone. */
static void round_of(int fd, const char *request, const char *reply)
{
	const char *text;

	hear_anew(fd);
	say(fd, request);
	text = hear(fd, reply);
	settle();
	ck_assert_uint_eq(count_of(text, "HTTP/1.1 "), 1);
}

static int new_client(void)
{
	return over_unix ? client_new_unix() : client_new();
}

/* A connection whose request is remembered. */
static int client_learnt(void)
{
	int fd = new_client();

	round_of(fd, POST("/again?t=0", "3\r\n\r\none"), "again: one");
	ck_assert_uint_eq(served, 1);
	ck_assert_uint_eq(counters()->repeated, 0);
	ck_assert(http_again_is_waiting(&again));
	return fd;
}

/* --- what is recognised ----------------------------------------------------------- */

START_TEST(the_same_request_need_not_be_read)
{
	int fd = client_learnt();

	for (unsigned i = 1; i <= 50; i++) {
		round_of(fd, POST("/again?t=2000", "5\r\n\r\nthree"), "again: three");
		ck_assert_uint_eq(counters()->repeated, i);
		ck_assert_uint_eq(counters()->requests, 1 + i);
		ck_assert_uint_eq(counters()->connections, 1);
	}
	round_of(fd, POST("/again?", "0\r\n\r\n"), "again: ");
	ck_assert_uint_eq(served, 1);
	close(fd);
	settle();
	ck_assert_uint_eq(gone, 1);
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(another_request_is_read_and_the_connection_goes_on)
{
	int fd = client_learnt();

	round_of(fd, GET("/other"), "inside");
	ck_assert(!owned);
	round_of(fd, POST("/again?t=1", "3\r\n\r\none"), "again: one");
	ck_assert_uint_eq(counters()->repeated, 0);
	round_of(fd, POST("/again?t=2", "3\r\n\r\ntoo"), "again: too");
	ck_assert_uint_eq(counters()->repeated, 1);
	close(fd);
}
END_TEST

START_TEST(a_header_more_is_another_request)
{
	int fd = client_learnt();

	round_of(fd, "POST /again?t=1 HTTP/1.1\r\nHost: x\r\nX: y\r\nContent-Length: 1\r\n\r\n1",
	    "again: 1");
	ck_assert_uint_eq(served, 2);
	ck_assert_uint_eq(counters()->repeated, 0);
	close(fd);
}
END_TEST

START_TEST(who_never_repeats_is_not_looked_at_for_ever)
{
	int fd = new_client();

	for (unsigned i = 0; i < 8; i++) {
		char request[200];

		snprintf(request, sizeof(request),
		    "POST /again HTTP/1.1\r\nHost: x\r\nX: %u\r\nContent-Length: 0\r\n\r\n", i);
		round_of(fd, request, "again: ");
	}
	ck_assert(!owned); /* given back for good */
	ck_assert_uint_eq(served, 8);
	ck_assert_uint_eq(gone, 4);
	close(fd);
}
END_TEST

START_TEST(an_answer_that_has_not_left_is_not_cut_off_by_giving_the_connection_back)
{
	int fd = client_learnt();
	size_t got = 0;
	ssize_t n = 1;
	char chunk[65536];

	hear_anew(fd);
	hugely = true;
	say(fd, POST("/again?t=2", "3\r\n\r\ntwo"));
	for (int i = 0; i < 5000 && n != 0; i++) {
		ck_assert_int_eq(loop_turn(loop, 0), 0);
		while ((n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
			got += (size_t)n;
	}
	ck_assert_uint_eq(got, sizeof(huge));
	ck_assert_int_eq(n, 0); /* and an end in order */
	close(fd);
}
END_TEST

START_TEST(what_the_owner_does_not_want_is_served_inside)
{
	int fd = client_learnt();

	refuses = true;
	round_of(fd, POST("/again?t=3", "3\r\n\r\nsix"), "again: six");
	ck_assert_uint_eq(served, 2);
	ck_assert_uint_eq(counters()->repeated, 0);
	close(fd);
}
END_TEST

/* --- pieces, and more than one ---------------------------------------------------- */

START_TEST(a_request_in_pieces_is_answered_once)
{
	static const char request[] = POST("/again?t=3", "3\r\n\r\nsix");

	for (size_t cut = 1; cut < sizeof(request) - 1; cut += 7) {
		int fd = client_learnt();
		const char *text;

		hear_anew(fd);
		say_bytes(fd, request, cut);
		settle();
		say(fd, request + cut);
		text = hear(fd, "again: six");
		settle();
		ck_assert_uint_eq(count_of(text, "HTTP/1.1 "), 1);
		ck_assert_uint_eq(counters()->repeated, 0);
		close(fd);
		settle();
		served = 0;
	}
}
END_TEST

START_TEST(pipelined_requests_are_all_answered_in_order)
{
	int fd = client_learnt();
	const char *text;

	hear_anew(fd);
	say(fd, POST("/again?t=3", "3\r\n\r\nsix") POST("/again?t=4", "3\r\n\r\nten") GET("/end"));
	text = hear(fd, "inside");
	ck_assert_uint_eq(count_of(text, "HTTP/1.1 200"), 3);
	ck_assert(strstr(text, "again: six") < strstr(text, "again: ten"));
	ck_assert(strstr(text, "again: ten") < strstr(text, "inside"));
	close(fd);
}
END_TEST

START_TEST(what_comes_before_the_answer_waits_for_it)
{
	int fd = client_learnt();

	holds = true;
	hear_anew(fd);
	say(fd, POST("/again?t=3", "3\r\n\r\nsix"));
	settle();
	ck_assert_uint_eq(counters()->repeated, 1);
	ck_assert(owned && !http_again_is_waiting(&again));
	say(fd, POST("/again?t=4", "3\r\n\r\nten"));
	settle();
	ck_assert_uint_eq(counters()->repeated, 1);
	holds = false;
	answer("late", 4);
	ck_assert_uint_eq(count_of(hear(fd, "again: ten"), "again: late"), 1);
	ck_assert_uint_eq(counters()->repeated, 2);
	close(fd);
}
END_TEST

START_TEST(a_request_that_expects_100_or_has_chunks_is_not_remembered)
{
	int fd = new_client();

	for (unsigned i = 0; i < 3; i++) {
		hear_anew(fd);
		say(fd, "POST /again HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		        "Content-Length: 3\r\n\r\nabc");
		hear(fd, "again: abc");
		settle();
	}
	ck_assert_uint_eq(served, 3);
	ck_assert_uint_eq(counters()->repeated, 0);
	close(fd);
}
END_TEST

/* --- ends ------------------------------------------------------------------------- */

START_TEST(an_idle_connection_ends_in_time)
{
	int fd = client_learnt();
	unsigned before = gone;

	pass_ms(limits.idle_timeout_ms - 1000);
	round_of(fd, POST("/again?t=3", "3\r\n\r\nsix"), "again: six");
	pass_ms(limits.idle_timeout_ms - 1000);
	ck_assert(owned);
	hear_anew(fd);
	pass_ms(2000);
	ck_assert_str_eq(hear_end(fd), "");
	ck_assert_uint_eq(gone, before + 1);
	ck_assert_uint_eq(counters()->connections, 0);
	close(fd);
}
END_TEST

START_TEST(half_a_request_ends_in_time_too)
{
	int fd = client_learnt();

	hear_anew(fd);
	say(fd, "POST /again?t=3 HT");
	settle();
	pass_ms(limits.idle_timeout_ms + 1000);
	pass_ms(1000);
	ck_assert_uint_eq(count_of(hear_end(fd), "HTTP/1.1 408"), 1);
	close(fd);
}
END_TEST

START_TEST(a_client_that_leaves_is_noticed)
{
	int fd = client_learnt();

	shutdown(fd, SHUT_WR);
	settle();
	ck_assert(!owned);
	hear_anew(fd);
	ck_assert_str_eq(hear_end(fd), "");
	close(fd);
}
END_TEST

START_TEST(a_last_request_with_the_end_behind_it_is_answered)
{
	int fd = client_learnt();

	hear_anew(fd);
	say(fd, POST("/again?t=3", "3\r\n\r\nsix"));
	shutdown(fd, SHUT_WR);
	ck_assert_uint_eq(count_of(hear_end(fd), "again: six"), 1);
	ck_assert(!owned);
	close(fd);
}
END_TEST

START_TEST(draining_ends_the_wait_but_not_a_request)
{
	int fd = client_learnt();

	hear_anew(fd);
	say(fd, POST("/again?t=3", "3\r\n\r\nsix"));
	http_server_drain(server);
	ck_assert_uint_eq(count_of(hear(fd, "again: six"), "HTTP/1.1 200"), 1);
	pass_ms(10);
	hear_end(fd);
	ck_assert(!owned);
	close(fd);
}
END_TEST

START_TEST(draining_ends_who_only_waits)
{
	int fd = client_learnt();

	hear_anew(fd);
	http_server_drain(server);
	pass_ms(10);
	ck_assert_str_eq(hear_end(fd), "");
	ck_assert(!owned);
	close(fd);
}
END_TEST

START_TEST(a_server_that_ends_lets_go_of_those_that_wait)
{
	int fd = client_learnt();

	/* the teardown looks whether anything is left */
	ck_assert(owned);
	close(fd);
}
END_TEST

/* --- under TLS --------------------------------------------------------------------- */

static void setup_tls(void)
{
	tls_up();
	setup();
}

static void teardown_tls(void)
{
	teardown();
	tls_down();
}

static void tls_round_of(SSL *ssl, const char *request, const char *reply)
{
	tls_say(ssl, request);
	ck_assert_uint_eq(count_of(tls_hear(ssl, reply), "HTTP/1.1 "), 1);
	settle();
}

static SSL *tls_client_learnt(int *fd)
{
	SSL *ssl = tls_client(fd);

	tls_round_of(ssl, POST("/again?t=0", "3\r\n\r\none"), "again: one");
	ck_assert_uint_eq(served, 1);
	ck_assert(http_again_is_waiting(&again));
	return ssl;
}

START_TEST(under_tls_the_same_request_need_not_be_read)
{
	int fd;
	SSL *ssl = tls_client_learnt(&fd);

	for (unsigned i = 1; i <= 20; i++) {
		tls_round_of(ssl, POST("/again?t=2000", "5\r\n\r\nthree"), "again: three");
		ck_assert_uint_eq(counters()->repeated, i);
	}
	ck_assert_uint_eq(served, 1);
	ck_assert_uint_eq(counters()->connections, 1);
	tls_end(ssl, fd);
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(under_tls_head_and_body_may_be_two_records)
{
	int fd;
	SSL *ssl = tls_client_learnt(&fd);

	tls_say(ssl, POST("/again?t=3", "5\r\n\r\n"));
	tls_round_of(ssl, "three", "again: three");
	ck_assert_uint_eq(counters()->repeated, 1);
	tls_end(ssl, fd);
}
END_TEST

START_TEST(under_tls_what_was_looked_at_is_read_again)
{
	int fd;
	SSL *ssl = tls_client_learnt(&fd);

	tls_round_of(ssl, GET("/other"), "inside");
	ck_assert(!owned);
	tls_round_of(ssl, POST("/again?t=1", "3\r\n\r\none"), "again: one");
	refuses = true;
	tls_round_of(ssl, POST("/again?t=1", "5\r\n\r\nthree"), "again: three");
	refuses = false;
	ck_assert_uint_eq(counters()->repeated, 0);
	tls_say(ssl, POST("/again?t=1", "3\r\n\r\nsix") GET("/other") GET("/other"));
	ck_assert_uint_eq(count_of(tls_hear(ssl, "inside\nHTTP/1.1 200"), "HTTP/1.1 "), 3);
	tls_end(ssl, fd);
}
END_TEST

START_TEST(under_tls_a_request_in_pieces_is_answered_once)
{
	int fd;
	SSL *ssl = tls_client_learnt(&fd);

	tls_say(ssl, "POST /again?t=1 HTTP/1.1\r\nHo");
	settle();
	tls_say(ssl, "st: x\r\nContent-Length: 3\r\n\r\nt");
	settle();
	tls_round_of(ssl, "wo", "again: two");
	tls_round_of(ssl, POST("/again?t=1", "3\r\n\r\nsix"), "again: six");
	tls_end(ssl, fd);
}
END_TEST

START_TEST(under_tls_a_long_body_is_not_cut)
{
	static char request[40000];
	int fd, head;
	SSL *ssl = tls_client_learnt(&fd);

	for (unsigned n = 16383; n <= 30000; n += 6808) {
		head = snprintf(request, sizeof(request),
		    "POST /again?t=1 HTTP/1.1\r\nHost: x\r\nContent-Length: %u\r\n\r\n", n);
		memset(request + head, 'b', n);
		request[(unsigned)head + n] = '\0';
		tls_round_of(ssl, request, "again: bbb");
		ck_assert_uint_eq(body_n, n);
	}
	tls_end(ssl, fd);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, the_same_request_need_not_be_read);
	tcase_add_test(tc, another_request_is_read_and_the_connection_goes_on);
	tcase_add_test(tc, a_header_more_is_another_request);
	tcase_add_test(tc, who_never_repeats_is_not_looked_at_for_ever);
	tcase_add_test(
	    tc, an_answer_that_has_not_left_is_not_cut_off_by_giving_the_connection_back);
	tcase_add_test(tc, what_the_owner_does_not_want_is_served_inside);
	tcase_add_test(tc, a_request_in_pieces_is_answered_once);
	tcase_add_test(tc, pipelined_requests_are_all_answered_in_order);
	tcase_add_test(tc, what_comes_before_the_answer_waits_for_it);
	tcase_add_test(tc, a_request_that_expects_100_or_has_chunks_is_not_remembered);
	tcase_add_test(tc, an_idle_connection_ends_in_time);
	tcase_add_test(tc, half_a_request_ends_in_time_too);
	tcase_add_test(tc, a_client_that_leaves_is_noticed);
	tcase_add_test(tc, a_last_request_with_the_end_behind_it_is_answered);
	tcase_add_test(tc, draining_ends_the_wait_but_not_a_request);
	tcase_add_test(tc, draining_ends_who_only_waits);
	tcase_add_test(tc, a_server_that_ends_lets_go_of_those_that_wait);
}

static void add_tls_tests(TCase *tc)
{
	tcase_add_test(tc, under_tls_the_same_request_need_not_be_read);
	tcase_add_test(tc, under_tls_head_and_body_may_be_two_records);
	tcase_add_test(tc, under_tls_what_was_looked_at_is_read_again);
	tcase_add_test(tc, under_tls_a_request_in_pieces_is_answered_once);
	tcase_add_test(tc, under_tls_a_long_body_is_not_cut);
}

int main(void)
{
	Suite *suite = suite_create("http_again");

	add_tests(group(suite, "tcp", setup, teardown));
	add_tests(group(suite, "unix", setup_unix, teardown));
	add_tls_tests(group(suite, "tls", setup_tls, teardown_tls));
	return run_groups(suite);
}
