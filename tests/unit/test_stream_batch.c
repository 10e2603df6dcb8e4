/*
 * tests/unit/test_stream_batch.c - sends in batches: what goes out when, in which
 * order, and what becomes of a stream whose send did not do as it should. The ring is
 * a fake that can be told to fail; the real one is tested in test_send_ring.c.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "fakes/fake_ring.h"
#include "net/loop.h"
#include "net/stream.h"

#define WIRES 10
#define MANY  600 /* more than go into a batch */

struct wire {
	struct stream s;
	int peer;
	unsigned writable, hangup, blocked;
	int err;
	bool close_when_blocked;
};

static struct loop *loop;
static struct stream_batch *batch;
static struct wire wires[WIRES];
static struct shared *frame; /* what is sent to all */
static const char text[] =
    "a frame of shared bytes that is somewhat longer than what is copied to a queue\n";

#define TEXT_LEN (sizeof(text) - 1)

static struct wire *of(struct stream *s)
{
	return container_of(s, struct wire, s);
}

static void on_readable(struct stream *s)
{
	(void)s;
}

static void on_writable(struct stream *s)
{
	of(s)->writable++;
}

static void on_hangup(struct stream *s, int err)
{
	of(s)->hangup++;
	of(s)->err = err;
	stream_close(s);
}

static void on_blocked(struct stream *s)
{
	ck_assert_uint_gt(stream_queued(s), 0);
	of(s)->blocked++;
	if (of(s)->close_when_blocked)
		stream_close(s);
}

static const struct stream_events events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
	.blocked = on_blocked,
};

static void setup(void)
{
	int fd[2];

	fake_ring_reset();
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(stream_batch_new(&batch, loop), 0);
	stream_batch_expect(loop, true);
	memset(wires, 0, sizeof(wires));
	for (int i = 0; i < WIRES; i++) {
		ck_assert_int_eq(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
		wires[i].peer = fd[1];
		stream_init(&wires[i].s, loop, fd[0], &events);
	}
	frame = shared_new(TEXT_LEN);
	memcpy(frame->data, text, TEXT_LEN);
}

static void teardown(void)
{
	for (int i = 0; i < WIRES; i++) {
		stream_close(&wires[i].s);
		if (wires[i].peer >= 0)
			close(wires[i].peer);
	}
	stream_batch_free(batch);
	loop_free(loop);
	ck_assert_uint_eq(frame->refs, 1);
	shared_unref(frame);
	ck_assert(!fake_ring.exists);
}

/* --- within a turn ---------------------------------------------------------------------- */

static void run_step(struct loop *l, void *arg)
{
	void (**step)(void) = arg;

	loop_set_hook(l, LOOP_STAGE_FLUSH, NULL, NULL);
	(*step)();
}

/* One turn that does this in its flush stage. */
static void flush_stage(void (*step)(void))
{
	loop_set_hook(loop, LOOP_STAGE_FLUSH, run_step, &step);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
}

static void idle_turns(int n)
{
	while (n-- > 0)
		ck_assert_int_eq(loop_turn(loop, 0), 0);
}

static int write_shared(struct stream *s)
{
	return stream_write_soon(s, &(struct stream_piece){ frame->data, frame->len, frame });
}

static int write_soon(struct stream *s, const char *what)
{
	return stream_write_soon(s, &(struct stream_piece){ what, strlen(what), NULL });
}

static int write_now(struct stream *s, const char *what)
{
	return stream_write(s, &(struct stream_piece){ what, strlen(what), NULL }, 1);
}

static void all_in(void)
{
	for (int i = 0; i < WIRES; i++)
		ck_assert_int_eq(write_shared(&wires[i].s), 0);
}

/* What the peer of a wire has got, as a string. */
static const char *got(int i)
{
	static char buf[256 * 1024];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(wires[i].peer, buf + len, sizeof(buf) - 1 - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	return buf;
}

static bool at_end(int i)
{
	char c;

	return recv(wires[i].peer, &c, 1, MSG_DONTWAIT) == 0;
}

/* --- when it goes out ------------------------------------------------------------------- */

static int write_ahead(struct stream *s, const char *what)
{
	return stream_write_ahead(s, &(struct stream_piece){ what, strlen(what), NULL });
}

/* What comes behind goes into the same call, few or many; and what does not fit there is behind it
 * all the same. */
static void ahead(void)
{
	static char large[5000];

	memset(large, 'x', sizeof(large) - 1);
	stream_batch_expect(loop, false);
	ck_assert_int_eq(write_ahead(&wires[0].s, "101"), 0);
	ck_assert_str_eq(got(0), "");
	ck_assert_int_eq(write_soon(&wires[0].s, "o"), 0);
	ck_assert_int_eq(write_ahead(&wires[0].s, "a"), 0);
	ck_assert_str_eq(got(0), "");
	ck_assert_int_eq(write_ahead(&wires[1].s, "101"), 0);
	ck_assert_int_eq(write_now(&wires[1].s, "o"), 0);
	ck_assert_str_eq(got(1), "101o");
	ck_assert_int_eq(write_ahead(&wires[2].s, "101"), 0);
	ck_assert_int_eq(write_soon(&wires[2].s, large), 0);
	ck_assert_uint_eq(strlen(got(2)), 3 + sizeof(large) - 1);
	ck_assert_int_eq(write_ahead(&wires[3].s, "101"), 0);
	ck_assert_int_eq(write_ahead(&wires[4].s, "101"), 0);
	ck_assert_int_eq(write_soon(&wires[3].s, "o"), 0); /* not the last any more */
	ck_assert_str_eq(got(3), "101o");
	ck_assert_int_eq(write_ahead(&wires[5].s, "101"), 0);
	ck_assert_int_eq(write_shared(&wires[5].s), 0);
}

START_TEST(what_is_written_ahead_goes_out_with_what_is_behind_it)
{
	flush_stage(ahead);
	ck_assert_str_eq(got(0), "101oa");
	ck_assert_str_eq(got(4), "101");
	ck_assert_uint_eq(strlen(got(5)), 3 + TEXT_LEN);
	for (int i = 0; i < 6; i++)
		ck_assert_uint_eq(wires[i].blocked, 0);
	idle_turns(1);
	for (int i = 0; i < 6; i++)
		ck_assert_str_eq(got(i), "");
}
END_TEST

static void few_at_once(void)
{
	const char *both;

	stream_batch_expect(loop, false);
	ck_assert_int_eq(write_shared(&wires[0].s), 0);
	ck_assert_str_eq(got(0), text);
	stream_batch_expect(loop, true);
	ck_assert_int_eq(write_shared(&wires[1].s), 0);
	ck_assert_str_eq(got(1), "");
	stream_batch_expect(loop, false); /* one that waits already is not overtaken */
	ck_assert_int_eq(write_soon(&wires[1].s, "!"), 0);
	both = got(1);
	ck_assert_uint_eq(strlen(both), TEXT_LEN + 1);
	ck_assert_mem_eq(both, text, TEXT_LEN);
	ck_assert_int_eq(both[TEXT_LEN], '!');
}

START_TEST(where_few_are_expected_they_write_at_once)
{
	flush_stage(few_at_once);
	idle_turns(1);
	ck_assert_str_eq(got(0), "");
	ck_assert_str_eq(got(1), "");
}
END_TEST

static void all_in_and_none_out(void)
{
	all_in();
	for (int i = 0; i < WIRES; i++) {
		ck_assert_uint_eq(stream_queued(&wires[i].s), 0);
		ck_assert_str_eq(got(i), "");
	}
	ck_assert_uint_eq(frame->refs, 1 + WIRES);
	ck_assert_uint_eq(fake_ring.calls, 0);
}

START_TEST(what_a_turn_has_to_send_goes_out_in_one_call_at_its_end)
{
	flush_stage(all_in_and_none_out);
	ck_assert_uint_eq(fake_ring.calls, 1);
	ck_assert_uint_eq(fake_ring.last, WIRES);
	ck_assert_uint_eq(frame->refs, 1);
	for (int i = 0; i < WIRES; i++)
		ck_assert_str_eq(got(i), text);
	idle_turns(2);
	ck_assert_uint_eq(fake_ring.calls, 1);
	for (int i = 0; i < WIRES; i++) {
		ck_assert_str_eq(got(i), "");
		ck_assert_uint_eq(wires[i].blocked + wires[i].hangup + wires[i].writable, 0);
	}
}
END_TEST

static void three_in(void)
{
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(write_shared(&wires[i].s), 0);
}

START_TEST(a_few_are_sent_without_the_ring)
{
	flush_stage(three_in);
	ck_assert_uint_eq(fake_ring.calls, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(got(i), text);
}
END_TEST

START_TEST(outside_of_a_turn_nothing_waits)
{
	ck_assert_int_eq(write_shared(&wires[0].s), 0);
	ck_assert_str_eq(got(0), text);
	idle_turns(1);
	ck_assert_int_eq(write_shared(&wires[0].s), 0);
	ck_assert_str_eq(got(0), text);
	ck_assert_uint_eq(fake_ring.calls, 0);
}
END_TEST

static struct deferred late;

static void write_late(struct deferred *d)
{
	(void)d;
	all_in();
	for (int i = 0; i < WIRES; i++)
		ck_assert_str_eq(got(i), text);
}

static void defer_all(void)
{
	loop_defer(loop, &late, write_late);
}

START_TEST(behind_the_stage_nothing_waits)
{
	flush_stage(defer_all);
	ck_assert_uint_eq(fake_ring.calls, 0);
}
END_TEST

/* More streams than wires: they share the descriptors' ends in turn. */
static struct stream crowd[MANY];

static void crowd_new(void)
{
	for (int i = 0; i < MANY; i++) {
		int fd = fcntl(wires[i % WIRES].s.watch.fd, F_DUPFD_CLOEXEC, 3);

		ck_assert_int_ge(fd, 0);
		stream_init(&crowd[i], loop, fd, &events);
	}
}

static void crowd_free(void)
{
	for (int i = 0; i < MANY; i++)
		stream_close(&crowd[i]);
	idle_turns(1);
}

/* Each sends its number. */
static void crowd_in(void)
{
	for (int i = 0; i < MANY; i++) {
		char number[16];

		snprintf(number, sizeof(number), "%d,", i);
		ck_assert_int_eq(write_soon(&crowd[i], number), 0);
	}
}

static void crowd_has_sent(void)
{
	for (int w = 0; w < WIRES; w++) {
		char expected[MANY * 4 / WIRES + 1], *to = expected;

		for (int i = w; i < MANY; i += WIRES)
			to += sprintf(to, "%d,", i);
		ck_assert_str_eq(got(w), expected);
	}
}

START_TEST(a_full_batch_goes_out_and_another_begins)
{
	crowd_new();
	flush_stage(crowd_in);
	ck_assert_uint_eq(fake_ring.calls, 2);
	crowd_has_sent();
	crowd_free();
}
END_TEST

static void all_in_and_free(void)
{
	all_in();
	stream_batch_free(batch);
	batch = NULL;
	ck_assert_uint_eq(fake_ring.calls, 1);
}

START_TEST(a_batch_that_is_freed_sends_what_is_in_it_and_streams_do_without)
{
	flush_stage(all_in_and_free);
	for (int i = 0; i < WIRES; i++)
		ck_assert_str_eq(got(i), text);
	flush_stage(all_in);
	for (int i = 0; i < WIRES; i++)
		ck_assert_str_eq(got(i), text);
	ck_assert_uint_eq(fake_ring.calls, 1);
}
END_TEST

/* --- copies ------------------------------------------------------------------------------- */

static void copies_in(void)
{
	char mine[32];

	for (int i = 0; i < WIRES; i++) {
		snprintf(mine, sizeof(mine), "only for %d", i);
		ck_assert_int_eq(write_soon(&wires[i].s, mine), 0);
		memset(mine, 'x', sizeof(mine) - 1);
	}
}

START_TEST(bytes_that_are_not_shared_are_copied)
{
	flush_stage(copies_in);
	ck_assert_uint_eq(fake_ring.calls, 1);
	for (int i = 0; i < WIRES; i++) {
		char expected[32];

		snprintf(expected, sizeof(expected), "only for %d", i);
		ck_assert_str_eq(got(i), expected);
	}
}
END_TEST

#define CHUNK 1000

static char much[MANY + CHUNK];

/* More than the copies have room for, if they are all kept; each a byte further. */
static void much_in(void)
{
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(
		    stream_write_soon(&crowd[i], &(struct stream_piece){ much + i, CHUNK, NULL }),
		    0);
}

START_TEST(copies_without_room_go_out_first)
{
	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = (char)('a' + i % 23);
	crowd_new();
	flush_stage(much_in);
	ck_assert_uint_eq(fake_ring.calls, (MANY * CHUNK + 65535) / 65536);
	for (int w = 0; w < WIRES; w++) {
		const char *all = got(w);

		ck_assert_uint_eq(strlen(all), MANY / WIRES * CHUNK);
		for (int i = w; i < MANY; i += WIRES, all += CHUNK)
			ck_assert(memcmp(all, much + i, CHUNK) == 0);
	}
	crowd_free();
}
END_TEST

static char large[4097];

static void large_in(void)
{
	ck_assert_int_eq(
	    stream_write_soon(&wires[0].s, &(struct stream_piece){ large, sizeof(large), NULL }),
	    0);
	ck_assert_uint_eq(strlen(got(0)), sizeof(large));
	ck_assert_int_eq(
	    stream_write_soon(&wires[0].s, &(struct stream_piece){ large, 0, NULL }), 0);
}

START_TEST(a_large_copy_is_sent_at_once_and_nothing_not_at_all)
{
	memset(large, 'l', sizeof(large));
	flush_stage(large_in);
	ck_assert_uint_eq(fake_ring.calls, 0);
	ck_assert_str_eq(got(0), "");
}
END_TEST

/* --- order ----------------------------------------------------------------------------------- */

static void write_behind(void)
{
	all_in();
	ck_assert_int_eq(write_now(&wires[3].s, "then this"), 0);
	ck_assert_uint_eq(fake_ring.calls, 1);
	ck_assert_int_eq(write_soon(&wires[3].s, ", then that"), 0);
	ck_assert_int_eq(write_soon(&wires[3].s, ", and the end"), 0);
}

START_TEST(whatever_is_written_later_comes_later)
{
	char expected[256];

	flush_stage(write_behind);
	snprintf(expected, sizeof(expected), "%sthen this, then that, and the end", text);
	ck_assert_str_eq(got(3), expected);
}
END_TEST

static void shut_down(void)
{
	all_in();
	ck_assert_int_eq(stream_shutdown(&wires[3].s), 0);
	ck_assert_int_lt(write_soon(&wires[3].s, "more"), 0);
}

START_TEST(a_shutdown_comes_behind_it)
{
	flush_stage(shut_down);
	ck_assert_str_eq(got(3), text);
	ck_assert(at_end(3));
}
END_TEST

static void close_some(void)
{
	all_in();
	stream_close(&wires[3].s);
	ck_assert_uint_eq(fake_ring.calls, 1);
	ck_assert_uint_eq(frame->refs, 1);
	memset(&wires[3].s, 0xaa, sizeof(wires[3].s)); /* it is never looked at again */
	stream_reset(&wires[4].s);
	memset(&wires[4].s, 0xaa, sizeof(wires[4].s));
}

START_TEST(a_stream_that_is_closed_has_sent_it_and_is_not_touched_again)
{
	flush_stage(close_some);
	ck_assert_str_eq(got(3), text);
	ck_assert(at_end(3));
	ck_assert_str_eq(got(4), text);
	idle_turns(2);
	stream_init_empty(&wires[3].s);
	stream_init_empty(&wires[4].s);
}
END_TEST

static struct wire elsewhere;

static void move_one(void)
{
	all_in();
	stream_move(&elsewhere.s, &wires[3].s, loop, &events);
	ck_assert_uint_eq(fake_ring.calls, 1);
	memset(&wires[3].s, 0xaa, sizeof(wires[3].s));
	ck_assert_int_eq(write_soon(&elsewhere.s, "from the new place"), 0);
}

START_TEST(a_stream_that_moves_has_sent_it_and_goes_on)
{
	char expected[256];

	memset(&elsewhere, 0, sizeof(elsewhere));
	flush_stage(move_one);
	snprintf(expected, sizeof(expected), "%sfrom the new place", text);
	ck_assert_str_eq(got(3), expected);
	stream_close(&elsewhere.s);
	stream_init_empty(&wires[3].s);
	idle_turns(1);
}
END_TEST

static void flush_one(void)
{
	all_in();
	ck_assert_int_eq(stream_flush(&wires[3].s), 0);
	ck_assert_str_eq(got(3), text);
}

START_TEST(a_flush_sends_it)
{
	flush_stage(flush_one);
}
END_TEST

/* --- sends that do not do as they should ---------------------------------------------------- */

static void drain(int i, size_t expected)
{
	size_t n = 0;

	for (int turn = 0; turn < 100 && n < expected; turn++) {
		n += strlen(got(i));
		idle_turns(1);
	}
	ck_assert_uint_eq(n, expected);
}

START_TEST(the_rest_of_a_short_send_is_queued_and_told_from_the_loop)
{
	struct stream *s = &wires[3].s;

	fake_ring.odd = s->watch.fd;
	fake_ring.odd_result = 5;
	flush_stage(all_in);
	ck_assert_uint_eq(stream_queued(s), TEXT_LEN - 5);
	ck_assert_uint_eq(frame->refs, 2); /* referred to, not copied */
	ck_assert_uint_eq(wires[3].blocked, 0);
	ck_assert_int_eq(write_now(s, "later"), 0);
	fake_ring.odd = -1;
	idle_turns(1);
	ck_assert_uint_eq(wires[3].blocked, 1);
	drain(3, TEXT_LEN + 5);
	idle_turns(2);
	ck_assert_uint_eq(wires[3].blocked, 1);
	ck_assert_uint_eq(wires[3].writable, 1);
	ck_assert_uint_eq(frame->refs, 1);
	for (int i = 0; i < WIRES; i++)
		ck_assert_uint_eq(wires[i].hangup, 0);
	ck_assert_str_eq(got(2), text);
}
END_TEST

START_TEST(the_rest_of_a_copy_stays_what_it_was)
{
	fake_ring.odd = wires[3].s.watch.fd;
	fake_ring.odd_result = 5;
	flush_stage(copies_in);
	ck_assert_uint_eq(stream_queued(&wires[3].s), 5);
	fake_ring.odd = -1;
	fake_ring.last = 0;
	flush_stage(all_in); /* the copies of this turn stand where those stood */
	idle_turns(1);
	ck_assert_uint_eq(strncmp(got(3), "only for 3a frame", 17), 0);
}
END_TEST

static void all_in_twice(void)
{
	all_in();
	ck_assert_int_eq(stream_flush(&wires[0].s), 0);
	ck_assert_uint_eq(fake_ring.last, WIRES);
	ck_assert_uint_eq(stream_queued(&wires[3].s), TEXT_LEN);
	all_in();
	ck_assert_uint_eq(stream_queued(&wires[3].s), 2 * TEXT_LEN);
}

static const int would_block[] = { -EAGAIN, -EINTR };

START_TEST(a_send_that_would_block_is_queued_whole_and_the_next_behind_it)
{
	fake_ring.odd = wires[3].s.watch.fd;
	fake_ring.odd_result = would_block[_i];
	flush_stage(all_in_twice);
	ck_assert_uint_eq(fake_ring.calls, 2);
	ck_assert_uint_eq(fake_ring.last, WIRES - 1);
	ck_assert_str_eq(got(3), "");
	idle_turns(1);
	ck_assert_uint_eq(wires[3].blocked, 1);
	drain(3, 2 * TEXT_LEN);
	ck_assert_uint_eq(wires[3].writable, 1);
	ck_assert_uint_eq(wires[3].hangup, 0);
}
END_TEST

static void all_in_and_written_behind(void)
{
	all_in();
	ck_assert_int_eq(write_now(&wires[3].s, "behind"), 0);
	ck_assert_uint_eq(stream_queued(&wires[3].s), TEXT_LEN + 6 - 7);
}

START_TEST(what_is_written_behind_a_short_send_is_queued_behind_its_rest)
{
	char expected[256];

	fake_ring.odd = wires[3].s.watch.fd;
	fake_ring.odd_result = 7;
	flush_stage(all_in_and_written_behind);
	idle_turns(2);
	snprintf(expected, sizeof(expected), "%sbehind", text);
	ck_assert_str_eq(got(3), expected);
}
END_TEST

static void all_in_and_soon_behind(void)
{
	all_in();
	ck_assert_int_eq(write_soon(&wires[3].s, "soon behind"), 0);
}

START_TEST(what_is_written_soon_behind_a_short_send_does_not_overtake_its_rest)
{
	char expected[256];

	fake_ring.odd = wires[3].s.watch.fd;
	fake_ring.odd_result = 7;
	flush_stage(all_in_and_soon_behind);
	idle_turns(2);
	snprintf(expected, sizeof(expected), "%ssoon behind", text);
	ck_assert_str_eq(got(3), expected);
}
END_TEST

START_TEST(a_broken_wire_is_heard_of_from_the_loop_and_once)
{
	close(wires[3].peer);
	wires[3].peer = -1;
	flush_stage(all_in);
	ck_assert_uint_eq(wires[3].hangup, 0);
	ck_assert_int_eq(write_soon(&wires[3].s, "more"), -EPIPE);
	idle_turns(3);
	ck_assert_uint_eq(wires[3].hangup, 1);
	ck_assert_int_eq(wires[3].err, -EPIPE);
	ck_assert_uint_eq(wires[3].blocked, 0);
	for (int i = 0; i < WIRES; i++)
		if (i != 3) {
			ck_assert_str_eq(got(i), text);
			ck_assert_uint_eq(wires[i].hangup, 0);
		}
}
END_TEST

static void all_in_and_close_broken(void)
{
	all_in();
	stream_close(&wires[3].s);
}

START_TEST(a_broken_wire_that_is_closed_meanwhile_says_nothing)
{
	close(wires[3].peer);
	wires[3].peer = -1;
	flush_stage(all_in_and_close_broken);
	idle_turns(3);
	ck_assert_uint_eq(wires[3].hangup, 0);
}
END_TEST

START_TEST(a_blocked_stream_may_be_closed_by_who_hears_of_it)
{
	fake_ring.odd = wires[3].s.watch.fd;
	fake_ring.odd_result = -EAGAIN;
	wires[3].close_when_blocked = true;
	flush_stage(all_in);
	idle_turns(3);
	ck_assert_uint_eq(wires[3].blocked, 1);
	ck_assert_uint_eq(wires[3].writable + wires[3].hangup, 0);
}
END_TEST

START_TEST(who_does_not_ask_is_not_told)
{
	static const struct stream_events few = { .writable = on_writable };

	wires[3].s.on = &few;
	fake_ring.odd = wires[3].s.watch.fd;
	fake_ring.odd_result = -EAGAIN;
	flush_stage(all_in);
	idle_turns(2);
	ck_assert_uint_eq(wires[3].writable, 1);
	ck_assert_str_eq(got(3), text);
}
END_TEST

START_TEST(the_news_does_not_follow_a_stream_to_its_next_owner)
{
	memset(&elsewhere, 0, sizeof(elsewhere));
	fake_ring.odd = wires[3].s.watch.fd;
	fake_ring.odd_result = -EAGAIN;
	flush_stage(all_in);
	stream_move(&elsewhere.s, &wires[3].s, loop, &events);
	ck_assert_uint_eq(stream_queued(&elsewhere.s), TEXT_LEN);
	idle_turns(2);
	ck_assert_uint_eq(elsewhere.blocked + wires[3].blocked, 0);
	ck_assert_str_eq(got(3), text);
	stream_close(&elsewhere.s);
	idle_turns(1);
}
END_TEST

/* --- a ring that fails ---------------------------------------------------------------------- */

START_TEST(what_a_failing_ring_has_not_tried_is_sent_without_it)
{
	static const int at[] = { 0, 1, WIRES - 1 };

	fake_ring.break_at = at[_i];
	fake_ring.break_error = -EBUSY;
	flush_stage(all_in);
	ck_assert(!fake_ring.exists);
	for (int i = 0; i < WIRES; i++)
		ck_assert_str_eq(got(i), text);
	flush_stage(all_in);
	ck_assert_uint_eq(fake_ring.calls, 1);
	for (int i = 0; i < WIRES; i++)
		ck_assert_str_eq(got(i), text);
}
END_TEST

static void crowd_in_and_more(void)
{
	crowd_in();
	ck_assert(!fake_ring.exists);
	ck_assert_int_eq(write_soon(&crowd[0], "later"), 0);
	stream_close(&crowd[1]);
}

START_TEST(a_ring_that_fails_when_it_is_full_leaves_nothing_behind)
{
	crowd_new();
	fake_ring.break_at = 100;
	fake_ring.break_error = -EAGAIN;
	flush_stage(crowd_in_and_more);
	ck_assert_uint_eq(fake_ring.calls, 1);
	ck_assert_ptr_nonnull(strstr(got(0), "590,later"));
	ck_assert_ptr_nonnull(strstr(got(9), "599,"));
	crowd_free();
}
END_TEST

START_TEST(without_a_ring_there_is_no_batch_and_everything_goes_at_once)
{
	stream_batch_free(batch);
	batch = NULL;
	fake_ring.refuse_new = -EPERM;
	ck_assert_int_eq(stream_batch_new(&batch, loop), -EPERM);
	ck_assert_ptr_null(batch);
	all_in();
	for (int i = 0; i < WIRES; i++)
		ck_assert_str_eq(got(i), text);
	flush_stage(all_in);
	ck_assert_uint_eq(fake_ring.calls, 0);
}
END_TEST

START_TEST(without_memory_there_is_no_batch)
{
	stream_batch_free(batch);
	batch = NULL;
	mem_fail_at(1);
	ck_assert_int_eq(stream_batch_new(&batch, loop), -ENOMEM);
	ck_assert_ptr_null(batch);
	ck_assert(!fake_ring.exists);
}
END_TEST

static void all_in_then_no_memory(void)
{
	all_in();
	mem_fail_at(1);
}

START_TEST(a_rest_that_cannot_be_queued_breaks_the_stream)
{
	fake_ring.odd = wires[3].s.watch.fd;
	fake_ring.odd_result = 5;
	flush_stage(all_in_then_no_memory);
	ck_assert(mem_failed());
	mem_fail_at(0);
	ck_assert_uint_eq(stream_queued(&wires[3].s), 0);
	idle_turns(2);
	ck_assert_uint_eq(wires[3].hangup, 1);
	ck_assert_int_eq(wires[3].err, -ENOMEM);
	ck_assert_str_eq(got(4), text);
}
END_TEST

static void no_memory_needed(void)
{
	mem_fail_at(1);
	all_in();
}

START_TEST(a_send_that_does_well_asks_for_no_memory)
{
	flush_stage(no_memory_needed);
	ck_assert(!mem_failed());
	mem_fail_at(0);
	ck_assert_str_eq(got(9), text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream_batch");
	TCase *tc = tcase_create("stream_batch");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, where_few_are_expected_they_write_at_once);
	tcase_add_test(tc, what_is_written_ahead_goes_out_with_what_is_behind_it);
	tcase_add_test(tc, what_a_turn_has_to_send_goes_out_in_one_call_at_its_end);
	tcase_add_test(tc, a_few_are_sent_without_the_ring);
	tcase_add_test(tc, outside_of_a_turn_nothing_waits);
	tcase_add_test(tc, behind_the_stage_nothing_waits);
	tcase_add_test(tc, a_full_batch_goes_out_and_another_begins);
	tcase_add_test(tc, a_batch_that_is_freed_sends_what_is_in_it_and_streams_do_without);
	tcase_add_test(tc, bytes_that_are_not_shared_are_copied);
	tcase_add_test(tc, copies_without_room_go_out_first);
	tcase_add_test(tc, a_large_copy_is_sent_at_once_and_nothing_not_at_all);
	tcase_add_test(tc, whatever_is_written_later_comes_later);
	tcase_add_test(tc, a_shutdown_comes_behind_it);
	tcase_add_test(tc, a_stream_that_is_closed_has_sent_it_and_is_not_touched_again);
	tcase_add_test(tc, a_stream_that_moves_has_sent_it_and_goes_on);
	tcase_add_test(tc, a_flush_sends_it);
	tcase_add_test(tc, the_rest_of_a_short_send_is_queued_and_told_from_the_loop);
	tcase_add_test(tc, the_rest_of_a_copy_stays_what_it_was);
	tcase_add_loop_test(
	    tc, a_send_that_would_block_is_queued_whole_and_the_next_behind_it, 0, 2);
	tcase_add_test(tc, what_is_written_behind_a_short_send_is_queued_behind_its_rest);
	tcase_add_test(tc, what_is_written_soon_behind_a_short_send_does_not_overtake_its_rest);
	tcase_add_test(tc, a_broken_wire_is_heard_of_from_the_loop_and_once);
	tcase_add_test(tc, a_broken_wire_that_is_closed_meanwhile_says_nothing);
	tcase_add_test(tc, a_blocked_stream_may_be_closed_by_who_hears_of_it);
	tcase_add_test(tc, who_does_not_ask_is_not_told);
	tcase_add_test(tc, the_news_does_not_follow_a_stream_to_its_next_owner);
	tcase_add_loop_test(tc, what_a_failing_ring_has_not_tried_is_sent_without_it, 0, 3);
	tcase_add_test(tc, a_ring_that_fails_when_it_is_full_leaves_nothing_behind);
	tcase_add_test(tc, without_a_ring_there_is_no_batch_and_everything_goes_at_once);
	tcase_add_test(tc, without_memory_there_is_no_batch);
	tcase_add_test(tc, a_rest_that_cannot_be_queued_breaks_the_stream);
	tcase_add_test(tc, a_send_that_does_well_asks_for_no_memory);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
