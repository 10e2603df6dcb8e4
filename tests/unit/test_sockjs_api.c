/*
 * tests/unit/test_sockjs_api.c - what sockjs.h promises, through the library alone: handshakes,
 * messages, back-pressure, closes, timers.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sockjs_fixture.h"

/* --- handshake -------------------------------------------------------------------- */

static int refuse_with_403(struct sockjs_handshake *h)
{
	(void)h;
	return 403;
}

static int refuse_with_nonsense(struct sockjs_handshake *h)
{
	(void)h;
	return 200;
}

START_TEST(a_handshake_that_is_refused_is_answered_with_its_status_and_makes_no_session)
{
	react.handshake = refuse_with_403;
	start();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	raw_expect_next(&a, "HTTP/1.1 403 ");
	raw_close(&a);
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect_next(&a, "HTTP/1.1 403 ");
	hear_nothing_more();
}
END_TEST

START_TEST(a_handshake_refused_with_nonsense_is_an_internal_error)
{
	react.handshake = refuse_with_nonsense;
	start();
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect_next(&a, "HTTP/1.1 500 ");
}
END_TEST

static const char *or_none(const char *text)
{
	return text ? text : "none";
}

static int look_at_everything(struct sockjs_handshake *h)
{
	tell("[%s %s ?%s", sockjs_handshake_transport(h), sockjs_handshake_prefix(h),
	    sockjs_handshake_query(h));
	tell(" %s %s tls=%d", or_none(sockjs_handshake_origin(h)), sockjs_handshake_remote(h),
	    sockjs_handshake_is_tls(h));
	tell(" %s %s", or_none(sockjs_handshake_header(h, "X-Seen")),
	    or_none(sockjs_handshake_header(h, "Cookie")));
	for (size_t i = 0; sockjs_handshake_subprotocol(h, i); i++)
		tell(" %s", sockjs_handshake_subprotocol(h, i));
	tell("]");
	return 0;
}

START_TEST(a_handshake_shows_the_request_and_only_the_headers_that_are_allowed)
{
	react.handshake = look_at_everything;
	start();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket?q=1&r=2",
	    "Origin: http://there.example\r\nX-Seen: yes\r\nCookie: secret=1\r\n"
	    "Sec-WebSocket-Protocol: one , two\r\nSec-WebSocket-Protocol: ,three\r\n");
	raw_expect(&a, "101");
	hear("[websocket_raw /app ?q=1&r=2 http://there.example 127.0.0.1 tls=0 yes none one two "
	     "three]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr_streaming", "");
	hear("[open]");
	hear("[xhr_streaming /app ? none 127.0.0.1 tls=0 none none]");
}
END_TEST

static int choose_two(struct sockjs_handshake *h)
{
	static char user[] = "Alice";

	ck_assert_int_eq(sockjs_handshake_select(h, "four"), -EINVAL);
	ck_assert_int_eq(sockjs_handshake_select(h, "two"), 0);
	sockjs_handshake_set_user(h, user);
	return 0;
}

static void tell_who(struct sockjs_session *s)
{
	tell("[%s %s %s %s]", (char *)sockjs_user(s), or_none(sockjs_subprotocol(s)),
	    sockjs_transport(s), sockjs_remote(s));
	ck_assert_uint_gt(sockjs_id(s), 0);
	sockjs_set_user(s, NULL);
	ck_assert_ptr_null(sockjs_user(s));
}

START_TEST(user_data_and_the_subprotocol_go_from_the_handshake_to_the_session)
{
	react.handshake = choose_two;
	react.open = tell_who;
	start();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "Sec-WebSocket-Protocol: one, two\r\n");
	raw_expect(&a, "Sec-WebSocket-Protocol: two\r\n");
	hear("[Alice two websocket_raw 127.0.0.1][open]");
}
END_TEST

static void tell_subprotocol(struct sockjs_session *s)
{
	tell("[%s]", or_none(sockjs_subprotocol(s)));
}

START_TEST(an_application_that_does_not_choose_gets_the_first_of_its_list_that_is_offered)
{
	react.open = tell_subprotocol;
	start();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "Sec-WebSocket-Protocol: v0, v1, v2\r\n");
	raw_expect(&a, "Sec-WebSocket-Protocol: v2\r\n");
	hear("[v2][open]");
	raw_open(&b, gateway.port);
	raw_ws_open(&b, "/app/websocket");
	hear("[none][open]");
}
END_TEST

START_TEST(sessions_that_have_agreed_on_the_same_keep_it_when_one_of_them_leaves)
{
	react.open = tell_subprotocol;
	react.close = tell_subprotocol;
	start();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "Sec-WebSocket-Protocol: v2\r\n");
	hear("[v2][open]");
	raw_open(&b, gateway.port);
	raw_ws_ask(&b, "/app/websocket", "Sec-WebSocket-Protocol: v2\r\n");
	hear("[v2][open]");
	raw_reset(&a);
	hear("[v2][close 1002 Connection interrupted]");
	raw_reset(&b);
	hear("[v2][close 1002 Connection interrupted]");
}
END_TEST

static atomic_uint accepted;

static int count_accepted(struct sockjs_handshake *h)
{
	(void)h;
	accepted++;
	return 0;
}

START_TEST(an_accepted_handshake_is_followed_by_open_and_close_even_if_the_client_vanishes)
{
	react.handshake = count_accepted;
	start();
	for (int i = 0; i < 60; i++) {
		raw_open(&a, gateway.port);
		raw_ws_ask(&a, i % 2 ? "/app/websocket" : "/app/0/x/websocket", "");
		if (i % 3)
			usleep((unsigned)i * 10);
		raw_reset(&a);
	}
	raw_open(&a, gateway.port); /* behind all those */
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect(&a, "\r\n\r\no\n");
	sockjs_server_stop(gateway.server);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	ck_assert_uint_gt(accepted, 0);
	ck_assert_uint_eq(count_in_story("[open]"), accepted);
	ck_assert_uint_eq(count_in_story("[close "), accepted);
}
END_TEST

/* --- messages --------------------------------------------------------------------- */

static void echo(struct sockjs_session *s, const char *text, size_t n)
{
	int err = sockjs_send(s, text, n);

	ck_assert_int_eq(err, 0);
}

START_TEST(messages_go_both_ways_on_every_transport)
{
	static const char *const streams[][2] = {
		{ "GET /app/0/e/eventsource", "data: a[\"hi\"]\r\n\r\n" },
		{ "GET /app/0/h/htmlfile?c=f", "p(\"a[\\\"hi\\\"]\");" },
		{ "POST /app/0/s/xhr_streaming", "a[\"hi\"]\n" },
		{ "POST /app/0/x/xhr", NULL },
		{ "GET /app/0/j/jsonp?c=f", NULL },
	};

	react.message = echo;
	start();
	for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
		const char *path = strchr(streams[i][0], ' ') + 1;
		char send_path[64];

		raw_open(&a, gateway.port);
		raw_open(&b, gateway.port);
		if (streams[i][0][0] == 'G')
			raw_get(&a, path);
		else
			raw_post(&a, path, "");
		hear("[open]");
		snprintf(send_path, sizeof(send_path), "/app/0/%c/xhr_send", path[7]);
		raw_post(&b, send_path, "[\"hi\"]");
		raw_expect_sent(&b);
		hear("[message hi]");
		if (streams[i][1]) {
			raw_expect(&a, streams[i][1]);
		} else if (streams[i][0][0] == 'P') {
			raw_expect(&a, "o\n");
			raw_post(&a, path, "");
			raw_expect(&a, "a[\"hi\"]\n");
		} else {
			raw_expect(&a, "f(\"o\");\r\n");
			raw_get(&a, path);
			raw_expect(&a, "f(\"a[\\\"hi\\\"]\");\r\n");
		}
		raw_close(&a);
		raw_close(&b);
		if (streams[i][1])
			hear("[close 1002 Connection interrupted]");
	}
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/app/0/w/websocket");
	raw_ws_expect_text(&a, "o");
	raw_ws_text(&a, "[\"hi\"]");
	raw_ws_expect_text(&a, "a[\"hi\"]");
	hear("[open][message hi]");
	open_raw(&b);
	raw_ws_text(&b, "hi");
	raw_ws_expect_text(&b, "hi");
}
END_TEST

static void send_wrongly(struct sockjs_session *s)
{
	static char large[65536 + 1];
	bool is_raw = strcmp(sockjs_transport(s), "websocket_raw") == 0;

	ck_assert_int_eq(sockjs_send(s, "\xff", 1), -EILSEQ);
	ck_assert_int_eq(sockjs_send(s, "ab\xc3", 3), -EILSEQ);
	memset(large, 'x', sizeof(large));
	ck_assert_int_eq(sockjs_send(s, large, sizeof(large)), -EMSGSIZE);
	ck_assert_int_eq(sockjs_send_binary(s, "\xff\0", 2), is_raw ? 0 : -ENOTSUP);
	say(s, "lone \xed\xa0\x80 surrogate");
}

START_TEST(what_cannot_be_sent_is_refused_and_does_no_harm)
{
	react.open = send_wrongly;
	start();
	open_raw(&a);
	raw_ws_expect(&a, 2, "\xff\0", 2);
	raw_ws_expect_text(&a, "lone \xef\xbf\xbd surrogate");
	raw_open(&b, gateway.port);
	raw_ws_open(&b, "/app/0/w/websocket");
	raw_ws_expect_text(&b, "o");
	raw_ws_expect_text(&b, "a[\"lone \\ud800 surrogate\"]");
}
END_TEST

START_TEST(a_binary_message_is_told_as_one)
{
	start();
	open_raw(&a);
	raw_ws_send(&a, 2, "bits", 4);
	hear("[binary bits]");
}
END_TEST

/* --- pause and resume ------------------------------------------------------------- */

static void pause_on_stop(struct sockjs_session *s, const char *text, size_t n)
{
	if (n == 4 && memcmp(text, "stop", 4) == 0)
		sockjs_pause(s);
}

static void resume(struct sockjs_session *s, void *arg)
{
	(void)arg;
	tell("[resume]");
	sockjs_resume(s);
}

START_TEST(a_paused_web_socket_keeps_order_and_loses_nothing)
{
	react.message = pause_on_stop;
	start();
	open_raw(&a);
	for (int i = 0; i < 3; i++) {
		raw_ws_text(&a, "one");
		raw_ws_text(&a, "stop");
		raw_ws_text(&a, "two");
	}
	raw_ws_close(&a, 1000, "bye");
	for (int i = 0; i < 3; i++) {
		hear(
		    i ? "[message two][message one][message stop]" : "[message one][message stop]");
		usleep(20000);
		hear_nothing_more();
		in_reactor(resume, NULL);
		hear("[resume]");
	}
	hear("[message two][close 1000 bye]");
}
END_TEST

START_TEST(a_paused_session_keeps_order_within_one_sockjs_frame)
{
	react.message = pause_on_stop;
	start();
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/app/0/w/websocket");
	hear("[open]");
	raw_ws_text(&a, "[\"stop\",\"one\",\"stop\",\"two\"]");
	raw_ws_text(&a, "[\"three\"]");
	hear("[message stop]");
	in_reactor(resume, NULL);
	hear("[resume][message one][message stop]");
	in_reactor(resume, NULL);
	hear("[resume][message two][message three]");
}
END_TEST

START_TEST(a_paused_session_makes_an_xhr_send_wait_and_keeps_order)
{
	react.message = pause_on_stop;
	start();
	open_poll(&a, "x");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr_send", "[\"stop\"]");
	raw_expect_sent(&b);
	hear("[message stop]");
	raw_post(&b, "/app/0/x/xhr_send", "[\"one\",\"two\"]");
	raw_expect_silence(&b, 50);
	hear_nothing_more();
	in_reactor(resume, NULL);
	raw_expect_sent(&b);
	raw_post(&b, "/app/0/x/xhr_send", "[\"three\"]");
	raw_expect_sent(&b);
	hear("[resume][message one][message two][message three]");
}
END_TEST

/* --- back-pressure ---------------------------------------------------------------- */

enum { MANY = 4096 }; /* octets of each message of a flood */

static atomic_uint flooded;
static atomic_bool flooding;

/* Sends until it is told that the session is full. */
static void flood(struct sockjs_session *s)
{
	static char text[MANY];
	int err = 0;

	memset(text, 'f', sizeof(text));
	while (flooding && err == 0) {
		err = sockjs_send(s, text, sizeof(text));
		flooded++;
	}
	if (err != 0)
		ck_assert_int_eq(err, SOCKJS_FULL);
	else
		say(s, "the end");
}

START_TEST(a_full_session_is_writable_again_when_the_client_reads_and_gets_everything)
{
	unsigned opcode, frames = 0;
	char text[16];

	react.open = react.writable = flood;
	flooding = true;
	start();
	raw_open_narrow(&a, gateway.port);
	raw_ws_open(&a, "/app/websocket");
	usleep(300000); /* by now the kernel takes no more */
	flooding = false;
	while (raw_ws_next(&a, &opcode, text, sizeof(text)) == MANY)
		frames++;
	ck_assert_mem_eq(text, "the end", 7);
	ck_assert_uint_eq(frames, flooded);
	ck_assert_uint_gt(count_in_story("[writable]"), 0);
}
END_TEST

START_TEST(a_client_that_reads_nothing_for_the_send_timeout_is_closed_as_slow)
{
	static const char *const options[] = { "send_buffer_bytes", "65536", "send_timeout_ms",
		"200", NULL };

	react.open = react.writable = flood;
	flooding = true;
	start_with(options);
	raw_open_narrow(&a, gateway.port);
	raw_ws_open(&a, "/app/websocket");
	for (int i = 0; i < 1500 && count_in_story("[close ") == 0; i++)
		usleep(10000);
	ck_assert_uint_eq(count_in_story("[close 4500 The client reads too slowly]"), 1);
	raw_expect_end(&a);
}
END_TEST

/* Heeds no advice. */
static void send_too_much(struct sockjs_session *s)
{
	static char text[MANY];
	int err;

	memset(text, 'f', sizeof(text));
	do
		err = sockjs_send(s, text, sizeof(text));
	while (err >= 0);
	ck_assert_int_eq(err, -ENOBUFS);
	ck_assert_int_eq(sockjs_send(s, "x", 1), -EPIPE);
	tell("[-ENOBUFS]");
}

START_TEST(a_full_buffer_closes_the_session_as_slow_on_every_wire)
{
	static const char *const requests[] = { "POST /app/0/x/xhr_streaming",
		"GET /app/0/e/eventsource", "GET /app/0/h/htmlfile?c=f", "POST /app/0/p/xhr",
		"WS /app/websocket", "WS /app/0/w/websocket" };

	react.open = send_too_much;
	start();
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		const char *path = strchr(requests[i], ' ') + 1;

		raw_open(&a, gateway.port);
		if (requests[i][0] == 'G')
			raw_get(&a, path);
		else if (requests[i][0] == 'P')
			raw_post(&a, path, "");
		else
			raw_ws_ask(&a, path, "");
		hear("[-ENOBUFS][open][close 4500 The client reads too slowly]");
		if (strcmp(path, "/app/0/p/xhr") == 0)
			raw_expect(&a, "o\n"); /* it was answered before, and serves on */
		else
			raw_expect_end(&a);
		raw_close(&a);
	}
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/p/xhr", "");
	raw_expect(&a, "c[4500,\"The client reads too slowly\"]\n");
}
END_TEST

/* --- closing ---------------------------------------------------------------------- */

struct farewell {
	unsigned code;
	const char *reason;
};

static void close_so(struct sockjs_session *s, void *arg)
{
	const struct farewell *f = arg;

	say(s, "last words");
	sockjs_close(s, f->code, f->reason);
	sockjs_close(s, 4999, "the first call counts");
	ck_assert_int_eq(sockjs_send(s, "x", 1), -EPIPE);
}

START_TEST(the_client_gets_what_was_sent_and_then_code_and_reason_of_the_close)
{
	struct farewell f = { 4000, "so \"long\"" };

	start();
	open_raw(&a);
	in_reactor(close_so, &f);
	raw_ws_expect_text(&a, "last words");
	raw_ws_expect_close(&a, 4000, "so \"long\"");
	raw_ws_close(&a, 4000, "");
	raw_expect_end(&a); /* the server closes first */
	hear("[close 4000 so \"long\"]");

	open_stream(&b, "x");
	in_reactor(close_so, &f);
	raw_expect(&b, "a[\"last words\"]\n");
	raw_expect(&b, "c[4000,\"so \\\"long\\\"\"]\n\r\n0\r\n\r\n");
	hear("[close 4000 so \"long\"]");
	raw_post(&b, "/app/0/x/xhr_send", "[\"too late\"]");
	raw_expect_next(&b, "HTTP/1.1 404 ");
	hear_nothing_more();
}
END_TEST

START_TEST(a_code_that_may_not_be_used_becomes_1000_and_a_long_reason_is_cut_at_a_character)
{
	char longest[3 * 41 + 4];
	struct farewell f = { 1006, NULL };

	for (size_t i = 0; i < 42; i++)
		memcpy(longest + 3 * i, "\xe2\x82\xac", 3);
	longest[sizeof(longest) - 1] = '\0';
	start();
	open_raw(&a);
	in_reactor(close_so, &f);
	raw_ws_expect_text(&a, "last words");
	raw_ws_expect_close(&a, 1000, "Normal closure");
	hear("[close 1000 Normal closure]");
	open_raw(&b);
	f = (struct farewell){ 3999, longest };
	in_reactor(close_so, &f);
	raw_ws_expect_text(&b, "last words");
	longest[123] = '\0';
	raw_ws_expect_close(&b, 3999, longest);
}
END_TEST

START_TEST(the_close_of_a_client_is_told_as_it_was_said)
{
	start();
	open_raw(&a);
	raw_ws_close(&a, 3456, "my reason");
	raw_ws_expect_close(&a, 3456, "");
	hear("[close 3456 my reason]");
	open_raw(&b);
	raw_ws_send(&b, 8, "", 0);
	hear("[close 1005 ]");
	raw_ws_expect(&b, 8, "", 0);
}
END_TEST

START_TEST(a_client_that_vanishes_or_breaks_the_rules_is_told_as_1002)
{
	start();
	open_raw(&a);
	raw_reset(&a);
	hear("[close 1002 Connection interrupted]");
	open_stream(&a, "x");
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	open_raw(&b);
	raw_write(&b, "\x81\x01x", 3); /* not masked */
	for (int i = 0; i < 1500 && count_in_story("[close 1002 ") < 3; i++)
		usleep(10000);
	ck_assert_uint_eq(count_in_story("[close 1002 "), 3);
}
END_TEST

static void close_at_once(struct sockjs_session *s)
{
	say(s, "welcome");
	sockjs_close(s, 3000, "Go away!");
}

START_TEST(a_session_may_be_closed_while_it_opens)
{
	react.open = close_at_once;
	start();
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect(&a, "\r\n\r\no\n");
	hear("[open][close 3000 Go away!]");
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect(&a, "\r\n\r\na[\"welcome\"]\n");
	raw_post(&a, "/app/0/x/xhr", "");
	raw_expect(&a, "\r\n\r\nc[3000,\"Go away!\"]\n");
}
END_TEST

/* --- timer ------------------------------------------------------------------------ */

static void set_three_timers(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_set_timer(s, 0), 0);
	ck_assert_int_eq(sockjs_set_timer(s, 60000), 0);
	ck_assert_int_eq(sockjs_set_timer(s, 30), 0); /* takes the place of the other */
}

static void cancel_timer(struct sockjs_session *s, const char *text, size_t n)
{
	(void)text, (void)n;
	ck_assert_int_eq(sockjs_set_timer(s, 20), 0);
	ck_assert_int_eq(sockjs_set_timer(s, 0), 0);
}

START_TEST(a_session_has_one_timer_that_fires_once_unless_it_is_cancelled)
{
	react.open = set_three_timers;
	react.message = cancel_timer;
	start();
	open_raw(&a);
	hear("[timer]");
	raw_ws_text(&a, "cancel");
	hear("[message cancel]");
	usleep(100000);
	hear_nothing_more();
}
END_TEST

static void set_timer_again(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_set_timer(s, 1), 0);
}

START_TEST(a_session_that_is_over_has_no_timer)
{
	react.open = set_three_timers;
	react.close = set_timer_again;
	start();
	open_stream(&a, "x"); /* its memory stays for a while after the close */
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	usleep(100000);
	hear_nothing_more();
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(
	    tc, a_handshake_that_is_refused_is_answered_with_its_status_and_makes_no_session);
	tcase_add_test(tc, a_handshake_refused_with_nonsense_is_an_internal_error);
	tcase_add_test(tc, a_handshake_shows_the_request_and_only_the_headers_that_are_allowed);
	tcase_add_test(tc, user_data_and_the_subprotocol_go_from_the_handshake_to_the_session);
	tcase_add_test(tc, sessions_that_have_agreed_on_the_same_keep_it_when_one_of_them_leaves);
	tcase_add_test(
	    tc, an_application_that_does_not_choose_gets_the_first_of_its_list_that_is_offered);
	tcase_add_test(
	    tc, an_accepted_handshake_is_followed_by_open_and_close_even_if_the_client_vanishes);
	tcase_add_test(tc, messages_go_both_ways_on_every_transport);
	tcase_add_test(tc, what_cannot_be_sent_is_refused_and_does_no_harm);
	tcase_add_test(tc, a_binary_message_is_told_as_one);
	tcase_add_test(tc, a_paused_web_socket_keeps_order_and_loses_nothing);
	tcase_add_test(tc, a_paused_session_keeps_order_within_one_sockjs_frame);
	tcase_add_test(tc, a_paused_session_makes_an_xhr_send_wait_and_keeps_order);
	tcase_add_test(
	    tc, a_full_session_is_writable_again_when_the_client_reads_and_gets_everything);
	tcase_add_test(tc, a_client_that_reads_nothing_for_the_send_timeout_is_closed_as_slow);
	tcase_add_test(tc, a_full_buffer_closes_the_session_as_slow_on_every_wire);
	tcase_add_test(tc, the_client_gets_what_was_sent_and_then_code_and_reason_of_the_close);
	tcase_add_test(
	    tc, a_code_that_may_not_be_used_becomes_1000_and_a_long_reason_is_cut_at_a_character);
	tcase_add_test(tc, the_close_of_a_client_is_told_as_it_was_said);
	tcase_add_test(tc, a_client_that_vanishes_or_breaks_the_rules_is_told_as_1002);
	tcase_add_test(tc, a_session_may_be_closed_while_it_opens);
	tcase_add_test(tc, a_session_has_one_timer_that_fires_once_unless_it_is_cancelled);
	tcase_add_test(tc, a_session_that_is_over_has_no_timer);
}

int main(void)
{
	return sockjs_tests_run("sockjs_api", add);
}
