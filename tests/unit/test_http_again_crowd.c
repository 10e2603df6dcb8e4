/*
 * tests/unit/test_http_again_crowd.c - many connections whose request comes again in one turn:
 * their answers go out in a batch (http_again_run()), whole, in order, and whatever becomes of one
 * of them. The ring is a fake that can be told to fail.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fakes/fake_ring.h"
#include "http/http_again.h"
#include "http_fixture.h"

enum { CROWD = 6, ODD = 2, REQUEST_MAX = 200 };

/* --- owners that answer "again: BODY." ------------------------------------------------ */

struct member {
	struct http_again again;
	bool owned;
	unsigned gone;
};

static struct stream_batch *batch;
static struct member members[CROWD];
static int clients[CROWD];
static int learning;           /* whose request is read */
static struct member *ends[2]; /* when the first one answers, the second one ends */

static struct member *of(struct http_again *a)
{
	return container_of(a, struct member, again);
}

static void answer(struct member *m, const char *body, size_t n)
{
	char text[400];
	struct stream_piece piece = { text, 0, NULL };

	piece.n = (size_t)snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\nagain: %.*s.", n + 8, (int)n, body);
	ck_assert_int_eq(stream_write_soon(&m->again.stream, &piece), 0);
	if (!http_again_wait(&m->again, server))
		m->owned = false;
}

static bool on_again(struct http_again *a, struct bytes query, char *body, size_t n)
{
	(void)query;
	http_again_take(a);
	answer(of(a), body, n);
	if (ends[0] == of(a))
		http_again_hangup(&ends[1]->again);
	return true;
}

static void on_gone(struct http_again *a)
{
	of(a)->owned = false;
	of(a)->gone++;
}

static const struct http_again_ops ops = { on_again, on_gone };

static void on_readable(struct stream *s)
{
	http_again_readable(container_of(s, struct http_again, stream));
}

static void on_writable(struct stream *s)
{
	(void)s;
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	http_again_hangup(container_of(s, struct http_again, stream));
}

static const struct stream_events events = { on_readable, on_writable, on_hangup, NULL };

static void serve(struct http_request *r)
{
	struct member *m = &members[learning];
	size_t n;
	char body[100], *at;

	if (!bytes_equal(http_request_path(r), BYTES("/again")) || m->owned) {
		http_respond_text(r, 200, "inside");
		return;
	}
	at = http_request_body(r, &n);
	memcpy(body, at, n);
	ck_assert_int_eq(http_again_detach(&m->again, r, loop, &events, &ops, true), 0);
	m->owned = true;
	answer(m, body, n);
}

/* --- a crowd of clients ------------------------------------------------------------------- */

static void say_again(int i, unsigned turn)
{
	char text[REQUEST_MAX];

	snprintf(text, sizeof(text),
	    "POST /again?t=%u HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n%02d/%02u", turn, i,
	    turn);
	say(clients[i], text);
}

/* What this client has heard since: one whole answer, to this. */
static void hear_again(int i, unsigned turn)
{
	char text[32];
	const char *all;

	snprintf(text, sizeof(text), "again: %02d/%02u.", i, turn);
	all = hear(clients[i], text);
	ck_assert_msg(count_of(all, "HTTP/1.1 200 OK\r\n") == 1 && strncmp(all, "HTTP", 4) == 0 &&
	                  strcmp(all + strlen(all) - strlen(text), text) == 0,
	    "not this alone: \"%s\"", all);
	hear_anew(clients[i]);
}

/* The request of each is remembered. */
static void learn(void)
{
	for (learning = 0; learning < CROWD; learning++) {
		clients[learning] = client_new();
		say_again(learning, 0);
		hear_again(learning, 0);
		settle();
		ck_assert(http_again_is_waiting(&members[learning].again));
	}
	learning = 0;
	ck_assert_uint_eq(served, CROWD);
	ck_assert_uint_eq(counters()->repeated, 0);
	fake_ring.calls = 0;
	for (int i = 0; i < CROWD; i++)
		members[i].gone = 0;
}

/* The first n of them ask in one turn. */
static void all_say(int n, unsigned turn)
{
	for (int i = 0; i < n; i++)
		say_again(i, turn);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
}

static void all_but_one_hear(int but, unsigned turn)
{
	for (int i = 0; i < CROWD; i++)
		if (i != but)
			hear_again(i, turn);
}

static int server_side(int i)
{
	return members[i].again.stream.watch.fd;
}

static void set_up(bool with_ring)
{
	fake_ring_reset();
	fake_ring.refuse_new = with_ring ? 0 : -EPERM;
	http_setup();
	serving = serve;
	ends[0] = ends[1] = NULL;
	batch = NULL;
	ck_assert_int_eq(stream_batch_new(&batch, loop), fake_ring.refuse_new);
	memset(members, 0, sizeof(members));
	learn();
}

static void setup(void)
{
	set_up(true);
}

static void setup_without_ring(void)
{
	set_up(false);
}

static void teardown(void)
{
	stream_batch_free(batch);
	http_teardown();
	for (int i = 0; i < CROWD; i++)
		if (clients[i] >= 0)
			close(clients[i]);
	ck_assert(!fake_ring.exists);
}

/* --- all is well ---------------------------------------------------------------------- */

START_TEST(those_that_are_ready_in_one_turn_are_answered_in_one_call)
{
	all_say(CROWD, 2);
	ck_assert_uint_eq(fake_ring.calls, 1);
	ck_assert_uint_eq(fake_ring.last, CROWD);
	all_but_one_hear(-1, 2);
	ck_assert_uint_eq(counters()->repeated, CROWD);
	ck_assert_uint_eq(served, CROWD);
	ck_assert_uint_eq(counters()->connections, CROWD);
}
END_TEST

START_TEST(three_are_not_worth_a_batch)
{
	all_say(STREAM_BATCH_FEW - 1, 2);
	ck_assert_uint_eq(fake_ring.calls, 0);
	for (int i = 0; i < STREAM_BATCH_FEW - 1; i++)
		hear_again(i, 2);
	all_say(STREAM_BATCH_FEW, 3);
	ck_assert_uint_eq(fake_ring.calls, 1);
	for (int i = 0; i < STREAM_BATCH_FEW; i++)
		hear_again(i, 3);
}
END_TEST

START_TEST(each_hears_the_answers_to_its_requests_in_order)
{
	for (unsigned turn = 2; turn < 50; turn++) {
		all_say(CROWD, turn);
		all_but_one_hear(-1, turn);
	}
	ck_assert_uint_eq(counters()->repeated, CROWD * 48);
	ck_assert_uint_eq(fake_ring.calls, 48);
}
END_TEST

START_TEST(whoever_asks_twice_at_once_is_answered_twice_in_order)
{
	const char *all;

	learning = ODD;
	say_again(ODD, 2);
	say(clients[ODD], GET("/other"));
	for (int i = 0; i < CROWD; i++)
		if (i != ODD)
			say_again(i, 2);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_uint_eq(fake_ring.calls, 1);
	ck_assert_uint_eq(fake_ring.last, CROWD - 1);
	all_but_one_hear(ODD, 2);
	all = hear(clients[ODD], "inside");
	ck_assert_uint_eq(count_of(all, "HTTP/1.1 200"), 2);
	ck_assert_ptr_nonnull(strstr(all, "again: "));
	ck_assert(strstr(all, "again: ") < strstr(all, "inside"));
}
END_TEST

/* --- one of them ------------------------------------------------------------------------ */

START_TEST(a_client_that_leaves_with_its_request_harms_nobody)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	say_again(ODD, 2);
	if (_i == 1) /* by a reset, behind which no request is read */
		setsockopt(clients[ODD], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(clients[ODD]);
	clients[ODD] = -1;
	for (int i = 0; i < CROWD; i++)
		if (i != ODD)
			say_again(i, 2);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	all_but_one_hear(ODD, 2);
	settle();
	ck_assert(!members[ODD].owned);
	ck_assert_uint_eq(members[ODD].gone, 1);
	ck_assert_uint_eq(counters()->connections, CROWD - 1);
	ck_assert_uint_eq(fake_ring.calls, 1);
}
END_TEST

START_TEST(a_connection_that_its_owner_ends_in_the_same_turn_has_been_answered)
{
	ends[0] = &members[CROWD - 1];
	ends[1] = &members[ODD];
	all_say(CROWD, 2);
	ck_assert_uint_eq(members[ODD].gone, 1);
	all_but_one_hear(-1, 2);
	ck_assert_str_eq(hear_end(clients[ODD]), "");
	ends[0] = NULL;
	for (int i = 0; i < CROWD; i++)
		if (i != ODD)
			say_again(i, 3);
	settle();
	all_but_one_hear(ODD, 3);
}
END_TEST

/* So many octets, or nothing for now. */
START_TEST(an_answer_whose_send_comes_short_arrives_whole_before_the_next)
{
	static const ssize_t results[] = { 1, 20, -EAGAIN, -EINTR };

	fake_ring.odd = server_side(ODD);
	fake_ring.odd_result = results[_i];
	all_say(CROWD, 2);
	ck_assert_uint_eq(fake_ring.calls, 1);
	all_but_one_hear(-1, 2);
	fake_ring.odd = -1;
	all_say(CROWD, 3);
	all_but_one_hear(-1, 3);
	ck_assert_uint_eq(counters()->repeated, 2 * CROWD);
}
END_TEST

START_TEST(a_wire_that_breaks_in_the_batch_ends_its_connection_alone)
{
	fake_ring.odd = server_side(ODD);
	fake_ring.odd_result = -EPIPE;
	all_say(CROWD, 2);
	all_but_one_hear(ODD, 2);
	settle();
	ck_assert_uint_eq(members[ODD].gone, 1);
	ck_assert(!members[ODD].owned);
	ck_assert_uint_eq(counters()->connections, CROWD - 1);
}
END_TEST

/* Until there is no room for a single octet, and the client's side has taken what it can. */
static void fill(int fd)
{
	static char filler[65536];

	memset(filler, '-', sizeof(filler));
	for (int quiet = 0; quiet < 20; quiet++) {
		for (size_t n = sizeof(filler); n > 0; n /= 2)
			while (send(fd, filler, n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
				quiet = 0;
		usleep(1000);
	}
}

/* What comes until it ends, or with the answer to GET /other; of that the last octets. */
static const char *end_of(int fd)
{
	static char some[65536], last[601];
	ssize_t n = -1;

	memset(last, '-', sizeof(last) - 1);
	for (int i = 0; i < 2000 && n != 0 && !strstr(last, "inside"); i++) {
		n = recv(fd, some, sizeof(some), MSG_DONTWAIT);
		for (ssize_t k = 0; k < n; k++) {
			memmove(last, last + 1, sizeof(last) - 2);
			last[sizeof(last) - 2] = some[k];
		}
		if (n < 0)
			ck_assert_int_eq(loop_turn(loop, i < 100 ? 0 : 1), 0);
	}
	return last;
}

/* What the wire has no room for must not be forgotten when the connection is given back. */
START_TEST(an_answer_that_waits_for_its_client_survives_another_request)
{
	for (int i = 0; i < CROWD; i++)
		say_again(i, 2);
	fill(server_side(ODD));
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	all_but_one_hear(ODD, 2);
	ck_assert_uint_gt(stream_queued(&members[ODD].again.stream), 0);
	say(clients[ODD], GET("/other"));
	settle();
	ck_assert_uint_eq(members[ODD].gone, 1);
	ck_assert_ptr_nonnull(strstr(
	    end_of(clients[ODD]), "--HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nagain: 02/02."));
}
END_TEST

/* --- without io_uring --------------------------------------------------------------------- */

START_TEST(a_ring_that_fails_leaves_no_answer_behind)
{
	fake_ring.break_at = ODD;
	fake_ring.break_error = -EPERM;
	all_say(CROWD, 2);
	all_but_one_hear(-1, 2);
	ck_assert_uint_eq(fake_ring.calls, 1);
	all_say(CROWD, 3);
	all_but_one_hear(-1, 3);
	ck_assert_uint_eq(fake_ring.calls, 1);
}
END_TEST

START_TEST(without_io_uring_all_are_answered_in_their_turn_too)
{
	for (unsigned turn = 2; turn < 6; turn++) {
		all_say(CROWD, turn);
		all_but_one_hear(-1, turn);
	}
	ck_assert_uint_eq(counters()->repeated, CROWD * 4);
	ck_assert_uint_eq(fake_ring.calls, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_again_crowd");
	TCase *with = group(suite, "with a ring", setup, teardown),
	      *without = group(suite, "without", setup_without_ring, teardown);

	tcase_add_test(with, those_that_are_ready_in_one_turn_are_answered_in_one_call);
	tcase_add_test(with, three_are_not_worth_a_batch);
	tcase_add_test(with, each_hears_the_answers_to_its_requests_in_order);
	tcase_add_test(with, whoever_asks_twice_at_once_is_answered_twice_in_order);
	tcase_add_loop_test(with, a_client_that_leaves_with_its_request_harms_nobody, 0, 2);
	tcase_add_test(with, a_connection_that_its_owner_ends_in_the_same_turn_has_been_answered);
	tcase_add_loop_test(
	    with, an_answer_whose_send_comes_short_arrives_whole_before_the_next, 0, 4);
	tcase_add_test(with, a_wire_that_breaks_in_the_batch_ends_its_connection_alone);
	tcase_add_test(with, an_answer_that_waits_for_its_client_survives_another_request);
	tcase_add_test(with, a_ring_that_fails_leaves_no_answer_behind);
	tcase_add_test(without, without_io_uring_all_are_answered_in_their_turn_too);
	return run_groups(suite);
}
