/*
 * tests/unit/test_session_out.c - what a session sends: when, in which frames, and what
 * happens when its wire takes less than that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "session_fixture.h"

/* --- sending ---------------------------------------------------------------------- */

START_TEST(what_is_sent_in_one_turn_goes_out_as_one_frame_at_its_end)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	ck_assert_int_eq(send_text(s, "one"), 0);
	ck_assert_int_eq(send_text(s, "two"), 0);
	fake_receiver_said(&r, "");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[one,two]");
	ck_assert_uint_eq(session_buffered(s), 0);
	ck_assert_uint_eq(reactor.counters.messages_out, 2);
	ck_assert_uint_eq(reactor.counters.bytes_out, 6);
}
END_TEST

START_TEST(a_frame_has_at_most_256_messages)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	limits.send_buffer_bytes = 1 << 20;
	for (int i = 0; i < 257; i++)
		ck_assert_int_eq(send_text(s, "x"), 0);
	fake_loop_turn(loop);
	ck_assert_uint_eq(r.frames, 2);
	ck_assert_uint_eq(reactor.counters.messages_out, 257);
}
END_TEST

/* "x0".."xN" as one; one reference, the caller's. */
static struct message *joined(unsigned count)
{
	struct message *parts[300] = { NULL }, *m;
	char text[16];

	for (unsigned i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "x%u", i);
		parts[i] = message_new(text, strlen(text), false, true);
	}
	m = message_join(parts, count);
	for (unsigned i = 0; i < count; i++)
		message_unref(parts[i]);
	return m;
}

/* Alone it goes as it is, and the receiver knows what to do; among others its messages are some of
 * theirs. */
START_TEST(what_is_joined_is_its_messages)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);
	struct message *m = joined(2), *many = joined(300);

	limits.send_buffer_bytes = 1 << 20;
	ck_assert_int_eq(session_send(s, m), 0);
	ck_assert_uint_eq(session_buffered(s), m->len + COST);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[x0x1]");
	ck_assert_uint_eq(reactor.counters.messages_out, 2);
	ck_assert_int_eq(send_text(s, "one"), 0);
	ck_assert_int_eq(session_send(s, m), 0);
	ck_assert_int_eq(session_send(s, m), 0);
	ck_assert_int_eq(send_text(s, "two"), 0);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[one,x0,x1,x0,x1,two]");
	ck_assert_uint_eq(reactor.counters.messages_out, 8);
	ck_assert_int_eq(send_text(s, "one"), 0);
	ck_assert_int_eq(session_send(s, many), 0);
	ck_assert_int_eq(send_text(s, "two"), 0);
	fake_loop_turn(loop);
	ck_assert_uint_eq(r.frames, 2 + 3);
	ck_assert_uint_eq(reactor.counters.messages_out, 310);
	ck_assert_uint_eq(session_buffered(s), 0);
	message_unref(m);
	message_unref(many);
}
END_TEST

START_TEST(a_large_message_goes_out_whole_and_in_a_frame_of_its_own)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	limits.send_buffer_bytes = 1 << 20;
	ck_assert_int_eq(send_cost(s, 300000), 0);
	ck_assert_int_ge(send_text(s, "x"), 0);
	fake_loop_turn(loop);
	ck_assert_uint_eq(r.frames, 2);
}
END_TEST

START_TEST(messages_wait_for_the_next_poll_which_takes_them_all_at_once)
{
	struct session *s = open_by_poll();
	static struct fake_receiver poll;

	send_text(s, "one");
	fake_loop_turn(loop);
	send_text(s, "two");
	fake_loop_turn(loop);
	fake_receiver_init_polling(&poll);
	ck_assert_int_eq(session_attach(s, &poll.base), 0);
	fake_receiver_said(&poll, "a[one,two]");
	ck_assert_ptr_null(poll.base.session);
}
END_TEST

START_TEST(a_waiting_poll_is_answered_by_the_first_message)
{
	struct session *s = open_by_poll();
	static struct fake_receiver poll, next;

	fake_receiver_init_polling(&poll);
	ck_assert_int_eq(session_attach(s, &poll.base), 0);
	ck_assert_ptr_eq(poll.base.session, s);
	send_text(s, "one");
	fake_loop_turn(loop);
	send_text(s, "two");
	fake_loop_turn(loop);
	fake_receiver_said(&poll, "a[one]");
	fake_receiver_init_polling(&next);
	ck_assert_int_eq(session_attach(s, &next.base), 0);
	fake_receiver_said(&next, "a[two]");
}
END_TEST

START_TEST(a_message_sent_in_the_open_callback_follows_the_o)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	react.open = say_hello;
	fake_receiver_init(&r);
	session_attach(s, &r.base);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "oa[hello]");
}
END_TEST

START_TEST(an_answer_to_a_message_goes_out_in_the_same_turn)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	react.message = say_hello;
	deliver(s, "one");
	deliver(s, "two");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[hello,hello]");
}
END_TEST

static void sending_fails(struct session *s)
{
	ck_assert_int_eq(send_text(s, "too late"), -EPIPE);
	session_close(s, 4001, "too late");
	session_resume(s);
}

START_TEST(nothing_can_be_sent_after_close_nor_in_the_close_callback)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	react.close = sending_fails;
	session_close(s, 4000, "mine");
	sending_fails(s);
	fake_loop_turn(loop);
	app_was_told("[close 4000 mine]");
	fake_receiver_said(&r, "c[4000,mine]");
}
END_TEST

START_TEST(a_wire_that_breaks_while_a_message_is_said_ends_the_session)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.broken = true;
	send_text(s, "one");
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted]");
	ck_assert_ptr_null(r.base.session);
	ck_assert_uint_eq(r.aborts + r.closes, 0); /* it knows by itself */
}
END_TEST

/* --- back-pressure ---------------------------------------------------------------- */

START_TEST(half_a_buffer_says_full_and_a_quarter_says_writable)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	ck_assert_int_eq(send_cost(s, 1024 + COST), 0);
	fake_loop_turn(loop);
	ck_assert_uint_eq(session_buffered(s), 1024); /* taken by the receiver, not by the kernel */
	ck_assert_int_eq(send_cost(s, 1024), 0);
	ck_assert_int_eq(send_cost(s, COST), SESSION_FULL);
	fake_loop_turn(loop);
	app_was_told("");
	fake_receiver_drain(&r, 500);
	fake_loop_turn(loop);
	app_was_told("");
	r.clogged = false;
	fake_receiver_drain(&r, 0);
	fake_loop_turn(loop);
	app_was_told("[writable]");
	fake_loop_turn(loop);
	app_was_told("");
	ck_assert_int_eq(send_cost(s, 1024), 0);
}
END_TEST

START_TEST(exactly_half_is_not_full_and_exactly_all_is_accepted)
{
	struct session *s = open_by_poll();

	ck_assert_int_eq(send_cost(s, 2048), 0);
	ck_assert_int_eq(send_cost(s, 2048), SESSION_FULL);
	ck_assert_uint_eq(session_buffered(s), 4096);
	ck_assert_int_eq(s->state, SESSION_OPEN);
}
END_TEST

START_TEST(a_poll_that_empties_the_buffer_makes_the_session_writable)
{
	struct session *s = open_by_poll();
	static struct fake_receiver poll;

	ck_assert_int_eq(send_cost(s, 3000), SESSION_FULL);
	fake_loop_turn(loop);
	app_was_told("");
	fake_receiver_init_polling(&poll);
	ck_assert_int_eq(session_attach(s, &poll.base), 0);
	ck_assert_uint_eq(session_buffered(s), 0);
	app_was_told(""); /* not from within the request */
	fake_loop_turn(loop);
	app_was_told("[writable]");
}
END_TEST

START_TEST(a_session_is_not_writable_while_more_than_a_quarter_waits)
{
	struct session *s = open_by_poll();
	static struct fake_receiver poll;

	limits.send_buffer_bytes = 400000;
	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(send_cost(s, 100000), 0);
	fake_receiver_init_polling(&poll);
	session_attach(s, &poll.base); /* two make a frame */
	fake_loop_turn(loop);
	ck_assert_uint_eq(session_buffered(s), 200000);
	app_was_told("");
	fake_receiver_init_polling(&poll);
	session_attach(s, &poll.base);
	fake_loop_turn(loop);
	app_was_told("[writable]");
}
END_TEST

static void send_more(struct session *s)
{
	react.writable = NULL;
	ck_assert_int_eq(send_text(s, "more"), 0);
}

START_TEST(a_message_sent_in_the_writable_callback_goes_out)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	react.writable = send_more;
	ck_assert_int_eq(send_cost(s, 3000), SESSION_FULL);
	fake_loop_turn(loop);
	app_was_told("[writable]");
	fake_loop_turn(loop);
	ck_assert_ptr_nonnull(strstr(r.said, "]a[more]"));
}
END_TEST

START_TEST(a_session_closed_in_the_writable_callback_closes_in_due_form)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	react.writable = close_4000;
	send_cost(s, 3000);
	fake_loop_turn(loop);
	fake_loop_turn(loop);
	app_was_told("[writable][close 4000 mine]");
	ck_assert_ptr_nonnull(strstr(r.said, "]c[4000,mine]"));
}
END_TEST

START_TEST(a_full_buffer_closes_the_session_and_drops_its_wire)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	ck_assert_int_eq(send_cost(s, 3000), SESSION_FULL);
	fake_loop_turn(loop);
	ck_assert_int_eq(send_cost(s, 1200), -ENOBUFS);
	ck_assert_uint_eq(r.aborts, 1);
	app_was_told(""); /* never from within a call */
	ck_assert_int_eq(send_text(s, "x"), -EPIPE);
	fake_loop_turn(loop);
	app_was_told("[close 4500 The client reads too slowly]");
	ck_assert_uint_eq(reactor.counters.closed[CLOSE_ROW_SLOW], 1);
}
END_TEST

START_TEST(a_message_that_could_never_fit_is_refused_and_harms_nobody)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	ck_assert_int_eq(send_cost(s, 4097), -EMSGSIZE);
	ck_assert_int_eq(send_cost(s, 4096), SESSION_FULL);
	ck_assert_int_eq(s->state, SESSION_OPEN);
}
END_TEST

START_TEST(nothing_is_said_to_a_receiver_whose_queue_is_not_empty)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	send_text(s, "one");
	fake_loop_turn(loop);
	send_text(s, "two");
	fake_loop_turn(loop);
	send_text(s, "three");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[one]");
	r.clogged = false;
	fake_receiver_drain(&r, 0);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[two,three]");
}
END_TEST

START_TEST(a_wire_that_takes_nothing_during_the_send_timeout_is_dropped)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	send_text(s, "one");
	fake_loop_turn(loop);
	fake_loop_pass(loop, 9999);
	ck_assert_uint_eq(r.aborts, 0);
	fake_loop_pass(loop, 1);
	ck_assert_uint_eq(r.aborts, 1);
	app_was_told("[close 4500 The client reads too slowly]");
}
END_TEST

START_TEST(a_wire_that_is_found_blocked_later_is_dropped_too)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	send_text(s, "one");
	fake_loop_turn(loop);
	r.queued = 3;
	session_blocked(s);
	fake_loop_pass(loop, 9999);
	ck_assert_uint_eq(r.aborts, 0);
	fake_loop_pass(loop, 1);
	ck_assert_uint_eq(r.aborts, 1);
}
END_TEST

START_TEST(a_wire_that_takes_something_now_and_then_is_not_dropped)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	send_cost(s, 100 + COST);
	fake_loop_turn(loop);
	for (unsigned left = 99; left > 90; left--) {
		fake_receiver_drain(&r, left);
		fake_loop_pass(loop, 10000);
		ck_assert_uint_eq(r.aborts, 0);
	}
	fake_loop_pass(loop, 10000);
	ck_assert_uint_eq(r.aborts, 1);
}
END_TEST

START_TEST(a_client_that_acknowledges_is_slow_and_not_dead_though_nothing_leaves_the_queue)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	send_cost(s, 100 + COST);
	fake_loop_turn(loop);
	for (unsigned i = 0; i < 10; i++) {
		r.acknowledged += 1;
		fake_loop_pass(loop, 10000);
		ck_assert_uint_eq(r.aborts, 0);
	}
	fake_loop_pass(loop, 9999);
	ck_assert_uint_eq(r.aborts, 0);
	fake_loop_pass(loop, 1);
	ck_assert_uint_eq(r.aborts, 1);
	app_was_told("[close 4500 The client reads too slowly]");
}
END_TEST

START_TEST(progress_beyond_four_gibibytes_is_progress)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	r.acknowledged = UINT32_MAX - 1;
	send_cost(s, 100 + COST);
	fake_loop_turn(loop);
	r.acknowledged += 200;
	fake_loop_pass(loop, 10000);
	ck_assert_uint_eq(r.aborts, 0);
}
END_TEST

START_TEST(the_send_timeout_begins_anew_when_the_queue_was_empty_in_between)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	send_text(s, "one");
	fake_loop_turn(loop);
	fake_loop_pass(loop, 9000);
	fake_receiver_drain(&r, 0);
	send_text(s, "two");
	fake_loop_turn(loop);
	fake_loop_pass(loop, 9000);
	ck_assert_uint_eq(r.aborts, 0);
	fake_loop_pass(loop, 1000);
	ck_assert_uint_eq(r.aborts, 1);
}
END_TEST

START_TEST(a_send_timeout_of_zero_is_none)
{
	static struct fake_receiver r;
	struct session *s;

	limits.send_timeout_ms = 0;
	s = open_stream(&r);
	r.clogged = true;
	send_text(s, "one");
	fake_loop_turn(loop);
	fake_loop_pass(loop, 3600 * 1000);
	ck_assert_uint_eq(r.aborts, 0);
	ck_assert_int_eq(s->state, SESSION_OPEN);
}
END_TEST

/* --- a crowd: more than one turn flushes ------------------------------------------ */

#define CROWD     612
#define CROWD_MAX 1200
#define TURN      512 /* of them in one turn */

static struct session *crowd[CROWD_MAX];

static struct fake_receiver *open_crowd(int n)
{
	static struct fake_receiver receivers[CROWD_MAX];

	for (int i = 0; i < n; i++) {
		crowd[i] = new_session();
		fake_receiver_init(&receivers[i]);
		open_by(crowd[i], &receivers[i]);
	}
	return receivers;
}

/* An event that makes its session say much, and looks what has gone out of the other's. */
struct speaker {
	struct watch watch;
	struct session *session;
	struct fake_receiver receiver, *other;
	size_t bytes;
	unsigned frames_of_other;
};

static void on_speak(struct watch *w, uint32_t events)
{
	struct speaker *me = container_of(w, struct speaker, watch);

	(void)events;
	me->frames_of_other = me->other->frames;
	ck_assert_int_eq(send_cost(me->session, me->bytes), 0);
	loop_unwatch(loop, w);
}

static void speak_both(struct speaker two[2], size_t bytes)
{
	memset(two, 0, 2 * sizeof(*two));
	limits.send_buffer_bytes = 1 << 20;
	for (int i = 0; i < 2; i++) {
		two[i].session = new_session();
		fake_receiver_init(&two[i].receiver);
		open_by(two[i].session, &two[i].receiver);
		two[i].other = &two[1 - i].receiver;
		two[i].bytes = bytes;
		two[i].watch.fn = on_speak;
		two[i].watch.fd = eventfd(1, EFD_CLOEXEC);
		ck_assert_int_eq(loop_watch(loop, &two[i].watch, EPOLLIN), 0);
	}
	fake_loop_turn(loop);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(two[i].receiver.frames, 1);
		close(two[i].watch.fd);
	}
}

START_TEST(much_goes_out_before_the_next_one_is_heard)
{
	static struct speaker two[2];

	speak_both(two, 200000);
	ck_assert_uint_eq(two[0].frames_of_other + two[1].frames_of_other, 1);
}
END_TEST

START_TEST(little_goes_out_when_all_have_been_heard)
{
	static struct speaker two[2];

	speak_both(two, 60000);
	ck_assert_uint_eq(two[0].frames_of_other + two[1].frames_of_other, 0);
}
END_TEST

START_TEST(a_great_many_go_out_over_some_turns_and_nobody_is_overtaken)
{
	struct fake_receiver *r = open_crowd(CROWD);

	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(send_text(crowd[i], "one"), 0);
	fake_loop_turn(loop);
	for (int i = 0; i < CROWD; i++)
		ck_assert_uint_eq(r[i].frames, i < TURN ? 1 : 0);
	for (int i = 0; i < TURN; i++)
		ck_assert_int_eq(send_text(crowd[i], "two"), 0);
	ck_assert_int_eq(loop_turn(loop, -1), 0); /* it does not wait: there is work */
	for (int i = TURN; i < CROWD; i++)
		ck_assert_uint_eq(r[i].frames, 1);
	for (int i = 0; i < TURN; i++)
		ck_assert_uint_eq(r[i].frames, i < TURN - (CROWD - TURN) ? 2 : 1);
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	for (int i = 0; i < CROWD; i++)
		ck_assert_uint_eq(r[i].frames, i < TURN ? 2 : 1);
	fake_receiver_said(&r[TURN - 1], "a[one]a[two]");
	fake_receiver_said(&r[TURN], "a[one]");
}
END_TEST

START_TEST(who_has_something_new_need_not_stand_behind_a_crowd)
{
	struct fake_receiver *r = open_crowd(CROWD_MAX);

	for (int i = 1; i < CROWD_MAX; i++)
		ck_assert_int_eq(send_text(crowd[i], "one"), 0);
	fake_loop_turn(loop);
	ck_assert_int_eq(send_text(crowd[0], "new"), 0);
	fake_loop_turn(loop);
	fake_receiver_said(&r[0], "a[new]");
	ck_assert_uint_eq(r[CROWD_MAX - 1].frames, 0);
	/* Nor does the crowd wait for ever, whatever comes new */
	for (int i = 0; i < TURN; i++)
		ck_assert_int_eq(send_text(crowd[i], "more"), 0);
	fake_loop_turn(loop);
	for (int i = 0; i < CROWD_MAX; i++)
		ck_assert_uint_ge(r[i].frames, 1);
}
END_TEST

START_TEST(when_all_is_aborted_all_go_in_one_turn)
{
	struct fake_receiver *r = open_crowd(CROWD);

	session_reactor_abort(&reactor);
	fake_loop_turn(loop);
	for (int i = 0; i < CROWD; i++)
		ck_assert_uint_eq(r[i].aborts, 1);
	ck_assert_uint_eq(reactor.counters.now, 0);
	ck_assert(list_empty(&reactor.sessions));
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, what_is_sent_in_one_turn_goes_out_as_one_frame_at_its_end);
	tcase_add_test(tc, a_frame_has_at_most_256_messages);
	tcase_add_test(tc, what_is_joined_is_its_messages);
	tcase_add_test(tc, a_large_message_goes_out_whole_and_in_a_frame_of_its_own);
	tcase_add_test(tc, messages_wait_for_the_next_poll_which_takes_them_all_at_once);
	tcase_add_test(tc, a_waiting_poll_is_answered_by_the_first_message);
	tcase_add_test(tc, a_message_sent_in_the_open_callback_follows_the_o);
	tcase_add_test(tc, an_answer_to_a_message_goes_out_in_the_same_turn);
	tcase_add_test(tc, nothing_can_be_sent_after_close_nor_in_the_close_callback);
	tcase_add_test(tc, a_wire_that_breaks_while_a_message_is_said_ends_the_session);
	tcase_add_test(tc, half_a_buffer_says_full_and_a_quarter_says_writable);
	tcase_add_test(tc, exactly_half_is_not_full_and_exactly_all_is_accepted);
	tcase_add_test(tc, a_poll_that_empties_the_buffer_makes_the_session_writable);
	tcase_add_test(tc, a_session_is_not_writable_while_more_than_a_quarter_waits);
	tcase_add_test(tc, a_message_sent_in_the_writable_callback_goes_out);
	tcase_add_test(tc, a_session_closed_in_the_writable_callback_closes_in_due_form);
	tcase_add_test(tc, a_full_buffer_closes_the_session_and_drops_its_wire);
	tcase_add_test(tc, a_message_that_could_never_fit_is_refused_and_harms_nobody);
	tcase_add_test(tc, nothing_is_said_to_a_receiver_whose_queue_is_not_empty);
	tcase_add_test(tc, a_wire_that_takes_nothing_during_the_send_timeout_is_dropped);
	tcase_add_test(tc, a_wire_that_is_found_blocked_later_is_dropped_too);
	tcase_add_test(tc, a_wire_that_takes_something_now_and_then_is_not_dropped);
	tcase_add_test(
	    tc, a_client_that_acknowledges_is_slow_and_not_dead_though_nothing_leaves_the_queue);
	tcase_add_test(tc, progress_beyond_four_gibibytes_is_progress);
	tcase_add_test(tc, the_send_timeout_begins_anew_when_the_queue_was_empty_in_between);
	tcase_add_test(tc, a_send_timeout_of_zero_is_none);
	tcase_add_test(tc, much_goes_out_before_the_next_one_is_heard);
	tcase_add_test(tc, little_goes_out_when_all_have_been_heard);
	tcase_add_test(tc, a_great_many_go_out_over_some_turns_and_nobody_is_overtaken);
	tcase_add_test(tc, who_has_something_new_need_not_stand_behind_a_crowd);
	tcase_add_test(tc, when_all_is_aborted_all_go_in_one_turn);
}

int main(void)
{
	return session_tests_run("session_out", add);
}
