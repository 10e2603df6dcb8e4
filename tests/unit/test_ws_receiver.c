/*
 * tests/unit/test_ws_receiver.c - a WebSocket as a receiver, SockJS and raw, with a
 * fake endpoint above.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fakes/fake_endpoint.h"

static struct raw_client a;

static void setup(void)
{
	fake_endpoint_up();
	fake_connect(&a);
}

static void teardown(void)
{
	raw_close(&a);
	fake_endpoint_down();
}

static void open_ws(const char *path)
{
	raw_ws_ask(&a, path, "");
	fake_expect(&a, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
	fake_expect(&a, "\r\n\r\n");
}

static void open_raw(void)
{
	open_ws("/x/raw");
	fake_expect_told("[open]");
}

START_TEST(sockjs_frames_are_text_messages)
{
	open_ws("/x/websocket");
	fake_expect_next(&a, "\x81\x01o");
	fake_expect_told("[open]");
	raw_ws_text(&a, "[\"one\",\"two\"]");
	raw_ws_text(&a, "\"three\"");
	raw_ws_text(&a, "");
	raw_ws_text(&a, "[]");
	fake_expect_told("[message one][message two][message three]");
	fake_send(fake.last, "a");
	fake_send(fake.last, "b");
	fake_expect_next(&a, "\x81\x0a"
	                     "a[\"a\",\"b\"]");
	session_close(fake.last, 3000, "Go away!");
	fake_expect_next(&a, "\x81\x12"
	                     "c[3000,\"Go away!\"]\x88\x0a\x0b\xb8Go away!");
}
END_TEST

START_TEST(raw_messages_are_frames_and_nothing_else_is_said)
{
	open_raw();
	raw_ws_text(&a, "[one]");
	raw_ws_send(&a, 2, "two", 3);
	fake_expect_told("[message [one]][binary two]");
	fake_send(fake.last, "a");
	fake_send(fake.last, "b");
	fake_expect_next(&a, "\x81\x01"
	                     "a\x81\x01"
	                     "b");
	session_close(fake.last, 3000, "Go away!");
	fake_expect_next(&a, "\x88\x0a\x0b\xb8Go away!");
}
END_TEST

/* 5,000 octets behind their header. */
static char *long_frame(char out[5005], char letter)
{
	memcpy(out, "\x81\x7e\x13\x88", 4);
	memset(out + 4, letter, 5000);
	out[5004] = '\0';
	return out;
}

START_TEST(long_raw_messages_are_frames_too)
{
	char one[5005], two[5005];
	char *a_frame = long_frame(one, 'a'), *b_frame = long_frame(two, 'b');

	open_raw();
	fake_send(fake.last, a_frame + 4);
	fake_send(fake.last, b_frame + 4);
	fake_expect_next(&a, a_frame);
	fake_expect_next(&a, b_frame);
	fake_send(fake.last, b_frame + 4); /* with a short one in the same turn */
	fake_send(fake.last, "c");
	fake_send(fake.last, a_frame + 4);
	fake_expect_next(&a, b_frame);
	fake_expect_next(&a, "\x81\x01"
	                     "c");
	fake_expect_next(&a, a_frame);
	for (int i = 0; i < 12; i++)
		fake_send(fake.last, a_frame + 4);
	for (int i = 0; i < 12; i++)
		fake_expect_next(&a, a_frame);
}
END_TEST

START_TEST(surrogates_do_not_leave_in_long_messages_either)
{
	char frame[5005], *text = long_frame(frame, 'a') + 4;
	struct message *m;

	open_raw();
	memcpy(text + 4000, "\xed\xa0\x80", 3);
	m = message_new(text, 5000, false, false);
	m->has_surrogates = true;
	session_send(fake.last, m);
	message_unref(m);
	memcpy(text + 4000, "\xef\xbf\xbd", 3);
	fake_expect_next(&a, frame);
}
END_TEST

START_TEST(a_broadcast_is_encoded_once_and_surrogates_do_not_leave)
{
	struct message *m = message_new("x\xed\xa0\x80y", 5, false, true);
	struct shared *form;

	m->has_surrogates = true;
	open_raw();
	session_send(fake.last, m);
	fake_expect_next(&a, "\x81\x05x\xef\xbf\xbdy");
	form = message_form(m, MESSAGE_WS, NULL);
	session_send(fake.last, m);
	fake_expect_next(&a, "\x81\x05x\xef\xbf\xbdy");
	ck_assert_ptr_eq(message_form(m, MESSAGE_WS, NULL), form);
	message_unref(m);
}
END_TEST

START_TEST(broken_json_ends_the_connection_as_invalid_data)
{
	open_ws("/x/websocket");
	fake_expect_next(&a, "\x81\x01o");
	raw_ws_text(&a, "[\"one\"");
	fake_expect(&a, "\x03\xef"
	                "Broken JSON encoding.");
	fake_expect_told("[open][close 1007 Broken JSON encoding.]");
}
END_TEST

START_TEST(a_binary_message_is_nothing_for_sockjs)
{
	open_ws("/x/websocket");
	raw_ws_send(&a, 2, "x", 1);
	fake_expect(&a, "\x03\xeb"
	                "SockJS has text only.");
}
END_TEST

START_TEST(the_answers_to_messages_before_a_close_go_out_before_its_answer)
{
	open_raw();
	fake_send(fake.last, "one");
	raw_ws_close(&a, 1000, "bye");
	fake_turns(1);
	fake_expect_next(&a, "\x81\x03"
	                     "one\x88\x02\x03\xe8");
	fake_expect_end(&a);
	fake_expect_told("[close 1000 bye]");
}
END_TEST

START_TEST(frames_glued_to_the_handshake_are_not_lost)
{
	static const char request[] = "GET /x/raw HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
	                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	                              "\x81\x83\0\0\0\0one\x81\x83\0\0\0\0t";

	raw_write(&a, request, sizeof(request) - 1);
	fake_expect_told("[open][message one]");
	raw_write(&a, "wo", 2);
	fake_expect_told("[message two]");
}
END_TEST

static void pause_it(struct session *s)
{
	session_pause(s);
}

START_TEST(a_session_paused_while_it_opens_gets_what_was_glued_to_the_handshake_when_it_resumes)
{
	static const char request[] = "GET /x/raw HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
	                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	                              "\x81\x83\0\0\0\0one";

	fake.on_open = pause_it;
	raw_write(&a, request, sizeof(request) - 1);
	fake_expect_told("[open]");
	raw_ws_text(&a, "two");
	fake_turns(30);
	fake_expect_told("");
	session_resume(fake.last);
	fake_expect_told("[message one][message two]");
}
END_TEST

START_TEST(a_paused_session_learns_of_the_end_after_the_messages_before_it)
{
	open_raw();
	session_pause(fake.last);
	raw_ws_text(&a, "one");
	raw_close(&a);
	fake_turns(30);
	fake_expect_told("");
	session_resume(fake.last);
	fake_expect_told("[message one][close 1002 Connection interrupted]");
}
END_TEST

START_TEST(a_silent_client_is_pinged_and_then_dropped)
{
	fake.base.ping_interval_ms = 30;
	fake.base.pong_timeout_ms = 30;
	open_raw();
	fake_expect_next(&a, "\x89");
	fake_expect_told("[close 1002 Connection interrupted]");
	fake_expect_end(&a);
}
END_TEST

START_TEST(a_client_that_answers_pings_stays)
{
	fake.base.ping_interval_ms = 20;
	fake.base.pong_timeout_ms = 100;
	open_raw();
	for (int i = 0; i < 5; i++) {
		const char number[] = { (char)(i + 1), '\0' };

		fake_expect_next(&a, "\x89\x01");
		fake_expect_next(&a, number);
		raw_ws_send(&a, 10, number, 1);
	}
	ck_assert(fake.last->heard);
	fake_expect_told("");
}
END_TEST

START_TEST(a_client_that_does_not_answer_a_close_is_left_after_the_timeout)
{
	fake.base.close_timeout_ms = 30;
	open_raw();
	session_close(fake.last, 4000, "");
	fake_expect_next(&a, "\x88\x02\x0f\xa0");
	fake_expect_told("[close 4000 ]");
	fake_expect_end(&a);
}
END_TEST

static const uint64_t *receivers(void)
{
	return &fake.reactor.sessions.counters.receivers;
}

static void close_both_ways(void)
{
	open_raw();
	raw_ws_close(&a, 1000, "");
	fake_expect_next(&a, "\x88\x02\x03\xe8");
	fake_expect_end(&a);
	fake_expect_told("[close 1000 ]");
	ck_assert_uint_eq(*receivers(), 1);
}

START_TEST(when_both_have_said_close_the_clients_end_is_awaited)
{
	close_both_ways();
	raw_close(&a);
	fake_turns(3);
	ck_assert_uint_eq(*receivers(), 0);
	ck_assert_uint_eq(http_server_counters(fake.reactor.http)->lingering, 0);
}
END_TEST

START_TEST(what_comes_behind_a_close_is_read_so_that_nothing_is_reset)
{
	close_both_ways();
	raw_write(&a, "junk", 4);
	fake_turns(3);
	ck_assert_uint_eq(*receivers(), 0);
	ck_assert_uint_eq(http_server_counters(fake.reactor.http)->lingering, 1);
}
END_TEST

START_TEST(who_does_not_end_behind_both_closes_is_left)
{
	close_both_ways();
	for (int i = 0; *receivers() > 0 && i < 500; i++) {
		usleep(10000);
		fake_turns(1);
	}
	ck_assert_uint_eq(*receivers(), 0);
	ck_assert_uint_eq(http_server_counters(fake.reactor.http)->lingering, 0);
}
END_TEST

START_TEST(a_wire_that_closes_alone_is_dropped_with_its_reactor)
{
	open_raw();
	session_close(fake.last, 4000, "");
	fake_expect_next(&a, "\x88\x02\x0f\xa0");
	fake_expect_told("[close 4000 ]");
	ck_assert_uint_eq(fake.reactor.sessions.counters.receivers, 1);
	/* teardown() checks that none is left */
}
END_TEST

/* After some turns, by FIN or by RST. What comes before an RST is not always read. */
START_TEST(a_client_that_vanishes_during_the_upgrade_leaves_open_and_close)
{
	unsigned turns = (unsigned)_i / 2;
	bool by_reset = _i % 2;

	raw_ws_ask(&a, "/x/raw", "");
	fake_turns(turns);
	if (by_reset)
		raw_reset(&a);
	else
		raw_close(&a);
	fake_turns(30);
	if (turns > 0 || !by_reset || fake.told[0])
		fake_expect_told("[open][close 1002 Connection interrupted]");
}
END_TEST

START_TEST(web_sockets_share_an_id_and_senders_do_not_find_them)
{
	struct raw_client b, c;

	open_ws("/x/websocket");
	fake_connect(&b);
	raw_ws_ask(&b, "/x/websocket", "");
	fake_expect(&b, "\x81\x01o");
	fake_connect(&c);
	raw_post(&c, "/x/xhr_send", "[\"x\"]");
	fake_expect_next(&c, "HTTP/1.1 404 ");
	raw_close(&b);
	raw_close(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ws_receiver");
	TCase *tc = tcase_create("ws_receiver");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, sockjs_frames_are_text_messages);
	tcase_add_test(tc, raw_messages_are_frames_and_nothing_else_is_said);
	tcase_add_test(tc, long_raw_messages_are_frames_too);
	tcase_add_test(tc, surrogates_do_not_leave_in_long_messages_either);
	tcase_add_test(tc, a_broadcast_is_encoded_once_and_surrogates_do_not_leave);
	tcase_add_test(tc, broken_json_ends_the_connection_as_invalid_data);
	tcase_add_test(tc, a_binary_message_is_nothing_for_sockjs);
	tcase_add_test(tc, the_answers_to_messages_before_a_close_go_out_before_its_answer);
	tcase_add_test(tc, frames_glued_to_the_handshake_are_not_lost);
	tcase_add_test(tc,
	    a_session_paused_while_it_opens_gets_what_was_glued_to_the_handshake_when_it_resumes);
	tcase_add_test(tc, a_paused_session_learns_of_the_end_after_the_messages_before_it);
	tcase_add_test(tc, a_silent_client_is_pinged_and_then_dropped);
	tcase_add_test(tc, a_client_that_answers_pings_stays);
	tcase_add_test(tc, a_client_that_does_not_answer_a_close_is_left_after_the_timeout);
	tcase_add_test(tc, when_both_have_said_close_the_clients_end_is_awaited);
	tcase_add_test(tc, what_comes_behind_a_close_is_read_so_that_nothing_is_reset);
	tcase_add_test(tc, who_does_not_end_behind_both_closes_is_left);
	tcase_add_test(tc, a_wire_that_closes_alone_is_dropped_with_its_reactor);
	tcase_add_loop_test(
	    tc, a_client_that_vanishes_during_the_upgrade_leaves_open_and_close, 0, 8);
	tcase_add_test(tc, web_sockets_share_an_id_and_senders_do_not_find_them);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
