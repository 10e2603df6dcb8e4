/*
 * tests/unit/test_session_hold.c - a session whose application has to think before it lets
 * the client in.
 */
#include <string.h>

#include "base/mem.h"
#include "session_fixture.h"

static struct fake_receiver r;

/* On hold, with a receiver that waits. */
static struct session *hold(struct session *s)
{
	fake_receiver_init(&r);
	session_hold(s);
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "");
	app_was_told("");
	return s;
}

static struct session *new_raw_session(void)
{
	struct session *s = mem_zalloc(sizeof(*s));

	ck_assert_ptr_nonnull(s);
	session_init(s, &reactor, &limits, &telling_app, "websocket_raw", true);
	return s;
}

START_TEST(it_opens_in_the_flush_after_it_was_accepted)
{
	struct session *s = hold(new_session_in_table());

	session_accept(s);
	fake_receiver_said(&r, "");
	app_was_told("");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "o");
	app_was_told("[open]");
	ck_assert_int_ne(r.paused, 1);
	say_hello(s);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "a[hello]");
	deliver(s, "at once");
	app_was_told("[message at once]");
}
END_TEST

START_TEST(it_may_be_accepted_before_its_receiver_comes)
{
	struct session *s = new_session();

	session_hold(s);
	session_accept(s);
	fake_loop_turn(loop);
	app_was_told("");
	fake_receiver_init(&r);
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	app_was_told("");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "o");
	app_was_told("[open]");
}
END_TEST

START_TEST(what_comes_meanwhile_waits_for_open_and_is_bounded)
{
	struct session *s = hold(new_session_in_table());

	deliver(s, "one");
	deliver(s, "two");
	ck_assert(session_is_behind(s));
	ck_assert(!session_has_room(s, &(struct bytes){ "", limits.receive_buffer_bytes }, 1));
	session_resume(s); /* it is not the application that has paused */
	fake_loop_turn(loop);
	app_was_told("");
	session_accept(s);
	fake_loop_turn(loop);
	app_was_told("[open][message one][message two]");
	ck_assert(!session_is_behind(s));
}
END_TEST

START_TEST(what_is_sent_meanwhile_follows_the_o)
{
	struct session *s = hold(new_session_in_table());

	say_hello(s);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "");
	session_accept(s);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "oa[hello]");
}
END_TEST

START_TEST(an_application_may_pause_as_it_opens)
{
	struct session *s = hold(new_session_in_table());

	deliver(s, "one");
	react.open = session_pause;
	session_accept(s);
	fake_loop_turn(loop);
	app_was_told("[open]");
	ck_assert_int_eq(r.paused, 1);
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("[message one]");
	ck_assert_int_eq(r.paused, 0);
}
END_TEST

START_TEST(a_sockjs_wire_is_refused_with_code_and_reason)
{
	session_refuse(hold(new_session_in_table()), 403, 4403, "No entry");
	app_was_told("");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "c[4403,No entry]");
	app_was_told("[close 4403 No entry]");
}
END_TEST

START_TEST(a_bare_web_socket_is_refused_with_a_status)
{
	session_refuse(hold(new_raw_session()), 403, 4403, "No entry");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "403 No entry");
	app_was_told("[close 403 No entry][free]");
}
END_TEST

START_TEST(a_bare_web_socket_is_told_how_long_to_wait)
{
	struct session *s = hold(new_raw_session());

	s->retry_after = 17;
	session_refuse(s, 503, 1013, "Later");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "503 Later [17 s]");
}
END_TEST

START_TEST(a_bare_web_socket_that_was_let_in_is_closed_with_a_code)
{
	struct session *s = hold(new_raw_session());

	session_accept(s);
	fake_loop_turn(loop);
	session_close(s, 4000, "mine");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "oc[4000,mine]");
	app_was_told("[open][close 4000 mine][free]");
}
END_TEST

START_TEST(it_may_be_refused_before_its_receiver_comes)
{
	struct session *s = new_session_in_table();

	session_hold(s);
	session_refuse(s, 403, 4403, "No entry");
	fake_receiver_init(&r);
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "c[4403,No entry]");
	app_was_told("[close 4403 No entry]");
}
END_TEST

START_TEST(a_refusal_that_nobody_comes_for_is_forgotten_after_the_disconnect_delay)
{
	struct session *s = new_session_in_table();

	session_hold(s);
	session_refuse(s, 403, 4403, "No entry");
	fake_loop_turn(loop);
	app_was_told("[close 4403 No entry]");
	fake_loop_pass(loop, 4998);
	ck_assert(is_in_table());
	fake_loop_pass(loop, 5002); /* and as long again for those who come late */
	app_was_told("[free]");
	ck_assert(!is_in_table());
}
END_TEST

START_TEST(the_first_decision_counts)
{
	struct session *s = hold(new_session_in_table());

	session_accept(s);
	session_refuse(s, 403, 4403, "No entry");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "o");
	session_refuse(s, 403, 4403, "No entry");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "");
	app_was_told("[open]");
}
END_TEST

START_TEST(a_refusal_is_not_taken_back)
{
	struct session *s = hold(new_session_in_table());

	session_refuse(s, 403, 4403, "No entry");
	session_accept(s);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "c[4403,No entry]");
	app_was_told("[close 4403 No entry]");
}
END_TEST

START_TEST(a_second_receiver_is_turned_away_and_decides_nothing)
{
	struct session *s = hold(new_session_in_table());
	static struct fake_receiver second;

	fake_receiver_init(&second);
	ck_assert_int_eq(session_attach(s, &second.base), 0);
	fake_receiver_said(&second, "c[2010,Another connection still open]");
	session_accept(s);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "o");
}
END_TEST

START_TEST(a_client_that_leaves_is_told_without_open)
{
	struct session *s = hold(new_session_in_table());

	session_receiver_gone(s, &r.base);
	session_accept(s);
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted]");
}
END_TEST

START_TEST(a_session_that_is_discarded_has_not_opened)
{
	struct session *s = new_session();

	session_hold(s);
	session_discard(s);
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted][free]");
}
END_TEST

START_TEST(a_drained_reactor_refuses_who_waits)
{
	static struct fake_receiver bare;
	struct session *raw;

	hold(new_session_in_table());
	raw = new_raw_session();
	fake_receiver_init(&bare);
	session_hold(raw);
	session_attach(raw, &bare.base);
	ck_assert(!session_reactor_drain(&reactor));
	fake_loop_turn(loop);
	fake_receiver_said(&r, "c[3000,Go away!]");
	ck_assert_int_eq(strncmp(bare.said, "503 ", 4), 0);
	ck_assert_ptr_null(strstr(told, "[open]"));
	ck_assert(session_reactor_drain(&reactor));
}
END_TEST

/* Nobody has refused to hear us: nothing was said. */
START_TEST(what_is_refused_was_neither_opened_nor_a_connect_failure)
{
	struct session *s = hold(new_raw_session());

	ck_assert_uint_eq(reactor.counters.connecting, 1);
	ck_assert_uint_eq(reactor.counters.now, 0);
	session_refuse(s, 502, 1014, "Bad gateway");
	fake_loop_turn(loop);
	ck_assert_uint_eq(reactor.counters.opened, 0);
	ck_assert_uint_eq(reactor.counters.unopened, 1);
	ck_assert_uint_eq(reactor.counters.connecting, 0);
	ck_assert_uint_eq(reactor.counters.connect_failures, 0);
	told_len = 0;
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, what_is_refused_was_neither_opened_nor_a_connect_failure);
	tcase_add_test(tc, it_opens_in_the_flush_after_it_was_accepted);
	tcase_add_test(tc, it_may_be_accepted_before_its_receiver_comes);
	tcase_add_test(tc, what_comes_meanwhile_waits_for_open_and_is_bounded);
	tcase_add_test(tc, what_is_sent_meanwhile_follows_the_o);
	tcase_add_test(tc, an_application_may_pause_as_it_opens);
	tcase_add_test(tc, a_sockjs_wire_is_refused_with_code_and_reason);
	tcase_add_test(tc, a_bare_web_socket_is_refused_with_a_status);
	tcase_add_test(tc, a_bare_web_socket_is_told_how_long_to_wait);
	tcase_add_test(tc, a_bare_web_socket_that_was_let_in_is_closed_with_a_code);
	tcase_add_test(tc, it_may_be_refused_before_its_receiver_comes);
	tcase_add_test(tc, a_refusal_that_nobody_comes_for_is_forgotten_after_the_disconnect_delay);
	tcase_add_test(tc, the_first_decision_counts);
	tcase_add_test(tc, a_refusal_is_not_taken_back);
	tcase_add_test(tc, a_second_receiver_is_turned_away_and_decides_nothing);
	tcase_add_test(tc, a_client_that_leaves_is_told_without_open);
	tcase_add_test(tc, a_session_that_is_discarded_has_not_opened);
	tcase_add_test(tc, a_drained_reactor_refuses_who_waits);
}

int main(void)
{
	return session_tests_run("session_hold", add);
}
