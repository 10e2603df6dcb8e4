/*
 * tests/unit/test_session_in.c - what a session receives: delivered, kept for a paused
 * application, bounded.
 */
#include "session/session_private.h"
#include "session_fixture.h"

START_TEST(messages_reach_the_application_at_once_and_in_order)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	deliver(s, "one");
	ck_assert_int_eq(session_deliver(s, "two", 3, true), 0);
	app_was_told("[message one][binary two]");
	ck_assert_uint_eq(reactor.counters.messages_in, 2);
	ck_assert_uint_eq(reactor.counters.bytes_in, 6);
}
END_TEST

START_TEST(messages_to_a_session_that_closes_are_dropped)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	react.message = close_4000;
	deliver(s, "one");
	deliver(s, "two");
	fake_loop_turn(loop);
	app_was_told("[message one][close 4000 mine]");
	deliver(s, "three");
	app_was_told("");
}
END_TEST

START_TEST(a_paused_application_gets_nothing_until_it_resumes_and_then_all_in_order)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	session_pause(s);
	ck_assert_int_eq(r.paused, 1);
	deliver(s, "one");
	deliver(s, "two");
	fake_loop_turn(loop);
	app_was_told("");
	session_resume(s);
	app_was_told(""); /* never from within a call */
	deliver(s, "three");
	app_was_told(""); /* behind what waits */
	ck_assert_int_eq(r.paused, 1);
	fake_loop_turn(loop);
	app_was_told("[message one][message two][message three]");
	ck_assert_int_eq(r.paused, 0);
}
END_TEST

START_TEST(input_held_back_waits_until_both_let_it_go_on)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	session_hold_back(s);
	ck_assert_int_eq(r.paused, 1);
	session_pause(s);
	deliver(s, "one");
	session_resume(s); /* the application cannot undo what is not its own */
	fake_loop_turn(loop);
	app_was_told("");
	session_pause(s);
	session_let_go_on(s);
	fake_loop_turn(loop);
	app_was_told("");
	ck_assert_int_eq(r.paused, 1);
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("[message one]");
	ck_assert_int_eq(r.paused, 0);
}
END_TEST

static void hold_back(struct session *s)
{
	session_hold_back(s);
}

START_TEST(each_message_that_waits_may_hold_back_the_next)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	react.message = hold_back;
	deliver(s, "one");
	deliver(s, "two");
	deliver(s, "three");
	app_was_told("[message one]");
	session_let_go_on(s);
	fake_loop_turn(loop);
	app_was_told("[message two]");
	session_let_go_on(s);
	fake_loop_turn(loop);
	app_was_told("[message three]");
	ck_assert_int_eq(r.paused, 1);
	session_let_go_on(s);
	fake_loop_turn(loop);
	ck_assert_int_eq(r.paused, 0);
}
END_TEST

static void pause_again(struct session *s)
{
	session_pause(s);
}

START_TEST(an_application_that_pauses_in_each_message_gets_them_one_by_one)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	react.message = pause_again;
	deliver(s, "one");
	deliver(s, "two");
	deliver(s, "three");
	app_was_told("[message one]");
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("[message two]");
	ck_assert_int_eq(r.paused, 1);
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("[message three]");
	ck_assert_int_eq(r.paused, 1);
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("");
	ck_assert_int_eq(r.paused, 0);
}
END_TEST

START_TEST(a_session_closed_while_messages_wait_delivers_none_of_them)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	session_pause(s);
	deliver(s, "one");
	deliver(s, "two");
	react.message = close_4000;
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("[message one][close 4000 mine]");
}
END_TEST

START_TEST(pause_and_resume_in_one_turn_leave_the_wire_running)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	session_pause(s);
	session_resume(s);
	session_pause(s);
	session_resume(s);
	fake_loop_turn(loop);
	ck_assert_int_eq(r.paused, 0);
	deliver(s, "one");
	app_was_told("[message one]");
}
END_TEST

START_TEST(a_receiver_that_comes_to_a_paused_session_is_paused)
{
	struct session *s = open_by_poll();
	static struct fake_receiver r;

	session_pause(s);
	fake_receiver_init(&r);
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	ck_assert_int_eq(r.paused, 1);
}
END_TEST

START_TEST(a_session_paused_in_its_open_callback_has_its_wire_paused)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	react.open = pause_again;
	fake_receiver_init(&r);
	session_attach(s, &r.base);
	ck_assert_int_eq(r.paused, 1);
	deliver(s, "one");
	app_was_told("[open]");
}
END_TEST

/* For so many messages of so many octets together. */
static bool has_room_for(const struct session *s, size_t count, size_t octets)
{
	static const char zeros[2048];
	struct bytes texts[16] = { { zeros, octets } };

	ck_assert_uint_le(count, 16);
	for (size_t i = 1; i < count; i++)
		texts[i] = (struct bytes){ zeros, 0 };
	return session_has_room(s, texts, count);
}

START_TEST(what_a_paused_session_keeps_is_bounded)
{
	struct session *s = open_by_poll();

	session_pause(s);
	deliver(s, "0123456789");
	ck_assert(has_room_for(s, 1, 1024 - 2 * INBOX_COST - 10));
	ck_assert(!has_room_for(s, 1, 1024 - 2 * INBOX_COST - 9));
}
END_TEST

START_TEST(messages_of_no_octets_cost_something_too)
{
	struct session *s = open_by_poll();

	session_pause(s);
	deliver(s, "");
	ck_assert(has_room_for(s, 1024 / INBOX_COST - 1, 0));
	ck_assert(!has_room_for(s, 1024 / INBOX_COST, 0));
}
END_TEST

START_TEST(where_nothing_waits_there_is_room_for_any_that_come_together)
{
	ck_assert(has_room_for(open_by_poll(), 16, 1024));
}
END_TEST

/* --- more than a turn has time for ---------------------------------------- */

static const struct bytes three[] = { { "one", 3 }, { "two", 3 }, { "three", 5 } };

START_TEST(what_there_is_no_time_for_waits_for_the_next_turn)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	loop_budget(loop)->left = 0;
	ck_assert_int_eq(session_deliver_all(s, three, 3), 0);
	app_was_told("[message one]");
	ck_assert(session_is_behind(s));
	fake_loop_turn(loop);
	app_was_told("[message two][message three]");
	ck_assert(!session_is_behind(s));
}
END_TEST

START_TEST(what_comes_while_others_wait_for_time_stands_behind_them)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	loop_budget(loop)->left = 0;
	session_deliver_all(s, three, 2);
	deliver(s, "late");
	fake_loop_turn(loop);
	app_was_told("[message one][message two][message late]");
}
END_TEST

START_TEST(the_wire_is_not_read_while_messages_wait_for_time)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	loop_budget(loop)->left = 0;
	session_deliver_all(s, three, 3);
	ck_assert_int_eq(r.paused, 1);
	fake_loop_turn(loop);
	ck_assert_int_eq(r.paused, 0);
	app_was_told("[message one][message two][message three]");
}
END_TEST

START_TEST(an_application_may_pause_in_the_midst_of_what_waited_for_time)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	loop_budget(loop)->left = 0;
	session_deliver_all(s, three, 3);
	react.message = pause_again; /* in the second */
	fake_loop_turn(loop);
	app_was_told("[message one][message two]");
	react.message = NULL;
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("[message three]");
}
END_TEST

/* Somebody whose message waits for the application. */
static void on_waited(struct session_waiter *w, bool taken)
{
	(void)w;
	note(taken ? "[taken]" : "[not taken]");
}

START_TEST(who_waits_for_a_paused_application_is_told_when_it_has_taken_everything)
{
	struct session *s = open_by_poll();
	struct session_waiter first = { .done = on_waited }, second = { .done = on_waited };

	ck_assert(!session_is_behind(s));
	session_pause(s);
	ck_assert(!session_is_behind(s));
	deliver(s, "one");
	ck_assert(session_is_behind(s));
	session_wait(s, &first);
	deliver(s, "two");
	session_wait(s, &second);
	fake_loop_turn(loop);
	app_was_told("");
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("[message one][message two][taken][taken]");
	ck_assert(!session_is_behind(s));
}
END_TEST

START_TEST(who_waits_for_an_application_that_closes_is_told_so_at_once)
{
	struct session *s = open_by_poll();
	struct session_waiter w = { .done = on_waited };

	session_pause(s);
	deliver(s, "one");
	session_wait(s, &w);
	session_close(s, 4000, "mine");
	app_was_told("[not taken]");
	fake_loop_turn(loop);
	app_was_told("[close 4000 mine]");
}
END_TEST

/* STOMP's DISCONNECT, say. A client that was told otherwise would not wait for what it is told. */
START_TEST(who_waits_is_told_that_its_last_message_was_taken_if_the_application_closes_in_it)
{
	struct session *s = open_by_poll();
	struct session_waiter w = { .done = on_waited };

	react.message = close_4000;
	session_pause(s);
	deliver(s, "one");
	session_wait(s, &w);
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("[message one][taken][close 4000 mine]");
}
END_TEST

static struct fake_receiver stream;

static void on_waited_behind_it(struct session_waiter *w, bool taken)
{
	(void)w;
	note("[%s after %u closes]", taken ? "taken" : "not taken", stream.closes);
}

/* Told first that its message was not taken, a client would never learn why. */
START_TEST(who_waits_is_told_after_the_receiver_why)
{
	struct session_waiter w = { .done = on_waited_behind_it };
	struct session *s = new_session_in_table();

	fake_receiver_init(&stream);
	ck_assert_int_eq(session_attach(s, &stream.base), 0);
	app_was_told("[open]");
	session_pause(s);
	deliver(s, "one");
	session_wait(s, &w);
	session_close(s, 4000, "mine");
	app_was_told("");
	fake_loop_turn(loop);
	app_was_told("[not taken after 1 closes][close 4000 mine]");
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, messages_reach_the_application_at_once_and_in_order);
	tcase_add_test(tc, messages_to_a_session_that_closes_are_dropped);
	tcase_add_test(
	    tc, a_paused_application_gets_nothing_until_it_resumes_and_then_all_in_order);
	tcase_add_test(tc, input_held_back_waits_until_both_let_it_go_on);
	tcase_add_test(tc, each_message_that_waits_may_hold_back_the_next);
	tcase_add_test(tc, an_application_that_pauses_in_each_message_gets_them_one_by_one);
	tcase_add_test(tc, a_session_closed_while_messages_wait_delivers_none_of_them);
	tcase_add_test(tc, pause_and_resume_in_one_turn_leave_the_wire_running);
	tcase_add_test(tc, a_receiver_that_comes_to_a_paused_session_is_paused);
	tcase_add_test(tc, a_session_paused_in_its_open_callback_has_its_wire_paused);
	tcase_add_test(tc, what_a_paused_session_keeps_is_bounded);
	tcase_add_test(tc, messages_of_no_octets_cost_something_too);
	tcase_add_test(tc, where_nothing_waits_there_is_room_for_any_that_come_together);
	tcase_add_test(tc, what_there_is_no_time_for_waits_for_the_next_turn);
	tcase_add_test(tc, what_comes_while_others_wait_for_time_stands_behind_them);
	tcase_add_test(tc, the_wire_is_not_read_while_messages_wait_for_time);
	tcase_add_test(tc, an_application_may_pause_in_the_midst_of_what_waited_for_time);
	tcase_add_test(tc, who_waits_for_a_paused_application_is_told_when_it_has_taken_everything);
	tcase_add_test(tc, who_waits_for_an_application_that_closes_is_told_so_at_once);
	tcase_add_test(
	    tc, who_waits_is_told_that_its_last_message_was_taken_if_the_application_closes_in_it);
	tcase_add_test(tc, who_waits_is_told_after_the_receiver_why);
}

int main(void)
{
	return session_tests_run("session_in", add);
}
