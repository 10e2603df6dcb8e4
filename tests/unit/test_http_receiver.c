/*
 * tests/unit/test_http_receiver.c - SockJS over HTTP responses, to the octet, with a
 * fake endpoint above.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fakes/fake_endpoint.h"

static struct raw_client a, b;

static void setup(void)
{
	fake_endpoint_up();
	fake_connect(&a);
	fake_connect(&b);
}

static void teardown(void)
{
	raw_close(&a);
	raw_close(&b);
	fake_endpoint_down();
}

/* Drops a head, and checks that it has this line. */
static void expect_head(struct raw_client *c, const char *line)
{
	fake_expect_next(c, "HTTP/1.1 200 OK\r\n");
	fake_expect(c, line);
	fake_expect(c, "\r\n\r\n");
}

/* "hhh...\n" as the first chunk. */
static void expect_prelude(struct raw_client *c)
{
	fake_expect_next(c, "801\r\nhhhhhhhh");
	fake_expect(c, "\n\r\n");
}

static void open_stream(struct raw_client *c)
{
	raw_post(c, "/s/xhr_streaming", "");
	expect_head(c, "Transfer-Encoding: chunked");
	expect_prelude(c);
	fake_expect_next(c, "2\r\no\n\r\n");
	fake_expect_told("[open]");
}

START_TEST(prelude_open_and_every_frame_are_chunks_of_their_own)
{
	open_stream(&a);
	fake_send(fake.last, "one");
	fake_expect_next(&a, "9\r\na[\"one\"]\n\r\n");
	fake_send(fake.last, "two");
	fake_send(fake.last, "three");
	fake_expect_next(&a, "11\r\na[\"two\",\"three\"]\n\r\n");
	session_close(fake.last, 3000, "Go away!");
	fake_expect_next(&a, "13\r\nc[3000,\"Go away!\"]\n\r\n0\r\n\r\n");
}
END_TEST

START_TEST(a_broadcast_message_is_the_same_octets_and_is_encoded_once)
{
	struct message *m = message_new("to <all> 100%", 13, false, true);
	struct session *first;
	struct shared *form;

	ck_assert_ptr_nonnull(m);
	raw_get(&a, "/a/eventsource");
	fake_expect(&a, "\r\n\r\n2\r\n\r\n\r\n"); /* what stands before the first event */
	fake_expect_next(&a, "b\r\ndata: o\r\n\r\n\r\n");
	first = fake.last;
	raw_get(&b, "/b/eventsource");
	fake_expect(&b, "data: o\r\n\r\n\r\n");
	session_send(first, m);
	session_send(fake.last, m);
	fake_expect_next(&a, "1e\r\ndata: a[\"to <all> 100%25\"]\r\n\r\n\r\n");
	fake_expect_next(&b, "1e\r\ndata: a[\"to <all> 100%25\"]\r\n\r\n\r\n");
	form = message_form(m, MESSAGE_EVENTSOURCE, NULL); /* there, or this would crash */
	ck_assert_uint_eq(form->len, 4 + 0x1e + 2);
	fake_send(first, "to <all> 100%");
	fake_expect_next(&a, "1e\r\ndata: a[\"to <all> 100%25\"]\r\n\r\n\r\n");
	message_unref(m);
}
END_TEST

/* The limit counts framed octets without the prelude; 2 for o, and 9 for each message. */
static void reach_the_limit(bool for_many)
{
	fake.base.response_limit_bytes = 2 + 9 * 3;
	open_stream(&a);
	for (int i = 0; i < 3; i++) {
		struct message *m = message_new("one", 3, false, for_many);

		session_send(fake.last, m);
		message_unref(m);
		fake_expect_next(&a, "9\r\na[\"one\"]\n\r\n");
		fake_turns(3);
	}
	fake_expect_next(&a, "0\r\n\r\n");
	raw_post(&a, "/s/xhr_streaming", ""); /* on the same connection */
	expect_head(&a, "Transfer-Encoding: chunked");
	expect_prelude(&a);
	fake_send(fake.last, "two");
	fake_expect_next(&a, "9\r\na[\"two\"]\n\r\n"); /* no second o */
}

START_TEST(a_stream_ends_at_its_limit_and_the_connection_serves_on)
{
	reach_the_limit(false);
}
END_TEST

START_TEST(shared_chunks_count_for_the_limit_as_others_do)
{
	reach_the_limit(true);
}
END_TEST

START_TEST(an_old_client_gets_no_chunks_and_the_end_is_the_end)
{
	static const char request[] = "POST /s/xhr_streaming HTTP/1.0\r\nContent-Length: 0\r\n\r\n";

	raw_write(&a, request, sizeof(request) - 1);
	fake_expect(&a, "\r\n\r\nhhhh");
	ck_assert_ptr_null(strstr(a.in, "Transfer-Encoding"));
	fake_expect(&a, "\n");
	fake_expect_next(&a, "o\n");
	session_close(fake.last, 3000, "Go away!");
	fake_expect_next(&a, "c[3000,\"Go away!\"]\n");
	fake_expect_end(&a);
}
END_TEST

START_TEST(behind_a_proxy_a_stream_lasts_as_long_as_its_connection)
{
	static const char request[] =
	    "POST /s/xhr_streaming HTTP/1.1\r\nHost: a\r\nVia: 1.1 proxy\r\nContent-Length: 0\r\n\r\n";

	fake.base.whole_streams = NETWORK_AUTO;
	raw_write(&a, request, sizeof(request) - 1);
	expect_head(&a, "Connection: close");
	ck_assert_ptr_null(strstr(a.in, "Transfer-Encoding"));
	fake_expect_next(&a, "hhhhhhhh");
	fake_expect(&a, "\n");
	fake_expect_next(&a, "o\n");
	fake_send(fake.last, "one");
	fake_expect_next(&a, "a[\"one\"]\n");
	session_close(fake.last, 3000, "Go away!");
	fake_expect_next(&a, "c[3000,\"Go away!\"]\n");
	fake_expect_end(&a);
}
END_TEST

START_TEST(without_a_proxy_a_stream_has_chunks)
{
	fake.base.whole_streams = NETWORK_AUTO;
	open_stream(&a);
}
END_TEST

/* Nobody waits for more of a response that is over, so its connection serves on. */
START_TEST(a_stream_that_is_held_back_ends_after_each_frame)
{
	fake.base.whole_streams = NETWORK_ALWAYS;
	fake.is_short = true;
	raw_post(&a, "/s/xhr_streaming", "");
	expect_head(&a, "Transfer-Encoding: chunked");
	fake_expect_next(&a, "2\r\no\n\r\n0\r\n\r\n"); /* without a prelude, for it is whole */
	raw_post(&a, "/s/xhr_streaming", "");
	expect_head(&a, "Transfer-Encoding: chunked");
	fake_turns(3);
	ck_assert_ptr_nonnull(fake.last->receiver);
	fake_send(fake.last, "one");
	fake_send(fake.last, "two");
	fake_expect_next(&a, "f\r\na[\"one\",\"two\"]\n\r\n0\r\n\r\n");
	raw_get(&b, "/e/eventsource");
	expect_head(&b, "Transfer-Encoding: chunked");
	fake_expect_next(&b, "2\r\n\r\n\r\n");
	fake_expect_next(&b, "b\r\ndata: o\r\n\r\n\r\n0\r\n\r\n");
}
END_TEST

START_TEST(a_poll_waits_is_answered_whole_and_its_connection_serves_on)
{
	raw_post(&a, "/p/xhr", "");
	fake_expect(&a, "\r\n\r\no\n");
	raw_post(&a, "/p/xhr", "");
	fake_turns(20);
	ck_assert_ptr_nonnull(fake.last->receiver);
	fake_send(fake.last, "one");
	expect_head(&a, "Content-Length: 9");
	fake_expect_next(&a, "a[\"one\"]\n");
	ck_assert_ptr_null(fake.last->receiver);
	raw_post(&a, "/p/xhr", "");
	fake_turns(20);
	session_close(fake.last, 4000, "done");
	expect_head(&a, "Content-Length: 15");
	fake_expect_next(&a, "c[4000,\"done\"]\n");
}
END_TEST

START_TEST(a_second_receiver_is_told_2010_whatever_its_wire)
{
	open_stream(&a);
	raw_post(&b, "/s/xhr_streaming", "");
	expect_head(&b, "Transfer-Encoding: chunked");
	expect_prelude(&b);
	fake_expect_next(&b, "28\r\nc[2010,\"Another connection still open\"]\n\r\n0\r\n\r\n");
	raw_post(&b, "/s/xhr", "");
	fake_expect(&b, "\r\n\r\nc[2010,\"Another connection still open\"]\n");
	fake_send(fake.last, "one");
	fake_expect_next(&a, "9\r\na[\"one\"]\n\r\n");
}
END_TEST

/* Ends a stream by what fills it. */
static void fill_stream(struct raw_client *c)
{
	static char text[4097];

	memset(text, 'x', sizeof(text) - 1);
	fake_send(fake.last, text);
	fake_expect(c, "0\r\n\r\n");
}

START_TEST(a_session_goes_on_by_any_other_transport_and_knows_which_carries_it)
{
	fake.base.response_limit_bytes = 4096;
	open_stream(&a);
	ck_assert_str_eq(fake.last->transport, "xhr_streaming");
	fill_stream(&a);
	ck_assert_str_eq(fake.last->transport, "xhr_streaming");
	fake_send(fake.last, "one");
	raw_post(&a, "/s/xhr", "");
	fake_expect(&a, "\r\n\r\na[\"one\"]\n");
	ck_assert_str_eq(fake.last->transport, "xhr");
	raw_get(&a, "/s/eventsource");
	fake_expect(&a, "\r\n\r\n2\r\n\r\n\r\n");
	fake_send(fake.last, "two");
	fake_expect_next(&a, "12\r\ndata: a[\"two\"]\r\n\r\n\r\n");
	ck_assert_str_eq(fake.last->transport, "eventsource");
	fill_stream(&a);
	fake_send(fake.last, "three");
	raw_get(&a, "/s/jsonp?c=f");
	fake_expect(&a, "/**/f(\"a[\\\"three\\\"]\");\r\n");
	ck_assert_str_eq(fake.last->transport, "jsonp");
	raw_get(&a, "/s/htmlfile?c=f");
	fake_expect(&a, "parent.f");
	fake_send(fake.last, "four");
	fake_expect(&a, "p(\"a[\\\"four\\\"]\");");
	ck_assert_str_eq(fake.last->transport, "htmlfile");
}
END_TEST

START_TEST(a_second_receiver_of_another_kind_is_told_2010_and_changes_nothing)
{
	open_stream(&a);
	raw_post(&b, "/s/xhr", "");
	fake_expect(&b, "\r\n\r\nc[2010,\"Another connection still open\"]\n");
	raw_get(&b, "/s/eventsource");
	fake_expect(&b, "data: c[2010,\"Another connection still open\"]\r\n\r\n");
	ck_assert_str_eq(fake.last->transport, "xhr_streaming");
	fake_send(fake.last, "one");
	fake_expect_next(&a, "9\r\na[\"one\"]\n\r\n");
}
END_TEST

static const char *const stream_requests[] = {
	"POST /s/xhr_streaming HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
	"GET /s/eventsource HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /s/htmlfile?c=f HTTP/1.1\r\nHost: x\r\n\r\n",
};

/* Of every streaming transport. */
START_TEST(a_stream_whose_client_only_listens_ends_once_so_that_it_comes_back)
{
	const char *request = stream_requests[_i];

	fake.base.limits.first_message_timeout_ms = 200;
	fake.base.limits.disconnect_delay_ms = 5000;
	raw_write(&a, request, strlen(request));
	fake_expect_told("[open]");
	fake_expect(&a, "\r\n0\r\n\r\n");
	raw_write(&a, request, strlen(request));
	fake_expect(&a, "HTTP/1.1 200 OK\r\n");
	fake_turns(1);
	ck_assert(fake.last->heard);
	usleep(300000);
	fake_turns(5);
	fake_send(fake.last, "still here");
	fake_expect(&a, "still here");
	ck_assert_ptr_null(strstr(a.in, "\r\n0\r\n\r\n"));
	fake_expect_told("");
}
END_TEST

START_TEST(a_waiting_receiver_whose_client_leaves_ends_the_session)
{
	raw_post(&a, "/p/xhr", "");
	fake_expect(&a, "\r\n\r\no\n");
	raw_post(&a, "/p/xhr", "");
	fake_turns(20);
	raw_close(&a);
	fake_expect_told("[open][close 1002 Connection interrupted]");
	raw_post(&b, "/p/xhr", "");
	fake_expect(&b, "\r\n\r\nc[1002,\"Connection interrupted\"]\n");
}
END_TEST

static void overflow(struct session *s)
{
	static char text[40001];

	memset(text, 'x', sizeof(text) - 1);
	fake_send(s, text);
	fake_send(s, text);
}

START_TEST(a_stream_whose_session_is_cut_within_the_request_does_not_pretend_to_be_whole)
{
	fake.on_open = overflow;
	raw_post(&a, "/s/xhr_streaming", "");
	fake_expect_told("[open][close 4500 The client reads too slowly]");
	fake_expect_end(&a);
	ck_assert_ptr_null(strstr(a.in, "\r\n0\r\n\r\n"));
}
END_TEST

/* The first stream ends at once; the second one attaches to a session that has nothing to say.
 * Returns whether an allocation has failed: then the session has ended, or has no receiver and
 * loses nothing. */
static bool begin_again_without_memory(unsigned long nth)
{
	bool failed;

	fake.base.response_limit_bytes = 2;
	raw_post(&a, "/s/xhr_streaming", "");
	fake_expect_told("[open]");
	fake_turns(5);
	raw_post(&b, "/s/xhr_streaming", "");
	buf_fini(&fake.reactor.wire); /* or it would be large enough already */
	mem_fail_at(nth);
	fake_turns(5);
	failed = mem_failed();
	mem_fail_at(0);
	if (!session_is_open(fake.last)) {
		ck_assert(failed);
		fake_expect_told("[close 1002 Connection interrupted]");
		return true;
	}
	ck_assert_int_eq(fake.last->receiver == NULL, failed);
	fake_send(fake.last, "still there?");
	if (failed) {
		raw_close(&b);
		fake_connect(&b);
		raw_post(&b, "/s/xhr_streaming", "");
	}
	fake_expect(&b, "a[\"still there?\"]\n");
	return failed;
}

START_TEST(a_stream_that_cannot_begin_is_no_receiver)
{
	unsigned long nth = 1;

	for (; begin_again_without_memory(nth); nth++) {
		ck_assert_uint_lt(nth, 30);
		teardown();
		setup();
	}
	ck_assert_uint_gt(nth, 2);
}
END_TEST

START_TEST(a_refused_session_is_answered_with_the_status)
{
	fake.refuse_with = 451;
	raw_post(&a, "/s/xhr_streaming", "");
	fake_expect_next(&a, "HTTP/1.1 451 ");
	fake.refuse_with = 0;
	raw_post(&a, "/s/xhr_send", "[\"x\"]");
	fake_expect(&a, "HTTP/1.1 404 "); /* senders open no session */
	fake_expect_told("");
}
END_TEST

START_TEST(messages_come_by_requests_of_their_own_and_in_order)
{
	open_stream(&a);
	raw_post(&b, "/s/xhr_send", "[\"one\",\"two\"]");
	fake_expect_next(&b, "HTTP/1.1 204 ");
	fake_expect(&b, "\r\n\r\n");
	raw_post(&b, "/s/jsonp_send", "[\"three\"]");
	fake_expect_next(&b, "HTTP/1.1 200 ");
	fake_expect(&b, "\r\n\r\nok");
	raw_post(&b, "/s/xhr_send", "[\"four\"");
	fake_expect_next(&b, "HTTP/1.1 500 ");
	fake_expect(&b, "Broken JSON encoding.");
	fake_expect_told("[message one][message two][message three]");
}
END_TEST

START_TEST(the_answer_to_a_sender_waits_for_a_paused_application)
{
	open_stream(&a);
	session_pause(fake.last);
	raw_post(&b, "/s/xhr_send", "[\"one\"]");
	fake_turns(30);
	raw_expect_silence(&b, 20);
	session_resume(fake.last);
	fake_expect_next(&b, "HTTP/1.1 204 ");
	fake_expect_told("[message one]");
}
END_TEST

START_TEST(a_sender_whose_session_closes_while_it_waits_is_told_so)
{
	open_stream(&a);
	session_pause(fake.last);
	raw_post(&b, "/s/xhr_send", "[\"one\"]");
	fake_turns(30);
	session_close(fake.last, 4000, "done");
	fake_expect_next(&b, "HTTP/1.1 404 ");
	fake_expect_told("[close 4000 done]");
}
END_TEST

START_TEST(a_callback_must_be_there_and_be_one)
{
	static const char *const bad[] = { "", "?c=", "?c=a%20b", "?c=f(1)", "?c=%00", "?c=a%0a",
		"?c=$" };
	char path[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(path, sizeof(path), "/j/jsonp%s", bad[i]);
		raw_get(&a, path);
		fake_expect(&a, "HTTP/1.1 500 ");
		fake_expect(&a, "\"callback\" parameter");
	}
	fake_expect_told("");
	raw_get(&b, "/j/jsonp?callback=a.B_9-");
	fake_expect(&b, "\r\n\r\n/**/a.B_9-(\"o\");\r\n");
}
END_TEST

/* --- requests that come again ---------------------------------------------- */

static uint64_t repeated(void)
{
	return http_server_counters(fake.reactor.http)->repeated;
}

enum { LEARNT = 3 + 2 }; /* recognised by open_repeating() */

/* A session whose polls on `a` and messages on `b` are recognised from now on. */
static void open_repeating(void)
{
	raw_post(&a, "/p/xhr", "");
	fake_expect(&a, "\r\n\r\no\n");
	fake_expect_told("[open]");
	for (int i = 0; i < 4; i++) {
		raw_post(&a, "/p/xhr", "");
		raw_post(&b, "/p/xhr_send", "[\"in\"]");
		fake_expect(&b, "HTTP/1.1 204 No Content\r\n");
		fake_expect(&b, "\r\n\r\n");
		fake_expect_told("[message in]");
		fake_send(fake.last, "out");
		fake_expect(&a, "\r\n\r\na[\"out\"]\n");
	}
	ck_assert_uint_eq(repeated(), LEARNT);
	ck_assert_uint_eq(fake.reactor.sessions.counters.receivers, 0);
}

START_TEST(polls_and_messages_that_come_again_are_recognised)
{
	open_repeating();
	for (unsigned i = 1; i < 20; i++) {
		raw_post(&b, "/p/xhr_send", "[\"more\",\"than one\"]");
		fake_expect_next(&b, "HTTP/1.1 204 No Content\r\n");
		fake_expect(&b, "\r\n\r\n");
		fake_expect_told("[message more][message than one]");
		if (i & 1) /* waits for the poll */
			fake_send(fake.last, "out");
		raw_post(&a, "/p/xhr", "");
		fake_turns(10);
		if (!(i & 1)) /* or is waited for */
			fake_send(fake.last, "out");
		expect_head(&a, "Content-Length: 9");
		fake_expect_next(&a, "a[\"out\"]\n");
		ck_assert_uint_eq(repeated(), LEARNT + 2 * i);
	}
}
END_TEST

START_TEST(polls_that_always_find_a_message_are_recognised_too)
{
	raw_post(&a, "/p/xhr", "");
	fake_expect(&a, "\r\n\r\no\n");
	for (unsigned i = 0; i < 6; i++) {
		fake_send(fake.last, "out");
		raw_post(&a, "/p/xhr", "");
		fake_expect(&a, "\r\n\r\na[\"out\"]\n");
	}
	ck_assert_uint_eq(repeated(), 5); /* all but the first */
}
END_TEST

START_TEST(a_session_that_has_ended_says_so_as_ever)
{
	open_repeating();
	session_close(fake.last, 4000, "done");
	for (int i = 0; i < 1 + 16; i++) {
		raw_post(&a, "/p/xhr", "");
		fake_expect(&a, "\r\n\r\nc[4000,\"done\"]\n");
	}
	for (int i = 0; i < 5; i++) { /* on the same connection */
		raw_post(&a, "/p/xhr", "");
		fake_expect_next(&a, "HTTP/1.1 404 ");
		fake_expect(&a, "There is no such session any more.\n");
	}
	raw_post(&b, "/p/xhr_send", "[\"x\"]");
	fake_expect_next(&b, "HTTP/1.1 404 ");
	ck_assert_uint_eq(repeated(), LEARNT);
}
END_TEST

START_TEST(a_second_recognised_poll_is_told_2010)
{
	struct raw_client c;

	open_repeating();
	fake_connect(&c);
	raw_post(&c, "/p/xhr", "");
	fake_turns(10);
	ck_assert_ptr_nonnull(fake.last->receiver);
	raw_post(&a, "/p/xhr", "");
	fake_expect(&a, "\r\n\r\nc[2010,\"Another connection still open\"]\n");
	ck_assert_uint_eq(repeated(), LEARNT + 1);
	fake_send(fake.last, "out");
	fake_expect(&c, "\r\n\r\na[\"out\"]\n");
	raw_close(&c);
}
END_TEST

START_TEST(a_client_that_leaves_its_recognised_poll_ends_the_session)
{
	open_repeating();
	raw_post(&a, "/p/xhr", "");
	fake_turns(10);
	ck_assert_uint_eq(repeated(), LEARNT + 1);
	raw_close(&a);
	fake_expect_told("[close 1002 Connection interrupted]");
}
END_TEST

START_TEST(an_answer_to_a_recognised_poll_may_be_larger_than_the_wire)
{
	fake.base.limits.send_buffer_bytes = 1 << 24;
	open_repeating();
	for (int i = 0; i < 3; i++) {
		static char text[6000001];

		memset(text, 'x', sizeof(text) - 1);
		fake_send(fake.last, text);
		raw_post(&a, "/p/xhr", "");
		fake_expect(&a, "\r\n\r\na[\"xxx");
		fake_expect(&a, "x\"]\n");
		fake_turns(3);
		ck_assert_ptr_null(fake.last->receiver);
	}
}
END_TEST

START_TEST(what_is_wrong_with_a_recognised_message_is_answered_as_ever)
{
	fake.base.max_message_bytes = 100;
	open_repeating();
	raw_post(&b, "/p/xhr_send", "[\"four\"");
	fake_expect_next(&b, "HTTP/1.1 500 ");
	fake_expect(&b, "Broken JSON encoding.\n");
	raw_post(&b, "/p/xhr_send", "");
	fake_expect_next(&b, "HTTP/1.1 500 ");
	fake_expect(&b, "Payload expected.\n");
	raw_post(&b, "/p/xhr_send",
	    "[\"1234567890123456789012345678901234567890123456789012345678901234567890"
	    "1234567890123456789012345678901\"]");
	fake_expect_next(&b, "HTTP/1.1 413 ");
	ck_assert_uint_eq(repeated(), LEARNT);
	fake_expect_told("");
}
END_TEST

START_TEST(a_recognised_body_above_the_limit_is_refused)
{
	open_repeating();
	fake.base.max_body_bytes = 9;
	raw_post(&b, "/p/xhr_send", "[\"12345\"]");
	fake_expect_next(&b, "HTTP/1.1 204 ");
	fake_expect(&b, "\r\n\r\n");
	ck_assert_uint_eq(repeated(), LEARNT + 1);
	raw_post(&b, "/p/xhr_send", "[\"123456\"]");
	fake_turns(10);
	ck_assert_uint_eq(repeated(), LEARNT + 1);
}
END_TEST

START_TEST(a_recognised_sender_waits_for_a_paused_application_and_goes_on)
{
	open_repeating();
	for (int i = 0; i < 3; i++) {
		session_pause(fake.last);
		raw_post(&b, "/p/xhr_send", "[\"one\"]");
		fake_turns(10);
		raw_post(&b, "/p/xhr_send", "[\"two\"]"); /* too early: behind it */
		fake_turns(10);
		raw_expect_silence(&b, 5);
		ck_assert_uint_eq(fake.reactor.sessions.counters.receivers, 1);
		session_resume(fake.last);
		fake_expect_next(&b, "HTTP/1.1 204 ");
		fake_expect(&b, "\r\n\r\nHTTP/1.1 204 ");
		fake_expect(&b, "\r\n\r\n");
		fake_expect_told("[message one][message two]");
	}
	ck_assert_uint_eq(repeated(), LEARNT + 6);
	session_pause(fake.last);
	raw_post(&b, "/p/xhr_send", "[\"one\"]");
	fake_turns(10);
	raw_close(&b);
	fake_turns(10);
	ck_assert_uint_eq(fake.reactor.sessions.counters.receivers, 0);
	session_resume(fake.last);
	fake_expect_told("[message one]");
}
END_TEST

START_TEST(streams_and_callbacks_are_not_waited_for)
{
	for (int i = 0; i < 4; i++) {
		raw_get(&a, "/j/jsonp?c=cb");
		fake_turns(10);
		if (i > 0)
			fake_send(fake.last, "out");
		fake_expect(&a, i ? "cb(\"a[\\\"out\\\"]\");\r\n" : "cb(\"o\");\r\n");
	}
	ck_assert_uint_eq(repeated(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_receiver");
	TCase *tc = tcase_create("http_receiver");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, prelude_open_and_every_frame_are_chunks_of_their_own);
	tcase_add_test(tc, a_broadcast_message_is_the_same_octets_and_is_encoded_once);
	tcase_add_test(tc, a_stream_ends_at_its_limit_and_the_connection_serves_on);
	tcase_add_test(tc, shared_chunks_count_for_the_limit_as_others_do);
	tcase_add_test(tc, an_old_client_gets_no_chunks_and_the_end_is_the_end);
	tcase_add_test(tc, behind_a_proxy_a_stream_lasts_as_long_as_its_connection);
	tcase_add_test(tc, without_a_proxy_a_stream_has_chunks);
	tcase_add_test(tc, a_stream_that_is_held_back_ends_after_each_frame);
	tcase_add_test(tc, a_poll_waits_is_answered_whole_and_its_connection_serves_on);
	tcase_add_test(tc, a_second_receiver_is_told_2010_whatever_its_wire);
	tcase_add_test(tc, a_session_goes_on_by_any_other_transport_and_knows_which_carries_it);
	tcase_add_test(tc, a_second_receiver_of_another_kind_is_told_2010_and_changes_nothing);
	tcase_add_loop_test(
	    tc, a_stream_whose_client_only_listens_ends_once_so_that_it_comes_back, 0, 3);
	tcase_add_test(tc, a_waiting_receiver_whose_client_leaves_ends_the_session);
	tcase_add_test(
	    tc, a_stream_whose_session_is_cut_within_the_request_does_not_pretend_to_be_whole);
	tcase_add_test(tc, a_stream_that_cannot_begin_is_no_receiver);
	tcase_add_test(tc, a_refused_session_is_answered_with_the_status);
	tcase_add_test(tc, messages_come_by_requests_of_their_own_and_in_order);
	tcase_add_test(tc, the_answer_to_a_sender_waits_for_a_paused_application);
	tcase_add_test(tc, a_sender_whose_session_closes_while_it_waits_is_told_so);
	tcase_add_test(tc, a_callback_must_be_there_and_be_one);
	tcase_add_test(tc, polls_and_messages_that_come_again_are_recognised);
	tcase_add_test(tc, polls_that_always_find_a_message_are_recognised_too);
	tcase_add_test(tc, a_session_that_has_ended_says_so_as_ever);
	tcase_add_test(tc, a_second_recognised_poll_is_told_2010);
	tcase_add_test(tc, a_client_that_leaves_its_recognised_poll_ends_the_session);
	tcase_add_test(tc, an_answer_to_a_recognised_poll_may_be_larger_than_the_wire);
	tcase_add_test(tc, what_is_wrong_with_a_recognised_message_is_answered_as_ever);
	tcase_add_test(tc, a_recognised_body_above_the_limit_is_refused);
	tcase_add_test(tc, a_recognised_sender_waits_for_a_paused_application_and_goes_on);
	tcase_add_test(tc, streams_and_callbacks_are_not_waited_for);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
