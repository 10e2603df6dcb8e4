/*
 * tests/unit/test_ws_snapshot.c - a connection that another process goes on with, at any place: its
 * peer cannot tell.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "ws_conn_fixture.h"

#define HELLO      "\xf2\x48\xcd\xc9\xc9\x07\x00" /* RFC 7692, section 7.2.3.1 */
#define AGAIN      "\xf2\x00\x11\x00\x00"         /* refers to it */
#define COMPRESSED (FIN | WS_RSV1)

/* Two texts that compressing makes shorter, and the second by the first. */
#define LONG  "All that was said before, and what is said after that, as it was said before."
#define LATER "All that was said before, and what is said after that, once more."

static void agree(enum ws_role role, bool takeover)
{
	agreed = (struct ws_deflate_params){ true, !takeover, !takeover, 15, 15, false, false };
	begin(role);
}

/* --- from process to process -------------------------------------------------------- */

struct written {
	char octets[1 << 18];
	size_t n;
};

static struct written state;

static int write_down(struct written *to)
{
	struct snapshot s;
	int err;

	snapshot_init_write(&s);
	ws_conn_snapshot(&w.conn, &s);
	ws_deflate_snapshot(&w.own, &s);
	err = snapshot_error(&s);
	to->n = buf_len(&s.out);
	ck_assert_uint_le(to->n, sizeof(to->octets));
	if (to->n)
		memcpy(to->octets, buf_data(&s.out), to->n);
	snapshot_fini(&s);
	return err;
}

/* In place of the connection that is there; from memory of just that size. */
static int read_from(const char *octets, size_t n)
{
	enum ws_role role = w.conn.role;
	char *copy = malloc(n + (n == 0));
	struct snapshot s;
	int err;

	ws_conn_fini(&w.conn);
	ws_deflate_free(w.own);
	memcpy(copy, octets, n);
	ws_conn_init(&w.conn, role, &ops, &w.limits);
	ck_assert_int_eq(snapshot_init_read(&s, (struct bytes){ copy, n }, NULL, 0), 0);
	ws_conn_snapshot(&w.conn, &s);
	ws_deflate_snapshot(&w.own, &s);
	err = snapshot_error(&s);
	snapshot_fini(&s);
	free(copy);
	return err;
}

static void hand_over(void)
{
	ck_assert_int_eq(write_down(&state), 0);
	ck_assert_int_eq(read_from(state.octets, state.n), 0);
}

/* It comes to nothing: this process goes on. */
static void hand_over_in_vain(void)
{
	ck_assert_int_eq(write_down(&state), 0);
}

/* --- at every place ------------------------------------------------------------------- */

static void begin_again(enum ws_role role)
{
	struct ws_conn_limits limits = w.limits;

	begin(role);
	w.limits = limits;
}

/* As expect(), with the process that goes on, or does not, in between. */
static void expect_over(const char *events, void (*over)(void))
{
	static char raw[4096];
	size_t n = w.n;
	enum ws_role role = w.conn.role;

	ck_assert_uint_le(n, sizeof(raw));
	memcpy(raw, w.wire, n);
	for (size_t cut = 0; cut <= n; cut++) {
		begin_again(role);
		feed_copy(raw, cut);
		over();
		feed_copy(raw + cut, n - cut);
		ck_assert_msg(strcmp(w.said, events) == 0, "cut at %zu: %s", cut, w.said);
	}
	begin_again(role);
	for (size_t i = 0; i < n; i++) {
		feed_copy(raw + i, 1);
		over();
	}
	ck_assert_str_eq(w.said, events);
	memcpy(w.wire, raw, n);
	w.n = n;
}

static void expect_always(const char *events)
{
	expect_over(events, hand_over);
	expect_over(events, hand_over_in_vain);
}

static void put_plain(void)
{
	put(FIN | WS_TEXT, "one");
	put(FIN | WS_PING, "are you there");
	put(WS_TEXT, "h\xc3");
	put(FIN | WS_PONG, "x");
	put(WS_CONTINUATION, "");
	put(FIN | WS_CONTINUATION, "\xa4lf");
	put(FIN | WS_BINARY, "\xff\xfe");
	put(FIN | WS_TEXT, LONG LONG);
	put(FIN | WS_CLOSE, "\x03\xe8"
	                    "bye");
}

#define PLAIN_SAID                                                                                 \
	"text(one)write(pong are you there)pong(x)text(h\xc3\xa4lf)binary(\xff\xfe)text(" LONG     \
	    LONG ")write(close 1000)close(1000 bye)"

START_TEST(frames_of_all_kinds)
{
	begin(_i == 0 ? WS_SERVER : WS_CLIENT);
	put_plain();
	expect_always(PLAIN_SAID);
}
END_TEST

/* Everybody takes over, or nobody does. */
START_TEST(compressed_messages)
{
	bool takeover = _i & 1;

	agree(_i & 2 ? WS_CLIENT : WS_SERVER, takeover);
	put_n(COMPRESSED | WS_TEXT, HELLO, 7);
	put_n(WS_RSV1 | WS_TEXT, HELLO, 3);
	put(FIN | WS_PING, "p");
	put_n(FIN | WS_CONTINUATION, HELLO + 3, 4);
	if (takeover)
		put_n(COMPRESSED | WS_TEXT, AGAIN, 5);
	put(FIN | WS_TEXT, "plain");
	put_n(COMPRESSED | WS_BINARY, "", 1);
	if (takeover)
		put_n(COMPRESSED | WS_BINARY, AGAIN, 5);
	expect_always(takeover ? "text(Hello)write(pong p)text(Hello)text(Hello)text(plain)binary()"
	                         "binary(Hello)"
	                       : "text(Hello)write(pong p)text(Hello)text(plain)binary()");
}
END_TEST

/* What breaks the rules does so afterwards. */
START_TEST(failures)
{
	static const struct {
		unsigned first;
		const char *payload, *said;
	} cases[] = {
		{ FIN | WS_TEXT, "abc\xff", "text(one)" BAD_TEXT },
		{ FIN | WS_CONTINUATION, "x",
		    "text(one)" FAILED_1002("continuation without a message") },
		{ FIN | 3, "x", "text(one)" FAILED_1002("unknown opcode") },
		{ FIN | WS_CLOSE, "x", "text(one)" FAILED_1002("close frame of one octet") },
		{ FIN | WS_TEXT, LONG LONG,
		    "text(one)write(close 1009 message is too big)failed(1009)" },
	};

	w.limits.max_message_bytes = 100;
	put(FIN | WS_TEXT, "one");
	put(cases[_i].first, cases[_i].payload);
	expect_always(cases[_i].said);
}
END_TEST

START_TEST(our_close_goes_along)
{
	ws_conn_close(&w.conn, 1001, "first", 5);
	hand_over();
	put(FIN | WS_TEXT, "late");
	put(FIN | WS_CLOSE, "\x03\xe9");
	feed_all();
	ws_conn_close(&w.conn, 1001, "again", 5);
	ck_assert_str_eq(w.said, "write(close 1001 first)text(late)close(1001)");
	hand_over();
	put(FIN | WS_TEXT, "after the end");
	feed_all();
	ck_assert_str_eq(w.said, "write(close 1001 first)text(late)close(1001)");
}
END_TEST

START_TEST(a_pause_goes_along)
{
	ws_conn_pause(&w.conn);
	hand_over();
	put(FIN | WS_TEXT, "later");
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, w.n, NULL), 0);
	ws_conn_resume(&w.conn);
	feed_all();
	ck_assert_str_eq(w.said, "text(later)");
}
END_TEST

START_TEST(the_pace_of_a_message_goes_along)
{
	struct pace_watch *watch, before;
	uint64_t octets;

	put(WS_TEXT, "begun");
	feed_all();
	watch = ws_conn_unfinished(&w.conn, &octets);
	*watch = before = (struct pace_watch){ 1000, 2000, 3 };
	hand_over();
	watch = ws_conn_unfinished(&w.conn, &octets);
	ck_assert_ptr_nonnull(watch);
	ck_assert_uint_eq(octets, 5);
	ck_assert(watch->began == 1000 && watch->look_at == 2000 && watch->octets == 3);
}
END_TEST

/* --- what waits, for want of time --------------------------------------------------------- */

/* Compressed by a peer, of n times x. */
static void put_xs(struct ws_deflate *peer, bool takes_over, size_t n)
{
	struct ws_deflate_how how = {
		.codec = peer, .window_bits = 15, .level = 6, .takes_over = takes_over
	};
	char *plain = malloc(n), *packed = malloc(n + WS_DEFLATE_ROOM);
	ssize_t len;

	memset(plain, 'x', n);
	len = ws_deflate(&how, plain, n, packed);
	ck_assert_int_gt(len, 0);
	put_n(COMPRESSED | WS_TEXT, packed, (size_t)len);
	free(plain);
	free(packed);
}

/* So much for each call, and another process for each. */
static void feed_in_turns(int64_t each, void (*over)(void))
{
	size_t at = 0;

	do {
		struct budget budget = { each };
		ssize_t taken = ws_conn_feed(&w.conn, w.wire + at, w.n - at, &budget);

		ck_assert_int_ge(taken, 0);
		at += (size_t)taken;
		over();
	} while (at < w.n || ws_conn_is_behind(&w.conn));
	w.n = 0;
}

/* It is inflated to its end for that if others refer to it; from its beginning in the other process
 * if not. */
START_TEST(a_message_that_is_half_inflated)
{
	struct ws_deflate *peer = ws_deflate_new();
	bool takeover = _i & 1;

	agree(WS_SERVER, takeover);
	put_xs(peer, takeover, 100000);
	put_xs(peer, takeover, 300);
	feed_in_turns(takeover ? 50000 : 400000, _i & 2 ? hand_over_in_vain : hand_over);
	ck_assert_str_eq(w.said, "text[100000]text[300]");
	ws_deflate_free(peer);
}
END_TEST

START_TEST(a_message_that_waits_to_be_delivered)
{
	for (int takeover = 0; takeover <= 1; takeover++) {
		size_t at = 0;

		agree(WS_SERVER, takeover);
		put(WS_TEXT, LONG);
		put(FIN | WS_CONTINUATION, LONG);
		while (at < w.n) {
			struct budget little = { 0 };

			at += (size_t)ws_conn_feed(&w.conn, w.wire + at, w.n - at, &little);
		}
		w.n = 0;
		hand_over();
		ck_assert(ws_conn_is_behind(&w.conn));
		feed_all();
		ck_assert_str_eq(w.said, "text(" LONG LONG ")");
	}
}
END_TEST

/* It is known in the midst of a message, and said when the connection is fed. */
START_TEST(what_fails_while_it_is_inflated_for_that)
{
	struct ws_deflate *peer = ws_deflate_new();
	struct budget little = { 30000 };

	agree(WS_SERVER, true);
	w.limits.max_message_bytes = 50000;
	put_xs(peer, true, 100000);
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, w.n, &little), (ssize_t)w.n);
	ck_assert(ws_conn_is_behind(&w.conn));
	w.n = 0;
	hand_over();
	hand_over();
	ck_assert_str_eq(w.said, "");
	ck_assert(ws_conn_is_behind(&w.conn));
	feed_all();
	ck_assert_str_eq(w.said, "write(close 1009 message is too big)failed(1009)");
	ws_deflate_free(peer);
}
END_TEST

START_TEST(memory_that_is_out_while_it_is_inflated_for_that)
{
	struct ws_deflate *peer = ws_deflate_new();
	struct budget little = { 30000 };

	agree(WS_SERVER, true);
	put_xs(peer, true, 100000);
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, w.n, &little), (ssize_t)w.n);
	w.n = 0;
	for (unsigned long n = 1;; n++) {
		mem_fail_at(n);
		write_down(&state);
		if (!mem_failed())
			break;
	}
	mem_fail_at(0);
	hand_over();
	ck_assert_int_eq(ws_conn_feed(&w.conn, NULL, 0, NULL), -ENOMEM);
	ck_assert_str_eq(w.said, "write(close 1011 out of memory)failed(1011)");
	ws_deflate_free(peer);
}
END_TEST

/* --- what we compress ---------------------------------------------------------------------- */

/* The peer's codec lives on, and remembers what we have said. */
static void say_to(struct ws_deflate *peer, const char *text, size_t *len)
{
	struct ws_deflate_config config = { .level = 6 };
	struct ws_deflate_how how;
	struct ws_inflated out = { 0 };
	char packed[256];
	ssize_t n;

	ck_assert(ws_conn_deflates(&w.conn, &config, false, &how));
	n = ws_deflate(&how, text, strlen(text), packed);
	ck_assert_int_gt(n, 0);
	*len = (size_t)n;
	ck_assert_int_eq(ws_inflate(peer, true, packed, (size_t)n, 0, SIZE_MAX, &out), 0);
	ck_assert_uint_eq(out.n, strlen(text));
	ck_assert_mem_eq(out.p, text, out.n);
	ws_inflated_done(peer, &out);
}

START_TEST(what_we_compress_refers_to_nothing_before)
{
	struct ws_deflate *peer = ws_deflate_new();
	size_t first, alone, after;

	agree(WS_SERVER, true);
	say_to(peer, LONG, &first);
	hand_over();
	say_to(peer, LATER, &alone);
	hand_over_in_vain();
	say_to(peer, LATER, &after);
	ck_assert_uint_lt(after, alone);
	ws_deflate_free(peer);
}
END_TEST

START_TEST(luck_goes_along)
{
	agree(WS_SERVER, false);
	w.conn.luck = (struct ws_deflate_luck){ 3, 5 };
	hand_over();
	ck_assert_uint_eq(w.conn.luck.bad, 3);
	ck_assert_uint_eq(w.conn.luck.skip, 5);
	ck_assert_uint_eq(w.conn.window_bits, 15);
}
END_TEST

/* --- chance -------------------------------------------------------------------------------- */

static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static size_t some_text(char *to, size_t most)
{
	static const char *const words[] = { "said", "before", " ", "\xc3\xa4", "\xe2\x82\xac",
		"z" };
	size_t n = 0;

	for (unsigned i = below(12); i > 0; i--) {
		const char *word = words[below(6)];

		if (n + strlen(word) > most)
			break;
		memcpy(to + n, word, strlen(word));
		n += strlen(word);
	}
	return n;
}

static void put_in_frames(unsigned first, const char *p, size_t n)
{
	while (below(3) == 0) {
		size_t some = n ? below((uint32_t)n + 1) : 0;

		put_n(first & ~(unsigned)FIN, p, some);
		first = FIN | WS_CONTINUATION;
		p += some;
		n -= some;
		if (below(4) == 0)
			put(FIN | WS_PING, "p");
	}
	put_n(first, p, n);
}

static void put_some(struct ws_deflate *peer, bool takeover)
{
	struct ws_deflate_how how = { .codec = peer,
		.window_bits = (uint8_t)(9 + below(7)),
		.level = 6,
		.takes_over = takeover };
	char text[160], packed[160 + WS_DEFLATE_ROOM];
	unsigned type = below(4) ? WS_TEXT : WS_BINARY;
	size_t n = some_text(text, 150);
	ssize_t len;

	if (takeover)
		how.window_bits = 15;
	len = peer && below(4) ? ws_deflate(&how, text, n, packed) : 0;
	if (len > 0)
		put_in_frames(COMPRESSED | type, packed, (size_t)len);
	else
		put_in_frames(FIN | type, text, n);
}

/* A stream of this number, the same each time. */
static void make_stream(uint32_t number)
{
	enum ws_role role;
	struct ws_deflate *peer;
	bool takeover;

	seed = number * 2654435761u + 1;
	role = below(2) ? WS_CLIENT : WS_SERVER;
	takeover = below(2);
	agreed = (struct ws_deflate_params){ 0 };
	peer = below(4) ? ws_deflate_new() : NULL;
	if (peer)
		agree(role, takeover);
	else
		begin(role);
	for (unsigned i = 3 + below(6); i > 0; i--)
		put_some(peer, takeover);
	ws_deflate_free(peer);
}

START_TEST(any_stream_at_any_places)
{
	static char plain[sizeof(w.said)];

	for (uint32_t i = 0; i < 300; i++) {
		make_stream(i);
		feed_all();
		memcpy(plain, w.said, sizeof(plain));
		make_stream(i);
		for (size_t at = 0, n; at < w.n; at += n) {
			n = 1 + below(20);
			n = n < w.n - at ? n : w.n - at;
			feed_copy(w.wire + at, n);
			if (below(2))
				hand_over();
		}
		ck_assert_msg(strcmp(w.said, plain) == 0, "stream %u: %s", i, w.said);
	}
}
END_TEST

/* --- what is no snapshot ---------------------------------------------------------------------- */

/* In states of all kinds; false: there is no more. */
static bool reach_state(unsigned i)
{
	struct budget little = { 30000 };
	struct ws_deflate *peer;

	agree(i & 1 ? WS_CLIENT : WS_SERVER, true);
	switch (i) {
	case 0:
		put_plain();
		feed_copy(w.wire, 3);
		break;
	case 1:
	case 2:
		put_n(COMPRESSED | WS_TEXT, HELLO, 7);
		put(WS_TEXT, "h\xc3");
		put(FIN | WS_PING, "are you there");
		feed_copy(w.wire, w.n - 4);
		break;
	case 3:
		put_n(WS_RSV1 | WS_TEXT, HELLO, 3);
		put_n(FIN | WS_CONTINUATION, HELLO + 3, 4);
		feed_copy(w.wire, w.n - 1);
		break;
	case 4:
		peer = ws_deflate_new();
		put_xs(peer, true, 100000);
		ws_conn_feed(&w.conn, w.wire, w.n, &little);
		ws_deflate_free(peer);
		break;
	case 5:
		put_plain();
		feed_all();
		break;
	default:
		return false;
	}
	w.n = 0;
	return true;
}

/* Whoever believed it goes on with something. */
static void feed_anything(void)
{
	ssize_t taken;

	w.n = 0;
	w.said[0] = '\0';
	put_n(FIN | WS_BINARY, "abc", 3);
	put_n(COMPRESSED | WS_BINARY, HELLO, 7);
	ws_conn_resume(&w.conn);
	taken = ws_conn_feed(&w.conn, w.wire, w.n, NULL);
	ck_assert(taken >= 0 && (size_t)taken <= w.n);
	w.n = 0;
}

START_TEST(what_is_cut_off_is_refused)
{
	static struct written whole;

	for (unsigned i = 0; reach_state(i); i++) {
		ck_assert_int_eq(write_down(&whole), 0);
		for (size_t n = 0; n<whole.n; n += whole.n> 4096 ? 97 : 1)
			ck_assert_int_eq(read_from(whole.octets, n), -EPROTO);
		ck_assert_int_eq(read_from(whole.octets, whole.n), 0);
	}
}
END_TEST

static void say_nothing(struct ws_conn *c, enum ws_opcode type, char *data, size_t n)
{
	(void)c, (void)type;
	w.delivered += n;
	memset(data, '!', n);
}

/* The fixture's application wants long messages to be of x. */
static void believe(void)
{
	struct ws_conn_ops deaf = ops;

	deaf.message = say_nothing;
	w.conn.ops = &deaf;
	feed_anything();
	w.conn.ops = &ops;
}

START_TEST(bits_that_are_wrong_are_refused_or_harmless)
{
	static struct written whole;
	unsigned refused = 0;

	for (unsigned i = 0; reach_state(i); i++) {
		ck_assert_int_eq(write_down(&whole), 0);
		for (size_t bit = 0;
		     bit<8 * whole.n; bit += whole.n> 4096 && bit > 1000 ? 1009 : 1) {
			whole.octets[bit / 8] ^= (char)(1 << bit % 8);
			if (read_from(whole.octets, whole.n) == 0)
				believe();
			else
				refused++;
			whole.octets[bit / 8] ^= (char)(1 << bit % 8);
		}
	}
	ck_assert_uint_gt(refused, 1000);
}
END_TEST

START_TEST(memory_may_be_out_anywhere)
{
	static struct written whole;

	for (unsigned i = 0; reach_state(i); i++) {
		ck_assert_int_eq(write_down(&whole), 0);
		for (unsigned long n = 1;; n++) {
			int err;

			mem_fail_at(n);
			err = read_from(whole.octets, whole.n);
			if (!mem_failed())
				break;
			ck_assert_int_eq(err, -ENOMEM);
		}
		mem_fail_at(0);
		ck_assert_int_eq(read_from(whole.octets, whole.n), 0);
	}
}
END_TEST

START_TEST(another_role_is_another_connection)
{
	hand_over();
	w.conn.role = WS_CLIENT;
	ck_assert_int_eq(read_from(state.octets, state.n), -EPROTO);
}
END_TEST

/* --- other limits ------------------------------------------------------------------------------
 */

START_TEST(what_is_beyond_the_new_limits_fails)
{
	static const char too_big[] = "write(close 1009 message is too big)failed(1009)";

	put(WS_TEXT, LONG);
	feed_all();
	w.limits.max_message_bytes = 10;
	hand_over();
	put(FIN | WS_CONTINUATION, "x");
	feed_all();
	ck_assert_str_eq(w.said, too_big);

	setup();
	put(FIN | WS_TEXT, LONG); /* what was announced counts */
	feed_copy(w.wire, 8);
	w.limits.max_message_bytes = 10;
	hand_over();
	hand_over();
	feed_copy(w.wire + 8, 1);
	ck_assert_str_eq(w.said, too_big);
}
END_TEST

/* --- the program -------------------------------------------------------------------------------
 */

static void add_places(TCase *tc)
{
	ADD_LOOP(frames_of_all_kinds, 2);
	ADD_LOOP(compressed_messages, 4);
	ADD_LOOP(failures, 5);
	ADD(our_close_goes_along);
	ADD(a_pause_goes_along);
	ADD(the_pace_of_a_message_goes_along);
	ADD(any_stream_at_any_places);
}

static void add_waiting(TCase *tc)
{
	ADD_LOOP(a_message_that_is_half_inflated, 4);
	ADD(a_message_that_waits_to_be_delivered);
	ADD(what_fails_while_it_is_inflated_for_that);
	ADD(memory_that_is_out_while_it_is_inflated_for_that);
}

static void add_compressing(TCase *tc)
{
	ADD(what_we_compress_refers_to_nothing_before);
	ADD(luck_goes_along);
}

static void add_hostile(TCase *tc)
{
	tcase_set_timeout(tc, 60);
	ADD(what_is_cut_off_is_refused);
	ADD(bits_that_are_wrong_are_refused_or_harmless);
	ADD(memory_may_be_out_anywhere);
	ADD(another_role_is_another_connection);
	ADD(what_is_beyond_the_new_limits_fails);
}

int main(void)
{
	static const struct ws_group groups[] = {
		{ "at every place", add_places },
		{ "for want of time", add_waiting },
		{ "what we compress", add_compressing },
		{ "what is no snapshot", add_hostile },
	};

	return run_ws_groups("ws_snapshot", groups, COUNT(groups));
}
