/*
 * tests/unit/test_session_deadlines.c - what a session does when time passes.
 */
#include "session_fixture.h"

START_TEST(a_session_without_a_receiver_lives_for_the_disconnect_delay)
{
	open_by_poll();
	fake_loop_pass(loop, 4999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	app_was_told("[close 1002 Connection interrupted][free]");
	ck_assert(!is_in_table());
}
END_TEST

START_TEST(a_receiver_renews_the_disconnect_delay_and_a_message_does_not)
{
	struct session *s = open_by_poll();
	static struct fake_receiver poll;

	fake_loop_pass(loop, 4000);
	fake_receiver_init_polling(&poll);
	session_attach(s, &poll.base);
	fake_loop_pass(loop, 20000); /* as long as it is attached nothing runs out */
	send_text(s, "one");
	fake_loop_turn(loop);
	fake_receiver_said(&poll, "a[one]");
	fake_loop_pass(loop, 4000);
	deliver(s, "I send, but I do not listen");
	app_was_told("[message I send, but I do not listen]");
	fake_loop_pass(loop, 999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	app_was_told("[close 1002 Connection interrupted][free]");
}
END_TEST

/* A session whose client reads what a poll was answered. */
static struct session *answer_slowly(struct fake_receiver *poll)
{
	struct session *s = open_by_poll();

	fake_receiver_init_polling(poll);
	poll->arriving = true;
	session_attach(s, &poll->base);
	send_text(s, "long");
	fake_loop_turn(loop);
	fake_receiver_said(poll, "a[long]");
	ck_assert_ptr_null(s->receiver);
	return s;
}

START_TEST(a_client_that_still_takes_its_answer_need_not_come_back_before)
{
	static struct fake_receiver poll, next;
	struct session *s = answer_slowly(&poll);

	for (unsigned i = 0; i < 10; i++) {
		poll.acknowledged++;
		fake_loop_pass(loop, 9999);
		app_was_told("");
	}
	session_receiver_arrived(s, &poll.base);
	ck_assert_ptr_null(poll.base.session);
	fake_loop_pass(loop, 4999);
	app_was_told("");
	fake_receiver_init(&next);
	session_attach(s, &next.base);
	fake_loop_pass(loop, 20000);
	app_was_told("");
}
END_TEST

START_TEST(a_client_that_takes_no_more_of_its_answer_does_not_come_back)
{
	static struct fake_receiver poll;

	answer_slowly(&poll);
	fake_loop_pass(loop, 9999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	app_was_told("[close 1002 Connection interrupted][free]");
	ck_assert_ptr_null(poll.base.session);
}
END_TEST

START_TEST(a_client_that_has_taken_its_answer_has_the_disconnect_delay)
{
	static struct fake_receiver poll;
	struct session *s = answer_slowly(&poll);

	fake_loop_pass(loop, 1000);
	session_receiver_arrived(s, &poll.base);
	fake_loop_pass(loop, 4999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	app_was_told("[close 1002 Connection interrupted][free]");
}
END_TEST

START_TEST(an_answer_that_breaks_when_its_client_is_back_harms_nobody)
{
	static struct fake_receiver poll, next;
	struct session *s = answer_slowly(&poll);

	fake_receiver_init(&next);
	session_attach(s, &next.base);
	ck_assert_ptr_null(poll.base.session);
	session_receiver_gone(s, &poll.base);
	fake_loop_turn(loop);
	app_was_told("");
	session_receiver_gone(s, &next.base);
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted]");
}
END_TEST

START_TEST(an_answer_that_breaks_while_it_arrives_ends_the_session)
{
	static struct fake_receiver poll;
	struct session *s = answer_slowly(&poll);

	session_receiver_gone(s, &poll.base);
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted]");
}
END_TEST

START_TEST(a_heartbeat_breaks_a_silence_of_the_heartbeat_delay)
{
	static struct fake_receiver r;

	open_stream(&r);
	fake_loop_pass(loop, 24999);
	fake_receiver_said(&r, "");
	fake_loop_pass(loop, 1);
	fake_receiver_said(&r, "h");
	fake_loop_pass(loop, 24999);
	fake_receiver_said(&r, "");
	fake_loop_pass(loop, 1);
	fake_receiver_said(&r, "h");
}
END_TEST

START_TEST(a_message_puts_the_heartbeat_off)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	fake_loop_pass(loop, 20000);
	send_text(s, "one");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[one]");
	fake_loop_pass(loop, 24999);
	fake_receiver_said(&r, "");
	fake_loop_pass(loop, 1);
	fake_receiver_said(&r, "h");
}
END_TEST

START_TEST(a_heartbeat_answers_a_poll)
{
	struct session *s = open_by_poll();
	static struct fake_receiver poll;

	fake_loop_pass(loop, 1000);
	fake_receiver_init_polling(&poll);
	session_attach(s, &poll.base);
	fake_loop_pass(loop, 25000);
	fake_receiver_said(&poll, "h");
	ck_assert_ptr_null(poll.base.session);
	fake_loop_pass(loop, 5000);
	app_was_told("[close 1002 Connection interrupted][free]");
}
END_TEST

START_TEST(no_heartbeat_is_queued_behind_what_the_wire_has_not_taken)
{
	static struct fake_receiver r;
	struct session *s;

	limits.send_timeout_ms = 0;
	s = open_stream(&r);
	r.clogged = true;
	send_text(s, "one");
	fake_loop_turn(loop);
	fake_loop_pass(loop, 60000);
	fake_receiver_said(&r, "a[one]");
}
END_TEST

START_TEST(a_heartbeat_delay_of_zero_is_none)
{
	static struct fake_receiver r;

	limits.heartbeat_delay_ms = 0;
	open_stream(&r);
	fake_loop_pass(loop, 3600 * 1000);
	fake_receiver_said(&r, "");
	app_was_told("");
}
END_TEST

START_TEST(a_heartbeat_that_is_lost_ends_the_session)
{
	static struct fake_receiver r;

	open_stream(&r);
	r.broken = true;
	fake_loop_pass(loop, 25000);
	app_was_told("[close 1002 Connection interrupted]");
}
END_TEST

START_TEST(a_client_that_acknowledges_nothing_any_more_has_vanished)
{
	static struct fake_receiver r;

	open_stream(&r);
	fake_loop_pass(loop, 29000);
	r.unacked = 1;
	fake_loop_pass(loop, 21000);
	app_was_told("");
	fake_loop_pass(loop, 24999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	app_was_told("[close 1002 Connection interrupted]");
	ck_assert_uint_eq(r.aborts, 1);
}
END_TEST

START_TEST(a_client_that_acknowledges_slowly_has_not_vanished)
{
	static struct fake_receiver r;

	open_stream(&r);
	r.unacked = 100000;
	for (unsigned i = 0; i < 100; i++) {
		fake_loop_pass(loop, 10000);
		r.unacked--;
		r.acknowledged += i % 2 == 0;
	}
	r.unacked = 0;
	fake_loop_pass(loop, 100000);
	app_was_told("");
	ck_assert_uint_eq(r.aborts, 0);
}
END_TEST

START_TEST(a_client_that_never_shows_that_it_hears_us_is_closed_as_silent)
{
	static struct fake_receiver r;

	limits.first_message_timeout_ms = 8000;
	open_stream(&r);
	fake_loop_pass(loop, 7999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	fake_loop_turn(loop);
	app_was_told("[close 4501 The client never answered]");
	fake_receiver_said(&r, "c[4501,The client never answered]");
	ck_assert_uint_eq(reactor.counters.connect_failures, 1);
}
END_TEST

START_TEST(a_client_that_was_never_heard_is_asked_once_when_half_of_its_time_is_over)
{
	static struct fake_receiver r;

	limits.first_message_timeout_ms = 8000;
	open_stream(&r);
	fake_loop_pass(loop, 3999);
	ck_assert_uint_eq(r.asked, 0);
	fake_loop_pass(loop, 1);
	ck_assert_uint_eq(r.asked, 1);
	fake_loop_pass(loop, 3999);
	ck_assert_uint_eq(r.asked, 1);
	fake_receiver_said(&r, "");
	session_heard(r.base.session);
	fake_loop_pass(loop, 1);
	app_was_told("");
}
END_TEST

START_TEST(a_client_that_comes_back_when_its_stream_has_ended_only_to_ask_it_has_been_heard)
{
	static struct fake_receiver r, again;
	struct session *s;

	limits.first_message_timeout_ms = 8000;
	s = open_stream(&r);
	r.ends_when_asked = true;
	fake_loop_pass(loop, 4000);
	ck_assert_ptr_null(r.base.session);
	send_text(s, "kept");
	fake_receiver_init(&again);
	session_attach(s, &again.base);
	fake_receiver_said(&again, "a[kept]");
	fake_loop_pass(loop, 20000);
	ck_assert_uint_eq(again.asked, 0);
	app_was_told("");
}
END_TEST

START_TEST(a_client_that_does_not_come_back_is_a_connect_failure_after_the_disconnect_delay)
{
	static struct fake_receiver r;

	limits.first_message_timeout_ms = 20000;
	open_stream(&r);
	r.ends_when_asked = true;
	fake_loop_pass(loop, 10000);
	fake_loop_pass(loop, 4999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted][free]");
	ck_assert_uint_eq(reactor.counters.connect_failures, 1);
}
END_TEST

START_TEST(a_client_whom_a_paused_application_does_not_read_is_not_called_silent)
{
	static struct fake_receiver r;
	struct session *s;

	limits.first_message_timeout_ms = 8000;
	s = open_stream(&r);
	session_pause(s);
	fake_loop_pass(loop, 60000);
	app_was_told("");
	session_resume(s);
	fake_loop_turn(loop);
	fake_loop_pass(loop, 12000);
	fake_loop_turn(loop);
	app_was_told("[close 4501 The client never answered]");
}
END_TEST

START_TEST(a_message_or_a_pong_or_a_second_receiver_shows_that_the_client_hears_us)
{
	struct session *a, *b, *c;
	static struct fake_receiver ra, rb, rc;

	limits.first_message_timeout_ms = 3000;
	fake_receiver_init(&ra);
	fake_receiver_init(&rb);
	fake_receiver_init_polling(&rc);
	session_attach(a = new_session(), &ra.base);
	session_attach(b = new_session(), &rb.base);
	session_attach(c = new_session(), &rc.base);
	deliver(a, "one");
	session_heard(b);
	fake_receiver_init(&rc);
	session_attach(c, &rc.base);
	fake_loop_pass(loop, 3000);
	fake_loop_turn(loop);
	app_was_told("[open][open][open][message one]");
}
END_TEST

START_TEST(a_closing_session_lets_the_loop_rest)
{
	static struct fake_receiver r;
	struct session *s;

	limits.first_message_timeout_ms = 2000;
	limits.heartbeat_delay_ms = 3000;
	s = open_stream(&r);
	r.clogged = true;
	send_text(s, "one");
	fake_loop_turn(loop);
	session_close(s, 4000, "mine"); /* it waits for the wire */
	for (int i = 0; i < 5; i++) {
		fake_loop_pass(loop, 1100);
		fake_loop_turn(loop);
		ck_assert(!fake_loop_is_restless(loop));
	}
}
END_TEST

START_TEST(a_closing_session_without_a_receiver_lets_the_loop_rest)
{
	limits.first_message_timeout_ms = 2000;
	open_by_poll();
	fake_loop_pass(loop, 2000);
	fake_loop_turn(loop);
	app_was_told("[close 4501 The client never answered]");
	fake_loop_pass(loop, 100);
	fake_loop_turn(loop);
	ck_assert(!fake_loop_is_restless(loop));
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, a_session_without_a_receiver_lives_for_the_disconnect_delay);
	tcase_add_test(tc, a_receiver_renews_the_disconnect_delay_and_a_message_does_not);
	tcase_add_test(tc, a_client_that_still_takes_its_answer_need_not_come_back_before);
	tcase_add_test(tc, a_client_that_takes_no_more_of_its_answer_does_not_come_back);
	tcase_add_test(tc, a_client_that_has_taken_its_answer_has_the_disconnect_delay);
	tcase_add_test(tc, an_answer_that_breaks_when_its_client_is_back_harms_nobody);
	tcase_add_test(tc, an_answer_that_breaks_while_it_arrives_ends_the_session);
	tcase_add_test(tc, a_heartbeat_breaks_a_silence_of_the_heartbeat_delay);
	tcase_add_test(tc, a_message_puts_the_heartbeat_off);
	tcase_add_test(tc, a_heartbeat_answers_a_poll);
	tcase_add_test(tc, no_heartbeat_is_queued_behind_what_the_wire_has_not_taken);
	tcase_add_test(tc, a_heartbeat_delay_of_zero_is_none);
	tcase_add_test(tc, a_heartbeat_that_is_lost_ends_the_session);
	tcase_add_test(tc, a_client_that_acknowledges_nothing_any_more_has_vanished);
	tcase_add_test(tc, a_client_that_acknowledges_slowly_has_not_vanished);
	tcase_add_test(tc, a_client_that_never_shows_that_it_hears_us_is_closed_as_silent);
	tcase_add_test(
	    tc, a_client_that_was_never_heard_is_asked_once_when_half_of_its_time_is_over);
	tcase_add_test(
	    tc, a_client_that_comes_back_when_its_stream_has_ended_only_to_ask_it_has_been_heard);
	tcase_add_test(
	    tc, a_client_that_does_not_come_back_is_a_connect_failure_after_the_disconnect_delay);
	tcase_add_test(tc, a_client_whom_a_paused_application_does_not_read_is_not_called_silent);
	tcase_add_test(tc, a_message_or_a_pong_or_a_second_receiver_shows_that_the_client_hears_us);
	tcase_add_test(tc, a_closing_session_lets_the_loop_rest);
	tcase_add_test(tc, a_closing_session_without_a_receiver_lets_the_loop_rest);
}

int main(void)
{
	return session_tests_run("session_deadlines", add);
}
