/*
 * tests/unit/test_session_snapshot.c - a session that another process goes on with: neither its
 * client nor its application can tell.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "session/session_private.h"
#include "session/session_trail.h"
#include "session_fixture.h"

/* --- from process to process -------------------------------------------------------------- */

struct written {
	char octets[1 << 16];
	size_t n;
};

static struct written state;
static struct session *s; /* the one and only */

static int write_down(struct written *to)
{
	struct snapshot out;
	int err;

	snapshot_init_write(&out);
	session_snapshot(s, &out, table);
	err = snapshot_error(&out);
	to->n = buf_len(&out.out);
	ck_assert_uint_le(to->n, sizeof(to->octets));
	if (to->n)
		memcpy(to->octets, buf_data(&out.out), to->n);
	snapshot_fini(&out);
	return err;
}

static void free_in_silence(struct session *of)
{
	mem_free(of);
}

static const struct session_ops silent_app = { .free = free_in_silence };

/* As when its process ends: nobody hears of it. */
static void forget(struct session *of)
{
	of->ops = &silent_app;
	if (of->receiver)
		of->receiver->session = NULL;
	of->receiver = NULL;
	session_leave_table(of);
	session_drop_inbox(of, false);
	message_ring_fini(&of->out, &reactor.freelist);
	of->out_bytes = 0;
	if (!of->reported && of->opened)
		reactor.counters.now--;
	else if (!of->reported)
		reactor.counters.connecting--;
	of->state = SESSION_CLOSED;
	of->reported = true;
	session_mark_dirty(of);
	fake_loop_turn(loop);
}

/* The loop, the table and all else are new; the time goes on. */
static void begin_process(void)
{
	ck_assert_int_eq(loop_new(&loop), 0);
	loop_enter(loop);
	session_reactor_init(&reactor, loop);
	table = session_table_new();
	ck_assert_ptr_nonnull(table);
}

static void end_process(void)
{
	ck_assert(list_empty(&reactor.sessions));
	session_reactor_fini(&reactor);
	session_table_free(table);
	loop_free(loop);
}

static int read_from(const char *octets, size_t n, const char *transport, bool is_raw)
{
	char *copy = malloc(n + (n == 0));
	struct snapshot in;
	int err;

	memcpy(copy, octets, n);
	s = mem_zalloc(sizeof(*s));
	ck_assert_ptr_nonnull(s);
	session_init(s, &reactor, &limits, &telling_app, transport, is_raw);
	ck_assert_int_eq(snapshot_init_read(&in, (struct bytes){ copy, n }, NULL, 0), 0);
	session_snapshot(s, &in, table);
	err = snapshot_error(&in);
	snapshot_fini(&in);
	free(copy);
	return err;
}

static void hand_over(void)
{
	struct receiver *r = s->receiver, *arriving = session_arriving(s);
	const char *transport = s->transport, *const *transports = reactor.transports;
	bool is_raw = s->is_raw;

	ck_assert_int_eq(write_down(&state), 0);
	forget(s);
	end_process();
	begin_process();
	reactor.transports = transports;
	ck_assert_int_eq(read_from(state.octets, state.n, transport, is_raw), 0);
	if (r)
		session_restore_receiver(s, r);
	if (arriving)
		session_restore_arriving(s, arriving);
	session_restored(s);
}

/* It comes to nothing: this process goes on. */
static void hand_over_in_vain(void)
{
	ck_assert_int_eq(write_down(&state), 0);
}

/* --- what goes along ------------------------------------------------------------------------ */

START_TEST(an_open_session_goes_on)
{
	static struct fake_receiver r;
	uint64_t id;

	s = open_stream(&r);
	id = s->id;
	hand_over();
	app_was_told("");
	fake_receiver_said(&r, "");
	ck_assert_uint_eq(s->id, id);
	ck_assert_uint_eq(reactor.counters.now, 1);
	ck_assert_uint_eq(reactor.counters.connecting, 0);
	ck_assert_uint_eq(reactor.counters.opened, 0);
	deliver(s, "in");
	send_text(s, "out");
	fake_loop_turn(loop);
	app_was_told("[message in]");
	fake_receiver_said(&r, "a[out]");
	session_close(s, 3001, "enough");
	fake_loop_turn(loop);
	app_was_told("[close 3001 enough]");
	fake_receiver_said(&r, "c[3001,enough]");
	ck_assert_uint_eq(reactor.counters.now, 0);
}
END_TEST

START_TEST(new_sessions_get_other_numbers)
{
	struct session *next;
	uint64_t id;

	s = new_session_in_table();
	session_hold(s);
	s->id += 1000;
	id = s->id;
	hand_over();
	ck_assert_uint_eq(s->id, id);
	next = new_session();
	ck_assert_uint_gt(next->id, id);
	forget(next);
	session_refuse(s, 403, 4003, "no");
}
END_TEST

START_TEST(its_place_in_the_table_goes_along)
{
	struct addr near = { .family = AF_INET, .ip = { 192, 0, 2, 1 } }, far = near;
	struct session_found found;
	static struct fake_receiver r;

	far.ip[0] = 10;
	peer = near;
	limits.bind_address = true;
	s = open_stream(&r);
	*session_entry_request(s->entry) = (struct request_mark){ 11, 12 };
	limits.bind_address = false;
	hand_over();
	ck_assert(session_table_find(table, BYTES("id"), &near, &found));
	ck_assert_ptr_eq(found.session, s);
	ck_assert(found.open && !found.paused);
	ck_assert(!session_table_find(table, BYTES("id"), &far, &found));
	ck_assert_uint_eq(session_entry_request(s->entry)->query, 11);
	ck_assert_uint_eq(session_entry_request(s->entry)->connection, 12);
	session_pause(s);
	hand_over();
	ck_assert(session_table_find(table, BYTES("id"), &near, &found));
	ck_assert(found.paused);
}
END_TEST

static struct message *text_of(const char *text, bool for_many)
{
	struct message *m = message_new(text, strlen(text), false, for_many);

	ck_assert_ptr_nonnull(m);
	return m;
}

static void send_joined(const char *one, const char *two)
{
	struct message *parts[2] = { text_of(one, true), text_of(two, true) },
	               *m = message_join(parts, 2);

	ck_assert_ptr_nonnull(m);
	session_send(s, m);
	message_unref(parts[0]);
	message_unref(parts[1]);
	message_unref(m);
}

START_TEST(what_waits_for_the_client_goes_along)
{
	static struct fake_receiver r;
	struct message *m;
	struct session_delivery before, after;
	size_t bytes;

	s = open_by_poll();
	send_text(s, "one");
	send_joined("two", "three");
	m = message_new("\x01", 1, true, false);
	session_send(s, m);
	message_unref(m);
	m = text_of("\xed\xa0\x80", false);
	m->has_surrogates = true;
	session_send(s, m);
	message_unref(m);
	fake_loop_turn(loop);
	bytes = s->out_bytes;
	session_delivery(s, &before);
	hand_over();
	ck_assert_uint_eq(s->out_bytes, bytes);
	ck_assert_uint_eq(s->out.count, 4);
	ck_assert(message_ring_at(&s->out, 1)->is_joined);
	ck_assert(message_ring_at(&s->out, 2)->binary);
	ck_assert(message_ring_at(&s->out, 3)->has_surrogates);
	session_delivery(s, &after);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	fake_receiver_init(&r);
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	fake_receiver_said(&r, "a[one,two,three,\x01,\xed\xa0\x80]");
	ck_assert_uint_eq(s->out_bytes, 0);
}
END_TEST

START_TEST(what_waits_for_the_application_goes_along)
{
	static struct fake_receiver r;

	s = open_stream(&r);
	session_pause(s);
	deliver(s, "one");
	session_deliver(s, "two", 3, true);
	hand_over();
	ck_assert(session_is_behind(s));
	fake_loop_turn(loop);
	app_was_told("");
	session_resume(s);
	fake_loop_turn(loop);
	app_was_told("[message one][binary two]");
	ck_assert(!session_is_behind(s));
	ck_assert_int_eq(r.paused, 0);
}
END_TEST

START_TEST(one_on_hold_is_accepted_elsewhere)
{
	static struct fake_receiver r;

	s = new_session_in_table();
	session_hold(s);
	fake_receiver_init(&r);
	session_attach(s, &r.base);
	deliver(s, "eager");
	fake_loop_turn(loop);
	hand_over();
	ck_assert_uint_eq(reactor.counters.now, 0);
	ck_assert_uint_eq(reactor.counters.connecting, 1);
	session_accept(s);
	fake_loop_turn(loop);
	app_was_told("[open][message eager]");
	fake_receiver_said(&r, "o");
	ck_assert_uint_eq(reactor.counters.now, 1);
	ck_assert_uint_eq(reactor.counters.connecting, 0);
}
END_TEST

START_TEST(a_refusal_knows_when_to_come_back)
{
	static struct fake_receiver r;

	s = new_session();
	s->is_raw = true;
	session_hold(s);
	s->retry_after = 7;
	fake_receiver_init(&r);
	session_attach(s, &r.base);
	hand_over();
	session_refuse(s, 503, 1013, "later");
	fake_loop_turn(loop);
	fake_receiver_said(&r, "503 later [7 s]");
	app_was_told("[close 503 later][free]");
}
END_TEST

/* It is told why, and for as long as it would have been. */
START_TEST(late_receivers_are_answered_elsewhere)
{
	static struct fake_receiver r, late;

	s = open_stream(&r);
	session_close(s, 3000, "over");
	fake_loop_turn(loop);
	app_was_told("[close 3000 over]");
	fake_loop_pass(loop, 3000);
	hand_over();
	ck_assert_uint_eq(reactor.counters.now + reactor.counters.connecting, 0);
	fake_receiver_init(&late);
	ck_assert_int_eq(session_attach(s, &late.base), 0);
	fake_receiver_said(&late, "c[3000,over]");
	fake_loop_pass(loop, 1999);
	ck_assert(is_in_table());
	fake_loop_pass(loop, 1);
	fake_loop_turn(loop);
	ck_assert(!is_in_table());
	app_was_told("[free]");
}
END_TEST

START_TEST(deadlines_go_along)
{
	static struct fake_receiver r;

	limits.first_message_timeout_ms = 20000;
	s = open_stream(&r);
	fake_loop_pass(loop, 9000);
	hand_over();
	fake_loop_pass(loop, 999);
	ck_assert_uint_eq(r.asked, 0);
	fake_loop_pass(loop, 1);
	ck_assert_uint_eq(r.asked, 1);
	hand_over();
	fake_loop_pass(loop, 9999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	fake_loop_turn(loop);
	app_was_told("[close 4501 The client never answered]");
}
END_TEST

START_TEST(a_client_that_reads_nothing_has_no_more_time_than_it_had)
{
	static struct fake_receiver r;

	s = open_stream(&r);
	r.clogged = true;
	send_text(s, "stuck");
	fake_loop_turn(loop);
	send_text(s, "behind");
	fake_loop_turn(loop);
	fake_loop_pass(loop, 6000);
	hand_over();
	fake_loop_pass(loop, 3999);
	app_was_told("");
	fake_loop_pass(loop, 1);
	fake_loop_turn(loop);
	app_was_told("[close 4500 The client reads too slowly]");
}
END_TEST

/* Behind TLS nothing is known of what it had taken. */
START_TEST(it_has_time_anew_where_its_progress_cannot_be_compared)
{
	static struct fake_receiver r;

	s = open_stream(&r);
	r.clogged = true;
	r.acknowledged = 1000000;
	send_text(s, "slow");
	fake_loop_turn(loop);
	send_text(s, "behind");
	fake_loop_turn(loop);
	fake_loop_pass(loop, 9000);
	hand_over();
	r.acknowledged = 5;
	session_measure_anew(s);
	fake_loop_pass(loop, 5000);
	r.acknowledged = 6;
	fake_loop_pass(loop, 5000);
	fake_loop_turn(loop);
	app_was_told("");
	fake_loop_pass(loop, 10000);
	fake_loop_turn(loop);
	app_was_told("[close 4500 The client reads too slowly]");
}
END_TEST

START_TEST(who_is_gone_may_come_back_elsewhere)
{
	static struct fake_receiver r;

	s = open_by_poll();
	fake_loop_pass(loop, 4000);
	hand_over();
	fake_loop_pass(loop, 999);
	app_was_told("");
	fake_receiver_init(&r);
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	fake_loop_pass(loop, 30000);
	fake_receiver_said(&r, "h");
	ck_assert(s->heard);
}
END_TEST

START_TEST(a_last_response_goes_on_arriving)
{
	static struct fake_receiver r;

	s = new_session_in_table();
	fake_receiver_init_polling(&r);
	r.arriving = true;
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	ck_assert_ptr_eq(session_arriving(s), &r.base);
	hand_over();
	ck_assert_ptr_eq(session_arriving(s), &r.base);
	ck_assert_ptr_eq(r.base.session, s);
	for (unsigned i = 0; i < 4; i++) {
		r.acknowledged += 100;
		fake_loop_pass(loop, 10000);
	}
	app_was_told("[open]");
	session_receiver_arrived(s, &r.base);
	ck_assert_ptr_null(r.base.session);
}
END_TEST

START_TEST(who_was_full_is_told_when_there_is_room)
{
	static struct fake_receiver r;

	s = open_stream(&r);
	r.clogged = true;
	ck_assert_int_eq(send_cost(s, 3000), SESSION_FULL);
	fake_loop_turn(loop);
	hand_over();
	fake_loop_turn(loop);
	app_was_told("");
	fake_receiver_drain(&r, 0);
	fake_loop_turn(loop);
	app_was_told("[writable]");
}
END_TEST

/* Nobody waits for it, and there is nothing that would end it. */
START_TEST(one_that_nobody_would_end_has_an_end)
{
	static struct fake_receiver r;

	s = open_stream(&r);
	ck_assert_int_eq(write_down(&state), 0);
	forget(s);
	ck_assert_int_eq(read_from(state.octets, state.n, "xhr", false), 0);
	session_restored(s);
	fake_loop_pass(loop, 5000);
	fake_loop_turn(loop);
	app_was_told("[close 1002 Connection interrupted][free]");
}
END_TEST

/* --- what is kept for people -------------------------------------------------------------------- */

static const char *const theirs[] = { "websocket", "xhr", "xhr_streaming", NULL };
static const char *const ours[] = { "xhr_streaming", "eventsource", "xhr", NULL };

static const char *of_text(const struct session_event *e)
{
	const char *of = session_transport_name(&reactor, e->of);

	if (e->kind == SESSION_EVENT_CLOSING)
		return session_cause_word(e->of);
	return e->kind <= SESSION_EVENT_DETACHED ? (of ? of : "?") : "-";
}

static const char *event_text(const struct session_event *e)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s %s %u at %u", session_event_word(e->kind), of_text(e),
	    e->code, e->at);
	return text;
}

static void tell_record(char *to, size_t room)
{
	const struct session_record *r = session_record(s);
	size_t n = (size_t)snprintf(to, room, "%u of %u; %s; %u %u;", r->kept, r->count,
	    session_cause_word(r->cause), (unsigned)(r->messages_in + r->bytes_in),
	    (unsigned)(r->messages_out + r->bytes_out));

	for (unsigned i = 0; i < r->kept; i++)
		n += (size_t)snprintf(
		    to + n, room - n, " %s;", event_text(session_record_event(r, i)));
	ck_assert_uint_lt(n, room);
}

START_TEST(the_time_line_goes_along)
{
	static struct fake_receiver r;
	static char before[2048], after[2048];

	reactor.transports = theirs;
	s = new_session_in_table();
	ck_assert_int_eq(session_record_begin(s), 0);
	fake_receiver_init(&r);
	ck_assert_int_eq(session_attach(s, &r.base), 0);
	for (unsigned i = 0; i < 20; i++) {
		fake_loop_pass(loop, 1500);
		(i % 2 ? session_resume : session_pause)(s);
		fake_loop_turn(loop);
	}
	deliver(s, "in");
	s->record->transports = 7;
	s->record->tried = 2;
	session_close(s, 3456, "mine");
	tell_record(before, sizeof(before));
	ck_assert_int_eq(write_down(&state), 0);
	forget(s);
	reactor.transports = ours;
	ck_assert_int_eq(read_from(state.octets, state.n, "xhr_streaming", false), 0);
	tell_record(after, sizeof(after));
	ck_assert_str_eq(after, before);
	ck_assert_str_eq(s->record->reason, "mine");
	ck_assert_uint_eq(s->record->transports, 1 | 4); /* no websocket is known here */
	ck_assert_uint_eq(s->record->tried, 4);
	session_restored(s);
	fake_loop_turn(loop);
	app_was_told("[open][message in][close 3456 mine]");
}
END_TEST

/* --- what is known of messages --------------------------------------------------------------------- */

START_TEST(marks_go_along)
{
	static struct fake_receiver r;
	struct session_delivery before, after;

	s = open_stream(&r);
	for (unsigned i = 0; i < 40; i++) {
		send_text(s, "0123456789");
		fake_loop_pass(loop, 25);
	}
	for (size_t unacked = 0; unacked <= 400; unacked += 7) {
		r.unacked = unacked;
		session_delivery(s, &before);
		hand_over();
		session_delivery(s, &after);
		ck_assert_mem_eq(&before, &after, sizeof(before));
	}
	ck_assert(session_asks_for_proof(s));
	send_text(s, "more");
	fake_loop_turn(loop);
	hand_over();
	session_proves(s);
	session_delivery(s, &after);
	ck_assert_uint_eq(after.confirmed, 40);
	ck_assert_uint_eq(after.accepted, 41);
}
END_TEST

/* --- chance ------------------------------------------------------------------------------------------ */

static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

enum { RECEIVERS = 60 };

static struct fake_receiver receivers[RECEIVERS];
static unsigned receiver_count;

static struct fake_receiver *attached(void)
{
	return s->receiver ? container_of(s->receiver, struct fake_receiver, base) : NULL;
}

static bool is_over(void)
{
	return list_empty(&reactor.sessions);
}

static void note_delivery(struct session *of)
{
	struct session_delivery d;

	session_delivery(of, &d);
	note("{%u %u %u %u}", (unsigned)d.accepted, (unsigned)d.sent, (unsigned)d.acknowledged,
	    (unsigned)d.confirmed);
}

static void attach_one(void)
{
	struct fake_receiver *r = &receivers[receiver_count];

	if (receiver_count == RECEIVERS || (!s->entry && receiver_count > 0))
		return;
	receiver_count++;
	if (s->entry && below(2))
		fake_receiver_init_polling(r);
	else
		fake_receiver_init(r);
	r->arriving = below(2);
	r->ends_when_asked = below(2);
	session_attach(s, &r->base);
}

static void say_something(void)
{
	char text[32];

	snprintf(text, sizeof(text), "out%u", below(1000));
	if (below(4) == 0 && session_is_open(s))
		send_joined(text, "joined");
	else if (below(4) == 0)
		send_cost(s, COST + below(1500));
	else
		send_text(s, text);
}

static void hear_something(void)
{
	char text[32];

	snprintf(text, sizeof(text), "in%u", below(1000));
	session_deliver(s, text, strlen(text), below(4) == 0);
}

/* The wire takes some of what it has, or its client does. */
static void move_wire(void)
{
	struct fake_receiver *r = attached();
	struct receiver *arriving = session_arriving(s);

	if (arriving && below(2)) {
		session_receiver_arrived(s, arriving);
	} else if (r && r->clogged) {
		r->clogged = below(2);
		r->acknowledged += below(100);
		fake_receiver_drain(r, below(2) ? r->queued / 2 : 0);
	} else if (r) {
		r->clogged = true;
		r->unacked = r->written ? below(r->written) : 0;
	}
}

static void decide(void)
{
	if (below(3))
		session_accept(s);
	else
		session_refuse(s, 403, 4003, "refused");
}

static void pause_or_resume(void)
{
	static void (*const ways[])(struct session *) = { session_pause, session_resume, session_hold_back,
		session_let_go_on };

	ways[below(4)](s);
}

static void end_somehow(void)
{
	struct fake_receiver *r = attached();

	switch (below(8)) {
	case 0:
		if (r)
			session_client_closed(s, &r->base, 4444, "theirs");
		break;
	case 1:
		if (r)
			session_receiver_gone(s, &r->base);
		break;
	case 2:
		session_cut(s, CLOSE_SLOW);
		break;
	case 3:
		session_close(s, 3000 + below(3), below(2) ? "mine" : NULL);
		break;
	default:
		break;
	}
}

static void do_rare_things(void)
{
	switch (below(6)) {
	case 0:
		session_fail_sends(s, below(2));
		break;
	case 1:
		session_set_heartbeat(s, below(2));
		break;
	case 2:
		session_doubt(s);
		break;
	case 3:
		session_beat(s);
		break;
	case 4:
		if (attached())
			session_answered(s);
		break;
	case 5:
		if (s->state == SESSION_OPEN && session_asks_for_proof(s) && below(2))
			session_proves(s);
		break;
	}
}

static void pass_time(void)
{
	static const unsigned ms[] = { 1, 25, 25, 400, 1000, 5000, 5001, 25000 };

	fake_loop_pass(loop, ms[below(8)]);
}

static void step(void)
{
	static void (*const things[])(void) = { attach_one, attach_one, say_something, say_something,
		hear_something, move_wire, pass_time, pass_time, pause_or_resume, do_rare_things, decide,
		end_somehow };

	things[below(sizeof(things) / sizeof(things[0]))]();
}

static void begin_story(uint32_t number)
{
	seed = number * 2654435761u + 7;
	receiver_count = 0;
	memset(receivers, 0, sizeof(receivers));
	told_len = 0;
	told[0] = '\0';
	react.close = note_delivery;
	limits.first_message_timeout_ms = below(2) ? 8000 : 0;
	limits.first_silence_ms = below(2) ? 2000 : 0;
	s = below(3) ? new_session_in_table() : new_session();
	s->network = (struct network_policy){
		.rung = below(8) & NETWORK_RUNG_MASK,
		.is_proved = below(4) == 0,
		.is_trial = below(2),
	};
	if (below(2))
		ck_assert_int_eq(session_record_begin(s), 0);
	if (below(3) == 0)
		session_hold(s);
	attach_one();
}

/* All that anybody has seen of it. */
static void live(uint32_t number, void (*over)(void), char *seen, size_t room)
{
	size_t n;

	begin_story(number);
	for (unsigned i = 0; i < 60 && !is_over(); i++) {
		fake_loop_turn(loop);
		if (over && !is_over())
			over();
		if (!is_over())
			step();
	}
	n = (size_t)snprintf(seen, room, "%s", told);
	for (unsigned i = 0; i < receiver_count; i++)
		n += (size_t)snprintf(seen + n, room - n, "\n%u: %s %u %u %u %d", i, receivers[i].said,
		    receivers[i].asked, receivers[i].closes, receivers[i].aborts, receivers[i].paused);
	ck_assert_uint_lt(n, room);
	if (!is_over())
		forget(s);
}

START_TEST(any_life)
{
	static char plain[1 << 18], over[1 << 18], in_vain[1 << 18];

	for (uint32_t i = 0; i < 3000; i++) {
		live(i, NULL, plain, sizeof(plain));
		live(i, hand_over, over, sizeof(over));
		live(i, hand_over_in_vain, in_vain, sizeof(in_vain));
		ck_assert_msg(strcmp(plain, over) == 0, "story %u:\n%s\n--\n%s", i, plain, over);
		ck_assert_msg(strcmp(plain, in_vain) == 0, "story %u, in vain", i);
	}
}
END_TEST

/* --- what is no snapshot ------------------------------------------------------------------------------- */

/* As much as can be of everything. */
static void reach_state(unsigned i)
{
	static struct fake_receiver r;

	reactor.transports = theirs;
	s = new_session_in_table();
	if (i & 1)
		ck_assert_int_eq(session_record_begin(s), 0);
	if (i & 2)
		session_hold(s);
	fake_receiver_init(&r);
	session_attach(s, &r.base);
	r.clogged = true;
	session_pause(s);
	deliver(s, "in");
	for (unsigned n = 0; n < 3; n++) {
		send_text(s, "out");
		fake_loop_pass(loop, 25);
	}
	send_joined("one", "two");
	if (i & 4)
		session_close(s, 4000, "a reason");
}

/* One that could not be restored is gone in the next turn, and nobody hears of it. */
static void is_gone(void)
{
	fake_loop_turn(loop);
	ck_assert(is_over());
	app_was_told("[free]");
	ck_assert_uint_eq(reactor.counters.now + reactor.counters.connecting, 0);
	ck_assert(!is_in_table());
}

static void write_state(unsigned i, struct written *to)
{
	reach_state(i);
	ck_assert_int_eq(write_down(to), 0);
	forget(s);
	told_len = 0;
	told[0] = '\0';
}

START_TEST(what_is_cut_off_is_refused)
{
	static struct written whole;

	write_state((unsigned)_i, &whole);
	for (size_t n = 0; n < whole.n; n++) {
		ck_assert_int_eq(read_from(whole.octets, n, "xhr", false), -EPROTO);
		is_gone();
	}
}
END_TEST

START_TEST(bits_that_are_wrong_are_refused_or_harmless)
{
	static struct written whole;
	unsigned refused = 0;

	write_state((unsigned)_i, &whole);
	for (size_t bit = 0; bit < 8 * whole.n; bit++) {
		whole.octets[bit / 8] ^= (char)(1 << bit % 8);
		if (read_from(whole.octets, whole.n, "xhr", false) < 0) {
			is_gone();
			refused++;
		} else {
			session_restored(s);
			fake_loop_pass(loop, 1000);
			if (!is_over())
				forget(s);
			told_len = 0;
			told[0] = '\0';
		}
		whole.octets[bit / 8] ^= (char)(1 << bit % 8);
	}
	ck_assert_uint_gt(refused, 300);
}
END_TEST

START_TEST(memory_may_be_out_anywhere)
{
	static struct written whole;

	write_state((unsigned)_i, &whole);
	for (unsigned long n = 2;; n++) { /* the first one is the test's own */
		int err;

		freelist_fini(&reactor.freelist);
		mem_fail_at(n);
		err = read_from(whole.octets, whole.n, "xhr", false);
		if (!mem_failed()) {
			ck_assert_int_eq(err, 0);
			break;
		}
		mem_fail_at(0);
		ck_assert_int_eq(err, -ENOMEM);
		is_gone();
	}
	mem_fail_at(0);
	forget(s);
}
END_TEST

START_TEST(an_id_can_be_there_once)
{
	static struct written whole;
	struct session *first;

	write_state(0, &whole);
	ck_assert_int_eq(read_from(whole.octets, whole.n, "xhr", false), 0);
	first = s;
	ck_assert_int_eq(read_from(whole.octets, whole.n, "xhr", false), -EPROTO);
	fake_loop_turn(loop);
	ck_assert(is_in_table());
	app_was_told("[free]");
	forget(first);
}
END_TEST

/* --- the program ------------------------------------------------------------------------------------------ */

static void add(TCase *tc)
{
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, an_open_session_goes_on);
	tcase_add_test(tc, new_sessions_get_other_numbers);
	tcase_add_test(tc, its_place_in_the_table_goes_along);
	tcase_add_test(tc, what_waits_for_the_client_goes_along);
	tcase_add_test(tc, what_waits_for_the_application_goes_along);
	tcase_add_test(tc, one_on_hold_is_accepted_elsewhere);
	tcase_add_test(tc, a_refusal_knows_when_to_come_back);
	tcase_add_test(tc, late_receivers_are_answered_elsewhere);
	tcase_add_test(tc, deadlines_go_along);
	tcase_add_test(tc, a_client_that_reads_nothing_has_no_more_time_than_it_had);
	tcase_add_test(tc, it_has_time_anew_where_its_progress_cannot_be_compared);
	tcase_add_test(tc, who_is_gone_may_come_back_elsewhere);
	tcase_add_test(tc, a_last_response_goes_on_arriving);
	tcase_add_test(tc, who_was_full_is_told_when_there_is_room);
	tcase_add_test(tc, one_that_nobody_would_end_has_an_end);
	tcase_add_test(tc, the_time_line_goes_along);
	tcase_add_test(tc, marks_go_along);
	tcase_add_test(tc, any_life);
	tcase_add_loop_test(tc, what_is_cut_off_is_refused, 0, 8);
	tcase_add_loop_test(tc, bits_that_are_wrong_are_refused_or_harmless, 0, 8);
	tcase_add_loop_test(tc, memory_may_be_out_anywhere, 0, 8);
	tcase_add_test(tc, an_id_can_be_there_once);
}

int main(void)
{
	return session_tests_run("session_snapshot", add);
}
