/*
 * tests/unit/test_upstream_snapshot.c - connections to backends go on in another process: at every step of a conversation,
 * while they are made, when they have outlived their sessions; and what comes from a file or a socket may be
 * anything.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "snapshot_damage.h"
#include "upstream/upstream_private.h"
#include "upstream_fixture.h"

enum { ALL = 1 << 20 };

static void setup(void)
{
	world_begin();
}

static void teardown(void)
{
	world_end();
}

/* A turn in which the backend does what it can. */
static void turn_with_backend(void)
{
	turn(0);
	backend_reads(ALL);
	backend_writes(ALL);
}

#define until(what)                                                                                \
	do {                                                                                       \
		for (int patience_ = 0; !(what) && patience_ < 5000; patience_++)                  \
			turn_with_backend();                                                       \
		ck_assert_msg(what, "never: %s", #what);                                           \
	} while (0)

static void open_session(void)
{
	session_begins();
	until(session.state == OPEN && backend.is_open);
}

/* All that was said is heard. */
static void hear_all(void)
{
	for (int i = 0; i < 20000 && (session.heard < backend.said || backend.heard < session.said); i++) {
		session_takes(ALL);
		turn_with_backend();
	}
	session_takes(ALL);
	ck_assert_uint_eq(session.heard, backend.said);
	ck_assert_uint_eq(backend.heard, session.said);
}

static unsigned connections(void)
{
	return atomic_load(&here->targets[0].connections) + atomic_load(&here->targets[1].connections);
}

/* --- a conversation ----------------------------------------------------------------------- */

static uint32_t dice;

static unsigned roll(unsigned sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 17;
	dice ^= dice << 5;
	return dice % sides;
}

/* Whatever may happen next. */
static void step(void)
{
	switch (roll(9)) {
	case 0:
	case 1:
		session_says();
		break;
	case 2:
	case 3:
		backend_says();
		break;
	case 4:
		backend_reads(1 + roll(roll(2) ? 50 : 5000));
		break;
	case 5:
		backend_writes(1 + roll(roll(2) ? 50 : 5000));
		break;
	case 6:
		session_takes(roll(5000));
		break;
	default:
		turn(roll(2));
	}
}

/* What a process has at the end is what there is: one connection, of one target. */
static void look_at_counts(void)
{
	ck_assert_uint_eq(connections(), 1);
	ck_assert_uint_eq(here->reactor.targets[1].count, 1);
	ck_assert(list_has(&here->reactor.targets[1].conns, 1));
	ck_assert(list_empty(&here->reactor.conns));
}

static void end_it(void)
{
	if (roll(2)) {
		session_leaves(3001, "bye");
		move();
		until(backend.code != 0);
		ck_assert_uint_eq(backend.code, 3001);
		ck_assert_str_eq(backend.reason, "bye");
	} else {
		backend_closes(4002, "enough");
		move();
		until(session.state == CLOSED);
		ck_assert_uint_eq(session.code, 4002);
	}
}

START_TEST(a_conversation_is_the_same_wherever_it_goes_on)
{
	dice = (uint32_t)_i * 2654435761u + 1;
	configured.deflate.enabled = _i % 2;
	configured.deflate.context_takeover = _i % 4 == 1;
	open_session();
	for (int i = 0; i < 400; i++) {
		step();
		if (roll(2))
			move();
	}
	look_at_counts();
	hear_all();
	ck_assert_uint_gt(session.heard, 20);
	ck_assert_uint_gt(backend.heard, 20);
	ck_assert_uint_eq(backend.accepted, 1);
	end_it();
}
END_TEST

/* Every octet of a frame is a place where it can stand still. */
START_TEST(a_frame_may_be_cut_anywhere)
{
	configured.deflate.enabled = _i;
	open_session();
	for (int i = 0; i < 20; i++)
		backend_says();
	while (buf_len(&backend.out) > 0) {
		backend_writes(1);
		turn(0);
		move();
		session_takes(ALL);
	}
	hear_all();
	ck_assert_uint_eq(session.heard, 20);
}
END_TEST

/* The client takes nothing, so the backend is not read; and the other way round. */
START_TEST(who_is_slow_stays_slow_and_loses_nothing)
{
	open_session();
	for (int i = 0; i < 2000 && session.buffered <= configured.client_buffer_bytes / 2; i++) {
		backend_says();
		turn_with_backend();
	}
	ck_assert(session.is_full);
	while (session_says())
		turn(1);
	ck_assert(session.is_paused);
	for (int i = 0; i < 3; i++) {
		unsigned heard = session.heard;

		move();
		turn(1);
		turn(1);
		ck_assert_uint_eq(session.heard, heard);
		ck_assert(session.is_paused);
	}
	hear_all();
	ck_assert(!session.is_paused);
}
END_TEST

/* Whether there is room is looked at now and then where nobody says so. */
START_TEST(a_client_that_has_no_room_is_looked_at_again)
{
	open_session();
	session.buffered = configured.client_buffer_bytes;
	backend_says();
	until(session.timer != 0);
	move();
	ck_assert_uint_ne(session.timer, 0);
	session.buffered = 0;
	for (int i = 0; i < 50 && session.heard == 0; i++)
		turn(1);
	ck_assert_uint_eq(session.heard, 1);
	move();
	ck_assert_uint_eq(session.timer, 0);
}
END_TEST

/* What it said before it broke off is not lost. */
START_TEST(what_a_broken_connection_has_brought_is_heard)
{
	open_session();
	for (int i = 0; i < 200; i++)
		backend_says();
	for (int i = 0; i < 200 && !session.is_full; i++)
		turn_with_backend();
	ck_assert(session.is_full);
	while (buf_len(&backend.out) > 0) {
		size_t before = buf_len(&backend.out);

		backend_writes(ALL);
		if (buf_len(&backend.out) == before)
			break;
	}
	if (_i % 2)
		move();
	backend.has_closed = true;
	if (_i < 2)
		shutdown(backend.fd, SHUT_WR);
	else
		backend_dies();
	for (int i = 0; i < 2000 && session.state == OPEN; i++) {
		turn(1);
		ck_assert_int_eq(session.conn && session.conn->broken, session.conn && _i >= 2);
		move();
		session_takes(ALL);
	}
	ck_assert_int_eq(session.state, CLOSED);
	ck_assert_uint_eq(session.code, SOCKJS_CLOSE_RESTART);
	ck_assert_uint_gt(session.heard, 10);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

/* --- while it is made ------------------------------------------------------------------------ */

/* The backend is asked anew; whoever was asked before sees one that hangs up. */
START_TEST(a_connection_in_the_making_is_made_there)
{
	session_begins();
	for (int i = 0; i < _i; i++) {
		turn(0);
		backend_reads(ALL);
		if (i % 3 == 2)
			backend_writes(ALL);
	}
	if (session.state == WAITS)
		move();
	until(session.state == OPEN);
	session_says();
	backend_says();
	hear_all();
	look_at_counts();
}
END_TEST

/* However often it goes on elsewhere, nobody waits for longer than he would. */
START_TEST(the_time_for_it_does_not_begin_anew)
{
	uint64_t begun = now;

	backend.is_mute = true;
	session_begins();
	while (session.state == WAITS && now < begun + 20000) {
		turn(20);
		backend_reads(ALL);
		turn(0);
		if (_i && session.state == WAITS)
			move();
	}
	ck_assert_int_eq(session.state, REFUSED);
	ck_assert_uint_eq(session.status, 504);
	ck_assert_uint_ge(now - begun, 4900);
	ck_assert_uint_le(now - begun, 5200);
	move();
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

START_TEST(a_session_that_has_opened_early_waits_on)
{
	configured.open_after_ms = 250;
	process_free(here);
	here = process_new();
	backend.is_mute = true;
	session_begins();
	for (int i = 0; i < 27; i++) { /* it begins in the first of these turns */
		turn(10);
		backend_reads(ALL);
		turn(0);
		ck_assert_int_eq(session.state == OPEN, i >= 25);
		if (i != 26)
			move();
	}
	ck_assert(session.is_paused);
	ck_assert(!session_says());
	backend.is_mute = false;
	move();
	until(!session.is_paused);
	ck_assert(session_says());
	hear_all();
	ck_assert_uint_eq(session.said, 1);
}
END_TEST

/* --- time -------------------------------------------------------------------------------------- */

/* How long it takes until a backend that says nothing is given up. */
static uint64_t time_until_lost(bool moves)
{
	uint64_t begun = now;

	while (session.state == OPEN && now < begun + 100000) {
		turn(50);
		if (moves && session.state == OPEN)
			move();
	}
	ck_assert_int_eq(session.state, CLOSED);
	ck_assert_uint_eq(session.code, SOCKJS_CLOSE_RESTART);
	return now - begun;
}

START_TEST(a_backend_that_is_dead_is_given_up_no_later)
{
	uint64_t took;

	configured.ping_interval_ms = 1000;
	configured.pong_timeout_ms = 500;
	process_free(here);
	here = process_new();
	open_session();
	took = time_until_lost(_i);
	ck_assert_uint_ge(took, 1400);
	ck_assert_uint_le(took, 1700);
}
END_TEST

START_TEST(a_backend_that_answers_pings_stays)
{
	configured.ping_interval_ms = 1000;
	configured.pong_timeout_ms = 500;
	process_free(here);
	here = process_new();
	open_session();
	for (int i = 0; i < 200; i++) {
		turn(50);
		turn_with_backend();
		move();
	}
	ck_assert_int_eq(session.state, OPEN);
	ck_assert_uint_ge(backend.pings, 8);
	ck_assert_uint_le(backend.pings, 12);
	configured.ping_interval_ms = 0; /* as the next one is configured */
	move();
	for (int i = 0; i < 100; i++) {
		turn(50);
		turn_with_backend();
	}
	ck_assert_uint_le(backend.pings, 12);
	configured.ping_interval_ms = 1000;
	move();
	for (int i = 0; i < 100; i++) {
		turn(50);
		turn_with_backend();
	}
	ck_assert_uint_ge(backend.pings, 12);
}
END_TEST

/* A ping stands behind what the backend takes slowly: that it does so is known there, too. Once it takes nothing any more
 * it is given up. */
START_TEST(slow_is_not_dead_there_either)
{
	unsigned waited = 0;

	configured.ping_interval_ms = 1000;
	configured.pong_timeout_ms = 500;
	process_free(here);
	here = process_new();
	open_session();
	while (session_says())
		turn(0);
	for (; backend.heard < session.said && waited < 1000; waited++) {
		turn(100);
		backend_reads(1500);
		turn(0);
		if (_i)
			move();
	}
	ck_assert_int_eq(session.state, OPEN);
	ck_assert_uint_gt(waited, 20);
	while (session_says())
		turn(0);
	for (waited = 0; session.state == OPEN && waited < 100; waited++) {
		turn(100);
		if (_i && session.state == OPEN)
			move();
	}
	ck_assert_int_eq(session.state, CLOSED);
	ck_assert_uint_ge(waited, 14);
}
END_TEST

/* --- the end ------------------------------------------------------------------------------------- */

/* Its last messages and the Close wait for a backend that does not read. */
START_TEST(what_outlives_its_session_comes_to_the_backend_whole)
{
	configured.reports_delivery = _i;
	process_free(here);
	here = process_new();
	open_session();
	while (session_says())
		turn(0);
	session_leaves(3001, "bye");
	for (int i = 0; i < 3; i++) {
		turn(1);
		ck_assert_uint_eq(connections(), 1);
		move();
	}
	until(backend.code != 0);
	ck_assert_uint_eq(backend.heard, session.said);
	ck_assert_uint_eq(backend.code, 3001);
	ck_assert_ptr_nonnull(strstr(backend.reason, "bye"));
	ck_assert_int_eq(strstr(backend.reason, "accepted") != NULL, _i);
	close(backend.fd);
	backend.fd = -1;
	for (int i = 0; i < 100 && connections() > 0; i++)
		turn(1);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

START_TEST(a_backend_that_does_not_close_is_left_in_time)
{
	open_session();
	session_leaves(1000, "");
	for (int i = 0; i < 11; i++) {
		turn(100);
		move();
	}
	turn(100);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

/* --- targets ---------------------------------------------------------------------------------------- */

START_TEST(a_backend_that_is_not_configured_any_more_keeps_its_connections)
{
	open_session();
	knows_backend = false;
	for (int i = 0; i < 3; i++) {
		move();
		session_says();
		backend_says();
		hear_all();
		ck_assert_uint_eq(connections(), 0);
		ck_assert_uint_eq(here->settings.strays.count, 1);
		ck_assert_uint_eq(atomic_load(&here->settings.strays.all[0]->connections), 1);
	}
	knows_backend = true; /* it is again */
	move();
	look_at_counts();
	ck_assert_uint_eq(here->settings.strays.count, 0);
	hear_all();
	knows_backend = false;
	move();
	backend_dies();
	until(session.state == CLOSED);
	ck_assert_uint_eq(atomic_load(&here->settings.strays.all[0]->connections), 0);
	ck_assert_uint_eq(atomic_load(&here->settings.strays.all[0]->tally.failures[TALLY_LOST]), 1);
}
END_TEST

START_TEST(there_are_only_so_many_of_these)
{
	struct strays s = { 0 };
	struct target *t, *first;
	char url[64];

	strays_init(&s);
	for (int i = 0; i < STRAYS_MAX; i++) {
		snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", 1000 + i);
		ck_assert_int_eq(strays_find(&s, bytes_of(url), &t), 0);
		ck_assert_str_eq(t->url, url);
	}
	ck_assert_int_eq(strays_find(&s, BYTES("ws://127.0.0.1:1000/"), &first), 0);
	ck_assert_ptr_eq(first, s.all[0]);
	ck_assert_int_eq(strays_find(&s, BYTES("ws://127.0.0.1:5/"), &t), -ENOSPC);
	strays_fini(&s);
	ck_assert_int_eq(strays_find(&s, BYTES("http://127.0.0.1:5/"), &t), -EINVAL);
	ck_assert_int_eq(strays_find(&s, BYTES("ws://a\0b/"), &t), -EINVAL);
	ck_assert_int_eq(strays_find(&s, (struct bytes){ NULL, 0 }, &t), -EINVAL);
	mem_fail_at(1 + (unsigned)_i);
	ck_assert_int_eq(strays_find(&s, BYTES("ws://127.0.0.1:5/"), &t), -ENOMEM);
	mem_fail_at(0);
	strays_fini(&s);
}
END_TEST

/* Too many: the session is told, and nothing is left of its connection. */
START_TEST(a_connection_without_a_place_is_not_taken)
{
	struct snapshot written;
	struct target *t;
	char url[64];
	int fds[4] = { -1, -1, -1, -1 };
	struct snapshot read;
	struct upstream_conn *uc;

	open_session();
	knows_backend = false;
	write_down(&written);
	for (size_t i = 0; i < written.fd_count; i++)
		fds[i] = fcntl(written.fds[i], F_DUPFD_CLOEXEC, 0);
	process_free(here);
	here = process_new();
	for (int i = 0; i < STRAYS_MAX; i++) {
		snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", 1000 + i);
		ck_assert_int_eq(strays_find(&here->settings.strays, bytes_of(url), &t), 0);
	}
	snapshot_init_read(
	    &read, (struct bytes){ buf_data(&written.out), buf_len(&written.out) }, fds, written.fd_count);
	upstream_reactor_snapshot(&here->reactor, &read);
	ck_assert_int_eq(upstream_conn_snapshot(&uc, &read, &here->reactor, &session), -ENOSPC);
	ck_assert_int_eq(snapshot_error(&read), 0);
	ck_assert_uint_eq(snapshot_left(&read), 0);
	ck_assert_ptr_null(uc);
	snapshot_fini(&read);
	snapshot_fini(&written);
}
END_TEST

START_TEST(sessions_of_a_backend_that_is_to_be_free_of_them_are_closed_there)
{
	open_session();
	balancer_set_mode(&here->targets[1], TARGET_DRAIN, "an operator", now);
	atomic_store(&here->targets[1].parting_until, now + 1000);
	upstream_reactor_part(&here->reactor);
	for (int i = 0; i < 100 && session.state == OPEN; i++) {
		uint64_t until = target_load(&here->targets[1].parting_until);

		turn(20);
		if (session.state != OPEN)
			break;
		move();
		balancer_set_mode(&here->targets[1], TARGET_DRAIN, "an operator", now);
		atomic_store(&here->targets[1].parting_until, until);
	}
	ck_assert_int_eq(session.state, CLOSED);
	ck_assert_uint_eq(session.code, SOCKJS_CLOSE_RESTART);
	move();
	until(backend.code != 0);
	ck_assert_uint_eq(backend.code, SOCKJS_CLOSE_GOING_AWAY);
}
END_TEST

/* The session closes first, since the backend is told what it has had. */
START_TEST(whoever_is_about_to_part_parts_there)
{
	configured.reports_delivery = true;
	process_free(here);
	here = process_new();
	open_session();
	upstream_conn_part(session.conn);
	ck_assert_int_eq(session.state, CLOSED);
	move();
	move();
	session_leaves(SOCKJS_CLOSE_RESTART, UPSTREAM_WENT_AWAY);
	until(backend.code != 0);
	ck_assert_uint_eq(backend.code, SOCKJS_CLOSE_GOING_AWAY);
	ck_assert_str_eq(backend.reason, "{\"accepted\":0,\"sent\":0,\"acknowledged\":0,\"confirmed\":0}");
}
END_TEST

/* --- how backends do ----------------------------------------------------------------------------------- */

static void tell_of_backends(struct process *from, struct process *to, bool is_checked)
{
	struct snapshot written, read;

	snapshot_init_write(&written);
	balancer_snapshot(&from->settings.balancer, &written, true, now);
	snapshot_init_read(
	    &read, (struct bytes){ buf_data(&written.out), buf_len(&written.out) }, NULL, 0);
	balancer_snapshot(&to->settings.balancer, &read, is_checked, now);
	ck_assert_int_eq(snapshot_error(&read), 0);
	ck_assert_uint_eq(snapshot_left(&read), 0);
	snapshot_fini(&written);
	snapshot_fini(&read);
}

START_TEST(what_operators_have_set_and_who_rests_is_known_there)
{
	struct balancer *b = &here->settings.balancer;
	struct process *next = process_new();
	struct target *t = &here->targets[1], *there = &next->targets[1];
	char why[TARGET_WHY_MAX + 1];

	balancer_set_mode(t, TARGET_DRAIN, "an operator", now - 5);
	balancer_set_weight(b, t, 7);
	balancer_set_health(&here->targets[0], TARGET_FAILS, "no answer", now);
	balancer_failed(b, t, now, now);
	tell_of_backends(here, next, true);
	ck_assert_int_eq(target_load_word(&there->mode), TARGET_DRAIN);
	ck_assert_uint_eq(target_load_count(&there->weight), 7);
	ck_assert_uint_eq(target_noted(there, why), target_noted(t, why));
	ck_assert_str_eq(why, "a session could not reach it");
	ck_assert_uint_eq(target_load(&there->rests_until), target_load(&t->rests_until));
	ck_assert_uint_eq(target_load(&there->barred_until), target_load(&t->barred_until));
	ck_assert_uint_eq(target_load_count(&there->failures), 1);
	ck_assert_int_eq(target_load_word(&next->targets[0].health), TARGET_FAILS);
	ck_assert_uint_eq(target_load_count(&there->connections), 0);
	process_free(next);
}
END_TEST

START_TEST(what_checks_have_found_counts_where_there_are_checks)
{
	struct process *next = process_new();

	balancer_set_health(&here->targets[1], TARGET_FAILS, "no answer", now);
	tell_of_backends(here, next, false);
	ck_assert_int_eq(target_load_word(&next->targets[1].health), TARGET_UNCHECKED);
	ck_assert(target_takes(&next->targets[1]));
	process_free(next);
}
END_TEST

START_TEST(a_weight_of_the_configuration_is_that_of_the_new_one)
{
	struct process *next = process_new();

	next->targets[1].own_weight = 5;
	balancer_set_weight(&here->settings.balancer, &here->targets[1], 9);
	tell_of_backends(here, next, true);
	ck_assert_uint_eq(target_load_count(&next->targets[1].weight), 5);
	process_free(next);
}
END_TEST

/* --- what is read may be anything ------------------------------------------------------------------------ */

static struct bytes whole;
static struct snapshot original; /* with descriptors of its own */
static unsigned long taken, refused;

static void keep_descriptors(struct snapshot *s)
{
	for (size_t i = 0; i < s->fd_count; i++)
		s->fds[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, 0);
	whole = (struct bytes){ buf_data(&s->out), buf_len(&s->out) };
}

static void drop_descriptors(struct snapshot *s)
{
	for (size_t i = 0; i < s->fd_count; i++)
		close(s->fds[i]);
	snapshot_fini(s);
}

/* Whatever comes of it lives for a while. */
static void take(struct bytes b, bool is_cut)
{
	struct sockjs_session before = session;
	int err, without;

	err = read_up(b, &original, &without);
	ck_assert(!is_cut || err != 0 || without != 0);
	*(err == 0 ? &taken : &refused) += 1;
	ck_assert_int_eq(err == 0 && without != 0, 0);
	loop_turn(here->loop, 0);
	if (session.conn)
		upstream_conn_client_closed(session.conn, 1000, "");
	clock_set(now + 100000);
	loop_turn(here->loop, 0);
	clock_set(now);
	session = before;
	session.conn = NULL;
}

/* 0: open; 1: open and compressed, in the midst of messages; 2: in the making; 3: it has outlived its session. */
static void bring_about(int what)
{
	configured.deflate.enabled = what == 1;
	configured.ping_interval_ms = 1000;
	session_begins();
	if (what != 2)
		until(session.state == OPEN && backend.is_open);
	for (int i = 0; what == 1 && i < 5; i++) {
		backend_says();
		session_says();
	}
	backend_writes(what == 1 ? 300 : 0);
	turn(0);
	for (int i = 0; i < 20 && what == 3; i++)
		session_says();
	if (what == 3)
		session_leaves(3001, "bye");
	write_down(&original);
	keep_descriptors(&original);
}

START_TEST(a_snapshot_that_is_damaged_does_no_harm)
{
	bring_about(_i);
	take(whole, false);
	ck_assert_uint_eq(taken, 1);
	damage_cut(whole, take);
	damage_flip(whole, take);
	ck_assert_uint_gt(taken, 10);
	ck_assert_uint_gt(refused, whole.n);
	drop_descriptors(&original);
}
END_TEST

START_TEST(without_memory_nothing_is_left_of_what_was_read)
{
	bool failed = true;
	unsigned long nth = 0;

	bring_about(_i);
	while (failed) {
		struct sockjs_session before = session;
		int *fds = calloc(original.fd_count + 1, sizeof(int));
		struct upstream_conn *uc = NULL;
		struct snapshot read;
		int err;

		for (size_t i = 0; i < original.fd_count; i++)
			fds[i] = fcntl(original.fds[i], F_DUPFD_CLOEXEC, 0);
		process_free(here);
		here = process_new();
		ck_assert_int_eq(snapshot_init_read(&read, whole, fds, original.fd_count), 0);
		mem_fail_at(++nth);
		upstream_reactor_snapshot(&here->reactor, &read);
		err = upstream_conn_snapshot(&uc, &read, &here->reactor, &session);
		failed = mem_failed();
		mem_fail_at(0);
		ck_assert_msg(err == (failed ? -ENOMEM : 0), "%d at %lu", err, nth);
		ck_assert(!failed || !uc);
		loop_turn(here->loop, 0);
		snapshot_fini(&read);
		free(fds);
		if (uc)
			upstream_conn_client_closed(uc, 1000, "");
		session = before;
		session.conn = NULL;
	}
	ck_assert_uint_gt(nth, 1);
	drop_descriptors(&original);
}
END_TEST

static void take_backends(struct bytes b, bool is_cut)
{
	struct process *next = process_new();
	struct snapshot read;

	snapshot_init_read(&read, b, NULL, 0);
	balancer_snapshot(&next->settings.balancer, &read, true, now);
	ck_assert(!is_cut || snapshot_error(&read));
	for (int i = 0; i < 2; i++) {
		const struct target *t = &next->targets[i];

		ck_assert_uint_le(target_load(&t->rests_until), now + 12500);
		ck_assert_uint_le(target_load_count(&t->weight), BALANCER_WEIGHT_MAX);
		ck_assert_ptr_nonnull(balancer_state_of(t, now));
	}
	balancer_failed(&next->settings.balancer, &next->targets[1], now, now);
	snapshot_fini(&read);
	process_free(next);
}

START_TEST(backends_of_whom_anything_is_said_are_backends)
{
	struct snapshot written;

	balancer_failed(&here->settings.balancer, &here->targets[1], now, now);
	snapshot_init_write(&written);
	balancer_snapshot(&here->settings.balancer, &written, true, now);
	whole = (struct bytes){ buf_data(&written.out), buf_len(&written.out) };
	damage_cut(whole, take_backends);
	damage_flip(whole, take_backends);
	snapshot_fini(&written);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_loop_test(tc, a_conversation_is_the_same_wherever_it_goes_on, 0, 40);
	tcase_add_loop_test(tc, a_frame_may_be_cut_anywhere, 0, 2);
	tcase_add_test(tc, who_is_slow_stays_slow_and_loses_nothing);
	tcase_add_test(tc, a_client_that_has_no_room_is_looked_at_again);
	tcase_add_loop_test(tc, what_a_broken_connection_has_brought_is_heard, 0, 4);
	tcase_add_loop_test(tc, a_connection_in_the_making_is_made_there, 0, 12);
	tcase_add_loop_test(tc, the_time_for_it_does_not_begin_anew, 0, 2);
	tcase_add_test(tc, a_session_that_has_opened_early_waits_on);
	tcase_add_loop_test(tc, a_backend_that_is_dead_is_given_up_no_later, 0, 2);
	tcase_add_test(tc, a_backend_that_answers_pings_stays);
	tcase_add_loop_test(tc, slow_is_not_dead_there_either, 0, 2);
	tcase_add_loop_test(tc, what_outlives_its_session_comes_to_the_backend_whole, 0, 2);
	tcase_add_test(tc, a_backend_that_does_not_close_is_left_in_time);
	tcase_add_test(tc, a_backend_that_is_not_configured_any_more_keeps_its_connections);
	tcase_add_loop_test(tc, there_are_only_so_many_of_these, 0, 3);
	tcase_add_test(tc, a_connection_without_a_place_is_not_taken);
	tcase_add_test(tc, sessions_of_a_backend_that_is_to_be_free_of_them_are_closed_there);
	tcase_add_test(tc, whoever_is_about_to_part_parts_there);
	tcase_add_test(tc, what_operators_have_set_and_who_rests_is_known_there);
	tcase_add_test(tc, what_checks_have_found_counts_where_there_are_checks);
	tcase_add_test(tc, a_weight_of_the_configuration_is_that_of_the_new_one);
	tcase_add_loop_test(tc, a_snapshot_that_is_damaged_does_no_harm, 0, 4);
	tcase_add_loop_test(tc, without_memory_nothing_is_left_of_what_was_read, 0, 4);
	tcase_add_test(tc, backends_of_whom_anything_is_said_are_backends);
}

int main(void)
{
	Suite *suite = suite_create("upstream_snapshot");
	TCase *tc = tcase_create("upstream_snapshot");
	SRunner *runner = srunner_create(suite);
	int failed;

	log_set_level(LOG_SILENT); /* backends are said to be down in thousands of ways */
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
