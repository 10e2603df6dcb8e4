/*
 * tests/unit/test_session.c - the life of a session: how it opens, who may receive
 * for it, how it closes, and what is left without memory or a server.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "session_fixture.h"

/* --- opening ---------------------------------------------------------------------- */

START_TEST(the_first_receiver_opens_the_session)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	ck_assert_int_eq(s->state, SESSION_CONNECTING);
	ck_assert_uint_eq(reactor.counters.connecting, 1);
	ck_assert_uint_eq(reactor.counters.opened, 0);
	fake_receiver_init(&r);
	open_by(s, &r);
	ck_assert_uint_eq(reactor.counters.connecting, 0);
	ck_assert_int_eq(s->state, SESSION_OPEN);
	ck_assert_ptr_eq(r.base.session, s);
	ck_assert_uint_eq(reactor.counters.now, 1);
	ck_assert_uint_eq(reactor.counters.opened, 1);
}
END_TEST

START_TEST(a_poll_opens_the_session_and_is_let_go)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	fake_receiver_init_polling(&r);
	open_by(s, &r);
	ck_assert_ptr_null(r.base.session);
	ck_assert_int_eq(s->state, SESSION_OPEN);
}
END_TEST

START_TEST(a_wire_that_breaks_while_it_opens_gives_open_and_then_close)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	fake_receiver_init(&r);
	r.broken = true;
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	app_was_told("[open]");
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted][free]");
	ck_assert_uint_eq(reactor.counters.opened, 0); /* nobody was told */
	ck_assert_uint_eq(reactor.counters.unopened, 1);
	ck_assert_uint_eq(reactor.counters.connect_failures, 0);
	ck_assert_uint_eq(reactor.counters.closed[CLOSE_ROW_INTERRUPTED], 0);
}
END_TEST

START_TEST(a_client_that_leaves_before_it_was_heard_is_a_connect_failure)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	session_receiver_gone(s, &r.base);
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted]");
	ck_assert_uint_eq(reactor.counters.connect_failures, 1);
	ck_assert_uint_eq(reactor.counters.closed[CLOSE_ROW_INTERRUPTED], 1);
}
END_TEST

/* A backend that dies, for one. */
START_TEST(what_the_application_closes_is_no_connect_failure)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	session_close(s, CLOSE_INTERRUPTED, NULL);
	fake_loop_turn(loop);
	ck_assert_uint_eq(reactor.counters.connect_failures, 0);
	ck_assert_uint_eq(reactor.counters.opened, 1);
	ck_assert_uint_eq(reactor.counters.closed[CLOSE_ROW_INTERRUPTED], 1);
	fake_loop_pass(loop, 5000);
	told_len = 0;
}
END_TEST

START_TEST(a_session_that_is_discarded_sees_open_and_close_once_each)
{
	struct session *s = new_session();

	session_discard(s);
	app_was_told("[open]");
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted][free]");
}
END_TEST

START_TEST(a_discarded_session_may_send_and_close_in_its_open_callback)
{
	struct session *s = new_session();

	react.open = say_hello;
	session_discard(s);
	fake_loop_turn(loop);
	app_was_told("[open][close 1002 Connection interrupted][free]");

	s = new_session();
	react.open = close_4000;
	session_discard(s);
	fake_loop_turn(loop);
	app_was_told("[open][close 4000 mine][free]");
}
END_TEST

/* --- receivers -------------------------------------------------------------------- */

START_TEST(a_second_receiver_is_turned_away_and_the_first_is_not_disturbed)
{
	static struct fake_receiver a, b;
	struct session *s = open_stream(&a);

	fake_receiver_init(&b);
	ck_assert_int_eq(session_attach(s, &b.base), 0);
	fake_receiver_said(&b, "c[2010,Another connection still open]");
	ck_assert_ptr_null(b.base.session);
	send_text(s, "one");
	fake_loop_turn(loop);
	fake_receiver_said(&a, "a[one]");
	app_was_told("");
}
END_TEST

START_TEST(a_lost_receiver_ends_the_session_and_a_late_one_is_told_1002)
{
	static struct fake_receiver r, late;
	struct session *s = open_stream(&r);

	session_receiver_gone(s, &r.base);
	app_was_told("");
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted]");
	fake_receiver_init(&late);
	ck_assert_int_eq(session_attach(s, &late.base), 0);
	fake_receiver_said(&late, "c[1002,Connection interrupted]");
}
END_TEST

START_TEST(a_receiver_that_is_done_late_leaves_the_session_its_disconnect_delay)
{
	static struct fake_receiver r, next;
	struct session *s = open_stream(&r);

	fake_loop_pass(loop, 20000);
	session_receiver_done(s, &r.base);
	ck_assert_ptr_null(r.base.session);
	fake_loop_pass(loop, 4999);
	app_was_told("");
	say_hello(s);
	fake_receiver_init(&next);
	ck_assert_int_eq(session_attach(s, &next.base), 0);
	fake_receiver_said(&next, "a[hello]");
	session_receiver_done(s, &next.base);
	fake_loop_pass(loop, 4999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	app_was_told("[close 1002 Connection interrupted][free]");
}
END_TEST

START_TEST(the_loss_of_a_receiver_that_was_turned_away_harms_nobody)
{
	static struct fake_receiver a, b;
	struct session *s = open_stream(&a);

	fake_receiver_init(&b);
	session_attach(s, &b.base);
	session_receiver_gone(s, &b.base);
	session_receiver_done(s, &b.base);
	session_client_closed(s, &b.base, 1000, "");
	fake_loop_turn(loop);
	app_was_told("");
	ck_assert_ptr_eq(s->receiver, &a.base);
}
END_TEST

START_TEST(a_close_by_the_client_is_told_with_its_own_words)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	fake_receiver_init(&r);
	open_by(s, &r);
	session_client_closed(s, &r.base, 3999, "so long");
	fake_loop_turn(loop);
	app_was_told("[close 3999 so long][free]");
	fake_receiver_said(&r, ""); /* the wire does the rest alone */
	ck_assert_uint_eq(reactor.counters.connect_failures, 0);
	ck_assert_uint_eq(reactor.counters.closed[CLOSE_CODE_OTHER], 1);
}
END_TEST

START_TEST(a_client_that_closes_gets_what_was_accepted_for_it_before_that)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	fake_receiver_init(&r);
	open_by(s, &r);
	send_text(s, "one");
	session_say_the_rest(s);
	fake_receiver_said(&r, "a[one]");
	session_client_closed(s, &r.base, 1000, "");
	fake_loop_turn(loop);
	app_was_told("[close 1000 ][free]");
}
END_TEST

/* --- closing ---------------------------------------------------------------------- */

START_TEST(waiting_messages_go_out_before_the_close_frame)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	send_text(s, "one");
	session_close(s, 3000, "Go away!");
	session_close(s, 4000, "the first call counts");
	app_was_told("");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[one]c[3000,Go away!]");
	app_was_told("[close 3000 Go away!]");
	ck_assert_ptr_null(r.base.session);
	ck_assert_int_eq(s->state, SESSION_CLOSED);
}
END_TEST

START_TEST(a_close_without_a_reason_has_the_one_of_the_table)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	session_close(s, CLOSE_GO_AWAY, NULL);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "c[3000,Go away!]");
	app_was_told("[close 3000 Go away!]");
}
END_TEST

START_TEST(the_close_frame_waits_until_the_wire_has_taken_the_messages)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	send_text(s, "one");
	fake_loop_turn(loop);
	send_text(s, "two");
	session_close(s, 4000, "mine");
	fake_loop_turn(loop);
	app_was_told("[close 4000 mine]"); /* the application need not wait */
	fake_receiver_said(&r, "a[one]");
	r.clogged = false;
	fake_receiver_drain(&r, 0);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[two]c[4000,mine]");
	app_was_told("");
}
END_TEST

START_TEST(polls_that_come_to_a_closing_session_get_the_messages_then_the_close)
{
	struct session *s = open_by_poll();
	static struct fake_receiver first, second;

	send_text(s, "one");
	session_close(s, 4000, "mine");
	fake_loop_turn(loop);
	app_was_told("[close 4000 mine]");
	fake_receiver_init_polling(&first);
	ck_assert_int_eq(session_attach(s, &first.base), 0);
	fake_receiver_said(&first, "a[one]");
	fake_receiver_init_polling(&second);
	ck_assert_int_eq(session_attach(s, &second.base), 0);
	fake_receiver_said(&second, "c[4000,mine]");
}
END_TEST

START_TEST(a_receiver_that_comes_beside_one_that_is_closing_is_told_of_the_close)
{
	static struct fake_receiver r, late;
	struct session *s = open_stream(&r);

	r.clogged = true;
	send_text(s, "one");
	fake_loop_turn(loop);
	session_close(s, 4000, "mine");
	fake_receiver_init(&late);
	ck_assert_int_eq(session_attach(s, &late.base), 0);
	fake_receiver_said(&late, "c[4000,mine]");
}
END_TEST

START_TEST(a_closed_session_answers_sixteen_late_receivers_and_then_no_more)
{
	static struct fake_receiver r, late;
	struct session *s = open_stream(&r);

	session_close(s, 3000, "Go away!");
	fake_loop_turn(loop);
	for (int i = 0; i < 16; i++) {
		fake_receiver_init_polling(&late);
		ck_assert_int_eq(session_attach(s, &late.base), 0);
		fake_receiver_said(&late, "c[3000,Go away!]");
	}
	fake_receiver_init_polling(&late);
	ck_assert_int_eq(session_attach(s, &late.base), -ENOENT);
	fake_receiver_said(&late, "");
}
END_TEST

START_TEST(polling_a_closed_session_does_not_renew_its_life)
{
	static struct fake_receiver r, late;
	struct session *s = open_stream(&r);

	session_close(s, 3000, "Go away!");
	fake_loop_turn(loop);
	app_was_told("[close 3000 Go away!]");
	for (int i = 0; i < 4; i++) {
		fake_loop_pass(loop, 1000);
		fake_receiver_init_polling(&late);
		ck_assert_int_eq(session_attach(s, &late.base), 0);
	}
	fake_loop_pass(loop, 999);
	ck_assert(is_in_table());
	app_was_told("");
	fake_loop_pass(loop, 1);
	app_was_told("[free]");
	ck_assert(!is_in_table());
}
END_TEST

START_TEST(a_session_in_no_table_goes_as_soon_as_it_has_closed)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	fake_receiver_init(&r);
	open_by(s, &r);
	session_close(s, 4000, "mine");
	fake_loop_turn(loop);
	fake_loop_turn(loop);
	app_was_told("[close 4000 mine][free]");
}
END_TEST

START_TEST(a_session_may_be_closed_in_its_open_callback)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	react.open = close_4000;
	fake_receiver_init(&r);
	session_attach(s, &r.base);
	fake_receiver_said(&r, "o");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "c[4000,mine]");
	app_was_told("[open][close 4000 mine][free]");
}
END_TEST

START_TEST(a_stream_that_comes_to_a_closing_session_is_not_cut_off_while_it_reads)
{
	struct session *s = open_by_poll();
	static struct fake_receiver r;

	send_text(s, "one");
	session_close(s, 4000, "mine");
	fake_loop_pass(loop, 4000);
	fake_receiver_init(&r);
	r.clogged = true;
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	fake_loop_pass(loop, 4000);
	fake_receiver_drain(&r, 0);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[one]c[4000,mine]");
}
END_TEST

START_TEST(a_closing_session_whose_client_never_comes_ends_after_the_disconnect_delay)
{
	struct session *s = open_by_poll();

	send_text(s, "one");
	session_close(s, 4000, "mine");
	fake_loop_turn(loop);
	app_was_told("[close 4000 mine]");
	fake_loop_pass(loop, 5000);
	app_was_told("[free]");
}
END_TEST

/* --- the end of the server -------------------------------------------------------- */

START_TEST(a_drained_reactor_closes_every_session_in_due_form)
{
	static struct fake_receiver r, poll;
	struct session *s = open_stream(&r), *raw = mem_zalloc(sizeof(*raw));

	ck_assert_ptr_nonnull(raw);
	session_init(raw, &reactor, &limits, &telling_app, "websocket_raw", true);
	fake_receiver_init(&poll);
	open_by(raw, &poll);
	send_text(s, "one");
	ck_assert(!session_reactor_drain(&reactor));
	ck_assert(reactor.draining);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[one]c[3000,Go away!]");
	fake_receiver_said(&poll, "c[1001,Going away]");
	app_was_told("[close 3000 Go away!][close 1001 Going away][free]");
	ck_assert(session_reactor_drain(&reactor));
}
END_TEST

START_TEST(a_reactor_that_thins_out_sends_away_as_many_as_chance_has_it)
{
	enum { MANY = 400 };
	static struct fake_receiver r[MANY];
	unsigned gone = 0;

	for (int i = 0; i < MANY; i++) {
		fake_receiver_init(&r[i]);
		session_attach(new_session(), &r[i].base);
	}
	session_reactor_close_some(&reactor, UINT32_MAX / 2);
	fake_loop_turn(loop);
	for (int i = 0; i < MANY; i++)
		gone += strcmp(r[i].said, "oc[3000,Go away!]") == 0;
	ck_assert_uint_gt(gone, MANY / 4); /* farther off than once in 10^23 */
	ck_assert_uint_lt(gone, MANY * 3 / 4);
	session_reactor_close_some(&reactor, UINT32_MAX);
	fake_loop_turn(loop);
	ck_assert(list_empty(&reactor.sessions));
}
END_TEST

START_TEST(a_session_on_its_way_through_101_is_drained_once_it_has_opened)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	ck_assert(!session_reactor_drain(&reactor));
	ck_assert_int_eq(s->state, SESSION_CONNECTING);
	fake_receiver_init(&r);
	open_by(s, &r);
	ck_assert(!session_reactor_drain(&reactor));
	fake_loop_turn(loop);
	fake_receiver_said(&r, "c[3000,Go away!]");
	app_was_told("[close 3000 Go away!][free]");
	ck_assert(session_reactor_drain(&reactor));
}
END_TEST

START_TEST(an_aborted_reactor_ends_every_session_at_once_whatever_waits)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	send_text(s, "one");
	session_reactor_abort(&reactor);
	ck_assert_uint_eq(r.aborts, 1);
	ck_assert(!is_in_table());
	fake_loop_turn(loop);
	fake_receiver_said(&r, "");
	app_was_told("[close 3000 Go away!][free]");
	ck_assert(list_empty(&reactor.sessions));
}
END_TEST

START_TEST(an_aborted_reactor_ends_what_has_closed_and_waits_for_late_receivers)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	session_close(s, 4000, "mine");
	fake_loop_turn(loop);
	app_was_told("[close 4000 mine]");
	session_reactor_abort(&reactor);
	fake_loop_turn(loop);
	app_was_told("[free]");
}
END_TEST

START_TEST(a_session_that_comes_through_101_after_the_abort_sees_open_and_close)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	session_reactor_abort(&reactor);
	fake_loop_turn(loop);
	app_was_told("");
	fake_receiver_init(&r);
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	ck_assert_uint_eq(r.aborts, 1);
	fake_loop_turn(loop);
	app_was_told("[open][close 1002 Connection interrupted][free]");
}
END_TEST

/* --- memory ----------------------------------------------------------------------- */

/* Everything a session can do, with whatever allocation failing; what was accepted must come out.
 */
static void live_a_life(char *accepted)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	fake_receiver_init(&r);
	session_attach(s, &r.base);
	for (int i = 0; i < 10; i++) {
		char text[16];
		struct message *m;

		snprintf(text, sizeof(text), "m%d", i);
		m = message_new(text, strlen(text), false, false);
		if (m && session_send(s, m) >= 0)
			strcat(accepted, text);
		message_unref(m);
	}
	session_pause(s);
	session_deliver(s, "one", 3, false);
	session_deliver(s, "two", 3, false);
	session_resume(s);
	fake_loop_turn(loop);
	if (!strstr(told, "[free]"))
		session_close(s, 4000, "mine");
	fake_loop_turn(loop);
	fake_loop_turn(loop);
	ck_assert(list_empty(&reactor.sessions));
	for (char *at = accepted, *in = r.said; *at; at += 2) {
		char text[3] = { at[0], at[1], '\0' };

		in = strstr(in, text);
		ck_assert_ptr_nonnull(in);
	}
}

START_TEST(without_memory_a_session_loses_nothing_it_has_accepted_and_ends_well)
{
	unsigned long nth = 2; /* the first is the session itself */

	do {
		char accepted[64] = "";

		mem_fail_at(nth++);
		live_a_life(accepted);
		if (!mem_failed())
			ck_assert_str_eq(accepted, "m0m1m2m3m4m5m6m7m8m9");
		ck_assert_ptr_nonnull(strstr(told, "[close "));
		ck_assert_str_eq(told + told_len - 6, "[free]");
		if (!strstr(told, "[message one][message two]"))
			ck_assert_ptr_nonnull(strstr(told, "[close 1011 "));
		told_len = 0;
		told[0] = '\0';
	} while (mem_failed());
	mem_fail_at(0);
	ck_assert_uint_gt(nth, 12);
}
END_TEST

/* --- walks ------------------------------------------------------------------------ */

START_TEST(a_walk_sees_every_session_once_whoever_goes_where_it_stands)
{
	struct session *s[6];
	struct session_walk walk = { 0 }, other = { 0 };

	for (int i = 0; i < 5; i++)
		s[i] = new_session();
	session_walk_begin(&walk, &reactor);
	session_walk_begin(&other, &reactor);
	ck_assert_ptr_eq(session_walk_next(&walk), s[0]);
	ck_assert_ptr_eq(session_walk_next(&walk), s[1]);
	session_discard(s[1]); /* behind it */
	session_discard(s[2]); /* where it stands, */
	session_discard(s[3]); /* and the next one */
	fake_loop_turn(loop);
	s[5] = new_session();
	ck_assert_ptr_eq(session_walk_next(&walk), s[4]);
	ck_assert_ptr_eq(session_walk_next(&walk), s[5]);
	ck_assert_ptr_eq(session_walk_next(&other), s[0]);
	session_discard(s[4]);
	session_discard(s[5]); /* the last one, where the other one stands then */
	fake_loop_turn(loop);
	ck_assert_ptr_null(session_walk_next(&walk));
	ck_assert_ptr_null(session_walk_next(&walk));
	ck_assert_ptr_null(session_walk_next(&other));
	ck_assert(list_empty(&reactor.walks));
	session_walk_begin(&walk, &reactor);
	session_walk_end(&walk);
	session_walk_end(&walk);
	ck_assert(list_empty(&reactor.walks));
	session_discard(s[0]);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, the_first_receiver_opens_the_session);
	tcase_add_test(tc, a_poll_opens_the_session_and_is_let_go);
	tcase_add_test(tc, a_wire_that_breaks_while_it_opens_gives_open_and_then_close);
	tcase_add_test(tc, a_client_that_leaves_before_it_was_heard_is_a_connect_failure);
	tcase_add_test(tc, what_the_application_closes_is_no_connect_failure);
	tcase_add_test(tc, a_session_that_is_discarded_sees_open_and_close_once_each);
	tcase_add_test(tc, a_discarded_session_may_send_and_close_in_its_open_callback);
	tcase_add_test(tc, a_second_receiver_is_turned_away_and_the_first_is_not_disturbed);
	tcase_add_test(tc, a_lost_receiver_ends_the_session_and_a_late_one_is_told_1002);
	tcase_add_test(tc, a_receiver_that_is_done_late_leaves_the_session_its_disconnect_delay);
	tcase_add_test(tc, the_loss_of_a_receiver_that_was_turned_away_harms_nobody);
	tcase_add_test(tc, a_close_by_the_client_is_told_with_its_own_words);
	tcase_add_test(tc, a_client_that_closes_gets_what_was_accepted_for_it_before_that);
	tcase_add_test(tc, waiting_messages_go_out_before_the_close_frame);
	tcase_add_test(tc, a_close_without_a_reason_has_the_one_of_the_table);
	tcase_add_test(tc, the_close_frame_waits_until_the_wire_has_taken_the_messages);
	tcase_add_test(tc, polls_that_come_to_a_closing_session_get_the_messages_then_the_close);
	tcase_add_test(tc, a_receiver_that_comes_beside_one_that_is_closing_is_told_of_the_close);
	tcase_add_test(tc, a_closed_session_answers_sixteen_late_receivers_and_then_no_more);
	tcase_add_test(tc, polling_a_closed_session_does_not_renew_its_life);
	tcase_add_test(tc, a_session_in_no_table_goes_as_soon_as_it_has_closed);
	tcase_add_test(tc, a_session_may_be_closed_in_its_open_callback);
	tcase_add_test(tc, a_stream_that_comes_to_a_closing_session_is_not_cut_off_while_it_reads);
	tcase_add_test(
	    tc, a_closing_session_whose_client_never_comes_ends_after_the_disconnect_delay);
	tcase_add_test(tc, a_drained_reactor_closes_every_session_in_due_form);
	tcase_add_test(tc, a_reactor_that_thins_out_sends_away_as_many_as_chance_has_it);
	tcase_add_test(tc, a_session_on_its_way_through_101_is_drained_once_it_has_opened);
	tcase_add_test(tc, an_aborted_reactor_ends_every_session_at_once_whatever_waits);
	tcase_add_test(tc, an_aborted_reactor_ends_what_has_closed_and_waits_for_late_receivers);
	tcase_add_test(tc, a_session_that_comes_through_101_after_the_abort_sees_open_and_close);
	tcase_add_test(tc, a_walk_sees_every_session_once_whoever_goes_where_it_stands);
	tcase_add_test(tc, without_memory_a_session_loses_nothing_it_has_accepted_and_ends_well);
}

int main(void)
{
	return session_tests_run("session", add);
}
