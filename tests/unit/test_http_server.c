/*
 * tests/unit/test_http_server.c - connections that nobody takes: kept,
 * pipelined, refused, timed out, drained.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_private.h"
#include "http_fixture.h"

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

/* http_known.h: whoever sends it, over whichever connection; and what is refused stays refused. */
START_TEST(a_head_like_one_before_need_not_be_read_twice)
{
	int fd = client_new(), other = client_new();

	say(fd, GET("/1"));
	hear(fd, "GET /1? ");
	ck_assert_uint_eq(counters()->known, 0);
	say(other, GET("/2/x?t=5"));
	hear(other, "GET /2/x?t=5 ");
	ck_assert_uint_eq(counters()->known, 1);
	say(fd, POST("/3", "2\r\n\r\nhi"));
	hear(fd, "POST /3? hi");
	say(other, POST("/4", "3\r\n\r\nyou"));
	hear(other, "POST /4? you");
	ck_assert_uint_eq(counters()->known, 2);
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(status_of("GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
	ck_assert_uint_eq(counters()->known, 2);
	close(fd);
	close(other);
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
	for (int i = 0; i < 5; i++) /* its kernel may not have acknowledged all at once */
		pass_ms(2500);
	ck_assert_uint_eq(counters()->lingering, 0);
	close(fd);
}
END_TEST

START_TEST(a_refusal_is_not_taken_for_another_ones_answer)
{
	int bad = client_new(), half = client_new();

	say(half, POST("/", "10\r\n\r\n"));
	settle();
	say(bad, POST("/", "abc\r\n\r\n"));
	shutdown(half, SHUT_WR);
	hear(bad, "HTTP/1.1 400");
	hear(half, "HTTP/1.1 400");
	ck_assert_uint_eq(count_of(hear_end(bad), "HTTP/1.1 "), 1);
	ck_assert_uint_eq(count_of(hear_end(half), "HTTP/1.1 "), 1);
	close(bad);
	close(half);
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

/* Browsers connect in advance. */
START_TEST(a_client_that_was_silent_is_served)
{
	int fd = client_new();

	settle();
	ck_assert_uint_eq(counters()->connections, 1);
	say(fd, "G");
	settle();
	say(fd, "ET / HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, "GET /");
	ck_assert_uint_eq(counters()->connections, 1);
	close(fd);
	settle();
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(a_client_that_ends_without_a_word_gets_none)
{
	int fd = client_new();

	shutdown(fd, SHUT_WR);
	pass_ms(200);
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
	pass_ms(limits.body.grace_ms - 10);
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

/* --- empty lines before a request (RFC 9112 section 2.2) ---------------------------- */

START_TEST(empty_lines_before_a_request_are_no_request)
{
	static const char *const requests[] = { "\r\n" GET("/"), "\r\n\r\n\r\n" GET("/"),
		"\n" GET("/"), GET("/") "\r\n", GET("/") "\r\n\r\n\n", "\r\n" GET("/") "\r\n",
		"\r\n\r\n" POST("/", "3\r\n\r\nabc") "\r\n" };

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		ck_assert_msg(status_of(requests[i]) == 200, "%s", requests[i]);
	ck_assert_str_eq(ask("\r\n\r\n"), "");
	ck_assert_uint_eq(counters()->bad_requests, 0);
}
END_TEST

START_TEST(hundreds_of_empty_lines_are_as_good_as_none)
{
	int fd = client_new();

	for (int i = 0; i < 300; i++)
		say(fd, "\r\n");
	settle();
	ck_assert_uint_eq(counters()->connections, 1);
	say(fd, GET("/1"));
	hear(fd, "GET /1?");
	close(fd);
}
END_TEST

START_TEST(empty_lines_between_requests_are_not_taken_for_something_behind_them)
{
	int fds[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = i ? client_new_unix() : client_new();
		say(fds[i], "\r\n" GET("/1"));
		hear(fds[i], "GET /1?");
		say(fds[i], "\r\n\r\n");
		settle();
		say(fds[i], "\r\n" GET("/2") "\r\n");
		hear(fds[i], "GET /2?");
		say(fds[i], POST("/3", "3\r\n\r\nabc"));
		hear(fds[i], "POST /3? abc");
		say(fds[i], "\r\n");
		pass_ms(limits.idle_timeout_ms + 100);
		pass_ms(200);
		ck_assert_uint_eq(count_of(hear_end(fds[i]), "HTTP/1.1 "), 3);
		close(fds[i]);
	}
	ck_assert_uint_eq(counters()->bad_requests, 0);
}
END_TEST

static bool followed;

static void look_behind(struct http_request *r)
{
	followed = http_is_followed(r);
	http_respond_text(r, 200, "looked");
}

START_TEST(a_request_behind_empty_lines_is_not_followed_by_them)
{
	int fd = client_new();

	serving = look_behind;
	for (int i = 0; i < 4; i++) {
		followed = true;
		say(fd, "\r\n\r\n" GET("/"));
		hear(fd, "looked");
		hear_anew(fd);
		ck_assert(!followed);
	}
	say(fd, GET("/") GET("/"));
	settle();
	ck_assert_uint_eq(count_of(hear(fd, "looked"), "looked"), 2);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_server");
	TCase *tc = group(suite, "short", http_setup, http_teardown);

	tcase_add_test(tc, a_connection_serves_many_requests);
	tcase_add_test(tc, pipelined_requests_are_answered_in_order);
	tcase_add_test(tc, a_head_like_one_before_need_not_be_read_twice);
	tcase_add_test(tc, a_request_may_come_octet_by_octet);
	tcase_add_test(tc, who_expects_100_gets_it_and_then_the_answer);
	tcase_add_test(tc, connection_close_is_obeyed);
	tcase_add_test(tc, a_request_nobody_answers_is_answered_with_500);
	tcase_add_test(tc, a_body_that_is_too_large_is_refused_while_it_comes);
	tcase_add_test(tc, chunks_beyond_the_limit_are_refused);
	tcase_add_test(tc, a_client_that_never_ends_is_not_lingered_for_ever);
	tcase_add_test(tc, a_refusal_is_not_taken_for_another_ones_answer);
	tcase_add_test(tc, a_head_that_is_too_large_gets_one_answer);
	tcase_add_test(tc, a_silent_client_is_sent_away_without_a_word);
	tcase_add_test(tc, a_client_that_was_silent_is_served);
	tcase_add_test(tc, a_client_that_ends_without_a_word_gets_none);
	tcase_add_test(tc, half_a_head_is_answered_with_408_in_time);
	tcase_add_test(tc, half_a_body_ends_in_time);
	tcase_add_test(tc, an_idle_connection_ends_in_time_without_a_word);
	tcase_add_test(tc, an_end_that_comes_with_half_a_request_is_noticed);
	tcase_add_test(tc, draining_ends_idle_connections_and_closes_after_answers);
	tcase_add_test(tc, empty_lines_before_a_request_are_no_request);
	tcase_add_test(tc, hundreds_of_empty_lines_are_as_good_as_none);
	tcase_add_test(tc, empty_lines_between_requests_are_not_taken_for_something_behind_them);
	tcase_add_test(tc, a_request_behind_empty_lines_is_not_followed_by_them);
	return run_groups(suite);
}
