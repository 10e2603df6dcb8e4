/*
 * tests/unit/test_session_delivery.c - what a session says of the messages that it has accepted,
 * above all when it is over: how many were sent, acknowledged, confirmed. A wire of the fake receiver
 * has the octets of messages and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "session_fixture.h"

/* What was known when the application was told of the close. */
static struct session_delivery in_the_end;

static void take_note(struct session *s)
{
	session_delivery(s, &in_the_end);
}

#define is_known(d, a, b, c, e)                                                                    \
	do {                                                                                       \
		ck_assert_uint_eq((d).accepted, (a));                                              \
		ck_assert_uint_eq((d).sent, (b));                                                  \
		ck_assert_uint_eq((d).acknowledged, (c));                                          \
		ck_assert_uint_eq((d).confirmed, (e));                                             \
	} while (0)

static struct session_delivery now_of(const struct session *s)
{
	struct session_delivery d;

	session_delivery(s, &d);
	return d;
}

/* Ten octets each, in turns of their own. */
static void say(struct session *s, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		ck_assert_int_ge(send_text(s, "0123456789"), 0);
		fake_loop_pass(loop, 25);
	}
}

static void breaks(struct session *s, struct fake_receiver *r)
{
	react.close = take_note;
	session_receiver_gone(s, &r->base);
	fake_loop_turn(loop);
}

/* --- a stream -------------------------------------------------------------------------- */

START_TEST(what_was_acknowledged_is_told_exactly)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 7);
	is_known(now_of(s), 7, 7, 7, 0);
	r.unacked = 30;
	is_known(now_of(s), 7, 7, 4, 0);
	r.unacked = 31;
	breaks(s, &r);
	is_known(in_the_end, 7, 7, 3, 0);
	is_known(now_of(s), 7, 7, 3, 0);
}
END_TEST

START_TEST(what_still_waits_in_the_session_or_for_the_kernel_was_not_sent)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 2);
	r.clogged = true;
	say(s, 3);
	is_known(now_of(s), 5, 2, 2, 0); /* the third is in the stream's queue, two behind it here */
	r.queued = 4;
	r.unacked = 10;
	breaks(s, &r);
	is_known(in_the_end, 5, 2, 1, 0);
}
END_TEST

START_TEST(messages_of_one_frame_are_known_as_one)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 1);
	for (int i = 0; i < 5; i++)
		send_text(s, "0123456789");
	fake_loop_pass(loop, 25);
	r.unacked = 10; /* four of five have arrived, and nobody can tell */
	breaks(s, &r);
	is_known(in_the_end, 6, 6, 1, 0);
}
END_TEST

START_TEST(a_heartbeat_that_is_not_acknowledged_says_nothing_of_the_messages_before)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 3);
	fake_loop_pass(loop, 25000);
	r.written += 1; /* the h */
	r.unacked = 1;
	breaks(s, &r);
	is_known(in_the_end, 3, 3, 3, 0);
}
END_TEST

START_TEST(where_the_kernel_tells_nothing_nothing_is_claimed)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 3);
	r.blind = true;
	breaks(s, &r);
	is_known(in_the_end, 3, 3, 0, 0);
}
END_TEST

START_TEST(what_broke_the_wire_has_not_left)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 4);
	react.close = take_note;
	r.unacked = 10;
	r.broken = true;
	send_text(s, "one");
	send_text(s, "two");
	fake_loop_pass(loop, 25);
	is_known(in_the_end, 6, 4, 3, 0);
}
END_TEST

START_TEST(what_was_joined_counts_as_its_parts)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);
	struct message *parts[2] = { message_new("12345", 5, false, true),
		message_new("67890", 5, false, true) };
	struct message *both = message_join(parts, 2);

	session_send(s, both);
	fake_loop_pass(loop, 25);
	r.clogged = true;
	session_send(s, both);
	fake_loop_pass(loop, 25);
	session_send(s, both);
	breaks(s, &r);
	is_known(in_the_end, 6, 2, 2, 0);
	message_unref(parts[0]);
	message_unref(parts[1]);
	message_unref(both);
}
END_TEST

START_TEST(what_was_refused_does_not_count)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.clogged = true;
	ck_assert_int_eq(send_cost(s, 3000), 1);
	ck_assert_int_lt(send_cost(s, 3000), 0);
	react.close = take_note;
	fake_loop_turn(loop);
	ck_assert_uint_eq(in_the_end.accepted, 1);
}
END_TEST

/* --- the trail ------------------------------------------------------------------------- */

START_TEST(the_kernel_is_asked_only_now_and_then)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 121);
	ck_assert_uint_le(r.measured, 10);
	ck_assert_uint_gt(r.measured, 0);
	ck_assert_uint_le(session_held(s), 128);
}
END_TEST

START_TEST(a_black_hole_is_told_exactly_while_the_trail_has_room)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	limits.send_buffer_bytes = 1 << 20;
	say(s, 33);
	for (unsigned i = 0; i < 100; i++) {
		r.unacked += 10;
		say(s, 1);
	}
	breaks(s, &r);
	is_known(in_the_end, 133, 133, 33, 0);
}
END_TEST

START_TEST(a_long_one_is_told_roughly_and_the_trail_stays_small)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	limits.send_buffer_bytes = 1 << 20;
	for (unsigned i = 0; i < 2000; i++) {
		r.unacked += 10;
		r.acknowledged++; /* or it has vanished */
		say(s, 1);
		r.len = 0;
	}
	ck_assert_uint_le(session_held(s), 1024);
	r.unacked = 5000;
	breaks(s, &r);
	ck_assert_uint_le(in_the_end.acknowledged, 1500);
	ck_assert_uint_ge(in_the_end.acknowledged, 1500 - 32);
}
END_TEST

START_TEST(an_idle_session_that_has_everything_has_no_trail)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 5);
	ck_assert_uint_gt(session_held(s), 0);
	ck_assert(session_asks_for_proof(s));
	session_proves(s);
	ck_assert_uint_eq(session_held(s), 0);
	is_known(now_of(s), 5, 5, 5, 5);
	ck_assert(!session_asks_for_proof(s));
}
END_TEST

/* --- proofs ------------------------------------------------------------------------------ */

START_TEST(an_answer_proves_what_was_said_before_the_question)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 3);
	ck_assert(session_asks_for_proof(s));
	say(s, 2);
	ck_assert(!session_asks_for_proof(s)); /* one is open */
	is_known(now_of(s), 5, 5, 5, 0);
	session_proves(s);
	is_known(now_of(s), 5, 5, 5, 3);
	session_proves(s); /* nothing was asked */
	is_known(now_of(s), 5, 5, 5, 3);
	r.unacked = 50; /* even if the kernel knew less */
	breaks(s, &r);
	is_known(in_the_end, 5, 5, 3, 3);
}
END_TEST

START_TEST(a_client_that_comes_back_has_what_it_was_sent)
{
	static struct fake_receiver poll, next;
	struct session *s = open_by_poll();

	fake_receiver_init_polling(&poll);
	fake_receiver_init_polling(&next);
	send_text(s, "one");
	session_attach(s, &poll.base);
	is_known(now_of(s), 1, 1, 0, 0);
	send_text(s, "two");
	is_known(now_of(s), 2, 1, 0, 0);
	session_attach(s, &next.base);
	is_known(now_of(s), 2, 2, 1, 1);
	react.close = take_note;
	fake_loop_pass(loop, 5001);
	fake_loop_turn(loop);
	is_known(in_the_end, 2, 2, 1, 1);
}
END_TEST

START_TEST(a_response_that_still_arrives_is_asked_after)
{
	static struct fake_receiver poll;
	struct session *s = open_by_poll();

	fake_receiver_init_polling(&poll);
	poll.arriving = true;
	send_text(s, "0123456789");
	session_attach(s, &poll.base);
	poll.unacked = 5;
	is_known(now_of(s), 1, 1, 0, 0);
	poll.unacked = 0;
	session_receiver_arrived(s, &poll.base);
	is_known(now_of(s), 1, 1, 1, 0);
	react.close = take_note;
	fake_loop_pass(loop, 5001);
	fake_loop_turn(loop);
	is_known(in_the_end, 1, 1, 1, 0);
}
END_TEST

START_TEST(a_client_that_ends_its_side_while_it_arrives_proves_nothing)
{
	static struct fake_receiver poll;
	struct session *s = open_by_poll();

	fake_receiver_init_polling(&poll);
	poll.arriving = true;
	send_text(s, "0123456789");
	session_attach(s, &poll.base);
	poll.unacked = 5;
	session_receiver_arrived(s, &poll.base);
	is_known(now_of(s), 1, 1, 0, 0);
}
END_TEST

/* --- endings ----------------------------------------------------------------------------- */

START_TEST(an_application_that_closes_is_told_what_is_known_by_then)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 2);
	react.close = take_note;
	send_text(s, "0123456789");
	r.unacked = 10;
	session_close(s, 3000, "bye");
	fake_loop_pass(loop, 25);
	is_known(in_the_end, 3, 3, 2, 0);
}
END_TEST

START_TEST(a_close_that_waits_behind_messages_is_told_with_these)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 2);
	r.clogged = true;
	say(s, 2);
	react.close = take_note;
	session_close(s, 3000, "bye");
	fake_loop_turn(loop);
	is_known(in_the_end, 4, 2, 2, 0);
}
END_TEST

START_TEST(a_session_that_was_never_sent_anything_has_nothing_to_tell)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	breaks(s, &r);
	is_known(in_the_end, 0, 0, 0, 0);
	ck_assert_uint_eq(r.measured, 0);
}
END_TEST

START_TEST(counters_have_what_was_not_confirmed_by_what_is_known)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	say(s, 2);
	session_asks_for_proof(s);
	session_proves(s);
	say(s, 3);
	r.clogged = true;
	say(s, 5);
	r.unacked = 10;
	breaks(s, &r);
	is_known(in_the_end, 10, 5, 4, 2);
	ck_assert_uint_eq(reactor.counters.unconfirmed[DELIVERY_UNSENT], 5);
	ck_assert_uint_eq(reactor.counters.unconfirmed[DELIVERY_SENT], 1);
	ck_assert_uint_eq(reactor.counters.unconfirmed[DELIVERY_ACKNOWLEDGED], 2);
}
END_TEST

START_TEST(without_memory_less_is_known_and_nothing_is_claimed)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	send_text(s, "0123456789");
	fake_loop_pass(loop, 25);
	send_text(s, "0123456789");
	mem_fail_at(1);
	fake_loop_pass(loop, 25);
	r.unacked = 10;
	mem_fail_at(1);
	breaks(s, &r);
	mem_fail_at(0);
	ck_assert_uint_eq(in_the_end.accepted, 2);
	ck_assert_uint_le(in_the_end.sent, 2);
	ck_assert_uint_eq(in_the_end.acknowledged, 0);
}
END_TEST

/* --- by chance: never more than is so, and exact where little is under way ------------------- */

enum { MOST = 4000 };

/* The truth: where each message ends, and what the client has answered. */
static struct {
	uint32_t ends[MOST];
	unsigned accepted, said, proven, asked;
	uint32_t octets;
} truth;

static unsigned ended_by(uint32_t octets)
{
	unsigned n = 0;

	while (n < truth.said && truth.ends[n] <= octets)
		n++;
	return n;
}

static void send_some(struct session *s)
{
	char text[64] = "a message, of some length, by chance, up to sixty-three octet";
	unsigned n = 1 + (unsigned)(rand() % 4);

	while (n-- > 0 && truth.accepted < MOST) {
		struct message *m = message_new(text, 1 + (size_t)(rand() % 60), false, false);

		if (session_send(s, m) >= 0) {
			truth.octets += m->len;
			truth.ends[truth.accepted++] = truth.octets;
		}
		message_unref(m);
	}
}

static void claims_nothing_false(struct session *s, struct fake_receiver *r)
{
	struct session_delivery d = now_of(s);
	uint32_t sent = r->written - (uint32_t)r->queued, acked = sent - (uint32_t)r->unacked;

	truth.said = truth.accepted - s->out.count;
	ck_assert_uint_eq(d.accepted, truth.accepted);
	ck_assert_uint_le(d.sent, ended_by(sent));
	ck_assert_uint_le(d.acknowledged, ended_by(acked));
	ck_assert_uint_eq(d.confirmed, truth.proven);
	ck_assert_uint_le(d.confirmed, d.acknowledged);
	ck_assert_uint_le(d.acknowledged, d.sent);
	ck_assert_uint_le(d.sent, d.accepted);
}

/* The client has proven that at least so many octets are there. */
static void answer(struct session *s, struct fake_receiver *r)
{
	if (!truth.asked || truth.ends[truth.asked - 1] > r->written - r->queued - r->unacked)
		return;
	session_proves(s);
	truth.proven = truth.asked;
	truth.asked = 0;
}

static void do_something(struct session *s, struct fake_receiver *r)
{
	switch (rand() % 8) {
	case 0:
	case 1:
	case 2:
		send_some(s);
		break;
	case 3:
		r->clogged = rand() % 3 == 0;
		if (!r->clogged)
			fake_receiver_drain(r, 0);
		break;
	case 4: /* the kernel has more in hand, or less */
		r->unacked = r->unacked / 2;
		break;
	case 5:
		answer(s, r);
		break;
	case 6:
		if (session_asks_for_proof(s))
			truth.asked = truth.accepted - s->out.count;
		break;
	default: {
		uint32_t before = r->written;

		fake_loop_pass(loop, (unsigned)(rand() % 40));
		if (!r->clogged && rand() % 2)
			r->unacked += r->written - before;
	}
	}
}

START_TEST(by_chance_nothing_is_claimed_that_is_not_so)
{
	static struct fake_receiver r;
	struct session *s;

	srand((unsigned)_i);
	memset(&truth, 0, sizeof(truth));
	limits.send_buffer_bytes = 1 << 20;
	limits.heartbeat_delay_ms = limits.send_timeout_ms = 0;
	s = open_stream(&r);
	for (int i = 0; i < 600; i++) {
		r.len = 0;
		do_something(s, &r);
		claims_nothing_false(s, &r);
	}
	breaks(s, &r);
	claims_nothing_false(s, &r);
}
END_TEST

START_TEST(octets_may_be_counted_beyond_their_number)
{
	static struct fake_receiver r;
	struct session *s = open_stream(&r);

	r.written = (uint32_t)-25;
	say(s, 5);
	r.unacked = 15;
	breaks(s, &r);
	is_known(in_the_end, 5, 5, 3, 0);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, what_was_acknowledged_is_told_exactly);
	tcase_add_test(tc, what_still_waits_in_the_session_or_for_the_kernel_was_not_sent);
	tcase_add_test(tc, messages_of_one_frame_are_known_as_one);
	tcase_add_test(tc, a_heartbeat_that_is_not_acknowledged_says_nothing_of_the_messages_before);
	tcase_add_test(tc, where_the_kernel_tells_nothing_nothing_is_claimed);
	tcase_add_test(tc, what_broke_the_wire_has_not_left);
	tcase_add_test(tc, what_was_joined_counts_as_its_parts);
	tcase_add_test(tc, what_was_refused_does_not_count);
	tcase_add_test(tc, the_kernel_is_asked_only_now_and_then);
	tcase_add_test(tc, a_black_hole_is_told_exactly_while_the_trail_has_room);
	tcase_add_test(tc, a_long_one_is_told_roughly_and_the_trail_stays_small);
	tcase_add_test(tc, an_idle_session_that_has_everything_has_no_trail);
	tcase_add_test(tc, an_answer_proves_what_was_said_before_the_question);
	tcase_add_test(tc, a_client_that_comes_back_has_what_it_was_sent);
	tcase_add_test(tc, a_response_that_still_arrives_is_asked_after);
	tcase_add_test(tc, a_client_that_ends_its_side_while_it_arrives_proves_nothing);
	tcase_add_test(tc, an_application_that_closes_is_told_what_is_known_by_then);
	tcase_add_test(tc, a_close_that_waits_behind_messages_is_told_with_these);
	tcase_add_test(tc, a_session_that_was_never_sent_anything_has_nothing_to_tell);
	tcase_add_test(tc, counters_have_what_was_not_confirmed_by_what_is_known);
	tcase_add_test(tc, without_memory_less_is_known_and_nothing_is_claimed);
	tcase_add_loop_test(tc, by_chance_nothing_is_claimed_that_is_not_so, 0, 40);
	tcase_add_test(tc, octets_may_be_counted_beyond_their_number);
}

int main(void)
{
	return session_tests_run("session delivery", add_tests);
}
