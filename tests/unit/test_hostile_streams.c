/*
 * tests/unit/test_hostile_streams.c - heads, bodies and frames, wherever the network cuts them; and
 * the pipe: what comes out when.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hostile/frame_scan.h"
#include "hostile/message.h"
#include "hostile/pipe.h"

/* --- heads ------------------------------------------------------------------------------- */

START_TEST(a_request_is_read_when_it_is_whole_and_not_before)
{
	static const struct bytes text =
	    BYTES("POST /a?b HTTP/1.1\r\nHost: h\r\nConnection: x, Upgrade\r\n"
	          "upgrade: websocket\r\nContent-Length: 3\r\n\r\nabc");
	struct message_head m;
	struct buf out = BUF_INIT;

	for (size_t n = 0; n < text.n - 3; n++)
		ck_assert_int_eq(
		    message_read_request(&m, (struct bytes){ text.p, n }), HTTP_FRAME_MORE);
	ck_assert_int_eq(message_read_request(&m, text), HTTP_FRAME_WHOLE);
	ck_assert_uint_eq(m.octets, text.n - 3);
	ck_assert(m.body == BODY_LENGTH && m.length == 3 && !m.is_1_0);
	ck_assert(bytes_equal(m.method, BYTES("POST")) && bytes_equal(m.target, BYTES("/a?b")));
	ck_assert(message_has(&m, "Connection", "upgrade") && !message_has(&m, "Host", "upgrade"));
	message_remove(&m, "UPGRADE");
	message_remove(&m, "connection");
	message_add(&m, "X", BYTES("y"));
	m.is_1_0 = true;
	ck_assert_int_eq(message_write_request(&m, BYTES("/c"), &out), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_str_eq(
	    buf_data(&out), "POST /c HTTP/1.0\r\nHost: h\r\nContent-Length: 3\r\nX: y\r\n\r\n");
	buf_fini(&out);
}
END_TEST

START_TEST(a_response_is_read_when_it_is_whole_and_not_before)
{
	static const struct bytes text =
	    BYTES("HTTP/1.1 200 Well done\r\nA:b\r\nTransfer-Encoding: chunked\r\n\r\n");
	struct message_head m;
	struct buf out = BUF_INIT;

	for (size_t n = 0; n < text.n; n++)
		ck_assert_int_eq(
		    message_read_response(&m, (struct bytes){ text.p, n }, false), HTTP_FRAME_MORE);
	ck_assert_int_eq(message_read_response(&m, text, false), HTTP_FRAME_WHOLE);
	ck_assert(m.octets == text.n && m.status == 200 && m.body == BODY_CHUNKED);
	message_remove(&m, "transfer-encoding");
	ck_assert_int_eq(message_write_response(&m, &out), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_str_eq(buf_data(&out), "HTTP/1.1 200 Well done\r\nA: b\r\n\r\n");
	buf_fini(&out);
}
END_TEST

static const struct {
	const char *text;
	bool has_no_body;
	int body;
} bodies[] = {
	{ "HTTP/1.1 200 OK\r\n\r\n", false, BODY_CLOSE },
	{ "HTTP/1.0 200\r\n\r\n", false, BODY_CLOSE },
	{ "HTTP/1.1 204 No\r\n\r\n", false, BODY_NONE },
	{ "HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", false, BODY_NONE },
	{ "HTTP/1.1 101 S\r\n\r\n", false, BODY_NONE },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true, BODY_NONE },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", false, BODY_LENGTH },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, BODY_NONE },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 7\r\n\r\n", false,
	    BODY_CHUNKED },
};

START_TEST(where_a_body_ends_is_known)
{
	struct message_head m;

	ck_assert_int_eq(
	    message_read_response(&m, bytes_of(bodies[_i].text), bodies[_i].has_no_body),
	    HTTP_FRAME_WHOLE);
	ck_assert_int_eq(m.body, bodies[_i].body);
}
END_TEST

static const char *const bad_responses[] = {
	"nonsense\r\n\r\n",
	"HTTP/2 200 OK\r\n\r\n",
	"HTTP/1.1 20 OK\r\n\r\n",
	"HTTP/1.1 2000 OK\r\n\r\n",
	"HTTP/1.1 099 OK\r\n\r\n",
	"HTTP/1.1 200 OK\n\n",
	"HTTP/1.1 200 O\x01\r\n\r\n",
	"HTTP/1.1 200 OK\r\nA b\r\n\r\n",
	"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
	"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
	"HTTP/1.1 200 OK\r\nA: \x7f\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
};

START_TEST(what_is_no_response_is_refused)
{
	struct message_head m;

	ck_assert_int_eq(
	    message_read_response(&m, bytes_of(bad_responses[_i]), false), HTTP_FRAME_BAD);
	ck_assert(m.bad_status == 502 && m.sentence);
}
END_TEST

START_TEST(heads_are_bounded)
{
	static char text[MESSAGE_HEAD_MOST + 64];
	struct message_head m;
	size_t n = 0;

	memset(text, 'a', sizeof(text));
	memcpy(text, "HTTP/1.1 200 OK\r\nA: ", 20);
	ck_assert_int_eq(
	    message_read_response(&m, (struct bytes){ text, sizeof(text) }, false), HTTP_FRAME_BAD);
	memcpy(text, "GET / HTTP/1.1\r\nA: ", 19);
	ck_assert_int_eq(
	    message_read_request(&m, (struct bytes){ text, sizeof(text) }), HTTP_FRAME_BAD);
	n = 16;
	for (int i = 0; i < MESSAGE_FIELDS_MOST; i++, n += 6)
		memcpy(text + n, "A: b\r\n", 6);
	memcpy(text + n, "\r\n", 2);
	ck_assert_int_eq(message_read_request(&m, (struct bytes){ text, n + 2 }), HTTP_FRAME_BAD);
	ck_assert_uint_eq(m.bad_status, 431);
}
END_TEST

/* --- bodies ------------------------------------------------------------------------------ */

/* What a body carries, when it comes in two pieces. */
static enum http_frame_result read_cut(
    const struct message_head *m, struct bytes in, size_t cut, struct buf *data, size_t *used)
{
	struct message_body b;
	enum http_frame_result result = HTTP_FRAME_MORE;
	size_t ends[2] = { cut, in.n };

	message_body_begin(&b, m);
	*used = 0;
	for (int i = 0; i < 2; i++) {
		size_t n = 1;

		while (result == HTTP_FRAME_MORE && n > 0) {
			struct bytes some;

			result = message_body_next(
			    &b, (struct bytes){ in.p + *used, ends[i] - *used }, &n, &some);
			ck_assert_int_eq(buf_add(data, some.p, some.n), 0);
			*used += n;
		}
	}
	return result;
}

START_TEST(a_body_is_the_same_wherever_it_is_cut)
{
	static const struct bytes chunked =
	    BYTES("3\r\none\r\n3;x=y\r\ntwo\r\n0\r\nT: t\r\n\r\nmore");
	static const struct bytes plain = BYTES("onetwomore");
	struct message_head lengthy = { .body = BODY_LENGTH, .length = 6 },
	                    chunky = { .body = BODY_CHUNKED }, closing = { .body = BODY_CLOSE };

	for (size_t cut = 0; cut <= chunked.n; cut++) {
		struct buf data = BUF_INIT;
		size_t used;

		ck_assert_int_eq(read_cut(&chunky, chunked, cut, &data, &used), HTTP_FRAME_WHOLE);
		ck_assert_uint_eq(used, chunked.n - 4);
		ck_assert(bytes_equal(
		    (struct bytes){ buf_data(&data), buf_len(&data) }, BYTES("onetwo")));
		buf_fini(&data);
	}
	for (size_t cut = 0; cut <= plain.n; cut++) {
		struct buf data = BUF_INIT;
		size_t used;

		ck_assert_int_eq(read_cut(&lengthy, plain, cut, &data, &used), HTTP_FRAME_WHOLE);
		ck_assert_uint_eq(used, 6);
		ck_assert_int_eq(read_cut(&closing, plain, cut, &data, &used), HTTP_FRAME_MORE);
		ck_assert_uint_eq(used, plain.n);
		buf_fini(&data);
	}
}
END_TEST

START_TEST(chunks_that_are_none_are_refused)
{
	struct message_head chunky = { .body = BODY_CHUNKED };
	struct buf data = BUF_INIT;
	size_t used;

	ck_assert_int_eq(read_cut(&chunky, BYTES("zz\r\n"), 1, &data, &used), HTTP_FRAME_BAD);
	ck_assert_int_eq(read_cut(&chunky, BYTES("1\r\nabc\r\n"), 4, &data, &used), HTTP_FRAME_BAD);
	buf_fini(&data);
}
END_TEST

/* --- frames ------------------------------------------------------------------------------ */

static const struct bytes frames = BYTES("\x81\x05Hello\x89\x00\x82\x7e\x00\x80"
                                         "................................"
                                         "................................"
                                         "................................"
                                         "................................"
                                         "\x81\x83\1\2\3\4abc");

/* How many frames begin and end in the two pieces; octets taken. */
static size_t scan_cut(size_t cut, unsigned *begun, unsigned *ended)
{
	struct frame_scan scan = { 0 };
	size_t at = 0, ends[2] = { cut, frames.n };

	*begun = *ended = 0;
	for (int i = 0; i < 2; i++) {
		ssize_t n = 1;

		while (n > 0 && at < ends[i]) {
			struct frame_piece piece;

			n = frame_scan_next(
			    &scan, (struct bytes){ frames.p + at, ends[i] - at }, &piece);
			ck_assert_int_ge(n, 0);
			if (n == 0)
				break;
			ck_assert(piece.octets.p == frames.p + at && piece.octets.n == (size_t)n);
			*begun += piece.begins;
			*ended += piece.ends;
			at += (size_t)n;
		}
	}
	return at;
}

START_TEST(frames_begin_and_end_where_they_do_wherever_they_are_cut)
{
	for (size_t cut = 0; cut <= frames.n; cut++) {
		unsigned begun, ended;

		ck_assert_uint_eq(scan_cut(cut, &begun, &ended), frames.n);
		ck_assert_uint_eq(begun, 4);
		ck_assert_uint_eq(ended, 4);
	}
}
END_TEST

START_TEST(what_is_no_frame_is_said)
{
	struct frame_scan scan = { 0 };
	struct frame_piece piece;

	ck_assert_int_eq(frame_scan_next(&scan, BYTES("\x82\x7e\x00\x01"), &piece), -EPROTO);
	ck_assert_int_eq(
	    frame_scan_next(&scan, BYTES("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), &piece),
	    -EPROTO);
}
END_TEST

/* --- the pipe ------------------------------------------------------------------------------ */

static char taken[4096];

/* All that comes out at this time. */
static const char *out(struct pipe *p, uint64_t now)
{
	size_t n = 0;
	struct bytes b;

	while ((b = pipe_peek(p, now)).n > 0) {
		memcpy(taken + n, b.p, b.n);
		n += b.n;
		pipe_take(p, b.n, now);
	}
	taken[n] = '\0';
	return taken;
}

static void in(struct pipe *p, const char *text, uint64_t now)
{
	ck_assert_int_eq(pipe_push(p, bytes_of(text), 0, now), 0);
}

#define PIPE(p, ...)                                                                               \
	struct pipe p;                                                                             \
                                                                                                   \
	pipe_init(&p);                                                                             \
	pipe_set(&p, &(struct pipe_settings){ __VA_ARGS__ })

START_TEST(without_settings_it_comes_out_at_once_and_in_order)
{
	PIPE(p, .rate = 0);

	in(&p, "one", 100);
	in(&p, "two", 100);
	ck_assert_uint_eq(pipe_wait(&p, 100), 0);
	ck_assert_str_eq(out(&p, 100), "onetwo");
	ck_assert_uint_eq(pipe_wait(&p, 100), UINT64_MAX);
	pipe_finish(&p, PIPE_FIN, 100);
	ck_assert_int_eq(pipe_ended(&p, 100), PIPE_FIN);
	pipe_finish(&p, PIPE_RST, 100);
	ck_assert_int_eq(pipe_ended(&p, 100), PIPE_FIN);
	pipe_fini(&p);
}
END_TEST

START_TEST(a_delay_is_of_each_octet_and_the_end_is_as_late)
{
	PIPE(p, .delay_ms = 50);

	in(&p, "one", 100);
	ck_assert_uint_eq(pipe_wait(&p, 110), 40);
	ck_assert_int_eq(pipe_push(&p, BYTES("late"), 30, 110), 0);
	in(&p, "two", 120); /* it does not overtake */
	pipe_finish(&p, PIPE_RST, 120);
	ck_assert_str_eq(out(&p, 149), "");
	ck_assert_str_eq(out(&p, 150), "one");
	ck_assert_str_eq(out(&p, 189), "");
	ck_assert_int_eq(pipe_ended(&p, 189), PIPE_OPEN);
	ck_assert_str_eq(out(&p, 190), "latetwo");
	ck_assert_int_eq(pipe_ended(&p, 190), PIPE_RST);
	pipe_fini(&p);
}
END_TEST

START_TEST(what_is_held_waits_for_more_or_for_the_end)
{
	PIPE(p, .holds = true, .hold = 4);

	in(&p, "abc", 1);
	ck_assert_str_eq(out(&p, 1), "");
	ck_assert_uint_eq(pipe_wait(&p, 1), UINT64_MAX);
	in(&p, "defghi", 2);
	ck_assert_str_eq(out(&p, 2), "abcdefgh");
	pipe_release(&p);
	ck_assert_str_eq(out(&p, 2), "i");
	in(&p, "j", 3);
	pipe_finish(&p, PIPE_FIN, 3);
	ck_assert_str_eq(out(&p, 3), "j");
	pipe_fini(&p);
}
END_TEST

START_TEST(what_is_held_and_not_any_more_is_let_go)
{
	PIPE(p, .holds = true);

	in(&p, "abc", 1);
	pipe_set(&p, &(struct pipe_settings){ .stalled = true });
	ck_assert_str_eq(out(&p, 1), "");
	pipe_set(&p, &(struct pipe_settings){ 0 });
	ck_assert_str_eq(out(&p, 1), "abc");
	pipe_fini(&p);
}
END_TEST

START_TEST(pieces_come_one_after_the_other)
{
	PIPE(p, .piece = 2, .every_ms = 10);

	in(&p, "abcde", 0);
	ck_assert_str_eq(out(&p, 100), "ab");
	ck_assert_uint_eq(pipe_wait(&p, 100), 10);
	ck_assert_str_eq(out(&p, 109), "");
	ck_assert_str_eq(out(&p, 110), "cd");
	ck_assert_str_eq(out(&p, 120), "e");
	pipe_fini(&p);
}
END_TEST

START_TEST(a_rate_lets_so_many_pass)
{
	char text[301];
	size_t n = 0;
	PIPE(p, .rate = 1000);

	memset(text, 'x', 300);
	text[300] = '\0';
	in(&p, text, 0);
	for (uint64_t now = 1000; now < 1200; now++)
		n += strlen(out(&p, now));
	ck_assert(n >= 150 && n <= 250);
	pipe_fini(&p);
}
END_TEST

START_TEST(what_is_coalesced_goes_out_together)
{
	PIPE(p, .coalesce_ms = 20);

	in(&p, "a", 100);
	in(&p, "b", 119);
	ck_assert_str_eq(out(&p, 119), "");
	ck_assert_str_eq(out(&p, 120), "ab");
	in(&p, "c", 121);
	ck_assert_str_eq(out(&p, 121), "");
	ck_assert_str_eq(out(&p, 141), "c");
	pipe_fini(&p);
}
END_TEST

START_TEST(it_is_full_when_much_waits_but_not_of_what_is_held)
{
	static char block[65536];
	int count = 0;
	PIPE(p, .rate = 0);
	PIPE(h, .holds = true);

	while (!pipe_is_full(&p) && count++ < 100)
		ck_assert_int_eq(pipe_push(&p, (struct bytes){ block, sizeof(block) }, 0, 1), 0);
	ck_assert_int_eq(count, PIPE_FULL / (int)sizeof(block));
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(pipe_push(&h, (struct bytes){ block, sizeof(block) }, 0, 1), 0);
	ck_assert(!pipe_is_full(&h) && h.held == 20 * sizeof(block));
	pipe_clear(&h);
	ck_assert(h.queued == 0 && h.held == 0 && h.memory == 0);
	pipe_fini(&p);
}
END_TEST

START_TEST(few_octets_at_many_times_are_much_too)
{
	uint64_t now = 1;
	PIPE(p, .delay_ms = 100);

	while (!pipe_is_full(&p) && now < 100000)
		in(&p, "x", now++);
	ck_assert(now < 10000 && p.memory < 17 * PIPE_FULL);
	pipe_fini(&p);
}
END_TEST

START_TEST(without_memory_it_says_so)
{
	PIPE(p, .rate = 0);

	mem_fail_at(1);
	ck_assert_int_eq(pipe_push(&p, BYTES("x"), 0, 1), -ENOMEM);
	mem_fail_at(0);
	pipe_fini(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hostile_streams");
	TCase *tc = tcase_create("hostile_streams");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, a_request_is_read_when_it_is_whole_and_not_before);
	tcase_add_test(tc, a_response_is_read_when_it_is_whole_and_not_before);
	tcase_add_loop_test(tc, where_a_body_ends_is_known, 0, sizeof(bodies) / sizeof(*bodies));
	tcase_add_loop_test(
	    tc, what_is_no_response_is_refused, 0, sizeof(bad_responses) / sizeof(*bad_responses));
	tcase_add_test(tc, heads_are_bounded);
	tcase_add_test(tc, a_body_is_the_same_wherever_it_is_cut);
	tcase_add_test(tc, chunks_that_are_none_are_refused);
	tcase_add_test(tc, frames_begin_and_end_where_they_do_wherever_they_are_cut);
	tcase_add_test(tc, what_is_no_frame_is_said);
	tcase_add_test(tc, without_settings_it_comes_out_at_once_and_in_order);
	tcase_add_test(tc, a_delay_is_of_each_octet_and_the_end_is_as_late);
	tcase_add_test(tc, what_is_held_waits_for_more_or_for_the_end);
	tcase_add_test(tc, what_is_held_and_not_any_more_is_let_go);
	tcase_add_test(tc, pieces_come_one_after_the_other);
	tcase_add_test(tc, a_rate_lets_so_many_pass);
	tcase_add_test(tc, what_is_coalesced_goes_out_together);
	tcase_add_test(tc, it_is_full_when_much_waits_but_not_of_what_is_held);
	tcase_add_test(tc, few_octets_at_many_times_are_much_too);
	tcase_add_test(tc, without_memory_it_says_so);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
