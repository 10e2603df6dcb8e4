/*
 * tests/unit/test_http_wires.c - connections over a unix socket, and under TLS: as any
 * other.
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_fixture.h"
#include "http_takers.h"
#include "tls_fixture.h"

/* --- unix sockets ---------------------------------------------------------------- */

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

START_TEST(a_body_with_the_end_of_its_client_right_behind_it_is_read_to_the_end)
{
	static char much[65536];
	int fd = client_new_unix();
	const unsigned pieces = 20 + 7 * (unsigned)_i;
	char head[100];

	memset(much, 'x', sizeof(much));
	body_limit = 64 << 20;
	snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
	    pieces * sizeof(much));
	say(fd, head);
	for (unsigned i = 0; i < pieces; i++)
		say_bytes(fd, much, sizeof(much));
	shutdown(fd, SHUT_WR);
	settle();
	pass_ms(1500);
	ck_assert_uint_eq(count_of(hear_end(fd), "HTTP/1.1 200"), 1);
	close(fd);
}
END_TEST

static void answer_with_much(struct http_request *r)
{
	static char much[3 << 20];
	struct http_head head;

	memset(much, 'y', sizeof(much));
	http_head_init(&head, 200);
	http_respond(r, &head, (struct bytes){ much, sizeof(much) });
}

START_TEST(a_client_that_has_ended_and_reads_slowly_hears_all_of_its_answer)
{
	int fd = client_new_unix();
	char some[20000], *body;
	size_t all = 0;
	ssize_t n;

	serving = answer_with_much;
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	settle();
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 2000; i++) {
		settle();
		n = recv(fd, some, sizeof(some), 0);
		if (n == 0)
			break;
		body = all == 0 && n > 0 ? memmem(some, (size_t)n, "\r\n\r\n", 4) : NULL;
		all += n > 0 ? (size_t)(some + n - (body ? body + 4 : some)) : 0;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(all, 3 << 20);
	close(fd);
	settle();
	ck_assert_uint_eq(counters()->lingering, 0);
}
END_TEST

START_TEST(a_poll_on_a_unix_socket_is_detached_and_given_back)
{
	int fd = client_new_unix();

	serving = detach_poll;
	say(fd, POST("/poll", "0\r\n\r\n"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(taken[0].keep_alive);
	answer_poll(0, "frame");
	hear(fd, "frame");
	say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
	settle();
	ck_assert_uint_eq(detached_n, 2);
	answer_poll(1, "second");
	hear(fd, "other\n");
	close(fd);
}
END_TEST

START_TEST(a_followed_poll_on_a_unix_socket_hears_of_the_end)
{
	int fd = client_new_unix();

	serving = detach_poll;
	say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
	settle();
	close(fd);
	settle();
	ck_assert_uint_eq(hangups, 1);
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

/* --- TLS -------------------------------------------- */

static void tls_setup(void)
{
	tls_up();
	upgrade_setup();
	serving = NULL;
}

static void tls_teardown(void)
{
	upgrade_teardown();
	tls_down();
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

START_TEST(a_poll_under_tls_is_detached_and_given_back)
{
	int fd;
	SSL *ssl = tls_client(&fd);

	serving = detach_poll;
	tls_say(ssl, POST("/poll", "0\r\n\r\n"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(taken[0].keep_alive);
	ck_assert(stream_is_tls(&streams[0]));
	answer_poll(0, "frame");
	tls_hear(ssl, "frame");
	tls_say(ssl, POST("/poll", "0\r\n\r\n") GET("/other"));
	settle();
	ck_assert_uint_eq(detached_n, 2);
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
	int fd = client_new_tls(tls_server_context), silent = client_new_tls(tls_server_context);

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

START_TEST(plain_http_on_a_port_for_tls_is_told_so_in_plain_text)
{
	static const char *const plain[] = { GET("/"), "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		POST("/", "3\r\n\r\nabc"), "\r\n" GET("/"), "get / HTTP/1.0\r\n\r\n",
		"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "DELETE / HTTP/1.1\r\n\r\n" };

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		int fd = client_new_tls(tls_server_context);
		const char *heard;

		say(fd, plain[i]);
		heard = hear(fd, "https://.\n");
		ck_assert_msg(strncmp(heard, "HTTP/1.1 400 ", 13) == 0, "%s: %s", plain[i], heard);
		ck_assert_ptr_nonnull(strstr(heard, "Content-Type: text/plain"));
		ck_assert_ptr_nonnull(strstr(heard, "Connection: close"));
		hear_end(fd);
		close(fd);
	}
	settle();
	ck_assert_uint_eq(counters()->connections, 0);
	ck_assert_uint_eq(counters()->bad_requests, sizeof(plain) / sizeof(*plain));
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

int main(void)
{
	Suite *suite = suite_create("http_wires");
	TCase *tc = group(suite, "unix", detach_setup, detach_teardown);

	tcase_add_test(tc, a_unix_socket_is_served_like_any_other);
	tcase_add_test(tc, a_large_body_and_answer_pass_a_unix_socket);
	tcase_add_loop_test(
	    tc, a_body_with_the_end_of_its_client_right_behind_it_is_read_to_the_end, 0, 8);
	tcase_add_test(tc, a_client_that_has_ended_and_reads_slowly_hears_all_of_its_answer);
	tcase_add_test(tc, a_poll_on_a_unix_socket_is_detached_and_given_back);
	tcase_add_test(tc, a_followed_poll_on_a_unix_socket_hears_of_the_end);
	tcase_add_test(tc, garbage_on_a_unix_socket_is_answered_with_400);
	tcase_add_test(tc, an_upgrade_on_a_unix_socket_keeps_the_early_bytes);
	tc = group(suite, "tls", tls_setup, tls_teardown);
	tcase_add_test(tc, requests_pass_under_tls_and_pipelined_too);
	tcase_add_test(tc, a_poll_under_tls_is_detached_and_given_back);
	tcase_add_test(tc, an_upgrade_under_tls_keeps_the_early_bytes);
	tcase_add_test(tc, a_handshake_that_fails_or_never_ends_is_given_up);
	tcase_add_test(tc, plain_http_on_a_port_for_tls_is_told_so_in_plain_text);
	tcase_add_test(tc, a_request_beyond_the_limit_is_refused_under_tls_too);
	return run_groups(suite);
}
