/*
 * tests/unit/test_stream.c - the plain stream: order and content through short
 * writes, what is said when, moving, errors, memory.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/loop.h"
#include "net/stream.h"

static struct loop *loop;

/* A stream with a record of what it was told. */
struct end {
	struct stream s;
	unsigned readable, writable, hangup;
	int err;
	char got[4096];
	ssize_t last_read;
	bool read_on; /* read in `readable` */
	bool close_on_hangup;
};

static void on_readable(struct stream *s)
{
	struct end *e = container_of(s, struct end, s);

	ck_assert_uint_eq(e->hangup, 0);
	e->readable++;
	if (e->read_on)
		e->last_read = stream_read(s, e->got, sizeof(e->got));
}

static void on_writable(struct stream *s)
{
	struct end *e = container_of(s, struct end, s);

	ck_assert_uint_eq(e->hangup, 0);
	ck_assert_uint_eq(stream_queued(s), 0);
	e->writable++;
}

static void on_hangup(struct stream *s, int err)
{
	struct end *e = container_of(s, struct end, s);

	ck_assert_int_le(err, 0);
	e->hangup++;
	e->err = err;
	if (e->close_on_hangup)
		stream_close(s);
}

static const struct stream_events events = { on_readable, on_writable, on_hangup, NULL };

static struct end e;
static int peer;

static void pair_of(int domain, int fd[2])
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int listening;

	if (domain == AF_UNIX) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	} else {
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(bind(listening, (void *)&in, sizeof(in)), 0);
		ck_assert_int_eq(listen(listening, 1), 0);
		getsockname(listening, (void *)&in, &len);
		fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(connect(fd[1], (void *)&in, sizeof(in)), 0);
		fd[0] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
		ck_assert_int_ge(fd[0], 0);
		close(listening);
	}
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
}

static void end_init(struct end *end, int fd)
{
	memset(end, 0, sizeof(*end));
	end->read_on = end->close_on_hangup = true;
	stream_init(&end->s, loop, fd, &events);
}

static void connect_pair(int domain)
{
	int fd[2];

	pair_of(domain, fd);
	end_init(&e, fd[0]);
	peer = fd[1];
}

static void setup(void)
{
	ck_assert_int_eq(loop_new(&loop), 0);
	connect_pair(AF_INET);
}

static void teardown(void)
{
	stream_close(&e.s);
	if (peer >= 0)
		close(peer);
	loop_free(loop);
}

static void turns(int n)
{
	while (n-- > 0)
		ck_assert_int_eq(loop_turn(loop, 20), 0);
}

static void idle_turns(int n)
{
	while (n-- > 0)
		ck_assert_int_eq(loop_turn(loop, 0), 0);
}

static int write_text(struct stream *s, const char *text)
{
	struct stream_piece piece = { text, strlen(text), NULL };

	return stream_write(s, &piece, 1);
}

/* For many short writes; 1 is the least the kernel grants. Only the sender's buffer is small: a
 * tiny window would have TCP wait for its probe timers. */
static void send_buffer(int size)
{
	setsockopt(e.s.watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Writes until the kernel takes no more. */
static void stuff(void)
{
	static char much[256 * 1024];
	struct stream_piece piece = { much, sizeof(much), NULL };

	send_buffer(1);
	while (stream_queued(&e.s) == 0)
		ck_assert_int_eq(stream_write(&e.s, &piece, 1), 0);
}

static size_t drain_peer(void)
{
	char buf[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		total += (size_t)n;
	return total;
}

START_TEST(a_stream_is_small)
{
	ck_assert_uint_le(sizeof(struct stream), 88);
}
END_TEST

START_TEST(what_the_peer_sends_is_readable_and_its_end_reads_as_zero)
{
	ck_assert_int_eq(stream_want(&e.s, STREAM_READ), 0);
	ck_assert_int_eq(write(peer, "hello", 5), 5);
	turns(1);
	ck_assert_uint_eq(e.readable, 1);
	ck_assert_int_eq(e.last_read, 5);
	ck_assert_int_eq(memcmp(e.got, "hello", 5), 0);
	shutdown(peer, SHUT_WR);
	turns(1);
	ck_assert_uint_eq(e.readable, 2);
	ck_assert_int_eq(e.last_read, 0);
	ck_assert_uint_eq(e.hangup, 0);
}
END_TEST

START_TEST(after_the_end_was_read_the_owner_is_not_called_again_and_may_still_write)
{
	char buf[8];

	stream_want(&e.s, STREAM_READ);
	shutdown(peer, SHUT_WR);
	turns(1);
	idle_turns(5);
	ck_assert_uint_eq(e.readable, 1);
	ck_assert_int_eq(write_text(&e.s, "bye"), 0);
	ck_assert_int_eq(recv(peer, buf, sizeof(buf), 0), 3);
	ck_assert_int_eq(stream_shutdown(&e.s), 0);
	idle_turns(3);
	ck_assert_int_eq(recv(peer, buf, sizeof(buf), 0), 0);
	ck_assert_uint_eq(e.readable, 1);
	ck_assert_uint_eq(e.hangup, 1); /* both directions are over */
	ck_assert_int_eq(e.err, 0);
}
END_TEST

START_TEST(nothing_is_called_before_something_is_wanted)
{
	ck_assert_int_eq(write(peer, "x", 1), 1);
	close(peer);
	peer = -1;
	idle_turns(3);
	ck_assert_uint_eq(e.readable + e.hangup, 0);
}
END_TEST

START_TEST(data_that_is_not_wanted_any_more_neither_spins_nor_gets_lost)
{
	stream_want(&e.s, STREAM_READ);
	stream_want(&e.s, 0);
	ck_assert_int_eq(write(peer, "x", 1), 1);
	idle_turns(3);
	ck_assert_uint_eq(e.readable, 0);
	stream_want(&e.s, STREAM_READ);
	turns(1);
	ck_assert_uint_eq(e.readable, 1);
	ck_assert_int_eq(e.last_read, 1);
}
END_TEST

START_TEST(a_watcher_for_hangup_does_not_read_and_hears_of_the_end_once)
{
	e.close_on_hangup = false;
	stream_want(&e.s, STREAM_HANGUP);
	ck_assert_int_eq(write(peer, "unread", 6), 6);
	idle_turns(3);
	ck_assert_uint_eq(e.hangup, 0);
	shutdown(peer, SHUT_WR);
	turns(1);
	idle_turns(3);
	ck_assert_uint_eq(e.readable, 0);
	ck_assert_uint_eq(e.hangup, 1);
	ck_assert_int_eq(e.err, 0);
}
END_TEST

static void reset_by_peer(void)
{
	const struct linger at_once = { 1, 0 };

	setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(peer);
	peer = -1;
}

START_TEST(a_reset_is_heard_whatever_is_wanted)
{
	static const unsigned wants[] = { STREAM_HANGUP, 0, STREAM_READ,
		STREAM_READ | STREAM_HANGUP };

	e.close_on_hangup = _i % 2;
	stream_want(&e.s, STREAM_READ);
	stream_want(&e.s, wants[_i / 2]);
	reset_by_peer();
	turns(2);
	idle_turns(3);
	ck_assert_uint_eq(e.hangup, 1);
	ck_assert_int_eq(e.err, -ECONNRESET);
	if (wants[_i / 2] & STREAM_READ)
		ck_assert_int_eq(e.last_read, -ECONNRESET);
}
END_TEST

START_TEST(a_failed_write_says_so_and_calls_hangup_once_from_the_loop)
{
	bool watched = _i % 2;

	e.close_on_hangup = _i / 2 % 2;
	if (watched)
		stream_want(&e.s, STREAM_HANGUP);
	reset_by_peer();
	ck_assert_int_lt(write_text(&e.s, "x"), 0);
	ck_assert_int_lt(write_text(&e.s, "x"), 0);
	ck_assert_uint_eq(e.hangup, 0);
	idle_turns(3);
	ck_assert_uint_eq(e.hangup, 1);
	ck_assert_int_lt(e.err, 0);
	ck_assert_uint_eq(e.readable + e.writable, 0);
}
END_TEST

START_TEST(a_stream_closed_after_a_failed_write_says_nothing)
{
	reset_by_peer();
	ck_assert_int_lt(write_text(&e.s, "x"), 0);
	stream_close(&e.s);
	stream_close(&e.s);
	idle_turns(2);
	ck_assert_uint_eq(e.hangup, 0);
}
END_TEST

START_TEST(a_short_write_queues_and_writable_follows_once_when_all_is_sent)
{
	size_t got = 0;

	stuff();
	ck_assert_uint_gt(stream_queued(&e.s), 0);
	idle_turns(3);
	ck_assert_uint_eq(e.writable, 0);
	for (int i = 0; i < 2000 && stream_queued(&e.s) > 0; i++) {
		got += drain_peer();
		turns(1);
	}
	idle_turns(3);
	ck_assert_uint_eq(e.writable, 1);
	ck_assert_ptr_null(e.s.queue);
	got += drain_peer();
	ck_assert_uint_eq(got % (256 * 1024), 0);
}
END_TEST

START_TEST(shutdown_waits_for_the_queue)
{
	char buf[65536];
	ssize_t n = 1;

	stuff();
	ck_assert_int_eq(stream_shutdown(&e.s), 0);
	ck_assert_int_eq(write_text(&e.s, "too late"), -EPIPE);
	for (int i = 0; i < 5000 && n != 0; i++) {
		loop_turn(loop, 1);
		n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT);
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(stream_queued(&e.s), 0);
	ck_assert_uint_eq(e.hangup, 0);
}
END_TEST

START_TEST(reset_is_a_reset_for_the_peer_and_close_an_end)
{
	char buf[8];

	if (_i == 0)
		stream_reset(&e.s);
	else
		stream_close(&e.s);
	ck_assert_int_eq(recv(peer, buf, 8, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN); /* not before the end of the turn */
	idle_turns(1);
	ck_assert_int_eq(recv(peer, buf, 8, MSG_DONTWAIT), _i == 0 ? -1 : 0);
	if (_i == 0)
		ck_assert_int_eq(errno, ECONNRESET);
}
END_TEST

/* --- order and content -------------------------------------------------- */

#define TRANSFER (10u * 1024 * 1024)

static uint32_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static unsigned char octet_at(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

static void fill(char *p, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)octet_at(at + i);
}

static size_t random_length(void)
{
	switch (rnd(4)) {
	case 0:
		return rnd(20);
	case 1:
		return rnd(200);
	case 2:
		return rnd(3000);
	default:
		return rnd(40000);
	}
}

#define KEPT 64
static struct shared *kept[KEPT]; /* a reference of our own, to see the stream's go */

static size_t write_some(size_t at)
{
	static char copies[80][40000];
	struct stream_piece pieces[80];
	unsigned n = rnd(8) == 0 ? 66 + rnd(10) : 1 + rnd(5);
	size_t len, begin = at;

	for (unsigned i = 0; i < n; i++) {
		len = n > 10 ? rnd(300) : random_length();
		if (rnd(2)) {
			unsigned k = rnd(KEPT);

			shared_unref(kept[k]);
			kept[k] = shared_new(len + 10);
			ck_assert_ptr_nonnull(kept[k]);
			fill(kept[k]->data + 5, len, at);
			pieces[i] = (struct stream_piece){ kept[k]->data + 5, len, kept[k] };
			shared_ref(kept[k]); /* until stream_write() returns */
		} else {
			fill(copies[i], len, at);
			pieces[i] = (struct stream_piece){ copies[i], len, NULL };
		}
		at += len;
	}
	ck_assert_int_eq(stream_write(&e.s, pieces, n), 0);
	for (unsigned i = 0; i < n; i++)
		shared_unref(pieces[i].owner);
	memset(copies, 0xee, sizeof(copies[0])); /* what was copied may be overwritten at once */
	return at - begin;
}

static size_t read_and_compare(size_t at, size_t upto)
{
	static char buf[65536];
	ssize_t n = recv(peer, buf, 1 + rnd((uint32_t)upto), MSG_DONTWAIT);

	if (n < 0)
		return 0;
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)buf[i] != octet_at(at + (size_t)i))
			ck_abort_msg("octet %zu differs", at + (size_t)i);
	return (size_t)n;
}

START_TEST(ten_mebibytes_arrive_whole_and_in_order_through_short_writes)
{
	size_t sent = 0, got = 0;

	if (_i == 1) {
		stream_close(&e.s);
		close(peer);
		connect_pair(AF_UNIX);
	}
	send_buffer(_i == 1 ? 1 : 65536); /* TCP on less waits for delayed acknowledgements */
	while (got < TRANSFER) {
		if (sent < TRANSFER && stream_queued(&e.s) < 300000)
			sent += write_some(sent);
		for (uint32_t i = rnd(4); i > 0; i--)
			got += read_and_compare(got, 60000);
		idle_turns(1);
	}
	while (got < sent) {
		got += read_and_compare(got, 60000);
		idle_turns(1);
	}
	idle_turns(1);
	ck_assert_uint_eq(stream_queued(&e.s), 0);
	ck_assert_ptr_null(e.s.queue);
	ck_assert_uint_gt(e.writable, 0);
	for (unsigned k = 0; k < KEPT; k++) {
		if (kept[k])
			ck_assert_uint_eq(atomic_load(&kept[k]->refs), 1);
		shared_unref(kept[k]);
		kept[k] = NULL;
	}
}
END_TEST

START_TEST(closing_drops_what_the_queue_refers_to)
{
	struct shared *bytes = shared_new(100000);
	struct stream_piece piece = { bytes->data, 100000, bytes };

	memset(bytes->data, 1, 100000);
	stuff();
	ck_assert_int_eq(stream_write(&e.s, &piece, 1), 0);
	ck_assert_uint_eq(atomic_load(&bytes->refs), 2);
	stream_close(&e.s);
	ck_assert_uint_eq(atomic_load(&bytes->refs), 1);
	shared_unref(bytes);
}
END_TEST

/* --- moving ------------------------------------------------------------- */

static struct end other;

static void move_in_readable(struct stream *s)
{
	memset(&other, 0, sizeof(other));
	other.read_on = other.close_on_hangup = true;
	stream_move(&other.s, s, loop, &events);
	ck_assert(!stream_is_open(s));
	ck_assert_int_eq(stream_want(&other.s, STREAM_READ), 0);
}

START_TEST(a_stream_may_move_inside_its_own_callback)
{
	static const struct stream_events moving = { .readable = move_in_readable };

	e.s.on = &moving;
	stream_want(&e.s, STREAM_READ);
	ck_assert_int_eq(write(peer, "abc", 3), 3);
	turns(2);
	ck_assert_uint_eq(other.readable, 1);
	ck_assert_int_eq(other.last_read, 3);
	close(peer);
	peer = -1;
	turns(1);
	ck_assert_int_eq(other.last_read, 0);
	stream_close(&other.s);
}
END_TEST

START_TEST(a_queue_moves_with_its_stream_to_another_loop)
{
	struct loop *second;
	size_t queued, got = 0;

	ck_assert_int_eq(loop_new(&second), 0);
	stuff();
	queued = stream_queued(&e.s);
	memset(&other, 0, sizeof(other));
	stream_move(&other.s, &e.s, NULL, &events);
	ck_assert(!stream_is_open(&e.s));
	ck_assert_uint_eq(stream_queued(&e.s), 0);
	ck_assert_uint_eq(stream_queued(&other.s), queued);
	got += drain_peer();
	idle_turns(2);
	ck_assert_uint_eq(stream_queued(&other.s), queued);
	stream_adopt(&other.s, second);
	for (int i = 0; i < 2000 && stream_queued(&other.s) > 0; i++) {
		got += drain_peer();
		loop_turn(second, 20);
	}
	got += drain_peer();
	ck_assert_uint_eq(other.writable, 1);
	ck_assert_uint_eq(got % (256 * 1024), 0);
	ck_assert_int_eq(stream_want(&other.s, STREAM_READ), 0);
	ck_assert_int_eq(write(peer, "abc", 3), 3);
	loop_turn(second, 20);
	ck_assert_uint_eq(other.readable, 1);
	stream_close(&other.s);
	loop_free(second);
}
END_TEST

START_TEST(an_error_moves_with_its_stream_and_an_end_is_told_again)
{
	memset(&other, 0, sizeof(other));
	if (_i == 0) {
		reset_by_peer();
		ck_assert_int_lt(write_text(&e.s, "x"), 0);
	} else {
		stream_want(&e.s, STREAM_READ);
		shutdown(peer, SHUT_WR);
		turns(1);
		ck_assert_int_eq(e.last_read, 0);
	}
	other.read_on = true;
	other.last_read = -1;
	stream_move(&other.s, &e.s, loop, &events);
	stream_want(&other.s, STREAM_READ);
	idle_turns(2);
	ck_assert_uint_eq(e.hangup, 0);
	ck_assert_uint_eq(other.hangup, _i == 0);
	ck_assert_uint_eq(other.readable, _i == 1);
	if (_i == 1)
		ck_assert_int_eq(other.last_read, 0);
	stream_close(&other.s);
}
END_TEST

START_TEST(a_stream_between_loops_can_be_closed)
{
	char buf[4];

	stream_move(&other.s, &e.s, NULL, &events);
	stream_close(&other.s);
	ck_assert_int_eq(recv(peer, buf, sizeof(buf), MSG_DONTWAIT), 0);
}
END_TEST

/* --- memory ------------------------------------------------------------- */

START_TEST(a_write_that_finds_no_memory_breaks_the_stream_and_leaks_nothing)
{
	static char much[400 * 1024];
	unsigned long nth;

	for (nth = 1;; nth++) {
		struct shared *bytes = shared_new(5000);
		struct stream_piece pieces[] = {
			{ much, sizeof(much), NULL },
			{ bytes->data, 5000, bytes },
			{ much, 3000, NULL },
			{ bytes->data, 4000, bytes },
			{ bytes->data, 4000, bytes },
			{ bytes->data, 4000, bytes },
		};
		int err;

		memset(bytes->data, 1, 5000);
		send_buffer(1);
		mem_fail_at(nth);
		err = stream_write(&e.s, pieces, 6);
		if (!mem_failed()) {
			mem_fail_at(0);
			ck_assert_int_eq(err, 0);
			stream_close(&e.s);
			shared_unref(bytes);
			break;
		}
		mem_fail_at(0);
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(atomic_load(&bytes->refs), 1);
		ck_assert_uint_eq(e.hangup, 0);
		idle_turns(2);
		ck_assert_uint_eq(e.hangup, 1);
		ck_assert_int_eq(e.err, -ENOMEM);
		shared_unref(bytes);
		close(peer);
		connect_pair(AF_INET);
	}
	ck_assert_uint_ge(nth, 5);
}
END_TEST

START_TEST(closing_works_without_memory)
{
	mem_fail_at(1);
	stream_close(&e.s);
	mem_fail_at(0);
	idle_turns(1);
	ck_assert(!stream_is_open(&e.s));
}
END_TEST

/* Until both kernels are full, and some is left. */
static void stuff_both_ends(void)
{
	uint64_t before;

	do {
		stuff();
		before = stream_progress(&e.s);
		usleep(10000);
		idle_turns(4);
	} while (stream_queued(&e.s) == 0 || stream_progress(&e.s) != before);
}

/* Reads until the sender's kernel knows of it. */
static void take_until_acknowledged(uint64_t before)
{
	char buf[16384];

	for (int i = 0; i < 1000 && stream_acked(&e.s) == before; i++)
		if (recv(peer, buf, sizeof(buf), MSG_DONTWAIT) < 0)
			usleep(1000);
}

/* Over TCP (0) and a unix socket (1). */
START_TEST(what_the_peer_takes_is_progress_though_the_queue_stays_and_what_it_leaves_is_none)
{
	uint64_t acked, progress;
	size_t queued;

	if (_i == 1) {
		stream_close(&e.s);
		close(peer);
		connect_pair(AF_UNIX);
	}
	stuff_both_ends();
	acked = stream_acked(&e.s);
	progress = stream_progress(&e.s);
	queued = stream_queued(&e.s);
	ck_assert_uint_gt(stream_unacked(&e.s), queued);
	usleep(10000);
	ck_assert_uint_eq(stream_acked(&e.s), acked);
	ck_assert_uint_eq(stream_progress(&e.s), progress);
	take_until_acknowledged(acked);
	ck_assert_uint_gt(stream_acked(&e.s), acked);
	ck_assert_uint_eq(stream_queued(&e.s), queued);
	ck_assert_int_gt((int64_t)(stream_progress(&e.s) - progress), 0);
}
END_TEST

START_TEST(all_that_was_acknowledged_is_counted_and_then_nothing_is_on_its_way)
{
	uint64_t acked = stream_acked(&e.s);

	ck_assert_int_eq(write_text(&e.s, "twelve bytes"), 0);
	for (int i = 0; i < 1000 && stream_unacked(&e.s) > 0; i++)
		usleep(1000);
	ck_assert_uint_eq(stream_unacked(&e.s), 0);
	ck_assert_uint_eq(stream_acked(&e.s), acked + 12);
	ck_assert_uint_eq(stream_progress(&e.s), acked + 12);
}
END_TEST

/* --- how far it has come ------------------------------------------------ */

static struct stream_reach reach_now(void)
{
	struct stream_reach reach;

	stream_measure(&e.s, &reach);
	return reach;
}

START_TEST(what_was_written_is_told_by_how_far_it_has_come)
{
	struct stream_reach reach;
	int arrived = 0;

	stuff_both_ends();
	reach = reach_now();
	ck_assert(reach.is_known);
	ck_assert_uint_eq(reach.written, stream_written(&e.s));
	ck_assert_uint_eq(reach.written - reach.sent, stream_queued(&e.s));
	ck_assert_uint_eq(reach.written - reach.acked, stream_unacked(&e.s));
	ck_assert_int_eq(ioctl(peer, FIONREAD, &arrived), 0);
	ck_assert_int_gt(arrived, 0);
	ck_assert_uint_le(reach.acked, (uint32_t)arrived);
}
END_TEST

static struct stream_reach reach_in_the_end;

static void measure_on_hangup(struct stream *s, int err)
{
	stream_measure(s, &reach_in_the_end);
	on_hangup(s, err);
}

/* The kernel forgets what it could not send, but not how far it had come. */
START_TEST(a_reset_changes_nothing_of_what_was_acknowledged)
{
	static const struct stream_events measuring = { on_readable, on_writable, measure_on_hangup, NULL };
	struct stream_reach before;

	e.s.on = &measuring;
	stuff_both_ends();
	stream_want(&e.s, STREAM_HANGUP);
	before = reach_now();
	close(peer); /* which has not read all: a reset */
	peer = -1;
	while (!e.hangup)
		turns(1);
	ck_assert(reach_in_the_end.is_known);
	ck_assert_uint_eq(reach_in_the_end.acked, before.acked);
	ck_assert_uint_eq(reach_in_the_end.sent, before.sent);
	ck_assert_uint_eq(reach_in_the_end.written, before.sent); /* the queue is gone */
}
END_TEST

START_TEST(what_a_write_could_not_take_was_not_written)
{
	struct stream_reach before;

	ck_assert_int_eq(write_text(&e.s, "hello"), 0);
	ck_assert_uint_eq(stream_written(&e.s), 5);
	while (reach_now().acked != 5)
		usleep(1000);
	before = reach_now();
	close(peer);
	peer = -1;
	while (write_text(&e.s, "more") == 0)
		before = reach_now();
	ck_assert_uint_eq(reach_now().written, before.written);
	ck_assert_uint_eq(reach_now().acked, 5);
}
END_TEST

/* Whether a peer that has closed had read what its socket held nobody knows. */
START_TEST(of_a_unix_socket_that_was_closed_nothing_is_known)
{
	stream_close(&e.s);
	close(peer);
	connect_pair(AF_UNIX);
	ck_assert_int_eq(write_text(&e.s, "hello"), 0);
	ck_assert(reach_now().is_known);
	ck_assert_int_le((int32_t)reach_now().acked, 0); /* its overhead counts, too */
	drain_peer();
	ck_assert_uint_eq(reach_now().acked, 5);
	ck_assert_int_eq(write_text(&e.s, "again"), 0);
	close(peer);
	peer = -1;
	ck_assert(!reach_now().is_known);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream");
	TCase *tc = tcase_create("stream");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_stream_is_small);
	tcase_add_test(tc, what_the_peer_sends_is_readable_and_its_end_reads_as_zero);
	tcase_add_test(
	    tc, after_the_end_was_read_the_owner_is_not_called_again_and_may_still_write);
	tcase_add_test(tc, nothing_is_called_before_something_is_wanted);
	tcase_add_test(tc, data_that_is_not_wanted_any_more_neither_spins_nor_gets_lost);
	tcase_add_test(tc, a_watcher_for_hangup_does_not_read_and_hears_of_the_end_once);
	tcase_add_loop_test(tc, a_reset_is_heard_whatever_is_wanted, 0, 8);
	tcase_add_loop_test(tc, a_failed_write_says_so_and_calls_hangup_once_from_the_loop, 0, 4);
	tcase_add_test(tc, a_stream_closed_after_a_failed_write_says_nothing);
	tcase_add_test(tc, a_short_write_queues_and_writable_follows_once_when_all_is_sent);
	tcase_add_test(tc, shutdown_waits_for_the_queue);
	tcase_add_loop_test(tc, reset_is_a_reset_for_the_peer_and_close_an_end, 0, 2);
	tcase_add_loop_test(tc, ten_mebibytes_arrive_whole_and_in_order_through_short_writes, 0, 2);
	tcase_add_test(tc, closing_drops_what_the_queue_refers_to);
	tcase_add_test(tc, a_stream_may_move_inside_its_own_callback);
	tcase_add_test(tc, a_queue_moves_with_its_stream_to_another_loop);
	tcase_add_loop_test(tc, an_error_moves_with_its_stream_and_an_end_is_told_again, 0, 2);
	tcase_add_test(tc, a_stream_between_loops_can_be_closed);
	tcase_add_test(tc, a_write_that_finds_no_memory_breaks_the_stream_and_leaks_nothing);
	tcase_add_test(tc, closing_works_without_memory);
	tcase_add_loop_test(tc,
	    what_the_peer_takes_is_progress_though_the_queue_stays_and_what_it_leaves_is_none, 0,
	    2);
	tcase_add_test(tc, all_that_was_acknowledged_is_counted_and_then_nothing_is_on_its_way);
	tcase_add_test(tc, what_was_written_is_told_by_how_far_it_has_come);
	tcase_add_test(tc, a_reset_changes_nothing_of_what_was_acknowledged);
	tcase_add_test(tc, what_a_write_could_not_take_was_not_written);
	tcase_add_test(tc, of_a_unix_socket_that_was_closed_nothing_is_known);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
