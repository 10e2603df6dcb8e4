/*
 * test_session_proof.c - sessions of networks that are not trusted: one that opens only once its client has
 * given a sign, silences that are shorter than they are meant to be, and a response that ends because its
 * client seems to have given it up.
 */
#include "session_fixture.h"

static struct session *unproven(struct fake_receiver *r)
{
	struct session *s = new_session();

	fake_receiver_init(r);
	s->network.is_proved = true;
	ck_assert_int_eq(session_attach(s, &r->base), 0);
	return s;
}

START_TEST(nothing_is_said_before_the_client_has_given_a_sign)
{
	static struct fake_receiver r;
	struct session *s = unproven(&r);

	fake_receiver_said(&r, "?");
	app_was_told("");
	ck_assert_int_eq(send_text(s, "too early"), 0);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "");
	session_heard(s);
	app_was_told("");
	fake_loop_turn(loop);
	app_was_told("[open]");
	fake_receiver_said(&r, "oa[too early]");
	ck_assert_uint_eq(reactor.counters.opened, 1);
}
END_TEST

START_TEST(a_message_is_a_sign_and_comes_once_the_session_is_open)
{
	static struct fake_receiver r;
	struct session *s = unproven(&r);

	deliver(s, "hello");
	ck_assert_msg(r.paused == 1, "no more is read before this one has been taken");
	app_was_told("");
	fake_loop_turn(loop);
	app_was_told("[open][message hello]");
	ck_assert_int_eq(r.paused, 0);
	fake_receiver_said(&r, "?o");
}
END_TEST

START_TEST(a_client_that_never_gives_a_sign_has_not_opened_a_session)
{
	static struct fake_receiver r;
	struct session *s = unproven(&r);

	session_receiver_gone(s, &r.base);
	fake_loop_turn(loop);
	app_was_told("[open][close 1002 Connection interrupted][free]");
	ck_assert_uint_eq(reactor.counters.opened, 0);
	ck_assert_uint_eq(reactor.counters.unopened, 1);
	ck_assert_uint_eq(reactor.counters.connecting, 0);
}
END_TEST

START_TEST(a_wire_that_breaks_as_it_is_asked_for_a_sign_ends_the_session)
{
	static struct fake_receiver r;
	struct session *s = new_session();

	fake_receiver_init(&r);
	r.broken = true;
	s->network.is_proved = true;
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	fake_loop_turn(loop);
	app_was_told("[open][close 1002 Connection interrupted][free]");
}
END_TEST

START_TEST(one_that_closes_before_is_closed_in_due_form)
{
	static struct fake_receiver r;
	struct session *s = unproven(&r);

	session_close(s, 4000, "enough");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "?c[4000,enough]");
	app_was_told("[open][close 4000 enough][free]");
}
END_TEST

START_TEST(the_server_stops_while_a_sign_is_waited_for)
{
	static struct fake_receiver r;

	unproven(&r);
	session_reactor_drain(&reactor);
	fake_loop_turn(loop);
	ck_assert(session_reactor_drain(&reactor));
	fake_receiver_said(&r, "?c[3000,Go away!]");
	app_was_told("[open][close 3000 Go away!][free]");
}
END_TEST

START_TEST(one_that_is_accepted_later_is_asked_for_a_sign_then)
{
	static struct fake_receiver r;
	struct session *s = new_session();

	fake_receiver_init(&r);
	s->network.is_proved = true;
	session_hold(s);
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	fake_receiver_said(&r, "");
	session_accept(s);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "?");
	ck_assert_int_eq(r.paused, 0);
	app_was_told("");
	session_heard(s);
	fake_loop_turn(loop);
	fake_receiver_said(&r, "o");
	app_was_told("[open]");
}
END_TEST

START_TEST(a_bare_websocket_has_nothing_to_wait_with)
{
	static struct fake_receiver r;
	struct session *s = new_session();

	fake_receiver_init(&r);
	s->network.is_proved = true;
	s->is_raw = true;
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	app_was_told("[open]");
}
END_TEST

/* --- silences ---------------------------------------------------------------------- */

static unsigned outlasted;

static void on_sign(struct session *s, enum session_sign sign)
{
	if (sign != SESSION_SIGN_OUTLASTED)
		return;
	outlasted++;
	s->network.rung++;
}

static struct session *on_the_first_rung(struct fake_receiver *r)
{
	static struct session_ops ops;
	struct session *s;

	ops = telling_app;
	ops.sign = on_sign;
	outlasted = 0;
	limits.first_silence_ms = 10000;
	s = open_stream(r);
	s->ops = &ops;
	s->network.rung = 0;
	session_set_heartbeat(s, true); /* it is timed anew */
	return s;
}

START_TEST(a_stream_of_an_unknown_network_has_to_come_back_after_each_heartbeat)
{
	static struct fake_receiver r, next;
	struct session *s = on_the_first_rung(&r);

	r.ends_when_asked = true;
	fake_loop_pass(loop, 9999);
	fake_receiver_said(&r, "");
	fake_loop_pass(loop, 1);
	fake_receiver_said(&r, "h");
	ck_assert_uint_eq(r.asked, 1);
	ck_assert_ptr_null(r.base.session);
	fake_receiver_init(&next);
	session_attach(s, &next.base);
	ck_assert_uint_eq(outlasted, 1);
	fake_loop_pass(loop, 14999);
	fake_receiver_said(&next, "");
	fake_loop_pass(loop, 1);
	fake_receiver_said(&next, "h");
}
END_TEST

START_TEST(who_is_to_come_back_for_our_sake_has_more_time)
{
	static struct fake_receiver r;
	struct session *s = on_the_first_rung(&r);

	r.ends_when_asked = true;
	fake_loop_pass(loop, 10000);
	fake_loop_pass(loop, 9999);
	ck_assert(session_is_open(s));
	fake_loop_pass(loop, 1);
	app_was_told("[close 1002 Connection interrupted][free]");
}
END_TEST

START_TEST(on_the_top_rung_a_heartbeat_needs_no_answer)
{
	static struct fake_receiver r;

	open_stream(&r);
	limits.first_silence_ms = 10000;
	fake_loop_pass(loop, 25000);
	fake_receiver_said(&r, "h");
	ck_assert_uint_eq(r.asked, 0);
}
END_TEST

START_TEST(a_heartbeat_that_is_shorter_than_the_first_rung_is_as_configured)
{
	static struct fake_receiver r;
	struct session *s = on_the_first_rung(&r);

	limits.heartbeat_delay_ms = 1000;
	session_set_heartbeat(s, true);
	fake_loop_pass(loop, 1000);
	fake_receiver_said(&r, "h");
	ck_assert_uint_eq(r.asked, 0);
}
END_TEST

/* --- doubt ------------------------------------------------------------------------- */

START_TEST(a_response_that_is_given_up_ends_and_its_session_goes_on)
{
	static struct fake_receiver r, next;
	struct session *s = open_stream(&r);

	r.ends_when_asked = true;
	session_doubt(s);
	ck_assert_uint_eq(r.asked, 1);
	ck_assert_ptr_null(r.base.session);
	session_doubt(s);
	fake_receiver_init(&next);
	ck_assert_int_eq(session_attach(s, &next.base), 0);
	fake_loop_pass(loop, 10000);
	ck_assert(session_is_open(s));
}
END_TEST

START_TEST(who_was_heard_is_not_doubted)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	session_heard(s);
	session_doubt(s);
	ck_assert_uint_eq(r.asked, 0);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, nothing_is_said_before_the_client_has_given_a_sign);
	tcase_add_test(tc, a_message_is_a_sign_and_comes_once_the_session_is_open);
	tcase_add_test(tc, a_client_that_never_gives_a_sign_has_not_opened_a_session);
	tcase_add_test(tc, a_wire_that_breaks_as_it_is_asked_for_a_sign_ends_the_session);
	tcase_add_test(tc, one_that_closes_before_is_closed_in_due_form);
	tcase_add_test(tc, the_server_stops_while_a_sign_is_waited_for);
	tcase_add_test(tc, one_that_is_accepted_later_is_asked_for_a_sign_then);
	tcase_add_test(tc, a_bare_websocket_has_nothing_to_wait_with);
	tcase_add_test(tc, a_stream_of_an_unknown_network_has_to_come_back_after_each_heartbeat);
	tcase_add_test(tc, who_is_to_come_back_for_our_sake_has_more_time);
	tcase_add_test(tc, on_the_top_rung_a_heartbeat_needs_no_answer);
	tcase_add_test(tc, a_heartbeat_that_is_shorter_than_the_first_rung_is_as_configured);
	tcase_add_test(tc, a_response_that_is_given_up_ends_and_its_session_goes_on);
	tcase_add_test(tc, who_was_heard_is_not_doubted);
}

int main(void)
{
	return session_tests_run("session proof", add_tests);
}
