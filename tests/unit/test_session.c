/*
 * tests/unit/test_session.c - the session between an application that writes down
 * what it is told and receivers that write down what they are told to say; time is
 * moved by hand.
 *
 * Receivers are static: the sessions still hold them when the teardown ends what a test has left.
 */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fakes/fake_loop.h"
#include "fakes/fake_receiver.h"
#include "session/session.h"
#include "session/session_table.h"

#define COST 64 /* what a waiting message costs beside its bytes */

static struct loop *loop;
static struct session_reactor reactor;
static struct session_limits limits;
static struct session_table *table;
static struct addr peer;

/* --- the application -------------------------------------------------------------- */

static char told[65536];
static size_t told_len;

/* What the application does when it is told something; NULL: nothing. */
static struct {
	void (*open)(struct session *s);
	void (*message)(struct session *s);
	void (*writable)(struct session *s);
	void (*close)(struct session *s);
} react;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	told_len += (size_t)vsnprintf(told + told_len, sizeof(told) - told_len, format, ap);
	va_end(ap);
	ck_assert_uint_lt(told_len, sizeof(told));
}

static void on_open(struct session *s)
{
	note("[open]");
	if (react.open)
		react.open(s);
}

static void on_message(struct session *s, const char *data, size_t n, bool binary)
{
	note("[%s %.*s]", binary ? "binary" : "message", (int)n, data);
	if (react.message)
		react.message(s);
}

static void on_writable(struct session *s)
{
	note("[writable]");
	if (react.writable)
		react.writable(s);
}

static void on_close(struct session *s, unsigned code, const char *reason)
{
	note("[close %u %s]", code, reason);
	if (react.close)
		react.close(s);
}

static void on_free(struct session *s)
{
	note("[free]");
	mem_free(s);
}

static const struct session_ops app = {
	.open = on_open,
	.message = on_message,
	.writable = on_writable,
	.close = on_close,
	.free = on_free,
};

/* Checks what the application was told since the last look. */
#define app_was_told(text)                                                                         \
	do {                                                                                       \
		ck_assert_str_eq(told, (text));                                                    \
		told_len = 0;                                                                      \
		told[0] = '\0';                                                                    \
	} while (0)

/* --- the world -------------------------------------------------------------------- */

static void setup(void)
{
	loop = fake_loop_new();
	session_reactor_init(&reactor, loop);
	limits = (struct session_limits){
		.heartbeat_delay_ms = 25000,
		.disconnect_delay_ms = 5000,
		.send_timeout_ms = 10000,
		.send_buffer_bytes = 4096,
		.receive_buffer_bytes = 1024,
	};
	memset(&react, 0, sizeof(react));
	memset(&peer, 0, sizeof(peer));
	told_len = 0;
	told[0] = '\0';
	table = session_table_new();
	ck_assert_ptr_nonnull(table);
}

/* Whatever a test leaves ends here. */
static void teardown(void)
{
	mem_fail_at(0);
	session_reactor_abort(&reactor);
	fake_loop_turn(loop);
	fake_loop_turn(loop);
	ck_assert(list_empty(&reactor.sessions));
	ck_assert_uint_eq(reactor.counters.now, 0);
	session_reactor_fini(&reactor);
	session_table_free(table);
	fake_loop_free(loop);
}

/* As a WebSocket has it: in no table. */
static struct session *new_session(void)
{
	struct session *s = mem_zalloc(sizeof(*s));

	ck_assert_ptr_nonnull(s);
	session_init(s, &reactor, &limits, &app, "xhr", false);
	return s;
}

/* As the other transports have it: other receivers may find it. */
static struct session *new_session_in_table(void)
{
	struct session *s = new_session();

	ck_assert_int_eq(session_table_insert(table, BYTES("id"), s, &peer), 0);
	return s;
}

static bool is_in_table(void)
{
	struct session_found found;

	return session_table_find(table, BYTES("id"), &peer, &found);
}

static void open_by(struct session *s, struct fake_receiver *r)
{
	ck_assert_int_eq(session_attach(s, &r->base), 0);
	fake_receiver_said(r, "o");
	app_was_told("[open]");
}

static struct session *open_stream(struct fake_receiver *r)
{
	struct session *s = new_session_in_table();

	fake_receiver_init(r);
	open_by(s, r);
	return s;
}

/* Opened by a poll that has been answered; nobody is attached. */
static struct session *open_by_poll(void)
{
	struct session *s = new_session_in_table();
	static struct fake_receiver r;

	fake_receiver_init_polling(&r);
	open_by(s, &r);
	return s;
}

static int send_text(struct session *s, const char *text)
{
	struct message *m = message_new(text, strlen(text), false, false);
	int err;

	ck_assert_ptr_nonnull(m);
	err = session_send(s, m);
	message_unref(m);
	return err;
}

/* A message that costs so much altogether. */
static int send_cost(struct session *s, size_t cost)
{
	struct message *m;
	char *text = mem_alloc(cost);
	int err;

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', cost);
	m = message_new(text, cost - COST, false, false);
	ck_assert_ptr_nonnull(m);
	err = session_send(s, m);
	message_unref(m);
	mem_free(text);
	return err;
}

static void deliver(struct session *s, const char *text)
{
	ck_assert_int_eq(session_deliver(s, text, strlen(text), false), 0);
}

/* --- a crowd: more than one turn flushes ------------------------------------------ */

#define CROWD 612
#define TURN  512 /* of them in one turn */

static struct session *crowd[CROWD];

static struct fake_receiver *open_crowd(void)
{
	static struct fake_receiver receivers[CROWD];

	for (int i = 0; i < CROWD; i++) {
		crowd[i] = new_session();
		fake_receiver_init(&receivers[i]);
		open_by(crowd[i], &receivers[i]);
	}
	return receivers;
}

START_TEST(a_great_many_go_out_over_some_turns_and_nobody_is_overtaken)
{
	struct fake_receiver *r = open_crowd();

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

START_TEST(when_all_is_aborted_all_go_in_one_turn)
{
	struct fake_receiver *r = open_crowd();

	session_reactor_abort(&reactor);
	fake_loop_turn(loop);
	for (int i = 0; i < CROWD; i++)
		ck_assert_uint_eq(r[i].aborts, 1);
	ck_assert_uint_eq(reactor.counters.now, 0);
	ck_assert(list_empty(&reactor.sessions));
}
END_TEST

/* --- opening ---------------------------------------------------------------------- */

START_TEST(the_first_receiver_opens_the_session)
{
	struct session *s = new_session();
	static struct fake_receiver r;

	ck_assert_int_eq(s->state, SESSION_CONNECTING);
	fake_receiver_init(&r);
	open_by(s, &r);
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
	ck_assert_uint_eq(reactor.counters.connect_failures, 1);
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

static void close_4000(struct session *s)
{
	session_close(s, 4000, "mine");
}

static void say_hello(struct session *s)
{
	ck_assert_int_ge(send_text(s, "hello"), 0);
}

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

/* --- receiving -------------------------------------------------------------------- */

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

START_TEST(what_a_paused_session_keeps_is_bounded)
{
	struct session *s = open_by_poll();

	session_pause(s);
	ck_assert(session_has_room(s, 1024));
	ck_assert(!session_has_room(s, 1025));
	deliver(s, "0123456789");
	ck_assert(session_has_room(s, 1024 - COST - 10));
	ck_assert(!session_has_room(s, 1024 - COST - 9));
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

START_TEST(the_loss_of_a_receiver_that_was_turned_away_harms_nobody)
{
	static struct fake_receiver a, b;
	struct session *s = open_stream(&a);

	fake_receiver_init(&b);
	session_attach(s, &b.base);
	session_receiver_gone(s, &b.base);
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

/* --- deadlines -------------------------------------------------------------------- */

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

/* --- the end of the server -------------------------------------------------------- */

START_TEST(a_drained_reactor_closes_every_session_in_due_form)
{
	static struct fake_receiver r, poll;
	struct session *s = open_stream(&r), *raw = mem_zalloc(sizeof(*raw));

	ck_assert_ptr_nonnull(raw);
	session_init(raw, &reactor, &limits, &app, "websocket_raw", true);
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

static Suite *session_suite(void)
{
	Suite *suite = suite_create("session");
	TCase *tc = tcase_create("session");

	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_great_many_go_out_over_some_turns_and_nobody_is_overtaken);
	tcase_add_test(tc, when_all_is_aborted_all_go_in_one_turn);
	tcase_add_test(tc, the_first_receiver_opens_the_session);
	tcase_add_test(tc, a_poll_opens_the_session_and_is_let_go);
	tcase_add_test(tc, a_wire_that_breaks_while_it_opens_gives_open_and_then_close);
	tcase_add_test(tc, a_session_that_is_discarded_sees_open_and_close_once_each);
	tcase_add_test(tc, a_discarded_session_may_send_and_close_in_its_open_callback);
	tcase_add_test(tc, what_is_sent_in_one_turn_goes_out_as_one_frame_at_its_end);
	tcase_add_test(tc, a_frame_has_at_most_256_messages);
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
	tcase_add_test(tc, the_send_timeout_begins_anew_when_the_queue_was_empty_in_between);
	tcase_add_test(tc, a_send_timeout_of_zero_is_none);
	tcase_add_test(tc, messages_reach_the_application_at_once_and_in_order);
	tcase_add_test(tc, messages_to_a_session_that_closes_are_dropped);
	tcase_add_test(
	    tc, a_paused_application_gets_nothing_until_it_resumes_and_then_all_in_order);
	tcase_add_test(tc, an_application_that_pauses_in_each_message_gets_them_one_by_one);
	tcase_add_test(tc, a_session_closed_while_messages_wait_delivers_none_of_them);
	tcase_add_test(tc, pause_and_resume_in_one_turn_leave_the_wire_running);
	tcase_add_test(tc, a_receiver_that_comes_to_a_paused_session_is_paused);
	tcase_add_test(tc, a_session_paused_in_its_open_callback_has_its_wire_paused);
	tcase_add_test(tc, what_a_paused_session_keeps_is_bounded);
	tcase_add_test(tc, who_waits_for_a_paused_application_is_told_when_it_has_taken_everything);
	tcase_add_test(tc, who_waits_for_an_application_that_closes_is_told_so_at_once);
	tcase_add_test(tc, a_second_receiver_is_turned_away_and_the_first_is_not_disturbed);
	tcase_add_test(tc, a_lost_receiver_ends_the_session_and_a_late_one_is_told_1002);
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
	tcase_add_test(tc, a_session_without_a_receiver_lives_for_the_disconnect_delay);
	tcase_add_test(tc, a_receiver_renews_the_disconnect_delay_and_a_message_does_not);
	tcase_add_test(tc, a_heartbeat_breaks_a_silence_of_the_heartbeat_delay);
	tcase_add_test(tc, a_message_puts_the_heartbeat_off);
	tcase_add_test(tc, a_heartbeat_answers_a_poll);
	tcase_add_test(tc, no_heartbeat_is_queued_behind_what_the_wire_has_not_taken);
	tcase_add_test(tc, a_heartbeat_delay_of_zero_is_none);
	tcase_add_test(tc, a_heartbeat_that_is_lost_ends_the_session);
	tcase_add_test(tc, a_client_that_never_shows_that_it_hears_us_is_closed_as_silent);
	tcase_add_test(tc, a_message_or_a_pong_or_a_second_receiver_shows_that_the_client_hears_us);
	tcase_add_test(tc, a_closing_session_lets_the_loop_rest);
	tcase_add_test(tc, a_closing_session_without_a_receiver_lets_the_loop_rest);
	tcase_add_test(tc, a_drained_reactor_closes_every_session_in_due_form);
	tcase_add_test(tc, a_session_on_its_way_through_101_is_drained_once_it_has_opened);
	tcase_add_test(tc, an_aborted_reactor_ends_every_session_at_once_whatever_waits);
	tcase_add_test(tc, an_aborted_reactor_ends_what_has_closed_and_waits_for_late_receivers);
	tcase_add_test(tc, a_session_that_comes_through_101_after_the_abort_sees_open_and_close);
	tcase_add_test(tc, without_memory_a_session_loses_nothing_it_has_accepted_and_ends_well);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(session_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
