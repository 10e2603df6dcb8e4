/*
 * tests/unit/test_http_detach.c - connections that somebody takes: detached, given back,
 * upgraded; and all that without memory.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http_fixture.h"
#include "http_takers.h"

/* --- detaching -------------------------------------------------------------------- */

START_TEST(a_detached_connection_belongs_to_its_taker)
{
	int fd = client_new();

	serving = detach_stream;
	say(fd, GET("/"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(taken[0].keep_alive);
	ck_assert_int_eq(taken[0].peer.family, AF_INET);
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
		ck_assert(taken[i].keep_alive);
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

START_TEST(what_is_pipelined_waits_until_its_turn)
{
	int fd = _i ? client_new_unix() : client_new();
	const char *text;

	serving = detach_poll;
	say(fd, POST("/poll", "2\r\n\r\nab") POST("/poll", "0\r\n\r\n") GET("/other"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(taken[0].keep_alive);
	answer_poll(0, "first");
	settle();
	ck_assert_uint_eq(detached_n, 2);
	answer_poll(1, "second");
	text = hear(fd, "other\n");
	ck_assert_uint_eq(count_of(text, "HTTP/1.1 200"), 3);
	ck_assert(strstr(text, "first") < strstr(text, "second"));
	close(fd);
}
END_TEST

START_TEST(a_chunked_poll_is_one_like_any)
{
	int fd = client_new();

	serving = detach_poll;
	say(fd, "POST /poll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
	        "chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" GET("/other"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	ck_assert(taken[0].keep_alive);
	answer_poll(0, "frame");
	hear(fd, "other\n");
	close(fd);
}
END_TEST

START_TEST(the_owner_of_a_poll_hears_that_the_client_has_gone)
{
	for (unsigned i = 0; i < 2; i++) {
		struct linger hard = { .l_onoff = 1 };
		int fd = client_new();

		serving = detach_poll;
		say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
		settle();
		if (i > 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
		settle();
		ck_assert_uint_eq(hangups, i + 1);
		ck_assert_uint_eq(counters()->connections, 0);
	}
}
END_TEST

/* Its end is here together with its request. */
START_TEST(the_owner_of_a_poll_hears_that_the_client_had_gone_before)
{
	int fd = _i ? client_new_unix() : client_new();

	serving = detach_poll;
	say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
	shutdown(fd, SHUT_WR);
	settle();
	ck_assert_uint_eq(hangups, 1);
	close(fd);
	settle();
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(a_server_that_ends_lets_go_of_half_a_request)
{
	int fd = client_new(), other = client_new();

	serving = detach_poll;
	say(fd, POST("/poll", "0\r\n\r\n") GET("/other"));
	say(other, "GET / HT");
	settle();
	ck_assert_uint_eq(counters()->connections, 1);
	close(other);
	close(fd); /* the teardown does the rest */
}
END_TEST

START_TEST(what_is_behind_a_stream_that_ends_is_dropped_without_a_reset)
{
	int fd = client_new();

	serving = detach_stream;
	say(fd, GET("/") GET("/lost"));
	settle();
	ck_assert_uint_eq(detached_n, 1);
	write_text(0, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nstream");
	http_server_end(server, &streams[0]);
	ck_assert_uint_eq(count_of(hear_end(fd), "stream"), 1);
	close(fd);
}
END_TEST

/* --- upgrades --------------------------------------------------------------------- */

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
	ck_assert_uint_eq(upgrades, 0);
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
	ck_assert_uint_le(upgrades, 20);
	ck_assert_uint_eq(counters()->connections, 0);
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
		upgrades = 0;
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
		ck_assert_uint_eq(counters()->connections, 0);
		ck_assert_uint_le(upgrades, 1);
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

int main(void)
{
	Suite *suite = suite_create("http_detach");
	TCase *tc = group(suite, "detach", detach_setup, detach_teardown);

	tcase_add_test(tc, a_detached_connection_belongs_to_its_taker);
	tcase_add_test(tc, a_poll_is_answered_and_its_connection_goes_on);
	tcase_add_test(tc, a_request_that_comes_behind_a_waiting_poll_is_answered_after_it);
	tcase_add_loop_test(tc, what_is_pipelined_waits_until_its_turn, 0, 2);
	tcase_add_test(tc, a_chunked_poll_is_one_like_any);
	tcase_add_test(tc, the_owner_of_a_poll_hears_that_the_client_has_gone);
	tcase_add_loop_test(tc, the_owner_of_a_poll_hears_that_the_client_had_gone_before, 0, 2);
	tcase_add_test(tc, a_server_that_ends_lets_go_of_half_a_request);
	tcase_add_test(tc, what_is_behind_a_stream_that_ends_is_dropped_without_a_reset);
	tc = group(suite, "upgrade", upgrade_setup, upgrade_teardown);
	tcase_add_test(tc, an_upgraded_stream_comes_with_the_bytes_behind_the_request);
	tcase_add_test(tc, http_1_0_is_not_upgraded);
	tcase_add_test(tc, an_upgrade_whose_client_has_gone_is_told_of_once);
	tc = group(suite, "memory", NULL, NULL);
	tcase_add_test(tc, requests_without_memory);
	tcase_add_test(tc, polls_without_memory);
	tcase_add_test(tc, upgrades_without_memory);
	return run_groups(suite);
}
