/*
 * tests/unit/test_session_record.c - what is kept of a session: counts, its transports, the time
 * line, and why it ended.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "session/session_record.h"
#include "session_fixture.h"

static const char *const transports[] = { "xhr", "xhr_streaming", NULL };

/* It goes, and what the application was told of that is of no interest here. */
static void let_go(void)
{
	fake_loop_turn(loop);
	fake_loop_pass(loop, limits.disconnect_delay_ms + 1000);
	told_len = 0;
	told[0] = '\0';
}

static struct session *recorded(struct fake_receiver *r)
{
	struct session *s;

	reactor.transports = transports;
	s = new_session_in_table();
	ck_assert_int_eq(session_record_begin(s), 0);
	fake_receiver_init(r);
	open_by(s, r);
	return s;
}

/* "began opened ..." */
static const char *line_of(const struct session *s)
{
	static char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < s->record->kept; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "",
		    session_event_word(session_record_event(s->record, i)->kind));
	return text;
}

START_TEST(it_counts_what_goes_in_and_out)
{
	static struct fake_receiver r;
	struct session *s = recorded(&r);

	deliver(s, "abc");
	deliver(s, "de");
	send_text(s, "hello");
	fake_loop_turn(loop);
	ck_assert_uint_eq(s->record->messages_in, 2);
	ck_assert_uint_eq(s->record->bytes_in, 5);
	ck_assert_uint_eq(s->record->messages_out, 1);
	ck_assert_uint_eq(s->record->bytes_out, 5);
	ck_assert_str_eq(line_of(s), "began attached opened first_message");
}
END_TEST

START_TEST(a_poll_that_comes_back_at_once_is_no_event_and_one_that_comes_late_is)
{
	static struct fake_receiver r[3];
	struct session *s = recorded(&r[0]);

	session_receiver_done(s, &r[0].base);
	fake_loop_pass(loop, 500);
	fake_receiver_init(&r[1]);
	session_attach(s, &r[1].base);
	ck_assert_str_eq(line_of(s), "began attached opened");
	session_receiver_done(s, &r[1].base);
	fake_loop_pass(loop, 1500);
	fake_receiver_init(&r[2]);
	session_attach(s, &r[2].base);
	ck_assert_str_eq(line_of(s), "began attached opened detached attached");
}
END_TEST

START_TEST(another_transport_is_an_event_and_all_are_remembered)
{
	static struct fake_receiver r[2];
	struct session *s = recorded(&r[0]);

	ck_assert_uint_eq(s->record->transports, 2);
	session_receiver_done(s, &r[0].base);
	fake_receiver_init(&r[1]);
	r[1].transport = "xhr";
	session_attach(s, &r[1].base);
	ck_assert_str_eq(line_of(s), "began attached opened detached attached");
	ck_assert_uint_eq(s->record->transports, 3);
	ck_assert_uint_eq(session_record_event(s->record, 4)->of, 0);
}
END_TEST

START_TEST(the_latest_events_are_kept_however_many_there_are)
{
	static struct fake_receiver r;
	struct session *s = recorded(&r);

	for (int i = 0; i < 100; i++) {
		session_pause(s);
		fake_loop_pass(loop, 2000);
		session_resume(s);
		fake_loop_turn(loop);
		/* Undone at once: what is kept stays as it is, also where the ring is full */
		session_pause(s);
		session_resume(s);
		fake_loop_turn(loop);
	}
	ck_assert_uint_eq(s->record->kept, SESSION_EVENTS - 1);
	for (unsigned i = 0; i < s->record->kept; i++)
		ck_assert_uint_eq(session_record_event(s->record, i)->kind,
		    (i + SESSION_EVENTS) % 2 ? SESSION_EVENT_PAUSED : SESSION_EVENT_RESUMED);
	ck_assert_uint_eq(session_record_event(s->record, s->record->kept - 1)->at, 20000);
}
END_TEST

static void ends_by(const char *cause, const struct session *s)
{
	ck_assert_str_eq(session_cause_word(s->record->cause), cause);
}

START_TEST(who_ended_it_first_is_the_cause)
{
	static struct fake_receiver r;
	struct session *s = recorded(&r);

	session_close(s, 3001, "bye");
	session_receiver_gone(s, &r.base);
	ends_by("application", s);
	ck_assert_str_eq(line_of(s), "began attached opened closing detached closed");
	ck_assert_uint_eq(session_record_event(s->record, 3)->code, 3001);
	ck_assert_uint_eq(session_record_event(s->record, 3)->of, SESSION_CAUSE_APPLICATION);
	fake_loop_turn(loop);
	app_was_told("[close 3001 bye]");
}
END_TEST

START_TEST(a_broken_wire_a_client_that_stays_away_and_one_that_leaves_are_told_apart)
{
	static struct fake_receiver r[3];
	struct session *s = recorded(&r[0]);

	session_receiver_gone(s, &r[0].base);
	ends_by("broken", s);
	let_go();
	s = recorded(&r[1]);
	session_client_closed(s, &r[1].base, 1000, "done");
	ends_by("client", s);
	let_go();
	s = recorded(&r[2]);
	session_close(s, 3000, NULL);
	session_cut(s, CLOSE_SLOW);
	ends_by("application", s);
	let_go();
}
END_TEST

START_TEST(without_memory_there_is_none_and_the_session_lives)
{
	static struct fake_receiver r;
	struct session *s = new_session();

	mem_fail_at(1);
	ck_assert_int_lt(session_record_begin(s), 0);
	mem_fail_at(0);
	ck_assert_ptr_null(session_record(s));
	fake_receiver_init(&r);
	open_by(s, &r);
	session_close(s, 3000, "a reason of its own");
	fake_loop_turn(loop);
	app_was_told("[close 3000 a reason of its own][free]");
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, it_counts_what_goes_in_and_out);
	tcase_add_test(tc, a_poll_that_comes_back_at_once_is_no_event_and_one_that_comes_late_is);
	tcase_add_test(tc, another_transport_is_an_event_and_all_are_remembered);
	tcase_add_test(tc, the_latest_events_are_kept_however_many_there_are);
	tcase_add_test(tc, who_ended_it_first_is_the_cause);
	tcase_add_test(
	    tc, a_broken_wire_a_client_that_stays_away_and_one_that_leaves_are_told_apart);
	tcase_add_test(tc, without_memory_there_is_none_and_the_session_lives);
}

int main(void)
{
	return session_tests_run("session_record", add);
}
